"""How a study is cited: RIS and BibTeX, of what was extracted and nothing more."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..models import Study
from ..models.choices import Design
from ..questions.question import Question
from ..tables.lookups import not_asked_of_studies

ARTICLES = {
    Design.CASE_REPORT,
    Design.CASE_SERIES,
    Design.RETROSPECTIVE_COHORT,
    Design.OPEN_LABEL_TRIAL,
}
ARTICLES |= {Design.RANDOMISED_TRIAL}
# Braces get names: BibTeX counts them whether or not a backslash stands before.
LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "$&%#_"},
}
IN_IDENTIFIERS = {"{": "%7B", "}": "%7D", "\\": "%5C"}
OTHERS = re.compile(r"(?:^|[\s,]+)(?:et\s+al(?:ii|iae|ia)?|(?:and|&)\s+others)\.?$", re.I)
SUFFIXES = {"Jr", "Sr", "2nd", "3rd", "4th"}
# Lower-case words that belong to a surname; any other means that this is not a person's name.
PARTICLES_TEXT = (
    "a af al av ben bin d da dal dalla de degli dei del della delle den der des di do dos du e el "
    "i ibn la las le lo los 's 't te ten ter van vom von y zu zum zur"
)
PARTICLES = frozenset(PARTICLES_TEXT.split())
GROUP_WORDS_TEXT = (
    "agency alliance association authority board center centre clinic club collaboration "
    "collaborative collaborators college committee community company consortium corporation "
    "council department foundation group hospital initiative institute investigators laboratory "
    "league network office organisation organization panel party program programme project "
    "registry section society study survey team trial trialists union unit university workshop"
)
GROUP_WORDS = frozenset(GROUP_WORDS_TEXT.split())


@dataclass(frozen=True)
class Authors:
    """The authors of a study as extracted; `others` says that there are more, not named."""

    names: list[str]
    others: bool


@dataclass(frozen=True)
class Name:
    """A person's name: “De Pinto”, “M. A.”, and a suffix such as “Jr”, or an empty text."""

    surname: str
    given: str
    suffix: str = ""


def authors_of(study: Study) -> Authors:
    """The authors one by one. “et al.” is no author, wherever it stands."""
    printed_names = [" ".join(name.split()) for name in study.authors.split(";")]
    names = [OTHERS.sub("", name) for name in printed_names]
    return Authors([name for name in names if name], others=names != printed_names)


def parse_author(author: str) -> Name | None:
    """An author as surname and initials, or None where that is not certain to be a person's name.

    Certain is a surname, then initials, as in “Alegre Sancho JJ”, “Fujita, Y.” or “Smith JA Jr”.
    """
    before_comma, comma, after_comma = author.partition(",")
    words = before_comma.split()
    suffix = words.pop() if not comma and words and words[-1].rstrip(".") in SUFFIXES else ""
    position = next(
        (position for position, word in enumerate(words) if are_initials(word)), len(words)
    )
    surname, initials = words[:position], words[position:]
    if comma:
        initials = [] if initials else after_comma.split()
    if not initials or not all(map(are_initials, initials)) or not is_surname(surname):
        return None
    return Name(" ".join(surname), " ".join(map(with_full_stops, initials)), suffix.rstrip("."))


def are_initials(word: str) -> bool:
    letters = re.sub(r"[-.]", "", word)
    return len(letters) <= 4 and letters.isalpha() and letters.isupper()


def with_full_stops(initials: str) -> str:
    """Initials with full stops: “JP” is “J. P.”, “J-P” is “J.-P.”."""
    parts = initials.replace(".", "").split("-")
    return "-".join(" ".join(f"{letter}." for letter in part) for part in parts if part)


def is_surname(words: list[str]) -> bool:
    """Whether these words are a surname: capitalised words and particles, none for a group."""
    capitalised = [word for word in words if word not in PARTICLES]
    return bool(capitalised) and all(is_capitalised(word) for word in capitalised)


def is_capitalised(word: str) -> bool:
    letters = re.sub(r"[-'’ʼ]", "", word)
    has_both = any(map(str.isupper, letters)) and any(map(str.islower, letters))
    return letters.isalpha() and has_both and word.casefold() not in GROUP_WORDS


def ris_type(study: Study) -> str:
    if study.design == Design.CONFERENCE_ABSTRACT:
        return "CPAPER"
    return "JOUR" if study.design in ARTICLES and study.journal else "GEN"


# “44(7)”: sources print volume and issue together, and managers of references keep them apart.
VOLUME_AND_ISSUE = re.compile(r"([\w. -]+?)\s*\(([\w. /–-]+)\)")


def volume_and_issue(text: str) -> tuple[str, str]:
    """“44” and “7” of “44(7)”; what is not written so is a volume."""
    match = VOLUME_AND_ISSUE.fullmatch(text.strip())
    return (match[1], match[2]) if match else (text, "")


def single_line(text: str) -> str:
    """A value on one line: a line break would begin a new field."""
    return " ".join(str(text).split())


def notice_remark(study: Study) -> str:
    """What the journal has said of the publication since, in a sentence; empty where nothing is
    known.
    """
    if not study.has_notice:
        return ""
    when = f" on {study.retraction_date:%Y-%m-%d}" if study.retraction_date else ""
    notice = f" ({study.retraction_notice})" if study.retraction_notice else ""
    return f"{study.get_retraction_status_display()}{when}{notice}."


def ris_record(study: Study, remark: str = "") -> str:
    """One record in RIS. A field that was not extracted is left out; the note says how much was
    read.
    """
    authors = authors_of(study)
    fields = [("TY", ris_type(study)), ("ID", study.slug)]
    fields += [("AU", ris_name(author)) for author in authors.names]
    first, _, last = study.pages.partition("-")
    volume, issue = volume_and_issue(study.volume)
    fields += [
        ("TI", study.title),
        ("T2", study.journal),
        ("PY", study.year),
        ("VL", volume),
        ("IS", issue),
        ("SP", first),
        ("EP", last),
        ("DO", study.doi),
        ("AN", study.pmid and f"PMID {study.pmid}"),
        ("C2", study.pmcid),
        ("UR", study.link),
        ("N1", f"{study.nct} (ClinicalTrials.gov)" if study.nct else ""),
        ("N1", "There are more authors than are named here." if authors.others else ""),
        ("N1", notice_remark(study)),
        ("N1", f"Read for Casebook: {study.get_extraction_display().lower()}."),
        ("N1", remark),
    ]
    return (
        "".join(f"{tag}  - {single_line(value)}\r\n" for tag, value in fields if value)
        + "ER  - \r\n"
    )


def ris_name(author: str) -> str:
    """“Fujita, Y.”; an author that is not surely a person's name stays as it was written."""
    name = parse_author(author)
    return ", ".join(filter(None, (name.surname, name.given, name.suffix))) if name else author


def escape_bibtex(text) -> str:
    """A text with every letter that means something to LaTeX or BibTeX written out."""
    return "".join(LATEX.get(letter, letter) for letter in single_line(text))


def escaped_identifier(text: str) -> str:
    """A DOI or an address as it is; only what would end the field is percent-encoded."""
    return "".join(IN_IDENTIFIERS.get(letter, letter) for letter in single_line(text))


def bibtex_name(author: str) -> str:
    """“Fujita, Y.”; an author that is not surely a person's name stays whole, in braces."""
    name = parse_author(author)
    if name is None:
        return f"{{{escape_bibtex(author)}}}"
    # BibTeX finds particles at the beginning; one between other words would make it part a surname.
    words = name.surname.split()
    surname_start = next(position for position, word in enumerate(words) if word not in PARTICLES)
    has_no_inner_particle = PARTICLES.isdisjoint(words[surname_start:])
    surname = name.surname if has_no_inner_particle else f"{{{name.surname}}}"
    return ", ".join(filter(None, (surname, name.suffix, name.given)))


def bibtex_entry(study: Study, remark: str = "") -> str:
    """One entry in BibTeX. A field that was not extracted is left out; the note says how much was
    read.
    """
    kind = {"JOUR": "article", "CPAPER": "inproceedings"}.get(ris_type(study), "misc")
    authors = authors_of(study)
    names = [bibtex_name(author) for author in authors.names]
    names += ["others"] if names and authors.others else []
    volume, issue = volume_and_issue(study.volume)
    fields = [
        ("author", " and ".join(names)),
        ("title", f"{{{escape_bibtex(study.title)}}}" if study.title else ""),
        ("booktitle" if kind == "inproceedings" else "journal", escape_bibtex(study.journal)),
        ("year", study.year),
        ("volume", escape_bibtex(volume)),
        ("number", escape_bibtex(issue)),
        ("pages", escape_bibtex(study.pages).replace("-", "--")),
        ("doi", escaped_identifier(study.doi)),
        ("url", escaped_identifier(study.link)),
        (
            "note",
            escape_bibtex(
                f"{notice_remark(study)} Read for Casebook: "
                f"{study.get_extraction_display().lower()}. {remark}".strip()
            ),
        ),
    ]
    body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields if value)
    return f"@{kind}{{{study.slug},\n{body}\n}}\n"


FORMATS = {
    "ris": (ris_record, "application/x-research-info-systems"),
    "bib": (bibtex_entry, "application/x-bibtex"),
}


def citation_text(
    studies: Iterable[Study], citation_format: str, question: Question | None = None
) -> str:
    """Records of several studies. Of those that answer a question for their groups alone, a note
    says what was not asked of these. Raises KeyError for a format that is none of FORMATS.
    """
    write, _ = FORMATS[citation_format]
    listed_studies = list(studies)
    not_asked = (
        not_asked_of_studies([study.pk for study in listed_studies], question) if question else {}
    )
    remarks = {
        key: f"Listed for groups that were not asked: {'; '.join(parts)}."
        for key, parts in not_asked.items()
    }
    return "\n".join(write(study, remarks.get(study.pk, "")) for study in listed_studies)

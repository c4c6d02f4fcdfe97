"""How a study is cited: RIS and BibTeX, of what was extracted and nothing more."""

import re
from collections.abc import Iterable

from ..models import Study
from ..models.choices import Design

LICENCE = (
    "The clinical facts belong to the publications they are cited from; cite those. Casebook's code is under the MIT "
    "licence."
)
ARTICLES = {Design.CASE_REPORT, Design.CASE_SERIES, Design.RETROSPECTIVE_COHORT, Design.OPEN_LABEL_TRIAL}
ARTICLES |= {Design.RANDOMISED_TRIAL}
LATEX = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_"}
OTHERS = re.compile(r"^et al\.?$", re.I)


def authors_of(study: Study) -> list[str]:
    """Single authors; “et al.” stays the last of them where not all were extracted."""
    return [name.strip() for name in study.authors.split(";") if name.strip()]


def ris_type(study: Study) -> str:
    if study.design == Design.CONFERENCE_ABSTRACT:
        return "CPAPER"
    return "JOUR" if study.design in ARTICLES and study.journal else "GEN"


def line(text: str) -> str:
    """A value on one line: a line break would begin a new field."""
    return " ".join(str(text).split())


def ris(study: Study) -> str:
    """One record in RIS. A field that was not extracted is left out; the note says how much was read."""
    fields = [("TY", ris_type(study)), ("ID", study.slug)]
    fields += [("AU", name.replace("et al.", "et al")) for name in authors_of(study)]
    first, _, last = study.pages.partition("-")
    fields += [
        ("TI", study.title),
        ("T2", study.journal),
        ("PY", study.year),
        ("VL", study.volume),
        ("SP", first),
        ("EP", last),
        ("DO", study.doi),
        ("AN", study.pmid and f"PMID {study.pmid}"),
        ("C2", study.pmcid),
        ("UR", study.link),
        ("N1", f"{study.nct} (ClinicalTrials.gov)" if study.nct else ""),
        ("N1", f"Read for Casebook: {study.get_extraction_display().lower()}."),
    ]
    return "".join(f"{tag}  - {line(value)}\r\n" for tag, value in fields if value) + "ER  - \r\n"


def escaped(text) -> str:
    return "".join(LATEX.get(letter, letter) for letter in line(text))


def bibtex(study: Study) -> str:
    """One entry in BibTeX. A field that was not extracted is left out; the note says how much was read."""
    kind = {"JOUR": "article", "CPAPER": "inproceedings"}.get(ris_type(study), "misc")
    names = ["others" if OTHERS.match(name) else escaped(name) for name in authors_of(study)]
    fields = [
        ("author", " and ".join(names)),
        ("title", f"{{{escaped(study.title)}}}" if study.title else ""),
        ("booktitle" if kind == "inproceedings" else "journal", escaped(study.journal)),
        ("year", study.year),
        ("volume", escaped(study.volume)),
        ("pages", escaped(study.pages).replace("-", "--")),
        ("doi", study.doi),
        ("url", study.link),
        ("note", escaped(f"Read for Casebook: {study.get_extraction_display().lower()}.")),
    ]
    body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields if value)
    return f"@{kind}{{{study.slug},\n{body}\n}}\n"


FORMATS = {"ris": (ris, "application/x-research-info-systems"), "bib": (bibtex, "application/x-bibtex")}


def cited(studies: Iterable[Study], how: str) -> str:
    """Records of several studies. Raises KeyError for a format that is none of FORMATS."""
    write, _ = FORMATS[how]
    return "\n".join(write(study) for study in studies)

"""Publications to be read, out of RIS, BibTeX, nbib or PubMed XML: each begins a study in work.

Nothing is fetched. A reference says what a publication is, not what it found, so the studies it
begins have no design and no reading yet.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import bibtexparser
import rispy
from bibtexparser.middlewares import SeparateCoAuthors, SplitNameParts
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from django.utils.text import slugify

from ..models import Collection, Study, StudyDraft
from .documents import study_record

MAX_CHARACTERS = 5_000_000


class UnreadableReferences(Exception):
    """Text that is none of the formats, or broken; the message says what and where."""


@dataclass(frozen=True)
class Reference:
    """One publication as a reference manager or PubMed describes it; what is not given is empty."""

    title: str = ""
    authors: tuple[str, ...] = ()  # “Fujita Y”: surname, initials
    journal: str = ""
    year: int | None = None
    volume: str = ""
    pages: str = ""
    doi: str = ""
    pmid: str = ""
    pmcid: str = ""
    nct: str = ""
    url: str = ""

    @property
    def first_surname(self) -> str:
        """The first author’s surname; an empty text where no author is given."""
        return self.authors[0].rpartition(" ")[0] or self.authors[0] if self.authors else ""

    @property
    def short_name(self) -> str:
        """How lists call the study, such as “Fujita 2019”."""
        name = self.first_surname or " ".join(self.title.split()[:4])
        return f"{name} {self.year}" if self.year else name

    @property
    def slug(self) -> str:
        """The address of the study, such as `fujita-2019`."""
        return slugify(self.short_name)[:70] or "study"

    def record(self, collection: Collection, slug: str) -> dict:
        """The study's record of a document."""
        fields = {
            "collection": [collection.slug],
            "slug": slug,
            "short_name": self.short_name,
            "title": self.title,
            "authors": "; ".join(self.authors),
            "journal": self.journal,
            "year": self.year,
            "volume": self.volume,
            "pages": self.pages,
            "doi": self.doi,
            "pmid": self.pmid,
            "pmcid": self.pmcid,
            "nct": self.nct,
            "url": "" if self.doi else self.url,
        }
        return {
            "model": "evidence.study",
            "fields": {name: value for name, value in fields.items() if value},
        }


def read_references(text: str) -> list[Reference]:
    """The references of a text in RIS, BibTeX, nbib (MEDLINE) or PubMed XML, whichever it is.

    Raises UnreadableReferences where it is none of them or has none.
    """
    if len(text) > MAX_CHARACTERS:
        raise UnreadableReferences("This is longer than five million characters.")
    text = text.lstrip("\ufeff \t\r\n")
    for pattern, read in FORMATS:
        if re.search(pattern, text, re.MULTILINE):
            references = [tidy(reference) for reference in read(text)]
            if references:
                return references
    raise UnreadableReferences(
        "No reference was found. Paste or choose RIS, BibTeX, nbib or PubMed XML."
    )


def read_ris(text: str) -> Iterator[Reference]:
    try:
        entries = rispy.loads(text)
    except (OSError, ValueError, KeyError) as error:
        raise UnreadableReferences(f"This RIS cannot be read: {error}.") from None
    for entry in entries:
        names = entry.get("authors") or entry.get("first_authors") or []
        start, end = entry.get("start_page", ""), entry.get("end_page", "")
        urls = entry.get("urls") or [entry.get("url", "")]
        yield Reference(
            title=entry.get("title") or entry.get("primary_title") or "",
            authors=tuple(map(initials_of, names)),
            journal=entry.get("journal_name")
            or entry.get("secondary_title")
            or entry.get("alternate_title3")
            or "",
            year=year_in(entry.get("year") or entry.get("publication_year") or ""),
            volume=entry.get("volume", ""),
            pages=f"{start}-{end}" if start and end and start != end else start,
            doi=entry.get("doi", ""),
            pmid=entry.get("accession_number", "")
            if str(entry.get("accession_number", "")).isdigit()
            else "",
            url=urls[0] or "",
        )


def read_bibtex(text: str) -> Iterator[Reference]:
    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # the exception says it
    library = bibtexparser.parse_string(
        text, append_middleware=[SeparateCoAuthors(), SplitNameParts()]
    )
    if library.failed_blocks:
        block = library.failed_blocks[0]
        line = (block.start_line or 0) + 1
        raise UnreadableReferences(
            f"This BibTeX cannot be read: the entry at line {line} is broken."
        )
    for entry in library.entries:
        fields = {name.lower(): one.value for name, one in entry.fields_dict.items()}
        names = fields.get("author", [])
        yield Reference(
            title=without_braces(fields.get("title", "")),
            authors=tuple(
                initials_of(f"{' '.join([*name.von, *name.last])}, {' '.join(name.first)}")
                for name in names
            ),
            journal=without_braces(fields.get("journal", "")),
            year=year_in(fields.get("year") or fields.get("date") or ""),
            volume=fields.get("volume", ""),
            pages=fields.get("pages", "").replace("--", "-"),
            doi=fields.get("doi", ""),
            pmid=fields.get("pmid", ""),
            pmcid=fields.get("pmcid", ""),
            url=fields.get("url", ""),
        )


def read_nbib(text: str) -> Iterator[Reference]:
    """MEDLINE's own format: a tag of up to four letters, a hyphen, the value, and lines that go on
    indented by six.
    """
    for block in re.split(r"\r?\n\s*\r?\n", text):
        values: dict[str, list[str]] = {}
        tag = ""
        for line in block.splitlines():
            if found := re.match(r"([A-Z]{2,4}) *- (.*)", line):
                tag = found[1]
                values.setdefault(tag, []).append(found[2].strip())
            elif tag and line.startswith("      "):
                values[tag][-1] += " " + line.strip()
        if "PMID" not in values and "TI" not in values:
            continue

        def first(*names: str, values=values) -> str:
            return next((values[name][0] for name in names if values.get(name)), "")

        identifiers = values.get("AID", []) + values.get("LID", [])
        registered = [one for one in values.get("SI", []) if "NCT" in one]
        yield Reference(
            title=first("TI").removesuffix("."),
            authors=tuple(values.get("AU", [])),
            journal=first("JT", "TA"),
            year=year_in(first("DP")),
            volume=first("VI"),
            pages=first("PG"),
            doi=next((one.split()[0] for one in identifiers if one.endswith("[doi]")), ""),
            pmid=first("PMID"),
            pmcid=first("PMC"),
            nct=next((re.search(r"NCT\d{8}", one)[0] for one in registered), "")
            if len(registered) == 1
            else "",
        )


def read_pubmed_xml(text: str) -> Iterator[Reference]:
    try:
        root = ElementTree.fromstring(text, forbid_dtd=False, forbid_external=True)
    except DefusedXmlException:
        raise UnreadableReferences(
            "This XML has entities of its own, which are not read."
        ) from None
    except ElementTree.ParseError as error:
        raise UnreadableReferences(f"This XML cannot be read: {error}.") from None
    for article in root.iter("PubmedArticle"):

        def said(path: str, article=article) -> str:
            found = article.find(path)
            return "" if found is None else " ".join("".join(found.itertext()).split())

        authors = [
            " ".join(filter(None, (one.findtext("LastName"), one.findtext("Initials"))))
            or one.findtext("CollectiveName", "")
            for one in article.iter("Author")
        ]
        own = "PubmedData/ArticleIdList/ArticleId"
        yield Reference(
            title=said("MedlineCitation/Article/ArticleTitle").removesuffix("."),
            authors=tuple(filter(None, authors)),
            journal=said("MedlineCitation/Article/Journal/Title"),
            year=year_in(
                said("MedlineCitation/Article/Journal/JournalIssue/PubDate/Year")
                or said("MedlineCitation/Article/Journal/JournalIssue/PubDate/MedlineDate")
            ),
            volume=said("MedlineCitation/Article/Journal/JournalIssue/Volume"),
            pages=said("MedlineCitation/Article/Pagination/MedlinePgn"),
            doi=said(f"{own}[@IdType='doi']"),
            pmid=said("MedlineCitation/PMID"),
            pmcid=said(f"{own}[@IdType='pmc']"),
        )


# How each format is told from the others, and what reads it.
FORMATS = (
    (r"\A(<\?xml|<PubmedArticle|<!DOCTYPE PubmedArticle)", read_pubmed_xml),
    (r"^TY  - ", read_ris),
    (r"^\s*@\w+\s*[{(]", read_bibtex),
    (r"^(PMID|TI|OWN) *- ", read_nbib),
)


def initials_of(name: str) -> str:
    """“Fujita Y” from “Fujita, Yuya”; a name without a comma stays as it is."""
    surname, comma, given = name.partition(",")
    if not comma:
        return " ".join(name.split())
    initials = "".join(part[0] for part in re.split(r"[\s.\-]+", given) if part)
    return f"{surname.strip()} {initials}".strip()


def year_in(text) -> int | None:
    """The first year of four digits in a text."""
    found = re.search(r"\b(19|20)\d\d\b", str(text))
    return int(found[0]) if found else None


def without_braces(text: str) -> str:
    return re.sub(r"[{}]", "", text)


def tidy(reference: Reference) -> Reference:
    """Identifiers in the registries' spelling, texts without superfluous space."""
    doi = re.sub(r"^(https?://(dx\.)?doi\.org/|doi:\s*)", "", reference.doi.strip(), flags=re.I)
    return replace(
        reference,
        title=" ".join(reference.title.split()),
        journal=" ".join(reference.journal.split()),
        doi=doi,
        pmid=reference.pmid.strip(),
        pmcid=reference.pmcid.strip().upper(),
    )


@dataclass(frozen=True)
class Match:
    """A study that is, or may be, what a reference describes."""

    slug: str
    short_name: str
    reason: str
    certain: bool = True


@dataclass
class Begun:
    """What became of a list of references."""

    started: dict[str, list[dict]] = field(default_factory=dict)  # slug -> document
    known: list[tuple[Reference, Match]] = field(default_factory=list)
    doubtful: list[tuple[str, Match]] = field(default_factory=list)  # slug and what it may be


def begin_studies(references: Iterable[Reference], collection: Collection) -> Begun:
    """Documents for those references that no study of the collection is yet.

    A study with the same DOI, PMID, PMCID or trial number is the same; one with the same title, or
    the same first author and year, may be, and is begun with a word about it.
    """
    begun, studies = Begun(), known_studies(collection)
    for reference in references:
        match = matching_study(reference, studies)
        if match and match.certain:
            begun.known.append((reference, match))
            continue
        slug = free_slug(reference.slug, {*studies})
        if match:
            begun.doubtful.append((slug, match))
        record = reference.record(collection, slug)
        studies[slug] = record["fields"]
        begun.started[slug] = [record]
    return begun


def known_studies(collection: Collection) -> dict[str, dict]:
    """The fields of every study of a collection, in the tables or in work, by slug."""
    names = ["short_name", "title", "authors", "year", "doi", "pmid", "pmcid", "nct"]
    studies = {
        row["slug"]: row
        for row in Study.objects.filter(collection=collection).values("slug", *names)
    }
    drafts = StudyDraft.objects.filter(collection=collection, head__isnull=False)
    for draft in drafts.select_related("head"):
        record = study_record(draft.head.content)
        studies[draft.slug] = studies.get(draft.slug, {}) | (record["fields"] if record else {})
    return studies


def matching_study(reference: Reference, studies: dict[str, dict]) -> Match | None:
    """The study that a reference is, or else one that it may be."""
    labels = {"doi": "DOI", "pmid": "PMID", "pmcid": "PMCID", "nct": "trial number"}
    for name, label in labels.items():
        value = getattr(reference, name).casefold()
        for slug, fields in studies.items():
            if value and (fields.get(name) or "").casefold() == value:
                return Match(slug, fields.get("short_name", slug), f"the same {label}, {value}")
    title = plain_words(reference.title)
    for slug, fields in studies.items():
        called = fields.get("short_name", slug)
        if title and plain_words(fields.get("title") or "") == title:
            return Match(slug, called, "the same title", certain=False)
        surname = plain_words((fields.get("authors") or "").split(";")[0].rpartition(" ")[0])
        if (
            reference.first_surname
            and surname == plain_words(reference.first_surname)
            and fields.get("year") == reference.year is not None
        ):
            return Match(slug, called, "the same first author and year", certain=False)
    return None


def plain_words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def free_slug(wanted: str, taken: set[str]) -> str:
    """The slug, with a letter where it is taken: fujita-2019, fujita-2019-b."""
    letters = iter("bcdefghijklmnopqrstuvwxyz")
    slug = wanted
    while slug in taken:
        slug = f"{wanted}-{next(letters)}"
    return slug

"""Which studies a file of Retraction Watch says were corrected, doubted or retracted.

The file is Crossref's public CSV, read offline and row by row. Studies are found by DOI or PMID.
What is new is written to studies in work, never to what readers see.
"""

import codecs
import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from unicodedata import category

from django.db import transaction

from ..models import Collection, Study, StudyDraft
from ..models.choices import CollectionKind, RetractionStatus
from ..models.identifiers import KINDS
from .documents import study_record
from .drafts import Author, content_of, open_draft, save_draft

NATURE, DATE = "RetractionNature", "RetractionDate"
DOI, PMID = "OriginalPaperDOI", "OriginalPaperPubMedID"
NOTICE_DOI, NOTICE_PMID, REASON = "RetractionDOI", "RetractionPubMedID", "Reason"
NEEDED = (NATURE, DATE, DOI, PMID, NOTICE_DOI, REASON)
REINSTATED = "reinstatement"
NATURES = {
    "retraction": RetractionStatus.RETRACTED,
    "expression of concern": RetractionStatus.CONCERN,
    "correction": RetractionStatus.CORRECTED,
}
# The file writes 4/15/2021 0:00: the month first.
DATE_FORMATS = ("%m/%d/%Y %H:%M", "%m/%d/%Y", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M:%S")
NOT_GIVEN = ("", "0", "unavailable", "n/a", "na", "none")
WITHOUT_REASON = "Listed by Retraction Watch without a reason."
CONTROLS = ("Cc", "Cf", "Zl", "Zp")
LONGEST_FIELD = 2**20  # characters: reasons and institutions of some rows are long
CHUNK = 2**20


class UnreadableFile(Exception):
    """Why a file cannot be used, in a sentence."""


@dataclass(frozen=True)
class Notice:
    """One row of the file that names a paper. `nature` is as the file writes it, in lower case."""

    nature: str
    at: date | None
    doi: str
    pmid: str
    link: str  # the notice's DOI, or its address; empty where it is not given
    reason: str

    @property
    def status(self) -> RetractionStatus | None:
        """What it makes of the paper; None for a reinstatement and for what is not understood."""
        return NATURES.get(self.nature)

    @property
    def is_understood(self) -> bool:
        return self.nature in (*NATURES, REINSTATED)


def read_notices(path: Path, odd_rows: list[str]) -> Iterator[Notice]:
    """The rows that name a paper by DOI or PMID, one at a time. A row that is longer or shorter
    than the first line is not read but told in `odd_rows`. Raises UnreadableFile.
    """
    csv.field_size_limit(LONGEST_FIELD)
    try:
        with path.open(encoding=encoding_of(path), newline="") as opened:
            rows = csv.reader(opened)
            header = next(rows, [])
            place = places_of(header, path)
            began = rows.line_num + 1
            for row in rows:
                line, began = began, rows.line_num + 1
                if row and len(row) != len(header):
                    odd_rows.append(
                        f"line {line}: {len(row)} values where the first line has {len(header)}, "
                        "so it was not read. Perhaps a quotation mark is not closed."
                    )
                    continue
                found = {name: printable(row[at]) for name, at in place.items() if at < len(row)}
                doi = normalised_doi(found.get(DOI, ""))
                pmid = KINDS["pmid"].normalise(given(found.get(PMID, "")).removesuffix(".0"))
                if doi or pmid:
                    yield Notice(
                        found.get(NATURE, "").lower(),
                        date_in(found.get(DATE, "")),
                        doi,
                        pmid,
                        notice_of(found),
                        reason_in(found.get(REASON, "")),
                    )
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror or error}.") from None
    except csv.Error as error:
        raise UnreadableFile(f"{path}, line {rows.line_num}: no CSV: {error}.") from None


def encoding_of(path: Path) -> str:
    """UTF-8, with or without its mark; Latin 1 for a file that is not UTF-8, as older ones are.
    Raises UnreadableFile for what is no text.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            if b"\x00" in chunk:
                raise UnreadableFile(f"{path}: this is no CSV file in UTF-8 or Latin 1.")
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                return "latin-1"
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"


def places_of(header: list[str], path: Path) -> dict[str, int]:
    """Where each column stands. Raises UnreadableFile where one that is needed is missing."""
    folded = [re.sub(r"\s", "", name).lower() for name in header]
    names = {name: at for at, name in enumerate(folded)}
    for name in (*NEEDED, NOTICE_PMID):
        if folded.count(name.lower()) > 1:
            raise UnreadableFile(f"{path}: the first line has {name} more than once.")
    wanted = {name: names.get(name.lower()) for name in (*NEEDED, NOTICE_PMID)}
    missing = [name for name in NEEDED if wanted[name] is None]
    if missing:
        raise UnreadableFile(
            f"{path}: the file lacks {', '.join(missing)}. Its first line has: "
            f"{', '.join(header)[:500] or 'nothing'}. Take the CSV file of Retraction Watch as it "
            "comes from Crossref, with commas."
        )
    return {name: at for name, at in wanted.items() if at is not None}


def printable(text: str) -> str:
    """A value without what would tell a terminal something."""
    return "".join(" " if category(letter) in CONTROLS else letter for letter in text).strip()


def given(text: str) -> str:
    """A value, or an empty text where the file says that there is none."""
    return "" if text.lower() in NOT_GIVEN else text


def normalised_doi(text: str) -> str:
    """A DOI in lower case, for comparing; empty where it is none."""
    doi = KINDS["doi"].normalise(given(text)).lower()
    return doi if doi.startswith("10.") else ""


def date_in(text: str) -> date | None:
    """The date a text says; None where it says none."""
    for written in DATE_FORMATS:
        try:
            return datetime.strptime(text, written).date()
        except ValueError:
            continue
    return None


def notice_of(row: dict[str, str]) -> str:
    """The notice's DOI, or else its address on PubMed."""
    doi = KINDS["doi"].normalise(given(row.get(NOTICE_DOI, "")))
    if re.fullmatch(KINDS["doi"].pattern, doi):
        return doi
    pmid = given(row.get(NOTICE_PMID, "")).removesuffix(".0")
    return f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/" if pmid.isdecimal() else ""


def reason_in(text: str) -> str:
    """“+Error in Data;+Unreliable Results;” as “Error in Data; Unreliable Results”."""
    reasons = (part.strip().removeprefix("+").strip() for part in text.split(";"))
    return "; ".join(filter(None, reasons))


@dataclass
class WatchedStudy:
    """A study of a published collection: what readers see of it, and what is in work.

    `fields` are those of the study in work where there is one, else of the tables; `published` is
    the status readers see.
    """

    collection: Collection
    slug: str
    fields: dict
    published: str
    notices: list[Notice] = field(default_factory=list)

    @property
    def held(self) -> str:
        """The status that is entered, in work or published."""
        return self.fields.get("retraction_status", RetractionStatus.NONE_KNOWN)

    @property
    def label(self) -> str:
        return f"{self.collection.slug} / {self.slug}"


@dataclass(frozen=True)
class Finding:
    """What the file says of a study and the study does not, or what waits to be published.
    `fields` are those to be written; none where they are written already.
    """

    study: WatchedStudy
    words: str
    fields: dict = field(default_factory=dict)


def watched_studies() -> list[WatchedStudy]:
    """Every study of the published collections with a DOI or a PMID, in work or not."""
    found = {}
    published = Study.objects.filter(collection__kind=CollectionKind.PUBLISHED)
    names = ("doi", "pmid", "retraction_status")
    for study in published.select_related("collection").order_by("collection", "slug"):
        fields = {name: getattr(study, name) for name in names}
        found[study.collection_id, study.slug] = WatchedStudy(
            study.collection, study.slug, fields, study.retraction_status
        )
    in_work = StudyDraft.objects.filter(collection__kind=CollectionKind.PUBLISHED)
    for draft in in_work.select_related("collection", "head", "published").order_by("pk"):
        record = study_record(content_of(draft.head)) if draft.is_open else None
        if record is None:
            continue
        known = found.get((draft.collection_id, draft.slug))
        status = known.published if known else RetractionStatus.NONE_KNOWN
        found[draft.collection_id, draft.slug] = WatchedStudy(
            draft.collection, draft.slug, record["fields"], status
        )
    return list(found.values())


def find_new(notices: Iterable[Notice]) -> list[Finding]:
    """What is to be done about the studies, in the order of the studies. One pass over the file."""
    studies, by_identifier = watched_studies(), defaultdict(list)
    for study in studies:
        for kind, value in (
            ("doi", str(study.fields.get("doi", "")).lower()),
            ("pmid", str(study.fields.get("pmid", ""))),
        ):
            if value:
                by_identifier[kind, value].append(study)
    for notice in notices:
        named = by_identifier.get(("doi", notice.doi), []) + by_identifier.get(
            ("pmid", notice.pmid), []
        )
        for study in {id(one): one for one in named}.values():
            study.notices.append(notice)
    return [finding for study in studies if (finding := finding_of(study)) is not None]


def finding_of(study: WatchedStudy) -> Finding | None:
    """What the file adds to what is entered of one study.

    What is entered is taken back only after a reinstatement: a curator may know more than the
    file. Where both say the same, details stay as they are entered.
    """
    unknown = [notice for notice in study.notices if not notice.is_understood]
    holding, reinstated = holding_notice(study.notices)
    status = holding.status if holding else RetractionStatus.NONE_KNOWN
    is_new = gravity(status) > gravity(study.held) or (
        reinstated is not None and gravity(status) < gravity(study.held)
    )
    if is_new:
        words = notice_words(holding) if holding else "nothing holds any more"
        if reinstated is not None:
            words = f"reinstated{on(reinstated)}; {words}"
        return Finding(study, f"{words}. Entered so far: {label_of(study.held)}.", cells(holding))
    if study.held != study.published:
        words = f"{label_of(study.held)} is entered in the study in work and not published yet."
        return Finding(study, words)
    if unknown:
        natures = ", ".join(sorted({f"“{notice.nature}”" for notice in unknown}))
        return Finding(study, f"the file lists it as {natures}, which is not understood.")
    return None


def holding_notice(notices: Iterable[Notice]) -> tuple[Notice | None, Notice | None]:
    """The gravest notice that holds, the latest of those, and the last reinstatement that ended
    one. Undated notices are taken for the earliest.
    """
    holding, reinstated = [], None
    for notice in sorted(notices, key=lambda one: one.at or date.min):
        if notice.nature == REINSTATED:
            ended = [one for one in holding if one.status != RetractionStatus.CORRECTED]
            holding = [one for one in holding if one not in ended]
            reinstated = notice if ended else reinstated
        elif notice.status is not None:
            holding.append(notice)
    latest = max(holding, key=lambda one: (gravity(one.status), one.at or date.min), default=None)
    return latest, reinstated


def gravity(status: str) -> int:
    """How grave a status is: its place among the choices."""
    return RetractionStatus.values.index(status)


def label_of(status: str) -> str:
    return RetractionStatus(status).label.lower()


def on(notice: Notice) -> str:
    return f" on {notice.at.isoformat()}" if notice.at else ", no date given"


def notice_words(notice: Notice) -> str:
    """A notice in words: what, when, where, why."""
    link = f" ({notice.link})" if notice.link else ""
    return f"{label_of(notice.status)}{on(notice)}{link}: {notice.reason or WITHOUT_REASON[:-1]}"


def cells(notice: Notice | None) -> dict:
    """The fields of a study that say what a notice says; empty ones where none holds."""
    reason = notice.reason or ("" if notice.link else WITHOUT_REASON) if notice else ""
    return {
        "retraction_status": str(notice.status if notice else RetractionStatus.NONE_KNOWN),
        "retraction_date": notice.at.isoformat() if notice and notice.at else "",
        "retraction_notice": notice.link if notice else "",
        "retraction_reason": reason,
    }


def enter_findings(findings: Iterable[Finding], author: Author, source: str) -> None:
    """Writes what is new to the studies in work, all of it or nothing. Readers see none of it."""
    with transaction.atomic():
        for finding in findings:
            if not finding.fields:
                continue
            draft = open_draft(finding.study.collection, finding.study.slug, author)
            content = [
                {**record, "fields": record["fields"] | finding.fields}
                if record["model"] == "evidence.study"
                else record
                for record in content_of(draft.head)
            ]
            save_draft(
                draft,
                content,
                based_on=draft.head.number,
                author=author,
                message=f"Retraction Watch ({source}): {finding.words}",
            )

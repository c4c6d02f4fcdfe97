"""Comparing a study with its source value by value, by somebody who wrote none of it.

What was said of a cell holds while the cell says the same; it is asked again where it changes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ..models import CheckedCell, Meaning, Signature, StudyDraft
from ..models.choices import Method
from ..models.signature import is_author, versions_to_check
from ..models.signing_guards import AUTHOR_SIGNS
from .drafts import content_of, held_at
from .signing import sign, why_not
from .workbook.cells import NONE_WORD, NR, OWNER, UNREADABLE_WORD, DocumentCells, cell_columns
from .workbook.sheets import (
    FINDINGS,
    GROUPS,
    PATIENTS,
    SHEETS,
    STUDIES,
    TOTALS,
    Column,
    Sheet,
)

STATE_WORDS = (NR, UNREADABLE_WORD, NONE_WORD)
NO_SUCH_VALUE = "There is no such value in version {}: it was changed or taken away."
SAY_WHY = "Say what is wrong with the value."
STILL_WRONG = (
    "{} marked as wrong. Send the study back, or say that they agree after all, before you sign."
)
NOT_ALL = "{} of {} values are not agreed one by one. Say that you sign it all the same."


@dataclass(frozen=True)
class CellToCheck:
    """One cell that says something, where that stands, and what was last said of it."""

    sheet: Sheet
    row: str
    column: Column
    text: str
    place: str
    note: str  # how the value came from what stands there
    record: tuple  # label and natural key
    digest: str
    word: CheckedCell | None = None  # the last one, be it of what the cell says now or said before

    @property
    def name(self) -> str:
        """Which cell it is, in an address or a form."""
        return f"{self.sheet.title}|{self.row}|{self.column.field}"

    @property
    def needs_place(self) -> bool:
        """Whether nobody has said where a value stands that stands somewhere."""
        is_placed = self.column.placed and bool(self.sheet.subject)
        return is_placed and not self.place and self.text not in (NR, UNREADABLE_WORD)

    @property
    def is_current(self) -> bool:
        """Whether what was last said of it is of what it says now."""
        return self.word is not None and self.word.digest == self.digest

    @property
    def agrees(self) -> bool:
        return self.is_current and self.word.agrees

    @property
    def is_wrong(self) -> bool:
        return self.is_current and not self.word.agrees

    @property
    def has_changed(self) -> bool:
        """Whether something was said of it before it changed."""
        return self.word is not None and not self.is_current

    @property
    def part(self) -> str:
        """What of its group it is of; empty for the patient, the group or the study itself."""
        numbers = self.row.split(" / ")[1:]
        noun = str(self.sheet.model._meta.verbose_name)
        if self.sheet is TOTALS:
            return f"total {self.row}"
        if self.sheet is FINDINGS:
            return f"finding {numbers[0]}"
        course = [f"course {numbers[0]}"] if numbers else []
        return ", ".join([*course, *(f"{noun} {number}" for number in numbers[1:])])

    @property
    def owner(self) -> str:
        """The record in words."""
        if self.sheet is TOTALS:
            return self.part
        head = self.row.split(" / ")[0]
        return f"{head}, {self.part}" if self.part else head

    @property
    def label(self) -> str:
        """The record and the column in words."""
        return f"{self.owner}: {self.column.header}"


@dataclass
class CheckGroup:
    """The cells of one patient, or of what belongs to none."""

    title: str
    cells: list[CellToCheck] = field(default_factory=list)


@dataclass(frozen=True)
class Progress:
    """How far the values of a study have been compared with the source."""

    total: int
    agreed: int
    wrong: int

    @property
    def open(self) -> int:
        return self.total - self.agreed - self.wrong

    @property
    def is_complete(self) -> bool:
        return self.agreed == self.total


def groups_to_check(draft: StudyDraft) -> list[CheckGroup]:
    """Every cell of a draft's newest version that says something, by patient, in the order in which
    a paper tells it.
    """
    cells = DocumentCells(draft.collection, draft.slug, content_of(draft.head))
    words, below = last_words(draft), rows_by_owner(cells)
    groups = [CheckGroup("The study")]
    add_rows(groups[0], cells, words, [(STUDIES, row) for row in cells.rows(STUDIES)])
    for patient in cells.rows(PATIENTS):
        groups.append(CheckGroup(patient))
        add_rows(groups[-1], cells, words, rows_under(below, PATIENTS, patient))
    for group in cells.rows(GROUPS):
        groups.append(CheckGroup(f"Group {group}"))
        add_rows(groups[-1], cells, words, rows_under(below, GROUPS, group))
    groups.append(CheckGroup("The paper’s own totals"))
    add_rows(groups[-1], cells, words, [(TOTALS, row) for row in cells.rows(TOTALS)])
    return [group for group in groups if group.cells]


RowsByOwner = dict[tuple[str, str], list[tuple[Sheet, str]]]


def rows_by_owner(cells: DocumentCells) -> RowsByOwner:
    """The rows that belong to each row of another sheet, in the order of the sheets."""
    below: RowsByOwner = defaultdict(list)
    for sheet in SHEETS:
        if sheet.title in OWNER:
            for row in cells.rows(sheet):
                below[OWNER[sheet.title].title, row.rpartition(" / ")[0]].append((sheet, row))
    return below


def rows_under(below: RowsByOwner, sheet: Sheet, row: str) -> Iterator[tuple[Sheet, str]]:
    """A row, and those that belong to it, each followed by its own."""
    yield sheet, row
    for other in below.get((sheet.title, row), ()):
        yield from rows_under(below, *other)


def add_rows(
    group: CheckGroup, cells: DocumentCells, words: dict, rows: Iterable[tuple[Sheet, str]]
) -> None:
    for sheet, row in rows:
        said_by_list = {
            column.completeness
            for column in cell_columns(sheet)
            if column.completeness and cells.text(sheet, row, column.field) in STATE_WORDS
        }  # that there is none, or nothing is said, is one statement, not two
        for column in cell_columns(sheet):
            if column.field in said_by_list:
                continue
            if cell := cell_to_check(cells, words, sheet, row, column):
                group.cells.append(cell)


def cell_to_check(
    cells: DocumentCells, words: dict, sheet: Sheet, row: str, column: Column
) -> CellToCheck | None:
    """One cell; None where it is untouched."""
    text = cells.text(sheet, row, column.field)
    if not text:
        return None
    record = cells.key(sheet, row)
    place = cells.place_record(sheet, row, column.field) if sheet.subject else {}
    method = Method(place.get("method", Method.STATED))
    note = "" if method == Method.STATED else f"{method.label}. {place.get('note', '')}".strip()
    digest = cells.digest(sheet, row, column.field)
    word = words.get((record, column.field))
    return CellToCheck(
        sheet, row, column, text, place.get("locator", ""), note, record, digest, word
    )


def last_words(draft: StudyDraft) -> dict[tuple[tuple, str], CheckedCell]:
    """What was last said of each cell, by the record and the column. Not by authors: what somebody
    said who has written a version since counts no more.
    """
    authors = set(versions_to_check(draft).values_list("author_name", flat=True)) - {""}
    said = CheckedCell.objects.filter(version__draft=draft).order_by("pk")
    return {
        ((one.record, *one.key), one.field): one for one in said if one.user_name not in authors
    }


def progress_of(groups: Iterable[CheckGroup]) -> Progress:
    """How many values there are, and what was said of them."""
    cells = [cell for group in groups for cell in group.cells]
    return Progress(
        len(cells), sum(cell.agrees for cell in cells), sum(cell.is_wrong for cell in cells)
    )


def remarks_of(groups: Iterable[CheckGroup]) -> str:
    """What is wrong, a line for each value, as it is sent back."""
    return "\n".join(
        f"{cell.label}, “{cell.text}”: {cell.word.remark}"
        for group in groups
        for cell in group.cells
        if cell.is_wrong
    )


def say_of_cell(
    draft: StudyDraft, name: str, *, number: int, agrees: bool, remark: str, user
) -> CheckedCell:
    """Keeps what a second person says of one cell of the version `number`, which they saw.

    Raises ValidationError for an author, for a cell that said nothing there, and for one that is
    wrong for no reason.
    """
    remark = remark.strip()
    if is_author(user, draft):
        raise ValidationError(AUTHOR_SIGNS)
    if not agrees and not remark:
        raise ValidationError(SAY_WHY)
    version = draft.versions.filter(number=number).first()
    cell = cell_named(draft, version, name) if version else None
    if cell is None:
        raise ValidationError(NO_SUCH_VALUE.format(number))
    return CheckedCell.objects.create(
        version=version,
        record=cell.record[0],
        key=list(cell.record[1:]),
        field=cell.column.field,
        digest=cell.digest,
        agrees=agrees,
        remark="" if agrees else remark,
        **said_by(user),
    )


def said_by(user) -> dict:
    """Who says something, and when."""
    return {"user": user, "user_name": user.get_username(), "at": timezone.now()}


def cell_named(draft: StudyDraft, version, name: str) -> CellToCheck | None:
    """The cell of a version that `CellToCheck.name` names; None where there is none."""
    title, _, rest = name.partition("|")
    row, _, column = rest.rpartition("|")
    sheet = next((one for one in SHEETS if one.title == title), None)
    if sheet is None or column not in {one.field for one in cell_columns(sheet)}:
        return None
    cells = DocumentCells(draft.collection, draft.slug, content_of(version))
    if not cells.has(sheet, row):
        return None
    return cell_to_check(cells, {}, sheet, row, sheet.column(column))


def sign_checked(
    draft: StudyDraft, *, based_on: int, user, although_not_all: bool = False
) -> Signature:
    """Signs a draft's newest version as checked; the signature says how many values were agreed one
    by one. Raises Conflict and ValidationError as `sign` does, and where values are marked as
    wrong, or not all were compared and nothing says that this is known.
    """
    with transaction.atomic():
        held = held_at(draft, based_on)
        if reason := why_not(held, Meaning.CHECKED, user):
            raise ValidationError(reason)
        progress = progress_of(groups_to_check(held))
        if progress.wrong:
            raise ValidationError(STILL_WRONG.format(count_of_values(progress.wrong)))
        if not progress.is_complete and not although_not_all:
            raise ValidationError(NOT_ALL.format(progress.open, progress.total))
        remark = f"{progress.agreed} of {progress.total} values agreed one by one."
        return sign(draft, Meaning.CHECKED, based_on=based_on, user=user, remark=remark)


def count_of_values(count: int) -> str:
    return "1 value is" if count == 1 else f"{count} values are"

"""The grids of a study in work: what stands in their cells, what is wrong, and what is entered.

A grid is a sheet of the workbook on a page. Everything that is checked in an import is checked here
by the same rules, of the whole study.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import transaction

from ...models import Collection, StudyDraft, StudyVersion
from ...models.choices import Ascertainment
from ..documents import Document
from ..drafts import Author, content_of, save_draft
from .cells import NAMED_BY, OWNER, DocumentCells, Edit, RowError, cell_columns
from .in_work import InWork
from .linking import Linker
from .record_rules import RecordRules
from .rows import Findings, Header, read_row
from .sheets import COURSES, EVENTS, GROUPS, OUTCOME_ROWS, SHEETS, STUDIES, Column, Sheet
from .values import CellError, CellReader


@dataclass(frozen=True)
class GridFault:
    """Something wrong with a cell of a grid, or, where `field` is empty, with a row."""

    sheet: str
    row: str
    field: str
    problem: str
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clash:
    """A cell that somebody else has changed meanwhile: what stands there, and what was entered."""

    row: str
    field: str
    theirs: str
    ours: str


@dataclass
class Entered:
    """What became of what somebody entered. Cells with an error or a clash are as they were."""

    version: StudyVersion | None = None
    errors: list[tuple[Edit, CellError]] = field(default_factory=list)
    clashes: list[Clash] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)  # rows whose name was taken
    refused: list[str] = field(default_factory=list)  # rows there cannot be, in sentences
    conversions: list[tuple[Edit, str]] = field(default_factory=list)


class HeldDocument(InWork):
    """What a collection holds, with one study as its newest document says."""

    def __init__(self, collection: Collection, slug: str, held: Document):
        super().__init__(collection)
        self.slug, self.own = slug, held

    def document(self, slug: str) -> Document:
        return self.own if slug == self.slug else super().document(slug)


class Grid:
    """One sheet as a grid."""

    def __init__(self, sheet: Sheet):
        self.sheet = sheet

    def columns(self, cells: DocumentCells) -> tuple[Column, ...]:
        return cell_columns(self.sheet)

    def rows(self, cells: DocumentCells) -> list[str]:
        """The rows there are, and the first one of each owner that may have one and has none."""
        rows = cells.rows(self.sheet)
        if self.sheet.title not in OWNER:
            return rows
        owners = cells.rows(OWNER[self.sheet.title])
        taken = {row.rpartition(" / ")[0] for row in rows}
        offered = [
            f"{one} / 1" for one in owners if one not in taken and self.is_offered(cells, one)
        ]
        order = {owner: place for place, owner in enumerate(owners)}

        def place(row: str) -> tuple[int, int]:
            owner, _, number = row.rpartition(" / ")
            return order.get(owner, -1), int(number)

        return sorted([*rows, *offered], key=place)

    def is_offered(self, cells: DocumentCells, owner: str) -> bool:
        """Whether the owner of rows may have one; nothing speaks against it."""
        if self.sheet is OUTCOME_ROWS:
            return not cells.text(COURSES, owner, "outcomes")
        if self.sheet is EVENTS:
            record = cells.records[cells.key(COURSES, owner)]
            return record["fields"].get("adverse_events") == Ascertainment.EVENTS
        return True

    def text(self, cells: DocumentCells, row: str, name: str) -> str:
        return cells.text(self.sheet, row, name)

    def place(self, cells: DocumentCells, row: str, name: str) -> str:
        return cells.place(self.sheet, row, name)

    def write(self, cells: DocumentCells, row: str, name: str, text: str, place: str):
        """As `DocumentCells.write`."""
        return cells.write(self.sheet, row, name, text, place)


def faults_of(cells: DocumentCells, document: Document) -> list[GridFault]:
    """Everything that is wrong with a study as it stands, in the order of the sheets."""
    said, rows, names = Findings(), {}, {}
    for sheet in SHEETS:
        header = Header(sheet, tuple(column.header for column in sheet.columns), said)
        columns, rows[sheet.title] = cell_columns(sheet), []
        for number, name in enumerate(cells.rows(sheet), start=1):
            record = cells.records[cells.key(sheet, name)]
            raw = naming_cells(sheet, cells.slug, name)
            for column in columns:
                if text := cells.text_of(record, column, name):
                    raw[column.field] = text
            names[sheet.title, number] = name
            rows[sheet.title].append(read_row(sheet, number, raw, header, cells.reader, said))
    in_work = HeldDocument(cells.collection, cells.slug, document)
    linked = Linker(cells.collection, in_work, said).link(rows)
    RecordRules(linked, in_work, said, cells.reader).check()
    fields = {
        (sheet.title, column.header): column.field
        for sheet in SHEETS
        for column in cell_columns(sheet)
    }
    return [
        GridFault(
            fault.sheet,
            names.get((fault.sheet, fault.row), ""),
            fields.get((fault.sheet, fault.column), ""),
            fault.problem,
            fault.nearest,
        )
        for fault in dict.fromkeys(said.faults)
    ]


def naming_cells(sheet: Sheet, slug: str, row: str) -> dict[str, str]:
    """What the columns that name a record would say in a workbook."""
    parts = dict(zip(NAMED_BY[sheet.title], row.split(" / "), strict=True))
    return (
        parts
        if sheet is STUDIES
        else parts | {"study": slug}
        if "study" in sheet.by_field
        else parts
    )


def enter(
    draft: StudyDraft,
    grid: Grid,
    edits: Iterable[Edit],
    *,
    based_on: int | None,
    author: Author,
    place: str = "",
    new_rows: Iterable[str] = (),
    removed: Iterable[str] = (),
    message: str = "",
) -> Entered:
    """Writes what somebody entered into the newest version of a draft, cell by cell.

    `based_on` is the version that was worked on. A cell that somebody else has changed since keeps
    theirs and is told of as a clash; one that cannot be read is as it was and told of as an error.
    `new_rows` are names that did not exist: one that is taken meanwhile gets the next number.
    Raises ValidationError where the whole is no document of this study.
    """
    edits, entered = list(edits), Entered()
    with transaction.atomic():
        StudyDraft.objects.select_for_update().get(pk=draft.pk)
        held = StudyDraft.objects.select_related("collection", "head").get(pk=draft.pk)
        head, reader = held.head, CellReader()
        now = DocumentCells(held.collection, held.slug, content_of(head), reader)
        then = None
        if (head.number if head else None) != based_on:
            known = held.versions.filter(number=based_on).first()
            if known is None and based_on is not None:
                raise ValidationError(f"There is no version {based_on} of this study.")
            then = Earlier(grid, held, content_of(known), reader)
            then.rename_taken(now, edits, new_rows, entered)
        for row in removed:
            try:
                now.remove(grid.sheet, row)
            except RowError as error:
                entered.refused.append(str(error))
        rows = {*grid.rows(now), *(entered.renamed.get(row, row) for row in new_rows)}
        later = []  # cells that may be right once the others are entered
        for edit in edits:
            try:
                enter_cell(grid, now, then, rows, edit, place, entered)
            except CellError:
                later.append(edit)
        for edit in later:
            try:
                enter_cell(grid, now, then, rows, edit, place, entered)
            except CellError as error:
                row = entered.renamed.get(edit.row, edit.row)
                entered.errors.append((Edit(row, edit.field, edit.text), error))
        entered.version = save_draft(
            held,
            now.document(),
            based_on=head.number if head else None,
            author=author,
            message=message,
        )
    draft.head = entered.version
    return entered


def enter_cell(
    grid: Grid,
    now: DocumentCells,
    then: "Earlier | None",
    rows: set[str],
    edit: Edit,
    place: str,
    entered: Entered,
) -> None:
    """Writes one cell. Raises CellError where it cannot be, as it stands now."""
    row = entered.renamed.get(edit.row, edit.row)
    one = Edit(row, edit.field, edit.text)
    try:
        if then is not None and then.is_gone(now, row):
            entered.refused.append(f"“{edit.text}” is not entered: {row} was taken away meanwhile.")
            return
        if then is not None and (clash := then.clash(now, one)):
            entered.clashes.append(clash)
            return
        if row not in rows:
            raise RowError(f"There is no row “{row}” here.")
        reading = grid.write(now, row, edit.field, edit.text, place)
    except RowError as error:
        if str(error) not in entered.refused:
            entered.refused.append(str(error))
        return
    if reading is not None and reading.became:
        entered.conversions.append((one, reading.became))


class Earlier:
    """The version somebody worked on, where another has been written since."""

    def __init__(self, grid: Grid, draft: StudyDraft, content: Document, reader: CellReader):
        self.grid, self.draft, self.reader = grid, draft, reader
        self.cells = self.cells_of(content)

    def cells_of(self, content: Document) -> DocumentCells:
        return DocumentCells(self.draft.collection, self.draft.slug, content, self.reader)

    def is_gone(self, now: DocumentCells, row: str) -> bool:
        """Whether somebody else has taken a row away meanwhile."""
        return self.cells.has(self.grid.sheet, row) and not now.has(self.grid.sheet, row)

    def clash(self, now: DocumentCells, edit: Edit) -> Clash | None:
        """Whether somebody else has written something else into a cell meanwhile."""
        there = self.grid.text(now, edit.row, edit.field)
        if there == self.grid.text(self.cells, edit.row, edit.field) or self.says(now, edit):
            return None
        return Clash(edit.row, edit.field, there, edit.text)

    def says(self, now: DocumentCells, edit: Edit) -> bool:
        """Whether a cell says already what is to be entered."""
        there = self.grid.text(now, edit.row, edit.field)
        if there == edit.text:
            return True
        tried = self.cells_of(now.document())
        try:
            self.grid.write(tried, edit.row, edit.field, edit.text, "")
        except (CellError, RowError):
            return False
        return self.grid.text(tried, edit.row, edit.field) == there

    def rename_taken(
        self, now: DocumentCells, edits: list[Edit], new_rows: Iterable[str], entered: Entered
    ) -> None:
        """Gives new rows another number where somebody else has made a row of that name meanwhile.
        One that says just what is entered is the same: it was saved, and the answer was lost.
        """
        sheet = self.grid.sheet
        for row in new_rows:
            if sheet is GROUPS or not now.has(sheet, row) or self.cells.has(sheet, row):
                continue
            own = [edit for edit in edits if edit.row == row]
            if all(self.says(now, edit) for edit in own):
                continue
            name = now.next_row(sheet, row.rpartition(" / ")[0])
            now.add(sheet, name)
            entered.renamed[row] = name

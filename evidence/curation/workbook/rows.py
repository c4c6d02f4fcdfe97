"""From the cells of a sheet to rows of values: headers, cells, lists and what they say of
themselves.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ...models.spellings import fold_spelling
from .opening import OpenedFile, OpenedSheet
from .sheets import OWN_SHEETS, PLACE, SHEETS, Column, Kind, Sheet
from .terms import Spellings
from .values import CellError, CellReader, RawValue, is_blank, shown

SHOWN_ROWS = 500  # how often progress is told


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: where, what stands there, why, and what may be meant.

    `row` counts as the spreadsheet does, its header being 1; None where the whole sheet is meant.
    """

    sheet: str
    row: int | None
    column: str
    value: str
    problem: str
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conversion:
    """A cell that is not kept as it was written."""

    sheet: str
    row: int
    column: str
    value: str
    became: str


@dataclass(slots=True, eq=False)
class Row:
    """One row: its values and states by field. `faulty` are fields that a fault is told of, so that
    no rule asks about them. `converted` says from which unit a value comes.
    """

    sheet: Sheet
    number: int
    raw: dict[str, RawValue]
    values: dict[str, object]
    states: dict[str, str]
    faulty: set[str]
    converted: dict[str, str]
    place: str = ""

    def text(self, name: str) -> str:
        """What stands in the cell of a field."""
        return shown(self.raw.get(name))


@dataclass
class Findings:
    """What is said of the workbook while it is read."""

    faults: list[Fault] = field(default_factory=list)
    conversions: list[Conversion] = field(default_factory=list)
    absent: set[str] = field(default_factory=set)  # sheets of which the records are not known

    def fault(self, row: Row, name: str, problem: str, nearest: tuple[str, ...] = ()) -> None:
        """Something wrong with the cell of a field."""
        row.faulty.add(name)
        column = row.sheet.column(name)
        self.faults.append(
            Fault(row.sheet.title, row.number, column.header, row.text(name), problem, nearest)
        )


def find_sheets(opened: OpenedFile, findings: Findings) -> dict[str, OpenedSheet]:
    """The sheets by our titles. Says which are missing, unknown, or there twice."""
    titles = {fold_spelling(sheet.title): sheet.title for sheet in SHEETS}
    named = {title: title for title in titles.values()}
    spelled = Spellings(list(named.items()), labels=named, offered=named)
    found: dict[str, OpenedSheet] = {}
    meant: set[str] = set()
    for sheet in opened.sheets:
        title = titles.get(fold_spelling(sheet.title))
        if title in found:
            findings.faults.append(Fault(sheet.title, None, "", "", "This sheet stands twice."))
        elif title:
            found[title] = sheet
        elif fold_spelling(sheet.title) not in map(fold_spelling, OWN_SHEETS):
            nearest = spelled.nearest(sheet.title)
            meant.update(nearest[:1])
            problem = "A workbook has no such sheet. Delete it, or give it the name it should have."
            findings.faults.append(Fault(sheet.title, None, "", "", problem, nearest))
    for sheet in SHEETS:
        if sheet.title not in found:
            findings.absent.add(sheet.title)
        if sheet.title not in found and sheet.title not in meant and not sheet.is_optional:
            problem = "This sheet is missing. Leave a sheet empty instead of deleting it."
            findings.faults.append(Fault(sheet.title, None, "", "", problem))
    return found


def read_rows(
    sheet: Sheet,
    opened: OpenedSheet,
    reader: CellReader,
    findings: Findings,
    progress: Callable[[str, int], None],
) -> Iterator[Row]:
    """The rows of a sheet that have anything in them. A sheet that cannot say which records its
    rows are counts among those that are not there.
    """
    lines = opened.rows()
    header = Header(sheet, next(lines, ()), findings)
    if any(column.required and column.field not in header.has for column in sheet.columns[:2]):
        findings.absent.add(sheet.title)
    for number, cells in enumerate(lines, start=2):
        if number % SHOWN_ROWS == 0:
            progress(sheet.title, number)
        raw = header.cells(number, cells)
        if raw:
            yield read_row(sheet, number, raw, header, reader, findings)


class Header:
    """Which column stands where in a sheet."""

    def __init__(self, sheet: Sheet, cells: tuple[RawValue, ...], findings: Findings):
        self.sheet, self.findings = sheet, findings
        self.columns: dict[int, Column] = {}
        self.unnamed: set[int] = set()
        self.unknown: set[int] = set()
        headers = {column.field: column.header for column in sheet.columns}
        names = Spellings(
            [(column.header, column.field) for column in sheet.columns],
            [(name, column.field) for column in sheet.columns for name in column.names],
            labels=headers,
            offered=headers,
        )
        places: dict[str, int] = {}
        meant: set[str] = set()
        for index, cell in enumerate(cells):
            text = shown(cell).strip()
            if not text:
                continue
            name = names.find(text)
            if name is None:
                self.unknown.add(index)
                nearest = names.nearest(text)
                meant.update(nearest[:1])
                self.say(text, f"The sheet {sheet.title} has no such column.", nearest)
            elif name in places:
                self.unknown.add(index)
                self.say(text, f"This column stands twice: as column {places[name] + 1} too.")
            else:
                places[name] = index
                self.columns[index] = sheet.column(name)
        self.has = frozenset(places)
        for column in sheet.columns:
            lacking = column.required and column.field not in places
            if lacking and column.header not in meant:
                self.say(column.header, "This column is missing.", value="")

    def say(self, header: str, problem: str, nearest: tuple[str, ...] = (), *, value=None) -> None:
        value = header if value is None else value
        self.findings.faults.append(Fault(self.sheet.title, 1, header, value, problem, nearest))

    def cells(self, number: int, cells: tuple[RawValue, ...]) -> dict[str, RawValue]:
        """What stands in a row, by field. Says once of each column without a header that a value
        stands in it.
        """
        raw = {}
        for index, cell in enumerate(cells):
            if cell is None or is_blank(cell):
                continue
            column = self.columns.get(index)
            if column is not None:
                raw[column.field] = cell
            elif index not in self.unknown:
                self.unknown.add(index)
                self.findings.faults.append(
                    Fault(
                        self.sheet.title,
                        number,
                        "",
                        shown(cell),
                        "This value stands in a column without a header.",
                    )
                )
        return raw


def read_row(
    sheet: Sheet,
    number: int,
    raw: dict[str, RawValue],
    header: Header,
    reader: CellReader,
    findings: Findings,
) -> Row:
    row = Row(sheet, number, raw, {}, {}, set(), {})
    none_lists = []
    for column in sheet.columns:
        name = column.field
        if name not in raw:
            if column.required:
                if name in header.has:
                    findings.fault(row, name, "This cell needs a value.")
                row.faulty.add(name)  # of a column that is missing it is said once
            continue
        try:
            reading = reader.read(sheet, column, raw[name])
        except CellError as error:
            findings.fault(row, name, error.problem, error.nearest)
            continue
        if reading is None:
            continue
        if reading.became:
            findings.conversions.append(
                Conversion(sheet.title, number, column.header, row.text(name), reading.became)
            )
        if reading.from_unit:
            row.converted[name] = reading.from_unit
        if reading.state:
            row.states[name] = reading.state
        elif reading.is_none:
            none_lists.append(column)
        elif name == PLACE:
            row.place = reading.value
        else:
            row.values[name] = reading.value
    settle_lists(row, none_lists, findings)
    return row


def settle_lists(row: Row, none_lists: list[Column], findings: Findings) -> None:
    """What is said of a whole list is said of how complete it is. Where both cells speak of it,
    they have to agree.
    """
    for column in none_lists:
        stated = row.values.setdefault(column.completeness, "none")
        if column.completeness in row.states or stated != "none":
            disagree(row, column, "none", findings)
    for column in row.sheet.columns:
        if column.kind not in (Kind.TERMS, Kind.PRESENT) or not column.completeness:
            continue
        state = row.states.pop(column.field, None)
        if state is None:
            continue
        if row.states.get(column.completeness, state) != state or (
            column.completeness in row.values
        ):
            disagree(row, column, row.text(column.field), findings)
        row.states[column.completeness] = state


def disagree(row: Row, column: Column, said: str, findings: Findings) -> None:
    if column.completeness not in row.faulty:
        problem = f"“{column.header}” says {said}; the two have to agree."
        findings.fault(row, column.completeness, problem)

"""Outcomes as a table of courses by measure and month, as papers print them."""

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from functools import cached_property

from ...models import Measure
from .cells import DocumentCells, RowError
from .grid import Grid
from .records import written
from .sheets import COURSES, OUTCOME_ROWS, Column
from .values import CellError, Reading

BASELINE, AT = "baseline", "@"
KINDS = {"followup": "", "result": "result"}


class OutcomeGrid(Grid):
    """A row per course; of each measure a column for the baseline and, for each month, one for the
    value and one for the result.

    `wanted` are codes of measures and months to enter, beside those the study has already.
    """

    def __init__(self, wanted: tuple[str, ...] = (), months: tuple[Decimal, ...] = ()):
        super().__init__(COURSES)
        self.wanted, self.months = wanted, months
        self.index: dict[tuple, list[tuple]] | None = None

    @cached_property
    def measures(self) -> dict[str, Measure]:
        return {measure.code: measure for measure in Measure.objects.all()}

    def columns(self, cells: DocumentCells) -> tuple[Column, ...]:
        labels = cells.reader.spellings_of(Measure).labels
        columns = []
        for code, months in self.measured(cells).items():
            columns.append(column_of(labels, code, BASELINE, None))
            for month in sorted(months):
                columns += [column_of(labels, code, name, month) for name in KINDS]
        return tuple(columns)

    def measured(self, cells: DocumentCells) -> dict[str, set[Decimal]]:
        """The measures of the grid, each with its months."""
        found: dict[str, set[Decimal]] = {}
        for record in outcomes(cells):
            fields = record["fields"]
            if fields.get("measure"):
                months = found.setdefault(fields["measure"][0], set())
                if (month := month_of(fields)) is not None:
                    months.add(month)
        for code in self.wanted:
            found.setdefault(code, set()).update(self.months)
        return found

    def rows(self, cells: DocumentCells) -> list[str]:
        return cells.rows(COURSES)

    def text(self, cells: DocumentCells, row: str, name: str) -> str:
        code, field, month = parts_of(name)
        found = self.found(cells, row, code, month, field)
        if not found:
            return ""
        text = cells.text(OUTCOME_ROWS, found[0], field)
        if not text and field == "followup":
            text = cells.text(OUTCOME_ROWS, found[0], "followup_text")
        return text

    def place(self, cells: DocumentCells, row: str, name: str) -> str:
        code, field, month = parts_of(name)
        found = self.found(cells, row, code, month, field)
        return cells.place(OUTCOME_ROWS, found[0], field) if found else ""

    def found(
        self, cells: DocumentCells, row: str, code: str, month: Decimal | None, field: str
    ) -> list[str]:
        """The outcomes of a course by a measure, at a month; for the baseline those at any."""
        if self.index is None:
            self.index = defaultdict(list)
            for record in outcomes(cells):
                fields = record["fields"]
                if fields.get("measure"):
                    name = f"{fields['treatment'][0]} / {fields['treatment'][1]}"
                    self.index[id(cells), name, fields["measure"][0]].append(
                        (fields["number"], month_of(fields))
                    )
        return [
            f"{row} / {number}"
            for number, at in sorted(self.index.get((id(cells), row, code), ()), key=first)
            if field == BASELINE or at == month
        ]

    def write(
        self, cells: DocumentCells, row: str, name: str, text: str, place: str
    ) -> Reading | None:
        """Writes a value into the outcome it belongs to, which is made where there is none; an
        outcome of which nothing is left but its measure is taken away.
        """
        code, field, month = parts_of(name)
        if not cells.has(COURSES, row):
            raise RowError(f"There is no course {row} yet.")
        column = OUTCOME_ROWS.column(field)
        reading = cells.reader.read(OUTCOME_ROWS, column, text)
        found = self.found(cells, row, code, month, field)
        if not found and reading is None:
            return None
        if not found and field != BASELINE:  # one that has a baseline so far, and no month
            found = [
                one
                for one in self.found(cells, row, code, None, field)
                if not cells.text(OUTCOME_ROWS, one, "followup")
                and not cells.text(OUTCOME_ROWS, one, "followup_text")
                and not cells.text(OUTCOME_ROWS, one, "result")
            ][:1]
            if found:
                self.begin(cells, found[0], code, month, place)
        if not found:
            found = [cells.next_row(OUTCOME_ROWS, row)]
            self.begin(cells, found[0], code, month, place)
            self.copy_baseline(cells, row, code, found[0])
        for one in found if field == BASELINE else found[:1]:
            cells.write(OUTCOME_ROWS, one, field, text, place)
            if field == "followup" and cells.text(OUTCOME_ROWS, one, "followup_text"):
                cells.write(OUTCOME_ROWS, one, "followup_text", "")  # the cell showed it
        for one in found:
            self.tidy(cells, row, code, one)
        return reading

    def begin(
        self, cells: DocumentCells, name: str, code: str, month: Decimal | None, place: str
    ) -> None:
        """An outcome by a measure at a month, which stand where its value stands; domain and unit
        are the measure's own.
        """
        measure, self.index = self.measures.get(code), None
        record = cells.add(OUTCOME_ROWS, name)
        record["fields"]["measure"] = [code]
        if month is not None:
            column = OUTCOME_ROWS.column("at_months")
            record["fields"]["at_months"] = written(column, month, cells.collection.slug)
        for field in ("measure", "at_months"):
            if field in record["fields"] and not cells.place(OUTCOME_ROWS, name, field):
                reading = Reading(record["fields"][field])
                cells.write_place(OUTCOME_ROWS, name, OUTCOME_ROWS.column(field), reading, place)
        if measure and measure.domain:
            record["fields"].setdefault("domain", measure.domain)
        if measure and measure.unit:
            record["fields"].setdefault("unit", measure.unit)

    def copy_baseline(self, cells: DocumentCells, row: str, code: str, name: str) -> None:
        """The baseline of a measure is one for all its months."""
        for other in self.found(cells, row, code, None, BASELINE):
            if other != name and (text := cells.text(OUTCOME_ROWS, other, BASELINE)):
                place = cells.place(OUTCOME_ROWS, other, BASELINE)
                cells.write(OUTCOME_ROWS, name, BASELINE, text, place)
                return

    def tidy(self, cells: DocumentCells, row: str, code: str, name: str) -> None:
        """Takes an outcome away that says nothing; one that says the baseline alone is kept where
        no other does.
        """
        record = cells.records[cells.key(OUTCOME_ROWS, name)]
        said = {*record["fields"], *record["states"]} - SAYS_NOTHING
        others = [one for one in self.found(cells, row, code, None, BASELINE) if one != name]
        if not said or (said == {BASELINE} and others):
            cells.remove(OUTCOME_ROWS, name)
            self.index = None
        elif said == {BASELINE}:
            record["fields"].pop("at_months", None)
            cells.write_place(OUTCOME_ROWS, name, OUTCOME_ROWS.column("at_months"), None, "")
            self.index = None


SAYS_NOTHING = {"treatment", "number", "domain", "measure", "unit", "at_months"}


def first(pair: tuple) -> int:
    return pair[0]


def outcomes(cells: DocumentCells) -> list[dict]:
    return [one for one in cells.records.values() if one["model"] == "evidence.outcome"]


def month_of(fields: dict) -> Decimal | None:
    try:
        return Decimal(str(fields["at_months"])).normalize() + 0
    except (KeyError, ArithmeticError):
        return None


def parts_of(name: str) -> tuple[str, str, Decimal | None]:
    """The measure, the field and the month of a column. Raises CellError."""
    field, _, rest = name.partition(AT)
    month, _, code = rest.partition(AT)
    if field not in (BASELINE, *KINDS) or not code:
        raise CellError(f"There is no column {name}.")
    return code, field, Decimal(month) if month else None


def column_of(labels: dict, code: str, field: str, month: Decimal | None) -> Column:
    own = OUTCOME_ROWS.column(field)
    label = labels.get(code, code)
    kind = KINDS.get(field, "")
    when = "baseline" if month is None else f"month {month:f}"
    header = f"{label}, {when}" + (f", {kind}" if kind else "")
    short = f"{label} {'0' if month is None else f'{month:f}'} {kind}".strip()
    return replace(
        own,
        header=header,
        field=f"{field}{AT}{'' if month is None else f'{month:f}'}{AT}{code}",
        names=(short, f"{label} {when} {kind}".strip()),
    )

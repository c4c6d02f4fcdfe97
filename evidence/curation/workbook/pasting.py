"""A block of a spreadsheet, or of a table of a paper, as cells of a grid.

Headers are matched to columns by what those are called; a header that is a sign or an antibody is
read as + or –. What is not understood is said, never guessed.
"""

import csv
import re
from collections import defaultdict
from dataclasses import dataclass, field

from ...models.spellings import fold_spelling
from .cells import DocumentCells, Edit, RowError
from .grid import Grid
from .sheets import COURSES, FINDINGS, GROUPS, PATIENTS, PRESENCES, STUDIES, TOTALS, Column
from .terms import Spellings, shorter_labels
from .values import NOT_REPORTED_WORDS, SIGNS, SPELLINGS, is_blank

MOST_CELLS = 50_000
# How tables of papers head what a sheet calls otherwise.
HEADERS = {
    "label": ("case", "case no", "no", "no.", "nr.", "#", "name"),
    "sex": ("gender", "m/f", "f/m"),
    "age_years": ("age", "age, years", "age, y", "age at onset of treatment"),
    "subset": ("subset", "type", "ssc type", "form", "subtype"),
    "disease_duration_months": ("duration", "disease duration"),
    "dlco_percent": ("dlco", "dlco %", "dlco (%)"),
    "prior_therapies": ("previous therapies", "previous treatment", "prior treatment", "previous"),
    "inhibitor": ("drug", "jaki", "jak inhibitor"),
    "indications": ("indication",),
    "concomitant_therapies": ("concomitant", "concomitant treatment", "along with"),
    "duration_months": ("duration", "treatment duration"),
    "response": ("response", "outcome"),
    "category": ("adverse event", "event"),
    "manifestations_present": ("manifestations", "organ involvement", "signs"),
    "autoantibodies_present": ("autoantibodies", "antibodies", "autoantibody"),
}
NAMES_A_ROW = ("patient", "public id", "id", "patient id", "patient no", "patient no.")
NAMES_A_COURSE = ("course", "course no", "number")
ABSENT = {"-", "–", "−", "—", *SPELLINGS["no"]}
PRESENT = {*SIGNS, "yes", *SPELLINGS["yes"]}


@dataclass
class Pasted:
    """What a block says: cells, rows there were none for, and in sentences what was not taken."""

    edits: list[Edit] = field(default_factory=list)
    new_rows: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def read_block(text: str) -> list[list[str]]:
    """The cells of a block as spreadsheets copy it: rows by line, cells by tab, quotes around those
    with a line break.
    """
    lines = text.replace("\r\n", "\n").strip("\n")
    rows = list(csv.reader(lines.split("\n") if '"' not in lines else [*lined(lines)], "excel-tab"))
    return [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]


def lined(text: str) -> list[str]:
    return [f"{line}\n" for line in text.split("\n")]


def paste(grid: Grid, cells: DocumentCells, text: str, row: str = "", name: str = "") -> Pasted:
    """What a block pasted at a cell says, in a grid. `row` and `name` are those of the cell."""
    block, pasted = read_block(text), Pasted()
    if sum(map(len, block)) > MOST_CELLS:
        pasted.said.append(f"A block of more than {MOST_CELLS:,} cells is not taken.")
        return pasted
    if grid.sheet is STUDIES:
        block = [list(column) for column in zip(*padded(block), strict=True)]
    headings = Headings(grid, cells, block, name, pasted)
    rows = RowsOfBlock(grid, cells, pasted, row)
    for line in block[1 if headings.is_there else 0 :]:
        target, more = rows.next(headings.naming(line), headings.label(line))
        if target is None:
            continue
        own = dict(more)
        for index, column in headings.columns.items():
            if index < len(line) and not is_blank(line[index]):
                own[column.field] = line[index]
        headings.add_signs(own, target, line)
        pasted.edits += [Edit(target, field, value) for field, value in own.items()]
    headings.say_what_was_left()
    rows.say_what_was_left()
    return pasted


def padded(block: list[list[str]]) -> list[list[str]]:
    longest = max(map(len, block), default=0)
    return [row + [""] * (longest - len(row)) for row in block]


class Headings:
    """Which column of a block is which of the grid."""

    def __init__(self, grid: Grid, cells: DocumentCells, block, name: str, pasted: Pasted):
        self.grid, self.cells, self.pasted = grid, cells, pasted
        self.columns: dict[int, Column] = {}
        self.signs: dict[int, tuple[str, str]] = {}  # the list and the label of the term
        self.names_row = self.names_course = None
        self.left: list[str] = []
        self.doubtful: list[str] = []
        self.not_kept: dict[str, int] = defaultdict(int)
        own = grid.columns(cells)
        first = block[0] if block else []
        self.is_there = self.read(own, first)
        if not self.is_there:
            self.columns, self.signs, self.left = {}, {}, []
            self.names_row = self.names_course = None
            start = next((place for place, one in enumerate(own) if one.field == name), 0)
            width = max(map(len, block), default=0)
            self.columns = dict(enumerate(own[start : start + width]))
            if width > len(self.columns):
                count = width - len(self.columns)
                pasted.said.append(
                    f"The block is wider than the grid: its last {count} columns are not taken."
                )

    def read(self, own: tuple[Column, ...], first: list[str]) -> bool:
        """Whether the first row is one of headers; then they are known."""
        fields = {column.field: column for column in own}
        labels = {column.field: column.header for column in own}
        spelled = Spellings(
            [(column.header, column.field) for column in own],
            [(name, column.field) for column in own for name in column.names],
            [(name, column.field) for column in own for name in shorter_labels(column.header)],
            [(name, field) for field in fields for name in HEADERS.get(field, ())],
            labels=labels,
            offered=labels,
        )
        terms = {}
        if self.grid.sheet is PATIENTS:
            for name in PRESENCES:
                vocabulary = fields[f"{name}_present"].vocabulary
                terms[name] = self.cells.reader.spellings_of(vocabulary)
        known, filled = 0, [cell for cell in first if cell]
        for index, cell in enumerate(first):
            if not cell:
                continue
            found = spelled.find(cell)
            sign = next(
                (
                    (name, one.labels[one.find(cell)])
                    for name, one in terms.items()
                    if one.find(cell)
                ),
                None,
            )
            folded = fold_spelling(cell)
            if folded in map(fold_spelling, NAMES_A_ROW) and self.grid.sheet not in (STUDIES,):
                self.names_row, known = index, known + 1
            elif folded in map(fold_spelling, NAMES_A_COURSE) and self.grid.sheet is not PATIENTS:
                self.names_course, known = index, known + 1
            elif found and fields[found] not in self.columns.values():
                self.columns[index], known = fields[found], known + 1
            elif sign:
                self.signs[index], known = sign, known + 1
            else:
                self.left.append(cell)
        return known >= 2 or (known and known * 2 >= len(filled))

    def naming(self, line: list[str]) -> tuple[str, str]:
        """What a row says of which patient, group or course it is."""
        return tuple(
            line[index] if index is not None and index < len(line) else ""
            for index in (self.names_row, self.names_course)
        )

    def label(self, line: list[str]) -> str:
        """What a row calls its patient, as the source does."""
        for index, column in self.columns.items() if self.is_there else ():
            if column.field == "label" and self.grid.sheet is PATIENTS and index < len(line):
                return line[index]
        return ""

    def add_signs(self, own: dict[str, str], row: str, line: list[str]) -> None:
        """Signs of a row into the lists of what was found and what was not."""
        for index, (name, label) in self.signs.items():
            text = line[index] if index < len(line) else ""
            if not text:
                continue
            if text.casefold() in NOT_REPORTED_WORDS:
                self.not_kept[label] += 1
                continue
            status = (
                "present"
                if text.casefold() in PRESENT
                else "absent"
                if text.casefold() in ABSENT
                else ""
            )
            if not status:
                self.doubtful.append(f"{row}, {label}: “{text}” is neither + nor –.")
                continue
            field = f"{name}_{status}"
            other = f"{name}_{'absent' if status == 'present' else 'present'}"
            for one in (field, other):
                if one not in own and self.cells.has(PATIENTS, row):
                    own[one] = self.cells.text(PATIENTS, row, one)
            terms = [part.strip() for part in own.get(field, "").split(";")]
            terms = [one for one in terms if one and one not in ("NR", "none", "unreadable", label)]
            own[field] = "; ".join([*terms, label])
            rest = [part.strip() for part in own.get(other, "").split(";")]
            if label in rest:
                own[other] = "; ".join(one for one in rest if one != label)

    def say_what_was_left(self) -> None:
        for header in self.left:
            self.pasted.said.append(f"There is no column “{header}” here: it is not taken.")
        for label, count in self.not_kept.items():
            self.pasted.said.append(
                f"{label}: NR of a single sign is not kept ({count} of them); a sign that is in no "
                "list is not known."
            )
        self.pasted.said += self.doubtful


class RowsOfBlock:
    """Which row of the grid each row of a block is."""

    def __init__(self, grid: Grid, cells: DocumentCells, pasted: Pasted, row: str):
        self.grid, self.cells, self.pasted = grid, cells, pasted
        self.rows = grid.rows(cells)
        start = self.rows.index(row) if row in self.rows else len(self.rows)
        if row == "" and grid.sheet is not PATIENTS:
            start = 0
        self.left = iter(self.rows[start:])
        self.by_label = {}
        for patient in cells.rows(PATIENTS):
            if label := fold_spelling(cells.text(PATIENTS, patient, "label")):
                self.by_label.setdefault(label, patient)
        self.trial = DocumentCells(cells.collection, cells.slug, cells.document(), cells.reader)
        self.unknown: list[str] = []
        self.beyond = 0

    def next(self, named: tuple[str, str], label: str) -> tuple[str | None, dict[str, str]]:
        """The row, and cells that follow from how it is named; no row where there is none."""
        sheet = self.grid.sheet
        name, course = ("", "") if sheet is TOTALS else named
        if label and not name:
            known = self.by_label.get(fold_spelling(label))
            return known or self.without_label() or self.begin(""), {}
        if not name:
            row = next(self.left, None)
            if row is not None:
                return row, {}
            if sheet in (PATIENTS, TOTALS):
                return self.begin(""), {}
            self.beyond += 1
            return None, {}
        if sheet is PATIENTS:
            known = self.patient(name)
            if known:
                return known, {}
            return self.begin(""), {"label": name}
        if sheet is GROUPS:
            return self.begin(name) if name not in self.rows else name, {}
        owner = name if sheet is FINDINGS else self.patient(name)
        if owner is None:
            self.unknown.append(name)
            return None, {}
        if sheet is FINDINGS:
            return self.begin(owner), {}
        number = re.sub(r"\D", "", course) or "1"
        row = f"{owner} / {number}"
        if sheet is COURSES:
            if row in self.rows:
                return row, {}
            if type(self.grid) is Grid and number == "1":
                return row, {}
            if type(self.grid) is Grid and self.trial.has(COURSES, f"{owner} / {int(number) - 1}"):
                return self.begin(owner), {}
            self.unknown.append(row)
            return None, {}
        return self.begin(row), {}

    def without_label(self) -> str | None:
        """The next row in which no patient stands yet."""
        return next((row for row in self.left if not self.cells.text(PATIENTS, row, "label")), None)

    def patient(self, name: str) -> str | None:
        """The patient with an id, with a label, or with a number at the end of the id."""
        if self.trial.has(PATIENTS, name):
            return name
        return self.by_label.get(fold_spelling(name))

    def begin(self, owner: str) -> str | None:
        try:
            row = self.trial.next_row(self.grid.sheet, owner)
        except RowError as error:
            self.unknown.append(str(error))
            return None
        self.trial.add(self.grid.sheet, row)
        self.pasted.new_rows.append(row)
        return row

    def say_what_was_left(self) -> None:
        for name in dict.fromkeys(self.unknown):
            self.pasted.said.append(f"“{name}” is none of this study: its row is not taken.")
        if self.beyond:
            self.pasted.said.append(
                f"{self.beyond} rows more than the grid has are not taken. Name the patients in a "
                "column “patient”, or add rows first."
            )

"""Rows of a list as the lines of a file: batches, flat memory, formulas made inert, UTF-8 that
Excel opens.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from itertools import repeat
from unicodedata import category, normalize

from django.db.models import QuerySet

from ..models import Collection, ReleasedCollection
from ..models.choices import Missing
from ..models.consistency import consistent_read
from ..questions.question import Question
from ..tables import Batch, Column, Table, read_batches
from ..tables.column import map_values
from .release_status import ReleaseStatus, release_status

BYTE_ORDER_MARK = "\ufeff"  # without it Excel reads UTF-8 as something else
# Signs that can make a spreadsheet take a text for a formula or a command, in any width.
FORMULA_SIGNS = frozenset("=+-@|%\N{MINUS SIGN}")
NUMBER = re.compile(r"-?[0-9.,]+")
# what a cell of a file says that holds no value
MISSING = ("", *Missing.labels)
# Hangul fillers and the empty Braille cell.
BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def evidence_kind(collection: Collection | ReleasedCollection) -> str:
    """What kind of records these are; simulated ones carry their caveat on every row."""
    return collection.caveat if collection.is_simulated else collection.kind


def cell_text(column: Column, values: Sequence, reasons: Sequence[str]) -> list:
    """A column as a file holds it. A missing text says why; a missing number is empty, and
    `empty_means` says why.
    """
    if column.numeric:
        return list(values)
    values = map_values(values, lambda value: value and escape_formula(value))
    if column.tells_missing:
        return [
            reason if value is None else value
            for value, reason in zip(values, reasons, strict=True)
        ]
    return values


def escape_formula(value: str) -> str:
    """A text no spreadsheet takes for a formula: an apostrophe stands before one that could be.

    A text could be a formula if its first printing character is a sign, whatever invisible
    characters and apostrophes come before it: programs differ in what they skip. A plain number
    such as -13 stays.
    The same holds behind each semicolon. To read a text back, apply the same test and take one
    apostrophe off.
    """
    first = value[:1]
    if not (first.isascii() and first.isalnum()) and could_be_formula(value):
        value = f"'{value}"
    # A spreadsheet that separates by semicolons makes a cell of what stands behind one.
    if ";" in value:
        head, *cells = value.split(";")
        inert = [f"'{cell}" if could_be_formula(cell.strip()) else cell for cell in cells]
        value = ";".join([head, *inert])
    return value


def unescape_formula(value: str) -> str:
    """The text that `escape_formula` was given."""
    head, *cells = value.split(";")
    plain = [cell.removeprefix("'") if could_be_formula(cell.strip()) else cell for cell in cells]
    value = ";".join([head, *plain])
    return value.removeprefix("'") if could_be_formula(value) else value


def could_be_formula(value: str) -> bool:
    """Whether a spreadsheet could take this text for a formula or a command."""
    if NUMBER.fullmatch(value):
        return False
    printing = next((letter for letter in value if letter != "'" and not is_invisible(letter)), "")
    return normalize("NFKC", printing)[:1] in FORMULA_SIGNS


def is_invisible(letter: str) -> bool:
    """Whether a character prints nothing of its own: a space, a control character, a mark."""
    return category(letter)[0] in "ZCM" or letter in BLANK_LETTERS


class CsvLines:
    """Rows as the text of a file of separated values."""

    def __init__(self, separator: str = ","):
        self.text = StringIO()
        self.writer = csv.writer(self.text, delimiter=separator)

    def as_text(self, rows) -> str:
        self.writer.writerows(rows)
        text = self.text.getvalue()
        self.text.seek(0)
        self.text.truncate()
        return text


Same = dict[str, str]  # what is the same on every row of a file: its column, its value


def constant_columns(question: Question, status: ReleaseStatus | None = None) -> Same:
    """The collection and its kind, and for a file that stands alone the release."""
    collection = question.collection
    constants = {
        "collection": collection.slug,
        "evidence_kind": escape_formula(evidence_kind(collection)),
    }
    return constants | ({"release": status.label} if status else {})


def column_names(table: Table, constants: Same) -> list[str]:
    """The names of a file's columns, what every file has besides included."""
    return [*(column.name for column in table.file_columns), "empty_means", *constants]


def row_batches(
    table: Table,
    records: QuerySet,
    question: Question,
    constants: Same,
    cells: Callable[[Column, Sequence, Sequence[str]], list],
) -> Iterator[Iterator[tuple]]:
    """The rows in batches of up to 2,000, all of one state of the data; `cells` says how a column
    is written.
    """
    with consistent_read():
        for batch in read_batches(table.file_columns, table, records, question):
            yield batch_rows(table.file_columns, batch, constants, cells)


def batch_rows(
    columns: list[Column], batch: Batch, constants: Same, cells: Callable
) -> Iterator[tuple]:
    columns_of_cells = [
        cells(column, values, batch.reasons)
        for column, values in zip(columns, batch.values, strict=True)
    ]
    return zip(
        *columns_of_cells,
        batch.reasons,
        *(repeat(constant, len(batch)) for constant in constants.values()),
        strict=True,
    )


def unchanged_cell(column: Column, values: Sequence, reasons: Sequence[str]) -> list:
    """A column for programs that know types: None where there is no value."""
    return list(values)


def separated_text(
    table: Table, records: QuerySet, question: Question, separator: str = ","
) -> Iterator[str]:
    """The file in pieces of up to 2,000 rows, header first."""
    lines = CsvLines(separator)
    with consistent_read():
        constants = constant_columns(question, release_status(question.collection))
        yield BYTE_ORDER_MARK + lines.as_text([column_names(table, constants)])
        for batch in row_batches(table, records, question, constants, cell_text):
            yield lines.as_text(batch)


def json_lines(table: Table, records: QuerySet, question: Question) -> Iterator[str]:
    """A JSON object for each row; what is missing is null, and `empty_means` says why."""
    with consistent_read():
        constants = constant_columns(question, release_status(question.collection))
        names = column_names(table, constants)
        for batch in row_batches(table, records, question, constants, unchanged_cell):
            yield "".join(
                f"{json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False)}\n"
                for row in batch
            )

"""Rows of a list as the lines of a file: batches, flat memory, formulas made inert, UTF-8 that Excel opens."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from itertools import repeat

from defusedcsv.csv import _escape as made_inert  # its writer would look at every cell of every row
from django.db.models import QuerySet

from ..columns import Batch, Column, Table, batches
from ..columns.column import translated
from ..models import Collection
from ..questions import Question
from ..steady import steady

BYTE_ORDER_MARK = "\ufeff"  # without it Excel reads UTF-8 as something else
# First characters that can make a spreadsheet take a text for a formula; some skip a tab or a line break before it.
FORMULA = frozenset("=+-@|%\t\r\n")
SKIPPED = ("\t", "\r", "\n")


def evidence_kind(collection: Collection) -> str:
    """What kind of records these are; simulated ones carry their caveat on every row."""
    return collection.caveat if collection.is_simulated else collection.kind


def written(column: Column, values: Sequence, reasons: Sequence[str]) -> list:
    """A column as a file holds it. A missing text says why; a missing number is empty, and `empty_means` says why."""
    if column.numeric:
        return list(values)
    values = translated(values, lambda value: value and inert(value))
    if column.tells_missing:
        return [reason if value is None else value for value, reason in zip(values, reasons, strict=True)]
    return values


def inert(value: str) -> str:
    """A text no spreadsheet takes for a formula. Most begin with a letter and are left as they are."""
    if value[:1] not in FORMULA:
        return value
    return f"'{value}" if value.startswith(SKIPPED) else made_inert(value)


class Lines:
    """Rows as the text of a file of separated values."""

    def __init__(self, separator: str = ","):
        self.text = StringIO()
        self.writer = csv.writer(self.text, delimiter=separator)

    def of(self, rows) -> str:
        self.writer.writerows(rows)
        text = self.text.getvalue()
        self.text.seek(0)
        self.text.truncate()
        return text


def header(table: Table) -> list[str]:
    """The names of a file's columns, what every file has besides included."""
    return [*(column.name for column in table.file_columns), "empty_means", "collection", "evidence_kind"]


def batched(
    table: Table, records: QuerySet, question: Question, cells: Callable[[Column, Sequence, Sequence[str]], list]
) -> Iterator[Iterator[tuple]]:
    """The rows in batches of up to 2,000, all of one state of the data; `cells` says how a column is written."""
    collection = question.collection
    columns, kind = table.file_columns, inert(evidence_kind(collection))
    with steady():
        for batch in batches(columns, table, records, question):
            yield rows(columns, batch, collection.slug, kind, cells)


def rows(columns: list[Column], batch: Batch, collection: str, kind: str, cells: Callable) -> Iterator[tuple]:
    found = [cells(column, values, batch.reasons) for column, values in zip(columns, batch.values, strict=True)]
    return zip(*found, batch.reasons, repeat(collection, len(batch)), repeat(kind, len(batch)), strict=True)


def separated_text(table: Table, records: QuerySet, question: Question, separator: str = ",") -> Iterator[str]:
    """The file in pieces of up to 2,000 rows, header first."""
    lines = Lines(separator)
    yield BYTE_ORDER_MARK + lines.of([header(table)])
    for batch in batched(table, records, question, written):
        yield lines.of(batch)


def json_lines(table: Table, records: QuerySet, question: Question) -> Iterator[str]:
    """A JSON object for each row; what is missing is null, and `empty_means` says why."""
    names = header(table)
    for batch in batched(table, records, question, lambda column, values, reasons: list(values)):
        yield "".join(f"{json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False)}\n" for row in batch)

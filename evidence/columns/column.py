"""Columns, tables, and how their cells are read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any

from django.db.models import F, QuerySet

from ..missing import missing_reason
from ..questions import Question

BATCH = 2000  # rows read, and lists looked up, at a time

# Owner's primary key -> the codes of a list, in order; for one batch of owners.
Listed = Callable[[list[int], Question], dict[int, list[str]]]


@dataclass(frozen=True)
class Column:
    """One column: its name in files, its heading on pages, and where its value comes from.

    `source` is a path or a function making an expression; `listed` looks up a to-many value for a batch of rows.
    `unknown` is the code that stands for a missing value. With `tells_missing`, an empty cell says why it is empty.
    """

    name: str
    label: str
    source: str | Callable[[], Any] | None = None
    listed: Listed | None = None
    labels: dict[str, str] = field(default_factory=dict)
    unknown: str | None = None
    tells_missing: bool = True
    numeric: bool = False
    on_page: bool = False
    in_file: bool = True

    @property
    def expression(self):
        return self.source() if callable(self.source) else F(self.source)

    @property
    def sortable(self) -> bool:
        return self.source is not None


@dataclass(frozen=True)
class Table:
    """One noun: its rows for a question, their columns, their order, and where a row leads."""

    noun: str
    title: str
    unit: str
    records: Callable[[Question], QuerySet]
    extraction: str
    columns: list[Column]
    order: list[str]

    def sort_words(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns if column.sortable}

    @property
    def page_columns(self) -> list[Column]:
        return [column for column in self.columns if column.on_page]

    @property
    def file_columns(self) -> list[Column]:
        return [column for column in self.columns if column.in_file]


def ordered(table: Table, records: QuerySet, sort: str) -> QuerySet:
    """Rows in the order a `sort` word asks for (a leading - turns it round), unknown values last, ties by identity.

    Raises KeyError for a word that names no column.
    """
    if not sort:
        return records.order_by(*table.order)
    column = table.sort_words()[sort.removeprefix("-")]
    order = column.expression
    order = order.desc(nulls_last=True) if sort.startswith("-") else order.asc(nulls_last=True)
    return records.order_by(order, *table.order)


@dataclass(frozen=True)
class Cell:
    """One value. `value` is a text or number; where it is None, `missing` says why, if the column tells."""

    value: Any
    missing: str = ""


@dataclass(frozen=True)
class Row:
    """The cells of one record, and what an empty one of them means."""

    empty_means: str
    cells: list[Cell]


def rows(columns: list[Column], table: Table, records: QuerySet, question: Question) -> Iterator[Row]:
    """The rows of the records, in their order. Reads 2,000 at a time, so memory stays flat."""
    own = [column for column in columns if not column.listed]
    expressions = {f"c{i}": column.expression for i, column in enumerate(own)}
    found = (
        records.annotate(extraction_of_row=F(table.extraction), **expressions)
        .values_list("pk", "extraction_of_row", *expressions)
        .iterator(chunk_size=BATCH)
    )
    while batch := list(islice(found, BATCH)):
        keys = [row[0] for row in batch]
        lists = {column.name: column.listed(keys, question) for column in columns if column.listed}
        for key, extraction, *values in batch:
            reason, value = missing_reason(extraction).label, iter(values)
            yield Row(
                reason,
                [
                    cell(column, lists[column.name].get(key, []) if column.listed else next(value), reason)
                    for column in columns
                ],
            )


def cell(column: Column, value: Any, reason: str) -> Cell:
    if column.listed:
        value = "; ".join(part or reason for part in value) if any(value) else None
    if value is None or value == "" or value == column.unknown:
        return Cell(None, reason if column.tells_missing else "")
    return Cell(plain(value))


def plain(value: Any) -> Any:
    """12 for 12.000; yes and no for truth values."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value

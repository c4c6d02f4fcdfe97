"""Reads columns of many rows quickly, as arrays.

A row costs a database driver about a microsecond. Here a column of two hundred thousand rows comes
as one text, which costs a tenth of that; and while the database makes such a text, another thread
can do something else.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from django.db import connections
from django.db.models import Case, F, IntegerField, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Coalesce

from ...models import DataVersion
from ...models.base import field_at
from ...models.consistency import consistent_read
from ...models.lookups import JoinedText
from ...models.reading import read_alias, reading_from
from ..dimensions import ScalarDimension

KEYS_PER_READ = 200_000  # keys read at a time
NULL_TEXT = "\\N"  # stands for NULL, which the databases would leave out of a gathered text
SEPARATOR = "\x1f"  # the unit separator stands in no code


class Codes(dict):
    """Numbers the values it meets: 0, 1, 2, ..."""

    def __missing__(self, value):
        self[value] = number = len(self)
        return number

    @property
    def values_met(self) -> list[str | None]:
        return [None if value == NULL_TEXT else value for value in self]


def coded_column(model: type, dimension: ScalarDimension, codes: Codes) -> tuple:
    """A column of codes; where it can be NULL, NOTHING stands for that."""
    column = dimension.value("")
    if isinstance(column, F) and field_at(model, column.name).null:
        column = Coalesce(Cast(column, TextField()), Value(NULL_TEXT))
    return (column, codes)


def number_column(column) -> tuple:
    """A column of whole numbers, none of them missing."""
    return (column, None)


def read_columns(
    rows: QuerySet, key: str, key_span: tuple[int, int], columns: list[tuple]
) -> list[np.ndarray]:
    """Columns of the rows whose `key` lies in `key_span` (both ends included), in one order: whole
    numbers as they are, others (given with their Codes) as codes. Reads a stretch of keys at a
    time.
    """
    chunks_by_column: list[list[np.ndarray]] = [[] for _ in columns]
    first_key, last_key = key_span
    for start in range(first_key, last_key + 1, KEYS_PER_READ):
        stretch = rows.filter(
            **{f"{key}__gte": start, f"{key}__lt": min(start + KEYS_PER_READ, last_key + 1)}
        )
        texts = stretch.order_by().aggregate(
            **{
                f"column_{i}": JoinedText(column, "," if codes is None else SEPARATOR)
                for i, (column, codes) in enumerate(columns)
            }
        )
        for chunks, text, (_, codes) in zip(chunks_by_column, texts.values(), columns, strict=True):
            if text is None:
                continue
            if codes is None:
                chunks.append(np.fromstring(text, dtype=np.int64, sep=","))
            else:
                values = text.split(SEPARATOR)
                chunks.append(
                    np.fromiter(map(codes.__getitem__, values), dtype=np.int64, count=len(values))
                )
    return [
        np.concatenate(chunks) if chunks else np.empty(0, dtype=np.int64)
        for chunks in chunks_by_column
    ]


def bitmask_column(conditions: list[Q | None]):
    """A whole number whose bit i says whether condition i holds; None holds always."""
    flags = [
        Value(1 << i)
        if condition is None
        else Case(When(condition, then=Value(1 << i)), default=Value(0))
        for i, condition in enumerate(conditions)
    ]
    return sum(flags, Value(0, IntegerField()))


def key_range(keys: np.ndarray) -> tuple[int, int]:
    """The least and the greatest key; an empty span where there is none."""
    return (int(keys.min()), int(keys.max())) if len(keys) else (0, -1)


class DataChanged(Exception):
    """The data changed while several connections were reading them."""


class ParallelReader:
    """Reads several sets of columns at a time, all of the same state of the data, or one after the
    other.

    Each thread has a connection of its own; that both see the same state is known from its token.
    Raises DataChanged where they do not.
    """

    def __init__(self, version: DataVersion, *, threads: int):
        self.version, self.alias = version, read_alias()
        self.pool = ThreadPoolExecutor(threads) if threads else None

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        if self.pool:
            self.pool.shutdown(cancel_futures=True)

    def read(self, *arguments) -> Callable[[], list[np.ndarray]]:
        """Starts reading `read_columns(*arguments)`; call what it returns for the arrays."""
        if self.pool is None:
            return lambda: read_columns(*arguments)
        future: Future = self.pool.submit(self.read_in_thread, *arguments)
        return future.result

    def read_in_thread(self, *arguments) -> list[np.ndarray]:
        try:
            with reading_from(self.alias), consistent_read() as version:
                if version.token != self.version.token:
                    raise DataChanged
                return read_columns(*arguments)
        finally:
            connections[self.alias].close()

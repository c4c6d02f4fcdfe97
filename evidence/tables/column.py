"""Columns, tables, and how their cells are read."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import islice
from typing import Any

from django.db.models import Case, F, Field, QuerySet, Value, When
from django.db.models.functions import Cast
from django.db.models.lookups import Exact

from ..models.missing import missing_reason
from ..questions.filters import DescribeQuestion, describe_for_patients
from ..questions.question import Question

SEPARATOR = "; "  # between the values of a list
NOT_ASKED = "not_asked"  # the column that names parts of the question which were not asked of a row
NOT_APPLICABLE = "does not apply"  # what an empty value means where no source was read for a row
BATCH = 2000  # rows read, and lists looked up, at a time
OUR_DEFINITION = "Casebook"


class BatchLookup:
    """A to-many value that is looked up together with its like: one query for all columns of a
    class.
    """

    path: str

    def look_up(
        self, paths: list[str], keys: list[int], question: Question
    ) -> list[dict[int, Any]]:
        """For each path, the lists (or single values) by owner."""
        raise NotImplementedError


# Owner's primary key -> the codes of a list, in order, or a single value; for one batch of owners.
Lookup = Callable[[list[int], Question], dict[int, Any]]


@dataclass(frozen=True)
class Codes:
    """The vocabulary that a column's codes come from, where it is a table of the database.

    `described` says in words which codes they are. Pages print the labels of the vocabulary `kind`,
    if it is given; with `joined`, a value is a set of codes joined by +.
    """

    described: str
    kind: str = ""
    joined: bool = False


@dataclass(frozen=True)
class Column:
    """One column: its name in files, its heading on pages, where its value comes from, and what it
    means.

    Lists, files, bundles, the data dictionary, the API's schema and the page of a single record all
    read it here.

    `source` is a path or a function making an expression; `lookup` looks up a to-many value for a
    batch of rows, or with `single` one value that is worked out from other rows. `unit` is that of
    a number; a number without a unit is an ordinal (first, second, third), and `whole`. `labels`
    are codes with their labels, `codes` the vocabulary of codes that are not written in the source;
    `words` makes of a code that is put together what pages print, and its colour. `unknown` is the
    code that stands for a missing value. With `tells_missing`, an empty cell says why it is empty.
    `toned` gives a code a colour on pages.
    `definition` says who defines what the column holds. `not_for` names another column and those of
    its values with which this one does not apply to a row.

    On the page of its record (`on_case`) the heading is `case_label`, or else the label without its
    unit; with `case_if_known` it is left out there when it has no value.

    Raises ValueError where the meaning is missing, or the unit of a number.
    """

    name: str
    label: str
    source: str | Callable[[], Any] | None = None
    meaning: str = ""
    lookup: Lookup | BatchLookup | None = None
    single: bool = False
    numeric: bool = False
    whole: bool = False
    unit: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    codes: Codes | None = None
    words: Callable[[str], tuple[str, str]] | None = None
    unknown: str | None = None
    tells_missing: bool = True
    toned: bool = False
    definition: str = OUR_DEFINITION
    not_for: tuple[str, tuple[str, ...]] = ("", ())
    on_page: bool = False
    in_file: bool = True
    on_case: bool = False
    case_label: str = ""
    case_if_known: bool = False

    def __post_init__(self):
        if not self.meaning:
            raise ValueError(
                f"The column “{self.name}” says nothing of what it means: give it a `meaning`."
            )
        if self.numeric and not (self.unit or self.whole):
            raise ValueError(f"The number “{self.name}” has no unit: give it a `unit`.")

    def at(self, source: str | Callable[[], Any], **changes: Any) -> "Column":
        """The same column, its value reached from another table; `changes` are what else is
        different there.
        """
        return replace(self, source=source, **changes)

    @property
    def expression(self):
        return self.source() if callable(self.source) else F(self.source)

    @property
    def sortable(self) -> bool:
        return self.source is not None

    @property
    def kind(self) -> str:
        """What a value of it is for programs: integer, number or text."""
        if not self.numeric:
            return "text"
        return "integer" if self.whole else "number"

    @property
    def is_list(self) -> bool:
        """Whether a cell holds several values."""
        return self.lookup is not None and not self.single

    @property
    def heading_of_case(self) -> str:
        """The heading on the page of its record, where the unit stands beside the value."""
        return self.case_label or self.label.removesuffix(f" ({self.unit})")


@dataclass(frozen=True)
class Table:
    """One noun: its rows for a question, their columns, their order, and where a row leads.

    `extraction` is the path to how much was read of a row's source, which decides what an empty
    value means; it is empty for reference tables, whose rows no study reports.

    `in_words` says how the question was asked of the rows: some parts of it cannot be asked of
    groups. A page shows the columns of `first_on_page` before the others: which row it is, and what
    came of it; a case those of `first_on_case`. Files keep the order of `columns`.
    """

    noun: str
    title: str
    unit: str
    records: Callable[[Question], QuerySet]
    extraction: str
    columns: list[Column]
    order: list[str]
    in_words: DescribeQuestion = describe_for_patients
    first_on_page: tuple[str, ...] = ()
    first_on_case: tuple[str, ...] = ()

    def sort_words(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns if column.sortable}

    def sorts_by(self, sort: str) -> bool:
        """Whether a `sort` word, with or without its hyphen, names a column; none at all is the
        usual order.
        """
        return not sort or sort.removeprefix("-") in self.sort_words()

    @property
    def page_columns(self) -> list[Column]:
        columns = [column for column in self.columns if column.on_page]
        return in_order(columns, self.first_on_page)

    @property
    def case_columns(self) -> list[Column]:
        columns = [column for column in self.columns if column.on_case]
        return in_order(columns, self.first_on_case)

    @property
    def file_columns(self) -> list[Column]:
        return [column for column in self.columns if column.in_file]


def in_order(columns: Iterable[Column], first: tuple[str, ...]) -> list[Column]:
    """The columns, those of these names first."""
    places = {name: place for place, name in enumerate(first)}
    return sorted(columns, key=lambda column: places.get(column.name, len(places)))


def order_records(table: Table, records: QuerySet, sort: str) -> QuerySet:
    """Rows in the order a `sort` word asks for (a leading - turns it round), unknown values last,
    ties by identity.

    Raises KeyError for a word that names no column.
    """
    if not sort:
        return records.order_by(*table.order)
    column = table.sort_words()[sort.removeprefix("-")]
    order = column.expression
    order = order.desc(nulls_last=True) if sort.startswith("-") else order.asc(nulls_last=True)
    if column.unknown is None:
        return records.order_by(order, *table.order)
    is_unknown = Case(
        When(Exact(column.expression, Value(column.unknown)), then=Value(1)), default=Value(0)
    )
    return records.order_by(is_unknown, order, *table.order)


@dataclass(frozen=True)
class Batch:
    """Some rows, column by column. `values[i]` are the values of column i, None where there is
    none; `reasons` says of each row what that means.
    """

    reasons: list[str]
    values: list[list]

    def __len__(self) -> int:
        return len(self.reasons)


def batched(rows: Iterable, size: int) -> Iterator[list]:
    """The rows in their order, so many at a time."""
    rows = iter(rows)
    while batch := list(islice(rows, size)):
        yield batch


def read_batches(
    columns: list[Column], table: Table, records: QuerySet, question: Question
) -> Iterator[Batch]:
    """The rows of the records, in their order, 2,000 at a time: memory stays flat, and look-ups are
    few.
    """
    plain_columns = [column for column in columns if not column.lookup]
    expressions = {f"c{i}": column_expression(column) for i, column in enumerate(plain_columns)}
    rows_of_table = (
        records.annotate(
            extraction_of_row=F(table.extraction) if table.extraction else Value(""), **expressions
        )
        .values_list("pk", "extraction_of_row", *expressions)
        .iterator(chunk_size=BATCH)
    )
    for rows in batched(rows_of_table, BATCH):
        keys, extractions, *values = zip(*rows, strict=True)
        reason = {
            extraction: missing_reason(extraction).label if extraction else NOT_APPLICABLE
            for extraction in set(extractions)
        }
        reasons = [reason[extraction] for extraction in extractions]
        values_by_column = dict(zip((column.name for column in plain_columns), values, strict=True))
        values_by_column |= looked_up(
            [column for column in columns if column.lookup], list(keys), reasons, question
        )
        yield Batch(
            reasons, [clean_values(column, values_by_column[column.name]) for column in columns]
        )


def looked_up(
    columns: list[Column], keys: list[int], reasons: list[str], question: Question
) -> dict[str, list]:
    """Lists as texts, and single values, by column; columns that come from one table are looked up
    together.
    """
    single = {column.name for column in columns if column.single}
    lists_by_column: dict[str, dict[int, Any]] = {}
    for column in columns:
        if isinstance(column.lookup, BatchLookup):
            if column.name not in lists_by_column:
                same_lookup = [
                    other_column
                    for other_column in columns
                    if type(other_column.lookup) is type(column.lookup)
                ]
                lists = column.lookup.look_up(
                    [other_column.lookup.path for other_column in same_lookup], keys, question
                )
                lists_by_column |= dict(
                    zip((other_column.name for other_column in same_lookup), lists, strict=True)
                )
        else:
            lists_by_column[column.name] = column.lookup(keys, question)
    return {
        name: [lists.get(key) for key in keys]
        if name in single
        else [
            join_list(lists.get(key, ()), reason) for key, reason in zip(keys, reasons, strict=True)
        ]
        for name, lists in lists_by_column.items()
    }


def join_list(parts: Sequence[str], reason: str) -> str | None:
    """The values of a list; one that is not known says so among the others."""
    if not any(parts):
        return None
    return SEPARATOR.join([item or reason for item in parts])


def clean_values(column: Column, values: Sequence) -> list:
    """The values of a column: None for what is not known, 12 for 12.000, yes and no for truth
    values.
    """
    unknown_values = (None,) if column.numeric else ("", None, column.unknown)
    return map_values(values, lambda value: None if value in unknown_values else plain_value(value))


def map_values(values: Sequence, convert: Callable[[Any], Any]) -> list:
    """Each value by `convert`, which is asked once for each different value: a column of two
    thousand has few.
    """
    converted = {value: convert(value) for value in set(values)}
    return [converted[value] for value in values]


def column_expression(column: Column):
    """The column's expression; measured numbers as floating-point ones, which come ten times as
    fast as decimals and print the same.
    """
    measured = column.numeric and not column.whole and isinstance(column.source, str)
    return Cast(column.source, Real()) if measured else column.expression


class Real(Field):
    """A floating-point number just as the driver gives it; Django's own field would call a function
    for each.
    """

    def db_type(self, connection):
        return "double precision" if connection.vendor == "postgresql" else "real"

    cast_db_type = db_type


def plain_value(value: Any) -> Any:
    """12 for 12.000; yes and no for truth values."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value

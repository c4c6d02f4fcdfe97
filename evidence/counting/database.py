"""Counts by SQL: every tally is one GROUP BY, and one statement counts all tallies of a page.

The treatments that answer a question are found once, in a common table expression, however many
tallies use them.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product

from django.db import connection
from django.db.models import CharField, Count, IntegerField, Q, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast

from ..models import Treatment
from ..models.choices import YesNo
from ..models.outcome import in_month_windows
from ..questions.filters import matching_treatments, open_treatments
from ..questions.question import Question
from .dimensions import (
    DIMENSIONS,
    ConditionDimension,
    Dimension,
    OutcomeDimension,
    ScalarDimension,
    SetDimension,
)
from .tally import Tally, Unit

COUNTED_FIELDS = {
    Unit.PATIENTS: "patient",
    Unit.TREATMENTS: "pk",
    Unit.EVENTS: "events",
    Unit.OUTCOMES: "outcomes",
    Unit.STUDIES: "patient__study",
}
# tallies in one statement; SQLite takes at most 500 SELECTs, and few tallies need more than one
STATEMENT = 400


def count_tallies(tallies: Sequence[Tally]) -> list[Counter]:
    """One Counter per tally, in order. One query for up to 400 different tallies."""
    different = list(dict.fromkeys(tallies))
    counters: dict[Tally, Counter] = {tally: Counter() for tally in different}
    for start in range(0, len(different), STATEMENT):
        batch = different[start : start + STATEMENT]
        cte_names = {
            key: f"asked_{i}"
            for i, key in enumerate(dict.fromkeys(tally.selection_key for tally in batch))
        }
        width = max(len(tally.dimensions) for tally in batch)
        selects = [
            select
            for i, tally in enumerate(batch)
            for select in select_counts(
                i, tally, keys_in_cte(cte_names[tally.selection_key]), width
            )
        ]
        for position, *values, number in run_union(cte_names, selects):
            tally = batch[position]
            if number:
                counters[tally][dimension_values(tally, values)] += number
    return [tally.largest_values(counters[tally]) for tally in tallies]


def run_union(
    cte_names: dict[tuple[Question, bool, str, str], str], selects: list[QuerySet]
) -> list[tuple]:
    """Runs all selects in one statement, after the treatments of each question, by the names the
    selects know them by.
    """
    first_select, *other_selects = selects
    union = first_select.union(*other_selects, all=True) if other_selects else first_select
    sql, params = union.query.sql_with_params()
    tables, cte_params = [], []
    for selection, name in cte_names.items():
        rows = counted_treatments(*selection)
        sql_of_rows, params_of_rows = rows.order_by().values("pk").query.sql_with_params()
        tables.append(f"{name} (id) AS MATERIALIZED ({sql_of_rows})")
        cte_params += params_of_rows
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {', '.join(tables)} {sql}", [*cte_params, *params])
        return cursor.fetchall()


def keys_in_cte(name: str) -> RawSQL:
    """The primary keys of the treatments of one question."""
    return RawSQL(f"SELECT id FROM {name}", [])  # noqa: S608, S611 (a name of ours)


def counted_treatments(question: Question, is_open: bool, open_part: str, open_in: str) -> QuerySet:
    """The treatments that count in a tally: see there."""
    rows = open_treatments(question, open_part) if is_open else matching_treatments(question)
    if open_in:
        not_counted = rows.filter(DIMENSIONS[open_in].without_value(YesNo.YES))
        rows = rows.filter(patient__in=not_counted.order_by().values("patient"))
    return rows


def select_counts(
    position: int, tally: Tally, treatments: RawSQL, width: int
) -> Iterator[QuerySet]:
    """One tally as (position, value, ..., number) rows, padded to `width` values so that all can be
    united.

    Where a wider term counts what stands under narrower ones too, it has a SELECT of its own.
    """
    rows = Treatment.objects.filter(pk__in=treatments)
    parts = [
        dimension_parts(DIMENSIONS[name], treatments, tally.question) for name in tally.dimensions
    ]
    padding = {f"value_{i}": Value(None, CharField()) for i in range(len(parts), width)}
    for combination in product(*parts):
        selected = rows
        for condition, _ in combination:
            if condition is not None:
                selected = selected.filter(condition)
        values = {
            f"value_{i}": Cast(expression, CharField())
            for i, (_, expression) in enumerate(combination)
        }
        yield (
            selected.order_by()
            .annotate(position=Value(position, IntegerField()), **values, **padding)
            .values("position", *values, *padding)
            .annotate(number=count_of_unit(tally))
            .values_list("position", *[f"value_{i}" for i in range(width)], "number")
        )


def count_of_unit(tally: Tally) -> Count:
    """Counts the unit; of outcomes, those of the months that the question asks for."""
    months = in_month_windows(tally.question.outcome_months, f"{COUNTED_FIELDS[Unit.OUTCOMES]}__")
    of_months = months if tally.unit == Unit.OUTCOMES and months else None
    return Count(COUNTED_FIELDS[tally.unit], distinct=True, filter=of_months)


def dimension_parts(
    dimension: Dimension, treatments: RawSQL, question: Question
) -> list[tuple[Q | None, object]]:
    """(which rows count, their value as seen from a treatment); no two parts give the same
    value.
    """
    if isinstance(dimension, ScalarDimension):
        return [(None, dimension.value(dimension.level))]
    if isinstance(dimension, SetDimension):
        return [(None, dimension.joined_codes())]
    if isinstance(dimension, ConditionDimension):
        return [(None, dimension.case_expression())]
    if isinstance(dimension, OutcomeDimension):
        return [dimension.value_part(treatments, question)]
    return dimension.value_parts()


def dimension_values(tally: Tally, values: list) -> tuple:
    """The values of a tally's dimensions; sets in their one spelling."""
    key = []
    for name, value in zip(tally.dimensions, values, strict=False):
        dimension = DIMENSIONS[name]
        key.append(dimension.canonical_key(value) if isinstance(dimension, SetDimension) else value)
    return tuple(key)

"""Counting by SQL: every tally is one GROUP BY, and all tallies of a page travel in one statement.

The courses that answer a question are found once, in a common table expression, however many tallies are of them.
"""

from collections import Counter
from collections.abc import Sequence

from django.db import connection
from django.db.models import CharField, Count, F, IntegerField, QuerySet, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast

from ..models import Treatment
from ..questions.filters import courses, courses_known
from ..questions.question import Question
from .dimensions import DIMENSIONS, Flag, Many, One, Sets
from .tally import Tally, Unit

COUNTED = {
    Unit.PATIENTS: "patient",
    Unit.TREATMENTS: "pk",
    Unit.EVENTS: "events",
    Unit.OUTCOMES: "outcomes",
    Unit.STUDIES: "patient__study",
}
STATEMENT = 400  # SELECTs in one statement; SQLite takes at most 500


def count(tallies: Sequence[Tally]) -> list[Counter]:
    """One Counter per tally, in order. One query for up to 400 different tallies."""
    different = list(dict.fromkeys(tallies))
    answers: dict[Tally, Counter] = {tally: Counter() for tally in different}
    for start in range(0, len(different), STATEMENT):
        batch = different[start : start + STATEMENT]
        asked = {key: f"asked_{i}" for i, key in enumerate(dict.fromkeys(map(asked_of, batch)))}
        width = max(len(tally.dimensions) for tally in batch)
        selects = [select(i, tally, found_in(asked[asked_of(tally)]), width) for i, tally in enumerate(batch)]
        for position, *values, number in together(asked, selects):
            tally = batch[position]
            answers[tally][spelled(tally, values)] += number
    return [tally.cut(answers[tally]) for tally in tallies]


def together(asked: dict[tuple[Question, bool], str], selects: list[QuerySet]) -> list[tuple]:
    """Runs all selects in one statement, after the courses of each question, by the names the selects know them by."""
    first, *others = selects
    united = first.union(*others, all=True) if others else first
    sql, params = united.query.sql_with_params()
    tables, given = [], []
    for (question, denominator), name in asked.items():
        rows = courses_known(question) if denominator else courses(question)
        found, more = rows.order_by().values("pk").query.sql_with_params()
        tables.append(f"{name} (id) AS MATERIALIZED ({found})")
        given += more
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {', '.join(tables)} {sql}", [*given, *params])
        return cursor.fetchall()


def found_in(name: str) -> QuerySet:
    """The courses of one question."""
    return Treatment.objects.filter(pk__in=RawSQL(f"SELECT id FROM {name}", []))  # noqa: S608, S611 (a name of ours)


def asked_of(tally: Tally) -> tuple[Question, bool]:
    return tally.question, tally.denominator


def select(position: int, tally: Tally, rows: QuerySet, width: int) -> QuerySet:
    """One tally as (position, value, ..., number) rows, padded to `width` values so that all can be united."""
    dimensions = [DIMENSIONS[name] for name in tally.dimensions]
    for dimension in dimensions:
        if isinstance(dimension, Many) and dimension.rows:
            rows = rows.filter(dimension.condition())
    values = {f"value_{i}": Cast(column(dimension), CharField()) for i, dimension in enumerate(dimensions)}
    padding = {f"value_{i}": Value(None, CharField()) for i in range(len(dimensions), width)}
    return (
        rows.order_by()
        .annotate(position=Value(position, IntegerField()), **values, **padding)
        .values("position", *values, *padding)
        .annotate(number=Count(COUNTED[tally.unit], distinct=True))
        .values_list("position", *[f"value_{i}" for i in range(width)], "number")
    )


def column(dimension: One | Many | Sets | Flag):
    """The value of a dimension, as seen from a course."""
    if isinstance(dimension, One):
        return dimension.value(dimension.level)
    if isinstance(dimension, Sets):
        return dimension.column()
    return F(dimension.path) if isinstance(dimension, Many) else dimension.case()


def spelled(tally: Tally, values: list) -> tuple:
    """The values of a tally's dimensions; sets in their one spelling."""
    found = []
    for name, value in zip(tally.dimensions, values, strict=False):
        dimension = DIMENSIONS[name]
        found.append(dimension.spelled(value) if isinstance(dimension, Sets) else value)
    return tuple(found)

"""The tables' own rules on single records, asked of values in memory: no query for each record.

A condition is true, false or, where it depends on an empty value, neither (None), as in SQL; a
record breaks a rule only where its condition is false.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from django.db import models
from django.db.models import F, Q

from ...models.base import Keyed

Values = Mapping[str, object]
Predicate = Callable[[Values], bool | None]
COMPARISONS: dict[str, Callable[[object, object], bool]] = {
    "exact": lambda value, other: value == other,
    "gt": lambda value, other: value > other,
    "gte": lambda value, other: value >= other,
    "lt": lambda value, other: value < other,
    "lte": lambda value, other: value <= other,
    "in": lambda value, others: value in others,
    "regex": lambda value, pattern: re.search(pattern, value) is not None,
}


@dataclass(frozen=True)
class Rule:
    """One constraint: its name, the fields it speaks of, and its message for a curator."""

    name: str
    fields: tuple[str, ...]
    message: str
    holds: Predicate

    def is_broken(self, values: Values) -> bool:
        """Whether these values break it; `values` has each of `fields`, None where it is empty."""
        return self.holds(values) is False


@cache
def rules_of(model: type[Keyed]) -> tuple[Rule, ...]:
    """Every CheckConstraint of a model."""
    return tuple(
        Rule(
            constraint.name,
            tuple(dict.fromkeys(fields_in(constraint.condition))),
            constraint.get_violation_error_message(),
            predicate(constraint.condition),
        )
        for constraint in model._meta.constraints
        if isinstance(constraint, models.CheckConstraint)
    )


def fields_in(condition: Q) -> Iterator[str]:
    """The fields a condition speaks of."""
    for child in condition.children:
        if isinstance(child, Q):
            yield from fields_in(child)
            continue
        name, value = child
        yield name.split("__")[0]
        if isinstance(value, F):
            yield value.name


def predicate(condition: Q) -> Predicate:
    """A condition as a function of values. Raises ValueError for what no constraint uses."""
    parts = [
        predicate(child) if isinstance(child, Q) else comparison(*child)
        for child in condition.children
    ]
    if not parts:
        return lambda values: True  # Django's reading of an empty condition
    joined = JOINED.get(condition.connector)
    if joined is None:
        raise ValueError(f"No constraint is joined by {condition.connector}.")
    if condition.negated:
        return lambda values: negation(joined(parts, values))
    return lambda values: joined(parts, values)


def negation(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def all_hold(parts: Iterable[Predicate], values: Values) -> bool | None:
    answer = True
    for part in parts:
        one = part(values)
        if one is False:
            return False
        if one is None:
            answer = None
    return answer


def one_holds(parts: Iterable[Predicate], values: Values) -> bool | None:
    answer = False
    for part in parts:
        one = part(values)
        if one is True:
            return True
        if one is None:
            answer = None
    return answer


JOINED = {Q.AND: all_hold, Q.OR: one_holds}


def comparison(path: str, other) -> Predicate:
    """One `field__lookup=value` as a function of values."""
    name, _, lookup = path.partition("__")
    if lookup == "isnull":
        return lambda values: (values[name] is None) == other
    compare = COMPARISONS.get(lookup or "exact")
    if compare is None:
        raise ValueError(f"No constraint asks for {lookup}.")
    if isinstance(other, F):
        second = other.name

        def compared(values: Values) -> bool | None:
            left, right = values[name], values[second]
            return None if left is None or right is None else compare(left, right)

        return compared
    if lookup == "in":
        other = frozenset(str(one) if isinstance(one, str) else one for one in other)
    return lambda values: None if values[name] is None else compare(values[name], other)

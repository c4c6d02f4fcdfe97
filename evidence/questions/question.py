"""A question: what is asked of one collection, as plain values. Address, chips and cache key follow
from it.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from ..models import Collection
from ..models.choices import Match


@dataclass(frozen=True)
class MatchedSet:
    """Chosen codes and how a record's own set is compared with them; one value, since neither means
    a thing alone.
    """

    codes: tuple[str, ...]
    match: str = Match.ANY

    @classmethod
    def of(cls, codes, match: Match) -> "MatchedSet":
        return cls(tuple(sorted(codes)), str(match.value))

    def with_code(self, code: str) -> "MatchedSet":
        return (
            self if code in self.codes else replace(self, codes=tuple(sorted((*self.codes, code))))
        )


@dataclass(frozen=True)
class Question:
    """Filter values by filter name, in the form's order. Hashable: equal questions have equal
    answers.
    """

    collection: Collection
    parts: tuple[tuple[str, Any], ...] = ()

    @cached_property
    def cached_hash(self) -> int:
        return hash((self.collection, self.parts))

    def __hash__(self) -> int:
        return self.cached_hash  # a page looks the same few questions up hundreds of times

    def __iter__(self):
        return iter(self.parts)

    def __contains__(self, name: str) -> bool:
        return any(part_name == name for part_name, _ in self.parts)

    def __bool__(self) -> bool:
        return True

    def value(self, name: str, default=None):
        return dict(self.parts).get(name, default)

    @property
    def outcome_months(self) -> tuple[str, ...]:
        """About which months outcomes count, as words of `Assessed`; none: whatever their month."""
        return self.value("assessed", ())

    def without(self, *names: str) -> "Question":
        return replace(self, parts=tuple(part for part in self.parts if part[0] not in names))

    def only(self, *names: str) -> "Question":
        return replace(self, parts=tuple(part for part in self.parts if part[0] in names))

    def with_part(self, name: str, value) -> "Question":
        """The same question with this part added or replaced."""
        return replace(self, parts=(*self.without(name).parts, (name, value)))

    def to_params(self) -> list[tuple[str, str]]:
        """The question as address words, always in the same order and without defaults."""
        return [param for name, value in self.parts for param in part_params(name, value)]

    def query(self, **view: str | list[str]) -> str:
        """The query string, with `sort` and the like after it; empty values are left out."""
        view_params = [
            (name, value)
            for name, values in view.items()
            for value in ([values] if isinstance(values, str) else values)
            if value
        ]
        return urlencode([*self.to_params(), *view_params])

    @property
    def page(self) -> str:
        """The path of the page that shows it."""
        query = self.query()
        return f"/{self.collection.slug}/{f'?{query}' if query else ''}"

    def toggle(self, **parts) -> "FilterLink":
        """What choosing a mark of a chart asks: with these parts, or without them if they are what
        is asked already.

        A part takes the place of an earlier one of its name; an alternative that stands among
        several is narrowed down.
        """
        if all(self.value(name) == value for name, value in parts.items()):
            return FilterLink(self.without(*parts), chosen=True)
        question = self
        for name, value in parts.items():
            question = question.with_part(name, value)
        return FilterLink(question, chosen=False)

    def exactly(self, name: str, codes, **changes) -> "FilterLink | None":
        """What choosing one combination asks: exactly this set, whatever was asked of it before,
        and `changes` besides.

        None where that would be a wider question: “none of” can mean looked for and absent, which a
        set does not say.
        """
        current = self.value(name)
        if current is not None and current.match == Match.NONE:
            return None
        return self.toggle(**{name: MatchedSet.of(codes, Match.EXACTLY)}, **changes)

    def refine(self, name: str, code: str) -> "FilterLink | None":
        """What choosing one value of a set asks: that it be among the values, besides what is asked
        already.

        None where no address can say both.
        """
        current = self.value(name)
        if current is None:
            return FilterLink(self.with_part(name, MatchedSet.of((code,), Match.ANY)), chosen=False)
        if current.match == Match.NONE or (
            current.match == Match.EXACTLY and code not in current.codes
        ):
            return None
        if current.match == Match.ANY and code in current.codes and len(current.codes) > 1:
            return FilterLink(self.with_part(name, MatchedSet.of((code,), Match.ANY)), chosen=False)
        if current.match == Match.ANY and code not in current.codes and len(current.codes) > 1:
            return None
        if code not in current.codes:
            return FilterLink(
                self.with_part(name, MatchedSet.of((*current.codes, code), Match.ALL)), chosen=False
            )
        remaining = (
            [other_code for other_code in current.codes if other_code != code]
            if current.match == Match.ALL
            else []
        )
        refined = (
            self.with_part(name, MatchedSet.of(remaining, Match.ALL))
            if remaining
            else self.without(name)
        )
        return FilterLink(refined, chosen=True)


@dataclass(frozen=True)
class FilterLink:
    """A question that one choice leads to. `chosen`: the choice has been made already, and is given
    up.
    """

    question: Question
    chosen: bool


def part_params(name: str, value) -> list[tuple[str, str]]:
    """One part of a question as address words."""
    if isinstance(value, MatchedSet):
        match = [] if value.match == Match.ANY else [(f"{name}_match", str(value.match))]
        return [(name, code) for code in value.codes] + match
    if isinstance(value, tuple):
        return [(name, item) for item in value]
    return [(name, str(value))]

"""A question: what is asked of one collection, as plain values. Address, chips and cache key follow from it."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from .choices import Match
from .models import Collection


@dataclass(frozen=True)
class MatchedSet:
    """Chosen codes and how a record's own set is compared with them; one value, since neither means a thing alone."""

    codes: tuple[str, ...]
    match: str = Match.ANY

    def adding(self, code: str) -> "MatchedSet":
        return self if code in self.codes else replace(self, codes=tuple(sorted((*self.codes, code))))


@dataclass(frozen=True)
class Question:
    """Filter values by filter name, in the form's order. Hashable: equal questions have equal answers."""

    collection: Collection
    parts: tuple[tuple[str, Any], ...] = ()

    @cached_property
    def hashed(self) -> int:
        return hash((self.collection, self.parts))

    def __hash__(self) -> int:
        return self.hashed  # a page looks the same few questions up hundreds of times

    def __iter__(self):
        return iter(self.parts)

    def __contains__(self, name: str) -> bool:
        return any(part == name for part, _ in self.parts)

    def __bool__(self) -> bool:
        return True

    def value(self, name: str, default=None):
        return dict(self.parts).get(name, default)

    def without(self, *names: str) -> "Question":
        return replace(self, parts=tuple(part for part in self.parts if part[0] not in names))

    def only(self, *names: str) -> "Question":
        return replace(self, parts=tuple(part for part in self.parts if part[0] in names))

    def asking(self, name: str, value) -> "Question":
        """The same question with this part added or replaced."""
        return replace(self, parts=(*self.without(name).parts, (name, value)))

    def words(self) -> list[tuple[str, str]]:
        """The question as address words, always in the same order and without defaults."""
        return [word for name, value in self.parts for word in spelled(name, value)]

    def query(self, **view: str) -> str:
        """The query string, with `sort` and the like after it; empty values are left out."""
        return urlencode([*self.words(), *((name, value) for name, value in view.items() if value)])


def spelled(name: str, value) -> list[tuple[str, str]]:
    """One part of a question as address words."""
    if isinstance(value, MatchedSet):
        match = [] if value.match == Match.ANY else [(f"{name}_match", str(value.match))]
        return [(name, code) for code in value.codes] + match
    if isinstance(value, tuple):
        return [(name, each) for each in value]
    return [(name, str(value))]

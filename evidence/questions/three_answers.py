"""Yes, no or open: what a question answers of a treatment, and the one rule behind it.

Each part of a question answers a treatment with yes, no or open. A question is yes where all its
parts are, no as soon as one part is no, and open otherwise. The rule is written with &, | and ~
alone, so that it holds for conditions of the database and for bitmaps in memory alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any, Protocol

from ..models.choices import Match


@dataclass(frozen=True)
class ThreeAnswers:
    """The treatments that something is true of, and those it is not true of. Of all others it is
    open.
    """

    yes: Any
    no: Any

    def __and__(self, other: "ThreeAnswers") -> "ThreeAnswers":
        return ThreeAnswers(self.yes & other.yes, self.no | other.no)

    def __or__(self, other: "ThreeAnswers") -> "ThreeAnswers":
        return ThreeAnswers(self.yes | other.yes, self.no & other.no)

    def __invert__(self) -> "ThreeAnswers":
        return ThreeAnswers(self.no, self.yes)

    @property
    def settled(self):
        """The treatments that are not open."""
        return self.yes | self.no


def all_of(answers: Iterable[ThreeAnswers]) -> ThreeAnswers:
    """Yes where all are yes, no where one is no. There has to be one."""
    return reduce(and_, answers)


def any_of(answers: Iterable[ThreeAnswers]) -> ThreeAnswers:
    """Yes where one is yes, no where all are no. There has to be one."""
    return reduce(or_, answers)


class ListFacts(Protocol):
    """What an engine knows of a list of terms: sets of treatments."""

    whole: Any  # the list is complete, or there is nothing to list, as stated

    def present(self, code: str) -> Any:
        """The term, or one that is part of it, is on the list."""

    def absent(self, code: str) -> Any:
        """The term, or one that it is part of, was looked for and not found."""

    def others(self, codes: Iterable[str]) -> Any:
        """A term is on the list that is none of these, and that none of these is part of."""


def item_answer(code: str, facts: ListFacts) -> ThreeAnswers:
    """Whether a treatment or its patient has a term. What is not on a list is absent only where the
    list is whole.
    """
    present = facts.present(code)
    return ThreeAnswers(present, (facts.absent(code) | facts.whole) & ~present)


def list_answer(codes: Iterable[str], match: str, facts: ListFacts) -> ThreeAnswers:
    """How a list stands to the codes that are asked for, under a match word.

    “Exactly” is all of them and nothing else: yes only of a whole list, no as soon as there is
    something else.
    """
    items = [item_answer(code, facts) for code in codes]
    if match == Match.ANY:
        return any_of(items)
    if match == Match.NONE:
        return ~any_of(items)
    all_present = all_of(items)
    if match == Match.ALL:
        return all_present
    has_others = facts.others(codes)
    return ThreeAnswers(all_present.yes & ~has_others & facts.whole, all_present.no | has_others)

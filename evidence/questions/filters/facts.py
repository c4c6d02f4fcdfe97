"""What filters make their answers of: sets of courses, as an engine has them. Here, as conditions of the database."""

from collections.abc import Iterable
from typing import Any, Protocol

from django.db.models import Q

from ...models import ATTRIBUTES, LISTS, TermTree, term_tree
from ...models.choices import Presence
from ...models.knowledge import TermList
from ..three_answers import ListFacts

EVERYBODY = Q(pk__isnull=False)
NOBODY = Q(pk__isnull=True)


class Facts(Protocol):
    """Sets of courses of an engine: anything that understands &, | and ~."""

    def matching(self, asked, value) -> Any:
        """The courses that answer the filter `asked` with yes."""

    def known(self, attribute: str | None) -> Any:
        """The courses of which an attribute is known; all of them without one."""

    def listed(self, name: str) -> ListFacts:
        """What is known of the list of this name in `LISTS`."""


class ConditionFacts:
    """The same as conditions on Treatment."""

    def matching(self, asked, value) -> Q:
        return asked.condition(value)

    def known(self, attribute: str | None) -> Q:
        return ATTRIBUTES[attribute].known if attribute else EVERYBODY

    def listed(self, name: str) -> "ListConditions":
        return ListConditions(LISTS[name])


class ListConditions:
    """What is known of one list, as conditions on Treatment."""

    def __init__(self, about: TermList):
        self.about, self.tree, self.whole = about, term_tree(about.terms), about.whole.q()

    def present(self, code: str) -> Q:
        return self.about.with_any(self.tree.with_narrower(code))

    def absent(self, code: str) -> Q:
        if not self.about.looked_for:
            return NOBODY
        return self.about.with_any(self.tree.with_wider(code), Presence.ABSENT)

    def others(self, codes: Iterable[str]) -> Q:
        return self.about.with_others(allowed_beside(codes, self.tree))


def allowed_beside(codes: Iterable[str], tree: TermTree) -> set[str]:
    """These terms and all they are part of: what may be on a list that has exactly these."""
    return {each for code in codes for each in tree.with_wider(code)}

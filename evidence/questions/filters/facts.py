"""What filters make their answers of: sets of treatments, as an engine has them. Here, as
conditions of the database.
"""

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
    """Sets of treatments of an engine: anything that understands &, | and ~."""

    def matching(self, url_filter, value) -> Any:
        """The treatments that answer the filter `url_filter` with yes."""

    def settled(self, attribute: str | None) -> Any:
        """The treatments of which an attribute is known well enough for a no; all of them without
        one.
        """

    def listed(self, name: str) -> ListFacts:
        """What is known of the list of this name in `LISTS`."""


class ConditionFacts:
    """The same as conditions on Treatment."""

    def matching(self, url_filter, value) -> Q:
        return url_filter.condition(value)

    def settled(self, attribute: str | None) -> Q:
        return ATTRIBUTES[attribute].settling.q() if attribute else EVERYBODY

    def listed(self, name: str) -> "ListConditions":
        return ListConditions(LISTS[name])


class ListConditions:
    """What is known of one list, as conditions on Treatment."""

    def __init__(self, term_list: TermList):
        self.about, self.tree, self.whole = (
            term_list,
            term_tree(term_list.terms),
            term_list.whole.q(),
        )

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
    return {allowed for code in codes for allowed in tree.with_wider(code)}

"""Which terms are part of which: interstitial lung disease is lung.

Whoever has the narrower term has the wider one; whoever was found without the wider one is without
the narrower one.
"""

from dataclasses import dataclass, field
from functools import cached_property

from django.db import models

from .consistency import cached_per_version


@dataclass(frozen=True)
class TermTree:
    """The wider terms of each term, by code; a term without any is left out. `codes` are all
    terms.
    """

    wider: dict[str, tuple[str, ...]] = field(default_factory=dict)
    codes: tuple[str, ...] = ()

    @cached_property
    def narrower(self) -> dict[str, tuple[str, ...]]:
        """The terms that are part of each term; a term without any is left out."""
        narrower_terms: dict[str, tuple[str, ...]] = {}
        for code, wider_codes in self.wider.items():
            for wider_code in wider_codes:
                narrower_terms[wider_code] = (*narrower_terms.get(wider_code, ()), code)
        return narrower_terms

    def with_wider(self, code: str) -> frozenset[str]:
        """A term and all it is part of."""
        return frozenset((code, *self.wider.get(code, ())))

    def with_narrower(self, code: str) -> frozenset[str]:
        """A term and all that is part of it."""
        return frozenset((code, *self.narrower.get(code, ())))


FLAT = TermTree()


def term_tree(terms: type[models.Model]) -> TermTree:
    """The tree of a table of terms, read once as long as no term changes; most tables have none."""
    if not hasattr(terms, "wider"):
        return FLAT
    return cached_per_version(("term tree", terms._meta.label), None, lambda: read_tree(terms))


def read_tree(terms: type[models.Model]) -> TermTree:
    """Reads which terms are part of which. Terms that form a circle are all wider than each other;
    the search ends there too.
    """
    rows = list(terms.objects.order_by("pk").values_list("pk", "code", "parent"))
    codes, parents = {key: code for key, code, _ in rows}, {key: parent for key, _, parent in rows}
    wider = {}
    for key, code, parent in rows:
        ancestors: list[int] = []
        while parent is not None and parent != key and parent not in ancestors:
            ancestors.append(parent)
            parent = parents[parent]
        if ancestors:
            wider[code] = tuple(codes[ancestor] for ancestor in ancestors)
    return TermTree(wider, tuple(codes.values()))

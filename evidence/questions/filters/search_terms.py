"""Which drugs and terms a word of a search names.

A term is named by the beginning of one of its words: “ild” names “Interstitial lung disease (ILD)”
and not “Sildenafil”, which merely contains these letters.
"""

import re

from django.db.models import CharField, F, Model, Value
from django.db.models.functions import Cast

from ...models import (
    AdverseEventCategory,
    Autoantibody,
    Indication,
    JAKInhibitor,
    Manifestation,
    Therapy,
)
from ...models.consistency import cached_per_version

# What a term can be named by.
NAMES: dict[type[Model], tuple[str, ...]] = {
    JAKInhibitor: ("name", "brand"),
    Indication: ("label",),
    Manifestation: ("label",),
    Autoantibody: ("label",),
    Therapy: ("label",),
    AdverseEventCategory: ("label",),
}


def beginning_of_word(word: str) -> str:
    """A regular expression for texts in which a word begins like this; Python, SQLite's function
    and PostgreSQL read it alike.
    """
    return rf"(?<!\w){re.escape(word)}"


def named_terms(terms: type[Model], word: str) -> list[int]:
    """The primary keys of the terms of a table that a word names, whatever its case."""
    begins = re.compile(beginning_of_word(word), re.IGNORECASE)
    return sorted({key for key, name in names_of_terms()[terms] if begins.search(name)})


def names_of_terms() -> dict[type[Model], list[tuple[int, str]]]:
    """The names of all terms with their primary keys, read in one query as long as none changes."""
    return cached_per_version(("names of terms",), None, read_names)


def read_names() -> dict[type[Model], list[tuple[int, str]]]:
    queries = [
        terms.objects.order_by().values_list(Value(place), F("pk"), Cast(field, CharField()))
        for place, (terms, fields) in enumerate(NAMES.items())
        for field in fields
    ]
    names: dict[type[Model], list[tuple[int, str]]] = {terms: [] for terms in NAMES}
    tables = list(NAMES)
    for place, key, name in queries[0].union(*queries[1:], all=True):
        names[tables[place]].append((key, name))
    return names

"""How sources write a term: what counts as one spelling, which term a word means, and the nearest
ones.
"""

import unicodedata
from difflib import get_close_matches

from django.core.exceptions import ValidationError
from django.db import models

from .base import Keyed, KeyedQuerySet

APOSTROPHES = "'’‘`´"


def fold_spelling(text: str) -> str:
    """What spellings that count as one have in common: case, spaces, hyphens, underscores and
    apostrophes make no difference, nor do full-width or raised letters.
    """
    return "".join(
        letter
        for letter in unicodedata.normalize("NFKC", text).casefold()
        if not letter.isspace()
        and letter not in APOSTROPHES
        and unicodedata.category(letter) not in ("Pd", "Pc", "Cf")  # dashes, joiners, soft hyphens
    )


def synonyms_field() -> models.TextField:
    """The field of a vocabulary's model that `Spelled.spellings` reads."""
    return models.TextField(
        blank=True,
        help_text="Other spellings, separated by semicolons. Whoever enters one of them enters "
        "this.",
    )


def in_use_field() -> models.BooleanField:
    """The field of a vocabulary's model that says whether a term is offered."""
    return models.BooleanField(
        default=True,
        help_text="Off: not offered for new records. Records that have it keep it.",
    )


class SpelledQuerySet(KeyedQuerySet):
    def get_by_natural_key(self, *key):
        """By its code, or else by any of its spellings."""
        try:
            return super().get_by_natural_key(*key)
        except self.model.DoesNotExist:
            term = find_term(self.model, key[0]) if isinstance(key[0], str) else None
            if term is None:
                raise
            return term


class Spelled(Keyed):
    """A term of a vocabulary, which sources spell in several ways. `NAMES` are the fields that hold
    its own names; it has the fields `synonyms` and `in_use` too.
    """

    NAMES: tuple[str, ...] = ("code", "label")

    objects = SpelledQuerySet.as_manager()

    class Meta:
        abstract = True

    def own_names(self) -> dict[str, list[str]]:
        """The names that stand in its own fields, by field."""
        return {name: [getattr(self, name)] for name in self.NAMES}

    def spellings(self) -> list[str]:
        """Every spelling that is understood as this term: its own names and its synonyms."""
        return [spelling for names in self._spelt_in().values() for spelling in names]

    def _spelt_in(self) -> dict[str, list[str]]:
        names = self.own_names() | {"synonyms": self.synonyms.split(";")}
        return {
            field: [text.strip() for text in texts if fold_spelling(text)]
            for field, texts in names.items()
        }

    def taken_spellings(self) -> list[tuple[str, str, "Spelled"]]:
        """Its spellings that another term has already: the field, the spelling, the other term."""
        others = type(self)._default_manager.exclude(
            **{"pk": self.pk} if self.pk else {name: getattr(self, name) for name in self.KEY}
        )
        taken = {fold_spelling(text): other for other in others for text in other.spellings()}
        return [
            (field, text, taken[fold_spelling(text)])
            for field, texts in self._spelt_in().items()
            for text in texts
            if fold_spelling(text) in taken
        ]

    def clean(self):
        super().clean()
        errors: dict[str, list[str]] = {}
        for field, text, other in self.taken_spellings():
            errors.setdefault(field, []).append(f"“{text}” is a spelling of “{other}” already.")
        if errors:
            raise ValidationError(errors)


def terms_by_spelling(model: type[Spelled]) -> dict[str, Spelled]:
    """Every folded spelling of a vocabulary with its term, in one query. Where two terms have one
    spelling it is that of the term whose own name it is.
    """
    terms = list(model._default_manager.all())
    found: dict[str, Spelled] = {}
    for texts_of in (
        lambda term: [text for texts in term.own_names().values() for text in texts],
        Spelled.spellings,
    ):
        for term in terms:
            for text in texts_of(term):
                found.setdefault(fold_spelling(text), term)
    found.pop("", None)
    return found


def find_term(model: type[Spelled], text: str) -> Spelled | None:
    """The term a word means, by any of its spellings, whether it is in use or not; None where no
    term has it. Many words are looked up in `terms_by_spelling`.
    """
    return terms_by_spelling(model).get(fold_spelling(text))


def nearest_terms(model: type[Spelled], text: str, n: int = 3) -> list[Spelled]:
    """Up to n terms in use that are spelled most like a word, the nearest first."""
    offered = {spelling: term for spelling, term in terms_by_spelling(model).items() if term.in_use}
    close = get_close_matches(fold_spelling(text), offered, n=max(len(offered), 1))
    return list(dict.fromkeys(offered[spelling] for spelling in close))[:n]

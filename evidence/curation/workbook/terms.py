"""Terms of the vocabularies by what curators write for them."""

import re
import unicodedata
from difflib import get_close_matches
from typing import Generic, TypeVar

from ...models.base import Keyed

T = TypeVar("T")
NEAREST = 3
LONGEST = 80  # characters of a word that may be a misspelled term
APOSTROPHES = "'’‘`´"
PARENTHESES = re.compile(r"^(.*?)\s*\(([^()]*)\)$")


def fold_spelling(text: str) -> str:
    """What spellings that count as one have in common: case, spaces, hyphens, underscores and
    apostrophes make no difference, nor do full-width or raised letters.
    """
    return "".join(
        letter
        for letter in unicodedata.normalize("NFKC", text).casefold()
        if not letter.isspace()
        and letter not in APOSTROPHES
        and unicodedata.category(letter) not in ("Pd", "Pc", "Cf")
    )


def label_of(term: Keyed) -> str:
    return str(term)


def code_of(term: Keyed) -> str:
    return term.natural_key()[0]


def synonyms_of(term: Keyed) -> list[str]:
    """Other spellings of a term: its synonyms and, of a drug, its brands."""
    texts = [*getattr(term, "synonyms", "").split(";"), *getattr(term, "brand", "").split("/")]
    return [text.strip() for text in texts if text.strip()]


def shorter_labels(label: str) -> list[str]:
    """“Interstitial lung disease” and “ILD” of “Interstitial lung disease (ILD)”."""
    found = PARENTHESES.match(label)
    return [found[1], found[2]] if found else []


class Spellings(Generic[T]):
    """What each spelling means, and the nearest ones to a word that means nothing."""

    def __init__(self, *levels: list[tuple[str, T]], labels: dict[T, str]):
        """Of two meanings of one spelling that of the first level counts; where one level has two,
        none does.
        """
        self.meanings: dict[str, T] = {}
        self.labels = labels
        for level in levels:
            own: dict[str, set[T]] = {}
            for spelling, meaning in level:
                own.setdefault(fold_spelling(spelling), set()).add(meaning)
            for folded, meanings in own.items():
                if folded and len(meanings) == 1:
                    self.meanings.setdefault(folded, *meanings)

    def find(self, text: str) -> T | None:
        return self.meanings.get(fold_spelling(text))

    def nearest(self, text: str) -> tuple[str, ...]:
        """Labels of the meanings spelled most like a word, the nearest first."""
        if len(text) > LONGEST:
            return ()
        close = get_close_matches(fold_spelling(text), self.meanings, n=3 * NEAREST)
        return tuple(dict.fromkeys(self.labels[self.meanings[one]] for one in close))[:NEAREST]


def read_terms(model: type[Keyed]) -> Spellings[str]:
    """The codes of a vocabulary by their spellings; one query."""
    terms = list(model._default_manager.all())
    return Spellings(
        [(text, code_of(term)) for term in terms for text in (code_of(term), label_of(term))],
        [(text, code_of(term)) for term in terms for text in synonyms_of(term)],
        [(text, code_of(term)) for term in terms for text in shorter_labels(label_of(term))],
        labels={code_of(term): label_of(term) for term in terms},
    )

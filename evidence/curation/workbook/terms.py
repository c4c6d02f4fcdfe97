"""Terms of the vocabularies by what curators write for them."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Generic, TypeVar

from ...models.spellings import Spelled, fold_spelling

T = TypeVar("T")
NEAREST = 3
LONGEST = 80  # characters of a word that may be a misspelled term
PARENTHESES = re.compile(r"^(.*?)\s*\(([^()]*)\)$")


def label_of(term: Spelled) -> str:
    return str(term)


def code_of(term: Spelled) -> str:
    return term.natural_key()[0]


def other_spellings(term: Spelled) -> list[str]:
    """Spellings of a term beside its code and its label."""
    own = (code_of(term), label_of(term))
    return [text for text in dict.fromkeys(term.spellings()) if text not in own]


def shorter_labels(label: str) -> list[str]:
    """“Interstitial lung disease” and “ILD” of “Interstitial lung disease (ILD)”."""
    found = PARENTHESES.match(label)
    return [found[1], found[2]] if found else []


class Spellings(Generic[T]):
    """What each spelling means, and the nearest ones to a word that means nothing."""

    def __init__(self, *levels: list[tuple[str, T]], labels: dict[T, str], offered: Iterable[T]):
        """`labels` are those of all meanings, `offered` the ones that `nearest` may name.

        Of two meanings of one spelling that of the first level counts; where one level has two,
        none does.
        """
        self.meanings: dict[str, T] = {}
        self.labels, self.offered = labels, set(offered)
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
        offered = [one for one, meaning in self.meanings.items() if meaning in self.offered]
        close = get_close_matches(fold_spelling(text), offered, n=3 * NEAREST)
        return tuple(dict.fromkeys(self.labels[self.meanings[one]] for one in close))[:NEAREST]


def read_terms(model: type[Spelled]) -> Spellings[str]:
    """The codes of a vocabulary by their spellings, in use or not; one query. Parts of labels are
    spellings too, where no other term has them.
    """
    terms = list(model._default_manager.all())
    own = [
        (text, code_of(term))
        for term in terms
        for texts in term.own_names().values()
        for text in texts
    ]
    return Spellings(
        own,
        [(text, code_of(term)) for term in terms for text in term.spellings()],
        [(text, code_of(term)) for term in terms for text in shorter_labels(label_of(term))],
        labels={code_of(term): label_of(term) for term in terms},
        offered=[code_of(term) for term in terms if term.in_use],
    )

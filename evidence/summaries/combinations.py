"""Values that occur together: the combinations of a cohort, and a chosen set under each match
word.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import islice

from ..counting import Tally
from ..models.choices import Match, YesNo
from ..questions.filters import SETS
from ..questions.question import MatchedSet, Question
from ..questions.vocabulary import Vocabulary
from .asked_for import is_set_asked_for
from .shares import (
    ASKED_FOR,
    Share,
    Summary,
    group_digits,
    known_of,
    make_share,
    pluralize,
)

COMBINED = {
    "indication": "indication_set",
    "manifestation": "manifestation_set",
    "prior": "prior_set",
}
NO_SET = {
    "indication": "None, as stated",
    "manifestation": "None of them present",
    "prior": "None, as stated",
}


@dataclass(frozen=True)
class Combinations:
    """The sets of values that occur together, each exactly, in patients whose list is whole; and
    each value by itself, in whatever set.

    `none` counts those in whom it is known that there is none. In a set's share, `key` holds its
    codes joined by +. `at_least` has the sets (key, label, patients) of lists that may not be
    complete; their patients have these, and perhaps more, so they are in no share.
    """

    kind: str
    sets: list[Share]
    values: list[tuple[str, str, int]]  # code, label, patients
    none: Share | None
    at_least: list[tuple[str, str, int]]

    @property
    def at_least_text(self) -> str:
        """“2 more have at least these: Joints (2).”, or nothing."""
        if not self.at_least:
            return ""
        first_sets, patients = self.at_least[:5], sum(count for _, _, count in self.at_least)
        listed_text = ", ".join(
            f"{label} ({group_digits(count)})" for _, label, count in first_sets
        )
        more_count = len(self.at_least) - len(first_sets)
        more_text = f" and {pluralize(more_count, 'other combinations')}" if more_count else ""
        verb = "has" if patients == 1 else "have"
        return (
            f"{pluralize(patients, 'more')} {verb} at least these, but their lists may not be "
            f"complete: {listed_text}{more_text}."
        )


def value_combinations(question: Question, kind: str, vocabulary: Vocabulary) -> Summary:
    """The combinations of indications, of manifestations or of prior therapies, most frequent
    first; counts only where the question asks for one exactly.
    """
    list_is_complete, combined = f"whole:{kind}", COMBINED[kind]
    in_view, by_set, by_value, not_known, known_sets = yield [
        Tally(question, ("reading",)),
        Tally(question, (combined, list_is_complete)),
        Tally(question, (kind,)),
        Tally(question, ("reading",), open_in=list_is_complete),
        Tally(question, (combined, list_is_complete, "reading"), open_in=list_is_complete),
    ]
    complete_sets = Counter(
        {
            (key, reading): n
            for (key, is_complete, reading), n in known_sets.items()
            if is_complete == YesNo.YES
        }
    )

    def ranked_sets(is_complete: YesNo) -> list[tuple[str, int]]:
        sets = [
            (key, n)
            for (key, completeness), n in by_set.items()
            if key and completeness == is_complete
        ]
        return sorted(sets, key=lambda key_and_count: (-key_and_count[1], key_and_count[0]))

    asked_for = ASKED_FOR if is_set_asked_for(question, kind) else ""

    def set_share(label: str, key: str, count: int) -> Share:
        return make_share(
            label,
            count,
            known_of(key, in_view, not_known, complete_sets),
            in_view,
            key=key,
            asked_for=asked_for,
        )

    none_count = by_set[("", YesNo.YES.value)]
    return Combinations(
        kind,
        [
            set_share(vocabulary.set_label(key, kind), key, count)
            for key, count in ranked_sets(YesNo.YES)
        ],
        [
            (code, label, by_value[(code,)])
            for code, label in vocabulary.terms[kind].items()
            if by_value[(code,)]
        ],
        set_share(NO_SET[kind], "", none_count) if none_count else None,
        [(key, vocabulary.set_label(key, kind), count) for key, count in ranked_sets(YesNo.NO)],
    )


def indication_sets(question: Question, vocabulary: Vocabulary) -> Summary:
    """Each combination of indications given together: patients, of those whose list of indications
    is whole.
    """
    combinations = yield from value_combinations(question, "indication", vocabulary)
    return combinations.sets


@dataclass(frozen=True)
class Matches:
    """How many patients a chosen set has under each match word, and the question that asks for
    it.
    """

    label: str
    codes: str
    # match word, question, patients, whether it is what is asked
    counts: list[tuple[str, Question, int, bool]]


def match_counts(question: Question, vocabulary: Vocabulary) -> Summary:
    """For each set that is asked for: any, all, exactly and none of it, side by side, under the
    rest.
    """
    set_parts = [(name, value) for name, value in question if name in SETS]
    variants = [
        (match, question.with_part(name, MatchedSet(value.codes, str(match.value))))
        for name, value in set_parts
        for match in Match
    ]
    counters = iter((yield [Tally(variant) for _, variant in variants]))
    results, remaining = [], iter(variants)
    for name, value in set_parts:
        counts = [
            (match.label, variant, next(counters)[()], match == value.match)
            for match, variant in islice(remaining, len(Match))
        ]
        labels = ", ".join(vocabulary.label(SETS[name].kind, code) for code in value.codes)
        results.append(Matches(SETS[name].label, labels, counts))
    return results

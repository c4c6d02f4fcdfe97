"""Values that occur together: the combinations of a cohort, and a chosen set under each match word."""

from dataclasses import dataclass
from itertools import islice

from ..counting import Tally
from ..models.choices import Match
from ..questions.filters import SETS
from ..questions.question import MatchedSet, Question
from ..questions.vocabulary import Vocabulary
from .cohort import known_by_reason
from .shares import Share, Summary, make_share, yes_part

COMBINED = {"indication": "indication_set", "manifestation": "manifestation_set", "prior": "prior_set"}
NO_SET = {"manifestation": "None of them present", "prior": "None, as stated"}


@dataclass(frozen=True)
class Combinations:
    """The sets of values that occur together, each exactly, in patients; and each value by itself, in whatever set.

    `none` counts those in whom it is known that there is none. In a set's share, `key` holds its codes joined by +.
    """

    kind: str
    sets: list[Share]
    values: list[tuple[str, str, int]]  # code, label, patients
    none: Share | None


def value_combinations(question: Question, kind: str, vocabulary: Vocabulary) -> Summary:
    """The combinations of indications, of manifestations or of prior therapies, most frequent first."""
    in_view, by_set, by_value, by_known = yield [
        Tally(question, ("reading",)),
        Tally(question, (COMBINED[kind],)),
        Tally(question, (kind,)),
        known_by_reason(question, kind),
    ]
    known = yes_part(by_known)
    found = sorted(((key, n) for (key,), n in by_set.items() if key), key=lambda each: (-each[1], each[0]))
    without = sum(known.values()) - sum(times for _, times in found)
    return Combinations(
        kind,
        [make_share(vocabulary.set_label(key, kind), times, known, in_view, key=key) for key, times in found],
        [(code, label, by_value[(code,)]) for code, label in vocabulary.terms[kind].items() if by_value[(code,)]],
        make_share(NO_SET[kind], without, known, in_view) if kind in NO_SET and without > 0 else None,
    )


@dataclass(frozen=True)
class Matches:
    """How many patients a chosen set has under each match word, and the question that asks for it."""

    label: str
    codes: str
    counts: list[tuple[str, Question, int, bool]]  # match word, question, patients, whether it is what is asked


def match_counts(question: Question, vocabulary: Vocabulary) -> Summary:
    """For each set that is asked for: any, all, exactly and none of it, side by side, under the rest."""
    sets = [(name, value) for name, value in question if name in SETS]
    asked = [
        (match, question.with_part(name, MatchedSet(value.codes, str(match.value))))
        for name, value in sets
        for match in Match
    ]
    counters = iter((yield [Tally(each) for _, each in asked]))
    found, left = [], iter(asked)
    for name, value in sets:
        counts = [
            (match.label, each, next(counters)[()], match == value.match) for match, each in islice(left, len(Match))
        ]
        labels = ", ".join(vocabulary.label(SETS[name].kind, code) for code in value.codes)
        found.append(Matches(SETS[name].label, labels, counts))
    return found

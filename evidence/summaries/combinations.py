"""Values that occur together: the combinations of a cohort, and a chosen set under each match word."""

from collections import Counter
from dataclasses import dataclass
from itertools import islice

from ..counting import Tally
from ..models.choices import Match, YesNo
from ..questions.filters import SETS
from ..questions.question import MatchedSet, Question
from ..questions.vocabulary import Vocabulary
from .shares import Share, Summary, known_of, make_share, pluralize

COMBINED = {"indication": "indication_set", "manifestation": "manifestation_set", "prior": "prior_set"}
NO_SET = {"indication": "None, as stated", "manifestation": "None of them present", "prior": "None, as stated"}


@dataclass(frozen=True)
class Combinations:
    """The sets of values that occur together, each exactly, in patients whose list is whole; and each value by itself,
    in whatever set.

    `none` counts those in whom it is known that there is none. In a set's share, `key` holds its codes joined by +.
    `at_least` has the sets (key, label, patients) of lists that may not be complete; their patients have these, and
    perhaps more, so they are in no share.
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
        told, patients = self.at_least[:5], sum(times for _, _, times in self.at_least)
        listed = ", ".join(f"{label} ({times})" for _, label, times in told)
        others = len(self.at_least) - len(told)
        more = f" and {pluralize(others, 'other combinations')}" if others else ""
        verb = "has" if patients == 1 else "have"
        return (
            f"{pluralize(patients, 'more')} {verb} at least these, but their lists may not be complete: {listed}{more}."
        )


def value_combinations(question: Question, kind: str, vocabulary: Vocabulary) -> Summary:
    """The combinations of indications, of manifestations or of prior therapies, most frequent first."""
    whole, combined = f"whole:{kind}", COMBINED[kind]
    in_view, by_set, by_value, not_known, settled = yield [
        Tally(question, ("reading",)),
        Tally(question, (combined, whole)),
        Tally(question, (kind,)),
        Tally(question, ("reading",), open_in=whole),
        Tally(question, (combined, whole, "reading"), open_in=whole),
    ]
    exactly = Counter({(key, reading): n for (key, said, reading), n in settled.items() if said == YesNo.YES})

    def ranked(said: YesNo) -> list[tuple[str, int]]:
        found = [(key, n) for (key, each), n in by_set.items() if key and each == said]
        return sorted(found, key=lambda each: (-each[1], each[0]))

    def share(label: str, key: str, times: int) -> Share:
        return make_share(label, times, known_of(key, in_view, not_known, exactly), in_view, key=key)

    without = by_set[("", YesNo.YES.value)]
    return Combinations(
        kind,
        [share(vocabulary.set_label(key, kind), key, times) for key, times in ranked(YesNo.YES)],
        [(code, label, by_value[(code,)]) for code, label in vocabulary.terms[kind].items() if by_value[(code,)]],
        share(NO_SET[kind], "", without) if without else None,
        [(key, vocabulary.set_label(key, kind), times) for key, times in ranked(YesNo.NO)],
    )


def indication_sets(question: Question, vocabulary: Vocabulary) -> Summary:
    """Each combination of indications given together: patients, of those whose list of indications is whole."""
    found = yield from value_combinations(question, "indication", vocabulary)
    return found.sets


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

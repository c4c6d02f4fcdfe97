"""The options of each filter with the number of patients each leads to, and close questions where
none match.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ..counting import Tally
from ..models import ATTRIBUTES
from ..models.choices import Match
from ..questions.filters import FILTERS, SETS, AnyOf, Bound, NotKnown, Search
from ..questions.question import MatchedSet, Question
from ..questions.vocabulary import Vocabulary
from .shares import Summary, run_together

OPEN = {"inhibitor", "indication", "response"}
MOST_OPTIONS = 40  # of a filter; where there are more values, the most frequent are offered


@dataclass(frozen=True)
class Option:
    """One value: `count` patients carry it (any of), or are left once it is ticked too (all,
    exactly, none of).
    """

    code: str
    label: str
    count: int
    chosen: bool


@dataclass(frozen=True)
class Facet:
    """One filter as the form shows it."""

    name: str
    label: str
    options: list[Option]
    match: str = ""  # a match word, for sets
    note: str = ""
    left_out: int = 0  # values that stand in no option, because there are too many to choose from

    @property
    def open(self) -> bool:
        """Whether the form shows the options without being asked: what is chosen, and what is asked
        most.
        """
        return self.name in OPEN or any(option.chosen for option in self.options)


def filter_facets(
    question: Question, vocabulary: Vocabulary, matches: Mapping[str, str]
) -> Summary:
    """All facets. `matches` holds the match words of the address, which count also before a value
    is chosen.
    """
    plans = [
        facet_summary(name, question, vocabulary, matches)
        for name in FILTERS
        if not isinstance(FILTERS[name], Bound | Search)
    ]
    return (yield from run_together(plans))


def facet_summary(
    name: str, question: Question, vocabulary: Vocabulary, matches: Mapping[str, str]
) -> Summary:
    url_filter = FILTERS[name]
    if isinstance(url_filter, AnyOf):
        return scalar_facet(name, question, url_filter.options(vocabulary))
    if isinstance(url_filter, NotKnown):
        return missing_facet(name, question, url_filter.options(vocabulary))
    return set_facet(name, question, vocabulary, matches.get(name, Match.ANY))


def scalar_facet(name: str, question: Question, labels: dict[str, str]) -> Summary:
    """Patients with each value, under the rest of the question."""
    others, chosen_codes = question.without(name), question.value(name, ())
    if FILTERS[name].several:
        counters = yield [Tally(others.with_part(name, (code,))) for code in labels]
        by_value, shown_codes = (
            {(code,): counter[()] for code, counter in zip(labels, counters, strict=True)},
            labels,
        )
    elif len(labels) <= MOST_OPTIONS:
        (by_value,) = yield [Tally(others, (name,))]
        shown_codes = labels
    else:
        by_value, *chosen_counters = yield [
            Tally(others, (name,), most=MOST_OPTIONS),
            *(Tally(others.with_part(name, (code,))) for code in chosen_codes),
        ]
        by_value |= {
            (code,): counter[()]
            for code, counter in zip(chosen_codes, chosen_counters, strict=True)
        }
        shown_codes = sorted(
            (code for (code,) in by_value),
            key=lambda code: (-by_value[(code,)], labels[code].lower()),
        )
    options = [
        Option(code, labels[code], by_value[(code,)], code in chosen_codes) for code in shown_codes
    ]
    return Facet(name, FILTERS[name].label, options, left_out=len(labels) - len(options))


def set_facet(name: str, question: Question, vocabulary: Vocabulary, match: str) -> Summary:
    """Under any of: patients with each value. Otherwise: patients left if this value is chosen as
    well.
    """
    labels = vocabulary.terms[SETS[name].kind]
    chosen = question.value(name) or MatchedSet((), match)
    if chosen.match in (Match.EXACTLY, Match.NONE):
        counters = yield [
            Tally(question.with_part(name, chosen.with_code(code))) for code in labels
        ]
        counts = {code: counter[()] for code, counter in zip(labels, counters, strict=True)}
    else:
        base = question.without(name) if chosen.match == Match.ANY else question
        (by_value,) = yield [Tally(base, (name,))]
        counts = {code: by_value[(code,)] for code in labels}
    options = [
        Option(code, label, counts[code], code in chosen.codes) for code, label in labels.items()
    ]
    return Facet(name, SETS[name].label, options, str(chosen.match), SETS[name].note)


def missing_facet(name: str, question: Question, labels: dict[str, str]) -> Summary:
    """Patients of whom each attribute is not known; by reason too, where both reasons occur or one
    is asked for.
    """
    others, chosen_codes = question.without(name), question.value(name, ())
    counters = yield [Tally(others, (f"known:{attribute}", "reading")) for attribute in ATTRIBUTES]
    options = []
    for attribute, counter in zip(ATTRIBUTES, counters, strict=True):
        by_reason = {
            reading: count
            for (is_known, reading), count in counter.items()
            if is_known == "no" and count
        }
        counts = {attribute: sum(by_reason.values())}
        for reason in ("not-reported", "not-extracted"):
            code = f"{attribute}.{reason}"
            if len(by_reason) > 1 or code in chosen_codes:
                counts[code] = by_reason.get(reason, 0)
        options += [
            Option(code, labels[code], count, code in chosen_codes)
            for code, count in counts.items()
            if count or code in chosen_codes
        ]
    return Facet(name, FILTERS[name].label, options)


@dataclass(frozen=True)
class Nearest:
    """A question close to one that nobody answers, and how many patients answer it."""

    text: str
    question: Question
    patients: int


LOOSER = {Match.EXACTLY: [Match.ALL, Match.ANY], Match.ALL: [Match.ANY]}


def looser_sets(asked: MatchedSet) -> list[MatchedSet]:
    """The same codes with each looser match word. “All of” one code is “any of” it, so it is left
    out.
    """
    return [
        MatchedSet(asked.codes, str(match.value))
        for match in LOOSER.get(asked.match, [])
        if len(asked.codes) > 1 or (match == Match.ANY and asked.match != Match.ALL)
    ]


def nearest_questions(question: Question, vocabulary: Vocabulary) -> Summary:
    """Where nobody matches: the question with one part dropped or loosened, most patients first.

    If even that finds nobody, each part on its own.
    """
    closer = [
        (
            f"without “{FILTERS[part_name].in_words(part_value, vocabulary)}”",
            question.without(part_name),
        )
        for part_name, part_value in question
    ]
    for name, value in question:
        if isinstance(value, MatchedSet):
            for looser in looser_sets(value):
                closer.append(
                    (
                        f"with “{FILTERS[name].in_words(looser, vocabulary)}”",
                        question.with_part(name, looser),
                    )
                )
    single_parts = [
        (f"only “{FILTERS[part_name].in_words(part_value, vocabulary)}”", question.only(part_name))
        for part_name, part_value in question
    ]
    counters = yield [Tally(nearby) for _, nearby in closer + single_parts]
    results = [
        Nearest(text, nearby, counter[()])
        for (text, nearby), counter in zip(closer + single_parts, counters, strict=True)
    ]
    for candidates in (results[: len(closer)], results[len(closer) :]):
        reachable = [
            nearest for nearest in candidates if nearest.patients and nearest.question.parts
        ]
        if reachable:
            return sorted(reachable, key=lambda nearest: -nearest.patients)
    return []

"""Two questions side by side: the same shares of both, and how they differ, by exact methods."""

from dataclasses import dataclass
from math import isfinite, isnan

from ..counting import Tally, count_shared_patients
from ..models import LISTS
from ..models.choices import Sex, Subset
from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from ..statistics import TwoByTwo, exact_comparison, newcombe_interval
from .asked_for import DECIDED_BY
from .cohort import AgeAndSex, Answer, age_and_sex, headline_shares, match_summary
from .outcomes import outcome_rule, outcomes_by_domain
from .shares import (
    ASKED_FOR,
    Share,
    Summary,
    format_number,
    known_of,
    known_tallies,
    make_share,
    run_summaries,
    run_together,
)

FEWEST = 5  # patients known in a group, under which no p-value is printed
SIMULATED = "simulated: no test"  # why simulated records have no p-value
NOBODY = "not known on either side"


@dataclass(frozen=True)
class Profile:
    """The shares of one cohort that are compared, by heading and key."""

    answer: Answer
    people: AgeAndSex
    shares: dict[str, dict[str, Share]]


def cohort_profile(question: Question, vocabulary: Vocabulary) -> Summary:
    found, ages, said, sexes, subsets, indications, domains, events = yield from run_together(
        [
            match_summary(question),
            age_and_sex(question),
            headline_shares(question),
            shares_by_value(question, "sex", {Sex.FEMALE.value: Sex.FEMALE.label}),
            shares_by_value(question, "subset", {each.value: each.label for each in Subset if each != Subset.UNKNOWN}),
            shares_by_value(question, "indication", vocabulary.terms["indication"]),
            outcomes_by_domain(question, every=True),
            shares_by_value(question, "adverse_event", vocabulary.terms["adverse_event"]),
        ]
    )
    shares = {
        "Who they are": sexes | subsets,
        "What it was given for (alone or with others)": indications,
        "What happened": {each.key: each for each in said},
        "Improved, by domain": {each.key: each for each in domains},
        "Adverse events, by category": events,
    }
    return Profile(found, ages, shares)


def shares_by_value(question: Question, name: str, labels: dict[str, str]) -> Summary:
    """A share for each of these values of an attribute, of those in whom it is known whether they have it."""
    listed = LISTS.get(name)
    settling = [name, f"{name}_absent"] if listed and listed.looked_for else [name]
    in_view, by_value, *known = yield [
        Tally(question, ("reading",)),
        Tally(question, (name,)),
        *known_tallies(question, f"whole:{name}" if listed else f"known:{name}", *settling),
    ]
    return {
        code: make_share(label, by_value[(code,)], known_of(code, in_view, *known), in_view, key=code)
        for code, label in labels.items()
    }


@dataclass(frozen=True)
class Row:
    """One share of both cohorts. `difference` is of the first minus the second, with its interval, in percentage
    points; `exact` holds the odds ratio; both are None where they would mislead, and `why` says so.
    Where not `tested`, no p-value is printed whatever the counts.
    """

    label: str
    one: Share
    other: Share
    difference: tuple[float, float, float] | None
    exact: TwoByTwo | None
    why: str = ""
    tested: bool = True

    @property
    def few(self) -> bool:
        """Whether a group is too small for a p-value."""
        return min(self.one.known, self.other.known) < FEWEST

    @property
    def difference_text(self) -> str:
        if self.difference is None:
            return ""
        value, low, high = (format_number(each).replace("-", "−") for each in self.difference)
        return f"{value} ({low} to {high})"

    @property
    def odds_text(self) -> str:
        if self.exact is None or isnan(self.exact.odds_ratio):
            return ""
        return (
            f"{format_ratio(self.exact.odds_ratio)} ({format_ratio(self.exact.low)} to {format_ratio(self.exact.high)})"
        )

    @property
    def p_text(self) -> str:
        """The central exact p, which agrees with the interval; empty where none is printed."""
        if self.exact is None or self.few or not self.tested:
            return ""
        return "< 0.001" if self.exact.p < 0.001 else format_number(min(self.exact.p, 1), 3)

    @property
    def told(self) -> str:
        """Why something is not given, for a page that says once why simulated records are not tested."""
        return "" if self.why == SIMULATED else self.why


def format_ratio(value: float) -> str:
    """To two decimals. “0” is a ratio that no data bound below; one too small to print is not 0."""
    if not isfinite(value):
        return "∞"
    if not value:
        return "0"
    return format_number(value, 2) if value >= 0.005 else "< 0.01"


def comparison_row(
    heading: str, one: Share, other: Share, overlap: int, asked: set[str], *, tested: bool = True
) -> Row:
    """Two shares compared. Patients who are in both cohorts cannot be compared with themselves, and what a question
    asks for (`asked` holds the names of its parts) is no finding. Not `tested`, no p-value is given.
    """
    if asked & (DECIDED_BY.get(one.key) or DECIDED_BY.get(heading, set())):
        return Row(one.label, one, other, None, None, ASKED_FOR)
    if not one.known and not other.known:
        return Row(one.label, one, other, None, None, one.why or NOBODY)
    if not one.known or not other.known:
        return Row(one.label, one, other, None, None, one.why or other.why or "known in nobody of one side")
    if overlap:
        return Row(one.label, one, other, None, None, "the cohorts share patients")
    counts = (one.count, one.known, other.count, other.known)
    low, high = newcombe_interval(*counts)
    difference = (one.percent - other.percent, 100 * low, 100 * high)
    exact = exact_comparison(*counts)
    why = f"under {FEWEST} known" if min(counts[1::2]) < FEWEST else ""
    return Row(one.label, one, other, difference, exact, why if tested else SIMULATED, tested)


@dataclass(frozen=True)
class SideBySide:
    """Two cohorts compared. `overlap` patients are in both; `tested` says whether p-values are given."""

    one: Answer
    other: Answer
    people: AgeAndSex
    other_people: AgeAndSex
    overlap: int
    groups: list[tuple[str, list[Row]]]
    tested: bool = True
    outcome_rule: str = ""  # which outcome of a patient counts by domain, on each side

    @property
    def methods(self) -> tuple[str, str]:
        """The names of the interval of the odds ratio and of the p."""
        return TwoByTwo.interval_method, TwoByTwo.p_method

    @property
    def patients(self) -> tuple[int, int]:
        return self.one.matching, self.other.matching

    @property
    def tests(self) -> int:
        """How many p-values are printed."""
        return sum(bool(row.p_text) for _, rows in self.groups for row in rows)

    @property
    def overlap_text(self) -> str:
        one, other = self.patients
        if not self.overlap:
            return f"No patient is in both: {one} only in A, {other} only in B."
        return f"{self.overlap} in both, {one - self.overlap} only in A, {other - self.overlap} only in B."


# Shown also where nobody has it; elsewhere only what occurs, or is known of nobody.
WHOLE = {"What happened", "Improved, by domain"}


def side_by_side(one: Question, other: Question, vocabulary: Vocabulary) -> SideBySide:
    """Compares the patients who answer one question with those who answer another, of one collection.

    A simulated collection has no p-values: its associations come from how it was drawn.
    """
    tested = not one.collection.is_simulated
    first, second = run_summaries(cohort_profile(one, vocabulary), cohort_profile(other, vocabulary))
    overlap = count_shared_patients(one, other)
    asked = {name for name, _ in (*one, *other)}
    groups = []
    for heading, shares in first.shares.items():
        rows = [
            comparison_row(heading, share, second.shares[heading][key], overlap, asked, tested=tested)
            for key, share in shares.items()
            if key in second.shares[heading]
        ]
        if heading not in WHOLE:
            rows = [each for each in rows if each.one.count or each.other.count or known_of_nobody(each)]
        if rows:
            groups.append((heading, rows))
    return SideBySide(
        first.answer,
        second.answer,
        first.people,
        second.people,
        overlap,
        groups,
        tested,
        outcome_rule_of_both(one, other),
    )


def outcome_rule_of_both(one: Question, other: Question) -> str:
    """Which outcomes count by domain, where both sides ask for the same months, and where they do not."""
    if one.outcome_months == other.outcome_months:
        return f"By domain: {outcome_rule(one)}"
    return f"By domain: A: {outcome_rule(one)} B: {outcome_rule(other)}"


def known_of_nobody(row: Row) -> bool:
    """Whether a row says only that it is not known; that is worth a line, being no absence."""
    return not row.one.known and not row.other.known

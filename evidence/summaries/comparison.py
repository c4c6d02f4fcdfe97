"""Two questions side by side: the same shares of both, and how they differ, by exact methods."""

from dataclasses import dataclass
from functools import partial
from math import isfinite, isnan

from ..counting import Tally, count_shared_patients
from ..models import LISTS
from ..models.choices import Sex, Subset
from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from ..statistics import TwoByTwo, exact_comparison, newcombe_interval
from .asked_for import DECIDED_BY, is_value_asked_for
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

GIVEN_FOR = "What it was given for (alone or with others)"
BY_DOMAIN = "Improved, by domain"  # heading of the rows that `outcome_rule` is about
BY_CATEGORY = "Adverse events, by category"
# What a row's label needs before it where it stands without its heading: skin is an indication and
# a domain.
LABEL_PREFIXES = {GIVEN_FOR: "Given for", BY_DOMAIN: "Improved", BY_CATEGORY: "Adverse event"}
FEWEST = 5  # patients known in a group, under which no p-value is printed
SIMULATED = "simulated: no test"  # why simulated records have no p-value
NOBODY = "not known on either side"


@dataclass(frozen=True)
class Profile:
    """The shares of one cohort that are compared, by heading and key."""

    match: Answer
    demographics: AgeAndSex
    shares: dict[str, dict[str, Share]]


def cohort_profile(question: Question, vocabulary: Vocabulary) -> Summary:
    (
        match,
        demographics,
        headlines,
        sexes,
        subsets,
        indications,
        domains,
        events,
    ) = yield from run_together(
        [
            match_summary(question),
            age_and_sex(question),
            headline_shares(question),
            shares_by_value(question, "sex", {Sex.FEMALE.value: Sex.FEMALE.label}),
            shares_by_value(
                question,
                "subset",
                {subset.value: subset.label for subset in Subset if subset != Subset.UNKNOWN},
            ),
            shares_by_value(question, "indication", vocabulary.terms["indication"]),
            outcomes_by_domain(question, every_domain=True),
            shares_by_value(question, "adverse_event", vocabulary.terms["adverse_event"]),
        ]
    )
    shares = {
        "Who they are": sexes | subsets,
        GIVEN_FOR: indications,
        "What happened": {headline.key: headline for headline in headlines},
        BY_DOMAIN: {domain.key: domain for domain in domains},
        BY_CATEGORY: events,
    }
    return Profile(match, demographics, shares)


def shares_by_value(question: Question, name: str, labels: dict[str, str]) -> Summary:
    """A share for each of these values of an attribute, of those in whom it is known whether they
    have it; a count only where the question decides it.
    """
    term_list = LISTS.get(name)
    settling = [name, f"{name}_absent"] if term_list and term_list.looked_for else [name]
    in_view, by_value, *known_counters = yield [
        Tally(question, ("reading",)),
        Tally(question, (name,)),
        *known_tallies(question, f"whole:{name}" if term_list else f"known:{name}", *settling),
    ]
    return {
        code: make_share(
            label,
            by_value[(code,)],
            known_of(code, in_view, *known_counters),
            in_view,
            key=code,
            asked_for=ASKED_FOR if is_value_asked_for(question, name, code) else "",
        )
        for code, label in labels.items()
    }


@dataclass(frozen=True)
class Row:
    """One share of both cohorts. `difference` is of the first minus the second, with its interval,
    in percentage points; `exact` holds the odds ratio; both are None where they would mislead, and
    `why` says so. Where not `tested`, no p-value is printed whatever the counts.
    """

    label: str
    first: Share
    second: Share
    difference: tuple[float, float, float] | None
    exact: TwoByTwo | None
    why: str = ""
    tested: bool = True
    heading: str = ""  # what it stands under

    @property
    def full_label(self) -> str:
        """The label where the heading does not stand above it: “Given for: Skin”."""
        prefix = LABEL_PREFIXES.get(self.heading)
        return f"{prefix}: {self.label}" if prefix else self.label

    @property
    def has_few_known(self) -> bool:
        """Whether a group is too small for a p-value."""
        return min(self.first.known, self.second.known) < FEWEST

    @property
    def difference_text(self) -> str:
        if self.difference is None:
            return ""
        value, low, high = (format_number(number).replace("-", "−") for number in self.difference)
        return f"{value} ({low} to {high})"

    @property
    def odds_text(self) -> str:
        if self.exact is None or isnan(self.exact.odds_ratio):
            return ""
        return (
            f"{format_ratio(self.exact.odds_ratio)} ({format_ratio(self.exact.low)} to "
            f"{format_ratio(self.exact.high)})"
        )

    @property
    def p_text(self) -> str:
        """The central exact p, which agrees with the interval; empty where none is printed."""
        if self.exact is None or self.has_few_known or not self.tested:
            return ""
        return "< 0.001" if self.exact.p < 0.001 else format_number(min(self.exact.p, 1), 3)

    @property
    def page_reason(self) -> str:
        """Why something is not given, for a page that says once why simulated records are not
        tested.
        """
        return "" if self.why == SIMULATED else self.why


def format_ratio(value: float) -> str:
    """To two decimals. “0” is a ratio that no data bound below; one too small to print is not 0."""
    if not isfinite(value):
        return "∞"
    if not value:
        return "0"
    return format_number(value, 2) if value >= 0.005 else "< 0.01"


def comparison_row(
    heading: str,
    first: Share,
    second: Share,
    overlap: int,
    asked_names: set[str],
    *,
    tested: bool = True,
) -> Row:
    """Two shares compared. Patients who are in both cohorts cannot be compared with themselves, and
    what a question asks for (`asked_names` holds the names of its parts) is no finding. Not
    `tested`, no p-value is given.
    """
    row = partial(Row, first.label, first, second, heading=heading)
    if asked_names & (DECIDED_BY.get(first.key) or DECIDED_BY.get(heading, set())):
        words = first.asked_for or second.asked_for or ASKED_FOR
        return row(None, None, words)
    if not first.known and not second.known:
        return row(None, None, first.why or NOBODY)
    if not first.known or not second.known:
        side = "B" if first.known else "A"
        return row(None, None, first.why or second.why or f"not known of {side}")
    if overlap:
        return row(None, None, "the cohorts share patients")
    counts = (first.count, first.known, second.count, second.known)
    low, high = newcombe_interval(*counts)
    difference = (first.percent - second.percent, 100 * low, 100 * high)
    exact = exact_comparison(*counts)
    reason = f"under {FEWEST} known" if min(counts[1::2]) < FEWEST else ""
    return row(difference, exact, reason if tested else SIMULATED, tested)


@dataclass(frozen=True)
class SideBySide:
    """Two cohorts compared. `overlap` patients are in both; `tested` says whether p-values are
    given.
    """

    first: Answer
    second: Answer
    demographics: AgeAndSex
    second_demographics: AgeAndSex
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
        return self.first.matching, self.second.matching

    @property
    def test_count(self) -> int:
        """How many p-values are printed."""
        return sum(bool(row.p_text) for _, rows in self.groups for row in rows)

    @property
    def overlap_text(self) -> str:
        first, second = self.patients
        if not self.overlap:
            return f"No patient is in both: {first} only in A, {second} only in B."
        return (
            f"{self.overlap} in both, {first - self.overlap} only in A, {second - self.overlap} "
            "only in B."
        )


# Shown also where nobody has it: that nobody had an event is a finding. Elsewhere only what occurs,
# or is known of nobody.
ALWAYS_SHOWN = {"What happened", BY_DOMAIN, BY_CATEGORY}


def side_by_side(
    first_question: Question, second_question: Question, vocabulary: Vocabulary
) -> SideBySide:
    """Compares the patients who answer one question with those who answer another, of one
    collection.

    A simulated collection has no p-values: its associations come from how it was drawn.
    """
    tested = not first_question.collection.is_simulated
    first, second = run_summaries(
        cohort_profile(first_question, vocabulary), cohort_profile(second_question, vocabulary)
    )
    overlap = count_shared_patients(first_question, second_question)
    asked_names = {name for name, _ in (*first_question, *second_question)}
    groups = []
    for heading, shares in first.shares.items():
        rows = [
            comparison_row(
                heading, share, second.shares[heading][key], overlap, asked_names, tested=tested
            )
            for key, share in shares.items()
            if key in second.shares[heading]
        ]
        if heading not in ALWAYS_SHOWN:
            rows = [
                row
                for row in rows
                if row.first.count or row.second.count or not (row.first.known or row.second.known)
            ]
        if rows:
            groups.append((heading, rows))
    return SideBySide(
        first.match,
        second.match,
        first.demographics,
        second.demographics,
        overlap,
        groups,
        tested,
        outcome_rule_of_both(first_question, second_question),
    )


def outcome_rule_of_both(first: Question, second: Question) -> str:
    """Which outcomes count by domain, where both sides ask for the same months, and where they do
    not.
    """
    if first.outcome_months == second.outcome_months:
        return f"By domain: {outcome_rule(first)}"
    return f"By domain: A: {outcome_rule(first)} B: {outcome_rule(second)}"

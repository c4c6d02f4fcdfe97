"""Two questions side by side: the same shares of both, and how they differ, by exact methods."""

from dataclasses import dataclass
from math import isfinite, isnan

from ..choices import Domain, Sex
from ..cohort import Tally, shared
from ..questions import Question
from ..statistics import TwoByTwo, exact_comparison, newcombe_interval
from ..vocabulary import Vocabulary
from .cohort import Answer, answer, headlines, known_by_reading, outcomes_by_domain
from .shares import Share, Summary, answers, number, share, together, yes_part

FEWEST = 5  # patients known in a group, under which no p-value is printed


@dataclass(frozen=True)
class Profile:
    """The shares of one cohort that are compared, by heading and key."""

    answer: Answer
    shares: dict[str, dict[str, Share]]


def profile(question: Question, vocabulary: Vocabulary) -> Summary:
    found, said, people, domains, events = yield from together(
        [
            answer(question),
            headlines(question),
            sexes(question),
            outcomes_by_domain(question, every=True),
            in_events(question, vocabulary),
        ]
    )
    shares = {
        "Who they are": people,
        "What happened": {each.key: each for each in said},
        "Improved, by domain": {each.key: each for each in domains},
        "Adverse events, by category": events,
    }
    return Profile(found, shares)


def sexes(question: Question) -> Summary:
    in_view, by_sex, by_known = yield [
        Tally(question, ("reading",)),
        Tally(question, ("sex",)),
        known_by_reading(question, "sex"),
    ]
    return {"female": share("Female", by_sex[(Sex.FEMALE.value,)], yes_part(by_known), in_view, key="female")}


def in_events(question: Question, vocabulary: Vocabulary) -> Summary:
    in_view, patients, by_known = yield [
        Tally(question, ("reading",)),
        Tally(question, ("adverse_event",)),
        known_by_reading(question, "adverse_event"),
    ]
    known = yes_part(by_known)
    return {
        code: share(label, patients[(code,)], known, in_view, key=code)
        for code, label in vocabulary.terms["adverse_event"].items()
    }


@dataclass(frozen=True)
class Row:
    """One share of both cohorts. `difference` is of the first minus the second, with its interval, in percentage
    points; `exact` holds the odds ratio; both are None where they would mislead, and `why` says so.
    """

    label: str
    one: Share
    other: Share
    difference: tuple[float, float, float] | None
    exact: TwoByTwo | None
    why: str = ""

    @property
    def few(self) -> bool:
        """Whether a group is too small for a p-value."""
        return min(self.one.known, self.other.known) < FEWEST

    @property
    def difference_text(self) -> str:
        if self.difference is None:
            return ""
        value, low, high = (number(each).replace("-", "−") for each in self.difference)
        return f"{value} ({low} to {high})"

    @property
    def odds_text(self) -> str:
        if self.exact is None or isnan(self.exact.odds_ratio):
            return ""
        return f"{ratio(self.exact.odds_ratio)} ({ratio(self.exact.low)} to {ratio(self.exact.high)})"

    @property
    def p_text(self) -> str:
        """Fisher's exact two-sided p; empty where none is printed."""
        if self.exact is None or self.few:
            return ""
        return "< 0.001" if self.exact.p < 0.001 else number(min(self.exact.p, 1), 3)


def ratio(value: float) -> str:
    return number(value, 2) if isfinite(value) else "∞"


def row(one: Share, other: Share, overlap: int, asked: set[str]) -> Row:
    """Two shares compared. Patients who are in both cohorts cannot be compared with themselves, and what a question
    asks for (`asked` holds the names of its parts) is no finding.
    """
    if asked & DECIDED_BY.get(one.key, ABOUT_EVENTS):
        return Row(one.label, one, other, None, None, "asked for")
    if not one.known or not other.known:
        return Row(one.label, one, other, None, None, "known in nobody of one side")
    if overlap:
        return Row(one.label, one, other, None, None, "the cohorts share patients")
    counts = (one.count, one.known, other.count, other.known)
    low, high = newcombe_interval(*counts)
    difference = (one.percent - other.percent, 100 * low, 100 * high)
    exact = exact_comparison(*counts)
    return Row(one.label, one, other, difference, exact, f"under {FEWEST} known" if min(counts[1::2]) < FEWEST else "")


@dataclass(frozen=True)
class SideBySide:
    """Two cohorts compared. `overlap` patients are in both."""

    one: Answer
    other: Answer
    overlap: int
    groups: list[tuple[str, list[Row]]]

    @property
    def patients(self) -> tuple[int, int]:
        return self.one.share.count, self.other.share.count

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


ABOUT_EVENTS = {"adverse_events", "adverse_event", "serious"}
# Parts of a question that decide a share, so that it says nothing new. By key; categories of events have no other.
DECIDED_BY = {
    "female": {"sex"},
    "improved": {"response"},
    "relapsed": {"relapsed"},
    "any_adverse_event": ABOUT_EVENTS,
    "serious": ABOUT_EVENTS,
    **{domain.value: set() for domain in Domain},
}


def side_by_side(one: Question, other: Question, vocabulary: Vocabulary) -> SideBySide:
    """Compares the patients who answer one question with those who answer another, of one collection."""
    first, second = answers(profile(one, vocabulary), profile(other, vocabulary))
    overlap = shared(one, other)
    asked = {name for name, _ in (*one, *other)}
    groups = []
    for heading, shares in first.shares.items():
        rows = [
            row(share, second.shares[heading][key], overlap, asked)
            for key, share in shares.items()
            if key in second.shares[heading] and (share.known or second.shares[heading][key].known)
        ]
        if heading.startswith("Adverse"):
            rows = [each for each in rows if each.one.count or each.other.count]
        if rows:
            groups.append((heading, rows))
    return SideBySide(first.answer, second.answer, overlap, groups)

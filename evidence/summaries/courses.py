"""Courses one by one: what happened when, levels before and after, and what a rule says of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Q

from ..choices import Assessed, Response
from ..cohort import Tally, Unit
from ..filters import courses
from ..missing import missing_reason
from ..models import Outcome, Treatment
from ..models.outcome import WINDOWS, window
from ..questions import Question
from ..statistics import Derived, Rule, quartiles
from .shares import Summary, answers

# Measures drawn from baseline to follow-up: what they are called, and how sources name them.
MEASURES = {
    "mrss": ("mRSS", ["mRSS"]),
    "fvc": ("FVC % predicted", ["FVC % predicted"]),
    "dlco": ("DLCO", ["DLCO % predicted", "DLCO"]),
}
LINES = 300  # single outcomes drawn
LISTED = 2_000  # single outcomes listed beside a rule


def outcomes(question: Question, measures: list[str]):
    """Outcomes by these measures under the courses that answer the question; of the months asked for, if any are."""
    found = Outcome.objects.under(courses(question)).filter(measure__in=measures)
    if asked := question.value("assessed"):
        chosen = Q()
        for word in asked:
            chosen |= window(word)
        found = found.filter(chosen)
    return found


def window_of(month: Decimal | float | None) -> Assessed:
    """About which month this is."""
    if month is None:
        return Assessed.UNKNOWN
    return next(word for word, (_, last) in WINDOWS.items() if last is None or month < last)


@dataclass(frozen=True)
class Level:
    """One measure in one patient, before and after."""

    patient: str
    month: float | None
    baseline: float
    followup: float
    result: str

    @property
    def change(self) -> float:
        return self.followup - self.baseline


@dataclass(frozen=True)
class LevelsAtMonth:
    """All of one window of months: how many, and the quartiles of baseline, follow-up and change."""

    month: Assessed
    levels: list[Level]
    baseline: tuple[float, float, float]
    followup: tuple[float, float, float]
    change: tuple[float, float, float]


@dataclass(frozen=True)
class Levels:
    """One measure from baseline to follow-up; windows of months are never put together.

    `recorded` outcomes have this measure, `both` of them a number at baseline and at follow-up.
    """

    measure: str
    months: list[LevelsAtMonth]
    recorded: int
    both: int
    patients: int


def levels(question: Question, code: str) -> Levels:
    """Individual levels of one of MEASURES. Raises KeyError for another."""
    label, measures = MEASURES[code]
    found = outcomes(question, measures)
    both = found.filter(baseline__isnull=False, followup__isnull=False)
    rows = both.order_by("treatment__patient__slug", "treatment__number", "number").values_list(
        "treatment__patient__slug", "at_months", "baseline", "followup", "result"
    )
    by_month = defaultdict(list)
    people = set()
    for patient, month, baseline, followup, result in rows:
        level = Level(patient, None if month is None else float(month), float(baseline), float(followup), result)
        by_month[window_of(month)].append(level)
        people.add(patient)
    months = [
        LevelsAtMonth(
            month,
            by_month[month],
            quartiles([each.baseline for each in by_month[month]]),
            quartiles([each.followup for each in by_month[month]]),
            quartiles([each.change for each in by_month[month]]),
        )
        for month in Assessed
        if by_month[month]
    ]
    return Levels(label, months, found.count(), sum(map(len, by_month.values())), len(people))


@dataclass(frozen=True)
class Swimmer:
    """One course as a swimmer plot shows it; what has no month stands in `undated`."""

    patient: str
    number: int
    inhibitor: str
    months: float | None
    response: str
    stopped: str
    outcomes: list[tuple[float, str, str]]  # month, what, result
    events: list[tuple[float, str]]  # month, what
    undated: int

    @property
    def drawable(self) -> bool:
        return self.months is not None or bool(self.outcomes or self.events)

    @property
    def end(self) -> float:
        """The last month anything is known of."""
        return max([self.months or 0, *(each[0] for each in self.outcomes), *(each[0] for each in self.events)])


@dataclass(frozen=True)
class Swimmers:
    """The first courses of a question, longest first, and how many there are in all."""

    courses: list[Swimmer]
    treatments: int
    of_known_length: int


def swimmers(question: Question, treatments: Iterable[Treatment]) -> Swimmers:
    """Courses (given by whoever lists them, longest first) with what has a month."""

    def counted() -> Summary:
        total, known = yield [
            Tally(question, (), Unit.TREATMENTS),
            Tally(question, ("known:duration",), Unit.TREATMENTS),
        ]
        return total[()], known[("yes",)]

    ((total, known),) = answers(counted())
    return Swimmers([swimmer(each) for each in treatments], total, known)


def swimmer(course: Treatment) -> Swimmer:
    """Reads one course; its patient, inhibitor, outcomes and events are expected to be fetched with it."""
    outcomes, events = list(course.outcomes.all()), list(course.events.all())
    dated = [
        (float(each.at_months), f"{each.get_domain_display()}: {each.measure}", each.result)
        for each in outcomes
        if each.at_months is not None
    ]
    onsets = [
        (float(each.onset_months), each.description or str(each.category))
        for each in events
        if each.onset_months is not None
    ]
    return Swimmer(
        course.patient.slug,
        course.number,
        course.inhibitor.name,
        None if course.duration_months is None else float(course.duration_months),
        course.response,
        course.stopped,
        dated,
        onsets,
        len(outcomes) + len(events) - len(dated) - len(onsets),
    )


GOOD = {Response.IMPROVED.value}
BAD = {Response.STABLE.value, Response.WORSENED.value, Response.NOT_IMPROVED.value}


def discordant(result: str, derived: Derived) -> bool:
    """Whether authors and rule say different things: improved against no response, or the other way round.

    “Stable” beside “no response” is no disagreement; “stable” beside worsening is one.
    """
    if derived == Derived.NOT_EVALUABLE or result == Response.UNKNOWN:
        return False
    if derived == Derived.RESPONSE:
        return result in BAD
    if derived == Derived.WORSENING:
        return result != Response.WORSENED and result != Response.NOT_IMPROVED
    return result in GOOD


@dataclass(frozen=True)
class Judged:
    """One outcome beside a rule."""

    patient: str
    course: int
    inhibitor: str
    month: Decimal | None
    baseline: Decimal | None
    followup: Decimal | None
    result: str
    overall: str
    derived: Derived
    reading: str

    @property
    def discordant(self) -> bool:
        return discordant(self.result, self.derived)

    @property
    def missing(self) -> str:
        """What an empty value of this patient means."""
        return missing_reason(self.reading).label

    @property
    def result_label(self) -> str:
        return Response(self.result).label

    @property
    def overall_label(self) -> str:
        return Response(self.overall).label

    @property
    def why(self) -> str:
        """Why a rule cannot say anything."""
        if self.derived != Derived.NOT_EVALUABLE:
            return ""
        if self.baseline is None or self.followup is None:
            gaps = [
                name for name, value in (("baseline", self.baseline), ("follow-up", self.followup)) if value is None
            ]
            return f"{' and '.join(gaps)} not known"
        return "the baseline is too low for the rule"


@dataclass(frozen=True)
class RuleReport:
    """A rule beside the authors' verdicts on the same outcomes; `table[result][derived]` counts outcomes."""

    rule: Rule
    table: dict[str, Counter]
    listed: list[Judged]
    outcomes: int
    treatments: int
    with_measure: int

    @property
    def evaluable(self) -> int:
        return self.outcomes - self.derived(Derived.NOT_EVALUABLE)

    def derived(self, which: Derived) -> int:
        return sum(counts[which] for counts in self.table.values())

    @property
    def discordant(self) -> int:
        return sum(n for result, counts in self.table.items() for each, n in counts.items() if discordant(result, each))

    @property
    def without_measure(self) -> int:
        """Courses in which the rule's measure is not recorded at all."""
        return self.treatments - self.with_measure


def rule_report(question: Question, rule: Rule) -> RuleReport:
    """Applies a rule to every outcome by its measure; none is dropped."""
    found = outcomes(question, [rule.measure])
    table: dict[str, Counter] = {result.value: Counter() for result in Response}
    # The rule sees each pair of numbers once, however many patients share it.
    for result, baseline, followup, times in (
        found.order_by().values_list("result", "baseline", "followup").annotate(times=Count("pk"))
    ):
        table[result][rule.judge(baseline, followup)] += times
    path = "treatment__patient"
    rows = found.order_by(f"{path}__slug", "treatment__number", "number").values_list(
        f"{path}__slug",
        "treatment__number",
        "treatment__inhibitor__name",
        "at_months",
        "baseline",
        "followup",
        "result",
        "treatment__response",
        f"{path}__study__extraction",
    )
    listed = [Judged(*row[:-1], rule.judge(row[4], row[5]), row[-1]) for row in rows[:LISTED]]
    listed.sort(key=lambda each: (not each.discordant, each.derived != Derived.NOT_EVALUABLE))
    ((treatments,),) = answers(treatments_of(question))
    with_measure = found.order_by().values("treatment").distinct().count()
    total = sum(sum(counts.values()) for counts in table.values())
    return RuleReport(rule, table, listed, total, treatments, with_measure)


def rule_rows(report: RuleReport) -> list[tuple[str, list[tuple[int, bool]]]]:
    """The table of a report: the authors' result, then for each derived verdict how many, and whether they disagree."""
    return [
        (Response(result).label, [(counts[each], discordant(result, each)) for each in Derived])
        for result, counts in report.table.items()
        if counts
    ]


def treatments_of(question: Question) -> Summary:
    (counter,) = yield [Tally(question, (), Unit.TREATMENTS)]
    return (counter[()],)

"""Authors' verdicts beside what a named rule says of the same measurements."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count

from ..counting import Tally, Unit
from ..models.choices import Response
from ..models.missing import missing_reason
from ..questions.question import Question
from ..statistics import Derived, Rule
from .courses import matching_outcomes
from .shares import Summary, run_summaries

LISTED = 2_000  # single outcomes listed beside a rule

GOOD = {Response.IMPROVED.value}
BAD = {Response.STABLE.value, Response.WORSENED.value, Response.NOT_IMPROVED.value}


def is_discordant(result: str, derived: Derived) -> bool:
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
        return is_discordant(self.result, self.derived)

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
        return sum(
            n for result, counts in self.table.items() for each, n in counts.items() if is_discordant(result, each)
        )

    @property
    def without_measure(self) -> int:
        """Courses in which the rule's measure is not recorded at all."""
        return self.treatments - self.with_measure


def rule_report(question: Question, rule: Rule) -> RuleReport:
    """Applies a rule to every outcome by its measure; none is dropped."""
    found = matching_outcomes(question, [rule.measure])
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
    ((treatments,),) = run_summaries(treatments_of(question))
    with_measure = found.order_by().values("treatment").distinct().count()
    total = sum(sum(counts.values()) for counts in table.values())
    return RuleReport(rule, table, listed, total, treatments, with_measure)


def rule_rows(report: RuleReport) -> list[tuple[str, list[tuple[int, bool]]]]:
    """The table of a report: the authors' result, then for each derived verdict how many, and whether they disagree."""
    return [
        (Response(result).label, [(counts[each], is_discordant(result, each)) for each in Derived])
        for result, counts in report.table.items()
        if counts
    ]


def treatments_of(question: Question) -> Summary:
    (counter,) = yield [Tally(question, (), Unit.TREATMENTS)]
    return (counter[()],)

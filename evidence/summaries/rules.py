"""Authors' verdicts beside what a named rule says of the same measurements."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from django.db.models import Count, Max, OuterRef, QuerySet, Subquery

from ..counting import Tally, Unit
from ..models import Outcome
from ..models.choices import Response
from ..models.missing import missing_reason
from ..questions.question import Question
from ..statistics import Derived, Progression, ProgressionRule, Rule
from .shares import Summary, run_summaries
from .treatments import MEASURES, outcomes_by_measure

LISTED = 2_000  # single outcomes listed beside a rule

GOOD = {Response.IMPROVED.value}
WITHOUT_PROGRESSION = {Response.IMPROVED.value, Response.STABLE.value}
BAD = {Response.STABLE.value, Response.WORSENED.value, Response.NOT_IMPROVED.value}


def is_discordant(result: str, derived: StrEnum) -> bool:
    """Whether authors and rule say different things: improved against no response, or the other way
    round.

    “Stable” beside “no response” is no disagreement; “stable” beside worsening is one. Of
    progression: improved and stable against progression, worsened against none; “not improved”
    leaves both open.
    """
    if derived == Derived.NOT_EVALUABLE or result == Response.UNKNOWN:
        return False
    if derived == Progression.PROGRESSION:
        return result in WITHOUT_PROGRESSION
    if derived == Progression.NO_PROGRESSION:
        return result == Response.WORSENED
    if derived == Derived.RESPONSE:
        return result in BAD
    if derived == Derived.WORSENING:
        return result != Response.WORSENED and result != Response.NOT_IMPROVED
    return result in GOOD


@dataclass(frozen=True)
class Judged:
    """One outcome beside a rule."""

    patient: str
    treatment: int
    inhibitor: str
    month: Decimal | None
    baseline: Decimal | None
    followup: Decimal | None
    result: str
    overall: str
    reading: str
    derived: StrEnum
    why: str  # why a rule cannot say anything

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


@dataclass(frozen=True)
class RuleReport:
    """A rule beside the authors' verdicts on the same outcomes; `table[result][derived]` counts
    outcomes.
    """

    rule: Rule | ProgressionRule
    table: dict[str, Counter]
    judged_rows: list[Judged]
    outcomes: int
    treatments: int
    with_measure: int

    @property
    def evaluable(self) -> int:
        return self.outcomes - self.derived(Derived.NOT_EVALUABLE)

    def derived(self, verdict: StrEnum) -> int:
        return sum(counts[verdict] for counts in self.table.values())

    @property
    def discordant(self) -> int:
        return sum(
            count
            for result, counts in self.table.items()
            for derived, count in counts.items()
            if is_discordant(result, derived)
        )

    @property
    def without_measure(self) -> int:
        """Treatments in which the rule's measure is not recorded at all."""
        return self.treatments - self.with_measure


# What a rule may ask of an outcome: baseline, follow-up, when each was, and the DLCO at the same
# times.
LEVELS = ("baseline", "followup")
MONTHS = ("baseline_month", "at_months")
DLCO = ("dlco_baseline", "dlco_followup")
# Where the fields of `Judged` are found.
PATHS = {
    "patient": "treatment__patient__slug",
    "treatment": "treatment__number",
    "inhibitor": "treatment__inhibitor__name",
    "month": "at_months",
    "baseline": "baseline",
    "followup": "followup",
    "result": "result",
    "overall": "treatment__response",
    "reading": "treatment__patient__study__extraction",
}


def with_dlco(outcomes: QuerySet) -> QuerySet:
    """Outcomes with the DLCO of the same treatment at the same months, where it is recorded once
    and both months are known.
    """
    same_months = Outcome.objects.filter(
        treatment=OuterRef("treatment"),
        measure__in=MEASURES["dlco"][1],
        baseline_month=OuterRef("baseline_month"),
        at_months=OuterRef("at_months"),
    )
    by_treatment = same_months.order_by().values("treatment")
    measured_once = by_treatment.annotate(
        times=Count("pk"), before=Max("baseline"), after=Max("followup")
    ).filter(times=1)
    return outcomes.annotate(
        dlco_baseline=Subquery(measured_once.values("before")),
        dlco_followup=Subquery(measured_once.values("after")),
    )


def judge_outcome(rule: Rule | ProgressionRule, values: Mapping) -> tuple[StrEnum, str]:
    """The verdict of a rule on one outcome, and the reason if there is none. `values` has the names
    that `with_rule_inputs` returns.
    """
    levels, (first, last), dlco = (
        tuple(values.get(name) for name in names) for names in (LEVELS, MONTHS, DLCO)
    )
    other_inputs = {"months": None if first is None or last is None else last - first, "dlco": dlco}
    return rule.judge(*levels, **other_inputs), rule.why_not(*levels, **other_inputs)


def with_rule_inputs(
    rule: Rule | ProgressionRule, outcomes: QuerySet
) -> tuple[QuerySet, tuple[str, ...]]:
    """The outcomes with the values that a rule needs, and the names of these values. Values it does
    not need are left out, because they cost time.
    """
    if not isinstance(rule, ProgressionRule):
        return outcomes, LEVELS
    if not rule.reads_dlco:
        return outcomes, LEVELS + MONTHS
    return with_dlco(outcomes), LEVELS + MONTHS + DLCO


def rule_report(question: Question, rule: Rule | ProgressionRule) -> RuleReport:
    """Applies a rule to every outcome by its measure; none is dropped."""
    outcomes, measured = with_rule_inputs(rule, outcomes_by_measure(question, [rule.measure]))
    table: dict[str, Counter] = {result.value: Counter() for result in Response}
    # The rule sees each set of numbers once, however many patients share it.
    for values in outcomes.order_by().values("result", *measured).annotate(times=Count("pk")):
        derived, _ = judge_outcome(rule, values)
        table[values["result"]][derived] += values["times"]
    rows = outcomes.order_by(PATHS["patient"], PATHS["treatment"], "number")
    judged_rows = [
        Judged(
            **{field: row[path] for field, path in PATHS.items()},
            **dict(zip(("derived", "why"), judge_outcome(rule, row), strict=True)),
        )
        for row in rows.values(*dict.fromkeys([*PATHS.values(), *measured]))[:LISTED]
    ]
    judged_rows.sort(
        key=lambda judged: (not judged.discordant, judged.derived != Derived.NOT_EVALUABLE)
    )
    ((treatments,),) = run_summaries(treatments_of(question))
    with_measure = outcomes.order_by().values("treatment").distinct().count()
    total = sum(sum(counts.values()) for counts in table.values())
    return RuleReport(rule, table, judged_rows, total, treatments, with_measure)


def rule_rows(report: RuleReport) -> list[tuple[str, list[tuple[int, bool]]]]:
    """The table of a report: the authors' result, then for each derived verdict how many, and
    whether they disagree.
    """
    return [
        (
            Response(result).label,
            [(counts[derived], is_discordant(result, derived)) for derived in report.rule.verdicts],
        )
        for result, counts in report.table.items()
        if counts
    ]


def treatments_of(question: Question) -> Summary:
    (counter,) = yield [Tally(question, (), Unit.TREATMENTS)]
    return (counter[()],)

"""Individual treatments: what happened when, levels before and after, and what a rule says of
them.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from ..counting import Tally, Unit
from ..models import Treatment
from ..models.choices import Assessed, KnownMeasure
from ..models.outcome import window_of
from ..questions.filters import matching_outcomes
from ..questions.question import Question
from ..statistics import quartiles
from .outcomes import outcome_months_text
from .shares import Summary, run_summaries

# Measures drawn from baseline to follow-up: what they are called, and which are drawn together.
MEASURES = {
    "mrss": (KnownMeasure.MRSS.label, [KnownMeasure.MRSS.label]),
    "fvc": (KnownMeasure.FVC_PERCENT.label, [KnownMeasure.FVC_PERCENT.label]),
    "dlco": (KnownMeasure.DLCO.label, [KnownMeasure.DLCO_PERCENT.label, KnownMeasure.DLCO.label]),
}
LINES = 300  # single outcomes drawn


def outcomes_by_measure(question: Question, measures: list[str]) -> QuerySet:
    """The question's outcomes by these measures."""
    return matching_outcomes(question).filter(measure__in=measures)


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
    """All of one window of months: how many, and the quartiles of baseline, follow-up and
    change.
    """

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


def patient_levels(question: Question, code: str) -> Levels:
    """Individual levels of one of MEASURES. Raises KeyError for another."""
    label, measures = MEASURES[code]
    outcomes = outcomes_by_measure(question, measures)
    complete = outcomes.filter(baseline__isnull=False, followup__isnull=False)
    rows = complete.order_by("treatment__patient__slug", "treatment__number", "number").values_list(
        "treatment__patient__slug", "at_months", "baseline", "followup", "result"
    )
    by_month = defaultdict(list)
    patients = set()
    for patient, month, baseline, followup, result in rows:
        level = Level(
            patient,
            None if month is None else float(month),
            float(baseline),
            float(followup),
            result,
        )
        by_month[window_of(month)].append(level)
        patients.add(patient)
    months = [
        LevelsAtMonth(
            month,
            by_month[month],
            quartiles([level.baseline for level in by_month[month]]),
            quartiles([level.followup for level in by_month[month]]),
            quartiles([level.change for level in by_month[month]]),
        )
        for month in Assessed
        if by_month[month]
    ]
    return Levels(label, months, outcomes.count(), sum(map(len, by_month.values())), len(patients))


@dataclass(frozen=True)
class Swimmer:
    """One treatment as a swimmer plot shows it; what has no month stands in `undated`."""

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
    def is_drawable(self) -> bool:
        return self.months is not None or bool(self.outcomes or self.events)

    @property
    def last_month(self) -> float:
        """The last month anything is known of."""
        return max(
            [
                self.months or 0,
                *(event[0] for event in self.outcomes),
                *(event[0] for event in self.events),
            ]
        )


@dataclass(frozen=True)
class Swimmers:
    """The first treatments of a question, longest first, and how many there are in all.
    `outcome_months` says when their outcomes were assessed, if the question asks for some.
    """

    treatments_shown: list[Swimmer]
    treatments: int
    of_known_length: int
    outcome_months: str = ""


def swimmer_rows(question: Question, treatments: Iterable[Treatment]) -> Swimmers:
    """Treatments (given by whoever lists them, longest first) with what has a month."""

    def count_lengths() -> Summary:
        total, known = yield [
            Tally(question, (), Unit.TREATMENTS),
            Tally(question, ("known:duration",), Unit.TREATMENTS),
        ]
        return total[()], known[("yes",)]

    ((total, known),) = run_summaries(count_lengths())
    drawn = [swimmer_row(treatment, question.outcome_months) for treatment in treatments]
    return Swimmers(drawn, total, known, outcome_months_text(question))


def swimmer_row(treatment: Treatment, months: tuple[str, ...] = ()) -> Swimmer:
    """Reads one treatment, and its outcomes of these windows of months; its patient, inhibitor,
    outcomes and events are expected to be fetched with it.
    """
    outcomes = [
        outcome
        for outcome in treatment.outcomes.all()
        if not months or window_of(outcome.at_months) in months
    ]
    events = list(treatment.events.all())
    dated = [
        (
            float(outcome.at_months),
            f"{outcome.get_domain_display()}: {outcome.measure_id}",
            outcome.result,
        )
        for outcome in outcomes
        if outcome.at_months is not None
    ]
    onsets = [
        (float(event.onset_months), event.description or str(event.category))
        for event in events
        if event.onset_months is not None
    ]
    return Swimmer(
        treatment.patient.slug,
        treatment.number,
        treatment.inhibitor.name,
        None if treatment.duration_months is None else float(treatment.duration_months),
        treatment.response,
        treatment.stopped,
        dated,
        onsets,
        len(outcomes) + len(events) - len(dated) - len(onsets),
    )

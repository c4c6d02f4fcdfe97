"""How studies came to be included: the boxes of a PRISMA flow diagram, filled as far as is known."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..models import Collection, FlowStep, Review, Study
from ..models.choices import Stage
from ..questions.question import Question
from .overview import count_patients
from .shares import pluralize, run_summaries

ASIDE = {Stage.EXCLUDED_SCREENING: Stage.SCREENED, Stage.EXCLUDED: Stage.ASSESSED}  # beside which box they stand


@dataclass(frozen=True)
class Box:
    """One box. What is not known is None, and `missing` says why; `from_records` was counted here."""

    stage: Stage
    studies: int | None
    patients: int | None
    missing: str
    notes: list[str] = field(default_factory=list)
    reasons: list[tuple[str, str]] = field(default_factory=list)  # reason, number in words
    from_records: bool = False

    @property
    def text(self) -> str:
        unit = "studies" if self.stage in (Stage.INCLUDED, Stage.ASSESSED, Stage.EXCLUDED) else "records"
        told = pluralize(self.studies, unit) if self.studies is not None else f"{unit}: {self.missing}"
        if self.patients is not None:
            told += f", {pluralize(self.patients, 'patients')}"
        elif self.stage == Stage.INCLUDED:
            told += f", patients: {self.missing}"
        return told


@dataclass(frozen=True)
class Flow:
    """The boxes from top to bottom, each with the one that stands beside it."""

    rows: list[tuple[Box, Box | None]]

    @property
    def known(self) -> int:
        """How many boxes have a number."""
        return sum(box.studies is not None for row in self.rows for box in row if box)

    @property
    def boxes(self) -> int:
        return sum(box is not None for row in self.rows for box in row)


def build_flow(steps: Iterable[FlowStep], missing: str, included: Box) -> Flow:
    by_stage = defaultdict(list)
    for step in steps:
        by_stage[step.stage].append(step)

    def box(stage: Stage) -> Box:
        found = by_stage[stage.value]
        whole = [step for step in found if not step.reason]
        parts = [step for step in found if step.reason]
        if not found and stage == Stage.INCLUDED:
            return included
        studies = whole[0].studies if whole else sum_if_known(step.studies for step in parts)
        patients = whole[0].patients if whole else sum_if_known(step.patients for step in parts)
        reasons = [(step.reason, missing if step.studies is None else str(step.studies)) for step in parts]
        return Box(stage, studies, patients, missing, [step.note for step in found if step.note], reasons)

    beside = {stage: aside for aside, stage in ASIDE.items()}
    rows = [stage for stage in Stage if stage not in ASIDE]
    return Flow([(box(stage), box(beside[stage]) if stage in beside else None) for stage in rows])


def sum_if_known(numbers: Iterable[int | None]) -> int | None:
    """The sum; None of nothing, and where one of them is not known."""
    numbers = list(numbers)
    return sum(numbers) if numbers and None not in numbers else None


def review_flow(review: Review) -> Flow:
    """A review's flow; what it includes stands in its own record."""
    missing = "not extracted"
    included = Box(Stage.INCLUDED, review.n_articles, review.n_patients, missing)
    return build_flow(review.flow.all(), missing, included)


def collection_flow(collection: Collection) -> Flow:
    """A collection's flow; what it includes is counted."""
    (patients,) = run_summaries(count_patients(Question(collection)))
    studies = Study.objects.within(collection).count()
    included = Box(Stage.INCLUDED, studies, patients, "", from_records=True)
    return build_flow(collection.flow.all(), "not recorded", included)

"""How studies came to be included: the boxes of a PRISMA flow diagram, filled as far as is
known.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..models import Collection, FlowStep, Review, Study
from ..models.choices import Stage
from ..models.consistency import cached_per_version
from ..questions.question import Question
from .overview import count_patients
from .shares import pluralize, run_summaries

# beside which box they stand
ASIDE = {Stage.EXCLUDED_SCREENING: Stage.SCREENED, Stage.EXCLUDED: Stage.ASSESSED}


@dataclass(frozen=True)
class Box:
    """One box. What is not known is None, and `missing` says why; `from_records` was counted
    here.
    """

    stage: Stage
    studies: int | None
    patients: int | None
    missing: str
    notes: list[str] = field(default_factory=list)
    reasons: list[tuple[str, str]] = field(default_factory=list)  # reason, number in words
    from_records: bool = False

    @property
    def text(self) -> str:
        unit = (
            "studies"
            if self.stage in (Stage.INCLUDED, Stage.ASSESSED, Stage.EXCLUDED)
            else "records"
        )
        text = (
            pluralize(self.studies, unit) if self.studies is not None else f"{unit}: {self.missing}"
        )
        if self.patients is not None:
            text += f", {pluralize(self.patients, 'patients')}"
        elif self.stage == Stage.INCLUDED:
            text += f", patients: {self.missing}"
        return text


@dataclass(frozen=True)
class Flow:
    """The boxes from top to bottom, each with the one that stands beside it."""

    rows: list[tuple[Box, Box | None]]

    @property
    def known(self) -> int:
        """How many boxes have a number."""
        return sum(box.studies is not None for row in self.rows for box in row if box)

    @property
    def included(self) -> Box:
        """The last box."""
        return self.rows[-1][0]

    @property
    def boxes(self) -> int:
        return sum(box is not None for row in self.rows for box in row)


def build_flow(steps: Iterable[FlowStep], missing: str, included: Box) -> Flow:
    by_stage = defaultdict(list)
    for step in steps:
        by_stage[step.stage].append(step)

    def make_box(stage: Stage) -> Box:
        stage_steps = by_stage[stage.value]
        totals = [step for step in stage_steps if not step.reason]
        by_reason = [step for step in stage_steps if step.reason]
        if not stage_steps and stage == Stage.INCLUDED:
            return included
        studies = totals[0].studies if totals else sum_if_known(step.studies for step in by_reason)
        patients = (
            totals[0].patients if totals else sum_if_known(step.patients for step in by_reason)
        )
        reasons = [
            (step.reason, missing if step.studies is None else str(step.studies))
            for step in by_reason
        ]
        return Box(
            stage,
            studies,
            patients,
            missing,
            [step.note for step in stage_steps if step.note],
            reasons,
        )

    side_stage_of = {stage: side_stage for side_stage, stage in ASIDE.items()}
    rows = [stage for stage in Stage if stage not in ASIDE]
    return Flow(
        [
            (make_box(stage), make_box(side_stage_of[stage]) if stage in side_stage_of else None)
            for stage in rows
        ]
    )


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


def has_flow(collection: Collection) -> bool:
    """Whether a collection's flow has a number besides that of what is included, which is always
    counted; read once per version.
    """
    included = Box(Stage.INCLUDED, 0, None, "")
    return cached_per_version(
        ("has-flow",),
        collection,
        lambda: build_flow(collection.flow.all(), "", included).known > 1,
    )

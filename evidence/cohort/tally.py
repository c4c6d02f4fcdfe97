"""What can be counted."""

from dataclasses import dataclass
from enum import StrEnum

from ..questions import Question


class Unit(StrEnum):
    """What one is. Patients are people: a second course or event in one of them adds no patient."""

    PATIENTS = "patients"
    TREATMENTS = "treatments"
    EVENTS = "adverse events"
    OUTCOMES = "outcomes"
    STUDIES = "studies"


@dataclass(frozen=True)
class Tally:
    """Asks: among the courses that answer `question`, how many `unit` for each combination of `dimensions`?

    Dimensions are names in `dimensions.DIMENSIONS`; none of them asks for the total. With `denominator`, the courses
    are those in which every item of the question is known, whether or not they match.
    The answer is a Counter keyed by tuples of texts, in the order of `dimensions`; None stands for no value.
    """

    question: Question
    dimensions: tuple[str, ...] = ()
    unit: Unit = Unit.PATIENTS
    denominator: bool = False

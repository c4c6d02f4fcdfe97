"""What can be counted."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from ..questions.question import Question


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
    The answer is a Counter keyed by tuples of texts, in the order of `dimensions`; None stands for no value. With
    `most`, it holds that many of its largest numbers only; of equal ones, those whose key comes first.
    """

    question: Question
    dimensions: tuple[str, ...] = ()
    unit: Unit = Unit.PATIENTS
    denominator: bool = False
    most: int = 0

    @cached_property
    def cached_hash(self) -> int:
        return hash((self.question, self.dimensions, self.unit, self.denominator, self.most))

    def __hash__(self) -> int:
        return self.cached_hash

    def largest(self, counter: Counter) -> Counter:
        """The counter, or what `most` leaves of it."""
        if not self.most or len(counter) <= self.most:
            return counter
        return Counter(dict(sorted(counter.items(), key=lambda each: (-each[1], str(each[0])))[: self.most]))

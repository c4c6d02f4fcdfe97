"""What can be counted."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from ..questions.question import Question


class Unit(StrEnum):
    """What one is. Patients are people: a second treatment or event in one of them adds no
    patient. Outcomes are those of the months that the question asks for.
    """

    PATIENTS = "patients"
    TREATMENTS = "treatments"
    EVENTS = "adverse events"
    OUTCOMES = "outcomes"
    STUDIES = "studies"


@dataclass(frozen=True)
class Tally:
    """Asks: among the treatments that answer `question`, how many `unit` for each combination of
    `dimensions`?

    Dimensions are names in `dimensions.DIMENSIONS`; none of them asks for the total. With `open`,
    the treatments are instead those that leave the question open, of patients none of whose
    treatments answers it with yes; with `open_part`, of these only those in which that part of the
    question is open. With `open_in`, the name of a dimension whose values are yes and no, only
    patients count one of whose treatments (of all that would count) has a no there: of whom an
    attribute is not known, or a list is not known to be whole. The answer is a Counter keyed by
    tuples of texts, in the order of `dimensions`; None stands for no value. With `most`, it holds
    that many of its largest numbers only; of equal ones, those whose key comes first.
    """

    question: Question
    dimensions: tuple[str, ...] = ()
    unit: Unit = Unit.PATIENTS
    open: bool = False
    most: int = 0
    open_part: str = ""
    open_in: str = ""

    @cached_property
    def cached_hash(self) -> int:
        return hash((self.dimensions, self.unit, self.most, self.selection_key))

    def __hash__(self) -> int:
        return self.cached_hash

    @property
    def selection_key(self) -> tuple[Question, bool, str, str]:
        """What says which treatments count; tallies with the same are counted together."""
        return self.question, self.open, self.open_part, self.open_in

    def largest_values(self, counter: Counter) -> Counter:
        """The counter, or what `most` leaves of it."""
        if not self.most or len(counter) <= self.most:
            return counter
        return Counter(
            dict(sorted(counter.items(), key=lambda item: (-item[1], str(item[0])))[: self.most])
        )

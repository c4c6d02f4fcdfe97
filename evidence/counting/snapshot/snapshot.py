"""One collection in memory: what can be counted, as bits and codes, of one version of the data.
Never changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ...questions.question import Question
from ..tally import Unit
from .bitsets import Layout

# arrays by themselves
PLAIN = ("studies", "treatment_keys", "patient_keys", "by_slug", "sorted_keys", "sorted_places")


class KeyIndex:
    """From primary keys to positions; keys that are not there are found nowhere."""

    def __init__(self, keys: np.ndarray):
        self.order = np.argsort(keys, kind="stable")
        self.keys = keys[self.order]

    def find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(which of `keys` are there, their positions)."""
        if not len(self.keys):
            return np.zeros(len(keys), dtype=bool), np.empty(0, dtype=np.int64)
        positions = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        is_known = self.keys[positions] == keys
        return is_known, self.order[positions[is_known]]


@dataclass(frozen=True)
class Axis:
    """A dimension as the snapshot holds it.

    `bits` has a row for each value: patients where `of_patient`, treatments otherwise. Where every
    treatment or patient has one value, `codes` holds its number for each bit position, and then
    `bits` is left out if there are many values. `times` counts the rows of a to-many dimension: bit
    k of how many a treatment has of value v stands in `times[v, k]`. `wider` has for a term all
    that it is part of; rows of the narrower terms count for these too.
    """

    values: list[str | None]
    of_patient: bool
    bits: np.ndarray | None = None
    codes: np.ndarray | None = None
    times: np.ndarray | None = None
    wider: dict[str, Sequence[str]] = field(default_factory=dict)


def in_window(name: str, window: str) -> str:
    """What the outcomes of one window of months are called among axes and totals."""
    return f"{name}:{window}"


def names_in_months(name: str, unit: Unit, question: Question) -> list[str]:
    """Where rows of a unit are counted: under `name`, or, of outcomes where months are asked for,
    under it in each of their windows.
    """
    windows = question.outcome_months if unit == Unit.OUTCOMES else ()
    return [in_window(name, window) for window in windows] or [str(name)]


@dataclass(frozen=True)
class Snapshot:
    """Axes of all treatments that readers may see, and how to find a treatment again by its primary
    key.

    `version` and `token` are the number (for people) and the token of the version in which the
    collection last changed. `treatment_keys` holds the primary key of each bit position,
    `patient_keys` that of each patient; `by_slug` has the patients' numbers in the order of their
    public ids. `sorted_keys` and `sorted_places` lead from a key to its bit.
    """

    version: int
    token: str
    layout: Layout
    axes: dict[str, Axis]
    # unit -> (bits, width): how many events or outcomes a treatment has; of outcomes also how many
    # in each window of months (`in_window`)
    totals: dict[str, np.ndarray]
    studies: np.ndarray  # each patient's study, as the number of its value on the axis `study`
    treatment_keys: np.ndarray
    patient_keys: np.ndarray
    by_slug: np.ndarray
    sorted_keys: np.ndarray
    sorted_places: np.ndarray
    memory: dict = field(default_factory=dict, compare=False)

    @property
    def patients(self) -> int:
        return self.layout.patients

    def treatment_positions(self, keys: np.ndarray) -> np.ndarray:
        """Bit positions of the treatments with these primary keys; keys of other treatments are
        left out.
        """
        if not len(self.sorted_keys) or not len(keys):
            return np.empty(0, dtype=np.int64)
        positions = np.searchsorted(self.sorted_keys, keys)
        positions[positions == len(self.sorted_keys)] = 0
        return self.sorted_places[positions[self.sorted_keys[positions] == keys]]

    def row_counts(self, unit: Unit, question: Question) -> list[np.ndarray]:
        """How many events or outcomes of the question a treatment has, as binary numbers (bits,
        width) that add up.
        """
        return [self.totals[name] for name in names_in_months(unit, unit, question)]

    @cached_property
    def rank(self) -> np.ndarray:
        """Each patient's place in the order of public ids."""
        rank = np.empty(len(self.by_slug), dtype=np.int32)
        rank[self.by_slug] = np.arange(len(self.by_slug), dtype=np.int32)
        return rank

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.arrays().values())

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything it holds, by name."""
        arrays = {name: getattr(self, name) for name in PLAIN}
        arrays |= {f"total.{unit}": array for unit, array in self.totals.items()}
        for name, axis in self.axes.items():
            parts = {"bits": axis.bits, "codes": axis.codes, "times": axis.times}
            arrays |= {
                f"axis.{name}.{name_of_part}": array
                for name_of_part, array in parts.items()
                if array is not None
            }
        return arrays

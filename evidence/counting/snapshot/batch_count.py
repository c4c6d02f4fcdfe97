"""Counts many tallies of one question together.

A page asks fifty of them, and in a small collection asking one by one costs more than the counting.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..tally import Tally, Unit
from .bitsets import BLOCK, popcount
from .snapshot import Snapshot

MAX_SECOND_VALUES = 4  # values of the second dimension


def can_batch(snapshot: Snapshot, tally: Tally) -> bool:
    """Whether a tally counts patients by one dimension, or by one within the few values of a second
    one of patients.
    """
    if (
        tally.unit != Unit.PATIENTS
        or not 1 <= len(tally.dimensions) <= 2
        or snapshot.layout.width > BLOCK
    ):
        return False
    if not all(name in snapshot.axes for name in tally.dimensions):
        return False  # it depends on the question, and is made for each
    first, *second = (snapshot.axes[name] for name in tally.dimensions)
    second_fits = all(
        axis.of_patient and axis.bits is not None and len(axis.values) <= MAX_SECOND_VALUES
        for axis in second
    )
    return first.bits is not None and second_fits


def count_batch(
    snapshot: Snapshot, treatments: np.ndarray, patients: np.ndarray, tallies: Sequence[Tally]
) -> dict[Tally, Counter]:
    """The counters of tallies that all `fits`, of the treatments of one question."""
    names = tuple(sorted({tally.dimensions[0] for tally in tallies}))
    patient_rows, treatment_rows, first_row = stacked_bitmaps(snapshot, names)
    intersections = np.concatenate(
        [
            patient_rows & patients,
            snapshot.layout.treatments_to_patients(treatment_rows & treatments),
        ]
    )
    counts_by_second = {(): [popcount(intersections)]}
    for name in {tally.dimensions[1] for tally in tallies if len(tally.dimensions) == 2}:
        counts_by_second[name] = [popcount(intersections & row) for row in snapshot.axes[name].bits]
    counters = {}
    for tally in tallies:
        first, *second = tally.dimensions
        start, values = first_row[first], snapshot.axes[first].values
        counter = counters[tally] = Counter()
        if not second:
            counts = counts_by_second[()][0][start : start + len(values)].tolist()
            for value, count in zip(values, counts, strict=True):
                if count:
                    counter[(value,)] = count
            continue
        for second_value, row in zip(
            snapshot.axes[second[0]].values, counts_by_second[second[0]], strict=True
        ):
            for value, count in zip(values, row[start : start + len(values)].tolist(), strict=True):
                if count:
                    counter[(value, second_value)] = count
    return {tally: tally.largest_values(counter) for tally, counter in counters.items()}


def stacked_bitmaps(
    snapshot: Snapshot, names: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """The bitmaps of several axes one below the other, patients' first, and at which row each
    begins; kept.
    """
    key = ("stacked", names)
    if key not in snapshot.memory:
        levels, first_row, row = [], {}, 0
        for of_patient, width in ((True, snapshot.layout.words[0]), (False, snapshot.layout.width)):
            axes = [
                (name, snapshot.axes[name])
                for name in names
                if snapshot.axes[name].of_patient == of_patient
            ]
            for name, axis in axes:
                first_row[name] = row
                row += len(axis.values)
            empty = np.empty((0, width), dtype=np.uint64)
            levels.append(np.concatenate([empty, *(axis.bits for _, axis in axes)]))
        snapshot.memory[key] = (*levels, first_row)
    return snapshot.memory[key]

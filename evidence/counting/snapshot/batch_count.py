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
    """Whether a tally counts patients by one dimension, or by one within the few values of a second one of patients."""
    if tally.unit != Unit.PATIENTS or not 1 <= len(tally.dimensions) <= 2 or snapshot.layout.width > BLOCK:
        return False
    if not all(name in snapshot.axes for name in tally.dimensions):
        return False  # it depends on the question, and is made for each
    first, *second = (snapshot.axes[name] for name in tally.dimensions)
    few = all(axis.of_patient and axis.bits is not None and len(axis.values) <= MAX_SECOND_VALUES for axis in second)
    return first.bits is not None and few


def count_batch(
    snapshot: Snapshot, courses: np.ndarray, people: np.ndarray, tallies: Sequence[Tally]
) -> dict[Tally, Counter]:
    """The counters of tallies that all `fits`, of the courses of one question."""
    names = tuple(sorted({tally.dimensions[0] for tally in tallies}))
    of_people, of_courses, place = stacked_bitmaps(snapshot, names)
    found = np.concatenate([of_people & people, snapshot.layout.treatments_to_patients(of_courses & courses)])
    numbers = {(): [popcount(found)]}
    for name in {tally.dimensions[1] for tally in tallies if len(tally.dimensions) == 2}:
        numbers[name] = [popcount(found & row) for row in snapshot.axes[name].bits]
    counters = {}
    for tally in tallies:
        first, *second = tally.dimensions
        start, values = place[first], snapshot.axes[first].values
        counter = counters[tally] = Counter()
        if not second:
            counts = numbers[()][0][start : start + len(values)].tolist()
            for value, times in zip(values, counts, strict=True):
                if times:
                    counter[(value,)] = times
            continue
        for other, row in zip(snapshot.axes[second[0]].values, numbers[second[0]], strict=True):
            for value, times in zip(values, row[start : start + len(values)].tolist(), strict=True):
                if times:
                    counter[(value, other)] = times
    return {tally: tally.largest(counter) for tally, counter in counters.items()}


def stacked_bitmaps(snapshot: Snapshot, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """The bitmaps of several axes one below the other, patients' first, and at which row each begins; kept."""
    key = ("stacked", names)
    if key not in snapshot.memory:
        levels, place, row = [], {}, 0
        for of_patient, words in ((True, snapshot.layout.words[0]), (False, snapshot.layout.width)):
            axes = [(name, snapshot.axes[name]) for name in names if snapshot.axes[name].of_patient == of_patient]
            for name, axis in axes:
                place[name] = row
                row += len(axis.values)
            empty = np.empty((0, words), dtype=np.uint64)
            levels.append(np.concatenate([empty, *(axis.bits for _, axis in axes)]))
        snapshot.memory[key] = (*levels, place)
    return snapshot.memory[key]

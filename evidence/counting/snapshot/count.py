"""Counts tallies on a snapshot. Gives what `database.count` gives, from bits instead of SQL."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ...models import AdverseEvent, Outcome
from ...questions.question import Question
from ..dimensions import DIMENSIONS, MultiValueDimension, OutcomeDimension
from ..tally import Tally, Unit
from . import batch_count
from .answering import QuestionBitsets
from .bitsets import WORD, bit_positions, intersection_counts, popcount, unpack_bits
from .results import counting_results
from .snapshot import Axis, Snapshot

ROWS_OF = {Unit.EVENTS: AdverseEvent, Unit.OUTCOMES: Outcome}
MAX_BITMAP_CELLS = (
    96  # combinations of values up to which bitmaps are counted; beyond, courses are looked at one by one
)


class TreatmentSelection:
    """The courses of one question, in the shapes counting needs, each made once."""

    def __init__(self, snapshot: Snapshot, courses: np.ndarray, question: Question | None = None):
        self.snapshot, self.courses, self.question = snapshot, courses, question
        self.made: dict[str, Axis] = {}

    def axis(self, name: str) -> Axis:
        """The axis of a dimension: the snapshot's, or, where it depends on what is in view, one made for this."""
        dimension = DIMENSIONS[name]
        if not isinstance(dimension, OutcomeDimension):
            return self.snapshot.axes[name]
        if name not in self.made:
            results = QuestionBitsets(self.snapshot).results(self.question, best=dimension.best)
            layout = self.snapshot.layout
            self.made[name] = counting_results(results, self.courses, layout, best=dimension.best)
        return self.made[name]

    @cached_property
    def patients(self) -> np.ndarray:
        return self.snapshot.layout.treatments_to_patients(self.courses)

    @cached_property
    def treatment_positions(self) -> np.ndarray:
        return bit_positions(self.courses)

    @cached_property
    def patient_positions(self) -> np.ndarray:
        return bit_positions(self.patients)


def count_tallies(snapshot: Snapshot, tallies: Sequence[Tally]) -> list[Counter]:
    """One Counter per tally, in order."""
    bitsets, counters = QuestionBitsets(snapshot), {}
    by_courses: dict[tuple[Question, bool, str, str], list[Tally]] = {}
    for tally in dict.fromkeys(tallies):
        by_courses.setdefault(tally.courses, []).append(tally)
    for wanted, own in by_courses.items():
        selection = TreatmentSelection(snapshot, bitsets.counted(*wanted), wanted[0])
        batch = [tally for tally in own if batch_count.can_batch(snapshot, tally)]
        if batch:
            counters |= batch_count.count_batch(snapshot, selection.courses, selection.patients, batch)
        counters |= {
            tally: TallyCounter(snapshot, selection, tally).counter() for tally in own if tally not in counters
        }
    return [counters[tally] for tally in tallies]


class TallyCounter:
    """One tally being counted."""

    def __init__(self, snapshot: Snapshot, selection: TreatmentSelection, tally: Tally):
        self.snapshot, self.layout, self.selection = snapshot, snapshot.layout, selection
        self.tally, self.unit, self.names = tally, tally.unit, tally.dimensions
        self.axes = [selection.axis(name) for name in tally.dimensions]

    def counter(self) -> Counter:
        if not self.axes:
            number = self.total(self.selection.courses)
            return Counter({(): number} if number else {})
        return self.tally.largest(self.by_value())

    def by_value(self) -> Counter:
        if (
            self.unit == Unit.STUDIES
            or self.combinations > MAX_BITMAP_CELLS
            or any(axis.bits is None for axis in self.axes)
        ):
            return self.count_by_lookup()
        return self.count_patients() if self.unit == Unit.PATIENTS else self.count_treatments()

    @property
    def combinations(self) -> int:
        """Bitmaps that have to be counted one after the other."""
        sizes = sorted(len(axis.values) for axis in self.axes)
        return int(np.prod(sizes, dtype=np.int64)) if len(sizes) > 1 else 0

    # By bitmaps

    def count_patients(self) -> Counter:
        """Patients. What holds of courses is settled first; what holds of patients may wait until they are patients."""
        of_courses = [i for i, axis in enumerate(self.axes) if not axis.of_patient]
        of_people = [i for i, axis in enumerate(self.axes) if axis.of_patient]
        if not of_courses:
            cells = [((), self.selection.patients)]
        elif not of_people:
            *others, last = of_courses
            cells = self.expand_cells([((), self.selection.courses)], others)
            return self.collect_counts(
                cells, others, last, lambda bits, axis: intersection_counts(axis.bits, bits, self.layout)
            )
        else:
            split = self.expand_cells([((), self.selection.courses)], of_courses)
            cells = [(key, self.layout.treatments_to_patients(bits)) for key, bits in split]
        *others, last = of_people
        cells = self.expand_cells(cells, others)
        return self.collect_counts(
            cells, of_courses + others, last, lambda bits, axis: intersection_counts(axis.bits, bits)
        )

    def count_treatments(self) -> Counter:
        """Courses, events or outcomes. An axis of the counted rows themselves says how many there are of each."""
        order = sorted(range(len(self.axes)), key=self.is_row_axis)  # that axis last
        *others, last = order
        cells = self.expand_cells([((), self.selection.courses)], others)
        if self.unit == Unit.TREATMENTS:
            return self.collect_counts(
                cells, others, last, lambda bits, axis: intersection_counts(self.treatment_bits(axis), bits)
            )
        if self.is_row_axis(last):
            return self.collect_counts(cells, others, last, lambda bits, axis: self.count_rows(axis.times, bits))
        return self.collect_counts(
            cells, others, last, lambda bits, axis: [self.total(bits & row) for row in self.treatment_bits(axis)]
        )

    def is_row_axis(self, i: int) -> bool:
        """Whether an axis is of the very rows that are counted."""
        dimension = DIMENSIONS[self.names[i]]
        several = isinstance(dimension, MultiValueDimension | OutcomeDimension)
        return several and dimension.model is ROWS_OF.get(self.unit)

    def treatment_bits(self, axis: Axis) -> np.ndarray:
        return self.layout.patients_to_treatments(axis.bits) if axis.of_patient else axis.bits

    def expand_cells(self, cells: list, axes: list[int]) -> list:
        """Cells, each split by the values of these axes; empty ones are left out."""
        for i in axes:
            axis, split = self.axes[i], []
            for key, bits in cells:
                rows = axis.bits if len(bits) == axis.bits.shape[-1] else self.layout.patients_to_treatments(axis.bits)
                for value, row in zip(axis.values, rows, strict=True):
                    part = row & bits
                    if part.any():
                        split.append(((*key, value), part))
            cells = split
        return cells

    def collect_counts(self, cells: list, before: list[int], last: int, counts) -> Counter:
        """The counter, its keys in the order the tally names its dimensions."""
        axis, found = self.axes[last], Counter()
        if not before:
            numbers = np.asarray(counts(cells[0][1], axis))
            found.update({(axis.values[i],): int(numbers[i]) for i in np.flatnonzero(numbers)})
            return found
        order = np.argsort([*before, last]).tolist()
        for key, bits in cells:
            for value, number in zip(axis.values, counts(bits, axis), strict=True):
                if number:
                    words = (*key, value)
                    found[tuple([words[i] for i in order])] = int(number)
        return found

    def count_rows(self, times: np.ndarray, bits: np.ndarray) -> list[int]:
        """(values, digits, words) -> how many rows of each value these courses have."""
        weights = 1 << np.arange(times.shape[1])
        return [int((intersection_counts(digits, bits) * weights).sum()) for digits in times]

    def total(self, courses: np.ndarray) -> int:
        """How many of the unit these courses are, or have."""
        if self.unit == Unit.TREATMENTS:
            return int(popcount(courses))
        if self.unit == Unit.PATIENTS:
            return int(popcount(self.layout.treatments_to_patients(courses)))
        if self.unit == Unit.STUDIES:
            whole = courses is self.selection.courses
            places = (
                self.selection.patient_positions
                if whole
                else bit_positions(self.layout.treatments_to_patients(courses))
            )
            return int(np.count_nonzero(np.bincount(self.snapshot.studies[places])))
        return self.count_rows(self.snapshot.totals[str(self.unit)][None], courses)[0]

    # One by one

    def count_by_lookup(self) -> Counter:
        """Each course's or patient's values, put together to one number and counted.

        Axes of several values are settled first, by bitmaps.
        """
        several = [i for i, axis in enumerate(self.axes) if axis.codes is None]
        single = [i for i, axis in enumerate(self.axes) if axis.codes is not None]
        several.sort(key=self.is_row_axis)
        if not several:
            return Counter(dict(self.combination_counts(self.selection, single, (), None)))
        found, order = Counter(), np.argsort([*several, *single]).tolist()
        for key, bits in self.expand_cells([((), self.selection.courses)], several):
            selection = TreatmentSelection(self.snapshot, bits)
            rows_of = several[-1] if self.is_row_axis(several[-1]) else None
            for values, number in self.combination_counts(selection, single, key, rows_of):
                words = (*key, *values)
                found[tuple(words[i] for i in order)] += number
        return found

    def combination_counts(self, selection: TreatmentSelection, single: list[int], key: tuple, rows_of: int | None):
        """(values, number) of each combination among the courses of a selection."""
        axes = [self.axes[i] for i in single]
        if self.unit in (Unit.PATIENTS, Unit.STUDIES) and all(axis.of_patient for axis in axes):
            places = people = selection.patient_positions
            of_people = True
        else:
            places, of_people = selection.treatment_positions, False
            people = self.layout.patients_at(places)
        sizes = [max(len(axis.values), 1) for axis in axes]
        mixed = np.zeros(len(places), dtype=np.int64)
        for axis, size in zip(axes, sizes, strict=True):
            mixed = mixed * size + axis.codes[people if axis.of_patient else places]
        if self.unit == Unit.PATIENTS and not of_people:
            mixed = mixed[self.first_per_patient(places, mixed)]
        if self.unit == Unit.STUDIES:
            most = len(self.snapshot.axes["study"].values)
            mixed = np.unique(mixed * most + self.snapshot.studies[people]) // most
        weights = self.row_weights(places, key, rows_of) if self.unit in ROWS_OF else None
        codes, numbers = count_codes(mixed, weights, int(np.prod(sizes, dtype=object)))
        if self.tally.most and len(self.axes) == 1 and len(numbers) > self.tally.most:
            # Those that cannot be cut off need not become texts: all with a number the last of the largest has.
            least = np.partition(numbers, -self.tally.most)[-self.tally.most]
            codes, numbers = codes[numbers >= least], numbers[numbers >= least]
        parts = np.unravel_index(codes, sizes) if axes else ()
        words = [[axis.values[i] for i in part.tolist()] for axis, part in zip(axes, parts, strict=True)]
        return zip(zip(*words, strict=True) if axes else [()] * len(codes), numbers.tolist(), strict=True)

    def first_per_patient(self, places: np.ndarray, mixed: np.ndarray) -> np.ndarray:
        """Which courses count, so that a patient counts once for each combination: none that an earlier one gave."""
        keep = np.ones(len(places), dtype=bool)
        bounds = np.searchsorted(places, np.asarray([*self.layout.starts, self.layout.width]) * WORD)
        for plane in range(1, len(self.layout.starts)):
            here = np.arange(bounds[plane], bounds[plane + 1])
            people = places[here] - self.layout.starts[plane] * WORD
            for earlier in range(plane):
                low, high = bounds[earlier], bounds[earlier + 1]
                if low == high:
                    continue
                wanted = people + self.layout.starts[earlier] * WORD
                at = low + np.minimum(np.searchsorted(places[low:high], wanted), high - low - 1)
                keep[here] &= ~((places[at] == wanted) & (mixed[at] == mixed[here]))
        return keep

    def row_weights(self, places: np.ndarray, key: tuple, rows_of: int | None) -> np.ndarray:
        """How many events or outcomes each course has; of one value, where an axis of theirs is in the tally."""
        if rows_of is None:
            digits = self.snapshot.totals[str(self.unit)]
        else:
            axis = self.axes[rows_of]
            digits = axis.times[axis.values.index(key[-1])]
        weights = np.zeros(len(places), dtype=np.int64)
        for digit, bits in enumerate(digits):
            weights += unpack_bits(bits)[places].astype(np.int64) << digit
        return weights


def count_codes(codes: np.ndarray, weights: np.ndarray | None, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The codes there are, and the number of each; codes are below `most`."""
    if most <= max(4 * len(codes), 1 << 20):
        numbers = np.bincount(codes, weights)
        there = np.flatnonzero(numbers)
        return there, numbers[there].astype(np.int64)
    there, inverse = np.unique(codes, return_inverse=True)
    numbers = np.bincount(inverse, weights)
    return there[numbers > 0], numbers[numbers > 0].astype(np.int64)

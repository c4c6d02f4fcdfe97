"""Counts tallies on a snapshot. Gives what `database.count` gives, from bits instead of SQL."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ... import time_bound
from ...models import AdverseEvent, Outcome
from ...questions.question import Question
from ..dimensions import DIMENSIONS, MultiValueDimension, OutcomeDimension
from ..tally import Tally, Unit
from . import batch_count
from .answering import QuestionBitsets
from .bitsets import WORD, bit_positions, intersection_counts, popcount, unpack_bits
from .results import counted_result_axis
from .snapshot import Axis, Snapshot, names_in_months

ROWS_OF = {Unit.EVENTS: AdverseEvent, Unit.OUTCOMES: Outcome}
MAX_BITMAP_CELLS = (
    # combinations of values up to which bitmaps are counted; beyond, treatments are looked at one
    # by one
    96
)


class TreatmentSelection:
    """The treatments of one question, in the shapes counting needs, each made once."""

    def __init__(
        self, snapshot: Snapshot, treatments: np.ndarray, question: Question | None = None
    ):
        self.snapshot, self.treatments, self.question = snapshot, treatments, question
        self.made: dict[str, Axis] = {}

    def axis(self, name: str) -> Axis:
        """The axis of a dimension: the snapshot's, or, where it depends on what is in view, one
        made for this.
        """
        dimension = DIMENSIONS[name]
        if not isinstance(dimension, OutcomeDimension):
            return self.snapshot.axes[name]
        if name not in self.made:
            results = QuestionBitsets(self.snapshot).results(self.question, best=dimension.best)
            layout = self.snapshot.layout
            self.made[name] = counted_result_axis(
                results, self.treatments, layout, best=dimension.best
            )
        return self.made[name]

    @cached_property
    def patients(self) -> np.ndarray:
        return self.snapshot.layout.treatments_to_patients(self.treatments)

    @cached_property
    def treatment_positions(self) -> np.ndarray:
        return bit_positions(self.treatments)

    @cached_property
    def patient_positions(self) -> np.ndarray:
        return bit_positions(self.patients)


def count_tallies(snapshot: Snapshot, tallies: Sequence[Tally]) -> list[Counter]:
    """One Counter per tally, in order."""
    bitsets, counters = QuestionBitsets(snapshot), {}
    by_selection: dict[tuple[Question, bool, str, str], list[Tally]] = {}
    for tally in dict.fromkeys(tallies):
        by_selection.setdefault(tally.selection_key, []).append(tally)
    for selected, selected_tallies in by_selection.items():
        selection = TreatmentSelection(snapshot, bitsets.counted_treatments(*selected), selected[0])
        batch = [tally for tally in selected_tallies if batch_count.can_batch(snapshot, tally)]
        if batch:
            counters |= batch_count.count_batch(
                snapshot, selection.treatments, selection.patients, batch
            )
        counters |= {
            tally: TallyCounter(snapshot, selection, tally).make_counter()
            for tally in selected_tallies
            if tally not in counters
        }
    return [counters[tally] for tally in tallies]


class TallyCounter:
    """One tally being counted."""

    def __init__(self, snapshot: Snapshot, selection: TreatmentSelection, tally: Tally):
        self.snapshot, self.layout, self.selection = snapshot, snapshot.layout, selection
        self.tally, self.unit, self.names = tally, tally.unit, tally.dimensions
        self.axes = [selection.axis(name) for name in tally.dimensions]

    def make_counter(self) -> Counter:
        time_bound.check()
        if not self.axes:
            number = self.count_total(self.selection.treatments)
            return Counter({(): number} if number else {})
        return self.tally.largest_values(self.by_value())

    def by_value(self) -> Counter:
        if (
            self.unit == Unit.STUDIES
            or self.combination_count > MAX_BITMAP_CELLS
            or any(axis.bits is None for axis in self.axes)
        ):
            return self.count_by_lookup()
        return self.count_patients() if self.unit == Unit.PATIENTS else self.count_treatments()

    @property
    def combination_count(self) -> int:
        """Bitmaps that have to be counted one after the other."""
        sizes = sorted(len(axis.values) for axis in self.axes)
        return int(np.prod(sizes, dtype=np.int64)) if len(sizes) > 1 else 0

    # By bitmaps

    def count_patients(self) -> Counter:
        """Patients. What holds of treatments is settled first; what holds of patients may wait
        until they are patients.
        """
        treatment_axes = [i for i, axis in enumerate(self.axes) if not axis.of_patient]
        patient_axes = [i for i, axis in enumerate(self.axes) if axis.of_patient]
        if not treatment_axes:
            cells = [((), self.selection.patients)]
        elif not patient_axes:
            *leading, last = treatment_axes
            cells = self.expand_cells([((), self.selection.treatments)], leading)
            return self.collect_counts(
                cells,
                leading,
                last,
                lambda bits, axis: intersection_counts(axis.bits, bits, self.layout),
            )
        else:
            treatment_cells = self.expand_cells([((), self.selection.treatments)], treatment_axes)
            cells = [
                (key, self.layout.treatments_to_patients(bits)) for key, bits in treatment_cells
            ]
        *leading, last = patient_axes
        cells = self.expand_cells(cells, leading)
        return self.collect_counts(
            cells,
            treatment_axes + leading,
            last,
            lambda bits, axis: intersection_counts(axis.bits, bits),
        )

    def count_treatments(self) -> Counter:
        """Treatments, events or outcomes. An axis of the counted rows themselves says how many
        there are of each.
        """
        order = sorted(range(len(self.axes)), key=self.is_row_axis)  # that axis last
        *leading, last = order
        cells = self.expand_cells([((), self.selection.treatments)], leading)
        if self.unit == Unit.TREATMENTS:
            return self.collect_counts(
                cells,
                leading,
                last,
                lambda bits, axis: intersection_counts(self.treatment_bits(axis), bits),
            )
        if self.is_row_axis(last):
            return self.collect_counts(
                cells, leading, last, lambda bits, _: self.count_rows_by_value(last, bits)
            )
        return self.collect_counts(
            cells,
            leading,
            last,
            lambda bits, axis: [self.count_total(bits & row) for row in self.treatment_bits(axis)],
        )

    def is_row_axis(self, i: int) -> bool:
        """Whether an axis describes the counted rows themselves (such as events by category), not
        their treatments.
        """
        dimension = DIMENSIONS[self.names[i]]
        several = isinstance(dimension, MultiValueDimension | OutcomeDimension)
        return several and dimension.model is ROWS_OF.get(self.unit)

    def treatment_bits(self, axis: Axis) -> np.ndarray:
        return self.layout.patients_to_treatments(axis.bits) if axis.of_patient else axis.bits

    def expand_cells(self, cells: list, axes: list[int]) -> list:
        """Cells, each split by the values of these axes; empty ones are left out."""
        for i in axes:
            axis, expanded = self.axes[i], []
            for key, bits in cells:
                rows = (
                    axis.bits
                    if len(bits) == axis.bits.shape[-1]
                    else self.layout.patients_to_treatments(axis.bits)
                )
                for value, row in zip(axis.values, rows, strict=True):
                    cell_bits = row & bits
                    if cell_bits.any():
                        expanded.append(((*key, value), cell_bits))
            cells = expanded
        return cells

    def collect_counts(self, cells: list, leading: list[int], last: int, counts) -> Counter:
        """The counter, its keys in the order the tally names its dimensions."""
        axis, counter = self.axes[last], Counter()
        if not leading:
            numbers = np.asarray(counts(cells[0][1], axis))
            counter.update({(axis.values[i],): int(numbers[i]) for i in np.flatnonzero(numbers)})
            return counter
        order = np.argsort([*leading, last]).tolist()
        for key, bits in cells:
            for value, number in zip(axis.values, counts(bits, axis), strict=True):
                if number:
                    values = (*key, value)
                    counter[tuple([values[i] for i in order])] = int(number)
        return counter

    def row_counts(self, i: int) -> list[np.ndarray]:
        """How often each value of an axis of the counted rows occurs: arrays that add up."""
        axis, name = self.axes[i], self.names[i]
        if name not in self.snapshot.axes:
            return [axis.times]  # made for the question, and so of its months already
        names = names_in_months(name, self.unit, self.tally.question)
        return [self.snapshot.axes[name].times for name in names]

    def count_rows_by_value(self, i: int, bits: np.ndarray) -> np.ndarray:
        return sum(np.array(self.count_rows(times, bits)) for times in self.row_counts(i))

    def count_rows(self, times: np.ndarray, bits: np.ndarray) -> list[int]:
        """(values, digits, words) -> how many rows of each value these treatments have."""
        weights = 1 << np.arange(times.shape[1])
        return [int((intersection_counts(digits, bits) * weights).sum()) for digits in times]

    def count_total(self, treatments: np.ndarray) -> int:
        """How many of the unit these treatments are, or have."""
        if self.unit == Unit.TREATMENTS:
            return int(popcount(treatments))
        if self.unit == Unit.PATIENTS:
            return int(popcount(self.layout.treatments_to_patients(treatments)))
        if self.unit == Unit.STUDIES:
            is_whole = treatments is self.selection.treatments
            patients = (
                self.selection.patient_positions
                if is_whole
                else bit_positions(self.layout.treatments_to_patients(treatments))
            )
            return int(np.count_nonzero(np.bincount(self.snapshot.studies[patients])))
        row_counts = self.snapshot.row_counts(self.unit, self.tally.question)
        return sum(self.count_rows(digits[None], treatments)[0] for digits in row_counts)

    # One by one

    def count_by_lookup(self) -> Counter:
        """Each treatment's or patient's values, put together to one number and counted.

        Axes of several values are settled first, by bitmaps.
        """
        bitmap_axes = [i for i, axis in enumerate(self.axes) if axis.codes is None]
        lookup_axes = [i for i, axis in enumerate(self.axes) if axis.codes is not None]
        bitmap_axes.sort(key=self.is_row_axis)
        if not bitmap_axes:
            return Counter(dict(self.combination_counts(self.selection, lookup_axes, (), None)))
        counter, order = Counter(), np.argsort([*bitmap_axes, *lookup_axes]).tolist()
        for key, bits in self.expand_cells([((), self.selection.treatments)], bitmap_axes):
            selection = TreatmentSelection(self.snapshot, bits)
            rows_of = bitmap_axes[-1] if self.is_row_axis(bitmap_axes[-1]) else None
            for values, number in self.combination_counts(selection, lookup_axes, key, rows_of):
                combination = (*key, *values)
                counter[tuple(combination[i] for i in order)] += number
        return counter

    def combination_counts(
        self, selection: TreatmentSelection, lookup_axes: list[int], key: tuple, rows_of: int | None
    ):
        """(values, number) of each combination among the treatments of a selection."""
        axes = [self.axes[i] for i in lookup_axes]
        if self.unit in (Unit.PATIENTS, Unit.STUDIES) and all(axis.of_patient for axis in axes):
            positions = patients = selection.patient_positions
            by_patient = True
        else:
            positions, by_patient = selection.treatment_positions, False
            patients = self.layout.patients_at(positions)
        sizes = [max(len(axis.values), 1) for axis in axes]
        combined = np.zeros(len(positions), dtype=np.int64)
        for axis, size in zip(axes, sizes, strict=True):
            combined = combined * size + axis.codes[patients if axis.of_patient else positions]
        if self.unit == Unit.PATIENTS and not by_patient:
            combined = combined[self.first_per_patient(positions, combined)]
        if self.unit == Unit.STUDIES:
            study_count = len(self.snapshot.axes["study"].values)
            combined = (
                np.unique(combined * study_count + self.snapshot.studies[patients]) // study_count
            )
        weights = self.row_weights(positions, key, rows_of) if self.unit in ROWS_OF else None
        codes, numbers = count_codes(combined, weights, int(np.prod(sizes, dtype=object)))
        if self.tally.most and len(self.axes) == 1 and len(numbers) > self.tally.most:
            # Those that cannot be cut off need not become texts: all with a number the last of the
            # largest has.
            threshold = np.partition(numbers, -self.tally.most)[-self.tally.most]
            codes, numbers = codes[numbers >= threshold], numbers[numbers >= threshold]
        axis_codes = np.unravel_index(codes, sizes) if axes else ()
        axis_values = [
            [axis.values[i] for i in codes_of_axis.tolist()]
            for axis, codes_of_axis in zip(axes, axis_codes, strict=True)
        ]
        return zip(
            zip(*axis_values, strict=True) if axes else [()] * len(codes),
            numbers.tolist(),
            strict=True,
        )

    def first_per_patient(self, positions: np.ndarray, combined: np.ndarray) -> np.ndarray:
        """Which treatments count, so that a patient counts once for each combination: none that an
        earlier one gave.
        """
        keep = np.ones(len(positions), dtype=bool)
        bounds = np.searchsorted(
            positions, np.asarray([*self.layout.starts, self.layout.width]) * WORD
        )
        for plane in range(1, len(self.layout.starts)):
            in_plane = np.arange(bounds[plane], bounds[plane + 1])
            patients = positions[in_plane] - self.layout.starts[plane] * WORD
            for earlier in range(plane):
                low, high = bounds[earlier], bounds[earlier + 1]
                if low == high:
                    continue
                earlier_positions = patients + self.layout.starts[earlier] * WORD
                candidates = low + np.minimum(
                    np.searchsorted(positions[low:high], earlier_positions), high - low - 1
                )
                keep[in_plane] &= ~(
                    (positions[candidates] == earlier_positions)
                    & (combined[candidates] == combined[in_plane])
                )
        return keep

    def row_weights(self, positions: np.ndarray, key: tuple, rows_of: int | None) -> np.ndarray:
        """How many events or outcomes each treatment has; of one value, where an axis of theirs is
        in the tally.
        """
        if rows_of is None:
            row_counts = self.snapshot.row_counts(self.unit, self.tally.question)
        else:
            place = self.axes[rows_of].values.index(key[-1])
            row_counts = [times[place] for times in self.row_counts(rows_of)]
        weights = np.zeros(len(positions), dtype=np.int64)
        for digits in row_counts:
            for digit, bits in enumerate(digits):
                weights += unpack_bits(bits)[positions].astype(np.int64) << digit
        return weights


def count_codes(
    codes: np.ndarray, weights: np.ndarray | None, code_limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """The codes there are, and the number of each; codes are below `code_limit`."""
    if code_limit <= max(4 * len(codes), 1 << 20):
        numbers = np.bincount(codes, weights)
        present = np.flatnonzero(numbers)
        return present, numbers[present].astype(np.int64)
    present, inverse = np.unique(codes, return_inverse=True)
    numbers = np.bincount(inverse, weights)
    return present[numbers > 0], numbers[numbers > 0].astype(np.int64)

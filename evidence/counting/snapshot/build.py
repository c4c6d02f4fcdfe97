"""Reads a collection into a snapshot: each table once, within one state of the data."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from django.db import connection
from django.db.models import F, Max, Min, Q, QuerySet

from ...models import (
    AdverseEvent,
    Collection,
    DataVersion,
    Outcome,
    Patient,
    Study,
    Treatment,
    set_key,
    term_tree,
)
from ...models.consistency import consistent_read
from ...models.knowledge import FieldCondition, RelationExists
from ..dimensions import (
    DIMENSIONS,
    PATIENT,
    STUDY,
    TREATMENT,
    ConditionDimension,
    MultiValueDimension,
    ScalarDimension,
    SetDimension,
)
from ..tally import Unit
from .bitsets import WORD, Layout, bits_at, pack_bits, unpack_bits
from .bulk_read import (
    KEYS_PER_READ,
    Codes,
    DataChanged,
    ParallelReader,
    bitmask_column,
    coded_column,
    key_range,
    number_column,
    read_columns,
)
from .results import CONDITIONS as result_conditions
from .results import MONTH, result_axes, windows_held
from .snapshot import Axis, KeyIndex, Snapshot, in_window

MAX_BITMAP_VALUES = 40  # values up to which an axis gets a bitmap for each of them
PARALLEL_READ_PATIENTS = 50_000  # patients from which it pays to read with several connections
THREADS, TRIES = 2, 5
UNITS = {AdverseEvent: Unit.EVENTS, Outcome: Unit.OUTCOMES}


def build_snapshot(collection: Collection) -> Snapshot:
    """Reads everything that can be counted of a collection, in one state of the data."""
    for tries_left in reversed(range(TRIES)):
        with consistent_read() as version:
            in_parallel = (
                tries_left
                and not connection.in_atomic_block
                and visible_patients(collection).count() > PARALLEL_READ_PATIENTS
            )
            with ParallelReader(version, threads=THREADS if in_parallel else 0) as readers:
                try:
                    return SnapshotBuilder(collection, version, readers).build()
                except DataChanged:
                    continue
    raise AssertionError("reading with one connection cannot see two states")


def visible_patients(collection: Collection) -> QuerySet:
    """Patients readers may see, each person once."""
    return Patient.objects.within(collection).counted()


class SnapshotBuilder:
    """One snapshot being made."""

    def __init__(self, collection: Collection, version: DataVersion, readers: ParallelReader):
        self.collection, self.version, self.readers = collection, version, readers
        self.axes: dict[str, Axis] = {}
        self.atoms: dict[
            FieldCondition | RelationExists, np.ndarray
        ] = {}  # what conditions are made of, as bits of treatments
        self.totals: dict[str, np.ndarray] = {}

    def build(self) -> Snapshot:
        tables = self.source_tables()
        patient_tables = [table for table in tables if table.of_patient]
        self.read_patients_and_treatments(patient_tables)
        self.read_studies()
        for table in patient_tables:
            self.read_table(table)
        treatment_tables = [table for table in tables if not table.of_patient]
        for table in treatment_tables:
            table.start_reading(self.readers, key_range(self.sorted_keys))
        for table in treatment_tables:
            self.read_table(table)
        for name, dimension in DIMENSIONS.items():
            if isinstance(dimension, ConditionDimension):
                self.axes[name] = self.condition_axis(dimension)
            elif isinstance(dimension, SetDimension):
                self.axes[name] = self.set_axis(self.axes[dimension.of])
        snapshot = Snapshot(
            version=self.version.version_of(self.collection),
            token=self.version.token_of(self.collection),
            layout=self.layout,
            axes=self.axes,
            totals=self.totals,
            studies=self.studies,
            treatment_keys=self.treatment_keys,
            patient_keys=self.patient_keys,
            by_slug=self.by_slug,
            sorted_keys=self.sorted_keys,
            sorted_places=self.sorted_places,
        )
        for array in snapshot.arrays().values():
            array.setflags(write=False)  # threads share it
        return snapshot

    def dimensions_at(self, level: str) -> dict[str, ScalarDimension]:
        return {
            n: d
            for n, d in DIMENSIONS.items()
            if isinstance(d, ScalarDimension) and d.level == level
        }

    # Treatments and patients

    def read_patients_and_treatments(self, tables: "list[SourceTable]") -> None:
        """Patients and treatments; the tables of patients are read alongside."""
        treatment_dimensions, patient_dimensions = (
            self.dimensions_at(TREATMENT),
            self.dimensions_at(PATIENT),
        )
        flags = [
            dimension
            for dimension in DIMENSIONS.values()
            if isinstance(dimension, ConditionDimension)
        ]
        field_conditions = dict.fromkeys(
            atom for flag in flags for atom in flag.atoms() if isinstance(atom, FieldCondition)
        )
        visible = visible_patients(self.collection)
        ends = visible.aggregate(first=Min("pk"), last=Max("pk"))
        key_span = (ends["first"], ends["last"]) if ends["first"] is not None else (0, -1)
        treatment_codes, patient_codes = (
            [Codes() for _ in treatment_dimensions],
            [Codes() for _ in patient_dimensions],
        )
        read_treatments = self.readers.read(
            Treatment.objects.within(self.collection),
            "patient",
            key_span,
            [
                *map(
                    number_column,
                    (
                        F("pk"),
                        F("patient"),
                        F("number"),
                        bitmask_column([atom.q() for atom in field_conditions]),
                    ),
                ),
                *(
                    coded_column(Treatment, dimension, codes)
                    for dimension, codes in zip(
                        treatment_dimensions.values(), treatment_codes, strict=True
                    )
                ),
            ],
        )
        read_patients = self.readers.read(
            visible,
            "pk",
            key_span,
            [
                *map(number_column, (F("pk"), F("study"))),
                *(
                    coded_column(Patient, dimension, codes)
                    for dimension, codes in zip(
                        patient_dimensions.values(), patient_codes, strict=True
                    )
                ),
            ],
        )
        for table in tables:
            table.start_reading(self.readers, key_span)
        # The database says what order its texts stand in, so that a list is in the order a file is
        # in.
        patients = np.fromiter(
            visible.order_by("slug").values_list("pk", flat=True).iterator(KEYS_PER_READ),
            dtype=np.int64,
        )
        unordered, studies, *patient_values = read_patients()
        _, order = KeyIndex(unordered).find(patients)
        studies, patient_values = studies[order], [values[order] for values in patient_values]
        keys, owners, ordinals, marked, *treatment_values = read_treatments()
        is_known, ranks = KeyIndex(patients).find(owners)
        if not is_known.all():
            raise RuntimeError("a course belongs to a patient who is not counted")
        positions = self.assign_positions(ranks, ordinals, len(patients))
        self.treatment_keys = np.zeros(self.layout.width * WORD, dtype=np.int64)
        self.treatment_keys[positions] = keys
        order = np.argsort(keys, kind="stable")
        self.sorted_keys, self.sorted_places = keys[order], positions[order].astype(np.int64)
        self.patient_keys = patients[self.slug_ranks]
        self.patient_studies = studies[self.slug_ranks]
        self.patient_index = KeyIndex(self.patient_keys)
        for (name, _), codes, code_numbers in zip(
            treatment_dimensions.items(), treatment_codes, treatment_values, strict=True
        ):
            self.axes[name] = self.scalar_axis(codes, code_numbers, positions, of_patient=False)
        all_patients = np.arange(self.layout.patients)
        for (name, _), codes, code_numbers in zip(
            patient_dimensions.items(), patient_codes, patient_values, strict=True
        ):
            self.axes[name] = self.scalar_axis(
                codes, code_numbers[self.slug_ranks], all_patients, of_patient=True
            )
        for i, atom in enumerate(field_conditions):
            self.atoms[atom] = bits_at(positions[(marked >> i & 1).astype(bool)], self.layout.width)

    def assign_positions(
        self, ranks: np.ndarray, ordinals: np.ndarray, patient_count: int
    ) -> np.ndarray:
        """Numbers the patients by falling number of treatments, then by public id. Bit positions of
        the treatments.
        """
        treatment_counts = np.bincount(ranks, minlength=patient_count)
        with_treatments = np.flatnonzero(treatment_counts)
        self.slug_ranks = with_treatments[
            np.argsort(-treatment_counts[with_treatments], kind="stable")
        ]
        number_of = np.full(patient_count, -1, dtype=np.int64)
        number_of[self.slug_ranks] = np.arange(len(self.slug_ranks))
        self.by_slug = number_of[with_treatments].astype(np.int32)
        falling = treatment_counts[self.slug_ranks]
        plane_count = int(falling[0]) if len(falling) else 0
        self.layout = Layout(
            [int(np.count_nonzero(falling > plane)) for plane in range(plane_count)]
        )
        order = np.lexsort((ordinals, ranks))
        firsts = np.cumsum(treatment_counts) - treatment_counts
        planes = np.empty(len(ranks), dtype=np.int64)
        planes[order] = np.arange(len(ranks)) - firsts[ranks[order]]
        return self.layout.positions(number_of[ranks], planes)

    def row_words(self, *, of_patient: bool) -> int:
        """Words of one row."""
        return self.layout.words[0] if of_patient else self.layout.width

    def scalar_axis(
        self, codes: Codes, code_numbers: np.ndarray, positions: np.ndarray, *, of_patient: bool
    ) -> Axis:
        values, words = codes.values_met, self.row_words(of_patient=of_patient)
        codes_at = np.zeros(words * WORD, dtype=np.min_scalar_type(max(len(values), 1)))
        codes_at[positions] = code_numbers
        if len(values) > MAX_BITMAP_VALUES:
            return Axis(values, of_patient, None, codes_at)
        rows = [bits_at(positions[code_numbers == number], words) for number in range(len(values))]
        return Axis(
            values, of_patient, np.stack(rows) if rows else self.empty_rows(of_patient), codes_at
        )

    def empty_rows(self, of_patient: bool) -> np.ndarray:
        return np.empty((0, self.row_words(of_patient=of_patient)), dtype=np.uint64)

    def condition_axis(self, flag: ConditionDimension) -> Axis:
        """The first condition that holds, or otherwise."""
        rows, remaining = [], self.layout.all_treatments
        for _, condition in flag.conditions:
            rows.append(condition.evaluate(self.atoms.__getitem__) & remaining)
            remaining = remaining & ~rows[-1]
        bits = np.stack([*rows, remaining])
        patient_bits = bits[:, : self.layout.words[0]]
        of_patient = bool((self.layout.patients_to_treatments(patient_bits) == bits).all())
        values = [*(value for value, _ in flag.conditions), flag.otherwise]
        return Axis(values, of_patient, patient_bits.copy() if of_patient else bits)

    def set_axis(self, axis: Axis) -> Axis:
        """Each patient's whole set of values on an axis of patients, as one value."""
        rows = [
            (value, bits)
            for value, bits in zip(axis.values, axis.bits, strict=True)
            if value is not None
        ]
        rows.sort(key=lambda row: row[0])
        sets, set_numbers = [()], np.zeros(self.row_words(of_patient=True) * WORD, dtype=np.int64)
        for value, bits in rows:
            met, set_numbers = np.unique(set_numbers * 2 + unpack_bits(bits), return_inverse=True)
            sets = [
                (*sets[number // 2], value) if number % 2 else sets[number // 2]
                for number in met.tolist()
            ]
        codes = Codes()
        for codes_of_set in sets:
            codes[set_key(codes_of_set)]
        return self.scalar_axis(codes, set_numbers, np.arange(len(set_numbers)), of_patient=True)

    # Studies

    def read_studies(self) -> None:
        dimensions = self.dimensions_at(STUDY)
        codes = [Codes() for _ in dimensions]
        keys, *values = read_columns(
            Study.objects.within(self.collection),
            "pk",
            key_range(self.patient_studies),
            [
                number_column(F("pk")),
                *(
                    coded_column(Study, dimension, codes_of_dimension)
                    for dimension, codes_of_dimension in zip(
                        dimensions.values(), codes, strict=True
                    )
                ),
            ],
        )
        is_known, study_positions = KeyIndex(keys).find(self.patient_studies)
        if not is_known.all():
            raise RuntimeError("a patient belongs to a study that readers do not see")
        all_patients = np.arange(self.layout.patients)
        for (name, _), codes_of_dimension, code_numbers in zip(
            dimensions.items(), codes, values, strict=True
        ):
            self.axes[name] = self.scalar_axis(
                codes_of_dimension, code_numbers[study_positions], all_patients, of_patient=True
            )
        self.studies = self.axes["study"].codes

    # Everything there can be several of

    def source_tables(self) -> list["SourceTable"]:
        """The tables of rows there can be several of, each with what is asked of it."""
        tables: dict[type, SourceTable] = {}
        for name, dimension in DIMENSIONS.items():
            if isinstance(dimension, MultiValueDimension):
                tables.setdefault(dimension.model, SourceTable(dimension.model)).dimensions[
                    name
                ] = dimension
            elif isinstance(dimension, ConditionDimension):
                for atom in dimension.atoms():
                    if isinstance(atom, RelationExists):
                        tables.setdefault(atom.model, SourceTable(atom.model)).atoms.setdefault(
                            atom
                        )
        return list(tables.values())

    def read_table(self, table: "SourceTable") -> None:
        """Makes axes and conditions of the rows of a table."""
        owners, valued, marked, *extra_columns = table.rows()
        values = table.values()
        if table.of_patient:
            is_known, positions = self.patient_index.find(owners)
        else:
            is_known, positions = KeyIndex(self.sorted_keys).find(owners)
            positions = self.sorted_places[positions]
        valued, marked, extra_columns = (
            valued[is_known],
            marked[is_known],
            [column[is_known] for column in extra_columns],
        )
        for i, (name, dimension) in enumerate(table.dimensions.items()):
            counted = (marked >> i & 1).astype(bool)
            self.axes[name] = self.multi_value_axis(
                dimension, values, positions[counted], valued[counted]
            )
            if not dimension.rows and table.model in UNITS:
                self.totals[str(UNITS[table.model])] = self.count_planes(positions[counted])
        for i, atom in enumerate(table.atoms, start=len(table.dimensions)):
            bits = bits_at(
                positions[(marked >> i & 1).astype(bool)],
                self.row_words(of_patient=table.of_patient),
            )
            self.atoms[atom] = (
                self.layout.patients_to_treatments(bits) if table.of_patient else bits
            )
        if table.model is Outcome:
            bits = marked >> (len(table.dimensions) + len(table.atoms))
            self.axes |= result_axes(
                positions, values, valued, bits, *extra_columns, self.row_words(of_patient=False)
            )
            self.read_windows(table, values, positions, valued, bits)

    def read_windows(
        self,
        table: "SourceTable",
        values: list[str],
        positions: np.ndarray,
        valued: np.ndarray,
        held: np.ndarray,
    ) -> None:
        """How many outcomes there are in each window of months; `held` says which conditions of
        results hold.
        """
        for window, in_it in windows_held(held):
            self.totals[in_window(Unit.OUTCOMES, window)] = self.count_planes(positions[in_it])
            for name, dimension in table.dimensions.items():
                axis = self.multi_value_axis(dimension, values, positions[in_it], valued[in_it])
                self.axes[in_window(name, window)] = replace(axis, bits=None)

    def multi_value_axis(
        self,
        dimension: MultiValueDimension,
        values: list[str],
        positions: np.ndarray,
        valued: np.ndarray,
    ) -> Axis:
        words = self.row_words(of_patient=dimension.of_patient)
        rows = [bits_at(positions[valued == number], words) for number in range(len(values))]
        bits = np.stack(rows) if rows else self.empty_rows(dimension.of_patient)
        if counted_for := dimension.counted_for():
            bits, values = self.count_for_others(bits, values, counted_for)
        if not dimension.rows:
            all_bits = (
                self.layout.all_treatments[: self.layout.words[0]]
                if dimension.of_patient
                else self.layout.all_treatments
            )
            none_bits = all_bits & ~np.bitwise_or.reduce(bits, axis=0) if len(bits) else all_bits
            bits, values = np.concatenate([bits, none_bits[None]]), [*values, None]
        times = None
        if dimension.model in UNITS:
            planes_by_value = [
                self.count_planes(positions[valued == number]) for number in range(len(values))
            ]
            depth = max(len(planes) for planes in planes_by_value) if planes_by_value else 1
            times = np.zeros((len(values), depth, self.layout.width), dtype=np.uint64)
            for number, planes in enumerate(planes_by_value):
                times[number, : len(planes)] = planes
        wider = term_tree(dimension.terms).wider if dimension.terms else {}
        return Axis(values, dimension.of_patient, bits, None, times, wider)

    def count_for_others(
        self, bits: np.ndarray, values: list[str], counted_for: dict[str, frozenset[str]]
    ) -> tuple[np.ndarray, list[str]]:
        """Bitmaps and values, with what stands under the terms of `counted_for[v]` counted under
        v.
        """
        bits_by_value = dict(zip(values, bits, strict=True))
        with_narrower = dict(bits_by_value)
        for value, terms in counted_for.items():
            rows = [bits_by_value[term] for term in terms if term in bits_by_value]
            if rows:
                with_narrower[value] = np.bitwise_or.reduce(rows)
        return np.stack(list(with_narrower.values())) if with_narrower else bits, list(
            with_narrower
        )

    def count_planes(self, positions: np.ndarray) -> np.ndarray:
        """(bits, width): how often each place occurs, as binary numbers whose digits stand in
        rows.
        """
        counts = np.bincount(positions, minlength=self.layout.width * WORD)
        depth = max(int(counts.max(initial=0)).bit_length(), 1)
        return np.stack([pack_bits((counts >> digit & 1).astype(bool)) for digit in range(depth)])


@dataclass
class SourceTable:
    """A table of rows of treatments or patients: to-many dimensions, and conditions that ask for a
    row.
    """

    model: type
    dimensions: dict[str, MultiValueDimension] = field(default_factory=dict)
    atoms: dict[RelationExists, None] = field(default_factory=dict)
    codes: Codes = field(default_factory=Codes)
    rows: Callable[[], list[np.ndarray]] | None = None

    @property
    def first_dimension(self) -> MultiValueDimension:
        return next(iter(self.dimensions.values()))

    @property
    def of_patient(self) -> bool:
        return self.first_dimension.of_patient

    def start_reading(self, readers: ParallelReader, key_span: tuple[int, int]) -> None:
        """Reads it in one pass: owner, value, and which dimensions and conditions count the row.

        By a range of keys rather than by joins; what belongs to other collections is left out
        later.
        """
        conditions = [Q(**dimension.rows) for dimension in self.dimensions.values()] + [
            atom.where for atom in self.atoms
        ]
        conditions += result_conditions if self.model is Outcome else []
        value = F(self.first_dimension.value.partition("__")[0])
        columns = [
            number_column(F(self.first_dimension.owner)),
            (value, self.codes),
            number_column(bitmask_column([condition or None for condition in conditions])),
            *([number_column(MONTH)] if self.model is Outcome else []),
        ]
        self.rows = readers.read(
            self.model.objects.all(), self.first_dimension.owner, key_span, columns
        )

    def values(self) -> list[str]:
        """The values met, as texts: codes of the term table where the column is a reference to
        one.
        """
        column, _, lookup = self.first_dimension.value.partition("__")
        if not lookup:
            return self.codes.values_met
        terms = self.model._meta.get_field(column).related_model
        codes_by_key = dict(terms.objects.values_list("pk", lookup))
        return [codes_by_key[int(key)] for key in self.codes]

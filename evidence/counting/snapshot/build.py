"""Reads a collection into a snapshot: each table once, within one state of the data."""

from collections.abc import Callable
from dataclasses import dataclass, field

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
    COURSE,
    DIMENSIONS,
    PATIENT,
    STUDY,
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
from .results import MONTH, result_axes
from .snapshot import Axis, KeyIndex, Snapshot

MAX_BITMAP_VALUES = 40  # values up to which an axis gets a bitmap for each of them
PARALLEL_READ_PATIENTS = 50_000  # patients from which it pays to read with several connections
THREADS, TRIES = 2, 5
UNITS = {AdverseEvent: Unit.EVENTS, Outcome: Unit.OUTCOMES}


def build_snapshot(collection: Collection) -> Snapshot:
    """Reads everything that can be counted of a collection, in one state of the data."""
    for left in reversed(range(TRIES)):
        with consistent_read() as version:
            apart = (
                left
                and not connection.in_atomic_block
                and visible_patients(collection).count() > PARALLEL_READ_PATIENTS
            )
            with ParallelReader(version, threads=THREADS if apart else 0) as readers:
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
        ] = {}  # what conditions are made of, as bits of courses
        self.totals: dict[Unit, np.ndarray] = {}

    def build(self) -> Snapshot:
        tables = self.source_tables()
        of_patients = [each for each in tables if each.of_patient]
        self.read_patients_and_treatments(of_patients)
        self.read_studies()
        for table in of_patients:
            self.read_table(table)
        of_courses = [each for each in tables if not each.of_patient]
        for table in of_courses:
            table.start_reading(self.readers, key_range(self.sorted_keys))
        for table in of_courses:
            self.read_table(table)
        for name, dimension in DIMENSIONS.items():
            if isinstance(dimension, ConditionDimension):
                self.axes[name] = self.condition_axis(dimension)
            elif isinstance(dimension, SetDimension):
                self.axes[name] = self.set_axis(self.axes[dimension.of])
        snapshot = Snapshot(
            version=self.version.of(self.collection),
            token=self.version.token_of(self.collection),
            layout=self.layout,
            axes=self.axes,
            totals={str(unit): self.totals[unit] for unit in UNITS.values()},
            studies=self.studies,
            course_keys=self.course_keys,
            patient_keys=self.patient_keys,
            by_slug=self.by_slug,
            sorted_keys=self.sorted_keys,
            sorted_places=self.sorted_places,
        )
        for array in snapshot.arrays().values():
            array.setflags(write=False)  # threads share it
        return snapshot

    def dimensions_at(self, level: str) -> dict[str, ScalarDimension]:
        return {n: d for n, d in DIMENSIONS.items() if isinstance(d, ScalarDimension) and d.level == level}

    # Courses and patients

    def read_patients_and_treatments(self, tables: "list[SourceTable]") -> None:
        """Patients and courses; the tables of patients are read alongside."""
        ones, found = self.dimensions_at(COURSE), self.dimensions_at(PATIENT)
        flags = [each for each in DIMENSIONS.values() if isinstance(each, ConditionDimension)]
        said = dict.fromkeys(atom for flag in flags for atom in flag.atoms() if isinstance(atom, FieldCondition))
        people = visible_patients(self.collection)
        ends = people.aggregate(first=Min("pk"), last=Max("pk"))
        span = (ends["first"], ends["last"]) if ends["first"] is not None else (0, -1)
        course_codes, patient_codes = [Codes() for _ in ones], [Codes() for _ in found]
        read_courses = self.readers.read(
            Treatment.objects.within(self.collection),
            "patient",
            span,
            [
                *map(number_column, (F("pk"), F("patient"), F("number"), bitmask_column([atom.q() for atom in said]))),
                *(
                    coded_column(Treatment, each, codes)
                    for each, codes in zip(ones.values(), course_codes, strict=True)
                ),
            ],
        )
        read_patients = self.readers.read(
            people,
            "pk",
            span,
            [
                *map(number_column, (F("pk"), F("study"))),
                *(
                    coded_column(Patient, each, codes)
                    for each, codes in zip(found.values(), patient_codes, strict=True)
                ),
            ],
        )
        for table in tables:
            table.start_reading(self.readers, span)
        # The database says what order its texts stand in, so that a list is in the order a file is in.
        patients = np.fromiter(
            people.order_by("slug").values_list("pk", flat=True).iterator(KEYS_PER_READ), dtype=np.int64
        )
        unordered, studies, *patient_values = read_patients()
        _, order = KeyIndex(unordered).find(patients)
        studies, patient_values = studies[order], [values[order] for values in patient_values]
        keys, owners, ordinals, marked, *course_values = read_courses()
        there, ranks = KeyIndex(patients).find(owners)
        if not there.all():
            raise RuntimeError("a course belongs to a patient who is not counted")
        places = self.assign_positions(ranks, ordinals, len(patients))
        self.course_keys = np.zeros(self.layout.width * WORD, dtype=np.int64)
        self.course_keys[places] = keys
        order = np.argsort(keys, kind="stable")
        self.sorted_keys, self.sorted_places = keys[order], places[order].astype(np.int64)
        self.patient_keys = patients[self.slug_ranks]
        self.patient_studies = studies[self.slug_ranks]
        self.patient_index = KeyIndex(self.patient_keys)
        for (name, _), codes, numbered in zip(ones.items(), course_codes, course_values, strict=True):
            self.axes[name] = self.scalar_axis(codes, numbered, places, of_patient=False)
        everyone = np.arange(self.layout.patients)
        for (name, _), codes, numbered in zip(found.items(), patient_codes, patient_values, strict=True):
            self.axes[name] = self.scalar_axis(codes, numbered[self.slug_ranks], everyone, of_patient=True)
        for i, atom in enumerate(said):
            self.atoms[atom] = bits_at(places[(marked >> i & 1).astype(bool)], self.layout.width)

    def assign_positions(self, ranks: np.ndarray, ordinals: np.ndarray, people: int) -> np.ndarray:
        """Numbers the patients by falling number of courses, then by public id. Bit positions of the courses."""
        courses = np.bincount(ranks, minlength=people)
        with_courses = np.flatnonzero(courses)
        self.slug_ranks = with_courses[np.argsort(-courses[with_courses], kind="stable")]
        number_of = np.full(people, -1, dtype=np.int64)
        number_of[self.slug_ranks] = np.arange(len(self.slug_ranks))
        self.by_slug = number_of[with_courses].astype(np.int32)
        falling = courses[self.slug_ranks]
        most = int(falling[0]) if len(falling) else 0
        self.layout = Layout([int(np.count_nonzero(falling > plane)) for plane in range(most)])
        order = np.lexsort((ordinals, ranks))
        firsts = np.cumsum(courses) - courses
        planes = np.empty(len(ranks), dtype=np.int64)
        planes[order] = np.arange(len(ranks)) - firsts[ranks[order]]
        return self.layout.positions(number_of[ranks], planes)

    def row_words(self, *, of_patient: bool) -> int:
        """Words of one row."""
        return self.layout.words[0] if of_patient else self.layout.width

    def scalar_axis(self, codes: Codes, numbered: np.ndarray, places: np.ndarray, *, of_patient: bool) -> Axis:
        values, words = codes.values_met, self.row_words(of_patient=of_patient)
        at = np.zeros(words * WORD, dtype=np.min_scalar_type(max(len(values), 1)))
        at[places] = numbered
        if len(values) > MAX_BITMAP_VALUES:
            return Axis(values, of_patient, None, at)
        rows = [bits_at(places[numbered == number], words) for number in range(len(values))]
        return Axis(values, of_patient, np.stack(rows) if rows else self.empty_rows(of_patient), at)

    def empty_rows(self, of_patient: bool) -> np.ndarray:
        return np.empty((0, self.row_words(of_patient=of_patient)), dtype=np.uint64)

    def condition_axis(self, flag: ConditionDimension) -> Axis:
        """The first condition that holds, or otherwise."""
        rows, left = [], self.layout.all_treatments
        for _, condition in flag.conditions:
            rows.append(condition.evaluate(self.atoms.__getitem__) & left)
            left = left & ~rows[-1]
        bits = np.stack([*rows, left])
        people = bits[:, : self.layout.words[0]]
        same = bool((self.layout.patients_to_treatments(people) == bits).all())
        values = [*(value for value, _ in flag.conditions), flag.otherwise]
        return Axis(values, same, people.copy() if same else bits)

    def set_axis(self, axis: Axis) -> Axis:
        """Each patient's whole set of values on an axis of patients, as one value."""
        rows = [(value, bits) for value, bits in zip(axis.values, axis.bits, strict=True) if value is not None]
        rows.sort(key=lambda row: row[0])
        sets, numbered = [()], np.zeros(self.row_words(of_patient=True) * WORD, dtype=np.int64)
        for value, bits in rows:
            met, numbered = np.unique(numbered * 2 + unpack_bits(bits), return_inverse=True)
            sets = [(*sets[number // 2], value) if number % 2 else sets[number // 2] for number in met.tolist()]
        codes = Codes()
        for each in sets:
            codes[set_key(each)]
        return self.scalar_axis(codes, numbered, np.arange(len(numbered)), of_patient=True)

    # Studies

    def read_studies(self) -> None:
        found = self.dimensions_at(STUDY)
        codes = [Codes() for _ in found]
        keys, *values = read_columns(
            Study.objects.within(self.collection),
            "pk",
            key_range(self.patient_studies),
            [
                number_column(F("pk")),
                *(coded_column(Study, each, code) for each, code in zip(found.values(), codes, strict=True)),
            ],
        )
        there, at = KeyIndex(keys).find(self.patient_studies)
        if not there.all():
            raise RuntimeError("a patient belongs to a study that readers do not see")
        everyone = np.arange(self.layout.patients)
        for (name, _), code, numbered in zip(found.items(), codes, values, strict=True):
            self.axes[name] = self.scalar_axis(code, numbered[at], everyone, of_patient=True)
        self.studies = self.axes["study"].codes

    # Everything there can be several of

    def source_tables(self) -> list["SourceTable"]:
        """The tables of rows there can be several of, each with what is asked of it."""
        found: dict[type, SourceTable] = {}
        for name, dimension in DIMENSIONS.items():
            if isinstance(dimension, MultiValueDimension):
                found.setdefault(dimension.model, SourceTable(dimension.model)).dimensions[name] = dimension
            elif isinstance(dimension, ConditionDimension):
                for atom in dimension.atoms():
                    if isinstance(atom, RelationExists):
                        found.setdefault(atom.model, SourceTable(atom.model)).atoms.setdefault(atom)
        return list(found.values())

    def read_table(self, table: "SourceTable") -> None:
        """Makes axes and conditions of the rows of a table."""
        owners, valued, marked, *more = table.rows()
        values = table.values()
        if table.of_patient:
            there, at = self.patient_index.find(owners)
        else:
            there, at = KeyIndex(self.sorted_keys).find(owners)
            at = self.sorted_places[at]
        valued, marked, more = valued[there], marked[there], [each[there] for each in more]
        for i, (name, dimension) in enumerate(table.dimensions.items()):
            counts = (marked >> i & 1).astype(bool)
            self.axes[name] = self.multi_value_axis(dimension, values, at[counts], valued[counts])
            if not dimension.rows and table.model in UNITS:
                self.totals[UNITS[table.model]] = self.count_planes(at[counts])
        for i, atom in enumerate(table.atoms, start=len(table.dimensions)):
            held = bits_at(at[(marked >> i & 1).astype(bool)], self.row_words(of_patient=table.of_patient))
            self.atoms[atom] = self.layout.patients_to_treatments(held) if table.of_patient else held
        if table.model is Outcome:
            held = marked >> (len(table.dimensions) + len(table.atoms))
            self.axes |= result_axes(at, values, valued, held, *more, self.row_words(of_patient=False))

    def multi_value_axis(
        self, dimension: MultiValueDimension, values: list[str], at: np.ndarray, valued: np.ndarray
    ) -> Axis:
        words = self.row_words(of_patient=dimension.of_patient)
        rows = [bits_at(at[valued == number], words) for number in range(len(values))]
        bits = np.stack(rows) if rows else self.empty_rows(dimension.of_patient)
        if several := dimension.counted_for():
            bits, values = self.count_for_others(bits, values, several)
        if not dimension.rows:
            everybody = (
                self.layout.all_treatments[: self.layout.words[0]]
                if dimension.of_patient
                else self.layout.all_treatments
            )
            without = everybody & ~np.bitwise_or.reduce(bits, axis=0) if len(bits) else everybody
            bits, values = np.concatenate([bits, without[None]]), [*values, None]
        times = None
        if dimension.model in UNITS:
            each = [self.count_planes(at[valued == number]) for number in range(len(values))]
            deep = max(len(planes) for planes in each) if each else 1
            times = np.zeros((len(values), deep, self.layout.width), dtype=np.uint64)
            for number, planes in enumerate(each):
                times[number, : len(planes)] = planes
        wider = term_tree(dimension.terms).wider if dimension.terms else {}
        return Axis(values, dimension.of_patient, bits, None, times, wider)

    def count_for_others(
        self, bits: np.ndarray, values: list[str], several: dict[str, frozenset[str]]
    ) -> tuple[np.ndarray, list[str]]:
        """Bitmaps and values, with what stands under the terms of `several[v]` counted under v."""
        own = dict(zip(values, bits, strict=True))
        counted = dict(own)
        for value, terms in several.items():
            rows = [own[term] for term in terms if term in own]
            if rows:
                counted[value] = np.bitwise_or.reduce(rows)
        return np.stack(list(counted.values())) if counted else bits, list(counted)

    def count_planes(self, places: np.ndarray) -> np.ndarray:
        """(bits, width): how often each place occurs, as binary numbers whose digits stand in rows."""
        counts = np.bincount(places, minlength=self.layout.width * WORD)
        deep = max(int(counts.max(initial=0)).bit_length(), 1)
        return np.stack([pack_bits((counts >> digit & 1).astype(bool)) for digit in range(deep)])


@dataclass
class SourceTable:
    """A table of rows of courses or patients: to-many dimensions, and conditions that ask for a row."""

    model: type
    dimensions: dict[str, MultiValueDimension] = field(default_factory=dict)
    atoms: dict[RelationExists, None] = field(default_factory=dict)
    codes: Codes = field(default_factory=Codes)
    rows: Callable[[], list[np.ndarray]] | None = None

    @property
    def first(self) -> MultiValueDimension:
        return next(iter(self.dimensions.values()))

    @property
    def of_patient(self) -> bool:
        return self.first.of_patient

    def start_reading(self, readers: ParallelReader, span: tuple[int, int]) -> None:
        """Reads it in one pass: owner, value, and which dimensions and conditions count the row.

        By a range of keys rather than by joins; what belongs to other collections is left out later.
        """
        counted = [Q(**each.rows) for each in self.dimensions.values()] + [atom.where for atom in self.atoms]
        counted += result_conditions if self.model is Outcome else []
        value = F(self.first.value.partition("__")[0])
        wanted = [
            number_column(F(self.first.owner)),
            (value, self.codes),
            number_column(bitmask_column([each or None for each in counted])),
            *([number_column(MONTH)] if self.model is Outcome else []),
        ]
        self.rows = readers.read(self.model.objects.all(), self.first.owner, span, wanted)

    def values(self) -> list[str]:
        """The values met, as texts: codes of the term table where the column is a reference to one."""
        column, _, rest = self.first.value.partition("__")
        if not rest:
            return self.codes.values_met
        terms = self.model._meta.get_field(column).related_model
        named = dict(terms.objects.values_list("pk", rest))
        return [named[int(key)] for key in self.codes]

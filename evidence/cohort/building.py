"""Reads a collection into a snapshot: each table once, within one state of the data."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from django.db import connection
from django.db.models import F, Max, Min, Q, QuerySet

from ..models import AdverseEvent, Collection, DataVersion, Outcome, Patient, Study, Treatment, set_key
from ..models.knowledge import Has, Said
from ..steady import steady
from .bits import WORD, Layout, pack, packed_at, unpacked
from .dimensions import COURSE, DIMENSIONS, PATIENT, STUDY, Flag, Many, One, Sets
from .reading import READ, Codes, Moved, Readers, coded, columns, marks, numbers, span_of
from .snapshot import Axis, Snapshot
from .tally import Unit

FEW = 40  # values up to which an axis gets a bitmap for each of them
LARGE = 50_000  # patients from which it pays to read with several connections
THREADS, TRIES = 2, 5
UNITS = {AdverseEvent: Unit.EVENTS, Outcome: Unit.OUTCOMES}


def build(collection: Collection) -> Snapshot:
    """Reads everything that can be counted of a collection, in one state of the data."""
    for left in reversed(range(TRIES)):
        with steady() as version:
            apart = left and not connection.in_atomic_block and people_of(collection).count() > LARGE
            with Readers(version, threads=THREADS if apart else 0) as readers:
                try:
                    return Building(collection, version, readers).snapshot()
                except Moved:
                    continue
    raise AssertionError("reading with one connection cannot see two states")


def people_of(collection: Collection) -> QuerySet:
    """Patients readers may see, each person once."""
    return Patient.objects.within(collection).counted()


class Index:
    """From primary keys to positions; keys that are not there are found nowhere."""

    def __init__(self, keys: np.ndarray):
        self.order = np.argsort(keys, kind="stable")
        self.keys = keys[self.order]

    def find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(which of `keys` are there, their positions)."""
        if not len(self.keys):
            return np.zeros(len(keys), dtype=bool), np.empty(0, dtype=np.int64)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        there = self.keys[at] == keys
        return there, self.order[at[there]]


class Building:
    """One snapshot being made."""

    def __init__(self, collection: Collection, version: DataVersion, readers: Readers):
        self.collection, self.version, self.readers = collection, version, readers
        self.axes: dict[str, Axis] = {}
        self.leaves: dict[Said | Has, np.ndarray] = {}  # what conditions are made of, as bits of courses
        self.totals: dict[Unit, np.ndarray] = {}

    def snapshot(self) -> Snapshot:
        tables = self.tables()
        of_patients = [each for each in tables if each.of_patient]
        self.read_people(of_patients)
        self.read_studies()
        for table in of_patients:
            self.take(table)
        of_courses = [each for each in tables if not each.of_patient]
        for table in of_courses:
            table.start(self.readers, span_of(self.sorted_keys))
        for table in of_courses:
            self.take(table)
        for name, dimension in DIMENSIONS.items():
            if isinstance(dimension, Flag):
                self.axes[name] = self.flag(dimension)
            elif isinstance(dimension, Sets):
                self.axes[name] = self.sets(self.axes[dimension.of])
        snapshot = Snapshot(
            version=self.version.of(self.collection),
            token=self.version.token_of(self.collection),
            layout=self.layout,
            axes={name: self.axes[name] for name in DIMENSIONS},
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

    def named(self, level: str) -> dict[str, One]:
        return {n: d for n, d in DIMENSIONS.items() if isinstance(d, One) and d.level == level}

    # Courses and patients

    def read_people(self, tables: "list[Table]") -> None:
        """Patients and courses; the tables of patients are read alongside."""
        ones, found = self.named(COURSE), self.named(PATIENT)
        flags = [each for each in DIMENSIONS.values() if isinstance(each, Flag)]
        said = dict.fromkeys(leaf for flag in flags for leaf in flag.leaves() if isinstance(leaf, Said))
        people = people_of(self.collection)
        ends = people.aggregate(first=Min("pk"), last=Max("pk"))
        span = (ends["first"], ends["last"]) if ends["first"] is not None else (0, -1)
        course_codes, patient_codes = [Codes() for _ in ones], [Codes() for _ in found]
        read_courses = self.readers.read(
            Treatment.objects.within(self.collection),
            "patient",
            span,
            [
                *map(numbers, (F("pk"), F("patient"), F("number"), marks([leaf.q() for leaf in said]))),
                *(coded(Treatment, each, codes) for each, codes in zip(ones.values(), course_codes, strict=True)),
            ],
        )
        read_patients = self.readers.read(
            people,
            "pk",
            span,
            [
                *map(numbers, (F("pk"), F("study"))),
                *(coded(Patient, each, codes) for each, codes in zip(found.values(), patient_codes, strict=True)),
            ],
        )
        for table in tables:
            table.start(self.readers, span)
        # The database says what order its texts stand in, so that a list is in the order a file is in.
        patients = np.fromiter(people.order_by("slug").values_list("pk", flat=True).iterator(READ), dtype=np.int64)
        unordered, studies, *patient_values = read_patients()
        _, order = Index(unordered).find(patients)
        studies, patient_values = studies[order], [values[order] for values in patient_values]
        keys, owners, ordinals, marked, *course_values = read_courses()
        there, ranks = Index(patients).find(owners)
        if not there.all():
            raise RuntimeError("a course belongs to a patient who is not counted")
        places = self.lay_out(ranks, ordinals, len(patients))
        self.course_keys = np.zeros(self.layout.width * WORD, dtype=np.int64)
        self.course_keys[places] = keys
        order = np.argsort(keys, kind="stable")
        self.sorted_keys, self.sorted_places = keys[order], places[order].astype(np.int64)
        self.patient_keys = patients[self.slug_ranks]
        self.patient_studies = studies[self.slug_ranks]
        self.patient_index = Index(self.patient_keys)
        for (name, _), codes, numbered in zip(ones.items(), course_codes, course_values, strict=True):
            self.axes[name] = self.one_value(codes, numbered, places, of_patient=False)
        everyone = np.arange(self.layout.patients)
        for (name, _), codes, numbered in zip(found.items(), patient_codes, patient_values, strict=True):
            self.axes[name] = self.one_value(codes, numbered[self.slug_ranks], everyone, of_patient=True)
        for i, leaf in enumerate(said):
            self.leaves[leaf] = packed_at(places[(marked >> i & 1).astype(bool)], self.layout.width)

    def lay_out(self, ranks: np.ndarray, ordinals: np.ndarray, people: int) -> np.ndarray:
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
        return self.layout.places(number_of[ranks], planes)

    def words(self, *, of_patient: bool) -> int:
        """Words of one row."""
        return self.layout.words[0] if of_patient else self.layout.width

    def one_value(self, codes: Codes, numbered: np.ndarray, places: np.ndarray, *, of_patient: bool) -> Axis:
        values, words = codes.values_met, self.words(of_patient=of_patient)
        at = np.zeros(words * WORD, dtype=np.min_scalar_type(max(len(values), 1)))
        at[places] = numbered
        if len(values) > FEW:
            return Axis(values, of_patient, None, at)
        rows = [packed_at(places[numbered == number], words) for number in range(len(values))]
        return Axis(values, of_patient, np.stack(rows) if rows else self.nothing(of_patient), at)

    def nothing(self, of_patient: bool) -> np.ndarray:
        return np.empty((0, self.words(of_patient=of_patient)), dtype=np.uint64)

    def flag(self, flag: Flag) -> Axis:
        """The first condition that holds, or otherwise."""
        rows, left = [], self.layout.everybody
        for _, condition in flag.conditions:
            rows.append(condition.holds(self.leaves.__getitem__) & left)
            left = left & ~rows[-1]
        bits = np.stack([*rows, left])
        people = bits[:, : self.layout.words[0]]
        same = bool((self.layout.lowered(people) == bits).all())
        values = [*(value for value, _ in flag.conditions), flag.otherwise]
        return Axis(values, same, people.copy() if same else bits)

    def sets(self, axis: Axis) -> Axis:
        """Each patient's whole set of values on an axis of patients, as one value."""
        rows = [(value, bits) for value, bits in zip(axis.values, axis.bits, strict=True) if value is not None]
        rows.sort(key=lambda row: row[0])
        sets, numbered = [()], np.zeros(self.words(of_patient=True) * WORD, dtype=np.int64)
        for value, bits in rows:
            met, numbered = np.unique(numbered * 2 + unpacked(bits), return_inverse=True)
            sets = [(*sets[number // 2], value) if number % 2 else sets[number // 2] for number in met.tolist()]
        codes = Codes()
        for each in sets:
            codes[set_key(each)]
        return self.one_value(codes, numbered, np.arange(len(numbered)), of_patient=True)

    # Studies

    def read_studies(self) -> None:
        found = self.named(STUDY)
        codes = [Codes() for _ in found]
        keys, *values = columns(
            Study.objects.within(self.collection),
            "pk",
            span_of(self.patient_studies),
            [
                numbers(F("pk")),
                *(coded(Study, each, code) for each, code in zip(found.values(), codes, strict=True)),
            ],
        )
        there, at = Index(keys).find(self.patient_studies)
        if not there.all():
            raise RuntimeError("a patient belongs to a study that readers do not see")
        everyone = np.arange(self.layout.patients)
        for (name, _), code, numbered in zip(found.items(), codes, values, strict=True):
            self.axes[name] = self.one_value(code, numbered[at], everyone, of_patient=True)
        self.studies = self.axes["study"].codes

    # Everything there can be several of

    def tables(self) -> list["Table"]:
        """The tables of rows there can be several of, each with what is asked of it."""
        found: dict[type, Table] = {}
        for name, dimension in DIMENSIONS.items():
            if isinstance(dimension, Many):
                found.setdefault(dimension.model, Table(dimension.model)).dimensions[name] = dimension
            elif isinstance(dimension, Flag):
                for leaf in dimension.leaves():
                    if isinstance(leaf, Has):
                        found.setdefault(leaf.model, Table(leaf.model)).leaves.setdefault(leaf)
        return list(found.values())

    def take(self, table: "Table") -> None:
        """Makes axes and conditions of the rows of a table."""
        owners, valued, marked = table.rows()
        values = table.values()
        if table.of_patient:
            there, at = self.patient_index.find(owners)
        else:
            there, at = Index(self.sorted_keys).find(owners)
            at = self.sorted_places[at]
        valued, marked = valued[there], marked[there]
        for i, (name, dimension) in enumerate(table.dimensions.items()):
            counts = (marked >> i & 1).astype(bool)
            self.axes[name] = self.several(dimension, values, at[counts], valued[counts])
            if not dimension.rows and table.model in UNITS:
                self.totals[UNITS[table.model]] = self.sliced(at[counts])
        for i, leaf in enumerate(table.leaves, start=len(table.dimensions)):
            held = packed_at(at[(marked >> i & 1).astype(bool)], self.words(of_patient=table.of_patient))
            self.leaves[leaf] = self.layout.lowered(held) if table.of_patient else held

    def several(self, dimension: Many, values: list[str], at: np.ndarray, valued: np.ndarray) -> Axis:
        words = self.words(of_patient=dimension.of_patient)
        rows = [packed_at(at[valued == number], words) for number in range(len(values))]
        bits = np.stack(rows) if rows else self.nothing(dimension.of_patient)
        if not dimension.rows:
            everybody = self.layout.everybody[: self.layout.words[0]] if dimension.of_patient else self.layout.everybody
            without = everybody & ~np.bitwise_or.reduce(bits, axis=0) if len(bits) else everybody
            bits, values = np.concatenate([bits, without[None]]), [*values, None]
        times = None
        if dimension.model in UNITS:
            each = [self.sliced(at[valued == number]) for number in range(len(values))]
            deep = max(len(planes) for planes in each) if each else 1
            times = np.zeros((len(values), deep, self.layout.width), dtype=np.uint64)
            for number, planes in enumerate(each):
                times[number, : len(planes)] = planes
        return Axis(values, dimension.of_patient, bits, None, times)

    def sliced(self, places: np.ndarray) -> np.ndarray:
        """(bits, width): how often each place occurs, as binary numbers whose digits stand in rows."""
        counts = np.bincount(places, minlength=self.layout.width * WORD)
        deep = max(int(counts.max(initial=0)).bit_length(), 1)
        return np.stack([pack((counts >> digit & 1).astype(bool)) for digit in range(deep)])


@dataclass
class Table:
    """A table of rows of courses or patients: to-many dimensions, and conditions that ask for a row."""

    model: type
    dimensions: dict[str, Many] = field(default_factory=dict)
    leaves: dict[Has, None] = field(default_factory=dict)
    codes: Codes = field(default_factory=Codes)
    rows: Callable[[], list[np.ndarray]] | None = None

    @property
    def first(self) -> Many:
        return next(iter(self.dimensions.values()))

    @property
    def of_patient(self) -> bool:
        return self.first.of_patient

    def start(self, readers: Readers, span: tuple[int, int]) -> None:
        """Reads it in one pass: owner, value, and which dimensions and conditions count the row.

        By a range of keys rather than by joins; what belongs to other collections is left out later.
        """
        counted = [Q(**each.rows) for each in self.dimensions.values()] + [leaf.where for leaf in self.leaves]
        value = F(self.first.value.partition("__")[0])
        wanted = [numbers(F(self.first.owner)), (value, self.codes), numbers(marks([each or None for each in counted]))]
        self.rows = readers.read(self.model.objects.all(), self.first.owner, span, wanted)

    def values(self) -> list[str]:
        """The values met, as texts: codes of the term table where the column is a reference to one."""
        column, _, rest = self.first.value.partition("__")
        if not rest:
            return self.codes.values_met
        terms = self.model._meta.get_field(column).related_model
        named = dict(terms.objects.values_list("pk", rest))
        return [named[int(key)] for key in self.codes]

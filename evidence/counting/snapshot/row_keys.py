"""Finds in memory which records a page of a list shows, so that the database does not sort or skip
a million rows for it.
"""

from collections.abc import Callable

import numpy as np
from django.db.models import QuerySet

from ...questions.question import Question
from ..tally import Unit
from .answering import QuestionBitsets
from .bitsets import WORD, unpack_bits
from .snapshot import KeyIndex, Snapshot, names_in_months
from .store import snapshot_for

READ_ORDER = 50_000  # keys fetched at a time
Order = tuple[str, Callable[[], QuerySet]]


def row_keys(
    question: Question, unit: Unit, start: int, stop: int, order: Order | None = None
) -> list[int] | None:
    """Primary keys of the patients or treatments at these places of a list; None where the database
    has to say.

    `order` is the name of an order and a function that gives all records of the collection in it;
    without one, patients stand by their public ids, and treatments by their patients' and then as
    they were given. What order a column makes is asked of the database, once per version.
    """
    snapshot = snapshot_for(question.collection)
    if snapshot is None:
        return None
    ranked = database_order(snapshot, unit, *order) if order else default_order(snapshot, unit)
    rows = first_matching(ranked, matching_flags(snapshot, question, unit), stop)[start:]
    return (snapshot.patient_keys if unit == Unit.PATIENTS else snapshot.treatment_keys)[
        rows
    ].tolist()


def row_keys_under(
    question: Question, unit: Unit, start: int, stop: int
) -> tuple[list[int], int] | None:
    """Outcomes or events at these places of a list in the usual order of treatments.

    Gives the treatments they belong to and how many rows of the first treatments stand before the
    first wanted one; None where the database has to say.
    """
    snapshot = snapshot_for(question.collection)
    if snapshot is None:
        return None
    ranked, flags = (
        default_order(snapshot, Unit.TREATMENTS),
        matching_flags(snapshot, question, Unit.TREATMENTS),
    )
    treatments = first_matching(
        ranked, flags, stop, times := rows_per_treatment(snapshot, unit, question)
    )
    ends = np.cumsum(times[treatments])
    first = int(np.searchsorted(ends, start, side="right"))
    rows_before = int(ends[first - 1]) if first else 0
    last = int(np.searchsorted(ends, stop)) + 1
    return snapshot.treatment_keys[treatments[first:last]].tolist(), start - rows_before


def matching_treatments_of(question: Question, patients: list[int]) -> list[int] | None:
    """Primary keys of these patients' treatments that answer the question; None where the database
    has to say.
    """
    snapshot = snapshot_for(question.collection)
    if snapshot is None:
        return None
    matching, layout = QuestionBitsets(snapshot).matching(question), snapshot.layout
    _, numbers = patient_index(snapshot).find(np.asarray(patients, dtype=np.int64))
    keys: list[int] = []
    for start, size in zip(layout.starts, layout.sizes, strict=True):
        positions = start * WORD + numbers[numbers < size]
        bits = matching[positions // WORD] >> (positions % WORD).astype(np.uint64) & np.uint64(1)
        keys += snapshot.treatment_keys[positions[bits.astype(bool)]].tolist()
    return keys


def cached_on_snapshot(snapshot: Snapshot, name: str, make: Callable):
    """Something made of a snapshot, made once and kept with it."""
    if name not in snapshot.memory:
        snapshot.memory[name] = make()
    return snapshot.memory[name]


def patient_index(snapshot: Snapshot) -> KeyIndex:
    return cached_on_snapshot(snapshot, "patients", lambda: KeyIndex(snapshot.patient_keys))


def matching_flags(snapshot: Snapshot, question: Question, unit: Unit) -> np.ndarray:
    """Truth values by number of the patient or by place of the treatment."""
    bits = QuestionBitsets(snapshot).matching(question)
    bits = snapshot.layout.treatments_to_patients(bits) if unit == Unit.PATIENTS else bits
    return unpack_bits(bits).view(bool)


def default_order(snapshot: Snapshot, unit: Unit) -> np.ndarray:
    if unit == Unit.PATIENTS:
        return snapshot.by_slug
    return cached_on_snapshot(snapshot, "courses in order", lambda: treatments_in_order(snapshot))


def treatments_in_order(snapshot: Snapshot) -> np.ndarray:
    """Bit places by patients' public ids, then in the order the treatments were given."""
    layout = snapshot.layout
    positions = [
        start * WORD + np.arange(size)
        for start, size in zip(layout.starts, layout.sizes, strict=True)
    ]
    ranks = np.concatenate([snapshot.rank[:size].astype(np.int64) for size in layout.sizes])
    return np.concatenate(positions)[np.argsort(ranks, kind="stable")].astype(np.int32)


def database_order(
    snapshot: Snapshot, unit: Unit, name: str, all_records: Callable[[], QuerySet]
) -> np.ndarray:
    """All patients' numbers, or all treatments' places, in an order the database gives; kept with
    the other answers.
    """
    cache, key = QuestionBitsets(snapshot).cache, ("order", str(unit), name)
    order = cache.get(key)
    if order is None:
        keys = np.fromiter(
            all_records().values_list("pk", flat=True).iterator(READ_ORDER), dtype=np.int64
        )
        if unit == Unit.PATIENTS:
            _, positions = patient_index(snapshot).find(keys)
        else:
            positions = snapshot.treatment_positions(keys)
        order = cache.put(key, positions.astype(np.int32))
    return order


def rows_per_treatment(snapshot: Snapshot, unit: Unit, question: Question) -> np.ndarray:
    """How many outcomes or events of the question the treatment at each place has."""

    def add_planes() -> np.ndarray:
        row_counts = np.zeros(snapshot.layout.width * WORD, dtype=np.uint8)
        for digits in snapshot.row_counts(unit, question):
            for digit, bits in enumerate(digits):
                row_counts += unpack_bits(bits) << digit
        return row_counts

    names = "+".join(names_in_months(unit, unit, question))
    return cached_on_snapshot(snapshot, f"times of {names}", add_planes)


def first_matching(
    ranked: np.ndarray, flags: np.ndarray, limit: int, row_counts: np.ndarray | None = None
) -> np.ndarray:
    """The first of `ranked` that are there: `limit` of them, or enough to have as many rows.

    Looks at a beginning that grows until it holds enough.
    """
    length = 4096
    while True:
        beginning = ranked[:length]
        matching = beginning[flags[beginning]]
        size = len(matching) if row_counts is None else int(row_counts[matching].sum())
        if size >= limit or length >= len(ranked):
            return matching if row_counts is not None else matching[:limit]
        length *= 8

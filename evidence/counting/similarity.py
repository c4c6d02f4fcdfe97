"""Patients of several questions held side by side: how many two share, and who agrees with most of many."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..models import Collection, Patient
from ..questions.filters import courses, courses_known
from ..questions.question import Question
from .snapshot.answering import Answers
from .snapshot.bitsets import ones, unpacked
from .snapshot.store import snapshot_for


def shared(one: Question, other: Question) -> int:
    """How many patients answer both questions, be it with one course or with two. Both are of one collection."""
    snapshot = snapshot_for(one.collection)
    if snapshot is None:
        both = Patient.objects.with_treatment(courses(one)).with_treatment(courses(other))
        return both.count()
    answers, lifted = Answers(snapshot), snapshot.layout.lifted
    return int(ones(lifted(answers.matching(one)) & lifted(answers.matching(other))))


@dataclass(frozen=True)
class Alike:
    """How one patient stands to each of several criteria: True agrees, False differs, None is not known."""

    patient: int  # primary key
    agrees: tuple[bool | None, ...]


@dataclass(frozen=True)
class Ranking:
    """Patients by how many criteria they agree with; `by_number[k]` counts those who agree with exactly k."""

    first: list[Alike]
    by_number: list[int]


def alike(collection: Collection, criteria: Sequence[Question], most: int, apart: int | None = None) -> Ranking:
    """The `most` patients who agree with most criteria; of equal ones, those who differ in fewest, then by public id.

    A criterion is a question with one thing asked. A patient of whom it is not known neither agrees nor differs.
    `apart` is the primary key of a patient who is left out.
    """
    keys, agreeing, knowing = held(collection, criteria)
    if apart is not None:
        others = keys != apart
        keys, agreeing, knowing = keys[others], agreeing[:, others], knowing[:, others]
    agrees = agreeing.sum(axis=0, dtype=np.int64)
    differs = (knowing & ~agreeing).sum(axis=0, dtype=np.int64)
    order = np.lexsort((np.arange(len(keys)), differs, -agrees))
    found = [
        Alike(
            int(keys[i]),
            tuple(bool(a) if k else None for a, k in zip(agreeing[:, i].tolist(), knowing[:, i].tolist(), strict=True)),
        )
        for i in order[:most].tolist()
        if agrees[i]
    ]
    return Ranking(found, np.bincount(agrees, minlength=len(criteria) + 1).tolist())


def held(collection: Collection, criteria: Sequence[Question]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(patients' keys by public id, who agrees with each criterion, of whom each is known)."""
    snapshot = snapshot_for(collection)
    if snapshot is None:
        return held_by_database(collection, criteria)
    answers, order = Answers(snapshot), snapshot.by_slug

    def people(bits: np.ndarray) -> np.ndarray:
        return unpacked(snapshot.layout.lifted(bits)).view(bool)[order]

    agreeing = [people(answers.matching(each)) for each in criteria]
    knowing = [people(answers.known(each)) | agrees for each, agrees in zip(criteria, agreeing, strict=True)]
    return snapshot.patient_keys[order], table(agreeing, len(order)), table(knowing, len(order))


def held_by_database(collection: Collection, criteria: Sequence[Question]):
    people = Patient.objects.within(collection).counted().filter(treatments__isnull=False).distinct().order_by("slug")
    keys = np.fromiter(people.values_list("pk", flat=True), dtype=np.int64)
    agreeing = [np.isin(keys, owners(courses(each))) for each in criteria]
    knowing = [
        np.isin(keys, owners(courses_known(each))) | agrees for each, agrees in zip(criteria, agreeing, strict=True)
    ]
    return keys, table(agreeing, len(keys)), table(knowing, len(keys))


def owners(found) -> np.ndarray:
    return np.fromiter(found.order_by().values_list("patient", flat=True), dtype=np.int64)


def table(rows: list[np.ndarray], width: int) -> np.ndarray:
    return np.stack(rows) if rows else np.zeros((0, width), dtype=bool)

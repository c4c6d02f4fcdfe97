"""Patients of several questions held side by side: how many two share, and who agrees with most of many."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..models import Collection, Patient
from ..questions.filters import courses, courses_known
from ..questions.question import Question
from .snapshot.answering import QuestionBitsets
from .snapshot.bitsets import popcount, unpack_bits
from .snapshot.store import snapshot_for


def count_shared_patients(one: Question, other: Question) -> int:
    """How many patients answer both questions, be it with one course or with two. Both are of one collection."""
    snapshot = snapshot_for(one.collection)
    if snapshot is None:
        both = Patient.objects.with_treatment(courses(one)).with_treatment(courses(other))
        return both.count()
    answers, lifted = QuestionBitsets(snapshot), snapshot.layout.treatments_to_patients
    return int(popcount(lifted(answers.matching(one)) & lifted(answers.matching(other))))


@dataclass(frozen=True)
class CriteriaAgreement:
    """How one patient stands to each of several criteria: True agrees, False differs, None is not known."""

    patient: int  # primary key
    agrees: tuple[bool | None, ...]


@dataclass(frozen=True)
class AgreementRanking:
    """Patients by how many criteria they agree with; `by_number[k]` counts those who agree with exactly k."""

    first: list[CriteriaAgreement]
    by_number: list[int]


def rank_by_agreement(
    collection: Collection, criteria: Sequence[Question], most: int, apart: int | None = None
) -> AgreementRanking:
    """The `most` patients who agree with most criteria; of equal ones, those who differ in fewest, then by public id.

    A criterion is a question with one thing asked. A patient of whom it is not known neither agrees nor differs.
    `apart` is the primary key of a patient who is left out.
    """
    keys, agreeing, knowing = agreement_matrix(collection, criteria)
    if apart is not None:
        others = keys != apart
        keys, agreeing, knowing = keys[others], agreeing[:, others], knowing[:, others]
    agrees = agreeing.sum(axis=0, dtype=np.int64)
    differs = (knowing & ~agreeing).sum(axis=0, dtype=np.int64)
    order = np.lexsort((np.arange(len(keys)), differs, -agrees))
    found = [
        CriteriaAgreement(
            int(keys[i]),
            tuple(bool(a) if k else None for a, k in zip(agreeing[:, i].tolist(), knowing[:, i].tolist(), strict=True)),
        )
        for i in order[:most].tolist()
        if agrees[i]
    ]
    return AgreementRanking(found, np.bincount(agrees, minlength=len(criteria) + 1).tolist())


def agreement_matrix(collection: Collection, criteria: Sequence[Question]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(patients' keys by public id, who agrees with each criterion, of whom each is known)."""
    snapshot = snapshot_for(collection)
    if snapshot is None:
        return agreement_matrix_from_database(collection, criteria)
    answers, order = QuestionBitsets(snapshot), snapshot.by_slug

    def people(bits: np.ndarray) -> np.ndarray:
        return unpack_bits(snapshot.layout.treatments_to_patients(bits)).view(bool)[order]

    agreeing = [people(answers.matching(each)) for each in criteria]
    knowing = [people(answers.known(each)) | agrees for each, agrees in zip(criteria, agreeing, strict=True)]
    return snapshot.patient_keys[order], stack_rows(agreeing, len(order)), stack_rows(knowing, len(order))


def agreement_matrix_from_database(collection: Collection, criteria: Sequence[Question]):
    people = Patient.objects.within(collection).counted().filter(treatments__isnull=False).distinct().order_by("slug")
    keys = np.fromiter(people.values_list("pk", flat=True), dtype=np.int64)
    agreeing = [np.isin(keys, patient_keys(courses(each))) for each in criteria]
    knowing = [
        np.isin(keys, patient_keys(courses_known(each))) | agrees
        for each, agrees in zip(criteria, agreeing, strict=True)
    ]
    return keys, stack_rows(agreeing, len(keys)), stack_rows(knowing, len(keys))


def patient_keys(found) -> np.ndarray:
    return np.fromiter(found.order_by().values_list("patient", flat=True), dtype=np.int64)


def stack_rows(rows: list[np.ndarray], width: int) -> np.ndarray:
    return np.stack(rows) if rows else np.zeros((0, width), dtype=bool)

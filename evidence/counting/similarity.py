"""Patients of several questions held side by side: how many two share, and who agrees with most of
many.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import QuerySet

from ..models import Collection, Patient
from ..questions.filters import matching_treatments, open_treatments
from ..questions.question import Question
from . import snapshot
from .snapshot import snapshot_for


def count_shared_patients(first: Question, second: Question) -> int:
    """How many patients answer both questions, be it with one treatment or with two. Both are of
    one collection.
    """
    engine = snapshot_for(first.collection)
    if engine is None:
        in_both = Patient.objects.with_treatment(matching_treatments(first)).with_treatment(
            matching_treatments(second)
        )
        return in_both.count()
    return snapshot.count_shared_patients(engine, first, second)


@dataclass(frozen=True)
class CriteriaAgreement:
    """How one patient stands to each of several criteria: True agrees, False differs, None is not
    known.
    """

    patient: int  # primary key
    agrees: tuple[bool | None, ...]


@dataclass(frozen=True)
class AgreementRanking:
    """Patients by how many criteria they agree with; `by_number[k]` counts those who agree with
    exactly k.
    """

    first: list[CriteriaAgreement]
    by_number: list[int]


def rank_by_agreement(
    collection: Collection, criteria: Sequence[Question], limit: int, excluded: int | None = None
) -> AgreementRanking:
    """The `limit` patients who agree with most criteria; of equal ones, those who differ in fewest,
    then by public id.

    A criterion is a question with one thing asked. A patient of whom it is not known neither agrees
    nor differs. `excluded` is the primary key of a patient who is left out.
    """
    keys, agrees_with, is_known = agreement_matrix(collection, criteria)
    if excluded is not None:
        kept_columns = keys != excluded
        keys, agrees_with, is_known = (
            keys[kept_columns],
            agrees_with[:, kept_columns],
            is_known[:, kept_columns],
        )
    agreed_count = agrees_with.sum(axis=0, dtype=np.int64)
    differing_count = (is_known & ~agrees_with).sum(axis=0, dtype=np.int64)
    order = np.lexsort((np.arange(len(keys)), differing_count, -agreed_count))
    ranked = [
        CriteriaAgreement(
            int(keys[i]),
            tuple(
                bool(a) if k else None
                for a, k in zip(agrees_with[:, i].tolist(), is_known[:, i].tolist(), strict=True)
            ),
        )
        for i in order[:limit].tolist()
        if agreed_count[i]
    ]
    return AgreementRanking(ranked, np.bincount(agreed_count, minlength=len(criteria) + 1).tolist())


def agreement_matrix(
    collection: Collection, criteria: Sequence[Question]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(patients' keys by public id, who agrees with each criterion, of whom each is yes, or no in
    all treatments).
    """
    engine = snapshot_for(collection)
    if engine is None:
        keys, agrees_with, is_known = agreement_matrix_from_database(collection, criteria)
    else:
        keys, agrees_with, is_known = snapshot.agreement_matrix(engine, criteria)
    return keys, stack_rows(agrees_with, len(keys)), stack_rows(is_known, len(keys))


def agreement_matrix_from_database(
    collection: Collection, criteria: Sequence[Question]
) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """The same by SQL, one query for each criterion and side."""
    patients = Patient.objects.within(collection).counted().filter(treatments__isnull=False)
    patients = patients.distinct().order_by("slug")
    keys = np.fromiter(patients.values_list("pk", flat=True), dtype=np.int64)
    agrees_with = [
        np.isin(keys, patient_keys(matching_treatments(criterion))) for criterion in criteria
    ]
    is_known = [~np.isin(keys, patient_keys(open_treatments(criterion))) for criterion in criteria]
    return keys, agrees_with, is_known


def patient_keys(treatments: QuerySet) -> np.ndarray:
    return np.fromiter(treatments.order_by().values_list("patient", flat=True), dtype=np.int64)


def stack_rows(rows: list[np.ndarray], width: int) -> np.ndarray:
    return np.stack(rows) if rows else np.zeros((0, width), dtype=bool)

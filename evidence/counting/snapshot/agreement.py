"""Patients of several questions side by side, from bits."""

from collections.abc import Sequence

import numpy as np

from ...questions.question import Question
from .answering import QuestionBitsets
from .bitsets import popcount, unpack_bits
from .snapshot import Snapshot


def count_shared_patients(snapshot: Snapshot, first: Question, second: Question) -> int:
    """How many patients answer both questions, be it with one treatment or with two."""
    bitsets, to_patients = QuestionBitsets(snapshot), snapshot.layout.treatments_to_patients
    in_both = to_patients(bitsets.matching(first)) & to_patients(bitsets.matching(second))
    return int(popcount(in_both))


def agreement_matrix(
    snapshot: Snapshot, criteria: Sequence[Question]
) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """(patients' primary keys by public id, per criterion who agrees, per criterion of whom it is
    known).
    """
    bitsets, order = QuestionBitsets(snapshot), snapshot.by_slug

    def patient_flags(bits: np.ndarray) -> np.ndarray:
        return unpack_bits(snapshot.layout.treatments_to_patients(bits)).view(bool)[order]

    agrees_with = [patient_flags(bitsets.matching(criterion)) for criterion in criteria]
    is_known = [~patient_flags(bitsets.open(criterion)) for criterion in criteria]
    return snapshot.patient_keys[order], agrees_with, is_known

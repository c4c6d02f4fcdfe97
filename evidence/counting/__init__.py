"""Decides which treatments answer a question and counts them; nothing else in Casebook counts.

Only `summaries` calls this package. It has two engines with one interface. The snapshot counts in
memory; the database counts what does not fit into memory, and tests compare the snapshot with it.
The callers do not know which engine has counted.
"""

from collections import Counter
from collections.abc import Sequence

from django.db.models import QuerySet

from ..models import Treatment
from ..questions.filters import matching_treatments
from ..questions.question import Question
from . import database, snapshot
from .dimensions import improved_value
from .similarity import (
    AgreementRanking,
    CriteriaAgreement,
    count_shared_patients,
    rank_by_agreement,
)
from .snapshot import (
    AT_ONCE,
    build_ahead,
    known_patients,
    largest_known,
    last_results,
    load_all_snapshots,
    matching_treatments_of,
    row_keys,
    row_keys_under,
    snapshot_for,
)
from .tally import Tally, Unit

__all__ = [
    "AT_ONCE",
    "AgreementRanking",
    "CriteriaAgreement",
    "Tally",
    "Unit",
    "build_ahead",
    "count",
    "count_shared_patients",
    "improved_value",
    "known_patients",
    "largest_known",
    "last_results",
    "load_all_snapshots",
    "rank_by_agreement",
    "row_keys",
    "row_keys_under",
    "snapshot_for",
    "treatments_of",
]

MAX_FROM_MEMORY = 100  # patients up to which memory is asked; a file asks the database


def count(tallies: Sequence[Tally]) -> list[Counter]:
    """One Counter per tally, in order. Without a query from memory; otherwise in one query for up
    to 400 of them.
    """
    by_engine, counters = {}, {}
    for tally in dict.fromkeys(tallies):
        collection = tally.question.collection
        if collection not in by_engine:
            by_engine[collection] = snapshot_for(collection), []
        by_engine[collection][1].append(tally)
    left_to_database = []
    for engine, engine_tallies in by_engine.values():
        if engine is None:
            left_to_database += engine_tallies
        else:
            counters |= zip(
                engine_tallies, snapshot.count_tallies(engine, engine_tallies), strict=True
            )
    if left_to_database:
        counters |= zip(left_to_database, database.count_tallies(left_to_database), strict=True)
    return [counters[tally] for tally in tallies]


def treatments_of(question: Question, patients: list[int]) -> QuerySet:
    """Those treatments of these patients, given by their primary keys, that answer the question."""
    keys = matching_treatments_of(question, patients) if len(patients) <= MAX_FROM_MEMORY else None
    if keys is None:
        return matching_treatments(question).filter(patient__among=patients)
    return Treatment.objects.filter(pk__among=keys)

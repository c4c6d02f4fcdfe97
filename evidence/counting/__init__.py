"""Which courses answer a question, and how many of each: the one place that counts.

`summaries` asks; nobody goes round. There are two engines with one interface. The snapshot answers from memory; the
database answers what does not fit there, and is what the snapshot is held against in tests. Nothing above this room
knows which of them answered.
"""

from collections import Counter
from collections.abc import Sequence

from . import database
from .similarity import AgreementRanking, CriteriaAgreement, count_shared_patients, rank_by_agreement
from .snapshot import count as counting
from .snapshot.answering import QuestionBitsets
from .snapshot.row_keys import matching_treatments_of, row_keys, row_keys_under
from .snapshot.store import AT_ONCE, build_ahead, snapshot_for, warm
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
    "matching_treatments_of",
    "rank_by_agreement",
    "row_keys",
    "row_keys_under",
    "snapshot_for",
    "warm",
]


def count(tallies: Sequence[Tally]) -> list[Counter]:
    """One Counter per tally, in order. Without a query from memory; otherwise in one query for up to 400 of them."""
    engines, answers = {}, {}
    for tally in dict.fromkeys(tallies):
        collection = tally.question.collection
        if collection not in engines:
            engines[collection] = snapshot_for(collection), []
        engines[collection][1].append(tally)
    asked_of_database = []
    for snapshot, asked in engines.values():
        if snapshot is None:
            asked_of_database += asked
        else:
            answers |= zip(asked, counting.count_tallies(asked, QuestionBitsets(snapshot)), strict=True)
    answers |= zip(asked_of_database, database.count_tallies(asked_of_database), strict=True)
    return [answers[tally] for tally in tallies]

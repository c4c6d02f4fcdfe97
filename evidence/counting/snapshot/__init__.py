"""The in-memory engine: the records of a collection, in one version of the data, as bitmaps.

This module exports what `counting` uses; the other names are internal. A snapshot is built by one
pass over the tables (`build`, `bulk_read`), stored and shared between processes (`store`), and
answers questions by AND, OR and NOT of packed bits (`answering`, `bitsets`), which are then counted
(`count`, `batch_count`).
"""

from .agreement import agreement_matrix, count_shared_patients
from .count import count_tallies
from .results import last_results
from .row_keys import matching_treatments_of, row_keys, row_keys_under
from .store import (
    AT_ONCE,
    build_ahead,
    known_patients,
    largest_known,
    load_all_snapshots,
    snapshot_for,
)

__all__ = [
    "AT_ONCE",
    "agreement_matrix",
    "build_ahead",
    "count_shared_patients",
    "count_tallies",
    "known_patients",
    "largest_known",
    "last_results",
    "load_all_snapshots",
    "matching_treatments_of",
    "row_keys",
    "row_keys_under",
    "snapshot_for",
]

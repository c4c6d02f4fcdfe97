"""Patients as GA4GH Phenopackets, version 2: one patient, or all of a question as a cohort.

Made as plain values by the published schema (https://phenopacket-schema.readthedocs.io, version
2.0); the tests read them with the standard's own library and hold them against the JSON schemas of
its validator, phenopacket-tools, which require more. Unknown is left out, never written as
absent. What the standard has no place for is in LOSSES, which the data dictionary shows.
"""

from .limitations import LOSSES, terms_without_code
from .packets import cohort_pieces, make_phenopacket

__all__ = ["LOSSES", "cohort_pieces", "make_phenopacket", "terms_without_code"]

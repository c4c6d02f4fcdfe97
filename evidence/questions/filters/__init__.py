"""The words of an address and what they mean: URL words -> QuerySet verbs. No SQL of its own.

Every filter is one condition on one treatment, and none looks at another's value: the answer to a
question is the intersection of the answers to its parts. A set and its match word are one filter.
"""

from .filter_kinds import AnyOf, Bound, NotKnown, Range, Search, SetOf
from .groups_and_studies import (
    GROUP_FILTERS,
    AskedInWords,
    InWords,
    asked_of_both,
    asked_of_groups,
    asked_of_patients,
    describe_parts_not_asked,
    matching_groups,
    matching_studies,
    parts_not_asked,
    studies_without_groups,
)
from .treatment import (
    DISPLAY_PARAMS,
    FILTERS,
    LAYOUT,
    RANGES,
    SETS,
    Chip,
    TreatmentFilter,
    describe_question,
    filter_chips,
    matching_outcomes,
    matching_treatments,
    open_treatments,
    treatments_known,
)

__all__ = [
    "DISPLAY_PARAMS",
    "FILTERS",
    "GROUP_FILTERS",
    "LAYOUT",
    "RANGES",
    "SETS",
    "AnyOf",
    "AskedInWords",
    "Bound",
    "Chip",
    "InWords",
    "NotKnown",
    "Range",
    "Search",
    "SetOf",
    "TreatmentFilter",
    "asked_of_both",
    "asked_of_groups",
    "asked_of_patients",
    "describe_parts_not_asked",
    "describe_question",
    "filter_chips",
    "matching_groups",
    "matching_outcomes",
    "matching_studies",
    "matching_treatments",
    "open_treatments",
    "parts_not_asked",
    "studies_without_groups",
    "treatments_known",
]

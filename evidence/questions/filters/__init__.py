"""The words of an address and what they mean: URL words -> QuerySet verbs. No SQL of its own.

Every filter is one condition on one course, and none looks at another's value: the answer to a question is the
intersection of the answers to its parts. A set and its match word are one filter.
"""

from .filter_kinds import AnyOf, Bound, NotKnown, Range, Search, SetOf
from .groups_and_studies import GROUP_FILTERS, groups, studies, unasked
from .treatment import (
    FILTERS,
    KEPT,
    LAYOUT,
    RANGES,
    SETS,
    Chip,
    TreatmentFilter,
    chips,
    courses,
    courses_known,
    courses_open,
    in_words,
)

__all__ = [
    "FILTERS",
    "GROUP_FILTERS",
    "KEPT",
    "LAYOUT",
    "RANGES",
    "SETS",
    "AnyOf",
    "Bound",
    "Chip",
    "NotKnown",
    "Range",
    "Search",
    "SetOf",
    "TreatmentFilter",
    "chips",
    "courses",
    "courses_known",
    "courses_open",
    "groups",
    "in_words",
    "studies",
    "unasked",
]

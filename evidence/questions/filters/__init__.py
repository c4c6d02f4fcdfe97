"""The filters: URL parameters and the QuerySet methods that apply them. This package contains no
SQL.

Every filter is one condition on one treatment and does not depend on another filter's value: the
answer to a question is the intersection of the answers to its parts. A set of codes and its match
parameter are one filter.
"""

from .filter_kinds import AnyOf, Bound, NotKnown, Range, Search, SetOf
from .groups_and_studies import (
    AskedQuestion,
    DescribeQuestion,
    asks_about_studies_alone,
    describe_for_groups,
    describe_for_patients,
    describe_for_patients_and_groups,
    describe_parts_not_asked,
    matching_groups,
    matching_studies,
    parts_asked,
    parts_not_asked,
    studies_without_groups,
    studies_without_treatments,
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
    "LAYOUT",
    "RANGES",
    "SETS",
    "AnyOf",
    "AskedQuestion",
    "Bound",
    "Chip",
    "DescribeQuestion",
    "NotKnown",
    "Range",
    "Search",
    "SetOf",
    "TreatmentFilter",
    "asks_about_studies_alone",
    "describe_for_groups",
    "describe_for_patients",
    "describe_for_patients_and_groups",
    "describe_parts_not_asked",
    "describe_question",
    "filter_chips",
    "matching_groups",
    "matching_outcomes",
    "matching_studies",
    "matching_treatments",
    "open_treatments",
    "parts_asked",
    "parts_not_asked",
    "studies_without_groups",
    "studies_without_treatments",
    "treatments_known",
]

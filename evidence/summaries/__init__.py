"""The only room that turns answers into numbers for people. Page, chart, file and API read the same objects."""

from .cohort import (
    AgeAndSex,
    Answer,
    Breakdown,
    CategoryShare,
    Totals,
    age_and_sex,
    answer,
    events_by_category,
    headlines,
    indication_sets,
    outcomes_by_domain,
    response_by_indication_set,
    response_by_inhibitor,
    totals,
)
from .facets import Facet, Nearest, Option, facets, nearest
from .groups import ChangeRow, GroupCover, changes, group_cover
from .overview import drug_evidence, overview
from .reviews import Comparison, reconciliation
from .shares import Share, answers, number, plural

__all__ = [
    "AgeAndSex",
    "Answer",
    "Breakdown",
    "CategoryShare",
    "ChangeRow",
    "Comparison",
    "Facet",
    "GroupCover",
    "Nearest",
    "Option",
    "Share",
    "Totals",
    "age_and_sex",
    "answer",
    "answers",
    "changes",
    "drug_evidence",
    "events_by_category",
    "facets",
    "group_cover",
    "headlines",
    "indication_sets",
    "nearest",
    "number",
    "outcomes_by_domain",
    "overview",
    "plural",
    "reconciliation",
    "response_by_indication_set",
    "response_by_inhibitor",
    "totals",
]

"""The only room that turns answers into numbers for people. Page, chart, file and API read the same objects."""

from .cohort import (
    AgeAndSex,
    Answer,
    Breakdown,
    CategoryShare,
    Combinations,
    Matches,
    Totals,
    age_and_sex,
    answer,
    combinations,
    events_by_category,
    headlines,
    indication_sets,
    matches,
    outcomes_by_domain,
    response_by_indication_set,
    response_by_inhibitor,
    totals,
)
from .comparison import SideBySide, side_by_side
from .completeness import Completeness, completeness
from .courses import MEASURES, Levels, RuleReport, Swimmers, levels, rule_report, swimmers
from .facets import Facet, Nearest, Option, facets, nearest
from .forest import Forest, forest, items
from .groups import ChangeRow, GroupCover, changes, group_cover
from .overview import drug_evidence, overview
from .reviews import Comparison, reconciliation
from .shares import Share, answers, number, plural
from .similar import AGE_SPAN, Similar, criteria, criteria_of, similar

__all__ = [
    "AGE_SPAN",
    "MEASURES",
    "AgeAndSex",
    "Answer",
    "Breakdown",
    "CategoryShare",
    "ChangeRow",
    "Combinations",
    "Comparison",
    "Completeness",
    "Facet",
    "Forest",
    "GroupCover",
    "Levels",
    "Matches",
    "Nearest",
    "Option",
    "RuleReport",
    "Share",
    "SideBySide",
    "Similar",
    "Swimmers",
    "Totals",
    "age_and_sex",
    "answer",
    "answers",
    "changes",
    "combinations",
    "completeness",
    "criteria",
    "criteria_of",
    "drug_evidence",
    "events_by_category",
    "facets",
    "forest",
    "group_cover",
    "headlines",
    "indication_sets",
    "items",
    "levels",
    "matches",
    "nearest",
    "number",
    "outcomes_by_domain",
    "overview",
    "plural",
    "reconciliation",
    "response_by_indication_set",
    "response_by_inhibitor",
    "rule_report",
    "side_by_side",
    "similar",
    "swimmers",
    "totals",
]

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
from .combinations import Combinations, Matches, combinations, matches
from .comparison import SideBySide, side_by_side
from .completeness import Completeness, completeness
from .courses import MEASURES, Levels, Swimmers, levels, swimmers
from .facets import Facet, Nearest, Option, facets, nearest
from .flow import Flow, collection_flow, review_flow
from .forest import Forest, forest, items
from .groups import ChangeRow, GroupCover, changes, group_cover
from .overview import drug_evidence, inhibitors_given, overview
from .reviews import Comparison, reconciliation
from .rules import RuleReport, rule_report, rule_rows
from .shares import Share, answers, number, plural
from .similar import AGE_SPAN, Similar, closest, criteria, criteria_of, similar

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
    "Flow",
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
    "closest",
    "collection_flow",
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
    "inhibitors_given",
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
    "review_flow",
    "rule_report",
    "rule_rows",
    "side_by_side",
    "similar",
    "swimmers",
    "totals",
]

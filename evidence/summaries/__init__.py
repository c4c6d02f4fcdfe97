"""The only package that turns answers into numbers for people. Page, chart, file and API read the
same objects.
"""

from .changes import lasting_name, recent_changes
from .cohort import (
    AgeAndSex,
    Answer,
    Breakdown,
    CategoryShare,
    Totals,
    age_and_sex,
    cohort_totals,
    events_by_category,
    headline_shares,
    match_summary,
    response_by_indication_set,
    response_by_inhibitor,
    seriousness_rule,
)
from .combinations import Combinations, Matches, indication_sets, match_counts, value_combinations
from .comparison import SideBySide, side_by_side
from .completeness import Completeness, completeness_matrix
from .facets import Facet, Nearest, Option, filter_facets, nearest_questions
from .findings import GroupHarm, finding_in_words, group_harms
from .flow import Flow, collection_flow, has_flow, review_flow
from .forest import Forest, first_known_item, forest_items, forest_plot
from .group_evidence import GroupEvidence, group_evidence
from .groups import ChangeRow, GroupCover, group_changes, group_cover
from .history import History, study_history
from .home import QuestionChoices, question_choices
from .list_counts import RetractedStudies, list_counts, retracted_studies
from .outcomes import (
    DomainResult,
    domain_results,
    domain_results_of_treatments,
    outcome_months_text,
    outcome_rule,
    outcomes_by_domain,
    outcomes_that_count,
    short_outcome_rule,
)
from .overview import DrugResults, collection_counts, drug_evidence, drug_results, inhibitors_given
from .reported_totals import ComparedTotal, compare_totals, published_totals
from .reviews import Comparison, reconcile_figures
from .rules import RuleReport, rule_report, rule_rows
from .second_entry import Agreement, agreement, published_agreement
from .sensitivity import ShareSensitivity, share_sensitivities
from .shares import Share, format_number, pluralize, run_summaries
from .similar import (
    AGE_SPAN,
    Similar,
    closest_patients,
    criteria_of,
    similar_patients,
    similarity_criteria,
)
from .treatments import MEASURES, Levels, Swimmers, patient_levels, swimmer_rows

__all__ = [
    "AGE_SPAN",
    "MEASURES",
    "AgeAndSex",
    "Agreement",
    "Answer",
    "Breakdown",
    "CategoryShare",
    "ChangeRow",
    "Combinations",
    "ComparedTotal",
    "Comparison",
    "Completeness",
    "DomainResult",
    "DrugResults",
    "Facet",
    "Flow",
    "Forest",
    "GroupCover",
    "GroupEvidence",
    "GroupHarm",
    "History",
    "Levels",
    "Matches",
    "Nearest",
    "Option",
    "QuestionChoices",
    "RetractedStudies",
    "RuleReport",
    "Share",
    "ShareSensitivity",
    "SideBySide",
    "Similar",
    "Swimmers",
    "Totals",
    "age_and_sex",
    "agreement",
    "closest_patients",
    "cohort_totals",
    "collection_counts",
    "collection_flow",
    "compare_totals",
    "completeness_matrix",
    "criteria_of",
    "domain_results",
    "domain_results_of_treatments",
    "drug_evidence",
    "drug_results",
    "events_by_category",
    "filter_facets",
    "finding_in_words",
    "first_known_item",
    "forest_items",
    "forest_plot",
    "format_number",
    "group_changes",
    "group_cover",
    "group_evidence",
    "group_harms",
    "has_flow",
    "headline_shares",
    "indication_sets",
    "inhibitors_given",
    "lasting_name",
    "list_counts",
    "match_counts",
    "match_summary",
    "nearest_questions",
    "outcome_months_text",
    "outcome_rule",
    "outcomes_by_domain",
    "outcomes_that_count",
    "patient_levels",
    "pluralize",
    "published_agreement",
    "published_totals",
    "question_choices",
    "recent_changes",
    "reconcile_figures",
    "response_by_indication_set",
    "response_by_inhibitor",
    "retracted_studies",
    "review_flow",
    "rule_report",
    "rule_rows",
    "run_summaries",
    "seriousness_rule",
    "share_sensitivities",
    "short_outcome_rule",
    "side_by_side",
    "similar_patients",
    "similarity_criteria",
    "study_history",
    "swimmer_rows",
    "value_combinations",
]

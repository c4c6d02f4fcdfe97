"""Answers that set numbers beside each other: two questions, studies by what is known of them,
authors beside a rule. From the same summaries as their pages.
"""

from collections.abc import Sequence
from math import isfinite, isnan

from .. import summaries
from ..models import ATTRIBUTES
from ..questions.filters import describe_for_patients
from ..questions.parsing import ParsedRequest
from ..statistics import ALL_RULES, ProgressionRule, Rule, TwoByTwo
from ..summaries import AgeAndSex, Answer, run_summaries
from ..summaries.comparison import Row
from ..summaries.completeness import Cell
from ..summaries.rules import Judged
from ..tables.column import plain_value
from .answers import (
    Absolute,
    answer_head,
    answer_json,
    collection_head,
    demographics_json,
    question_json,
    share_json,
)


def compare_json(sides: dict[str, ParsedRequest], absolute: Absolute) -> dict:
    """Two questions of one collection side by side."""
    first, second = sides["a"], sides["b"]
    compared = summaries.side_by_side(first.question, second.question, first.vocabulary)

    def side_json(parsed: ParsedRequest, answer: Answer, demographics: AgeAndSex) -> dict:
        return {
            "question": question_json(
                parsed.question, describe_for_patients(parsed.question, parsed.vocabulary), absolute
            ),
            "answer": answer_json(answer),
            **demographics_json(demographics),
        }

    interval_method, p_method = compared.methods
    return collection_head(first.collection) | {
        "a": side_json(first, compared.first, compared.demographics),
        "b": side_json(second, compared.second, compared.second_demographics),
        "in_both": compared.overlap,
        "overlap": compared.overlap_text,
        "tested": compared.tested,
        "p_values": compared.test_count,
        "odds_ratio_method": interval_method,
        "p_method": p_method,
        "improved_by_domain_rule": compared.outcome_rule,
        "rows": [compared_row_json(row) for _, rows in compared.groups for row in rows],
    }


def compared_row_json(row: Row) -> dict:
    difference = row.difference and {
        "points": row.difference[0],
        "interval_95": list(row.difference[1:]),
    }
    return {
        "heading": row.heading,
        "label": row.label,
        "key": row.first.key,
        "a": share_json(row.first),
        "b": share_json(row.second),
        "difference": difference,
        "odds_ratio": odds_ratio_json(row.exact),
        "p": min(row.exact.p, 1) if row.p_text else None,
        "why": row.why,
    }


def odds_ratio_json(exact: TwoByTwo | None) -> dict | None:
    """An odds ratio; what no data bound is null, and where it is none at all, so is the whole."""
    if exact is None or isnan(exact.odds_ratio):
        return None
    return {
        "value": exact.odds_ratio if isfinite(exact.odds_ratio) else None,
        "low": exact.low,
        "high": exact.high if isfinite(exact.high) else None,
    }


def completeness_json(parsed: ParsedRequest, absolute: Absolute) -> dict:
    """Of how many patients of each study each attribute is known."""
    (matrix,) = run_summaries(summaries.completeness_matrix(parsed.question, parsed.vocabulary))
    return answer_head(parsed, absolute) | {
        "attributes": [
            {"name": name, "label": attribute.label} for name, attribute in ATTRIBUTES.items()
        ],
        "overall": cells_json(matrix.overall, absolute),
        "studies": [
            {
                "study": line.slug,
                "study_name": line.label,
                "patients": line.patients,
                "missing_means": line.reason.label,
                "known": cells_json(line.cells, absolute),
            }
            for line in matrix.lines
        ],
        "studies_left_out": matrix.left_out,
    }


def cells_json(cells: Sequence[Cell], absolute: Absolute) -> dict:
    """Cells of the matrix by the name of their attribute."""
    return {
        name: {
            "known": cell.known,
            "patients": cell.patients,
            "not_known_page": cell.missing and absolute(cell.missing.page),
        }
        for name, cell in zip(ATTRIBUTES, cells, strict=True)
    }


def rules_json(code: str, parsed: ParsedRequest, absolute: Absolute) -> dict:
    """A rule beside the authors' verdicts. Raises KeyError for an unknown code."""
    report = summaries.rule_report(parsed.question, ALL_RULES[code])
    return answer_head(parsed, absolute) | {
        "rule": rule_json(report.rule),
        "rules": [{"value": rule.code, "label": rule.label} for rule in ALL_RULES.values()],
        "outcomes": report.outcomes,
        "evaluable": report.evaluable,
        "discordant": report.discordant,
        "treatments": report.treatments,
        "treatments_with_measure": report.with_measure,
        "derived": {str(verdict): report.derived(verdict) for verdict in report.rule.verdicts},
        "table": {
            result: {str(verdict): counts[verdict] for verdict in report.rule.verdicts}
            for result, counts in report.table.items()
            if counts
        },
        "results": list(map(judged_json, report.judged_rows)),
        "results_left_out": report.outcomes - len(report.judged_rows),
    }


def rule_json(rule: Rule | ProgressionRule) -> dict:
    return {
        "code": rule.code,
        "version": rule.version,
        "label": rule.label,
        "measure": rule.measure,
        "tells": rule.aim,
        "explanation": rule.explanation,
        "agreement": rule.agreement,
        "source": rule.source,
    }


def judged_json(judged: Judged) -> dict:
    return {
        "patient": judged.patient,
        "treatment": judged.treatment,
        "inhibitor": judged.inhibitor,
        "month": plain_value(judged.month),
        "baseline": plain_value(judged.baseline),
        "followup": plain_value(judged.followup),
        "result": judged.result,
        "response": judged.overall,
        "derived": str(judged.derived),
        "why_not": judged.why,
        "discordant": judged.discordant,
        "empty_means": judged.missing,
    }

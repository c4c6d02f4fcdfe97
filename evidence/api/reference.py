"""What belongs to no collection, as plain values: the drugs, and the reviews with the figures they
print. From the same summaries as their pages.
"""

from collections.abc import Sequence

from .. import summaries
from ..downloads.rows import evidence_kind
from ..models import Collection, JAKInhibitor, PrintedFigure, Review, Study
from ..models.consistency import all_collections
from ..summaries import Comparison, DrugResults, Flow
from ..summaries.flow import Box
from ..summaries.group_evidence import EvidenceRow, Result
from ..summaries.overview import DrugEvidence
from ..tables.column import plain_value
from .answers import Absolute, share_json


def inhibitors_json(absolute: Absolute) -> dict:
    """Every JAK inhibitor, with what each collection holds on it."""
    drugs = list(JAKInhibitor.objects.filter(named=True))
    evidence = summaries.drug_evidence(drugs, all_collections())
    return {"inhibitors": [drug_json(of_drug, absolute) for of_drug in evidence]}


def drug_json(evidence: DrugEvidence, absolute: Absolute) -> dict:
    drug = evidence.drug
    return {
        "inhibitor": drug.slug,
        "name": drug.name,
        "brand": drug.brand,
        "synonyms": list(drug.synonyms),
        "manufacturer": drug.manufacturer,
        "atc": drug.atc,
        "targets": [target.strip() for target in drug.targets.split(",") if target.strip()],
        "fda_first_approval": drug.fda_first_approval,
        "ema_first_approval": drug.ema_first_approval,
        "fda_boxed_warning": drug.fda_boxed_warning,
        "boxed_warning_topics": drug.boxed_warning_topics,
        "page": absolute(f"/inhibitors/{drug.slug}/"),
        "collections": [
            {
                "collection": count.collection.slug,
                "evidence_kind": evidence_kind(count.collection),
                "patients": count.patients,
                "treatments": count.treatments,
                "groups": count.groups,
                "people_in_groups": count.people_in_groups,
                "registered_trials": count.trials,
            }
            for count in evidence.counts
        ],
    }


def inhibitor_json(drug: JAKInhibitor, absolute: Absolute) -> dict:
    """One drug: facts about it, and what happened under it, collection by collection."""
    (evidence,) = summaries.drug_evidence([drug], all_collections())
    trials = Study.objects.published().filter(registered_inhibitor=drug)
    return drug_json(evidence, absolute) | {
        "results": [
            drug_results_json(found, absolute) for found in summaries.drug_results(evidence)
        ],
        "trials": [
            {"collection": trial.collection.slug, "study": trial.slug}
            for trial in trials.select_related("collection")
        ],
    }


def drug_results_json(found: DrugResults, absolute: Absolute) -> dict:
    collection = found.question.collection
    return {
        "collection": collection.slug,
        "evidence_kind": evidence_kind(collection),
        "query": found.question.query(),
        "page": absolute(found.question.page),
        "headlines": list(map(share_json, found.headlines)),
        "improved_by_domain": list(map(share_json, found.domains)),
        "improved_by_domain_rule": found.outcome_rule,
        "groups": list(map(evidence_row_json, found.groups.answering)),
    }


def evidence_row_json(row: EvidenceRow) -> dict:
    """A group at one time; null weeks: the source gives none."""
    group = row.group
    return {
        "study": group.study.slug,
        "group": group.slug,
        "group_name": group.label,
        "inhibitor": group.inhibitor and group.inhibitor.slug,
        "is_comparator": group.is_comparator,
        "n": group.n,
        "weeks": plain_value(row.weeks),
        "results": list(map(result_json, row.results)),
        "adverse_events": list(map(result_json, row.adverse_events)),
        "undated": list(map(result_json, row.undated)),
        "note": row.note,
    }


def result_json(result: Result) -> dict:
    return {"measure": result.measure, "text": result.text, "note": result.note}


# Reviews


def reviews_json(absolute: Absolute) -> dict:
    """Published reviews, and how many figures each prints."""
    reviews = Review.objects.prefetch_related("figures")
    return {
        "reviews": [
            described_review(review, absolute) | {"figures": len(review.figures.all())}
            for review in reviews
        ]
    }


def described_review(review: Review, absolute: Absolute) -> dict:
    return {
        "review": review.slug,
        "name": review.short_name,
        "title": review.title,
        "authors": review.authors,
        "journal": review.journal,
        "year": review.year,
        "doi": review.doi,
        "pmid": review.pmid,
        "articles": review.n_articles,
        "patients": review.n_patients,
        "page": absolute(review.get_absolute_url()),
    }


def review_json(review: Review, absolute: Absolute) -> dict:
    """What a review prints beside what the loaded records give."""
    figures = list(review.figures.select_related("review", "contradicts", "contradicts__review"))
    source: Collection | None = review.reconstructions.order_by("pk").first()
    inclusions = review.inclusions.published().select_related("study__collection")
    return described_review(review, absolute) | {
        "notes": review.notes,
        "recomputed_from": source
        and {"collection": source.slug, "evidence_kind": evidence_kind(source)},
        "figures": printed_figures(review, figures),
        "flow": flow_json(summaries.review_flow(review)),
        "studies": [
            {
                "collection": inclusion.study.collection.slug,
                "study": inclusion.study.slug,
                "included": inclusion.status,
            }
            for inclusion in inclusions
        ],
    }


def printed_figures(review: Review, figures: list[PrintedFigure]) -> list[dict]:
    return [figure_json(compared) for compared in summaries.reconcile_figures(review, figures)]


def figure_json(compared: Comparison) -> dict:
    """A printed figure, its recomputed counterpart, and what comparing the two says."""
    figure = compared.figure
    return {
        "figure": figure.code,
        "label": figure.label,
        "unit": figure.unit,
        "printed": compared.printed,
        "value": plain_value(figure.value),
        "decimals": figure.decimals,
        "spread": plain_value(figure.spread),
        "count": figure.count,
        "n": figure.n,
        "missing": figure.missing,
        "denominators_possible": compared.denominators,
        "recomputed": compared.recomputed,
        "recomputed_value": compared.value,
        "recomputed_from": compared.basis,
        "share": share_json(compared.share) if compared.share else None,
        "verdict": str(compared.verdict),
        "difference": compared.difference,
        "contradicts": figure.contradicts and figure.contradicts.code,
        "note": figure.note,
    }


def flow_json(flow: Flow) -> list[dict]:
    """The boxes of a study flow from top to bottom, each with the one beside it."""
    return [box_json(box) for row in flow.rows for box in row if box]


def box_json(box: Box) -> dict:
    reasons: Sequence[tuple[str, str]] = box.reasons
    return {
        "stage": str(box.stage.value),
        "label": str(box.stage.label),
        "studies": box.studies,
        "patients": box.patients,
        "text": box.text,
        "reasons": [{"reason": reason, "number": number} for reason, number in reasons],
        "notes": box.notes,
        "counted_here": box.from_records,
    }

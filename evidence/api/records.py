"""One patient and one study as plain values: rows of the same columns as the lists, with what
belongs to them, where each value stands in the source, and how the study came in.
"""

from collections.abc import Sequence
from dataclasses import replace

from django.db.models import Q, QuerySet
from django.http import Http404

from .. import summaries
from ..models import (
    AdverseEvent,
    Collection,
    GroupFinding,
    Outcome,
    Patient,
    Provenance,
    Study,
    StudyGroup,
    Treatment,
)
from ..models.appraisal import consensus
from ..questions.question import Question
from ..summaries import ComparedTotal, DomainResult, History
from ..summaries.withdrawals import withdrawals_of
from ..tables import (
    ADVERSE_EVENTS,
    FINDINGS,
    GROUPS,
    OUTCOMES,
    PATIENTS,
    STUDIES,
    TIDY,
    TREATMENTS,
    Table,
    order_records,
    read_batches,
)
from ..tables.column import plain_value
from ..tables.lookups import OfMatchingTreatments
from .answers import Absolute, collection_head, table_rows
from .errors import Refused

PROVENANCE = TIDY["provenance"].table
# A row of a patient without what the courses below it say one by one.
PATIENT = replace(
    PATIENTS,
    columns=[
        column for column in PATIENTS.columns if not isinstance(column.lookup, OfMatchingTreatments)
    ],
)


def get_record(collection: Collection, model: type[Patient | Study], slug: str, absolute: Absolute):
    """A record readers may see. Raises Refused (410) for one that was withdrawn, otherwise
    Http404.
    """
    record = model.objects.within(collection).filter(slug=slug).first()
    if record is not None:
        return record
    if withdrawals := withdrawals_of(collection, model, slug):
        parts = []
        for withdrawal in withdrawals:
            parts += [withdrawal.sentence, withdrawal.reason]
            if withdrawal.successor is not None:
                parts.append(f"See {absolute(withdrawal.successor.get_absolute_url())} instead.")
        raise Refused(410, " ".join(filter(None, parts)))
    raise Http404(f"There is no such record in {collection.slug}.")


def rows_of(table: Table, records: QuerySet, collection: Collection) -> list[dict]:
    """Records as rows of a list, in its usual order."""
    question = Question(collection)
    batches = read_batches(table.file_columns, table, order_records(table, records, ""), question)
    return [row for batch in batches for row in table_rows(table.file_columns, batch, collection)]


def patient_json(person: Patient, collection: Collection, absolute: Absolute) -> dict:
    """One patient: who, what was given, what happened, and where each value stands."""
    treatments = Treatment.objects.filter(patient=person)
    reports = Patient.objects.within(collection).of_same_person(person)
    others = sorted(report.slug for report in reports if report != person)
    results = summaries.domain_results_of_treatments(list(treatments.values_list("pk", flat=True)))
    by_number = dict(treatments.values_list("number", "pk"))
    (row,) = rows_of(PATIENT, Patient.objects.filter(pk=person.pk), collection)
    return collection_head(collection) | {
        "page": absolute(person.get_absolute_url()),
        "phenopacket": absolute(f"{person.get_absolute_url()}phenopacket.json"),
        "patient": row,
        "called": person.label,
        "other_reports": others,
        "counted_as": reports.counted().get().slug if others else person.slug,
        "treatments": [
            course
            | {
                "results_by_domain": list(
                    map(domain_result_json, results.get(by_number[course["treatment"]], ()))
                )
            }
            for course in rows_of(TREATMENTS, treatments, collection)
        ],
        "outcomes": rows_of(OUTCOMES, Outcome.objects.under(treatments), collection),
        "adverse_events": rows_of(
            ADVERSE_EVENTS, AdverseEvent.objects.under(treatments), collection
        ),
        "provenance": rows_of(PROVENANCE, provenance_of(person), collection),
        "study": study_row(person.study, collection),
        "history": history_json(person.study, collection),
    }


def provenance_of(person: Patient) -> QuerySet:
    """Where the values of one patient come from."""
    return Provenance.objects.published().filter(
        Q(patient=person)
        | Q(treatment__patient=person)
        | Q(outcome__treatment__patient=person)
        | Q(adverse_event__treatment__patient=person)
    )


def domain_result_json(result: DomainResult) -> dict:
    return {
        "domain": result.domain,
        "result": result.result,
        "at_months": plain_value(result.month),
    }


def study_row(study: Study, collection: Collection) -> dict:
    (row,) = rows_of(STUDIES, Study.objects.filter(pk=study.pk), collection)
    return row


def study_json(study: Study, collection: Collection, absolute: Absolute) -> dict:
    """One study: what it is, its patients, its groups with every finding, how it came in."""
    groups = StudyGroup.objects.filter(study=study)
    agreement = summaries.published_agreement(study)
    return collection_head(collection) | {
        "page": absolute(study.get_absolute_url()),
        "study": study_row(study, collection),
        "reading": study.reading_label,
        "patients": list(
            Patient.objects.within(collection).filter(study=study).values_list("slug", flat=True)
        ),
        "groups": rows_of(GROUPS, groups, collection),
        "findings": rows_of(FINDINGS, GroupFinding.objects.filter(group__in=groups), collection),
        "reported_totals": list(map(total_json, summaries.published_totals(study))),
        "appraisals": [
            {
                "tool": answer.tool,
                "item": answer.item,
                "question": answer.question,
                "answer": answer.answer,
                "reason": answer.reason,
            }
            for answer in consensus().filter(study=study)
        ],
        "reviews": [
            {"review": inclusion.review.slug, "included": inclusion.status}
            for inclusion in study.inclusions.select_related("review")
        ],
        "provenance": rows_of(
            PROVENANCE, Provenance.objects.published().filter(study=study), collection
        ),
        "history": history_json(study, collection),
        "second_entry": agreement
        and {
            "agreed": agreement.agreed,
            "entered": agreement.entered,
            "fields": [
                {"field": label, "agreed": agreed, "entered": entered}
                for label, agreed, entered in agreement.by_field
            ],
        },
    }


def total_json(total: ComparedTotal) -> dict:
    """A total the paper prints itself, beside what its patients give."""
    return {
        "number": total.number,
        "label": total.label,
        "printed": total.printed,
        "place": total.place,
        "given": total.given,
        "known": total.known,
        "patients": total.total,
        "verdict": str(total.verdict),
        "why": total.why,
        "note": total.note,
    }


def history_json(study: Study, collection: Collection) -> dict | None:
    """How a study came in; null of a simulated one, whose patients nobody entered."""
    if collection.is_simulated:
        return None
    history: History = summaries.study_history(study)
    corrections: Sequence = history.corrections
    return {
        "entered_at": history.entered_at and history.entered_at.isoformat(),
        "published_at": history.published_at and history.published_at.isoformat(),
        "by": history.by,
        "checked_at": history.checked_at and history.checked_at.isoformat(),
        "checked_by": history.checked_by,
        "values_checked": history.values_checked,
        "corrections": [
            {
                "at": correction.at.isoformat(),
                "values": correction.cells,
                "reason": correction.reason,
                "by": correction.by,
            }
            for correction in corrections
        ],
    }

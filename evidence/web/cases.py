"""One patient, one study."""

from collections.abc import Callable
from functools import wraps
from itertools import groupby
from operator import attrgetter
from urllib.parse import urlencode

from django.db.models import Prefetch, QuerySet, prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from .. import charts, summaries
from ..downloads import attachment_header, citation_file
from ..downloads.file_names import FileAddress
from ..downloads.phenopackets import make_phenopacket
from ..downloads.release_status import page_status, requested_number, requested_release
from ..models import (
    AdverseEvent,
    Collection,
    Outcome,
    Patient,
    PatientAutoantibody,
    PatientManifestation,
    Provenance,
    Study,
    Treatment,
)
from ..models.appraisal import TOOLS, consensus
from ..models.choices import AppraisalTool
from ..questions.parsing import get_collection
from ..questions.request_checks import accept_params, head_response
from ..questions.vocabulary import vocabulary
from ..statistics import RULES
from ..summaries.treatments import swimmer_row
from ..tables import ADVERSE_EVENTS, OUTCOMES, PATIENTS, TREATMENTS, Table
from ..tables.column import plain_value
from .case_facts import Fact, Facts, Sources, suggest_start
from .files import refuse_file
from .linking import links_of_record, signposted
from .withdrawn import Gone, raise_if_withdrawn

SKIN_RULE = RULES["mrss-5-25"]
CLOSEST = 5  # similar cases shown with a case
COMPANIONS = 30  # other patients of the study shown with a case


def get_record(collection: Collection, model: type[Patient | Study], slug: str, *path: str):
    """A record readers may see. Raises Gone for one that was withdrawn, otherwise Http404."""
    records = model.objects.within(collection).filter(slug=slug).select_related(*path)
    record = records.first()
    if record is None:
        raise_if_withdrawn(collection, model, slug)
        raise Http404(f"There is no such record in {collection.slug}.")
    return record


def answer_gone(answer: Callable[[Gone, HttpRequest], HttpResponse]) -> Callable:
    """Decorates a view of one record: how it answers for one that was withdrawn."""

    def decorate(view: Callable) -> Callable:
        @wraps(view)
        def gone_or_view(request: HttpRequest, *args, **kwargs) -> HttpResponse:
            try:
                return view(request, *args, **kwargs)
            except Gone as gone:
                return answer(gone, request)

        return gone_or_view

    return decorate


@require_safe
@signposted(links_of_record)
@accept_params("release")
@answer_gone(Gone.page)
def patient_page(request: HttpRequest, collection: str, slug: str) -> HttpResponse:
    """One case: who, what was given for what, what happened, what is not known and why."""
    collection_record = get_collection(collection)
    person = get_record(collection_record, Patient, slug, "study__collection")
    status = page_status(request, collection_record, [])
    if head := head_response(request, status=status):
        return head
    prefetch_related_objects(
        [person],
        Prefetch("manifestation_records", ordered_records(PatientManifestation, "manifestation")),
        Prefetch("autoantibody_records", ordered_records(PatientAutoantibody, "autoantibody")),
        "prior_therapies",
    )
    treatments = list(
        person.treatments.select_related("inhibitor").prefetch_related(
            "indications",
            "concomitant_therapies",
            "outcomes",
            Prefetch("events", AdverseEvent.objects.select_related("category")),
        )
    )
    sources = Sources(Provenance.objects.published().filter(study=person.study))
    reports = (
        Patient.objects.within(collection_record).of_same_person(person).select_related("study")
    )
    other_reports = [report for report in reports if report != person]
    counted_report = reports.counted().get() if other_reports else person
    results = summaries.domain_results_of_treatments([treatment.pk for treatment in treatments])
    treatment_contexts = [
        treatment_context(treatment, sources) | {"domains": results.get(treatment.pk, [])}
        for treatment in treatments
    ]
    facts = Facts(PATIENTS, person, person.study, sources).facts_listed()
    params, criteria = summaries.criteria_of(person, vocabulary(collection_record))
    closest = (
        summaries.closest_patients(
            collection_record, criteria, excluded=counted_report.pk, limit=CLOSEST
        )[0]
        if criteria
        else []
    )
    context = {
        "collection": collection_record,
        "patient": person,
        "study": person.study,
        "subtitle": person.study.title if person.study.title != person.study.short_name else "",
        "facts": facts,
        "glance": case_at_a_glance(facts, treatment_contexts),
        "treatments": treatment_contexts,
        "chart": charts.timeline_chart(
            [swimmer_row(treatment) for treatment in treatments],
            earlier_history(person),
            collection_record,
        ),
        "history": None
        if collection_record.is_simulated
        else summaries.study_history(person.study),
        "counted_report": counted_report,
        "other_reports": other_reports,
        "companions": Patient.objects.within(collection_record)
        .filter(study=person.study)
        .exclude(pk=person.pk)[:COMPANIONS],
        "closest": closest,
        "criteria_count": len(criteria),
        "similar": urlencode(
            [(name, value) for name, values in params.items() for value in criterion_params(values)]
        ),
    }
    return render(request, "evidence/patient.html", context, status=status)


@require_safe
@accept_params("release", file=True)
@answer_gone(Gone.text)
def phenopacket_of(request: HttpRequest, collection: str, slug: str) -> HttpResponse:
    """One case as a phenopacket."""
    collection_record = get_collection(collection)
    person = get_record(collection_record, Patient, slug, "study__collection")
    if refused := refuse_file([], requested_release(request.GET, collection_record)):
        return refused
    address = FileAddress(request.path, release=requested_number(request.GET))
    headers = attachment_header(f"{person.slug}-phenopacket.json", collection_record, address)
    return HttpResponse(
        make_phenopacket(person, vocabulary(collection_record)),
        content_type="application/json",
        headers=headers,
    )


def criterion_params(value) -> list:
    """The values of one criterion as address words."""
    return list(value) if isinstance(value, tuple) else [value] if value not in (None, "") else []


def earlier_history(person: Patient) -> list[tuple[str, str]]:
    """What came before the first treatment, as (what, when): when is hardly ever said."""
    history = []
    if person.disease_duration_months is not None:
        history.append(
            ("disease", f"for {plain_value(person.disease_duration_months)} months, as reported")
        )
    history += [
        (f"prior therapy: {therapy.label}", "not said") for therapy in person.prior_therapies.all()
    ]
    return history


def case_at_a_glance(facts: list[Fact], treatments: list[dict]) -> list[str]:
    """The case in one line: what is known of sex, age, subset; each drug, what for, the verdict,
    and the result in each domain.
    """
    known_values = {fact.name: fact.value for fact in facts if fact.value}
    person_parts = [
        known_values[name] for name in ("sex", "age_years", "subset") if name in known_values
    ]
    parts = [", ".join(person_parts) if person_parts else "Sex, age and subset not known"]
    for treatment in treatments:
        fact_by_name = {fact.name: fact for fact in treatment["facts"]}
        response = fact_by_name["response"]
        purpose = ", ".join(
            indication.label for indication in treatment["treatment"].indications.all()
        )
        verdict = f"{response.value[:1].lower()}{response.value[1:]}"
        if treatment["domains"]:
            in_domains = ", ".join(result.words for result in treatment["domains"])
            verdict = f"overall {verdict or response.missing}; {in_domains}"
        parts.append(
            f"{treatment['treatment'].inhibitor.name}{purpose and f' for {purpose}'}: "
            f"{verdict or f'overall response {response.missing}'}"
        )
    return parts


def ordered_records(model, term: str) -> QuerySet:
    """What was looked for in a patient, in the order lists show it."""
    return model.objects.select_related(term).order_by(f"{term}__position")


def treatment_context(treatment: Treatment, sources: Sources) -> dict:
    """One treatment with its outcomes and adverse events."""
    study = treatment.patient.study

    def fact_rows(table: Table, records, key: str, side_note=lambda record: "") -> list[list[Fact]]:
        return [
            Facts(table, record, study, sources).table_row(key, side_note(record))
            for record in records.all()
        ]

    return {
        "treatment": treatment,
        "facts": Facts(TREATMENTS, treatment, study, sources).facts_listed(
            "indications", "response"
        ),
        "outcomes": (OUTCOMES, fact_rows(OUTCOMES, treatment.outcomes, "result", rule_verdict)),
        "events": (ADVERSE_EVENTS, fact_rows(ADVERSE_EVENTS, treatment.events, "category")),
    }


def rule_verdict(outcome: Outcome) -> str:
    """The verdict of the mRSS rule, beside the authors' own; empty for other measures."""
    if outcome.measure_id != SKIN_RULE.measure:
        return ""
    return f"mRSS rule: {SKIN_RULE.judge(outcome.baseline, outcome.followup)}"


@require_safe
@accept_params("release", file=True)
@answer_gone(Gone.text)
def study_citation(request: HttpRequest, collection: str, slug: str, how: str) -> HttpResponse:
    """One study as RIS or BibTeX. A simulated article is no publication and has none."""
    collection_record = get_collection(collection)
    if collection_record.is_simulated:
        raise Http404("A simulated article cannot be cited.")
    paper = get_record(collection_record, Study, slug)
    if refused := refuse_file([], requested_release(request.GET, collection_record)):
        return refused
    address = FileAddress(request.path, release=requested_number(request.GET))
    return citation_file([paper], f"{slug}.{how}", how, address)


@require_safe
@signposted(links_of_record)
@accept_params("release")
@answer_gone(Gone.page)
def study_page(request: HttpRequest, collection: str, slug: str) -> HttpResponse:
    """One study: what it is, how much of it was read, its patients and its groups with every
    finding.
    """
    collection_record = get_collection(collection)
    paper = get_record(collection_record, Study, slug, "collection", "registered_inhibitor")
    status = page_status(request, collection_record, [])
    if head := head_response(request, status=status):
        return head
    start_of = (lambda record: "") if collection_record.is_simulated else suggest_start
    groups = paper.groups.select_related("inhibitor").prefetch_related("indications", "findings")
    context = {
        "collection": collection_record,
        "study": paper,
        "patients": Patient.objects.within(collection_record)
        .filter(study=paper)
        .prefetch_related("treatments__inhibitor"),
        "groups": [
            (
                group,
                [
                    (finding, summaries.finding_in_words(finding), start_of(finding))
                    for finding in group.findings.all()
                ],
                start_of(group),
            )
            for group in groups
        ],
        "appraisals": [
            (AppraisalTool(tool).label, TOOLS[tool], list(answers))
            for tool, answers in groupby(consensus().filter(study=paper), key=attrgetter("tool"))
        ],
        "suggest": start_of(paper),
        "totals": summaries.published_totals(paper),
        "history": summaries.study_history(paper),
        "agreement": summaries.published_agreement(paper),
        "inclusions": paper.inclusions.select_related("review"),
        "sharing": Study.objects.within(collection_record)
        .sharing_with(paper)
        .order_by("short_name", "slug"),
    }
    return render(request, "evidence/study.html", context, status=status)

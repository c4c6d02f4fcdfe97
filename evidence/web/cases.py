"""One patient, one study."""

from urllib.parse import urlencode

from django.db.models import Prefetch, QuerySet, prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from .. import charts, summaries
from ..downloads import attachment_header, citation_file
from ..downloads.phenopackets import make_phenopacket
from ..downloads.release_status import page_status, requested_release
from ..models import (
    GroupFinding,
    Outcome,
    Patient,
    PatientAutoantibody,
    PatientManifestation,
    Provenance,
    Study,
    Treatment,
)
from ..questions.parsing import get_collection
from ..questions.request_checks import accept_params, head_response
from ..questions.vocabulary import vocabulary
from ..statistics import RULES
from ..summaries.courses import swimmer_row
from ..tables import ADVERSE_EVENTS, OUTCOMES, PATIENTS, TREATMENTS, Table
from ..tables.column import plain_value
from .case_facts import Fact, Facts, Sources
from .files import refuse_file

SKIN_RULE = RULES["mrss-5-25"]
CLOSEST = 5  # similar cases shown with a case
COMPANIONS = 30  # other patients of the study shown with a case


def get_record_or_404(collection: str, model, *path: str, **lookup):
    """A record readers may see, or Http404."""
    record = model.filter(**lookup).select_related(*path).first()
    if record is None:
        raise Http404(f"There is no such record in {collection}.")
    return record


@require_safe
@accept_params("release")
def patient(request: HttpRequest, collection: str, slug: str) -> HttpResponse:
    """One case: who, what was given for what, what happened, what is not known and why."""
    home = get_collection(collection)
    person = get_record_or_404(collection, Patient.objects.within(home), "study__collection", slug=slug)
    status = page_status(request, home, [])
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
            "indications", "concomitant_therapies", "outcomes", "events__category"
        )
    )
    sources = Sources(Provenance.objects.published().filter(study=person.study))
    reports = Patient.objects.within(home).of_same_person(person).select_related("study")
    others = [each for each in reports if each != person]
    counted = reports.counted().get() if others else person
    courses = [treatment_context(each, sources) for each in treatments]
    facts = Facts(PATIENTS, person, person.study, sources).listed()
    words, criteria = summaries.criteria_of(person, vocabulary(home))
    closest = summaries.closest_patients(home, criteria, apart=counted.pk, most=CLOSEST)[0] if criteria else []
    context = {
        "collection": home,
        "patient": person,
        "study": person.study,
        "subtitle": person.study.title if person.study.title != person.study.short_name else "",
        "facts": facts,
        "glance": case_at_a_glance(facts, courses),
        "courses": courses,
        "chart": charts.timeline_chart([swimmer_row(each) for each in treatments], earlier_history(person), home),
        "counted": counted,
        "other_reports": others,
        "companions": Patient.objects.within(home).filter(study=person.study).exclude(pk=person.pk)[:COMPANIONS],
        "closest": closest,
        "asked_of_them": len(criteria),
        "similar": urlencode([(name, value) for name, given in words.items() for value in criterion_params(given)]),
    }
    return render(request, "evidence/patient.html", context, status=status)


@require_safe
@accept_params("release", file=True)
def phenopacket_of(request: HttpRequest, collection: str, slug: str) -> HttpResponse:
    """One case as a phenopacket."""
    home = get_collection(collection)
    person = get_record_or_404(collection, Patient.objects.within(home), "study__collection", slug=slug)
    if refused := refuse_file([], requested_release(request.GET, home)):
        return refused
    headers = attachment_header(f"{person.slug}-phenopacket.json", home)
    return HttpResponse(make_phenopacket(person, vocabulary(home)), content_type="application/json", headers=headers)


def criterion_params(given) -> list:
    """The values of one criterion as address words."""
    return list(given) if isinstance(given, tuple) else [given] if given not in (None, "") else []


def earlier_history(person: Patient) -> list[tuple[str, str]]:
    """What came before the first course, as (what, when): when is hardly ever said."""
    found = []
    if person.disease_duration_months is not None:
        found.append(("disease", f"for {plain_value(person.disease_duration_months)} months, as reported"))
    found += [(f"prior therapy: {each.label}", "not said") for each in person.prior_therapies.all()]
    return found


def case_at_a_glance(facts: list[Fact], courses: list[dict]) -> list[str]:
    """The case in one line: what is known of sex, age, subset; each drug, what for, and the verdict."""
    known = {fact.name: fact.value for fact in facts if fact.value}
    who = [known[name] for name in ("sex", "age_years", "subset") if name in known]
    told = [", ".join(who) if who else "Sex, age and subset not known"]
    for each in courses:
        said = {fact.name: fact for fact in each["facts"]}
        response = said["response"]
        purpose = ", ".join(indication.label for indication in each["treatment"].indications.all())
        verdict = response.value or f"overall response {response.missing}"
        told.append(
            f"{each['treatment'].inhibitor.name}{purpose and f' for {purpose}'}: {verdict[:1].lower()}{verdict[1:]}"
        )
    return told


def ordered_records(model, term: str) -> QuerySet:
    """What was looked for in a patient, in the order lists show it."""
    return model.objects.select_related(term).order_by(f"{term}__position")


def treatment_context(treatment: Treatment, sources: Sources) -> dict:
    """One course with its outcomes and adverse events."""
    study = treatment.patient.study

    def rows(table: Table, records, key: str, aside=lambda record: "") -> list[list[Fact]]:
        return [Facts(table, each, study, sources).row(key, aside(each)) for each in records.all()]

    return {
        "treatment": treatment,
        "facts": Facts(TREATMENTS, treatment, study, sources).listed("indications"),
        "outcomes": (OUTCOMES, rows(OUTCOMES, treatment.outcomes, "result", rule_verdict)),
        "events": (ADVERSE_EVENTS, rows(ADVERSE_EVENTS, treatment.events, "category")),
    }


def rule_verdict(outcome: Outcome) -> str:
    """The verdict of the mRSS rule, beside the authors' own; empty for other measures."""
    if outcome.measure != SKIN_RULE.measure:
        return ""
    return f"mRSS rule: {SKIN_RULE.judge(outcome.baseline, outcome.followup)}"


@require_safe
@accept_params("release", file=True)
def citation(request: HttpRequest, collection: str, slug: str, how: str) -> HttpResponse:
    """One study as RIS or BibTeX. A simulated article is no publication and has none."""
    home = get_collection(collection)
    if home.is_simulated:
        raise Http404("A simulated article cannot be cited.")
    paper = get_record_or_404(collection, Study.objects.within(home), slug=slug)
    if refused := refuse_file([], requested_release(request.GET, home)):
        return refused
    return citation_file([paper], f"{slug}.{how}", how)


@require_safe
@accept_params("release")
def study(request: HttpRequest, collection: str, slug: str) -> HttpResponse:
    """One study: what it is, how much of it was read, its patients and its groups with every finding."""
    home = get_collection(collection)
    paper = get_record_or_404(collection, Study.objects.within(home), "collection", "registered_inhibitor", slug=slug)
    status = page_status(request, home, [])
    if head := head_response(request, status=status):
        return head
    groups = paper.groups.select_related("inhibitor").prefetch_related("indications", "findings")
    context = {
        "collection": home,
        "study": paper,
        "patients": Patient.objects.within(home).filter(study=paper).prefetch_related("treatments__inhibitor"),
        "groups": [(group, [(each, printed_numbers(each)) for each in group.findings.all()]) for group in groups],
        "inclusions": paper.inclusions.select_related("review"),
        "sharing": Study.objects.within(home).sharing_with(paper).order_by("short_name", "slug"),
    }
    return render(request, "evidence/study.html", context, status=status)


def printed_numbers(finding: GroupFinding) -> str:
    """A finding's numbers in words, exactly those that were printed."""

    def shown(value) -> str:
        return format(value.normalize(), "f").replace("-", "−")

    def spread(value, sd) -> str:
        return f"{shown(value)} (SD {shown(sd)})" if sd is not None else shown(value)

    told = []
    if finding.events is not None:
        told.append(f"{finding.events}/{finding.n}")
    if finding.percent is not None:
        told.append(f"{shown(finding.percent)} %")
    if finding.value is not None:
        told.append(shown(finding.value))
    if finding.baseline is not None and finding.followup is not None:
        before, after = spread(finding.baseline, finding.baseline_sd), spread(finding.followup, finding.followup_sd)
        told.append(f"{before} to {after}")
    if finding.change is not None:
        told.append(f"change {spread(finding.change, finding.change_sd)}")
    if finding.iqr is not None:
        told.append(f"IQR {shown(finding.iqr)} (width as printed)")
    if finding.iqr_low is not None and finding.iqr_high is not None:
        told.append(f"IQR {shown(finding.iqr_low)} to {shown(finding.iqr_high)}")
    if finding.p_value:
        told.append(f"p {'' if finding.p_value[0] in '<>' else '= '}{finding.p_value}")
    return ", ".join(told)

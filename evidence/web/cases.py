"""One patient, one study."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.db.models import Prefetch, QuerySet, prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from .. import charts, summaries
from ..downloads import attachment, citation_file
from ..downloads.phenopackets import phenopacket
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
from ..models.choices import Ascertainment, ListCompleteness, Presence, Response, Sex, Subset, YesNo
from ..models.provenance import SUBJECTS
from ..questions.parsing import named
from ..questions.vocabulary import vocabulary
from ..statistics import RULES
from ..summaries.courses import swimmer_row
from ..tables.column import plain

SKIN_RULE = RULES["mrss-5-25"]
CLOSEST = 5  # similar cases shown with a case
COMPANIONS = 30  # other patients of the study shown with a case


@dataclass
class Fact:
    """One value of a case as its page shows it: the value, or why there is none, and where it came from."""

    label: str
    value: str
    missing: str = ""
    sources: list[Provenance] = field(default_factory=list)
    tone: str = ""
    origin: str = ""  # where a value without a note of its own comes from


class Sources:
    """Provenance of a case, found by record and field."""

    def __init__(self, records):
        self.by_value = defaultdict(list)
        for record in records:
            subject = next(name for name in SUBJECTS if getattr(record, f"{name}_id") is not None)
            self.by_value[subject, getattr(record, f"{subject}_id"), record.field].append(record)

    def of_any(self, record, names: tuple[str, ...]) -> list[Provenance]:
        """Those of several fields of a record."""
        return [source for name in names for source in self.of(record, name)]

    def of(self, record, name: str) -> list[Provenance]:
        subject = {"adverseevent": "adverse_event"}.get(record._meta.model_name, record._meta.model_name)
        return self.by_value.get((subject, record.pk, name), [])


OUTCOME_FIELDS = ("result", "baseline", "followup", "followup_text", "at_months", "measure", "domain")
EVENT_FIELDS = ("category", "description", "grade", "serious", "onset_months", "led_to_stop")


def found(collection: str, model, *path: str, **lookup):
    """A record readers may see, or Http404."""
    record = model.filter(**lookup).select_related(*path).first()
    if record is None:
        raise Http404(f"There is no such record in {collection}.")
    return record


@require_safe
def patient(request: HttpRequest, collection: str, slug: str) -> HttpResponse:
    """One case: who, what was given for what, what happened, what is not known and why."""
    home = named(collection)
    person = found(
        collection, Patient.objects.within(home), "study__collection", "same_as__study__collection", slug=slug
    )
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
    sources = Sources(Provenance.objects.filter(study=person.study))
    reports = Patient.objects.within(home).filter(same_as=person).select_related("study")
    courses = [course(each, person, sources) for each in treatments]
    facts = person_facts(person, sources)
    words, criteria = summaries.criteria_of(person, vocabulary(home))
    closest = (
        summaries.closest_patients(home, criteria, apart=person.same_as_id or person.pk, most=CLOSEST)[0]
        if criteria
        else []
    )
    context = {
        "collection": home,
        "patient": person,
        "study": person.study,
        "facts": facts,
        "glance": glance(facts, courses),
        "courses": courses,
        "chart": charts.timeline_chart([swimmer_row(each) for each in treatments], before(person), home),
        "other_reports": reports,
        "companions": Patient.objects.within(home).filter(study=person.study).exclude(pk=person.pk)[:COMPANIONS],
        "closest": closest,
        "asked_of_them": len(criteria),
        "similar": urlencode([(name, value) for name, given in words.items() for value in listed(given)]),
    }
    return render(request, "evidence/patient.html", context)


@require_safe
def phenopacket_of(request: HttpRequest, collection: str, slug: str) -> HttpResponse:
    """One case as a phenopacket."""
    home = named(collection)
    person = found(collection, Patient.objects.within(home), "study__collection", slug=slug)
    headers = attachment(f"{person.slug}-phenopacket.json")
    return HttpResponse(phenopacket(person, vocabulary(home)), content_type="application/json", headers=headers)


def listed(given) -> list:
    """The values of one criterion as address words."""
    return list(given) if isinstance(given, tuple) else [given] if given not in (None, "") else []


def before(person: Patient) -> list[tuple[str, str]]:
    """What came before the first course, as (what, when): when is hardly ever said."""
    found = []
    if person.disease_duration_months is not None:
        found.append(("disease", f"for {plain(person.disease_duration_months)} months, as reported"))
    found += [(f"prior therapy: {each.label}", "not said") for each in person.prior_therapies.all()]
    return found


def glance(facts: list[Fact], courses: list[dict]) -> list[str]:
    """The case in one line: what is known of sex, age, subset; each drug, what for, and the verdict."""
    known = {fact.label: fact.value for fact in facts if fact.value}
    who = [known[label] for label in ("Sex", "Age", "Disease subset") if label in known]
    told = [", ".join(who) if who else "Sex, age and subset not known"]
    for each in courses:
        said = {fact.label: fact for fact in each["facts"]}
        response = next(fact for label, fact in said.items() if label.startswith("Response"))
        indications = ", ".join(indication.label for indication in each["treatment"].indications.all())
        purpose = f" for {indications}" if indications else ""
        verdict = response.value or f"overall response {response.missing}"
        told.append(f"{each['treatment'].inhibitor.name}{purpose}: {verdict[:1].lower()}{verdict[1:]}")
    return told


class Facts:
    """Makes the facts of one record, saying of each empty one what its emptiness means."""

    def __init__(self, record, study: Study, sources: Sources):
        self.record, self.reason, self.sources = record, study.missing_reason.label, sources
        self.origin = f"{study.short_name}: {study.get_extraction_display().lower()}. No note of its own."

    def fact(self, label: str, value, name: str, tone: str = "") -> Fact:
        value = "" if value is None else str(value)
        return Fact(label, value, "" if value else self.reason, self.sources.of(self.record, name), tone, self.origin)

    def coded(self, label: str, name: str, unknown: str) -> Fact:
        code = getattr(self.record, name)
        display = getattr(self.record, f"get_{name}_display")()
        tone = code if name == "response" and code != unknown else ""
        return self.fact(label, "" if code == unknown else display, name, tone)

    def number(self, label: str, name: str, unit: str) -> Fact:
        value = getattr(self.record, name)
        return self.fact(label, None if value is None else f"{plain(value)} {unit}", name)


def ordered_records(model, term: str) -> QuerySet:
    """What was looked for in a patient, in the order lists show it."""
    return model.objects.select_related(term).order_by(f"{term}__position")


def person_facts(person: Patient, sources: Sources) -> list[Fact]:
    facts = Facts(person, person.study, sources)
    signs, antibodies = list(person.manifestation_records.all()), list(person.autoantibody_records.all())
    prior = list_in_words((each.label for each in person.prior_therapies.all()), person.prior_therapies_completeness)
    found = list_in_words(terms(antibodies, "autoantibody", Presence.PRESENT), person.autoantibodies_completeness)
    present = list_in_words(terms(signs, "manifestation", Presence.PRESENT), person.manifestations_completeness)
    return [
        facts.coded("Sex", "sex", Sex.UNKNOWN),
        facts.number("Age", "age_years", "years"),
        facts.coded("Disease subset", "subset", Subset.UNKNOWN),
        facts.number("Disease duration", "disease_duration_months", "months"),
        facts.fact("Classification", person.classification, "classification"),
        facts.fact("Comorbidities", person.comorbidities, "comorbidities"),
        facts.fact("Autoantibodies present", found, "autoantibodies"),
        *absent(
            facts, "Autoantibodies looked for, absent", ", ".join(terms(antibodies, "autoantibody", Presence.ABSENT))
        ),
        facts.fact("Manifestations present", present, "manifestations"),
        *absent(facts, "Looked for, absent", ", ".join(terms(signs, "manifestation", Presence.ABSENT))),
        facts.fact("Prior therapies", prior, "prior_therapies"),
    ]


def terms(records, term: str, status: Presence) -> list[str]:
    return [str(getattr(each, term)) for each in records if each.status == status]


HOW_WHOLE = {
    ListCompleteness.COMPLETE: "the complete list",
    ListCompleteness.PARTIAL: "listed in part: there may be more",
    ListCompleteness.NOT_STATED: "not stated whether there is more",
}


def list_in_words(labels: Iterable[str], completeness: str) -> str:
    """A list in words, with what is said of its completeness; an empty text where nothing is known of it."""
    told = ", ".join(labels)
    if completeness == ListCompleteness.NONE:
        return "none, as stated"
    return f"{told} ({HOW_WHOLE[ListCompleteness(completeness)]})" if told else ""


def absent(facts: Facts, label: str, value: str) -> list[Fact]:
    """What was looked for and not found is a finding of its own, shown only where there is one."""
    return [Fact(label, value)] if value else []


def course(treatment: Treatment, person: Patient, sources: Sources) -> dict:
    """One course with its outcomes and adverse events."""
    facts = Facts(treatment, person.study, sources)
    reason = person.study.missing_reason.label
    return {
        "treatment": treatment,
        "facts": [
            facts.fact(
                "For",
                list_in_words((each.label for each in treatment.indications.all()), treatment.indications_completeness),
                "indications",
            ),
            facts.fact("Dose", treatment.dose, "dose"),
            facts.number("Duration", "duration_months", "months"),
            facts.fact(
                "Along with",
                list_in_words(
                    (each.label for each in treatment.concomitant_therapies.all()),
                    treatment.concomitant_therapies_completeness,
                ),
                "concomitant_therapies",
            ),
            facts.coded("Response (authors’ overall verdict)", "response", Response.UNKNOWN),
            facts.coded("Relapsed", "relapsed", YesNo.UNKNOWN),
            facts.coded("Adverse events", "adverse_events", Ascertainment.NOT_STATED),
            facts.coded("Stopped", "stopped", YesNo.UNKNOWN),
            *([Fact("Reason for stopping", treatment.stop_reason)] if treatment.stop_reason else []),
        ],
        "outcomes": [(each, sources.of_any(each, OUTCOME_FIELDS), rule(each)) for each in treatment.outcomes.all()],
        "events": [(each, sources.of_any(each, EVENT_FIELDS)) for each in treatment.events.all()],
        "origin": facts.origin,
        "reason": reason,
    }


def rule(outcome: Outcome) -> str:
    """The verdict of the mRSS rule, beside the authors' own; empty for other measures."""
    if outcome.measure != SKIN_RULE.measure:
        return ""
    return str(SKIN_RULE.judge(outcome.baseline, outcome.followup))


@require_safe
def citation(request: HttpRequest, collection: str, slug: str, how: str) -> HttpResponse:
    """One study as RIS or BibTeX. A simulated article is no publication and has none."""
    home = named(collection)
    if home.is_simulated:
        raise Http404("A simulated article cannot be cited.")
    return citation_file([found(collection, Study.objects.within(home), slug=slug)], f"{slug}.{how}", how)


@require_safe
def study(request: HttpRequest, collection: str, slug: str) -> HttpResponse:
    """One study: what it is, how much of it was read, its patients and its groups with every finding."""
    home = named(collection)
    paper = found(collection, Study.objects.within(home), "collection", "registered_inhibitor", slug=slug)
    groups = paper.groups.select_related("inhibitor").prefetch_related("indications", "findings")
    context = {
        "collection": home,
        "study": paper,
        "patients": Patient.objects.within(home).filter(study=paper).prefetch_related("treatments__inhibitor"),
        "groups": [(group, [(each, printed(each)) for each in group.findings.all()]) for group in groups],
        "inclusions": paper.inclusions.select_related("review"),
        "sharing": sorted(
            {*paper.may_share_patients_with.all(), *paper.said_to_share_with.all()}, key=lambda each: each.short_name
        ),
    }
    return render(request, "evidence/study.html", context)


def printed(finding: GroupFinding) -> str:
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

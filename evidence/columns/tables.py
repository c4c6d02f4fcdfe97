"""The nouns and their columns."""

from django.db.models import Case, CharField, Count, F, OuterRef, Subquery, Value, When
from django.db.models.functions import Coalesce

from ..choices import (
    Ascertainment,
    Design,
    Domain,
    Extraction,
    FindingKind,
    Item,
    Presence,
    Response,
    Sex,
    Subset,
    YesNo,
)
from ..filters import courses, groups, studies
from ..models import AdverseEvent, GroupFinding, Outcome, Patient, StudyGroup
from . import lists
from .column import Column, Table

RESPONSES = dict(Response.choices)
YES_NO = dict(YesNo.choices)
# Short enough for a table; the column is headed “Adverse events”.
ASCERTAINMENT = {Ascertainment.EVENTS.value: "Reported", Ascertainment.EXPLICITLY_NONE.value: "None, as stated"}


def study_columns(path: str, *, on_page: bool = True) -> list[Column]:
    """The study of a row: its slug for joining, its name for reading."""
    return [
        Column("study", "Study", f"{path}slug"),
        Column("study_name", "Study", f"{path}short_name", on_page=on_page),
        Column("year", "Year", f"{path}year", numeric=True),
        Column("design", "Design", f"{path}design", labels=dict(Design.choices), unknown=Design.UNKNOWN),
        Column("doi", "DOI", f"{path}doi", tells_missing=False),
    ]


PATIENTS = Table(
    noun="patients",
    title="Patients",
    unit="patients",
    records=lambda question: Patient.objects.with_treatment(courses(question)),
    extraction="study__extraction",
    order=["slug"],
    columns=[
        Column("patient", "Patient", "slug", on_page=True),
        *study_columns("study__"),
        Column("sex", "Sex", "sex", labels=dict(Sex.choices), unknown=Sex.UNKNOWN, on_page=True),
        Column("age_years", "Age", "age_years", numeric=True, on_page=True),
        Column("subset", "Subset", "subset", labels=dict(Subset.choices), unknown=Subset.UNKNOWN, on_page=True),
        Column("disease_duration_months", "Disease duration (months)", "disease_duration_months", numeric=True),
        Column("classification", "Classification", "classification"),
        Column("comorbidities", "Comorbidities", "comorbidities"),
        Column("autoantibodies_present", "Autoantibodies", listed=lists.autoantibodies(Presence.PRESENT)),
        Column("autoantibodies_absent", "Autoantibodies absent", listed=lists.autoantibodies(Presence.ABSENT)),
        Column("manifestations_present", "Manifestations", listed=lists.manifestations(Presence.PRESENT)),
        Column("manifestations_absent", "Looked for, absent", listed=lists.manifestations(Presence.ABSENT)),
        Column("prior_therapies", "Prior therapies", listed=lists.prior_therapies),
        Column("inhibitors", "JAK inhibitor", listed=lists.OfMatchingCourses("inhibitor__slug"), on_page=True),
        Column("indication_sets", "For", listed=lists.OfMatchingCourses("indication_set"), on_page=True),
        Column("responses", "Response", listed=lists.OfMatchingCourses("response"), labels=RESPONSES, on_page=True),
        Column("relapsed", "Relapsed", listed=lists.OfMatchingCourses("relapsed"), labels=YES_NO, on_page=True),
        Column(
            "adverse_events",
            "Adverse events",
            listed=lists.OfMatchingCourses("adverse_events"),
            labels=ASCERTAINMENT,
            on_page=True,
        ),
    ],
)

TREATMENTS = Table(
    noun="treatments",
    title="Treatments",
    unit="treatments",
    records=courses,
    extraction="patient__study__extraction",
    order=["patient__slug", "number"],
    columns=[
        Column("patient", "Patient", "patient__slug", on_page=True),
        Column("treatment", "Course", "number", numeric=True, on_page=True),
        *study_columns("patient__study__", on_page=False),
        Column("inhibitor", "JAK inhibitor", "inhibitor__slug", on_page=True),
        Column("dose", "Dose", "dose", on_page=True),
        Column("duration_months", "Duration (months)", "duration_months", numeric=True, on_page=True),
        Column("indications", "For", "indication_set", on_page=True),
        Column("concomitant_therapies", "Concomitant therapies", listed=lists.concomitant_therapies),
        Column("response", "Response", "response", labels=RESPONSES, unknown=Response.UNKNOWN, on_page=True),
        Column("relapsed", "Relapsed", "relapsed", labels=YES_NO, unknown=YesNo.UNKNOWN, on_page=True),
        Column(
            "adverse_events",
            "Adverse events",
            "adverse_events",
            labels=ASCERTAINMENT,
            unknown=Ascertainment.NOT_STATED,
            on_page=True,
        ),
        Column("stopped", "Stopped", "stopped", labels=YES_NO, unknown=YesNo.UNKNOWN),
        Column("stop_reason", "Reason for stopping", "stop_reason", tells_missing=False),
    ],
)


def course_columns() -> list[Column]:
    """The patient and course of an outcome or event."""
    return [
        Column("patient", "Patient", "treatment__patient__slug", on_page=True),
        Column("treatment", "Course", "treatment__number", numeric=True),
        *study_columns("treatment__patient__study__"),
        Column("inhibitor", "JAK inhibitor", "treatment__inhibitor__slug", on_page=True),
        Column("indications", "For", "treatment__indication_set", on_page=True),
    ]


OUTCOMES = Table(
    noun="outcomes",
    title="Outcomes",
    unit="outcomes",
    records=lambda question: Outcome.objects.under(courses(question)),
    extraction="treatment__patient__study__extraction",
    order=["treatment__patient__slug", "treatment__number", "number"],
    columns=[
        *course_columns(),
        Column("outcome", "Outcome", "number", numeric=True),
        Column("domain", "Domain", "domain", labels=dict(Domain.choices), on_page=True),
        Column("measure", "Measure", "measure", on_page=True),
        Column("unit", "Unit", "unit", tells_missing=False),
        Column("baseline", "Baseline", "baseline", numeric=True, on_page=True),
        Column("followup", "Follow-up", "followup", numeric=True, on_page=True),
        Column("followup_text", "In words", "followup_text", tells_missing=False, on_page=True),
        Column("baseline_month", "Baseline at (month)", "baseline_month", numeric=True),
        Column("at_months", "At (month)", "at_months", numeric=True, on_page=True),
        Column("result", "Result", "result", labels=RESPONSES, unknown=Response.UNKNOWN, on_page=True),
    ],
)

EVENTS = Table(
    noun="adverse-events",
    title="Adverse events",
    unit="adverse events",
    records=lambda question: AdverseEvent.objects.under(courses(question)),
    extraction="treatment__patient__study__extraction",
    order=["treatment__patient__slug", "treatment__number", "number"],
    columns=[
        *course_columns(),
        Column("event", "Event", "number", numeric=True),
        Column("category", "Category", "category__code", on_page=True),
        Column("description", "As described", "description", on_page=True),
        Column("grade", "CTCAE grade", "grade", numeric=True, on_page=True),
        Column("serious", "Serious", "serious", labels=YES_NO, unknown=YesNo.UNKNOWN, on_page=True),
        Column("onset_months", "Onset (month)", "onset_months", numeric=True, on_page=True),
        Column("led_to_stop", "Led to stopping", "led_to_stop", labels=YES_NO, unknown=YesNo.UNKNOWN, on_page=True),
    ],
)


def counted_in(model) -> Coalesce:
    """How many records of a model a study has, readers' view."""
    rows = model.objects.published().filter(study=OuterRef("pk"))
    counted = rows.order_by().values("study").annotate(times=Count("pk")).values("times")
    return Coalesce(Subquery(counted), 0)


STUDIES = Table(
    noun="studies",
    title="Studies",
    unit="studies",
    records=studies,
    extraction="extraction",
    order=["short_name", "slug"],
    columns=[
        Column("study", "Study", "slug"),
        Column("study_name", "Study", "short_name", on_page=True),
        Column("title", "Title", "title", on_page=True),
        Column("authors", "Authors", "authors"),
        Column("journal", "Journal", "journal"),
        Column("year", "Year", "year", numeric=True, on_page=True),
        *(
            Column(name, label, name, tells_missing=False)
            for name, label in [
                ("volume", "Volume"),
                ("pages", "Pages"),
                ("doi", "DOI"),
                ("pmid", "PMID"),
                ("pmcid", "PMCID"),
                ("nct", "ClinicalTrials.gov"),
                ("url", "Address"),
                ("country", "Country"),
            ]
        ),
        Column("design", "Design", "design", labels=dict(Design.choices), unknown=Design.UNKNOWN, on_page=True),
        Column("extraction", "Read", "extraction", labels=dict(Extraction.choices), on_page=True),
        Column("n_jaki", "Given a JAK inhibitor", "n_jaki", numeric=True, on_page=True),
        Column("n_randomised", "Randomised", "n_randomised", numeric=True, tells_missing=False),
        Column("planned_n", "Planned", "planned_n", numeric=True, tells_missing=False),
        Column("patients", "Patients one by one", lambda: counted_in(Patient), numeric=True, on_page=True),
        Column("groups", "Groups", lambda: counted_in(StudyGroup), numeric=True, on_page=True),
        Column("registered_inhibitor", "Registered drug", "registered_inhibitor__slug", tells_missing=False),
        Column("comparator", "Comparator", "comparator", tells_missing=False),
        Column("registry_status", "Registry status", "registry_status", tells_missing=False),
        Column("results_posted", "Results posted", "results_posted", tells_missing=False),
        Column("may_share_patients_with", "May share patients with", listed=lists.sharing_studies, tells_missing=False),
        Column("notes", "Notes", "notes", tells_missing=False),
    ],
)


def group_drug(path: str = "") -> Case:
    """A group's drug; a comparator and a mixed group say so instead of staying empty."""
    return Case(
        When(**{f"{path}mixed_inhibitors": True}, then=Value("several, not reported apart")),
        When(**{f"{path}inhibitor__isnull": True}, then=Value("comparator")),
        default=F(f"{path}inhibitor__slug"),
        output_field=CharField(),
    )


GROUPS = Table(
    noun="groups",
    title="Groups",
    unit="groups",
    records=groups,
    extraction="study__extraction",
    order=["study__short_name", "position", "slug"],
    columns=[
        *study_columns("study__"),
        Column("group", "Group", "slug"),
        Column("group_name", "Group", "label", on_page=True),
        Column("inhibitor", "JAK inhibitor", group_drug, on_page=True),
        Column("dose", "Dose", "dose", on_page=True),
        Column("n", "Patients", "n", numeric=True, on_page=True),
        Column("subset", "Subset", "subset", labels=dict(Subset.choices), unknown=Subset.UNKNOWN, on_page=True),
        Column("indications", "For", listed=lists.group_indications, on_page=True),
        Column("follow_up_weeks", "Follow-up (weeks)", "follow_up_weeks", numeric=True, on_page=True),
    ],
)

FINDINGS = Table(
    noun="findings",
    title="Findings of groups",
    unit="findings",
    records=lambda question: GroupFinding.objects.filter(group__in=groups(question).order_by().values("pk")),
    extraction="group__study__extraction",
    order=["group__study__short_name", "group__position", "group__slug", "number"],
    columns=[
        *study_columns("group__study__"),
        Column("group", "Group", "group__slug"),
        Column("group_name", "Group", "group__label", on_page=True),
        Column("inhibitor", "JAK inhibitor", lambda: group_drug("group__"), on_page=True),
        Column("finding", "Finding", "number", numeric=True),
        Column("measure", "Measure", "measure", on_page=True),
        Column("kind", "Kind", "kind", labels=dict(FindingKind.choices), on_page=True),
        *(
            Column(name, name.replace("_", " "), name, numeric=True, tells_missing=False, on_page=True)
            for name in (
                "at_weeks",
                "n",
                "events",
                "percent",
                "value",
                "baseline",
                "baseline_sd",
                "followup",
                "followup_sd",
                "change",
                "change_sd",
                "iqr",
                "iqr_low",
                "iqr_high",
            )
        ),
        Column("item", "Counts as", "item", labels=dict(Item.choices), tells_missing=False),
        Column("p_value", "p, as printed", "p_value", tells_missing=False, on_page=True),
        Column("note", "Note", "note", tells_missing=False, on_page=True),
    ],
)

TABLES = {table.noun: table for table in (PATIENTS, TREATMENTS, OUTCOMES, EVENTS, STUDIES, GROUPS, FINDINGS)}

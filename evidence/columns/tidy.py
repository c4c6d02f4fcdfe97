"""The tables of a bundle: one fact a row, with keys that join them. Unlike the lists of pages they repeat nothing."""

from dataclasses import dataclass, replace

from django.db.models import Case, CharField, F, Q, QuerySet, Value, When

from ..choices import Listing, Method, Presence
from ..filters import courses, groups
from ..models import (
    Patient,
    PatientAutoantibody,
    PatientManifestation,
    Provenance,
    Treatment,
)
from ..questions import Question
from .column import Column, Table
from .tables import EVENTS, FINDINGS, GROUPS, OUTCOMES, PATIENTS, STUDIES, TREATMENTS

PRESENCE = dict(Presence.choices)
OF_STUDY = {"study_name", "year", "design", "doi"}  # of a row's study; they stand in studies.csv
COUNTED = {"patients", "groups"}  # numbers of rows, which the rows say themselves


@dataclass(frozen=True)
class Tidy:
    """A table of a bundle: what makes a row unique, and which columns lead to which table."""

    table: Table
    key: tuple[str, ...]
    leads: dict[tuple[str, ...], str]  # columns -> the noun whose key they are

    @property
    def noun(self) -> str:
        return self.table.noun


def without(table: Table, *names: str, more: tuple[Column, ...] = ()) -> Table:
    """A list's table without lists, without what another table says, and with `more`."""
    elsewhere = set(names) if table is STUDIES else {*OF_STUDY, *names}
    kept = [column for column in table.columns if not column.listed and column.name not in elsewhere]
    return replace(table, columns=[*kept, *more])


def patients(question: Question) -> QuerySet:
    return Patient.objects.with_treatment(courses(question))


def of_patients(model):
    """Rows of patients who answer the question."""

    def records(question: Question) -> QuerySet:
        return model.objects.filter(patient__in=patients(question).order_by().values("pk"))

    return records


def of_courses(model):
    """Rows of the courses that answer the question."""

    def records(question: Question) -> QuerySet:
        return model.objects.filter(treatment__in=courses(question).order_by().values("pk"))

    return records


def linked(noun: str, title: str, records, owner: str, order: list[str], columns: list[Column]) -> Table:
    """A table of links; `owner` leads to the patient."""
    return Table(noun, title, noun.replace("-", " "), records, f"{owner}__study__extraction", columns, order)


PATIENT = Column("patient", "Patient", "patient__slug")
COURSE_PATIENT = Column("patient", "Patient", "treatment__patient__slug")
COURSE = Column("treatment", "Course", "treatment__number", numeric=True)


def presence(noun: str, title: str, model, term: str) -> Table:
    columns = [PATIENT, Column(term, title, f"{term}__code"), Column("status", "Status", "status", labels=PRESENCE)]
    return linked(noun, title, of_patients(model), "patient", ["patient__slug", f"{term}__code"], columns)


PRIOR = Patient.prior_therapies.through
INDICATED = Treatment.indications.through
ALONG = Treatment.concomitant_therapies.through


def provenance(question: Question) -> QuerySet:
    """Where the values of what the question finds come from."""
    asked = courses(question).order_by().values("pk")
    found = groups(question).order_by().values("pk")
    return Provenance.objects.published().filter(
        Q(patient__in=patients(question).order_by().values("pk"))
        | Q(treatment__in=asked)
        | Q(outcome__treatment__in=asked)
        | Q(adverse_event__treatment__in=asked)
        | Q(group__in=found)
        | Q(finding__group__in=found)
    )


def first_of(**paths: str) -> Case:
    """The value at the first of several paths whose record there is."""
    cases = [When(**{f"{subject}__isnull": False}, then=F(path)) for subject, path in paths.items()]
    return Case(*cases, default=None)


SUBJECT = Case(
    *(
        When(**{f"{name}__isnull": False}, then=Value(name.replace("_", " ")))
        for name in ("patient", "treatment", "outcome", "adverse_event", "group", "finding")
    ),
    output_field=CharField(),
)
PROVENANCE = Table(
    noun="provenance",
    title="Provenance",
    unit="values",
    records=provenance,
    extraction="study__extraction",
    order=["study__slug", "number"],
    columns=[
        Column("study", "Study", "study__slug"),
        Column("provenance", "Number", "number", numeric=True),
        Column("subject", "Of a", lambda: SUBJECT),
        Column(
            "patient",
            "Patient",
            lambda: first_of(
                patient="patient__slug",
                treatment="treatment__patient__slug",
                outcome="outcome__treatment__patient__slug",
                adverse_event="adverse_event__treatment__patient__slug",
            ),
            tells_missing=False,
        ),
        Column(
            "treatment",
            "Course",
            lambda: first_of(
                treatment="treatment__number",
                outcome="outcome__treatment__number",
                adverse_event="adverse_event__treatment__number",
            ),
            numeric=True,
            tells_missing=False,
        ),
        Column("outcome", "Outcome", "outcome__number", numeric=True, tells_missing=False),
        Column("event", "Event", "adverse_event__number", numeric=True, tells_missing=False),
        Column(
            "group", "Group", lambda: first_of(group="group__slug", finding="finding__group__slug"), tells_missing=False
        ),
        Column("finding", "Finding", "finding__number", numeric=True, tells_missing=False),
        Column("field", "Field", "field"),
        Column("locator", "Place", "locator"),
        Column("method", "How", "method", labels=dict(Method.choices)),
        Column("note", "Note", "note", tells_missing=False),
        Column("extracted_by", "Extracted by", "extracted_by", tells_missing=False),
        Column("checked_by", "Checked by", "checked_by", tells_missing=False),
    ],
)

TIDY = {
    each.noun: each
    for each in [
        Tidy(without(STUDIES, *COUNTED), ("study",), {}),
        Tidy(
            without(
                PATIENTS,
                more=(
                    Column("label", "Called", "label"),
                    Column(
                        "prior_status",
                        "Prior therapies",
                        "prior_status",
                        labels=dict(Listing.choices),
                        unknown=Listing.NOT_STATED,
                    ),
                ),
            ),
            ("patient",),
            {("study",): "studies"},
        ),
        Tidy(
            presence("manifestations", "Manifestation", PatientManifestation, "manifestation"),
            ("patient", "manifestation"),
            {("patient",): "patients"},
        ),
        Tidy(
            presence("autoantibodies", "Autoantibody", PatientAutoantibody, "autoantibody"),
            ("patient", "autoantibody"),
            {("patient",): "patients"},
        ),
        Tidy(
            linked(
                "prior-therapies",
                "Prior therapies",
                of_patients(PRIOR),
                "patient",
                ["patient__slug", "therapy__code"],
                [PATIENT, Column("therapy", "Therapy", "therapy__code")],
            ),
            ("patient", "therapy"),
            {("patient",): "patients"},
        ),
        Tidy(without(TREATMENTS, "study", "indications"), ("patient", "treatment"), {("patient",): "patients"}),
        Tidy(
            linked(
                "indications",
                "Indications",
                of_courses(INDICATED),
                "treatment__patient",
                ["treatment__patient__slug", "treatment__number", "indication__code"],
                [COURSE_PATIENT, COURSE, Column("indication", "Indication", "indication__code")],
            ),
            ("patient", "treatment", "indication"),
            {("patient", "treatment"): "treatments"},
        ),
        Tidy(
            linked(
                "concomitant-therapies",
                "Concomitant therapies",
                of_courses(ALONG),
                "treatment__patient",
                ["treatment__patient__slug", "treatment__number", "therapy__code"],
                [COURSE_PATIENT, COURSE, Column("therapy", "Therapy", "therapy__code")],
            ),
            ("patient", "treatment", "therapy"),
            {("patient", "treatment"): "treatments"},
        ),
        Tidy(
            without(OUTCOMES, "study", "inhibitor", "indications"),
            ("patient", "treatment", "outcome"),
            {("patient", "treatment"): "treatments"},
        ),
        Tidy(
            without(EVENTS, "study", "inhibitor", "indications"),
            ("patient", "treatment", "event"),
            {("patient", "treatment"): "treatments"},
        ),
        Tidy(without(GROUPS), ("study", "group"), {("study",): "studies"}),
        Tidy(
            without(FINDINGS, "group_name", "inhibitor"),
            ("study", "group", "finding"),
            {("study", "group"): "groups"},
        ),
        Tidy(PROVENANCE, ("study", "provenance"), {("study",): "studies"}),
    ]
}

"""The tables of a bundle: one fact a row, with keys that join them. Unlike the lists of pages they
repeat nothing. Beside them the vocabularies they are coded with, and two wide tables that are
worked out from them.
"""

from dataclasses import dataclass, field, replace

from django.db.models import Case, CharField, F, Q, QuerySet, Value, When

from ..models import Patient, PatientAutoantibody, PatientManifestation, Provenance, Treatment
from ..models.appraisal import consensus
from ..models.choices import AppraisalAnswer, AppraisalTool, Method, Presence
from ..questions.filters import (
    describe_for_patients_and_groups,
    matching_groups,
    matching_outcomes,
    matching_studies,
    matching_treatments,
)
from ..questions.question import Question
from .column import NOT_ASKED, Codes, Column, Table
from .courses import COURSES
from .tables import (
    EVENTS,
    FINDINGS,
    GROUP,
    GROUPS,
    OUTCOMES,
    PATIENT,
    PATIENTS,
    STUDIES,
    STUDY,
    TABLES,
    TREATMENT,
    TREATMENTS,
)
from .vocabularies import DRUGS, VOCABULARIES

PRESENCE = dict(Presence.choices)
# of a row's study; they stand in studies.csv
OF_STUDY = {"study_name", "year", "design", "doi", "retraction"}
COUNTED = {"patients", "groups"}  # numbers of rows, which the rows say themselves


@dataclass(frozen=True)
class Tidy:
    """A table of a bundle: what makes a row unique, and which columns lead to which table.

    `coded` names columns with a code, and the vocabulary whose column `code` it is from.
    """

    table: Table
    key: tuple[str, ...]
    leads: dict[tuple[str, ...], str]  # columns -> the noun whose key they are
    coded: dict[str, str] = field(default_factory=dict)

    @property
    def noun(self) -> str:
        return self.table.noun

    @property
    def foreign_keys(self) -> list[tuple[list[str], str, list[str]]]:
        """(columns, the noun they lead to, the columns there)."""
        return [
            *((list(columns), noun, list(columns)) for columns, noun in self.leads.items()),
            *(([column], noun, ["code"]) for column, noun in self.coded.items()),
        ]


def slim_table(table: Table, *names: str, extra_columns: tuple[Column, ...] = ()) -> Table:
    """A list's table without lists, without what another table says, and with `extra_columns`."""
    elsewhere = set(names) if table is STUDIES else {*OF_STUDY, *names}
    columns = [
        column for column in table.columns if not column.lookup and column.name not in elsewhere
    ]
    return replace(table, columns=[*columns, *extra_columns])


def patients_of(question: Question) -> QuerySet:
    return Patient.objects.with_treatment(matching_treatments(question))


def of_patients(model):
    """Rows of patients who answer the question."""

    def records_of_patients(question: Question) -> QuerySet:
        return model.objects.filter(patient__in=patients_of(question).order_by().values("pk"))

    return records_of_patients


def of_treatments(model):
    """Rows of the treatments that answer the question."""

    def records_of_treatments(question: Question) -> QuerySet:
        return model.objects.filter(
            treatment__in=matching_treatments(question).order_by().values("pk")
        )

    return records_of_treatments


def link_table(
    noun: str, title: str, records, owner: str, order: list[str], columns: list[Column]
) -> Table:
    """A table of links; `owner` leads to the patient."""
    return Table(
        noun, title, noun.replace("-", " "), records, f"{owner}__study__extraction", columns, order
    )


PATIENT_OF_LINK = PATIENT.at("patient__slug")
TREATMENT_OF_LINK = [PATIENT.at("treatment__patient__slug"), TREATMENT.at("treatment__number")]
STATUS = Column("status", "Status", "status", "Whether it was found.", labels=PRESENCE)
THERAPY = Column(
    "therapy", "Therapy", "therapy__code", "One therapy.", codes=Codes("a code of a therapy")
)
MANIFESTATION = Column(
    "manifestation",
    "Manifestation",
    "manifestation__code",
    "An organ involvement or sign that was looked for; without a row nothing is known of it.",
    codes=Codes("a code of a manifestation"),
)
AUTOANTIBODY = Column(
    "autoantibody",
    "Autoantibody",
    "autoantibody__code",
    "An autoantibody that was looked for; without a row nothing is known of it.",
    codes=Codes("a code of an autoantibody"),
)
INDICATION = Column(
    "indication",
    "Indication",
    "indication__code",
    "One thing the course was given for; a course without a row is one whose indications are not "
    "known.",
    codes=Codes("a code of an indication"),
)


def presence_table(noun: str, title: str, model, term: Column) -> Table:
    """What was looked for in patients, found or not."""
    return link_table(
        noun,
        title,
        of_patients(model),
        "patient",
        ["patient__slug", term.source],
        [PATIENT_OF_LINK, term, STATUS],
    )


PRIOR = Patient.prior_therapies.through
INDICATED = Treatment.indications.through
ALONG = Treatment.concomitant_therapies.through


def provenance_records(question: Question) -> QuerySet:
    """Where the values of what the question finds come from."""
    treatments = matching_treatments(question).order_by().values("pk")
    groups = matching_groups(question).order_by().values("pk")
    return Provenance.objects.published().filter(
        Q(patient__in=patients_of(question).order_by().values("pk"))
        | Q(treatment__in=treatments)
        | Q(outcome__in=matching_outcomes(question).order_by().values("pk"))
        | Q(adverse_event__treatment__in=treatments)
        | Q(group__in=groups)
        | Q(finding__group__in=groups)
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
    records=provenance_records,
    extraction="study__extraction",
    order=["study__slug", "number"],
    in_words=describe_for_patients_and_groups,
    columns=[
        STUDY.at("study__slug"),
        Column(
            "provenance",
            "Number",
            "number",
            "Number of the record within its study.",
            numeric=True,
            whole=True,
        ),
        Column("subject", "Of a", lambda: SUBJECT, "What kind of record the value belongs to."),
        PATIENT.at(
            lambda: first_of(
                patient="patient__slug",
                treatment="treatment__patient__slug",
                outcome="outcome__treatment__patient__slug",
                adverse_event="adverse_event__treatment__patient__slug",
            ),
            meaning="The patient the value belongs to, if it belongs to one.",
            tells_missing=False,
        ),
        TREATMENT.at(
            lambda: first_of(
                treatment="treatment__number",
                outcome="outcome__treatment__number",
                adverse_event="adverse_event__treatment__number",
            ),
            meaning="The course the value belongs to, if it belongs to one.",
            tells_missing=False,
        ),
        Column(
            "outcome",
            "Outcome",
            "outcome__number",
            "The outcome the value belongs to, if it belongs to one.",
            numeric=True,
            whole=True,
            tells_missing=False,
        ),
        Column(
            "event",
            "Event",
            "adverse_event__number",
            "The adverse event the value belongs to, if it belongs to one.",
            numeric=True,
            whole=True,
            tells_missing=False,
        ),
        GROUP.at(
            lambda: first_of(group="group__slug", finding="finding__group__slug"),
            meaning="The group the value belongs to, if it belongs to one.",
            tells_missing=False,
        ),
        Column(
            "finding",
            "Finding",
            "finding__number",
            "The finding the value belongs to, if it belongs to one.",
            numeric=True,
            whole=True,
            tells_missing=False,
        ),
        Column("field", "Field", "field", "The field whose value this is."),
        Column("locator", "Place", "locator", "The place in the source: abstract, table 2, p. 5."),
        Column(
            "method", "How", "method", "How the value was obtained.", labels=dict(Method.choices)
        ),
        Column("note", "Note", "note", "What explains the value.", tells_missing=False),
        Column(
            "extracted_by", "Extracted by", "extracted_by", "Who extracted it.", tells_missing=False
        ),
        Column(
            "checked_by",
            "Checked by",
            "checked_by",
            "Who checked it; always somebody else.",
            tells_missing=False,
        ),
    ],
)


def appraisal_records(question: Question) -> QuerySet:
    """What was agreed on of the studies that answer the question."""
    return consensus().filter(study__in=matching_studies(question).order_by().values("pk"))


APPRAISALS = Table(
    noun="appraisals",
    title="Appraisals",
    unit="answers",
    records=appraisal_records,
    extraction="study__extraction",
    order=["study__slug", "tool", "item"],
    in_words=describe_for_patients_and_groups,
    columns=[
        STUDY.at("study__slug"),
        Column(
            "tool",
            "Questions",
            "tool",
            "The set of questions about risk of bias.",
            labels=dict(AppraisalTool.choices),
        ),
        Column(
            "item",
            "Number",
            "item",
            "Number of the question in its set, as on the page of the study.",
            numeric=True,
            whole=True,
        ),
        Column(
            "answer",
            "Answer",
            "answer",
            "What two appraisers agreed on; not to be summed.",
            labels=dict(AppraisalAnswer.choices),
        ),
        Column("reason", "Reason", "reason", "Why, in words.", tells_missing=False),
    ],
)

TIDY = {
    tidy.noun: tidy
    for tidy in [
        Tidy(slim_table(STUDIES, *COUNTED), ("study",), {}),
        Tidy(
            slim_table(
                PATIENTS,
                extra_columns=(
                    Column("label", "Called", "label", "How the source calls the patient."),
                ),
            ),
            ("patient",),
            {("study",): "studies"},
        ),
        Tidy(
            presence_table("manifestations", "Manifestation", PatientManifestation, MANIFESTATION),
            ("patient", "manifestation"),
            {("patient",): "patients"},
            {"manifestation": "vocabulary-manifestations"},
        ),
        Tidy(
            presence_table("autoantibodies", "Autoantibody", PatientAutoantibody, AUTOANTIBODY),
            ("patient", "autoantibody"),
            {("patient",): "patients"},
            {"autoantibody": "vocabulary-autoantibodies"},
        ),
        Tidy(
            link_table(
                "prior-therapies",
                "Prior therapies",
                of_patients(PRIOR),
                "patient",
                ["patient__slug", "therapy__code"],
                [PATIENT_OF_LINK, THERAPY],
            ),
            ("patient", "therapy"),
            {("patient",): "patients"},
            {"therapy": "vocabulary-therapies"},
        ),
        Tidy(
            slim_table(TREATMENTS, "study", "indications"),
            ("patient", "treatment"),
            {("patient",): "patients", ("inhibitor",): "drugs"},
        ),
        Tidy(
            link_table(
                "indications",
                "Indications",
                of_treatments(INDICATED),
                "treatment__patient",
                ["treatment__patient__slug", "treatment__number", "indication__code"],
                [*TREATMENT_OF_LINK, INDICATION],
            ),
            ("patient", "treatment", "indication"),
            {("patient", "treatment"): "treatments"},
            {"indication": "vocabulary-indications"},
        ),
        Tidy(
            link_table(
                "concomitant-therapies",
                "Concomitant therapies",
                of_treatments(ALONG),
                "treatment__patient",
                ["treatment__patient__slug", "treatment__number", "therapy__code"],
                [*TREATMENT_OF_LINK, THERAPY],
            ),
            ("patient", "treatment", "therapy"),
            {("patient", "treatment"): "treatments"},
            {"therapy": "vocabulary-therapies"},
        ),
        Tidy(
            slim_table(OUTCOMES, "study", "inhibitor", "indications"),
            ("patient", "treatment", "outcome"),
            {("patient", "treatment"): "treatments"},
        ),
        Tidy(
            slim_table(EVENTS, "study", "inhibitor", "indications"),
            ("patient", "treatment", "event"),
            {("patient", "treatment"): "treatments"},
            {"category": "vocabulary-adverse-events"},
        ),
        Tidy(slim_table(GROUPS), ("study", "group"), {("study",): "studies"}),
        Tidy(
            slim_table(FINDINGS, "group_name", "inhibitor"),
            ("study", "group", "finding"),
            {("study", "group"): "groups"},
        ),
        Tidy(PROVENANCE, ("study", "provenance"), {("study",): "studies"}),
        Tidy(APPRAISALS, ("study", "tool", "item"), {("study",): "studies"}),
    ]
}


def with_question(tidy: Tidy) -> Tidy:
    """With the columns that depend on the question: which parts of it were not asked of a row."""
    asked = TABLES.get(tidy.noun)
    extra = [column for column in asked.columns if column.name == NOT_ASKED] if asked else []
    return replace(tidy, table=replace(tidy.table, columns=[*tidy.table.columns, *extra]))


WITH_PARENTS = {"vocabulary-manifestations"}  # terms that are part of wider ones
REFERENCE = {
    tidy.noun: tidy
    for tidy in [
        Tidy(DRUGS, ("inhibitor",), {}),
        *(
            Tidy(table, ("code",), {}, {"parent": noun} if noun in WITH_PARENTS else {})
            for noun, table in VOCABULARIES.items()
        ),
    ]
}
# What a bundle holds. Only TIDY is the content of a release: vocabularies are shared by all
# collections, and what depends on a question or is worked out from other tables is no content.
BUNDLED = {
    tidy.noun: tidy
    for tidy in [
        *map(with_question, TIDY.values()),
        Tidy(COURSES, ("patient", "treatment"), {("patient",): "patients", ("study",): "studies"}),
        Tidy(replace(PATIENTS, noun="patients-wide"), ("patient",), {}),
        *REFERENCE.values(),
    ]
}

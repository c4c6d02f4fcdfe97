"""The tables and their columns: the name of each, the source of its values, and what it means."""

from django.db.models import Case, CharField, Count, F, OuterRef, Subquery, Value, When
from django.db.models.functions import Cast, Coalesce

from ..counting.dimensions import whether_appraised
from ..models import AdverseEvent, GroupFinding, Patient, StudyGroup
from ..models.choices import (
    Appraised,
    Ascertainment,
    Design,
    Domain,
    FindingKind,
    Item,
    ListCompleteness,
    Presence,
    Response,
    RetractionStatus,
    Sex,
    Subset,
    YesNo,
)
from ..models.group import IS_HARM, WITHOUT_TIME
from ..models.missing import READINGS, reading_sql
from ..questions.filters import (
    describe_for_groups,
    describe_for_patients_and_groups,
    matching_groups,
    matching_outcomes,
    matching_studies,
    matching_treatments,
)
from ..summaries import DomainResult
from . import lookups as lists
from .column import NOT_ASKED, Codes, Column, Lookup, Table

RESPONSES = dict(Response.choices)
YES_NO = dict(YesNo.choices)
SUBSETS = dict(Subset.choices)
# Short enough for a table; the column is headed “Adverse events”.
ASCERTAINMENT = {
    Ascertainment.EVENTS.value: "Reported",
    Ascertainment.EXPLICITLY_NONE.value: "None, as stated",
}

INHIBITOR = Codes("an inhibitor's slug, as on /inhibitors/", "inhibitor")
INDICATIONS = Codes("codes of indications, joined by +", "indication", joined=True)
THERAPIES = Codes("codes of therapies")
AUTOANTIBODIES = Codes("codes of autoantibodies")
MANIFESTATIONS = Codes("codes of manifestations")

PATIENTS_COUNTED = "patients"
SINCE_START = "months since the start of the course"
MEASURED = "the unit of the measure, as the source gives it"
MRSS = "Modified Rodnan skin score, 0 to 51: 17 sites, 0 to 3 points each."
CTCAE = (
    "Common Terminology Criteria for Adverse Events (CTCAE), grades 1 to 5, where the source "
    "grades."
)

# Columns of several tables

PATIENT = Column(
    "patient",
    "Patient",
    "slug",
    "Public id of one individually reported person; never changed once published.",
    on_page=True,
)
STUDY = Column(
    "study",
    "Study",
    "slug",
    "Public id of the study, for joining files.",
    codes=Codes("a study's slug, joined to the column study of studies.csv"),
)
STUDY_NAME = Column("study_name", "Study", "short_name", "The study's short name.", on_page=True)
YEAR = Column(
    "year",
    "Year",
    "year",
    "Year of publication, or of registration.",
    numeric=True,
    whole=True,
    unit="calendar year",
)
DESIGN = Column(
    "design",
    "Design",
    "design",
    "Study design, as coded by a curator.",
    labels=dict(Design.choices),
    unknown=Design.UNKNOWN,
)
DOI = Column(
    "doi",
    "DOI",
    "doi",
    "Digital object identifier of the publication.",
    tells_missing=False,
    definition="DOI Foundation",
)

RETRACTION = Column(
    "retraction",
    "Retraction",
    "retraction_status",
    "Whether the study's publication was corrected, got an expression of concern or was "
    "retracted, as far as is known.",
    labels=dict(RetractionStatus.choices),
    tells_missing=False,
)


def study_columns(path: str, *, on_page: bool = True) -> list[Column]:
    """The study of a row: its slug for joining, its name for reading."""
    return [
        STUDY.at(f"{path}slug"),
        STUDY_NAME.at(f"{path}short_name", on_page=on_page),
        *(column.at(f"{path}{column.source}") for column in (YEAR, DESIGN, DOI, RETRACTION)),
    ]


def not_asked(of: str, lookup: Lookup) -> Column:
    """The parts of the question that were not asked of a row, because groups cannot answer them."""
    return Column(
        NOT_ASKED,
        "Not asked",
        lookup=lookup,
        meaning=f"Parts of the question that were not asked of this {of}, because a group has no "
        "one value or no complete list for them; a group on a JAK inhibitor may hold patients "
        "like these, a comparator holds none. Empty where every part was asked.",
        tells_missing=False,
    )


def completeness_column(of: str, field: str, *, on_case: bool = False) -> Column:
    """Whether a list is whole, beside the list itself. A case says so with the list, or here
    (`on_case`).
    """
    return Column(
        field,
        f"List of {of}",
        field,
        f"Whether there may be more {of} than are listed; what is not on a list is absent only "
        "where it is complete.",
        labels=dict(ListCompleteness.choices),
        unknown=ListCompleteness.NOT_STATED,
        on_case=on_case,
        case_if_known=on_case,
    )


def domain_result_words(code: str) -> tuple[str, str]:
    """A domain's result as pages print it, and its colour."""
    result = DomainResult.from_code(code)
    return result.words.capitalize(), result.result


PATIENTS = Table(
    noun="patients",
    title="Patients",
    unit="patients",
    records=lambda question: Patient.objects.with_treatment(matching_treatments(question)),
    extraction="study__extraction",
    order=["slug"],
    first_on_page=(
        "patient",
        "responses",
        "domain_results",
        "relapsed",
        "adverse_events",
        "inhibitors",
        "indication_sets",
    ),
    columns=[
        PATIENT,
        *study_columns("study__"),
        Column(
            "sex",
            "Sex",
            "sex",
            "Sex, as the source states it.",
            labels=dict(Sex.choices),
            unknown=Sex.UNKNOWN,
            on_page=True,
            on_case=True,
        ),
        Column(
            "age_years",
            "Age",
            "age_years",
            "Age in whole years, as the source states it.",
            numeric=True,
            whole=True,
            unit="years",
            on_page=True,
            on_case=True,
        ),
        Column(
            "subset",
            "Subset",
            "subset",
            "Disease subset of systemic sclerosis, as the source names it.",
            labels=SUBSETS,
            unknown=Subset.UNKNOWN,
            on_page=True,
            on_case=True,
            case_label="Disease subset",
        ),
        Column(
            "disease_duration_months",
            "Disease duration (months)",
            "disease_duration_months",
            "Duration of the disease at presentation, converted to months.",
            numeric=True,
            unit="months",
            on_case=True,
        ),
        Column(
            "dlco_percent",
            "DLCO (% predicted)",
            "dlco_percent",
            "Diffusing capacity of the lung for carbon monoxide (DLCO), before the JAK inhibitor.",
            numeric=True,
            unit="% predicted",
            on_page=True,
            on_case=True,
        ),
        Column(
            "classification",
            "Classification",
            "classification",
            "Classification criteria the source says are met.",
            on_case=True,
        ),
        Column(
            "comorbidities",
            "Comorbidities",
            "comorbidities",
            "Other diseases the source names, separated by semicolons.",
            on_case=True,
        ),
        Column(
            "autoantibodies_present",
            "Autoantibodies",
            lookup=lists.autoantibody_lookup(Presence.PRESENT),
            meaning="Autoantibodies that were looked for and found.",
            codes=AUTOANTIBODIES,
            on_case=True,
            case_label="Autoantibodies present",
        ),
        completeness_column("autoantibodies", "autoantibodies_completeness"),
        Column(
            "autoantibodies_absent",
            "Autoantibodies absent",
            lookup=lists.autoantibody_lookup(Presence.ABSENT),
            meaning="Autoantibodies that were looked for and not found.",
            codes=AUTOANTIBODIES,
            on_case=True,
            case_label="Autoantibodies looked for, absent",
            case_if_known=True,
        ),
        Column(
            "manifestations_present",
            "Manifestations",
            lookup=lists.manifestation_lookup(Presence.PRESENT),
            meaning="Organ involvement and signs that are present.",
            codes=MANIFESTATIONS,
            on_case=True,
            case_label="Manifestations present",
        ),
        completeness_column("manifestations", "manifestations_completeness"),
        Column(
            "manifestations_absent",
            "Looked for, absent",
            lookup=lists.manifestation_lookup(Presence.ABSENT),
            meaning="Organ involvement and signs that were looked for and are absent.",
            codes=MANIFESTATIONS,
            on_case=True,
            case_if_known=True,
        ),
        Column(
            "prior_therapies",
            "Prior therapies",
            lookup=lists.prior_therapies,
            meaning="Therapies before the JAK inhibitor.",
            codes=THERAPIES,
            on_case=True,
        ),
        completeness_column("prior therapies", "prior_therapies_completeness"),
        Column(
            "inhibitors",
            "JAK inhibitor",
            lookup=lists.OfMatchingTreatments("inhibitor__slug"),
            meaning="JAK inhibitors of those courses that answer the question.",
            codes=Codes("inhibitors' slugs, as on /inhibitors/", "inhibitor"),
            on_page=True,
        ),
        Column(
            "indication_sets",
            "For",
            lookup=lists.OfMatchingTreatments("indication_set"),
            meaning="What each course that answers the question was given for, as a set.",
            codes=Codes(
                "codes of indications, joined by +, one set for each course",
                "indication",
                joined=True,
            ),
            on_page=True,
        ),
        Column(
            "responses",
            "Response",
            lookup=lists.OfMatchingTreatments("response"),
            meaning="The authors' overall verdict on each course that answers the question.",
            labels=RESPONSES,
            toned=True,
            on_page=True,
        ),
        Column(
            "domain_results",
            "By domain",
            lookup=lists.OfMatchingTreatments(lists.DOMAIN_RESULTS),
            meaning="For each organ domain the result of the one outcome that counts, under the "
            "courses that answer the question and in the months it asks for: the last dated one, "
            "an undated one only where none is dated, of several at the same time the worst. Each "
            "is a domain, a result and the month it was assessed at, joined by colons, such as "
            "joints:improved:12; without the month where that is not known.",
            codes=Codes(
                f"a domain ({', '.join(Domain.values)}), a result "
                f"({', '.join(r.value for r in Response if r != Response.UNKNOWN)}) and a month, "
                "joined by :"
            ),
            words=domain_result_words,
            toned=True,
            on_page=True,
        ),
        Column(
            "relapsed",
            "Relapsed",
            lookup=lists.OfMatchingTreatments("relapsed"),
            meaning="Whether the disease relapsed, for each course that answers the question.",
            labels=YES_NO,
            on_page=True,
        ),
        Column(
            "adverse_events",
            "Adverse events",
            lookup=lists.OfMatchingTreatments("adverse_events"),
            meaning="What the source says of adverse events, for each course that answers the "
            "question.",
            labels=ASCERTAINMENT,
            on_page=True,
        ),
        Column(
            "notes",
            "Notes",
            "notes",
            "A curator's remarks on the patient.",
            tells_missing=False,
        ),
    ],
)

TREATMENT = Column(
    "treatment",
    "Course",
    "number",
    "Number of the patient's course of a JAK inhibitor: 1, 2, 3.",
    numeric=True,
    whole=True,
)
TREATMENT_INHIBITOR = Column(
    "inhibitor",
    "JAK inhibitor",
    "inhibitor__slug",
    "The JAK inhibitor of the course.",
    codes=INHIBITOR,
    on_page=True,
)
TREATMENT_INDICATIONS = Column(
    "indications",
    "For",
    "indication_set",
    "What the course was given for: all of them together, as a set.",
    codes=INDICATIONS,
    on_page=True,
)

TREATMENTS = Table(
    noun="treatments",
    title="Treatments",
    unit="treatments",
    records=matching_treatments,
    extraction="patient__study__extraction",
    order=["patient__slug", "number"],
    first_on_page=(
        "patient",
        "response",
        "treatment",
        "relapsed",
        "adverse_events",
        "inhibitor",
        "indications",
    ),
    columns=[
        PATIENT.at("patient__slug"),
        TREATMENT.at("number", on_page=True),
        *study_columns("patient__study__", on_page=False),
        TREATMENT_INHIBITOR,
        Column(
            "dose", "Dose", "dose", "Dose, as written in the source.", on_page=True, on_case=True
        ),
        Column(
            "duration_months",
            "Duration (months)",
            "duration_months",
            "How long the course lasted, converted to months.",
            numeric=True,
            unit="months",
            on_page=True,
            on_case=True,
        ),
        TREATMENT_INDICATIONS.at("indication_set", on_case=True),
        completeness_column("indications", "indications_completeness"),
        Column(
            "concomitant_therapies",
            "Concomitant therapies",
            lookup=lists.concomitant_therapies,
            meaning="Therapies along with the JAK inhibitor.",
            codes=THERAPIES,
            on_case=True,
            case_label="Along with",
        ),
        completeness_column("concomitant therapies", "concomitant_therapies_completeness"),
        Column(
            "response",
            "Response",
            "response",
            "The authors' overall verdict on the course.",
            labels=RESPONSES,
            unknown=Response.UNKNOWN,
            toned=True,
            on_page=True,
            on_case=True,
            case_label="Response (authors’ overall verdict)",
        ),
        Column(
            "relapsed",
            "Relapsed",
            "relapsed",
            "Whether the disease relapsed under or after the course.",
            labels=YES_NO,
            unknown=YesNo.UNKNOWN,
            on_page=True,
            on_case=True,
        ),
        Column(
            "adverse_events",
            "Adverse events",
            "adverse_events",
            "Whether the source says that there were adverse events under the course.",
            labels=ASCERTAINMENT,
            unknown=Ascertainment.NOT_STATED,
            on_page=True,
            on_case=True,
        ),
        completeness_column(
            "adverse event categories", "adverse_event_categories_completeness", on_case=True
        ),
        Column(
            "stopped",
            "Stopped",
            "stopped",
            "Whether the course was stopped.",
            labels=YES_NO,
            unknown=YesNo.UNKNOWN,
            on_case=True,
        ),
        Column(
            "stop_reason",
            "Reason for stopping",
            "stop_reason",
            "Why it was stopped, as the source says.",
            tells_missing=False,
            on_case=True,
            case_if_known=True,
        ),
    ],
)


def treatment_columns() -> list[Column]:
    """The patient and treatment of an outcome or event."""
    return [
        PATIENT.at("treatment__patient__slug"),
        TREATMENT.at("treatment__number"),
        *study_columns("treatment__patient__study__"),
        TREATMENT_INHIBITOR.at("treatment__inhibitor__slug"),
        TREATMENT_INDICATIONS.at("treatment__indication_set"),
    ]


MEASURE = Column(
    "measure",
    "Measure",
    "measure",
    "What was measured: the label of the measure, or the words of the source where it is none that "
    f"several sources use. mRSS: {MRSS}",
    on_page=True,
    on_case=True,
)

OUTCOMES = Table(
    noun="outcomes",
    title="Outcomes",
    unit="outcomes",
    records=matching_outcomes,
    extraction="treatment__patient__study__extraction",
    order=["treatment__patient__slug", "treatment__number", "number"],
    first_on_page=(
        "patient",
        "result",
        "domain",
        "measure",
        "at_months",
        "baseline",
        "followup",
        "followup_text",
    ),
    first_on_case=("domain", "result", "measure", "baseline", "followup"),
    columns=[
        *treatment_columns(),
        Column(
            "outcome",
            "Outcome",
            "number",
            "Number of the outcome within its course.",
            numeric=True,
            whole=True,
        ),
        Column(
            "domain",
            "Domain",
            "domain",
            "The organ domain the outcome belongs to.",
            labels=dict(Domain.choices),
            on_page=True,
            on_case=True,
        ),
        MEASURE.at("measure_id"),
        Column(
            "unit",
            "Unit",
            "unit",
            "Unit of baseline and follow-up, where it is not part of the measure's name.",
            tells_missing=False,
        ),
        Column(
            "baseline",
            "Baseline",
            "baseline",
            "Value before or at the start.",
            numeric=True,
            unit=MEASURED,
            on_page=True,
            on_case=True,
        ),
        Column(
            "followup",
            "Follow-up",
            "followup",
            "Value at follow-up.",
            numeric=True,
            unit=MEASURED,
            on_page=True,
            on_case=True,
        ),
        Column(
            "followup_text",
            "In words",
            "followup_text",
            "The follow-up in words, where the source gives no number.",
            tells_missing=False,
            on_page=True,
        ),
        Column(
            "baseline_month",
            "Baseline at (month)",
            "baseline_month",
            "When the baseline was taken; 0 is the start of the course.",
            numeric=True,
            unit=SINCE_START,
        ),
        Column(
            "at_months",
            "At (month)",
            "at_months",
            "When the outcome was assessed.",
            numeric=True,
            unit=SINCE_START,
            on_page=True,
            on_case=True,
        ),
        Column(
            "result",
            "Result",
            "result",
            "The authors' verdict on this outcome.",
            labels=RESPONSES,
            unknown=Response.UNKNOWN,
            toned=True,
            on_page=True,
            on_case=True,
            case_label="Result, as the authors say",
        ),
    ],
)

EVENTS = Table(
    noun="adverse-events",
    title="Adverse events",
    unit="adverse events",
    records=lambda question: AdverseEvent.objects.under(matching_treatments(question)),
    extraction="treatment__patient__study__extraction",
    order=["treatment__patient__slug", "treatment__number", "number"],
    first_on_page=("patient", "category", "serious", "grade", "description"),
    first_on_case=("category", "serious", "grade"),
    columns=[
        *treatment_columns(),
        Column(
            "event",
            "Event",
            "number",
            "Number of the adverse event within its course.",
            numeric=True,
            whole=True,
        ),
        Column(
            "category",
            "Category",
            "category__code",
            "Our short grouping of adverse events; not a MedDRA term.",
            codes=Codes("a code of an adverse event category", "adverse_event"),
            on_page=True,
            on_case=True,
        ),
        Column(
            "description",
            "As described",
            "description",
            "The adverse event in the source's words.",
            on_page=True,
            on_case=True,
        ),
        Column(
            "grade",
            "CTCAE grade",
            "grade",
            "Severity. Severe is not serious.",
            numeric=True,
            whole=True,
            unit="CTCAE grade",
            definition=CTCAE,
            on_page=True,
            on_case=True,
        ),
        Column(
            "serious",
            "Serious",
            "serious",
            "Whether the event is serious in the regulatory sense.",
            labels=YES_NO,
            unknown=YesNo.UNKNOWN,
            on_page=True,
            on_case=True,
        ),
        Column(
            "onset_months",
            "Onset (month)",
            "onset_months",
            "When the event began.",
            numeric=True,
            unit=SINCE_START,
            on_page=True,
            on_case=True,
        ),
        Column(
            "led_to_stop",
            "Led to stopping",
            "led_to_stop",
            "Whether the event led to stopping the JAK inhibitor.",
            labels=YES_NO,
            unknown=YesNo.UNKNOWN,
            on_page=True,
            on_case=True,
        ),
    ],
)


def counted_in(model) -> Coalesce:
    """How many records of a model a study has, readers' view."""
    rows = model.objects.published().filter(study=OuterRef("pk"))
    counts = rows.order_by().values("study").annotate(times=Count("pk")).values("times")
    return Coalesce(Subquery(counts), 0)


STUDIES = Table(
    noun="studies",
    title="Studies",
    unit="studies",
    records=matching_studies,
    extraction="extraction",
    order=["short_name", "slug"],
    first_on_page=("study_name", "patients", "groups", "n_jaki", "year", "design", "extraction"),
    columns=[
        STUDY,
        STUDY_NAME,
        Column(
            "title", "Title", "title", "Title of the publication or registration.", on_page=True
        ),
        Column(
            "authors",
            "Authors",
            "authors",
            "Authors, separated by semicolons; “et al.” where not all were extracted.",
        ),
        Column("journal", "Journal", "journal", "Journal, or the conference."),
        YEAR.at("year", on_page=True),
        Column("volume", "Volume", "volume", "Volume and issue.", tells_missing=False),
        Column("pages", "Pages", "pages", "Pages or article number.", tells_missing=False),
        DOI,
        Column("pmid", "PMID", "pmid", "PubMed id.", tells_missing=False, definition="PubMed"),
        Column(
            "pmcid",
            "PMCID",
            "pmcid",
            "PubMed Central id.",
            tells_missing=False,
            definition="PubMed Central",
        ),
        Column(
            "nct",
            "ClinicalTrials.gov",
            "nct",
            "Registration number of the trial.",
            tells_missing=False,
            definition="ClinicalTrials.gov",
        ),
        Column(
            "url",
            "Address",
            "url",
            "Address of the source where it has no DOI.",
            tells_missing=False,
        ),
        Column(
            "country",
            "Country",
            "country",
            "Country the patients were treated in.",
            tells_missing=False,
        ),
        DESIGN.at("design", on_page=True),
        Column(
            "extraction",
            "Read",
            reading_sql,
            "How much of the source was read; decides what an empty value means.",
            labels=READINGS,
            on_page=True,
        ),
        Column(
            "n_jaki",
            "Given a JAK inhibitor",
            "n_jaki",
            "How many of the study's patients were given a JAK inhibitor.",
            numeric=True,
            whole=True,
            unit=PATIENTS_COUNTED,
            on_page=True,
        ),
        Column(
            "n_randomised",
            "Randomised",
            "n_randomised",
            "How many patients were randomised.",
            numeric=True,
            whole=True,
            unit=PATIENTS_COUNTED,
            tells_missing=False,
        ),
        Column(
            "planned_n",
            "Planned",
            "planned_n",
            "Planned enrolment of a registered trial.",
            numeric=True,
            whole=True,
            unit=PATIENTS_COUNTED,
            tells_missing=False,
        ),
        Column(
            "patients",
            "Individual patients",
            lambda: counted_in(Patient),
            "How many patients the study reports individually.",
            numeric=True,
            whole=True,
            unit=PATIENTS_COUNTED,
            on_page=True,
        ),
        Column(
            "groups",
            "Groups",
            lambda: counted_in(StudyGroup),
            "How many groups the study reports in aggregate, comparators included.",
            numeric=True,
            whole=True,
            unit="groups",
            on_page=True,
        ),
        Column(
            "registered_inhibitor",
            "Registered drug",
            "registered_inhibitor__slug",
            "The JAK inhibitor a registered trial studies.",
            codes=INHIBITOR,
            tells_missing=False,
        ),
        Column(
            "comparator",
            "Comparator",
            "comparator",
            "What a registered trial compares it with.",
            tells_missing=False,
        ),
        Column(
            "registry_status",
            "Registry status",
            "registry_status",
            "Recruitment status in the registry, with the date it was read.",
            tells_missing=False,
        ),
        Column(
            "results_posted",
            "Results posted",
            "results_posted",
            "Whether the registry has results.",
            tells_missing=False,
        ),
        Column(
            "may_share_patients_with",
            "May share patients with",
            lookup=lists.sharing_studies,
            meaning="Studies that report, or may report, some of the same people.",
            codes=Codes("studies' slugs"),
            tells_missing=False,
        ),
        RETRACTION,
        Column(
            "retraction_date",
            "Date of the notice",
            lambda: Cast("retraction_date", CharField()),
            "Date of the notice of correction, concern or retraction, as YYYY-MM-DD.",
            tells_missing=False,
        ),
        Column(
            "retraction_notice",
            "Notice",
            "retraction_notice",
            "DOI or address of the notice of correction, concern or retraction.",
            tells_missing=False,
        ),
        Column(
            "retraction_reason",
            "Reason of the notice",
            "retraction_reason",
            "Why, as the notice or Retraction Watch says.",
            tells_missing=False,
        ),
        Column(
            "appraised",
            "Appraised",
            whether_appraised,
            "Whether two persons have answered every question about risk of bias, and a consensus "
            "stands for each.",
            labels=dict(Appraised.choices),
        ),
        Column(
            "appraisal",
            "Appraisal",
            lookup=lists.appraisals,
            meaning="Of an appraised study, the set of questions, the number of each and the "
            "answer that was agreed on. The questions are on the page of the study. Answers are "
            "not to be summed.",
            tells_missing=False,
        ),
        Column("notes", "Notes", "notes", "A curator's remarks on the study.", tells_missing=False),
        not_asked("study", lists.not_asked_of_studies),
    ],
    in_words=describe_for_patients_and_groups,
)


def group_drug(path: str = "") -> Case:
    """A group's drug; a comparator and a mixed group say so instead of staying empty."""
    return Case(
        When(**{f"{path}mixed_inhibitors": True}, then=Value("several, not reported apart")),
        When(**{f"{path}inhibitor__isnull": True}, then=Value("comparator")),
        default=F(f"{path}inhibitor__slug"),
        output_field=CharField(),
    )


GROUP = Column("group", "Group", "slug", "Public id of the group within its study.")
GROUP_NAME = Column("group_name", "Group", "label", "How the source calls the group.", on_page=True)
GROUP_INHIBITOR = Column(
    "inhibitor",
    "JAK inhibitor",
    group_drug,
    "The group's JAK inhibitor, or “comparator”, or “several, not reported apart”.",
    codes=INHIBITOR,
    on_page=True,
)

GROUPS = Table(
    noun="groups",
    title="Groups",
    unit="groups",
    records=matching_groups,
    extraction="study__extraction",
    order=["study__short_name", "position", "slug"],
    first_on_page=("study_name", "group_name", "n", "inhibitor", "dose", "indications"),
    columns=[
        *study_columns("study__"),
        GROUP,
        GROUP_NAME,
        GROUP_INHIBITOR,
        Column("dose", "Dose", "dose", "Dose, as written in the source.", on_page=True),
        Column(
            "n",
            "Patients",
            "n",
            "How many patients the group has.",
            numeric=True,
            whole=True,
            unit=PATIENTS_COUNTED,
            on_page=True,
        ),
        Column(
            "subset",
            "Subset",
            "subset",
            "Disease subset of all patients of the group, where the source names one.",
            labels=SUBSETS,
            unknown=Subset.UNKNOWN,
            on_page=True,
        ),
        Column(
            "indications",
            "For",
            lookup=lists.group_indications,
            meaning="What the group was treated for.",
            codes=Codes("codes of indications", "indication", joined=True),
            on_page=True,
        ),
        Column(
            "follow_up_weeks",
            "Follow-up (weeks)",
            "follow_up_weeks",
            "Length of follow-up.",
            numeric=True,
            unit="weeks",
            on_page=True,
        ),
        not_asked("group", lists.not_asked_of_groups),
    ],
    in_words=describe_for_groups,
)


def printed_column(name: str, meaning: str, unit: str, *, is_whole: bool = False) -> Column:
    """A number of a finding, as printed; a finding prints only some of them. Pages have them all in
    one column, in words.
    """
    return Column(
        name,
        name.replace("_", " "),
        name,
        meaning,
        numeric=True,
        whole=is_whole,
        unit=unit,
        tells_missing=False,
    )


FINDINGS = Table(
    noun="findings",
    title="Findings of groups",
    unit="findings",
    records=lambda question: GroupFinding.objects.filter(
        group__in=matching_groups(question).order_by().values("pk")
    ),
    extraction="group__study__extraction",
    order=["group__study__short_name", "group__position", "group__slug", "number"],
    first_on_page=("study_name", "result_in_words", "measure", "group_name", "inhibitor"),
    columns=[
        *study_columns("group__study__"),
        GROUP.at("group__slug"),
        GROUP_NAME.at("group__label"),
        GROUP_INHIBITOR.at(lambda: group_drug("group__")),
        Column(
            "finding",
            "Finding",
            "number",
            "Number of the finding within its group.",
            numeric=True,
            whole=True,
        ),
        MEASURE,
        Column(
            "kind",
            "Kind",
            "kind",
            "The shape of the finding: which of its numbers are meant to be there.",
            labels=dict(FindingKind.choices),
        ),
        Column(
            "result_in_words",
            "Result",
            lookup=lists.findings_in_words,
            meaning="All printed numbers of the finding in one text; a rate has its 95 % interval "
            "(Wilson).",
            on_page=True,
            in_file=False,
        ),
        Column(
            "at_weeks",
            "Week",
            "at_weeks",
            "When it was assessed.",
            numeric=True,
            unit="weeks",
            not_for=("kind", tuple(kind.value for kind in WITHOUT_TIME)),
            on_page=True,
        ),
        Column(
            "n",
            "n",
            "n",
            "How many patients were analysed for this finding.",
            numeric=True,
            whole=True,
            unit=PATIENTS_COUNTED,
            on_page=True,
        ),
        printed_column(
            "events",
            "How many patients had what was measured.",
            "patients with the event",
            is_whole=True,
        ),
        printed_column(
            "percent", "Percentage, where the source prints that instead of a count.", "percent"
        ),
        printed_column("value", "A single value, such as a median or a score.", MEASURED),
        printed_column("baseline", "Value before or at the start.", MEASURED),
        printed_column("baseline_sd", "Standard deviation at baseline.", MEASURED),
        printed_column("followup", "Value at follow-up.", MEASURED),
        printed_column("followup_sd", "Standard deviation at follow-up.", MEASURED),
        printed_column("change", "Change from baseline to follow-up, as printed.", MEASURED),
        printed_column("change_sd", "Standard deviation of the change.", MEASURED),
        printed_column(
            "iqr", "Width of the interquartile range, where only the width is printed.", MEASURED
        ),
        printed_column("iqr_low", "Lower end of the interquartile range.", MEASURED),
        printed_column("iqr_high", "Upper end of the interquartile range.", MEASURED),
        Column(
            "item",
            "Counts as",
            "item",
            "What of individual patients the finding means the same as, if anything.",
            labels=dict(Item.choices),
            tells_missing=False,
        ),
        Column(
            "harm",
            "Harm",
            lambda: Case(When(IS_HARM, then=Value(True)), default=Value(False)),
            "Whether the finding counts patients with adverse events, or deaths: a curator says.",
            labels={"yes": "Yes", "no": "No"},
        ),
        Column(
            "p_value",
            "p, as printed",
            "p_value",
            "p-value, as printed.",
            tells_missing=False,
        ),
        Column(
            "note",
            "Note",
            "note",
            "A curator's remarks on the finding.",
            tells_missing=False,
            on_page=True,
        ),
        not_asked("finding's group", lists.not_asked_of_groups),
    ],
    in_words=describe_for_groups,
)

TABLES = {
    table.noun: table
    for table in (PATIENTS, TREATMENTS, OUTCOMES, EVENTS, STUDIES, GROUPS, FINDINGS)
}

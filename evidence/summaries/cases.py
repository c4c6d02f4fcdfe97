"""Patients one beside the other: for each, what was given for what, and what happened."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Case as CaseWhen
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value, When

from ..counting import treatments_of
from ..models import Patient
from ..models.choices import (
    Ascertainment,
    ListCompleteness,
    Response,
    Sex,
    Subset,
    YesNo,
)
from ..models.missing import missing_reason
from ..models.outcome import counting_order, window_of
from ..models.study import flagged_name
from ..models.treatment import SET_SEPARATOR
from ..questions.filters import matching_treatments
from ..questions.question import Question
from .outcomes import DomainResult, outcomes_that_count

# Lists that say of everything else that it is not there.
CLOSED_LISTS = {ListCompleteness.COMPLETE.value, ListCompleteness.NONE.value}
LISTED, NOT_LISTED, OPEN = "yes", "no", ""  # whether something is on a list
SEVERAL = "several"  # courses that differ


@dataclass(frozen=True)
class Course:
    """One treatment that answers the question; an empty text is not known."""

    inhibitor: str
    indications: tuple[str, ...]
    indications_closed: bool
    response: str
    relapsed: str
    adverse_events: str


@dataclass(frozen=True)
class Case:
    """One patient with the treatments that answer the question. An empty text is not known, for
    the `missing` reason.
    """

    patient: str
    study: str
    study_slug: str
    doi: str
    missing: str
    sex: str
    age_years: int | None
    subset: str
    courses: list[Course] = field(default_factory=list)
    domains: dict[str, DomainResult] = field(default_factory=dict)

    def of_courses(self, name: str) -> str:
        """A value of all courses: the one they share, SEVERAL, or an empty text."""
        values = {getattr(course, name) for course in self.courses}
        return values.pop() if len(values) == 1 else SEVERAL

    def indicated(self, code: str) -> str:
        """LISTED if a course was given for it, NOT_LISTED if every course's list is closed without
        it, else OPEN: the rule of `shares.known_of`.
        """
        if any(code in course.indications for course in self.courses):
            return LISTED
        return NOT_LISTED if all(course.indications_closed for course in self.courses) else OPEN


def known(value: str, *unknown: str) -> str:
    return "" if value in unknown else value


def read_cases(question: Question, patients: QuerySet | list[int]) -> list[Case]:
    """The cases of these patients, or of these primary keys, in their order: two queries, however
    many they are.
    """
    records = patients
    if isinstance(patients, list):
        records = Patient.objects.filter(pk__among=patients)
    rows = records.values_list(
        "pk",
        "slug",
        "study__short_name",
        "study__retraction_status",
        "study__slug",
        "study__doi",
        "study__extraction",
        "sex",
        "age_years",
        "subset",
    )
    if isinstance(patients, list):
        place = {key: number for number, key in enumerate(patients)}
        rows = sorted(rows, key=lambda row: place[row[0]])
    cases = {
        key: Case(
            patient,
            flagged_name(name, status),
            *texts,
            missing=missing_reason(extraction).label,
            sex=known(sex, Sex.UNKNOWN),
            age_years=age,
            subset=known(subset, Subset.UNKNOWN),
        )
        for key, patient, name, status, *texts, extraction, sex, age, subset in rows
    }
    treatments = treatments_of(question, list(cases)).order_by("patient", "number")
    windows = set(question.outcome_months)
    counting: dict[tuple[int, str], tuple] = {}
    earlier = None
    for patient, treatment, number, *values in treatments.values_list(
        "patient",
        "pk",
        "number",
        "inhibitor__slug",
        "indication_set",
        "indications_completeness",
        "response",
        "relapsed",
        "adverse_events",
        "outcomes__pk",
        "outcomes__domain",
        "outcomes__result",
        "outcomes__at_months",
    ):
        *of_course, key, domain, result, month = values
        if treatment != earlier:  # with outcomes, a treatment is a row for each
            cases[patient].courses.append(read_course(*of_course))
        earlier = treatment
        if result in (None, Response.UNKNOWN) or (windows and window_of(month) not in windows):
            continue
        order = counting_order(number, month, result, key)
        counted = counting.get((patient, domain))
        if counted is None or order < counted[0]:
            counting[patient, domain] = order, DomainResult(domain, result, month)
    for (patient, domain), (_, result) in sorted(
        counting.items(), key=lambda item: item[1][1].place()
    ):
        cases[patient].domains[domain] = result
    return list(cases.values())


def read_course(
    inhibitor: str, indications: str, closed: str, response: str, relapsed: str, events: str
) -> Course:
    return Course(
        inhibitor,
        tuple(filter(None, indications.split(SET_SEPARATOR))),
        closed in CLOSED_LISTS,
        known(response, Response.UNKNOWN),
        known(relapsed, YesNo.UNKNOWN),
        known(events, Ascertainment.NOT_STATED),
    )


def ranked_by_treatment(question: Question, name: str, codes: Iterable[str]) -> QuerySet:
    """The patients of a question: first those with a treatment of the first of these codes, and so
    on; those with none of them last, ties by id. `name` is a field of treatments.
    """
    treatments = matching_treatments(question)
    path = {"inhibitors": "inhibitor__slug"}.get(name, name)
    return ranked(
        treatments,
        [Exists(treatments.filter(patient=OuterRef("pk"), **{path: code})) for code in codes],
    )


def ranked_by_indication(question: Question, code: str, states: Iterable[str]) -> QuerySet:
    """The patients of a question in the order of these states of an indication, LISTED and
    NOT_LISTED; those of whom it is open last, ties by id.
    """
    treatments = matching_treatments(question)
    own = treatments.filter(patient=OuterRef("pk"))
    listed = Exists(own.filter(indications__code=code))
    open_lists = Exists(own.exclude(indications_completeness__in=CLOSED_LISTS))
    conditions = {LISTED: Q(listed), NOT_LISTED: ~Q(listed) & ~Q(open_lists)}
    return ranked(treatments, [conditions[state] for state in states])


def ranked(treatments: QuerySet, conditions: list) -> QuerySet:
    """The patients of these treatments by the first of the conditions they meet, then by id."""
    rank = CaseWhen(
        *(When(condition, then=Value(place)) for place, condition in enumerate(conditions)),
        default=Value(len(conditions)),
    )
    return Patient.objects.with_treatment(treatments).order_by(rank, F("slug"))


def ranked_by_domain(question: Question, domain: str, codes: Iterable[str], most: int) -> list[int]:
    """Primary keys of the first patients with a result in a domain, in the order of these codes,
    ties by id.
    """
    rank = CaseWhen(
        *(When(result=code, then=Value(place)) for place, code in enumerate(codes)),
        default=Value(len(Response)),
    )
    counted = outcomes_that_count(matching_treatments(question), question).filter(domain=domain)
    ordered = counted.order_by(rank, "treatment__patient__slug")
    return list(ordered.values_list("treatment__patient", flat=True)[:most])

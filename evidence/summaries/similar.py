"""Published patients like one in front of the reader: who agrees in what, who differs, and what is
not known.
"""

from dataclasses import dataclass

from django.db.models import Prefetch

from ..counting import rank_by_agreement
from ..models import Collection, Patient, Treatment
from ..models.choices import Match, Presence, Sex, Subset
from ..questions.filters import FILTERS
from ..questions.question import MatchedSet, Question
from ..questions.vocabulary import Vocabulary
from .cohort import match_summary
from .outcomes import DomainResult, domain_results_of_treatments
from .shares import Share, pluralize, run_summaries

SHOWN = 20  # patients listed
AGE_SPAN = 10  # years that an age may be off
AGE = FILTERS["age_min"].range
SAID = (True, False, None)  # agrees, differs, not known


@dataclass(frozen=True)
class Criterion:
    """One criterion that each patient is compared by: its description and its question."""

    label: str
    question: Question


@dataclass(frozen=True)
class Case:
    """One patient beside the criteria: labels of what agrees, what differs, what is not known; and
    the treatments, each with its results by domain.
    """

    patient: Patient
    treatments: list[tuple[Treatment, list[DomainResult]]]
    agrees: list[str]
    differs: list[str]
    unknown: list[str]


@dataclass(frozen=True)
class Similar:
    """The cases that agree in most; `exactly[k]` counts patients who agree in exactly k
    criteria.
    """

    criteria: list[tuple[Criterion, Share]]
    cases: list[Case]
    exactly: list[int]

    @property
    def patients(self) -> int:
        return sum(self.exactly)

    @property
    def sentence(self) -> str:
        criteria_count, full_matches = len(self.criteria), self.exactly[-1]
        of = pluralize(self.patients, "patients")
        best = max((k for k, n in enumerate(self.exactly) if n), default=0)
        if full_matches:
            agree = "agrees" if full_matches == 1 else "agree"
            text = (
                f"{full_matches} of {of} {agree} in all {criteria_count}"
                if criteria_count > 1
                else f"{full_matches} of {of} {agree}"
            )
        elif best:
            closest = (
                "the closest one"
                if self.exactly[best] == 1
                else f"the closest {self.exactly[best]}"
            )
            text = f"None of {of} agrees in all {criteria_count}; {closest} in {best} of them"
        else:
            text = (
                f"None of {of} is known to agree in "
                f"{f'any of the {criteria_count}' if criteria_count > 1 else 'it'}"
            )
        return (
            f"{text}. What happened in some patients does not tell what would happen in another "
            "one."
        )


def similarity_criteria(
    collection: Collection,
    vocabulary: Vocabulary,
    *,
    age: int | None = None,
    sex: str = "",
    subset: str = "",
    autoantibody: tuple[str, ...] = (),
    manifestation: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    prior: tuple[str, ...] = (),
) -> list[Criterion]:
    """One criterion for each thing that is given; several antibodies are several criteria."""
    criteria = []

    def add_criterion(label: str, **parts) -> None:
        question = Question(collection)
        for name, value in parts.items():
            question = question.with_part(name, value)
        criteria.append(Criterion(label, question))

    if age is not None:
        low, high = max(age - AGE_SPAN, AGE.low), min(age + AGE_SPAN, AGE.high)
        add_criterion(f"Age {low} to {high}", age_min=low, age_max=high)
    if sex:
        add_criterion(Sex(sex).label, sex=(sex,))
    if subset:
        add_criterion(Subset(subset).label, subset=(subset,))
    for name, codes, match in [
        ("autoantibody", autoantibody, Match.ANY),
        ("manifestation", manifestation, Match.ANY),
        ("manifestation", without, Match.NONE),
        ("prior", prior, Match.ANY),
    ]:
        for code in codes:
            label = vocabulary.label(FILTERS[name].kind, code)
            label = f"Prior therapy: {label}" if name == "prior" else label
            add_criterion(
                f"No {label}" if match == Match.NONE else label,
                **{name: MatchedSet.of((code,), match)},
            )
    return criteria


def similar_patients(collection: Collection, criteria: list[Criterion]) -> Similar:
    """The patients of a collection beside these criteria, and in how many each is known."""
    cases, exactly = closest_patients(collection, criteria)
    matches = (
        run_summaries(*(match_summary(criterion.question) for criterion in criteria))
        if criteria
        else []
    )
    shares = [
        Share(
            criterion.label,
            match.matching,
            match.patients - match.open,
            match.open_not_reported,
            match.open_not_extracted,
        )
        for criterion, match in zip(criteria, matches, strict=True)
    ]
    return Similar(list(zip(criteria, shares, strict=True)), cases, exactly)


def closest_patients(
    collection: Collection,
    criteria: list[Criterion],
    *,
    excluded: int | None = None,
    limit: int = SHOWN,
) -> tuple[list[Case], list[int]]:
    """The cases that agree in most, and how many agree in how much. `excluded` is the primary key
    of one to leave out.
    """
    ranking = rank_by_agreement(
        collection, [criterion.question for criterion in criteria], limit, excluded
    )
    patients = (
        Patient.objects.filter(pk__in=[agreement.patient for agreement in ranking.first])
        .select_related("study__collection")
        .prefetch_related(
            Prefetch("treatments", Treatment.objects.select_related("inhibitor")),
            "treatments__indications",
        )
    )
    patients_by_key = {patient.pk: patient for patient in patients}
    results = domain_results_of_treatments(
        [treatment.pk for patient in patients for treatment in patient.treatments.all()]
    )
    labels = [criterion.label for criterion in criteria]
    cases = [
        Case(
            patient,
            [(treatment, results.get(treatment.pk, [])) for treatment in patient.treatments.all()],
            *(
                [
                    label
                    for label, agrees in zip(labels, agreement.agrees, strict=True)
                    if agrees is verdict
                ]
                for verdict in SAID
            ),
        )
        for agreement, patient in (
            (agreement, patients_by_key[agreement.patient]) for agreement in ranking.first
        )
    ]
    return cases, ranking.by_number


def criteria_of(patient: Patient, vocabulary: Vocabulary) -> tuple[dict, list[Criterion]]:
    """What is known of a patient, as address words of the page of similar patients, and as
    criteria.
    """
    signs = [(sign.manifestation.code, sign.status) for sign in patient.manifestation_records.all()]
    antibodies = patient.autoantibody_records.all()
    params = {
        "age": patient.age_years,
        "sex": "" if patient.sex == Sex.UNKNOWN else patient.sex,
        "subset": "" if patient.subset == Subset.UNKNOWN else patient.subset,
        "autoantibody": tuple(
            sorted(
                antibody.autoantibody.code
                for antibody in antibodies
                if antibody.status == Presence.PRESENT
            )
        ),
        "manifestation": tuple(
            sorted(code for code, status in signs if status == Presence.PRESENT)
        ),
        "without": tuple(sorted(code for code, status in signs if status == Presence.ABSENT)),
        "prior": tuple(sorted(therapy.code for therapy in patient.prior_therapies.all())),
    }
    return params, similarity_criteria(patient.study.collection, vocabulary, **params)

"""Published patients like one in front of the reader: who agrees in what, who differs, and what is not known."""

from dataclasses import dataclass

from ..counting import rank_by_agreement
from ..models import Collection, Patient
from ..models.choices import Match, Presence, Sex, Subset
from ..questions.filters import FILTERS
from ..questions.question import MatchedSet, Question
from ..questions.vocabulary import Vocabulary
from .cohort import match_summary
from .shares import Share, pluralize, run_summaries

SHOWN = 20  # patients listed
AGE_SPAN = 10  # years that an age may be off
AGE = FILTERS["age_min"].range
SAID = (True, False, None)  # agrees, differs, not known


@dataclass(frozen=True)
class Criterion:
    """One thing asked of every patient by itself, in words and as a question."""

    label: str
    question: Question


@dataclass(frozen=True)
class Case:
    """One patient beside the criteria: labels of what agrees, what differs, what is not known."""

    patient: Patient
    agrees: list[str]
    differs: list[str]
    unknown: list[str]


@dataclass(frozen=True)
class Similar:
    """The cases that agree in most; `exactly[k]` counts patients who agree in exactly k criteria."""

    criteria: list[tuple[Criterion, Share]]
    cases: list[Case]
    exactly: list[int]

    @property
    def patients(self) -> int:
        return sum(self.exactly)

    @property
    def sentence(self) -> str:
        asked, everybody = len(self.criteria), self.exactly[-1]
        of = pluralize(self.patients, "patients")
        best = max((k for k, n in enumerate(self.exactly) if n), default=0)
        if everybody:
            agree = "agrees" if everybody == 1 else "agree"
            told = f"{everybody} of {of} {agree} in all {asked}" if asked > 1 else f"{everybody} of {of} {agree}"
        elif best:
            closest = "the closest one" if self.exactly[best] == 1 else f"the closest {self.exactly[best]}"
            told = f"None of {of} agrees in all {asked}; {closest} in {best} of them"
        else:
            told = f"None of {of} is known to agree in {f'any of the {asked}' if asked > 1 else 'it'}"
        return f"{told}. What happened in some patients does not tell what would happen in another one."


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
    made = []

    def add(label: str, **parts) -> None:
        question = Question(collection)
        for name, value in parts.items():
            question = question.with_part(name, value)
        made.append(Criterion(label, question))

    if age is not None:
        low, high = max(age - AGE_SPAN, AGE.low), min(age + AGE_SPAN, AGE.high)
        add(f"Age {low} to {high}", age_min=low, age_max=high)
    if sex:
        add(Sex(sex).label, sex=(sex,))
    if subset:
        add(Subset(subset).label, subset=(subset,))
    for name, codes, match in [
        ("autoantibody", autoantibody, Match.ANY),
        ("manifestation", manifestation, Match.ANY),
        ("manifestation", without, Match.NONE),
        ("prior", prior, Match.ANY),
    ]:
        for code in codes:
            label = vocabulary.label(FILTERS[name].kind, code)
            label = f"Prior therapy: {label}" if name == "prior" else label
            add(f"No {label}" if match == Match.NONE else label, **{name: MatchedSet.of((code,), match)})
    return made


def similar_patients(collection: Collection, asked: list[Criterion]) -> Similar:
    """The patients of a collection beside these criteria, and in how many each is known."""
    cases, exactly = closest_patients(collection, asked)
    answers = run_summaries(*(match_summary(each.question) for each in asked)) if asked else []
    shares = [
        Share(
            criterion.label,
            found.matching,
            found.patients - found.open,
            found.open_not_reported,
            found.open_not_extracted,
        )
        for criterion, found in zip(asked, answers, strict=True)
    ]
    return Similar(list(zip(asked, shares, strict=True)), cases, exactly)


def closest_patients(
    collection: Collection, asked: list[Criterion], *, apart: int | None = None, most: int = SHOWN
) -> tuple[list[Case], list[int]]:
    """The cases that agree in most, and how many agree in how much. `apart` is the primary key of one to leave out."""
    ranking = rank_by_agreement(collection, [each.question for each in asked], most, apart)
    people = (
        Patient.objects.filter(pk__in=[each.patient for each in ranking.first])
        .select_related("study__collection")
        .prefetch_related("treatments__inhibitor", "treatments__indications")
    )
    found = {patient.pk: patient for patient in people}
    labels = [each.label for each in asked]
    cases = [
        Case(
            found[each.patient],
            *([label for label, agrees in zip(labels, each.agrees, strict=True) if agrees is said] for said in SAID),
        )
        for each in ranking.first
    ]
    return cases, ranking.by_number


def criteria_of(patient: Patient, vocabulary: Vocabulary) -> tuple[dict, list[Criterion]]:
    """What is known of a patient, as address words of the page of similar patients, and as criteria."""
    signs = [(each.manifestation.code, each.status) for each in patient.manifestation_records.all()]
    antibodies = patient.autoantibody_records.all()
    words = {
        "age": patient.age_years,
        "sex": "" if patient.sex == Sex.UNKNOWN else patient.sex,
        "subset": "" if patient.subset == Subset.UNKNOWN else patient.subset,
        "autoantibody": tuple(sorted(e.autoantibody.code for e in antibodies if e.status == Presence.PRESENT)),
        "manifestation": tuple(sorted(code for code, status in signs if status == Presence.PRESENT)),
        "without": tuple(sorted(code for code, status in signs if status == Presence.ABSENT)),
        "prior": tuple(sorted(each.code for each in patient.prior_therapies.all())),
    }
    return words, similarity_criteria(patient.study.collection, vocabulary, **words)

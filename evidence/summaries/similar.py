"""Published patients like one in front of the reader: who agrees in what, who differs, and what is
not known.
"""

from collections import defaultdict
from dataclasses import dataclass

from django.db.models import Prefetch, Value, prefetch_related_objects

from ..counting import rank_by_agreement
from ..models import (
    AdverseEvent,
    Autoantibody,
    Collection,
    Manifestation,
    Patient,
    PatientAutoantibody,
    PatientManifestation,
    Treatment,
)
from ..models.choices import Ascertainment, ListCompleteness, Match, Presence, Sex, Subset, YesNo
from ..models.term_tree import TermTree, term_tree
from ..questions.filters import FILTERS
from ..questions.question import MatchedSet, Question
from ..questions.vocabulary import Vocabulary
from .cohort import match_summary
from .outcomes import DomainResult, domain_results_of_treatments
from .shares import Share, pluralize, run_summaries

SHOWN = 20  # patients listed
AGE_SPAN = 10  # years that an age may be off
AGE = FILTERS["age_min"].range
VERDICTS = {True: "agrees", False: "differs", None: "not known"}
NOT_LISTED = "not on the complete list"


@dataclass(frozen=True)
class Criterion:
    """One criterion that each patient is compared by: what it is about, what is asked of it, its
    question. `name` and `code` are the word and the value of the address that ask it.
    """

    attribute: str
    asked: str
    name: str
    code: str
    question: Question

    @property
    def of_patient(self) -> str:
        """What is entered of the reader's patient: “48 (38 to 58 agrees)”, “female”."""
        return f"{self.code} ({self.asked} agrees)" if self.name == "age" else self.asked

    @property
    def label(self) -> str:
        """“Sex: female”; of a prior therapy its name says it all."""
        return self.attribute if self.name == "prior" else f"{self.attribute}: {self.asked}"


@dataclass(frozen=True)
class Sign:
    """Something recorded of a patient: an organ, an antibody, a prior therapy, present or absent.
    `kind` is the filter that asks for it.
    """

    kind: str
    code: str
    label: str
    status: str


@dataclass(frozen=True)
class Agreement:
    """One patient beside one criterion: whether they agree (None: not known), and the value that
    says so, or why there is none.
    """

    criterion: Criterion
    agrees: bool | None
    value: str

    @property
    def verdict(self) -> str:
        return VERDICTS[self.agrees]

    def __str__(self) -> str:
        """“Sex: female”; of what is not known only what it is."""
        attribute = self.criterion.attribute
        return attribute if self.agrees is None else f"{attribute}: {self.value}"


@dataclass(frozen=True)
class Course:
    """How one treatment of a case went on: whether there was a relapse, and what adverse events."""

    drug: str
    relapsed: str
    adverse_events: str  # both empty where they are not known


@dataclass(frozen=True)
class Case:
    """One patient beside the criteria, and the treatments, each with its results by domain."""

    patient: Patient
    treatments: list[tuple[Treatment, list[DomainResult]]]
    agreements: list[Agreement]

    def labels(self, agrees: bool | None) -> list[str]:
        return [each.criterion.label for each in self.agreements if each.agrees is agrees]

    @property
    def agrees(self) -> list[str]:
        return self.labels(True)

    @property
    def differs(self) -> list[str]:
        return self.labels(False)

    @property
    def unknown(self) -> list[str]:
        return self.labels(None)

    @property
    def by_verdict(self) -> list[tuple[str, list[Agreement]]]:
        """What agrees, what differs, what is not known."""
        return [
            (verdict, [each for each in self.agreements if each.agrees is agrees])
            for agrees, verdict in VERDICTS.items()
        ]

    @property
    def courses(self) -> list[Course]:
        return [course_of(treatment) for treatment, _ in self.treatments]


@dataclass(frozen=True)
class Similar:
    """The cases that agree in most; `exactly[k]` counts patients who agree in exactly k
    criteria.
    """

    criteria: list[tuple[Criterion, Share]]
    cases: list[Case]
    exactly: list[int]

    @property
    def rows(self) -> list[tuple[Criterion, list[Agreement]]]:
        """Each criterion with what every case says of it, as a table beside the patient."""
        return [
            (criterion, [case.agreements[position] for case in self.cases])
            for position, (criterion, _) in enumerate(self.criteria)
        ]

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

    def add_criterion(attribute: str, asked: str, word: str, code: str = "", **parts) -> None:
        question = Question(collection)
        for name, value in parts.items():
            question = question.with_part(name, value)
        criteria.append(Criterion(attribute, asked, word, code, question))

    if age is not None:
        low, high = max(age - AGE_SPAN, AGE.low), min(age + AGE_SPAN, AGE.high)
        add_criterion("Age", f"{low} to {high}", "age", str(age), age_min=low, age_max=high)
    if sex:
        add_criterion("Sex", lower_first(Sex(sex).label), "sex", sex=(sex,))
    if subset:
        add_criterion("Subset", lower_first(Subset(subset).label), "subset", subset=(subset,))
    for word, name, codes, match, asked in [
        ("autoantibody", "autoantibody", autoantibody, Match.ANY, "present"),
        ("manifestation", "manifestation", manifestation, Match.ANY, "present"),
        ("without", "manifestation", without, Match.NONE, "absent"),
        ("prior", "prior", prior, Match.ANY, "given"),
    ]:
        for code in codes:
            label = vocabulary.label(FILTERS[name].kind, code)
            add_criterion(
                f"Prior therapy: {label}" if name == "prior" else label,
                asked,
                word,
                code,
                **{name: MatchedSet.of((code,), match)},
            )
    return criteria


def lower_first(label: str) -> str:
    return label[:1].lower() + label[1:]


def agreement_of(
    patient: Patient, signs: list[Sign], criterion: Criterion, agrees: bool | None
) -> Agreement:
    """A patient beside a criterion, with the value that decided it."""
    if agrees is None:
        return Agreement(criterion, None, patient.study.missing_reason.label)
    return Agreement(criterion, agrees, known_value(patient, signs, criterion, agrees=agrees))


def known_value(patient: Patient, signs: list[Sign], criterion: Criterion, *, agrees: bool) -> str:
    """What a patient has or was found without, where it is known whether they agree."""
    if criterion.name == "age":
        return f"{patient.age_years} (asked {criterion.asked})"
    if criterion.name in ("sex", "subset"):
        return lower_first(getattr(patient, f"get_{criterion.name}_display")())
    kind = "manifestation" if criterion.name == "without" else criterion.name
    of_kind = [sign for sign in signs if sign.kind == kind]
    if kind == "prior":
        return "given" if agrees else NOT_LISTED if of_kind else "none, as stated"
    tree = term_tree(Manifestation if kind == "manifestation" else Autoantibody)
    return presence_text(criterion.code, of_kind, tree, has=agrees == (criterion.name == kind))


def presence_text(code: str, signs: list[Sign], tree: TermTree, *, has: bool) -> str:
    """“present”, “present: Interstitial lung disease (ILD)” where only a narrower term is recorded,
    “absent” where it was looked for, or that a complete list does not name it.
    """
    if not has:
        without = {sign.code for sign in signs if sign.status == Presence.ABSENT}
        return "absent" if without & tree.with_wider(code) else NOT_LISTED
    present = {sign.code: sign.label for sign in signs if sign.status == Presence.PRESENT}
    if code in present:
        return "present"
    narrower = [label for found, label in present.items() if found in tree.with_narrower(code)]
    return f"present: {', '.join(narrower)}"


def course_of(treatment: Treatment) -> Course:
    """Relapse and adverse events of one treatment, in words."""
    relapsed = (
        treatment.get_relapsed_display().lower() if treatment.relapsed != YesNo.UNKNOWN else ""
    )
    events = [event_text(event) for event in treatment.events.all()]
    if treatment.adverse_events == Ascertainment.EXPLICITLY_NONE:
        events_text = "none, as stated"
    elif treatment.adverse_events == Ascertainment.EVENTS:
        events_text = ", ".join(events) or "reported, not said which"
        if treatment.adverse_event_categories_completeness == ListCompleteness.PARTIAL:
            events_text += "; there were others"
    else:
        events_text = ""
    return Course(treatment.inhibitor.name, relapsed, events_text)


def event_text(event: AdverseEvent) -> str:
    """“Infection (grade 3, serious)”."""
    facts = [f"grade {event.grade}"] if event.grade else []
    facts += ["serious"] if event.serious == YesNo.YES else []
    return f"{event.category.label} ({', '.join(facts)})" if facts else event.category.label


def similar_patients(collection: Collection, criteria: list[Criterion]) -> Similar:
    """The patients of a collection beside these criteria, and in how many each is known."""
    cases, exactly = closest_patients(collection, criteria)
    events = Prefetch("treatments__events", AdverseEvent.objects.select_related("category"))
    prefetch_related_objects([case.patient for case in cases], events)
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
    signs = signs_of(list(patients_by_key))
    cases = []
    for ranked in ranking.first:
        patient = patients_by_key[ranked.patient]
        pairs = zip(criteria, ranked.agrees, strict=True)
        cases.append(
            Case(
                patient,
                [
                    (treatment, results.get(treatment.pk, []))
                    for treatment in patient.treatments.all()
                ],
                [agreement_of(patient, signs[patient.pk], *pair) for pair in pairs],
            )
        )
    return cases, ranking.by_number


def signs_of(patients: list[int]) -> dict[int, list[Sign]]:
    """What is recorded of these patients, by primary key: one query for all kinds."""

    def of_kind(kind: str, records, term: str, **annotations):
        return (
            records.filter(patient__in=patients)
            .order_by()
            .annotate(kind=Value(kind), **annotations)
            .values_list("patient", "kind", f"{term}__code", f"{term}__label", "status")
        )

    prior = Patient.prior_therapies.through.objects.all()
    rows = of_kind("manifestation", PatientManifestation.objects.all(), "manifestation").union(
        of_kind("autoantibody", PatientAutoantibody.objects.all(), "autoantibody"),
        of_kind("prior", prior, "therapy", status=Value(Presence.PRESENT.value)),
        all=True,
    )
    signs = defaultdict(list)
    for patient, *sign in rows:
        signs[patient].append(Sign(*sign))
    return signs


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

"""Counts for the front page and for the drug reference."""

from collections import Counter
from dataclasses import dataclass

from ..counting import Tally, Unit
from ..models import Collection, JAKInhibitor, Study, StudyGroup
from ..questions.question import Question
from .shares import run_summaries


@dataclass(frozen=True)
class CollectionCounts:
    """One collection, counted."""

    collection: Collection
    studies: int
    patients: int
    groups: int
    people_in_groups: int


def count_patients(question: Question):
    (counter,) = yield [Tally(question)]
    return counter[()]


def collection_counts(collections: list[Collection]) -> list[CollectionCounts]:
    """Each collection on its own; nothing is added up across them. The same queries for any number
    of collections.
    """
    questions = [Question(collection) for collection in collections]
    patients = (
        run_summaries(*(count_patients(question) for question in questions)) if questions else []
    )
    studies = Counter(Study.objects.published().values_list("collection", flat=True))
    groups, group_people = Counter(), Counter()
    treated = StudyGroup.objects.published().given_a_jak_inhibitor()
    for collection, n in treated.values_list("study__collection", "n"):
        groups[collection] += 1
        group_people[collection] += n or 0
    return [
        CollectionCounts(
            collection,
            studies[collection.pk],
            patient_count,
            groups[collection.pk],
            group_people[collection.pk],
        )
        for collection, patient_count in zip(collections, patients, strict=True)
    ]


def inhibitors_given(question: Question) -> list[tuple[str, int]]:
    """(inhibitor, patients) of a question."""
    ((patients, _),) = run_summaries(counts_by_drug(question))
    return [(drug, times) for (drug,), times in patients.items()]


@dataclass(frozen=True)
class DrugCount:
    """What one collection holds on one inhibitor."""

    collection: Collection
    patients: int
    treatments: int
    groups: int
    people_in_groups: int
    trials: int

    @property
    def has_anything(self) -> bool:
        return bool(self.patients or self.groups or self.trials)


@dataclass(frozen=True)
class DrugEvidence:
    """One drug, collection by collection."""

    drug: JAKInhibitor
    counts: list[DrugCount]

    @property
    def has_anything(self) -> bool:
        return any(count.has_anything for count in self.counts)


def counts_by_drug(question: Question):
    patients, treatments = yield [
        Tally(question, ("inhibitor",)),
        Tally(question, ("inhibitor",), Unit.TREATMENTS),
    ]
    return patients, treatments


def drug_evidence(drugs: list[JAKInhibitor], collections: list[Collection]) -> list[DrugEvidence]:
    """Per drug and collection: patients, treatments, groups, trials. The same queries for any
    number of drugs.
    """
    tallies = (
        run_summaries(*(counts_by_drug(Question(collection)) for collection in collections))
        if collections
        else []
    )
    groups, group_people, trials = Counter(), Counter(), Counter()
    for collection, drug, n in StudyGroup.objects.published().values_list(
        "study__collection", "inhibitor__slug", "n"
    ):
        groups[collection, drug] += 1
        group_people[collection, drug] += n or 0
    registered = Study.objects.published().filter(registered_inhibitor__isnull=False)
    for collection, drug in registered.values_list("collection", "registered_inhibitor__slug"):
        trials[collection, drug] += 1

    def drug_count(drug: str, collection: Collection, patients, treatments) -> DrugCount:
        key = (collection.pk, drug)
        return DrugCount(
            collection,
            patients[(drug,)],
            treatments[(drug,)],
            groups[key],
            group_people[key],
            trials[key],
        )

    return [
        DrugEvidence(
            drug,
            [
                drug_count(drug.slug, collection, *tally)
                for collection, tally in zip(collections, tallies, strict=True)
            ],
        )
        for drug in drugs
    ]

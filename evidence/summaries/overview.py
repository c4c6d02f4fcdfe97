"""Counts for the front page and for the drug reference."""

from collections import Counter
from dataclasses import dataclass

from ..counting import Tally, Unit
from ..models import Collection, JAKInhibitor, Study, StudyGroup
from ..questions.question import Question
from .cohort import headline_shares
from .group_evidence import GroupEvidence, group_evidence
from .outcomes import outcomes_by_domain, short_outcome_rule
from .shares import Share, pluralize, run_summaries, run_together


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
    def published(self) -> list[DrugCount]:
        """The published collections with anything on it."""
        return [
            count
            for count in self.counts
            if count.has_anything and not count.collection.is_simulated
        ]

    @property
    def simulated(self) -> list[DrugCount]:
        return [
            count for count in self.counts if count.has_anything and count.collection.is_simulated
        ]


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


@dataclass(frozen=True)
class DrugResults:
    """What happened under one drug in one collection: shares of its individual patients, and what
    its groups report. Neither is added to the other, nor to another collection.
    """

    question: Question
    count: DrugCount
    headlines: list[Share]
    domains: list[Share]
    outcome_rule: str
    groups: GroupEvidence

    @property
    def extent(self) -> str:
        """“72 individual patients, 1 registered trial”."""
        parts = [pluralize(self.count.patients, "individual patients")]
        if self.count.trials:
            parts.append(pluralize(self.count.trials, "registered trials"))
        return ", ".join(parts)


def drug_results(evidence: DrugEvidence) -> list[DrugResults]:
    """A drug's results, collection by collection; collections without anything on it are left
    out.
    """
    counts = [*evidence.published, *evidence.simulated]
    questions = [
        Question(count.collection).with_part("inhibitor", (evidence.drug.slug,)) for count in counts
    ]
    shares = (
        run_summaries(
            *(
                run_together([headline_shares(question), outcomes_by_domain(question)])
                for question in questions
            )
        )
        if questions
        else []
    )
    return [
        DrugResults(
            question,
            count,
            headlines,
            domains,
            short_outcome_rule(question),
            group_evidence(question),
        )
        for question, count, (headlines, domains) in zip(questions, counts, shares, strict=True)
    ]

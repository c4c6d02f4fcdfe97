"""Look-ups of to-many values, a batch of owners at a time: two thousand rows cost one query, not
two thousand.
"""

from collections import defaultdict
from dataclasses import dataclass

from django.db.models import BooleanField, Case, QuerySet, Value, When

from ..counting import treatments_of
from ..models import (
    GroupFinding,
    Patient,
    PatientAutoantibody,
    PatientManifestation,
    Study,
    StudyGroup,
    Treatment,
)
from ..models.appraisal import consensus
from ..models.choices import Ascertainment, ListCompleteness, Response, YesNo
from ..questions.filters import describe_parts_not_asked, studies_without_groups
from ..questions.question import Question
from ..questions.vocabulary import vocabulary
from ..summaries import DomainResult, finding_in_words, outcomes_that_count
from .column import BatchLookup

DOMAIN_RESULTS = "domain results"  # in the place of a path: see OfMatchingTreatments
UNKNOWN_CODES = {Response.UNKNOWN.value, YesNo.UNKNOWN.value, Ascertainment.NOT_STATED.value, ""}


def group_by_owner(pairs: QuerySet) -> dict[int, list[str]]:
    """(owner, text) rows as lists; a code that stands for not known becomes an empty text."""
    texts = defaultdict(list)
    for owner, text in pairs:
        texts[owner].append("" if text in UNKNOWN_CODES else text)
    return texts


def presence_lookup(model, term: str, status: str):
    """Codes recorded with this status for a patient."""

    def look_up(keys: list[int], question: Question) -> dict[int, list[str]]:
        records = model.objects.filter(patient__among=keys, status=status)
        return group_by_owner(records.order_by("pk").values_list("patient", f"{term}__code"))

    return look_up


def manifestation_lookup(status: str):
    return presence_lookup(PatientManifestation, "manifestation", status)


def autoantibody_lookup(status: str):
    return presence_lookup(PatientAutoantibody, "autoantibody", status)


def appraisals(keys: list[int], question: Question) -> dict[int, list[str]]:
    """The consensus of appraised studies, as `jbi-case-reports 1: yes`."""
    found = consensus().filter(study__among=keys).values_list("study", "tool", "item", "answer")
    return group_by_owner(
        (study, f"{tool} {item}: {answer}") for study, tool, item, answer in found
    )


def prior_therapies(keys: list[int], question: Question) -> dict[int, list[str]]:
    """Codes of earlier therapies; “none” where the source says there were none."""
    links = Patient.prior_therapies.through.objects.filter(patient__among=keys)
    therapies = group_by_owner(links.order_by("pk").values_list("patient", "therapy__code"))
    without_therapies = Patient.objects.filter(
        pk__among=keys, prior_therapies_completeness=ListCompleteness.NONE
    )
    return therapies | {key: ["none"] for key in without_therapies.values_list("pk", flat=True)}


@dataclass(frozen=True)
class OfMatchingTreatments(BatchLookup):
    """A value of each treatment of the patient that answers the question, in the order of the
    treatments; or, of all of them together, the result that counts in each domain
    (DOMAIN_RESULTS), which comes with the same query.
    """

    path: str

    def look_up(
        self, paths: list[str], keys: list[int], question: Question
    ) -> list[dict[int, list[str]]]:
        treatments = treatments_of(question, keys)
        own_paths = [path for path in paths if path != DOMAIN_RESULTS]
        lists_by_path = {path: defaultdict(list) for path in paths}
        results, counted = defaultdict(list), []
        if DOMAIN_RESULTS in paths:
            that_count = outcomes_that_count(treatments, question).values("pk")
            treatments = treatments.annotate(
                counts=Case(
                    When(outcomes__in=that_count, then=Value(True)),
                    default=Value(False),
                    output_field=BooleanField(),
                )
            )
            counted = ["outcomes__domain", "outcomes__result", "outcomes__at_months", "counts"]
        earlier = None
        for owner, treatment, *values in treatments.order_by("patient", "number").values_list(
            "patient", "pk", *own_paths, *counted
        ):
            # with outcomes, a treatment is a row for each
            if treatment != earlier:
                for path, value in zip(own_paths, values, strict=False):
                    lists_by_path[path][owner].append("" if value in UNKNOWN_CODES else value)
            if counted and values[-1]:
                results[owner].append(DomainResult(*values[-4:-1]))
            earlier = treatment
        for owner, found in results.items():
            codes = [result.code for result in sorted(found, key=DomainResult.place)]
            lists_by_path[DOMAIN_RESULTS][owner] = codes
        return [lists_by_path[path] for path in paths]


def concomitant_therapies(keys: list[int], question: Question) -> dict[int, list[str]]:
    links = Treatment.concomitant_therapies.through.objects.filter(treatment__among=keys)
    return group_by_owner(links.order_by("pk").values_list("treatment", "therapy__code"))


def group_indications(keys: list[int], question: Question) -> dict[int, list[str]]:
    links = StudyGroup.indications.through.objects.filter(studygroup__among=keys)
    return group_by_owner(
        links.order_by("indication__code").values_list("studygroup", "indication__code")
    )


def findings_in_words(keys: list[int], question: Question) -> dict[int, list[str]]:
    """The printed numbers of findings in words, in one text each."""
    findings = GroupFinding.objects.filter(pk__among=keys)
    return {finding.pk: [finding_in_words(finding)] for finding in findings}


def sharing_studies(keys: list[int], question: Question) -> dict[int, list[str]]:
    """Studies that may report some of the same people, whichever of the two says so."""
    links = Study.objects.within(question.collection).sharing_patients()
    linked_to = group_by_owner(
        links.filter(from_study__among=keys)
        .order_by("pk")
        .values_list("from_study", "to_study__slug")
    )
    linked_from = group_by_owner(
        links.filter(to_study__among=keys)
        .order_by("pk")
        .values_list("to_study", "from_study__slug")
    )
    return {
        key: sorted({*linked_to.get(key, []), *linked_from.get(key, [])})
        for key in {*linked_to, *linked_from}
    }


def not_asked_of_groups(keys: list[int], question: Question) -> dict[int, list[str]]:
    """The parts of the question that no group can answer, in words; the same for all rows."""
    not_asked = describe_parts_not_asked(question, vocabulary(question.collection))
    return dict.fromkeys(keys, not_asked) if not_asked else {}


def not_asked_of_studies(keys: list[int], question: Question) -> dict[int, list[str]]:
    """The same for studies that are there for their groups alone; of all others every part was
    asked.
    """
    not_asked = not_asked_of_groups(keys, question)
    if not_asked:
        answered = studies_without_groups(question).filter(pk__among=keys).order_by()
        for key in answered.values_list("pk", flat=True):
            del not_asked[key]
    return not_asked

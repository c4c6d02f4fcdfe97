"""How many rows the lists of a collection have for a question, for its navigation; and how many of
its studies were retracted, which are counted like the others and of which readers are told.
"""

from collections import Counter
from dataclasses import dataclass

from django.db.models import Count, Q

from ..counting import Tally, Unit
from ..models.choices import RetractionStatus
from ..models.consistency import cached_per_version
from ..questions.filters import (
    asks_about_studies_alone,
    matching_studies,
    studies_without_treatments,
)
from ..questions.question import Question
from ..questions.vocabulary import unit_of, vocabulary
from .groups import group_cover
from .shares import Summary

RETRACTION = "retraction"
RETRACTED = str(RetractionStatus.RETRACTED)


@dataclass(frozen=True)
class OtherStudies:
    """The studies that answer a question without a treatment.

    Where it asks of studies alone, these are all that answer: only their number is read, and how
    many of them were retracted; otherwise which they are.
    """

    slugs: tuple[str, ...] = ()
    number: int = 0
    retracted: int = 0


def list_counts(question: Question) -> Summary:
    """Rows by the noun of the list: patients, groups, studies.

    Studies that answer by their patients are counted in memory. The others (by a group, by what a
    trial registers) are read once per version, and counted only if no patient of theirs answers.
    """
    cover, others = group_cover(question), other_studies(question)
    patients, *studies = yield [Tally(question), *study_tallies(question, others.slugs)]
    return {
        "patients": patients[()],
        "groups": cover.treated + cover.comparators,
        "studies": others.number
        if asks_about_studies_alone(question)
        else counted_studies(studies, others.slugs),
    }


def study_tallies(question: Question, others: tuple[str, ...]) -> list[Tally]:
    """What `counted_studies` needs: the studies of the patients, and those among the others."""
    tallies = [Tally(question, (), Unit.STUDIES)]
    if others:
        tallies.append(Tally(question.with_part("study", others), (), Unit.STUDIES))
    return tallies


def counted_studies(counters: list[Counter], others: tuple[str, ...]) -> int:
    """Studies that answer by a patient or are among the others, each once."""
    by_patients, *both = counters
    return by_patients[()] + len(others) - sum(counter[()] for counter in both)


def other_studies(question: Question) -> OtherStudies:
    """Read once per version."""
    return cached_per_version(
        ("study counts", question.parts),
        question.collection,
        lambda: read_other_studies(question),
    )


def read_other_studies(question: Question) -> OtherStudies:
    if asks_about_studies_alone(question):
        retracted = Count("pk", filter=Q(retraction_status=RETRACTED))
        return OtherStudies(
            **matching_studies(question).aggregate(number=Count("pk"), retracted=retracted)
        )
    slugs = studies_without_treatments(question).order_by("slug").values_list("slug", flat=True)
    return OtherStudies(slugs=tuple(slugs))


@dataclass(frozen=True)
class RetractedStudies:
    """The retracted studies among those of a question: how many, with how many individual
    patients. `without_them` is the question that leaves them out.
    """

    studies: int
    patients: int
    without_them: Question

    def sentence(self, of_studies: int) -> str:
        """“1 of 6 studies was retracted, with 2 individual patients: they are counted here.”"""
        was = "was" if self.studies == 1 else "were"
        people = f"{self.patients} individual {unit_of(self.patients, 'patients')}"
        return (
            f"{self.studies} of {of_studies} {unit_of(of_studies, 'studies')} {was} retracted; "
            f"what {'it reports' if self.studies == 1 else 'they report'} ({people}) is counted "
            "here."
        )


def retracted_studies(question: Question) -> Summary:
    """None where no study of the question was retracted, or none but such are asked for.

    Nothing is counted where the collection has no retracted study.
    """
    retracted = vocabulary(question.collection).retracted
    asked = question.value(RETRACTION, tuple(RetractionStatus.values))
    rest = tuple(code for code in asked if code != RETRACTED)
    if not retracted or not rest or rest == asked:
        yield []
        return None
    of_retracted, others = question.with_part(RETRACTION, (RETRACTED,)), other_studies(question)
    slugs = tuple(slug for slug in others.slugs if slug in retracted)
    patients, *counters = yield [Tally(of_retracted), *study_tallies(of_retracted, slugs)]
    studies = (
        others.retracted if asks_about_studies_alone(question) else counted_studies(counters, slugs)
    )
    if not studies:
        return None
    return RetractedStudies(studies, patients[()], question.with_part(RETRACTION, rest))

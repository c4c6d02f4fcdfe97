"""How many rows the lists of a collection have for a question, for its navigation."""

from ..counting import Tally, Unit
from ..models.consistency import cached_per_version
from ..questions.filters import (
    asks_about_studies_alone,
    matching_studies,
    studies_without_treatments,
)
from ..questions.question import Question
from .groups import group_cover
from .shares import Summary


def list_counts(question: Question) -> Summary:
    """Rows by the noun of the list: patients, groups, studies.

    Studies that answer by their patients are counted in memory. The others (by a group, by what a
    trial registers) are read once per version, and counted only if no patient of theirs answers.
    """
    cover = group_cover(question)
    studies_alone = asks_about_studies_alone(question)
    others = cached_per_version(
        ("study counts", question.parts),
        question.collection,
        lambda: read_other_studies(question, studies_alone),
    )
    tallies = [Tally(question), Tally(question, (), Unit.STUDIES)]
    if not studies_alone and others:
        tallies.append(Tally(question.with_part("study", others), (), Unit.STUDIES))
    patients, by_patients, *both = yield tallies
    studies = (
        others[0]
        if studies_alone
        else by_patients[()] + len(others) - sum(counter[()] for counter in both)
    )
    return {
        "patients": patients[()],
        "groups": cover.treated + cover.comparators,
        "studies": studies,
    }


def read_other_studies(question: Question, studies_alone: bool) -> tuple:
    """The slugs of studies that answer without a treatment; their number alone where the question
    asks of studies alone, since those are all that answer.
    """
    if studies_alone:
        return (matching_studies(question).count(),)
    return tuple(
        studies_without_treatments(question).order_by("slug").values_list("slug", flat=True)
    )

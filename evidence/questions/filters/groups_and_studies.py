"""The same question asked of what stands beside the patients: groups, and studies as a whole."""

import django_filters
from django.db.models import Q, QuerySet

from ...models import Study, StudyGroup
from ...models.choices import Design, Match, Subset
from ..question import Question
from .filter_kinds import AnyOf, Search, SetOf
from .treatment import FILTERS, YEAR, matching_treatments

INDICATED = {match: f"indicated_for_{match}" for match in Match.values}


class GroupFilter(django_filters.FilterSet):
    """The same words asked of groups, as far as aggregate evidence can answer them."""

    q = Search("Search", paths=["label", "study__short_name", "study__title", "study__authors", "study__journal"])
    inhibitor = AnyOf("JAK inhibitor", path="inhibitor__slug")
    indication = SetOf("Indication", kind="indication", verbs=INDICATED)
    subset = AnyOf("Disease subset", path="subset", choices=Subset)
    study = AnyOf("Study", path="study__slug")
    design = AnyOf("Study design", path="study__design", choices=Design)
    year_min, year_max = YEAR.at("study__year")

    class Meta:
        model = StudyGroup
        fields = []


GROUP_FILTERS = GroupFilter.base_filters


def matching_groups(question: Question) -> QuerySet:
    """The groups that answer those parts of the question a group can answer; `unasked` names the others."""
    asked = StudyGroup.objects.within(question.collection)
    for name, value in question:
        if name in GROUP_FILTERS:
            asked = GROUP_FILTERS[name].filter(asked, value)
    return asked


def parts_not_asked(question: Question) -> list[str]:
    """Labels of the parts no group can answer: a group has no one sex, age or response."""
    return [FILTERS[name].label for name, _ in question if name not in GROUP_FILTERS]


class StudyFilter(django_filters.FilterSet):
    """The words that speak of the study itself, asked of studies."""

    study = AnyOf("Study", path="slug")
    design = AnyOf("Study design", path="design", choices=Design)
    year_min, year_max = YEAR.at("year")

    class Meta:
        model = Study
        fields = []


STUDY_FILTERS = StudyFilter.base_filters
STUDY_SEARCH = Search(
    "Search", paths=["slug", "short_name", "title", "authors", "journal", "registered_inhibitor__name"]
)


def matching_studies(question: Question) -> QuerySet:
    """Studies that answer the question: as a whole, by a course, by a group, or by what a trial registers.

    Words about the study hold of the study. The remaining words have to hold of one of its courses or groups; a
    registered trial without patients yet can answer for its drug alone.
    """
    asked = Study.objects.within(question.collection)
    for name, value in question.only(*STUDY_FILTERS):
        asked = STUDY_FILTERS[name].filter(asked, value)
    about_people = question.without(*STUDY_FILTERS, "q")
    if "q" in question:
        by_people = asked.with_evidence(matching_treatments(question), matching_groups(question))
        asked = asked.filter(
            Q(pk__in=STUDY_SEARCH.filter(asked, question.value("q")).values("pk")) | Q(pk__in=by_people.values("pk"))
        )
    if not about_people.parts:
        return asked
    answered = Q(
        pk__in=asked.with_evidence(matching_treatments(about_people), matching_groups(about_people)).values("pk")
    )
    if {name for name, _ in about_people} == {"inhibitor"}:
        answered |= Q(registered_inhibitor__slug__in=about_people.value("inhibitor"))
    return asked.filter(answered)

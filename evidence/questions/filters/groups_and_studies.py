"""Applies a question to groups and to studies as a whole.

A group cannot answer every part of a question: it has no one sex or age, and nobody says whether
the list of its indications is complete. Such parts are not asked of it; a group on a JAK inhibitor
may hold patients like these, and nobody can say whether it does. This module alone says which parts
are not asked of which rows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import django_filters
from django.db.models import Exists, OuterRef, Q, QuerySet

from ...models import GroupFinding, Indication, Study, StudyGroup, Treatment
from ...models.appraisal import appraised_condition
from ...models.choices import Appraised, Design, Match, RetractionStatus, Subset
from ..question import Question
from ..vocabulary import Vocabulary
from .filter_kinds import AnyOf, Search, SetOf
from .search_terms import beginning_of_word, named_terms
from .treatment import YEAR, describe_question, filter_chips, matching_treatments

# “Exactly” and “none of” need a list that is known to be complete, which no group has.
INDICATED = {Match.ANY: "indicated_for_any", Match.ALL: "indicated_for_all"}


def group_mentions(word: str) -> Q:
    """Groups whose records mention this word: an indication, or what a finding measures, in which a
    word begins like this.
    """
    findings = GroupFinding.objects.filter(
        measure__iregex=beginning_of_word(word), group=OuterRef("pk")
    )
    condition = Q(Exists(findings))
    if named := named_terms(Indication, word):
        links = StudyGroup.indications.through.objects.filter(indication__in=named)
        condition |= Q(pk__in=links.values("studygroup"))
    return condition


class GroupFilter(django_filters.FilterSet):
    """The filters that apply to groups: those that aggregate evidence can answer."""

    q = Search(
        "Search",
        paths=[
            "label",
            "study__short_name",
            "study__title",
            "study__authors",
            "study__journal",
        ],
        drug="inhibitor",
        related=group_mentions,
    )
    inhibitor = AnyOf("JAK inhibitor", path="inhibitor__slug")
    indication = SetOf("Indication", kind="indication", verbs=INDICATED)
    subset = AnyOf("Disease subset", path="subset", choices=Subset)
    study = AnyOf("Study", path="study__slug")
    design = AnyOf("Study design", path="study__design", choices=Design)
    retraction = AnyOf("Retraction", path="study__retraction_status", choices=RetractionStatus)
    appraised = AnyOf(
        "Appraised", build_condition=appraised_condition("study__"), choices=Appraised
    )
    year_min, year_max = YEAR.at("study__year")

    class Meta:
        model = StudyGroup
        fields = []


GROUP_FILTERS = GroupFilter.base_filters


def can_ask_groups(name: str, value) -> bool:
    """Whether groups can answer a part of a question. A group has no one sex, age or response, and
    its list of indications is not known to be complete.
    """
    asked = GROUP_FILTERS.get(name)
    return asked is not None and (not isinstance(asked, SetOf) or value.match in asked.verbs)


def parts_asked(question: Question) -> Question:
    """The parts that groups can answer."""
    return question.only(*(name for name, value in question if can_ask_groups(name, value)))


def parts_not_asked(question: Question) -> Question:
    """The parts that no group can answer."""
    return question.without(*(name for name, value in question if can_ask_groups(name, value)))


def matching_groups(question: Question) -> QuerySet:
    """The groups that answer those parts of the question a group can answer; see
    `parts_not_asked`.
    """
    groups = StudyGroup.objects.within(question.collection)
    for name, value in parts_asked(question):
        groups = GROUP_FILTERS[name].filter(groups, value)
    return groups


def describe_parts_not_asked(question: Question, vocabulary: Vocabulary) -> list[str]:
    """The parts that are not asked of groups, each in words: “Sex: Female”."""
    return [chip.text for chip in filter_chips(parts_not_asked(question), vocabulary)]


@dataclass(frozen=True)
class AskedQuestion:
    """A question as certain rows answer it: `text` describes it, `not_asked` are the parts that
    were not asked of all of these rows.
    """

    text: str
    not_asked: list[str]


# How a question was asked of the rows of a table.
DescribeQuestion = Callable[[Question, Vocabulary], AskedQuestion]


def describe_for_patients(question: Question, vocabulary: Vocabulary) -> AskedQuestion:
    """The question for patients and their records, which answer every part."""
    return AskedQuestion(describe_question(question, vocabulary), [])


def describe_for_groups(question: Question, vocabulary: Vocabulary) -> AskedQuestion:
    """The question for groups and their findings, without the parts that groups cannot answer."""
    text = describe_question(parts_asked(question), vocabulary)
    return AskedQuestion(text, describe_parts_not_asked(question, vocabulary))


def describe_for_patients_and_groups(question: Question, vocabulary: Vocabulary) -> AskedQuestion:
    """The question for rows some of which are listed only for their groups. Parts that groups
    cannot answer are marked “not asked of groups”.
    """
    left_out = parts_not_asked(question)
    if not left_out.parts:
        return describe_for_patients(question, vocabulary)
    parts = [
        f"{chip.text} (not asked of groups)" if chip.name in left_out else chip.text
        for chip in filter_chips(question, vocabulary)
    ]
    return AskedQuestion("; ".join(parts), describe_parts_not_asked(question, vocabulary))


class StudyFilter(django_filters.FilterSet):
    """The filters that apply to the study itself."""

    study = AnyOf("Study", path="slug")
    design = AnyOf("Study design", path="design", choices=Design)
    retraction = AnyOf("Retraction", path="retraction_status", choices=RetractionStatus)
    appraised = AnyOf("Appraised", build_condition=appraised_condition(""), choices=Appraised)
    year_min, year_max = YEAR.at("year")

    class Meta:
        model = Study
        fields = []


STUDY_FILTERS = StudyFilter.base_filters
STUDY_SEARCH = Search(
    "Search",
    paths=[
        "slug",
        "short_name",
        "title",
        "authors",
        "journal",
    ],
    drug="registered_inhibitor",
)


def matching_studies(question: Question) -> QuerySet:
    """Studies that answer the question: as a whole, by a treatment, by a group, or by what a trial
    registers.

    Filters of the study apply to the study itself. The other filters have to match one of its
    treatments or groups; a registered trial without patients yet can match by its drug alone.
    """
    return studies_answering(question, matching_treatments, matching_groups)


def studies_without_groups(question: Question) -> QuerySet:
    """The studies that match without their groups, so that every part of the question was asked."""
    return studies_answering(question, matching_treatments, lambda _: StudyGroup.objects.none())


def studies_without_treatments(question: Question) -> QuerySet:
    """The studies that match by a group, by what a trial registers or as a whole, whether or not
    a treatment of theirs does.
    """
    return studies_answering(question, lambda _: Treatment.objects.none(), matching_groups)


def asks_about_studies_alone(question: Question) -> bool:
    """Whether every part of the question is asked of the study itself."""
    return not question.without(*STUDY_FILTERS).parts


def studies_answering(
    question: Question,
    treatments: Callable[[Question], QuerySet],
    groups: Callable[[Question], QuerySet],
) -> QuerySet:
    """`matching_studies`, where `treatments` and `groups` find what a study can answer by."""
    studies, everywhere = Study.objects.within(question.collection), Study.objects.all()
    for name, value in question.only(*STUDY_FILTERS):
        studies = STUDY_FILTERS[name].filter(studies, value)
    about_people = question.without(*STUDY_FILTERS, "q")
    if "q" in question:
        # Asked of studies everywhere: a condition inside itself is deeper than SQLite can parse.
        by_people = everywhere.with_evidence(treatments(question), groups(question))
        studies = studies.filter(
            Q(pk__in=STUDY_SEARCH.filter(everywhere, question.value("q")).values("pk"))
            | Q(pk__in=by_people.values("pk"))
        )
    if not about_people.parts:
        return studies
    condition = Q(
        pk__in=everywhere.with_evidence(treatments(about_people), groups(about_people)).values("pk")
    )
    if {name for name, _ in about_people} == {"inhibitor"}:
        condition |= Q(registered_inhibitor__slug__in=about_people.value("inhibitor"))
    return studies.filter(condition)

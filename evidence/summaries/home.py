"""What the front page offers to ask, with how much answers each choice."""

from collections import Counter
from dataclasses import dataclass

from ..models import StudyGroup
from ..models.consistency import cached_per_version
from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from .facets import scalar_facet, set_facet
from .shares import Summary, pluralize, run_together


@dataclass(frozen=True)
class Choice:
    """One drug or indication, and how many patients and treated groups of a collection have it."""

    code: str
    label: str
    patients: int
    groups: int

    @property
    def extent(self) -> str:
        """“2 patients, 4 groups”."""
        return f"{pluralize(self.patients, 'patients')}, {pluralize(self.groups, 'groups')}"


@dataclass(frozen=True)
class QuestionChoices:
    """What can be chosen on the front page; what nobody has is left out."""

    inhibitors: list[Choice]
    indications: list[Choice]


def question_choices(question: Question, vocabulary: Vocabulary) -> Summary:
    """The drugs and indications of a collection."""
    inhibitors, indications = yield from run_together(
        [
            scalar_facet("inhibitor", question, vocabulary.terms["inhibitor"]),
            set_facet("indication", question, vocabulary, "any"),
        ]
    )
    groups = cached_per_version(
        ("groups by choice",), question.collection, lambda: count_groups(question)
    )
    return QuestionChoices(
        *(
            [
                Choice(option.code, option.label, option.count, groups[name, option.code])
                for option in facet.options
                if option.count or groups[name, option.code]
            ]
            for name, facet in (("inhibitor", inhibitors), ("indication", indications))
        )
    )


def count_groups(question: Question) -> Counter:
    """Treated groups by (inhibitor, its slug) and by (indication, its code)."""
    groups = StudyGroup.objects.within(question.collection).given_a_jak_inhibitor().order_by()
    counts = Counter(
        ("inhibitor", slug) for slug in groups.values_list("inhibitor__slug", flat=True)
    )
    counts.update(
        ("indication", code) for code in groups.values_list("indications__code", flat=True)
    )
    return counts

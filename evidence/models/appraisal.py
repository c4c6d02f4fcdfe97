"""Risk of bias of a study, question by question: two appraisers, each alone, then a consensus.

Answers are never summed: what a “no” weighs depends on what is asked of the study. The questions
are in our own words; `source` says whose they are. Readers see the consensus of an appraised study.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery

from .base import Keyed, KeyedQuerySet, one_of
from .choices import AppraisalAnswer, AppraisalTool, Appraised
from .constraints import CheckConstraint, UniqueConstraint
from .study import Study

LOWER_CASE = r"^[^A-Z]*$"
APPRAISERS = 2  # different persons who have answered every question


@dataclass(frozen=True)
class Tool:
    """A set of questions: numbered from 1, in our own words."""

    source: str
    link: str
    questions: tuple[str, ...]

    @property
    def items(self) -> range:
        return range(1, len(self.questions) + 1)


TOOLS: dict[str, Tool] = {
    AppraisalTool.JBI_CASE_REPORTS.value: Tool(
        "JBI critical appraisal checklist for case reports (Moola et al., JBI Manual for Evidence "
        "Synthesis, 2020)",
        "https://jbi.global/critical-appraisal-tools",
        (
            "Does it say clearly who the patient is: age, sex and the like?",
            "Is the patient's history told clearly and in the order of time?",
            "Is it clear in what state the patient came?",
            "Are tests and other ways of assessment described, with what they found?",
            "Is the treatment described clearly?",
            "Is it clear in what state the patient was after the treatment?",
            "Does it say which harms or unexpected events there were, and describe them?",
            "Does it draw lessons that readers can take with them?",
        ),
    ),
    AppraisalTool.JBI_CASE_SERIES.value: Tool(
        "JBI critical appraisal checklist for case series (Munn et al., JBI Evidence Synthesis "
        "2020)",
        "https://doi.org/10.11124/JBISRIR-D-19-00099",
        (
            "Is it clear by which criteria patients were included?",
            "Was the disease measured in all of them in the same, reliable way?",
            "Was the disease recognised in all of them by valid methods?",
            "Were patients included one after the other, without a choice among them?",
            "Were all patients included who met the criteria?",
            "Are age, sex and the like of the patients reported clearly?",
            "Are the clinical facts of the patients reported clearly?",
            "Are outcomes, or what follow-up found, reported clearly?",
            "Is it clear where the patients were seen, and whom these places see?",
            "Does the statistical analysis fit?",
        ),
    ),
    AppraisalTool.MURAD_2018.value: Tool(
        "Murad et al., BMJ Evidence-Based Medicine 2018",
        "https://doi.org/10.1136/bmjebm-2017-110853",
        (
            "Selection: are these all the patients the investigators saw, rather than some chosen "
            "in a way that is not clear?",
            "Ascertainment: is it sure enough what the patients were given?",
            "Ascertainment: is it sure enough what came of it?",
            "Causality: was it ruled out that something else explains what was seen?",
            "Causality: did it come again when the drug was given again, or go when it was "
            "stopped?",
            "Causality: was there more of it with a higher dose?",
            "Causality: was follow-up long enough for it to happen?",
            "Reporting: is enough told for others to repeat the work, or to judge by it in their "
            "own practice?",
        ),
    ),
}


def known_items() -> Q:
    condition = ~Q(tool__in=list(TOOLS))  # whose own rule says that
    for code, tool in TOOLS.items():
        condition |= Q(tool=code, item__gte=1, item__lte=len(tool.questions))
    return condition


class Appraisal(Keyed):
    """One answer to one question about one study: of one appraiser, or, where `appraiser` is empty,
    the consensus.

    Appraisers are user names in lower case, so that two spellings are one person; `decided_by` is
    who entered a consensus.
    """

    KEY = ("study__collection__slug", "study__slug", "tool", "item", "appraiser")
    PART_OF = ("study",)

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="appraisals")
    tool = models.CharField(max_length=20, choices=AppraisalTool.choices)
    item = models.PositiveSmallIntegerField("question")
    appraiser = models.CharField(max_length=150, blank=True)
    answer = models.CharField(max_length=14, choices=AppraisalAnswer.choices)
    reason = models.TextField(blank=True, max_length=2000)
    decided_by = models.CharField(max_length=150, blank=True)

    objects = KeyedQuerySet.as_manager()

    class Meta:
        ordering = ["study", "tool", "item", "appraiser"]
        constraints = [
            UniqueConstraint(
                fields=["study", "tool", "item", "appraiser"],
                name="appraisal_once_per_question_and_person",
                violation_error_message="This person has answered this question already.",
            ),
            one_of("tool", AppraisalTool),
            one_of("answer", AppraisalAnswer),
            CheckConstraint(
                name="appraisal_item_of_tool",
                condition=known_items(),
                violation_error_message="This set of questions has no such number.",
            ),
            CheckConstraint(
                name="appraisal_one_spelling_of_a_person",
                condition=Q(appraiser__regex=LOWER_CASE),
                violation_error_message="Write the appraiser's user name in lower case.",
            ),
            CheckConstraint(
                name="appraisal_consensus_has_author",
                condition=(Q(appraiser="") & ~Q(decided_by=""))
                | (~Q(appraiser="") & Q(decided_by="")),
                violation_error_message="A consensus says who entered it; an answer of one person "
                "does not.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.study}, {self.get_tool_display()} {self.item}: {self.get_answer_display()}"

    @property
    def question(self) -> str:
        """The question in words."""
        return TOOLS[self.tool].questions[self.item - 1]

    def clean(self):
        if self.study_id and self.study.collection.is_simulated:
            raise ValidationError("A simulated study has no paper to appraise.")


def spelled(username: str) -> str:
    """A user name as appraisers are called."""
    return username.strip().lower()


def appraised_by(tool: str) -> QuerySet:
    """The primary keys of studies that count as appraised by one set of questions: two different
    persons have answered every question, and a consensus stands for each.
    """
    answers = Appraisal.objects.filter(tool=tool).order_by()
    questions = len(TOOLS[tool].questions)
    own = (
        answers.filter(study=OuterRef("study"), appraiser=OuterRef("appraiser"))
        .values("appraiser")
        .annotate(answered=Count("pk"))
        .values("answered")
    )
    complete = (
        answers.filter(item=1)
        .exclude(appraiser="")
        .alias(answered=Subquery(own))
        .filter(answered=questions)
        .values("study")
        .annotate(persons=Count("pk"))
        .filter(persons__gte=APPRAISERS)
        .values("study")
    )
    agreed = (
        answers.filter(appraiser="")
        .values("study")
        .annotate(answered=Count("pk"))
        .filter(answered=questions)
        .values("study")
    )
    return Study.objects.filter(pk__in=complete).filter(pk__in=agreed).order_by().values("pk")


def appraised_studies(path: str = "") -> Q:
    """Studies at `path` that count as appraised by any set of questions."""
    condition = Q()
    for tool in TOOLS:
        condition |= Q(**{f"{path}pk__in": appraised_by(tool)})
    return condition


def appraised_condition(path: str) -> Callable[[tuple[str, ...]], Q]:
    """What the filter *appraised* asks of records whose study is at `path`."""

    def condition(codes: tuple[str, ...]) -> Q:
        if set(codes) == set(Appraised.values):
            return Q(pk__isnull=False)
        is_appraised = appraised_studies(path)
        return is_appraised if Appraised.YES in codes else ~is_appraised

    return condition


def consensus() -> QuerySet:
    """What readers see: the consensus of every set of questions by which a study counts as
    appraised.
    """
    condition = Q()
    for tool in TOOLS:
        condition |= Q(tool=tool, study__in=appraised_by(tool))
    shown = Appraisal.objects.filter(condition, appraiser="")
    return shown.order_by("study", F("tool"), "item")

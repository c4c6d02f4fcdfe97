"""What groups report of adverse events and deaths, finding by finding."""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Q

from ..models import GroupFinding, Study
from ..models.consistency import cached_per_version
from ..questions.filters import matching_groups, parts_asked
from ..questions.question import Question
from .group_evidence import finding_text


@dataclass(frozen=True)
class GroupHarm:
    """One finding about adverse events or deaths in one group: what was counted, in whom, when."""

    study: str
    study_slug: str
    doi: str
    group: str
    drug: str  # empty: a comparator
    measure: str
    weeks: Decimal | None
    result: str
    reason: str  # why what is empty is empty
    note: str

    @property
    def treated(self) -> bool:
        return bool(self.drug)


def group_harms(question: Question) -> list[GroupHarm]:
    """What the groups that answer the question report of harms, with comparators of the same
    studies. The parts of the question that a group cannot answer are not asked of it.
    """
    cache_key = ("harms", parts_asked(question).parts)
    return cached_per_version(cache_key, question.collection, lambda: read_harms(question))


def read_harms(question: Question) -> list[GroupHarm]:
    answering = matching_groups(question).order_by()
    of_studies = answering.given_a_jak_inhibitor().values("study")
    findings = (
        GroupFinding.objects.within(question.collection)
        .harms()
        .filter(
            Q(group__in=answering.values("pk"))
            | Q(
                group__study__in=of_studies,
                group__inhibitor__isnull=True,
                group__mixed_inhibitors=False,
            )
        )
        .select_related("group__study", "group__inhibitor")
        .order_by(
            "group__study__short_name", "measure", "group__position", "group__slug", "at_weeks"
        )
    )
    return [harm_of(finding, finding.group.study) for finding in findings]


def harm_of(finding: GroupFinding, study: Study) -> GroupHarm:
    group = finding.group
    if group.is_comparator:
        drug = ""
    else:
        drug = "several JAK inhibitors" if group.mixed_inhibitors else group.inhibitor.name
    return GroupHarm(
        study=study.short_name,
        study_slug=study.slug,
        doi=study.doi,
        group=group.label,
        drug=drug,
        measure=finding.measure,
        weeks=finding.at_weeks,
        result=finding_text(finding),
        reason=study.missing_reason.label,
        note=finding.note,
    )

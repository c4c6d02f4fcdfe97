"""Aggregate evidence: the groups that answer the same question, and their changes from baseline to
follow-up.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from django.db.models import Exists, OuterRef, Q
from django.utils.text import capfirst

from ..models import Collection, GroupFinding, Indication, Study
from ..models.choices import FindingKind, Subset
from ..models.consistency import cached_per_version
from ..questions.filters import describe_parts_not_asked, matching_groups, parts_asked
from ..questions.question import Question
from ..questions.vocabulary import vocabulary
from .shares import pluralize

NO_CHANGE_KINDS = [FindingKind.EVENTS, FindingKind.SHARE, FindingKind.MEDIAN_IQR, FindingKind.SCORE]


@dataclass(frozen=True)
class GroupCover:
    """How much aggregate evidence answers a question, or may: `not_asked` are the parts that groups
    cannot answer, in words. People are not added to patients: some may be the same.
    """

    treated: int
    comparators: int
    people_count: int
    without_n: int
    # groups on several drugs, not reported apart, that answer the question but for its drug
    mixed: int
    sharing: bool
    studies: int
    # treated groups that answer the question but for parts of which their own are not known, and
    # which parts these are, in words
    not_known: int
    not_known_of: str
    not_asked: list[str]

    @property
    def sentence(self) -> str:
        if not self.treated:
            return (
                "No group reported only in aggregate answers this question."
                f"{self.not_known_text}{self.mixed_text}"
            )
        if self.not_asked:
            verb = "may hold patients like these"
        else:
            verb = "answers it in aggregate" if self.treated == 1 else "answer it in aggregate"
        text = (
            f"{pluralize(self.treated, 'groups')} in {pluralize(self.studies, 'studies')} "
            f"{verb}, covering "
        )
        people_text = (
            f"{pluralize(self.people_count, 'people')}"
            if self.people_count
            else "an unknown number of people"
        )
        if self.people_count and self.without_n:
            people_text += f" and {pluralize(self.without_n, 'groups')} of unknown size"
        sharing_text = " Some of these studies may report the same people." if self.sharing else ""
        return (
            f"{text}{people_text}.{self.left_out}{self.not_known_text}{self.mixed_text}"
            f"{sharing_text}"
        )

    @property
    def comparators_text(self) -> str:
        """Which of the groups that are listed may hold patients like these: comparators hold nobody
        on a JAK inhibitor.
        """
        treated = pluralize(self.treated, "groups")
        if not self.comparators:
            return f"{treated} may hold patients like these."
        if self.comparators == 1:
            others = "the other one listed is a comparator"
        else:
            others = f"the other {self.comparators} listed are comparators"
        return f"{treated} may hold patients like these; {others}, with nobody on a JAK inhibitor."

    @property
    def left_out(self) -> str:
        """What was not asked of the groups, as a sentence with a space before it."""
        return f" Not asked of them: {'; '.join(self.not_asked)}." if self.not_asked else ""

    @property
    def not_known_text(self) -> str:
        """A sentence, with a space before it, on groups that leave the question open; an empty text
        if there are none.
        """
        if not self.not_known:
            return ""
        more = " more" if self.treated else ""
        groups = "group it is open: its" if self.not_known == 1 else "groups it is open: their"
        verb = "is" if self.not_known_of == OPEN_PARTS["subset"] else "are"
        return f" For {self.not_known}{more} {groups} {self.not_known_of} {verb} not known."

    @property
    def mixed_text(self) -> str:
        """A sentence, with a space before it, on groups that were given several drugs and report
        them together; an empty text if there are none.
        """
        if not self.mixed:
            return ""
        return (
            f" {pluralize(self.mixed, 'groups')} on several JAK inhibitors, not reported apart, "
            "may hold more."
        )


def group_cover(question: Question) -> GroupCover:
    """How many groups answer the question; counted once per version for all questions with the same
    parts for groups.
    """
    cover = cached_per_version(
        ("cover", parts_asked(question).parts), question.collection, lambda: count_groups(question)
    )
    return replace(
        cover, not_asked=describe_parts_not_asked(question, vocabulary(question.collection))
    )


# Parts that a group can answer and of which its own may not be known.
OPEN_PARTS = {"indication": "indications", "subset": "subset"}


def count_groups(question: Question) -> GroupCover:
    def answers(asked: Question) -> Exists:
        return Exists(matching_groups(asked).filter(pk=OuterRef("pk")))

    rows = list(
        matching_groups(question.without("inhibitor", *OPEN_PARTS))
        .order_by()
        .annotate(
            answers=answers(question),
            but_for_drug=answers(question.without("inhibitor")),
            but_for_indication=answers(question.without("indication")),
            but_for_subset=answers(question.without("subset")),
            but_for_both=answers(question.without(*OPEN_PARTS)),
            indicated=Exists(Indication.objects.filter(studygroup=OuterRef("pk"))),
        )
    )
    answering = [group for group in rows if group.answers]
    treated = [group for group in answering if not group.is_comparator]
    studies = {group.study_id for group in treated}
    open_parts = [
        parts
        for group in rows
        if not group.is_comparator and (parts := parts_open(question, group))
    ]
    return GroupCover(
        treated=len(treated),
        comparators=len(answering) - len(treated),
        people_count=sum(group.n or 0 for group in treated),
        without_n=sum(group.n is None for group in treated),
        mixed=sum(
            group.mixed_inhibitors and group.but_for_drug and not group.answers for group in rows
        ),
        sharing=share_patients(question.collection, studies),
        studies=len(studies),
        not_known=len(open_parts),
        not_known_of=" or ".join(
            label
            for name, label in OPEN_PARTS.items()
            if any(name in parts for parts in open_parts)
        ),
        not_asked=[],
    )


def parts_open(question: Question, group) -> set[str]:
    """What leaves it open whether a group answers: it answers all else, and its own of these is not
    known. Empty where it answers, or does not.
    """
    unknown = set()
    if "indication" in question and not group.indicated:
        unknown.add("indication")
    if "subset" in question and group.subset == Subset.UNKNOWN:
        unknown.add("subset")
    if group.answers or not unknown:
        return set()
    but_for = "both" if len(unknown) > 1 else next(iter(unknown))
    return unknown if getattr(group, f"but_for_{but_for}") else set()


def share_patients(collection: Collection, studies: set[int]) -> bool:
    """Whether two of these studies may report some of the same people."""
    links = Study.objects.within(collection).sharing_patients()
    pairs = cached_per_version(
        ("sharing",), collection, lambda: list(links.values_list("from_study", "to_study"))
    )
    return any(first in studies and second in studies for first, second in pairs)


@dataclass(frozen=True)
class ChangeRow:
    """One printed change of one measure in one group; what was not printed is None."""

    study: str
    study_slug: str
    group: str
    treated: bool
    weeks: Decimal | None
    kind: str
    n: int | None
    baseline: Decimal | None
    baseline_sd: Decimal | None
    followup: Decimal | None
    followup_sd: Decimal | None
    change: Decimal | None
    change_sd: Decimal | None
    iqr: Decimal | None
    p_value: str
    note: str
    median: bool = False
    inhibitor: str = ""  # its name; empty for several together, and for a comparator

    @property
    def average(self) -> str:
        """Which average it is."""
        return "median" if self.median else "mean"

    @property
    def printed_as(self) -> str:
        """What the source prints, by the numbers that are there: “Mean change (SD)”."""
        parts = []
        levels = {"baseline": self.baseline, "follow-up": self.followup}
        printed = [name for name, value in levels.items() if value is not None]
        if printed:
            spread = " (SD)" if self.baseline_sd is not None or self.followup_sd is not None else ""
            parts.append(f"{self.average}{spread} at {' and '.join(printed)}")
        if self.change is not None:
            parts.append(f"{self.average} change{' (SD)' if self.change_sd is not None else ''}")
        text = " and ".join(parts)
        return capfirst(text) or self.kind

    @property
    def difference_of(self) -> str:
        """What `difference` is: a difference of two medians is not the median of the changes."""
        return f"difference of {self.average}s" if self.computed else f"{self.average} change"

    @property
    def difference(self) -> Decimal | None:
        """The printed change, or follow-up minus baseline where only those are printed."""
        if self.change is not None:
            return self.change
        if self.baseline is None or self.followup is None:
            return None
        return self.followup - self.baseline

    @property
    def computed(self) -> bool:
        """Whether `difference` is our subtraction rather than a printed number."""
        return self.change is None and self.difference is not None


def group_changes(question: Question, *measures: str) -> list[ChangeRow]:
    """The changes of a measure, by any of its names, in the groups that answer the question, with
    comparators of the same studies.
    """
    cache_key = ("changes", measures, parts_asked(question).parts)
    return cached_per_version(
        cache_key, question.collection, lambda: read_changes(question, measures)
    )


def read_changes(question: Question, measures: tuple[str, ...]) -> list[ChangeRow]:
    answering = matching_groups(question)
    studies = answering.order_by().values("study")
    findings = (
        GroupFinding.objects.within(question.collection)
        .filter(measure__in=measures, group__study__in=studies)
        .filter(
            Q(group__in=answering.order_by().values("pk"))
            | Q(group__inhibitor__isnull=True, group__mixed_inhibitors=False)
        )
        .exclude(kind__in=NO_CHANGE_KINDS)
        .exclude(kind=FindingKind.STANDARDISED_MEAN_CHANGE)
        .select_related("group__study", "group__inhibitor")
        .order_by("group__study__short_name", "group__position", "at_weeks", "number")
    )
    return [change_row(finding) for finding in findings]


def change_row(finding: GroupFinding) -> ChangeRow:
    group = finding.group
    copied_fields = (
        "n",
        "baseline",
        "baseline_sd",
        "followup",
        "followup_sd",
        "change",
        "change_sd",
        "iqr",
        "p_value",
        "note",
    )
    return ChangeRow(
        study=group.study.flagged_name,
        study_slug=group.study.slug,
        group=group.label,
        treated=not group.is_comparator,
        weeks=finding.at_weeks,
        kind=finding.get_kind_display(),
        median=finding.kind == FindingKind.MEDIAN_CHANGE,
        inhibitor=group.inhibitor.name if group.inhibitor else "",
        **{name: getattr(finding, name) for name in copied_fields},
    )

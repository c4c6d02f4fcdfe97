"""What studies report in aggregate, as a table of evidence: one row for each group and time."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from ..models import GroupFinding, StudyGroup
from ..models.choices import FindingKind
from ..models.consistency import cached_per_version
from ..questions.filters import matching_groups, parts_asked
from ..questions.question import Question
from ..questions.vocabulary import abbreviation
from ..statistics import Printed, attainable_counts, wilson_interval
from .shares import format_number, pluralize


@dataclass(frozen=True)
class Result:
    """One printed result: what was measured, the numbers, and what a reader must know of them."""

    measure: str
    numbers: str
    note: str = ""


@dataclass(frozen=True)
class EvidenceRow:
    """A group at one time. `weeks` is None where a source gives no week."""

    group: StudyGroup
    weeks: Decimal | None
    results: list[Result]
    adverse_events: list[Result]
    given_for: str  # the group's indications in words
    is_first: bool  # of its group; the others do not repeat who it is
    times: int  # rows of the group
    # whether its cell of adverse events says something: events, or that none are extracted
    says_events: bool


@dataclass(frozen=True)
class GroupEvidence:
    """The groups that answer a question, and those that would if it did not ask what they were
    given for. Never pooled, never added to patients: some may be the same people.
    """

    answering: list[EvidenceRow] = field(default_factory=list)
    otherwise_indicated: list[EvidenceRow] = field(default_factory=list)

    @property
    def rows(self) -> list[EvidenceRow]:
        return [*self.answering, *self.otherwise_indicated]

    @property
    def treated(self) -> list[StudyGroup]:
        """All groups on a JAK inhibitor, once each."""
        return [row.group for row in self.rows if row.is_first and not row.group.is_comparator]

    @property
    def drugs(self) -> str:
        """The JAK inhibitors of the treated groups, where all name one."""
        names = [group.inhibitor.name if group.inhibitor else "" for group in self.treated]
        return " or ".join(dict.fromkeys(names)) if all(names) else ""

    @property
    def lead(self) -> str:
        """“4 groups, 75 people”, “10 groups, 125 people and 2 groups of unknown size”."""
        treated = self.treated
        sizes = [group.n for group in treated if group.n is not None]
        parts = [pluralize(sum(sizes), "people")] if sizes else []
        if unsized := len(treated) - len(sizes):
            size = "unknown size"
            parts.append(f"{pluralize(unsized, 'groups')} of {size}" if sizes else f"of {size}")
        return f"{pluralize(len(treated), 'groups')}, {' and '.join(parts)}"


def group_evidence(question: Question) -> GroupEvidence:
    """The groups of a question with their findings; read once per version for all questions with
    the same parts for groups.
    """
    return cached_per_version(
        ("group-evidence", parts_asked(question).parts),
        question.collection,
        lambda: read_group_evidence(question),
    )


def read_group_evidence(question: Question) -> GroupEvidence:
    answering = set(matching_groups(question).order_by().values_list("pk", flat=True))
    candidates = matching_groups(question.without("indication"))
    studies = candidates.given_a_jak_inhibitor().order_by().values("study")
    groups = (
        StudyGroup.objects.within(question.collection)
        .filter(study__in=studies)
        .select_related("study", "inhibitor")
        .prefetch_related("indications", "findings")
        .order_by("study__year", "study__short_name", "position")
    )
    treated = set(candidates.order_by().values_list("pk", flat=True))
    by_study = defaultdict(list)
    for group in groups:
        if group.pk in treated or group.is_comparator:
            by_study[group.study_id].append(group)
    evidence = GroupEvidence()
    # Studies of which no result is extracted stand last.
    for of_study in sorted(by_study.values(), key=lambda groups: not has_results(groups)):
        answers = any(group.pk in answering and not group.is_comparator for group in of_study)
        rows = evidence.answering if answers else evidence.otherwise_indicated
        for group in of_study:
            rows += evidence_rows(group)
    return evidence


def has_results(groups: list[StudyGroup]) -> bool:
    return any(group.findings.all() for group in groups)


def evidence_rows(group: StudyGroup) -> list[EvidenceRow]:
    """One row for each time of a group, those without a time last; one without results says so."""
    by_weeks = defaultdict(list)
    for finding in group.findings.all():
        by_weeks[finding.at_weeks].append(finding)
    times = sorted(by_weeks, key=lambda weeks: (weeks is None, weeks or 0)) or [None]
    labels = [indication.label for indication in group.indications.all()]
    events = any(finding.is_harm for finding in group.findings.all())
    given_for = " and ".join(abbreviation(label, label.lower()) for label in labels)
    return [
        EvidenceRow(
            group,
            weeks,
            results_of(finding for finding in by_weeks[weeks] if not finding.is_harm),
            results_of(finding for finding in by_weeks[weeks] if finding.is_harm),
            given_for,
            place == 0,
            len(times),
            any(finding.is_harm for finding in by_weeks[weeks]) or (place == 0 and not events),
        )
        for place, weeks in enumerate(times)
    ]


def results_of(findings: Iterable[GroupFinding]) -> list[Result]:
    return [
        Result(finding.measure, finding_text(finding, with_p=False), finding.note)
        for finding in findings
    ]


AVERAGES = {
    FindingKind.MEDIAN_CHANGE: "median",
    FindingKind.MEDIAN_IQR: "median",
    FindingKind.MEAN_CHANGE: "mean",
    FindingKind.MEAN_SD_CHANGE: "mean",
    FindingKind.STANDARDISED_MEAN_CHANGE: "standardised mean change",
}


def finding_text(finding: GroupFinding, *, with_p: bool = True) -> str:
    """A finding's numbers in words, exactly those that were printed; a count of people has its
    95 % Wilson interval: “median 24 to 12, IQR 7.5 wide”, “mean change −13”, “0/5 (CI 0–43)”.
    """
    average = AVERAGES.get(FindingKind(finding.kind), "")
    parts = []
    if finding.events is not None:
        parts.append(count_text(finding.events, finding.n))
    if finding.percent is not None:
        parts.append(percentage_text(finding.percent, finding.n))
    if finding.value is not None:
        parts.append(f"{average} {plain_number(finding.value)}".lstrip())
    if finding.baseline is not None and finding.followup is not None:
        baseline = with_sd(finding.baseline, finding.baseline_sd)
        followup = with_sd(finding.followup, finding.followup_sd)
        parts.append(f"{average} {baseline} to {followup}".lstrip())
    if finding.change is not None:
        parts.append(f"{average} change {with_sd(finding.change, finding.change_sd)}".lstrip())
    if finding.iqr is not None:
        parts.append(f"IQR {plain_number(finding.iqr)} wide")
    if finding.iqr_low is not None and finding.iqr_high is not None:
        parts.append(f"IQR {plain_number(finding.iqr_low)} to {plain_number(finding.iqr_high)}")
    if finding.p_value and with_p:
        parts.append(f"p {'' if finding.p_value[0] in '<>' else '= '}{finding.p_value}")
    return ", ".join(parts)


def count_text(events: int, n: int | None) -> str:
    """“0/5 (CI 0–43)”; without its denominator a count is no share."""
    interval = wilson_interval(events, n) if n else None
    if interval is None:
        return f"{events}/{n}" if n is not None else str(events)
    low, high = (format_number(100 * end, 0) for end in interval)
    return f"{events}/{n} (CI {low}–{high})"


def percentage_text(percent: Decimal, n: int | None) -> str:
    """“45.5 % (5/11, CI 21–72)”: the count is said where only one count of n is printed so."""
    percent = percent.normalize()
    text = f"{plain_number(percent)} %"
    decimals = max(0, -percent.as_tuple().exponent)
    counts = attainable_counts(Printed(percent, decimals), n) if n else []
    if len(counts) != 1:
        return text
    return f"{text} ({count_text(counts[0], n).replace(' (', ', ')}"


def plain_number(value: Decimal) -> str:
    """Without needless zeros, with a minus sign."""
    return format(value.normalize(), "f").replace("-", "−")


def with_sd(value: Decimal, sd: Decimal | None) -> str:
    return (
        f"{plain_number(value)} (SD {plain_number(sd)})" if sd is not None else plain_number(value)
    )

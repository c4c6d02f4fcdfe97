"""What groups report, in words: each finding as its source prints it, and the harms among them."""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Q

from ..models import GroupFinding, Study
from ..models.choices import FindingKind
from ..models.consistency import cached_per_version
from ..questions.filters import matching_groups, parts_asked
from ..questions.question import Question
from ..statistics import Printed, attainable_counts
from .shares import Share, format_number

AVERAGES = {
    FindingKind.MEDIAN_CHANGE: "median",
    FindingKind.MEDIAN_IQR: "median",
    FindingKind.MEAN_CHANGE: "mean",
    FindingKind.MEAN_SD_CHANGE: "mean",
    FindingKind.STANDARDISED_MEAN_CHANGE: "standardised mean change",
}


def printed_decimal(value: Decimal) -> str:
    """A number as a source prints it, with a minus sign and without needless zeros."""
    return format(value.normalize(), "f").replace("-", "−")


def with_spread(value: Decimal, sd: Decimal | None) -> str:
    """“−10.17 (SD 2.92)”."""
    spread = "" if sd is None else f" (SD {printed_decimal(sd)})"
    return f"{printed_decimal(value)}{spread}"


def rate_of_finding(finding: GroupFinding) -> Share | None:
    """The count of an “events of n” with its interval; None of any other finding."""
    if finding.events is None or not finding.n:
        return None
    return Share(finding.measure, finding.events, finding.n, 0, 0)


def rate_in_words(share: Share, *, brief: bool = False) -> str:
    """“0/5 (95 % CI 0.0–43.4 %)”; in brief “0/5 (CI 0–43)”."""
    if brief:
        low, high = (format_number(end, 0) for end in share.interval)
        return f"{share.fraction} (CI {low}–{high})"
    return f"{share.fraction} (95 % CI {share.interval_text} %)"


def percentage_in_words(finding: GroupFinding) -> str:
    """“45.5 % of 11 (that is 5/11, 95 % CI 21.3–72.0 %)”. The count is said where only one count of
    n is printed so.
    """
    percent = finding.percent.normalize()
    text = f"{percent:f} %"
    if not finding.n:
        return text
    decimals = max(0, -percent.as_tuple().exponent)
    counts = attainable_counts(Printed(percent, decimals), finding.n)
    if len(counts) != 1:
        return f"{text} of {finding.n}"
    share = Share(finding.measure, counts[0], finding.n, 0, 0)
    return f"{text} of {finding.n} (that is {share.fraction}, 95 % CI {share.interval_text} %)"


def summary_of(finding: GroupFinding) -> str:
    """What the numbers of a finding summarise: “mean change”, “median”; empty where each says it
    itself, as a count does.
    """
    average = AVERAGES.get(finding.kind, "")
    return f"{average} change" if finding.change is not None and average else average


def finding_in_words(
    finding: GroupFinding, *, brief: bool = False, with_summary: bool = True
) -> str:
    """The numbers of a finding in words: exactly those that are printed, a rate with its interval.
    In brief, for a table of many, without its p-value; without `summary_of`, where that is said
    beside it.

    “0/5 (95 % CI 0.0–43.4 %)”, “median 24 → 12, IQR 7.5 (width as printed)”,
    “mean change −10.17 (SD 2.92)”.
    """
    average, parts = AVERAGES.get(finding.kind, "") if with_summary else "", []
    share = rate_of_finding(finding)
    if share:
        parts.append(rate_in_words(share, brief=brief))
    if finding.percent is not None:
        parts.append(percentage_in_words(finding))
    if finding.value is not None:
        parts.append(f"{average} {printed_decimal(finding.value)}".strip())
    levels = [
        with_spread(value, sd)
        for value, sd in (
            (finding.baseline, finding.baseline_sd),
            (finding.followup, finding.followup_sd),
        )
        if value is not None
    ]
    if len(levels) == 2:
        parts.append(f"{average} {' → '.join(levels)}".strip())
    elif levels:
        when = "baseline" if finding.baseline is not None else "follow-up"
        parts.append(f"{average} at {when} {levels[0]}".strip())
    if finding.change is not None:
        change = summary_of(finding) or "change" if with_summary else ""
        parts.append(f"{change} {with_spread(finding.change, finding.change_sd)}".strip())
    if finding.iqr is not None:
        width = "wide" if brief else "(width as printed)"
        parts.append(f"IQR {printed_decimal(finding.iqr)} {width}")
    if finding.iqr_low is not None and finding.iqr_high is not None:
        low, high = printed_decimal(finding.iqr_low), printed_decimal(finding.iqr_high)
        parts.append(f"IQR {low} to {high}")
    if finding.p_value and not brief:
        sign = "" if finding.p_value[0] in "<>" else "= "
        parts.append(f"p {sign}{finding.p_value}")
    return ", ".join(parts)


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
        study=study.flagged_name,
        study_slug=study.slug,
        doi=study.doi,
        group=group.label,
        drug=drug,
        measure=finding.measure,
        weeks=finding.at_weeks,
        result=finding_in_words(finding),
        reason=study.missing_reason.label,
        note=finding.note,
    )

"""Study by study: the same proportion in each, a raw total, and a pooled one where that can be
justified.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite

from django.utils.text import capfirst

from ..counting import Tally, improved_value
from ..models import GroupFinding, Study
from ..models.choices import Design, Domain, FindingKind, Item, YesNo
from ..models.outcome import window_of
from ..questions.filters import describe_parts_not_asked, matching_groups
from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from ..statistics import (
    CannotPool,
    Pooled,
    WithoutStudy,
    clopper_pearson_interval,
    leave_one_out,
    pooled_proportion,
)
from .asked_for import SELECTED_BY_EVENTS, asked_for_words, is_asked_for
from .cohort import HEADLINES, NONE_GRADED, events_ungraded, known_flag
from .outcomes import outcome_rule, short_outcome_rule
from .shares import (
    ASKED_FOR,
    FEW,
    Summary,
    format_number,
    known_of,
    known_tallies,
    pluralize,
    run_summaries,
    run_together,
)

# How an item is counted of individual patients: a dimension, its value that means yes, and who else
# is known: those with another value, or those of whom a flag says so (`known_of`).
ITEM_DIMENSIONS = {
    key: (dimension, str(value.value), "", f"known:{attribute}")
    for key, _, attribute, (dimension, value) in HEADLINES
}
ITEM_DIMENSIONS["stopped"] = ("stopped", YesNo.YES.value, "", "known:stopped")
ITEM_DIMENSIONS |= {
    f"improved_{domain.value}": (
        "last_result",
        improved_value(domain.value),
        improved_value(domain.value, YesNo.NO.value),
        "",
    )
    for domain in Domain
}

# by one outcome of each patient
BY_OUTCOME = {item for item, (*_, flag) in ITEM_DIMENSIONS.items() if not flag}
WEEKS_IN_MONTH = 365.25 / 12 / 7
MEASURE = "measure:"  # before the name of what groups alone report
LEFT_OUT = 20  # studies up to which each is left out in turn; a page must not wait for more
SELECTED = "selected cases"
ONE_EACH = "one matching patient each"
ONE_PATIENT = "one matching patient"


@dataclass(frozen=True)
class StudyRow:
    """One study's proportion. `counted` is false where the same people stand in another row; `why`
    says so.

    `case_report` marks a study of single cases. `selected` marks a row that is a count and no
    estimate, because individually published cases are in it: it has no percentage and no interval.
    Nor has one that is `asked_for`: a count that the question itself decides, or of patients whom
    it selects by what is counted; the words say which. Nor has one of studies in which one matching
    patient is known (`one_each`), who need not be a selected case.
    """

    label: str
    slug: str
    what: str
    count: int
    known: int
    missing: int
    of_groups: bool = False
    counted: bool = True
    why: str = ""
    case_report: bool = False
    selected: bool = False
    asked_for: str = ""
    one_each: bool = False

    @property
    def no_estimate(self) -> str:
        """Why it is a count only, in a few words; empty where it has a percentage."""
        if self.asked_for:
            return self.asked_for
        if self.selected:
            return SELECTED
        if self.one_each:
            return ONE_EACH if self.known > 1 else ONE_PATIENT
        return ""

    @property
    def fraction(self) -> str:
        return f"{self.count}/{self.known}" if self.known else "none known"

    @property
    def percent(self) -> float | None:
        return 100 * self.count / self.known if self.known and not self.no_estimate else None

    @property
    def percent_text(self) -> str:
        return self.no_estimate or (f"{format_number(self.percent)} %" if self.known else "")

    @property
    def interval(self) -> tuple[float, float] | None:
        """The exact (Clopper-Pearson) 95 % interval, in percent; None of a count only."""
        if self.no_estimate:
            return None
        interval = clopper_pearson_interval(self.count, self.known)
        return interval and (100 * interval[0], 100 * interval[1])

    @property
    def interval_text(self) -> str:
        return (
            f"{format_number(self.interval[0])}–{format_number(self.interval[1])}"
            if self.interval
            else ""
        )

    @property
    def rate_text(self) -> str:
        """“75.0 %, exact 95 % CI 34.9–96.8”; where few are known the interval comes first."""
        interval_text = f"exact 95 % CI {self.interval_text}"
        if self.known < FEW:
            return f"{interval_text}, {self.percent_text}"
        return f"{self.percent_text}, {interval_text}"

    @property
    def pooled(self) -> bool:
        """Whether it goes into the pooled proportion: a study with one matching patient known does
        not, nor what is asked for.
        """
        return self.counted and self.known > 1 and not self.asked_for


@dataclass(frozen=True)
class Forest:
    """All studies of one item. `total` adds counted patients up; `refused` says why there is no
    pooled proportion.

    `cases` are the case reports that `total` leaves out because groups are in it: a count of people
    chosen for publication is never added to an arm. Where no group is counted they are in `total`.
    `not_asked` are the parts of the question that were not asked of the groups among the rows, in
    words.
    """

    item: str
    label: str
    rows: list[StudyRow]
    singles: StudyRow | None
    total: StudyRow
    cases: StudyRow | None
    pooled: Pooled | None
    refused: str
    unknown_studies: int
    duplicates: int
    shared: bool
    why: str = ""  # why nobody is counted
    rule: str = ""  # which outcome of a patient counts
    not_asked: tuple[str, ...] = ()

    most_left_out = LEFT_OUT

    @property
    def pooled_rows(self) -> list[StudyRow]:
        """The rows that go into the pooled proportion, in its order."""
        return [row for row in self.rows if row.pooled]

    @property
    def studies(self) -> int:
        return len(self.pooled_rows)

    @property
    def sums(self) -> list[StudyRow]:
        """The rows that stand below the studies and are made of several."""
        return [row for row in (self.singles, self.total, self.cases) if row]

    @property
    def pooled_text(self) -> str:
        """“63.1 % (95 % CI 40.2–81.4 by t), 95 % prediction interval 20.0–92.0 % by t”."""
        return (
            f"{format_number(100 * self.pooled.proportion)} % "
            f"(95 % CI {percent_range(self.pooled.interval_t)} by t), "
            f"95 % prediction interval {percent_range(self.pooled.prediction_t)} % by t"
        )

    @property
    def tau2_text(self) -> str:
        """“0.43 (95 % profile likelihood interval 0.00–6.84)”."""
        low, high = self.pooled.tau2_interval
        upper = format_number(high, 2) if isfinite(high) else "∞"
        return (
            f"{format_number(self.pooled.tau2, 2)} (95 % profile likelihood interval "
            f"{format_number(low, 2)}–{upper})"
        )

    @property
    def no_spread_text(self) -> str:
        """What an estimate of no variance between studies means, and that it does not show there is
        none; empty where there is some. The two intervals by t differ by their degrees of freedom.
        """
        if not self.pooled or self.pooled.tau2:
            return ""
        high = self.pooled.tau2_interval[1]
        upper = f"up to {format_number(high, 2)}" if isfinite(high) else "without an upper limit"
        return (
            "τ² is estimated as 0, so the prediction interval by z equals the confidence interval, "
            "and that by t is longer only for its fewer degrees of freedom; the interval of τ² "
            f"goes {upper}, so that a spread between studies is not ruled out."
        )

    @property
    def pooled_facts(self) -> list[tuple[str, str]]:
        """What is said of the pooled proportion: (name, value), every interval with its method."""
        pooled = self.pooled
        return [
            (
                "Pooled proportion",
                f"{format_number(100 * pooled.proportion)} %, {self.studies} studies",
            ),
            (
                f"95 % CI by t, {degrees_text(pooled.interval_df)}",
                f"{percent_range(pooled.interval_t)} %",
            ),
            ("95 % CI by z (normal distribution)", f"{percent_range(pooled.interval)} %"),
            (
                f"95 % prediction interval by t, {degrees_text(pooled.prediction_df)}",
                f"{percent_range(pooled.prediction_t)} %",
            ),
            ("95 % prediction interval by z", f"{percent_range(pooled.prediction)} %"),
            ("τ², the variance between studies (log odds)", self.tau2_text),
            ("I²", f"{format_number(pooled.i2)} %"),
        ]

    @cached_property
    def without(self) -> list[tuple[StudyRow, WithoutStudy]]:
        """What is pooled without each study in turn; nothing of more than LEFT_OUT studies."""
        if not self.pooled or self.studies > LEFT_OUT:
            return []
        results = leave_one_out([(row.count, row.known) for row in self.pooled_rows])
        return [(self.pooled_rows[reduced.index], reduced) for reduced in results]

    @property
    def without_rows(self) -> list[tuple[StudyRow, str, str, str]]:
        """`without` as printed: row, pooled proportion, its interval by t, why there is none."""
        return [
            (
                row,
                f"{format_number(100 * reduced.pooled.proportion)} %",
                percent_range(reduced.pooled.interval_t),
                "",
            )
            if reduced.pooled
            else (row, "", "", reduced.refused)
            for row, reduced in self.without
        ]


def percent_range(interval: tuple[float, float]) -> str:
    """“40.2–81.4”, of two fractions."""
    low, high = interval
    return f"{format_number(100 * low)}–{format_number(100 * high)}"


def degrees_text(df: int) -> str:
    return f"{pluralize(df, 'degrees')} of freedom"


def forest_items(question: Question) -> dict[str, str]:
    """What a forest plot can be drawn of: items of patients, and what groups report as events of
    n.
    """
    items = dict(Item.choices)
    # By the very words of the source: “grade 3” and “grade >= 3” are not the same.
    for measure in (
        event_findings(question).filter(item="").values_list("measure", flat=True).distinct()
    ):
        items[f"{MEASURE}{measure}"] = f"{capfirst(measure)} (groups only)"
    return items


def first_known_item(question: Question) -> str:
    """The first item, in the order of `forest_items`, that is known of a patient or of a group of
    the question; where nothing is known, the first of all.
    """
    graded, *counts = run_summaries(
        single_tally(Tally(question, ("adverse_events", "known:serious"))),
        *(counts_of_item(question, item, "reading") for item in ITEM_DIMENSIONS),
    )
    known = {
        item for item, (_, by_reading, _) in zip(ITEM_DIMENSIONS, counts, strict=True) if by_reading
    }
    if events_ungraded(graded) and not is_asked_for(question, Item.SERIOUS):
        known.discard(Item.SERIOUS.value)
    findings = event_findings(question).filter(n__gt=0)
    known |= {
        item or f"{MEASURE}{measure}" for item, measure in findings.values_list("item", "measure")
    }
    items = forest_items(question)
    return next((item for item in items if item in known), next(iter(items)))


def event_findings(question: Question):
    """Events of n in the treated groups that answer the question."""
    treated = matching_groups(question).given_a_jak_inhibitor().order_by().values("pk")
    return GroupFinding.objects.within(question.collection).filter(
        group__in=treated, kind=FindingKind.EVENTS
    )


@dataclass(frozen=True)
class StudyCounts:
    """Patients study by study: with an item, in whom it is known, in view, in the collection. `why`
    says why the item is counted of nobody.
    """

    counted: Counter
    known: Counter
    in_view: Counter
    everybody: Counter
    why: str = ""


def counts_by_study(question: Question, item: str) -> Summary:
    """The item in every study in view."""
    item_counts, in_collection, graded = yield from run_together(
        [
            counts_of_item(question, item, "study"),
            single_tally(Tally(Question(question.collection), ("study",))),
            single_tally(Tally(question, ("adverse_events", "known:serious"))),
        ]
    )
    with_item, known_counters, in_view = item_counts
    in_collection = Counter({study: count for (study,), count in in_collection.items()})
    if item == Item.SERIOUS and not is_asked_for(question, item) and events_ungraded(graded):
        return StudyCounts(Counter(), Counter(), in_view, in_collection, NONE_GRADED)
    return StudyCounts(with_item, known_counters, in_view, in_collection)


def single_tally(tally: Tally) -> Summary:
    (counter,) = yield [tally]
    return counter


def counts_of_item(question: Question, item: str, by: str) -> Summary:
    """(counted, known, in view) patients by the values of a dimension; an item is one of
    COUNTED.
    """
    dimension, yes, no, flag = ITEM_DIMENSIONS[item]
    flag = known_flag(question, item) if item == Item.SERIOUS else flag
    by_value, in_view, *settling_counters = yield [
        Tally(question, (dimension, by)),
        Tally(question, (by,)),
        *(known_tallies(question, flag, dimension, by=by) if flag else []),
    ]
    yes_by, known_by = Counter(), Counter()
    for (value, key), n in by_value.items():
        yes_by[key] += n if value == yes else 0
        known_by[key] += n if value in (yes, no) else 0
    if flag:
        known_by = Counter(
            {key: n for (key,), n in known_of(yes, in_view, *settling_counters).items()}
        )
    return +yes_by, +known_by, Counter({key: n for (key,), n in in_view.items()})


# Why nothing is pooled, by the words in place of a percentage.
REFUSED = {
    ASKED_FOR: "the question itself decides who is counted",
    SELECTED_BY_EVENTS: "the question selects patients by their events",
}


def first_words(rows: list["StudyRow"]) -> str:
    """What stands in place of the percentage of these rows together."""
    return next((row.asked_for for row in rows if row.asked_for), "")


def forest_plot(
    question: Question, item: str, vocabulary: Vocabulary, *, shared: bool = False
) -> Forest:
    """The item in every study of the question. Raises KeyError for an item that is not in
    `forest_items(question)`.

    People who may stand in several rows are counted once, where most of them are reported, unless
    `shared`.
    """
    label = forest_items(question)[item]
    rows, unknown_studies, in_view, why, rule = [], 0, 0, "", ""
    asked_for = asked_for_words(question, item)
    if item in ITEM_DIMENSIONS:
        (counts,) = run_summaries(counts_by_study(question, item))
        in_view, why = sum(counts.in_view.values()), counts.why
        unknown_studies = sum(1 for study in counts.in_view if not counts.known[study])
        reports = case_report_slugs(question)
        by_outcome = item in BY_OUTCOME
        rule = outcome_rule(question) if by_outcome else ""
        what = "individual patients"
        what += f", {short_outcome_rule(question)}" if by_outcome else ""
        for study, known_count in counts.known.items():
            rows.append(
                StudyRow(
                    vocabulary.label("study", study),
                    study,
                    what,
                    counts.counted[study],
                    known_count,
                    counts.in_view[study] - known_count,
                    case_report=study in reports or counts.everybody[study] == 1,
                    asked_for=asked_for,
                    one_each=known_count == 1,
                )
            )
    rows += group_rows(question, item)
    rows.sort(key=lambda row: (-row.known, row.label, row.slug))
    if not shared:
        rows = mark_possible_duplicates(question, rows)
    counted_rows = [row for row in rows if row.counted]
    missing = in_view - sum(row.known for row in rows if not row.of_groups)
    pooled, refused = None, ""
    try:
        pooled = pooled_proportion([(row.count, row.known) for row in rows if row.pooled])
    except CannotPool as error:
        refused = REFUSED[asked_for] if asked_for else str(error)
    total, cases = total_rows(counted_rows, missing)
    return Forest(
        item=item,
        label=label,
        rows=[row for row in rows if not (row.counted and row.known == 1)],
        singles=singles_row(counted_rows),
        total=total,
        cases=cases,
        pooled=pooled,
        refused=refused,
        unknown_studies=unknown_studies,
        duplicates=sum(not row.counted for row in rows),
        shared=shared,
        why=why,
        rule=rule,
        not_asked=tuple(describe_parts_not_asked(question, vocabulary))
        if any(row.of_groups for row in rows)
        else (),
    )


def case_report_slugs(question: Question) -> set[str]:
    """The studies whose design is a case report."""
    studies = Study.objects.within(question.collection).filter(design=Design.CASE_REPORT)
    return set(studies.values_list("slug", flat=True))


def singles_row(rows: list[StudyRow]) -> StudyRow | None:
    """Studies in which one matching patient is known, in one row; they may have other patients."""
    singles = [row for row in rows if row.known == 1]
    if not singles:
        return None
    count = sum(row.count for row in singles)
    name = f"{pluralize(len(singles), 'studies')} with one matching patient known"
    asked_for = first_words(singles)
    return StudyRow(
        name,
        "",
        ONE_EACH,
        count,
        len(singles),
        0,
        asked_for=asked_for,
        one_each=True,
    )


def total_rows(rows: list[StudyRow], missing: int) -> tuple[StudyRow, StudyRow | None]:
    """The raw total of counted rows, and the case reports it leaves out.

    Groups are never added to case reports. Without a group the case reports are in the total, which
    is then a count of selected cases: cases are published because they are remarkable, so that no
    interval around their sum says anything of other patients.
    """
    cases = [row for row in rows if row.case_report]
    are_separate = bool(cases) and any(row.of_groups for row in rows)
    added_rows = [row for row in rows if not row.case_report] if are_separate else rows
    total = StudyRow(
        "All counted but case reports" if are_separate else "All counted",
        "",
        "",
        sum(row.count for row in added_rows),
        sum(row.known for row in added_rows),
        missing,
        selected=bool(cases) and not are_separate,
        asked_for=first_words(added_rows),
    )
    if not are_separate:
        return total, None
    number = pluralize(len(cases), "case reports")
    count, known = sum(row.count for row in cases), sum(row.known for row in cases)
    asked_for = first_words(cases)
    return total, StudyRow(
        number, "", "not added to groups", count, known, 0, selected=True, asked_for=asked_for
    )


def group_rows(question: Question, item: str) -> list[StudyRow]:
    """What groups report of an item, added up over a study's groups; of several times, the last.

    Of outcomes, those at about the months that the question asks for, if it does.
    """
    findings = event_findings(question).select_related("group__study").order_by("group", "number")
    of_item = [
        finding for finding in findings if item == (finding.item or f"{MEASURE}{finding.measure}")
    ]
    if item in BY_OUTCOME and question.outcome_months:
        of_item = [
            finding
            for finding in of_item
            if window_of(months_of(finding)) in question.outcome_months
        ]
    studies = defaultdict(list)
    for finding in last_of_each_group(of_item):
        studies[finding.group.study].append(finding)
    return [
        StudyRow(
            study.flagged_name,
            study.slug,
            "; ".join(
                sorted({f"{finding.group.label}: {finding.measure}" for finding in study_findings})
            ),
            sum(finding.events for finding in study_findings),
            sum(finding.n for finding in study_findings),
            0,
            True,
            one_each=sum(finding.n for finding in study_findings) == 1,
        )
        for study, study_findings in studies.items()
    ]


def months_of(finding: GroupFinding) -> float | None:
    """When a finding was made, in months; None where its week is not known."""
    return None if finding.at_weeks is None else float(finding.at_weeks) / WEEKS_IN_MONTH


def last_of_each_group(findings: Iterable[GroupFinding]) -> list[GroupFinding]:
    """Each group's latest finding, whatever their order; one without a week is before all others.

    Databases do not agree on where an empty week belongs.
    """
    last: dict[int, GroupFinding] = {}
    for finding in sorted(findings, key=week_order):
        last[finding.group_id] = finding
    return list(last.values())


def week_order(finding: GroupFinding) -> tuple:
    dated = finding.at_weeks is not None
    return finding.group_id, dated, finding.at_weeks if dated else 0, finding.number


def mark_possible_duplicates(question: Question, rows: list[StudyRow]) -> list[StudyRow]:
    """Marks as not counted each row that may share people with a larger row, or with another row of
    its own study. The rows have to come largest first.
    """
    links = Study.objects.within(question.collection).sharing_patients()
    pairs = set(links.values_list("from_study__slug", "to_study__slug"))
    counted_rows: list[StudyRow] = []
    result = []
    for row in rows:
        overlapping = next(
            (
                counted_row
                for counted_row in counted_rows
                if may_share_patients(counted_row.slug, row.slug, pairs)
            ),
            None,
        )
        if overlapping is None:
            counted_rows.append(row)
            result.append(row)
        else:
            reason = "the same study" if overlapping.slug == row.slug else overlapping.label
            result.append(replace(row, counted=False, why=f"may be people of {reason}"))
    return result


def may_share_patients(slug: str, other_slug: str, pairs: set[tuple[str, str]]) -> bool:
    return slug == other_slug or (slug, other_slug) in pairs or (other_slug, slug) in pairs

"""What studies report in aggregate, as a table of evidence: one row for each group and time."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from ..models import GroupFinding, StudyGroup
from ..models.consistency import cached_per_version
from ..questions.filters import matching_groups, parts_asked
from ..questions.question import Question
from ..questions.vocabulary import abbreviation
from .findings import finding_in_words
from .shares import pluralize

SHOWN = 3  # results of a row that stand without being unfolded


@dataclass(frozen=True)
class Result:
    """One printed result: what was measured, the numbers, and what a reader must know of them."""

    measure: str
    numbers: str
    note: str = ""


@dataclass(frozen=True)
class EvidenceRow:
    """A group at one time. `weeks` is None where a source gives no week. What a source gives
    without a week, of a group with results at some week, stands apart in its last row.
    """

    group: StudyGroup
    weeks: Decimal | None
    results: list[Result]
    adverse_events: list[Result]
    undated: list[Result]
    given_for: str  # the group's indications in words
    note: str  # what a reader must know of all its results
    is_first: bool  # of its group; the others do not repeat who it is
    times: int  # rows of the group
    # whether its cell of adverse events says something: events, or that none are extracted
    says_events: bool

    @property
    def shown(self) -> list[Result]:
        return self.results[:SHOWN]

    @property
    def folded(self) -> list[Result]:
        return self.results[SHOWN:]

    @property
    def more(self) -> int:
        """How many results stand behind those shown."""
        return len(self.folded) + len(self.undated)


@dataclass(frozen=True)
class GroupEvidence:
    """The groups that answer a question, and those that would if it did not ask what they were
    given for. Never pooled, never added to patients: some may be the same people.
    """

    answering: list[EvidenceRow] = field(default_factory=list)
    otherwise_indicated: list[EvidenceRow] = field(default_factory=list)
    without_results: list[StudyGroup] = field(default_factory=list)

    @property
    def rows(self) -> list[EvidenceRow]:
        return [*self.answering, *self.otherwise_indicated]

    @property
    def groups(self) -> list[StudyGroup]:
        """All groups, once each."""
        return [*(row.group for row in self.rows if row.is_first), *self.without_results]

    @property
    def treated(self) -> list[StudyGroup]:
        """All groups on a JAK inhibitor, once each."""
        return [group for group in self.groups if not group.is_comparator]

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
    for of_study in by_study.values():
        answers = any(group.pk in answering and not group.is_comparator for group in of_study)
        for group in of_study:
            belongs = answers if group.is_comparator else group.pk in answering
            rows = evidence.answering if belongs else evidence.otherwise_indicated
            if group.findings.all():
                rows += evidence_rows(group)
            else:
                evidence.without_results.append(group)
    return evidence


def evidence_rows(group: StudyGroup) -> list[EvidenceRow]:
    """One row for each time of a group, or one where no time is stated."""
    by_weeks = defaultdict(list)
    for finding in group.findings.all():
        by_weeks[finding.at_weeks].append(finding)
    notes = {finding.note for finding in group.findings.all()}
    note = notes.pop() if len(notes) == 1 else ""
    undated = by_weeks.pop(None, []) if len(by_weeks) > 1 else []
    times = sorted(by_weeks) if None not in by_weeks else [None]
    labels = [indication.label for indication in group.indications.all()]
    events = any(finding.is_harm for finding in group.findings.all())
    given_for = " and ".join(abbreviation(label, label.lower()) for label in labels)
    return [
        EvidenceRow(
            group,
            weeks,
            results_of((each for each in by_weeks[weeks] if not each.is_harm), note),
            results_of((each for each in by_weeks[weeks] if each.is_harm), note),
            results_of(undated, note) if place + 1 == len(times) else [],
            given_for,
            note,
            place == 0,
            len(times),
            any(finding.is_harm for finding in by_weeks[weeks]) or (place == 0 and not events),
        )
        for place, weeks in enumerate(times)
    ]


def results_of(findings: Iterable[GroupFinding], shared_note: str) -> list[Result]:
    """Findings in brief; a note that all of a group share is said once, of the group."""
    return [
        Result(
            finding.measure,
            finding_in_words(finding, brief=True),
            "" if finding.note == shared_note else finding.note,
        )
        for finding in findings
    ]

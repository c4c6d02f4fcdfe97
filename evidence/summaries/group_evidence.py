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
from .findings import finding_in_words, summary_of
from .shares import pluralize

SHOWN = 5  # results of a row that stand without being unfolded


@dataclass(frozen=True)
class Result:
    """One printed result: what was measured, the numbers, and what a reader must know of them."""

    measure: str
    text: str  # the numbers with what they summarise: “mean change −13”
    numbers: str  # the numbers alone
    summary: str  # what they summarise
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
    indication_unknown: list[EvidenceRow] = field(default_factory=list)
    without_results: list[StudyGroup] = field(default_factory=list)
    # primary keys of the treated groups that answer all that a group can be asked
    that_answer: frozenset[int] = frozenset()

    @property
    def rows(self) -> list[EvidenceRow]:
        return [*self.answering, *self.otherwise_indicated, *self.indication_unknown]

    @property
    def apart(self) -> list[tuple[str, list[EvidenceRow]]]:
        """The groups that answer all but what it was given for, under headings."""
        kinds = [
            (
                "They answer the rest of the question; given for something else",
                self.otherwise_indicated,
            ),
            (
                "They answer the rest of the question; what for is not known",
                self.indication_unknown,
            ),
        ]
        return [(heading, rows) for heading, rows in kinds if rows]

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
        """Those that answer: “2 groups, 43 people”; where none does, those that answer the rest."""
        return extent([group for group in self.treated if group.pk in self.that_answer]) or (
            self.lead_apart
        )

    @property
    def lead_apart(self) -> str:
        """The treated groups that answer all but what it was given for."""
        return extent([group for group in self.treated if group.pk not in self.that_answer])

    @property
    def comparators(self) -> int:
        return sum(group.is_comparator for group in self.groups)


def extent(groups: list[StudyGroup]) -> str:
    """“4 groups, 75 people”, “2 groups of unknown size”; empty for none."""
    if not groups:
        return ""
    sizes = [group.n for group in groups if group.n is not None]
    parts = [pluralize(sum(sizes), "people")] if sizes else []
    if unsized := len(groups) - len(sizes):
        size = "unknown size"
        parts.append(f"{pluralize(unsized, 'groups')} of {size}" if sizes else f"of {size}")
    return f"{pluralize(len(groups), 'groups')}, {' and '.join(parts)}"


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
        .order_by("study__year", "study__short_name", "study", "position", "slug")
    )
    treated = set(candidates.order_by().values_list("pk", flat=True))
    by_study = defaultdict(list)
    for group in groups:
        if group.pk in treated or group.is_comparator:
            by_study[group.study_id].append(group)
    evidence = GroupEvidence(that_answer=frozenset(answering))
    for of_study in by_study.values():
        of_study.sort(key=lambda group: group.is_comparator)  # comparators stand last
        places = {group.pk: place_of(group, answering) for group in of_study}
        treated_places = [places[group.pk] for group in of_study if not group.is_comparator]
        for group in of_study:
            # a comparator stands with the group it was compared with that answers best
            place = min(treated_places) if group.is_comparator else places[group.pk]
            if group.findings.all():
                evidence_lists(evidence)[place].extend(evidence_rows(group))
            else:
                evidence.without_results.append(group)
    return evidence


def evidence_lists(evidence: GroupEvidence) -> list[list[EvidenceRow]]:
    """The lists of rows, best answer first."""
    return [evidence.answering, evidence.otherwise_indicated, evidence.indication_unknown]


def place_of(group: StudyGroup, answering: set[int]) -> int:
    """In which of `evidence_lists` a treated group stands."""
    if group.pk in answering:
        return 0
    return 1 if group.indications.all() else 2


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
            finding_in_words(finding, brief=True, with_summary=False),
            summary_of(finding),
            "" if finding.note == shared_note else finding.note,
        )
        for finding in findings
    ]

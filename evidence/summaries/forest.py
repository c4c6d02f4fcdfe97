"""Study by study: the same proportion in each, a raw total, and a pooled one where that can be justified."""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace

from ..counting import Tally
from ..models import GroupFinding, Study
from ..models.choices import Domain, FindingKind, Item, YesNo
from ..questions.filters import groups
from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from ..statistics import CannotPool, Pooled, clopper_pearson_interval, pooled_proportion
from .cohort import HEADLINES, events_ungraded
from .shares import Summary, format_number, known_of, known_tallies, run_summaries

# How an item is counted of individual patients: (dimension, its value), and how it is seen whether it is known.
COUNTED = {
    key: ((dimension, str(value.value)), (f"known:{attribute}", YesNo.YES.value))
    for key, _, attribute, (dimension, value) in HEADLINES
}
COUNTED["stopped"] = (("stopped", YesNo.YES.value), ("known:stopped", YesNo.YES.value))
COUNTED |= {
    f"improved_{domain.value}": (("domain_improved", domain.value), ("domain_known", domain.value)) for domain in Domain
}
# Flags that say of each course whether it is known; the results of a domain are rows, some of which are known.
CONDITIONS = {flag for _, (flag, _) in COUNTED.values() if flag.startswith("known:")}


MEASURE = "measure:"  # before the name of what groups alone report


@dataclass(frozen=True)
class StudyRow:
    """One study's proportion. `counted` is false where the same people stand in another row; `why` says so."""

    label: str
    slug: str
    what: str
    count: int
    known: int
    missing: int
    of_groups: bool = False
    counted: bool = True
    why: str = ""

    @property
    def fraction(self) -> str:
        return f"{self.count}/{self.known}" if self.known else "none known"

    @property
    def percent(self) -> float | None:
        return 100 * self.count / self.known if self.known else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The exact (Clopper-Pearson) 95 % interval, in percent."""
        found = clopper_pearson_interval(self.count, self.known)
        return found and (100 * found[0], 100 * found[1])

    @property
    def interval_text(self) -> str:
        return f"{format_number(self.interval[0])}–{format_number(self.interval[1])}" if self.interval else ""

    @property
    def pooled(self) -> bool:
        """Whether it goes into the pooled proportion: a study of one patient does not."""
        return self.counted and self.known > 1


@dataclass(frozen=True)
class Forest:
    """All studies of one item. `total` adds counted patients up; `refused` says why there is no pooled proportion."""

    item: str
    label: str
    rows: list[StudyRow]
    singles: StudyRow | None
    total: StudyRow
    pooled: Pooled | None
    refused: str
    unknown_studies: int
    duplicates: int
    shared: bool

    @property
    def studies(self) -> int:
        return sum(row.pooled for row in self.rows)

    @property
    def pooled_text(self) -> str:
        """“63.1 % (95 % CI 40.2–81.4), prediction interval 20.0–92.0 %”."""
        low, high = self.pooled.interval
        first, last = self.pooled.prediction
        return (
            f"{format_number(100 * self.pooled.proportion)} % (95 % CI {format_number(100 * low)}–{format_number(100 * high)}), "
            f"95 % prediction interval {format_number(100 * first)}–{format_number(100 * last)} %"
        )


def forest_items(question: Question) -> dict[str, str]:
    """What a forest plot can be drawn of: items of patients, and what groups report as events of n."""
    found = dict(Item.choices)
    # By the very words of the source: “grade 3” and “grade >= 3” are not the same.
    for measure in event_findings(question).filter(item="").values_list("measure", flat=True).distinct():
        found[f"{MEASURE}{measure}"] = f"{measure[:1].upper()}{measure[1:]} (groups only)"
    return found


def event_findings(question: Question):
    """Events of n in the treated groups that answer the question."""
    treated = groups(question).given_a_jak_inhibitor().order_by().values("pk")
    return GroupFinding.objects.within(question.collection).filter(group__in=treated, kind=FindingKind.EVENTS)


def counts_by_study(question: Question, item: str) -> Summary:
    """(counted, known, in view) by study."""
    (dimension, value), (flag, yes) = COUNTED[item]
    counted, in_view, graded, *known = yield [
        Tally(question, ("study", dimension)),
        Tally(question, ("study",)),
        Tally(question, ("study", "adverse_events", "known:serious")),
        *(
            known_tallies(question, flag, dimension, by="study")
            if flag in CONDITIONS
            else [Tally(question, ("study", flag))]
        ),
    ]
    left_out = studies_ungraded(graded) if item == Item.SERIOUS else set()
    if flag in CONDITIONS:
        knowing = {study: n for (study,), n in known_of(value, in_view, *known).items() if n}
    else:
        knowing = {study: n for (study, each), n in known[0].items() if each == yes}
    return (
        Counter({study: n for (study, each), n in counted.items() if each == value and study not in left_out}),
        Counter({study: n for study, n in knowing.items() if study not in left_out}),
        Counter({study: n for (study,), n in in_view.items()}),
    )


def studies_ungraded(graded: Counter) -> set[str]:
    """Studies in which events occurred and none is said to be serious or not; see `cohort.headlines`."""
    by_study = defaultdict(Counter)
    for (study, events, known), times in graded.items():
        by_study[study][(events, known)] += times
    return {study for study, counter in by_study.items() if events_ungraded(counter)}


def forest_plot(question: Question, item: str, vocabulary: Vocabulary, *, shared: bool = False) -> Forest:
    """The item in every study of the question. Raises KeyError for an item that is not in `items(question)`.

    People who may stand in several rows are counted once, where most of them are reported, unless `shared`.
    """
    label = forest_items(question)[item]
    rows, unknown, in_view = [], 0, 0
    if item in COUNTED:
        ((counted, known, everybody),) = run_summaries(counts_by_study(question, item))
        in_view = sum(everybody.values())
        unknown = sum(1 for study in everybody if not known[study])
        for study, n in known.items():
            name = vocabulary.label("study", study)
            rows.append(StudyRow(name, study, "patients one by one", counted[study], n, everybody[study] - n))
    rows += group_rows(question, item)
    rows.sort(key=lambda row: (-row.known, row.label, row.slug))
    if not shared:
        rows = counted_once(question, rows)
    alone = [row for row in rows if row.counted and row.known == 1]
    singles = None
    if alone:
        name = f"{len(alone)} studies of one patient each" if len(alone) > 1 else "1 study of one patient"
        singles = StudyRow(name, "", "not pooled", sum(row.count for row in alone), len(alone), 0)
    counting = [row for row in rows if row.counted]
    missing = in_view - sum(row.known for row in rows if not row.of_groups)
    count, known_in = sum(row.count for row in counting), sum(row.known for row in counting)
    total = StudyRow("All counted", "", "", count, known_in, missing)
    pooled, refused = None, ""
    try:
        pooled = pooled_proportion([(row.count, row.known) for row in rows if row.pooled])
    except CannotPool as error:
        refused = str(error)
    return Forest(
        item=item,
        label=label,
        rows=[row for row in rows if not (row.counted and row.known == 1)],
        singles=singles,
        total=total,
        pooled=pooled,
        refused=refused,
        unknown_studies=unknown,
        duplicates=sum(not row.counted for row in rows),
        shared=shared,
    )


def group_rows(question: Question, item: str) -> list[StudyRow]:
    """What groups report of an item, added up over a study's groups; of several times, the last."""
    found = event_findings(question).select_related("group__study").order_by("group", "at_weeks", "number")
    last: dict[int, GroupFinding] = {}
    for finding in found:
        if item == (finding.item or f"{MEASURE}{finding.measure}"):
            last[finding.group_id] = finding
    studies = defaultdict(list)
    for finding in last.values():
        studies[finding.group.study].append(finding)
    return [
        StudyRow(
            study.short_name,
            study.slug,
            "; ".join(sorted({f"{each.group.label}: {each.measure}" for each in reported})),
            sum(each.events for each in reported),
            sum(each.n for each in reported),
            0,
            True,
        )
        for study, reported in studies.items()
    ]


def counted_once(question: Question, rows: list[StudyRow]) -> list[StudyRow]:
    """Rows, largest first; one that may share people with a larger one, or with its own study's, is not counted."""
    links = Study.may_share_patients_with.through.objects.filter(from_study__collection=question.collection)
    pairs = set(links.values_list("from_study__slug", "to_study__slug"))
    kept: list[StudyRow] = []
    marked = []
    for row in rows:
        other = next((each for each in kept if may_share_people(each.slug, row.slug, pairs)), None)
        if other is None:
            kept.append(row)
            marked.append(row)
        else:
            why = "the same study" if other.slug == row.slug else other.label
            marked.append(replace(row, counted=False, why=f"may be people of {why}"))
    return marked


def may_share_people(one: str, other: str, pairs: set[tuple[str, str]]) -> bool:
    return one == other or (one, other) in pairs or (other, one) in pairs

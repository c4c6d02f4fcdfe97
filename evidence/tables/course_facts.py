"""What the rows of one course come to: first and last levels, results by domain, events counted."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..models import AdverseEvent, Outcome, Treatment
from ..models.choices import Ascertainment, Domain, KnownMeasure, Response, YesNo
from ..models.outcome import counting_order, window_of
from ..questions.question import Question
from . import lookups
from .column import BatchLookup
from .doses import parse_dose

# The levels that have columns of their own: their prefix, and the one measure that counts for each.
LEVEL_MEASURES = {
    "mrss": KnownMeasure.MRSS,
    "fvc_percent": KnownMeasure.FVC_PERCENT,
    "dlco_percent": KnownMeasure.DLCO_PERCENT,
}
SEVERE = 3  # CTCAE grade
OUTCOME_FIELDS = (
    "treatment", "pk", "domain", "measure_id", "baseline", "followup", "baseline_month",
    "at_months", "result",
)  # fmt: skip
EVENT_FIELDS = (
    "treatment", "category__code", "serious", "grade", "onset_months", "led_to_stop",
)  # fmt: skip

Facts = dict[str, Any]
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class CourseFact(BatchLookup):
    """One fact of a course, by its name in `facts_of_courses`."""

    path: str

    def look_up(
        self, paths: list[str], keys: list[int], question: Question
    ) -> list[dict[int, Any]]:
        facts = facts_of_courses(keys, question)
        return [
            {key: found[path] for key, found in facts.items() if path in found} for path in paths
        ]


def facts_of_courses(keys: list[int], question: Question) -> dict[int, Facts]:
    """All facts of some courses, by their primary keys; three queries, however many.

    Levels and results are those of the months that the question asks for, if it asks for some.
    """
    outcomes = rows_by_course(Outcome.objects.filter(treatment__among=keys), OUTCOME_FIELDS)
    events = rows_by_course(AdverseEvent.objects.filter(treatment__among=keys), EVENT_FIELDS)
    courses = Treatment.objects.filter(pk__among=keys)
    facts = {}
    for key, dose, duration, stated in courses.values_list(
        "pk", "dose", "duration_months", "adverse_events"
    ):
        of_months = [
            row
            for row in outcomes[key]
            if not question.outcome_months or window_of(row["at_months"]) in question.outcome_months
        ]
        facts[key] = {
            **dose_facts(dose),
            **level_facts(of_months),
            **result_facts(of_months),
            **event_facts(stated, events[key]),
            "follow_up_months": last_month(duration, outcomes[key], events[key]),
        }
    return facts


def rows_by_course(records, fields: tuple[str, ...]) -> defaultdict[int, Rows]:
    rows = defaultdict(list)
    for row in records.order_by("treatment", "number").values(*fields):
        rows[row["treatment"]].append(row)
    return rows


def dose_facts(text: str) -> Facts:
    dose = parse_dose(text)
    if dose is None:
        return {}
    return {
        "dose_amount": dose.amount,
        "dose_unit": dose.unit,
        "dose_times_daily": dose.times_daily,
        "dose_mg_daily": dose.mg_daily,
    }


def level_facts(outcomes: Rows) -> Facts:
    """Of each of LEVEL_MEASURES the level at the start and the last one, each with its month."""
    facts = {}
    for prefix, measure in LEVEL_MEASURES.items():
        rows = [row for row in outcomes if row["measure_id"] == measure.label]
        baselines = [(row["baseline_month"], row["baseline"]) for row in rows]
        followups = [(row["at_months"], row["followup"]) for row in rows]
        for name, (month, level) in (
            ("baseline", agreed_level(baselines, baseline_order)),
            ("last", agreed_level(followups, last_order)),
        ):
            facts[f"{prefix}_{name}"] = level
            facts[f"{prefix}_{name}_month"] = month
    return facts


Level = tuple[Decimal | None, Decimal | None]  # month, value


def baseline_order(month: Decimal | None) -> tuple:
    """The last before or at the start comes first, then one without a month, then the earliest."""
    if month is None:
        return (1, 0)
    return (0, -month) if month <= 0 else (2, month)


def last_order(month: Decimal | None) -> tuple:
    """The latest comes first, one without a month last."""
    return (1, 0) if month is None else (0, -month)


def agreed_level(levels: Iterable[Level], order) -> Level:
    """The level that comes first; none where several of that month differ."""
    stated = [(month, level) for month, level in levels if level is not None]
    if not stated:
        return None, None
    first = min(order(month) for month, _ in stated)
    candidates = {(month, level) for month, level in stated if order(month) == first}
    return candidates.pop() if len(candidates) == 1 else (None, None)


def result_facts(outcomes: Rows) -> Facts:
    """In each domain the result of the one outcome that counts, and its month; see
    `OutcomeQuerySet.one_per_treatment_and_domain`.
    """
    facts = {}
    for domain in Domain:
        stated = [
            row
            for row in outcomes
            if row["domain"] == domain.value and row["result"] != Response.UNKNOWN
        ]
        if stated:
            counted = min(
                stated,
                key=lambda row: counting_order(1, row["at_months"], row["result"], row["pk"]),
            )
            facts[f"{domain.value}_result"] = counted["result"]
            facts[f"{domain.value}_month"] = counted["at_months"]
    return facts


def event_facts(stated: str, events: Rows) -> Facts:
    """Events counted: nothing where it is not known which there were, zeros where the source says
    that there were none.
    """
    if stated != Ascertainment.EXPLICITLY_NONE and not events:
        return {}
    serious = Counter(event["serious"] for event in events)
    led_to_stop = Counter(event["led_to_stop"] for event in events)
    grades = [event["grade"] for event in events if event["grade"] is not None]
    by_category = Counter((event["category__code"], event["serious"]) for event in events)
    any_serious = YesNo.YES if serious[YesNo.YES] else YesNo.NO
    return {
        "events": len(events),
        "events_serious": number_of(serious[YesNo.YES], serious[YesNo.UNKNOWN]),
        "events_not_serious": number_of(serious[YesNo.NO], serious[YesNo.UNKNOWN]),
        "events_graded": len(grades),
        "events_grade_3_or_more": number_of(
            sum(grade >= SEVERE for grade in grades), len(events) - len(grades)
        ),
        "events_led_to_stop": number_of(led_to_stop[YesNo.YES], led_to_stop[YesNo.UNKNOWN]),
        "events_by_category": [
            f"{category}:{whether}:{count}"
            for (category, whether), count in sorted(by_category.items())
        ],
        "serious_event": None
        if any_serious == YesNo.NO and serious[YesNo.UNKNOWN]
        else any_serious.value,
    }


def number_of(known: int, unknown: int) -> int | None:
    """How many events are said to be of a kind. Nothing where none is, while of some (`unknown`) it
    is not said: that is no zero.
    """
    return known if known or not unknown else None


def last_month(duration: Decimal | None, outcomes: Rows, events: Rows) -> Decimal | None:
    """The last month of which anything is known."""
    months = [
        duration,
        *(row["at_months"] for row in outcomes),
        *(row["onset_months"] for row in events),
    ]
    return max((month for month in months if month is not None), default=None)


def appraisals_of_courses(keys: list[int], question: Question) -> dict[int, list[str]]:
    """The appraisals of the courses' studies; see `lookups.appraisals`."""
    study_of = dict(Treatment.objects.filter(pk__among=keys).values_list("pk", "patient__study"))
    appraisals = lookups.appraisals(sorted(set(study_of.values())), question)
    return {key: appraisals[study] for key, study in study_of.items() if study in appraisals}

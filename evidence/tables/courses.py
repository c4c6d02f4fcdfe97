"""The table for analysis: one row for each course, with all that is known of it side by side."""

from django.db.models import Case, CharField, Value, When

from ..counting.dimensions import whether_appraised
from ..models.choices import Appraised, Domain, Response, YesNo
from ..models.knowledge import SERIOUSNESS_COUNTED
from .column import Codes, Column, Table
from .course_facts import LEVEL_MEASURES, CourseFact, appraisals_of_courses
from .doses import MG_IN
from .tables import PATIENTS, RESPONSES, SINCE_START, TREATMENTS, YES_NO

LISTED = "events of the course that are listed"
LEVEL_OF = {
    "mrss": ("mRSS", "points"),
    "fvc_percent": ("FVC", "% predicted"),
    "dlco_percent": ("DLCO", "% predicted"),
}
OF_MONTHS = " Of the months that the question asks for, if it asks for some."
FROM_TEXT = (
    " Read from the column dose, and only where its whole text is an amount in mg or g, alone or "
    "“once”, “twice” or “three times” daily, or one for the day; otherwise empty."
)


def from_treatments(name: str) -> Column:
    (column,) = [column for column in TREATMENTS.columns if column.name == name]
    return column


def from_patients(name: str) -> Column:
    (column,) = [column for column in PATIENTS.columns if column.name == name]
    return column.at(f"patient__{name}")


def fact(name: str, label: str, meaning: str, **changes) -> Column:
    """A column worked out from the rows of the course."""
    return Column(name, label, lookup=CourseFact(name), single=True, meaning=meaning, **changes)


def number(name: str, label: str, meaning: str, unit: str, **changes) -> Column:
    return fact(name, label, meaning, numeric=True, unit=unit, **changes)


def level_columns(prefix: str) -> list[Column]:
    """A measure at the start and the last time, each with its month."""
    name, unit = LEVEL_OF[prefix]
    measure = LEVEL_MEASURES[prefix].label
    disagree = " Empty where several values of that month differ."
    return [
        number(
            f"{prefix}_baseline",
            f"{name} at baseline",
            f"Value of “{measure}” before or at the start: the last one dated so, or else one "
            f"without a month, or else the first dated later.{disagree}{OF_MONTHS}",
            unit,
        ),
        number(
            f"{prefix}_baseline_month",
            f"{name} at baseline: month",
            f"When {prefix}_baseline was taken; 0 is the start of the course.",
            SINCE_START,
        ),
        number(
            f"{prefix}_last",
            f"{name}, last",
            f"Value of “{measure}” at the last follow-up with a number; one without a month only "
            f"where none is dated.{disagree}{OF_MONTHS}",
            unit,
        ),
        number(
            f"{prefix}_last_month",
            f"{name}, last: month",
            f"When {prefix}_last was taken.",
            SINCE_START,
        ),
    ]


def domain_columns(domain: Domain) -> list[Column]:
    """What happened in a domain, by the one outcome that counts."""
    return [
        fact(
            f"{domain.value}_result",
            f"{domain.label}: result",
            f"Result of the one outcome of the course that counts in the domain "
            f"{domain.label.lower()}: the last dated one, an undated one only where none is dated, "
            f"of several at the same time the worst.{OF_MONTHS}",
            labels=RESPONSES,
            unknown=Response.UNKNOWN,
        ),
        number(
            f"{domain.value}_month",
            f"{domain.label}: month",
            f"When the outcome of {domain.value}_result was assessed.",
            SINCE_START,
        ),
    ]


AT_LEAST = (
    " Empty too if none is said to be so and of some it is not said; where some are, there may be "
    "more among those of which it is not said."
)


def count_of_events(name: str, label: str, which: str, least: str = "") -> Column:
    """A number of events. `least` says when it is the least there can be."""
    return number(
        name,
        label,
        f"How many {which}. 0 if the source says that no event occurred; empty if no event is "
        f"listed and it does not say so.{least}",
        LISTED,
        whole=True,
    )


def whether_counted() -> Case:
    """Whether a course is in the N of serious adverse events."""
    return Case(
        When(SERIOUSNESS_COUNTED.q(), then=Value(YesNo.YES.value)),
        default=Value(YesNo.NO.value),
        output_field=CharField(),
    )


COURSES = Table(
    noun="courses",
    title="Courses, for analysis",
    unit=TREATMENTS.unit,
    records=TREATMENTS.records,
    extraction=TREATMENTS.extraction,
    order=TREATMENTS.order,
    columns=[
        *map(
            from_treatments,
            ("patient", "treatment", "study", "study_name", "year", "design", "doi", "retraction"),
        ),
        Column(
            "appraised",
            "Appraised",
            lambda: whether_appraised("patient__study__"),
            "Whether two persons have answered every question about the study's risk of bias, and "
            "a consensus stands for each.",
            labels=dict(Appraised.choices),
        ),
        Column(
            "appraisal",
            "Appraisal",
            lookup=appraisals_of_courses,
            meaning="Of an appraised study, the set of questions, the number of each and the "
            "answer that was agreed on. Answers are not to be summed.",
            tells_missing=False,
        ),
        *map(
            from_patients,
            ("sex", "age_years", "subset", "disease_duration_months", "dlco_percent"),
        ),
        *map(from_treatments, ("inhibitor", "dose")),
        number(
            "dose_amount",
            "Dose: amount",
            f"The amount given at a time, or in a day where the text says no more.{FROM_TEXT}",
            "the unit in dose_unit",
        ),
        fact(
            "dose_unit",
            "Dose: unit",
            f"The unit of dose_amount.{FROM_TEXT}",
            labels={unit: unit for unit in MG_IN},
            tells_missing=False,
        ),
        number(
            "dose_times_daily",
            "Dose: times daily",
            "How often a day dose_amount is given; empty where the text does not say how often, or "
            f"gives one amount for the day.{FROM_TEXT}",
            "times a day",
            whole=True,
        ),
        number(
            "dose_mg_daily",
            "Dose: mg a day",
            f"The dose of a day; empty where the text does not say how often it is given."
            f"{FROM_TEXT}",
            "mg a day",
        ),
        *map(
            from_treatments,
            (
                "duration_months",
                "stopped",
                "stop_reason",
                "indications",
                "indications_completeness",
                "concomitant_therapies",
                "concomitant_therapies_completeness",
            ),
        ),
        number(
            "follow_up_months",
            "Last known month",
            "The last month of which anything is known: the length of the course, an outcome or "
            "the beginning of an adverse event. Follow-up may have been longer.",
            SINCE_START,
        ),
        *(column for prefix in LEVEL_MEASURES for column in level_columns(prefix)),
        *map(from_treatments, ("response", "relapsed")),
        *(column for domain in Domain for column in domain_columns(domain)),
        *map(from_treatments, ("adverse_events", "adverse_event_categories_completeness")),
        count_of_events("events", "Events", "adverse events are listed"),
        count_of_events(
            "events_serious", "Serious events", "of them are said to be serious", AT_LEAST
        ),
        count_of_events(
            "events_not_serious",
            "Events not serious",
            "of them are said not to be serious",
            AT_LEAST,
        ),
        count_of_events("events_graded", "Graded events", "of them have a CTCAE grade"),
        count_of_events(
            "events_grade_3_or_more",
            "Events of grade 3 or more",
            "of them have a grade of 3 to 5",
            AT_LEAST,
        ),
        count_of_events(
            "events_led_to_stop",
            "Events that led to stopping",
            "of them are said to have led to stopping the JAK inhibitor",
            AT_LEAST,
        ),
        Column(
            "events_by_category",
            "Events by category",
            lookup=CourseFact("events_by_category"),
            meaning="The listed events, counted by category and seriousness: each a category, "
            "whether serious and a number, joined by colons, such as infection:no:2. “unknown” "
            "stands for events of which it is not said. Empty too where the source says that none "
            "occurred.",
            codes=Codes(
                f"a code of an adverse event category, {', '.join(YesNo.values)}, and a number, "
                "joined by :"
            ),
            tells_missing=False,
        ),
        fact(
            "serious_event",
            "Serious event",
            "Whether an event of the course was serious: yes if one is said to be, no if none "
            "occurred or every listed one is said not to be.",
            labels=YES_NO,
            unknown=YesNo.UNKNOWN,
        ),
        Column(
            "serious_counted",
            "Counted for seriousness",
            whether_counted,
            "Whether the course is in the N of serious adverse events: not where it is not known "
            "whether an event was serious, and not where none occurred but its study says of none "
            "of its events whether they were serious. If of no event of the courses in view it is "
            "said whether it was serious, take no course at all, as the pages do.",
            labels=YES_NO,
            unknown=YesNo.UNKNOWN,
        ),
    ],
)

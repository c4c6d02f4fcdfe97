"""The charts a reader can choose from: what each counts, and how it is drawn."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..models.treatment import SET_SEPARATOR
from ..questions.filters import AskedInWords, asked_of_groups
from ..questions.parsing import ParsedRequest
from ..questions.question import FilterLink, Question
from ..summaries.cohort import (
    Totals,
    age_and_sex,
    cohort_totals,
    events_by_category,
    response_by_indication_set,
    response_by_inhibitor,
)
from ..summaries.combinations import value_combinations
from ..summaries.courses import MEASURES, patient_levels, swimmer_rows
from ..summaries.groups import group_changes
from ..summaries.shares import pluralize, run_summaries
from ..tables import TABLES, page_records
from .bars import age_chart, event_chart, response_chart
from .changes import change_chart, level_chart
from .chart import Chart
from .courses import people_chart, swimmer_chart
from .upset import upset_chart

SWIMMERS = 40  # courses of a swimmer plot


@dataclass(frozen=True)
class ChartSpec:
    """A chart by its name. `counts` gives the summary it needs, if it is made of counts; `draw` gets its result, or
    None. `draw` returns None where there is nothing the reader would look for.
    """

    name: str
    label: str
    draw: Callable[[ParsedRequest, Any, Totals], Chart | None]
    counts: Callable[[ParsedRequest], Any] | None = None
    usual: bool = False


def selected_charts(asked: ParsedRequest) -> list[ChartSpec]:
    """The charts the address names, or the usual ones."""
    names = [name for name in asked.view.get("chart", ()) if name in CHARTS]
    return [each for each in CHARTS.values() if (each.name in names if names else each.usual)]


def drop_default_charts(asked: ParsedRequest) -> None:
    """Forgets a choice that is the usual one: the form always says which charts are ticked, the address need not."""
    if set(asked.view.get("chart", ())) == {each.name for each in CHARTS.values() if each.usual}:
        del asked.view["chart"]


def build_chart(asked: ParsedRequest, name: str) -> Chart:
    """A chart by its name, also where there is nothing to show. Raises KeyError."""
    drawn, asked.view["chart"] = CHARTS[name], [name]
    totals, *rest = run_summaries(cohort_totals(asked.question), *([drawn.counts(asked)] if drawn.counts else []))
    return drawn.draw(asked, rest[0] if rest else None, totals)


# What choosing a mark asks


def response_link(question: Question, name: str) -> Callable:
    """A verdict on the courses of one drug or indication set; without a verdict, all of its courses."""

    def choose(row, response: str | None) -> FilterLink | None:
        said = {"response": (str(response),)} if response else {}
        if name == "inhibitor":
            return question.toggle(inhibitor=(row.key,), **said)
        if row.partial:  # no address says “at least these, of a list that may not be complete”
            return None
        if not row.key:
            missing = tuple(sorted({*question.value("missing", ()), "indication"}))
            return question.toggle(missing=missing, **said)
        return question.exactly("indication", row.key.split(SET_SEPARATOR), **said)

    return choose


def age_band_link(question: Question) -> Callable:
    """A decade of age, within the ages that are asked for already."""

    def choose(band: str, sex: str | None) -> FilterLink:
        low, high = map(int, band.split("–"))
        ages = {
            "age_min": max(low, question.value("age_min", low)),
            "age_max": min(high, question.value("age_max", high)),
        }
        return question.toggle(**ages, **({"sex": (sex,)} if sex else {}))

    return choose


# How each is drawn


def upset_spec(kind: str, name: str, title: str, nothing: str, *, usual: bool = False) -> ChartSpec:
    def draw(asked: ParsedRequest, found, totals: Totals) -> Chart:
        question = asked.question
        return upset_chart(
            name,
            title,
            found,
            asked.collection,
            nothing=nothing,
            exactly=lambda codes: question.exactly(kind, codes),
            among=lambda code: question.refine(kind, code),
        )

    return ChartSpec(name, title, draw, lambda asked: value_combinations(asked.question, kind, asked.vocabulary), usual)


def draw_response_by_inhibitor(asked: ParsedRequest, rows, totals: Totals) -> Chart:
    choose = response_link(asked.question, "inhibitor")
    return response_chart(
        "response-by-inhibitor", "Response by JAK inhibitor", "JAK inhibitor", rows, asked.collection, choose=choose
    )


def draw_response_by_indication(asked: ParsedRequest, rows, totals: Totals) -> Chart:
    return response_chart(
        "response-by-indication",
        "Response by indications",
        "Indications together",
        rows,
        asked.collection,
        choose=response_link(asked.question, "indication"),
    )


def draw_adverse_events(asked: ParsedRequest, rows, totals: Totals) -> Chart:
    nothing = f"No adverse event is recorded in the {pluralize(totals.patients, 'patients')} in view."
    nothing += " That is not the same as none having occurred: see how many are not known."
    return event_chart(
        rows,
        asked.collection,
        nothing=nothing,
        choose=lambda code: asked.question.refine("adverse_event", code),
    )


def draw_age_and_sex(asked: ParsedRequest, people, totals: Totals) -> Chart:
    return age_chart(people, asked.collection, choose=age_band_link(asked.question))


def of_groups(drawn: Chart, in_words: AskedInWords) -> Chart:
    """A chart of groups, saying which parts of the question were not asked of them."""
    if not in_words.not_asked:
        return drawn
    told = f"Not asked of these groups: {'; '.join(in_words.not_asked)}. They may hold patients like these."
    return replace(drawn, note=f"{told} {drawn.note}".rstrip(), in_words=in_words)


def group_spec(measure: str, how: str) -> ChartSpec:
    """A measure in groups; left out where no group prints it, unless it is asked for by name."""
    label, names = MEASURES[measure]
    name = f"group-{how}" if measure == "mrss" else f"group-{how}-{measure}"
    draws = {"levels": level_chart, "changes": change_chart}[how]

    def draw(asked: ParsedRequest, _, totals: Totals) -> Chart | None:
        rows = group_changes(asked.question, *names)
        if not rows and name not in asked.view.get("chart", ()):
            return None
        return of_groups(draws(label, rows, asked.collection, name), asked_of_groups(asked.question, asked.vocabulary))

    titles = {"levels": f"{label} in groups: baseline to follow-up", "changes": f"Change in {label} in groups"}
    return ChartSpec(name, titles[how], draw, usual=measure == "mrss")


def patient_levels_spec(measure: str) -> ChartSpec:
    label, _ = MEASURES[measure]

    def draw(asked: ParsedRequest, _, totals: Totals) -> Chart:
        return people_chart(measure, patient_levels(asked.question, measure), asked.collection)

    return ChartSpec(f"{measure}-levels", f"{label} in single patients: baseline to follow-up", draw)


def draw_swimmers(asked: ParsedRequest, _, totals: Totals) -> Chart:
    """The longest courses. The list of treatments says which they are, so that both show the same."""
    courses = page_records(TABLES["treatments"], asked.question, "-duration_months", 0, SWIMMERS)
    courses = courses.select_related("patient", "inhibitor").prefetch_related("outcomes", "events__category")
    return swimmer_chart(swimmer_rows(asked.question, courses), asked.collection)


CHARTS = {
    each.name: each
    for each in [
        upset_spec(
            "indication",
            "indication-sets",
            "Indications, as combinations",
            "The indications are known of none of these patients.",
            usual=True,
        ),
        ChartSpec(
            "response-by-inhibitor",
            "Response by JAK inhibitor",
            draw_response_by_inhibitor,
            lambda asked: response_by_inhibitor(asked.question, asked.vocabulary),
            usual=True,
        ),
        ChartSpec(
            "response-by-indication",
            "Response by indications",
            draw_response_by_indication,
            lambda asked: response_by_indication_set(asked.question, asked.vocabulary),
            usual=True,
        ),
        ChartSpec(
            "adverse-events",
            "Adverse events by category",
            draw_adverse_events,
            lambda asked: events_by_category(asked.question, asked.vocabulary),
            usual=True,
        ),
        ChartSpec(
            "age-and-sex",
            "Age and sex",
            draw_age_and_sex,
            lambda asked: age_and_sex(asked.question),
            usual=True,
        ),
        group_spec("mrss", "levels"),
        group_spec("mrss", "changes"),
        upset_spec(
            "manifestation",
            "manifestation-sets",
            "Manifestations, as combinations",
            "No manifestation is recorded as present in any of these patients.",
        ),
        upset_spec(
            "prior",
            "prior-sets",
            "Prior therapies, as combinations",
            "No prior therapy is recorded of any of these patients.",
        ),
        patient_levels_spec("mrss"),
        patient_levels_spec("fvc"),
        patient_levels_spec("dlco"),
        ChartSpec("swimmers", "Courses over time (swimmer plot)", draw_swimmers),
        group_spec("fvc", "levels"),
        group_spec("dlco", "levels"),
    ]
}

"""The charts a reader can choose from: what each counts, and how it is drawn."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..models.treatment import SET_SEPARATOR
from ..questions.filters import AskedQuestion, describe_for_groups
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
from ..summaries.groups import group_changes
from ..summaries.shares import ASKED_FOR, pluralize, run_summaries
from ..summaries.treatments import MEASURES, patient_levels, swimmer_rows
from ..tables import TABLES, page_records
from .bars import age_chart, event_chart, response_chart
from .changes import change_chart, level_chart
from .chart import Chart
from .treatments import patient_levels_chart, swimmer_chart
from .upset import upset_chart

SWIMMERS = 40  # treatments of a swimmer plot


@dataclass(frozen=True)
class ChartSpec:
    """A chart by its name. `counts` gives the summary it needs, if it is made of counts; `draw`
    gets its result, or None. `draw` returns None where there is nothing the reader would look for.
    """

    name: str
    label: str
    draw: Callable[[ParsedRequest, Any, Totals], Chart | None]
    counts: Callable[[ParsedRequest], Any] | None = None
    is_default: bool = False


def selected_charts(parsed: ParsedRequest) -> list[ChartSpec]:
    """The charts the address names, or the usual ones."""
    names = [name for name in parsed.view.get("chart", ()) if name in CHARTS]
    return [spec for spec in CHARTS.values() if (spec.name in names if names else spec.is_default)]


def drop_default_charts(parsed: ParsedRequest) -> None:
    """Removes the names of the charts from the address if they are the default ones: the form
    always sends which charts are ticked, and the address does not need them.
    """
    if set(parsed.view.get("chart", ())) == {
        spec.name for spec in CHARTS.values() if spec.is_default
    }:
        del parsed.view["chart"]


def build_chart(parsed: ParsedRequest, name: str) -> Chart:
    """A chart by its name, also where there is nothing to show. Raises KeyError."""
    spec, parsed.view["chart"] = CHARTS[name], [name]
    totals, *chart_counts = run_summaries(
        cohort_totals(parsed.question), *([spec.counts(parsed)] if spec.counts else [])
    )
    return spec.draw(parsed, chart_counts[0] if chart_counts else None, totals)


# What choosing a mark asks


def response_link(question: Question, name: str) -> Callable:
    """A verdict on the treatments of one drug or indication set; without a verdict, all of its
    treatments.
    """

    def verdict_link(row, response: str | None) -> FilterLink | None:
        response_part = {"response": (str(response),)} if response else {}
        if name == "inhibitor":
            return question.toggle(inhibitor=(row.key,), **response_part)
        if row.partial:  # no address says “at least these, of a list that may not be complete”
            return None
        if not row.key:
            missing = tuple(sorted({*question.value("missing", ()), "indication"}))
            return question.toggle(missing=missing, **response_part)
        return question.exactly("indication", row.key.split(SET_SEPARATOR), **response_part)

    return verdict_link


def age_band_link(question: Question) -> Callable:
    """A decade of age, within the ages that are asked for already."""

    def band_link(band: str, sex: str | None) -> FilterLink:
        low, high = map(int, band.split("–"))
        ages = {
            "age_min": max(low, question.value("age_min", low)),
            "age_max": min(high, question.value("age_max", high)),
        }
        return question.toggle(**ages, **({"sex": (sex,)} if sex else {}))

    return band_link


# How each is drawn


def upset_spec(
    kind: str, name: str, title: str, empty_text: str, *, is_default: bool = False
) -> ChartSpec:
    def draw_upset(parsed: ParsedRequest, combinations, totals: Totals) -> Chart:
        question = parsed.question
        return upset_chart(
            name,
            title,
            combinations,
            parsed.collection,
            empty_text=empty_text,
            exact_link=lambda codes: question.exactly(kind, codes),
            value_link=lambda code: question.refine(kind, code),
        )

    return ChartSpec(
        name,
        title,
        draw_upset,
        lambda parsed: value_combinations(parsed.question, kind, parsed.vocabulary),
        is_default,
    )


def draw_response_by_inhibitor(parsed: ParsedRequest, rows, totals: Totals) -> Chart:
    link_of = response_link(parsed.question, "inhibitor")
    return response_chart(
        "response-by-inhibitor",
        "Response by JAK inhibitor",
        "JAK inhibitor",
        rows,
        parsed.collection,
        link_of=link_of,
    )


def draw_response_by_indication(parsed: ParsedRequest, rows, totals: Totals) -> Chart:
    return response_chart(
        "response-by-indication",
        "Response by indications",
        "Indications together",
        rows,
        parsed.collection,
        link_of=response_link(parsed.question, "indication"),
    )


def draw_adverse_events(parsed: ParsedRequest, rows, totals: Totals) -> Chart:
    empty_text = (
        f"No adverse event is recorded in the {pluralize(totals.patients, 'patients')} in view."
    )
    empty_text += " That is not the same as none having occurred: see how many are not known."
    return event_chart(
        rows,
        parsed.collection,
        empty_text=empty_text,
        link_of=lambda code: parsed.question.refine("adverse_event", code),
    )


def draw_age_and_sex(parsed: ParsedRequest, demographics, totals: Totals) -> Chart:
    question = parsed.question
    asks_for_age = any(question.value(name) is not None for name in ("age_min", "age_max"))
    return age_chart(
        demographics,
        parsed.collection,
        link_of=age_band_link(question),
        asked_for=ASKED_FOR if asks_for_age else "",
    )


def with_parts_not_asked(chart: Chart, in_words: AskedQuestion) -> Chart:
    """A chart of groups with a note of the parts of the question that groups cannot answer."""
    if not in_words.not_asked:
        return chart
    explanation = (
        f"Not asked of these groups: {'; '.join(in_words.not_asked)}. Those on a JAK "
        "inhibitor may hold patients like these; comparators hold nobody on one."
    )
    return replace(chart, note=f"{explanation} {chart.note}".rstrip(), in_words=in_words)


def group_spec(measure: str, kind: str) -> ChartSpec:
    """A measure in groups; left out where no group prints it, unless it is asked for by name."""
    label, names = MEASURES[measure]
    name = f"group-{kind}" if measure == "mrss" else f"group-{kind}-{measure}"
    draw = {"levels": level_chart, "changes": change_chart}[kind]

    def draw_groups(parsed: ParsedRequest, _, totals: Totals) -> Chart | None:
        rows = group_changes(parsed.question, *names)
        if not rows and name not in parsed.view.get("chart", ()):
            return None
        return with_parts_not_asked(
            draw(label, rows, parsed.collection, name),
            describe_for_groups(parsed.question, parsed.vocabulary),
        )

    titles = {
        "levels": f"{label} in groups: baseline to follow-up",
        "changes": f"Change in {label} in groups",
    }
    return ChartSpec(name, titles[kind], draw_groups, is_default=measure == "mrss")


def patient_levels_spec(measure: str) -> ChartSpec:
    label, _ = MEASURES[measure]

    def draw_levels(parsed: ParsedRequest, _, totals: Totals) -> Chart:
        return patient_levels_chart(
            measure, patient_levels(parsed.question, measure), parsed.collection
        )

    return ChartSpec(
        f"{measure}-levels", f"{label} in single patients: baseline to follow-up", draw_levels
    )


def draw_swimmers(parsed: ParsedRequest, _, totals: Totals) -> Chart:
    """A swimmer plot of the longest treatments, in the order in which the list of treatments sorts
    them.
    """
    treatments = page_records(
        TABLES["treatments"], parsed.question, "-duration_months", 0, SWIMMERS
    )
    treatments = treatments.select_related("patient", "inhibitor").prefetch_related(
        "outcomes", "events__category"
    )
    return swimmer_chart(swimmer_rows(parsed.question, treatments), parsed.collection)


CHARTS = {
    spec.name: spec
    for spec in [
        upset_spec(
            "indication",
            "indication-sets",
            "Indications, as combinations",
            "The indications are known of none of these patients.",
            is_default=True,
        ),
        ChartSpec(
            "response-by-inhibitor",
            "Response by JAK inhibitor",
            draw_response_by_inhibitor,
            lambda parsed: response_by_inhibitor(parsed.question, parsed.vocabulary),
            is_default=True,
        ),
        ChartSpec(
            "response-by-indication",
            "Response by indications",
            draw_response_by_indication,
            lambda parsed: response_by_indication_set(parsed.question, parsed.vocabulary),
            is_default=True,
        ),
        ChartSpec(
            "adverse-events",
            "Adverse events by category",
            draw_adverse_events,
            lambda parsed: events_by_category(parsed.question, parsed.vocabulary),
            is_default=True,
        ),
        ChartSpec(
            "age-and-sex",
            "Age and sex",
            draw_age_and_sex,
            lambda parsed: age_and_sex(parsed.question),
            is_default=True,
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

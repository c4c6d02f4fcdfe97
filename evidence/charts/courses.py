"""Charts of single courses: levels before and after, swimmers, the timeline of one case."""

from ..models import Collection
from ..models.choices import Response, YesNo
from ..summaries import Levels, Swimmers, format_number, pluralize
from ..summaries.courses import LINES, LevelsAtMonth, Swimmer
from ..summaries.shares import unit_of
from .chart import (
    COLOURS,
    COUNT,
    NOT_KNOWN,
    SECOND,
    Chart,
    ChartTable,
    build_figure,
    error_bars,
    label_text,
    rows_axis,
    value_axis,
)

SYMBOLS = {
    Response.IMPROVED: "triangle-up",
    Response.STABLE: "square",
    Response.WORSENED: "triangle-down",
    Response.NOT_IMPROVED: "x",
    Response.UNKNOWN: "circle-open",
}
LABELS = dict(Response.choices)


def quartile_text(three: tuple[float, float, float]) -> str:
    low, middle, high = (format_number(each).replace("-", "−") for each in three)
    return f"{middle} ({low} to {high})"


def people_chart(code: str, found: Levels, collection: Collection) -> Chart:
    """Each patient's level before and after, window by window, with median and quartiles of each window."""
    name, title = f"{code}-levels", f"{found.measure} in single patients: baseline to follow-up"
    headings = ["Assessed at", "outcomes", "Baseline, median (IQR)", "Follow-up, median (IQR)", "Change, median (IQR)"]
    rows = [
        [each.month.label, str(len(each.levels)), *map(quartile_text, (each.baseline, each.followup, each.change))]
        for each in found.months
    ]
    file = [
        [each.patient, month.month.value, each.month, each.baseline, each.followup, each.change, each.result]
        for month in found.months
        for each in month.levels
    ]
    columns = ["patient", "assessed_about", "month", "baseline", "followup", "change", "authors_result"]
    table = ChartTable(headings, rows, {}, (columns, file))
    if not found.months:
        told = f"{found.measure} is recorded in {pluralize(found.recorded, 'outcomes')} here"
        return Chart(name, title, f"{told}, none with a number at baseline and at follow-up.", table)
    drawn, left = [], LINES
    for place, month in enumerate(found.months):
        drawn += month_traces(place, month, collection, left)
        left = max(left - len(month.levels), 0)
    ticks = list(range(len(found.months)))
    layout = {
        "xaxis": value_axis(
            "baseline → follow-up, by when it was assessed",
            tickvals=ticks,
            ticktext=[label_text(each.month.label.partition(" (")[0], 12) for each in found.months],
            range=[-0.6, len(ticks) - 0.4],
            showgrid=False,
        ),
        "yaxis": value_axis(found.measure, rangemode="tozero"),
    }
    seen = set()
    for trace in drawn:
        trace["showlegend"] = trace.get("name", "") not in seen and "name" in trace
        seen.add(trace.get("name", ""))
    told = "; ".join(
        f"{each.month.label.partition(' (')[0].lower()}: median {format_number(each.baseline[1])} to "
        f"{format_number(each.followup[1])} (n = {len(each.levels)})"
        for each in found.months
    )
    sentence = (
        f"{found.measure} is known before and after in {found.both} of {pluralize(found.recorded, 'outcomes')} that "
        f"record it, of {pluralize(found.patients, 'patients')}: {told}."
    )
    note = "Diamonds are medians, their bars the quartiles. Months apart are never put together."
    note += f" Only the first {LINES} lines are drawn; medians are of all." if found.both > LINES else ""
    marks = [trace.pop("opens", []) for trace in drawn]
    return Chart(name, title, sentence, table, build_figure(collection, drawn, rows=8, **layout), note, marks)


def month_traces(place: int, month: LevelsAtMonth, collection: Collection, room: int) -> list[dict]:
    """Lines of single patients by result, then the medians."""
    before, after = place - 0.28, place + 0.28
    traces = []
    for response in Response:
        levels = [each for each in month.levels[:room] if each.result == response]
        if not levels:
            continue
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": LABELS[response],
                "x": [x for _ in levels for x in (before, after, None)],
                "y": [y for each in levels for y in (each.baseline, each.followup, None)],
                "line": {"color": COLOURS[response], "width": 1.2},
                "marker": {"color": COLOURS[response], "symbol": SYMBOLS[response], "size": 7},
                "opacity": 0.75,
                "customdata": [each.patient for each in levels for _ in range(3)],
                "hovertemplate": "%{customdata}: %{y}<extra>" + LABELS[response] + "</extra>",
                "opens": [case_url(collection, each.patient) for each in levels for _ in range(3)],
            }
        )
    pairs = [(before, month.baseline), (after, month.followup)]
    traces.append(
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": "Median, quartiles",
            "x": [x for x, _ in pairs],
            "y": [middle for _, (_, middle, _) in pairs],
            "line": {"color": COUNT, "width": 3},
            "marker": {"color": COUNT, "symbol": "diamond", "size": 12},
            "error_y": error_bars(
                [middle for _, (_, middle, _) in pairs],
                [(low, high) for _, (low, _, high) in pairs],
                thickness=2,
                width=6,
            ),
            "hovertemplate": "median %{y}<extra></extra>",
        }
    )
    return traces


def case_url(collection: Collection, patient: str) -> str:
    """The address of a case; public ids are slugs, so they stand in it as they are."""
    return f"/{collection.slug}/patients/{patient}/"


def months_text(value: float | None, missing: str = "not known") -> str:
    return missing if value is None else format_number(value).removesuffix(".0")


def length_text(months: float | None, missing: str) -> str:
    """“1 month”, “2.5 months”, or that it is missing."""
    return missing if months is None else f"{months_text(months)} {unit_of(months, 'months')}"


def swimmer_chart(found: Swimmers, collection: Collection) -> Chart:
    """Courses as bars from their start, with what happened when; a course of unknown length has an open end."""
    name, title = "swimmers", "Courses over time"
    headings = ["Course", "JAK inhibitor", "months", "Response", "Stopped", "Outcomes", "Events", "without a month"]
    rows = [
        [
            f"{each.patient}, {each.number}",
            each.inhibitor,
            months_text(each.months),
            LABELS[each.response],
            YesNo(each.stopped).label,
            "; ".join(f"month {months_text(m)}: {what}, {LABELS[result].lower()}" for m, what, result in each.outcomes),
            "; ".join(f"month {months_text(m)}: {what}" for m, what in each.events),
            str(each.undated),
        ]
        for each in found.courses
    ]
    table = ChartTable(headings, rows)
    drawn = [each for each in found.courses if each.drawable]
    dated = sum(bool(each.outcomes or each.events) for each in found.courses)
    sentence = (
        f"The length is known of {found.of_known_length} of {pluralize(found.treatments, 'treatments')}; "
        f"{dated} of the {len(found.courses)} listed here {'has' if dated == 1 else 'have'} an outcome or event with a "
        "month."
    )
    if not drawn:
        return Chart(name, title, f"{sentence} So there is nothing to draw.", table)
    traces, marks = swimmer_traces(
        drawn, [label_text(f"{each.patient} · {each.inhibitor}", 34) for each in drawn], collection
    )
    labels = traces[0]["y"]
    layout = {
        "barmode": "overlay",
        "xaxis": value_axis("months since the start of the course"),
        "yaxis": rows_axis(labels),
    }
    note = (
        "What has no month is in the table. A course whose length is not known is drawn pale, to the last month known."
    )
    if found.treatments > len(found.courses):
        note += f" The {len(found.courses)} longest of {found.treatments} courses."
    return Chart(
        name,
        title,
        sentence,
        table,
        build_figure(collection, traces, rows=-(-len(drawn) * 3 // 5), **layout),
        note,
        marks,
    )


def swimmer_traces(courses: list[Swimmer], labels: list[str], collection: Collection | None):
    """Bars, outcomes by result, events, stops."""
    bars = {
        "type": "bar",
        "orientation": "h",
        "name": "On treatment",
        "y": labels,
        "x": [each.end for each in courses],
        "marker": {
            "color": [COUNT if each.months is not None else NOT_KNOWN for each in courses],
            "opacity": [0.45 if each.months is not None else 0.25 for each in courses],
        },
        "width": 0.45,
        "customdata": [length_text(each.months, "length not known") for each in courses],
        "hovertemplate": "%{y}: %{customdata}<extra></extra>",
    }
    traces = [bars]
    for response in Response:
        dated = [
            (label, month, what)
            for label, each in zip(labels, courses, strict=True)
            for month, what, result in each.outcomes
            if result == response
        ]
        if dated:
            traces.append(
                event_markers(f"Outcome: {LABELS[response].lower()}", dated, COLOURS[response], SYMBOLS[response])
            )
    events = [(label, *event) for label, each in zip(labels, courses, strict=True) for event in each.events]
    if events:
        traces.append(event_markers("Adverse event", events, SECOND, "star"))
    stops = [
        (label, each.months, "stopped")
        for label, each in zip(labels, courses, strict=True)
        if each.stopped == YesNo.YES and each.months is not None
    ]
    if stops:
        traces.append(event_markers("Stopped", stops, COLOURS[Response.WORSENED], "line-ns-open"))
    marks = [[case_url(collection, each.patient) for each in courses]] if collection else []
    return traces, marks


def event_markers(name: str, dated: list[tuple], colour: str, symbol: str) -> dict:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "y": [label for label, _, _ in dated],
        "x": [month for _, month, _ in dated],
        "marker": {"color": colour, "symbol": symbol, "size": 12, "line": {"width": 2}},
        "customdata": [f"month {months_text(month)}: {label_text(what, 60)}" for _, month, what in dated],
        "hovertemplate": "%{customdata}<extra>" + name + "</extra>",
    }


def timeline_chart(courses: list[Swimmer], before: list[tuple[str, str]], collection: Collection) -> Chart:
    """One case over time: its courses from their start. `before` holds what came earlier, as (what, when)."""
    name, title = "timeline", "Timeline"
    rows = [["Before", what, when] for what, when in before]
    for each in courses:
        course = f"{each.inhibitor}, course {each.number}" if len(courses) > 1 else each.inhibitor
        rows.append([course, "given for", length_text(each.months, "not known")])
        rows += [
            [course, f"{what}: {LABELS[result].lower()}", f"month {months_text(m)}"]
            for m, what, result in each.outcomes
        ]
        rows += [[course, f"adverse event: {what}", f"month {months_text(m)}"] for m, what in each.events]
        if each.undated:
            rows.append([course, pluralize(each.undated, "outcomes or events"), "month not known"])
    table = ChartTable(["Part", "What", "When"], rows)
    drawn = [each for each in courses if each.drawable]
    known = sum(each.months is not None for each in courses)
    dated = sum(len(each.outcomes) + len(each.events) for each in courses)
    undated = sum(each.undated for each in courses)
    sentence = (
        f"The length is known of {known} of {pluralize(len(courses), 'courses')}; {dated} of "
        f"{pluralize(dated + undated, 'outcomes or events')} {'has' if dated == 1 else 'have'} a month."
    )
    if not drawn:
        return Chart(name, title, f"{sentence} So there is nothing to draw.", table)
    labels = [label_text(f"{each.number}: {each.inhibitor}", 24) for each in drawn]
    traces, _ = swimmer_traces(drawn, labels, None)
    layout = {
        "barmode": "overlay",
        "xaxis": value_axis("months since the start of the course"),
        "yaxis": rows_axis(labels),
    }
    note = "Each course begins at its own month 0; how much time lay between courses is not recorded."
    return Chart(
        name,
        title,
        sentence,
        table,
        build_figure(collection, traces, rows=len(drawn) + 1, **layout),
        note if len(courses) > 1 else "",
    )

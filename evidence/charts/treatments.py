"""Charts of single treatments: levels before and after, swimmers, the timeline of one case."""

from ..models import Collection
from ..models.choices import Response, YesNo
from ..summaries import Levels, Swimmers, format_number, pluralize
from ..summaries.shares import group_digits, unit_of
from ..summaries.treatments import LINES, LevelsAtMonth, Swimmer
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


def quartile_text(quartiles: tuple[float, float, float]) -> str:
    low, middle, high = (format_number(value).replace("-", "−") for value in quartiles)
    return f"{middle} ({low} to {high})"


def patient_levels_chart(code: str, levels: Levels, collection: Collection) -> Chart:
    """Each patient's level before and after, window by window, with median and quartiles of each
    window.
    """
    name, title = f"{code}-levels", f"{levels.measure} in single patients: baseline to follow-up"
    headings = [
        "Assessed at",
        "outcomes",
        "Baseline, median (IQR)",
        "Follow-up, median (IQR)",
        "Change, median (IQR)",
    ]
    rows = [
        [
            month.month.label,
            str(len(month.levels)),
            *map(quartile_text, (month.baseline, month.followup, month.change)),
        ]
        for month in levels.months
    ]
    file = [
        [
            level.patient,
            month.month.value,
            level.month,
            level.baseline,
            level.followup,
            level.change,
            level.result,
        ]
        for month in levels.months
        for level in month.levels
    ]
    columns = [
        "patient",
        "assessed_about",
        "month",
        "baseline",
        "followup",
        "change",
        "authors_result",
    ]
    table = ChartTable(headings, rows, {}, (columns, file))
    if not levels.months:
        text = f"{levels.measure} is recorded in {pluralize(levels.recorded, 'outcomes')} here"
        return Chart(
            name,
            title,
            f"{text}, none with a number at baseline and at follow-up.",
            table,
            nothing=f"{levels.measure} is known before and after in no patient",
        )
    traces, lines_left = [], LINES
    for position, month in enumerate(levels.months):
        traces += month_traces(position, month, collection, lines_left)
        lines_left = max(lines_left - len(month.levels), 0)
    ticks = list(range(len(levels.months)))
    layout = {
        "xaxis": value_axis(
            "baseline → follow-up, by when it was assessed",
            tickvals=ticks,
            ticktext=[
                label_text(month.month.label.partition(" (")[0], 12) for month in levels.months
            ],
            range=[-0.6, len(ticks) - 0.4],
            showgrid=False,
        ),
        "yaxis": value_axis(levels.measure, rangemode="tozero"),
    }
    seen_names = set()
    for trace in traces:
        trace["showlegend"] = trace.get("name", "") not in seen_names and "name" in trace
        seen_names.add(trace.get("name", ""))
    text = "; ".join(
        f"{month.month.label.partition(' (')[0].lower()}: median "
        f"{format_number(month.baseline[1])} to {format_number(month.followup[1])} (n = "
        f"{len(month.levels)})"
        for month in levels.months
    )
    sentence = (
        f"{levels.measure} is known before and after in {levels.both} of "
        f"{pluralize(levels.recorded, 'outcomes')} that record it, of "
        f"{pluralize(levels.patients, 'patients')}: {text}."
    )
    if levels.both == 1:
        return Chart(name, title, sentence, table)
    note = "Diamonds are medians, their bars the quartiles. Months apart are never put together."
    note += (
        f" Only the first {LINES} lines are drawn; medians are of all."
        if levels.both > LINES
        else ""
    )
    marks = [trace.pop("opens", []) for trace in traces]
    return Chart(
        name,
        title,
        sentence,
        table,
        build_figure(collection, traces, rows=8, **layout),
        note,
        marks,
    )


def month_traces(
    position: int, month: LevelsAtMonth, collection: Collection, most_lines: int
) -> list[dict]:
    """Lines of single patients by result, then the medians."""
    baseline_x, followup_x = position - 0.28, position + 0.28
    traces = []
    for response in Response:
        levels = [level for level in month.levels[:most_lines] if level.result == response]
        if not levels:
            continue
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": LABELS[response],
                "x": [x for _ in levels for x in (baseline_x, followup_x, None)],
                "y": [y for level in levels for y in (level.baseline, level.followup, None)],
                "line": {"color": COLOURS[response], "width": 1.2},
                "marker": {"color": COLOURS[response], "symbol": SYMBOLS[response], "size": 7},
                "opacity": 0.75,
                "customdata": [level.patient for level in levels for _ in range(3)],
                "hovertemplate": "%{customdata}: %{y}<extra>" + LABELS[response] + "</extra>",
                "opens": [
                    case_url(collection, level.patient) for level in levels for _ in range(3)
                ],
            }
        )
    pairs = [(baseline_x, month.baseline), (followup_x, month.followup)]
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


def swimmer_chart(swimmers: Swimmers, collection: Collection) -> Chart:
    """Treatments as bars from their start, with what happened when; a treatment of unknown length
    has an open end.
    """
    name, title = "swimmers", "Courses over time"
    headings = [
        "Course",
        "JAK inhibitor",
        "months",
        "Response",
        "Stopped",
        "Outcomes",
        "Events",
        "without a month",
    ]
    rows = [
        [
            f"{treatment.patient}, {treatment.number}",
            treatment.inhibitor,
            months_text(treatment.months),
            LABELS[treatment.response],
            YesNo(treatment.stopped).label,
            "; ".join(
                f"month {months_text(m)}: {text}, {LABELS[result].lower()}"
                for m, text, result in treatment.outcomes
            ),
            "; ".join(f"month {months_text(m)}: {text}" for m, text in treatment.events),
            str(treatment.undated),
        ]
        for treatment in swimmers.treatments_shown
    ]
    table = ChartTable(headings, rows)
    drawable = [treatment for treatment in swimmers.treatments_shown if treatment.is_drawable]
    dated = sum(
        bool(treatment.outcomes or treatment.events) for treatment in swimmers.treatments_shown
    )
    sentence = (
        f"The length is known of {group_digits(swimmers.of_known_length)} of "
        f"{pluralize(swimmers.treatments, 'treatments')}; {dated} of the "
        f"{len(swimmers.treatments_shown)} listed here "
        f"{'has' if 1 in (dated, len(swimmers.treatments_shown)) else 'have'} an "
        "outcome or event with a month."
    )
    if swimmers.outcome_months:
        sentence += f" Of their outcomes, those {swimmers.outcome_months}."
    if not drawable:
        nothing = "No course has a known length, or an outcome or event with a month"
        return Chart(
            name, title, f"{sentence} So there is nothing to draw.", table, nothing=nothing
        )
    if len(drawable) == 1:
        return Chart(name, title, sentence, table, note="What has no month is in the table.")
    traces, marks = swimmer_traces(
        drawable,
        [label_text(f"{treatment.patient} · {treatment.inhibitor}", 60) for treatment in drawable],
        collection,
    )
    labels = traces[0]["y"]
    layout = {
        "barmode": "overlay",
        "xaxis": value_axis("months since the start of the course"),
        "yaxis": rows_axis(labels),
    }
    note = (
        "What has no month is in the table. A course whose length is not known is drawn pale, to "
        "the last month known."
    )
    if swimmers.treatments > len(swimmers.treatments_shown):
        note += f" The {len(swimmers.treatments_shown)} longest of {swimmers.treatments} courses."
    return Chart(
        name,
        title,
        sentence,
        table,
        build_figure(collection, traces, rows=-(-len(drawable) * 3 // 5), **layout),
        note,
        marks,
        is_wide=True,
    )


def swimmer_traces(treatments: list[Swimmer], labels: list[str], collection: Collection | None):
    """Bars, outcomes by result, events, stops."""
    bars = {
        "type": "bar",
        "orientation": "h",
        "name": "On treatment",
        "y": labels,
        "x": [treatment.last_month for treatment in treatments],
        "marker": {
            "color": [
                COUNT if treatment.months is not None else NOT_KNOWN for treatment in treatments
            ],
            "opacity": [0.45 if treatment.months is not None else 0.25 for treatment in treatments],
        },
        "width": 0.45,
        "customdata": [
            length_text(treatment.months, "length not known") for treatment in treatments
        ],
        "hovertemplate": "%{y}: %{customdata}<extra></extra>",
    }
    traces = [bars]
    for response in Response:
        dated = [
            (label, month, text)
            for label, treatment in zip(labels, treatments, strict=True)
            for month, text, result in treatment.outcomes
            if result == response
        ]
        if dated:
            traces.append(
                event_markers(
                    f"Outcome: {LABELS[response].lower()}",
                    dated,
                    COLOURS[response],
                    SYMBOLS[response],
                )
            )
    events = [
        (label, *event)
        for label, treatment in zip(labels, treatments, strict=True)
        for event in treatment.events
    ]
    if events:
        traces.append(event_markers("Adverse event", events, SECOND, "star"))
    stops = [
        (label, treatment.months, "stopped")
        for label, treatment in zip(labels, treatments, strict=True)
        if treatment.stopped == YesNo.YES and treatment.months is not None
    ]
    if stops:
        traces.append(event_markers("Stopped", stops, COLOURS[Response.WORSENED], "line-ns-open"))
    marks = (
        [[case_url(collection, treatment.patient) for treatment in treatments]]
        if collection
        else []
    )
    return traces, marks


def event_markers(name: str, dated: list[tuple], colour: str, symbol: str) -> dict:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "y": [label for label, _, _ in dated],
        "x": [month for _, month, _ in dated],
        "marker": {"color": colour, "symbol": symbol, "size": 12, "line": {"width": 2}},
        "customdata": [
            f"month {months_text(month)}: {label_text(text, 60)}" for _, month, text in dated
        ],
        "hovertemplate": "%{customdata}<extra>" + name + "</extra>",
    }


def months_known_text(dated: int, recorded: int) -> str:
    """How many of the outcomes and events that are recorded have a month, without a full stop."""
    if not recorded:
        return "no outcome or event is recorded"
    verb = "has" if 1 in (dated, recorded) else "have"
    return f"{dated} of {pluralize(recorded, 'outcomes or events')} {verb} a month"


def timeline_chart(
    treatments: list[Swimmer], earlier: list[tuple[str, str]], collection: Collection
) -> Chart:
    """One case over time: its treatments from their start. `earlier` holds what came earlier, as
    (what, when).
    """
    name, title = "timeline", "Timeline"
    rows = [["Before", text, time] for text, time in earlier]
    for treatment in treatments:
        name_cell = (
            f"{treatment.inhibitor}, course {treatment.number}"
            if len(treatments) > 1
            else treatment.inhibitor
        )
        rows.append([name_cell, "given for", length_text(treatment.months, "not known")])
        rows += [
            [name_cell, f"{text}: {LABELS[result].lower()}", f"month {months_text(m)}"]
            for m, text, result in treatment.outcomes
        ]
        rows += [
            [name_cell, f"adverse event: {text}", f"month {months_text(m)}"]
            for m, text in treatment.events
        ]
        if treatment.undated:
            rows.append(
                [name_cell, pluralize(treatment.undated, "outcomes or events"), "month not known"]
            )
    table = ChartTable(["Part", "What", "When"], rows)
    drawable = [treatment for treatment in treatments if treatment.is_drawable]
    known_lengths = sum(treatment.months is not None for treatment in treatments)
    dated = sum(len(treatment.outcomes) + len(treatment.events) for treatment in treatments)
    undated = sum(treatment.undated for treatment in treatments)
    sentence = (
        f"The length is known of {known_lengths} of {pluralize(len(treatments), 'courses')}; "
        f"{months_known_text(dated, dated + undated)}."
    )
    if not drawable:
        return Chart(name, title, f"{sentence} So there is nothing to draw.", table)
    labels = [
        label_text(f"{treatment.number}: {treatment.inhibitor}", 24) for treatment in drawable
    ]
    traces, _ = swimmer_traces(drawable, labels, None)
    layout = {
        "barmode": "overlay",
        "xaxis": value_axis("months since the start of the course"),
        "yaxis": rows_axis(labels),
    }
    note = (
        "Each course begins at its own month 0; how much time lay between courses is not recorded."
    )
    return Chart(
        name,
        title,
        sentence,
        table,
        build_figure(collection, traces, rows=len(drawable) + 1, **layout),
        note if len(treatments) > 1 else "",
        is_wide=True,
    )

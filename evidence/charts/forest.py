"""The forest plot: a proportion in every study, the raw total, and the pooled one with its prediction interval."""

from math import isfinite

from ..models import Collection
from ..summaries import Forest, format_number
from ..summaries.forest import SELECTED, StudyRow, degrees, percent_range
from ..summaries.shares import ASKED_FOR
from ..tables.column import SEPARATOR
from .chart import (
    COUNT,
    NOT_KNOWN,
    SECOND,
    TABLED,
    Chart,
    ChartTable,
    build_figure,
    error_bars,
    label_text,
    rows_axis,
    value_axis,
)

MOST = 22  # studies drawn; all of them stand in the table
COLUMNS = [
    *("row", "study", "counted_of", "n", "known", "percent", "ci_low", "ci_high", "ci_method"),
    *("missing", "counted", "pooled", "note"),
    *("ci_z_low", "ci_z_high", "prediction_low", "prediction_high", "prediction_method"),
    *("prediction_z_low", "prediction_z_high", "tau2", "tau2_low", "tau2_high", "i2"),
    "not_asked",
]


def forest_chart(found: Forest, collection: Collection) -> Chart:
    """Studies with exact intervals; one with one matching patient known is not drawn by itself."""
    name, title = "forest", f"{found.label}, study by study"
    table = forest_table(found)
    if not found.total.known:
        why = f": {found.why}" if found.why else ""
        return Chart(name, title, f"{found.label}: known of nobody here{why}.", table, note=found.rule)
    drawn = found.rows[:MOST]
    left_out = len(found.rows) - len(drawn)
    # A count of selected cases is no estimate, so it is not drawn as one.
    rows = [row for row in [*drawn, found.total] if not row.no_estimate]
    labels = [row_label(row) for row in rows]
    placed = list(zip(labels, rows, strict=True))
    traces = []
    for trace, some, colour, symbol in [
        ("Study", [each for each in placed if each[1] in drawn and each[1].counted], COUNT, "square"),
        (
            "Not counted again",
            [each for each in placed if each[1] in drawn and not each[1].counted],
            NOT_KNOWN,
            "square-open",
        ),
        ("Raw total", [each for each in placed if each[1] is found.total], COUNT, "diamond-open"),
    ]:
        if some:
            traces.append(study_points(trace, some, colour, symbol))
    if not traces:
        return Chart(name, title, forest_sentence(found), table, note=found.rule)
    if found.pooled:
        labels.append("Pooled")
        traces += pooled_traces(found)
    layout = {
        "xaxis": value_axis("%, exact 95 % CI", range=[-1, 101]),
        "yaxis": rows_axis(labels),
        "bargap": 0.5,
    }
    note = "Squares grow with the number of patients. Intervals of studies are exact (Clopper-Pearson)."
    note += f" {found.rule}" if found.rule else ""
    if any(row.selected for row in found.sums):
        note += " Sums of selected cases stand in the table and are not drawn."
    if found.pooled:
        note += (
            " The pooled proportion is of a random-intercept logistic model by maximum likelihood; its intervals are "
            "by Student’s t. The thin line is the 95 % prediction interval, where the proportion of a further study is "
            "expected."
        )
    note += f" The {left_out} smallest studies are not drawn." if left_out else ""
    if len(found.rows) > TABLED:
        note += f" The table has the {TABLED} largest; the file has all {len(found.rows)}."
    drawing = build_figure(collection, traces, rows=len(labels) + 1, **layout)
    return Chart(name, title, forest_sentence(found), table, drawing, note)


def row_label(row: StudyRow) -> str:
    return f"{label_text(row.label, 34)}<br>{row.fraction}"


def forest_sentence(found: Forest) -> str:
    total = found.total
    told = f"{found.label}: {total.fraction}"
    told += " without case reports" if found.cases else " in all"
    if total.asked_for:
        told += f" ({ASKED_FOR}, so no percentage and no interval is given)"
    elif total.selected:
        told += f" ({SELECTED} among them, so no percentage and no interval is given)"
    else:
        told += f" ({total.percent_text}, exact 95 % CI {total.interval_text})"
    if found.cases:
        told += f"; {found.cases.fraction} in {found.cases.label}, {SELECTED} that are not added to groups"
    told += f"; {total.missing} not known." if total.missing else "; none missing."
    told += f" Of individual patients nobody is counted: {found.why}." if found.why else ""
    if found.not_asked:
        told += f" Not asked of groups, which may hold patients like these: {SEPARATOR.join(found.not_asked)}."
    if found.pooled:
        return (
            f"{told} Pooled over {found.studies} studies: {found.pooled_text}; "
            f"I² {format_number(found.pooled.i2)} %, τ² {found.tau2_text}."
        )
    return f"{told} Not pooled: {found.refused}."


def study_points(name: str, rows: list[tuple[str, StudyRow]], colour: str, symbol: str) -> dict:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [round(row.percent, 4) for _, row in rows],
        "y": [label for label, _ in rows],
        "marker": {
            "color": colour,
            "symbol": symbol,
            "size": [round(min(7 + row.known**0.5 * 1.6, 22), 1) for _, row in rows],
            "line": {"width": 2},
        },
        "error_x": error_bars([row.percent for _, row in rows], [row.interval for _, row in rows]),
        "customdata": [
            f"{label_text(row.label, 60)}: {row.fraction} ({row.percent_text}, exact 95 % CI {row.interval_text})"
            for _, row in rows
        ],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def pooled_traces(found: Forest) -> list[dict]:
    """The prediction interval as a thin line, the confidence interval as a thick one, the proportion as a diamond."""

    def line(name: str, ends: tuple[float, float], width: int, colour: str) -> dict:
        return {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": [round(100 * end, 4) for end in ends],
            "y": ["Pooled", "Pooled"],
            "line": {"color": colour, "width": width},
            "hoverinfo": "skip",
        }

    return [
        line("Prediction interval (t)", found.pooled.prediction_t, 3, SECOND),
        line("Pooled, 95 % CI (t)", found.pooled.interval_t, 9, COUNT),
        {
            "type": "scatter",
            "mode": "markers",
            "name": "Pooled",
            "showlegend": False,
            "x": [round(100 * found.pooled.proportion, 4)],
            "y": ["Pooled"],
            "marker": {"color": COUNT, "symbol": "diamond", "size": 16, "line": {"width": 2, "color": "#ffffff"}},
            "customdata": [found.pooled_text],
            "hovertemplate": "Pooled: %{customdata}<extra></extra>",
        },
    ]


def forest_table(found: Forest) -> ChartTable:
    headings = ["Study", "Counted of", "n/N", "%", "95 % CI", "not known", "Counted"]
    headings += ["Pooled"] if found.pooled else []
    cells = [row_cells(row, found) for row in [*found.rows[:TABLED], *found.sums]]
    file = [row_numbers(row, found) for row in [*found.rows, *found.sums]]
    if found.pooled:
        percent = f"{format_number(100 * found.pooled.proportion)} %"
        interval = f"{percent_range(found.pooled.interval_t)} (t)"
        cells.append(["Pooled", f"{found.studies} studies", "–", percent, interval, "–", "–", "–"])
        file.append(pooled_numbers(found))
    return ChartTable(headings, cells, {}, (COLUMNS, file))


def row_cells(row: StudyRow, found: Forest) -> list[str]:
    counted = "–" if not row.slug else "yes" if row.counted else row.why or "no"
    cells = [row.label, row.what or "–", row.fraction, row.percent_text, row.interval_text, str(row.missing), counted]
    return [*cells, pooled_word(row, found)] if found.pooled else cells


def pooled_word(row: StudyRow, found: Forest) -> str:
    """Whether a row goes into the pooled proportion; a sum of several studies is no such row."""
    if not row.slug:
        return "no" if row is found.singles else "–"
    return "yes" if row.pooled else "no"


def row_numbers(row: StudyRow, found: Forest) -> list:
    """One row for a program; `pooled` is empty where nothing is pooled."""
    return [
        *(row.label, row.slug or None, row.what, row.count, row.known, row.percent),
        *(row.interval or (None, None)),
        "Clopper-Pearson" if row.interval else None,
        row.missing,
        "yes" if row.counted else "no",
        ("yes" if row.slug and row.pooled else "no") if found.pooled else None,
        row.no_estimate or row.why or None,
        *[None] * 11,
        (SEPARATOR.join(found.not_asked) or None) if row.of_groups or row is found.total else None,
    ]


def pooled_numbers(found: Forest) -> list:
    """The pooled proportion for a program: percentages, but tau2 on the log odds. An upper limit of
    tau2 that nothing bounds is empty.
    """
    pooled = found.pooled

    def percents(interval: tuple[float, float]) -> list[float]:
        return [100 * each for each in interval]

    low, high = pooled.tau2_interval
    return [
        *("Pooled", None, f"{found.studies} studies", None, None, 100 * pooled.proportion),
        *percents(pooled.interval_t),
        f"t, {degrees(pooled.interval_df)}",
        *(None, None, None, None),
        *percents(pooled.interval),
        *percents(pooled.prediction_t),
        f"t, {degrees(pooled.prediction_df)}",
        *percents(pooled.prediction),
        *(pooled.tau2, low, high if isfinite(high) else None),
        pooled.i2,
        SEPARATOR.join(found.not_asked) or None,
    ]

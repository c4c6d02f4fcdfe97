"""The forest plot: a proportion in every study, the raw total, and the pooled one with its
prediction interval.
"""

from dataclasses import dataclass
from math import isfinite

from django.urls import reverse

from ..models import Collection
from ..summaries import Forest, format_number
from ..summaries.forest import SELECTED, StudyRow, degrees_text, percent_range
from ..summaries.shares import FEW
from ..tables.column import SEPARATOR
from .chart import (
    COUNT,
    NOT_KNOWN,
    SECOND,
    TABLED,
    WHOLE,
    Chart,
    ChartTable,
    build_figure,
    error_bars,
    label_text,
    text_at,
    value_axis,
)

MOST = 22  # studies drawn; all of them stand in the table
COLUMNS_WIDTH = 208  # pixels at the right of the plot for n/N and % (95 % CI)
COLUMNS = [
    *("row", "study", "counted_of", "n", "known", "percent", "ci_low", "ci_high", "ci_method"),
    *("missing", "counted", "pooled", "note"),
    *("ci_z_low", "ci_z_high", "prediction_low", "prediction_high", "prediction_method"),
    *("prediction_z_low", "prediction_z_high", "tau2", "tau2_low", "tau2_high", "i2"),
    "not_asked",
]


def forest_chart(forest: Forest, collection: Collection) -> Chart:
    """Studies with exact intervals; one with one matching patient known is not drawn by itself."""
    name, title = "forest", f"{forest.label}, study by study"
    table = forest_table(forest, collection)
    if not forest.total.known:
        why = f": {forest.why}" if forest.why else ""
        return Chart(
            name, title, f"{forest.label}: known of nobody here{why}.", table, note=forest.rule
        )
    drawn_rows = forest.rows[:MOST]
    undrawn = len(forest.rows) - len(drawn_rows)
    # A count of selected cases is no estimate, so it is not drawn as one.
    rows = [row for row in [*drawn_rows, forest.total] if not row.no_estimate]
    traces, marks = [], []
    for trace, colour, symbol, belongs in [
        ("Study", COUNT, "square", lambda row: row is not forest.total and row.counted),
        ("Not counted again", NOT_KNOWN, "square-open", lambda row: not row.counted),
        ("Raw total", COUNT, "diamond-open", lambda row: row is forest.total),
    ]:
        points = [(position, row) for position, row in enumerate(rows) if belongs(row)]
        if points:
            traces.append(study_points(trace, points, colour, symbol))
            marks.append([study_address(row, collection) for _, row in points])
    if not traces:
        return Chart(name, title, forest_sentence(forest), table, note=forest.rule)
    printed = [PrintedRow(row.label, row.fraction, row_rate(row)) for row in rows]
    if forest.pooled:
        traces += pooled_traces(forest, len(rows))
        printed.append(pooled_row(forest))
    layout = {
        "xaxis": value_axis("%, exact 95 % CI", range=[-1, 101]),
        "yaxis": value_axis(
            tickvals=list(range(len(printed))),
            ticktext=[label_text(row.label, 34) for row in printed],
            range=[len(printed) - 0.5, -1.3],
            showgrid=False,
        ),
        "annotations": printed_columns(printed),
        "margin": {"l": 8, "r": COLUMNS_WIDTH, "t": 34, "b": 48, "pad": 4},
    }
    note = (
        "Squares grow with the number of patients. Intervals of studies are exact "
        "(Clopper-Pearson)."
    )
    note += f" {forest.rule}" if forest.rule else ""
    if any(row.selected for row in forest.sums):
        note += " Sums of selected cases stand in the table and are not drawn."
    if forest.singles:
        note += " Studies with one matching patient each stand in the table, in one row."
    if forest.pooled:
        note += (
            " The pooled proportion is of a random-intercept logistic model by maximum "
            "likelihood; its intervals are by Student’s t. The thin line is the 95 % prediction "
            "interval, where the proportion of a further study is expected."
        )
    note += f" The {undrawn} smallest studies are not drawn." if undrawn else ""
    if len(forest.rows) > TABLED:
        note += f" The table has the {TABLED} largest; the file has all {len(forest.rows)}."
    figure = build_figure(collection, traces, rows=len(printed) + 1, **layout)
    return Chart(
        name,
        title,
        forest_sentence(forest),
        table,
        figure,
        note,
        marks=marks,
        is_wide=True,
        narrow=narrow_layout(printed, figure["layout"]),
    )


@dataclass(frozen=True)
class PrintedRow:
    """What stands beside the plot in one row, as journals print it."""

    label: str
    fraction: str
    rate: str

    @property
    def in_one_line(self) -> str:
        """The same above the row, where there is no room beside it."""
        parts = [label_text(self.label, 60), self.fraction, self.rate.replace("<br>", ", ")]
        return " · ".join(filter(None, parts))


def narrow_layout(rows: list[PrintedRow], layout: dict) -> dict:
    """The layout where there is no room for columns: what stands in them joins the labels."""
    return {
        "yaxis": layout["yaxis"] | {"ticktext": [row.in_one_line for row in rows]},
        "annotations": [text for text in layout["annotations"] if text["yref"] == "paper"],
        "margin": layout["margin"] | {"r": 16},
    }


def row_rate(row: StudyRow) -> str:
    """“75.0 % (34.9–96.8)”; where few are known the interval comes first."""
    if row.known < FEW:
        return f"{row.interval_text} ({row.percent_text})"
    return f"{row.percent_text} ({row.interval_text})"


def pooled_row(forest: Forest) -> PrintedRow:
    pooled = forest.pooled
    rate = f"{format_number(100 * pooled.proportion)} % ({percent_range(pooled.interval_t)})"
    return PrintedRow(
        f"Pooled, {forest.studies} studies",
        "",
        f"{rate}<br>prediction {percent_range(pooled.prediction_t)}",
    )


def printed_columns(rows: list[PrintedRow]) -> list[dict]:
    """The columns at the right of the plot, under their headings."""
    at_right = {"x": 1, "font": {"size": 12}}
    columns = [(-1, "n/N", "% (95 % CI)")]
    columns += [(position, row.fraction, row.rate) for position, row in enumerate(rows)]
    texts = [text_at("Study", -1, xanchor="right", xshift=-8, font={"size": 12})]
    for position, fraction, rate in columns:
        if fraction:
            texts.append(text_at(fraction, position, xanchor="right", xshift=62, **at_right))
        texts.append(text_at(rate, position, xshift=76, **at_right))
    return texts


def study_address(row: StudyRow, collection: Collection) -> str | None:
    """The page of a row's study; a sum of several has none."""
    return reverse("study", args=[collection.slug, row.slug]) if row.slug else None


def forest_sentence(forest: Forest) -> str:
    total = forest.total
    text = f"{forest.label}: {total.fraction}"
    text += " without case reports" if forest.cases else " in all"
    if total.asked_for:
        text += f" ({total.asked_for}, so no percentage and no interval is given)"
    elif total.selected:
        text += f" ({SELECTED} among them, so no percentage and no interval is given)"
    else:
        text += f" ({total.rate_text})"
    if forest.cases:
        text += (
            f"; {forest.cases.fraction} in {forest.cases.label}, {SELECTED} that are not added "
            "to groups"
        )
    text += f"; {total.missing} not known." if total.missing else "; none missing."
    if forest.not_asked:
        text += (
            " Not asked of groups, which may hold patients like these: "
            f"{SEPARATOR.join(forest.not_asked)}."
        )
    text += f" Of individual patients nobody is counted: {forest.why}." if forest.why else ""
    if forest.pooled:
        text += (
            f" Pooled over {forest.studies} studies: {forest.pooled_text}; "
            f"I² {format_number(forest.pooled.i2)} %, τ² {forest.tau2_text}."
        )
        return f"{text} {forest.no_spread_text}".rstrip()
    return f"{text} Not pooled: {forest.refused}."


def study_points(name: str, rows: list[tuple[int, StudyRow]], colour: str, symbol: str) -> dict:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "cliponaxis": False,
        "x": [round(row.percent, 4) for _, row in rows],
        "y": [position for position, _ in rows],
        "marker": {
            "color": colour,
            "symbol": symbol,
            "size": [round(min(7 + row.known**0.5 * 1.6, 22), 1) for _, row in rows],
            "line": {"width": 2},
        },
        "error_x": error_bars([row.percent for _, row in rows], [row.interval for _, row in rows]),
        "customdata": [
            f"{label_text(row.label, 60)}: {row.fraction} ({row.rate_text})" for _, row in rows
        ],
        "hovertemplate": WHOLE,
    }


def pooled_traces(forest: Forest, position: int) -> list[dict]:
    """The prediction interval as a thin line, the confidence interval as a thick one, the
    proportion as a diamond, in the row at `position`.
    """

    def interval_trace(name: str, ends: tuple[float, float], width: int, colour: str) -> dict:
        return {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": [round(100 * end, 4) for end in ends],
            "y": [position, position],
            "line": {"color": colour, "width": width},
            "hoverinfo": "skip",
        }

    return [
        interval_trace("Prediction interval (t)", forest.pooled.prediction_t, 3, SECOND),
        interval_trace("Pooled, 95 % CI (t)", forest.pooled.interval_t, 9, COUNT),
        {
            "type": "scatter",
            "mode": "markers",
            "name": "Pooled",
            "showlegend": False,
            "x": [round(100 * forest.pooled.proportion, 4)],
            "y": [position],
            "marker": {
                "color": COUNT,
                "symbol": "diamond",
                "size": 16,
                "line": {"width": 2, "color": "#ffffff"},
            },
            "customdata": [forest.pooled_text],
            "hovertemplate": "Pooled: %{customdata}<extra></extra>",
        },
    ]


def forest_table(forest: Forest, collection: Collection) -> ChartTable:
    headings = ["Study", "Counted of", "n/N", "%", "95 % CI", "not known", "Counted"]
    headings += ["Pooled"] if forest.pooled else []
    cells = [row_cells(row, forest) for row in [*forest.rows[:TABLED], *forest.sums]]
    file_rows = [row_numbers(row, forest) for row in [*forest.rows, *forest.sums]]
    addresses = [study_address(row, collection) for row in forest.rows[:TABLED]]
    links = {(position, 0): address for position, address in enumerate(addresses) if address}
    if forest.pooled:
        percent = f"{format_number(100 * forest.pooled.proportion)} %"
        interval = f"{percent_range(forest.pooled.interval_t)} (t)"
        cells.append(["Pooled", f"{forest.studies} studies", "–", percent, interval, "–", "–", "–"])
        file_rows.append(pooled_numbers(forest))
    return ChartTable(headings, cells, links, (COLUMNS, file_rows))


def row_cells(row: StudyRow, forest: Forest) -> list[str]:
    counted_text = "–" if not row.slug else "yes" if row.counted else row.why or "no"
    cells = [
        row.label,
        row.what or "–",
        row.fraction,
        row.percent_text,
        row.interval_text,
        str(row.missing),
        counted_text,
    ]
    return [*cells, pooled_word(row, forest)] if forest.pooled else cells


def pooled_word(row: StudyRow, forest: Forest) -> str:
    """Whether a row goes into the pooled proportion; a sum of several studies is no such row."""
    if not row.slug:
        return "no" if row is forest.singles else "–"
    return "yes" if row.pooled else "no"


def row_numbers(row: StudyRow, forest: Forest) -> list:
    """One row for a program; `pooled` is empty where nothing is pooled."""
    return [
        *(row.label, row.slug or None, row.what, row.count, row.known, row.percent),
        *(row.interval or (None, None)),
        "Clopper-Pearson" if row.interval else None,
        row.missing,
        "yes" if row.counted else "no",
        ("yes" if row.slug and row.pooled else "no") if forest.pooled else None,
        row.no_estimate or row.why or None,
        *[None] * 11,
        (SEPARATOR.join(forest.not_asked) or None)
        if row.of_groups or row is forest.total
        else None,
    ]


def pooled_numbers(forest: Forest) -> list:
    """The pooled proportion for a program: percentages, but tau2 on the log odds. An upper limit of
    tau2 that nothing bounds is empty.
    """
    pooled = forest.pooled

    def as_percentages(interval: tuple[float, float]) -> list[float]:
        return [100 * end for end in interval]

    low, high = pooled.tau2_interval
    return [
        *("Pooled", None, f"{forest.studies} studies", None, None, 100 * pooled.proportion),
        *as_percentages(pooled.interval_t),
        f"t, {degrees_text(pooled.interval_df)}",
        *(None, None, None, None),
        *as_percentages(pooled.interval),
        *as_percentages(pooled.prediction_t),
        f"t, {degrees_text(pooled.prediction_df)}",
        *as_percentages(pooled.prediction),
        *(pooled.tau2, low, high if isfinite(high) else None),
        pooled.i2,
        SEPARATOR.join(forest.not_asked) or None,
    ]

"""The forest plot: a proportion in every study, the raw total, and the pooled one with its prediction interval."""

from ..models import Collection
from ..summaries import Forest, format_number
from ..summaries.forest import StudyRow
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
COLUMNS = ["row", "counted_of", "n", "known", "percent", "ci_low", "ci_high", "missing", "counted"]


def forest_chart(found: Forest, collection: Collection) -> Chart:
    """Studies with exact intervals; a study of one patient is not drawn as a study of its own."""
    name, title = "forest", f"{found.label}, study by study"
    table = forest_table(found)
    if not found.total.known:
        return Chart(name, title, f"{found.label}: known of nobody here.", table)
    drawn = found.rows[:MOST]
    rows = [*drawn, *([found.singles] if found.singles else []), found.total]
    labels = [row_label(row) for row in rows]
    traces = [
        study_points(
            "Study",
            [(label, row) for label, row in zip(labels, rows, strict=True) if row in drawn and row.counted],
            COUNT,
            "square",
        )
    ]
    aside = [(label, row) for label, row in zip(labels, rows, strict=True) if row in drawn and not row.counted]
    if aside:
        traces.append(study_points("Not counted again", aside, NOT_KNOWN, "square-open"))
    if found.singles:
        traces.append(study_points("Not pooled", [(row_label(found.singles), found.singles)], SECOND, "circle-open"))
    traces.append(study_points("Raw total", [(labels[-1], found.total)], COUNT, "diamond-open"))
    if found.pooled:
        labels.append("Pooled")
        traces += pooled_traces(found)
    layout = {
        "xaxis": value_axis("%, exact 95 % CI", range=[-1, 101]),
        "yaxis": rows_axis(labels),
        "bargap": 0.5,
    }
    note = (
        "Squares grow with the number of patients. Intervals of studies are Clopper-Pearson. The pooled proportion is "
        "of a random-intercept logistic model by maximum likelihood; the thin line is the 95 % prediction interval, "
        "where the proportion of a further study is expected."
    )
    left_out = len(found.rows) - len(drawn)
    note += f" The {left_out} smallest studies are not drawn." if left_out else ""
    if len(found.rows) > TABLED:
        note += f" The table has the {TABLED} largest; the file has all {len(found.rows)}."
    drawing = build_figure(collection, traces, rows=len(labels) + 1, **layout)
    return Chart(name, title, forest_sentence(found), table, drawing, note)


def row_label(row: StudyRow) -> str:
    return f"{label_text(row.label, 34)}<br>{row.fraction}"


def forest_sentence(found: Forest) -> str:
    total = found.total
    percent = format_number(total.percent)
    told = f"{found.label}: {total.fraction} in all ({percent} %, exact 95 % CI {total.interval_text})"
    told += f", {total.missing} not known." if total.missing else ", none missing."
    if found.pooled:
        spread = f"I² {format_number(found.pooled.i2)} %, τ² {format_number(found.pooled.tau2, 2)}"
        return f"{told} Pooled over {found.studies} studies: {found.pooled_text}; {spread}."
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
            f"{label_text(row.label, 60)}: {row.fraction} "
            f"({format_number(row.percent)} %, exact 95 % CI {row.interval_text})"
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
        line("Prediction interval", found.pooled.prediction, 3, SECOND),
        line("Pooled, 95 % CI", found.pooled.interval, 9, COUNT),
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
    last = [*([found.singles] if found.singles else []), found.total]
    rows = [*found.rows, *last]
    cells = [
        [
            row.label,
            row.what or "–",
            row.fraction,
            f"{format_number(row.percent)} %" if row.known else "",
            row.interval_text,
            str(row.missing),
            "yes" if row.pooled and row is not found.total else row.why or "no",
        ]
        for row in [*found.rows[:TABLED], *last]
    ]
    cells[-1][-1] = "–"
    file = [
        [
            *(row.label, row.what, row.count, row.known, row.percent),
            *(row.interval or (None, None)),
            row.missing,
            "yes" if row.counted else "no",
        ]
        for row in rows
    ]
    if found.pooled:
        low, high = (100 * each for each in found.pooled.interval)
        percent = 100 * found.pooled.proportion
        interval = f"{format_number(low)}–{format_number(high)}"
        cells.append(["Pooled", f"{found.studies} studies", "–", f"{format_number(percent)} %", interval, "–", "–"])
        file.append(["Pooled", f"{found.studies} studies", None, None, percent, low, high, None, None])
    headings = ["Study", "Counted of", "n/N", "%", "95 % CI", "not known", "Pooled"]
    return ChartTable(headings, cells, {}, (COLUMNS, file))

"""UpSet: which values occur together. A bar for each combination, exactly; a row of dots for each value."""

from collections.abc import Callable

from ..models import Collection
from ..models.treatment import SET_SEPARATOR
from ..questions.question import FilterLink
from ..summaries import Combinations, Share
from .bars import SHARE_COLUMNS, SHARE_HEADINGS, no_link, share_cells, share_numbers, share_sentence
from .chart import COUNT, NOT_KNOWN, TABLED, Chart, ChartTable, build_figure, error_bars, label_text, value_axis

MOST = 14  # combinations drawn; all of them stand in the table
BARS, ROW, GAP = 170, 26, 28  # pixels: the bars above, a row of dots, the numbers between them


def upset_chart(
    name: str,
    title: str,
    found: Combinations,
    collection: Collection,
    *,
    nothing: str,
    exactly: Callable[[list[str]], FilterLink | None] = no_link,
    among: Callable[[str], FilterLink | None] = no_link,
) -> Chart:
    """Combinations as percentages of those in whom they are known, with Wilson intervals.

    `exactly` gives what choosing a combination asks, `among` what choosing one value asks.
    """
    table = upset_table(found, exactly, among)
    drawn = [share for share in found.sets if share.known][:MOST]
    if not drawn:
        return Chart(name, title, found.at_least_text or nothing, table)
    codes = [set(share.key.split(SET_SEPARATOR)) for share in drawn]
    values = [value for value in found.values if any(value[0] in each for each in codes)]
    bars, dots = bar_trace(drawn), dot_traces(codes, values)
    height = BARS + GAP + ROW * len(values)
    top = (ROW * len(values)) / height
    drawing = build_figure(
        collection,
        [bars, *dots],
        rows=-(-height // 40),
        xaxis=value_axis(
            range=[-0.6, len(drawn) - 0.4],
            tickvals=list(range(len(drawn))),
            ticktext=[str(share.count) for share in drawn],
            tickangle=0,
            showgrid=False,
            anchor="y",
        ),
        yaxis=value_axis(
            f"% of {drawn[0].known} with a complete list",
            domain=[top + GAP / height, 1],
            rangemode="tozero",
            range=[0, axis_maximum(drawn)],
        ),
        yaxis2=value_axis(
            domain=[0, top],
            range=[len(values) - 0.5, -0.5],
            tickvals=list(range(len(values))),
            ticktext=[f"{label_text(label, 30)} · {times}" for _, label, times in values],
            showgrid=False,
        ),
        showlegend=False,
        bargap=0.3,
    )
    left_out = len(found.sets) - len(drawn)
    note = (
        "Each bar is one combination, exactly: a patient with more stands under that one instead. Beside each row: the "
        "patients with that value, alone or with others."
    )
    note += f" {found.at_least_text}" if found.at_least else ""
    note += f" The {left_out} rarest combinations are not drawn." if left_out else ""
    if len(found.sets) > TABLED:
        note += f" The table has the {TABLED} most frequent; the file has all {len(found.sets)}."
    marks = [[exactly(share.key.split(SET_SEPARATOR)) for share in drawn], [], *[[] for _ in dots[1:]]]
    marks[-1] = [among(values[row][0]) for each in codes for row in rows_of(each, values)]
    return Chart(name, title, share_sentence(drawn), table, drawing, note, marks)


def axis_maximum(shares: list[Share]) -> float:
    return min(100, round(max(share.interval[1] for share in shares) * 1.05, 1))


def bar_trace(shares: list[Share]) -> dict:
    return {
        "type": "bar",
        "x": list(range(len(shares))),
        "y": [round(share.percent, 4) for share in shares],
        "marker": {"color": COUNT},
        "error_y": error_bars([share.percent for share in shares], [share.interval for share in shares]),
        "customdata": [f"{label_text(share.label, 60)}, exactly: {share}" for share in shares],
        "hovertemplate": "%{customdata}<extra></extra>",
    }


def rows_of(codes: set[str], values: list[tuple]) -> list[int]:
    return [row for row, (code, _, _) in enumerate(values) if code in codes]


def dot_traces(codes: list[set[str]], values: list[tuple]) -> list[dict]:
    """All places of the grid, faint; lines that join a combination's values; its values, filled."""
    columns, rows = range(len(codes)), range(len(values))
    inside = [(column, row) for column in columns for row in rows_of(codes[column], values)]
    joined = [
        point
        for column in columns
        for point in (*((column, row) for row in rows_of(codes[column], values)), (None, None))
    ]

    def dots(points: list[tuple], **more) -> dict:
        return {
            "type": "scatter",
            "x": [x for x, _ in points],
            "y": [y for _, y in points],
            "yaxis": "y2",
            "hoverinfo": "skip",
        } | more

    names = [values[row][1] for _, row in inside]
    return [
        dots(
            [(column, row) for column in columns for row in rows],
            mode="markers",
            marker={"color": NOT_KNOWN, "size": 9, "symbol": "circle-open", "opacity": 0.5},
        ),
        dots(joined, mode="lines", line={"color": COUNT, "width": 2}),
        dots(
            inside,
            mode="markers",
            marker={"color": COUNT, "size": 11},
            customdata=names,
            hoverinfo="all",
            hovertemplate="%{customdata}, alone or with others<extra></extra>",
        ),
    ]


def upset_table(found: Combinations, exactly: Callable, among: Callable) -> ChartTable:
    """Combinations first, each exactly; then those of lists that may not be complete; then each value by itself."""
    sets = found.sets[:TABLED]
    shares = [*sets, *([found.none] if found.none else [])]
    headings = ["Together", "patients, n/N", *SHARE_HEADINGS]
    rows = [[share.label, *share_cells(share)] for share in shares]
    rows += [[f"{label}, at least", str(times), *[""] * 4] for _, label, times in found.at_least[:TABLED]]
    rows += [[f"{label}, alone or with others", str(times), *[""] * 4] for _, label, times in found.values]
    steps = {(i, 0): exactly(share.key.split(SET_SEPARATOR)) for i, share in enumerate(sets)}
    steps |= {(len(rows) - len(found.values) + i, 0): among(code) for i, (code, _, _) in enumerate(found.values)}
    every = [*found.sets, *([found.none] if found.none else [])]
    file = [[share.label, "exactly", *share_numbers(share)] for share in every]
    file += [[label, "at least", times, *[None] * 6] for _, label, times in found.at_least]
    file += [[label, "among others", times, *[None] * 6] for _, label, times in found.values]
    return ChartTable(
        headings,
        rows,
        {place: step for place, step in steps.items() if step is not None},
        (["label", "match", *SHARE_COLUMNS], file),
    )

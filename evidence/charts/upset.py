"""UpSet: which values occur together. A bar for each combination, exactly; a row of dots for each
value.
"""

from collections.abc import Callable

from ..models import Collection
from ..models.treatment import SET_SEPARATOR
from ..questions.question import FilterLink
from ..summaries import Combinations, Share, pluralize
from .bars import SHARE_COLUMNS, SHARE_HEADINGS, no_link, share_cells, share_numbers, share_sentence
from .chart import (
    COUNT,
    NOT_KNOWN,
    TABLED,
    WHOLE,
    Chart,
    ChartTable,
    build_figure,
    count_axis,
    error_bars,
    label_text,
    value_axis,
)

MOST = 14  # combinations drawn; all of them stand in the table
BARS, ROW, GAP = 170, 26, 28  # pixels: the bars above, a row of dots, the numbers between them


def upset_chart(
    name: str,
    title: str,
    combinations: Combinations,
    collection: Collection,
    *,
    empty_text: str,
    exact_link: Callable[[list[str]], FilterLink | None] = no_link,
    value_link: Callable[[str], FilterLink | None] = no_link,
) -> Chart:
    """Combinations as percentages of those in whom they are known, with Wilson intervals; as counts
    of patients where the question asks for one exactly.

    `exact_link` gives what choosing a combination asks, `value_link` what choosing one value asks.
    """
    table = upset_table(combinations, exact_link, value_link)
    shares = [share for share in combinations.sets if share.known][:MOST]
    if not shares:
        sentence = combinations.at_least_text or empty_text
        nothing = "" if combinations.at_least_text else empty_text.rstrip(".")
        return Chart(name, title, sentence, table, nothing=nothing)
    if len(shares) == 1:
        return Chart(name, title, share_sentence(shares), table, note=combinations.at_least_text)
    codes = [set(share.key.split(SET_SEPARATOR)) for share in shares]
    values = [
        value
        for value in combinations.values
        if any(value[0] in combination for combination in codes)
    ]
    bars, dots = bar_trace(shares), dot_traces(codes, values)
    height = BARS + GAP + ROW * len(values)
    top = (ROW * len(values)) / height
    figure = build_figure(
        collection,
        [bars, *dots],
        rows=-(-height // 40),
        marked_at=round((1 + top) / 2 + 0.05, 2),
        xaxis=value_axis(
            range=[-0.6, len(shares) - 0.4],
            tickvals=list(range(len(shares))),
            ticktext=[str(share.count) for share in shares],
            tickangle=0,
            showgrid=False,
            anchor="y",
        ),
        yaxis=bars_axis(shares, [top + GAP / height, 1]),
        yaxis2=value_axis(
            domain=[0, top],
            range=[len(values) - 0.5, -0.5],
            tickvals=list(range(len(values))),
            ticktext=[f"{label_text(label, 30)} · {count}" for _, label, count in values],
            showgrid=False,
        ),
        showlegend=False,
        bargap=0.3,
    )
    undrawn = len(combinations.sets) - len(shares)
    note = (
        "Each bar is one combination, exactly: a patient with more stands under that one "
        "instead. Beside each row: the patients with that value, alone or with others."
    )
    note += f" {combinations.at_least_text}" if combinations.at_least else ""
    note += f" The {undrawn} rarest combinations are not drawn." if undrawn else ""
    if len(combinations.sets) > TABLED:
        note += (
            f" The table has the {TABLED} most frequent; the file has all {len(combinations.sets)}."
        )
    marks = [
        [exact_link(share.key.split(SET_SEPARATOR)) for share in shares],
        [],
        *[[] for _ in dots[1:]],
    ]
    marks[-1] = [
        value_link(values[row][0]) for combination in codes for row in rows_of(combination, values)
    ]
    return Chart(name, title, share_sentence(shares), table, figure, note, marks)


def bars_axis(shares: list[Share], domain: list[float]) -> dict:
    """The axis of the bars: percentages, or patients where the question decides the shares."""
    if shares[0].asked_for:
        return count_axis("patients", max(share.count for share in shares)) | {"domain": domain}
    return value_axis(
        f"% of {shares[0].known} with a complete list",
        domain=domain,
        rangemode="tozero",
        range=[0, axis_maximum(shares)],
    )


def axis_maximum(shares: list[Share]) -> float:
    return min(100, round(max(share.interval[1] for share in shares) * 1.05, 1))


def bar_trace(shares: list[Share]) -> dict:
    trace = {
        "type": "bar",
        "x": list(range(len(shares))),
        "marker": {"color": COUNT},
        "customdata": [f"{label_text(share.label, 60)}, exactly: {share}" for share in shares],
        "hovertemplate": WHOLE,
    }
    if shares[0].asked_for:
        return trace | {"y": [share.count for share in shares]}
    percentages = [share.percent for share in shares]
    return trace | {
        "y": [round(percent, 4) for percent in percentages],
        "error_y": error_bars(percentages, [share.interval for share in shares]),
    }


def rows_of(codes: set[str], values: list[tuple]) -> list[int]:
    return [row for row, (code, _, _) in enumerate(values) if code in codes]


def dot_traces(codes: list[set[str]], values: list[tuple]) -> list[dict]:
    """All places of the grid, faint; lines that join a combination's values; its values, filled."""
    columns, rows = range(len(codes)), range(len(values))
    filled = [(column, row) for column in columns for row in rows_of(codes[column], values)]
    line_points = [
        point
        for column in columns
        for point in (*((column, row) for row in rows_of(codes[column], values)), (None, None))
    ]

    def dot_trace(points: list[tuple], **options) -> dict:
        return {
            "type": "scatter",
            "x": [x for x, _ in points],
            "y": [y for _, y in points],
            "yaxis": "y2",
            "hoverinfo": "skip",
        } | options

    names = [
        f"{label_text(values[row][1], 60)}, alone or with others: "
        f"{pluralize(values[row][2], 'patients')}"
        for _, row in filled
    ]
    return [
        dot_trace(
            [(column, row) for column in columns for row in rows],
            mode="markers",
            marker={"color": NOT_KNOWN, "size": 9, "symbol": "circle-open", "opacity": 0.5},
        ),
        dot_trace(line_points, mode="lines", line={"color": COUNT, "width": 2}),
        dot_trace(
            filled,
            mode="markers",
            marker={"color": COUNT, "size": 11},
            customdata=names,
            hoverinfo="all",
            hovertemplate=WHOLE,
        ),
    ]


def upset_table(
    combinations: Combinations, exact_link: Callable, value_link: Callable
) -> ChartTable:
    """Combinations first, each exactly; then those of lists that may not be complete; then each
    value by itself.
    """
    tabled = combinations.sets[:TABLED]
    shares = [*tabled, *([combinations.none] if combinations.none else [])]
    headings = ["Together", "patients, n/N", *SHARE_HEADINGS]
    rows = [[share.label, *share_cells(share)] for share in shares]
    rows += [
        [f"{label}, at least", str(count), *[""] * 4]
        for _, label, count in combinations.at_least[:TABLED]
    ]
    rows += [
        [f"{label}, alone or with others", str(count), *[""] * 4]
        for _, label, count in combinations.values
    ]
    links = {(i, 0): exact_link(share.key.split(SET_SEPARATOR)) for i, share in enumerate(tabled)}
    links |= {
        (len(rows) - len(combinations.values) + i, 0): value_link(code)
        for i, (code, _, _) in enumerate(combinations.values)
    }
    all_shares = [*combinations.sets, *([combinations.none] if combinations.none else [])]
    file = [[share.label, "exactly", *share_numbers(share)] for share in all_shares]
    file += [[label, "at least", count, *[None] * 6] for _, label, count in combinations.at_least]
    file += [[label, "among others", count, *[None] * 6] for _, label, count in combinations.values]
    return ChartTable(
        headings,
        rows,
        {cell: link for cell, link in links.items() if link is not None},
        (["label", "match", *SHARE_COLUMNS], file),
    )

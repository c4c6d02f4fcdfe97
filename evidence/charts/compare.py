"""Two cohorts side by side: their shares with intervals, one above the other."""

from ..models import Collection
from ..summaries import SideBySide
from ..summaries.comparison import BY_DOMAIN
from ..summaries.shares import ASKED_FOR
from .chart import (
    COUNT,
    SECOND,
    Chart,
    ChartTable,
    build_figure,
    error_bars,
    label_text,
    value_axis,
)

HEADINGS = ["Share", "A: n/N", "A: 95 % CI", "A: not known", "B: n/N", "B: 95 % CI", "B: not known"]
COLUMNS = [
    "label",
    *(f"a_{name}" for name in ("n", "known", "not_reported", "not_extracted")),
    *(f"b_{name}" for name in ("n", "known", "not_reported", "not_extracted")),
    *(
        "difference_points",
        "difference_low",
        "difference_high",
        "odds_ratio",
        "or_low",
        "or_high",
        "exact_p",
    ),
    "note",
    "outcome_rule",
    "heading",
]


def compare_chart(comparison: SideBySide, collection: Collection) -> Chart:
    """Each share of both cohorts as a point with its Wilson interval; what is known of nobody is
    not drawn.
    """
    name, title = "compare", "A and B, share by share"
    by_heading = [(heading, row) for heading, rows in comparison.groups for row in rows]
    rows = [row for _, row in by_heading]
    numbers = [
        [
            *comparison_numbers(row),
            comparison.outcome_rule if heading == BY_DOMAIN else None,
            heading,
        ]
        for heading, row in by_heading
    ]
    table = ChartTable(
        HEADINGS,
        [comparison_cells(row) for row in rows],
        {},
        (COLUMNS, numbers),
    )
    known_rows = [
        row for row in rows if row.first.percent is not None or row.second.percent is not None
    ]
    if not known_rows:
        is_any_known = any(row.first.known or row.second.known for row in rows)
        sentence = (
            "All that is known is asked for."
            if is_any_known
            else "Nothing is known of either cohort."
        )
        return Chart(name, title, sentence, table)
    labels = [label_text(row.full_label, 30) for row in known_rows]
    traces = [
        share_points(
            "A", [(row.full_label, row.first) for row in known_rows], COUNT, "circle", -0.16
        ),
        share_points(
            "B", [(row.full_label, row.second) for row in known_rows], SECOND, "diamond-open", 0.16
        ),
    ]
    positions = list(range(len(labels)))
    layout = {
        "xaxis": value_axis("% of patients known, 95 % CI", range=[-1, 101]),
        "yaxis": value_axis(tickvals=positions, ticktext=labels, range=[len(labels) - 0.5, -0.5]),
    }
    note = f"Bars are Wilson’s 95 % intervals. {comparison.outcome_rule}"
    if not comparison.tested:
        note += " The records are simulated, so nothing is tested."
    sentence = "; ".join(
        f"{row.full_label} {row.first.fraction} against {row.second.fraction}"
        for row in known_rows[:4]
    )
    figure = build_figure(collection, traces, rows=len(known_rows), **layout)
    return Chart(name, title, f"{sentence}.", table, figure, note, is_wide=True)


def share_points(name: str, shares: list, colour: str, symbol: str, shift: float) -> dict:
    """The points of one side, from its shares with their labels."""
    points = [
        (position + shift, label, share)
        for position, (label, share) in enumerate(shares)
        if share.percent is not None
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "y": [position for position, _, _ in points],
        "x": [round(share.percent, 4) for _, _, share in points],
        "cliponaxis": False,
        "marker": {"color": colour, "symbol": symbol, "size": 10, "line": {"width": 2}},
        "error_x": error_bars(
            [share.percent for _, _, share in points], [share.interval for _, _, share in points]
        ),
        "customdata": [f"{label_text(label, 60)}: {share}" for _, label, share in points],
        "hovertemplate": "%{customdata}<extra>" + name + "</extra>",
    }


def comparison_cells(row) -> list[str]:
    cohorts = [
        [
            share.fraction,
            ASKED_FOR if share.asked_for else share.interval_text,
            str(share.missing),
        ]
        for share in (row.first, row.second)
    ]
    return [row.full_label, *cohorts[0], *cohorts[1]]


def comparison_numbers(row) -> list:
    """One row for a program; differences in percentage points, and nothing where nothing is
    printed, which `note` explains.
    """
    cohorts = [
        [share.count, share.known, share.not_reported, share.not_extracted]
        for share in (row.first, row.second)
    ]
    exact = row.exact
    odds = (
        [None] * 3
        if exact is None or not row.odds_text
        else [exact.odds_ratio, exact.low, exact.high]
    )
    return [
        row.label,
        *cohorts[0],
        *cohorts[1],
        *(row.difference or [None] * 3),
        *odds,
        exact.p if row.p_text else None,
        row.why or None,
    ]

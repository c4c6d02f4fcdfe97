"""Two cohorts side by side: their shares with intervals, one above the other."""

from ..models import Collection
from ..summaries import SideBySide
from .chart import COUNT, SECOND, Chart, ChartTable, build_figure, error_bars, label_text, value_axis

HEADINGS = ["Share", "A: n/N", "A: 95 % CI", "A: not known", "B: n/N", "B: 95 % CI", "B: not known"]
COLUMNS = [
    "label",
    *(f"a_{name}" for name in ("n", "known", "not_reported", "not_extracted")),
    *(f"b_{name}" for name in ("n", "known", "not_reported", "not_extracted")),
    *("difference_points", "difference_low", "difference_high", "odds_ratio", "or_low", "or_high", "exact_p"),
    "note",
]


def compare_chart(found: SideBySide, collection: Collection) -> Chart:
    """Each share of both cohorts as a point with its Wilson interval; what is known of nobody is not drawn."""
    name, title = "compare", "A and B, share by share"
    rows = [row for _, rows in found.groups for row in rows]
    table = ChartTable(
        HEADINGS, [comparison_cells(row) for row in rows], {}, (COLUMNS, [comparison_numbers(row) for row in rows])
    )
    drawn = [row for row in rows if row.one.percent is not None or row.other.percent is not None]
    if not drawn:
        known = any(row.one.known or row.other.known for row in rows)
        told = "All that is known is asked for." if known else "Nothing is known of either cohort."
        return Chart(name, title, told, table)
    labels = [label_text(row.label, 30) for row in drawn]
    traces = [
        share_points("A", [row.one for row in drawn], COUNT, "circle", -0.16),
        share_points("B", [row.other for row in drawn], SECOND, "diamond-open", 0.16),
    ]
    places = list(range(len(labels)))
    layout = {
        "xaxis": value_axis("% of patients known, 95 % CI", range=[-1, 101]),
        "yaxis": value_axis(tickvals=places, ticktext=labels, range=[len(labels) - 0.5, -0.5]),
    }
    note = f"Bars are Wilson’s 95 % intervals. {found.outcome_rule}"
    if not found.tested:
        note += " The records are simulated, so nothing is tested."
    told = "; ".join(f"{row.label} {row.one.fraction} against {row.other.fraction}" for row in drawn[:4])
    drawing = build_figure(collection, traces, rows=len(drawn), **layout)
    return Chart(name, title, f"{told}.", table, drawing, note)


def share_points(name: str, shares: list, colour: str, symbol: str, shift: float) -> dict:
    known = [(place + shift, share) for place, share in enumerate(shares) if share.percent is not None]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "y": [place for place, _ in known],
        "x": [round(share.percent, 4) for _, share in known],
        "marker": {"color": colour, "symbol": symbol, "size": 10, "line": {"width": 2}},
        "error_x": error_bars([share.percent for _, share in known], [share.interval for _, share in known]),
        "customdata": [f"{label_text(share.label, 60)}: {share}" for _, share in known],
        "hovertemplate": "%{customdata}<extra>" + name + "</extra>",
    }


def comparison_cells(row) -> list[str]:
    sides = [[share.fraction, share.interval_text, str(share.missing)] for share in (row.one, row.other)]
    return [row.label, *sides[0], *sides[1]]


def comparison_numbers(row) -> list:
    """One row for a program; differences in percentage points, and nothing where nothing is printed, which `note`
    explains.
    """
    sides = [[share.count, share.known, share.not_reported, share.not_extracted] for share in (row.one, row.other)]
    exact = row.exact
    odds = [None] * 3 if exact is None or not row.odds_text else [exact.odds_ratio, exact.low, exact.high]
    return [
        row.label,
        *sides[0],
        *sides[1],
        *(row.difference or [None] * 3),
        *odds,
        exact.p if row.p_text else None,
        row.why or None,
    ]

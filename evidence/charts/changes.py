"""Groups from baseline to follow-up, with the spread that was printed."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from ..models import Collection
from ..summaries import ChangeRow, pluralize
from .chart import COUNT, SECOND, Chart, ChartTable, build_figure, label_text, rows_axis, value_axis

PRINTED_AS = (
    "As printed; an IQR is given where the abstract prints its width, without saying of which "
    "value, so it is not drawn. Groups are not pooled."
)

SUBTRACTED = (
    "Hollow marks are follow-up minus baseline, subtracted here from printed levels; a "
    "difference of two medians is not the median of the changes."
)


def format_decimal(value, sign: bool = False) -> str:
    """A decimal without trailing zeros, with a typographic minus sign."""
    if value is None:
        return ""
    text = format(value.normalize(), "+f" if sign and value else "f")
    return text.replace("-", "−")


def with_spread(value, sd) -> str:
    return (
        f"{format_decimal(value)} (SD {format_decimal(sd)})"
        if value is not None and sd is not None
        else format_decimal(value)
    )


def row_label(row: ChangeRow) -> str:
    time = f", week\u00a0{format_decimal(row.weeks)}" if row.weeks is not None else ""
    size = f", n\u00a0=\u00a0{row.n}" if row.n is not None else ""
    return f"{row.study}: {row.group}{time}{size}, {row.average}"


def change_cells(row: ChangeRow) -> list[str]:
    difference = format_decimal(row.difference, sign=True)
    if row.change_sd is not None:
        difference += f" (SD {format_decimal(row.change_sd)})"
    elif row.computed:
        difference += " (subtracted)"
    return [
        f"{row.study}: {row.group}",
        format_decimal(row.weeks) or "not stated",
        str(row.n) if row.n is not None else "not extracted",
        row.printed_as,
        with_spread(row.baseline, row.baseline_sd),
        with_spread(row.followup, row.followup_sd),
        difference,
        f"IQR {format_decimal(row.iqr)}" if row.iqr is not None else "",
        row.p_value,
    ]


def change_table(rows: Sequence[ChangeRow]) -> ChartTable:
    headings = [
        "Group",
        "Week",
        "n",
        "Printed as",
        "Baseline",
        "Follow-up",
        "Change",
        "Spread",
        "p, as printed",
    ]
    return ChartTable(headings, [change_cells(row) for row in rows])


def level_chart(
    measure: str, rows: Sequence[ChangeRow], collection: Collection, name: str = "group-levels"
) -> Chart:
    """Baseline and follow-up levels, joined; standard deviations where printed."""
    title = f"{measure} in groups: baseline to follow-up"
    complete_rows = [row for row in rows if row.baseline is not None and row.followup is not None]
    table = change_table(rows)
    if not complete_rows:
        return Chart(
            name, title, f"No group prints {measure} both at baseline and at follow-up.", table
        )
    labels = [label_text(row_label(row), 34) for row in complete_rows]
    joins = {
        "type": "scatter",
        "mode": "lines",
        "x": [x for row in complete_rows for x in (float(row.baseline), float(row.followup), None)],
        "y": [y for label in labels for y in (label, label, None)],
        "line": {"color": "#8A8F98", "width": 2},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    traces = [
        joins,
        level_points(
            "Baseline",
            labels,
            [(row.baseline, row.baseline_sd) for row in complete_rows],
            SECOND,
            "circle-open",
        ),
        level_points(
            "Follow-up",
            labels,
            [(row.followup, row.followup_sd) for row in complete_rows],
            COUNT,
            "circle",
        ),
    ]
    layout = {
        "xaxis": value_axis(f"{measure} (bars: ± 1 SD where printed)", rangemode="tozero"),
        "yaxis": rows_axis(labels),
    }
    levels = "; ".join(
        f"{row.study}, {row.group}: {format_decimal(row.baseline)} to "
        f"{format_decimal(row.followup)}"
        for row in complete_rows
    )
    return Chart(
        name,
        title,
        f"{levels}.",
        table,
        build_figure(collection, traces, rows=len(complete_rows) + 1, **layout),
        PRINTED_AS,
    )


def change_chart(
    measure: str, rows: Sequence[ChangeRow], collection: Collection, name: str = "group-changes"
) -> Chart:
    """Changes, one row each; standard deviations where printed."""
    title = f"Change in {measure} in groups"
    changed_rows = [row for row in rows if row.difference is not None]
    table = change_table(changed_rows)
    if not changed_rows:
        return Chart(name, title, f"No group prints a change in {measure}.", table)
    labels = [label_text(row_label(row), 34) for row in changed_rows]
    traces = []
    for arm, is_treated, colour, symbol in [
        ("JAK inhibitor", True, COUNT, "circle"),
        ("Comparator", False, SECOND, "diamond"),
    ]:
        for computed in (False, True):
            points = [
                (label, row)
                for label, row in zip(labels, changed_rows, strict=True)
                if (row.treated, row.computed) == (is_treated, computed)
            ]
            if points:
                traces.append(
                    level_points(
                        f"{arm}, subtracted" if computed else arm,
                        [label for label, _ in points],
                        [(row.difference, row.change_sd) for _, row in points],
                        colour,
                        f"{symbol}-open" if computed else symbol,
                    )
                )
    layout = {
        "xaxis": value_axis(
            f"change in {measure}; left of 0 is a fall (bars: ± 1 SD where printed)",
            rangemode="tozero",
            zeroline=True,
            zerolinewidth=2,
        ),
        "yaxis": rows_axis(labels),
    }
    note = PRINTED_AS
    if any(row.computed for row in changed_rows):
        note = f"{SUBTRACTED} {note}"
    figure = build_figure(collection, traces, rows=len(changed_rows), **layout)
    return Chart(name, title, change_sentence(changed_rows), table, figure, note)


def change_sentence(rows: Sequence[ChangeRow]) -> str:
    """A sentence with the number of changes and their values: week by week, means and medians
    separately, and every comparator by name.
    """
    computed = sum(row.computed for row in rows)
    counts = []
    if computed < len(rows):
        counts.append(pluralize(len(rows) - computed, "printed changes"))
    if computed:
        counts.append(f"{pluralize(computed, 'changes')} subtracted from printed levels")
    by_week = defaultdict(list)
    for row in rows:
        by_week[row.weeks].append(row)
    weeks = sorted(by_week, key=lambda week: (week is None, week or 0))
    return (
        ". ".join([" and ".join(counts), *(week_sentence(week, by_week[week]) for week in weeks)])
        + "."
    )


def week_sentence(week: Decimal | None, rows: Sequence[ChangeRow]) -> str:
    """“Week 12: JAK inhibitor, mean change −8.9 to −3.8 (3 groups); comparator …”."""
    treated = defaultdict(list)
    for row in rows:
        if row.treated:
            treated[row.difference_of].append(row.difference)
    changes = []
    for average, values in treated.items():
        low, high = (format_decimal(end, sign=True) for end in (min(values), max(values)))
        if len(values) == 1:
            changes.append(f"JAK inhibitor, {average} {low}")
        else:
            changes.append(
                f"JAK inhibitor, {average} {low} to {high} ({pluralize(len(values), 'groups')})"
            )
    for row in rows:
        if not row.treated:
            value = format_decimal(row.difference, sign=True)
            changes.append(f"comparator {row.group} ({row.study}), {row.difference_of} {value}")
    time = "Time not stated" if week is None else f"Week {format_decimal(week)}"
    return f"{time}: {'; '.join(changes)}"


def level_points(
    name: str, labels: list[str], values: list[tuple], colour: str, symbol: str
) -> dict:
    spreads = [float(sd) if sd is not None else 0 for _, sd in values]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [float(value) for value, _ in values],
        "y": labels,
        "marker": {"color": colour, "symbol": symbol, "size": 11, "line": {"width": 2}},
        "error_x": {
            "type": "data",
            "array": spreads,
            "thickness": 1.2,
            "width": 4,
            "visible": any(spreads),
        },
        "customdata": [with_spread(value, sd) for value, sd in values],
        "hovertemplate": "%{y}: %{customdata}<extra>" + name + "</extra>",
    }

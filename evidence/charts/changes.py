"""Groups from baseline to follow-up, with the spread that was printed."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from ..models import Collection
from ..summaries import ChangeRow, pluralize
from .chart import (
    COUNT,
    ROW,
    SECOND,
    WHOLE,
    Chart,
    ChartTable,
    build_figure,
    label_text,
    rows_axis,
    value_axis,
)

PITCH = 60  # pixels of a row: three lines of its label, or two above its mark on a narrow screen
PRINTED_AS = (
    "Bars are standard deviations (SD) of the patients of a group, as printed: no confidence "
    "intervals. An IQR is given where the abstract prints its width, without saying of which "
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


def by_drug_and_week(rows: Sequence[ChangeRow]) -> list[ChangeRow]:
    """Drug by drug, week by week; several drugs together come after those alone, comparators
    last.
    """
    return sorted(
        rows,
        key=lambda row: (
            not row.treated,
            not row.inhibitor,
            row.inhibitor,
            row.weeks is None,
            row.weeks or 0,
        ),
    )


def row_label(row: ChangeRow) -> str:
    time = f"week\u00a0{format_decimal(row.weeks)}" if row.weeks is not None else "week not stated"
    size = f"n\u00a0=\u00a0{row.n}" if row.n is not None else "n\u00a0not\u00a0extracted"
    return f"{row.study}: {row.group}, {time}, {size}, {row.average}"


def rows_of_pitch(rows: int) -> int:
    """How many rows of a figure these rows take."""
    return -(-rows * PITCH // ROW)


def study_url(collection: Collection, row: ChangeRow) -> str:
    """The page of the study that prints it; slugs stand in an address as they are."""
    return f"/{collection.slug}/studies/{row.study_slug}/"


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
    rows = by_drug_and_week(rows)
    complete_rows = [row for row in rows if row.baseline is not None and row.followup is not None]
    table = change_table(rows)
    if not complete_rows:
        nothing = f"No group prints {measure} both at baseline and at follow-up"
        return Chart(name, title, f"{nothing}.", table, nothing=nothing)
    if len(complete_rows) == 1:
        return Chart(name, title, level_sentence(complete_rows), table, note=PRINTED_AS)
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
            complete_rows,
            [(row.baseline, row.baseline_sd) for row in complete_rows],
            SECOND,
            "circle-open",
        ),
        level_points(
            "Follow-up",
            labels,
            complete_rows,
            [(row.followup, row.followup_sd) for row in complete_rows],
            COUNT,
            "circle",
        ),
    ]
    layout = {
        "xaxis": value_axis(f"{measure} (bars: ± 1 SD, no CI)", rangemode="tozero"),
        "yaxis": rows_axis(labels),
    }
    return Chart(
        name,
        title,
        level_sentence(complete_rows),
        table,
        build_figure(collection, traces, rows=rows_of_pitch(len(complete_rows)), **layout),
        PRINTED_AS,
        [[], *[[study_url(collection, row) for row in complete_rows]] * 2],
        is_wide=True,
    )


def level_sentence(rows: Sequence[ChangeRow]) -> str:
    levels = "; ".join(
        f"{row.study}, {row.group}: {format_decimal(row.baseline)} to "
        f"{format_decimal(row.followup)}"
        for row in rows
    )
    return f"{levels}."


def change_chart(
    measure: str, rows: Sequence[ChangeRow], collection: Collection, name: str = "group-changes"
) -> Chart:
    """Changes, one row each; standard deviations where printed."""
    title = f"Change in {measure} in groups"
    changed_rows = by_drug_and_week([row for row in rows if row.difference is not None])
    table = change_table(changed_rows)
    if not changed_rows:
        nothing = f"No group prints a change in {measure}"
        return Chart(name, title, f"{nothing}.", table, nothing=nothing)
    note = PRINTED_AS
    if any(row.computed for row in changed_rows):
        note = f"{SUBTRACTED} {note}"
    if len(changed_rows) == 1:
        return Chart(name, title, change_sentence(changed_rows), table, note=note)
    labels = [label_text(row_label(row), 34) for row in changed_rows]
    traces, marks = [], []
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
                        [row for _, row in points],
                        [(row.difference, row.change_sd) for _, row in points],
                        colour,
                        f"{symbol}-open" if computed else symbol,
                    )
                )
                marks.append([study_url(collection, row) for _, row in points])
    layout = {
        "xaxis": value_axis(
            f"change in {measure}; left of 0 is a fall (bars: ± 1 SD, no CI)",
            range=range_around_zero(changed_rows),
            zeroline=True,
            zerolinewidth=2,
        ),
        "yaxis": rows_axis(labels),
    }
    figure = build_figure(collection, traces, rows=rows_of_pitch(len(changed_rows)), **layout)
    return Chart(
        name, title, change_sentence(changed_rows), table, figure, note, marks, is_wide=True
    )


def range_around_zero(rows: Sequence[ChangeRow]) -> list[float]:
    """An axis with every bar of the changes, and 0, inside."""
    ends = [0.0]
    for row in rows:
        spread = row.change_sd or 0
        ends += [float(row.difference - spread), float(row.difference + spread)]
    room = (max(ends) - min(ends) or 1) * 0.06
    return [round(min(ends) - room, 2), round(max(ends) + room, 2)]


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
    name: str,
    labels: list[str],
    rows: Sequence[ChangeRow],
    values: list[tuple],
    colour: str,
    symbol: str,
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
        "customdata": [
            f"{label_text(row_label(row), 60)}: {name.lower()} {with_spread(value, sd)}"
            for row, (value, sd) in zip(rows, values, strict=True)
        ],
        "hovertemplate": WHOLE,
    }

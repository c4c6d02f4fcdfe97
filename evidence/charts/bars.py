"""Bars: shares with their intervals, verdicts, events, ages."""

from collections.abc import Callable, Sequence

from ..models import Collection
from ..models.choices import Response, Sex
from ..questions.question import FilterLink
from ..summaries import AgeAndSex, Breakdown, CategoryShare, Share, pluralize
from ..summaries.cohort import RESPONSES
from .chart import (
    COLOURS,
    COUNT,
    NOT_KNOWN,
    PATTERNS,
    SECOND,
    Chart,
    ChartTable,
    build_figure,
    count_axis,
    error_bars,
    label_text,
    rows_axis,
    value_axis,
)

SHARE_HEADINGS = ["%", "95 % CI", "Not reported", "Not extracted"]
SHARE_COLUMNS = ["n", "known", "percent", "ci_low", "ci_high", "not_reported", "not_extracted"]


def share_cells(share: Share) -> list[str]:
    """n/N, percent, interval, and the missing by reason."""
    missing = [str(share.not_reported), str(share.not_extracted)]
    return [share.fraction, share.percent_text, share.interval_text, *missing]


def share_numbers(share: Share) -> list:
    """The same for a program: percentages unrounded, None where nobody is known."""
    low, high = share.interval or (None, None)
    return [
        share.count,
        share.known,
        share.percent,
        low,
        high,
        share.not_reported,
        share.not_extracted,
    ]


def table_links(
    rows: Sequence[FilterLink | None], column: int = 0
) -> dict[tuple[int, int], FilterLink]:
    """Steps of one column of a table."""
    return {(row, column): step for row, step in enumerate(rows) if step is not None}


def no_link(row) -> None:
    return None


def share_chart(
    name: str,
    title: str,
    heading: str,
    shares: Sequence[Share],
    collection: Collection,
    *,
    empty_text: str,
    note: str = "",
    link_of: Callable[[Share], FilterLink | None] = no_link,
) -> Chart:
    """Percentages with their Wilson intervals, each labelled n/N; what is known of nobody is not
    drawn.
    """
    known_shares = [share for share in shares if share.percent is not None]
    units = {str(share.unit) for share in shares} or {"patients"}
    headings = [heading, f"{', '.join(units)}, n/N", *SHARE_HEADINGS]
    table = ChartTable(
        headings,
        [[share.label, *share_cells(share)] for share in shares],
        table_links([link_of(share) for share in shares]),
        (["label", *SHARE_COLUMNS], [[share.label, *share_numbers(share)] for share in shares]),
    )
    if not known_shares:
        return Chart(name, title, empty_text, table, note=note)
    labels = [f"{label_text(share.label)}<br>{share.fraction}" for share in known_shares]
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": labels,
        "x": [round(share.percent, 4) for share in known_shares],
        "marker": {"color": COUNT},
        "error_x": error_bars(
            [share.percent for share in known_shares],
            [share.interval for share in known_shares],
            width=5,
        ),
        "customdata": [f"{label_text(share.label)}: {share}" for share in known_shares],
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    unit = f"% of {known_shares[0].unit} known, 95 % CI"
    layout = {
        "xaxis": value_axis(unit, range=[0, 100]),
        "yaxis": rows_axis(labels),
        "showlegend": False,
    }
    figure = build_figure(collection, [bars], rows=len(known_shares) + 1, **layout)
    marks = [[link_of(share) for share in known_shares]]
    return Chart(name, title, share_sentence(known_shares), table, figure, note, marks)


def share_sentence(shares: Sequence[Share]) -> str:
    most_frequent, *others = sorted(shares, key=lambda share: -share.count)
    text = f"Most often {most_frequent.label}: {most_frequent}"
    if others:
        text += "; then " + ", ".join(f"{share.label} {share.fraction}" for share in others[:3])
    caveat = (
        " So few are known that the intervals matter more than the percentages."
        if most_frequent.has_few_known and not most_frequent.asked_for
        else ""
    )
    return f"{text}.{caveat}"


def response_chart(
    name: str,
    title: str,
    heading: str,
    rows: Sequence[Breakdown],
    collection: Collection,
    *,
    note: str = "",
    link_of: Callable[[Breakdown, str | None], FilterLink | None] = lambda row, response: None,
) -> Chart:
    """Verdicts as stacked counts of treatments, those not known included, so that the whole
    denominator is seen.
    """
    headings = [
        heading,
        *(response.label for response in RESPONSES),
        "Not reported",
        "Not extracted",
    ]
    links = table_links([link_of(row, None) for row in rows])
    for column, response in enumerate(RESPONSES, start=1):
        links |= table_links(
            [link_of(row, response) if row.counts[response] else None for row in rows], column
        )
    names = ["label", *RESPONSES, *SHARE_COLUMNS]
    numbers = [
        [row.label, *(row.counts[response] for response in RESPONSES), *share_numbers(row.improved)]
        for row in rows
    ]
    table = ChartTable(
        [*headings, "Improved, treatments, n/N", "%", "95 % CI"],
        [response_cells(row) for row in rows],
        links,
        (names, numbers),
    )
    if not any(row.known for row in rows):
        return Chart(
            name,
            title,
            "No overall verdict is known for any of these treatments.",
            table,
            note=note,
        )
    labels = [label_text(row.label) for row in rows]
    counts = {response: [row.counts[response] for row in rows] for response in RESPONSES}
    counts[Response.UNKNOWN] = [row.improved.missing for row in rows]
    responses = [response for response in counts if any(counts[response])]
    traces = [verdict_trace(response, labels, counts[response]) for response in responses]
    marks = [
        [
            link_of(row, response.value) if number else None
            for row, number in zip(rows, counts[response], strict=True)
        ]
        for response in responses
    ]
    fractions = "; ".join(f"{row.label} {row.improved.fraction}" for row in rows if row.known)
    layout = {
        "barmode": "stack",
        "xaxis": count_axis("treatments", max(row.improved.in_view for row in rows)),
        "yaxis": rows_axis(labels),
    }
    sentence = f"Improved, of treatments with a known verdict: {fractions}."
    if any(row.improved.asked_for for row in rows):
        sentence += " The verdict is asked for, so these are no rates."
    figure = build_figure(collection, traces, rows=len(rows) + 1, **layout)
    return Chart(name, title, sentence, table, figure, note, marks)


def response_cells(row: Breakdown) -> list[str]:
    """All verdicts, the missing by reason, then the improved as a share."""
    fraction, percent, interval, *missing = share_cells(row.improved)
    return [
        row.label,
        *(str(row.counts[response]) for response in RESPONSES),
        *missing,
        fraction,
        percent,
        interval,
    ]


def verdict_trace(response: Response, labels: list[str], counts: list[int]) -> dict:
    return {
        "type": "bar",
        "orientation": "h",
        "name": response.label,
        "y": labels,
        "x": counts,
        "text": [str(count) if count else "" for count in counts],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "marker": {
            "color": COLOURS[response],
            "pattern": {"shape": PATTERNS[response], "solidity": 0.25, "size": 6},
        },
        "hovertemplate": "%{y}: %{x} " + response.label.lower() + "<extra></extra>",
    }


EVENT_HEADINGS = [
    "Category",
    "patients with",
    "without",
    "not reported",
    "not extracted",
    "n/N",
    "%",
    "95 % CI",
    "events",
    "serious events",
    "CTCAE grade ≥ 3",
]
EVENT_COLUMNS = [
    "category",
    *SHARE_COLUMNS,
    "events",
    "serious",
    "not_serious",
    "graded",
    "grade_3_or_more",
]


def event_cells(row: CategoryShare) -> list[str]:
    """Patients with, without and not stated, then the share, then events and what is known of
    them.
    """
    share = row.patients
    patient_counts = [share.count, share.others, share.not_reported, share.not_extracted]
    other_cells = [
        share.fraction,
        share.percent_text,
        share.interval_text,
        str(row.events),
        row.serious_text,
        row.severe_text,
    ]
    return [share.label, *map(str, patient_counts), *other_cells]


def event_numbers(row: CategoryShare) -> list:
    counts = [row.events, row.serious, row.not_serious, row.graded, row.severe]
    return [row.patients.label, *share_numbers(row.patients), *counts]


def event_chart(
    rows: Sequence[CategoryShare],
    collection: Collection,
    *,
    empty_text: str,
    link_of: Callable[[str], FilterLink | None] = no_link,
) -> Chart:
    """Adverse events by category: patients with one, and events, side by side; they are not the
    same thing.
    """
    name, title = "adverse-events", "Adverse events by category"
    note = (
        "A second event in one patient adds an event and no patient. Patients are of those in "
        "whom it is known whether they had one; without: none occurred, or the list is complete "
        "and none is of this category. Serious events are of those said to be serious or not, "
        "severe ones of those graded: severe is not serious."
    )
    links = [link_of(row.patients.key) for row in rows]
    table = ChartTable(
        EVENT_HEADINGS,
        [event_cells(row) for row in rows],
        table_links(links),
        (EVENT_COLUMNS, [event_numbers(row) for row in rows]),
    )
    if not rows:
        return Chart(name, title, empty_text, table, note=note)
    labels = [label_text(row.patients.label) for row in rows]

    def bar_trace(
        name: str, counts: list[int], colour: str, pattern: str, hover: list[str]
    ) -> dict:
        return {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": labels,
            "x": counts,
            "text": [str(count) for count in counts],
            "textposition": "auto",
            "marker": {"color": colour, "pattern": {"shape": pattern, "solidity": 0.25, "size": 6}},
            "customdata": hover,
            "hovertemplate": "%{y}: %{customdata}<extra></extra>",
        }

    patients = [row.patients.count for row in rows]
    events = [row.events for row in rows]
    traces = [
        bar_trace("Patients", patients, COUNT, "", [str(row.patients) for row in rows]),
        bar_trace("Events", events, SECOND, "/", [pluralize(row.events, "events") for row in rows]),
    ]
    layout = {
        "barmode": "group",
        "xaxis": count_axis("patients, and events", max(patients + events)),
        "yaxis": rows_axis(labels),
    }
    categories = "; ".join(
        f"{row.patients.label} in {row.patients}, {pluralize(row.events, 'events')}"
        for row in rows[:2]
    )
    sentence = (
        f"{categories}. In all, {pluralize(sum(events), 'events')} "
        f"{'is' if sum(events) == 1 else 'are'} recorded."
    )
    figure = build_figure(collection, traces, rows=len(rows) * 2, **layout)
    return Chart(name, title, sentence, table, figure, note, [links, links])


def age_chart(
    demographics: AgeAndSex,
    collection: Collection,
    *,
    link_of: Callable[[str, str | None], FilterLink | None] = lambda band, sex: None,
) -> Chart:
    """Patients by decade of age, stacked by sex."""
    name, title = "age-and-sex", "Age and sex"
    sexes = [Sex.FEMALE, Sex.MALE, Sex.UNKNOWN]
    rows = [
        [f"{band} years", *(str(counts.get(sex, 0)) for sex in sexes)]
        for band, counts in demographics.bands
    ]
    rows.append(
        [
            "Age not known",
            *(str(demographics.sexes.get(sex, 0) - demographics.aged(sex)) for sex in sexes),
        ]
    )
    links = table_links(
        [
            link_of(band, None) if any(counts.values()) else None
            for band, counts in demographics.bands
        ]
    )
    for column, sex in enumerate(sexes, start=1):
        column_links = [
            link_of(band, sex.value) if counts.get(sex.value) else None
            for band, counts in demographics.bands
        ]
        links |= table_links(column_links, column)
    table = ChartTable(["Age", "Female", "Male", "Sex not known"], rows, links)
    if not demographics.bands:
        return Chart(name, title, demographics.sentence, table)
    labels = [band for band, _ in demographics.bands]
    known_sexes = [
        sex for sex in sexes if any(counts.get(sex.value) for _, counts in demographics.bands)
    ]
    marks = [
        [
            link_of(band, sex.value) if counts.get(sex.value) else None
            for band, counts in demographics.bands
        ]
        for sex in known_sexes
    ]
    traces = [
        {
            "type": "bar",
            "name": sex.label if sex != Sex.UNKNOWN else "Sex not known",
            "x": labels,
            "y": [counts.get(sex.value, 0) for _, counts in demographics.bands],
            "marker": {
                "color": COLOURS.get(sex, NOT_KNOWN),
                "pattern": {"shape": PATTERNS.get(sex, "."), "solidity": 0.25, "size": 6},
            },
            "hovertemplate": "%{x} years: %{y} " + sex.label.lower() + "<extra></extra>",
        }
        for sex in known_sexes
    ]
    layout = {
        "barmode": "stack",
        "bargap": 0.15,
        "xaxis": value_axis("age (years)", type="category"),
        "yaxis": count_axis(
            "patients", max(sum(counts.values()) for _, counts in demographics.bands)
        ),
    }
    return Chart(
        name,
        title,
        demographics.sentence,
        table,
        build_figure(collection, traces, rows=5, **layout),
        "",
        marks,
    )

"""Bars: shares with their intervals, verdicts, events, ages."""

from collections.abc import Callable, Sequence
from dataclasses import replace

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
    WHOLE,
    Chart,
    ChartTable,
    build_figure,
    count_axis,
    error_bars,
    label_text,
    rows_axis,
    value_axis,
)

SAID = 8  # rows whose numbers the sentence says; all of them stand in the table
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
        return Chart(name, title, empty_text, table, note=note, nothing=empty_text.rstrip("."))
    if len(known_shares) == 1:
        return Chart(name, title, share_sentence(known_shares), table, note=note)
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
        "hovertemplate": WHOLE,
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
    text = f"{'Most often ' if others else ''}{most_frequent.label}: {most_frequent}"
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
            nothing="No overall verdict is known",
        )
    if len(rows) == 1:
        return Chart(name, title, verdicts_sentence(rows[0]), table, note=note)
    labels = [label_text(row.label) for row in rows]
    counts = {response: [row.counts[response] for row in rows] for response in RESPONSES}
    counts[Response.UNKNOWN] = [row.improved.missing for row in rows]
    responses = [response for response in counts if any(counts[response])]
    traces = [verdict_trace(response, labels, rows, counts[response]) for response in responses]
    marks = [
        [
            link_of(row, response.value) if number else None
            for row, number in zip(rows, counts[response], strict=True)
        ]
        for response in responses
    ]
    known_rows = [row for row in rows if row.known]
    fractions = "; ".join(f"{row.label} {row.improved.fraction}" for row in known_rows[:SAID])
    if len(known_rows) > SAID:
        fractions += f"; {len(known_rows) - SAID} more in the table"
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


def verdicts_sentence(row: Breakdown) -> str:
    """All verdicts on one kind of treatment: “tofacitinib: 57 improved, 8 stable. Improved: 57/65
    …”.
    """
    verdicts = ", ".join(
        f"{row.counts[response]} {response.label.lower()}"
        for response in RESPONSES
        if row.counts[response]
    )
    return f"{row.label}: {verdicts}. Improved: {row.improved}."


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


def verdict_text(row: Breakdown, response: Response) -> str:
    """One verdict on one kind of treatment as a whole share, or how many verdicts are not known."""
    if response == Response.UNKNOWN:
        of_all = f"{row.improved.missing} of {pluralize(row.improved.in_view, row.improved.unit)}"
        return f"not known in {of_all} ({row.improved.missing_split})"
    return f"{response.label.lower()} {replace(row.improved, count=row.counts[response])}"


def verdict_trace(
    response: Response, labels: list[str], rows: Sequence[Breakdown], counts: list[int]
) -> dict:
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
        "constraintext": "none",
        "marker": {
            "color": COLOURS[response],
            "pattern": {"shape": PATTERNS[response], "solidity": 0.25, "size": 6},
        },
        "customdata": [f"{label_text(row.label)}: {verdict_text(row, response)}" for row in rows],
        "hovertemplate": WHOLE,
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
        nothing = "No adverse event is recorded"
        return Chart(name, title, empty_text, table, note=note, nothing=nothing)
    if len(rows) == 1:
        return Chart(name, title, event_sentence(rows), table, note=note)
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
            "textposition": "outside",
            "cliponaxis": False,
            "marker": {"color": colour, "pattern": {"shape": pattern, "solidity": 0.25, "size": 6}},
            "customdata": [f"{label}: {text}" for label, text in zip(labels, hover, strict=True)],
            "hovertemplate": WHOLE,
        }

    patients = [row.patients.count for row in rows]
    events = [row.events for row in rows]
    traces = [
        bar_trace("Patients", patients, COUNT, "", [str(row.patients) for row in rows]),
        bar_trace("Events", events, SECOND, "/", [events_text(row) for row in rows]),
    ]
    layout = {
        "barmode": "group",
        "xaxis": count_axis("patients, and events", max(patients + events)),
        "yaxis": rows_axis(labels),
    }
    figure = build_figure(collection, traces, rows=len(rows) * 2, **layout)
    return Chart(name, title, event_sentence(rows), table, figure, note, [links, links])


def events_text(row: CategoryShare) -> str:
    """“3 events in 2 patients; serious: 1 of 2 stated”."""
    patients = pluralize(row.patients.count, row.patients.unit)
    return f"{pluralize(row.events, 'events')} in {patients}; serious: {row.serious_text}"


def event_sentence(rows: Sequence[CategoryShare]) -> str:
    """The two most frequent categories, and how many events there are in all."""
    categories = "; ".join(
        f"{row.patients.label} in {row.patients}, {pluralize(row.events, 'events')}"
        for row in rows[:2]
    )
    events = sum(row.events for row in rows)
    verb = "is" if events == 1 else "are"
    return f"{categories}. In all, {pluralize(events, 'events')} {verb} recorded."


def age_chart(
    demographics: AgeAndSex,
    collection: Collection,
    *,
    link_of: Callable[[str, str | None], FilterLink | None] = lambda band, sex: None,
    asked_for: str = "",
) -> Chart:
    """Patients by decade of age, stacked by sex. `asked_for` says that the question decides the
    ages.
    """
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
    if len(demographics.bands) < 2:
        nothing = "" if demographics.known.in_view else "No patient is in view"
        return Chart(name, title, demographics.sentence, table, nothing=nothing)
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
            "customdata": [
                band_text(replace(demographics.known, asked_for=asked_for), band, counts, sex)
                for band, counts in demographics.bands
            ],
            "hovertemplate": WHOLE,
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


def band_text(known: Share, band: str, counts: dict[str, int], sex: Sex) -> str:
    """A decade as a share of those whose age is known, then how many of it are of one sex."""
    patients = sum(counts.values())
    words = sex.label.lower() if sex != Sex.UNKNOWN else "sex not known"
    share = replace(known, label=band, count=patients)
    return f"{band} years: {share}; {words}: {counts.get(sex.value, 0)} of these {patients}"

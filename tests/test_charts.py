"""Figures are valid Plotly, say what the summaries say, and carry their sentence and table."""

import warnings
from decimal import Decimal

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # plotly's own, at import
    import plotly.graph_objects as go

from evidence import charts
from evidence.charts.registry import CHARTS
from evidence.models import Collection
from evidence.summaries import AgeAndSex, Breakdown, CategoryShare, ChangeRow, Share

PUBLISHED = Collection(slug="a", kind="published")
SIMULATED = Collection(slug="b", kind="simulated", caveat="simulated: not evidence")


def share(label="ILD + skin", count=22, known=49, missing=38, unit="patients"):
    return Share(label, count, known, 0, missing, unit)


def change(**fields):
    names = [
        "weeks",
        "n",
        "baseline",
        "baseline_sd",
        "followup",
        "followup_sd",
        "change",
        "change_sd",
        "iqr",
    ]
    empty = dict.fromkeys(names)  # what was not printed is None
    words = {
        "study": "S",
        "study_slug": "s",
        "group": "G",
        "treated": True,
        "kind": "Mean change",
        "p_value": "",
        "note": "",
    }
    return ChangeRow(**(empty | words | fields))


@pytest.mark.parametrize(
    "address",
    [
        "/published/charts/?" + "&".join(f"chart={name}" for name in CHARTS),
        "/sener-2025-reconstruction/charts/?chart=swimmers&chart=manifestation-sets&"
        "chart=indication-sets",
        "/published/charts/",
        "/sener-2025-reconstruction/charts/",
        "/published/groups/",
        "/published/charts/?sex=male",
    ],
)
def test_every_figure_of_a_page_is_valid_plotly(client, db, address):
    drawn = [chart for chart in client.get(address).context["charts"] if chart.figure]
    assert drawn
    for chart in drawn:
        go.Figure(chart.figure)  # raises ValueError for an unknown property or value
        assert chart.sentence and chart.table.rows
        assert all(len(row) == len(chart.table.headings) for row in chart.table.rows)
        assert chart.figure["layout"]["height"] % 40 == 0


def test_a_share_chart_draws_the_share_and_its_interval():
    chart = charts.share_chart(
        "x",
        "X",
        "Set",
        [share(), share("skin", 19, 49), share("GI", 0, 0, 87)],
        PUBLISHED,
        empty_text="",
    )
    (bars,) = chart.figure["data"]
    assert bars["x"] == [round(100 * 22 / 49, 4), round(100 * 19 / 49, 4)]
    assert round(bars["x"][0] - bars["error_x"]["arrayminus"][0], 1) == 31.9
    assert round(bars["x"][0] + bars["error_x"]["array"][0], 1) == 58.7
    assert bars["y"] == ["ILD + skin<br>22/49", "skin<br>19/49"]
    assert chart.table.rows == [
        ["ILD + skin", "22/49", "44.9 %", "31.9–58.7", "0", "38"],
        ["skin", "19/49", "38.8 %", "26.4–52.8", "0", "38"],
        ["GI", "none known", "", "", "0", "87"],
    ]
    assert chart.sentence.startswith("Most often ILD + skin: 22/49 patients (44.9 %")


def test_few_known_are_pointed_out():
    chart = charts.share_chart(
        "x", "X", "Set", [share("joints", 1, 1, 0)], PUBLISHED, empty_text=""
    )
    assert "So few are known" in chart.sentence


def test_nothing_known_is_said_and_not_drawn():
    chart = charts.share_chart(
        "x", "X", "Set", [share(count=0, known=0)], PUBLISHED, empty_text="Nothing is known."
    )
    assert (chart.figure, chart.sentence) == ({}, "Nothing is known.")


def test_responses_add_up_to_all_treatments():
    counts = {"improved": 3, "stable": 1, "worsened": 0, "not_improved": 2}
    row = Breakdown(
        "tofacitinib", "tofacitinib", counts, share("tofacitinib", 3, 6, 4, "treatments")
    )
    other = Breakdown(
        "baricitinib", "baricitinib", dict.fromkeys(counts, 0), share("b", 0, 0, 1, "treatments")
    )
    chart = charts.response_chart("x", "X", "Drug", [row, other], PUBLISHED)
    assert sum(trace["x"][0] for trace in chart.figure["data"]) == 10
    assert {trace["name"] for trace in chart.figure["data"]} == {
        "Improved",
        "Stable",
        "Not improved (not further stated)",
        "Not known",
    }
    assert chart.table.headings[-3:] == ["Improved, treatments, n/N", "%", "95 % CI"]
    assert chart.table.rows[0][1:] == ["3", "1", "0", "2", "0", "4", "3/6", "50.0 %", "18.8–81.2"]
    colours = [trace["marker"]["color"] for trace in chart.figure["data"]]
    patterns = [trace["marker"]["pattern"]["shape"] for trace in chart.figure["data"]]
    assert len(set(colours)) == len(set(patterns)) == len(colours), "never colour alone"


def test_events_stand_beside_patients():
    infection = CategoryShare(share("Infection", 1, 3, 2), 2)
    chart = charts.event_chart(
        [infection, CategoryShare(share("Hepatitis", 1, 3, 2), 1)], PUBLISHED, empty_text=""
    )
    patients, events = chart.figure["data"]
    assert (patients["x"], events["x"]) == ([1, 1], [2, 1])
    row, _ = chart.table.rows
    assert row[:5] == ["Infection", "1", "2", "0", "2"], (
        "patients with, without, not reported, not extracted"
    )
    assert row[5:] == ["1/3", "33.3 %", "6.1–79.2", "2", "none stated", "none graded"]
    graded = CategoryShare(
        share("Infection", 1, 3, 2), 4, serious=1, not_serious=2, graded=2, severe=1
    )
    (row,) = charts.event_chart([graded], PUBLISHED, empty_text="").table.rows
    assert row[8:] == ["4", "1 of 3", "1 of 2"]


def test_changes_draw_the_printed_spread_and_nothing_else():
    printed = change(
        baseline=Decimal("9.22"), baseline_sd=Decimal("3.81"), followup=Decimal("7.11"), n=9
    )
    median = change(
        baseline=Decimal("24"), followup=Decimal("12"), iqr=Decimal("7.50"), weeks=Decimal("26")
    )
    only = change(change=Decimal("-10.17"), change_sd=Decimal("2.92"), treated=False)
    levels = charts.level_chart("mRSS", [printed, median, only], PUBLISHED)
    baseline = levels.figure["data"][1]
    assert baseline["x"] == [24.0, 9.22], "week by week, those without one last"
    assert baseline["error_x"]["array"] == [0, 3.81]
    assert "9.22 to 7.11" in levels.sentence and "24 to 12" in levels.sentence
    assert [row[7] for row in levels.table.rows] == ["IQR 7.5", "", ""]
    falls = charts.change_chart("mRSS", [printed, median, only], PUBLISHED)
    assert [trace["name"] for trace in falls.figure["data"]] == [
        "JAK inhibitor, subtracted",
        "Comparator",
    ]
    assert [row[6] for row in falls.table.rows] == [
        "−12 (subtracted)",
        "−2.11 (subtracted)",
        "−10.17 (SD 2.92)",
    ]


def changes_of(*rows):
    return charts.change_chart("mRSS", rows, PUBLISHED)


def test_a_change_sentence_keeps_weeks_averages_and_comparators_apart():
    chart = changes_of(
        change(change=Decimal("-8.9"), weeks=Decimal("12"), group="4 mg"),
        change(change=Decimal("-3.8"), weeks=Decimal("12"), group="2 mg"),
        change(change=Decimal("-3.6"), weeks=Decimal("12"), group="Control", treated=False),
        change(baseline=Decimal("24"), followup=Decimal("12"), weeks=Decimal("26"), median=True),
        change(change=Decimal("-1"), weeks=Decimal("26")),
        change(
            baseline=Decimal("23"),
            followup=Decimal("21"),
            weeks=Decimal("26"),
            median=True,
            treated=False,
        ),
        change(change=Decimal("-2")),
    )
    assert chart.sentence == (
        "5 printed changes and 2 changes subtracted from printed levels. Week 12: JAK inhibitor, "
        "mean change −8.9 to −3.8 (2 groups); comparator Control (S), mean change −3.6. Week 26: "
        "JAK inhibitor, difference of medians −12; JAK inhibitor, mean change −1; comparator G "
        "(S), difference of medians −2. Time not stated: JAK inhibitor, mean change −2."
    )


def test_one_printed_change_is_one():
    assert changes_of(change(change=Decimal("-7"), weeks=Decimal("12"))).sentence == (
        "1 printed change. Week 12: JAK inhibitor, mean change −7."
    )
    assert changes_of(change(baseline=Decimal("9"), followup=Decimal("7"))).sentence.startswith(
        "1 change subtracted from printed levels. "
    )


def test_subtracted_changes_are_hollow():
    printed = {"change": Decimal("-7")}
    subtracted = {"baseline": Decimal("9"), "followup": Decimal("7")}
    chart = changes_of(
        *(
            change(**numbers, treated=treated)
            for numbers in (printed, subtracted)
            for treated in (True, False)
        )
    )
    symbols = {trace["name"]: trace["marker"]["symbol"] for trace in chart.figure["data"]}
    assert symbols == {
        "JAK inhibitor": "circle",
        "JAK inhibitor, subtracted": "circle-open",
        "Comparator": "diamond",
        "Comparator, subtracted": "diamond-open",
    }
    assert "Hollow marks" in chart.note and "Hollow" not in changes_of(change(**printed)).note


@pytest.mark.parametrize("changes", [(-7, -12), (3, 5), (-7, 5), (0, 0)])
def test_the_axis_of_changes_has_its_zero_and_every_bar_inside(changes):
    rows = [change(change=Decimal(each), change_sd=Decimal(2)) for each in changes]
    axis = changes_of(*rows).figure["layout"]["xaxis"]
    low, high = axis["range"]
    assert low < min(0, *changes) - 2 * any(each <= 0 for each in changes) < high
    assert low < 0 < high and high > max(changes) + 2 and low < min(changes) - 2
    assert axis["zeroline"]


def test_rows_of_groups_stand_drug_by_drug_and_week_by_week():
    rows = [
        change(change=Decimal(-1), inhibitor=drug, weeks=week and Decimal(week), treated=treated)
        for drug, week, treated in [
            ("", 12, False),
            ("tofacitinib", None, True),
            ("", 4, True),
            ("tofacitinib", 24, True),
            ("baricitinib", 52, True),
            ("tofacitinib", 12, True),
        ]
    ]
    assert [row[1] for row in changes_of(*rows).table.rows] == [
        *("52", "12", "24", "not stated"),
        *("4", "12"),
    ]


def test_a_row_of_groups_says_its_n_and_what_its_bar_is():
    chart = changes_of(
        change(change=Decimal(-1), change_sd=Decimal("1.5"), n=9), change(change=Decimal(-2))
    )
    labels = [
        label.replace("<br>", " ") for label in chart.figure["layout"]["yaxis"]["categoryarray"]
    ]
    assert "n\u00a0=\u00a09" in labels[0] and "n\u00a0not\u00a0extracted" in labels[1]
    (trace,) = chart.figure["data"]
    assert "−1 (SD 1.5)" in trace["customdata"][0] and "n\u00a0=\u00a09" in trace["customdata"][0]
    assert "no confidence intervals" in chart.note
    assert "SD, no CI" in chart.figure["layout"]["xaxis"]["title"]["text"]
    assert chart.marks == [["/a/studies/s/", "/a/studies/s/"]], "a mark opens its study"


def shares_said(chart):
    return [text for trace in chart.figure["data"] for text in trace.get("customdata", [])]


def test_marks_say_whole_shares():
    counts = {"improved": 57, "stable": 0, "worsened": 0, "not_improved": 8}
    tofacitinib, other = (
        Breakdown(name, name, counts, share(name, 57, 65, 7, "treatments"))
        for name in ("tofacitinib", "other")
    )
    chart = charts.response_chart("x", "X", "Drug", [tofacitinib, other], PUBLISHED)
    said = shares_said(chart)
    rate = "57/65 treatments (87.7 %, 95 % CI 77.5–93.6), 7 not known (7 not extracted)"
    assert said[0] == f"tofacitinib: improved {rate}"
    assert "tofacitinib: not improved (not further stated) 8/65 treatments (12.3 %" in said[2]
    assert said[4] == "tofacitinib: not known in 7 of 72 treatments (7 not extracted)"
    rows = [CategoryShare(share(name, 1, 3, 2), 2) for name in ("Infection", "Hepatitis")]
    said = shares_said(charts.event_chart(rows, PUBLISHED, empty_text=""))
    assert said[0] == f"Infection: {rows[0].patients}"
    assert said[2] == "Infection: 2 events in 1 patient; serious: none stated"
    known = Share("Age known", 5, 5, 0, 1)
    bands = [("20–29", {"female": 2, "male": 1}), ("30–39", {"female": 2})]
    ages = AgeAndSex(bands, {"female": 4, "male": 1, "unknown": 1}, {25: 3, 35: 2}, known)
    said = shares_said(charts.age_chart(ages, PUBLISHED))
    assert said[0] == (
        "20–29 years: 3/5 patients (60.0 %, 95 % CI 23.1–88.2), 1 not known (1 not extracted); "
        "female: 2 of these 3"
    )
    asked = shares_said(charts.age_chart(ages, PUBLISHED, asked_for="asked for"))
    assert asked[0].startswith("20–29 years: 3/5 patients (asked for), ")


def test_a_sentence_says_the_first_rows_and_how_many_more():
    counts = {"improved": 3, "stable": 1, "worsened": 0, "not_improved": 2}
    rows = [
        Breakdown(f"d{i}", f"d{i}", counts, share(f"d{i}", 3, 6, 0, "treatments"))
        for i in range(11)
    ]
    sentence = charts.response_chart("x", "X", "Drug", rows, PUBLISHED).sentence
    assert sentence.endswith("d6 3/6; d7 3/6; 3 more in the table.")
    eight = charts.response_chart("x", "X", "Drug", rows[:8], PUBLISHED).sentence
    assert eight.endswith("d7 3/6.")


def test_one_bar_is_a_sentence():
    row = CategoryShare(share("Infection", 1, 3, 2), 2)
    chart = charts.event_chart([row], PUBLISHED, empty_text="")
    assert (chart.figure, chart.nothing) == ({}, "") and len(chart.table.rows) == 1
    assert (
        chart.sentence == f"Infection in {row.patients}, 2 events. In all, 2 events are recorded."
    )
    counts = {"improved": 3, "stable": 1, "worsened": 0, "not_improved": 2}
    verdicts = Breakdown("tofacitinib", "t", counts, share("t", 3, 6, 4, "treatments"))
    chart = charts.response_chart("x", "X", "Drug", [verdicts], PUBLISHED)
    assert not chart.figure and chart.sentence == (
        "tofacitinib: 3 improved, 1 stable, 2 not improved (not further stated). Improved: "
        f"{verdicts.improved}."
    )
    printed = changes_of(change(change=Decimal("-7")))
    assert not printed.figure and printed.sentence.startswith("1 printed change.")


@pytest.mark.parametrize(
    ("fields", "printed_as"),
    [
        ({"change": 1}, "Mean change"),
        (
            {"change": 1, "change_sd": 1, "kind": "Mean (SD), baseline to follow-up"},
            "Mean change (SD)",
        ),
        ({"baseline": 1, "followup": 2, "baseline_sd": 1}, "Mean (SD) at baseline and follow-up"),
        ({"baseline": 1, "followup": 2, "median": True}, "Median at baseline and follow-up"),
        ({"baseline": 1, "change": 1}, "Mean at baseline and mean change"),
    ],
)
def test_printed_as_says_what_is_printed(fields, printed_as):
    assert change(**fields).printed_as == printed_as


def test_the_published_changes_name_their_comparators(client, db):
    """Khan 2026 prints a change and no levels; three of the groups had no JAK inhibitor."""
    (chart,) = client.get("/published/charts/?chart=group-changes").context["charts"]
    for said in (
        "comparator Cyclophosphamide 500 mg/m2 monthly (Khan 2026), mean change −8",
        "comparator Control (Chen 2025 (BASICS)), mean change −3.6",
        "comparator Methotrexate (Karalilova 2021), difference of medians −2",
    ):
        assert said in chart.sentence
    khan = [row for row in chart.table.rows if row[0].startswith("Khan 2026")]
    assert {row[3] for row in khan} == {"Mean change (SD)"}


def test_labels_from_the_data_cannot_become_markup():
    chart = charts.share_chart(
        "x", "X", "Set", [share("<a href='x'>b</a> & c"), share()], PUBLISHED, empty_text=""
    )
    assert "<a" not in chart.figure["data"][0]["y"][0]
    assert "&lt;a" in chart.figure["data"][0]["y"][0] and "&amp;" in chart.figure["data"][0]["y"][0]


def test_a_simulated_chart_is_marked_inside_the_picture():
    def marks(collection):
        shares = [share(), share("skin", 19)]
        chart = charts.share_chart("x", "X", "Set", shares, collection, empty_text="")
        return chart.figure["layout"]["annotations"]

    assert marks(PUBLISHED) == []
    assert "SIMULATED" in marks(SIMULATED)[0]["text"]


def test_a_figure_cannot_close_its_script_element(client, db):
    from .factories import make_collection, make_patient, make_study, make_treatment

    collection = make_collection("markup")
    make_treatment(
        make_patient(make_study(collection, short_name="</script><b>x")), indications=["ild"]
    )
    body = client.get("/markup/charts/").content.decode()
    assert "</script><b>" not in body

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
from evidence.summaries import Breakdown, CategoryShare, ChangeRow, Share

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
        "/published/?" + "&".join(f"chart={name}" for name in CHARTS),
        "/sener-2025-reconstruction/?chart=swimmers&chart=manifestation-sets&chart=indication-sets",
        "/published/",
        "/sener-2025-reconstruction/",
        "/published/groups/",
        "/published/?sex=male",
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
        "x", "X", "Set", [share(), share("GI", 0, 0, 87)], PUBLISHED, empty_text=""
    )
    (bars,) = chart.figure["data"]
    assert bars["x"] == [round(100 * 22 / 49, 4)]
    assert round(bars["x"][0] - bars["error_x"]["arrayminus"][0], 1) == 31.9
    assert round(bars["x"][0] + bars["error_x"]["array"][0], 1) == 58.7
    assert bars["y"] == ["ILD + skin<br>22/49"]
    assert chart.table.rows == [
        ["ILD + skin", "22/49", "44.9 %", "31.9–58.7", "0", "38"],
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
    chart = charts.response_chart("x", "X", "Drug", [row], PUBLISHED)
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
    chart = charts.event_chart(
        [CategoryShare(share("Infection", 1, 3, 2), 2)], PUBLISHED, empty_text=""
    )
    patients, events = chart.figure["data"]
    assert (patients["x"], events["x"]) == ([1], [2])
    (row,) = chart.table.rows
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
    assert baseline["x"] == [9.22, 24.0]
    assert baseline["error_x"]["array"] == [3.81, 0]
    assert "9.22 to 7.11" in levels.sentence and "24 to 12" in levels.sentence
    assert [row[7] for row in levels.table.rows] == ["", "IQR 7.5", ""]
    falls = charts.change_chart("mRSS", [printed, median, only], PUBLISHED)
    assert [trace["name"] for trace in falls.figure["data"]] == [
        "JAK inhibitor, subtracted",
        "Comparator",
    ]
    assert [row[6] for row in falls.table.rows] == [
        "−2.11 (subtracted)",
        "−12 (subtracted)",
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


def test_the_axis_of_changes_shows_its_zero():
    axis = changes_of(change(change=Decimal("-7"))).figure["layout"]["xaxis"]
    assert axis["rangemode"] == "tozero" and axis["zeroline"]


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
    (chart,) = client.get("/published/?chart=group-changes").context["charts"]
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
        "x", "X", "Set", [share("<a href='x'>b</a> & c")], PUBLISHED, empty_text=""
    )
    assert "<a" not in chart.figure["data"][0]["y"][0]
    assert "&lt;a" in chart.figure["data"][0]["y"][0] and "&amp;" in chart.figure["data"][0]["y"][0]


def test_a_simulated_chart_is_marked_inside_the_picture():
    def marks(collection):
        return charts.share_chart("x", "X", "Set", [share()], collection, empty_text="").figure[
            "layout"
        ]["annotations"]

    assert marks(PUBLISHED) == []
    assert "SIMULATED" in marks(SIMULATED)[0]["text"]


def test_a_figure_cannot_close_its_script_element(client, db):
    from .factories import make_collection, make_patient, make_study, make_treatment

    collection = make_collection("markup")
    make_treatment(
        make_patient(make_study(collection, short_name="</script><b>x")), indications=["ild"]
    )
    body = client.get("/markup/").content.decode()
    assert "</script><b>" not in body

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
    names = ["weeks", "n", "baseline", "baseline_sd", "followup", "followup_sd", "change", "change_sd", "iqr"]
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
    chart = charts.share_chart("x", "X", "Set", [share(), share("GI", 0, 0, 87)], PUBLISHED, nothing="")
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
    chart = charts.share_chart("x", "X", "Set", [share("joints", 1, 1, 0)], PUBLISHED, nothing="")
    assert "So few are known" in chart.sentence


def test_nothing_known_is_said_and_not_drawn():
    chart = charts.share_chart("x", "X", "Set", [share(count=0, known=0)], PUBLISHED, nothing="Nothing is known.")
    assert (chart.figure, chart.sentence) == ({}, "Nothing is known.")


def test_responses_add_up_to_all_treatments():
    counts = {"improved": 3, "stable": 1, "worsened": 0, "not_improved": 2}
    row = Breakdown("tofacitinib", "tofacitinib", counts, share("tofacitinib", 3, 6, 4, "treatments"))
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
    chart = charts.event_chart([CategoryShare(share("Infection", 1, 3, 2), 2)], PUBLISHED, nothing="")
    patients, events = chart.figure["data"]
    assert (patients["x"], events["x"]) == ([1], [2])
    (row,) = chart.table.rows
    assert row[:5] == ["Infection", "1", "2", "0", "2"], "patients with, without, not reported, not extracted"
    assert row[5:] == ["1/3", "33.3 %", "6.1–79.2", "2", "none stated", "none graded"]
    graded = CategoryShare(share("Infection", 1, 3, 2), 4, serious=1, not_serious=2, graded=2, severe=1)
    (row,) = charts.event_chart([graded], PUBLISHED, nothing="").table.rows
    assert row[8:] == ["4", "1 of 3", "1 of 2"]


def test_changes_draw_the_printed_spread_and_nothing_else():
    printed = change(baseline=Decimal("9.22"), baseline_sd=Decimal("3.81"), followup=Decimal("7.11"), n=9)
    median = change(baseline=Decimal("24"), followup=Decimal("12"), iqr=Decimal("7.50"), weeks=Decimal("26"))
    only = change(change=Decimal("-10.17"), change_sd=Decimal("2.92"), treated=False)
    levels = charts.level_chart("mRSS", [printed, median, only], PUBLISHED)
    baseline = levels.figure["data"][1]
    assert baseline["x"] == [9.22, 24.0]
    assert baseline["error_x"]["array"] == [3.81, 0]
    assert "9.22 to 7.11" in levels.sentence and "24 to 12" in levels.sentence
    assert [row[7] for row in levels.table.rows] == ["", "IQR 7.5", ""]
    falls = charts.change_chart("mRSS", [printed, median, only], PUBLISHED)
    assert [trace["name"] for trace in falls.figure["data"]] == ["JAK inhibitor", "Comparator"]
    assert [row[6] for row in falls.table.rows] == ["−2.11 (subtracted)", "−12 (subtracted)", "−10.17 (SD 2.92)"]


def test_labels_from_the_data_cannot_become_markup():
    chart = charts.share_chart("x", "X", "Set", [share("<a href='x'>b</a> & c")], PUBLISHED, nothing="")
    assert "<a" not in chart.figure["data"][0]["y"][0]
    assert "&lt;a" in chart.figure["data"][0]["y"][0] and "&amp;" in chart.figure["data"][0]["y"][0]


def test_a_simulated_chart_is_marked_inside_the_picture():
    def marks(collection):
        return charts.share_chart("x", "X", "Set", [share()], collection, nothing="").figure["layout"]["annotations"]

    assert marks(PUBLISHED) == []
    assert "SIMULATED" in marks(SIMULATED)[0]["text"]


def test_a_figure_cannot_close_its_script_element(client, db):
    from .factories import make_collection, make_patient, make_study, make_treatment

    collection = make_collection("markup")
    make_treatment(make_patient(make_study(collection, short_name="</script><b>x")), indications=["ild"])
    body = client.get("/markup/").content.decode()
    assert "</script><b>" not in body

"""Charts that ask: choosing a mark leads to exactly the patients it shows, and choosing it again
leads back.
"""

import csv
import json
import re
from html import unescape
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given, settings

from evidence.charts.registry import CHARTS
from evidence.models.choices import Match
from evidence.questions.question import MatchedSet, Question

from .factories import make_patient, make_study, make_treatment
from .test_filters import addresses, few

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def every_answer_made_anew(settings):
    """So that each has its context."""
    settings.CACHE_RESPONSES = False


EVERY = "&".join(f"chart={name}" for name in CHARTS)


def charts_page(client, collection, query=""):
    return client.get(f"/{collection.slug}/charts/?{query}&{EVERY}")


def charts_of(response):
    """The charts of a page, those with nothing to show too."""
    empty = [chart for _, charts in response.context["empty_charts"] for chart in charts]
    return [*response.context["charts"], *empty]


def chart_of(response, name):
    return next(chart for chart in charts_of(response) if chart.name == name)


def steps_with_numbers(chart):
    """(step, number, unit) of every cell that asks something."""
    unit = "treatments" if chart.name.startswith("response") else "patients"
    for (row, column), step in chart.table.steps.items():
        cells = chart.table.rows[row]
        if column:
            yield step, int(cells[column]), unit
        elif chart.name.startswith("response"):
            yield step, sum(map(int, cells[1:7])), unit
        elif chart.name == "age-and-sex":
            yield step, sum(map(int, cells[1:])), unit
        else:
            yield step, int(cells[1].partition("/")[0]), unit


def totals_of(client, question):
    return client.get(f"/{question.collection.slug}/?{question.query()}").context["totals"]


@pytest.mark.slow
@settings(few, max_examples=8)
@given(question=addresses())
def test_choosing_leads_to_exactly_what_is_shown_and_back(client, world, question):
    """For random questions: what a cell shows is what its question counts; chosen twice, it is
    taken back.
    """
    response = charts_page(client, world.collection, urlencode(question, doseq=True))
    for chart in charts_of(response):
        for step, number, unit in steps_with_numbers(chart):
            if step.chosen:
                assert len(step.question.parts) < len(
                    response.context["parsed"].question.parts
                ) or (step.question != response.context["parsed"].question)
                continue
            found = totals_of(client, step.question)
            assert found.of(unit) == number, (chart.name, step.question.to_params())
            again = charts_page(client, world.collection, step.question.query())
            back = [
                each
                for other in [chart_of(again, chart.name)]
                for each in other.table.steps.values()
                if each.chosen
            ]
            assert back, "what was chosen can be taken back where it was chosen"


def test_by_hand(client, world):
    response = charts_page(client, world.collection)
    sets = chart_of(response, "indication-sets")
    words = {
        sets.table.rows[row][0]: step.question.to_params()
        for (row, _), step in sets.table.steps.items()
    }
    assert words["ILD + skin"] == [
        ("indication", "ild"),
        ("indication", "skin"),
        ("indication_match", "exactly"),
    ]
    assert words["Skin, alone or with others"] == [("indication", "skin")]
    drugs = chart_of(response, "response-by-inhibitor")
    assert drugs.table.steps[0, 1].question.to_params() == [
        ("inhibitor", "tofacitinib"),
        ("response", "improved"),
    ]
    ages = chart_of(response, "age-and-sex")
    assert ages.table.steps[0, 0].question.to_params() == [("age_min", "20"), ("age_max", "29")]
    events = chart_of(response, "adverse-events")
    assert {step.question.to_params()[0] for step in events.table.steps.values()} == {
        ("adverse_event", "infection"),
        ("adverse_event", "hepatitis"),
    }


def test_marks_and_cells_ask_the_same(client, world):
    response = charts_page(client, world.collection)
    for name in ("indication-sets", "response-by-inhibitor", "adverse-events", "age-and-sex"):
        chart = chart_of(response, name)
        marks = {step.question for marks in chart.marks for step in marks if step}
        # two columns, by reason
        marks = {each for each in marks if each.value("response") != ("unknown",)}
        cells = {step.question for step in chart.table.steps.values()}
        assert marks and marks <= cells


@pytest.mark.parametrize(
    ("match", "codes", "code", "expected"),
    [
        (None, (), "ild", (Match.ANY, ("ild",))),
        ("any", ("ild",), "ild", None),
        ("any", ("ild", "skin"), "ild", (Match.ANY, ("ild",))),
        ("any", ("ild",), "skin", (Match.ALL, ("ild", "skin"))),
        ("all", ("ild", "skin"), "gi", (Match.ALL, ("gi", "ild", "skin"))),
        ("all", ("ild", "skin"), "ild", (Match.ALL, ("skin",))),
        ("exactly", ("ild",), "ild", None),
    ],
)
def test_one_value_narrows_what_is_asked(world, match, codes, code, expected):
    question = Question(world.collection)
    if match:
        question = question.with_part("indication", MatchedSet(codes, match))
    step = question.refine("indication", code)
    assert step.question.value("indication") == (
        expected and MatchedSet(expected[1], str(expected[0].value))
    )


@pytest.mark.parametrize(
    ("match", "codes"), [("none", ("ild",)), ("any", ("ild", "skin")), ("exactly", ("ild",))]
)
def test_what_no_address_can_say_is_not_offered(world, match, codes):
    question = Question(world.collection).with_part("indication", MatchedSet(codes, match))
    assert question.refine("indication", "gi") is None


def test_none_of_manifestations_is_not_widened_by_a_combination(world):
    question = Question(world.collection).with_part("manifestation", MatchedSet(("renal",), "none"))
    assert question.exactly("manifestation", ["ild"]) is None


def test_links_stand_in_the_page_and_in_the_figure(client, world):
    body = charts_page(client, world.collection, "sex=female").content.decode()
    links = [
        unescape(each)
        for each in re.findall(r'class="step" data-ask="chart-[\w-]+" href="([^"]+)"', body)
    ]
    assert links and all("sex=female" in link for link in links)
    assert all(parse_qs(link.partition("?")[2])["chart"] == list(CHARTS) for link in links), (
        "the charts stay chosen"
    )
    figures = re.findall(
        r'<script id="figure-([\w-]+)" type="application/json">(.*?)</script>', body
    )
    drawn = {name: json.loads(text) for name, text in figures}
    assert any(
        link and "indication_match=exactly" in link for link in drawn["indication-sets"]["links"][0]
    )
    for figure in drawn.values():
        for trace, marks in zip(figure["data"], figure["links"], strict=False):
            assert len(marks) <= max(len(trace.get("x", ())), len(trace.get("y", ())))


def test_a_reader_picks_charts(client, world):
    page = client.get(world.address("charts/?chart=prior-sets&chart=age-and-sex"))
    names = [chart.name for chart in page.context["charts"]]
    assert names == ["age-and-sex", "prior-sets"], "in the order of the page"
    usual = [chart.name for chart in client.get(world.address("charts/")).context["charts"]]
    assert usual[:2] == ["indication-sets", "response-by-inhibitor"]
    assert [
        each.name for each in client.get(world.address("charts/?chart=nonsense")).context["charts"]
    ] == usual


def test_the_match_words_stand_side_by_side(client, world):
    response = client.get(world.address("?indication=ild&indication=skin&indication_match=all"))
    (found,) = response.context["matches"]
    assert [(match, patients) for match, _, patients, _ in found.counts] == [
        ("any of", 4),
        ("all of", 2),
        ("exactly", 1),
        ("none of", 0),
    ]
    assert [here for *_, here in found.counts] == [False, True, False, False]


@pytest.mark.parametrize("name", CHARTS)
def test_a_charts_numbers_come_as_a_file(client, world, name):
    response = client.get(world.address(f"charts/{name}.csv?sex=female"))
    assert response.status_code == 200
    assert f"casebook-world-{name}-data-" in response["Content-Disposition"]
    rows = list(csv.DictReader(response.content.decode("utf-8-sig").splitlines()))
    assert all(row["question"] == "sex=female" and row["collection"] == "world" for row in rows)
    if name == "indication-sets":
        exact = {
            row["label"]: (row["n"], row["known"]) for row in rows if row["match"] == "exactly"
        }
        assert exact == {
            "ILD + skin": ("1", "3"),
            "GI + ILD + skin": ("1", "3"),
            "skin": ("1", "3"),
        }


def test_a_file_of_a_wrong_question_or_of_no_chart(client, world):
    assert client.get(world.address("charts/age-and-sex.csv?sex=x")).status_code == 400
    assert client.get(world.address("charts/nonsense.csv")).status_code == 404


def test_simulated_numbers_say_so_in_every_row(client, simulated):
    response = client.get("/sener-2025-reconstruction/charts/indication-sets.csv")
    rows = list(csv.DictReader(response.content.decode("utf-8-sig").splitlines()))
    assert rows and all(row["evidence_kind"] == simulated.caveat for row in rows)


def test_combinations_by_hand(client, world):
    response = charts_page(client, world.collection)
    signs = chart_of(response, "manifestation-sets")
    counts = {row[0]: row[1] for row in signs.table.rows}
    # alpha-1's list is complete; ILD is lung disease. Of the others there may be more.
    assert (
        counts["ILD + Lung"] == "1/1"
        and counts["Skin, at least"] == "2"
        and counts["ILD + Lung + Skin, at least"] == "1"
    )
    assert counts["Lung, alone or with others"] == "2"
    prior = {row[0]: row[1] for row in chart_of(response, "prior-sets").table.rows}
    assert prior["Methotrexate"] == "1/3" and prior["None, as stated"] == "1/3"


def test_many_combinations_are_all_in_the_table(client, db):
    from .factories import make_collection

    collection = make_collection("many")
    study = make_study(collection)
    codes = ["skin", "ild", "joints", "gi", "raynaud"]
    for number in range(1, 32):
        present = [code for bit, code in enumerate(codes) if number >> bit & 1]
        make_treatment(make_patient(study, present=present, manifestations_completeness="complete"))
    chart = chart_of(charts_page(client, collection), "manifestation-sets")
    assert len(chart.figure["data"][0]["x"]) == 14
    assert "The 17 rarest combinations are not drawn." in chart.note
    assert len(chart.table.rows) == 31 + 6, "with ILD comes lung"


@pytest.mark.parametrize("page", ["", "charts/"])
def test_a_chart_that_does_not_exist_is_told(client, world, page):
    said = client.get(world.address(f"{page}?chart=nonsense")).content.decode()
    assert "There is no chart “nonsense”." in said


def test_the_usual_charts_need_not_stand_in_the_address(client, world):
    usual = "&".join(f"chart={each.name}" for each in CHARTS.values() if each.is_default)
    response = client.get(world.address(f"?{usual}&sex=female"), headers={"HX-Request": "true"})
    assert response.headers["HX-Push-Url"] == "/world/?sex=female"
    fewer = client.get(
        world.address("?chart=age-and-sex&sex=female"), headers={"HX-Request": "true"}
    )
    assert fewer.headers["HX-Push-Url"] == "/world/?sex=female&chart=age-and-sex"

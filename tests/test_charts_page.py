"""The charts of a question at an address of their own: as a page, and as the part that an overview
loads when a reader comes near it.
"""

import re
from html import unescape

import pytest

from evidence.charts import Chart, ChartTable
from evidence.counting import Tally
from evidence.web.charts import ChartSection, without_holes

from .factories import make_collection, make_patient, make_study, make_treatment
from .test_pages import text_of

PART = {"HX-Request": "true", "HX-Target": "charts"}


def test_an_overview_leads_to_its_charts_and_counts_none_of_them(client, world, monkeypatch):
    asked = []
    init = Tally.__init__

    def listen(tally, *args, **fields):
        init(tally, *args, **fields)
        asked.append(tally.dimensions)

    monkeypatch.setattr(Tally, "__init__", listen)
    body = client.get(
        world.address("?sex=female&chart=age-and-sex&sensitivity=on")
    ).content.decode()
    assert ("age", "sex") not in asked and ("inhibitor", "response", "reading") not in asked
    address = "/world/charts/?sex=female&chart=age-and-sex&sensitivity=on"
    assert f'hx-get="{address}"'.replace("&", "&amp;") in body
    assert f'<a href="{address}">Charts of this question</a>'.replace("&", "&amp;") in body
    assert "data-chart=" not in body
    client.get(unescape(address))
    assert ("age", "sex") in asked


def test_charts_alone_ask_something_else_of_the_overview(client, world):
    question = "?sex=female&chart=age-and-sex&chart=response-by-inhibitor"
    part = client.get(world.address(f"charts/{question}"), headers=PART)
    body = part.content.decode()
    assert body.lstrip().startswith('<section id="charts"') and "<title>" not in body
    assert "HX-Push-Url" not in part, "the address of the overview stays"
    links = [unescape(each) for each in re.findall(r'class="step"[^>]*href="([^"]+)"', body)]
    assert links and all(link.startswith("/world/?") for link in links)
    assert all("chart=age-and-sex" in link for link in links), "the charts stay chosen"
    page = client.get(world.address(f"charts/{question}"))
    own = [
        unescape(each)
        for each in re.findall(r'class="step"[^>]*href="([^"]+)"', page.content.decode())
    ]
    assert [link.replace("/world/?", "/world/charts/?") for link in links] == own

    def numbers(text):
        return re.findall(r"<td class=\"number\">.*?</td>", re.sub(r' href="[^"]*"', "", text))

    assert numbers(body) == numbers(page.content.decode()), "page and part say the same"


def test_the_charts_are_kept_page_and_part_apart(client, world):
    address = world.address("charts/?sex=female")
    answers = {}
    for name, headers in (("page", {}), ("view", PART | {"HX-Target": "view"}), ("part", PART)):
        answers[name] = client.get(address, headers=headers)
        again = client.get(address, headers=headers | {"If-None-Match": answers[name]["ETag"]})
        assert again.status_code == 304
        assert client.get(address, headers=headers).content == answers[name].content
    assert len({answer["ETag"] for answer in answers.values()}) == 3
    assert len({answer.content for answer in answers.values()}) == 3
    assert "HX-Target" in answers["page"]["Vary"]
    assert answers["view"]["HX-Push-Url"] == "/world/charts/?sex=female"
    restored = PART | {"HX-History-Restore-Request": "true"}
    assert "<html" in client.get(address, headers=restored).content.decode()


def test_a_wrong_question_has_no_charts(client, world):
    for headers in ({}, PART):
        answer = client.get(world.address("charts/?sex=x"), headers=headers)
        assert answer.status_code == 400 and "ETag" not in answer
        assert "data-chart" not in answer.content.decode()
    assert 'id="charts"' not in client.get(world.address("?sex=x")).content.decode()


@pytest.mark.parametrize("engine", ["snapshot"], indirect=True)
def test_charts_alone_take_few_queries(client, world, engine, django_assert_max_num_queries):
    client.get(world.address("charts/"), headers=PART)
    with django_assert_max_num_queries(5):
        client.get(world.address("charts/?sex=female"), headers=PART)


def test_chosen_charts_stay_in_the_form_until_the_picker_is_there(client, world):
    """A filter ticked before the charts are loaded must not lose what was chosen."""
    body = client.get(world.address("?chart=swimmers&chart=prior-sets")).content.decode()
    hidden = re.findall(r'<input type="hidden" name="chart" value="([^"]+)" form="question">', body)
    assert hidden == ["swimmers", "prior-sets"]
    part = client.get(world.address("charts/?chart=swimmers&chart=prior-sets"), headers=PART)
    ticked = re.findall(r'id="c-([\w-]+)"[^>]* checked', part.content.decode())
    assert ticked == ["prior-sets", "swimmers"]


def test_what_has_nothing_to_show_is_one_line(client, db):
    """Two patients of whom no verdict and no event is known: the charts of them are folded, and
    each still says why, with its table and its file.
    """
    collection = make_collection("silent")
    study = make_study(collection)
    for indications in (["ild"], ["skin"]):
        make_treatment(make_patient(study, age_years=40), indications=indications)
    page = client.get("/silent/charts/")
    folded = {
        reason: [chart.name for chart in charts] for reason, charts in page.context["empty_charts"]
    }
    assert folded == {
        "No adverse event is recorded": ["adverse-events"],
        "No overall verdict is known": ["response-by-inhibitor", "response-by-indication"],
    }
    shown = [chart.name for chart in page.context["charts"]]
    assert shown == ["indication-sets", "age-and-sex"]
    body = text_of(page)
    assert "No adverse event is recorded: 1 chart; no overall verdict is known: 2 charts" in body
    assert "Choose charts (2 of 15)" in body and body.count("(nothing to show)") == 5
    assert "/silent/charts/response-by-inhibitor.csv" in page.content.decode()
    assert "That is not the same as none having occurred" in body


def chart(name, *, figure=True, is_wide=False, is_tall=False):
    drawn = {"layout": {"height": 320 if not is_tall else 900}} if figure else {}
    return Chart(name, name, "", ChartTable([], []), drawn, is_wide=is_wide)


@pytest.mark.parametrize(
    ("kinds", "rows"),
    [
        ("nn", ["n0 n1"]),
        ("n", ["n0"]),
        ("nwn", ["n0 n2", "w1"]),
        ("wnn", ["w0", "n1 n2"]),
        ("nnwnw", ["n0 n1", "w2", "n3", "w4"]),
        ("nsn", ["n0 n2", "s1"]),
        ("ntn", ["n0 n2", "t1"]),
        ("nwwnnn", ["n0 n3", "w1", "w2", "n4 n5"]),
        ("", []),
    ],
)
def test_no_place_beside_a_chart_is_empty(kinds, rows):
    """n: beside another; w: needs the width; s: a sentence without a picture; t: very tall."""
    charts = [
        chart(f"{kind}{i}", figure=kind != "s", is_wide=kind == "w", is_tall=kind == "t")
        for i, kind in enumerate(kinds)
    ]
    lines, half = [], False
    for each in without_holes(charts):
        if each.is_wide:
            assert not half, "a hole beside the one before it"
            lines.append(each.name)
        elif half:
            lines[-1] += f" {each.name}"
            half = False
        else:
            lines.append(each.name)
            half = True
    assert not half and lines == rows


def test_the_line_of_what_has_nothing_to_show():
    section = ChartSection(
        empty_charts=[("No A", [chart("a")]), ("No B", [chart("b"), chart("c")])]
    )
    assert section.empty_text == "No A: 1 chart; no B: 2 charts"
    assert ChartSection().empty_text == ""

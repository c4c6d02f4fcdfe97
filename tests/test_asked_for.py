"""What a question itself decides is no finding, on every page, file and API answer."""

import csv
import re
from urllib.parse import urlencode

import pytest

from evidence import summaries
from evidence.models.choices import Subset
from evidence.questions.vocabulary import vocabulary
from evidence.summaries import run_summaries

from .factories import make_collection, make_patient, make_study, make_treatment
from .test_pages import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def every_answer_made_anew(unlimited):
    """So that each has its context."""


def headlines(question) -> dict:
    (found,) = run_summaries(summaries.headline_shares(question))
    return {share.key: share for share in found}


def test_response_improved_does_not_print_100_percent(client, simulated):
    page = client.get(f"/{simulated.slug}/?response=improved")
    text = text_of(page)
    assert "Improved (authors’ overall verdict) 70/70 asked for none missing" in text
    assert "70/70 100.0 %" not in text
    share = page.context["headlines"][0].share
    assert (share.percent, share.interval, share.percent_text) == (None, None, "asked for")
    assert str(share) == "70/70 patients (asked for), none missing"


def test_nor_do_the_rows_of_drugs_and_indications(client, simulated):
    for name in ("response-by-inhibitor", "response-by-indication"):
        page = client.get(f"/{simulated.slug}/charts/?response=improved&chart={name}")
        (chart,) = page.context["charts"]
        assert {row[-2] for row in chart.table.rows} == {"asked for"} and {
            row[-1] for row in chart.table.rows
        } == {""}
        assert "asked for" in chart.sentence
        file = client.get(f"/{simulated.slug}/charts/{name}.csv?response=improved").content.decode(
            "utf-8-sig"
        )
        assert {(row["percent"], row["ci_low"]) for row in csv.DictReader(file.splitlines())} == {
            ("", "")
        }


def test_nor_does_the_forest_plot(client, simulated):
    page = client.get(f"/{simulated.slug}/forest/?response=improved")
    chart = page.context["chart"]
    assert "70/70 in all (asked for, so no percentage and no interval is given)" in chart.sentence
    assert "Not pooled: the question itself decides who is counted." in chart.sentence
    assert not chart.figure and "100.0 %" not in text_of(page)
    assert {row[3] for row in chart.table.rows} == {"asked for"}
    file = client.get(f"/{simulated.slug}/forest.csv?response=improved").content.decode("utf-8-sig")
    assert {(row["percent"], row["note"]) for row in csv.DictReader(file.splitlines())} == {
        ("", "asked for")
    }


def test_nor_does_the_api(client, simulated):
    found = client.get(f"/api/v1/{simulated.slug}/summary/?response=improved").json()
    improved = found["headlines"][0]
    assert (improved["percent"], improved["interval_95"], improved["asked_for"]) == (
        None,
        None,
        True,
    )
    assert all(row["improved"]["asked_for"] for row in found["response_by_inhibitor"])
    others = client.get(f"/api/v1/{simulated.slug}/summary/").json()["headlines"]
    assert not any(each["asked_for"] for each in others)


@pytest.mark.parametrize("engine_name", ["snapshot", "database"])
@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("serious=no", "selected by events"),
        ("serious=unknown", "selected by events"),
        ("adverse_event=infection&adverse_event_match=none", "selected by events"),
        ("serious=yes", "asked for"),
        ("adverse_event=infection", "asked for"),
        ("adverse_events=events&serious=no", "asked for"),
        ("sex=female", ""),
    ],
)
def test_where_events_only_select_patients_other_words_stand_beside_any_event(
    world, asking, settings, engine_name, address, words
):
    settings.COHORT_ENGINE = engine_name
    share = headlines(asking(world.collection, address))["any_adverse_event"]
    assert share.asked_for == words
    if words and share.known:
        assert (share.percent, share.interval, share.percent_text) == (None, None, words)


def test_selected_by_events_is_said_on_page_forest_plot_compare_and_api(client, simulated):
    base = f"/{simulated.slug}/"
    assert "selected by events" in text_of(client.get(f"{base}?serious=no"))
    chart = client.get(f"{base}forest/?serious=no&item=any_adverse_event").context["chart"]
    assert "(selected by events, so no percentage and no interval is given)" in chart.sentence
    assert "Not pooled: the question selects patients by their events." in chart.sentence
    query = urlencode({"a": "serious=no", "b": "inhibitor=baricitinib"})
    groups = client.get(f"{base}compare/?{query}").context["compared"].groups
    rows = {row.label: row for _, each in groups for row in each}
    assert rows["Any adverse event"].why == "selected by events"
    found = client.get(f"/api/v1{base}summary/?serious=no").json()["headlines"]
    (share,) = [each for each in found if each["key"] == "any_adverse_event"]
    assert share["asked_for"] is True and share["percent"] is None
    assert "(selected by events)" in share["text"]


@pytest.mark.parametrize(
    ("address", "decided"),
    [
        ("", set()),
        ("sex=female", set()),
        ("response=improved", {"improved"}),
        ("relapsed=no", {"relapsed"}),
        ("adverse_events=events", {"any_adverse_event"}),
        ("adverse_events=explicitly_none", {"any_adverse_event", "serious"}),
        ("adverse_event=infection", {"any_adverse_event"}),
        ("serious=no", {"any_adverse_event", "serious"}),
    ],
)
def test_what_each_question_decides(world, asking, address, decided):
    found = headlines(asking(world.collection, address))
    assert {key for key, share in found.items() if share.asked_for} == decided


def test_a_category_that_is_asked_for_is_no_finding_and_others_are(world, asking):
    question = asking(world.collection, "adverse_event=infection")
    (rows,) = run_summaries(summaries.events_by_category(question, vocabulary(world.collection)))
    assert {row.patients.key: row.patients.asked_for for row in rows} == {"infection": "asked for"}
    whole = asking(world.collection, "adverse_event=infection&adverse_event_match=none")
    (rows,) = run_summaries(summaries.events_by_category(whole, vocabulary(world.collection)))
    assert {row.patients.key: row.patients.asked_for for row in rows} == {"hepatitis": ""}


def test_compare_leaves_out_by_the_same_declaration(client, simulated):
    query = urlencode({"a": "response=improved", "b": "inhibitor=baricitinib"})
    page = client.get(f"/{simulated.slug}/compare/?{query}")
    rows = {row.label: row for _, each in page.context["compared"].groups for row in each}
    row = rows["Improved (authors’ overall verdict)"]
    assert (row.why, row.first.percent_text, row.exact) == ("asked for", "asked for", None)
    assert "asked for ()" not in text_of(page)


@pytest.fixture
def of_each_kind(db):
    """Two patients of each drug: one with skin and an infection, one with ILD and no event."""
    collection = make_collection("of-each-kind")
    study = make_study(collection)
    for drug in ("tofacitinib", "baricitinib"):
        woman = make_patient(study, sex="female", subset="diffuse")
        make_treatment(woman, drug, ["skin"], [("infection", {})])
        man = make_patient(study, sex="male", subset="limited")
        make_treatment(man, drug, ["ild"], adverse_events="explicitly_none")
    return collection


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ("sex=female", "Female"),
        ("subset=diffuse", Subset.DIFFUSE.label),
        ("subset=diffuse", Subset.LIMITED.label),
        ("indication=ild", "Interstitial lung disease (ILD)"),
        ("indication=ild&indication_match=none", "Interstitial lung disease (ILD)"),
        ("indication=ild&indication_match=exactly", "Skin"),
        ("adverse_event=infection", "Infection"),
        ("adverse_events=explicitly_none", "Infection"),
    ],
)
def test_compared_rows_by_value_are_counts_where_a_side_decides_them(
    client, of_each_kind, query, label
):
    sides = urlencode({"a": query, "b": "inhibitor=baricitinib"})
    page = client.get(f"/of-each-kind/compare/?{sides}")
    groups = page.context["compared"].groups
    # An outcome domain can have the label of an indication; it comes after.
    row = next(row for _, rows in groups for row in rows if row.label == label)
    assert (row.first.percent, row.first.interval) == (None, None)
    assert row.first.count in (0, row.first.known) and not row.second.asked_for
    cells = next(each for each in page.context["chart"].table.rows if each[0] == row.full_label)
    assert (cells[2], cells[5]) == ("asked for", row.second.interval_text)
    body = text_of(page)
    assert f"{label} {row.first.fraction} asked for {row.first.missing}" in body
    drawn = page.context["chart"].figure["data"][0]["customdata"]
    assert not any(text.startswith(f"{row.full_label}: ") for text in drawn)
    file = client.get(f"/of-each-kind/compare.csv?{sides}").content.decode("utf-8-sig")
    line = next(each for each in csv.DictReader(file.splitlines()) if each["label"] == label)
    assert (line["a_n"], line["difference_points"], line["note"]) == (
        str(row.first.count),
        "",
        "asked for",
    )


def test_a_combination_that_is_asked_for_exactly_is_a_count(client, simulated):
    query = "indication=skin&indication_match=exactly"
    page = client.get(f"/{simulated.slug}/charts/?{query}&chart=indication-sets")
    (chart,) = page.context["charts"]
    row = chart.table.rows[0]
    count, known = row[1].split("/")
    assert (row[0], row[2:4]) == ("skin", ["asked for", ""]) and count == known != "0"
    assert chart.sentence == f"skin: {row[1]} patients (asked for), none missing."
    assert not chart.figure, "one bar is a sentence"
    taken_back = re.search(
        r'Asked for: <a class="step"[^>]*aria-current="true">skin</a>', page.content.decode()
    )
    assert taken_back and f'href="/{simulated.slug}/charts/?chart=indication-sets"' in taken_back[0]
    assert "100.0 %" not in chart.sentence
    file = client.get(f"/{simulated.slug}/charts/indication-sets.csv?{query}")
    line = next(csv.DictReader(file.content.decode("utf-8-sig").splitlines()))
    assert (line["n"], line["percent"], line["ci_low"]) == (count, "", "")
    share = client.get(f"/api/v1/{simulated.slug}/summary/?{query}").json()["indication_sets"][0]
    assert (share["percent"], share["interval_95"], share["asked_for"]) == (None, None, True)


def test_combinations_of_another_list_are_still_shares(client, simulated):
    query = "manifestation=skin&indication=skin&indication_match=any"
    found = client.get(f"/api/v1/{simulated.slug}/summary/?{query}").json()["indication_sets"]
    assert not any(share["asked_for"] for share in found)


def test_so_few_are_known_is_not_said_of_what_is_asked_for(client, world):
    query = "prior=methotrexate&prior_match=exactly"
    page = client.get(f"/world/charts/?{query}&chart=prior-sets")
    (chart,) = page.context["charts"]
    assert "(asked for)" in chart.sentence and "matter more" not in chart.sentence

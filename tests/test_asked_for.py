"""What a question itself decides is no finding, on every page, file and API answer."""

import csv
from urllib.parse import urlencode

import pytest

from evidence import summaries
from evidence.questions.vocabulary import vocabulary
from evidence.summaries import run_summaries

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
    assert "Improved (authors’ overall verdict) 70/70 asked for –" in text
    assert "70/70 100.0 %" not in text
    share = page.context["headlines"][0]
    assert (share.percent, share.interval, share.percent_text) == (None, None, "asked for")
    assert str(share) == "70/70 patients (asked for), none missing"


def test_nor_do_the_rows_of_drugs_and_indications(client, simulated):
    for name in ("response-by-inhibitor", "response-by-indication"):
        page = client.get(f"/{simulated.slug}/?response=improved&chart={name}")
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
    assert {row.patients.key: row.patients.asked_for for row in rows} == {"infection": True}
    whole = asking(world.collection, "adverse_event=infection&adverse_event_match=none")
    (rows,) = run_summaries(summaries.events_by_category(whole, vocabulary(world.collection)))
    assert {row.patients.key: row.patients.asked_for for row in rows} == {"hepatitis": False}


def test_compare_leaves_out_by_the_same_declaration(client, simulated):
    query = urlencode({"a": "response=improved", "b": "inhibitor=baricitinib"})
    page = client.get(f"/{simulated.slug}/compare/?{query}")
    rows = {row.label: row for _, each in page.context["compared"].groups for row in each}
    row = rows["Improved (authors’ overall verdict)"]
    assert (row.why, row.first.percent_text, row.exact) == ("asked for", "asked for", None)
    assert "asked for ()" not in text_of(page)

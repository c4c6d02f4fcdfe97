"""An address refuses words it does not take: a misspelt one would be answered by something else."""

import pytest
from django.urls import reverse

from .addresses import arguments
from .test_pages import text_of

pytestmark = pytest.mark.slow

PROBES = {"healthz", "readyz"}  # ask for nothing of the evidence
# Words without which there is no answer.
NEEDED = dict.fromkeys(
    ("compare_file", "compare_file_metadata", "api_compare"), "a=sex%3Dmale&b=sex%3Dfemale&"
)
# Pages and files of one record, and pages that ask nothing of a collection.
PAGES = ["home", "inhibitors", "inhibitor", "reviews", "review", "patient", "study", "flow"]


@pytest.mark.slow
def test_every_address_refuses_a_word_it_does_not_know(client, world, released):
    for name, made_of in arguments("world").items():
        if name in PROBES:
            continue
        address = f"{reverse(name, args=made_of[0])}?{NEEDED.get(name, '')}"
        assert client.get(address).status_code == 200, address
        refused = client.get(f"{address}zz=1")
        assert refused.status_code == 400, address
        assert "“zz”" in refused.content.decode(), address


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_which_word_it_does_not_take_and_leads_back(client, world, name):
    address = reverse(name, args=arguments("world")[name][0])
    refused = client.get(f"{address}?zz=1&release=")
    assert refused.status_code == 400
    assert "“zz” is no word of this address; it takes" in text_of(refused)
    assert f'<a href="{address}">The same page without these words</a>' in refused.content.decode()


@pytest.mark.parametrize(
    "path", ["patients/alpha-1/phenopacket.json", "studies/alpha.ris", "studies/alpha.bib"]
)
def test_a_file_of_one_record_refuses_in_plain_text(client, world, path):
    refused = client.get(world.address(f"{path}?relaese=1"))
    assert (refused.status_code, refused["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert (
        refused.content.decode()
        == "“relaese” is no word of this address; it takes release alone.\n"
    )


@pytest.mark.parametrize("path", ["patients/alpha-1/", "studies/alpha/", "flow/"])
def test_a_page_of_a_collection_says_that_a_release_does_not_exist(client, world, path):
    page = client.get(world.address(f"{path}?release=7"))
    assert page.status_code == 400 and "There is no such release." in text_of(page)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("forest/", "item=improved&shared=no"),
        ("forest.csv", "item=improved&shared=maybe"),
        ("", "sensitivity=maybe"),
        ("", "sensitivity=off&sex=female"),
        ("patients/", "sort=age_years&sort=-age_years"),
        ("patients.csv", "sort=age_years&sort=-age_years"),
        ("patients.csv", "release=1&release=2"),
        ("forest/", "item=improved&item=stopped"),
        ("patients/", "with=sex%3Dmale&with=sex%3Dfemale"),
    ],
)
def test_a_display_word_has_its_one_value_and_stands_once(client, world, released, path, query):
    response = client.get(world.address(f"{path}?{query}"))
    assert response.status_code == 400 and "no-store" in response["Cache-Control"]


def test_a_release_in_two_ways_is_refused_by_programs_too(client, world, released):
    problem = client.get("/api/v1/world/patients/?release=1&release=2")
    assert problem.status_code == 400
    assert "“release” is given more than once" in problem.json()["detail"]


def test_a_page_does_not_repeat_a_long_release_that_is_none(client, world):
    page = client.get(world.address(f"?release={'9' * 4000}"))
    assert page.status_code == 400 and len(page.content) < 120_000

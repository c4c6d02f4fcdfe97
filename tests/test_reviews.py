"""The pages of reviews, and how studies came to be included."""

import re

import pytest

from evidence.models import Collection, FlowStep

from .test_pages import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def every_answer_made_anew(settings):
    """So that each has its context."""
    settings.CACHE_RESPONSES = False


def test_what_a_review_prints_is_not_called_simulated(client, published):
    """The review is real; the columns that are recomputed say that they are not."""
    body = client.get("/reviews/sener-2025/").content.decode()
    assert 'class="banner"' not in body
    heading = re.search(r"<th[^>]*recomputed[^>]*>(.*?)</th>", body, re.S).group(1)
    assert "Recomputed" in heading and '<span class="mark">simulated</span>' in heading
    assert "comes from simulated records.</strong>" in body
    assert "reproduces published totals only; associations are not evidence." in body
    row = re.search(r"<th scope=\"row\">Improved</th>(.*?)</tr>", body, re.S).group(1)
    cells = re.findall(r'<td class="([^"]*)">\s*(.*?)\s*</td>', row, re.S)
    assert [text.strip() for name, text in cells if "recomputed" in name] == [
        "87.5 %",
        "70/80",
        "7 not extracted",
        "0",
    ]


def test_a_review_without_a_reconstruction_has_no_mark(client, published):
    body = client.get("/reviews/moriana-2022/").content.decode()
    assert '<span class="mark">simulated</span>' not in body.partition("<main")[2]
    assert "No loaded collection holds this review’s patients" in body


def labels(page) -> list[str]:
    return [tab.label for tabs in page.context["navigation"].more.values() for tab in tabs]


def test_a_flow_of_which_only_the_end_is_known_is_a_sentence(client, published):
    assert "Study flow" not in labels(client.get("/published/"))
    page = client.get("/published/flow/")
    assert page.status_code == 200 and "Study flow" not in labels(page)
    assert (
        "Only what is included is counted here: 16 studies, 4 patients . How many records were "
        "found, screened and excluded is not recorded." in text_of(page)
    )
    assert 'class="flow"' not in page.content.decode()


def test_a_flow_with_more_than_one_number_is_drawn_and_offered(client, published):
    FlowStep.objects.create(collection=published, stage="identified", studies=312)
    assert "Study flow" in labels(client.get("/published/"))
    assert "Study flow" not in labels(client.get("/sener-2025-reconstruction/"))
    page = client.get("/published/flow/")
    assert "312 records" in text_of(page) and 'class="flow"' in page.content.decode()


def test_a_step_without_a_number_does_not_make_a_flow(client, published):
    FlowStep.objects.create(collection=published, stage="screened", note="by two people")
    assert "Study flow" not in labels(client.get("/published/"))
    assert Collection.objects.get(slug="published").flow.count() == 1


def test_nothing_at_an_address_offers_search_and_collections(client, published):
    page = client.get("/published/patients/nobody/")
    body = page.content.decode()
    assert page.status_code == 404 and body.count("<h1") == 1
    assert '<form method="get" action="/published/"' in body and 'name="q"' in body
    assert 'action="/sener-2025-reconstruction/"' not in body, "the real evidence is searched"
    for href in ("/published/studies/", "/sener-2025-reconstruction/", "/inhibitors/", "/"):
        assert f'href="{href}"' in body
    found = client.get("/published/?q=fujita")
    assert found.context["totals"].patients == 1, "what the form asks is answered"


@pytest.mark.parametrize("address", ["/nothing", "/pub%00lished/", "/published/shoes/"])
def test_nothing_is_said_with_the_sites_navigation_wherever_it_is_found(client, published, address):
    response = client.get(address, follow=True)
    assert response.status_code == 404
    assert (
        "Published evidence" in text_of(response)
        and 'aria-label="Site"' in response.content.decode()
    )


@pytest.mark.parametrize("template", ["500.html", "503.html"])
def test_pages_of_errors_ask_no_database(db, django_assert_num_queries, template):
    from django.template.loader import render_to_string

    with django_assert_num_queries(0):
        body = render_to_string(template)
    assert body.count("<h1") == 1 and 'aria-label="Site"' in body
    assert ('name="q"' in body) == (template == "500.html"), "nothing can be searched just now"

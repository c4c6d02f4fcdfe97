"""Answers that were kept, while the only database is away: marked, bounded, of their version."""

import gzip
import re

import pytest
from django.db import OperationalError

from evidence import middleware
from evidence.models import DataVersion

from .factories import make_patient, make_study, make_treatment


@pytest.fixture
def lose(monkeypatch):
    """lose() takes the database away."""

    def away(*args, **kwargs):
        raise OperationalError("connection refused")

    return lambda: monkeypatch.setattr(DataVersion, "current", away)


def test_a_kept_page_is_given_and_says_so(client, world, lose):
    tag = client.get(world.address())["ETag"]
    lose()
    for headers in ({}, {"If-None-Match": tag}):
        response = client.get(world.address(), headers=headers)
        page = response.content.decode()
        assert response.status_code == 200 and "<strong>5 patients</strong>" in page
        assert re.search(r'<main[^>]*>\n<p class="notice" role="status">The database cannot', page)
        assert re.search(r"changed since \d\d:\d\d:\d\d UTC is not known", page)
        assert "ETag" not in response and response["Cache-Control"] == "no-store"
        assert response["Cache-Status"] == "casebook; hit; detail=database-away"
        assert int(response["Age"]) >= 0


def test_a_compressed_page_says_so_too(client, world, lose):
    packed = {"Accept-Encoding": "gzip"}
    client.get(world.address(), headers=packed)
    lose()
    response = client.get(world.address(), headers=packed)
    assert b"This was kept from before" in gzip.decompress(response.content)
    assert int(response["Content-Length"]) == len(response.content)


def test_a_part_of_a_page_makes_htmx_ask_for_the_page(client, world, lose):
    part = {"HX-Request": "true"}
    client.get(world.address("?sex=female"), headers=part)
    lose()
    response = client.get(world.address("?sex=female"), headers=part)
    assert response["HX-Redirect"] == world.address("?sex=female")


def test_programs_read_it_in_the_headers(client, world, lose):
    address = f"/api/v1/{world.collection.slug}/summary/"
    before = client.get(address)
    lose()
    after = client.get(address)
    assert after.content == before.content and "Cache-Status" in after and "Age" in after
    refused = client.get(f"{address}?sex=female")
    assert refused.status_code == 503 and refused["Content-Type"] == "application/problem+json"


def test_what_was_not_kept_is_a_503(client, world, lose):
    client.get(world.address())
    lose()
    assert client.get(world.address("?sex=female")).status_code == 503


def test_never_for_longer_than_is_set(client, world, lose, settings):
    client.get(world.address())
    lose()
    version, at = middleware.last_known()
    middleware._last_known = (version, at - settings.STALE_SECONDS - 1)
    assert client.get(world.address()).status_code == 503
    middleware._last_known = (version, at)
    assert client.get(world.address()).status_code == 200
    settings.STALE_SECONDS = 0
    assert client.get(world.address()).status_code == 503


def test_never_of_a_version_before_the_last_that_was_seen(client, world, lose):
    client.get(world.address())
    make_treatment(make_patient(make_study(world.collection)))
    client.get(world.address("?sex=female"))  # somebody else sees the new version
    lose()
    assert client.get(world.address()).status_code == 503
    assert client.get(world.address("?sex=female")).status_code == 200


def test_a_release_is_never_answered_by_todays_data(client, released, world, monkeypatch):
    """The database is away only while it is asked which release is to answer."""
    from evidence.web import pinned

    address = world.address("?release=1")
    assert client.get(address).status_code == 200

    def away(*args):
        raise OperationalError("connection refused")

    monkeypatch.setattr(pinned, "past_state_of", away)
    assert client.get(address).status_code == 503


@pytest.mark.parametrize("address", ["/static/none", "/favicon.png", "/none/of/these/"])
def test_an_address_that_is_none_is_a_503_while_its_page_cannot_be_made(
    client, world, monkeypatch, address
):
    """The page says what there is instead, which the database knows."""

    def away(*args, **kwargs):
        raise OperationalError("connection refused")

    assert client.get(address).status_code == 404
    monkeypatch.setattr(middleware.defaults, "page_not_found", away)
    response = client.get(address)
    assert response.status_code == 503 and int(response["Retry-After"]) > 0

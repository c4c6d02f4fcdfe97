"""The feed of changes: what readers could see of studies, and releases; valid Atom, kept like a
page.
"""

import xml.etree.ElementTree as ET
from datetime import datetime

import pytest
from django.core.cache import cache
from django.urls import reverse

from evidence.curation import drafts
from evidence.curation.make_release import make_release
from evidence.models import DataVersion, Study, StudyVersion
from evidence.summaries.changes import differences_in_words, readable

from .drafting import SOMEBODY, all_looked_for, beispiel, keep, published, record, with_cell
from .factories import make_collection

pytestmark = pytest.mark.django_db

ATOM = "{http://www.w3.org/2005/Atom}"
ADDRESS = "/work/changes.atom"


@pytest.fixture
def collection():
    return make_collection("work")


@pytest.fixture
def draft(collection):
    draft = drafts.open_draft(collection, "beispiel-2027", SOMEBODY)
    return published(draft, all_looked_for(beispiel()))


def entries(client, address=ADDRESS) -> list[dict]:
    """The entries of a feed that keeps the rules of RFC 4287."""
    response = client.get(address)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    feed = ET.fromstring(response.content)
    assert feed.tag == f"{ATOM}feed"
    check_element(feed)
    links = {each.get("rel", "alternate"): each.get("href") for each in feed.iter(f"{ATOM}link")}
    own = [each for each in feed.findall(f"{ATOM}link") if each.get("rel") == "self"]
    assert [each.get("href") for each in own] == [f"http://testserver{address}"]
    assert links["alternate"].startswith("http://testserver/")
    assert feed.find(f"{ATOM}author/{ATOM}name").text
    found = feed.findall(f"{ATOM}entry")
    for each in found:
        check_element(each)
        (link,) = each.findall(f"{ATOM}link")
        assert link.get("href").startswith("http://testserver/")
    ids = [each.find(f"{ATOM}id").text for each in [feed, *found]]
    assert len(set(ids)) == len(ids)
    times = [each.find(f"{ATOM}updated").text for each in found]
    assert times == sorted(times, reverse=True)
    return [{part.tag.removeprefix(ATOM): part.text for part in each} for each in found]


def check_element(element):
    """What a feed and each entry have exactly once: an id that is an IRI, a title, a time."""
    (identity,), (title,), (updated,) = (
        element.findall(f"{ATOM}{name}") for name in ("id", "title", "updated")
    )
    assert identity.text.startswith("urn:uuid:")
    assert title.text
    assert datetime.fromisoformat(updated.text).tzinfo is not None


def titles(client, address=ADDRESS) -> list[str]:
    return [each["title"] for each in entries(client, address)]


def test_publishing_and_correcting_a_study_are_entries(client, draft):
    assert titles(client) == ["Beispiel 2027: published"]
    content = with_cell(draft.head.content, "patient", "age_years", 62)
    published(draft, content)
    newest, first = entries(client)
    assert newest["title"] == "Beispiel 2027: corrected"
    assert newest["summary"].startswith("patient beispiel-2027-1: age")
    assert "62" not in newest["summary"], "values are not named: they may be withdrawn"
    assert first["summary"] == "The study is published, with individual patients: 1."
    everywhere = titles(client, "/changes.atom")
    assert {"Beispiel 2027: corrected", "Beispiel 2027: published"} <= set(everywhere)


def test_ids_stay_and_the_feed_is_kept_like_a_page(client, draft):
    before = [each["id"] for each in entries(client)]
    response = client.get(ADDRESS)
    tag = response.headers["ETag"]
    assert client.get(ADDRESS).content == response.content
    assert client.get(ADDRESS, headers={"if-none-match": tag}).status_code == 304
    published(draft, with_cell(draft.head.content, "patient", "age_years", 62))
    cache.clear()
    assert client.get(ADDRESS, headers={"if-none-match": tag}).status_code == 200
    assert [each["id"] for each in entries(client)][1:] == before


def test_what_is_in_work_is_in_no_feed(client, draft):
    before = client.get(ADDRESS).content
    keep(draft, with_cell(draft.head.content, "patient", "notes", "zq-secret"))
    new = drafts.open_draft(draft.collection, "other-2027", SOMEBODY)
    keep(
        new,
        [
            record(
                "study",
                collection=["work"],
                slug="other-2027",
                short_name="zq-secret",
                design="case_report",
                extraction="abstract",
            )
        ],
    )
    DataVersion.bump()
    cache.clear()
    assert entries(client) and b"zq-secret" not in client.get(ADDRESS).content
    assert len(entries(client)) == before.count(b"<entry>")


def test_a_patient_who_is_not_published_is_not_named():
    hidden = with_cell(
        [
            record("patient", slug="zq-hidden"),
            record("outcome", treatment=["zq-hidden", 1], number=1),
        ],
        "patient",
        "state",
        "draft",
    )
    assert readable(hidden) == []
    shown = with_cell(hidden, "patient", "state", "published")
    assert list(differences_in_words(readable(hidden), shown)) == [
        "outcome zq-hidden / 1 / 1: added",
        "patient zq-hidden: added",
    ]


def test_a_retraction_says_so_and_why(client, draft):
    content = draft.head.content
    for name, value in (
        ("retraction_status", "retracted"),
        ("retraction_reason", "Unreliable data"),
    ):
        content = with_cell(content, "study", name, value)
    published(draft, content)
    newest = entries(client)[0]
    assert newest["title"] == "Beispiel 2027: publication retracted"
    assert newest["summary"].startswith("Reason of the notice: Unreliable data; study: ")


def test_a_withdrawn_study_says_why_and_not_what_it_was(client, draft):
    content = with_cell(draft.head.content, "study", "state", "withdrawn")
    content = with_cell(content, "study", "withdrawal_reason", "Entered twice.")
    published(draft, content)
    newest = entries(client)[0]
    assert (newest["title"], newest["summary"]) == ("beispiel-2027: withdrawn", "Entered twice.")
    assert Study.objects.get(slug="beispiel-2027").state == "withdrawn"


def test_what_readers_cannot_tell_apart_is_no_entry(client, draft):
    version = draft.published
    StudyVersion.objects.create(
        draft=draft,
        number=version.number + 1,
        parent=version,
        content=version.content,
        digest=version.digest,
        door="found",
        at=version.at,
        changed=1,
        is_published=True,
        is_public=True,
    )
    DataVersion.bump()
    assert titles(client) == ["Beispiel 2027: published"]


def test_simulated_studies_are_labelled(client, db):
    for each in entries(client, "/sener-2025-reconstruction/changes.atom"):
        assert each["title"].startswith("Simulated: ")
    feed = ET.fromstring(client.get("/sener-2025-reconstruction/changes.atom").content)
    assert feed.find(f"{ATOM}subtitle").text.endswith("associations are not evidence.")
    together = entries(client, "/changes.atom")
    simulated = [each for each in together if "Simulated article" in each["title"]]
    assert simulated
    assert all(each["title"].startswith("Simulated: ") for each in simulated)


def test_a_release_is_an_entry_of_all_its_collections(client, draft):
    make_release("What is new.")
    newest = entries(client)[0]
    assert (newest["title"], newest["summary"]) == ("Release 1", "What is new.")
    assert "Release 1" in titles(client, "/changes.atom")


def test_a_collection_without_changes_has_a_feed_of_the_datas_time(client, collection):
    assert entries(client) == []
    assert client.get(ADDRESS).content == client.get(ADDRESS).content


def test_characters_that_xml_cannot_hold_are_left_out(client, draft):
    keep(draft, with_cell(draft.head.content, "patient", "age_years", 62))
    drafts.publish(draft, based_on=draft.head.number, author=SOMEBODY, message="a\x0bb <&>")
    assert entries(client)[0]["summary"].endswith(". ab <&>")


def test_pages_name_their_feeds(client, draft):
    body = client.get("/work/").content.decode()
    assert f'href="{reverse("changes")}"' in body
    assert f'href="{ADDRESS}"' in body
    assert 'type="application/atom+xml"' in client.get("/").content.decode()


def test_addresses_and_words_that_are_none(client, db):
    assert client.get("/nowhere/changes.atom").status_code == 404
    assert client.get("/changes.atom?since=1").status_code == 400
    assert client.post("/changes.atom").status_code == 405

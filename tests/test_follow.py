"""Questions that are followed: who answers in an archive, and the feed of what releases changed. An
archive has to give the answer that the database gave when it was made.
"""

import xml.etree.ElementTree as ET
from urllib.parse import urlencode

import feedparser
import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given

from evidence.curation.make_release import make_release
from evidence.downloads import followed as followed_module
from evidence.downloads.followed import archived_tables, follow_question, latest_releases
from evidence.models import ATTRIBUTES, ArchivePart, Collection, Patient, Study
from evidence.questions.filters import FILTERS, matching_treatments

from .factories import make_collection, make_patient, make_study, make_treatment
from .test_feed import ATOM, check_element
from .test_filters import CODES, MATCHES, SETS, addresses, several
from .test_releases import edit

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
ADDRESS = "/world/patients.atom"
FEMALE = f"{ADDRESS}?sex=female"


@pytest.fixture(autouse=True)
def nothing_kept():
    """A test that changes a kept archive is alone with it."""
    followed_module._tables.clear()
    followed_module._answers.clear()
    yield
    followed_module._tables.clear()
    followed_module._answers.clear()


def archive_of(collection: Collection):
    return archived_tables(latest_releases(collection.slug)[0])


def answering(question) -> set[str]:
    """Who answers in the database."""
    treatments = matching_treatments(question)
    return set(Patient.objects.with_treatment(treatments).values_list("slug", flat=True))


def differing(collections, asking, questions) -> list[tuple]:
    """The questions that an archive answers otherwise than the database."""
    return [
        (collection.slug, words)
        for collection in collections
        for words in questions
        if archive_of(collection).answering(question := asking(collection, words))
        != answering(question)
    ]


# What an archive answers


def test_an_archive_answers_every_single_word_as_the_database(world, simulated, released, asking):
    words = [f"{name}={code}" for name, codes in CODES.items() for code in codes]
    words += [
        f"{name}={code}&{name}_match={match}"
        for name in SETS
        for code in CODES[name]
        for match in MATCHES
    ]
    words += [f"{name}={number}" for name in ("age_min", "age_max") for number in (0, 25, 40, 60)]
    words += [f"{name}={number}" for name in ("dlco_min", "dlco_max") for number in (61, 62, 85)]
    words += [f"{name}={number}" for name in ("year_min", "year_max") for number in (2020, 2021)]
    words += ["study=alpha"]
    asked = {word.split("=")[0] for word in words}
    assert asked == set(FILTERS) - {"q"}
    assert differing([world.collection], asking, words) == []
    assert differing([simulated], asking, [word for word in words if "study=" not in word]) == []


@pytest.mark.parametrize("reason", ["", ".not-reported", ".not-extracted"])
def test_an_archive_knows_what_is_missing_and_why(world, simulated, released, asking, reason):
    words = [f"missing={name}{reason}" for name in ATTRIBUTES]
    published = Collection.objects.get(slug="published")
    assert differing([world.collection, simulated, published], asking, words) == []


@several
@given(question=addresses())
def test_an_archive_answers_random_questions(world, simulated, released, asking, question):
    question.pop("q", None)
    address = urlencode(question, doseq=True)
    assert differing([world.collection, simulated], asking, [address]) == []


# What a release changes


@pytest.fixture
def second(world, released):
    """Of the patients who are female: delta-1 is new, alpha-4 is said to be one, alpha-1 is 41,
    alpha-3 is none, beta-1 is withdrawn.
    """
    make_treatment(
        make_patient(make_study(world.collection, "delta"), "delta-1", sex="female", age_years=33)
    )
    edit("alpha-4", sex="female")
    edit("alpha-1", age_years=77)
    edit("alpha-3", sex="male")
    edit("beta-1", state="withdrawn", withdrawal_reason="zq-reason")
    return make_release("Second.")


def entries(client, address: str) -> list[feedparser.FeedParserDict]:
    """The entries of a feed that feedparser finds well formed and that keeps RFC 4287."""
    response = client.get(address)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    tree = ET.fromstring(response.content)
    assert tree.tag == f"{ATOM}feed"
    for element in (tree, *tree.findall(f"{ATOM}entry")):
        check_element(element)
        links = element.findall(f"{ATOM}link")
        assert sum(link.get("rel", "alternate") == "alternate" for link in links) == 1
        assert all(link.get("href").startswith("http://testserver/") for link in links)
    own = [link for link in tree.findall(f"{ATOM}link") if link.get("rel") == "self"]
    assert [link.get("href") for link in own] == [f"http://testserver{address}"]
    assert tree.find(f"{ATOM}author/{ATOM}name").text
    found = feedparser.parse(response.content)
    assert not found.bozo and found.version == "atom10"
    identities = [found.feed.id, *(each.id for each in found.entries)]
    assert len(set(identities)) == len(identities)
    times = [each.updated_parsed for each in found.entries]
    assert times == sorted(times, reverse=True)
    assert found.feed.updated_parsed == max([*times, found.feed.updated_parsed])
    return found.entries


def test_an_entry_says_who_came_changed_and_went(client, second):
    newest, first = entries(client, FEMALE)
    assert newest.title == (
        "Sex: Female, release 2: 1 new, 1 answering now, 1 changed, 1 no longer answering, "
        "1 withdrawn"
    )
    assert newest.summary == (
        "Sex: Female. Patients who answer in release 2: 3. Changes since release 1: new: delta-1; "
        "known before and answering now: alpha-4; changed: alpha-1; no longer answering: alpha-3; "
        "withdrawn, or counted by another report of the same person: beta-1."
    )
    assert first.title == "Sex: Female, release 1: 3 new"
    assert "The first release of this collection: new: alpha-1, alpha-3, beta-1." in first.summary


def test_links_lead_to_the_list_and_to_patients_who_are_shown(client, second):
    newest = entries(client, FEMALE)[0]
    assert newest.link == "http://testserver/world/patients/?sex=female&release=2"
    related = {link.title: link.href for link in newest.links if link.rel == "related"}
    assert set(related) == {"delta-1", "alpha-4", "alpha-1", "alpha-3"}
    for href in (newest.link, *related.values()):
        assert client.get(href.removeprefix("http://testserver")).status_code == 200


def test_a_study_retracted_since_is_an_entry_for_all_who_follow_its_patients(
    client, world, released
):
    Study.objects.filter(slug="alpha").update(
        retraction_status="retracted",
        retraction_date="2026-11-01",
        retraction_notice="https://example.org/notice",
    )
    edit("beta-1", age_years=76)  # so that the release has changed something, whatever it compares
    make_release("Retracted.")
    newest, *_ = entries(client, "/world/patients.atom?study=alpha&sex=female")
    assert "release 2" in newest.title and "changed" in newest.title
    assert "alpha-1" in newest.summary


def test_no_value_is_named_nor_why_somebody_was_withdrawn(client, second):
    body = client.get(FEMALE).content.decode()
    text = " ".join(each.title + each.summary for each in entries(client, FEMALE))
    assert "77" not in text and "zq-reason" not in body and " male" not in text


def test_a_release_that_changes_nothing_of_the_answer_is_no_entry(client, world, second):
    (first,) = entries(client, f"{ADDRESS}?inhibitor=tofacitinib&response=worsened")
    assert first.title.endswith("release 1: 1 new")
    assert entries(client, f"{ADDRESS}?inhibitor=upadacitinib") == []
    edit("alpha-2", notes="Read again.")
    make_release("Third.")
    (newest, _) = entries(client, f"{ADDRESS}?inhibitor=tofacitinib&response=worsened")
    assert newest.title.endswith("release 3: 1 changed")


def test_the_whole_collection_can_be_followed(client, second):
    newest, first = entries(client, ADDRESS)
    assert first.title == "world, release 1: 5 new"
    assert newest.title == "world, release 2: 1 new, 3 changed, 1 withdrawn"


def test_a_name_and_an_earlier_release_can_be_given(client, second):
    (newest,) = entries(client, f"{FEMALE}&since=1&name=My+%3Cwomen%3E+%26+me")
    assert newest.title.startswith("My <women> & me, release 2: 1 new")
    assert newest.id == entries(client, FEMALE)[0].id
    assert entries(client, f"{FEMALE}&since=2") == []
    assert feedparser.parse(client.get(f"{FEMALE}&since=2").content).feed.updated_parsed


def test_ids_are_those_of_collection_question_and_release(client, second):
    one = [each.id for each in entries(client, f"{ADDRESS}?sex=female&inhibitor=tofacitinib")]
    same = [each.id for each in entries(client, f"{ADDRESS}?inhibitor=tofacitinib&sex=female")]
    other = [each.id for each in entries(client, f"{ADDRESS}?inhibitor=tofacitinib")]
    assert one == same and not set(one) & set(other)
    assert all(each.startswith("urn:uuid:") for each in one)
    cache.clear()
    edit("alpha-1", age_years=50)
    make_release("Third.")
    assert [each.id for each in entries(client, f"{ADDRESS}?sex=female&inhibitor=tofacitinib")][
        1:
    ] == one


def test_simulated_patients_are_labelled(client, released):
    address = "/sener-2025-reconstruction/patients.atom?inhibitor=tofacitinib&name=Mine"
    (first,) = entries(client, address)
    assert first.title.startswith("Simulated: Mine, release 1: ")
    assert "associations are not evidence." in first.summary
    assert ", and " in first.summary and " more" in first.summary
    feed = feedparser.parse(client.get(address).content).feed
    assert feed.title == "Simulated: Mine" and "associations are not evidence." in feed.subtitle


# What is compared, and what is kept


def test_an_archive_that_is_not_kept_is_passed_over_and_said(client, second):
    edit("alpha-1", age_years=50)
    make_release("Third.")
    cache.clear()
    ArchivePart.objects.filter(archive__release__number=2, archive__slug="world").delete()
    newest, first = entries(client, FEMALE)
    assert "release 3" in newest.title and "Changes since release 1:" in newest.summary
    assert "new: delta-1" in newest.summary and "release 1" in first.title
    subtitle = feedparser.parse(client.get(FEMALE).content).feed.subtitle
    assert subtitle.endswith("Release 2 is passed over: its archive is not kept any more.")


def test_nobody_is_called_new_where_the_first_archive_is_not_kept(client, second):
    ArchivePart.objects.filter(archive__release__number=1).delete()
    assert entries(client, FEMALE) == []
    subtitle = feedparser.parse(client.get(FEMALE).content).feed.subtitle
    assert "Release 1 is passed over" in subtitle


def test_an_archive_that_is_too_large_is_passed_over(client, second, monkeypatch):
    monkeypatch.setattr(followed_module, "MOST_BYTES", 10)
    assert entries(client, FEMALE) == []
    assert "too large" in feedparser.parse(client.get(FEMALE).content).feed.subtitle


def test_an_archive_of_an_earlier_casebook_is_passed_over(world, released, asking):
    tables = archive_of(world.collection)
    for row in tables.rows["patients"]:
        del row["dlco_percent"]
    followed = follow_question(asking(world.collection, "dlco_min=60"))
    assert followed.changes == []
    assert followed.passed_over == [
        "Release 1 is passed over: there was no “DLCO (% predicted)” in it."
    ]


def test_a_column_that_is_new_is_no_change_of_everybody(world, second, asking):
    older = archived_tables(latest_releases("world")[1])
    older.headers["patients"].remove("label")
    for row in older.rows["patients"]:
        del row["label"]
    (newest, _) = follow_question(asking(world.collection, "sex=female")).changes
    assert newest.patients.changed == ("alpha-1",)


def test_the_latest_releases_are_compared(client, second, monkeypatch):
    monkeypatch.setattr(followed_module, "COMPARED", 2)
    edit("alpha-1", age_years=50)
    make_release("Third.")
    (newest,) = entries(client, FEMALE)
    assert "release 3" in newest.title
    assert "The latest " in feedparser.parse(client.get(FEMALE).content).feed.subtitle


def test_what_is_compared_once_is_kept_by_the_hashes(client, second, settings):
    settings.CACHE_RESPONSES = False
    client.get(FEMALE)
    with CaptureQueriesContext(connection) as queries:
        client.get(f"{FEMALE}&name=Again")
    assert len(queries) <= 5
    assert not any('"evidence_archivepart"."content"' in query["sql"] for query in queries)


def test_it_is_kept_like_a_page(client, second):
    response = client.get(FEMALE)
    assert response.headers["Last-Modified"] and response.content == client.get(FEMALE).content
    tag = response.headers["ETag"]
    assert client.get(FEMALE, headers={"if-none-match": tag}).status_code == 304
    head = client.head(FEMALE)
    assert head.headers["Last-Modified"] == response.headers["Last-Modified"]


# Where there is nothing, and what is wrong


def test_without_a_release_there_is_a_feed_without_entries(client, db):
    make_collection("fresh")
    assert entries(client, "/fresh/patients.atom") == []
    subtitle = feedparser.parse(client.get("/fresh/patients.atom").content).feed.subtitle
    assert "No release holds this collection yet." in subtitle
    assert "groups are not followed" in subtitle


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("q=ild", "A feed cannot ask “Search”"),
        ("sex=f", "is not among the values of “Sex”"),
        ("since=9", "“9” is no release."),
        ("since=x", "“x” is no release."),
        ("since=1&since=2", "“since” is given more than once."),
        ("name=a&name=b", "“name” is given more than once."),
        (f"name={'n' * 101}", "at most 100 characters"),
        ("release=1", "“release” is no word of a feed"),
        ("sort=age_years", "“sort” is no word of a feed"),
        ("nme=x", "“nme” is not a filter."),
    ],
)
def test_a_wrong_address_is_told_so(client, second, words, told):
    response = client.get(f"{ADDRESS}?{words}")
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert told in response.content.decode()


def test_addresses_that_are_none(client, db):
    assert client.get("/nowhere/patients.atom").status_code == 404
    assert client.get("/published/studies.atom").status_code == 404
    assert client.post("/published/patients.atom").status_code == 405


def test_characters_that_xml_cannot_hold_are_left_out(client, released):
    (first,) = entries(client, f"{ADDRESS}?response=worsened&name=a%0Bb")
    assert first.title.startswith("ab, release 1")


# The link on pages


@pytest.mark.parametrize("page", ["", "patients/", "treatments/"])
def test_lists_and_overview_lead_to_the_feed(client, world, page):
    body = client.get(f"/world/{page}?inhibitor=tofacitinib&sex=female&sort=&release=").content
    feed = "/world/patients.atom?inhibitor=tofacitinib&amp;sex=female"
    text = body.decode()
    assert text.count(f'href="{feed}"') == 2, "in the head and in the page"
    assert "Follow this question" in text
    assert client.get(feed.replace("&amp;", "&")).status_code == 200


def test_what_no_feed_can_ask_has_no_link(client, world):
    for address in ("/world/patients/?q=ild", "/world/?sex=f", "/world/studies/alpha/"):
        assert "Follow this question" not in client.get(address).content.decode(), address

"""HEAD, words that an address does not take, and readers who have gone: no work for nobody."""

import socket
import tempfile

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.http import parse_http_date
from drf_spectacular.generators import SchemaGenerator

from evidence.curation.make_release import make_release
from evidence.models import consistency as steady
from evidence.tables import FILE_TABLES, column

from .test_pages import ALL_PAGES
from .test_pages import VIEWS as VIEWS_OF_A_COLLECTION
from .wsgi import environ, sent

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
OF_THE_BODY = {"Content-Length", "Content-Encoding"}  # what headers alone cannot know
FILES = [f"/published/patients.{how}" for how in ("csv", "tsv", "jsonl", "xlsx")]
FILES += [f"/published/bundle.{how}" for how in ("zip", "sqlite", "parquet.zip")]
FILES += ["/published/phenopackets.json", "/published/courses.csv"]
FILES += ["/published/datacite.json", "/robots.txt", "/sitemap.xml"]
FILES += ["/published/studies.ris", "/published/studies.bib", "/published/charts/age-and-sex.csv"]
FILES += [
    "/published/forest.csv",
    "/published/compare.csv?a=sex%3Dmale&b=sex%3Dfemale",
    "/data-dictionary.csv",
]
FILES += [
    "/published/patients.csv-metadata.json?sex=female",
    "/published/findings.tsv-metadata.json",
    "/published/charts/age-and-sex.csv-metadata.json",
    "/published/forest.csv-metadata.json",
    "/published/compare.csv-metadata.json?a=sex%3Dmale&b=sex%3Dfemale",
    "/data-dictionary.csv-metadata.json",
]
FILES += [
    "/published/patients/fujita-2019-1/phenopacket.json",
    "/published/studies/karalilova-2021.ris",
]
FOR_PROGRAMS = [
    "/api/forest.R",
    "/api/forest.ipynb",
    "/api/",
    "/api/schema/",
    "/api/v1/",
    "/api/v1/releases/",
    "/api/v1/dictionary/",
    "/api/v1/published/",
    "/api/v1/inhibitors/",
    "/api/v1/inhibitors/tofacitinib/",
    "/api/v1/reviews/",
    "/api/v1/reviews/sener-2025/",
    "/api/v1/published/patients/fujita-2019-1/",
    "/api/v1/published/studies/karalilova-2021/",
    "/api/v1/published/compare/?a=sex%3Dmale&b=sex%3Dfemale",
]
FOR_PROGRAMS += [
    f"/api/v1/published/{part}/"
    for part in ("completeness", "rules", "flow", "forest", "provenance")
]
FOR_PROGRAMS += [
    f"/api/v1/published/{part}/"
    for part in ("filters", "summary", "charts/age-and-sex", *FILE_TABLES)
]


def asked(method: str, address: str) -> tuple[int, dict, bytes]:
    return sent(environ(method, address))


@pytest.mark.parametrize(
    "address", [*ALL_PAGES, *FILES, *FOR_PROGRAMS, "/healthz", "/readyz", "/releases/"]
)
def test_head_has_the_headers_of_get_and_no_body(db, address):
    """Whether or not an answer to GET is kept."""
    status, headers, body = asked("HEAD", address)
    got, expected, content = asked("GET", address)
    assert (status, body) == (got, b"") and got == 200 and content
    for name in (
        (headers.keys() | expected.keys()) - OF_THE_BODY - {"RateLimit", "Expires", "X-Request-ID"}
    ):
        assert headers.get(name) == expected.get(name), name
    assert ("Expires" in headers) == ("Expires" in expected)
    if "Expires" in headers:  # of the second it was asked in
        seconds = [parse_http_date(one["Expires"]) for one in (headers, expected)]
        assert abs(seconds[0] - seconds[1]) <= 10
    assert (
        "Content-Length" not in headers or headers["Content-Length"] == expected["Content-Length"]
    )
    again = asked("HEAD", address)
    assert again[0] == 200 and again[2] == b""


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/published/?sex=x", 400),
        ("/published/patients/?junk", 400),
        ("/published/patients.xlsx?sex=x", 400),
        ("/published/patients.csv?sort=shoe_size", 400),
        ("/published/bundle.zip?junk=1", 400),
        ("/published/patients.csv-metadata.json?sex=x", 400),
        ("/published/charts/nothing.csv-metadata.json", 404),
        ("/published/patients.xlsx-metadata.json", 404),
        ("/published/compare/?c=", 400),
        ("/published/compare.csv?a=sex%3Dmale", 400),
        ("/published/similar/?age=old", 400),
        ("/published/forest/?item=x", 400),
        ("/published/rules/?rule=x", 400),
        ("/published/charts/nothing.csv", 404),
        ("/published/patients/nobody/", 404),
        ("/nowhere/", 404),
        ("/nowhere/patients.csv", 404),
        ("/published/patients/fujita-2019-1/?junk", 400),
        ("/?junk", 400),
        ("/api/v1/published/patients/?sex=x", 400),
        ("/api/v1/published/patients/?cursor=x", 400),
        ("/api/v1/nowhere/summary/", 404),
        ("/api/v1/published/charts/nothing/", 404),
        ("/api/v1/published/compare/?a=sex%3Dmale", 400),
        ("/api/v1/published/rules/?rule=x", 400),
        ("/api/v1/published/patients/fujita-2019-1/?sex=male", 400),
        ("/api/v1/published/studies/nothing/", 404),
        ("/api/v1/inhibitors/nothing/", 404),
        ("/api/v1/reviews/nothing/", 404),
        ("/api/v1/inhibitors/tofacitinib/?x=1", 400),
        ("/api/schema/?junk", 400),
        ("/published/?release=7", 400),
        ("/published/patients.csv?release=1", 409),
        ("/api/v1/published/summary/?release=1", 409),
    ],
)
def test_head_of_a_wrong_question_is_refused_like_get(published, address, status):
    if status == 409:
        make_release().records.delete()
        study = published.studies.first()
        study.title = "Corrected"
        study.save()
    for method in ("HEAD", "GET"):
        answered, headers, body = asked(method, address)
        assert answered == status and "ETag" not in headers and bool(body) is (method == "GET")


def test_head_of_a_forest_plot_for_programs_computes_nothing(client, db, monkeypatch):
    def computed(*given, **more):
        raise RuntimeError("nobody asked for a body")

    monkeypatch.setattr("evidence.api.answers.forest_json", computed)
    address = "/api/v1/sener-2025-reconstruction/forest/?item=improved"
    assert client.head(address).status_code == 200
    with pytest.raises(RuntimeError):
        client.get(address)


NO_ROWS = "nobody asked for a body"
STREAMED = [f"/published/patients.{how}" for how in ("csv", "tsv", "jsonl", "xlsx")] + [
    "/published/bundle.zip"
]


@pytest.mark.parametrize("address", STREAMED)
def test_head_builds_no_file(client, db, monkeypatch, address):
    def built(*given, **more):
        raise RuntimeError(NO_ROWS)

    monkeypatch.setattr("evidence.downloads.rows.read_batches", built)
    with pytest.raises(RuntimeError, match=NO_ROWS):
        asked("GET", address)
    assert asked("HEAD", address)[0] == 200


def test_head_of_a_page_costs_what_checking_its_words_costs(client, world):
    for address in (
        "",
        "patients/",
        "forest/",
        "completeness/",
        "compare/?a=sex%3Dmale&b=",
        "similar/?age=40",
    ):
        client.get(world.address(address))  # reads what changed into memory
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            head = client.head(world.address(address))
        assert head.status_code == 200 and not head.templates and len(queries) <= 3, (
            address,
            len(queries),
        )
        page = client.get(world.address(address))
        assert page.templates and page["ETag"] == head["ETag"]


# Words an address does not take

WITHOUT_WORDS = [
    "/",
    "/inhibitors/",
    "/inhibitors/tofacitinib/",
    "/reviews/",
    "/reviews/sener-2025/",
    "/methods/",
]
WITHOUT_WORDS += ["/data-dictionary/", "/cite/", "/releases/", "/api/", "/published/flow/"]
WITHOUT_WORDS += ["/published/patients/fujita-2019-1/", "/published/studies/karalilova-2021/"]


@pytest.mark.parametrize("address", WITHOUT_WORDS)
@pytest.mark.parametrize("query", ["junk=1", "junk"])
def test_words_an_address_does_not_take_are_refused_before_any_work(
    client, db, monkeypatch, address, query
):
    monkeypatch.setattr(SchemaGenerator, "get_schema", None)
    client.get("/reviews/")  # the navigation is in memory
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(f"{address}?{query}")
    assert answer.status_code == 400 and "ETag" not in answer and len(queries) <= 3
    assert "“junk” is no word of this address" in answer.content.decode()
    assert f'href="{address}"' in answer.content.decode()


@pytest.mark.parametrize("address", ["/data-dictionary.csv", "/releases/1/published.zip"])
def test_files_without_words_refuse_them_too(client, db, address):
    answer = client.get(f"{address}?junk=1")
    assert (answer.status_code, answer["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert "“junk” is no word of this address; it takes none." in answer.content.decode()


@pytest.mark.parametrize("query", ["junk=1", "junk=", "format=json", "version=1"])
def test_the_schema_takes_no_words(client, db, monkeypatch, query):
    monkeypatch.setattr(SchemaGenerator, "get_schema", None)
    answer = client.get(f"/api/schema/?{query}")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["errors"][0]["parameter"] == query.partition("=")[0]


@pytest.mark.parametrize("view", ["flow", "patients/fujita-2019-1", "studies/karalilova-2021"])
def test_a_release_is_a_word_of_every_page_of_a_collection_that_says_what_became_of_it(
    client, db, view
):
    assert view in VIEWS_OF_A_COLLECTION or "/" in view
    make_release()
    answer = client.get(f"/published/{view}/?release=1")
    assert answer.status_code == 200 and "You are reading release 1" in answer.content.decode()


# Readers who have gone


@pytest.fixture
def connected():
    """Both ends of a connection."""
    here, there = socket.socketpair()
    yield here, there
    here.close()
    there.close()


def test_a_workbook_is_given_up_once_its_reader_has_gone(
    client, world, connected, monkeypatch, tmp_path
):
    monkeypatch.setattr(column, "BATCH", 1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    here, there = connected
    response = client.get(world.address("patients.xlsx"), **{"gunicorn.socket": here})
    pieces = iter(response.streaming_content)
    assert next(pieces) == next(pieces) == b"" and list(tmp_path.iterdir()), (
        "begun, and nothing to send yet"
    )
    there.close()
    with CaptureQueriesContext(connection) as queries, pytest.raises(BrokenPipeError):
        next(pieces)
    response.close()
    assert not queries.captured_queries and getattr(steady.here, "version", None) is None
    assert not list(tmp_path.iterdir())


def test_a_workbook_that_is_not_wanted_any_more_is_given_up(client, world, monkeypatch, tmp_path):
    """As a server says it: by closing the response."""
    monkeypatch.setattr(column, "BATCH", 1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    response = client.get(world.address("patients.xlsx"))
    pieces = iter(response.streaming_content)
    assert next(pieces) == b"" and list(tmp_path.iterdir())
    with CaptureQueriesContext(connection) as queries:
        response.close()
    assert not queries.captured_queries and getattr(steady.here, "version", None) is None
    assert not list(tmp_path.iterdir()) and list(pieces) == []


@pytest.mark.parametrize("address", STREAMED)
def test_whoever_stays_gets_the_whole_file(client, db, connected, address):
    here, there = connected
    there.send(b"GET /another HTTP/1.1\r\n")  # the next request waits already
    whole = client.get(address).getvalue()
    there_too = client.get(address, **{"gunicorn.socket": here}).getvalue()
    assert there_too == whole or (address.endswith("xlsx") and len(there_too) == len(whole))
    assert here.recv(3) == b"GET"

"""The API: the same answers as pages and files, for programs."""

import base64
import csv
import io
import json
import re
import time
from html import unescape
from urllib.parse import urlencode

import pytest
from django.conf import settings as ours
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from drf_spectacular.validation import validate_schema
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from evidence.charts.registry import CHARTS
from evidence.curation.make_release import make_release
from evidence.models import Collection, DataVersion, JAKInhibitor, Patient, Release, Review
from evidence.tables import TABLES

from . import remembered
from .factories import make_patient, make_study, make_treatment
from .test_filters import addresses, few

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
PROBLEM = "application/problem+json"


def api(client, path: str, **headers) -> dict:
    response = client.get(f"/api/v1/{path}", headers=headers)
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == "application/json"
    return response.json()


def refused(client, path: str, status: int = 400) -> dict:
    response = client.get(f"/api/v1/{path}")
    assert (response.status_code, response["Content-Type"]) == (status, PROBLEM), response.content
    told = response.json()
    assert (
        told["status"] == status
        and told["title"]
        and told["detail"]
        and told["type"] == "about:blank"
    )
    return told


def everything(client, path: str) -> list[dict]:
    """All rows of a list, page by page."""
    found, address = [], f"/api/v1/{path}"
    while address:
        answer = client.get(address).json()
        found += answer["results"]
        address = answer["next"]
    return found


def edit(slug="alpha-1", **fields) -> None:
    patient = Patient.objects.get(slug=slug)
    for name, value in fields.items():
        setattr(patient, name, value)
    patient.save()


# Lists


def test_a_list_by_hand(client, world):
    answer = api(client, "world/patients/?inhibitor=baricitinib&indication=ild")
    assert answer["count"] == len(answer["results"]) == 1
    assert answer["next"] is answer["previous"] is None
    assert answer["question"] == {
        "words": "JAK inhibitor: baricitinib; Indication: Interstitial lung disease (ILD)",
        "not_asked": [],
        "query": "inhibitor=baricitinib&indication=ild",
        "page": "http://testserver/world/?inhibitor=baricitinib&indication=ild",
    }
    (row,) = answer["results"]
    assert (row["patient"], row["age_years"], row["sex"], row["inhibitors"]) == (
        "alpha-2",
        60,
        "male",
        ["baricitinib"],
    )
    assert (
        row["relapsed"] is None
        and row["empty_means"] == "not reported"
        and row["evidence_kind"] == "published"
    )


def test_what_is_not_known_is_null_and_says_why(client, world):
    rows = {row["patient"]: row for row in api(client, "world/patients/")["results"]}
    assert rows["alpha-4"]["sex"] is rows["alpha-4"]["age_years"] is None
    assert (
        rows["beta-1"]["prior_therapies"] is None
        and rows["beta-1"]["empty_means"] == "not extracted"
    )
    assert rows["alpha-2"]["prior_therapies"] == ["none"], "as stated, which is not the same"
    assert rows["alpha-2"]["adverse_events"] == ["explicitly_none", None], (
        "two courses; of one it is not known"
    )


@pytest.mark.parametrize("noun", TABLES)
def test_a_list_has_the_rows_and_values_of_its_file(client, world, noun):
    rows = everything(client, f"world/{noun}/?sex=female&page_size=2")
    file = client.get(world.address(f"{noun}.jsonl?sex=female")).getvalue().decode().splitlines()
    lists = {column.name for column in TABLES[noun].columns if column.lookup}
    for row, line in zip(rows, map(json.loads, file), strict=True):
        for name, value in row.items():
            if name in lists and value is not None:
                value = "; ".join(line["empty_means"] if each is None else each for each in value)
            assert line[name] == value, (noun, name)


@pytest.mark.parametrize("noun", TABLES)
@pytest.mark.parametrize("collection", ["published", "sener-2025-reconstruction"])
def test_simulated_rows_say_so_whatever_is_asked_for(client, db, collection, noun):
    answer = api(client, f"{collection}/{noun}/?fields=study")
    kind = (
        "published" if collection == "published" else "simulated: reproduces published totals only"
    )
    assert answer["evidence_kind"].startswith(kind)
    assert all(set(row) == {"study", "empty_means", "evidence_kind"} for row in answer["results"])
    assert all(row["evidence_kind"] == answer["evidence_kind"] for row in answer["results"])


def test_fields_are_those_asked_for_in_that_order(client, world):
    (row, *_) = api(client, "world/patients/?fields=age_years,patient,responses")["results"]
    assert list(row) == ["age_years", "patient", "responses", "empty_means", "evidence_kind"]
    told = refused(client, "world/patients/?fields=patient,name")
    assert (
        told["errors"][0]["parameter"] == "fields"
        and "“name”: no such field. Known: patient" in told["detail"]
    )


@pytest.mark.parametrize("sort", ["", "age_years", "-age_years", "study", "-patient"])
def test_pages_hold_every_row_once_in_the_order_of_the_list(client, world, sort):
    whole = [
        row["patient"]
        for row in api(client, f"world/patients/?{urlencode({'sort': sort} if sort else {})}")[
            "results"
        ]
    ]
    query = urlencode({"page_size": 2} | ({"sort": sort} if sort else {}))
    assert [row["patient"] for row in everything(client, f"world/patients/?{query}")] == whole
    listed = client.get(world.address(f"patients/?sort={sort}")).content.decode()
    places = [listed.index(f"/patients/{slug}/") for slug in whole]
    assert len(whole) == 5 and places == sorted(places), "and the page has the same order"


def test_one_can_go_back(client, world):
    first = api(client, "world/patients/?page_size=2")
    second = client.get(first["next"]).json()
    third = client.get(second["next"]).json()
    assert third["next"] is None and len(third["results"]) == 1
    assert client.get(third["previous"]).json()["results"] == second["results"]
    assert client.get(second["previous"]).json()["results"] == first["results"]
    assert first["count"] == second["count"] == third["count"] == 5


def test_a_page_never_mixes_two_states_of_the_data(client, world):
    address = api(client, "world/patients/?page_size=2")["next"]
    edit(age_years=41)
    answer = client.get(address)
    assert answer.status_code == 409 and "Begin again without the cursor" in answer.json()["detail"]


def test_other_collections_may_change_meanwhile(client, world, published):
    address = api(client, "world/patients/?page_size=2")["next"]
    study = published.studies.first()
    study.notes = "Read again."
    study.save()
    assert client.get(address).status_code == 200


@pytest.mark.parametrize(
    "cursor", ["x", "%", "WzEsMl0", "W10", "bnVsbA", "WyIxIiwyLCJ4Il0", "ä", "=" * 5, "A" * 3000]
)
def test_a_made_up_cursor_is_refused(client, world, cursor):
    response = client.get("/api/v1/world/patients/", {"cursor": cursor})
    assert response.status_code == 400 and response.json()["errors"][0]["parameter"] == "cursor"


def test_a_cursor_belongs_to_its_question(client, world):
    cursor = api(client, "world/patients/?page_size=2")["next"].split("cursor=")[1]
    for path in (
        "world/patients/?sex=female&",
        "world/patients/?sort=age_years&",
        "world/treatments/?",
    ):
        assert "another question" in refused(client, f"{path}cursor={cursor}")["detail"]
    assert (
        api(client, f"world/patients/?page_size=3&fields=patient&cursor={cursor}")["results"][0][
            "patient"
        ]
        == "alpha-3"
    )


@pytest.mark.parametrize("size", ["0", "1001", "x", "-1", "1.5", "", "9" * 30, "٣"])
def test_pages_have_between_one_and_a_thousand_rows(client, world, size):
    response = client.get("/api/v1/world/patients/", {"page_size": size})
    assert response.status_code == 400 and "page_size" in {
        each["parameter"] for each in response.json()["errors"]
    }
    assert len(api(client, "world/patients/?page_size=1000")["results"]) == 5


def draw_forty_more() -> None:
    collection = Collection.objects.get(slug="world")
    for number in range(40):
        study = make_study(collection, f"many-{number}")
        make_treatment(
            make_patient(study),
            indications=["ild"],
            outcomes=[("skin", "stable")],
            events=[("infection", {})],
        )


@pytest.fixture(scope="session")
def forty_more(world_rows, django_db_blocker) -> remembered.Rows:
    with django_db_blocker.unblock():
        return remembered.rows_written_by(draw_forty_more, upon=world_rows)


@pytest.mark.parametrize("noun", TABLES)
def test_a_page_costs_as_many_queries_for_one_row_as_for_forty(
    client, world, forty_more, noun, settings
):
    settings.CACHE_RESPONSES = False

    def queries() -> int:
        client.get(f"/api/v1/world/{noun}/")  # reads what changed into memory
        with CaptureQueriesContext(connection) as asked:
            client.get(f"/api/v1/world/{noun}/")
        return len(asked)

    few_rows = queries()
    remembered.write(forty_more)
    assert queries() == few_rows <= 12


@pytest.mark.slow
@settings(few, max_examples=15)
@given(question=addresses())
def test_counts_are_those_of_the_pages(client, world, unlimited, question):
    query = urlencode(question, doseq=True)
    summary = api(client, f"world/summary/?{query}")
    overview = client.get(world.address(f"?{query}")).context
    assert (
        summary["totals"]["patients"]
        == overview["totals"].patients
        == summary["answer"]["matching"]
    )
    assert summary["answer"]["open"] == overview["answer"].open
    assert summary["sentence"] == str(overview["answer"])
    assert [each["text"] for each in summary["headlines"]] == [
        str(each.share) for each in overview.get("headlines") or []
    ]
    for noun in TABLES:
        listed = client.get(world.address(f"{noun}/?{query}")).context["listing"].total
        assert api(client, f"world/{noun}/?{query}&page_size=1")["count"] == listed, noun


# Numbers


def test_a_forest_plot_from_the_api_is_that_of_its_file(client, simulated):
    query = (
        "item=relapsed&study=simulated-article-01&study=simulated-article-02&"
        "study=simulated-article-03"
    )
    for address in ("item=any_adverse_event", query, "item=improved&shared=yes"):
        answer = api(client, f"{simulated.slug}/forest/?{address}")
        text = client.get(f"/{simulated.slug}/forest.csv?{address}").content.decode("utf-8-sig")
        file = list(csv.DictReader(io.StringIO(text)))
        assert len(answer["rows"]) == len(file) > 3
        for row, line in zip(answer["rows"], file, strict=True):
            assert ["" if cell is None else str(cell) for cell in row] == [
                line[name] for name in answer["columns"]
            ]
    pooled = dict(zip(answer["columns"], answer["rows"][-1], strict=True))
    assert (
        pooled["row"] == "Pooled"
        and pooled["prediction_low"] < pooled["ci_low"] < pooled["ci_z_low"]
    )
    assert answer["item"] == "improved" and answer["evidence_kind"].startswith("simulated")
    left_out = answer["without_each_study"]
    assert len(left_out) > 3 and all(each["percent"] is not None for each in left_out)


@pytest.mark.parametrize("fault", ["item=nonsense", "item=", "shared=no"])
def test_a_forest_plot_of_nothing_is_refused(client, world, fault):
    assert (
        refused(client, f"world/forest/?{fault}")["errors"][0]["parameter"] == fault.split("=")[0]
    )


def test_the_summary_by_hand(client, world):
    answer = api(client, "world/summary/")
    improved = answer["headlines"][0]
    assert (improved["count"], improved["known"]) == (2, 4)
    assert (improved["not_reported"], improved["not_extracted"], improved["unit"]) == (
        1,
        0,
        "patients",
    )
    assert improved["percent"] == 50 and improved["interval_95"] == pytest.approx(
        [15.0, 85.0], abs=0.01
    )
    assert improved["text"].startswith(
        "2/4 patients (95 % CI 15.0–85.0, 50.0 %), 1 not known (1 not reported)"
    )
    assert answer["totals"] == {
        "patients": 5,
        "treatments": 6,
        "studies": 2,
        "outcomes": 3,
        "events": 3,
    }
    assert answer["sex"] == {"female": 3, "male": 1, "unknown": 1}
    assert (answer["age"]["median"], answer["age"]["known"]["known"]) == (40, 3)
    infection = next(each for each in answer["adverse_events"] if each["key"] == "infection")
    assert (infection["count"], infection["events"]) == (1, 2), (
        "a second event in one patient adds no patient"
    )


def test_the_percentage_of_nothing_is_null(client, world):
    answer = api(client, "world/summary/?study=alpha&missing=response")
    improved = answer["headlines"][0]
    assert (
        improved["known"] == 0 and improved["percent"] is None and improved["interval_95"] is None
    )
    assert improved["text"].startswith("none known")


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_has_the_numbers_of_its_file(client, world, name):
    answer = api(client, f"world/charts/{name}/?sex=female")
    text = client.get(world.address(f"charts/{name}.csv?sex=female")).content.decode("utf-8-sig")
    header, *lines = csv.reader(io.StringIO(text, newline=""))
    not_asked = ["not_asked"] if name.startswith("group-") else []
    assert header == [
        *answer["columns"],
        "question",
        *not_asked,
        "collection",
        "evidence_kind",
        "release",
    ]
    shown = [["" if cell is None else str(cell) for cell in row] for row in answer["rows"]]
    assert shown == [
        [cell.removeprefix("'") for cell in line[: len(answer["columns"])]] for line in lines
    ]
    assert answer["sentence"] and answer["title"]
    assert all(len(row) == len(answer["columns"]) for row in answer["rows"])


def test_a_chart_that_is_none(client, world):
    assert refused(client, "world/charts/pie/", 404)["detail"] == "There is no such chart."


# What there is


def test_the_start_leads_everywhere(client, world):
    start = api(client, "")
    assert [each["collection"] for each in start["collections"]] == [
        "world",
        "published",
        "sener-2025-reconstruction",
    ]
    for each in start["collections"]:
        for address in (
            *each["lists"].values(),
            *each["charts"].values(),
            *(each[name] for name in ("summary", "filters", "forest", "completeness", "rules")),
            *(each[name] for name in ("flow", "compare")),
        ):
            assert client.get(address).status_code == 200, address
    for name in ("inhibitors", "reviews", "releases", "dictionary", "schema", "documentation"):
        assert client.get(start[name]).status_code == 200


@pytest.mark.slow
def test_the_filters_say_which_values_they_take(client, world):
    words = {each["name"]: each for each in api(client, "world/filters/")["filters"]}
    assert {"value": "ild", "label": "Interstitial lung disease (ILD)"} in words["indication"][
        "values"
    ]
    assert words["indication"]["match"] == ["any", "all", "exactly", "none"]
    assert {each["value"] for each in words["study"]["values"]} == {"alpha", "beta"}
    assert (
        words["age_min"]["minimum"],
        words["age_min"]["maximum"],
        words["age_min"]["values"],
    ) == (0, 120, [])
    for name, each in words.items():
        for value in each["values"]:
            api(client, f"world/patients/?{urlencode({name: value['value']})}&page_size=1")


def test_releases_and_their_archives(client, world):
    assert api(client, "releases/")["releases"] == []
    made = make_release("As drawn.")
    (found,) = api(client, "releases/")["releases"]
    assert (found["release"], found["notes"], found["content_hash"]) == (
        1,
        "As drawn.",
        made.content_hash,
    )
    held = {each["collection"]: each for each in found["collections"]}
    assert held["world"]["rows"]["patients"] == 5
    assert held["sener-2025-reconstruction"]["evidence_kind"].startswith("simulated")
    assert len(client.get(held["world"]["archive"]).getvalue()) == held["world"]["bytes"]


def test_every_answer_names_the_release_and_one_asked_for_is_kept_to(client, world):
    assert api(client, "world/summary/")["release"]["release"] is None
    make_release().records.delete()
    said = api(client, "world/summary/?release=1")["release"]
    assert (said["release"], said["changed_since"]) == (1, False)
    assert "no such release" in refused(client, "world/summary/?release=2")["detail"]
    edit(age_years=41)
    assert api(client, "world/summary/")["release"]["changed_since"] is True
    for path in ("world/summary/", "world/patients/", "world/charts/adverse-events/"):
        assert (
            "The data have changed since release 1"
            in refused(client, f"{path}?release=1", 409)["detail"]
        )


def test_every_field_is_explained(client, db):
    explained = {
        each["list"]: [field["field"] for field in each["fields"]]
        for each in api(client, "dictionary/")["lists"]
    }
    for noun in TABLES:
        for row in api(client, f"published/{noun}/?page_size=1")["results"]:
            assert set(row) <= set(explained[noun])


# Errors


@pytest.mark.parametrize(
    ("path", "parameter", "told"),
    [
        ("world/patients/?sex=x", "sex", "“x” is not among the values of “Sex”."),
        ("world/patients/?sexx=male", "sexx", "“sexx” is not a filter. Did you mean “sex”?"),
        ("world/patients/?page=2", "page", "“page” is no parameter of this address."),
        ("world/patients/?sort=name", "sort", "“name” is no column to sort by."),
        ("world/patients/?sort=year&sort=sex", "sort", "“sort” is given more than once."),
        ("world/patients/?age_min=50&age_max=40", "age_min", "the range ends before it begins"),
        (
            "world/patients/?indication_match=most&indication=ild",
            "indication",
            "“most” is not a match word.",
        ),
        ("world/patients/?sex=", "sex", "“sex” is empty. Leave it out."),
        ("world/patients/?fields=patient,", "fields", "“”: no such field."),
        ("world/summary/?sort=year", "sort", "“sort” is no parameter of this address."),
        ("world/summary/?fields=sex", "fields", "“fields” is not a filter."),
        (
            "world/charts/adverse-events/?chart=x",
            "chart",
            "“chart” is no parameter of this address.",
        ),
        ("?sex=male", "sex", "“sex” is no parameter of this address; it has none."),
        ("world/?sex=male", "sex", "it has none."),
        ("world/filters/?sex=male", "sex", "it has none."),
        ("releases/?number=1", "number", "it has none."),
        ("dictionary/?x=1", "x", "it has none."),
    ],
)
def test_a_wrong_parameter_is_named_and_gives_no_rows(client, world, path, parameter, told):
    problem = refused(client, path)
    (fault,) = (each for each in problem["errors"] if each.get("parameter") == parameter)
    assert told in fault["detail"] and told in problem["detail"]
    assert "results" not in problem


def test_all_that_is_wrong_is_told_at_once(client, world):
    told = refused(client, "world/patients/?sex=x&foo=1&bar=2&page_size=0")
    assert [each.get("parameter") for each in told["errors"]] == ["sex", "foo", "bar"]


@pytest.mark.parametrize(
    "path", ["nowhere/", "nowhere/patients/", "world/nothing/", "world/patients/nobody/", "%00/"]
)
def test_an_unknown_address_is_a_problem_too(client, world, path):
    refused(client, path, 404)


@pytest.mark.parametrize("path", ["", "world/patients/", "world/summary/"])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_written(client, world, path, method):
    response = getattr(client, method)(f"/api/v1/{path}")
    assert (response.status_code, response["Content-Type"], response["Allow"]) == (
        405,
        PROBLEM,
        "GET, HEAD",
    )


def test_a_missing_stroke_at_the_end_is_completed(client, world):
    response = client.get("/api/v1/world/patients?sex=female")
    assert (response.status_code, response["Location"]) == (
        301,
        "/api/v1/world/patients/?sex=female",
    )


def test_a_database_that_is_away_is_a_problem_too(client, world, monkeypatch):
    def away():
        raise OperationalError("away")

    monkeypatch.setattr(DataVersion, "current", away)
    assert client.get("/api/v1/world/patients/")["Retry-After"] == "30"
    refused(client, "world/patients/", 503)


def test_what_breaks_is_a_problem_that_tells_no_secrets(world, monkeypatch):
    def broken(*given):
        raise RuntimeError("a secret")

    monkeypatch.setattr("evidence.api.answers.summary_json", broken)
    response = Client(raise_request_exception=False).get("/api/v1/world/summary/")
    assert (response.status_code, response["Content-Type"]) == (500, PROBLEM)
    assert "secret" not in response.content.decode()
    page = Client(raise_request_exception=False)
    monkeypatch.setattr("evidence.web.collection_page.CollectionPage.build", broken)
    assert page.get("/world/")["Content-Type"].startswith("text/html")


# How it is served


def test_an_answer_that_still_holds_is_not_sent_again(client, world):
    first = client.get("/api/v1/world/patients/")
    assert (
        client.get("/api/v1/world/patients/", headers={"If-None-Match": first["ETag"]}).status_code
        == 304
    )
    edit(age_years=41)
    assert (
        client.get("/api/v1/world/patients/", headers={"If-None-Match": first["ETag"]}).status_code
        == 200
    )


def test_an_empty_parameter_is_refused_though_the_answer_without_it_is_kept(
    client, world, settings
):
    settings.CACHE_RESPONSES = True
    for _ in range(2):
        api(client, "world/patients/")
        assert "“sex” is empty" in refused(client, "world/patients/?sex=")["detail"]
        refused(client, "world/patients/?sex")
        refused(client, "?sex=")


def test_a_kept_answer_names_the_host_it_is_asked_at(client, world, settings):
    settings.CACHE_RESPONSES, settings.ALLOWED_HOSTS = True, ["one.example", "two.example"]
    for host in ("one.example", "two.example", "one.example"):
        answer = client.get("/api/v1/world/patients/?page_size=1", headers={"Host": host}).json()
        assert answer["next"].startswith(f"http://{host}/") and answer["question"][
            "page"
        ].startswith(f"http://{host}/")


@pytest.mark.parametrize(
    "path",
    [
        *("/api/v1/world/patients/", "/api/schema/", "/world/patients.csv", "/world/bundle.zip"),
        *("/data-dictionary.csv", "/world/patients.csv-metadata.json", "/world/forest.csv"),
        "/data-dictionary.csv-metadata.json",
    ],
)
def test_any_origin_may_read(client, world, path):
    response = client.get(path, headers={"Origin": "https://elsewhere.example"})
    assert response["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in response
    wish = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET"}
    assert client.options(path, headers=wish).status_code == 200
    wish["Access-Control-Request-Method"] = "DELETE"
    assert "DELETE" not in client.options(path, headers=wish).get(
        "Access-Control-Allow-Methods", ""
    )


@pytest.mark.parametrize("path", ["/admin/login/", "/world/", "/world/patients/alpha-1/"])
def test_pages_are_for_their_own_origin(client, world, path):
    assert "Access-Control-Allow-Origin" not in client.get(
        path, headers={"Origin": "https://elsewhere.example"}
    )


def test_no_cookie_is_looked_at_or_set(client, world):
    response = client.get("/api/v1/world/patients/")
    assert not response.cookies and "Cookie" not in response.get("Vary", "")


def test_who_asks_too_often_is_told_when_to_come_again(client, world, settings):
    settings.API_PER_MINUTE = 3
    left = [client.get("/api/v1/world/summary/")["RateLimit"].split(";")[1] for _ in range(3)]
    assert left == ["r=2", "r=1", "r=0"], "an answer that is kept counts too"
    response = client.get("/api/v1/world/summary/")
    assert (response.status_code, response["Content-Type"]) == (429, PROBLEM)
    assert (
        1 <= int(response["Retry-After"]) <= 60
        and response["RateLimit-Policy"] == '"address";q=3;w=60'
    )
    assert "Whole lists come faster as files" in response.json()["detail"]
    assert client.get("/world/patients.csv").status_code == client.get("/world/").status_code == 200
    assert client.get("/api/v1/world/summary/", REMOTE_ADDR="10.0.0.9").status_code == 200, (
        "others are not held up"
    )
    told = client.get("/api/v1/world/summary/", headers={"X-Forwarded-For": "10.0.0.8"})
    assert told.status_code == 429, "nobody's own word on where he comes from is taken"


def test_where_a_request_comes_from_is_taken_from_named_proxies_alone(client, world, settings):
    settings.API_PER_MINUTE, settings.PROXIES = 2, ["127.0.0.1", "10.1.0.0/16"]
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": 1}

    def left(peer: str, visitor: str) -> str:
        headers = {"X-Forwarded-For": visitor}
        return client.get("/api/v1/world/", headers=headers, REMOTE_ADDR=peer)["RateLimit"].split(
            ";"
        )[1]

    for proxy in ("127.0.0.1", "10.1.2.3"):
        visitors = [f"{proxy}1", f"{proxy}2", f"{proxy}1"]
        assert [left(proxy, each) for each in visitors] == ["r=1", "r=1", "r=0"]
    for peer in ("10.2.0.1", "2001:db8::1", ""):
        told = [left(peer, visitor) for visitor in ("203.0.113.1", "203.0.113.2")]
        assert told == ["r=1", "r=0"], "his own word counts nothing"


def test_a_cache_that_is_away_limits_nobody(client, world, monkeypatch):
    def away(*given, **more):
        raise ConnectionError("away")

    monkeypatch.setattr(cache, "get", away)
    monkeypatch.setattr(cache, "set", away)
    assert client.get("/api/v1/world/summary/").status_code == 200


# The schema


@pytest.fixture
def schema(client, world, released) -> dict:
    return client.get("/api/schema/").json()


def test_the_schema_is_openapi_3_1_with_examples_and_descriptions(schema):
    validate_schema(schema)
    assert schema["openapi"] == "3.1.0"
    for path, methods in schema["paths"].items():
        assert set(methods) == {"get"}
        operation = methods["get"]
        assert operation["description"] and operation["operationId"], path
        assert "example" in operation["responses"]["200"]["content"]["application/json"], path
        for each in operation.get("parameters", ()):
            assert each["in"] == "path" or each["description"], (path, each["name"])
        assert {"200", "400", "429"} <= set(operation["responses"]) and (
            "404" in operation["responses"] or "{" not in path
        )


def every_address(path: str) -> list[str]:
    """The addresses an address of the schema stands for, of records a few."""
    if "{collection}" not in path:
        drugs = JAKInhibitor.objects.filter(named=True).values_list("slug", flat=True)
        reviews = Review.objects.values_list("slug", flat=True)
        path = path.replace("{number}", "1")
        addresses = [path.replace("{inhibitor}", drug) for drug in drugs]
        addresses = [one.replace("{review}", review) for one in addresses for review in reviews]
        return sorted(set(addresses))
    addresses = []
    for collection in Collection.objects.all():
        within = path.replace("{collection}", collection.slug)
        for patient in Patient.objects.within(collection)[:5]:
            for chart in CHARTS if "{name}" in path else [""]:
                address = within.replace("{name}", chart).replace("{patient}", patient.slug)
                addresses.append(address.replace("{study}", patient.study.slug))
    sides = "?a=sex%3Dfemale&b=sex%3Dmale" if path.endswith("/compare/") else ""
    return sorted({f"{address}{sides}" for address in addresses})


@pytest.mark.slow
def test_every_answer_and_every_example_fits_the_schema(client, schema):
    documents = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": schema["components"],
    }
    for path, methods in schema["paths"].items():
        answer = methods["get"]["responses"]["200"]["content"]["application/json"]
        check = Draft202012Validator(documents | answer["schema"])
        check.validate(answer["example"])
        for address in every_address(path):
            response = client.get(address)
            assert response.status_code == 200, address
            check.validate(response.json())
    problem = Draft202012Validator(documents | schema["components"]["schemas"]["Problem"])
    problem.validate(client.get("/api/v1/world/patients/?sex=x").json())


def test_rows_hold_what_the_schema_says_and_no_more(client, schema):
    for noun in TABLES:
        name = "".join(word.capitalize() for word in noun.split("-")) + "Row"
        known = schema["components"]["schemas"][name]["properties"]
        for row in api(client, f"world/{noun}/")["results"]:
            assert list(row) == list(known)


@pytest.mark.slow
def test_every_parameter_of_the_schema_is_taken_and_every_filter_is_in_it(client, schema):
    from evidence.questions.filters import FILTERS

    parameters = schema["paths"]["/api/v1/{collection}/patients/"]["get"]["parameters"]
    by_name = {each["name"]: each["schema"] for each in parameters}
    assert set(FILTERS) <= set(by_name)
    for name, each in by_name.items():
        values = each.get("items", each).get("enum", [])
        for value in values if name not in ("collection", "release") else []:
            api(client, f"world/patients/?{urlencode({name: value})}")
    assert by_name["release"]["enum"] == [1] == [each.number for each in Release.objects.all()]
    assert by_name["collection"]["enum"] == ["world", "published", "sener-2025-reconstruction"]


def test_every_link_of_the_schema_leads_to_an_answer(client, schema):
    operations = {
        methods["get"]["operationId"]: (path, methods["get"])
        for path, methods in schema["paths"].items()
    }
    followed = set()
    for path, operation in operations.values():
        answer = operation["responses"]["200"]
        example = answer["content"]["application/json"]["example"]
        for link in answer.get("links", {}).values():
            target, leads_to = operations[link["operationId"]]
            known = {each["name"]: each["in"] for each in leads_to["parameters"]}
            query, address = {}, target
            for name, expression in link["parameters"].items():
                value = resolved(expression, example, schema["paths"][path])
                if known[name] == "path":
                    address = address.replace(f"{{{name}}}", value)
                else:
                    query[name] = value
            if "None" not in address:  # a list without rows leads nowhere
                assert client.get(f"{address}?{urlencode(query)}").status_code == 200, address
                followed.add(link["operationId"])
    assert followed >= {"patient", "study", "inhibitor", "review", "compare", "list-provenance"}


def resolved(expression: str, example: dict, methods: dict) -> str:
    """The value of an OpenAPI runtime expression in an answer to the first address there is."""
    if expression.startswith("$request.path."):
        name = expression.removeprefix("$request.path.")
        (parameter,) = (each for each in methods["get"]["parameters"] if each["name"] == name)
        return parameter["schema"]["enum"][0]
    if not expression.startswith("$response.body#"):
        return expression
    value = example
    for step in expression.removeprefix("$response.body#/").split("/"):
        found = value if not isinstance(value, list) else dict(enumerate(value))
        value = found.get(int(step) if step.isdigit() else step)
        if value is None:
            return "None"
    return str(value)


def test_the_schema_says_what_is_refused(client, schema):
    parameters = {
        each["name"]: each["schema"]
        for each in schema["paths"]["/api/v1/{collection}/forest/"]["get"]["parameters"]
    }
    for name, each in parameters.items():
        if each.get("type") == "integer" and "enum" not in each:
            assert {"minimum", "maximum"} <= set(each), name
        for one in (each, each.get("items", {})):
            if one.get("type") == "string" and "enum" not in one:
                assert not re.search(one["pattern"], "\x00"), name
                assert not re.search(one["pattern"], ""), name
    for value in ("one two three", " skin ", "x"):
        assert re.search(parameters["q"]["pattern"], value)
        api(client, f"world/forest/?{urlencode({'q': value})}")
    for value in ("", " ", "a b c d e f g h i j k"):
        assert not re.search(parameters["q"]["pattern"], value)
        refused(client, f"world/forest/?{urlencode({'q': value})}")


def test_the_page_for_people_lists_every_address_and_filter(client, schema):
    page = client.get("/api/")
    body = page.content.decode()
    for path in schema["paths"]:
        assert f"<code>{path}</code>" in body
    for each in schema["paths"]["/api/v1/{collection}/summary/"]["get"]["parameters"]:
        assert each["in"] == "path" or f"<code>{each['name']}</code>" in body
    compared = body[body.index('id="compare"') : body.index('id="completeness"')]
    assert "And every" not in compared and "<code>release</code>" in compared
    for address in re.findall(r'<a href="(/api/v1/[^"]*)">Try it</a>', body):
        assert client.get(unescape(address)).status_code == 200, address
    assert f"{ours.API_PER_MINUTE} times a minute" in body
    assert page["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "query",
    [
        "page_size=" + "0" * 8 + "1" + "9" * 4400,
        "page_size=0000000019999999",
        "page_size=01",
        "cursor=" + base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("="),
    ],
)
def test_what_is_no_size_and_no_cursor_is_refused(client, world, query):
    refused(client, f"world/patients/?{query}")


def test_a_clock_that_was_set_back_keeps_nobody_out(client, world, settings, monkeypatch):
    settings.API_PER_MINUTE = 2
    for _ in range(3):
        refused = client.get("/api/v1/world/")
    assert refused.status_code == 429
    now = time.time()
    monkeypatch.setattr("evidence.api.throttling.time.time", lambda: now - 3600)
    assert client.get("/api/v1/world/").status_code == 200


def test_a_column_that_is_named_twice_comes_once_and_the_schema_allows_it(client, schema):
    rows = client.get("/api/v1/world/patients/?fields=sex,patient,sex").json()["results"]
    assert {tuple(row)[:3] for row in rows} == {("sex", "patient", "empty_means")}
    parameters = schema["paths"]["/api/v1/{collection}/patients/"]["get"]["parameters"]
    (fields,) = (each for each in parameters if each["name"] == "fields")
    assert "uniqueItems" not in fields["schema"]

"""What a kept answer is kept by: everything in the request that the answer can depend on, as it was
written.
"""

import gzip

import pytest
from django.core.cache import cache
from django.test import RequestFactory
from django.urls import clear_script_prefix
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.middleware import accepts_gzip

from .test_filters import few
from .wsgi import environ, sent

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
A, B = "a=inhibitor%3Dbaricitinib", "a=sex%3Dfemale"
SAME_ETAG_ONCE = [
    ("", "?bogus="),
    ("patients/", "patients/?xyz="),
    ("forest/", "forest/?nope="),
    ("rules/", "rules/?nope="),
    ("completeness/", "completeness/?nope="),
    ("similar/", "similar/?bad="),
    (f"compare/?{A}&b=", f"compare/?{A}"),
    (f"compare.csv?{B}&b=", f"compare.csv?{B}"),
]


@pytest.mark.parametrize("pair", SAME_ETAG_ONCE, ids=str)
@pytest.mark.parametrize("turned", [False, True])
def test_nobody_gets_the_answer_to_another_question(client, world, settings, pair, turned):
    first, then = reversed(pair) if turned else pair
    settings.CACHE_RESPONSES = False
    truth = client.get(world.address(then))
    settings.CACHE_RESPONSES = True
    asked = [client.get(world.address(address)) for address in (first, then, first, then)]
    for answer in (asked[1], asked[3]):
        assert (answer.status_code, answer.content) == (truth.status_code, truth.content)
    tags = {answer.get("ETag") for answer in asked[:2]}
    assert len(tags) == 2, "one of them may have none"


@pytest.mark.parametrize(
    "address",
    ["?bogus=", "?sex=x", "patients/?xyz=1", "compare/?c=1", "compare/?a=sex%3Dx", "similar/?bad=",
     "similar/?age=old", "forest/?item=x", "rules/?rule=x", "completeness/?sexx=male"],
)  # fmt: skip
def test_a_page_with_a_problem_is_a_400_for_everybody_and_is_never_kept(client, world, address):
    for headers in ({}, {"HX-Request": "true"}):
        for _ in range(2):
            answer = client.get(world.address(address), headers=headers)
            assert (
                answer.status_code == 400
                and "ETag" not in answer
                and answer["Cache-Control"] == "no-store"
            )
            assert 'class="problem"' in answer.content.decode()
    tag = client.get(world.address(address.partition("?")[0]))["ETag"]
    assert client.get(world.address(address), headers={"If-None-Match": tag}).status_code == 400


def test_a_link_casebook_itself_makes_shows_the_comparison_it_promises(client, world):
    half = client.get(world.address(f"compare/?{A}"))
    assert half.context["compared"] is None and half.context["offers"]
    assert client.get(world.address(f"compare/?{A}&b=")).context["compared"] is not None


@pytest.mark.parametrize(
    "host", ["evil.example", "testserver.evil.example", "a_b", "testserver:x", ""]
)
def test_a_wrong_host_never_gets_a_kept_answer(client, world, caplog, host):
    for address in (world.address(), "/api/v1/world/patients/"):
        tag = client.get(address)["ETag"]
        for headers in ({"Host": host}, {"Host": host, "If-None-Match": tag}):
            answer = client.get(address, headers=headers)
            assert (
                answer.status_code == 400
                and "ETag" not in answer
                and b"alpha-1" not in answer.content
            )
    assert answer["Content-Type"] == "application/problem+json"
    assert "names a host that this server does not answer to" in caplog.text


@pytest.mark.parametrize(
    ("said", "accepted"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("gzip, deflate, br", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("gzip ; q=0.001", True),
        ("identity;q=0.5, gzip;q=0.5", True),
        ("", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip; Q=0", False),
        ("br, gzip ;q=0", False),
        ("xgzip", False),
        ("not-gzip", False),
        ("gzip2", False),
        ("identity, gzip;q=0.5", False),
        ("gzip;q=x", False),
        ("gzip;q=nan", False),
        ("gzip;q=2", False),
        ("*", False),
    ],
)
def test_compression_is_for_those_who_accept_it(client, world, said, accepted):
    assert accepts_gzip(RequestFactory().get("/", headers={"Accept-Encoding": said})) is accepted
    for other in ("gzip", ""):  # whatever was kept for others before
        client.get(world.address(), headers={"Accept-Encoding": other})
    for address in (world.address(), world.address("patients.csv")):
        answer = client.get(address, headers={"Accept-Encoding": said})
        assert ("Content-Encoding" in answer) is accepted and answer.getvalue().startswith(
            b"\x1f\x8b"
        ) is accepted


def test_whoever_writes_gzip_in_capitals_changes_nothing_for_others(client, world):
    """What is kept for those who take gzip is compressed, whoever of them comes first."""
    for address in (world.address(), "/api/v1/world/patients/", world.address("patients/")):
        first = client.get(address, headers={"Accept-Encoding": "GZIP"})
        then = client.get(address, headers={"Accept-Encoding": "gzip"})
        assert first["ETag"] == then["ETag"]
        assert first["Content-Encoding"] == then["Content-Encoding"] == "gzip"
        assert first.content == then.content


def test_what_an_answer_depends_on_is_said_to_caches(client, world):
    answer = client.get(world.address())
    told = client.get(world.address(), headers={"If-None-Match": answer["ETag"]})
    for response in (answer, told, client.get(world.address("?sex=x"))):
        named = set(response["Vary"].split(", "))
        assert named >= {
            "Accept-Encoding",
            "HX-Request",
            "HX-Boosted",
            "HX-History-Restore-Request",
            "HX-Target",
        }


# Any two requests


def ask(request: dict, **headers: str) -> tuple[int, dict, bytes]:
    """Status, headers, and the body as it is once it has been decompressed."""
    given = {
        name: value for name, value in (request["headers"] | headers).items() if value is not None
    }
    status, found, body = sent(
        environ("GET", request["address"], given, SCRIPT_NAME=request["prefix"])
    )
    return status, found, gzip.decompress(body) if found.get("Content-Encoding") == "gzip" else body


@pytest.fixture
def as_a_server_does():
    """The path Casebook is called under is remembered by the thread."""
    yield
    clear_script_prefix()


PATHS = [
    "",
    "charts/",
    "patients/",
    "studies/",
    "compare/",
    "compare.csv",
    "similar/",
    "forest/",
    "patients.csv",
]
PATHS = [f"/world/{path}" for path in PATHS] + [
    "/",
    "/methods/",
    "/api/v1/world/patients/",
    "/api/v1/world/summary/",
]
WORDS = [
    "sex=female",
    "sex=",
    "sex",
    "sex=male",
    "bogus=",
    "a=sex%3Dfemale",
    "a=",
    "b=",
    "b=sex%3Dmale",
    "age=40",
]
WORDS += [
    "sort=age_years",
    "sort=-age_years",
    "page_size=1",
    "page=2",
    "%73ex=female",
    "sex=fem%61le",
    "",
    "release=1",
]
HEADERS = {
    "HX-Request": [None, "true", "false"],
    "HX-Boosted": [None, "true"],
    "HX-History-Restore-Request": [None, "true"],
    "HX-Target": [None, "view", "charts"],
    "Accept-Encoding": [None, "gzip", "gzip;q=0", "xgzip", "br, gzip;q=0.5"],
    "Host": ["testserver", "other.example", "evil.example"],
    "HX-Request-URI-AutoEncoded": [None, "true"],
}
ACCEPTING = {"gzip", "br, gzip;q=0.5"}
words = st.lists(st.sampled_from(WORDS), max_size=3)
headers = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in HEADERS.items()})
prefixes = st.sampled_from(["", "/evil", "//evil.example"])


@st.composite
def pairs(draw) -> list[dict]:
    """Two requests to one path that differ in little: in the words, their order, a header, or the
    path before.
    """
    path, given = draw(st.sampled_from(PATHS)), draw(words)
    added = st.sampled_from(WORDS).map(lambda word: [*given, word])
    others = draw(st.one_of(st.just(given), st.permutations(given), added, words))
    first = draw(headers)
    htmx = st.fixed_dictionaries({"HX-Request": st.sampled_from([None, "true"])})
    second = first | draw(st.one_of(st.just({}), htmx, headers))
    prefix = draw(prefixes)
    return [
        {
            "address": f"{path}?{'&'.join(given)}" if given else path,
            "headers": first,
            "prefix": prefix,
        },
        {
            "address": f"{path}?{'&'.join(others)}" if others else path,
            "headers": second,
            "prefix": draw(st.one_of(st.just(prefix), prefixes)),
        },
    ]


@pytest.mark.slow
@settings(few, max_examples=25)
@given(pair=pairs())
def test_requests_with_different_answers_share_no_tag_and_no_kept_answer(
    world, as_a_server_does, settings, pair
):
    settings.ALLOWED_HOSTS, settings.API_PER_MINUTE = ["testserver", "other.example"], 0
    # a prefix is believed here, which it is not where Casebook serves
    settings.FORCE_SCRIPT_NAME = None
    settings.CACHE_RESPONSES = False
    truth = [ask(request) for request in pair]
    settings.CACHE_RESPONSES = True
    (_, one, body), (_, other, other_body) = truth
    if (truth[0][0], body) != (truth[1][0], other_body):
        assert one.get("ETag") is None or one.get("ETag") != other.get("ETag")
    for order in (pair, pair[::-1]):
        cache.clear()
        for request in (*order, *order):
            expected = truth[pair.index(request)]
            status, found, given = ask(request)
            assert (status, given) == (expected[0], expected[2])
            assert (
                "Content-Encoding" not in found
                or request["headers"]["Accept-Encoding"] in ACCEPTING
            )
    for request, (status, own, _) in zip(pair, truth, strict=True):
        for tag in filter(None, (one.get("ETag"), other.get("ETag"))):
            again = ask(request, **{"If-None-Match": tag})
            assert again[0] == (304 if tag == own.get("ETag") else status)


def test_a_path_named_by_a_request_is_not_believed(world, as_a_server_does):
    evil = {"address": "/world/patients/", "headers": {}, "prefix": "/evil"}
    for request in (evil, evil | {"prefix": ""}):
        status, _, body = ask(request)
        assert status == 200 and b"evil" not in body and b'href="/world/"' in body

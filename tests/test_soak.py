"""The tools that attack Casebook: they draw the same from a seed, and notice what is wrong."""

import gzip
import io
import json
from dataclasses import replace
from zipfile import ZipFile

import pytest

from soak import report
from soak.hostile import environ_of, on_the_line, unchunked
from soak.inputs import HEADERS, TAG, Asked, Draws, Known
from soak.judging import Answer, Judge
from soak.load import Got, is_held, recovery
from soak.planted import MARK

KNOWN = Known(
    {"cohort": ["/world/"], "list": ["/world/patients/"], "suggest_patient": ["/world/x/suggest/"],
     "suggest_study": ["/world/y/suggest/"], "admin:login": ["/admin/login/"]},
    ["/world/?sex=female", "/world/patients/?sex=male&age_min=3"],
    {"sex": ["female", "male"], "age_min": ["3"], "q": [], "sort": ["label"], "page": ["2"]},
)  # fmt: skip
HTML = ("Content-Type", "text/html; charset=utf-8")
PLAIN = Asked("GET", "/world/")


def answer(body: bytes = b"All is well here.", status: int = 200, *headers) -> Answer:
    return Answer(status, (HTML, *headers), body, 0.1)


def blamed(given: Answer, asked: Asked = PLAIN, *more: Answer) -> list[str]:
    judge = Judge(["0123456789hash"])
    for each in (given, *more):
        judge.look_at(asked, each)
    return [fault["what"] for fault in judge.found]


def test_a_seed_draws_the_same_requests_again_and_another_draws_others():
    first, again, other = (
        [draws.draw() for _ in range(300)]
        for draws in (Draws(KNOWN, 1), Draws(KNOWN, 1), Draws(KNOWN, 2))
    )
    assert first == again != other
    assert {one.kind for one in first} >= {"question", "header", "method", "path", "posted"}


def test_every_drawn_request_can_be_sent_either_way():
    draws = Draws(KNOWN, 3)
    for _ in range(2000):
        asked = draws.draw()
        assert MARK not in asked.target + asked.body.decode("latin-1")
        assert on_the_line(asked).startswith(asked.method.encode())
        assert environ_of(asked, "192.0.2.1")["REQUEST_METHOD"] == asked.method


def test_variations_of_a_request_leave_out_nothing_a_cache_may_overlook():
    draws, seen = Draws(KNOWN, 4), set()
    for _ in range(400):
        for one in draws.variations(PLAIN):
            seen |= {name for name, _ in one.headers}
    assert seen >= {"Host", "X-Forwarded-Host", "Hx-Target", "Cookie", "Accept", "X-Original-Url"}
    assert seen < set(HEADERS)


def archived(text: str) -> bytes:
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr("a.csv", text)
    return content.getvalue()


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (answer(b"It failed. Sorry.", 500), "failed"),
        (answer(b"Come again later.", 503), "failed"),
        (answer(f"<p>{MARK}-passage".encode()), "hidden record"),
        (answer(b"x" * 20, 200, ("X-Made-By", f"{MARK}-alice")), "hidden record"),
        (answer(b"the hash is 0123456789hash"), "hidden record"),
        (answer(archived(f"{MARK}-draft")), "hidden record"),
        (answer(gzip.compress(MARK.encode()), 200, ("Content-Encoding", "gzip")), "hidden record"),
        (answer(f"<p>{TAG}</p>".encode()), "not escaped"),
        (answer(b"", 404), "says nothing"),
        (answer(b"<html><body></body></html>", 405), "says nothing"),
        (answer(b"Traceback (most recent call last)", 400), "tells of the inside"),
        (answer(b"no such table: evidence_patient", 400), "tells of the inside"),
        (answer(b"", 302, ("Location", "//evil.example/")), "sent elsewhere"),
        (answer(b"Not found at all.", 404, ("ETag", 'W/"1"')), "a refusal with an ETag"),
        (answer(b"x" * 20, 200, ("X", "a\r\nb")), "a header of two lines"),
        (replace(answer(), seconds=60.0), "slow"),
    ],
)
def test_what_is_wrong_with_an_answer_is_noticed(wrong, what):
    assert what in blamed(wrong)


@pytest.mark.parametrize(
    "right",
    [
        answer(),
        answer(b"There is no such page.", 404),
        answer(b"Too much is asked.", 503, ("Retry-After", "5")),
        answer(b"", 302, ("Location", "/admin/login/?next=/admin/")),
        answer(archived("nothing"), 200, ("ETag", 'W/"1"')),
    ],
)
def test_what_is_right_is_left_alone(right):
    assert blamed(right) == []


def test_two_answers_under_one_key_are_noticed_also_between_processes():
    tag = ("ETag", 'W/"1"')
    one, other = answer(b"One is said here.", 200, tag), answer(b"Another is said.", 200, tag)
    assert blamed(one, PLAIN, one) == [] and blamed(one, PLAIN, other) == [
        "two answers under one key"
    ]
    first, second = Judge([]), Judge([])
    first.look_at(PLAIN, one)
    second.look_at(PLAIN, other)
    first.add(second)
    assert [fault["what"] for fault in first.found] == ["two answers under one key"]


def test_a_plain_answer_that_changed_is_noticed():
    judge = Judge([])
    judge.compare(PLAIN, answer(), replace(answer(), headers=(HTML, ("Date", "now"))), [])
    assert judge.found == []
    judge.compare(PLAIN, answer(), answer(b"evil"), [])
    judge.compare(PLAIN, answer(), answer(b"All is well here.", 200, ("Vary", "x")), [])
    assert [fault["what"] for fault in judge.found] == ["poisoned"] * 2


def test_chunks_are_put_together():
    assert unchunked(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n") == b"abcde"


def test_an_address_is_handed_over_as_a_server_decodes_it():
    found = environ_of(Asked("GET", "/%C3%A9?a=%C3%A9#x"), "::1")
    assert found["PATH_INFO"].encode("latin-1").decode() == "/é"
    assert (found["QUERY_STRING"], found["REMOTE_ADDR"]) == ("a=%C3%A9", "::1")


def got(at: float, status: int = 200, seconds: float = 0.1, kind: str = "page") -> Got:
    return Got(at, kind, status, seconds, told_when=True)


def test_a_rate_is_held_while_nearly_all_are_answered_within_a_second():
    assert is_held([got(n) for n in range(100)])
    assert is_held([got(n) for n in range(100)] + [got(1, 503, kind="expensive")])
    assert not is_held([got(n) for n in range(90)] + [got(n, 503) for n in range(10)])
    assert not is_held([got(n, seconds=1.5) for n in range(100)])
    assert not is_held([])


def test_it_is_well_again_when_three_seconds_in_a_row_are_good():
    bad = [got(second + 0.5, 503) for second in range(2)]
    good = [got(second + 0.5) for second in range(2, 8)]
    assert recovery(bad + good) == 2.0
    assert recovery(good) is None or recovery(good) == 2.0
    assert recovery([got(second + 0.5, 503) for second in range(8)]) is None


def test_the_chapter_stands_between_its_marks_and_what_others_wrote_stays(tmp_path):
    page = tmp_path / "reliability.md"
    page.write_text("# Title\n\nBefore.\n\n<!-- soak -->\nold\n<!-- /soak -->\n\nAfter.\n")
    report.put(page, "new")
    assert page.read_text() == (
        "# Title\n\nBefore.\n\n<!-- soak -->\nnew\n<!-- /soak -->\n\nAfter.\n"
    )


def test_a_fault_that_was_found_stands_in_the_report(tmp_path):
    result = {
        "machine": {"processor": "P", "cores": 2, "memory_gb": 4, "python": "3", "load": 1.0,
                    "day": "2027-01-01"},
        "asked": 10, "in_process": 8, "through_sockets": 2, "variations_in_pairs": 1, "routes": 3,
        "addresses": 4, "words": 5, "headers": 6, "keys_seen": 7, "slowest_s": 0.1, "seed": 1,
        "seconds": 9, "statuses": {"200": 8}, "statuses_through_sockets": {"400": 2},
        "faults": [{"what": "poisoned"}],
    }  # fmt: skip
    (tmp_path / "hostile.json").write_text(json.dumps(result))
    told = report.chapter(tmp_path)
    assert "**1**; poisoned × 1" in told
    (tmp_path / "hostile.json").write_text(json.dumps(result | {"faults": []}))
    assert "poisoned ×" not in report.chapter(tmp_path)

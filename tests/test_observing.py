"""What an operator sees: ids of requests, lines of the log, slow questions, metrics. Nothing of it
says who asked, or what.
"""

import http.client
import json
import logging
import subprocess
import sys
import time

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import reverse

from evidence import observing
from evidence.logs import JsonLines, NamesRoutes, PlainLines, request_id
from evidence.observing import HEADER, metrics_page

from .processes import ROOT, environment, free_port
from .wsgi import environ, sent

SECRET = "raynaud-in-my-neighbour"


def asked(address: str, **headers: str) -> tuple[int, dict, bytes]:
    return sent(
        environ("GET", address, headers={k.replace("_", "-"): v for k, v in headers.items()})
    )


# Ids


@pytest.mark.parametrize("given", ["0123abcd", "f3b1-9d_A" * 7, "z" * 64])
def test_a_clean_id_of_a_request_is_taken_and_answered(db, given):
    assert asked("/healthz", x_request_id=given)[1][HEADER] == given


@pytest.mark.parametrize(
    "given", ["", "short", "a" * 65, "ada@example.org", "two words 12", "äöüäöüäöü", "12345678,x"]
)
def test_any_other_is_replaced_by_one_of_ours(db, given):
    found = {asked("/healthz", x_request_id=given)[1][HEADER] for _ in range(2)}
    assert given not in found and len(found) == 2 and all(len(one) == 32 for one in found)


def test_every_answer_has_one_of_its_own_also_where_it_is_kept(db, settings):
    settings.CACHE_RESPONSES = True
    made, kept = (asked("/published/") for _ in range(2))
    assert made[2] == kept[2] and made[1]["ETag"] == kept[1]["ETag"]
    assert made[1][HEADER] != kept[1][HEADER]
    unchanged = asked("/published/", if_none_match=made[1]["ETag"])
    assert unchanged[0] == 304 and unchanged[1][HEADER]
    for address in ("/nowhere/", "/published/?junk=1", "/api/v1/nowhere/", "/admin/"):
        assert asked(address)[1][HEADER], address


def test_programs_of_other_origins_may_read_it(db):
    told = asked("/api/v1/", origin="https://elsewhere.example")[1]
    assert HEADER in told["access-control-expose-headers"]


# Lines of the log


@pytest.fixture
def lines(settings, db):
    """All that is logged, as it is printed in both formats."""
    settings.LOG_REQUESTS, settings.SLOW_SECONDS = True, 0
    printed: list[tuple[str, dict]] = []

    class Printed(logging.Handler):
        def emit(self, record):
            printed.append((PlainLines().format(record), json.loads(JsonLines().format(record))))

    handler, root = Printed(logging.DEBUG), logging.getLogger()
    handler.addFilter(NamesRoutes())
    level = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    yield printed
    root.removeHandler(handler)
    root.setLevel(level)


def of_requests(lines) -> list[dict]:
    return [line for _, line in lines if line["logger"] == "evidence.requests"]


def test_a_request_is_one_line_with_its_id_route_status_and_duration(lines):
    asked("/published/patients.csv?sex=female", x_request_id="0123abcd")
    (line,) = of_requests(lines)
    assert line["request_id"] == "0123abcd" and line["status"] == 200 and line["method"] == "GET"
    assert line["route"] == "/<slug:collection>/<file_noun:noun>.<format:how>"
    assert line["duration_ms"] >= line["ready_ms"] > 0, "until the last byte, not the first"
    assert line["statements"] > 0 and line["duration_ms"] >= line["database_ms"] > 0
    assert line["time"].endswith("Z") and line["level"] == "INFO"


def test_a_line_says_where_the_answer_came_from(lines, settings):
    settings.CACHE_RESPONSES = True
    tag = asked("/published/")[1]["ETag"]
    asked("/published/")
    asked("/published/", if_none_match=tag)
    assert [line["source"] for line in of_requests(lines)] == ["made", "cache", "browser"]


def test_no_line_says_what_was_asked_or_by_whom(lines, client, settings, monkeypatch):
    def broken(*given, **more):
        raise ValueError(f"no answer to {SECRET}")

    settings.CACHE_RESPONSES = False
    for address in (
        f"/published/?q={SECRET}",
        f"/published/?{SECRET}=1",
        f"/{SECRET}/",
        f"/published/patients/{SECRET}/",
        f"/api/v1/{SECRET}/",
        f"/api/v1/published/patients/?sex={SECRET}",
        f"/{SECRET}\x00/",
    ):
        asked(address, user_agent=SECRET, referer=f"https://{SECRET}.example/")
    asked("/published/", host=f"{SECRET}.example")
    asked("/api/v1/", host=f"{SECRET}.example")
    client.post("/admin/login/", {"username": SECRET, "password": SECRET}, REMOTE_ADDR="192.0.2.77")
    client.raise_request_exception = False
    monkeypatch.setattr("evidence.web.home.render", broken)
    assert client.get("/").status_code == 500
    told = "\n".join(plain for plain, _ in lines) + json.dumps([line for _, line in lines])
    assert SECRET not in told and "192.0.2.77" not in told
    assert "404 Not Found at /<slug:collection>/patients/<slug:slug>/" in told
    assert "(DisallowedHost) at /<slug:collection>/" in told
    errors = [line["error"] for _, line in lines if "error" in line]
    assert any("in broken" in one and "builtins.ValueError" in one for one in errors)


def test_lines_of_one_request_carry_its_id_and_others_none(lines):
    asked("/nowhere/", x_request_id="0123abcd")
    logging.getLogger("evidence").warning("Between two requests.")
    ids = {line["message"]: line.get("request_id") for _, line in lines}
    assert ids["404 Not Found at /<slug:collection>/"] == "0123abcd"
    assert ids["Between two requests."] is None and request_id.get() == ""


def test_what_is_logged_stays_on_one_line(lines):
    logging.getLogger("evidence").warning("one\nINFO all is well\r\ntwo")
    plain, line = lines[-1]
    assert "\n" not in plain and plain.endswith("one INFO all is well two")
    assert line["message"] == "one\nINFO all is well\r\ntwo"


def test_slow_questions_are_told_and_no_others(lines, settings):
    settings.LOG_REQUESTS, settings.SLOW_SECONDS = False, 30
    asked("/published/")
    assert not lines
    settings.SLOW_SECONDS = 0.000001
    asked("/published/patients.csv")
    ((plain, line),) = lines
    assert line["level"] == "WARNING" and line["route"].startswith("/<slug:collection>/")
    assert "Slow: GET /<slug:collection>/<file_noun:noun>.<format:how> 200" in plain
    assert line["longest_statement_ms"] <= line["database_ms"] <= line["duration_ms"]


def test_an_error_is_told_with_what_it_came_of():
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise RuntimeError(SECRET) from error
    except RuntimeError:
        record = logging.LogRecord("x", 40, "", 0, "failed", (), sys.exc_info())
    for told in (PlainLines().format(record), JsonLines().format(record)):
        assert "builtins.RuntimeError" in told and "builtins.KeyError" in told
        assert "which came of" in told and SECRET not in told


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (f"Invalid request from ip=192.0.2.1: /{SECRET}", "A request that cannot be read"),
        (f"Error handling request /published/?q={SECRET}", "A request failed."),
        ("Worker (pid:7) was sent SIGKILL!", "Worker (pid:7) was sent SIGKILL!"),
    ],
)
def test_what_gunicorn_says_of_requests_names_nothing_either(message, told):
    record = logging.LogRecord("gunicorn.error", 40, "", 0, message, (), None)
    assert NamesRoutes().filter(record)
    printed = PlainLines().format(record)
    assert told in printed and SECRET not in printed and "192.0.2.1" not in printed


def test_a_request_that_is_refused_leaves_no_stack_in_the_log(client, db, caplog):
    """Anybody can send any number of them."""
    caplog.handler.addFilter(NamesRoutes())
    address = reverse("admin:login")
    answer = client.generic("POST", address, b"x", content_type="multipart/form-data")
    assert answer.status_code == 400
    told = [record for record in caplog.records if record.name == "django.request"]
    assert told and not any(record.exc_info for record in told)


# Metrics


def test_metrics_are_off_unless_somebody_switches_them_on(db):
    assert asked("/metrics")[0] in (301, 404)


def test_metrics_are_for_named_addresses_alone(settings):
    settings.METRICS, settings.METRICS_FROM = True, ["10.0.0.0/8"]
    answer = metrics_page(lambda request: HttpResponse(status=404))
    for peer, status in (("10.1.2.3", 200), ("127.0.0.1", 404), ("", 404), ("::1", 404)):
        request = RequestFactory().get("/metrics", REMOTE_ADDR=peer)
        assert answer(request).status_code == status, peer
    assert answer(RequestFactory().post("/metrics", REMOTE_ADDR="10.1.2.3")).status_code == 405
    settings.BEHIND_PROXY, settings.PROXIES = True, ["10.0.0.1"]
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": 1}
    outside = RequestFactory().get(
        "/metrics", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="192.0.2.1"
    )
    assert answer(outside).status_code == 404, "a proxy brings somebody from outside"


def test_where_metrics_are_off_nothing_is_counted():
    assert isinstance(observing.metrics, observing.NoMetrics)


@pytest.mark.slow
def test_metrics_of_several_processes_are_added_up(small_database, tmp_path):
    """By a real gunicorn with two workers, whose log is JSON from its first line on."""
    port, log = free_port(), tmp_path / "log"
    started = environment(
        small_database,
        PORT=str(port),
        WEB_CONCURRENCY="2",
        CASEBOOK_METRICS="1",
        CASEBOOK_LOG="json",
        CASEBOOK_LOG_LEVEL="INFO",
        TMPDIR=str(tmp_path),
    )
    command = [sys.executable, "-m", "gunicorn", "-c", "python:evidence.gunicorn_conf"]

    def get(path: str, method: str = "GET") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, body

    with log.open("w") as errors, subprocess.Popen(
        [*command, "evidence.wsgi"],
        cwd=ROOT, env=started, stdout=subprocess.PIPE, stderr=errors, text=True,
    ) as process:  # fmt: skip
        try:
            assert any("Casebook is at" in line for line in process.stdout), log.read_text()
            for _ in range(20):
                assert get(f"/small/?q={SECRET}")[0] == 200
            assert get("/small/patients.csv", "BREW")[0] >= 400
            for _ in range(100):  # an answer is counted a moment after it has been sent
                status, text = get("/metrics")
                if 'method="other"' in text:
                    break
                time.sleep(0.1)
            assert status == 200 and get("/metrics", "HEAD") == (200, "")
            counted = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
        finally:
            process.terminate()
            process.wait(60)
    asked_for = 'method="GET",route="/<slug:collection>/",status="200"'
    assert counted[f"casebook_requests_total{{{asked_for}}}"] == "20.0"
    assert [name for name in counted if 'method="other"' in name] and "BREW" not in text
    assert counted["casebook_requests_in_progress"] == "0.0"
    assert float(counted["casebook_database_statements_total"]) >= 20
    buckets = 'casebook_request_duration_seconds_bucket{le="+Inf",route="/<slug:collection>/"}'
    assert counted[buckets] == "20.0"
    assert SECRET not in text and SECRET not in log.read_text()
    told = [json.loads(line) for line in log.read_text().splitlines()]
    assert sum(line.get("route") == "/<slug:collection>/" for line in told) == 20
    assert not list(tmp_path.glob("casebook-metrics-*")), "nothing is left behind"

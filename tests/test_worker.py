"""Clients that send halves, send slowly or do not read take no thread. On real connections."""

import http.client
import socket
import time
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest

from evidence import worker

from .processes import gunicorn

pytestmark = pytest.mark.slow
CLOSE = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
KEEP = b"GET /healthz/none HTTP/1.1\r\nHost: localhost\r\n\r\n"  # a page that is not there
HALF = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half: "


@pytest.fixture(scope="module")
def port(tmp_path_factory, small_database_made):
    """A server of one worker with two threads."""
    log = tmp_path_factory.mktemp("worker") / "errors"
    with gunicorn(small_database_made, log, CASEBOOK_THREADS="2") as process:
        yield process.port
    assert "Traceback" not in log.read_text()


@contextmanager
def connected(port: int, sent: bytes = b""):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(sent)
        yield client


def answer(client) -> bytes:
    """Everything until the server closes."""
    return b"".join(iter(lambda: client.recv(65536), b""))


def status(port: int, sent: bytes) -> int:
    with connected(port, sent) as client:
        return int(answer(client).split(b" ", 2)[1])


def test_half_sent_requests_stop_nobody(port):
    with ExitStack() as many:
        for _ in range(60):
            many.enter_context(connected(port, HALF))
        began = time.monotonic()
        assert [status(port, CLOSE) for _ in range(5)] == [200] * 5
        assert time.monotonic() - began < worker.HEAD_SECONDS / 2


def test_a_half_sent_request_ends_with_408_and_a_silent_connection_with_nothing(port):
    with connected(port, HALF) as half, connected(port) as silent:
        assert answer(half).startswith(b"HTTP/1.1 408 ")
        assert answer(silent) == b""


def test_a_request_in_pieces_is_one(port):
    with connected(port) as client:
        for at in range(0, len(CLOSE), 7):
            client.sendall(CLOSE[at : at + 7])
            time.sleep(0.02)
        assert answer(client).startswith(b"HTTP/1.1 200 ")


def test_requests_behind_each_other_are_answered_in_their_order(port):
    with connected(port, KEEP + KEEP + CLOSE[:30]) as client:
        time.sleep(0.5)
        assert status(port, CLOSE) == 200  # the third half holds no thread
        client.sendall(CLOSE[30:])
        answers = answer(client)
    assert answers.count(b"HTTP/1.1 404 ") == 2 and answers.count(b"HTTP/1.1 200 ") == 1
    assert answers.index(b" 200 ") > answers.rindex(b" 404 ")


def test_a_connection_is_kept_and_used_again(port):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    came_from = set()
    for _ in range(4):
        client.request("GET", "/healthz/none")
        came_from.add(client.sock.getsockname())
        with client.getresponse() as response:
            assert response.status == 404
            response.read()
        time.sleep(0.2)
    client.close()
    assert len(came_from) == 1


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_half_a_body_takes_no_thread(port, method):
    head = f"{method} /admin/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n\r\n"
    with ExitStack() as many:
        for _ in range(10):
            many.enter_context(connected(port, head.encode() + b"x" * 200))
        assert [status(port, CLOSE) for _ in range(3)] == [200] * 3


def test_a_body_is_invited_and_arrives(port):
    head = (
        b"POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n"
        b"Expect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    with connected(port, head) as client:
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"a" * 90_000)
        assert b"HTTP/1.1 403 " in answer(client)  # without a token of the form


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"Transfer-Encoding: chunked", 411),
        (b"Content-Length: 999999999", 413),
        (b"X-Long: " + b"a" * worker.HEAD_BYTES, 431),
    ],
)
def test_what_is_not_waited_for_is_told(port, head, told):
    request = b"POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n"
    assert status(port, request) == told
    assert status(port, CLOSE) == 200


def test_readers_who_do_not_read_and_clients_who_do_not_close_stop_nobody(port):
    with ExitStack() as many:
        for _ in range(30):
            many.enter_context(connected(port, CLOSE))
        began = time.monotonic()
        assert status(port, CLOSE) == 200
        assert time.monotonic() - began < 10  # 2 s for each of 30, if one waited for them


def test_health_is_answered_though_every_thread_is_busy(port):
    """More pages are asked than there are threads; that the process lives is told by the loop."""
    page = CLOSE.replace(b"GET / ", b"GET /small/?q=%d ")
    with ExitStack() as many:
        for number in range(25):
            many.enter_context(connected(port, page % number))
        for method, body in ((b"GET", b"ok\n"), (b"HEAD", b"")):
            with connected(
                port, method + b" /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
            ) as probe:
                told = answer(probe)
            assert told.startswith(b"HTTP/1.1 200 ")
            assert told.partition(b"\r\n\r\n")[2] == body


def test_more_than_can_be_answered_soon_is_refused_at_once(port):
    page = CLOSE.replace(b"GET / ", b"GET /small/?q=w%d ")
    with ExitStack() as many:
        clients = [
            many.enter_context(connected(port, page % number))
            for number in range(2 * (1 + worker.QUEUED_FOR_EACH_THREAD) + 60)
        ]
        answers = [answer(client) for client in clients]
    told = [int(one.split(b" ", 2)[1]) for one in answers]
    assert set(told) == {200, 503}
    assert all(b"Retry-After: " in one for one in answers if b" 503 " in one[:20])
    assert status(port, CLOSE) == 200


@pytest.mark.parametrize(
    ("in_hand", "seconds", "wait"),
    [
        (0, 60, 0),  # a thread is free
        (3, 60, 0),
        (4, 1, 0.25),  # the first of four that will be free
        (7, 1, 1),
        (63, 0.1, 1.5),  # many quick ones
        (11, 5, 10),
    ],
)
def test_how_long_a_request_would_wait(in_hand, seconds, wait):
    """Four threads: each takes one of those that wait when it has answered the one it has."""
    config = SimpleNamespace(threads=4)
    now = SimpleNamespace(in_hand=in_hand, usual_seconds=seconds, cfg=config)
    assert worker.Worker.expected_wait(now) == pytest.approx(wait)


@pytest.mark.parametrize(
    ("received", "wanted"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest", 27),
        (b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n1", 49),
        (b"POST / HTTP/1.1\r\ncontent-length:10\r\nContent-Length: 12\r\n\r\n", 70),
        (b"POST / HTTP/1.1\r\nContent-Length: ten\r\n\r\n", 40),
    ],
)
def test_where_a_request_ends(received, wanted):
    assert worker.bytes_wanted(received) == wanted


def test_a_server_that_stops_takes_no_new_connections(small_database_made, tmp_path):
    """Though somebody is still being served, nobody is left waiting for an answer."""
    halves = b"GET / HTTP/1.1\r\n"  # not whole, so the server waits for the rest
    with (
        gunicorn(small_database_made, tmp_path / "log") as server,
        connected(server.port, halves),
    ):
        time.sleep(0.5)
        server.terminate()
        until = time.monotonic() + 8
        with pytest.raises(ConnectionRefusedError):
            while time.monotonic() < until:
                socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
                time.sleep(0.1)
        assert server.poll() is None

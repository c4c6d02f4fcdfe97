"""Redis that hangs, is stopped, comes back: what a call costs, and who keeps what meanwhile."""

import socket
import threading
import time
from contextlib import contextmanager

import pytest

from evidence import middleware, shared_cache
from evidence.shared_cache import SharedCache


class Redis(threading.Thread):
    """As much of Redis as a cache needs, whose answers can be held back. One thread a client."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.kept, self.asked, self.answering = {}, 0, threading.Event()
        self.answering.set()

    def run(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, client.makefile("rb") as lines, client:
            while count := lines.readline():
                words = []
                for _ in range(int(count[1:])):
                    size = int(lines.readline()[1:])
                    words.append(lines.read(size + 2)[:-2])
                self.asked += 1
                self.answering.wait(20)
                try:
                    client.sendall(self.answer(words[0].upper(), words[1:]))
                except OSError:
                    return

    def answer(self, verb, words):
        if verb == b"SET":
            self.kept[words[0]] = words[1]
        elif verb == b"HELLO":
            return b"-ERR unknown command 'HELLO'\r\n"
        elif verb == b"GET":
            value = self.kept.get(words[0])
            return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)
        return b"+OK\r\n"


@contextmanager
def stopped(redis):
    """While this lasts it takes what is sent and says nothing, as under SIGSTOP."""
    redis.answering.clear()
    try:
        yield
    finally:
        redis.answering.set()


@pytest.fixture
def redis():
    server = Redis()
    server.start()
    yield server
    server.answering.set()
    server.listening.close()


@pytest.fixture
def shared(redis):
    cache = SharedCache(f"redis://127.0.0.1:{redis.port}/0?protocol=2", {})
    yield cache
    cache.meanwhile.clear()
    cache._cache.get_client().connection_pool.disconnect()


def seconds(call) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


def test_it_keeps_what_it_is_given(shared, redis):
    shared.set("one", {"n": 22}, 30)
    assert shared.get("one") == {"n": 22} and redis.kept and not shared.is_away


def test_a_redis_that_hangs_costs_a_moment_and_then_nothing(shared, redis, caplog):
    shared.set("one", 1, 30)
    with stopped(redis):
        first = seconds(lambda: [shared.get("one") for _ in range(2)])
        assert 0.3 < first < 2 and shared.is_away
        asked = redis.asked
        assert seconds(lambda: [shared.get("one") for _ in range(200)]) < 0.5
        assert redis.asked == asked
    assert caplog.text.count("The shared cache is away") == 1


def test_meanwhile_the_process_keeps_its_own(shared, redis):
    with stopped(redis):
        shared.get("one"), shared.get("one")
        shared.set("one", "kept here", 30)
        assert shared.get("one") == "kept here"
    assert not redis.kept


def test_one_call_tries_again_and_redis_is_back(shared, redis, monkeypatch, caplog):
    monkeypatch.setattr(shared_cache, "PAUSE", 0.3)
    shared.set("one", 1, 30)
    with stopped(redis):
        for _ in range(2):
            shared.get("one")
        time.sleep(0.35)
        asked = redis.asked
        assert seconds(lambda: [shared.get("one") for _ in range(20)]) < 1
        assert redis.asked <= asked + 4 and shared.is_away  # one call, which connects anew
    time.sleep(0.35)
    assert shared.get("one") == 1 and not shared.is_away
    assert "The shared cache is back." in caplog.text


def test_a_redis_that_is_not_there_is_no_error(db):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    cache = SharedCache(f"redis://127.0.0.1:{port}/0", {})
    assert [cache.get("one", "none") for _ in range(3)] == ["none"] * 3
    cache.set("one", 1)
    assert cache.get("one") == 1 and cache.is_away
    cache.meanwhile.clear()


def test_all_threads_know_that_it_is_away(shared, redis):
    with stopped(redis):
        shared.get("one"), shared.get("one")
        another = SharedCache(shared._servers, {})
        assert another.is_away and seconds(lambda: another.get("one")) < 0.1


# How much is kept


@pytest.mark.parametrize(
    ("words", "allowance"),
    [
        ("", "ADDRESSES"),
        ("?sex=female", "QUESTIONS"),
        ("?q=lung", "FREE_TEXT"),
        ("?sex=female&q=lung", "FREE_TEXT"),
    ],
)
def test_what_anybody_can_make_up_is_kept_for_minutes(client, world, monkeypatch, words, allowance):
    kept = []
    monkeypatch.setattr(middleware, "write_cache", lambda *what: kept.append(what[-1]))
    client.get(world.address(words))
    assert kept == [getattr(middleware, allowance).seconds]
    assert middleware.FREE_TEXT.seconds <= 600 < middleware.QUESTIONS.seconds


def test_a_comparison_by_free_text_is_free_text(rf):
    asked = rf.get("/published/compare/?a=q%3Dlung&b=")
    assert middleware.allowance_of(asked) is middleware.FREE_TEXT


def test_no_more_is_kept_than_is_allowed(client, world, monkeypatch):
    small = middleware.Allowance(3600, 0)
    small.most = 300_000
    kept = []
    monkeypatch.setattr(middleware, "FREE_TEXT", small)
    monkeypatch.setattr(middleware, "write_cache", lambda key, what, _: kept.append(len(what[0])))
    for number in range(20):
        assert client.get(world.address(f"?q=z{number}")).status_code == 200
    assert 0 < sum(kept) <= small.most and len(kept) < 20
    small.began -= 3600  # an hour later there is room again
    client.get(world.address("?q=another"))
    assert sum(kept) > small.used > 0

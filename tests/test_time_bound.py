"""A page's time is bounded: what computes too long is ended, and everything else goes on."""

import sqlite3
import time
from io import StringIO
from threading import Lock, Thread

import pytest
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections
from django.http import StreamingHttpResponse

from evidence import time_bound, work_limits
from evidence.counting.snapshot import store
from evidence.database_file import PrivateConnection
from evidence.models.consistency import consistent_read
from evidence.summaries import shares

# Statements that would take a minute; nothing looks at the time while they run but the database.
ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
}


def ask_the_database_for_ever(_tallies):
    with connection.cursor() as cursor:
        cursor.execute(ENDLESS[connection.vendor])
        return cursor.fetchall()


def compute_for_ever(_tallies):
    while True:
        time_bound.check()


def ask_many_small_things(_tallies):
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")


@pytest.fixture
def unwrapped(db):
    """The shipped evidence, only read, by a connection without a transaction around the test: those
    of Casebook are real.
    """
    around = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = own = around.copy()
    yield
    connections[DEFAULT_DB_ALIAS] = around
    own.close()
    if own.connection is not None:  # Django never closes one to memory
        own.connection.close()


@pytest.fixture
def home(unwrapped) -> str:
    return "/published/"


@pytest.mark.parametrize(
    "slow", [ask_the_database_for_ever, compute_for_ever, ask_many_small_things]
)
@pytest.mark.parametrize("address", ["/published/", "/api/v1/published/summary/"])
def test_a_page_that_takes_too_long_is_ended_and_told_so(
    unwrapped, client, settings, monkeypatch, slow, address
):
    settings.PAGE_SECONDS = 1
    with monkeypatch.context() as patched:
        patched.setattr(shares, "count", slow)
        began = time.monotonic()
        late = client.get(address)
        assert 1 <= time.monotonic() - began < 20
    assert late.status_code == 503 and late.headers["Retry-After"] == "60"
    assert late.headers["Cache-Control"] == "no-store"
    told = late.json()["detail"] if address.startswith("/api/") else late.content.decode()
    assert "more than 1 s" in told and "narrower question is answered sooner" in told
    again = client.get(address)  # the connection is as good as it was
    assert again.status_code == 200


def test_without_a_limit_nothing_is_ended(home, client, settings, monkeypatch):
    settings.PAGE_SECONDS = 0
    seen = []
    real = shares.count
    monkeypatch.setattr(
        shares, "count", lambda tallies: seen.append(time_bound.until()) or real(tallies)
    )
    assert client.get(home).status_code == 200
    assert seen and set(seen) == {None}


def test_a_database_that_is_away_is_still_told_as_that(home, client, settings, monkeypatch):
    def away(_tallies):
        raise OperationalError("server closed the connection unexpectedly")

    settings.PAGE_SECONDS = 30
    monkeypatch.setattr(shares, "count", away)
    response = client.get(home)
    assert response.status_code == 503 and "database cannot be reached" in response.content.decode()


def test_curators_and_commands_have_no_bound(home, client, monkeypatch):
    seen = []
    monkeypatch.setattr(
        work_limits,
        "look_at_the_time",
        lambda execute, *arguments: seen.append(time_bound.until()) or execute(*arguments),
    )
    connection.execute_wrappers.append(lambda *arguments: work_limits.look_at_the_time(*arguments))
    try:
        assert client.get("/admin/").status_code == 302
        call_command("check_evidence", stdout=StringIO())
    finally:
        connection.execute_wrappers.pop()
    assert seen and set(seen) == {None}


def test_the_bound_of_postgresql_ends_with_its_transaction(unwrapped):
    """So no statement of a curator, who is given the same connection next, is ended by it."""
    if connection.vendor != "postgresql":
        assert connection.vendor == "sqlite"
        return
    with connection.cursor() as cursor:
        for seconds, expected in ((None, "0"), (3600, "1h"), (None, "0")):
            end = seconds and time.monotonic() + seconds
            with time_bound.ending(end), consistent_read():
                cursor.execute("SELECT current_setting('statement_timeout')")
                assert cursor.fetchone()[0] in (expected, "3599999ms", "3599998ms")
            cursor.execute("SELECT current_setting('statement_timeout')")
            assert cursor.fetchone() == ("0",)


def test_a_statement_of_sqlite_ends_with_the_time_of_its_thread(tmp_path):
    opened = PrivateConnection(tmp_path / "file.sqlite3")
    began = time.monotonic()
    with time_bound.ending(began + 0.3), pytest.raises(sqlite3.OperationalError, match="interrupt"):
        opened.execute(ENDLESS["sqlite"]).fetchall()
    assert time.monotonic() - began < 2
    assert opened.execute("SELECT 1").fetchall() == [(1,)]


def test_a_file_is_ended_and_its_sending_does_not_count(settings):
    settings.PAGE_SECONDS, settings.FILE_SECONDS = 1, 0.3
    closed = []

    def pieces():
        try:
            while True:
                time.sleep(0.02)
                yield b"piece"
        finally:
            closed.append(True)

    request = type("Request", (), {"path_info": "/small/patients.csv"})
    respond = work_limits.bounded_time_middleware(lambda _: StreamingHttpResponse(pieces()))
    sent = 0
    with pytest.raises(time_bound.TookTooLong):
        for _ in respond(request).streaming_content:
            time.sleep(0.05)  # a slow line: a second and more in all
            sent += 1
    assert 8 <= sent <= 15 and closed == [True]


def test_what_is_built_for_everybody_is_built_to_its_end(home, client, settings, monkeypatch):
    settings.PAGE_SECONDS = 30
    seen = []
    real = store.build_snapshot
    monkeypatch.setattr(
        store, "build_snapshot", lambda one: seen.append(time_bound.until()) or real(one)
    )
    assert client.get(home).status_code == 200
    assert seen and set(seen) == {None}


def test_nobody_waits_for_another_longer_than_there_is_time():
    lock = Lock()
    lock.acquire()
    told = []

    def wait():
        began = time.monotonic()
        with time_bound.ending(began + 0.2):
            try:
                with time_bound.held(lock):
                    told.append("held")
            except time_bound.TookTooLong:
                told.append(time.monotonic() - began)

    thread = Thread(target=wait)
    thread.start()
    thread.join(5)
    assert len(told) == 1 and 0.2 <= told[0] < 2
    lock.release()
    with time_bound.ending(time.monotonic() + 5), time_bound.held(lock):
        assert lock.locked()
    assert not lock.locked()

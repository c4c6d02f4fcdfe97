"""Who answers readers while a replica lags, is gone or comes back, and while the primary is lost.

Each case is a process of its own with two SQLite files; `faults/replica.py` does the same to
PostgreSQL's own streaming replication.
"""

import shutil
import socket
import sqlite3
import threading
from pathlib import Path

import pytest
from django.db import OperationalError

from evidence import outage
from evidence.models import DataVersion, reading
from evidence.models.reading import PRIMARY, REPLICA, Watch
from evidence.web import health

from . import processes
from .factories import make_collection

pytestmark = pytest.mark.slow

PRELUDE = """
import os, shutil, sqlite3
from pathlib import Path
import django
django.setup()
from django.db import connections
from django.test import Client
from evidence import middleware
from evidence.models import DataVersion, reading
from evidence.models.reading import watch

PRIMARY, COPY, ASIDE = (Path(os.environ[name]) for name in ("PRIMARY", "COPY", "ASIDE"))
reading.LOOK_EVERY, reading.PATIENCE = 0, 30  # a busy machine is no lost database
client = Client(HTTP_HOST="localhost")

def page(address="/small/", **headers):
    return client.get(address, headers=headers)

def noting(*arguments):
    made.append(connections["default"].alias)
    return make(*arguments)

made, make, middleware.make_response = [], middleware.make_response, noting

def who(response):
    # which database the last answer was made from; one that was kept is made from none
    assert response.status_code == 200, response.content[-500:]
    return made.pop() if made else "none"

def lose(path):
    connections.close_all()
    shutil.move(path, ASIDE / path.name)

def bring_back(path):
    connections.close_all()
    shutil.move(ASIDE / path.name, path)

def catch_up():
    connections.close_all()
    with sqlite3.connect(PRIMARY) as here, sqlite3.connect(COPY) as there:
        here.backup(there)
"""


@pytest.fixture
def run(small_database, tmp_path):
    """run(script) in a process that has this database, and a copy of it as its replica."""
    aside = tmp_path / "aside"
    aside.mkdir()
    copy = Path(shutil.copy(small_database, tmp_path / "copy.sqlite3"))

    def in_a_process(script: str, **variables: str) -> str:
        places = {"PRIMARY": str(small_database), "COPY": str(copy), "ASIDE": str(aside)}
        replica = {"DATABASE_REPLICA_URL": f"sqlite:///{copy}"}
        return processes.run(PRELUDE + script, small_database, **(places | replica | variables))

    return in_a_process


def test_a_fresh_replica_answers_readers_and_a_lagging_one_is_left_out(run):
    run("""
response = page()
assert who(response) == "replica" and response["ETag"] and "Cache-Status" not in response
assert page("/readyz").content == b"ready\\n"
DataVersion.bump()
assert who(page()) == "default"
assert page("/readyz").content == b"degraded: the replica is left out\\n"
catch_up()
assert who(page("/small/?sex=female")) == "replica"  # the other page was kept, for both
assert page("/readyz").content == b"ready\\n"
assert connections["default"].alias == "default"
""")


def test_with_the_primary_lost_reading_goes_on_and_writing_says_so(run):
    run("""
tag = page()["ETag"]
lose(PRIMARY)
for headers in ({}, {"If-None-Match": tag}, {"Accept-Encoding": "gzip"}):
    response = page(**headers)
    if headers.get("Accept-Encoding"):
        import gzip
        assert response["Content-Encoding"] == "gzip"
        assert int(response["Content-Length"]) == len(response.content)
        response.content = gzip.decompress(response.content)
    assert response.status_code == 200
    assert b"answered from a copy" in response.content
    assert "ETag" not in response and response["Cache-Control"] == "no-store"
    assert "replica" in response["Cache-Status"]
assert who(page("/small/?sex=female")) == "replica"
part = page(**{"HX-Request": "true"})
assert part.status_code == 200 and part["HX-Redirect"] == "/small/"
listed = page("/small/patients.csv")
assert listed.getvalue().count(b"one-") >= 4 and "replica" in listed["Cache-Status"]
assert page("/api/v1/small/patients/").json()["count"] == 4
for address in ("/admin/", "/admin/login/", "/small/patients/one-1/suggest/"):
    refused = page(address)
    assert refused.status_code == 503 and refused["Retry-After"], address
    assert b"Nothing can be written just now" in refused.content
assert client.post("/small/patients/one-1/suggest/", {"proposed": "x"}).status_code == 503
assert client.post("/admin/login/", {"username": "x"}).status_code == 503
ready = page("/readyz")
assert ready.status_code == 200
assert ready.content == b"degraded: the primary database is left out\\n"
bring_back(PRIMARY)
response = page()
assert b"answered from a copy" not in response.content and response["ETag"] == tag
assert page("/admin/login/").status_code == 200
""")


def test_a_replica_that_dies_between_two_looks_costs_no_reader_an_answer(run):
    run("""
assert who(page()) == "replica"
reading.LOOK_EVERY = 3600
lose(COPY)
assert who(page("/small/?sex=female")) == "default"
reading.LOOK_EVERY = 0
assert page("/readyz").content == b"degraded: the replica is left out\\n"
assert not COPY.exists()
bring_back(COPY)
assert who(page("/small/?sex=male")) == "replica"
""")


def test_a_primary_that_dies_between_two_looks_costs_no_reader_an_answer(run):
    run("""
DataVersion.bump()
assert who(page()) == "default"
reading.LOOK_EVERY = 3600
lose(PRIMARY)
response = page("/small/?sex=female")
assert who(response) == "replica" and b"answered from a copy" in response.content
""")


def test_another_database_is_never_taken_for_a_replica(run):
    run("""
with sqlite3.connect(COPY) as database:
    database.execute("UPDATE evidence_dataversion SET identity = '%032d'" % 7)
assert who(page()) == "default"
lose(PRIMARY)
assert page("/small/?sex=female").status_code == 503
""")


def test_both_lost_what_was_kept_is_given_for_a_while_and_says_so(run):
    run("""
from django.conf import settings
assert who(page()) == "replica"
lose(PRIMARY), lose(COPY)
response = page()
assert who(response) == "none" and b"This was kept from before" in response.content
assert b"<strong>4 patients</strong>" in response.content
assert "hit" in response["Cache-Status"] and int(response["Age"]) < 60
assert page("/small/?sex=female").status_code == 503
settings.STALE_SECONDS = -1
assert page().status_code == 503
""")


def test_databases_are_looked_at_once_a_second_at_most(run):
    run("""
reading.LOOK_EVERY = 3600
asked, current = [], DataVersion.current.__func__
def counting(cls, using="default"):
    asked.append(using)
    return current(cls, using)
DataVersion.current = classmethod(counting)
import threading
for number in range(20):
    assert page(f"/small/?age_min={number}").status_code == 200
looks = [one for one in asked if one == "replica"]
assert len(looks) == 1, asked
""")


def test_a_release_is_asked_while_the_primary_is_lost(run):
    run("""
from evidence.curation.make_release import make_release
make_release("First.")
catch_up()
today = page("/small/patients.csv?release=1").getvalue()
assert b"one-1" in today
lose(PRIMARY)
assert page("/small/patients.csv?release=1").getvalue() == today
pinned = page("/small/?release=1")
assert pinned.status_code == 200
assert b"answered from a copy" in pinned.content
""")


def test_a_replica_of_another_kind_is_refused(small_database):
    with pytest.raises(AssertionError, match="DATABASE_REPLICA_URL is no replica"):
        processes.run(
            "import evidence.settings", small_database, DATABASE_REPLICA_URL="postgres://x/y"
        )


def test_without_the_setting_there_is_one_database(small_database):
    told = processes.run(
        "import django; django.setup()\n"
        "from django.conf import settings; from django.test import Client\n"
        "from evidence.models.reading import watch\n"
        "assert Client(HTTP_HOST='localhost').get('/small/').status_code == 200\n"
        "print(list(settings.DATABASES), watch.looked)",
        small_database,
    )
    assert told == "['default'] -1.0"


def test_the_copy_is_never_written_to(small_database, tmp_path):
    copy = shutil.copy(small_database, tmp_path / "copy.sqlite3")
    processes.run(
        "import django; django.setup()\n"
        "from django.db import OperationalError\n"
        "from evidence.models import DataVersion\n"
        "from evidence.models.reading import REPLICA, reading_from\n"
        "try:\n"
        "    with reading_from(REPLICA): DataVersion.bump()\n"
        "except OperationalError: pass\n"
        "else: raise AssertionError('written')\n",
        small_database,
        DATABASE_REPLICA_URL=f"sqlite:///{copy}",
    )
    with sqlite3.connect(copy) as there, sqlite3.connect(small_database) as here:
        asked = "SELECT token FROM evidence_dataversion"
        assert there.execute(asked).fetchall() == here.execute(asked).fetchall()


def test_a_replica_that_hangs_is_waited_for_once(run):
    run("""
import threading, time
reading.PATIENCE = 3
hold, current = threading.Event(), DataVersion.current.__func__
def slow(cls, using="default"):
    if using == "replica":
        hold.wait(60)
    return current(cls, using)
DataVersion.current = classmethod(slow)
began = time.monotonic()
assert who(page()) == "default"
assert time.monotonic() - began >= 3
began = time.monotonic()
for sex in ("male", "female", "unknown"):
    assert who(page(f"/small/?sex={sex}")) == "default"
assert time.monotonic() - began < 3 * 3
hold.set()
until = time.monotonic() + 20
asked = 0
while who(page(f"/small/?age_min={asked % 100}")) != "replica":
    asked += 1
    assert time.monotonic() < until
""")


class Reader:
    """As much of Django's connection as is needed."""

    def __init__(self, connection):
        self.connection = connection


def test_readers_who_wait_for_a_database_that_hangs_are_let_go():
    watch = Watch()
    ends = {alias: socket.socketpair() for alias in (PRIMARY, REPLICA)}
    for alias, (here, _) in ends.items():
        here.settimeout(10)
        watch.reading.add((alias, Reader(here)))
    try:
        watch.cut_off(REPLICA)
        assert ends[REPLICA][0].recv(1) == b""  # at once: its server says nothing
        ends[PRIMARY][1].send(b"x")
        assert ends[PRIMARY][0].recv(1) == b"x"
    finally:
        for pair in ends.values():
            for end in pair:
                end.close()


class Silent:
    """Looks at a database that says nothing until it is told to."""

    def __init__(self, alias: str):
        self.alias, self.version, self.error = alias, DataVersion(token="there"), None
        self.done = threading.Event()
        self.silent = False

    def begin(self) -> float:
        self.done.clear() if self.silent else self.done.set()
        return 0.05


@pytest.fixture
def alone(monkeypatch, settings):
    """A database without another one that is watched; `alone.silent` lets it hang."""
    settings.WATCH_DATABASES = True
    watch = Watch()
    looker = Silent(PRIMARY)
    watch.lookers = {PRIMARY: looker}
    monkeypatch.setattr(reading, "LOOK_EVERY", 0)
    for module in (reading, outage, health):
        monkeypatch.setattr(module, "watch", watch)
    looker.watch = watch
    return looker


def test_a_database_alone_that_hangs_is_not_waited_for(db, client, alone):
    make_collection("small")
    assert client.get("/small/").status_code == 200
    alone.silent = True
    for address in ("/small/?sex=female", "/admin/login/", "/readyz"):
        assert client.get(address).status_code == 503, address
    kept = client.get("/small/")
    assert kept.status_code == 200 and b"This was kept from before" in kept.content
    assert client.post("/small/patients/one-1/suggest/", {"proposed": "x"}).status_code == 503
    alone.silent = False
    again = client.get("/small/")
    assert again.status_code == 200 and b"This was kept from before" not in again.content
    assert client.get("/readyz").content == b"ready\n"


def test_who_waits_for_a_database_alone_that_hangs_is_let_go(alone):
    here, there = socket.socketpair()
    with here, there:
        alone.watch.reading.add((PRIMARY, Reader(here)))
        alone.watch.look()
        there.setblocking(False)
        with pytest.raises(BlockingIOError):
            there.recv(1)  # it is asked, and answers in time
        alone.silent = True
        alone.watch.look()
        assert there.recv(1) == b""


def test_somebody_looks_while_every_thread_waits(alone, monkeypatch):
    monkeypatch.setattr(reading, "WAKE_EVERY", 0.01)
    looked = threading.Event()
    monkeypatch.setattr(alone.watch, "look", looked.set)
    reading.Waker(alone.watch)
    assert not looked.wait(0.1), "nobody waits for anything"
    alone.watch.reading.add((PRIMARY, None))
    assert looked.wait(10)
    alone.watch.reading.clear()


def test_a_file_whose_database_goes_away_before_it_begins_is_refused(
    db, client, alone, monkeypatch
):
    make_collection("small")

    def away(*arguments):
        raise OperationalError("gone")
        yield

    monkeypatch.setattr(outage, "pieces_from", away)
    assert client.get("/small/patients.csv").status_code == 503

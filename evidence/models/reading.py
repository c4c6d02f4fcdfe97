"""Which database readers are answered from: the replica, where there is one and it is fresh.

Both databases say which version of the data they hold; the replica is fresh while its token is that
of the primary. It is looked at once a second at most, by requests as they come. Whatever runs
within `reading_from()` has that database for its own, and knows nothing of it.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections

from .version import DataVersion

logger = logging.getLogger(__name__)
PRIMARY, REPLICA = DEFAULT_DB_ALIAS, "replica"
CALLED = {PRIMARY: "primary database", REPLICA: "replica"}
LOOK_EVERY = 1  # seconds
WAKE_EVERY = 2  # seconds without a look, though somebody waits for a database
PATIENCE = 1  # seconds in which a database that is looked at has to answer, if there is another one
ALONE_PATIENCE = 5  # the same where there is no other: a busy machine is no lost database


def has_replica() -> bool:
    """Whether a replica is configured."""
    return REPLICA in settings.DATABASES


def is_watched() -> bool:
    """Whether somebody looks whether the databases answer. SQLite is a file, which cannot hang."""
    return settings.WATCH_DATABASES


def read_alias() -> str:
    """The database that this thread reads, to be named in another by `reading_from()`."""
    return connection.alias


@contextmanager
def reading_from(alias: str) -> Iterator[None]:
    """Lets everything in this thread read this database."""
    before, wanted = connections[PRIMARY], connections[alias]
    if wanted is before:
        yield
        return
    connections[PRIMARY] = wanted
    try:
        yield
    finally:
        connections[PRIMARY] = before


class Looker(threading.Thread):
    """Asks one database for its version, in a thread that may wait for it."""

    def __init__(self, alias: str):
        super().__init__(name=f"looks at the {alias} database", daemon=True)
        self.alias = alias
        self.wanted, self.done = threading.Event(), threading.Event()
        self.version: DataVersion | None = None
        self.error: Exception | None = None
        self.done.set()
        self.start()

    def begin(self) -> float:
        """Asks; how long the answer is to be waited for: not at all, where it is late already."""
        if not self.done.is_set():
            return 0
        self.done.clear()
        self.wanted.set()
        return PATIENCE if has_replica() else ALONE_PATIENCE

    def run(self) -> None:
        while True:
            self.wanted.wait()
            self.wanted.clear()
            try:
                self.version, self.error = DataVersion.current(self.alias), None
            except Exception as error:  # away, starting, not migrated, another one's: all the same
                self.version, self.error = None, error
                with suppress(Exception):
                    connections[self.alias].close()
            if connections[self.alias].vendor == "sqlite":  # its file may be put in place anew
                connections[self.alias].close()
            self.done.set()


class Waker(threading.Thread):
    """Has the databases looked at while requests wait for them. Requests look as they come; where
    every thread waits, none comes.
    """

    def __init__(self, watch: "Watch"):
        super().__init__(name="looks while all wait", daemon=True)
        self.watch = watch
        self.start()

    def run(self) -> None:
        while True:
            time.sleep(WAKE_EVERY)
            if self.watch.reading and time.monotonic() - self.watch.looked > WAKE_EVERY:
                with suppress(Exception):  # whoever asks next is told what is wrong
                    self.watch.look()


class Watch:
    """What is known of the databases, for all threads of a process."""

    def __init__(self):
        self.lock = threading.Lock()
        self.lookers: dict[str, Looker] = {}
        self.versions: dict[str, DataVersion | None] = {}
        self.problems: dict[str, str] = {}
        self.identity = None  # of the primary, as last seen
        self.looked = -1.0
        self.reading: set[tuple[str, object]] = set()  # connections that answer somebody just now
        self.waker: Waker | None = None

    def look(self) -> None:
        """Looks at the databases, unless somebody has within the last second. One request looks;
        others go on with what is known.
        """
        if not self.is_due or not self.lock.acquire(blocking=not self.versions):
            return
        try:
            if self.is_due:
                self.ask_all()
        finally:
            self.lock.release()

    @property
    def is_due(self) -> bool:
        return self.looked < 0 or time.monotonic() - self.looked >= LOOK_EVERY

    def ask_all(self) -> None:
        if not self.lookers:  # not before there is a request: threads do not survive a fork
            aliases = (PRIMARY, REPLICA) if has_replica() else (PRIMARY,)
            self.lookers = {alias: Looker(alias) for alias in aliases}
            self.waker = Waker(self)
        began = time.monotonic()
        patience = {alias: looker.begin() for alias, looker in self.lookers.items()}
        versions, problems = {}, {}
        for alias, looker in self.lookers.items():
            left = max(0, began + patience[alias] - time.monotonic())
            answered = looker.done.wait(left)
            versions[alias] = looker.version if answered else None
            if not answered:
                problems[alias] = "it does not answer in time"
            elif looker.error is not None:
                problems[alias] = " ".join(str(looker.error).split())
        primary, replica = versions[PRIMARY], versions.get(REPLICA)
        if primary is not None:
            self.identity = primary.identity
        if replica is not None and self.identity not in (None, replica.identity):
            versions[REPLICA], problems[REPLICA] = None, "it is no replica of this database"
        elif replica is not None and primary is not None and replica.token != primary.token:
            problems[REPLICA] = f"it holds version {replica.number} and not {primary.number}"
        self.tell(problems)
        self.versions, self.looked = versions, time.monotonic()
        for alias, looker in self.lookers.items():
            others = [found for other, found in versions.items() if other != alias]
            if not looker.done.is_set() and None not in others:
                self.cut_off(alias)

    def tell(self, problems: dict[str, str]) -> None:
        """Logs what has changed."""
        for alias, called in CALLED.items():
            if alias in problems and alias not in self.problems:
                logger.warning("The %s is left out: %s", called, problems[alias])
            elif alias in self.problems and alias not in problems:
                logger.warning("The %s is back.", called)
        self.problems = problems

    @property
    def left_out(self) -> list[str]:
        """What is not asked, as of the last look. Why stands in the log."""
        return [CALLED[alias] for alias in sorted(self.problems)]

    def cut_off(self, alias: str) -> None:
        """Ends the connections that wait for a database that hangs, so that the other one can
        answer, or what was kept.
        """
        for used, wrapper in list(self.reading):
            raw = wrapper.connection
            if used == alias and hasattr(raw, "fileno"):
                with suppress(Exception), socket.socket(fileno=os.dup(raw.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)

    def failed(self, alias: str) -> None:
        """Notes that a request got no answer from this database; it is left out until the next
        look.
        """
        self.versions = self.versions | {alias: None}

    @property
    def primary_answers(self) -> bool:
        """Whether anything can be written, as far as is known."""
        return self.versions.get(PRIMARY) is not None

    @property
    def is_fresh(self) -> bool:
        """Whether the replica holds the version that the primary holds."""
        primary, replica = self.versions.get(PRIMARY), self.versions.get(REPLICA)
        return bool(primary and replica and replica.token and replica.token == primary.token)

    def order(self) -> list[str]:
        """The databases to be asked, one after the other until one answers."""
        self.look()
        if self.versions.get(REPLICA) is None:
            return [PRIMARY]
        if self.is_fresh or not self.primary_answers:
            return [REPLICA, PRIMARY] if self.primary_answers else [REPLICA]
        return [PRIMARY, REPLICA]

    @contextmanager
    def answering(self, alias: str) -> Iterator[None]:
        """Lets a reader's request, or a piece of a file, be answered from this database."""
        with reading_from(alias):
            used = (alias, connections[PRIMARY])
            self.reading.add(used)
            try:
                yield
            finally:
                self.reading.discard(used)


watch = Watch()

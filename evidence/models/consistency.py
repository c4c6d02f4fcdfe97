"""One state of the data for everything a page, a file or a build reads.

Between two queries somebody may publish; then a count would be of yesterday and its rows of
today. Inside `consistent_read()` all reads see the same state, and its version is read once.
Readers take no lock and block nobody.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from threading import Lock, local
from typing import Any

from cachetools import LRUCache
from django.conf import settings
from django.db import DatabaseError, connection

from .. import time_bound
from .study import Collection
from .version import DataVersion

BEGIN = {"postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}
here = local()


@contextmanager
def consistent_read() -> Iterator[DataVersion]:
    """The version of the data, which stays as it is until the block ends. A block inside another is
    part of it.
    """
    if getattr(here, "version", None) is not None:
        yield here.version
        return
    with read_transaction():
        here.version, here.behind = DataVersion.current(), None
        try:
            yield here.version
        finally:
            here.version = None


def current_version() -> DataVersion:
    """The version of the state being read; outside such a block, the one that is current now."""
    return getattr(here, "version", None) or DataVersion.current()


def mark_stale(number: int) -> None:
    """Notes that something counted within this block is still of an earlier version."""
    here.behind = number


def stale_version() -> int | None:
    """The earlier version that something counted within this block is of, if anything is."""
    return getattr(here, "behind", None)


STATE = ("version", "behind", "past")


@contextmanager
def swapped_state(known: dict[str, Any]) -> Iterator[None]:
    """Within the block this thread reads another database, of which it knows `known`; what it comes
    to know is kept there.
    """
    before = {name: getattr(here, name, None) for name in STATE}
    here.__dict__.update({name: known.get(name) for name in STATE})
    try:
        yield
    finally:
        known.update({name: getattr(here, name, None) for name in STATE})
        here.__dict__.update(before)


def past_state() -> Any:
    """The release that answers instead of today's data (`past_state.PastState`), if one does."""
    return getattr(here, "past", None)


@contextmanager
def read_transaction() -> Iterator[None]:
    """A read transaction that takes no lock. Django's own would take SQLite's write lock, as its
    writers need.
    """
    if connection.in_atomic_block or not connection.get_autocommit():
        yield
        return
    connection.ensure_connection()
    raw = connection.connection
    with connection.wrap_database_errors:
        raw.execute(BEGIN.get(connection.vendor, "BEGIN") + statement_bound())
    try:
        yield
    finally:
        if connection.connection is raw:
            try:
                with connection.wrap_database_errors:
                    raw.execute("ROLLBACK")
            except DatabaseError:  # the connection is lost, and its transaction with it
                connection.close()


def statement_bound() -> str:
    """SQL that bounds each statement of a transaction by the time this thread has; it travels with
    what begins the transaction. SQLite looks by itself (`database_file.py`).
    """
    left = time_bound.seconds_left()
    if left is None or connection.vendor != "postgresql":
        return ""
    return f"; SET LOCAL statement_timeout = {max(1, ceil(left * 1000))}"  # 0 would be no bound


MAX_CACHED = 2_000
_cache: LRUCache[tuple, Any] = LRUCache(MAX_CACHED)
_lock = Lock()


def cached_per_version(name: tuple, collection, compute: Callable[[], Any]) -> Any:
    """What `compute()` gives, made once for each version of the collection; `name` names it.

    Without a collection, it is kept as long as nothing changes that all collections share. The
    value is shared among threads and must not be changed. Bounded: what was asked for longest ago
    goes first. None is not kept.
    """
    version = current_version()
    token = version.shared_token if collection is None else version.token_of(collection)
    return cached_under(token, (collection and collection.pk, *name), compute)


def cached_until_any_change(name: tuple, compute: Callable[[], Any]) -> Any:
    """The same for what a change of any kind may concern, a new release included."""
    return cached_under(current_version().token, name, compute)


def cached_under(token: str, name: tuple, compute: Callable[[], Any]) -> Any:
    """What `compute()` gives, kept by a token of the data and a name. A database without a version
    keeps nothing.
    """
    key = (token, *name)
    with _lock:
        if key in _cache:
            return _cache[key]
    value = compute()
    if value is None or not token:
        return value
    if connection.in_atomic_block and not settings.TESTING:
        return value  # a transaction that writes may change it further under the same token
    with _lock:
        _cache[key] = value
    return value


def all_collections() -> list[Collection]:
    """All collections, in order; read once as long as none changes."""
    return cached_per_version(("collections",), None, lambda: list(Collection.objects.all()))


def clear_cache() -> None:
    """Empties the cache. Tests need it, because they return to an earlier version without restoring
    all of its data.
    """
    with _lock:
        _cache.clear()

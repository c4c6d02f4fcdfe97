"""One state of the data for everything a page, a file or a build reads.

Between two queries somebody may publish; then a count would be of yesterday and its rows of today. Inside `steady()`
all reads see the same state, and its version is read once. Readers take no lock and block nobody.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import local

from django.db import DatabaseError, connection

from .models import DataVersion

BEGIN = {"postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}
here = local()


@contextmanager
def steady() -> Iterator[DataVersion]:
    """The version of the data, which stays as it is until the block ends. A block inside another is part of it."""
    if getattr(here, "version", None) is not None:
        yield here.version
        return
    with one_state():
        here.version = DataVersion.current()
        try:
            yield here.version
        finally:
            here.version = None


def version() -> DataVersion:
    """The version of the state being read; outside a steady block, the one that is current now."""
    return getattr(here, "version", None) or DataVersion.current()


@contextmanager
def one_state() -> Iterator[None]:
    """A read transaction that takes no lock. Django's own would take SQLite's write lock, as its writers need."""
    if connection.in_atomic_block or not connection.get_autocommit():
        yield
        return
    connection.ensure_connection()
    raw = connection.connection
    with connection.wrap_database_errors:
        raw.execute(BEGIN.get(connection.vendor, "BEGIN"))
    try:
        yield
    finally:
        if connection.connection is raw:
            try:
                with connection.wrap_database_errors:
                    raw.execute("ROLLBACK")
            except DatabaseError:  # the connection is lost, and its transaction with it
                connection.close()

"""The SQLite database as a file of its owner alone: it holds drafts, accounts, password hashes. And
what any file beside it needs to outlive a power cut.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from threading import Lock

from . import time_bound

logger = logging.getLogger(__name__)
PRIVATE = 0o600
# Files SQLite keeps; it gives new ones the mode of the database itself.
BESIDE = ("", "-wal", "-shm", "-journal")
creating = Lock()
# A trigger asks by this name whether the files of a collection are being loaded. PostgreSQL has
# roles for that; SQLite knows no users, and SQL alone cannot say it.
IS_LOADING = "casebook_is_loading"
LOOK_EVERY = 20_000  # instructions of SQLite, about a millisecond: whether there is time left
loading_now: ContextVar[bool] = ContextVar("loading_now", default=False)


@contextmanager
def loading_files() -> Iterator[None]:
    """While the files of the collections are loaded, and by nothing else."""
    token = loading_now.set(True)
    try:
        yield
    finally:
        loading_now.reset(token)


class PrivateConnection(sqlite3.Connection):
    """A connection whose database nobody but the owner of the file can read or write. A statement
    ends when the time of its thread does (`time_bound.py`).
    """

    def __init__(self, database, *args, **kwargs):
        name = os.fspath(database)
        if name and name != ":memory:" and not name.startswith("file:"):
            keep_private(Path(name))
        super().__init__(database, *args, **kwargs)
        self.create_function(IS_LOADING, 0, lambda: int(loading_now.get()))
        self.set_progress_handler(time_bound.is_over, LOOK_EVERY)


def keep_private(path: Path) -> None:
    """Creates the database file if there is none, and lets nobody but its owner read or write it.

    If the file cannot be created, SQLite reports the error; if its permissions cannot be changed, a
    warning is logged.
    """
    # An existing file is not opened: closing it would drop the locks SQLite holds in other threads.
    path = path.resolve()
    with creating, suppress(OSError):  # it is there already, or it cannot be made
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
    for ending in BESIDE:
        file = path.with_name(path.name + ending)
        try:
            if file.stat().st_mode & 0o077:
                file.chmod(PRIVATE)
        except FileNotFoundError:
            continue
        except OSError as error:
            logger.warning("Others can read %s, and that cannot be changed: %s", file, error)


def fsync_folder(folder: Path) -> None:
    """Makes names that were made or changed in the folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

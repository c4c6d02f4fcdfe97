"""The archives of releases as files: opened whole, and their tables read row by row."""

import csv
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from zipfile import ZipFile

from ..models import ReleasedCollection

# bytes of an archive kept in memory while it is read; a larger one goes through a file
SPOOLED = 32 << 20


@contextmanager
def opened_archive(released: ReleasedCollection) -> Iterator[ZipFile]:
    """The archive of a released collection, to read from."""
    with tempfile.SpooledTemporaryFile(SPOOLED) as file:
        file.writelines(released.pieces())
        with ZipFile(file) as archive:
            yield archive


def header_of(archive: ZipFile, path: str) -> list[str]:
    """The names of a table's columns; none where the archive has no such table."""
    if path not in archive.namelist():
        return []
    with archive.open(path) as file:
        return next(csv.reader(io.TextIOWrapper(file, "utf-8", newline="")))


def rows_of(archive: ZipFile, path: str) -> Iterator[dict[str, str]]:
    """The rows of a table, each cell as the file writes it."""
    if path not in archive.namelist():
        return
    with archive.open(path) as file:
        yield from csv.DictReader(io.TextIOWrapper(file, "utf-8", newline=""))

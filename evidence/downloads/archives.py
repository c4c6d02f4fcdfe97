"""The archives of releases as files: opened whole, and their tables read row by row."""

import csv
import io
import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from threading import Lock
from zipfile import ZipFile

from cachetools import TTLCache

from ..models import ReleasedCollection

logger = logging.getLogger(__name__)

# bytes of an archive kept in memory while it is read; a larger one goes through a file
SPOOLED = 32 << 20


# Bytes of an archive that is looked at each time it is asked for, in a few milliseconds. Of a
# larger one it is remembered for a while that it was whole.
SMALL = 4 << 20
_whole: TTLCache[tuple[int, str], bool] = TTLCache(100, 10 * 60)  # seconds
_lock = Lock()


class DamagedArchive(ValueError):
    """An archive is not the one that was made, said in a sentence."""


def check_archive(released: ReleasedCollection, *, anew: bool = False) -> None:
    """Raises DamagedArchive where an archive is not, byte for byte, the one that was made. With
    `anew`, nothing is remembered.
    """
    key = (released.pk, released.sha256)
    with _lock:
        if not anew and released.size > SMALL and key in _whole:
            return
    digest, size = sha256(), 0
    for content in released.parts.values_list("content", flat=True).iterator(chunk_size=1):
        digest.update(content)
        size += len(content)
    if (size, digest.hexdigest()) != (released.size, released.sha256):
        text = (
            f"The archive of {released} is damaged: its SHA-256 is not the one it was made with. "
            "It has to be restored from a backup."
        )
        logger.error("%s", text)
        raise DamagedArchive(text)
    with _lock:
        _whole[key] = True


def damaged_archives(released: Iterable[ReleasedCollection]) -> list[str]:
    """A sentence for each of these that is not the archive that was made, all looked at anew."""
    found = []
    for each in released:
        try:
            check_archive(each, anew=True)
        except DamagedArchive as error:
            found.append(str(error))
    return found


@contextmanager
def opened_archive(released: ReleasedCollection) -> Iterator[ZipFile]:
    """The archive of a released collection, to read from. Raises DamagedArchive."""
    check_archive(released)
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

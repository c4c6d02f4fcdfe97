"""Making a release: every collection's tables as they are, what changed since the last one, and one hash over all."""

import csv
import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO
from zipfile import ZipFile

from django.db import transaction
from django.utils import timezone

from ..downloads import Bundle
from ..downloads.release_status import ReleaseStatus, combined_hash, content_hash
from ..models import ArchivePart, Collection, DataVersion, Release, ReleasedCollection
from ..models.consistency import consistent_read
from ..models.release import PART
from ..questions.question import Question
from ..questions.vocabulary import vocabulary
from ..tables import TIDY, Tidy
from .generation import is_generated
from .integrity import integrity_issues

SPOOLED = 32 << 20  # bytes of an archive kept in memory while it is compared; a larger one goes through a file
COMMON = {"empty_means", "collection", "evidence_kind"}  # the same in every row, so no change of a record


class CannotRelease(ValueError):
    """Why there is no release, for a curator to read."""


@dataclass
class Made:
    """One collection's archive, before it is stored."""

    collection: Collection
    file: BinaryIO
    rows: dict[str, int]
    content_hash: str
    changes: dict[str, dict[str, int]]


def make_release(notes: str = "") -> Release:
    """Makes the next release, in one transaction.

    Raises CannotRelease while `check_evidence` finds anything, where nothing has changed since the last release, and
    where there is nothing to release.
    """
    with transaction.atomic(), consistent_read():
        now = DataVersion.objects.select_for_update().filter(pk=1).first()
        collections = [each for each in Collection.objects.all() if not is_generated(each)]
        if now is None or not collections:
            raise CannotRelease("There is no evidence to release.")
        if found := integrity_issues():
            raise CannotRelease("The evidence has faults:\n" + "\n".join(f"  {each}" for each in found))
        before = Release.objects.first()
        made = Release(
            number=before.number + 1 if before else 1,
            released_at=timezone.now(),
            data_version=now.number,
            notes=notes,
        )
        digests = {each.slug: content_hash(each) for each in collections}
        made.content_hash = combined_hash(digests.items())
        if before and before.content_hash == made.content_hash:
            raise CannotRelease(f"Nothing has changed since {before}: its content is {before.content_hash}.")
        made.save()
        for collection in collections:
            store_archive(made, before, collection, digests[collection.slug], now)
        now.released(made.number)
    return made


def bundle_of(collection: Collection, standing: ReleaseStatus) -> Bundle:
    return Bundle(Question(collection), vocabulary(collection), standing)


def store_archive(
    made: Release, before: Release | None, collection: Collection, content: str, now: DataVersion
) -> None:
    """Writes the archive of one collection, a megabyte at a time."""
    version = now.of(collection)
    bundle = bundle_of(collection, ReleaseStatus(made, False, version, now.changed_at))
    with tempfile.SpooledTemporaryFile(SPOOLED) as file:
        digest = sha256()
        for piece in bundle.pieces():
            digest.update(piece)
            file.write(piece)
        size = file.tell()
        stored = ReleasedCollection.objects.create(
            release=made,
            slug=collection.slug,
            name=collection.name,
            kind=collection.kind,
            caveat=collection.caveat,
            version=version,
            content_hash=content,
            rows=[(each.path.removesuffix(".csv"), each.rows) for each in bundle.files if each.path in TABLE_FILES],
            changes=list(count_changes(before, collection.slug, file).items()),
            size=size,
            sha256=digest.hexdigest(),
        )
        file.seek(0)
        for number, content in enumerate(iter(lambda: file.read(PART), b"")):
            ArchivePart.objects.create(archive=stored, number=number, content=content)


TABLE_FILES = {f"{noun}.csv" for noun in TIDY}


# What changed


def count_changes(before: Release | None, slug: str, now: BinaryIO) -> dict[str, dict[str, int]]:
    """How many rows of each table were added, changed and removed since a release; tables without any are left out."""
    earlier = before and before.collections.filter(slug=slug).first()
    if earlier is None:
        return {}
    found = {}
    with tempfile.SpooledTemporaryFile(SPOOLED) as file:
        file.writelines(earlier.pieces())
        with ZipFile(file) as then, ZipFile(now) as today:
            for tidy in TIDY.values():
                if any(counts := changed_rows(tidy, then, today).values()):
                    found[tidy.noun] = dict(zip(("added", "changed", "removed"), counts, strict=True))
    return found


def changed_rows(tidy: Tidy, then: ZipFile, today: ZipFile) -> dict[str, int]:
    """Counts by comparing the columns both have, so that a column added to Casebook is no change of every record."""
    path = f"{tidy.noun}.csv"
    columns = [name for name in header_of(then, path) if name in header_of(today, path) and name not in COMMON]
    old, new = (dict(rows_of(archive, path, tidy.key, columns)) for archive in (then, today))
    return {
        "added": len(new.keys() - old.keys()),
        "changed": sum(1 for key in new.keys() & old.keys() if new[key] != old[key]),
        "removed": len(old.keys() - new.keys()),
    }


def header_of(archive: ZipFile, path: str) -> list[str]:
    if path not in archive.namelist():
        return []
    with archive.open(path) as file:
        return next(csv.reader(io.TextIOWrapper(file, "utf-8", newline="")))


def rows_of(archive: ZipFile, path: str, key: tuple[str, ...], columns: list[str]) -> Iterator[tuple[tuple, bytes]]:
    """Each row's key, and a short digest of what else it says."""
    if path not in archive.namelist():
        return
    with archive.open(path) as file:
        for row in csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="")):
            said = "\x00".join(row[name] for name in columns)
            yield tuple(row[name] for name in key), sha256(said.encode()).digest()[:16]

"""Making a release: every collection's tables as they are, what changed since the last one, and one
hash over all.
"""

import tempfile
from collections.abc import Iterator
from hashlib import sha256
from typing import BinaryIO
from zipfile import ZipFile

from django.db import transaction
from django.utils import timezone

from ..downloads import Bundle
from ..downloads.archives import SPOOLED, opened_archive, rows_of
from ..downloads.differences import ADDED, CHANGED, CHANGES, REMOVED, compared_columns
from ..downloads.release_status import ReleaseStatus, combined_hash, content_hash
from ..models import ArchivePart, Collection, DataVersion, Release, ReleasedCollection
from ..models.consistency import consistent_read
from ..models.release import PART
from ..questions.question import Question
from ..questions.vocabulary import vocabulary
from ..tables import TIDY, Tidy
from .generation import is_generated
from .integrity import integrity_issues


class CannotRelease(ValueError):
    """Why there is no release, for a curator to read."""


def make_release(notes: str = "") -> Release:
    """Makes the next release, in one transaction.

    Raises CannotRelease while `check_evidence` finds anything, where nothing has changed since the
    last release, and where there is nothing to release.
    """
    with transaction.atomic(), consistent_read():
        version = DataVersion.objects.select_for_update().filter(pk=1).first()
        collections = [
            collection for collection in Collection.objects.all() if not is_generated(collection)
        ]
        if version is None or not collections:
            raise CannotRelease("There is no evidence to release.")
        if issues := integrity_issues():
            raise CannotRelease(
                "The evidence has faults:\n" + "\n".join(f"  {issue}" for issue in issues)
            )
        previous = Release.objects.first()
        release = Release(
            number=previous.number + 1 if previous else 1,
            released_at=timezone.now(),
            data_version=version.number,
            notes=notes,
        )
        digests = {collection.slug: content_hash(collection) for collection in collections}
        release.content_hash = combined_hash(digests.items())
        if previous and previous.content_hash == release.content_hash:
            raise CannotRelease(
                f"Nothing has changed since {previous}: its content is {previous.content_hash}."
            )
        release.save()
        for collection in collections:
            store_archive(release, previous, collection, digests[collection.slug], version)
        version.released(release.number)
    return release


def bundle_of(collection: Collection, status: ReleaseStatus) -> Bundle:
    return Bundle(Question(collection), vocabulary(collection), status)


def store_archive(
    release: Release,
    previous: Release | None,
    collection: Collection,
    content: str,
    data_version: DataVersion,
) -> None:
    """Writes the archive of one collection, a megabyte at a time."""
    version = data_version.version_of(collection)
    bundle = bundle_of(collection, ReleaseStatus(release, False, version, data_version.changed_at))
    with tempfile.SpooledTemporaryFile(SPOOLED) as file:
        digest = sha256()
        for chunk in bundle.pieces():
            digest.update(chunk)
            file.write(chunk)
        size = file.tell()
        stored = ReleasedCollection.objects.create(
            release=release,
            slug=collection.slug,
            name=collection.name,
            kind=collection.kind,
            caveat=collection.caveat,
            version=version,
            content_hash=content,
            rows=[
                (file_entry.path.removesuffix(".csv"), file_entry.rows)
                for file_entry in bundle.files
                if file_entry.path in TABLE_FILES
            ],
            changes=list(count_changes(previous, collection.slug, file).items()),
            size=size,
            sha256=digest.hexdigest(),
        )
        file.seek(0)
        for number, content in enumerate(iter(lambda: file.read(PART), b"")):
            ArchivePart.objects.create(archive=stored, number=number, content=content)


TABLE_FILES = {f"{noun}.csv" for noun in TIDY}


# What changed


def count_changes(
    previous: Release | None, slug: str, archive_file: BinaryIO
) -> dict[str, dict[str, int]]:
    """How many rows of each table were added, changed and removed since a release; tables without
    any are left out, and all where the archive before is not kept any more.
    """
    previous_collection = previous and previous.collections.filter(slug=slug).first()
    if previous_collection is None:
        return {}
    changes = {}
    with opened_archive(previous_collection) as before, ZipFile(archive_file) as archive:
        for tidy in TIDY.values():
            if any(counts := changed_rows(tidy, before, archive).values()):
                changes[tidy.noun] = dict(zip(CHANGES, counts, strict=True))
    return changes


def changed_rows(tidy: Tidy, before: ZipFile, archive: ZipFile) -> dict[str, int]:
    """Counts by comparing the columns both have."""
    columns = compared_columns(tidy, before, archive)
    old_rows, new_rows = (
        dict(row_digests(either_archive, tidy, columns)) for either_archive in (before, archive)
    )
    return {
        ADDED: len(new_rows.keys() - old_rows.keys()),
        CHANGED: sum(
            1 for key in new_rows.keys() & old_rows.keys() if new_rows[key] != old_rows[key]
        ),
        REMOVED: len(old_rows.keys() - new_rows.keys()),
    }


def row_digests(archive: ZipFile, tidy: Tidy, columns: list[str]) -> Iterator[tuple[tuple, bytes]]:
    """Each row's key, and a short digest of what else it says."""
    for row in rows_of(archive, f"{tidy.noun}.csv"):
        other_values = "\x00".join(row[name] for name in columns)
        yield tuple(row[name] for name in tidy.key), sha256(other_values.encode()).digest()[:16]

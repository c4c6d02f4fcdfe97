"""Making a release: every collection's tables as they are, what changed since the last one, and one
hash over all.
"""

import tempfile
from collections.abc import Iterator
from hashlib import sha256
from typing import BinaryIO
from uuid import uuid4
from zipfile import ZipFile

from django.db import transaction
from django.utils import timezone

from ..downloads import Bundle
from ..downloads.archives import (
    SPOOLED,
    DamagedArchive,
    damaged_archives,
    opened_archive,
    rows_of,
)
from ..downloads.differences import ADDED, CHANGED, CHANGES, REMOVED, compared_columns
from ..downloads.release_status import ReleaseStatus, combined_hash, content_hash
from ..models import ArchivePart, Collection, DataVersion, Release, ReleasedCollection
from ..models.consistency import consistent_read
from ..models.past_state import MAX_PATIENTS, keep_records
from ..models.release import PART
from ..questions.question import Question
from ..questions.vocabulary import vocabulary
from ..tables import TIDY, Tidy
from .generation import is_generated
from .integrity import integrity_issues
from .shipped_releases import shipped_release


class CannotRelease(ValueError):
    """Why there is no release, for a curator to read."""


def make_release(notes: str = "", *, needs_shipped: bool = False) -> Release:
    """Makes the next release, in one transaction. Evidence that comes with Casebook as a release
    becomes that release: its number, date, identifier and notes are those of the fixture.

    With `needs_shipped`, no other release is made.

    Raises CannotRelease while `check_evidence` finds anything, where nothing has changed since the
    last release, and where there is nothing to release.
    """
    with transaction.atomic(), consistent_read():
        version = DataVersion.objects.select_for_update().filter(pk=1).first()
        collections = collections_to_release()
        digests = content_to_release()
        previous = Release.objects.first()
        content = combined_hash(digests.items())
        if previous and previous.content_hash == content:
            raise CannotRelease(
                f"Nothing has changed since {previous}: its content is {previous.content_hash}."
            )
        number = previous.number + 1 if previous else 1
        shipped = shipped_release(digests, number)
        if shipped is None and needs_shipped:
            raise CannotRelease("The evidence is not that of a release that comes with Casebook.")
        release = Release(
            number=shipped.number if shipped else number,
            released_at=shipped.released_at if shipped else timezone.now(),
            identifier=shipped.identifier if shipped else uuid4().urn,
            data_version=version.number,
            notes=shipped.notes if shipped else notes,
            content_hash=content,
        )
        release.save()
        for collection in collections:
            store_archive(release, previous, collection, digests[collection.slug], version)
        version.released(release.number)
        keep_small(release, collections)
    return release


def collections_to_release() -> list[Collection]:
    """All but those drawn by `generate_cohort`."""
    return [collection for collection in Collection.objects.all() if not is_generated(collection)]


def content_to_release() -> dict[str, str]:
    """The content hash of each collection to be released. Raises CannotRelease where there is
    nothing, or `check_evidence` finds anything.
    """
    collections = collections_to_release()
    if not collections or not DataVersion.objects.filter(pk=1).exists():
        raise CannotRelease("There is no evidence to release.")
    if issues := integrity_issues():
        raise CannotRelease(
            "The evidence has faults:\n" + "\n".join(f"  {issue}" for issue in issues)
        )
    return {collection.slug: content_hash(collection) for collection in collections}


def keep_small(release: Release, collections: list[Collection]) -> None:
    """Keeps the records of a release that is small enough to be asked."""
    rows = release.collections.values_list("rows", flat=True)
    if sum(dict(tables).get("patients", 0) for tables in rows) <= MAX_PATIENTS:
        keep_records(release, collections)


def keep_latest() -> bool:
    """Keeps the records of the latest release where a version of Casebook that kept none made it,
    and nothing has changed since. Whether it did.
    """
    with transaction.atomic(), consistent_read():
        version = DataVersion.objects.select_for_update().filter(pk=1).first()
        release = Release.objects.first()
        if release is None or release.is_pruned or hasattr(release, "records"):
            return False
        slugs = set(release.collections.values_list("slug", flat=True))
        collections = list(Collection.objects.filter(slug__in=slugs))
        digests = [(collection.slug, content_hash(collection)) for collection in collections]
        if combined_hash(digests) != release.content_hash:
            return False
        keep_small(release, collections)
        version.released(release.number)
    return True


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
    any are left out, and all where the archive before is not kept any more, or is damaged: that is
    no reason not to make a release.
    """
    previous_collection = previous and previous.collections.filter(slug=slug).first()
    if previous_collection is None or previous.is_pruned:
        return {}
    changes = {}
    try:
        with opened_archive(previous_collection) as before, ZipFile(archive_file) as archive:
            for tidy in TIDY.values():
                if any(counts := changed_rows(tidy, before, archive).values()):
                    changes[tidy.noun] = dict(zip(CHANGES, counts, strict=True))
    except DamagedArchive:
        return {}
    return changes


def not_compared(release: Release) -> list[str]:
    """Why the changes of a release are not known, a sentence for each damaged archive before it."""
    previous = Release.objects.filter(number__lt=release.number).first()
    if previous is None or previous.is_pruned:
        return []
    slugs = release.collections.values("slug")
    return damaged_archives(previous.collections.filter(slug__in=slugs))


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

"""Which engine answers, and with which snapshot: small collections are read anew at once, large
ones aside.

A snapshot belongs to one version of one collection, known by its token, and is swapped whole. While
a large one is being made by another process, the one before it goes on answering; it is handed over
as a file (`storage`). A higher number never makes a snapshot
newer: a database that was put back counts the same numbers once more. Only one whose token is in
the history of the data being read may answer for an earlier version.
"""

import fcntl
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from threading import Lock
from time import monotonic

from django.conf import settings
from django.db import connection

from ... import time_bound
from ...models import Collection, DataVersion
from ...models.consistency import consistent_read, current_version, mark_stale, past_state
from ...models.reading import REPLICA, read_alias
from ..dimensions import DIMENSIONS
from .bitsets import Layout
from .build import build_snapshot, visible_patients
from .snapshot import PLAIN, Axis, Snapshot
from .storage import ENDING, PART, Damaged, load_file, verify_file, write_file

logger = logging.getLogger(__name__)
FORMAT = 5  # raised when the files below mean something else
RETRY = 60  # seconds before a builder that failed is started once more
AT_ONCE = 20_000  # patients that are read anew within a request, in about half a second

served: dict[int, list[Snapshot]] = {}  # by collection, the one used last first
sizes: dict[int, tuple[str, int]] = {}  # by collection: token of the version, number of patients
patients_in: dict[str, int] = {}  # by a collection's address, as last counted in this process
builders: dict[int, subprocess.Popen] = {}
started_at: dict[int, float] = {}  # by collection: when its builder was started last
lock = Lock()


def snapshot_for(collection: Collection) -> Snapshot | None:
    """The snapshot that answers now; None where the database is to answer.

    It is of the version being read, or, while a large collection is being read anew, of an earlier
    one.
    """
    if settings.COHORT_ENGINE == "database":
        return None
    if connection.in_atomic_block and not settings.TESTING:
        # a transaction that writes may change more under the same token, or be taken back
        return None
    version = current_version()
    snapshot = served_of(collection, version)
    if snapshot is not None:
        return snapshot
    with time_bound.held(lock), time_bound.ending(None):  # what is built is everybody's
        snapshot = served_of(collection, version)
        if snapshot is not None:
            return snapshot
        size = patient_count(collection, version)
        if settings.COHORT_ENGINE == "auto" and size > settings.SNAPSHOT_PATIENTS:
            return None
        if size <= AT_ONCE:
            return publish_snapshot(collection, build_snapshot(collection), keep=2)
        ready = load_snapshot(snapshot_file(collection, version))
        if ready is not None:
            return publish_snapshot(collection, ready)
        if not kept_snapshots().get(collection.pk):
            return publish_snapshot(collection, build_and_save(collection))
        start_builder(collection)
        return earlier_snapshot(collection, version)


def kept_snapshots() -> dict[int, list[Snapshot]]:
    """The snapshots in memory of the database that is being read: today's, or a release's own."""
    past = past_state()
    return served if past is None else past.served


def served_of(collection: Collection, version: DataVersion) -> Snapshot | None:
    """The snapshot in memory that is of exactly this version."""
    token = version.token_of(collection)
    return next(
        (
            snapshot
            for snapshot in kept_snapshots().get(collection.pk, ())
            if snapshot.token == token != ""
        ),
        None,
    )


def publish_snapshot(collection: Collection, snapshot: Snapshot, keep: int = 1) -> Snapshot:
    """Puts a snapshot in memory, beside the one before where `keep` is 2: while data change, some
    requests still read the state before.
    """
    snapshots = kept_snapshots()
    if past_state() is None:
        patients_in[collection.slug] = snapshot.patients
    snapshots[collection.pk] = [snapshot, *snapshots.get(collection.pk, ())][:keep]
    return snapshot


def earlier_snapshot(collection: Collection, version: DataVersion) -> Snapshot | None:
    """The latest snapshot there is of a version that led to this one, marked as such; None where
    there is none.

    One in memory may be of a history that was thrown away when the database was put back, or of a
    later version than the one this request still reads; it stays in memory, and the database
    answers.
    """
    past_tokens = DataVersion.past_tokens()
    snapshot = kept_snapshots()[collection.pk][0]
    age = past_tokens.index(snapshot.token) if snapshot.token in past_tokens else -1
    newer = newest_saved(collection, version, past_tokens[age + 1 :])
    if newer is not None:
        snapshot = publish_snapshot(collection, newer)
    elif age < 0:
        return None
    if snapshot.token != version.token_of(collection):
        mark_stale(snapshot.version)
    return snapshot


def patient_count(collection: Collection, version: DataVersion) -> int:
    """Patients in the collection, counted once per version."""
    token, past = version.token_of(collection), past_state()
    counted = sizes if past is None else past.sizes
    counted_token, size = counted.get(collection.pk, ("", 0))
    if counted_token != token or not token:
        size = visible_patients(collection).count()
        counted[collection.pk] = (token, size)
        if past is None:
            patients_in[collection.slug] = size
    return size


def known_patients(slug: str) -> int:
    """Patients in the collection of this address, without asking anybody: 0 before this process has
    counted them.
    """
    return patients_in.get(slug, 0)


def largest_known() -> int:
    """Patients in the largest collection that this process has counted."""
    return max(patients_in.values(), default=0)


def build_and_save(collection: Collection) -> Snapshot:
    """Builds the snapshot of a large collection and leaves it for other processes, if there is room
    for it; then this one, too, uses what all share.
    """
    with consistent_read() as version:
        snapshot = build_snapshot(collection)
        path = snapshot_file(collection, version)
        try:
            save_snapshot(snapshot, path)
        except OSError as error:
            logger.warning(
                "The snapshot of %s cannot be kept for other processes: %s", collection.slug, error
            )
            return snapshot
        return load_snapshot(path) or snapshot


def load_all_snapshots() -> list[tuple[Collection, Snapshot]]:
    """Makes every collection ready, before the first reader comes."""
    with consistent_read():
        ready = [(collection, snapshot_for(collection)) for collection in Collection.objects.all()]
    return [(collection, snapshot) for collection, snapshot in ready if snapshot is not None]


def start_builder(collection: Collection) -> None:
    """Starts a process that builds the snapshot, unless one is at it or has just failed, for want
    of room or of memory.
    """
    running = builders.get(collection.pk)
    if running is not None and (
        running.poll() is None
        or (running.returncode and monotonic() - started_at[collection.pk] < RETRY)
    ):
        return
    started_at[collection.pk] = monotonic()
    command = [
        sys.executable,
        "-m",
        "django",
        "prepare_snapshots",
        collection.slug,
        "--settings",
        "evidence.settings",
    ]
    environment = dict(os.environ)
    if read_alias() == REPLICA:  # while the primary is away, it reads what this process reads
        environment["DATABASE_URL"] = settings.DATABASE_REPLICA_URL
    builders[collection.pk] = subprocess.Popen(  # noqa: S603
        command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.DEVNULL
    )


# Files


def snapshot_file(collection: Collection, version: DataVersion) -> Path:
    """The file of the snapshot of this version. Its name contains everything that decides what the
    snapshot holds.
    """
    shape = sha256(repr((FORMAT, sorted(DIMENSIONS))).encode()).hexdigest()[:8]
    token = version.token_of(collection)
    return (
        settings.SNAPSHOTS
        / f"{collection.slug}-{version.identity.hex[:12]}-{token}-{shape}{ENDING}"
    )


def save_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Leaves a snapshot for other processes and removes those of earlier versions. Raises OSError
    where it cannot be kept.
    """
    axes = {
        name: {"values": axis.values, "of_patient": axis.of_patient, "wider": axis.wider}
        for name, axis in snapshot.axes.items()
    }
    description = {
        "version": snapshot.version,
        "token": snapshot.token,
        "sizes": snapshot.layout.sizes,
        "axes": axes,
    }
    write_file(path, description, snapshot.arrays())
    for older in path.parent.glob(f"{path.name.rsplit('-', 2)[0]}-*"):
        if older != path and older.suffix != PART:
            remove(older)


def remove(path: Path) -> None:
    """Removes a snapshot, also a folder of an earlier version of Casebook, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def newest_saved(
    collection: Collection, version: DataVersion, tokens: list[str]
) -> Snapshot | None:
    """The latest saved snapshot of one of these versions (tokens, oldest first). While edits follow
    each other quickly, the version that is being read may have none.
    """
    start, _, end = snapshot_file(collection, version).name.rsplit("-", 2)
    saved = {
        path.name.rsplit("-", 2)[1]: path for path in settings.SNAPSHOTS.glob(f"{start}-*-{end}")
    }
    token = next((past_token for past_token in reversed(tokens) if past_token in saved), None)
    return load_snapshot(saved[token]) if token else None


@contextmanager
def exclusive_build(collection: Collection) -> Iterator[bool]:
    """Yields True if this process holds the lock for building, and False if another process is
    building already.
    """
    settings.SNAPSHOTS.mkdir(parents=True, exist_ok=True)
    with (settings.SNAPSHOTS / f"{collection.slug}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def load_snapshot(path: Path) -> Snapshot | None:
    """The snapshot another process has left there; None where there is none that is whole.

    One that is damaged is removed, so that it is made anew.
    """
    try:
        description, arrays = load_file(path)
    except FileNotFoundError:
        return None
    except Damaged as error:
        remove_damaged(path, error)
        return None
    except OSError as error:
        logger.warning("The snapshot in %s cannot be read: %s", path.name, error)
        return None

    def load_axis(name: str, attributes: dict) -> Axis:
        return Axis(
            **attributes,
            **{part: arrays.get(f"axis.{name}.{part}") for part in ("bits", "codes", "times")},
        )

    return Snapshot(
        version=description["version"],
        token=description["token"],
        layout=Layout(description["sizes"]),
        axes={name: load_axis(name, about) for name, about in description["axes"].items()},
        totals={
            name.removeprefix("total."): arrays[name]
            for name in arrays
            if name.startswith("total.")
        },
        **{name: arrays[name] for name in PLAIN},
    )


def remove_damaged(path: Path, error: Damaged) -> None:
    logger.warning("The snapshot in %s is damaged and is made anew: %s", path.name, error)
    remove(path)


def build_ahead(collection: Collection) -> Snapshot | None:
    """Builds the snapshot of a large collection and leaves it for the serving processes.

    None where there is nothing to do: the collection is small, another process is at it, or it is
    there already, whole. Raises OSError where it cannot be kept.
    """
    with consistent_read() as version, exclusive_build(collection) as acquired:
        path = snapshot_file(collection, version)
        if not acquired or patient_count(collection, version) <= AT_ONCE or is_whole(path):
            return None
        snapshot = build_snapshot(collection)
        save_snapshot(snapshot, path)
        return snapshot


def is_whole(path: Path) -> bool:
    """Whether the file is there and is what was written; a damaged one is removed."""
    try:
        verify_file(path)
    except FileNotFoundError:
        return False
    except Damaged as error:
        remove_damaged(path, error)
        return False
    return True

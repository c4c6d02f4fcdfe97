"""Which engine answers, and with which snapshot: small collections are read anew at once, large ones aside.

A snapshot belongs to one version of one collection and is swapped whole. While a large one is being made by another
process, the one before it goes on answering; it is handed over as files, which all processes map into memory and share.
"""

import fcntl
import json
import logging
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Lock

import numpy as np
from django.conf import settings
from django.db import connection

from ...models import Collection, DataVersion
from ...models.consistency import mark_behind, steady, version
from ..dimensions import DIMENSIONS
from .bitsets import Layout
from .build import build_snapshot, visible_patients
from .snapshot import PLAIN, Axis, Snapshot

logger = logging.getLogger(__name__)
FORMAT = 2  # raised when the files below mean something else
AT_ONCE = 20_000  # patients that are read anew within a request, in about half a second

served: dict[int, Snapshot] = {}
sizes: dict[tuple[int, int], int] = {}
builders: dict[int, subprocess.Popen] = {}
lock = Lock()


def snapshot_for(collection: Collection) -> Snapshot | None:
    """The snapshot that answers now; None where the database is to answer.

    It is of the version being read, or, while a large collection is being read anew, of an earlier one.
    """
    if settings.COHORT_ENGINE == "database":
        return None
    if connection.in_atomic_block and not settings.TESTING:
        return None  # what is not committed yet may be taken back, and its version number be given again
    now = version()
    wanted = now.of(collection)
    found = served.get(collection.pk)
    if found is not None and (found.version, found.memory["database"]) == (wanted, now.identity):
        return found
    with lock:
        found = served.get(collection.pk)
        if found is not None and found.memory["database"] != now.identity:
            found = None
        if found is not None and found.version >= wanted:
            return found
        size = size_of(collection, now)
        if settings.COHORT_ENGINE == "auto" and size > settings.SNAPSHOT_PATIENTS:
            return None
        if size <= AT_ONCE:
            return serve(collection, build_snapshot(collection), now)
        ready = load(folder(collection, now))
        if ready is not None:
            return serve(collection, ready, now)
        if found is None:
            return serve(collection, prepare(collection), now)
        have_built(collection)
        newer = newest(collection, now, found.version)
        if newer is not None:
            found = serve(collection, newer, now)
        mark_behind(found.version)
        return found


def serve(collection: Collection, snapshot: Snapshot, now: DataVersion) -> Snapshot:
    snapshot.memory["database"] = now.identity
    served[collection.pk] = snapshot
    return snapshot


def size_of(collection: Collection, now: DataVersion) -> int:
    """Patients in the collection, counted once per version."""
    key = (collection.pk, now.of(collection))
    if key not in sizes:
        sizes[key] = visible_patients(collection).count()
    return sizes[key]


def prepare(collection: Collection) -> Snapshot:
    """Builds the snapshot of a large collection and leaves it for other processes, if there is room for it."""
    with steady() as now:
        snapshot = build_snapshot(collection)
        try:
            save(snapshot, folder(collection, now))
        except OSError as error:
            logger.warning("The snapshot of %s cannot be kept for other processes: %s", collection.slug, error)
        return snapshot


def warm() -> list[tuple[Collection, Snapshot]]:
    """Makes every collection ready, before the first reader comes."""
    with steady():
        ready = [(collection, snapshot_for(collection)) for collection in Collection.objects.all()]
    return [(collection, snapshot) for collection, snapshot in ready if snapshot is not None]


def have_built(collection: Collection) -> None:
    """Starts a process that builds the snapshot, unless one is at it."""
    running = builders.get(collection.pk)
    if running is not None and running.poll() is None:
        return
    command = [sys.executable, "-m", "django", "prepare_snapshots", collection.slug, "--settings", "evidence.settings"]
    builders[collection.pk] = subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.DEVNULL)  # noqa: S603


# Files


def folder(collection: Collection, now: DataVersion) -> Path:
    """Where the snapshot of this version is kept. The name says everything that would make it another one."""
    shape = sha256(repr((FORMAT, sorted(DIMENSIONS))).encode()).hexdigest()[:8]
    return Path(settings.SNAPSHOTS) / f"{collection.slug}-{now.identity.hex[:12]}-{now.of(collection)}-{shape}"


def save(snapshot: Snapshot, place: Path) -> None:
    """Writes the snapshot beside and renames it, so that it is there whole or not at all. Earlier versions go."""
    if place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f"{place.name}.", suffix=".part", dir=place.parent))
    try:
        for name, array in snapshot.arrays().items():
            np.save(beside / f"{name}.npy", array, allow_pickle=False)
        axes = {
            name: {"values": axis.values, "of_patient": axis.of_patient, "wider": axis.wider}
            for name, axis in snapshot.axes.items()
        }
        described = {"version": snapshot.version, "sizes": snapshot.layout.sizes, "axes": axes}
        (beside / "snapshot.json").write_text(json.dumps(described), encoding="utf-8")
        beside.chmod(0o755)
        beside.replace(place)
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)
        if not place.exists():  # otherwise another process was first
            raise
    for older in place.parent.glob(f"{place.name.rsplit('-', 2)[0]}-*"):
        if older != place and not older.name.endswith(".part"):
            shutil.rmtree(older, ignore_errors=True)


def newest(collection: Collection, now: DataVersion, after: int) -> Snapshot | None:
    """The latest snapshot left for this collection, if later than `after`: while edits follow each other quickly, one
    for the very version being read may never be there.
    """
    start, _, end = folder(collection, now).name.rsplit("-", 2)
    left = [path for path in settings.SNAPSHOTS.glob(f"{start}-*-{end}") if path.name.split("-")[-2].isdecimal()]
    later = [path for path in left if int(path.name.split("-")[-2]) > after]
    return load(max(later, key=lambda path: int(path.name.split("-")[-2]))) if later else None


@contextmanager
def only_one(collection: Collection) -> Iterator[bool]:
    """Whether this process is the one that builds; another at it says no, and so does nothing else."""
    settings.SNAPSHOTS.mkdir(parents=True, exist_ok=True)
    with (settings.SNAPSHOTS / f"{collection.slug}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def load(place: Path) -> Snapshot | None:
    """The snapshot another process has left there, mapped into memory; None where there is none."""
    try:
        described = json.loads((place / "snapshot.json").read_text(encoding="utf-8"))
        arrays = {path.stem: mapped(path) for path in place.glob("*.npy")}
    except (OSError, ValueError) as error:
        if place.exists():
            logger.warning("The snapshot in %s cannot be read and is made anew: %s", place.name, error)
            shutil.rmtree(place, ignore_errors=True)
        return None

    def axis(name: str, about: dict) -> Axis:
        return Axis(**about, **{part: arrays.get(f"axis.{name}.{part}") for part in ("bits", "codes", "times")})

    return Snapshot(
        version=described["version"],
        layout=Layout(described["sizes"]),
        axes={name: axis(name, about) for name, about in described["axes"].items()},
        totals={name.removeprefix("total."): arrays[name] for name in arrays if name.startswith("total.")},
        **{name: arrays[name] for name in PLAIN},
    )


def mapped(path: Path) -> np.ndarray:
    """A plain array in the file's memory: numpy's own class for this costs more at every touch."""
    return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)


def build_ahead(collection: Collection) -> Snapshot | None:
    """Builds the snapshot of a large collection and leaves it for the serving processes.

    None where there is nothing to do: the collection is small, another process is at it, or it is there already.
    """
    with steady() as now, only_one(collection) as free:
        if not free or size_of(collection, now) <= AT_ONCE or folder(collection, now).exists():
            return None
        return prepare(collection)

"""Snapshots as files: damaged in every way, written by several at once, with no room left."""

import fcntl
import mmap
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from evidence.counting import snapshot_for
from evidence.counting.snapshot import storage, store
from evidence.models import Patient, consistency

from .factories import make_patient, make_study, make_treatment
from .processes import ROOT
from .test_serving import large, patients  # noqa: F401

pytestmark = pytest.mark.slow
ARRAYS = {
    "bits": np.arange(1000, dtype=np.uint64).reshape(10, 100),
    "codes": np.arange(7, dtype=np.uint8),
    "flags": np.array([True, False]),
    "nothing": np.empty((0, 3), dtype=np.int32),
}

VARIABLES = {"DJANGO_SETTINGS_MODULE": "evidence.settings", "CASEBOOK_SECRET_KEY": "x"}


@pytest.fixture
def written(tmp_path) -> Path:
    path = tmp_path / "kept.snapshot"
    storage.write_file(path, {"version": 3, "token": "t"}, ARRAYS)
    return path


@pytest.fixture
def handed_over(world, large, settings) -> Path:  # noqa: F811
    """The file of a collection that counts as large; nothing of it in memory."""
    assert patients(world.collection) == 5
    store.served.clear()
    (path,) = settings.SNAPSHOTS.glob("world-*")
    return path


@pytest.fixture
def alone(monkeypatch):
    """No other process holds the memory of a file, and this one forgets it."""
    monkeypatch.setattr(storage, "held_nearby", lambda name: None)


def cut_to(length: int):
    return lambda content: content[:length]


def turned(place: int):
    """One bit of one byte is another one; a place from the end where it is negative."""

    def damage(content: bytes) -> bytes:
        changed = bytearray(content)
        changed[place] ^= 1
        return bytes(changed)

    return damage


DAMAGES = {
    "empty": cut_to(0),
    "cut within its start": cut_to(30),
    "cut after its start": cut_to(storage.START.size),
    "cut by a byte": cut_to(-1),
    "longer": lambda content: content + b"\0",
    "filled with zeros": lambda content: bytes(len(content)),
    "something else": lambda content: b"{" * len(content),
    "a bit of its hash": turned(0),
    "a bit of what it is": turned(storage.DIGEST),
    "a bit of its length": turned(storage.DIGEST + 16),
    "a bit of its description's length": turned(storage.DIGEST + 24),
    "a bit of its description": turned(storage.START.size + 5),
    "a bit of its numbers": turned(-70),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_noticed_and_made_anew(
    world, handed_over, alone, settings, caplog, damage
):
    whole = handed_over.read_bytes()
    handed_over.write_bytes(damage(whole))
    assert patients(world.collection) == 5
    assert "is damaged and is made anew" in caplog.text
    (path,) = settings.SNAPSHOTS.glob("world-*")
    storage.verify_file(path)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_the_command_that_prepares_notices_too(world, handed_over, settings, caplog, damage):
    handed_over.write_bytes(damage(handed_over.read_bytes()))
    call_command("prepare_snapshots", "world", verbosity=0)
    assert "is damaged and is made anew" in caplog.text
    (path,) = settings.SNAPSHOTS.glob("world-*")
    storage.verify_file(path)


def test_the_command_leaves_a_whole_file_alone(world, handed_over, capsys):
    before = handed_over.stat()
    call_command("prepare_snapshots", "world")
    after = handed_over.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_is_in_memory_does_not_ask_the_file_again(world, handed_over, damage):
    """Touching a map of a file that was cut short would end this process."""
    snapshot = snapshot_for(world.collection)
    content = handed_over.read_bytes()
    with handed_over.open("r+b") as file:
        file.truncate(0)
        file.write(damage(content))
    expected = snapshot.arrays()
    assert patients(world.collection) == 5
    assert {name: array.sum() for name, array in snapshot.arrays().items()} == {
        name: array.sum() for name, array in expected.items()
    }


def test_what_is_written_is_what_is_read(written):
    description, arrays = storage.load_file(written)
    assert description == {"version": 3, "token": "t"} and list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype and arrays[name].shape == array.shape
        assert arrays[name].tolist() == array.tolist()
        with pytest.raises(ValueError, match="read-only"):
            arrays[name][...] = 0
    assert written.stat().st_mode & 0o777 == 0o644


def memories(name: str = "kept.snapshot") -> list[Path]:
    wanted = f"/memfd:{storage.memory_name(name)} (deleted)"
    handles = [path for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return [path for path in handles if str(path.readlink()) == wanted]


def test_not_even_the_owner_can_cut_or_change_the_memory(written):
    _, arrays = storage.load_file(written)
    (handle,) = memories()
    with pytest.raises(PermissionError):
        os.truncate(handle, 10)
    with handle.open("r+b", buffering=0) as file, pytest.raises(PermissionError):
        file.write(b"x")
    assert arrays["bits"].sum() == ARRAYS["bits"].sum()


def test_memory_is_shared_within_a_process_and_given_back(written):
    first, second = storage.load_file(written), storage.load_file(written)
    assert len({path.stat().st_ino for path in memories()}) == 1
    del first
    assert memories() and second[1]["codes"].sum() == 21
    del second
    assert not memories()


SIBLINGS = """
import os, sys
import django
django.setup()
from pathlib import Path
from evidence.counting.snapshot.storage import load_file

path, children = Path(sys.argv[1]), []
for _ in range(4):
    reading, writing = os.pipe()
    go, release = os.pipe()
    child = os.fork()
    if not child:
        _, arrays = load_file(path)
        maps = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if "memfd:casebook" in line]
        os.write(writing, f"{maps[0][4]} {arrays['bits'].sum()}".encode())
        os.read(go, 1)  # until all have loaded
        os._exit(0)
    children.append((child, reading, release))
print(sorted({os.read(reading, 100).decode() for _, reading, _ in children}))
for child, _, release in children:
    os.write(release, b"x")
    os.waitpid(child, 0)
"""  # noqa: E501


def test_workers_that_come_at_once_share_one_copy(written):
    told = subprocess.run(
        [sys.executable, "-c", SIBLINGS, str(written)],
        cwd=ROOT,
        env=os.environ | VARIABLES,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    (only,) = eval(told.stdout)
    assert only.endswith(f" {ARRAYS['bits'].sum()}")


def test_memory_that_is_not_sealed_is_not_taken(written):
    """As that of a process which is still copying, or of somebody who may change it."""
    handle = os.memfd_create(storage.memory_name(written.name), os.MFD_ALLOW_SEALING)
    try:
        os.write(handle, b"x" * written.stat().st_size)
        assert storage.held_nearby(written.name) is None
        _, arrays = storage.load_file(written)
        assert arrays["codes"].tolist() == ARRAYS["codes"].tolist()
    finally:
        os.close(handle)


def test_where_the_kernel_has_no_such_memory_each_process_has_a_copy(written, monkeypatch):
    def refused(*arguments):
        raise OSError("not permitted")

    monkeypatch.setattr(os, "memfd_create", refused)
    _, arrays = storage.load_file(written)
    os.truncate(written, 0)
    for name, array in ARRAYS.items():
        assert arrays[name].tolist() == array.tolist()
        with pytest.raises(ValueError, match="read-only"):
            arrays[name][...] = 0
    with pytest.raises(storage.Damaged):
        storage.load_file(written)


def test_a_file_cut_while_it_is_being_copied_is_noticed(written, tmp_path):
    with written.open("rb") as file, mmap.mmap(-1, written.stat().st_size) as memory:
        os.truncate(written, 100)
        with pytest.raises(storage.Damaged, match="cut short"):
            storage.fill(memory, file, b"")


def test_a_file_that_cannot_be_read_stays(handed_over, world, monkeypatch, caplog):
    def refused(path):
        raise PermissionError("not ours")

    monkeypatch.setattr(store, "load_file", refused)
    assert store.load_snapshot(handed_over) is None
    assert "cannot be read: not ours" in caplog.text and handed_over.exists()


WRITING = """
import sys
import django
django.setup()
from pathlib import Path
from evidence.counting.snapshot.storage import write_file
from tests.test_snapshot_files import ARRAYS

for _ in range(60):
    write_file(Path(sys.argv[1]), {"version": 3}, ARRAYS)
"""


def test_of_processes_that_write_at_once_the_file_is_always_whole(written):
    command = [sys.executable, "-c", WRITING, str(written)]
    running = [subprocess.Popen(command, cwd=ROOT, env=os.environ | VARIABLES) for _ in range(2)]
    seen = 0
    while any(process.poll() is None for process in running):
        storage.verify_file(written)
        seen += 1
    assert seen and [process.returncode for process in running] == [0, 0]
    assert [path.name for path in written.parent.iterdir()] == [written.name]


@pytest.fixture
def no_room():
    """No file can grow beyond a hundred bytes, as on a disk that is full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_without_room_there_is_an_answer_and_nothing_is_left(
    world,
    large,  # noqa: F811
    settings,
    no_room,
    caplog,
):
    assert patients(world.collection) == 5
    assert "cannot be kept for other processes" in caplog.text
    assert not list(settings.SNAPSHOTS.iterdir())


def test_the_command_says_that_there_is_no_room(world, large, settings, no_room):  # noqa: F811
    with pytest.raises(CommandError, match="snapshot of world cannot be kept"):
        call_command("prepare_snapshots", "world", verbosity=0)
    assert not list(settings.SNAPSHOTS.glob("world-*"))


def test_a_collection_is_drawn_though_there_is_no_room_for_its_snapshot(
    db,
    large,  # noqa: F811
    settings,
    tmp_path,
    capsys,
):
    (tmp_path / "file").write_text("")
    settings.SNAPSHOTS = tmp_path / "file"
    call_command("generate_cohort", patients=10, seed=1, collection="drawn", verbosity=0)
    assert "cannot be kept" in capsys.readouterr().err
    assert Patient.objects.filter(study__collection__slug="drawn").count() == 10


def test_a_builder_that_failed_is_not_started_again_at_once(world, settings, tmp_path, monkeypatch):
    settings.SNAPSHOTS = tmp_path / "snapshots"
    monkeypatch.setattr(store, "AT_ONCE", 0)
    monkeypatch.setattr(store, "builders", {})
    started, now = [], [1000.0]

    class Builder:
        def __init__(self, *arguments, **options):
            started.append(self)
            self.returncode = None

        def poll(self):
            return self.returncode

    monkeypatch.setattr(subprocess, "Popen", Builder)
    monkeypatch.setattr(store, "monotonic", lambda: now[0])
    assert patients(world.collection) == 5
    make_treatment(make_patient(make_study(world.collection)))

    def asked() -> int:
        with consistency.consistent_read():
            assert patients(world.collection) == 5 and consistency.stale_version() is not None
        return len(started)

    assert (asked(), asked()) == (1, 1)
    started[0].returncode = 1
    assert asked() == 1
    now[0] += store.RETRY
    assert asked() == 2
    started[1].returncode = 0  # what it left is not there: somebody removed it
    assert asked() == 3


def test_what_was_left_behind_is_cleared_away(world, large, settings):  # noqa: F811
    assert patients(world.collection) == 5
    (kept,) = settings.SNAPSHOTS.glob("world-*")
    folder = settings.SNAPSHOTS / f"{kept.name.rsplit('-', 2)[0]}-0123-4567"
    folder.mkdir()  # as earlier versions of Casebook left them
    (folder / "studies.npy").write_text("x")
    old, new = (settings.SNAPSHOTS / f"{kept.name}.{name}.part" for name in ("old", "new"))
    for path in (old, new):
        path.write_text("x")
    os.utime(old, (1, 1))
    make_treatment(make_patient(make_study(world.collection)))
    call_command("prepare_snapshots", "world", verbosity=0)
    left = {path.name for path in settings.SNAPSHOTS.iterdir()} - {"world.lock"}
    assert new.name in left and len(left) == 2 and kept.name not in left


def test_a_lock_that_a_file_system_does_not_have_is_no_obstacle(written, monkeypatch):
    def refused(*arguments):
        raise OSError("no locks here")

    monkeypatch.setattr(fcntl, "flock", refused)
    assert storage.load_file(written)[0]["version"] == 3


def test_a_process_that_shows_no_handles_is_passed_over(written, monkeypatch):
    monkeypatch.setattr(storage, "children_of", lambda process: [0])
    assert storage.held_nearby(written.name) is None

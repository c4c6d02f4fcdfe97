"""A disk that is full: a small file system of its own, so that nothing else of the machine is."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .harness import POSTGRESQL, SQLITE, Case, fault
from .servers import Casebook, Cluster
from .writing import book, state

# Snapshots are kept as files of large collections alone; this one counts as large.
SNAPSHOT = """
from django.core.management import call_command
from evidence.counting.snapshot import store
store.AT_ONCE = 1000
call_command("prepare_snapshots", "synthetic")
"""


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of so many megabytes. Raises RuntimeError where mounting is not permitted: a
    full disk that was not tried is no full disk that was survived.
    """
    place = folder / "disk"
    place.mkdir()
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    mount = [
        *as_root,
        "mount",
        "-t",
        "tmpfs",
        "-o",
        f"size={megabytes}m,mode=755,uid={os.geteuid()}",
        "tmpfs",
        str(place),
    ]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"NOT TRIED: a file system cannot be mounted here: {done.stderr}")
    try:
        yield place
    finally:
        subprocess.run([*as_root, "umount", "--lazy", str(place)], check=False)


def fill(place: Path) -> Path:
    """Leaves not one byte free."""
    filler = place / "filler"
    with filler.open("wb") as file:
        for size in (1 << 20, 4096):
            block = bytes(size)
            while True:
                try:
                    os.write(file.fileno(), block)
                except OSError:
                    break
    return filler


def refused(case: Case, what: str, casebook: Casebook, *words: str) -> None:
    """A command that has no room says so in words and leaves nothing of it."""
    process = casebook.begin(*words)
    said, _ = process.communicate(timeout=300)
    case.check(process.returncode, f"{what} was made on a full disk")
    case.check("Traceback" not in said, f"{what}: {said[-600:]}")
    case.remark(f"{what} while full: {' '.join(said.split())[-160:]}")


def files_in(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}


def disk_full(case: Case, disk: Path, database: str, **variables: str) -> None:
    """Reading goes on while the disk is full, writing is refused plainly, and nothing is left half
    written; afterwards everything works.
    """
    casebook = case.casebook = Casebook(disk, database, case.folder / "log", **variables)
    casebook.manage("backup", "--verbosity", "0")
    casebook.manage("import_workbook", book(casebook, 4), "--verbosity", "0")
    casebook.manage("publish_study", "published", "series-1", "--verbosity", "0")
    casebook.start()
    curator = case.curator()
    case.read()
    curator.save_until(time.monotonic() + 1)
    before, there = state(casebook)[1], files_in(disk)
    acknowledged = len(curator.acknowledged)
    filler = fill(disk)
    case.broken()
    curator.save_until(time.monotonic() + 5, pause=0.4)
    case.check(curator.answers, "every save was taken on a full disk")
    refused(case, "a backup", casebook, "backup")
    refused(case, "a release", casebook, "release")
    try:
        casebook.python(SNAPSHOT)
        case.check(False, "a snapshot was kept on a full disk")
    except RuntimeError as error:
        case.check("cannot be kept" in str(error), f"a snapshot: {str(error)[-500:]}")
    left = {name for name in files_in(disk) - there if name.startswith(("backups", "snapshots"))}
    left = {name for name in left if not name.endswith(".lock")}
    case.check(not left, f"left behind: {left}")
    filler.unlink()
    case.healed()
    curator.save_until(time.monotonic() + 2)
    case.settle()
    case.check(len(curator.acknowledged) > acknowledged, "nothing can be saved afterwards")
    told = next(iter(curator.answers), "")
    case.remark(f"a save while full: {told}")
    after = state(casebook)[1]
    grown = {table for table in after if after[table] != before[table]}
    expected = {"evidence_studyversion", "evidence_studydraft", "evidence_dataversion"}
    case.check(grown <= expected, f"other tables changed: {grown - expected}")
    case.compare(curator)
    casebook.manage("check_backup")
    for words in (("backup",), ("release",), ("check_backup",)):
        casebook.manage(*words)
    casebook.python(SNAPSHOT)
    case.evidence_holds()


@fault("the disk with the database and var/ is full", on=(SQLITE,))
def disk_full_sqlite(case: Case) -> None:
    with small_disk(case.folder, 160) as disk:
        address, more = case.home.fresh(disk)
        try:
            disk_full(case, disk, address, **more)
        finally:
            case.casebook.stop()


@fault("the disk with var/ is full, PostgreSQL's is not", on=(POSTGRESQL,))
def disk_full_beside_postgresql(case: Case) -> None:
    with small_disk(case.folder, 64) as disk:
        address, more = case.home.fresh(disk)
        casebook = case.casebook = Casebook(disk, address, case.folder / "log", **more)
        try:
            casebook.manage("backup", "--verbosity", "0")
            casebook.start()
            curator = case.curator()
            case.read()
            there, filler = files_in(disk), fill(disk)
            case.broken()
            curator.save_until(time.monotonic() + 3)
            case.check(not curator.answers, f"saves need no disk of ours: {curator.answers[:2]}")
            refused(case, "a backup", casebook, "backup")
            left = files_in(disk) - there - {"filler", "backups/.lock"}
            case.check(not left, f"left behind: {left}")
            filler.unlink()
            case.healed()
            case.settle()
            casebook.manage("backup")
            casebook.manage("check_backup")
            case.compare(curator)
            case.evidence_holds()
        finally:
            casebook.stop()


@fault("the disk of PostgreSQL is full", on=(POSTGRESQL,))
def disk_full_postgresql(case: Case) -> None:
    """The cluster is one of this fault's own. PostgreSQL may stop itself where its log cannot be
    written; it is then started again once there is room, as systemd does.
    """
    options = "-c shared_buffers=32MB -c max_wal_size=48MB -c min_wal_size=32MB"
    with small_disk(case.folder, 256) as disk:
        cluster = Cluster(disk, "postgresql", options)
        cluster.initialize()
        cluster.start()
        try:
            cluster.execute("CREATE DATABASE casebook", "postgres")
            source, more = case.home.fresh(case.folder)
            kept = case.home.kept(source, case.folder)
            cluster.run("pg_restore", "-d", cluster.address, str(kept))
            casebook = case.casebook = Casebook(case.folder, cluster.address, **more)
            casebook.start()
            curator = case.curator()
            case.read()
            curator.save_until(time.monotonic() + 1)
            acknowledged = len(curator.acknowledged)
            filler = fill(disk)
            case.broken()
            big = "CREATE TABLE filling AS SELECT repeat('x', 900) FROM generate_series(1, 200000)"
            try:
                cluster.execute(big)
                case.check(False, "the disk was not full")
            except Exception as error:
                case.remark(f"PostgreSQL says: {' '.join(str(error).split())[:120]}")
            curator.save_until(time.monotonic() + 6, pause=0.4)
            filler.unlink()
            started = time.monotonic()
            try:
                cluster.execute("SELECT 1")
                case.remark("PostgreSQL stayed up")
            except Exception:
                cluster.start()
                case.remark(f"PostgreSQL had stopped itself; {time.monotonic() - started:.1f} s")
            case.healed()
            curator.save_until(time.monotonic() + 3)
            case.settle()
            case.check(len(curator.acknowledged) > acknowledged, "nothing can be saved afterwards")
            if curator.answers:
                case.remark(f"a save while full: {curator.answers[0]}")
            case.compare(curator)
            case.evidence_holds()
        finally:
            case.casebook.stop()
            cluster.end()

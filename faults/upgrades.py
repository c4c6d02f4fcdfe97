"""Databases that earlier versions' own code made, brought to this one; and back.

tests/test_upgrades.py upgrades what each earlier version held, record by record. Here the versions
themselves run: their commit is checked out beside this one, makes a database as `make run` did, and
a curator's account; then this version takes it over. Back is by the backup made before, put into
the database again: the earlier code then runs on it as if nothing had been.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .harness import Case, Result, fault
from .readers import WARM, ask
from .servers import ROOT, Casebook

LATEST = 2  # versions, of those that tests/upgrades names with their commits
DRAWN = 300  # patients of a synthetic collection
COUNTS = """
import json
from django.db import connection
with connection.cursor() as cursor:
    counts = {}
    for table in connection.introspection.table_names(cursor):
        if table.startswith("sqlite_"):
            continue
        cursor.execute(f'SELECT count(*) FROM "{table}"')
        counts[table] = cursor.fetchone()[0]
print(json.dumps(counts))
"""
ACCOUNT = """
from django.contrib.auth import get_user_model
get_user_model().objects.create_superuser("alice", password="for faults alone")
"""
# What an upgrade adds to by itself, and what is no record of anybody's.
GROWS = (
    "django_",
    "auth_permission",
    "auth_group_permissions",
    "evidence_dataversion",
    "evidence_loadedrecord",
)


def earlier() -> list[tuple[str, str]]:
    """Version and commit of the latest finished versions, the oldest first."""
    held = []
    for path in (ROOT / "tests" / "upgrades").glob("[0-9]*.json"):
        head = path.read_text(encoding="utf-8")[:200]
        version, commit = (
            json.loads(line.rstrip(",").partition(": ")[2]) for line in head.splitlines()[1:3]
        )
        if "-to-" not in version:  # one that was upgraded before
            held.append((tuple(map(int, version.split("."))), commit))
    return [(".".join(map(str, version)), commit) for version, commit in sorted(held)[-LATEST:]]


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """The code of a commit in a folder of its own."""
    place = folder / f"code-{commit}"
    place.mkdir()
    archive = subprocess.run(
        ["git", "archive", commit], cwd=ROOT, capture_output=True, check=True
    ).stdout
    subprocess.run(["tar", "x"], cwd=place, input=archive, check=True)
    try:
        yield place
    finally:
        shutil.rmtree(place)


def by(code: Path, casebook: Casebook, *words: str, script: str = "") -> str:
    """What the code in this folder says, run on the database of a Casebook."""
    arguments = (
        ["manage.py", *words] if words else ["-c", f"import django; django.setup()\n{script}"]
    )
    done = subprocess.run(
        [sys.executable, *arguments], cwd=code, env=casebook.environment,
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{words or 'script'}: {done.stdout[-500:]} {done.stderr[-1500:]}")
    return done.stdout


@fault("an earlier version's own database is taken over, and put back")
def upgraded(case: Case) -> None:
    case.rows = []
    for version, commit in earlier():
        case.result = Result(f"upgrade from {version} (its own code, {commit})", case.home.database)
        case.rows.append(case.result)
        with checked_out(commit, case.folder) as code:
            upgrade(case, version, code)


def upgrade(case: Case, version: str, code: Path) -> None:
    folder = case.folder / version
    folder.mkdir()
    casebook = Casebook(folder, case.home.empty(folder))
    by(code, casebook, "prepare", "--verbosity", "0")
    by(code, casebook, "generate_cohort", "--patients", str(DRAWN), "--verbosity", "0")
    by(code, casebook, script=ACCOUNT)
    by(code, casebook, "check_evidence")
    before = json.loads(by(code, casebook, script=COUNTS))
    kept = case.home.kept(casebook.environment["DATABASE_URL"], folder)
    began = time.monotonic()
    casebook.manage("prepare", "--verbosity", "0")
    seconds = time.monotonic() - began
    casebook.manage("check_evidence")
    after = json.loads(casebook.python(COUNTS))
    lost = {
        table: (count, after.get(table))
        for table, count in before.items()
        if after.get(table) != count
        and not (table.startswith(GROWS) and after.get(table, 0) >= count)
    }
    case.check(not lost, f"rows before and after: {lost}")
    casebook.start()
    try:
        got = {address: ask(casebook.port, address, 60).outcome for address in WARM}
    finally:
        casebook.stop()
    wrong = {address: outcome for address, outcome in got.items() if outcome != "200"}
    case.check(not wrong, f"after the upgrade: {wrong}")
    case.home.put_back(kept, casebook.environment["DATABASE_URL"])
    case.check(json.loads(by(code, casebook, script=COUNTS)) == before, "not put back as it was")
    by(code, casebook, "check_evidence")
    case.result.readers = {"right": len(got) - len(wrong)} | (
        {"wrong": len(wrong)} if wrong else {}
    )
    case.result.seconds = round(seconds, 1)
    rows = sum(count for table, count in before.items() if not table.startswith(GROWS))
    case.lost(
        f"nothing: {rows} rows of {len(before)} tables are there, check_evidence finds nothing; "
        f"put back from the copy made before, {version} runs as it did"
    )

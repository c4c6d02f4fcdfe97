"""Backup and restore: a drill on the suite's kind of database, and every kind of damage."""

import errno
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
from django.conf import settings as ours
from django.core.management import CommandError, call_command
from django.db import connection

from evidence.backups import BackupError, check_backup, interrupted, kept_backups
from evidence.backups.archive import MANIFEST
from evidence.backups.databases import need_casebook
from evidence.backups.interrupted import files_in_place, take_back
from evidence.backups.making import alone_in, remove_old
from evidence.models import DataVersion

from .processes import ROOT, SMALL, environment

pytestmark = pytest.mark.slow
ON_POSTGRESQL = ours.DATABASES["default"]["ENGINE"].endswith("postgresql")
ADDRESSES = ["/small/", "/small/patients/", "/small/patients.csv", "/api/v1/small/studies/"]

WRITING = """
import django
django.setup()
from django.db import transaction
from evidence.models import JAKInhibitor, Patient, Study, Treatment

study, drug = Study.objects.get(), JAKInhibitor.objects.get()
for number in range(100, 5000):
    with transaction.atomic():
        patient = Patient.objects.create(study=study, slug=f"one-{number}", label="x", state="published")
        Treatment.objects.create(patient=patient, inhibitor=drug, number=1)
    print(number, flush=True)
"""  # noqa: E501
READING = """
import json, re, sys
import django
django.setup()
from hashlib import sha256
from django.db import connection
from django.test import Client
from evidence.models import DataVersion

def rows(table):
    cursor.execute(f"SELECT * FROM {table}")
    return sha256(repr(sorted(map(repr, cursor.fetchall()))).encode()).hexdigest(), cursor.rowcount

with connection.cursor() as cursor:
    tables = connection.introspection.table_names(cursor)
    held = {table: rows(table)[0] for table in sorted(tables)}
    counts = {}
    for table in tables:
        cursor.execute(f"SELECT count(*) FROM {table}")
        counts[table] = cursor.fetchone()[0]
pages = {}
for address in json.loads(sys.argv[1]):
    answer = Client(headers={"host": "localhost"}).get(address)
    body = b"".join(answer) if answer.streaming else answer.content
    # What a restored state says of itself is its own: its number, and the day it came to be.
    body = re.sub(rb"(?i)(data.version\\W{1,4})[0-9]+(, changed [^.<]+)?", rb"\\1", body)
    pages[address] = answer.status_code, sha256(body).hexdigest(), answer["ETag"]
version = DataVersion.objects.get()
print(json.dumps({"held": held, "counts": counts, "pages": pages, "number": version.number,
                  "token": version.token, "history": version.history, "identity": str(version.identity)}))
"""  # noqa: E501


class Site:
    """A database and a folder of private files, and commands that see nothing else."""

    def __init__(self, folder: Path, url: str):
        folder.mkdir(exist_ok=True)
        self.folder, self.url = folder, url
        self.files, self.backups = folder / "files", folder / "backups"

    @property
    def variables(self) -> dict[str, str]:
        ways = {"CASEBOOK_PRIVATE_FILES": str(self.files), "CASEBOOK_BACKUPS": str(self.backups)}
        return environment(self.folder, **ways) | {"DATABASE_URL": self.url}

    def script(self, text: str, *words: str) -> str:
        done = self.started([sys.executable, "-c", text, *words])
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def started(self, command: list[str], **options) -> subprocess.CompletedProcess:
        return subprocess.run(
            command,
            cwd=ROOT,
            env=self.variables,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            **options,
        )

    def manage(self, *words: str, **options) -> subprocess.CompletedProcess:
        return self.started([sys.executable, "manage.py", *map(str, words)], **options)

    def told(self) -> dict:
        """All rows (as hashes), all counts, the pages, and the version."""
        return json.loads(self.script(READING, json.dumps(ADDRESSES)))


@contextmanager
def sites(home: Path) -> Iterator[Callable[[str], Site]]:
    """make(name) -> an empty Site on the kind of database the suite runs on."""
    made = []

    def make(name: str) -> Site:
        folder = home / name
        if not ON_POSTGRESQL:
            return Site(folder, f"sqlite:///{folder / 'casebook.sqlite3'}")
        default = ours.DATABASES["default"]
        database = f"drill_{os.getpid()}_{name}"
        with psycopg.connect(**address_of(default), autocommit=True) as server:
            server.execute(f"CREATE DATABASE {database}")
        made.append(database)
        user, host = default["USER"], default["HOST"] or "localhost"
        where = f"{host}:{default['PORT'] or 5432}/{database}"
        return Site(folder, f"postgres://{user}:{default['PASSWORD']}@{where}")

    try:
        yield make
    finally:
        for database in made:
            default = address_of(ours.DATABASES["default"])
            with psycopg.connect(**default, autocommit=True) as server:
                server.execute(f"DROP DATABASE {database} WITH (FORCE)")


@pytest.fixture
def site(tmp_path) -> Iterator[Callable[[str], Site]]:
    with sites(tmp_path) as make:
        yield make


def address_of(database: dict) -> dict:
    words = {"user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    found = {word: database[name] for word, name in words.items() if database[name]}
    return found | {"dbname": "postgres"}


def test_drill(site):
    """A backup under writing, restored elsewhere; then one at rest, and everything is equal."""
    here, there = site("here"), site("there")
    here.script(SMALL)
    (here.files / "papers").mkdir(parents=True)
    (here.files / "papers" / "one.pdf").write_bytes(bytes(range(256)) * 5000)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITING],
        cwd=ROOT,
        env=here.variables,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert writer.stdout.readline() == "100\n"
        done = here.manage("backup")
        assert done.returncode == 0, done.stderr
        assert writer.poll() is None
    finally:
        writer.kill()
        written = writer.communicate()[0].split()
    (first,) = here.backups.glob("*.zip")
    assert first.stat().st_mode & 0o777 == 0o600

    done = there.manage("restore", first)
    assert done.returncode == 0, done.stderr
    manifest, held = manifest_of(first), there.told()
    assert held["counts"] == manifest["tables"]
    patients = held["counts"]["evidence_patient"]
    assert 5 <= patients <= 4 + 1 + len(written) + 1
    assert held["counts"]["evidence_treatment"] == patients, "no transaction was split"

    done = here.manage("backup")
    assert done.returncode == 0 and len(list(here.backups.glob("*.zip"))) == 2
    second = max(here.backups.glob("*.zip"))
    done = there.manage("restore", second)
    assert done.returncode != 0 and "--force" in done.stderr
    assert there.told() == held, "nothing was changed"
    done = there.manage("restore", "--force", second)
    assert done.returncode == 0, done.stderr

    original, restored = here.told(), there.told()
    assert original["counts"] == restored["counts"]
    for each in (original, restored):
        del each["held"]["evidence_dataversion"]
    assert original["held"] == restored["held"]
    for address in ADDRESSES:
        status, body, etag = original["pages"][address]
        assert status == 200
        assert restored["pages"][address][:2] == [status, body], address
        assert restored["pages"][address][2] != etag, "what is kept of another state is not taken"
    assert restored["number"] > max(original["number"], held["number"])
    assert (
        restored["history"] == [restored["token"]] and restored["identity"] == original["identity"]
    )
    kept = (there.files / "papers" / "one.pdf").read_bytes()
    assert kept == (here.files / "papers" / "one.pdf").read_bytes()
    (before,) = there.backups.glob("*-before-restore.zip")
    done = there.manage("restore", "--force", "--discard", before)
    assert done.returncode == 0 and there.told()["counts"] == held["counts"]
    assert list(there.backups.glob("*.zip")) == [before]
    assert here.manage("check_backup", "--all", "--max-age", "1").returncode == 0


def manifest_of(path: Path) -> dict:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(MANIFEST))


LOGGING_IN = """
import django
django.setup()
from django.contrib.auth.models import User
from django.test import Client

client = Client()
client.force_login(User.objects.create_user("ada", password="a long password"))
print(client.session.session_key)
"""
IS_LOGGED_IN = """
import sys
import django
django.setup()
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

request = HttpRequest()
request.session = SessionStore(sys.argv[1])
print(get_user(request).is_authenticated, User.objects.count())
"""


def test_no_session_comes_back(site):
    """Whoever logged out after the backup stays so; the account is there."""
    here = site("here")
    here.script(SMALL)
    session = here.script(LOGGING_IN).strip()
    assert here.script(IS_LOGGED_IN, session).split() == ["True", "1"]
    assert here.manage("backup").returncode == 0
    (path,) = here.backups.glob("*.zip")
    done = here.manage("restore", "--force", "--discard", path)
    assert done.returncode == 0 and "log in again" in done.stdout, done.stderr
    assert here.script(IS_LOGGED_IN, session).split() == ["False", "1"]


@pytest.fixture(scope="module")
def archive_made(tmp_path_factory) -> bytes:
    """An archive of the kind of database the suite runs on, made once."""
    with sites(tmp_path_factory.mktemp("archive")) as make:
        here = make("made")
        here.script(SMALL)
        here.files.mkdir()
        (here.files / "one.pdf").write_bytes(b"a paper" * 1000)
        done = here.manage("backup")
        assert done.returncode == 0, done.stderr
        (path,) = here.backups.glob("*.zip")
        return path.read_bytes()


@pytest.fixture
def archive(archive_made, tmp_path) -> Path:
    path = tmp_path / "casebook-20270101T000000000000Z.zip"
    path.write_bytes(archive_made)
    return path


def cut(path: Path, length: int) -> None:
    os.truncate(path, length if length >= 0 else path.stat().st_size + length)


def turn_bit(path: Path, name: str) -> None:
    """One bit in the middle of a member's compressed bytes is another one."""
    with zipfile.ZipFile(path) as opened:
        member = opened.getinfo(name)
    content = bytearray(path.read_bytes())
    content[member.header_offset + 60 + member.compress_size // 2] ^= 1
    path.write_bytes(content)


def write_anew(path: Path, change=lambda manifest, members: None, *, hashes=False) -> None:
    """The same archive with a changed manifest or members, and a manifest's hash that is right;
    those of the members too where `hashes`.
    """
    with zipfile.ZipFile(path) as opened:
        members = {name: opened.read(name) for name in opened.namelist() if name != MANIFEST}
        manifest = json.loads(opened.read(MANIFEST))
    change(manifest, members)
    if hashes:
        manifest["members"] = [
            {"name": name, "size": len(content), "sha256": sha256(content).hexdigest()}
            for name, content in members.items()
        ]
    text = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
        opened.writestr(MANIFEST, text)
        opened.comment = sha256(text).hexdigest().encode()


def database_in(members: dict) -> str:
    return next(name for name in members if name.startswith("database"))


def without_manifest(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("database.sqlite3", b"x")


def other_manifest(path: Path) -> None:
    """The manifest says something else, and its hash is the one before."""
    comment = zipfile.ZipFile(path).comment
    write_anew(path, lambda manifest, members: manifest.update(made="2020-01-01"))
    with zipfile.ZipFile(path, "a") as opened:
        opened.comment = comment


def spoil_database(manifest, members) -> None:
    """As a disk that lost a page before the backup was made."""
    name = database_in(members)
    content = bytearray(members[name])
    middle = len(content) // 2
    content[middle : middle + 4096] = bytes(4096)
    members[name] = bytes(content)


def lead_elsewhere(manifest, members) -> None:
    members["files/../../../elsewhere"] = b"x"


def forget_rows(manifest, members) -> None:
    manifest["members"][0]["sha256"] = "0" * 64


DAMAGES = {
    "there is none": (Path.unlink, "There is no"),
    "empty": (lambda path: cut(path, 0), "damaged"),
    "half of it": (lambda path: cut(path, path.stat().st_size // 2), "damaged"),
    "cut by a byte": (lambda path: cut(path, -1), "damaged"),
    "something else": (lambda path: path.write_bytes(b"x" * 5000), "damaged"),
    "a bit of a private file": (lambda path: turn_bit(path, "files/one.pdf"), "damaged"),
    "a bit of the manifest": (lambda path: turn_bit(path, MANIFEST), "damaged"),
    "no manifest": (without_manifest, "no manifest"),
    "another manifest": (other_manifest, "not what was written"),
    "a hash that is another": (lambda path: write_anew(path, forget_rows), "not what was written"),
    "a member too many": (
        lambda path: write_anew(path, lambda manifest, members: members.update(other=b"x")),
        "not what its manifest lists",
    ),
    "a member less": (
        lambda path: write_anew(path, lambda manifest, members: members.pop("files/one.pdf")),
        "not what its manifest lists",
    ),
    "a name that leads elsewhere": (
        lambda path: write_anew(path, lead_elsewhere, hashes=True),
        "leads elsewhere",
    ),
    "a database that was damaged": (
        lambda path: write_anew(path, spoil_database, hashes=True),
        "damaged|cannot be read|other rows|pg_restore failed",
    ),
    "another format": (
        lambda path: write_anew(path, lambda manifest, members: manifest.update(format=99)),
        "of format 99",
    ),
    "a newer Casebook": (
        lambda path: write_anew(
            path, lambda manifest, members: manifest["migrations"].append("evidence.9999_new")
        ),
        "newer Casebook: it has evidence.9999_new",
    ),
    "another kind of database": (
        lambda path: write_anew(path, lambda manifest, members: manifest.update(vendor="oracle")),
        "The archive is of oracle",
    ),
}


def put(**facts):
    return lambda manifest, members: manifest.update(facts)


SHAPES = {
    "a number too large": put(data_version={"number": 2**70, "token": "x"}),
    "a number below 0": put(data_version={"number": -1, "token": "x"}),
    "a number that is true": put(data_version={"number": True, "token": "x"}),
    "no number": put(data_version={"token": "x"}),
    "a version that is a list": put(data_version=[]),
    "migrations of numbers": put(migrations=[1]),
    "migrations that are none": put(migrations=None),
    "tables that are a list": put(tables=[]),
    "rows in words": put(tables={"evidence_study": "many"}),
    "vendor a list": put(vendor=["sqlite"]),
    "server in words": put(server="new"),
    "made no date": put(made=5),
    "made without a zone": put(made="2026-01-01"),
    **{
        f"no {fact}": lambda manifest, members, fact=fact: manifest.pop(fact)
        for fact in ("data_version", "migrations", "tables", "vendor", "server", "made")
    },
}


@pytest.mark.parametrize("change", SHAPES.values(), ids=SHAPES)
def test_a_manifest_of_another_shape_is_refused(db, archive, change):
    write_anew(archive, change)
    with pytest.raises(BackupError, match=r"its manifest has no .* that could be right"):
        check_backup(archive)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ([], "no object"),
        ("x", "no object"),
        ({}, "of format None"),
        ({"members": 5}, "no members"),
        ({"members": [5]}, "no members"),
        ({"members": [{"name": "x"}]}, "no members"),
        ({"members": []}, "not one database"),
    ],
)
def test_a_manifest_that_is_none_is_refused(db, archive, manifest, message):
    whole = manifest_of(archive)
    text = json.dumps(whole | manifest if manifest and manifest != "x" else manifest).encode()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(MANIFEST, text)
        opened.comment = sha256(text).hexdigest().encode()
    with pytest.raises(BackupError, match=message):
        check_backup(archive)


LACKS = {
    "migrations": (put(migrations=[]), "no database of Casebook"),
    "tables": (
        lambda manifest, members: manifest["tables"].pop("evidence_study"),
        "no database of",
    ),
    "a version": (put(data_version={"number": 0, "token": ""}), "no data version"),
}


@pytest.mark.parametrize(("change", "message"), LACKS.values(), ids=LACKS)
def test_an_archive_of_another_database_is_not_whole(db, archive, change, message):
    """As backups of an empty database were."""
    facts = manifest_of(archive)
    change(facts, {})
    with pytest.raises(BackupError, match=message):
        need_casebook(facts, studies=False)
    facts = manifest_of(archive)
    facts["tables"]["evidence_study"] = 0
    need_casebook(facts, studies=False)
    with pytest.raises(BackupError, match="no study"):
        need_casebook(facts, studies=True)
    write_anew(archive, put(migrations=[]))
    with pytest.raises(CommandError, match="no database of Casebook"):
        call_command("check_backup", archive)


MIGRATING = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""


def test_another_database_replaces_no_backup(site):
    """One that is not there, one without tables, and one that was only migrated."""
    here = site("here")
    here.backups.mkdir()
    (kept,) = named(here.backups, 1)
    done = here.manage("backup", "--keep", "1")
    assert done.returncode == 1 and "DATABASE_URL" in done.stderr, done.stderr
    if not ON_POSTGRESQL:
        assert not (here.folder / "casebook.sqlite3").exists()
        (here.folder / "casebook.sqlite3").touch()
        done = here.manage("backup", "--keep", "1")
        assert done.returncode == 1 and "no database of Casebook" in done.stderr, done.stderr
    here.script(MIGRATING)
    done = here.manage("backup", "--keep", "1")
    assert done.returncode == 1 and "DATABASE_URL" in done.stderr, done.stderr
    assert {path.name for path in here.backups.iterdir()} == {kept.name, ".lock"}


def test_what_is_whole_is_found_whole(db, archive):
    assert check_backup(archive)["tables"]["evidence_patient"] == 4
    write_anew(archive, hashes=True)
    check_backup(archive)


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_archive_is_refused(db, archive, damage, message):
    damage(archive)
    with pytest.raises(BackupError, match=message):
        check_backup(archive)
    with pytest.raises(CommandError, match=message):
        call_command("check_backup", archive)
    assert not (archive.parent.parent / "elsewhere").exists()


@pytest.mark.parametrize("part", ["database", MANIFEST])
def test_every_part_is_held_to_its_hash(db, archive, part):
    with zipfile.ZipFile(archive) as opened:
        name = next(name for name in opened.namelist() if name.startswith(part))
    turn_bit(archive, name)
    with pytest.raises(BackupError, match="damaged"):
        check_backup(archive)


def test_restoring_a_damaged_archive_changes_nothing(site, archive):
    there = site("there")
    there.script(SMALL)
    before = there.told()
    for damage in ("half of it", "a bit of a private file", "a newer Casebook"):
        whole = archive.read_bytes()
        DAMAGES[damage][0](archive)
        done = there.manage("restore", "--force", archive)
        assert done.returncode != 0 and "Nothing was changed" in done.stderr, damage
        archive.write_bytes(whole)
    assert there.told() == before and not there.files.exists()
    assert [path.name for path in there.backups.iterdir()] == [".lock"]


def test_a_broken_sqlite_file_is_put_aside(tmp_path):
    """Which has to be forced, and --discard says that no backup of it can be made."""
    here = Site(tmp_path / "here", f"sqlite:///{tmp_path / 'here' / 'casebook.sqlite3'}")
    here.script(SMALL)
    assert here.manage("backup").returncode == 0
    (path,) = here.backups.glob("*.zip")
    expected, file = here.told(), here.folder / "casebook.sqlite3"
    file.write_bytes(b"no database" * 1000)
    for words, said in ((), "--force"), (("--force",), "--discard"):
        done = here.manage("restore", *words, path)
        assert done.returncode != 0 and said in done.stderr, done.stderr
    done = here.manage("restore", "--force", "--discard", path)
    assert done.returncode == 0, done.stderr
    assert here.told()["counts"] == expected["counts"] and file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in here.folder.glob("*.broken-*")]


NO_ROOM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
import django
django.setup()
from django.core.management import call_command
call_command("backup")
"""


def test_without_room_nothing_is_left_and_earlier_backups_stay(site):
    here = site("here")
    here.script(SMALL)
    assert here.manage("backup", "--keep", "1").returncode == 0
    before = sorted(path.name for path in here.backups.iterdir())
    here.files.mkdir()
    (here.files / "large").write_bytes(os.urandom(300_000))
    done = here.started([sys.executable, "-c", NO_ROOM])
    assert done.returncode != 0
    assert sorted(path.name for path in here.backups.iterdir()) == before


def named(folder: Path, *days: int) -> list[Path]:
    paths = [folder / f"casebook-202601{day:02}T000000000000Z.zip" for day in days]
    for path in paths:
        path.write_bytes(b"x")
    return paths


def test_the_oldest_go(tmp_path):
    first, second, third = named(tmp_path, 1, 2, 3)
    apart = tmp_path / "casebook-20260101T000000000000Z-before-restore.zip"
    apart.write_bytes(b"x")
    (tmp_path / "casebook-of-mine.zip").write_bytes(b"x")
    assert [backup.path for backup in kept_backups(tmp_path)] == [first, second, third]
    assert remove_old(tmp_path, keep=0, days=0, made=third) == []
    assert remove_old(tmp_path, keep=2, days=0, made=third) == [first]
    assert remove_old(tmp_path, keep=0, days=1, made=third) == [second], "the newest stays"
    assert third.exists() and apart.exists()


def test_an_archive_of_the_future_replaces_none(site):
    """As one made while the clock was ahead: it removes no other and makes nobody content."""
    here = site("here")
    here.script(SMALL)
    ahead = here.backups / "casebook-29990101T000000000000Z.zip"
    assert here.manage("backup").returncode == 0
    (first,) = here.backups.glob("*.zip")
    first.rename(ahead)
    done = here.manage("check_backup", "--max-age", "26")
    assert done.returncode == 1 and "no backup of the last 26 hours" in done.stderr
    done = here.manage("backup", "--keep", "1", "--days", "1")
    assert done.returncode == 0 and f"{ahead.name} is dated in the future" in done.stderr
    (made,) = set(here.backups.glob("*.zip")) - {ahead}
    done = here.manage("check_backup", "--max-age", "26")
    assert done.returncode == 1 and f"{ahead.name} is dated in the future" in done.stderr
    assert f"{made.name}: whole" in done.stdout
    assert here.manage("check_backup", ahead).returncode == 0, "what is asked for by its name"


def test_the_one_just_made_stays_where_the_clock_went_back(tmp_path):
    first, second, third = named(tmp_path, 1, 2, 3)
    assert remove_old(tmp_path, keep=1, days=1, made=first) == [second]
    assert first.exists() and third.exists()


def test_checking_the_age_of_the_newest(db, tmp_path, archive):
    with pytest.raises(CommandError, match="no backup in"):
        call_command("check_backup", folder=tmp_path / "nowhere")
    named(tmp_path, 1)
    archive.rename(tmp_path / "casebook-20260102T000000000000Z.zip")
    call_command("check_backup", folder=tmp_path, verbosity=0)
    with pytest.raises(CommandError, match="no backup of the last 30 hours"):
        call_command("check_backup", folder=tmp_path, max_age=30)
    with pytest.raises(CommandError, match="damaged"):
        call_command("check_backup", "--all", folder=tmp_path, verbosity=0)


def test_one_at_a_time(tmp_path):
    with alone_in(tmp_path), pytest.raises(BackupError, match="at work"), alone_in(tmp_path):
        pass
    with alone_in(tmp_path):
        pass


def test_private_files_come_back_where_the_database_refuses(db, tmp_path, settings):
    settings.PRIVATE_FILES, unpacked = tmp_path / "files", tmp_path / "unpacked"
    unpacked.mkdir()
    (unpacked / "new").write_text("new")
    with pytest.raises(RuntimeError), files_in_place(unpacked, "token"):
        raise RuntimeError
    assert not settings.PRIVATE_FILES.exists()
    settings.PRIVATE_FILES.mkdir()
    (settings.PRIVATE_FILES / "old").write_text("old")
    with pytest.raises(RuntimeError), files_in_place(unpacked, "token"):
        assert [path.name for path in settings.PRIVATE_FILES.iterdir()] == ["new"]
        raise RuntimeError
    assert [path.name for path in settings.PRIVATE_FILES.iterdir()] == ["old"]
    with files_in_place(unpacked, "token"):
        pass
    assert [path.name for path in settings.PRIVATE_FILES.iterdir()] == ["new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["files", "unpacked"]


class Killed(BaseException):
    """Stands for the kill of a process: nothing that follows is done."""


@pytest.fixture
def private(db, tmp_path, settings):
    """Private files, and others to be put in their place."""
    settings.PRIVATE_FILES, unpacked = tmp_path / "place" / "files", tmp_path / "unpacked"
    for folder, name in (settings.PRIVATE_FILES, "old"), (unpacked, "new"):
        folder.mkdir(parents=True)
        (folder / name).write_text(name)
    return settings.PRIVATE_FILES, unpacked


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def killed_within(unpacked: Path, monkeypatch, *, committed: bool) -> None:
    """A restore that is killed once its files are in place."""
    number = DataVersion.objects.get().number + 1
    with monkeypatch.context() as patched, suppress(Killed):
        patched.setattr(interrupted, "arrived", lambda *given, **words: False)
        patched.setattr(interrupted, "put_old_back", lambda *given: None)
        patched.setattr(interrupted, "finish", lambda *given: None)
        with files_in_place(unpacked, "of the archive"):
            if committed:
                with connection.cursor() as cursor:
                    cursor.execute(DataVersion.renewal(number, "of the archive"))
            raise Killed


def test_a_restore_killed_before_the_database_is_taken_back(private, monkeypatch, tmp_path):
    home, unpacked = private
    killed_within(unpacked, monkeypatch, committed=False)
    assert names(home) == ["new"]
    with pytest.raises(CommandError, match="restore --recover"):
        call_command("backup", to=tmp_path / "backups")
    with pytest.raises(CommandError, match="interrupted"):
        call_command("check_backup", tmp_path / "none.zip")
    call_command("restore", "--recover", backups=tmp_path / "backups")
    assert names(home) == ["old"]
    (aside,) = set(names(home.parent)) - {"files"}
    assert aside.startswith("files.aside-") and names(home.parent / aside) == ["new"]
    assert take_back() == ""


def test_a_restore_killed_after_the_database_is_ended(private, monkeypatch):
    home, unpacked = private
    killed_within(unpacked, monkeypatch, committed=True)
    assert "complete" in take_back()
    assert names(home) == ["new"] and names(home.parent) == ["files"]


def test_what_cannot_be_told_is_said_and_left(private, monkeypatch):
    home, unpacked = private
    killed_within(unpacked, monkeypatch, committed=False)
    with connection.cursor() as cursor:
        cursor.execute(DataVersion.renewal(9, "of somebody else"))
    before = names(home.parent)
    with pytest.raises(BackupError, match="neither"):
        take_back()
    assert names(home) == ["new"] and names(home.parent) == before
    (home.parent / "files.restoring").unlink()
    with pytest.raises(BackupError, match="nothing says which"):
        take_back()


def test_a_full_disk_leaves_no_copy_of_private_files(private, monkeypatch):
    home, unpacked = private

    def full(source, target):
        target.mkdir()
        (target / "part").write_text("x")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(interrupted.shutil, "copytree", full)
    with (
        pytest.raises(BackupError, match=r"Private files cannot be put .* No space left"),
        files_in_place(unpacked, "token"),
    ):
        pass
    assert names(home) == ["old"] and names(home.parent) == ["files"]


def test_a_restored_state_has_a_token_of_its_own(db):
    before = DataVersion.objects.get()
    with connection.cursor() as cursor:
        cursor.execute(DataVersion.renewal(before.number + 5, "another"))
    after = DataVersion.objects.get()
    assert after.number == before.number + 5 and after.identity == before.identity
    assert after.token not in before.history and after.history == [after.token]
    assert set(after.tokens.values()) == {after.token}
    assert set(after.collections.values()) == {after.number}

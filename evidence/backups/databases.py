"""What differs between databases: how one state of all tables becomes a file, and back, whole.

SQLite: its online backup copies one state while others write, and puts a copy back as one
transaction of the live file. PostgreSQL: `pg_dump` in an exported snapshot, and one transaction
that drops the tables and makes those of the archive.
"""

import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection
from django.db.utils import DEFAULT_DB_ALIAS, ConnectionHandler
from psycopg.conninfo import make_conninfo

from ..database_file import BESIDE, PrivateConnection
from ..models import DataVersion, Study, consistency
from .archive import BackupError

ENDINGS = {"sqlite": ".sqlite3", "postgresql": ".pgdump"}
MIGRATIONS = "django_migrations"
SESSIONS = Session._meta.db_table
CASEBOOK = {DataVersion._meta.db_table, Study._meta.db_table}
# What says where a database is; the driver's own library may know words that older programs do not.
ADDRESS = (
    *("host", "hostaddr", "port", "dbname", "user", "connect_timeout"),
    *("sslmode", "sslrootcert", "sslcert", "sslkey"),
)
PATIENCE = 60  # seconds to wait for somebody who writes, before a restore gives up

# Drops what Casebook has in its schema; the transaction takes it back where anything fails.
CLEAR = """
SET lock_timeout = '{patience}s';
SET client_min_messages = warning;
DO $$
DECLARE item record;
BEGIN
  FOR item IN SELECT c.oid::regclass AS name FROM pg_class c
    WHERE c.relnamespace = '{schema}'::regnamespace AND c.relkind IN ('r', 'p')
  LOOP EXECUTE 'DROP TABLE IF EXISTS ' || item.name || ' CASCADE'; END LOOP;
  FOR item IN SELECT p.oid::regprocedure AS name FROM pg_proc p
    WHERE p.pronamespace = '{schema}'::regnamespace AND p.prokind = 'f'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
  LOOP EXECUTE 'DROP FUNCTION IF EXISTS ' || item.name || ' CASCADE'; END LOOP;
END $$;
"""


def facts_of(database) -> dict:
    """What a connection's database holds: rows of each table, migrations, data version.

    For a database without Casebook's tables this is empty of them.
    """
    quote = database.ops.quote_name
    with database.cursor() as cursor:
        tables = sorted(database.introspection.table_names(cursor))
        counts = {}
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {quote(table)}")  # noqa: S608
            counts[table] = cursor.fetchone()[0]
        number, token = 0, ""
        if DataVersion._meta.db_table in tables:
            cursor.execute("SELECT number, token FROM evidence_dataversion WHERE id = 1")
            number, token = cursor.fetchone() or (0, "")
        applied = []
        if MIGRATIONS in tables:
            cursor.execute(f"SELECT app, name FROM {MIGRATIONS} ORDER BY app, name")  # noqa: S608
            applied = [f"{app}.{name}" for app, name in cursor.fetchall()]
    return {
        "vendor": database.vendor,
        "server": ".".join(map(str, database.get_database_version())),
        "tables": counts,
        "migrations": applied,
        "data_version": {"number": number, "token": token},
    }


def dump_database(path: Path) -> dict:
    """Writes one state of the whole database to `path` and gives the facts of that same state.

    Nobody who reads or writes is held up. Raises BackupError.
    """
    try:
        return DUMPS[connection.vendor](path)
    except (DatabaseError, sqlite3.Error) as error:
        raise BackupError(f"The database cannot be read: {error}") from error


def need_casebook(facts: dict, *, studies: bool) -> None:
    """Raises BackupError for facts of a database that is not Casebook's; with `studies`, also for
    one that holds none: somebody has named another database than the one in use.
    """
    tables = facts["tables"]
    if not facts["migrations"] or not {MIGRATIONS, *CASEBOOK} <= tables.keys():
        raise BackupError("It is no database of Casebook: its tables are missing.")
    if not facts["data_version"]["token"]:
        raise BackupError("It is no database in use: it has no data version.")
    if studies and not tables[Study._meta.db_table]:
        raise BackupError("It holds no study.")


def dump_sqlite(path: Path) -> dict:
    file = Path(connection.settings_dict["NAME"])
    if not connection.is_in_memory_db() and not file.exists():
        raise BackupError(f"There is no database {file}; is DATABASE_URL set?")  # nor is one made
    connection.ensure_connection()
    target = PrivateConnection(path)
    try:
        connection.connection.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")  # a file by itself, nothing beside it
    finally:
        target.close()
    with sqlite_copy(path) as copy:
        return facts_of(copy)


def dump_postgresql(path: Path) -> dict:
    major = connection.pg_version // 10000
    need_tool("pg_dump", major)
    if CASEBOOK - set(connection.introspection.table_names()):
        raise BackupError("It is no database of Casebook: no tables of it. See DATABASE_URL.")
    with consistency.consistent_read(), connection.cursor() as cursor:
        facts = facts_of(connection)
        cursor.execute("SELECT current_schema(), pg_export_snapshot()")
        schema, snapshot = cursor.fetchone()
        facts["schema"] = schema
        run_tool(
            "pg_dump",
            *("--format=custom", "--no-owner", "--no-privileges", f"--schema={schema}"),
            *(f"--snapshot={snapshot}", f"--file={path}", f"--dbname={address()}"),
        )
    return facts


@contextmanager
def sqlite_copy(path: Path) -> Iterator:
    """A connection to a SQLite file of our own, with the functions its tables ask for."""
    ours = {**settings.DATABASES[DEFAULT_DB_ALIAS], "ENGINE": "django.db.backends.sqlite3"}
    ours |= {"NAME": str(path), "OPTIONS": {"factory": PrivateConnection}, "CONN_MAX_AGE": 0}
    copy = ConnectionHandler({DEFAULT_DB_ALIAS: ours})[DEFAULT_DB_ALIAS]
    try:
        yield copy
    finally:
        copy.close()


def address() -> str:
    """The database as PostgreSQL's programs take it; the password goes through the environment."""
    said = connection.connection.info.get_parameters()
    return make_conninfo(**{name: said[name] for name in ADDRESS if name in said})


def need_tool(name: str, major: int) -> None:
    """Raises BackupError unless the program is there and not older than the server."""
    if shutil.which(name) is None:
        raise BackupError(f"{name} is not installed; it comes with PostgreSQL's client programs.")
    told = subprocess.run([name, "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    version = int(re.search(r"\d+", told)[0])  # as in pg_dump (PostgreSQL) 15.4
    if version < major:
        raise BackupError(f"{name} is of version {version}, older than what it is for ({major}).")


def run_tool(*command: str) -> None:
    """Runs a program of PostgreSQL's; raises BackupError with what it says where it fails."""
    password = connection.connection.info.password
    done = subprocess.run(  # noqa: S603
        command,
        close_fds=False,  # only those marked for it: the lock of who is at work
        env=os.environ | ({"PGPASSWORD": password} if password else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackupError(f"{command[0]} failed: {done.stderr.strip()[-500:]}")


def check_database(path: Path, facts: dict) -> None:
    """Raises BackupError unless the file is a sound database that holds what the facts say.

    Of a PostgreSQL archive its list of contents is read; whether its rows load only a restore into
    another database can say.
    """
    if facts["vendor"] == "postgresql":
        if shutil.which("pg_restore"):
            connection.ensure_connection()
            run_tool("pg_restore", "--file=/dev/null", str(path))
        return
    try:
        with sqlite_copy(path) as copy, copy.cursor() as cursor:
            for pragma, sound in (("integrity_check", [("ok",)]), ("foreign_key_check", [])):
                cursor.execute(f"PRAGMA {pragma}")
                found = cursor.fetchall()
                if found != sound:
                    raise BackupError(f"The database in the archive is damaged: {found[:3]}")
            if facts_of(copy)["tables"] != facts["tables"]:
                raise BackupError("The database in the archive has other rows than its manifest.")
    except (DatabaseError, sqlite3.Error) as error:
        raise BackupError(f"The database in the archive cannot be read: {error}") from error


def put_back(path: Path, facts: dict, number: int, token: str) -> None:
    """Makes the database what the file holds, as data version `number` with this token; all of it
    or nothing.

    Nobody is logged in then: a session that was in the archive may have ended since. Raises
    BackupError where it stays as it was.
    """
    changes = [DataVersion.renewal(number, token)]
    if SESSIONS in facts["tables"]:
        changes.append(f"DELETE FROM {SESSIONS}")  # noqa: S608
    RESTORES[connection.vendor](path, facts, changes)


def restore_sqlite(path: Path, facts: dict, changes: list[str]) -> None:
    """Changes the file first, so that what is put back is all of it at once."""
    with sqlite_copy(path) as copy, copy.cursor() as cursor:
        for change in changes:
            cursor.execute(change)
    source = PrivateConnection(path)
    try:
        with broken_file_aside():
            connection.ensure_connection()
            source.backup(connection.connection, progress=until_patience_ends())
    except (DatabaseError, sqlite3.Error) as error:
        raise BackupError(f"The database cannot be written: {error}") from error
    finally:
        source.close()
        connection.close()


def until_patience_ends() -> Callable[[int, int, int], None]:
    """Ends a copy that waits for somebody who holds the database."""
    end = time.monotonic() + PATIENCE

    def progress(status: int, remaining: int, total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > end:
            raise BackupError(f"Somebody has been writing for {PATIENCE} seconds; stop the server.")

    return progress


@contextmanager
def broken_file_aside() -> Iterator[None]:
    """Where SQLite cannot read the file at all, it is renamed first, and back where we fail."""
    file = Path(connection.settings_dict["NAME"])
    moved: list[tuple[Path, Path]] = []
    if not is_readable():
        connection.close()
        mark = f".broken-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        for ending in BESIDE:
            path = file.with_name(file.name + ending)
            with suppress(FileNotFoundError):
                moved.append((path, path.rename(f"{path}{mark}")))
    try:
        yield
    except BaseException:
        connection.close()
        for path, aside in moved:
            aside.replace(path)
        raise


def is_readable() -> bool:
    """Whether the database answers at all; False where its file is damaged."""
    try:
        with connection.cursor() as cursor:
            connection.introspection.table_names(cursor)
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def restore_postgresql(path: Path, facts: dict, changes: list[str]) -> None:
    major = int(facts["server"].split(".")[0])
    for name in ("pg_restore", "psql"):
        need_tool(name, major)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        (schema,) = cursor.fetchone()
    if schema != facts.get("schema"):
        raise BackupError(
            f"The archive is of schema {facts.get('schema')}, the database's is {schema}."
        )
    names = ("clear.sql", "dump.sql", "changes.sql")
    clear, script, changing = (path.with_name(name) for name in names)
    clear.write_text(CLEAR.format(schema=schema, patience=PATIENCE), encoding="utf-8")
    lines = [f'SET search_path = "{schema}"', *changes]
    changing.write_text("".join(f"{line};\n" for line in lines), encoding="utf-8")
    run_tool(
        "pg_restore",
        *("--no-owner", "--no-privileges", f"--schema={schema}", f"--file={script}", str(path)),
    )
    where = address()
    connection.close()  # no lock of ours in the way
    connection.ensure_connection()
    run_tool(
        "psql",
        *("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"),
        *(f"--dbname={where}", "--output=/dev/null"),
        *(f"--file={file}" for file in (clear, script, changing)),
    )
    connection.close()


DUMPS = {"sqlite": dump_sqlite, "postgresql": dump_postgresql}
RESTORES = {"sqlite": restore_sqlite, "postgresql": restore_postgresql}

"""Roles of the database: public pages cannot write, curators' pages cannot change a rule.

What PostgreSQL refuses is asked of PostgreSQL, by processes whose connections are those roles.
"""

import json
import subprocess
import sys
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory

from evidence import roles
from evidence.models import privileges

from . import addresses
from .processes import ROOT, environment
from .test_settings import start

pytestmark = pytest.mark.slow
ON_POSTGRESQL = connection.vendor == "postgresql"
PASSWORD = "of a test"


def test_sqlite_has_no_roles(db, tmp_path):
    address = "postgres://u:p@localhost/x"
    done = start(
        "check",
        CASEBOOK_SECRET_KEY="x" * 60,
        DATABASE_READER_URL=address,
        DATABASE_URL=f"sqlite:///{tmp_path / 'x.sqlite3'}",
    )
    assert done.returncode and "DATABASE_READER_URL needs PostgreSQL" in done.stderr
    if not ON_POSTGRESQL:
        with pytest.raises(CommandError, match="Only PostgreSQL has roles"):
            call_command("grant_roles", reader="x")


def test_what_readers_see_is_granted_and_what_nobody_should_is_not(db):
    """Whatever the database: a new table is granted by being a model, unless it is private."""
    seen = set(privileges.tables_read())
    assert {"evidence_patient", "evidence_outcome", "evidence_dataversion"} <= seen
    for private in ("auth", "otp", "django", "axes", "evidence_historical", "evidence_suggestion"):
        assert not any(name.startswith(private) for name in seen), private
    versions = {m.__name__: columns for m, columns in privileges.columns_read().items()}
    assert versions["User"] == ["id"] and "content" not in versions["SecondEntry"]


def test_without_a_reader_public_pages_work_as_ever(client, db):
    assert client.get("/published/").status_code == 200


def test_only_the_entrance_is_not_public():
    def asked(path: str) -> bool:
        return roles.is_public(RequestFactory().get(path))

    assert not asked("/admin/") and not asked("/admin/second-factor/")
    for path in ("/", "/published/", "/api/v1/", "/healthz", "/administrators/", "/xadmin/"):
        assert asked(path), path


def test_the_stand_in_is_there_until_the_answer_is_sent(monkeypatch):
    """Also where a file is read while it is sent, and where a request was never finished."""

    class Connections(dict):
        settings = {"default": {}, "reader": {}}

    found = Connections(default="usual", reader="reading")
    monkeypatch.setattr(roles, "connections", found)
    seen = []

    def get_response(request):
        seen.append(found["default"])
        return HttpResponse()

    answer = roles.reading_role(get_response)
    for path in ("/published/", "/published/", "/admin/", "/published/"):
        answer(RequestFactory().get(path))
    assert seen == ["reading", "reading", "usual", "reading"] and found["default"] == "reading"
    roles.put_back()
    assert found["default"] == "usual"
    roles.put_back()
    assert found["default"] == "usual"


def run(script: str, tmp_path, *more: str, **variables: str) -> str:
    told = subprocess.run(
        [sys.executable, "-c", script, *more],
        cwd=ROOT,
        env=environment(tmp_path / "none", **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-3000:]
    return told.stdout.strip()


def url_of(user: str, password: str) -> str:
    held = connection.settings_dict
    host = f"{quote(held['HOST'] or 'localhost', safe='')}:{held['PORT'] or 5432}"
    return f"postgres://{quote(user)}:{quote(password)}@{host}/{quote(held['NAME'])}"


@contextmanager
def two_roles():
    """A reader and an application, made by and taken away from the database of the tests."""
    import psycopg

    held = connection.settings_dict
    names = [f"{held['NAME']}_{role}" for role in ("reader", "application")]
    owner = url_of(held["USER"], held["PASSWORD"])
    with psycopg.connect(owner, autocommit=True) as maintenance:

        def drop():
            for name in names:
                if maintenance.execute("SELECT 1 FROM pg_roles WHERE rolname=%s", [name]).rowcount:
                    maintenance.execute(f'DROP OWNED BY "{name}"')
                    maintenance.execute(f'DROP ROLE "{name}"')

        drop()
        for name in names:
            maintenance.execute(f"CREATE ROLE \"{name}\" LOGIN PASSWORD '{PASSWORD}'")
        # what DROP OWNED needs of a role that is no superuser
        maintenance.execute(f'GRANT "{names[0]}", "{names[1]}" TO CURRENT_USER')
        try:
            yield owner, *names
        finally:
            drop()
            maintenance.execute("GRANT TEMPORARY ON DATABASE " + f'"{held["NAME"]}" TO PUBLIC')
            made = ", ".join(privileges.LARGE_OBJECTS)
            maintenance.execute(f"GRANT EXECUTE ON FUNCTION {made} TO PUBLIC")
            maintenance.execute(
                "DELETE FROM evidence_suggestion WHERE passage = 'Sent by a test of roles.'"
            )


ASK = """
import json, sys
import django
django.setup()
from django.db import connection, connections
from django.test import Client

found, client = {}, Client(headers={"host": "localhost"})
for address in json.loads(sys.argv[1]):
    response = client.get(address)
    if response.streaming:
        pieces = iter(response.streaming_content)
        next(pieces, None)
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            assert cursor.fetchone()[0].endswith("_reader"), address
        list(pieces)
    response.close()
    assert connection is not connections["reader"] and connection.alias == "default"
    found[address] = response.status_code
sent = client.post(
    "/published/patients/fujita-2019-1/suggest/?field=age_years",
    {"proposed": "61", "passage": "Sent by a test of roles.", "contact": "", "website": ""},
)
found["suggestion"] = sent.status_code
connection.close()
print(json.dumps(found))
"""

WRITE = """
import json
import django
django.setup()
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from django.http import HttpResponse
from django.test import RequestFactory
from evidence import roles

TRIED = {
    "insert": 'INSERT INTO "{}" DEFAULT VALUES',
    "update": 'UPDATE "{}" SET "{column}" = "{column}" WHERE false',
    "delete": 'DELETE FROM "{}" WHERE false',
    "truncate": 'TRUNCATE "{}"',
    "trigger": 'ALTER TABLE "{}" DISABLE TRIGGER ALL',
    "drop": 'DROP TABLE "{}"',
    "column": 'ALTER TABLE "{}" ADD COLUMN mine integer',
}
OTHERS = {
    "table": "CREATE TABLE mine (one integer)",
    "temporary": "CREATE TEMPORARY TABLE mine (one integer)",
    "function": "CREATE FUNCTION mine() RETURNS integer AS 'SELECT 1' LANGUAGE sql",
    "role": "SET ROLE postgres",
    "passwords": "SELECT password FROM auth_user",
    "names": "SELECT username FROM auth_user",
    "sessions": "SELECT * FROM django_session",
    "keys": "SELECT * FROM otp_totp_totpdevice",
    "logins": "SELECT * FROM axes_accesslog",
    "suggestions": "SELECT passage, contact FROM evidence_suggestion",
    "second": "SELECT content FROM evidence_secondentry",
    "object": "SELECT lo_create(0)",
    "bytes": "SELECT lo_from_bytea(0, 'much')",
}


def is_allowed(statement):
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
            transaction.set_rollback(True)
    except ProgrammingError as error:
        if type(error.__cause__).__name__ == "InsufficientPrivilege":
            return False
        return True
    except Exception:  # asked, and refused by a constraint: it may
        return True
    return True


def tried(request):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, min(column_name) FROM information_schema.columns "
            "WHERE table_schema = 'public' GROUP BY 1"
        )
        # what a role may not read it is not told of
        cursor.execute(
            "SELECT c.relname, (SELECT attname FROM pg_attribute a WHERE a.attrelid = c.oid "
            "AND attnum = 1) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind = 'r' AND n.nspname = 'public'"
        )
        tables = cursor.fetchall()
    found = [
        f"{how} {table}"
        for table, column in tables
        for how, statement in TRIED.items()
        if is_allowed(statement.format(table, column=column))
    ]
    found += [name for name, statement in OTHERS.items() if is_allowed(statement)]
    return HttpResponse(json.dumps([len(tables), found]))


answer = roles.reading_role(tried)
told = []
for path in ("/published/", "/admin/"):
    told.append(json.loads(answer(RequestFactory().get(path)).content))
    roles.put_back()
print(json.dumps(told))
"""


@pytest.mark.skipif(not ON_POSTGRESQL, reason="SQLite has no roles.")
def test_public_pages_cannot_write_and_curators_cannot_change_a_rule(client, db, tmp_path):
    """As PostgreSQL says it, of every table there is."""
    with two_roles() as (owner, reader, application):
        printed = grant(owner, tmp_path, reader, application)
        assert printed.startswith("REVOKE CREATE ON SCHEMA") and reader in printed
        assert f"{application} and {reader} can still fill the disk" in printed
        executed = grant(owner, tmp_path, reader, application, "--run")
        assert "statements were executed" in executed and "can still" not in executed
        served = {
            "DATABASE_URL": url_of(application, PASSWORD),
            "DATABASE_READER_URL": url_of(reader, PASSWORD),
        }
        expected = {address: client.get(address).status_code for address in all_addresses()}
        found = json.loads(run(ASK, tmp_path, json.dumps(list(expected)), **served))
        assert found.pop("suggestion") == 303 and found == expected
        (tables, public), (_, curators) = json.loads(run(WRITE, tmp_path, **served))
    assert tables > 40 and public == ["insert evidence_suggestion"], public
    ways = {each.split()[0] for each in curators}
    assert ways == {
        *("insert", "update", "delete", "passwords", "names", "sessions", "keys", "logins"),
        *("suggestions", "second"),
    }
    assert "insert evidence_patient" in curators
    assert not [each for each in curators if each.endswith("django_migrations")]


@pytest.mark.skipif(not ON_POSTGRESQL, reason="SQLite has no roles.")
def test_roles_that_are_not_there_are_named(db, capsys):
    with pytest.raises(CommandError, match="Name a role"):
        call_command("grant_roles")
    with pytest.raises(CommandError, match="There is no role nobody_of_ours"):
        call_command("grant_roles", reader="nobody_of_ours", run=True)
    with pytest.raises(CommandError, match="the owner keeps"):
        call_command("grant_roles", application=connection.settings_dict["USER"])
    call_command("grant_roles", reader="nobody_of_ours")
    assert 'CREATE ROLE "nobody_of_ours" LOGIN PASSWORD' in capsys.readouterr().out


def grant(owner: str, tmp_path, reader: str, application: str, *more: str) -> str:
    command = ["manage.py", "grant_roles", "--reader", reader, "--application", application, *more]
    as_operators_do = environment(tmp_path / "none", DATABASE_URL=owner, CASEBOOK_SECRET_KEY="x")
    del as_operators_do["PYTEST_VERSION"]
    told = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=as_operators_do,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout + told.stderr


def all_addresses() -> list[str]:
    """Two addresses of each route readers have."""
    from django.urls import reverse

    found = []
    for slug in ("published", "sener-2025-reconstruction"):
        for name, given in addresses.arguments(slug).items():
            found += [reverse(name, args=args) for args in given[:2]]
    return sorted(set(found))

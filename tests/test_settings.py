"""Settings: safe by default, loud when wrong. Each case is a process of its own."""

import os
import sqlite3
import subprocess
import sys
from ast import literal_eval
from pathlib import Path

import pytest

from evidence.database_file import PrivateConnection

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent


def start(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """`manage.py` as an operator starts it: no test variable, and only these settings."""
    dropped = ("CASEBOOK_", "PYTEST", "DATABASE_URL", "REDIS_URL")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(dropped)
    }
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def setting(name: str, **variables: str) -> str:
    code = f"from django.conf import settings; print(settings.{name})"
    done = start(
        "shell", "--verbosity", "0", "-c", code, **({"CASEBOOK_SECRET_KEY": "x" * 60} | variables)
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_it_refuses_to_start_without_a_secret_key():
    done = start("check")
    assert done.returncode != 0
    assert "CASEBOOK_SECRET_KEY is not set. See .env.example" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("CASEBOOK_DEBUG", "yes", "CASEBOOK_DEBUG must be 0 or 1, not 'yes'"),
        ("CASEBOOK_HTTPS", "true", "CASEBOOK_HTTPS must be 0 or 1"),
        ("DATABASE_URL", "nonsense://x", "nonsense"),
    ],
)
def test_a_wrong_value_is_named(name, value, told):
    done = start("check", **{"CASEBOOK_SECRET_KEY": "x" * 60, name: value})
    assert done.returncode != 0
    assert told in done.stderr


@pytest.mark.parametrize("value", ["*", "proxy.example", "10.0.0.0/8, 10.0.0.256"])
def test_proxies_are_named_by_their_addresses(value):
    named = {"CASEBOOK_BEHIND_PROXY": "1", "CASEBOOK_PROXIES": value}
    done = start("check", CASEBOOK_SECRET_KEY="x" * 60, **named)
    assert done.returncode != 0 and "CASEBOOK_PROXIES holds addresses or networks" in done.stderr


def test_the_defaults_pass_the_deployment_check():
    key = "k8Zr0vXqTt3mWn5yLb7cJd9fGh1aSe2uPo4iMx6wQzVbNkRjHg"
    done = start("check", "--deploy", "--fail-level", "WARNING", CASEBOOK_SECRET_KEY=key)
    assert done.returncode == 0, done.stderr


def test_safe_by_default():
    assert setting("DEBUG") == "False"
    assert setting("SESSION_COOKIE_SECURE") == setting("SECURE_SSL_REDIRECT") == "True"
    assert setting("ALLOWED_HOSTS") == "['localhost', '127.0.0.1', '[::1]']"
    for proxy in ("0", "1"):  # gunicorn reads it, from the proxy alone
        told = setting("SECURE_PROXY_SSL_HEADER", CASEBOOK_BEHIND_PROXY=proxy)
        assert told == "None", "a header anybody can send is not believed"


def test_an_empty_variable_counts_as_unset():
    assert (
        setting("CACHES['default']['BACKEND']", REDIS_URL="")
        == "django.core.cache.backends.locmem.LocMemCache"
    )
    assert "sqlite3" in setting("DATABASES['default']['ENGINE']", DATABASE_URL="")


def test_postgresql_and_redis_take_one_variable_each():
    engine = setting("DATABASES['default']['ENGINE']", DATABASE_URL="postgres://u:p@localhost/x")
    assert engine == "django.db.backends.postgresql"
    backend = setting("CACHES['default']['BACKEND']", REDIS_URL="redis://localhost:6379/0")
    assert backend == "evidence.shared_cache.SharedCache"


def test_every_variable_is_in_the_example():
    example = (ROOT / ".env.example").read_text()
    sources = (ROOT / "evidence" / "settings.py").read_text() + (
        ROOT / "evidence" / "gunicorn_conf.py"
    ).read_text()
    import re

    read = set(
        re.findall(
            r'(?:env(?:_flag|_number|_list|_choice|_networks)?|environ\.get)\(\s*"([A-Z_]+)"',
            sources,
        )
    )
    assert len(read) > 10
    assert {name for name in read if not re.search(rf"^#?{name}=", example, re.M)} == set()


def test_sqlite_is_opened_as_a_server_needs_it(db):
    from django.db import connection

    if connection.vendor != "sqlite":
        assert connection.vendor == "postgresql"
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys")
        assert cursor.fetchone() == (1,)
        cursor.execute("PRAGMA busy_timeout")
        assert cursor.fetchone() == (10000,)


def test_the_content_security_policy_allows_nothing_inline(client, db):
    policy = client.get("/")["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert client.get("/admin/login/")["Content-Security-Policy"] == policy


MODES = """
from django.conf import settings
from django.db import connection
from pathlib import Path
connection.cursor().execute("CREATE TABLE IF NOT EXISTS one (number integer)")
files = Path(settings.DATABASES["default"]["NAME"]).parent.iterdir()
print(sorted((file.name, oct(file.stat().st_mode & 0o777)) for file in files))
"""
PRIVATE_FILES = [(f"casebook.sqlite3{ending}", "0o600") for ending in ("", "-shm", "-wal")]


def modes(folder: Path) -> list[tuple[str, str]]:
    """The files of a database in this folder, with their modes, while somebody has it open."""
    address = f"sqlite:///{folder / 'casebook.sqlite3'}"
    done = start(
        "shell", "--verbosity", "0", "-c", MODES, CASEBOOK_SECRET_KEY="x", DATABASE_URL=address
    )
    assert done.returncode == 0, done.stderr
    return literal_eval(done.stdout.strip().splitlines()[-1])


def test_a_new_database_is_its_owners_alone(tmp_path):
    assert modes(tmp_path) == PRIVATE_FILES


def test_a_database_others_could_read_is_theirs_no_longer(tmp_path):
    path = tmp_path / "casebook.sqlite3"
    before = sqlite3.connect(path)
    before.execute("PRAGMA journal_mode=WAL")
    before.execute("CREATE TABLE one (number integer)")
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    assert modes(tmp_path) == PRIVATE_FILES
    assert before.execute("SELECT count(*) FROM one").fetchone() == (0,), "who has it open goes on"
    before.close()


def test_a_database_that_cannot_be_made_is_refused_by_sqlite(tmp_path):
    with pytest.raises(sqlite3.OperationalError, match="unable to open database file"):
        sqlite3.connect(tmp_path / "nowhere" / "casebook.sqlite3", factory=PrivateConnection)


def test_a_database_in_memory_makes_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, uri in (
        (":memory:", False),
        ("file:shared?mode=memory&cache=shared", True),
        ("", False),
    ):
        sqlite3.connect(name, uri=uri, factory=PrivateConnection).close()
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_somebody_else_is_used_and_the_log_says_so(tmp_path, monkeypatch, caplog):
    def refused(path, mode):
        raise PermissionError("Operation not permitted")

    path = tmp_path / "casebook.sqlite3"
    path.touch(0o644)
    monkeypatch.setattr(Path, "chmod", refused)
    connection = sqlite3.connect(path, factory=PrivateConnection)
    assert connection.execute("SELECT 1").fetchone() == (1,)
    connection.close()
    assert f"Others can read {path}, and that cannot be changed" in caplog.text

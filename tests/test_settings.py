"""Settings: safe by default, loud when wrong. Each case is a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def start(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """`manage.py` as an operator starts it: no test variable, and only these settings."""
    dropped = ("CASEBOOK_", "PYTEST", "DATABASE_URL", "REDIS_URL")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
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
    done = start("shell", "--verbosity", "0", "-c", code, **({"CASEBOOK_SECRET_KEY": "x" * 60} | variables))
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
    assert setting("CACHES['default']['BACKEND']", REDIS_URL="") == "django.core.cache.backends.locmem.LocMemCache"
    assert "sqlite3" in setting("DATABASES['default']['ENGINE']", DATABASE_URL="")


def test_postgresql_and_redis_take_one_variable_each():
    engine = setting("DATABASES['default']['ENGINE']", DATABASE_URL="postgres://u:p@localhost/x")
    assert engine == "django.db.backends.postgresql"
    backend = setting("CACHES['default']['BACKEND']", REDIS_URL="redis://localhost:6379/0")
    assert backend == "django.core.cache.backends.redis.RedisCache"


def test_every_variable_is_in_the_example():
    example = (ROOT / ".env.example").read_text()
    sources = (ROOT / "evidence" / "settings.py").read_text() + (ROOT / "evidence" / "gunicorn_conf.py").read_text()
    import re

    read = set(re.findall(r'(?:env(?:_flag|_number|_list|_choice|_networks)?|environ\.get)\(\s*"([A-Z_]+)"', sources))
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

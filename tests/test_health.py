import pytest
from django.core.cache import cache
from django.db import OperationalError

from evidence.models import DataVersion


def test_alive_needs_no_database(client):
    assert client.get("/healthz").content == b"ok\n"


def test_ready_when_database_and_cache_answer(client, db):
    response = client.get("/readyz")
    assert (response.status_code, response.content) == (200, b"ready\n")


def test_not_ready_without_evidence(client, db):
    DataVersion.objects.all().delete()
    response = client.get("/readyz")
    assert (response.status_code, response.content) == (503, b"no evidence is loaded\n")


def test_not_ready_without_database_or_cache(client, db, monkeypatch):
    def away(*args, **kwargs):
        raise OperationalError("connection refused")

    monkeypatch.setattr(DataVersion, "current", away)
    monkeypatch.setattr(cache, "set", away)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.content == b"the database is away or not migrated; the cache is away\n"


def test_without_the_cache_it_is_ready_and_says_what_is_away(client, db, monkeypatch):
    def away(*args, **kwargs):
        raise ConnectionError("connection refused")

    monkeypatch.setattr(cache, "set", away)
    response = client.get("/readyz")
    assert (response.status_code, response.content) == (200, b"degraded: the cache is away\n")


def test_the_cache_keeps_what_it_is_given(db):
    cache.set("casebook-test", {"n": 22, "N": 49}, 30)
    assert cache.get("casebook-test") == {"n": 22, "N": 49}
    cache.delete("casebook-test")


@pytest.mark.parametrize("address", ["/", "/published/", "/published/patients.csv", "/reviews/"])
def test_a_database_that_is_away_is_a_plain_503(client, db, monkeypatch, address, caplog):
    from django.db.models.sql.compiler import SQLCompiler

    def away(*args, **kwargs):
        raise OperationalError("connection refused")

    monkeypatch.setattr(SQLCompiler, "execute_sql", away)
    response = client.get(address)
    assert response.status_code == 503
    assert response["Retry-After"] == "30"
    assert "The database cannot be reached just now" in response.content.decode()
    assert "connection refused" in caplog.text

"""Answers that were given before: by tag, from the cache, and never when the data have changed."""

import gzip
import subprocess
import sys

import pytest

from evidence.models import DataVersion, Patient
from evidence.models import consistency as steady

from .factories import make_patient, make_study, make_treatment

QUESTION = "?inhibitor=tofacitinib&indication=skin"


@pytest.fixture
def made(monkeypatch) -> list:
    """Every page that is really made, not taken from the cache."""
    from evidence.web import overview

    pages, page = [], overview.render_page
    monkeypatch.setattr(
        overview,
        "render_page",
        lambda request, *rest: pages.append(request.path) or page(request, *rest),
    )
    return pages


def test_the_same_question_is_answered_from_the_cache(client, world, made):
    first, second = (client.get(world.address(QUESTION)) for _ in range(2))
    assert first.content == second.content and len(made) == 1
    assert (
        first["ETag"] == second["ETag"]
        and first["Cache-Control"] == second["Cache-Control"] == "no-cache"
    )
    for name in ("Content-Security-Policy", "X-Frame-Options", "X-Content-Type-Options", "Vary"):
        assert first[name] == second[name], name


def test_whoever_has_the_answer_is_told_so(client, world, made):
    tag = client.get(world.address(QUESTION))["ETag"]
    again = client.get(world.address(QUESTION), headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", tag)
    assert "Content-Security-Policy" in again
    assert (
        client.get(
            world.address("?inhibitor=baricitinib"), headers={"If-None-Match": tag}
        ).status_code
        == 200
    )
    assert len(made) == 2


def test_an_edit_shows_at_once(client, world):
    before = client.get(world.address())
    make_treatment(make_patient(make_study(world.collection)))
    after = client.get(world.address(), headers={"If-None-Match": before["ETag"]})
    assert after.status_code == 200 and after["ETag"] != before["ETag"]
    assert (
        b"<strong>5 patients</strong>" in before.content
        and b"<strong>6 patients</strong>" in after.content
    )


def test_compressed_and_plain_are_kept_apart(client, world, made):
    plain = client.get(world.address())
    for _ in range(2):
        packed = client.get(world.address(), headers={"Accept-Encoding": "gzip"})
        assert (
            packed["Content-Encoding"] == "gzip"
            and gzip.decompress(packed.content) == plain.content
        )
    assert "Content-Encoding" not in client.get(world.address()) and len(made) == 2


def test_a_part_of_a_page_is_not_taken_for_the_whole(client, world):
    part = {"HX-Request": "true"}
    pages = [
        client.get(world.address(QUESTION), headers=headers) for headers in ({}, part, {}, part)
    ]
    whole = [b"<!doctype html>" in page.content for page in pages]
    assert whole == [True, False, True, False]
    assert pages[1]["HX-Push-Url"] == pages[3]["HX-Push-Url"]


def test_files_have_a_tag_and_are_made_each_time(client, world):
    file = client.get(world.address("patients.csv"))
    rows = b"".join(file.streaming_content)
    assert (
        client.get(
            world.address("patients.csv"), headers={"If-None-Match": file["ETag"]}
        ).status_code
        == 304
    )
    assert b"".join(client.get(world.address("patients.csv")).streaming_content) == rows


@pytest.mark.parametrize(
    "address", ["/world/patients/nobody/", "/nowhere/", "/world/patients.csv?sex=x"]
)
def test_what_is_not_an_answer_is_not_kept(client, world, address):
    for _ in range(2):
        response = client.get(address)
        assert response.status_code in (400, 404) and "ETag" not in response


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/admin/login/"])
def test_what_belongs_to_no_version_has_no_tag(client, db, address):
    assert "ETag" not in client.get(address)


def test_a_head_request_says_what_a_get_would(client, world):
    asked = client.head(world.address())
    assert asked.status_code == 200 and asked.content == b""
    assert asked["ETag"] == client.get(world.address())["ETag"]
    assert client.get(world.address()).content


def test_nothing_is_kept_where_that_is_asked_for(client, world, made, settings):
    settings.CACHE_RESPONSES = False
    tag = client.get(world.address())["ETag"]
    assert (
        client.get(world.address(), headers={"If-None-Match": tag}).status_code == 200
        and len(made) == 2
    )


def test_a_cache_that_is_away_costs_no_answer(client, world, monkeypatch, caplog):
    from evidence import middleware

    class Away:
        def get(self, *words):
            raise ConnectionError("refused")

        set = get

    monkeypatch.setattr(middleware, "cache", Away())
    assert client.get(world.address()).status_code == 200
    assert "The cache cannot be reached: refused" in caplog.text


def test_a_kept_answer_takes_one_query(client, world, django_assert_num_queries):
    client.get(world.address())
    with django_assert_num_queries(1):
        client.get(world.address())


def test_a_block_within_a_block_is_the_same_state(db):
    with steady.consistent_read() as outer:
        Patient.objects.first().save()
        with steady.consistent_read() as inner:
            assert inner is outer and steady.current_version() is outer
    assert steady.current_version().number > outer.number


def test_the_version_by_plain_sql_is_the_version(db):
    Patient.objects.first().save()
    kept, asked = DataVersion.objects.get(), DataVersion.current()
    for name in ("number", "changed_at", "identity", "collections"):
        assert getattr(kept, name) == getattr(asked, name), name


TWO_CONNECTIONS = """
import threading, django
django.setup()
from django.core.management import call_command
from django.db import connection
from evidence.models import Collection
from evidence.models.consistency import consistent_read
call_command("migrate", verbosity=0)

def publish():
    Collection.objects.create(slug="new", name="new", kind="published", description="-")
    connection.close()

with consistent_read() as before:
    assert Collection.objects.count() == 0
    writer = threading.Thread(target=publish)
    writer.start()
    writer.join(20)
    assert not writer.is_alive(), "a reader holds up a writer"
    assert Collection.objects.count() == 0, "a reader sees half of a change"
with consistent_read() as after:
    assert Collection.objects.count() == 1 and after.number == before.number + 1
print("steady")
"""


@pytest.mark.slow
def test_a_reader_sees_one_state_and_holds_nobody_up(tmp_path):
    """In a process and a database of its own: the tests' own transaction would hide what is looked
    for.
    """
    from django.conf import settings

    env = {
        "PATH": "/usr/bin:/bin",
        "CASEBOOK_SECRET_KEY": "for this test",
        "CASEBOOK_LOG_LEVEL": "ERROR",
        "DATABASE_URL": f"sqlite:///{tmp_path}/two.sqlite3",
        "DJANGO_SETTINGS_MODULE": "evidence.settings",
        "PYTHONPATH": str(settings.BASE_DIR),
    }
    told = subprocess.run(
        [sys.executable, "-c", TWO_CONNECTIONS],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stdout.strip() == "steady", told.stderr[-2000:]

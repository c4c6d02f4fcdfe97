"""What one asker may cost the others: slots, files made once, seconds of computing."""

import io
from contextlib import ExitStack

import pytest
from django.core.cache import cache
from openpyxl import load_workbook

from evidence import work_limits
from evidence.models import Patient

pytestmark = pytest.mark.slow
EXPENSIVE = [
    "patients.xlsx",
    "bundle.zip",
    "phenopackets.json",
    "forest/",
    "forest.csv",
    "forest.csv-metadata.json",
    "?indication=ild&indication_match=none",
]
CHEAP = ["", "patients/", "patients.csv", "studies.jsonl", "?indication=ild"]


@pytest.fixture
def large(world, client, settings, tmp_path):
    """The drawn world's address; it counts as large, and this process knows its size."""
    settings.EXPENSIVE_PATIENTS, settings.WORK_FOLDER = 5, tmp_path / "work"
    home = f"/{world.collection.slug}/"
    assert client.get(home).status_code == 200
    return home


def files(settings) -> list:
    return sorted((settings.WORK_FOLDER / "files").glob("*"))


def body(response) -> bytes:
    return response.getvalue() if response.streaming else response.content


@pytest.mark.parametrize("address", EXPENSIVE)
def test_what_takes_long_waits_for_a_slot(large, client, settings, address):
    with ExitStack() as held:
        assert [held.enter_context(work_limits.slot()) for _ in range(2)] == [True, True]
        refused = client.get(large + address)
        assert refused.status_code == 503 and refused.headers["Retry-After"] == "10"
        assert refused.headers["Cache-Control"] == "no-store"
        assert "row by row as CSV" in refused.content.decode()
        assert client.head(large + address).status_code == 200  # nothing is made for it
    allowed = client.get(large + address)
    assert allowed.status_code == 200 and body(allowed)
    settings.EXPENSIVE_PATIENTS = 6  # one more than there are
    with ExitStack() as held:
        assert [held.enter_context(work_limits.slot()) for _ in range(3)] == [True, True, False]
        again = client.get(large + address, headers={"Accept-Language": "en"})
        assert again.status_code == 200 and body(again)


@pytest.mark.parametrize("address", CHEAP)
def test_the_rest_needs_no_slot(large, client, address):
    with work_limits.slot(), work_limits.slot():
        assert body(client.get(large + address))


def test_a_program_is_told_as_programs_are(large, client):
    with work_limits.slot(), work_limits.slot():
        refused = client.get(f"/api/v1{large}forest/")
    assert refused.status_code == 503
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert "narrower question" in refused.json()["detail"]


@pytest.mark.parametrize("address", ["patients.xlsx", "bundle.zip", "phenopackets.json"])
def test_a_file_is_made_once_for_each_version_and_served_without_a_slot(
    large, client, settings, address
):
    first = client.get(large + address)
    content = body(first)
    assert len(files(settings)) == 2  # and its headers
    with work_limits.slot(), work_limits.slot():
        second = client.get(large + address)
    assert body(second) == content and len(content) > 500
    for name in ("Content-Type", "Content-Disposition"):
        assert second.headers[name] == first.headers[name]
    assert int(second.headers["Content-Length"]) == len(content)
    Patient.objects.filter(study__collection__slug=large.strip("/")).first().save()
    assert body(client.get(large + address))
    assert len(files(settings)) == 4


def test_a_kept_file_answers_one_question(large, client):
    def labels(address):
        sheet = load_workbook(io.BytesIO(body(client.get(large + address)))).worksheets[0]
        return [row[0] for row in sheet.iter_rows(values_only=True)]

    everybody, women = labels("patients.xlsx"), labels("patients.xlsx?sex=female")
    assert len(women) < len(everybody)
    assert labels("patients.xlsx") == everybody and labels("patients.xlsx?sex=female") == women


def test_compressed_and_plain_are_two_files(large, client):
    address = large + "phenopackets.json"
    packed = client.get(address, headers={"Accept-Encoding": "gzip"})
    plain = client.get(address)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert body(plain).startswith(b"{") and body(packed).startswith(b"\x1f\x8b")


def test_what_takes_too_long_is_told_and_leaves_nothing(large, client, settings):
    settings.FILE_SECONDS = -1
    late = client.get(large + "patients.xlsx")
    assert late.status_code == 503 and "to make" in late.content.decode()
    assert files(settings) == []


def test_where_nothing_can_be_kept_files_are_sent_all_the_same(large, client, settings, tmp_path):
    settings.WORK_FOLDER = tmp_path / "no folder"
    settings.WORK_FOLDER.write_text("a file")
    whole = client.get(large + "bundle.zip")
    assert whole.status_code == 200 and body(whole).startswith(b"PK")


def test_the_files_asked_for_last_stay(large, client, settings, monkeypatch):
    settings.FILES_MEGABYTES = 0
    monkeypatch.setattr(work_limits.time, "time", lambda: 9e9)  # nobody is reading any of them
    assert body(client.get(large + "patients.xlsx")).startswith(b"PK")
    assert files(settings) == []


def test_an_address_that_has_used_its_seconds_waits(large, client, settings):
    settings.WORK_PER_MINUTE = 5
    assert client.get(large).status_code == 200
    work_limits.write_down("127.0.0.1", 4.0)
    assert client.get(large).status_code == 200
    work_limits.write_down("127.0.0.1", 9.0)
    refused = client.get(large)
    assert refused.status_code == 429 and refused.headers["Retry-After"] == "30"
    assert "5 s of computing" in refused.content.decode()
    assert client.get(f"/api/v1{large}").json()["status"] == 429
    assert client.get(large, REMOTE_ADDR="192.0.2.7").status_code == 200
    assert client.get("/admin/login/").status_code == 200  # has limits of its own
    settings.WORK_PER_MINUTE = 0
    assert client.get(large).status_code == 200


def test_computing_is_written_down_and_a_kept_answer_costs_nothing(
    large, client, settings, monkeypatch
):
    settings.WORK_PER_MINUTE, settings.CACHE_RESPONSES = 50, True
    clock = iter(range(1000))
    monkeypatch.setattr(work_limits.time, "thread_time", lambda: next(clock) / 10)
    used = []
    monkeypatch.setattr(work_limits, "write_down", lambda _, seconds: used.append(seconds))
    client.get(large + "?sex=female")
    assert used == [pytest.approx(0.1)]
    body(client.get(large + "patients.csv"))
    assert sum(used) > 0.25  # the pieces too


def test_nobody_is_refused_while_the_cache_is_away(large, client, settings, monkeypatch):
    settings.WORK_PER_MINUTE = 1

    def away(*_args, **_kwargs):
        raise ConnectionError("away")

    monkeypatch.setattr(cache, "get_many", away)
    assert client.get(large).status_code == 200

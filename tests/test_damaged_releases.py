"""An archive or records that are not, byte for byte, what was kept answer nobody, and say so."""

import zlib

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from evidence.curation import make_release as making
from evidence.curation.make_release import make_release
from evidence.downloads import archives
from evidence.models import ArchivePart, Patient, RecordsPart, Release, past_state
from evidence.models import release as release_model

from .test_asking_releases import edit
from .test_pages import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
DAMAGED = "is damaged: its SHA-256 is not the one it was made with"


@pytest.fixture(autouse=True)
def nothing_kept():
    yield
    past_state.close_all()
    archives._whole.clear()


def parts_of(number: int, slug: str = "world"):
    return ArchivePart.objects.filter(archive__release__number=number, archive__slug=slug)


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


HURTS = {
    "a bit": flip,
    "cut": lambda content: content[: len(content) // 4],
    "more": lambda content: content + b"more",
    "empty": lambda content: b"",
}


def hurt(parts, how: str) -> None:
    part = parts.first()
    part.content = HURTS[how](bytes(part.content))
    part.save()


@pytest.mark.parametrize("how", HURTS)
def test_nothing_is_sent_of_a_damaged_archive(client, world, released, how):
    whole = client.get("/releases/1/world.zip").getvalue()
    hurt(parts_of(1), how)
    for headers in ({}, {"range": "bytes=0-9"}):
        refused = client.get("/releases/1/world.zip", headers=headers)
        assert refused.status_code == 503 and "ETag" not in refused
        assert DAMAGED in text_of(refused) and "restored from a backup" in text_of(refused)
    assert client.head("/releases/1/world.zip").status_code == 503
    parts_of(1).update(content=whole)
    assert client.get("/releases/1/world.zip").getvalue() == whole


def test_a_large_archive_is_not_looked_at_for_each_range(client, world, released, monkeypatch):
    monkeypatch.setattr(archives, "SMALL", 100)
    assert client.get("/releases/1/world.zip", headers={"range": "bytes=0-9"}).status_code == 206
    looked = []
    monkeypatch.setattr(archives, "sha256", lambda: looked.append(1))
    assert client.get("/releases/1/world.zip", headers={"range": "bytes=0-9"}).status_code == 206
    assert not looked


def test_what_compares_archives_says_which_is_damaged(client, world, released):
    edit(age_years=41)
    make_release()
    hurt(parts_of(1), "cut")
    feed = client.get("/world/patients.atom")
    assert feed.status_code == 200
    assert "Release 1 is passed over: its archive is damaged." in feed.content.decode()
    for address in ("/releases/2/changes/", "/releases/2/changes.csv"):
        refused = client.get(address)
        assert refused.status_code == 409 and DAMAGED in text_of(refused), address
    told = client.get("/api/v1/releases/2/changes/")
    assert told.status_code == 409 and DAMAGED in told.json()["detail"]


def test_a_damaged_archive_is_no_reason_not_to_make_a_release(client, world, released, capsys):
    edit(age_years=41)
    hurt(parts_of(1), "a bit")
    call_command("release")
    told = capsys.readouterr().err
    assert "What changed was not counted. The archive of world, release 1 is damaged" in told
    kept = Release.objects.get(number=2).collections
    assert kept.get(slug="world").changes == []
    assert client.get("/world/patients.csv?release=2").status_code == 200
    assert client.get("/releases/2/world.zip").status_code == 200


def garbage(content: bytes) -> bytes:
    return b"garbage"


def another_age(content: bytes) -> bytes:
    """The same as rows, but for what one of them says."""
    return zlib.compress(zlib.decompress(content).replace(b"female", b"male"))


@pytest.mark.parametrize("change", [another_age, garbage, flip])
def test_damaged_records_answer_nothing(client, world, released, change, caplog):
    part = RecordsPart.objects.get()
    whole = bytes(part.content)
    RecordsPart.objects.update(content=change(whole))
    for _ in range(2):
        for path in ("", "patients/", "patients.csv", "bundle.zip", "patients/alpha-1/"):
            refused = client.get(f"/world/{path}?release=1")
            assert refused.status_code == 409, path
            assert "its records are damaged: their SHA-256 is not" in text_of(refused)
            assert refused["Cache-Control"] == "no-store"
        refused = client.get("/api/v1/world/patients/?release=1")
        assert refused.status_code == 409 and "records are damaged" in refused.json()["detail"]
    assert "Release 1 cannot be asked: its records are damaged" in caplog.text
    caplog.clear()
    RecordsPart.objects.update(content=whole)
    past_state.close_all()  # as after a minute
    assert client.get("/world/patients.csv?release=1").status_code == 200


def test_the_integrity_report_finds_what_is_damaged(world, released, monkeypatch, capsys):
    call_command("check_evidence")
    hurt(parts_of(1), "a bit")
    parts_of(1, "published").delete()
    RecordsPart.objects.update(content=b"")
    with pytest.raises(SystemExit):
        call_command("check_evidence")
    told = capsys.readouterr().err
    assert f"The archive of world, release 1 {DAMAGED}" in told
    assert f"The archive of published, release 1 {DAMAGED}" in told
    assert "release 1 cannot be asked: its records are damaged" in told
    assert "3 findings" in told
    edit(age_years=41)
    make_release()  # what is damaged is none of the evidence's faults


def test_parts_are_looked_at_in_their_order(client, world, monkeypatch):
    for module in (release_model, making):
        monkeypatch.setattr(module, "PART", 1000)
    make_release()
    assert parts_of(1).count() > 3
    assert client.get("/releases/1/world.zip").status_code == 200
    first, second = parts_of(1)[:2]
    ArchivePart.objects.filter(pk=first.pk).update(content=second.content)
    ArchivePart.objects.filter(pk=second.pk).update(content=first.content)
    assert client.get("/releases/1/world.zip").status_code == 503


@pytest.mark.parametrize(
    "error", [OperationalError("database or disk is full"), OSError(28, "No space left on device")]
)
def test_a_full_disk_is_told_in_a_sentence(world, monkeypatch, error):
    def fail(*args):
        raise error

    monkeypatch.setattr(making, "store_archive", fail)
    with pytest.raises(
        CommandError,
        match=r"No release was made\. (The database says|It could not be written): .*(full|left)",
    ):
        call_command("release")
    assert not Release.objects.exists() and Patient.objects.exists()

"""One release is the same file everywhere; archives are kept by a policy, and fetched in pieces."""

import json
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from evidence.curation import shipped_releases as shipping
from evidence.curation.make_release import CannotRelease, content_to_release, make_release
from evidence.curation.shipped_releases import ship_release, shipped_release, shipped_releases
from evidence.models import ArchivePart, Patient, Release, ReleasedRecords
from evidence.models import release as release_model

from . import processes
from .test_asking_releases import FILES, FOR_PROGRAMS, PAGES, pinned
from .test_pages import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

INSTALL = """
import locale, time
import django
django.setup()
from django.core.management import call_command
from django.utils import timezone
from evidence.models import Patient, Release

try:
    locale.setlocale(locale.LC_ALL, "")
except locale.Error:
    pass
BEFORE
call_command("prepare", verbosity=0)
release = Release.objects.get()
print(release.number, release.released_at.isoformat(), release.identifier, release.content_hash)
for each in release.collections.order_by("slug"):
    print(each.slug, each.sha256)
"""
ASK = """
from hashlib import sha256
from django.test import Client
for address in ADDRESSES:
    answer = Client().get(address, headers={"host": "localhost"})
    content = answer.getvalue()
    print(answer.status_code, address, sha256(content).hexdigest())
"""
LATER = """
timezone.now = lambda real=timezone.now: real() + timezone.timedelta(days=400)
"""
EDITED = """
call_command("migrate", verbosity=0)
call_command("load_evidence", verbosity=0)
patient = Patient.objects.filter(study__collection__slug="published").first()
for age in (patient.age_years, 33, patient.age_years):
    patient.age_years = age
    patient.save()
call_command("release", verbosity=0)
"""


def pinned_addresses() -> list[str]:
    """Of every kind: pages, files and answers of the API, of one release."""
    files = [path for path in FILES if path.endswith((".csv", ".json", ".bib", ".jsonl"))]
    paths = [f"/published/{path}" for path in (*PAGES, *files)]
    paths += [f"/api/v1/published/{path}" for path in FOR_PROGRAMS]
    named = [path.replace("alpha", "fujita-2019") for path in paths]
    return [pinned(path) for path in named]


def test_three_installs_make_one_archive_and_the_same_answers(tmp_path):
    """At other times, in other zones and languages, and after edits that were taken back."""
    asking = ASK.replace("ADDRESSES", repr(pinned_addresses()))
    told = {
        processes.run(
            INSTALL.replace("BEFORE", before) + asking,
            tmp_path / f"{name}.sqlite3",
            CASEBOOK_API_PER_MINUTE="0",
            **variables,
        )
        for name, before, variables in (
            ("first", "", {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1"}),
            ("second", LATER, {"TZ": "Asia/Tokyo", "LC_ALL": "de_DE.UTF-8", "LANG": "de"}),
            ("third", EDITED, {"TZ": "America/Lima", "PYTHONHASHSEED": "77"}),
        )
    }
    first, *others = ([line for line in each.splitlines() if line] for each in told)
    different = [set(first) ^ set(each) for each in others]
    assert not different
    assert first[0].startswith("1 ")
    answered = [line for line in first if line.startswith("200 ")]
    assert len(answered) == len(pinned_addresses()) == len(first) - 3


def test_the_evidence_as_shipped_is_the_release_that_is_shipped(db):
    """Otherwise: manage.py ship_release, on a database that holds the shipped evidence alone."""
    latest = shipped_releases()[-1]
    assert latest.evidence == content_to_release()
    made = make_release("Words of somebody who has the same evidence.")
    assert (made.number, made.released_at) == (latest.number, latest.released_at)
    assert (made.identifier, made.notes) == (latest.identifier, latest.notes)


def test_other_evidence_is_a_release_of_its_own(world):
    made = make_release("The world.")
    assert made.identifier not in {each.identifier for each in shipped_releases()}
    assert made.identifier.startswith("urn:uuid:") and made.notes == "The world."
    assert timezone.now() - made.released_at < timedelta(minutes=5)
    with pytest.raises(CannotRelease, match="not that of a release that comes with"):
        edit()
        make_release(needs_shipped=True)


def edit(age: int = 41) -> None:
    patient = Patient.objects.get(slug="alpha-1")
    patient.age_years = age
    patient.save()


def test_a_shipped_release_is_written_once_and_put_right_afterwards(tmp_path, world, monkeypatch):
    file = tmp_path / "releases.json"
    file.write_text("[]", encoding="utf-8")
    at = datetime(2027, 1, 2, 3, 4, tzinfo=UTC)
    first = ship_release({"world": "a"}, 1, at, "The first.", file)
    again = ship_release({"world": "b", "other": "c"}, 1, at, "", file)
    assert (again.identifier, again.notes) == (first.identifier, "The first.")
    second = ship_release(content_to_release(), 4, at, "The fourth.", file)
    assert shipped_releases(file) == [again, second]
    assert [entry["number"] for entry in json.loads(file.read_text(encoding="utf-8"))] == [1, 4]
    monkeypatch.setattr(shipping, "NAME", str(file))
    assert shipped_release(content_to_release(), 1) == second
    assert shipped_release(content_to_release(), 5) is None, "another release has taken its place"
    made = make_release("Not these words.")
    assert (made.number, made.released_at, made.notes) == (4, at, "The fourth.")


def test_the_page_and_the_api_name_the_release(client, released):
    assert released.identifier and released.identifier in text_of(client.get("/releases/"))
    (told,) = client.get("/api/v1/releases/").json()["releases"]
    assert told["identifier"] == released.identifier and told["archives_removed"] is None


# Pieces of an archive


def asked(client, **headers):
    response = client.get("/releases/1/world.zip", headers=headers)
    return response.status_code, response.getvalue(), response


def test_an_archive_comes_in_ranges(client, released, monkeypatch):
    whole = client.get("/releases/1/world.zip").getvalue()
    size = len(whole)
    for text, first, last in (
        ("bytes=0-0", 0, 0),
        ("bytes=10-99", 10, 99),
        (f"bytes=5-{size * 2}", 5, size - 1),
        ("bytes=100-", 100, size - 1),
        ("bytes=-7", size - 7, size - 1),
        (f"bytes=-{size * 2}", 0, size - 1),
    ):
        status, content, response = asked(client, range=text)
        assert (status, content) == (206, whole[first : last + 1]), text
        assert response["Content-Range"] == f"bytes {first}-{last}/{size}"
        assert int(response["Content-Length"]) == last - first + 1
        assert response["Accept-Ranges"] == "bytes" and response["ETag"]
    for text in (f"bytes={size}-", "bytes=-0"):
        status, _, response = asked(client, range=text)
        assert status == 416 and response["Content-Range"] == f"bytes */{size}"
    for text in ("bytes=9-3", "bytes=0-1,4-5", "lines=0-1", "bytes=x-", "bytes=-", "bytes=٣-٤"):
        assert asked(client, range=text)[:2] == (200, whole), text


def test_ranges_over_several_parts_are_the_bytes_of_the_whole(client, world, monkeypatch):
    for module in (release_model, "evidence.curation.make_release"):
        if isinstance(module, str):
            monkeypatch.setattr(f"{module}.PART", 1000)
        else:
            monkeypatch.setattr(module, "PART", 1000)
    make_release()
    whole = client.get("/releases/1/world.zip").getvalue()
    chance = Random(7)
    for _ in range(40):
        first = chance.randrange(len(whole))
        last = min(first + chance.choice([0, 1, 999, 1000, 2500]), len(whole) - 1)
        assert asked(client, range=f"bytes={first}-{last}")[:2] == (206, whole[first : last + 1])


def test_a_range_of_another_file_is_the_whole_file(client, released):
    tag = client.get("/releases/1/world.zip")["ETag"]
    assert asked(client, range="bytes=0-9", **{"if-range": tag})[0] == 206
    for other in ('"another"', f"W/{tag}", "Sat, 28 Nov 2026 00:00:00 GMT"):
        assert asked(client, range="bytes=0-9", **{"if-range": other})[0] == 200
    for known in (tag, f"W/{tag}", f'"another", {tag}', "*"):
        assert asked(client, **{"if-none-match": known})[0] == 304, known
    assert asked(client, **{"if-none-match": '"another"'})[0] == 200
    assert asked(client, range="Bytes=0-9")[0] == 206
    head = client.head("/releases/1/world.zip", headers={"range": "bytes=0-9"})
    assert head.status_code == 200 and int(head["Content-Length"]) > 10


# How long archives are kept


def releases(number: int) -> None:
    for age in range(number):
        edit(50 + age)
        make_release()


def told(capsys, *words: str, **options) -> str:
    call_command("prune_releases", *words, **options)
    return capsys.readouterr().out


def test_nothing_is_removed_unless_it_is_said(world, released, capsys):
    releases(3)
    assert "No archive is to be removed." in told(capsys)
    parts = ArchivePart.objects.count()
    out = told(capsys, keep=1, days=0)
    assert out.count("Would remove") == 3 and "release 4" not in out
    assert ArchivePart.objects.count() == parts and "Say --apply" in out
    with pytest.raises(CommandError, match="say --reason"):
        call_command("prune_releases", keep=1, days=0, apply=True)
    assert ArchivePart.objects.count() == parts


def test_what_was_removed_says_so_everywhere(client, world, released, capsys):
    edit(41)
    make_release()
    before = client.get("/world/patients.csv?release=1")
    assert before.status_code == 200
    assert "Removed the archives of release 1" in told(
        capsys, release=[1], reason="A patient asked for it.", apply=True
    )
    assert not ReleasedRecords.objects.filter(release__number=1).exists()
    gone = client.get("/releases/1/world.zip")
    assert gone.status_code == 410 and "A patient asked for it." in gone.content.decode()
    for address in ("/world/patients.csv?release=1", "/api/v1/world/patients/?release=1"):
        refused = client.get(address)
        assert refused.status_code == 409
        assert "A patient asked for it." in text_of(refused) or "A patient asked" in str(
            refused.json()
        )
    assert "A patient asked for it." in text_of(client.get("/world/?release=1"))
    for address in ("/releases/2/changes/", "/releases/2/changes.csv"):
        refused = client.get(address)
        assert refused.status_code == 409 and "not kept any more" in text_of(refused)
    page = text_of(client.get("/releases/"))
    assert "The archives were removed on" in page and released.content_hash in page
    listed = client.get("/api/v1/releases/").json()["releases"]
    assert listed[1]["archives_removed"] == "A patient asked for it."
    assert client.get("/world/patients.csv?release=2").status_code == 200
    edit(42)
    assert dict(make_release().collections.get(slug="world").changes)["patients"]["changed"] == 1


@pytest.mark.parametrize(("number", "why"), [(7, "no release 7"), (2, "is the latest")])
def test_what_cannot_be_removed_is_told(world, released, number, why):
    edit(41)
    make_release()
    with pytest.raises(CommandError, match=why):
        call_command("prune_releases", release=[1, number], reason="x", apply=True)
    assert not Release.objects.exclude(pruned_at=None).exists()
    call_command("prune_releases", release=[1], reason="x", apply=True)
    with pytest.raises(CommandError, match="removed before"):
        call_command("prune_releases", release=[1], reason="x", apply=True)


def test_what_comes_with_casebook_stays_whatever_its_age(db, capsys):
    made = make_release()
    assert made.identifier == shipped_releases()[-1].identifier
    patient = Patient.objects.filter(study__collection__slug="published").first()
    for age in (33, 34):
        patient.age_years = age
        patient.save()
        make_release()
    Release.objects.update(released_at=timezone.now() - timedelta(days=9999))
    out = told(capsys, keep=1)
    assert "release 2" in out and "release 1 " not in out

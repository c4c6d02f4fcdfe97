"""Releases: numbered states of the evidence that can be cited, and fetched again when the data have
moved on.
"""

import io
import json
from hashlib import sha256
from zipfile import ZipFile

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from evidence.curation.make_release import CannotRelease, make_release
from evidence.downloads.release_status import release_status
from evidence.models import (
    Collection,
    DataVersion,
    Indication,
    Patient,
    Release,
    ReleasedCollection,
    ReleasedRecords,
)
from evidence.models import release as release_model
from evidence.models.consistency import clear_cache

from .factories import make_collection, make_patient, make_study, make_treatment
from .test_bundle import check_keys, manifest_of, rows_in
from .test_pages import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def fetched(client, address: str) -> ZipFile:
    response = client.get(address)
    assert response.status_code == 200, address
    content = response.getvalue()
    assert len(content) == int(response["Content-Length"])
    return ZipFile(io.BytesIO(content))


def edit(slug="alpha-1", **fields) -> None:
    patient = Patient.objects.get(slug=slug)
    for name, value in fields.items():
        setattr(patient, name, value)
    patient.save()


def cannot_be_asked() -> None:
    """Takes away what a release is asked by, as one made by an earlier version has it."""
    ReleasedRecords.objects.all().delete()
    clear_cache()


def test_a_release_counts_hashes_and_keeps_every_collection(client, world, released):
    assert released.number == 1 and DataVersion.current().release == 1
    held = {each.slug: each for each in released.collections.all()}
    assert set(held) == set(Collection.objects.values_list("slug", flat=True))
    assert (
        dict(held["world"].rows)["patients"] == 5
        and dict(held["world"].rows)["adverse-events"] == 3
    )
    assert dict(held["sener-2025-reconstruction"].rows)["patients"] == 87
    assert (
        held["sener-2025-reconstruction"].caveat and held["sener-2025-reconstruction"].is_simulated
    )
    archive = fetched(client, "/releases/1/world.zip")
    assert archive.testzip() is None
    assert (
        sha256(client.get("/releases/1/world.zip").getvalue()).hexdigest() == held["world"].sha256
    )
    manifest = manifest_of(archive)
    assert (manifest["release"], manifest["changed_since"]) == (1, False)
    assert manifest["content_hash"] == released.content_hash
    assert len(rows_in(archive, "patients.csv")) == 5
    check_keys(archive)


def test_the_same_evidence_has_the_same_hash_whatever_its_numbers(world, released):
    """Records written anew get other keys and versions; the hash is of what they say."""
    edit(sex="male")
    with pytest.raises(CannotRelease, match="Nothing has changed"):
        edit(sex="female")
        make_release()
    assert Release.objects.count() == 1


def test_a_release_is_made_of_changes_and_says_which(world, released):
    edit(age_years=41)
    make_treatment(make_patient(make_study(world.collection, "delta"), "delta-1"))
    edit("alpha-4", state="withdrawn", withdrawal_reason="Reported twice.")
    second = make_release("One age corrected, one study added.")
    assert second.number == 2 and second.content_hash != released.content_hash
    changed = dict(second.collections.get(slug="world").changes)
    assert changed == {
        "studies": {"added": 1, "changed": 0, "removed": 0},
        "patients": {"added": 1, "changed": 1, "removed": 1},
        "treatments": {"added": 1, "changed": 0, "removed": 1},
    }
    assert second.collections.get(slug="published").changes == []


def test_what_was_released_stays_when_the_data_move_on(client, world, released):
    before = client.get("/releases/1/world.zip").getvalue()
    edit(age_years=99)
    make_release()
    Collection.objects.filter(slug="published").update(name="Renamed")
    assert client.get("/releases/1/world.zip").getvalue() == before
    ages = {
        row["patient"]: row["age_years"]
        for row in rows_in(fetched(client, "/releases/1/world.zip"), "patients.csv")
    }
    assert ages["alpha-1"] == "40"
    ages = {
        row["patient"]: row["age_years"]
        for row in rows_in(fetched(client, "/releases/2/world.zip"), "patients.csv")
    }
    assert ages["alpha-1"] == "99"


def test_large_archives_are_kept_in_parts(client, world, monkeypatch):
    monkeypatch.setattr(release_model, "PART", 1000)
    monkeypatch.setattr("evidence.curation.make_release.PART", 1000)
    made = make_release()
    held = made.collections.get(slug="world")
    assert held.parts.count() == -(-held.size // 1000) > 2
    assert sha256(b"".join(held.pieces())).hexdigest() == held.sha256


def test_no_release_while_there_are_faults(world):
    make_patient(make_study(world.collection, "broken"), "broken-1")  # no course
    with pytest.raises(CannotRelease, match="broken-1"):
        make_release()
    with pytest.raises(CommandError, match=r"No release was made\. The evidence has faults"):
        call_command("release")
    assert not Release.objects.exists() and not ReleasedCollection.objects.exists()


def test_no_release_of_nothing(db):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM evidence_dataversion")
    with pytest.raises(CannotRelease, match="no evidence"):
        make_release()


def test_what_breaks_off_leaves_nothing(world, monkeypatch):
    def broken(*given):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("evidence.curation.make_release.count_changes", broken)
    with pytest.raises(RuntimeError):
        make_release()
    assert not Release.objects.exists() and DataVersion.current().release == 0


def test_drawn_collections_are_left_out(client, world):
    call_command("generate_cohort", patients=3, verbosity=0)
    made = make_release()
    assert "synthetic" not in made.collections.values_list("slug", flat=True)
    assert release_status(Collection.objects.get(slug="synthetic")).label.startswith(
        "none (data version "
    )
    assert "These data are in no release yet." in text_of(client.get("/synthetic/"))
    page = text_of(client.get("/synthetic/?release=1"))
    assert "Release 1 does not hold this collection." in page


def test_the_command_tells_what_it_did(world, capsys):
    call_command("release", notes="First.")
    told = capsys.readouterr().out
    assert told.startswith("Release 1 of ") and "world: 2 studies, 5 patients" in told
    call_command("release", if_none=True)
    assert Release.objects.count() == 1
    edit(age_years=41)
    call_command("release")
    assert "patients: 1 changed" in capsys.readouterr().out


# On pages and in files


def test_every_page_names_the_release(client, world, released):
    for address in (
        "/",
        "/reviews/",
        "/world/",
        "/world/patients/",
        "/world/patients/alpha-1/",
        "/world/compare/",
    ):
        assert f"Release 1 of {released.released_at:%-d %B %Y}" in text_of(client.get(address)), (
            address
        )
    edit(age_years=41)
    assert "; these data have changed since." in text_of(client.get("/world/"))
    assert "; these data have changed since." not in text_of(client.get("/published/"))


def test_a_new_release_makes_new_answers(client, world, settings):
    settings.CACHE_RESPONSES = True
    first = client.get("/world/")
    assert "These data are in no release yet." in text_of(first)
    make_release()
    again = client.get("/world/", headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 200 and "Release 1 of" in text_of(again)


@pytest.mark.parametrize("noun", ["patients", "findings"])
def test_every_row_of_a_file_names_the_release(client, world, released, noun):
    def releases(address: str) -> set:
        lines = client.get(address).getvalue().decode().splitlines()
        return {json.loads(line)["release"] for line in lines}

    address = world.address(f"{noun}.jsonl")
    rows = releases(address)
    assert rows <= {"1"} and (rows or noun == "findings")
    assert client.get(address)["Content-Disposition"].endswith(
        f'casebook-world-{noun}-release-1.jsonl"'
    )
    edit(age_years=41)
    version = DataVersion.current().version_of(world.collection)
    assert releases(address) <= {f"1, changed since (data version {version})"}
    assert client.get(address)["Content-Disposition"].endswith(
        f'casebook-world-{noun}-data-{version}.jsonl"'
    )


def test_charts_and_workbooks_name_it_too(client, world, released):
    from openpyxl import load_workbook

    lines = (
        client.get(world.address("charts/adverse-events.csv"))
        .content.decode("utf-8-sig")
        .splitlines()
    )
    assert lines[0].endswith(",release") and all(line.endswith(",1") for line in lines[1:])
    book = load_workbook(io.BytesIO(client.get(world.address("patients.xlsx")).getvalue()))
    assert dict(book["about"].iter_rows(values_only=True))["release"] == "1"


def test_only_what_the_records_say_counts_as_a_change(client, world, released):
    """Not an edit that was taken back, nor what all collections share; but a code that the rows
    hold does.
    """
    edit(age_years=41)
    assert release_status(world.collection).has_changed
    edit(age_years=40)
    assert not release_status(world.collection).has_changed
    assert (
        DataVersion.current().version_of(world.collection)
        > released.collections.get(slug="world").version
    )
    make_collection("another")
    Indication.objects.filter(code="ild").get().save()
    assert release_status(world.collection).is_released
    assert client.get("/world/patients.csv?release=1").status_code == 200
    indication = Indication.objects.get(code="ild")
    indication.code = "interstitial"
    indication.save()
    assert release_status(world.collection).has_changed


def test_a_large_collection_has_changed_as_soon_as_it_was_edited(world, released, monkeypatch):
    monkeypatch.setattr("evidence.downloads.release_status.MAX_COMPARED_PATIENTS", 4)
    assert not release_status(world.collection).has_changed
    edit(age_years=41)
    edit(age_years=40)
    assert release_status(world.collection).has_changed


def test_a_bundle_stays_the_same_bytes_while_other_collections_change(client, world, released):
    first = client.get(world.address("bundle.zip?sex=female")).getvalue()
    other = make_collection("other")
    make_treatment(make_patient(make_study(other, "other-study"), "other-1"))
    study = Collection.objects.get(slug="published").studies.first()
    study.notes = "Read again."
    study.save()
    assert client.get(world.address("bundle.zip?sex=female")).getvalue() == first


# Links with a release


def test_a_link_with_a_release_says_whether_the_data_have_moved_on(client, world, released):
    cannot_be_asked()
    same = text_of(client.get("/world/?sex=female&release=1"))
    assert "These are the data of release 1 of" in same and "unchanged" in same
    edit(age_years=41)
    for address in (
        "/world/?sex=female&release=1",
        "/world/patients/?release=1",
        "/world/compare/?a=sex%3Dmale&release=1",
    ):
        page = client.get(address)
        assert page.status_code == 200
        assert "The data have moved on. This link was made with release 1" in text_of(page), address
        assert 'href="/releases/#release-1"' in page.content.decode()
    assert "moved on" not in text_of(client.get("/world/?sex=female"))


def test_a_link_keeps_its_release_while_the_question_changes(client, world, released):
    body = client.get("/world/?sex=female&release=1").content.decode()
    assert 'href="/world/?release=1" aria-label="Remove' in body
    assert '<input type="hidden" name="release" value="1">' in body


@pytest.mark.parametrize(
    "path",
    [
        "patients.csv?",
        "patients.xlsx?",
        "bundle.zip?",
        "bundle.sqlite?",
        "bundle.parquet.zip?",
        "courses.csv?",
        "phenopackets.json?",
        "charts/adverse-events.csv?",
        "studies.ris?",
        "studies.bib?",
        "forest.csv?",
        "compare.csv?a=sex%3Dmale&b=sex%3Dfemale&",
        "patients/alpha-1/phenopacket.json?",
        "studies/alpha.ris?",
        "studies/alpha.bib?",
    ],
)
def test_a_file_with_a_release_is_that_release_or_nothing(client, world, released, path):
    cannot_be_asked()
    assert client.get(world.address(f"{path}release=1")).status_code == 200
    assert client.get(world.address(f"{path}release=7")).status_code == 400
    assert client.get(world.address(f"{path}release=x")).status_code == 400
    edit(age_years=41)
    refused = client.get(world.address(f"{path}release=1"))
    assert refused.status_code == 409
    assert "The data have changed since release 1 of" in refused.content.decode()
    assert "/releases/#release-1" in refused.content.decode()


@pytest.mark.parametrize("named", ["2", "0", "-1", "one", "1.5", "99999999999999999999", "١"])
def test_a_release_that_does_not_exist_is_named_as_such(client, world, released, named):
    for address in (
        "/world/",
        "/world/patients/alpha-1/",
        "/world/compare/",
        "/world/forest/",
        "/world/flow/",
    ):
        page = client.get(address, {"release": named})
        assert page.status_code == 400 and "ETag" not in page
        assert "There is no such release." in text_of(page) and "the data of today" in text_of(page)


def test_the_button_copies_an_address_that_lasts(client, world, released):
    body = client.get("/world/patients/?sex=female&sort=-age_years").content.decode()
    assert 'href="/world/patients/?sex=female&amp;sort=-age_years&amp;release=1"' in body
    assert "Copy link with release 1" in body
    compared = client.get("/world/compare/?a=sex%3Dmale&b=sex%3Dfemale").content.decode()
    assert 'href="/world/compare/?a=sex%3Dmale&amp;b=sex%3Dfemale&amp;release=1"' in compared
    for path in ("forest/?item=relapsed", "patients/alpha-1/?", "completeness/?"):
        link = f'href="/world/{path}{"&amp;" if path[-1] != "?" else ""}release=1"'
        assert link in client.get(world.address(path)).content.decode(), path
    edit(age_years=41)
    text = text_of(client.get("/world/patients/?sex=female"))
    assert "Copy link with release" not in text and "so no release holds what you see" in text


def test_all_releases_are_listed(client, world, released):
    edit(age_years=41)
    make_release("One age corrected.")
    page = client.get("/releases/")
    text = text_of(page)
    assert text.index("Release 2") < text.index("Release 1")
    assert (
        "The world as drawn." in text
        and "One age corrected." in text
        and "patients: 1 changed" in text
    )
    assert released.content_hash in text
    assert text.count("simulated: reproduces published totals only") == 2
    assert (
        client.get("/releases/3/world.zip").status_code
        == client.get("/releases/1/nowhere.zip").status_code
        == 404
    )


def test_before_the_first_release_everything_says_so(client, world):
    assert "There is no release yet." in text_of(client.get("/releases/"))
    assert "These data are in no release yet." in text_of(client.get("/world/"))
    assert "Copy link" not in client.get("/world/").content.decode()
    assert "There is no release yet" in text_of(client.get("/cite/"))


def test_the_citation_names_the_release(client, world, released):
    page = client.get("/cite/")
    assert f"Release 1, {released.released_at:%-d %B %Y}." in text_of(page)
    assert '"version": "1"' in page.content.decode()


def test_naming_the_release_costs_a_page_no_query(client, world, released, settings):
    settings.CACHE_RESPONSES = False
    client.get("/world/")
    with CaptureQueriesContext(connection) as asked:
        client.get("/world/")
    assert not [each for each in asked.captured_queries if "evidence_release" in each["sql"]]


def test_a_database_without_room_is_said_in_words(db, monkeypatch):
    def full(notes):
        raise OperationalError("database or disk is full")

    monkeypatch.setattr("evidence.management.commands.release.make_release", full)
    with pytest.raises(CommandError, match=r"No release was made\. The database says: database or"):
        call_command("release")

"""The bundle: everything one question finds, checkable, and the same bytes each time."""

import csv
import io
import json
from hashlib import sha256
from urllib.parse import urlencode
from zipfile import ZipFile

import pytest
from hypothesis import given, settings

from evidence.models import Provenance, Study
from evidence.tables import TIDY

from .factories import make_patient, make_study, make_treatment
from .test_filters import addresses, few

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def bytes_of(client, address) -> bytes:
    response = client.get(address)
    assert response.status_code == 200, response.content
    return b"".join(response.streaming_content)


def opened(content: bytes) -> ZipFile:
    archive = ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return archive


def rows_in(archive, path) -> list[dict]:
    return list(csv.DictReader(io.StringIO(archive.read(path).decode(), newline="")))


def manifest_of(archive) -> dict:
    return json.loads(archive.read("manifest.json"))


def check_keys(archive) -> None:
    """Primary keys are unique, foreign keys lead somewhere; by the package's own words."""
    package = json.loads(archive.read("datapackage.json"))
    rows = {each["name"]: rows_in(archive, each["path"]) for each in package["resources"]}
    for each in package["resources"]:
        schema, found = each["schema"], rows[each["name"]]
        header = archive.read(each["path"]).decode().splitlines()[0].split(",")
        assert header == [field["name"] for field in schema["fields"]]
        keys = [tuple(row[name] for name in schema["primaryKey"]) for row in found]
        assert len(keys) == len(set(keys)), each["name"]
        for foreign in schema.get("foreignKeys", []):
            there = {
                tuple(row[name] for name in foreign["reference"]["fields"])
                for row in rows[foreign["reference"]["resource"]]
            }
            here = {tuple(row[name] for name in foreign["fields"]) for row in found}
            assert {key for key in here if any(key)} <= there, each["name"]
        for field in schema["fields"]:
            values = {row[field["name"]] for row in found} - set(schema["missingValues"])
            if "enum" in field.get("constraints", {}):
                assert values <= set(field["constraints"]["enum"]), (each["name"], field["name"])
            if field["type"] in ("integer", "number"):
                assert all(float(value) is not None for value in values)
            if field["type"] == "integer":
                assert all(value.lstrip("-").isdigit() for value in values), (
                    each["name"],
                    field["name"],
                )


def test_what_is_in_it_by_hand(client, world):
    archive = opened(bytes_of(client, world.address("bundle.zip")))
    rows = {each["path"]: each["rows"] for each in manifest_of(archive)["files"]}
    assert rows["patients.csv"] == rows["patients-wide.csv"] == 5
    assert (rows["treatments.csv"], rows["outcomes.csv"], rows["adverse-events.csv"]) == (6, 3, 3)
    assert (rows["indications.csv"], rows["manifestations.csv"], rows["prior-therapies.csv"]) == (
        8,
        7,
        3,
    )
    assert (rows["studies.csv"], rows["groups.csv"]) == (2, 3)
    signs = {
        (row["patient"], row["manifestation"]): row["status"]
        for row in rows_in(archive, "manifestations.csv")
    }
    assert signs["alpha-1", "ild"] == "present" and signs["alpha-1", "renal"] == "absent"
    four = next(row for row in rows_in(archive, "patients.csv") if row["patient"] == "alpha-4")
    assert (four["sex"], four["age_years"], four["empty_means"]) == (
        "not reported",
        "",
        "not reported",
    )
    check_keys(archive)


@settings(few, max_examples=15)
@given(question=addresses())
def test_page_file_and_bundle_count_the_same_and_the_hashes_verify(client, world, question):
    query = urlencode(question, doseq=True)
    first = bytes_of(client, world.address(f"bundle.zip?{query}"))
    assert first == bytes_of(client, world.address(f"bundle.zip?{query}")), (
        "made twice, the same bytes"
    )
    archive = opened(first)
    manifest = manifest_of(archive)
    for each in manifest["files"]:
        content = archive.read(each["path"])
        assert sha256(content).hexdigest() == each["sha256"] and len(content) == each["bytes"]
    assert {each["path"] for each in manifest["files"]} == set(archive.namelist()) - {
        "manifest.json"
    }
    rows = {each["path"]: each["rows"] for each in manifest["files"]}
    for noun in (
        "patients",
        "treatments",
        "outcomes",
        "adverse-events",
        "studies",
        "groups",
        "findings",
    ):
        lines = b"".join(client.get(world.address(f"{noun}.csv?{query}")).streaming_content).decode(
            "utf-8-sig"
        )
        assert len(list(csv.DictReader(io.StringIO(lines, newline="")))) == rows[f"{noun}.csv"], (
            noun
        )
    for path, count in rows.items():
        if count is not None:
            assert len(rows_in(archive, path)) == count
    check_keys(archive)


def test_it_says_what_was_asked_of_which_data_and_whom_to_cite(client, published):
    archive = opened(bytes_of(client, "/published/bundle.zip?inhibitor=baricitinib"))
    manifest = manifest_of(archive)
    assert manifest["question"] == "JAK inhibitor: baricitinib"
    assert manifest["address"] == "/published/?inhibitor=baricitinib"
    assert manifest["evidence_kind"] == "published" and manifest["data_version"] >= 1
    studies = {row["study"] for row in rows_in(archive, "studies.csv")}
    ris = archive.read("studies.ris").decode()
    assert {
        line.partition("- ")[2].strip() for line in ris.splitlines() if line.startswith("ID")
    } == studies
    readme = archive.read("README.txt").decode()
    assert "JAK inhibitor: baricitinib" in readme and 'An empty value is not "none".' in readme
    assert "Casebook informs; it does not advise." in readme


def test_simulated_records_say_so_in_every_file_and_are_not_cited(client, simulated):
    archive = opened(bytes_of(client, f"/{simulated.slug}/bundle.zip"))
    assert not {"studies.ris", "studies.bib"} & set(archive.namelist())
    assert "SIMULATED RECORDS" in archive.read("README.txt").decode()
    assert manifest_of(archive)["evidence_kind"] == simulated.caveat
    assert simulated.caveat in json.loads(archive.read("datapackage.json"))["description"]
    for noun in TIDY:
        assert all(
            row["evidence_kind"] == simulated.caveat for row in rows_in(archive, f"{noun}.csv")
        )
    check_keys(archive)


def test_provenance_leads_to_its_value(client, published):
    archive = opened(bytes_of(client, "/published/bundle.zip"))
    rows = rows_in(archive, "provenance.csv")
    assert len(rows) == Provenance.objects.filter(study__collection=published).count()
    duration = next(row for row in rows if row["field"] == "duration_months")
    assert (duration["subject"], duration["patient"], duration["treatment"]) == (
        "treatment",
        "fujita-2019-1",
        "1",
    )
    narrow = rows_in(
        opened(bytes_of(client, "/published/bundle.zip?study=prakashini-2023")), "provenance.csv"
    )
    assert all(row["study"] == "prakashini-2023" for row in narrow)


def test_drafts_and_second_reports_are_in_no_bundle(client, world):
    content = bytes_of(client, world.address("bundle.zip"))
    archive = opened(content)
    for path in archive.namelist():
        text = archive.read(path).decode()
        for hidden in ("alpha-5", "beta-2", "gamma"):
            assert hidden not in text, path


def test_formulas_are_inert_in_a_bundle_too(client, world):
    make_treatment(
        make_patient(
            make_study(world.collection, "eta", title="=1+1"), "eta-1", comorbidities="@SUM(A1)"
        )
    )
    archive = opened(bytes_of(client, world.address("bundle.zip?study=eta")))
    assert rows_in(archive, "studies.csv")[0]["title"].startswith("'")
    assert rows_in(archive, "patients.csv")[0]["comorbidities"].startswith("'")


def test_a_wrong_question_has_no_bundle(client, world):
    assert client.get(world.address("bundle.zip?sex=x")).status_code == 400


def test_it_is_written_piece_by_piece(client, world, django_assert_max_num_queries):
    """Whoever reads the first pieces has them before the last tables are asked for."""
    response = client.get(world.address("bundle.zip"))
    with django_assert_max_num_queries(4):
        next(iter(response.streaming_content))
    response.close()


def test_the_link_stands_beside_the_lists(client, world):
    body = client.get(world.address("patients/?sex=female")).content.decode()
    assert 'href="/world/bundle.zip?sex=female"' in body
    assert Study.objects.exists()

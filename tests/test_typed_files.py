"""Everything as one SQLite file and as Parquet: read back by the programs people use."""

import csv
import gc
import io
import json
import sqlite3
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import duckdb
import duckdb_extension_sqlite_scanner
import polars
import pyarrow
import pytest
from pyarrow import parquet

from evidence.curation.make_release import make_release
from evidence.downloads import typed_files
from evidence.downloads.release_status import release_status
from evidence.downloads.rows import escape_formula
from evidence.models import JAKInhibitor, Manifestation, Patient, Treatment
from evidence.questions.vocabulary import vocabulary
from evidence.tables import BUNDLED

from .wsgi import break_off

pytestmark = pytest.mark.django_db
SQLITE_FOR_DUCKDB = Path(duckdb_extension_sqlite_scanner.__file__).parent
ARROW = {"number": pyarrow.float64(), "text": pyarrow.string()}


def content(client, address: str) -> bytes:
    response = client.get(address)
    assert response.status_code == 200, response.content
    return response.getvalue()


def bundle_rows(client, address: str) -> dict[str, list[dict]]:
    """The tables of the CSV bundle."""
    archive = ZipFile(io.BytesIO(content(client, address)))
    return {
        noun: list(csv.DictReader(io.StringIO(archive.read(f"{noun}.csv").decode(), newline="")))
        for noun in BUNDLED
    }


def same(value, text: str, empty_means: str) -> bool:
    """Whether a typed value says what a cell of the CSV file does."""
    if value is None:
        return text in ("", empty_means)
    if isinstance(value, int | float):
        return Decimal(repr(value)) == Decimal(text)
    return text in (value, escape_formula(value))


def check_same(table: list[dict], rows: list[dict]) -> None:
    assert len(table) == len(rows)
    for typed, row in zip(table, rows, strict=True):
        assert list(typed) == list(row)
        for name, value in typed.items():
            assert same(value, row[name], row["empty_means"]), (name, value, row[name])


@pytest.fixture
def sqlite_file(tmp_path, client, published):
    path = tmp_path / "bundle.sqlite"
    path.write_bytes(content(client, "/published/bundle.sqlite"))
    return path


@pytest.fixture
def parquet_files(tmp_path, client, published):
    archive = ZipFile(io.BytesIO(content(client, "/published/bundle.parquet.zip")))
    archive.extractall(tmp_path)
    return tmp_path


@pytest.mark.parametrize("slug", ["published", "sener-2025-reconstruction"])
@pytest.mark.parametrize("query", ["", "?inhibitor=tofacitinib&sex=female"])
def test_both_hold_the_rows_of_the_bundle(tmp_path, client, db, slug, query):
    rows = bundle_rows(client, f"/{slug}/bundle.zip{query}")
    path = tmp_path / "bundle.sqlite"
    path.write_bytes(content(client, f"/{slug}/bundle.sqlite{query}"))
    database = sqlite3.connect(path)
    database.row_factory = sqlite3.Row
    archive = ZipFile(io.BytesIO(content(client, f"/{slug}/bundle.parquet.zip{query}")))
    for noun in BUNDLED:
        name = noun.replace("-", "_")
        check_same([dict(row) for row in database.execute(f"SELECT * FROM {name}")], rows[noun])
        table = parquet.read_table(io.BytesIO(archive.read(f"{noun}.parquet")))
        check_same(table.to_pylist(), rows[noun])
    database.close()


@pytest.mark.parametrize("taken", range(1, 5))
def test_a_reader_who_leaves_leaves_nothing_half_written(world, asking, taken):
    """A writer that is found unfinished later writes into a file that is closed."""
    entries = {table.noun: entries for table, entries in typed_files.bundle_entries()}
    collection = world.collection
    bundle = typed_files.ParquetBundle(
        asking(collection), vocabulary(collection), release_status(collection)
    )
    chunks = bundle.parquet_chunks(BUNDLED["patients"].table, entries["patients"])
    for _ in range(taken):
        next(chunks, None)
    chunks.close()
    gc.collect()  # what is said while something is collected is a warning, which is an error


def test_the_same_data_and_question_give_the_same_bytes(client, world):
    for how in ("sqlite", "parquet.zip"):
        first = content(client, f"/world/bundle.{how}?sex=female")
        assert content(client, f"/world/bundle.{how}?sex=female") == first
        assert content(client, f"/world/bundle.{how}") != first


def test_keys_hold_in_the_sqlite_file(sqlite_file):
    database = sqlite3.connect(sqlite_file)
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    leads = {row[2] for row in database.execute("PRAGMA foreign_key_list(treatments)")}
    assert leads == {"patients", "drugs"}
    database.close()


def test_types_and_meanings_are_those_of_the_dictionary(sqlite_file, parquet_files):
    database = sqlite3.connect(sqlite_file)
    database.row_factory = sqlite3.Row
    dictionary = [dict(row) for row in database.execute("SELECT * FROM dictionary")]
    assert {entry["table"] for entry in dictionary} == {noun.replace("-", "_") for noun in BUNDLED}
    for noun, tidy in BUNDLED.items():
        name = noun.replace("-", "_")
        explained = {entry["column"]: entry for entry in dictionary if entry["table"] == name}
        declared = {
            row["name"]: row["type"] for row in database.execute(f"PRAGMA table_info({name})")
        }
        assert declared.keys() == explained.keys()
        schema = parquet.read_schema(parquet_files / f"{noun}.parquet")
        whole = {column.name for column in tidy.table.file_columns if column.whole}
        for field in schema:
            entry = explained[field.name]
            number = entry["type"] == "number"
            if field.name in whole:
                assert (declared[field.name], field.type) == ("INTEGER", pyarrow.int64())
            else:
                assert declared[field.name] == ("REAL" if number else "TEXT")
                assert field.type == ARROW["number" if number else "text"]
            said = {key.decode(): value.decode() for key, value in field.metadata.items()}
            assert said["meaning"] == entry["meaning"] and said.get("unit", "") == entry["unit"]
    database.close()


def test_duckdb_and_polars_read_both(sqlite_file, parquet_files, published):
    courses = Treatment.objects.within(published).count()
    assert courses
    count = "SELECT count(*), count(age_years), max(age_years) FROM {}"
    with duckdb.connect() as duck:
        duck.execute(f"LOAD '{next(SQLITE_FOR_DUCKDB.rglob('*.duckdb_extension'))}'")
        duck.execute(f"ATTACH '{sqlite_file}' AS casebook (TYPE sqlite)")
        answers = [
            duck.execute(count.format(place)).fetchone()
            for place in ("casebook.courses", f"'{parquet_files}/courses.parquet'")
        ]
        joined = duck.execute(
            "SELECT count(*) FROM casebook.courses JOIN casebook.drugs USING (inhibitor) "
            "JOIN casebook.studies USING (study)"
        ).fetchone()
    assert joined == (courses,)
    frame = polars.read_parquet(parquet_files / "courses.parquet")
    database = sqlite3.connect(sqlite_file)
    also = polars.read_database("SELECT * FROM courses", database, infer_schema_length=None)
    database.close()
    for read in (frame, also):
        ages = read["age_years"]
        answers.append((len(read), ages.count(), ages.max()))
    ages = Patient.objects.within(published).values_list("age_years", flat=True)
    known = [age for age in ages if age is not None]
    assert set(answers) == {(courses, len(known), max(known))} and len(answers) == 4
    assert frame["age_years"].dtype == polars.Int64 and frame["mrss_last"].dtype == polars.Float64


def test_they_say_what_was_asked_and_of_what_kind_the_records_are(client, simulated, tmp_path):
    path = tmp_path / "bundle.sqlite"
    address = f"/{simulated.slug}/bundle"
    path.write_bytes(content(client, f"{address}.sqlite?sex=female"))
    database = sqlite3.connect(path)
    about = dict(database.execute("SELECT what, value FROM about"))
    assert about["question"] == "Sex: Female" and about["evidence_kind"] == simulated.caveat
    (kinds,) = zip(*database.execute("SELECT DISTINCT evidence_kind FROM courses"), strict=True)
    assert kinds == (simulated.caveat,)
    database.close()
    archive = ZipFile(io.BytesIO(content(client, f"{address}.parquet.zip?sex=female")))
    manifest = json.loads(archive.read("manifest.json"))
    assert manifest["question"] == "Sex: Female"
    for file in manifest["files"]:
        assert sha256(archive.read(file["path"])).hexdigest() == file["sha256"]
    assert "SIMULATED RECORDS" in archive.read("README.txt").decode()
    schema = parquet.read_schema(io.BytesIO(archive.read("courses.parquet")))
    assert json.loads(schema.metadata[b"casebook"])["evidence_kind"] == simulated.caveat


def test_many_rows_come_in_several_groups(client, world, monkeypatch):
    whole = ZipFile(io.BytesIO(content(client, "/world/bundle.parquet.zip")))
    monkeypatch.setattr(typed_files, "ROW_GROUP", 2)
    monkeypatch.setattr("evidence.tables.column.BATCH", 2)
    parts = ZipFile(io.BytesIO(content(client, "/world/bundle.parquet.zip")))
    file = parquet.ParquetFile(io.BytesIO(parts.read("courses.parquet")))
    assert file.num_row_groups > 2
    assert file.read().equals(parquet.read_table(io.BytesIO(whole.read("courses.parquet"))))


def test_they_are_named_after_the_release_and_a_wrong_question_is_refused(client, world):
    make_release()
    for how in ("sqlite", "parquet.zip"):
        response = client.get(f"/world/bundle.{how}?release=1")
        assert f'filename="casebook-world-release-1.{how}"' in response["Content-Disposition"]
        assert response["ETag"] and "world" in response["Link"]
        break_off(response)
        assert client.get(f"/world/bundle.{how}?sex=x").status_code == 400
        assert client.get(f"/world/bundle.{how}?release=9").status_code == 400


# What a bundle says of codes and drugs


def test_vocabularies_say_what_codes_mean(client, world):
    rows = bundle_rows(client, "/world/bundle.zip")
    signs = {row["code"]: row for row in rows["vocabulary-manifestations"]}
    assert len(signs) == Manifestation.objects.count()
    assert signs["ild"]["parent"] == "lung" and signs["lung"]["parent"] == ""
    assert signs["ild"]["label"] == Manifestation.objects.get(code="ild").label
    assert signs["ild"]["empty_means"] == "does not apply"
    drugs = {row["inhibitor"]: row for row in rows["drugs"]}
    tofacitinib = JAKInhibitor.objects.get(slug="tofacitinib")
    assert drugs["tofacitinib"]["atc"] == tofacitinib.atc != ""
    assert drugs["tofacitinib"]["targets"] == tofacitinib.targets != ""
    measures = {row["code"]: row for row in rows["vocabulary-measures"]}
    assert (measures["mrss"]["low"], measures["mrss"]["high"]) == ("0", "51")


def test_groups_say_what_was_not_asked_of_them(client, world):
    asked = bundle_rows(client, "/world/bundle.zip?sex=female")
    assert {row["not_asked"] for row in asked["groups"]} == {"Sex: Female"}
    whole = bundle_rows(client, "/world/bundle.zip")
    assert {row["not_asked"] for row in whole["groups"]} == {""} and whole["groups"]


# REDCap


def test_redcap_takes_the_data_by_the_dictionary(client, world):
    archive = ZipFile(io.BytesIO(content(client, "/world/bundle.zip")))

    def rows(path: str) -> list[dict]:
        return list(csv.DictReader(io.StringIO(archive.read(path).decode(), newline="")))

    dictionary, data = rows("redcap-dictionary.csv"), rows("redcap-data.csv")
    assert len(dictionary[0]) == 18 and dictionary[0]["Variable / Field Name"] == "record_id"
    assert [row["Variable / Field Name"] for row in dictionary] == list(data[0])
    names = [row["record_id"] for row in data]
    assert len(names) == len(set(names)) == 6 and names[0] == "alpha-1-c1"
    for field in dictionary:
        name, kind = field["Variable / Field Name"], field["Field Type"]
        assert name == name.lower() and name.isidentifier() and len(name) <= 100
        values = {row[name] for row in data} - {""}
        assert not values & {"not reported", "not extracted"} or name == "empty_means"
        if kind == "radio":
            choices = field["Choices, Calculations, OR Slider Labels"].split(" | ")
            assert values <= {choice.split(", ")[0] for choice in choices}, name
        validation = field["Text Validation Type OR Show Slider Number"]
        if validation == "integer":
            assert all(value.lstrip("-").isdigit() for value in values), name
        if validation == "number":
            assert all(float(value) is not None for value in values), name
    kinds = {row["Variable / Field Name"]: row["Field Type"] for row in dictionary}
    assert (kinds["response"], kinds["sex"], kinds["age_years"]) == ("radio", "radio", "text")

"""Every file says what it answers and where it is: in its name, in a header, in its description."""

import csv
import io
import json
import re
from hashlib import sha256
from urllib.parse import unquote, urljoin

import pytest
from csvw import CSVW

from evidence.charts.registry import CHARTS
from evidence.curation.make_release import make_release
from evidence.downloads import file_names
from evidence.models import Patient, ReleasedRecords
from evidence.tables import FILE_TABLES

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
HERE = "http://testserver"
QUESTION = "indication=ild&indication=skin"
SAME = "indication=skin&indication_match=any&indication=ild"  # in other words
FILES = [
    *(f"patients.{how}" for how in ("csv", "tsv", "jsonl", "xlsx")),
    *("findings.csv", "courses.tsv", "charts/adverse-events.csv", "forest.csv"),
    *("bundle.zip", "bundle.sqlite", "bundle.parquet.zip"),
    *("phenopackets.json", "studies.ris", "studies.bib"),
]


def links(response) -> dict[str, str]:
    """The targets of a Link header by their relations."""
    return {
        relation: target
        for target, relation in re.findall(r'<([^>]*)>; rel="([a-z-]+)"', response["Link"])
    }


def name_of(response) -> str:
    return re.search(r'filename="([^"]+)"', response["Content-Disposition"])[1]


@pytest.mark.parametrize("name", FILES)
def test_the_same_question_gives_the_same_name_and_address(client, world, name):
    first, second = (client.get(world.address(f"{name}?{query}")) for query in (QUESTION, SAME))
    assert name_of(first) == name_of(second)
    assert links(first)["canonical"] == links(second)["canonical"] == f"/world/{name}?{QUESTION}"
    assert client.get(links(first)["canonical"]).status_code == 200
    other = client.get(world.address(f"{name}?sex=female"))
    whole = client.get(world.address(name))
    assert len({name_of(each) for each in (first, other, whole)}) == 3
    assert links(whole)["canonical"] == f"/world/{name}"


def test_a_name_holds_the_hash_of_the_question(client, world):
    response = client.get(world.address(f"patients.csv?{QUESTION}"))
    digest = sha256(QUESTION.encode()).hexdigest()[:8]
    assert name_of(response).endswith(f"-q{digest}.csv")
    asked = client.get(f"/api/v1/world/patients/?{SAME}").json()["question"]["query"]
    assert asked == QUESTION, "which anybody can compute from the API's answer"
    assert "-q" not in name_of(client.get(world.address("patients.csv")))


def test_a_part_of_a_collection_is_not_called_like_the_archive_of_a_release(client, world):
    make_release()
    archive = name_of(client.get("/releases/1/world.zip"))
    assert name_of(client.get(world.address("bundle.zip"))) == archive
    part = name_of(client.get(world.address("bundle.zip?indication=skin")))
    assert part != archive and part.startswith("casebook-world-release-1-q")


def test_the_order_and_the_item_belong_to_the_address(client, world):
    for path in ("patients.csv?sort=-age_years", "forest.csv?item=relapsed&shared=yes"):
        response = client.get(world.address(f"{path}&release="))
        assert links(response)["canonical"] == world.address(path)
        assert name_of(response) != name_of(client.get(world.address(path.partition("?")[0])))


def test_a_header_says_the_question_in_words(client, world):
    response = client.get(world.address("patients.csv?sex=female&age_min=40"))
    title = re.search(r"rel=\"canonical\"; title\*=UTF-8''([^,]+)", response["Link"])[1]
    assert unquote(title).startswith("Sex: Female; Age")
    compared = client.get(world.address("compare.csv?a=sex%3Dfemale&b="))
    assert "A: Sex: Female; B: " in unquote(compared["Link"])
    assert links(compared)["canonical"] == "/world/compare.csv?a=sex%3Dfemale&b="


def test_a_long_question_does_not_make_a_header_that_servers_refuse(client, world, monkeypatch):
    monkeypatch.setattr(file_names, "LONGEST_WORDS", 10)
    response = client.get(world.address("patients.csv?sex=female"))
    assert "UTF-8''Sex%3A%20Femal%E2%80%A6" in response["Link"]


def test_nothing_in_an_address_breaks_a_header(client, world):
    response = client.get('/world/patients.csv?q=a>;"%0d%0aX-Bad:1,b')
    assert response.status_code == 200 and "X-Bad" not in response.headers
    assert set(links(response)) == {
        *("collection", "cite-as", "license"),
        *("canonical", "describedby"),
    }
    for address in links(response).values():
        assert not address.startswith("/") or client.get(address).status_code == 200


@pytest.mark.parametrize("path", ["patients/alpha-1/phenopacket.json", "studies/alpha.ris"])
def test_a_file_of_one_record_says_its_address(client, world, path):
    address = world.address(path)
    assert links(client.get(f"{address}?release="))["canonical"] == address
    make_release()
    pinned = f"{address}?release=1"
    assert links(client.get(pinned))["canonical"] == pinned


@pytest.mark.parametrize("path", [*FILES, "compare.csv?a=sex%3Dfemale&b="])
def test_a_file_of_a_release_says_so_in_its_address(client, world, path):
    make_release()
    pinned = world.address(f"{path}{'&' if '?' in path else '?'}release=1")
    response = client.get(pinned)
    assert links(response)["canonical"] == pinned
    assert name_of(response) == name_of(client.get(world.address(path)))


@pytest.mark.parametrize("path", [*FILES, "patients.csv-metadata.json"])
def test_a_file_may_be_read_from_elsewhere(client, world, path):
    response = client.get(world.address(path), headers={"Origin": "https://elsewhere.example"})
    assert response["Access-Control-Allow-Origin"] == "*"


# The description of a file


def described(client, address: str) -> tuple[dict, str]:
    """The description a file leads to, and the file's text."""
    response = client.get(address)
    content = b"".join(response.streaming_content) if response.streaming else response.content
    leads = response["Link"]
    assert 'rel="describedby"; type="application/csvm+json"' in leads
    path = links(response)["describedby"]
    description = client.get(path)
    assert (description.status_code, description["Content-Type"]) == (200, "application/csvm+json")
    assert name_of(description) == f"{name_of(response)}-metadata.json"
    told = description.json()
    assert urljoin(f"{HERE}{path}", told["url"]) == f"{HERE}{address}", "it names this very file"
    assert told["dc:identifier"] == HERE + links(response)["canonical"]
    return told, content.decode("utf-8-sig")


def valid_rows(told: dict, text: str, folder) -> list[dict]:
    """The rows, read by the description; every value has to be of its column's type, and every key
    to be unique.
    """
    (folder / "file.csv").write_text(text, encoding="utf-8", newline="")
    (folder / "file.json").write_text(json.dumps(told | {"url": "file.csv"}), encoding="utf-8")
    read = CSVW(str(folder / "file.json"), validate=True)
    assert read.is_valid, read.warnings
    (table,) = read.tables
    assert table.check_primary_key()
    return list(table.iterdicts(strict=True))


@pytest.mark.parametrize("noun", FILE_TABLES)
@pytest.mark.parametrize("collection", ["world", "published", "sener-2025-reconstruction"])
def test_a_list_is_valid_by_its_description(client, world, tmp_path, collection, noun):
    for how in ("csv", "tsv"):
        told, text = described(client, f"/{collection}/{noun}.{how}?age_min=10")
        rows = valid_rows(told, text, tmp_path)
        separator = "\t" if how == "tsv" else ","
        plain = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator))
        columns = told["tableSchema"]["columns"]
        assert [column["name"] for column in columns] == list(
            plain[0] if plain else rows or [column["name"] for column in columns]
        )
        for row, line in zip(rows, plain, strict=True):
            for column in columns:
                value, cell = row[column["name"]], line[column["name"]]
                if "separator" in column:
                    assert "; ".join(value or []) == cell
                elif "datatype" in column:
                    assert (value is None) == (cell == "") and (
                        value is None or float(value) == float(cell)
                    )
                else:
                    assert value == cell or (value is None and cell in column.get("null", [""]))


def test_a_description_says_question_kind_and_release(client, world, simulated):
    make_release()
    told, _ = described(client, f"/{simulated.slug}/patients.csv?sex=female&release=1")
    assert told["dc:description"].startswith("Sex: Female. simulated")
    assert told["schema:version"] == "1"
    assert told["url"] == "patients.csv?sex=female&release=1"
    assert told["dc:identifier"] == f"{HERE}/{simulated.slug}/patients.csv?sex=female&release=1"
    columns = {each["name"]: each for each in told["tableSchema"]["columns"]}
    assert columns["age_years"]["datatype"] == "integer"
    assert columns["inhibitors"]["separator"] == "; "
    assert "not reported" in columns["sex"]["null"]
    assert all(each["dc:description"] for each in columns.values())


@pytest.mark.parametrize("name", CHARTS)
def test_the_numbers_of_a_chart_are_valid_by_their_description(client, world, tmp_path, name):
    told, text = described(client, f"/published/charts/{name}.csv?sex=female")
    valid_rows(told, text, tmp_path)


@pytest.mark.parametrize(
    "address",
    [
        "/sener-2025-reconstruction/forest.csv?item=improved&shared=yes",
        "/published/forest.csv",
        "/published/compare.csv?a=sex%3Dfemale&b=sex%3Dmale",
        "/data-dictionary.csv",
    ],
)
def test_other_files_are_valid_by_their_descriptions(client, world, tmp_path, address):
    told, text = described(client, address)
    rows = valid_rows(told, text, tmp_path)
    assert len(rows) > 1
    numbers = {
        (column.get("name") or column["titles"][0])
        for column in told["tableSchema"]["columns"]
        if "datatype" in column
    }
    assert numbers >= {"n", "known"} or "forest" not in address


def test_a_wrong_question_has_no_description(client, world):
    for path in ("patients.csv", "charts/adverse-events.csv", "forest.csv", "compare.csv"):
        refused = client.get(world.address(f"{path}-metadata.json?sexx=male"))
        assert (refused.status_code, refused["Content-Type"]) == (400, "text/plain; charset=utf-8")
    make_release()
    patient = Patient.objects.get(slug="alpha-1")
    patient.age_years = 41
    patient.save()
    assert client.get(world.address("patients.csv-metadata.json?release=1")).status_code == 200
    ReleasedRecords.objects.get().delete()
    patient.age_years = 42
    patient.save()
    assert client.get(world.address("patients.csv-metadata.json?release=1")).status_code == 409

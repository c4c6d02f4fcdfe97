"""Titles, creators, licences: said once, and the same in every form, valid by its own schema."""

import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

import jsonschema
import pytest
import yaml
from django.core.management import call_command
from django.urls import reverse

from evidence.curation.make_release import make_release
from evidence.downloads.metadata import repository
from evidence.models import Patient, ReleasedRecords, Study

from .addresses import arguments
from .factories import make_patient, make_study

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS = Path(__file__).parent / "schemas"
AUTHORS = "The Casebook authors"
CC_BY = "https://creativecommons.org/licenses/by/4.0/"
SIMULATED = "sener-2025-reconstruction"
COLLECTIONS = ["published", SIMULATED]
# Pages of a collection that say what to cite; those of one record name themselves.
VIEWS = ["cohort", "matrix", "charts", "compare", "similar", "forest", "rules", "completeness"]
VIEWS += ["flow", "list"]
RECORDS = ["patient", "study"]
FILES = ["bundle", "phenopackets", "forest_file", "citations", "chart_file", "file", "datacite"]


def validator(name: str):
    schema = json.loads((SCHEMAS / name).read_text())
    return jsonschema.validators.validator_for(schema)(schema)


def links_of(response) -> dict[str, tuple[str, str]]:
    """The links of an answer: relation -> address, the rest of its parameters. Without what
    describes one file, which stands beside what describes the collection.
    """
    found = [
        link
        for link in re.findall(r'<([^>]*)>; rel="([\w-]+)"((?:; [^,]*)?)', response["Link"])
        if "application/csvm+json" not in link[2]
    ]
    assert len({relation for _, relation, _ in found}) == len(found)
    return {relation: (address, more) for address, relation, more in found}


def bundle_of(client, address: str) -> dict[str, bytes]:
    archive = ZipFile(io.BytesIO(client.get(address).getvalue()))
    return {name: archive.read(name) for name in archive.namelist()}


def linked_data_in(response) -> dict:
    (script,) = re.findall(
        r'<script type="application/ld\+json">(.*?)</script>', response.content.decode(), re.S
    )
    return json.loads(script)


# The repository


def test_the_files_in_the_repository_are_those_the_command_writes(tmp_path, settings):
    for name, text in repository.repository_files(ROOT).items():
        assert (ROOT / name).read_text() == text, f"{name}: run manage.py write_citation_files"
    (tmp_path / "fixtures").mkdir()
    for name in ("pyproject.toml", "CHANGELOG.md", "fixtures/collections.json"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    settings.BASE_DIR = tmp_path
    call_command("write_citation_files", verbosity=0)
    for name in ("CITATION.cff", ".zenodo.json"):
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()


def test_citation_cff_is_valid_and_of_this_version():
    content = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    validator("citation-file-format-1.2.0.json").validate(content)
    version = re.search(r'^version = "([\d.]+)"$', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    zenodo = json.loads((ROOT / ".zenodo.json").read_text())
    assert content["version"] == zenodo["version"] == version
    assert content["license"] == zenodo["license"] == "MIT" and "doi" not in content
    assert content["authors"] == zenodo["creators"] == [{"name": AUTHORS}]
    assert AUTHORS in (ROOT / "LICENSE").read_text()
    assert {data["license"] for data in content["references"]} == {"CC-BY-4.0"}
    published, simulated = content["references"]
    assert "simulated" not in published["title"] + published["abstract"]
    assert "simulated records, not evidence" in simulated["title"]
    assert "(simulated records, not evidence)" in content["abstract"] == zenodo["description"]


def test_a_version_has_its_date_once_the_change_log_has_it(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "3.1.0"\n')
    log = tmp_path / "CHANGELOG.md"
    log.write_text("# Changelog\n\n## 3.1.0 (5 March 2027)\n\n## 3.0.0 (1 March 2027)\n")
    dated = repository.project_release(tmp_path)
    assert (dated.version, dated.date) == ("3.1.0", "2027-03-05")
    log.write_text("# Changelog\n\n## 3.1.0 (unreleased)\n")
    undated = repository.project_release(tmp_path)
    assert undated.date == "" and "date-released" not in repository.citation_cff(undated, [])


# DataCite


@pytest.mark.parametrize("slug", COLLECTIONS)
def test_datacite_describes_a_collection(client, db, slug):
    response = client.get(f"/{slug}/datacite.json")
    assert response["Content-Type"] == "application/vnd.datacite.datacite+json"
    record = response.json()
    validator("datacite-4.5.json").validate(record)
    assert record["creators"] == [{"name": AUTHORS, "nameType": "Organizational"}]
    assert record["url"] == f"http://testserver/{slug}/" and "doi" not in record
    assert record["rightsList"][0]["rightsUri"] == CC_BY
    related = [each["relatedIdentifier"] for each in record["relatedIdentifiers"]]
    texts = [record["titles"][0]["title"], record["descriptions"][0]["description"]]
    subjects = {each["subject"] for each in record["subjects"]}
    if slug == SIMULATED:
        assert all("simulated records, not evidence" in text.lower() for text in texts)
        assert record["types"]["resourceType"].startswith("Simulated")
        assert related == ["10.1177/23971983251342697"] and "simulated data" in subjects
        assert record["relatedIdentifiers"][0]["relationType"] == "References"
    else:
        assert "imulated" not in response.content.decode()
        studies = Study.objects.published().filter(collection__slug=slug)
        assert set(related) == {study.doi or study.link for study in studies} - {""}


def test_datacite_of_a_release_is_of_its_data_or_refused(client, published):
    make_release()
    record = client.get("/published/datacite.json?release=1").json()
    assert record["version"] == "1" and record["dates"][0]["dateType"] == "Issued"
    study = published.studies.first()
    study.title = "Corrected"
    study.save()
    assert client.get("/published/datacite.json?release=1").json() == record
    ReleasedRecords.objects.get().delete()
    study.title = "Corrected again"
    study.save()
    assert client.get("/published/datacite.json?release=1").status_code == 409
    today = client.get("/published/datacite.json").json()
    assert "changed since" in today["version"] and today["dates"][0]["dateType"] == "Updated"


# In a bundle


@pytest.mark.parametrize("slug", COLLECTIONS)
@pytest.mark.parametrize("query", ["", "?inhibitor=tofacitinib&sex=female"])
def test_a_bundle_says_whose_it_is_in_every_form(client, db, slug, query):
    files = bundle_of(client, f"/{slug}/bundle.zip{query}")
    crate, datacite, package, manifest = (
        json.loads(files[name])
        for name in (
            "ro-crate-metadata.json",
            "datacite.json",
            "datapackage.json",
            "manifest.json",
        )
    )
    validator("datacite-4.5.json").validate(datacite)
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    root = entities["./"]
    assert {part["@id"] for part in root["hasPart"]} == set(files) - {"ro-crate-metadata.json"}
    for name, content in files.items():
        if name not in ("ro-crate-metadata.json", "manifest.json"):
            assert entities[name]["contentSize"] == str(len(content)), name
    assert entities[root["author"]["@id"]]["name"] == AUTHORS
    assert root["license"] == {"@id": CC_BY} and entities[CC_BY]["identifier"] == "CC-BY-4.0"
    assert package["licenses"][0]["name"] == manifest["licence_of_the_data"] == "CC-BY-4.0"
    assert package["contributors"] == [{"title": AUTHORS, "role": "author"}]
    assert manifest["how_to_cite"].startswith(AUTHORS)
    titles = {root["name"], datacite["titles"][0]["title"], package["title"]}
    assert len(titles) == 1
    (title,) = titles
    assert ("tofacitinib" in title) is bool(query)
    if query:
        assert "Not asked of groups: Sex: Female." in root["description"]
    descriptions = [root["description"], datacite["descriptions"][0]["description"]]
    simulated = slug == SIMULATED
    for text in (title, *descriptions):
        assert ("simulated records, not evidence" in text.lower()) is simulated
    assert entities["patients.csv"]["description"].startswith("Simulated") is simulated
    assert "CC BY 4.0" in files["README.txt"].decode()
    assert "testserver" not in b"".join(files.values()).decode(), "the same bytes on every host"


def test_a_bundle_is_based_on_the_studies_of_its_question_alone(client, db):
    files = bundle_of(client, "/published/bundle.zip?study=fujita-2019")
    package, crate = (
        json.loads(files["datapackage.json"]),
        json.loads(files["ro-crate-metadata.json"]),
    )
    (root,) = [entity for entity in crate["@graph"] if entity["@id"] == "./"]
    address = "https://doi.org/10.1155/2019/5293981"
    assert [source["path"] for source in package["sources"]] == [address]
    assert root["isBasedOn"] == [{"@id": address}]


# For search engines


def test_the_page_on_citing_has_a_dataset_for_each_collection(client, db):
    response = client.get("/cite/")
    published, simulated = linked_data_in(response)["@graph"]
    assert {each["@type"] for each in (published, simulated)} == {"Dataset"}
    assert simulated["name"].endswith("simulated records, not evidence")
    assert simulated["description"].startswith("Simulated records, not evidence: ")
    assert "imulated" not in json.dumps(published)
    for dataset, slug in ((published, "published"), (simulated, SIMULATED)):
        addresses = [each["contentUrl"] for each in dataset["distribution"]]
        assert len(addresses) == 2
        for address in [*addresses, dataset["url"]]:
            assert address.startswith(f"http://testserver/{slug}/")
            assert client.get(address.removeprefix("http://testserver")).status_code == 200
        assert dataset["license"] == CC_BY and dataset["creator"]["name"] == AUTHORS
    assert (
        len(published["isBasedOn"])
        == Study.objects.published().filter(collection__slug="published").count()
    )
    assert [each["url"] for each in simulated["mentions"]] == [
        "https://doi.org/10.1177/23971983251342697"
    ]
    body = response.content.decode()
    assert "There is no DOI yet" in body and f"{AUTHORS}. Casebook: patient-level" in body


@pytest.mark.parametrize("slug", COLLECTIONS)
def test_an_overview_describes_its_own_collection_unless_something_is_asked(client, db, slug):
    (dataset,) = linked_data_in(client.get(f"/{slug}/"))["@graph"]
    assert dataset["@id"] == f"http://testserver/{slug}/"
    assert ("imulated" in dataset["name"]) is (slug == SIMULATED)
    asked = client.get(f"/{slug}/?sex=female").content.decode()
    assert "application/ld+json" not in asked


@pytest.mark.parametrize(
    ("address", "canonical"),
    [
        ("/", "/"),
        ("/published/", "/published/"),
        ("/published/?sex=female&sort=age_years", "/published/?sex=female"),
        ("/published/?sex=", "/published/"),
        (
            "/published/patients/?sex=female&sort=-age_years&page=1",
            "/published/patients/?sex=female",
        ),
        ("/published/?sex=nonsense", "/published/"),
        ("/published/patients/fujita-2019-1/", "/published/patients/fujita-2019-1/"),
    ],
)
def test_a_page_names_its_one_address(client, db, address, canonical):
    body = client.get(address).content.decode()
    assert re.findall(r'<link rel="canonical" href="([^"]*)">', body) == [
        f"http://testserver{canonical}"
    ]


# Links that programs follow


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("slug", COLLECTIONS)
def test_a_view_of_a_collection_links_to_what_to_cite(client, db, name, slug):
    address = reverse(name, args=arguments(slug)[name][0])
    links = links_of(client.get(address))
    assert links["cite-as"][0] == links["collection"][0] == f"/{slug}/"
    assert links["describedby"][0] == f"/{slug}/datacite.json"
    assert links["license"][0] == CC_BY
    assert client.get(links["describedby"][0]).status_code == 200
    assert ("simulated" in links["collection"][1]) is (slug == SIMULATED)
    assert "Link" not in client.get(f"{address}?zz=1")


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("slug", COLLECTIONS)
def test_a_record_is_cited_by_its_own_page(client, db, name, slug):
    address = reverse(name, args=arguments(slug)[name][0])
    links = links_of(client.get(f"{address}"))
    assert links["cite-as"][0] == address and links["collection"][0] == f"/{slug}/"
    assert links["license"][0] == CC_BY and "describedby" not in links


@pytest.mark.parametrize("name", FILES)
def test_a_file_links_to_what_to_cite(client, db, name):
    query = "?item=improved" if name == "forest_file" else ""
    response = client.get(reverse(name, args=arguments("published")[name][0]) + query)
    links = links_of(response)
    assert links["cite-as"][0] == "/published/" and links["license"][0] == CC_BY
    assert links["describedby"][0] == "/published/datacite.json"


def test_an_archive_links_to_its_release(client, world, released):
    links = links_of(client.get("/releases/1/world.zip"))
    assert links["cite-as"][0] == links["describedby"][0] == "/releases/#release-1"
    assert links["license"][0] == CC_BY
    assert 'id="release-1"' in client.get("/releases/").content.decode()


# Programs that follow every link


def test_robots_leave_questions_and_curators_alone(client, db):
    response = client.get("/robots.txt")
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    lines = response.content.decode().splitlines()
    assert "Disallow: /*?" in lines and "Disallow: /admin/" in lines
    assert "Sitemap: http://testserver/sitemap.xml" in lines


def test_the_sitemap_has_every_page_of_what_was_published_and_no_simulated_record(client, db):
    response = client.get("/sitemap.xml")
    assert response["Content-Type"] == "application/xml; charset=utf-8"
    space = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    root = ElementTree.fromstring(response.content)
    addresses = [each.text for each in root.iter(f"{space}loc")]
    assert root.tag == f"{space}urlset" and len(addresses) == len(set(addresses))
    paths = [address.removeprefix("http://testserver") for address in addresses]
    for path in paths:
        assert client.get(path).status_code == 200, path
    for name, model in (("studies", Study), ("patients", Patient)):
        there = arguments("published")["study" if model is Study else "patient"]
        assert {f"/published/{name}/{slug}/" for _, slug in there} <= set(paths)
    assert [path for path in paths if path.startswith(f"/{SIMULATED}/")] == [f"/{SIMULATED}/"]


def test_the_sitemap_shows_nothing_that_is_not_published(client, world):
    hidden = make_study(world.collection, "secret-study", state="draft")
    make_patient(hidden, "secret-study-1")
    body = client.get("/sitemap.xml").content.decode()
    assert "/world/patients/alpha-1/" in body and "secret" not in body


def test_a_sitemap_is_no_longer_than_its_protocol_allows(
    client, world, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr("evidence.web.crawlers.MOST_ADDRESSES", 12)
    with django_assert_max_num_queries(8):
        body = client.get("/sitemap.xml").content.decode()
    assert body.count("<loc>") == 12 and "<loc>http://testserver/cite/</loc>" in body

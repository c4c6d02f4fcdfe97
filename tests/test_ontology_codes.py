"""Codes of other ontologies: only those that a copy was read for, the same everywhere they are
shown.
"""

import csv
import io
import json
import re
from zipfile import ZipFile

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evidence.curation.dumping import dump_evidence
from evidence.curation.fixture_files import read_all
from evidence.curation.loading import load_records
from evidence.models import (
    AdverseEventCategory,
    Indication,
    LoadedRecord,
    Manifestation,
    OntologyCode,
    Therapy,
)
from evidence.models.ontology_code import ONTOLOGIES
from evidence.tables.ontology_codes import COLUMNS, ontology_code_rows

from .test_pages import text_of

pytestmark = pytest.mark.django_db

# (kind, term) -> code and label, as the copies named in the fixtures have them.
SHIPPED = {
    ("disease", "systemic-sclerosis"): ("MONDO:0005100", "systemic sclerosis"),
    ("disease", "diffuse"): ("MONDO:0016356", "diffuse cutaneous systemic sclerosis"),
    ("disease", "limited"): ("MONDO:0016358", "limited cutaneous systemic sclerosis"),
    ("manifestation", "raynaud"): ("HP:0030880", "Raynaud phenomenon"),
    ("manifestation", "digital_ulcers"): ("HP:0031917", "Digital ulcer"),
    ("indication", "digital_ulcers"): ("HP:0031917", "Digital ulcer"),
    ("manifestation", "calcinosis"): ("HP:0025520", "Calcinosis cutis"),
    ("autoantibody", "ana"): ("HP:0003493", "Antinuclear antibody positivity"),
    ("autoantibody", "anti-scl-70"): ("HP:0030859", "Anti-topoisomerase I antibody positivity"),
    ("autoantibody", "anti-u1-rnp"): (
        "HP:0033028",
        "Anti-U1 ribonucleoprotein antibody positivity",
    ),
    ("adverse_event_category", "hepatitis"): ("HP:0012115", "Hepatitis"),
}
REPOSITORIES = {
    "HP": "obophenotype/human-phenotype-ontology",
    "MONDO": "monarch-initiative/mondo",
}
RELEASES = {"HP": "2023-07-21", "MONDO": "2026-08-04"}


def read_code(**term) -> OntologyCode:
    return OntologyCode(
        **{
            "code": "HP:0000001",
            "label": "All",
            "release": "2023-07-21",
            "source": "https://example.org/hp.obo",
        }
        | term
    )


def test_no_code_is_shipped_but_those_that_were_read():
    found = {
        (code.subject_name, code.term_code): (code.code, code.label)
        for code in OntologyCode.objects.all()
    }
    assert found == SHIPPED


def test_every_code_names_its_release_and_a_copy_that_never_changes():
    for code in OntologyCode.objects.all():
        prefix = code.code.partition(":")[0]
        assert code.release == RELEASES[prefix]
        repository = re.escape(REPOSITORIES[prefix])
        assert re.fullmatch(
            rf"https://github\.com/{repository}/blob/[0-9a-f]{{40}}/\S+", code.source
        )
        assert code.iri == f"{ONTOLOGIES[prefix].iri_prefix}{code.code.partition(':')[2]}"


@pytest.mark.parametrize("organ", ["skin", "joints", "lung", "gi", "cardiac", "renal", "ild"])
def test_organs_have_no_code(organ):
    for model in (Manifestation, Indication):
        assert not model.objects.filter(code=organ, ontology_codes__isnull=False).exists()


def test_page_api_and_bundle_show_the_same(client):
    rows = ontology_code_rows()
    assert {(row["kind"], row["term"]) for row in rows} == set(SHIPPED)
    assert all(list(row) == list(COLUMNS) for row in rows)
    assert client.get("/api/v1/dictionary/").json()["ontology_codes"] == rows
    pieces = client.get("/published/bundle.zip").streaming_content
    archive = ZipFile(io.BytesIO(b"".join(pieces)))
    text = archive.read("ontology-codes.csv").decode()
    assert list(csv.DictReader(io.StringIO(text, newline=""))) == rows
    assert "ontology-codes.csv: 11 rows" in archive.read("README.txt").decode()
    explained = csv.DictReader(io.StringIO(archive.read("dictionary.csv").decode(), newline=""))
    assert [row["column"] for row in explained if row["file"] == "ontology-codes.csv"] == list(
        COLUMNS
    )
    page = client.get("/data-dictionary/")
    body, words = page.content.decode(), text_of(page)
    for row in rows:
        assert f'href="{row["iri"]}"' in body and f'href="{row["source"]}"' in body
        for shown in ("term", "code", "label", "release"):
            assert row[shown] in words
        assert f'id="code-{row["kind"]}-{row["term"]}"' in body


def test_the_data_package_describes_the_file(client):
    archive = ZipFile(io.BytesIO(b"".join(client.get("/published/bundle.zip").streaming_content)))
    package = json.loads(archive.read("datapackage.json"))
    (described,) = [each for each in package["resources"] if each["name"] == "ontology-codes"]
    assert described["schema"]["primaryKey"] == ["kind", "term"]
    assert [field["name"] for field in described["schema"]["fields"]] == list(COLUMNS)


def test_without_any_code_everything_still_answers(client):
    OntologyCode.objects.all().delete()
    assert client.get("/api/v1/dictionary/").json()["ontology_codes"] == []
    words = text_of(client.get("/data-dictionary/"))
    assert "No term has a code of another ontology." in words
    assert "Systemic sclerosis: Diffuse cutaneous (dcSSc)" in words
    archive = ZipFile(io.BytesIO(b"".join(client.get("/published/bundle.zip").streaming_content)))
    assert archive.read("ontology-codes.csv").decode().splitlines() == [",".join(COLUMNS)]


def test_the_dictionary_costs_the_same_with_more_codes(client):
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert client.get("/data-dictionary/").status_code == 200
        return len(asked)

    queries()
    first = queries()
    for number in range(40):
        term = Manifestation.objects.create(code=f"sign-{number}", label=f"Sign {number}")
        read_code(manifestation=term, code=f"HP:{number:07}").save()
    queries()
    assert queries() == first <= 5


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"release": ""}, "release"),
        ({"source": ""}, "source"),
        ({"label": ""}, "label"),
        ({"code": "0000001"}, "__all__"),
        ({"code": "ICD:0000001"}, "__all__"),
    ],
)
def test_a_code_without_its_source_is_refused(wrong, told):
    term = Indication.objects.get(code="ild")
    read_code(indication=term).full_clean()
    with pytest.raises(ValidationError) as refused:
        read_code(indication=term, **wrong).full_clean()
    assert told in refused.value.message_dict


def test_a_code_stands_for_one_term():
    term = Indication.objects.get(code="ild")
    for terms in (
        {},
        {"indication": term, "disease": "sine"},
        {"indication": term, "adverse_event_category": AdverseEventCategory.objects.first()},
    ):
        with pytest.raises(ValidationError, match="exactly one term"):
            read_code(**terms).full_clean()


def test_therapies_have_no_codes_to_stand_for():
    assert not hasattr(Therapy.objects.first(), "ontology_codes")


def test_a_code_goes_with_its_term():
    term = Manifestation.objects.create(code="own", label="Own")
    read_code(manifestation=term).save()
    term.delete()
    assert not OntologyCode.objects.filter(code="HP:0000001").exists()


def test_codes_are_dumped_and_loaded_as_they_are(tmp_path):
    read_code(indication=Indication.objects.get(code="ild"), note="read by hand").save()
    before = ontology_code_rows()
    dump_evidence(tmp_path)
    OntologyCode.objects.all().delete()
    records = [each for each in read_all(tmp_path) if each.model == "evidence.ontologycode"]
    assert len(records) == len(before) == 12
    LoadedRecord.objects.filter(model="evidence.ontologycode").delete()
    load_records(records)
    assert ontology_code_rows() == before


def test_the_form_of_a_code_says_what_is_missing(admin_client):
    term = Indication.objects.get(code="ild")
    sent = {"indication": term.pk, "code": "HP:0000001", "label": "All", "release": "2023-07-21"}
    refused = admin_client.post("/admin/evidence/ontologycode/add/", sent)
    assert refused.status_code == 200 and "source" in refused.context["adminform"].form.errors
    sent["source"] = "https://example.org/hp.obo"
    assert admin_client.post("/admin/evidence/ontologycode/add/", sent).status_code == 302
    listed = text_of(admin_client.get("/admin/evidence/ontologycode/"))
    assert "Interstitial lung disease (ILD) (indication)" in listed

"""Phenopackets, read back with the standard's own library and held against the JSON schemas of its
validator.
"""

import json
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from google.protobuf.json_format import Parse
from hypothesis import given, settings
from phenopackets.schema.v2 import Cohort, Phenopacket

from evidence.curation.make_release import make_release
from evidence.downloads.phenopackets import LOSSES
from evidence.models import Indication, Manifestation, OntologyCode, Patient, Treatment

from .factories import make_collection, make_patient, make_study, make_treatment
from .phenopacket_schemas import problems
from .test_filters import addresses, few
from .test_generation import generate
from .test_pages import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
NOBODY = "$.members: [] should be non-empty"
SIMULATED = "casebook:evidence.simulated"


def one(client, collection: str, slug: str) -> Phenopacket:
    """One patient's packet, which is valid."""
    response = client.get(f"/{collection}/patients/{slug}/phenopacket.json")
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert problems("phenopacket", json.loads(response.content)) == []
    return Parse(response.content, Phenopacket())  # refuses unknown fields and values


def cohort(client, address: str) -> Cohort:
    """A question's cohort, which is valid; one of nobody is but for having no member."""
    response = client.get(address)
    assert response.status_code == 200, response.content
    content = response.getvalue()
    data = json.loads(content)
    assert problems("cohort", data) == ([] if data["members"] else [NOBODY])
    return Parse(content, Cohort())


def features(packet) -> dict[str, bool]:
    return {each.type.id: not each.excluded for each in packet.phenotypic_features}


def test_one_patient_by_hand(client, world):
    packet = one(client, "world", "alpha-1")
    assert packet.id == packet.subject.id == "alpha-1"
    assert (
        packet.subject.sex == 1
        and packet.subject.time_at_last_encounter.age.iso8601duration == "P40Y"
    )
    assert features(packet) == {
        "casebook:manifestation.ild": True,
        "casebook:manifestation.renal": False,
        "HP:0030859": True,
        "HP:0003493": False,
    }
    (disease,) = packet.diseases
    assert disease.term.id == "MONDO:0016356"
    assert disease.term.label == "diffuse cutaneous systemic sclerosis"
    (action,) = packet.medical_actions
    assert (action.treatment.agent.id, action.treatment.agent.label) == (
        "ATC:L04AF01",
        "tofacitinib",
    )
    assert action.treatment_target.id == "casebook:indication.ild+skin"
    assert action.treatment_target.label == "Interstitial lung disease (ILD) and Skin"
    assert action.response_to_treatment.id == "casebook:response.improved"
    assert [event.id for event in action.adverse_events] == ["casebook:adverse-event.infection"] * 2


def test_what_is_not_known_is_left_out(client, world):
    packet = one(client, "world", "alpha-4")
    assert packet.subject.sex == 0 and not packet.subject.HasField("time_at_last_encounter")
    assert not packet.phenotypic_features
    assert packet.diseases[0].term.id == "MONDO:0005100"
    (action,) = packet.medical_actions
    assert not action.HasField("treatment_target") and not action.HasField("response_to_treatment")
    assert not action.adverse_events


def test_every_feature_names_its_publication(client, published):
    packet = one(client, "published", "fujita-2019-1")
    study = Patient.objects.get(slug="fujita-2019-1").study
    assert packet.phenotypic_features
    for each in packet.phenotypic_features:
        (told,) = each.evidence
        assert told.reference.id == f"DOI:{study.doi}" and told.reference.reference == study.link
        assert told.evidence_code.id == f"casebook:read.{study.extraction}"
    assert [each.id for each in packet.meta_data.external_references] == [f"DOI:{study.doi}"]
    assert packet.meta_data.phenopacket_schema_version == "2.0"


def test_a_code_is_another_ontologys_only_where_a_copy_of_it_was_read(client, world):
    prefixes = {"casebook", "ATC", "HP", "MONDO"}
    packet = one(client, "world", "alpha-1")
    assert {each.namespace_prefix for each in packet.meta_data.resources} == prefixes
    read_as(Manifestation.objects.get(code="ild"), "HP:0000001")
    read_as(Indication.objects.get(code="skin"), "HP:0000002")
    packet = one(client, "world", "alpha-2")
    ids = [action.treatment_target.id for action in packet.medical_actions]
    assert ids == ["HP:0000002", "casebook:indication.ild"]
    packet = one(client, "world", "alpha-1")
    assert features(packet)["HP:0000001"] is True
    assert {each.namespace_prefix: each.version for each in packet.meta_data.resources}.items() >= {
        "HP": "2020-01-01; 2023-07-21",
        "MONDO": "2026-08-04",
    }.items()
    OntologyCode.objects.all().delete()
    for slug in ("alpha-1", "alpha-2", "alpha-4"):
        packet = one(client, "world", slug)
        assert all(term.startswith("casebook:") for term in features(packet))
        assert packet.diseases[0].term.id.startswith("casebook:")
        resources = packet.meta_data.resources
        assert {each.namespace_prefix for each in resources} == {"casebook", "ATC"}


@pytest.mark.parametrize(
    ("subset", "term"),
    [
        ("diffuse", "MONDO:0016356"),
        ("limited", "MONDO:0016358"),
        ("sine", "casebook:subset.sine"),
        ("overlap", "casebook:subset.overlap"),
        ("unknown", "MONDO:0005100"),
    ],
)
def test_every_subset_has_a_term(client, world, subset, term):
    patient = make_patient(make_study(world.collection, "subsets"), "of-a-subset", subset=subset)
    make_treatment(patient, events=[("hepatitis", {}), ("infection", {})])
    packet = one(client, "world", patient.slug)
    assert [each.term.id for each in packet.diseases] == [term]
    (action,) = packet.medical_actions
    assert [each.id for each in action.adverse_events] == [
        "HP:0012115",
        "casebook:adverse-event.infection",
    ]


def read_as(term, code: str) -> None:
    """Gives a term a code, as if it had been read in some copy."""
    OntologyCode.objects.create(
        **{term._meta.model_name: term},
        code=code,
        label=f"the label of {code}",
        release="2020-01-01",
        source="https://example.org/hp.obo",
    )


def terms_in(value) -> set[str]:
    """The ids of all ontology classes in a packet."""
    if isinstance(value, list):
        return set().union(*map(terms_in, value))
    if not isinstance(value, dict):
        return set()
    return ({value["id"]} if set(value) == {"id", "label"} else set()).union(
        *map(terms_in, value.values())
    )


def is_simulated(data: dict) -> bool:
    """Whether a packet or a cohort says so, to programs and to people."""
    references = data["metaData"].get("externalReferences", [])
    for_programs = [each for each in references if each["id"] == SIMULATED]
    assert all("SIMULATED RECORDS" in each["description"] for each in for_programs)
    assert bool(for_programs) == ("SIMULATED RECORDS" in data["metaData"]["createdBy"])
    return bool(for_programs)


def described(data: dict) -> None:
    """Every resource is described in full, and every term belongs to one."""
    resources = data["metaData"]["resources"]
    for each in resources:
        assert all(each.values()), each
        assert each["url"].startswith(("http://", "https://")) and "://" in each["iriPrefix"]
    prefixes = {each["namespacePrefix"] for each in resources}
    used = {term.partition(":")[0] for term in terms_in(data)}
    assert used and used <= prefixes


SHIPPED = ["published", "sener-2025-reconstruction"]


@pytest.mark.parametrize("collection", SHIPPED)
def test_every_shipped_packet_and_cohort_is_valid_and_describes_its_terms(client, collection):
    response = client.get(f"/{collection}/phenopackets.json")
    found = json.loads(response.getvalue())
    assert problems("cohort", found) == []
    patients = Patient.objects.filter(study__collection__slug=collection)
    assert len(found["members"]) == patients.count()
    described(found)
    for member in found["members"]:
        address = f"/{collection}/patients/{member['id']}/phenopacket.json"
        packet = json.loads(client.get(address).content)
        assert problems("phenopacket", packet) == []
        described(packet)
        described(member)


def test_every_packet_of_a_drawn_collection_is_valid_and_says_that_it_is_simulated(client):
    generate(120, collection="drawn", seed=3)
    found = json.loads(client.get("/drawn/phenopackets.json").getvalue())
    assert problems("cohort", found) == []
    assert len(found["members"]) == 120
    for each in [found, *found["members"]]:
        described(each)
        assert is_simulated(each)


def test_the_schemas_find_what_the_library_lets_pass(client, world):
    """A control: what was missing once, and what nobody ever wrote."""
    packet = json.loads(client.get("/world/patients/alpha-1/phenopacket.json").content)
    for spoil, told in [
        (lambda it: it["metaData"]["resources"][0].pop("iriPrefix"), "'iriPrefix' is a required"),
        (lambda it: it["diseases"][0]["term"].update(label=""), "'' should be non-empty"),
        (lambda it: it["medicalActions"][0].pop("treatment"), "is not valid under any of the"),
        (lambda it: it.pop("metaData"), "'metaData' is a required property"),
    ]:
        spoilt = json.loads(json.dumps(packet))
        spoil(spoilt)
        assert any(told in problem for problem in problems("phenopacket", spoilt)), told


def test_a_cohort_of_nobody_lacks_members_and_nothing_else(client, world):
    assert not cohort(client, "/world/phenopackets.json?age_min=119").members
    assert not cohort(client, f"/{make_collection().slug}/phenopackets.json").members


def test_the_phenotype_ontology_is_described_in_full_too(client, world):
    read_as(Manifestation.objects.get(code="ild"), "HP:0000001")
    described(json.loads(client.get("/world/patients/alpha-1/phenopacket.json").content))


def test_a_second_report_has_a_packet_of_its_own_and_is_in_no_cohort(client, world):
    assert one(client, "world", "beta-2").id == "beta-2"
    assert "beta-2" not in [
        member.id for member in cohort(client, "/world/phenopackets.json").members
    ]


def test_drafts_have_none(client, world):
    for slug in ("alpha-5", "gamma-1", "nobody"):
        assert client.get(f"/world/patients/{slug}/phenopacket.json").status_code == 404


def test_only_courses_that_answer_are_in_a_cohort(client, world):
    found = cohort(client, "/world/phenopackets.json?inhibitor=baricitinib&indication=ild")
    (member,) = found.members
    assert [action.treatment.agent.label for action in member.medical_actions] == ["baricitinib"]
    assert len(one(client, "world", "alpha-2").medical_actions) == 2


def test_simulated_patients_say_so_in_every_packet(client, simulated):
    found = cohort(client, f"/{simulated.slug}/phenopackets.json")
    assert len(found.members) == 87 and simulated.caveat in found.description
    for member in [*found.members, one(client, simulated.slug, "SIM-01-01")]:
        assert member.id.startswith("SIM-") and "SIMULATED RECORDS" in member.meta_data.created_by
        kind, source = member.meta_data.external_references
        assert kind.id == SIMULATED and simulated.caveat in kind.description
        assert (
            source.description.startswith("Simulated article, no publication")
            and not source.reference
        )
    assert "SIMULATED RECORDS" in found.meta_data.created_by
    assert [each.id for each in found.meta_data.external_references] == [SIMULATED]


def test_published_patients_never_say_that_they_are_simulated(client, published):
    found = json.loads(client.get("/published/phenopackets.json").getvalue())
    assert found["members"] and not any(map(is_simulated, [found, *found["members"]]))
    assert "SIMULATED" not in found["description"]


def test_the_release_is_named(client, world):
    assert "release none (data version" in one(client, "world", "alpha-1").meta_data.created_by
    make_release()
    packet = one(client, "world", "alpha-1")
    assert "release 1" in packet.meta_data.created_by
    assert {each.version for each in packet.meta_data.resources if each.id == "casebook"} == {
        "release 1"
    }
    found = client.get("/world/phenopackets.json")
    assert (
        found["Content-Disposition"]
        == 'attachment; filename="casebook-world-phenopackets-release-1.json"'
    )
    assert client.get("/world/phenopackets.json?release=1").status_code == 200
    assert client.get("/world/phenopackets.json?release=2").status_code == 400


@pytest.mark.slow
@settings(few, max_examples=40)
@given(question=addresses())
def test_the_round_trip_keeps_every_patient_and_course(client, world, unlimited, question):
    query = urlencode(question, doseq=True)
    found = cohort(client, f"/world/phenopackets.json?{query}")
    totals = client.get(f"/world/?{query}").context["totals"]
    assert len(found.members) == len({member.id for member in found.members}) == totals.patients
    actions = [action for member in found.members for action in member.medical_actions]
    assert len(actions) == totals.treatments
    assert sum(len(action.adverse_events) for action in actions) == totals.events


def test_a_wrong_question_has_no_cohort(client, world):
    response = client.get("/world/phenopackets.json?sex=x")
    assert response.status_code == 400 and "is not among the values" in response.content.decode()


def test_a_cohort_costs_as_many_queries_for_one_patient_as_for_forty(client, world, settings):
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            client.get("/world/phenopackets.json").getvalue()
        return len(asked)

    queries()
    first = queries()
    for number in range(40):
        make_treatment(
            make_patient(make_study(world.collection, f"m-{number}"), present=["ild"]),
            indications=["ild"],
        )
    queries()
    assert queries() == first <= 16


def test_texts_that_break_json_do_not(client, world):
    study = make_study(world.collection, "quotes", title='He said "no"\\ \u2028 and <left>\n')
    make_treatment(make_patient(study, "quotes-1"), stopped="yes", stop_reason='"}],')
    packet = one(client, "world", "quotes-1")
    assert packet.medical_actions[0].treatment_termination_reason.label == '"}],'
    assert 'He said "no"' in packet.meta_data.external_references[0].description
    assert Treatment.objects.filter(patient__slug="quotes-1").exists()


def test_what_is_lost_is_said(client, world):
    text = text_of(client.get("/data-dictionary/"))
    for what, why in LOSSES:
        assert what in text and why in text
    for label in Manifestation.objects.values_list("label", flat=True):
        assert label in text
    described = json.loads(client.get("/world/phenopackets.json").getvalue())["description"]
    assert all(what in described for what, _ in LOSSES)


def test_it_is_offered_where_the_patients_are(client, world):
    assert (
        'href="/world/phenopackets.json?sex=female"'
        in client.get("/world/patients/?sex=female").content.decode()
    )
    body = client.get("/world/patients/alpha-1/").content.decode()
    assert 'href="/world/patients/alpha-1/phenopacket.json"' in body

"""The API beside the pages: two questions, completeness, rules, drugs, reviews, single records."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evidence.curation.make_release import make_release
from evidence.models import (
    Collection,
    JAKInhibitor,
    Patient,
    Provenance,
    ReleasedRecords,
    Review,
    Study,
)
from evidence.statistics import ALL_RULES
from evidence.summaries import study_history

from .factories import make_patient, make_study, make_treatment
from .test_api import api, edit, everything, refused

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
SIDES = "a=sex%3Dfemale&b=sex%3Dmale"
SIMULATED = "sener-2025-reconstruction"


# Two questions


@pytest.mark.parametrize("collection", ["world", "published", SIMULATED])
@pytest.mark.parametrize("sides", [SIDES, "a=&b=sex%3Dmale", "a=inhibitor%3Dtofacitinib&b="])
def test_a_comparison_is_that_of_its_page(client, world, collection, sides):
    answer = api(client, f"{collection}/compare/?{sides}")
    compared = client.get(f"/{collection}/compare/?{sides}").context["compared"]
    shown = [row for _, rows in compared.groups for row in rows]
    for told, row in zip(answer["rows"], shown, strict=True):
        assert (told["label"], told["why"]) == (row.label, row.why)
        assert (told["a"]["text"], told["b"]["text"]) == (str(row.first), str(row.second))
        assert (told["p"] is None) == (row.p_text == "")
        if row.difference:
            low, high = told["difference"]["interval_95"]
            assert (told["difference"]["points"], low, high) == pytest.approx(row.difference)
        else:
            assert told["difference"] is None
        assert (told["odds_ratio"] is None) == (row.odds_text == "")
    assert (answer["a"]["answer"]["matching"], answer["b"]["answer"]["matching"]) == (
        compared.first.matching,
        compared.second.matching,
    )
    assert answer["in_both"] == compared.overlap and answer["tested"] == compared.tested
    assert answer["tested"] is (collection != SIMULATED)
    assert not answer["evidence_kind"].startswith("simulated") or answer["p_values"] == 0


def test_a_comparison_by_hand(client, world):
    answer = api(client, f"world/compare/?{SIDES}")
    assert answer["a"]["question"]["words"] == "Sex: Female"
    assert (answer["a"]["answer"]["matching"], answer["b"]["answer"]["matching"]) == (3, 1)
    assert answer["overlap"] == "No patient is in both: 3 only in A, 1 only in B."


@pytest.mark.parametrize(
    ("query", "parameter", "told"),
    [
        ("", "a", "a comparison needs a and b"),
        ("a=sex%3Dmale", "b", "a comparison needs a and b"),
        ("a=sex%3Dx&b=", "a", "“x” is not among the values"),
        ("a=&b=sexx%3Dmale", "b", "Did you mean “sex”?"),
        ("a=&b=&c=", "c", "is no part of a comparison"),
        ("a=&b=&a=sex%3Dmale", "a", "given more than once"),
        ("a=&b=&release=9", "release", "no such release"),
        ("a=&b=&release=", "release", "is empty"),
    ],
)
def test_a_wrong_comparison_is_told(client, world, query, parameter, told):
    problem = refused(client, f"world/compare/?{query}")
    assert told in problem["detail"]
    assert parameter in {each.get("parameter") for each in problem["errors"]}


# Completeness and rules


@pytest.mark.parametrize("collection", ["world", "published", SIMULATED])
@pytest.mark.parametrize("query", ["", "sex=female"])
def test_completeness_is_that_of_its_page(client, world, collection, query):
    answer = api(client, f"{collection}/completeness/?{query}")
    matrix = client.get(f"/{collection}/completeness/?{query}").context["matrix"]
    assert [each["label"] for each in answer["attributes"]] == matrix.attributes
    names = [each["name"] for each in answer["attributes"]]
    for told, line in zip(answer["studies"], matrix.lines, strict=True):
        assert (told["study"], told["missing_means"]) == (line.slug, line.reason.label)
        assert [
            (told["known"][name]["known"], told["known"][name]["patients"]) for name in names
        ] == [(cell.known, cell.patients) for cell in line.cells]
    assert [answer["overall"][name]["known"] for name in names] == [
        cell.known for cell in matrix.overall
    ]
    assert answer["studies_left_out"] == matrix.left_out


def test_who_is_not_known_can_be_gone_to(client, world):
    age = api(client, "world/completeness/")["overall"]["age"]
    page = client.get(age["not_known_page"]).context
    assert page["totals"].patients == age["patients"] - age["known"] == 2


@pytest.mark.parametrize("collection", ["world", "published", SIMULATED])
@pytest.mark.parametrize("rule", ALL_RULES)
def test_a_rule_is_that_of_its_page(client, world, collection, rule):
    answer = api(client, f"{collection}/rules/?rule={rule}")
    report = client.get(f"/{collection}/rules/?rule={rule}").context["report"]
    assert answer["rule"]["code"] == rule and answer["rule"]["version"] == report.rule.version
    assert (answer["outcomes"], answer["evaluable"], answer["discordant"]) == (
        report.outcomes,
        report.evaluable,
        report.discordant,
    )
    assert answer["table"] == {
        result: {str(verdict): counts[verdict] for verdict in report.rule.verdicts}
        for result, counts in report.table.items()
        if counts
    }
    assert [(each["patient"], each["derived"], each["why_not"]) for each in answer["results"]] == [
        (judged.patient, str(judged.derived), judged.why) for judged in report.judged_rows
    ]
    assert sum(answer["derived"].values()) == answer["outcomes"]


@pytest.mark.parametrize("query", ["rule=x", "rule=", "rule=fvc-5&rule=fvc-10", "item=improved"])
def test_no_rule_is_refused(client, world, query):
    problem = refused(client, f"world/rules/?{query}")
    assert problem["errors"][0]["parameter"] == query.split("=")[0]


# Drugs and reviews


def test_the_drugs_are_those_of_their_pages(client, world):
    told = api(client, "inhibitors/")["inhibitors"]
    shown = client.get("/inhibitors/").context["evidence"]
    assert [each["inhibitor"] for each in told] == [each.drug.slug for each in shown]
    for each, evidence in zip(told, shown, strict=True):
        for count in (*evidence.published, *evidence.simulated):
            (counted,) = (
                one for one in each["collections"] if one["collection"] == count.collection.slug
            )
            assert (
                counted["patients"],
                counted["treatments"],
                counted["groups"],
                counted["registered_trials"],
            ) == (count.patients, count.treatments, count.groups, count.trials)


@pytest.mark.parametrize("slug", ["tofacitinib", "baricitinib", "upadacitinib"])
def test_a_drug_is_that_of_its_page(client, world, slug):
    told = api(client, f"inhibitors/{slug}/")
    page = client.get(f"/inhibitors/{slug}/").context
    assert told["name"] == page["drug"].name and told["atc"] == page["drug"].atc
    shown = [linked.found for linked in (*page["results"], *page["simulated"])]
    for result, found in zip(told["results"], shown, strict=True):
        assert result["collection"] == found.count.collection.slug
        assert [each["text"] for each in result["headlines"]] == list(map(str, found.headlines))
        assert [each["text"] for each in result["improved_by_domain"]] == list(
            map(str, found.domains)
        )
        assert [(each["study"], each["group"]) for each in result["groups"]] == [
            (row.group.study.slug, row.group.slug) for row in found.groups.answering
        ]
        simulated = found.count.collection.is_simulated
        assert result["evidence_kind"].startswith("simulated") is simulated
    assert len(told["trials"]) == len(page["trials"])


def test_a_placeholder_is_no_drug(client, db):
    placeholder = JAKInhibitor.objects.filter(named=False).first()
    refused(client, f"inhibitors/{placeholder.slug}/", 404)


def test_reviews_and_their_printed_figures_are_those_of_their_pages(client, db):
    listed = api(client, "reviews/")["reviews"]
    assert [each["review"] for each in listed] == [review.slug for review in Review.objects.all()]
    for entry in listed:
        told = api(client, f"reviews/{entry['review']}/")
        page = client.get(f"/reviews/{entry['review']}/").context
        assert len(told["figures"]) == entry["figures"] == len(page["comparisons"])
        for figure, compared in zip(told["figures"], page["comparisons"], strict=True):
            assert (figure["printed"], figure["recomputed"], figure["difference"]) == (
                compared.printed,
                compared.recomputed,
                compared.difference,
            )
            assert figure["verdict"] == compared.verdict
            assert figure["denominators_possible"] == compared.denominators
        assert [box["text"] for box in told["flow"]] == [
            box.text for row in page["flow"].rows for box in row if box
        ]
        assert [each["study"] for each in told["studies"]] == [
            each.study.slug for each in page["inclusions"]
        ]


def test_the_flow_of_a_collection_is_that_of_its_page(client, world):
    for collection in ("world", "published", SIMULATED):
        boxes = api(client, f"{collection}/flow/")["flow"]
        flow = client.get(f"/{collection}/flow/").context["flow"]
        assert [box["text"] for box in boxes] == [
            box.text for row in flow.rows for box in row if box
        ]


# Records


def test_one_patient_has_the_rows_of_the_lists(client, world):
    for collection in ("world", "published", SIMULATED):
        rows = {
            noun: everything(client, f"{collection}/{noun}/")
            for noun in ("patients", "treatments", "outcomes", "adverse-events", "provenance")
        }
        for row in rows["patients"][:8]:
            told = api(client, f"{collection}/patients/{row['patient']}/")
            assert all(row[name] == value for name, value in told["patient"].items())
            assert told["study"]["study"] == row["study"]
            for noun in ("treatments", "outcomes", "adverse-events", "provenance"):
                expected = [one for one in rows[noun] if one["patient"] == row["patient"]]
                found = told[noun.replace("-", "_")]
                kept = [
                    {name: one[name] for name in first} for one in found for first in expected[:1]
                ]
                assert kept == expected, (noun, row["patient"])


def test_one_patient_by_hand(client, published):
    told = api(client, "published/patients/fujita-2019-1/")
    page = client.get("/published/patients/fujita-2019-1/").context
    assert told["counted_as"] == page["counted_report"].slug
    assert told["called"] == page["patient"].label
    assert len(told["treatments"]) == len(page["treatments"])
    for course, entry in zip(told["treatments"], page["treatments"], strict=True):
        assert [(one["domain"], one["result"]) for one in course["results_by_domain"]] == [
            (one.domain, one.result) for one in entry["domains"]
        ]
    for address in (told["page"], told["phenopacket"]):
        assert client.get(address).status_code == 200


def test_places_in_the_source_are_those_of_the_page(client, published):
    placed = Provenance.objects.published().filter(patient__isnull=False).first()
    told = api(client, f"published/patients/{placed.patient.slug}/")["provenance"]
    (found,) = (
        one for one in told if (one["field"], one["provenance"]) == (placed.field, placed.number)
    )
    assert (found["locator"], found["method"]) == (placed.locator, placed.method)
    shown = client.get(f"/published/patients/{placed.patient.slug}/").content.decode()
    assert found["locator"] in shown


def test_one_study_is_that_of_its_page(client, world, published):
    for study in (*published.studies.published(), *world.collection.studies.published()):
        slug = study.collection.slug
        told = api(client, f"{slug}/studies/{study.slug}/")
        page = client.get(f"/{slug}/studies/{study.slug}/").context
        assert told["patients"] == [patient.slug for patient in page["patients"]]
        assert sorted(one["group"] for one in told["groups"]) == sorted(
            group.slug for group, _, _ in page["groups"]
        )
        assert len(told["findings"]) == sum(len(found) for _, found, _ in page["groups"])
        assert [one["printed"] for one in told["reported_totals"]] == [
            one.printed for one in page["totals"]
        ]
        assert len(told["appraisals"]) == sum(len(answers) for _, _, answers in page["appraisals"])
        history = study_history(study)
        assert (told["history"]["entered_at"] is None) == history.from_files
        assert len(told["history"]["corrections"]) == len(history.corrections)


def test_a_simulated_record_says_so_everywhere(client, simulated):
    patient = Patient.objects.within(simulated).first()
    told = api(client, f"{simulated.slug}/patients/{patient.slug}/")
    for row in (told, told["patient"], *told["treatments"], *told["outcomes"], told["study"]):
        assert row["evidence_kind"].startswith("simulated")
    assert told["history"] is None


def test_another_report_of_the_same_person_says_who_counts(client, world):
    told = api(client, "world/patients/beta-2/")
    assert (told["counted_as"], told["other_reports"]) == ("alpha-1", ["alpha-1"])
    assert told["treatments"], "what it reports stays"
    assert "beta-2" not in {row["patient"] for row in api(client, "world/patients/")["results"]}
    told = api(client, "world/patients/alpha-1/")
    assert (told["counted_as"], told["other_reports"]) == ("alpha-1", ["beta-2"])


def test_a_withdrawn_record_is_gone_and_says_why(client, world):
    patient = Patient.objects.get(slug="alpha-1")
    patient.state, patient.withdrawal_reason = "withdrawn", "Reported twice."
    patient.replaced_by = Patient.objects.get(slug="alpha-2")
    patient.save()
    problem = refused(client, "world/patients/alpha-1/", 410)
    assert "The patient alpha-1 was withdrawn. Reported twice." in problem["detail"]
    assert "See http://testserver/world/patients/alpha-2/ instead." in problem["detail"]


def test_a_record_of_another_collection_is_not_there(client, world):
    refused(client, "published/studies/alpha/", 404)
    refused(client, "published/patients/alpha-1/", 404)


def test_a_record_of_a_release_is_that_of_the_release_or_refused(client, world):
    make_release()
    asked = ("patients/alpha-1", "studies/alpha", "flow")
    for path in asked:
        assert api(client, f"world/{path}/?release=1")["release"]["release"] == 1
        refused(client, f"world/{path}/?release=2")
    age = api(client, "world/patients/alpha-1/")["patient"]["age_years"]
    edit(age_years=age + 1)
    then = api(client, "world/patients/alpha-1/?release=1")
    assert then["patient"]["age_years"] == age and not then["release"]["changed_since"]
    assert api(client, "world/patients/alpha-1/")["patient"]["age_years"] == age + 1
    ReleasedRecords.objects.get().delete()
    edit(age_years=age + 2)
    for path in asked:
        refused(client, f"world/{path}/?release=1", 409)


def test_where_values_come_from_is_a_list(client, published):
    rows = everything(client, "published/provenance/?page_size=50")
    assert len(rows) == api(client, "published/provenance/")["count"] > 10
    assert {"study", "field", "locator", "method", "empty_means", "evidence_kind"} <= set(rows[0])
    explained = {one["list"]: one["fields"] for one in api(client, "dictionary/")["lists"]}
    assert {one["field"] for one in explained["provenance"]} >= set(rows[0])


def more_of(slug: str) -> None:
    """Forty more patients of a study, and thirty more courses of one of its patients."""
    study = Study.objects.get(slug=slug)
    patient = Patient.objects.get(slug="alpha-1")
    start = patient.treatments.count()
    for number in range(30):
        make_treatment(
            patient,
            number=start + number + 1,
            indications=["ild"],
            outcomes=[("skin", "stable")],
            events=[("infection", {})],
        )
    for _ in range(40):
        make_treatment(make_patient(study), indications=["skin"], outcomes=[("skin", "improved")])
    collection = Collection.objects.get(slug="world")
    make_treatment(make_patient(make_study(collection, "more")))


@pytest.mark.parametrize(
    "path",
    [
        "world/patients/alpha-1/",
        "world/studies/alpha/",
        "world/provenance/",
        f"world/compare/?{SIDES}",
        "world/completeness/",
        "world/rules/",
        "world/flow/",
        "inhibitors/",
        "inhibitors/tofacitinib/",
        "reviews/",
        "reviews/sener-2025/",
    ],
)
def test_an_answer_costs_as_many_queries_for_one_row_as_for_forty(client, world, path, settings):
    settings.CACHE_RESPONSES = False

    def queries() -> int:
        client.get(f"/api/v1/{path}")  # reads what changed into memory
        with CaptureQueriesContext(connection) as asked:
            assert client.get(f"/api/v1/{path}").status_code == 200
        return len(asked)

    few = queries()
    more_of("alpha")
    assert queries() == few <= 45


def test_an_answer_that_still_holds_is_not_sent_again(client, world):
    for path in ("patients/alpha-1/", "studies/alpha/", f"compare/?{SIDES}", "completeness/"):
        first = client.get(f"/api/v1/world/{path}")
        again = client.get(f"/api/v1/world/{path}", headers={"If-None-Match": first["ETag"]})
        assert again.status_code == 304

"""Pages as a reader meets them."""

import csv
import re
from html import unescape

import pytest
from django.core.cache import cache
from django.urls import reverse

from evidence.charts.registry import CHARTS
from evidence.models import Collection, Patient
from evidence.tables import TABLES

from . import remembered
from .factories import make_group, make_patient, make_study, make_treatment

NOUNS = list(TABLES)
MOST = 5  # queries of a page of a collection, once the data are in memory
MOST_OF_OTHERS = 22  # of the page of one patient, study, drug or review
QUESTION = "inhibitor=tofacitinib&indication=ild&indication=skin"


def text_of(response) -> str:
    """The page as text, tags and extra space gone."""
    body = re.sub(r"<script.*?</script>", " ", response.content.decode(), flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def shown_total(response) -> int:
    return response.context["listing"].total


def addresses_of(collection: str) -> list[str]:
    return [f"/{collection}/", *(f"/{collection}/{noun}/" for noun in NOUNS)]


VIEWS = ["matrix", "charts", "compare", "forest", "rules", "similar", "completeness", "flow"]
ALL_PAGES = [
    "/",
    "/inhibitors/",
    "/inhibitors/tofacitinib/",
    "/inhibitors/itacitinib/",
    "/reviews/",
    "/reviews/sener-2025/",
    "/reviews/moriana-2022/",
    "/reviews/fiorentini-2022/",
    "/methods/",
    "/data-dictionary/",
    "/cite/",
    *(f"/published/{view}/" for view in VIEWS),
    *(f"/sener-2025-reconstruction/{view}/" for view in VIEWS),
    "/published/similar/?age=48&sex=male&manifestation=skin&without=lung&prior=methotrexate",
    "/sener-2025-reconstruction/compare/?a=inhibitor%3Dtofacitinib&b=inhibitor%3Dbaricitinib",
    "/sener-2025-reconstruction/forest/?item=relapsed&shared=yes",
    "/published/charts/?" + "&".join(f"chart={name}" for name in CHARTS),
    *addresses_of("published"),
    *addresses_of("sener-2025-reconstruction"),
    "/published/patients/fujita-2019-1/",
    "/published/patients/nodular-scleroderma-case-1/",
    "/published/studies/karalilova-2021/",
    "/published/studies/nct04789850-sclerita/",
    "/published/studies/didonato-2025/",
    "/sener-2025-reconstruction/patients/SIM-01-01/",
    "/sener-2025-reconstruction/studies/simulated-article-01/",
]


@pytest.mark.parametrize("address", ALL_PAGES)
def test_every_page_answers_in_few_queries(client, db, django_assert_max_num_queries, address):
    client.get(address)  # reads what changed into memory
    cache.clear()
    of_a_collection = address in addresses_of("published") + addresses_of(
        "sener-2025-reconstruction"
    )
    with django_assert_max_num_queries(MOST if of_a_collection else MOST_OF_OTHERS):
        response = client.get(address)
    assert response.status_code == 200
    body = response.content.decode()
    assert body.count("<h1") == 1
    assert "Casebook informs; it does not advise." in body
    assert " style=" not in body and "<style" not in body and "onclick" not in body


def test_what_the_fixtures_hold(client, db):
    counts = {noun: shown_total(client.get(f"/published/{noun}/")) for noun in NOUNS}
    assert counts == {
        "patients": 4,
        "treatments": 4,
        "outcomes": 6,
        "adverse-events": 0,
        "studies": 16,
        "groups": 15,
        "findings": 39,
    }
    simulated = {
        noun: shown_total(client.get(f"/sener-2025-reconstruction/{noun}/")) for noun in NOUNS
    }
    assert simulated == {
        "patients": 87,
        "treatments": 87,
        "outcomes": 0,
        "adverse-events": 38,
        "studies": 18,
        "groups": 0,
        "findings": 0,
    }


def test_the_main_question_end_to_end(client, db):
    """Tofacitinib, for ILD together with skin: four match words, one answer on sentence, list,
    facet and file.
    """
    counts = {}
    for match in ("any", "all", "exactly", "none"):
        question = f"?{QUESTION}&indication_match={match}"
        overview = client.get(f"/sener-2025-reconstruction/{question}")
        counts[match] = overview.context["totals"].patients
        assert overview.context["answer"].matching == counts[match]
        listed = client.get(f"/sener-2025-reconstruction/patients/{question}")
        assert shown_total(listed) == counts[match]
        file = b"".join(
            client.get(f"/sener-2025-reconstruction/patients.csv{question}").streaming_content
        )
        assert file.decode().count("\r\n") - 1 == counts[match]
        page = client.get(f"/sener-2025-reconstruction/charts/{question}")
        drawn = {chart.name: chart for chart in page.context["charts"]}["age-and-sex"]
        assert sum(int(cell) for row in drawn.table.rows for cell in row[1:]) == counts[match]
    assert counts == {"any": 38, "all": 21, "exactly": 21, "none": 4}


def test_the_answer_stands_on_top_in_one_sentence(client, world):
    response = client.get(world.address(f"?{QUESTION}&indication_match=all"))
    assert (
        "2 patients match. For 1 more it is open: their indications are not reported."
        in text_of(response)
    )


def test_chips_say_the_question_and_take_a_part_away(client, world):
    response = client.get(world.address(f"?{QUESTION}&indication_match=all&age_min=30"))
    chips = {chip.text: chip.rest.query() for chip in response.context["parsed"].chips}
    assert chips == {
        "JAK inhibitor: tofacitinib": "indication=ild&indication=skin&indication_match=all&"
        "age_min=30",
        "Indication: all of Interstitial lung disease (ILD), Skin": "inhibitor=tofacitinib&"
        "age_min=30",
        "Age from 30 years": "inhibitor=tofacitinib&indication=ild&indication=skin&"
        "indication_match=all",
    }
    for text, query in chips.items():
        assert text in text_of(response)
        assert query.replace("&", "&amp;") in response.content.decode()


def test_nobody_matches_and_the_page_says_what_comes_nearest(client, world):
    response = client.get(world.address("?inhibitor=baricitinib&indication=gi"))
    page = text_of(response)
    assert "0 patients match." in page
    assert "No patient matches. What comes nearest" in page
    assert "without “Indication: Gastrointestinal (GI)” : 2 patients" in page
    assert "?inhibitor=baricitinib" in response.content.decode()


def test_a_simulated_value_is_never_said_to_be_cited_by_another_publication(client, simulated):
    study = simulated.studies.first()
    patient = study.patients.first()
    assert study.extraction == "secondary", "so that an empty value is one that was not extracted"
    base = f"/{simulated.slug}/"
    for address in ("studies/", f"studies/{study.slug}/", f"patients/{patient.slug}/"):
        page = client.get(f"{base}{address}").content.decode()
        assert (
            "another publication" not in page.lower()
            and "simulated, from no publication" in page.lower()
        ), address
    assert (
        b"nother publication"
        not in client.get(f"{base}patients/{patient.slug}/phenopacket.json").content
    )
    assert {
        row["extraction"] for row in client.get(f"/api/v1{base}studies/").json()["results"]
    } == {"simulated"}
    assert "another publication" in client.get("/data-dictionary/").content.decode(), (
        "said of published studies"
    )


def test_what_a_review_prints_as_missing_stands_beside_its_figure(client, db):
    page = text_of(client.get("/reviews/moriana-2022/"))
    assert "ILD without progression 28/29 patients 28/29 2 missing" in page
    assert page.count("missing") == 1, "no other figure of it prints one"


def test_groups_stand_beside_the_patients_also_where_nobody_matches(client, world):
    page = text_of(client.get(world.address("?inhibitor=tofacitinib&sex=male&age_max=20")))
    assert "1 group in 1 study may hold patients like these, covering 10 people." in page
    assert "Not asked of them: Sex: Male; Age to 20 years." in page


@pytest.mark.parametrize(
    "query",
    [
        "sex=unknown-slug",
        "age_min=60&age_max=40",
        "age_min=abc",
        "q=" + "x" * 10_000,
        "inhibitor=" + "x" * 10_000,
        "sex=%00",
        "q=%00",
        "nonsense=1",
        "indication_match=maybe&indication=ild",
        "age_min=1&age_min=2",
        "%00=1",
        "missing=%F0%9F%98%80",
    ],
)
@pytest.mark.parametrize(
    "noun", ["", "patients", "outcomes", "adverse-events", "studies", "groups"]
)
def test_a_wrong_question_gets_no_rows_and_a_reason_or_a_400(client, world, query, noun):
    response = client.get(world.address(f"{noun}/?{query}" if noun else f"?{query}"))
    assert response.status_code == 400 and "ETag" not in response
    assert "This question cannot be answered, so no rows are shown." in text_of(response)
    assert not response.context.get("listed") and not response.context.get("charts")
    if noun:
        file = client.get(world.address(f"{noun}.csv?{query}"))
        assert file.status_code == 400
        assert file["Content-Type"].startswith("text/plain")
        assert file.content.strip()


@pytest.mark.parametrize(
    "query", ["sex=", "sex=&age_min=&q=", "indication=&indication_match=", "page=", "sort="]
)
def test_empty_words_ask_nothing(client, world, query):
    assert shown_total(client.get(world.address(f"patients/?{query}"))) == 5
    assert client.get(world.address(f"patients.csv?{query}")).status_code == 200


@pytest.mark.parametrize("page", ["0", "-1", "1000000000", "abc", "1.5", "9" * 400])
def test_a_page_that_is_not_there(client, world, page):
    response = client.get(world.address(f"patients/?page={page}"))
    assert response.status_code == 200
    assert "There is no such page; this is page 1 of 1." in text_of(response)


def test_an_unknown_column_to_sort_by(client, world):
    response = client.get(world.address("patients/?sort=shoe_size"))
    assert "no such column to sort by" in text_of(response)
    assert shown_total(response) == 5
    assert client.get(world.address("patients.csv?sort=shoe_size")).status_code == 400
    assert 'href="/world/patients.csv"' in response.content.decode(), (
        "the file is offered in an order it has"
    )


@pytest.mark.parametrize(
    "address",
    [
        "/nowhere/",
        "/nowhere/patients/",
        "/nowhere/patients.csv",
        "/published/patients/nobody/",
        "/published/studies/nothing/",
        "/published/patients/SIM-01-01/",
        "/sener-2025-reconstruction/patients/fujita-2019-1/",
        "/published/shoes/",
        "/inhibitors/aspirin/",
        "/inhibitors/other-or-not-named/",
        "/reviews/nothing/",
        "/pub%00lished/",
        "/published/patients/%00/",
        "/published/patients/" + "x" * 5000 + "/",
    ],
)
def test_what_is_not_there_is_a_404(client, db, address):
    response = client.get(address)
    assert response.status_code == 404
    assert "There is no such page" in response.content.decode()


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch", "options", "trace"])
def test_pages_are_for_reading_and_say_so(client, world, method):
    answer = getattr(client, method)(world.address("patients/"))
    assert answer.status_code == 405 and answer["Allow"] == "GET, HEAD"
    assert answer.content.decode() == "This address takes GET and HEAD alone.\n"
    assert answer["Content-Length"] == str(len(answer.content))
    assert answer["Content-Type"] == "text/plain; charset=utf-8"


def test_drafts_are_never_seen(client, world):
    for noun in NOUNS:
        body = client.get(world.address(f"{noun}/")).content.decode()
        assert "alpha-5" not in body and "gamma" not in body
    assert client.get(world.address("patients/alpha-5/")).status_code == 404
    assert client.get(world.address("patients/gamma-1/")).status_code == 404
    assert client.get(world.address("studies/gamma/")).status_code == 404


def test_a_second_report_is_linked_and_says_that_it_is_not_counted(client, world):
    assert "The same person as alpha-1 , whose record counts" in text_of(
        client.get(world.address("patients/beta-2/"))
    )
    assert "Also reported as beta-2 (beta); counted once, here." in text_of(
        client.get(world.address("patients/alpha-1/"))
    )


def test_missing_says_why_and_is_never_blank_or_none(client, world):
    in_full = text_of(client.get(world.address("patients/alpha-4/")))
    abstract = text_of(client.get(world.address("patients/beta-1/")))
    assert "Sex not reported" in in_full and "Adverse events not reported" in in_full
    assert "Prior therapies not extracted" in abstract
    assert "Prior therapies none, as stated" in text_of(
        client.get(world.address("patients/alpha-2/"))
    )
    listed = client.get(world.address("patients/?study=alpha&sex=unknown"))
    cells = [cell.missing for cell in listed.context["listing"].rows[0]]
    assert cells.count("not reported") == 9


def test_absent_is_a_finding_of_its_own(client, world):
    page = text_of(client.get(world.address("patients/beta-1/")))
    assert "Manifestations present Skin" in page
    assert "Looked for, absent Interstitial lung disease (ILD)" in page


def test_provenance_stands_beside_its_value(client, db):
    page = text_of(client.get("/published/patients/fujita-2019-1/"))
    suggest = "Something wrong? Suggest a correction of Duration"
    assert f"Duration 12 months {suggest} Abstract, converted From 52 weeks." in page


def test_sorting_puts_the_unknown_last_both_ways(client, world):
    def order(sort):
        rows = client.get(world.address(f"patients/?sort={sort}")).context["listing"].rows
        return [row[0].text for row in rows]

    assert order("age_years") == ["beta-1", "alpha-1", "alpha-2", "alpha-3", "alpha-4"]
    assert order("-age_years") == ["alpha-2", "alpha-1", "beta-1", "alpha-3", "alpha-4"]


def test_paging_shows_every_row_once(client, simulated):
    seen = []
    for page in (1, 2):
        rows = client.get(f"/{simulated.slug}/patients/?page={page}").context["listing"].rows
        seen += [row[0].text for row in rows]
    assert len(seen) == len(set(seen)) == 87
    links = client.get(f"/{simulated.slug}/patients/?sex=female&sort=-age_years").context[
        "page_links"
    ]
    assert links[1] == ("2", "?sex=female&sort=-age_years&page=2")


def test_simulated_records_say_so_everywhere(client, simulated):
    drawn = client.get(f"/{simulated.slug}/charts/").context["charts"]
    for address in [*addresses_of(simulated.slug), f"/{simulated.slug}/patients/SIM-03-01/"]:
        page = text_of(client.get(address))
        assert (
            "Simulated records. Simulated: reproduces published totals only; associations are "
            "not evidence." in page
        )
        assert (
            "Simulated records." in text_of(client.get(f"{address}?sex=x"))
            or "patients/SIM" in address
        )
    for chart in drawn:
        if chart.figure:
            assert any(
                "SIMULATED" in mark["text"] for mark in chart.figure["layout"]["annotations"]
            )
    assert "from simulated records." in text_of(client.get("/reviews/sener-2025/"))


def test_published_records_are_not_marked(client, db):
    page = client.get("/published/charts/")
    assert "Simulated records." not in text_of(page)
    assert all(
        not chart.figure["layout"]["annotations"]
        for chart in page.context["charts"]
        if chart.figure
    )


def test_published_and_simulated_never_meet(client, db, published, simulated):
    for noun in ("patients", "treatments", "outcomes", "adverse-events", "studies"):
        body = b"".join(client.get(f"/published/{noun}.csv").streaming_content).decode()
        assert "SIM-" not in body and "simulated" not in body
    real = set(Patient.objects.filter(study__collection=published).values_list("slug", flat=True))
    body = b"".join(client.get(f"/{simulated.slug}/patients.csv").streaming_content).decode()
    assert not any(slug in body for slug in real)


def test_every_tab_and_file_keeps_the_question(client, world):
    response = client.get(world.address(f"patients/?{QUESTION}&sort=age_years"))
    navigation = response.context["navigation"]
    tabs = {
        tab.label: tab.href
        for tab in [*navigation.main, *(tab for tabs in navigation.more.values() for tab in tabs)]
    }
    for label in (
        "Overview",
        "Patients",
        "Findings in groups",
        "Case matrix",
        "Forest plot",
        "Response by rule",
        "Completeness",
    ):
        assert tabs[label].endswith("?inhibitor=tofacitinib&indication=ild&indication=skin"), label
    assert tabs["Compare"].endswith(
        "?a=inhibitor%3Dtofacitinib%26indication%3Dild%26indication%3Dskin"
    )
    assert (
        f"/world/patients.csv?{QUESTION}&sort=age_years".replace("&", "&amp;")
        in response.content.decode()
    )


def test_plotly_is_named_once_and_never_blocks(client, published):
    body = client.get("/published/").content.decode()
    assert re.findall(r"<script[^>]*plotly[^>]*>", body) == re.findall(
        r"<script[^>]*data-plotly=[^>]* defer>", body
    )
    assert "<script>" not in body


def test_htmx_gets_the_part_that_changes_and_the_questions_own_address(client, world):
    address = world.address("?sex=&inhibitor=tofacitinib&indication_match=")
    whole, part = client.get(address), client.get(address, headers={"HX-Request": "true"})
    assert b"<html" in whole.content and b"<html" not in part.content
    assert part["HX-Push-Url"] == "/world/?inhibitor=tofacitinib"
    assert "HX-Request" in whole["Vary"]
    assert text_of(part).endswith(text_of(part)[-200:]) and "4 patients match." in text_of(part)


def test_going_back_gets_the_whole_page(client, world):
    headers = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    assert b"<html" in client.get(world.address(), headers=headers).content


def test_the_front_page_without_any_evidence(client, db):
    Collection.objects.exclude(slug__in=["published", "sener-2025-reconstruction"]).delete()
    page = text_of(client.get("/"))
    assert "Published evidence" in page and "Sener 2025, reconstructed simulated" in page


def test_a_collection_without_any_record(client, db):
    from .factories import make_collection

    make_collection("empty")
    for address in addresses_of("empty"):
        assert client.get(address).status_code == 200
    assert "This collection has no individual patient yet." in text_of(client.get("/empty/"))


def draw_1_row_and_40() -> None:
    """Collections of 1 and of 40 studies, each with one of everything that has a list."""
    from .factories import make_collection

    for rows in (1, 40):
        collection = make_collection(f"rows-{rows}")
        for _ in range(rows):
            study = make_study(collection)
            patient = make_patient(
                study, present=["ild"], antibodies=["ana"], prior=["methotrexate"]
            )
            outcome = [("skin", "improved")]
            make_treatment(
                patient, indications=["ild", "skin"], events=[("infection", {})], outcomes=outcome
            )
            finding = {"kind": "mean_change", "measure": "mRSS", "change": -3}
            make_group(study, indications=["ild"], findings=[finding])


@pytest.fixture(scope="session")
def rows_of_1_and_40(django_db_setup, django_db_blocker) -> remembered.Rows:
    with django_db_blocker.unblock():
        return remembered.rows_written_by(draw_1_row_and_40)


@pytest.mark.slow
@pytest.mark.parametrize("noun", ["", *NOUNS])
def test_the_same_number_of_queries_for_1_row_and_for_40(client, db, rows_of_1_and_40, noun):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    remembered.write(rows_of_1_and_40)
    counts = []
    for rows in (1, 40):
        slug = f"rows-{rows}"
        address = reverse("list", args=[slug, noun]) if noun else reverse("cohort", args=[slug])
        client.get(address)
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            response = client.get(address)
        assert not noun or shown_total(response) == rows
        counts.append(len(queries))
    assert counts[0] == counts[1] <= MOST


@pytest.mark.slow
def test_one_case_takes_the_same_queries_however_much_happened(client, db):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from .factories import make_collection

    collection = make_collection("cases")
    # like both of them
    make_treatment(make_patient(make_study(collection), present=["ild"]), indications=["ild"])
    counts = []
    for courses in (1, 40):
        patient = make_patient(
            make_study(collection), present=["ild", "skin"], prior=["methotrexate"]
        )
        for _ in range(courses):
            make_treatment(
                patient,
                events=[("infection", {})] * 3,
                outcomes=[("skin", "stable")] * 3,
                indications=["ild"],
            )
        client.get(patient.get_absolute_url())
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            assert client.get(patient.get_absolute_url()).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= MOST_OF_OTHERS


def test_a_baseline_number_stands_everywhere_with_its_unit(client, world):
    """DLCO: on the case, in the list, in files, in the form, in the chips, and where it is not
    known.
    """
    assert "DLCO 61.5 % predicted" in text_of(client.get(world.address("patients/alpha-1/")))
    assert "DLCO not reported" in text_of(client.get(world.address("patients/alpha-4/")))
    assert "DLCO not extracted" in text_of(client.get(world.address("patients/beta-1/")))
    response = client.get(world.address("patients/?dlco_min=40&dlco_max=70&sort=-dlco_percent"))
    assert [row[0].text for row in response.context["listing"].rows] == ["alpha-1"]
    assert [chip.text for chip in response.context["parsed"].chips] == [
        "DLCO from 40 % predicted",
        "DLCO to 70 % predicted",
    ]
    assert 'aria-label="DLCO (% predicted)"' in response.content.decode()
    file = b"".join(client.get(world.address("patients.csv?sort=dlco_percent")).streaming_content)
    rows = list(csv.DictReader(file.decode("utf-8-sig").splitlines()))
    assert [row["dlco_percent"] for row in rows] == ["61.5", "85", "", "", ""]
    matrix = client.get(world.address("completeness/")).context["matrix"]
    (overall,) = [
        cell for name, cell in zip(matrix.attributes, matrix.overall, strict=True) if name == "DLCO"
    ]
    assert (overall.known, overall.patients) == (2, 5)
    assert "DLCO" in client.get("/data-dictionary/").content.decode()

"""Lists as a reader meets them: which column stands where, what an empty cell means, and how a row
leads to its paper.
"""

import re
from itertools import pairwise

import pytest

from evidence.models import GroupFinding
from evidence.tables import TABLES

from .factories import make_collection, make_group, make_patient, make_study, make_treatment
from .test_exports import rows_of
from .test_pages import NOUNS, text_of

pytestmark = pytest.mark.django_db

# Which row it is, and what came of it.
FIRST = {
    "patients": ["Patient", "Response", "By domain", "Relapsed", "Adverse events"],
    "treatments": ["Patient", "Response"],
    "outcomes": ["Patient", "Result"],
    "adverse-events": ["Patient", "Category", "Serious", "CTCAE grade"],
    "studies": ["Study", "Individual patients", "Groups"],
    "groups": ["Study", "Group"],
    "findings": ["Study", "Result"],
}


@pytest.mark.parametrize("noun", NOUNS)
def test_what_came_of_it_stands_beside_which_row_it_is(client, world, noun):
    page = client.get(world.address(f"{noun}/"))
    labels = [heading.label for heading in page.context["listing"].headings]
    assert labels[: len(FIRST[noun])] == FIRST[noun]
    if page.context["listing"].rows:
        body = page.content.decode().split("<tbody>")[-1]
        assert body.strip().startswith('<tr><th scope="row">'), "the first cell heads its row"


@pytest.mark.parametrize("noun", NOUNS)
def test_a_page_leaves_no_column_out_and_a_file_keeps_its_order(client, world, noun):
    table = TABLES[noun]
    assert {column.name for column in table.page_columns} == {
        column.name for column in table.columns if column.on_page
    }
    rows = rows_of(client, world.address(f"{noun}.csv"))
    for row in rows[:1]:
        assert list(row)[: len(table.file_columns)] == [
            column.name for column in table.columns if column.in_file
        ]


def test_files_keep_the_numbers_of_findings_that_pages_have_in_words(client, published):
    page = client.get("/published/findings/")
    labels = [heading.label for heading in page.context["listing"].headings]
    assert labels == ["Study", "Result", "Measure", "Group", "JAK inhibitor", "Week", "n", "Note"]
    text = text_of(page)
    assert "median 24 → 12, IQR 7.5 (width as printed) mRSS" in text
    assert "mean change −10.17 (SD 2.92) mRSS" in text
    assert "0/5 (95 % CI 0.0–43.4 %) death" in text
    (row,) = [
        row
        for row in rows_of(client, "/published/findings.csv")
        if row["baseline"] == "24" and row["measure"] == "mRSS"
    ]
    assert (row["followup"], row["iqr"], row["kind"]) == ("12", "7.5", "median_change")
    assert "result_in_words" not in row


def test_what_does_not_apply_to_a_finding_and_what_was_not_extracted_differ(client, published):
    page = client.get("/published/findings/").context["listing"]
    week, n = (
        next(place for place, heading in enumerate(page.headings) if heading.label == label)
        for label in ("Week", "n")
    )
    findings = GroupFinding.objects.filter(group__study__collection=published)
    for kind in ("share", "median_iqr"):
        assert findings.filter(kind=kind, at_weeks__isnull=True).exists()
    without_week = findings.filter(at_weeks__isnull=True)
    timeless = without_week.filter(kind__in=["share", "median_iqr"]).count()
    said = [row[week].missing for row in page.rows]
    assert said.count("does not apply") == timeless > 0
    assert said.count("not extracted") == without_week.count() - timeless > 0
    empty_n = findings.filter(n__isnull=True).count()
    assert [row[n].missing for row in page.rows].count("not extracted") == empty_n > 0


def test_a_week_that_was_not_reported_is_said_to_be_so(client, world):
    study = make_study(make_collection("dated"), extraction="full_text")
    findings = [
        {"kind": "share", "measure": "diffuse", "percent": 40, "n": 10},
        {"kind": "events", "measure": "ulcers", "events": 1, "n": 10},
    ]
    make_group(study, findings=findings)
    text = text_of(client.get("/dated/findings/"))
    assert "diffuse" in text and "tofacitinib does not apply 10" in text
    assert "ulcers" in text and "tofacitinib not reported 10" in text


def test_a_study_leads_to_its_paper_or_registration_wherever_it_is_named(client, db):
    collection = make_collection("cited")
    paper = make_study(collection, "paper", doi="10.1000/a(b)<c>")
    trial = make_study(collection, "trial", nct="NCT01234567")
    make_treatment(make_patient(paper, "paper-1"), outcomes=[("skin", "improved")])
    make_treatment(make_patient(trial, "trial-1"), events=[("infection", {})])
    finding = {"kind": "score", "measure": "x", "value": 1}
    for study in (paper, trial):
        make_group(study, findings=[finding])
    link = (
        '<a class="doi" href="https://doi.org/10.1000/a(b)&lt;c&gt;" rel="external" '
        'title="doi:10.1000/a(b)&lt;c&gt;" aria-label="paper: doi">doi</a>'
    )
    for noun in ("patients", "outcomes", "studies", "groups", "findings"):
        assert client.get(f"/cited/{noun}/").content.decode().count(link) == 1, noun
    studies = client.get("/cited/studies/").content.decode()
    assert studies.count('href="https://clinicaltrials.gov/study/NCT01234567"') == 1
    assert 'title="NCT01234567" aria-label="trial: NCT">NCT</a>' in studies


def test_simulated_studies_lead_to_no_paper(client, simulated):
    for noun in ("patients", "studies", "adverse-events"):
        assert 'class="doi"' not in client.get(f"/{simulated.slug}/{noun}/").content.decode()


def test_a_value_of_a_simulated_case_says_that_no_source_exists(client, simulated, published):
    body = client.get(f"/{simulated.slug}/patients/SIM-01-01/").content.decode()
    assert 'data-origin="Drawn by simulation; no source exists."' in body
    assert "No note of its own" not in body
    assert "Drawn by simulation" not in text_of(client.get("/published/patients/fujita-2019-1/"))


def test_what_came_of_it_stands_beside_the_domain_on_a_case(client, published):
    body = client.get("/published/patients/fujita-2019-1/").content.decode()
    table = body[body.index('aria-label="Outcomes, table"') :]
    headings = re.findall(r'<th scope="col"[^>]*>([^<]+)<', table[: table.index("</thead>")])
    assert headings[:3] == ["Domain", "Result, as the authors say", "Measure"]


@pytest.mark.parametrize("noun", ["adverse-events", "groups"])
def test_headings_leave_no_level_out(client, published, noun):
    body = client.get(f"/published/{noun}/").content.decode()
    levels = [int(level) for level in re.findall(r"<h([1-6])", body)]
    assert levels[0] == 1 and 3 in levels
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_one_of_a_kind_is_named_in_the_singular(client, released):
    assert "1 concomitant therapies" not in text_of(client.get("/releases/"))
    assert "1 concomitant therapy" in text_of(client.get("/releases/"))

import csv
import io
import json
from unittest.mock import patch
from urllib.parse import unquote, urlencode
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from evidence.downloads import FILE_FORMATS, separated_text
from evidence.downloads.rows import escape_formula, unescape_formula
from evidence.models import AdverseEvent, DataVersion, JAKInhibitor, Study
from evidence.tables import BUNDLED, TABLES, order_records

from .factories import make_patient, make_study, make_treatment
from .test_filters import addresses, few

pytestmark = pytest.mark.slow


def rows_of(client, address) -> list[dict]:
    response = client.get(address)
    assert response.status_code == 200, response.content
    content = b"".join(response.streaming_content).decode("utf-8")
    assert content.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(content[1:], newline="")))


def test_the_file_of_patients_by_hand(client, world):
    rows = {row["patient"]: row for row in rows_of(client, world.address("patients.csv"))}
    assert list(rows) == ["alpha-1", "alpha-2", "alpha-3", "alpha-4", "beta-1"]
    two = rows["alpha-2"]
    assert (two["age_years"], two["sex"], two["inhibitors"]) == (
        "60",
        "male",
        "tofacitinib; baricitinib",
    )
    assert (two["indication_sets"], two["responses"]) == ("skin; ild", "worsened; improved")
    assert (two["adverse_events"], two["prior_therapies"]) == (
        "explicitly_none; not reported",
        "none",
    )
    four = rows["alpha-4"]
    assert (four["sex"], four["age_years"], four["prior_therapies"]) == (
        "not reported",
        "",
        "not reported",
    )
    assert four["empty_means"] == "not reported"
    assert rows["beta-1"]["empty_means"] == rows["beta-1"]["prior_therapies"] == "not extracted"
    assert rows["beta-1"]["manifestations_absent"] == "ild"
    assert {row["evidence_kind"] for row in rows.values()} == {"published"}


def test_only_the_courses_that_answer_are_in_the_row(client, world):
    (row,) = rows_of(client, world.address("patients.csv?inhibitor=baricitinib&indication=ild"))
    assert (row["patient"], row["inhibitors"], row["responses"]) == (
        "alpha-2",
        "baricitinib",
        "improved",
    )


@pytest.mark.parametrize("noun", list(TABLES))
def test_simulated_records_say_so_in_every_row(client, simulated, noun):
    rows = rows_of(client, f"/{simulated.slug}/{noun}.csv")
    for row in rows:
        assert (
            row["evidence_kind"]
            == "simulated: reproduces published totals only; associations are not evidence"
        )
        assert row["collection"] == simulated.slug
    if noun in ("patients", "treatments", "adverse-events"):
        assert rows and all(row["patient"].startswith("SIM-") for row in rows)


FORMULA_SIGNS = [*"=+-@|%", *"＝＋－＠｜％", *"﹦﹢﹣﹫﹪", "⁼", "⁺"]
SKIPPED = {
    "nothing": "",
    "space": " ",
    "no-break space": "\u00a0",
    "narrow no-break space": "\u202f",
    "ideographic space": "\u3000",
    "zero-width space": "\u200b",
    "word joiner": "\u2060",
    "byte order mark": "\ufeff",
    "soft hyphen": "\u00ad",
    "right-to-left mark": "\u200f",
    "Hangul filler": "\u3164",
    "variation selector": "\ufe0f",
    "tab": "\t",
    "line feed": "\n",
    "vertical tab": "\v",
    "form feed": "\f",
    "carriage return": "\r",
    "escape": "\x1b",
    "next line": "\x85",
    "line separator": "\u2028",
    "apostrophe": "'",
    "several": " \t\ufeff\u200b '\u00a0",
}


def read_back(cell: str) -> str:
    """A text of a file as it was written down, by the rule docs/reading.md states."""
    return cell[1:] if cell.startswith("'") and escape_formula(cell[1:]) == cell else cell


@pytest.mark.parametrize("prefix", SKIPPED.values(), ids=SKIPPED)
def test_a_text_that_could_be_a_formula_is_inert_and_can_be_read_back(prefix):
    for sign in FORMULA_SIGNS:
        text = f"{prefix}{sign}1+1"
        assert escape_formula(text) == f"'{text}", f"{text!a} is left as it is"
        assert read_back(escape_formula(text)) == text


@pytest.mark.parametrize(
    ("text", "inert"),
    [
        ("a;=1+1", "a;'=1+1"),
        ("diabetes; =cmd|' /C calc'!A0", "diabetes;' =cmd|' /C calc'!A0"),
        ("mRSS 24; -3", "mRSS 24; -3"),
        ("asthma; gout", "asthma; gout"),
        ("−1+1", "'−1+1"),
    ],
)
def test_a_formula_behind_a_semicolon_or_a_typographic_minus_is_inert(text, inert):
    """A spreadsheet that separates by semicolons makes a cell of what stands behind one."""
    assert escape_formula(text) == inert


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-13",
        "-2.57",
        "1,5",
        "'",
        "'tis",
        " a",
        "ild",
        "Şener",
        "(a=b)",
        "\u200b",
        "5 % = 5",
        "≤ 3",
        "–",
        "'a' = b",
    ],
)
def test_a_text_that_could_not_be_a_formula_stays_as_it_is(text):
    assert escape_formula(text) == read_back(escape_formula(text)) == text


@given(st.text(alphabet="=+-@ ';a1,.\u200b−", max_size=12))
def test_every_text_is_read_back_as_it_was(text):
    assert unescape_formula(escape_formula(text)) == text


@pytest.mark.parametrize("ending", ["csv", "tsv"])
@pytest.mark.parametrize(
    "text", ["=1+1", "\u200b@SUM(A1)", "＝1+1", "\u00a0+1", "\v-1+1", "=cmd|' /C calc'!A0"]
)
def test_formulas_are_inert(client, world, text, ending):
    patient = make_patient(
        make_study(world.collection, "eta", title=text), "eta-1", comorbidities=text
    )
    make_treatment(patient)
    for noun, name in (("patients", "comorbidities"), ("studies", "title")):
        content = body_of(client.get(world.address(f"{noun}.{ending}?study=eta"))).decode(
            "utf-8-sig"
        )
        lines = csv.DictReader(
            io.StringIO(content, newline=""), delimiter={"csv": ",", "tsv": "\t"}[ending]
        )
        (row,) = lines
        assert row[name] == f"'{text}" and read_back(row[name]) == text


def test_formulas_in_labels_are_inert_in_a_charts_numbers(client, world):
    JAKInhibitor.objects.filter(slug="tofacitinib").update(name="\u200b=1+1")
    content = client.get(world.address("charts/response-by-inhibitor.csv")).content.decode(
        "utf-8-sig"
    )
    cells = [cell for row in csv.reader(io.StringIO(content, newline="")) for cell in row]
    assert "'\u200b=1+1" in cells and "\u200b=1+1" not in cells


def test_negative_numbers_stay_numbers(client, published):
    rows = rows_of(client, "/published/findings.csv")
    changes = [row["change"] for row in rows if row["change"]]
    assert "-13" in changes and "-2.57" in changes
    assert all(float(change) < 0 for change in changes)


def test_other_alphabets_survive(client, world):
    make_treatment(
        make_patient(
            make_study(world.collection, "theta", title="Sklerodermie: Ä, ș, 硬皮病"), "theta-1"
        )
    )
    (row,) = rows_of(client, world.address("studies.csv?study=theta"))
    assert row["title"] == "Sklerodermie: Ä, ș, 硬皮病"


def test_the_file_is_streamed_as_a_download(client, simulated):
    response = client.get(f"/{simulated.slug}/patients.csv")
    assert response.streaming
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    name = (
        f"casebook-simulated-{simulated.slug}-patients-data-"
        f"{DataVersion.current().version_of(simulated)}.csv"
    )
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'


@pytest.mark.parametrize(
    "name",
    ["adverse-events.csv", "patients.tsv", "patients.jsonl", "patients.xlsx",
     "charts/adverse-events.csv",
     "forest.csv", "bundle.zip", "phenopackets.json"],
)  # fmt: skip
def test_a_file_without_rows_carries_the_label_of_its_collection_too(client, simulated, name):
    response = client.get(f"/{simulated.slug}/{name}?q=nobody-is-called-so")
    content = b"".join(response.streaming_content) if response.streaming else response.content
    kind, asked_by_name = simulated.caveat, response["Content-Disposition"]
    assert f'filename="casebook-simulated-{simulated.slug}' in asked_by_name
    link, _, others = response["Link"].partition(", ")
    assert link.startswith(f"</{simulated.slug}/>; rel=\"collection\"; title*=UTF-8''")
    assert unquote(link.partition("''")[2]) == kind and 'rel="license"' in others
    if name.endswith(".xlsx"):
        book = load_workbook(io.BytesIO(content))
        assert book["patients"].max_row == 1 and ("kind of evidence", kind) in list(
            book["about"].values
        )
    elif name.endswith(".zip"):
        readme = ZipFile(io.BytesIO(content)).read("README.txt").decode()
        assert "SIMULATED RECORDS" in readme and "  patients.csv: 0 rows" in readme


def test_a_published_file_says_that_it_is(client, published):
    response = client.get("/published/patients.csv?q=nobody-is-called-so")
    link, _, _ = response["Link"].partition(", ")
    assert link == "</published/>; rel=\"collection\"; title*=UTF-8''published"
    assert "simulated" not in response["Content-Disposition"]


def test_two_thousand_rows_take_one_round_and_one_more_row_takes_two(
    world, asking, django_assert_num_queries, monkeypatch
):
    from evidence.tables import column

    monkeypatch.setattr(column, "BATCH", 2)
    question, table = asking(world.collection), TABLES["patients"]
    pieces = list(
        separated_text(table, order_records(table, table.records(question), ""), question)
    )
    assert [piece.count("\r\n") for piece in pieces] == [1, 2, 2, 1]


def test_header_names_are_unique_and_plain():
    for table in TABLES.values():
        names = [column.name for column in table.file_columns]
        assert len(names) == len(set(names))
        assert all(name.replace("_", "").isalpha() and name.islower() for name in names)


@pytest.mark.slow
@settings(few, max_examples=6)
@given(question=addresses())
def test_list_total_is_file_rows_is_chart_total(client, world, question):
    query = urlencode(question, doseq=True)
    overview = client.get(world.address(f"?{query}"))
    totals = overview.context["totals"]
    for noun, total in [
        ("patients", totals.patients),
        ("treatments", totals.treatments),
        ("outcomes", totals.outcomes),
        ("adverse-events", totals.events),
    ]:
        assert client.get(world.address(f"{noun}/?{query}")).context["listing"].total == total
        assert len(rows_of(client, world.address(f"{noun}.csv?{query}"))) == total
    for noun in ("studies", "groups", "findings"):
        listed = client.get(world.address(f"{noun}/?{query}")).context["listing"].total
        assert len(rows_of(client, world.address(f"{noun}.csv?{query}"))) == listed
    if totals.patients:
        shown = client.get(world.address(f"charts/?{query}")).context
        empty = [chart for _, charts in shown["empty_charts"] for chart in charts]
        charts = {chart.name: chart.table.rows for chart in [*shown["charts"], *empty]}
        assert (
            sum(int(cell) for row in charts["age-and-sex"] for cell in row[1:]) == totals.patients
        )
        assert (
            sum(int(cell) for row in charts["response-by-inhibitor"] for cell in row[1:7])
            == totals.treatments
        )


def test_every_event_is_in_the_file_once(client, simulated):
    rows = rows_of(client, f"/{simulated.slug}/adverse-events.csv")
    expected = AdverseEvent.objects.filter(treatment__patient__study__collection=simulated).count()
    assert len({(row["patient"], row["treatment"], row["event"]) for row in rows}) == expected == 38


def test_studies_say_whom_they_may_share_patients_with_on_both_sides(client, published):
    rows = {row["study"]: row for row in rows_of(client, "/published/studies.csv")}
    assert rows["didonato-2025"]["may_share_patients_with"] == "depinto-2024"
    assert rows["depinto-2024"]["may_share_patients_with"] == "didonato-2025"
    assert len(rows) == Study.objects.within(published).count() == 16


def test_whoever_goes_away_stops_the_work(
    world, asking, monkeypatch, django_assert_max_num_queries
):
    """What is not read is not asked of the database, and the state of the data is let go."""
    from evidence.models import consistency as steady
    from evidence.tables import column

    monkeypatch.setattr(column, "BATCH", 1)
    question, table = asking(world.collection), TABLES["treatments"]
    pieces = separated_text(table, order_records(table, table.records(question), ""), question)
    with django_assert_max_num_queries(3):  # the version, the rows, the lists of the first
        next(pieces), next(pieces)
        assert steady.here.version is not None
        pieces.close()
    assert steady.here.version is None


@pytest.mark.slow
@settings(few, max_examples=200)
@given(question=addresses(), noun=st.sampled_from(list(TABLES)))
def test_two_hundred_questions_say_the_same_everywhere(client, world, unlimited, question, noun):
    """Sentence, charts, list, file, bundle and API of the same question count the same.

    Of the bundle only the tables that are compared are written; tests/test_bundle.py compares all
    of them.
    """
    query = urlencode(question, doseq=True)
    overview = client.get(world.address(f"?{query}")).context
    people = overview["totals"].patients
    assert overview["answer"].matching == people
    assert str(overview["answer"]).startswith(f"{people} patient")
    assert client.get(world.address(f"patients/?{query}")).context["listing"].total == people
    assert len(rows_of(client, world.address(f"patients.csv?{query}"))) == people
    with patch(
        "evidence.downloads.bundle.BUNDLED",
        {name: BUNDLED[name] for name in ("patients", "patients-wide", noun)},
    ):
        archive = ZipFile(io.BytesIO(client.get(world.address(f"bundle.zip?{query}")).getvalue()))
    rows = {
        each["path"]: each["rows"] for each in json.loads(archive.read("manifest.json"))["files"]
    }
    summary = client.get(f"/api/v1/world/summary/?{query}").json()
    assert (
        summary["totals"]["patients"] == rows["patients.csv"] == rows["patients-wide.csv"] == people
    )
    assert summary["sentence"] == str(overview["answer"])
    assert client.get(f"/api/v1/world/patients/?{query}").json()["count"] == people
    assert (
        client.get(f"/api/v1/world/{noun}/?{query}&page_size=1").json()["count"]
        == rows[f"{noun}.csv"]
    )
    for chart in client.get(world.address(f"charts/?{query}")).context["charts"]:
        if chart.name == "age-and-sex":
            assert sum(int(cell) for row in chart.table.rows for cell in row[1:]) == people
        if chart.name == "adverse-events":
            assert all(sum(map(int, row[1:5])) == people for row in chart.table.rows)
        if chart.name == "response-by-inhibitor":
            assert (
                sum(int(cell) for row in chart.table.rows for cell in row[1:7])
                == overview["totals"].treatments
            )


# Other formats


def body_of(response) -> bytes:
    assert response.status_code == 200
    return b"".join(response.streaming_content)


@pytest.mark.parametrize("noun", list(TABLES))
def test_every_format_holds_the_same_rows(client, world, noun):
    rows = rows_of(client, world.address(f"{noun}.csv?sex=female"))
    tabs = body_of(client.get(world.address(f"{noun}.tsv?sex=female"))).decode("utf-8-sig")
    assert list(csv.DictReader(io.StringIO(tabs, newline=""), delimiter="\t")) == rows
    lines = body_of(client.get(world.address(f"{noun}.jsonl?sex=female"))).decode().splitlines()
    objects = [json.loads(line) for line in lines]
    assert len(objects) == len(rows)
    for each, row in zip(objects, rows, strict=True):
        assert list(each) == list(row)
        for name, value in each.items():
            assert row[name] in (str(value), f"'{value}") or (
                value is None and row[name] in ("", row["empty_means"])
            )
    sheet = load_workbook(
        io.BytesIO(body_of(client.get(world.address(f"{noun}.xlsx?sex=female"))))
    )[noun]
    cells = list(sheet.iter_rows(values_only=True))
    assert list(cells[0]) == list(objects[0] if objects else cells[0])
    assert [dict(zip(cells[0], row, strict=True)) for row in cells[1:]] == objects


def test_a_workbook_is_typed_explains_its_columns_and_says_what_it_is(client, simulated):
    book = load_workbook(
        io.BytesIO(body_of(client.get(f"/{simulated.slug}/patients.xlsx?inhibitor=baricitinib")))
    )
    assert book.sheetnames == ["patients", "columns", "about"]
    header, *rows = book["patients"].iter_rows(values_only=True)
    ages = [row[header.index("age_years")] for row in rows]
    assert len(rows) == 12 and all(age is None or isinstance(age, int) for age in ages)
    explained = {row[0]: row[2] for row in book["columns"].iter_rows(min_row=2, values_only=True)}
    assert list(explained) == list(header) and all(explained.values())
    about = dict(book["about"].iter_rows(values_only=True))
    assert (
        about["kind of evidence"] == simulated.caveat
        and about["question"] == "inhibitor=baricitinib"
    )


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1+1", "https://example.org", "12"]
)
def test_a_text_in_a_workbook_stays_a_text(client, world, text):
    make_treatment(
        make_patient(make_study(world.collection, "theta"), "theta-1", comorbidities=text)
    )
    sheet = load_workbook(
        io.BytesIO(body_of(client.get(world.address("patients.xlsx?study=theta"))))
    )["patients"]
    header, row = sheet.iter_rows()
    cell = row[[each.value for each in header].index("comorbidities")]
    assert cell.data_type == "s" and cell.value == text and cell.hyperlink is None


def test_who_waits_for_a_workbook_knows_how_long(client, world, monkeypatch, settings):
    settings.CACHE_RESPONSES = False
    assert (
        FILE_FORMATS["csv"].waiting_time(10_000_000)
        == FILE_FORMATS["xlsx"].waiting_time(10_000)
        == ""
    )
    assert FILE_FORMATS["xlsx"].waiting_time(100_000) == "begins after 33 s"
    assert FILE_FORMATS["xlsx"].waiting_time(1_000_000) == "begins after 6 min"
    assert "begins after" not in client.get(world.address("patients/")).content.decode()
    monkeypatch.setattr("evidence.downloads.formats.WORTH_SAYING", 0.001)
    assert "(begins after 0 s)" in client.get(world.address("patients/")).content.decode()


def test_a_workbook_that_would_not_hold_them_is_refused(client, world, monkeypatch):
    monkeypatch.setattr("evidence.downloads.workbook.MOST_ROWS", 4)
    response = client.get(world.address("patients.xlsx"))
    assert response.status_code == 400
    assert (
        "A workbook holds at most 4 rows. Use CSV, TSV or JSON Lines." in response.content.decode()
    )


@pytest.mark.parametrize("how", ["csv", "tsv", "jsonl", "xlsx"])
def test_every_format_refuses_a_wrong_question_and_is_offered(client, world, how):
    assert client.get(world.address(f"patients.{how}?sex=x")).status_code == 400
    assert (
        f'href="/world/patients.{how}?sex=female"'
        in client.get(world.address("patients/?sex=female")).content.decode()
    )

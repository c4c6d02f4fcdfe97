"""One of a thing is not several, nobody is not everybody, and so few are no percentage."""

import io
from zipfile import ZipFile

import pytest

from evidence import summaries
from evidence.charts.registry import build_chart
from evidence.charts.treatments import months_known_text
from evidence.questions.parsing import parse_query_string
from evidence.questions.question import Question
from evidence.summaries import Share, pluralize, run_summaries
from evidence.templatetags.casebook import linked_share_rows, share_rate
from evidence.web.answer_shares import LinkedShare

from .factories import make_collection, make_patient, make_study, make_treatment
from .test_pages import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def single(db):
    """A collection with one of everything."""
    collection = make_collection("single")
    course = make_treatment(
        make_patient(make_study(collection, "only"), "only-1", sex="female", age_years=40),
        duration_months=1,
        response="improved",
        indications=["skin"],
        events=[("infection", {})],
    )
    course.outcomes.create(domain="skin", measure_id="mRSS", result="improved")
    return collection


@pytest.mark.parametrize(
    ("unit", "one"),
    [
        ("outcomes or events", "1 outcome or event"),
        ("people", "1 person"),
        ("other combinations", "1 other combination"),
        ("case reports", "1 case report"),
        ("adverse events", "1 adverse event"),
        ("boxes", "1 box"),
        ("more", "1 more"),
    ],
)
def test_one_of_a_thing(unit, one):
    assert pluralize(1, unit) == one
    assert pluralize(12_345, unit) == f"12\u202f345 {unit}" and pluralize(0, unit) == f"0 {unit}"


def test_one_event_is_recorded(single):
    chart = build_chart(parse_query_string("", single), "adverse-events")
    assert chart.sentence.endswith("1 event. In all, 1 event is recorded.")


def test_one_patient_matches_and_nobody_is_said_to_be_nobody(single, asking):
    (answer,) = run_summaries(summaries.match_summary(asking(single, "sex=female")))
    assert str(answer) == "1 patient matches."
    (answer,) = run_summaries(summaries.match_summary(asking(single, "sex=male")))
    assert str(answer) == "0 patients match."
    (people,) = run_summaries(summaries.age_and_sex(asking(single, "sex=male")))
    assert people.sentence == "No patient is in view."


def test_one_row_of_a_bundle(single, client):
    archive = ZipFile(io.BytesIO(b"".join(client.get("/single/bundle.zip").streaming_content)))
    readme = archive.read("README.txt").decode()
    assert "  patients.csv: 1 row\n" in readme and "  groups.csv: 0 rows\n" in readme


def test_one_criterion_and_one_patient(single, client):
    assert "None of 1 patient is known to agree in it." in text_of(
        client.get("/single/similar/?sex=male")
    )
    two = text_of(client.get("/single/similar/?sex=female&age=90"))
    assert "None of 1 patient agrees in all 2; the closest one in 1 of them." in two
    assert "So few patients" not in two


def test_one_of_one_on_the_pages(single, client):
    rules = text_of(client.get("/single/rules/"))
    assert "0 of 1 outcome by mRSS" in rules and "In 0 of 1 treatment mRSS" in rules
    assert "the one treatment is not evaluable" in text_of(client.get("/single/rules/?rule=fvc-5"))
    overview = text_of(client.get("/single/"))
    assert "What happened in the 1 patient in view" in overview
    assert "Download this one as CSV" in overview
    assert "Sex, with the number of patients" in client.get("/single/").content.decode()
    swimmers = text_of(client.get("/single/charts/?chart=swimmers"))
    assert "The length is known of 1 of 1 treatment; 0 of the 1 listed here has" in swimmers
    case = text_of(client.get("/single/patients/only-1/"))
    assert "0 of 2 outcomes or events have a month" in case and "given for 1 month" in case


def test_outcomes_and_events_with_a_month_agree_with_their_verb():
    assert [months_known_text(*counts) for counts in ((0, 1), (1, 2), (0, 2), (2, 2), (0, 0))] == [
        "0 of 1 outcome or event has a month",
        "1 of 2 outcomes or events has a month",
        "0 of 2 outcomes or events have a month",
        "2 of 2 outcomes or events have a month",
        "no outcome or event is recorded",
    ]


def test_nobody_is_added_to_nobody(single, client):
    assert "0 patients match. For 1 it is open" in text_of(client.get("/single/?prior=prednisone"))
    text = text_of(client.get("/single/forest/?item=relapsed"))
    assert "1 study has patients who answer the question, and this is known of none" in text


def test_nothing_recorded_is_not_0_of_0(single, client):
    rules = text_of(client.get("/single/rules/?rule=fvc-5"))
    assert "0 of 0" not in rules and "No outcome by FVC" in rules


def test_several_parts_are_these(world, client):
    assert "no one value or no complete list for these." in text_of(
        client.get("/world/groups/?sex=female&age_min=30")
    )
    assert "no one value or no complete list for this." in text_of(
        client.get("/world/groups/?sex=female")
    )


def test_digits_are_grouped_in_all_numbers_of_a_sentence():
    known = Share("Age known", 1080, 1080, 212, 0)
    people = summaries.AgeAndSex([], {"female": 1089, "male": 203, "unknown": 0}, {50: 1080}, known)
    assert people.sentence == (
        "Age is known in 1\u202f080 of 1\u202f292 patients: 50 years; 1\u202f089 female, 203 male."
    )


@pytest.mark.parametrize(("known", "few"), [(1, True), (4, True), (5, False)])
def test_where_under_five_are_known_the_interval_comes_first_and_the_percentage_is_quiet(
    known, few
):
    share = Share("Improved", known, known, 0, 1)
    interval, percent = share.interval_text, "100.0 %"
    text, cell, row = (
        str(share),
        str(share_rate(share)),
        str(linked_share_rows([LinkedShare(share)])),
    )
    if few:
        assert f"(95 % CI {interval}, {percent})" in text
        assert cell == f'<span class="quiet">{interval} ({percent})</span>'
        assert f'class="rate quiet">CI {interval} ({percent})</td>' in row
    else:
        assert f"({percent}, 95 % CI {interval})" in text
        assert cell == f"{percent} ({interval})" and "quiet" not in row
        assert f'class="rate">{percent} (CI {interval})</td>' in row
    assert ("1/1 patient " in text) == (known == 1)
    assert share_rate(Share("Improved", 0, 0, 0, 1)) == "–"


def test_a_comparison_sets_few_quietly_too(world, client):
    body = client.get("/world/compare/?a=sex%3Dfemale&b=sex%3Dmale").content.decode()
    assert '<span class="quiet">' in body.split('class="compared"')[1]
    assert Question(world.collection)

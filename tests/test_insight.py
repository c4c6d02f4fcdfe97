"""Levels, swimmers, rules, completeness, flow: what the records say as a whole."""

from urllib.parse import urlencode

import pytest
from hypothesis import given, settings

from evidence import charts, summaries
from evidence.charts.registry import SWIMMERS
from evidence.models import ATTRIBUTES, FlowStep, Outcome, Review, Treatment
from evidence.models.choices import Assessed
from evidence.questions.filters import describe_question
from evidence.questions.question import Question
from evidence.questions.vocabulary import vocabulary
from evidence.statistics import ALL_RULES, RULES, Derived
from evidence.summaries import run_summaries
from evidence.summaries.rules import is_discordant
from evidence.summaries.treatments import swimmer_row, window_of

from . import plain
from .factories import make_collection, make_patient, make_study, make_treatment
from .test_filters import addresses, few
from .test_pages import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def measured(db):
    """Four courses with an mRSS, one without; months 3, 6, 6 and not known."""
    collection = make_collection("measured")
    study = make_study(collection)
    for number, (baseline, followup, month, result) in enumerate(
        [
            (24, 12, 6, "improved"),  # falls by half: response, as the authors say
            (20, 16, 6, "improved"),  # falls by 4: the rule disagrees
            (4, 0, 3, "improved"),  # too low to be judged
            (18, None, None, "stable"),  # no follow-up
        ],
        start=1,
    ):
        course = make_treatment(
            make_patient(study, f"m-{number}"), duration_months=number * 3, response=result
        )
        Outcome.objects.create(
            treatment=course,
            domain="skin",
            measure_id="mRSS",
            baseline=baseline,
            followup=followup,
            at_months=month,
            result=result,
        )
    make_treatment(make_patient(study, "m-5"), outcomes=[("skin", "improved")])
    return collection


# Levels


def test_levels_by_hand_with_months_kept_apart(measured):
    found = summaries.patient_levels(Question(measured), "mrss")
    assert (found.recorded, found.both, found.patients) == (4, 3, 3)
    at = {each.month: each for each in found.months}
    assert set(at) == {Assessed.MONTH_3, Assessed.MONTH_6}
    assert at[Assessed.MONTH_6].baseline == (21, 22, 23)
    assert at[Assessed.MONTH_6].followup == (13, 14, 15)
    assert at[Assessed.MONTH_6].change == (-10, -8, -6)
    chart = charts.patient_levels_chart("mrss", found, measured)
    assert chart.sentence.startswith(
        "mRSS is known before and after in 3 of 4 outcomes that record it, of 3 patients"
    )
    assert "month 6: median 22.0 to 14.0 (n = 2)" in chart.sentence
    assert len(chart.table.for_programs[1]) == 3, "the file has every patient"


def test_about_which_month_filters_patients_and_their_outcomes(measured, asking):
    question = asking(measured, "assessed=6")
    assert [each.month for each in summaries.patient_levels(question, "mrss").months] == [
        Assessed.MONTH_6
    ]
    assert summaries.rule_report(question, RULES["mrss-5-25"]).outcomes == 2


@pytest.mark.parametrize(
    ("month", "word"),
    [
        (0, "1"),
        (1.9, "1"),
        (2, "3"),
        (4.4, "3"),
        (4.5, "6"),
        (9, "12"),
        (18, "24"),
        (36, "later"),
        (None, "unknown"),
    ],
)
def test_every_month_is_in_one_window(month, word):
    assert window_of(month) == word


def test_nothing_measured_is_said(client, published):
    page = client.get("/published/charts/?chart=mrss-levels")
    ((_, (chart,)),) = page.context["empty_charts"]
    assert chart.figure == {}
    assert "mRSS is recorded in 0 outcomes here" in chart.sentence


# Swimmers


def test_swimmers_by_hand(client, measured):
    (chart,) = client.get("/measured/charts/?chart=swimmers").context["charts"]
    assert [row[0] for row in chart.table.rows] == [
        "m-4, 1",
        "m-3, 1",
        "m-2, 1",
        "m-1, 1",
        "m-5, 1",
    ], "longest first"
    assert chart.figure["data"][0]["x"] == [12, 9, 6, 6], (
        "a course of 3 months with an outcome at 6 reaches to 6"
    )
    assert "The length is known of 4 of 5 treatments" in chart.sentence
    assert chart.table.rows[-1][2] == "not known" and chart.table.rows[-1][-1] == "1"
    assert chart.marks[0][0] == "/measured/patients/m-4/"


def test_only_the_longest_courses_are_drawn(client, db):
    collection = make_collection("long")
    study = make_study(collection)
    for months in range(1, SWIMMERS + 6):
        make_treatment(make_patient(study), duration_months=months)
    (chart,) = client.get("/long/charts/?chart=swimmers").context["charts"]
    assert len(chart.table.rows) == SWIMMERS
    assert f"The {SWIMMERS} longest of {SWIMMERS + 5} courses." in chart.note


def test_a_timeline_draws_only_what_has_a_month(client, published):
    chart = client.get("/published/patients/fujita-2019-1/").context["chart"]
    assert (
        chart.sentence
        == "The length is known of 1 of 1 course; 1 of 2 outcomes or events has a month."
    )
    assert chart.figure["data"][0]["x"] == [12]
    undated = client.get("/published/patients/prakashini-2023-1/").context["chart"]
    assert undated.figure == {} and "nothing to draw" in undated.sentence
    assert ["Before", "prior therapy: Methotrexate", "not said"] in undated.table.rows


def test_a_case_at_a_glance(client, published):
    body = client.get("/published/patients/fujita-2019-1/").content.decode()
    assert (
        "Female, 71 years, Overlap syndrome. Baricitinib for Joints: overall not extracted; skin "
        "improved, joints improved (month 12)." in body
    )


def test_a_case_at_a_glance_without_a_result_in_any_domain(client, world):
    body = client.get(world.address("patients/alpha-4/")).content.decode()
    assert "Tofacitinib: overall response not reported." in body


def test_every_value_says_where_it_comes_from(client, published):
    body = client.get("/published/patients/fujita-2019-1/").content.decode()
    assert (
        'data-origin="Fujita 2019: abstract or opening of the paper. No note of its own."' in body
    )
    assert "<summary title=" in body


# Rules


def test_a_rule_beside_the_authors_by_hand(client, measured):
    report = summaries.rule_report(Question(measured), RULES["mrss-5-25"])
    assert (report.outcomes, report.evaluable, report.discordant) == (4, 2, 1)
    assert (report.treatments, report.without_measure) == (5, 1)
    assert report.table["improved"] == {
        Derived.RESPONSE: 1,
        Derived.NO_RESPONSE: 1,
        Derived.NOT_EVALUABLE: 1,
    }
    listed = [
        (each.patient, each.derived, each.discordant, each.why) for each in report.judged_rows
    ]
    assert listed == [
        ("m-2", Derived.NO_RESPONSE, True, ""),
        ("m-3", Derived.NOT_EVALUABLE, False, "the baseline is too low for the rule"),
        ("m-4", Derived.NOT_EVALUABLE, False, "follow-up not known"),
        ("m-1", Derived.RESPONSE, False, ""),
    ], "those that disagree first, then those that cannot be judged; nobody is dropped"
    text = text_of(client.get("/measured/rules/"))
    assert (
        "2 of 4 outcomes" in text
        and "authors and rule disagree in 1" in text
        and "In 1 of 5 treatments" in text
    )


@pytest.mark.parametrize(
    ("result", "derived", "expected"),
    [
        ("improved", Derived.RESPONSE, False),
        ("improved", Derived.NO_RESPONSE, True),
        ("improved", Derived.WORSENING, True),
        ("stable", Derived.NO_RESPONSE, False),
        ("stable", Derived.RESPONSE, True),
        ("stable", Derived.WORSENING, True),
        ("worsened", Derived.WORSENING, False),
        ("not_improved", Derived.NO_RESPONSE, False),
        ("not_improved", Derived.RESPONSE, True),
        ("unknown", Derived.RESPONSE, False),
        ("improved", Derived.NOT_EVALUABLE, False),
    ],
)
def test_what_counts_as_disagreement(result, derived, expected):
    assert is_discordant(result, derived) is expected


def test_where_nothing_is_measured_nobody_is_judged_and_nobody_dropped(client, published):
    assert "all 4 treatments are not evaluable" in text_of(client.get("/published/rules/"))


def test_an_unknown_rule_is_told(client, world):
    response = client.get(world.address("rules/?rule=nonsense"))
    assert response.status_code == 400 and response.context["report"] is None
    assert (
        "“nonsense” is no rule. Known: mrss-5-25, fvc-5, fvc-10, fvc-omeract, fvc-ppf."
        in response.context["parsed"].problems
    )


@pytest.fixture
def breathing(db):
    """Courses with an FVC of 70 % predicted at the start; what follows, and what the authors
    say.
    """
    collection = make_collection("breathing")
    study = make_study(collection)

    def course(slug, followup, month, result, dlco=None, months_of_dlco=None):
        treatment = make_treatment(make_patient(study, slug))
        timed = {"baseline_month": 0 if month else None, "at_months": month}
        Outcome.objects.create(
            treatment=treatment, domain="lung", measure_id="FVC % predicted", result=result,
            baseline=70,
            followup=followup, **timed,
        )  # fmt: skip
        for number, level in enumerate(dlco or [], start=2):
            Outcome.objects.create(
                treatment=treatment, number=number, domain="lung", measure_id="DLCO % predicted",
                baseline=60,
                followup=level, **(timed | (months_of_dlco or {})),
            )  # fmt: skip

    course("b-1", 70, 6, "stable")
    course("b-2", 63, 6, "stable")  # falls by 10 %
    course("b-3", 66, 6, "worsened", dlco=[50])  # by 5.7 %, and DLCO by 16.7 %
    # DLCO at another time
    course("b-4", 66, 6, "stable", dlco=[50], months_of_dlco={"at_months": 12})
    course("b-5", 66, 6, "improved", dlco=[50, 60])  # DLCO recorded twice: which is it?
    course("b-6", 60, 18, "worsened")
    course("b-7", 74, None, "worsened")
    course("b-8", None, 6, "unknown")
    return collection


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("fvc-omeract", "no progression; progression ≠; progression; not evaluable; not "
         "evaluable; progression; no progression ≠; not evaluable"),
        ("fvc-ppf", "no progression; progression ≠; no progression ≠; no progression; no "
         "progression; not evaluable; not evaluable; not evaluable"),
        ("fvc-5", "no response; worsening ≠; no response; no response; no response ≠; worsening; "
         "no response; not evaluable"),
    ],
)  # fmt: skip
def test_progression_stands_beside_response_for_fvc(breathing, rule, expected):
    listed = sorted(
        summaries.rule_report(Question(breathing), ALL_RULES[rule]).judged_rows,
        key=lambda each: each.patient,
    )
    assert (
        "; ".join(f"{each.derived}{' ≠' if each.discordant else ''}" for each in listed) == expected
    )
    assert bool(listed[-1].why) and listed[-1].why == "follow-up not known"


def test_a_progression_rule_on_its_page(client, breathing):
    body = client.get("/breathing/rules/?rule=fvc-omeract").content.decode()
    text = text_of(client.get("/breathing/rules/?rule=fvc-omeract"))
    assert '<optgroup label="Progression">' in body and '<optgroup label="Response">' in body
    assert "5 of 8 outcomes" in text and "authors and rule disagree in 2" in text
    assert (
        "10.3899/jrheum.141182" in text
        and "“Improved” and “stable” both agree with “no progression”" in text
    )
    assert "FVC fell by 5 to under 10 %, and the change of DLCO is not known" in text
    assert "/breathing/rules/?rule=fvc-5" in body, "response stands beside progression"
    assert (
        "/breathing/rules/?rule=fvc-ppf"
        in client.get("/breathing/rules/?rule=fvc-10").content.decode()
    )
    assert "By the same measure" not in text_of(client.get("/breathing/rules/?rule=mrss-5-25"))


def test_the_methods_page_works_the_progression_rules_out(client, db):
    text = text_of(client.get("/methods/"))
    why = "FVC fell by 5 to under 10 %, and the change of DLCO is not known"
    assert f"progression; progression; not evaluable ({why}); no progression" in text
    far = "the measurements lie more than 12 months apart"
    assert f"progression; no progression; not evaluable ({far})" in text
    assert "10.1164/rccm.202202-0399ST" in text


# Completeness


@settings(few, max_examples=8)
@given(address=addresses())
def test_every_cell_leads_to_exactly_those_of_whom_it_is_not_known(client, world, asking, address):
    question = asking(world.collection, urlencode(address, doseq=True))
    (matrix,) = run_summaries(summaries.completeness_matrix(question, vocabulary(world.collection)))
    records = plain.answering(world.records(world.collection), address)
    assert {line.slug: line.patients for line in matrix.lines} == {
        study: len(plain.patients([c for c in records if c.study == study]))
        for study in {c.study for c in records}
    }
    for line in matrix.lines:
        for name, cell in zip(ATTRIBUTES, line.cells, strict=True):
            assert 0 <= cell.known <= cell.patients == line.patients
            if cell.missing is None:
                continue
            (total,) = run_summaries(summaries.cohort_totals(cell.missing))
            assert total.patients == cell.patients - cell.known, (line.slug, name)


def test_completeness_by_hand(client, world):
    matrix = client.get(world.address("completeness/")).context["matrix"]
    alpha = next(line for line in matrix.lines if line.slug == "alpha")
    cells = dict(
        zip(ATTRIBUTES, ((cell.known, cell.patients) for cell in alpha.cells), strict=True)
    )
    assert cells["age"] == (2, 4) and cells["prior"] == (3, 4) and cells["dose"] == (0, 4)
    assert alpha.reason.label == "not reported"
    assert [line.slug for line in matrix.to_read] == ["beta"], (
        "only where a part was read is there more to find"
    )


def test_a_simulated_collection_has_no_to_do_list(client, simulated):
    assert "these records are simulated, and what is empty is meant to be" in (
        client.get("/sener-2025-reconstruction/completeness/").content.decode()
    )


# Flow


def boxes(flow) -> dict:
    return {box.stage: box.text for row in flow.rows for box in row if box}


def test_a_flow_says_what_it_does_not_know(client, published):
    found = boxes(summaries.collection_flow(published))
    assert found["included"] == "16 studies, 4 patients"
    assert found["identified"] == "records: not recorded"
    assert "1 of 6 boxes has a number" in text_of(client.get("/reviews/sener-2025/"))
    assert (
        boxes(summaries.review_flow(Review.objects.get(slug="sener-2025")))["included"]
        == "18 studies, 87 patients"
    )
    moriana = boxes(summaries.review_flow(Review.objects.get(slug="moriana-2022")))
    assert moriana["included"] == "studies: not extracted, 59 patients"


def test_a_flow_adds_reasons_up_only_where_all_are_known(published):
    for position, (stage, reason, studies) in enumerate(
        [
            ("identified", "", 120),
            ("screened", "", 90),
            ("excluded_screening", "no JAK inhibitor", 50),
        ]
    ):
        FlowStep.objects.create(
            collection=published, stage=stage, reason=reason, studies=studies, position=position
        )
    FlowStep.objects.create(collection=published, stage="excluded", reason="no patients", studies=3)
    FlowStep.objects.create(
        collection=published, stage="excluded", reason="duplicate", studies=None
    )
    flow = summaries.collection_flow(published)
    found = boxes(flow)
    assert found["identified"] == "120 records" and found["excluded_screening"] == "50 records"
    assert found["excluded"] == "studies: not recorded", "3 and an unknown number are not 3"
    excluded = next(box for row in flow.rows for box in row if box and box.stage == "excluded")
    assert sorted(excluded.reasons) == [("duplicate", "not recorded"), ("no patients", "3")]


def test_swimmer_reads_one_course(measured):
    course = Treatment.objects.get(patient__slug="m-1")
    found = swimmer_row(course)
    assert (found.months, found.last_month, found.undated, found.is_drawable) == (3, 6, 0, True)


def test_where_not_all_are_listed_those_that_disagree_are_first_of_the_listed_only(
    client, measured, unlimited, monkeypatch
):
    whole = text_of(client.get("/measured/rules/"))
    assert "Those that disagree first, then those that cannot be judged." in whole
    assert "Of these" not in whole
    for module in ("evidence.summaries.rules", "evidence.web.analyses"):
        monkeypatch.setattr(f"{module}.LISTED", 2)
    told = "The first 2 of 4, by patient; filter to see the others. Of these, those that disagree"
    assert told in text_of(client.get("/measured/rules/"))


def test_one_year_of_age_is_a_year(asking, published):
    words = vocabulary(published)
    assert describe_question(asking(published, "age_min=1"), words).endswith("Age from 1 year")
    assert describe_question(asking(published, "age_min=2"), words).endswith("Age from 2 years")

"""Improved, by domain: one outcome of each patient in each domain, the same rule in both
engines.
"""

import csv
from collections import Counter
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence import summaries
from evidence.counting import Tally, Unit, count, database
from evidence.counting.snapshot import count_tallies
from evidence.counting.snapshot.build import build_snapshot
from evidence.models import DataVersion, Outcome, Patient, Provenance
from evidence.questions.question import Question
from evidence.questions.vocabulary import vocabulary
from evidence.summaries import run_summaries

from . import plain
from .factories import (
    make_collection,
    make_group,
    make_measure,
    make_patient,
    make_study,
    make_treatment,
)
from .test_bundle import bytes_of, opened, rows_in
from .test_engines import drawn, known_there
from .test_exports import rows_of
from .test_filters import addresses
from .test_pages import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def study(db):
    return make_study(make_collection("followed"), "series")


def followed(study, *courses, patient=None):
    """A patient with courses, each of which is a list of (domain, result, month, measure)."""
    patient = patient or make_patient(study)
    for outcomes in courses:
        course = make_treatment(patient)
        for number, (domain, result, month, measure) in enumerate(outcomes, start=1):
            Outcome.objects.create(
                treatment=course,
                number=number,
                domain=domain,
                result=result,
                at_months=month,
                measure=make_measure(measure),
            )
    return patient


def skin(result, month=None, measure="mRSS"):
    return ("skin", result, month, measure)


@pytest.fixture
def improved(study, asking, engine):
    """improved(address) -> {label of a domain: n/N}."""

    def make(address=""):
        (found,) = run_summaries(summaries.outcomes_by_domain(asking(study.collection, address)))
        return {share.label: share.fraction for share in found}

    return make


def test_the_last_dated_outcome_counts_not_any(study, improved):
    followed(study, [skin("improved", 3), skin("worsened", 12)])
    followed(study, [skin("worsened", 3), skin("improved", "4.5")])
    assert improved() == {"Skin": "1/2"}


def test_an_undated_outcome_counts_only_where_none_is_dated(study, improved):
    followed(study, [skin("stable", 0), skin("improved")])
    followed(study, [skin("improved")])
    assert improved() == {"Skin": "1/2"}


def test_measures_that_disagree_at_the_same_month_are_no_improvement(study, improved):
    followed(study, [skin("improved", 6), skin("worsened", 6, "digital ulcers")])
    followed(study, [skin("stable", 6, "digital ulcers"), skin("improved", 6)])
    followed(study, [skin("improved", 6), skin("improved", 6, "digital ulcers")])
    assert improved() == {"Skin": "1/3"}


def test_an_outcome_without_a_stated_result_is_passed_over(study, improved):
    followed(study, [skin("improved", 3), skin("unknown", 12)])
    followed(study, [skin("unknown", 3)])
    assert improved() == {"Skin": "1/1"}


def test_of_several_courses_the_latest_with_a_result_counts(study, improved, asking):
    """Months count from the start of each course, so month 3 of the second is later than month 24
    of the first.
    """
    followed(study, [skin("improved", 24)], [skin("worsened", 3)])
    followed(study, [skin("worsened")], [skin("improved")])
    followed(study, [skin("improved", 24)], [skin("unknown", 3)], [("lung", "stable", 3, "FVC")])
    assert improved() == {"Skin": "2/3", "Lung": "0/1"}


def test_a_dated_outcome_of_an_earlier_course_beats_an_undated_one_of_a_later(study, improved):
    followed(study, [skin("improved", 6)], [skin("worsened")])
    followed(study, [skin("worsened", 6), skin("improved")], [skin("improved")])
    followed(study, [skin("stable", 6)], [skin("improved", 3), skin("worsened")], [skin("stable")])
    followed(study, [skin("improved", 6)], [skin("worsened", 3)], [skin("improved")])
    assert improved() == {"Skin": "2/4"}
    assert improved("assessed=unknown") == {"Skin": "2/4"}


def test_the_best_is_counted_where_it_was_dated_before_where_it_was_not(study, asking, engine):
    patient = followed(study, [skin("improved", 6)], [("lung", "stable", 3, "FVC")])
    later = make_treatment(patient, "baricitinib")
    for number, (domain, result) in enumerate((("skin", "improved"), ("lung", "stable")), start=1):
        later.outcomes.create(number=number, domain=domain, measure_id="mRSS", result=result)
    (found,) = count([Tally(asking(study.collection), ("best_result", "inhibitor"))])
    assert found == {("skin:yes", "tofacitinib"): 1, ("lung:no", "tofacitinib"): 1}


def test_of_the_courses_that_do_not_answer_the_question_none_counts(study, improved):
    patient = followed(study, [skin("improved", 24)])
    make_treatment(patient, "baricitinib", outcomes=[("skin", "worsened")])
    Outcome.objects.filter(result="worsened").update(at_months=3)
    assert improved("inhibitor=tofacitinib") == {"Skin": "1/1"}
    assert improved("inhibitor=baricitinib") == {"Skin": "0/1"}
    assert improved() == {"Skin": "0/1"}


def test_assessed_restricts_the_outcomes_that_count_to_these_months(study, improved):
    followed(study, [skin("worsened", 3), skin("improved", 12)])
    followed(study, [skin("improved", 3), ("lung", "improved", 12, "FVC")])
    followed(study, [skin("improved")])
    assert improved() == {"Skin": "3/3", "Lung": "1/1"}
    assert improved("assessed=3") == {"Skin": "1/2", "Lung": "none known"}
    assert improved("assessed=12") == {"Skin": "1/1", "Lung": "1/1"}
    assert improved("assessed=3&assessed=12") == {"Skin": "2/2", "Lung": "1/1"}
    assert improved("assessed=unknown") == {"Skin": "1/1"}


@pytest.mark.parametrize(
    ("address", "matching", "still_open"),
    [
        ("assessed=3", 1, 3),
        ("assessed=3&assessed=unknown", 3, 1),
        ("assessed=unknown", 2, 0),
        ("assessed=6", 2, 3),
        ("missing=assessed", 2, 0),
    ],
)
def test_an_undated_outcome_leaves_open_whether_it_is_of_the_month_asked_for(
    study, asking, engine, address, matching, still_open
):
    followed(study, [skin("improved", 3), skin("stable")])
    followed(study, [skin("improved", 6), skin("stable")])
    followed(study, [skin("improved", 6)])
    followed(study, [skin("improved")])
    followed(study, [])
    question = asking(study.collection, address)
    (found,) = run_summaries(summaries.match_summary(question))
    assert (found.matching, found.open) == (matching, still_open)
    courses = plain.all_courses(study.collection)
    loops = Counter(plain.patients_answering(courses, parse_qs(address)).values())
    assert (loops["yes"], loops["open"]) == (matching, still_open)


def test_of_the_published_patients_four_are_open_at_month_3(client, published, unlimited):
    page = client.get("/published/?assessed=3")
    assert page.context["answer"].open == 4
    assert "For 4 it is open: the month of an outcome is" in str(page.context["answer"])
    matrix = client.get("/published/completeness/").context["matrix"]
    column = matrix.attributes.index("Month of an outcome")
    cell = matrix.overall[column]
    for query in ("missing=assessed", "assessed=unknown"):
        totals = client.get(f"/published/?{query}").context["totals"]
        assert totals.patients == cell.patients - cell.known, query


def test_the_forest_plot_counts_by_the_same_rule(study, asking, engine):
    followed(study, [skin("improved", 3), skin("worsened", 12)])
    followed(study, [skin("improved", 3)])
    for address, fraction in (("", "1/2"), ("assessed=3", "2/2")):
        question = asking(study.collection, address)
        found = summaries.forest_plot(question, "improved_skin", vocabulary(study.collection))
        assert found.total.fraction == fraction


def fewer_months(collection, seed: int) -> None:
    """Takes some months away and makes others equal, so that undated outcomes and ties are
    common.
    """
    changed = []
    for i, outcome in enumerate(
        Outcome.objects.filter(treatment__patient__study__collection=collection)
    ):
        kind = (i * 7 + seed) % 5
        if kind < 2:
            outcome.at_months = None if kind else 6
            outcome.baseline_month = None
            outcome.domain = ("skin", "lung")[i % 2]
            changed.append(outcome)
    Outcome.objects.bulk_update(changed, ["at_months", "baseline_month", "domain"])
    DataVersion.bump()


@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.integers(1, 40),
    st.integers(0, 10_000),
    addresses(),
    st.lists(st.sampled_from(["1", "3", "6", "12", "24", "unknown"]), max_size=2, unique=True),
)
def test_both_engines_and_plain_loops_agree(db, asking, patients, seed, address, months):
    collection = drawn(patients, seed)
    fewer_months(collection, seed)
    address = {
        name: values
        for name, values in known_there(collection, address).items()
        if name != "assessed"
    }
    for asked in ({}, address):
        whole = asked | ({"assessed": months} if months else {})
        question = asking(collection, urlencode(whole, doseq=True))
        courses = plain.answering(plain.all_courses(collection), whole)
        tallies = [Tally(question, (name,)) for name in ("last_result", "best_result")]
        expected = [plain.last_results(courses, months), plain.best_results(courses, months)]
        loops = [
            Counter(((f"{domain}:{'yes' if yes else 'no'}",) for (_, domain), yes in found.items()))
            for found in expected
        ]
        tallies.append(Tally(question, (), Unit.OUTCOMES))
        number = plain.outcomes_in(courses, months)
        loops.append(Counter({(): number} if number else {}))
        assert database.count_tallies(tallies) == loops
        assert count_tallies(build_snapshot(collection), tallies) == loops
        slugs = dict(Patient.objects.values_list("pk", "slug"))
        found = summaries.domain_results(list(slugs), question)
        assert {slugs[key]: results for key, results in found.items()} == plain.domain_results(
            courses, months
        )


def test_counting_by_domain_costs_no_query_per_patient(study, django_assert_num_queries, settings):
    settings.COHORT_ENGINE = "database"
    tallies = [Tally(Question(study.collection), ("last_result", "reading"))]
    for _ in range(2):
        for _ in range(20):
            followed(study, [skin("improved", 3), skin("stable", 6)], [skin("improved", 3)])
        with django_assert_num_queries(1):
            count(tallies)


# Which outcome counts in each domain of one patient


@pytest.fixture
def by_domain(study, asking, engine):
    """by_domain(patient, address) -> codes of the results that count, as files hold them."""

    def make(patient, address=""):
        found = summaries.domain_results([patient.pk], asking(study.collection, address))
        return [result.code for result in found.get(patient.pk, [])]

    return make


def test_the_result_of_each_domain_by_hand(study, by_domain):
    patient = followed(
        study,
        [
            skin("improved", 24),
            ("joints", "improved", None, "DAS28"),
            ("lung", "unknown", 3, "FVC"),
        ],
        [skin("stable", "4.5"), ("lung", "not_improved", 6, "FVC")],
    )
    assert by_domain(patient) == ["skin:stable:4.5", "lung:not_improved:6", "joints:improved"]
    assert by_domain(patient, "assessed=24") == ["skin:improved:24"]
    dated_or_not = "assessed=24&assessed=unknown"
    assert by_domain(patient, dated_or_not) == ["skin:improved:24", "joints:improved"]
    assert by_domain(patient, "assessed=1") == [], "the question is not answered at all"


def test_only_courses_that_answer_the_question_count_for_a_domain(study, by_domain):
    patient = followed(study, [skin("improved", 6)])
    make_treatment(patient, "baricitinib", outcomes=[("skin", "worsened")])
    assert by_domain(patient) == ["skin:improved:6"], "an undated one counts only where none is"
    assert by_domain(patient, "inhibitor=baricitinib") == ["skin:worsened"]


@pytest.mark.parametrize("results", [("stable", "worsened"), ("worsened", "stable")])
def test_of_results_at_the_same_time_the_worst_is_shown(study, by_domain, results):
    patient = followed(study, [skin(result, 6, measure=result) for result in results])
    assert by_domain(patient) == ["skin:worsened:6"]


def test_each_course_has_results_of_its_own(study):
    patient = followed(study, [skin("improved", 24)], [skin("worsened", 3)], [])
    first, second, third = patient.treatments.order_by("number")
    found = summaries.domain_results_of_treatments([first.pk, second.pk, third.pk])
    assert {key: [result.words for result in results] for key, results in found.items()} == {
        first.pk: ["skin improved (month 24)"],
        second.pk: ["skin worsened (month 3)"],
    }


def test_a_result_is_read_back_from_its_code():
    for code in ("joints:improved:12", "gi:not_improved:4.5", "skin:stable", "global:worsened:0"):
        assert summaries.DomainResult.from_code(code).code == code


def test_lists_files_and_programs_say_the_result_of_each_domain(client, study, unlimited):
    followed(study, [skin("improved", 12), ("lung", "stable", None, "FVC")])
    followed(study, [])
    codes = "skin:improved:12; lung:stable"
    assert {row["domain_results"] for row in rows_of(client, "/followed/patients.csv")} == {
        codes,
        "not reported",
    }
    rows = client.get("/api/v1/followed/patients/").json()["results"]
    assert sorted(row["domain_results"] or [] for row in rows) == [[], codes.split("; ")]
    page = client.get("/followed/patients/")
    assert (
        '<span class="tone line improved">Skin improved (month 12)</span><br>'
        '<span class="tone line stable">Lung stable</span>' in page.content.decode()
    )
    months = text_of(client.get("/followed/patients/?assessed=12"))
    assert "Skin improved (month 12)" in months and "Lung stable" not in months


def test_similar_cases_say_the_result_of_each_domain(client, study, unlimited):
    for response in ("unknown", "stable"):
        patient = make_patient(study, sex="female")
        make_treatment(patient, outcomes=[("skin", "improved")], response=response)
    text = text_of(client.get("/followed/similar/?sex=female")).replace(" ;", ";")
    assert "Tofacitinib: overall not reported; skin improved" in text
    assert "Tofacitinib: overall stable; skin improved" in text
    case = text_of(client.get(patient.get_absolute_url()))
    assert "Tofacitinib: overall stable; skin improved." in case


# What pages, files and programs say


def test_the_rule_stands_beside_the_number(client, study, unlimited):
    followed(study, [skin("improved", 3)])
    page = text_of(client.get("/followed/"))
    assert "Improved, by domain: the last outcome Skin 1/1" in page
    assert summaries.outcome_rule(Question(study.collection)) in page
    api = client.get("/api/v1/followed/summary/").json()
    assert api["improved_by_domain_rule"] == summaries.outcome_rule(Question(study.collection))
    file = client.get("/followed/forest.csv?item=improved_skin").content.decode("utf-8-sig")
    assert "individual patients, the last outcome" not in file, (
        "one patient is gathered with other single ones"
    )
    followed(study, [skin("stable", 3)])
    file = client.get("/followed/forest.csv?item=improved_skin").content.decode("utf-8-sig")
    assert "individual patients, the last outcome" in file
    assert (
        "One outcome per patient"
        in client.get("/api/v1/followed/forest/?item=improved_skin").json()["note"]
    )


def test_a_page_of_one_month_says_so(client, study, unlimited):
    followed(study, [skin("improved", 3), skin("worsened", 12)])
    followed(study, [skin("stable", 3)])
    page = client.get("/followed/?assessed=3")
    text = text_of(page)
    assert (
        "Improved, by domain: the last outcome at about month 3 (2 to under 4.5) Skin 1/2" in text
    )
    assert "Outcomes below are only those at about month 3 (2 to under 4.5)." in text
    forest = client.get("/followed/forest/?assessed=3&item=improved_skin").context["chart"]
    assert (
        "1/2" in forest.sentence
        and "Only outcomes at about month 3 (2 to under 4.5) count" in forest.note
    )
    rows = (
        client.get("/followed/compare/?a=assessed%3D3&b=assessed%3D12").context["compared"].groups
    )
    (row,) = [
        row
        for heading, each in rows
        if heading == "Improved, by domain"
        for row in each
        if row.label == "Skin"
    ]
    assert (row.first.fraction, row.second.fraction) == ("1/2", "0/1")


@pytest.fixture
def several_months(study):
    """Six outcomes of two patients: three at about month 3, one of these twice in one course."""
    first, second = make_patient(study, "f-1"), make_patient(study, "f-2")
    early = [skin("improved", 3), skin("worsened", 12), ("lung", "stable", 3, "FVC")]
    followed(study, early, patient=first)
    followed(study, [skin("stable", 6), skin("stable"), skin("improved", "4.4")], patient=second)
    outcomes = Outcome.objects.filter(treatment__patient=first)
    for number, outcome in enumerate(outcomes, start=1):
        Provenance.objects.create(study=study, number=number, outcome=outcome, field="result")
    return study.collection


@pytest.mark.parametrize(
    ("address", "months"),
    [
        ("assessed=3", ["3", "3", "4.4"]),
        ("assessed=3&assessed=unknown", ["3", "3", "", "4.4"]),
        ("assessed=24", []),
        ("", ["3", "12", "3", "6", "", "4.4"]),
    ],
)
def test_of_outcomes_only_those_of_the_months_asked_for_are_listed(
    client, several_months, engine, unlimited, address, months
):
    page = client.get(f"/followed/outcomes/?{address}").context["listing"]
    file = rows_of(client, f"/followed/outcomes.csv?{address}")
    api = client.get(f"/api/v1/followed/outcomes/?{address}").json()
    totals = client.get(f"/api/v1/followed/summary/?{address}").json()["totals"]
    assert page.total == api["count"] == totals["outcomes"] == len(months)
    assert [row["at_months"] for row in file] == months
    assert [str(row["at_months"] or "") for row in api["results"]] == months
    assert len(page.rows) == len(months)
    ranked = client.get(f"/followed/outcomes/?{address}&sort=-at_months").context["listing"]
    assert len(ranked.rows) == ranked.total == len(months)


def test_a_later_page_of_the_months_asked_for_goes_on_where_the_first_ended(
    client, several_months, engine, unlimited
):
    first = client.get("/api/v1/followed/outcomes/?assessed=3&page_size=2").json()
    second = client.get(first["next"]).json()
    assert second["next"] is None
    rows = first["results"] + second["results"]
    assert [(row["measure"], row["at_months"]) for row in rows] == [
        ("mRSS", 3),
        ("FVC", 3),
        ("mRSS", 4.4),
    ]


def test_a_bundle_of_some_months_holds_their_outcomes_and_where_these_come_from(
    client, several_months, unlimited
):
    archive = opened(bytes_of(client, "/followed/bundle.zip?assessed=3"))
    assert [row["at_months"] for row in rows_in(archive, "outcomes.csv")] == ["3", "3", "4.4"]
    assert [row["outcome"] for row in rows_in(archive, "provenance.csv")] == ["1", "3"]


def test_the_list_of_some_months_says_so(client, several_months, unlimited):
    told = "Only outcomes at about month 3 (2 to under 4.5) are listed, here and in the files."
    assert told in text_of(client.get("/followed/outcomes/?assessed=3"))
    assert "Only outcomes" not in text_of(client.get("/followed/outcomes/"))


def test_swimmers_show_the_outcomes_of_the_months_asked_for(client, several_months, unlimited):
    (chart,) = client.get("/followed/charts/?assessed=3&chart=swimmers").context["charts"]
    told = [(row[5], row[-1]) for row in chart.table.rows]
    assert sorted(told) == [
        ("month 3: Skin: mRSS, improved; month 3: Lung: FVC, stable", "0"),
        ("month 4.4: Skin: mRSS, improved", "0"),
    ]
    assert chart.sentence.endswith("Of their outcomes, those at about month 3 (2 to under 4.5).")


@settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.integers(1, 40),
    st.integers(0, 10_000),
    addresses(),
    st.lists(st.sampled_from(["1", "3", "6", "12", "unknown"]), min_size=1, unique=True),
)
def test_outcomes_of_any_months_are_as_many_on_list_file_and_api(
    client, unlimited, patients, seed, address, months
):
    collection = drawn(patients, seed)
    fewer_months(collection, seed)
    for asked in ({"assessed": months}, known_there(collection, address) | {"assessed": months}):
        query = urlencode(asked, doseq=True)
        total = plain.outcomes_in(plain.answering(plain.all_courses(collection), asked), months)
        at = f"/{collection.slug}/outcomes"
        assert client.get(f"{at}/?{query}").context["listing"].total == total
        assert len(rows_of(client, f"{at}.csv?{query}")) == total
        api = client.get(f"/api/v1{at}/?{query}&page_size=1000").json()
        assert api["count"] == len(api["results"]) == total


def test_the_file_of_a_comparison_carries_the_rule_of_its_outcomes(client, study, unlimited):
    followed(study, [skin("improved", 3), skin("worsened", 12)])
    file = client.get("/followed/compare.csv?a=assessed%3D3&b=assessed%3D12")
    rows = list(csv.DictReader(file.content.decode("utf-8-sig").splitlines()))
    ruled = {row["label"]: row for row in rows if row["outcome_rule"]}
    row = ruled["Skin"]
    assert (row["a_known"], row["b_known"]) == ("1", "1") and len(ruled) < len(rows)
    assert "A: Only outcomes at about month 3 (2 to under 4.5) count" in row["outcome_rule"]
    assert "B: Only outcomes at about month 12" in row["outcome_rule"]


# How much hangs on what


@pytest.fixture
def studies(study):
    """Skin: series 1/2 and one not known, second 2/3, one of whom was better before."""
    followed(study, [skin("improved", 3)])
    followed(study, [skin("stable", 3)])
    followed(study, [skin("unknown", 3)])
    second = make_study(study.collection, "second")
    followed(second, [skin("improved", 3)])
    followed(second, [skin("improved", 3)])
    followed(second, [skin("improved", 3), skin("stable", 6)])
    return study.collection


def test_sensitivity_is_shown_where_the_address_asks_for_it(client, studies, engine, unlimited):
    page = client.get("/followed/")
    assert page.context["sensitivities"] is None and "without second" not in text_of(page)
    link = page.context["sensitivity_query"]
    assert link == "sensitivity=on" and 'href="/followed/?sensitivity=on"' in page.content.decode()
    asked = client.get("/followed/?sensitivity=on")
    assert asked.context["sensitivity_query"] == ""
    found = asked.context["sensitivities"]["skin"]
    assert (found.share.fraction, found.share.missing) == ("3/5", 1)
    assert found.cases_text == "3/6 (50.0 %) if none of the 1 not known, 4/6 (66.7 %) if all"
    assert found.without_text == "1/2 (50.0 %) without second to 2/3 (66.7 %) without series"
    assert found.best_text == "3/5 at the last, 4/5 at the best ever"
    text = text_of(asked)
    for _, told in found.facts:
        assert told in text


def test_what_stays_with_the_reader_stays_with_sensitivity(client, studies, unlimited):
    page = client.get("/followed/?inhibitor=tofacitinib&sensitivity=on&chart=age-and-sex")
    assert page.context["sensitivity_query"] == "inhibitor=tofacitinib&chart=age-and-sex"
    assert ("sensitivity", "on") in page.context["hidden"], "the form keeps it"


def test_a_share_of_one_study_says_so(client, study, unlimited):
    followed(study, [skin("improved", 3)])
    found = client.get("/followed/?sensitivity=on").context["sensitivities"]["skin"]
    assert (found.cases_text, found.without_text) == (
        "",
        "known in one study only, so none can be left out",
    )


def test_sensitivity_of_the_headlines_by_hand(client, world, unlimited):
    found = client.get(world.address("?sensitivity=on")).context["sensitivities"]
    # alpha: 2 of 3 improved and one not known; beta: 0 of 1.
    assert (
        found["improved"].without_text == "0/1 (0.0 %) without alpha to 2/3 (66.7 %) without beta"
    )
    assert (
        found["improved"].cases_text
        == "2/5 (40.0 %) if none of the 1 not known, 3/5 (60.0 %) if all"
    )
    assert found["improved"].best_text == ""


def test_sensitivity_costs_no_more_queries_for_more_patients(
    client, studies, settings, django_assert_max_num_queries
):
    settings.CACHE_RESPONSES, settings.COHORT_ENGINE = False, "database"
    for _ in range(2):
        client.get("/followed/?sensitivity=on")
        with django_assert_max_num_queries(5):
            client.get("/followed/?sensitivity=on")
        for number in range(20):
            followed(
                make_study(studies, f"more-{number}-{Outcome.objects.count()}"),
                [skin("improved", 3)],
            )


def test_groups_too_count_outcomes_of_the_months_asked_for_only(study, asking):
    early = {
        "kind": "events",
        "measure": "skin",
        "events": 4,
        "n": 5,
        "item": "improved_skin",
        "at_weeks": 12,
    }
    late, undated = early | {"events": 1, "at_weeks": 52}, early | {"events": 3, "at_weeks": None}
    make_group(study, n=5, findings=[early, late, undated])
    collection, words = study.collection, vocabulary(study.collection)
    for address, fraction in (
        ("", "1/5"),
        ("assessed=3", "4/5"),
        ("assessed=unknown", "3/5"),
        ("assessed=6", "none known"),
    ):
        found = summaries.forest_plot(asking(collection, address), "improved_skin", words)
        assert found.total.fraction == fraction, address


def test_nothing_hangs_on_anything_where_nobody_is_known_or_the_question_decides(
    client, simulated, unlimited
):
    found = client.get(f"/{simulated.slug}/?response=improved&sensitivity=on").context[
        "sensitivities"
    ]
    assert found["improved"].facts == found["serious"].facts == []
    assert len(found["relapsed"].facts) == 2

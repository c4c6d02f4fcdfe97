"""Improved, by domain: one outcome of each patient in each domain, the same rule in both engines."""

from collections import Counter
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence import summaries
from evidence.counting import Tally, count, database
from evidence.counting.snapshot import count_tallies
from evidence.counting.snapshot.build import build_snapshot
from evidence.models import Outcome
from evidence.questions.question import Question
from evidence.questions.vocabulary import vocabulary
from evidence.summaries import run_summaries

from . import plain
from .factories import make_collection, make_patient, make_study, make_treatment
from .test_engines import drawn, known_there
from .test_filters import addresses

pytestmark = pytest.mark.django_db


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
                treatment=course, number=number, domain=domain, result=result, at_months=month, measure=measure
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
    """Months count from the start of each course, so month 3 of the second is later than month 24 of the first."""
    followed(study, [skin("improved", 24)], [skin("worsened", 3)])
    followed(study, [skin("worsened", 24)], [skin("improved")])
    followed(study, [skin("improved", 24)], [skin("unknown", 3)], [("lung", "stable", 3, "FVC")])
    assert improved() == {"Skin": "2/3", "Lung": "0/1"}


def test_of_the_courses_that_do_not_answer_the_question_none_counts(study, improved):
    patient = followed(study, [skin("improved", 24)])
    make_treatment(patient, "baricitinib", outcomes=[("skin", "worsened")])
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


def test_the_forest_plot_counts_by_the_same_rule(study, asking, engine):
    followed(study, [skin("improved", 3), skin("worsened", 12)])
    followed(study, [skin("improved", 3)])
    for address, fraction in (("", "1/2"), ("assessed=3", "2/2")):
        question = asking(study.collection, address)
        found = summaries.forest_plot(question, "improved_skin", vocabulary(study.collection))
        assert found.total.fraction == fraction


def fewer_months(collection, seed: int) -> None:
    """Takes some months away and makes others equal, so that undated outcomes and ties are common."""
    for i, outcome in enumerate(Outcome.objects.filter(treatment__patient__study__collection=collection)):
        kind = (i * 7 + seed) % 5
        if kind < 2:
            outcome.at_months = None if kind else 6
            outcome.baseline_month = None
            outcome.domain = ("skin", "lung")[i % 2]
            outcome.save()


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.integers(1, 60),
    st.integers(0, 10_000),
    addresses(),
    st.lists(st.sampled_from(["1", "3", "6", "12", "24", "unknown"]), max_size=2, unique=True),
)
def test_both_engines_and_plain_loops_agree(db, asking, patients, seed, address, months):
    collection = drawn(patients, seed)
    fewer_months(collection, seed)
    address = {name: values for name, values in known_there(collection, address).items() if name != "assessed"}
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
        assert database.count_tallies(tallies) == loops
        assert count_tallies(build_snapshot(collection), tallies) == loops


def test_counting_by_domain_costs_no_query_per_patient(study, django_assert_num_queries, settings):
    settings.COHORT_ENGINE = "database"
    tallies = [Tally(Question(study.collection), ("last_result", "reading"))]
    for _ in range(2):
        for _ in range(20):
            followed(study, [skin("improved", 3), skin("stable", 6)], [skin("improved", 3)])
        with django_assert_num_queries(1):
            count(tallies)

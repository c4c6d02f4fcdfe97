"""Counting: by hand on the drawn world, and by plain loops over records in memory."""

from collections import Counter, defaultdict
from urllib.parse import urlencode

import pytest
from hypothesis import given

from evidence.counting import Tally, Unit, count
from evidence.counting.database import STATEMENT
from evidence.models.consistency import consistent_read
from evidence.questions.question import Question

from . import plain
from .factories import make_patient, make_study, make_treatment
from .test_filters import addresses, few

pytestmark = pytest.mark.usefixtures("engine")


def tally(question, *dimensions, unit=Unit.PATIENTS):
    (counter,) = count([Tally(question, dimensions, unit)])
    return dict(counter)


def test_by_hand(world):
    question = Question(world.collection)
    assert tally(question) == {(): 5}
    assert tally(question, unit=Unit.TREATMENTS) == {(): 6}
    assert tally(question, unit=Unit.STUDIES) == {(): 2}
    assert tally(question, unit=Unit.OUTCOMES) == {(): 3}
    assert tally(question, unit=Unit.EVENTS) == {(): 3}
    assert tally(question, "inhibitor") == {("tofacitinib",): 4, ("baricitinib",): 2}
    assert tally(question, "inhibitor", unit=Unit.TREATMENTS) == {
        ("tofacitinib",): 4,
        ("baricitinib",): 2,
    }
    assert tally(question, "indication_set") == {
        ("ild+skin",): 1,
        ("skin",): 2,
        ("ild",): 1,
        ("gi+ild+skin",): 1,
        ("",): 1,
    }
    assert tally(question, "manifestation") == {("ild",): 2, ("lung",): 2, ("skin",): 3}
    assert tally(question, "known:age", "reading") == {
        ("yes", "not-reported"): 2,
        ("no", "not-reported"): 2,
        ("yes", "not-extracted"): 1,
    }
    # Improved and stable, both without a month: it is not called improved. Of the joints no result
    # is stated.
    assert tally(question, "last_result", "reading") == {("skin:no", "not-extracted"): 1}
    assert tally(question, "best_result", "reading") == {("skin:yes", "not-extracted"): 1}


def test_patients_are_not_events(world):
    """A second event in one patient adds one event and no patient."""
    question = Question(world.collection)
    assert tally(question, "adverse_event")[("infection",)] == 1
    assert tally(question, "adverse_event", unit=Unit.EVENTS)[("infection",)] == 2


def test_one_person_reported_twice_is_counted_once(world):
    from evidence.models import Patient

    assert Patient.objects.within(world.collection).filter(slug="beta-2").exists()
    assert tally(Question(world.collection), "study") == {("alpha",): 4, ("beta",): 1}


def test_a_person_with_two_courses_counts_once_in_patients(world):
    make_treatment(
        make_patient(make_study(world.collection, "delta"), "delta-1"),
        indications=["ild"],
        response="improved",
    )
    patient = make_patient(make_study(world.collection, "epsilon"), "epsilon-1")
    make_treatment(patient, indications=["ild"], response="improved")
    make_treatment(patient, indications=["ild"], response="improved")
    question = Question(world.collection).with_part("study", ("epsilon",))
    assert tally(question, "response") == {("improved",): 1}
    assert tally(question, "response", unit=Unit.TREATMENTS) == {("improved",): 2}


def test_many_tallies_take_one_query(world, engine, django_assert_num_queries):
    """The database takes one statement; the snapshot takes one for each value never asked before,
    then none.
    """
    question = Question(world.collection)
    asked = [Tally(question.with_part("age_min", age)) for age in range(100)]
    count([Tally(question)])
    with consistent_read():
        with django_assert_num_queries({"database": 1, "snapshot": 100}[engine]):
            first = count(asked)
        with django_assert_num_queries({"database": 1, "snapshot": 0}[engine]):
            assert count(asked) == first


@pytest.mark.slow
def test_more_tallies_than_a_statement_holds_are_split(world):
    question = Question(world.collection)
    asked = [
        Tally(question.with_part("age_min", age).with_part("age_max", 120 - low))
        for age in range(61)
        for low in range(7)
    ]
    assert len(set(asked)) > STATEMENT
    answers = count(asked)
    assert [answer[()] for answer in answers] == [
        sum(low <= 60 and age <= each <= 120 - low for each in (25, 40, 60))
        for age in range(61)
        for low in range(7)
    ]


def test_no_tally_is_no_query(django_assert_num_queries, db):
    with django_assert_num_queries(0):
        assert count([]) == []


SINGLE = ["inhibitor", "sex", "subset", "response", "relapsed", "adverse_events", "study", "design"]
MANY = ["indication", "prior", "manifestation", "autoantibody"]


@pytest.mark.slow
@few
@given(question=addresses())
def test_counts_agree_with_plain_loops(world, simulated, asking, question):
    for collection in (world.collection, simulated):
        records = world.records(collection)
        expected = plain.answering(records, question)
        asked = asking(collection, urlencode(question, doseq=True))
        found = count(
            [
                *(Tally(asked, (name,)) for name in SINGLE),
                *(Tally(asked, (name,), Unit.TREATMENTS) for name in SINGLE),
                *(Tally(asked, (name,)) for name in MANY),
                Tally(asked, ("adverse_event",), Unit.EVENTS),
            ]
        )
        for name, by_patient, by_course in zip(SINGLE, found, found[len(SINGLE) :], strict=False):
            people = defaultdict(set)
            for course in expected:
                people[(getattr(course, name),)].add(course.patient)
            assert by_patient == {value: len(who) for value, who in people.items()}
            assert by_course == Counter((getattr(course, name),) for course in expected)
        for name, counter in zip(MANY, found[2 * len(SINGLE) :], strict=False):
            people = defaultdict(set)
            for course in expected:
                for code in course.lists[name].present:
                    people[(code,)].add(course.patient)
            assert {value: times for value, times in counter.items() if value != (None,)} == {
                value: len(who) for value, who in people.items()
            }
        events = Counter((code,) for course in expected for code in course.categories)
        assert {value: times for value, times in found[-1].items() if value != (None,)} == events


@pytest.mark.parametrize("name", ["known:age", "serious", "reading", "last_result"])
def test_every_dimension_can_be_counted_of_nobody(world, name):
    nobody = Question(world.collection).with_part("inhibitor", ("upadacitinib",))
    assert sum(tally(nobody, name).values()) == 0

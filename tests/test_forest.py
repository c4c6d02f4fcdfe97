"""The forest plot: studies, groups, the raw total, the pooled proportion."""

import csv

import pytest
from hypothesis import given, settings

from evidence import summaries
from evidence.questions.question import Question
from evidence.questions.vocabulary import vocabulary
from evidence.statistics import pooled_proportion

from . import plain
from .factories import make_collection, make_group, make_patient, make_study, make_treatment
from .test_filters import addresses, few

pytestmark = pytest.mark.django_db


def forest(collection, item="improved", question=None, **more):
    return summaries.forest_plot(question or Question(collection), item, vocabulary(collection), **more)


def lines(found) -> dict:
    return {row.label: (row.fraction, row.counted, row.pooled) for row in found.rows}


@pytest.fixture
def literature(db):
    """Three series, two case reports, a series whose verdicts are not known, and two groups."""
    collection = make_collection("literature")
    for name, improved, others, unknown in [
        ("series-a", 6, 2, 1),
        ("series-b", 1, 4, 0),
        ("series-c", 3, 3, 0),
        ("case-d", 1, 0, 0),
        ("case-e", 1, 0, 0),
        ("series-f", 0, 0, 2),
    ]:
        study = make_study(collection, name)
        for response, times in (("improved", improved), ("stable", others), ("unknown", unknown)):
            for _ in range(times):
                make_treatment(make_patient(study), response=response, stopped="no")
    return collection


def test_by_hand(literature):
    found = forest(literature)
    assert lines(found) == {
        "series-a": ("6/8", True, True),
        "series-c": ("3/6", True, True),
        "series-b": ("1/5", True, True),
    }
    assert (found.singles.label, found.singles.fraction) == ("2 studies of one patient each", "2/2")
    assert (found.total.fraction, found.total.missing, found.unknown_studies) == ("12/21", 3, 1)
    assert found.pooled == pooled_proportion([(6, 8), (3, 6), (1, 5)]), "case reports are not pooled as studies"


def test_under_three_studies_nothing_is_pooled_and_the_page_says_why(client, literature, asking):
    question = asking(literature, "study=series-a&study=series-b&study=case-d")
    found = forest(literature, question=question)
    assert found.pooled is None and "fewer than 3" in found.refused
    assert found.total.fraction == "8/14"
    body = client.get("/literature/forest/?study=series-a&study=series-b").content.decode()
    assert "No pooled proportion: fewer than 3 studies of two or more patients." in body


def test_groups_that_report_n_of_n_are_rows_and_their_own_items(literature):
    study = make_study(literature, "arm")
    stopped = {"kind": "events", "measure": "discontinuation", "events": 1, "n": 5, "item": "stopped"}
    early = {"kind": "events", "measure": "death", "events": 0, "n": 5, "at_weeks": 12}
    late = {"kind": "events", "measure": "death", "events": 1, "n": 5, "at_weeks": 52}
    make_group(study, "treated", n=5, findings=[stopped, early, late])
    make_group(study, "control", inhibitor=None, n=5, findings=[early | {"events": 4}])
    found = forest(literature, "stopped")
    assert lines(found)["arm"] == ("1/5", True, True)
    assert lines(found)["series-a"] == ("0/9", True, True)
    assert summaries.forest_items(Question(literature))["measure:death"] == "Death (groups only)"
    deaths = forest(literature, "measure:death")
    assert lines(deaths) == {"arm": ("1/5", True, True)}, "the last time, and no comparator"


def test_people_who_may_stand_twice_are_counted_once_unless_asked(literature):
    small, large = make_study(literature, "small"), make_study(literature, "large")
    finding = {"kind": "events", "measure": "discontinuation", "events": 2, "item": "stopped"}
    make_group(small, n=5, findings=[finding | {"n": 5}])
    make_group(large, n=30, findings=[finding | {"n": 30}])
    large.may_share_patients_with.add(small)
    once, twice = forest(literature, "stopped"), forest(literature, "stopped", shared=True)
    assert lines(once)["large"] == ("2/30", True, True)
    assert lines(once)["small"] == ("2/5", False, False)
    assert once.duplicates == 1 and once.total.known + 5 == twice.total.known
    assert next(row.why for row in once.rows if row.label == "small") == "may be people of large"


def test_a_study_with_patients_and_a_group_is_counted_once(literature):
    study = literature.studies.get(slug="series-a")
    make_group(study, n=9, findings=[{"kind": "events", "measure": "x", "events": 5, "n": 9, "item": "improved"}])
    rows = [row for row in forest(literature).rows if row.slug == "series-a"]
    assert [(row.fraction, row.counted) for row in rows] == [("5/9", True), ("6/8", False)]


def test_published_groups_that_may_share_patients(published):
    """De Pinto 2024 reports joints of five patients; nobody sums them with a study that may hold the same people."""
    found = forest(published, "improved_joints")
    assert found.total.fraction == "7/7" and found.pooled is None
    assert {row.label: row.fraction for row in found.rows} == {"De Pinto 2024": "5/5"}
    assert found.singles.fraction == "2/2"


def test_nobody_known_is_said(client, published):
    response = client.get("/published/forest/?item=relapsed")
    assert response.context["chart"].sentence == "Relapsed: known of nobody here."
    assert response.context["chart"].figure == {}


ITEMS = {"improved": "response", "relapsed": "relapsed", "stopped": "stopped", "any_adverse_event": "adverse_events"}
YES = {"improved": "improved", "relapsed": "yes", "stopped": "yes", "any_adverse_event": "events"}
UNKNOWN = {"adverse_events": "not_stated"}


@settings(few, max_examples=12)
@given(address=addresses())
def test_every_study_agrees_with_plain_loops(world, simulated, asking, address):
    from urllib.parse import urlencode

    for collection in (world.collection, simulated):
        records = plain.answering(world.records(collection), address)
        question = asking(collection, urlencode(address, doseq=True))
        for item, name in ITEMS.items():
            found = forest(collection, item, question)
            left = plain.patients([c for c in records if getattr(c, name) == UNKNOWN.get(name, "unknown")])
            having = plain.patients([c for c in records if getattr(c, name) == YES[item]])
            total, count = len(plain.patients(records) - left | having), len(having)
            assert (found.total.count, found.total.known) == (count, total)
            rows = [*found.rows, *([found.singles] if found.singles else [])]
            assert sum(row.count for row in rows) == count and sum(row.known for row in rows) == total


def test_an_unknown_item_is_told(client, world):
    response = client.get(world.address("forest/?item=nonsense"))
    assert "“nonsense” is nothing a forest plot can be drawn of here." in response.context["asked"].problems
    assert client.get(world.address("forest.csv?item=nonsense")).status_code == 400


def test_the_file_has_the_rows_of_the_table(client, literature):
    rows = list(csv.DictReader(client.get("/literature/forest.csv").content.decode("utf-8-sig").splitlines()))
    assert [row["row"] for row in rows] == [
        "series-a",
        "series-c",
        "series-b",
        "2 studies of one patient each",
        "All counted",
        "Pooled",
    ]
    assert (rows[0]["n"], rows[0]["known"]) == ("6", "8")


def test_serious_events_are_left_out_where_no_event_is_graded(literature, simulated):
    study = literature.studies.get(slug="series-a")
    make_treatment(make_patient(study), adverse_events="explicitly_none")
    make_treatment(make_patient(study), events=[("infection", {})])
    other = literature.studies.get(slug="series-b")
    make_treatment(make_patient(other), adverse_events="explicitly_none")
    make_treatment(make_patient(other), events=[("infection", {"serious": "yes"})])
    assert lines(forest(literature, "serious")) == {"series-b": ("1/2", True, True)}
    # In the reconstruction no event is graded; studies without any event say that none was serious.
    assert forest(simulated, "serious").total.count == 0
    assert forest(simulated, "serious").total.known < forest(simulated, "any_adverse_event").total.known / 2


def test_measures_that_read_nearly_alike_stay_apart(literature):
    study = make_study(literature, "graded")
    for number, measure in enumerate(("grade 3 adverse event", "grade >=3 adverse event"), start=1):
        make_group(
            study, f"g{number}", n=9, findings=[{"kind": "events", "measure": measure, "events": number, "n": 9}]
        )
    assert lines(forest(literature, "measure:grade 3 adverse event")) == {"graded": ("1/9", True, True)}
    assert lines(forest(literature, "measure:grade >=3 adverse event")) == {"graded": ("2/9", True, True)}

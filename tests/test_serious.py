"""Serious adverse events: nobody is counted by how they were chosen. One rule on every page, file
and API answer.
"""

import csv
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence import summaries
from evidence.counting import Tally, Unit, database
from evidence.counting.snapshot import count_tallies
from evidence.counting.snapshot.build import build_snapshot
from evidence.models import AdverseEvent, Patient
from evidence.questions.question import Question
from evidence.questions.vocabulary import vocabulary
from evidence.summaries import run_summaries

from . import plain
from .factories import make_collection, make_patient, make_study, make_treatment
from .test_engines import drawn
from .test_pages import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

WHY = "no adverse event in view is said to be serious or not"


def with_event(study, serious="unknown"):
    return make_treatment(make_patient(study), events=[("infection", {"serious": serious})])


def without_event(study, times=1):
    for _ in range(times):
        make_treatment(make_patient(study), adverse_events="explicitly_none")


@pytest.fixture
def mixed(db):
    """One study that graded its events, one that graded none, one without any event."""
    collection = make_collection("mixed")
    graded, ungraded, free = (
        make_study(collection, slug) for slug in ("graded", "ungraded", "event-free")
    )
    with_event(graded, "yes")
    with_event(graded, "no")
    with_event(graded)
    without_event(graded)
    with_event(ungraded)
    without_event(ungraded, 3)
    without_event(free, 2)
    make_treatment(make_patient(free))
    return collection


def serious_share(question):
    (found,) = run_summaries(summaries.headline_shares(question))
    return next(share for share in found if share.key == "serious")


def test_the_event_free_patients_of_a_study_that_graded_none_do_not_enter_alone(mixed, engine):
    """Known: yes, no and event-free of the first study, the two event-free of the third; none of
    the second.
    """
    share = serious_share(Question(mixed))
    assert (share.count, share.known, share.missing) == (1, 5, 6)
    found = summaries.forest_plot(Question(mixed), "serious", vocabulary(mixed))
    assert {row.label: row.fraction for row in found.rows} == {"graded": "1/3", "event-free": "0/2"}
    assert (found.total.fraction, found.total.missing) == ("1/5", 6)
    loops = [course for course in plain.all_courses(mixed) if plain.seriousness_counts(course)]
    assert (len(loops), sum("yes" in course.serious for course in loops)) == (
        share.known,
        share.count,
    )


def test_completeness_and_missing_say_of_whom_it_is_not_known(client, mixed, engine, unlimited):
    """Whoever had no event had no serious one, also where a share does not count it."""
    matrix = client.get("/mixed/completeness/").context["matrix"]
    column = matrix.attributes.index("Seriousness")
    found = {
        line.label: (line.cells[column].known, line.cells[column].patients) for line in matrix.lines
    }
    assert found == {"graded": (3, 4), "ungraded": (3, 4), "event-free": (2, 3)}
    assert matrix.overall[column].known == 8
    for query in (matrix.overall[column].missing.query(), "missing=serious", "serious=unknown"):
        assert client.get(f"/mixed/?{query}").context["totals"].patients == 3, query


@pytest.mark.parametrize(
    ("address", "fraction", "missing"),
    [
        ("serious=no", "0/7", 0),
        ("serious=yes", "1/1", 0),
        ("serious=no&serious=unknown", "0/7", 3),
        ("adverse_events=explicitly_none", "0/6", 0),
        ("serious=unknown", "none known", 3),
    ],
)
def test_who_is_asked_for_by_seriousness_is_not_beside_it_as_not_known(
    mixed, asking, engine, address, fraction, missing
):
    question = asking(mixed, address)
    share = serious_share(question)
    assert (share.fraction, share.missing) == (fraction, missing)
    total = summaries.forest_plot(question, "serious", vocabulary(mixed)).total
    assert (total.fraction, total.missing) == (fraction, missing)


def test_the_page_says_who_is_counted_and_how_many_have_ungraded_events(
    client, mixed, engine, unlimited
):
    graded = mixed.studies.get(slug="graded")
    events = [("infection", {"serious": "yes"}), ("infection", {"serious": "unknown"})]
    make_treatment(make_patient(graded), events=events)
    page = client.get("/mixed/")
    shares = [each.share for each in page.context["headlines"]]
    share = next(each for each in shares if each.key == "serious")
    assert (share.fraction, share.missing) == ("2/6", 6), "the ungraded one changes nothing"
    text = text_of(page)
    assert "N is those with an event said to be serious, whatever is said of their other" in text
    assert (
        "In view 2 patients had adverse events that are not all said to be serious or not" in text
    )
    assert "the share may lean low" in text
    asked = text_of(client.get("/mixed/?serious=no"))
    assert "N is all in whom it is known" in asked and "lean low" not in asked
    free = text_of(client.get("/mixed/?study=event-free"))
    assert "In view" not in free and "lean low" not in free
    methods = text_of(client.get("/methods/"))
    assert "A serious event counts whatever is said of the others" in methods
    assert "the share may lean low" in methods


def test_the_page_of_serious_no_agrees_with_itself(client, simulated, engine, unlimited):
    page = client.get(f"/{simulated.slug}/?serious=no")
    assert str(page.context["answer"]).startswith("38 patients match.")
    assert "Serious adverse event 0/38 asked for" in text_of(page)
    for query in ("missing=serious", "serious=unknown"):
        page = client.get(f"/{simulated.slug}/?{query}")
        assert page.context["totals"].patients == 49, query


def test_one_graded_event_does_not_bring_in_what_other_studies_left_open(simulated, engine):
    """Of 76 patients of whom events are ascertained 38 have one, none of them graded; 10 are of
    studies without any.
    """
    assert serious_share(Question(simulated)).why == WHY
    event = (
        AdverseEvent.objects.filter(treatment__patient__study__collection=simulated)
        .order_by("pk")
        .first()
    )
    event.serious = "yes"
    event.save()
    share = serious_share(Question(simulated))
    study = event.treatment.patient.study
    free = Patient.objects.filter(study=study, treatments__adverse_events="explicitly_none").count()
    assert (share.count, share.known) == (1, 10 + 1 + free)


def test_an_event_that_readers_do_not_see_grades_no_study(mixed, engine):
    hidden = with_event(mixed.studies.get(slug="ungraded"), "no")
    Patient.objects.filter(pk=hidden.patient_id).update(
        state="withdrawn", withdrawal_reason="Reported twice."
    )
    assert serious_share(Question(mixed)).known == 5


def test_the_forest_plot_does_not_say_0_of_10_by_selection(client, simulated):
    page = client.get(f"/{simulated.slug}/forest/?item=serious")
    sentence = page.context["chart"].sentence
    assert sentence == f"Serious adverse event: known of nobody here: {WHY}."
    assert WHY in text_of(page) and "0/10" not in text_of(page)
    file = client.get(f"/{simulated.slug}/forest.csv?item=serious").content.decode("utf-8-sig")
    assert [
        (row["n"], row["known"], row["missing"]) for row in csv.DictReader(file.splitlines())
    ] == [("0", "0", "87")]
    answer = client.get(f"/api/v1/{simulated.slug}/forest/?item=serious").json()
    assert answer["sentence"] == sentence and all(row[4] == 0 for row in answer["rows"])


def test_asking_for_serious_events_counts_nobody_as_known(client, simulated):
    """“0 of 38 patients match (0.0 %)” is what it was."""
    page = client.get(f"/{simulated.slug}/?serious=yes")
    assert str(page.context["answer"]) == (
        "0 patients match. For 49 it is open: whether an adverse event was serious is not "
        "extracted."
    )
    api = client.get(f"/api/v1/{simulated.slug}/summary/?serious=no").json()
    share = next(each for each in api["headlines"] if each["key"] == "serious")
    assert (share["percent"], share["interval_95"], share["asked_for"]) == (None, None, True)
    assert api["answer"]["matching"] == 38 and "%" not in api["sentence"], (
        "of them it is certain: they had no event"
    )


def test_the_overview_says_why_nobody_is_counted(client, simulated):
    page = client.get(f"/{simulated.slug}/")
    assert f"Serious adverse event {WHY} none known" in text_of(page)
    share = next(
        each
        for each in client.get(f"/api/v1/{simulated.slug}/summary/").json()["headlines"]
        if each["key"] == "serious"
    )
    assert share["text"].endswith(WHY) and share["percent"] is None


@settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.integers(5, 40), st.integers(0, 10_000))
def test_both_engines_and_plain_loops_agree_where_some_studies_grade_nothing(db, patients, seed):
    collection = drawn(patients, seed)
    for study in collection.studies.order_by("pk")[seed % 2 :: 2]:
        AdverseEvent.objects.filter(treatment__patient__study=study).update(serious="unknown")
    wanted = [
        Tally(Question(collection), (name,), Unit.TREATMENTS)
        for name in ("counted:serious", "known:serious")
    ]
    courses = plain.all_courses(collection)
    counts = [
        [plain.seriousness_counts(course) for course in courses],
        [plain.known(course)["serious"] for course in courses],
    ]
    loops = [Counter(("yes" if each else "no",) for each in held) for held in counts]
    assert database.count_tallies(wanted) == loops
    assert count_tallies(build_snapshot(collection), wanted) == loops

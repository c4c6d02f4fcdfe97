"""Yes, no, open: the cases that were wrong, each by name, and both engines against plain loops."""

from collections import Counter
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence import summaries
from evidence.counting import Tally, count, database
from evidence.counting.snapshot import count_tallies
from evidence.counting.snapshot.build import build_snapshot
from evidence.models import Manifestation, Patient, PatientManifestation, Study, Treatment
from evidence.questions.filters import matching_treatments, treatments_known
from evidence.questions.question import Question
from evidence.questions.vocabulary import vocabulary
from evidence.summaries import run_summaries

from . import plain
from .factories import make_collection, make_patient, make_study, make_treatment
from .test_engines import drawn, known_there
from .test_filters import CODES, MATCHES, SETS, addresses, few

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def answers(asking, engine):
    """answers(collection, address) -> (patients who match, patients of whom it is open), by public
    id.
    """

    def make(collection, address):
        question, whole = asking(collection, address), Question(collection)
        found = []
        for is_open in (False, True):
            studies = count([Tally(question, ("study",), open=is_open)])[0]
            found.append({study for (study,) in studies})
        assert sum(count([Tally(whole)])[0].values()) >= sum(len(each) for each in found)
        return tuple(found)

    return make


def said(collection, asking, address) -> str:
    (answer,) = run_summaries(summaries.match_summary(asking(collection, address)))
    return str(answer)


# Published patients, each the only one of its study

FUJITA, PRAKASHINI, NODULAR, RHK = (
    "fujita-2019",
    "prakashini-2023",
    "nodular-scleroderma-case",
    "rhk-2025-101",
)


def test_drugs_that_are_not_named_are_not_taken_for_the_absence_of_methotrexate(published, answers):
    assert answers(published, "prior=methotrexate&prior_match=none") == (set(), {FUJITA})


def test_only_joints_recorded_is_not_exactly_joints(published, answers):
    matching, is_open = answers(published, "manifestation=joints&manifestation_match=exactly")
    assert matching == set() and is_open == {PRAKASHINI}, (
        "the others have something else besides, or no joints"
    )


def test_a_study_of_unknown_design_may_have_any(published, answers):
    """Of everybody in it the answer is open, as with a year that is not known."""
    Study.objects.filter(slug=FUJITA).update(design="unknown")
    matching, open_ones = answers(published, "design=randomised_trial")
    assert FUJITA in open_ones - matching
    matching, open_ones = answers(published, "design=unknown")
    assert FUJITA in matching and not open_ones


def test_an_indication_that_may_not_be_the_only_one_is_open(published, answers):
    assert answers(published, "indication=joints&indication_match=exactly") == (
        set(),
        {FUJITA, PRAKASHINI},
    )


def test_whoever_has_interstitial_lung_disease_is_not_without_lung_disease(published, answers):
    assert answers(published, "manifestation=lung") == ({FUJITA}, {PRAKASHINI})
    assert answers(published, "manifestation=lung&manifestation_match=none") == (
        {NODULAR, RHK},
        {PRAKASHINI},
    )


def test_whoever_was_found_without_lung_disease_has_no_interstitial_lung_disease(
    published, answers
):
    assert answers(published, "manifestation=ild&manifestation_match=none") == (
        {NODULAR, RHK},
        {PRAKASHINI},
    )


def test_facets_follow_what_is_part_of_what(published, engine):
    (facets,) = run_summaries(
        summaries.filter_facets(
            Question(published), vocabulary(published), {"manifestation": "none"}
        )
    )
    counts = {
        option.code: option.count
        for facet in facets
        if facet.name == "manifestation"
        for option in facet.options
    }
    assert counts["lung"] == counts["ild"] == 2
    (facets,) = run_summaries(
        summaries.filter_facets(Question(published), vocabulary(published), {})
    )
    counts = {
        option.code: option.count
        for facet in facets
        if facet.name == "manifestation"
        for option in facet.options
    }
    assert counts["lung"] == counts["ild"] == 1


def test_similar_cases_differ_by_what_is_part_of_what(published, engine):
    words = vocabulary(published)
    found = summaries.similar_patients(
        published,
        summaries.similarity_criteria(published, words, sex="female", manifestation=("ild",)),
    )
    ild = "Interstitial lung disease (ILD)"
    assert {case.patient.slug: case.differs for case in found.cases} == {
        "fujita-2019-1": [],
        "rhk-2025-101-1": [f"{ild}: present"],
    }
    found = summaries.similar_patients(
        published, summaries.similarity_criteria(published, words, sex="female", without=("lung",))
    )
    assert {case.patient.slug: case.differs for case in found.cases} == {
        "rhk-2025-101-1": [],
        "nodular-scleroderma-case-1": ["Sex: female"],
        "fujita-2019-1": ["Lung: absent"],
    }


def test_combinations_are_of_complete_lists_only(published, engine):
    (found,) = run_summaries(
        summaries.value_combinations(Question(published), "manifestation", vocabulary(published))
    )
    assert found.sets == [] and found.none is None
    assert {key: patients for key, _, patients in found.at_least} == {
        "ild+joints+lung+skin": 1,
        "joints": 1,
        "raynaud+skin": 1,
        "calcinosis+digital_ulcers+raynaud+skin": 1,
    }
    assert found.at_least_text.startswith(
        "4 more have at least these, but their lists may not be complete: "
    )
    assert {code: patients for code, _, patients in found.values}["lung"] == 1


# The sentence on top


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (
            "inhibitor=tofacitinib&indication=ild",
            "22 patients match. For 30 more it is open: their indications are not extracted.",
        ),
        (
            "inhibitor=baricitinib&indication=ild&indication=skin&indication_match=all",
            "1 patient matches. For 6 more it is open: their indications are not extracted.",
        ),
        ("sex=male&inhibitor=filgotinib", "0 patients match."),
        ("sex=female", "69 patients match. For 4 more it is open: their sex is not extracted."),
        ("q=SIM-01-01", "1 patient matches."),
        ("missing=response", "7 patients match."),
    ],
)
def test_one_certain_no_settles_a_question(simulated, asking, engine, address, told):
    assert said(simulated, asking, address) == told
    assert "%" not in told


def test_what_is_listed_in_part_is_said_to_be(published, asking):
    assert said(published, asking, "prior=methotrexate&prior_match=none") == (
        "0 patients match. For 1 it is open: their prior therapies are not extracted in full."
    )
    assert said(published, asking, "missing=response") == "4 patients match."


def test_each_part_says_in_how_many_it_is_open(world, asking, engine):
    assert said(world.collection, asking, "subset=diffuse&age_min=30&age_max=90") == (
        "1 patient matches. For 2 more it is open: in 2 their age is not reported; "
        "in 2 their disease subset is not reported."
    )


# Several courses


@pytest.fixture
def twice(db):
    """Four patients of two courses each: improved and ?, not improved and ?, both not improved,
    both ?.
    """
    collection = make_collection()
    study = make_study(collection)
    for number, pair in enumerate(
        [("improved", "unknown"), ("stable", "unknown"), ("stable", "stable"), ("unknown",) * 2]
    ):
        patient = make_patient(study, f"p-{number}")
        for response in pair:
            events = "explicitly_none" if response == "stable" else "not_stated"
            make_treatment(patient, indications=["ild"], response=response, adverse_events=events)
    return collection


def test_no_is_said_only_where_all_courses_are_known(twice, engine):
    question = Question(twice)
    (heads,) = run_summaries(summaries.headline_shares(question))
    improved, events = heads[0], next(share for share in heads if share.key == "any_adverse_event")
    assert (improved.count, improved.known, improved.missing) == (1, 2, 2)
    assert (events.count, events.known, events.missing) == (0, 1, 3)
    forest = summaries.forest_plot(question, "improved", vocabulary(twice))
    assert (forest.total.count, forest.total.known, forest.total.missing) == (1, 2, 2)
    (matrix,) = run_summaries(summaries.completeness_matrix(question, vocabulary(twice)))
    known = dict(zip(matrix.attributes, (cell.known for cell in matrix.overall), strict=True))
    assert known["Adverse events (any)"] == events.known


def test_an_item_of_a_list_is_known_one_by_one(db, engine):
    """Infection is known of whoever had one, and of whoever has a complete list without it."""
    collection = make_collection()
    study = make_study(collection)
    partial = {"adverse_event_categories_completeness": "partial"}
    make_treatment(make_patient(study), events=[("infection", {})], **partial)
    make_treatment(make_patient(study), events=[("hepatitis", {})], **partial)
    make_treatment(make_patient(study), events=[("hepatitis", {})])
    make_treatment(make_patient(study), adverse_events="explicitly_none")
    make_treatment(make_patient(study))
    (rows,) = run_summaries(
        summaries.events_by_category(Question(collection), vocabulary(collection))
    )
    assert {row.patients.key: row.patients.fraction for row in rows} == {
        "infection": "1/3",
        "hepatitis": "2/3",
    }


def test_a_partial_list_is_a_row_apart(db, engine):
    collection = make_collection()
    study = make_study(collection)
    for whole in ("complete", "complete", "partial"):
        make_treatment(
            make_patient(study),
            indications=["ild"],
            indications_completeness=whole,
            response="improved",
        )
    question, words = Question(collection), vocabulary(collection)
    sets, rows = run_summaries(
        summaries.value_combinations(question, "indication", words),
        summaries.response_by_indication_set(question, words),
    )
    assert [(share.label, share.fraction, share.missing) for share in sets.sets] == [
        ("ILD", "2/2", 1)
    ]
    assert (
        sets.at_least_text
        == "1 more has at least these, but their lists may not be complete: ILD (1)."
    )
    assert [(row.label, row.improved.fraction, row.partial) for row in rows] == [
        ("ILD", "2/2", False),
        ("at least ILD", "1/1", True),
    ]


def test_wider_terms_of_wider_terms_count_too(db, engine, asking):
    collection = make_collection()
    top = Manifestation.objects.create(code="thorax", label="Thorax")
    Manifestation.objects.filter(code="lung").update(parent=top)
    study = make_study(collection)
    make_treatment(make_patient(study, "has", present=["ild"]))
    make_treatment(make_patient(study, "lacks", absent=["thorax"]))
    for code in ("ild", "lung", "thorax"):
        for match, slug in (("any", "has"), ("none", "lacks")):
            asked = asking(collection, f"manifestation={code}&manifestation_match={match}")
            assert Patient.objects.with_treatment(matching_treatments(asked)).get().slug == slug
            assert count([Tally(asked)])[0] == {(): 1}
    assert dict(count([Tally(Question(collection), ("manifestation",))])[0]) == {
        ("ild",): 1,
        ("lung",): 1,
        ("thorax",): 1,
    }


# Both engines against plain loops

drawn_worlds = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


def test_drawn_collections_have_what_the_rule_is_about(db, asking):
    """Otherwise the tests below could not fail: lists of each completeness, a term whose wider one
    has no row of its own, and patients of whose courses one says yes and another no or nothing.
    """
    collection = drawn(40, 1)
    records = plain.all_courses(collection)
    for name in ("prior_therapies", "manifestations", "autoantibodies"):
        found = set(
            Patient.objects.filter(study__collection=collection).values_list(
                f"{name}_completeness", flat=True
            )
        )
        assert {"complete", "partial", "not_stated"} <= found, name
    courses = Treatment.objects.within(collection)
    for name in ("indications", "concomitant_therapies", "adverse_event_categories"):
        found = set(courses.values_list(f"{name}_completeness", flat=True))
        assert {"complete", "partial", "not_stated"} <= found, name
    signs = PatientManifestation.objects.filter(patient__study__collection=collection)
    for narrow, wide, status in (("ild", "lung", "present"), ("lung", "ild", "absent")):
        alone = signs.filter(manifestation__code=narrow, status=status)
        assert alone.exclude(
            patient__in=signs.filter(manifestation__code=wide).values("patient")
        ).exists()
    assert {"lung", "ild"} <= set(CODES["manifestation"]), "both are asked for"
    said = {}
    for course in records:
        said.setdefault(course.patient, set()).add(plain.answer(course, {"indication": ["ild"]}))
    assert {"yes", "no"} in said.values() and {"yes", "open"} in said.values()


@pytest.mark.slow
@drawn_worlds
@given(patients=st.integers(1, 40), seed=st.integers(0, 10_000), address=addresses())
def test_yes_no_and_open_of_both_engines_agree_with_plain_loops(
    db, asking, patients, seed, address
):
    collection = drawn(patients, seed)
    address = known_there(collection, address)
    question, records = (
        asking(collection, urlencode(address, doseq=True)),
        plain.all_courses(collection),
    )
    expected = Counter(plain.patients_answering(records, address).values())
    tallies = [Tally(question), Tally(question, open=True), Tally(question.only())]
    for counters in (
        database.count_tallies(tallies),
        count_tallies(build_snapshot(collection), tallies),
    ):
        matching, is_open, everybody = counters
        assert (matching[()], is_open[()]) == (expected["yes"], expected["open"])
        assert everybody[()] - matching[()] - is_open[()] == expected["no"]
    by_course = Counter(plain.answer(course, address) for course in records)
    assert matching_treatments(question).count() == by_course["yes"]
    assert treatments_known(question).count() == by_course["yes"] + by_course["no"]


@drawn_worlds
@given(
    patients=st.integers(1, 40),
    seed=st.integers(0, 10_000),
    name=st.sampled_from(SETS),
    data=st.data(),
)
def test_any_is_at_least_all_is_at_least_exactly_whatever_is_complete(
    db, asking, patients, seed, name, data
):
    chosen = data.draw(st.lists(st.sampled_from(CODES[name]), min_size=1, unique=True))
    collection = drawn(patients, seed)
    found = {}
    for match in MATCHES:
        asked = asking(collection, urlencode({name: chosen, f"{name}_match": match}, doseq=True))
        found[match] = set(matching_treatments(asked).values_list("pk", flat=True))
    assert found["any"] >= found["all"] >= found["exactly"]
    assert not found["any"] & found["none"]


@few
@given(address=addresses())
def test_the_reasons_add_up(world, simulated, asking, address):
    for collection in (world.collection, simulated):
        (answer,) = run_summaries(
            summaries.match_summary(asking(collection, urlencode(address, doseq=True)))
        )
        assert answer.matching + answer.open <= answer.patients
        assert bool(answer.open) == bool(answer.open_parts)
        assert all(0 <= part.listed <= part.patients <= answer.open for part in answer.open_parts)
        assert sum(part.patients for part in answer.open_parts) >= answer.open

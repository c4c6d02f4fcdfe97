from urllib.parse import urlencode

import pytest
from django.db.models import Q
from django.http import QueryDict
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.models import ATTRIBUTES, Patient, Therapy, Treatment
from evidence.questions.filters import (
    FILTERS,
    TreatmentFilter,
    matching_groups,
    matching_studies,
    matching_treatments,
    parts_not_asked,
    treatments_known,
)
from evidence.questions.vocabulary import vocabulary
from evidence.summaries import cohort_totals, run_summaries

from . import plain
from .factories import make_group, make_patient, make_study, make_treatment


def matching(asking, world, address) -> list[str]:
    asked = matching_treatments(asking(world.collection, address))
    return sorted(Patient.objects.with_treatment(asked).values_list("slug", flat=True))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", ["alpha-1", "alpha-2", "alpha-3", "alpha-4", "beta-1"]),
        ("inhibitor=tofacitinib", ["alpha-1", "alpha-2", "alpha-3", "alpha-4"]),
        (
            "inhibitor=tofacitinib&inhibitor=baricitinib",
            ["alpha-1", "alpha-2", "alpha-3", "alpha-4", "beta-1"],
        ),
        ("inhibitor=upadacitinib", []),
        ("indication=ild&indication=skin", ["alpha-1", "alpha-2", "alpha-3", "beta-1"]),
        (
            "indication=ild&indication=skin&indication_match=any",
            ["alpha-1", "alpha-2", "alpha-3", "beta-1"],
        ),
        ("indication=ild&indication=skin&indication_match=all", ["alpha-1", "alpha-3"]),
        ("indication=ild&indication=skin&indication_match=exactly", ["alpha-1"]),
        ("indication=ild&indication=skin&indication_match=none", []),
        ("indication=gi&indication_match=none", ["alpha-1", "alpha-2", "beta-1"]),
        ("indication=ild&indication_match=exactly", ["alpha-2"]),
        ("sex=female", ["alpha-1", "alpha-3", "beta-1"]),
        ("sex=female&sex=male", ["alpha-1", "alpha-2", "alpha-3", "beta-1"]),
        ("sex=unknown", ["alpha-4"]),
        ("age_min=40", ["alpha-1", "alpha-2"]),
        ("age_max=40", ["alpha-1", "beta-1"]),
        ("age_min=30&age_max=50", ["alpha-1"]),
        ("age_min=0", ["alpha-1", "alpha-2", "beta-1"]),
        ("subset=limited", ["alpha-2"]),
        ("dlco_min=61", ["alpha-1", "alpha-2"]),
        ("dlco_min=62", ["alpha-2"]),
        ("dlco_max=61", []),
        ("dlco_max=62", ["alpha-1"]),
        ("dlco_min=85&dlco_max=85", ["alpha-2"]),
        ("missing=dlco", ["alpha-3", "alpha-4", "beta-1"]),
        ("autoantibody=anti-scl-70", ["alpha-1"]),
        ("autoantibody=ana", []),
        ("autoantibody=ana&autoantibody_match=none", ["alpha-1"]),
        ("manifestation=ild&manifestation=skin", ["alpha-1", "alpha-2", "alpha-3", "beta-1"]),
        ("manifestation=ild&manifestation=skin&manifestation_match=all", ["alpha-3"]),
        ("manifestation=ild&manifestation_match=exactly", ["alpha-1"]),
        ("manifestation=ild&manifestation_match=none", ["beta-1"]),
        ("manifestation=renal&manifestation_match=none", ["alpha-1"]),
        ("prior=methotrexate", ["alpha-1", "alpha-3"]),
        ("prior=methotrexate&prior=prednisone&prior_match=all", ["alpha-3"]),
        ("prior=methotrexate&prior_match=exactly", ["alpha-1"]),
        ("prior=methotrexate&prior_match=none", ["alpha-2"]),
        ("response=improved", ["alpha-1", "alpha-2"]),
        ("response=not_improved", ["beta-1"]),
        ("relapsed=no", ["alpha-1"]),
        ("adverse_events=explicitly_none", ["alpha-2"]),
        ("adverse_events=events", ["alpha-1", "alpha-3", "beta-1"]),
        ("adverse_event=infection", ["alpha-1"]),
        ("adverse_event=infection&adverse_event_match=none", ["alpha-2", "alpha-3"]),
        ("adverse_event=hepatitis&adverse_event_match=exactly", ["alpha-3"]),
        ("serious=yes", ["alpha-3"]),
        ("serious=no", ["alpha-2"]),
        ("study=beta", ["beta-1"]),
        ("design=case_series", ["alpha-1", "alpha-2", "alpha-3", "alpha-4"]),
        ("retraction=none_known", ["alpha-1", "alpha-2", "alpha-3", "alpha-4", "beta-1"]),
        ("retraction=retracted&retraction=concern", []),
        ("appraised=yes", []),
        ("appraised=no&study=beta", ["beta-1"]),
        ("year_min=2021", ["beta-1"]),
        ("year_max=2021", ["alpha-1", "alpha-2", "alpha-3", "alpha-4"]),
        ("missing=age", ["alpha-3", "alpha-4"]),
        ("missing=age&missing=sex", ["alpha-4"]),
        ("missing=adverse_event.not-extracted", ["beta-1"]),
        ("missing=adverse_event.not-reported", ["alpha-2", "alpha-4"]),
        ("missing=prior", ["alpha-4", "beta-1"]),
        ("q=BETA", ["beta-1"]),
        ("q=alpha 3", ["alpha-3"]),
        ("q=nowhere", []),
    ],
)
def test_each_word(world, asking, address, expected):
    assert matching(asking, world, address) == expected


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_of_whom_each_attribute_is_not_known(world, simulated, asking, name):
    for collection in (world.collection, simulated):
        found = matching_treatments(asking(collection, f"missing={name}")).values_list(
            "patient__slug", flat=True
        )
        expected = [course for course in world.records(collection) if not plain.known(course)[name]]
        assert sorted(found) == sorted(course.patient for course in expected)


def test_one_treatment_answers_the_whole_question(world, asking):
    """alpha-2 had tofacitinib for skin and baricitinib for ILD: never tofacitinib for ILD."""
    assert "alpha-2" in matching(asking, world, "inhibitor=tofacitinib")
    assert "alpha-2" in matching(asking, world, "indication=ild")
    assert "alpha-2" not in matching(asking, world, "inhibitor=tofacitinib&indication=ild")
    assert "alpha-2" not in matching(asking, world, "indication=skin&response=improved")
    assert matching(asking, world, "inhibitor=baricitinib&indication=ild") == ["alpha-2"]


def test_a_set_without_codes_asks_nothing_whatever_its_match_word(world, asking):
    for match in ("any", "all", "exactly", "none"):
        assert asking(world.collection, f"indication_match={match}") == asking(world.collection)


def test_the_same_question_has_one_spelling(world, asking):
    shuffled = (
        "indication=skin&indication_match=all&sex=&inhibitor=tofacitinib&indication=ild&"
        "indication=ild&page=3&sort=age"
    )
    plainly = "inhibitor=tofacitinib&indication=ild&indication=skin&indication_match=all"
    assert asking(world.collection, shuffled) == asking(world.collection, plainly)
    assert asking(world.collection, shuffled).query() == plainly


def test_the_denominator_holds_those_in_whom_everything_asked_is_known(world, asking):
    def known(address):
        return sorted(
            set(
                treatments_known(asking(world.collection, address)).values_list(
                    "patient__slug", flat=True
                )
            )
        )

    everybody = ["alpha-1", "alpha-2", "alpha-3", "alpha-4", "beta-1"]
    assert (
        known("")
        == known("inhibitor=tofacitinib")
        == known("sex=unknown")
        == known("missing=age")
        == everybody
    )
    assert known("indication=ild") == ["alpha-1", "alpha-2", "alpha-3", "beta-1"]
    assert known("age_min=30&indication=ild") == ["alpha-1", "alpha-2", "beta-1"]
    assert known("dlco_min=70") == known("dlco_max=10") == ["alpha-1", "alpha-2"]
    # Manifestations are known one by one: ILD is recorded in three patients, and skin besides
    # settles alpha-2.
    assert known("manifestation=ild") == ["alpha-1", "alpha-3", "beta-1"]
    assert known("manifestation=ild&manifestation=skin") == [
        "alpha-1",
        "alpha-2",
        "alpha-3",
        "beta-1",
    ]


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("inhibitor=tofacitnib", "Did you mean “tofacitinib”?"),
        ("sex=f", "is not among the values of “Sex”"),
        ("age_min=60&age_max=40", "ends before it begins"),
        ("year_min=2022&year_max=2020", "ends before it begins"),
        ("dlco_min=80&dlco_max=40", "DLCO from 80 to 40: the range ends before it begins."),
        ("dlco_min=201", "“DLCO from” is between 0 and 200, not 201."),
        ("age_min=forty", "not a whole number"),
        ("age_min=4.5", "not a whole number"),
        ("age_min=-1", "between 0 and 120"),
        ("age_max=1000000000000000000000", "between 0 and 120"),
        ("age_min=30&age_min=40", "more than once"),
        ("indication=ild&indication_match=some", "not a match word"),
        ("indication=ild&indication_match=all&indication_match=any", "two match words"),
        ("inhibtor=tofacitinib", "Did you mean “inhibitor”?"),
        ("sex=female%00", "is not among the values"),
        ("q=a%00b", "Null characters"),
        ("q=" + "x" * 10_000, "at most 200 characters"),
        ("q=a&q=b", "more than once"),
        ("q=" + "a+" * 11, "at most 10 words"),
        ("missing=everything", "is not among the values"),
        ("study=" + "y" * 10_000, "is not among the values"),
    ],
)
def test_a_wrong_question_is_told_so(world, address, told):
    form = TreatmentFilter(QueryDict(address), vocabulary=vocabulary(world.collection))
    assert not form.is_valid()
    assert any(told in problem for problem in form.problems()), form.problems()
    assert all(len(problem) < 300 for problem in form.problems())


def test_every_filter_says_what_it_is():
    for name, asked in FILTERS.items():
        assert asked.label and "invalid" not in asked.label, name


ADDED = {"assessed", "dlco_min", "dlco_max", "retraction", "appraised"}


def test_every_word_of_the_blueprint_is_a_filter_and_some_more():
    words = (
        "inhibitor indication sex age_min age_max subset autoantibody manifestation prior "
        "response relapsed adverse_events adverse_event serious study design year_min year_max "
        "missing q"
    )
    assert set(FILTERS) == {*words.split(), *ADDED}


CODES = {
    "inhibitor": ["tofacitinib", "baricitinib", "filgotinib"],
    "indication": ["ild", "skin", "gi", "joints"],
    "sex": ["female", "male", "unknown"],
    "subset": ["diffuse", "limited", "unknown"],
    "autoantibody": ["ana", "anti-scl-70"],
    "manifestation": ["ild", "lung", "skin", "renal"],
    "prior": ["methotrexate", "prednisone"],
    "response": ["improved", "stable", "worsened", "not_improved", "unknown"],
    "relapsed": ["yes", "no", "unknown"],
    "adverse_events": ["events", "explicitly_none", "not_stated"],
    "adverse_event": ["infection", "hepatitis", "other-or-not-named"],
    "serious": ["yes", "no", "unknown"],
    "assessed": ["1", "6", "later", "unknown"],
    "design": ["case_series", "case_report"],
    "retraction": ["none_known", "retracted"],
    "appraised": ["yes", "no"],
    "missing": [
        *ATTRIBUTES,
        "prior.not-reported",
        "adverse_event.not-extracted",
    ],
}
SETS = ["indication", "autoantibody", "manifestation", "prior", "adverse_event"]
MATCHES = ["any", "all", "exactly", "none"]


@st.composite
def addresses(draw) -> dict[str, list[str]]:
    """Questions of one to four parts, some with match words and ranges."""
    question = {}
    for name in draw(st.lists(st.sampled_from(list(CODES)), min_size=1, max_size=4, unique=True)):
        question[name] = draw(
            st.lists(st.sampled_from(CODES[name]), min_size=1, max_size=3, unique=True)
        )
        if name in SETS:
            question[f"{name}_match"] = [draw(st.sampled_from(MATCHES))]
    if draw(st.booleans()):
        question["age_min"] = [str(draw(st.integers(0, 60)))]
    if draw(st.booleans()):
        question["dlco_max"] = [str(draw(st.integers(50, 100)))]
    if draw(st.booleans()):
        question["year_max"] = [str(draw(st.integers(2019, 2023)))]
    if draw(st.integers(0, 3)) == 0:
        question["q"] = [draw(st.sampled_from(["ild", "tofa skin", "in", "SIM-01"]))]
    return question


several = settings(max_examples=60)
few = settings(max_examples=15)  # where one example asks a hundred counts


@pytest.mark.slow
@several
@given(question=addresses())
def test_questions_agree_with_plain_loops(world, simulated, asking, question):
    for collection in (world.collection, simulated):
        records = world.records(collection)
        asked = matching_treatments(asking(collection, urlencode(question, doseq=True)))
        expected = plain.answering(records, question)
        assert set(asked.values_list("patient__slug", flat=True)) == plain.patients(expected)
        assert asked.count() == len(expected)


@pytest.mark.slow
@several
@given(
    name=st.sampled_from(SETS),
    data=st.data(),
)
def test_any_is_at_least_all_is_at_least_exactly(world, simulated, asking, name, data):
    chosen = data.draw(st.lists(st.sampled_from(CODES[name]), min_size=1, unique=True))
    for collection in (world.collection, simulated):
        found = {
            match: set(
                matching_treatments(
                    asking(
                        collection, urlencode({name: chosen, f"{name}_match": match}, doseq=True)
                    )
                )
            )
            for match in MATCHES
        }
        assert found["any"] >= found["all"] >= found["exactly"]
        assert not found["any"] & found["none"]


@several
@given(question=addresses())
def test_whoever_matches_is_known(world, asking, question):
    asked = asking(world.collection, urlencode(question, doseq=True))
    assert set(matching_treatments(asked)) <= set(treatments_known(asked))


@pytest.mark.slow
@several
@given(question=addresses())
def test_filters_are_independent(world, asking, question):
    """The answer to a question is the intersection of the answers to its parts."""
    asked = asking(world.collection, urlencode(question, doseq=True))
    alone = [set(matching_treatments(asked.only(name))) for name, _ in asked]
    assert set(matching_treatments(asked)) == set.intersection(*alone)


def test_groups_answer_what_a_group_can_answer(world, asking):
    def found(address):
        return sorted(group.slug for group in matching_groups(asking(world.collection, address)))

    assert found("") == ["control", "mixed", "treated"]
    assert found("inhibitor=tofacitinib") == ["treated"]
    assert found("indication=gi&indication=skin") == ["treated"]
    assert found("indication=ild&indication=skin&indication_match=all") == ["treated"]
    assert found("indication=gi&indication=skin&indication_match=all") == []
    assert found("year_min=2021") == ["mixed"]
    assert found("sex=female") == ["control", "mixed", "treated"]
    question = asking(world.collection, "sex=female&inhibitor=tofacitinib&age_min=3")
    assert parts_not_asked(question).to_params() == [("sex", "female"), ("age_min", "3")]


@pytest.fixture
def treated_with(world):
    """The drawn world with a patient who had methotrexate along with upadacitinib."""
    patient = make_patient(make_study(world.collection, "eta"), "eta-1", antibodies=["anti-u1-rnp"])
    course = make_treatment(
        patient, "upadacitinib", events=[("dyslipidaemia", {"description": "LDL 190"})]
    )
    course.concomitant_therapies.set(Therapy.objects.filter(code="methotrexate"))
    return world


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("methotrexate", ["alpha-1", "alpha-3", "eta-1"]),  # before, before, along with it
        ("METHO prednis", ["alpha-3"]),
        # a manifestation, an indication; beta-1 has none
        ("interstitial", ["alpha-1", "alpha-2", "alpha-3"]),
        ("renal", []),  # looked for in alpha-1, and absent
        ("scl-70", ["alpha-1"]),
        ("Rinvoq", ["eta-1"]),
        ("u1-RNP", ["eta-1"]),
        ("dyslipid", ["eta-1"]),
        ("ldl upadacitinib", ["eta-1"]),
        ("hepatitis", ["alpha-3"]),
        ("citinib", []),  # a drug is named by the beginning of a word
    ],
)
def test_a_search_finds_what_a_patient_had(treated_with, asking, engine, words, expected):
    question = asking(treated_with.collection, urlencode({"q": words}))
    assert sorted({each.patient.slug for each in matching_treatments(question)}) == expected
    (totals,) = run_summaries(cohort_totals(question))
    assert totals.patients == len(expected)


def test_a_short_word_names_no_term_that_merely_contains_it(published, asking, engine):
    """Whoever had sildenafil is not found as a patient with ILD."""
    lungless = Patient.objects.get(slug="rhk-2025-101-1")
    assert lungless.prior_therapies.filter(code="sildenafil").exists()
    found = matching_treatments(asking(published, "q=ILD"))
    assert found.exists() and not found.filter(patient=lungless).exists()
    assert matching_treatments(asking(published, "q=sild")).filter(patient=lungless).exists()


@pytest.mark.parametrize(
    "words", ["ILD", "gi", "ANA", "ra", "il", "in", "scl", "jakavi", "baric skin", "(ild)", "one"]
)
def test_a_search_agrees_with_plain_loops(world, simulated, published, asking, words):
    for collection in (world.collection, simulated, published):
        found = matching_treatments(asking(collection, urlencode({"q": words})))
        expected = plain.answering(world.records(collection), {"q": [words]})
        assert set(found.values_list("patient__slug", flat=True)) == plain.patients(expected)
        assert found.count() == len(expected)


def test_a_search_for_methotrexate_finds_those_who_had_it(published, asking):
    had = Treatment.objects.within(published).filter(
        Q(patient__prior_therapies__code="methotrexate")
        | Q(concomitant_therapies__code="methotrexate")
    )
    assert (
        set(matching_treatments(asking(published, "q=methotrexate"))) == set(had)
        and len(set(had)) == 3
    )


def test_the_longest_search_is_answered_for_studies_and_groups(world, asking):
    words = "+".join(["tofacitinib"] * 10)
    question = asking(
        world.collection, f"q={words}&prior=methotrexate&prior_match=exactly&sex=female"
    )
    assert [study.slug for study in matching_studies(question)] == ["alpha"]
    assert [group.slug for group in matching_groups(question)] == ["treated"]
    assert [group.slug for group in matching_groups(asking(world.collection, "q=Xeljanz"))] == [
        "treated"
    ]


def test_a_search_of_groups_looks_into_indications_and_findings(world, asking):
    findings = [{"measure": "Calcinosis of hands", "kind": "events", "events": 1, "n": 3}]
    make_group(
        make_study(world.collection, "delta"), "arm", indications=["joints"], findings=findings
    )

    def found(words):
        question = asking(world.collection, urlencode({"q": words}))
        return sorted(group.slug for group in matching_groups(question))

    assert found("ILD") == ["treated"]
    assert found("joints") == found("calcin") == found("hands joint tofa") == ["arm"]
    assert found("ints") == found("osis") == [], "terms and measures begin with the word"
    assert found("(hands)") == found("hands.*") == []


def test_studies_answer_as_a_whole_or_by_a_course_or_by_a_group(world, published, asking):
    def found(collection, address):
        return sorted(study.slug for study in matching_studies(asking(collection, address)))

    assert found(world.collection, "") == ["alpha", "beta"]
    assert found(world.collection, "year_min=2021") == ["beta"]
    assert found(world.collection, "subset=limited") == ["alpha"]
    assert found(world.collection, "inhibitor=baricitinib") == ["alpha", "beta"]
    assert found(world.collection, "q=beta") == ["beta"]
    registered = found(published, "inhibitor=itacitinib")
    assert registered == ["nct04789850-sclerita"]
    assert found(published, "inhibitor=itacitinib&sex=female") == []
    assert found(published, "design=registered_trial&inhibitor=baricitinib") == [
        "nct05300932",
        "nct06936215",
    ]

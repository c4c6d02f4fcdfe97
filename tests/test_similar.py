"""Patients like mine: unknown neither agrees nor differs, and the page says how few there are."""

from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence import summaries
from evidence.models import Patient
from evidence.questions.vocabulary import vocabulary
from evidence.summaries import AGE_SPAN

from . import plain
from .factories import make_collection, make_patient, make_study, make_treatment
from .test_filters import few
from .test_pages import MOST_OF_OTHERS, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def ask(collection, **given):
    return summaries.similar_patients(
        collection, summaries.similarity_criteria(collection, vocabulary(collection), **given)
    )


def told(found) -> dict:
    return {case.patient.slug: (case.agrees, case.differs, case.unknown) for case in found.cases}


def test_by_hand(world, engine):
    found = ask(
        world.collection,
        age=45,
        sex="female",
        manifestation=("ild",),
        without=("renal",),
        prior=("prednisone",),
    )
    ild = "Interstitial lung disease (ILD)"
    age, sex, prior = "Age: 35 to 55", "Sex: female", "Prior therapy: Prednisone"
    ild, renal = f"{ild}: present", "Renal: absent"
    assert told(found) == {
        "alpha-1": ([age, sex, ild, renal], [prior], []),
        "alpha-3": ([sex, ild, prior], [], [age, renal]),
        "beta-1": ([sex], [age, ild], [renal, prior]),
    }
    assert list(told(found)) == ["alpha-1", "alpha-3", "beta-1"]
    assert found.exactly == [2, 1, 0, 1, 1, 0], "alpha-2 and alpha-4 agree in nothing"
    assert found.sentence.startswith(
        "None of 5 patients agrees in all 5; the closest one in 4 of them."
    )


def test_of_equals_whoever_differs_less_comes_first(world, engine):
    found = ask(world.collection, sex="female", age=25)
    assert list(told(found)) == ["beta-1", "alpha-3", "alpha-1"], (
        "alpha-3's age is not known, alpha-1's differs"
    )


def test_who_agrees_in_everything(world):
    assert ask(world.collection, sex="male").sentence.startswith("1 of 5 patients agrees.")
    assert ask(world.collection, sex="female", prior=("methotrexate",)).sentence.startswith(
        "2 of 5 patients agree in all 2"
    )


def test_nobody_agrees(world):
    found = ask(world.collection, subset="sine")
    assert found.cases == []
    assert found.sentence.startswith("None of 5 patients is known to agree in it.")


def loop(patient, courses, name, value) -> bool | None:
    """One criterion of one patient, by a plain look at the record."""
    own = next(each for each in courses if each.patient == patient.slug).lists
    if name == "age":
        return None if patient.age_years is None else abs(patient.age_years - value) <= AGE_SPAN
    if name == "sex":
        return None if patient.sex == "unknown" else patient.sex == value
    said = plain.item(own["prior" if name == "prior" else "manifestation"], value)
    return {"open": None, "yes": name != "without", "no": name == "without"}[said]


OFFERED = [
    ("age", 30),
    ("age", 60),
    ("sex", "female"),
    ("sex", "male"),
    ("manifestation", "ild"),
    ("without", "ild"),
]
OFFERED += [("manifestation", "lung"), ("without", "lung")]
OFFERED += [
    ("manifestation", "skin"),
    ("without", "renal"),
    ("prior", "methotrexate"),
    ("prior", "prednisone"),
]


@settings(few, max_examples=25)
@given(
    chosen=st.lists(
        st.sampled_from(OFFERED), min_size=1, max_size=5, unique_by=lambda each: each[0]
    )
)
def test_agrees_with_a_plain_loop_and_every_criterion_is_accounted_for(world, engine, chosen):
    given = {name: value if name in ("age", "sex") else (value,) for name, value in chosen}
    found = told(ask(world.collection, **given))
    people = Patient.objects.within(world.collection).counted()
    courses = plain.all_courses(world.collection)
    expected = {}
    for patient in people:
        said = [loop(patient, courses, name, value) for name, value in chosen]
        if True in said:
            expected[patient.slug] = tuple(said.count(each) for each in (True, False, None))
    assert {slug: tuple(map(len, case)) for slug, case in found.items()} == expected


def test_the_page_is_a_permalink_and_keeps_what_was_entered(client, world):
    query = "age=45&sex=female&manifestation=ild&without=renal"
    response = client.get(world.address(f"similar/?{query}"))
    body = response.content.decode()
    assert 'name="age" value="45"' in body
    for field in ("sex-female", "manifestation-ild", "without-renal"):
        assert f'id="s-{field}"' in body
        assert "checked" in body.partition(f'id="s-{field}"')[2].partition(">")[0]
    assert response.context["similar"].exactly[-1] == 1
    assert "Nothing you enter is stored" in body


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("age=480", "“Age” is between 0 and 120, not 480."),
        ("age=old", "“old” is not a whole number for “Age”."),
        ("sex=female&sex=male", "“Sex” has one value; two are given."),
        ("sex=unknown", "“unknown” is not among the values of “Sex”."),
        (
            "manifestation=ild&without=ild",
            "Both present and absent: Interstitial lung disease (ILD).",
        ),
        ("nonsense=1", "“nonsense” is no criterion here."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost(client, world, query, problem):
    response = client.get(world.address(f"similar/?{query}"))
    assert any(problem in each for each in response.context["problems"])
    assert response.status_code == 400 and response.context["similar"] is None
    if query.startswith("age"):
        assert f'value="{query[4:]}"' in response.content.decode()


def test_nothing_asked_nothing_found(client, world):
    response = client.get(world.address("similar/?sex=&age="))
    assert response.context["similar"] is None and not response.context["problems"]


def test_a_case_shows_the_cases_most_like_it(client, world):
    response = client.get(world.address("patients/alpha-1/"))
    closest = [case.patient.slug for case in response.context["closest"]]
    assert "alpha-1" not in closest and closest[0] == "alpha-3"
    follow = client.get(f"/world/similar/?{response.context['similar']}")
    assert follow.context["similar"].cases[0].patient.slug == "alpha-1", (
        "the same criteria, with the case itself"
    )


def test_a_case_of_which_nothing_is_known_is_like_nobody(client, world):
    body = client.get(world.address("patients/alpha-4/")).content.decode()
    assert "No other patient here is known to agree in anything" in body


def test_what_a_patient_has_is_what_is_asked(world):
    words, criteria = summaries.criteria_of(
        Patient.objects.get(slug="alpha-1"), vocabulary(world.collection)
    )
    assert urlencode([(name, value) for name, value in words.items() if value], doseq=True) == (
        "age=40&sex=female&subset=diffuse&autoantibody=anti-scl-70&manifestation=ild&"
        "without=renal&prior=methotrexate"
    )
    assert len(criteria) == 7


def test_another_report_of_the_same_person_is_not_a_similar_case(client, world):
    closest = [
        case.patient.slug
        for case in client.get(world.address("patients/beta-2/")).context["closest"]
    ]
    assert closest and "alpha-1" not in closest


def test_each_cell_has_the_value_of_the_case_and_a_verdict_in_words(client, world):
    query = "age=45&sex=male&autoantibody=ana&manifestation=ild&without=renal&prior=prednisone"
    response = client.get(world.address(f"similar/?{query}"))
    found = response.context["similar"]
    slugs = [case.patient.slug for case in found.cases]
    cells = {
        (criterion.attribute, slug): (agreement.value, agreement.verdict)
        for criterion, agreements in found.rows
        for slug, agreement in zip(slugs, agreements, strict=True)
    }
    ild = "Interstitial lung disease (ILD)"
    assert cells["Age", "alpha-1"] == ("40 (asked 35 to 55)", "agrees")
    assert cells["Sex", "alpha-1"] == ("female", "differs")
    assert cells["Renal", "alpha-1"] == ("absent", "agrees")
    assert cells["Prior therapy: Prednisone", "alpha-1"] == ("not on the complete list", "differs")
    assert cells[ild, "alpha-3"] == ("present", "agrees")
    assert cells["Age", "alpha-3"] == ("not reported", "not known")
    assert cells["Prior therapy: Prednisone", "alpha-2"] == ("none, as stated", "differs")
    assert "beta-1" not in slugs, "who agrees in nothing is not listed"
    assert "45 (35 to 55 agrees) 40 (asked 35 to 55) agrees" in text_of(response)
    (antibody,) = [each for each in found.cases[0].agreements if each.criterion.code == "ana"]
    assert (antibody.value, antibody.verdict) == ("absent", "differs")


def test_the_wider_term_says_which_narrower_one_is_recorded(world):
    found = ask(world.collection, manifestation=("lung",))
    ((criterion, agreements),) = found.rows
    assert criterion.label == "Lung: present"
    values = {
        case.patient.slug: cell.value for case, cell in zip(found.cases, agreements, strict=True)
    }
    narrower = "present: Interstitial lung disease (ILD)"
    assert values == {"alpha-1": narrower, "alpha-3": narrower}


def test_what_happened_stands_below_and_no_blank_is_none(client, world):
    response = client.get(world.address("similar/?manifestation=ild&manifestation=skin"))
    courses = {
        case.patient.slug: [(each.relapsed, each.adverse_events) for each in case.courses]
        for case in response.context["similar"].cases
    }
    assert courses == {
        "alpha-3": [("yes", "Hepatitis (grade 3, serious)")],
        "alpha-1": [("no", "Infection, Infection")],
        "alpha-2": [("", "none, as stated"), ("", "")],
        "beta-1": [("", "reported, not said which")],
    }
    assert "tofacitinib: none, as stated baricitinib: not reported" in text_of(response)


def test_a_case_and_its_paper_are_one_click_away(client, published):
    body = client.get("/published/similar/?sex=female").content.decode()
    table = body.partition('<table class="beside-cases">')[2].partition("</table>")[0]
    assert 'href="/published/patients/fujita-2019-1/"' in table
    assert 'href="https://doi.org/10.1155/2019/5293981"' in table


def test_simulated_cases_have_no_paper(client, simulated):
    response = client.get("/sener-2025-reconstruction/similar/?sex=female")
    assert "simulated: there is none" in text_of(response)
    assert "doi.org" not in response.content.decode()


def test_the_block_of_a_case_says_values_too(client, world):
    text = text_of(client.get(world.address("patients/alpha-1/")))
    assert (
        "Agrees Sex: female; Interstitial lung disease (ILD): present; Prior therapy: "
        "Methotrexate: given" in text
    ), "alpha-3"
    assert "Differs Age: 25 (asked 30 to 50)" in text, "beta-1"


def test_the_table_takes_the_same_queries_for_1_case_and_for_20(client, db):
    counts = []
    for patients in (1, 20):
        collection = make_collection(f"alike-{patients}")
        for _ in range(patients):
            patient = make_patient(
                make_study(collection), sex="female", present=["ild"], prior=["methotrexate"]
            )
            make_treatment(patient, indications=["ild"], events=[("infection", {})])
        address = f"/{collection.slug}/similar/?sex=female&manifestation=ild"
        client.get(address)
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            assert len(client.get(address).context["similar"].cases) == patients
        counts.append(len(queries))
    assert counts[0] == counts[1] <= MOST_OF_OTHERS

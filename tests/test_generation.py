from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from evidence.curation.generation import study_sizes
from evidence.curation.integrity import broken_rules
from evidence.models import (
    AdverseEvent,
    Collection,
    DataVersion,
    Outcome,
    Patient,
    Study,
    Treatment,
)

pytestmark = pytest.mark.slow

MODELS = [Study, Patient, Treatment, Outcome, AdverseEvent]


def generate(patients=300, **options) -> str:
    told = StringIO()
    call_command("generate_cohort", patients=patients, stdout=told, **options)
    return told.getvalue()


def everything(slug: str) -> list:
    """All courses with what hangs on them, without database numbers."""
    courses = Treatment.objects.filter(patient__study__collection__slug=slug).order_by(
        "patient__slug", "number"
    )
    return [
        (
            course.patient.slug.removeprefix(f"SIM-{slug}-"),
            course.patient.study.slug,
            course.patient.age_years,
            course.patient.sex,
            course.inhibitor.slug,
            course.indication_set,
            course.response,
            sorted(each.code for each in course.indications.all()),
            [
                (each.domain, each.at_months, each.baseline, each.result)
                for each in course.outcomes.all()
            ],
            [(each.category.code, each.grade, each.serious) for each in course.events.all()],
            sorted(each.code for each in course.patient.prior_therapies.all()),
        )
        for course in courses
    ]


def test_the_same_seed_draws_the_same_collection(db):
    generate(60, collection="one", seed=5)
    generate(60, collection="two", seed=5)
    generate(60, collection="three", seed=6)
    assert everything("one") == everything("two") != everything("three")


def test_it_has_the_shape_it_promises_and_breaks_no_rule(db):
    told = generate(1500, seed=3)
    collection = Collection.objects.get(slug="synthetic")
    assert "1,500 of 1,500 patients" in told
    people = Patient.objects.within(collection)
    assert people.count() == 1500
    sizes = [study.patients.count() for study in Study.objects.within(collection)]
    assert min(sizes) < 10 < 100 < max(sizes) <= 500
    assert people.filter(age_years=None).exists() and people.exclude(age_years=None).exists()
    assert Treatment.objects.filter(patient__in=people, number=2).exists()
    assert Treatment.objects.filter(patient__in=people, indication_set__contains="+").exists()
    assert {None, 3, 6, 12, 24} == set(
        Outcome.objects.filter(treatment__patient__in=people).values_list("at_months", flat=True)
    )
    assert AdverseEvent.objects.filter(treatment__patient__in=people, number=2).exists()
    assert broken_rules() == []


def test_it_is_simulated_and_says_so(db, client):
    generate(20)
    collection = Collection.objects.get(slug="synthetic")
    assert collection.is_simulated
    kind = client.get("/api/v1/synthetic/patients/").json()["evidence_kind"]
    assert kind.startswith("simulated collection of 20 patients drawn at random")
    assert not Patient.objects.within(collection).exclude(slug__startswith="SIM-").exists()
    page = client.get("/synthetic/").content.decode()
    assert "Simulated records." in page and "its frequencies mean nothing" in page


def test_it_makes_a_new_version_of_the_data(db):
    before = DataVersion.current()
    generate(10)
    after = DataVersion.current()
    assert after.number > before.number
    assert after.version_of(Collection.objects.get(slug="synthetic")) == after.number


def test_another_run_replaces_only_when_told_to(db):
    generate(10, seed=1)
    with pytest.raises(CommandError, match=r"Nothing was changed.*--replace"):
        generate(20, seed=1)
    assert Patient.objects.filter(study__collection__slug="synthetic").count() == 10
    generate(20, seed=1, replace=True)
    assert Patient.objects.filter(study__collection__slug="synthetic").count() == 20
    assert broken_rules() == []


@pytest.mark.parametrize("slug", ["published", "sener-2025-reconstruction"])
def test_it_never_touches_what_it_did_not_draw(db, slug):
    before = [model.objects.count() for model in MODELS]
    with pytest.raises(CommandError, match="not drawn by this command"):
        generate(10, collection=slug, replace=True)
    assert [model.objects.count() for model in MODELS] == before


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"patients": 0}, "at least one patient"),
        ({"patients": 10, "collection": "admin"}, "cannot be used"),
        ({"patients": 10, "collection": "two words"}, "cannot be used"),
    ],
)
def test_a_wrong_wish_is_told_so(db, options, told):
    with pytest.raises(CommandError, match=told):
        generate(**options)
    assert Collection.objects.count() == 2


def test_without_vocabulary_it_says_what_to_do(db):
    from evidence.models import Treatment as Course

    Course.objects.all().delete()
    Study.objects.update(registered_inhibitor=None)
    from evidence.models import GroupFinding, JAKInhibitor, StudyGroup

    GroupFinding.objects.all().delete()
    StudyGroup.objects.all().delete()
    JAKInhibitor.objects.all()._raw_delete("default")  # those that studies in work name stay
    with pytest.raises(CommandError, match="load_evidence"):
        generate(5)


@pytest.mark.parametrize("patients", [1, 2, 499, 5000, 50_000])
def test_sizes_add_up(patients):
    import numpy as np

    sizes = study_sizes(patients, np.random.default_rng(patients))
    assert sum(sizes) == patients
    assert all(1 <= size <= 500 for size in sizes)

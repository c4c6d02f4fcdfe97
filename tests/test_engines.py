"""Two engines, one answer: the snapshot is held against the database on random collections and
random questions.
"""

from itertools import count as numbers
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.counting import Tally, Unit, database
from evidence.counting.dimensions import DIMENSIONS
from evidence.counting.snapshot import count_tallies
from evidence.counting.snapshot.build import build_snapshot
from evidence.curation.generation import generate_collection
from evidence.models import Collection, Patient, Study

from .factories import make_treatment
from .test_filters import addresses

pytestmark = pytest.mark.slow

names = numbers(1)


def table(name: str):
    """What a dimension is read from; two of the same table would be of the same row, which no
    summary asks.
    """
    return getattr(DIMENSIONS[name], "model", name)


dimension_sets = st.lists(st.sampled_from(sorted(DIMENSIONS)), max_size=3, unique_by=table).map(
    tuple
)
YES_NO = sorted(name for name in DIMENSIONS if name.startswith(("known:", "whole:", "counted:")))
asked_tallies = st.lists(
    st.tuples(
        dimension_sets,
        st.sampled_from(list(Unit)),
        st.booleans(),
        st.sampled_from(["matching", "open", "open part"]),
        st.sampled_from(["", *YES_NO]),
    ),
    min_size=1,
    max_size=25,
)


def tally(
    question,
    dimensions: tuple = (),
    unit: Unit = Unit.PATIENTS,
    which: str = "matching",
    open_in: str = "",
):
    part = question.parts[0][0] if which == "open part" and question.parts else ""
    return Tally(
        question, dimensions, unit, open=which != "matching", open_part=part, open_in=open_in
    )


def drawn(patients: int, seed: int) -> Collection:
    """A generated collection, with what generation leaves out or hardly draws: drafts, people
    reported twice, patients with several courses of which not all lists are complete.
    """
    slug = f"drawn-{next(names)}"
    for _ in generate_collection(slug, patients, seed):
        pass
    collection = Collection.objects.get(slug=slug)
    people = list(Patient.objects.filter(study__collection=collection).order_by("pk"))
    for place, patient in enumerate(people[1::4]):
        whole = ("complete", "partial", "not_stated")[place % 3]
        make_treatment(
            patient,
            ("tofacitinib", "baricitinib")[place % 2],
            indications=["ild", "skin"][: 1 + place % 2],
            indications_completeness=whole,
            events=[("infection", {})][: place % 2],
            response=("improved", "unknown")[place % 2],
        )
    for patient in people[3::7]:
        Patient.objects.filter(pk=patient.pk).update(state="draft")
    for patient in people[5::11]:
        Patient.objects.filter(pk=patient.pk).update(same_as=people[0])
    for study in collection.studies.order_by("pk")[1:3]:
        Study.objects.filter(pk=study.pk).update(
            retraction_status="retracted", retraction_reason="Drawn."
        )
    if collection.studies.count() > 2:
        Study.objects.filter(pk=collection.studies.first().pk).update(state="draft")
    return collection


def both(collection: Collection, tallies: list[Tally]):
    return count_tallies(build_snapshot(collection), tallies), database.count_tallies(tallies)


@settings(
    max_examples=25,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(st.integers(1, 90), st.integers(0, 10_000), addresses(), asked_tallies)
def test_the_snapshot_counts_as_the_database_does(db, asking, patients, seed, address, wanted):
    collection = drawn(patients, seed)
    question = asking(collection, urlencode(known_there(collection, address), doseq=True))
    everybody = question.only()
    tallies = [
        tally(question if narrow else everybody, dimensions, unit, which, open_in)
        for dimensions, unit, narrow, which, open_in in wanted
    ]
    for each, fast, slow in zip(tallies, *both(collection, tallies), strict=True):
        assert fast == slow, each


def known_there(collection: Collection, address: dict) -> dict:
    """The address without what only the drawn world has."""
    return {name: values for name, values in address.items() if name != "study"}


@pytest.mark.parametrize("unit", list(Unit))
def test_every_dimension_of_every_unit(world, simulated, unit):
    for collection in (world.collection, simulated, Collection.objects.get(slug="published")):
        question = drawn_question(collection)
        tallies = [
            tally(question, dimensions, unit, which)
            for name in DIMENSIONS
            for dimensions in ((name,), (name, "reading"))
            if len(set(dimensions)) == len(dimensions)
            for which in ("matching", "open")
        ]
        for each, fast, slow in zip(tallies, *both(collection, tallies), strict=True):
            assert fast == slow, each


def drawn_question(collection: Collection):
    from evidence.questions.question import MatchedSet, Question

    return Question(collection).with_part("indication", MatchedSet(("ild", "skin")))

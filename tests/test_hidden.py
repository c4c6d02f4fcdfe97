"""What readers may not see shows nowhere, however it is linked to what they see; nobody is lost by
that."""

import io
import json
import random
import re
import sqlite3
from contextlib import closing
from csv import DictReader
from html import unescape
from itertools import product
from zipfile import ZipFile, is_zipfile

import pytest
from django.db import models
from django.urls import get_resolver, reverse
from pyarrow import parquet

from evidence import summaries
from evidence.charts.registry import CHARTS
from evidence.curation import make_release as releasing
from evidence.models import (
    AdverseEvent,
    AdverseEventCategory,
    GroupFinding,
    JAKInhibitor,
    Outcome,
    Patient,
    Provenance,
    Review,
    ReviewInclusion,
    Study,
    StudyGroup,
    Treatment,
)
from evidence.models.base import Keyed
from evidence.questions.question import Question
from evidence.statistics import ALL_RULES
from evidence.tables import TABLES

from . import plain
from .addresses import arguments, names
from .factories import make_collection, make_patient, make_study, make_treatment

pytestmark = pytest.mark.slow

MARK = "zqhidden"  # stands in every text of every hidden record, and in no other
STATES = ["draft", "withdrawn"]
DRUG = "itacitinib"  # of hidden records alone
FORMATTED = {
    "slug",
    "doi",
    "pmid",
    "pmcid",
    "nct",
    "indication_set",
    "url",
    "extracted_by",
    "checked_by",
    "withdrawal_reason",  # readers are told
    "retraction_notice",
}


def marked(model, **fields) -> dict:
    """`fields`, and the mark in every free text of a model that is not among them."""
    texts = [
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, models.CharField | models.TextField)
        and not field.choices
        and field.name not in FORMATTED
    ]
    if model is Study:
        fields = {"retraction_status": "retracted"} | fields  # without which there is no reason
    return dict.fromkeys(texts, MARK) | fields


def plainly(model, **fields) -> dict:
    return fields


def give_course(patient: Patient, drug: str, texts) -> dict:
    """A course with an outcome and an adverse event; by kind of record."""
    known = texts(Treatment, response="improved", adverse_events="events", stopped="yes")
    course = make_treatment(patient, drug, ["skin"], **known)
    numbers = {"domain": "skin", "baseline": 20, "followup": 10, "at_months": 6}
    outcome = Outcome.objects.create(
        treatment=course, measure_id="mRSS", **texts(Outcome, **numbers)
    )
    category = AdverseEventCategory.objects.get(code="infection")
    event = AdverseEvent.objects.create(treatment=course, **texts(AdverseEvent, category=category))
    return {"patient": patient, "treatment": course, "outcome": outcome, "adverse_event": event}


def give_group(study: Study, drug: str, texts) -> dict:
    """A group with two findings; by kind of record."""
    known = texts(StudyGroup, inhibitor=JAKInhibitor.objects.get(slug=drug), n=10)
    group = StudyGroup.objects.create(
        study=study, slug=f"{study.slug}-group", **{"label": "seen"} | known
    )
    counted = texts(GroupFinding, kind="events", events=3, n=10)
    finding = GroupFinding.objects.create(group=group, number=1, **{"measure": "seen"} | counted)
    GroupFinding.objects.create(
        group=group, number=2, **texts(GroupFinding, measure="mRSS", kind="mean_change", change=-5)
    )
    return {"group": group, "finding": finding}


def note(study: Study, subject: str, record) -> None:
    """A note by a study on where a value of a record comes from."""
    number = study.provenance.count() + 1
    Provenance.objects.create(
        study=study, number=number, **{subject: record}, **marked(Provenance, field="slug")
    )


@pytest.fixture
def hidden(world) -> list[str]:
    """One hidden record of each kind beside the drawn world, linked with each kind of published
    record, both ways. Gives the public ids of the hidden studies and patients.
    """
    alpha, beta = Study.objects.get(slug="alpha"), Study.objects.get(slug="beta")
    drug = JAKInhibitor.objects.get(slug=DRUG)
    studies = [
        make_study(
            world.collection,
            f"{MARK}-{state}",
            state=state,
            **marked(Study, registered_inhibitor=drug),
        )
        for state in STATES
    ]
    people = [make_patient(study, f"{study.slug}-1", **marked(Patient)) for study in studies]
    people += [
        make_patient(alpha, f"{MARK}-{state}-2", state=state, **marked(Patient)) for state in STATES
    ]
    review = Review.objects.get(slug="sener-2025")
    for study in studies:
        alpha.may_share_patients_with.add(study)
        study.may_share_patients_with.add(alpha, beta)
        ReviewInclusion.objects.create(review=review, study=study, status="yes")
    ReviewInclusion.objects.create(review=review, study=alpha, status="yes")
    unseen = [give_course(person, DRUG, marked) for person in people]
    unseen += [give_group(study, DRUG, marked) for study in studies]
    shown = [
        give_course(make_patient(beta, f"seen-{i}", same_as=each), "tofacitinib", plainly)
        for i, each in enumerate(people)
    ]
    shown.append(give_group(beta, "tofacitinib", plainly))
    for subject, record in [pair for records in unseen for pair in records.items()]:
        note(alpha, subject, record)
    for study, (subject, record) in product(
        studies, [pair for records in shown for pair in records.items()]
    ):
        note(study, subject, record)
    # A second published report that leads to a hidden one; a report that leads to a published one
    # by way of a hidden one; and a hidden report of somebody who is seen.
    make_treatment(make_patient(beta, "seen-0-again", same_as=people[0]))
    between = make_patient(
        alpha, f"{MARK}-between", state="draft", same_as=Patient.objects.get(slug="alpha-2")
    )
    make_treatment(make_patient(beta, "alpha-2-again", same_as=between))
    make_treatment(
        make_patient(studies[0], f"{MARK}-3", same_as=Patient.objects.get(slug="alpha-3"))
    )
    return [*Study.objects.filter(slug__startswith=MARK).values_list("slug", flat=True)] + [
        *Patient.objects.filter(slug__startswith=MARK).values_list("slug", flat=True)
    ]


PEOPLE = 5 + 4  # the drawn world's, and one for each `seen-n`


# Every address


def addresses(collection) -> list[str]:
    """Every address of a collection, and those that ask for all there is to see on them."""
    found = [
        reverse(name, args=each)
        for name, several in arguments(collection.slug).items()
        for each in several
    ]
    compared = ("compare_file", "compare_file_metadata", "api_compare")
    for name in compared:
        found.remove(reverse(name, args=[collection.slug]))
    base = f"/{collection.slug}/"
    both = "?a=inhibitor%3Dtofacitinib&b=inhibitor%3Dbaricitinib"
    return [
        *found,
        f"{base}compare/{both}",
        *(f"{reverse(name, args=[collection.slug])}{both}" for name in compared),
        f"{base}charts/?{'&'.join(f'chart={name}' for name in CHARTS)}",
        f"{base}similar/?sex=female&age=40",
        *(f"{base}forest/?item={item}" for item in summaries.forest_items(Question(collection))),
        *(f"{base}rules/?rule={rule}" for rule in ALL_RULES),
    ]


def text_in(response) -> str:
    """All that an answer says; archives, workbooks and databases unpacked."""
    content = response.getvalue() if response.streaming else response.content
    if is_zipfile(io.BytesIO(content)):
        with ZipFile(io.BytesIO(content)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        return "\n".join(
            str(parquet.read_table(io.BytesIO(file)).to_pylist())
            if name.endswith(".parquet")
            else file.decode()
            for name, file in files.items()
        )
    if content.startswith(b"SQLite format 3"):
        with closing(sqlite3.connect(":memory:")) as database:
            database.deserialize(content)
            return "\n".join(database.iterdump())
    return content.decode()


def test_every_address_is_looked_at(world):
    assert names(get_resolver().url_patterns) == set(arguments("world"))


def test_what_is_hidden_shows_nowhere_and_no_link_leads_to_it(client, world, hidden, monkeypatch):
    # which name the hidden records, to curators
    monkeypatch.setattr(releasing, "integrity_issues", list)
    releasing.make_release("With links to what is hidden.")
    asked, left = set(), addresses(world.collection)
    while left:
        address = left.pop()
        asked.add(address)
        response = client.get(address)
        assert response.status_code == 200, address
        text = text_in(response)
        assert MARK not in text.lower(), (
            address,
            text[max(0, text.lower().index(MARK) - 200) :][:400],
        )
        if response["Content-Type"].startswith("text/html"):
            links = {unescape(each) for each in re.findall(r'href="(/world/[^"?#]*)["#]', text)}
            left += sorted(links - asked - set(left))
    assert len(asked) > 150


def statuses(client, world, slug: str) -> dict[str, set[int]]:
    """How each address answers that a record of this slug would have; none says more than ids."""
    found = {}
    for address in (
        "patients/{}/",
        "patients/{}/phenopacket.json",
        "studies/{}/",
        "studies/{}.ris",
    ):
        response = client.get(world.address(address.format(slug)))
        ids = rf"{MARK}-(withdrawn-2|withdrawn-1|withdrawn|3)\b"
        said = text_in(response).lower()
        assert MARK not in (re.sub(ids, "", said) if response.status_code == 410 else said)
        found[address.split("/")[0]] = found.get(address.split("/")[0], set()) | {
            response.status_code
        }
    return found


def test_hidden_records_have_no_address_and_are_found_by_no_search(client, world, hidden):
    """What was seen before it was withdrawn is gone (410), by itself or with its study."""
    for slug in hidden:
        record = Patient.objects.filter(slug=slug).first() or Study.objects.get(slug=slug)
        gone = record.was_published
        assert gone == (slug in (f"{MARK}-withdrawn", f"{MARK}-withdrawn-1", f"{MARK}-withdrawn-2"))
        expected = {"patients": {404}, "studies": {404}}
        if gone:
            expected["studies" if isinstance(record, Study) else "patients"] = {410}
        assert statuses(client, world, slug) == expected, slug
    for noun in TABLES:
        assert rows(client, world.address(f"{noun}.csv?q={MARK}")) == []
    drug = client.get(f"/inhibitors/{DRUG}/")
    assert world.collection.name not in [
        linked.found.count.collection.name for linked in drug.context["results"]
    ]
    assert MARK not in text_in(drug).lower()


def rows(client, address: str) -> list[dict]:
    return list(DictReader(io.StringIO(client.get(address).getvalue().decode("utf-8-sig"))))


def test_nobody_is_lost_or_counted_twice(client, world, hidden, engine):
    listed = rows(client, world.address("patients.csv"))
    assert len(listed) == PEOPLE
    assert {row["patient"] for row in listed} == {
        each.slug for each in plain.counted(world.collection)
    }
    assert {"seen-0", "seen-1", "seen-2", "seen-3", "alpha-2"} <= {row["patient"] for row in listed}
    reports = {row["study"]: row["patients"] for row in rows(client, world.address("studies.csv"))}
    assert reports == {"alpha": "4", "beta": "8"}
    answers = client.get("/api/v1/world/patients/").json()
    assert (answers["count"], len(answers["results"])) == (PEOPLE, PEOPLE)
    assert client.get("/api/v1/world/summary/").json()["totals"]["patients"] == PEOPLE
    assert client.get(world.address()).context["totals"].patients == PEOPLE
    assert client.get(world.address("patients/")).context["listing"].total == PEOPLE
    front = client.get("/").context["overview"]
    assert {each.collection.slug: each.patients for each in front}["world"] == PEOPLE
    assert (
        len(json.loads(client.get(world.address("phenopackets.json")).getvalue())["members"])
        == PEOPLE
    )
    assert len(client.get(world.address("patients.jsonl")).getvalue().splitlines()) == PEOPLE
    with ZipFile(io.BytesIO(client.get(world.address("bundle.zip")).getvalue())) as archive:
        assert archive.read("patients.csv").count(b"\r\n") == PEOPLE + 1


def test_a_case_says_which_report_counts_among_those_that_are_shown(client, world, hidden):
    def told(slug: str) -> str:
        return " ".join(
            re.sub(
                r"<[^>]+>", " ", client.get(world.address(f"patients/{slug}/")).content.decode()
            ).split()
        )

    assert "Also reported as seen-0-again (beta); counted once, here." in told("seen-0")
    assert "The same person as seen-0 , whose record counts" in told("seen-0-again")
    assert "The same person as alpha-2 , whose record counts" in told("alpha-2-again")
    assert "same person" not in told("alpha-3") and "reported as" not in told("alpha-3")


# One person, several reports


@pytest.mark.parametrize("seed", range(8))
def test_each_person_counts_once_whatever_the_links(db, engine, seed):
    """Chains, circles, stars; through hidden reports and into another collection: any link
    anywhere.
    """
    drawn = random.Random(seed)
    here, elsewhere = make_collection(), make_collection()
    studies = [
        make_study(here),
        make_study(here, state=drawn.choice(STATES)),
        make_study(elsewhere),
    ]
    reports = []
    for _ in range(14):
        study = drawn.choices(studies, [6, 2, 1])[0]
        reports.append(make_patient(study, state=drawn.choice(["published", "published", *STATES])))
        if drawn.random() < 0.9:
            make_treatment(reports[-1])
    for report in reports:
        if drawn.random() < 0.6:
            other = drawn.choice([each for each in reports if each != report])
            Patient.objects.filter(pk=report.pk).update(same_as=other)
    for collection in (here, elsewhere):
        people = [
            [each for each in person if plain.is_seen(each) and each.treatments.exists()]
            for person in plain.persons(collection)
        ]
        people = [shown for shown in people if shown]
        (totals,) = summaries.run_summaries(summaries.cohort_totals(Question(collection)))
        assert totals.patients == len(people)
        counted = set(Patient.objects.within(collection).counted())
        assert [len(counted & set(shown)) for shown in people] == [1] * len(people)
        assert counted == set(plain.counted(collection))


# The one rule


def test_every_relation_to_what_has_a_state_is_a_part_or_a_link_looked_after():
    """A new relation to a study, or to what is in one, has to say what publication means for it."""
    links = {
        (Patient, "same_as"),
        (Study, "may_share_patients_with"),
        (Patient, "replaced_by"),
        (Study, "replaced_by"),
    }
    kinds = {each for each in all_kinds(Keyed) if not each._meta.abstract}
    bound = {each for each in kinds if depends(each)}
    found = {
        (kind, field.name)
        for kind in kinds
        for field in (*kind._meta.concrete_fields, *kind._meta.many_to_many)
        if field.related_model in bound
    }
    assert found - links == {(kind, name) for kind in kinds for name in kind.PART_OF}
    assert links <= found


def all_kinds(model):
    for each in model.__subclasses__():
        yield each
        yield from all_kinds(each)


def depends(kind) -> bool:
    """Whether a record of this kind has a publication state, its own or that of something it is
    part of.
    """
    own = any(field.name == "state" for field in kind._meta.concrete_fields)
    return own or any(depends(kind._meta.get_field(name).related_model) for name in kind.PART_OF)

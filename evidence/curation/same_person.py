"""Patients of a study in work who may be people that another study reports too.

Nobody is linked by this: it proposes whom to compare before `Patient.same_as` is filled.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ..models import Collection, Patient
from ..models.choices import Presence, Sex, Subset
from .documents import Document, study_record

AGE_SPAN = 1  # years: reports of one person are often a year apart


@dataclass(frozen=True)
class Person:
    """What two reports of one person would agree in."""

    slug: str
    study: str
    sex: str
    age: int
    subset: str
    inhibitors: frozenset[str]
    indications: frozenset[str]
    autoantibodies: frozenset[str]


@dataclass(frozen=True)
class LikelySame:
    """Two reports that agree in sex, age, drug and something more, and differ in nothing known."""

    patient: str
    other: str
    other_study: str
    agreement: tuple[str, ...]


def likely_same(document: Document, collection: Collection) -> list[LikelySame]:
    """Pairs of a patient of the document and one of another study of the collection."""
    study = study_record(document)["fields"]["slug"]
    others = [one for one in stored_people(collection) if one.study != study]
    return [
        LikelySame(mine.slug, other.slug, other.study, agreement)
        for mine in people_of(document)
        for other in others
        if (agreement := agreement_of(mine, other))
    ]


def agreement_of(mine: Person, other: Person) -> tuple[str, ...]:
    """In what two reports agree, if that is enough to look at them; empty otherwise."""
    if mine.sex != other.sex or abs(mine.age - other.age) > AGE_SPAN:
        return ()
    if not mine.inhibitors & other.inhibitors:
        return ()
    subsets = {mine.subset, other.subset} - {Subset.UNKNOWN, ""}
    if len(subsets) == 2:
        return ()
    more = []
    if len(subsets) == 1 and mine.subset == other.subset:
        more.append("disease subset")
    if mine.indications & other.indications:
        more.append("indication")
    if mine.autoantibodies & other.autoantibodies:
        more.append("autoantibody")
    return ("sex", "age", "drug", *more) if more else ()


def stored_people(collection: Collection) -> Iterator[Person]:
    """The patients of a collection of whom sex and age are known, drafts included."""
    patients = (
        Patient.objects.filter(study__collection=collection, age_years__isnull=False)
        .exclude(sex=Sex.UNKNOWN)
        .select_related("study")
        .prefetch_related(
            "treatments__inhibitor",
            "treatments__indications",
            "autoantibody_records__autoantibody",
        )
        .order_by("slug")
    )
    for patient in patients:
        courses = patient.treatments.all()
        yield Person(
            patient.slug,
            patient.study.slug,
            patient.sex,
            patient.age_years,
            patient.subset,
            frozenset(course.inhibitor.slug for course in courses),
            frozenset(term.code for course in courses for term in course.indications.all()),
            frozenset(
                record.autoantibody.code
                for record in patient.autoantibody_records.all()
                if record.status == Presence.PRESENT
            ),
        )


def people_of(document: Document) -> Iterator[Person]:
    """The patients of a document of whom sex and age are entered."""
    study = study_record(document)["fields"]["slug"]
    parts: dict[str, list[dict]] = {}
    for record in document:
        owner = record["fields"].get("patient")
        if owner and record["model"] != "evidence.provenance":
            parts.setdefault(owner[0], []).append(record)
    for record in document:
        fields = record["fields"]
        if record["model"] != "evidence.patient":
            continue
        sex, age = fields.get("sex"), fields.get("age_years")
        if not sex or not isinstance(age, int):
            continue
        own = parts.get(fields.get("slug"), [])
        courses = [one["fields"] for one in own if one["model"] == "evidence.treatment"]
        found = [one["fields"] for one in own if one["model"] == "evidence.patientautoantibody"]
        yield Person(
            fields["slug"],
            study,
            sex,
            age,
            fields.get("subset", ""),
            frozenset(course["inhibitor"][0] for course in courses if course.get("inhibitor")),
            frozenset(term[0] for course in courses for term in course.get("indications", ())),
            frozenset(
                one["autoantibody"][0]
                for one in found
                if one.get("status", Presence.PRESENT) == Presence.PRESENT
            ),
        )

"""Patients as GA4GH Phenopackets, version 2: one patient, or all of a question as a cohort.

Made as plain values by the published schema (https://phenopacket-schema.readthedocs.io, version 2.0); the tests read
them with the standard's own library. Unknown is left out, never written as absent. What the standard has no place for
is in LOSSES, which the data dictionary shows.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC

from django.db.models import Prefetch

from .choices import Presence, Response, Sex, Subset, YesNo
from .filters import courses, in_words
from .models import (
    AdverseEventCategory,
    Autoantibody,
    Indication,
    JAKInhibitor,
    Manifestation,
    Patient,
    PatientAutoantibody,
    PatientManifestation,
    Study,
    Treatment,
)
from .models.treatment import SET_SEPARATOR
from .questions import Question
from .releases import Standing, standing
from .steady import steady
from .vocabulary import Vocabulary

BATCH = 500  # patients read at a time
SCHEMA_VERSION = "2.0"
DISEASE = ("systemic-sclerosis", "Systemic sclerosis")
SEXES = {Sex.FEMALE.value: "FEMALE", Sex.MALE.value: "MALE"}

LOSSES = [
    (
        "Two targets of one course",
        "The standard has one treatment target. Indications given together stay together as one term, such as "
        "casebook:indication.ild+skin; they are never split into two treatments.",
    ),
    (
        "Why something is missing",
        "What is not known is left out, sex is UNKNOWN_SEX. Why it is missing cannot be said.",
    ),
    (
        "That none was found",
        "“No adverse event, as stated” and “no prior therapy, as stated” look the same as nothing known. Only features "
        "can be excluded.",
    ),
    (
        "When the age was",
        "The age a source gives stands as the time of the last encounter, which has no other place; the source "
        "may mean another day.",
    ),
    (
        "Prior and concomitant therapies",
        "Left out: without dates the standard would show them as treatments among the others, not as earlier or "
        "parallel ones.",
    ),
    (
        "Dose and duration",
        "Left out: doses are kept as the source writes them, and the standard wants quantities between dates.",
    ),
    (
        "Outcomes by domain, baseline and follow-up",
        "Left out: values are counted from the start of a course, and the standard knows ages and dates only. The "
        "authors' overall verdict is the response to treatment.",
    ),
    (
        "Adverse events in detail",
        "An event is its category, once for each event; description, grade, seriousness and onset are left out.",
    ),
    ("Relapse, stopping without a reason, disease duration, comorbidities", "Left out: the standard has no place."),
    (
        "Groups",
        "Patients reported only in aggregate are in no phenopacket.",
    ),
]


def term(kind: str, code: str, label: str, established: str = "") -> dict:
    """An ontology class. Where no source has established a code, the id is Casebook's own and says so."""
    return {"id": established or f"casebook:{kind}.{code}", "label": label}


def drug(inhibitor: JAKInhibitor) -> dict:
    return term("inhibitor", inhibitor.slug, inhibitor.name, inhibitor.atc and f"ATC:{inhibitor.atc}")


def reference(study: Study, *, simulated: bool) -> dict:
    """The publication. A simulated article is none, and has no address."""
    about = study.title or study.short_name
    if simulated:
        return {"id": f"casebook:study.{study.slug}", "description": f"Simulated article, no publication: {about}"}
    known = [("DOI", study.doi), ("PMID", study.pmid), ("clinicaltrials.gov", study.nct)]
    name = next((f"{registry}:{number}" for registry, number in known if number), f"casebook:study.{study.slug}")
    return {"id": name, **({"reference": study.link} if study.link else {}), "description": about}


def evidence(study: Study, *, simulated: bool) -> list[dict]:
    """Where a feature comes from: how the source was read, and the source."""
    read = term("read", study.extraction, f"Read: {study.get_extraction_display().lower()}")
    return [{"evidenceCode": read, "reference": reference(study, simulated=simulated)}]


def resources(now: Standing, *, hpo: bool) -> list[dict]:
    """What the prefixes of terms stand for."""
    found = [
        {
            "id": "casebook",
            "name": "Casebook: terms without a code established in a source",
            "version": f"release {now.label}",
            "namespacePrefix": "casebook",
        },
        {
            "id": "atc",
            "name": "Anatomical Therapeutic Chemical classification",
            "url": "https://atcddd.fhi.no/atc_ddd_index/",
            "namespacePrefix": "ATC",
            "iriPrefix": "https://atcddd.fhi.no/atc_ddd_index/?code=",
        },
    ]
    if hpo:
        found.append(
            {
                "id": "hp",
                "name": "Human Phenotype Ontology",
                "url": "http://purl.obolibrary.org/obo/hp.owl",
                "namespacePrefix": "HP",
                "iriPrefix": "http://purl.obolibrary.org/obo/HP_",
            }
        )
    return found


class Writer:
    """Writes the phenopackets of one collection."""

    def __init__(self, question: Question, words: Vocabulary, now: Standing):
        self.question, self.words, self.now = question, words, now
        self.collection = question.collection
        self.simulated = self.collection.is_simulated

    @property
    def maker(self) -> str:
        """Who made it; of simulated records, what they are, so that no copy is without."""
        kind = f"; SIMULATED RECORDS, {self.collection.caveat}" if self.simulated else ""
        return f"Casebook, {self.collection.name}, release {self.now.label}{kind}"

    def metadata(self, references: list[dict], *, hpo: bool = True) -> dict:
        return {
            "created": self.now.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "createdBy": self.maker,
            "resources": resources(self.now, hpo=hpo),
            "phenopacketSchemaVersion": SCHEMA_VERSION,
            **({"externalReferences": references} if references else {}),
        }

    def phenopacket(self, patient: Patient, given: Iterable[Treatment]) -> dict:
        """One patient with these courses."""
        told = evidence(patient.study, simulated=self.simulated)
        features = [*self.manifestations(patient, told), *self.autoantibodies(patient, told)]
        hpo = any(feature["type"]["id"].startswith("HP:") for feature in features)
        subset = [] if patient.subset == Subset.UNKNOWN else [patient.subset, patient.get_subset_display()]
        kind, (code, label) = ("subset", subset) if subset else ("disease", DISEASE)
        return {
            "id": patient.slug,
            "subject": {
                "id": patient.slug,
                "sex": SEXES.get(patient.sex, "UNKNOWN_SEX"),
                **self.age(patient),
            },
            "phenotypicFeatures": features,
            "diseases": [{"term": term(kind, code, label if kind == "disease" else f"{DISEASE[1]}: {label}")}],
            "medicalActions": [self.action(course) for course in given],
            "metaData": self.metadata([reference(patient.study, simulated=self.simulated)], hpo=hpo),
        }

    def age(self, patient: Patient) -> dict:
        if patient.age_years is None:
            return {}
        return {"timeAtLastEncounter": {"age": {"iso8601duration": f"P{patient.age_years}Y"}}}

    def manifestations(self, patient: Patient, told: list[dict]) -> Iterator[dict]:
        for record in patient.manifestation_records.all():
            each = record.manifestation
            yield feature(term("manifestation", each.code, each.label, each.hpo), record.status, told)

    def autoantibodies(self, patient: Patient, told: list[dict]) -> Iterator[dict]:
        for record in patient.autoantibody_records.all():
            each = record.autoantibody
            yield feature(term("autoantibody", each.code, f"{each.label} positive"), record.status, told)

    def action(self, course: Treatment) -> dict:
        """One course: drug, what for, the authors' verdict, adverse events."""
        found = {"treatment": {"agent": drug(course.inhibitor)}}
        if course.indication_set:
            found["treatmentTarget"] = self.target(course)
        if course.response != Response.UNKNOWN:
            found["responseToTreatment"] = term("response", course.response, course.get_response_display())
        if events := [term("adverse-event", each.category.code, each.category.label) for each in course.events.all()]:
            found["adverseEvents"] = events
        if course.stopped == YesNo.YES and course.stop_reason:
            found["treatmentTerminationReason"] = term("stopped", "as-described", course.stop_reason)
        return found

    def target(self, course: Treatment) -> dict:
        codes = course.indication_set.split(SET_SEPARATOR)
        label = " and ".join(self.words.label("indication", code) for code in codes)
        single = next((each.hpo for each in course.indications.all()), "") if len(codes) == 1 else ""
        return term("indication", course.indication_set, label, single)

    # A cohort, in pieces

    def patients(self) -> Iterator[Patient]:
        """The patients of the question in the order of the list, each with the courses that answer it."""
        asked = courses(self.question)
        chosen = asked.select_related("inhibitor").prefetch_related("indications", "events__category")
        found = Patient.objects.with_treatment(asked).select_related("study").order_by("slug")
        return found.prefetch_related(*RECORDS, Prefetch("treatments", chosen, to_attr="asked")).iterator(BATCH)

    def cohort(self) -> Iterator[str]:
        query = self.question.query()
        about = f"{in_words(self.question, self.words)}. {self.maker}. What the standard cannot say: "
        about += "; ".join(what for what, _ in LOSSES)
        head = {"id": f"casebook-{self.collection.slug}" + (f"?{query}" if query else ""), "description": about}
        yield f'{written(head)[:-1]},"members":['
        for number, patient in enumerate(self.patients()):
            yield ("," if number else "") + written(self.phenopacket(patient, patient.asked))
        yield f'],"metaData":{written(self.metadata([]))}}}'


RECORDS = [
    Prefetch("manifestation_records", PatientManifestation.objects.select_related("manifestation")),
    Prefetch("autoantibody_records", PatientAutoantibody.objects.select_related("autoantibody")),
]


def feature(what: dict, status: str, told: list[dict]) -> dict:
    """Something looked for: present, or excluded."""
    return {"type": what, **({"excluded": True} if status == Presence.ABSENT else {}), "evidence": told}


def written(value: dict) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def phenopacket(patient: Patient, words: Vocabulary) -> str:
    """One patient whole, with every course. `patient.study.collection` is read."""
    given = patient.treatments.select_related("inhibitor").prefetch_related("indications", "events__category")
    collection = patient.study.collection
    return written(Writer(Question(collection), words, standing(collection)).phenopacket(patient, given))


def cohort(question: Question, words: Vocabulary) -> Iterator[str]:
    """The cohort of a question in pieces, all of one state of the data; memory holds a batch of patients."""
    with steady():
        yield from Writer(question, words, standing(question.collection)).cohort()


def terms_without_code() -> list[tuple[str, list[str]]]:
    """Terms whose ids are Casebook's own, by kind: no source that was read establishes a code for them."""
    kinds = [
        ("Manifestations", Manifestation.objects.filter(hpo="")),
        ("Autoantibodies", Autoantibody.objects.all()),
        ("Indications", Indication.objects.filter(hpo="")),
        ("Adverse event categories", AdverseEventCategory.objects.all()),
        ("JAK inhibitors", JAKInhibitor.objects.filter(atc="")),
    ]
    found = [(kind, [str(each) for each in records]) for kind, records in kinds]
    own = ["Systemic sclerosis and its subsets", "Combinations of indications", "Responses", "How a source was read"]
    return [*((kind, labels) for kind, labels in found if labels), ("Besides", own)]

"""The packets: cases in the standard's words."""

import json
from collections.abc import Iterator
from datetime import UTC
from itertools import islice

from ...models import Indication, Patient, Study
from ...models.choices import Extraction, Presence, Response, Sex, Subset, YesNo
from ...models.consistency import steady
from ...models.treatment import SET_SEPARATOR
from ...questions.filters import courses, in_words
from ...questions.question import Question
from ...questions.vocabulary import Vocabulary
from ..release_status import Standing, standing
from .cases import Case, Course, Sign, case_of, cases
from .limitations import LOSSES

SCHEMA_VERSION = "2.0"
DISEASE = ("systemic-sclerosis", "Systemic sclerosis")
TOGETHER = 200  # patients in a piece
# Terms of our own have no public address; names under .invalid lead nowhere (RFC 6761).
OWN_TERMS = "https://casebook.invalid/terms/"
NOT_RECORDED = "not recorded"  # the edition a code was taken from is not extracted with it
SEXES = {Sex.FEMALE.value: "FEMALE", Sex.MALE.value: "MALE"}


def term(kind: str, code: str, label: str, established: str = "") -> dict:
    """An ontology class. Where no source has established a code, the id is Casebook's own and says so."""
    return {"id": established or f"casebook:{kind}.{code}", "label": label}


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
    read = term("read", study.extraction, f"Read: {Extraction(study.extraction).label.lower()}")
    return [{"evidenceCode": read, "reference": reference(study, simulated=simulated)}]


def resources(now: Standing, *, hpo: bool) -> list[dict]:
    """What the prefixes of terms stand for. phenopacket-tools requires every field of each."""
    found = [
        {
            "id": "casebook",
            "name": "Casebook: terms without a code from a source (/data-dictionary/#phenopackets)",
            "url": OWN_TERMS,
            "version": f"release {now.label}",
            "namespacePrefix": "casebook",
            "iriPrefix": OWN_TERMS,
        },
        {
            "id": "atc",
            "name": "Anatomical Therapeutic Chemical classification",
            "url": "https://atcddd.fhi.no/atc_ddd_index/",
            "version": NOT_RECORDED,
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
                "version": NOT_RECORDED,
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
        self.hpo = dict(Indication.objects.exclude(hpo="").values_list("code", "hpo"))

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

    def phenopacket(self, case: Case) -> dict:
        """One case."""
        told = evidence(case.study, simulated=self.simulated)
        return {
            "id": case.slug,
            "subject": {"id": case.slug, "sex": SEXES.get(case.sex, "UNKNOWN_SEX"), **age(case)},
            "phenotypicFeatures": [feature(sign, told) for sign in case.signs],
            "diseases": [{"term": disease(case)}],
            "medicalActions": [self.action(course) for course in case.courses],
            "metaData": self.metadata(
                [reference(case.study, simulated=self.simulated)], hpo=any(sign.hpo for sign in case.signs)
            ),
        }

    def action(self, course: Course) -> dict:
        """One course: drug, what for, the authors' verdict, adverse events."""
        agent = term("inhibitor", course.inhibitor, course.name, course.atc and f"ATC:{course.atc}")
        found = {"treatment": {"agent": agent}}
        if course.indication_set:
            found["treatmentTarget"] = self.target(course.indication_set)
        if course.response != Response.UNKNOWN:
            found["responseToTreatment"] = term("response", course.response, Response(course.response).label)
        if course.events:
            found["adverseEvents"] = [term("adverse-event", code, label) for code, label in course.events]
        if course.stopped == YesNo.YES and course.stop_reason:
            found["treatmentTerminationReason"] = term("stopped", "as-described", course.stop_reason)
        return found

    def target(self, together: str) -> dict:
        """A set of indications, as one term."""
        codes = together.split(SET_SEPARATOR)
        label = " and ".join(self.words.label("indication", code) for code in codes)
        return term("indication", together, label, self.hpo.get(together, ""))

    def cohort(self) -> Iterator[str]:
        """The cohort in pieces of some hundred patients."""
        query, asked = self.question.query(), courses(self.question)
        about = f"{in_words(self.question, self.words)}. {self.maker}. What the standard cannot say: "
        about += "; ".join(what for what, _ in LOSSES)
        head = {"id": f"casebook-{self.collection.slug}" + (f"?{query}" if query else ""), "description": about}
        yield f'{written(head)[:-1]},"members":['
        found, between = cases(Patient.objects.with_treatment(asked), asked), ""
        while some := list(islice(found, TOGETHER)):
            yield between + ",".join(written(self.phenopacket(case)) for case in some)
            between = ","
        yield f'],"metaData":{written(self.metadata([]))}}}'


def age(case: Case) -> dict:
    if case.age_years is None:
        return {}
    return {"timeAtLastEncounter": {"age": {"iso8601duration": f"P{case.age_years}Y"}}}


def disease(case: Case) -> dict:
    """The disease, as its subset where the source names one."""
    code, label = DISEASE
    if case.subset == Subset.UNKNOWN:
        return term("disease", code, label)
    return term("subset", case.subset, f"{label}: {Subset(case.subset).label}")


def feature(sign: Sign, told: list[dict]) -> dict:
    """Something looked for: present, or excluded."""
    found = {"type": term(sign.kind, sign.code, sign.label, sign.hpo)}
    return found | ({"excluded": True} if sign.status == Presence.ABSENT else {}) | {"evidence": told}


def written(value: dict) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def phenopacket(patient: Patient, words: Vocabulary) -> str:
    """One patient whole, with every course. `patient.study.collection` is read."""
    collection = patient.study.collection
    return written(Writer(Question(collection), words, standing(collection)).phenopacket(case_of(patient)))


def cohort(question: Question, words: Vocabulary) -> Iterator[str]:
    """The cohort of a question in pieces, all of one state of the data; memory holds a batch of patients."""
    with steady():
        yield from Writer(question, words, standing(question.collection)).cohort()

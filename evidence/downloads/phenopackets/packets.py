"""The packets: cases in the standard's words."""

import json
from collections.abc import Iterator
from datetime import UTC
from itertools import islice

from ...models import Indication, Patient, Study
from ...models.choices import Presence, Response, Sex, Subset, YesNo
from ...models.consistency import consistent_read
from ...models.treatment import SET_SEPARATOR
from ...questions.filters import describe_question, matching_treatments
from ...questions.question import Question
from ...questions.vocabulary import Vocabulary
from ..release_status import ReleaseStatus, release_status
from .cases import Case, CaseTreatment, Sign, case_of, read_cases
from .limitations import LOSSES

SCHEMA_VERSION = "2.0"
DISEASE = ("systemic-sclerosis", "Systemic sclerosis")
TOGETHER = 200  # patients in a piece
# Terms of our own have no public address; names under .invalid lead nowhere (RFC 6761).
OWN_TERMS = "https://casebook.invalid/terms/"
SIMULATED = "casebook:evidence.simulated"
SIMULATED_MEANS = f"{OWN_TERMS}evidence.simulated"
NOT_RECORDED = "not recorded"  # the edition a code was taken from is not extracted with it
SEXES = {Sex.FEMALE.value: "FEMALE", Sex.MALE.value: "MALE"}


def ontology_class(kind: str, code: str, label: str, established: str = "") -> dict:
    """An ontology class. Where no source has established a code, the id is Casebook's own and says
    so.
    """
    return {"id": established or f"casebook:{kind}.{code}", "label": label}


def external_reference(study: Study, *, simulated: bool) -> dict:
    """The publication. A simulated article is none, and has no address."""
    title = study.title or study.short_name
    title = f"{title} ({study.retraction_mark})" if study.has_notice else title
    if simulated:
        return {
            "id": f"casebook:study.{study.slug}",
            "description": f"Simulated article, no publication: {title}",
        }
    registry_numbers = [("DOI", study.doi), ("PMID", study.pmid), ("clinicaltrials.gov", study.nct)]
    name = next(
        (f"{registry}:{number}" for registry, number in registry_numbers if number),
        f"casebook:study.{study.slug}",
    )
    return {"id": name, **({"reference": study.link} if study.link else {}), "description": title}


def feature_evidence(study: Study, *, simulated: bool) -> list[dict]:
    """Where a feature comes from: how the source was read, and the source."""
    evidence_code = ontology_class("read", study.reading, f"Read: {study.reading_label.lower()}")
    return [
        {"evidenceCode": evidence_code, "reference": external_reference(study, simulated=simulated)}
    ]


def metadata_resources(status: ReleaseStatus, *, hpo: bool) -> list[dict]:
    """What the prefixes of terms stand for. phenopacket-tools requires every field of each."""
    resources = [
        {
            "id": "casebook",
            "name": "Casebook: terms without a code from a source (/data-dictionary/#phenopackets)",
            "url": OWN_TERMS,
            "version": f"release {status.label}",
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
        resources.append(
            {
                "id": "hp",
                "name": "Human Phenotype Ontology",
                "url": "http://purl.obolibrary.org/obo/hp.owl",
                "version": NOT_RECORDED,
                "namespacePrefix": "HP",
                "iriPrefix": "http://purl.obolibrary.org/obo/HP_",
            }
        )
    return resources


class Writer:
    """Writes the phenopackets of one collection."""

    def __init__(self, question: Question, vocabulary: Vocabulary, status: ReleaseStatus):
        self.question, self.vocabulary, self.status = question, vocabulary, status
        self.collection = question.collection
        self.simulated = self.collection.is_simulated
        self.hpo = dict(Indication.objects.exclude(hpo="").values_list("code", "hpo"))

    @property
    def created_by(self) -> str:
        """Who made it; of simulated records, what they are, so that no copy is without."""
        kind = f"; SIMULATED RECORDS, {self.collection.caveat}" if self.simulated else ""
        return f"Casebook, {self.collection.name}, release {self.status.label}{kind}"

    def kind_of_evidence(self) -> list[dict]:
        """That records are simulated, for programs: by an id that is the same in every packet."""
        if not self.simulated:
            return []
        words = f"SIMULATED RECORDS, not of people: {self.collection.caveat}"
        return [{"id": SIMULATED, "reference": SIMULATED_MEANS, "description": words}]

    def meta_data(self, references: list[dict], *, hpo: bool = True) -> dict:
        references = [*self.kind_of_evidence(), *references]
        return {
            "created": self.status.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "createdBy": self.created_by,
            "resources": metadata_resources(self.status, hpo=hpo),
            "phenopacketSchemaVersion": SCHEMA_VERSION,
            **({"externalReferences": references} if references else {}),
        }

    def phenopacket(self, case: Case) -> dict:
        """One case."""
        evidence = feature_evidence(case.study, simulated=self.simulated)
        return {
            "id": case.slug,
            "subject": {
                "id": case.slug,
                "sex": SEXES.get(case.sex, "UNKNOWN_SEX"),
                **age_element(case),
            },
            "phenotypicFeatures": [phenotypic_feature(sign, evidence) for sign in case.signs],
            "diseases": [{"term": disease_element(case)}],
            "medicalActions": [self.medical_action(treatment) for treatment in case.treatments],
            "metaData": self.meta_data(
                [external_reference(case.study, simulated=self.simulated)],
                hpo=any(sign.hpo for sign in case.signs),
            ),
        }

    def medical_action(self, treatment: CaseTreatment) -> dict:
        """One treatment: drug, what for, the authors' verdict, adverse events."""
        agent = ontology_class(
            "inhibitor",
            treatment.inhibitor,
            treatment.name,
            treatment.atc and f"ATC:{treatment.atc}",
        )
        action = {"treatment": {"agent": agent}}
        if treatment.indication_set:
            action["treatmentTarget"] = self.treatment_target(treatment.indication_set)
        if treatment.response != Response.UNKNOWN:
            action["responseToTreatment"] = ontology_class(
                "response", treatment.response, Response(treatment.response).label
            )
        if treatment.events:
            action["adverseEvents"] = [
                ontology_class("adverse-event", code, label) for code, label in treatment.events
            ]
        if treatment.stopped == YesNo.YES and treatment.stop_reason:
            action["treatmentTerminationReason"] = ontology_class(
                "stopped", "as-described", treatment.stop_reason
            )
        return action

    def treatment_target(self, together: str) -> dict:
        """A set of indications, as one term."""
        codes = together.split(SET_SEPARATOR)
        label = " and ".join(self.vocabulary.label("indication", code) for code in codes)
        return ontology_class("indication", together, label, self.hpo.get(together, ""))

    def cohort_chunks(self) -> Iterator[str]:
        """The cohort in pieces of some hundred patients."""
        query, treatments = self.question.query(), matching_treatments(self.question)
        description = (
            f"{describe_question(self.question, self.vocabulary)}. {self.created_by}. What the "
            "standard cannot say: "
        )
        description += "; ".join(limitation for limitation, _ in LOSSES)
        head = {
            "id": f"casebook-{self.collection.slug}" + (f"?{query}" if query else ""),
            "description": description,
        }
        yield f'{json_bytes(head)[:-1]},"members":['
        cases, separator = read_cases(Patient.objects.with_treatment(treatments), treatments), ""
        while batch := list(islice(cases, TOGETHER)):
            yield separator + ",".join(json_bytes(self.phenopacket(case)) for case in batch)
            separator = ","
        yield f'],"metaData":{json_bytes(self.meta_data([]))}}}'


def age_element(case: Case) -> dict:
    if case.age_years is None:
        return {}
    return {"timeAtLastEncounter": {"age": {"iso8601duration": f"P{case.age_years}Y"}}}


def disease_element(case: Case) -> dict:
    """The disease, as its subset where the source names one."""
    code, label = DISEASE
    if case.subset == Subset.UNKNOWN:
        return ontology_class("disease", code, label)
    return ontology_class("subset", case.subset, f"{label}: {Subset(case.subset).label}")


def phenotypic_feature(sign: Sign, evidence: list[dict]) -> dict:
    """Something looked for: present, or excluded."""
    feature = {"type": ontology_class(sign.kind, sign.code, sign.label, sign.hpo)}
    return (
        feature
        | ({"excluded": True} if sign.status == Presence.ABSENT else {})
        | {"evidence": evidence}
    )


def json_bytes(value: dict) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def make_phenopacket(patient: Patient, vocabulary: Vocabulary) -> str:
    """One patient whole, with every treatment. `patient.study.collection` is read."""
    collection = patient.study.collection
    return json_bytes(
        Writer(Question(collection), vocabulary, release_status(collection)).phenopacket(
            case_of(patient)
        )
    )


def cohort_pieces(question: Question, vocabulary: Vocabulary) -> Iterator[str]:
    """The cohort of a question in pieces, all of one state of the data; memory holds a batch of
    patients.
    """
    with consistent_read():
        yield from Writer(question, vocabulary, release_status(question.collection)).cohort_chunks()

"""The packets: cases in the standard's words."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC

from ...models import OntologyCode, Patient, Study
from ...models.choices import DiseaseTerm, Presence, Response, Sex, Subset, YesNo
from ...models.consistency import consistent_read
from ...models.ontology_code import ONTOLOGIES, TERMS
from ...models.treatment import SET_SEPARATOR
from ...questions.filters import describe_question, matching_treatments
from ...questions.question import Question
from ...questions.vocabulary import Vocabulary
from ...tables.column import batched
from ..release_status import ReleaseStatus, release_status
from .cases import Case, CaseTreatment, Sign, case_of, read_cases
from .limitations import LOSSES

SCHEMA_VERSION = "2.0"
TOGETHER = 200  # patients in a piece
# Terms of our own have no public address; names under .invalid lead nowhere (RFC 6761).
OWN_TERMS = "https://casebook.invalid/terms/"
# How ids of our own name a vocabulary, where it is not by its field.
OWN_KINDS = {"adverse_event_category": "adverse-event"}
SIMULATED = "casebook:evidence.simulated"
SIMULATED_MEANS = f"{OWN_TERMS}evidence.simulated"
NOT_RECORDED = "not recorded"  # the edition a code was taken from is not extracted with it
SEXES = {Sex.FEMALE.value: "FEMALE", Sex.MALE.value: "MALE"}


def own_class(kind: str, code: str, label: str) -> dict:
    """A term of Casebook's own, which its id says."""
    return {"id": f"casebook:{kind}.{code}", "label": label}


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
    evidence_code = own_class("read", study.reading, f"Read: {study.reading_label.lower()}")
    return [
        {"evidenceCode": evidence_code, "reference": external_reference(study, simulated=simulated)}
    ]


def metadata_resources(status: ReleaseStatus, releases: dict[str, str]) -> list[dict]:
    """What the prefixes of terms stand for; phenopacket-tools requires every field of each.
    `releases` are those of the other ontologies that are used, by prefix.
    """
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
    for prefix, ontology in ONTOLOGIES.items():
        if prefix in releases:
            resources.append(
                {
                    "id": prefix.lower(),
                    "name": ontology.name,
                    "url": ontology.url,
                    "version": releases[prefix],
                    "namespacePrefix": prefix,
                    "iriPrefix": ontology.iri_prefix,
                }
            )
    return resources


class EstablishedCodes:
    """The codes other ontologies have for terms, read once, and the releases they were read in."""

    def __init__(self):
        self.by_term: dict[tuple[str, str], dict] = {}
        releases: dict[str, set[str]] = defaultdict(set)
        for code in OntologyCode.objects.select_related(*TERMS):
            self.by_term[code.subject_name, code.term_code] = {
                "id": code.code,
                "label": code.label,
            }
            releases[code.ontology.prefix].add(code.release)
        self.releases = {prefix: "; ".join(sorted(dates)) for prefix, dates in releases.items()}

    def ontology_class(self, kind: str, code: str, label: str) -> dict:
        """A term as an ontology class: under the code and the label of another ontology where a
        copy of it was read, else under an id of our own.
        """
        return self.by_term.get((kind, code)) or own_class(OWN_KINDS.get(kind, kind), code, label)

    def releases_of(self, elements: Iterable[dict]) -> dict[str, str]:
        """The releases of the ontologies that these parts of a packet use, by prefix."""
        used = prefixes_in(list(elements))
        return {prefix: dates for prefix, dates in self.releases.items() if prefix in used}


def prefixes_in(value) -> set[str]:
    """The prefixes of all ids in a part of a packet."""
    if isinstance(value, list):
        return set().union(*map(prefixes_in, value))
    if not isinstance(value, dict):
        return set()
    found = set().union(*map(prefixes_in, value.values()))
    return found | ({value["id"].partition(":")[0]} if "id" in value else set())


class Writer:
    """Writes the phenopackets of one collection."""

    def __init__(self, question: Question, vocabulary: Vocabulary, status: ReleaseStatus):
        self.question, self.vocabulary, self.status = question, vocabulary, status
        self.collection = question.collection
        self.simulated = self.collection.is_simulated
        self.codes = EstablishedCodes()

    @property
    def created_by(self) -> str:
        """Who made it; of simulated records, what they are, so that no copy is without."""
        kind = f"; SIMULATED RECORDS, {self.collection.caveat}" if self.simulated else ""
        return f"Casebook, {self.collection.name}, release {self.status.label}{kind}"

    def kind_of_evidence(self) -> list[dict]:
        """That records are simulated, for programs: by an id that is the same in every packet."""
        if not self.simulated:
            return []
        words = f"SIMULATED RECORDS, not of people; {self.collection.caveat}"
        return [{"id": SIMULATED, "reference": SIMULATED_MEANS, "description": words}]

    def meta_data(self, references: list[dict], releases: dict[str, str]) -> dict:
        references = [*self.kind_of_evidence(), *references]
        return {
            "created": self.status.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "createdBy": self.created_by,
            "resources": metadata_resources(self.status, releases),
            "phenopacketSchemaVersion": SCHEMA_VERSION,
            **({"externalReferences": references} if references else {}),
        }

    def phenopacket(self, case: Case) -> dict:
        """One case."""
        evidence = feature_evidence(case.study, simulated=self.simulated)
        features = [self.phenotypic_feature(sign, evidence) for sign in case.signs]
        diseases = [{"term": self.disease(case)}]
        actions = [self.medical_action(treatment) for treatment in case.treatments]
        return {
            "id": case.slug,
            "subject": {
                "id": case.slug,
                "sex": SEXES.get(case.sex, "UNKNOWN_SEX"),
                **age_element(case),
            },
            "phenotypicFeatures": features,
            "diseases": diseases,
            "medicalActions": actions,
            "metaData": self.meta_data(
                [external_reference(case.study, simulated=self.simulated)],
                self.codes.releases_of([*features, *diseases, *actions]),
            ),
        }

    def disease(self, case: Case) -> dict:
        """The disease, as its subset where the source names one."""
        if case.subset == Subset.UNKNOWN:
            return self.codes.by_term.get(("disease", DiseaseTerm.WHOLE)) or own_class(
                "disease", DiseaseTerm.WHOLE, DiseaseTerm.WHOLE.label
            )
        return self.codes.by_term.get(("disease", case.subset)) or own_class(
            "subset", case.subset, DiseaseTerm(case.subset).label
        )

    def phenotypic_feature(self, sign: Sign, evidence: list[dict]) -> dict:
        """Something looked for: present, or excluded."""
        feature = {"type": self.codes.ontology_class(sign.kind, sign.code, sign.label)}
        return (
            feature
            | ({"excluded": True} if sign.status == Presence.ABSENT else {})
            | {"evidence": evidence}
        )

    def medical_action(self, treatment: CaseTreatment) -> dict:
        """One treatment: drug, what for, the authors' verdict, adverse events."""
        agent = own_class("inhibitor", treatment.inhibitor, treatment.name)
        if treatment.atc:
            agent["id"] = f"ATC:{treatment.atc}"
        action = {"treatment": {"agent": agent}}
        if treatment.indication_set:
            action["treatmentTarget"] = self.treatment_target(treatment.indication_set)
        if treatment.response != Response.UNKNOWN:
            action["responseToTreatment"] = own_class(
                "response", treatment.response, Response(treatment.response).label
            )
        if treatment.events:
            action["adverseEvents"] = [
                self.codes.ontology_class("adverse_event_category", code, label)
                for code, label in treatment.events
            ]
        if treatment.stopped == YesNo.YES and treatment.stop_reason:
            action["treatmentTerminationReason"] = own_class(
                "stopped", "as-described", treatment.stop_reason
            )
        return action

    def treatment_target(self, together: str) -> dict:
        """A set of indications, as one term."""
        codes = together.split(SET_SEPARATOR)
        label = " and ".join(self.vocabulary.label("indication", code) for code in codes)
        return self.codes.ontology_class("indication", together, label)

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
        for batch in batched(cases, TOGETHER):
            yield separator + ",".join(json_bytes(self.phenopacket(case)) for case in batch)
            separator = ","
        yield f'],"metaData":{json_bytes(self.meta_data([], self.codes.releases))}}}'


def age_element(case: Case) -> dict:
    if case.age_years is None:
        return {}
    return {"timeAtLastEncounter": {"age": {"iso8601duration": f"P{case.age_years}Y"}}}


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

"""Cases as plain values, a batch of patients at a time: model objects refer to each other, and
would pile up.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import QuerySet

from ...models import AdverseEvent, Patient, PatientAutoantibody, PatientManifestation, Study
from ...tables.column import batched

BATCH = 1000  # patients read at a time


@dataclass(frozen=True, slots=True)
class Sign:
    """Something looked for in a patient: the vocabulary of its term, the term, present or not."""

    kind: str
    code: str
    label: str
    status: str


@dataclass(frozen=True, slots=True)
class CaseTreatment:
    """One course of a JAK inhibitor; `events` are (category's code, label), one for each event."""

    inhibitor: str
    name: str
    atc: str
    indication_set: str
    response: str
    stopped: str
    stop_reason: str
    events: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Case:
    """One patient, with some or all treatments."""

    slug: str
    sex: str
    age_years: int | None
    subset: str
    study: Study
    signs: list[Sign]
    treatments: list[CaseTreatment]


def read_cases(patients: QuerySet, treatments: QuerySet) -> Iterator[Case]:
    """The patients in the order of their ids, each with those of these treatments that are his."""
    rows = patients.order_by("slug").values_list(
        "pk", "slug", "sex", "age_years", "subset", "study"
    )
    for batch in batched(rows.iterator(chunk_size=BATCH), BATCH):
        keys = [key for key, *_ in batch]
        studies = Study.objects.select_related("collection").in_bulk({study for *_, study in batch})
        signs_by_patient, treatments_by_patient = signs_of(keys), treatments_of(keys, treatments)
        for key, *facts, study in batch:
            yield Case(*facts, studies[study], signs_by_patient[key], treatments_by_patient[key])


def signs_of(keys: list[int]) -> dict[int, list[Sign]]:
    signs = defaultdict(list)
    order = ["patient", "manifestation__position", "manifestation__code"]
    records = PatientManifestation.objects.filter(patient__among=keys).order_by(*order)
    fields = ["manifestation__code", "manifestation__label", "status"]
    for key, *facts in records.values_list("patient", *fields):
        signs[key].append(Sign("manifestation", *facts))
    order = ["patient", "autoantibody__position", "autoantibody__code"]
    records = PatientAutoantibody.objects.filter(patient__among=keys).order_by(*order)
    for key, code, label, status in records.values_list(
        "patient", "autoantibody__code", "autoantibody__label", "status"
    ):
        signs[key].append(Sign("autoantibody", code, f"{label} positive", status))
    return signs


def treatments_of(keys: list[int], treatments: QuerySet) -> dict[int, list[CaseTreatment]]:
    of_patients = treatments.filter(patient__among=keys).order_by("patient", "number")
    drug = ["inhibitor__slug", "inhibitor__name", "inhibitor__atc"]
    rows = list(
        of_patients.values_list(
            "pk", "patient", *drug, "indication_set", "response", "stopped", "stop_reason"
        )
    )
    events = defaultdict(list)
    event_records = AdverseEvent.objects.filter(
        treatment__among=[key for key, *_ in rows]
    ).order_by("treatment", "number")
    for key, code, label in event_records.values_list(
        "treatment", "category__code", "category__label"
    ):
        events[key].append((code, label))
    by_patient = defaultdict(list)
    for key, patient, *facts in rows:
        by_patient[patient].append(CaseTreatment(*facts, events[key]))
    return by_patient


def case_of(patient: Patient) -> Case:
    """One patient, with every treatment."""
    (case,) = read_cases(Patient.objects.filter(pk=patient.pk), patient.treatments.all())
    return case

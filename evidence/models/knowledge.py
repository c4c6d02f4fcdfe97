"""What it means that something is known of a course, attribute by attribute: the N of every share."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q

from ..choices import Ascertainment, Listing, Response, Sex, Subset, YesNo
from .adverse_event import AdverseEvent
from .outcome import Outcome
from .patient import PatientAutoantibody, PatientManifestation


@dataclass(frozen=True)
class Attribute:
    """An attribute of a course or of its patient; `known` is a condition on Treatment."""

    label: str
    known: Callable[[], Q]


def _of_patient(model) -> Q:
    return Q(Exists(model.objects.filter(patient=OuterRef("patient"))))


def _of_course(model, **conditions) -> Q:
    return Q(Exists(model.objects.filter(treatment=OuterRef("pk"), **conditions)))


def event_categories_known() -> Q:
    """None occurred, or the events are listed one by one."""
    listed = Q(adverse_events=Ascertainment.EVENTS) & _of_course(AdverseEvent)
    return Q(adverse_events=Ascertainment.EXPLICITLY_NONE) | listed


def seriousness_no() -> Q:
    """No serious event: none occurred, or every listed event is recorded as not serious."""
    open_or_serious = Q(Exists(AdverseEvent.objects.filter(treatment=OuterRef("pk")).exclude(serious=YesNo.NO)))
    return Q(adverse_events=Ascertainment.EXPLICITLY_NONE) | (_of_course(AdverseEvent) & ~open_or_serious)


def seriousness_yes() -> Q:
    return _of_course(AdverseEvent, serious=YesNo.YES)


def result_known() -> Q:
    return Q(Exists(Outcome.objects.filter(treatment=OuterRef("pk")).exclude(result=Response.UNKNOWN)))


ATTRIBUTES = {
    "sex": Attribute("Sex", lambda: ~Q(patient__sex=Sex.UNKNOWN)),
    "age": Attribute("Age", lambda: Q(patient__age_years__isnull=False)),
    "subset": Attribute("Disease subset", lambda: ~Q(patient__subset=Subset.UNKNOWN)),
    "disease_duration": Attribute("Disease duration", lambda: Q(patient__disease_duration_months__isnull=False)),
    "autoantibody": Attribute("Autoantibodies", lambda: _of_patient(PatientAutoantibody)),
    "manifestation": Attribute("Manifestations", lambda: _of_patient(PatientManifestation)),
    "prior": Attribute("Prior therapies", lambda: ~Q(patient__prior_status=Listing.NOT_STATED)),
    "indication": Attribute("Indications", lambda: ~Q(indication_set="")),
    "dose": Attribute("Dose", lambda: ~Q(dose="")),
    "duration": Attribute("Duration of the course", lambda: Q(duration_months__isnull=False)),
    "response": Attribute("Response (overall verdict)", lambda: ~Q(response=Response.UNKNOWN)),
    "outcome": Attribute("Result in any domain", result_known),
    "relapsed": Attribute("Relapse", lambda: ~Q(relapsed=YesNo.UNKNOWN)),
    "adverse_events": Attribute("Adverse events (any)", lambda: ~Q(adverse_events=Ascertainment.NOT_STATED)),
    "adverse_event": Attribute("Adverse event categories", event_categories_known),
    "serious": Attribute("Seriousness", lambda: seriousness_yes() | seriousness_no()),
    "year": Attribute("Year of publication", lambda: Q(patient__study__year__isnull=False)),
}

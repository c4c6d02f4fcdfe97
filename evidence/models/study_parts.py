"""What belongs to a study: the tables its document is made of."""

from django.core.exceptions import ObjectDoesNotExist

from .adverse_event import AdverseEvent
from .base import Keyed
from .group import GroupFinding, StudyGroup
from .outcome import Outcome
from .patient import Patient, PatientAutoantibody, PatientManifestation
from .provenance import Provenance
from .reported_total import ReportedTotal
from .review import ReviewInclusion
from .study import Study
from .treatment import Treatment

# In the order it is written: a record comes after those it names. The path leads from the record to
# its study.
PARTS: dict[type[Keyed], str] = {
    Study: "pk",
    ReviewInclusion: "study",
    Patient: "study",
    PatientManifestation: "patient__study",
    PatientAutoantibody: "patient__study",
    Treatment: "patient__study",
    Outcome: "treatment__patient__study",
    AdverseEvent: "treatment__patient__study",
    StudyGroup: "study",
    GroupFinding: "group__study",
    ReportedTotal: "study",
    Provenance: "study",
}


def study_of(record: Keyed) -> Study:
    """The study a record is part of."""
    path = PARTS[type(record)]
    for step in [] if path == "pk" else path.split("__"):
        record = getattr(record, step)
    return record


def needs_two_people(record) -> bool:
    """Whether a record belongs to a study of a collection where two people publish; not one that is
    not complete enough to tell.
    """
    if type(record) not in PARTS:
        return False
    try:
        return study_of(record).collection.needs_two_people
    except (ObjectDoesNotExist, AttributeError):
        return False

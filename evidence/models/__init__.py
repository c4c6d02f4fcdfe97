"""The evidence, one file per noun."""

from . import lookups  # noqa: F401 (registers what it defines)
from .adverse_event import AdverseEvent
from .appraisal import Appraisal
from .checking import CheckedCell, Choice, Judgement, SecondEntry
from .draft import Curator, Door, StudyDraft, StudyVersion
from .flow import FlowStep
from .group import GroupFinding, StudyGroup
from .knowledge import ATTRIBUTES, LISTS
from .measure import Measure
from .ontology_code import OntologyCode
from .outcome import Outcome
from .patient import Patient, PatientAutoantibody, PatientManifestation
from .provenance import Provenance
from .reference import (
    AdverseEventCategory,
    Autoantibody,
    Indication,
    JAKInhibitor,
    Manifestation,
    Therapy,
)
from .release import ArchivePart, RecordsPart, Release, ReleasedCollection, ReleasedRecords
from .reported_total import ReportedTotal
from .review import PrintedFigure, Review, ReviewInclusion
from .signature import Meaning, OpenPublication, Origin, Signature
from .study import SIMULATED_PREFIX, Collection, Study
from .suggestion import Suggestion
from .term_tree import TermTree, term_tree
from .treatment import Treatment, set_key
from .version import DataVersion, LoadedRecord

__all__ = [
    "ATTRIBUTES",
    "LISTS",
    "SIMULATED_PREFIX",
    "AdverseEvent",
    "AdverseEventCategory",
    "Appraisal",
    "ArchivePart",
    "Autoantibody",
    "CheckedCell",
    "Choice",
    "Collection",
    "Curator",
    "DataVersion",
    "Door",
    "FlowStep",
    "GroupFinding",
    "Indication",
    "JAKInhibitor",
    "Judgement",
    "LoadedRecord",
    "Manifestation",
    "Meaning",
    "Measure",
    "OntologyCode",
    "OpenPublication",
    "Origin",
    "Outcome",
    "Patient",
    "PatientAutoantibody",
    "PatientManifestation",
    "PrintedFigure",
    "Provenance",
    "RecordsPart",
    "Release",
    "ReleasedCollection",
    "ReleasedRecords",
    "ReportedTotal",
    "Review",
    "ReviewInclusion",
    "SecondEntry",
    "Signature",
    "Study",
    "StudyDraft",
    "StudyGroup",
    "StudyVersion",
    "Suggestion",
    "TermTree",
    "Therapy",
    "Treatment",
    "set_key",
    "term_tree",
]

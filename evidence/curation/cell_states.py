"""Which cells of a study somebody has to have looked at before an empty one may read “not
reported”.

The core of a patient is what the completeness page counts (`models.knowledge.ATTRIBUTES`), how
complete each list is, and what else the case page says is not known. That of the study and of its
groups is what their page says is not known.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps

from ..models.choices import Ascertainment, Extraction
from .documents import (
    LISTS_OF_RECORDS,
    NOT_REPORTED,
    STATES,
    UNREADABLE,
    UNTOUCHED,
    Document,
    by_key,
    key_of,
    study_record,
)

# Of each kind of record. A name that is no field of it is a list of records of its own.
CORE = {
    "evidence.study": ("title", "authors", "journal", "year", "country", "n_jaki"),
    "evidence.patient": (
        "sex",
        "age_years",
        "subset",
        "disease_duration_months",
        "dlco_percent",
        "classification",
        "comorbidities",
        "prior_therapies_completeness",
        "manifestations_completeness",
        "autoantibodies_completeness",
    ),
    "evidence.treatment": (
        "dose",
        "duration_months",
        "indications_completeness",
        "concomitant_therapies_completeness",
        "response",
        "relapsed",
        "adverse_events",
        "adverse_event_categories_completeness",
        "stopped",
        "outcomes",
    ),
    "evidence.outcome": ("baseline", "followup", "at_months", "result"),
    "evidence.adverseevent": ("description", "grade", "serious", "onset_months", "led_to_stop"),
    "evidence.studygroup": ("n", "subset", "dose", "indications"),
    "evidence.groupfinding": ("at_weeks", "n"),
}
OF_A_PATIENT = (
    "evidence.patient",
    "evidence.treatment",
    "evidence.outcome",
    "evidence.adverseevent",
)


@dataclass(frozen=True)
class Cell:
    """One core cell of a record and what is known of it: UNTOUCHED, a state, or “value”.

    `patient` is empty where the cell is of the study or of a group.
    """

    patient: str
    record: tuple
    field: str
    state: str

    @property
    def is_stated(self) -> bool:
        """Whether somebody said what is known: a value, or that the source does not say."""
        return self.state not in (UNTOUCHED, UNREADABLE)

    @property
    def label(self) -> str:
        """The record and the field in words."""
        model = apps.get_model(self.record[0])
        name = (
            self.field
            if self.field in LISTS_OF_RECORDS
            else model._meta.get_field(self.field).verbose_name
        )
        if not self.patient:
            return f"{' / '.join(map(str, self.record[2:]))}: {name}"
        numbers = [str(part) for part in self.record[2:]]
        course = f", {model._meta.verbose_name} {' / '.join(numbers)}" if numbers else ""
        return f"{self.record[1]}{course}: {name}"


class LookedFor:
    """Which empty cells without a state of their own somebody looked for all the same.

    Those of a patient with the tick, and what readers have been told is not reported. A tick says
    nothing of what came after it: where readers have seen the patient with it, it stands for the
    cells that were empty then.
    """

    def __init__(self, document: Document, published: Document):
        self.shown = by_key(published)
        study = study_record(published)
        self.was_in_full = bool(study) and study["fields"].get("extraction") == Extraction.FULL_TEXT
        before = self.ticked(published)
        self.new_ticks = self.ticked(document) - before
        self.old_ticks = self.ticked(document) & before

    @staticmethod
    def ticked(document: Document) -> set[str]:
        return {
            record["fields"].get("slug")
            for record in document
            if record["model"] == "evidence.patient" and record["fields"].get("looked_for")
        }

    def holds(self, key: tuple, name: str, patient: str) -> bool:
        if patient in self.new_ticks:
            return True
        shown = self.shown.get(key)
        if shown is None or not (patient in self.old_ticks if patient else self.was_in_full):
            return False
        return name not in shown["fields"] and name not in shown.get("states", {})


def core_cells(document: Document, published: Document = ()) -> Iterator[Cell]:
    """Every core cell of a study, in the order of the document. `published` is what readers see."""
    looked_for = LookedFor(document, published)
    owners = {
        name: {
            tuple(record["fields"].get(owner, ()))
            for record in document
            if record["model"] == model
        }
        for name, (model, owner) in LISTS_OF_RECORDS.items()
    }
    for record in document:
        key, fields = key_of(record), record["fields"]
        patient = key[1] if record["model"] in OF_A_PATIENT else ""
        for name in CORE.get(record["model"], ()):
            if name == "adverse_event_categories_completeness" and (
                fields.get("adverse_events") != Ascertainment.EVENTS
            ):
                continue  # there is nothing to list
            if name == "followup" and fields.get("followup_text"):
                continue  # it is said in words
            state = record.get("states", {}).get(name)
            if name in fields or (name in LISTS_OF_RECORDS and key[1:] in owners[name]):
                state = "value"
            elif state is None:
                state = NOT_REPORTED if looked_for.holds(key, name, patient) else UNTOUCHED
            yield Cell(patient, key, name, state)


def unstated_cells(document: Document, published: Document = ()) -> list[Cell]:
    """Core cells that nobody has said anything about, or that could not be read."""
    return [cell for cell in core_cells(document, published) if not cell.is_stated]


def patients_looked_at(document: Document, published: Document = ()) -> set[str]:
    """Public ids of patients of whom every core cell is stated."""
    patients = {
        record["fields"].get("slug") for record in document if record["model"] == "evidence.patient"
    }
    return patients - {cell.patient for cell in unstated_cells(document, published)}


def is_rest_looked_at(document: Document, published: Document = ()) -> bool:
    """Whether every core cell of the study itself and of its groups is stated."""
    return all(cell.patient for cell in unstated_cells(document, published))


def state_words(state: str) -> str:
    """A state in words for a curator."""
    return STATES.get(state, state)

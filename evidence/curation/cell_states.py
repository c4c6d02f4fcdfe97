"""Which cells of a study somebody has to have looked at before an empty one may read “not
reported”.

The core of a patient is what the completeness page counts (`models.knowledge.ATTRIBUTES`), how
complete each list is, and what else the case page says is not known.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps

from ..models.choices import Ascertainment
from .documents import (
    LISTS_OF_RECORDS,
    NOT_REPORTED,
    STATES,
    UNREADABLE,
    UNTOUCHED,
    Document,
    field_in_words,
    key_of,
)

# Of each kind of record. A name that is no field of it is a list of records of its own.
CORE = {
    "evidence.patient": (
        "sex",
        "age_years",
        "subset",
        "disease_duration_months",
        "dlco_percent",
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
    "evidence.outcome": ("result", "at_months"),
    "evidence.adverseevent": ("serious",),
}


@dataclass(frozen=True)
class Cell:
    """One core cell of a record and what is known of it: UNTOUCHED, a state, or “value”."""

    patient: str
    record: tuple
    field: str
    state: str

    @property
    def is_stated(self) -> bool:
        """Whether somebody said what is known: a value, or that the source does not say."""
        return self.state not in (UNTOUCHED, UNREADABLE)

    @property
    def owner(self) -> str:
        """The record in words."""
        model = apps.get_model(self.record[0])
        numbers = [str(part) for part in self.record[2:]]
        course = f", {model._meta.verbose_name} {' / '.join(numbers)}" if numbers else ""
        return f"{self.record[1]}{course}"

    @property
    def name(self) -> str:
        """The field in words."""
        return field_in_words(self.record[0], self.field)

    @property
    def label(self) -> str:
        """Both."""
        return f"{self.owner}: {self.name}"


def core_cells(document: Document) -> Iterator[Cell]:
    """Every core cell of a study's patients, in the order of the document."""
    with_tick = ticked(document)
    owners = {
        name: {
            tuple(record["fields"].get(owner, ()))
            for record in document
            if record["model"] == model
        }
        for name, (model, owner) in LISTS_OF_RECORDS.items()
    }
    for record in document:
        key = key_of(record)
        for name in CORE.get(record["model"], ()):
            if name == "adverse_event_categories_completeness" and (
                record["fields"].get("adverse_events") != Ascertainment.EVENTS
            ):
                continue  # there is nothing to list
            state = record.get("states", {}).get(name)
            if name in record["fields"] or (name in LISTS_OF_RECORDS and key[1:] in owners[name]):
                state = "value"
            elif state is None:
                state = NOT_REPORTED if key[1] in with_tick else UNTOUCHED
            yield Cell(key[1], key, name, state)


def unstated_cells(document: Document) -> list[Cell]:
    """Core cells that nobody has said anything about, or that could not be read."""
    return [cell for cell in core_cells(document) if not cell.is_stated]


def patients_looked_at(document: Document) -> set[str]:
    """Public ids of patients of whom every core cell is stated."""
    patients = {
        record["fields"].get("slug") for record in document if record["model"] == "evidence.patient"
    }
    return patients - {cell.patient for cell in unstated_cells(document)}


def with_ticks_settled(before: Document, after: Document) -> Document:
    """The later document, with the tick “every empty field was looked for” only where it is still
    true.

    A tick speaks of what was empty when it was set. Where a patient had it before and more core
    cells are empty now (another course, a value taken out), it is taken off, and what it covered is
    marked “not reported” cell by cell.
    """
    kept = ticked(before) & ticked(after)
    covered = {
        (cell.record, cell.field)
        for cell in core_cells(before)
        if cell.patient in kept and cell.state == NOT_REPORTED
    }
    bare = [
        {**record, "fields": without_tick(record)} if key_of(record)[1] in kept else record
        for record in after
    ]
    untouched = [cell for cell in core_cells(bare) if cell.state == UNTOUCHED]
    broken = {cell.patient for cell in untouched if (cell.record, cell.field) not in covered} & kept
    states = {}
    for cell in untouched:
        if cell.patient in broken and (cell.record, cell.field) in covered:
            states.setdefault(cell.record, {})[cell.field] = NOT_REPORTED
    settled = []
    for record in after:
        key = key_of(record)
        if record["model"] == "evidence.patient" and key[1] in broken:
            record = {**record, "fields": without_tick(record)}
        if key in states:
            record = {**record, "states": record.get("states", {}) | states[key]}
        settled.append(record)
    return settled


def ticked(document: Document) -> set[str]:
    """Public ids of patients with the tick “every empty field was looked for”."""
    return {
        record["fields"].get("slug")
        for record in document
        if record["model"] == "evidence.patient" and record["fields"].get("looked_for")
    }


def without_tick(record: dict) -> dict:
    return {name: value for name, value in record["fields"].items() if name != "looked_for"}


def state_words(state: str) -> str:
    """A state in words for a curator."""
    return STATES.get(state, state)

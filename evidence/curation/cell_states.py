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
    field_in_words,
    filled_lists,
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

    `patient` is empty where the cell is of the study itself or of a group.
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
    def owner(self) -> str:
        """The record in words."""
        model = apps.get_model(self.record[0])
        if not self.patient:
            return " / ".join(map(str, self.record[2:]))
        numbers = [str(part) for part in self.record[2:]]
        course = f", {model._meta.verbose_name} {' / '.join(numbers)}" if numbers else ""
        return f"{self.record[1]}{course}"

    @property
    def name(self) -> str:
        """The field in words."""
        return field_in_words(self.record[0], self.field)

    @property
    def label(self) -> str:
        """The record and the field in words."""
        return f"{self.owner}: {self.name}"


def core_cells(document: Document, published: Document = ()) -> Iterator[Cell]:
    """Every core cell of a study, in the order of the document. `published` is what readers see.

    An empty cell without a state of its own is “not reported” where its patient has the tick. Of
    the study itself and its groups it is where readers have been told so already: there is no tick
    for them, and the shipped files say of a whole study that it was read in full.
    """
    with_tick, told = ticked(document), told_of_no_patient(published)
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
                is_said = patient in with_tick if patient else (key, name) in told
                state = NOT_REPORTED if is_said else UNTOUCHED
            yield Cell(patient, key, name, state)


def told_of_no_patient(published: Document) -> set[tuple[tuple, str]]:
    """Empty core cells of the study itself and of its groups that readers were told are not
    reported: records and fields.
    """
    study = study_record(published) if published else None
    if not study or study["fields"].get("extraction") != Extraction.FULL_TEXT:
        return set()
    return {
        (cell.record, cell.field)
        for cell in core_cells(published)
        if not cell.patient and cell.state == UNTOUCHED
    }


def unstated_cells(document: Document, published: Document = ()) -> list[Cell]:
    """Core cells that nobody has said anything about, or that could not be read."""
    return [cell for cell in core_cells(document, published) if not cell.is_stated]


def patients_looked_at(document: Document) -> set[str]:
    """Public ids of patients of whom every core cell is stated."""
    patients = {
        record["fields"].get("slug") for record in document if record["model"] == "evidence.patient"
    }
    return patients - {cell.patient for cell in unstated_cells(document)}


def is_rest_looked_at(document: Document, published: Document) -> bool:
    """Whether every core cell of the study itself and of its groups is stated."""
    return all(cell.patient for cell in unstated_cells(document, published))


def with_ticks_settled(before: Document, after: Document) -> Document:
    """The later document, with the tick “every empty field was looked for” only where it is still
    true.

    A tick speaks of what was empty when it was set. Where a patient had it before and more core
    cells are empty now (another course, a value taken out, a list emptied), it is taken off, and
    what it covered is marked “not reported” cell by cell.
    """
    kept = ticked(before) & ticked(after)
    if not kept:
        return after
    covered = {
        (cell.record, cell.field)
        for cell in core_cells(before)
        if cell.patient in kept and cell.state == NOT_REPORTED
    } - (filled_lists(before) - filled_lists(after))
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

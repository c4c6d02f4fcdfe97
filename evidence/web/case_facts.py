"""What a record says, fact by fact, as the page of a case shows it: read from the columns that are
`on_case`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from django.db.models import Model

from ..models import Outcome, Patient, Provenance, Study
from ..models.choices import ListCompleteness, Presence
from ..models.provenance import SUBJECTS
from ..tables import Column, Table
from ..tables.column import plain_value


@dataclass
class Fact:
    """One value of a case as its page shows it: the value, or why there is none, and where it came
    from.
    """

    name: str  # of the column
    label: str
    value: str
    missing: str = ""
    sources: list[Provenance] = field(default_factory=list)
    tone: str = ""
    origin: str = ""  # where a value without a note of its own comes from
    numeric: bool = False
    side_note: str = ""  # what is said beside the value
    suggest: str = ""  # where a correction is suggested; empty where no paper says otherwise

    @property
    def unsourced(self) -> str:
        """The general source of the value, if no provenance note names a source for it."""
        return "" if self.sources else self.origin


class Sources:
    """Provenance of a case, found by record and field."""

    def __init__(self, records):
        self.by_value = defaultdict(list)
        for record in records:
            subject = next(name for name in SUBJECTS if getattr(record, f"{name}_id") is not None)
            self.by_value[subject, getattr(record, f"{subject}_id"), record.field].append(record)

    def of(self, record, name: str) -> list[Provenance]:
        subject = {"adverseevent": "adverse_event"}.get(
            record._meta.model_name, record._meta.model_name
        )
        return self.by_value.get((subject, record.pk, name), [])


HOW_WHOLE = {
    ListCompleteness.COMPLETE: "the complete list",
    ListCompleteness.PARTIAL: "listed in part: there may be more",
    ListCompleteness.NOT_STATED: "not stated whether there is more",
}


def list_in_words(labels: Iterable[str], completeness: str) -> str:
    """A list in words, with what is said of its completeness; an empty text where nothing is known
    of it.
    """
    text = ", ".join(labels)
    if completeness == ListCompleteness.NONE:
        return "none, as stated"
    return f"{text} ({HOW_WHOLE[ListCompleteness(completeness)]})" if text else ""


def labels_with_status(records: str, term: str, status: Presence) -> Callable[[Patient], list[str]]:
    """Labels of what was looked for in a patient and has this status."""

    def read_labels(patient: Patient) -> list[str]:
        records_of_patient = getattr(patient, records).all()
        return [
            str(getattr(record, term)) for record in records_of_patient if record.status == status
        ]

    return read_labels


def labels_present(records: str, term: str, field: str) -> Callable[[Patient], str]:
    """What is recorded as present, and whether there may be more."""
    read_labels = labels_with_status(records, term, Presence.PRESENT)
    return lambda patient: list_in_words(read_labels(patient), getattr(patient, field))


def labels_absent(records: str, term: str) -> Callable[[Patient], str]:
    """What was looked for and not found."""
    read_labels = labels_with_status(records, term, Presence.ABSENT)
    return lambda patient: ", ".join(read_labels(patient))


def labels_linked(terms: str, field: str) -> Callable[[Model], str]:
    """Labels of the terms a record is linked to, and whether there may be more."""
    return lambda record: list_in_words(
        (term.label for term in getattr(record, terms).all()), getattr(record, field)
    )


def measure_text(outcome: Outcome) -> str:
    return f"{outcome.measure_id} ({outcome.unit})" if outcome.unit else outcome.measure_id


def baseline_text(outcome: Outcome) -> Decimal | str | None:
    """The number, and the month it was taken at where that is known."""
    if outcome.baseline is None or outcome.baseline_month is None:
        return outcome.baseline
    return f"{plain_value(outcome.baseline)} (month {plain_value(outcome.baseline_month)})"


def followup_text(outcome: Outcome) -> Decimal | str | None:
    """The number, the words, or both."""
    if outcome.followup is None or not outcome.followup_text:
        return outcome.followup if outcome.followup is not None else outcome.followup_text or None
    return f"{plain_value(outcome.followup)}, {outcome.followup_text}"


# How a case says what is more than one field of its record. Other columns are read from the field
# they are made of.
VALUES: dict[str, dict[str, Callable]] = {
    "patients": {
        "autoantibodies_present": labels_present(
            "autoantibody_records", "autoantibody", "autoantibodies_completeness"
        ),
        "autoantibodies_absent": labels_absent("autoantibody_records", "autoantibody"),
        "manifestations_present": labels_present(
            "manifestation_records", "manifestation", "manifestations_completeness"
        ),
        "manifestations_absent": labels_absent("manifestation_records", "manifestation"),
        "prior_therapies": labels_linked("prior_therapies", "prior_therapies_completeness"),
    },
    "treatments": {
        "indications": labels_linked("indications", "indications_completeness"),
        "concomitant_therapies": labels_linked(
            "concomitant_therapies", "concomitant_therapies_completeness"
        ),
    },
    "outcomes": {"measure": measure_text, "baseline": baseline_text, "followup": followup_text},
    "adverse-events": {"category": lambda event: event.category.label},
}
# Fields whose provenance explains a column, where it is not the field of the column's name.
FIELDS = {
    "autoantibodies_present": ("autoantibodies",),
    "manifestations_present": ("manifestations",),
    "autoantibodies_absent": (),
    "manifestations_absent": (),
    "prior_therapies": ("prior_therapies", "prior_therapies_completeness"),
    "measure": ("measure", "unit"),
    "baseline": ("baseline", "baseline_month"),
    "followup": ("followup", "followup_text"),
}


def suggest_start(record: Model) -> str:
    """Where a correction of this record is suggested, up to the name of the field. It is written
    without the route table, which costs more than the row.
    """
    name, words = record._meta.model_name, ""
    if name in ("study", "studygroup", "groupfinding"):
        group = record if name == "studygroup" else getattr(record, "group", None)
        study = record if name == "study" else group.study
        noun, slug = "studies", study.slug
        words += f"group={group.slug}&" if group is not None else ""
        words += f"finding={record.number}&" if name == "groupfinding" else ""
    else:
        course = record if name == "treatment" else getattr(record, "treatment", None)
        patient = record if name == "patient" else course.patient
        noun, slug, study = "patients", patient.slug, patient.study
        words += f"course={course.number}&" if course is not None else ""
        words += f"outcome={record.number}&" if name == "outcome" else ""
        words += f"event={record.number}&" if name == "adverseevent" else ""
    return f"/{study.collection.slug}/{noun}/{slug}/suggest/?{words}field="


class Facts:
    """Makes the facts of one record, saying of each empty one what its emptiness means."""

    def __init__(self, table: Table, record: Model, study: Study, sources: Sources):
        self.table, self.record, self.sources = table, record, sources
        self.reason = study.missing_reason.label
        self.suggest = "" if study.collection.is_simulated else suggest_start(record)
        self.origin = (
            "Drawn by simulation; no source exists."
            if study.collection.is_simulated
            else f"{study.short_name}: {study.reading_label.lower()}. No note of its own."
        )

    def fact_of(self, column: Column) -> Fact:
        """The value of a column; a number without its unit."""
        read_value = VALUES[self.table.noun].get(column.name)
        value = read_value(self.record) if read_value else getattr(self.record, column.source)
        text, tone = "" if value is None else str(plain_value(value)), ""
        if column.labels and not read_value:
            tone = text if column.toned and text != column.unknown else ""
            text = (
                ""
                if text == column.unknown
                else getattr(self.record, f"get_{column.source}_display")()
            )
        fields = FIELDS.get(column.name, (column.name,))
        return Fact(
            column.name,
            column.heading_of_case,
            text,
            missing="" if text else self.reason,
            sources=[source for name in fields for source in self.sources.of(self.record, name)],
            tone=tone,
            origin=self.origin if fields else "",
            numeric=column.numeric and not isinstance(value, str),
            suggest=f"{self.suggest}{column.name}" if self.suggest else "",
        )

    def facts_listed(self, *first: str) -> list[Fact]:
        """All of them with their units, those named `first` before the others."""
        columns = sorted(self.table.case_columns, key=lambda column: column.name not in first)
        return [
            replace(fact, value=f"{fact.value} {column.unit}".strip())
            if fact.numeric and fact.value
            else fact
            for column, fact in ((column, self.fact_of(column)) for column in columns)
            if fact.value or not column.case_if_known
        ]

    def table_row(self, key: str, side_note: str = "") -> list[Fact]:
        """All of them as a row of a table. Where no value has a note, that of `key` says where they
        come from.
        """
        cells = [self.fact_of(column) for column in self.table.case_columns]
        noted = any(cell.sources for cell in cells)
        return [
            replace(cell, side_note=side_note, origin="" if noted else cell.origin)
            if cell.name == key
            else replace(cell, origin="")
            for cell in cells
        ]

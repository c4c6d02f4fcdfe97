"""A document's cells as the texts of the workbook's sheets: read, written, added, taken away.

What a sheet says of a record and what is made of a text is the workbook's, word for word; here it
is done to one document, cell by cell.
"""

import hashlib
import json
import re
from collections import defaultdict
from dataclasses import dataclass

from django.core.exceptions import ValidationError

from ...models import Collection
from ...models.choices import Method, Presence
from ..documents import (
    NOT_REPORTED,
    Document,
    by_key,
    in_order,
    is_place,
    overlaid_places,
    value_placed,
)
from .linking import SIMULATED_PREFIX
from .records import PATIENT_LISTS, presence_term, written
from .sheets import (
    COURSES,
    EVENTS,
    FINDINGS,
    GROUPS,
    LISTED_TWICE,
    OUTCOME_ROWS,
    PATIENTS,
    PLACE,
    PRESENCES,
    STUDIES,
    TOTALS,
    Column,
    Kind,
    Sheet,
)
from .values import CellError, CellReader, Reading

NR, UNREADABLE_WORD, NONE_WORD = "NR", "unreadable", "none"
SEPARATOR = " / "  # between the parts of a row's name
# The columns a row's name is made of, by the sheet's title, and others that say the same.
NAMED_BY = {
    STUDIES.title: ("slug",),
    PATIENTS.title: ("slug",),
    COURSES.title: ("patient", "number"),
    OUTCOME_ROWS.title: ("patient", "course", "number"),
    EVENTS.title: ("patient", "course", "number"),
    GROUPS.title: ("slug",),
    FINDINGS.title: ("group", "number"),
    TOTALS.title: ("number",),
}
SAID_BY_THE_PAGE = {"study", "patient_number", PLACE}
OWNER = {
    COURSES.title: PATIENTS,
    OUTCOME_ROWS.title: COURSES,
    EVENTS.title: COURSES,
    FINDINGS.title: GROUPS,
}
# How the records under one are named: by a beginning of their keys.
UNDER = {
    "evidence.patient": (
        "evidence.patientmanifestation",
        "evidence.patientautoantibody",
        "evidence.treatment",
        "evidence.outcome",
        "evidence.adverseevent",
    ),
    "evidence.treatment": ("evidence.outcome", "evidence.adverseevent"),
    "evidence.studygroup": ("evidence.groupfinding",),
}


class RowError(Exception):
    """Why there is no such row, or cannot be."""


@dataclass(frozen=True)
class Edit:
    """What somebody wrote into one cell: the row by its name, the column by its field."""

    row: str
    field: str
    text: str


def cell_columns(sheet: Sheet) -> tuple[Column, ...]:
    """The columns of a sheet that are cells of a record."""
    naming = SAID_BY_THE_PAGE.union(NAMED_BY[sheet.title])
    return tuple(one for one in sheet.columns if one.field not in naming)


def label_of(sheet: Sheet) -> str:
    return sheet.model._meta.label_lower


class DocumentCells:
    """The cells of one document. What is written stands in `document` and nowhere else."""

    def __init__(
        self,
        collection: Collection,
        slug: str,
        document: Document,
        reader: CellReader | None = None,
    ):
        self.collection, self.slug = collection, slug
        self.reader = reader or CellReader()
        self.records: dict[tuple, dict] = {}
        self.listed: dict[tuple, set[str]] = defaultdict(set)  # by model, patient and status
        self.places: dict[str, dict] = {}
        self.entered: list[dict] = []
        labels = {model._meta.label_lower: name for name, model in PRESENCES.items()}
        for key, record in by_key(document).items():
            if is_place(record):
                self.places[value_placed(record)] = record
            elif record["model"] in labels:
                name, fields = labels[record["model"]], record["fields"]
                term = fields[presence_term(name)][0]
                status = fields.get("status", Presence.PRESENT.value)
                self.listed[name, fields["patient"][0], str(status)].add(term)
            else:
                copied = dict(record["fields"])
                states = dict(record.get("states", {}))
                self.records[key] = {"model": record["model"], "fields": copied, "states": states}

    def document(self) -> Document:
        """The document as it is now."""
        records = [
            {"model": record["model"], "fields": record["fields"]}
            | ({"states": record["states"]} if record["states"] else {})
            for record in self.records.values()
        ]
        for (name, patient, status), codes in self.listed.items():
            for code in codes:
                fields = {"patient": [patient], presence_term(name): [code]}
                if status != Presence.PRESENT:
                    fields["status"] = status
                records.append({"model": PRESENCES[name]._meta.label_lower, "fields": fields})
        return in_order(records + overlaid_places(self.places.values(), self.entered))

    # -- rows

    def own_key(self, sheet: Sheet) -> tuple:
        """With what the keys of a sheet's records begin that a row's name leaves out."""
        if sheet is STUDIES:
            return (self.collection.slug,)
        return (self.collection.slug, self.slug) if sheet in (GROUPS, FINDINGS, TOTALS) else ()

    def rows(self, sheet: Sheet) -> list[str]:
        """The names of a sheet's rows, in the order of the document."""
        begins = len(self.own_key(sheet))
        keys = [key[1 + begins :] for key in self.records if key[0] == label_of(sheet)]
        return [SEPARATOR.join(map(str, key)) for key in sorted(keys, key=in_reading_order)]

    def key(self, sheet: Sheet, row: str) -> tuple:
        """The key of the record a row is. Raises RowError where the name is none of this sheet."""
        parts = [part.strip() for part in row.split(SEPARATOR.strip())]
        names = NAMED_BY[sheet.title]
        if len(parts) != len(names) or not all(parts):
            raise RowError(f"“{row}” names no row of {sheet.title}.")
        key = [
            number_of(part, row) if name in ("number", "course") else part
            for name, part in zip(names, parts, strict=True)
        ]
        return (label_of(sheet), *self.own_key(sheet), *key)

    def has(self, sheet: Sheet, row: str) -> bool:
        """Whether there is a record of this name."""
        try:
            return self.key(sheet, row) in self.records
        except RowError:
            return False

    def next_row(self, sheet: Sheet, owner: str = "") -> str:
        """The name of a new row under its owner: numbered on. Raises RowError."""
        if sheet is PATIENTS:
            return self.next_patient()
        if sheet is TOTALS:
            return str(max(map(int, self.rows(TOTALS)), default=0) + 1)
        if sheet.title not in OWNER:
            if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", owner):
                raise RowError("A group’s name has small letters, digits and hyphens: placebo.")
            return owner
        of = OWNER[sheet.title]
        if not self.has(of, owner):
            raise RowError(f"There is no {of.model._meta.verbose_name} “{owner}” in this study.")
        numbers = self.numbers_under(sheet, owner)
        return f"{owner}{SEPARATOR}{max(numbers, default=0) + 1}"

    def numbers_under(self, sheet: Sheet, owner: str) -> list[int]:
        begins = self.key(OWNER[sheet.title], owner)[1:]
        return [
            key[-1]
            for key in self.records
            if key[0] == label_of(sheet) and key[1 : len(begins) + 1] == begins
        ]

    def next_patient(self) -> str:
        prefix = SIMULATED_PREFIX if self.collection.is_simulated else ""
        begin = f"{prefix}{self.slug}-"
        numbers = [
            int(row.removeprefix(begin))
            for row in self.rows(PATIENTS)
            if row.startswith(begin) and row.removeprefix(begin).isdecimal()
        ]
        return f"{begin}{max(numbers, default=0) + 1}"

    def add(self, sheet: Sheet, row: str) -> dict:
        """A record under the name of a row, empty but for its key; as it is where there is one."""
        key = self.key(sheet, row)
        if key in self.records:
            return self.records[key]
        study, fields = [self.collection.slug, self.slug], {}
        if sheet.title in OWNER:
            owner = row.rpartition(SEPARATOR)[0]
            if not self.has(OWNER[sheet.title], owner):
                noun = OWNER[sheet.title].model._meta.verbose_name
                raise RowError(f"There is no {noun} “{owner}” in this study.")
            name = sheet.model.PART_OF[0]
            fields = {name: list(key[1:-1]), "number": key[-1]}
        elif sheet is STUDIES:
            fields = {"collection": [self.collection.slug], "slug": key[-1]}
        else:
            name = "number" if sheet is TOTALS else "slug"
            try:
                sheet.model._meta.get_field(name).run_validators(key[-1])
            except ValidationError as error:
                raise RowError(f"“{row}” is no name: {' '.join(error.messages)}") from error
            fields = {"study": study, name: key[-1]}
        self.records[key] = {"model": label_of(sheet), "fields": fields, "states": {}}
        return self.records[key]

    def remove(self, sheet: Sheet, row: str) -> None:
        """Takes a record away, with all that belongs to it. Raises RowError."""
        key = self.key(sheet, row)
        if key not in self.records:
            raise RowError(f"There is no row {row}.")
        gone = {
            other
            for other in self.records
            if other == key
            or (other[0] in UNDER.get(key[0], ()) and other[1 : len(key)] == key[1:])
        }
        for other in gone:
            del self.records[other]
        if sheet is PATIENTS:
            for listed in [one for one in self.listed if one[1] == row]:
                del self.listed[listed]
        subjects = {SUBJECT_OF[other[0]]: set() for other in gone if other[0] in SUBJECT_OF}
        for other in gone:
            if other[0] in SUBJECT_OF:
                subjects[SUBJECT_OF[other[0]]].add(other[1:])
        self.places = {
            value: record
            for value, record in self.places.items()
            if not any(
                tuple(record["fields"].get(subject, ())) in keys
                for subject, keys in subjects.items()
            )
        }

    # -- cells

    def text(self, sheet: Sheet, row: str, name: str) -> str:
        """What stands in a cell, as a curator would write it."""
        record = self.records.get(self.key(sheet, row))
        return "" if record is None else self.text_of(record, sheet.column(name), row)

    def text_of(self, record: dict, column: Column, row: str) -> str:
        value = self.kept(record, column, row)
        if value in (None, "", []):
            return empty_text(column, record["fields"], record["states"])
        if column.vocabulary is not None and column.kind != Kind.TEXT:
            labels = self.reader.spellings_of(column.vocabulary).labels
            if column.is_list:
                codes = [one if isinstance(one, str) else one[0] for one in value]
                return "; ".join(labels.get(code, code) for code in codes)
            code = value[0] if isinstance(value, list) else value
            return labels.get(code, str(code))
        if column.kind == Kind.REFERENCES:
            return "; ".join(one[-1] for one in value)
        if column.kind == Kind.REFERENCE:
            return str(value[-1])
        if column.kind == Kind.YES_NO or isinstance(value, bool):
            return "yes" if value else "no"
        return dict(column.choices).get(str(value), str(value))

    def kept(self, record: dict, column: Column, row: str):
        """The value of a cell as the document has it, of a list its codes; none where it is
        empty.
        """
        listed = PATIENT_LISTS.get(column.field)
        if listed:
            status = column.field.removeprefix(f"{listed}_")
            return sorted(self.listed.get((listed, row, status), ()))
        return record["fields"].get(column.field)

    def digest(self, sheet: Sheet, row: str, name: str) -> str:
        """The SHA-256 of what a cell says, be it a value or a state, whatever terms are called."""
        record, column = self.records[self.key(sheet, row)], sheet.column(name)
        value = self.kept(record, column, row)
        if value in (None, "", []):
            value = {"state": empty_text(column, record["fields"], record["states"])}
        if isinstance(value, list):
            value = sorted(value)
        return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()

    def place(self, sheet: Sheet, row: str, name: str) -> str:
        """Where in the source the value of a cell stands; empty where nobody has said."""
        return self.place_record(sheet, row, name).get("locator", "")

    def place_record(self, sheet: Sheet, row: str, name: str) -> dict:
        """The fields of the place of a cell's value; empty where nobody has said one."""
        column, key = sheet.column(name), self.key(sheet, row)
        if key in self.records and self.text_of(self.records[key], column, row) == NONE_WORD:
            name = column.completeness or name
        value = self.value(sheet, row, name)
        entered = (one for one in reversed(self.entered) if value_placed(one) == value)
        record = next(entered, None) or self.places.get(value)
        return record["fields"] if record else {}

    def value(self, sheet: Sheet, row: str, name: str) -> str:
        """Which value a cell is, as places are kept by."""
        return value_placed({"fields": self.subject(sheet, row, name)})

    def subject(self, sheet: Sheet, row: str, name: str) -> dict:
        return {
            sheet.subject: list(self.key(sheet, row)[1:]),
            "field": PATIENT_LISTS.get(name, name),
        }

    def write(
        self, sheet: Sheet, row: str, name: str, text: str, place: str = ""
    ) -> Reading | None:
        """Writes what a text says into a cell; a place becomes that of its value. A cell with an
        empty text is untouched again.

        Raises CellError where the text cannot be read and RowError where there is no such row; then
        nothing is changed.
        """
        column = sheet.column(name)
        reading = self.reader.read(sheet, column, text)
        if reading is None and column.required:
            raise CellError("This cell needs a value.")
        if reading is None and not self.has(sheet, row):
            return None
        record = self.add(sheet, row)
        before, stated = self.text_of(record, column, row), stated_of(record, column)
        if column.kind in (Kind.PRESENT, Kind.ABSENT) or (
            column.kind == Kind.TERMS and column.completeness
        ):
            self.write_list(record, column, row, reading)
        else:
            write_value(record, column, reading, self.collection.slug)
        changed = before != self.text_of(record, column, row)
        if sheet.subject and stated != stated_of(record, column):  # that there is none stands there
            of = sheet.column(column.completeness)
            is_none = reading is not None and reading.is_none
            self.write_place(sheet, row, of, reading if is_none else None, place)
        if column.placed and sheet.subject and (changed or place):
            has_items = reading is not None and not reading.is_none
            self.write_place(sheet, row, column, reading if has_items else None, place)
        return reading

    def write_list(self, record: dict, column: Column, row: str, reading: Reading | None) -> None:
        """A list, and what is said of a whole list in its own cell."""
        fields, states = record["fields"], record["states"]
        codes = reading.value if reading and reading.value else ()
        listed = PATIENT_LISTS.get(column.field)
        if listed:
            status = column.field.removeprefix(f"{listed}_")
            self.refuse_twice(column, listed, row, status, codes)
            self.listed[listed, row, status] = set(codes)
        elif codes:
            fields[column.field] = [[code] for code in codes]
        else:
            fields.pop(column.field, None)
        if column.kind == Kind.ABSENT:
            return
        if reading is None or codes:  # what was said of an empty list is said no more
            states.pop(column.completeness, None)
            if fields.get(column.completeness) == "none":
                del fields[column.completeness]
        elif reading.state:
            fields.pop(column.completeness, None)
            states[column.completeness] = reading.state
        elif reading.is_none:
            states.pop(column.completeness, None)
            fields[column.completeness] = "none"

    def refuse_twice(self, column: Column, listed: str, row: str, status: str, codes) -> None:
        """Raises CellError for a term that the other list has: a document names each once."""
        others = (one for one in Presence.values if one != status)
        taken = {code for one in others for code in self.listed.get((listed, row, one), ())}
        if both := [code for code in codes if code in taken]:
            labels = self.reader.spellings_of(column.vocabulary).labels
            raise CellError(LISTED_TWICE.format("; ".join(labels[code] for code in both)))

    def write_place(
        self, sheet: Sheet, row: str, column: Column, reading: Reading | None, place: str
    ) -> None:
        """The place of a value that was entered. One that is gone has none."""
        value = self.value(sheet, row, column.field)
        if reading is None or reading.state:
            self.places.pop(value, None)
            self.entered = [one for one in self.entered if value_placed(one) != value]
        elif place:
            fields = {"study": [self.collection.slug, self.slug], "locator": place}
            if reading.from_unit:
                method = {"method": Method.CONVERTED.value, "note": f"From {reading.from_unit}."}
                fields |= method
            fields |= self.subject(sheet, row, column.field)
            self.entered.append({"model": "evidence.provenance", "fields": fields})
        elif value in self.places and self.places[value]["fields"].get("checked_by"):
            fields = dict(self.places[value]["fields"])  # what somebody checked stands no more
            del fields["checked_by"]
            self.places[value] = self.places[value] | {"fields": fields}


def number_of(part: str, row: str) -> int:
    if not part.isdecimal() or not 1 <= int(part) <= 32_767:
        raise RowError(f"“{row}” names no row: “{part}” is no number.")
    return int(part)


def in_reading_order(key: tuple) -> list:
    """Patients by the numbers in their ids, as people count."""
    return [
        (int(piece), "") if piece.isdecimal() else (0, piece)
        for part in key
        for piece in re.split(r"(\d+)", str(part))
    ]


def stated_of(record: dict, column: Column):
    """What is said of how complete the list of a column is."""
    return record["fields"].get(column.completeness) if column.completeness else None


def empty_text(column: Column, fields: dict, states: dict) -> str:
    """What a cell without a value says."""
    of = column.completeness if column.kind in (Kind.TERMS, Kind.PRESENT) else ""
    state = states.get(of or column.field)
    if state:
        return NR if state == NOT_REPORTED else UNREADABLE_WORD
    return NONE_WORD if of and fields.get(of) == "none" else ""


def write_value(record: dict, column: Column, reading: Reading | None, collection: str) -> None:
    """A value or a state in one field; nothing where there is no reading, or where it is what a
    field without a value has.
    """
    fields, states = record["fields"], record["states"]
    fields.pop(column.field, None)
    states.pop(column.field, None)
    if reading is None:
        return
    if reading.state:
        states[column.field] = reading.state
        return
    value = written(column, reading.value, collection)
    if value not in ([], ""):
        fields[column.field] = value


SUBJECT_OF = {
    label_of(sheet): sheet.subject
    for sheet in (PATIENTS, COURSES, OUTCOME_ROWS, EVENTS, GROUPS, FINDINGS)
}

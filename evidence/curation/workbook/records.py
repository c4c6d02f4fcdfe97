"""Linked rows as the documents of their studies."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache

from ...models import Collection
from ...models.choices import Method, Presence
from ...models.records import written_value
from ..documents import Document
from .linking import Linked
from .rows import Row
from .sheets import (
    COURSES,
    EVENTS,
    FINDINGS,
    GROUPS,
    OUTCOME_ROWS,
    PATIENTS,
    PRESENCES,
    STUDIES,
    TOTALS,
    Column,
    Kind,
    Sheet,
)

# Columns that say which record it is, or are no field of it.
OWN_WORDS = {"study", "patient", "patient_number", "course", "group", "place", "outcomes"}
PATIENT_LISTS = {f"{name}_{status}": name for name in PRESENCES for status in Presence.values}


class Documents(Mapping):
    """The documents by the slugs of their studies. Each is made when it is asked for: the records
    of a large import would not fit into memory.
    """

    def __init__(self, collection: Collection, linked: Linked):
        self.collection, self.linked = collection.slug, linked
        self.keys_of: dict[str, dict[str, list]] = defaultdict(lambda: defaultdict(list))
        for slug in linked.studies:
            self.keys_of[slug][STUDIES.title] = [slug]
        for patient in linked.patients:
            self.keys_of[linked.study_of[patient]][PATIENTS.title].append(patient)
        for sheet, keys in (
            (COURSES, linked.courses),
            (OUTCOME_ROWS, linked.outcomes),
            (EVENTS, linked.events),
        ):
            for key in keys:
                self.keys_of[linked.study_of[key[0]]][sheet.title].append(key)
        for sheet, keys in (
            (GROUPS, linked.groups),
            (FINDINGS, linked.findings),
            (TOTALS, linked.totals),
        ):
            for key in keys:
                self.keys_of[key[0]][sheet.title].append(key)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.keys_of))

    def __len__(self) -> int:
        return len(self.keys_of)

    def __contains__(self, slug) -> bool:
        return slug in self.keys_of

    def __getitem__(self, slug: str) -> Document:
        if slug not in self.keys_of:
            raise KeyError(slug)
        return [*self.records(slug, self.keys_of[slug]), *self.places(slug, self.keys_of[slug])]

    def records(self, slug: str, keys: dict[str, list]) -> Iterator[dict]:
        """A study's records but for its places, in the order of the fixtures."""
        study = [self.collection, slug]
        linked = self.linked
        for key in keys[STUDIES.title]:
            own = {"collection": [self.collection], "slug": key}
            yield record_of(linked.studies[key], own, self.collection)
        patients = sorted(keys[PATIENTS.title])
        links = [one for one in patients if linked.patients[one].values.get("same_as")]
        for key in [*(one for one in patients if one not in links), *links]:
            own = {"study": study, "slug": key}
            yield record_of(linked.patients[key], own, self.collection)
        for name in PRESENCES:
            for key in patients:
                yield from presence_records(linked.patients[key], key, name)
        for key in sorted(keys[COURSES.title]):
            own = {"patient": [key[0]], "number": key[1]}
            yield record_of(linked.courses[key], own, self.collection)
        for sheet, rows in ((OUTCOME_ROWS, linked.outcomes), (EVENTS, linked.events)):
            for key in sorted(keys[sheet.title]):
                own = {"treatment": [key[0], key[1]], "number": key[2]}
                yield record_of(rows[key], own, self.collection)
        for key in sorted(keys[GROUPS.title]):
            own = {"study": study, "slug": key[1]}
            yield record_of(linked.groups[key], own, self.collection)
        for key in sorted(keys[FINDINGS.title]):
            own = {"group": [*study, key[1]], "number": key[2]}
            yield record_of(linked.findings[key], own, self.collection)
        for key in sorted(keys[TOTALS.title]):
            yield record_of(linked.totals[key], {"study": study, "number": key[1]}, self.collection)

    def places(self, slug: str, keys: dict[str, list]) -> Iterator[dict]:
        """Where each value of a row with a place stands, numbered on."""
        linked, number = self.linked, 0
        subjects = (
            (PATIENTS, linked.patients, lambda key: [key]),
            (COURSES, linked.courses, list),
            (OUTCOME_ROWS, linked.outcomes, list),
            (EVENTS, linked.events, list),
            (GROUPS, linked.groups, lambda key: [self.collection, *key]),
            (FINDINGS, linked.findings, lambda key: [self.collection, *key]),
        )
        for sheet, rows, subject in subjects:
            for key in sorted(keys[sheet.title]):
                row = rows[key]
                for name, unit in stated_fields(row) if row.place else ():
                    number += 1
                    fields = {
                        "study": [self.collection, slug],
                        "number": number,
                        sheet.subject: subject(key),
                        "field": name,
                        "locator": row.place,
                    }
                    if unit:
                        fields |= {"method": Method.CONVERTED.value, "note": f"From {unit}."}
                    yield {"model": "evidence.provenance", "fields": fields}


def record_of(row: Row, own: dict, collection: str) -> dict:
    """The record of one row; `own` is its key."""
    fields = dict(own)
    for name, column, default in written_columns(row.sheet):
        if name in row.values and name not in own:
            value = written(column, row.values[name], collection)
            if value != default and value not in ([], ""):
                fields[name] = value
    states = {name: state for name, state in sorted(row.states.items()) if name not in fields}
    return {"model": row.sheet.model._meta.label_lower, "fields": fields} | (
        {"states": states} if states else {}
    )


@cache
def written_columns(sheet: Sheet) -> tuple[tuple[str, Column | None, object], ...]:
    """The fields of a sheet's records, with the default that need not be written."""
    fields = {column.field: column for column in sheet.columns}
    fields |= dict.fromkeys(
        column.completeness for column in sheet.columns if column.completeness not in ("", *fields)
    )
    columns = []
    for name, column in fields.items():
        if name in OWN_WORDS or name in PATIENT_LISTS:
            continue
        field = sheet.model._meta.get_field(name)
        default = None if field.is_relation else written_value(field.get_default())
        columns.append((name, column, default))
    return tuple(columns)


def written(column: Column | None, value, collection: str):
    """A value as a document has it."""
    match column and column.kind:
        case Kind.TERM:
            return [value]
        case Kind.TERMS:
            return [[code] for code in value]
        case Kind.REFERENCES:
            return sorted([collection, slug] for slug in value)
        case Kind.REFERENCE:
            return [value]
    return written_value(value) if isinstance(value, Decimal) else value


def presence_term(name: str) -> str:
    """The field of a presence record that names its term."""
    return name.removesuffix("s").replace("autoantibodie", "autoantibody")


def presence_records(row: Row, patient: str, name: str) -> Iterator[dict]:
    """Records of what was found in a patient, and what was not."""
    model, term = PRESENCES[name], presence_term(name)
    listed = {
        code: status
        for status in Presence.values
        for code in row.values.get(f"{name}_{status}", ())
    }
    for code, status in sorted(listed.items()):
        fields = {"patient": [patient], term: [code]}
        if status != Presence.PRESENT:
            fields["status"] = status
        yield {"model": model._meta.label_lower, "fields": fields}


def stated_fields(row: Row) -> Iterator[tuple[str, str]]:
    """Fields of a row's values that have a place, as Provenance names them, with the unit they were
    converted from.
    """
    told = set()
    for column in row.sheet.columns:
        if column.field in row.values and column.placed:
            name = PATIENT_LISTS.get(column.field, column.field)
            if name not in told:
                told.add(name)
                yield name, row.converted.get(column.field, "")

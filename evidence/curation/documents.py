"""A study as one document: its records in the shape of the fixtures, and the state of each empty
cell.

A document is a list of records, `{"model": …, "fields": {…}, "states": {…}}`. `fields` has the
values that are not the field's default. `states` says of empty cells what is known of them; a cell
that stands in neither is *untouched*: nobody has said anything about it. That nothing was there is
a value (“none, as stated”, “looked for, absent”), no state.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from django.apps import apps
from django.core.exceptions import ValidationError

from ..models import PatientAutoantibody, PatientManifestation, Provenance, Study
from ..models.base import COMPLETENESS, Keyed
from ..models.choices import Presence
from ..models.records import listed_fields, record_of, with_references, written_value
from ..models.study_parts import PARTS

NOT_REPORTED = "not_reported"  # somebody looked: the source does not say
UNREADABLE = "unreadable"  # where it may stand could not be read
STATES = {NOT_REPORTED: "not reported", UNREADABLE: "unreadable"}
UNTOUCHED = "untouched"
# Records of their own that a record may be without: the model, and how it names its owner.
LISTS_OF_RECORDS = {"outcomes": ("evidence.outcome", "treatment")}

# Records that are the items of a list: the model of its owner, the list's name there, and how many
# parts of a record's key name the owner.
ITEMS_OF_LISTS = {
    "evidence.patientmanifestation": ("evidence.patient", "manifestations", 1),
    "evidence.patientautoantibody": ("evidence.patient", "autoantibodies", 1),
    "evidence.adverseevent": ("evidence.treatment", "adverse_event_categories", 2),
}
ORDER = {model._meta.label_lower: place for place, model in enumerate(PARTS)}

Document = list[dict]


def read_document(study: Study, states_from: Document = ()) -> Document:
    """What the evidence tables hold of a study.

    Tables do not know the states of empty cells; those of `states_from` are kept for cells that
    are still empty. What was said of how whole a list is does not speak of a list that has been
    emptied since. A fixed number of queries, however many records there are.
    """
    document = [
        record_of(instance)
        for model, path in PARTS.items()
        for instance in with_references(model).filter(**{path: study.pk})
    ]
    states = {key_of(record): record["states"] for record in states_from if record.get("states")}
    emptied = filled_lists(states_from) - filled_lists(document) if states else set()
    for record in document:
        key = key_of(record)
        if known := states.get(key):
            kept = {
                name: state
                for name, state in known.items()
                if name not in record["fields"] and (key, name) not in emptied
            }
            if kept:
                record["states"] = kept
    return in_order(document)


def filled_lists(document: Document) -> set[tuple[tuple, str]]:
    """Lists with something on them, each as the record and the field that says how whole it is."""
    filled = set()
    for record in document:
        key, fields = key_of(record), record["fields"]
        if record["model"] in ITEMS_OF_LISTS:
            owner, name, parts = ITEMS_OF_LISTS[record["model"]]
            if fields.get("status", Presence.PRESENT) == Presence.PRESENT:
                filled.add(((owner, *key[1 : 1 + parts]), f"{name}{COMPLETENESS}"))
        for name in names_of(apps.get_model(record["model"])):
            if name.endswith(COMPLETENESS) and fields.get(name.removesuffix(COMPLETENESS)):
                filled.add((key, name))
    return filled


def normalised(document: Iterable[dict]) -> Document:
    """A document as `read_document` would write it: no field with its default (but for parts of the
    key) or without a value, numbers in one spelling, lists in order, no state beside a value. What
    a field cannot read stays as it is.

    Raises ValidationError for a kind of record, a field or a state that a study does not have.
    """
    return in_order(normalised_record(record) for record in document)


def normalised_record(record: dict) -> dict:
    if record["model"] not in ORDER:
        raise ValidationError(f"A study has no {record['model']}.")
    model, fields = apps.get_model(record["model"]), {}
    check_names(model, record)
    for name, value in record["fields"].items():
        field = model._meta.get_field(name)
        if not field.is_relation:
            with suppress(ValidationError):  # it is said where the draft is published
                value = written_value(field.to_python(value))
            default = written_value(field.get_default())
        else:
            default = None
        if name in key_fields(model) or (value != default and value not in (None, "", [])):
            fields[name] = value
    for name in key_fields(model):
        default = written_value(model._meta.get_field(name).get_default())
        if default not in (None, ""):
            fields.setdefault(name, default)
    states = {name: state for name, state in record.get("states", {}).items() if name not in fields}
    return {"model": record["model"], "fields": canonical(fields)} | (
        {"states": states} if states else {}
    )


def check_names(model: type[Keyed], record: dict) -> None:
    """Raises ValidationError for a field that the model does not have, or for no state."""
    known = names_of(model)
    stated = record.get("states", {})
    for name in (*record["fields"], *stated):
        if name not in known and not (name in stated and name in LISTS_OF_RECORDS):
            raise ValidationError(f"A {model._meta.verbose_name} has no field {name}.")
    for name, state in stated.items():
        if state not in STATES:
            raise ValidationError(f"{name}: there is no state “{state}”.")


@cache
def names_of(model: type[Keyed]) -> frozenset[str]:
    """The fields a record of a document can have."""
    return frozenset(field.name for field in (*model._meta.concrete_fields, *listed_fields(model)))


@cache
def key_fields(model: type[Keyed]) -> tuple[str, ...]:
    """The fields that lead to the parts of a model's natural key."""
    return tuple(dict.fromkeys(path.split("__")[0] for path in model.KEY))


@cache
def key_defaults(label: str) -> tuple[tuple[str, object], ...]:
    """The same of the model with a label, each with its default."""
    model = apps.get_model(label)
    return tuple((name, model._meta.get_field(name).get_default()) for name in key_fields(model))


def key_of(record: dict) -> tuple:
    """Which record it is: its model and its natural key, as its fields spell it.

    An empty or missing part of the key has its default, as when the record is loaded.
    """
    key = []
    for step, default in key_defaults(record["model"]):
        value = record["fields"].get(step, default)
        key.extend(value if isinstance(value, list) else [value])
    return (record["model"], *key)


def in_order(document: Iterable[dict]) -> Document:
    """Records in loading order, those of one model by their keys, with those that name another of
    them last; always the same list.
    """
    return sorted(
        document,
        key=lambda record: (
            ORDER[record["model"]],
            any(record["fields"].get(name) for name in ("same_as", "replaced_by")),
            [(isinstance(part, str), part) for part in key_of(record)[1:]],
        ),
    )


def digest_of(document: Document) -> str:
    """The SHA-256 of what a document says, whatever the order of its records and fields."""
    said = [
        {"model": record["model"], "fields": canonical(record["fields"])}
        | ({"states": record["states"]} if record.get("states") else {})
        for record in in_order(document)
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def canonical(fields: dict) -> dict:
    """Fields with lists in order: a list of terms is a set."""
    return {
        name: sorted(value)
        if isinstance(value, list) and value and isinstance(value[0], list)
        else value
        for name, value in fields.items()
    }


def study_record(document: Document) -> dict | None:
    """The record of the study itself."""
    return next((record for record in document if record["model"] == "evidence.study"), None)


@dataclass(frozen=True)
class CellChange:
    """One cell that differs between two documents.

    `before` and `after` are a value, a state in words, or None where the cell is untouched. A
    record that is added or taken away has a change for each of its cells, with `record` saying so.
    """

    model: str
    key: tuple
    field: str
    before: object
    after: object
    record: str = "changed"  # or "added", "removed"

    @property
    def words(self) -> tuple[str, str]:
        """What stood there before and what stands there after, for people."""
        return self.in_words(self.before), self.in_words(self.after)

    @property
    def field_label(self) -> str:
        """The field in words."""
        return field_in_words(self.model, self.field)

    def in_words(self, cell) -> str:
        """A value of this cell for people: a choice by its label, as forms show it."""
        if isinstance(cell, bool):
            return "yes" if cell else "no"
        if isinstance(cell, str) and not isinstance(cell, CellState):
            choices = dict(choices_of(self.model, self.field))
            return str(choices.get(cell, cell))
        return cell_in_words(cell)

    @property
    def label(self) -> str:
        """The record and the field in words."""
        model = apps.get_model(self.model)
        name = f": {self.field_label}" if self.field else ""
        return f"{model._meta.verbose_name} {' / '.join(map(str, self.key))}{name}"


def field_in_words(model: str, name: str) -> str:
    """What a field is called, or a list of records that a state is said of."""
    if name in LISTS_OF_RECORDS:
        return str(apps.get_model(LISTS_OF_RECORDS[name][0])._meta.verbose_name_plural)
    return str(apps.get_model(model)._meta.get_field(name).verbose_name)


def choices_of(model: str, name: str) -> list[tuple]:
    """The choices of a field with their labels; none where it takes any value."""
    if name in LISTS_OF_RECORDS:
        return []
    return apps.get_model(model)._meta.get_field(name).flatchoices or []


def cells_of(record: dict | None) -> dict[str, object]:
    """What each cell of a record says that is not untouched: its value, or `State` in words."""
    if record is None:
        return {}
    return canonical(record["fields"]) | {
        name: CellState(state) for name, state in record.get("states", {}).items()
    }


class CellState(str):
    """The state of an empty cell, told from a value that reads the same."""

    def __repr__(self) -> str:
        return f"CellState({str(self)!r})"

    def __eq__(self, other) -> bool:
        return isinstance(other, CellState) and str(self) == str(other)

    def __ne__(self, other) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(("state", str(self)))


def cell_in_words(cell) -> str:
    """A value or a state, as `cells_of` gives it, for people."""
    if cell is None:
        return UNTOUCHED
    if isinstance(cell, CellState):
        return STATES.get(str(cell), str(cell))
    if isinstance(cell, list):
        items = [item if isinstance(item, list) else [item] for item in cell]
        joint = ", " if items and isinstance(cell[0], list) else " / "
        return joint.join(" / ".join(map(str, item)) for item in items)
    return str(cell)


def by_key(document: Document) -> dict[tuple, dict]:
    """The records of a document by their keys. Raises ValueError where two have the same."""
    records = {}
    for record in document:
        key = key_of(record)
        if key in records:
            raise ValueError(f"{key[0]} {' / '.join(map(str, key[1:]))} stands in it twice")
        records[key] = record
    return records


def differences(before: Document, after: Document) -> list[CellChange]:
    """Every cell in which two documents differ, in the order of the records."""
    old, new = by_key(before), by_key(after)
    keys = [key_of(record) for record in in_order({**old, **new}.values())]
    return [change for key in keys for change in record_changes(key, old.get(key), new.get(key))]


def record_changes(key: tuple, before: dict | None, after: dict | None) -> Iterator[CellChange]:
    kind = "added" if before is None else "removed" if after is None else "changed"
    old, new = cells_of(before), cells_of(after)
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name) or (kind != "changed"):
            yield CellChange(key[0], key[1:], name, old.get(name), new.get(name), kind)


def merged(base: Document, ours: Document, theirs: Document) -> tuple[Document, list[CellChange]]:
    """What two people made of one document, cell by cell, and the cells in which they disagree.

    A cell that only one of them changed has that one's value. Where both changed it differently
    ours stands in the result, and the cell is among the conflicts with theirs as `before` and ours
    as `after`. A record that one removed and the other changed is such a conflict and is kept.
    """
    first, second, third = by_key(base), by_key(ours), by_key(theirs)
    result, conflicts = [], []
    for key in {**first, **second, **third}:
        start, mine, other = first.get(key), second.get(key), third.get(key)
        if mine == other or other == start:
            chosen = mine
        elif mine == start:
            chosen = other
        elif mine is None or other is None:
            chosen = mine or other
            conflicts += record_changes(key, other, mine)
        else:
            chosen, disagreed = merged_record(key, start, mine, other)
            conflicts += disagreed
        if chosen is not None:
            result.append(chosen)
    return in_order(result), conflicts


def merged_record(key, start, mine, other) -> tuple[dict, list[CellChange]]:
    old, ours, theirs = cells_of(start), cells_of(mine), cells_of(other)
    cells, conflicts = {}, []
    for name in dict.fromkeys((*old, *ours, *theirs)):
        was, left, right = old.get(name), ours.get(name), theirs.get(name)
        chosen = right if left == was else left
        if left != was and right not in (was, left):
            conflicts.append(CellChange(key[0], key[1:], name, right, left))
        if chosen is not None:
            cells[name] = chosen
    return record_with(mine["model"], cells), conflicts


def record_with(model: str, cells: dict) -> dict:
    """A record of these cells; see `cells_of`."""
    states = {name: str(cell) for name, cell in cells.items() if isinstance(cell, CellState)}
    fields = {name: cell for name, cell in cells.items() if not isinstance(cell, CellState)}
    return {"model": model, "fields": fields} | ({"states": states} if states else {})


def overlaid(document: Document, entered: Document) -> Document:
    """A document with what somebody entered written over it, cell by cell.

    What was not entered stays. A state takes the place of a value and a value that of a state. What
    is listed as present or absent in a patient replaces what was listed so before. Places are kept
    once for each value, whatever number they were entered under.
    """
    records = by_key(document)
    entered_records = by_key([record for record in entered if not is_place(record)])
    for key in replaced_presences(records, entered_records):
        del records[key]
    for key, record in entered_records.items():
        cells = cells_of(records.get(key)) | cells_of(record)
        records[key] = record_with(record["model"], cells)
    places = [record for record in records.values() if is_place(record)]
    rest = [record for record in records.values() if not is_place(record)]
    return in_order(rest + overlaid_places(places, filter(is_place, entered)))


def is_place(record: dict) -> bool:
    return record["model"] == Provenance._meta.label_lower


def replaced_presences(records: dict, entered: dict) -> list[tuple]:
    """Keys of what was listed for a patient under a status for which a new list is entered."""
    models_listed = {
        model._meta.label_lower: model for model in (PatientManifestation, PatientAutoantibody)
    }

    def listed_as(record: dict) -> tuple:
        model = models_listed[record["model"]]
        status = record["fields"].get("status", model._meta.get_field("status").get_default())
        return record["model"], *record["fields"]["patient"], status

    lists = {listed_as(record) for record in entered.values() if record["model"] in models_listed}
    return [
        key
        for key, record in records.items()
        if record["model"] in models_listed and listed_as(record) in lists and key not in entered
    ]


def value_placed(record: dict) -> str:
    """Which value a place belongs to: the record it names and the field."""
    subject = {
        name: value
        for name, value in record["fields"].items()
        if name in ("patient", "treatment", "outcome", "adverse_event", "group", "finding", "field")
    }
    return json.dumps(subject, sort_keys=True)


def overlaid_places(places: Iterable[dict], entered: Iterable[dict]) -> Document:
    """Places of values, those entered in the place of earlier ones of the same value."""
    kept = {value_placed(record): record for record in places}
    number = max((record["fields"].get("number", 1) for record in kept.values()), default=0)
    for record in entered:
        value = value_placed(record)
        if value in kept:
            own = kept[value]["fields"].get("number", 1)
        else:
            number = own = number + 1
        kept[value] = record | {"fields": record["fields"] | {"number": own}}
    return list(kept.values())

"""Fixtures into the database: all or nothing, the same result every time, and curators' work kept.

For each record three versions are compared: what the fixture says now, what the fixture said when it was last
loaded (`LoadedRecord`), and what the database holds. A record a curator has changed, or removed, stays so.

Only fields the fixture names, now or then, are compared and written. What it never named is a
curator's to enter, or a column that was added later.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist, ValidationError
from django.db import DatabaseError, models, transaction

from ..models import DataVersion, LoadedRecord
from ..models.base import Keyed
from .fixture_files import BrokenFixture, FixtureRecord
from .integrity import RECORD_RULES, broken_rules

WHOLE = "*"  # the ledger's one entry for the load as a whole
EDITED = "kept as a curator edited it"
REMOVED = "kept removed, as a curator left it"
SHOWN_ERRORS = 20  # a broken file can break every record after it; the first few say why


@dataclass
class LoadReport:
    """What a load did: records by outcome, and those kept because a curator changed or removed them."""

    outcomes: Counter = field(default_factory=Counter)
    kept: list[str] = field(default_factory=list)

    @property
    def changed(self) -> int:
        return self.outcomes["new"] + self.outcomes["updated"]


def load_records(
    records: Iterable[FixtureRecord], progress: Callable[[FixtureRecord], None] = lambda record: None
) -> LoadReport:
    """Loads every record in one transaction. Raises BrokenFixture, and changes nothing, if any record is wrong."""
    records = list(records)
    report, errors, places, removed = LoadReport(), [], {}, set()
    with transaction.atomic():
        state = state_of(records)
        last = LoadedRecord.objects.filter(model=WHOLE).first()
        if last and last.digest == state:
            report.outcomes["unchanged"] = len(records)
            return report
        ledger = {(entry.model, entry.key): entry for entry in LoadedRecord.objects.all()}
        for record in records:
            progress(record)
            try:
                candidate = build_candidate(record)
                identity = (record.model, candidate.key)
                if identity in places:
                    raise RecordError(f"the same record stands in {places[identity]}")
                places[identity] = record.place
                outcome = save_if_changed(candidate, ledger.get((record.model, json.dumps(candidate.key))))
                if outcome == REMOVED:
                    removed.add(identity)
            except NoSuchRecord as error:
                if error.wanted not in removed:
                    errors.append(f"{record.place}: {error}")
                    continue
                removed.add((record.model, written_key(record)))
                outcome = "left out with the removed record it belongs to"
            except RecordError as error:
                errors.append(f"{record.place}: {error}")
                continue
            except DatabaseError as error:  # after it the transaction is of no more use
                errors.append(f"{record.place}: the database refuses it: {error}")
                break
            report.outcomes[outcome] += 1
            if outcome.startswith("kept"):
                report.kept.append(f"{record.place} {' / '.join(map(str, candidate.key))}: {outcome}")
        if not errors:
            errors = [
                f"{places[found.model, found.key]} {' / '.join(map(str, found.key))}: {found.problem}"
                for found in broken_rules(RECORD_RULES)
                if (found.model, found.key) in places
            ]
        if errors:
            raise BrokenFixture("\n".join(errors[:SHOWN_ERRORS] + first_errors(errors)))
        LoadedRecord.objects.update_or_create(model=WHOLE, key="", defaults={"digest": state_of(records)})
    return report


def state_of(records: list[FixtureRecord]) -> str:
    """A fingerprint of fixtures and database together: while it stays, there is nothing to compare.

    The data version stands for the database, since every write raises it.
    """
    written = json.dumps([[record.file, record.model, record.fields] for record in records], sort_keys=True)
    return hashlib.sha256(f"{DataVersion.current().number} {written}".encode()).hexdigest()


def first_errors(errors: list[str]) -> list[str]:
    hidden = len(errors) - SHOWN_ERRORS
    return [f"… and {hidden} more"] if hidden > 0 else []


class RecordError(Exception):
    """What is wrong with one record, naming the field."""


class NoSuchRecord(RecordError):
    """A reference to a record that is not there; `wanted` is its model's label and key."""

    def __init__(self, name: str, target, words):
        super().__init__(f"field {name}: there is no {target._meta.verbose_name} {words!r}")
        self.wanted = (target._meta.label_lower, tuple(words))


def written_key(record: FixtureRecord) -> tuple:
    """A record's natural key as its fields spell it, without asking the database for what it refers to."""
    model, words = apps.get_model(record.model), []
    for step in dict.fromkeys(path.split("__")[0] for path in model.KEY):
        value = record.fields.get(step, model._meta.get_field(step).get_default())
        words.extend(value if isinstance(value, list) else [value])
    return tuple(words)


@dataclass
class Candidate:
    """A record as the fixture describes it, not saved; to-many fields apart, as lists of primary keys.

    `named` are the fields the fixture speaks of.
    """

    record: Keyed
    key: tuple
    links: dict[str, list[int]]
    named: set[str]


def build_candidate(record: FixtureRecord) -> Candidate:
    """Turns words into a model instance. Raises RecordError for an unknown model, field, value or reference."""
    try:
        model = apps.get_model(record.model)
    except (LookupError, ValueError):
        raise RecordError("there is no such model") from None
    if not issubclass(model, Keyed):
        raise RecordError("this model is not loaded from fixtures")
    instance, links = model(), {}
    for name, value in record.fields.items():
        try:
            column = model._meta.get_field(name)
        except FieldDoesNotExist:
            raise RecordError(f"field {name}: there is no such field") from None
        if isinstance(column, models.ManyToManyField):
            links[name] = sorted(resolve_reference(column, name, words).pk for words in as_list(name, value))
        elif isinstance(column, models.ForeignKey):
            setattr(instance, name, None if value is None else resolve_reference(column, name, value))
        else:
            try:
                setattr(instance, name, column.to_python(value))
            except ValidationError as error:
                raise RecordError(f"field {name}: {' '.join(error.messages)}") from None
    try:
        return Candidate(instance, instance.natural_key(), links, set(record.fields))
    except (ObjectDoesNotExist, AttributeError):
        raise RecordError(f"it lacks a part of its key ({', '.join(model.KEY)})") from None


def as_list(name: str, value) -> list:
    if not isinstance(value, list):
        raise RecordError(f"field {name}: expected a list")
    return value


def resolve_reference(column, name: str, words) -> Keyed:
    """The record a reference names by its natural key."""
    target = column.related_model
    try:
        return target._default_manager.get_by_natural_key(*as_list(name, words))
    except (ObjectDoesNotExist, ValueError, TypeError):
        raise NoSuchRecord(name, target, words) from None


def save_if_changed(candidate: Candidate, loaded: LoadedRecord | None) -> str:
    """Creates, updates or keeps one record; says which."""
    model = type(candidate.record)
    existing = model._default_manager.filter(**dict(zip(model.KEY, candidate.key, strict=True))).first()
    if existing is None:
        if loaded is not None:
            return REMOVED
        save_candidate(candidate, candidate.record, candidate.record._meta.many_to_many)
        record_loaded(candidate, loaded)
        return "new"
    there = {each.name for each in (*model._meta.concrete_fields, *model._meta.many_to_many)}
    spoken_of = there.intersection(candidate.named.union(loaded.fields if loaded else ()))
    wanted = fingerprints(candidate.record, candidate.links, spoken_of)
    held = fingerprints(existing, held_links(existing), spoken_of)
    if held == wanted:
        record_loaded(candidate, loaded)
        return "unchanged"
    edited = EDITED if loaded and as_before(candidate, loaded) else f"{EDITED}; the fixture differs"
    if loaded is not None and not loaded.fields:  # from a version that kept no fingerprints, and edited since
        record_loaded(candidate, loaded)
        return edited
    if loaded is None or not untouched(held, wanted, loaded, fingerprints(model(), {}, spoken_of)):
        return edited
    for column in model._meta.concrete_fields:
        if column.name in spoken_of:
            setattr(existing, column.attname, getattr(candidate.record, column.attname))
    try:
        save_candidate(candidate, existing, [each for each in model._meta.many_to_many if each.name in spoken_of])
    except RecordError:
        candidate.record.pk = existing.pk
        candidate.record._state.adding = False  # so that validation does not take it for its own duplicate
        validate(candidate.record)
        return edited  # the fixture is right, but not together with what a curator entered beside it
    record_loaded(candidate, loaded)
    return "updated"


def untouched(held: dict, wanted: dict, loaded: LoadedRecord, blank: dict) -> bool:
    """Whether a stored record is as it was loaded. A field the fixture names for the first time stands
    as if nobody had entered anything, or as the fixture wants it.
    """
    expected = {name: (loaded.fields[name],) if name in loaded.fields else (blank[name], wanted[name]) for name in held}
    return all(held[name] in expected[name] for name in held)


def as_before(candidate: Candidate, loaded: LoadedRecord) -> bool:
    """Whether the fixture says what it said when it was last loaded."""
    return fingerprints(candidate.record, candidate.links, candidate.named) == loaded.fields


def save_candidate(candidate: Candidate, record: Keyed, lists: Iterable) -> None:
    """Validates and writes a record with these to-many fields of the candidate."""
    validate(record)
    record.save()
    for column in lists:
        if column.remote_field.through._meta.auto_created:
            getattr(record, column.name).set(candidate.links.get(column.name, []))


def validate(record: Keyed) -> None:
    """Raises RecordError, naming the field."""
    try:
        record.full_clean()
    except ValidationError as error:
        told = "; ".join(f"field {name}: {' '.join(texts)}" for name, texts in error.message_dict.items())
        raise RecordError(told.replace("field __all__: ", "")) from None


def record_loaded(candidate: Candidate, loaded: LoadedRecord | None) -> None:
    """Writes down what the fixture said, unless that stands there already."""
    if loaded and as_before(candidate, loaded):
        return
    entry = loaded or LoadedRecord(model=candidate.record._meta.label_lower, key=json.dumps(candidate.key))
    entry.fields = fingerprints(candidate.record, candidate.links, candidate.named)
    entry.digest = ""
    entry.save()


def held_links(record: Keyed) -> dict[str, list[int]]:
    """The to-many fields of a stored record, as `Candidate.links` writes them."""
    return {
        column.name: sorted(getattr(record, column.name).values_list("pk", flat=True))
        for column in record._meta.many_to_many
        if column.remote_field.through._meta.auto_created
    }


def fingerprints(record: Keyed, links: dict[str, list[int]], names: Iterable[str]) -> dict[str, str]:
    """A short text for the value of each of these fields; equal values have equal ones."""
    found = {}
    for name in sorted(names):
        column = record._meta.get_field(name)
        value = links.get(name, []) if column.many_to_many else canonical_value(getattr(record, column.attname))
        found[name] = hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
    return found


def canonical_value(value) -> str | None:
    """A value as text: 12 and 12.000 are one, whatever a column's type; dates are ISO texts."""
    if hasattr(value, "normalize"):
        return format(value.normalize(), "f")
    return None if value is None else str(value)

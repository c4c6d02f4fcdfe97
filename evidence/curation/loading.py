"""Fixtures into the database: all or nothing, the same result every time, and curators' work kept.

For each record three versions are compared: what the fixture says now, what the fixture said when
it was last loaded (`LoadedRecord`), and what the database holds. A record a curator has changed, or
removed, stays so.

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

from ..models import Collection, DataVersion, GroupFinding, LoadedRecord
from ..models.base import Keyed
from ..models.spellings import Spelled
from .fixture_files import BrokenFixture, FixtureRecord
from .integrity import RECORD_RULES, broken_rules
from .opening import FilesOpening

WHOLE = "*"  # the ledger's one entry for the load as a whole
EDITED = "kept as a curator edited it"
REMOVED = "kept removed, as a curator left it"
CHECKED = "kept as it was published by two people"
LEFT_OUT = "left out: two people have published its study without it"
NAMED_OTHERWISE = "kept: a curator’s own term, {}, has one of its spellings"
SHOWN_ERRORS = 20  # a broken file can break every record after it; the first few say why


@dataclass
class LoadReport:
    """What a load did: records by outcome, and those kept because a curator changed or removed
    them.
    """

    outcomes: Counter = field(default_factory=Counter)
    preserved: list[str] = field(default_factory=list)

    @property
    def changed(self) -> int:
        return self.outcomes["new"] + self.outcomes["updated"]


def load_records(
    records: Iterable[FixtureRecord],
    progress: Callable[[FixtureRecord], None] = lambda record: None,
) -> LoadReport:
    """Loads every record in one transaction. Raises BrokenFixture, and changes nothing, if any
    record is wrong.
    """
    records = list(records)
    report, errors, place_by_identity, removed = LoadReport(), [], {}, set()
    with transaction.atomic():
        state = state_of(records)
        last_load = LoadedRecord.objects.filter(model=WHOLE).first()
        if last_load and last_load.digest == state:
            report.outcomes["unchanged"] = len(records)
            return report
        opening = FilesOpening()
        ledger = {(entry.model, entry.key): entry for entry in LoadedRecord.objects.all()}
        for record in records:
            progress(record)
            try:
                candidate = build_candidate(record)
                identity = (record.model, candidate.key)
                if identity in place_by_identity:
                    raise RecordError(f"the same record stands in {place_by_identity[identity]}")
                place_by_identity[identity] = record.place
                outcome = save_if_changed(
                    candidate, ledger.get((record.model, json.dumps(candidate.key))), opening
                )
                if outcome in (REMOVED, LEFT_OUT):
                    removed.add(identity)
                if isinstance(candidate.record, Collection):
                    opening.look_again()
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
            if outcome.startswith("kept") or outcome == LEFT_OUT:
                report.preserved.append(
                    f"{record.place} {' / '.join(map(str, candidate.key))}: {outcome}"
                )
        if not errors:
            errors = [
                f"{place_by_identity[issue.model, issue.key]} {' / '.join(map(str, issue.key))}: "
                f"{issue.problem}"
                for issue in broken_rules(RECORD_RULES)
                if (issue.model, issue.key) in place_by_identity
            ]
        if errors:
            raise BrokenFixture("\n".join(errors[:SHOWN_ERRORS] + first_errors(errors)))
        LoadedRecord.objects.update_or_create(
            model=WHOLE, key="", defaults={"digest": state_of(records)}
        )
    return report


def state_of(records: list[FixtureRecord]) -> str:
    """A fingerprint of fixtures and database together: while it stays, there is nothing to compare.

    The data version stands for the database, since every write raises it.
    """
    text = json.dumps(
        [[record.file, record.model, record.fields] for record in records], sort_keys=True
    )
    return hashlib.sha256(f"{DataVersion.current().number} {text}".encode()).hexdigest()


def first_errors(errors: list[str]) -> list[str]:
    hidden = len(errors) - SHOWN_ERRORS
    return [f"… and {hidden} more"] if hidden > 0 else []


class RecordError(Exception):
    """What is wrong with one record, naming the field."""


class NoSuchRecord(RecordError):
    """A reference to a record that is not there; `wanted` is its model's label and key."""

    def __init__(self, name: str, target, natural_key):
        super().__init__(f"field {name}: there is no {target._meta.verbose_name} {natural_key!r}")
        self.wanted = (target._meta.label_lower, tuple(natural_key))


def written_key(record: FixtureRecord) -> tuple:
    """A record's natural key as its fields spell it, without asking the database for what it refers
    to.
    """
    model, key = apps.get_model(record.model), []
    for step in dict.fromkeys(path.split("__")[0] for path in model.KEY):
        value = record.fields.get(step, model._meta.get_field(step).get_default())
        key.extend(value if isinstance(value, list) else [value])
    return tuple(key)


@dataclass
class Candidate:
    """A record as the fixture describes it, not saved; to-many fields apart, as lists of primary
    keys.

    `named` are the fields the fixture speaks of.
    """

    record: Keyed
    key: tuple
    links: dict[str, list[int]]
    named: set[str]


def build_candidate(record: FixtureRecord) -> Candidate:
    """Turns words into a model instance. Raises RecordError for an unknown model, field, value or
    reference.
    """
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
            links[name] = sorted(
                resolve_reference(column, name, reference).pk for reference in as_list(name, value)
            )
        elif isinstance(column, models.ForeignKey):
            setattr(
                instance, name, None if value is None else resolve_reference(column, name, value)
            )
        else:
            try:
                setattr(instance, name, column.to_python(value))
            except ValidationError as error:
                raise RecordError(f"field {name}: {' '.join(error.messages)}") from None
    if isinstance(instance, GroupFinding):
        instance.name_known_measure()  # before it is compared with what is stored
    try:
        return Candidate(instance, instance.natural_key(), links, set(record.fields))
    except (ObjectDoesNotExist, AttributeError):
        raise RecordError(f"it lacks a part of its key ({', '.join(model.KEY)})") from None


def as_list(name: str, value) -> list:
    if not isinstance(value, list):
        raise RecordError(f"field {name}: expected a list")
    return value


def resolve_reference(column, name: str, natural_key) -> Keyed:
    """The record a reference names by its natural key."""
    target = column.related_model
    try:
        return target._default_manager.get_by_natural_key(*as_list(name, natural_key))
    except (ObjectDoesNotExist, ValueError, TypeError):
        raise NoSuchRecord(name, target, natural_key) from None


def save_if_changed(
    candidate: Candidate, loaded: LoadedRecord | None, opening: FilesOpening
) -> str:
    """Creates, updates or keeps one record; says which."""
    model = type(candidate.record)
    existing = model._default_manager.filter(
        **dict(zip(model.KEY, candidate.key, strict=True))
    ).first()
    if existing is None:
        if loaded is not None:
            return REMOVED
        if own := curators_own_term(candidate.record):
            return NAMED_OTHERWISE.format(own)
        if not opening.allows(candidate.record):
            return LEFT_OUT
        candidate.record.seen_elsewhere = True  # a withdrawn one, as the files say
        save_candidate(candidate, candidate.record, candidate.record._meta.many_to_many)
        record_loaded(candidate, loaded)
        return "new"
    field_names = {
        column.name for column in (*model._meta.concrete_fields, *model._meta.many_to_many)
    }
    named = field_names.intersection(candidate.named.union(loaded.fields if loaded else ()))
    fixture_values = field_fingerprints(candidate.record, candidate.links, named)
    stored_values = field_fingerprints(existing, held_links(existing), named)
    if stored_values == fixture_values:
        record_loaded(candidate, loaded)
        return "unchanged"
    edited = EDITED if loaded and as_before(candidate, loaded) else f"{EDITED}; the fixture differs"
    # from a version that kept no fingerprints, and edited since
    if loaded is not None and not loaded.fields:
        record_loaded(candidate, loaded)
        return edited
    if loaded is None or not is_untouched(
        stored_values, fixture_values, loaded, field_fingerprints(model(), {}, named)
    ):
        return edited
    candidate.record.pk = existing.pk
    if own := curators_own_term(candidate.record):
        return NAMED_OTHERWISE.format(own)
    if not opening.allows(existing):
        return CHECKED
    for column in model._meta.concrete_fields:
        if column.name in named:
            setattr(existing, column.attname, getattr(candidate.record, column.attname))
    try:
        save_candidate(
            candidate,
            existing,
            [column for column in model._meta.many_to_many if column.name in named],
        )
    except RecordError:
        # so that validation does not take it for its own duplicate
        candidate.record._state.adding = False
        validate_record(candidate.record)
        # the fixture is right, but not together with what a curator entered beside it
        return edited
    record_loaded(candidate, loaded)
    return "updated"


def curators_own_term(record: Keyed) -> Keyed | None:
    """The term with a spelling of this one that no fixture has: a curator entered it, and records
    that name either mean it.
    """
    if not isinstance(record, Spelled):
        return None
    for _, _, other in record.taken_spellings():
        key = json.dumps(list(other.natural_key()))
        if not LoadedRecord.objects.filter(model=other._meta.label_lower, key=key).exists():
            return other
    return None


def is_untouched(
    stored_values: dict, fixture_values: dict, loaded: LoadedRecord, blank: dict
) -> bool:
    """Whether a stored record still has the values that were loaded. A field that the fixture names
    for the first time may be blank or have the fixture's value.
    """
    expected = {
        name: (loaded.fields[name],)
        if name in loaded.fields
        else (blank[name], fixture_values[name])
        for name in stored_values
    }
    return all(stored_values[name] in expected[name] for name in stored_values)


def as_before(candidate: Candidate, loaded: LoadedRecord) -> bool:
    """Whether the fixture's fields are the same as when it was last loaded."""
    return field_fingerprints(candidate.record, candidate.links, candidate.named) == loaded.fields


def save_candidate(candidate: Candidate, record: Keyed, lists: Iterable) -> None:
    """Validates and writes a record with these to-many fields of the candidate."""
    validate_record(record)
    record.save()
    for column in lists:
        if column.remote_field.through._meta.auto_created:
            getattr(record, column.name).set(candidate.links.get(column.name, []))


def validate_record(record: Keyed) -> None:
    """Raises RecordError, naming the field."""
    try:
        record.full_clean()
    except ValidationError as error:
        message = "; ".join(
            f"field {name}: {' '.join(texts)}" for name, texts in error.message_dict.items()
        )
        raise RecordError(message.replace("field __all__: ", "")) from None


def record_loaded(candidate: Candidate, loaded: LoadedRecord | None) -> None:
    """Stores fingerprints of the fixture's fields, unless the same ones are stored already."""
    if loaded and as_before(candidate, loaded):
        return
    entry = loaded or LoadedRecord(
        model=candidate.record._meta.label_lower, key=json.dumps(candidate.key)
    )
    entry.fields = field_fingerprints(candidate.record, candidate.links, candidate.named)
    entry.digest = ""
    entry.save()


def held_links(record: Keyed) -> dict[str, list[int]]:
    """The to-many fields of a stored record, as `Candidate.links` writes them."""
    return {
        column.name: sorted(getattr(record, column.name).values_list("pk", flat=True))
        for column in record._meta.many_to_many
        if column.remote_field.through._meta.auto_created
    }


def field_fingerprints(
    record: Keyed, links: dict[str, list[int]], names: Iterable[str]
) -> dict[str, str]:
    """A short text for the value of each of these fields; equal values have equal ones."""
    by_name = {}
    for name in sorted(names):
        column = record._meta.get_field(name)
        value = (
            links.get(name, [])
            if column.many_to_many
            else canonical_value(getattr(record, column.attname))
        )
        by_name[name] = hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
    return by_name


def canonical_value(value) -> str | None:
    """A value as text: 12 and 12.000 are one, whatever a column's type; dates are ISO texts."""
    if hasattr(value, "normalize"):
        return format(value.normalize(), "f")
    return None if value is None else str(value)

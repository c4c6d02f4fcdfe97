"""What has changed for readers, newest first: studies published, corrected, withdrawn, retracted,
and releases. Read from the versions of studies that readers could see.

Records and fields are named, values are not: what was withdrawn or taken back must not live on in
somebody's feed reader. The pages have the values of today.
"""

import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.apps import apps
from django.urls import reverse

from ..models import Collection, Release, ReleasedCollection, StudyVersion
from ..models.choices import CollectionKind, RetractionStatus, State
from ..models.consistency import current_version
from ..models.study import flagged_name, retraction_mark

MOST_ENTRIES = 100
MOST_NAMED = 20  # records of one change
# What no page shows, and what is said otherwise: the state of a record, its place in a list.
NOT_SHOWN = {"state", "looked_for", "pii", "position", "withdrawal_reason", "replaced_by"}
STUDY, PATIENT = "evidence.study", "evidence.patient"
# The fields by which a record belongs to a patient: the first part of what they hold is its id.
OF_A_PATIENT = ("patient", "treatment", "outcome", "adverse_event")


@dataclass(frozen=True)
class Change:
    """One entry: `key` names it for good, `address` is where it can be read about."""

    key: str
    title: str
    text: str
    at: datetime
    address: str


def lasting_name(key: str) -> str:
    """A name for an entry or a feed that stays, at whatever address the database is served."""
    return uuid.uuid5(current_version().identity, key).urn


def recent_changes(collection: Collection | None = None) -> list[Change]:
    """The latest changes of one collection, or of all."""
    changes = [*study_changes(collection), *releases(collection)]
    return sorted(changes, key=lambda change: (change.at, change.key), reverse=True)[:MOST_ENTRIES]


def releases(collection: Collection | None) -> Iterator[Change]:
    """Releases, or those that hold a collection."""
    found = Release.objects.all()
    if collection is not None:
        holding = ReleasedCollection.objects.filter(slug=collection.slug)
        found = found.filter(pk__in=holding.values("release"))
    for release in found[:MOST_ENTRIES]:
        yield Change(
            f"release/{release.number}",
            f"Release {release.number}",
            release.notes or "All tables as they were, to be cited and fetched.",
            release.released_at,
            f"{reverse('releases')}#release-{release.number}",
        )


def study_changes(collection: Collection | None) -> Iterator[Change]:
    """What readers could see of studies, from version to version. Contents are read of the latest
    ones only.
    """
    versions = StudyVersion.objects.filter(is_published=True).order_by("draft", "number")
    if collection is not None:
        versions = versions.filter(draft__collection=collection)
    pairs, seen = [], {}
    for pk, draft, is_public, at in versions.values_list("pk", "draft", "is_public", "at"):
        before = seen.get(draft)
        if is_public or (before and before[1]):
            pairs.append((at, pk, before[0] if before else None, bool(before and before[1])))
        if is_public:
            seen[draft] = (pk, True)
        elif before:
            seen[draft] = (before[0], False)
    latest = sorted(pairs, reverse=True, key=lambda pair: pair[:2])[:MOST_ENTRIES]
    wanted = {key for _, now, before, _ in latest for key in (now, before) if key}
    by_key = StudyVersion.objects.select_related("draft__collection").in_bulk(list(wanted))
    for _, now, before, was_shown in latest:
        change = change_of(by_key[now], by_key.get(before), was_shown=was_shown)
        if change is not None:
            yield change


def change_of(now: StudyVersion, before: StudyVersion | None, *, was_shown: bool) -> Change | None:
    """What one version changed for readers; None where they see no difference. `before` is the
    last version they saw, `was_shown` whether they saw it until now.
    """
    collection, slug = now.draft.collection, now.draft.slug
    fields = study_fields(now.content)
    if not now.is_public:
        what = "withdrawn" if fields.get("state") == State.WITHDRAWN else "no longer shown"
        reason = fields.get("withdrawal_reason", "") if what == "withdrawn" else ""
        return entry(now, f"{slug}: {what}", reason or f"The study is {what}.")
    name = f"{fields.get('short_name', slug)}"
    status = fields.get("retraction_status", RetractionStatus.NONE_KNOWN)
    address = reverse("study", args=[collection.slug, slug])
    if before is None or not was_shown:
        again = "published again" if before else "published"
        people = sum(one["model"] == PATIENT for one in readable(now.content))
        text = f"The study is {again}, with individual patients: {people}."
        return entry(now, f"{flagged_name(name, status)}: {again}", text, address)
    said = list(differences_in_words(readable(before.content), readable(now.content)))
    if not said:
        return None
    earlier = study_fields(before.content).get("retraction_status", RetractionStatus.NONE_KNOWN)
    what = "corrected"
    if status != earlier:
        mark = retraction_mark(status)
        what = f"publication {mark}" if mark else "publication reinstated"
        why = fields.get("retraction_reason", "")
        said = [*([f"Reason of the notice: {why}"] if why else []), *said]
    shown, more = said[:MOST_NAMED], len(said) - MOST_NAMED
    text = "; ".join([*shown, *([f"and {more} more records"] if more > 0 else [])])
    return entry(now, f"{name}: {what}", f"{text}. {now.message}".strip(), address)


def entry(now: StudyVersion, title: str, text: str, address: str = "") -> Change:
    collection = now.draft.collection
    if collection.kind == CollectionKind.SIMULATED:
        title, text = f"Simulated: {title}", f"{text} {collection.caveat}."
    return Change(
        f"{collection.slug}/{now.draft.slug}/{now.number}",
        title,
        text,
        now.at,
        address or collection.get_absolute_url(),
    )


def study_fields(content: list[dict]) -> dict:
    """The fields of the study itself."""
    return next((one["fields"] for one in content if one["model"] == STUDY), {})


def readable(content: list[dict]) -> list[dict]:
    """The records of a published study that readers see: none of a patient who is not published."""
    hidden = {
        record["fields"].get("slug")
        for record in content
        if record["model"] == PATIENT and record["fields"].get("state") != State.PUBLISHED
    }
    return [record for record in content if patient_of(record) not in hidden - {None}]


def patient_of(record: dict) -> str | None:
    """The public id of the patient a record is, or belongs to."""
    if record["model"] == PATIENT:
        return record["fields"].get("slug")
    owners = (record["fields"].get(name) for name in OF_A_PATIENT)
    return next((owner[0] for owner in owners if owner), None)


def differences_in_words(before: list[dict], after: list[dict]) -> Iterator[str]:
    """Each record that differs, and in which fields."""
    old, new = by_name(before), by_name(after)
    for name in sorted({*old, *new}):
        model, fields_before, fields_after = name[0], old.get(name), new.get(name)
        label = record_in_words(model, (fields_after or fields_before))
        if fields_before is None or fields_after is None:
            yield f"{label}: {'added' if fields_before is None else 'no longer shown'}"
            continue
        changed = sorted(
            field
            for field in {*fields_before, *fields_after} - NOT_SHOWN
            if fields_before.get(field) != fields_after.get(field)
        )
        if changed:
            yield f"{label}: {', '.join(field_labels(model, changed))}"


def by_name(content: list[dict]) -> dict[tuple[str, str], dict]:
    """The fields of records by model and natural key."""
    return {
        (record["model"], json.dumps([record["fields"].get(part) for part in key_parts(record)])): (
            record["fields"]
        )
        for record in content
    }


def key_parts(record: dict) -> list[str]:
    """The fields that make up the natural key of a record."""
    key = apps.get_model(record["model"]).KEY
    return list(dict.fromkeys(path.split("__")[0] for path in key))


def record_in_words(model: str, fields: dict) -> str:
    """“study”, “patient doe-2019-1”, “outcome doe-2019-1 / 1 / 2”."""
    name = str(apps.get_model(model)._meta.verbose_name)
    if model == STUDY:
        return name
    key = []
    for part in key_parts({"model": model, "fields": fields}):
        value = fields.get(part)
        key += value if isinstance(value, list) else [value]
    return f"{name} {' / '.join(str(part) for part in key if part is not None)}"


def field_labels(model: str, names: Iterable[str]) -> list[str]:
    """Fields in words. A field that there was and is no more keeps its name."""
    known = {field.name: str(field.verbose_name) for field in fields_of(model)}
    return [known.get(name, name.replace("_", " ")) for name in names]


def fields_of(model: str) -> list:
    meta = apps.get_model(model)._meta
    return [*meta.concrete_fields, *meta.many_to_many]

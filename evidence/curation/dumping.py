"""The database written as fixtures, which load into an empty one with the same content.

One file for the vocabulary, drugs, reviews and collections each, one for the studies of each
collection; studies in work and all versions in a file of their own, on request.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from django.contrib.auth import get_user_model
from django.db import transaction

from ..models import (
    AdverseEventCategory,
    Appraisal,
    Autoantibody,
    Collection,
    FlowStep,
    Indication,
    JAKInhibitor,
    Manifestation,
    Measure,
    PrintedFigure,
    Review,
    Study,
    StudyDraft,
    StudyVersion,
    Therapy,
)
from ..models.base import Keyed
from .documents import PARTS, in_order, key_of, record_of, with_references
from .fixture_files import SHARED_FILES, BrokenFixture, fixture_text

# Files of what no study owns, with the models in them in loading order.
VOCABULARY = (Indication, Manifestation, Autoantibody, AdverseEventCategory, Therapy, Measure)
SHARED = dict(
    zip(
        SHARED_FILES,
        (VOCABULARY, (JAKInhibitor,), (Review, PrintedFigure), (Collection, FlowStep)),
        strict=True,
    )
)
DRAFTS = "drafts.json"


def dump_evidence(folder: Path, *, with_drafts: bool = False) -> dict[str, int]:
    """Writes every file; returns how many records each has. One consistent state of the database;
    the same state gives the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    with transaction.atomic():
        for name, models in SHARED.items():
            records = [record for model in models for record in records_of(model)]
            written[name] = write_file(folder / name, records)
        for collection in Collection.objects.order_by("position", "slug"):
            records = collection_records(collection)
            written[f"{collection.slug}.json"] = write_file(
                folder / f"{collection.slug}.json", records
            )
        if with_drafts:
            entries = list(draft_entries())
            text = json.dumps(entries, ensure_ascii=False, indent=1) + "\n"
            (folder / DRAFTS).write_text(text, encoding="utf-8")
            written[DRAFTS] = len(entries)
    return written


def records_of(model: type[Keyed]) -> list[dict]:
    """Every record of a model in a steady order, those that name others of it after those."""
    waiting = sorted(map(record_of, with_references(model)), key=lambda record: str(key_of(record)))
    ready, placed = [], set()
    references = [
        field.name for field in model._meta.concrete_fields if field.related_model is model
    ]
    while waiting:
        free = [
            record
            for record in waiting
            if all(
                (record["model"], *record["fields"][name]) in placed
                for name in references
                if record["fields"].get(name)
            )
        ]
        ready += free
        placed.update(key_of(record) for record in free)
        waiting = [record for record in waiting if record not in free]
        if not free:
            return ready + waiting  # a circle, which loading refuses
    return ready


def collection_records(collection: Collection) -> list[dict]:
    """Every record of a collection's studies, in loading order."""
    records = []
    for model, path in PARTS.items():
        owner = "collection" if model is Study else f"{path}__collection"
        records += map(record_of, with_references(model).filter(**{owner: collection}))
    appraisals = with_references(Appraisal).filter(study__collection=collection)
    return with_links_last(in_order(records)) + sorted(
        map(record_of, appraisals), key=lambda record: key_of(record)[1:]
    )


def with_links_last(records: list[dict]) -> list[dict]:
    """Studies that others name as sharing patients with them come before those."""
    waiting = [record for record in records if record["model"] == "evidence.study"]
    rest, ready, placed = records[len(waiting) :], [], set()
    while waiting:
        free = [
            record
            for record in waiting
            if all(
                tuple(other) in placed
                for other in record["fields"].get("may_share_patients_with", ())
            )
        ]
        if not free:
            names = ", ".join(record["fields"]["slug"] for record in waiting)
            raise CircularLinks(f"Each of these is said to share patients with another: {names}.")
        ready += free
        placed.update(key_of(record)[1:] for record in free)
        waiting = [record for record in waiting if record not in free]
    return ready + rest


class CircularLinks(Exception):
    """Studies that name each other, which no order can load."""


def write_file(path: Path, records: list[dict]) -> int:
    text = fixture_text((record["model"], record["fields"]) for record in records)
    path.write_text(text, encoding="utf-8")
    return len(records)


def draft_entries() -> Iterator[dict]:
    """Each study in work with all its versions, oldest first."""
    for draft in StudyDraft.objects.select_related("collection", "head", "published"):
        versions = draft.versions.select_related("parent", "base").order_by("number")
        yield {
            "collection": draft.collection.slug,
            "study": draft.slug,
            "head": draft.head.number if draft.head else None,
            "published": draft.published.number if draft.published else None,
            "versions": [version_entry(version) for version in versions],
        }


def version_entry(version: StudyVersion) -> dict:
    return {
        "number": version.number,
        "parent": version.parent.number if version.parent else None,
        "base": version.base.number if version.base else None,
        "digest": version.digest,
        "door": version.door,
        "author": version.author_name,
        "at": version.at.isoformat(),
        "message": version.message,
        "changed": version.changed,
        "is_published": version.is_published,
        "is_public": version.is_public,
        "content": version.content,
    }


def load_drafts(path: Path) -> int:
    """Puts studies in work and versions back, as `dump_evidence` wrote them; returns how many
    studies were. What is there already is kept.

    An author who has no account here stays as a name. Raises BrokenFixture.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        with transaction.atomic():
            return sum(map(restored_draft, entries))
    except (ValueError, KeyError, TypeError, Collection.DoesNotExist) as error:
        raise BrokenFixture(f"{path.name}: {type(error).__name__}: {error}") from None


def restored_draft(entry: dict) -> bool:
    """Writes one study in work, unless it is there already; says whether it did."""
    collection = Collection.objects.get(slug=entry["collection"])
    draft, is_new = StudyDraft.objects.get_or_create(collection=collection, slug=entry["study"])
    if not is_new and draft.versions.exists():
        return False
    users = {user.get_username(): user for user in get_user_model().objects.all()}
    versions = {None: None}
    for saved in entry["versions"]:
        versions[saved["number"]] = StudyVersion.objects.create(
            draft=draft,
            number=saved["number"],
            parent=versions[saved["parent"]],
            base=versions[saved["base"]],
            content=saved["content"],
            digest=saved["digest"],
            door=saved["door"],
            author=users.get(saved["author"]),
            author_name=saved["author"],
            at=datetime.fromisoformat(saved["at"]),
            message=saved["message"],
            changed=saved["changed"],
            is_published=saved["is_published"],
            is_public=saved["is_public"],
        )
    draft.head, draft.published = versions[entry["head"]], versions[entry["published"]]
    draft.save()
    return True

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
    CheckedCell,
    Collection,
    FlowStep,
    Indication,
    JAKInhibitor,
    Judgement,
    Manifestation,
    Measure,
    OntologyCode,
    PrintedFigure,
    Review,
    SecondEntry,
    Signature,
    Study,
    StudyDraft,
    StudyVersion,
    Therapy,
)
from ..models.base import Keyed
from ..models.records import record_of, with_references
from ..models.study_parts import PARTS
from .documents import in_order, key_of
from .fixture_files import SHARED_FILES, BrokenFixture, fixture_text
from .opening import open_for_files

# Files of what no study owns, with the models in them in loading order.
VOCABULARY = (
    Indication,
    Manifestation,
    Autoantibody,
    AdverseEventCategory,
    Therapy,
    Measure,
    OntologyCode,
)
SHARED = dict(
    zip(
        SHARED_FILES,
        (VOCABULARY, (JAKInhibitor,), (Review, PrintedFigure), (Collection, FlowStep)),
        strict=True,
    )
)
DRAFTS = "drafts.json"
WORDS_OF_JUDGEMENTS = ("row", "field", "chosen", "value", "reason")
WORDS_OF_CELLS = ("record", "key", "field", "digest", "agrees", "remark")


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
        versions = (
            draft.versions.select_related("parent", "base", "signature__version")
            .prefetch_related("signatures", "signature__version__signatures", "checked_cells")
            .order_by("number")
        )
        yield {
            "collection": draft.collection.slug,
            "study": draft.slug,
            "head": draft.head.number if draft.head else None,
            "published": draft.published.number if draft.published else None,
            "versions": [version_entry(version) for version in versions],
            "second_entries": [
                second_entry(entry)
                for entry in draft.second_entries.select_related("version").prefetch_related(
                    "judgements"
                )
            ],
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
        "signature": signed_as(version.signature),
        "signatures": [
            {
                "digest": signature.digest,
                "meaning": signature.meaning,
                "user": signature.user_name,
                "at": signature.at.isoformat(),
                "remark": signature.remark,
            }
            for signature in in_turn(version)
        ],
        "checked_cells": [
            {name: getattr(cell, name) for name in WORDS_OF_CELLS}
            | {"user": cell.user_name, "at": cell.at.isoformat()}
            for cell in sorted(version.checked_cells.all(), key=lambda cell: cell.pk)
        ],
        "content": version.content,
    }


def second_entry(entry: SecondEntry) -> dict:
    return {
        "user": entry.user_name,
        "begun_at": entry.begun_at.isoformat(),
        "content": entry.content,
        "finished_at": entry.finished_at.isoformat() if entry.finished_at else None,
        "version": entry.version.number if entry.version else None,
        "comparison": entry.comparison,
        "judgements": [
            {name: getattr(one, name) for name in WORDS_OF_JUDGEMENTS}
            | {"user": one.user_name, "at": one.at.isoformat()}
            for one in entry.judgements.all()
        ],
    }


def in_turn(version: StudyVersion) -> list[Signature]:
    """What was said of a version, the first first."""
    return sorted(version.signatures.all(), key=lambda signature: signature.pk)


def signed_as(signature: Signature | None) -> list[int] | None:
    """Which signature it is: the number of the version it is of, and its place among those."""
    if signature is None:
        return None
    return [signature.version.number, in_turn(signature.version).index(signature)]


def load_drafts(path: Path) -> int:
    """Puts studies in work and versions back, as `dump_evidence` wrote them; returns how many
    studies were. What is there already is kept.

    Who wrote or signed and has no account here stays as a name. The caller closes what this opens
    (`close_files`). Raises BrokenFixture.
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
    if entry.get("second_entries") or any(
        saved.get("signatures") or saved.get("checked_cells") for saved in entry["versions"]
    ):
        open_for_files(draft)
    users = {user.get_username(): user for user in get_user_model().objects.all()}
    versions, signatures = {None: None}, {None: None}
    for saved in entry["versions"]:
        signed = saved.get("signature")
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
            signature=signatures[signed and tuple(signed)],
        )
        for place, word in enumerate(saved.get("signatures", ())):
            signatures[saved["number"], place] = Signature.objects.create(
                version=versions[saved["number"]],
                digest=word["digest"],
                meaning=word["meaning"],
                user=users.get(word["user"]),
                user_name=word["user"],
                at=datetime.fromisoformat(word["at"]),
                remark=word["remark"],
            )
        for word in saved.get("checked_cells", ()):
            CheckedCell.objects.create(
                version=versions[saved["number"]],
                user=users.get(word["user"]),
                user_name=word["user"],
                at=datetime.fromisoformat(word["at"]),
                **{name: word[name] for name in WORDS_OF_CELLS},
            )
    for saved in entry.get("second_entries", ()):
        restored_second_entry(draft, saved, users, versions)
    draft.head, draft.published = versions[entry["head"]], versions[entry["published"]]
    draft.save()
    return True


def restored_second_entry(draft: StudyDraft, saved: dict, users: dict, versions: dict) -> None:
    finished = saved["finished_at"]
    second = SecondEntry.objects.create(
        draft=draft,
        user=users.get(saved["user"]),
        user_name=saved["user"],
        begun_at=datetime.fromisoformat(saved["begun_at"]),
        content=saved["content"],
        finished_at=datetime.fromisoformat(finished) if finished else None,
        version=versions[saved["version"]],
        comparison=saved["comparison"],
    )
    for word in saved["judgements"]:
        Judgement.objects.create(
            entry=second,
            user=users.get(word["user"]),
            user_name=word["user"],
            at=datetime.fromisoformat(word["at"]),
            **{name: word[name] for name in WORDS_OF_JUDGEMENTS},
        )

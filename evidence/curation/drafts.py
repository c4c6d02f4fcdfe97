"""Studies in work: keeping, undoing, comparing, publishing. Every change is a version.

Nothing here touches the evidence tables but `publish`, which writes one whole document in one
transaction; so the data version stays as it is while somebody works.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ..models import Collection, DataVersion, Door, Patient, Study, StudyDraft, StudyVersion
from ..models.choices import Extraction, State
from ..models.draft import FOUND_MESSAGE
from ..models.signature import Meaning, Signature, newest_signature
from .cell_states import unstated_cells, with_ticks_settled
from .documents import (
    CellChange,
    Document,
    by_key,
    differences,
    digest_of,
    key_of,
    merged,
    normalised,
    overlaid,
    read_document,
    study_record,
)
from .fixture_files import FixtureRecord
from .opening import opened
from .writing import NotPublishable, find_study, write_document

AUTHOR_NEEDED = (
    "In {} two people publish, so each version has an author: say who writes this one (a command "
    "takes --user NAME)."
)
SIGNATURE_NEEDED = (
    "a second person has to check it first: in {} two people publish, and version {} is not signed "
    "as checked"
)


class Conflict(Exception):
    """Somebody else wrote a version meanwhile. `changes` are the cells in which it differs from the
    one that was worked on, `version` is the newest.
    """

    def __init__(self, version: StudyVersion, changes: list[CellChange]):
        self.version, self.changes = version, changes
        who = version.author_name or "somebody"
        super().__init__(
            f"{who} wrote version {version.number} meanwhile ({cells_differ(len(changes))}). "
            "Nothing was overwritten."
        )


def cells_differ(count: int) -> str:
    """“1 cell differs”, “2 cells differ”."""
    return f"{count} cell differs" if count == 1 else f"{count} cells differ"


@dataclass(frozen=True)
class Author:
    """Who writes a version, and by which way."""

    user: object = None
    door: str = Door.WORKBENCH

    @property
    def name(self) -> str:
        return self.user.get_username() if self.user else ""


def content_of(version: StudyVersion | None) -> Document:
    """The document of a version; an empty one where there is none."""
    return version.content if version else []


def base_of(version: StudyVersion | None) -> StudyVersion | None:
    """The newest published version that a version takes into account."""
    return version if version is None or version.is_published else version.base


def open_draft(collection: Collection, slug: str, author: Author) -> StudyDraft:
    """The draft of a study, begun if there is none, with what the tables hold of it.

    If the tables say something else than the version they should hold, a version records that
    first: a fixture was loaded, or a command wrote them.
    """
    with transaction.atomic():
        draft, _ = StudyDraft.objects.select_for_update().get_or_create(
            collection=collection, slug=slug
        )
        note_tables(draft, Author(door=Door.FOUND), FOUND_MESSAGE)
        return draft


def note_tables(
    draft: StudyDraft, author: Author, message: str, states_from: Document | None = None
) -> StudyVersion | None:
    """Writes a version of what the tables hold of a study, unless the newest published one says so.
    The states of empty cells are those of `states_from`, by default of that version.

    Work that has not begun follows it; work that has begun keeps its own base, so that publishing
    has to look at both. Returns the version the tables hold, None where they hold nothing.
    """
    study = find_study(draft)
    if study is None:
        return None
    states_from = content_of(draft.published) if states_from is None else states_from
    content = read_document(study, states_from)
    if draft.published and draft.published.digest == digest_of(content):
        return draft.published
    at_rest = not draft.is_open
    version = add_version(
        draft, content, author, message, parent=draft.published, is_published=True
    )
    draft.published = version
    if at_rest:
        draft.head = version
    draft.save()
    if version.is_public and version.parent and version.parent.is_public:
        DataVersion.bump(study.collection_id)  # readers are told of the correction
    return version


def note_study(
    study: Study, author: Author, message: str, states_from: Document | None = None
) -> StudyVersion:
    """The same after a form, a command or the loader wrote a study to the tables directly."""
    with transaction.atomic():
        draft, _ = StudyDraft.objects.select_for_update().get_or_create(
            collection=study.collection, slug=study.slug
        )
        return note_tables(draft, author, message, states_from)


def add_version(
    draft: StudyDraft,
    content: Document,
    author: Author,
    message: str,
    *,
    parent: StudyVersion | None,
    base: StudyVersion | None = None,
    is_published: bool = False,
    signature: Signature | None = None,
) -> StudyVersion:
    """One more version, at the end of the list. The caller holds the draft's row.

    Raises ValidationError where two people publish and nobody is named who wrote it.
    """
    if author.user is None and not is_published and draft.collection.needs_two_people:
        raise ValidationError(AUTHOR_NEEDED.format(draft.collection))
    newest = draft.versions.order_by("-number").values_list("number", flat=True).first() or 0
    return StudyVersion.objects.create(
        draft=draft,
        number=newest + 1,
        parent=parent,
        base=base,
        content=content,
        digest=digest_of(content),
        door=author.door,
        author=author.user,
        author_name=author.name,
        at=timezone.now(),
        message=message,
        changed=len(differences(content_of(parent), content)),
        is_published=is_published,
        is_public=is_published and study_record(content)["fields"].get("state") == State.PUBLISHED,
        signature=signature,
    )


def save_draft(
    draft: StudyDraft,
    content: Document,
    *,
    based_on: int | None,
    author: Author,
    message: str = "",
    as_it_was: bool = False,
) -> StudyVersion:
    """Keeps a new state of a draft. Saving what it says already writes nothing.

    `based_on` is the number of the version that was worked on, None for the first. Raises Conflict
    where another has been written meanwhile, and ValidationError where it is no document of this
    study. `as_it_was` says that it is an earlier version, whose ticks are not judged anew.
    """
    content = normalised(content)
    check_document(draft, content)
    with transaction.atomic():
        held = held_at(draft, based_on)
        if not as_it_was:
            content = with_ticks_settled(content_of(held.head), content)
        if held.head and held.head.digest == digest_of(content):
            return held.head
        version = add_version(
            held, content, author, message, parent=held.head, base=base_of(held.head)
        )
        held.head = version
        held.save()
    draft.head = version
    return version


def held_at(draft: StudyDraft, based_on: int | None) -> StudyDraft:
    """The draft's row, locked, if the version that was worked on (None: none) is still the newest.
    Raises Conflict otherwise.
    """
    # Locked alone, then read: PostgreSQL joins a row it had to wait for with what there was before.
    StudyDraft.objects.select_for_update().get(pk=draft.pk)
    held = StudyDraft.objects.select_related("collection", "head__base", "published").get(
        pk=draft.pk
    )
    if (held.head.number if held.head else None) != based_on:
        worked_on = held.versions.filter(number=based_on).first()
        raise Conflict(held.head, differences(content_of(worked_on), content_of(held.head)))
    return held


def check_document(draft: StudyDraft, content: Document) -> None:
    """Raises ValidationError where records stand twice or are of another study."""
    try:
        by_key(content)
    except ValueError as error:
        raise ValidationError(str(error)) from None
    studies = [key_of(record)[1:] for record in content if record["model"] == "evidence.study"]
    if studies != [(draft.collection.slug, draft.slug)]:
        raise ValidationError(f"This is not one study with the address {draft}.")


def undo(draft: StudyDraft, *, based_on: int, author: Author) -> StudyVersion:
    """Takes the newest change of a draft back, as a new version that says what the one before said.

    Undone again it goes one further back. Raises Conflict like `save_draft`, and ValidationError
    where nothing is left to take back.
    """
    with transaction.atomic():
        held = held_at(draft, based_on)
        before = held.head.parent if held.is_open and held.head else None
        if before is None:
            raise ValidationError("There is no change to take back.")
        message = f"Version {held.head.number} taken back."
        if before.pk == held.published_id:
            version = before  # the work is where it began: there is nothing open
        else:
            version = add_version(
                held, before.content, author, message, parent=before.parent, base=base_of(before)
            )
        held.head = version
        held.save()
    draft.head = version
    return version


def restore(draft: StudyDraft, number: int, *, based_on: int | None, author: Author):
    """Makes an earlier version the newest again; undoing it returns to where the work was."""
    version = draft.versions.get(number=number)
    return save_draft(
        draft,
        version.content,
        based_on=based_on,
        author=author,
        message=f"Version {number} restored.",
        as_it_was=True,
    )


def save_import(
    documents: dict[str, Document], collection: Collection, author: Author, message: str
) -> dict[str, str]:
    """Writes imported studies over their drafts, all or none; says of each what became of it:
    “new”, “changed” or “unchanged”.
    """
    outcomes = {}
    with transaction.atomic():
        for slug, entered in documents.items():
            draft = open_draft(collection, slug, author)
            before = draft.head
            content = overlaid(content_of(before), normalised(entered))
            if before and is_read_in_full_again(before.content, content, draft):
                outcomes[slug] = "unchanged"
                continue
            version = save_draft(
                draft,
                content,
                based_on=before.number if before else None,
                author=author,
                message=message,
            )
            outcomes[slug] = (
                "new" if before is None else "unchanged" if version == before else "changed"
            )
    return outcomes


def is_read_in_full_again(before: Document, after: Document, draft: StudyDraft) -> bool:
    """Whether all that is new is that a study published as read in part is said to have been read
    in full, while core cells are as untouched as they were: publishing it would change nothing.
    """
    readings = [study_record(document)["fields"].get("extraction") for document in (before, after)]
    return (
        readings == [Extraction.IN_PART, Extraction.FULL_TEXT]
        and len(differences(before, after)) == 1
        and bool(unstated_cells(after, content_of(draft.published)))
    )


def overwritten_cells(collection: Collection, slug: str) -> list[CellChange]:
    """Cells whose value or state the newest version of a draft replaced by another."""
    draft = StudyDraft.objects.select_related("head__parent").get(collection=collection, slug=slug)
    changes = differences(content_of(draft.head.parent), content_of(draft.head))
    return [one for one in changes if one.record == "changed" and one.before is not None]


def overwritten_by_import(
    collection: Collection, outcomes: dict[str, str]
) -> dict[str, list[CellChange]]:
    """The same for each study that `save_import` has just changed."""
    return {
        slug: overwritten_cells(collection, slug)
        for slug, outcome in outcomes.items()
        if outcome == "changed"
    }


def is_seen(draft: StudyDraft) -> bool:
    """Whether readers see the study, and the newest version lets them."""
    record = study_record(content_of(draft.head))
    public = draft.published is not None and draft.published.is_public
    return public and record is not None and record["fields"].get("state") == State.PUBLISHED


def withdraw(
    draft: StudyDraft,
    patient: str,
    *,
    reason: str,
    based_on: int,
    author: Author,
    replaced_by: str = "",
) -> StudyVersion:
    """Withdraws the study of a draft, or the patient with this public id, with the reason that
    readers are told, and the study or patient they are led to instead, if there is one; a change of
    the draft like any other, until it is published.

    Raises Conflict like `save_draft`, and ValidationError for what readers do not see, and for a
    replacement that there is not.
    """
    if not reason.strip():
        raise ValidationError("Say the reason that readers are told.")
    replacement = key_of_replacement(draft, patient, replaced_by.strip())
    model = "evidence.patient" if patient else "evidence.study"
    content = [record | {"fields": dict(record["fields"])} for record in content_of(draft.head)]
    found = [
        record["fields"]
        for record in content
        if record["model"] == model and patient in ("", record["fields"].get("slug"))
    ]
    if not found or found[0].get("state") != State.PUBLISHED:
        raise ValidationError("Readers do not see it, so there is nothing to withdraw.")
    found[0] |= {"state": State.WITHDRAWN.value, "withdrawal_reason": reason.strip()}
    message = f"Withdrawn: {patient or draft.slug}. {reason.strip()}"
    if replacement:
        found[0]["replaced_by"] = replacement
        message += f" Replaced by {replacement[-1]}."
    return save_draft(draft, content, based_on=based_on, author=author, message=message)


def key_of_replacement(draft: StudyDraft, patient: str, slug: str) -> list[str]:
    """The key of what replaces a withdrawn study or patient, as documents name it; empty where
    nothing does. Raises ValidationError where readers of the collection do not see it, since they
    are to be led there.
    """
    if not slug:
        return []
    if slug == (patient or draft.slug):
        raise ValidationError("A record cannot be replaced by itself.")
    model, at = (Patient, "study__collection") if patient else (Study, "collection")
    if not model.objects.published().filter(**{at: draft.collection_id}, slug=slug).exists():
        noun = model._meta.verbose_name
        raise ValidationError(f"Readers of this collection see no {noun} “{slug}” to be led to.")
    return [slug] if patient else [draft.collection.slug, slug]


def unpublished_changes(draft: StudyDraft) -> list[CellChange]:
    """The cells in which a draft differs from what the tables hold."""
    return differences(content_of(draft.published), content_of(draft.head))


def publish(
    draft: StudyDraft,
    *,
    based_on: int,
    author: Author,
    message: str = "",
    is_preview: bool = False,
) -> StudyVersion:
    """Writes a draft to the evidence tables: whole, in one transaction, for readers to see.

    Raises Conflict where the draft or the tables have moved on, and NotPublishable with everything
    that is wrong, be it that a second person has to check it first; then nothing is changed. A
    preview needs nobody, and its transaction can only be rolled back where two people publish.
    """
    with transaction.atomic():
        held = held_at(draft, based_on)
        if held.head is None:
            raise NotPublishable(["There is nothing to publish."])
        note_tables(held, Author(door=Door.FOUND), FOUND_MESSAGE)
        base = base_of(held.head)
        if base != held.published:
            changes = differences(content_of(base), content_of(held.published))
            raise Conflict(held.published, changes)
        signature = checked_signature(held)
        if not is_preview:
            refuse_alone(held, signature, author)
        with opened(held, signature, is_preview=is_preview):
            content = held.head.content
            write_document(held, content, content_of(held.published))
            version = add_version(
                held,
                read_document(find_study(held), content),
                author,
                message,
                parent=held.published,
                is_published=True,
                signature=signature,
            )
            held.head = held.published = version
            held.save()
    draft.head = draft.published = version
    return version


def checked_signature(draft: StudyDraft) -> Signature | None:
    """The signature under which a draft is published: the last word on its newest version, if that
    says checked. None for what is published already.
    """
    if draft.head is None or not draft.is_open or draft.head.is_published:
        return None
    signature = newest_signature(draft.head)
    said = signature is not None and signature.meaning == Meaning.CHECKED and signature.user_id
    return signature if said and signature.digest == digest_of(draft.head.content) else None


def refuse_alone(draft: StudyDraft, signature: Signature | None, author: Author) -> None:
    """Raises NotPublishable where two people publish and one is missing."""
    if not draft.collection.needs_two_people:
        return
    if author.user is None:
        raise NotPublishable([AUTHOR_NEEDED.format(draft.collection)])
    if signature is None:
        raise NotPublishable([SIGNATURE_NEEDED.format(draft.collection, draft.head.number)])


def take_over(draft: StudyDraft, *, based_on: int, author: Author) -> list[CellChange]:
    """Merges what others have published meanwhile into a draft. Returns the cells in which both
    changed something differently: there the draft's own word stands, for a curator to look at.
    """
    with transaction.atomic():
        held = held_at(draft, based_on)
        note_tables(held, Author(door=Door.FOUND), FOUND_MESSAGE)
        content, conflicts = merged(
            content_of(base_of(held.head)), content_of(held.head), content_of(held.published)
        )
        held.head = add_version(
            held,
            with_ticks_settled(content_of(held.head), content),
            author,
            "What was published meanwhile is taken over.",
            parent=held.head,
            base=held.published,
        )
        held.save()
    draft.refresh_from_db()
    return conflicts


def give_up(draft: StudyDraft, *, based_on: int) -> None:
    """Goes back to what is published, or to nothing. The versions stay."""
    with transaction.atomic():
        held = held_at(draft, based_on)
        held.head = held.published
        held.save()
    draft.refresh_from_db()


def note_loaded(records: Iterable[FixtureRecord]) -> None:
    """Writes a version of each study of these records that loading has changed."""
    keys = {
        (record.fields["collection"][0], record.fields["slug"])
        for record in records
        if record.model == "evidence.study"
    }
    studies = Study.objects.select_related("collection").order_by("collection", "slug")
    for study in studies.filter(slug__in={slug for _, slug in keys}):
        if (study.collection.slug, study.slug) in keys:
            note_study(study, Author(door=Door.FIXTURES), "As in the collection’s files.")

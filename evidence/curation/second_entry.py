"""Entering a second time, blind, what the headline figures rest on; comparing; deciding.

Who enters sees which courses there are and nothing of what was entered of them. What both say alike
stands; each difference is decided by somebody, with a reason, as a new version of the draft.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ..models import (
    CheckedCell,
    Choice,
    Judgement,
    SecondEntry,
    Signature,
    StudyDraft,
    StudyVersion,
)
from ..models.checking import WROTE_IT
from ..summaries.reported_totals import had_serious_event
from ..summaries.second_entry import FIELD_LABELS
from .checking import said_by
from .documents import Document
from .drafts import Author, content_of, held_at, save_draft
from .workbook.cells import NR, DocumentCells
from .workbook.sheets import COURSES, EVENTS, PATIENTS, Column, Sheet
from .workbook.values import CellError, CellReader

SERIOUS = "serious"  # of a course: whether any of its adverse events was
ENTRY_FINISHED = "You have finished this second entry; it is compared and changes no more."
HAS_SEEN_IT = (
    "You have said something of what was entered of this study, so you have seen it. A second "
    "entry is by somebody who has not seen the first."
)
NOTHING_ENTERED = "Nothing has been entered yet."
SAY_WHY = "Say why this value holds."
NO_DIFFERENCE = "There is no such difference to decide, or it is decided already."
MEND_EVENTS = (
    "This course has {} adverse events, so it is not known which one is meant. Mend them in the "
    "workbench first; then decide."
)
Texts = dict[str, dict[str, str]]  # by course and field


@dataclass(frozen=True)
class CourseToEnter:
    """A course, with what tells it from others in the source and nothing more."""

    row: str
    patient: str
    label: str
    drug: str


def column_of(name: str) -> Column:
    """The column a field is read as."""
    return sheet_of(name).column(name)


def sheet_of(name: str) -> Sheet:
    return EVENTS if name == SERIOUS else COURSES


def row_of(name: str, course: str) -> str:
    """The row a field of a course stands in, in the cells of a second entry."""
    return f"{course} / 1" if name == SERIOUS else course


def has_written(user, draft: StudyDraft) -> bool:
    """Whether somebody wrote any version of a study."""
    return draft.versions.filter(author=user).exists()


def has_checked(user, draft: StudyDraft) -> bool:
    """Whether somebody has said anything of the values of a study, so has seen them."""
    said = CheckedCell.objects.filter(version__draft=draft, user=user)
    words = Signature.objects.filter(version__draft=draft, user=user)
    return said.exists() or words.exists()


def blind_drafts(user) -> list[StudyDraft]:
    """Studies of which somebody has begun a second entry and not finished it, and of which curators
    see what readers do not. What readers see anyway cannot be kept from anybody.
    """
    begun = StudyDraft.objects.filter(
        second_entries__user=user.pk, second_entries__finished_at__isnull=True
    ).select_related("collection", "published")
    return [draft for draft in begun.defer("published__content") if not is_all_public(draft)]


def is_all_public(draft: StudyDraft) -> bool:
    """Whether readers see all that curators do: a published study of which no work is open."""
    return bool(draft.published and draft.published.is_public and not draft.is_open)


def courses_to_enter(draft: StudyDraft) -> list[CourseToEnter]:
    """The courses of a draft, as its patients stand in it."""
    cells = DocumentCells(draft.collection, draft.slug, content_of(draft.head))
    courses = []
    for row in cells.rows(COURSES):
        patient = row.partition(" / ")[0]
        label, drug = cells.text(PATIENTS, patient, "label"), cells.text(COURSES, row, "inhibitor")
        courses.append(CourseToEnter(row, patient, label, drug))
    return courses


def why_not_enter(draft: StudyDraft, user) -> str:
    """Why somebody cannot enter a study a second time, as a sentence; empty if they can."""
    if has_written(user, draft):
        return WROTE_IT
    if has_checked(user, draft):
        return HAS_SEEN_IT
    entry = draft.second_entries.filter(user=user).first()
    return ENTRY_FINISHED if entry and entry.finished_at else ""


def keep_entry(draft: StudyDraft, texts: Texts, user) -> dict[tuple[str, str], CellError]:
    """Keeps what a second person has entered so far, whole. Returns why cells cannot be read, by
    course and field; those are as they were. Raises ValidationError for somebody who cannot enter.
    """
    with transaction.atomic():
        StudyDraft.objects.select_for_update().get(pk=draft.pk)
        if reason := why_not_enter(draft, user):
            raise ValidationError(reason)
        entry = draft.second_entries.filter(user=user).first() or SecondEntry(
            draft=draft,
            user=user,
            user_name=user.get_username(),
            begun_at=timezone.now(),
        )
        reader, errors = CellReader(), {}
        for course in courses_to_enter(draft):
            kept = dict(entry.content.get(course.row, {}))
            for name in FIELD_LABELS:
                text = texts.get(course.row, {}).get(name, kept.get(name, "")).strip()
                try:
                    reader.read(sheet_of(name), column_of(name), text)
                except CellError as error:
                    errors[course.row, name] = error
                    continue
                kept[name] = text
            entry.content[course.row] = {name: text for name, text in kept.items() if text}
        entry.content = {row: fields for row, fields in entry.content.items() if fields}
        entry.save()
    return errors


def finish_entry(draft: StudyDraft, user) -> SecondEntry:
    """Compares a second entry with the newest version; from then on neither is blind. Raises
    ValidationError where nothing was entered.
    """
    with transaction.atomic():
        StudyDraft.objects.select_for_update().get(pk=draft.pk)
        held = StudyDraft.objects.select_related("collection", "head").get(pk=draft.pk)
        if reason := why_not_enter(held, user):
            raise ValidationError(reason)
        entry = held.second_entries.filter(user=user).first()
        if entry is None or not entry.content:
            raise ValidationError(NOTHING_ENTERED)
        entry.comparison = compared(held, held.head, entry.content)
        entry.version, entry.finished_at = held.head, timezone.now()
        entry.save()
    return entry


def compared(draft: StudyDraft, version: StudyVersion, texts: Texts) -> list[dict]:
    """What the first and the second entry say of each cell of which either says something."""
    reader = CellReader()
    first = DocumentCells(draft.collection, draft.slug, content_of(version), reader)
    rows = first.rows(COURSES)
    second = second_cells(draft, rows, texts, reader)
    found = []
    for row in rows:
        for name in FIELD_LABELS:
            ours, theirs = first_text(first, row, name), second_text(second, row, name)
            if ours or theirs:
                same = ours == theirs
                if name != SERIOUS and not same and NR not in (ours, theirs):
                    same = first.digest(COURSES, row, name) == second.digest(COURSES, row, name)
                found.append(
                    {"row": row, "field": name, "first": ours, "second": theirs, "same": same}
                )
    return found


def second_cells(
    draft: StudyDraft, rows: list[str], texts: Texts, reader: CellReader
) -> DocumentCells:
    """A second entry as cells of courses that say nothing else. Whether any event was serious is
    kept as of one event.
    """
    cells = DocumentCells(draft.collection, draft.slug, skeleton(draft, rows), reader)
    for row in rows:
        for name in FIELD_LABELS:
            if text := texts.get(row, {}).get(name, ""):
                cells.write(sheet_of(name), row_of(name, row), name, text)
    return cells


def skeleton(draft: StudyDraft, rows: list[str]) -> Document:
    """Patients and courses that say nothing but which they are."""
    keys = [tuple(row.split(" / ")) for row in rows]
    study = [draft.collection.slug, draft.slug]
    patients = [
        {"model": "evidence.patient", "fields": {"study": study, "slug": slug}}
        for slug in dict.fromkeys(slug for slug, _ in keys)
    ]
    return patients + [
        {"model": "evidence.treatment", "fields": {"patient": [slug], "number": int(number)}}
        for slug, number in keys
    ]


def second_text(cells: DocumentCells, row: str, name: str) -> str:
    return cells.text(sheet_of(name), row_of(name, row), name)


def first_text(cells: DocumentCells, row: str, name: str) -> str:
    """What the first entry says; of seriousness, what it says of the events of a course together.
    What is empty under the tick “every empty field was looked for” is not reported.
    """
    text = serious_text(cells, row) if name == SERIOUS else cells.text(COURSES, row, name)
    patient = cells.records[cells.key(PATIENTS, row.partition(" / ")[0])]
    return text or (NR if patient["fields"].get("looked_for") else "")


def serious_text(cells: DocumentCells, row: str) -> str:
    """Whether any event of a course was serious; empty where nobody has said."""
    course = cells.records[cells.key(COURSES, row)]
    events = [cells.records[cells.key(EVENTS, one)] for one in events_of(cells, row)]
    serious = had_serious_event(course["fields"], [event["fields"] for event in events])
    if serious is not None:
        return dict(column_of(SERIOUS).choices)["yes" if serious else "no"]
    states = [event["states"].get(SERIOUS) for event in events]
    states += [course["states"].get("adverse_events")]
    return NR if any(states) else ""


def events_of(cells: DocumentCells, row: str) -> list[str]:
    """The rows of a course's adverse events."""
    return [one for one in cells.rows(EVENTS) if one.rpartition(" / ")[0] == row]


# ---- deciding


@dataclass(frozen=True)
class Difference:
    """A cell of which the two entries say something else, and how it was decided, if it was."""

    row: str
    field: str
    first: str
    second: str
    judgement: Judgement | None = None

    @property
    def label(self) -> str:
        return f"{self.row}, {FIELD_LABELS[self.field]}"


def differences_of(entry: SecondEntry) -> list[Difference]:
    """What is to be decided, and what was, of a finished entry."""
    decided = {(one.row, one.field): one for one in entry.judgements.all()}
    return [
        Difference(
            one["row"],
            one["field"],
            one["first"],
            one["second"],
            decided.get((one["row"], one["field"])),
        )
        for one in entry.differences
    ]


def decide(
    entry: SecondEntry, row: str, name: str, sent: Mapping[str, str], *, based_on: int, user
) -> Judgement:
    """Decides one difference: `sent` has `chosen` (a `Choice`), `value` where it is another, and
    `reason`. The draft says so from then on, as a version of whoever decides.

    Raises Conflict where another version was written meanwhile, CellError where a value cannot be
    read, and ValidationError where there is nothing to decide, or no reason.
    """
    chosen, reason = sent.get("chosen", ""), sent.get("reason", "").strip()
    if chosen not in Choice.values or not reason:
        raise ValidationError(SAY_WHY if chosen in Choice.values else "Say which value holds.")
    with transaction.atomic():
        held = held_at(entry.draft, based_on)
        open_ones = [one for one in differences_of(entry) if one.judgement is None]
        one = next((one for one in open_ones if (one.row, one.field) == (row, name)), None)
        if one is None:
            raise ValidationError(NO_DIFFERENCE)
        text = {Choice.FIRST: one.first, Choice.SECOND: one.second}.get(chosen)
        text = sent.get("value", "").strip() if text is None else text
        cells = DocumentCells(held.collection, held.slug, content_of(held.head))
        if not cells.has(COURSES, row):
            raise ValidationError(f"There is no course {row} any more.")
        write_decided(cells, row, name, text)
        message = f"{one.label}: {Choice(chosen).label.lower()} entry holds. {reason}"
        if chosen == Choice.OTHER:
            message = f"{one.label}: another value holds. {reason}"
        save_draft(
            held, cells.document(), based_on=based_on, author=Author(user=user), message=message
        )
        return Judgement.objects.create(
            entry=entry,
            row=row,
            field=name,
            chosen=chosen,
            value=first_text(cells, row, name),
            reason=reason,
            **said_by(user),
        )


def write_decided(cells: DocumentCells, row: str, name: str, text: str) -> None:
    """Writes what was decided. Of seriousness into the one event of a course; where there is none,
    or several, somebody has mended them before.
    """
    if name != SERIOUS:
        if text != cells.text(COURSES, row, name):
            cells.write(COURSES, row, name, text)
        return
    reading = cells.reader.read(EVENTS, column_of(SERIOUS), text)
    wanted = "" if reading is None else NR if reading.state else column_label(reading.value)
    if serious_text(cells, row) == wanted:
        return
    events = events_of(cells, row)
    if len(events) != 1:
        raise ValidationError(MEND_EVENTS.format(len(events)))
    cells.write(EVENTS, events[0], SERIOUS, text)


def column_label(code: str) -> str:
    return dict(column_of(SERIOUS).choices)[code]

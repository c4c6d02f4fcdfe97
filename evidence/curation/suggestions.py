"""Suggestions of readers, answered: into a study in work, or declined. What readers see changes
only when that study is published.
"""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ..models import StudyDraft, Suggestion
from ..models.choices import SuggestionStage
from .documents import Document, by_key
from .drafts import Author, content_of, open_draft, save_draft
from .workbook.records import written
from .workbook.sheets import SHEETS, Column, Kind, Sheet
from .workbook.values import CellError, CellReader, Reading

# What becomes several records, or names one, is entered by hand.
BY_HAND = (Kind.PRESENT, Kind.ABSENT, Kind.REFERENCE, Kind.REFERENCES, Kind.STATE)


def accept(suggestion: Suggestion, author: Author, answer: str = "") -> tuple[StudyDraft, str]:
    """Takes a suggestion into the study in work, begun if there is none. Returns the draft, and why
    the value has to be entered by hand: empty where it stands in the draft.

    Raises ValidationError where it is answered already.
    """
    with transaction.atomic():
        held = held_for_answer(suggestion)
        draft = open_draft(held.collection, held.study, author)
        content = content_of(draft.head)
        try:
            content = with_value(content, held)
        except CellError as error:
            by_hand = error.problem
        else:
            by_hand = ""
            save_draft(
                draft,
                content,
                based_on=draft.head.number if draft.head else None,
                author=author,
                message=f"Suggested by a reader: {held.label}: {held.proposed}. "
                f"Passage: {held.passage}",
            )
        settle(held, SuggestionStage.ACCEPTED, author, answer)
    suggestion.refresh_from_db()
    return draft, by_hand


def decline(suggestion: Suggestion, author: Author, answer: str) -> None:
    """Raises ValidationError without an answer, or where it is answered already."""
    if not answer.strip():
        raise ValidationError("Say why the suggestion is declined.")
    with transaction.atomic():
        settle(held_for_answer(suggestion), SuggestionStage.DECLINED, author, answer)
    suggestion.refresh_from_db()


def held_for_answer(suggestion: Suggestion) -> Suggestion:
    """The suggestion's row, locked. Raises ValidationError where somebody has answered it."""
    held = Suggestion.objects.select_for_update().get(pk=suggestion.pk)
    if held.stage != SuggestionStage.NEW:
        who = held.answered_by.get_username() if held.answered_by else "somebody"
        raise ValidationError(f"{who} has answered this suggestion meanwhile. Nothing was changed.")
    return held


def settle(suggestion: Suggestion, stage: str, author: Author, answer: str) -> None:
    suggestion.stage, suggestion.answer = stage, answer.strip()
    suggestion.answered_by, suggestion.answered_at = author.user, timezone.now()
    suggestion.save(update_fields=["stage", "answer", "answered_by", "answered_at"])


def with_value(content: Document, suggestion: Suggestion) -> Document:
    """The document with the proposed value in its cell, read as a cell of a workbook is. Raises
    CellError where it is to be entered by hand, saying why.
    """
    sheet, column = cell_of(suggestion)
    reading = CellReader().read(sheet, column, suggestion.proposed)
    key = (suggestion.record, *suggestion.key)
    records = by_key(content)
    if key not in records:
        raise CellError("The study in work has no such record any more.")
    record = records[key]
    if reading is None or reading.is_none:
        raise CellError("How complete a list is has to be said beside it.")
    records[key] = with_reading(record, column, reading, suggestion.collection.slug)
    return list(records.values())


def cell_of(suggestion: Suggestion) -> tuple[Sheet, Column]:
    """The sheet and the column of a workbook that a suggestion is about. Raises CellError."""
    for sheet in SHEETS:
        if sheet.model._meta.label_lower == suggestion.record:
            column = sheet.by_field.get(suggestion.field)
            if column is not None and column.kind not in BY_HAND:
                return sheet, column
    raise CellError("This is no single cell.")


def with_reading(record: dict, column: Column, reading: Reading, collection: str) -> dict:
    """A record with what was read in its cell: a value, or a state in the place of one."""
    fields = {name: value for name, value in record["fields"].items() if name != column.field}
    states = {
        name: state for name, state in record.get("states", {}).items() if name != column.field
    }
    if reading.state:
        states[column.field] = reading.state
    else:
        fields[column.field] = written(column, reading.value, collection)
    return {"model": record["model"], "fields": fields} | ({"states": states} if states else {})

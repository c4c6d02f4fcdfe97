"""The records of one page of a list, in the order asked for."""

from django.db.models import QuerySet

from ..counting import Unit, row_keys, row_keys_under
from ..models import AdverseEvent, Outcome, Patient, Treatment
from ..models.outcome import in_month_windows
from ..questions.question import Question
from .column import Table, order_records

RECORDS = {
    Unit.PATIENTS: Patient,
    Unit.TREATMENTS: Treatment,
    Unit.OUTCOMES: Outcome,
    Unit.EVENTS: AdverseEvent,
}
UNDER = (Unit.OUTCOMES, Unit.EVENTS)


def page_records(table: Table, question: Question, sort: str, start: int, stop: int) -> QuerySet:
    """Records `start` to `stop` of the list. Raises KeyError for a sort word that names no
    column.
    """
    records = (
        page_from_snapshot(table, question, sort, start, stop) if table.unit in RECORDS else None
    )
    return (
        order_records(table, table.records(question), sort)[start:stop]
        if records is None
        else records
    )


def page_from_snapshot(
    table: Table, question: Question, sort: str, start: int, stop: int
) -> QuerySet | None:
    """The records by their keys, where memory knows which they are."""
    unit = Unit(table.unit)
    rows = RECORDS[unit].objects
    if unit in UNDER:
        treatments_and_offset = None if sort else row_keys_under(question, unit, start, stop)
        if treatments_and_offset is None:
            return None
        treatments, offset = treatments_and_offset
        rows = rows.filter(treatment__among=treatments)
        if unit == Unit.OUTCOMES:
            rows = rows.filter(in_month_windows(question.outcome_months))
        return order_records(table, rows, "")[offset : offset + stop - start]
    order = (
        (sort, lambda: order_records(table, table.records(question.only()), sort)) if sort else None
    )
    keys = row_keys(question, unit, start, stop, order)
    return None if keys is None else order_records(table, rows.filter(pk__among=keys), sort)

"""Streaming CSV: batches of rows, flat memory, formulas made inert, UTF-8 that Excel opens."""

from collections.abc import Iterator
from itertools import islice

from defusedcsv import csv
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from .columns import Table, rows
from .columns.column import BATCH, Cell, Column
from .models import Collection
from .questions import Question

BYTE_ORDER_MARK = "\ufeff"  # without it Excel reads UTF-8 as something else


class Lines:
    """Collects what a csv writer writes, until it is taken."""

    def __init__(self):
        self.written: list[str] = []

    def write(self, line: str) -> None:
        self.written.append(line)

    def take(self) -> str:
        text, self.written = "".join(self.written), []
        return text


def evidence_kind(collection: Collection) -> str:
    """What kind of records these are; simulated ones carry their caveat on every row."""
    return collection.caveat if collection.is_simulated else collection.kind


def written(column: Column, cell: Cell):
    """A cell in a file. A missing text says why; a missing number stays empty, and `empty_means` says why."""
    if cell.value is None:
        return "" if column.numeric else cell.missing
    # defusedcsv makes = + - @ inert but not these, which some spreadsheets skip before they look.
    if isinstance(cell.value, str) and cell.value[:1] in ("\t", "\r", "\n"):
        return f"'{cell.value}"
    return cell.value


def csv_text(table: Table, records: QuerySet, question: Question) -> Iterator[str]:
    """The file in pieces of up to 2,000 rows, header first."""
    columns = table.file_columns
    lines, kind = Lines(), evidence_kind(question.collection)
    writer = csv.writer(lines)
    writer.writerow([column.name for column in columns] + ["empty_means", "collection", "evidence_kind"])
    yield BYTE_ORDER_MARK + lines.take()
    found = rows(columns, table, records, question)
    while batch := list(islice(found, BATCH)):
        for row in batch:
            values = [written(column, cell) for column, cell in zip(columns, row.cells, strict=True)]
            writer.writerow([*values, row.empty_means, question.collection.slug, kind])
        yield lines.take()


def csv_response(table: Table, records: QuerySet, question: Question) -> StreamingHttpResponse:
    """The download. Validate the question first: once a row is out, no error can be told."""
    filename = f"casebook-{question.collection.slug}-{table.noun}.csv"
    headers = {"Content-Disposition": content_disposition_header(as_attachment=True, filename=filename)}
    return StreamingHttpResponse(
        csv_text(table, records, question), content_type="text/csv; charset=utf-8", headers=headers
    )

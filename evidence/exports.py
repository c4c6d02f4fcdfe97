"""Streaming CSV: batches of rows, flat memory, formulas made inert, UTF-8 that Excel opens."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from itertools import repeat

from defusedcsv.csv import _escape as made_inert  # its writer would look at every cell of every row
from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header

from .charts import Chart
from .citations import FORMATS, cited
from .columns import Batch, Column, Table, batches
from .columns.column import translated
from .dictionary import dictionary
from .models import Collection, Study
from .questions import Question
from .steady import steady

BYTE_ORDER_MARK = "\ufeff"  # without it Excel reads UTF-8 as something else
# First characters that can make a spreadsheet take a text for a formula; some skip a tab or a line break before it.
FORMULA = frozenset("=+-@|%\t\r\n")
SKIPPED = ("\t", "\r", "\n")


def evidence_kind(collection: Collection) -> str:
    """What kind of records these are; simulated ones carry their caveat on every row."""
    return collection.caveat if collection.is_simulated else collection.kind


def written(column: Column, values: Sequence, reasons: Sequence[str]) -> list:
    """A column as a file holds it. A missing text says why; a missing number is empty, and `empty_means` says why."""
    if column.numeric:
        return list(values)
    values = translated(values, lambda value: value and inert(value))
    if column.tells_missing:
        return [reason if value is None else value for value, reason in zip(values, reasons, strict=True)]
    return values


def inert(value: str) -> str:
    """A text no spreadsheet takes for a formula. Most begin with a letter and are left as they are."""
    if value[:1] not in FORMULA:
        return value
    return f"'{value}" if value.startswith(SKIPPED) else made_inert(value)


class Lines:
    """Rows as the text of a file."""

    def __init__(self):
        self.text = StringIO()
        self.writer = csv.writer(self.text)

    def of(self, rows) -> str:
        self.writer.writerows(rows)
        text = self.text.getvalue()
        self.text.seek(0)
        self.text.truncate()
        return text


def csv_text(table: Table, records: QuerySet, question: Question) -> Iterator[str]:
    """The file in pieces of up to 2,000 rows, header first; all of one state of the data."""
    columns, lines, collection = table.file_columns, Lines(), question.collection
    header = [*(column.name for column in columns), "empty_means", "collection", "evidence_kind"]
    yield BYTE_ORDER_MARK + lines.of([header])
    with steady():
        for batch in batches(columns, table, records, question):
            yield lines.of(rows(columns, batch, collection.slug, inert(evidence_kind(collection))))


def rows(columns: list[Column], batch: Batch, collection: str, kind: str):
    cells = [written(column, values, batch.reasons) for column, values in zip(columns, batch.values, strict=True)]
    return zip(*cells, batch.reasons, repeat(collection, len(batch)), repeat(kind, len(batch)), strict=True)


def chart_csv(chart: Chart, question: Question, asked: str | None = None) -> HttpResponse:
    """The numbers of a chart, each in a column of its own, with the question they answer on every row.

    `asked` is the query string that asked for them, where it says more than the question.
    """
    headings, rows = chart.table.for_programs
    collection = question.collection
    same = [inert(question.query() if asked is None else asked), collection.slug, inert(evidence_kind(collection))]
    header = [*headings, "question", "collection", "evidence_kind"]
    lines = [[inert(cell) if isinstance(cell, str) else cell for cell in row] + same for row in rows]
    text = BYTE_ORDER_MARK + Lines().of([header, *lines])
    return text_response(text, f"casebook-{collection.slug}-{chart.name}.csv", "text/csv")


def text_response(text: str, filename: str, content_type: str) -> HttpResponse:
    """A small file, whole."""
    headers = {"Content-Disposition": content_disposition_header(as_attachment=True, filename=filename)}
    return HttpResponse(text, content_type=f"{content_type}; charset=utf-8", headers=headers)


def dictionary_csv() -> HttpResponse:
    """The data dictionary as a file."""
    header = ["file", "column", "label", "meaning", "type", "unit", "values", "missing", "source"]
    rows = [
        [each.file, each.name, each.label, each.meaning, each.type, each.unit, each.allowed, each.missing, each.source]
        for _, entries in dictionary()
        for each in entries
    ]
    text = BYTE_ORDER_MARK + Lines().of([header, *([inert(cell) for cell in row] for row in rows)])
    return text_response(text, "casebook-data-dictionary.csv", "text/csv")


def citation_file(studies: Iterable[Study], name: str, how: str) -> HttpResponse:
    """Studies as RIS or BibTeX."""
    return text_response(cited(studies, how), f"{name}.{how}", FORMATS[how][1])


def csv_response(table: Table, records: QuerySet, question: Question) -> StreamingHttpResponse:
    """The download. Validate the question first: once a row is out, no error can be told."""
    filename = f"casebook-{question.collection.slug}-{table.noun}.csv"
    headers = {"Content-Disposition": content_disposition_header(as_attachment=True, filename=filename)}
    return StreamingHttpResponse(
        csv_text(table, records, question), content_type="text/csv; charset=utf-8", headers=headers
    )

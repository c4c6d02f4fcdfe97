"""A list as a download, in each format it comes in."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from ..questions.question import Question
from ..tables import Table
from .file_names import FileAddress, attachment_header, file_name
from .rows import json_lines, separated_text
from .workbook import workbook_pieces

WORTH_SAYING = 5  # seconds
MINUTE = 60


@dataclass(frozen=True)
class Format:
    """A file format: its name for people, its content type, and what writes it.

    `rate` is about how many rows a second are written before the first byte of one that cannot be
    sent piece by piece.
    """

    label: str
    content_type: str
    write: Callable[[Table, QuerySet, Question], object]
    rate: int | None = None

    def waiting_time(self, rows: int) -> str:
        """How long a download of so many rows takes to begin; an empty text if that is short."""
        seconds = rows / self.rate if self.rate else 0
        if seconds < WORTH_SAYING:
            return ""
        return (
            f"begins after {seconds:.0f} s"
            if seconds < MINUTE
            else f"begins after {seconds / MINUTE:.0f} min"
        )


FILE_FORMATS = {
    "csv": Format("CSV", "text/csv; charset=utf-8", separated_text),
    "tsv": Format(
        "TSV",
        "text/tab-separated-values; charset=utf-8",
        lambda table, records, question: separated_text(table, records, question, "\t"),
    ),
    "jsonl": Format("JSON Lines", "application/jsonl; charset=utf-8", json_lines),
    "xlsx": Format(
        "Excel",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        workbook_pieces,
        rate=3000,
    ),
}


def list_download(
    table: Table, records: QuerySet, question: Question, extension: str, address: FileAddress
) -> StreamingHttpResponse:
    """A list as a download. Validate the question first: after the first row is sent, no error can
    be reported.

    Raises TooManyRows for a workbook that would not hold them.
    """
    file_format = FILE_FORMATS[extension]
    collection = question.collection
    filename = file_name(collection, extension, table.noun, address.query)
    headers = attachment_header(filename, collection, address)
    return StreamingHttpResponse(
        file_format.write(table, records, question),
        content_type=file_format.content_type,
        headers=headers,
    )

"""A list as a workbook: numbers as numbers, texts as texts, its columns explained, and what it
is.
"""

import tempfile
from collections.abc import Iterator

import xlsxwriter
from django.db.models import QuerySet

from ..models.consistency import consistent_read
from ..questions.question import Question
from ..questions.vocabulary import vocabulary
from ..tables import Table
from ..tables.column import SEPARATOR
from ..tables.dictionary import HEADER, column_entry, common_entries
from .release_status import ReleaseStatus, release_status
from .rows import column_names, constant_columns, evidence_kind, row_batches, unchanged_cell

MOST_ROWS = 1_048_575  # of a sheet, its header apart
CHUNK = 64 * 1024


class TooManyRows(ValueError):
    """A workbook holds about a million rows; the other formats hold any number."""


def workbook_pieces(table: Table, records: QuerySet, question: Question) -> Iterator[bytes]:
    """The workbook in pieces. It is written to a file on the way, row by row, so memory stays flat.

    While it is written the pieces are empty, one for each batch of rows: they send nothing, and
    whoever takes them can leave off when nobody waits for the file any more. Raises TooManyRows
    before the first piece.
    """
    if records.count() > MOST_ROWS:
        raise TooManyRows(
            f"A workbook holds at most {MOST_ROWS:,} rows. Use CSV, TSV or JSON Lines."
        )
    return workbook_chunks(table, records, question)


def workbook_chunks(table: Table, records: QuerySet, question: Question) -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile(dir=folder) as file:
        with consistent_read():
            book = open_workbook(file, folder)
            try:
                yield from fill_workbook(book, table, records, question)
                book.close()
            finally:
                for sheet in book.worksheets():
                    sheet.row_data_fh.close()  # still open where the work was given up
        file.seek(0)
        while chunk := file.read(CHUNK):
            yield chunk


def open_workbook(file, folder: str) -> xlsxwriter.Workbook:
    """An empty workbook that writes to the file, by way of files in the folder.

    Texts stay texts: no cell becomes a formula, a link or a number because of how it begins.
    """
    options = {
        "constant_memory": True,
        "tmpdir": folder,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "default_date_format": "yyyy-mm-dd",
    }
    return xlsxwriter.Workbook(file, options)


def fill_workbook(
    book: xlsxwriter.Workbook, table: Table, records: QuerySet, question: Question
) -> Iterator[bytes]:
    """Fills the workbook, pausing with an empty piece after each batch of rows."""
    status = release_status(question.collection)
    constants = constant_columns(question, status)
    book.set_properties(
        {"title": f"Casebook: {table.title}", "created": status.since.replace(tzinfo=None)}
    )
    bold = book.add_format({"bold": True})
    sheet = book.add_worksheet(table.noun)
    sheet.freeze_panes(1, 0)
    sheet.write_row(0, 0, column_names(table, constants), bold)
    row_number = 0
    for batch in row_batches(table, records, question, constants, unchanged_cell):
        for row in batch:
            row_number += 1
            sheet.write_row(row_number, 0, row)
        yield b""
    columns_sheet = book.add_worksheet("columns")
    columns_sheet.write_row(0, 0, HEADER[1:], bold)  # the file is this one
    entries = [
        *(column_entry(table, column) for column in table.file_columns),
        *common_entries(table),
    ]
    for row_number, explained_column in enumerate(entries, start=1):
        columns_sheet.write_row(row_number, 0, explained_column.cells[1:])
    about_sheet = book.add_worksheet("about")
    for row_number, row in enumerate(about_list(table, question, status)):
        about_sheet.write_row(row_number, 0, row)


def about_list(table: Table, question: Question, now: ReleaseStatus) -> list[tuple[str, str]]:
    """What a workbook says of itself: (what, its value)."""
    collection = question.collection
    not_asked = table.in_words(question, vocabulary(collection)).not_asked
    return [
        ("collection", collection.name),
        ("kind of evidence", evidence_kind(collection)),
        ("question", question.query() or "everybody"),
        *([("not asked of groups", SEPARATOR.join(not_asked))] if not_asked else []),
        ("release", now.label),
        ("date", now.since.isoformat()),
    ]

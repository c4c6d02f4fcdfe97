"""What is wrong with a workbook: as a table, and in the workbook itself, cell by cell."""

import csv
import io
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

import openpyxl
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter

from ...downloads.rows import BYTE_ORDER_MARK, escape_formula
from ...models.spellings import fold_spelling
from ...summaries.shares import listed
from .opening import UnreadableFile, open_file
from .rows import Conversion, Fault
from .sheets import FAULTS, SHEETS

HEADERS = ("sheet", "row", "column", "value", "what is wrong", "nearest")
AUTHOR = "Casebook"  # of the comments that say what is wrong
FAULTY = PatternFill("solid", start_color="FFF4B6B0", end_color="FFF4B6B0")
COMMENT_SIZE = {"width": 320, "height": 140}
SHOWN_ROWS = 6  # of those in which the same was converted
WIDTHS = (16, 8, 28, 28, 80, 40)


def fault_cells(fault: Fault) -> tuple[str, ...]:
    """A fault as the cells of a table."""
    row = "" if fault.row is None else str(fault.row)
    return fault.sheet, row, fault.column, fault.value, fault.problem, "; ".join(fault.nearest)


def conversion_rows(conversions: Iterable[Conversion]) -> list[tuple[str, str, str, str, str]]:
    """What was not kept as it was written, each once: sheet, rows, column, value, what it
    became.
    """
    rows: dict[tuple, list[int]] = {}
    for one in conversions:
        rows.setdefault((one.sheet, one.column, one.value, one.became), []).append(one.row)
    return [
        (sheet, listed(numbers, SHOWN_ROWS, ", "), column, value, became)
        for (sheet, column, value, became), numbers in rows.items()
    ]


def table_lines(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table for a terminal: columns as wide as they need to be, the last one without an end."""
    lines = [headers, *([" ".join(cell.split()) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        yield "  ".join(padded).rstrip()


def fault_lines(faults: Iterable[Fault]) -> Iterator[str]:
    """Every fault on a line."""
    return table_lines(HEADERS, map(fault_cells, faults))


def fault_csv(faults: Iterable[Fault]) -> str:
    """Every fault as a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADERS)
    for fault in faults:
        writer.writerow(map(escape_formula, fault_cells(fault)))
    return BYTE_ORDER_MARK + text.getvalue()


def coloured_workbook(file: BinaryIO, faults: Iterable[Fault]) -> bytes:
    """The workbook that was sent, with faulty cells coloured and commented and a sheet that lists
    them. What an earlier report marked and is right now is unmarked.

    Raises UnreadableFile like `read_workbook`.
    """
    if not open_file(file).is_workbook:  # refuses what is not to be opened, too
        raise UnreadableFile("CSV files have no cells to colour; name a .csv file for the report.")
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about parts of Excel that it does not keep
        book = openpyxl.load_workbook(file, keep_links=False)
    faults = list(faults)
    unmark(book)
    told: dict[tuple, list[Fault]] = defaultdict(list)
    for fault in faults:
        if fault.sheet in book.sheetnames:
            told[fault.sheet, *cell_of(book[fault.sheet], fault)].append(fault)
    for (title, row, column), here in told.items():
        part_cells(book[title], row, column)
        mark(book[title].cell(row, column), here)
    list_faults(book, faults)
    result = io.BytesIO()
    book.save(result)
    return result.getvalue()


def unmark(book) -> None:
    """Takes away what an earlier report left."""
    if FAULTS in book.sheetnames:
        del book[FAULTS]
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.comment and cell.comment.author == AUTHOR:
                    cell.comment, cell.fill = None, PatternFill()


def cell_of(sheet, fault: Fault) -> tuple[int, int]:
    """Row and column of a fault; where its column is not in the workbook, the row's first cell."""
    row = fault.row or 1
    known = next(
        (one for one in SHEETS if fold_spelling(one.title) == fold_spelling(sheet.title)), None
    )
    names = {fold_spelling(fault.column)}
    if known:
        own = (one for one in known.columns if one.header == fault.column)
        names |= {fold_spelling(name) for one in own for name in one.names}
    columns = [
        cell.column
        for cell in sheet[1]
        if cell.value is not None and fold_spelling(str(cell.value)) in names
    ]
    if columns:
        return row, columns[-1] if row == 1 else columns[0]
    if not fault.column and fault.row:  # a value under no header
        headed = {cell.column for cell in sheet[1] if cell.value is not None}
        beside = (c.column for c in sheet[row] if c.value is not None and c.column not in headed)
        return row, next(beside, 1)
    return row, 1


def part_cells(sheet, row: int, column: int) -> None:
    """Parts the cells that are merged over one: what is missing there is typed into that one."""
    for merged in list(sheet.merged_cells.ranges):
        if merged.min_row <= row <= merged.max_row and merged.min_col <= column <= merged.max_col:
            sheet.unmerge_cells(merged.coord)


def mark(cell, faults: list[Fault]) -> None:
    lines = []
    for fault in faults:
        lines.append(f"{fault.column}: {fault.problem}" if fault.column else fault.problem)
        if fault.nearest:
            lines.append(f"Nearest: {'; '.join(fault.nearest)}")
    own = cell.comment
    if own and cell.row == 1:  # a header's explanation stays
        lines.append(own.text)
    cell.comment = Comment("\n".join(lines), AUTHOR, **COMMENT_SIZE)
    cell.fill = FAULTY


def list_faults(book, faults: list[Fault]) -> None:
    if not faults:
        return
    sheet = book.create_sheet(FAULTS, 0)
    sheet.append(HEADERS)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for row, fault in enumerate(faults, start=2):
        for column, text in enumerate(fault_cells(fault), start=1):
            cell = sheet.cell(row, column)
            cell.value = text
            cell.data_type = "s"  # a text that begins with = stays a text
    for index, width in enumerate(WIDTHS, start=1):
        sheet.column_dimensions[get_column_letter(index)].width = width
    sheet.freeze_panes = "A2"
    book.active = 0

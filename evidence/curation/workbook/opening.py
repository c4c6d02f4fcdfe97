"""Opens a workbook or a ZIP of CSV files that somebody sent: nothing in it is run or fetched, and
it cannot take more than a bounded part of memory and time.
"""

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

import openpyxl
from defusedxml import ElementTree
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.formula import ArrayFormula, DataTableFormula

from .values import ExcelError, Formula, Percentage, RawValue

MEGABYTE = 1024 * 1024
MOST_BYTES = 30 * MEGABYTE
MOST_UNPACKED = 200 * MEGABYTE
MOST_TEXTS = 60 * MEGABYTE  # of the part that holds a workbook's texts, which is read whole
MOST_RATIO = 150  # of a part's size to its packed size; sheets of real data have up to 20
RATIO_FROM = MEGABYTE  # a smaller part may be packed as tightly as it will
MOST_ENTRIES = 500
MOST_ROWS = 100_000  # of a sheet, empty ones included
MOST_COLUMNS = 200
MOST_DIGITS = 10  # of the number of a row
MOST_CHARACTERS = 32_767  # of a cell, as in Excel
CHUNK = 64 * 1024

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Parts of a workbook that can run, or can reach out of it, and what people call them.
REFUSED_PARTS = (
    (r"vbaproject|vbadata", "macros", "Save it as a workbook without macros (.xlsx)."),
    (r"/macrosheets/|/dialogsheets/", "macros", "Save it as a workbook without macros (.xlsx)."),
    (r"/externallinks/", "links to other workbooks", "Break the links (Data, Edit Links)."),
    (r"/connections\.xml|/querytables/", "data connections", "Remove them (Data, Queries)."),
    (r"/embeddings/|/activex/|/ctrlprops/", "embedded objects", "Remove them."),
    (r"/chartsheets/", "sheets that are charts", "Delete them."),
    (r"/customui/|/webextensions/", "add-ins", "Remove them."),
)
ROW = re.compile(rb"<(?:\w+:)?row\s[^<>]*?\br=[\"']([^\"']*)[\"']")
DOCTYPE = re.compile(rb"<!(DOCTYPE|ENTITY)", re.I)


class UnreadableFile(Exception):
    """Why a file is not opened, in words for whoever sent it."""


@dataclass(frozen=True)
class OpenedSheet:
    """One sheet by its own name; `rows` reads it anew each time, from its first row on."""

    title: str
    rows: Callable[[], Iterator[tuple[RawValue, ...]]]


@dataclass(frozen=True)
class OpenedFile:
    """What was sent: the sheets, and whether it was a workbook (or else CSV files)."""

    sheets: tuple[OpenedSheet, ...]
    is_workbook: bool


def open_file(file: BinaryIO, filename: str = "") -> OpenedFile:
    """The sheets of a workbook or of a ZIP of CSV files. Raises UnreadableFile; reading rows can
    raise it too.
    """
    archive = open_archive(file, filename)
    names = {entry.filename for entry in archive.infolist()}
    if "xl/workbook.xml" in names:
        return OpenedFile(tuple(workbook_sheets(file, archive)), True)
    if "xl/workbook.bin" in names or "mimetype" in names:
        raise UnreadableFile("This is a workbook of another kind. Save it as .xlsx.")
    if any(name.lower().endswith(".csv") for name in names):
        return OpenedFile(tuple(csv_sheets(archive)), False)
    raise UnreadableFile("This is neither a workbook (.xlsx) nor a ZIP of CSV files.")


def open_archive(file: BinaryIO, filename: str) -> zipfile.ZipFile:
    """The archive both are, within limits. Raises UnreadableFile."""
    file.seek(0, io.SEEK_END)
    if file.tell() > MOST_BYTES:
        raise UnreadableFile(f"The file is larger than {MOST_BYTES // MEGABYTE} MB.")
    file.seek(0)
    begin = file.read(8)
    if begin == OLE:
        raise UnreadableFile(
            "The workbook is protected by a password, or of the old kind (.xls). Save it as .xlsx "
            "without a password."
        )
    if not begin.startswith(b"PK"):
        hint = " Put CSV files into a ZIP." if filename.lower().endswith(".csv") else ""
        raise UnreadableFile(f"This is neither a workbook (.xlsx) nor a ZIP of CSV files.{hint}")
    try:
        archive = zipfile.ZipFile(file)
        entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise UnreadableFile(f"The file is damaged: {error}.") from None
    refuse_bombs(entries)
    refuse_active_parts(archive, entries)
    return archive


def refuse_bombs(entries: list[zipfile.ZipInfo]) -> None:
    """Raises UnreadableFile where unpacking would take too much. Python unpacks no more of a part
    than the size it declares.
    """
    if len(entries) > MOST_ENTRIES:
        raise UnreadableFile(f"The file has more than {MOST_ENTRIES} parts.")
    if any(entry.flag_bits & 1 for entry in entries):
        raise UnreadableFile("The file is protected by a password. Save it without one.")
    if len({entry.filename.lower() for entry in entries}) < len(entries):
        raise UnreadableFile("The file is damaged: a part stands in it twice.")
    unpacked = sum(entry.file_size for entry in entries)
    too_tight = any(
        entry.file_size > RATIO_FROM and entry.file_size > MOST_RATIO * max(entry.compress_size, 1)
        for entry in entries
    )
    texts = sum(e.file_size for e in entries if e.filename.lower().endswith("sharedstrings.xml"))
    if unpacked > MOST_UNPACKED or texts > MOST_TEXTS or too_tight:
        raise UnreadableFile(
            "Unpacked, the file is far larger than studies are; so it is not opened. Delete the "
            "empty rows and columns below and beside the data, and save it again."
        )


def refuse_active_parts(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> None:
    """Raises UnreadableFile for whatever runs, fetches, or makes XML grow."""
    for entry in entries:
        name = "/" + entry.filename.lower()
        for pattern, what, remedy in REFUSED_PARTS:
            if re.search(pattern, name):
                raise UnreadableFile(f"The workbook has {what}, so it is not opened. {remedy}")
        if name.endswith((".xml", ".rels")):
            refuse_document_types(archive, entry)
        if name.endswith(".rels"):
            refuse_outward_links(archive, entry)
        if name == "/[content_types].xml" and b"macroEnabled" in read_part(archive, entry):
            raise UnreadableFile(
                "The workbook has macros, so it is not opened. Save it as a workbook without "
                "macros (.xlsx)."
            )


def read_part(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(entry)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
        raise UnreadableFile(f"The file is damaged: {error}.") from None
    except zipfile.zlib.error as error:
        raise UnreadableFile(f"The file is damaged: {error}.") from None


def refuse_document_types(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Raises UnreadableFile where a part declares entities, or is written so that a look at its
    bytes would not show them. No spreadsheet program does either.
    """
    try:
        with archive.open(entry) as part:
            before = part.read(4)
            if b"\0" in before or before.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise UnreadableFile("The workbook has XML that is not UTF-8; it is not opened.")
            while chunk := part.read(CHUNK):
                if DOCTYPE.search(before + chunk):
                    raise UnreadableFile(
                        "The workbook has XML with a document type or entities of its own, which "
                        "no spreadsheet program writes; it is not opened."
                    )
                before = chunk[-16:]
    except (zipfile.BadZipFile, zipfile.zlib.error, ValueError, OSError, EOFError) as error:
        raise UnreadableFile(f"The file is damaged: {error}.") from None


def refuse_outward_links(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Raises UnreadableFile where a part is to be fetched from elsewhere. A hyperlink in a cell, as
    Excel makes one of each address, is only text.
    """
    try:
        relations = ElementTree.fromstring(read_part(archive, entry), forbid_dtd=True)
    except (ElementTree.ParseError, ValueError) as error:
        raise UnreadableFile(f"The file is damaged: {error}.") from None
    for relation in relations:
        outward = relation.get("TargetMode", "").lower() == "external"
        if outward and not relation.get("Type", "").lower().endswith("/hyperlink"):
            raise UnreadableFile(
                "The workbook has parts that are to be fetched from elsewhere, so it is not "
                "opened. Remove linked pictures, templates and objects."
            )


# ---- workbooks ------------------------------------------------------------


def workbook_sheets(file: BinaryIO, archive: zipfile.ZipFile) -> Iterator[OpenedSheet]:
    if not openpyxl.DEFUSEDXML:  # it reads XML unguarded where a variable says so
        raise UnreadableFile("Workbooks are not read here: OPENPYXL_DEFUSEDXML is off.")
    for entry in archive.infolist():
        name = entry.filename.lower()
        if name.startswith("xl/worksheets/") and name.endswith(".xml"):
            refuse_rows_out_of_order(archive, entry)
    archive.close()
    file.seek(0)
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=False, keep_links=False)
        sheets = list(book.worksheets)
    except Exception as error:  # openpyxl meets broken files with errors of every kind
        raise UnreadableFile(f"The workbook cannot be read: {error}") from None
    if len(sheets) < len(book.sheetnames):
        raise UnreadableFile("The workbook has sheets that are no tables, such as charts.")
    for sheet in sheets:
        yield OpenedSheet(sheet.title, lambda sheet=sheet: sheet_rows(sheet))


def refuse_rows_out_of_order(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Raises UnreadableFile where rows do not stand in their order: openpyxl leaves such out."""
    before, kept = 0, b""
    with archive.open(entry) as part:
        while chunk := part.read(CHUNK):
            text = kept + chunk
            whole = text.rfind(b">") + 1  # an element cut by the end of a chunk is looked at later
            for found in ROW.finditer(text, 0, whole):
                digits = found[1]
                number = int(digits) if digits.isdigit() and len(digits) < MOST_DIGITS else 0
                if number <= before:
                    raise UnreadableFile(
                        "The workbook is damaged: its rows do not stand in their order. Open it "
                        "in a spreadsheet program and save it again."
                    )
                before = number
            kept = text[whole:][-CHUNK:]  # the beginning of a row is shorter than that


def sheet_rows(sheet) -> Iterator[tuple[RawValue, ...]]:
    """The rows of a sheet. Raises UnreadableFile where it has too many, or one is too long."""
    sheet.reset_dimensions()  # what the file says of its own size is not relied on
    rows = iter(sheet.iter_rows())
    number = 0
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except Exception as error:  # as above
            raise UnreadableFile(f"Sheet {sheet.title} cannot be read: {error}") from None
        number += 1
        if number > MOST_ROWS:
            raise UnreadableFile(
                f"Sheet {sheet.title} has more than {MOST_ROWS:,} rows. Delete the empty rows "
                "below the data, and save it again."
            )
        if len(row) > MOST_COLUMNS:
            raise UnreadableFile(
                f"Sheet {sheet.title} reaches as far as column {get_column_letter(len(row))} in "
                f"row {number}. Delete what stands beside the data."
            )
        yield tuple(map(raw_value, row))


def raw_value(cell) -> RawValue:
    """What a cell of a workbook holds."""
    value = cell.value
    if value is None:
        return None
    if isinstance(value, ArrayFormula | DataTableFormula):
        return Formula(str(getattr(value, "text", "") or "="))
    if cell.data_type == "f":
        return Formula(str(value))
    if cell.data_type == "e":
        return ExcelError(str(value))
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and "%" in (cell.number_format or "")
    ):
        return Percentage(float(value))
    return value


# ---- CSV files ------------------------------------------------------------


def csv_sheets(archive: zipfile.ZipFile) -> Iterator[OpenedSheet]:
    entries = list(csv_entries(archive))
    start = len(start_of_names([stem for stem, _ in entries]))
    for stem, entry in entries:
        yield OpenedSheet(stem[start:], lambda entry=entry: csv_rows(archive, entry))


def start_of_names(stems: list[str]) -> str:
    """What all names begin with where a program writes each sheet as “workbook-sheet.csv”, as
    LibreOffice does.
    """
    if len(stems) < 2:
        return ""
    start = stems[0][: stems[0].rfind("-") + 1]
    return start if all(stem.startswith(start) for stem in stems) else ""


def csv_entries(archive: zipfile.ZipFile) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """The CSV files of a ZIP, each with its name."""
    for entry in archive.infolist():
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if entry.is_dir() or path.parts[:1] == ("__MACOSX",) or path.name.startswith("."):
            continue
        if path.suffix.lower() != ".csv":
            raise UnreadableFile(f"The ZIP has a file that is no CSV: {path.name}.")
        yield path.stem, entry


def csv_rows(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[tuple[RawValue, ...]]:
    name = PurePosixPath(entry.filename.replace("\\", "/")).name
    try:
        text = read_part(archive, entry).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableFile(f"{name} is not UTF-8. Save it as “CSV UTF-8”.") from None
    if "\0" in text:
        raise UnreadableFile(f"{name} is not a text file.")
    csv.field_size_limit(MOST_CHARACTERS)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=True)
    try:
        for number, row in enumerate(reader, start=1):
            if number > MOST_ROWS or len(row) > MOST_COLUMNS:
                raise UnreadableFile(
                    f"{name} has more than {MOST_ROWS:,} rows or {MOST_COLUMNS} columns."
                )
            yield tuple(Formula(cell) if starts_formula(cell) else cell for cell in row)
    except csv.Error as error:
        raise UnreadableFile(f"{name}, line {reader.line_num}: {error}.") from None


def delimiter_of(text: str) -> str:
    """What separates cells: whichever the first line has most of, outside of quotes."""
    header = re.sub(r'"[^"]*"', "", text.partition("\n")[0])
    return max(",;\t", key=header.count)


COMMAND = re.compile(r"\s*(=|[@+-]\s*[A-Za-z.]+\(|[@+-].*\|)")


def starts_formula(text: str) -> bool:
    """Whether a spreadsheet program would take this cell of a CSV file for a formula or a command
    (DDE).
    """
    return COMMAND.match(text) is not None

"""A workbook, or CSV files of the same sheets, as documents of studies in work: all of it or, with
everything named that is wrong, nothing.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from ...models import Collection
from ...models.spellings import fold_spelling
from ..documents import Document
from .in_work import InWork
from .linking import Linker
from .opening import OpenedFile, UnreadableFile, open_file
from .record_rules import RecordRules
from .records import Documents
from .rows import Conversion, Fault, Findings, Row, find_sheets, read_rows
from .sheets import INSTRUCTIONS, SHEETS
from .values import CellReader


@dataclass(frozen=True)
class Import:
    """What a workbook says. `documents` are by the slugs of their studies, and none where there is
    any fault.
    """

    documents: Mapping[str, Document] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    conversions: list[Conversion] = field(default_factory=list)


def no_progress(sheet: str, row: int) -> None:
    """Tells nobody."""


def read_workbook(
    file: BinaryIO,
    filename: str,
    collection: Collection,
    progress: Callable[[str, int], None] = no_progress,
) -> Import:
    """Reads a workbook or a ZIP of CSV files. Changes nothing.

    `progress` is told the sheet and the row now and then. Raises UnreadableFile for a file that is
    not opened: it is neither of the two, broken, too large, made for another collection, or has
    something in it that runs.
    """
    opened, said, reader = open_file(file, filename), Findings(), CellReader()
    refuse_of_another_collection(opened, collection)
    sheets = find_sheets(opened, said)
    rows: dict[str, list[Row]] = {
        sheet.title: list(read_rows(sheet, sheets[sheet.title], reader, said, progress))
        if sheet.title in sheets
        else []
        for sheet in SHEETS
    }
    in_work = InWork(collection)
    linked = Linker(collection, in_work, said).link(rows)
    RecordRules(linked, in_work, said, reader).check()
    faults = in_reading_order(said.faults)
    documents = {} if faults else Documents(collection, linked)
    return Import(documents, faults, said.conversions)


def refuse_of_another_collection(opened: OpenedFile, collection: Collection) -> None:
    """Raises UnreadableFile where the sheet of instructions names another collection."""
    for sheet in opened.sheets:
        if fold_spelling(sheet.title) != fold_spelling(INSTRUCTIONS):
            continue
        named = next(iter(sheet.rows()), ())
        made_for = re.search(r"\(([a-z0-9-]+)\)$", str(named[1])) if len(named) > 1 else None
        if made_for and made_for[1] != collection.slug:
            raise UnreadableFile(
                f"This workbook was made for the collection {made_for[1]}, and this is an import "
                f"into {collection.slug}. Choose {made_for[1]}, or delete the sheet {sheet.title}."
            )


def in_reading_order(faults: list[Fault]) -> list[Fault]:
    """Faults as somebody goes through the workbook: by sheet, row, column; each once."""
    titles = [sheet.title for sheet in SHEETS]
    columns = {
        (sheet.title, column.header): place
        for sheet in SHEETS
        for place, column in enumerate(sheet.columns)
    }

    def place(fault: Fault) -> tuple:
        known = fault.sheet in titles
        return (
            titles.index(fault.sheet) if known else len(titles),
            fault.sheet,
            fault.row or 0,
            columns.get((fault.sheet, fault.column), -1),
            fault.column,
            fault.problem,
        )

    return sorted(dict.fromkeys(faults), key=place)

"""The table of courses in the layout of REDCap: its data dictionary, and the rows that fit it.

The columns of a data dictionary are those of the file that REDCap itself gives out; names of fields
have small letters, digits and underscores, the first field names the record, and choices are
“code, label” joined by |.
"""

import re
from collections.abc import Iterator

from ..questions.question import Question
from ..tables import COURSES, Column, order_records
from ..tables.dictionary import Entry, column_entry, common_entries
from .rows import constant_columns, escape_formula, row_batches, unchanged_cell

HEADER = (
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
    "Field Note",
    "Text Validation Type OR Show Slider Number",
    "Text Validation Min",
    "Text Validation Max",
    "Identifier?",
    "Branching Logic (Show field only if...)",
    "Required Field?",
    "Custom Alignment",
    "Question Number (surveys only)",
    "Matrix Group Name",
    "Matrix Ranking?",
    "Field Annotation",
)
FORM = "courses"
RECORD = "record_id"
RECORD_MEANING = "The patient's public id and the number of the course, joined by -c."
CHOICE = re.compile(r"[A-Za-z0-9_]+")  # codes that REDCap takes


def redcap_dictionary() -> Iterator[tuple[str, ...]]:
    """The data dictionary, header first."""
    yield HEADER
    yield dictionary_row(RECORD, "text", "Record", note=RECORD_MEANING)
    for column in COURSES.file_columns:
        yield field_row(column, column_entry(COURSES, column))
    for entry in common_entries(COURSES, stands_alone=False):
        yield dictionary_row(entry.name, "text", entry.label, note=entry.meaning)


def field_row(column: Column, entry: Entry) -> tuple[str, ...]:
    """A column as a field of REDCap."""
    unit = f" In {entry.unit}." if entry.unit else ""
    note = f"{entry.meaning}{unit} Missing: {entry.missing}."
    if column.numeric:
        return dictionary_row(entry.name, "text", entry.label, note=note, validation=column.kind)
    codes = [code for code, _ in entry.values]
    if codes and not column.is_list and all(map(CHOICE.fullmatch, codes)):
        choices = " | ".join(f"{code}, {label.replace('|', '/')}" for code, label in entry.values)
        return dictionary_row(entry.name, "radio", entry.label, note=note, choices=choices)
    return dictionary_row(entry.name, "text", entry.label, note=note)


def dictionary_row(
    name: str, kind: str, label: str, *, note: str, choices: str = "", validation: str = ""
) -> tuple[str, ...]:
    """A line of the data dictionary; REDCap's other columns stay empty."""
    stated = {
        "Variable / Field Name": name,
        "Form Name": FORM,
        "Field Type": kind,
        "Field Label": label,
        "Choices, Calculations, OR Slider Labels": choices,
        "Field Note": note,
        "Text Validation Type OR Show Slider Number": validation,
    }
    return tuple(stated.get(heading, "") for heading in HEADER)


def redcap_data(question: Question) -> Iterator[tuple]:
    """The courses of a question as records of that form, header first. What is missing is empty,
    since a choice takes no other word; `empty_means` says why.
    """
    constants = constant_columns(question)
    columns = [column.name for column in COURSES.file_columns]
    yield (RECORD, *columns, "empty_means", *constants)
    patient, treatment = columns.index("patient"), columns.index("treatment")
    records = order_records(COURSES, COURSES.records(question), "")
    for batch in row_batches(COURSES, records, question, constants, unchanged_cell):
        for row in batch:
            cells = [escape_formula(cell) if isinstance(cell, str) else cell for cell in row]
            yield (f"{row[patient]}-c{row[treatment]}", *cells)

"""What describes a file of separated values, as the W3C's CSV on the Web has it: where the file is,
what it answers, and what each column holds. https://www.w3.org/TR/tabular-metadata/
"""

import re
from collections.abc import Callable, Sequence
from numbers import Real

from ..models import Collection
from ..questions.question import Question
from ..tables import TIDY, Table
from ..tables.column import SEPARATOR
from ..tables.dictionary import HEADER, column_entry, common_entries
from .file_names import FileAddress
from .release_status import release_status
from .rows import MISSING, evidence_kind

CONTENT_TYPE = "application/csvm+json"
COLUMN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
Absolute = Callable[[str], str]  # a path on this host -> an address


def table_metadata(
    table: Table, question: Question, address: FileAddress, absolute: Absolute
) -> dict:
    """The description of a list as a file. Where each row has a key, it says which."""
    columns = []
    for column in table.file_columns:
        entry = column_entry(table, column)
        described = described_column(column.name, entry.label, entry.meaning)
        if column.numeric:
            described["datatype"] = column.kind
        if column.is_list:
            described["separator"] = SEPARATOR
        elif column.tells_missing:
            described["null"] = list(MISSING)
        columns.append(described)
    columns += [
        described_column(entry.name, entry.label, entry.meaning) for entry in common_entries(table)
    ]
    names = {column["name"] for column in columns}
    schema = {"columns": columns}
    key = TIDY[table.noun].key if table.noun in TIDY else ()
    if key and set(key) <= names:
        schema["primaryKey"] = list(key)
    return described_file(
        f"Casebook: {question.collection.name}, {table.title.lower()}",
        question.collection,
        schema,
        address,
        absolute,
    )


def chart_metadata(
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence],
    question: Question,
    address: FileAddress,
    absolute: Absolute,
) -> dict:
    """The description of a chart's numbers as a file: a column is of numbers where all its values
    are.
    """
    columns = []
    by_column = zip(*rows, strict=True) if rows else [()] * len(header)
    for heading, cells in zip(header, by_column, strict=True):
        column = described_column(heading, heading)
        values = [cell for cell in cells if cell not in (None, "")]
        if values and all(isinstance(cell, Real) and not isinstance(cell, bool) for cell in values):
            column["datatype"] = "number"
        columns.append(column)
    return described_file(
        f"Casebook: {question.collection.name}, {title}",
        question.collection,
        {"columns": columns},
        address,
        absolute,
    )


def dictionary_metadata(address: FileAddress, absolute: Absolute) -> dict:
    """The description of the data dictionary as a file."""
    schema = {"columns": [described_column(name, name) for name in HEADER]}
    return described_file("Casebook: data dictionary", None, schema, address, absolute)


def described_column(name: str, title: str, meaning: str = "") -> dict:
    """A column; one whose heading is no name has its title alone."""
    named = {"name": name} if COLUMN_NAME.fullmatch(name) else {}
    titles = list(dict.fromkeys([name, title]))
    return named | {"titles": titles} | ({"dc:description": meaning} if meaning else {})


def described_file(
    title: str,
    collection: Collection | None,
    schema: dict,
    address: FileAddress,
    absolute: Absolute,
) -> dict:
    """The description of one file. `url` is its address as it was asked, beside this one; so a
    program that comes from the file finds that it is meant.
    """
    of_collection = {}
    if collection:
        status = release_status(collection)
        of_collection = {
            "dc:description": f"{address.words}. {evidence_kind(collection)}",
            "schema:version": status.label,
            "dc:modified": {"@value": status.since.isoformat(), "@type": "xsd:dateTime"},
        }
    separator = "\t" if address.path.endswith(".tsv") else ","
    return {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": address.asked_from_beside,
        "dc:title": title,
        "dc:identifier": absolute(address.canonical),
        **of_collection,
        "dialect": {"delimiter": separator, "header": True, "encoding": "utf-8"},
        "tableSchema": schema,
    }

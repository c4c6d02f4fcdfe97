"""The codes of other ontologies as a file of every bundle: vocabulary, whatever was asked."""

from collections.abc import Iterator

from ..tables.ontology_codes import COLUMNS, FILE, KEY, ontology_code_rows
from .rows import CsvLines, escape_formula


def code_lines() -> Iterator[tuple[str, int]]:
    """The file in pieces of text, each with the number of its rows."""
    rows, lines = ontology_code_rows(), CsvLines()
    yield lines.as_text([list(COLUMNS)]), 0
    yield lines.as_text([map(escape_formula, row.values()) for row in rows]), len(rows)


def code_resource() -> dict:
    """The file as a Frictionless Data Package describes it."""
    fields = [
        {"name": name, "title": label, "type": "string", "description": meaning}
        | ({"constraints": {"required": True}} if name in KEY else {})
        for name, (label, meaning) in COLUMNS.items()
    ]
    return {
        "name": FILE.removesuffix(".csv"),
        "path": FILE,
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": {"fields": fields, "missingValues": [""], "primaryKey": list(KEY)},
    }

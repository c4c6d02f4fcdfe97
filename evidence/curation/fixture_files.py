"""Reads and writes the files in fixtures/: JSON in one fixed layout, so that a diff shows each
changed field on a line of its own.

JSON is used because YAML silently turns a bare `no`, `1e3` or `12:30` into another value.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

# What is loaded, in this order: a record comes after those it names.
SHARED_FILES = ["vocabulary.json", "inhibitors.json", "reviews.json", "collections.json"]
FILES = [*SHARED_FILES, "published.json", "sener-2025-reconstruction.json"]


class BrokenFixture(Exception):
    """A fixture that cannot be used; the message names file, record and field."""


@dataclass(frozen=True)
class FixtureRecord:
    """One record of a fixture: its position in the files, the label of its model and its fields."""

    file: str
    position: int  # 1 is the first record of the file
    model: str
    fields: dict

    @property
    def place(self) -> str:
        return f"{self.file}, record {self.position} ({self.model})"


def fixture_folder() -> Path:
    return Path(settings.FIXTURE_DIRS[0])


def read_fixture(path: Path) -> list[FixtureRecord]:
    """The records of one file. Raises BrokenFixture where the file is missing, is no JSON, or has
    another shape.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BrokenFixture(f"{path.name}: the file is missing from {path.parent}.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BrokenFixture(f"{path.name}: not readable as JSON: {error}.") from None
    if not isinstance(entries, list):
        raise BrokenFixture(f"{path.name}: expected a list of records.")
    records = []
    for position, entry in enumerate(entries, start=1):
        if (
            not isinstance(entry, dict)
            or set(entry) != {"model", "fields"}
            or not isinstance(entry["fields"], dict)
        ):
            raise BrokenFixture(
                f"{path.name}, record {position}: expected {{“model”: …, “fields”: {{…}}}} and "
                "no more."
            )
        records.append(FixtureRecord(path.name, position, entry["model"], entry["fields"]))
    return records


def read_all(folder: Path | None = None) -> list[FixtureRecord]:
    """The records of every file, in loading order: of the shipped fixtures, or of a folder that
    `dump_evidence` wrote, in which each collection has a file of its name.
    """
    if folder is None:
        return [record for name in FILES for record in read_fixture(fixture_folder() / name)]
    shared = [record for name in SHARED_FILES for record in read_fixture(folder / name)]
    slugs = [
        record.fields.get("slug") for record in shared if record.model == "evidence.collection"
    ]
    return shared + [record for slug in slugs for record in read_fixture(folder / f"{slug}.json")]


def fixture_text(entries: Iterable[tuple[str, dict]]) -> str:
    """The file's text for (model, fields) pairs: one field a line, lists on one line, always the
    same bytes.
    """
    blocks = []
    for model, fields in entries:
        lines = ",\n".join(
            f"    {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
            for name, value in fields.items()
        )
        blocks.append(f'{{\n  "model": {json.dumps(model)},\n  "fields": {{\n{lines}\n  }}\n}}')
    return "[\n" + ",\n".join(blocks) + "\n]\n"

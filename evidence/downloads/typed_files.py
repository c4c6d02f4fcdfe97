"""Everything a question finds for programs that know types: one SQLite file, or Parquet files in a
ZIP. Whole numbers, numbers and texts are what the data dictionary says; what is missing is NULL,
and `empty_means` says why. The same data and the same question give the same bytes.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

from ..models.consistency import consistent_read
from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from ..tables import BUNDLED, Table, Tidy, order_records
from ..tables.dictionary import HEADER, Entry, bundle_entries
from .bundle import Bundle, written_json
from .release_status import release_status
from .rows import column_names, constant_columns, row_batches, unchanged_cell

CHUNK = 64 * 1024
PAGE = 4096  # bytes of a page of an SQLite file
ROW_GROUP = 64 * 1024  # rows of a Parquet file that are compressed together
SQLITE_TYPES = {"integer": "INTEGER", "number": "REAL", "text": "TEXT"}


def typed_columns(table: Table, question: Question) -> list[tuple[str, str]]:
    """Every column of a table's file with its kind."""
    kinds = {column.name: column.kind for column in table.file_columns}
    names = column_names(table, constant_columns(question))
    return [(name, kinds.get(name, "text")) for name in names]


def typed_rows(table: Table, question: Question) -> Iterator[list[tuple]]:
    """The rows in batches, with None for what is missing."""
    records = order_records(table, table.records(question), "")
    constants = constant_columns(question)
    for batch in row_batches(table, records, question, constants, unchanged_cell):
        yield list(batch)


def file_chunks(file) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(CHUNK):
        yield chunk


# SQLite


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def table_name(noun: str) -> str:
    """A noun as the name of a table, which nobody has to quote."""
    return noun.replace("-", "_")


def create_table(tidy: Tidy, columns: list[tuple[str, str]]) -> str:
    """The statement that makes a table of a bundle, keys included."""
    parts = [f"{quoted(name)} {SQLITE_TYPES[kind]}" for name, kind in columns]
    parts.append(f"PRIMARY KEY ({', '.join(map(quoted, tidy.key))})")
    for fields, noun, there in tidy.foreign_keys:
        parts.append(
            f"FOREIGN KEY ({', '.join(map(quoted, fields))}) "
            f"REFERENCES {table_name(noun)} ({', '.join(map(quoted, there))})"
        )
    return f"CREATE TABLE {table_name(tidy.noun)} (\n  " + ",\n  ".join(parts) + "\n)"


def insert_into(table: str, columns: int) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"  # noqa: S608 (our own names)


def sqlite_pieces(question: Question, vocabulary: Vocabulary) -> Iterator[bytes]:
    """The SQLite file in pieces. Its tables are those of the bundle, with
    underscores in their names, `dictionary`, which explains every column, and `about`.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.sqlite"
        with consistent_read():
            bundle = Bundle(question, vocabulary, release_status(question.collection))
            connection = sqlite3.connect(path, isolation_level=None)
            try:
                yield from fill_database(connection, bundle)
            finally:
                connection.close()
        with path.open("rb") as file:
            yield from file_chunks(file)


def fill_database(connection: sqlite3.Connection, bundle: Bundle) -> Iterator[bytes]:
    """Fills the file, pausing with an empty piece after each batch of rows."""
    # the file is thrown away if this breaks off, so nothing has to be safe on the way
    for setting in (f"page_size = {PAGE}", "journal_mode = OFF", "synchronous = OFF"):
        connection.execute(f"PRAGMA {setting}")
    connection.execute("BEGIN")
    for tidy in BUNDLED.values():
        columns = typed_columns(tidy.table, bundle.question)
        connection.execute(create_table(tidy, columns))
        insert = insert_into(table_name(tidy.noun), len(columns))
        for rows in typed_rows(tidy.table, bundle.question):
            connection.executemany(insert, rows)
            yield b""
    columns = ", ".join(f"{quoted(name)} TEXT" for name in ("table", *HEADER[1:]))
    connection.execute(f"CREATE TABLE dictionary ({columns})")
    entries = [
        (table_name(table.noun), *entry.cells[1:])
        for table, entries in bundle_entries()
        for entry in entries
    ]
    connection.executemany(insert_into("dictionary", len(HEADER)), entries)
    connection.execute("CREATE TABLE about (what TEXT PRIMARY KEY, value TEXT)")
    connection.executemany(insert_into("about", 2), about_rows(bundle))
    connection.execute("COMMIT")


def about_rows(bundle: Bundle) -> list[tuple[str, str]]:
    """What the file says of itself."""
    said = bundle.manifest_content()
    return [
        (what, "; ".join(value) if isinstance(value, list) else str(value))
        for what, value in said.items()
        if what != "files"
    ]


# Parquet


class ParquetBundle(Bundle):
    """The same as Parquet files in a ZIP, with the dictionary, a README and a manifest."""

    def pieces(self) -> Iterator[bytes]:
        entries = {table.noun: entries for table, entries in bundle_entries()}
        with ZipFile(self.pipe, "w") as archive:
            for tidy in BUNDLED.values():
                yield from self.write_file(
                    archive,
                    f"{tidy.noun}.parquet",
                    self.parquet_chunks(tidy.table, entries[tidy.noun]),
                    counted=True,
                    not_asked=self.not_asked(tidy.table),
                )
            yield from self.write_file(
                archive, "dictionary.csv", self.dictionary_lines(), counted=True
            )
            yield from self.write_file(archive, "README.txt", [(self.readme_text(), 0)])
            yield from self.write_file(
                archive, "manifest.json", [(written_json(self.manifest_content()), 0)]
            )
        yield from self.pipe.take_chunks()

    def parquet_chunks(self, table: Table, entries: list[Entry]) -> Iterator[tuple[bytes, int]]:
        """One table as a Parquet file, by way of a temporary one. Each column carries its label,
        meaning, unit and rule for missing values.
        """
        # takes a third of a second and 40 MB, which only whoever asks for Parquet should pay
        import pyarrow
        from pyarrow import parquet

        types = {
            "integer": pyarrow.int64(), "number": pyarrow.float64(), "text": pyarrow.string()
        }  # fmt: skip
        explained = {entry.name: entry for entry in entries}
        schema = pyarrow.schema(
            [
                pyarrow.field(name, types[kind], metadata=described(explained[name]))
                for name, kind in typed_columns(table, self.question)
            ],
            metadata={"casebook": written_json(dict(about_rows(self)))},
        )
        with tempfile.TemporaryFile() as file:
            rows, waiting = 0, []
            # ended with the block also where a reader leaves: it would write into a closed file
            with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
                for batch in typed_rows(table, self.question):
                    waiting += batch
                    rows += len(batch)
                    if len(waiting) >= ROW_GROUP:
                        writer.write_table(as_arrow(waiting, schema))
                        waiting = []
                    yield b"", 0
                writer.write_table(as_arrow(waiting, schema))
            for chunk in file_chunks(file):
                yield chunk, rows
                rows = 0


def as_arrow(rows: list[tuple], schema):
    """Rows as a table of Arrow."""
    import pyarrow

    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [
        pyarrow.array(values, kind) for values, kind in zip(columns, schema.types, strict=True)
    ]
    return pyarrow.Table.from_arrays(arrays, schema=schema)


def described(entry: Entry) -> dict[str, str]:
    """What the dictionary says of a column, as metadata of its field."""
    said = dict(zip(HEADER[2:], entry.cells[2:], strict=True))
    return {name: value for name, value in said.items() if value}


def parquet_pieces(question: Question, vocabulary: Vocabulary) -> Iterator[bytes]:
    """The ZIP of Parquet files in pieces."""
    with consistent_read():
        status = release_status(question.collection)
        yield from ParquetBundle(question, vocabulary, status).pieces()

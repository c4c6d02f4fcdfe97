"""Everything one question finds, as one ZIP: tidy tables that join, a wide one, what they mean,
whom to cite, and a manifest by which all of it can be checked. The same data and the same question
give the same bytes.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from ..models.consistency import consistent_read
from ..questions.filters import FILTERS, describe_parts_not_asked, describe_question
from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from ..summaries import pluralize
from ..tables import BUNDLED, TABLES, Table, Tidy, order_records
from ..tables.column import BATCH, batched
from ..tables.dictionary import HEADER, Entry, bundle_entries
from ..tables.ontology_codes import FILE as CODES
from ..tables.ontology_codes import ontology_code_entries
from .citations import citation_text
from .code_table import code_lines, code_resource
from .metadata import (
    CRATE_FILE,
    CREATOR,
    DATA_LICENCE,
    LICENCE,
    CrateFile,
    DatasetDescription,
    datacite_record,
    describe_dataset,
    ro_crate,
)
from .redcap import redcap_data, redcap_dictionary
from .release_status import ReleaseStatus, release_status
from .rows import (
    MISSING,
    CsvLines,
    cell_text,
    column_names,
    constant_columns,
    escape_formula,
    evidence_kind,
    row_batches,
)

# the date of every entry: when it was made does not belong to what it holds
EPOCH = (1980, 1, 1, 0, 0, 0)
MANIFEST = "manifest.json"
STORED = ".parquet"  # compressed already
UNIX = 3  # the system the entries' permissions are of, wherever the file is made
NOT_ASKED = """
Not asked of groups: {parts}
  Groups have no one value or no complete list for {these}. Those on a JAK inhibitor that the other parts of the question
  find may hold patients like these; comparators hold nobody on one. They are here with their studies: {files}
"""  # noqa: E501
# what the files that hold no rows of a table are
EXPLAINED = {
    "dictionary.csv": "What each column means",
    "redcap-dictionary.csv": "The columns of courses.csv in the layout of REDCap's data dictionary",
    "redcap-data.csv": "The rows of courses.csv in the layout of that dictionary",
    "studies.ris": "The studies, to be cited, as RIS",
    "studies.bib": "The studies, to be cited, as BibTeX",
    "README.txt": "What this is and how to read it",
    "datapackage.json": "Types and keys, as a Frictionless Data Package",
    "datacite.json": "Title, creators, licence and sources, as DataCite has them",
    MANIFEST: "Rows and SHA-256 of every file, the question and the release",
}
TYPES = {"number": "number", "code": "string", "text": "string"}


class Pipe:
    """The file object that a ZIP is written to; it buffers the bytes until they are read."""

    def __init__(self):
        self.pieces: list[bytes] = []

    def write(self, chunk: bytes) -> int:
        self.pieces.append(bytes(chunk))
        return len(chunk)

    def flush(self) -> None:
        """Nothing is held back."""

    def take_chunks(self) -> Iterator[bytes]:
        pieces, self.pieces = self.pieces, []
        return iter(pieces)


@dataclass
class Written:
    """One file of a bundle, for the manifest. `not_asked` are the parts of the question that were
    not asked of groups, where rows are there for them.
    """

    path: str
    rows: int | None
    bytes: int
    sha256: str
    not_asked: list[str]


class Bundle:
    """One bundle being written. It yields its bytes as they come; memory holds one batch of
    rows.
    """

    def __init__(self, question: Question, vocabulary: Vocabulary, status: ReleaseStatus):
        self.question, self.vocabulary, self.status = question, vocabulary, status
        self.files: list[Written] = []
        self.pipe = Pipe()

    def pieces(self) -> Iterator[bytes]:
        with ZipFile(self.pipe, "w") as archive:
            for tidy in BUNDLED.values():
                not_asked = self.not_asked(tidy.table)
                yield from self.write_file(
                    archive,
                    f"{tidy.noun}.csv",
                    self.table_lines(tidy.table),
                    counted=True,
                    not_asked=not_asked,
                )
            yield from self.write_file(
                archive, "dictionary.csv", self.dictionary_lines(), counted=True
            )
            for path, rows in (
                ("redcap-dictionary.csv", redcap_dictionary()),
                ("redcap-data.csv", redcap_data(self.question)),
            ):
                yield from self.write_file(archive, path, csv_texts(rows))
            studies = list(TABLES["studies"].records(self.question).order_by("slug"))
            if not self.question.collection.is_simulated:
                not_asked = self.not_asked(TABLES["studies"])
                for citation_format in ("ris", "bib"):
                    text = citation_text(studies, citation_format, self.question)
                    yield from self.write_file(
                        archive, f"studies.{citation_format}", [(text, 0)], not_asked=not_asked
                    )
            yield from self.write_file(archive, CODES, code_lines(), counted=True)
            dataset = describe_dataset(self.question, self.vocabulary, self.status, studies)
            yield from self.write_file(archive, "README.txt", [(self.readme_text(), 0)])
            for path, write_content in (
                ("datapackage.json", lambda: self.data_package(dataset)),
                ("datacite.json", lambda: datacite_record(dataset)),
                (CRATE_FILE, lambda: ro_crate(dataset, self.crate_files())),
                (MANIFEST, self.manifest_content),
            ):
                yield from self.write_file(archive, path, [(written_json(write_content()), 0)])
        yield from self.pipe.take_chunks()

    def write_file(
        self,
        archive: ZipFile,
        path: str,
        texts: Iterable[tuple[str | bytes, int]],
        *,
        counted: bool = False,
        not_asked: Sequence[str] = (),
    ) -> Iterator[bytes]:
        """Writes one file from pieces of text, or of bytes that are compressed already, each with
        the number of its rows.
        """
        info = ZipInfo(path, EPOCH)
        # What names a release is the same file everywhere; what a compressor makes of it is not.
        stored = self.status.is_released or path.endswith(STORED)
        info.compress_type = ZIP_STORED if stored else ZIP_DEFLATED
        info.external_attr, info.create_system = 0o644 << 16, UNIX
        digest, size, rows = sha256(), 0, 0
        with archive.open(info, "w", force_zip64=True) as file:
            for text, number in texts:
                chunk = text.encode() if isinstance(text, str) else text
                file.write(chunk)
                digest.update(chunk)
                size, rows = size + len(chunk), rows + number
                yield from self.pipe.take_chunks()
        self.files.append(
            Written(path, rows if counted else None, size, digest.hexdigest(), list(not_asked))
        )
        yield from self.pipe.take_chunks()

    def table_lines(self, table: Table) -> Iterator[tuple[str, int]]:
        lines, constants = CsvLines(), constant_columns(self.question)
        yield lines.as_text([column_names(table, constants)]), 0
        for batch in row_batches(
            table,
            order_records(table, table.records(self.question), ""),
            self.question,
            constants,
            cell_text,
        ):
            rows = list(batch)
            yield lines.as_text(rows), len(rows)

    # What explains it

    def not_asked(self, table: Table) -> list[str]:
        """The parts of the question that were not asked of all rows of a table, in words."""
        return table.in_words(self.question, self.vocabulary).not_asked

    def dictionary_lines(self) -> Iterator[tuple[str, int]]:
        rows = [
            dictionary_entry.cells
            for _, entries in bundle_entries()
            for dictionary_entry in entries
        ]
        rows += [code_entry.cells for code_entry in ontology_code_entries()]
        lines = CsvLines()
        yield lines.as_text([HEADER]), 0
        yield lines.as_text([map(escape_formula, row) for row in rows]), len(rows)

    @property
    def question_text(self) -> str:
        """The question in words."""
        return describe_question(self.question, self.vocabulary)

    def readme_text(self) -> str:
        collection = self.question.collection
        counted = {
            file.path: f": {pluralize(file.rows, 'rows')}"
            for file in self.files
            if file.rows is not None
        }
        file_list = "\n".join(f"  {file.path}{counted.get(file.path, '')}" for file in self.files)
        by_groups = [file.path for file in self.files if file.not_asked and file.rows is not None]
        parts = describe_parts_not_asked(self.question, self.vocabulary)
        not_asked = NOT_ASKED.format(
            parts="; ".join(parts),
            these="this" if len(parts) == 1 else "these",
            files=", ".join(by_groups),
        )
        kind = (
            "SIMULATED RECORDS. " + collection.caveat
            if collection.is_simulated
            else "Published evidence."
        )
        return f"""Casebook: patient-level evidence on JAK inhibitors in systemic sclerosis

{kind}

Collection: {collection.name}
Question:   {self.question_text}
Address:    {self.question.page}
Release:    {self.status.label}, {self.status.since.isoformat()}
{not_asked if by_groups else ""}
Files
{file_list}
  {CODES}: what other ontologies call the terms, with the release and the copy that were read
  datapackage.json: types and keys, as a Frictionless Data Package
  datacite.json, {CRATE_FILE}: title, creators, licence and sources, as DataCite and RO-Crate have them
  manifest.json: rows and SHA-256 of every file

How to read it
  The tables hold one fact a row. patients, treatments (patient + treatment), studies and groups (study + group)
  join the others by columns of the same name. patients-wide.csv has one row for each patient instead, lists joined by
  semicolons; of several courses it tells those that answer the question. courses.csv has one row for each course, for
  analysis: doses as numbers, first and last levels, results by domain, events counted. redcap-dictionary.csv and
  redcap-data.csv are the same table for REDCap. vocabulary-*.csv and drugs.csv say what codes mean; they are those of
  the day, since words are no evidence, and stay as they were only in the archive of a release.
  A patient with two courses, or two events, is one patient: count patients by patients.csv.
  An empty value is not "none". The column empty_means says whether the paper was read in full and does not say
  (not reported) or only a part of it, an abstract, a registration or a citation was read (not extracted). What was
  looked for and not found has a row with the status absent.
  Groups are reported in aggregate; some may be of the same people, so their numbers are not added up.

{LICENCE} Do not attempt to identify anyone. Casebook informs; it does not advise.
"""  # noqa: E501

    def crate_files(self) -> list[CrateFile]:
        """Every file of the bundle but the RO-Crate itself; the manifest is still to come."""
        kind = "Simulated records" if self.question.collection.is_simulated else "Records"
        return [
            *(
                CrateFile(
                    file.path,
                    EXPLAINED.get(file.path) or f"{kind}: {pluralize(file.rows, 'rows')}",
                    file.bytes,
                )
                for file in self.files
            ),
            CrateFile(MANIFEST, EXPLAINED[MANIFEST]),
        ]

    def data_package(self, dataset: DatasetDescription) -> dict:
        """A Frictionless Data Package: fields with types, primary and foreign keys."""
        entries = {table.noun: entries for table, entries in bundle_entries()}
        return {
            "profile": "tabular-data-package",
            "name": f"casebook-{self.question.collection.slug}",
            "title": dataset.title,
            "description": f"{self.question_text}. {evidence_kind(self.question.collection)}",
            "version": self.status.label,
            "keywords": list(dataset.keywords),
            "licenses": [
                {
                    "name": DATA_LICENCE.identifier,
                    "title": DATA_LICENCE.name,
                    "path": DATA_LICENCE.url,
                }
            ],
            "contributors": [{"title": CREATOR, "role": "author"}],
            **({"sources": package_sources(dataset)} if dataset.sources else {}),
            "created": self.status.since.isoformat(),
            "resources": [
                *(
                    table_resource(tidy, entries[noun], self.not_asked(tidy.table))
                    for noun, tidy in BUNDLED.items()
                ),
                code_resource(),
            ],
        }

    def manifest_content(self) -> dict:
        collection = self.question.collection
        return {
            "made_by": "Casebook",
            "collection": collection.slug,
            "evidence_kind": evidence_kind(collection),
            **self.status.as_lasting_json(),
            "date": self.status.since.isoformat(),
            "question": self.question_text,
            "not_asked": describe_parts_not_asked(self.question, self.vocabulary),
            "asks_for": [FILTERS[name].label for name, _ in self.question],
            "address": self.question.page,
            "files": [vars(file) for file in self.files],
            "how_to_cite": f"{CREATOR}: Casebook, {collection.name}, release {self.status.label}, "
            f"{self.question.page}; and the studies themselves",
            "licence": LICENCE,
            "licence_of_the_data": DATA_LICENCE.identifier,
        }


def csv_texts(rows: Iterable[Sequence]) -> Iterator[tuple[str, int]]:
    """Rows as the text of a CSV file, header first; none is a row of a table of the bundle."""
    lines = CsvLines()
    for batch in batched(rows, BATCH):
        yield lines.as_text(batch), 0


def written_json(data: dict) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def package_sources(dataset: DatasetDescription) -> list[dict]:
    """What the data were made from, as a Data Package names it."""
    return [
        {"title": source.title, **({"path": source.address} if source.address else {})}
        for source in dataset.sources
    ]


def table_resource(tidy: Tidy, entries: list[Entry], not_asked: list[str]) -> dict:
    path = f"{tidy.noun}.csv"
    keys = [
        {"fields": columns, "reference": {"resource": noun, "fields": fields}}
        for columns, noun, fields in tidy.foreign_keys
    ]
    schema = {
        "fields": [schema_field(explained_column, tidy) for explained_column in entries],
        "missingValues": list(MISSING),
        "primaryKey": list(tidy.key),
    }
    return {
        "name": tidy.noun,
        "path": path,
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        **({"description": f"Not asked of groups: {'; '.join(not_asked)}"} if not_asked else {}),
        "schema": schema | ({"foreignKeys": keys} if keys else {}),
    }


def schema_field(entry: Entry, tidy: Tidy) -> dict:
    """A column as Table Schema describes it."""
    kind = TYPES.get(entry.type, "string")
    described = {
        "name": entry.name,
        "title": entry.label,
        "type": "integer" if entry.whole else kind,
        "description": entry.meaning,
    }
    constraints = {"required": True} if entry.name in tidy.key else {}
    if entry.values and entry.type == "code":
        constraints["enum"] = [code for code, _ in entry.values]
    return described | ({"constraints": constraints} if constraints else {})


def bundle_pieces(question: Question, vocabulary: Vocabulary) -> Iterator[bytes]:
    """The ZIP in pieces, all of one state of the data."""
    with consistent_read():
        yield from Bundle(question, vocabulary, release_status(question.collection)).pieces()

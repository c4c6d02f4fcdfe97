"""The records a release was made of, kept with it, and read again into a database in memory.

The tables of a bundle say what readers take away, not all that pages are made of: the order of a
vocabulary, a study's making. So a release keeps the rows of the evidence tables as they were. To
answer from them, whatever runs within `PastState.answering()` has that database for its own: the
same models, filters, counts and pages answer, and none of them knows of it.
"""

import json
import sqlite3
import weakref
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from threading import Lock
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from cachetools import TTLCache
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DEFAULT_DB_ALIAS, DataError, IntegrityError, connections, models
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.models import Q

from .. import time_bound
from ..database_file import PrivateConnection
from .consistency import swapped_state
from .release import PART, RecordsPart, Release, ReleasedRecords
from .study import Collection
from .version import ALL, OWNERS, DataVersion

FORMAT = 1
# Bounds. A release of more patients is not answered from: its snapshot would take more than a
# second of the request that asks first.
MAX_PATIENTS = 20_000
MAX_BYTES = 256 << 20  # of the rows as text, unpacked
# Releases a process keeps open, and bytes of them in memory; beyond either, the one asked for
# longest ago is let go, which closes it as soon as nobody reads it. The latest stays, whatever its
# size.
MAX_OPEN = 12
OPEN_BYTES = 96 << 20
# The same of all a process has in memory, those that were let go and are still read included;
# beyond, whoever asks for one more is told to come again.
MAX_READ = 24
READ_BYTES = 384 << 20
WAIT = 20  # seconds a request waits for another that opens one
ROWS_PER_LINE = 2_000
# Not of the evidence, or of nobody but curators: what readers see asks none of them.
LEFT_OUT = {
    "archivepart",
    "checkedcell",
    "judgement",
    "choice",
    "loadedrecord",
    "openpublication",
    "origin",
    "recordspart",
    "releasedrecords",
    "suggestion",
}
# What pages of a study's making do not read, and a release has no reason to keep.
EMPTIED: dict[tuple[str, str], Any] = {
    ("studyversion", "content"): [],
    ("studyversion", "author_name"): "",
    ("dataversion", "history"): [],
}


class CannotAnswer(ValueError):
    """Why a release cannot be asked, for a reader."""


class Damaged(CannotAnswer):
    """The records of a release are not those that were kept."""

    def __init__(self, records: ReleasedRecords):
        super().__init__("its records are damaged: their SHA-256 is not the one of the release")
        self.release = records.release


class Busy(Exception):
    """Another request is opening a release, and takes too long; or too many are being read."""


class ExactEncoder(DjangoJSONEncoder):
    """Times to the microsecond; Django's own rounds them."""

    def default(self, value):
        return value.isoformat() if hasattr(value, "isoformat") else super().default(value)


def kept_models() -> list[type[models.Model]]:
    """The tables a release keeps."""
    return [
        model
        for model in apps.get_app_config("evidence").get_models(include_auto_created=True)
        if model._meta.model_name not in LEFT_OUT and not hasattr(model, "history_object")
    ]


def path_to_collection(model: type[models.Model]) -> str:
    """The path from a record to its collection; empty where it belongs to none."""
    names = {field.name: field for field in model._meta.concrete_fields if field.is_relation}
    if model is Collection:
        return "pk"
    for owner in (*OWNERS, "draft"):
        if owner in names:
            path = path_to_collection(names[owner].related_model)
            return owner if path == "pk" else path and f"{owner}__{path}"
    return ""


# Keeping


def keep_records(release: Release, collections: Iterable[Collection]) -> ReleasedRecords:
    """Keeps the rows that a release of these collections is made of, a megabyte at a time."""
    released = [collection.pk for collection in collections]
    packer, digest, parts, size = zlib.compressobj(9), sha256(), [b""], 0
    for line in record_lines(released):
        digest.update(line)
        size += len(line)
        parts[-1] += packer.compress(line)
        while len(parts[-1]) > PART:
            parts[-1:] = [parts[-1][:PART], parts[-1][PART:]]
    parts[-1] += packer.flush()
    records = ReleasedRecords.objects.create(release=release, size=size, sha256=digest.hexdigest())
    for number, content in enumerate(parts):
        RecordsPart.objects.create(records=records, number=number, content=content)
    return records


def record_lines(released: list[int]) -> Iterator[bytes]:
    """The rows as lines of JSON: a table, its columns, some of its rows."""
    yield written({"format": FORMAT})
    for model in kept_models():
        rows = model._base_manager.order_by("pk")
        path = path_to_collection(model)
        if path:
            among = Q(**{f"{path}__in": released})
            rows = rows.filter(among | Q(**{f"{path.split('__')[0]}__isnull": True}))
        names = [field.attname for field in model._meta.concrete_fields]
        emptied = [EMPTIED.get((model._meta.model_name, name), Ellipsis) for name in names]
        line: list[list] = []
        for row in rows.values_list(*names).iterator(ROWS_PER_LINE):
            line.append(
                [
                    value if empty is Ellipsis else empty
                    for value, empty in zip(row, emptied, strict=True)
                ]
            )
            if len(line) == ROWS_PER_LINE:
                yield written({"table": model._meta.model_name, "columns": names, "rows": line})
                line = []
        yield written({"table": model._meta.model_name, "columns": names, "rows": line})


def written(line: dict) -> bytes:
    text = json.dumps(line, cls=ExactEncoder, ensure_ascii=False, separators=(",", ":"))
    return f"{text}\n".encode()


# Reading


class PastState:
    """The database of a release, in memory: shared by the threads of a process, never changed.

    Whoever has a reference to it uses it, and it is closed when nobody has one any more: so none
    is ever closed under a reader, not even between being opened and being asked first. Its name is
    its own, so one that is made anew has nothing to do with one that is still being read.

    `served` and `sizes` are what the engine that counts in memory keeps of it.
    """

    def __init__(self, records: ReleasedRecords):
        self.number = records.release.number
        self.released_at = records.release.released_at
        self.content_hash = records.release.content_hash
        self.served: dict = {}
        self.sizes: dict = {}
        self.sha256 = records.sha256
        self.name = f"file:release-{uuid4().hex}?mode=memory&cache=shared"
        # While one connection is open there is the database; that of a thread is closed after use.
        self.anchor = sqlite3.connect(self.name, uri=True, check_same_thread=False)
        self.closing = weakref.finalize(self, self.anchor.close)
        try:
            self.fill(records)
            self.size = self.bytes_used()
        except BaseException:
            self.closing()
            raise

    def bytes_used(self) -> int:
        """Bytes of the database."""
        (pages,), (of_one,) = (
            self.anchor.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
        )
        return pages * of_one

    def connect(self, *, writing: bool = False) -> DatabaseWrapper:
        """A connection to it."""
        pragmas = "PRAGMA foreign_keys=OFF;" + ("" if writing else " PRAGMA query_only=ON;")
        options = connections.configure_settings(
            {
                DEFAULT_DB_ALIAS: {
                    "ENGINE": "django.db.backends.sqlite3",
                    "NAME": self.name,
                    "OPTIONS": {"init_command": pragmas, "factory": PrivateConnection},
                }
            }
        )
        return DatabaseWrapper(options[DEFAULT_DB_ALIAS], DEFAULT_DB_ALIAS)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Lets everything in this thread read the release instead of today's data."""
        with self.session() as session, session.entered():
            yield

    @contextmanager
    def session(self) -> "Iterator[Session]":
        session = Session(self, self.connect())
        try:
            yield session
        finally:
            session.close()

    def pieces(self, content: Iterable[bytes]) -> Iterator[bytes]:
        """What is still to be made of an answer: each piece of it from the release, and between the
        pieces the thread reads what it did before.
        """
        iterator = iter(content)
        with self.session() as session:
            try:
                while True:
                    with session.entered():
                        piece = next(iterator, None)
                    if piece is None:
                        return
                    yield piece
            finally:
                with session.entered():
                    if hasattr(iterator, "close"):
                        iterator.close()

    # Filling

    def fill(self, records: ReleasedRecords) -> None:
        """Makes the tables as this version of Casebook has them, and writes the rows.

        Raises Damaged before any is read, and CannotAnswer where this version cannot keep them.
        """
        check_records(records)
        lines = read_lines(records)
        if next(lines)["format"] != FORMAT:
            raise CannotAnswer("its records are kept in a form this version does not read")
        tables = {model._meta.model_name: model for model in kept_models()}
        content = list(lines)
        check_columns(content, tables)
        session = Session(self, self.connect(writing=True))
        try:
            with session.entered():
                self.write(session.connection, tables, content)
                self.name_version(records)
        except (DataError, IntegrityError, ValidationError) as error:
            raise CannotAnswer("this version of Casebook cannot keep its records") from error
        finally:
            session.close()

    def write(self, connection: DatabaseWrapper, tables: dict, content: list[dict]) -> None:
        users = get_user_model()
        with connection.schema_editor(atomic=False) as editor:
            for model in (users, *tables.values()):
                if not model._meta.auto_created:
                    editor.create_model(model)
        authors: set[int] = set()
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            for line in content:
                model = tables[line["table"]]
                insert_rows(cursor, connection, model, line)
                for name in ("user_id", "author_id"):
                    if name in line["columns"]:
                        place = line["columns"].index(name)
                        authors |= {row[place] for row in line["rows"] if row[place]}
            # Names of accounts are nobody's business here: a public name stands in a table of ours.
            accounts = [[key, str(key), ""] for key in sorted(authors)]
            columns = ["id", "username", "password"]
            insert_rows(cursor, connection, users, {"columns": columns, "rows": accounts})
            cursor.execute("COMMIT")

    def name_version(self, records: ReleasedRecords) -> None:
        """Gives the version a name of its own, so that nothing kept of it is ever taken for today's
        data, nor the other way round.
        """
        token = sha256(f"release {records.sha256}".encode()).hexdigest()[:32]
        DataVersion.objects.update(
            identity=uuid5(NAMESPACE_URL, token), token=token, tokens={ALL: token}, history=[token]
        )


class Session:
    """One request's use of a past state: its connection, and what it knows of the version read."""

    def __init__(self, state: PastState, connection: DatabaseWrapper):
        self.state, self.connection, self.known = state, connection, {"past": state}

    @contextmanager
    def entered(self) -> Iterator[None]:
        live = connections[DEFAULT_DB_ALIAS]
        connections[DEFAULT_DB_ALIAS] = self.connection
        try:
            with swapped_state(self.known):
                yield
        finally:
            connections[DEFAULT_DB_ALIAS] = live

    def close(self) -> None:
        """Closes the connection itself; Django never closes one to memory."""
        if self.connection.connection is not None:
            self.connection.connection.close()
            self.connection.connection = None


def insert_rows(cursor, connection, model: type[models.Model], line: dict) -> None:
    """Writes rows as the database keeps them. A column that this version of Casebook has and the
    rows do not gets its default, which is “not known” wherever that can be said.
    """
    if not line["rows"]:
        return
    fields = {field.attname: field for field in model._meta.concrete_fields}
    added = [name for name in fields if name not in line["columns"]]
    defaults = [fields[name].get_default() for name in added]
    ordered = [fields[name] for name in (*line["columns"], *added)]
    quoted = ", ".join(connection.ops.quote_name(field.column) for field in ordered)
    places = ", ".join(["%s"] * len(ordered))
    table = connection.ops.quote_name(model._meta.db_table)
    cursor.executemany(
        f"INSERT INTO {table} ({quoted}) VALUES ({places})",  # noqa: S608 (names of ours)
        [
            [
                field.get_db_prep_save(field.to_python(value), connection)
                for field, value in zip(ordered, [*row, *defaults], strict=True)
            ]
            for row in line["rows"]
        ],
    )


def check_columns(content: list[dict], tables: dict[str, type[models.Model]]) -> None:
    """Raises CannotAnswer where the rows say what this version of Casebook has no place for: an
    answer without it would not be the release's.
    """
    for line in content:
        model = tables.get(line["table"])
        known = {field.attname for field in model._meta.concrete_fields} if model else set()
        if line["rows"] and not known.issuperset(line["columns"]):
            raise CannotAnswer(
                f"this version of Casebook keeps “{line['table']}” in another way than the release"
            )


def check_records(records: ReleasedRecords) -> None:
    """Raises Damaged where the rows are not, byte for byte, those that were kept."""
    digest, size = sha256(), 0
    try:
        for text in unpacked(records):
            digest.update(text)
            size += len(text)
            if size > records.size:
                raise Damaged(records)
    except zlib.error:
        raise Damaged(records) from None
    if (size, digest.hexdigest()) != (records.size, records.sha256):
        raise Damaged(records)


def unpacked(records: ReleasedRecords) -> Iterator[bytes]:
    """The rows as text, a piece at a time."""
    unpacker = zlib.decompressobj()
    for piece in records.pieces():
        yield unpacker.decompress(piece)
    yield unpacker.flush()


def read_lines(records: ReleasedRecords) -> Iterator[dict]:
    """The lines as they were written. Raises CannotAnswer for more than is answered from."""
    if records.size > MAX_BYTES:
        raise CannotAnswer("it is too large")
    rest = b""
    for text in unpacked(records):
        *lines, rest = (rest + text).split(b"\n")
        yield from map(json.loads, lines)


_kept: OrderedDict[str, PastState] = OrderedDict()  # the one asked for longest ago first
_read: weakref.WeakValueDictionary[str, PastState] = weakref.WeakValueDictionary()
_opening = Lock()
# Those found damaged, for as long as whoever asks again is told so without another look.
_damaged: TTLCache[str, bool] = TTLCache(100, 60)


def opened(records: ReleasedRecords) -> PastState:
    """The release's database, made by the request that asks for it first, and open as long as
    whoever asked keeps it.

    Raises CannotAnswer where it cannot be made, Damaged among them, and Busy where another one
    takes too long or too many are being read.
    """
    if not _opening.acquire(timeout=WAIT):
        raise Busy
    try:
        state = _read.get(records.sha256)
        if state is None:
            while _kept and has_more(_read, MAX_READ - 1, READ_BYTES):
                _kept.popitem(last=False)
            if has_more(_read, MAX_READ - 1, READ_BYTES):
                raise Busy
            if records.sha256 in _damaged:
                raise Damaged(records)
            try:
                with time_bound.ending(None):  # it is opened for all who ask
                    _read[records.sha256] = state = PastState(records)
            except Damaged:
                _damaged[records.sha256] = True
                raise
        _kept[records.sha256] = state
        _kept.move_to_end(records.sha256)
        while len(_kept) > 1 and has_more(_kept, MAX_OPEN, OPEN_BYTES):
            _kept.popitem(last=False)
        return state
    finally:
        _opening.release()


def has_more(states: Mapping[str, PastState], number: int, size: int) -> bool:
    """Whether these are more than a number of releases, or more than so many bytes."""
    held = list(states.values())
    return len(held) > number or sum(state.size for state in held) > size


def close_all() -> None:
    """Keeps no release open any more: each is closed when nobody reads it, and made anew, from
    records looked at anew, for whoever asks next.
    """
    with _opening:
        _kept.clear()
        _read.clear()
        _damaged.clear()

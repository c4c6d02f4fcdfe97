"""One backup is one ZIP file: the database, the private files, and a manifest of every byte.

    manifest.json           the format, when, of what; length and SHA-256 of each other member
    database.sqlite3        or database.pgdump
    files/...               the private files

A member that is damaged, missing or too many is found before anything is restored: the set of names
has to be that of the manifest, and so have length and hash of each. The manifest has its own hash
in the comment of the ZIP file.
"""

import errno
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

FORMAT = 1
MANIFEST = "manifest.json"
FILES = "files/"
CHUNK = 1 << 20
LARGEST = 2**53  # of a count; more than any database holds, and exact in every JSON reader
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, ValueError)


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class BackupError(Exception):
    """What could not be done and why, in words for the operator; nothing was changed."""


def is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < LARGEST


def is_date(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def is_member(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("name"), str)
        and is_count(value.get("size"))
        and isinstance(value.get("sha256"), str)
    )


def is_data_version(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and is_count(value.get("number"))
        and isinstance(value.get("token"), str)
    )


# What a manifest says besides its format, and what each has to be; `schema` is PostgreSQL's alone.
FACTS: dict[str, Callable[[Any], bool]] = {
    "made": is_date,
    "vendor": lambda value: isinstance(value, str),
    "server": lambda value: isinstance(value, str) and value.split(".")[0].isdecimal(),
    "tables": lambda value: isinstance(value, dict) and all(map(is_count, value.values())),
    "migrations": lambda value: (
        isinstance(value, list) and all(isinstance(name, str) for name in value)
    ),
    "data_version": is_data_version,
    "members": lambda value: isinstance(value, list) and all(map(is_member, value)),
}


def write_archive(part: BinaryIO, facts: dict, database: Path, folder: Path) -> None:
    """Writes the archive of a database file and of the private files under `folder`.

    Links are not followed and not kept. Raises OSError where there is no room.
    """
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        members = [add_member(archive, database, f"database{database.suffix}")]
        members += [
            add_member(archive, path, f"{FILES}{path.relative_to(folder).as_posix()}")
            for path in private_files(folder)
        ]
        manifest = json.dumps({"format": FORMAT, **facts, "members": members}, indent=1).encode()
        archive.writestr(MANIFEST, manifest)
        archive.comment = sha256(manifest).hexdigest().encode()


def private_files(folder: Path) -> Iterator[Path]:
    """The regular files under a folder, in order; none where there is no such folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def add_member(archive: zipfile.ZipFile, path: Path, name: str) -> dict[str, Any]:
    """Copies a file into the archive; its name, length and hash are those of what was copied."""
    digest, size = sha256(), 0
    with path.open("rb") as source, archive.open(name, "w", force_zip64=True) as target:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            target.write(chunk)
    return {"name": name, "size": size, "sha256": digest.hexdigest()}


@contextmanager
def opened_archive(path: Path) -> Iterator[tuple[zipfile.ZipFile, dict]]:
    """The archive and its manifest; raises BackupError where either is not what was written."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive, manifest_of(archive)
    except FileNotFoundError:
        raise BackupError(f"There is no {path}.") from None
    except OSError as error:
        if error.errno in NO_ROOM:  # which is not the archive's fault
            raise
        raise BackupError(f"{path.name} is damaged or cannot be read: {error}") from error
    except BROKEN as error:
        raise BackupError(f"{path.name} is damaged: {error}") from error


def manifest_of(archive: zipfile.ZipFile) -> dict:
    """What the archive says of itself; raises ValueError where that is not what was written."""
    names = archive.namelist()
    if MANIFEST not in names:
        raise ValueError("it has no manifest")
    text = archive.read(MANIFEST)
    if archive.comment.decode("ascii", "replace") != sha256(text).hexdigest():
        raise ValueError("its manifest is not what was written")
    manifest = json.loads(text)
    if not isinstance(manifest, dict):
        raise ValueError("its manifest is no object")
    if manifest.get("format") != FORMAT:
        raise BackupError(
            f"The archive is of format {manifest.get('format')}; this Casebook reads {FORMAT}."
        )
    for fact, is_right in FACTS.items():
        if fact not in manifest or not is_right(manifest[fact]):
            raise ValueError(f"its manifest has no {fact} that could be right")
    if sum(not member["name"].startswith(FILES) for member in manifest["members"]) != 1:
        raise ValueError("it has not one database")
    expected = [MANIFEST, *(member["name"] for member in manifest["members"])]
    if sorted(names) != sorted(expected):
        raise ValueError("what it holds is not what its manifest lists")
    return manifest


def extract_checked(archive: zipfile.ZipFile, manifest: dict, folder: Path) -> Path:
    """Unpacks every member below `folder` and holds it to the manifest; gives the database's path.

    Raises ValueError (or what zipfile raises) where one is not what was written.
    """
    for member in manifest["members"]:
        name = PurePosixPath(member["name"])
        if name.is_absolute() or ".." in name.parts:
            raise ValueError(f"the name {name} leads elsewhere")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        digest, size = sha256(), 0
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with archive.open(member["name"]) as source, os.fdopen(handle, "wb") as target:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
                target.write(chunk)
        if (size, digest.hexdigest()) != (member["size"], member["sha256"]):
            raise ValueError(f"{name} is not what was written")
    (database,) = (m["name"] for m in manifest["members"] if not m["name"].startswith(FILES))
    return folder / database

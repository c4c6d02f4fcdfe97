"""A snapshot as a file, which one process leaves for others, and as memory that nobody can change.

A file may be cut short, overwritten or lost at any moment: by a restore in place, a full disk, a
disk that fails. A process that has mapped it is killed when it touches what is no longer there
(SIGBUS), and counts whatever else stands there. So no file is mapped. It is copied into memory of
the kernel's that is sealed: from then on the kernel refuses everybody, the owner included, to
shorten or change it (memfd_create(2), F_ADD_SEALS in fcntl(2)). Length and hash are those of the
copy. Workers of one server share one copy: whoever needs a snapshot looks first whether its parent
or a sibling holds it. Where the kernel has no such memory each process that loads a file has a
copy of its own; what was loaded before the workers forked they share all the same.
"""

import fcntl
import json
import mmap
import os
import struct
import tempfile
import time
from contextlib import suppress
from hashlib import file_digest, sha256
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...database_file import fsync_folder

# A file: the SHA-256 of all that follows; what it is; its length and that of its description, in
# bytes; then the description (JSON) and the arrays, each at a multiple of ALIGNED.
START = struct.Struct("<32s16sQQ")
DIGEST = 32  # bytes
MAGIC = b"CasebookSnapshot"
ALIGNED = 64
ENDING = ".snapshot"
READABLE = 0o644  # by the server, whoever prepared it; it holds what readers see
PART = ".part"  # a file that is still being written
ABANDONED = 3600  # seconds after which nobody is still writing such a file
if hasattr(fcntl, "F_SEAL_SEAL"):
    SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


class Damaged(ValueError):
    """A file that is not what was written."""


# Writing


def write_file(path: Path, description: dict, arrays: dict[str, np.ndarray]) -> None:
    """Writes aside, waits until the disk has it, and renames: under its name a file is whole.

    `description` is any JSON. Raises OSError where there is no room or no permission; nothing is
    left then.
    """
    chunks = file_chunks(description, arrays)
    digest = sha256()
    for chunk in chunks:
        digest.update(chunk)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path.parent)
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=PART, dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, READABLE)
            file.write(digest.digest())
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        fsync_folder(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def file_chunks(description: dict, arrays: dict[str, np.ndarray]) -> list:
    """What a file consists of after its digest, in order."""
    places, offset = {}, 0
    for name, array in arrays.items():
        places[name] = (array.dtype.str, array.shape, offset)
        offset += padded(array.nbytes)
    about = json.dumps({"description": description, "arrays": places}).encode()
    about = about.ljust(padded(START.size + len(about)) - START.size)
    start = START.pack(b"", MAGIC, START.size + len(about) + offset, len(about))
    chunks = [start[DIGEST:], about]
    for array in arrays.values():
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        chunks += [content.data, bytes(padded(array.nbytes) - array.nbytes)]
    return chunks


def padded(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED


def remove_abandoned(folder: Path) -> None:
    """Removes what a process that was killed while writing has left."""
    for part in folder.glob(f"*{PART}"):
        with suppress(OSError):  # another process was first
            if time.time() - part.stat().st_mtime > ABANDONED:
                part.unlink()


# Reading


def verify_file(path: Path) -> None:
    """Raises Damaged where the file is not what was written, OSError where it cannot be read."""
    with path.open("rb") as file:
        digest, _ = checked_start(file)
        file.seek(DIGEST)
        if file_digest(file, "sha256").digest() != digest:
            raise Damaged("its hash is another one")


def checked_start(file: BinaryIO) -> tuple[bytes, int]:
    """The SHA-256 and the length a file has of itself, once the length is what it says."""
    start = file.read(START.size)
    if len(start) != START.size:
        raise Damaged("it is cut short")
    digest, magic, length, _ = START.unpack(start)
    if magic != MAGIC:
        raise Damaged("it is no snapshot")
    if os.fstat(file.fileno()).st_size != length:
        raise Damaged("it is shorter or longer than it was")
    return digest, length


def load_file(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The description and the arrays of a file, in memory that nothing can change any more.

    The memory of another process of this server is taken where it has the same file already. Raises
    Damaged, FileNotFoundError or another OSError.
    """
    memory = held_nearby(path.name)
    if memory is None:
        with path.open("rb") as file:
            with suppress(OSError):  # a file system without locks
                # Of several processes that come at once one copies, the others find what it has.
                fcntl.flock(file, fcntl.LOCK_EX)
            memory = held_nearby(path.name) or copied(file, path.name)
    return arrays_in(memory)


def copied(file: BinaryIO, name: str) -> mmap.mmap:
    """The file's content in sealed memory; raises Damaged unless it is what was written."""
    digest, length = checked_start(file)
    file.seek(0)
    try:
        handle = os.memfd_create(memory_name(name), os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except (AttributeError, OSError):  # another system, or a container that does not allow it
        memory = mmap.mmap(-1, length)
        fill(memory, file, digest)
        return memory
    try:
        os.truncate(handle, length)
        with mmap.mmap(handle, length) as memory:
            fill(memory, file, digest)
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, SEALS)
        return mapped(handle, length)
    finally:
        os.close(handle)  # the map has a handle of its own


def fill(memory: mmap.mmap, file: BinaryIO, digest: bytes) -> None:
    """Copies the file, and raises Damaged unless what follows its digest has this SHA-256."""
    if file.readinto(memory) != len(memory):
        raise Damaged("it is being cut short")
    with memoryview(memory) as content, content[DIGEST:] as hashed:
        if sha256(hashed).digest() != digest:
            raise Damaged("its hash is another one")


def mapped(handle: int, length: int) -> mmap.mmap:
    """Memory to read; private, since kernels before 6.7 share sealed memory in no other way."""
    return mmap.mmap(handle, length, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)


def memory_name(name: str) -> str:
    """What the kernel calls the memory of a file with this name."""
    return f"casebook-{sha256(name.encode()).hexdigest()[:32]}"


def held_nearby(name: str) -> mmap.mmap | None:
    """The sealed memory of a file that this process, its parent or a sibling has; else None.

    While a process maps such memory it has a handle, which the system shows to its user.
    """
    wanted = f"/memfd:{memory_name(name)} (deleted)"
    for process in (os.getpid(), os.getppid(), *children_of(os.getppid())):
        with suppress(OSError):  # it has ended, it is somebody else's, or there is no /proc
            for entry in Path(f"/proc/{process}/fd").iterdir():
                with suppress(OSError):  # closed meanwhile
                    if str(entry.readlink()) == wanted:
                        memory = taken_over(entry)
                        if memory is not None:
                            return memory
    return None


def children_of(process: int) -> list[int]:
    try:
        listed = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(child) for child in listed.split()]


def taken_over(entry: Path) -> mmap.mmap | None:
    """Another process's memory, mapped here too, if it is our user's and sealed."""
    handle = os.open(entry, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.fstat(handle)
        if status.st_uid != os.geteuid() or fcntl.fcntl(handle, fcntl.F_GET_SEALS) != SEALS:
            return None  # not ours, or still being written
        return mapped(handle, status.st_size)
    finally:
        os.close(handle)


def arrays_in(memory: mmap.mmap) -> tuple[dict, dict[str, np.ndarray]]:
    """Description and arrays, as views of the memory, which stays as long as one of them does."""
    *_, size = START.unpack_from(memory)
    about = json.loads(memory[START.size : START.size + size])
    arrays = {}
    for name, (dtype, shape, offset) in about["arrays"].items():
        array = np.ndarray(shape, dtype, memory, START.size + size + offset)
        array.flags.writeable = False
        arrays[name] = array
    return about["description"], arrays

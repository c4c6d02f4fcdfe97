"""The private files change place with those of a backup, also where somebody pulls the plug.

    private                 the files in use
    private.new-…           those of the archive, while they are copied
    private.old-…           those that were in use, until the database is that of the archive
    private.restoring       the journal: a restore is at work, or was interrupted

Whether the database has become the archive's is told by the token it was to get. Nothing that was
ever in use is removed but by a restore that has come to its end.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError

from ..database_file import fsync_folder
from ..models import DataVersion
from .archive import BackupError

MARK = "[0-9]" * 8 + "T" + "[0-9]" * 6 + "Z"


def home() -> Path:
    return settings.PRIVATE_FILES.resolve()


def beside(what: str) -> Path:
    return home().with_name(f"{home().name}.{what}")


def journal_path() -> Path:
    return beside("restoring")


@contextmanager
def files_in_place(unpacked: Path, token: str) -> Iterator[None]:
    """The private files are those unpacked while the block runs and afterwards; where it raises,
    they are what they were. The block gives the database `token`. Raises BackupError where there is
    no room.
    """
    mark = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    arriving, leaving = beside(f"new-{mark}"), beside(f"old-{mark}")
    present = home().exists()
    try:
        try:
            home().parent.mkdir(parents=True, exist_ok=True)
            before = known_tokens()[:1]
            write_journal({"mark": mark, "present": present, "before": before, "token": token})
            if unpacked.exists():
                shutil.copytree(unpacked, arriving)
                os.sync()
            if present:
                home().rename(leaving)
            if arriving.exists():
                arriving.rename(home())
            fsync_folder(home().parent)
        except OSError as error:
            raise BackupError(f"Private files cannot be put beside {home()}: {error}") from error
        yield
    except BaseException:
        if arrived(arriving, leaving, present=present):
            home().rename(arriving)
        put_old_back(arriving, leaving)
        raise
    finish(leaving)


def arrived(arriving: Path, leaving: Path, *, present: bool) -> bool:
    """Whether the files in place are those of the archive."""
    return home().exists() and (leaving.exists() or not (present or arriving.exists()))


def write_journal(facts: dict) -> None:
    part = beside("restoring-part")
    with part.open("w", encoding="utf-8") as file:
        json.dump(facts, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(journal_path())
    fsync_folder(home().parent)


def put_old_back(arriving: Path, leaving: Path) -> None:
    """The files that were in use are in use again, and the copy of those of the archive is gone."""
    if leaving.exists() and not home().exists():
        leaving.rename(home())
    fsync_folder(home().parent)
    shutil.rmtree(arriving, ignore_errors=True)
    journal_path().unlink(missing_ok=True)


def finish(leaving: Path) -> None:
    """Removes what was in use before; the journal last, and only where nothing is left."""
    shutil.rmtree(leaving, ignore_errors=True)
    if not leaving.exists():
        journal_path().unlink(missing_ok=True)


def known_tokens() -> list[str]:
    """The token of the data as they are, then those before; none where there are none."""
    try:
        now = DataVersion.current().token
        return ([now] if now else []) + DataVersion.past_tokens()
    except DatabaseError:
        return []


def need_none() -> None:
    """Raises BackupError where a restore is at work or was interrupted: database and private files
    may be of two states.
    """
    if journal_path().exists():
        raise BackupError(
            f"A restore is at work or was interrupted ({journal_path()}): database and private "
            "files may be of two states. manage.py restore --recover takes it back or ends it."
        )
    left = [
        path.name
        for what in ("old", "new")
        for path in sorted(home().parent.glob(f"{home().name}.{what}-{MARK}"))
    ]
    if left:
        raise BackupError(
            f"A restore left {', '.join(left)} beside {home()}, and nothing says which files are "
            "right: compare them, put the right ones in place, and move the others elsewhere."
        )


def take_back() -> str:
    """Ends what an interrupted restore began, and says what was done; "" where there was nothing.

    Where the database became that of the archive, its files stay; otherwise those that were in use
    come back, and what was in their place is put aside. Raises BackupError where it cannot be told.
    """
    if not journal_path().exists():
        need_none()
        return ""
    try:
        facts = json.loads(journal_path().read_text(encoding="utf-8"))
        arriving, leaving = (beside(f"{what}-{facts['mark']}") for what in ("new", "old"))
        present, before, token = facts["present"], facts["before"], facts["token"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{journal_path()} cannot be read: {error}") from error
    known = known_tokens()
    try:
        if token in known:
            finish(leaving)
            return "An interrupted restore was complete but for tidying up; that is done."
        if known and not set(before) & set(known):
            raise BackupError(
                "A restore was interrupted, and the database is neither what it was then nor what "
                f"it was to be. Compare {home()} with {leaving}, put the right one in place, and "
                f"remove {journal_path()}."
            )
        said = "An interrupted restore was taken back."
        if arrived(arriving, leaving, present=present):
            aside = beside(f"aside-{facts['mark']}")
            home().rename(aside)
            said += f" What it had put in place of the private files: {aside}"
        put_old_back(arriving, leaving)
    except OSError as error:
        raise BackupError(f"What a restore left cannot be put in order: {error}") from error
    return said

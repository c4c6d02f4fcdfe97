"""Making backups: aside, verified, renamed whole; then the oldest go."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection

from ..database_file import fsync_folder
from . import interrupted
from .archive import BackupError, extract_checked, opened_archive, write_archive
from .databases import ENDINGS, dump_database, need_casebook

PREFIX, ENDING = "casebook-", ".zip"
BEFORE_RESTORE = "-before-restore"
MAKING, RESTORING = ".making-", ".restoring-"  # folders of one that is at work
STAMP = "%Y%m%dT%H%M%S%fZ"
SKEW = timedelta(minutes=5)  # by which the clocks of two machines may differ


@dataclass(frozen=True)
class Backup:
    """An archive in the folder of backups, by its name."""

    path: Path
    made: datetime

    @property
    def age(self) -> timedelta:
        return datetime.now(UTC) - self.made

    @property
    def is_ahead(self) -> bool:
        """Whether its name is of the future: a clock was wrong, and its age says nothing."""
        return self.age < -SKEW


def kept_backups(folder: Path) -> list[Backup]:
    """The backups in a folder, oldest first; what a restore kept of the state before is apart."""
    found = []
    for path in folder.glob(f"{PREFIX}*{ENDING}"):
        try:
            made = datetime.strptime(path.name, f"{PREFIX}{STAMP}{ENDING}").replace(tzinfo=UTC)
        except ValueError:
            continue
        found.append(Backup(path, made))
    return sorted(found, key=lambda backup: backup.made)


def make_backup(folder: Path, mark: str = "") -> tuple[Path, dict]:
    """Makes one and verifies it; gives its path and manifest. Raises BackupError, also for a
    database without Casebook's tables or (unless `mark` says what the archive is for) without a
    study; then nothing is left of it, and earlier backups are as they were.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with alone_in(folder):
            interrupted.need_none()
            return backup_made(folder, mark)
    except OSError as error:
        raise BackupError(f"No backup was made: {error}") from error


def backup_made(folder: Path, mark: str) -> tuple[Path, dict]:
    """As `make_backup`, for who is alone in the folder; raises OSError, too."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=MAKING) as name:
        return written(folder, Path(name), mark)


def written(folder: Path, staging: Path, mark: str) -> tuple[Path, dict]:
    """The new archive, renamed into place once every byte of it has been read back."""
    made = datetime.now(UTC)
    database = staging / f"database{ENDINGS[connection.vendor]}"
    facts = {"made": made.isoformat(timespec="seconds"), **dump_database(database)}
    try:
        need_casebook(facts, studies=not mark)
    except BackupError as error:
        name = connection.settings_dict["NAME"]
        raise BackupError(f"No backup was made of {name}: {error} Is DATABASE_URL right?") from None
    part = staging / "archive"
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
        write_archive(file, facts, database, settings.PRIVATE_FILES)
        file.flush()
        os.fsync(file.fileno())
    database.unlink()  # room for what is read back
    with opened_archive(part) as (archive, manifest):
        extract_checked(archive, manifest, staging / "read-back")
    path = folder / f"{PREFIX}{made.strftime(STAMP)}{mark}{ENDING}"
    part.rename(path)
    fsync_folder(folder)
    return path, manifest


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """While one backup or restore is at work, another one is refused; what one that was killed had
    unpacked is removed. Programs started meanwhile hold the lock, too: killing who started them
    does not end them.
    """
    with (folder / ".lock").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError("Another backup or restore is at work.") from None
        for prefix in (MAKING, RESTORING):
            for left in folder.glob(f"{prefix}*"):
                shutil.rmtree(left, ignore_errors=True)
        yield


def remove_old(folder: Path, keep: int, days: int, made: Path) -> list[Path]:
    """Removes what is beyond the `keep` newest, and what is older than `days`; 0: no such limit.

    The newest backup always stays, and so does the one just `made`, whatever the clock says. Those
    of the future stay beside the others and are not counted.
    """
    backups = [backup for backup in kept_backups(folder) if not backup.is_ahead]
    old = backups[:-keep] if keep else []
    old += [each for each in backups[:-1] if days and each.age > timedelta(days=days)]
    removed = sorted({each.path for each in old} - {made})
    for path in removed:
        path.unlink(missing_ok=True)
    return removed

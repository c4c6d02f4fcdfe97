"""Putting a backup back: everything is verified before anything is touched."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader

from ..models import DataVersion
from ..models.version import new_token
from . import interrupted
from .archive import FILES, BackupError, extract_checked, opened_archive
from .databases import check_database, facts_of, is_readable, need_casebook, put_back
from .making import BEFORE_RESTORE, RESTORING, alone_in, backup_made

# Tables whose rows come with an installation, and are nobody's work.
FRAMEWORK = {
    *("django_migrations", "django_content_type", "auth_permission", "django_site"),
    *("auth_group", "auth_group_permissions", "evidence_dataversion", "sqlite_sequence"),
}


@contextmanager
def verified(path: Path, folder: Path) -> Iterator[tuple[dict, Path]]:
    """The manifest, and the database's file, of an archive unpacked below `folder` and found to be
    whole, readable and of a version this Casebook knows; raises BackupError otherwise.
    """
    with ExitStack() as stack:
        try:
            name = stack.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix=RESTORING))
            with opened_archive(path) as (archive, manifest):
                database = extract_checked(archive, manifest, Path(name))
        except OSError as error:
            raise BackupError(f"The archive cannot be unpacked: {error}") from error
        check_version(manifest)
        check_database(database, manifest)
        yield manifest, database


def check_version(manifest: dict) -> None:
    """Raises BackupError for an archive of another kind of database or of a newer Casebook."""
    if manifest["vendor"] != connection.vendor:
        raise BackupError(
            f"The archive is of {manifest['vendor']}, this database is {connection.vendor}. "
            "dump_evidence and load_evidence move evidence from one to the other."
        )
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    newer = [name for name in manifest["migrations"] if name not in known]
    if newer:
        raise BackupError(f"The archive is of a newer Casebook: it has {', '.join(newer[:3])}.")
    need_casebook(manifest, studies=False)


def check_backup(path: Path) -> dict:
    """The manifest of an archive that could be restored here; raises BackupError otherwise."""
    with tempfile.TemporaryDirectory() as name, verified(path, Path(name)) as (manifest, _):
        need_casebook(manifest, studies=not path.stem.endswith(BEFORE_RESTORE))
        return manifest


def holds_data() -> bool:
    """Whether the database holds anything that a restore would take away, or cannot be read."""
    if not is_readable():
        return True
    try:
        tables = facts_of(connection)["tables"]
    except DatabaseError:
        return True
    return any(rows for table, rows in tables.items() if table not in FRAMEWORK)


def restore_backup(
    path: Path, folder: Path, *, keep_present: bool = True, confirm: Callable[[], None]
) -> tuple[dict, Path | None]:
    """Makes database and private files what the archive holds; all of it or nothing.

    `confirm` is asked once the archive is verified, if there are data to replace; it raises
    BackupError to stop. What was there before is kept as a backup of its own in `folder`, whose
    path is the second value (None where there was nothing, or where it is not to be kept). The data
    get a new token, and a number that neither of the two states had. Raises BackupError where
    nothing was changed.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with alone_in(folder):
        interrupted.take_back()
        with verified(path, folder) as (manifest, database):
            kept = None
            if holds_data():
                confirm()
                if keep_present:
                    kept = present_kept(folder)
            number = max(manifest["data_version"]["number"], present_number()) + 1
            token = new_token()
            with interrupted.files_in_place(database.parent / FILES, token):
                put_back(database, manifest, number, token)
    return manifest, kept


def recover_restore(folder: Path) -> str:
    """Puts in order what an interrupted restore left and says what was done; raises BackupError
    where that cannot be told, or where one is at work.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with alone_in(folder):
        return interrupted.take_back()


def present_kept(folder: Path) -> Path:
    """A backup of what is there now; raises BackupError where it cannot be made."""
    try:
        return backup_made(folder, BEFORE_RESTORE)[0]
    except (BackupError, OSError) as error:
        raise BackupError(
            f"What is there now cannot be kept as a backup ({error}); --discard does without."
        ) from error


def present_number() -> int:
    """The number of the data as they are; 0 where there are none that can be read."""
    try:
        return DataVersion.current().number
    except DatabaseError:
        return 0

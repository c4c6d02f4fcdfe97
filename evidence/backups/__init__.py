"""Backup and restore of everything Casebook cannot make anew: its database and its private files.

`making` writes archives and clears old ones away, `restoring` puts one back, `interrupted` is what
a restore that was killed left, `archive` is the file, `databases` what differs
between SQLite and PostgreSQL. docs/backup.md is for operators.
"""

from .archive import BackupError
from .making import Backup, kept_backups, make_backup
from .restoring import check_backup, holds_data, recover_restore, restore_backup

__all__ = [
    "Backup",
    "BackupError",
    "check_backup",
    "holds_data",
    "kept_backups",
    "make_backup",
    "recover_restore",
    "restore_backup",
]

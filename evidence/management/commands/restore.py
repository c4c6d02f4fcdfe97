"""Puts a backup back, after everything about it has been verified."""

import sys
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from ...backups import BackupError, recover_restore, restore_backup
from ...models import Collection


class Command(BaseCommand):
    help = (
        "Makes the database and the private files what an archive holds; all of it or nothing. "
        "What is there now is kept as a backup first. Stop the server before."
    )
    requires_system_checks = []  # a database that is broken is a reason to run this

    def add_arguments(self, parser):
        parser.add_argument("archive", type=Path, nargs="?")
        parser.add_argument(
            "--recover",
            action="store_true",
            help="only put in order what an interrupted restore left; every restore begins with it",
        )
        parser.add_argument(
            "--force", action="store_true", help="replace what is there without asking"
        )
        parser.add_argument(
            "--discard", action="store_true", help="keep no backup of what is there now"
        )
        parser.add_argument(
            "--backups", type=Path, default=settings.BACKUPS, help="where that is kept"
        )

    def handle(self, *, archive, recover, force, discard, backups, verbosity, **options):
        if recover == bool(archive):
            raise CommandError("Name an archive, or say --recover.")
        try:
            if recover:
                said = recover_restore(backups)
                self.stdout.write(said or "No restore was interrupted.")
                return
            manifest, kept = restore_backup(
                archive,
                backups,
                keep_present=not discard,
                confirm=(lambda: None) if force else self.ask,
            )
        except (BackupError, OSError) as error:
            raise CommandError(f"Nothing was changed. {error}") from None
        if verbosity:
            self.report(manifest, kept)

    def ask(self) -> None:
        """Raises BackupError unless somebody types the name of the database."""
        name = Path(str(connection.settings_dict["NAME"])).name
        if not sys.stdin.isatty():
            raise BackupError("The database holds data; --force replaces it.")
        self.stdout.write(self.style.WARNING(f"The database {name} holds data that are replaced."))
        if input("Type its name to go on: ").strip() != name:
            raise BackupError("That is not its name.")

    def report(self, manifest: dict, kept: Path | None) -> None:
        self.stdout.write(
            self.style.SUCCESS(
                f"Restored: the state of {manifest['made']}, "
                f"{sum(manifest['tables'].values()):,} rows, "
                f"{len(manifest['members']) - 1} private files, "
                f"{Collection.objects.count()} collections."
            )
        )
        if kept:
            self.stdout.write(f"  What was there before: {kept}")
        self.stdout.write(
            "  Everybody has to log in again: no session was put back. Passwords, second factors "
            "and spare codes (used ones too) are those of the backup."
        )
        self.stdout.write("  Run manage.py prepare, then start the server.")

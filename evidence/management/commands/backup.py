"""Makes a backup of the database and the private files while everybody works on."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ...backups import BackupError, kept_backups, make_backup
from ...backups.making import remove_old


class Command(BaseCommand):
    help = (
        "Writes one consistent state of the database and the private files into an archive with "
        "checksums, reads it back, and then removes the oldest archives. Readers and curators are "
        "not held up."
    )

    requires_system_checks = []  # whatever is wrong with settings, a backup is made

    def add_arguments(self, parser):
        parser.add_argument("--to", type=Path, default=settings.BACKUPS, help="the folder")
        parser.add_argument(
            "--keep",
            type=int,
            default=settings.BACKUPS_KEEP,
            help="how many stay; 0: all (default: %(default)s)",
        )
        parser.add_argument(
            "--days",
            type=int,
            default=settings.BACKUPS_DAYS,
            help="older ones go, but for the newest; 0: never (default: %(default)s)",
        )

    def handle(self, *, to, keep, days, verbosity, **options):
        if keep < 0 or days < 0:
            raise CommandError("--keep and --days are 0 or more.")
        try:
            path, manifest = make_backup(to)
        except BackupError as error:
            raise CommandError(str(error)) from None
        removed = remove_old(to, keep, days, path)
        for ahead in (backup.path.name for backup in kept_backups(to) if backup.is_ahead):
            self.stderr.write(
                self.style.WARNING(
                    f"{ahead} is dated in the future: a clock is or was wrong. It is not counted "
                    "and stays; remove it by hand once the clock is right."
                )
            )
        if verbosity:
            rows, files = sum(manifest["tables"].values()), len(manifest["members"]) - 1
            self.stdout.write(
                self.style.SUCCESS(
                    f"{path} ({path.stat().st_size / 1e6:.1f} MB): data version "
                    f"{manifest['data_version']['number']}, {rows:,} rows, {files} private files; "
                    f"read back and whole."
                )
            )
            for old in removed:
                self.stdout.write(f"  removed {old.name}")

"""Says whether backups could be restored, and whether the newest is new enough."""

from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ...backups import BackupError, check_backup, interrupted, kept_backups


class Command(BaseCommand):
    help = (
        "Reads archives whole: checksums, version, and whether the database in them is sound. "
        "Without a name, the newest. Changes nothing."
    )

    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("archives", nargs="*", type=Path)
        parser.add_argument("--in", dest="folder", type=Path, default=settings.BACKUPS)
        parser.add_argument("--all", action="store_true", help="every archive in the folder")
        parser.add_argument(
            "--max-age", type=int, metavar="HOURS", help="fail where the newest is older than this"
        )

    def handle(self, *, archives, folder, max_age, verbosity, **options):
        backups = kept_backups(folder)
        if not archives and not backups:
            raise CommandError(f"There is no backup in {folder}.")
        dated = [backup for backup in backups if not backup.is_ahead]
        if max_age is not None and (not dated or dated[-1].age > timedelta(hours=max_age)):
            raise CommandError(f"There is no backup of the last {max_age} hours in {folder}.")
        chosen = backups if options["all"] else dated[-1:]
        broken = []
        try:
            interrupted.need_none()
        except BackupError as error:
            broken.append(str(error))
        if not archives:
            broken += [
                f"{backup.path.name} is dated in the future: a clock is or was wrong. Set it "
                "right, then remove or rename the archive."
                for backup in backups
                if backup.is_ahead
            ]
        for path in archives or [backup.path for backup in chosen]:
            try:
                manifest = check_backup(path)
            except BackupError as error:
                broken.append(f"{path.name}: {error}")
                continue
            if verbosity:
                number, of = manifest["data_version"]["number"], manifest["vendor"]
                self.stdout.write(
                    f"  {path.name}: whole; made {manifest['made']}, data version {number}, {of}"
                )
        if broken:
            raise CommandError("\n".join(broken))

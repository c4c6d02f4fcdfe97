"""Writes the database as fixtures."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from ...curation.dumping import CircularLinks, dump_evidence


class Command(BaseCommand):
    help = (
        "Writes the whole evidence as fixtures into a folder: into an empty database, "
        "`load_evidence --from FOLDER` brings the same content back. The same data give the same "
        "files."
    )

    def add_arguments(self, parser):
        parser.add_argument("folder", type=Path, help="where to; it is made if it is not there")
        parser.add_argument(
            "--all",
            action="store_true",
            dest="with_drafts",
            help="studies in work too, and every version of every study (not for readers)",
        )

    def handle(self, *, folder, with_drafts, verbosity, **options):
        try:
            written = dump_evidence(folder, with_drafts=with_drafts)
        except (OSError, CircularLinks) as error:
            raise CommandError(str(error)) from None
        if verbosity:
            for name, count in written.items():
                self.stdout.write(f"  {folder / name}: {count}")

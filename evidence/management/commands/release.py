"""Makes a release of the evidence."""

from django.core.management.base import BaseCommand, CommandError

from ...curation.make_release import CannotRelease, make_release, not_compared
from ...downloads.release_status import rows_in_words
from ...models import Release
from .. import database_said_plainly


class Command(BaseCommand):
    help = (
        "Gives the evidence as it stands a release number, with what changed since the last one "
        "and an archive of every collection. Refuses while check_evidence finds anything, and "
        "where nothing has changed. Collections drawn by generate_cohort are left out."
    )

    def add_arguments(self, parser):
        parser.add_argument("--notes", default="", help="what changed, in words for readers")
        parser.add_argument(
            "--if-none", action="store_true", help="only where there is no release yet"
        )

    def handle(self, *, notes, if_none, verbosity, **options):
        if if_none and Release.objects.exists():
            return
        try:
            with database_said_plainly("No release was made."):
                release = make_release(notes)
        except CannotRelease as error:
            raise CommandError(f"No release was made. {error}") from None
        except OSError as error:  # a full disk, say; nothing of it is written
            raise CommandError(f"No release was made. It could not be written: {error}.") from error
        if verbosity:
            self.stdout.write(
                self.style.SUCCESS(f"Release {release.number} of {release.released_at:%-d %B %Y}.")
            )
            self.stdout.write(f"  content {release.content_hash}")
            for released in release.collections.all():
                self.stdout.write(
                    f"  {released.slug}: {rows_in_words(released)}; {released.size / 1e6:.2f} MB"
                )
                for line in released.changes_text:
                    self.stdout.write(f"    {line}")
        for why in not_compared(release):
            self.stderr.write(self.style.WARNING(f"  What changed was not counted. {why}"))

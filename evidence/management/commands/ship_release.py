"""Writes the evidence as it stands into the file of releases that come with Casebook."""

from datetime import datetime

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ...curation.make_release import CannotRelease, content_to_release
from ...curation.shipped_releases import NAME, ship_release


class Command(BaseCommand):
    help = (
        "For maintainers: writes number, date, identifier and content hashes of the evidence as "
        "loaded into fixtures/releases.json, so that every copy of this version of Casebook makes "
        "the same release of it. Run it on a database that holds the shipped evidence alone."
    )

    def add_arguments(self, parser):
        parser.add_argument("number", type=int, help="the number of the release")
        parser.add_argument("--date", help="its date and time, ISO 8601 with zone; default: now")
        parser.add_argument("--notes", default="", help="what changed, in words for readers")

    def handle(self, *, number, date, notes, **options):
        try:
            at = datetime.fromisoformat(date) if date else timezone.now().replace(microsecond=0)
        except ValueError:
            raise CommandError(f"“{date}” is no date and time.") from None
        if at.tzinfo is None or number < 1:
            raise CommandError("A date has a zone, such as +00:00, and a number is at least 1.")
        try:
            digests = content_to_release()
        except CannotRelease as error:
            raise CommandError(f"Nothing was written. {error}") from None
        shipped = ship_release(digests, number, at, notes)
        self.stdout.write(f"Release {shipped.number}, {shipped.identifier}: {NAME} written.")

"""Reads large collections into memory ahead of time and leaves the result for the serving
processes.
"""

from time import monotonic

from django.core.management.base import BaseCommand, CommandError

from ...counting import AT_ONCE, build_ahead
from ...models import Collection


class Command(BaseCommand):
    help = (
        f"Builds the snapshots of collections with more than {AT_ONCE:,} patients and leaves "
        "them where the serving processes find them. Smaller ones are read when they are asked "
        "for; nothing is written for them."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "collections", nargs="*", help="slugs; without any, every large collection"
        )

    def handle(self, *, collections, verbosity, **options):
        selected = (
            Collection.objects.filter(slug__in=collections)
            if collections
            else Collection.objects.all()
        )
        if missing := set(collections) - {collection.slug for collection in selected}:
            raise CommandError(f"There is no collection {', '.join(sorted(missing))}.")
        for collection in selected:
            started = monotonic()
            try:
                snapshot = build_ahead(collection)
            except OSError as error:
                raise CommandError(
                    f"The snapshot of {collection.slug} cannot be kept for other processes: {error}"
                ) from None
            if snapshot is not None and verbosity:
                size, seconds = snapshot.nbytes / 1e6, monotonic() - started
                self.stdout.write(
                    f"  {collection.slug}: {snapshot.patients:,} patients read in {seconds:.1f} "
                    f"s, {size:.0f} MB"
                )

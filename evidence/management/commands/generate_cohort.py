"""Draws a synthetic collection for benchmarks and demonstrations."""

from time import monotonic

from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from ...curation.generation import CannotGenerate, generate_collection
from ...models import Collection


class Command(BaseCommand):
    help = (
        "Draws a simulated collection of any size: studies of 1 to 500 patients, missing values, "
        "several courses, outcomes by month, adverse events. The same numbers give the same "
        "collection. All or nothing."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "--patients", type=int, required=True, help="how many, such as 1000 or 1000000"
        )
        parser.add_argument(
            "--seed", type=int, default=1, help="draws another collection (default: %(default)s)"
        )
        parser.add_argument(
            "--collection", default="synthetic", help="its slug (default: %(default)s)"
        )
        parser.add_argument(
            "--replace", action="store_true", help="draw it anew if an earlier run drew it"
        )

    def handle(self, *, patients, seed, collection, replace, verbosity, **options):
        started = monotonic()
        try:
            self.check_slug(collection)
            for written in generate_collection(collection, patients, seed, replace=replace):
                if verbosity:
                    seconds = monotonic() - started
                    self.stdout.write(f"  {written:>9,} of {patients:,} patients, {seconds:.0f} s")
        except CannotGenerate as error:
            raise CommandError(f"Nothing was changed. {error}") from None
        try:
            call_command("prepare_snapshots", collection, verbosity=verbosity, stdout=self.stdout)
        except CommandError as error:  # the collection is there; servers read it themselves
            self.stderr.write(self.style.WARNING(str(error)))
        if verbosity:
            self.stdout.write(
                self.style.SUCCESS(
                    f"/{collection}/ holds {patients:,} simulated patients (seed {seed})."
                )
            )

    def check_slug(self, slug: str) -> None:
        """Raises CannotGenerate for a slug that cannot be an address."""
        try:
            Collection(
                slug=slug, name=slug, kind="simulated", description="-", caveat="-"
            ).full_clean(validate_unique=False)
        except ValidationError as error:
            raise CannotGenerate(
                f"The slug “{slug}” cannot be used: {'; '.join(error.messages)}"
            ) from None

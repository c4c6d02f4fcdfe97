"""Writes an empty curation workbook."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from ...curation.workbook.template import write_template
from ...models import Collection


class Command(BaseCommand):
    help = (
        "Writes an empty workbook in which studies are entered: a sheet for each kind of record, "
        "drop-downs from the vocabularies, and instructions. `import_workbook` reads it back."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, help="where to, such as studies.xlsx")
        parser.add_argument(
            "--collection", default="published", help="the collection the studies are for"
        )
        parser.add_argument("--force", action="store_true", help="overwrite a file that is there")

    def handle(self, *, file, collection, force, verbosity, **options):
        if file.suffix.lower() != ".xlsx":
            raise CommandError("The file’s name has to end in .xlsx.")
        if file.exists() and not force:
            raise CommandError(f"{file} is there already; --force overwrites it.")
        found = Collection.objects.filter(slug=collection).first()
        if found is None:
            raise CommandError(f"There is no collection {collection}.")
        try:
            file.write_bytes(write_template(found))
        except OSError as error:
            raise CommandError(str(error)) from None
        if verbosity:
            self.stdout.write(self.style.SUCCESS(f"Written: {file}"))

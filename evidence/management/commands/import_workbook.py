"""Imports studies from a workbook into studies in work."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from ...curation.documents import CellChange, Document
from ...curation.drafts import Author, overwritten_by_import, save_import
from ...curation.workbook.importing import Import, read_workbook
from ...curation.workbook.opening import UnreadableFile
from ...curation.workbook.report import (
    coloured_workbook,
    conversion_rows,
    fault_csv,
    fault_lines,
    table_lines,
)
from ...models import Collection, Door
from .. import account_named, add_user_argument, database_said_plainly

CONVERSION_HEADERS = ("sheet", "rows", "column", "value", "became")


class Command(BaseCommand):
    help = (
        "Reads a workbook, or a ZIP of CSV files of its sheets, into studies in work. Nothing is "
        "changed while anything is wrong; everything that is wrong is said. Readers see nothing of "
        "it until the studies are published."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, help="a workbook (.xlsx) or a ZIP of CSV files")
        parser.add_argument(
            "--collection", default="published", help="the collection the studies are for"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")
        parser.add_argument(
            "--report",
            type=Path,
            help="where to write the workbook with its faults marked; for CSV files, a CSV file",
        )
        parser.add_argument("--message", default="", help="why, for the studies’ histories")

        add_user_argument(parser)

    def handle(self, *, file, collection, dry_run, report, message, user, verbosity, **options):
        found = Collection.objects.filter(slug=collection).first()
        if found is None:
            raise CommandError(f"There is no collection {collection}.")
        self.verbosity = verbosity
        try:
            with file.open("rb") as opened:
                result = read_workbook(opened, file.name, found, self.tell_progress)
                self.write_conversions(result)
                if result.faults:
                    self.write_faults(result, opened, report)
        except OSError as error:
            raise CommandError(
                f"Nothing was changed. {error.filename or file}: {error.strerror or error}."
            ) from None
        except UnreadableFile as error:
            raise CommandError(f"Nothing was changed. {error}") from None
        if result.faults:
            raise CommandError(f"Nothing was changed. Faults: {len(result.faults)}.")
        message = message or f"Imported from {file.name}."
        author = Author(account_named(user), Door.IMPORT)
        try:
            with database_said_plainly("Nothing was changed."):
                outcomes, overwritten = keep_documents(
                    result.documents, found, message, author, dry_run=dry_run
                )
        except ValidationError as error:
            raise CommandError(f"Nothing was changed. {' '.join(error.messages)}") from None
        self.write_outcomes(outcomes, overwritten, dry_run=dry_run)

    def tell_progress(self, sheet: str, row: int) -> None:
        if self.verbosity > 1:
            self.stdout.write(f"{sheet}: row {row}")

    def write_conversions(self, result: Import) -> None:
        if not result.conversions or not self.verbosity:
            return
        self.stdout.write("Understood as something else than written:")
        for line in table_lines(CONVERSION_HEADERS, conversion_rows(result.conversions)):
            self.stdout.write(f"  {line}")

    def write_faults(self, result: Import, opened, report: Path | None) -> None:
        for line in fault_lines(result.faults):
            self.stderr.write(line)
        if report is None:
            return
        if report.suffix.lower() == ".csv":
            report.write_text(fault_csv(result.faults), encoding="utf-8", newline="")
        else:
            report.write_bytes(coloured_workbook(opened, result.faults))
        self.stderr.write(f"Marked in {report}.")

    def write_outcomes(
        self, outcomes: dict[str, str], overwritten: dict[str, list[CellChange]], *, dry_run: bool
    ) -> None:
        if self.verbosity:
            for slug, outcome in outcomes.items():
                self.stdout.write(f"  {slug}: {outcome}")
                for change in overwritten.get(slug, ()):
                    before, after = change.words
                    self.stdout.write(f"    {change.label}: {before} becomes {after}")
        counted = Counter(outcomes.values())
        total = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counted.items()))
        what = "Would be kept" if dry_run else "Kept"
        self.stdout.write(self.style.SUCCESS(f"{what} as studies in work: {total or 'nothing'}."))


def keep_documents(
    documents: Mapping[str, Document],
    collection: Collection,
    message: str,
    author: Author,
    *,
    dry_run: bool,
) -> tuple[dict[str, str], dict[str, list[CellChange]]]:
    """Writes documents to studies in work; says of each study what became of it, and which of its
    cells said something else before. A dry run does the same and takes it back.
    """
    with transaction.atomic():
        outcomes = save_import(documents, collection, author, message)
        overwritten = overwritten_by_import(collection, outcomes)
        if dry_run:
            transaction.set_rollback(True)
    return outcomes, overwritten

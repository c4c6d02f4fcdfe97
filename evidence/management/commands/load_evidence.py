"""Loads the fixtures: validated, all or nothing, and again without harm."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from ...curation.drafts import note_loaded
from ...curation.dumping import DRAFTS, load_drafts
from ...curation.fixture_files import BrokenFixture, FixtureRecord, read_all
from ...curation.loading import LoadReport, load_records
from ...curation.opening import close_files
from ...models import (
    AdverseEvent,
    Collection,
    DataVersion,
    GroupFinding,
    Outcome,
    Patient,
    Study,
    StudyGroup,
    Treatment,
)

COUNTED = {
    "studies": (Study, "collection"),
    "patients": (Patient, "study__collection"),
    "courses": (Treatment, "patient__study__collection"),
    "outcomes": (Outcome, "treatment__patient__study__collection"),
    "adverse events": (AdverseEvent, "treatment__patient__study__collection"),
    "groups": (StudyGroup, "study__collection"),
    "findings": (GroupFinding, "group__study__collection"),
}


class Command(BaseCommand):
    help = (
        "Loads every fixture in one transaction, validating each record. Running it again "
        "changes nothing; what curators entered, edited or removed stays. A broken fixture "
        "changes nothing and is named."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "--from",
            dest="folder",
            type=Path,
            help="a folder that dump_evidence wrote, instead of the shipped fixtures",
        )

    def handle(self, *, verbosity, folder=None, **options):
        self.file = None
        if DataVersion._meta.db_table not in connection.introspection.table_names():
            raise CommandError("The database has no tables yet. Run “manage.py migrate” first.")
        try:
            with transaction.atomic():
                records = read_all(folder)
                report = load_records(
                    records, progress=self.show_progress if verbosity else lambda record: None
                )
                if folder and (folder / DRAFTS).exists():
                    self.write_restored(load_drafts(folder / DRAFTS), verbosity)
                if report.changed:
                    note_loaded(records)
                close_files()
        except BrokenFixture as error:
            raise CommandError(f"Nothing was changed.\n{error}") from None
        if verbosity:
            self.write_report(len(records), report)

    def write_restored(self, count: int, verbosity: int) -> None:
        if verbosity:
            self.stdout.write(f"  {DRAFTS}: {count} studies with their versions")

    def show_progress(self, record: FixtureRecord) -> None:
        if record.file != self.file:
            self.file = record.file
            self.stdout.write(f"  {record.file}")

    def write_report(self, record_count: int, report: LoadReport) -> None:
        for preserved in report.preserved:
            self.stdout.write(self.style.WARNING(f"  {preserved}"))
        outcomes = ", ".join(
            f"{count} {outcome}" for outcome, count in sorted(report.outcomes.items())
        )
        summary = (
            f"{record_count} records read: {outcomes}."
            if report.changed
            else f"{record_count} records read: nothing to change."
        )
        self.stdout.write(self.style.SUCCESS(summary))
        for collection in Collection.objects.all():
            counts = (
                f"{model.objects.filter(**{path: collection}).count()} {name}"
                for name, (model, path) in COUNTED.items()
            )
            self.stdout.write(
                f"  {collection.slug} ({collection.get_kind_display().lower()}): "
                f"{', '.join(counts)}"
            )
        self.stdout.write(f"  {DataVersion.current()}")

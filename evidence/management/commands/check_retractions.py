"""Compares the studies with a file of Retraction Watch."""

import sys
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from ...curation.drafts import Author
from ...curation.retractions import UnreadableFile, enter_findings, find_new, read_notices
from ...models import Door


class Command(BaseCommand):
    help = (
        "Reads the CSV file of Retraction Watch, as Crossref has it, and prints which studies "
        "were corrected, doubted, retracted or reinstated without that being entered. Asks no "
        "network. Exits with 1 if anything is left to be entered or published."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, help="retraction_watch.csv")
        parser.add_argument(
            "--apply",
            action="store_true",
            help="enter what is new into the studies in work; it is published by a curator",
        )

    def handle(self, *, file, apply, **options):
        try:
            findings = find_new(read_notices(file))
        except UnreadableFile as error:
            raise CommandError(f"Nothing was changed. {error}") from None
        for finding in findings:
            self.stdout.write(f"{finding.study.label}: {finding.words}")
        new = [finding for finding in findings if finding.fields]
        if apply:
            enter_findings(new, Author(door=Door.COMMAND), file.name)
            self.stdout.write(
                self.style.SUCCESS(f"Entered into studies in work: {len(new)}. Publish them next.")
            )
        elif findings:
            self.stdout.write(f"Left to do: {len(findings)}; {len(new)} with --apply.")
            sys.exit(1)
        else:
            self.stdout.write(self.style.SUCCESS("Nothing new."))

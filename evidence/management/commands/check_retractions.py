"""Compares the studies with a file of Retraction Watch."""

import sys
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from ...curation.drafts import Author
from ...curation.retractions import UnreadableFile, enter_findings, find_new, read_notices
from ...models import Door
from .. import account_named, add_user_argument

SHOWN_ROWS = 20  # that could not be read


class Command(BaseCommand):
    help = (
        "Reads the CSV file of Retraction Watch, as Crossref has it, and prints which studies "
        "were corrected, doubted, retracted or reinstated without that being entered. Asks no "
        "network. Exits with 1 if anything is left to be entered or published, or a row could not "
        "be read."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, help="retraction_watch.csv")
        parser.add_argument(
            "--apply",
            action="store_true",
            help="enter what is new into the studies in work; it is published by a curator",
        )

        add_user_argument(parser)

    def handle(self, *, file, apply, user, **options):
        odd_rows: list[str] = []
        author = Author(account_named(user), door=Door.COMMAND)
        try:
            findings = find_new(read_notices(file, odd_rows))
        except UnreadableFile as error:
            raise CommandError(f"Nothing was changed. {error}") from None
        for words in odd_rows[:SHOWN_ROWS]:
            self.stderr.write(f"{file}, {words}")
        if len(odd_rows) > SHOWN_ROWS:
            self.stderr.write(f"{file}: {len(odd_rows) - SHOWN_ROWS} more such rows.")
        for finding in findings:
            self.stdout.write(f"{finding.study.label}: {finding.words}")
        new = [finding for finding in findings if finding.fields]
        if apply:
            try:
                enter_findings(new, author, file.name)
            except ValidationError as error:
                raise CommandError(f"Nothing was changed. {' '.join(error.messages)}") from None
            self.stdout.write(
                self.style.SUCCESS(f"Entered into studies in work: {len(new)}. Publish them next.")
            )
        elif findings:
            self.stdout.write(f"Left to do: {len(findings)}; {len(new)} with --apply.")
        elif not odd_rows:
            self.stdout.write(self.style.SUCCESS("Nothing new."))
        if odd_rows:
            self.stdout.write(f"{len(odd_rows)} rows could not be read.")
        if odd_rows or (findings and not apply):
            sys.exit(1)

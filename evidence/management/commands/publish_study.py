"""Publishes a study in work."""

from django.core.management.base import BaseCommand, CommandError

from ...curation.cell_states import state_words, unstated_cells
from ...curation.drafts import (
    Author,
    Conflict,
    cells_differ,
    content_of,
    publish,
    unpublished_changes,
)
from ...curation.writing import NotPublishable
from ...models import Door, StudyDraft
from ...models.choices import Extraction
from .. import account_named, add_user_argument, database_said_plainly


class Command(BaseCommand):
    help = (
        "Writes a study in work to the evidence, for readers to see: all of it or nothing. Says "
        "which cells nobody has said anything about; with any of them it is published as read in "
        "part."
    )

    def add_arguments(self, parser):
        parser.add_argument("collection", help="the collection's address, such as published")
        parser.add_argument("study", help="the study's address, such as fujita-2019")
        parser.add_argument("--message", default="", help="why, for the study's history")
        add_user_argument(parser)
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")

    def handle(self, *, collection, study, message, user, dry_run, verbosity, **options):
        draft = (
            StudyDraft.objects.filter(collection__slug=collection, slug=study)
            .select_related("collection", "head", "published")
            .first()
        )
        if draft is None or draft.head is None:
            raise CommandError(f"There is no study {study} in work in {collection}.")
        if not draft.is_open:
            self.stdout.write("Nothing to publish: readers see this version already.")
            return
        if verbosity:
            self.write_changes(draft)
        if dry_run:
            return
        account = account_named(user)
        if account and not (account.is_active and account.has_perm("evidence.publish_study")):
            raise CommandError(f"Nothing was changed. {account} may not publish studies.")
        try:
            with database_said_plainly("Nothing was changed."):
                version = publish(
                    draft,
                    based_on=draft.head.number,
                    author=Author(account, Door.COMMAND),
                    message=message,
                )
        except (Conflict, NotPublishable) as error:
            raise CommandError(f"Nothing was changed.\n{error}") from None
        extraction = next(
            record["fields"]["extraction"]
            for record in version.content
            if record["model"] == "evidence.study"
        )
        self.stdout.write(
            self.style.SUCCESS(
                f"Published as version {version.number}, "
                f"read as: {Extraction(extraction).label.lower()}."
            )
        )

    def write_changes(self, draft: StudyDraft) -> None:
        changes = unpublished_changes(draft)
        self.stdout.write(f"{cells_differ(len(changes))} from what readers see.")
        for cell in unstated_cells(content_of(draft.head), content_of(draft.published)):
            self.stdout.write(f"  {cell.label}: {state_words(cell.state)}")

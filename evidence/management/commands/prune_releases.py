"""Removes the archives of old releases, by the policy in DEVELOPING.md."""

from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ...curation.pruning import KEPT, KEPT_DAYS, CannotPrune, archives_to_prune, prune, size_of


class Command(BaseCommand):
    help = (
        "Names the releases whose archives can be removed, and removes them with --apply. Kept are "
        f"those that come with Casebook, the latest {KEPT}, and all younger than {KEPT_DAYS} days. "
        "Number, date, hashes and what changed stay listed; the archive's address then says when "
        "it was removed and why (410), and an address that names the release is refused (409)."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "--release",
            type=int,
            action="append",
            default=[],
            help="this release whatever its age, such as one whose archive must not be given out "
            "any more; may be repeated. The latest cannot be named.",
        )
        parser.add_argument("--keep", type=int, default=KEPT, help="how many of the latest stay")
        parser.add_argument("--days", type=int, default=KEPT_DAYS, help="younger ones stay")
        parser.add_argument("--reason", default="", help="why, in words for readers")
        parser.add_argument("--apply", action="store_true", help="remove them; otherwise only say")

    def handle(self, *, release, keep, days, reason, apply, **options):
        try:
            chosen = archives_to_prune(release, keep, timezone.now() - timedelta(days=days))
            if apply:
                prune(chosen, reason)
        except CannotPrune as error:
            raise CommandError(f"Nothing was removed. {error}") from None
        for each in chosen:
            self.stdout.write(
                f"{'Removed' if apply else 'Would remove'} the archives of release {each.number} "
                f"of {each.released_at:%-d %B %Y}: {size_of(each) / 1e6:.2f} MB."
            )
        if not chosen:
            self.stdout.write("No archive is to be removed.")
        elif not apply:
            self.stdout.write("Nothing was removed. Say --apply and --reason to remove them.")

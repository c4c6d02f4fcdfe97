"""Makes the database ready to serve, in one process: a second start should take no longer than it
must.
"""

from django.core.management import call_command
from django.core.management.base import BaseCommand

from ...curation.make_release import CannotRelease, keep_latest, make_release
from ...curation.shipped_releases import shipped_releases
from ...models import DataVersion, Release


class Command(BaseCommand):
    help = (
        "Applies missing migrations, loads the evidence, and gives a database that was empty "
        "before its first release; one that has exactly the evidence of a newer release that comes "
        "with Casebook gets that. Harmless to repeat."
    )
    requires_system_checks = []  # `make check` and CI run them; here they would only cost time

    def handle(self, *, verbosity, **options):
        output_options = {"verbosity": verbosity, "stdout": self.stdout, "stderr": self.stderr}
        call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
        empty = DataVersion.current().number == 0
        call_command("load_evidence", **output_options)
        if empty:
            call_command(
                "release",
                notes="The evidence as it comes with Casebook.",
                if_none=True,
                **output_options,
            )
            return
        keep_latest()
        latest = Release.objects.first()
        if latest and latest.number < max(each.number for each in shipped_releases()):
            try:
                make_release(needs_shipped=True)
            except CannotRelease:  # curators have entered more, or nothing is new
                return
            self.stdout.write(f"Release {Release.objects.first().number} came with this version.")

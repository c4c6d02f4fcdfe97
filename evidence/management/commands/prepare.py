"""Makes the database ready to serve, in one process: a second start should take no longer than it
must.
"""

from django.core.management import call_command
from django.core.management.base import BaseCommand

from ...models import DataVersion


class Command(BaseCommand):
    help = (
        "Applies missing migrations, loads the evidence, and gives a database that was empty "
        "before its first release. Harmless to repeat."
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

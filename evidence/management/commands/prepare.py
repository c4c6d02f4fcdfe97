"""Makes the database ready to serve, in one process: a second start should take no longer than it must."""

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Applies missing migrations, then loads the evidence. Harmless to repeat."
    requires_system_checks = []  # `make check` and CI run them; here they would only cost time

    def handle(self, *, verbosity, **options):
        call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
        call_command("load_evidence", verbosity=verbosity, stdout=self.stdout, stderr=self.stderr)

"""Writes the files by which hosts of code know how to cite Casebook."""

from django.conf import settings
from django.core.management.base import BaseCommand

from ...downloads.metadata.repository import repository_files


class Command(BaseCommand):
    help = (
        "Writes CITATION.cff and .zenodo.json into the repository, from the version in "
        "pyproject.toml, its date in CHANGELOG.md, the collections in fixtures/ and the one "
        "declaration of title, creators and licences. Asks no database."
    )
    requires_system_checks = []

    def handle(self, *, verbosity, **options):
        for name, text in repository_files(settings.BASE_DIR).items():
            (settings.BASE_DIR / name).write_text(text)
            if verbosity:
                self.stdout.write(f"  {name}")

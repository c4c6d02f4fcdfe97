"""The integrity report: exits with 1 where it finds anything."""

from django.core.management.base import BaseCommand

from ...curation.integrity import RULES, damaged_releases, integrity_issues


class Command(BaseCommand):
    help = (
        "Checks the rules that span several records, and that every figure a loaded "
        "reconstruction stands for comes out as it did when a curator last looked; that archives "
        "and records of releases are, byte for byte, what was kept. Exits with 1 if anything is "
        "found."
    )

    def handle(self, **options):
        issues = [*integrity_issues(), *damaged_releases()]
        for issue in issues:
            self.stderr.write(f"  {issue}")
        if issues:
            self.stderr.write(self.style.ERROR(f"{len(issues)} findings."))
            raise SystemExit(1)
        self.stdout.write(
            self.style.SUCCESS(
                f"{len(RULES)} rules, every reconstructed figure and every release's archives and "
                "records checked: no findings."
            )
        )

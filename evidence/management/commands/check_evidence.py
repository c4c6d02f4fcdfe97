"""The integrity report: exits with 1 where it finds anything."""

from django.core.management.base import BaseCommand

from ...curation.integrity import RULES, integrity_issues


class Command(BaseCommand):
    help = (
        "Checks the rules that span several records, and that every figure a loaded "
        "reconstruction stands for comes out as it did when a curator last looked. Exits with 1 "
        "if anything is found."
    )

    def handle(self, **options):
        issues = integrity_issues()
        for issue in issues:
            self.stderr.write(f"  {issue}")
        if issues:
            self.stderr.write(self.style.ERROR(f"{len(issues)} findings."))
            raise SystemExit(1)
        self.stdout.write(
            self.style.SUCCESS(
                f"{len(RULES)} rules and every reconstructed figure checked: no findings."
            )
        )

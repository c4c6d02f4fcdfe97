"""The integrity report: exits with 1 where it finds anything."""

from django.core.management.base import BaseCommand

from ...integrity import RULES, faults
from ...models import Review
from ...summaries import reconciliation


class Command(BaseCommand):
    help = (
        "Checks the rules that span several records, and that every figure a loaded reconstruction stands for comes "
        "out as it did when a curator last looked. Exits with 1 if anything is found."
    )

    def handle(self, **options):
        found = [str(fault) for fault in faults()] + list(self.figures_that_differ())
        for line in found:
            self.stderr.write(f"  {line}")
        if found:
            self.stderr.write(self.style.ERROR(f"{len(found)} findings."))
            raise SystemExit(1)
        self.stdout.write(
            self.style.SUCCESS(f"{len(RULES)} rules and every reconstructed figure checked: no findings.")
        )

    def figures_that_differ(self):
        for review in Review.objects.all():
            for row in reconciliation(review, list(review.figures.select_related("review"))):
                if row.unexpected:
                    given = f"{row.recomputed} ({row.basis})" if row.value is not None else "not computable"
                    name = f"evidence.printedfigure {review.slug} / {row.figure.code}"
                    yield (
                        f"{name}: printed {row.printed}, records give {given}. When last seen: {row.expected.label}; "
                        f"now: {row.verdict.label}. Find out why, then write a note and the new verdict"
                    )

"""Writes the simulated cohort that reproduces a review's printed figures."""

from decimal import Decimal

from django.core.management.base import BaseCommand, CommandError

from ...curation.fixture_files import BrokenFixture, fixture_folder, fixture_text, read_fixture
from ...curation.reconstruction import (
    COLLECTION,
    CannotReconstruct,
    Plan,
    Printed,
    fixture_records,
    plan_reconstruction,
)


class Command(BaseCommand):
    help = (
        "Writes the fixture of simulated records that reproduces a review's printed figures. It "
        "reads fixtures/reviews.json, needs no database, and writes the same bytes every time."
    )

    def add_arguments(self, parser):
        parser.add_argument("review", help="slug of the review, such as sener-2025")
        parser.add_argument(
            "--seed",
            default="casebook",
            help="draws another, equally arbitrary set (default: %(default)s)",
        )
        parser.add_argument(
            "--check", action="store_true", help="write nothing; fail if the file differs"
        )

    def handle(self, *, review, seed, check, **options):
        try:
            plan = self.plan_for(review)
        except (BrokenFixture, CannotReconstruct) as error:
            raise CommandError(str(error)) from None
        text = fixture_text(fixture_records(review, plan, seed))
        path = fixture_folder() / f"{COLLECTION.format(review=review)}.json"
        if check:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                raise CommandError(
                    f"{path.name} differs from what the printed figures and this seed give."
                )
            self.stdout.write(f"{path.name} is what the printed figures give.")
            return
        path.write_text(text, encoding="utf-8")
        self.write_report(plan)
        self.stdout.write(
            self.style.SUCCESS(f"Wrote {path.name}: {plan.patients} simulated patients.")
        )

    def plan_for(self, slug: str) -> Plan:
        entries = read_fixture(fixture_folder() / "reviews.json")
        review = next(
            (
                e.fields
                for e in entries
                if e.model == "evidence.review" and e.fields.get("slug") == slug
            ),
            None,
        )
        if review is None:
            raise CannotReconstruct(f"There is no review {slug} in reviews.json.")
        figures = {
            e.fields["code"]: Printed(Decimal(e.fields["value"]), e.fields.get("decimals", 1))
            for e in entries
            if e.model == "evidence.printedfigure"
            and e.fields["review"] == [slug]
            and "value" in e.fields
        }
        return plan_reconstruction(figures, review.get("n_patients"), review.get("n_articles"))

    def write_report(self, plan: Plan) -> None:
        for code, (count, denominator) in plan.counts.items():
            self.stdout.write(
                f"  {code:24} {count}/{denominator}, missing in {plan.patients - denominator}"
            )
        sexed = plan.females + plan.males
        self.stdout.write(
            f"  {'sex_ratio':24} {plan.females}:{plan.males}, missing in {plan.patients - sexed}"
        )
        self.stdout.write(
            f"  {'age':24} known in {plan.aged}, missing in {plan.patients - plan.aged}"
        )

"""What outcomes are measured by."""

from decimal import Decimal

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from .base import one_of
from .choices import Better, Domain, FindingKind, KnownMeasure
from .constraints import CheckConstraint
from .reference import Term
from .spellings import find_term

# Fields of a group's finding that hold values of what was measured, and no changes or differences.
# A single value is one in findings of these kinds alone, and so are the ends of an interquartile
# range.
LEVELS = ("baseline", "followup")
VALUE_KINDS = {
    FindingKind.MEDIAN_IQR: ("value", "iqr_low", "iqr_high"),
    FindingKind.SCORE: ("value",),
}
NAMED = 3  # records named in a message
AS_SYNONYM = "Keep the label, and add the other name to the synonyms."


class Measure(Term):
    """An instrument, or what else an outcome is measured by. Outcomes name it by its label.

    `standard` tells an instrument that many sources use from words of one source.
    """

    domain = models.CharField(
        max_length=8, choices=Domain.choices, blank=True, help_text="Empty: no single one."
    )
    unit = models.CharField(max_length=40, blank=True)
    low = models.DecimalField(
        "lowest value",
        max_digits=9,
        decimal_places=3,
        null=True,
        blank=True,
        help_text="As the instrument defines it. Values below are refused. Empty: no limit.",
    )
    high = models.DecimalField(
        "highest value",
        max_digits=9,
        decimal_places=3,
        null=True,
        blank=True,
        help_text="As the instrument defines it. Values above are refused. Empty: no limit.",
    )
    better = models.CharField(
        max_length=8, choices=Better.choices, blank=True, help_text="Empty: neither, or not known."
    )
    standard = models.BooleanField(
        default=False,
        help_text="An instrument that many sources use. Off: words of one source.",
    )

    class Meta(Term.Meta):
        constraints = [
            one_of("domain", Domain, blank=True),
            one_of("better", Better, blank=True),
            CheckConstraint(
                name="measure_range_ordered",
                condition=Q(low__isnull=True) | Q(high__isnull=True) | Q(low__lte=F("high")),
                violation_error_message="The range ends below its beginning.",
            ),
        ]

    @property
    def range_in_words(self) -> str:
        """“between 0 and 51”; empty without limits."""
        if self.low is not None and self.high is not None:
            return f"between {number_text(self.low)} and {number_text(self.high)}"
        if self.low is not None:
            return f"at least {number_text(self.low)}"
        return "" if self.high is None else f"at most {number_text(self.high)}"

    def range_error(self, value: Decimal | None) -> str:
        """What is wrong with a value, in a sentence; nothing where it is empty, no number, or in
        the range.
        """
        if not isinstance(value, Decimal | int | float) or not (
            (self.low is not None and value < self.low)
            or (self.high is not None and value > self.high)
        ):
            return ""
        return f"{self.label} is {self.range_in_words}; {number_text(value)} is not."

    def range_errors(self, record: models.Model, fields: tuple[str, ...]) -> dict[str, str]:
        """What is wrong with values of a record, by field."""
        errors = {name: self.range_error(getattr(record, name)) for name in fields}
        return {name: error for name, error in errors.items() if error}

    def misfits(self, domain: str, unit: str) -> dict[str, str]:
        """What of an outcome does not go with this measure, by field: another domain than its own,
        or another unit, to which its range does not apply.
        """
        wrong = {}
        if self.domain and domain and domain != self.domain:
            wrong["domain"] = f"{self.label} is of the domain {self.get_domain_display().lower()}."
        own = self.unit.casefold()
        if own and unit and unit.casefold() not in (own, own.split()[0]):
            wrong["unit"] = (
                f"{self.label} is in {self.unit}. Leave the unit empty, or choose another measure."
            )
        return wrong

    def outside(self, *fields: str) -> Q:
        """Records with one of these values outside the range, as a condition."""
        condition = Q(pk__in=[])
        for name in fields:
            if self.low is not None:
                condition |= Q(**{f"{name}__lt": self.low})
            if self.high is not None:
                condition |= Q(**{f"{name}__gt": self.high})
        return condition

    def records_outside(self) -> list[models.Model]:
        """Outcomes and findings by this measure with a value outside its range."""
        outcomes = self.outcomes.filter(self.outside(*LEVELS))
        condition = self.outside(*LEVELS)
        for kind, fields in VALUE_KINDS.items():
            condition |= Q(kind=kind) & self.outside(*fields)
        return [
            *outcomes.select_related("treatment__patient", "treatment__inhibitor"),
            *self.findings().filter(condition).select_related("group__study"),
        ]

    def findings(self) -> models.QuerySet:
        """Findings of groups that name this measure. They hold its label as a text, because
        findings count other things as well, such as deaths.
        """
        return apps.get_model("evidence", "GroupFinding").objects.filter(measure=self.label)

    def uses(self) -> list[models.Model]:
        return [*super().uses(), *self.findings().select_related("group__study")]

    def clean(self):
        super().clean()
        self.refuse_renaming()
        if self.pk and (outside := self.records_outside()):
            named = "; ".join(map(str, outside[:NAMED])) + ("; …" if len(outside) > NAMED else "")
            field = "low" if self.high is None else "high"
            values = f"Values of {len(outside)} records lie" if len(outside) > 1 else "A value lies"
            raise ValidationError({field: f"{values} outside this range: {named}."})

    def refuse_renaming(self) -> None:
        """Raises ValidationError where the label is another than the one records or rules know the
        measure by.
        """
        known = KnownMeasure(self.code).label if self.code in KnownMeasure.values else self.label
        if self.label != known:
            raise ValidationError(
                {"label": f"Rules and charts know this measure as “{known}”. {AS_SYNONYM}"}
            )
        before = self.stored()
        if before is None or before.label == self.label:
            return
        if before.outcomes.exists() or before.findings().exists():
            raise ValidationError(
                {"label": f"Records name this measure “{before.label}”. {AS_SYNONYM}"}
            )

    def save(self, *args, **kwargs):
        """Raises ValidationError where a measure that records name would be renamed."""
        self.refuse_renaming()
        super().save(*args, **kwargs)


def known_measure(text: str) -> Measure | None:
    """The measure a word means, by any of its spellings."""
    return find_term(Measure, text) if text else None


def number_text(value: Decimal) -> str:
    """12 for 12.000."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text

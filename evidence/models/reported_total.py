"""What a source prints of its patients together, to be compared with the single patients."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from .base import Keyed, KeyedQuerySet, one_of, range_constraint
from .choices import Reported, Statistic
from .constraints import CheckConstraint, UniqueConstraint
from .measure import Measure
from .reference import Autoantibody, Indication, JAKInhibitor, Manifestation
from .study import Study

# The field that names a term, and of which quantities it does.
TERM_OF = {
    "manifestation": (Reported.MANIFESTATION.value,),
    "autoantibody": (Reported.AUTOANTIBODY.value,),
    "inhibitor": (Reported.INHIBITOR.value,),
    "indication": (Reported.INDICATION.value,),
    "measure": (Reported.BASELINE.value, Reported.FOLLOWUP.value),
}
A_WHOLE_NUMBER = "A number of patients is a whole number."


def term_field(model: type[models.Model]) -> models.ForeignKey:
    return models.ForeignKey(
        model, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )


def term_is_named(name: str) -> CheckConstraint:
    """A term is named of these quantities, and of no other."""
    quantities = list(TERM_OF[name])
    labels = " or ".join(f"“{Reported(one).label}”" for one in quantities)
    return CheckConstraint(
        name=f"reportedtotal_{name}_named",
        condition=Q(quantity__in=quantities, **{f"{name}__isnull": False})
        | (~Q(quantity__in=quantities) & Q(**{f"{name}__isnull": True})),
        violation_error_message=f"{labels} names the {name}, and nothing else does.",
    )


class ReportedTotal(Keyed):
    """One number a source prints of all its patients, or of `of_n` of them. It is compared with
    what the single patients give, and never changes them.
    """

    KEY = ("study__collection__slug", "study__slug", "number")
    PART_OF = ("study",)

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="reported_totals")
    number = models.PositiveSmallIntegerField(default=1)
    quantity = models.CharField("of what", max_length=20, choices=Reported.choices)
    statistic = models.CharField(max_length=8, choices=Statistic.choices)
    value = models.DecimalField("printed", max_digits=9, decimal_places=3)
    of_n = models.PositiveIntegerField(
        "of N", null=True, blank=True, help_text="The number of patients printed with it."
    )
    manifestation = term_field(Manifestation)
    autoantibody = term_field(Autoantibody)
    inhibitor = term_field(JAKInhibitor)
    indication = term_field(Indication)
    measure = term_field(Measure)
    at_months = models.DecimalField(
        "assessed at (month)", max_digits=6, decimal_places=1, null=True, blank=True
    )
    decimals = models.PositiveSmallIntegerField(
        "printed decimals",
        null=True,
        blank=True,
        help_text="Digits after the point where the last are zeros: 24.0 has 1. Empty: as many as "
        "the number has.",
    )
    spread = models.CharField("SD or range, as printed", max_length=60, blank=True)
    locator = models.CharField("place", max_length=120, blank=True, help_text="Abstract; table 2.")
    note = models.TextField(blank=True)

    objects = KeyedQuerySet.as_manager()

    class Meta:
        ordering = ["study", "number"]
        verbose_name = "total of the paper"
        verbose_name_plural = "totals of the paper"
        constraints = [
            UniqueConstraint(
                fields=["study", "number"],
                name="reportedtotal_number_once_per_study",
                violation_error_message="This study already has a total with this number.",
            ),
            one_of("quantity", Reported),
            one_of("statistic", Statistic),
            *map(term_is_named, TERM_OF),
            CheckConstraint(
                name="reportedtotal_statistic_fits",
                condition=Q(
                    quantity__in=Reported.measured(),
                    statistic__in=["mean", "median", "minimum", "maximum"],
                )
                | (~Q(quantity__in=Reported.measured()) & Q(statistic__in=Statistic.of_counts())),
                violation_error_message="Patients are counted, as a number or a percentage; ages, "
                "durations and measures have a mean, a median, a lowest or a highest.",
            ),
            CheckConstraint(
                name="reportedtotal_month_of_followup",
                condition=Q(at_months__isnull=True) | Q(quantity=Reported.FOLLOWUP),
                violation_error_message="Only a measure at follow-up is assessed at a month.",
            ),
            range_constraint("at_months", 0, 1200, "A month is between 0 and 1200."),
            CheckConstraint(
                name="reportedtotal_count_within_n",
                condition=~Q(statistic=Statistic.COUNT)
                | Q(of_n__isnull=True)
                | Q(value__lte=F("of_n")),
                violation_error_message="The number is larger than the patients it is of.",
            ),
            CheckConstraint(
                name="reportedtotal_counts_range",
                condition=~Q(statistic__in=Statistic.of_counts()) | Q(value__gte=0),
                violation_error_message="No number of patients is below 0.",
            ),
            CheckConstraint(
                name="reportedtotal_percent_range",
                condition=~Q(statistic=Statistic.PERCENT) | Q(value__lte=100),
                violation_error_message="A percentage is between 0 and 100.",
            ),
            CheckConstraint(
                name="reportedtotal_of_somebody",
                condition=Q(of_n__isnull=True) | Q(of_n__gte=1),
                violation_error_message="A total is of at least one patient; leave N empty if it "
                "is not printed.",
            ),
            range_constraint("decimals", 0, 3, "A number is printed with up to 3 decimals."),
        ]

    def __str__(self) -> str:
        return f"{self.study}: {self.get_statistic_display()}, {self.get_quantity_display()}"

    def clean(self):
        is_count = self.statistic == Statistic.COUNT
        if is_count and self.value is not None and self.value % 1:
            raise ValidationError({"value": A_WHOLE_NUMBER})

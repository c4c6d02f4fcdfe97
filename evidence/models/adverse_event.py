"""Adverse events: events, not patients."""

from django.core.exceptions import ValidationError
from django.db import models

from .base import Keyed, KeyedQuerySet, one_of, range_constraint
from .choices import Ascertainment, YesNo
from .constraints import UniqueConstraint
from .reference import AdverseEventCategory


class AdverseEventQuerySet(KeyedQuerySet):
    def under(self, treatments):
        """Adverse events under these treatments."""
        return self.filter(treatment__in=treatments.order_by().values("pk"))


class AdverseEvent(Keyed):
    """One adverse event under one treatment, in one category. A second event in one patient is no
    second patient.
    """

    KEY = ("treatment__patient__slug", "treatment__number", "number")
    PART_OF = ("treatment",)

    treatment = models.ForeignKey("Treatment", on_delete=models.CASCADE, related_name="events")
    number = models.PositiveSmallIntegerField(default=1)
    category = models.ForeignKey(
        AdverseEventCategory, on_delete=models.PROTECT, related_name="events"
    )
    description = models.CharField("as described", max_length=200, blank=True)
    grade = models.PositiveSmallIntegerField(
        "CTCAE grade",
        null=True,
        blank=True,
        help_text="1 to 5, where the source grades it. Severe is not serious.",
    )
    serious = models.CharField(
        max_length=7,
        choices=YesNo.choices,
        default=YesNo.UNKNOWN,
        help_text="Regulatory seriousness, not severity.",
    )
    onset_months = models.DecimalField(
        "onset (month)", max_digits=5, decimal_places=1, null=True, blank=True
    )
    led_to_stop = models.CharField(
        "led to stopping", max_length=7, choices=YesNo.choices, default=YesNo.UNKNOWN
    )

    objects = AdverseEventQuerySet.as_manager()

    class Meta:
        ordering = ["treatment", "number"]
        constraints = [
            UniqueConstraint(
                fields=["treatment", "number"],
                name="event_number_once_per_treatment",
                violation_error_message="This course already has an adverse event with this "
                "number.",
            ),
            one_of("serious", YesNo),
            one_of("led_to_stop", YesNo),
            range_constraint("grade", 1, 5, "A CTCAE grade is between 1 and 5."),
            range_constraint("onset_months", 0, 1200, "Onset is between month 0 and month 1200."),
        ]

    def __str__(self) -> str:
        return f"{self.treatment}: {self.description or self.category}"

    def clean(self):
        if self.treatment_id and self.treatment.adverse_events != Ascertainment.EVENTS:
            raise ValidationError(
                {
                    "treatment": "This course says "
                    f"“{self.treatment.get_adverse_events_display()}”; change that first."
                }
            )

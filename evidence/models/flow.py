"""How studies came to be included, step by step, in a review or in a collection."""

from django.db import models
from django.db.models import Q

from .base import Keyed, KeyedQuerySet, one_of
from .choices import Stage
from .constraints import CheckConstraint, UniqueConstraint
from .history import ChangeHistory
from .review import Review
from .study import Collection


class FlowStep(Keyed):
    """One box of a PRISMA flow diagram. A number that is not known stays empty, and the box says
    so.
    """

    KEY = ("review__slug", "collection__slug", "stage", "reason")

    review = models.ForeignKey(
        Review, null=True, blank=True, on_delete=models.CASCADE, related_name="flow"
    )
    collection = models.ForeignKey(
        Collection, null=True, blank=True, on_delete=models.CASCADE, related_name="flow"
    )
    stage = models.CharField(max_length=20, choices=Stage.choices)
    reason = models.CharField(
        max_length=120, blank=True, help_text="Why excluded, or from which source identified."
    )
    studies = models.PositiveIntegerField(
        "records or studies", null=True, blank=True, help_text="Empty: not known."
    )
    patients = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: not known.")
    note = models.CharField(max_length=250, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    objects = KeyedQuerySet.as_manager()
    history = ChangeHistory()

    class Meta:
        ordering = ["review", "collection", "position", "pk"]
        constraints = [
            one_of("stage", Stage),
            *(
                UniqueConstraint(
                    fields=[owner, "stage", "reason"],
                    name=f"flow_step_once_per_{owner}",
                    violation_error_message="This flow already has this step with this reason.",
                )
                for owner in ("review", "collection")
            ),
            CheckConstraint(
                name="flow_step_one_owner",
                condition=Q(review__isnull=True, collection__isnull=False)
                | Q(review__isnull=False, collection__isnull=True),
                violation_error_message="A step belongs to one review or to one collection.",
            ),
        ]

    def natural_key(self) -> tuple:
        owners = (self.review and self.review.slug, self.collection and self.collection.slug)
        return (*owners, self.stage, self.reason)

    def __str__(self) -> str:
        return (
            f"{self.review or self.collection}: "
            f"{self.get_stage_display()}{f' ({self.reason})' if self.reason else ''}"
        )

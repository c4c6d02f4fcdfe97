"""What readers suggest to correct. No evidence: in no file, page, dump or version of the data."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from .base import one_of
from .choices import SuggestionStage
from .constraints import CheckConstraint
from .study import Collection

MOST_PROPOSED, MOST_PASSAGE, MOST_CONTACT = 500, 2_000, 200  # characters
# Unanswered ones from which no more are taken: somebody floods the form, or nobody reads it.
MOST_WAITING = 1_000


class Suggestion(models.Model):
    """A correction of one value, or of one record, that a reader suggests.

    `record` and `key` are the label and the natural key of the record, as documents have them;
    `field` is the column, empty where the whole record is meant. `current` is what the page said
    then. `contact` is for the answer alone.
    """

    collection = models.ForeignKey(
        Collection, on_delete=models.PROTECT, related_name="suggestions", editable=False
    )
    study = models.SlugField(max_length=80, editable=False)
    record = models.CharField(max_length=40, editable=False)
    key = models.JSONField(editable=False)
    field = models.CharField(max_length=60, blank=True, editable=False)
    label = models.CharField("value", max_length=200, editable=False)
    current = models.TextField("what the page said", blank=True, editable=False)
    proposed = models.CharField("proposed value", max_length=MOST_PROPOSED)
    passage = models.TextField("passage of the paper", max_length=MOST_PASSAGE)
    contact = models.EmailField("contact address", max_length=MOST_CONTACT, blank=True)
    at = models.DateTimeField("sent")
    stage = models.CharField(
        max_length=8, choices=SuggestionStage.choices, default=SuggestionStage.NEW
    )
    answer = models.TextField(blank=True, help_text="Why; for curators, and for whoever asked.")
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        verbose_name = "suggestion of a reader"
        verbose_name_plural = "suggestions of readers"
        constraints = [
            one_of("stage", SuggestionStage),
            CheckConstraint(
                name="suggestion_answered_once",
                condition=Q(stage=SuggestionStage.NEW, answered_at__isnull=True)
                | (~Q(stage=SuggestionStage.NEW) & Q(answered_at__isnull=False)),
                violation_error_message="A suggestion is answered when it is accepted or declined, "
                "and not before.",
            ),
            CheckConstraint(
                name="suggestion_declined_with_answer",
                condition=~Q(stage=SuggestionStage.DECLINED) | ~Q(answer=""),
                violation_error_message="Say why the suggestion is declined.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.study}: {self.label}"

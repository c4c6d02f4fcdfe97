"""What a second person said of single values of a study, or entered of them without seeing them."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from .base import one_of
from .constraints import CheckConstraint, UniqueConstraint
from .draft import StudyDraft, StudyVersion

CELLS_STAY = "What somebody said of a value is never changed or deleted."


class NeverChanged(models.Model):
    """A record that is written once. The database holds it too (`checking_guards.py`)."""

    class Meta:
        abstract = True

    def save(self, *args, **kwargs):
        """Raises ValidationError for a record that has been kept."""
        if not self._state.adding:
            raise ValidationError(CELLS_STAY)
        super().save(*args, **kwargs)

    def delete(self, *args, **kwargs):
        raise ValidationError(CELLS_STAY)


class CheckedCell(NeverChanged):
    """That one person, who wrote none of it, has compared one cell of a version with the source:
    that it agrees, or what is wrong with it.

    `record` and `key` are the label and the natural key of the record, as documents have them;
    `field` is the column of the workbook. It speaks of what the cell said then, whose SHA-256 is
    `digest`: it stays while the cell says so, and says nothing of a cell that has changed.
    """

    version = models.ForeignKey(
        StudyVersion, on_delete=models.PROTECT, related_name="checked_cells"
    )
    record = models.CharField(max_length=40)
    key = models.JSONField()
    field = models.CharField(max_length=60)
    digest = models.CharField(max_length=64)
    agrees = models.BooleanField()
    remark = models.TextField(blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    user_name = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            CheckConstraint(
                name="checkedcell_wrong_says_why",
                condition=Q(agrees=True) | ~Q(remark=""),
                violation_error_message="Say what is wrong with the value.",
            ),
        ]

    def __str__(self) -> str:
        said = "agrees" if self.agrees else f"wrong: {self.remark}"
        return f"{self.version}: {' / '.join(map(str, self.key))} {self.field} {said}"


ENTRY_STAYS = "A second entry that is finished is never changed, and none is ever deleted."
WROTE_IT = "Who has written a version of a study has seen it, and cannot enter it a second time."


class SecondEntry(models.Model):
    """What one person, who wrote no version of a study, entered of it without seeing the first
    entry: the values the headline figures rest on.

    `content` has the texts by course and field. When it is finished, `comparison` says of each cell
    what the first entry said then, in `version`, what the second did, and whether it is the same;
    neither is changed by what is mended later.
    """

    draft = models.ForeignKey(StudyDraft, on_delete=models.PROTECT, related_name="second_entries")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    user_name = models.CharField(max_length=150)
    begun_at = models.DateTimeField()
    content = models.JSONField(default=dict)
    finished_at = models.DateTimeField(null=True)
    version = models.ForeignKey(StudyVersion, null=True, on_delete=models.PROTECT, related_name="+")
    comparison = models.JSONField(default=list)

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "second entries"
        constraints = [
            UniqueConstraint(
                fields=["draft", "user_name"],
                name="secondentry_once_per_person",
                violation_error_message="This person has entered this study a second time already.",
            ),
            CheckConstraint(
                name="secondentry_finished_is_compared",
                condition=Q(finished_at__isnull=True, version__isnull=True)
                | Q(finished_at__isnull=False, version__isnull=False),
                violation_error_message="A second entry is compared with a version when it is "
                "finished, and not before.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.draft}: second entry by {self.user_name}"

    def delete(self, *args, **kwargs):
        raise ValidationError(ENTRY_STAYS)

    @property
    def differences(self) -> list[dict]:
        """What the two entries say differently. What the second person did not enter is none."""
        return [one for one in self.comparison if one["second"] and not one["same"]]


class Choice(models.TextChoices):
    """Which of two entries holds."""

    FIRST = "first", "First"
    SECOND = "second", "Second"
    OTHER = "other", "Another"


class Judgement(NeverChanged):
    """How a difference between the first and the second entry of one value was decided: which
    holds, why, and who says so. `value` is what the cell says from then on.
    """

    entry = models.ForeignKey(SecondEntry, on_delete=models.PROTECT, related_name="judgements")
    row = models.CharField("course", max_length=120)
    field = models.CharField(max_length=60)
    chosen = models.CharField(max_length=6, choices=Choice.choices)
    value = models.TextField(blank=True)
    reason = models.TextField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    user_name = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            UniqueConstraint(
                fields=["entry", "row", "field"],
                name="judgement_once_per_value",
                violation_error_message="This difference is decided already.",
            ),
            one_of("chosen", Choice),
            CheckConstraint(
                name="judgement_says_why",
                condition=~Q(reason=""),
                violation_error_message="Say why this value holds.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.entry}: {self.row} {self.field}: {self.get_chosen_display().lower()}"

"""What a second person said of single values of a study."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from .constraints import CheckConstraint
from .draft import StudyVersion

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

"""The version of the data, and what the fixtures last loaded."""

from django.db import models
from django.db.models import F
from django.utils import timezone

from .base import Keyed


class DataVersion(models.Model):
    """One row, whose number rises in the same transaction as any change to the evidence. Freshness hangs on it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.PositiveBigIntegerField(default=0)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.CheckConstraint(name="dataversion_one_row", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return f"data version {self.number}"

    @classmethod
    def current(cls) -> "DataVersion":
        """The version now; a database that holds nothing yet has version 0."""
        return cls.objects.first() or cls(number=0)

    @classmethod
    def bump(cls) -> None:
        """Raises the number. Call it inside the transaction that writes."""
        if not cls.objects.filter(pk=1).update(number=F("number") + 1, changed_at=timezone.now()):
            cls.objects.create(pk=1, number=1)


class LoadedRecord(models.Model):
    """What `load_evidence` last wrote for one fixture record; tells a curator's edit from a changed fixture."""

    model = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["model", "key"]
        constraints = [models.UniqueConstraint(fields=["model", "key"], name="loaded_once")]

    def __str__(self) -> str:
        return f"{self.model} {self.key}"


def bump_on_write(sender, **kwargs):
    """Signal receiver: any written record of the evidence makes a new data version."""
    if issubclass(sender, Keyed) or getattr(sender._meta, "auto_created", False):
        DataVersion.bump()

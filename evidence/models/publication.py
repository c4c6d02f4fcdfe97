"""What holds of a record once readers have seen it: its address stays its own, and what is
withdrawn says why and where it went.

The database holds the same by constraints and by triggers (`guards.py`). Ids of simulated records
are drawn with them and drawn anew, so that addresses stay is a rule of published collections alone.
"""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, ProtectedError, Q
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from .base import Keyed
from .choices import State
from .constraints import CheckConstraint

# The states of a record that readers see, or saw: none of them leads back to a draft.
ONCE_PUBLISHED = (State.PUBLISHED.value, State.WITHDRAWN.value)

SLUG_STAYS = "The public id of a published record never changes: people cite it."
COURSE_STAYS = "A published course keeps its patient and its number: files name it by them."
PLACE_STAYS = "A published record stays in its collection, under a study that was published too."
NO_DRAFT_AGAIN = "What was published never becomes a draft again; withdraw it instead."
NEVER_SEEN = "Readers never saw it, so there is nothing to withdraw: keep it a draft or remove it."
NOT_DELETED = "What was published is not deleted, since its address stays; withdraw it instead."


def state_field() -> models.CharField:
    """The publication state; its constraint is `one_of("state", State)`."""
    return models.CharField(
        "publication state", max_length=10, choices=State.choices, default=State.DRAFT
    )


def withdrawal_reason_field() -> models.TextField:
    return models.TextField(
        blank=True, help_text="Shown to readers at the address of a withdrawn record."
    )


def replaced_by_field() -> models.ForeignKey:
    return models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="replaces",
        help_text="Of a withdrawn record: the one that readers are led to instead.",
    )


def withdrawal_constraints() -> list[CheckConstraint]:
    """What the fields above have to agree in."""
    return [
        CheckConstraint(
            name="%(class)s_withdrawn_has_reason",
            condition=~Q(state=State.WITHDRAWN) | ~Q(withdrawal_reason=""),
            violation_error_message="A withdrawn record needs the reason that readers are told.",
        ),
        CheckConstraint(
            name="%(class)s_replaced_where_withdrawn",
            condition=Q(replaced_by__isnull=True) | Q(state=State.WITHDRAWN),
            violation_error_message="Only a withdrawn record is replaced by another.",
        ),
        CheckConstraint(
            name="%(class)s_not_replaced_by_itself",
            condition=Q(replaced_by__isnull=True) | ~Q(replaced_by=F("pk")),
            violation_error_message="A record cannot be replaced by itself.",
        ),
    ]


class PublicRecord(Keyed):
    """A record with an address of its own: a study, or a patient."""

    class Meta:
        abstract = True

    # Set for a record that the files of a collection call withdrawn: readers saw it elsewhere, or
    # in this database before it was made anew.
    seen_elsewhere = False

    @property
    def was_seen(self) -> bool:
        """Whether readers see the record, or saw it before it was withdrawn."""
        raise NotImplementedError

    @property
    def was_published(self) -> bool:
        """The same in a published collection, whose addresses stay."""
        raise NotImplementedError

    @property
    def is_withdrawn(self) -> bool:
        return self.state == State.WITHDRAWN

    def publication_errors(self) -> dict[str, str]:
        """What would break a public address, by field."""
        stored, errors = self.stored(), {}
        seen = self.seen_elsewhere or (stored is not None and stored.was_seen)
        if self.is_withdrawn and not seen:
            errors["state"] = NEVER_SEEN
        if stored is None or not stored.was_published:
            return errors
        if self.slug != stored.slug:
            errors["slug"] = SLUG_STAYS
        if self.state == State.DRAFT:
            errors["state"] = NO_DRAFT_AGAIN
        return errors

    def successor(self) -> "PublicRecord | None":
        """What readers of a withdrawn record are led to: the record that replaced it, or the one
        that replaced that. None where there is none that they see.
        """
        record, seen = self.replaced_by, {self.pk}
        visible = type(self).objects.published().values("pk")
        while record is not None and record.pk not in seen:
            if type(self).objects.filter(pk=record.pk, pk__in=visible).exists():
                return record
            seen.add(record.pk)
            record = record.replaced_by
        return None


@receiver(pre_delete)
def published_records_stay(sender, instance, **kwargs):
    """A record that readers have seen cannot be deleted: its address would say nothing."""
    if isinstance(instance, PublicRecord) and instance.was_published:
        raise ProtectedError(f"{instance}: {NOT_DELETED}", {instance})


def raise_errors(errors: dict[str, str]) -> None:
    """Raises ValidationError if there are any."""
    if errors:
        raise ValidationError(errors)

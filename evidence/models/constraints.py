"""The rules a table holds, whose messages curators read."""

from django.db import models


class PlainMessage:
    """A constraint whose message is shown as it is written.

    Django's own takes it for a format, so that “50 %” in it breaks the form instead of being read.
    Migrations know the constraint as Django's: what the message is makes no difference to them.
    """

    def get_violation_error_message(self) -> str:
        if self.violation_error_message == self.default_violation_error_message:
            return super().get_violation_error_message()  # which names the constraint
        return self.violation_error_message

    def deconstruct(self):
        _, args, kwargs = super().deconstruct()
        return f"django.db.models.{type(self).__name__}", args, kwargs


class CheckConstraint(PlainMessage, models.CheckConstraint):
    """A rule on single records."""


class UniqueConstraint(PlainMessage, models.UniqueConstraint):
    """A rule that no two records have the same values."""

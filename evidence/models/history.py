"""Who changed a drug, a vocabulary, a review or a collection: when, and what it said before.

By django-simple-history: a table beside each, written with the record and read in the admin alone.
It is no evidence: it makes no data version, and stands in no file, hash or dump. What belongs to a
study has its history in the versions of the study (`draft.py`).
"""

from django.db.models.signals import pre_save
from simple_history.models import HistoricalRecords

FOUND = "As found before the first change that was noted."


class ChangeHistory(HistoricalRecords):
    """Notes what a record says whenever that has changed, and nothing when it has not."""

    def finalize(self, sender, **kwargs):
        super().finalize(sender, **kwargs)
        if sender is self.cls or (self.inherit and issubclass(sender, self.cls)):
            pre_save.connect(self.note_found, sender=sender, weak=False)

    def get_extra_fields(self, model, fields):
        words = f"What one {model._meta.verbose_name} said at one time, and who made it say so."
        return super().get_extra_fields(model, fields) | {"__doc__": words}

    def notes_of(self, record):
        """What a record said, the newest first."""
        return getattr(type(record), self.manager_name).filter(
            **{record._meta.pk.attname: record.pk}
        )

    def note_found(self, sender, instance, raw=False, **kwargs):
        """Before a record without a history is changed, what it said is noted: it was there before
        there were histories, or was written by a way that notes nothing.
        """
        if raw or instance.pk is None or self.notes_of(instance).exists():
            return
        stored = sender._default_manager.filter(pk=instance.pk).first()
        if stored is not None:
            stored._history_user, stored._change_reason = None, FOUND
            self.create_historical_record(stored, "~")

    def post_save(self, instance, created, using=None, **kwargs):
        if created or not self.is_noted(instance):
            super().post_save(instance, created, using=using, **kwargs)

    def is_noted(self, record) -> bool:
        """Whether the newest note of a record has all its values."""
        newest = self.notes_of(record).first()
        return newest is not None and all(
            getattr(newest, field.attname) == getattr(record, field.attname)
            for field in self.fields_included(record)
        )

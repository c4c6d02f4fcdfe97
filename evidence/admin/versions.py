"""Every save of a study's record in an ordinary form writes a version of the study."""

from ..curation.documents import PARTS
from ..curation.drafts import Author, note_study
from ..models import Door, Study
from ..models.base import Keyed


def study_of(record: Keyed) -> Study:
    """The study a record is part of."""
    path = PARTS[type(record)]
    for step in [] if path == "pk" else path.split("__"):
        record = getattr(record, step)
    return record


class VersionedAdmin:
    """A form of a study's record. What stood there before is a version too, so that nothing entered
    by another way is lost to the history.
    """

    def save_model(self, request, obj, form, change):
        stored = type(obj).objects.filter(pk=obj.pk).first() if change else None
        if stored:  # a deleted record that is restored is not
            note_found(stored)
        super().save_model(request, obj, form, change)

    def log_addition(self, request, obj, message):
        note_saved(request, obj, f"Added: {obj}.")
        return super().log_addition(request, obj, message)

    def log_change(self, request, obj, message):
        note_saved(request, obj, f"Changed: {obj}.")
        return super().log_change(request, obj, message)

    def delete_model(self, request, obj):
        study, words = study_of(obj), str(obj)
        note_found(obj)
        super().delete_model(request, obj)
        note_deleted(request, study, words)

    def delete_queryset(self, request, queryset):
        for obj in queryset:
            self.delete_model(request, obj)


def note_found(record: Keyed) -> None:
    note_study(study_of(record), Author(door=Door.FOUND), "As found in the tables.")


def note_saved(request, record: Keyed, message: str) -> None:
    note_study(study_of(record), Author(request.user, Door.ADMIN), message)


def note_deleted(request, study: Study, words: str) -> None:
    """A study that is deleted itself takes no further version; its versions stay."""
    if Study.objects.filter(pk=study.pk).exists():
        note_study(study, Author(request.user, Door.ADMIN), f"Deleted: {words}.")

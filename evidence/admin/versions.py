"""Every save of a study's record in an ordinary form writes a version of the study."""

from collections.abc import Iterable
from contextlib import suppress

from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist
from django.forms import BaseForm
from django.urls import reverse

from ..curation.cell_states import ticked, unstated_cells, with_ticks_settled
from ..curation.documents import Document, differences, read_document, study_record
from ..curation.drafts import Author, content_of, note_study
from ..models import Door, Patient, Study, StudyDraft, StudyVersion
from ..models.base import Keyed
from ..models.choices import Extraction
from ..models.draft import FOUND_MESSAGE
from ..models.publication import ONCE_PUBLISHED
from ..models.study_parts import needs_two_people, study_of
from ..summaries.shares import listed
from .blind import Unseen

DELETED_ELSEWHERE = "two people publish in its collection; change or withdraw it as study in work"
NEEDS_PERMISSION = (
    "Readers see this study, so changing it here needs the permission to publish. An import "
    "changes its study in work instead, for somebody to publish."
)
ASKED = "asked_to_delete"  # in a session: versions of studies, by their drafts
NAMED = 5  # cells or patients in a message, at most


class PublishingForm(BaseForm):
    """The form of a record that readers see, or would see once it is saved: changing that needs the
    permission to publish. The class that `VersionedAdmin.get_form` makes says who has it.
    """

    may_publish = False

    def _post_clean(self):
        super()._post_clean()
        if self.may_publish:
            return
        if getattr(self.instance, "state", None) in ONCE_PUBLISHED:
            self.add_error("state", NEEDS_PERMISSION)
            return
        with suppress(ObjectDoesNotExist, AttributeError):  # not complete yet
            if study_of(self.instance).was_seen:
                self.add_error(None, NEEDS_PERMISSION)


class VersionedAdmin(Unseen):
    """A form of a study's record. What stood there before is a version too, so that nothing entered
    by another way is lost to the history. What readers see is changed only by somebody who may
    publish; an import changes a study in work.

    A save that leaves more core cells of a patient empty than before takes the patient's tick
    “every empty field was looked for” off: it spoke of what was empty when it was set.
    """

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (PublishingForm, form), {"may_publish": may_publish(request)})

    def has_change_permission(self, request, obj=None):
        return (
            super().has_change_permission(request, obj)
            and not needs_two_people(obj)
            and not is_held_back(request, obj)
        )

    def has_delete_permission(self, request, obj=None):
        return (
            super().has_delete_permission(request, obj)
            and not needs_two_people(obj)
            and not is_held_back(request, obj)
        )

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        if obj is not None and needs_two_people(obj):
            study = study_of(obj)
            draft = StudyDraft.objects.filter(collection=study.collection_id, slug=study.slug)
            context["worked_on_at"] = (
                reverse("admin:evidence_studydraft_change", args=[draft.get().pk])
                if draft.exists()
                else reverse("admin:evidence_studydraft_changelist")
            )
        elif super().has_change_permission(request, obj) and is_held_back(request, obj):
            context["held_back"] = NEEDS_PERMISSION
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_deleted_objects(self, objs, request):
        """Shows what two people publish, and what others have changed since somebody was asked
        whether to delete, as reasons why it is not deleted.
        """
        deleted, counts, permissions, protected = super().get_deleted_objects(objs, request)
        kept = [f"{record}: {DELETED_ELSEWHERE}" for record in objs if needs_two_people(record)]
        if kept:  # where nobody may, it is no permission that somebody lacks
            return deleted, counts, set(), [*protected, *kept]
        return deleted, counts, permissions, [*protected, *changed_since_asked(request, objs)]

    def save_model(self, request, obj, form, change):
        stored = obj.stored() if change else None
        request.study_left = None
        if stored:  # a deleted record that is restored is not
            note_found(stored)
            if study_of(stored) != study_of(obj):
                request.study_left = study_of(stored)
        request.study_before = document_around(obj)
        super().save_model(request, obj, form, change)

    def save_related(self, request, form, formsets, change):
        super().save_related(request, form, formsets, change)
        self.settle_ticks(request, form.instance)
        if request.study_left:
            words = f"{form.instance} moved to {study_of(form.instance)}."
            note_study(request.study_left, Author(request.user, Door.ADMIN), words)

    def settle_ticks(self, request, record: Keyed) -> None:
        """Takes off the ticks that are no longer true, and tells so."""
        study, before = study_of(record), request.study_before
        after = document_around(record)
        settled = with_ticks_settled(before, after)
        request.states_known = settled
        slugs = ticked(after) - ticked(settled)
        unstated = unstated_cells(settled) if slugs else []
        for patient in Patient.objects.filter(study=study, slug__in=slugs).select_related("study"):
            patient.looked_for = False
            patient.settle_study()
            patient.save(update_fields=["looked_for"])
            cells = [cell.label for cell in unstated if cell.patient == patient.slug]
            self.message_user(
                request,
                f"The tick “every empty field was looked for” is taken off {patient}, because "
                f"more is empty now than when it was set: {listed(cells, NAMED)}. What "
                "is empty reads “not extracted” until the tick is set again and the study is "
                "said to be read in full.",
                messages.WARNING,
            )
        self.settle_rest(request, study.pk, before, settled)

    def settle_rest(self, request, study_pk: int, before: Document, after: Document) -> None:
        """The same of the study's own fields and its groups, for which there is no tick: where more
        of them is empty than before, the study counts as read in part.
        """
        if not before or study_record(before)["fields"].get("extraction") != Extraction.FULL_TEXT:
            return
        cells = [cell.label for cell in unstated_cells(after, before) if not cell.patient]
        study = Study.objects.get(pk=study_pk)
        if not cells or study.extraction != Extraction.FULL_TEXT:
            return
        study.extraction = Extraction.IN_PART
        study.save(update_fields=["extraction"])
        self.message_user(
            request,
            f"The study {study} now counts as “{Extraction.IN_PART.label}”, because more of it and "
            f"its groups is empty than before: {listed(cells, NAMED)}. Once that was looked for, "
            f"choose “{Extraction.FULL_TEXT.label}” again.",
            messages.WARNING,
        )

    def log_addition(self, request, obj, message):
        note_saved(request, obj, f"Added: {obj}.")
        return super().log_addition(request, obj, message)

    def log_change(self, request, obj, message):
        note_saved(request, obj, f"Changed: {obj}.")
        return super().log_change(request, obj, message)

    def delete_model(self, request, obj):
        study, words = study_of(obj), str(obj)
        note_found(obj)
        request.study_before = document_around(obj)
        super().delete_model(request, obj)
        if Study.objects.filter(pk=study.pk).exists():
            self.settle_ticks(request, study)
        note_deleted(request, study, words)

    def delete_queryset(self, request, queryset):
        for obj in queryset:
            self.delete_model(request, obj)


def may_publish(request) -> bool:
    return request.user.has_perm("evidence.publish_study")


def is_held_back(request, record: Keyed | None) -> bool:
    """Whether readers see a record's study and this user may not change what they see."""
    return record is not None and not may_publish(request) and study_of(record).was_seen


def changed_since_asked(request, records: Iterable[Keyed]) -> list[str]:
    """What others have changed in the studies of records since this user was asked whether to
    delete them; notes what is shown now.
    """
    asked, told = request.session.get(ASKED, {}), []
    for study in {study_of(record) for record in records}:
        version = note_found(study)
        key, number = str(version.draft_id), version.number
        if request.POST.get("post") and asked.get(key) != number:
            shown = version.draft.versions.filter(number=asked.get(key)).first()
            changes = differences(content_of(shown), version.content) if shown else []
            told += [
                f"Changed meanwhile by {version.author_name or 'somebody'}: {change.label}, "
                f"{' → '.join(change.words)}"
                for change in changes
            ] or [f"{study} was changed meanwhile. Look at it again before you delete anything."]
        asked[key] = number
    request.session[ASKED] = asked
    return told


def document_around(record: Keyed) -> Document:
    """What the tables hold of a record's study, with the states of empty cells as they are known;
    nothing of a study that is new.
    """
    study = study_of(record)
    if not study.pk:
        return []
    draft = StudyDraft.objects.filter(collection=study.collection_id, slug=study.slug)
    noted = draft.select_related("published").first()
    return read_document(study, content_of(noted.published) if noted else [])


def note_found(record: Keyed) -> StudyVersion:
    return note_study(study_of(record), Author(door=Door.FOUND), FOUND_MESSAGE)


def note_saved(request, record: Keyed, message: str) -> None:
    states = getattr(request, "states_known", None)
    note_study(study_of(record), Author(request.user, Door.ADMIN), message, states)


def note_deleted(request, study: Study, words: str) -> None:
    """A study that is deleted itself takes no further version; its versions stay."""
    if Study.objects.filter(pk=study.pk).exists():
        author = Author(request.user, Door.ADMIN)
        note_study(study, author, f"Deleted: {words}.", request.states_known)

"""Every save of a study's record in an ordinary form writes a version of the study."""

from django.contrib import messages
from django.urls import reverse

from ..curation.cell_states import ticked, unstated_cells, with_ticks_settled
from ..curation.documents import Document, read_document, study_record
from ..curation.drafts import Author, content_of, note_study
from ..models import Door, Patient, Study, StudyDraft
from ..models.base import Keyed
from ..models.choices import Extraction
from ..models.study_parts import needs_two_people, study_of

DELETED_ELSEWHERE = "two people publish in its collection; change or withdraw it as study in work"
NAMED = 5  # cells or patients in a message, at most


class VersionedAdmin:
    """A form of a study's record. What stood there before is a version too, so that nothing entered
    by another way is lost to the history.

    A save that leaves more core cells of a patient empty than before takes the patient's tick
    “every empty field was looked for” off: it spoke of what was empty when it was set.
    """

    def has_change_permission(self, request, obj=None):
        """Where two people publish, records are only looked at here."""
        return super().has_change_permission(request, obj) and not needs_two_people(obj)

    def has_delete_permission(self, request, obj=None):
        return super().has_delete_permission(request, obj) and not needs_two_people(obj)

    def get_deleted_objects(self, objs, request):
        """Shows what two people publish as the reason why it cannot be deleted."""
        deleted, counts, permissions, protected = super().get_deleted_objects(objs, request)
        kept = [f"{record}: {DELETED_ELSEWHERE}" for record in objs if needs_two_people(record)]
        # Where nobody may, it is no permission that somebody lacks.
        return deleted, counts, set() if kept else permissions, [*protected, *kept]

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        if obj is not None and needs_two_people(obj):
            study = study_of(obj)
            draft = StudyDraft.objects.filter(collection=study.collection_id, slug=study.slug)
            context["worked_on_at"] = (
                reverse("admin:evidence_studydraft_change", args=[draft.get().pk])
                if draft.exists()
                else reverse("admin:evidence_studydraft_changelist")
            )
        return super().render_change_form(request, context, add, change, form_url, obj)

    def save_model(self, request, obj, form, change):
        stored = type(obj).objects.filter(pk=obj.pk).first() if change else None
        if stored:  # a deleted record that is restored is not
            note_found(stored)
        request.study_before = document_around(obj)
        super().save_model(request, obj, form, change)

    def save_related(self, request, form, formsets, change):
        super().save_related(request, form, formsets, change)
        self.settle_ticks(request, form.instance)

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
                f"more is empty now than when it was set: {listed(cells)}. What "
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
            f"its groups is empty than before: {listed(cells)}. Once that was looked for, choose "
            f"“{Extraction.FULL_TEXT.label}” again.",
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


def listed(cells: list[str]) -> str:
    """The first of these cells, and how many more there are."""
    more = f" and {len(cells) - NAMED} more" if len(cells) > NAMED else ""
    return "; ".join(cells[:NAMED]) + more


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


def note_found(record: Keyed) -> None:
    note_study(study_of(record), Author(door=Door.FOUND), "As found in the tables.")


def note_saved(request, record: Keyed, message: str) -> None:
    states = getattr(request, "states_known", None)
    note_study(study_of(record), Author(request.user, Door.ADMIN), message, states)


def note_deleted(request, study: Study, words: str) -> None:
    """A study that is deleted itself takes no further version; its versions stay."""
    if Study.objects.filter(pk=study.pk).exists():
        author = Author(request.user, Door.ADMIN)
        note_study(study, author, f"Deleted: {words}.", request.states_known)

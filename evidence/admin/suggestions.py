"""Suggestions of readers: the list, and one of them with its two answers."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponseRedirect
from django.template.defaultfilters import date
from django.urls import reverse

from ..curation import suggestions
from ..curation.drafts import Author
from ..models import Suggestion
from ..models.choices import SuggestionStage
from .base import NumbersAsText
from .blind import Unseen
from .drafts import MOMENT


@admin.register(Suggestion)
class SuggestionAdmin(Unseen, NumbersAsText, admin.ModelAdmin):
    """Read only, but for the answer. The contact address stands on the suggestion's page alone."""

    list_display = ["label", "proposed", "stage", "sent", "short_passage"]
    list_filter = ["stage", "collection"]
    search_fields = ["study", "label", "proposed", "passage"]
    list_select_related = ["collection"]
    ordering = ["-at", "-pk"]
    actions = ["forget_contacts"]
    change_form_template = "admin/evidence/suggestion/change_form.html"
    fields = [
        "collection",
        "study",
        "label",
        "current",
        "proposed",
        "passage",
        "contact",
        "sent",
        "stage",
        "answer",
        "answered_by",
        "answered",
    ]

    def get_readonly_fields(self, request, obj=None):
        waits = obj is not None and obj.stage == SuggestionStage.NEW
        return [name for name in self.fields if not (waits and name == "answer")]

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def changelist_view(self, request, extra_context=None):
        title = {"title": "Suggestions of readers"}
        return super().changelist_view(request, title | (extra_context or {}))

    @admin.display(description="sent (UTC)", ordering="at")
    def sent(self, suggestion):
        return date(suggestion.at, MOMENT)

    @admin.display(description="answered (UTC)")
    def answered(self, suggestion):
        return date(suggestion.answered_at, MOMENT) if suggestion.answered_at else "–"

    @admin.display(description="passage of the paper")
    def short_passage(self, suggestion):
        return f"{suggestion.passage[:80]}…" if len(suggestion.passage) > 80 else suggestion.passage

    @admin.action(description="Forget the contact addresses", permissions=["change"])
    def forget_contacts(self, request, queryset):
        """Removes what was only for the answer."""
        count = queryset.exclude(contact="").update(contact="")
        self.message_user(request, f"Contact addresses removed: {count}.", messages.SUCCESS)

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        suggestion = self.get_object(request, object_id) if object_id else None
        waits = suggestion is not None and suggestion.stage == SuggestionStage.NEW
        title = "Answer a suggestion of a reader" if waits else "A suggestion of a reader"
        context = {"waits": waits, "show_save": False, "title": title} | (extra_context or {})
        if request.method != "POST" or suggestion is None:
            return super().changeform_view(request, object_id, form_url, context)
        if not self.has_change_permission(request, suggestion):
            raise PermissionDenied
        author, answer = Author(user=request.user), request.POST.get("answer", "")
        here = HttpResponseRedirect(request.path)
        try:
            if "decline" in request.POST:
                suggestions.decline(suggestion, author, answer)
                self.message_user(request, "Declined.", messages.SUCCESS)
                return HttpResponseRedirect(reverse("admin:evidence_suggestion_changelist"))
            if not request.user.has_perm("evidence.change_studydraft"):
                raise PermissionDenied
            draft, by_hand = suggestions.accept(suggestion, author, answer)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
            return here
        if by_hand:
            text = (
                f"Enter it by hand: {suggestion.label}: “{suggestion.proposed}”. {by_hand} "
                f"Passage: {suggestion.passage}"
            )
            self.message_user(request, text, messages.WARNING)
        else:
            text = f"{suggestion.label}: “{suggestion.proposed}” stands in the study in work."
            self.message_user(request, f"{text} Readers see it once it is published.")
        return HttpResponseRedirect(reverse("admin:evidence_studydraft_change", args=[draft.pk]))

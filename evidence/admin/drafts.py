"""Studies in work: what is open, what has changed, undoing it, publishing it."""

from collections.abc import Callable

from django.contrib import admin, messages
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Case, F, OuterRef, Subquery, Value, When
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import date
from django.template.response import TemplateResponse
from django.test import RequestFactory
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.views.decorators.http import require_POST

from ..curation import drafts
from ..curation.cell_states import unstated_cells
from ..curation.checking import groups_to_check, progress_of, sign_checked
from ..curation.documents import differences, study_record
from ..curation.drafts import SIGNATURE_NEEDED, Author, Conflict, checked_signature, content_of
from ..curation.preview import previewed
from ..curation.same_person import likely_same
from ..curation.second_entry import differences_of
from ..curation.signing import last_word, sign, why_not
from ..curation.writing import NotPublishable
from ..models import (
    CheckedCell,
    Curator,
    Judgement,
    Meaning,
    SecondEntry,
    Signature,
    StudyDraft,
    StudyVersion,
)
from ..models.choices import Extraction
from ..summaries import agreement, compare_totals
from ..web import cases
from .blind import Unseen
from .imports import ImportViews
from .record_changes import SHOWN_CHANGES, by_owner, changes_context
from .work import IS_OPEN

MOMENT = "Y-m-d H:i"
# What was last said of the newest version, as a state of the study.
WORDS_OF_WORK = {
    Meaning.SUBMITTED: "to be checked",
    Meaning.SENT_BACK: "sent back, to be mended",
    Meaning.CHECKED: "checked, to be published",
}

SHOWN_PROBLEMS = 20  # sentences above a page, at most


class WorkFilter(admin.SimpleListFilter):
    """Studies with work that has not been published, or without."""

    title = "state"
    parameter_name = "work"

    def lookups(self, request, model_admin):
        return [("open", "In work"), ("none", "Nothing open")]

    def queryset(self, request, queryset):
        if self.value() == "open":
            return queryset.filter(IS_OPEN)
        return queryset.exclude(IS_OPEN) if self.value() == "none" else queryset


@admin.register(StudyDraft)
class StudyDraftAdmin(ImportViews, admin.ModelAdmin):
    """The list of studies in work, and one of them: read only, but for what its buttons do."""

    list_display = ["slug", "work", "last_change", "last_author", "collection"]
    list_filter = [WorkFilter, "collection"]
    search_fields = ["slug"]
    list_select_related = ["collection", "head", "published"]
    # What is open first, the latest first.
    ordering = [Case(When(IS_OPEN, then=Value(0)), default=Value(1)), F("head__at").desc(), "slug"]
    change_list_template = "admin/evidence/studydraft/list.html"
    change_form_template = "admin/evidence/studydraft/study.html"

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def changelist_view(self, request, extra_context=None):
        return super().changelist_view(
            request, {"title": "Studies in work"} | (extra_context or {})
        )

    def get_queryset(self, request):
        contents = ("head__content", "published__content", "head__base__content")
        said = Signature.objects.filter(version=OuterRef("head")).order_by("-pk").values("meaning")
        return super().get_queryset(request).defer(*contents).annotate(said=Subquery(said[:1]))

    @admin.display(description="state")
    def work(self, draft):
        return state_of_work(draft, draft.said)

    @admin.display(description="last change (UTC)", ordering="head__at")
    def last_change(self, draft):
        return date(draft.head.at, MOMENT) if draft.head else None

    @admin.display(description="by")
    def last_author(self, draft):
        return (draft.head.author_name or draft.head.get_door_display()) if draft.head else ""

    def get_urls(self):
        def step(name: str, view: Callable) -> object:
            address = f"<int:pk>/{name}/"
            label = f"evidence_studydraft_{view.__name__}"
            return path(address, self.admin_site.admin_view(view), name=label)

        return [
            *self.import_urls(),
            step("undo", self.undo_view),
            step("restore/<int:number>", self.restore_view),
            step("give-up", self.give_up_view),
            step("take-over", self.take_over_view),
            step("withdraw", self.withdraw_view),
            step("publish", self.publish_view),
            step("submit", self.submit_view),
            step("send-back", self.send_back_view),
            step("check", self.check_view),
            step("preview", self.preview_view),
            step("preview/<slug:patient>", self.preview_patient_view),
            step("versions/<int:number>", self.version_view),
            *super().get_urls(),
        ]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        """What readers do not see yet, what nobody has looked at, every version."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        draft = self.draft_of(object_id)
        changes = drafts.unpublished_changes(draft)
        unstated = unstated_cells(content_of(draft.head), content_of(draft.published))
        versions = draft.versions.defer("content").select_related("parent", "base")
        context = {
            **self.admin_site.each_context(request),
            "title": f"{draft.slug}, {draft.collection}",
            "opts": self.opts,
            "draft": draft,
            "work": state_of_work(draft, last_word(draft)),
            **changes_context(changes),
            "unstated": by_owner(unstated[:SHOWN_CHANGES]),
            "unstated_count": len(unstated),
            "versions": versions,
            "can_change": self.has_change_permission(request),
            "can_publish": request.user.has_perm("evidence.publish_study"),
            **self.signing_context(request, draft),
            "patients": patient_slugs(draft),
            "second_entries": [
                (
                    entry,
                    agreement(entry.comparison),
                    sum(one.judgement is None for one in differences_of(entry)),
                )
                for entry in draft.second_entries.prefetch_related("judgements")
            ],
            "totals": compare_totals(content_of(draft.head)),
            "totals_address": reverse(
                "admin:workbench_grid", args=[draft.collection.slug, draft.slug, "totals"]
            ),
            "is_seen": drafts.is_seen(draft),
            "likely_same": likely_same(content_of(draft.head), draft.collection)
            if draft.head
            else [],
        }
        return TemplateResponse(request, self.change_form_template, context)

    def draft_of(self, pk) -> StudyDraft:
        queryset = StudyDraft.objects.select_related("collection", "head__base", "published")
        try:
            return get_object_or_404(queryset, pk=pk)
        except ValueError:
            raise Http404("Studies in work are numbered.") from None

    def signing_context(self, request, draft: StudyDraft) -> dict:
        """What has been said of versions, and what this person can say of the newest."""
        user, words = request.user, last_word(draft)
        may_check = user.has_perm("evidence.check_study")
        return {
            "signatures": Signature.objects.filter(version__draft=draft)
            .select_related("version")
            .defer("version__content"),
            "last_word": words,
            "needs_two": draft.collection.needs_two_people,
            "can_submit": self.may_submit(request) and not why_not(draft, Meaning.SUBMITTED, user),
            "can_send_back": may_check and not why_not(draft, Meaning.SENT_BACK, user),
            "can_check": may_check and not why_not(draft, Meaning.CHECKED, user),
            "why_not_check": why_not(draft, Meaning.CHECKED, user)
            if may_check and words == Meaning.SUBMITTED
            else "",
            "progress": progress_of(groups_to_check(draft)) if draft.head else None,
            "may_check": may_check,
            "waits_for_check": draft.collection.needs_two_people
            and checked_signature(draft) is None,
        }

    def may_submit(self, request) -> bool:
        """Whoever works on studies, and whoever checks them, may say that one can be checked."""
        return self.has_change_permission(request) or request.user.has_perm("evidence.check_study")

    def act(
        self, request, pk: int, what: Callable, done: str, *, is_allowed: bool | None = None
    ) -> HttpResponse:
        """Does one thing to a draft, and says what became of it on the draft's page. Needs the
        permission to change studies in work, where nothing else is said.
        """
        if not (self.has_change_permission(request) if is_allowed is None else is_allowed):
            raise PermissionDenied
        draft = self.draft_of(pk)
        try:
            what(draft, int(request.POST["based_on"]), Author(user=request.user))
        except (KeyError, ValueError):
            self.message_user(request, "The form was incomplete; nothing was done.", messages.ERROR)
        except Conflict as conflict:
            self.message_user(request, str(conflict), messages.ERROR)
            for change in conflict.changes[:SHOWN_PROBLEMS]:
                before, after = change.words
                self.message_user(request, f"{change.label}: {before} → {after}", messages.WARNING)
        except NotPublishable as refused:
            self.tell(request, refused.problems)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
        else:
            self.message_user(request, done, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:evidence_studydraft_change", args=[pk]))

    def say(self, request, pk: int, meaning: Meaning, done: str, *, is_allowed: bool):
        """Signs the newest version of a draft."""

        def signs(draft, based_on, author):
            remark = request.POST.get("remark", "")
            sign(draft, meaning, based_on=based_on, user=author.user, remark=remark)

        return self.act(request, pk, signs, done, is_allowed=is_allowed)

    @method_decorator(require_POST)
    def submit_view(self, request, pk):
        """Says that a second person can check it."""
        done = "Sent to be checked by somebody else."
        return self.say(request, pk, Meaning.SUBMITTED, done, is_allowed=self.may_submit(request))

    @method_decorator(require_POST)
    def send_back_view(self, request, pk):
        """Says what has to be mended first."""
        may = request.user.has_perm("evidence.check_study")
        return self.say(
            request, pk, Meaning.SENT_BACK, "Sent back, with your remark.", is_allowed=may
        )

    @method_decorator(require_POST)
    def check_view(self, request, pk):
        """Signs it as checked, for somebody who wrote none of it."""

        def signs(draft, based_on, author):
            sign_checked(
                draft,
                based_on=based_on,
                user=author.user,
                although_not_all="although_not_all" in request.POST,
            )

        may = request.user.has_perm("evidence.check_study")
        return self.act(
            request, pk, signs, "Signed as checked; it can be published.", is_allowed=may
        )

    def tell(self, request, problems: list[str]) -> None:
        """Says what stands in the way of publishing."""
        for problem in problems[:SHOWN_PROBLEMS]:
            self.message_user(request, in_sentence(problem), messages.ERROR)
        if (more := len(problems) - SHOWN_PROBLEMS) > 0:
            self.message_user(request, f"And {more} more problems of this kind.", messages.ERROR)

    @method_decorator(require_POST)
    def undo_view(self, request, pk):
        """Takes the newest change back."""

        def undo(draft, based_on, author):
            drafts.undo(draft, based_on=based_on, author=author)

        return self.act(request, pk, undo, "The last change is taken back.")

    @method_decorator(require_POST)
    def restore_view(self, request, pk, number):
        """Makes an earlier version the newest."""

        def restore(draft, based_on, author):
            if not draft.versions.filter(number=number).exists():
                raise ValidationError(f"There is no version {number}.")
            drafts.restore(draft, number, based_on=based_on, author=author)

        return self.act(request, pk, restore, f"Version {number} is restored, not yet published.")

    @method_decorator(require_POST)
    def give_up_view(self, request, pk):
        """Goes back to what readers see."""

        def give_up(draft, based_on, author):
            drafts.give_up(draft, based_on=based_on)

        return self.act(request, pk, give_up, "The work is given up; its versions are kept.")

    @method_decorator(require_POST)
    def take_over_view(self, request, pk):
        """Merges what was published meanwhile."""

        def take_over(draft, based_on, author):
            for change in drafts.take_over(draft, based_on=based_on, author=author):
                published, ours = change.words
                text = (
                    f"Both changed {change.label}: published {published}, here {ours}, which "
                    "stands. Look at it before publishing."
                )
                self.message_user(request, text, messages.WARNING)

        return self.act(request, pk, take_over, "What was published meanwhile is taken over.")

    @method_decorator(require_POST)
    def withdraw_view(self, request, pk):
        """Withdraws the study or a patient, which readers are told once it is published."""

        def withdraw(draft, based_on, author):
            patient, reason = request.POST.get("patient", ""), request.POST.get("reason", "")
            drafts.withdraw(
                draft,
                patient,
                reason=reason,
                based_on=based_on,
                author=author,
                replaced_by=request.POST.get("replaced_by", ""),
            )

        return self.act(request, pk, withdraw, "Withdrawn here; readers see it until you publish.")

    def publish_view(self, request, pk):
        """Says what publishing changes for readers, and what stands in its way; sent, publishes."""
        may = request.user.has_perm("evidence.publish_study")
        if not may:
            raise PermissionDenied
        if request.method != "POST":
            return self.confirmation(request, self.draft_of(pk))

        def publish(draft, based_on, author):
            message = request.POST.get("message", "")
            drafts.publish(draft, based_on=based_on, author=author, message=message)

        return self.act(request, pk, publish, "Published: readers see it now.", is_allowed=may)

    def confirmation(self, request, draft: StudyDraft) -> HttpResponse:
        """The page from which a draft is published."""
        if draft.head is None or not draft.is_open:
            raise Http404("There is nothing to publish.")
        problems, reading = trial(draft)
        signature = checked_signature(draft)
        needs_two = draft.collection.needs_two_people
        if needs_two and signature is None:
            problems.insert(0, SIGNATURE_NEEDED.format(draft.collection, draft.head.number))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Publish {draft.slug}, version {draft.head.number}, {draft.collection}",
            "opts": self.opts,
            "draft": draft,
            "signature": signature,
            "needs_two": needs_two,
            "problems": [in_sentence(problem) for problem in problems[:SHOWN_PROBLEMS]],
            "problems_count": len(problems),
            "reading": reading,
            **changes_context(drafts.unpublished_changes(draft)),
        }
        return TemplateResponse(request, "admin/evidence/studydraft/publish.html", context)

    def preview_view(self, request, pk):
        """The study's page as it would be."""
        return self.preview(request, pk, lambda draft: (cases.study_page, draft.slug))

    def preview_patient_view(self, request, pk, patient):
        """One patient's page as it would be."""
        return self.preview(request, pk, lambda draft: (cases.patient_page, patient))

    def preview(self, request, pk: int, choose: Callable) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        draft = self.draft_of(pk)
        if draft.head is None:
            raise Http404("There is nothing to preview.")
        view, slug = choose(draft)
        try:
            return previewed(
                draft,
                readers_request(request, draft),
                lambda asked: view(asked, draft.collection.slug, slug),
            )
        except (Conflict, NotPublishable) as error:
            self.tell(request, getattr(error, "problems", [str(error)]))
            return HttpResponseRedirect(reverse("admin:evidence_studydraft_change", args=[pk]))

    def version_view(self, request, pk, number):
        """One version: who, when, why, and every cell that changed."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        draft = self.draft_of(pk)
        version = get_object_or_404(draft.versions.select_related("parent"), number=number)
        changes = differences(content_of(version.parent), version.content)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{draft.slug}, version {number}",
            "opts": self.opts,
            "draft": draft,
            "version": version,
            **changes_context(changes),
            "can_change": self.has_change_permission(request),
        }
        return TemplateResponse(request, "admin/evidence/studydraft/version.html", context)


def in_sentence(problem: str) -> str:
    """A problem of publishing as a sentence."""
    return f"{capfirst(problem)}.".replace("..", ".")


def trial(draft: StudyDraft) -> tuple[list[str], str]:
    """What would stand in the way of publishing a draft, and how much of the source it would then
    say was read. Nothing is changed.
    """
    try:
        with transaction.atomic():
            version = drafts.publish(
                draft, based_on=draft.head.number, author=Author(), is_preview=True
            )
            transaction.set_rollback(True)
    except Conflict as conflict:
        return [str(conflict)], ""
    except NotPublishable as refused:
        return refused.problems, ""
    finally:
        draft.refresh_from_db()
    extraction = study_record(version.content)["fields"].get("extraction")
    return [], Extraction(extraction).label.lower() if extraction else ""


def readers_request(request: HttpRequest, draft: StudyDraft) -> HttpRequest:
    """The request of a reader for the study's page, from the same host, told apart as a preview."""
    asked = RequestFactory().get(
        reverse("study", args=[draft.collection.slug, draft.slug]),
        headers={"host": request.get_host()},
        secure=request.is_secure(),
    )
    asked.user, asked.htmx, asked.preview_of = AnonymousUser(), False, draft
    return asked


def state_of_work(draft: StudyDraft, word: str | None) -> str:
    """What is to be done about a study, in words; `word` is what was last said of its newest
    version.
    """
    if draft.head_id is None and draft.published_id is None:
        return "nothing entered"
    if not draft.is_open:
        return "nothing open"
    if draft.is_behind:
        return "in work, and published otherwise meanwhile by somebody else"
    if word:
        return WORDS_OF_WORK[word]
    return "in work" if draft.published_id else "in work, new"


def patient_slugs(draft: StudyDraft) -> list[str]:
    """Public ids of the patients of a draft."""
    return [
        record["fields"]["slug"]
        for record in content_of(draft.head)
        if record["model"] == "evidence.patient" and record["fields"].get("slug")
    ]


@admin.register(Curator)
class CuratorAdmin(admin.ModelAdmin):
    """Who agreed to be named in public: each person says it for themselves, and an administrator
    can only take a name away.
    """

    list_display = ["user", "public_name"]
    fields = ["public_name"]

    def has_add_permission(self, request):
        is_new = not Curator.objects.filter(user=request.user.pk).exists()
        return super().has_add_permission(request) and is_new

    def has_change_permission(self, request, obj=None):
        is_own = obj is None or obj.user_id == request.user.pk
        return super().has_change_permission(request, obj) and is_own

    def has_delete_permission(self, request, obj=None):
        may = obj is None or obj.user_id == request.user.pk or request.user.is_superuser
        return super().has_delete_permission(request, obj) and may

    def save_model(self, request, obj, form, change):
        if not change:
            obj.user = request.user
        super().save_model(request, obj, form, change)


class LookedAtAdmin(Unseen, admin.ModelAdmin):
    """Records that are written once and elsewhere: a list, and each as it is."""

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


@admin.register(StudyVersion)
class StudyVersionAdmin(LookedAtAdmin):
    """All versions of all studies, newest first: read only."""

    list_display = ["draft", "number", "when", "author_name", "door", "changed", "message"]
    list_filter = ["door", "is_public", "draft__collection"]
    search_fields = ["draft__slug", "author_name", "message"]
    list_select_related = ["draft__collection"]
    ordering = [F("at").desc()]

    @admin.display(description="when (UTC)", ordering="at")
    def when(self, version):
        return date(version.at, MOMENT)

    def get_queryset(self, request):
        return super().get_queryset(request).defer("content")


@admin.register(Signature)
class SignatureAdmin(LookedAtAdmin):
    """Everything that was said of versions, newest first: read only."""

    list_display = ["study", "version_number", "when", "user_name", "meaning", "remark"]
    list_filter = ["meaning", "version__draft__collection"]
    search_fields = ["version__draft__slug", "user_name", "remark"]
    list_select_related = ["version__draft__collection"]

    @admin.display(description="study", ordering="version__draft__slug")
    def study(self, signature):
        return signature.version.draft

    @admin.display(description="version", ordering="version__number")
    def version_number(self, signature):
        return signature.version.number

    @admin.display(description="when (UTC)", ordering="at")
    def when(self, signature):
        return date(signature.at, MOMENT)

    def get_queryset(self, request):
        return super().get_queryset(request).defer("version__content")


@admin.register(CheckedCell)
class CheckedCellAdmin(LookedAtAdmin):
    """Everything that was said of single values, newest first."""

    list_display = ["version", "where", "field", "agrees", "remark", "user_name", "at"]
    list_filter = ["agrees", "version__draft__collection"]
    search_fields = ["version__draft__slug", "user_name", "remark"]
    list_select_related = ["version__draft__collection"]
    ordering = ["-pk"]

    @admin.display(description="record")
    def where(self, cell):
        return " / ".join(map(str, cell.key))

    def get_queryset(self, request):
        return super().get_queryset(request).defer("version__content")


@admin.register(SecondEntry)
class SecondEntryAdmin(LookedAtAdmin):
    """Who has entered a study a second time. What they entered stands on the study's own page, once
    they have finished.
    """

    list_display = ["draft", "user_name", "begun_at", "finished_at"]
    list_filter = ["draft__collection"]
    search_fields = ["draft__slug", "user_name"]
    list_select_related = ["draft__collection"]
    fields = ["draft", "user_name", "begun_at", "finished_at", "version"]


@admin.register(Judgement)
class JudgementAdmin(LookedAtAdmin):
    """How differences between two entries were decided, newest first."""

    list_display = ["entry", "row", "field", "chosen", "value", "reason", "user_name", "at"]
    list_filter = ["chosen", "entry__draft__collection"]
    search_fields = ["entry__draft__slug", "user_name", "reason"]
    list_select_related = ["entry__draft__collection"]
    ordering = ["-pk"]

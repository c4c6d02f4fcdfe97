"""The page on which a second person compares a study with its source, value by value."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from ..curation.checking import (
    CellToCheck,
    CheckGroup,
    groups_to_check,
    progress_of,
    remarks_of,
    say_of_cell,
)
from ..curation.signing import last_word, why_not
from ..models import Meaning, StudyDraft
from ..models.signature import is_author
from ..models.signing_guards import AUTHOR_SIGNS
from .workbench import whole_number

# What is shown: the word in the address, its label, and which cells.
SHOWN: dict[str, tuple[str, Callable[[CellToCheck], bool]]] = {
    "": ("To look at", lambda cell: not cell.is_current),
    "wrong": ("Wrong", lambda cell: cell.is_wrong),
    "without-place": ("Without a place", lambda cell: cell.needs_place),
    "all": ("All", lambda cell: True),
}

COUNTED = {"": "open", "wrong": "wrong", "all": "total"}  # of each list, as `progress_of` names it


def urls(site: AdminSite) -> list:
    """The routes of checking, to be put before those of the workbench."""

    def route(address: str, view, name: str):
        def seen(request, collection, study):
            if not request.user.has_perm("evidence.check_study"):
                raise PermissionDenied
            return view(request, site, draft_of(collection, study))

        return path(
            f"work/<slug:collection>/<slug:study>/check/{address}", site.admin_view(seen), name=name
        )

    return [route("", check_page, "check"), route("say/", say_view, "check_say")]


def draft_of(collection: str, study: str) -> StudyDraft:
    drafts = StudyDraft.objects.select_related("collection", "head", "published")
    draft = get_object_or_404(drafts, collection__slug=collection, slug=study)
    if draft.head is None:
        raise Http404("Nothing of this study has been entered.")
    return draft


def check_page(request: HttpRequest, site: AdminSite, draft: StudyDraft) -> HttpResponse:
    """Every value with its place, by patient; the first that is to look at has the focus."""
    show = request.GET.get("show", "")
    if show not in SHOWN:
        raise Http404("There is no such list.")
    groups = groups_to_check(draft)
    progress, user = progress_of(groups), request.user
    context = {
        **site.each_context(request),
        "title": f"Check {draft.slug}, {draft.collection}",
        "draft": draft,
        "progress": progress,
        "remarks": remarks_of(groups),
        "lists": lists_of(draft, groups, show),
        "groups": shown_groups(groups, show),
        "show": show,
        "why_not": AUTHOR_SIGNS if is_author(user, draft) else "",
        "last_word": last_word(draft),
        "can_check": not why_not(draft, Meaning.CHECKED, user),
        "can_send_back": not why_not(draft, Meaning.SENT_BACK, user),
    }
    return TemplateResponse(request, "admin/evidence/checking/check.html", context)


def shown_groups(groups: list[CheckGroup], show: str) -> list[CheckGroup]:
    """The cells of a list, under their patients."""
    _, is_shown = SHOWN[show]
    found = [CheckGroup(group.title, list(filter(is_shown, group.cells))) for group in groups]
    return [group for group in found if group.cells]


def lists_of(draft: StudyDraft, groups: list[CheckGroup], show: str) -> list[dict]:
    """Each list with how many cells it has, and its address."""
    cells = [cell for group in groups for cell in group.cells]
    return [
        {
            "label": label,
            "count": sum(map(is_shown, cells)),
            "counted": COUNTED.get(word, ""),
            "address": address_of(draft, word),
            "is_here": word == show,
        }
        for word, (label, is_shown) in SHOWN.items()
    ]


def address_of(draft: StudyDraft, show: str) -> str:
    address = reverse("admin:check", args=[draft.collection.slug, draft.slug])
    return f"{address}?{urlencode({'show': show})}" if show else address


@require_POST
def say_view(request: HttpRequest, site: AdminSite, draft: StudyDraft) -> HttpResponse:
    """Keeps what is said of one value. A form is led back to the page, script is answered."""
    wants_json = "application/json" in request.headers.get("Accept", "")
    sent, problem = request.POST, ""
    try:
        say_of_cell(
            draft,
            sent.get("cell", ""),
            number=whole_number(sent.get("based_on", "")),
            agrees=sent.get("said") != "wrong",
            remark=sent.get("remark", ""),
            user=request.user,
        )
    except ValidationError as error:
        problem = " ".join(error.messages)
    if wants_json:
        groups = groups_to_check(draft)
        progress = progress_of(groups)
        answer = {
            "problem": problem,
            "agreed": progress.agreed,
            "wrong": progress.wrong,
            "open": progress.open,
            "total": progress.total,
            "remarks": remarks_of(groups),
            "version": draft.head.number,
        }
        return JsonResponse(answer, status=400 if problem else 200)
    if problem:
        messages.error(request, problem)
    show = sent.get("show", "")
    return HttpResponseRedirect(address_of(draft, show if show in SHOWN else ""))

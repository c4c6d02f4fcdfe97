"""The page on which a second person enters a study blind, and what became of it."""

from html import escape

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.views.decorators.http import require_POST

from ..curation.drafts import Conflict
from ..curation.second_entry import (
    column_of,
    courses_to_enter,
    decide,
    differences_of,
    finish_entry,
    keep_entry,
    why_not_enter,
)
from ..curation.workbook.sheets import Column
from ..curation.workbook.values import CellError
from ..models import Choice, SecondEntry, StudyDraft
from ..summaries import agreement
from ..summaries.second_entry import FIELD_LABELS
from .checking import draft_of
from .workbench import is_wide, whole_number

ASKED = {  # of each field, what is asked
    "serious": "Was any adverse event serious?",
    "adverse_events": "Does the source say whether there were adverse events?",
}


def urls(site: AdminSite) -> list:
    """The routes of second entries, to be put before those of the workbench."""

    def route(address: str, view, name: str):
        def seen(request, collection, study):
            if not request.user.has_perm("evidence.view_studydraft"):
                raise PermissionDenied
            return view(request, site, draft_of(collection, study))

        return path(
            f"work/<slug:collection>/<slug:study>/second/{address}",
            site.admin_view(seen),
            name=name,
        )

    return [route("", second_page, "second"), route("decide/", decide_view, "second_decide")]


def address_of(draft: StudyDraft) -> str:
    return reverse("admin:second", args=[draft.collection.slug, draft.slug])


def may_enter(request: HttpRequest, draft: StudyDraft) -> bool:
    """Whether somebody may still enter a study without having seen the first entry."""
    may = request.user.has_perm("evidence.check_study")
    return may and not why_not_enter(draft, request.user)


def second_page(request: HttpRequest, site: AdminSite, draft: StudyDraft) -> HttpResponse:
    """A form, for who may enter: nothing that was entered is on it. For others what the two entries
    say, once the second is finished.
    """
    if may_enter(request, draft):
        return entry_form(request, site, draft)
    if request.method == "POST":
        raise PermissionDenied
    return compared_page(request, site, draft)


def entry_form(request: HttpRequest, site: AdminSite, draft: StudyDraft) -> HttpResponse:
    texts, errors = {}, {}
    if request.method == "POST":
        texts = texts_of(request.POST)
        try:
            errors = keep_entry(draft, texts, request.user)
            if not errors and "finish" in request.POST:
                finish_entry(draft, request.user)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            if not errors:
                messages.success(request, "Saved.")
                return HttpResponseRedirect(address_of(draft))
            messages.error(request, "Some cells could not be read; they are marked.")
    entry = draft.second_entries.filter(user=request.user).first()
    context = {
        **site.each_context(request),
        "title": f"Enter {draft.slug} a second time, {draft.collection}",
        "draft": draft,
        "asked": [
            (name, ASKED.get(name, capfirst(column_of(name).header))) for name in FIELD_LABELS
        ],
        "courses": form_rows(draft, entry, texts, errors),
        "datalists": datalists(),
    }
    return TemplateResponse(request, "admin/evidence/checking/second.html", context)


def texts_of(sent) -> dict[str, dict[str, str]]:
    """What a form says, by course and field."""
    texts: dict[str, dict[str, str]] = {}
    for name, text in sent.items():
        row, _, field = name.rpartition("|")
        if row and field in FIELD_LABELS:
            texts.setdefault(row, {})[field] = text
    return texts


def form_rows(draft: StudyDraft, entry: SecondEntry | None, texts: dict, errors: dict) -> list:
    """Each course with its cells, filled with what this person entered."""
    kept = entry.content if entry else {}
    rows = []
    for course in courses_to_enter(draft):
        cells = []
        for name, label in FIELD_LABELS.items():
            error = errors.get((course.row, name))
            own = kept.get(course.row, {}).get(name, "")
            text = texts.get(course.row, {}).get(name, own) if error else own
            nearest = f" Nearest: {'; '.join(error.nearest)}." if error and error.nearest else ""
            cells.append(
                {
                    "name": f"{course.row}|{name}",
                    "id": f"second-{course.row}-{name}".replace(" ", ""),
                    "label": f"{course.row}, {label}",
                    "list": f"list-{name}",
                    "text": text,
                    "is_wide": is_wide(column_of(name)),
                    "error": f"{error.problem}{nearest}" if error else "",
                }
            )
        rows.append((course, cells))
    return rows


def datalists() -> SafeString:
    """What can be chosen in each column."""
    return mark_safe(  # noqa: S308  every part is escaped
        "".join(
            f'<datalist id="list-{name}">'
            + "".join(
                f'<option value="{escape(one)}"></option>' for one in offered(column_of(name))
            )
            + "</datalist>"
            for name in FIELD_LABELS
        )
    )


def offered(column: Column) -> list[str]:
    if column.vocabulary is not None:
        terms = column.vocabulary._default_manager.filter(in_use=True)
        return [*map(str, terms), "none", "NR"]
    return [*(label for _, label in column.choices), "NR"]


def compared_page(request: HttpRequest, site: AdminSite, draft: StudyDraft) -> HttpResponse:
    """What is agreed, what is to be decided, and what was decided by whom."""
    entries = draft.second_entries.prefetch_related("judgements")
    context = {
        **site.each_context(request),
        "title": f"Second entry of {draft.slug}, {draft.collection}",
        "draft": draft,
        "entries": [
            {
                "entry": entry,
                "agreement": agreement(entry.comparison),
                "differences": differences_of(entry),
            }
            for entry in entries
            if entry.finished_at
        ],
        "unfinished": [entry for entry in entries if not entry.finished_at],
        "can_decide": request.user.has_perm("evidence.change_studydraft"),
        "choices": Choice.choices,
        "why_not": why_not_enter(draft, request.user)
        if request.user.has_perm("evidence.check_study")
        else "",
    }
    return TemplateResponse(request, "admin/evidence/checking/compared.html", context)


@require_POST
def decide_view(request: HttpRequest, site: AdminSite, draft: StudyDraft) -> HttpResponse:
    """Decides one difference."""
    if not request.user.has_perm("evidence.change_studydraft") or may_enter(request, draft):
        raise PermissionDenied
    sent = request.POST
    number = whole_number(sent.get("entry", ""))
    entry = draft.second_entries.filter(pk=number, finished_at__isnull=False).first()
    try:
        if entry is None:
            raise ValidationError("There is no such second entry.")
        decide(
            entry,
            sent.get("row", ""),
            sent.get("field", ""),
            sent,
            based_on=whole_number(sent.get("based_on", "")),
            user=request.user,
        )
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    except CellError as error:
        messages.error(request, error.problem)
    except Conflict as conflict:
        messages.error(request, f"{conflict} Look at it, then decide again.")
    else:
        messages.success(request, "Decided; the draft says so.")
    return HttpResponseRedirect(address_of(draft))

"""Who did what, when: from what is kept anyway, and never changed.

What forms saved (Django's log of the admin), versions of studies, signatures, logins and failed
logins, in one list, the latest first. Nothing is written for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django import forms
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import CharField, F, Q, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from ..curation.second_entry import blind_drafts
from ..models import Signature, StudyVersion

PAGE = 50
PERMISSION = "admin.view_logentry"
NOBODY_OF_OURS = "a name that no account has"

# Their own tables show what was typed as a name, which may have been a password.
admin.site.unregister([AccessAttempt, AccessLog, AccessFailureLog])


@dataclass(frozen=True)
class AuditEntry:
    """One line: who did what to what, when. `address` leads to it, `origin` is a network address;
    both can be empty.
    """

    at: datetime
    who: str
    what: str
    about: str = ""
    address: str = ""
    origin: str = ""


@dataclass(frozen=True)
class Source:
    """A table that says who did something: by which field it says when, and who."""

    label: str
    model: type
    at: str
    user: str = ""  # a key of an account
    name: str = "username"  # otherwise its name

    def rows(self, kind: str, asked: dict, hidden: Q | None) -> QuerySet:
        """Kind, time and key of the entries that are asked for."""
        found = self.model._default_manager.all()
        if hidden is not None:
            found = found.exclude(hidden)
        if person := asked.get("person"):
            named = {self.user: person.pk} if self.user else {self.name: person.get_username()}
            found = found.filter(**named)
        if asked.get("since"):
            found = found.filter(**{f"{self.at}__gte": midnight(asked["since"])})
        if asked.get("until"):
            day_after = midnight(asked["until"]) + timedelta(days=1)
            found = found.filter(**{f"{self.at}__lt": day_after})
        columns = {
            "entry_kind": Value(kind, output_field=CharField()),
            "entry_at": F(self.at),
            "entry_key": F("pk"),
        }
        return found.annotate(**columns).values_list(*columns)


SOURCES = {
    "form": Source("Saved in a form", LogEntry, "action_time", "user_id"),
    "version": Source("Versions of studies", StudyVersion, "at", "author_id"),
    "signature": Source("Signatures", Signature, "at", "user_id"),
    "login": Source("Logins", AccessLog, "attempt_time"),
    "failed": Source("Failed logins", AccessFailureLog, "attempt_time"),
}


def midnight(day) -> datetime:
    return datetime.combine(day, time(), timezone.get_default_timezone())


def day(label: str) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    sensible = [MinValueValidator(date(1900, 1, 1)), MaxValueValidator(date(2999, 12, 31))]
    return forms.DateField(required=False, label=label, widget=widget, validators=sensible)


class AuditForm(forms.Form):
    """Which entries are asked for. Everything is optional."""

    person = forms.ModelChoiceField(
        get_user_model()._default_manager.order_by("username"),
        required=False,
        empty_label="Everybody",
        to_field_name="username",
    )
    kind = forms.ChoiceField(
        choices=[("", "Everything"), *((kind, one.label) for kind, one in SOURCES.items())],
        required=False,
        label="What",
    )
    since, until = day("From"), day("To")

    def clean(self):
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since and until and until < since:
            self.add_error("until", "This is before the day it begins with.")


def audit_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """The list, for whoever may see the log of the admin."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    form, hidden = AuditForm(request.GET), blind_drafts(request.user)
    unknown = sorted(set(request.GET) - set(form.fields) - {"page"})
    is_right = form.is_valid() and not unknown
    page = None
    if is_right:
        pages = Paginator(entries_asked(form.cleaned_data, hidden), PAGE)
        page = pages.get_page(request.GET.get("page"))
    words = request.GET.copy()
    words.pop("page", None)
    context = {
        **site.each_context(request),
        "title": "Audit",
        "form": form,
        "unknown": unknown,
        "page": page,
        "entries": list(described(page)) if page else [],
        "is_blind": bool(hidden),
        "words": words.urlencode(),
    }
    return TemplateResponse(request, "admin/audit.html", context, status=200 if is_right else 400)


def entries_asked(asked: dict, hidden: list) -> QuerySet:
    """Kind, time and key of all entries that are asked for, the latest first."""
    kinds = [asked["kind"]] if asked.get("kind") else list(SOURCES)
    first, *others = (
        SOURCES[kind].rows(kind, asked, concealed(kind, hidden)).order_by() for kind in kinds
    )
    found = first.union(*others, all=True) if others else first
    return found.order_by("-entry_at", "entry_kind", "-entry_key")


def concealed(kind: str, hidden: list) -> Q | None:
    """What somebody may not see who has studies to enter a second time: anything said of them. What
    a form saved tells only in words of which study it is, so then nothing of the evidence is shown.
    """
    if not hidden:
        return None
    if kind == "form":
        return Q(content_type__app_label="evidence")
    if kind == "version":
        return Q(draft__in=hidden)
    return Q(version__draft__in=hidden) if kind == "signature" else None


def described(rows: Iterable[tuple]) -> Iterable[AuditEntry]:
    """The entries of one page: one query for each kind that is on it."""
    rows = list(rows)
    records = {
        kind: RECORDS[kind]([pk for each, _, pk in rows if each == kind])
        for kind in {kind for kind, _, _ in rows}
    }
    for kind, _, pk in rows:
        if (record := records[kind].get(pk)) is not None:
            yield ENTRY_OF_KIND[kind](record)


def saved_in_form(entry: LogEntry) -> AuditEntry:
    kind = entry.content_type.name if entry.content_type_id else ""
    try:
        address = entry.get_admin_url() or ""
    except NoReverseMatch:
        address = ""
    what = {1: "Added", 2: "Changed", 3: "Deleted"}[entry.action_flag]
    message = entry.get_change_message()
    if message and not message.startswith(what):
        what = f"{what}: {message}"
    elif message:
        what = message
    return AuditEntry(
        entry.action_time,
        entry.user.get_username(),
        what,
        f"{kind} {entry.object_repr}".strip(),
        "" if entry.is_deletion() else address,
    )


def wrote_version(version: StudyVersion) -> AuditEntry:
    did = "Published" if version.is_published else "Saved"
    cells = f"{version.changed} cell{'' if version.changed == 1 else 's'} changed"
    what = f"{did} version {version.number} ({version.get_door_display()}; {cells})"
    return AuditEntry(
        version.at,
        version.author_name or "nobody who is named",
        f"{what}: {version.message}" if version.message else what,
        f"study {version.draft.slug}, {version.draft.collection.slug}",
        reverse("admin:evidence_studydraft_change", args=[version.draft_id]),
    )


def signed(signature: Signature) -> AuditEntry:
    draft = signature.version.draft
    what = f"{signature.get_meaning_display()} (version {signature.version.number})"
    return AuditEntry(
        signature.at,
        signature.user_name,
        f"{what}: {signature.remark}" if signature.remark else what,
        f"study {draft.slug}, {draft.collection.slug}",
        reverse("admin:evidence_studydraft_change", args=[draft.pk]),
    )


def logged_in(login: AccessLog) -> AuditEntry:
    until = f"; logged out {login.logout_time:%Y-%m-%d %H:%M}" if login.logout_time else ""
    return AuditEntry(
        login.attempt_time,
        login.username or "",
        f"Logged in{until}",
        origin=address_in_words(login.ip_address),
    )


def failed_to_log_in(attempt: AccessFailureLog) -> AuditEntry:
    """What was typed as a name is shown where it is one: it may have been a password."""
    what = "Gave a wrong password"
    if attempt.locked_out:
        what += "; not listened to for a while"
    who = attempt.username if attempt.is_of_account else NOBODY_OF_OURS
    return AuditEntry(attempt.attempt_time, who, what, origin=address_in_words(attempt.ip_address))


def address_in_words(address: str | None) -> str:
    """Of IPv6 the network is kept (`entrance.login_address`), and is shown as one."""
    return f"{address}/64" if address and ":" in address else address or ""


def failures(keys: list[int]) -> dict[int, AccessFailureLog]:
    found = AccessFailureLog.objects.in_bulk(keys)
    names = {each.username for each in found.values()}
    accounts = get_user_model()._default_manager.filter(username__in=names)
    known = set(accounts.values_list("username", flat=True))
    for each in found.values():
        each.is_of_account = each.username in known
    return found


RECORDS = {
    "form": LogEntry.objects.select_related("user", "content_type").in_bulk,
    "version": StudyVersion.objects.select_related("draft__collection").defer("content").in_bulk,
    "signature": Signature.objects.select_related("version__draft__collection")
    .defer("version__content")
    .in_bulk,
    "login": AccessLog.objects.in_bulk,
    "failed": failures,
}
ENTRY_OF_KIND = {
    "form": saved_in_form,
    "version": wrote_version,
    "signature": signed,
    "login": logged_in,
    "failed": failed_to_log_in,
}

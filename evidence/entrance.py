"""The curators' entrance: who may come in, and what happens to what they typed when they may not.

Nothing that was typed into a form is lost when a session ends: the page that asks for the password
carries it, and hands it back once somebody has logged in.
"""

import json
from datetime import timedelta
from functools import update_wrapper
from ipaddress import ip_address, ip_network
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.contrib.admin.sites import AdminSite, site
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import ValidationError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.csrf import csrf_failure as djangos_csrf_failure

from .api.throttling import counted_address

HELD = "held"  # the field in which a page carries what was typed into another
NOT_KEPT = {"Cache-Control": "no-store"}  # by no browser: it is one person's


class EntranceConfig(AdminConfig):
    """Django's admin with the site below."""

    default_site = "evidence.entrance.CuratorsEntrance"


class CuratorsEntrance(AdminSite):
    """Django's admin, whose first page shows work, and which loses nothing that was typed."""

    site_header = "Casebook, curators’ entrance"
    site_title = "Casebook"
    index_title = "Work"

    def get_urls(self):
        from .admin import audit, checking, second_entry, work, workbench

        def page(address: str, view, name: str):
            def seen(request):
                return view(request, self)

            return path(address, self.admin_view(seen), name=name)

        return [
            # Before Django's own, which would only let somebody out who has been let in.
            path("logout/", self.logout, name="logout"),
            path("second-factor/", self.second_factor, name="second_factor"),
            page("audit/", audit.audit_page, "audit"),
            page("faults/", work.faults_page, "faults"),
            page("work/", work.queue_page, "work"),
            page("work/new/", work.new_study_page, "work_new"),
            *checking.urls(self),
            *second_entry.urls(self),
            *workbench.urls(self),
            *super().get_urls(),
        ]

    def get_app_list(self, request, app_label=None):
        """The tables, by what they are about."""
        from .admin.work import grouped

        apps = super().get_app_list(request, app_label)
        return apps if app_label else grouped(apps)

    def index(self, request, extra_context=None):
        from .admin.work import work_to_do

        return super().index(request, work_to_do(request) | (extra_context or {}))

    def has_permission(self, request):
        """As Django's; and whoever has a second factor, or has to have one, has given a code."""
        from .admin.second_factor import has_to_give_code

        return super().has_permission(request) and not has_to_give_code(request)

    def admin_view(self, view, cacheable=False):
        """As Django's. A form that is sent after the session has ended is held, not dropped, and
        whoever has yet to give a code is asked for it.
        """
        from .admin.blind import refusal

        def shown(request, *args, **kwargs):
            return refusal(request, self) or view(request, *args, **kwargs)

        guarded = super().admin_view(update_wrapper(shown, view), cacheable)

        def inner(request, *args, **kwargs):
            if self.needs_code(request):
                return self.ask_for_code(request)
            turned_away = request.method == "POST" and not self.has_permission(request)
            response = guarded(request, *args, **kwargs)
            if turned_away and response.status_code == 302 and request.path != logout_path():
                return self.ask_to_log_in(request, held_of(request), request.get_full_path())
            return response

        return update_wrapper(inner, guarded)

    def login(self, request, extra_context=None):
        """As Django's; then what was held meanwhile is offered to be sent again."""
        from .admin.second_factor import second_factor_page

        held = request.POST.get(HELD, "")
        if request.method == "GET" and self.needs_code(request):
            return HttpResponseRedirect(code_path(request.GET.get("next", "")))
        response = super().login(request, {HELD: held} | (extra_context or {}))
        if response.status_code != 302:
            return response
        if self.needs_code(request):
            if not held:
                return HttpResponseRedirect(code_path(response["Location"]))
            return second_factor_page(request, self, held, response["Location"], self.go_on)
        return (held and self.give_back(request, held)) or response

    def needs_code(self, request: HttpRequest) -> bool:
        """Whether somebody has logged in and is let no further before they give a code."""
        return super().has_permission(request) and not self.has_permission(request)

    def ask_for_code(self, request: HttpRequest) -> HttpResponse:
        """Leads to the page of the second factor, with what was typed into a form meanwhile."""
        from .admin.second_factor import second_factor_page

        if request.method == "POST":
            held = held_of(request)
            return second_factor_page(request, self, held, request.get_full_path(), self.go_on)
        return HttpResponseRedirect(code_path(request.get_full_path()))

    def second_factor(self, request: HttpRequest) -> HttpResponse:
        """The page of the second factor, for whoever has given the right password."""
        from .admin.second_factor import second_factor_page

        if not super().has_permission(request):
            return HttpResponseRedirect(f"{login_path()}?{urlencode({'next': request.path})}")
        if request.method != "POST":
            return second_factor_page(request, self, "", request.GET.get("next", ""), self.go_on)
        held, back_to = request.POST.get(HELD, ""), request.POST.get("next", "")
        asked = request.POST.get("action", "")
        return second_factor_page(request, self, held, back_to, self.go_on, asked)

    def go_on(self, request: HttpRequest) -> HttpResponse:
        """Where somebody was going before they were asked for a code, with what they had typed."""
        held, back_to = request.POST.get(HELD, ""), request.POST.get("next", "")
        given = self.give_back(request, held) if held else None
        inside = back_to.startswith(reverse("admin:index")) and url_has_allowed_host_and_scheme(
            back_to, allowed_hosts=None
        )
        return given or HttpResponseRedirect(back_to if inside else reverse("admin:index"))

    def ask_to_log_in(self, request: HttpRequest, held: str, back_to: str) -> HttpResponse:
        """The login page, carrying what was typed."""
        from django.contrib.admin.forms import AdminAuthenticationForm

        context = {
            **self.each_context(request),
            "title": "Log in",
            "form": AdminAuthenticationForm(request),
            "app_path": login_path(),
            "next": back_to,
            HELD: held,
        }
        return TemplateResponse(request, "admin/login.html", context, status=403, headers=NOT_KEPT)

    def give_back(self, request: HttpRequest, held: str) -> HttpResponse | None:
        """The page that sends what was held to where it was meant for; None where it is no form of
        ours.
        """
        try:
            sent = json.loads(held)
            fields = [(str(name), str(value)) for name, value in sent["fields"]]
            address = str(sent["path"])
        except (ValueError, TypeError, KeyError):
            return None
        if not address.startswith(reverse("admin:index")) or not url_has_allowed_host_and_scheme(
            address, allowed_hosts=None
        ):
            return None
        context = {
            **self.each_context(request),
            "title": "What you typed is still here",
            "fields": fields,
            "address": address,
            "had_files": sent.get("files"),
        }
        return TemplateResponse(request, "admin/held.html", context, headers=NOT_KEPT)


def login_path() -> str:
    return reverse("admin:login")


def logout_path() -> str:
    return reverse("admin:logout")


def code_path(back_to: str = "") -> str:
    """The page of the second factor, and where to go from there."""
    address = reverse("admin:second_factor")
    return f"{address}?{urlencode({'next': back_to})}" if back_to else address


def held_of(request: HttpRequest) -> str:
    """What a form sent and where to, as a text that a page can carry. Passwords are left out."""
    fields = [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if name != "csrfmiddlewaretoken" and "password" not in name
    ]
    return json.dumps(
        {"path": request.get_full_path(), "fields": fields, "files": bool(request.FILES)}
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form of ours whose token is too old, because somebody has logged in since: it is handed
    back. A browser says where a form comes from, which no other site can say wrongly; one that
    comes from elsewhere is refused as ever.
    """
    own = request.headers.get("Origin") == f"{request.scheme}://{request.get_host()}"
    inside = request.path.startswith(reverse("admin:index"))
    if not (own and inside and request.method == "POST") or request.path == logout_path():
        return djangos_csrf_failure(request, reason)
    if request.path == login_path():
        held, back_to = request.POST.get(HELD, ""), request.POST.get("next", "")
        response = site.ask_to_log_in(request, held, back_to)
    elif request.path == code_path():  # nothing that it says is believed; it is asked once more
        back_to = code_path(request.POST.get("next", ""))
        response = HttpResponseRedirect(back_to)
        if request.POST.get(HELD):
            response = site.ask_to_log_in(request, request.POST[HELD], back_to)
    elif site.needs_code(request):
        response = site.ask_for_code(request)
    elif site.has_permission(request):
        response = site.give_back(request, held_of(request))
    else:
        response = site.ask_to_log_in(request, held_of(request), request.get_full_path())
    return response.render() if hasattr(response, "render") else response


# Accounts


@receiver(user_logged_in)
def end_after_hours(sender, request, user, **kwargs) -> None:
    """A session ends at a time that is set when it begins; using it does not put that off."""
    if hasattr(request, "session"):
        hours = timedelta(seconds=settings.SESSION_COOKIE_AGE)
        request.session.set_expiry(timezone.now() + hours)


class NotOurName:
    """Refuses passwords that are little more than the name of this site, which is the first thing
    somebody tries (NIST SP 800-63B, context-specific words).
    """

    WORDS, LEAST = ("casebook",), 8

    def validate(self, password: str, user=None) -> None:
        """Raises ValidationError where less than eight characters are left without the name."""
        left = password.lower()
        for word in self.WORDS:
            left = left.replace(word, "")
        if len(left) < self.LEAST and left != password.lower():
            raise ValidationError(self.get_help_text(), code="password_is_our_name")

    def get_help_text(self) -> str:
        return "Your password cannot be little more than the name of this site."


class DifferentCharacters:
    """Refuses a password of a few characters that come again and again, whatever its length."""

    LEAST = 5

    def validate(self, password: str, user=None) -> None:
        if len(set(password)) < self.LEAST:
            raise ValidationError(self.get_help_text(), code="password_too_uniform")

    def get_help_text(self) -> str:
        return f"Your password must have at least {self.LEAST} different characters."


# The login's limit, by django-axes; settings name these functions.


def login_address(request: HttpRequest) -> str | None:
    """The network address a login comes from, of IPv6 that of its network (/64); None where there
    is none.
    """
    try:
        return str(ip_network(counted_address(request)).network_address)
    except ValueError:
        return None


def login_words(username, address, user_agent, path_info, request) -> str:
    """Who tries to log in, for the log: the number of an account and a network, no person. What was
    typed as a name may be a password, and is for nobody's eyes. The whole address is on the page of
    the audit.
    """
    users = get_user_model()._default_manager.filter(username=username)
    pk = users.values_list("pk", flat=True).first()
    who = f"account {pk}" if pk else "no account of ours"
    return f"{who} from {network_of(address)}"


def network_of(address: str | None) -> str:
    """The network of an address, too wide to be a person's: /24 of IPv4, /48 of IPv6."""
    if not address:
        return "no address"
    wide = 24 if ip_address(address).version == 4 else 48
    return str(ip_network(f"{address}/{wide}", strict=False))


def locked_out(request: HttpRequest, response, credentials) -> HttpResponse:
    """The page of a login that is not listened to for a while."""
    from axes.handlers.proxy import AxesProxyHandler

    attempts = AxesProxyHandler.get_implementation().get_user_attempts(request, credentials)
    last = max((each.attempt_time for found in attempts for each in found), default=timezone.now())
    again_at = last + settings.LOGIN_WAIT
    seconds = max(1, round((again_at - timezone.now()).total_seconds()))
    context = {
        **site.each_context(request),
        "title": "Too many wrong passwords",
        "failures": settings.LOGIN_FAILURES,
        "minutes": -(-seconds // 60),
        "again_at": again_at,
        "next": request.POST.get("next", ""),
        HELD: request.POST.get(HELD, ""),
    }
    return TemplateResponse(
        request,
        "admin/locked_out.html",
        context,
        status=429,
        headers=NOT_KEPT | {"Retry-After": str(seconds)},
    ).render()

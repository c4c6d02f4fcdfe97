"""The second factor of curators: a code that an app on their telephone shows (TOTP, RFC 6238), or
one of ten kept on paper for the day the telephone is lost.

django-otp keeps the keys, makes each code good once, and makes whoever gives wrong ones wait longer
each time. Here is the page; `entrance.py` lets nobody past it.
"""

import logging
from base64 import b32encode
from collections.abc import Callable
from math import ceil

import django_otp
import segno
from django.conf import settings
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

logger = logging.getLogger(__name__)
SPARE_CODES = 10
NOT_KEPT = {"Cache-Control": "no-store"}
WRONG = "This is not the code of this moment, nor one of those kept for an emergency."
NO_REMOVAL = "This site asks a second factor of everybody; it can be made anew, not removed."

# Keys and codes are shown once, to their owner, and to nobody who reads tables.
admin.site.unregister([TOTPDevice, StaticDevice])


def has_factor(user) -> bool:
    """Whether somebody has set up a second factor."""
    return TOTPDevice.objects.filter(user=user, confirmed=True).exists()


def has_to_give_code(request: HttpRequest) -> bool:
    """Whether somebody who has logged in is let no further before they give a code: of those who
    have a second factor, and of all curators where the site asks it (`CASEBOOK_REQUIRE_TOTP`).
    """
    user = request.user
    if not (user.is_authenticated and user.is_staff):
        return False
    if getattr(user, "otp_device", None) is not None:
        return False
    if settings.REQUIRE_TOTP:
        return True
    if not hasattr(request, "has_factor"):  # asked once for each request
        request.has_factor = has_factor(user)
    return request.has_factor


class Wait(Exception):
    """Too many wrong codes were given; `seconds` until the next one is listened to."""

    def __init__(self, seconds: int):
        super().__init__(seconds)
        self.seconds = seconds


def accepted_by(user, code: str, *, confirmed: bool = True):
    """The device a code is of, None where it is of none. A code is good once. Raises Wait."""
    code = "".join(code.split()).lower()
    model = TOTPDevice if code.isascii() and code.isdecimal() else StaticDevice
    with transaction.atomic():
        devices = model.objects.devices_for_user(user, confirmed).select_for_update()
        for device in devices:
            allowed, why = device.verify_is_allowed()
            if not allowed:
                raise Wait(max(1, ceil((why["locked_until"] - timezone.now()).total_seconds())))
            if device.verify_token(code):
                return device
    return None


def new_key(user) -> TOTPDevice:
    """A key that counts only once a code of it has been given. One begun before is thrown away."""
    with transaction.atomic():
        TOTPDevice.objects.filter(user=user, confirmed=False).delete()
        return TOTPDevice.objects.create(user=user, name="app", confirmed=False)


def new_spare_codes(user) -> list[str]:
    """Ten codes, each good once; those of before are not any more."""
    with transaction.atomic():
        StaticDevice.objects.filter(user=user).delete()
        device = StaticDevice.objects.create(user=user, name="paper")
        codes = [StaticToken.random_token() for _ in range(SPARE_CODES)]
        StaticToken.objects.bulk_create([StaticToken(device=device, token=one) for one in codes])
    return codes


def remove_factor(user) -> bool:
    """Takes away the second factor of somebody, with the codes for an emergency; whether there was
    one.
    """
    with transaction.atomic():
        there_was = has_factor(user)
        for model in (TOTPDevice, StaticDevice):
            model.objects.filter(user=user).delete()
    return there_was


def note(user, message: str) -> None:
    """Writes down what happened to an account, where its history and the audit show it."""
    LogEntry.objects.create(
        user=user,
        content_type=get_content_type_for_model(user),
        object_id=str(user.pk),
        object_repr=str(user)[:200],
        action_flag=CHANGE,
        change_message=message,
    )


def spare_codes_left(user) -> int:
    return StaticToken.objects.filter(device__user=user, device__confirmed=True).count()


def as_picture(device: TOTPDevice) -> str:
    """The square an app reads its key from, as an address an <img> can show."""
    return segno.make(device.config_url, error="m").svg_data_uri(scale=5, border=4, light="#fff")


def as_text(device: TOTPDevice) -> str:
    """The same key, to be typed: groups of four."""
    key = b32encode(device.bin_key).decode().rstrip("=")
    return " ".join(key[start : start + 4] for start in range(0, len(key), 4))


def second_factor_page(
    request: HttpRequest,
    site: AdminSite,
    held: str,
    back_to: str,
    go_on: Callable[[HttpRequest], HttpResponse],
    asked: str = "",
) -> HttpResponse:
    """Asks for a code, sets a second factor up, or shows that there is one.

    `held` is what somebody had typed when they were asked, `back_to` where they were going;
    `go_on` answers whoever has given a code; `asked` is what a form of this page wants done.
    """
    user = request.user
    shown = {"held": held, "next": back_to, "required": settings.REQUIRE_TOTP, "problem": ""}
    if asked == "go_on" and not has_to_give_code(request):
        return go_on(request)
    try:
        if not has_factor(user):
            return set_up(request, site, asked, shown)
        if has_to_give_code(request):
            if asked == "code" and let_in(request):
                return go_on(request)
        elif asked == "codes" and let_in(request):
            codes = new_spare_codes(user)
            note(user, "Made new codes for an emergency; those of before are void.")
            return page(request, site, shown | {"codes": codes})
        elif asked == "remove":
            if settings.REQUIRE_TOTP:
                shown["problem"] = NO_REMOVAL
            elif let_in(request):
                remove_factor(user)
                note(user, "Removed the second factor.")
                user.otp_device = None
                return HttpResponseRedirect(request.path)
        if asked in ("code", "codes", "remove"):
            shown["problem"] = shown["problem"] or WRONG
    except Wait as wait:
        shown["problem"] = wait_words(wait)
    if has_to_give_code(request):
        return page(request, site, shown | {"asks": True})
    return page(request, site, shown | {"has_one": True, "left": spare_codes_left(user)})


def set_up(request: HttpRequest, site: AdminSite, asked: str, shown: dict) -> HttpResponse:
    """Shows a new key; once a code of it is given, it counts. Raises Wait."""
    user = request.user
    begun = TOTPDevice.objects.filter(user=user, confirmed=False).first()
    if asked == "confirm" and begun is not None:
        try:
            device = accepted_by(user, request.POST.get("code", ""), confirmed=False)
            shown["problem"] = WRONG
        except Wait as wait:
            device, shown["problem"] = None, wait_words(wait)
        if isinstance(device, TOTPDevice):
            device.confirmed = True
            device.save(update_fields=["confirmed"])
            remember(request, device)
            codes = new_spare_codes(user)
            note(user, "Set up a second factor.")
            return page(request, site, shown | {"problem": "", "codes": codes, "is_new": True})
    else:
        begun = new_key(user)
    key = {"picture": as_picture(begun), "key": as_text(begun)}
    return page(request, site, shown | key)


def let_in(request: HttpRequest) -> bool:
    """Whether the code that was sent is one; if so, whoever sent it is let in. Raises Wait."""
    user = request.user
    device = accepted_by(user, request.POST.get("code", ""))
    if device is None:
        logger.warning("A wrong code of the second factor was given for account %s.", user.pk)
        note(user, "Gave a wrong code of the second factor.")
        return False
    remember(request, device)
    if isinstance(device, StaticDevice):
        left = spare_codes_left(user)
        note(user, f"Used a code kept for an emergency; {left} are left.")
    return True


def remember(request: HttpRequest, device) -> None:
    """Notes in the session that a code was given, under a new name of the session."""
    request.session.cycle_key()
    django_otp.login(request, device)


def wait_words(wait: Wait) -> str:
    return (
        f"Too many wrong codes. The next one is listened to in {wait.seconds} "
        f"second{'' if wait.seconds == 1 else 's'}."
    )


def page(request: HttpRequest, site: AdminSite, context: dict) -> HttpResponse:
    shown = {**site.each_context(request), "title": "Second factor", **context}
    status = 403 if context["held"] else 200
    return TemplateResponse(
        request, "admin/second_factor.html", shown, status=status, headers=NOT_KEPT
    )

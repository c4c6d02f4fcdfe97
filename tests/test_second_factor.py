"""The second factor: nobody gets past it, nobody loses what they typed over it, and somebody who
loses their telephone gets in again.
"""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from evidence.models import Patient

from .factories import make_collection, make_patient, make_study
from .test_drafts_admin import form_values
from .test_login import given_back, held_in, try_password, words

pytestmark = pytest.mark.django_db
PAGE = "/admin/second-factor/"


@pytest.fixture
def ada(django_user_model):
    return django_user_model.objects.create_superuser("ada", password="the right one")


def logged_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def code_of(device: TOTPDevice, *, steps: int = 0) -> str:
    return f"{totp(device.bin_key, drift=device.drift + steps):06}"


def next_code(user) -> str:
    """A code of the app that has not been used yet, of a device that has not to wait."""
    device = TOTPDevice.objects.get(user=user)
    device.last_t, device.throttling_failure_count = -1, 0
    device.throttling_failure_timestamp = None
    device.save()
    return code_of(device)


def give(client, code: str, action: str = "code", **more):
    return client.post(PAGE, {"action": action, "code": code, "next": ""} | more)


def set_up(client, user) -> list[str]:
    """Sets a second factor up as somebody does it, and gives the codes for an emergency."""
    assert client.get(PAGE).status_code == 200
    page = give(client, code_of(TOTPDevice.objects.get(user=user)), "confirm")
    return re.findall(r"<li><code>(\w+)</code>", page.content.decode())


@pytest.fixture
def with_factor(ada) -> list[str]:
    """ada has a second factor; her codes for an emergency."""
    return set_up(logged_in(ada), ada)


def is_in(client) -> bool:
    return client.get("/admin/").status_code == 200


def test_it_is_set_up_with_the_key_that_is_shown_and_a_code_of_it(ada):
    client = logged_in(ada)
    shown = client.get(PAGE)
    assert (
        "no-store" in shown["Cache-Control"] and 'src="data:image/svg+xml' in shown.content.decode()
    )
    device = TOTPDevice.objects.get()
    assert not device.confirmed and is_in(client), "begun is not set up"
    from base64 import b32decode

    (key,) = re.findall(r'class="totp-key">([^<]+)<', shown.content.decode())
    assert b32decode(key.replace(" ", "")) == device.bin_key
    wrong = give(client, "000000", "confirm")
    assert "not the code of this moment" in words(wrong) and key in wrong.content.decode()
    done = give(client, next_code(ada), "confirm")
    codes = re.findall(r"<li><code>(\w+)</code>", done.content.decode())
    assert len(set(codes)) == 10 and "no-store" in done["Cache-Control"]
    assert is_in(client), "whoever has set it up has given a code"
    assert codes[0] not in client.get(PAGE).content.decode(), "they are shown once"
    assert "10 codes for an emergency are left" in words(client.get(PAGE))


def test_a_password_alone_opens_nothing_any_more(ada, with_factor):
    client = Client()
    landed = try_password(client, "the right one")
    assert landed.status_code == 302 and landed["Location"] == f"{PAGE}?next=%2Fadmin%2F"
    for address in (
        "/admin/",
        "/admin/work/",
        "/admin/audit/",
        "/admin/auth/user/",
        "/admin/jsi18n/",
    ):
        turned_away = client.get(address)
        assert turned_away.status_code == 302 and turned_away["Location"].startswith(PAGE), address
    assert client.get("/admin/login/")["Location"].startswith(PAGE)
    assert "user-tools" not in client.get(PAGE).content.decode()
    assert give(client, next_code(ada), next="/admin/work/")["Location"] == "/admin/work/"
    assert is_in(client)


def test_a_code_is_good_once_and_a_wrong_one_opens_nothing(ada, with_factor):
    client, code = logged_in(ada), next_code(ada)
    assert "not the code" in words(give(client, "123" if code != "123" else "124"))
    assert not is_in(client)
    code = next_code(ada)
    assert give(client, code[:3] + " " + code[3:]).status_code == 302, "as apps show it"
    other = logged_in(ada)
    assert give(other, code).status_code == 200 and not is_in(other)


def test_whoever_guesses_waits_longer_each_time(ada, with_factor):
    client = logged_in(ada)
    give(client, "000000")
    told = words(give(client, "000001"))
    assert re.search(r"The next one is listened to in \d+ seconds?\.", told)
    right = code_of(TOTPDevice.objects.get())
    assert give(client, right).status_code == 200 and not is_in(client), "not even the right one"


def test_a_wrong_code_is_logged_without_the_code_and_the_name(ada, with_factor, caplog):
    give(logged_in(ada), "987654")
    assert f"for account {ada.pk}." in caplog.text
    assert "987654" not in caplog.text and "ada" not in caplog.text
    assert LogEntry.objects.first().change_message == "Gave a wrong code of the second factor."


def test_a_code_on_paper_opens_once(ada, with_factor):
    client = logged_in(ada)
    assert give(client, with_factor[3].upper()).status_code == 302 and is_in(client)
    assert "9 are left" in LogEntry.objects.first().change_message
    other = logged_in(ada)
    assert give(other, with_factor[3]).status_code == 200 and not is_in(other)


def test_codes_of_somebody_else_open_nothing(ada, with_factor, django_user_model):
    bea = django_user_model.objects.create_superuser("bea", password="x")
    set_up(logged_in(bea), bea)
    client = logged_in(bea)
    for code in (with_factor[0], code_of(TOTPDevice.objects.get(user=ada), steps=1)):
        give(client, code)
        StaticDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
        TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    assert not is_in(client)


def test_new_codes_and_removal_take_a_code(ada, with_factor):
    client = logged_in(ada)
    give(client, next_code(ada))
    for action in ("codes", "remove"):
        assert "not the code" in words(give(client, "000000", action))
        next_code(ada)
    assert StaticToken.objects.count() == 10 and TOTPDevice.objects.count() == 1
    page = give(client, next_code(ada), "codes")
    new = re.findall(r"<li><code>(\w+)</code>", page.content.decode())
    assert len(new) == 10 and not set(new) & set(with_factor)
    assert give(client, next_code(ada), "remove").status_code == 302
    assert not TOTPDevice.objects.exists() and not StaticToken.objects.exists()
    assert is_in(logged_in(ada))


def test_before_the_code_nobody_makes_new_ones_or_takes_it_away(ada, with_factor):
    client = logged_in(ada)
    for action in ("codes", "remove", "go_on", "confirm"):
        give(client, "000000", action)
    assert not is_in(client) and TOTPDevice.objects.filter(confirmed=True).count() == 1
    assert set(StaticToken.objects.values_list("token", flat=True)) == set(with_factor)


def test_where_the_site_asks_it_of_everybody_nobody_gets_in_without(ada, settings):
    settings.REQUIRE_TOTP = True
    client = logged_in(ada)
    turned_away = client.get("/admin/work/")
    assert turned_away["Location"] == f"{PAGE}?next=%2Fadmin%2Fwork%2F"
    assert "This site asks a second factor of everybody" in words(client.get(PAGE))
    assert len(set_up(client, ada)) == 10 and is_in(client)
    assert "can be made anew, not removed" in words(give(client, next_code(ada), "remove"))
    assert TOTPDevice.objects.count() == 1


def test_readers_and_accounts_without_a_way_in_are_asked_nothing(
    client, django_user_model, settings
):
    settings.REQUIRE_TOTP = True
    assert client.get("/published/").status_code == 200
    assert client.get(PAGE)["Location"].startswith("/admin/login/")
    reader = django_user_model.objects.create_user("reader", password="x")
    assert logged_in(reader).get(PAGE)["Location"].startswith("/admin/login/")
    client.force_login(reader)
    assert client.get("/published/patients/").status_code == 200


def test_readers_pay_nothing_for_it(client, published):
    client.get("/published/")
    with CaptureQueriesContext(connection) as captured:
        client.get("/published/patients/")
    assert not [each for each in captured if "otp" in each["sql"]]


def test_somebody_who_has_not_given_a_code_can_log_out(ada, with_factor):
    client = logged_in(ada)
    assert "Log out" in words(client.get(PAGE))
    client.post("/admin/logout/")
    assert client.get(PAGE)["Location"].startswith("/admin/login/")


@pytest.mark.parametrize(
    "back_to", ["https://evil.example/", "//evil.example/admin/", "/published/"]
)
def test_it_leads_nowhere_but_into_the_entrance(ada, with_factor, back_to):
    assert give(logged_in(ada), next_code(ada), next=back_to)["Location"] == "/admin/"


# What was typed


@pytest.fixture
def typed(ada):
    """A form that was filled in, and sent after the session had ended."""
    patient = make_patient(make_study(make_collection()), age_years=61)
    address = reverse("admin:evidence_patient_change", args=[patient.pk])
    values = form_values(logged_in(ada).get(address)) | {"age_years": "62", "_save": "Save"}
    return patient, address, values


def test_what_was_typed_survives_password_and_code(ada, typed, with_factor):
    patient, address, values = typed
    client = Client()
    held = held_in(client.post(address, values))
    asked = try_password(client, "the right one", data={"held": held, "next": address})
    assert asked.status_code == 403 and "Nothing you typed is lost" in words(asked)
    wrong = give(client, "000000", held=held_in(asked), next=address)
    assert held_in(wrong) == held
    where, fields = given_back(give(client, next_code(ada), held=held, next=address))
    assert where == address and client.post(where, fields).status_code == 302
    patient.refresh_from_db()
    assert patient.age_years == 62


def test_a_form_sent_when_a_code_is_asked_from_now_on_is_held(ada, typed, settings):
    patient, address, values = typed
    client = logged_in(ada)
    settings.REQUIRE_TOTP = True
    asked = client.post(address, values)
    assert asked.status_code == 403 and Patient.objects.get(pk=patient.pk).age_years == 61
    held = held_in(asked)
    done = give(client, code_of(TOTPDevice.objects.get()), "confirm", held=held, next=address)
    assert held_in(done) == held
    where, fields = given_back(
        client.post(PAGE, {"action": "go_on", "held": held, "next": address})
    )
    client.post(where, fields)
    assert Patient.objects.get(pk=patient.pk).age_years == 62


def test_a_code_page_whose_token_is_old_asks_again(ada, with_factor):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    own = {"origin": "http://testserver"}
    sent = {"action": "code", "code": next_code(ada), "csrfmiddlewaretoken": "x" * 64}
    assert client.post(PAGE, sent, headers=own)["Location"] == PAGE
    assert client.post(PAGE, sent, headers={"origin": "https://evil.example"}).status_code == 403
    assert not is_in(client)
    page = client.post(PAGE, sent | {"held": "typed", "next": "/admin/"}, headers=own)
    assert held_in(page) == "typed"


# Whoever has lost everything


def test_the_operator_removes_it(ada, with_factor, capsys):
    call_command("remove_second_factor", "ada")
    assert "is removed" in capsys.readouterr().out
    assert is_in(logged_in(ada)) and not StaticToken.objects.exists()
    assert "on the server" in LogEntry.objects.first().change_message
    call_command("remove_second_factor", "ada")
    assert "has no second factor" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no account “nobody”"):
        call_command("remove_second_factor", "nobody")


def test_sessions_that_had_given_a_code_have_to_give_one_again(ada, with_factor, settings):
    client = logged_in(ada)
    give(client, next_code(ada))
    settings.REQUIRE_TOTP = True
    assert is_in(client)
    call_command("remove_second_factor", "ada", verbosity=0)
    assert not is_in(client)


def test_keys_and_codes_stand_in_no_table_of_the_admin(ada):
    client = logged_in(ada)
    for name in ("otp_totp/totpdevice", "otp_static/staticdevice"):
        assert client.get(f"/admin/{name}/").status_code == 404


# Sessions and passwords


def test_a_session_ends_twelve_hours_after_its_login_whatever_is_done_in_it(ada):
    client = Client()
    try_password(client, "the right one")
    ends = client.session.get_expiry_date()
    assert timedelta(hours=11, minutes=59) < ends - timezone.now() <= timedelta(hours=12)
    session = client.session
    session["seen"] = "later"
    session.save()
    assert client.session.get_expiry_date() == ends
    cookie = client.cookies["casebook-session"]
    assert 0 < int(cookie["max-age"]) <= 12 * 60 * 60
    assert is_in(client)
    session["_session_expiry"] = (timezone.now() - timedelta(seconds=1)).isoformat()
    session.save()
    assert not is_in(client)


@pytest.mark.parametrize(
    "password",
    [
        "casebook",
        "Casebook2026",
        "casebookcasebook",
        "password1234",
        "1234567890123",
        "elevenchars",
        "ada.lovelace",
    ],
)
def test_passwords_that_are_guessed_first_are_refused(password, django_user_model):
    user = django_user_model(username="ada.lovelace", email="ada@example.org")
    with pytest.raises(ValidationError):
        validate_password(password, user)


@pytest.mark.parametrize("password", ["correct horse battery", "casebook of the old duke"])
def test_long_ones_are_taken(password, django_user_model):
    validate_password(password, django_user_model(username="ada.lovelace"))

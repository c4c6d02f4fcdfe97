"""The curators' login: nobody can go on guessing, and nobody loses what they typed."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from evidence.api.throttling import client_address, counted_address
from evidence.entrance import login_address
from evidence.models import Patient

from .factories import make_collection, make_patient, make_study

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"


@pytest.fixture
def ada(django_user_model):
    return django_user_model.objects.create_superuser("ada", password="the right one")


def try_password(client, password: str, username: str = "ada", **more):
    data = {"username": username, "password": password, "next": "/admin/"}
    return client.post(LOGIN, data | more.pop("data", {}), **more)


def guess(client, times: int, **more):
    for _ in range(times):
        response = try_password(client, "a guess", **more)
    return response


def words(response) -> str:
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split()))


def test_after_five_wrong_passwords_even_the_right_one_is_not_listened_to(client, ada):
    assert guess(client, 4).status_code == 200
    fifth = guess(client, 1)
    assert fifth.status_code == 429
    assert "5 wrong passwords were given for this name from this network address" in words(fifth)
    assert re.search(r"Try again in 15 minutes, after \d\d:\d\d UTC", words(fifth))
    assert 0 < int(fifth["Retry-After"]) <= 15 * 60
    assert "no-store" in fifth["Cache-Control"]
    assert try_password(client, "the right one").status_code == 429
    assert client.get("/admin/").status_code == 302


def test_after_the_wait_the_right_password_opens(client, ada):
    guess(client, 6)
    for attempt in AccessAttempt.objects.all():
        AccessAttempt.objects.filter(pk=attempt.pk).update(
            attempt_time=attempt.attempt_time - timedelta(minutes=16)
        )
    assert try_password(client, "the right one").status_code == 302
    assert client.get("/admin/").status_code == 200


def test_trying_on_does_not_make_the_wait_longer(client, ada):
    guess(client, 5)
    before = AccessAttempt.objects.get().attempt_time
    guess(client, 3)
    assert AccessAttempt.objects.get().attempt_time == before


def test_a_right_password_is_a_new_start(client, ada):
    guess(client, 4)
    assert try_password(client, "the right one").status_code == 302
    client.logout()
    assert guess(client, 4).status_code == 200


def test_another_name_and_another_address_are_not_concerned(client, ada, django_user_model):
    django_user_model.objects.create_superuser("bea", password="the right one")
    guess(client, 5)
    assert try_password(client, "the right one", "bea").status_code == 302
    client.logout()
    assert try_password(client, "the right one", REMOTE_ADDR="192.0.2.7").status_code == 302


def test_a_name_that_nobody_has_is_told_the_same(client, ada):
    told = [words(guess(client, 5, username=name)) for name in ("nobody", "ada")]
    assert len({re.sub(r"\d", "", each) for each in told}) == 1


def test_how_many_and_how_long_is_for_the_operator_to_say(client, ada, settings):
    settings.AXES_FAILURE_LIMIT = settings.LOGIN_FAILURES = 2
    settings.AXES_COOLOFF_TIME = settings.LOGIN_WAIT = timedelta(minutes=1)
    told = guess(client, 2)
    assert told.status_code == 429 and "Try again in 1 minute," in words(told)


def test_a_failed_login_is_logged_without_password_or_name(client, ada, caplog):
    try_password(client, "p4ssword-typed", username="ada\nINFO all is well")
    assert "no account of ours from 127.0.0.0/24" in caplog.text
    assert "p4ssword-typed" not in caplog.text
    assert "INFO all is well" not in caplog.text, "what was typed as a name may be a password"
    try_password(client, "p4ssword-typed", REMOTE_ADDR="2001:db8:1:2::3")
    assert f"account {ada.pk} from 2001:db8:1::/48" in caplog.text
    assert '"ada"' not in caplog.text and "'ada'" not in caplog.text
    kept = AccessAttempt.objects.first()
    assert "p4ssword-typed" not in kept.post_data + kept.get_data


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),  # not a proxy of ours: its word is not taken
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),  # the last one the proxy wrote itself
        ("10.0.0.1", "nonsense", None),
        ("", "203.0.113.9", None),  # a socket of this machine
        ("10.0.0.1", "2001:db8::7", "2001:db8::"),  # its network, /64
        ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_only_named_proxies_say_where_a_login_comes_from(rf, settings, peer, forwarded, address):
    settings.PROXIES = ["10.0.0.0/8"]
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": 1}
    request = rf.post(LOGIN, REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)
    assert login_address(request) == address
    if address:
        assert counted_address(request).removesuffix("/64") == address, "limits count by the same"
        assert client_address(request) == (peer if peer == address else forwarded.split(", ")[-1])


def test_a_customer_of_many_ipv6_addresses_has_five_tries(client, ada):
    for number in range(4):
        assert guess(client, 1, REMOTE_ADDR=f"2001:db8::{number}").status_code == 200
    assert guess(client, 1, REMOTE_ADDR="2001:db8::ffff:1").status_code == 429
    assert guess(client, 1, REMOTE_ADDR="2001:db8:0:1::1").status_code == 200


@pytest.mark.parametrize("password", ["aaaaaaaaaaaa", "adaadaadaada", "121212121212a"])
def test_a_password_has_different_characters(password):
    with pytest.raises(ValidationError, match="at least 5 different characters"):
        validate_password(password)


def test_a_login_without_an_address_is_limited_too(client, ada):
    assert guess(client, 5, REMOTE_ADDR="").status_code == 429


def test_readers_pay_nothing_for_it(client, published):
    client.get("/published/")
    with CaptureQueriesContext(connection) as captured:
        client.get("/published/patients/")
    assert not [each for each in captured if "axes" in each["sql"] or "historical" in each["sql"]]


# What was typed when the session had ended


@pytest.fixture
def typed(ada, client):
    """A form that was filled in, and sent after the session had ended."""
    patient = make_patient(make_study(make_collection()), age_years=61)
    address = reverse("admin:evidence_patient_change", args=[patient.pk])
    client.force_login(ada)
    from .test_drafts_admin import form_values

    values = form_values(client.get(address)) | {"age_years": "62", "_save": "Save"}
    client.logout()
    return patient, address, values


def held_in(response) -> str:
    (value,) = re.findall(r'name="held" value="([^"]*)"', response.content.decode())
    return unescape(value)


def given_back(response) -> tuple[str, dict]:
    """Where the page sends what was held, and the fields."""
    body = response.content.decode()
    form = re.search(
        r'<form method="post" action="(/admin/evidence/[^"]*)">(.*?)</form>', body, re.S
    )
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', form[2]):
        fields.setdefault(unescape(name), []).append(unescape(value))
    return form[1], fields


def test_what_was_typed_survives_the_end_of_a_session(client, typed):
    patient, address, values = typed
    asked = client.post(address, values)
    assert asked.status_code == 403 and "Nothing you typed is lost" in words(asked)
    wrong = try_password(client, "wrong", data={"held": held_in(asked), "next": address})
    assert held_in(wrong) == held_in(asked), "a wrong password does not lose it"
    page = try_password(client, "the right one", data={"held": held_in(wrong), "next": address})
    where, fields = given_back(page)
    assert where == address and "has not been saved yet" in words(page)
    assert client.post(where, fields).status_code == 302
    patient.refresh_from_db()
    assert patient.age_years == 62


def test_a_wait_loses_nothing_either(client, typed):
    _, address, values = typed
    held = held_in(client.post(address, values))
    locked = guess(client, 5, data={"held": held})
    assert locked.status_code == 429 and held_in(locked) == held


def test_passwords_are_not_carried(client, ada):
    change = reverse("admin:auth_user_password_change", args=[ada.pk])
    asked = client.post(change, {"password1": "a new secret", "password2": "a new secret"})
    assert "a new secret" not in asked.content.decode()


def test_an_open_form_whose_token_is_of_the_session_before_is_handed_back(ada, typed):
    """Somebody has logged in again in another window, which makes the token of this one old."""
    from django.test import Client

    _, address, values = typed
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    client.get(address)
    sent = values | {"csrfmiddlewaretoken": "x" * 64}
    own = client.post(address, sent, headers={"origin": "http://testserver"})
    where, fields = given_back(own)
    assert where == address
    assert client.post(where, fields, headers={"origin": "http://testserver"}).status_code == 302
    for foreign in ("https://elsewhere.example", "null", None):
        headers = {"origin": foreign} if foreign else {}
        refused = client.post(address, sent, headers=headers)
        assert refused.status_code == 403 and "age_years" not in refused.content.decode()


@pytest.mark.parametrize(
    "held",
    [
        "",
        "no json",
        "[]",
        json.dumps({"path": "https://elsewhere.example/admin/", "fields": []}),
        json.dumps({"path": "//elsewhere.example/admin/", "fields": []}),
        json.dumps({"path": "/admin/../elsewhere", "fields": 1}),
        json.dumps({"path": "/published/", "fields": []}),
    ],
)
def test_what_is_no_form_of_ours_is_not_sent_anywhere(client, ada, held):
    done = try_password(client, "the right one", data={"held": held})
    assert done.status_code == 302 and done["Location"] == "/admin/"


def test_what_was_typed_is_shown_as_text(client, typed):
    _, address, values = typed
    asked = client.post(address, values | {"notes": '"><script>alert(1)</script>'})
    assert "<script>alert" not in asked.content.decode()
    assert Patient.objects.filter(notes="").exists()

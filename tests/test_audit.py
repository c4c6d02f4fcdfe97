"""The audit: who did what when, from what is kept anyway."""

import re
from datetime import timedelta
from html import unescape

import pytest
from axes.models import AccessFailureLog, AccessLog
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evidence.curation import drafts
from evidence.curation.drafts import Author
from evidence.curation.signing import sign
from evidence.models import Meaning, SecondEntry

from . import drafting
from .test_login import try_password

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
AUDIT = "/admin/audit/"


@pytest.fixture
def ada(django_user_model):
    return django_user_model.objects.create_superuser("ada", password="the right one")


@pytest.fixture
def bea(django_user_model):
    return django_user_model.objects.create_superuser("bea", password="the right one")


@pytest.fixture
def entered(ada) -> Client:
    client = Client()
    client.force_login(ada)
    return client


def rows(response) -> list[str]:
    """The lines of the list, as text."""
    found = re.findall(r"<tr>\s*<td.*?</tr>", response.content.decode(), re.S)
    return [unescape(" ".join(re.sub(r"<[^>]+>", " ", row).split())) for row in found]


def told(client, **words) -> list[str]:
    response = client.get(AUDIT, words)
    assert response.status_code == 200
    return rows(response)


def test_logins_and_failed_ones_are_told_with_their_addresses(entered, bea):
    assert try_password(Client(), "a guess", "bea", REMOTE_ADDR="192.0.2.9").status_code == 200
    other = Client()
    try_password(other, "the right one", "bea", REMOTE_ADDR="192.0.2.7")
    other.post("/admin/logout/", REMOTE_ADDR="192.0.2.7")
    newest, before, *_ = told(entered)
    assert "bea Logged in; logged out" in newest and "192.0.2.7" in newest
    assert "bea Gave a wrong password from 192.0.2.9" in before
    assert "a guess" not in "".join(told(entered))


def test_what_was_typed_as_a_name_is_told_where_it_is_one(entered):
    try_password(Client(), "x", "correct horse battery")
    (line,) = told(entered, kind="failed")
    assert "a name that no account has" in line and "horse" not in line


def test_forms_versions_and_signatures_are_told(entered, ada, draft, published):
    draft.refresh_from_db()
    saved = drafts.save_draft(
        draft,
        drafting.beispiel(title="Corrected"),
        based_on=draft.head.number,
        author=Author(user=ada),
        message="Title as printed.",
    )
    draft.refresh_from_db()
    sign(draft, Meaning.SUBMITTED, based_on=draft.head.number, user=ada, remark="Table 2 as well.")
    address = f"/admin/evidence/collection/{published.pk}/change/"
    from .test_drafts_admin import form_values

    sent = form_values(entered.get(address)) | {"description": "Told otherwise.", "_save": "Save"}
    assert entered.post(address, sent).status_code == 302
    lines = told(entered, person="ada")
    assert f"ada Saved version {saved.number} (Draft;" in "".join(lines)
    assert "Title as printed." in "".join(lines) and "study beispiel-2027, work" in "".join(lines)
    (signed,) = told(entered, person="ada", kind="signature")
    assert f"ada Sent to be checked (version {saved.number}): Table 2 as well." in signed
    assert any("Changed Description" in line and "collection" in line for line in lines)
    assert told(entered, person="ada", kind="version") == [
        line for line in lines if "Saved version" in line
    ]
    assert all("Saved version" not in line for line in told(entered, kind="form"))


def test_it_is_filtered_by_person_and_by_date(entered, ada, bea):
    now = timezone.now()
    AccessLog.objects.all().delete()
    for user, days in ((ada, 0), (ada, 5), (bea, 5), (bea, 9)):
        login = AccessLog.objects.create(
            username=user.username, ip_address="192.0.2.1", http_accept="", path_info=""
        )
        AccessLog.objects.filter(pk=login.pk).update(attempt_time=now - timedelta(days=days))

    def day(days: int) -> str:
        return f"{now - timedelta(days=days):%Y-%m-%d}"

    def counted(**words) -> int:
        return len(told(entered, kind="login", **words))

    assert (counted(), counted(person="ada"), counted(person="bea")) == (4, 2, 2)
    assert (counted(since=day(5)), counted(until=day(5)), counted(until=day(9))) == (3, 3, 1)
    assert counted(since=day(5), until=day(5)) == 2
    assert counted(person="bea", since=day(5), until=day(5)) == 1
    assert counted(since=day(4), until=day(1)) == 0


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"person": "nobody"}, "valid choice"),
        ({"kind": "everything"}, "valid choice"),
        ({"since": "yesterday"}, "valid date"),
        ({"since": "2026-02-02", "until": "2026-02-01"}, "before the day it begins with"),
        ({"until": "9999-12-31"}, "less than or equal to"),
        ({"since": "0001-01-01"}, "greater than or equal to"),
        ({"who": "ada"}, "“who” is no word of this address"),
    ],
)
def test_a_wrong_question_is_said_to_be_one(entered, words, problem):
    asked = entered.get(AUDIT, words)
    assert asked.status_code == 400 and problem in asked.content.decode() and not rows(asked)


def test_what_was_typed_as_a_name_has_no_table_of_its_own(entered):
    for name in ("accessattempt", "accesslog", "accessfailurelog"):
        assert entered.get(f"/admin/axes/{name}/").status_code == 404


def test_long_lists_come_in_pages_that_cost_the_same(entered, ada):
    def costs(**words) -> int:
        with CaptureQueriesContext(connection) as captured:
            entered.get(AUDIT, words)
        return len(captured)

    AccessLog.objects.all().delete()
    for _ in range(2):
        AccessLog.objects.create(username="ada", http_accept="", path_info="")
        LogEntry.objects.create(user=ada, action_flag=1, object_repr="one")
    few = costs(person="ada")
    for number in range(60):
        AccessLog.objects.create(username="ada", http_accept="", path_info="")
        LogEntry.objects.create(user=ada, action_flag=1, object_repr=f"number {number}")
        AccessFailureLog.objects.create(username="ada", http_accept="", path_info="")
    assert costs(person="ada") <= few + 2  # failures, and whose names they are
    pages = [told(entered, person="ada", page=str(number)) for number in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [50, 50, 50, 34]
    last = entered.get(AUDIT, {"person": "ada", "page": "4"}).content.decode()
    assert "Page 4 of 4" in last and "?person=ada&amp;page=3" in last and "184 entries" in last


def test_it_is_for_those_who_may_see_the_log_of_the_admin(entered, django_user_model):
    user = django_user_model.objects.create_user("cleo", password="x", is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(AUDIT).status_code == 403
    assert AUDIT not in client.get("/admin/").content.decode()
    user.user_permissions.add(Permission.objects.get(codename="view_logentry"))
    assert client.get(AUDIT).status_code == 200
    assert AUDIT in client.get("/admin/").content.decode()
    assert Client().get(AUDIT).status_code == 302


def test_who_enters_a_study_a_second_time_is_not_told_of_the_first(entered, ada, draft):
    LogEntry.objects.create(user=ada, action_flag=1, object_repr="of no record")
    assert any("beispiel-2027" in line for line in told(entered))
    SecondEntry.objects.create(draft=draft, user=ada, user_name="ada", begun_at=timezone.now())
    page = entered.get(AUDIT)
    assert not any("beispiel-2027" in line for line in rows(page))
    assert "until you have finished" in page.content.decode()
    assert any("of no record" in line for line in rows(page))


def test_what_was_typed_as_a_name_stands_in_no_other_table_of_the_admin(entered):
    for name in ("accesslog", "accessfailurelog"):
        assert entered.get(f"/admin/axes/{name}/").status_code == 404


def test_an_empty_list_says_so(entered):
    assert "Nobody did anything" in entered.get(AUDIT, {"kind": "signature"}).content.decode()

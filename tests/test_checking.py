"""Comparing a study with its source value by value: what is asked, what is kept, who may."""

import json
import re
from html import unescape

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse

from evidence.curation import checking, drafts
from evidence.curation.checking import groups_to_check, progress_of, remarks_of, say_of_cell
from evidence.curation.drafts import Author
from evidence.curation.dumping import dump_evidence, load_drafts
from evidence.curation.opening import close_files
from evidence.models import CheckedCell, Meaning, Signature, StudyDraft
from evidence.models.checking import CELLS_STAY
from evidence.models.signing_guards import AUTHOR_SIGNS, NAME_OF_SIGNER

from .drafting import beispiel, keep, record, with_cell
from .test_signing import refused, say, sql

pytestmark = pytest.mark.django_db

AGE = "Patients|beispiel-2027-1|age_years"
PLACED = record(
    "provenance",
    study=["work", "beispiel-2027"],
    number=1,
    patient=["beispiel-2027-1"],
    field="age_years",
    locator="Table 1, p. 3",
    method="converted",
    note="From months.",
)


@pytest.fixture
def people(django_user_model) -> dict:
    users = {}
    for name, group in (("alice", "Extractors"), ("bob", "Checkers"), ("carl", "Checkers")):
        users[name] = django_user_model.objects.create(username=name, is_staff=True)
        users[name].groups.add(Group.objects.get(name=group))
    return users


@pytest.fixture
def alice(people):
    return people["alice"]


@pytest.fixture
def bob(people):
    return people["bob"]


@pytest.fixture
def entered(work, alice) -> StudyDraft:
    draft = drafts.open_draft(work, "beispiel-2027", Author(alice))
    keep(draft, beispiel(PLACED), Author(alice))
    return draft


def cells(draft) -> dict:
    draft.refresh_from_db()
    return {cell.name: cell for group in groups_to_check(draft) for cell in group.cells}


def tell(draft, name, user, remark="") -> CheckedCell:
    draft.refresh_from_db()
    number = draft.head.number
    return say_of_cell(draft, name, number=number, agrees=not remark, remark=remark, user=user)


def agree_all(draft, user) -> None:
    for name in cells(draft):
        tell(draft, name, user)


def address(name="check") -> str:
    return reverse(f"admin:{name}", args=["work", "beispiel-2027"])


def text_of(answer) -> str:
    """The page as it is read, with its fields, but without what only marks it up."""
    body = re.sub(r"</?(span|strong)[^>]*>", "", answer.content.decode())
    return unescape(" ".join(body.split()))


def texts(page: str) -> str:
    """A page without its tags."""
    return " ".join(re.sub(r"<[^>]*>", "", page).split())


def page(client, user, query="") -> str:
    client.force_login(user)
    return text_of(client.get(address() + query))


def send(client, draft, script=False, **data):
    draft.refresh_from_db()
    headers = {"accept": "application/json"} if script else {}
    data = {"based_on": draft.head.number} | data
    return client.post(address("check_say"), data, headers=headers, follow=not script)


# What is asked.


def test_every_cell_that_says_something_is_asked_once_by_patient(entered):
    said = {name: (cell.text, cell.place) for name, cell in cells(entered).items()}
    assert said == {
        "Studies|beispiel-2027|short_name": ("Beispiel 2027", ""),
        "Studies|beispiel-2027|year": ("2027", ""),
        "Studies|beispiel-2027|design": ("Case report", ""),
        "Studies|beispiel-2027|extraction": ("Full text", ""),
        "Patients|beispiel-2027-1|label": ("Case 1", ""),
        AGE: ("61", "Table 1, p. 3"),
        "Courses|beispiel-2027-1 / 1|inhibitor": ("tofacitinib", ""),
        "Courses|beispiel-2027-1 / 1|indications": ("Interstitial lung disease (ILD)", ""),
    }
    assert cells(entered)[AGE].note == "Converted. From months."
    course = cells(entered)["Courses|beispiel-2027-1 / 1|inhibitor"]
    assert course.label == "beispiel-2027-1, course 1: inhibitor"
    titles = [group.title for group in groups_to_check(entered)]
    assert titles == ["The study", "beispiel-2027-1"]


def test_that_there_is_nothing_is_asked_too_and_once(entered, alice):
    """“Not reported” and “none” are statements somebody has to have looked for."""
    document = json.loads(json.dumps(entered.head.content))
    patient = next(one for one in document if one["model"] == "evidence.patient")
    patient["states"] = {"sex": "not_reported", "autoantibodies_completeness": "not_reported"}
    patient["fields"]["prior_therapies_completeness"] = "none"
    keep(entered, document, Author(alice))
    texts = {name: cell.text for name, cell in cells(entered).items() if name.startswith("Pat")}
    one = "Patients|beispiel-2027-1|"
    assert texts == {
        f"{one}label": "Case 1",
        f"{one}age_years": "61",
        f"{one}sex": "NR",
        f"{one}prior_therapies": "none",
        f"{one}autoantibodies_present": "NR",
    }


def test_what_belongs_to_no_patient_is_asked_too(entered, alice):
    study = ["work", "beispiel-2027"]
    more = [
        record("studygroup", study=study, slug="all", label="All", n=5),
        record("groupfinding", group=[*study, "all"], number=1, kind="score", measure="mRSS"),
        record("reportedtotal", study=study, number=1, quantity="age", statistic="mean", value="5"),
        record("outcome", treatment=["beispiel-2027-1", 1], number=2, domain="skin", baseline="3"),
    ]
    keep(entered, [*entered.head.content, *more], Author(alice))
    groups = groups_to_check(entered)
    assert [one.title for one in groups][2:] == ["Group all", "The paper’s own totals"]
    labels = {cell.label for group in groups for cell in group.cells}
    assert {
        "all: patients",
        "all, finding 1: kind",
        "total 1: printed",
        "beispiel-2027-1, course 1, outcome 2: baseline",
    } <= labels


def test_only_values_can_be_without_a_place(entered):
    without = {name for name, cell in cells(entered).items() if cell.needs_place}
    course = "Courses|beispiel-2027-1 / 1|"
    assert without == {f"{course}inhibitor", f"{course}indications"}


# What is kept.


def test_what_was_agreed_stays_while_the_value_stays(entered, alice, bob):
    agree_all(entered, bob)
    assert progress_of(groups_to_check(entered)).is_complete
    keep(entered, with_cell(entered.head.content, "patient", "label", "Case A"), Author(alice))
    asked = [name for name, cell in cells(entered).items() if not cell.agrees]
    assert asked == ["Patients|beispiel-2027-1|label"]
    assert cells(entered)[asked[0]].has_changed
    keep(entered, with_cell(entered.head.content, "patient", "label", "Case 1"), Author(alice))
    assert progress_of(groups_to_check(entered)).is_complete, "it says what it said again"


def test_a_list_with_one_more_on_it_is_asked_again(entered, alice, bob):
    agree_all(entered, bob)
    more = with_cell(entered.head.content, "treatment", "indications", [["ild"], ["skin"]])
    keep(entered, more, Author(alice))
    asked = [name for name, cell in cells(entered).items() if not cell.agrees]
    assert asked == ["Courses|beispiel-2027-1 / 1|indications"]


def test_the_last_word_on_a_value_counts(entered, bob, people):
    tell(entered, AGE, bob, "62 in table 1")
    cell = cells(entered)[AGE]
    assert cell.is_wrong and not cell.agrees
    assert remarks_of(groups_to_check(entered)) == (
        "beispiel-2027-1: age (years), “61”: 62 in table 1"
    )
    tell(entered, AGE, people["carl"])
    assert cells(entered)[AGE].agrees
    assert remarks_of(groups_to_check(entered)) == ""
    assert CheckedCell.objects.count() == 2, "both are kept"


def test_who_becomes_an_author_has_checked_nothing(entered, bob, people):
    agree_all(entered, bob)
    keep(entered, with_cell(entered.head.content, "patient", "label", "Case A"), Author(bob))
    assert progress_of(groups_to_check(entered)).agreed == 0
    tell(entered, AGE, people["carl"])
    assert progress_of(groups_to_check(entered)).agreed == 1


def test_what_is_said_is_of_the_version_that_was_seen(entered, alice, bob):
    """Alice changes the age while Bob looks at it: what he agreed with is not what it says now."""
    seen = entered.head.number
    keep(entered, with_cell(entered.head.content, "patient", "age_years", 62), Author(alice))
    say_of_cell(entered, AGE, number=seen, agrees=True, remark="", user=bob)
    cell = cells(entered)[AGE]
    assert cell.text == "62" and not cell.agrees and cell.has_changed


@pytest.mark.parametrize(
    "name", ["", "x", "Patients|beispiel-2027-9|age_years", "Patients|beispiel-2027-1|sex", "a|b|c"]
)
def test_nothing_is_said_of_a_cell_that_says_nothing(entered, bob, name):
    with pytest.raises(ValidationError, match="There is no such value in version 1"):
        tell(entered, name, bob)
    with pytest.raises(ValidationError, match="There is no such value in version 9"):
        say_of_cell(entered, AGE, number=9, agrees=True, remark="", user=bob)


def test_an_author_checks_nothing(entered, alice):
    with pytest.raises(ValidationError, match="cannot check this one"):
        tell(entered, AGE, alice)


def test_a_wrong_value_is_wrong_for_a_reason(entered, bob):
    with pytest.raises(ValidationError, match="Say what is wrong"):
        say_of_cell(entered, AGE, number=1, agrees=False, remark=" ", user=bob)


# What the database holds.


def unsaved(draft, who, **fields) -> CheckedCell:
    values = {
        "version": draft.head,
        "record": "evidence.patient",
        "key": ["beispiel-2027-1"],
        "field": "age_years",
        "digest": "0" * 64,
        "agrees": True,
        **checking.said_by(who),
    }
    return CheckedCell(**(values | fields))


@pytest.mark.parametrize(
    ("who", "fields", "text"),
    [
        ("alice", {}, AUTHOR_SIGNS),
        ("bob", {"user_name": "carl"}, NAME_OF_SIGNER),
        ("bob", {"user": None}, NAME_OF_SIGNER),
        ("bob", {"agrees": False}, "checkedcell_wrong_says_why"),
    ],
)
def test_the_database_refuses_what_cannot_be_said(entered, people, who, fields, text):
    for write in (
        lambda: unsaved(entered, people[who], **fields).save(),
        lambda: CheckedCell.objects.bulk_create([unsaved(entered, people[who], **fields)]),
    ):
        with refused(text):
            write()


def test_what_was_said_is_never_changed_or_deleted(entered, bob):
    cell = tell(entered, AGE, bob)
    for write in (cell.save, cell.delete):
        with pytest.raises(ValidationError, match="never changed or deleted"):
            write()
    for write in (
        lambda: CheckedCell.objects.update(agrees=False, remark="x"),
        lambda: CheckedCell.objects.all()._raw_delete("default"),
        lambda: sql("DELETE FROM evidence_checkedcell"),
        lambda: sql("UPDATE evidence_checkedcell SET user_name = 'carl'"),
    ):
        with refused(CELLS_STAY):
            write()


def test_a_dump_brings_it_back(entered, bob, tmp_path, work):
    tell(entered, AGE, bob, "62 in table 1")
    dump_evidence(tmp_path / "dump", with_drafts=True)
    entries = json.loads((tmp_path / "dump" / "drafts.json").read_text())
    own = next(one for one in entries if one["collection"] == "work")
    own["study"] = "moved"  # as in a database that does not have it
    for version in own["versions"]:
        for word in version["checked_cells"]:
            word["user"] = "nobody here"
    (tmp_path / "one.json").write_text(json.dumps([own]))
    with transaction.atomic():
        load_drafts(tmp_path / "one.json")
        close_files()
    brought = CheckedCell.objects.get(version__draft__slug="moved")
    assert (brought.user, brought.user_name) == (None, "nobody here")
    assert (brought.remark, brought.agrees, brought.field) == ("62 in table 1", False, "age_years")


# The page.


def test_the_page_leads_through_what_is_to_look_at(client, entered, bob):
    told = page(client, bob)
    assert "0 of 8 values agree" in told and "To look at (8)" in texts(told)
    assert "Table 1, p. 3" in told and "Converted. From months." in told and "no place" in told
    assert told.count("autofocus") == 1
    told = send(client, entered, cell=AGE).content.decode()
    assert "To look at (7)" in texts(told) and "Without a place (2)" in texts(told)
    assert 'data-cell="Patients|beispiel-2027-1|age_years"' not in told
    told = page(client, bob, "?show=all")
    assert "agrees (bob)" in told
    assert client.get(address() + "?show=nothing").status_code == 404


def test_script_is_told_what_became_of_it(client, entered, bob):
    client.force_login(bob)
    answer = send(client, entered, script=True, cell=AGE, said="wrong", remark="62")
    assert answer.json() == {
        "problem": "",
        "agreed": 0,
        "wrong": 1,
        "open": 7,
        "total": 8,
        "remarks": "beispiel-2027-1: age (years), “61”: 62",
        "version": 1,
    }
    answer = send(client, entered, script=True, cell=AGE, said="wrong", remark="")
    assert (answer.status_code, answer.json()["problem"]) == (
        400,
        "Say what is wrong with the value.",
    )


def test_it_is_sent_back_with_what_is_wrong(client, entered, alice, bob):
    say(entered, Meaning.SUBMITTED, alice)
    client.force_login(bob)
    send(client, entered, cell=AGE, said="wrong", remark="62 in table 1")
    told = page(client, bob)
    line = "beispiel-2027-1: age (years), “61”: 62 in table 1"
    assert f"required>{line}</textarea>" in told
    client.post(
        reverse("admin:evidence_studydraft_send_back_view", args=[entered.pk]),
        {"based_on": 1, "remark": line},
    )
    assert Signature.objects.first().remark == line


def sign(client, draft, **data) -> str:
    name = reverse("admin:evidence_studydraft_check_view", args=[draft.pk])
    answer = client.post(name, {"based_on": draft.head.number} | data, follow=True)
    return unescape(" ".join(answer.content.decode().split()))


def test_all_agreed_it_is_signed(client, entered, alice, bob):
    say(entered, Meaning.SUBMITTED, alice)
    agree_all(entered, bob)
    told = page(client, bob)
    assert "Sign: checked" in told and "I sign although" not in told
    assert "Signed as checked" in sign(client, entered)
    assert Signature.objects.first().remark == "8 of 8 values agreed one by one."


def test_not_all_agreed_it_needs_a_tick_that_says_so(client, entered, alice, bob):
    say(entered, Meaning.SUBMITTED, alice)
    tell(entered, AGE, bob)
    assert "I sign although only" in page(client, bob)
    assert "7 of 8 values are not agreed one by one" in sign(client, entered)
    assert "Signed as checked" in sign(client, entered, although_not_all="on")
    assert Signature.objects.first().remark == "1 of 8 values agreed one by one."


def test_what_is_marked_as_wrong_is_not_signed(client, entered, alice, bob):
    say(entered, Meaning.SUBMITTED, alice)
    tell(entered, AGE, bob, "62")
    client.force_login(bob)
    assert "1 value is marked as wrong" in sign(client, entered, although_not_all="on")
    assert not Signature.objects.filter(meaning="checked").exists()


def test_it_is_signed_only_in_turn(client, entered, bob):
    agree_all(entered, bob)
    assert "has not been sent to be checked" in page(client, bob)
    assert "Sign: checked" not in page(client, bob)
    assert "sent to be checked first" in sign(client, entered)


def test_who_may_not_check_is_kept_out(client, entered, people):
    client.force_login(people["alice"])
    assert client.get(address()).status_code == 403
    assert client.post(address("check_say"), {"cell": AGE}).status_code == 403
    people["alice"].groups.add(Group.objects.get(name="Checkers"))
    told = page(client, people["alice"])
    assert AUTHOR_SIGNS in told and "Agrees</button>" not in told
    assert AUTHOR_SIGNS in unescape(send(client, entered, cell=AGE).content.decode())
    assert not CheckedCell.objects.exists()


def test_a_study_of_which_nothing_is_entered_has_no_page(client, work, bob):
    drafts.open_draft(work, "empty", Author(bob))
    client.force_login(bob)
    assert client.get(reverse("admin:check", args=["work", "empty"])).status_code == 404
    assert client.get(reverse("admin:check", args=["work", "none"])).status_code == 404

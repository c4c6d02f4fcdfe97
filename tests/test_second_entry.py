"""Entering a study a second time without seeing the first entry, comparing, deciding."""

import json
import re
from html import unescape

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from evidence.admin.blind import FINISH_FIRST, OWN_PAGES, is_of
from evidence.curation import drafts
from evidence.curation.checking import said_by
from evidence.curation.documents import by_key
from evidence.curation.drafts import Author, Conflict
from evidence.curation.dumping import dump_evidence, load_drafts
from evidence.curation.opening import close_files
from evidence.curation.second_entry import (
    HAS_SEEN_IT,
    decide,
    differences_of,
    finish_entry,
    keep_entry,
    why_not_enter,
)
from evidence.curation.signing import sign, why_not
from evidence.curation.workbook.values import CellError
from evidence.models import Judgement, Meaning, SecondEntry, StudyDraft, Suggestion
from evidence.models.checking import CELLS_STAY, ENTRY_STAYS, WROTE_IT
from evidence.models.checking_guards import FINISH_FIRST as NOT_FINISHED
from evidence.models.signing_guards import NAME_OF_SIGNER
from evidence.summaries import agreement

from .drafting import all_looked_for, beispiel, keep, record, with_cell
from .test_checking import cells, tell
from .test_signing import refused, sql
from .workbooks import four_patients, workbook

pytestmark = pytest.mark.django_db

ONE, TWO = "beispiel-2027-1 / 1", "beispiel-2027-1 / 2"
COURSE = {"patient": ["beispiel-2027-1"], "inhibitor": ["baricitinib"]}
EVENT = {"treatment": ["beispiel-2027-1", 2], "category": ["infection"]}


def document(**study) -> list[dict]:
    """The made-up study with two courses; the second has an adverse event."""
    first = with_cell(beispiel(extraction="in_part", **study), "treatment", "response", "improved")
    return [
        *first,
        record("treatment", **COURSE, number=2, adverse_events="events", stopped="yes"),
        record("adverseevent", **EVENT, number=1, serious="no"),
    ]


SECOND = {  # agrees but for the response, the seriousness, and what the first did not say
    ONE: {"indications": "ILD", "response": "stable"},
    TWO: {"adverse_events": "yes", "serious": "yes", "stopped": "Yes", "relapsed": "NR"},
}


@pytest.fixture
def people(django_user_model) -> dict:
    users = {}
    for name, group in (("alice", "Extractors"), ("bob", "Checkers"), ("carl", "Editors")):
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
    keep(draft, document(), Author(alice))
    return draft


@pytest.fixture
def finished(entered, bob) -> SecondEntry:
    assert keep_entry(entered, SECOND, bob) == {}
    return finish_entry(entered, bob)


def newest(draft) -> dict:
    draft.refresh_from_db()
    return by_key(draft.head.content)


def choose(entry, row, name, chosen, user, reason="Table 2.", value=""):
    entry.draft.refresh_from_db()
    sent = {"chosen": chosen, "reason": reason, "value": value}
    return decide(entry, row, name, sent, based_on=entry.draft.head.number, user=user)


# Blind.


def address(name="second") -> str:
    return reverse(f"admin:{name}", args=["work", "beispiel-2027"])


def seen(client, user) -> str:
    """The page as somebody sees it, but for what differs from each request to the next."""
    client.force_login(user)
    page = client.get(address()).content.decode()
    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", page)


def test_nothing_of_the_first_entry_is_on_the_page(client, entered, alice, bob):
    """Whatever was entered, the page is the same, byte for byte."""
    before = seen(client, bob)
    assert "Case 1" in before and ONE in before
    for model, name, value in (
        ("treatment", "response", "worsened"),
        ("treatment", "relapsed", "yes"),
        ("treatment", "stopped", "yes"),
        ("treatment", "indications", [["skin"], ["joints"]]),
        ("treatment", "adverse_events", "explicitly_none"),
        ("adverseevent", "serious", "yes"),
        ("adverseevent", "description", "Herpes zoster"),
    ):
        keep(entered, with_cell(entered.head.content, model, name, value), Author(alice))
        assert seen(client, bob) == before, name
    without = [one for one in entered.head.content if one["model"] != "evidence.adverseevent"]
    keep(entered, without, Author(alice))
    assert seen(client, bob) == before


def test_nor_on_the_page_after_a_text_that_cannot_be_read(client, entered, alice, bob):
    client.force_login(bob)
    sent = {f"{ONE}|response": "a little", f"{ONE}|stopped": "no"}
    told = unescape(client.post(address(), sent).content.decode())
    assert 'value="a little"' in told and "cell-error" in told and 'value="no"' in told
    assert SecondEntry.objects.get().content == {ONE: {"stopped": "no"}}


def test_somebody_else_s_second_entry_is_not_seen_by_who_may_still_enter(
    client, finished, people, entered
):
    people["carl"].groups.add(Group.objects.get(name="Checkers"))
    told = seen(client, people["carl"])
    assert "Agreed in" not in told and "worsened" not in told.lower().replace(
        'value="worsened"', ""
    )


def pages_of(draft) -> dict[str, str]:
    """Every address of the admin that leads to one study, by name: those of the study, and those of
    each of its records.
    """
    found = {}
    for pattern in admin.site.get_urls():
        for one in getattr(pattern, "url_patterns", [pattern]):
            asked, name = set(one.pattern.converters), one.name or ""
            given = {"number": 1, "grid": "courses", "patient": "beispiel-2027-1"}
            of_model = name.startswith("evidence_") and asked & {"object_id", "pk"}
            if {"collection", "study"} <= asked:
                given |= {"collection": draft.collection.slug, "study": draft.slug}
            elif of_model and (record := record_of(draft, name.split("_")[1])):
                given |= {"object_id": record.pk, "pk": record.pk}
            else:
                continue
            if asked <= set(given):
                chosen = {key: value for key, value in given.items() if key in asked}
                found[name] = reverse(f"admin:{name}", kwargs=chosen)
    return found


def record_of(draft, name: str):
    model = apps.get_model("evidence", name)
    return next((one for one in model.objects.all() if is_of(one, draft)), None)


@pytest.fixture
def begun(entered, alice, bob, people) -> StudyDraft:
    """A published study with work that is open, of which Bob has begun a second entry; he may do
    anything else.
    """
    keep(entered, all_looked_for(entered.head.content), Author(alice))
    drafts.publish(entered, based_on=entered.head.number, author=Author(alice))
    changed = with_cell(entered.head.content, "adverseevent", "description", "Herpes zoster")
    keep(entered, changed, Author(alice))
    keep_entry(entered, {ONE: {"response": "stable"}}, bob)
    bob.is_superuser = True
    bob.save()
    return entered


def test_no_page_shows_the_first_entry_before_the_second_is_finished(client, begun, people):
    client.force_login(people["bob"])
    pages = pages_of(begun)
    assert {"workbench_enter", "check", "evidence_studydraft_change"} <= set(pages)
    assert {"evidence_treatment_change", "evidence_studyversion_change"} <= set(pages)
    assert {"evidence_studydraft_preview_view", "evidence_patient_history"} <= set(pages)
    for name, place in pages.items():
        if name in OWN_PAGES:
            continue
        for told in (client.get(place), client.post(place, {})):
            assert told.status_code == 403, name
            text = told.content.decode()
            assert FINISH_FIRST in text and address() in text, name
    assert client.get(address()).status_code == 200


def test_nor_does_a_list(client, begun, people):
    for seeing, name in [(False, "bob"), (True, "carl")]:
        people["carl"].is_superuser = True
        people["carl"].save()
        client.force_login(people[name])
        for model in ("study", "patient", "treatment", "adverseevent", "studyversion"):
            place = reverse(f"admin:evidence_{model}_changelist")
            page = client.get(place, {"all": ""}).content.decode()
            rows = page.partition('id="result_list"')[2].partition("</table>")[0]
            assert ("beispiel" in rows.lower()) == seeing, model


def test_a_remark_in_the_queue_waits_too(client, begun, alice, people):
    sign(begun, Meaning.SUBMITTED, based_on=begun.head.number, user=alice)
    carl = people["carl"]
    sign(begun, Meaning.SENT_BACK, based_on=begun.head.number, user=carl, remark="zq: “Improved”")
    carl.is_superuser = True
    carl.save()
    for name, seeing in (("carl", True), ("bob", False)):
        client.force_login(people[name])
        for place in ("/admin/", "/admin/work/"):
            page = client.get(place).content.decode()
            assert ("zq: " in page) == seeing
            assert ("once you have finished your second" in page) != seeing


def test_who_has_said_something_of_the_values_has_seen_them(entered, alice, bob, people):
    sign(entered, Meaning.SUBMITTED, based_on=entered.head.number, user=alice)
    tell(entered, next(iter(cells(entered))), bob)
    assert why_not_enter(entered, bob) == HAS_SEEN_IT
    assert why_not_enter(entered, people["carl"]) == ""
    sign(entered, Meaning.SENT_BACK, based_on=entered.head.number, user=people["carl"], remark="x")
    assert why_not_enter(entered, people["carl"]) == HAS_SEEN_IT


def test_an_import_waits_until_it_is_finished(client, begun, people):
    client.force_login(people["bob"])
    book = SimpleUploadedFile("t.xlsx", workbook(four_patients()).read())
    sent = {"collection": begun.collection_id, "file": book}
    told = unescape(client.post(reverse("admin:evidence_studydraft_import"), sent).content.decode())
    assert "Finish your second entry of beispiel-2027 first." in told
    assert StudyDraft.objects.filter(collection=begun.collection).count() == 1


def test_suggestions_of_the_study_are_not_listed(client, begun, people):
    Suggestion.objects.create(
        collection=begun.collection,
        study="beispiel-2027",
        record="evidence.treatment",
        key=["beispiel-2027-1", 1],
        field="response",
        label="Response of course 1",
        proposed="zq-proposed",
        passage="zq",
        at=timezone.now(),
    )
    for name, seeing in (("bob", False), ("alice", True)):
        people[name].is_superuser = True
        people[name].save()
        client.force_login(people[name])
        page = client.get(reverse("admin:evidence_suggestion_changelist")).content.decode()
        assert ("zq-proposed" in page) == seeing


def test_they_open_to_others_and_once_it_is_finished(client, begun, people):
    place = reverse("admin:workbench", args=["work", "beispiel-2027"])
    for name in ("alice", "carl"):
        client.force_login(people[name])
        assert client.get(place).status_code == 200
    finish_entry(begun, people["bob"])
    client.force_login(people["bob"])
    assert client.get(place).status_code == 200


def test_of_what_readers_see_the_page_says_that_it_rests_on_a_word(client, begun, people, alice):
    client.force_login(people["bob"])
    assert "rests on your word" not in " ".join(client.get(address()).content.decode().split())
    drafts.publish(begun, based_on=begun.head.number, author=Author(alice))
    page = " ".join(client.get(address()).content.decode().split())
    assert "Readers see this study already" in page and "rests on your word" in page
    place = reverse("admin:workbench", args=["work", "beispiel-2027"])
    assert client.get(place).status_code == 200


def test_who_wrote_a_version_cannot_enter(client, entered, alice):
    alice.groups.add(Group.objects.get(name="Checkers"))
    assert why_not_enter(entered, alice) == WROTE_IT
    with pytest.raises(ValidationError, match="cannot enter it a second time"):
        keep_entry(entered, SECOND, alice)
    assert WROTE_IT in unescape(seen(client, alice))
    assert client.post(address(), {"finish": "1"}).status_code == 403


def test_only_who_may_check_enters(client, entered, people):
    client.force_login(people["carl"])
    assert "Nobody has entered" in client.get(address()).content.decode()
    assert client.post(address(), {f"{ONE}|response": "stable"}).status_code == 403
    people["carl"].groups.clear()
    assert client.get(address()).status_code == 403


# Comparing.


def test_values_both_entered_are_compared_and_counted_by_field(finished):
    found = agreement(finished.comparison)
    assert (found.agreed, found.entered) == (3, 5)
    assert found.by_field == (
        ("indications", 1, 1),
        ("response", 0, 1),
        ("adverse events", 1, 1),
        ("seriousness", 0, 1),
        ("stopping", 1, 1),
    )
    told = [(one.row, one.field, one.first, one.second) for one in differences_of(finished)]
    assert told == [
        (ONE, "response", "Improved", "stable".capitalize()),
        (TWO, "relapsed", "", "NR"),
        (TWO, "serious", "No", "Yes"),
    ]


def test_what_is_mended_later_changes_no_agreement(finished, entered, alice):
    mended = with_cell(entered.head.content, "treatment", "response", "stable")
    keep(entered, mended, Author(alice))
    finished.refresh_from_db()
    assert agreement(finished.comparison).agreed == 3


def test_a_list_is_the_same_in_any_order(entered, alice, bob):
    two = with_cell(entered.head.content, "treatment", "indications", [["ild"], ["skin"]])
    keep(entered, two, Author(alice))
    keep_entry(entered, {ONE: {"indications": "skin; ILD"}}, bob)
    assert agreement(finish_entry(entered, bob).comparison).agreed == 1


def test_what_is_empty_under_the_tick_is_not_reported(entered, alice, bob):
    ticked = with_cell(entered.head.content, "patient", "looked_for", True)
    keep(entered, ticked, Author(alice))
    keep_entry(entered, {ONE: {"relapsed": "NR"}, TWO: {"relapsed": "no"}}, bob)
    found = agreement(finish_entry(entered, bob).comparison)
    assert found.by_field == (("relapse", 1, 2),)


def test_nothing_is_finished_before_anything_is_entered(entered, bob):
    with pytest.raises(ValidationError, match="Nothing has been entered"):
        finish_entry(entered, bob)


def test_what_is_finished_is_entered_no_more(finished, entered, bob):
    for again in (lambda: keep_entry(entered, SECOND, bob), lambda: finish_entry(entered, bob)):
        with pytest.raises(ValidationError, match="changes no more"):
            again()


# Deciding.


def test_the_second_value_holds_from_then_on(finished, entered, alice):
    judged = choose(finished, ONE, "response", "second", alice)
    assert (judged.value, judged.user_name, judged.reason) == ("Stable", "alice", "Table 2.")
    course = newest(entered)["evidence.treatment", "beispiel-2027-1", 1]
    assert course["fields"]["response"] == "stable"
    assert entered.head.author == alice and "Table 2." in entered.head.message
    with pytest.raises(ValidationError, match="decided already"):
        choose(finished, ONE, "response", "first", alice)


def test_the_first_value_stays_and_no_version_is_written(finished, entered, alice):
    number = entered.head.number
    assert choose(finished, ONE, "response", "first", alice).value == "Improved"
    entered.refresh_from_db()
    assert entered.head.number == number


def test_another_value_is_read_like_any(finished, entered, alice):
    with pytest.raises(CellError):
        choose(finished, ONE, "response", "other", alice, value="a little")
    assert not Judgement.objects.exists()
    assert choose(finished, ONE, "response", "other", alice, value="worse").value == "Worsened"


def test_a_state_is_decided_too(finished, entered, alice):
    choose(finished, TWO, "relapsed", "second", alice)
    course = newest(entered)["evidence.treatment", "beispiel-2027-1", 2]
    assert course["states"]["relapsed"] == "not_reported"


def test_seriousness_is_that_of_the_one_event(finished, entered, alice):
    choose(finished, TWO, "serious", "second", alice)
    event = newest(entered)["evidence.adverseevent", "beispiel-2027-1", 2, 1]
    assert event["fields"]["serious"] == "yes"


def test_of_several_events_somebody_says_first_which_is_meant(finished, entered, alice):
    another = [*entered.head.content, record("adverseevent", **EVENT, number=2, serious="no")]
    keep(entered, another, Author(alice))
    with pytest.raises(ValidationError, match="has 2 adverse events"):
        choose(finished, TWO, "serious", "second", alice)
    keep(entered, with_cell(entered.head.content, "adverseevent", "serious", "yes"), Author(alice))
    assert choose(finished, TWO, "serious", "second", alice).value == "Yes"


@pytest.mark.parametrize(
    ("row", "name", "sent", "text"),
    [
        (ONE, "response", {"chosen": "second", "reason": " "}, "Say why"),
        (ONE, "response", {"chosen": "third", "reason": "x"}, "Say which"),
        (ONE, "indications", {"chosen": "second", "reason": "x"}, "no such difference"),
        ("x", "response", {"chosen": "second", "reason": "x"}, "no such difference"),
    ],
)
def test_nothing_is_decided_without_a_reason_or_a_difference(
    finished, alice, row, name, sent, text
):
    with pytest.raises(ValidationError, match=text):
        decide(finished, row, name, sent, based_on=1, user=alice)


def test_what_somebody_else_wrote_meanwhile_is_seen_first(finished, entered, alice):
    keep(entered, with_cell(entered.head.content, "patient", "age_years", 62), Author(alice))
    sent = {"chosen": "second", "reason": "Table 2."}
    with pytest.raises(Conflict):
        decide(finished, ONE, "response", sent, based_on=1, user=alice)
    assert not Judgement.objects.exists()


# What the database holds.


def entry_by(draft, who, **fields) -> SecondEntry:
    said = said_by(who)
    begun = {"begun_at": said.pop("at")}
    return SecondEntry(**{"draft": draft, **begun, **said} | fields)


def test_the_database_holds_that_it_is_another_person(entered, alice, bob):
    with refused(WROTE_IT):
        entry_by(entered, alice).save()
    for fields in ({"user_name": "carl"}, {"user": None}):
        with refused(NAME_OF_SIGNER):
            entry_by(entered, bob, **fields).save()
    entry_by(entered, bob).save()
    keep(entered, with_cell(entered.head.content, "patient", "age_years", 62), Author(bob))
    with refused(WROTE_IT):
        sql("UPDATE evidence_secondentry SET content = '{}'")


def test_the_database_keeps_what_was_finished(finished, alice, people):
    with pytest.raises(ValidationError, match="none is ever deleted"):
        finished.delete()
    for write in (
        lambda: sql("UPDATE evidence_secondentry SET comparison = '[]'"),
        lambda: sql("UPDATE evidence_secondentry SET finished_at = NULL, version_id = NULL"),
        lambda: sql("DELETE FROM evidence_secondentry"),
    ):
        with refused(ENTRY_STAYS):
            write()


def test_the_database_keeps_whose_an_entry_is(entered, bob, people):
    entry_by(entered, bob).save()
    with refused(ENTRY_STAYS):
        sql("UPDATE evidence_secondentry SET user_name = 'carl'")
    with refused(ENTRY_STAYS):
        sql("UPDATE evidence_secondentry SET user_id = %s", people["carl"].pk)


def judged(entry, who, **fields) -> Judgement:
    said = {"row": ONE, "field": "response", "chosen": "first", "reason": "x"} | said_by(who)
    return Judgement(**{"entry": entry} | said | fields)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"user_name": "carl"}, NAME_OF_SIGNER),
        ({"user": None}, NAME_OF_SIGNER),
        ({"reason": ""}, "judgement_says_why"),
        ({"chosen": "third"}, "judgement_chosen_coded"),
    ],
)
def test_the_database_refuses_what_is_no_judgement(finished, alice, fields, text):
    with refused(text):
        judged(finished, alice, **fields).save()


def test_the_database_keeps_judgements(finished, alice):
    one = choose(finished, ONE, "response", "first", alice)
    for write in (one.save, one.delete):
        with pytest.raises(ValidationError, match="never changed or deleted"):
            write()
    for statement in (
        "UPDATE evidence_judgement SET reason = 'y'",
        "DELETE FROM evidence_judgement",
    ):
        with refused(CELLS_STAY):
            sql(statement)


def test_nothing_is_decided_before_it_is_finished(entered, alice, bob):
    entry = entry_by(entered, bob)
    entry.save()
    with refused(NOT_FINISHED):
        judged(entry, alice).save()


def test_a_dump_brings_it_back(finished, alice, tmp_path):
    choose(finished, ONE, "response", "second", alice)
    dump_evidence(tmp_path / "dump", with_drafts=True)
    entries = json.loads((tmp_path / "dump" / "drafts.json").read_text())
    own = next(one for one in entries if one["collection"] == "work")
    own["study"] = "moved"  # as in a database that does not have it
    own["second_entries"][0]["user"] = "nobody here"
    (tmp_path / "one.json").write_text(json.dumps([own]))
    with transaction.atomic():
        load_drafts(tmp_path / "one.json")
        close_files()
    brought = SecondEntry.objects.get(draft__slug="moved")
    assert (brought.user, brought.user_name) == (None, "nobody here")
    assert (brought.content, brought.comparison) == (finished.content, finished.comparison)
    assert brought.version.draft == brought.draft
    assert brought.judgements.get().value == "Stable"


def test_nothing_is_signed_while_a_difference_waits(finished, entered, alice, people):
    entered.refresh_from_db()
    sign(entered, Meaning.SUBMITTED, based_on=entered.head.number, user=alice)
    waiting = [one for one in differences_of(finished) if one.judgement is None]
    assert why_not(entered, Meaning.CHECKED, people["carl"]).startswith(
        f"{len(waiting)} differences between the two entries"
    )
    for one in waiting:
        if one.field != "serious":
            choose(finished, one.row, one.field, "first", alice)
    entered.refresh_from_db()
    left = [one for one in differences_of(finished) if one.judgement is None]
    assert bool(why_not(entered, Meaning.CHECKED, people["carl"])) == bool(left)


# The pages.


def test_it_is_entered_finished_and_decided_in_the_admin(client, entered, alice, bob):
    client.force_login(bob)
    sent = {
        f"{row}|{name}": text for row, fields in SECOND.items() for name, text in fields.items()
    }
    client.post(address(), sent)
    assert 'value="stable"' in client.get(address()).content.decode()
    assert "Second entry" in client.get(address(), follow=True).content.decode()
    told = unescape(client.post(address(), sent | {"finish": "1"}, follow=True).content.decode())
    told = " ".join(told.split())
    assert "<strong>3 of 5</strong>" in told and "to be decided" in told
    client.force_login(alice)
    assert "Decide</" not in told and 'value="Decide"' in client.get(address()).content.decode()
    entry = SecondEntry.objects.get()
    sent = {"based_on": 1, "entry": entry.pk, "row": ONE, "field": "response"}
    sent |= {"chosen": "second", "reason": "Table 2."}
    told = client.post(address("second_decide"), sent, follow=True).content.decode()
    assert "Decided; the draft says so." in told and "Table 2." in told
    told = client.post(address("second_decide"), sent, follow=True).content.decode()
    assert "meanwhile" in told or "decided already" in told
    change = reverse("admin:evidence_studydraft_change", args=[entered.pk])
    told = " ".join(client.get(change).content.decode().split())
    assert "<strong>3 of 5</strong>" in told and "2 to decide." in told


def test_a_checker_decides_nothing(client, finished, bob):
    client.force_login(bob)
    sent = {"based_on": 1, "entry": finished.pk, "row": ONE, "field": "response"}
    sent |= {"chosen": "second", "reason": "Table 2."}
    assert client.post(address("second_decide"), sent).status_code == 403


def test_readers_are_told_once_it_is_published(client, finished, entered, alice):
    entered.refresh_from_db()
    drafts.publish(entered, based_on=entered.head.number, author=Author(alice))
    told = client.get("/work/studies/beispiel-2027/").content.decode()
    told = " ".join(unescape(told).split())
    assert "Second entry agreed in 3 of 5 values" in told
    assert (
        "indications 1/1, response 0/1, adverse events 1/1, seriousness 0/1, stopping 1/1" in told
    )
    assert "bob" not in told


def test_readers_are_not_told_of_what_was_entered_since(client, entered, alice, bob):
    drafts.publish(entered, based_on=1, author=Author(alice))
    keep(entered, with_cell(entered.head.content, "patient", "age_years", 62), Author(alice))
    keep_entry(entered, SECOND, bob)
    told = client.get("/work/studies/beispiel-2027/").content.decode()
    assert "Second entry" not in told
    finish_entry(entered, bob)
    assert "Second entry" not in client.get("/work/studies/beispiel-2027/").content.decode()
    entered.refresh_from_db()
    drafts.publish(entered, based_on=entered.head.number, author=Author(alice))
    assert "Second entry agreed in" in client.get("/work/studies/beispiel-2027/").content.decode()

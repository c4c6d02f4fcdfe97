"""Corrections that readers suggest: from the pen beside a value to a study in work; shown
nowhere on the way.
"""

import io
import re
from html import unescape

import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evidence.curation import suggestions
from evidence.curation.documents import by_key
from evidence.models import DataVersion, GroupFinding, Patient, Study, StudyDraft, Suggestion

from .drafting import SOMEBODY
from .factories import make_collection, make_group, make_patient, make_study, make_treatment
from .test_pages import text_of

pytestmark = pytest.mark.django_db

CONTACT = "zq-reader@example.org"
SENT = {"proposed": "62", "passage": "A 62-year-old woman (p. 2).", "contact": CONTACT}


@pytest.fixture
def study():
    cache.clear()
    study = make_study(make_collection("work"), "doe-2019", n_jaki=3, extraction="abstract")
    patient = make_patient(study, "doe-2019-1", age_years=61, sex="female", looked_for=False)
    course = make_treatment(patient, indications=["ild"], events=[("infection", {"grade": 3})])
    course.outcomes.create(number=1, domain="skin", measure_id="mRSS", baseline=20, followup=10)
    make_group(
        study,
        "arm",
        n=10,
        findings=[{"measure": "Deaths", "kind": "events", "events": 1, "n": 10}],
    )
    return study


PATIENT = "/work/patients/doe-2019-1/suggest/"
STUDY = "/work/studies/doe-2019/suggest/"


def pens(client, address) -> list[str]:
    body = client.get(address).content.decode()
    return [unescape(each) for each in re.findall(r'class="suggest" href="([^"]*)"', body)]


def sent(client, address=f"{PATIENT}?field=age_years", **changed):
    return client.post(address, SENT | changed)


# The way there


@pytest.mark.parametrize("page", ["/work/patients/doe-2019-1/", "/work/studies/doe-2019/"])
def test_every_pen_leads_to_a_form_that_says_what_it_is_about(client, study, page):
    found = pens(client, page)
    assert len(found) == len(set(found)) >= 7
    for address in found:
        form = client.get(address)
        assert form.status_code == 200, address
        assert form.headers["Cache-Control"] == "no-store"
        assert "casebook-csrf" in form.cookies
        assert form.context["subject"].label


def test_the_form_says_the_value_and_what_is_empty(client, study):
    assert "doe-2019-1, the patient: Age It says 61" in text_of(
        client.get(f"{PATIENT}?field=age_years")
    )
    unknown = client.get(f"{PATIENT}?field=dlco_percent")
    assert unknown.context["subject"].current == "not extracted"
    outcome = client.get(f"{PATIENT}?course=1&outcome=1&field=followup")
    assert outcome.context["subject"].current == "10"
    group = client.get(f"{STUDY}?group=arm&field=n")
    assert group.context["subject"].current == "10"
    finding = client.get(f"{STUDY}?group=arm&finding=1&field=")
    assert finding.context["subject"].label == "doe-2019, arm, Deaths: the whole record"


def test_the_form_needs_no_script_and_what_is_for_programs_is_no_part_of_it(client, study):
    body = client.get(f"{PATIENT}?field=age_years").content.decode()
    form = body[body.index('<form method="post" class="suggestion">') : body.index("</form>")]
    assert "<script" not in form and " style=" not in form
    assert re.search(r'<p class="unseen" aria-hidden="true">\s*<label for="id_website">', form)
    assert 'tabindex="-1"' in form


def test_public_pages_are_the_same_for_everybody_and_stay_kept(client, admin_client, study):
    for address in ("/work/patients/doe-2019-1/", "/work/studies/doe-2019/"):
        plain = client.get(address)
        client.get(f"{PATIENT}?field=age_years")
        sent(client)
        again, curators = client.get(address), admin_client.get(address)
        assert plain.content == again.content == curators.content
        assert "ETag" in again.headers and not plain.cookies
        assert "Cookie" not in plain.headers.get("Vary", "")


def test_a_simulated_record_has_no_paper(client, db):
    assert pens(client, "/sener-2025-reconstruction/patients/SIM-01-01/") == []
    assert pens(client, "/sener-2025-reconstruction/studies/simulated-article-01/") == []
    for address in (
        "/sener-2025-reconstruction/patients/SIM-01-01/suggest/",
        "/sener-2025-reconstruction/studies/simulated-article-01/suggest/",
    ):
        assert client.get(address).status_code == client.post(address, SENT).status_code == 404
    assert not Suggestion.objects.exists()


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (f"{PATIENT}?field=looked_for", 400),
        (f"{PATIENT}?field=zz", 400),
        (f"{PATIENT}?zz=1", 400),
        (f"{PATIENT}?course=9&field=dose", 404),
        (f"{PATIENT}?course=x", 404),
        (f"{PATIENT}?course=1&outcome=99999999999999999999", 404),
        (f"{STUDY}?group=none&field=n", 404),
        (f"{STUDY}?field=not_asked", 400),
        ("/work/patients/nobody/suggest/", 404),
    ],
)
def test_wrong_addresses(client, study, address, status):
    assert client.get(address).status_code == status
    assert client.post(address, SENT).status_code == status
    assert not Suggestion.objects.exists()


def test_a_record_that_readers_do_not_see_has_no_form(client, study):
    Patient.objects.filter(slug="doe-2019-1").update(state="withdrawn", withdrawal_reason="Twice.")
    DataVersion.bump()
    assert client.get(PATIENT).status_code == 410
    assert sent(client).status_code == 410
    make_study(study.collection, "hidden", state="draft")
    hidden = "/work/studies/hidden/suggest/"
    assert client.get(hidden).status_code == client.post(hidden, SENT).status_code == 404
    assert not Suggestion.objects.exists()


# What is sent


def test_what_is_sent_is_kept_and_changes_nothing(client, study):
    version = DataVersion.current().token
    response = sent(client)
    assert (response.status_code, response.headers["Cache-Control"]) == (303, "no-store")
    thanks = client.get(response.headers["Location"])
    assert "Your suggestion is with the curators." in text_of(thanks)
    kept = Suggestion.objects.get()
    assert (kept.collection.slug, kept.study) == ("work", "doe-2019")
    assert (kept.record, kept.key, kept.field) == ("evidence.patient", ["doe-2019-1"], "age_years")
    assert (kept.current, kept.proposed, kept.contact) == ("61", "62", CONTACT)
    assert kept.stage == "new" and kept.answered_at is None
    assert DataVersion.current().token == version
    assert not StudyDraft.objects.filter(slug="doe-2019").exists()


def test_it_is_in_no_page_file_dump_or_log(client, study, tmp_path, caplog):
    sent(client, proposed="zq-proposed", passage="zq-passage")
    call_command("dump_evidence", tmp_path, "--all", stdout=io.StringIO())
    dumped = "".join(path.read_text() for path in tmp_path.iterdir())
    pages = [
        "/work/patients/doe-2019-1/",
        "/work/studies/doe-2019/",
        "/work/studies.csv",
        "/work/patients.jsonl",
        "/changes.atom",
        "/api/v1/work/patients/",
    ]
    said = "".join(
        (each.getvalue() if each.streaming else each.content).decode()
        for each in map(client.get, pages)
    )
    for text in (dumped, said, caplog.text):
        assert "zq-" not in text


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"proposed": ""}, "This field is required."),
        ({"passage": " "}, "This field is required."),
        ({"contact": "nobody"}, "Enter a valid email address."),
        ({"proposed": "x" * 501}, "at most 500 characters"),
        ({"passage": "x" * 2001}, "at most 2000 characters"),
        ({"proposed": "a\x00b"}, "Null characters are not allowed."),
    ],
)
def test_what_is_missing_is_said_and_the_rest_is_kept_in_the_form(client, study, changed, told):
    response = sent(client, **changed)
    assert response.status_code == 400
    assert told in text_of(response)
    kept = {name: value for name, value in SENT.items() if name not in changed}
    assert all(value in response.content.decode() for value in kept.values())
    assert not Suggestion.objects.exists()


def test_what_is_too_long_is_not_read(client, study):
    assert sent(client, passage="x" * 40_000).status_code == 413
    assert not Suggestion.objects.exists()


def test_a_program_that_fills_in_everything_is_thanked(client, study):
    assert sent(client, website="https://spam.example").status_code == 303
    assert not Suggestion.objects.exists()


def test_a_form_from_elsewhere_is_refused(study):
    outsider = Client(enforce_csrf_checks=True)
    assert outsider.post(f"{PATIENT}?field=age_years", SENT).status_code == 403
    page = outsider.get(f"{PATIENT}?field=age_years")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.content.decode())[1]
    mine = outsider.post(f"{PATIENT}?field=age_years", SENT | {"csrfmiddlewaretoken": token})
    assert mine.status_code == 303


def test_one_address_may_send_so_many_in_an_hour(client, study, settings):
    settings.SUGGESTIONS_PER_HOUR = 2
    assert [sent(client).status_code for _ in range(3)] == [303, 303, 429]
    refused = sent(client, passage="What I typed")
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert "Too many suggestions came from your network address." in text_of(refused)
    assert "What I typed" in refused.content.decode()
    assert refused.headers["Cache-Control"] == "no-store"
    assert client.get(PATIENT).status_code == 200
    assert client.post(f"{PATIENT}?field=sex", SENT, REMOTE_ADDR="192.0.2.7").status_code == 303
    assert Suggestion.objects.count() == 3
    settings.SUGGESTIONS_PER_HOUR = 0
    assert sent(client).status_code == 303


def test_no_more_are_taken_than_somebody_can_read(client, study, monkeypatch):
    monkeypatch.setattr("evidence.web.suggest.MOST_WAITING", 1)
    assert sent(client).status_code == 303
    full = sent(client)
    assert full.status_code == 503 and "Please come back later." in text_of(full)
    assert Suggestion.objects.count() == 1


# What becomes of it


def suggestion(study, record=None, field="age_years", **given) -> Suggestion:
    record = record or study.patients.get()
    return Suggestion.objects.create(
        collection=study.collection,
        study=study.slug,
        record=record._meta.label_lower,
        key=list(record.natural_key()),
        field=field,
        label=f"{record}: {field}",
        at=timezone.now(),
        **{"proposed": "62", "passage": "p. 2", "contact": CONTACT} | given,
    )


def cells(draft, made: Suggestion) -> dict:
    record = by_key(draft.head.content)[(made.record, *made.key)]
    return record["fields"] | {
        name: f"~{state}" for name, state in record.get("states", {}).items()
    }


def test_accepted_it_stands_in_the_study_in_work_and_readers_see_nothing(client, study):
    made, before = suggestion(study), client.get("/work/patients/doe-2019-1/").content
    draft, by_hand = suggestions.accept(made, SOMEBODY)
    assert by_hand == ""
    assert cells(draft, made)["age_years"] == 62
    assert draft.head.message.startswith("Suggested by a reader: doe-2019-1: age_years: 62.")
    assert CONTACT not in draft.head.message
    assert made.stage == "accepted" and made.answered_at is not None
    assert client.get("/work/patients/doe-2019-1/").content == before
    with pytest.raises(ValidationError, match="answered this suggestion meanwhile"):
        suggestions.accept(made, SOMEBODY)


@pytest.mark.parametrize(
    ("model", "field", "proposed", "expected"),
    [
        (Patient, "sex", "m", "male"),
        (Patient, "age_years", "NR", "~not_reported"),
        (Patient, "dlco_percent", "61,5", "61.5"),
        ("treatment", "indications", "skin; ILD", [["ild"], ["skin"]]),
        ("treatment", "dose", "5 mg twice daily", "5 mg twice daily"),
        ("outcome", "followup", "12", "12"),
        ("event", "grade", "4", 4),
        (Study, "n_jaki", "4", 4),
        (GroupFinding, "events", "2", 2),
    ],
)
def test_values_are_read_as_the_cells_of_a_workbook(study, model, field, proposed, expected):
    course = study.patients.get().treatments.get()
    record = {
        Patient: study.patients.get(),
        Study: study,
        GroupFinding: study.groups.get().findings.get(),
        "treatment": course,
        "outcome": course.outcomes.get(),
        "event": course.events.get(),
    }[model]
    made = suggestion(study, record, field, proposed=proposed)
    draft, by_hand = suggestions.accept(made, SOMEBODY)
    assert by_hand == ""
    assert cells(draft, made)[field] == expected


@pytest.mark.parametrize(
    ("field", "proposed", "why"),
    [
        ("age_years", "about 60", "no exact number"),
        ("age_years", "n/a", "more than one meaning"),
        ("age_years", "400", "between 0 and 120"),
        ("manifestations_present", "ILD", "no single cell"),
        ("", "Everything", "no single cell"),
    ],
)
def test_what_cannot_be_read_is_entered_by_hand(study, field, proposed, why):
    made = suggestion(study, field=field, proposed=proposed)
    draft, by_hand = suggestions.accept(made, SOMEBODY)
    assert why in by_hand
    assert draft.head == draft.published, "nothing is changed"
    assert made.stage == "accepted"


def test_a_record_that_is_gone_is_said(study):
    made = suggestion(study)
    Suggestion.objects.filter(pk=made.pk).update(key=["doe-2019-9"])
    made.refresh_from_db()
    assert "no such record any more" in suggestions.accept(made, SOMEBODY)[1]


def test_declining_needs_an_answer(study):
    made = suggestion(study)
    with pytest.raises(ValidationError, match="Say why"):
        suggestions.decline(made, SOMEBODY, " ")
    suggestions.decline(made, SOMEBODY, "The table says 61.")
    assert (made.stage, made.answer) == ("declined", "The table says 61.")


@pytest.mark.parametrize(
    "broken",
    [
        {"stage": "declined", "answered_at": timezone.now()},
        {"stage": "accepted"},
        {"answered_at": timezone.now()},
        {"stage": "perhaps", "answered_at": timezone.now()},
    ],
)
def test_the_database_holds_what_an_answer_is(study, broken):
    made = suggestion(study)
    with pytest.raises(IntegrityError), transaction.atomic():
        Suggestion.objects.filter(pk=made.pk).update(**broken)


# The admin


def page(made) -> str:
    return reverse("admin:evidence_suggestion_change", args=[made.pk])


def test_the_admin_lists_and_answers(admin_client, study):
    made, other = suggestion(study), suggestion(study, field="", proposed="It is wrong")
    listed = text_of(admin_client.get(reverse("admin:evidence_suggestion_changelist")))
    assert "62 New" in listed and "p. 2" in listed
    assert CONTACT not in listed
    assert CONTACT in text_of(admin_client.get(page(made)))
    accepted = admin_client.post(page(made), {"accept": "x", "answer": ""}, follow=True)
    assert "“62” stands in the study in work." in text_of(accepted)
    assert accepted.request["PATH_INFO"].startswith("/admin/evidence/studydraft/")
    by_hand = admin_client.post(page(other), {"accept": "x"}, follow=True)
    assert "Enter it by hand:" in text_of(by_hand) and "“It is wrong”" in text_of(by_hand)
    twice = admin_client.post(page(made), {"decline": "x", "answer": "No"}, follow=True)
    assert "has answered this suggestion meanwhile" in text_of(twice)
    assert 'name="accept"' not in admin_client.get(page(made)).content.decode()
    made.refresh_from_db()
    assert (made.stage, made.answered_by.username) == ("accepted", "admin")


def test_the_admin_declines_with_an_answer_alone(admin_client, study):
    made = suggestion(study)
    refused = admin_client.post(page(made), {"decline": "x", "answer": ""}, follow=True)
    assert "Say why the suggestion is declined." in text_of(refused)
    admin_client.post(page(made), {"decline": "x", "answer": "The table says 61."})
    made.refresh_from_db()
    assert (made.stage, made.answer) == ("declined", "The table says 61.")


def test_contact_addresses_can_be_forgotten(admin_client, study):
    made = suggestion(study)
    admin_client.post(
        reverse("admin:evidence_suggestion_changelist"),
        {"action": "forget_contacts", "_selected_action": [made.pk]},
    )
    made.refresh_from_db()
    assert made.contact == ""


def test_who_may_only_look_may_not_answer(client, study, django_user_model):
    from django.contrib.auth.models import Permission

    user = django_user_model.objects.create_user("looker", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_suggestion"))
    client.force_login(user)
    made = suggestion(study)
    assert client.get(page(made)).status_code == 200
    assert client.post(page(made), {"accept": "x"}).status_code == 403
    made.refresh_from_db()
    assert made.stage == "new"

"""Studies in work in the admin: forms write versions, buttons undo and publish, previews leave no
trace.
"""

from html import unescape

import pytest
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.urls import reverse

from evidence.curation.documents import NOT_REPORTED
from evidence.models import (
    Curator,
    DataVersion,
    Patient,
    StudyDraft,
    Therapy,
    Treatment,
)

from .drafting import all_looked_for, beispiel, keep, published, record, with_cell
from .factories import make_patient, make_study, make_treatment

pytestmark = pytest.mark.django_db


@pytest.fixture
def curator(admin_client):
    return admin_client


def address(draft, step: str, *more) -> str:
    return reverse(f"admin:evidence_studydraft_{step}", args=[draft.pk, *more])


def sent(client, draft, step: str, *more, **data):
    data = {"based_on": draft.head.number} | data
    return client.post(address(draft, step, *more), data, follow=True).content.decode()


def form_values(page) -> dict:
    """What a form of the admin would send as it stands."""
    values = {}
    for form in (
        page.context["adminform"].form,
        *(one.formset for one in page.context["inline_admin_formsets"]),
    ):
        parts = [form] if not hasattr(form, "forms") else [form.management_form, *form.forms]
        for part in parts:
            for field in part:
                value = field.value()
                if isinstance(value, list | tuple):
                    values[field.html_name] = [getattr(one, "pk", one) for one in value]
                elif value is not None and value is not False:
                    values[field.html_name] = getattr(value, "pk", value)
    return values


def test_a_save_in_a_form_writes_a_version_with_who_and_what(curator, work):
    patient = make_patient(make_study(work, "forms"), "forms-1", age_years=61)
    make_treatment(patient)
    change = reverse("admin:evidence_patient_change", args=[patient.pk])
    values = form_values(curator.get(change)) | {"age_years": "62"}
    assert curator.post(change, values).status_code == 302
    draft = StudyDraft.objects.get(slug="forms")
    found, saved = draft.versions.order_by("number")
    assert (found.door, saved.door, saved.author_name) == ("found", "admin", "admin")
    assert (saved.changed, saved.message) == (1, "Changed: forms-1.")
    assert (draft.head, draft.published) == (saved, saved)


def test_the_page_of_a_study_in_work_says_what_is_untouched_and_what_differs(curator, draft):
    published(draft)
    keep(draft, with_cell(draft.head.content, "patient", "age_years", 62))
    page = " ".join(curator.get(address(draft, "change")).content.decode().split())
    assert "What readers do not see yet: 1 cell" in page
    assert "<td>61</td> <td>62</td>" in page
    assert "<strong>beispiel-2027-1:</strong> sex · disease subset" in page


def test_a_preview_is_the_public_page_and_leaves_no_trace(curator, client, draft):
    version = DataVersion.current().token
    page = curator.get(address(draft, "preview_view")).content.decode()
    assert "<strong>Preview.</strong>" in page and "Beispiel 2027" in page
    page = curator.get(address(draft, "preview_patient_view", "beispiel-2027-1")).content.decode()
    assert "61" in page
    assert DataVersion.current().token == version
    assert not Patient.objects.filter(slug="beispiel-2027-1").exists()
    assert client.get("/work/patients/beispiel-2027-1/").status_code == 404


def test_buttons_undo_restore_give_up_and_publish(curator, draft):
    keep(draft, with_cell(beispiel(), "patient", "age_years", 62))
    assert "taken back" in sent(curator, draft, "undo_view")
    draft.refresh_from_db()
    assert draft.head.digest == draft.versions.get(number=1).digest
    assert "Version 2 is restored" in sent(curator, draft, "restore_view", 2)
    draft.refresh_from_db()
    assert "readers see it now" in sent(curator, draft, "publish_view", message="First entry.")
    draft.refresh_from_db()
    assert (draft.head.message, draft.head.author_name) == ("First entry.", "admin")
    assert Patient.objects.get(slug="beispiel-2027-1").age_years == 62
    keep(draft, with_cell(draft.head.content, "patient", "age_years", 63))
    assert "The work is given up" in sent(curator, draft, "give_up_view")
    draft.refresh_from_db()
    assert not draft.is_open


def test_a_button_pressed_on_an_old_page_does_nothing_and_says_so(curator, draft):
    keep(draft, with_cell(beispiel(), "patient", "age_years", 62))
    answer = sent(curator, draft, "publish_view", based_on=1)
    assert "wrote version 2 meanwhile" in answer and "61 → 62" in answer
    assert not Patient.objects.filter(slug="beispiel-2027-1").exists()


def test_what_is_wrong_is_said_and_nothing_published(curator, draft):
    keep(draft, with_cell(beispiel(), "patient", "age_years", 240))
    assert "less than or equal to 120" in sent(curator, draft, "publish_view")
    assert not Patient.objects.filter(slug="beispiel-2027-1").exists()
    preview = curator.get(address(draft, "preview_view"), follow=True).content.decode()
    assert "less than or equal to 120" in preview


def test_somebody_who_may_not_publish_has_no_button_and_is_refused(
    client, django_user_model, draft
):
    helper = django_user_model.objects.create(username="helper", is_staff=True)
    for name in ("view_studydraft", "change_studydraft"):
        helper.user_permissions.add(helper.user_permissions.model.objects.get(codename=name))
    client.force_login(helper)
    assert "Publish" not in client.get(address(draft, "change")).content.decode()
    assert client.post(address(draft, "publish_view"), {"based_on": 1}).status_code == 403
    assert not Patient.objects.filter(slug="beispiel-2027-1").exists()


@pytest.mark.parametrize(
    "step",
    [
        "undo_view",
        "give_up_view",
        "take_over_view",
        "withdraw_view",
        "submit_view",
        "send_back_view",
        "check_view",
    ],
)
def test_buttons_need_post_and_a_login(client, curator, draft, step):
    assert curator.get(address(draft, step)).status_code == 405
    assert client.post(address(draft, step)).status_code in (302, 403, 405)


def test_a_version_shows_every_cell_it_changed(curator, draft):
    keep(draft, with_cell(beispiel(), "patient", "age_years", 62))
    page = " ".join(curator.get(address(draft, "version_view", 2)).content.decode().split())
    assert "Changed since version 1: 1 cell" in page and "<td>61</td> <td>62</td>" in page
    assert curator.get(address(draft, "version_view", 9)).status_code == 404


def test_a_patient_who_may_be_reported_elsewhere_is_named(curator, work, draft):
    """Sex, age within a year, drug and an indication agree with one of three others."""
    study = make_study(work, "other")
    for slug, sex, age, drug, indications in (
        ("other-1", "female", 62, "tofacitinib", ["ild", "skin"]),
        ("other-2", "male", 61, "tofacitinib", ["ild"]),
        ("other-3", "female", 61, "baricitinib", ["ild"]),
        ("other-4", "female", 64, "tofacitinib", ["ild"]),
        ("other-5", "female", 61, "tofacitinib", []),
    ):
        patient = make_patient(study, slug, sex=sex, age_years=age)
        make_treatment(patient, drug, indications=indications)
    keep(draft, with_cell(beispiel(), "patient", "sex", "female"))
    page = " ".join(curator.get(address(draft, "change")).content.decode().split())
    assert "beispiel-2027-1 and other-1 (other): the same sex, age, drug, indication" in page
    assert page.count("beispiel-2027-1 and other-") == 1
    keep(draft, with_cell(draft.head.content, "patient", "subset", "diffuse"))
    study.patients.filter(slug="other-1").update(subset="limited")
    assert "and other-1" not in curator.get(address(draft, "change")).content.decode()


def test_the_page_of_a_new_study_lists_each_record_by_what_it_says(curator, draft):
    """A sign is present or absent, a list that is not reported has its name, choices a label."""
    document = beispiel(
        *(
            record(
                "patientmanifestation",
                patient=["beispiel-2027-1"],
                manifestation=[code],
                **({"status": status} if status else {}),
            )
            for code, status in (("ild", ""), ("renal", "absent"))
        )
    )
    document[2]["states"] = {"outcomes": NOT_REPORTED}
    keep(draft, document)
    page = " ".join(curator.get(address(draft, "change")).content.decode().split())
    assert "beispiel-2027-1, manifestation ild, new: present" in page
    assert "beispiel-2027-1, manifestation renal, new: looked for, absent" in page
    assert '<th scope="row">Outcomes</th> <td>not reported</td>' in page
    assert '<th scope="row">Design</th> <td>Case report</td>' in page


def test_an_address_that_is_no_number_is_not_found(curator):
    assert curator.get("/admin/evidence/studydraft/nothing/change/").status_code == 404


def test_the_list_has_what_is_open_first_and_can_be_narrowed_to_it(curator, work, draft):
    published(StudyDraft.objects.create(collection=work, slug="a-rest"), at_rest(work))
    listed = reverse("admin:evidence_studydraft_changelist")
    slugs = [one.slug for one in curator.get(listed).context["cl"].result_list]
    assert slugs.index("beispiel-2027") < slugs.index("a-rest")
    for state, found in (("open", {"beispiel-2027"}), ("none", {"a-rest"})):
        shown = curator.get(listed, {"work": state, "q": ""}).context["cl"].result_list
        assert {one.slug for one in shown if one.collection == work} == found


def test_a_history_names_only_fields_of_the_record(curator, work):
    patient = make_patient(make_study(work, "forms"), "forms-1", age_years=61)
    change = reverse("admin:evidence_patient_change", args=[patient.pk])
    curator.post(change, form_values(curator.get(change)) | {"age_years": "62"})
    history = reverse("admin:evidence_patient_history", args=[patient.pk])
    page = curator.get(history).content.decode()
    assert "Changed Age (years)." in page and "shown" not in page


def at_rest(work):
    return with_cell(beispiel(collection=work.slug), "study", "slug", "a-rest")[:1]


@pytest.fixture
def helper(client, django_user_model):
    """A client of somebody who may do everything but publish."""
    user = django_user_model.objects.create(username="helper", is_staff=True)
    user.user_permissions.set(user.user_permissions.model.objects.exclude(codename="publish_study"))
    client.force_login(user)
    return client


def test_what_readers_see_is_changed_only_by_somebody_who_may_publish(helper):
    patient = Patient.objects.get(slug="fujita-2019-1")
    place = reverse("admin:evidence_patient_change", args=[patient.pk])
    page = helper.get(place).content.decode()
    assert "needs the permission to publish" in page and 'name="age_years"' not in page
    assert helper.post(place, {"age_years": 77, "state": "withdrawn"}).status_code == 403
    delete = reverse("admin:evidence_patient_delete", args=[patient.pk])
    assert helper.post(delete, {"post": "yes"}).status_code == 403
    new = reverse("admin:evidence_outcome_add")
    course = patient.treatments.get()
    sent = {"treatment": course.pk, "number": 9, "domain": "skin", "result": "improved"}
    measure = course.outcomes.first().measure_id
    told = helper.post(new, sent | {"measure": measure}).content.decode()
    assert "needs the permission to publish" in told
    assert not course.outcomes.filter(number=9).exists()


def test_what_readers_do_not_see_is_changed_by_whoever_may_change_it(helper, work):
    study = make_study(work, "unseen", state="draft")
    place = reverse("admin:evidence_study_change", args=[study.pk])
    form = form_values(helper.get(place))
    assert helper.post(place, form | {"journal": "Journal"}).status_code == 302
    told = helper.post(place, form_values(helper.get(place)) | {"state": "published"})
    assert "needs the permission to publish" in told.content.decode()
    study.refresh_from_db()
    assert (study.journal, study.state) == ("Journal", "draft")


def test_a_patient_moved_to_another_study_is_told_of_in_both(admin_client, work):
    here, there = make_study(work, "here"), make_study(work, "there")
    patient = make_patient(here, "here-1")
    make_treatment(patient)
    place = reverse("admin:evidence_patient_change", args=[patient.pk])
    form = form_values(admin_client.get(place))
    assert admin_client.post(place, form | {"study": there.pk}).status_code == 302
    for study, held in ((here, []), (there, ["here-1"])):
        version = StudyDraft.objects.get(slug=study.slug).published
        patients = [one for one in version.content if one["model"] == "evidence.patient"]
        assert [one["fields"]["slug"] for one in patients] == held
    assert "moved to there" in StudyDraft.objects.get(slug="here").published.message


def test_a_published_course_keeps_its_patient_and_its_number(admin_client):
    course = Treatment.objects.filter(patient__slug="fujita-2019-1").get()
    place = reverse("admin:evidence_treatment_change", args=[course.pk])
    form = form_values(admin_client.get(place))
    told = admin_client.post(place, form | {"number": 9}).content.decode()
    assert "A published course keeps its patient and its number" in told
    other = Patient.objects.exclude(pk=course.patient_id).first()
    for change in ({"number": 9}, {"patient": other}):
        with pytest.raises(IntegrityError, match="keeps its patient"), transaction.atomic():
            Treatment.objects.filter(pk=course.pk).update(**change)


def test_a_term_that_a_version_names_is_not_deleted(admin_client, draft):
    document = with_cell(beispiel(), "patient", "prior_therapies", [["rituximab"]])
    keep(draft, document)
    keep(draft, beispiel())
    term = Therapy.objects.get(code="rituximab")
    place = reverse("admin:evidence_therapy_delete", args=[term.pk])
    page = admin_client.get(place).content.decode()
    assert f"{draft} (a study in work or its history)" in page
    admin_client.post(place, {"post": "yes"})
    assert Therapy.objects.filter(code="rituximab").exists()
    words = "named in versions of 1 studies"
    with pytest.raises(ProtectedError, match=words), transaction.atomic():
        term.delete()
    Therapy.objects.get(code="nintedanib").delete()


@pytest.mark.parametrize(
    "query", ["patient/add/?study=abc", "patient/add/?replaced_by=x", "study/add/?collection=x"]
)
def test_an_address_with_a_wrong_key_is_no_error(admin_client, query):
    assert admin_client.get(f"/admin/evidence/{query}").status_code == 200


def test_a_wrong_key_in_a_form_is_told(admin_client):
    patient = Patient.objects.get(slug="fujita-2019-1")
    place = reverse("admin:evidence_patient_change", args=[patient.pk])
    form = form_values(admin_client.get(place))
    wrong = {"replaced_by": "fs-8-1", "same_as": "x", "prior_therapies": ["x"]}
    told = admin_client.post(place, form | wrong).content.decode()
    assert told.count("errorlist") >= 3


def test_everybody_agrees_for_themselves_to_be_named(client, admin_client, django_user_model):
    for name in ("anna", "bert"):
        user = django_user_model.objects.create(username=name, is_staff=True)
        user.user_permissions.set(user.user_permissions.model.objects.all())
    anna, bert = (django_user_model.objects.get(username=name) for name in ("anna", "bert"))
    client.force_login(bert)
    add = reverse("admin:evidence_curator_add")
    client.post(add, {"user": anna.pk, "public_name": "B. Beispiel"})
    assert Curator.objects.get().user == bert
    assert client.get(add).status_code == 403, "once"
    other = Curator.objects.create(user=anna, public_name="A. Muster")
    change = reverse("admin:evidence_curator_change", args=[other.pk])
    assert client.post(change, {"public_name": "Anna M."}).status_code == 403
    assert admin_client.post(change, {"public_name": "Anna M."}).status_code == 403
    before = DataVersion.current().number
    delete = reverse("admin:evidence_curator_delete", args=[other.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert admin_client.post(delete, {"post": "yes"}).status_code == 302
    assert DataVersion.current().number > before, "readers no longer see the name"


@pytest.mark.parametrize("what", ["patient", "study"])
def test_what_is_withdrawn_names_what_replaces_it(curator, client, work, draft, what):
    """Readers of the old address are led on, as by the form of the record itself."""
    make_treatment(make_patient(make_study(work, "other"), "other-1"))
    published(draft, all_looked_for(beispiel()))
    slug, successor = {
        "patient": ("beispiel-2027-1", "other-1"),
        "study": ("beispiel-2027", "other"),
    }[what]
    whom, reason = slug if what == "patient" else "", "Reported twice."
    number = draft.head.number
    for wrong, why in (("nobody-1", f"see no {what} “nobody-1”"), (slug, "replaced by itself")):
        told = sent(curator, draft, "withdraw_view", patient=whom, reason=reason, replaced_by=wrong)
        assert why in unescape(told)
        draft.refresh_from_db()
        assert draft.head.number == number
    sent(curator, draft, "withdraw_view", patient=whom, reason=reason, replaced_by=f" {successor} ")
    draft.refresh_from_db()
    assert draft.head.message == f"Withdrawn: {slug}. {reason} Replaced by {successor}."
    published(draft)
    told = client.get(reverse(what, args=["work", slug]))
    assert told.status_code == 410
    assert reverse(what, args=["work", successor]) in told.content.decode()

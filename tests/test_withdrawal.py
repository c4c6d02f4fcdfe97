"""What readers have seen keeps its address: it is withdrawn with a reason, never renamed or gone
without a word.
"""

import json
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from evidence.curation import fixture_files, loading
from evidence.models import Collection, Patient, Study

from .factories import make_collection, make_patient, make_study, make_treatment
from .test_admin import address, filled

pytestmark = pytest.mark.django_db

REASON = "The paper was retracted."


def refused(write, told: str) -> None:
    with pytest.raises(IntegrityError, match=told), transaction.atomic():
        write()


def execute(sql: str, *values) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


@pytest.fixture
def collection() -> Collection:
    return make_collection("gone")


@pytest.fixture
def study(collection) -> Study:
    return make_study(collection, "old")


@pytest.fixture
def patient(study) -> Patient:
    patient = make_patient(study, "old-1")
    make_treatment(patient)
    return patient


@pytest.fixture(params=["study", "patient"])
def record(request, patient):
    """A study and a patient, each published."""
    return request.getfixturevalue(request.param)


def withdraw(record, **fields) -> None:
    record.state, record.withdrawal_reason = "withdrawn", REASON
    for name, value in fields.items():
        setattr(record, name, value)
    record.full_clean()
    record.save()


# What the database holds


@pytest.mark.parametrize("state", ["published", "withdrawn"])
def test_the_public_id_never_changes(record, state):
    if state == "withdrawn":
        withdraw(record)
    told = "public id of a published record never changes"
    rows = type(record).objects.filter(pk=record.pk)
    refused(lambda: rows.update(slug="new"), told)
    refused(
        lambda: execute(
            f"UPDATE {record._meta.db_table} SET slug = 'new' WHERE id = %s",
            record.pk,
        ),
        told,
    )
    record.slug = "new"
    refused(record.save, told)
    refused(lambda: type(record).objects.bulk_update([record], ["slug"]), told)
    with pytest.raises(ValidationError, match=told) as why:
        record.full_clean()
    assert list(why.value.message_dict) == ["slug"]


@pytest.mark.parametrize("state", ["published", "withdrawn"])
def test_it_is_never_a_draft_again(record, state):
    if state == "withdrawn":
        withdraw(record)
    told = "never becomes a draft again"
    refused(lambda: type(record).objects.filter(pk=record.pk).update(state="draft"), told)
    record.state = "draft"
    refused(record.save, told)
    with pytest.raises(ValidationError, match=told):
        record.full_clean()


def test_it_can_be_published_again(record):
    withdraw(record)
    record.state = "published"
    record.full_clean()
    record.save()


@pytest.mark.parametrize("state", ["published", "withdrawn"])
def test_it_is_not_deleted(patient, state):
    if state == "withdrawn":
        withdraw(patient)
    told = "is not deleted, since its address stays"
    with pytest.raises(ProtectedError, match=told), transaction.atomic():
        patient.delete()
    with pytest.raises(ProtectedError, match=told), transaction.atomic():
        Patient.objects.filter(pk=patient.pk).delete()
    for table in ("evidence_treatment", "evidence_patient_prior_therapies"):
        execute(f"DELETE FROM {table} WHERE patient_id = %s", patient.pk)
    refused(lambda: execute("DELETE FROM evidence_patient WHERE id = %s", patient.pk), told)
    rows = Patient.objects.filter(pk=patient.pk)
    refused(lambda: rows._raw_delete(rows.db), told)


def test_a_study_is_not_deleted_either(study):
    told = "is not deleted, since its address stays"
    with pytest.raises(ProtectedError, match=told), transaction.atomic():
        study.delete()
    refused(lambda: execute("DELETE FROM evidence_study WHERE id = %s", study.pk), told)


def test_a_study_stays_in_its_collection(study):
    told = "stays in its collection"
    other = make_collection()
    refused(lambda: Study.objects.filter(pk=study.pk).update(collection=other), told)
    study.collection = other
    refused(study.save, told)
    with pytest.raises(ValidationError, match=told) as why:
        study.full_clean()
    assert list(why.value.message_dict) == ["collection"]


def test_a_patient_stays_in_its_collection_under_a_study_that_was_published(patient, collection):
    told = "stays in its collection, under a study that was published too"
    for elsewhere in (make_study(make_collection()), make_study(collection, state="draft")):
        refused(lambda: Patient.objects.filter(pk=patient.pk).update(study=elsewhere), told)  # noqa: B023
        patient.study = elsewhere
        with pytest.raises(ValidationError, match=told):
            patient.full_clean()
    patient.study = make_study(collection, "beside")
    patient.full_clean()
    patient.save()
    assert Patient.objects.get(pk=patient.pk).study.slug == "beside"


@pytest.mark.parametrize("of_patient", [True, False])
def test_a_draft_is_free(collection, of_patient):
    study = make_study(collection, state="published" if of_patient else "draft")
    patient = make_patient(study, "p-1", state="draft" if of_patient else "published")
    for record in (patient,) if of_patient else (patient, study):
        record.slug = f"{record.slug}-renamed"
        record.full_clean()
        record.save()
    if not of_patient:
        patient.state = "draft"  # nobody could see it under a draft
        patient.full_clean()
        patient.save()
    patient.delete()
    if not of_patient:
        study.delete()


def test_simulated_records_are_drawn_anew_with_their_ids(db):
    for _ in range(2):
        call_command("generate_cohort", patients=20, seed=1, verbosity=0, replace=True)
    assert Patient.objects.filter(study__collection__slug="synthetic").count() == 20


def test_a_withdrawn_record_needs_a_reason(record):
    record.state = "withdrawn"
    refused(record.save, "withdrawn_has_reason")
    with pytest.raises(ValidationError, match="needs the reason that readers are told"):
        record.full_clean()


def test_only_a_withdrawn_record_is_replaced_and_not_by_itself(record, collection):
    other = make_study(collection, "new")
    if isinstance(record, Patient):
        other = make_patient(other, "new-1")
    rows = type(record).objects.filter(pk=record.pk)
    refused(lambda: rows.update(replaced_by=other), "replaced_where_withdrawn")
    withdraw(record, replaced_by=other)
    refused(lambda: rows.update(replaced_by=record), "not_replaced_by_itself")
    refused(lambda: rows.update(state="published"), "replaced_where_withdrawn")


def test_what_replaces_a_record_is_in_its_collection(record):
    other = make_study(make_collection())
    if isinstance(record, Patient):
        other = make_patient(other)
    record.state, record.withdrawal_reason, record.replaced_by = "withdrawn", REASON, other
    with pytest.raises(ValidationError, match="in another collection") as told:
        record.full_clean()
    assert list(told.value.message_dict) == ["replaced_by"]


# What readers find

PAGES = ["patients/old-1/", "studies/old/"]
FILES = ["patients/old-1/phenopacket.json", "studies/old.ris", "studies/old.bib"]


@pytest.mark.parametrize("place", PAGES + FILES)
def test_the_address_of_a_withdrawn_record_is_gone_and_says_why(client, patient, study, place):
    assert client.get(f"/gone/{place}").status_code == 200
    withdraw(study if place.startswith("studies") else patient)
    response = client.get(f"/gone/{place}")
    text = response.content.decode()
    assert response.status_code == 410 and response["Cache-Control"] == "no-store"
    assert REASON in text
    if place in PAGES:
        assert response["Content-Type"].startswith("text/html")
        assert "This record was withdrawn" in text and 'href="/gone/patients/"' in text
    else:
        assert response["Content-Type"].startswith("text/plain") and "was withdrawn." in text
    head = client.head(f"/gone/{place}")
    assert head.status_code == 410 and head.content == b""


@pytest.mark.parametrize("place", ["patients/old-1/", "patients/old-1/phenopacket.json"])
def test_patients_of_a_withdrawn_study_are_gone_with_it(client, patient, study, collection, place):
    make_patient(make_study(collection, "new"), "new-1")
    withdraw(study, replaced_by=Study.objects.get(slug="new"))
    response = client.get(f"/gone/{place}")
    text = response.content.decode()
    assert response.status_code == 410 and REASON in text and "/gone/studies/new/" in text


@pytest.mark.parametrize("place", PAGES + FILES)
def test_it_says_where_the_record_went(client, patient, study, collection, place):
    """By way of one that was itself replaced, to the one that readers see."""
    middle, last = (make_study(collection, slug) for slug in ("middle", "last"))
    if place.startswith("patients"):
        middle, last = make_patient(middle, "middle-1"), make_patient(last, "last-1")
    withdraw(study if place.startswith("studies") else patient, replaced_by=middle)
    withdraw(middle, replaced_by=last)
    text = client.get(f"/gone/{place}").content.decode()
    assert last.get_absolute_url() in text and middle.get_absolute_url() not in text
    withdraw(last)
    text = client.get(f"/gone/{place}").content.decode()
    assert last.get_absolute_url() not in text, "it would lead nowhere"


def test_records_replaced_by_one_another_lead_nowhere(client, study, collection):
    other = make_study(collection, "other")
    withdraw(study, replaced_by=other)
    withdraw(other, replaced_by=study)
    assert client.get("/gone/studies/old/").status_code == 410


@pytest.mark.parametrize("place", PAGES + FILES)
def test_a_draft_is_not_there_and_leaks_nothing(client, collection, place):
    study = make_study(collection, "old", state="draft", withdrawal_reason=REASON)
    make_patient(study, "old-1", state="withdrawn", withdrawal_reason=REASON)
    response = client.get(f"/gone/{place}")
    assert response.status_code == 404 and REASON not in response.content.decode()


def test_a_draft_patient_of_a_withdrawn_study_was_never_there(client, collection):
    make_patient(make_study(collection, "old", state="withdrawn"), "old-1", state="draft")
    assert client.get("/gone/patients/old-1/").status_code == 404


def test_an_address_without_any_record_is_not_found(client, collection):
    for place in PAGES + FILES:
        assert client.get(f"/gone/{place}").status_code == 404


def test_a_withdrawn_simulated_record_is_labelled_and_is_no_citation(client):
    drawn = make_collection("drawn", kind="simulated", caveat="drawn for a test")
    make_patient(make_study(drawn, "old", state="withdrawn"), "SIM-1")
    for place in ("studies/old/", "patients/SIM-1/"):
        page = client.get(f"/drawn/{place}")
        assert page.status_code == 410 and "Simulated records." in page.content.decode()
    assert client.get("/drawn/studies/old.ris").status_code == 404


def test_a_withdrawn_record_is_in_no_list_or_number(client, patient, study, collection):
    make_treatment(make_patient(make_study(collection, "stays"), "stays-1"))
    withdraw(patient)
    for noun in ("patients", "treatments"):
        found = client.get(f"/api/v1/gone/{noun}/").json()
        assert [row["patient"] for row in found["results"]] == ["stays-1"]
    assert client.get("/api/v1/gone/summary/").json()["totals"]["patients"] == 1


def test_the_reason_is_text_and_no_markup(client, study):
    study.state, study.withdrawal_reason = "withdrawn", "<script>alert(1)</script>"
    study.save()
    assert "<script>alert" not in client.get("/gone/studies/old/").content.decode()


# Curators and fixtures


def test_the_admin_says_that_it_is_withdrawn_instead(admin_client, record):
    place = address(type(record), "delete", record.pk)
    assert "withdraw it instead" in admin_client.get(place).content.decode()
    admin_client.post(place, {"post": "yes"})
    listed = address(type(record), "changelist")
    chosen = {"action": "delete_selected", "_selected_action": record.pk, "post": "yes"}
    assert "withdraw it instead" in admin_client.post(listed, chosen).content.decode()
    assert type(record).objects.filter(pk=record.pk).exists()


def test_the_admin_withdraws_with_a_reason_and_not_without(admin_client, record):
    place = address(type(record), "change", record.pk)
    form = filled(admin_client.get(place)) | {"state": "withdrawn"}
    told = admin_client.post(place, form).content.decode()
    assert "A withdrawn record needs the reason that readers are told." in told
    assert admin_client.post(place, form | {"withdrawal_reason": REASON}).status_code == 302
    record.refresh_from_db()
    assert record.state == "withdrawn"


@pytest.mark.slow
def test_a_fixture_without_a_record_leaves_it_and_its_withdrawal(tmp_path, settings):
    fujita = Patient.objects.get(slug="fujita-2019-1")
    withdraw(fujita)
    for name in fixture_files.FILES:
        entries = json.loads((fixture_files.fixture_folder() / name).read_text(encoding="utf-8"))
        kept = [entry for entry in entries if "fujita-2019" not in json.dumps(entry["fields"])]
        (tmp_path / name).write_text(json.dumps(kept), encoding="utf-8")
    settings.FIXTURE_DIRS = [tmp_path]
    call_command("load_evidence", stdout=StringIO())
    fujita.refresh_from_db()
    assert (fujita.state, fujita.withdrawal_reason) == ("withdrawn", REASON)
    assert Study.objects.filter(slug="fujita-2019", state="published").exists()


# Collections


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [("kind", "published", "simulated records stay labelled"), ("slug", "new", "people cite it")],
)
def test_a_collection_with_studies_keeps_its_kind_and_address(admin_client, field, value, told):
    collection = make_collection("drawn", kind="simulated", caveat="Drawn.")
    study = make_study(collection, state="draft")
    refused(lambda: Collection.objects.filter(pk=collection.pk).update(**{field: value}), told)
    sql = f"UPDATE evidence_collection SET {field} = %s WHERE id = %s"
    refused(lambda: execute(sql, value, collection.pk), told)
    place = address(Collection, "change", collection.pk)
    page = admin_client.post(place, filled(admin_client.get(place)) | {field: value})
    (error,) = page.context["adminform"].form.errors[field]
    assert told in error
    study.delete()
    form = filled(admin_client.get(place)) | {field: value}
    assert admin_client.post(place, form).status_code == 302


# What readers never saw


NEVER = "Readers never saw it, so there is nothing to withdraw"


def never_seen(collection, kind: str):
    """A study or a patient that was never public: a draft, or a patient of a draft."""
    study = make_study(collection, "new", state="published" if kind == "draft patient" else "draft")
    if kind == "study":
        return study
    return make_patient(study, "new-1", state="draft" if kind == "draft patient" else "published")


@pytest.mark.parametrize("kind", ["study", "draft patient", "patient of a draft"])
@pytest.mark.parametrize("collection_kind", ["published", "simulated"])
def test_what_readers_never_saw_is_not_withdrawn(kind, collection_kind):
    caveat = {"caveat": "drawn for a test"} if collection_kind == "simulated" else {}
    record = never_seen(make_collection("fresh", kind=collection_kind, **caveat), kind)
    rows = type(record).objects.filter(pk=record.pk)
    refused(lambda: rows.update(state="withdrawn", withdrawal_reason=REASON), NEVER)
    record.state, record.withdrawal_reason = "withdrawn", REASON
    refused(record.save, NEVER)
    with pytest.raises(ValidationError, match=NEVER) as why:
        record.full_clean()
    assert "state" in why.value.message_dict


def test_a_new_record_is_not_withdrawn_in_the_admin(admin_client, collection):
    place = address(Study, "add")
    form = filled(admin_client.get(place)) | {
        "collection": collection.pk,
        "slug": "new",
        "short_name": "New 2026",
        "design": "case_report",
        "extraction": "abstract",
        "state": "withdrawn",
        "withdrawal_reason": REASON,
    }
    assert NEVER in admin_client.post(place, form).content.decode()
    assert not Study.objects.filter(slug="new").exists()
    assert admin_client.post(place, form | {"state": "draft"}).status_code == 302


def test_a_withdrawn_record_of_the_files_comes_into_a_new_database(tmp_path, settings, client):
    """Readers saw it: the files of a collection remember what a new database cannot know."""
    study = {
        "collection": ["gone"],
        "slug": "old",
        "short_name": "Old 2020",
        "design": "case_report",
        "extraction": "abstract",
        "state": "withdrawn",
        "withdrawal_reason": REASON,
    }
    make_collection("gone")
    record = fixture_files.FixtureRecord("a file", 1, "evidence.study", study)
    loading.load_records([record])
    assert client.get("/gone/studies/old/").status_code == 410

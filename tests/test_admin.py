"""The curators' entrance: every model is there, its list costs the same for 1 row and for 40."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from evidence.models import ArchivePart, DataVersion, LoadedRecord, Patient, Release, ReleasedCollection

from .factories import make_collection, make_group, make_patient, make_study, make_treatment
from .test_models import everything

EVERY = list(apps.get_app_config("evidence").get_models())
MODELS = [model for model in EVERY if model is not ArchivePart]  # a megabyte of a ZIP tells a curator nothing
KEPT_BY_CASEBOOK = {DataVersion, LoadedRecord, Release, ReleasedCollection}
MOST = 20


def address(model, page, *args) -> str:
    return reverse(f"admin:evidence_{model._meta.model_name}_{page}", args=args)


def test_every_model_is_registered():
    assert {model for model in MODELS if not admin.site.is_registered(model)} == set()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_lists_and_forms_open(admin_client, db, model):
    everything()
    record = model.objects.first()
    listed = admin_client.get(address(model, "changelist"))
    assert listed.status_code == 200
    assert admin_client.get(address(model, "change", record.pk)).status_code == 200
    added = admin_client.get(address(model, "add"))
    assert added.status_code == (403 if model in KEPT_BY_CASEBOOK else 200)


@pytest.mark.parametrize(
    "model", [model for model in MODELS if model is not DataVersion], ids=lambda model: model.__name__
)
def test_search_works(admin_client, db, model):
    assert admin_client.get(address(model, "changelist"), {"q": "ild"}).status_code == 200


def fill(rows: int) -> None:
    for _ in range(rows):
        study = make_study(make_collection())
        patient = make_patient(study, present=["ild"], antibodies=["ana"])
        make_treatment(patient, indications=["ild"], events=[("infection", {})], outcomes=[("skin", "stable")])
        make_group(study, findings=[{"kind": "mean_change", "measure": "mRSS", "change": -1}])
        study.provenance.create(patient=patient, field="sex", locator="p. 1", number=1)


def test_every_list_takes_the_same_queries_for_few_rows_and_for_40_more(admin_client, db):
    def queries() -> dict:
        counts = {}
        for model in MODELS:
            with CaptureQueriesContext(connection) as captured:
                admin_client.get(address(model, "changelist"))
            counts[model.__name__] = len(captured)
        return counts

    fill(1)
    before = queries()
    fill(40)
    assert queries() == before
    assert max(before.values()) <= MOST


def test_a_form_takes_the_same_queries_however_many_inlines(admin_client, db):
    def queries(patient) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(address(Patient, "change", patient.pk)).status_code == 200
        return len(captured)

    study = make_study(make_collection())
    one, many = make_patient(study), make_patient(study)
    for patient, courses in ((one, 2), (many, 12)):
        for _ in range(courses):
            make_treatment(patient, indications=["ild"])
    assert queries(many) - queries(one) <= 10, "its drug, and no more, is looked up for each course"


def test_a_curator_reads_why_a_record_is_refused(admin_client, db):
    study = make_study(make_collection())
    form = {
        "study": study.pk,
        "slug": "x-1",
        "label": "Case 1",
        "sex": "female",
        "age_years": "150",
        "subset": "unknown",
    }
    lists = ("prior_therapies", "manifestations", "autoantibodies")
    form |= {f"{name}_completeness": "not_stated" for name in lists}
    form |= {"state": "draft", "classification": "", "comorbidities": "", "notes": ""}
    for prefix in ("manifestation_records", "autoantibody_records", "treatments"):
        form |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    response = admin_client.post(address(Patient, "add"), form)
    assert "less than or equal to 120" in response.content.decode()
    before = DataVersion.current().number
    assert admin_client.post(address(Patient, "add"), form | {"age_years": "50"}).status_code == 302
    assert Patient.objects.get(slug="x-1").state == "draft"
    assert DataVersion.current().number > before


def test_a_published_record_links_to_its_page(admin_client, db):
    patient = Patient.objects.get(slug="fujita-2019-1")
    body = admin_client.get(address(Patient, "change", patient.pk)).content.decode()
    assert "/published/patients/fujita-2019-1/" in body


def test_a_term_in_use_cannot_be_deleted_and_the_page_says_by_whom(admin_client, db):
    from evidence.models import Indication

    gi = Indication.objects.get(code="gi")
    page = admin_client.get(address(Indication, "delete", gi.pk))
    assert "SIM-01" in page.content.decode() and "would require deleting" in page.content.decode()
    admin_client.post(address(Indication, "delete", gi.pk), {"post": "yes"})
    assert Indication.objects.filter(code="gi").exists()


def test_nobody_enters_without_an_account(client, db):
    response = client.get("/admin/evidence/patient/")
    assert response.status_code == 302 and "/admin/login/" in response["Location"]

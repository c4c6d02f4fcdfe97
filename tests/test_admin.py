"""The curators' entrance: every model is there, its list costs the same for 1 row and for 40."""

import re
from decimal import Decimal
from html import unescape

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import CheckConstraint, UniqueConstraint
from django.forms import IntegerField, NumberInput
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from simple_history.models import HistoricalChanges

from evidence.models import (
    AdverseEventCategory,
    Appraisal,
    ArchivePart,
    CheckedCell,
    Curator,
    DataVersion,
    JAKInhibitor,
    Judgement,
    LoadedRecord,
    Manifestation,
    OpenPublication,
    Patient,
    RecordsPart,
    Release,
    ReleasedCollection,
    ReleasedRecords,
    Review,
    SecondEntry,
    Signature,
    Study,
    StudyDraft,
    StudyGroup,
    StudyVersion,
    Suggestion,
    Treatment,
)
from evidence.questions.filters import TreatmentFilter
from evidence.questions.form_fields import DecimalNumberField, NumberAsText, WholeNumberField

from .factories import make_collection, make_group, make_patient, make_study, make_treatment
from .test_models import BREAKING, IDENTIFIERS, constraints, everything

pytestmark = pytest.mark.slow

# Megabytes of a ZIP or of a release's records tell a curator nothing; what a record said before is
# shown on its own page; what opens a study never outlives its transaction.
OPAQUE = (ArchivePart, ReleasedRecords, RecordsPart)
MODELS = [
    model
    for model in apps.get_app_config("evidence").get_models()
    if model not in (*OPAQUE, OpenPublication) and not issubclass(model, HistoricalChanges)
]
KEPT_BY_CASEBOOK = {
    Appraisal,
    CheckedCell,
    Judgement,
    SecondEntry,
    Suggestion,
    DataVersion,
    LoadedRecord,
    Release,
    ReleasedCollection,
    Signature,
    StudyDraft,
    StudyVersion,
}
MOST = 20


def address(model, page, *args) -> str:
    return reverse(f"admin:evidence_{model._meta.model_name}_{page}", args=args)


def test_every_model_is_registered():
    assert {model for model in MODELS if not admin.site.is_registered(model)} == set()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_lists_and_forms_open(admin_client, admin_user, db, model):
    everything()
    Curator.objects.create(user=admin_user)
    record = model.objects.first()
    listed = admin_client.get(address(model, "changelist"))
    assert listed.status_code == 200
    assert admin_client.get(address(model, "change", record.pk)).status_code == 200
    added = admin_client.get(address(model, "add"))
    is_closed = model in KEPT_BY_CASEBOOK or model is Curator  # everybody has one at most
    assert added.status_code == (403 if is_closed else 200)


@pytest.mark.parametrize(
    "model",
    [model for model in MODELS if model is not DataVersion],
    ids=lambda model: model.__name__,
)
def test_search_works(admin_client, db, model):
    assert admin_client.get(address(model, "changelist"), {"q": "ild"}).status_code == 200


def filled(page) -> dict:
    """What a browser would send back of an admin page, if nothing was changed."""
    forms = [page.context["adminform"].form]
    for inline in page.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    values = {field.html_name: field.value() for form in forms for field in form}
    return {
        name: value for name, value in values.items() if value is not None and value is not False
    }


def fill(rows: int) -> None:
    for _ in range(rows):
        study = make_study(make_collection())
        patient = make_patient(study, present=["ild"], antibodies=["ana"])
        make_treatment(
            patient, indications=["ild"], events=[("infection", {})], outcomes=[("skin", "stable")]
        )
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
    queries(one)  # with what a process reads once
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


# Numbers as curators type them

OWN = [each for each in admin.site._registry.values() if each.opts.app_label == "evidence"]


def forms_of(model_admin, request):
    """The form of a page and the forms of its inlines."""
    yield model_admin.get_form(request)
    for inline in model_admin.get_inline_instances(request):
        yield inline.get_formset(request).form


def test_a_number_is_typed_as_text_in_every_form_and_filter(admin_user, rf):
    request = rf.get("/admin/")
    request.user = admin_user
    fields = [
        field
        for each in OWN
        if each.has_change_permission(request)
        for form in forms_of(each, request)
        for field in form.base_fields.values()
    ]
    # decimal fields are among them
    numbers = [field for field in fields if isinstance(field, IntegerField)]
    assert len(numbers) > 40
    for field in numbers:
        assert isinstance(field, NumberAsText) and not isinstance(field.widget, NumberInput), (
            field.label
        )
    asked = [each.field_class for each in TreatmentFilter.base_filters.values()]
    assert all(issubclass(each, NumberAsText) for each in asked if issubclass(each, IntegerField))


@pytest.mark.parametrize("typed", ["1,5", "1_5", "1.5.", "1 5", "1,500", "NaN", "1.5e"])
def test_what_is_no_number_is_an_error_that_says_how_to_write_it(typed):
    with pytest.raises(ValidationError, match="Enter a number with a point before its decimals"):
        DecimalNumberField(max_digits=6, decimal_places=1).clean(typed)
    with pytest.raises(ValidationError, match="Enter a whole number"):
        WholeNumberField().clean(typed)


def test_a_number_with_a_point_is_that_number():
    assert DecimalNumberField(max_digits=6, decimal_places=1).clean(" 1.5 ") == Decimal("1.5")
    assert WholeNumberField().clean(" 15 ") == 15


@pytest.mark.parametrize("typed", ["1,5", "1_5"])
def test_a_curator_who_types_a_comma_is_told_and_nothing_is_written(admin_client, db, typed):
    course = make_treatment(make_patient(make_study(make_collection())), duration_months=3)
    page = admin_client.get(address(Treatment, "change", course.pk))
    form = filled(page) | {"duration_months": typed}
    body = admin_client.post(address(Treatment, "change", course.pk), form).content.decode()
    assert "Enter a number with a point before its decimals, such as 1.5." in body
    assert f'value="{typed}"' in body, "what was typed is not lost"
    course.refresh_from_db()
    assert course.duration_months == 3
    assert (
        admin_client.post(
            address(Treatment, "change", course.pk), form | {"duration_months": "1.5"}
        ).status_code
        == 302
    )
    course.refresh_from_db()
    assert course.duration_months == Decimal("1.5")


@pytest.mark.parametrize("typed", ["45.0", "+45", "+0.0", "４５", "1e1", "--1"])
def test_a_whole_number_is_digits_and_nothing_else(typed):
    with pytest.raises(ValidationError, match="Enter a whole number"):
        WholeNumberField().clean(typed)


@pytest.mark.parametrize("typed", ["1e1", "４.5", "Infinity", "+-1", "."])
def test_a_decimal_number_is_digits_around_a_point(typed):
    with pytest.raises(ValidationError, match="Enter a number with a point"):
        DecimalNumberField(max_digits=6, decimal_places=1).clean(typed)


@pytest.mark.parametrize("typed", ["1,5", "1_5", "45.0", "+0.0"])
def test_a_filter_takes_no_comma_either(client, world, typed):
    body = client.get(world.address("patients/"), {"age_min": typed}).content.decode()
    assert f"“{typed}” is not a whole number for “Age from”." in body
    assert client.get(world.address("patients.csv"), {"age_min": typed}).status_code == 400
    assert client.get("/api/v1/world/patients/", {"age_min": typed}).status_code == 400


# Rows of inlines

INLINES = [(each.model, inline.model) for each in OWN for inline in each.inlines]


def visible_errors(page) -> str:
    """The errors a curator can see on an admin page: hidden cells show none."""
    shown = re.sub(r'<td class="[^"]*hidden[^"]*">.*?</td>', "", page.content.decode(), flags=re.S)
    return unescape(" ".join(re.findall(r'<ul class="errorlist[^>]*>(.*?)</ul>', shown, re.S)))


def parent_of_row(parent, model) -> tuple[str, str]:
    """The page of a record with a sound row of this inline, and the field by which the row hangs on
    it.
    """
    found = everything()
    (link,) = (field.name for field in model._meta.fields if field.related_model is parent)
    row = found[model]
    if getattr(row, link) is None:
        row = model.objects.create(**{link: found[parent], "stage": row.stage})
    return address(parent, "change", getattr(row, link).pk), link


def changed_row(page, model, values: dict) -> dict:
    """What a browser sends back once these values were typed into the last row of this model."""
    (inline,) = (
        each for each in page.context["inline_admin_formsets"] if each.formset.model is model
    )
    form = inline.formset.initial_forms[-1]
    return filled(page) | {
        f"{form.prefix}-{name}": "" if value is None else value for name, value in values.items()
    }


@pytest.mark.parametrize(("parent", "model"), INLINES, ids=lambda model: model.__name__)
def test_every_rule_broken_in_a_row_is_told_beside_the_row(admin_client, db, parent, model):
    place, _ = parent_of_row(parent, model)
    page = admin_client.get(place)
    rules = [
        name
        for name, (broken, _) in constraints(CheckConstraint).items()
        if broken is model and name in BREAKING
    ]
    refused = 0
    for name in rules:
        with transaction.atomic():
            told = admin_client.post(place, changed_row(page, model, BREAKING[name]))
            transaction.set_rollback(True)
        if told.status_code == 200:  # otherwise nothing the row shows can break this rule
            assert visible_errors(told), f"{name}: refused, and nothing says why"
            refused += 1
    assert refused


def test_the_rule_on_adverse_events_is_told_in_the_row_that_breaks_it(admin_client, db):
    course = make_treatment(make_patient(make_study(make_collection())))
    place = address(Treatment, "change", course.pk)
    event = {
        "number": 1,
        "category": AdverseEventCategory.objects.get(code="infection").pk,
        "treatment": course.pk,
    }
    event |= {"serious": "unknown", "led_to_stop": "unknown"}
    form = filled(admin_client.get(place)) | {
        f"events-0-{name}": value for name, value in event.items()
    }
    form["events-TOTAL_FORMS"] = 1
    told = admin_client.post(place, form)
    assert "This course says “Not stated”; change that first." in visible_errors(told)
    assert admin_client.post(place, form | {"adverse_events": "events"}).status_code == 302
    assert course.events.count() == 1


@pytest.mark.parametrize(("parent", "model"), INLINES, ids=lambda model: model.__name__)
def test_an_error_of_a_field_the_row_does_not_show_is_shown_and_breaks_nothing(
    admin_client, db, monkeypatch, parent, model
):
    place, link = parent_of_row(parent, model)

    def clean(record):
        raise ValidationError({link: ["Told of the link."], "of_no_row": ["Told of no field."]})

    monkeypatch.setattr(model, "clean", clean)
    told = visible_errors(admin_client.post(place, changed_row(admin_client.get(place), model, {})))
    assert "Told of the link." in told and "Told of no field." in told


def new_rows(page, prefix: str, *rows: dict) -> dict:
    """What a browser sends back once rows were added to an inline and filled in."""
    form = filled(page)
    first = form[f"{prefix}-TOTAL_FORMS"]
    (inline,) = (
        each for each in page.context["inline_admin_formsets"] if each.formset.prefix == prefix
    )
    offered = {field.name: field.value() for field in inline.formset.empty_form}
    for place, row in enumerate(rows, start=first):
        for name, value in (offered | row).items():
            form[f"{prefix}-{place}-{name}"] = "" if value is None else value
    return form | {f"{prefix}-TOTAL_FORMS": first + len(rows)}


def test_new_rows_number_themselves(admin_client, db):
    known = [("skin", "stable"), ("lung", "stable")]
    course = make_treatment(make_patient(make_study(make_collection())), outcomes=known)
    place = address(Treatment, "change", course.pk)
    rows = [{"domain": "joints", "measure": measure} for measure in ("DAS28", "CDAI")]
    form = new_rows(admin_client.get(place), "outcomes", *rows)
    assert form["outcomes-2-number"] == "", "nothing is offered that would be taken already"
    assert admin_client.post(place, form).status_code == 302
    found = list(course.outcomes.values_list("number", "measure"))
    assert found == [(1, "skin"), (2, "lung"), (3, "DAS28"), (4, "CDAI")]


def test_a_number_that_was_typed_is_kept(admin_client, db):
    course = make_treatment(make_patient(make_study(make_collection())), adverse_events="events")
    place = address(Treatment, "change", course.pk)
    category = AdverseEventCategory.objects.get(code="infection").pk
    typed = [("a", None), ("b", 5), ("c", None)]
    rows = [{"category": category, "description": text, "number": number} for text, number in typed]
    form = new_rows(admin_client.get(place), "events", *rows)
    assert admin_client.post(place, form).status_code == 302
    assert list(course.events.values_list("number", "description")) == [
        (5, "b"),
        (6, "a"),
        (7, "c"),
    ]


def test_a_number_that_is_taken_or_none_is_told(admin_client, db):
    course = make_treatment(
        make_patient(make_study(make_collection())), outcomes=[("skin", "stable")]
    )
    place = address(Treatment, "change", course.pk)
    for number, why in (
        ("1", "Please correct the duplicate data for number."),
        ("first", "Enter a whole number."),
    ):
        row = {"domain": "joints", "measure": "DAS28", "number": number}
        told = admin_client.post(place, new_rows(admin_client.get(place), "outcomes", row))
        assert why in visible_errors(told)
    page = admin_client.get(place)
    told = admin_client.post(place, filled(page) | {"outcomes-0-number": ""})
    assert "This field is required." in visible_errors(told), "a row that is there keeps its number"


def test_an_added_row_that_stays_empty_is_no_record(admin_client, db):
    course = make_treatment(make_patient(make_study(make_collection())))
    place = address(Treatment, "change", course.pk)
    assert (
        admin_client.post(place, new_rows(admin_client.get(place), "outcomes", {})).status_code
        == 302
    )
    assert not course.outcomes.exists()


def test_courses_and_findings_number_themselves_too(admin_client, db):
    study = make_study(make_collection())
    patient, group = make_patient(study), make_group(study)
    make_treatment(patient)
    drug = JAKInhibitor.objects.get(slug="baricitinib").pk
    place = address(Patient, "change", patient.pk)
    form = new_rows(admin_client.get(place), "treatments", {"inhibitor": drug})
    assert admin_client.post(place, form).status_code == 302
    assert list(patient.treatments.values_list("number", "inhibitor__slug")) == [
        (1, "tofacitinib"),
        (2, "baricitinib"),
    ]
    place = address(StudyGroup, "change", group.pk)
    form = new_rows(
        admin_client.get(place), "findings", {"kind": "share", "measure": "women", "percent": "80"}
    )
    assert admin_client.post(place, form).status_code == 302
    assert group.findings.get().number == 1


# Rules of single records, in their own forms


def sentence_of(constraint) -> str:
    return constraint.get_violation_error_message()


@pytest.mark.parametrize("name", sorted(BREAKING))
def test_every_rule_broken_in_a_form_is_told_beside_its_field(admin_client, db, name):
    """“Please correct the error below” never stands alone."""
    model, constraint = constraints(CheckConstraint)[name]
    if model in KEPT_BY_CASEBOOK or model in OPAQUE:
        return  # no form changes it
    place = address(model, "change", everything()[model].pk)
    page = admin_client.get(place)
    broken = {key: "" if value is None else value for key, value in BREAKING[name].items()}
    told = admin_client.post(place, filled(page) | broken)
    assert told.status_code == 200, "the form shows what breaks the rule"
    errors = told.context["adminform"].form.errors
    fields = set(broken) | constraint.condition.referenced_base_fields
    beside = [each for field in fields for each in errors.get(field, ())]
    assert beside or sentence_of(constraint) in errors.get("__all__", ())
    for each in [*beside, *errors.get("__all__", ())]:
        assert each in visible_errors(told)


@pytest.mark.parametrize("name", sorted(constraints(UniqueConstraint)))
def test_every_record_that_is_there_already_is_told(admin_client, db, name):
    model, constraint = constraints(UniqueConstraint)[name]
    if model in KEPT_BY_CASEBOOK or model in OPAQUE:
        return
    found = everything()
    record = found[model]
    if name == "flow_step_once_per_review":
        model.objects.filter(pk=record.pk).update(review=found[Review], collection=None)
    registered = {"extraction": "registry"} if name == "study_nct_once_per_registration" else {}
    if registered:
        model.objects.filter(pk=record.pk).update(**registered)
    page = admin_client.get(address(model, "change", record.pk))
    form = {key: value for key, value in filled(page).items() if not re.search(r"-\d+-", key)}
    form |= {key: 0 for key in form if key.endswith(("TOTAL_FORMS", "INITIAL_FORMS"))}
    if "slug" in form and "slug" not in constraint.fields:
        form["slug"] = "another"
    if model is Study:  # of all that is unique, it has nothing else in common
        form |= {field: "" for field in IDENTIFIERS if f"study_{field}_" not in name}
    told = admin_client.post(address(model, "add"), form)
    assert told.status_code == 200
    assert sentence_of(constraint) in visible_errors(told)


# Rules that span several records


def nothing_is_written(client, place: str, form: dict):
    """Posts a form and says what the page answered; nothing may be left of it."""
    client.get("/admin/")  # which shows what earlier saves had to say
    before = DataVersion.current().number, StudyVersion.objects.count()
    told = client.post(place, form)
    assert told.status_code == 200
    assert (DataVersion.current().number, StudyVersion.objects.count()) == before
    assert not list(told.context["messages"]), "what is taken back is not said to be done"
    return told


@pytest.fixture
def patient(db):
    patient = make_patient(make_study(make_collection(), n_jaki=3), prior=["bosentan"])
    make_treatment(patient, indications=["ild"])
    return patient


def test_a_list_that_is_said_to_be_empty_is_told_beside_it(admin_client, patient):
    place = address(Patient, "change", patient.pk)
    form = filled(admin_client.get(place)) | {"prior_therapies": [patient.prior_therapies.get().pk]}
    form |= {"prior_therapies_completeness": "none", "notes": "Not lost."}
    told = nothing_is_written(admin_client, place, form)
    errors = told.context["adminform"].form.errors
    assert errors["prior_therapies_completeness"] == [
        "Not saved: prior therapies are listed, but said to be none."
    ]
    assert "Not saved: prior therapies are listed" in visible_errors(told)
    assert "Not lost." in told.content.decode()
    mended = form | {"prior_therapies_completeness": "partial"}
    assert admin_client.post(place, mended).status_code == 302


def test_a_simulated_id_among_published_patients_is_told(admin_client, patient):
    place = address(Patient, "add")
    form = filled(admin_client.get(place)) | {
        "study": patient.study_id,
        "slug": "SIM-99-9",
        "label": "Case 9",
    }
    told = nothing_is_written(admin_client, place, form)
    assert "SIM-" in "".join(told.context["adminform"].form.errors["slug"])
    assert not Patient.objects.filter(slug="SIM-99-9").exists()


def test_a_draft_may_wait_for_its_course_and_a_published_patient_may_not(admin_client, patient):
    place = address(Patient, "add")
    form = filled(admin_client.get(place)) | {"study": patient.study_id, "label": "Case 2"}
    told = nothing_is_written(
        admin_client, place, form | {"slug": "no-course", "state": "published"}
    )
    assert "has no course of a JAK inhibitor" in visible_errors(told)
    assert admin_client.post(place, form | {"slug": "waits", "state": "draft"}).status_code == 302


def test_a_rule_that_a_row_breaks_is_told_in_the_row_and_above(admin_client, patient):
    group = make_group(patient.study, n=2)
    place = address(StudyGroup, "change", group.pk)
    row = {"kind": "share", "measure": "women", "percent": "80", "n": "9"}
    told = nothing_is_written(
        admin_client, place, new_rows(admin_client.get(place), "findings", row)
    )
    (inline,) = told.context["inline_admin_formsets"]
    assert inline.formset.forms[0].errors["n"] == [
        "Not saved: analyses 9 patients of a group of 2."
    ]
    assert "Group finding" in "".join(told.context["adminform"].form.non_field_errors())


def test_a_rule_of_the_study_that_a_group_breaks_is_told_in_the_form(admin_client, patient):
    place = address(Study, "change", patient.study_id)
    row = {"slug": "all", "label": "All", "mixed_inhibitors": "on", "n": "4"}
    form = new_rows(admin_client.get(place), "groups", row)
    told = nothing_is_written(admin_client, place, form)
    (error,) = told.context["adminform"].form.errors["n_jaki"]
    assert "its treated groups add up to 4, more than the 3" in error
    assert admin_client.post(place, form | {"n_jaki": "4"}).status_code == 302


def test_a_sign_under_one_that_is_absent_is_told(admin_client, patient):
    place = address(Patient, "change", patient.pk)
    terms = {code: Manifestation.objects.get(code=code).pk for code in ("lung", "ild")}
    rows = [
        {"manifestation": terms["lung"], "status": "absent"},
        {"manifestation": terms["ild"], "status": "present"},
    ]
    form = new_rows(admin_client.get(place), "manifestation_records", *rows)
    form["prior_therapies"] = [patient.prior_therapies.get().pk]
    told = nothing_is_written(admin_client, place, form)
    assert "a wider term that it is part of is recorded as absent" in visible_errors(told)


def test_what_was_broken_before_keeps_nobody_from_mending_something_else(admin_client, patient):
    Patient.objects.filter(pk=patient.pk).update(autoantibodies_completeness="complete")
    place = address(Patient, "change", patient.pk)
    form = filled(admin_client.get(place)) | {"prior_therapies": [patient.prior_therapies.get().pk]}
    assert admin_client.post(place, form | {"age_years": "62"}).status_code == 302
    form |= filled(admin_client.get(place)) | {"manifestations_completeness": "complete"}
    form["prior_therapies"] = [patient.prior_therapies.get().pk]
    told = nothing_is_written(admin_client, place, form)
    assert "manifestations is said to be there" in visible_errors(told)
    assert "autoantibodies" not in visible_errors(told)


# The first page


def test_the_first_page_shows_work_before_tables(admin_client, patient, draft):
    study = make_study(patient.study.collection, "half-read", extraction="in_part")
    body = admin_client.get("/admin/").content.decode()
    text = " ".join(re.sub(r"<[^>]+>", " ", body).split())
    assert '<a href="/admin/work/work/beispiel-2027/">beispiel-2027</a>' in body
    assert re.search(r"Studies in work: \d+", text)
    counted = Study.objects.filter(state="published", extraction="in_part").count()
    assert f"{counted} stud{'y' if counted == 1 else 'ies'} published and read in part." in text
    assert body.index("Studies in work") < body.index("Publications and registered trials")
    assert "Recent actions" in body
    where = re.search(r'href="([^"]*extraction__exact=in_part[^"]*)"', body)[1]
    assert study.short_name in admin_client.get(unescape(where)).content.decode()


def test_every_table_has_its_place_and_a_line_that_explains_it(admin_client, db):
    groups = admin_client.get("/admin/").context["app_list"]
    tables = [table for group in groups for table in group["models"]]
    assert len(tables) == len(admin.site._registry)
    assert [table["object_name"] for table in tables if not table["explanation"]] == []


def test_ways_to_begin_a_study_lead_somewhere(admin_client, db):
    ways = admin_client.get("/admin/").context["ways_in"]
    assert "New study" in dict(ways)
    assert all(admin_client.get(place).status_code == 200 for _, place in ways)


def test_faults_are_counted_on_the_first_page_once_they_were_looked_for(admin_client, patient):
    assert "Look for faults" in admin_client.get("/admin/").content.decode()
    Patient.objects.filter(pk=patient.pk).update(autoantibodies_completeness="complete")
    page = admin_client.get("/admin/faults/").content.decode()
    assert f"evidence.patient {patient.slug}" in page
    assert re.search(r">\d+ faults?</a>\s+found", admin_client.get("/admin/").content.decode())
    make_study(patient.study.collection)
    assert "Look for faults" in admin_client.get("/admin/").content.decode(), "of other data"


def test_somebody_sees_only_the_work_they_may_see(client, django_user_model, draft):
    client.force_login(django_user_model.objects.create_user("new", is_staff=True))
    body = client.get("/admin/").content.decode()
    assert "beispiel-2027" not in body and "New study" not in body and "faults" not in body
    assert client.get("/admin/faults/").status_code == 403

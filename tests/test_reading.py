"""What was looked for: an empty field is published as “not reported” only where somebody said
so.
"""

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.curation.cell_states import core_cells, unstated_cells
from evidence.curation.documents import NOT_REPORTED, UNTOUCHED, read_document
from evidence.curation.drafts import Author, note_study
from evidence.models import (
    AdverseEvent,
    JAKInhibitor,
    Manifestation,
    Outcome,
    Patient,
    PatientManifestation,
    Provenance,
    Study,
    StudyDraft,
    StudyGroup,
    Treatment,
)
from evidence.models.choices import Extraction, Missing
from evidence.questions.question import Question
from evidence.tables import TABLES, read_batches

from .factories import make_collection, make_patient, make_study, make_treatment
from .test_admin import address, filled

pytestmark = pytest.mark.django_db

TICK = "every empty field was looked for"


def refused(write, told: str = TICK) -> None:
    with pytest.raises(IntegrityError, match=told), transaction.atomic():
        write()


def execute(sql: str, *values) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def drug(slug: str) -> int:
    return JAKInhibitor.objects.get(slug=slug).pk


@pytest.fixture
def in_part() -> Patient:
    """A patient without the tick, under a study that counts as read in part."""
    return make_patient(make_study(make_collection(), extraction="in_part"), looked_for=False)


@pytest.fixture
def in_full() -> Patient:
    """A patient with the tick, under a study that counts as read in full."""
    return make_patient(make_study(make_collection()))


# The database


def test_a_study_is_not_read_in_full_while_a_patient_lacks_the_tick(in_part):
    study = in_part.study
    full = {"extraction": "full_text"}
    refused(lambda: Study.objects.filter(pk=study.pk).update(**full))
    refused(
        lambda: execute(
            "UPDATE evidence_study SET extraction = 'full_text' WHERE id = %s", study.pk
        )
    )
    study.extraction = "full_text"
    refused(study.save)
    refused(lambda: Study.objects.bulk_update([study], ["extraction"]))
    with pytest.raises(ValidationError, match=f"{TICK}.*missing on {in_part}") as told:
        study.full_clean()
    assert list(told.value.message_dict) == ["extraction"]
    Patient.objects.filter(pk=in_part.pk).update(looked_for=True)
    study.full_clean()
    study.save()


def test_a_patient_without_the_tick_is_not_added_to_a_study_read_in_full(in_full):
    new = Patient(study=in_full.study, slug="new-1", label="new")
    with pytest.raises(ValidationError, match=TICK) as told:
        new.full_clean()
    assert list(told.value.message_dict) == ["looked_for"]
    refused(new.save)
    refused(lambda: Patient.objects.bulk_create([new]))
    copied = [
        column.column
        for column in Patient._meta.concrete_fields
        if column.name not in ("id", "slug", "looked_for")
    ]
    names = ", ".join(copied)
    no = "0" if connection.vendor == "sqlite" else "false"
    refused(
        lambda: execute(
            f"INSERT INTO evidence_patient ({names}, slug, looked_for) "
            f"SELECT {names}, 'new-1', {no} FROM evidence_patient WHERE id = %s",
            in_full.pk,
        )
    )
    new.looked_for = True
    new.full_clean()
    new.save()


def test_the_tick_is_not_taken_away_under_a_study_read_in_full(in_full):
    refused(lambda: Patient.objects.filter(pk=in_full.pk).update(looked_for=False))
    no = "0" if connection.vendor == "sqlite" else "false"
    refused(
        lambda: execute(
            f"UPDATE evidence_patient SET looked_for = {no} WHERE id = %s",
            in_full.pk,
        )
    )
    in_full.looked_for = False
    refused(in_full.save)


def test_a_patient_without_the_tick_is_not_moved_under_a_study_read_in_full(in_part):
    there = make_study(in_part.study.collection)
    refused(lambda: Patient.objects.filter(pk=in_part.pk).update(study=there))
    in_part.study = there
    refused(in_part.save)
    with pytest.raises(ValidationError, match=TICK):
        in_part.full_clean()


@pytest.mark.parametrize("extraction", sorted(set(Extraction.values) - {"full_text"}))
def test_no_other_way_of_reading_needs_the_tick(extraction):
    study = make_study(make_collection(), extraction=extraction, nct="NCT00000001")
    patient = make_patient(study, looked_for=False)
    patient.full_clean()
    study.full_clean()


# Settling


def test_settling_a_study_lets_it_count_as_read_in_part(in_part):
    study = in_part.study
    study.extraction = "full_text"
    assert study.settle_extraction() and study.extraction == "in_part"
    assert not study.settle_extraction(read_in_full=True), "the tick is still missing"
    Patient.objects.filter(pk=in_part.pk).update(looked_for=True)
    assert not study.settle_extraction(), "ticks say nothing of the study's own fields and groups"
    assert study.settle_extraction(read_in_full=True)
    study.refresh_from_db()
    assert study.extraction == "full_text"


@pytest.mark.parametrize("extraction", ["abstract", "registry", "secondary"])
def test_settling_never_makes_more_of_what_was_read(extraction):
    study = make_study(make_collection(), extraction=extraction)
    make_patient(study, looked_for=True)
    assert not study.settle_extraction(read_in_full=True) and study.extraction == extraction


def test_a_patient_settles_its_study_before_it_is_saved(in_full):
    in_full.looked_for = False
    assert in_full.settle_study()
    in_full.save()
    assert Study.objects.get(pk=in_full.study_id).extraction == "in_part"
    assert not in_full.settle_study(), "it is so already"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "tick", "untick", "full", "settle", "move"]),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=8,
)


@settings(max_examples=25)
@given(steps=STEPS)
def test_whatever_is_written_no_empty_field_is_not_reported_that_nobody_looked_for(steps):
    """Any order of writes, each of which the database takes or refuses: what readers are told of
    empty fields is true of each patient.
    """
    with transaction.atomic():
        collection = make_collection()
        studies = [make_study(collection), make_study(collection, extraction="in_part")]
        patients = [make_patient(study, looked_for=True) for study in studies]
        for patient in patients:
            make_treatment(patient)
        for what, place, yes in steps:
            patient, study = patients[place % len(patients)], studies[place % 2]
            patient.refresh_from_db()
            study.refresh_from_db()
            try:
                with transaction.atomic():
                    if what == "add":
                        patients.append(make_patient(study, looked_for=yes))
                        make_treatment(patients[-1])
                    elif what in ("tick", "untick"):
                        patient.looked_for = what == "tick"
                        _ = yes and patient.settle_study()
                        patient.save()
                    elif what == "move":
                        Patient.objects.filter(pk=patient.pk).update(study=study)
                    elif what == "full":
                        Study.objects.filter(pk=study.pk).update(extraction="full_text")
                    else:
                        study.settle_extraction(read_in_full=yes)
            except IntegrityError:
                patients = [each for each in patients if Patient.objects.filter(pk=each.pk)]
        question, table = Question(collection), TABLES["patients"]
        looked_for = dict(Patient.objects.values_list("slug", "looked_for"))
        names, told = [column.name for column in table.file_columns], 0
        for batch in read_batches(table.file_columns, table, table.records(question), question):
            for values in zip(*batch.values, strict=True):
                row = dict(zip(names, values, strict=True))
                is_unreported = Missing.NOT_REPORTED.label in map(str, row.values())
                assert looked_for[row["patient"]] or not is_unreported, row
                told += 1
        assert told == len(patients)
        transaction.set_rollback(True)


# Readers


def test_a_study_read_in_part_says_so_everywhere(client, in_part):
    make_treatment(in_part)
    study, base = in_part.study, f"/{in_part.study.collection.slug}/"
    page = client.get(f"{base}studies/{study.slug}/").content.decode()
    assert "Full text, read in part; an empty value is not extracted" in page
    case = client.get(in_part.get_absolute_url()).content.decode()
    assert "Read: full text, read in part. So an empty value here is" in case
    assert "not reported" not in case
    (row,) = client.get(f"/api/v1{base}studies/").json()["results"]
    assert (row["extraction"], row["empty_means"]) == ("in_part", "not extracted")
    assert client.get(f"/api/v1{base}patients/?missing=age.not-extracted").json()["count"] == 1
    assert client.get(f"/api/v1{base}patients/?missing=age.not-reported").json()["count"] == 0
    dictionary = client.get("/data-dictionary.csv").content.decode()
    assert "in_part = Full text, read in part" in dictionary
    schema = client.get("/api/schema/").content.decode()
    assert '"in_part"' in schema or "in_part" in schema
    citation = client.get(f"{base}studies/{study.slug}.ris").content.decode()
    assert "Read for Casebook: full text, read in part." in citation


def test_simulated_patients_of_a_study_read_in_full_keep_their_meaning(db):
    call_command("generate_cohort", patients=60, seed=2, verbosity=0)
    drawn = Patient.objects.filter(study__collection__slug="synthetic")
    assert drawn.filter(study__extraction="full_text").exists()
    for patient in drawn.select_related("study"):
        assert patient.looked_for == (patient.study.extraction == "full_text")


# The admin


def test_a_patient_saved_without_the_tick_takes_its_study_along_and_the_curator_is_told(
    admin_client, in_full
):
    place = address(Patient, "change", in_full.pk)
    form = filled(admin_client.get(place))
    form.pop("looked_for")
    told = admin_client.post(place, form, follow=True).content.decode()
    assert "now counts as “Full text, read in part”" in told
    in_full.refresh_from_db()
    assert not in_full.looked_for and in_full.study.extraction == "in_part"
    form = filled(admin_client.get(place)) | {"looked_for": "on"}
    told = admin_client.post(place, form, follow=True).content.decode()
    assert "choose “Full text”" in told and address(Study, "change", in_full.study_id) in told
    assert Study.objects.get(pk=in_full.study_id).extraction == "in_part"


def posted(admin_client, model, action: str, pk=None, **values) -> str:
    """What a curator reads after sending a form of the admin with some values of their own."""
    place = address(model, action, *([pk] if pk else []))
    form = filled(admin_client.get(place))
    form = {name: value for name, value in (form | values).items() if value is not None}
    answer = admin_client.post(place, form, follow=True)
    assert answer.redirect_chain, answer.context["adminform"].form.errors
    return answer.content.decode()


def test_a_course_added_on_its_own_page_takes_the_tick_off(admin_client, in_full):
    """The tick spoke of what was empty when it was set; nobody looked for the new course's."""
    told = posted(admin_client, Treatment, "add", patient=in_full.pk, inhibitor=drug("tofacitinib"))
    assert f"The tick “{TICK}” is taken off {in_full}" in told
    assert f"{in_full.slug}, treatment 1: how much of the list of indications" in told
    assert "now counts" not in told
    in_full.refresh_from_db()
    assert not in_full.looked_for and in_full.study.extraction == "in_part"
    states = StudyDraft.objects.get(slug=in_full.study.slug).head.content
    untouched = {cell.record[0] for cell in unstated_cells(states) if cell.patient}
    assert untouched == {"evidence.treatment"}, "what the tick covered stays said"


@pytest.mark.parametrize("what", ["outcome", "event", "emptied", "deleted", "inline"])
def test_whatever_leaves_more_empty_takes_the_tick_off(admin_client, in_full, what):
    course = make_treatment(
        in_full, response="improved", events=[("infection", {})], outcomes=[("skin", "stable")]
    )
    event, outcome = course.events.get(), course.outcomes.get()
    AdverseEvent.objects.filter(pk=event.pk).update(serious="no")
    if what == "outcome":
        new = {"treatment": course.pk, "number": 2, "domain": "skin", "measure": outcome.measure_id}
        posted(admin_client, Outcome, "add", **new, result="unknown")
    elif what == "event":
        category = event.category_id
        posted(admin_client, AdverseEvent, "add", treatment=course.pk, number=2, category=category)
    elif what == "emptied":
        posted(admin_client, Treatment, "change", course.pk, response="unknown")
    elif what == "deleted":
        where = address(Outcome, "delete", outcome.pk)
        admin_client.get(where)
        told = admin_client.post(where, {"post": "yes"}, follow=True).content.decode()
        assert "is taken off" in told
    else:
        row = {"number": "", "inhibitor": drug("baricitinib"), "response": "unknown"}
        row |= {"adverse_events": "not_stated", "patient": in_full.pk}
        rows = {f"treatments-1-{name}": value for name, value in row.items()}
        posted(admin_client, Patient, "change", in_full.pk, **rows, **{"treatments-TOTAL_FORMS": 2})
    in_full.refresh_from_db()
    assert not in_full.looked_for and in_full.study.extraction == "in_part"


@pytest.mark.parametrize(
    "what", ["prior_therapies", "manifestations", "autoantibodies", "indications", "alone"]
)
def test_an_emptied_list_takes_the_tick_off(admin_client, in_full, what):
    """“Not reported” spoke of how whole the list was, and of a list with something on it."""
    patient = make_patient(in_full.study, prior=["bosentan"], present=["ild"], antibodies=["ana"])
    patient.prior_therapies_completeness = "not_stated"
    patient.save()
    course = make_treatment(patient, indications=["ild"])
    Treatment.objects.filter(pk=course.pk).update(indications_completeness="not_stated")
    if what == "indications":
        posted(admin_client, Treatment, "change", course.pk, indications=[])
    elif what == "prior_therapies":
        posted(admin_client, Patient, "change", patient.pk, prior_therapies=[])
    elif what == "alone":
        where = address(PatientManifestation, "delete", patient.manifestation_records.get().pk)
        admin_client.get(where)
        admin_client.post(where, {"post": "yes"})
    else:
        row = f"{what.removesuffix('s').replace('bodie', 'body')}_records-0-DELETE"
        posted(admin_client, Patient, "change", patient.pk, **{row: "on"})
    patient.refresh_from_db()
    assert not patient.looked_for and patient.study.extraction == "in_part"


def test_a_state_said_of_a_list_does_not_outlive_what_is_on_it(admin_client):
    """As after an import that said NR of how whole the list is."""
    patient = make_patient(make_study(make_collection()), present=["ild"])
    make_treatment(patient)
    study = patient.study
    document = read_document(study)
    (record,) = [one for one in document if one["model"] == "evidence.patient"]
    record["states"] = {"manifestations_completeness": NOT_REPORTED}
    note_study(study, Author(), "As imported.", document)
    where = address(PatientManifestation, "delete", patient.manifestation_records.get().pk)
    admin_client.get(where)
    admin_client.post(where, {"post": "yes"})
    patient.refresh_from_db()
    assert not patient.looked_for
    (cell,) = [
        cell
        for cell in core_cells(StudyDraft.objects.get(slug=study.slug).head.content)
        if cell.field == "manifestations_completeness"
    ]
    assert cell.state == UNTOUCHED


def test_a_group_added_to_a_study_read_in_full_lets_it_count_as_read_in_part(admin_client, in_full):
    study = in_full.study
    new = {"study": study.pk, "slug": "arm", "label": "Arm", "subset": "unknown", "position": 0}
    told = posted(admin_client, StudyGroup, "add", **new)
    assert f"{study} now counts as “Full text, read in part”" in told
    assert "arm: dose" in told
    assert Study.objects.get(pk=study.pk).extraction == "in_part"
    in_full.refresh_from_db()
    assert in_full.looked_for, "the tick speaks of the patient"
    posted(admin_client, Study, "change", study.pk, extraction="full_text")
    assert Study.objects.get(pk=study.pk).extraction == "full_text", "said again, it holds"


@pytest.mark.parametrize("what", ["value", "note", "sign", "same"])
def test_what_leaves_nothing_more_empty_keeps_the_tick(admin_client, in_full, what):
    course = make_treatment(in_full, outcomes=[("skin", "stable")])
    if what == "value":
        posted(admin_client, Treatment, "change", course.pk, response="improved")
    elif what == "note":
        posted(admin_client, Patient, "change", in_full.pk, notes="Seen twice.")
    elif what == "sign":
        sign = Manifestation.objects.first().pk
        posted(
            admin_client,
            PatientManifestation,
            "add",
            patient=in_full.pk,
            manifestation=sign,
            status="present",
        )
    else:
        posted(admin_client, Treatment, "change", course.pk)
    in_full.refresh_from_db()
    assert in_full.looked_for and in_full.study.extraction == "full_text"


def test_the_tick_set_again_speaks_of_what_is_empty_now(admin_client, in_full):
    posted(admin_client, Treatment, "add", patient=in_full.pk, inhibitor=drug("tofacitinib"))
    posted(admin_client, Patient, "change", in_full.pk, looked_for="on")
    told = posted(admin_client, Study, "change", in_full.study_id, extraction="full_text")
    assert "is kept as" not in told
    assert Study.objects.get(pk=in_full.study_id).extraction == "full_text"


def test_a_form_with_an_error_leaves_the_study_as_it_was(admin_client, in_full):
    place = address(Patient, "change", in_full.pk)
    form = filled(admin_client.get(place)) | {"age_years": "150"}
    form.pop("looked_for")
    assert admin_client.post(place, form).status_code == 200
    assert Study.objects.get(pk=in_full.study_id).extraction == "full_text"


def test_a_study_is_saved_as_read_in_part_while_a_patient_lacks_the_tick(admin_client, in_part):
    place = address(Study, "change", in_part.study_id)
    form = filled(admin_client.get(place)) | {"extraction": "full_text", "country": "Japan"}
    told = admin_client.post(place, form, follow=True).content.decode()
    assert f"these patients lack the tick “every empty field was looked for”: {in_part}." in told
    study = Study.objects.get(pk=in_part.study_id)
    assert (study.extraction, study.country) == ("in_part", "Japan"), "what was typed is kept"
    Patient.objects.filter(pk=in_part.pk).update(looked_for=True)
    assert admin_client.post(place, form).status_code == 302
    assert Study.objects.get(pk=in_part.study_id).extraction == "full_text"


def test_lists_and_how_much_of_them_is_given_are_one_question(admin_client, in_full):
    page = admin_client.get(address(Patient, "change", in_full.pk))
    labels = [field.label for field in page.context["adminform"].form]
    assert len(set(labels)) == len(labels)
    rows = [
        [field.field.label for field in line]
        for fieldset in page.context["adminform"]
        for line in fieldset
    ]
    together = {"Prior therapies", "How much of the list of prior therapies the source gives"}
    assert together in map(set, rows)


# Rules across records, at entry


def test_provenance_names_a_record_of_its_own_study(in_full):
    other = make_study(in_full.study.collection)
    course = make_treatment(in_full)
    for subject, record, field in (
        ("patient", in_full, "age_years"),
        ("treatment", course, "dose"),
    ):
        place = Provenance(study=other, field=field, locator="p. 1", **{subject: record})
        with pytest.raises(ValidationError, match=f"belongs to {in_full.study}, not to") as told:
            place.full_clean()
        assert list(told.value.message_dict) == [subject]
        place.study = in_full.study
        place.full_clean()


@pytest.mark.parametrize(
    ("kind", "slug", "told"),
    [
        ("published", "SIM-1", "Only a simulated patient's public id begins with SIM-."),
        ("published", "sim-1", "Only a simulated patient's public id begins with SIM-."),
        ("published", "x-1", None),
        ("simulated", "x-1", "The public id of a simulated patient begins with SIM-."),
        ("simulated", "SIM-1", None),
    ],
)
def test_ids_show_their_kind_at_entry(kind, slug, told):
    study = make_study(make_collection(kind=kind, caveat="drawn"))
    patient = Patient(study=study, slug=slug, label="x", looked_for=True)
    if told is None:
        patient.full_clean()
        return
    with pytest.raises(ValidationError) as refused:
        patient.full_clean()
    assert refused.value.message_dict == {"slug": [told]}


def test_a_published_study_has_no_id_of_a_simulated_record():
    study = Study(
        collection=make_collection(),
        slug="SIM-1",
        short_name="x",
        design="unknown",
        extraction="abstract",
    )
    with pytest.raises(ValidationError, match="Only a simulated record's id"):
        study.full_clean()

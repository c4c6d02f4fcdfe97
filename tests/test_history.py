"""Who changed vocabularies, drugs, reviews and collections: noted beside them, and no evidence."""

import pytest
from django.apps import apps
from django.core.management import call_command
from django.urls import reverse
from simple_history.models import HistoricalChanges

from evidence.curation.make_release import CannotRelease, make_release
from evidence.models import (
    Collection,
    DataVersion,
    FlowStep,
    Indication,
    JAKInhibitor,
    OntologyCode,
    PrintedFigure,
    Release,
    Review,
    ReviewInclusion,
)
from evidence.models.base import Keyed
from evidence.models.history import FOUND
from evidence.models.reference import Term

from .factories import make_study
from .test_drafts_admin import form_values

pytestmark = pytest.mark.django_db

OWN = apps.get_app_config("evidence")
NOTED = {
    model for model in OWN.get_models() if hasattr(model._meta, "simple_history_manager_attribute")
}
NOTES = [model for model in OWN.get_models() if issubclass(model, HistoricalChanges)]


def page(record, name: str, *more) -> str:
    return reverse(f"admin:evidence_{record._meta.model_name}_{name}", args=[record.pk, *more])


def test_what_no_study_owns_is_noted():
    terms = {model for model in OWN.get_models() if issubclass(model, Term)}
    others = {JAKInhibitor, Review, PrintedFigure, FlowStep, ReviewInclusion, Collection}
    others.add(OntologyCode)
    assert terms | others == NOTED
    assert {model.instance_type for model in NOTES} == NOTED
    assert not any(issubclass(model, Keyed) for model in NOTES), "notes are no evidence"


def test_a_change_in_a_form_is_noted_with_who_and_what(admin_client, admin_user):
    term = Indication.objects.get(code="ild")
    values = form_values(admin_client.get(page(term, "change"))) | {"label": "ILD, renamed"}
    before = term.label
    assert admin_client.post(page(term, "change"), values).status_code == 302
    newest, *_ = term.history.all()
    assert (newest.history_type, newest.history_user, newest.label) == (
        "~",
        admin_user,
        "ILD, renamed",
    )
    text = admin_client.get(page(term, "history")).content.decode()
    assert "ILD, renamed" in text and before in text and "admin" in text


def test_a_save_that_changes_nothing_notes_nothing(admin_client):
    term = Indication.objects.get(code="ild")
    count = term.history.count()
    values = form_values(admin_client.get(page(term, "change")))
    assert admin_client.post(page(term, "change"), values).status_code == 302
    assert term.history.count() == count


def test_rows_of_an_inline_are_noted_with_the_person_too(admin_client, admin_user):
    review = Review.objects.filter(figures__isnull=False).first()
    values = form_values(admin_client.get(page(review, "change"))) | {"figures-0-note": "A note."}
    done = admin_client.post(page(review, "change"), values)
    assert done.status_code == 302
    figure = PrintedFigure.objects.get(pk=values["figures-0-id"])
    assert figure.history.first().history_user == admin_user


def test_an_earlier_state_is_restored_and_that_is_noted(admin_client):
    term = Indication.objects.get(code="ild")
    before = term.label
    term.label = "Renamed"
    term.save()
    renamed, first = term.history.all()[:2]
    restore = page(term, "simple_history", first.pk)
    form = form_of(admin_client.get(restore))
    assert form["label"] == before
    assert admin_client.post(restore, form).status_code == 302
    term.refresh_from_db()
    assert term.label == before and term.history.count() == 3
    assert renamed.history_user is None


def form_of(response) -> dict:
    values = {field.html_name: field.value() for field in response.context["adminform"].form}
    return {name: value for name, value in values.items() if value is not None}


def test_a_deleted_inclusion_is_restored(admin_client, work):
    review = Review.objects.first()
    inclusion = ReviewInclusion.objects.create(review=review, study=make_study(work), status="yes")
    created = inclusion.history.get()
    key = inclusion.pk
    inclusion.delete()
    restore = reverse("admin:evidence_reviewinclusion_simple_history", args=[key, created.pk])
    done = admin_client.post(restore, form_of(admin_client.get(restore)))
    assert done.status_code == 302
    assert ReviewInclusion.objects.get(pk=key).status == "yes"


def test_what_was_there_before_there_were_notes_is_noted_with_the_first_change():
    term = Indication.objects.get(code="ild")
    before = term.label
    term.history.all().delete()
    term.label = "Renamed"
    term.save()
    renamed, found = term.history.all()
    assert (found.label, found.history_change_reason) == (before, FOUND)
    assert renamed.label == "Renamed"


def test_loading_again_notes_nothing_and_a_changed_record_once():
    def notes() -> int:
        return sum(model.objects.count() for model in NOTES)

    before = notes()
    call_command("load_evidence", verbosity=0)
    assert notes() == before
    assert {model.objects.filter(history_type="~").count() for model in NOTES} == {0}


def test_a_note_is_no_new_version_of_the_data_and_in_no_release():
    term = Indication.objects.get(code="ild")
    make_release("First.")
    number = DataVersion.current().number
    term.history.first().delete()
    term.history.create(
        id=term.pk, code=term.code, label="x", history_date="2026-01-01T00:00Z", history_type="~"
    )
    assert DataVersion.current().number == number
    first = Release.objects.get()
    with pytest.raises(CannotRelease, match=f"its content is {first.content_hash}"):
        make_release("Second.")


def test_a_dump_holds_no_notes(tmp_path):
    call_command("dump_evidence", tmp_path, verbosity=0)
    assert "historical" not in "".join(
        path.read_text(encoding="utf-8") for path in tmp_path.glob("*.json")
    )

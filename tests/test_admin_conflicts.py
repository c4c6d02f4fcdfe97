"""Two people in one form: what the other changed is told with both values, and never overwritten
unseen.
"""

import json
import re
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.models import (
    AdverseEventCategory,
    Indication,
    JAKInhibitor,
    Patient,
    PrintedFigure,
    Review,
    Study,
    Treatment,
)

from .factories import (
    make_collection,
    make_group,
    make_measure,
    make_patient,
    make_study,
    make_treatment,
)
from .test_drafts_admin import form_values

pytestmark = pytest.mark.django_db
TOLD = "Somebody else has changed this meanwhile; nothing has been saved."


@pytest.fixture
def people(django_user_model):
    """Clients of two people who may do everything."""
    clients = []
    for name in ("alice", "bob"):
        client = Client()
        client.force_login(django_user_model.objects.create_superuser(name))
        clients.append(client)
    return clients


@pytest.fixture
def patient(db):
    patient = make_patient(
        make_study(make_collection()), age_years=61, present=["ild", "skin"], prior=["bosentan"]
    )
    make_treatment(patient, indications=["ild"])
    return patient


@pytest.fixture
def course(patient):
    return make_treatment(
        patient,
        adverse_events="events",
        outcomes=[("skin", "stable"), ("lung", "stable")],
        events=[("infection", {"grade": 2})],
    )


def change(record) -> str:
    return reverse(f"admin:evidence_{record._meta.model_name}_change", args=[record.pk])


def opened(client, record) -> dict:
    return form_values(client.get(change(record)))


def save(client, record, values: dict, **changed):
    return client.post(change(record), values | changed)


def saved(client, record, values: dict, **changed) -> None:
    response = save(client, record, values, **changed)
    assert response.status_code == 302, words(response)


def words(response) -> str:
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split()))


def errors_of(response, field: str) -> list[str]:
    return response.context["adminform"].form.errors.get(field, [])


def rows(response, prefix: str):
    (inline,) = (
        each for each in response.context["inline_admin_formsets"] if each.formset.prefix == prefix
    )
    return inline.formset


def test_what_the_other_saved_is_told_with_both_values_and_stays(people, patient):
    alice, bob = people
    before = opened(alice, patient)
    saved(bob, patient, opened(bob, patient), age_years="62")
    told = save(alice, patient, before, notes="A remark.")
    assert told.status_code == 200 and TOLD in words(told)
    assert errors_of(told, "age_years") == ["Changed meanwhile by bob to “62”; you have “61”."]
    assert "Changed meanwhile by bob to “62”; you have “61”." in words(told)
    assert 'name="age_years" value="61"' in told.content.decode(), "what was typed is not lost"
    assert "A remark." in told.content.decode()
    patient.refresh_from_db()
    assert (patient.age_years, patient.notes) == (62, "")


def test_saved_again_after_being_told_it_is_as_it_stands_in_the_form(people, patient):
    alice, bob = people
    before = opened(alice, patient)
    saved(bob, patient, opened(bob, patient), age_years="62")
    told = form_values(save(alice, patient, before, notes="A remark."))
    saved(alice, patient, told)
    patient.refresh_from_db()
    assert (patient.age_years, patient.notes) == (61, "A remark.")


def test_who_is_told_once_is_told_again_of_a_further_change(people, patient):
    alice, bob = people
    before = opened(alice, patient)
    saved(bob, patient, opened(bob, patient), age_years="62")
    told = form_values(save(alice, patient, before))
    saved(bob, patient, opened(bob, patient), age_years="63")
    again = save(alice, patient, told)
    assert errors_of(again, "age_years") == ["Changed meanwhile by bob to “63”; you have “61”."]


def test_the_same_change_by_both_and_a_save_of_ones_own_are_no_conflict(people, patient):
    alice, bob = people
    before = opened(alice, patient)
    saved(bob, patient, opened(bob, patient), age_years="62")
    saved(alice, patient, before, age_years="62", notes="Also this.")
    saved(alice, patient, opened(alice, patient), age_years="63")


def test_another_error_does_not_hide_it_and_a_wrong_value_is_kept(people, patient):
    alice, bob = people
    before = opened(alice, patient)
    saved(bob, patient, opened(bob, patient), age_years="62")
    told = save(alice, patient, before, age_years="1,5", subset="x")
    assert "Enter a whole number." in errors_of(told, "age_years")
    assert "Changed meanwhile by bob to “62”; you have “1,5”." in errors_of(told, "age_years")
    assert 'value="1,5"' in told.content.decode()


def test_lists_choices_and_links_are_told_in_words(people, patient):
    alice, bob = people
    other = make_study(patient.study.collection, "other-study")
    before = opened(alice, patient)
    theirs = {"sex": "male", "prior_therapies": [], "prior_therapies_completeness": "none"}
    saved(bob, patient, opened(bob, patient), study=other.pk, **theirs)
    told = save(alice, patient, before)
    by_bob = "Changed meanwhile by bob to"
    assert errors_of(told, "sex")[0].startswith(f"{by_bob} “Male”; you have “")
    assert errors_of(told, "prior_therapies") == [f"{by_bob} nothing; you have “Bosentan”."]
    assert errors_of(told, "study") == [f"{by_bob} “{other}”; you have “{patient.study}”."]


def test_what_no_form_changed_is_told_without_a_name(people, patient):
    alice, bob = people
    saved(bob, patient, opened(bob, patient), notes="Earlier.")
    before = opened(alice, patient)
    Patient.objects.filter(pk=patient.pk).update(age_years=62)
    told = save(alice, patient, before)
    assert errors_of(told, "age_years") == ["Changed meanwhile by somebody to “62”; you have “61”."]


@pytest.mark.parametrize("shown", [None, "", "nonsense", "[]", '{"at": 1, "record": 2, "rows": 3}'])
def test_a_form_that_does_not_say_what_it_showed_is_not_saved_blindly(people, patient, shown):
    alice, _ = people
    values = opened(alice, patient) | {"age_years": "62"}
    values = {name: value for name, value in values.items() if name != "shown"}
    told = alice.post(change(patient), values | ({} if shown is None else {"shown": shown}))
    assert told.status_code == 200
    assert "does not say what it showed when it was opened" in words(told)
    saved(alice, patient, form_values(told))
    patient.refresh_from_db()
    assert patient.age_years == 62


# Rows of inlines


def test_a_row_the_other_changed_is_told_in_the_row(people, course):
    alice, bob = people
    before = opened(alice, course)
    saved(bob, course, opened(bob, course), **{"outcomes-1-result": "worsened"})
    told = save(alice, course, before, dose="5 mg")
    assert TOLD in words(told)
    row = rows(told, "outcomes").forms[1]
    assert row.errors["result"] == ["Changed meanwhile by bob to “Worsened”; you have “Stable”."]
    assert course.outcomes.get(number=2).result == "worsened"
    saved(alice, course, form_values(told))
    assert course.outcomes.get(number=2).result == "stable"


def test_a_row_that_was_changed_on_its_own_page_is_told_too(people, course):
    alice, bob = people
    before, outcome = opened(alice, course), course.outcomes.get(number=1)
    make_measure("mRSS, as bob says")
    saved(bob, outcome, opened(bob, outcome), measure="mRSS, as bob says")
    row = rows(save(alice, course, before, dose="5 mg"), "outcomes").forms[0]
    assert row.errors["measure"] == [
        "Changed meanwhile by bob to “mRSS, as bob says”; you have “skin”."
    ]


def test_a_row_the_other_added_is_told_and_stands_among_the_rows(people, course):
    alice, bob = people
    before = opened(alice, course)
    for label in ("joints, by bob", "joints, by alice"):
        make_measure(label)
    theirs = {"outcomes-TOTAL_FORMS": 3, "outcomes-2-treatment": course.pk}
    row = {"domain": "joints", "measure": "joints, by bob", "number": "", "result": "improved"}
    theirs |= {f"outcomes-2-{name}": value for name, value in row.items()}
    saved(bob, course, opened(bob, course), **theirs)
    mine = {
        f"outcomes-2-{name}": value
        for name, value in (row | {"measure": "joints, by alice"}).items()
    }
    told = save(alice, course, before, **(theirs | mine))
    assert "Added meanwhile by bob:" in words(told)
    assert "joints, by bob. It stands among the rows now." in words(told)
    shown = [form["measure"].value() for form in rows(told, "outcomes").forms]
    assert shown == ["skin", "lung", "joints, by bob", "joints, by alice"]
    saved(alice, course, form_values(told))
    numbers = list(course.outcomes.order_by("number").values_list("number", "measure"))
    assert numbers == [(1, "skin"), (2, "lung"), (3, "joints, by bob"), (4, "joints, by alice")]


def test_a_row_the_other_removed_stays_removed_unless_it_was_changed_here(people, course):
    alice, bob = people
    before = opened(alice, course)
    saved(
        bob, course, opened(bob, course), **{"outcomes-0-DELETE": "on", "outcomes-1-DELETE": "on"}
    )
    told = save(alice, course, before, **{"outcomes-1-unit": "litres"})
    assert "A row you had not changed was removed meanwhile by bob" in words(told)
    (row,) = rows(told, "outcomes").forms
    assert row["unit"].value() == "litres"
    assert row.non_field_errors()[0].startswith(
        "Removed meanwhile by bob. Saved again, it is added"
    )
    assert not course.outcomes.exists()
    saved(alice, course, form_values(told))
    assert list(course.outcomes.values_list("number", "unit")) == [(2, "litres")]


def test_a_row_both_remove_is_no_conflict_and_one_the_other_changed_is_not_removed_unseen(
    people, course
):
    alice, bob = people
    before = opened(alice, course)
    theirs = {"outcomes-0-DELETE": "on", "outcomes-1-result": "worsened"}
    saved(bob, course, opened(bob, course), **theirs)
    told = save(alice, course, before, **{"outcomes-0-DELETE": "on", "outcomes-1-DELETE": "on"})
    assert "you remove this row, which somebody else has changed meanwhile" in words(told)
    assert course.outcomes.count() == 1
    saved(alice, course, form_values(told))
    assert not course.outcomes.exists()


def test_a_record_the_other_removed_can_be_added_anew(people, course):
    alice, bob = people
    before = opened(alice, course)
    delete = reverse("admin:evidence_treatment_delete", args=[course.pk])
    bob.get(delete)
    bob.post(delete, {"post": "yes"}, follow=True)
    assert not Treatment.objects.filter(pk=course.pk).exists()
    told = save(alice, course, before, dose="5 mg")
    assert "Removed meanwhile by bob. Saved again, it is added anew." in words(told)
    add = reverse("admin:evidence_treatment_add")
    assert f'action="{add}"' in told.content.decode()
    done = alice.post(add, form_values(told))
    assert done.status_code == 302, words(done)
    anew = Treatment.objects.get(dose="5 mg")
    assert (anew.outcomes.count(), anew.events.count()) == (2, 1)


def test_every_form_of_a_record_that_is_there_carries_what_it_showed(people, course):
    alice, _ = people
    study = course.patient.study
    group = make_group(study, findings=[{"kind": "mean_change", "measure": "mRSS", "change": -1}])
    proof = study.provenance.create(patient=course.patient, field="sex", locator="p. 1", number=1)
    records = [study, course.patient, course, course.outcomes.first(), course.events.first()]
    records += [group, group.findings.get(), proof, study.collection]
    records += [Indication.objects.first(), JAKInhibitor.objects.first(), Review.objects.first()]
    records += [AdverseEventCategory.objects.first(), PrintedFigure.objects.first()]
    for record in records:
        page = alice.get(change(record))
        (text,) = re.findall(r'type="hidden" name="shown" value="([^"]*)"', page.content.decode())
        shown = json.loads(unescape(text))
        assert set(shown["record"]) == set(page.context["adminform"].form.fields) - {"shown"}


def test_a_vocabulary_is_not_overwritten_either(people):
    alice, bob = people
    term = Indication.objects.get(code="ild")
    before = opened(alice, term)
    saved(bob, term, opened(bob, term), description="As bob says.")
    told = save(alice, term, before, position="7")
    assert errors_of(told, "description") == [
        "Changed meanwhile by bob to “As bob says.”; you have nothing."
    ]


EDITS = st.lists(
    st.tuples(
        st.sampled_from([0, 1]),
        st.sampled_from(["open", "save", "save"]),
        st.sampled_from(["position", "description", "label"]),
        st.integers(1, 9),
    ),
    max_size=12,
)


@settings(max_examples=30)
@given(edits=EDITS)
def test_no_interleaving_of_two_people_overwrites_unseen(people, edits):
    """Whoever saves has seen each value that their save replaces: in the form as they opened it, or
    in what they were told.
    """
    names = ("position", "description", "label")
    term = Indication.objects.get(code="ild")
    Indication.objects.filter(pk=term.pk).update(position=1, description="1", label="1")
    forms, seen = [{}, {}], [{}, {}]
    for who, deed, field, number in edits:
        now = Indication.objects.values(*names).get(pk=term.pk)
        stored = {name: str(value) for name, value in now.items()}
        if deed == "open" or not forms[who]:
            forms[who], seen[who] = opened(people[who], term), stored
            continue
        sent = forms[who] | {field: str(number)}
        response = save(people[who], term, sent)
        if response.status_code == 200:
            forms[who], seen[who] = form_values(response), stored
            continue
        overwritten = [name for name in names if stored[name] != str(sent[name])]
        assert all(stored[name] == seen[who][name] for name in overwritten)
        forms[who] = {}


def test_a_study_with_its_groups_is_compared_too(people):
    alice, bob = people
    study = make_study(make_collection())
    group = make_group(study, n=10)
    before = opened(alice, study)
    saved(bob, group, opened(bob, group), n="12")
    told = save(alice, study, before, country="Japan")
    assert rows(told, "groups").forms[0].errors["n"] == [
        "Changed meanwhile by bob to “12”; you have “10”."
    ]
    assert Study.objects.get(pk=study.pk).country == ""


def test_what_the_other_changed_is_told_before_it_is_deleted(people, course):
    alice, bob = people
    outcome = course.outcomes.first()
    delete = reverse("admin:evidence_outcome_delete", args=[outcome.pk])
    bob.get(delete)
    saved(alice, outcome, opened(alice, outcome), result="improved")
    told = words(bob.post(delete, {"post": "yes"}))
    assert "Changed meanwhile by alice:" in told and "result, Stable → Improved" in told
    assert course.outcomes.filter(pk=outcome.pk).exists()
    bob.post(delete, {"post": "yes"})
    assert not course.outcomes.filter(pk=outcome.pk).exists(), "it was shown with what alice wrote"


def test_many_are_not_deleted_unseen_either(people, course):
    alice, bob = people
    outcome = course.outcomes.first()
    chosen = {"action": "delete_selected", "_selected_action": outcome.pk}
    everything = reverse("admin:evidence_outcome_changelist")
    assert "Are you sure" in words(bob.post(everything, chosen))
    saved(alice, outcome, opened(alice, outcome), result="improved")
    assert "Changed meanwhile by alice" in words(bob.post(everything, chosen | {"post": "yes"}))
    assert course.outcomes.filter(pk=outcome.pk).exists()
    bob.post(everything, chosen | {"post": "yes"})
    assert not course.outcomes.filter(pk=outcome.pk).exists()


def test_nothing_is_deleted_that_nobody_was_asked_about(people, course):
    _, bob = people
    outcome = course.outcomes.first()
    delete = reverse("admin:evidence_outcome_delete", args=[outcome.pk])
    assert "Look at it again" in words(bob.post(delete, {"post": "yes"}))
    assert course.outcomes.filter(pk=outcome.pk).exists()

"""Each rule of the integrity report is broken once, and the report names the record."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from evidence.curation.integrity import RECORD_RULES, RULES, broken_rules
from evidence.models import Manifestation, Patient, PrintedFigure, Provenance, Study, Treatment

from .factories import make_collection, make_group, make_patient, make_study, make_treatment

pytestmark = pytest.mark.slow


def without_course():
    make_patient(make_study(make_collection()), "lonely")
    return "lonely: has no course"


def listed_without_list():
    patient = make_patient(make_study(make_collection()), "p")
    make_treatment(patient)
    type(patient).objects.filter(pk=patient.pk).update(prior_therapies_completeness="partial")
    return "p: the list of prior therapies is said to be there, but nothing is listed"


def complete_without_item():
    make_treatment(
        make_patient(
            make_study(make_collection()),
            "p",
            absent=["ild"],
            manifestations_completeness="complete",
        )
    )
    return "p: the list of manifestations is said to be there, but nothing is listed"


def none_with_items():
    patient = make_patient(
        make_study(make_collection()), "p", antibodies=["ana"], autoantibodies_completeness="none"
    )
    make_treatment(patient)
    return "p: autoantibodies are listed, but said to be none"


def no_indications_with_items():
    patient = make_patient(make_study(make_collection()), "p")
    make_treatment(patient, indications=["ild"], indications_completeness="none")
    return "p / 1: indications are listed, but said to be none"


def terms_in_a_circle():
    lung, ild = Manifestation.objects.get(code="lung"), Manifestation.objects.get(code="ild")
    Manifestation.objects.filter(pk=lung.pk).update(parent=ild)
    return "evidence.manifestation ild: is part of itself"


def present_without_the_wider():
    make_treatment(
        make_patient(make_study(make_collection()), "p", present=["ild"], absent=["lung"])
    )
    return "p / ild: is present, but a wider term that it is part of is recorded as absent"


def simulated_without_prefix():
    make_treatment(
        make_patient(make_study(make_collection(kind="simulated", caveat="simulated")), "p")
    )
    return "p: a simulated patient's public id begins with SIM-"


def published_with_prefix():
    make_treatment(make_patient(make_study(make_collection()), "SIM-x"))
    return "SIM-x: only a simulated patient's public id"


def linked_across_collections():
    first, second = (
        make_patient(make_study(make_collection()), "a"),
        make_patient(make_study(make_collection()), "b"),
    )
    make_treatment(first)
    make_treatment(second)
    type(second).objects.filter(pk=second.pk).update(same_as=first)
    return "b: is linked to a report in another collection"


def linked_to_a_draft():
    study = make_study(make_collection())
    first, second = make_patient(study, "a", state="draft"), make_patient(study, "b")
    make_treatment(first)
    make_treatment(second)
    type(second).objects.filter(pk=second.pk).update(same_as=first)
    return "b: is linked to a, which readers do not see, so another report counts instead of it"


def linked_to_a_report_of_a_withdrawn_study():
    collection = make_collection()
    first = make_patient(make_study(collection, state="withdrawn"), "a")
    second = make_patient(make_study(collection), "b", same_as=first)
    make_treatment(first)
    make_treatment(second)
    return "b: is linked to a, which readers do not see, so another report counts instead of it"


def stale_indication_set():
    treatment = make_treatment(
        make_patient(make_study(make_collection()), "p"), indications=["ild"]
    )
    Treatment.objects.filter(pk=treatment.pk).update(indication_set="skin")
    return "p / 1: its indication set reads “skin”"


def more_patients_than_treated():
    study = make_study(make_collection("c"), "s", n_jaki=1)
    for slug in ("one", "two"):
        make_treatment(make_patient(study, slug))
    return "c / s: has 2 individual patients, more than the 1"


def groups_larger_than_treated():
    study = make_study(make_collection("c"), "s", n_jaki=10)
    make_group(study, n=6)
    make_group(study, n=6)
    make_group(study, n=60, inhibitor=None)
    return "c / s: its treated groups add up to 12, more than the 10"


def finding_larger_than_group():
    make_group(
        make_study(make_collection("c"), "s"),
        "g",
        n=5,
        findings=[{"kind": "share", "measure": "x", "n": 6}],
    )
    return "c / s / g / 1: analyses 6 patients of a group of 5"


def sharing_across_collections():
    study = make_study(make_collection("c"), "s")
    study.may_share_patients_with.add(make_study(make_collection()))
    return "c / s: is said to share patients with a study of another collection"


def sharing_with_a_draft():
    collection = make_collection("c")
    make_study(collection, "s").may_share_patients_with.add(
        make_study(collection, "d", state="draft")
    )
    return "c / s: is said to share patients with d, which readers do not see"


def sharing_with_a_withdrawn_study():
    collection = make_collection("c")
    make_study(collection, "s").may_share_patients_with.add(
        make_study(collection, "w", state="withdrawn")
    )
    return "c / s: is said to share patients with w, which readers do not see"


def provenance_of_another_study():
    patient = make_patient(make_study(make_collection()))
    make_treatment(patient)
    study = make_study(make_collection("c"), "s")
    Provenance.objects.create(study=study, patient=patient, field="sex", locator="p. 1")
    return "c / s / 1: names a patient of another study"


BREAKS = [
    without_course,
    listed_without_list,
    complete_without_item,
    none_with_items,
    no_indications_with_items,
    terms_in_a_circle,
    present_without_the_wider,
    simulated_without_prefix,
    published_with_prefix,
    linked_across_collections,
    linked_to_a_draft,
    linked_to_a_report_of_a_withdrawn_study,
    stale_indication_set,
    more_patients_than_treated,
    groups_larger_than_treated,
    finding_larger_than_group,
    sharing_across_collections,
    sharing_with_a_draft,
    sharing_with_a_withdrawn_study,
    provenance_of_another_study,
]


def test_the_evidence_as_shipped_has_no_fault(db):
    out = StringIO()
    call_command("check_evidence", stdout=out)
    assert (
        f"{len(RULES)} rules, every reconstructed figure and every release's archives"
        in out.getvalue()
    )


@pytest.mark.parametrize("break_it", BREAKS, ids=lambda each: each.__name__)
def test_each_rule_finds_its_fault(db, break_it):
    told = break_it()
    found = [str(fault) for fault in broken_rules()]
    assert len(found) == 1 and told in found[0], found
    err = StringIO()
    with pytest.raises(SystemExit) as exit_:
        call_command("check_evidence", stderr=err)
    assert exit_.value.code == 1
    assert told in err.getvalue() and "1 findings." in err.getvalue()


OF_NO_STUDY = {terms_in_a_circle}


@pytest.mark.parametrize("break_it", BREAKS, ids=lambda each: each.__name__)
def test_the_rules_can_be_asked_of_one_study(db, break_it):
    """Its own records break them, or a link that begins or ends in it does; no other study is
    told of it.
    """
    before = set(Study.objects.values_list("pk", flat=True))
    told = break_it()
    drawn = list(Study.objects.exclude(pk__in=before))
    found = {study: [str(each) for each in broken_rules(study=study)] for study in drawn}
    assert {len(issues) for issues in found.values()} <= {0, 1}
    named = {issue for issues in found.values() for issue in issues}
    assert named == (set() if break_it in OF_NO_STUDY else set(map(str, broken_rules())))
    assert break_it in OF_NO_STUDY or any(told in issue for issue in named)
    bystander = make_study(make_collection())
    make_treatment(make_patient(bystander))
    assert broken_rules(study=bystander) == []


def test_asking_one_study_costs_the_same_however_many_there_are(db):
    study = make_study(make_collection())
    make_treatment(make_patient(study, present=["ild"]), indications=["ild"])

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert broken_rules(RECORD_RULES, study=study) == []
        return len(captured)

    before = queries()
    for _ in range(10):
        make_treatment(make_patient(make_study(study.collection)), indications=["ild"])
        make_treatment(make_patient(study, present=["ild"]), indications=["ild"])
    assert queries() == before


def test_a_patient_that_is_being_entered_has_no_course_yet(db):
    patient = make_patient(make_study(make_collection()), state="draft")
    assert broken_rules() == []
    Patient.objects.filter(pk=patient.pk).update(state="published")
    assert len(broken_rules()) == 1


def test_a_draft_may_name_what_is_published(db):
    """What a curator has in hand is no fault of the evidence, and keeps nobody from making a
    release.
    """
    collection = make_collection()
    study, draft = make_study(collection), make_study(collection, state="draft")
    draft.may_share_patients_with.add(study)
    person = make_patient(study)
    for patient in (person, make_patient(draft, same_as=person)):
        make_treatment(patient)
    assert broken_rules() == []


def test_a_figure_that_no_longer_comes_out_is_found(db):
    PrintedFigure.objects.filter(code="relapsed").update(value="6.0")
    err = StringIO()
    with pytest.raises(SystemExit):
        call_command("check_evidence", stderr=err)
    assert "sener-2025 / relapsed: printed 6.0, records give 5.9 (5/85)" in err.getvalue()
    assert "When last seen: agrees; now: differs." in err.getvalue()


def test_a_changed_verdict_is_accepted_with_a_note_and_not_without(db):
    figure = PrintedFigure.objects.get(review__slug="sener-2025", code="relapsed")
    figure.value, figure.verdict = "6.0", "differs"
    with pytest.raises(IntegrityError), transaction.atomic():
        figure.save()
    figure.note = "Printed otherwise in the correction."
    figure.save()
    call_command("check_evidence", stdout=StringIO())


def test_a_figure_that_can_suddenly_be_computed_is_found(db):
    """Nothing could be said of it when somebody last looked; now there is something to look at."""
    PrintedFigure.objects.filter(code="relapsed").update(verdict="not_computable")
    err = StringIO()
    with pytest.raises(SystemExit):
        call_command("check_evidence", stderr=err)
    assert "When last seen: not computable; now: agrees." in err.getvalue()

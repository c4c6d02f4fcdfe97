"""Risk of bias by question: two appraisers, each alone, then a consensus that readers see; never
summed.
"""

import csv
import io
import re
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.urls import reverse

from evidence.curation.appraising import (
    Answer,
    appraising,
    digest_of_answers,
    save_consensus,
    save_own,
)
from evidence.models import Appraisal, DataVersion, Study
from evidence.models.appraisal import TOOLS, Tool, appraised_by
from evidence.models.choices import AppraisalTool
from evidence.questions.filters import matching_groups, matching_studies, matching_treatments

from . import plain
from .factories import make_collection, make_study
from .test_exports import rows_of
from .test_pages import text_of

pytestmark = pytest.mark.django_db

MURAD = "murad-2018"


def all_answers(tool: str = MURAD, answer="yes", reason="") -> dict[int, Answer]:
    return {item: Answer(answer, reason) for item in TOOLS[tool].items}


def agree(study, tool: str, name: str, answers) -> None:
    """Saves a consensus on a page that shows what stands."""
    seen = appraising(study, tool, name).agreed
    save_consensus(study, tool, name, answers, based_on=digest_of_answers(seen))


def appraise(study, tool: str = MURAD, *people, agreed=True) -> None:
    for name in people or ("alice", "bob"):
        save_own(study, tool, name, all_answers(tool))
    if agreed:
        agree(study, tool, "alice", all_answers(tool, "unclear", "Not said."))


def keys_of_appraised() -> set[int]:
    return set(appraised_by(MURAD).values_list("pk", flat=True))


@pytest.fixture
def study(world) -> Study:
    return Study.objects.get(slug="alpha", collection=world.collection)


# The questions


def test_every_set_of_questions_is_declared_with_its_source():
    assert list(TOOLS) == AppraisalTool.values
    assert {code: len(tool.questions) for code, tool in TOOLS.items()} == {
        "jbi-case-reports": 8,
        "jbi-case-series": 10,
        "murad-2018": 8,
    }
    for tool in TOOLS.values():
        assert isinstance(tool, Tool) and tool.source and tool.link.startswith("https://")
        assert all(question.endswith("?") for question in tool.questions)
        assert len(set(tool.questions)) == len(tool.questions)


# When a study counts as appraised


def test_it_takes_two_persons_with_every_answer_and_a_consensus_for_each(study):
    def counts() -> bool:
        (found,) = {study.pk in keys_of_appraised(), study.pk in plain.appraised_studies()}
        return found

    assert not counts()
    save_own(study, MURAD, "alice", all_answers())
    assert not counts()
    with pytest.raises(ValidationError, match="needs two persons"):
        agree(study, MURAD, "alice", all_answers())
    save_own(study, MURAD, " ALICE ", all_answers(answer="no"))
    assert Appraisal.objects.filter(study=study).count() == 8, "two spellings are one person"
    save_own(study, MURAD, "bob", {**all_answers(), 8: Answer()})
    with pytest.raises(ValidationError, match="needs two persons"):
        agree(study, MURAD, "alice", all_answers())
    save_own(study, MURAD, "bob", all_answers())
    assert not counts()
    agree(study, MURAD, "bob", {**all_answers(), 3: Answer()})
    assert not counts()
    agree(study, MURAD, "bob", all_answers())
    assert counts()
    assert {one.decided_by for one in Appraisal.objects.filter(study=study, appraiser="")} == {
        "bob"
    }
    Appraisal.objects.get(study=study, appraiser="bob", item=5).delete()
    assert not counts()


def test_the_persons_answer_the_same_set(study):
    save_own(study, MURAD, "alice", all_answers())
    save_own(study, "jbi-case-reports", "bob", all_answers("jbi-case-reports"))
    with pytest.raises(ValidationError, match="needs two persons"):
        agree(study, MURAD, "alice", all_answers())
    assert plain.appraised_studies() == set()


def test_who_is_no_appraiser_agrees_on_nothing(study):
    appraise(study, agreed=False)
    with pytest.raises(ValidationError, match="needs two persons"):
        agree(study, MURAD, "carol", all_answers())


def test_nobody_sees_what_others_say_before_having_said_it(study):
    save_own(study, MURAD, "alice", all_answers(reason="zq-alice"))
    before = appraising(study, MURAD, "bob")
    assert (before.own, before.others, before.agreed) == ({}, {}, {})
    assert before.others_complete == 1
    save_own(study, MURAD, "bob", {**all_answers(), 8: Answer()})
    assert appraising(study, MURAD, "bob").others == {}
    save_own(study, MURAD, "bob", all_answers())
    assert appraising(study, MURAD, "bob").others["alice"][1] == Answer("yes", "zq-alice")


def test_own_answers_stay_once_the_others_can_be_seen(study):
    appraise(study, agreed=False)
    with pytest.raises(ValidationError, match="your answers stay as they are"):
        save_own(study, MURAD, "alice", all_answers(answer="no"))
    assert set(Appraisal.objects.values_list("answer", flat=True)) == {"yes"}


def test_an_answer_that_is_none_is_refused_and_nothing_is_written(study):
    with pytest.raises(ValidationError):
        save_own(study, MURAD, "alice", {1: Answer("yes"), 2: Answer("perhaps")})
    assert not Appraisal.objects.exists()


def test_one_person_s_answers_make_no_version_of_the_data(study):
    before = DataVersion.current().token
    save_own(study, MURAD, "alice", all_answers())
    save_own(study, MURAD, "bob", all_answers())
    assert DataVersion.current().token == before
    agree(study, MURAD, "bob", all_answers())
    assert DataVersion.current().token != before


# What readers see


def test_the_filter_finds_the_same_in_both_engines_and_by_hand(world, study, asking, engine):
    appraise(study)

    def found(address):
        question = asking(world.collection, address)
        return (
            sorted({each.patient.slug for each in matching_treatments(question)}),
            sorted(each.slug for each in matching_groups(question)),
            sorted(each.slug for each in matching_studies(question)),
        )

    people = {"yes": set(), "no": set()}
    for course in plain.all_courses(world.collection):
        people[course.appraised].add(course.patient)
    assert found("appraised=yes") == (sorted(people["yes"]), ["control", "treated"], ["alpha"])
    assert found("appraised=no") == (sorted(people["no"]), ["mixed"], ["beta"])
    assert found("appraised=yes&appraised=no") == found("")


def test_the_facet_counts_patients(client, world, study, engine):
    appraise(study)
    (facet,) = [
        one.facet
        for one in client.get("/world/").context["inputs"]
        if getattr(one, "facet", None) and one.facet.name == "appraised"
    ]
    assert [(option.code, option.count) for option in facet.options] == [("yes", 4), ("no", 1)]


def test_the_page_of_a_study_has_question_answer_and_reason(client, world, study):
    assert "Not appraised yet by two persons with a consensus." in text_of(
        client.get("/world/studies/alpha/")
    )
    appraise(study, agreed=False)
    DataVersion.bump()
    unagreed = text_of(client.get("/world/studies/alpha/"))
    assert "Not appraised yet" in unagreed and "alice" not in unagreed
    agree(study, MURAD, "alice", all_answers(reason="Not said in the paper."))
    page = client.get("/world/studies/alpha/")
    text = text_of(page)
    assert "Murad 2018: what two appraisers agreed on." in text
    assert f"8. {TOOLS[MURAD].questions[7]} Yes Not said in the paper." in text
    assert "alice" not in text and "bob" not in text
    assert not re.search(r"\b\d+ (of|/) 8\b", text), "never summed"


def test_files_and_api_have_it(client, world, study):
    appraise(study)
    expected = [f"{MURAD} {item}: unclear" for item in range(1, 9)]
    alpha, beta = rows_of(client, "/world/studies.csv")
    assert (alpha["appraised"], alpha["appraisal"]) == ("yes", "; ".join(expected))
    assert (beta["appraised"], beta["appraisal"]) == ("no", "")
    found = client.get("/api/v1/world/studies/").json()["results"]
    assert [(each["appraised"], each["appraisal"]) for each in found] == [
        ("yes", expected),
        ("no", None),
    ]
    with ZipFile(io.BytesIO(client.get("/world/bundle.zip").getvalue())) as bundle:
        (name,) = [name for name in bundle.namelist() if name.endswith("appraisals.csv")]
        rows = list(csv.DictReader(io.StringIO(bundle.read(name).decode("utf-8-sig"))))
    assert [(row["study"], row["tool"], row["item"], row["answer"]) for row in rows] == [
        ("alpha", MURAD, str(item), "unclear") for item in range(1, 9)
    ]
    assert "alice" not in str(rows)


def test_a_simulated_study_is_not_appraised(db):
    study = Study.objects.filter(collection__slug="sener-2025-reconstruction").first()
    with pytest.raises(ValidationError, match="no paper to appraise"):
        save_own(study, MURAD, "alice", all_answers())


# Dump and load


def test_a_dump_has_every_answer_and_loads_again(world, study, tmp_path):
    appraise(study)
    call_command("dump_evidence", tmp_path, stdout=io.StringIO())
    before = sorted(Appraisal.objects.values_list("tool", "item", "appraiser", "answer", "reason"))
    Appraisal.objects.all().delete()
    call_command("load_evidence", "--from", str(tmp_path), stdout=io.StringIO())
    after = sorted(Appraisal.objects.values_list("tool", "item", "appraiser", "answer", "reason"))
    assert after == before and len(after) == 24
    assert study.pk in keys_of_appraised()


# The admin


def address(study, tool=MURAD) -> str:
    return reverse("admin:evidence_appraisal_study", args=[study.pk, tool])


def sent(which="own", answer="yes", reason="") -> dict:
    data = {f"{which}-{item}": answer for item in TOOLS[MURAD].items}
    return data | {f"{which}-{item}-reason": reason for item in TOOLS[MURAD].items}


@pytest.fixture
def appraisers(django_user_model):
    """Logs two persons in who may appraise and no more."""
    from django.test import Client

    found = {}
    for name in ("alice", "bob"):
        user = django_user_model.objects.create_user(name, password="x", is_staff=True)
        user.user_permissions.set(
            Permission.objects.filter(codename__in=["view_appraisal", "change_appraisal"])
        )
        found[name] = Client()
        found[name].force_login(user)
    return found


def test_two_persons_appraise_in_the_admin(client, world, study, appraisers):
    alice, bob = appraisers["alice"], appraisers["bob"]
    assert "Your answers are complete. Nobody else’s are yet." in text_of(
        alice.post(address(study), sent(reason="zq-alice"), follow=True)
    )
    page = bob.get(address(study)).content.decode()
    assert "zq-alice" not in page
    assert page.count('type="radio"') == 8 * 4
    listed = text_of(bob.get(reverse("admin:evidence_appraisal_changelist")))
    assert "Murad 2018 : 0 of 8, suits this design" in listed.replace("2018:", "2018 :")
    refused = bob.post(address(study), sent("agreed") | {"agree": "x"}, follow=True)
    assert "A consensus needs two persons" in text_of(refused)
    both = bob.post(address(study), sent(answer="no"), follow=True)
    assert "Yes: zq-alice" in text_of(both) and "(differ)" in text_of(both)
    none = digest_of_answers({})
    consensus = sent("agreed", "unclear", "Agreed.") | {"agree": "x", "based_on": none}
    assert f'name="based_on" value="{none}"' in both.content.decode()
    bob.post(address(study), consensus)
    assert "Unclear Agreed." in text_of(client.get("/world/studies/alpha/"))
    assert "appraised" in text_of(bob.get(reverse("admin:evidence_appraisal_changelist")))
    late = alice.post(address(study), sent(answer="no"), follow=True)
    assert "your answers stay as they are" in text_of(late)


def test_what_was_typed_is_kept_when_it_is_refused(world, study, appraisers):
    data = sent() | {"own-3": "perhaps", "own-4-reason": "As typed"}
    refused = appraisers["alice"].post(address(study), data)
    assert "As typed" in refused.content.decode()
    assert not Appraisal.objects.exists()


def test_who_may_not_change_it_and_what_is_not_there(client, world, study, admin_client):
    assert client.get(address(study)).status_code == 302
    assert admin_client.get(address(study, "no-such-tool")).status_code == 404
    simulated = Study.objects.filter(collection__slug="sener-2025-reconstruction").first()
    assert admin_client.get(address(simulated)).status_code == 404


def test_an_empty_collection_has_a_list(admin_client):
    make_study(make_collection("work"), "doe-2019")
    page = admin_client.get(reverse("admin:evidence_appraisal_changelist"))
    assert "doe-2019" in text_of(page)


def test_no_page_of_a_single_answer_tells_it(client, world, study, appraisers):
    save_own(study, MURAD, "alice", all_answers(reason="zq-alice"))
    pk = Appraisal.objects.filter(study=study, item=1).get().pk
    for name in ("change", "history"):
        page = appraisers["bob"].get(reverse(f"admin:evidence_appraisal_{name}", args=[pk]))
        assert "zq-alice" not in page.content.decode()
        assert "question 1: Yes" not in page.content.decode() and "1: Yes" not in text_of(page)


def test_a_consensus_is_not_overwritten_unseen(study, appraisers):
    appraise(study)
    stale = sent("agreed", "no") | {"agree": "x", "based_on": digest_of_answers({})}
    told = text_of(appraisers["bob"].post(address(study), stale))
    assert "with other answers: 1 unclear; 2 unclear" in told and "is not saved" in told
    consensus = Appraisal.objects.filter(study=study, appraiser="")
    assert set(consensus.values_list("answer", flat=True)) == {"unclear"}
    seen = stale | {"based_on": digest_of_answers(appraising(study, MURAD, "bob").agreed)}
    told = text_of(appraisers["bob"].post(address(study), seen | {"agreed-2": ""}))
    assert "Question 2 has been agreed on: choose another answer" in told
    appraisers["bob"].post(address(study), seen)
    assert set(consensus.values_list("answer", flat=True)) == {"no"}


def test_who_is_called_otherwise_is_no_second_appraiser(study, appraisers, django_user_model):
    save_own(study, MURAD, "alice", all_answers())
    account = django_user_model.objects.get(username="alice")
    account.username = "Alice-Jones"
    account.save()
    save_own(study, MURAD, "alice-jones", all_answers(answer="no"))
    with pytest.raises(ValidationError, match="needs two persons"):
        agree(study, MURAD, "alice-jones", all_answers())
    assert Appraisal.objects.filter(study=study).count() == 8

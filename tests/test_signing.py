"""Two people at one study: who may sign what, and that nothing goes round it, be it a form, a
command, the ORM or SQL.
"""

import json
from contextlib import contextmanager
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from evidence.curation import drafts
from evidence.curation.drafts import Author
from evidence.curation.preview import previewed
from evidence.curation.signing import last_word, sign, why_not
from evidence.curation.writing import NotPublishable
from evidence.models import (
    Collection,
    Curator,
    Door,
    Meaning,
    OpenPublication,
    Origin,
    Patient,
    Signature,
    Study,
    StudyDraft,
    StudyVersion,
    Treatment,
)
from evidence.models.guards import COLLECTION_STAYS, PUBLISHED_MOVES_ON, VERSIONS_STAY
from evidence.models.signing_guards import (
    AUTHOR_NEEDED,
    AUTHOR_SIGNS,
    DRAFT_STAYS,
    FILES_ONLY,
    FILES_YIELD,
    NAME_OF_SIGNER,
    NEWEST_ONLY,
    NO_AUTHOR,
    NOT_CHECKED,
    SIGNATURES_STAY,
    TURN,
    TWO_PEOPLE,
    WRONG_DIGEST,
    tables_of_a_study,
)
from evidence.models.study import TWO_PEOPLE_STAYS
from evidence.models.study_parts import PARTS

from . import processes
from .drafting import SOMEBODY, beispiel, keep, record, with_cell
from .factories import make_collection, make_patient, make_study, make_treatment

pytestmark = pytest.mark.django_db
LOAD_AND_DUMP = """
import django
django.setup()
from pathlib import Path
from django.core.management import call_command

call_command("migrate", verbosity=0)
call_command("load_evidence", folder=Path("{}"), verbosity=0)
call_command("dump_evidence", Path("{}"), "--all", verbosity=0)
"""
OPENED_AND_COMMITTED = """
import django
django.setup()
from django.db import IntegrityError, transaction
from evidence.models import Collection, OpenPublication, StudyDraft, Study
Collection.objects.create(slug="two", name="two", description="x", kind="published",
                          needs_two_people=True)
draft = StudyDraft.objects.create(collection=Collection.objects.get(slug="two"), slug="opened")
try:
    with transaction.atomic():
        OpenPublication.objects.create(draft=draft, origin="preview")
        Study.objects.create(collection=draft.collection, slug="opened", short_name="One",
                             design="unknown", extraction="abstract", state="published")
except IntegrityError as error:
    print(type(error).__name__)
print(OpenPublication.objects.count(), Study.objects.filter(slug="opened").count())
"""
KEY = ["two", "beispiel-2027"]


@pytest.fixture
def two() -> Collection:
    """A collection where two people publish."""
    return make_collection("two", needs_two_people=True)


@pytest.fixture
def people(django_user_model) -> dict:
    return {
        name: django_user_model.objects.create(username=name, is_staff=True)
        for name in ("alice", "bob", "carl")
    }


@pytest.fixture
def alice(people):
    return people["alice"]


@pytest.fixture
def bob(people):
    return people["bob"]


@pytest.fixture
def entered(two, alice) -> StudyDraft:
    """A study that Alice has entered."""
    draft = drafts.open_draft(two, "beispiel-2027", Author(alice))
    keep(draft, beispiel(collection="two"), Author(alice))
    return draft


def say(draft, meaning, user, remark="") -> Signature:
    return sign(draft, meaning, based_on=draft.head.number, user=user, remark=remark)


def checked(draft, by, sent_by=None) -> Signature:
    say(draft, Meaning.SUBMITTED, sent_by or by)
    return say(draft, Meaning.CHECKED, by)


def publish(draft, user) -> StudyVersion:
    return drafts.publish(draft, based_on=draft.head.number, author=Author(user))


@pytest.fixture
def public(entered, alice, bob) -> StudyDraft:
    """The same, checked by Bob and published by Alice."""
    everything = beispiel(
        record("patientmanifestation", patient=["beispiel-2027-1"], manifestation=["ild"]),
        record("patientautoantibody", patient=["beispiel-2027-1"], autoantibody=["ana"]),
        record(
            "outcome",
            treatment=["beispiel-2027-1", 1],
            number=1,
            domain="skin",
            measure=["mRSS"],
            baseline="20",
        ),
        record("studygroup", study=KEY, slug="all", label="All", n=5, indications=[["ild"]]),
        record(
            "groupfinding",
            group=[*KEY, "all"],
            number=1,
            kind="events",
            measure="death",
            events=0,
            n=5,
        ),
        record(
            "reportedtotal", study=KEY, number=1, quantity="patients", statistic="count", value="1"
        ),
        record("reviewinclusion", review=["sener-2025"], study=KEY, status="yes"),
        record(
            "provenance",
            study=KEY,
            number=1,
            patient=["beispiel-2027-1"],
            field="age_years",
            locator="p. 3",
        ),
        record(
            "treatment",
            patient=["beispiel-2027-1"],
            number=2,
            inhibitor=["baricitinib"],
            adverse_events="events",
            concomitant_therapies=[["methotrexate"]],
            concomitant_therapies_completeness="partial",
        ),
        record("adverseevent", treatment=["beispiel-2027-1", 2], number=1, category=["infection"]),
        collection="two",
    )
    everything = with_cell(everything, "patient", "prior_therapies", [["methotrexate"]])
    everything = with_cell(everything, "patient", "prior_therapies_completeness", "partial")
    keep(entered, everything, Author(alice))
    checked(entered, bob, alice)
    publish(entered, alice)
    return entered


@contextmanager
def refused(text: str):
    """The database refuses it, with these words, and what was before stands."""
    with pytest.raises(DatabaseError) as error, transaction.atomic():
        yield
    assert text in str(error.value)


def sql(statement: str, *values) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def unsaved(draft, signer, meaning=Meaning.CHECKED, **fields) -> Signature:
    head = draft.head
    return Signature(
        **{
            "version": head,
            "digest": head.digest,
            "meaning": meaning,
            "user": signer,
            "user_name": signer.get_username(),
            "at": timezone.now(),
            "remark": "",
        }
        | fields
    )


# Who may sign what.


def test_two_people_publish_and_the_version_names_the_signature(public, bob):
    assert Study.objects.get(slug="beispiel-2027").state == "published"
    version = public.versions.get(pk=public.published_id)
    assert (version.signature.user, version.signature.meaning) == (bob, "checked")
    assert version.signature.digest == version.signature.version.digest
    assert not OpenPublication.objects.exists()


def test_nothing_is_published_unchecked(entered, alice):
    for step in ("", Meaning.SUBMITTED):
        if step:
            say(entered, step, alice)
        with pytest.raises(NotPublishable, match="a second person has to check it first"):
            publish(entered, alice)
    assert not Study.objects.filter(slug="beispiel-2027").exists()


def test_an_author_cannot_check(entered, alice):
    say(entered, Meaning.SUBMITTED, alice)
    with pytest.raises(ValidationError, match="cannot check this one"):
        say(entered, Meaning.CHECKED, alice)
    for write in (
        lambda: unsaved(entered, alice).save(),
        lambda: Signature.objects.bulk_create([unsaved(entered, alice)]),
        lambda: sql(
            "INSERT INTO evidence_signature (version_id, digest, meaning, user_id, user_name, at, "
            "remark) SELECT id, digest, 'checked', %s, 'alice', at, '' FROM evidence_studyversion "
            "WHERE id = %s",
            alice.pk,
            entered.head_id,
        ),
    ):
        with refused(AUTHOR_SIGNS):
            write()


def test_one_character_makes_an_author(entered, alice, bob):
    """Bob, who was to check, mends one himself: now he is an author, and Alice always was."""
    say(entered, Meaning.SUBMITTED, alice)
    keep(entered, with_cell(entered.head.content, "patient", "label", "Case 1."), Author(bob))
    assert last_word(entered) == "", "the changed version has no signature"
    say(entered, Meaning.SUBMITTED, bob)
    for user in (alice, bob):
        assert why_not(entered, Meaning.CHECKED, user) == AUTHOR_SIGNS
        with refused(AUTHOR_SIGNS):
            unsaved(entered, user).save()


def test_a_version_restored_by_another_keeps_its_author(entered, alice, bob, people):
    """Alice writes, gives up, and has Bob restore it once something else was published: it is still
    hers.
    """
    first = entered.head.content
    keep(entered, with_cell(first, "patient", "age_years", 62), Author(alice))
    own = entered.head.number
    keep(entered, with_cell(first, "patient", "age_years", 63), Author(people["carl"]))
    checked(entered, bob, alice)
    publish(entered, bob)
    drafts.restore(entered, own, based_on=entered.head.number, author=Author(bob))
    say(entered, Meaning.SUBMITTED, bob)
    assert why_not(entered, Meaning.CHECKED, alice) == AUTHOR_SIGNS
    with refused(AUTHOR_SIGNS):
        unsaved(entered, alice).save()


def test_what_was_checked_before_makes_nobody_an_author_of_what_follows(public, alice, bob, people):
    keep(public, with_cell(public.head.content, "patient", "age_years", 62), Author(bob))
    say(public, Meaning.SUBMITTED, bob)
    say(public, Meaning.CHECKED, people["carl"])
    publish(public, bob)
    keep(public, with_cell(public.head.content, "patient", "age_years", 63), Author(bob))
    checked(public, alice, bob)
    assert publish(public, bob).signature.user == alice


def test_a_changed_draft_has_no_signature(entered, alice, bob):
    checked(entered, bob, alice)
    keep(entered, with_cell(entered.head.content, "patient", "age_years", 62), Author(alice))
    with pytest.raises(NotPublishable, match="a second person"):
        publish(entered, alice)
    with refused(NOT_CHECKED):
        OpenPublication.objects.create(
            draft=entered, origin=Origin.SIGNED, signature=Signature.objects.first()
        )


def test_what_was_sent_back_is_mended_and_sent_again(entered, alice, bob):
    say(entered, Meaning.SUBMITTED, alice)
    with pytest.raises(ValidationError, match="Say what has to be mended"):
        say(entered, Meaning.SENT_BACK, bob, " ")
    assert say(entered, Meaning.SENT_BACK, bob, "Age is 62 in table 1.").remark
    with pytest.raises(ValidationError, match="sent to be checked first"):
        say(entered, Meaning.CHECKED, bob)
    keep(entered, with_cell(entered.head.content, "patient", "age_years", 62), Author(alice))
    checked(entered, bob, alice)
    say(entered, Meaning.SENT_BACK, bob, "Not so fast.")
    with pytest.raises(NotPublishable, match="a second person"):
        publish(entered, alice)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"digest": "0" * 64}, WRONG_DIGEST),
        ({"user_name": "bob"}, NAME_OF_SIGNER),
        ({"user": None}, NAME_OF_SIGNER),
        ({"meaning": "sent_back", "remark": ""}, "signature_sent_back_says_why"),
        ({"meaning": "approved"}, "signature_meaning_coded"),
        ({"meaning": "submitted"}, TURN),
    ],
)
def test_the_database_refuses_a_signature_that_is_none(entered, people, fields, text):
    say(entered, Meaning.SUBMITTED, people["alice"])
    with refused(text):
        unsaved(entered, people["carl"], **fields).save()


def test_only_the_newest_version_is_signed(entered, public, alice, people):
    older = public.versions.get(number=1)
    for version in (older, public.published):
        with refused(NEWEST_ONLY):
            unsaved(
                public, people["carl"], "submitted", version=version, digest=version.digest
            ).save()
    with pytest.raises(ValidationError, match="Only the newest version"):
        say(public, Meaning.SUBMITTED, alice)


def test_signatures_are_never_changed_or_deleted(public, alice):
    signature = Signature.objects.first()
    with pytest.raises(ValidationError, match="never changed"):
        signature.save()
    with pytest.raises(ValidationError, match="never deleted"):
        signature.delete()
    with refused(SIGNATURES_STAY):
        Signature.objects.filter(pk=signature.pk).update(user=alice)
    with refused(SIGNATURES_STAY):
        Signature.objects.filter(pk=signature.pk)._raw_delete("default")


def test_nobody_is_no_author(two, bob):
    """A version by nobody is refused; one from before two were needed cannot be checked."""
    draft = drafts.open_draft(two, "beispiel-2027", SOMEBODY)
    with pytest.raises(ValidationError, match="each version has an author"):
        keep(draft, beispiel(collection="two"))
    content = beispiel(collection="two")
    version = {"draft": draft, "number": 1, "content": content, "digest": "x", "changed": 1}
    with refused(AUTHOR_NEEDED):
        StudyVersion.objects.create(door=Door.WORKBENCH, at=timezone.now(), **version)
    later = make_collection("later")
    draft = drafts.open_draft(later, "beispiel-2027", SOMEBODY)
    keep(draft, beispiel(collection="later"))
    Collection.objects.filter(pk=later.pk).update(needs_two_people=True)
    draft.refresh_from_db()
    say(draft, Meaning.SUBMITTED, bob)
    assert why_not(draft, Meaning.CHECKED, bob) == NO_AUTHOR
    with refused(NO_AUTHOR):
        unsaved(draft, bob).save()


# What readers see.


def own_rows(table: str) -> list[int]:
    """Rows of the public study of these tests."""
    study = Study.objects.get(slug="beispiel-2027", collection__slug="two")
    for model, path in PARTS.items():
        if model._meta.model_name == table:
            return list(model.objects.filter(**{path: study.pk}).values_list("pk", flat=True))
        for field in model._meta.many_to_many:
            through = field.remote_field.through
            if through._meta.db_table == f"evidence_{table}":
                owner = field.m2m_field_name()
                there = owner if path == "pk" else f"{owner}__{path}"
                return list(through.objects.filter(**{there: study}).values_list("pk", flat=True))
    raise AssertionError(table)


TABLES = [table for table, _ in tables_of_a_study()]


@pytest.mark.parametrize("table", TABLES)
def test_no_row_of_a_public_study_is_written_by_sql(public, table):
    rows = own_rows(table)
    if table == "study_may_share_patients_with":  # it names another study, so there is none
        other = make_study(public.collection, "other", state="draft")
        with refused(TWO_PEOPLE):
            sql(
                "INSERT INTO evidence_study_may_share_patients_with (from_study_id, to_study_id) "
                "VALUES (%s, %s)",
                Study.objects.get(slug="beispiel-2027", collection__slug="two").pk,
                other.pk,
            )
        return
    assert rows, table
    with refused(TWO_PEOPLE):
        sql(f"UPDATE evidence_{table} SET id = id WHERE id = %s", rows[0])
    with refused("" if table in ("study", "patient") else TWO_PEOPLE):
        sql(f"DELETE FROM evidence_{table} WHERE id = %s", rows[0])


def test_no_row_of_a_public_study_is_written_by_the_orm(public):
    patient = Patient.objects.get(slug="beispiel-2027-1")
    course = Treatment.objects.filter(patient=patient).first()
    elsewhere = make_patient(make_study(public.collection, "hidden", state="draft"), "hidden-1")
    hidden = make_treatment(elsewhere)
    patient.age_years = 62
    for write in (
        patient.save,
        lambda: Patient.objects.filter(pk=patient.pk).update(age_years=62),
        lambda: Patient.objects.bulk_update([patient], ["age_years"]),
        lambda: make_patient(patient.study, "beispiel-2027-2"),
        lambda: Patient.objects.bulk_create(
            [Patient(study=patient.study, slug="beispiel-2027-2", label="x")]
        ),
        lambda: course.indications.clear(),
        lambda: patient.prior_therapies.clear(),
        lambda: Treatment.objects.filter(pk=hidden.pk).update(patient=patient, number=7),
        lambda: Study.objects.filter(slug="hidden").update(state="published"),
        lambda: make_study(public.collection, "shown", state="published"),
    ):
        with refused(TWO_PEOPLE):
            write()
    with refused(""):  # a published course stays with its patient anyway
        Treatment.objects.filter(pk=course.pk).update(patient=elsewhere, number=7)
    assert Patient.objects.get(slug="beispiel-2027-1").age_years == 61


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL replaces no rows.")
def test_no_row_takes_the_place_of_one_of_a_public_study(public):
    sign_of = Patient.objects.get(slug="beispiel-2027-1").manifestation_records.get()
    hidden = make_patient(make_study(public.collection, "hidden", state="draft"), "hidden-1")
    with refused(TWO_PEOPLE):
        sql(
            "REPLACE INTO evidence_patientmanifestation (id, status, patient_id, manifestation_id) "
            "VALUES (%s, 'present', %s, %s)",
            sign_of.pk,
            hidden.pk,
            sign_of.manifestation_id,
        )


def test_where_one_publishes_everything_is_as_before(work):
    patient = make_patient(make_study(work, "alone"), "alone-1")
    patient.age_years = 62
    patient.save()
    assert Study.objects.get(slug="alone").state == "published"


def test_only_a_checked_version_opens_a_study(entered, alice, bob):
    say(entered, Meaning.SUBMITTED, alice)
    submitted = Signature.objects.first()
    with refused(NOT_CHECKED):
        OpenPublication.objects.create(draft=entered, origin="signed", signature=submitted)
    with refused("openpublication_signed_names_signature"):
        OpenPublication.objects.create(draft=entered, origin="preview", signature=submitted)
    if connection.vendor == "sqlite":  # PostgreSQL has roles for it: see below
        with refused(FILES_ONLY):
            OpenPublication.objects.create(draft=entered, origin="files")
    other = drafts.open_draft(entered.collection, "other", Author(alice))
    say(entered, Meaning.CHECKED, bob)
    with refused(NOT_CHECKED):
        OpenPublication.objects.create(
            draft=other, origin="signed", signature=Signature.objects.first()
        )


def test_an_older_version_is_not_published_under_its_signature(entered, alice, bob):
    signature, old = checked(entered, bob, alice), entered.head
    keep(entered, with_cell(entered.head.content, "patient", "age_years", 40), Author(alice))
    StudyDraft.objects.filter(pk=entered.pk).update(head=old)
    with refused(NOT_CHECKED):
        OpenPublication.objects.create(draft=entered, origin="signed", signature=signature)


def test_what_is_opened_ends_with_a_version_or_not_at_all(entered, alice, bob):
    signature = checked(entered, bob, alice)
    with refused("closed by a version"), transaction.atomic():
        row = OpenPublication.objects.create(draft=entered, origin="signed", signature=signature)
        row.delete()
    with refused("closed by a version"), transaction.atomic():
        OpenPublication.objects.create(draft=entered, origin="preview").delete()
    with refused("does not change"), transaction.atomic():
        OpenPublication.objects.create(draft=entered, origin="preview")
        OpenPublication.objects.update(origin="signed", signature=signature)
    with pytest.raises(IntegrityError), transaction.atomic():
        OpenPublication.objects.create(draft=entered, origin="preview")
        connection.check_constraints()  # as at the end of a transaction
    with refused("openpublication_origin_coded"):
        OpenPublication.objects.create(draft=entered, origin="mine")
    with refused("version_signature_is_published"), transaction.atomic():
        OpenPublication.objects.create(draft=entered, origin="signed", signature=signature)
        StudyVersion.objects.create(
            draft=entered,
            number=9,
            content=[],
            digest="",
            changed=0,
            door=Door.WORKBENCH,
            at=timezone.now(),
            author=alice,
            signature=signature,
        )
    with refused("openpublication_does_not_last"):
        OpenPublication.objects.create(draft=entered, origin="preview", dangling_id=1)


def test_an_open_study_cannot_be_committed(small_database):
    """In a process of its own, which commits: the tests here roll back."""
    told = processes.run(OPENED_AND_COMMITTED, small_database)
    assert told.split() == ["IntegrityError", "0", "0"]


def test_a_signature_is_used_once(public, alice, bob):
    signature = public.published.signature
    StudyDraft.objects.filter(pk=public.pk).update(head=signature.version)
    with refused(NOT_CHECKED):
        OpenPublication.objects.create(draft=public, origin="signed", signature=signature)
    values = {"draft": public, "number": 99, "content": [], "digest": "", "changed": 0}
    with refused(NOT_CHECKED):
        StudyVersion.objects.create(
            **values,
            door=Door.WORKBENCH,
            at=timezone.now(),
            is_published=True,
            author=alice,
            signature=signature,
        )


def test_readers_are_told_of_no_version_that_was_not_opened(public, alice):
    values = {"draft": public, "number": 99, "content": [], "digest": "", "changed": 1}
    for door in (Door.WORKBENCH, Door.FOUND):
        with refused(TWO_PEOPLE):
            StudyVersion.objects.create(
                **values,
                door=door,
                at=timezone.now(),
                is_published=True,
                is_public=True,
                author=alice if door != Door.FOUND else None,
                message="Believe me.",
            )


def test_what_is_published_moves_on_to_a_published_version(public, alice):
    """So a version nobody signed is not taken for what readers see, nor an earlier one."""
    first = public.published
    keep(public, with_cell(public.head.content, "patient", "age_years", 40), Author(alice))
    for version in (public.head.pk, None, first.pk - 1):
        with refused(PUBLISHED_MOVES_ON):
            StudyDraft.objects.filter(pk=public.pk).update(published=version)


def test_a_study_in_work_stays_that_study(public):
    for change in ({"slug": "another"}, {"collection": Collection.objects.get(slug="published")}):
        with refused(DRAFT_STAYS):
            StudyDraft.objects.filter(pk=public.pk).update(**change)


def test_two_people_stay_two(two, public):
    two.needs_two_people = False
    with pytest.raises(ValidationError, match="that stays"):
        two.full_clean()
    for write in (two.save, lambda: Collection.objects.update(needs_two_people=False)):
        with refused(TWO_PEOPLE_STAYS):
            write()


def made_anew(table: str, pk: int, **changes) -> None:
    """A row taken away and put back under its id, otherwise; what refers to it is asked only when
    the transaction ends.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} WHERE id = %s", [pk])
        row = dict(zip((one[0] for one in cursor.description), cursor.fetchone(), strict=True))
    row |= changes
    sql(f"DELETE FROM {table} WHERE id = %s", pk)
    names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
    sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", *row.values())


def test_a_rule_is_not_gone_round_by_making_a_row_anew(two, public):
    """Without its collection, no study would need two people for as long as that takes."""
    with refused(COLLECTION_STAYS):
        made_anew("evidence_collection", two.pk, needs_two_people=False)
    with refused(VERSIONS_STAY):
        made_anew("evidence_studydraft", public.pk, slug="another")
    with refused(COLLECTION_STAYS):
        Collection.objects.filter(pk=two.pk)._raw_delete("default")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL replaces no rows.")
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_nothing_that_rules_ask_is_replaced(two, public, recursive):
    """Also for a program that asks SQLite not to look at what it replaces."""
    in_work = public.versions.filter(is_published=False).first()
    sql(f"PRAGMA recursive_triggers = {recursive}")
    try:
        for table, pk, text in (
            ("evidence_collection", two.pk, COLLECTION_STAYS),
            ("evidence_studydraft", public.pk, VERSIONS_STAY),
            ("evidence_studyversion", in_work.pk, VERSIONS_STAY),
        ):
            with refused(text):
                sql(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} WHERE id = %s", pk)
    finally:
        sql("PRAGMA recursive_triggers = ON")


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite looks there last.")
def test_a_temporary_table_is_not_asked(two, public, entered, alice):
    """Anybody may make one, under any name."""
    sql("CREATE TEMP TABLE evidence_collection AS SELECT * FROM public.evidence_collection")
    sql("UPDATE pg_temp.evidence_collection SET needs_two_people = false")
    with refused(TWO_PEOPLE):
        sql("UPDATE public.evidence_patient SET age_years = 99")
    keep(public, with_cell(public.head.content, "patient", "age_years", 62), Author(alice))
    say(public, Meaning.SUBMITTED, alice)
    sql("CREATE TEMP TABLE evidence_studyversion AS SELECT * FROM public.evidence_studyversion")
    sql("UPDATE pg_temp.evidence_studyversion SET author_id = NULL")
    with refused(AUTHOR_SIGNS):
        sql(
            "INSERT INTO public.evidence_signature "
            "(version_id, digest, meaning, user_id, user_name, remark, at) "
            "SELECT id, digest, 'checked', %s, 'alice', '', now() "
            "FROM public.evidence_studyversion WHERE id = %s",
            alice.pk,
            public.head_id,
        )


def test_two_people_can_be_taken_back_before_readers_saw_anything(two, entered):
    two.needs_two_people = False
    two.full_clean()
    two.save()


def test_simulated_records_need_nobody(db):
    with refused("collection_two_people_publish_what_was_read"):
        make_collection("drawn", kind="simulated", caveat="simulated", needs_two_people=True)


def test_a_preview_shows_what_is_not_signed_and_leaves_no_trace(entered):
    def view(request):
        return Study.objects.get(slug="beispiel-2027", collection__slug="two").state

    assert previewed(entered, None, view) == "published"
    assert not Study.objects.filter(slug="beispiel-2027").exists()
    assert not OpenPublication.objects.exists()


@pytest.mark.parametrize("patient", ["", "beispiel-2027-1"])
def test_what_readers_see_is_withdrawn_through_the_draft(client, public, alice, bob, patient):
    in_group(alice, "Extractors")
    assert "Say the reason" in press(client, alice, public, "withdraw", patient=patient, reason=" ")
    told = press(client, alice, public, "withdraw", patient="nobody", reason="x")
    assert "there is nothing to withdraw" in told
    told = press(client, alice, public, "withdraw", patient=patient, reason="Retracted.")
    assert "readers see it until you publish" in told
    public.refresh_from_db()
    with pytest.raises(NotPublishable, match="a second person"):
        publish(public, alice)
    checked(public, bob, alice)
    publish(public, alice)
    withdrawn = Patient if patient else Study
    record = withdrawn.objects.get(slug=patient or "beispiel-2027")
    assert (record.state, record.withdrawal_reason) == ("withdrawn", "Retracted.")


# Commands and files.


def test_the_command_publishes_nothing_that_is_not_checked(entered, alice, bob):
    arguments = ("publish_study", "two", "beispiel-2027")
    with pytest.raises(CommandError, match="each version has an author"):
        call_command(*arguments, verbosity=0)
    with pytest.raises(CommandError, match="There is no account “nobody”"):
        call_command(*arguments, user="nobody", verbosity=0)
    get_user_model().objects.create_user("viewer")
    with pytest.raises(CommandError, match="viewer may not publish studies"):
        call_command(*arguments, user="viewer", verbosity=0)
    in_group(alice, "Editors")
    with pytest.raises(CommandError, match="a second person has to check it first"):
        call_command(*arguments, user="alice", verbosity=0)
    checked(entered, bob, alice)
    call_command(*arguments, user="alice", verbosity=0)
    assert Study.objects.get(slug="beispiel-2027").state == "published"


def test_files_load_as_files_and_yield_to_what_was_checked(two, public, tmp_path, alice, capsys):
    """A dump of two people's work loads into the same database, changed by hand: what was checked
    stays; a new study comes in as one of the files.
    """
    call_command("dump_evidence", tmp_path, verbosity=0)
    file = tmp_path / "two.json"
    records = json.loads(file.read_text())
    patient = next(one for one in records if one["model"] == "evidence.patient")
    patient["fields"]["age_years"] = 99
    records.append(
        {
            "model": "evidence.study",
            "fields": {
                "collection": ["two"],
                "slug": "from-a-file",
                "short_name": "From a file",
                "design": "case_report",
                "extraction": "abstract",
                "state": "published",
            },
        }
    )
    records.append(patient | {"fields": patient["fields"] | {"slug": "beispiel-2027-9"}})
    file.write_text(json.dumps(records))
    call_command("load_evidence", folder=tmp_path)
    told = capsys.readouterr().out
    assert "left out: two people have published its study without it" in told
    assert Patient.objects.get(slug="beispiel-2027-1").age_years == 61
    assert not Patient.objects.filter(slug="beispiel-2027-9").exists()
    version = StudyDraft.objects.get(slug="from-a-file").published
    assert (version.door, version.signature, version.is_public) == ("fixtures", None, True)
    assert not OpenPublication.objects.exists()
    with refused(FILES_YIELD if connection.vendor == "postgresql" else ""):
        OpenPublication.objects.create(draft=public, origin="files")


def test_a_dump_with_versions_loads_into_an_empty_database_with_its_signatures(
    public, entered, alice, bob, tmp_path
):
    """Where nobody of those who signed has an account."""
    keep(public, with_cell(public.head.content, "patient", "age_years", 62), Author(alice))
    say(public, Meaning.SUBMITTED, alice)
    say(public, Meaning.SENT_BACK, bob, "Why?")
    first, second = tmp_path / "first", tmp_path / "second"
    call_command("dump_evidence", first, "--all", verbosity=0)
    processes.run(LOAD_AND_DUMP.format(first, second), tmp_path / "other.sqlite3")
    files = {path.name: path.read_text() for path in first.iterdir()}
    assert {path.name: path.read_text() for path in second.iterdir()} == files
    entry = next(one for one in json.loads(files["drafts.json"]) if one["collection"] == "two")
    words = [word["meaning"] for one in entry["versions"] for word in one["signatures"]]
    assert words == ["submitted", "checked", "submitted", "sent_back"]
    published = next(one for one in entry["versions"] if one["number"] == entry["published"])
    assert published["signature"] == [2, 1]


@pytest.fixture
def application(db):
    """The rights of PostgreSQL’s application role, as `SECURITY.md` gives them."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no roles.")
    sql("CREATE ROLE casebook_application")
    sql("GRANT USAGE ON SCHEMA public TO casebook_application")
    sql(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public "
        "TO casebook_application"
    )
    sql("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO casebook_application")

    @contextmanager
    def acting():
        sql("SET LOCAL ROLE casebook_application")
        yield
        sql("RESET ROLE")

    return acting


def test_the_application_role_publishes_as_two_people_and_in_no_other_way(
    application, entered, alice, bob
):
    say(entered, Meaning.SUBMITTED, alice)
    with application():
        with refused(FILES_ONLY):
            OpenPublication.objects.create(draft=entered, origin="files")
        for statement, words in (
            ("ALTER TABLE evidence_study DISABLE TRIGGER ALL", "must be owner"),
            ("DROP TRIGGER study_update_by_two ON evidence_study", "must be owner"),
            ("SET session_replication_role = replica", "permission denied"),
            ("TRUNCATE evidence_signature CASCADE", "permission denied"),
        ):
            with refused(words):
                sql(statement)
        with refused(AUTHOR_SIGNS):
            unsaved(entered, alice).save()
        say(entered, Meaning.CHECKED, bob)
        publish(entered, alice)
        with refused(TWO_PEOPLE):
            Study.objects.filter(slug="beispiel-2027").update(notes="x")


# In the admin.


def in_group(user, *names) -> None:
    user.groups.set(Group.objects.filter(name__in=names))


def address(draft, step="change") -> str:
    return reverse(f"admin:evidence_studydraft_{step}", args=[draft.pk])


def page(client, user, draft, step="change") -> str:
    client.force_login(user)
    return " ".join(client.get(address(draft, step)).content.decode().split())


def press(client, user, draft, step, **data) -> str:
    client.force_login(user)
    draft.refresh_from_db()
    data = {"based_on": draft.head.number} | data
    answer = client.post(address(draft, f"{step}_view"), data, follow=True)
    return " ".join(answer.content.decode().split())


@pytest.fixture
def team(people) -> dict:
    for name, group in (("alice", "Extractors"), ("bob", "Checkers"), ("carl", "Editors")):
        in_group(people[name], group)
    return people


def test_groups_go_the_whole_way(client, entered, team):
    """Alice enters, Bob sends back and then signs, Carl publishes; readers are told, without names
    until somebody agrees to be named.
    """
    alice, bob, carl = team["alice"], team["bob"], team["carl"]
    assert "Send to be checked" in page(client, alice, entered)
    assert "Sent to be checked" in press(client, alice, entered, "submit")
    assert "Sign: checked" not in page(client, alice, entered)
    told = page(client, bob, entered)
    assert "Sign: checked" in told and "Send back" in told and "to be checked" in told
    assert "Say what has to be mended" in press(client, bob, entered, "send_back")
    told = press(client, bob, entered, "send_back", remark="Age is 62 in table 1.")
    assert "sent back, to be mended" in told and "Age is 62 in table 1." in told
    keep(entered, with_cell(entered.head.content, "patient", "age_years", 62), Author(alice))
    press(client, alice, entered, "submit")
    assert "can be published once a second person" in page(client, carl, entered)
    assert "Not yet by a second person" in page(client, carl, entered, "publish_view")
    assert "checked, to be published" in press(client, bob, entered, "check", although_not_all="on")
    told = page(client, carl, entered, "publish_view")
    assert "bob signed version 2" in told and "What changes for readers:" in told
    assert "readers see it now" in press(client, carl, entered, "publish", message="First entry.")
    told = " ".join(client.get("/two/studies/beispiel-2027/").content.decode().split())
    assert "Checked by a second person on" in told and "bob" not in told
    Curator.objects.create(user=bob, public_name="B. Beispiel")
    assert "B. Beispiel" in client.get("/two/studies/beispiel-2027/").content.decode()


def test_an_author_s_request_to_sign_is_refused_in_words(client, entered, alice):
    in_group(alice, "Extractors", "Checkers", "Editors")
    press(client, alice, entered, "submit")
    told = page(client, alice, entered)
    assert "Sign: checked" not in told and AUTHOR_SIGNS in told
    assert AUTHOR_SIGNS in press(client, alice, entered, "check")
    assert "A second person has to check it first" in press(client, alice, entered, "publish")
    assert not Study.objects.filter(slug="beispiel-2027").exists()


def test_even_an_administrator_cannot_check_their_own_work(client, entered, alice):
    alice.is_superuser = True
    alice.save()
    press(client, alice, entered, "submit")
    assert AUTHOR_SIGNS in press(client, alice, entered, "check")


@pytest.mark.parametrize(
    ("group", "steps"),
    [
        ("Extractors", {"check", "send_back", "publish"}),
        ("Checkers", {"publish", "undo", "give_up"}),
        ("Editors", {"submit", "check", "send_back", "undo"}),
    ],
)
def test_a_group_may_do_its_own_part(client, entered, bob, group, steps):
    in_group(bob, group)
    client.force_login(bob)
    assert client.get(address(entered)).status_code == 200
    for step in steps:
        answer = client.post(address(entered, f"{step}_view"), {"based_on": 1})
        assert answer.status_code == 403, step
    assert not Signature.objects.exists()


def test_what_changed_meanwhile_is_not_signed(client, entered, team):
    press(client, team["alice"], entered, "submit")
    keep(entered, with_cell(entered.head.content, "patient", "age_years", 62), Author(team["carl"]))
    told = press(client, team["bob"], entered, "check", based_on=1)
    assert "wrote version 2 meanwhile" in told
    assert not Signature.objects.filter(meaning="checked").exists()


def test_forms_of_records_are_read_only_where_two_people_publish(client, public, admin_user):
    client.force_login(admin_user)
    patient = Patient.objects.get(slug="beispiel-2027-1")
    for shown in (patient, patient.study, patient.treatments.first()):
        name = shown._meta.model_name
        change = reverse(f"admin:evidence_{name}_change", args=[shown.pk])
        told = client.get(change).content.decode()
        assert "two people publish" in told and address(public) in told
        assert 'name="_save"' not in told and "{#" not in told
        assert client.post(change, {}).status_code == 403
        delete = reverse(f"admin:evidence_{name}_delete", args=[shown.pk])
        assert client.post(delete, {"post": "yes"}).status_code == 403
        data = {"action": "delete_selected", "_selected_action": [shown.pk], "post": "yes"}
        told = client.post(reverse(f"admin:evidence_{name}_changelist"), data).content.decode()
        assert "two people publish in its collection" in told
    study = {"collection": public.collection_id, "slug": "new", "short_name": "New"}
    told = client.post(reverse("admin:evidence_study_add"), study).content.decode()
    assert "records are entered and changed under" in told
    assert Patient.objects.get(slug="beispiel-2027-1").age_years == 61


def test_one_person_signs_and_publishes_where_one_is_enough(client, work, alice, bob):
    """And readers are told which it was."""
    in_group(alice, "Extractors", "Editors")
    in_group(bob, "Checkers")
    draft = drafts.open_draft(work, "beispiel-2027", Author(alice))
    keep(draft, beispiel(), Author(alice))
    told = page(client, alice, draft, "publish_view")
    assert "Not by a second person." in told
    press(client, alice, draft, "publish")
    public_page = "/work/studies/beispiel-2027/"
    assert "Not checked by a second person" in client.get(public_page).content.decode()
    draft.refresh_from_db()
    keep(draft, with_cell(draft.head.content, "patient", "age_years", 62), Author(alice))
    press(client, alice, draft, "submit")
    press(client, bob, draft, "check", although_not_all="on")
    press(client, alice, draft, "publish")
    assert "Checked by a second person on" in client.get(public_page).content.decode()
    draft.refresh_from_db()
    keep(draft, with_cell(draft.head.content, "patient", "age_years", 63), Author(alice))
    press(client, alice, draft, "publish")
    assert "Not checked by a second person" in client.get(public_page).content.decode()


def test_the_confirmation_says_what_stands_in_the_way(client, work, alice):
    in_group(alice, "Editors")
    draft = drafts.open_draft(work, "beispiel-2027", Author(alice))
    keep(draft, with_cell(beispiel(), "patient", "age_years", 240), Author(alice))
    told = page(client, alice, draft, "publish_view")
    assert "It cannot be published yet" in told and "less than or equal to 120" in told
    assert "Publish for readers" not in told


def test_the_list_of_studies_in_work_costs_the_same_for_one_and_for_many(admin_client, two, alice):
    def count(number) -> int:
        for each in range(number):
            slug = f"study-{number}-{each}"
            draft = drafts.open_draft(two, slug, Author(alice))
            study = with_cell(beispiel(collection="two"), "study", "slug", slug)[:1]
            keep(draft, study, Author(alice))
            say(draft, Meaning.SUBMITTED, alice)
        with CaptureQueriesContext(connection) as queries:
            admin_client.get(reverse("admin:evidence_studydraft_changelist"))
        return len(queries)

    assert count(1) == count(10)


# Accounts.


@pytest.mark.parametrize("name", ["Alice", "alice ", " ALICE"])
def test_capitals_and_spaces_make_no_other_account(client, alice, name, django_user_model):
    with refused("auth_user_one_name" if connection.vendor == "postgresql" else "UNIQUE"):
        django_user_model.objects.create(username=name)
    with pytest.raises(ValidationError, match="There is an account “alice” already"):
        django_user_model(username=name, password="x").full_clean()
    with pytest.raises(CommandError, match="There is an account “alice” already"):
        call_command("createsuperuser", username=name, email="", interactive=False)
    alice.full_clean(exclude=["password"])  # its own name is no other


def test_the_form_of_a_new_account_says_that_the_name_is_taken(admin_client, alice):
    data = {"username": "Alice", "usable_password": "false"}
    told = admin_client.post(reverse("admin:auth_user_add"), data).content.decode()
    assert "There is an account “alice” already" in told or "already exists" in told


def test_the_upgrade_stops_at_two_accounts_of_one_name(alice):
    migration = import_module("evidence.migrations.0014_two_people")
    sql("DROP INDEX auth_user_one_name")
    get_user_model().objects.bulk_create([get_user_model()(username="Alice ")])
    with pytest.raises(CommandError, match=r"Nothing was changed\.(.|\n)*'alice', 'Alice '"):
        migration.refuse_names_twice(apps, None)


@pytest.mark.parametrize("filler", "\u115f\u1160\u3164\uffa0")
def test_a_letter_that_is_not_seen_makes_no_other_account(admin_client, alice, filler):
    data = {"username": f"alice{filler}", "usable_password": "false"}
    told = admin_client.post(reverse("admin:auth_user_add"), data).content.decode()
    assert "A letter of this name is invisible." in told or "Enter a valid username" in told
    assert get_user_model().objects.filter(username__startswith="alice").count() == 1


# In the queue.


def queue(client, user) -> str:
    client.force_login(user)
    return " ".join(client.get("/admin/work/").content.decode().split())


def test_the_queue_says_what_comes_next_and_leads_there(client, entered, team):
    alice, bob, carl = (team[name] for name in ("alice", "bob", "carl"))
    check = reverse("admin:check", args=KEY)
    assert "In work: 1" in queue(client, bob) and check not in queue(client, bob)
    say(entered, Meaning.SUBMITTED, alice)
    assert "To check: 1" in queue(client, bob) and check in queue(client, bob)
    assert "To check: 1" in queue(client, alice) and check not in queue(client, alice)
    say(entered, Meaning.SENT_BACK, bob, "Age is 62 in table 1.")
    keep(entered, with_cell(entered.head.content, "patient", "age_years", 62), Author(alice))
    for words in ("To mend: 1", "Sent back by bob", "Age is 62 in table 1."):
        assert words in queue(client, alice), "until it is sent again"
    bench = client.get(reverse("admin:workbench", args=KEY)).content.decode()
    assert "Age is 62 in table 1." in bench
    checked(entered, bob, alice)
    to_publish = queue(client, carl)
    assert "Checked, to publish: 1" in to_publish and address(entered) in to_publish
    assert "Age is 62" not in queue(client, alice)
    publish(entered, carl)
    assert "beispiel-2027" not in queue(client, alice)


def test_what_was_sent_back_and_published_unchecked_is_not_to_mend(client, draft, people, bob):
    """Where one person may publish, a remark is of what stood before."""
    in_group(bob, "Checkers")
    keep(draft, with_cell(draft.head.content, "patient", "age_years", 62), Author(bob))
    say(draft, Meaning.SUBMITTED, bob)
    say(draft, Meaning.SENT_BACK, bob, "Age is 63.")
    publish(draft, bob)
    keep(draft, with_cell(draft.head.content, "patient", "age_years", 63), Author(bob))
    page = queue(client, bob)
    assert "In work: 1" in page and "Age is 63." not in page


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("alice", {"suggestion", "appraisal", "secondentry", "reportedtotal"}),
        ("bob", {"appraisal", "secondentry", "reportedtotal"}),
        ("carl", {"suggestion", "appraisal", "secondentry", "reportedtotal"}),
    ],
)
def test_groups_see_what_they_work_with(client, team, name, tables):
    client.force_login(team[name])
    asked = ("suggestion", "appraisal", "secondentry", "reportedtotal")
    addresses = {one: reverse(f"admin:evidence_{one}_changelist") for one in asked}
    assert {one for one in asked if client.get(addresses[one]).status_code == 200} == tables

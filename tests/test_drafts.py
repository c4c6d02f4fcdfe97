"""Studies in work: versions, undo, merging, publishing; readers see nothing of it until then."""

import json
import subprocess
import sys
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.curation import drafts
from evidence.curation.cell_states import core_cells, patients_looked_at, unstated_cells
from evidence.curation.documents import (
    NOT_REPORTED,
    ORDER,
    UNREADABLE,
    by_key,
    differences,
    digest_of,
    merged,
    normalised,
    overlaid,
    read_document,
    study_record,
)
from evidence.curation.drafts import Author, Conflict
from evidence.curation.fixture_files import read_all
from evidence.curation.writing import NotPublishable
from evidence.downloads.release_status import content_hash
from evidence.models import (
    Collection,
    Curator,
    DataVersion,
    Patient,
    Study,
    StudyDraft,
    StudyVersion,
    Treatment,
)

from .drafting import (
    MRSS,
    SOMEBODY,
    all_looked_for,
    beispiel,
    keep,
    published,
    record,
    with_cell,
)
from .factories import make_group, make_patient, make_study, make_treatment
from .processes import ROOT, environment
from .test_upgrades import database_of_its_own

pytestmark = pytest.mark.django_db
LOAD_AND_DUMP = """
import json, sys
import django
django.setup()
from django.core.management import call_command
from evidence.downloads.release_status import content_hash
from evidence.models import Collection

call_command("migrate", verbosity=0)
call_command("load_evidence", "--from", sys.argv[1], verbosity=0)
call_command("dump_evidence", sys.argv[2], "--all", verbosity=0)
print(json.dumps({one.slug: content_hash(one) for one in Collection.objects.all()}))
"""
# Documents


def test_what_the_tables_hold_is_a_document_that_says_it_again():
    """Every shipped study, read and normalised, is what it was; the fixture file says no more."""
    fixtures = by_key(
        normalised(
            {"model": one.model, "fields": one.fields} for one in read_all() if one.model in ORDER
        )
    )
    read = {}
    for study in Study.objects.all():
        document = read_document(study)
        assert digest_of(document) == digest_of(json.loads(json.dumps(normalised(document))))
        read |= by_key(document)
    assert read == fixtures


def test_reading_a_document_takes_the_same_queries_for_one_patient_and_for_forty(work):
    study = make_study(work, "many")
    counts = []
    for wanted in (1, 40):
        for number in range(study.patients.count(), wanted):
            patient = make_patient(
                study, f"many-{number}", present=["ild"], antibodies=["ana"], prior=["methotrexate"]
            )
            make_treatment(
                patient,
                indications=["ild"],
                outcomes=[("skin", "improved")],
                events=[("infection", {})],
            )
        with CaptureQueriesContext(connection) as queries:
            read_document(study)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_value_is_the_same_however_it_is_spelled():
    one = normalised([record("patient", slug="a-1", age_years="61", dlco_percent="61.50", sex="")])
    other = normalised([record("patient", slug="a-1", age_years=61, dlco_percent=61.5)])
    assert digest_of(one) == digest_of(other)


def test_a_state_is_no_value_and_a_value_leaves_no_state():
    document = normalised([record("patient", {"age_years": NOT_REPORTED}, slug="a-1")])
    assert [change.words for change in differences([record("patient", slug="a-1")], document)] == [
        ("untouched", "not reported")
    ]
    entered = overlaid(document, [record("patient", slug="a-1", age_years=61)])
    assert entered == [record("patient", slug="a-1", age_years=61)]
    again = overlaid(entered, [record("patient", {"age_years": UNREADABLE}, slug="a-1")])
    assert again == [record("patient", {"age_years": UNREADABLE}, slug="a-1")]


CELLS = st.dictionaries(
    st.sampled_from(["age_years", "label", "notes", "comorbidities"]),
    st.sampled_from(["1", "2", "3"]),
)
DOCUMENTS = st.dictionaries(st.sampled_from(["a-1", "a-2", "a-3"]), CELLS).map(
    lambda patients: [record("patient", slug=slug, **cells) for slug, cells in patients.items()]
)


def cells(document) -> dict:
    return {
        (one["fields"]["slug"], name): value
        for one in document
        for name, value in one["fields"].items()
    }


@given(base=DOCUMENTS, ours=DOCUMENTS, theirs=DOCUMENTS)
def test_merging_loses_no_change_of_either(base, ours, theirs):
    result, conflicts = merged(base, ours, theirs)
    disputed = {(change.key[0], change.field) for change in conflicts}
    start, mine, other, end = (cells(one) for one in (base, ours, theirs, result))
    for cell in {*start, *mine, *other}:
        if cell in disputed or cell[0] in {slug for slug, _ in disputed}:
            continue
        changed = [side.get(cell) for side in (mine, other) if side.get(cell) != start.get(cell)]
        assert end.get(cell) == (changed[0] if changed else start.get(cell)), cell
    for cell in disputed:
        assert mine.get(cell) != other.get(cell)
    assert merged(base, ours, base) == (merged(base, ours, ours)[0], [])


# Versions


def test_readers_see_nothing_of_a_draft_and_no_byte_changes(client, draft):
    address = "/work/studies/beispiel-2027/"
    assert client.get(address).status_code == 404
    published(draft)
    before = {
        page: (client.get(page).getvalue(), client.get(page).headers.get("ETag"))
        for page in (address, "/work/", "/work/patients.csv", "/work/patients/beispiel-2027-1/")
    }
    version = DataVersion.current().token
    keep(draft, with_cell(draft.head.content, "patient", "age_years", 62))
    assert DataVersion.current().token == version
    for page, (content, tag) in before.items():
        answer = client.get(page)
        assert (answer.getvalue(), answer.headers.get("ETag")) == (content, tag), page
    published(draft)
    assert b"62" in client.get("/work/patients.csv").getvalue()


def test_saving_what_it_says_already_writes_no_version(draft):
    version = keep(draft, beispiel())
    assert (version.number, draft.versions.count()) == (1, 1)


def test_the_second_of_two_people_is_told_and_nothing_is_overwritten(draft, django_user_model):
    ada = Author(django_user_model.objects.create(username="ada"))
    keep(draft, with_cell(beispiel(), "patient", "age_years", 62), ada)
    with pytest.raises(Conflict) as caught:
        drafts.save_draft(
            draft,
            with_cell(beispiel(), "patient", "age_years", 63),
            based_on=1,
            author=SOMEBODY,
        )
    assert "ada wrote version 2 meanwhile" in str(caught.value)
    assert [change.words for change in caught.value.changes] == [("61", "62")]
    draft.refresh_from_db()
    assert (
        by_key(draft.head.content)["evidence.patient", "beispiel-2027-1"]["fields"]["age_years"]
        == 62
    )


@pytest.mark.slow
@settings(max_examples=1000)
@given(turns=st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 99)), max_size=10))
def test_two_editors_in_any_order_never_overwrite_each_other_unseen(work, turns):
    """Each reads the newest version or saves an age on the one read last. What is kept at the end
    is the last accepted save; each refused one had not read the version before it.
    """
    slug = f"turns-{StudyDraft.objects.count()}"
    document = [
        record(
            "study",
            collection=["work"],
            slug=slug,
            short_name=slug,
            design="case_report",
            extraction="full_text",
        ),
        record("patient", study=["work", slug], slug=f"{slug}-1", label="Case 1", age_years=0),
    ]
    draft = drafts.open_draft(work, slug, SOMEBODY)
    drafts.save_draft(draft, document, based_on=None, author=SOMEBODY)
    read, newest, kept = [1, 1], 1, 0
    for second, saves, age in turns:
        if not saves:
            read[second] = newest
            continue
        held = StudyDraft.objects.get(pk=draft.pk)
        changed = with_cell(document, "patient", "age_years", age)
        try:
            version = drafts.save_draft(held, changed, based_on=read[second], author=SOMEBODY)
        except Conflict:
            assert read[second] != newest
        else:
            assert read[second] == newest
            read[second] = newest = version.number
            kept = age
    draft.refresh_from_db()
    assert (
        by_key(draft.head.content)["evidence.patient", f"{slug}-1"]["fields"]["age_years"] == kept
    )


@pytest.mark.slow
@settings(max_examples=10)
@given(ages=st.lists(st.integers(1, 120), min_size=1, max_size=50))
def test_any_edits_are_undone_one_by_one_to_the_first(work, ages):
    draft = drafts.open_draft(work, f"undo-{StudyDraft.objects.count()}", SOMEBODY)
    document = [
        record(
            "study",
            collection=["work"],
            slug=draft.slug,
            short_name="Undo",
            design="case_report",
            extraction="full_text",
        ),
        record("patient", study=["work", draft.slug], slug=f"{draft.slug}-1", label="Case 1"),
    ]
    first, digests = keep(draft, document).digest, []
    for age in ages:
        digests.append(draft.head.digest)
        if keep(draft, with_cell(document, "patient", "age_years", age)).digest == digests[-1]:
            digests.pop()
    for digest in reversed(digests):
        assert drafts.undo(draft, based_on=draft.head.number, author=SOMEBODY).digest == digest
    assert draft.head.digest == first
    with pytest.raises(ValidationError, match="no change to take back"):
        drafts.undo(draft, based_on=draft.head.number, author=SOMEBODY)


def test_an_import_says_which_values_it_replaces_and_a_second_time_nothing(draft):
    """Also after publishing, which may count as read in part what the workbook calls full text."""
    door = Author(door="import")
    entered = {"beispiel-2027": in_full(beispiel())}
    drafts.save_import(entered, draft.collection, door, "One.")
    draft.refresh_from_db()
    published(draft)
    assert Study.objects.get(slug="beispiel-2027").extraction == "in_part"
    again = drafts.save_import(entered, draft.collection, door, "Again.")
    assert again == {"beispiel-2027": "unchanged"}
    older = {"beispiel-2027": with_cell(in_full(beispiel()), "patient", "age_years", 62)}
    drafts.save_import(older, draft.collection, door, "From an older workbook.")
    told = drafts.overwritten_cells(draft.collection, "beispiel-2027")
    assert ("61", "62") in [change.words for change in told]


def test_an_earlier_version_is_restored_and_the_restoring_undone(draft):
    keep(draft, with_cell(beispiel(), "patient", "age_years", 62))
    drafts.restore(draft, 1, based_on=2, author=SOMEBODY)
    assert draft.head.digest == draft.versions.get(number=1).digest
    drafts.undo(draft, based_on=3, author=SOMEBODY)
    assert draft.head.digest == draft.versions.get(number=2).digest


def test_an_insert_that_replaces_does_not_go_round_the_triggers(draft):
    """SQLite deletes the row that is in the way, and asks triggers only where it is told to."""
    version = draft.versions.get()
    columns = [column.column for column in StudyVersion._meta.concrete_fields]
    values = ["'another'" if name == "message" else name for name in columns]
    sqlite = connection.vendor == "sqlite"
    insert = "INSERT OR REPLACE" if sqlite else "INSERT"
    conflict = "" if sqlite else "ON CONFLICT (id) DO UPDATE SET message = excluded.message"
    with (
        pytest.raises(DatabaseError, match="never changed or deleted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            f"{insert} INTO evidence_studyversion ({', '.join(columns)}) SELECT "
            f"{', '.join(values)} FROM evidence_studyversion WHERE id = %s {conflict}",
            [version.pk],
        )


def test_versions_are_never_changed_or_deleted(draft):
    version = draft.head
    for write in (
        version.save,
        version.delete,
    ):
        with pytest.raises(ValidationError):
            write()
    for statement in (
        lambda: StudyVersion.objects.filter(pk=version.pk).update(message="x"),
        lambda: StudyVersion.objects.filter(pk=version.pk)._raw_delete("default"),
        lambda: connection.cursor().execute("UPDATE evidence_studyversion SET message = 'x'"),
        lambda: connection.cursor().execute("DELETE FROM evidence_studyversion"),
    ):
        with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
            statement()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("studyversion_door_coded", {"door": "window"}),
        ("version_number_from_one", {"number": 0}),
        ("version_parent_is_earlier", {"pk": 900_001, "parent_id": 900_001}),
        ("version_public_is_published", {"is_public": True, "is_published": False}),
    ],
)
def test_the_database_refuses_a_wrong_version(draft, name, wrong):
    sound = {"draft": draft, "number": 9, "content": [], "digest": "", "door": "import"}
    sound |= {"at": draft.head.at, "changed": 0}
    with pytest.raises(DatabaseError, match=name), transaction.atomic():
        StudyVersion.objects.bulk_create([StudyVersion(**sound | wrong)])


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([*beispiel(), beispiel()[1]], "stands in it twice"),
        (beispiel(collection="published"), "not one study with the address"),
        ([*beispiel(), record("jakinhibitor", slug="x")], "has no evidence.jakinhibitor"),
        ([], "not one study"),
        (beispiel(shoe_size=43), "study has no field shoe_size"),
        ([*beispiel()[:2], record("patient", {"sex": "odd"}, slug="a")], "no state “odd”"),
    ],
)
def test_what_is_no_document_of_the_study_is_refused(draft, document, problem):
    with pytest.raises(ValidationError, match=problem):
        keep(draft, document)
    assert draft.versions.count() == 1


# Publishing


def test_a_study_is_published_whole(client, draft):
    published(draft)
    patient = Patient.objects.get(slug="beispiel-2027-1")
    assert (patient.state, patient.age_years, patient.study.state) == ("published", 61, "published")
    assert patient.treatments.get().indication_set == "ild"
    assert not draft.is_open and draft.published == draft.head
    assert client.get("/work/patients/beispiel-2027-1/").status_code == 200


def test_with_a_wrong_record_nothing_is_published(draft):
    wrong = beispiel(
        record("outcome", treatment=["beispiel-2027-1", 1], number=1, domain="shoe", measure=MRSS),
        record("adverseevent", treatment=["beispiel-2027-1", 1], number=1, category=["infection"]),
    )
    keep(draft, wrong)
    with pytest.raises(NotPublishable) as caught:
        published(draft)
    assert len(caught.value.problems) == 2
    assert "domain" in caught.value.problems[0]
    assert not Study.objects.filter(slug="beispiel-2027").exists()


def test_what_a_draft_no_longer_has_is_gone_after_publishing(draft):
    more = record(
        "outcome", treatment=["beispiel-2027-1", 1], number=1, domain="skin", measure=MRSS
    )
    published(draft, beispiel(more))
    assert Treatment.objects.get(patient__slug="beispiel-2027-1").outcomes.count() == 1
    published(draft, beispiel())
    assert Treatment.objects.get(patient__slug="beispiel-2027-1").outcomes.count() == 0


def test_a_patient_readers_have_seen_is_not_removed(draft):
    published(draft)
    keep(draft, beispiel()[:1])
    with pytest.raises(NotPublishable, match="Withdraw it"):
        published(draft)
    assert Patient.objects.filter(slug="beispiel-2027-1").exists()


def test_a_change_in_the_tables_meanwhile_is_told_and_taken_over(draft):
    published(draft)
    keep(draft, with_cell(draft.head.content, "patient", "comorbidities", "gout"))
    Patient.objects.filter(slug="beispiel-2027-1").update(age_years=70)
    with pytest.raises(Conflict) as caught:
        published(draft)
    assert [change.words for change in caught.value.changes] == [("61", "70")]
    assert Patient.objects.get(slug="beispiel-2027-1").comorbidities == ""
    draft.refresh_from_db()
    assert drafts.take_over(draft, based_on=draft.head.number, author=SOMEBODY) == []
    published(draft)
    patient = Patient.objects.get(slug="beispiel-2027-1")
    assert (patient.age_years, patient.comorbidities) == (70, "gout")


def test_undoing_a_take_over_cannot_overwrite_what_was_taken_over(draft):
    published(draft)
    keep(draft, with_cell(draft.head.content, "patient", "comorbidities", "gout"))
    Patient.objects.filter(slug="beispiel-2027-1").update(age_years=70)
    drafts.take_over(draft, based_on=draft.head.number, author=SOMEBODY)
    drafts.undo(draft, based_on=draft.head.number, author=SOMEBODY)
    with pytest.raises(Conflict):
        published(draft)
    assert Patient.objects.get(slug="beispiel-2027-1").age_years == 70


def test_both_changed_one_cell_and_the_curator_is_told_both_values(draft):
    published(draft)
    keep(draft, with_cell(draft.head.content, "patient", "age_years", 62))
    Patient.objects.filter(slug="beispiel-2027-1").update(age_years=70)
    conflicts = drafts.take_over(draft, based_on=draft.head.number, author=SOMEBODY)
    assert [change.words for change in conflicts] == [("70", "62")]


# States of cells


def in_full(document):
    return with_cell(document, "study", "extraction", "full_text")


def test_what_was_read_in_part_is_never_made_more_of(draft):
    """Ticks of patients say nothing of a study's groups: only a curator says “full text”."""
    published(draft, all_looked_for(with_cell(beispiel(), "study", "extraction", "in_part")))
    assert Study.objects.get(slug="beispiel-2027").extraction == "in_part"


def test_a_study_reads_in_full_only_when_every_core_cell_is_stated(draft):
    published(draft)
    assert Study.objects.get(slug="beispiel-2027").extraction == "in_part"
    assert draft.head.content[0]["fields"]["extraction"] == "in_part"
    published(draft, all_looked_for(in_full(draft.head.content)))
    assert Study.objects.get(slug="beispiel-2027").extraction == "full_text"
    assert unstated_cells(draft.head.content) == []
    unreadable = json.loads(json.dumps(draft.head.content))
    by_key(unreadable)["evidence.patient", "beispiel-2027-1"]["states"]["sex"] = UNREADABLE
    published(draft, in_full(unreadable))
    assert Study.objects.get(slug="beispiel-2027").extraction == "in_part"


def test_a_study_without_patients_is_not_read_in_full_for_want_of_cells(work):
    """Neither its own empty cells nor those of its groups are “not reported” unless said so."""
    for slug, more in {
        "alone": [],
        "grouped": [
            record("studygroup", study=["work", "grouped"], slug="all", label="All", n=9),
            record(
                "groupfinding",
                group=["work", "grouped", "all"],
                number=1,
                kind="events",
                measure="infections",
                n=9,
                events=2,
            ),
        ],
    }.items():
        draft = drafts.open_draft(work, slug, SOMEBODY)
        study = {"collection": ["work"], "slug": slug, "short_name": slug, "design": "case_series"}
        keep(draft, [record("study", **study, extraction="full_text"), *more])
        published(draft)
        assert Study.objects.get(slug=slug).extraction == "in_part"
        assert {cell.patient for cell in unstated_cells(draft.head.content)} == {""}
        published(draft, all_looked_for(in_full(draft.head.content)))
        assert Study.objects.get(slug=slug).extraction == "full_text"


def test_what_is_added_to_a_patient_read_in_full_is_untouched(draft):
    """What was looked for of a patient says nothing of a course, an event, an outcome or an emptied
    cell that came after it.
    """
    event = record(
        "adverseevent", treatment=["beispiel-2027-1", 1], number=1, category=["infection"]
    )
    treatment = record(
        "treatment", patient=["beispiel-2027-1"], number=2, inhibitor=["baricitinib"]
    )
    published(draft, all_looked_for(with_cell(beispiel(), "study", "country", "Germany")))
    full = draft.head.content
    for content in (
        [*full, treatment],
        [*with_cell(full, "treatment", "adverse_events", "events"), event],
        with_cell(full, "patient", "age_years", None),
        with_cell(full, "study", "country", None),
    ):
        assert Study.objects.get(slug="beispiel-2027").extraction == "full_text"
        published(draft, content)
        assert Study.objects.get(slug="beispiel-2027").extraction == "in_part"
        published(draft, all_looked_for(in_full(draft.head.content)))


def test_what_readers_were_told_stays_told_when_something_else_is_corrected(work):
    """Tables that say “full text” say it of every cell that is empty in them."""
    study = make_study(work, "told")
    make_treatment(make_patient(study), adverse_events="explicitly_none")
    make_group(study)
    draft = drafts.open_draft(work, "told", SOMEBODY)
    assert unstated_cells(draft.head.content, draft.published.content) == []
    published(draft, with_cell(draft.head.content, "study", "notes", "Checked again."))
    study.refresh_from_db()
    assert study.extraction == "full_text"


STATED = st.sampled_from([None, NOT_REPORTED, UNREADABLE])


@settings(max_examples=40)
@given(data=st.data())
def test_nothing_untouched_is_ever_not_reported_in_public(work, client, data):
    """Random states on every core cell: “not reported” stands in public only where somebody said
    so of each empty one.
    """
    slug = f"states-{StudyDraft.objects.count()}"
    patients = [f"{slug}-{number}" for number in range(data.draw(st.integers(1, 3)))]
    document = [
        record(
            "study",
            collection=["work"],
            slug=slug,
            short_name=slug,
            design="case_series",
            extraction=data.draw(st.sampled_from(["full_text", "in_part", "abstract"])),
        )
    ]
    for patient in patients:
        document += [
            record("patient", study=["work", slug], slug=patient, label=patient),
            record("treatment", patient=[patient], number=1, inhibitor=["tofacitinib"]),
        ]
    records = by_key(document)
    everything = data.draw(st.booleans())
    for cell in list(core_cells(document)):
        state = NOT_REPORTED if everything else data.draw(STATED)
        if state:
            records[cell.record].setdefault("states", {})[cell.field] = state
    draft = drafts.open_draft(work, slug, SOMEBODY)
    keep(draft, document)
    published(draft)
    untouched = [
        cell
        for cell in core_cells(document)
        if records[cell.record].get("states", {}).get(cell.field) != NOT_REPORTED
    ]
    rows = [
        row
        for row in client.get("/work/patients.jsonl").getvalue().decode().splitlines()
        if f'"{slug}-' in row
    ]
    assert len(rows) == len(patients)
    told = {json.loads(row)["empty_means"] for row in rows}
    declared = study_record(document)["fields"]["extraction"]
    is_full = declared == "full_text" and not untouched
    assert told == {"not reported" if is_full else "not extracted"}
    assert patients_looked_at(document) == {
        patient for patient in patients if patient not in {cell.patient for cell in untouched}
    }


def ticked_document():
    document = all_looked_for(in_full(beispiel()), of_patients=False)
    return with_cell(document, "patient", "looked_for", True)


def second_course(**fields):
    return record(
        "treatment", patient=["beispiel-2027-1"], number=2, inhibitor=["baricitinib"], **fields
    )


def test_a_tick_does_not_speak_of_a_course_entered_after_it(draft):
    keep(draft, ticked_document())
    assert unstated_cells(draft.head.content) == []
    keep(draft, [*draft.head.content, second_course()])
    assert {cell.record for cell in unstated_cells(draft.head.content)} == {
        ("evidence.treatment", "beispiel-2027-1", 2)
    }, "what the tick covered stays said, cell by cell"
    published(draft)
    assert Study.objects.get(slug="beispiel-2027").extraction == "in_part"


def test_a_tick_set_together_with_a_course_speaks_of_it(draft):
    keep(draft, all_looked_for(in_full(beispiel()), of_patients=False))
    keep(draft, [*ticked_document(), second_course()])
    assert unstated_cells(draft.head.content) == []


def test_an_import_of_a_further_course_takes_the_tick_off(draft):
    published(draft, ticked_document())
    assert Study.objects.get(slug="beispiel-2027").extraction == "full_text"
    entered = {"beispiel-2027": [beispiel()[0], beispiel()[1], second_course()]}
    drafts.save_import(entered, draft.collection, Author(door="import"), "Imported.")
    draft.refresh_from_db()
    assert unstated_cells(draft.head.content)


def test_an_earlier_version_is_restored_with_its_tick(draft):
    keep(draft, ticked_document())
    ticked, digest = draft.head.number, draft.head.digest
    keep(draft, [*draft.head.content, second_course()])
    keep(draft, ticked_document())
    drafts.restore(draft, ticked, based_on=draft.head.number, author=SOMEBODY)
    assert StudyDraft.objects.get(pk=draft.pk).head.digest == digest


EDITS = st.lists(
    st.tuples(st.sampled_from(["course", "value", "empty", "tick", "said"]), st.integers(1, 3)),
    max_size=12,
)


@settings(max_examples=40)
@given(edits=EDITS)
def test_no_order_of_edits_says_of_a_cell_that_it_was_looked_for(work, edits):
    """Beside the engine, a plain account of what was said of each cell, by tick or by state."""
    slug = f"ticks-{StudyDraft.objects.count()}"
    document = [
        record("study", collection=["work"], slug=slug, short_name=slug, design="case_series"),
        record("patient", study=["work", slug], slug=f"{slug}-1", label="1"),
    ]
    draft = drafts.open_draft(work, slug, SOMEBODY)
    keep(draft, document)
    said = set()
    for what, number in edits:
        content = json.loads(json.dumps(draft.head.content))
        records = by_key(content)
        patient = records["evidence.patient", f"{slug}-1"]
        key = ("evidence.treatment", f"{slug}-1", number)
        course = records.get(key)
        if what == "course" and course is None:
            content.append(
                record("treatment", patient=[f"{slug}-1"], number=number, inhibitor=["tofacitinib"])
            )
        elif what == "value" and course:
            course["fields"]["response"] = "improved"
            course.get("states", {}).pop("response", None)
        elif what == "empty" and course:
            course["fields"].pop("response", None)
        elif what == "said" and course and "response" not in course["fields"]:
            course.setdefault("states", {})["response"] = NOT_REPORTED
            said.add((key, "response"))
        elif what == "tick" and not patient["fields"].get("looked_for"):
            patient["fields"]["looked_for"] = True
            said |= {(cell.record, cell.field) for cell in core_cells(content)}
        for cell in core_cells(content):
            if cell.state == "value":
                said.discard((cell.record, cell.field))
        keep(draft, content)
        told = {
            (cell.record, cell.field)
            for cell in core_cells(draft.head.content)
            if cell.state == NOT_REPORTED
        }
        assert told <= said, "never more than somebody said"


# Doors and dumps


def test_loading_fixtures_writes_versions(db):
    draft = StudyDraft.objects.get(collection__slug="published", slug="fujita-2019")
    assert (draft.head.door, draft.head.is_public, draft.is_open) == ("fixtures", True, False)


def test_the_command_says_what_is_open_then_publishes(draft):
    def run(study="beispiel-2027", **options) -> str:
        out = StringIO()
        call_command("publish_study", "work", study, stdout=out, **options)
        return out.getvalue()

    told = run(dry_run=True)
    assert "cells differ from what readers see" in told
    assert "beispiel-2027-1: sex: untouched" in told
    assert not Study.objects.filter(slug="beispiel-2027").exists()
    told = run(message="First entry.")
    assert "Published as version 2, read as: full text, read in part." in told
    assert StudyDraft.objects.get(pk=draft.pk).head.message == "First entry."
    assert "readers see this version already" in run()
    with pytest.raises(CommandError, match="There is no study nowhere in work in work"):
        run("nowhere")
    draft.refresh_from_db()
    keep(draft, with_cell(draft.head.content, "patient", "age_years", 240))
    with pytest.raises(CommandError, match="Nothing was changed") as refused:
        run()
    assert "less than or equal to 120" in str(refused.value)


def test_the_study_page_says_how_it_came_and_what_was_corrected(client, draft, django_user_model):
    page = client.get("/published/studies/fujita-2019/").content.decode()
    assert "Came with the collection’s files." in page
    assert "Not checked by a second person." in page
    published(draft)
    page = client.get("/work/studies/beispiel-2027/").content.decode()
    assert "Entered on" in page and "Corrected" not in page
    ada = django_user_model.objects.create(username="ada-lovelace")
    keep(draft, with_cell(draft.head.content, "patient", "age_years", 62))
    drafts.publish(
        draft, based_on=draft.head.number, author=Author(ada), message="Age misread in table 1."
    )
    page = client.get("/work/studies/beispiel-2027/").content.decode()
    assert "1 value. Age misread in table 1." in " ".join(page.split())
    assert "ada-lovelace" not in page
    Curator.objects.create(user=ada, public_name="A. Lovelace")
    assert "by A. Lovelace" in client.get("/work/studies/beispiel-2027/").content.decode()


def test_a_dump_loads_into_an_empty_database_with_the_same_content(draft, tmp_path):
    """The other database says the same: same content hashes, same files, drafts and versions."""
    published(draft)
    keep(draft, with_cell(draft.head.content, "patient", "age_years", 62))
    first, second = tmp_path / "first", tmp_path / "second"
    call_command("dump_evidence", first, "--all", stdout=StringIO())
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD_AND_DUMP, str(first), str(second)],
        env=environment(tmp_path / "other.sqlite3", DJANGO_SETTINGS_MODULE="evidence.settings"),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        slug: content_hash(Collection.objects.get(slug=slug))
        for slug in ("published", "sener-2025-reconstruction", "work")
    }
    files = {path.name: path.read_bytes() for path in first.iterdir()}
    assert set(files) >= {"work.json", "published.json", "vocabulary.json", "drafts.json"}
    assert {path.name: path.read_bytes() for path in second.iterdir()} == files


BEGIN_A_STUDY = """
import django
django.setup()
from django.core.management import call_command
from evidence.curation import drafts
from evidence.models import Collection, JAKInhibitor
from tests.drafting import SOMEBODY, record

call_command("migrate", verbosity=0)
work = Collection.objects.create(slug="work", name="Work", kind="published", description="A test.")
JAKInhibitor.objects.create(slug="tofacitinib", name="tofacitinib")
draft = drafts.open_draft(work, "series", SOMEBODY)
key = ["work", "series"]
content = [
    record("study", collection=["work"], slug="series", short_name="Series", design="case_series",
           extraction="abstract")
]
for number in range(1, 9):
    slug = f"series-{number}"
    content.append(record("patient", study=key, slug=slug, label=slug))
    content.append(record("treatment", patient=[slug], number=1, inhibitor=["tofacitinib"]))
drafts.save_draft(draft, content, based_on=None, author=SOMEBODY)
"""
PUBLISH_AND_DIE = """
import os, signal, sys
import django
django.setup()
from evidence.curation import drafts, writing
from evidence.models import StudyDraft
from tests.drafting import SOMEBODY

written, write = 0, writing.write_record
def write_until(record):
    global written
    written += 1
    if written == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    write(record)
writing.write_record = write_until
drafts.publish(StudyDraft.objects.get(), based_on=1, author=SOMEBODY)
"""
WHAT_STANDS = """
import django
django.setup()
from evidence.models import Patient, Study, StudyDraft, StudyVersion, Treatment
print(Study.objects.count(), Patient.objects.count(), Treatment.objects.count(),
      StudyVersion.objects.count(), StudyDraft.objects.get().is_open)
"""


@pytest.mark.slow
def test_a_process_killed_while_publishing_leaves_all_or_nothing(tmp_path):
    """Killed at the first, a middle, the last of 17 records; then published by one that lives."""
    env = environment(tmp_path / "killed.sqlite3", DJANGO_SETTINGS_MODULE="evidence.settings")

    def run(code: str, *arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True)

    begun = run(BEGIN_A_STUDY)
    assert begun.returncode == 0, begun.stderr
    for moment in ("1", "9", "17"):
        assert run(PUBLISH_AND_DIE, moment).returncode == -9
        assert run(WHAT_STANDS).stdout.split() == ["0", "0", "0", "1", "True"]
    assert run(PUBLISH_AND_DIE, "0").returncode == 0
    assert run(WHAT_STANDS).stdout.split() == ["1", "8", "8", "2", "False"]


BEGIN_COUNTING = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from evidence.models import Collection
from tests.drafting import beispiel, keep, SOMEBODY
from evidence.curation import drafts
work = Collection.objects.create(slug="work", name="Work", kind="published", description="Made.")
keep(drafts.open_draft(work, "beispiel-2027", SOMEBODY), beispiel(notes="0"))
"""
COUNT = """
import sys, django
django.setup()
from evidence.curation import drafts
from evidence.curation.documents import study_record
from evidence.models import StudyDraft
from tests.drafting import SOMEBODY, with_cell
told = done = 0
while done < 20:
    draft = StudyDraft.objects.select_related("head", "collection").get()
    content, number = draft.head.content, draft.head.number
    count = int(study_record(content)["fields"]["notes"])
    try:
        drafts.save_draft(draft, with_cell(content, "study", "notes", str(count + 1)),
                          based_on=number, author=SOMEBODY)
        done += 1
    except drafts.Conflict:
        told += 1
print(told)
"""
COUNTED = """
import django
django.setup()
from evidence.curation.documents import study_record
from evidence.models import StudyDraft
draft = StudyDraft.objects.get()
numbers = draft.versions.order_by("number").values_list("number", flat=True)
print(study_record(draft.head.content)["fields"]["notes"], list(numbers) == list(range(1, 62)))
"""


@pytest.mark.slow
def test_three_processes_that_save_one_draft_at_once_overwrite_nothing(tmp_path):
    """Each adds one to a number 20 times; one that was overtaken is told, and looks again."""
    with database_of_its_own(tmp_path) as database:
        env = environment(tmp_path, DATABASE_URL=database)
        begin = [sys.executable, "-c"]
        subprocess.run([*begin, BEGIN_COUNTING], env=env, cwd=ROOT, check=True)
        counting = [
            subprocess.Popen([*begin, COUNT], env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        told = [int(process.communicate()[0]) for process in counting]
        assert [process.returncode for process in counting] == [0, 0, 0]
        counted = subprocess.run(
            [*begin, COUNTED], env=env, cwd=ROOT, check=True, capture_output=True, text=True
        )
    assert counted.stdout.split() == ["60", "True"], f"told of others: {told}"


@pytest.mark.parametrize("model", ["study", "patient"])
def test_what_was_never_published_is_not_published_as_withdrawn(draft, client, model):
    """Its address says 404, not 410: readers never saw anything there."""
    withdrawn = with_cell(beispiel(), model, "state", "withdrawn")
    keep(draft, with_cell(withdrawn, model, "withdrawal_reason", "Reported twice."))
    with pytest.raises(NotPublishable, match="Readers never saw it") as caught:
        published(draft)
    assert len(caught.value.problems) == 1, "what hangs on it is not told again"
    places = ("studies/beispiel-2027", "patients/beispiel-2027-1")
    assert [client.get(f"/work/{place}/").status_code for place in places] == [404, 404]


def test_what_was_published_is_withdrawn_by_a_draft(draft, client):
    published(draft, beispiel())
    withdrawn = with_cell(draft.head.content, "patient", "state", "withdrawn")
    published(draft, with_cell(withdrawn, "patient", "withdrawal_reason", "Reported twice."))
    assert client.get("/work/patients/beispiel-2027-1/").status_code == 410
    assert client.get("/work/studies/beispiel-2027/").status_code == 200


def test_a_study_that_names_one_in_work_says_which_to_publish_first(work, draft):
    other = StudyDraft.objects.create(collection=work, slug="muster-2026")
    keep(other, with_cell(beispiel(), "study", "slug", "muster-2026")[:1])
    keep(draft, beispiel(may_share_patients_with=[["work", "muster-2026"]]))
    with pytest.raises(NotPublishable) as caught:
        published(draft)
    (told,) = caught.value.problems
    assert "study muster-2026, which is in work and not published yet" in told


def test_a_list_that_is_said_to_be_unreported_has_a_name(draft):
    """It is a list of records, and no field."""
    document = beispiel()
    document[2]["states"] = {"outcomes": NOT_REPORTED}
    keep(draft, document)
    labels = [change.label for change in differences([], draft.head.content)]
    assert "treatment beispiel-2027-1 / 1: outcomes" in labels

"""Loading fixtures: all or nothing, the same again, curators' work kept."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from evidence.curation import fixture_files
from evidence.curation.fixture_files import (
    BrokenFixture,
    FixtureRecord,
    fixture_text,
    read_all,
    read_fixture,
)
from evidence.curation.loading import load_records
from evidence.models import (
    Collection,
    DataVersion,
    GroupFinding,
    Indication,
    LoadedRecord,
    Patient,
    Study,
    Treatment,
)

from .factories import delete_as_if_never_published

pytestmark = pytest.mark.slow


def load_again(**options) -> str:
    out = StringIO()
    call_command("load_evidence", stdout=out, **options)
    return out.getvalue()


RECONSTRUCTION = "sener-2025-reconstruction.json"


@pytest.fixture
def copied(tmp_path, settings, monkeypatch) -> Path:
    """The fixtures in a folder of their own, to be broken; without the reconstruction, which is
    half of them.
    """
    monkeypatch.setattr(
        fixture_files, "FILES", [name for name in fixture_files.FILES if name != RECONSTRUCTION]
    )
    return copy_fixtures(tmp_path, settings)


def copy_fixtures(tmp_path, settings) -> Path:
    for name in fixture_files.FILES:
        (tmp_path / name).write_text(
            (fixture_files.fixture_folder() / name).read_text(encoding="utf-8"), encoding="utf-8"
        )
    settings.FIXTURE_DIRS = [tmp_path]
    return tmp_path


def change(path: Path, model: str, where: dict, without: tuple[str, ...] = (), **fields) -> int:
    """Changes the first record of a model that has these fields, taking some out; its position."""
    entries = json.loads(path.read_text(encoding="utf-8"))
    for position, entry in enumerate(entries, start=1):
        if entry["model"] == model and where.items() <= entry["fields"].items():
            entry["fields"].update(fields)
            for name in without:
                del entry["fields"][name]
            path.write_text(json.dumps(entries), encoding="utf-8")
            return position
    raise AssertionError(where)


def test_a_second_run_changes_nothing_and_says_so(db):
    before = DataVersion.current().number
    told = load_again()
    assert "499 records read: nothing to change." in told
    assert "published (published evidence): 16 studies, 4 patients, 4 courses, 6 outcomes" in told
    assert (
        "sener-2025-reconstruction (simulated records): 18 studies, 87 patients, 87 courses" in told
    )
    assert DataVersion.current().number == before


def test_the_whole_comparison_changes_nothing_either(db):
    """Without the short cut: every record is compared, and each is found unchanged."""
    LoadedRecord.objects.filter(model="*").delete()
    before = DataVersion.current().number
    report = load_records(read_all())
    assert (report.outcomes, report.preserved) == ({"unchanged": 499}, [])
    assert DataVersion.current().number == before


def test_every_record_of_the_fixtures_is_in_the_database(db):
    for record in read_all():
        assert LoadedRecord.objects.filter(model=record.model).exists()
    assert LoadedRecord.objects.count() == len(read_all()) + 1


def test_django_can_load_the_same_files(db):
    call_command("loaddata", *fixture_files.FILES, verbosity=0)
    assert Patient.objects.count() == 91
    assert Treatment.objects.filter(indication_set="ild+skin").count() == 22


def test_what_a_curator_edits_enters_or_removes_stays(db):
    Patient.objects.filter(slug="fujita-2019-1").update(age_years=72)
    delete_as_if_never_published(Patient.objects.get(slug="rhk-2025-101-1"))
    curated = Study.objects.create(
        collection=Collection.objects.get(slug="published"),
        slug="new",
        short_name="New",
        design="case_report",
        extraction="full_text",
    )
    # bumps nothing: a write round the models
    Patient.objects.filter(slug="prakashini-2023-1").update(notes="seen")
    DataVersion.bump()
    told = load_again()
    assert "fujita-2019-1: kept as a curator edited it" in told
    assert "rhk-2025-101-1: kept removed, as a curator left it" in told
    assert Patient.objects.get(slug="fujita-2019-1").age_years == 72
    assert not Patient.objects.filter(slug="rhk-2025-101-1").exists()
    assert Study.objects.filter(pk=curated.pk).exists()


def test_withdrawing_what_others_point_to_keeps_nobody_from_loading(db):
    """It is for the curator to look at, with `check_evidence`; no fixture is at fault."""
    whole, again = Patient.objects.filter(study__collection__slug="published").order_by("slug")[:2]
    again.same_as = whole
    again.save()
    for record in (whole, Study.objects.get(slug="depinto-2024")):
        record.state, record.withdrawal_reason = "withdrawn", "Retracted."
        record.save()
    assert "nothing to change" in load_again()


def test_a_changed_fixture_updates_what_no_curator_touched(db, copied):
    change(copied / "published.json", "evidence.patient", {"slug": "fujita-2019-1"}, age_years=70)
    change(copied / "published.json", "evidence.study", {"slug": "hou-2022"}, country="Elsewhere")
    Study.objects.filter(slug="hou-2022").update(country="China (Beijing)")
    told = load_again()
    assert "1 updated" in told
    assert Patient.objects.get(slug="fujita-2019-1").age_years == 70
    assert Study.objects.get(slug="hou-2022").country == "China (Beijing)"
    assert "hou-2022: kept as a curator edited it; the fixture differs" in told


def test_a_field_the_fixture_does_not_name_is_the_curators(db, copied):
    """What is entered there stays, and no correction of the other fields waits for it."""
    Patient.objects.filter(slug="fujita-2019-1").update(classification="ACR/EULAR 2013")
    change(copied / "published.json", "evidence.patient", {"slug": "fujita-2019-1"}, age_years=70)
    told = load_again()
    assert "1 updated" in told and "kept" not in told
    patient = Patient.objects.get(slug="fujita-2019-1")
    assert (patient.age_years, patient.classification) == (70, "ACR/EULAR 2013")


def test_what_a_fixture_names_no_longer_is_not_known_any_more(db, copied):
    change(
        copied / "published.json",
        "evidence.patient",
        {"slug": "fujita-2019-1"},
        without=("age_years",),
    )
    assert "1 updated" in load_again()
    assert Patient.objects.get(slug="fujita-2019-1").age_years is None
    assert "nothing to change" in load_again()


def test_a_field_the_fixture_names_for_the_first_time(db, copied):
    """It is written where nobody entered anything else; a column added later begins so too."""
    change(
        copied / "published.json",
        "evidence.patient",
        {"slug": "fujita-2019-1"},
        classification="ACR 1980",
    )
    change(
        copied / "published.json",
        "evidence.patient",
        {"slug": "prakashini-2023-1"},
        classification="ACR 1980",
    )
    Patient.objects.filter(slug="prakashini-2023-1").update(classification="ACR/EULAR 2013")
    told = load_again()
    assert (
        "1 updated" in told
        and "prakashini-2023-1: kept as a curator edited it; the fixture differs" in told
    )
    held = dict(Patient.objects.values_list("slug", "classification"))
    assert (held["fujita-2019-1"], held["prakashini-2023-1"]) == ("ACR 1980", "ACR/EULAR 2013")


def test_a_correction_that_contradicts_what_a_curator_entered_beside_it_is_left_to_people(
    db, copied
):
    """Nothing is written that breaks a rule, and nobody is kept from starting."""
    finding = {"group": ["published", "depinto-2024", "filgotinib-200-mg-once-daily"], "number": 2}
    GroupFinding.objects.filter(group__slug=finding["group"][-1], number=2).update(item="improved")
    change(copied / "published.json", "evidence.groupfinding", finding, kind="share")
    assert "kept as a curator edited it; the fixture differs" in load_again()
    assert GroupFinding.objects.get(group__slug=finding["group"][-1], number=2).kind == "events"


def test_a_changed_list_updates_the_set(db, copied):
    change(
        copied / "published.json",
        "evidence.treatment",
        {"patient": ["fujita-2019-1"]},
        indications=[["joints"], ["ild"]],
    )
    load_again()
    assert Treatment.objects.get(patient__slug="fujita-2019-1").indication_set == "ild+joints"


def broken(told: str, *, copied: Path, name: str, model: str, where: dict, **fields):
    """Loads a fixture broken in one place: nothing changes, and the message names file, record and
    field.
    """
    position = change(copied / name, model, where, **fields)
    before = (DataVersion.current().number, Patient.objects.count(), Study.objects.count())
    with pytest.raises(CommandError) as refused:
        load_again()
    message = str(refused.value)
    assert message.startswith("Nothing was changed.")
    assert f"{name}, record {position} ({model})" in message
    assert told in message, message
    assert (DataVersion.current().number, Patient.objects.count(), Study.objects.count()) == before


FUJITA = {"name": "published.json", "model": "evidence.patient", "where": {"slug": "fujita-2019-1"}}


@pytest.mark.parametrize(
    ("told", "fields"),
    [
        ("field age_years: “old” value must be an integer.", {"age_years": "old"}),
        ("field age_years: Ensure this value is less than or equal to 120.", {"age_years": 130}),
        ("field sex: Value 'f' is not a valid choice.", {"sex": "f"}),
        ("field shoe_size: there is no such field", {"shoe_size": 44}),
        (
            "field study: there is no study ['published', 'nothing']",
            {"study": ["published", "nothing"]},
        ),
        ("field study: expected a list", {"study": "fujita-2019"}),
        ("field prior_therapies: expected a list", {"prior_therapies": "methotrexate"}),
        (
            "field prior_therapies: there is no therapy ['aspirin']",
            {"prior_therapies": [["aspirin"]]},
        ),
        (
            "prior therapies are listed, but said to be none",
            {"prior_therapies_completeness": "none"},
        ),
        (
            "field slug: Only a simulated patient's public id begins with SIM-.",
            {"slug": "SIM-99"},
        ),
    ],
)
def test_a_broken_record_changes_nothing_and_is_named(db, copied, told, fields):
    # every record that names this patient would be broken too; this one is enough
    if "slug" in fields:
        entries = json.loads((copied / "published.json").read_text(encoding="utf-8"))
        for entry in entries:
            entry["fields"] = json.loads(
                json.dumps(entry["fields"]).replace('"fujita-2019-1"', '"SIM-99"')
            )
        (copied / "published.json").write_text(json.dumps(entries), encoding="utf-8")
        with pytest.raises(CommandError, match=told):
            load_again()
        assert not Patient.objects.filter(slug="SIM-99").exists()
        return
    broken(told, copied=copied, **FUJITA, **fields)


def test_an_event_where_none_is_reported(db, tmp_path, settings):
    broken(
        "change that first",
        copied=copy_fixtures(tmp_path, settings),
        name=RECONSTRUCTION,
        model="evidence.adverseevent",
        where={},
        treatment=["fujita-2019-1", 1],
    )


def test_a_repeated_record(db, copied):
    path = copied / "inhibitors.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps([*entries, entries[0]]), encoding="utf-8")
    with pytest.raises(
        CommandError, match=r"record 9 .* the same record stands in inhibitors.json, record 1"
    ):
        load_again()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            '[{"model": "evidence.indication", ',
            "inhibitors.json: not readable as JSON: .* line 1 column",
        ),
        ('{"model": "evidence.indication"}', "inhibitors.json: expected a list of records"),
        ('[{"model": "evidence.indication"}]', "inhibitors.json, record 1: expected"),
        ('[{"model": "evidence.shoe", "fields": {}}]', "there is no such model"),
        (
            '[{"model": "auth.user", "fields": {"username": "x"}}]',
            "this model is not loaded from fixtures",
        ),
        (
            '[{"model": "evidence.loadedrecord", "fields": {}}]',
            "this model is not loaded from fixtures",
        ),
        ('[{"model": "evidence.treatment", "fields": {}}]', "it lacks a part of its key"),
        ("\xff", "not readable as JSON"),
    ],
)
def test_a_file_of_another_shape(db, copied, content, told):
    (copied / "inhibitors.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(CommandError, match=told):
        load_again()


def test_a_missing_file(db, copied):
    (copied / "reviews.json").unlink()
    with pytest.raises(CommandError, match=r"reviews.json: the file is missing"):
        load_again()


def test_many_errors_are_cut_short(db):
    records = [
        FixtureRecord(
            "x.json", i, "evidence.indication", {"code": "no such code!", "label": str(i)}
        )
        for i in range(30)
    ]
    with pytest.raises(BrokenFixture, match="… and 10 more"):
        load_records(records)


def test_the_files_are_written_in_one_shape():
    """A file that is rewritten from what it says comes out byte by byte: diffs show changes and
    nothing else.
    """
    for name in fixture_files.FILES:
        path = Path(settings.FIXTURE_DIRS[0]) / name
        assert fixture_text(
            (record.model, record.fields) for record in read_fixture(path)
        ) == path.read_text(encoding="utf-8"), name


def test_progress_is_shown_and_can_be_silenced(db):
    assert "published.json" in load_again() or "nothing to change" in load_again()
    assert load_again(verbosity=0) == ""
    Indication.objects.first().save()
    assert "  published.json" in load_again()


def test_prepare_migrates_and_loads_and_can_be_repeated(db):
    out = StringIO()
    call_command("prepare", stdout=out)
    assert "499 records read: nothing to change." in out.getvalue()

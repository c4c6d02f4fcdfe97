"""Which engine answers, with which snapshot, and how pages of a list are found."""

import pytest
from django.core.management import call_command

from evidence.counting import Tally, Unit, count, row_keys, snapshot_for
from evidence.counting.snapshot import store as serving
from evidence.counting.snapshot.answering import BitsetCache
from evidence.models import Collection, DataVersion, Patient
from evidence.models import consistency as steady
from evidence.questions.question import Question
from evidence.questions.vocabulary import vocabulary
from evidence.summaries import filter_facets, run_summaries
from evidence.tables import TABLES, order_records, page_records

from .factories import make_collection, make_patient, make_study, make_treatment
from .test_versions import history_that_is_thrown_away

pytestmark = pytest.mark.slow


def patients(collection) -> int:
    (counter,) = count([Tally(Question(collection))])
    return counter[()]


@pytest.fixture
def large(settings, tmp_path, monkeypatch):
    """Every collection counts as large, and nobody builds aside unless the test does."""
    settings.SNAPSHOTS = tmp_path / "snapshots"
    asked = []
    monkeypatch.setattr(serving, "AT_ONCE", 0)
    monkeypatch.setattr(serving, "start_builder", asked.append)
    return asked


def test_the_setting_chooses_the_engine(world, settings):
    assert snapshot_for(world.collection) is not None
    settings.COHORT_ENGINE = "database"
    assert snapshot_for(world.collection) is None
    assert patients(world.collection) == 5
    settings.COHORT_ENGINE, settings.SNAPSHOT_PATIENTS = "auto", 4
    serving.served.clear()
    assert snapshot_for(world.collection) is None
    settings.COHORT_ENGINE = "snapshot"
    assert snapshot_for(world.collection) is not None


def test_an_edit_is_counted_at_once(world):
    assert patients(world.collection) == 5
    make_treatment(make_patient(make_study(world.collection)))
    assert patients(world.collection) == 6
    patient = Patient.objects.get(slug="alpha-4")
    patient.state, patient.withdrawal_reason = "withdrawn", "Reported twice."
    patient.save()
    assert patients(world.collection) == 5


def test_an_edit_elsewhere_changes_no_snapshot(world, published):
    before = snapshot_for(world.collection)
    patient = Patient.objects.within(published).first()
    patient.notes = "read again"
    patient.save()
    assert snapshot_for(world.collection) is before
    record = Patient.objects.get(slug="alpha-1")
    record.notes = "read again"
    record.save()
    assert snapshot_for(world.collection) is not before


def test_a_record_that_moves_changes_both_collections(db, simulated):
    """As records that readers have seen can among simulated collections alone."""
    left = make_collection(kind="simulated", caveat="drawn for a test")
    patient = make_patient(make_study(left), "SIM-moves")
    make_treatment(patient)
    here, there = snapshot_for(left), snapshot_for(simulated)
    patient.study = make_study(simulated)
    snapshots = snapshot_for(simulated)
    assert snapshots is not there  # the new study
    patient.save()
    assert snapshot_for(left) is not here and snapshot_for(simulated) is not snapshots
    assert patients(left) == 0 and patients(simulated) == 88


def test_a_large_collection_is_handed_over_as_files(world, large):
    built = snapshot_for(world.collection)
    serving.served.clear()
    loaded = snapshot_for(world.collection)
    assert loaded is not built and loaded.version == built.version
    assert {name: array.tolist() for name, array in loaded.arrays().items()} == {
        name: array.tolist() for name, array in built.arrays().items()
    }
    assert patients(world.collection) == 5


def test_while_a_large_collection_is_counted_anew_the_earlier_numbers_answer_and_say_so(
    world, large, client
):
    assert patients(world.collection) == 5
    first = client.get(world.address())
    assert (
        first["Cache-Control"] == "no-cache"
        and "has just been changed" not in first.content.decode()
    )
    make_treatment(make_patient(make_study(world.collection)))
    page = client.get(world.address())
    assert (
        "has just been changed" in page.content.decode()
        and "<strong>5 patients</strong>" in page.content.decode()
    )
    assert page["Cache-Control"] == "no-store" and not page.has_header("ETag")
    assert large and set(large) == {world.collection}
    call_command("prepare_snapshots", "world", verbosity=0)
    after = client.get(world.address())
    assert "<strong>6 patients</strong>" in after.content.decode()
    assert (
        "has just been changed" not in after.content.decode()
        and after["Cache-Control"] == "no-cache"
    )


def test_edits_that_follow_each_other_quickly_are_caught_up_with(world, large):
    """What is ready is never of the very version being read, but later than what answers."""
    assert patients(world.collection) == 5
    for expected in (6, 7):
        make_treatment(make_patient(make_study(world.collection)))
        call_command("prepare_snapshots", "world", verbosity=0)
        record = Patient.objects.get(slug="alpha-1")
        record.notes = f"read again {expected}"
        record.save()
        with steady.consistent_read():
            assert patients(world.collection) == expected
            assert steady.stale_version() is not None


def one_more(world) -> None:
    make_treatment(make_patient(make_study(world.collection)))


def test_a_snapshot_in_memory_of_a_history_that_was_thrown_away_never_answers(world, large):
    """Though its number is higher than that of the data at first, and lower later on."""
    assert patients(world.collection) == 5
    with history_that_is_thrown_away():
        for _ in range(3):
            one_more(world)
        call_command("prepare_snapshots", "world", verbosity=0)
        assert patients(world.collection) == 8
        number = DataVersion.current().number
    for expected in (5, 6, 7, 8, 9):
        with steady.consistent_read() as now:
            assert patients(world.collection) == expected and steady.stale_version() is None
        one_more(world)
    assert now.number > number and large
    call_command("prepare_snapshots", "world", verbosity=0)
    assert patients(world.collection) == 10 and snapshot_for(world.collection) is not None


def test_files_of_a_history_that_was_thrown_away_are_not_taken_for_later_ones(
    world, large, settings, tmp_path
):
    with history_that_is_thrown_away():
        for _ in range(3):
            one_more(world)
        call_command("prepare_snapshots", "world", verbosity=0)
        settings.SNAPSHOTS.rename(tmp_path / "lost")
        number = DataVersion.current().number
    call_command("prepare_snapshots", "world", verbosity=0)
    assert patients(world.collection) == 5
    for path in (tmp_path / "lost").glob("world-*"):
        path.rename(settings.SNAPSHOTS / path.name)
    while DataVersion.current().number <= number:
        one_more(world)
        with steady.consistent_read():
            assert patients(world.collection) == 5 and steady.stale_version() is not None, (
                "as before the edits, and said so"
            )


def test_a_request_that_reads_the_state_before_counts_that_state(world, large, monkeypatch):
    """Another thread may have moved on to a later snapshot meanwhile."""
    for at_once in (20_000, 0):
        monkeypatch.setattr(serving, "AT_ONCE", at_once)
        serving.served.clear()
        before = patients(world.collection)
        with history_that_is_thrown_away():  # from here that is the state after
            one_more(world)
            call_command("prepare_snapshots", "world", verbosity=0)
            later = snapshot_for(world.collection)
            assert patients(world.collection) == before + 1
        assert patients(world.collection) == before
        assert later in serving.served[world.collection.pk], (
            "it stays for those that read the later state"
        )


def test_only_one_process_builds(world, large, settings):
    with (
        serving.exclusive_build(world.collection) as first,
        serving.exclusive_build(world.collection) as second,
    ):
        assert (first, second) == (True, False)
        call_command("prepare_snapshots", "world", verbosity=0)
        assert not list(settings.SNAPSHOTS.glob("world-*"))


def test_earlier_snapshots_are_cleared_away(world, large, settings):
    snapshot_for(world.collection)
    make_treatment(make_patient(make_study(world.collection)))
    call_command("prepare_snapshots", verbosity=0)
    kept = [path.name for path in settings.SNAPSHOTS.iterdir() if path.name.startswith("world-")]
    assert len(kept) == 1


def test_a_folder_that_cannot_be_written_is_no_obstacle(world, large, settings, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    settings.SNAPSHOTS = tmp_path / "file"
    assert patients(world.collection) == 5
    assert "cannot be kept for other processes" in caplog.text


def test_a_collection_nobody_knows_cannot_be_prepared(db):
    from django.core.management import CommandError

    with pytest.raises(CommandError, match="no collection nothing"):
        call_command("prepare_snapshots", "nothing")


def test_answers_are_kept_within_bounds():
    import numpy as np

    cache = BitsetCache(max_bytes=100)
    for number in range(10):
        cache.put(number, np.zeros(5, dtype=np.uint64))
        assert cache.answers.currsize <= 100
    assert cache.get(0) is None and cache.get(9) is not None


def test_snapshots_cannot_be_written_to(world):
    snapshot = snapshot_for(world.collection)
    patients(world.collection)
    for array in snapshot.arrays().values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.fixture
def drawn(db) -> Collection:
    call_command("generate_cohort", patients=130, seed=2, collection="drawn", verbosity=0)
    return Collection.objects.get(slug="drawn")


@pytest.mark.parametrize("noun", ["patients", "treatments", "outcomes", "adverse-events"])
@pytest.mark.parametrize(
    "address", ["", "inhibitor=tofacitinib&indication=skin", "inhibitor=upadacitinib&age_min=84"]
)
def test_a_page_of_a_list_is_that_part_of_the_whole(drawn, asking, noun, address):
    question, table = asking(drawn, address), TABLES[noun]
    for sort in [
        "",
        *(f"{sign}{word}" for word in list(table.sort_words())[:9] for sign in ("", "-")),
    ]:
        whole = list(
            order_records(table, table.records(question), sort).values_list("pk", flat=True)
        )
        for start in (0, 50, 100):
            page = page_records(table, question, sort, start, min(start + 50, len(whole)))
            assert [record.pk for record in page] == whole[start : start + 50], (sort, start)


def test_places_beyond_the_end_are_empty(drawn):
    assert row_keys(Question(drawn), Unit.PATIENTS, 500, 550) == []


@pytest.mark.usefixtures("engine")
def test_of_very_many_studies_the_most_frequent_are_offered(world, asking):
    for number in range(45):
        study = make_study(world.collection, f"many-{number:02}")
        for _ in range(1 + number % 3):
            make_treatment(make_patient(study))
    question = asking(world.collection, "study=many-00&study=many-44")
    words = vocabulary(world.collection)
    (found,) = run_summaries(filter_facets(question, words, {}))
    (offered,) = (facet for facet in found if facet.name == "study")
    counts = {option.code: option.count for option in offered.options}
    assert offered.left_out == len(words.terms["study"]) - len(counts) > 0
    assert {option.code for option in offered.options if option.chosen} == {"many-00", "many-44"}
    assert counts["many-00"] == 1 and counts["many-44"] == 3 and counts["alpha"] == 4
    assert counts == {code: len(Patient.objects.filter(study__slug=code)) for code in counts} | {
        "alpha": 4,
        "beta": 1,
    }
    assert [option.count for option in offered.options] == sorted(counts.values(), reverse=True)

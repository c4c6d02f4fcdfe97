from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from evidence.curation import fixture_files
from evidence.curation.reconstruction import (
    CannotReconstruct,
    Printed,
    attainable_counts,
    fixture_records,
    largest_denominator,
    plan_reconstruction,
)
from evidence.management.commands.reconstruct_review import Command

pytestmark = pytest.mark.slow


def percent(value: str) -> Printed:
    return Printed(Decimal(value), len(value.partition(".")[2]))


def attainable_denominators(*values: str, largest: int = 87) -> list[int]:
    return [
        n
        for n in range(1, largest + 1)
        if all(attainable_counts(percent(value), n) for value in values)
    ]


def test_attainable_denominators_are_those_of_the_published_reasoning():
    assert attainable_denominators("82.8", "13.8") == [29, 58, 87]
    assert attainable_denominators("44.9", "38.8") == [49]
    assert attainable_denominators("87.5") == [8 * i for i in range(1, 11)]
    assert attainable_denominators("5.9") == [17, 34, 51, 68, 85]
    assert attainable_denominators("50", "21.1") == [38, 76]


def test_the_largest_attainable_denominator_is_used():
    drawn = Command().plan_for("sener-2025")
    assert drawn.counts == {
        "inhibitor_tofacitinib": (72, 87),
        "inhibitor_baricitinib": (12, 87),
        "indication_ild_skin": (22, 49),
        "indication_gi_skin": (19, 49),
        "improved": (70, 80),
        "relapsed": (5, 85),
        "any_adverse_event": (38, 76),
        "ae_infection": (16, 76),
    }
    assert (drawn.females, drawn.males, drawn.aged) == (69, 14, 86)


def test_no_denominator_is_an_error():
    with pytest.raises(CannotReconstruct, match="No denominator up to 3"):
        largest_denominator([percent("44.9")], 3, False)


def test_a_review_that_prints_too_little_is_an_error():
    with pytest.raises(CannotReconstruct, match="does not print what is needed: ae_infection"):
        plan_reconstruction({}, 87, 18)
    with pytest.raises(CommandError, match="does not print what is needed"):
        call_command("reconstruct_review", "moriana-2022")
    with pytest.raises(CommandError, match="There is no review nothing"):
        call_command("reconstruct_review", "nothing")


def test_the_shipped_fixture_is_what_the_figures_give():
    out = StringIO()
    call_command("reconstruct_review", "sener-2025", check=True, stdout=out)
    assert "is what the printed figures give" in out.getvalue()


def test_running_it_twice_gives_the_same_bytes(tmp_path, settings):
    for name in fixture_files.FILES:
        (tmp_path / name).write_bytes((fixture_files.fixture_folder() / name).read_bytes())
    settings.FIXTURE_DIRS = [tmp_path]
    path = tmp_path / "sener-2025-reconstruction.json"
    shipped = path.read_bytes()
    call_command("reconstruct_review", "sener-2025", stdout=StringIO())
    assert path.read_bytes() == shipped
    path.write_text("[]\n")
    with pytest.raises(CommandError, match="differs"):
        call_command("reconstruct_review", "sener-2025", check=True)


def test_another_seed_draws_other_records_with_the_same_totals():
    drawn = Command().plan_for("sener-2025")
    one, other = (
        list(fixture_records("sener-2025", drawn, "casebook")),
        list(fixture_records("sener-2025", drawn, "another")),
    )
    assert one != other

    def count(entries, model, **fields):
        return sum(kind == model and fields.items() <= values.items() for kind, values in entries)

    for entries in (one, other):
        assert count(entries, "evidence.patient") == 87
        assert count(entries, "evidence.study") == 18
        assert count(entries, "evidence.treatment", response="improved") == 70
        # references are lists of keys
        assert count(entries, "evidence.treatment", indications=["ild", "skin"]) == 0
        assert count(entries, "evidence.patient", sex="female") == 69


def test_only_anchored_attributes_are_filled():
    allowed = {
        "evidence.study": {
            "collection",
            "slug",
            "short_name",
            "title",
            "design",
            "extraction",
            "n_jaki",
            "notes",
            "state",
        },
        "evidence.patient": {"study", "slug", "label", "sex", "age_years", "notes", "state"},
        "evidence.treatment": {
            "patient",
            "inhibitor",
            "indications",
            "response",
            "relapsed",
            "adverse_events",
        }
        | {"indications_completeness", "adverse_event_categories_completeness"},
        "evidence.adverseevent": {"treatment", "category"},
    }
    for record in fixture_files.read_fixture(
        fixture_files.fixture_folder() / "sener-2025-reconstruction.json"
    ):
        assert set(record.fields) <= allowed[record.model]


def test_arbitrary_indications_say_so():
    entries = fixture_files.read_fixture(
        fixture_files.fixture_folder() / "sener-2025-reconstruction.json"
    )
    notes = {
        entry.fields["slug"]: entry.fields["notes"]
        for entry in entries
        if entry.model == "evidence.patient"
    }
    arbitrary = [
        entry.fields["patient"][0]
        for entry in entries
        if entry.model == "evidence.treatment" and len(entry.fields.get("indications", [])) == 1
    ]
    assert len(arbitrary) == 8
    assert all("The indication is arbitrary" in notes[slug] for slug in arbitrary)

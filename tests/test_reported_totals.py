"""What a paper prints of all its patients, beside what its single patients give."""

import json
from html import unescape

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from evidence import summaries
from evidence.curation import drafts
from evidence.curation.documents import read_document
from evidence.models import Door, ReportedTotal, Study, StudyDraft, StudyVersion
from evidence.models.choices import Item, Reported, Response
from evidence.questions.question import Question
from evidence.summaries import compare_totals
from evidence.summaries.forest import counts_of_item
from evidence.summaries.reported_totals import answer_of, cases_of

from .drafting import SOMEBODY, beispiel, keep, published, record

pytestmark = pytest.mark.django_db

STUDY = ["work", "beispiel-2027"]
AGREES, DIFFERS, CANNOT = "agrees", "differs", "cannot be compared"


def series(**columns) -> list[dict]:
    """Patients of one course each. A column is a list with a value for each; None: not said. Words
    of courses go to the course, all others to the patient.
    """
    of_course = {"response", "relapsed", "stopped", "adverse_events", "indications"}
    size = max(map(len, columns.values()))
    document = []
    for place in range(size):
        slug = f"beispiel-2027-{place + 1}"
        said = {
            name: values[place] for name, values in columns.items() if values[place] is not None
        }
        own = {name: value for name, value in said.items() if name not in of_course}
        course = {name: value for name, value in said.items() if name in of_course}
        document += [
            record("patient", study=STUDY, slug=slug, **own),
            record("treatment", patient=[slug], number=1, inhibitor=["tofacitinib"], **course),
        ]
    return document


def total(quantity: str, statistic: str, value, **more) -> dict:
    fields = {"study": STUDY, "number": 1, "quantity": quantity, "statistic": statistic}
    return record("reportedtotal", **fields | {"value": str(value)} | more)


def compared(document: list[dict], *given, **more):
    """The one total of a document with these patients."""
    (one,) = compare_totals([*document, total(*given, **more)])
    return one


AGES = ["40", "50", "53"]  # mean 47.666..., median 50


@pytest.mark.parametrize(
    ("columns", "given", "more", "verdict"),
    [
        # how many patients there are
        ({"age_years": AGES}, ("patients", "count", 3), {}, AGREES),
        ({"age_years": AGES}, ("patients", "count", 4), {}, DIFFERS),
        ({"age_years": AGES}, ("patients", "count", 3), {"of_n": 5}, AGREES),
        # counted, all known
        ({"sex": ["female", "female", "male"]}, ("female", "count", 2), {}, AGREES),
        ({"sex": ["female", "female", "male"]}, ("female", "count", 3), {}, DIFFERS),
        ({"sex": ["female", "female", "male"]}, ("female", "count", 2), {"of_n": 3}, AGREES),
        # counted, not known of one: 2 or 3 women are possible, 1 and 4 are not
        ({"sex": ["female", "female", "male", None]}, ("female", "count", 2), {}, AGREES),
        ({"sex": ["female", "female", "male", None]}, ("female", "count", 3), {}, CANNOT),
        ({"sex": ["female", "female", "male", None]}, ("female", "count", 4), {}, DIFFERS),
        ({"sex": ["female", "female", "male", None]}, ("female", "count", 1), {}, DIFFERS),
        # of as many as are known
        ({"sex": ["female", "male", None]}, ("female", "count", 1), {"of_n": 2}, AGREES),
        # the paper has more patients, or fewer
        ({"sex": ["female", "male"]}, ("female", "count", 3), {"of_n": 4}, CANNOT),
        ({"sex": ["female", "female"]}, ("female", "count", 1), {"of_n": 4}, DIFFERS),
        ({"sex": ["male", "male"]}, ("female", "count", 3), {"of_n": 4}, DIFFERS),
        ({"sex": ["female", "male", "male"]}, ("female", "count", 1), {"of_n": 2}, CANNOT),
        ({"sex": ["female", "male", "male"]}, ("female", "count", 2), {"of_n": 2}, DIFFERS),
        # percentages, as they are rounded
        ({"sex": ["female", "female", "male"]}, ("female", "percent", 67), {}, AGREES),
        ({"sex": ["female", "female", "male"]}, ("female", "percent", "66.7"), {}, AGREES),
        ({"sex": ["female", "female", "male"]}, ("female", "percent", "66.6"), {}, DIFFERS),
        ({"sex": ["female", "female", "male"]}, ("female", "percent", 50), {}, DIFFERS),
        ({"sex": ["female", "male", None]}, ("female", "percent", 50), {}, AGREES),
        ({"sex": ["female", "male", None]}, ("female", "percent", 67), {}, CANNOT),
        ({"sex": ["female", "male", None]}, ("female", "percent", 67), {"of_n": 3}, CANNOT),
        ({"sex": ["female", "male", None]}, ("female", "percent", 100), {"of_n": 3}, DIFFERS),
        ({"sex": ["female", "male", None]}, ("female", "percent", 40), {}, DIFFERS),
        ({"sex": ["male", "male", None]}, ("female", "percent", 100), {}, CANNOT),
        ({"sex": [None, None, None]}, ("female", "percent", 50), {}, CANNOT),  # 1 of 2, perhaps
        # means and medians, as they are rounded
        ({"age_years": AGES}, ("age", "mean", "47.7"), {}, AGREES),
        ({"age_years": AGES}, ("age", "mean", "47.67"), {}, AGREES),
        ({"age_years": AGES}, ("age", "mean", "48"), {}, AGREES),
        ({"age_years": AGES}, ("age", "mean", "47.6"), {}, DIFFERS),
        ({"age_years": AGES}, ("age", "mean", "48"), {"decimals": 1}, DIFFERS),
        ({"age_years": AGES}, ("age", "median", 50), {"decimals": 1}, AGREES),
        ({"age_years": AGES}, ("age", "median", 51), {}, DIFFERS),
        ({"age_years": ["40", "41"]}, ("age", "median", "40.5"), {}, AGREES),
        ({"age_years": ["40", "41"]}, ("age", "median", 41), {}, AGREES),  # half is rounded up
        # of those whose age is known
        ({"age_years": [*AGES, None]}, ("age", "mean", "47.7"), {}, AGREES),
        ({"age_years": [*AGES, None]}, ("age", "mean", "49"), {}, CANNOT),
        ({"age_years": [*AGES, None]}, ("age", "mean", "49"), {"of_n": 3}, DIFFERS),
        ({"age_years": AGES}, ("age", "mean", "47.7"), {"of_n": 5}, CANNOT),
        ({"age_years": [None]}, ("age", "mean", "47.7"), {}, CANNOT),
        # no patient is younger than the youngest
        ({"age_years": [*AGES, None]}, ("age", "minimum", 41), {}, DIFFERS),
        ({"age_years": [*AGES, None]}, ("age", "minimum", 39), {}, CANNOT),
        ({"age_years": [*AGES, None]}, ("age", "maximum", 52), {}, DIFFERS),
        ({"age_years": AGES}, ("age", "maximum", 53), {}, AGREES),
        ({"age_years": AGES}, ("age", "maximum", 54), {}, DIFFERS),
        ({"age_years": AGES}, ("age", "maximum", 52), {"of_n": 2}, CANNOT),
    ],
)
def test_a_printed_number_is_compared(columns, given, more, verdict):
    assert compared(series(**columns), *given, **more).verdict_words == verdict


@pytest.mark.parametrize("statistic", ["count", "percent", "mean"])
@pytest.mark.parametrize("quantity", ["patients", "improved", "age"])
def test_nothing_is_compared_where_there_are_no_single_patients(quantity, statistic):
    """As of most studies, which report groups alone."""
    (one,) = compare_totals([total(quantity, statistic, 70)])
    assert one.verdict_words == CANNOT
    assert one.why == "Here are no single patients of this study."


def test_what_the_rows_give_is_said_with_its_n():
    people = series(age_years=[*AGES, None], sex=["female", "male", None, None])
    assert compared(people, "age", "mean", "47.7", spread="SD 6.8").given == "47.7 (3 of 4 known)"
    assert compared(people, "age", "mean", "47.7", spread="SD 6.8").printed == "mean 47.7 (SD 6.8)"
    assert compared(people, "female", "count", 1, of_n=4).given == "1 (2 of 4 known)"
    assert compared(people, "female", "count", 1, of_n=4).printed == "1 of 4"
    assert compared(people, "female", "percent", 50).given == "50.0 %, 1 (2 of 4 known)"
    assert compared(people, "patients", "count", 4).given == "4"


@pytest.mark.parametrize("statistic", ["count", "percent"])
def test_what_is_known_of_nobody_agrees_with_nothing(statistic):
    people = series(sex=[None, None, None])
    one = compared(people, "female", statistic, 0)
    assert (one.verdict_words, one.given.startswith("0 (0 of 3 known)")) == (CANNOT, True)
    assert one.why == "Not known of 3 of 3 patients."


@pytest.mark.parametrize("printed", ["12", "13"])
def test_half_way_is_rounded_either_way(printed):
    people = series(sex=["female", *["male"] * 7])
    assert compared(people, "female", "percent", printed).verdict_words == AGREES


@pytest.mark.parametrize(
    ("printed", "verdict"), [("61.2", AGREES), ("61.3", AGREES), ("61.4", DIFFERS)]
)
def test_a_mean_half_way_too(printed, verdict):
    people = series(age_years=[61, 61, 61, 62])
    assert compared(people, "age", "mean", printed).verdict_words == verdict


def test_which_numbers_print_a_percentage_is_said_where_none_fits():
    people = series(sex=["female", "male", "male", "male"])
    assert compared(people, "female", "percent", 50).why == "So are printed: 1/2, 2/4."
    why = compared(people, "female", "percent", "41.7").why
    assert why == "No number of up to 4 patients is printed so."


def test_a_response_that_is_only_not_improved_leaves_the_rest_open():
    people = series(response=["improved", "not_improved", "stable"])
    assert compared(people, "improved", "count", 1).verdict_words == AGREES
    assert compared(people, "worsened", "count", 1).verdict_words == CANNOT
    assert compared(people, "stable", "count", 3).verdict_words == DIFFERS


def test_a_term_that_is_not_listed_is_absent_only_where_the_list_is_whole():
    people = series(indications=[[["ild"]], [["skin"]]])
    one = compared(people, "indication", "count", 2, indication=["ild"])
    assert (one.label, one.verdict_words) == (
        "Given it for an indication: Interstitial lung disease (ILD)",
        CANNOT,
    )
    for course in people[1::2]:
        course["fields"]["indications_completeness"] = "complete"
    assert compared(people, "indication", "count", 2, indication=["ild"]).verdict_words == DIFFERS


def test_a_sign_is_there_where_a_part_of_it_is():
    people = [
        *series(sex=["female", "male"]),
        record("patientmanifestation", patient=["beispiel-2027-1"], manifestation=["ild"]),
        record(
            "patientmanifestation",
            patient=["beispiel-2027-2"],
            manifestation=["lung"],
            status="absent",
        ),
    ]
    for code in ("ild", "lung"):
        one = compared(people, "manifestation", "count", 1, manifestation=[code])
        assert (one.given, one.verdict_words) == ("1 (2 of 2 known)", AGREES), code


def outcome(patient: str, number: int, **fields) -> dict:
    own = {"treatment": [f"beispiel-2027-{patient}", 1], "number": number, "domain": "skin"}
    return record("outcome", **own | {"measure": ["mrss"]} | fields)


def test_a_measure_is_compared_at_its_month():
    people = [
        *series(sex=["female", "male"]),
        outcome(1, 1, baseline="24", followup="12", at_months="6"),
        outcome(1, 2, baseline="24", followup="10", at_months="12"),
        outcome(2, 1, baseline="20", followup="14", at_months="6"),
    ]
    mrss = {"measure": ["mrss"]}
    assert compared(people, "baseline", "mean", 22, **mrss).verdict_words == AGREES
    at_six = compared(people, "followup", "mean", 13, at_months="6", **mrss)
    assert (at_six.label, at_six.verdict_words) == ("mRSS at follow-up, month 6", AGREES)
    without = compared(people, "followup", "mean", 14, **mrss)
    assert without.given == "14.0 (1 of 2 known)", "of the first it is not said which one is meant"
    assert compared(people, "followup", "mean", 13, at_months="3", **mrss).verdict_words == CANNOT


def test_a_withdrawn_patient_is_not_counted_and_readers_see_only_what_is_published():
    people = series(state=["published", "withdrawn", None])
    assert compared(people, "patients", "count", 2).verdict_words == AGREES
    document = [*people, total("patients", "count", 1)]
    (one,) = compare_totals(document, only_published=True)
    assert one.verdict_words == AGREES


def test_what_makes_no_sense_is_compared_with_nothing():
    """A document in work may say anything."""
    people = series(sex=["female"])
    for given in (("x", "count", 1), ("female", "x", 1), ("female", "count", "many")):
        assert compared(people, *given).verdict_words == CANNOT
    assert compared(people, "age", "count", 1).verdict_words == CANNOT


@pytest.mark.parametrize("item", [item.value for item in Item if item != Item.SERIOUS])
def test_the_rows_give_what_every_page_counts(simulated, item):
    """Patient by patient the same as the counts of pages, of each study that was shipped."""
    (counted,) = summaries.run_summaries(counts_of_item(Question(simulated), item, "study"))
    with_item, known, _ = counted
    looked_at = 0
    for study in Study.objects.filter(collection=simulated, patients__isnull=False).distinct():
        cases = cases_of(read_document(study), only_published=True)
        if any(case.fields.get("same_as") or len(case.courses) > 1 for case in cases):
            continue  # pages count such a person, or the course that counts, once
        answers = [answer_of(case, Reported(item), "") for case in cases]
        assert sum(one is not None for one in answers) == known[study.slug], study
        assert sum(map(bool, answers)) == with_item[study.slug], study
        looked_at += len(answers)
    assert looked_at > 50


def test_stable_and_worsened_are_the_responses_of_the_vocabulary():
    assert {Reported.STABLE.value, Reported.WORSENED.value} < set(Response.values)


# Entering it.


def entered(draft, client, **cells) -> dict:
    address = reverse("admin:workbench_enter", args=["work", "beispiel-2027", "totals"])
    sent = {
        "based_on": draft.head.number,
        "cells": [["1", name, text] for name, text in cells.items()],
        "new_rows": ["1"],
    }
    answer = client.post(address, json.dumps(sent), content_type="application/json").json()
    draft.refresh_from_db()
    return answer


def test_it_is_entered_in_a_grid_of_the_workbench(draft, admin_client):
    answer = entered(
        draft,
        admin_client,
        quantity="age",
        statistic="mean",
        value="47,6",
        of_n="1",
        locator="p. 2",
    )
    assert answer["errors"] == [] and answer["said"] == ["47,6 became 47.6"]
    assert "1 of 1 differ" in answer["faults"] and "mean 47.6 of 1 (p. 2)" in answer["faults"]
    stored = next(one for one in draft.head.content if one["model"] == "evidence.reportedtotal")
    assert stored["fields"] == {
        "study": STUDY,
        "number": 1,
        "quantity": "age",
        "statistic": "mean",
        "value": "47.6",
        "of_n": 1,
        "locator": "p. 2",
    }


def test_what_differs_is_told_at_the_margin_of_every_grid(draft, admin_client):
    entered(draft, admin_client, quantity="patients", statistic="count", value="4")
    for grid in ("patients", "totals"):
        address = reverse("admin:workbench_grid", args=["work", "beispiel-2027", grid])
        told = admin_client.get(address).content.decode()
        assert "1 of 1 differ" in told and "#cell-1|value" in told
    told = admin_client.get(reverse("admin:evidence_studydraft_change", args=[draft.pk]))
    assert "<b>differs</b>" in told.content.decode()
    entered(draft, admin_client, value="1")
    address = reverse("admin:workbench_grid", args=["work", "beispiel-2027", "patients"])
    assert "The paper’s own totals" not in admin_client.get(address).content.decode()


@pytest.mark.parametrize(
    ("cells", "field", "problem"),
    [
        ({"quantity": "indication"}, "quantity", "names the indication"),
        ({"statistic": "mean"}, "statistic", "Patients are counted"),
        ({"value": "1.5"}, "value", "A number of patients is a whole number"),
        ({"value": "3", "of_n": "2"}, "of_n", "larger than the patients it is of"),
        ({"at_months": "3"}, "at_months", "Only a measure at follow-up"),
    ],
)
def test_what_cannot_be_is_told_at_its_cell(draft, admin_client, cells, field, problem):
    sound = {"quantity": "patients", "statistic": "count", "value": "1"}
    answer = entered(draft, admin_client, **sound | cells)
    assert any(fault[:2] == ["1", field] and problem in fault[2] for fault in answer["faulty"]), (
        answer["faulty"]
    )


def test_rows_are_numbered_on_and_pasted(draft, admin_client):
    address = reverse("admin:workbench_enter", args=["work", "beispiel-2027", "totals"])
    block = "of what\tstatistic\tprinted\nPatients\tNumber of patients\t1\nFemale\tcount\t1"
    sent = {"based_on": draft.head.number, "cells": [], "block": block, "at": ["", ""]}
    answer = admin_client.post(address, json.dumps(sent), content_type="application/json").json()
    assert answer["errors"] == []
    draft.refresh_from_db()
    stored = [one["fields"] for one in draft.head.content if one["model"].endswith("edtotal")]
    assert [(one["number"], one["quantity"]) for one in stored] == [(1, "patients"), (2, "female")]


# What becomes of it.


def test_it_is_published_with_the_study_and_changes_no_row(draft, client):
    document = beispiel(
        total("patients", "count", 1),
        total(
            "age", "mean", "47.6", number=2, spread="SD 3", locator="Table 1", note="As printed."
        ),
        extraction="in_part",
    )
    published(draft, document)
    study = Study.objects.get(slug="beispiel-2027", collection__slug="work")
    assert study.patients.get().age_years == 61
    told = unescape(" ".join(client.get(study.get_absolute_url()).content.decode().split()))
    part = told[told.index("The paper’s own totals") :]
    assert "mean 47.6 (SD 3)" in part and "61.0 (1 of 1 known)" in part
    assert "<strong>differs</strong>" in part and "As printed." in part and "Table 1" in part
    kept = [one for one in read_document(study) if one["model"] == "evidence.reportedtotal"]
    assert len(kept) == 2
    keep(draft, beispiel(extraction="in_part"), SOMEBODY)
    drafts.publish(draft, based_on=draft.head.number, author=SOMEBODY)
    assert "The paper’s own totals" not in client.get(study.get_absolute_url()).content.decode()


def test_readers_see_what_the_tables_hold_whatever_a_version_says(draft, client):
    published(draft, beispiel(total("patients", "count", 1), extraction="in_part"))
    study = Study.objects.get(slug="beispiel-2027", collection__slug="work")
    before = client.get(study.get_absolute_url()).content.decode()
    StudyDraft.objects.filter(pk=draft.pk).update(
        published=StudyVersion.objects.create(
            draft=draft,
            number=99,
            content=[],
            digest="0" * 64,
            changed=1,
            door=Door.FOUND,
            at=timezone.now(),
            is_published=True,
        )
    )
    after = client.get(study.get_absolute_url()).content.decode()
    for page in (before, after):
        assert "agrees" in page[page.index("own totals") :]


def test_a_study_without_totals_says_nothing_of_them(client):
    assert "own totals" not in client.get("/published/studies/karalilova-2021/").content.decode()


def test_part_of_a_patient_is_no_number_of_patients(draft):
    study = Study(collection=draft.collection, slug="x", short_name="X")
    one = ReportedTotal(study=study, quantity="female", statistic="count", value=1.5)
    with pytest.raises(ValidationError, match="whole number"):
        one.clean()

"""The workbench over HTTP: what a grid shows, what it enters, what it refuses, whom it lets in."""

import json
import re
from decimal import Decimal
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from evidence.curation.documents import by_key, normalised, read_document
from evidence.curation.drafts import Author, open_draft
from evidence.curation.signing import sign
from evidence.curation.workbook.cells import DocumentCells, cell_columns
from evidence.curation.workbook.grid import Grid, faults_of
from evidence.curation.workbook.pasting import paste, read_block
from evidence.curation.workbook.sheets import COURSES, PATIENTS, SHEETS
from evidence.curation.workbook.wide import OutcomeGrid
from evidence.models import (
    Collection,
    DataVersion,
    Meaning,
    Review,
    ReviewInclusion,
    Study,
    StudyDraft,
    Suggestion,
)

from .drafting import MRSS, beispiel, keep, published, record, with_cell
from .factories import make_patient, make_study, make_treatment

pytestmark = pytest.mark.django_db

ONE = "beispiel-2027-1"


@pytest.fixture
def curator(admin_client):
    return admin_client


def address(grid: str = "patients", study: str = "beispiel-2027") -> str:
    return reverse("admin:workbench_grid", args=["work", study, grid])


def sent(client, grid="patients", **data):
    """What script sends, and what it is answered."""
    response = client.post(
        f"{address(grid)}enter/", json.dumps(data), content_type="application/json"
    )
    return response.status_code, response.json()


def form(client, grid="patients", study="beispiel-2027", **changed):
    """The form of a grid as it stands, with some of its values changed; and what it answers."""
    page = client.get(address(grid, study)).content.decode()
    fields = {
        unescape(name): unescape(value)
        for value, name in re.findall(r'<input type="text" value="([^"]*)" name="([^"]*)"', page)
    }
    fields |= {
        unescape(name): unescape(text)
        for name, text in re.findall(r'<textarea rows="1" name="([^"]*)"[^>]*>\n([^<]*)<', page)
    }
    version = re.search(r'name="based_on" value="(\d+)"', page)[1]
    values = fields | {"based_on": version} | changed
    return client.post(address(grid, study), values)


def newest(draft) -> dict:
    draft.refresh_from_db()
    return by_key(draft.head.content)


def patient(draft, slug: str = ONE) -> dict:
    return newest(draft)["evidence.patient", slug]


def test_every_cell_of_every_study_reads_back_what_it_shows(published_documents):
    """Taken apart into texts and written back, a document is the same."""
    for collection, slug, document in published_documents:
        cells = DocumentCells(collection, slug, document)
        assert cells.document() == normalised(document)
        written = 0
        for sheet in SHEETS:
            for row in cells.rows(sheet):
                for column in cell_columns(sheet):
                    text = cells.text(sheet, row, column.field)
                    if text:
                        cells.write(sheet, row, column.field, text)
                        written += 1
                        assert cells.text(sheet, row, column.field) == text, (slug, row, column)
        assert written > 5
        assert normalised(cells.document()) == normalised(document), slug


@pytest.fixture
def published_documents():
    studies = Study.objects.filter(collection__slug="published").select_related("collection")
    return [(study.collection, study.slug, read_document(study)) for study in studies]


def test_a_form_enters_what_was_changed_and_nothing_else(curator, draft):
    before = patient(draft)
    assert form(curator).status_code == 302
    draft.refresh_from_db()
    assert draft.head.number == 1  # nothing was changed
    changed = {f"cell|{ONE}|age_years": "62", f"cell|{ONE}|sex": "w", f"cell|{ONE}|subset": "NR"}
    response = form(curator, **changed)
    assert response.status_code == 302
    assert "Saved. w became Female." in curator.get(response["Location"]).text
    now = patient(draft)
    assert now["fields"] == before["fields"] | {"age_years": 62, "sex": "female"}
    assert now["states"] == {"subset": "not_reported"}
    assert (draft.head.number, draft.head.author_name) == (2, "admin")
    assert draft.head.message == "Patients: 3 cells."


def test_saving_a_draft_changes_nothing_readers_see(curator, draft):
    token = DataVersion.current().token
    form(curator, **{f"cell|{ONE}|age_years": "62"})
    assert DataVersion.current().token == token


def test_what_cannot_be_read_stands_beside_its_cell_and_the_rest_is_saved(curator, draft):
    response = form(
        curator,
        **{
            f"cell|{ONE}|age_years": "sixty",
            f"cell|{ONE}|sex": "femal",
            f"cell|{ONE}|disease_duration_months": "1,5",
            f"cell|{ONE}|label": "",
        },
    )
    page = response.content.decode()
    assert response.status_code == 200
    for name, text, problem in (
        ("age_years", "sixty", "“sixty” is not a number."),
        ("sex", "femal", "Nearest: Female"),
        ("label", "", "This cell needs a value."),
    ):
        found = re.search(
            rf'<input type="text" value="{text}" name="cell\|{ONE}\|{name}" id="([^"]*)"[^>]*'
            rf'aria-invalid="true" aria-describedby="([^"]*)"[^>]*><p class="cell-error" '
            rf'id="([^"]*)">([^<]*)</p>',
            page,
        )
        assert found, name
        assert found[2] == found[3] and problem in unescape(found[4])
    fields = patient(draft)["fields"]
    assert fields["disease_duration_months"] == "1.5"
    assert fields["age_years"] == 61 and fields["label"] == "Case 1" and "sex" not in fields


@pytest.mark.parametrize(
    ("grid", "cells", "told"),
    [
        ("patients", {f"{ONE}|age_years": "240"}, "Age is between 0 and 120 years."),
        ("patients", {f"{ONE}|dlco_percent": "900"}, "DLCO is between 0 and 200"),
        ("courses", {f"{ONE} / 1|stop_reason": "lack of effect"}, "stopped"),
        ("courses", {f"{ONE} / 1|inhibitor": "tofacitinob"}, "Nearest: tofacitinib"),
        (
            "courses",
            {f"{ONE} / 1|indications": "", f"{ONE} / 1|indications_completeness": "complete"},
            "nothing is listed",
        ),
    ],
)
def test_each_rule_is_told_beside_its_cell(curator, draft, grid, cells, told):
    response = form(curator, grid, **{f"cell|{name}": text for name, text in cells.items()})
    if response.status_code == 302:  # it was entered; the rule spans several cells
        response = curator.get(address(grid))
    errors = re.findall(r'<p class="cell-error"[^>]*>([^<]*)</p>', response.content.decode())
    assert any(told in unescape(error) for error in errors), errors


def test_rules_of_several_rows_stand_at_the_margin_with_a_link(curator, draft):
    keep(
        draft,
        beispiel(record("patient", study=["work", "beispiel-2027"], slug=f"{ONE}1", label="x")),
    )
    page = curator.get(address("courses")).content.decode()
    assert "This patient has no course" in page
    link = re.search(rf'<a href="([^"]*)">Patient {ONE}1</a>: This patient has no course', page)[1]
    where, _, cell = unescape(link).partition("#")
    assert where == address()
    assert f'id="{cell}"' in curator.get(where).content.decode()


def test_states_none_and_untouched(curator, draft):
    _, answer = sent(
        curator,
        based_on=1,
        cells=[
            [ONE, "prior_therapies", "none"],
            [ONE, "autoantibodies_present", "NR"],
            [ONE, "manifestations_present", "ILD; raynaud"],
            [ONE, "manifestations_absent", "renal"],
            [ONE, "comorbidities", "none"],
            [ONE, "subset", "?"],
            [ONE, "age_years", ""],
        ],
    )
    assert answer["errors"] == [] and answer["version"] == 2
    now = patient(draft)
    assert now["fields"]["prior_therapies_completeness"] == "none"
    assert now["fields"]["comorbidities"] == "none, as stated"
    assert "age_years" not in now["fields"]
    assert now["states"] == {
        "autoantibodies_completeness": "not_reported",
        "subset": "unreadable",
    }
    signs = {
        key[2]: one["fields"].get("status", "present")
        for key, one in newest(draft).items()
        if key[0] == "evidence.patientmanifestation"
    }
    assert signs == {"ild": "present", "raynaud": "present", "renal": "absent"}
    # A list takes the place of what was said of the whole.
    sent(curator, based_on=2, cells=[[ONE, "prior_therapies", "MTX"]])
    fields = patient(draft)["fields"]
    assert fields["prior_therapies"] == [["methotrexate"]]
    assert "prior_therapies_completeness" not in fields


def places(draft) -> dict:
    return {
        (one["fields"]["field"], *(one["fields"].get("patient") or one["fields"]["treatment"])): (
            one["fields"]["locator"]
        )
        for one in newest(draft).values()
        if one["model"] == "evidence.provenance"
    }


def test_a_place_is_that_of_every_value_until_it_is_changed(curator, draft):
    sent(
        curator,
        based_on=1,
        place="Table 2, p. 4",
        cells=[[ONE, "age_years", "62"], [ONE, "sex", "f"], [ONE, "subset", "NR"]],
    )
    assert places(draft) == {("age_years", ONE): "Table 2, p. 4", ("sex", ONE): "Table 2, p. 4"}
    sent(curator, based_on=2, place="p. 5", cells=[[ONE, "age_years", "63"]])
    assert places(draft)["age_years", ONE] == "p. 5"
    sent(curator, based_on=3, place="", cells=[[ONE, "sex", ""], [ONE, "subset", "diffuse"]])
    assert places(draft) == {("age_years", ONE): "p. 5"}
    page = curator.get(address()).content.decode()
    assert re.search(rf'id="cell-{ONE}\|age_years"[^>]*data-place="p. 5"', page)
    assert '<span id="unplaced">1</span> values without a place' in page  # the subset
    shown = curator.get(address(), {"show": "without-place"}).content.decode()
    assert f'id="cell-{ONE}|subset"' in shown
    # “None” stands somewhere too, and a list that takes its place has one of its own.
    sent(curator, based_on=4, place="p. 6", cells=[[ONE, "prior_therapies", "none"]])
    assert places(draft)["prior_therapies_completeness", ONE] == "p. 6"
    sent(curator, based_on=5, place="p. 7", cells=[[ONE, "prior_therapies", "MMF"]])
    assert places(draft) == {
        ("age_years", ONE): "p. 5",
        ("prior_therapies", ONE): "p. 7",
    }


def test_a_converted_value_says_from_what(curator, draft):
    _, answer = sent(
        curator,
        "courses",
        based_on=1,
        place="p. 4",
        cells=[[f"{ONE} / 1", "duration_months", "26 weeks"]],
    )
    assert answer["said"] == ["26 weeks became 6 months"]
    place = next(one for one in newest(draft).values() if one["model"] == "evidence.provenance")
    assert (place["fields"]["method"], place["fields"]["note"]) == ("converted", "From 26 weeks.")


def test_a_place_is_cut_to_what_a_place_can_be(curator, draft):
    sent(curator, based_on=1, place="p" * 500, cells=[[ONE, "age_years", "62"]])
    assert places(draft)["age_years", ONE] == "p" * 120


def test_a_checked_value_that_changes_is_checked_no_more(curator, draft):
    keep(
        draft,
        beispiel(
            record(
                "provenance",
                study=["work", "beispiel-2027"],
                number=1,
                patient=[ONE],
                field="age_years",
                locator="p. 1",
                extracted_by="ada",
                checked_by="bob",
            )
        ),
    )
    sent(curator, based_on=2, cells=[[ONE, "age_years", "62"]])
    place = next(one for one in newest(draft).values() if one["model"] == "evidence.provenance")
    assert place["fields"]["locator"] == "p. 1" and "checked_by" not in place["fields"]


def test_another_cell_is_merged_and_the_same_cell_is_told_of(curator, draft):
    keep(draft, with_cell(beispiel(), "patient", "age_years", 70))
    status, answer = sent(curator, based_on=1, cells=[[ONE, "age_years", "65"], [ONE, "sex", "m"]])
    assert status == 200
    assert answer["clashes"] == [[ONE, "age_years", "70", "65"]]
    fields = patient(draft)["fields"]
    assert (fields["age_years"], fields["sex"]) == (70, "male")
    _, answer = sent(curator, based_on=answer["version"], cells=[[ONE, "age_years", "65"]])
    assert answer["clashes"] == [] and patient(draft)["fields"]["age_years"] == 65


def test_a_form_made_before_somebody_else_saved_says_both_values(curator, draft):
    values = {"based_on": "1", f"cell|{ONE}|age_years": "65", f"cell|{ONE}|label": "Case 1"}
    keep(draft, with_cell(beispiel(), "patient", "age_years", 70))
    page = unescape(curator.post(address(), values).content.decode())
    assert "to “70”; you have “65”" in page
    assert re.search(rf'value="65" name="cell\|{ONE}\|age_years"', page)
    assert patient(draft)["fields"]["age_years"] == 70
    version = re.search(r'name="based_on" value="(\d+)"', page)[1]
    assert curator.post(address(), values | {"based_on": version}).status_code == 302
    assert patient(draft)["fields"]["age_years"] == 65


def test_what_was_saved_and_not_answered_is_no_clash(curator, draft):
    cells = [[f"{ONE[:-1]}2", "label", "Case 2"], [f"{ONE[:-1]}2", "sex", "f"]]
    for _ in range(2):
        _, answer = sent(curator, based_on=1, cells=cells, new_rows=[f"{ONE[:-1]}2"])
        assert (answer["clashes"], answer["renamed"], answer["version"]) == ([], {}, 2)


def test_new_rows_of_two_people_are_two_rows(curator, draft):
    two, three = (f"{ONE[:-1]}{number}" for number in (2, 3))
    keep(
        draft, beispiel(record("patient", study=["work", "beispiel-2027"], slug=two, label="Hers"))
    )
    _, answer = sent(
        curator,
        based_on=1,
        new_rows=[two, three],
        cells=[[two, "label", "Mine"], [three, "label", "Mine too"]],
    )
    assert set(answer["renamed"]) == {two, three}
    labels = {
        key[1]: one["fields"]["label"]
        for key, one in newest(draft).items()
        if key[0] == "evidence.patient"
    }
    assert sorted(labels.values()) == ["Case 1", "Hers", "Mine", "Mine too"]
    assert labels[two] == "Hers"


def test_a_row_that_somebody_took_away_does_not_come_back_in_part(curator, draft):
    keep(draft, beispiel()[:1])
    _, answer = sent(curator, based_on=1, cells=[[ONE, "sex", "f"]])
    assert answer["said"] == [f"“f” is not entered: {ONE} was taken away meanwhile."]
    assert ("evidence.patient", ONE) not in newest(draft) and "table" in answer


def test_another_is_told_what_has_changed(curator, draft):
    quiet = curator.get(f"{address()}head/", {"since": 1}).json()
    assert quiet["version"] == 1 and "changes" not in quiet
    keep(draft, with_cell(beispiel(), "patient", "age_years", 70))
    told = curator.get(f"{address()}head/", {"since": 1}).json()
    assert told["changes"] == [[ONE, "age_years", "61", "70"]]
    assert (told["by"], told["version"], told["changed"]) == ("somebody", 2, 1)
    assert 'value="70"' in told["table"]


def test_undo_takes_the_newest_version_back(curator, draft):
    sent(curator, based_on=1, cells=[[ONE, "age_years", "62"]])
    undo = f"{address()}undo/"
    data = json.dumps({"based_on": 2})
    answer = curator.post(undo, data, content_type="application/json").json()
    assert answer["version"] == 3 and patient(draft)["fields"]["age_years"] == 61
    again = curator.post(undo, data, content_type="application/json")
    assert again.status_code == 409 and "meanwhile" in again.json()["problem"]


def test_rows_are_added_and_taken_away_with_what_belongs_to_them(curator, draft):
    response = form(curator, **{"new|1|label": "Case 2", "new|1|age_years": "44", "place": "p. 3"})
    assert response.status_code == 302
    assert patient(draft, f"{ONE[:-1]}2")["fields"]["age_years"] == 44
    assert (
        form(curator, "courses", **{"new|1|": ONE, "new|1|inhibitor": "baricitinib"}).status_code
        == 302
    )
    assert newest(draft)["evidence.treatment", ONE, 2]["fields"]["inhibitor"] == ["baricitinib"]
    refused = form(curator, "courses", **{"new|1|": "nobody", "new|1|inhibitor": "baricitinib"})
    assert "There is no patient “nobody”" in unescape(refused.content.decode())
    sent(curator, "courses", based_on=3, place="p. 9", cells=[[f"{ONE} / 2", "dose", "4 mg"]])
    assert form(curator, remove=ONE).status_code == 302
    left = {key[0] for key in newest(draft)}
    assert left == {"evidence.study", "evidence.patient", "evidence.provenance"}
    assert set(places(draft)) == {("age_years", f"{ONE[:-1]}2")}


def test_a_patient_without_a_course_is_offered_the_first(curator, draft):
    form(curator, **{"new|1|label": "Case 2"})
    row = f"{ONE[:-1]}2 / 1"
    assert f'data-row="{row}" class="offered"' in curator.get(address("courses")).content.decode()
    assert ("evidence.treatment", f"{ONE[:-1]}2", 1) not in newest(draft)  # nothing was entered
    sent(curator, "courses", based_on=2, cells=[[row, "inhibitor", "tofacitinib"]])
    assert ("evidence.treatment", f"{ONE[:-1]}2", 1) in newest(draft)


def test_outcomes_by_month(curator, draft):
    course = f"{ONE} / 1"
    _, answer = sent(
        curator,
        "by-month",
        based_on=1,
        place="Fig. 2",
        cells=[
            [course, "baseline@@mrss", "24,1"],
            [course, "followup@3@mrss", "20"],
            [course, "followup@6@mrss", "NR"],
            [course, "result@6@mrss", "stable"],
        ],
    )
    assert answer["errors"] == []
    found = {
        key[3]: (one["fields"], one.get("states", {}))
        for key, one in newest(draft).items()
        if key[0] == "evidence.outcome"
    }
    shared = {"treatment": [ONE, 1], "measure": MRSS, "domain": "skin", "baseline": "24.1"}
    (first, _), (second, states) = found[1], found[2]
    assert {**first, "unit": ""} == {
        **shared, "number": 1, "at_months": "3", "followup": "20", "unit": ""
    }  # fmt: skip
    assert second["baseline"] == "24.1" and second["at_months"] == "6"
    assert states == {"followup": "not_reported"} and second["result"] == "stable"
    outcomes = curator.get(address("outcomes")).content.decode()
    assert '<span id="unplaced">0</span>' in outcomes  # the baseline, copied, and month and measure
    page = curator.get(address("by-month")).content.decode()
    assert 'aria-label="Course beispiel-2027-1 / 1, mRSS, month 3"' in page
    _, answer = sent(curator, "by-month", based_on=2, cells=[[course, "baseline@@mrss", "25"]])
    assert {
        one["fields"]["baseline"]
        for key, one in newest(draft).items()
        if key[0] == "evidence.outcome"
    } == {"25"}
    sent(curator, "by-month", based_on=3, cells=[[course, "followup@3@mrss", ""]])
    assert [key[3] for key in newest(draft) if key[0] == "evidence.outcome"] == [2]
    wrong = sent(curator, "by-month", based_on=4, cells=[[course, "followup@3@nothing@", "2"]])
    assert wrong[0] == 200 or "problem" in wrong[1]


def test_columns_of_outcomes_are_asked_for_by_any_spelling(curator, draft):
    page = curator.get(address("by-month"), {"measures": "MRSS; humbug", "months": "3 1,5 x"})
    page = unescape(page.content.decode())
    assert "mRSS, month 1.5" in page and "Not understood: humbug, x." in page


# ---- pasting


@pytest.fixture
def cells(draft):
    return DocumentCells(draft.collection, draft.slug, draft.head.content)


def pasted(grid, cells, *rows, at=("", "")):
    text = "\n".join("\t".join(row) for row in rows)
    return paste(grid, cells, text, *at)


def edits(result) -> dict:
    return {(edit.row, edit.field): edit.text for edit in result.edits}


def test_a_block_is_read_as_spreadsheets_copy_it():
    text = 'a\t"two\nlines"\tc\r\n\r\nd\t"say ""x"""\t\n'
    assert read_block(text) == [["a", "two\nlines", "c"], ["d", 'say "x"', ""]]


def test_headers_are_matched_and_what_is_not_known_is_said(cells):
    result = pasted(
        Grid(PATIENTS),
        cells,
        ("Case", "Gender", "age_years", "SSc type", "Shoe size", "ATA"),
        ("Case 1", "F", "54", "dcSSc", "38", "+"),
        ("Case 9", "M", "", "lcSSc", "44", "–"),
        ("Case 10", "M", "", "lcSSc", "44", "(+)"),
    )
    assert result.said == [
        "There is no column “Shoe size” here: it is not taken.",
        "beispiel-2027-3, anti-Scl-70: “(+)” is neither + nor –.",
    ]
    assert result.new_rows == ["beispiel-2027-2", "beispiel-2027-3"]
    entered = edits(result)
    assert entered[ONE, "sex"] == "F" and entered[ONE, "autoantibodies_present"] == "anti-Scl-70"
    assert entered["beispiel-2027-2", "autoantibodies_absent"] == "anti-Scl-70"
    assert ("beispiel-2027-2", "age_years") not in entered  # an empty cell says nothing


def test_without_headers_a_block_lands_from_its_cell_on(cells):
    result = pasted(Grid(PATIENTS), cells, ("f", "54"), ("m", "61"), at=(ONE, "sex"))
    assert edits(result) == {
        (ONE, "sex"): "f",
        (ONE, "age_years"): "54",
        ("beispiel-2027-2", "sex"): "m",
        ("beispiel-2027-2", "age_years"): "61",
    }


def test_a_block_of_courses_finds_its_patients_by_label_or_id(cells):
    result = pasted(
        Grid(COURSES),
        cells,
        ("patient", "course", "drug", "dose"),
        ("Case 1", "1", "tofa", "5 mg"),
        (ONE, "2", "baricitinib", "4 mg"),
        ("Case 7", "", "baricitinib", "4 mg"),
    )
    assert edits(result)[f"{ONE} / 1", "dose"] == "5 mg"
    assert edits(result)[f"{ONE} / 2", "dose"] == "4 mg"
    assert result.said == ["“Case 7” is none of this study: its row is not taken."]


def test_more_rows_than_there_are_courses_are_told_of(cells):
    result = pasted(Grid(COURSES), cells, ("4 mg",), ("8 mg",), at=(f"{ONE} / 1", "dose"))
    assert edits(result) == {(f"{ONE} / 1", "dose"): "4 mg"}
    assert "1 rows more than the grid has" in result.said[0]


def test_a_table_of_outcomes_by_month_is_pasted(cells):
    grid = OutcomeGrid(("mrss",), (Decimal(3),))
    result = pasted(
        grid,
        cells,
        ("Patient", "mRSS 0", "mRSS 3", "mRSS 3 result"),
        ("Case 1", "24", "20", "better"),
    )
    assert edits(result) == {
        (f"{ONE} / 1", "baseline@@mrss"): "24",
        (f"{ONE} / 1", "followup@3@mrss"): "20",
        (f"{ONE} / 1", "result@3@mrss"): "better",
    }


def test_a_table_is_pasted_without_script(curator, draft):
    values = {"based_on": "1", "paste": "x", "place": "Table 1"}
    block = "No\tSex\tAge\nCase 1\tf\told\nCase 2\tm\t47"
    page = unescape(curator.post(address(), values | {"block": block}).content.decode())
    assert 'value="old"' in page and "“old” is not a number." in page
    assert patient(draft, f"{ONE[:-1]}2")["fields"]["age_years"] == 47
    assert places(draft)["sex", ONE] == "Table 1"


def test_as_many_queries_for_eighty_seven_rows_as_for_three(
    curator, draft, django_assert_max_num_queries
):
    header = "No\tSex\tAge\tType\tPrevious\tATA"

    def rows(first: int, count: int) -> str:
        lines = [
            f"P {n}\tf\t{n % 60 + 20}\tdcSSc\tMTX; MMF\t+" for n in range(first, first + count)
        ]
        return "\n".join([header, *lines])

    sent(curator, based_on=1, block=rows(0, 3), at=["", ""])
    with django_assert_max_num_queries(60):
        _, answer = sent(curator, based_on=2, block=rows(10, 87), at=["", ""])
    assert answer["errors"] == [] and len(newest(draft)) == 3 + 2 * 90


# ---- who, and what is not understood


def test_who_may_see_may_not_enter(client, django_user_model, draft):
    reader = django_user_model.objects.create(username="reader", is_staff=True)
    client.force_login(reader)
    assert client.get(address()).status_code == 403
    assert client.get("/admin/work/").status_code == 403
    reader.user_permissions.add(
        reader.user_permissions.model.objects.get(codename="view_studydraft")
    )
    page = client.get(address())
    assert page.status_code == 200 and b"data-may-enter" not in page.content
    assert b'name="save"' not in page.content
    assert page.content.count(b"readonly") == len(cell_columns(PATIENTS))
    assert form(client, **{f"cell|{ONE}|age_years": "62"}).status_code == 403
    status, answer = sent(client, based_on=1, cells=[[ONE, "age_years", "62"]])
    assert status == 403 and answer["problem"] == "You may not do this."
    assert (
        client.post(f"{address()}undo/", "{}", content_type="application/json").status_code == 403
    )
    assert client.get("/admin/work/new/").status_code == 403
    draft.refresh_from_db()
    assert draft.head.number == 1


def test_nobody_else_sees_anything(client, draft):
    for where in ("", "head/"):
        assert client.get(address() + where).status_code == 302
    assert (
        client.post(f"{address()}enter/", "{}", content_type="application/json").status_code == 403
    )


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "nonsense",
        '{"cells": [[1]]}',
        '{"cells": 5}',
        '{"based_on": "x", "cells": [["a"]]}',
    ],
)
def test_what_is_no_entry_is_refused(curator, draft, body):
    answer = curator.post(f"{address()}enter/", body, content_type="application/json")
    assert answer.status_code == 400
    draft.refresh_from_db()
    assert draft.head.number == 1


def test_what_does_not_exist_is_not_found_or_said(curator, draft):
    assert curator.get(address(study="nothing")).status_code == 404
    assert curator.get("/admin/work/nothing/beispiel-2027/").status_code == 404
    assert curator.get(address("nothing")).status_code == 404
    status, answer = sent(curator, based_on=1, cells=[[ONE, "nothing", "1"]])
    assert status == 400 and "no column nothing" in answer["problem"]
    _, answer = sent(curator, "courses", based_on=1, cells=[["nobody / 1", "dose", "1"]])
    assert answer["said"] == ["There is no row “nobody / 1” here."]
    cells = [["nobody / 1", "dose", "1"]]
    _, answer = sent(curator, "courses", based_on=1, cells=cells, new_rows=["nobody / 1"])
    assert answer["said"] == ["There is no patient “nobody” in this study."]
    status, _ = sent(curator, based_on=99, cells=[[ONE, "age_years", "1"]])
    assert status == 409


@pytest.mark.parametrize("row", ["nope-9", "beispiel-2026-1", "<img src=x>", " ", "a / b"])
def test_a_row_that_nobody_added_is_not_made_by_a_cell(curator, draft, row):
    status, answer = sent(curator, based_on=1, cells=[[row, "age_years", "5"]])
    assert status == 200 and answer["said"] == [f"There is no row “{row}” here."]
    assert [key[1] for key in newest(draft) if key[0] == "evidence.patient"] == [ONE]


def test_a_new_row_has_a_name_that_can_be_an_address(curator, draft):
    row = "<img src=x>"
    _, answer = sent(curator, based_on=1, cells=[[row, "age_years", "5"]], new_rows=[row])
    assert answer["said"][0].startswith(f"“{row}” is no name: ")
    assert [key[1] for key in newest(draft) if key[0] == "evidence.patient"] == [ONE]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "[" * 100_000,
        '{"cells": [["x"]]}',
        '{"cells": 5}',
        '{"removed": "beispiel-2027-1"}',
        '{"new_rows": {"a": 1}}',
        '{"block": "x", "at": 5}',
        '{"cells": [["beispiel-2027-1", "label", "a\\ud800b"]]}',
        '{"cells": [["beispiel-2027-1", "label", "a\\u0000b"]]}',
        '{"cells": [["beispiel-2027-1\\u0000", "label", "ab"]]}',
        '{"cells": [], "place": "p. \\ud800"}',
    ],
)
def test_what_is_no_entry_is_refused_and_leaves_nothing(curator, draft, body):
    there = f"{address()}enter/"
    response = curator.post(there, body, content_type="application/json")
    assert response.status_code == 400
    assert response.json() == {"problem": "This could not be read."}
    draft.refresh_from_db()
    assert draft.head.number == 1
    assert curator.get(address()).status_code == 200


def test_a_study_of_the_tables_is_begun_by_the_first_entry(curator, work):
    make_treatment(make_patient(make_study(work, "stored"), "stored-1", age_years=61))
    page = curator.get(address(study="stored")).content.decode()
    assert 'value="61"' in page and not StudyDraft.objects.filter(slug="stored").exists()
    assert form(curator, study="stored", **{"cell|stored-1|age_years": "62"}).status_code == 302
    draft = StudyDraft.objects.get(slug="stored")
    assert [one.door for one in draft.versions.order_by("number")] == ["found", "workbench"]
    assert draft.is_open


# ---- the queue


def test_the_queue_says_what_is_in_work_and_what_is_to_mend(curator, draft):
    page = " ".join(curator.get("/admin/work/").content.decode().split())
    assert "In work: 1" in page and "beispiel-2027" in page and "core cells stated" in page
    keep(draft, with_cell(beispiel(), "treatment", "stop_reason", "lack of effect"))
    page = " ".join(curator.get("/admin/").content.decode().split())
    assert "To mend: 1" in page and "1 to mend</a>" in page


def test_the_queue_leads_to_what_is_to_be_done_next(curator, work):
    """Sent, it is to be checked; sent back, to be mended; signed, to be published."""
    ada, bob = map(User.objects.create_user, ("ada", "bob"))
    draft = open_draft(work, "beispiel-2027", Author(user=ada))
    keep(draft, beispiel(), Author(user=ada))
    check, versions = (
        reverse("admin:check", args=["work", draft.slug]),
        reverse("admin:evidence_studydraft_change", args=[draft.pk]),
    )

    def queue() -> str:
        return " ".join(curator.get("/admin/work/").content.decode().split())

    sign(draft, Meaning.SUBMITTED, based_on=draft.head.number, user=ada)
    assert "To check: 1" in queue() and f'href="{check}">beispiel-2027' in queue()
    sign(draft, Meaning.SENT_BACK, based_on=draft.head.number, user=bob, remark="Table 1 says 45.")
    assert "To mend: 1" in queue() and "Sent back by bob" in queue() and check not in queue()
    sign(draft, Meaning.SUBMITTED, based_on=draft.head.number, user=ada)
    sign(draft, Meaning.CHECKED, based_on=draft.head.number, user=bob)
    assert "Checked, to publish: 1" in queue() and f'href="{versions}">beispiel-2027' in queue()


def test_the_queue_counts_suggestions_that_wait(curator, draft):
    assert "of readers</a> to answer" not in curator.get("/admin/work/").content.decode()
    Suggestion.objects.create(
        collection=draft.collection,
        study=draft.slug,
        record="evidence.study",
        key=["work", draft.slug],
        field="year",
        label="Beispiel 2027, the study: year",
        proposed="2026",
        passage="Title page.",
        at=timezone.now(),
    )
    page = " ".join(curator.get("/admin/work/").content.decode().split())
    assert "1 suggestion of readers</a> to answer" in page


def test_the_queue_names_studies_of_reviews_that_nobody_has_begun(curator, work):
    study = make_study(work, "waiting")
    assert "Not begun" not in curator.get("/admin/work/").content.decode()
    ReviewInclusion.objects.create(review=Review.objects.first(), study=study, status="yes")
    page = " ".join(curator.get("/admin/work/").content.decode().split())
    assert "Not begun: 1" in page
    make_patient(study, "waiting-1")
    assert "Not begun" not in curator.get("/admin/work/").content.decode()


def test_a_new_study_is_begun_once(curator, db):
    values = {
        "collection": Collection.objects.get(slug="published").pk,
        "short_name": "Muster 2031",
        "year": "2031",
    }
    response = curator.post("/admin/work/new/", values)
    assert response.headers["Location"] == "/admin/work/published/muster-2031/study/"
    page = curator.get(response.headers["Location"]).content.decode()
    assert 'aria-label="Study muster-2031, Short name"' in page
    again = curator.post("/admin/work/new/", values).content.decode()
    assert "There is a study muster-2031 already." in again
    nothing = curator.post("/admin/work/new/", values | {"short_name": "???"}).content.decode()
    assert "it has no letter or digit" in nothing


def test_faults_are_those_of_an_import(draft):
    """The whole document is checked, by the rules of a workbook."""
    document = with_cell(draft.head.content, "treatment", "stop_reason", "lack of effect")
    cells = DocumentCells(draft.collection, draft.slug, document)
    found = [(fault.sheet, fault.row, fault.field) for fault in faults_of(cells, document)]
    assert found == [("Courses", f"{ONE} / 1", "stopped")]
    published(draft)


def test_a_block_takes_the_place_of_what_was_typed_before_it(curator, draft):
    cells = [[ONE, "age_years", "old"], [ONE, "sex", "f"]]
    _, answer = sent(curator, based_on=1, cells=cells, block="61\n", at=[ONE, "age_years"])
    assert answer["errors"] == []
    fields = patient(draft)["fields"]
    assert (fields["age_years"], fields["sex"]) == (61, "female")

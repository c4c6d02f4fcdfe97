"""Every rule of the tables, broken in a grid: its sentence stands beside the cell, whether the grid
is posted as a form or by script.
"""

import json
import re
from html import unescape

import pytest
from django.db.models import CheckConstraint, UniqueConstraint
from django.urls import reverse

from evidence.admin.workbench import BY_MONTH, SHEET_OF
from evidence.curation.workbook.cells import NAMED_BY, DocumentCells, cell_columns
from evidence.curation.workbook.in_work import InWork
from evidence.curation.workbook.sheets import LEFT_OUT
from evidence.models import (
    AdverseEvent,
    GroupFinding,
    Outcome,
    Patient,
    ReportedTotal,
    Study,
    Treatment,
)
from evidence.models.study_parts import PARTS

from .factories import make_patient, make_study, make_treatment
from .test_models import BREAKING, IDENTIFIERS, constraints, everything

pytestmark = pytest.mark.django_db

GRID_OF = {sheet.model: name for name, sheet in SHEET_OF.items() if name != BY_MONTH}
CHECKS = {
    name: (model, constraint)
    for name, (model, constraint) in constraints(CheckConstraint).items()
    if model in GRID_OF
}


def label(model, name: str) -> str:
    return f"{model._meta.model_name}.{name}"


def is_left_out(model, fields) -> bool:
    return any(label(model, name) in LEFT_OUT for name in fields)


# What no grid can write, and why. Columns that are left out of every sheet say so themselves.
UNREACHED = {
    "treatment_number_from_one": "A row is named by its number; one numbered 0 is refused below.",
    "patientmanifestation_status_coded": "The status is the column a manifestation is listed in.",
    "patientautoantibody_status_coded": "The status is the column an autoantibody is listed in.",
    "provenance_one_subject": "A place is that of the cell it was entered with.",
    "provenance_checked_by_another": "A grid names nobody; whoever changes a value unchecks it.",
    "patient_not_same_as_itself": "Broken below: the grid knows the patient by the row's name.",
    "study_not_replaced_by_itself": LEFT_OUT["study.replaced_by"],
    "study_replaced_where_withdrawn": LEFT_OUT["study.replaced_by"],
    "patient_not_replaced_by_itself": LEFT_OUT["patient.replaced_by"],
    "patient_replaced_where_withdrawn": LEFT_OUT["patient.replaced_by"],
    "reviewinclusion_status_coded": "What reviews include is said where reviews are edited.",
    "provenance_method_coded": "A grid writes one method itself: that a value was converted.",
}
UNIQUE_IDENTIFIERS = {
    "study_doi_once_per_collection": "doi",
    "study_pmid_once_per_collection": "pmid",
    "study_pmcid_once_per_collection": "pmcid",
    "study_nct_once_per_registration": "nct",
    "study_nct_once_per_publication": "nct",
}
BY_NUMBER = "A new row of a name that is taken gets the next number."
UNIQUE_UNREACHED = {
    "study_slug_once_per_collection": "A study is opened by its address.",
    "group_slug_once_per_study": "A group entered under a name that is taken is that group.",
    "treatment_number_once_per_patient": BY_NUMBER,
    "outcome_number_once_per_treatment": BY_NUMBER,
    "event_number_once_per_treatment": BY_NUMBER,
    "finding_number_once_per_group": BY_NUMBER,
    "reportedtotal_number_once_per_study": BY_NUMBER,
    "inclusion_once_per_review_and_study": "What reviews include is said where reviews are edited.",
    "provenance_number_once_per_study": "Places are numbered when a draft is published.",
    "manifestation_once_per_patient": "A list names each term once, however often it is written.",
    "autoantibody_once_per_patient": "A list names each term once, however often it is written.",
}
ILD = "Interstitial lung disease (ILD)"
NO_SUCH_WORD = "no such word"  # where a code is broken: a grid reads words


REACHED = sorted(
    name
    for name, (model, _) in CHECKS.items()
    if name not in UNREACHED and not is_left_out(model, BREAKING[name])
)


class Bench:
    """The study of `everything()`, and its grids."""

    def __init__(self, client, door: str):
        self.client, self.door = client, door
        self.found = everything()
        self.study = self.found[Study]
        self.margin = ""

    def address(self, grid: str) -> str:
        return reverse(
            "admin:workbench_grid", args=[self.study.collection.slug, self.study.slug, grid]
        )

    def cells(self) -> DocumentCells:
        collection, slug = self.study.collection, self.study.slug
        return DocumentCells(collection, slug, InWork(collection).document(slug))

    def row_of(self, record) -> str:
        """The name of a record's row."""
        sheet = SHEET_OF[GRID_OF[type(record)]]
        key = record.natural_key()
        return " / ".join(map(str, key[-len(NAMED_BY[sheet.title]) :]))

    def errors_of(self, grid: str, row: str, edits: dict[str, str]) -> dict[str, str]:
        """What stands beside the cells of a row, by field, once somebody entered `edits`."""
        page = self.client.get(self.address(grid)).content.decode()
        version = re.search(r'name="based_on" value="(\d+)"', page)[1]
        if self.door == "script":
            return self.sent(grid, row, edits, int(version))
        fields = {f"cell|{row}|{name}": text for name, text in edits.items()}
        assert all(f'name="{name}"' in unescape(page) for name in fields), "the grid has the cell"
        told = self.client.post(self.address(grid), fields | {"based_on": version})
        if told.status_code == 302:  # entered; what is wrong with the row stands on the page
            told = self.client.get(self.address(grid))
        found = re.findall(
            r'name="cell\|([^"|]*)\|([^"]*)"[^>]*aria-describedby="([^"]*)"[^>]*>'
            r'(?:[^<]*</textarea>)?<p class="cell-error" id="([^"]*)">([^<]*)</p>',
            told.content.decode(),
        )
        assert all(one[2] == one[3] for one in found), "the cell names its message"
        self.margin = unescape(told.content.decode().partition('id="faults"')[2])
        return {one[1]: unescape(one[4]) for one in found if unescape(one[0]) == row}

    def sent(self, grid: str, row: str, edits: dict[str, str], version: int) -> dict[str, str]:
        cells = [[row, name, text] for name, text in edits.items()]
        response = self.client.post(
            f"{self.address(grid)}enter/",
            json.dumps({"based_on": version, "cells": cells}),
            content_type="application/json",
        )
        answer = response.json()
        assert response.status_code == 200, answer
        self.margin = unescape(answer["faults"])
        told = {one[1]: one[2] for one in answer["faulty"] if one[0] == row}
        return told | {one[1]: one[3] for one in answer["errors"] if one[0] == row}


@pytest.fixture(params=["form", "script"])
def bench(request, admin_client) -> Bench:
    return Bench(admin_client, request.param)


def text_of(value) -> str:
    """How a curator would type it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def test_every_check_is_broken_in_a_grid_or_there_is_a_reason():
    of_studies = {
        name: model
        for kind in (CheckConstraint, UniqueConstraint)
        for name, (model, _) in constraints(kind).items()
        if model in PARTS or model is Study
    }
    left_out = {
        name for name, (model, _) in CHECKS.items() if is_left_out(model, BREAKING.get(name, ()))
    }
    told = {*REACHED, *UNREACHED, *left_out, *UNIQUE_IDENTIFIERS, *UNIQUE_UNREACHED}
    assert set(of_studies) == told
    assert not set(REACHED) & {*UNREACHED, *left_out}
    assert {CHECKS[name][0] for name in REACHED} == set(GRID_OF)


@pytest.mark.parametrize("name", REACHED)
def test_every_check_is_told_beside_its_cell(bench, name):
    model, constraint = CHECKS[name]
    edits = {field: text_of(value) for field, value in BREAKING[name].items()}
    sentence = constraint.get_violation_error_message()
    if name.endswith("_coded") and sentence.startswith("Choose one of the listed values"):
        (coded,) = constraint.condition.referenced_base_fields
        edits[coded] = NO_SUCH_WORD
        choices = dict(SHEET_OF[GRID_OF[model]].column(coded).choices)
        sentence = f"This is none of: {'; '.join(choices.values())}."
    errors = bench.errors_of(GRID_OF[model], bench.row_of(bench.found[model]), edits)
    beside = [errors.get(field, "") for field in constraint.condition.referenced_base_fields]
    assert any(sentence in told for told in beside), errors


@pytest.mark.parametrize(("name", "field"), UNIQUE_IDENTIFIERS.items())
def test_an_identifier_of_another_study_is_told_beside_its_cell(bench, name, field):
    value, more = "", {}
    if name == "study_nct_once_per_registration":
        more = {"extraction": "registry"}
        Study.objects.filter(pk=bench.study.pk).update(extraction="registry")
    Study.objects.filter(pk=bench.study.pk).update(**dict.fromkeys(IDENTIFIERS, ""))
    other = make_study(bench.study.collection, **{field: IDENTIFIERS[field]}, **more)
    value = IDENTIFIERS[field]
    errors = bench.errors_of("study", bench.study.slug, {field: value})
    assert errors == {field: f"The study {other.slug} has it already."}


@pytest.mark.parametrize("registered", ["ours", "the other"])
def test_a_trial_s_paper_and_its_registration_share_a_number(bench, registered):
    """As in the tables, where each number stands once among both."""
    Study.objects.filter(pk=bench.study.pk).update(
        nct="", extraction="registry" if registered == "ours" else "full_text"
    )
    extraction = "registry" if registered == "the other" else "full_text"
    make_study(bench.study.collection, nct=IDENTIFIERS["nct"], extraction=extraction)
    errors = bench.errors_of("study", bench.study.slug, {"nct": IDENTIFIERS["nct"]})
    assert errors == {}


def test_a_row_numbered_0_is_refused_in_words(bench):
    patient = bench.found[Patient].slug
    if bench.door == "form":
        return  # a form has no such row
    before = bench.cells().rows(SHEET_OF["courses"])
    response = bench.client.post(
        f"{bench.address('courses')}enter/",
        json.dumps(
            {
                "based_on": 1,
                "cells": [[f"{patient} / 0", "dose", "5 mg"]],
                "new_rows": [f"{patient} / 0"],
            }
        ),
        content_type="application/json",
    )
    assert response.json()["said"] == [f"“{patient} / 0” names no row: “0” is no number."]
    assert bench.cells().rows(SHEET_OF["courses"]) == before


@pytest.mark.parametrize("grid", sorted(set(SHEET_OF) - {BY_MONTH}))
def test_what_names_a_row_is_no_cell(admin_client, grid):
    """By script a cell of it would make the row another record's."""
    bench = Bench(admin_client, "script")
    sheet = SHEET_OF[grid]
    named = {column.field for column in sheet.columns} - {one.field for one in cell_columns(sheet)}
    (row, *_) = bench.cells().rows(sheet)
    for field in named:
        response = bench.client.post(
            f"{bench.address(grid)}enter/",
            json.dumps({"based_on": 1, "cells": [[row, field, "7"]]}),
            content_type="application/json",
        )
        assert (response.status_code, response.json()) == (
            400,
            {"problem": f"There is no column {field}."},
        )


class Several:
    """A rule of several rows: what is written where, and the cell its sentence stands beside."""

    def __init__(self, what, grid, model, edits, field, sentence, before=None):
        self.what, self.grid, self.model, self.edits = what, grid, model, edits
        self.field, self.sentence, self.before = field, sentence, before


def without_course(bench):
    make_patient(bench.study, "no-course")


def with_another(bench):
    make_treatment(make_patient(bench.study, "another"))


SEVERAL_ROWS = [
    Several("a patient without a course", "patients", "no-course", {"sex": "female"}, None,
            "This patient has no course on the sheet Courses.", without_course),
    Several("more patients than were treated", "study", Study, {"n_jaki": "1"}, "n_jaki",
            "The study has 2 individual patients, more than the 1 given a JAK inhibitor.",
            with_another),
    Several("treated groups beyond those treated", "study", Study, {"n_jaki": "3"}, "n_jaki",
            "Its treated groups add up to 10, more than the 3 given a JAK inhibitor."),
    Several("a registration without a number", "study", Study,
            {"extraction": "Trial registration", "nct": ""}, "nct",
            "A trial registration has a ClinicalTrials.gov number."),
    Several("sharing patients with itself", "study", Study, {"may_share_patients_with": "{study}"},
            "may_share_patients_with",
            "A study does not share patients with itself. Name the other one."),
    Several("sharing patients with nobody", "study", Study, {"may_share_patients_with": "x-1999"},
            "may_share_patients_with", "There is no study x-1999 in this collection."),
    Several("another report of itself", "patients", Patient, {"same_as": "{patient}"}, "same_as",
            "A record cannot be another report of itself."),
    Several("another report of nobody", "patients", Patient, {"same_as": "x-1999-1"}, "same_as",
            "There is no patient x-1999-1 in this collection."),
    Several("present and absent", "patients", Patient, {"manifestations_absent": "ILD"},
            "manifestations_absent", "Listed as present and as absent: "),
    Several("an absent wider term", "patients", Patient, {"manifestations_absent": "lung"},
            "manifestations_absent", "of which it is a part, is listed as absent."),
    Several("a list that is not there", "patients", Patient,
            {"autoantibodies_present": "", "autoantibodies_completeness": "complete"},
            "autoantibodies_completeness", "The list is said to be there, but nothing is listed."),
    Several("a list said to be empty", "patients", Patient, {"manifestations_completeness": "none"},
            "manifestations_completeness", "Something is listed, but “"),
    Several("events under a course without", "courses", "course of event",
            {"adverse_events": "none", "adverse_event_categories_completeness": ""},
            "adverse_events", "This cell has to say “Adverse events reported”"),
    Several("an event list without events", "courses", Treatment,
            {"adverse_events": "events", "adverse_event_categories_completeness": "complete"},
            "adverse_event_categories_completeness",
            "The list is said to be there, but the sheet Adverse events has none."),
    Several("outcomes not reported, and reported", "courses", "course of event",
            {"outcomes": "NR"}, "outcomes", "The sheet Outcomes has outcomes of this course"),
    Several("a value out of its measure's range", "outcomes", Outcome,
            {"measure": "mRSS", "domain": "skin", "followup": "60"}, "followup",
            "is between 0 and 51"),
    Several("a domain that is not the measure's", "outcomes", Outcome,
            {"measure": "mRSS", "domain": "lung"}, "domain", "mRSS"),
    Several("a finding of more than its group", "findings", GroupFinding, {"n": "11"}, "n",
            "The finding analyses 11 patients of a group of 10."),
    Several("half a patient", "totals", ReportedTotal,
            {"quantity": "patients", "measure": "", "statistic": "count", "value": "1.5"}, "value",
            "whole"),
]  # fmt: skip


@pytest.mark.parametrize("one", SEVERAL_ROWS, ids=lambda one: one.what)
def test_every_rule_of_several_rows_is_told_beside_its_cell_or_in_the_row_s_margin(bench, one):
    if one.before:
        one.before(bench)
    if one.model == "course of event":
        row = bench.row_of(bench.found[AdverseEvent].treatment)
    else:
        row = one.model if isinstance(one.model, str) else bench.row_of(bench.found[one.model])
    names = {"study": bench.study.slug, "patient": bench.found[Patient].slug}
    edits = {field: text.format(**names) for field, text in one.edits.items()}
    errors = bench.errors_of(one.grid, row, edits)
    if one.field is None:  # of the row itself: it stands in the margin, with a link to the row
        assert one.sentence in bench.margin and row in bench.margin
    else:
        assert one.sentence in errors.get(one.field, ""), errors


@pytest.mark.parametrize(("before", "after"), [("present", "absent"), ("absent", "present")])
def test_a_term_moves_from_one_list_to_the_other_at_once(bench, before, after):
    row = bench.row_of(bench.found[Patient])
    empty = {"manifestations_present": "", "manifestations_absent": ""}
    bench.errors_of("patients", row, empty | {f"manifestations_{before}": "ILD"})
    errors = bench.errors_of("patients", row, empty | {f"manifestations_{after}": "ILD"})
    assert errors == {}
    cells = bench.cells()
    assert [cells.text(SHEET_OF["patients"], row, name) for name in empty] == (
        [ILD, ""] if after == "present" else ["", ILD]
    )

"""Studies in a workbook: the template, what cells say, what is wrong with them, what becomes of
of them.
"""

import datetime
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from io import StringIO

import openpyxl
import pytest
from django.core.management import CommandError, call_command

from evidence.curation.documents import in_order, normalised
from evidence.curation.workbook import opening
from evidence.curation.workbook.importing import read_workbook
from evidence.curation.workbook.opening import UnreadableFile
from evidence.curation.workbook.records import Documents
from evidence.curation.workbook.report import (
    coloured_workbook,
    conversion_rows,
    fault_csv,
    fault_lines,
)
from evidence.curation.workbook.rows import Conversion, Fault
from evidence.curation.workbook.sheets import FAULTS, LEFT_OUT, OWN_SHEETS, SHEETS
from evidence.curation.workbook.template import write_template
from evidence.curation.workbook.terms import read_terms
from evidence.models import Autoantibody, Collection, DataVersion, StudyDraft, Therapy

from . import workbooks
from .workbooks import (
    COURSES,
    EVENTS,
    FINDINGS,
    GROUPS,
    OUTCOMES,
    PATIENTS,
    STUDIES,
    csv_files,
    fill_template,
    four_patients,
    patient_series,
    with_rows,
    workbook,
)

pytestmark = pytest.mark.django_db
RESPONSE = "response (authors' overall verdict)"
STUDY = ["published", "beispiel-2027"]


def imported(rows, collection, **options):
    return read_workbook(workbook(rows, **options), "studies.xlsx", collection)


def study_with(collection, sheet: str, header: str, value, row: int = 0):
    """The import of the four patients with one cell changed."""
    rows = four_patients()
    rows[sheet][row][header] = value
    return imported(rows, collection)


def records(result, model: str, slug: str = "beispiel-2027") -> list[dict]:
    return [one for one in result.documents[slug] if one["model"] == f"evidence.{model}"]


def only_fault(result) -> Fault:
    assert len(result.faults) == 1, result.faults
    return result.faults[0]


# ---- the template ---------------------------------------------------------


@pytest.fixture
def template(published) -> bytes:
    return write_template(published)


def test_the_template_reads_back_with_headers_explanations_and_drop_downs(template):
    book = openpyxl.load_workbook(io.BytesIO(template))
    assert book.sheetnames == ["Instructions", *(sheet.title for sheet in SHEETS), *OWN_SHEETS[1:3]]
    for sheet in SHEETS:
        page = book[sheet.title]
        assert [cell.value for cell in page[1]] == [column.header for column in sheet.columns]
        assert page.freeze_panes is not None
        assert all(cell.comment and cell.comment.text for cell in page[1])
        assert page.max_row == 1
    assert book["Lists"].sheet_state == "hidden"


def test_drop_downs_offer_labels_and_states_and_refuse_no_other_spelling(template):
    book = openpyxl.load_workbook(io.BytesIO(template))
    page = book[PATIENTS]
    column = next(cell.column_letter for cell in page[1] if cell.value == "disease subset")
    rule = next(
        one for one in page.data_validations.dataValidation if f"{column}2" in str(one.sqref)
    )
    first, last = rule.formula1.replace("Lists!", "").replace("$", "").split(":")
    offered = [row[0].value for row in book["Lists"][first:last]]
    assert offered == [
        "Diffuse cutaneous (dcSSc)",
        "Limited cutaneous (lcSSc)",
        "Sine scleroderma",
        "Overlap syndrome",
        "NR",
        "unreadable",
    ]
    assert not rule.showErrorMessage


def test_no_column_of_the_template_makes_dates_of_pages(template):
    book = openpyxl.load_workbook(io.BytesIO(template))
    for sheet in SHEETS:
        formats = {
            book[sheet.title].column_dimensions[letter].number_format
            for letter in book[sheet.title].column_dimensions
        }
        assert formats == {"@"}, sheet.title


def test_the_vocabulary_sheet_has_every_term_and_choice(template):
    page = openpyxl.load_workbook(io.BytesIO(template))["Vocabulary"]
    lines = {tuple(cell.value for cell in row[:3]) for row in page.iter_rows(min_row=2)}
    assert {("autoantibody", one.label, one.code) for one in Autoantibody.objects.all()} <= lines
    assert ("Patients: sex", "Female", "female") in lines


def test_an_empty_template_imports_nothing(template, published):
    result = read_workbook(io.BytesIO(template), "t.xlsx", published)
    assert (dict(result.documents), result.faults, result.conversions) == ({}, [], [])


def test_every_field_a_curator_can_state_has_a_column():
    """A field that is added to a model is a column, or is named as left out with a reason."""
    for sheet in SHEETS:
        label = sheet.model._meta.model_name
        owners = {path.split("__")[0] for path in sheet.model.KEY}
        for one in (*sheet.model._meta.fields, *sheet.model._meta.many_to_many):
            names = {one.name, f"{one.name}_present"}
            is_own = one.primary_key or not one.editable or one.name in owners
            if not is_own and f"{label}.{one.name}" not in LEFT_OUT:
                assert names & set(sheet.by_field), f"{label}.{one.name}"


# ---- from rows to documents -----------------------------------------------


def expected_of_four() -> list[dict]:
    """What the four patients say, written by hand."""

    def record(model, states=None, **fields):
        return {"model": f"evidence.{model}", "fields": fields} | (
            {"states": states} if states else {}
        )

    first, second = ["beispiel-2027-1"], ["beispiel-2027-2"]
    course = ["beispiel-2027-1", 1]
    places = {
        ("patient", "beispiel-2027-1"): (
            "Table 1, p. 3",
            *("sex", "age_years", "disease_duration_months:2 years", "dlco_percent", "subset"),
            *("comorbidities", "prior_therapies", "prior_therapies_completeness"),
            *("manifestations", "manifestations_completeness", "autoantibodies"),
        ),
        ("treatment", *course): (
            "Table 2, p. 4",
            *("inhibitor", "dose", "duration_months:12 weeks", "indications"),
            *("indications_completeness", "concomitant_therapies_completeness", "response"),
            *("relapsed", "adverse_events", "adverse_event_categories_completeness"),
            *("stopped", "stop_reason"),
        ),
        ("outcome", *course, 1): (
            "Figure 1",
            *("measure", "baseline", "followup", "at_months:24 weeks", "result"),
        ),
        ("adverse_event", *course, 1): (
            "p. 5",
            *("category", "description", "grade", "serious", "led_to_stop"),
        ),
    }
    provenance = []
    for (subject, *key), (locator, *names) in places.items():
        for name in names:
            name, _, unit = name.partition(":")
            converted = {"method": "converted", "note": f"From {unit}."} if unit else {}
            provenance.append(
                record(
                    "provenance",
                    study=STUDY,
                    number=len(provenance) + 1,
                    **{subject: key},
                    field=name,
                    locator=locator,
                    **converted,
                )
            )
    measure = workbooks.measure_value
    return [
        record(
            "study",
            {"country": "not_reported"},
            collection=["published"],
            slug="beispiel-2027",
            short_name="Beispiel 2027",
            title="Four patients on JAK inhibitors",
            authors="Beispiel B; Muster A",
            journal="Journal of Examples",
            year=2027,
            pages="3-5",
            doi="10.1000/beispiel.2027",
            pmid="41000001",
            design="case_series",
            extraction="full_text",
            n_jaki=4,
            may_share_patients_with=[["published", "muster-2026"]],
        ),
        record(
            "patient",
            {"autoantibodies_completeness": "not_reported"},
            study=STUDY,
            slug="beispiel-2027-1",
            label="Case 1",
            sex="female",
            age_years=54,
            disease_duration_months="24",
            dlco_percent="61.5",
            subset="diffuse",
            comorbidities="none, as stated",
            prior_therapies=[["methotrexate"], ["mycophenolate-mofetil"]],
            prior_therapies_completeness="complete",
            manifestations_completeness="partial",
        ),
        record(
            "patient",
            {
                "autoantibodies_completeness": "not_reported",
                "dlco_percent": "not_reported",
                "subset": "unreadable",
            },
            study=STUDY,
            slug="beispiel-2027-2",
            label="Case 2",
            sex="male",
            age_years=61,
            prior_therapies_completeness="none",
            notes="Two courses.",
        ),
        record("patient", study=STUDY, slug="beispiel-2027-3", label="Case 3"),
        record("patient", study=STUDY, slug="beispiel-2027-4", label="Case 4", sex="female"),
        record("patientmanifestation", patient=first, manifestation=["ild"]),
        record("patientmanifestation", patient=first, manifestation=["raynaud"]),
        record("patientmanifestation", patient=first, manifestation=["renal"], status="absent"),
        record("patientmanifestation", patient=first, manifestation=["skin"]),
        record("patientautoantibody", patient=first, autoantibody=["anti-scl-70"]),
        record("patientautoantibody", patient=first, autoantibody=["anti-smith"], status="absent"),
        record(
            "treatment",
            patient=first,
            number=1,
            inhibitor=["tofacitinib"],
            dose="5 mg twice daily",
            duration_months="2.8",
            indications=[["ild"], ["skin"]],
            indications_completeness="complete",
            concomitant_therapies_completeness="none",
            response="improved",
            relapsed="no",
            adverse_events="events",
            adverse_event_categories_completeness="complete",
            stopped="yes",
            stop_reason="zoster",
        ),
        record("treatment", patient=second, number=1, inhibitor=["tofacitinib"]),
        record(
            "treatment",
            patient=second,
            number=2,
            inhibitor=["baricitinib"],
            adverse_events="explicitly_none",
        ),
        record(
            "treatment",
            {"adverse_events": "not_reported", "outcomes": "not_reported"},
            patient=["beispiel-2027-3"],
            number=1,
            inhibitor=["ruxolitinib"],
        ),
        record(
            "treatment",
            patient=["beispiel-2027-4"],
            number=1,
            inhibitor=["upadacitinib"],
            relapsed="yes",
            adverse_events="events",
        ),
        record(
            "outcome",
            treatment=course,
            number=1,
            domain="skin",
            measure=measure("mRSS"),
            baseline="24.5",
            followup="15",
            at_months="5.5",
            result="improved",
        ),
        record(
            "outcome",
            {"followup": "not_reported"},
            treatment=course,
            number=2,
            domain="lung",
            measure=measure("FVC % predicted"),
            baseline="68",
            result="stable",
        ),
        record(
            "outcome",
            treatment=["beispiel-2027-2", 2],
            number=1,
            domain="vascular",
            measure=measure("digital ulcers"),
            followup_text="healed",
            at_months="6",
            result="improved",
        ),
        record(
            "adverseevent",
            treatment=course,
            number=1,
            category=["infection"],
            description="Herpes zoster",
            grade=2,
            serious="no",
            led_to_stop="yes",
        ),
        record(
            "adverseevent",
            {"serious": "not_reported"},
            treatment=["beispiel-2027-4", 1],
            number=1,
            category=["hepatitis"],
        ),
        *provenance,
    ]


CONVERSIONS = [
    Conversion(STUDIES, 2, "DOI", "https://doi.org/10.1000/beispiel.2027", "10.1000/beispiel.2027"),
    Conversion(STUDIES, 3, "ClinicalTrials.gov number", "nct01234567", "NCT01234567"),
    Conversion(STUDIES, 3, "design", "RCT", "Randomised trial"),
    Conversion(PATIENTS, 2, "sex", "F", "Female"),
    Conversion(PATIENTS, 2, "disease duration (months)", "2 y", "24 months"),
    Conversion(PATIENTS, 2, "DLCO (% predicted)", "61,5", "61.5"),
    Conversion(PATIENTS, 5, "sex", "f", "Female"),
    Conversion(COURSES, 2, "duration (months)", "12 weeks", "2.8 months"),
    Conversion(COURSES, 2, "adverse events", "yes", "Adverse events reported"),
    Conversion(COURSES, 3, "inhibitor", "Xeljanz", "tofacitinib"),
    Conversion(COURSES, 4, "adverse events", "none", "Stated: none occurred"),
    Conversion(COURSES, 6, "relapsed", "+", "Yes"),
    Conversion(OUTCOMES, 2, "baseline", "24,5", "24.5"),
    Conversion(OUTCOMES, 2, "assessed at (month)", "24 weeks", "5.5 months"),
    Conversion(FINDINGS, 3, "follow-up", "9,5", "9.5"),
]


@pytest.mark.parametrize("form", ["filled template", "workbook", "csv", "csv with semicolons"])
def test_a_filled_workbook_says_what_was_typed(published, template, form):
    rows = four_patients()
    file = {
        "filled template": lambda: fill_template(template, rows),
        "workbook": lambda: workbook(rows),
        "csv": lambda: csv_files(rows),
        "csv with semicolons": lambda: csv_files(rows, delimiter=";", encoding="utf-8-sig"),
    }[form]()
    result = read_workbook(file, "studies", published)
    assert result.faults == []
    assert sorted(result.documents) == ["beispiel-2027", "muster-2026"]
    assert result.documents["beispiel-2027"] == expected_of_four()
    assert result.conversions == CONVERSIONS


def test_the_same_conversion_is_said_once_with_its_rows():
    conversions = [Conversion(PATIENTS, row, "sex", "F", "Female") for row in range(2, 12)]
    conversions.append(Conversion(PATIENTS, 4, "sex", "m", "Male"))
    assert conversion_rows(conversions) == [
        (PATIENTS, "2, 3, 4, 5, 6, 7 and 4 more", "sex", "F", "Female"),
        (PATIENTS, "4", "sex", "m", "Male"),
    ]


def test_documents_are_as_drafts_write_them(published):
    """Normalised and in order, so that the same file changes nothing a second time."""
    result = imported(patient_series(9, 2, places=True), published)
    for document in result.documents.values():
        assert normalised(document) == document == in_order(document)
    assert isinstance(result.documents, Documents)
    assert "series-1" in result.documents
    assert "series-9" not in result.documents
    with pytest.raises(KeyError):
        result.documents["series-9"]


def test_an_empty_cell_says_nothing_at_all(published):
    """Not even a default: what is not known of case 3 stands nowhere."""
    patient = next(
        one
        for one in records(imported(four_patients(), published), "patient")
        if one["fields"]["slug"] == "beispiel-2027-3"
    )
    assert set(patient["fields"]) == {"study", "slug", "label"}
    assert "states" not in patient


def test_groups_and_findings_of_another_study(published):
    result = imported(four_patients(), published)
    group = next(
        one
        for one in records(result, "studygroup", "muster-2026")
        if one["fields"]["slug"] == "tofacitinib"
    )
    assert group["fields"]["follow_up_weeks"] == 24
    finding = next(
        one
        for one in records(result, "groupfinding", "muster-2026")
        if one["fields"]["group"] == ["published", "muster-2026", "tofacitinib"]
    )
    assert finding["fields"] | {"measure": ""} == {
        "group": ["published", "muster-2026", "tofacitinib"],
        "number": 1,
        "kind": "events",
        "measure": "",
        "item": "any_adverse_event",
        "harm": True,
        "at_weeks": "24",
        "n": 20,
        "events": 9,
    }


def test_ids_of_simulated_patients_are_made_with_their_prefix(simulated):
    rows = patient_series(1)
    del rows[PATIENTS][0]["patient"]
    for title in (COURSES, OUTCOMES, EVENTS):
        for row in rows[title]:
            row["patient"] = "SIM-series-1-1"
    result = imported(rows, simulated)
    assert result.faults == []
    assert records(result, "patient", "series-1")[0]["fields"]["slug"] == "SIM-series-1-1"


def test_columns_may_be_left_out_and_stand_in_any_order(published):
    rows = {sheet.title: [] for sheet in SHEETS}
    rows |= {
        STUDIES: [
            {
                "design": "case report",
                "study": "a-2020",
                "short_name": "A",
                "Extraction": "abstract",
            }
        ],
        PATIENTS: [{"label": "Case 1", "patient": "a-2020-1", "study": "a-2020"}],
        COURSES: [{"inhibitor": "tofacitinib", "patient": "a-2020-1"}],
    }
    headers = {title: list(own[0]) for title, own in rows.items() if own}
    result = imported(rows, published, headers=headers)
    assert result.faults == []
    assert len(result.documents["a-2020"]) == 3


# ---- what a cell can say --------------------------------------------------

NUMBERS = [
    ("1,5", "1.5"),
    ("1.5", "1.5"),
    (1.5, "1.5"),
    (0.1 + 0.2, "0.3"),
    ("12.0", "12"),
    ("\u00a012,50\u00a0", "12.5"),
    ("0,234 y", "2.8"),
    ("1 200", "1200"),
    ("6 months", "6"),
    ("6m", "6"),
    ("12 weeks", "2.8"),
    ("52w", "12"),
    ("26 wks", "6"),
    ("2 y", "24"),
    ("1,5 years", "18"),
    ("1 year 6 months", "18"),
    ("90 days", "3"),
]


@pytest.mark.parametrize(("typed", "months"), NUMBERS)
def test_numbers_are_read_as_typed(published, typed, months):
    result = study_with(published, COURSES, "duration (months)", typed)
    assert result.faults == []
    assert records(result, "treatment")[0]["fields"]["duration_months"] == months


@pytest.mark.parametrize(
    "typed",
    [
        *("1.234,5", "1,234.5", "1.234", "1,234", "12'000", "1.2.3"),
        *("5-6", "5 to 6", "<1", "~12", "ca. 12", "twelve", "1e3", "12 moons", "1.25", "-1"),
        *(datetime.datetime(2027, 5, 1), datetime.time(1, 30), "=6*2", "9" * 50_00, True, "1201"),
    ],
    ids=str,
)
def test_what_is_no_one_number_is_refused(published, typed):
    fault = only_fault(study_with(published, COURSES, "duration (months)", typed))
    assert (fault.sheet, fault.row, fault.column) == (COURSES, 2, "duration (months)")


def test_a_number_with_two_meanings_says_both(published):
    fault = only_fault(study_with(published, OUTCOMES, "baseline", "1.234"))
    assert fault.problem == "“1.234” may be 1234 or 1.234. Write 1234, or 1.2340."
    result = study_with(published, OUTCOMES, "baseline", "1.2340")
    assert records(result, "outcome")[0]["fields"]["baseline"] == "1.234"


@pytest.mark.parametrize(("typed", "kept"), [(1.375, "1.375"), (1375, None), ("1.375", None)])
def test_a_cell_that_holds_a_number_has_one_meaning(published, typed, kept):
    """Of the scores of HAQ-DI, which go in eighths, every second has three decimal places."""
    rows = four_patients()
    rows[OUTCOMES][0] |= {
        "domain": "global",
        "measure": "HAQ-DI",
        "baseline": typed,
        "follow-up": 0.625,
    }
    result = imported(rows, published)
    if kept:
        assert result.faults == []
        assert records(result, "outcome")[0]["fields"]["baseline"] == kept
    else:
        assert named(only_fault(result)) == (OUTCOMES, 2, "baseline", str(typed))


@pytest.mark.parametrize("number", [0, -1, "-1", 40_000, 10**20])
@pytest.mark.parametrize(
    ("sheet", "header", "row"),
    [
        (PATIENTS, "number", 2),
        (COURSES, "course", 3),
        (OUTCOMES, "outcome", 0),
        (EVENTS, "event", 0),
        (FINDINGS, "finding", 0),
    ],
)
def test_records_are_numbered_from_one(published, sheet, header, row, number):
    rows = four_patients()
    rows[sheet][row][header] = number
    fault = only_fault(imported(rows, published))
    assert named(fault) == (sheet, row + 2, header, str(number))


def test_a_study_does_not_share_patients_with_itself(published):
    result = study_with(published, STUDIES, "may share patients with", "muster-2026; beispiel-2027")
    assert "itself" in only_fault(result).problem


def test_a_cell_shown_in_percent_is_what_it_shows(published):
    file = workbook(four_patients())
    book = openpyxl.load_workbook(file)
    column = next(cell for cell in book[PATIENTS][1] if cell.value == "DLCO (% predicted)").column
    cell = book[PATIENTS].cell(2, column)
    cell.value, cell.number_format = 0.615, "0.0%"
    changed = io.BytesIO()
    book.save(changed)
    result = read_workbook(changed, "studies.xlsx", published)
    assert records(result, "patient")[0]["fields"]["dlco_percent"] == "61.5"
    assert Conversion(PATIENTS, 2, "DLCO (% predicted)", "61.5 %", "61.5") in result.conversions


@pytest.mark.parametrize("word", ["NR", "n.r.", "not reported", "Not stated", " nr "])
def test_words_for_not_reported(published, word):
    result = study_with(published, PATIENTS, "sex", word)
    patient = records(result, "patient")[0]
    assert patient["states"]["sex"] == "not_reported"
    assert "sex" not in patient["fields"]


@pytest.mark.parametrize("word", ["unreadable", "?", "illegible"])
def test_words_for_unreadable(published, word):
    result = study_with(published, PATIENTS, "age (years)", word)
    assert records(result, "patient")[0]["states"]["age_years"] == "unreadable"


@pytest.mark.parametrize("word", ["NA", "n/a", "-", "–", "unknown", "Not known", "not done"])
@pytest.mark.parametrize("header", ["sex", "age (years)", "prior therapies", "comorbidities"])
def test_words_with_two_meanings_are_asked_about(published, word, header):
    fault = only_fault(study_with(published, PATIENTS, header, word))
    assert "more than one meaning" in fault.problem
    assert "NR" in fault.problem


def test_none_is_a_value_of_lists_and_events_alone(published):
    rows = four_patients()
    rows[PATIENTS][2]["manifestations present"] = "none"
    rows[PATIENTS][3]["autoantibodies present"] = "None"
    result = imported(rows, published)
    patients = records(result, "patient")
    assert patients[2]["fields"]["manifestations_completeness"] == "none"
    assert patients[3]["fields"]["autoantibodies_completeness"] == "none"
    for sheet, header in ((PATIENTS, "age (years)"), (COURSES, "dose"), (COURSES, RESPONSE)):
        assert only_fault(study_with(published, sheet, header, "none")).column == header


def test_whether_no_events_occurred_or_none_are_reported_is_asked(published):
    fault = only_fault(study_with(published, COURSES, "adverse events", "no", row=3))
    assert "NR" in fault.problem
    assert "none" in fault.problem


YES = ["yes", "Y", "+", "x", "X", "1", 1, True, "positive", "TRUE"]
NO = ["no", "n", "0", 0, False, "negative", "false"]


@pytest.mark.parametrize(
    ("word", "code"), [*((w, "yes") for w in YES), *((w, "no") for w in NO)], ids=str
)
def test_words_for_yes_and_no(published, word, code):
    result = study_with(published, COURSES, "relapsed", word)
    assert records(result, "treatment")[0]["fields"]["relapsed"] == code


@pytest.mark.parametrize(
    ("header", "code", "words"),
    [
        ("sex", "female", ["F", "f", "Female", "woman", "w", "female "]),
        ("sex", "male", ["M", "male", "man"]),
        (
            "disease subset",
            "diffuse",
            ["dcSSc", "DCSSC", "diffuse", "diffuse cutaneous", "Diffuse cutaneous (dcSSc)"],
        ),
        ("disease subset", "limited", ["lcSSc", "limited", "Limited SSc"]),
        ("disease subset", "sine", ["sine", "sine scleroderma", "ssSSc"]),
    ],
)
def test_spellings_of_choices(published, header, code, words):
    name = {"sex": "sex", "disease subset": "subset"}[header]
    for word in words:
        result = study_with(published, PATIENTS, header, word)
        assert records(result, "patient")[0]["fields"][name] == code, word


def spellings(term: str) -> list[str]:
    """Ten ways in which the same term gets typed."""
    spaced = term.replace("-", " ").replace("_", " ")
    return [
        *(term, term.upper(), term.capitalize(), spaced, spaced.title(), spaced.replace(" ", "-")),
        *(
            spaced.replace(" ", ""),
            f"  {term} ",
            term.replace("-", "–"),
            term.replace("-", "\u00a0"),
        ),
    ]


TERMS = [
    (PATIENTS, "autoantibodies present", "anti-scl-70"),
    (PATIENTS, "autoantibodies present", "anti-u1-rnp"),
    (PATIENTS, "manifestations present", "digital_ulcers"),
    (PATIENTS, "manifestations present", "raynaud"),
    (PATIENTS, "prior therapies", "mycophenolate-mofetil"),
    (PATIENTS, "prior therapies", "methotrexate"),
    (COURSES, "inhibitor", "tofacitinib"),
    (COURSES, "concomitant therapies", "prednisone"),
    (EVENTS, "category", "other-or-not-named"),
    (EVENTS, "category", "dyslipidaemia"),
]


@pytest.mark.parametrize(("sheet", "header", "term"), TERMS)
def test_ten_spellings_of_ten_terms(published, sheet, header, term):
    expected = study_with(published, sheet, header, term).documents["beispiel-2027"]
    for word in spellings(term):
        result = study_with(published, sheet, header, word)
        assert result.faults == [], word
        assert result.documents["beispiel-2027"] == expected, word


def test_brands_and_parts_of_labels_are_spellings(published):
    for word in ("Xeljanz", "XELJANZ"):
        result = study_with(published, COURSES, "inhibitor", word)
        assert records(result, "treatment")[0]["fields"]["inhibitor"] == ["tofacitinib"]
    for word in ("ILD", "interstitial lung disease"):
        result = study_with(published, COURSES, "indications", word)
        assert records(result, "treatment")[0]["fields"]["indications"] == [["ild"]]


def test_a_spelling_of_two_terms_is_none_of_them(published):
    Therapy.objects.create(code="first-drug", label="First (shared)")
    Therapy.objects.create(code="second-drug", label="Second (shared)")
    terms = read_terms(Therapy)
    assert terms.find("shared") is None
    assert terms.find("first") == "first-drug"


@pytest.mark.parametrize(
    ("sheet", "header", "word", "label"),
    [
        (PATIENTS, "autoantibodies present", "ATA", "anti-Scl-70"),
        (PATIENTS, "prior therapies", "MMF", "Mycophenolate mofetil"),
        (PATIENTS, "prior therapies", "MTX", "Methotrexate"),
        (OUTCOMES, "measure", "MRSS", "mRSS"),
        (FINDINGS, "measure", "MRSS", "mRSS"),
    ],
)
def test_synonyms_of_the_vocabulary_are_understood(published, sheet, header, word, label):
    results = [study_with(published, sheet, header, one) for one in (word, label)]
    assert [one.faults for one in results] == [[], []]
    assert dict(results[0].documents) == dict(results[1].documents)


def test_a_term_that_is_not_offered_is_understood_and_never_proposed(published, template):
    Therapy.objects.filter(code="prednisone").update(in_use=False)
    assert study_with(published, PATIENTS, "prior therapies", "prednisone").faults == []
    fault = only_fault(study_with(published, PATIENTS, "prior therapies", "prednison"))
    assert "Prednisone" not in fault.nearest
    offered = openpyxl.load_workbook(io.BytesIO(write_template(published)))["Vocabulary"]
    assert "Prednisone" not in {row[1].value for row in offered.iter_rows()}


@pytest.mark.parametrize(
    ("sheet", "header", "row"),
    [(OUTCOMES, "baseline", 0), (OUTCOMES, "follow-up", 0), (FINDINGS, "baseline", 1)],
)
def test_values_a_measure_cannot_have_are_refused_with_its_range(published, sheet, header, row):
    rows = four_patients()
    rows[sheet][row] |= {"measure": "MRSS", header: 240}
    fault = only_fault(imported(rows, published))
    assert named(fault) == (sheet, row + 2, header, "240")
    assert "between 0 and 51" in fault.problem


def test_a_measure_that_no_vocabulary_has_is_named(published):
    fault = only_fault(study_with(published, OUTCOMES, "measure", "mRRS"))
    assert "mRSS" in fault.nearest


@pytest.mark.parametrize(
    "text",
    [
        "methotrexate; prednisone",
        "methotrexate, prednisone",
        "prednisone;methotrexate;",
        "Methotrexate; prednisone; methotrexate",
        "methotrexate\nprednisone",
    ],
)
def test_lists_are_split_at_semicolons_and_where_it_is_plain_at_commas(published, text):
    result = study_with(published, PATIENTS, "prior therapies", text)
    found = records(result, "patient")[0]["fields"]["prior_therapies"]
    assert found == [["methotrexate"], ["prednisone"]]


@pytest.mark.parametrize(
    ("header", "typed", "kept"),
    [
        ("DOI", "doi: 10.1000/x.1", "10.1000/x.1"),
        ("DOI", "http://dx.doi.org/10.1000/x.1.", "10.1000/x.1"),
        ("PMID", "PMID: 31360575", "31360575"),
        ("PMID", "https://pubmed.ncbi.nlm.nih.gov/31360576/", "31360576"),
        ("PMCID", "pmc7652034", "PMC7652034"),
        ("PMCID", "https://pmc.ncbi.nlm.nih.gov/articles/PMC7652034/", "PMC7652034"),
        (
            "ClinicalTrials.gov number",
            "https://clinicaltrials.gov/study/NCT03274999",
            "NCT03274999",
        ),
    ],
)
def test_identifiers_are_cleaned(published, header, typed, kept):
    if kept == "31360575":
        kept, typed = "41360575", "PMID: 41360575"
    result = study_with(published, STUDIES, header, typed)
    assert result.faults == []
    column = next(one for one in SHEETS[0].columns if one.header == header)
    assert records(result, "study")[0]["fields"][column.field] == kept


# ---- forty kinds of fault -------------------------------------------------


@dataclass
class Planted:
    """A fault, how it comes into a workbook, and where it has to be named."""

    what: str
    plant: Callable[[workbooks.Rows], None]
    sheet: str
    row: int
    column: str
    value: str
    nearest: tuple[str, ...] = field(default=())


# Each fault has patients of its own, so that all of them can stand in one workbook.
def first_row(rows, sheet: str, number: int) -> tuple[int, dict]:
    """The first row of a patient on a sheet, and its number."""
    wanted = f"series-1-{number}"
    return next(
        (place, row)
        for place, row in enumerate(rows[sheet], start=2)
        if row.get("patient") == wanted
    )


def cell(what: str, sheet: str, number: int, column: str, value, *nearest: str, **more) -> Planted:
    """A fault that is one cell of a patient's first row on a sheet."""
    per_patient = {PATIENTS: 1, COURSES: 1, OUTCOMES: 3, EVENTS: 1}[sheet]

    def plant(rows):
        first_row(rows, sheet, number)[1].update({column: value} | more)

    row = (number - 1) * per_patient + 2
    shown = "" if value is None else str(value).removesuffix(" 00:00:00")
    return Planted(what, plant, sheet, row, column, shown, nearest)


def renamed(number: int, patient: str) -> Callable:
    def plant(rows):
        for title in (PATIENTS, COURSES, OUTCOMES, EVENTS):
            for row in rows[title]:
                if row["patient"] == f"series-1-{number}":
                    row["patient"] = patient

    return plant


def planted_series() -> workbooks.Rows:
    """Sixty patients of one study, and one study with groups, without a fault."""
    rows, groups = patient_series(60, 1), four_patients()
    rows[STUDIES].append(groups[STUDIES][1])
    return rows | {GROUPS: groups[GROUPS], FINDINGS: groups[FINDINGS]}


def remove_rows(sheet: str, number: int) -> Callable:
    def plant(rows):
        rows[sheet] = [one for one in rows[sheet] if one["patient"] != f"series-1-{number}"]

    return plant


def changed(sheet: str, row: int, **values) -> Callable:
    def plant(rows):
        rows[sheet][row - 2].update({name.replace("__", " "): v for name, v in values.items()})

    return plant


def duplicate(sheet: str, row: int) -> Callable:
    def plant(rows):
        rows[sheet].append(dict(rows[sheet][row - 2]))

    return plant


CORE_FAULTS = [
    cell("no such term", COURSES, 1, "inhibitor", "Tofacitnib", "tofacitinib"),
    cell("one bad term of a list", PATIENTS, 2, "prior therapies", "methotrexat; prednisone",
         "Methotrexate"),
    cell("two bad terms of a list", PATIENTS, 3, "manifestations present", "ranaud; skn; joints",
         "Raynaud phenomenon", "Skin"),
    cell("no choice", PATIENTS, 4, "disease subset", "difuse", "Diffuse cutaneous (dcSSc)"),
    cell("a number in words", PATIENTS, 5, "age (years)", "fifty"),
    cell("a number out of range", PATIENTS, 6, "age (years)", 154),
    cell("a fraction of a year", PATIENTS, 7, "age (years)", "54.5"),
    cell("thousands or decimals", OUTCOMES, 8, "baseline", "1.234,5"),
    cell("a range", OUTCOMES, 9, "follow-up", "12-14"),
    cell("a date", COURSES, 10, "dose", datetime.datetime(2027, 5, 10)),
    cell("a date where a number belongs", COURSES, 11, "duration (months)",
         datetime.datetime(2027, 5, 1)),
    cell("a word with two meanings", PATIENTS, 12, "DLCO (% predicted)", "NA"),
    cell("a dash", COURSES, 13, "stopped", "-"),
    cell("no label", PATIENTS, 14, "label", None),
    cell("a state where a value is needed", PATIENTS, 15, "label", "NR"),
    cell("no inhibitor", COURSES, 16, "inhibitor", None),
    cell("a course of nobody", COURSES, 17, "patient", "series-1-171", "series-1-17"),
    cell("an outcome of nobody", OUTCOMES, 18, "patient", "serie-1-18", "series-1-18"),
    cell("an event without its patient", EVENTS, 19, "patient", None),
    cell("a course that is not there", OUTCOMES, 20, "course", 2, "1"),
    cell("a patient of no study", PATIENTS, 21, "study", "series-one"),
    cell("an id that is none", PATIENTS, 22, "patient", "series 1/22"),
    cell("a text that is too long", COURSES, 23, "dose", "5 mg " * 20),
    cell("too many decimals", COURSES, 24, "duration (months)", "1.25"),
    cell("a negative number", OUTCOMES, 25, "assessed at (month)", -3),
    cell("a reason without a stop", COURSES, 26, "stopped", "no", **{"stop reason": "cost"}),
    cell("a follow-up before the baseline", OUTCOMES, 27, "assessed at (month)", 3,
         **{"baseline taken at (month)": 6}),
    cell("none, and something listed", PATIENTS, 28, "list of prior therapies", "none"),
    cell("the whole list, and nothing on it", COURSES, 29, "list of indications", "complete",
         indications=None),
    cell("NR beside a whole list", PATIENTS, 30, "list of autoantibodies present", "complete",
         **{"autoantibodies present": "NR"}),
    cell("present and absent", PATIENTS, 31, "manifestations absent", "skin; renal"),
    cell("events under a course without", COURSES, 32, "adverse events", "none",
         "Adverse events reported", **{"list of adverse events": None}),
    cell("a grade that is none", EVENTS, 33, "CTCAE grade", 6),
    cell("outcomes that are not reported, and reported", COURSES, 34, "outcomes", "NR"),
    cell("a formula", COURSES, 35, "dose", "=5*2"),
    cell("another report of nobody", PATIENTS, 36, "same person as", "series-1-99x"),
    Planted("a simulated id among the published", renamed(37, "SIM-1-37"), PATIENTS, 38, "patient",
            "SIM-1-37"),
    cell("a domain that is none", OUTCOMES, 38, "domain", "liver"),
    cell("a domain that is not the measure’s", OUTCOMES, 44, "domain", "lung"),
    cell("a unit that is not the measure’s", OUTCOMES, 45, "unit", "L",
         **{"measure": "6-minute walk distance", "domain": "lung"}),
    cell("a bad place", COURSES, 39, "place", "p. 4 " * 40),
    Planted("a patient without a course", remove_rows(COURSES, 40), PATIENTS, 41, "patient",
            "series-1-40"),
    Planted("a patient twice", duplicate(PATIENTS, 42), PATIENTS, 62, "patient", "series-1-41"),
    Planted("a course twice", duplicate(COURSES, 43), COURSES, 62, "course", "1"),
    Planted("an outcome twice", duplicate(OUTCOMES, 128), OUTCOMES, 182, "outcome", ""),
    Planted("a DOI that is none", changed(STUDIES, 3, DOI="doi.org/x"), STUDIES, 3, "DOI",
            "doi.org/x"),
    Planted("a DOI the collection has", changed(STUDIES, 2, DOI="10.1155/2019/5293981"), STUDIES, 2,
            "DOI", "10.1155/2019/5293981"),
    Planted("more patients than were treated",
            changed(STUDIES, 2, **{"patients given a JAK inhibitor": 5}), STUDIES, 2,
            "patients given a JAK inhibitor", "5"),
    Planted("a study it cannot share with",
            changed(STUDIES, 2, **{"may share patients with": "nobody-1999"}), STUDIES, 2,
            "may share patients with", "nobody-1999"),
    Planted("more with the event than patients", changed(FINDINGS, 2, events=21), FINDINGS, 2,
            "events", "21"),
    Planted("a week before the start", changed(FINDINGS, 2, **{"assessed at (weeks)": -5}),
            FINDINGS, 2, "assessed at (weeks)", "-5"),
    Planted("a finding of no group", changed(FINDINGS, 3, group="plazebo"), FINDINGS, 3, "group",
            "plazebo", ("placebo",)),
    Planted("a group of several drugs that names one",
            changed(GROUPS, 2, **{"mixed inhibitors": "yes"}), GROUPS, 2, "mixed inhibitors",
            "yes"),
    Planted("a group of nobody", changed(GROUPS, 3, patients=0), GROUPS, 3, "patients", "0"),
]  # fmt: skip


def named(fault: Fault) -> tuple:
    return fault.sheet, fault.row, fault.column, fault.value


def place_of(one: Planted) -> tuple:
    return one.sheet, one.row, one.column, one.value


def test_there_are_forty_kinds_of_fault():
    assert len({one.what for one in CORE_FAULTS}) == len(CORE_FAULTS) >= 40


@pytest.mark.slow
@pytest.mark.parametrize("one", CORE_FAULTS, ids=lambda one: one.what)
def test_a_fault_is_named_and_nothing_else_is(published, one):
    rows = planted_series()
    one.plant(rows)
    fault = only_fault(imported(rows, published))
    assert named(fault) == place_of(one)
    assert fault.problem
    assert one.nearest == fault.nearest[: len(one.nearest)]


@pytest.mark.slow
def test_all_faults_together_are_all_named_and_nothing_else_is(published):
    rows = planted_series()
    removed = [one for one in CORE_FAULTS if one.what == "a patient without a course"]
    for one in [*(one for one in CORE_FAULTS if one not in removed), *removed]:
        one.plant(rows)
    result = imported(rows, published)
    expected = set(map(place_of, CORE_FAULTS))
    # rows of the courses after the one that is gone have moved up
    expected = {
        (sheet, row - 1 if sheet == COURSES and row > 41 else row, *rest)
        for sheet, row, *rest in expected
    }
    assert set(map(named, result.faults)) == expected
    assert len(result.faults) == len(CORE_FAULTS)
    assert dict(result.documents) == {}


def test_the_mended_workbook_imports(published):
    """What was sent back coloured, put right where it is coloured, is right."""
    rows = four_patients()
    rows[PATIENTS][0]["sex"] = "fem ale?"
    rows[COURSES][0]["inhibitor"] = "Tofacitnib"
    file = workbook(rows)
    result = read_workbook(file, "studies.xlsx", published)
    book = openpyxl.load_workbook(io.BytesIO(coloured_workbook(file, result.faults)))
    marked = [
        (sheet.title, cell.row, sheet.cell(1, cell.column).value, cell.value)
        for sheet in book.worksheets
        for row in sheet.iter_rows()
        for cell in row
        if cell.comment
    ]
    assert marked == [
        (PATIENTS, 2, "sex", "fem ale?"),
        (COURSES, 2, "inhibitor", "Tofacitnib"),
    ]
    right = {"fem ale?": "female", "Tofacitnib": "tofacitinib"}
    for sheet, row, _, value in marked:
        for cell_ in book[sheet][row]:
            if cell_.value == value:
                assert cell_.fill.fill_type == "solid"
                cell_.value = right[value]
    mended = io.BytesIO()
    book.save(mended)
    again = read_workbook(mended, "studies.xlsx", published)
    assert again.faults == []
    assert again.documents["beispiel-2027"] == expected_of_four()
    unmarked = openpyxl.load_workbook(io.BytesIO(coloured_workbook(mended, [])))
    assert FAULTS not in unmarked.sheetnames
    assert not any(
        cell_.comment or cell_.fill.fill_type
        for sheet in unmarked.worksheets
        for row in sheet.iter_rows(min_row=2)
        for cell_ in row
    )


def test_a_fault_under_merged_cells_is_marked_where_it_is(published):
    book = openpyxl.load_workbook(workbook(four_patients()))
    book[PATIENTS].merge_cells("A2:A3")
    file = io.BytesIO()
    book.save(file)
    result = read_workbook(file, "studies.xlsx", published)
    assert (PATIENTS, 3, "study", "") in map(named, result.faults)
    marked = openpyxl.load_workbook(io.BytesIO(coloured_workbook(file, result.faults)))[PATIENTS]
    assert "needs a value" in marked["A3"].comment.text
    assert marked["A2"].value == "beispiel-2027"


def test_consequences_of_a_fault_are_left_out(published):
    """Whatever stands under a study, patient or course with a fault is not “nobody’s”."""
    for sheet, header, value in (
        (STUDIES, "study", "beispiel 2027!"),
        (STUDIES, "study", None),
        (STUDIES, "design", None),
        (PATIENTS, "number", "first"),
        (PATIENTS, "number", None),
        (COURSES, "course", "first"),
        (EVENTS, "event", "first"),
        (COURSES, "inhibitor", None),
        (COURSES, "patient", None),
        (COURSES, "patient", "beispiel-2027-l"),
        (GROUPS, "group", "tofa citinib"),
        (GROUPS, "study", "muster-2062"),
    ):
        rows = four_patients()
        rows[sheet][0][header] = value
        for title in rows if (sheet, header) == (STUDIES, "study") and value else ():
            for row in rows[title]:
                if row.get("study") == "beispiel-2027":
                    row["study"] = value
        for row in rows[PATIENTS] if value == "beispiel 2027!" else ():
            row.setdefault("patient", f"beispiel-2027-{row.pop('number', None)}")
        fault = only_fault_of(imported(rows, published), sheet, header)
        assert fault.row == 2, (sheet, header)


def test_what_stands_under_a_doubled_or_broken_id_is_no_fault_of_its_own(published):
    """Its rows name a patient that is known as soon as the id is mended."""
    for wrong in ("series-1-1", "series 1?"):
        rows = patient_series(4, 1)
        rows[PATIENTS][3]["patient"] = wrong
        fault = only_fault(imported(rows, published))
        assert (fault.sheet, fault.row, fault.column) == (PATIENTS, 5, "patient")
    rows[COURSES][0]["patient"] = "series-1-9"  # one more than there are broken ids
    assert {(fault.sheet, fault.row) for fault in imported(rows, published).faults} >= {
        (PATIENTS, 5),
        (COURSES, 2),
        (COURSES, 5),
    }


def test_a_whole_number_is_not_to_be_written_as_a_fraction(published):
    rows = four_patients()
    rows[STUDIES][0]["year"] = "2.027"
    fault = only_fault(imported(rows, published))
    assert fault.problem == "“2.027” may be 2027 or 2.027. Write 2027."


def only_fault_of(result, sheet: str, header: str) -> Fault:
    """The one fault, which may be told of another cell that names the same record."""
    places = {(fault.sheet, fault.row) for fault in result.faults}
    assert places == {(sheet, 2)} or places <= {
        (STUDIES, 2),
        *((PATIENTS, row) for row in range(2, 6)),
    }, (header, result.faults)
    return result.faults[0]


# ---- sheets and columns ---------------------------------------------------


def test_missing_and_unknown_sheets_are_named(published):
    rows = four_patients()
    rows["Patiens"] = rows.pop(PATIENTS)
    del rows[FINDINGS]
    result = imported(rows, published)
    assert [(one.sheet, one.row, one.nearest) for one in result.faults] == [
        (FINDINGS, None, ()),
        ("Patiens", None, (PATIENTS,)),
    ]


def test_a_workbook_made_for_another_collection_is_refused(published):
    other = Collection.objects.get(slug="sener-2025-reconstruction")
    book = openpyxl.load_workbook(io.BytesIO(write_template(other)))
    file = io.BytesIO()
    book.save(file)
    with pytest.raises(UnreadableFile, match="made for the collection sener-2025-reconstruction"):
        read_workbook(file, "studies.xlsx", published)
    assert read_workbook(file, "studies.xlsx", other).faults == []
    del book["Instructions"]
    book.save(file := io.BytesIO())
    assert read_workbook(file, "studies.xlsx", published).faults == []


def test_csv_files_may_bear_the_name_of_the_workbook_before_that_of_the_sheet(published):
    """LibreOffice writes each sheet of studies.xlsx as “studies-Patients.csv”."""
    file = csv_files(four_patients())
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    renamed_file = io.BytesIO()
    with zipfile.ZipFile(renamed_file, "w") as archive:
        for name, data in parts.items():
            archive.writestr(f"my-studies-{name}", data)
    result = read_workbook(renamed_file, "studies.zip", published)
    assert result.faults == []
    assert dict(result.documents) == dict(imported(four_patients(), published).documents)


def test_sheets_of_the_template_beside_the_data_are_passed_over(published):
    rows = four_patients() | {name: [{"anything": 1}] for name in OWN_SHEETS}
    assert imported(rows, published).faults == []


def test_unknown_missing_and_double_columns_are_named(published):
    rows = four_patients()
    headers = {
        PATIENTS: [*workbooks.headers_of(PATIENTS, []), "Sex", "favourite colour"],
        COURSES: ["patient", "course", "inhibitr", "adverse events"],
        EVENTS: ["patient", "as described"],
    }
    result = imported(rows, published, headers=headers)
    assert [(one.sheet, one.row, one.column) for one in result.faults] == [
        (PATIENTS, 1, "Sex"),
        (PATIENTS, 1, "favourite colour"),
        (COURSES, 1, "inhibitr"),
        (EVENTS, 1, "category"),
    ]
    assert result.faults[2].nearest == ("inhibitor",)


def test_a_value_under_no_header_is_named_once(published):
    file = workbook(four_patients())
    book = openpyxl.load_workbook(file)
    page = book[COURSES]
    page.cell(3, page.max_column + 2, "stray")
    page.cell(4, page.max_column, "stray too")
    changed_file = io.BytesIO()
    book.save(changed_file)
    fault = only_fault(read_workbook(changed_file, "studies.xlsx", published))
    assert (fault.sheet, fault.row, fault.value) == (COURSES, 3, "stray")


def test_the_report_is_a_table_and_a_csv(published):
    result = study_with(published, PATIENTS, "sex", "=1+1")
    lines = list(fault_lines(result.faults))
    assert lines[0].split() == ["sheet", "row", "column", "value", "what", "is", "wrong", "nearest"]
    assert lines[1].startswith("Patients  2    sex     =1+1")
    assert "Patients,2,sex,'=1+1," in fault_csv(result.faults)


# ---- what is in work already ----------------------------------------------


def test_a_workbook_may_speak_of_studies_the_collection_has(published):
    """A second workbook adds outcomes to patients that are there, and no more."""
    rows = {sheet.title: [] for sheet in SHEETS}
    rows[OUTCOMES] = [
        {"patient": "fujita-2019-1", "outcome": 3, "domain": "skin", "measure": "mRSS"},
        {"patient": "fujita-2019-1", "course": 3, "domain": "skin", "measure": "mRSS"},
        {"patient": "fujita-2019-9", "domain": "skin", "measure": "mRSS"},
    ]
    result = imported(rows, published)
    assert [(one.row, one.column) for one in result.faults] == [(3, "course"), (4, "patient")]
    del rows[OUTCOMES][1:]
    assert len(imported(rows, published).documents["fujita-2019"]) == 1


def test_rules_look_at_a_row_together_with_what_is_there(published):
    rows = {sheet.title: [] for sheet in SHEETS}
    rows[EVENTS] = [{"patient": "fujita-2019-1", "category": "infection"}]
    fault = only_fault(imported(rows, published))
    assert (fault.sheet, fault.row, fault.column) == (EVENTS, 2, "course")
    rows[COURSES] = [
        {"patient": "fujita-2019-1", "inhibitor": "baricitinib", "adverse events": "events"}
    ]
    assert imported(rows, published).faults == []
    rows[STUDIES] = [
        {
            "study": "fujita-2019",
            "short name": "Fujita 2019",
            "design": "case_report",
            "read": "abstract",
            "patients given a JAK inhibitor": 0,
        }
    ]
    assert only_fault(imported(rows, published)).column == "patients given a JAK inhibitor"


def test_an_id_belongs_to_one_patient_of_all(published):
    rows = four_patients()
    rows[PATIENTS][2] = {"study": "beispiel-2027", "patient": "fujita-2019-1", "label": "X"}
    for row in rows[COURSES]:
        row["patient"] = row["patient"].replace("beispiel-2027-3", "fujita-2019-1")
    fault = only_fault(imported(rows, published))
    assert "fujita-2019" in fault.problem


# ---- hostile and broken files ---------------------------------------------


def rezipped(file: io.BytesIO, change: dict[str, bytes | None] | None = None, **more) -> io.BytesIO:
    """A workbook with parts replaced (None: removed) or added."""
    result, change = io.BytesIO(), dict(change or {})
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = change.pop(entry.filename, old.read(entry))
            if content is not None:
                new.writestr(entry.filename, content)
        for name, content in change.items():
            if content is not None:
                new.writestr(name, content)
    result.seek(0)
    return result


def part(file: io.BytesIO, name: str) -> bytes:
    with zipfile.ZipFile(file) as archive:
        return archive.read(name)


DOCTYPE = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
OUTWARD = (
    b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    b'<Relationship Id="rId1" TargetMode="External" Target="http://localhost/x.png" '
    b'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image"/>'
    b"</Relationships>"
)
SHEET = "xl/worksheets/sheet1.xml"


def bomb() -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Studies.csv", b"0" * 20_000_000)
    file.seek(0)
    return file


def many_parts() -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(600):
            archive.writestr(f"{number}.csv", b"")
    file.seek(0)
    return file


def encrypted() -> io.BytesIO:
    data = bytearray(csv_files(four_patients()).read())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := data.find(signature, start)) >= 0:
            data[start + offset] |= 1
            start += 4
    return io.BytesIO(bytes(data))


def plain() -> io.BytesIO:
    return workbook(four_patients())


HOSTILE = {
    "charts": (lambda: rezipped(plain(), {"xl/chartsheets/sheet1.xml": b"<x/>"}), "charts"),
    "macros": (lambda: rezipped(plain(), {"xl/vbaProject.bin": b"x"}), "macros"),
    "a macro’s content type": (
        lambda: rezipped(
            plain(),
            {
                "[Content_Types].xml": part(plain(), "[Content_Types].xml").replace(
                    b"spreadsheetml.sheet.main", b"ms-excel.sheet.macroEnabled.main"
                )
            },
        ),
        "macros",
    ),
    "old macros": (lambda: rezipped(plain(), {"xl/macrosheets/sheet1.xml": b"<x/>"}), "macros"),
    "an external link (DDE)": (
        lambda: rezipped(plain(), {"xl/externalLinks/externalLink1.xml": b"<x/>"}),
        "links to other workbooks",
    ),
    "a data connection": (
        lambda: rezipped(plain(), {"xl/connections.xml": b"<x/>"}),
        "connections",
    ),
    "an embedded object": (lambda: rezipped(plain(), {"xl/embeddings/a.bin": b"x"}), "objects"),
    "a picture from elsewhere": (
        lambda: rezipped(plain(), {"xl/drawings/_rels/drawing1.xml.rels": OUTWARD}),
        "fetched",
    ),
    "an entity": (
        lambda: rezipped(
            plain(), {SHEET: DOCTYPE + part(plain(), SHEET).replace(b"Beispiel 2027", b"&a;")}
        ),
        "document type",
    ),
    "an entity in another encoding": (
        lambda: rezipped(plain(), {SHEET: part(plain(), SHEET).decode().encode("utf-16")}),
        "UTF-8",
    ),
    "a bomb": (bomb, "far larger"),
    "many parts": (many_parts, "parts"),
    "a password on the ZIP": (encrypted, "password"),
    "a workbook with a password": (lambda: io.BytesIO(opening.OLE + b"\0" * 600), "password"),
    "a PDF": (lambda: io.BytesIO(b"%PDF-1.7"), "neither"),
    "nothing": (lambda: io.BytesIO(b""), "neither"),
    "half a workbook": (lambda: io.BytesIO(plain().read()[:3000]), "damaged"),
    "a workbook with a broken sheet": (lambda: rezipped(plain(), {SHEET: b"<a>"}), "read"),
    "a workbook with a row before the first": (
        lambda: rezipped(plain(), {SHEET: part(plain(), SHEET).replace(b'r="2"', b'r="-2"')}),
        "order",
    ),
    "a workbook with a row of a number without end": (
        lambda: rezipped(
            plain(), {SHEET: part(plain(), SHEET).replace(b'r="2"', b'r="%s"' % (b"9" * 9_000))}
        ),
        "order",
    ),
    "a workbook with a row twice": (
        lambda: rezipped(plain(), {SHEET: part(plain(), SHEET).replace(b'r="3"', b'r="2"')}),
        "order",
    ),
    "a workbook without its index": (lambda: rezipped(plain(), {"xl/workbook.xml": b"x"}), "read"),
    "another document": (lambda: rezipped(plain(), {"xl/workbook.xml": None}), "neither"),
    "OpenDocument": (lambda: rezipped(bomb_free(), {"mimetype": b"x"}), "another kind"),
    "latin-1": (lambda: csv_files(umlauts(), encoding="latin-1"), "UTF-8"),
    "a file beside the CSVs": (
        lambda: rezipped(csv_files(four_patients()), {"a.exe": b""}),
        "a.exe",
    ),
}


def bomb_free() -> io.BytesIO:
    file = io.BytesIO()
    zipfile.ZipFile(file, "w").close()
    file.seek(0)
    return file


def umlauts() -> workbooks.Rows:
    rows = four_patients()
    rows[STUDIES][0]["authors"] = "Müller"
    return rows


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_and_broken_files_are_refused_in_words(published, what):
    make, words = HOSTILE[what]
    with pytest.raises(UnreadableFile, match=words):
        read_workbook(make(), "studies.xlsx", published)


def test_a_hyperlink_in_a_cell_is_only_text(published):
    book = openpyxl.load_workbook(plain())
    cell_ = book[STUDIES].cell(2, 1)
    cell_.hyperlink = "https://doi.org/10.1000/beispiel.2027"
    cell_.value = "beispiel-2027"
    file = io.BytesIO()
    book.save(file)
    assert read_workbook(file, "studies.xlsx", published).faults == []


@pytest.mark.slow
def test_a_million_empty_rows_are_refused_at_once(published):
    rows = "".join(f'<row r="{number}"/>' for number in range(2, 1_000_000)).encode()
    body = part(plain(), SHEET).replace(b"</sheetData>", rows + b"</sheetData>")
    with pytest.raises(UnreadableFile, match="rows"):
        read_workbook(rezipped(plain(), {SHEET: body}), "studies.xlsx", published)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (b'<row r="1048576"><c r="A1048576" t="str"><v>x</v></c></row>', "rows"),
        (b'<row r="90"><c r="XFD90" t="str"><v>x</v></c></row>', "XFD"),
    ],
)
def test_a_cell_far_away_is_refused(published, extra, words):
    body = part(plain(), SHEET).replace(b"</sheetData>", extra + b"</sheetData>")
    with pytest.raises(UnreadableFile, match=words):
        read_workbook(rezipped(plain(), {SHEET: body}), "studies.xlsx", published)


@pytest.mark.parametrize("text", ["=1+1", "=cmd|'/c calc'!A0", "@SUM(A1)", "+cmd|' /c calc'!A0"])
def test_formulas_and_commands_in_csv_are_faults(published, text):
    rows = four_patients()
    rows[COURSES][0]["dose"] = text
    fault = only_fault(read_workbook(csv_files(rows), "studies.zip", published))
    assert named(fault) == (COURSES, 2, "dose", text)


def test_guarded_xml_is_no_option(published, monkeypatch):
    monkeypatch.setattr(openpyxl, "DEFUSEDXML", False)
    with pytest.raises(UnreadableFile, match="OPENPYXL_DEFUSEDXML"):
        read_workbook(plain(), "studies.xlsx", published)


# ---- the commands ---------------------------------------------------------


def run(*arguments, **options) -> tuple[str, str]:
    out, error = StringIO(), StringIO()
    call_command(*arguments, stdout=out, stderr=error, **options)
    return out.getvalue(), error.getvalue()


@pytest.mark.slow
def test_the_commands_go_from_template_to_studies_in_work(published, tmp_path):
    empty, filled = tmp_path / "empty.xlsx", tmp_path / "filled.xlsx"
    run("workbook_template", str(empty))
    with pytest.raises(CommandError, match="--force"):
        run("workbook_template", str(empty))
    run("workbook_template", str(empty), force=True)
    filled.write_bytes(fill_template(empty.read_bytes(), four_patients()).read())
    version = DataVersion.current().token
    out, _ = run("import_workbook", str(filled), dry_run=True)
    assert "Would be kept as studies in work: 2 new." in out
    assert "12 weeks" in out
    assert not StudyDraft.objects.filter(slug="beispiel-2027").exists()
    out, _ = run("import_workbook", str(filled), message="Two people read it.")
    assert "2 new" in out
    draft = StudyDraft.objects.get(slug="beispiel-2027")
    assert draft.head.message == "Two people read it."
    assert draft.head.content == expected_of_four()
    out, _ = run("import_workbook", str(filled))
    assert "2 unchanged" in out
    assert DataVersion.current().token == version


@pytest.mark.slow
def test_with_a_fault_nothing_is_changed_and_the_file_comes_back_marked(published, tmp_path):
    rows = with_rows(four_patients())
    rows[PATIENTS][0]["sex"] = "both"
    file, report = tmp_path / "studies.xlsx", tmp_path / "report.xlsx"
    file.write_bytes(workbook(rows).read())
    out, error = StringIO(), StringIO()
    with pytest.raises(CommandError, match=r"Nothing was changed\. Faults: 1"):
        call_command("import_workbook", str(file), report=report, stdout=out, stderr=error)
    assert "Patients  2    sex" in error.getvalue()
    book = openpyxl.load_workbook(report)
    assert book[FAULTS]["D2"].value == "both"
    assert not StudyDraft.objects.filter(slug="beispiel-2027").exists()
    report = tmp_path / "report.csv"
    with pytest.raises(CommandError, match="Faults: 1"):
        call_command("import_workbook", str(file), report=report, stdout=out, stderr=error)
    assert "Patients,2,sex,both" in report.read_text()


def test_commands_say_what_cannot_be_done(published, tmp_path):
    for arguments, words in (
        (("workbook_template", str(tmp_path / "a.xlsx"), "--collection=nowhere"), "collection"),
        (("workbook_template", str(tmp_path / "a.ods")), "xlsx"),
        (("workbook_template", str(tmp_path / "nowhere" / "a.xlsx")), "nowhere"),
        (("import_workbook", str(tmp_path / "a.xlsx")), "Nothing was changed"),
        (("import_workbook", str(tmp_path / "a.xlsx"), "--collection=nowhere"), "collection"),
    ):
        with pytest.raises(CommandError, match=words):
            run(*arguments)

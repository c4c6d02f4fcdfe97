"""Files that fill studies in work, as a curator sends them in the admin."""

import base64
import io
import re

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from evidence.admin import imports
from evidence.curation.workbook.sheets import SHEETS
from evidence.models import Patient, Study, StudyDraft

from .drafting import keep, with_cell
from .workbooks import PATIENTS, csv_files, four_patients, with_rows, workbook

pytestmark = pytest.mark.django_db

RIS = """TY  - JOUR
TI  - One more series
AU  - Muster, Anna
PY  - 2026
DO  - 10.1000/{doi}
ER  -
"""


def page(name: str) -> str:
    return reverse(f"admin:evidence_studydraft_{name}")


def uploaded(client, work, content: bytes, name: str = "studies.xlsx", **data):
    """The page that answers a workbook."""
    file = SimpleUploadedFile(name, content)
    return client.post(page("import"), {"collection": work.pk, "file": file} | data)


def words(answer) -> str:
    return " ".join(answer.content.decode().split())


def test_the_empty_workbook_has_every_sheet(admin_client, work):
    assert "Empty workbook" in words(admin_client.get(page("template")))
    answer = admin_client.get(page("template"), {"collection": work.pk})
    assert answer["Content-Disposition"] == 'attachment; filename="casebook-work.xlsx"'
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert {sheet.title for sheet in SHEETS} < set(book.sheetnames)


def test_a_workbook_fills_studies_in_work_and_says_what_it_replaced(admin_client, work):
    told = words(uploaded(admin_client, work, workbook(four_patients()).read()))
    assert "Readers see nothing of it yet" in told and ">beispiel-2027</a>: new" in told
    assert "12 weeks became" in told
    draft = StudyDraft.objects.get(collection=work, slug="beispiel-2027")
    assert (draft.head.door, draft.head.author_name) == ("import", "admin")
    assert draft.head.message == "Workbook studies.xlsx."
    assert not Study.objects.filter(collection=work).exists()
    rows = with_rows(four_patients())
    before = rows[PATIENTS][0]["age (years)"]
    rows[PATIENTS][0]["age (years)"] = 77
    told = words(uploaded(admin_client, work, workbook(rows).read(), message="Age misread."))
    assert ">beispiel-2027</a>: changed" in told
    assert re.search(rf"age \(years\): {before} becomes 77", told)
    draft.refresh_from_db()
    assert draft.head.message == "Age misread."
    assert ">beispiel-2027</a>: unchanged" in words(
        uploaded(admin_client, work, csv_files(rows).read(), "studies.zip")
    )


@pytest.mark.parametrize("kind", ["xlsx", "zip"])
def test_a_workbook_with_a_fault_changes_nothing_and_comes_back_marked(admin_client, work, kind):
    rows = with_rows(four_patients())
    rows[PATIENTS][0]["sex"] = "both"
    content = (workbook if kind == "xlsx" else csv_files)(rows).read()
    answer = uploaded(admin_client, work, content, f"studies.{kind}")
    told = words(answer)
    assert "1 cell cannot be read" in told and "nothing was changed" in told
    assert [(one.sheet, one.column, one.value) for one in answer.context["faults"]] == [
        (PATIENTS, "sex", "both")
    ]
    report = base64.b64decode(answer.context["report"])
    if kind == "zip":
        assert answer.context["report_name"] == "studies-faults.csv"
        assert b"Patients,2,sex,both" in report
    else:
        assert answer.context["report_name"] == "studies-marked.xlsx"
        assert openpyxl.load_workbook(io.BytesIO(report))[PATIENTS]["E2"].value is not None
    assert not StudyDraft.objects.filter(collection=work).exists()


def test_what_is_no_workbook_is_said_beside_the_file(admin_client, work, monkeypatch):
    answer = uploaded(admin_client, work, b"%PDF-1.7", "paper.pdf")
    assert answer.context["form"].errors["file"]
    monkeypatch.setattr(imports, "MAX_UPLOAD", 1_000)
    answer = uploaded(admin_client, work, workbook(four_patients()).read())
    assert "Split it by studies." in answer.context["form"].errors["file"][0]
    answer = admin_client.post(page("import"), {"collection": work.pk})
    assert answer.context["form"].errors["file"]
    assert not StudyDraft.objects.filter(collection=work).exists()


def begin(client, work, text: str = "", **data):
    return client.post(page("references"), {"collection": work.pk, "text": text} | data)


def test_references_begin_studies_that_are_new(admin_client, work):
    told = words(begin(admin_client, work, RIS.format(doi="new")))
    assert "1 studies begun" in told and ": new" in told
    (draft,) = StudyDraft.objects.filter(collection=work)
    assert draft.head.message == "Begun from a reference."
    told = words(begin(admin_client, work, RIS.format(doi="new")))
    assert "Known already, not begun again: 1" in told
    file = SimpleUploadedFile("one.ris", RIS.format(doi="other").encode())
    told = words(begin(admin_client, work, file=file))
    assert ": new" in told and "they may be known" in told, "the same title and year"
    assert StudyDraft.objects.filter(collection=work).count() == 2


def test_references_that_cannot_be_read_are_said(admin_client, work, monkeypatch):
    for data, field in (
        ({}, "__all__"),
        ({"text": "no reference at all"}, "text"),
        ({"file": SimpleUploadedFile("a.ris", b"no reference at all")}, "file"),
        ({"text": RIS, "file": SimpleUploadedFile("a.ris", b"TY  - JOUR")}, "__all__"),
    ):
        answer = begin(admin_client, work, **data)
        assert field in answer.context["form"].errors
    monkeypatch.setattr(imports, "MAX_UPLOAD", 10)
    file = SimpleUploadedFile("a.ris", RIS.encode())
    assert "larger" in str(begin(admin_client, work, file=file).context["form"].errors)
    assert not StudyDraft.objects.filter(collection=work).exists()


@pytest.mark.parametrize("name", ["import", "template", "references"])
def test_somebody_who_may_only_look_fills_nothing(client, django_user_model, work, name):
    helper = django_user_model.objects.create(username="helper", is_staff=True)
    permissions = helper.user_permissions
    permissions.add(permissions.model.objects.get(codename="view_studydraft"))
    client.force_login(helper)
    assert client.get(page(name)).status_code == 403


# Buttons of a draft, where something stands in the way


def step(client, draft, name: str, *more, **data) -> str:
    place = reverse(f"admin:evidence_studydraft_{name}", args=[draft.pk, *more])
    return client.post(place, data, follow=True).content.decode()


def test_a_form_without_the_version_it_was_made_of_does_nothing(admin_client, draft):
    assert "The form was incomplete" in step(admin_client, draft, "publish_view")
    assert not Patient.objects.filter(slug="beispiel-2027-1").exists()


def test_a_version_that_is_not_there_is_not_restored(admin_client, draft):
    number = draft.head.number
    told = step(admin_client, draft, "restore_view", 9, based_on=number)
    assert "There is no version 9." in told
    draft.refresh_from_db()
    assert draft.head.number == number


def test_there_is_nothing_to_take_back_of_a_first_version(admin_client, draft):
    assert "no change to take back" in step(admin_client, draft, "undo_view", based_on=1)


def test_what_others_published_meanwhile_is_taken_over_with_both_values(admin_client, draft):
    step(admin_client, draft, "publish_view", based_on=1)
    draft.refresh_from_db()
    keep(draft, with_cell(draft.head.content, "patient", "age_years", 62))
    Patient.objects.filter(slug="beispiel-2027-1").update(age_years=70)
    based_on = draft.head.number
    told = step(admin_client, draft, "publish_view", based_on=based_on)
    assert "Nothing was overwritten" in told
    told = step(admin_client, draft, "take_over_view", based_on=based_on)
    assert "published 70, here 62, which stands" in told
    draft.refresh_from_db()
    step(admin_client, draft, "publish_view", based_on=draft.head.number)
    assert Patient.objects.get(slug="beispiel-2027-1").age_years == 62


def test_the_same_problem_of_many_records_is_cut_short_and_counted(admin_client, draft):
    patients = [
        {
            "model": "evidence.patient",
            "fields": {
                "study": ["work", "beispiel-2027"],
                "slug": f"beispiel-2027-{number}",
                "label": f"Case {number}",
                "age_years": 240,
            },
        }
        for number in range(2, 32)
    ]
    keep(draft, [*draft.head.content, *patients])
    told = step(admin_client, draft, "publish_view", based_on=draft.head.number)
    assert "And 10 more problems of this kind." in told
    assert not Patient.objects.filter(slug="beispiel-2027-2").exists()


def test_a_study_with_nothing_entered_has_a_page_and_no_preview(admin_client, work):
    empty = StudyDraft.objects.create(collection=work, slug="nothing-yet")
    place = reverse("admin:evidence_studydraft_change", args=[empty.pk])
    assert "nothing entered" in words(admin_client.get(place))
    preview = reverse("admin:evidence_studydraft_preview_view", args=[empty.pk])
    assert admin_client.get(preview).status_code == 404
    listed = words(admin_client.get(page("changelist")))
    assert "nothing-yet" in listed


def test_a_published_study_has_nothing_open_and_its_versions_are_listed(admin_client, draft):
    step(admin_client, draft, "publish_view", based_on=1)
    place = reverse("admin:evidence_studydraft_change", args=[draft.pk])
    assert "nothing open" in words(admin_client.get(place))
    listed = words(admin_client.get(reverse("admin:evidence_studyversion_changelist")))
    assert "work / beispiel-2027" in listed

"""Curation workbooks with made-up studies, written row by row."""

import copy
import csv
import io
import zipfile

import openpyxl

from evidence.curation.workbook.sheets import SHEETS

Rows = dict[str, list[dict]]  # by sheet: rows, each by header

PATIENTS, COURSES, OUTCOMES, EVENTS = "Patients", "Courses", "Outcomes", "Adverse events"
STUDIES, GROUPS, FINDINGS = "Studies", "Groups", "Findings"


def four_patients() -> Rows:
    """Four patients of one study, and one study that reports two groups."""
    return {
        STUDIES: [
            {
                "study": "beispiel-2027",
                "short name": "Beispiel 2027",
                "title": "Four patients on JAK inhibitors",
                "authors": "Beispiel B; Muster A",
                "journal": "Journal of Examples",
                "year": 2027,
                "pages": "3-5",
                "DOI": "https://doi.org/10.1000/beispiel.2027",
                "PMID": 41000001,
                "design": "Case series",
                "read": "Full text",
                "patients given a JAK inhibitor": 4,
                "country": "NR",
                "may share patients with": "muster-2026",
            },
            {
                "study": "muster-2026",
                "short name": "Muster 2026",
                "year": "2026",
                "ClinicalTrials.gov number": "nct01234567",
                "design": "RCT",
                "read": "Trial registration",
                "patients given a JAK inhibitor": 20,
                "results posted": "yes",
            },
        ],
        PATIENTS: [
            {
                "study": "beispiel-2027",
                "number": 1,
                "label": "Case 1",
                "sex": "F",
                "age (years)": 54,
                "disease duration (months)": "2 y",
                "DLCO (% predicted)": "61,5",
                "disease subset": "dcSSc",
                "comorbidities": "none",
                "prior therapies": "methotrexate; Mycophenolate mofetil",
                "list of prior therapies": "complete",
                "manifestations present": "Raynaud phenomenon; ILD; skin",
                "manifestations absent": "renal",
                "list of manifestations present": "Partial: there may be more",
                "autoantibodies present": "anti-Scl-70",
                "autoantibodies absent": "anti smith",
                "list of autoantibodies present": "NR",
                "place": "Table 1, p. 3",
            },
            {
                "study": "beispiel-2027",
                "patient": "beispiel-2027-2",
                "label": "Case 2",
                "sex": "male",
                "age (years)": "61 years",
                "DLCO (% predicted)": "NR",
                "disease subset": "?",
                "prior therapies": "none",
                "autoantibodies present": "NR",
                "notes": "Two courses.",
            },
            {"study": "beispiel-2027", "number": 3, "label": "Case 3"},
            {"study": "beispiel-2027", "number": 4, "label": "Case 4", "sex": "f"},
        ],
        COURSES: [
            {
                "patient": "beispiel-2027-1",
                "course": 1,
                "inhibitor": "Tofacitinib",
                "dose": "5 mg twice daily",
                "duration (months)": "12 weeks",
                "indications": "ILD; skin",
                "list of indications": "complete",
                "concomitant therapies": "none",
                "response (authors' overall verdict)": "improved",
                "relapsed": "no",
                "adverse events": "yes",
                "list of adverse events": "complete",
                "stopped": "yes",
                "stop reason": "zoster",
                "place": "Table 2, p. 4",
            },
            {"patient": "beispiel-2027-2", "course": 1, "inhibitor": "Xeljanz"},
            {
                "patient": "beispiel-2027-2",
                "course": 2,
                "inhibitor": "baricitinib",
                "adverse events": "none",
            },
            {
                "patient": "beispiel-2027-3",
                "inhibitor": "ruxolitinib",
                "adverse events": "NR",
                "outcomes": "NR",
            },
            {
                "patient": "beispiel-2027-4",
                "inhibitor": "upadacitinib",
                "adverse events": "events",
                "relapsed": "+",
            },
        ],
        OUTCOMES: [
            {
                "patient": "beispiel-2027-1",
                "domain": "skin",
                "measure": "mRSS",
                "baseline": "24,5",
                "follow-up": 15,
                "assessed at (month)": "24 weeks",
                "result": "improved",
                "place": "Figure 1",
            },
            {
                "patient": "beispiel-2027-1",
                "domain": "lung",
                "measure": "FVC % predicted",
                "baseline": "68 %",
                "follow-up": "NR",
                "result": "stable",
            },
            {
                "patient": "beispiel-2027-2",
                "course": 2,
                "domain": "vascular",
                "measure": "digital ulcers",
                "follow-up, in words": "healed",
                "assessed at (month)": 6,
                "result": "improved",
            },
        ],
        EVENTS: [
            {
                "patient": "beispiel-2027-1",
                "category": "infection",
                "as described": "Herpes zoster",
                "CTCAE grade": 2,
                "serious": "no",
                "led to stopping": "yes",
                "place": "p. 5",
            },
            {"patient": "beispiel-2027-4", "category": "Hepatitis", "serious": "NR"},
        ],
        GROUPS: [
            {
                "study": "muster-2026",
                "group": "tofacitinib",
                "label": "Tofacitinib 5 mg",
                "inhibitor": "tofacitinib",
                "patients": 20,
                "follow up weeks": "24 weeks",
                "indications": "skin",
                "position": 1,
                "place": "Table 1",
            },
            {
                "study": "muster-2026",
                "group": "placebo",
                "label": "Placebo",
                "patients": 10,
                "position": 2,
            },
        ],
        FINDINGS: [
            {
                "study": "muster-2026",
                "group": "tofacitinib",
                "kind": "Events of n",
                "measure": "any adverse event",
                "counts as": "Any adverse event",
                "counts a harm": "yes",
                "assessed at (weeks)": 24,
                "patients analysed": 20,
                "events": 9,
                "place": "Table 3",
            },
            {
                "study": "muster-2026",
                "group": "placebo",
                "kind": "median_change",
                "measure": "pruritus score",
                "baseline": 10,
                "follow-up": "9,5",
                "change": -0.5,
            },
        ],
    }


def patient_series(patients: int, studies: int = 1, *, places: bool = False) -> Rows:
    """Studies that together report so many patients, each with a course, three outcomes and an
    adverse event, all of it stated.
    """
    rows: Rows = {sheet.title: [] for sheet in SHEETS}
    for number in range(1, studies + 1):
        rows[STUDIES].append(
            {
                "study": f"series-{number}",
                "short name": f"Series {number}",
                "year": 2026,
                "design": "case_series",
                "read": "full_text",
            }
        )
    for position in range(patients):
        study, number = f"series-{position % studies + 1}", position // studies + 1
        patient = f"{study}-{number}"
        place = {"place": f"Table {1 + number % 7}, p. {number % 90 + 1}"} if places else {}
        rows[PATIENTS].append(
            {
                "study": study,
                "number": number,
                "patient": patient,
                "label": f"Case {number}",
                "sex": "FM"[position % 2],
                "age (years)": 20 + position % 60,
                "disease duration (months)": position % 240,
                "DLCO (% predicted)": f"{40 + position % 60},5",
                "disease subset": ("dcSSc", "lcSSc", "NR")[position % 3],
                "comorbidities": "hypertension; gout",
                "prior therapies": "methotrexate; prednisone",
                "list of prior therapies": "complete",
                "manifestations present": "raynaud; skin; joints",
                "manifestations absent": "renal; cardiac",
                "list of manifestations present": "partial",
                "autoantibodies present": "ana; anti-scl-70",
                "list of autoantibodies present": "complete",
                **place,
            }
        )
        rows[COURSES].append(
            {
                "patient": patient,
                "course": 1,
                "inhibitor": ("tofacitinib", "baricitinib", "ruxolitinib")[position % 3],
                "dose": "5 mg twice daily",
                "duration (months)": f"{12 + position % 40} weeks",
                "indications": "skin; joints",
                "list of indications": "complete",
                "concomitant therapies": "none",
                "response (authors' overall verdict)": ("improved", "stable")[position % 2],
                "relapsed": "no",
                "adverse events": "events",
                "list of adverse events": "complete",
                "stopped": "no",
                **place,
            }
        )
        for month, domain, measure in (
            (3, "skin", "mRSS"),
            (6, "skin", "mRSS"),
            (6, "lung", "FVC % predicted"),
        ):
            rows[OUTCOMES].append(
                {
                    "patient": patient,
                    "domain": domain,
                    "measure": measure,
                    "baseline": 20 + position % 20,
                    "follow-up": f"{15 + position % 20}.5",
                    "assessed at (month)": month,
                    "result": "improved",
                    **place,
                }
            )
        rows[EVENTS].append(
            {
                "patient": patient,
                "category": "infection",
                "as described": "Common cold",
                "serious": "no",
                "led to stopping": "no",
                **place,
            }
        )
    return rows


def with_rows(rows: Rows) -> Rows:
    """A copy to be changed."""
    return copy.deepcopy(rows)


def headers_of(title: str, rows: list[dict]) -> list[str]:
    """The headers of a sheet: ours, and whatever else rows name."""
    own = next(([c.header for c in sheet.columns] for sheet in SHEETS if sheet.title == title), [])
    return list(dict.fromkeys([*own, *(name for row in rows for name in row)]))


def workbook(rows: Rows, headers: dict[str, list[str]] | None = None) -> io.BytesIO:
    """The rows as a workbook; `headers` where a sheet is to have others than its own."""
    book = openpyxl.Workbook(write_only=True)
    for title, own in rows.items():
        sheet = book.create_sheet(title)
        names = (headers or {}).get(title) or headers_of(title, own)
        sheet.append(names)
        for row in own:
            sheet.append([row.get(name) for name in names])
    file = io.BytesIO()
    book.save(file)
    file.seek(0)
    return file


def csv_files(rows: Rows, *, delimiter: str = ",", encoding: str = "utf-8") -> io.BytesIO:
    """The rows as a ZIP of CSV files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for title, own in rows.items():
            text, names = io.StringIO(), headers_of(title, own)
            writer = csv.DictWriter(text, names, delimiter=delimiter)
            writer.writeheader()
            writer.writerows(own)
            archive.writestr(f"{title}.csv", text.getvalue().encode(encoding))
    file.seek(0)
    return file


def fill_template(template: bytes, rows: Rows) -> io.BytesIO:
    """The template with these rows typed in."""
    book = openpyxl.load_workbook(io.BytesIO(template))
    for title, own in rows.items():
        sheet = book[title]
        index = {cell.value: cell.column for cell in sheet[1]}
        for number, row in enumerate(own, start=2):
            for name, value in row.items():
                sheet.cell(number, index[name], value)
    file = io.BytesIO()
    book.save(file)
    file.seek(0)
    return file


def measure_value(label: str):
    """How a document names an outcome's measure."""
    column = next(sheet for sheet in SHEETS if sheet.title == OUTCOMES).column("measure")
    if column.kind != "term":
        return label
    return [column.vocabulary.objects.get(label=label).natural_key()[0]]

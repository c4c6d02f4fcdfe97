"""A curator's way in a real browser: from the empty workbook to the public page."""

import io
import re

import pytest
from openpyxl import load_workbook
from playwright.sync_api import expect

from ..workbooks import COURSES, PATIENTS, STUDIES, Rows, fill_template
from .conftest import Site, close
from .test_cohort import AXE

pytestmark = pytest.mark.browser

WORK = "/admin/evidence/studydraft/"
PASSWORD = "the right one"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def rows(**patient) -> Rows:
    return {
        STUDIES: [
            {
                "study": "muster-2027",
                "short name": "Muster 2027",
                "year": 2027,
                "design": "Case report",
                "read": "Full text",
            }
        ],
        PATIENTS: [
            {"study": "muster-2027", "number": 1, "label": "Case 1", "sex": "F", "age (years)": 54}
            | patient
        ],
        COURSES: [
            {
                "patient": "muster-2027-1",
                "inhibitor": "tofacitinib",
                "adverse events": "none",
                "outcomes": "NR",
            }
        ],
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The address of a site apart: what is published here stands on no page of other tests."""
    own = Site(tmp_path_factory.mktemp("curating"))
    own.command("migrate", "--verbosity", "0")
    own.command("load_evidence", "--verbosity", "0")
    own.command(
        "createsuperuser",
        "--noinput",
        "--username=ada",
        "--email=ada@example.org",
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
    )
    with own.served():
        yield own.address


@pytest.fixture(scope="module")
def curator(site, chromium):
    """A browser in which a curator has logged in; what its console says is kept."""
    context = chromium.new_context()
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto(site + "/admin/")
    page.get_by_label("Username:").fill("ada")
    page.get_by_label("Password:").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    close(page)
    yield context
    context.close()


@pytest.fixture
def desk(curator, site):
    """A page of the curator's; at the end its console has to have been silent."""
    page, said = curator.new_page(), []
    page.on("console", lambda message: said.append(f"{page.url}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    page.on("dialog", lambda dialog: said.append(f"{page.url}: {dialog.message}"))
    yield page
    close(page)
    assert said == []


@pytest.fixture(scope="module")
def template(curator, site) -> bytes:
    """The empty workbook, by the link on the first page."""
    page = curator.new_page()
    page.goto(site + "/admin/")
    page.get_by_role("link", name="Empty workbook").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the empty workbook").click()
    content = download.value.path().read_bytes()
    close(page)
    return content


def fits_and_is_clean(page) -> None:
    """No finding of axe, and nothing to scroll sideways, at both ends of what people have."""
    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
        page.evaluate(AXE)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations'], preload: false})")
        assert [
            (page.url, width, each["id"], [node["html"][:150] for node in each["nodes"][:3]])
            for each in found["violations"]
        ] == []
    page.set_viewport_size({"width": 1440, "height": 900})


def upload(page, content: bytes, message: str = "") -> None:
    page.get_by_label("File").set_input_files(
        {"name": "muster.xlsx", "mimeType": XLSX, "buffer": content}
    )
    page.get_by_label("Message").fill(message)
    page.get_by_role("button", name="Import", exact=True).click()


def press(page, name: str, told: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text(told)


def test_from_the_empty_workbook_to_the_public_page(desk, site, template):
    """Faults are told by cell, mended, imported, changed, taken back, looked at, and published."""
    public = f"{site}/published/patients/muster-2027-1/"
    desk.goto(site + "/admin/")
    desk.get_by_role("link", name="Import a workbook").click()
    faulty = rows(**{"age (years)": "fifty", "disease subset": "diffus"})
    upload(desk, fill_template(template, faulty).getvalue())
    expect(desk.locator(".errornote")).to_contain_text("2 cells cannot be read")
    told = [row.inner_text().split("\t") for row in desk.locator("table.cells tbody tr").all()]
    assert [row[:4] for row in told] == [
        ["Patients", "2", "age (years)", "fifty"],
        ["Patients", "2", "disease subset", "diffus"],
    ]
    assert "is not a number" in told[0][4] and "Diffuse cutaneous" in told[1][5]
    fits_and_is_clean(desk)
    with desk.expect_download() as download:
        desk.get_by_role("link", name="Download the same file").click()
    marked = load_workbook(io.BytesIO(download.value.path().read_bytes()))
    assert any(cell.comment for row in marked[PATIENTS].iter_rows() for cell in row)

    upload(desk, fill_template(template, rows()).getvalue())
    expect(desk.locator("#content")).to_contain_text("muster-2027: new")
    fits_and_is_clean(desk)
    upload(desk, fill_template(template, rows(**{"age (years)": 55})).getvalue(), "Looked again.")
    expect(desk.locator("#content")).to_contain_text("muster-2027: changed")
    desk.get_by_role("link", name="muster-2027").click()
    expect(desk.locator("#content")).to_contain_text("State: in work, new, version 2.")
    desk.get_by_role("link", name="Version 2", exact=True).click()
    row = desk.locator("details tbody tr")
    assert row.inner_text().split("\t") == ["Age (years)", "54", "55"]
    fits_and_is_clean(desk)
    desk.go_back()
    press(desk, "Undo the last change", "The last change is taken back.")
    fits_and_is_clean(desk)

    assert desk.request.get(public).status == 404
    desk.get_by_role("link", name="muster-2027-1", exact=True).click()
    expect(desk.locator("main")).to_contain_text("54")
    expect(desk.get_by_label("Preview")).to_contain_text("Readers do not see this.")
    fits_and_is_clean(desk)
    desk.get_by_role("link", name="Back to the study in work").click()
    desk.get_by_role("link", name="Publish version 3").click()
    expect(desk.locator("#content")).to_contain_text("Not by a second person.")
    fits_and_is_clean(desk)
    desk.get_by_label("What and why").fill("First entry.")
    press(desk, "Publish for readers", "Published: readers see it now.")
    expect(desk.locator("#content")).to_contain_text("State: nothing open, version 4.")
    fits_and_is_clean(desk)
    desk.goto(public)
    expect(desk.locator("main")).to_contain_text("54")
    assert not desk.get_by_label("Preview").count()


@pytest.mark.parametrize(
    "address",
    [
        "/admin/",
        "/admin/faults/",
        WORK,
        WORK + "?work=open",
        WORK + "workbook/",
        WORK + "import/",
        WORK + "references/",
        "/admin/evidence/studyversion/",
    ],
)
def test_pages_of_work_fit_and_are_clean(desk, site, address):
    desk.goto(site + address)
    fits_and_is_clean(desk)


NAMED = "document.activeElement.value || document.activeElement.textContent.trim()"


def test_references_begin_studies_whose_buttons_are_reached_by_keyboard(desk, site):
    desk.goto(site + WORK + "references/")
    reference = "TY  - JOUR\nTI  - Of an example\nAU  - Beispiel, B\nPY  - 2026\nER  -"
    desk.get_by_label("References").fill(reference)
    desk.get_by_role("button", name="Begin studies").click()
    expect(desk.locator("#content")).to_contain_text("Studies: 1")
    fits_and_is_clean(desk)
    desk.locator("#content").get_by_role("link", name="beispiel-2026").click()
    desk.get_by_role("link", name="Preview the study’s page").focus()
    stops = []
    while "Publish version 1 …" not in stops and len(stops) < 20:
        desk.keyboard.press("Tab")
        stops.append(desk.evaluate(NAMED))
    assert stops[0].startswith("Study, new:")
    assert [stop for stop in stops if "second time" not in stop][-5:] == [
        "Undo the last change",
        "Give up this work",
        "Check value by value",
        "Send to be checked",
        "Publish version 1 …",
    ]
    for _ in range(len(stops) - 1 - stops.index("Give up this work")):
        desk.keyboard.press("Shift+Tab")
    desk.keyboard.press("Enter")
    expect(desk.locator(".messagelist")).to_contain_text("The work is given up")
    expect(desk.locator("#content")).to_contain_text("State: nothing entered.")


def test_a_change_of_somebody_else_is_told_beside_the_field(desk, curator, site):
    desk.goto(site + "/admin/evidence/patient/?q=fujita-2019-1")
    desk.locator("#result_list tbody th a").first.click()
    other = curator.new_page()
    other.goto(desk.url)
    for page, age in ((other, "72"), (desk, "73")):
        page.get_by_label("Age (years)").fill(age)
        page.get_by_role("button", name="Save and continue editing").click()
        if page is other:
            expect(page.locator(".messagelist")).to_contain_text("was changed successfully")
    close(other)
    expect(desk.get_by_role("alert")).to_contain_text("nothing has been saved")
    errors = desk.locator("#id_age_years_error")
    expect(errors).to_contain_text(re.compile("Changed meanwhile by ada to “72”; you have “73”"))
    assert desk.get_by_label("Age (years)").get_attribute("aria-invalid") == "true"
    desk.set_viewport_size({"width": 360, "height": 900})
    assert desk.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_login_and_its_wait_are_clean(chromium, site):
    context = chromium.new_context()
    page = context.new_page()
    page.goto(site + "/admin/")
    fits_and_is_clean(page)
    for _ in range(5):
        page.get_by_label("Username:").fill("eve")
        page.get_by_label("Password:").fill("a guess")
        page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Too many wrong passwords")
    fits_and_is_clean(page)
    context.close()

"""A reader's way through Casebook in a real Chromium, served as `make run` serves it."""

from hashlib import sha256

import pytest
from playwright.sync_api import expect

from .conftest import drawn

pytestmark = pytest.mark.browser
WIDTHS = [1440, 768, 360]
SCHEMES = ["light", "dark"]
PAGES = [
    "/",
    "/published/",
    "/published/?inhibitor=tofacitinib&indication=ild&indication=skin&indication_match=all",
    "/published/patients/",
    "/published/patients/fujita-2019-1/",
    "/published/studies/karalilova-2021/",
    "/published/groups/",
    "/published/?sex=nonsense",
    "/sener-2025-reconstruction/",
    "/sener-2025-reconstruction/charts/",
    "/sener-2025-reconstruction/adverse-events/",
    "/drawn/?chart=swimmers&chart=mrss-levels&chart=fvc-levels&chart=manifestation-sets&"
    "chart=prior-sets",
    "/sener-2025-reconstruction/compare/?a=inhibitor%3Dtofacitinib&b=inhibitor%3Dbaricitinib",
    "/published/compare/",
    "/sener-2025-reconstruction/forest/",
    "/published/forest/?item=improved_joints",
    "/drawn/rules/",
    "/drawn/completeness/",
    "/published/similar/?age=48&sex=male&manifestation=skin&without=lung&prior=methotrexate",
    "/published/flow/",
    "/inhibitors/",
    "/inhibitors/tofacitinib/",
    "/reviews/",
    "/reviews/sener-2025/",
    "/methods/",
    "/data-dictionary/",
    "/cite/",
    "/releases/",
    "/api/",
    "/published/?sex=female&release=1",
    "/admin/login/",
]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("address", PAGES)
def test_every_page_fits_and_the_console_is_silent(visit, address, scheme):
    page = visit(address, scheme=scheme)
    assert page.title()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def patients_in(page) -> str:
    return page.locator("#answer strong").inner_text()


def test_a_clinician_asks_the_main_question_in_place(visit, site):
    page = visit("/sener-2025-reconstruction/")
    page.evaluate("window.stayed = true")
    page.get_by_label("tofacitinib 72").check()
    expect(page.locator("#answer strong")).to_have_text("72 patients")
    assert page.url == f"{site}/sener-2025-reconstruction/?inhibitor=tofacitinib"
    page.locator("#f-indication-ild").check()
    page.wait_for_url("**/?inhibitor=tofacitinib&indication=ild")
    page.locator("#f-indication-skin").check()
    page.wait_for_url("**&indication=skin")
    page.locator("#f-indication-match").select_option("all")
    page.wait_for_url("**&indication_match=all")
    assert patients_in(page) == "21 patients"
    assert page.evaluate("window.stayed") is True, "the page was updated, not loaded anew"
    assert page.locator("#announce").inner_text().startswith("21 patients match")
    drawn(page)
    page.locator("#d-sex summary").click()
    page.locator("#f-sex-female").check()
    page.wait_for_url("**&sex=female")
    assert page.locator("#d-sex").get_attribute("open") is not None, "an opened filter stays open"
    assert page.evaluate("document.activeElement.id") == "f-sex-female", (
        "the keyboard stays where it was"
    )


@pytest.mark.parametrize("width", [1440, 768])
@pytest.mark.parametrize(
    "address",
    ["/sener-2025-reconstruction/", "/sener-2025-reconstruction/patients/?inhibitor=tofacitinib"],
)
def test_a_filter_used_after_scrolling_keeps_the_page_where_it_is(visit, address, width):
    page = visit(address, width=width)
    if width < 1000:
        page.locator("label[for=show-filters]").click()
    page.locator("#d-sex summary").click()
    for option, word in (("#f-sex-female", "sex=female"), ("#f-sex-male", "sex=male")):
        page.locator(option).evaluate("option => option.scrollIntoView({block: 'center'})")
        before = page.evaluate("window.scrollY")
        assert before > 100, "the page is scrolled before"
        page.locator(option).check()
        page.wait_for_url(f"**{word}**")
        drawn(page)
        assert abs(page.evaluate("window.scrollY") - before) <= 2, option


def test_back_and_the_chips_undo(visit, site):
    page = visit("/sener-2025-reconstruction/?inhibitor=tofacitinib")
    page.locator("#f-indication-ild").check()
    page.wait_for_url("**&indication=ild")
    page.go_back()
    expect(page.locator("#answer strong")).to_have_text("72 patients")
    assert page.url.endswith("/?inhibitor=tofacitinib")
    drawn(page)
    page.get_by_label("Remove JAK inhibitor: tofacitinib").click()
    page.wait_for_url("**/sener-2025-reconstruction/")
    assert patients_in(page) == "87 patients"


def test_it_works_without_script(visit, site):
    page = visit("/sener-2025-reconstruction/patients/", script=False)
    page.locator("#f-inhibitor-baricitinib").check()
    page.get_by_role("button", name="Show patients").click()
    assert patients_in(page) == "12 patients"
    assert page.locator("table.rows tbody tr").count() == 12
    page.goto(f"{site}/sener-2025-reconstruction/")
    page.get_by_role("link", name="Charts of this question").click()
    assert "22/49" in page.locator("#chart-indication-sets figcaption").inner_text()


def test_it_works_by_keyboard_alone(visit):
    page = visit("/published/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator("#f-indication-joints").focus()
    page.keyboard.press("Space")
    page.wait_for_url("**/?indication=joints")
    assert patients_in(page) == "2 patients"


def test_filters_open_on_a_small_screen(visit):
    page = visit("/published/", width=360)
    assert not page.locator("#question").is_visible()
    page.locator("label[for=show-filters]").click()
    assert page.locator("#question").is_visible()
    page.locator("#f-indication-joints").check()
    page.wait_for_url("**/?indication=joints")
    assert page.locator("#question").is_visible(), "it stays open while a question is put together"


def test_a_wrong_number_is_answered_in_place(visit):
    page = visit("/published/patients/")
    page.locator("#f-age_min").fill("forty")
    page.locator("#f-age_min").press("Enter")
    page.locator(".problem").wait_for()
    assert "“forty” is not a whole number for “Age from”." in page.locator(".problem").inner_text()
    assert page.locator("#f-age_min").input_value() == "forty", "what was typed is not lost"


def test_the_file_is_what_the_page_shows(visit, tmp_path):
    page = visit("/sener-2025-reconstruction/patients/?inhibitor=baricitinib")
    with page.expect_download() as download:
        page.get_by_text("Download these 12 as CSV").click()
    asked = sha256(b"inhibitor=baricitinib").hexdigest()[:8]
    assert (
        download.value.suggested_filename
        == f"casebook-simulated-sener-2025-reconstruction-patients-release-1-q{asked}.csv"
    )
    download.value.save_as(tmp_path / "file.csv")
    assert len((tmp_path / "file.csv").read_text(encoding="utf-8-sig").splitlines()) == 13


def test_plotly_comes_only_where_there_is_a_chart_and_is_kept_for_good(chromium, site):
    context = chromium.new_context()
    page, fetched = context.new_page(), []
    page.on(
        "response", lambda response: fetched.append(response) if "plotly" in response.url else None
    )
    page.goto(f"{site}/published/patients/")
    page.wait_for_load_state("networkidle")
    assert fetched == []
    page.goto(f"{site}/sener-2025-reconstruction/")
    drawn(page)
    (script,) = fetched
    assert script.headers["content-encoding"] in ("br", "gzip")
    assert "immutable" in script.headers["cache-control"]
    context.close()


def test_on_paper_the_numbers_remain(visit):
    page = visit("/sener-2025-reconstruction/")
    page.emulate_media(media="print")
    assert not page.locator("#question").is_visible()
    assert page.locator(".banner").is_visible()
    assert page.locator("table.shares").is_visible()

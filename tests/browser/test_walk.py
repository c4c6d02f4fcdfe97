"""A rheumatologist with five minutes: eight tasks, each in three clicks at most, and the first
screen on a desktop and on a telephone.
"""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
SIMULATED = "/sener-2025-reconstruction/"
MAIN = "?inhibitor=tofacitinib&indication=ild&indication=skin&indication_match=all"


class Hand:
    """Clicks, and counts them; typing is free."""

    def __init__(self, page, most: int):
        self.page, self.most, self.clicks = page, most, 0

    def click(self, target, **options) -> None:
        self.clicks += 1
        assert self.clicks <= self.most, "too many clicks"
        target.click(**options)

    def link(self, name: str, **options) -> None:
        self.click(self.page.get_by_role("link", name=name, **options).first)


def test_1_tofacitinib_for_ild_with_skin_one_click_from_home(visit):
    page = visit("/")
    Hand(page, most=1).link("Tofacitinib, for interstitial lung disease together with skin")
    expect(page.get_by_role("heading", level=1)).to_contain_text(
        "Tofacitinib, for skin together with ILD"
    )
    assert "0 patients" in page.locator("#answer").inner_text()
    assert "4 groups, 75 people on tofacitinib" in page.locator(".groups-line").inner_text()
    result = page.locator("table.evidence tbody tr").filter(has_text="mRSS").first
    assert result.bounding_box()["y"] < 900, "what groups report is on the first screen"


def test_2_a_patient_like_mine(visit):
    page = visit("/")
    hand = Hand(page, most=3)
    hand.link("Patients like mine")
    page.get_by_label("Age").first.fill("48")
    hand.click(page.get_by_role("radio", name="Male", exact=True))
    hand.click(page.get_by_role("button", name="Find patients"))
    expect(page.get_by_role("link", name="nodular-scleroderma-case-1")).to_be_visible()


def test_3_compare_for_infection(visit):
    page = visit(SIMULATED + "?inhibitor=tofacitinib")
    hand = Hand(page, most=3)
    hand.link("Compare these patients with others")
    hand.link("tofacitinib beside baricitinib")
    row = page.locator("table.compared tr").filter(has_text="Infection").first
    assert "14/63" in row.inner_text() and "1/10" in row.inner_text()


def test_4_the_rows_as_csv(visit):
    page = visit(SIMULATED + MAIN)
    with page.expect_download() as download:
        Hand(page, most=1).link("Download these 21 as CSV")
    assert len(download.value.path().read_text("utf-8-sig").splitlines()) == 22


def test_5_what_is_not_known(visit):
    page = visit(SIMULATED + MAIN)
    Hand(page, most=1).click(page.locator('[data-share="improved"] .unknown a'))
    expect(page.locator("#answer strong")).to_have_text("2 patients")
    page = visit(SIMULATED + MAIN)
    hand = Hand(page, most=2)
    hand.click(page.get_by_text("More", exact=True))
    hand.link("Completeness")
    assert page.locator("table.matrix").is_visible()


def test_6_cite_what_is_seen(visit, site):
    page = visit("/published/?inhibitor=tofacitinib")
    hand = Hand(page, most=2)
    hand.click(page.get_by_text("Cite this view"))
    listed = page.locator("nav.tabs a", has_text="Studies").locator(".count").inner_text()
    address = page.locator("[data-whole-address]").inner_text()
    assert address == f"{site}/published/?inhibitor=tofacitinib&release=1"
    with page.expect_download() as download:
        hand.link("RIS")
    assert download.value.path().read_text("utf-8").count("TY  -") == int(listed)


def test_7_from_a_number_to_its_paper(visit):
    page = visit("/published/" + MAIN)
    row = page.locator("table.evidence tr").filter(has_text="mRSS").first
    assert row.locator("a.doi").get_attribute("href").startswith("https://doi.org/10.")
    page = visit("/published/?indication=joints")
    Hand(page, most=1).click(page.locator("nav.tabs > a", has_text="Patients"))
    doi = page.locator("table.rows a.doi").first
    assert doi.get_attribute("href").startswith("https://doi.org/10."), "the next click opens it"


def test_8_published_or_simulated(visit):
    for width in (1440, 360):
        page = visit(SIMULATED + MAIN, width=width)
        assert page.locator(".banner").is_visible()
        assert page.locator("h1 .mark").inner_text().lower() == "simulated"
        page = visit("/published/" + MAIN, width=width)
        assert not page.locator(".banner").count() and not page.locator("h1 .mark").count()


# The first screen


@pytest.mark.parametrize("address", ["/published/" + MAIN, SIMULATED + MAIN, "/published/"])
def test_the_answer_begins_within_the_first_200_pixels_of_a_telephone(visit, address):
    page = visit(address, width=360)
    page.evaluate("scrollTo(0, 0)")
    assert page.locator("h1").bounding_box()["y"] < 200
    assert page.locator("#answer").bounding_box()["y"] < 250


@pytest.mark.parametrize("width", [1440, 768, 360])
def test_a_share_is_seen_whole_at_every_width(visit, width):
    """Fraction, interval and what is not known: all in view, none cut off."""
    page = visit(SIMULATED + MAIN, width=width)
    for row in page.locator("[data-share]").all():
        for part in (".number", ".rate", ".unknown"):
            box = row.locator(part).bounding_box()
            assert box["width"] > 0 and box["x"] >= 0 and box["x"] + box["width"] <= width
    assert "83.2–100.0" in page.locator('[data-share="improved"]').inner_text()
    assert "2 not extracted" in page.locator('[data-share="improved"]').inner_text()


def test_the_first_screen_of_a_desktop_has_the_shares_and_the_cases(visit):
    page = visit(SIMULATED + MAIN)
    page.evaluate("scrollTo(0, 0)")
    assert page.locator('[data-share="any_adverse_event"]').bounding_box()["y"] < 450
    assert page.locator("#cases").bounding_box()["y"] < 800


def test_the_overview_of_the_published_evidence_is_short(visit):
    page = visit("/published/")
    assert page.evaluate("document.documentElement.scrollHeight") < 2000


def test_skip_links_lead_to_the_answer_and_to_the_rows(visit):
    page = visit(SIMULATED + MAIN)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the answer"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "answer"
    page.locator(".skip").nth(1).focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "cases"


# The case matrix


def focused(page) -> str:
    return page.evaluate("document.activeElement.textContent")


def test_the_case_matrix_by_keyboard_as_a_grid(visit):
    page = visit(SIMULATED + MAIN)
    cells = page.locator("table.cells tbody td")
    assert page.locator("table.cells td[tabindex='0']").count() == 1, "one stop for Tab"
    cells.first.focus()
    assert focused(page) == "toftofacitinib"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert focused(page) == "given for it"
    assert page.locator(".cell-words").inner_text() == "SIM-03-03 · For ILD: given for it"
    page.keyboard.press("End")
    page.keyboard.press("ArrowDown")
    assert page.locator(".cell-words").inner_text() == "SIM-18-07 · Overall response: Improved"
    page.keyboard.press("ArrowRight")
    assert page.locator(".cell-words").inner_text().startswith("SIM-18-07"), "the last stays"
    page.keyboard.press("Enter")
    page.wait_for_url("**/patients/SIM-18-07/")


def test_the_case_matrix_by_mouse_and_by_finger(visit, chromium, site):
    page = visit(SIMULATED + MAIN)
    row = page.locator("table.cells tbody tr").filter(has_text="Age")
    row.locator("td").nth(2).hover()
    assert page.locator(".cell-words").inner_text() == "SIM-03-05 · Age: 52 years"
    row.locator("td").nth(2).click()
    page.wait_for_url("**/patients/SIM-03-05/")
    context = chromium.new_context(
        has_touch=True, is_mobile=True, viewport={"width": 360, "height": 740}
    )
    page = context.new_page()
    page.goto(site + SIMULATED + MAIN)
    cell = page.locator("table.cells tbody tr").filter(has_text="Age").locator("td").nth(2)
    cell.tap()
    assert page.locator(".cell-words").inner_text() == "SIM-03-05 · Age: 52 years"
    assert "/patients/" not in page.url, "the first tap says what the cell says"
    label = page.locator("table.cells tbody th").first
    before = label.bounding_box()["x"]
    page.locator("table.cells").evaluate("table => table.parentElement.scrollLeft = 150")
    assert label.bounding_box()["x"] == before, "labels stay in view"
    cell.tap()
    page.wait_for_url("**/patients/SIM-03-05/")
    context.close()


def test_the_case_matrix_is_sorted_in_place_and_keeps_the_question(visit):
    page = visit(SIMULATED + "?inhibitor=tofacitinib")
    page.locator("table.cells tbody th a", has_text="Age").click()
    page.wait_for_url("**/?inhibitor=tofacitinib&sort=age_years")
    ages = page.locator("table.cells tbody tr").filter(has_text="Age").locator("td").all()
    shown = [int(cell.inner_text().split()[0][:2]) for cell in ages[:10]]
    assert shown == sorted(shown)
    assert page.locator("th[aria-sort=ascending]").count() == 1


def test_the_case_matrix_without_script(visit):
    page = visit(SIMULATED + MAIN, script=False)
    page.locator("table.cells tbody th a", has_text="Relapsed").click()
    assert "sort=relapsed" in page.url
    page.locator("table.cells thead a").first.click()
    assert "/patients/SIM-" in page.url


def test_options_without_anybody_unfold(visit):
    page = visit("/published/")
    page.get_by_text("5 more, 0 patients").first.click()
    page.get_by_label("ruxolitinib").check()
    page.wait_for_url("**/?inhibitor=ruxolitinib")
    expect(page.locator("#answer strong")).to_have_text("0 patients")

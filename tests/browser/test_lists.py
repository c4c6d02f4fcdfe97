"""Lists at several widths and on paper: what came of it is never out of sight."""

import pytest

pytestmark = pytest.mark.browser

SIMULATED = "/sener-2025-reconstruction"
# How many columns, from the left, have to be in sight at every width.
LISTS = {
    "/published/patients/": 3,
    "/published/treatments/": 2,
    "/published/outcomes/": 2,
    "/published/findings/": 2,
    "/published/groups/": 2,
    "/published/studies/": 3,
    f"{SIMULATED}/patients/": 3,
    f"{SIMULATED}/adverse-events/": 4,
}


@pytest.mark.parametrize("width", [1440, 768, 360])
@pytest.mark.parametrize("address", LISTS)
def test_what_came_of_it_is_in_sight(visit, address, width):
    page = visit(address, width=width, script=False)
    heads = page.locator(".rows").last.locator("thead th")
    for place in range(LISTS[address]):
        box = heads.nth(place).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width, heads.nth(place).inner_text()


@pytest.mark.parametrize(
    ("address", "table"),
    [("/published/patients/", ".rows"), ("/published/completeness/", ".matrix")],
)
def test_which_row_it_is_stays_in_sight_while_the_rest_scrolls(visit, address, table):
    page = visit(address, width=360, script=False)
    place = page.locator(f"{table} tbody th").first
    before = place.bounding_box()["x"]
    scrolled = page.locator(f".scroll:has({table})")
    scrolled.evaluate("each => each.scrollTo(each.scrollWidth, 0)")
    assert scrolled.evaluate("each => each.scrollLeft") > 100
    assert place.bounding_box()["x"] == before


def test_two_indications_stand_in_one_line(visit):
    page = visit(f"{SIMULATED}/patients/", width=1440, script=False)
    cell = page.locator(".rows .set", has_text="ILD + skin").first
    lines = cell.evaluate(
        "each => { const range = document.createRange(); range.selectNodeContents(each);"
        " return range.getClientRects().length; }"
    )
    assert lines == 1


@pytest.mark.parametrize(
    "address",
    [*LISTS, "/published/completeness/", "/published/patients/fujita-2019-1/"],
)
def test_no_column_is_cut_on_paper(visit, address):
    """On A4, across where there is a list: less the margins, 277 or 190 mm."""
    page = visit(address, width=1440, script=False)
    page.emulate_media(media="print")
    across = page.evaluate("getComputedStyle(document.body).page") == "across"
    assert across == ("fujita" not in address)
    page.set_viewport_size({"width": 1047 if across else 718, "height": 900})
    cut = page.evaluate(
        "[...document.querySelectorAll('th, td')].filter(each =>"
        " each.getBoundingClientRect().right > innerWidth + 1).length"
    )
    assert cut == 0


def test_a_list_lies_across_the_sheet(visit, tmp_path):
    page = visit("/published/findings/", script=False)
    path = tmp_path / "findings.pdf"
    path.write_bytes(page.pdf(prefer_css_page_size=True, format="A4"))
    assert b"/MediaBox [0 0 84" in path.read_bytes()

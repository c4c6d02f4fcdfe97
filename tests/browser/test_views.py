"""Comparison, similar patients, forest plot, drugs and reviews, as they are met in a browser."""

import pytest

from .test_cohort import AXE

pytestmark = pytest.mark.browser
COMPARED = "/compare/?a=inhibitor%3Dtofacitinib&b=inhibitor%3Dbaricitinib"


def right_edge(locator) -> float:
    box = locator.bounding_box()
    return box["x"] + box["width"]


def test_on_a_telephone_both_sides_of_a_share_stand_in_one_block(visit):
    page = visit(f"/sener-2025-reconstruction{COMPARED}", width=360)
    row = page.locator("table.compared tbody tr", has_text="Relapsed")
    cells = row.locator("td:visible")
    assert all(right_edge(cell) <= 360 for cell in cells.all()), "nothing to scroll sideways for"
    first, second = row.locator("td.first").all()
    assert first.bounding_box()["y"] < second.bounding_box()["y"], "A above B"
    assert row.inner_text().count("(") >= 2, "both intervals"
    named = row.locator("td.unknown").first.evaluate(
        "cell => getComputedStyle(cell, '::after').content"
    )
    assert named == '" not known"'


def test_a_comparison_fits_on_a4(visit):
    page = visit(f"/published{COMPARED}", width=718)  # A4 with the margins browsers leave
    page.emulate_media(media="print")
    table = page.locator("table.compared")
    assert right_edge(table) <= 718
    assert table.locator("th", has_text="not known").first.is_visible()


def test_beside_many_cases_what_is_compared_stays_in_sight(visit):
    page = visit("/sener-2025-reconstruction/similar/?age=48&sex=male", width=360)
    table = page.locator("table.beside-cases")
    heading = table.get_by_role("rowheader", name="Sex")
    before = heading.bounding_box()["x"]
    page.locator(".scroll:has(table.beside-cases)").evaluate("box => { box.scrollLeft = 600 }")
    assert heading.bounding_box()["x"] == before
    assert "asked: " in heading.locator(".asked").evaluate(
        "text => getComputedStyle(text, '::before').content"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("width", [1440, 360])
def test_a_forest_plot_has_its_numbers_in_sight(visit, width):
    page = visit("/sener-2025-reconstruction/forest/", width=width)
    canvas = page.locator("#chart-forest .canvas")
    box = canvas.bounding_box()
    texts = canvas.locator(".annotation-text").all()
    assert any("7/8" in text.text_content() for text in texts)
    for text in texts:
        place = text.bounding_box()
        assert box["x"] <= place["x"] and place["x"] + place["width"] <= box["x"] + box["width"]


def test_a_mark_of_the_forest_plot_opens_its_study(visit):
    page = visit("/sener-2025-reconstruction/forest/")
    mark = page.locator("#chart-forest .points .point[tabindex]").first
    assert "Simulated article" in mark.get_attribute("aria-label")
    mark.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/studies/simulated-article-*/")


@pytest.mark.parametrize(
    "address",
    [
        f"/published{COMPARED}",
        "/published/compare/",
        "/published/similar/?age=48&sex=male&manifestation=skin&without=lung&prior=methotrexate",
        "/published/forest/",
        "/drawn/forest/",
        "/drawn/rules/",
        "/published/flow/",
        "/inhibitors/",
        "/inhibitors/tofacitinib/",
        "/reviews/",
        "/reviews/sener-2025/",
        "/published/patients/fujita-2019-1/",
    ],
)
@pytest.mark.parametrize("width", [1440, 360])
def test_axe_finds_nothing_at_all(visit, address, width):
    """No moderate finding either: headings in order, landmarks, names."""
    page = visit(address, width=width)
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [
        (each["id"], [node["html"][:150] for node in each["nodes"][:3]])
        for each in found["violations"]
    ] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width

"""Every page of what two people do at one study, with data on it, at three widths, in both schemes:
nothing wider than the window, a silent console, no finding of axe.
"""

import sqlite3
from itertools import pairwise

import pytest

from .conftest import Site, close
from .filled import STUDY
from .test_curating import AXE
from .test_workbench import log_in

pytestmark = pytest.mark.browser

WORK = "/admin/work/published"
GRIDS = (
    "study",
    "patients",
    "courses",
    "outcomes",
    "by-month",
    "events",
    "groups",
    "findings",
    "totals",
)
DRAFT, APPRAISED = "{draft}", "{study}"
OF_CURATORS = [
    "/admin/",
    "/admin/work/",
    "/admin/work/new/",
    *(f"{WORK}/entwurf-2027/{grid}/" for grid in GRIDS),
    f"{WORK}/wartend-2027/check/",
    f"{WORK}/wartend-2027/second/",
    f"/admin/evidence/studydraft/{DRAFT}/change/",
    f"/admin/evidence/studydraft/{DRAFT}/publish/",
    "/admin/evidence/appraisal/",
    f"/admin/evidence/appraisal/study/{APPRAISED}/murad-2018/",
    f"/admin/evidence/appraisal/study/{APPRAISED}/jbi-case-series/",
    "/admin/evidence/suggestion/",
    "/admin/evidence/suggestion/1/change/",
]
OF_READERS = [
    "/published/studies/",
    "/published/?retraction=retracted",
    "/published/?appraised=yes",
    f"/published/studies/{STUDY}/",
    "/published/studies/chen-2025-basics/",
    f"/published/patients/{STUDY}-1/",
    f"/published/patients/{STUDY}-1/suggest/?field=age_years",
    f"/published/patients/{STUDY}-1/suggest/?field=age_years&sent=yes",
    f"/published/studies/{STUDY}/suggest/",
]
HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4")]
  .filter(heading => heading.checkVisibility()).map(heading => Number(heading.tagName[1]))"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """The site, and the keys that addresses name."""
    folder = tmp_path_factory.mktemp("filled")
    site = Site(folder)
    for command in (
        ["migrate", "--verbosity", "0"],
        ["load_evidence", "--verbosity", "0"],
        ["shell", "--verbosity", "0", "-c", "from tests.browser.filled import fill; fill()"],
    ):
        site.command(*command)
    with sqlite3.connect(folder / "casebook.sqlite3") as database:
        keys = {
            name: str(
                database.execute(
                    f"SELECT id FROM evidence_{table} WHERE slug = ?", [STUDY]
                ).fetchone()[0]
            )
            for name, table in ((DRAFT, "studydraft"), (APPRAISED, "study"))
        }
    with site.served():
        yield site, keys


@pytest.fixture(scope="module")
def curators(filled, chromium):
    """curators(scheme) -> a browser in which Bob has logged in."""
    contexts = {}

    def browser(scheme: str):
        if scheme not in contexts:
            context = contexts[scheme] = chromium.new_context(color_scheme=scheme)
            context.set_default_timeout(20_000)
            page = context.new_page()
            page.goto(filled[0].address + "/admin/")
            log_in(page, "bob")
            close(page)
        return contexts[scheme]

    yield browser
    for context in contexts.values():
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", [*OF_CURATORS, *OF_READERS])
def test_the_page_is_whole(filled, curators, address, scheme):
    site, keys = filled
    for name, key in keys.items():
        address = address.replace(name, key)
    page, said = curators(scheme).new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    answer = page.goto(site.address + address)
    assert answer.status == 200
    page.evaluate(AXE)
    for width in (1440, 768, 360):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = page.evaluate("axe.run(document, {resultTypes: ['violations'], preload: false})")
        assert [
            (width, each["id"], [node["html"][:150] for node in each["nodes"][:3]])
            for each in found["violations"]
        ] == []
    levels = page.evaluate(HEADINGS)
    assert levels[0] == 1 and all(after <= before + 1 for before, after in pairwise(levels))
    assert said == []
    close(page)


@pytest.mark.parametrize("address", ["/admin/evidence/appraisal/", "/admin/evidence/suggestion/"])
def test_between_a_telephone_and_a_desktop_a_page_has_the_whole_window(filled, curators, address):
    page = curators("light").new_page()
    page.set_viewport_size({"width": 768, "height": 900})
    page.goto(filled[0].address + address)
    assert page.locator("#content-main").bounding_box()["width"] > 650
    close(page)


def test_an_appraisal_is_entered_by_keys_alone(filled, curators):
    """On a telephone's width too every answer and reason is in view and has its label."""
    site, keys = filled
    page = curators("light").new_page()
    page.set_viewport_size({"width": 360, "height": 900})
    page.goto(f"{site.address}/admin/evidence/appraisal/study/{keys[APPRAISED]}/jbi-case-series/")
    page.get_by_label("Yes", exact=True).first.focus()
    page.keyboard.press("ArrowDown")
    assert page.get_by_label("No", exact=True).first.is_checked()
    page.keyboard.press("Tab")
    page.keyboard.type("Table 2")
    for box in (
        page.get_by_label("No", exact=True).first.bounding_box(),
        page.get_by_label("Reason", exact=True).first.bounding_box(),
    ):
        assert box["x"] >= 0 and box["x"] + box["width"] <= 360
    page.keyboard.press("Enter")
    page.wait_for_selector(".messagelist")
    assert page.get_by_label("Reason", exact=True).first.input_value() == "Table 2"
    close(page)

"""The cohort, seen: every feature driven as a reader would, by pointer and by keyboard alone."""

import csv
import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import axe_playwright_python
import pytest
from playwright.sync_api import expect

from .conftest import drawn
from .test_reading import PAGES, SCHEMES, patients_in

pytestmark = pytest.mark.browser
SIM = "/sener-2025-reconstruction/"
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


def bars(page, chart: str):
    return page.locator(f"#chart-{chart} .barlayer .point[tabindex]")


def choose(page, chart: str, label: str) -> None:
    """Clicks the middle of the bar that is called so."""
    mark = page.locator(f"#chart-{chart} .point[aria-label*='{label}']").first
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def settled(page, text: str) -> None:
    expect(page.locator("#answer strong")).to_have_text(text)
    drawn(page)


# Charts that filter


def test_a_bar_filters_and_a_second_click_takes_it_back(visit, site):
    page = visit(SIM)
    page.evaluate("window.stayed = true")
    choose(page, "indication-sets", "ILD + skin")
    settled(page, "22 patients")
    assert page.url == f"{site}{SIM}?indication=ild&indication=skin&indication_match=exactly"
    assert "22 patients" in page.locator("#chart-age-and-sex figcaption").inner_text(), (
        "the other charts follow"
    )
    assert page.locator("#chart-indication-sets [data-chart]").count() == 0, "one bar is a sentence"
    page.locator("#chart-indication-sets").get_by_role("link", name="ILD + skin").first.click()
    settled(page, "87 patients")
    page.go_back()
    settled(page, "22 patients")


def test_a_segment_filters_by_both_of_its_sides(visit):
    page = visit(SIM)
    choose(page, "response-by-inhibitor", "baricitinib: improved 10/12")
    settled(page, "10 patients")
    page.get_by_label("Remove Response: Improved").click()
    settled(page, "12 patients")
    assert page.url.endswith("?inhibitor=baricitinib")


def test_a_bar_by_keyboard_alone(visit):
    page = visit(SIM)
    page.locator("#chart-indication-sets").focus()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('point')"):
            break
    assert "ILD + skin, exactly: 22/49" in page.evaluate(
        "document.activeElement.getAttribute('aria-label')"
    )
    page.keyboard.press("Enter")
    expect(page.locator("#answer strong")).to_have_text("22 patients")
    expect(
        page.locator("#chart-indication-sets")
    ).to_be_focused()  # the keyboard stays at the chart


def test_a_row_of_the_table_by_keyboard_alone(visit):
    page = visit(SIM)
    page.locator("#twin-adverse-events summary").focus()
    page.keyboard.press("Enter")
    page.locator("#twin-adverse-events a.step", has_text="Infection").focus()
    page.keyboard.press("Enter")
    settled(page, "16 patients")
    assert page.locator("#twin-adverse-events").get_attribute("open") is not None, (
        "the table stays open"
    )
    page.locator("#twin-adverse-events a.step[aria-current]").focus()
    page.keyboard.press("Enter")
    settled(page, "87 patients")


def test_a_dot_of_the_upset_plot_asks_for_all_with_that_value(visit):
    page = visit(SIM)
    dots = page.locator("#chart-indication-sets .scatterlayer path.point[tabindex]")
    assert dots.count() >= 6
    dots.first.focus()
    assert "Skin" in dots.first.get_attribute("aria-label")
    page.keyboard.press("Enter")
    settled(page, "43 patients")


def test_any_all_and_exactly_stand_side_by_side(visit):
    page = visit(f"{SIM}?indication=ild&indication=skin")
    line = page.locator(".matches")
    assert re.findall(r"([a-z]+(?: of)?) (\d+)", line.inner_text()) == [
        ("any of", "45"),
        ("all of", "22"),
        ("exactly", "22"),
        ("none of", "4"),
    ]
    line.get_by_role("link", name=re.compile("exactly")).click()
    settled(page, "22 patients")


def test_a_reader_picks_the_charts(visit, site):
    page = visit("/drawn/")
    page.locator("#picker summary").click()
    page.locator("#c-swimmers").check()
    page.wait_for_url("**chart=swimmers**")
    drawn(page)
    assert page.locator("#chart-swimmers").is_visible()
    page.locator("#c-age-and-sex").uncheck()
    expect(page.locator("#chart-age-and-sex")).to_have_count(0)
    assert page.locator("#picker").get_attribute("open") is not None
    page.locator("#f-inhibitor-tofacitinib").check()
    page.wait_for_url("**inhibitor=tofacitinib**")
    assert "chart=swimmers" in page.url, "and stays when the question changes"
    page.reload()
    drawn(page)
    assert page.locator("#chart-swimmers").is_visible(), "the choice stands in the address"


def words_of(picture: Path) -> str:
    """What is written in an SVG, its lines in one."""
    return " ".join(ElementTree.parse(picture).getroot().itertext())


def test_a_picture_says_of_whom_it_is(visit, tmp_path):
    page = visit(
        f"{SIM}?inhibitor=tofacitinib&indication=ild&indication=skin&indication_match=all&"
        "chart=age-and-sex"
    )
    with page.expect_download() as taking:
        page.get_by_role("button", name="Picture as SVG").click()
    taking.value.save_as(tmp_path / "chart.svg")
    words = words_of(tmp_path / "chart.svg")
    assert "Age and sex · SIMULATED, not evidence" in words, "where no bar can hide it"
    assert (
        "tofacitinib; Indication: all of Interstitial lung disease (ILD), Skin: 21 patients"
        in words
    ), words
    assert "indication=ild&indication=skin&indication_match=all" in words.replace(" ", ""), (
        "the whole address"
    )


def test_a_legend_hides_nothing(visit):
    page = visit(f"{SIM}?chart=response-by-inhibitor")
    chart = page.locator("#chart-response-by-inhibitor")
    before = chart.locator(".barlayer .point").count()
    chart.locator(".legendtoggle").first.dispatch_event("click")
    chart.locator(".legendtoggle").first.click(force=True)
    page.wait_for_timeout(600)  # longer than Plotly waits for a second click
    assert chart.locator(".barlayer .point").count() == before
    assert page.locator(".plotly-notifier .notifier-note").count() == 0


def test_charts_are_printed_in_the_colours_of_paper(chromium, site):
    context = chromium.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(f"{site}{SIM}?chart=response-by-inhibitor")
    drawn(page)
    ink = "node => getComputedStyle(node).fill"
    label = page.locator("#chart-response-by-inhibitor .ytick text").first
    assert label.evaluate(ink) == "rgb(230, 233, 238)"
    page.emulate_media(media="print")
    assert label.evaluate(ink) == "rgb(28, 36, 48)"
    context.close()


def test_every_chart_can_be_taken_away(visit, tmp_path):
    page = visit(SIM)
    chart, name = (
        page.locator("#chart-indication-sets"),
        "casebook-simulated-sener-2025-reconstruction-indication-sets-release-1",
    )
    for format, first in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        with page.expect_download() as taking:
            chart.get_by_role("button", name=f"Picture as {format}").click()
        path = tmp_path / f"chart.{format}"
        taking.value.save_as(path)
        assert taking.value.suggested_filename == f"{name}.{format.lower()}"
        assert path.read_bytes().startswith(first)
        if format == "SVG":
            assert "SIMULATED" in path.read_text(), "a copy says so too"
            assert "Indications, as combinations" in path.read_text()
            assert "· release 1" in path.read_text()
            assert "everybody in the collection: 87 patients" in words_of(path)
    with page.expect_download() as taking:
        chart.get_by_role("link", name="Numbers as CSV").click()
    taking.value.save_as(tmp_path / "chart.csv")
    rows = list(
        csv.DictReader((tmp_path / "chart.csv").read_text(encoding="utf-8-sig").splitlines())
    )
    assert (rows[0]["label"], rows[0]["n"], rows[0]["known"]) == ("ILD + skin", "22", "49")


# Views


def test_compare_from_any_view(visit, site):
    page = visit(f"{SIM}patients/?inhibitor=tofacitinib")
    page.get_by_role("link", name="Compare these patients with others").click()
    page.get_by_role("link", name="Tofacitinib beside baricitinib").click()
    assert "No patient is in both: 72 only in A, 12 only in B." in page.locator("main").inner_text()
    drawn(page)
    row = page.locator("table.compared tr", has_text="Improved (authors’ overall verdict)")
    assert (
        "57/65" in row.inner_text()
        and "10/12" in row.inner_text()
        and "1.42 (0.13 to 8.75)" in row.inner_text()
    )
    assert "0.974" not in row.inner_text(), "no p-value of simulated patients"
    page.get_by_role("link", name="Swap A and B").click()
    drawn(page)
    row = page.locator("table.compared tr", has_text="Improved (authors’ overall verdict)")
    assert row.inner_text().index("10/12") < row.inner_text().index("57/65")
    page.go_back()
    assert "72 only in A" in page.locator("main").inner_text()


def test_the_other_side_is_chosen_with_the_filters_by_keyboard(visit, site):
    page = visit(f"{SIM}compare/?a=sex%3Dfemale")
    page.get_by_role("link", name="Choose the other side with the filters").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/?with=sex%3Dfemale")
    page.locator("#d-sex summary").focus()
    page.keyboard.press("Enter")
    page.locator("#f-sex-male").focus()
    page.keyboard.press("Space")
    expect(page.locator("#answer strong")).to_have_text("14 patients")
    page.get_by_role("link", name="Compare with this question").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/compare/?a=sex%3Dfemale&b=sex%3Dmale")
    assert "69 only in A, 14 only in B" in page.locator("main").inner_text()


def test_the_forest_plot_follows_item_and_question(visit):
    page = visit(f"{SIM}forest/")
    assert "70/80 in all" in page.locator("#chart-forest figcaption").inner_text()
    page.locator("#f-item").select_option("relapsed")
    page.wait_for_url("**item=relapsed**")
    expect(page.locator("#chart-forest figcaption")).to_contain_text("5/85 in all")
    page.locator("#f-inhibitor-baricitinib").check()
    page.wait_for_url("**inhibitor=baricitinib**")
    expect(page.locator("#chart-forest figcaption")).to_contain_text("Relapsed: 0/12 in all")
    assert "item=relapsed" in page.url
    drawn(page)
    page.go_back()
    expect(page.locator("#chart-forest figcaption")).to_contain_text("5/85 in all")


def test_a_rule_is_chosen_by_keyboard(visit):
    page = visit("/drawn/rules/")
    before = page.locator(".answer strong").last.inner_text()
    page.locator("#f-rule").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_url("**rule=fvc-5**")
    expect(page.locator(".answer strong").last).not_to_have_text(before)


def test_patients_like_mine_by_keyboard(visit):
    page = visit("/published/similar/")
    page.locator("#s-age").focus()
    page.keyboard.type("48")
    page.locator("#s-sex-male").focus()
    page.keyboard.press("Space")
    page.locator("#s-manifestation-skin").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**age=48**")
    assert "1 of 4 patients agrees in all 3" in page.locator(".answer").inner_text()
    first = page.locator("table.beside-cases thead th").nth(2)
    assert "nodular-scleroderma-case-1" in first.inner_text()
    first.get_by_role("link").click()
    assert "Cases most like this one" in page.locator("main").inner_text()


def test_a_gap_leads_to_its_patients(visit):
    page = visit("/published/completeness/")
    row = page.locator("table.matrix tr", has_text="Fujita 2019")
    row.get_by_role("link", name="0/1").first.click()
    assert page.locator("table.rows tbody tr").count() == 1
    assert "fujita-2019-1" in page.locator("table.rows").inner_text()


def test_the_source_of_a_value_by_hover_focus_and_tap(visit):
    page = visit("/published/patients/fujita-2019-1/")
    source = page.locator("details.source").first
    assert source.locator("summary").get_attribute("title"), "hover"
    source.locator("summary").focus()
    page.keyboard.press("Enter")
    assert source.locator("span").is_visible()
    source.locator("summary").click()
    assert not source.locator("span").is_visible()


@pytest.mark.parametrize("width", [360, 1440])
def test_every_other_value_says_where_it_comes_from_and_nothing_scrolls_sideways(visit, width):
    page = visit("/drawn/patients/SIM-drawn-0000003/", width=width)
    values = page.locator(".origin").all()
    assert len(values) > 8
    for value in values:
        value.focus()
        told = value.evaluate("each => getComputedStyle(each, '::after').content")
        assert "no source exists" in told
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_point_of_a_case_opens_it(visit):
    page = visit("/drawn/?chart=swimmers")
    bars(page, "swimmers").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/drawn/patients/SIM-**")


# What holds everywhere


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("address", [each for each in PAGES if not each.startswith("/admin")])
def test_axe_finds_nothing(visit, address, scheme):
    page = visit(address, scheme=scheme)
    for twin in page.locator("details.twin").all():
        twin.evaluate("each => each.open = true")
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [
        f"{each['id']} ({each['impact']}): {each['help']}: "
        f"{[node['html'][:150] for node in each['nodes'][:3]]}"
        for each in found["violations"]
    ] == []


SIX = [
    "indication-sets",
    "response-by-inhibitor",
    "adverse-events",
    "age-and-sex",
    "swimmers",
    "mrss-levels",
]


def test_six_charts_are_light_enough_and_lighter_the_next_time(chromium, site):
    context = chromium.new_context()
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    sent = []
    session.on("Network.loadingFinished", lambda event: sent.append(event["encodedDataLength"]))
    address = f"{site}/drawn/charts/?" + "&".join(f"chart={name}" for name in SIX)
    page.goto(address)
    drawn(page)
    assert page.locator("[data-chart]").count() == 6
    page.wait_for_load_state("networkidle")
    first = sum(sent)
    sent.clear()
    page.goto(f"{address}&sex=female")
    drawn(page)
    page.wait_for_load_state("networkidle")
    assert first < 2_000_000, first
    assert sum(sent) < 100_000, sum(sent)
    context.close()


def test_text_and_tables_are_there_before_any_script(visit):
    page = visit(SIM, script=False)
    page.get_by_role("link", name="Charts of this question").click()
    for chart in page.locator("figure.chart:visible").all():
        assert len(chart.locator("figcaption p").inner_text()) > 20
        chart.locator("details.twin summary").click()
        assert chart.locator("table").is_visible()
    page.locator("#twin-indication-sets a.step", has_text="ILD + skin").click()
    assert patients_in(page) == "22 patients"
    page.locator("#picker summary").click()
    page.locator("#c-prior-sets").check()
    page.get_by_role("button", name="Show these").click()
    page.locator("#no-charts summary").first.click()  # nothing is recorded of them here
    assert page.locator("#chart-prior-sets").is_visible()


# Charts come when the reader does


def test_charts_are_fetched_and_drawn_when_they_come_into_view_and_not_before(chromium, site):
    context = chromium.new_context(viewport={"width": 412, "height": 823})
    page, fetched = context.new_page(), []
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: fetched.append(request.url))
    page.add_init_script(
        "window.shifted = 0; new PerformanceObserver(list => list.getEntries().forEach(entry => {"
        "if (!entry.hadRecentInput) shifted += entry.value}))"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    page.goto(f"{site}{SIM}patients/")  # a page without charts
    page.goto(f"{site}{SIM}?chart=indication-sets&chart=response-by-indication&chart=age-and-sex")
    page.wait_for_load_state("networkidle")
    assert page.locator("#charts").bounding_box()["y"] > 823 + 400, "far below the first screen"
    assert not [each for each in fetched if "plotly" in each or "/charts/" in each]
    page.locator("#charts").scroll_into_view_if_needed()
    first, last = "#chart-indication-sets .main-svg", "#chart-age-and-sex .main-svg"
    page.locator("#chart-indication-sets").scroll_into_view_if_needed()
    expect(page.locator(first).first).to_be_visible()
    assert [each for each in fetched if "/charts/" in each] and page.locator(last).count() == 0
    page.locator("#chart-age-and-sex").scroll_into_view_if_needed()
    expect(page.locator(last).first).to_be_visible()
    assert len([each for each in fetched if "plotly" in each]) == 1
    assert page.evaluate("shifted") == 0, "room was kept for each of them"
    page.locator(".chips, #question").first.wait_for(state="attached")
    page.evaluate("document.querySelector('#f-sex-female').click()")  # a swap of the whole view
    expect(page.locator("#answer strong")).to_have_text("69 patients")
    drawn(page)
    assert said == []
    context.close()


def test_charts_that_do_not_come_leave_their_link(chromium, site):
    context = chromium.new_context()
    page = context.new_page()
    page.route("**/charts/**", lambda route: route.abort())
    page.goto(f"{site}{SIM}")
    with page.expect_event("requestfailed"):
        page.locator("#charts").scroll_into_view_if_needed()
    link = page.locator("#charts").get_by_role("link", name="Charts of this question")
    expect(link).to_be_visible()
    expect(page.locator("#charts[hx-get]")).to_have_count(0)  # no room is kept for them
    assert page.url == f"{site}{SIM}"
    page.unroute("**/charts/**")
    link.click()
    drawn(page)
    assert page.url == f"{site}{SIM}charts/"
    context.close()


def test_charts_that_were_asked_for_come_again_after_a_choice(visit, site):
    """Where groups lead the answer, charts wait for a click; a choice in them takes none away."""
    page = visit("/published/")
    page.locator("#charts").get_by_role("link", name="Charts of this question").click()
    drawn(page)
    before = page.evaluate("scrollY")
    page.locator("#twin-age-and-sex summary").click()
    page.locator("#twin-age-and-sex a.step", has_text="40–49 years").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/published/?age_min=40&age_max=49")
    expect(page.locator("#chart-age-and-sex")).to_be_focused()
    assert page.evaluate("scrollY") >= before, "the page keeps its height meanwhile"


def test_the_page_of_the_charts_filters_in_place(visit, site):
    page = visit(f"{SIM}charts/")
    choose(page, "indication-sets", "ILD + skin")
    settled(page, "22 patients")
    assert page.url.startswith(f"{site}{SIM}charts/?indication=ild")
    page.locator("#f-sex-female").evaluate("option => option.click()")
    page.wait_for_url("**&sex=female")
    drawn(page)
    assert page.locator("#chart-age-and-sex").is_visible()


def test_a_group_opens_its_study(visit):
    page = visit("/published/charts/?chart=group-changes")
    mark = page.locator("#chart-group-changes path.point[tabindex]").first
    assert "week\u00a012, n\u00a0not\u00a0extracted" in mark.get_attribute("aria-label")
    mark.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/published/studies/**")


LABELS = """chart => [...chart.querySelectorAll('.ytick text, .annotation text')]
    .map(label => label.getBoundingClientRect())"""


@pytest.mark.parametrize("width", [360, 1440])
def test_labels_of_groups_neither_touch_nor_are_cut(visit, width):
    page = visit("/published/charts/?chart=group-changes", width=width)
    canvas = page.locator("#chart-group-changes .canvas")
    frame = canvas.bounding_box()
    boxes = sorted(canvas.evaluate(LABELS), key=lambda box: box["top"])
    assert len(boxes) == 12
    for above, below in pairwise(boxes):
        assert above["bottom"] < below["top"]
    title = canvas.locator(".xtitle").bounding_box()
    for box in (*boxes, title | {"left": title["x"], "right": title["x"] + title["width"]}):
        assert box["left"] >= frame["x"] and box["right"] <= frame["x"] + frame["width"]
    zero = canvas.locator(".zerolinelayer path.zl").bounding_box()
    assert frame["x"] < zero["x"] < frame["x"] + frame["width"] - 8


def test_charts_fit_on_paper(visit):
    page = visit(f"{SIM}charts/")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 1000})  # A4, in pixels of CSS
    for canvas in page.locator(".canvas:visible").all():
        room, picture = canvas.bounding_box(), canvas.locator(".main-svg").first.bounding_box()
        assert picture["x"] + picture["width"] <= room["x"] + room["width"] + 1


def test_on_paper_charts_keep_their_tables(visit):
    page = visit(SIM)
    page.emulate_media(media="print")
    assert not page.locator(".take").first.is_visible()
    assert page.locator("#chart-indication-sets figcaption").is_visible()

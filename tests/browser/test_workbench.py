"""The workbench in a real browser: keys, pasting, autosave, what others do, what is lost."""

import os
import re
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from zlib import crc32

import pytest
from playwright.sync_api import TimeoutError, expect

from .conftest import Site, close
from .test_curating import PASSWORD, fits_and_is_clean

pytestmark = pytest.mark.browser
ENTERING = re.compile("/enter/")

SAVED = re.compile(r"Saved \d\d:\d\d:\d\d \(version \d+\)")
REFUSED = "Failed to load resource"  # what Chromium itself says of an answer that is none


class Served:
    """A site with curators, which can be stopped and started."""

    def __init__(self, folder):
        self.site, self.running = Site(folder), ExitStack()
        self.address = self.site.address
        self.site.command("migrate", "--verbosity", "0")
        self.site.command("load_evidence", "--verbosity", "0")
        for name in ("ada", "bob"):
            self.site.command(
                "createsuperuser",
                "--noinput",
                f"--username={name}",
                f"--email={name}@example.org",
                DJANGO_SUPERUSER_PASSWORD=PASSWORD,
            )
        self.start()

    def start(self):
        self.server = self.running.enter_context(self.site.served())

    def stop(self):
        """As a power cut does it: server and workers at once."""
        pid = self.server.pid
        workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, workers)):
            os.kill(one, signal.SIGKILL)
        self.server.wait(20)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    made = Served(tmp_path_factory.mktemp("workbench"))
    yield made
    made.running.close()


def log_in(page, name: str) -> None:
    page.get_by_label("Username:").fill(name)
    page.get_by_label("Password:").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


@pytest.fixture(scope="module")
def browsers(served, chromium):
    """browsers("ada") -> a browser in which that curator has logged in."""
    contexts = {}

    def browser(name: str):
        if name not in contexts:
            context = contexts[name] = chromium.new_context()
            context.set_default_timeout(20_000)
            context.grant_permissions(["clipboard-read", "clipboard-write"])
            page = context.new_page()
            page.goto(served.address + "/admin/")
            log_in(page, name)
            close(page)
        return contexts[name]

    yield browser
    for context in contexts.values():
        context.close()


@pytest.fixture
def open_bench(browsers, served):
    """open_bench(study, grid) -> a page of the workbench; its console has to stay silent."""
    said, pages = [], []

    def opened(study: str, grid: str = "patients", *, who: str = "ada", query: str = ""):
        page = browsers(who).new_page()
        pages.append(page)
        page.on("console", lambda message: said.append(f"{page.url}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
        page.goto(f"{served.address}/admin/work/published/{study}/{grid}/{query}")
        return page

    yield opened
    for page in pages:
        close(page)
    assert [one for one in said if REFUSED not in one] == []


def begin(browsers, served, name: str, who: str = "ada") -> str:
    """A new study, begun from the queue."""
    page = browsers(who).new_page()
    page.goto(served.address + "/admin/work/")
    page.get_by_role("link", name="New study").click()
    page.get_by_label("Short name").fill(name)
    page.get_by_label("Year").fill("2027")
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Published evidence")
    close(page)
    return name.lower().replace(" ", "-")


@pytest.fixture
def study(request, browsers, served):
    """The address of a new study."""
    return begin(browsers, served, f"Bench {crc32(request.node.name.encode())}")


def cell(page, label: str):
    return page.get_by_role("textbox", name=label, exact=True).or_(
        page.get_by_role("combobox", name=label, exact=True)
    )


def saved(page) -> None:
    expect(page.locator("#status")).to_contain_text(SAVED)


def settled(page) -> None:
    """Until the server has everything. Says what it has not."""
    try:
        page.wait_for_function(
            "() => !bench.dirty.size && !bench.waiting.length && !bench.saving", polling=100
        )
    except TimeoutError:
        left = page.evaluate(
            """() => [[...bench.dirty], [...bench.errors], [...bench.clashes.keys()],
              Boolean(bench.saving), document.getElementById("status").textContent]"""
        )
        pytest.fail(f"Not saved (cells, unread, conflicts, saving, said): {left}")


def put(page, text: str) -> None:
    """Pastes a block into the cell in use, as a spreadsheet would have copied it."""
    page.evaluate(
        """text => {
          const data = new DataTransfer();
          data.setData("text/plain", text);
          const event = new ClipboardEvent("paste", {clipboardData: data, bubbles: true,
            cancelable: true});
          document.activeElement.dispatchEvent(event);
        }""",
        text,
    )


def block(*rows) -> str:
    return "\n".join("\t".join(map(str, row)) for row in rows)


def store(study: str, grid: str) -> str:
    """Where a browser keeps what is not saved."""
    return f"casebook-grid:published/{study}/{grid}"


def two_patients(page, study: str) -> None:
    page.get_by_role("button", name="New row").click()
    for key in ("Case 1", "Tab", "f", "Tab", "54", "Enter"):
        page.keyboard.press(key) if key in ("Tab", "Enter") else page.keyboard.type(key)
    page.get_by_role("button", name="New row").click()
    page.keyboard.type("Case 2")
    page.keyboard.press("Tab")
    saved(page)
    expect(cell(page, f"Patient {study}-1, Sex")).to_have_value("Female")
    expect(cell(page, f"Patient {study}-2, Label")).to_have_value("Case 2")


def test_keys_move_type_and_state(open_bench, study):
    page = open_bench(study)
    two_patients(page, study)
    version = page.locator("#status").inner_text()
    cell(page, f"Patient {study}-1, Age (years)").focus()
    page.keyboard.press("ArrowDown")  # the second patient’s age
    page.keyboard.press("n")
    page.keyboard.press("ArrowRight")
    page.keyboard.type("1,5")
    page.keyboard.press("Enter")
    cell(page, f"Patient {study}-2, DLCO (% predicted)").focus()
    page.keyboard.press("?")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")  # a text: n begins a word
    page.keyboard.type("n of 1")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    cell(page, f"Patient {study}-2, Prior therapies").focus()
    page.keyboard.press("0")
    page.keyboard.press("ArrowUp")
    page.keyboard.type("MMF; methotrexate")
    page.keyboard.press("Tab")
    cell(page, f"Patient {study}-2, Sex").focus()
    page.keyboard.press("Control+d")
    expect(page.locator("#status")).not_to_have_text(version)
    for label, value in {
        "2, Age (years)": "NR",
        "2, Disease duration (months)": "1.5",
        "2, DLCO (% predicted)": "unreadable",
        "2, Classification criteria": "n of 1",
        "2, Prior therapies": "none",
        "2, List of prior therapies": "None, as stated",
        "2, Sex": "Female",
    }.items():
        expect(cell(page, f"Patient {study}-{label}")).to_have_value(value)
    expect(cell(page, f"Patient {study}-1, Prior therapies")).to_have_value(
        re.compile("Methotrexate; Mycophenolate")
    )
    cell(page, f"Patient {study}-2, Age (years)").focus()
    page.keyboard.press("Delete")
    page.wait_for_timeout(3000)
    page.reload()
    expect(cell(page, f"Patient {study}-2, Age (years)")).to_have_value("")
    cell(page, f"Patient {study}-2, Age (years)").focus()
    page.keyboard.press("Control+z")
    expect(cell(page, f"Patient {study}-2, Age (years)")).to_have_value("NR")
    expect(cell(page, f"Patient {study}-2, Age (years)")).to_be_focused()


def test_escape_leaves_a_cell_as_it_was_and_f2_changes_its_text(open_bench, study):
    page = open_bench(study)
    two_patients(page, study)
    label = cell(page, f"Patient {study}-1, Label")
    label.focus()
    page.keyboard.type("nothing")
    page.keyboard.press("Escape")
    expect(label).to_have_value("Case 1")
    page.keyboard.press("F2")
    page.keyboard.type("0")
    page.keyboard.press("ArrowLeft")  # within the text
    page.keyboard.type("-")
    expect(label).to_have_value("Case 1-0")
    page.keyboard.press("Enter")
    expect(cell(page, f"Patient {study}-2, Label")).to_be_focused()


def test_a_block_lands_in_its_columns_and_what_is_not_understood_stays_red(open_bench, study):
    page = open_bench(study)
    two_patients(page, study)
    cell(page, f"Patient {study}-1, Label").focus()
    put(
        page,
        block(
            ("No", "Gender", "Age", "Type", "Disease duration (months)", "ILD", "ATA", "Smoker"),
            ("Case 1", "F", "54", "dcSSc", "52 weeks", "+", "-", "yes"),
            ("Case 2", "M", "old", "lcSSc", "3,5", "-", "+", "no"),
            ("Case 3", "F", "61", "sometimes", "120", "", "", ""),
        ),
    )
    saved(page)
    expect(page.locator("#status")).to_contain_text("There is no column “Smoker”")
    expect(page.locator("#status")).to_contain_text("52 weeks became 12 months")
    for label, value in {
        "1, Disease subset": "Diffuse cutaneous (dcSSc)",
        "1, Manifestations present": "Interstitial lung disease (ILD)",
        "1, Autoantibodies absent": "anti-Scl-70",
        "2, Manifestations absent": "Interstitial lung disease (ILD)",
        "2, Disease duration (months)": "3.5",
        "3, Sex": "Female",
        "3, Disease subset": "sometimes",
        "2, Age (years)": "old",
    }.items():
        expect(cell(page, f"Patient {study}-{label}")).to_have_value(value)
    for label in ("2, Age (years)", "3, Disease subset"):
        red = cell(page, f"Patient {study}-{label}")
        expect(red).to_have_attribute("aria-invalid", "true")
    told = cell(page, f"Patient {study}-2, Age (years)").get_attribute("aria-describedby")
    assert "is not a number" in page.locator(f'[id="{told}"]').inner_text()
    page.reload()  # the server has no word for “old”; this browser still has what was typed
    expect(page.locator("#offers")).to_contain_text("not saved: 2 cells.")
    page.get_by_role("button", name="Save again").click()
    expect(cell(page, f"Patient {study}-2, Age (years)")).to_have_value("old")
    cell(page, f"Patient {study}-2, Age (years)").fill("47")
    cell(page, f"Patient {study}-3, Disease subset").fill("overlap")
    settled(page)
    saved(page)
    expect(page.locator("table [aria-invalid]")).to_have_count(0)
    assert page.evaluate("key => localStorage.getItem(key)", store(study, "patients")) is None


def test_what_is_typed_over_before_the_server_has_refused_it_is_no_longer_counted(
    open_bench, study
):
    page = open_bench(study)
    two_patients(page, study)
    settled(page)
    age = cell(page, f"Patient {study}-2, Age (years)")
    answers = []

    def late(route):
        answers.append(route)
        if len(answers) > 1:
            route.continue_()

    page.route(ENTERING, late)
    age.fill("old")
    page.wait_for_function("() => Boolean(bench.saving)", polling=100)
    age.fill("47")
    answers[0].continue_()
    settled(page)
    expect(page.locator("#status")).not_to_contain_text("could not be read")
    age.fill("old")
    expect(age).to_have_attribute("aria-invalid", "true")


def test_the_place_is_kept_until_it_is_changed(open_bench, study):
    page = open_bench(study)
    page.get_by_label("Where it stands").fill("Table 2, p. 4")
    page.keyboard.press("Enter")
    two_patients(page, study)
    cell(page, f"Patient {study}-1, Age (years)").focus()
    expect(page.locator("#cell-place")).to_have_text("Stands in: Table 2, p. 4")
    page.get_by_label("Where it stands").fill("p. 5")
    cell(page, f"Patient {study}-2, Age (years)").fill("61")
    page.get_by_role("button", name="Save", exact=True).click()
    saved(page)
    page.get_by_label("Where it stands").fill("")
    cell(page, f"Patient {study}-2, Sex").fill("m")
    page.get_by_role("button", name="Save", exact=True).click()
    saved(page)
    cell(page, f"Patient {study}-2, Age (years)").focus()
    expect(page.locator("#cell-place")).to_have_text("Stands in: p. 5")
    cell(page, f"Patient {study}-2, Sex").focus()
    expect(page.locator("#cell-place")).to_have_text("No place said.")
    page.get_by_role("link", name="1 values without a place").click()
    expect(page.get_by_role("rowheader", name=f"{study}-2")).to_be_visible()
    assert not page.get_by_role("rowheader", name=f"{study}-1").count()


def test_two_people_are_told_and_nothing_is_overwritten(open_bench, study):
    ada = open_bench(study)
    two_patients(ada, study)
    bob = open_bench(study, who="bob")
    cell(bob, f"Patient {study}-1, Age (years)").fill("62")
    cell(bob, f"Patient {study}-2, Age (years)").fill("47")
    saved(bob)
    began = time.monotonic()
    expect(ada.locator("#offers")).to_contain_text("bob has changed 2 cells here.")
    assert time.monotonic() - began < 6
    expect(ada.locator("#offers")).to_contain_text(f"Patient {study}-1, Age (years): “54” → “62”")
    expect(cell(ada, f"Patient {study}-2, Age (years)")).to_have_value("47")
    # Both write into one cell at the same time.
    age = f"Patient {study}-1, Age (years)"
    ada.bring_to_front()
    cell(bob, age).fill("63")
    cell(ada, age).fill("64")
    cell(ada, f"Patient {study}-1, Classification criteria").fill("ACR/EULAR 2013")
    loser = ada if not wait_for_clash(bob) else bob
    winner = bob if loser is ada else ada
    expect(loser.locator(".cell-error")).to_contain_text("wrote “")
    theirs = "63" if loser is ada else "64"
    keep = loser.get_by_role("button", name=re.compile("^Keep"))
    expect(loser.get_by_role("button", name=f"Take “{theirs}”")).to_be_visible()
    keep.click()
    expect(cell(winner, age)).to_have_value("64" if loser is ada else "63")
    expect(cell(bob, f"Patient {study}-1, Classification criteria")).to_have_value("ACR/EULAR 2013")


def test_rows_two_people_add_at_once_stay_apart(open_bench, study):
    """Ada's row gets another name while she goes on in it: what she enters is not Bob's."""
    ada, bob = open_bench(study), open_bench(study, who="bob")
    ada.get_by_role("button", name="New row").click()
    bob.get_by_role("button", name="New row").click()
    held = []
    ada.route(ENTERING, lambda route: route.continue_() if held else held.append(route))
    cell(ada, f"Patient {study}-1, Label").fill("Hers")
    ada.keyboard.press("Tab")
    ada.wait_for_function("() => Boolean(bench.saving)", polling=100)
    cell(bob, f"Patient {study}-1, Label").fill("His")
    saved(bob)
    cell(ada, f"Patient {study}-1, Age (years)").fill("33")  # before the server has answered
    held[0].continue_()
    expect(cell(ada, f"Patient {study}-2, Age (years)")).to_be_focused()
    settled(ada)
    for page in (ada, bob):
        page.reload()
        for number, label, age in ((1, "His", ""), (2, "Hers", "33")):
            expect(cell(page, f"Patient {study}-{number}, Label")).to_have_value(label)
            expect(cell(page, f"Patient {study}-{number}, Age (years)")).to_have_value(age)


def test_a_pasted_block_and_a_row_taken_away_wait_for_the_server(open_bench, served, study):
    page = open_bench(study)
    two_patients(page, study)
    served.stop()
    cell(page, f"Patient {study}-2, Age (years)").focus()
    put(page, block((47,), (48,), (49,)))
    expect(page.locator("#status")).to_contain_text("the server does not answer")
    cell(page, f"Patient {study}-1, Age (years)").focus()
    page.keyboard.press("Alt+Delete")
    served.start()
    settled(page)
    expect(cell(page, f"Patient {study}-4, Age (years)")).to_have_value("49")
    expect(page.get_by_role("rowheader", name=f"{study}-1")).to_have_count(0)
    page.reload()
    assert [
        cell(page, f"Patient {study}-{number}, Age (years)").input_value() for number in (2, 3, 4)
    ] == ["47", "48", "49"]
    expect(page.get_by_role("rowheader", name=f"{study}-1")).to_have_count(0)


def test_what_waits_is_offered_by_the_next_page(open_bench, served, study):
    page = open_bench(study)
    two_patients(page, study)
    served.stop()
    cell(page, f"Patient {study}-2, Age (years)").focus()
    put(page, block((47,), (48,)))
    cell(page, f"Patient {study}-1, Sex").fill("m")
    expect(page.locator("#status")).to_contain_text("the server does not answer")
    close(page)
    served.start()
    page = open_bench(study)
    offer = page.locator("#offers")
    expect(offer).to_contain_text("not saved: 1 cell, 1 pasted block.")
    # What is entered meanwhile takes nothing of it away.
    cell(page, f"Patient {study}-1, Age (years)").fill("55")
    saved(page)
    page.reload()
    expect(offer).to_contain_text("not saved: 1 cell, 1 pasted block.")
    page.get_by_role("button", name="Save again").click()
    settled(page)
    page.reload()
    expect(offer).to_be_empty()
    expect(cell(page, f"Patient {study}-3, Age (years)")).to_have_value("48")
    expect(cell(page, f"Patient {study}-1, Sex")).to_have_value("Male")
    expect(cell(page, f"Patient {study}-1, Age (years)")).to_have_value("55")


def test_a_study_somebody_gave_up_is_no_session_that_ended(open_bench, study):
    page = open_bench(study)
    two_patients(page, study)
    page.route(ENTERING, lambda route: route.fulfill(status=404, body="<p>Not found</p>"))
    cell(page, f"Patient {study}-1, Age (years)").fill("55")
    expect(page.locator("#status")).to_contain_text("somebody has given it up")


def wait_for_clash(page) -> bool:
    page.wait_for_timeout(3000)
    return bool(page.locator(".cell-error").count())


def test_a_killed_server_and_a_lost_session_lose_nothing(open_bench, served, browsers, study):
    page = open_bench(study)
    two_patients(page, study)
    served.stop()
    cell(page, f"Patient {study}-1, Age (years)").fill("55")
    expect(page.locator("#status")).to_contain_text("Not saved: the server does not answer")
    served.start()
    saved(page)  # by itself
    served.stop()
    cell(page, f"Patient {study}-1, Age (years)").fill("56")
    page.wait_for_timeout(500)
    served.start()
    page.reload()  # a browser that was closed before the server had it
    if page.locator("#offers .offer").count():
        page.get_by_role("button", name="Save again").click()
        saved(page)
    expect(cell(page, f"Patient {study}-1, Age (years)")).to_have_value("56")
    # The session ends while something is typed.
    browsers("ada").clear_cookies(name=re.compile("session"))
    cell(page, f"Patient {study}-2, Age (years)").fill("47")
    expect(page.locator("#status")).to_contain_text("your session has ended")
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Log in in another tab").click()
    log_in(popup.value, "ada")
    expect(popup.value.get_by_role("heading", level=1)).to_have_text("Work")
    close(popup.value)
    page.get_by_role("button", name="Save again").click()
    saved(page)
    page.reload()
    expect(cell(page, f"Patient {study}-2, Age (years)")).to_have_value("47")


def test_every_grid_fits_and_is_clean(open_bench, study):
    page = open_bench(study)
    two_patients(page, study)
    cell(page, f"Patient {study}-2, Age (years)").fill("old")
    saved(page)
    fits_and_is_clean(page)
    page.set_viewport_size({"width": 768, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 768
    page.evaluate("localStorage.clear()")
    for grid in ("study", "courses", "outcomes", "by-month", "events", "groups", "findings"):
        page = open_bench(study, grid)
        fits_and_is_clean(page)
    page = open_bench("fujita-2019", "outcomes")
    page.emulate_media(color_scheme="dark")
    fits_and_is_clean(page)


def test_the_queue_and_the_way_to_a_new_study_are_clean(browsers, served):
    page = browsers("ada").new_page()
    for address in ("/admin/work/", "/admin/work/new/"):
        page.goto(served.address + address)
        fits_and_is_clean(page)
    close(page)


class Counted:
    """A curator whose clicks and entries are counted, with the time hands need for them: 0.28 s a
    key, 1.2 s a click, 0.68 s to find a field, 1.35 s a page. A field is one entry whatever is
    typed into it; so is a key that does something to a cell or a row.
    """

    def __init__(self, page, study: str):
        self.page, self.study = page, study
        self.clicks = self.fields = self.keys = self.pages = 0

    @property
    def interactions(self) -> int:
        return self.clicks + self.fields

    @property
    def minutes(self) -> float:
        return (0.28 * self.keys + 1.2 * self.clicks + 0.68 * self.fields + 1.35 * self.pages) / 60

    @property
    def counted(self) -> str:
        return f"{self.interactions} interactions, {self.minutes:.1f} minutes"

    def place(self, text: str) -> None:
        self.fields, self.keys = self.fields + 1, self.keys + len(text) + 1
        self.page.get_by_label("Where it stands").fill(text)
        self.page.keyboard.press("Enter")

    def tab(self, title: str) -> None:
        self.clicks, self.pages = self.clicks + 1, self.pages + 1
        link = self.page.get_by_role("navigation", name="Grids of this study")
        link.get_by_role("link", name=re.compile(rf"^{title}( |$)")).click()
        expect(self.page.locator(".tabs [aria-current]")).to_contain_text(title)

    def row(self) -> None:
        self.command("Alt+ArrowDown")

    def command(self, key: str, label: str = "") -> None:
        if label:
            cell(self.page, label).focus()
        self.fields, self.keys = self.fields + 1, self.keys + 2
        self.page.keyboard.press(key)

    def type(self, label: str, text: str) -> None:
        """Goes to a cell with one key and types."""
        self.fields, self.keys = self.fields + 1, self.keys + len(text) + 1
        cell(self.page, label).focus()
        self.page.keyboard.type(text)
        self.page.keyboard.press("Tab")

    def record(self, name: str, **texts: str) -> None:
        for header, text in texts.items():
            self.type(f"{name}, {HEADERS[header]}", text)

    def columns(self, measures: str, months: str) -> None:
        self.fields, self.clicks, self.pages = self.fields + 2, self.clicks + 1, self.pages + 1
        self.keys += len(measures) + len(months) + 2
        self.page.get_by_label("Measures").fill(measures)
        self.page.get_by_label("at months").fill(months)
        self.page.get_by_role("button", name="Show these columns").click()

    def paste(self, label: str, text: str) -> None:
        # What the clipboard holds is of the whole browser: another test may have copied something.
        self.page.bring_to_front()
        self.page.evaluate("text => navigator.clipboard.writeText(text)", text)
        self.command("Control+v", label)
        saved(self.page)

    def settled(self) -> None:
        """Until the server has everything."""
        settled(self.page)


HEADERS = {
    "label": "Label",
    "sex": "Sex",
    "age": "Age (years)",
    "duration": "Disease duration (months)",
    "subset": "Disease subset",
    "prior": "Prior therapies",
    "prior_list": "List of prior therapies",
    "signs": "Manifestations present",
    "no_signs": "Manifestations absent",
    "antibodies": "Autoantibodies present",
    "no_antibodies": "Autoantibodies absent",
    "drug": "Inhibitor",
    "dose": "Dose",
    "months": "Duration (months)",
    "for_": "Indications",
    "along": "Concomitant therapies",
    "response": "Response (authors' overall verdict)",
    "events": "Adverse events",
    "stopped": "Stopped",
    "reason": "Stop reason",
    "category": "Category",
    "described": "As described",
    "grade": "CTCAE grade",
    "serious": "Serious",
}


def unplaced(page) -> str:
    return page.locator("#unplaced").inner_text()


def test_four_patients_with_every_place_take_few_interactions(open_bench, study):
    page = open_bench(study)
    by = Counted(page, study)
    by.place("Table 1, p. 2")
    one, two, three, four = (f"Patient {study}-{number}" for number in (1, 2, 3, 4))
    page.locator(".grid-box").focus()
    by.clicks += 1
    page.get_by_role("button", name="New row").click()
    by.record(
        one, label="Case 1", sex="f", age="54", duration="36", subset="dcSSc", prior="MTX; MMF",
        prior_list="complete", signs="ILD; skin; raynaud", no_signs="renal",
        antibodies="ANA; anti-Scl-70", no_antibodies="anti-U1-RNP",
    )  # fmt: skip
    by.row()
    by.record(
        two, label="Case 2", sex="m", age="47", duration="96", subset="lcSSc", prior="none",
        signs="joints; raynaud", antibodies="ANA",
    )  # fmt: skip
    by.row()
    by.record(three, label="Case 3", sex="f")
    by.row()
    by.record(
        four, label="Case 4", sex="f", age="61", duration="1.5 years", subset="dcSSc",
        prior="methotrexate", signs="skin", antibodies="ANA; anti-Scl-70",
    )  # fmt: skip
    by.settled()
    for header in ("age", "duration", "subset", "prior", "signs", "antibodies"):
        by.command("Alt+n", f"{three}, {HEADERS[header]}")
    by.command("Alt+n", f"{three}, Classification criteria")
    by.command("Alt+n", f"{three}, DLCO (% predicted)")
    by.command("Alt+n", f"{three}, Comorbidities")
    by.settled()
    assert unplaced(page) == "0"
    by.tab("Courses")
    course = [
        f"Course {study}-{number}" for number in ("1 / 1", "2 / 1", "2 / 2", "3 / 1", "4 / 1")
    ]
    by.record(
        course[0], drug="tofacitinib", dose="5 mg twice daily", months="12", for_="skin; ILD",
        along="MMF", response="improved", events="events", stopped="no",
    )  # fmt: skip
    by.record(
        course[1], drug="tofacitinib", dose="5 mg twice daily", months="6", for_="joints",
        response="stable", events="none", stopped="yes", reason="lack of effect",
    )  # fmt: skip
    by.settled()
    cell(page, f"{course[1]}, Stopped").focus()
    by.row()
    by.record(
        course[2], drug="baricitinib", dose="4 mg daily", months="9", for_="joints",
        response="improved", events="none", stopped="no",
    )  # fmt: skip
    by.record(course[3], drug="tofacitinib", response="improved")
    by.record(
        course[4], drug="ruxolitinib", months="3", for_="skin", response="worsened",
        events="events", stopped="yes",
    )  # fmt: skip
    by.settled()
    for header in ("Dose", "Indications", "Relapsed", "Concomitant therapies", "Adverse events"):
        by.command("Alt+n", f"{course[3]}, {header}")
    by.settled()
    assert unplaced(page) == "0"
    by.tab("Outcomes by month")
    by.columns("mRSS; FVC % predicted", "6 12")
    for row, texts in {
        course[0]: {
            "mRSS, baseline": "24", "mRSS, month 6": "18", "mRSS, month 12": "15",
            "FVC % predicted, baseline": "71", "FVC % predicted, month 6": "72",
            "FVC % predicted, month 12": "75",
        },
        course[1]: {"mRSS, baseline": "8", "mRSS, month 6": "8"},
        course[2]: {"mRSS, baseline": "8", "mRSS, month 6": "5"},
        course[4]: {"mRSS, baseline": "30", "mRSS, month 6": "31"},
    }.items():  # fmt: skip
        for header, text in texts.items():
            by.type(f"{row}, {header}", text)
    by.settled()
    by.tab("Events")
    by.record(
        f"Adverse event {study}-1 / 1 / 1", category="infection", described="Zoster", grade="2",
        serious="no",
    )  # fmt: skip
    by.settled()
    cell(page, f"Adverse event {study}-1 / 1 / 1, Category").focus()
    by.row()
    by.record(
        f"Adverse event {study}-1 / 1 / 2", category="Hepatitis", described="ALT raised",
        serious="no",
    )  # fmt: skip
    by.record(
        f"Adverse event {study}-4 / 1 / 1", category="infection", described="Pneumonia",
        serious="yes",
    )  # fmt: skip
    by.settled()
    assert unplaced(page) == "0"
    assert by.interactions <= 140 and by.minutes <= 8, by.counted
    page.reload()
    expect(page.locator(".tabs")).to_contain_text(re.compile(r"Outcomes\s+\(7\)"))
    expect(page.locator(".tabs")).to_contain_text(re.compile(r"Events\s+\(3\)"))


def test_a_series_of_twelve_is_pasted_with_its_outcomes(open_bench, study):
    page = open_bench(study)
    by = Counted(page, study)
    by.place("Table 2, p. 4")
    by.clicks += 1
    page.get_by_role("button", name="New row").click()
    rows = [
        (f"Pt {number}", "FM"[number % 2], 40 + number, "dcSSc", 12 * number, "+", "-", "MTX; MMF")
        for number in range(1, 13)
    ]
    header = ("No", "Sex", "Age", "Type", "Disease duration", "ILD", "anti-Scl-70", "Previous")
    by.paste(f"Patient {study}-1, Label", block(header, *rows))
    for name in ("Classification criteria", "DLCO (% predicted)", "Comorbidities"):
        by.command("Alt+n", f"Patient {study}-1, {name}")
    by.settled()
    by.tab("Courses")
    rows = [
        (f"Pt {number}", "tofacitinib", "5 mg twice daily", "26 weeks", "skin", "improved", "none")
        for number in range(1, 13)
    ]
    header = ("Patient", "Drug", "Dose", "Duration", "Indication", "Response", "Adverse events")
    by.paste(f"Course {study}-1 / 1, Dose", block(header, *rows))
    for name in ("Concomitant therapies", "Relapsed", "Stopped"):
        by.command("Alt+n", f"Course {study}-1 / 1, {name}")
    by.settled()
    by.tab("Outcomes by month")
    by.columns("MRSS; FVC % predicted", "3 6")
    rows = [
        (f"Pt {number}", 20 + number, 18 + number, 15 + number, 70, "71,5", 73)
        for number in range(1, 13)
    ]
    header = (
        "Patient", "mRSS 0", "mRSS 3", "mRSS 6", "FVC % predicted 0", "FVC % predicted 3",
        "FVC % predicted 6",
    )  # fmt: skip
    by.paste(f"Course {study}-1 / 1, mRSS, baseline", block(header, *rows))
    by.settled()
    assert unplaced(page) == "0"
    expect(cell(page, f"Course {study}-12 / 1, FVC % predicted, month 3")).to_have_value("71.5")
    assert by.interactions <= 150 and by.minutes <= 10, by.counted
    page.reload()
    expect(page.locator(".tabs")).to_contain_text(re.compile(r"Outcomes\s+\(48\)"))

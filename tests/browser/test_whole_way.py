"""The whole way of a paper with two people: entered, sent back, mended, checked, published, read.

With --take-pictures (`make pictures`) it takes the pictures of docs/curating.md on the way.
"""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Site
from .test_curating import PASSWORD
from .test_workbench import cell, log_in, saved, settled

pytestmark = pytest.mark.browser

STUDY = "beispiel-2027"
# Two people, each of whom enters and checks, and an editor; a collection that needs two.
PEOPLE = f"""
from django.contrib.auth.models import Group, User
from evidence.models import Collection

Collection.objects.create(
    slug="practice", name="Practice (made up)", kind="published", needs_two_people=True,
    description="Made-up papers, to practise curating on.",
)
for name, groups in {{
    "ada": ["Extractors", "Checkers"], "bob": ["Extractors", "Checkers"], "eva": ["Editors"]
}}.items():
    user = User.objects.create_user(name, password="{PASSWORD}", is_staff=True)
    user.groups.set(Group.objects.filter(name__in=groups))
"""
ONE, TWO = f"Patient {STUDY}-1", f"Patient {STUDY}-2"
COURSE_ONE, COURSE_TWO = f"Course {STUDY}-1 / 1", f"Course {STUDY}-2 / 1"
PATIENTS = {
    ONE: {
        "Label": "Case 1", "Sex": "f", "Age (years)": "54", "Disease duration (months)": "52 weeks",
        "DLCO (% predicted)": "65,1", "Disease subset": "dcSSc", "Prior therapies": "MTX; MMF",
        "Manifestations present": "skin; ILD", "Autoantibodies present": "ATA",
    },
    TWO: {
        "Label": "Case 2", "Sex": "male", "Age (years)": "47", "Disease subset": "n",
        "Prior therapies": "none",
    },
}  # fmt: skip
COURSES = {
    COURSE_ONE: {"Inhibitor": "tofacitinib", "Indications": "skin; ILD", "Adverse events": "none"},
    COURSE_TWO: {"Inhibitor": "baricitinib", "Indications": "skin"},
}
OUTCOMES = {
    COURSE_ONE: {"mRSS, baseline": "24", "mRSS, month 6": "18", "mRSS, month 12": "12"},
}
TOTALS = {
    "Total 1": {"Of what": "patients", "Statistic": "count", "Printed": "2", "Place": "Abstract"},
    "Total 2": {"Of what": "age", "Statistic": "mean", "Printed": "50.5", "Place": "Abstract"},
    "Total 3": {"Of what": "improved", "Statistic": "count", "Printed": "1", "Place": "Abstract"},
}
VALUES = 45  # of the study, with the totals of its paper
DAY = r"\d{1,2} [A-Z][a-z]+ \d{4}"
WRONG = f"{STUDY}-1: DLCO (% predicted)"
REMARK = "table 1 says 61.5"

Picture = Callable[[Page, str], None]


class Team:
    """The people of a site, each in a browser; what their consoles say is kept."""

    def __init__(self, site: Site, chromium: Browser):
        self.address, self.chromium = site.address, chromium
        self.said: list[str] = []
        self.contexts: list = []

    def page(self, width: int = 1200) -> Page:
        """A page of a browser nobody has logged in with."""
        context = self.chromium.new_context(viewport={"width": width, "height": 800})
        context.set_default_timeout(20_000)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self.said.append(f"{page.url}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"{page.url}: {error}"))
        return page

    def person(self, name: str) -> Page:
        """The first page of somebody who has logged in."""
        page = self.page()
        page.goto(self.address + "/admin/")
        log_in(page, name)
        expect(page.get_by_role("heading", name=re.compile("^Studies in work"))).to_be_visible()
        return page

    def work(self, page: Page) -> None:
        page.goto(self.address + "/admin/")

    def close(self) -> None:
        for context in self.contexts:
            context.close()


@pytest.fixture(scope="module")
def team(tmp_path_factory, chromium):
    """People on a site of their own: the evidence as shipped, beside it an empty collection."""
    site = Site(tmp_path_factory.mktemp("whole-way"))
    for command in (
        ["migrate", "--verbosity", "0"],
        ["load_evidence", "--verbosity", "0"],
        ["shell", "--command", PEOPLE],
    ):
        site.command(*command)
    with site.served():
        team = Team(site, chromium)
        yield team
        team.close()


@pytest.fixture
def picture(request) -> Picture:
    """picture(page, name) -> takes one for the guide, where that is asked for."""
    if not request.config.getoption("--take-pictures", default=False):
        return lambda page, name: None
    from .pictures import take  # with a library that nothing else needs

    return take


def test_the_whole_way_of_a_paper_with_two_people(team, picture):
    ada, bob, eva = (team.person(name) for name in ("ada", "bob", "eva"))
    agree_to_be_named(team, ada, "Ada Muster")
    agree_to_be_named(team, bob, "Bob Beispiel")
    enter(team, ada, picture)
    send_to_be_checked(ada)
    send_back(team, bob, picture)
    mend(team, ada, picture)
    sign(team, bob)
    one_character_more(team, ada, eva)
    sign_again(team, bob)
    publish(team, eva, picture)
    read(team, picture)
    assert team.said == []


def agree_to_be_named(team: Team, page: Page, name: str) -> None:
    page.goto(team.address + "/admin/evidence/curator/add/")
    page.get_by_label("Public name").fill(name)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("was added successfully")


def tab(page: Page, title: str) -> None:
    page.locator(".tabs").get_by_role("link", name=re.compile(rf"^{title}( |$)")).click()
    expect(page.locator(".tabs [aria-current]")).to_contain_text(title)


def place(page: Page, text: str) -> None:
    page.get_by_label("Where it stands").fill(text)
    page.keyboard.press("Enter")


def fill(page: Page, rows: dict[str, dict[str, str]], *, new: bool = False) -> None:
    """Types rows as a curator does; new ones are made with their key."""
    for number, (row, texts) in enumerate(rows.items()):
        if new and number:
            page.keyboard.press("Alt+ArrowDown")
        elif new:
            page.get_by_role("button", name="New row").click()
        for header, text in texts.items():
            cell(page, f"{row}, {header}").focus()
            page.keyboard.type(text)
            page.keyboard.press("Tab")
    settled(page)


def enter(team: Team, page: Page, picture: Picture) -> None:
    """A new study, all of it by the grids."""
    team.work(page)
    page.get_by_role("link", name="New study").click()
    page.get_by_label("Collection").select_option(label="Practice (made up)")
    page.get_by_label("Short name").fill("Beispiel 2027")
    page.get_by_label("Year").fill("2027")
    page.get_by_role("button", name="Begin").click()
    fill(page, {f"Study {STUDY}": {"Design": "Case series", "Read": "Full text"}})
    expect(page.locator(".tabs")).not_to_contain_text("to mend")

    tab(page, "Patients")
    place(page, "Table 1, p. 3")
    fill(page, PATIENTS, new=True)
    saved(page)
    expect(page.locator(".tabs")).to_contain_text("Patients (2)")
    cell(page, f"{ONE}, DLCO (% predicted)").focus()
    expect(page.locator("#cell-place")).to_have_text("Stands in: Table 1, p. 3")
    picture(page, "patients")

    tab(page, "Courses")
    place(page, "p. 4")
    fill(page, COURSES)
    tab(page, "Outcomes by month")
    place(page, "Table 2, p. 4")
    page.get_by_label("Measures").fill("mRSS")
    page.get_by_label("at months").fill("6 12")
    page.get_by_role("button", name="Show these columns").click()
    expect(page.get_by_label("Where it stands")).to_have_value("Table 2, p. 4")
    fill(page, OUTCOMES)
    picture(page, "outcomes-by-month")

    tab(page, "Paper says")
    fill(page, TOTALS, new=True)
    expect(page.locator("#faults")).to_contain_text("50.5 (2 of 2 known)")
    picture(page, "paper-says")


def send_to_be_checked(page: Page) -> None:
    """By the author, who is offered no signature, though in the group of checkers."""
    page.get_by_role("link", name="Versions, publishing").click()
    page.get_by_role("link", name="checking", exact=True).click()
    page.get_by_role("button", name="Send to be checked").click()
    expect(page.locator(".messagelist")).to_contain_text("Sent to be checked")
    expect(page.locator("#content")).to_contain_text("cannot check this one")
    expect(page.get_by_role("button", name="Sign: checked")).to_have_count(0)
    page.get_by_role("link", name="Check value by value").click()
    expect(page.locator(".errornote")).to_contain_text("cannot check this one")
    expect(page.get_by_role("button", name=re.compile("agrees$|^Sign"))).to_have_count(0)


def count(page: Page, name: str):
    return page.locator(f".bench-line [data-count='{name}']")


def to_check(team: Team, page: Page) -> None:
    """From the queue to the values."""
    team.work(page)
    expect(page.get_by_role("heading", name="To check: 1")).to_be_visible()
    page.get_by_role("link", name=STUDY).click()
    expect(page.locator("button.agree").first).to_be_focused()


def send_back(team: Team, page: Page, picture: Picture) -> None:
    """Every value is agreed to but one."""
    to_check(team, page)
    expect(page.get_by_role("link", name="Without a place (0)")).to_be_visible()
    for number in range(1, VALUES + 1):
        if page.evaluate("document.activeElement.ariaLabel").startswith(WRONG):
            page.keyboard.press("w")
            page.keyboard.type(REMARK)
            page.keyboard.press("Enter")
            expect(count(page, "wrong")).to_have_text("1")
            picture(page, "check")
        else:
            page.keyboard.press("Enter")
        expect(count(page, "open")).to_have_text(str(VALUES - number))
    expect(count(page, "agreed")).to_have_text(str(VALUES - 1))
    expect(page.get_by_role("link", name="Wrong (1)")).to_be_visible()
    page.get_by_role("button", name="Send back").click()
    expect(page.locator(".messagelist")).to_contain_text("Sent back")


def mend(team: Team, page: Page, picture: Picture) -> None:
    """The remark stands in the queue and above the grid until the study is sent again."""
    remark = f"{WRONG}, “65.1”: {REMARK}"
    team.work(page)
    expect(page.get_by_role("heading", name="To mend: 1")).to_be_visible()
    expect(page.locator(".last-word")).to_contain_text("Sent back by bob")
    expect(page.locator(".last-word")).to_contain_text(remark)
    picture(page, "queue")
    page.get_by_role("link", name=STUDY).click()
    expect(page.locator(".last-word")).to_contain_text(remark)
    place(page, "Table 1, p. 3")
    fill(page, {ONE: {"DLCO (% predicted)": "61,5"}})
    saved(page)
    team.work(page)
    expect(page.locator(".last-word")).to_contain_text(remark)
    page.get_by_role("link", name=STUDY).click()
    page.get_by_role("link", name="Versions, publishing").click()
    page.get_by_role("button", name="Send to be checked").click()
    expect(page.locator(".messagelist")).to_contain_text("Sent to be checked")


def sign(team: Team, page: Page) -> None:
    """Only what was mended is asked again; the page that readers will see is looked at first."""
    to_check(team, page)
    expect(page.locator("button.agree")).to_have_count(1)
    expect(page.locator("tr[data-cell]")).to_contain_text("61.5")
    page.keyboard.press("Enter")
    expect(count(page, "agreed")).to_have_text(str(VALUES))
    page.get_by_role("link", name="Preview", exact=True).click()
    expect(page.get_by_label("Preview")).to_contain_text("Readers do not see this.")
    page.get_by_role("link", name=f"{STUDY}-1").click()
    expect(page.locator("main")).to_contain_text("61.5")
    page.get_by_role("link", name="Beispiel 2027").first.click()
    page.get_by_role("link", name="Back to the study in work").click()
    page.get_by_role("button", name="Sign: checked").click()
    expect(page.locator(".messagelist")).to_contain_text("Signed as checked")


def one_character_more(team: Team, ada: Page, eva: Page) -> None:
    """Signed, it can be published; one character more, and it cannot."""
    team.work(eva)
    expect(eva.get_by_role("heading", name="Checked, to publish: 1")).to_be_visible()
    eva.get_by_role("link", name=STUDY).click()
    expect(eva.get_by_role("link", name=re.compile("^Publish version"))).to_be_visible()

    ada.get_by_role("link", name="Enter and change its values").click()
    expect(ada.locator(".last-word")).to_contain_text("takes that back")
    label = cell(ada, f"{ONE}, Label")
    label.focus()
    ada.keyboard.press("F2")
    ada.keyboard.type(".")
    ada.keyboard.press("Tab")
    saved(ada)

    eva.reload()
    expect(eva.locator("#content")).to_contain_text("once a second person has signed it as checked")
    expect(eva.get_by_role("link", name=re.compile("^Publish version"))).to_have_count(0)
    label.focus()
    ada.keyboard.press("Control+z")
    expect(label).to_have_value("Case 1")
    ada.get_by_role("link", name="Versions, publishing").click()
    ada.get_by_role("button", name="Send to be checked").click()
    expect(ada.locator(".messagelist")).to_contain_text("Sent to be checked")


def sign_again(team: Team, page: Page) -> None:
    """What was agreed stands, since every value is as it was."""
    team.work(page)
    page.get_by_role("link", name=STUDY).click()
    expect(page.get_by_text("None in this list.")).to_be_visible()
    page.get_by_role("button", name="Sign: checked").click()
    expect(page.locator(".messagelist")).to_contain_text("Signed as checked")


def publish(team: Team, page: Page, picture: Picture) -> None:
    team.work(page)
    page.get_by_role("link", name=STUDY).click()
    page.get_by_role("link", name=re.compile("^Publish version")).click()
    expect(page.locator("#content")).to_contain_text("By a second person: bob signed")
    picture(page, "publish")
    page.get_by_label("What and why").fill("First entry.")
    page.get_by_role("button", name="Publish for readers").click()
    expect(page.locator(".messagelist")).to_contain_text("Published: readers see it now.")


def read(team: Team, picture: Picture) -> None:
    """Somebody who has no account."""
    page = team.page()
    page.goto(f"{team.address}/practice/studies/{STUDY}/")
    history = page.get_by_role("region", name="How it was entered")
    for told in (
        f"Entered on {DAY} by Ada Muster, published on {DAY}.",
        f"Checked by a second person on {DAY}: Bob Beispiel.",
    ):
        expect(history).to_contain_text(re.compile(told.replace(" ", r"\s+")))
    picture(page, "public")
    page.get_by_role("link", name=f"{STUDY}-1").click()
    expect(page.locator("main")).to_contain_text("61.5")

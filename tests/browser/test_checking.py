"""Checking value by value in a real browser: by keys alone, with script and without."""

import pytest
from playwright.sync_api import expect

from .conftest import close
from .test_curating import fits_and_is_clean
from .test_workbench import REFUSED, Served, begin, log_in, saved, two_patients

pytestmark = pytest.mark.browser

SIX = "6"  # values of the study below: its name and year, three of a patient, one of another


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    made = Served(tmp_path_factory.mktemp("checking"))
    yield made
    made.running.close()


@pytest.fixture(scope="module")
def people(served, chromium):
    """people("ada"), people("bob", script=False) -> a browser in which that curator has logged
    in.
    """
    contexts = {}

    def browser(name: str, *, script: bool = True):
        if (name, script) not in contexts:
            context = contexts[name, script] = chromium.new_context(java_script_enabled=script)
            context.set_default_timeout(20_000)
            page = context.new_page()
            page.goto(served.address + "/admin/")
            log_in(page, name)
            close(page)
        return contexts[name, script]

    yield browser
    for context in contexts.values():
        context.close()


def entered_by_ada(people, served, name: str) -> str:
    """A study that Ada has entered and sent to be checked."""
    study = begin(people, served, name)
    page = people("ada").new_page()
    page.goto(f"{served.address}/admin/work/published/{study}/patients/")
    two_patients(page, study)
    saved(page)
    page.wait_for_timeout(2500)  # until what was typed last is saved too
    page.get_by_role("link", name="Versions, publishing").click()
    page.get_by_role("button", name="Send to be checked").click()
    expect(page.locator(".messagelist")).to_contain_text("Sent to be checked")
    close(page)
    return study


@pytest.fixture
def check(people, served):
    """check(study) -> the page on which Bob checks it; its console has to stay silent."""
    said, pages = [], []

    def opened(study: str, *, script: bool = True, query: str = ""):
        page = people("bob", script=script).new_page()
        pages.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{served.address}/admin/work/published/{study}/check/{query}")
        return page

    yield opened
    for page in pages:
        close(page)
    assert [one for one in said if REFUSED not in one] == []


def agree(page, label: str):
    return page.get_by_role("button", name=label)


def count(page, name: str):
    return page.locator(f".bench-line [data-count='{name}']")


def test_a_study_is_checked_by_keys_alone(check, people, served):
    study = entered_by_ada(people, served, "Keys 2027")
    page = check(study)
    first = page.locator("button.agree").first
    expect(first).to_be_focused()
    expect(page.locator("button.agree")).to_have_count(int(SIX))
    page.keyboard.press("Enter")  # the name
    expect(count(page, "agreed")).to_have_text("1")
    expect(page.locator("button.agree").nth(1)).to_be_focused()
    page.keyboard.press("b")
    expect(first).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # the year
    page.keyboard.press("Enter")  # the label
    expect(agree(page, f"{study}-1: sex")).to_be_focused()
    page.keyboard.press("Enter")
    expect(count(page, "agreed")).to_have_text("4")
    expect(agree(page, f"{study}-1: age (years)")).to_be_focused()
    page.keyboard.press("w")
    expect(page.get_by_label(f"What is wrong with {study}-1: age (years)")).to_be_focused()
    page.keyboard.press("Escape")
    expect(agree(page, f"{study}-1: age (years)")).to_be_focused()
    page.keyboard.press("w")
    page.keyboard.type("wbw 45 in table 1")  # letters of keys are letters here
    page.keyboard.press("Enter")
    expect(count(page, "wrong")).to_have_text("1")
    expect(page.locator("#remark")).to_have_value(
        f"{study}-1: age (years), “54”: wbw 45 in table 1"
    )
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("5 of 6 agree, 1 wrong.")
    fits_and_is_clean(page)
    page.reload()
    expect(page.get_by_text("None in this list.")).to_be_visible()
    page.get_by_role("button", name="Send back").click()
    expect(page.locator(".messagelist")).to_contain_text("Sent back")
    expect(page.get_by_text("wbw 45 in table 1")).to_be_visible()


def test_all_agreed_it_is_signed(check, people, served):
    study = entered_by_ada(people, served, "Signed 2027")
    page = check(study)
    expect(page.locator("#although")).to_be_visible()
    for number in range(1, int(SIX) + 1):
        page.keyboard.press("Enter")
        expect(count(page, "agreed")).to_have_text(str(number))
    expect(page.locator("#although")).to_be_hidden()
    page.get_by_role("button", name="Sign: checked").click()
    expect(page.locator(".messagelist")).to_contain_text("Signed as checked")
    expect(page.get_by_text("6 of 6 values agreed one by one.").first).to_be_visible()


def test_without_script_each_value_is_a_form(check, people, served):
    study = entered_by_ada(people, served, "Plain 2027")
    page = check(study, script=False)
    agree(page, f"{study}-1: sex").click()
    expect(count(page, "agreed")).to_have_text("1")
    row = page.locator("tr", has=agree(page, f"{study}-1: age (years)"))
    row.locator("summary").click()
    row.get_by_role("textbox").fill("45 in table 1")
    row.get_by_role("button", name="Mark as wrong").click()
    expect(count(page, "wrong")).to_have_text("1")
    page.get_by_role("link", name="Wrong (1)").click()
    expect(page.get_by_text("45 in table 1").first).to_be_visible()


def test_what_somebody_wrote_meanwhile_is_told(check, people, served):
    study = entered_by_ada(people, served, "Meanwhile 2027")
    page = check(study)
    other = people("ada").new_page()
    other.goto(f"{served.address}/admin/work/published/{study}/patients/")
    other.get_by_role("textbox", name=f"Patient {study}-1, Age (years)").fill("45")
    other.keyboard.press("Tab")
    saved(other)
    close(other)
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("was written meanwhile")


def test_the_second_entry_fits_every_window(check, people, served):
    study = entered_by_ada(people, served, "Blind 2027")
    page = check(study)
    page.goto(f"{served.address}/admin/work/published/{study}/second/")
    fits_and_is_clean(page)

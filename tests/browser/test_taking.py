"""Taking evidence away: links that last, downloads, the API's page."""

import json

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
SIM = "/sener-2025-reconstruction/"


def test_the_button_copies_what_the_reader_sees_now(visit, site):
    page = visit(SIM)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site)
    page.get_by_label("tofacitinib 72").check()
    expect(page.locator("#answer strong")).to_have_text("72 patients")
    button = page.get_by_role("link", name="Copy link with release 1")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#announce")).to_have_text("Copied: a link to this view with release 1.")
    expect(page.get_by_role("link", name="Copied", exact=True)).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{site}{SIM}?inhibitor=tofacitinib&release=1"
    assert page.url == f"{site}{SIM}?inhibitor=tofacitinib", "the reader stays where he was"
    expect(button).to_be_visible(timeout=5000)
    page.goto(copied)
    expect(page.locator(".pin")).to_contain_text("You are reading release 1")
    page.locator("#d-sex summary").click()
    page.locator("#f-sex-female").check()
    page.wait_for_url("**/?inhibitor=tofacitinib&sex=female&release=1")


def test_without_script_or_clipboard_the_link_is_followed(visit, site):
    page = visit(f"{SIM}?sex=female", script=False)
    page.get_by_role("link", name="Copy link with release 1").click()
    assert page.url == f"{site}{SIM}?sex=female&release=1"


@pytest.mark.parametrize(
    ("address", "label", "name"),
    [
        (
            f"{SIM}patients/",
            "Everything as ZIP",
            "casebook-simulated-sener-2025-reconstruction-release-1.zip",
        ),
        (
            f"{SIM}patients/",
            "Phenopackets",
            "casebook-simulated-sener-2025-reconstruction-phenopackets-release-1.json",
        ),
        ("/published/patients/", "Excel", "casebook-published-patients-release-1.xlsx"),
        ("/releases/", "ZIP", "casebook-published-release-1.zip"),
        (
            "/published/patients/fujita-2019-1/",
            "This case as a phenopacket",
            "fujita-2019-1-phenopacket.json",
        ),
    ],
)
def test_what_is_downloaded_says_by_its_name_what_it_is(visit, address, label, name):
    page = visit(address)
    with page.expect_download() as found:
        page.get_by_role("link", name=label, exact=True).first.click()
    assert found.value.suggested_filename == name
    assert found.value.path().stat().st_size > 500


def test_the_api_is_explained_and_tried_from_its_page(visit, site):
    page = visit("/api/", width=360)
    operation = page.locator("#list-patients")
    operation.get_by_text("Parameters").click()
    expect(operation.get_by_text("Rows of a page.")).to_be_visible()
    operation.get_by_text("An answer").click()
    expect(operation.locator("pre")).to_contain_text('"empty_means"')
    operation.get_by_role("link", name="Try it").click()
    assert page.url == f"{site}/api/v1/published/patients/"
    assert json.loads(page.locator("body").inner_text())["count"] == 4

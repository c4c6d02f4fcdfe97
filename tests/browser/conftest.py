"""A server of its own, a real Chromium, and a page whose console has to stay silent."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from ..processes import ROOT, free_port

BROWSER = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


expect.set_options(timeout=20_000)  # a slow machine is no failure
# What Chromium itself writes where a question is wrong; the page says what is wrong with it.
OF_CHROMIUM = {
    "error Failed to load resource: the server responded with a status of 400 (Bad Request)"
}


def pytest_addoption(parser):
    parser.addoption(
        "--take-pictures", action="store_true", help="take the pictures of docs/curating.md anew"
    )


def close(page) -> None:
    """Closes a page once it has loaded: told to close one that is still loading, Chromium 156 never
    answers.
    """
    if not page.is_closed():  # with the browser it was in
        page.wait_for_load_state()
        page.close()


class Site:
    """A server of its own, on a database of its own."""

    def __init__(self, folder: Path):
        self.port = str(free_port())
        self.address = f"http://localhost:{self.port}"
        found = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTEST", "CASEBOOK_"))
        }
        self.environment = found | {
            "CASEBOOK_SECRET_KEY": "browser tests",
            "CASEBOOK_HTTPS": "0",
            "DATABASE_URL": f"sqlite:///{folder / 'casebook.sqlite3'}",
            "PORT": self.port,
        }

    def command(self, *command: str, **variables: str) -> None:
        """Runs a command on the server's database."""
        subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=self.environment | variables,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    @contextmanager
    def served(self):
        """While this lasts, the server answers; gives its process."""
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "-c",
                "python:evidence.gunicorn_conf",
                "evidence.wsgi",
            ],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            said = next((line for line in server.stdout if "Casebook is at" in line), "")
            assert f"{self.address}/" in said, "the server stopped before it was ready"
            yield server
        finally:
            server.terminate()
            server.wait(20)
            server.stdout.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The address of a site that no test changes."""
    shown = Site(tmp_path_factory.mktemp("site"))
    released = ["release", "--verbosity", "0"]
    drawn_at_random = [
        "generate_cohort",
        "--patients",
        "120",
        "--collection",
        "drawn",
        "--seed",
        "3",
        "--verbosity",
        "0",
    ]
    for command in (
        ["migrate", "--verbosity", "0"],
        ["load_evidence", "--verbosity", "0"],
        released,
        drawn_at_random,
    ):
        shown.command(*command)
    with shown.served():
        yield shown.address


@pytest.fixture(scope="session")
def chromium():
    path = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    assert path, "These tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=BROWSER)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def readers(chromium):
    """readers(scheme=…, script=…) -> what such a reader's pages share: a cache, so Plotly is
    compiled once, not in each of a hundred tests. Casebook leaves nothing in a browser that the
    next test could meet; this holds it to that.
    """
    contexts = {}

    def reader(*, scheme: str, script: bool):
        if (scheme, script) not in contexts:
            contexts[scheme, script] = chromium.new_context(
                color_scheme=scheme, java_script_enabled=script
            )
        return contexts[scheme, script]

    yield reader
    stored = [context.storage_state() for context in contexts.values()]
    for context in contexts.values():
        context.close()
    kept = {
        item["name"]
        for each in stored
        for origin in each["origins"]
        for item in origin["localStorage"]
    }
    assert kept <= {"theme"}, stored  # of the curators' admin, light or dark
    cookies = {cookie["name"] for each in stored for cookie in each["cookies"]}
    # of the curators' login, which a public page never looks at
    assert cookies <= {"casebook-csrf"}, cookies


@pytest.fixture
def visit(readers, site):
    """visit(address, width=…, scheme=…, script=…) -> page; at the end the console has to have been
    silent.
    """
    said, pages = [], []

    def listen(address: str, text: str) -> None:
        if text not in OF_CHROMIUM:
            said.append(f"{address}: {text}")

    def open_page(address: str, *, width: int = 1440, scheme: str = "light", script: bool = True):
        page = readers(scheme=scheme, script=script).new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": 900})
        page.on("console", lambda message: listen(address, f"{message.type} {message.text}"))
        page.on("pageerror", lambda error: listen(address, str(error)))
        page.goto(site + address)
        if script:
            drawn(page)
        return page

    yield open_page
    for page in pages:
        close(page)
    assert said == []


NEXT = """() => {
  const undrawn = (canvas) => !canvas.querySelector(".main-svg") && canvas.checkVisibility();
  const next = document.querySelector("#charts[hx-get]")
    || [...document.querySelectorAll("[data-chart]")].find(undrawn);
  if (next) next.scrollIntoView({block: "center"});
  return !next;
}"""


def drawn(page) -> None:
    """Goes through the charts of the page as a reader does, so that they are loaded and drawn, and
    back to where the page was.
    """
    where = page.evaluate("scrollY")
    page.wait_for_function(NEXT, polling=50, timeout=30_000)
    page.evaluate(f"scrollTo(0, {where})")

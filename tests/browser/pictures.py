"""The pictures of docs/curating.md, taken on the way of `test_whole_way.py`: `make pictures`."""

import io

from PIL import Image
from playwright.sync_api import Page

from ..processes import ROOT

FOLDER = ROOT / "docs" / "pictures"
MOST_BYTES = 120_000
COLOURS = 64  # as many as text and lines of a page need
HEIGHTS = {"check": 1000, "paper-says": 900, "public": 1000}  # of those that are not the usual
USUAL_HEIGHT = 640


def take(page: Page, name: str) -> None:
    """Writes one picture of the window, with a palette; fails where it is too large."""
    page.set_viewport_size({"width": 1200, "height": HEIGHTS.get(name, USUAL_HEIGHT)})
    page.evaluate("scrollTo(0, 0); document.querySelector('.grid-box')?.scrollTo(0, 0)")
    page.wait_for_timeout(500)
    taken = Image.open(io.BytesIO(page.screenshot(animations="disabled", caret="hide")))
    small = taken.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    made = io.BytesIO()
    small.save(made, "PNG", optimize=True)
    assert made.tell() <= MOST_BYTES, f"{name} has {made.tell()} bytes"
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.png").write_bytes(made.getvalue())

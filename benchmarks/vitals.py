"""How a page feels on a slow telephone: Core Web Vitals in Chromium, network and processor
throttled.

python -m benchmarks.vitals adds its numbers to the last run and writes docs/performance.md anew
python -m benchmarks.vitals --url http://localhost:8000/published/ measures a server that runs, and
prints what it found

A visit is the first one, with nothing in the browser's cache. Once the page is loaded the reader
goes to the charts in one jump; once the first one stands, screen by screen through the others; and
then ticks a filter. So there are these times, in milliseconds:

- `first_share`: from navigation until the first share with its interval is laid out and something
  has been painted; `share_top` is how far down it stands, in pixels (a screen has 823)
- `first_chart`: from navigation until the first chart stands, the jump to it included
- `chart_in_view`: the same, from the jump on
- `longest`, `tbt`: the longest task, and all beyond 50 ms of each, until the first chart stands and
  a second and a half more; `longest_all` and `tbt_all` until every chart stands
- `cls`: layout shift of the whole visit but for the filter
- `filter`: from the tick until the new answer stands
"""

import argparse
import json
import shutil
import statistics

from . import questions, servers
from .report import write

BENCH = servers.ROOT / "var" / "bench"
SLOW_4G = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1.6e6 / 8,
    "uploadThroughput": 0.75e6 / 8,
}
SCREEN = {"width": 412, "height": 823}
SHARE = "[data-share], table.shares tbody tr"
DRAWN = "[data-chart] .main-svg"
WATCH = """
window.seen = {lcp: 0, cls: 0, tbt: 0, longest: 0, fcp: 0, first_share: 0, share_top: 0};
const watch = (type, see) =>
  new PerformanceObserver(list => list.getEntries().forEach(see)).observe({type, buffered: true});
watch('largest-contentful-paint', entry => { seen.lcp = entry.startTime });
watch('layout-shift', entry => { if (!entry.hadRecentInput) seen.cls += entry.value });
watch('longtask', entry => {
  seen.tbt += Math.max(0, entry.duration - 50);
  seen.longest = Math.max(seen.longest, entry.duration);
});
watch('paint', entry => {
  if (entry.name === 'first-contentful-paint') seen.fcp = entry.startTime;
});
requestAnimationFrame(function look() {
  const share = document.querySelector(SHARE);
  if (!share || !share.getBoundingClientRect().height) return requestAnimationFrame(look);
  seen.share_top = share.getBoundingClientRect().top + scrollY;
  requestAnimationFrame(() => { seen.first_share = performance.now() }); // the frame after it
});
""".replace("SHARE", json.dumps(SHARE))
TICK = """() => new Promise(done => {
    const before = document.getElementById('answer').textContent, start = performance.now();
    const box = document.querySelector('input[name=sex][value=female]');
    new MutationObserver((_, self) => {
        const now = document.getElementById('answer');
        if (!now || now.textContent === before) return;
        self.disconnect();
        done(performance.now() - start);
    }).observe(document.getElementById('main'), {childList: true, subtree: true});
    box.checked = true; box.dispatchEvent(new Event('change', {bubbles: true}));
})"""


def visit(context, address: str) -> dict:
    """One first visit, as the docstring of this module says."""
    page = context.new_page()
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", SLOW_4G)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.add_init_script(WATCH)
    page.goto(address, wait_until="load")
    jumped = page.evaluate("document.getElementById('charts').scrollIntoView(), performance.now()")
    page.wait_for_selector(DRAWN, timeout=120_000)
    first_chart = page.evaluate("performance.now()")
    page.wait_for_timeout(1500)
    seen = page.evaluate("({...seen})")
    scroll_through(page)
    later = page.evaluate("seen")
    found = seen | {
        "first_share": max(seen["first_share"], seen["fcp"]),
        "first_chart": first_chart,
        "chart_in_view": first_chart - jumped,
        "longest_all": later["longest"],
        "tbt_all": later["tbt"],
        "cls": later["cls"],
        "filter": page.evaluate(TICK),
    }
    page.close()
    return found


def scroll_through(page) -> None:
    """Goes down the charts screen by screen, waiting for those in view."""
    for canvas in page.locator("[data-chart]:visible").all():
        canvas.scroll_into_view_if_needed()
        canvas.locator(".main-svg").first.wait_for(timeout=120_000)
    page.wait_for_timeout(500)


def measure(address: str, times: int = 3) -> dict:
    """Medians of so many visits."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        visits = []
        for _ in range(times):
            context = browser.new_context(viewport=SCREEN)
            visits.append(visit(context, address))
            context.close()
        browser.close()
    return {
        name: round(statistics.median(one_visit[name] for one_visit in visits), 3)
        for name in visits[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", help="an overview of a server that runs, instead of our own")
    parser.add_argument("--times", type=int, default=3, help="visits")
    options = parser.parse_args()
    if options.url:
        print(json.dumps(measure(options.url, options.times), indent=1))
        return
    results = json.loads((BENCH / "results.json").read_text())
    for size, result in results["sizes"].items():
        server = servers.casebook("vitals", f"sqlite:///{BENCH / f'{size}.sqlite3'}").start()
        path = questions.casebook(f"patients-{size}", questions.MAIN)
        try:
            result["vitals"] = measure(f"http://127.0.0.1:{server.port}{path}", options.times)
            print(size, result["vitals"], flush=True)
        finally:
            server.stop()
    (BENCH / "results.json").write_text(json.dumps(results, indent=1))
    write(results, servers.ROOT / "docs" / "performance.md")


if __name__ == "__main__":
    main()

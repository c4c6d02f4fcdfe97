"""How a page feels on a slow telephone: Core Web Vitals in Chromium, network and processor
throttled.

python -m benchmarks.vitals adds its numbers to the last run and writes docs/performance.md anew
"""

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
WATCH = """
window.seen = {lcp: 0, cls: 0, tbt: 0, fcp: 0};
new PerformanceObserver(l => { for (const e of l.getEntries()) seen.lcp = e.startTime })
  .observe({type: 'largest-contentful-paint', buffered: true});
new PerformanceObserver(l => { for (const e of l.getEntries()) if (!e.hadRecentInput) seen.cls += e.value })
  .observe({type: 'layout-shift', buffered: true});
new PerformanceObserver(l => { for (const e of l.getEntries()) seen.tbt += Math.max(0, e.duration - 50) })
  .observe({type: 'longtask', buffered: true});
new PerformanceObserver(l => { for (const e of l.getEntries())
  if (e.name === 'first-contentful-paint') seen.fcp = e.startTime }).observe({type: 'paint', buffered: true});
"""  # noqa: E501


def visit(context, address: str) -> dict:
    """One first visit, nothing in the browser's cache; then one filter is ticked."""
    page = context.new_page()
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", SLOW_4G)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.add_init_script(WATCH)
    page.goto(address, wait_until="load")
    page.wait_for_selector(".js-plotly-plot .main-svg", timeout=120_000)
    first_chart = page.evaluate("performance.now()")
    page.wait_for_timeout(1500)
    seen = page.evaluate("seen")
    took = page.evaluate(
        """() => new Promise(done => {
            const before = document.getElementById('answer').textContent, start = performance.now();
            const box = document.querySelector('input[name=sex][value=female]');
            new MutationObserver((_, self) => {
                const now = document.getElementById('answer');
                if (now && now.textContent !== before) { self.disconnect(); done(performance.now() - start); }
            }).observe(document.getElementById('main'), {childList: true, subtree: true});
            box.checked = true; box.dispatchEvent(new Event('change', {bubbles: true}));
        })"""  # noqa: E501
    )
    page.close()
    return seen | {"first_chart": first_chart, "filter": took}


def measure(server: servers.Server, collection: str, times: int = 3) -> dict:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        visits = []
        for _ in range(times):
            context = browser.new_context(viewport={"width": 412, "height": 823})
            path = questions.casebook(collection, questions.MAIN)
            visits.append(visit(context, f"http://127.0.0.1:{server.port}{path}"))
            context.close()
        browser.close()
    return {
        name: round(statistics.median(one_visit[name] for one_visit in visits), 3)
        for name in visits[0]
    }


def main() -> None:
    results = json.loads((BENCH / "results.json").read_text())
    for size, result in results["sizes"].items():
        server = servers.casebook("vitals", f"sqlite:///{BENCH / f'{size}.sqlite3'}").start()
        try:
            result["vitals"] = measure(server, f"patients-{size}")
            print(size, result["vitals"], flush=True)
        finally:
            server.stop()
    (BENCH / "results.json").write_text(json.dumps(results, indent=1))
    write(results, servers.ROOT / "docs" / "performance.md")


if __name__ == "__main__":
    main()

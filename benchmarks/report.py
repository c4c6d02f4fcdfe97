"""Turns results into docs/performance.md: every number beside its goal, and what was missed said as
such.
"""

import statistics
from pathlib import Path

NAMES = {
    "casebook": "**Casebook**, first response, nothing kept",
    "everything": "Casebook, with its charts (two requests)",
    "cached": "Casebook, kept answer",
    "postgresql": "Casebook on PostgreSQL, nothing kept",
    "database": "Casebook, database engine",
    "dash": "Dash on pandas",
    "datasette": "Datasette, tuned, no charts",
    "datasette-shipped": "Datasette as shipped, no charts",
    "plain": "plain Django + django-filter",
}
GOALS = {"plain": (10, 250, 1_000), "datasette": (5, 30, 120), "dash": (3.5, 5, 12)}
WHOLE_GOALS = (2, 3, 8)  # of the page with its charts, over Dash
# Printed under the goals: where the time goes, as far as it has been looked at.
WHERE_TIME_GOES = (
    "What is known of the goals that are missed: a profile of the first response at 1,000 "
    "patients has a third of its time in writing HTML, a quarter in reading and arranging the "
    "cases of the matrix and a sixth in the options of filters. The matrix stays in the first "
    "response, since the page is to be whole without a script. What blocks a slow telephone, "
    "files, and the building of a snapshot have not been profiled."
)
PAGE_KB = 90
SIZES = ("1000", "100000", "1000000")


def ratio(
    results: dict, name: str, question: str = "main", *, to: str = "casebook"
) -> tuple[float, float, float] | None:
    """Median, least and greatest of the ratios to Casebook, round by round."""
    pages = results["pages"][question]
    if name not in pages:
        return None
    rounds = zip(pages[name]["rounds"], pages[to]["rounds"], strict=False)
    ratios = [theirs / ours for theirs, ours in rounds]
    return statistics.median(ratios), min(ratios), max(ratios)


def ms(value: float) -> str:
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def goal_row(
    text: str,
    goal: str,
    value: float,
    *,
    least: float | None = None,
    most: float | None = None,
    unit="",
) -> str:
    met = value >= least if least is not None else value <= most
    limit = least if least is not None else most
    by = f" by {abs(value - limit) / limit * 100:.0f} %" if limit else ""
    gap = "met" if met else f"**missed**{by}"
    return f"| {text} | {goal} | {value:,.1f}{unit} | {gap} |"


def goals(results: dict) -> list[str]:
    sizes, rows = results["sizes"], []
    for name, limits in GOALS.items():
        for size, limit in zip(SIZES, limits, strict=True):
            if size in sizes and (found := ratio(sizes[size], name)):
                text = f"times faster than {NAMES[name]}, {int(size):,} patients"
                rows.append(goal_row(text, f"≥ {limit}", found[0], least=limit))
    for size, limit in zip(SIZES, WHOLE_GOALS, strict=True):
        if size in sizes and (found := ratio(sizes[size], "dash", to="everything")):
            text = f"everything on the page, times faster than Dash, {int(size):,} patients"
            rows.append(goal_row(text, f"≥ {limit}", found[0], least=limit))
    for size in sizes:
        text = f"the first response, uncompressed, {int(size):,} patients"
        kilobytes = sizes[size]["inside"]["page_kb"]
        rows.append(goal_row(text, f"< {PAGE_KB} kB", kilobytes, most=PAGE_KB, unit=" kB"))
    for size, limit in (("100000", 6), ("1000000", 2)):
        if size in sizes:
            inside = sizes[size]["inside"]
            text = f"the whole page against its bare numbers, {int(size):,} patients, in process"
            rows.append(
                goal_row(
                    text, f"≤ {limit} times", inside["page_ms"] / inside["bare_ms"], most=limit
                )
            )
    pages = {size: sizes[size]["pages"]["main"]["casebook"]["p50"] for size in sizes}
    for size, limit in (("100000", 2), ("1000000", 4)):
        if size in pages and "1000" in pages:
            text = f"growth of the page from 1,000 to {int(size):,} patients"
            rows.append(goal_row(text, f"≤ {limit} times", pages[size] / pages["1000"], most=limit))
    for size, found in sizes.items():
        rows.append(
            goal_row(
                f"queries of a page, {int(size):,} patients",
                "≤ 5",
                found["inside"]["queries"],
                most=5,
            )
        )
    for size, found in sizes.items():
        if found.get("load"):
            for name, (text, limit) in list(LOADS.items())[1:]:
                turns = zip(found["load"][name], found["load"]["empty"], strict=True)
                share = statistics.median(100 * run["rate"] / empty["rate"] for run, empty in turns)
                text = f"{text} per second against an empty view, {int(size):,} patients"
                rows.append(goal_row(text, f"≥ {limit} %", share, least=limit, unit=" %"))
    for size in ("100000", "1000000"):
        if size in sizes:
            files = sizes[size]["exports"]
            text = f"treatments.csv against raw sqlite3 + csv, {int(size):,} patients"
            rows.append(
                goal_row(text, "≥ 0.5", files["casebook"]["rate"] / files["raw"]["rate"], least=0.5)
            )
            if "datasette" in files:
                text = f"treatments.csv against Datasette, {int(size):,} patients"
                rows.append(
                    goal_row(
                        text, "≥ 3", files["casebook"]["rate"] / files["datasette"]["rate"], least=3
                    )
                )
            text = f"memory over idle while it streams, {int(size):,} patients"
            rows.append(
                goal_row(text, "≤ 16 MB", files["casebook"]["more_mb"], most=16, unit=" MB")
            )
    if "1000000" in sizes:
        inside = sizes["1000000"]["inside"]
        rows.append(
            goal_row(
                "snapshot of 1,000,000 patients",
                "< 160 MB",
                inside["snapshot_mb"],
                most=160,
                unit=" MB",
            )
        )
        rows.append(goal_row("building it", "< 15 s", inside["build_s"], most=15, unit=" s"))
    for size, found in sizes.items():
        for name, (text, limit, unit) in VITALS.items():
            if name in found.get("vitals", {}):
                text = f"{text} on a slow telephone, {int(size):,} patients"
                goal = f"≤ {limit:,}{unit}"
                rows.append(goal_row(text, goal, found["vitals"][name], most=limit, unit=unit))
    return rows


VITALS = {
    "first_share": ("first share with its interval", 1500, " ms"),
    "first_chart": ("first chart, from navigation", 6000, " ms"),
    "longest_all": ("longest task, all charts drawn", 1000, " ms"),
    "tbt_all": ("total blocking time, all charts drawn", 1500, " ms"),
    "cls": ("layout shift", 0, ""),
}


LOADS = {
    "empty": ("an empty view", 100),
    "cached": ("kept answers", 75),
    "not_modified": ("304 answers", 80),
}


def pages_table(results: dict, question: str) -> list[str]:
    sizes = [size for size in SIZES if size in results["sizes"]]
    heads = "".join(f" {int(size):,} patients, ms | times |" for size in sizes)
    rows = [f"| page |{heads}", "| --- |" + " ---: | ---: |" * len(sizes)]
    for name, label in NAMES.items():
        cells = []
        for size in sizes:
            pages = results["sizes"][size]["pages"][question]
            if name not in pages:
                cells.append(" – | – |")
                continue
            page, times = pages[name], ratio(results["sizes"][size], name, question)
            cells.append(
                f" {ms(page['p50'])} ({ms(page['low'])}–{ms(page['high'])}) | {times[0]:.1f} |"
            )
        if any("–" not in cell[:3] for cell in cells):
            rows.append(f"| {label} |{''.join(cells)}")
    return rows


def write(results: dict, path: Path) -> None:
    """Writes the page; `results` is what `run` measured."""
    about, sizes = results["machine"], results["sizes"]
    lines = [
        "# How fast Casebook is, and how that was measured",
        "",
        f"Written by `make bench`; do not edit. One run, on one machine: {about['cores']} cores "
        f"({about['cpu']}), {about['memory_gb']} GB, Python {about['python']}, SQLite "
        f"{about['sqlite']}. Absolute times differ from machine to machine and from minute to "
        "minute; the ratios are medians of ratios within one round, and are what counts.",
        "",
        "The data are synthetic (`generate_cohort`, seed 1). Before anything is timed, all "
        "targets have to give the same numbers for the questions asked, or the run fails.",
        "",
        "## One filtered page",
        "",
        "Tofacitinib, for ILD together with skin. The first response: the count, the number beside "
        "every option of every filter, shares with their intervals, the groups, the first 36 cases "
        "side by side. Then, by a request of its own when a reader comes near, the charts with "
        "their tables. Nothing is kept between requests except what belongs to the data version. "
        "Sequential requests over one connection, read to the end; median of rounds, in brackets "
        "the fastest and the slowest round. Datasette draws no charts and counts eight facets; "
        "Dash counts courses, which is less work than counting patients. Casebook's page says more "
        "than any of them (what is not known, and why).",
        "",
        *pages_table(results, "main"),
        "",
        "The same without any filter:",
        "",
        *pages_table(results, "all"),
        "",
        "## Against the goals",
        "",
        "| what | goal | found | |",
        "| --- | --- | ---: | --- |",
        *goals(results),
        "",
        WHERE_TIME_GOES,
        "",
        "## What is cold",
        "",
        "| | " + " | ".join(f"{int(size):,}" for size in sizes) + " |",
        "| --- |" + " ---: |" * len(sizes),
        *cold(sizes),
        "",
        "Up to 20,000 patients a changed collection is read anew by the request that finds it "
        "changed. Beyond, another process reads it, the earlier snapshot answers meanwhile, and "
        "the page says so.",
        "",
        *loads(sizes),
        *downloads(sizes),
        *vitals(sizes),
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def cold(sizes: dict) -> list[str]:
    labels = {
        "making the collection, s": ("data", "generated_s"),
        "database file, MB": ("data", "file_mb"),
        "reading a snapshot, s": ("inside", "build_s"),
        "snapshot, MB": ("inside", "snapshot_mb"),
        "a filter value never asked before, median ms": ("inside", "unseen_value_ms"),
        "the slowest of those, ms": ("inside", "unseen_value_worst_ms"),
        "bare numbers of the page, ms": ("inside", "bare_ms"),
        "the whole page in process, ms": ("inside", "page_ms"),
    }
    return [
        f"| {label} | " + " | ".join(f"{result[part][name]:,}" for result in sizes.values()) + " |"
        for label, (part, name) in labels.items()
    ]


def loads(sizes: dict) -> list[str]:
    lines = ["## Under load", "", "Eight connections (wrk), two workers of four threads.", ""]
    lines += [
        "| patients | empty view /s | kept answer /s | 304 /s | a thousand questions /s (p50, "
        "p99 ms) |"
    ]
    lines += ["| ---: | ---: | ---: | ---: | ---: |"]
    for size, result in sizes.items():
        load = result.get("load")
        if not load:
            continue
        rates = [f"{statistics.median(run['rate'] for run in load[name]):,.0f}" for name in LOADS]
        mixed = load.get("thousand")
        thousand_text = f"{mixed['rate']:,} ({mixed['p50']}, {mixed['p99']})" if mixed else "–"
        lines.append(f"| {int(size):,} | {' | '.join(rates)} | {thousand_text} |")
    lines += [
        "",
        "A thousand different questions, each asked once before (one after the other, nothing "
        "kept yet):",
        "",
    ]
    for size, result in sizes.items():
        if "thousand" in result.get("load", {}):
            lines.append(f"- {int(size):,} patients: {result['load']['thousand_first_s']} s")
    lines += [
        "",
        "Readers while a curator publishes an edit of this very collection every second, for "
        "eight seconds:",
        "",
    ]
    for size, result in sizes.items():
        seen = result["publishing"]
        lines.append(
            f"- {int(size):,} patients: {seen['answers']:,} answers, {seen['failed']} failed; "
            f"p50 {seen['p50']} ms, p99 {seen['p99']} ms, worst {seen['worst']} ms"
        )
    return [*lines, ""]


def downloads(sizes: dict) -> list[str]:
    lines = [
        "## Files",
        "",
        "Every course as CSV, unfiltered; memory is what belongs to the server's processes alone.",
        "",
    ]
    lines += [
        "| | rows | rows/s | first byte ms | seconds | memory over idle MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    names = {
        "raw": "sqlite3 + csv, no server",
        "casebook": "treatments.csv",
        "patients": "patients.csv, with seven lists a row",
        "datasette": "Datasette, its flat table",
        "slow_reader": "treatments.csv to a slow reader",
    }
    for size, result in sizes.items():
        for name, label in names.items():
            download = result["exports"].get(name)
            if download:
                rest = [download.get(key, "–") for key in ("first_ms", "seconds", "more_mb")]
                cells = " | ".join(str(value) for value in rest)
                lines.append(
                    f"| {label}, {int(size):,} patients | {download['rows']:,} | "
                    f"{download['rate']:,} | {cells} |"
                )
    return [*lines, ""]


def vitals(sizes: dict) -> list[str]:
    if not any("vitals" in result for result in sizes.values()):
        return []
    labels = {
        "first contentful paint, ms": "fcp",
        "largest contentful paint, ms (good: up to 2,500)": "lcp",
        "first share with its interval, ms": "first_share",
        "how far down it stands, px of a screen of 823": "share_top",
        "first chart, ms from navigation": "first_chart",
        "first chart, ms from the jump to it": "chart_in_view",
        "longest task until then, ms": "longest",
        "total blocking time until then, ms (good: up to 200)": "tbt",
        "longest task, all charts drawn, ms": "longest_all",
        "total blocking time, all charts drawn, ms": "tbt_all",
        "cumulative layout shift (good: up to 0.1)": "cls",
        "a filter ticked until the new answer stands, ms": "filter",
    }
    lines = ["## On a slow telephone", ""]
    lines += [
        "The filtered page in Chromium at 412 px, first visit, slow 4G (1.6 Mbit/s, 150 ms), "
        "processor four times "
    ]
    lines[-1] += (
        "slower; median of three visits. Nothing is kept by the server. Once the page is loaded "
        "the reader jumps to the charts, which come as they come into view, and when the first "
        "one stands goes on through the others."
    )
    lines += [
        "",
        "| | " + " | ".join(f"{int(size):,}" for size in sizes) + " |",
        "| --- |" + " ---: |" * len(sizes),
    ]
    for label, name in labels.items():
        cells = []
        for result in sizes.values():
            value = result.get("vitals", {}).get(name)
            cells.append(
                "–" if value is None else f"{value:,.2f}" if name == "cls" else f"{value:,.0f}"
            )
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return [*lines, ""]

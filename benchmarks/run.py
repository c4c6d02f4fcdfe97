"""Measures Casebook beside what a reader would use instead: the same data, the same questions, in
turn, in one run.

    python -m benchmarks.run                      1,000, 100,000 and 1,000,000 patients; writes docs/performance.md
    python -m benchmarks.run --sizes 1000 --short checks that it runs and that all give the same numbers (CI)

Peers that are not installed (make bench installs them), PostgreSQL and wrk are left out with a line
that says so.
"""  # noqa: E501

import argparse
import json
import os
import platform
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from . import agree, exports, flat, inside, questions, servers
from .postgres import Postgres
from .report import write

BENCH = servers.ROOT / "var" / "bench"
LARGE = 200_000  # patients from which the slowest are asked the filtered question only
SLOW = 20_000  # milliseconds from which one answer is a round


def main() -> None:
    ask = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ask.add_argument("--sizes", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument(
        "--postgresql-up-to", type=int, default=100_000, help="patients (default: %(default)s)"
    )
    ask.add_argument(
        "--short", action="store_true", help="only that it runs and that the answers agree"
    )
    ask.add_argument("--no-report", action="store_true", help="do not write docs/performance.md")
    options = ask.parse_args()
    BENCH.mkdir(parents=True, exist_ok=True)
    earlier = BENCH / "results.json"
    results = {
        "machine": machine(),
        "sizes": json.loads(earlier.read_text())["sizes"] if earlier.exists() else {},
    }
    for size in options.sizes:
        say(f"== {size:,} patients")
        results_of_size = measure(
            size, options.rounds, short=options.short, postgresql=size <= options.postgresql_up_to
        )
        if not options.short:  # sizes measured earlier stay, since each is compared within itself
            results["sizes"] = dict(
                sorted(
                    (results["sizes"] | {str(size): results_of_size}).items(),
                    key=lambda item: int(item[0]),
                )
            )
            earlier.write_text(json.dumps(results, indent=1))
    if not options.short and not options.no_report:
        write(results, servers.ROOT / "docs" / "performance.md")
        say("docs/performance.md is written")


def say(text: str) -> None:
    print(text, flush=True)


def machine() -> dict:
    about = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    cpu = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    return about | {
        "cpu": cpu.group(1) if cpu else "?",
        "memory_gb": round(int(memory.group(1)) / 1e6),
    }


def manage(database: str, *words: str) -> None:
    env = os.environ | {
        "CASEBOOK_SECRET_KEY": "benchmark",
        "CASEBOOK_HTTPS": "0",
        "DATABASE_URL": database,
        "CASEBOOK_SNAPSHOTS": str(BENCH / "snapshots"),
    }
    subprocess.run([sys.executable, "manage.py", *words], cwd=servers.ROOT, env=env, check=True)


def data(size: int) -> tuple[Path, Path, str, dict]:
    """The collection, made once and kept in var/bench; its flat table; what making it took."""
    source, collection = BENCH / f"{size}.sqlite3", f"patients-{size}"
    flat_file, notes = BENCH / f"flat{size}.db", BENCH / f"{size}.json"
    if not notes.exists():
        for leftover in BENCH.glob(f"{size}.sqlite3*"):
            leftover.unlink()
        database = f"sqlite:///{source}"
        manage(database, "prepare", "-v0")
        started = time.perf_counter()
        manage(
            database, "generate_cohort", "--patients", str(size), "--collection", collection, "-v0"
        )
        seconds = time.perf_counter() - started
        flat.make(source, flat_file, collection)
        notes.write_text(
            json.dumps(
                {"generated_s": round(seconds, 1), "file_mb": round(source.stat().st_size / 1e6)}
            )
        )
    return source, flat_file, collection, json.loads(notes.read_text())


def measure(size: int, rounds: int, *, short: bool, postgresql: bool) -> dict:
    source, flat_file, collection, notes = data(size)
    database = f"sqlite:///{source}"
    results = {"data": notes, "inside": inside.measure(database, collection, short=short)}
    say(f"  in process: {results['inside']}")
    targets = {"casebook": servers.casebook("casebook", database)}
    targets["cached"] = servers.casebook("cached", database, CASEBOOK_KEEP_ANSWERS="1")
    targets["database"] = servers.casebook("database", database, CASEBOOK_ENGINE="database")
    targets["plain"] = servers.plain(database)
    if (servers.PEERS / "datasette").exists():
        targets["datasette"] = servers.datasette(flat_file, tuned=True)
        targets["datasette-shipped"] = servers.datasette(flat_file, tuned=False)
        targets["dash"] = servers.dash(flat_file)
    else:
        say("  left out: Datasette and Dash are not installed (make bench installs them)")
    postgres = Postgres.found() if postgresql and not short else None
    try:
        if postgres:
            url = postgres.start()
            manage(url, "prepare", "-v0")
            manage(
                url, "generate_cohort", "--patients", str(size), "--collection", collection, "-v0"
            )
            targets["postgresql"] = servers.casebook("postgresql", url)
        elif not short:
            say(
                "  left out: PostgreSQL"
                + ("" if postgresql else ", which is loaded up to --postgresql-up-to")
            )
        for server in targets.values():
            server.start()
        agreement(targets, database, flat_file.stem, collection)
        say("  all give the same numbers")
        if short:
            return results
        # the page's first response, and that with the charts it loads when they come near
        measured = targets | {"everything": targets["casebook"]}
        results["pages"] = pages(measured, flat_file.stem, collection, size, rounds)
        results["load"] = load(targets["cached"], collection, size)
        results["publishing"] = publishing(targets["cached"], database, collection)
    finally:
        for server in targets.values():
            server.stop()
        if postgres:
            postgres.stop()
    results["exports"] = exports.measure(source, flat_file, collection, size)
    return results


def agreement(targets: dict, database: str, flat_name: str, collection: str) -> None:
    """Every target against Casebook's page, on every question."""
    inside.connect(database)
    for words in questions.QUESTIONS.values():
        ours = agree.casebook_numbers(targets["casebook"], collection, words)
        by_treatment = {**ours, "facets": agree.engine_numbers(collection, words)}
        small = bool(words) or ours["patients"] <= LARGE
        for name in ("cached", "database", "postgresql"):
            if name in targets and (small or name != "database"):
                agree.check(ours, agree.casebook_numbers(targets[name], collection, words), name)
        if small:
            theirs = json.loads(
                agree.text_of(
                    targets["plain"].get(questions.plain(collection, [*words, ("format", "json")]))[
                        1
                    ]
                )
            )
            agree.check(ours, theirs, "plain", but_for=agree.wider_terms())
        if "dash" in targets:
            agree.check(by_treatment, agree.dash_numbers(targets["dash"], words), "Dash")
            agree.check(
                by_treatment,
                agree.datasette_numbers(targets["datasette"], flat_name, words),
                "Datasette",
            )


# What a page fetches for itself once a reader comes near: the charts of its question.
IN_PLACE = {"HX-Request": "true", "HX-Target": "charts"}


def asked(targets: dict, flat_name: str, collection: str, words: list) -> dict[str, list[tuple]]:
    """How each target is asked this question: requests of (path, headers, body)."""
    page = (questions.casebook(collection, words), None, None)
    as_json = {"Content-Type": "application/json"}
    ways = {name: [page] for name in ("casebook", "cached", "database", "postgresql")}
    charts = (questions.casebook(collection, words, "charts/"), IN_PLACE, None)
    ways["everything"] = [page, charts]
    ways["plain"] = [(questions.plain(collection, words), None, None)]
    ways["datasette"] = ways["datasette-shipped"] = [
        (questions.datasette(flat_name, words), None, None)
    ]
    ways["dash"] = [("/_dash-update-component", as_json, questions.dash(words))]
    return {name: ways[name] for name in targets}


def timed(server: servers.Server, requests: list[tuple]) -> float:
    """Milliseconds of these requests, one after the other."""
    return sum(server.timed(*request) for request in requests)


def pages(targets: dict, flat_name: str, collection: str, size: int, rounds: int) -> dict:
    """Milliseconds of the filtered page, target after target, each round starting with another;
    medians of rounds.
    """
    times: dict[str, dict[str, list[list[float]]]] = {}
    for question, words in questions.QUESTIONS.items():
        ways = asked(targets, flat_name, collection, words)
        taken: dict[str, list[list[float]]] = {name: [] for name in targets}
        first = {
            name: timed(targets[name], ways[name])
            for name in targets
            if question == "main" or fast(name, size)
        }
        for name, spent in first.items():
            if spent > SLOW:
                taken[name].append([spent])
        for turn in range(rounds):
            names = list(first)
            names = names[turn % len(names) :] + names[: turn % len(names)]
            for name in names:
                if first[name] > 2 * SLOW or (
                    turn >= (1 if first[name] > SLOW else 2) and first[name] > SLOW / 10
                ):
                    # what takes seconds is asked in two rounds only, and what takes a minute once
                    continue
                targets[name].drain()
                repeats = max(1, min(30, int(3000 / max(first[name], 1))))
                taken[name].append([timed(targets[name], ways[name]) for _ in range(repeats)])
        times[question] = taken
    return {
        question: {name: summary(runs) for name, runs in taken.items() if runs}
        for question, taken in times.items()
    }


def fast(name: str, size: int) -> bool:
    return name not in ("plain", "database", "datasette-shipped") or size <= LARGE


def summary(rounds: list[list[float]]) -> dict:
    everything = sorted(value for values in rounds for value in values)
    medians = [statistics.median(values) for values in rounds]
    return {
        "p50": round(statistics.median(medians), 2),
        "low": round(min(medians), 2),
        "high": round(max(medians), 2),
        "p95": round(everything[int(0.95 * (len(everything) - 1))], 2),
        "rounds": [round(values, 2) for values in medians],
        "requests": len(everything),
    }


def wrk(
    server: servers.Server, path: str, *headers: str, script: str = "", seconds: int = 5
) -> dict | None:
    """Requests per second and latencies under eight connections."""
    if not shutil.which("wrk"):
        return None
    command = ["wrk", "-t1", "-c8", f"-d{seconds}s", "--latency", "-H", "Accept-Encoding: gzip"]
    for header in headers:
        command += ["-H", header]
    if script:
        command += ["-s", script]
    server.drain()
    output = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}{path}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))
    latency = {p: re.search(rf"{p}%\s+([\d.]+)(\w+)", output).groups() for p in (50, 99)}
    units = {"us": 1e-3, "ms": 1, "s": 1e3}
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    return {
        "rate": round(rate),
        "bad": int(bad.group(1)) if bad else 0,
        **{f"p{p}": round(float(value) * units[unit], 2) for p, (value, unit) in latency.items()},
    }


def load(server: servers.Server, collection: str, size: int) -> dict:
    """Cached answers against an empty view of the same server, and a thousand different
    questions.
    """
    path = questions.casebook(collection, questions.MAIN)
    tag = server.get(path)[2]["ETag"]
    results: dict = {"empty": [], "cached": [], "not_modified": []}
    for _ in range(11):  # short and many: a machine's mood changes by the second
        results["empty"].append(wrk(server, "/healthz", seconds=1))
        results["cached"].append(wrk(server, path, seconds=1))
        results["not_modified"].append(wrk(server, path, f"If-None-Match: {tag}", seconds=1))
    if results["empty"][0] is None:
        say("  left out: wrk is not installed, so no requests per second")
        return {}
    if size > LARGE:
        return results  # a thousand questions never asked before would each be cold
    addresses = questions.thousand(collection)
    script = BENCH / "thousand.lua"
    lines = ",".join(json.dumps(address) for address in addresses)
    script.write_text(
        f"local p={{{lines}}}\nlocal i=0\nrequest=function() i=i%#p+1 return "
        "wrk.format('GET',p[i]) end\n"
    )
    started = time.perf_counter()
    for address in addresses:
        server.timed(address)
    results["thousand_first_s"] = round(time.perf_counter() - started, 1)
    results["thousand"] = wrk(server, "/", script=str(script), seconds=10)
    return results


def publishing(server: servers.Server, database: str, collection: str) -> dict:
    """Readers while a curator publishes in another collection and in this one, once a second."""
    stop, failed, times = threading.Event(), [], []
    path = questions.casebook(collection, questions.MAIN)

    def publish() -> None:
        while not stop.is_set():
            inside.edit(database, collection)
            stop.wait(1)

    writer = threading.Thread(target=publish)
    writer.start()
    end = time.monotonic() + 8
    while time.monotonic() < end:
        try:
            times.append(server.timed(path))
        except RuntimeError as error:
            failed.append(str(error))
    stop.set()
    writer.join()
    times.sort()
    return {
        "answers": len(times),
        "failed": len(failed),
        "p50": round(statistics.median(times), 1),
        "p99": round(times[int(0.99 * (len(times) - 1))], 1),
        "worst": round(times[-1], 1),
    }


if __name__ == "__main__":
    main()

"""What a reader sees while PostgreSQL's primary or its streaming replica stops, hangs, lags.

    python -m faults.replica

Needs PostgreSQL's own programs (Debian: postgresql) and, as root, its user `postgres`. Makes two
clusters of its own in a temporary folder on free ports, with a Casebook of two workers before them,
and leaves nothing behind. Prints what readers got in each second, then a table; ends with 1 where a
reader got anything but an answer while one of the two databases could give it.
"""

import argparse
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .harness import POSTGRESQL, Case, Result, fault
from .servers import Casebook, Cluster

VERSION = re.compile(rb"Data version (\d+)")
PAUSE = 0.05  # seconds between two questions of a reader
READERS = 2
PATIENCE = 10  # seconds a reader waits


def edit(primary: Cluster) -> int:
    """Makes a new version of the data, as an edit does; its number."""
    return primary.execute(
        "WITH t AS (SELECT md5(random()::text) AS token) UPDATE evidence_dataversion SET number = "
        "number + 1, token = t.token, tokens = jsonb_build_object('*', t.token), collections = "
        "jsonb_build_object('*', number + 1) FROM t RETURNING number"
    )[0]


@dataclass(frozen=True)
class Answer:
    at: float
    who: str
    status: int  # 0: none
    seconds: float
    version: int
    marked: bool


class Visitors:
    """Readers who ask for pages, of which none is kept, and a curator who opens the login."""

    def __init__(self, port: int):
        self.base, self.answers, self.over = f"http://127.0.0.1:{port}", [], threading.Event()
        self.asked = 0
        self.threads = [
            threading.Thread(target=self.visit, args=arguments)
            for arguments in [("reader", PAUSE)] * READERS + [("curator", 0.5)]
        ]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *raised):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def visit(self, who: str, pause: float) -> None:
        while not self.over.wait(pause):
            self.asked += 1
            question = f"/published/?age_min={self.asked % 90}"
            began = time.monotonic()
            status, content, marked = 0, b"", False
            try:
                address = self.base + (question if who == "reader" else "/admin/login/")
                with urllib.request.urlopen(address, timeout=PATIENCE) as response:
                    status, content = response.status, response.read()
                    marked = "Cache-Status" in response.headers
            except urllib.error.HTTPError as error:
                status = error.code
            except OSError:
                pass
            found = VERSION.search(content)
            taken = time.monotonic() - began
            version = int(found[1]) if found else 0
            self.answers.append(Answer(began, who, status, taken, version, marked))

    def during(self, began: float, ended: float, who: str) -> list[Answer]:
        return [one for one in self.answers if one.who == who and began <= one.at < ended]


def told(counts: Counter) -> str:
    return ", ".join(f"{status or 'none'} × {n}" for status, n in sorted(counts.items())) or "-"


def each_second(visitors: Visitors, began: float, ended: float) -> None:
    for second in range(int(ended - began + 0.999)):
        some = visitors.during(began + second, began + second + 1, "reader")
        if some:
            versions = sorted({one.version for one in some if one.version})
            print(
                f"  {second:3} s  {told(Counter(one.status for one in some)):24} "
                f"longest {max(one.seconds for one in some) * 1000:5.0f} ms  version "
                f"{versions}{'  marked' if any(one.marked for one in some) else ''}",
                flush=True,
            )


@dataclass
class Phase:
    """What visitors got in the seconds after one thing was done."""

    name: str
    readers: Counter
    curators: Counter
    longest: float  # seconds
    until: float  # seconds after which nobody was without an answer
    marked: int


class Report:
    """One row for each fault."""

    def __init__(self, visitors: Visitors, seconds: float):
        self.visitors, self.seconds, self.phases, self.bad = visitors, seconds, [], 0

    def phase(self, name: str, act=None) -> None:
        """Does something to a database, waits, and notes what visitors got."""
        print(f"\n{name}", flush=True)
        began = time.monotonic()
        if act is not None:
            act()
        time.sleep(max(0, began + self.seconds - time.monotonic()))
        ended = time.monotonic()
        time.sleep(0.3)  # for what was under way
        each_second(self.visitors, began, ended)
        readers = self.visitors.during(began, ended, "reader")
        curators = self.visitors.during(began, ended, "curator")
        wrong = [one for one in readers if one.status != 200]
        self.bad += len(wrong)
        self.phases.append(
            Phase(
                name,
                Counter(one.status for one in readers),
                Counter(one.status for one in curators),
                max((one.seconds for one in readers), default=0),
                max((one.at + one.seconds - began for one in wrong), default=0),
                sum(one.marked for one in readers),
            )
        )

    def table(self) -> str:
        head = (
            "| fault | readers got | slowest answer | last failure after | marked | login page |\n"
            "| --- | --- | --- | --- | --- | --- |"
        )
        rows = [
            f"| {one.name} | {told(one.readers)} | {one.longest:.2f} s | {one.until:.1f} s | "
            f"{one.marked} | {told(one.curators)} |"
            for one in self.phases
        ]
        return "\n".join([head, *rows])


def faults(report: Report, primary: Cluster, replica: Cluster) -> None:
    """One fault after another, each followed by its end."""
    report.phase("both well")
    report.phase("an edit", lambda: edit(primary))
    report.phase("primary stopped", primary.stop)
    report.phase("primary started", primary.start)
    report.phase("replica stopped", replica.stop)
    report.phase("replica started", replica.start)

    def lag() -> None:
        replica.execute("SELECT pg_wal_replay_pause()")
        edit(primary)

    report.phase("replica lags (replay paused), an edit", lag)
    report.phase("primary stopped while the replica lags", primary.stop)
    report.phase("primary started", primary.start)
    report.phase("replica goes on", lambda: replica.execute("SELECT pg_wal_replay_resume()"))
    report.phase("replica hangs (SIGSTOP)", lambda: replica.signal(signal.SIGSTOP))
    report.phase("replica goes on (SIGCONT)", lambda: replica.signal(signal.SIGCONT))
    report.phase("primary hangs (SIGSTOP)", lambda: primary.signal(signal.SIGSTOP))
    report.phase("primary goes on (SIGCONT)", lambda: primary.signal(signal.SIGCONT))


def measured(folder: Path, seconds: float) -> tuple[Report, str]:
    """Tries everything in this folder; what visitors got, and what Casebook logged of it."""
    primary, replica = Cluster(folder, "primary"), Cluster(folder, "replica")
    casebook = Casebook(
        folder,
        primary.address,
        CASEBOOK_KEEP_ANSWERS="0",
        CASEBOOK_GRACEFUL_SECONDS="5",
        DATABASE_REPLICA_URL=replica.address,
    )
    try:
        primary.initialize()
        primary.start()
        primary.execute("CREATE DATABASE casebook", "postgres")
        print("Loading the evidence", flush=True)
        casebook.manage("prepare", DATABASE_REPLICA_URL="")
        replica.copy(primary)
        replica.start()
        casebook.start()
        with Visitors(casebook.port) as visitors:
            report = Report(visitors, seconds)
            time.sleep(3)  # the first answers take longer
            faults(report, primary, replica)
        return report, remarks(casebook.log)
    finally:
        casebook.stop()
        primary.end()
        replica.end()


def remarks(log: Path) -> str:
    """Lines of the log on which database is asked, each once a second and process at most."""
    lines = [line for line in log.read_text().splitlines() if "models.reading" in line]
    return "\n".join(lines)


@fault("a replica beside PostgreSQL: each of the two stops, hangs, lags", on=(POSTGRESQL,))
def replica_lost(case: Case) -> None:
    case.rows = []
    report, _ = measured(case.folder, 5)
    for phase in report.phases:
        case.result = Result(f"with a replica: {phase.name}", case.home.database)
        case.rows.append(case.result)
        case.result.readers = {
            "right" if status == 200 else str(status or "no answer"): count
            for status, count in phase.readers.items()
        }
        case.result.marked, case.result.longest = phase.marked, round(phase.longest, 2)
        case.result.seconds = round(phase.until, 1)
        wrong = sum(count for status, count in phase.readers.items() if status != 200)
        case.check(not wrong, f"{wrong} readers got no answer though one database could give it")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8, help="of each fault")
    seconds = parser.parse_args().seconds
    folder = Path(tempfile.mkdtemp(prefix="casebook-replica-"))
    try:
        report, said = measured(folder, seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\nWhat Casebook logged of it:\n{said}\n\n{report.table()}")
    print(f"\n{report.bad} readers got no answer.")
    return 1 if report.bad else 0


if __name__ == "__main__":
    sys.exit(main())

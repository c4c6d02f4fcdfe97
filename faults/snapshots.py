"""A snapshot's file is cut short, filled with zeros and removed while two workers serve from it."""

import http.client
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from .harness import SQLITE, Case, Result, fault
from .servers import Casebook

PATIENTS = 25_000  # so many that a snapshot is kept as a file
QUESTIONS = [
    f"/large/?{word}"
    for word in ("sex=female", "sex=male", "inhibitor=tofacitinib", "indication=ild", "age_min=50")
]
COUNT = re.compile(r"<strong>([\d\u202f]+) patients?</strong>")


def asked(port: int, rounds: int = 6) -> Counter:
    """How often each answer came: question and number of patients, status, or none."""
    seen: Counter = Counter()
    for question in QUESTIONS * rounds:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", question)
            response = connection.getresponse()
            patients = COUNT.search(response.read().decode())
            seen[f"{question}: {patients[1]}" if patients else f"{response.status}"] += 1
        except (OSError, http.client.HTTPException):
            seen["no answer"] += 1
        finally:
            connection.close()
    return seen


def cut(path: Path) -> None:
    os.truncate(path, 64)


def zero(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(b"\0" * size)


DAMAGES = {"cut short": cut, "filled with zeros": zero, "removed": Path.unlink}


@fault("a snapshot's file is damaged under running workers", on=(SQLITE,))
def snapshot_damaged(case: Case) -> None:
    address, _ = case.home.fresh(case.folder)
    casebook = case.casebook = Casebook(case.folder, address, CASEBOOK_KEEP_ANSWERS="0")
    drawn = ("--patients", str(PATIENTS), "--collection", "large", "--verbosity", "0")
    casebook.manage("generate_cohort", *drawn)
    casebook.manage("prepare_snapshots", "large")
    case.rows = []
    for damage, harm in DAMAGES.items():
        case.result = Result(f"a snapshot's file is {damage} under two workers", case.home.database)
        case.rows.append(case.result)
        damaged(case, casebook, harm)


def damaged(case: Case, casebook: Casebook, harm: Callable[[Path], None]) -> None:
    """Asks before, after the damage, and after the next start: the numbers stay the same."""
    casebook.start()
    try:
        before, workers = asked(casebook.port), set(casebook.workers())
        files = list((casebook.folder / "snapshots").rglob("*.snapshot"))
        case.check(files, "there is no file to damage")
        for path in files:
            harm(path)
        after, survivors = asked(casebook.port), set(casebook.workers()) & workers
    finally:
        casebook.stop()
    casebook.start()
    try:
        again = asked(casebook.port)
    finally:
        casebook.stop()
    case.check(survivors == workers, f"{len(workers - survivors)} workers died")
    case.check(before == after == again, f"other answers: {before}, {after}, {again}")
    case.result.readers = {"right": sum((before & after).values()) + sum((before & again).values())}
    case.result.seconds = 0.0
    case.lost("nothing: the numbers stay the same, and after the next start; no worker died")

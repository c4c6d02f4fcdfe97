"""Tries the faults, one after the other: `python -m faults.run [--short] [--on WORD] [NAME ...]`.

Everything runs in a folder of its own under the temporary one, with servers of its own on
127.0.0.1, and ends by itself. What came of each fault stands in var/faults as JSON; `python -m
faults.report` writes the table of docs/reliability.md from it. Ends with 1 where anything was not
as it has to be.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from . import (
    clock,
    databases,
    disk,
    processes,
    recovery,
    replica,
    snapshots,
    stopping,
    upgrades,
    writing,
)
from .harness import FAULTS, RESULTS, Fault, Home, ServedHome, run
from .machine import described

# Each declares its faults; they are tried, and stand in the table, in this order.
PARTS = [
    processes, writing, stopping, databases, replica, disk, clock, snapshots, recovery, upgrades
]  # fmt: skip


def in_order() -> list[Fault]:
    names = [part.__name__ for part in PARTS]
    return sorted(FAULTS, key=lambda each: names.index(each.act.__module__))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="of faults; all unless named")
    parser.add_argument("--short", action="store_true", help="a few of them, for CI")
    parser.add_argument("--on", default="", help="the databases whose name begins with this")
    parser.add_argument("--list", action="store_true", help="only name them")
    asked = parser.parse_args()
    wanted = [each for each in in_order() if not asked.names or each.name in asked.names]
    if unknown := set(asked.names) - {each.name for each in wanted}:
        parser.error(f"There is no fault {', '.join(sorted(unknown))}.")
    if asked.list:
        print("\n".join(f"{each.name:28} {each.title}" for each in wanted))
        return 0
    began, bad, tried = time.monotonic(), [], 0
    RESULTS.mkdir(parents=True, exist_ok=True)
    if not (asked.names or asked.on or asked.short):
        for old in RESULTS.glob("*.json"):
            old.unlink()
    (RESULTS / "machine.json").write_text(json.dumps(described(), indent=1) + "\n")
    for kind in (Home, ServedHome):
        chosen = [
            each for each in wanted if kind.database in (each.short_on if asked.short else each.on)
        ]
        if not chosen or not kind.database.lower().startswith(asked.on.lower()):
            continue
        folder = Path(tempfile.mkdtemp(prefix="casebook-faults-"))
        folder.chmod(0o755)
        home = kind(folder)
        try:
            home.start()
            for each in chosen:
                tried += 1
                rows = run(home, each, in_order().index(each))
                bad += [f"{home.database}: {row.fault}" for row in rows if row.problems]
        finally:
            home.stop()
            shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{tried} faults in {time.monotonic() - began:.0f} s; not as it has to be: {len(bad)}")
    print("\n".join(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

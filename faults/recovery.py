"""PostgreSQL comes back at a point in time: `point_in_time.sh`, as a fault of the table."""

import os
import re
import subprocess
from pathlib import Path

from .harness import POSTGRESQL, Case, fault
from .servers import free_port

SCRIPT = Path(__file__).with_name("point_in_time.sh")
CAME_BACK = re.compile(r"recovered in (\d+) s: (\d+) rows, it had (\d+)")


@fault("PostgreSQL's data are deleted, then its cluster is lost; recovery to a point in time",
       on=(POSTGRESQL,))  # fmt: skip
def point_in_time(case: Case) -> None:
    done = subprocess.run(
        ["bash", str(SCRIPT)],
        env=os.environ | {"PORT": str(free_port())},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    case.check(done.returncode == 0, done.stdout[-500:] + done.stderr[-1000:])
    if found := CAME_BACK.search(done.stdout):
        seconds, rows, had = map(int, found.groups())
        case.result.seconds = float(seconds)
        case.lost(f"nothing: {rows} of {had} rows of that moment came back")

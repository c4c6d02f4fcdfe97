"""What the faults were tried on."""

import os
import platform
import re
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from .servers import ROOT, programs


def described() -> dict[str, str]:
    """Day, commit, cores, memory and versions, in words."""
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1])

    def said(*command: str) -> str:
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()

    return {
        "day": f"{datetime.now(UTC):%-d %B %Y}",
        "commit": said("git", "rev-parse", "--short", "HEAD"),
        "cores": str(os.cpu_count()),
        "memory": f"{memory / 1e6:.0f} GB",
        "Python": platform.python_version(),
        "Django": version("django"),
        "gunicorn": version("gunicorn"),
        "SQLite": sqlite3.sqlite_version,
        "PostgreSQL": said(str(programs() / "postgres"), "--version").split()[2],
        "Redis": re.search(r"v=(\S+)", said("redis-server", "--version"))[1],
        "Linux": platform.release().split("-")[0],
    }

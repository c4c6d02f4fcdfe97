"""A snapshot's file is cut short, filled with zeros and removed while two workers serve from it.

    python -m faults.cut_snapshot [--patients 25000]

Draws a collection into a database of its own in a temporary folder, so nothing of yours is touched,
serves it with gunicorn, damages what stands in `CASEBOOK_SNAPSHOTS` in every way, and prints what a
reader saw, which workers died, and what stands there after the next start.
"""

import argparse
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUESTIONS = [
    f"/synthetic/?{word}"
    for word in ("sex=female", "sex=male", "inhibitor=tofacitinib", "indication=ild", "age_min=50")
]


def environment(folder: Path, port: int) -> dict[str, str]:
    """Settings of a server whose database and snapshots stand in `folder`."""
    ours = ("CASEBOOK_", "DATABASE_URL", "REDIS_URL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {
        "CASEBOOK_SECRET_KEY": "faults",
        "CASEBOOK_HTTPS": "0",
        "CASEBOOK_DEBUG": "1",  # static files need not be collected first
        "CASEBOOK_KEEP_ANSWERS": "0",  # every question is counted
        "CASEBOOK_SNAPSHOTS": str(folder / "snapshots"),
        "DATABASE_URL": f"sqlite:///{folder / 'casebook.sqlite3'}",
        "PORT": str(port),
        "WEB_CONCURRENCY": "2",
    }


def manage(variables: dict[str, str], *words: str) -> None:
    subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=variables, check=True)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def started(variables: dict[str, str], log: Path) -> subprocess.Popen:
    """gunicorn, once it listens; what it says goes to `log`."""
    command = [sys.executable, "-m", "gunicorn", "-c", "python:evidence.gunicorn_conf"]
    with log.open("a") as errors:
        server = subprocess.Popen(
            [*command, "evidence.wsgi"],
            cwd=ROOT,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert any("Casebook is at" in line for line in server.stdout)
    return server


def stopped(server: subprocess.Popen) -> None:
    server.send_signal(signal.SIGTERM)
    server.wait(60)


def children(server: subprocess.Popen) -> set[str]:
    """Process ids of the workers."""
    path = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    return set(path.read_text().split())


def asked(port: int, rounds: int = 6) -> Counter:
    """How often each answer came: question and number of patients, status, or none."""
    seen: Counter = Counter()
    for _ in range(rounds):
        for question in QUESTIONS:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                connection.request("GET", question)
                response = connection.getresponse()
                body = response.read().decode()
                patients = re.search(r"<strong>([\d\u202f]+) patients?</strong>", body)
                seen[f"{question}: {patients[1]}" if patients else f"{response.status}"] += 1
            except (OSError, http.client.HTTPException):
                seen["no answer"] += 1
            finally:
                connection.close()
    return seen


def snapshot_files(folder: Path) -> list[Path]:
    found = (folder / "snapshots").rglob("*")
    return [path for path in found if path.is_file() and path.suffix != ".lock"]


def cut(path: Path) -> None:
    os.truncate(path, 64)


def zero(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(b"\0" * size)


DAMAGES = {"cut short": cut, "filled with zeros": zero, "removed": Path.unlink}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=25_000)
    wanted = parser.parse_args()
    harmed = False
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        log = folder / "errors"
        variables = environment(folder, port)
        manage(variables, "prepare", "--verbosity", "0")
        size = str(wanted.patients)
        drawn = ["--patients", size, "--seed", "1", "--collection", "synthetic", "-v", "0"]
        manage(variables, "generate_cohort", *drawn)
        manage(variables, "prepare_snapshots")
        for damage, harm in DAMAGES.items():
            server = started(variables, log)
            try:
                before, workers = asked(port), children(server)
                for path in snapshot_files(folder):
                    harm(path)
                after, survivors = asked(port), children(server) & workers
            finally:
                stopped(server)
            server = started(variables, log)
            try:
                again = asked(port)
            finally:
                stopped(server)
            dead, same = len(workers - survivors), before == after == again
            print(
                f"{damage}: {len(before)} questions asked of {len(workers)} workers; "
                f"{dead} died; before, afterwards and after the next start "
                + (
                    "the same numbers"
                    if same
                    else f"other answers: {dict(before)}, {dict(after)}, {dict(again)}"
                )
            )
            print(log.read_text()[-300:], file=sys.stderr)
            harmed |= bool(dead) or not same
    return int(harmed)


if __name__ == "__main__":
    sys.exit(main())

"""What a reader sees while PostgreSQL's primary or its streaming replica stops, hangs, lags.

    python -m faults.replica

Needs PostgreSQL's own programs (Debian: postgresql) and, as root, its user `postgres`. Makes two
clusters of its own in a temporary folder on free ports, with a Casebook of two workers before them,
and leaves nothing behind. Prints what readers got in each second, then a table; ends with 1 where a
reader got anything but an answer while one of the two databases could give it.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parent.parent
VERSION = re.compile(rb"Data version (\d+)")
PAUSE = 0.05  # seconds between two questions of a reader
READERS = 2
PATIENCE = 10  # seconds a reader waits


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def programs() -> Path:
    """The folder of PostgreSQL's programs, the newest there is."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parts[4]))
    if found:
        return found[-1]
    if there := shutil.which("initdb"):
        return Path(there).parent
    sys.exit("PostgreSQL is not installed.")


class Cluster:
    """One PostgreSQL server of our own."""

    def __init__(self, folder: Path, name: str):
        self.folder, self.name, self.port = folder / name, name, free_port()
        self.run_in = folder

    def run(self, program: str, *arguments: str) -> None:
        """Runs one of PostgreSQL's programs, which refuse to be run by root."""
        command = [str(programs() / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(
            command, cwd=self.run_in, capture_output=True, text=True, check=False
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout[-1000:]}{done.stderr[-1000:]}")

    def initialize(self) -> None:
        self.run("initdb", "-D", str(self.folder), "-U", "postgres", "-A", "trust", "--no-sync")

    def copy(self, other: "Cluster") -> None:
        """Becomes a streaming replica of another one."""
        self.run(
            "pg_basebackup", "-R", "-X", "stream", "-c", "fast", "--no-sync",
            "-D", str(self.folder), "-h", "127.0.0.1", "-p", str(other.port), "-U", "postgres",
        )  # fmt: skip

    def start(self) -> None:
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
            f"{self.run_in} -c fsync=off -c shared_buffers=64MB -c wal_keep_size=64MB"
        )
        log = str(self.run_in / f"{self.name}.log")
        self.run("pg_ctl", "-D", str(self.folder), "-l", log, "-w", "-o", options, "start")

    def stop(self, how: str = "immediate") -> None:
        self.run("pg_ctl", "-D", str(self.folder), "-m", how, "-w", "stop")

    def signal(self, which: signal.Signals) -> None:
        """Sends a signal to the server and to all its processes."""
        first = int((self.folder / "postmaster.pid").read_text().split()[0])
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(first)], capture_output=True, text=True, check=False
        )
        for pid in (first, *map(int, listed.stdout.split())):
            os.kill(pid, which)

    @property
    def address(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/casebook"

    def execute(self, statement: str):
        with psycopg.connect(self.address, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchone() if cursor.description else None


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


class Report:
    """One row for each fault."""

    def __init__(self, visitors: Visitors, seconds: float):
        self.visitors, self.seconds, self.rows, self.bad = visitors, seconds, [], 0

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
        longest = max((one.seconds for one in readers), default=0)
        until = max((one.at + one.seconds - began for one in wrong), default=0)
        self.rows.append(
            f"| {name} | {told(Counter(one.status for one in readers))} | {longest:.2f} s | "
            f"{until:.1f} s | {sum(one.marked for one in readers)} | "
            f"{told(Counter(one.status for one in curators))} |"
        )

    def table(self) -> str:
        head = (
            "| fault | readers got | slowest answer | last failure after | marked | login page |\n"
            "| --- | --- | --- | --- | --- | --- |"
        )
        return "\n".join([head, *self.rows])


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8, help="of each fault")
    seconds = parser.parse_args().seconds
    folder = Path(tempfile.mkdtemp(prefix="casebook-replica-"))
    primary, replica = Cluster(folder, "primary"), Cluster(folder, "replica")
    port, server = free_port(), None
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("CASEBOOK_")
    } | {
        "CASEBOOK_SECRET_KEY": "for this alone",
        "CASEBOOK_HTTPS": "0",
        "CASEBOOK_WORK_PER_MINUTE": "0",
        "CASEBOOK_KEEP_ANSWERS": "0",
        "CASEBOOK_LOG_LEVEL": "WARNING",
        "CASEBOOK_GRACEFUL_SECONDS": "5",
        "PYTEST_VERSION": "none",  # static files need not be collected first
        "DATABASE_URL": primary.address,
        "REDIS_URL": "",
        "PORT": str(port),
    }
    log = folder / "casebook.log"
    try:
        folder.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        primary.initialize()
        primary.start()
        primary.run(
            "createdb", "-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres", "casebook"
        )
        print("Loading the evidence", flush=True)
        subprocess.run(
            [sys.executable, "manage.py", "prepare"], cwd=ROOT, env=environment, check=True
        )
        replica.copy(primary)
        replica.start()
        with log.open("w") as errors:
            server = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "python:evidence.gunicorn_conf",
                 "evidence.wsgi"],
                cwd=ROOT, env=environment | {"DATABASE_REPLICA_URL": replica.address},
                stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
            if not any("Casebook is at" in line for line in server.stdout):
                raise RuntimeError(log.read_text())
            with Visitors(port) as visitors:
                report = Report(visitors, seconds)
                time.sleep(3)  # the first answers take longer
                faults(report, primary, replica)
        print(f"\nWhat Casebook logged of it:\n{remarks(log)}\n\n{report.table()}")
        print(f"\n{report.bad} readers got no answer.")
        return 1 if report.bad else 0
    finally:
        if server is not None:
            server.terminate()
            server.wait(30)
        for cluster in (primary, replica):
            for act in (lambda it=cluster: it.signal(signal.SIGCONT), cluster.stop):
                try:
                    act()
                except (RuntimeError, OSError, IndexError):  # it never started, or has stopped
                    continue
        shutil.rmtree(folder, ignore_errors=True)


def remarks(log: Path) -> str:
    """Lines of the log on which database is asked, each once a second and process at most."""
    lines = [line for line in log.read_text().splitlines() if "models.reading" in line]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

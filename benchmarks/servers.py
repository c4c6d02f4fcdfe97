"""Starts what is measured, each in its own processes, and asks it over HTTP."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "var" / "bench" / "venv" / "bin"
GZIP = {"Accept-Encoding": "gzip"}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@dataclass
class Server:
    """One server: how to start it, and one connection that is kept open."""

    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    ready: str = "/"
    cwd: Path = ROOT
    port: int = 0
    process: subprocess.Popen | None = None
    connection: http.client.HTTPConnection | None = None

    def start(self, patience: float = 180) -> "Server":
        self.port = free_port()
        command = [part.replace("{port}", str(self.port)) for part in self.command]
        env = os.environ | {
            name: value.replace("{port}", str(self.port)) for name, value in self.env.items()
        }
        log = (ROOT / "var" / "bench" / f"{self.name}.log").open("w")
        self.process = subprocess.Popen(
            command, cwd=self.cwd, env=env, stdout=log, stderr=log, start_new_session=True
        )
        end = time.monotonic() + patience
        while time.monotonic() < end:
            with suppress(OSError, http.client.HTTPException):
                if self.get(self.ready)[0] < 500:
                    return self
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"{self.name} did not start; see var/bench/{self.name}.log")

    def get(
        self, path: str, headers: dict | None = None, body: bytes | None = None
    ) -> tuple[int, bytes, dict]:
        for attempt in (0, 1):
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=900)
            try:
                self.connection.request(
                    "POST" if body else "GET", path, body, GZIP | (headers or {})
                )
                response = self.connection.getresponse()
                return response.status, response.read(), dict(response.getheaders())
            except (OSError, http.client.HTTPException):
                self.connection.close()
                self.connection = None
                if attempt:
                    raise
        raise AssertionError

    def timed(self, path: str, headers: dict | None = None, body: bytes | None = None) -> float:
        """Milliseconds of one answer, read to its end."""
        started = time.perf_counter()
        status, *_ = self.get(path, headers, body)
        spent = (time.perf_counter() - started) * 1e3
        if status not in (200, 304):
            raise RuntimeError(f"{self.name} answered {status} to {path[:200]}")
        return spent

    def pids(self) -> list[int]:
        """The server's processes."""
        pids = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError, ValueError):
                words = stat.read_text().rpartition(")")[2].split()
                if int(words[2]) == self.process.pid:  # its process group
                    pids.append(int(stat.parent.name))
        return pids

    def unique_memory(self) -> float:
        """Megabytes that belong to these processes alone."""
        total = 0
        for pid in self.pids():
            with suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Private"):
                        total += int(line.split()[1])
        return total / 1024

    def drain(self) -> None:
        """Waits until its processes do nothing."""
        before = self.cpu()
        for _ in range(200):
            time.sleep(0.05)
            now = self.cpu()
            if now - before <= 1:
                return
            before = now

    def cpu(self) -> int:
        total = 0
        for pid in self.pids():
            with suppress(OSError):
                words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(words[11]) + int(words[12])
        return total

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


def casebook(name: str, database: str, **env: str) -> Server:
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        "python:evidence.gunicorn_conf",
        "evidence.wsgi",
    ]
    settings = {
        "CASEBOOK_SECRET_KEY": "benchmark",
        "CASEBOOK_HTTPS": "0",
        "DATABASE_URL": database,
        "PORT": "{port}",
        "CASEBOOK_KEEP_ANSWERS": "0",
        "CASEBOOK_SNAPSHOTS": str(ROOT / "var" / "bench" / "snapshots"),
        "REDIS_URL": "",
    }
    return Server(name, command, settings | env, "/healthz")


def plain(database: str) -> Server:
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-w",
        "2",
        "-b",
        "127.0.0.1:{port}",
        "--timeout",
        "900",
    ]
    env = {"CASEBOOK_SECRET_KEY": "benchmark", "CASEBOOK_HTTPS": "0", "DATABASE_URL": database}
    return Server("plain", [*command, "benchmarks.peers.plain_wsgi"], env, "/hello")


def datasette(flat: Path, *, tuned: bool) -> Server:
    limits = {
        "sql_time_limit_ms": 900_000,
        "facet_time_limit_ms": 900_000,
        "max_returned_rows": 1000,
    }
    shipped = {"max_csv_mb": 0}
    settings = limits | shipped | {"suggest_facets": "off"} if tuned else shipped
    command = [str(PEERS / "datasette"), "serve", "-i", str(flat), "-p", "{port}"]
    for name, value in settings.items():
        command += ["--setting", name, str(value)]
    return Server("datasette" if tuned else "datasette-shipped", command)


def dash(flat: Path) -> Server:
    command = [
        str(PEERS / "gunicorn"),
        "-w",
        "2",
        "-b",
        "127.0.0.1:{port}",
        "--timeout",
        "300",
        "dash_site:server",
    ]
    return Server("dash", command, {"BENCH_FLAT": str(flat)}, "/", ROOT / "benchmarks" / "peers")

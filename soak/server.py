"""A Casebook of its own for a measurement: a folder, a database, gunicorn, Redis."""

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "var" / "soak"
STARTING = 120  # seconds a server may take to be there
SECRET = "zqh1dd3n-secret-key"  # a mark of planted.py: it must not show anywhere


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """The environment of a Casebook whose files all lie in `folder`; no limits of addresses, unless
    `variables` sets them.
    """
    dropped = ("CASEBOOK_", "PYTEST", "DATABASE_", "REDIS_URL", "DJANGO_")
    found = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return found | {
        "CASEBOOK_SECRET_KEY": SECRET,
        "CASEBOOK_HTTPS": "0",
        "CASEBOOK_HOSTS": "casebook.example.org,localhost,127.0.0.1",
        "CASEBOOK_API_PER_MINUTE": "0",
        "CASEBOOK_WORK_PER_MINUTE": "0",
        "CASEBOOK_SUGGESTIONS_PER_HOUR": "0",
        "CASEBOOK_GRACEFUL_SECONDS": "5",
        "CASEBOOK_LOG_LEVEL": "WARNING",
        "CASEBOOK_FILES": str(folder / "files"),
        "CASEBOOK_SNAPSHOTS": str(folder / "snapshots"),
        "CASEBOOK_PRIVATE_FILES": str(folder / "private"),
        "CASEBOOK_BACKUPS": str(folder / "backups"),
        "DATABASE_URL": f"sqlite:///{folder / 'casebook.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "evidence.settings",
        "PYTEST_VERSION": "none",  # static files need not be collected first
        "TMPDIR": str(folder),
        **variables,
    }


def manage(variables: dict[str, str], *command: str) -> None:
    """Runs a command of manage.py. Raises CalledProcessError, after printing what it said."""
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        # only who serves pages need not have collected static files
        env={name: value for name, value in variables.items() if name != "PYTEST_VERSION"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-4000:], file=sys.stderr)
        done.check_returncode()


@contextmanager
def work_folder() -> Iterator[Path]:
    """A folder that goes with what is in it, also where this process is told to end."""
    signal.signal(signal.SIGTERM, lambda *given: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="casebook-soak-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def prepare(folder: Path, patients: int = 0, **variables: str) -> dict[str, str]:
    """The shipped evidence in a database of its own, with a drawn collection of so many patients;
    the environment that leads there.
    """
    variables = environment(folder, **variables)
    manage(variables, "prepare")
    if patients:
        manage(
            variables, "generate_cohort", "--patients", str(patients), "--seed", "1",
            "--collection", "drawn",
        )  # fmt: skip
        manage(variables, "prepare_snapshots")
    return variables


@contextmanager
def started(
    command: list[str], port: int, log: Path, host: str = "127.0.0.1", says: str = "", **how
) -> Iterator[subprocess.Popen]:
    """While this lasts, a process that listens at a port of a host and has said that it is ready;
    its output is in `log`.

    Raises RuntimeError, with the log, where it does not come.
    """
    with log.open("w") as output, subprocess.Popen(
        command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, **how
    ) as process:  # fmt: skip
        try:
            wait_for_port((host, port), process, log, says)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for_port(
    address: tuple[str, int], process: subprocess.Popen, log: Path, says: str
) -> None:
    until = time.monotonic() + STARTING
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            listens = probe.connect_ex(address) == 0
        if listens and says in log.read_text(errors="replace"):
            return
        time.sleep(0.05)
    raise RuntimeError(f"It did not start: {log.read_text(errors='replace')[-3000:]}")


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The address of a Redis of its own."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--save", "", "--dir", str(folder)]
    with started(command, port, folder / "redis.log"):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def gunicorn(
    variables: dict[str, str], log: Path, workers: int = 2, host: str = "127.0.0.1"
) -> Iterator[subprocess.Popen]:
    """A real server; `process.port` is where it answers, at an address of this machine."""
    port = free_port()
    more = {"PORT": str(port), "WEB_CONCURRENCY": str(workers)}
    command = [sys.executable, "-m", "gunicorn", "-c", "python:evidence.gunicorn_conf"]
    ready = "Casebook is at"  # it listens before it has read what it counts from
    command.append("evidence.wsgi")
    with started(command, port, log, host, ready, env=variables | more) as process:
        process.port = port
        yield process


def processes_of(parent: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    with suppress(OSError):
        return [parent, *map(int, children.read_text().split())]
    return [parent]


def memory_of(parent: int) -> int:
    """Bytes that a process and its children hold: what they share counts once (PSS)."""
    total = 0
    for process in processes_of(parent):
        with suppress(OSError, ValueError):  # it has ended meanwhile
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total * 1024


class Health:
    """Asks `/healthz` ten times a second, and remembers how long each answer took, in seconds."""

    def __init__(self, port: int, host: str = "127.0.0.1"):
        self.address, self.seconds, self.failed = (host, port), [], 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.ask_on)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *raised):
        self.over.set()
        self.thread.join()

    def ask_on(self) -> None:
        while not self.over.wait(0.1):
            began = time.monotonic()
            try:
                with socket.create_connection(self.address, timeout=5) as line:
                    line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    alive = line.recv(64).startswith(b"HTTP/1.1 200")
            except OSError:
                alive = False
            self.failed += not alive
            self.seconds.append(time.monotonic() - began)

    def told(self) -> dict:
        return {"asked": len(self.seconds), "failed": self.failed, **spread(self.seconds)}


def spread(seconds: list[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile and the largest, in milliseconds."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    found = {
        f"p{part}": ordered[min(len(ordered) - 1, len(ordered) * part // 100)]
        for part in (50, 95, 99)
    }
    return {name: round(1000 * value, 1) for name, value in (found | {"max": ordered[-1]}).items()}


def machine() -> dict:
    """What this was measured on, and how busy it was before."""
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model[0] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 2**30),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
        "day": time.strftime("%Y-%m-%d"),
    }


def write_result(name: str, result: dict) -> Path:
    """Keeps a result, with the machine, in `var/soak/`."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return path

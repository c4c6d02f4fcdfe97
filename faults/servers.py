"""Servers of our own on free ports of 127.0.0.1: PostgreSQL, Redis, and Casebook itself."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parent.parent
POSTGRES_OPTIONS = "-c fsync=off -c shared_buffers=64MB -c wal_keep_size=64MB"


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


def children_of(pid: int) -> list[int]:
    """Process ids of a process's own children."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in path.read_text().split()]


class Cluster:
    """One PostgreSQL server; the folder above it has to be one that its user can enter."""

    def __init__(self, folder: Path, name: str, options: str = POSTGRES_OPTIONS):
        self.folder, self.name, self.port = folder / name, name, free_port()
        self.run_in, self.options = folder, options
        self.log = folder / f"{name}.log"

    def run(self, program: str, *arguments: str) -> None:
        """Runs one of PostgreSQL's programs, which refuse to be run by root."""
        command = [str(programs() / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(
            command, cwd=self.run_in, capture_output=True, text=True, check=False, timeout=120
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout[-1000:]}{done.stderr[-1000:]}")

    def initialize(self) -> None:
        self.run_in.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(self.run_in, "postgres", "postgres")
        self.run("initdb", "-D", str(self.folder), "-U", "postgres", "-A", "trust", "--no-sync",
                 "-E", "UTF8", "--locale=C.UTF-8")  # fmt: skip

    def copy(self, other: "Cluster") -> None:
        """Becomes a streaming replica of another one."""
        self.run(
            "pg_basebackup", "-R", "-X", "stream", "-c", "fast", "--no-sync",
            "-D", str(self.folder), "-h", "127.0.0.1", "-p", str(other.port), "-U", "postgres",
        )  # fmt: skip

    def start(self) -> None:
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 "
            f"-c unix_socket_directories={self.run_in} {self.options}"
        )
        self.run(
            "pg_ctl", "-D", str(self.folder), "-l", str(self.log), "-w", "-o", options, "start"
        )

    def stop(self, how: str = "immediate") -> None:
        self.run("pg_ctl", "-D", str(self.folder), "-m", how, "-w", "stop")

    def signal(self, which: signal.Signals) -> None:
        """Sends a signal to the server and to all its processes."""
        first = int((self.folder / "postmaster.pid").read_text().split()[0])
        for pid in (first, *children_of(first)):
            os.kill(pid, which)

    def end(self) -> None:
        """Stops it whatever state it is in."""
        with suppress(RuntimeError, OSError, IndexError):  # it never started, or has stopped
            self.signal(signal.SIGCONT)
        with suppress(RuntimeError, OSError, subprocess.TimeoutExpired):
            self.stop()

    @property
    def address(self) -> str:
        return self.address_of("casebook")

    def address_of(self, database: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "casebook"):
        with psycopg.connect(self.address_of(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchone() if cursor.description else None


class Redis:
    """One Redis that writes nothing to disk."""

    def __init__(self, folder: Path):
        self.folder, self.port, self.process = folder, free_port(), None

    @property
    def address(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--save", "", "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def signal(self, which: signal.Signals) -> None:
        os.kill(self.process.pid, which)


class Casebook:
    """One Casebook as `make run` serves it, with a folder of its own for all it writes."""

    def __init__(self, folder: Path, database: str, log: Path | None = None, **variables: str):
        self.folder, self.port, self.process = folder, free_port(), None
        self.log = log or folder / "casebook.log"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CASEBOOK_", "DATABASE_", "REDIS_URL", "PYTEST"))
        }
        self.environment = kept | {
            "CASEBOOK_SECRET_KEY": "for faults alone",
            "CASEBOOK_HTTPS": "0",
            "CASEBOOK_API_PER_MINUTE": "0",  # a few readers stand for many
            "CASEBOOK_WORK_PER_MINUTE": "0",
            "CASEBOOK_LOG_LEVEL": "WARNING",
            "CASEBOOK_SNAPSHOTS": str(folder / "snapshots"),
            "CASEBOOK_PRIVATE_FILES": str(folder / "private"),
            "CASEBOOK_BACKUPS": str(folder / "backups"),
            "CASEBOOK_FILES": str(folder / "files"),
            "DATABASE_URL": database,
            "DJANGO_SETTINGS_MODULE": "evidence.settings",
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "2",
            **variables,
        }

    def start(self, *, before: tuple[str, ...] = (), **variables: str) -> None:
        """Starts gunicorn and returns once it listens; `before` is what the command begins with."""
        command = [*before, sys.executable, "-m", "gunicorn", "-c", "python:evidence.gunicorn_conf"]
        with self.log.open("a") as errors:
            self.process = subprocess.Popen(
                [*command, "evidence.wsgi"],
                cwd=ROOT,
                env=self.environment | variables,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        if not any("Casebook is at" in line for line in self.process.stdout):
            raise RuntimeError(f"Casebook does not start: {self.log.read_text()[-2000:]}")
        # what workers print later must not fill the pipe
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def workers(self) -> list[int]:
        return children_of(self.process.pid)

    def kill_workers(self, how_many: int | None = None) -> None:
        for pid in self.workers()[:how_many]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_master(self) -> None:
        """Kills the master alone, as the system would; its workers see that it is gone."""
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.kill_workers()
            self.kill_master()

    def begin(self, *words: str, **variables: str) -> subprocess.Popen:
        """A management command that runs beside this."""
        return subprocess.Popen(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def manage(self, *words: str, wrong: bool = False, **variables: str) -> str:
        """What a management command says. Raises RuntimeError where it fails, or, with `wrong`,
        where it does not.
        """
        process = self.begin(*words, **variables)
        said, _ = process.communicate(timeout=600)
        if bool(process.returncode) != wrong:
            raise RuntimeError(f"manage.py {words[0]} ended with {process.returncode}: {said}")
        return said

    def python(self, script: str, *arguments: str) -> str:
        """What a script prints that runs with Casebook's settings and database."""
        begin = "import sys, django\ndjango.setup()\n"
        done = subprocess.run(
            [sys.executable, "-c", begin + script, *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        return done.stdout

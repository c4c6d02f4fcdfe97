"""A PostgreSQL of its own, in a folder that is thrown away."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from .servers import free_port


class Postgres:
    """One server on a free port; PostgreSQL refuses to run as root, so root runs it as the user
    postgres.
    """

    def __init__(self, programs: Path):
        self.programs, self.port = programs, free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="casebook-pg-"))

    @classmethod
    def found(cls) -> "Postgres | None":
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        return cls(programs[-1].parent) if programs else None

    def run(self, *words: str) -> None:
        command = [str(self.programs / words[0]), *words[1:]]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp"
        )

    def start(self) -> str:
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        data = self.folder / "data"
        self.run(
            "initdb",
            "-D",
            str(data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        )
        options = (
            f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off -c "
            "shared_buffers=1GB"
        )
        options += " -c work_mem=128MB -c max_wal_size=8GB -c jit=off"
        self.run(
            "pg_ctl", "-D", str(data), "-w", "-l", str(self.folder / "log"), "-o", options, "start"
        )
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def stop(self) -> None:
        try:
            self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

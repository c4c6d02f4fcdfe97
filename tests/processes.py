"""Tests in processes of their own, which share a database with each other and not with the tests
around them.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SMALL = """
import django
django.setup()
from django.core.management import call_command
from evidence.models import Collection, JAKInhibitor, Patient, Study, Treatment

call_command("migrate", verbosity=0)
home = Collection.objects.create(slug="small", name="Small", kind="published", description="Made for a test.")
study = Study.objects.create(collection=home, slug="one", short_name="One", design="case_series", extraction="abstract",
                             state="published")
drug = JAKInhibitor.objects.create(slug="tofacitinib", name="tofacitinib")
for number in range(1, 5):
    patient = Patient.objects.create(study=study, slug=f"one-{number}", label=f"one-{number}", state="published")
    Treatment.objects.create(patient=patient, inhibitor=drug, number=1)
"""  # noqa: E501


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def environment(database: Path, **variables: str) -> dict[str, str]:
    """The environment of a process with this SQLite file, and nothing of ours but what is given."""
    dropped = ("CASEBOOK_", "PYTEST", "DATABASE_URL", "REDIS_URL")
    found = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return found | {
        "PYTEST_VERSION": pytest.__version__,  # static files need not be collected first
        "CASEBOOK_LOG_LEVEL": "CRITICAL",
        "DATABASE_URL": f"sqlite:///{database}",
        "DJANGO_SETTINGS_MODULE": "evidence.settings",
        **variables,
    }


def run(script: str, database: Path, **variables: str) -> str:
    """What a script prints, run by a process with this database; fails the test where the script
    fails.
    """
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=ROOT,
        env=environment(database, **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-3000:]
    return told.stdout.strip()


@contextmanager
def gunicorn(database: Path, log: Path, **variables: str) -> Iterator[subprocess.Popen]:
    """While this lasts, a real server answers at `process.port`, with one worker unless told
    otherwise; it writes errors to `log`.
    """
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", "python:evidence.gunicorn_conf"]
    started = {"PORT": str(port), "WEB_CONCURRENCY": "1", "CASEBOOK_LOG_LEVEL": "WARNING"}
    with log.open("w") as errors, subprocess.Popen(
        [*command, "evidence.wsgi"],
        cwd=ROOT,
        env=environment(database, **(started | variables)),
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    ) as process:  # fmt: skip
        try:
            assert any("Casebook is at" in line for line in process.stdout), log.read_text()
            process.port = port
            yield process
        finally:
            process.terminate()
            process.wait(30)

"""How long importing a workbook takes, and how much memory: 87 patients in 9 studies, and 5,000 in
100, each with a course, three outcomes, an adverse event and the place of every value.

    python -m benchmarks.workbook [PATIENTS STUDIES]
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
SIZES = [(87, 9), (5000, 100)]


def manage(database: Path, *arguments: str) -> None:
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{database}",
        "CASEBOOK_SECRET_KEY": "benchmark",
    }
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, check=True)


def write_series(path: Path, patients: int, studies: int) -> None:
    """The workbook, by a process of its own: its memory is not the import's."""
    code = (
        "import django, pathlib, sys; django.setup(); from tests import workbooks as w; "
        f"rows = w.patient_series({patients}, {studies}, places=True); "
        "pathlib.Path(sys.argv[1]).write_bytes(w.workbook(rows).read())"
    )
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "evidence.settings",
        "CASEBOOK_SECRET_KEY": "benchmark",
    }
    subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, env=environment, check=True)


def measure(patients: int, studies: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database, book = Path(folder, "db.sqlite3"), Path(folder, "series.xlsx")
        manage(database, "migrate", "-v0")
        manage(database, "load_evidence", "-v0")
        write_series(book, patients, studies)
        print(f"{patients} patients, {studies} studies, {book.stat().st_size / 1e6:.1f} MB")
        for what in ("imported", "imported again"):
            started = time.perf_counter()
            child = os.fork()
            if not child:
                manage(database, "import_workbook", str(book), "-v0")
                used = resource.getrusage(resource.RUSAGE_CHILDREN)
                seconds, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
                print(f"  {what}: {seconds:.1f} s of CPU, at most {peak:.0f} MB", flush=True)
                os._exit(0)
            os.waitpid(child, 0)
            print(f"  {what}: {time.perf_counter() - started:.1f} s", flush=True)


if __name__ == "__main__":
    sizes = [tuple(map(int, sys.argv[1:3]))] if len(sys.argv) > 2 else SIZES
    for patients, studies in sizes:
        measure(patients, studies)

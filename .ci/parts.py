"""The parts of .ci/run, each with its time; ends with the numbers of tests passed and failed.

Parts that do not need each other run side by side, in lanes. What a part says is kept and printed
when it ends, so that it can be read whole. The first part that fails ends the run: its text is
printed, everything else is stopped.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 40 * 60  # seconds a part may take; one that hangs fails


class Failed(Exception):
    """A part failed; what it said has been printed."""


@dataclass(frozen=True)
class Part:
    """A piece of bash, run in the root of the repository. `reports` is set where it runs pytest."""

    name: str
    script: str
    environment: dict[str, str] = field(default_factory=dict)
    reports: bool = False


class Run:
    """Runs parts, and knows how long each took and what its tests came to."""

    def __init__(self, work: Path):
        self.work = work
        self.seconds: dict[str, float] = {}
        self.running: dict[str, subprocess.Popen] = {}
        self.printing = Lock()
        self.stopped = False

    def side_by_side(self, *lanes: list[Part]) -> None:
        """Runs the parts of each lane after each other, and the lanes at the same time."""
        with ThreadPoolExecutor(len(lanes)) as pool:
            running = [pool.submit(self.after_each_other, lane) for lane in lanes]
            try:
                for lane in as_completed(running):
                    lane.result()
            except BaseException:
                self.stop()
                raise

    def after_each_other(self, parts: list[Part]) -> None:
        for part in parts:
            self.run(part)

    def run(self, part: Part) -> None:
        """Runs one part. Raises Failed, after printing what it said, where it ends with anything
        but 0.
        """
        self.say(f"-- begins: {part.name}")
        started = time.monotonic()
        environment = os.environ | part.environment
        if part.reports:
            report = self.work / "reports" / f"{part.name}.xml"
            options = part.environment.get("PYTEST_ADDOPTS", "")
            environment["PYTEST_ADDOPTS"] = f"{options} --junitxml='{report}'"
        with tempfile.TemporaryFile("w+", errors="replace") as output:
            with self.printing:
                if self.stopped:
                    raise Failed(part.name)
                process = self.running[part.name] = subprocess.Popen(
                    ["bash", "-euo", "pipefail", "-c", part.script],
                    cwd=ROOT,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # a group of its own, so that whatever it leaves behind can be ended
                    start_new_session=True,
                )
            try:
                process.wait(LONGEST)
                outcome = "passed" if process.returncode == 0 else f"FAILED ({process.returncode})"
            except subprocess.TimeoutExpired:
                outcome = f"FAILED: not finished after {LONGEST} s"
            end(process)
            del self.running[part.name]
            self.seconds[part.name] = time.monotonic() - started
            output.seek(0)
            if not self.stopped or outcome == "passed":
                self.say(
                    f"\n== {part.name}: {outcome} after {self.seconds[part.name]:.0f} "
                    f"s\n{output.read()}"
                )
        if outcome != "passed":
            raise Failed(part.name)

    def say(self, text: str) -> None:
        with self.printing:
            print(text, flush=True)

    def stop(self) -> None:
        """Ends every part that is still running."""
        with self.printing:
            self.stopped = True
        for process in list(self.running.values()):
            end(process)

    def tests(self) -> dict[str, tuple[int, int]]:
        """Of each part that ran pytest: how many tests passed, how many failed or broke."""
        counts = {}
        for report in sorted((self.work / "reports").glob("*.xml")):
            suites = list(ElementTree.parse(report).iter("testsuite"))
            total, failed, skipped = (
                sum(int(suite.get(name, 0)) for suite in suites for name in names)
                for names in (["tests"], ["failures", "errors"], ["skipped"])
            )
            counts[report.stem] = (total - failed - skipped, failed)
        return counts


def end(process: subprocess.Popen) -> None:
    """Ends a process and all that it started."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            return
        for _ in range(50):  # five seconds
            process.poll()
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@contextmanager
def services(work: Path):
    """PostgreSQL and Redis in a folder of their own: the two variables that lead to them."""
    bins = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not bins:
        sys.exit("PostgreSQL is not installed.")
    # it refuses to run as root
    as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    data, place = work / "postgresql", work / "socket"
    for folder in (data, place):
        folder.mkdir()
        if as_postgres:
            shutil.chown(folder, "postgres")

    def postgres(program: str, *arguments: object) -> None:
        command = [*as_postgres, str(bins[-1] / program), "-D", str(data), *map(str, arguments)]
        done = subprocess.run(
            command, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        if done.returncode:
            sys.exit(done.stdout.decode(errors="replace"))

    port, redis_port = free_port(), free_port()
    postgres("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
    # What it writes need not outlive it.
    careless = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
    listening = f"-p {port} -k {place} -c listen_addresses=127.0.0.1 -c shared_buffers=256MB"
    options = " ".join([listening, *(f"-c {each}" for each in careless)])
    postgres("pg_ctl", "-w", "-l", place / "log", "-o", options, "start")
    redis = subprocess.Popen(
        ["redis-server", "--port", str(redis_port), "--save", "", "--dir", str(work)],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield {
            "DATABASE_URL": f"postgres://postgres@127.0.0.1:{port}/postgres",
            "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        }
    finally:
        redis.terminate()
        redis.wait()
        postgres("pg_ctl", "-m", "immediate", "stop")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--since", type=float, default=time.time(), help="when .ci/run began")
    since = ask.parse_args().since
    os.environ["CI"] = "true"  # random examples are the same each time: see tests/conftest.py
    for name in ("DATABASE_URL", "REDIS_URL", "PYTEST_ADDOPTS"):
        os.environ.pop(name, None)
    work = Path(tempfile.mkdtemp())
    work.chmod(0o755)
    (work / "reports").mkdir()
    run = Run(work)
    run.seconds["Debian packages"] = time.time() - since
    try:
        with services(work) as databases:
            everything(run, work, databases)
        failed = None
    except Failed as error:
        failed = str(error)
    finally:
        summary(run, since)
        shutil.rmtree(work, ignore_errors=True)
    if failed:
        sys.exit(f"Failed: {failed}")


def everything(run: Run, work: Path, databases: dict[str, str]) -> None:
    validators = work / "validators"
    run.side_by_side(
        [
            Part("Python environment", "make .venv/.installed-dev var/static/.collected"),
            Part("make check", "make check"),
            Part("make test", "make test", reports=True),
        ],
        [
            Part(
                "Environment of the validators",
                f"""
                python3 -m venv {validators}
                {validators}/bin/python -m pip install --quiet --require-hashes --no-deps -r .ci/requirements.lock
                python3 -m venv {work}/cff
                {work}/cff/bin/python -m pip install --quiet --require-hashes --no-deps -r .ci/requirements-cff.lock
                {work}/cff/bin/cffconvert --validate
                """,  # noqa: E501
            ),
            Part("Audit of code and dependencies", f"python3 .ci/audit.py {validators}/bin"),
            Part("Environment of the peers", "make var/bench/venv/.installed"),
        ],
    )
    # On PostgreSQL only what asks the database: the rest would be the same test a second time.
    # A browser leaves a core idle half of the time.
    run.side_by_side(
        [
            Part("Browser", "make test-browser", reports=True),
            Part("Faults, short", "make faults-short"),
            Part("Load and abuse, short", "make soak-short"),
        ],
        [
            Part(
                "Suite on PostgreSQL and Redis",
                'make test TESTS="database and not browser and not front"',
                databases,
                reports=True,
            ),
            Part(
                "Statistics beside R, which computes its part anew",
                f"""
                mkdir {work}/references
                Rscript .ci/references.R {work}/references
                CASEBOOK_R_REFERENCES={work}/references .venv/bin/python -m pytest tests/test_statistics_references.py
                """,  # noqa: E501
                reports=True,
            ),
            Part("Loading on PostgreSQL", LOADING, databases),
            Part(
                "Bundles under frictionless, RO-Crate and DataCite",
                BUNDLES.format(work=work, validators=validators),
                databases,
            ),
            Part(
                "Shares of the overview, computed by R from one row for each course",
                SHARES.format(work=work),
                databases,
            ),
            Part(
                "make run, the API under Schemathesis, the examples",
                SERVED.format(validators=validators),
            ),
            Part("The shipped nginx configuration", "make test-front", reports=True),
            Part("Measuring, short", "make bench-short"),
        ],
    )


LOADING = """
export CASEBOOK_SECRET_KEY=$(cat var/secret-key)
.venv/bin/python manage.py migrate --verbosity 0
.venv/bin/python manage.py load_evidence
.venv/bin/python manage.py load_evidence | grep "nothing to change"
.venv/bin/python manage.py check_evidence
"""

SHARES = """
CASEBOOK_SECRET_KEY=$(cat var/secret-key) .venv/bin/python manage.py generate_cohort \
    --patients 400 --seed 1 --collection drawn
CASEBOOK_SECRET_KEY=$(cat var/secret-key) .venv/bin/python .ci/write_shares.py {work}/shares
Rscript .ci/shares.R {work}/shares
"""

BUNDLES = """
CASEBOOK_SECRET_KEY=$(cat var/secret-key) .venv/bin/python .ci/write_bundles.py {work}/bundles
for folder in {work}/bundles/*/; do
    echo "$folder"
    (cd "$folder" && {validators}/bin/frictionless validate datapackage.json)
done
{validators}/bin/python .ci/validate_metadata.py {work}/bundles
"""

SERVED = f"""
export PORT={free_port()}
here=http://127.0.0.1:$PORT
log=$(mktemp)
trap 'status=$?; [ $status = 0 ] || grep -v WARNING "$log" | tail -n 100; rm -f "$log"' EXIT
CASEBOOK_API_PER_MINUTE=0 CASEBOOK_WORK_PER_MINUTE=0 make run >"$log" 2>&1 &
for _ in $(seq 120); do
    if python3 -c "import urllib.request as u; u.urlopen('$here/readyz')" 2>/dev/null; then break; fi
    sleep 1
done
SCHEMATHESIS_HOOKS=.ci/api_hooks.py {{validators}}/bin/schemathesis run "$here/api/schema/" \
    --checks all --max-examples 30 --seed 1 --generation-database none
SCHEMATHESIS_HOOKS=.ci/api_hooks.py {{validators}}/bin/schemathesis run "$here/api/schema/" \
    --checks all --phases stateful --max-examples 200 --seed 1 --generation-database none
.venv/bin/python .ci/run_examples.py "$here"
CASEBOOK=$here {{validators}}/bin/jupyter-execute docs/analysis/forest.ipynb
"""  # noqa: E501


def summary(run: Run, since: float) -> None:
    print("\n== Seconds of each part")
    for name, seconds in run.seconds.items():
        print(f"{seconds:6.0f}  {name}")
    print(f"{time.time() - since:6.0f}  in all")
    print("\n== Tests passed")
    tests = run.tests()
    for name, (passed, failed) in tests.items():
        print(f"{passed:6}  {name}" + (f" ({failed} failed)" if failed else ""))
    print(
        f"{sum(passed for passed, _ in tests.values())} passed, "
        f"{sum(failed for _, failed in tests.values())} failed"
    )


if __name__ == "__main__":
    main()

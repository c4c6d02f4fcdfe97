"""The database engine, without a snapshot, on PostgreSQL at several sizes: `python -m soak.engine`.

At which size does an overview, a question, a filtered list end under a second? Draws collections in
a PostgreSQL of its own; writes `var/soak/engine.json`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

import psycopg

from benchmarks.postgres import Postgres

from .hostile import InProcess
from .inputs import Asked
from .server import ROOT, machine, manage, prepare, work_folder, write_result

QUESTIONS = {
    "overview": "/{}/",
    "overview of a question": "/{}/?inhibitor=tofacitinib&indication=ild&sex=female",
    "filtered list": "/{}/patients/?sex=female&age_min=40",
    "counts alone": "/api/v1/{}/summary/?inhibitor=tofacitinib",
}


def measure(slug: str, times: int) -> dict[str, float]:
    """Milliseconds of each question, in this process."""
    there, found = InProcess(), {}
    for name, address in QUESTIONS.items():
        asked = [there.ask_timed(Asked("GET", address.format(slug))) for _ in range(times + 1)]
        if {answer.status for answer, _ in asked} != {200}:
            raise RuntimeError(f"{address}: {asked[0][0].status}")
        found[name] = statistics.median(1000 * seconds for _, seconds in asked[1:])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 3_000, 10_000, 30_000])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        print(json.dumps(measure(asked.inside, asked.times)))
        return 0
    server = Postgres.found()
    if server is None:
        raise RuntimeError("PostgreSQL is not installed.")
    where, rows = machine(), []
    with work_folder() as folder:
        try:
            database = server.start()
            variables = prepare(
                folder,
                DATABASE_URL=database,
                CASEBOOK_ENGINE="database",
                CASEBOOK_KEEP_ANSWERS="0",
            )
            for size in asked.sizes:
                slug = f"drawn-{size}"
                drawing = ("--patients", str(size), "--seed", "1", "--collection", slug)
                manage(variables, "generate_cohort", *drawing)
                with psycopg.connect(database, autocommit=True) as connection:
                    connection.execute("VACUUM ANALYZE")
                command = [sys.executable, "-m", "soak.engine", "--inside", slug]
                done = subprocess.run(
                    [*command, "--times", str(asked.times)], cwd=ROOT, check=True, text=True,
                    stdout=subprocess.PIPE, env=os.environ | variables,
                )  # fmt: skip
                rows.append({"patients": size, "ms": json.loads(done.stdout.splitlines()[-1])})
                print(rows[-1], flush=True)
        finally:
            server.stop()
    write_result("engine", {"machine": where, "times": asked.times, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())

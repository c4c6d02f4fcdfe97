"""One, two and four web hosts on this machine, each in a network namespace: `python -m soak.hosts`.

A load balancer (nginx, with the upstream's options of `deploy/nginx/http.conf`) in a namespace of
its own; PostgreSQL and Redis, which the hosts share, in that of this process. Measures pages that
are made, pages that are kept, and edits. Needs root, iproute2, nginx, redis-server and PostgreSQL.
Writes `var/soak/hosts.json`.
"""

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from .load import Got
from .namespaces import NET, Namespaces, inside
from .server import (
    ROOT,
    environment,
    free_port,
    machine,
    manage,
    memory_of,
    spread,
    started,
    work_folder,
    write_result,
)

MAIN = """
worker_processes 1;
error_log {folder}/balancer.log warn;
pid {folder}/balancer.pid;
daemon off;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream casebook {{ {servers} keepalive 16; }}
    server {{
        listen {listen}:80;
        location / {{
            proxy_pass http://casebook;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host localhost;
        }}
    }}
}}
"""
PEOPLE = 8  # readers at once, each of whom asks again as soon as there is an answer
PORT = 8000  # of each host, in its namespace
VERSION = re.compile(rb"Data version (\d+)")


@contextmanager
def postgresql(folder: Path, namespace: str):
    """The address of a PostgreSQL of its own in a namespace; `{}` is its host."""
    bins = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[4]))
    if not bins:
        raise RuntimeError("PostgreSQL is not installed.")
    place, port = folder / "postgresql", free_port()
    place.mkdir()
    shutil.chown(place, "postgres")

    def run(program: str, *arguments: str) -> None:
        # it refuses to run as root
        command = ["runuser", "-u", "postgres", "--", str(bins[-1] / program), "-D", str(place)]
        with (folder / "postgresql.log").open("a") as log:
            subprocess.run(
                inside(namespace, *command, *arguments), cwd="/", stdout=log, stderr=log,
                check=True, timeout=120,
            )  # fmt: skip

    run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
    with (place / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {NET}.0.0/16 trust\n")
    options = f"-p {port} -k {place} -c listen_addresses=* -c fsync=off -c max_connections=200"
    run("pg_ctl", "-w", "-l", str(place / "log"), "-o", options, "start")
    try:
        yield f"postgres://postgres@{{}}:{port}/postgres"
    finally:
        run("pg_ctl", "-m", "immediate", "stop")


async def ask_once(host: str, address: str) -> tuple[int, float, bytes]:
    """Status (0: none), seconds, what was received."""
    began, received = time.monotonic(), b""
    try:
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(host, 80)
            head = f"GET {address} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            received = await reader.read(-1)
            writer.close()
    except (OSError, TimeoutError):
        return 0, time.monotonic() - began, b""
    status = int(received.split()[1]) if received.startswith(b"HTTP/1.") else 0
    return status, time.monotonic() - began, received


async def readers(host: str, seconds: float, addresses) -> list[Got]:
    """What some readers get who ask one thing after the other."""
    found, began = [], time.monotonic()

    async def read_on() -> None:
        while time.monotonic() - began < seconds:
            status, took, _ = await ask_once(host, next(addresses))
            found.append(Got(time.monotonic() - began, "page", status, took, False))

    await asyncio.gather(*(read_on() for _ in range(PEOPLE)))
    return found


def made_anew(start: int):
    """Addresses of which none is asked twice."""
    number = start
    while True:
        number += 1
        ages = f"age_min={number % 60}&age_max={60 + number % 40}"
        yield f"/drawn/?{ages}&dlco_max={number % 199}"


def kept():
    while True:
        yield "/drawn/"


def measured(host: str, seconds: float, addresses) -> dict:
    got = asyncio.run(readers(host, seconds, addresses))
    served = [one.seconds for one in got if one.status == 200]
    return {
        "a_second": round(len(served) / seconds, 1),
        "not_served": len(got) - len(served),
    } | spread(served)  # fmt: skip


def edited(host: str, database: str, hosts: int) -> dict:
    """Seconds after an edit until each of many requests in a row shows the new version."""
    with psycopg.connect(database, autocommit=True) as connection:
        wanted = connection.execute(
            "WITH t AS (SELECT md5(random()::text) AS token) UPDATE evidence_dataversion SET "
            "number = number + 1, token = t.token, tokens = jsonb_build_object('*', t.token), "
            "collections = jsonb_build_object('*', number + 1) FROM t RETURNING number"
        ).fetchone()[0]
    began, in_a_row, earlier = time.monotonic(), 0, 0
    while in_a_row < 8 * hosts and time.monotonic() - began < 120:
        _, _, text = asyncio.run(ask_once(host, "/published/"))
        found = VERSION.search(text)
        if found and int(found[1]) == wanted:
            in_a_row += 1
        else:
            in_a_row, earlier = 0, earlier + 1
    return {"until_all_new_s": round(time.monotonic() - began, 1), "earlier_answers": earlier}


@contextmanager
def hosts(
    spaces: Namespaces, data: str, folder: Path, count: int, database: str, port_of_redis: int
):
    """So many hosts behind a balancer: the address of that, and the hosts' processes. `data` is the
    namespace of PostgreSQL and Redis.
    """
    with ExitStack() as running:
        balancer, servers, processes = spaces.make(f"balancer{count}"), [], []
        _, listen = spaces.join(None, balancer)
        for number in range(1, count + 1):
            name, place = spaces.make(f"host{count}{number}"), folder / f"host-{count}-{number}"
            place.mkdir()
            outside, _ = spaces.join(data, name)
            _, facing = spaces.join(balancer, name)
            variables = environment(
                place,
                DATABASE_URL=database.format(outside),
                REDIS_URL=f"redis://{outside}:{port_of_redis}/0",
                CASEBOOK_BIND=facing,
                PORT=str(PORT),
                WEB_CONCURRENCY="2",
            )
            command = [sys.executable, "-m", "gunicorn", "-c", "python:evidence.gunicorn_conf"]
            log = (place / "gunicorn.log").open("w")
            process = running.enter_context(
                subprocess.Popen(
                    inside(name, *command, "evidence.wsgi"),
                    cwd=ROOT,
                    env=variables,
                    stdout=log,
                    stderr=log,
                )
            )
            running.callback(process.terminate)
            processes.append(process)
            servers.append(f"server {facing}:{PORT} fail_timeout=2s;")
        configuration = folder / f"balancer-{count}.conf"
        configuration.write_text(
            MAIN.format(folder=folder, listen=listen, servers=" ".join(servers))
        )
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
        command = inside(balancer, nginx, "-p", str(folder), "-c", str(configuration))
        front = running.enter_context(subprocess.Popen(command))
        running.callback(front.terminate)
        ready(listen, count)
        yield listen, processes


def ready(listen: str, count: int) -> None:
    """Waits until every host answers. Raises RuntimeError where they do not."""
    good, until = 0, time.monotonic() + 180
    while good < 6 * count:
        if time.monotonic() > until:
            raise RuntimeError("The hosts did not start.")
        status = asyncio.run(ask_once(listen, "/readyz"))[0]
        good = good + 1 if status == 200 else 0
        time.sleep(0.05)


def row_of(listen: str, processes, count: int, seconds: float, database: str) -> dict:
    """What is measured of so many hosts."""
    measured(listen, 3, made_anew(1000 * count))  # the first answers take longer
    row = {"hosts": count, "made_anew": measured(listen, seconds, made_anew(count))}
    row["kept"] = measured(listen, seconds / 3, kept())
    row["memory_mb"] = round(sum(memory_of(process.pid) for process in processes) / 2**20)
    with psycopg.connect(database) as connection:
        row["connections"] = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        ).fetchone()[0]
    return row | {"edit": edited(listen, database, count)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=15, help="of each measurement")
    asked = parser.parse_args()
    where, rows = machine(), []
    with ExitStack() as running:
        folder, spaces = running.enter_context(work_folder()), running.enter_context(Namespaces())
        data = spaces.make("data")
        _, here = spaces.join(None, data)
        database = running.enter_context(postgresql(folder, data))
        port, local = free_port(), database.format(here)
        variables = environment(folder, DATABASE_URL=local)
        manage(variables, "prepare")
        manage(
            variables, "generate_cohort", "--patients", str(asked.patients), "--seed", "1",
            "--collection", "drawn",
        )  # fmt: skip
        command = ["redis-server", "--port", str(port), "--save", "", "--dir", str(folder)]
        command += ["--bind", "0.0.0.0", "--protected-mode", "no"]  # of its namespace alone
        running.enter_context(
            started(inside(data, *command), port, folder / "redis.log", host=here)
        )
        for count in (1, 2, 4):
            with hosts(spaces, data, folder, count, database, port) as (listen, processes):
                rows.append(row_of(listen, processes, count, asked.seconds, local))
                print(rows[-1], flush=True)
    write_result(
        "hosts", {"machine": where, "patients": asked.patients, "people": PEOPLE, "rows": rows}
    )
    faults = [row["hosts"] for row in rows if row["made_anew"]["not_served"]]
    return 1 if faults else 0


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("Network namespaces need root.")
    sys.exit(main())

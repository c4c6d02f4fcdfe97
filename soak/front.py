"""The shipped nginx configuration in a network namespace of its own: `python -m soak.front`.

Clients are in another namespace, with several addresses; Casebook is behind. Half-sent requests,
slow and oversize bodies, forged headers, clients over their limits, abandoned and slow downloads,
each from one address while a reader at another reads pages. Needs root, iproute2 and nginx. Writes
`var/soak/front.json`; ends with 1 where something did not hold.
"""

import argparse
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path

from .hostile import unchunked
from .namespaces import Namespaces, inside
from .server import (
    ROOT,
    Health,
    gunicorn,
    machine,
    prepare,
    redis,
    spread,
    work_folder,
    write_result,
)

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
HOST = "casebook.example.org"
API_LIMIT = 100  # requests a minute of one address, for this
PATIENCE = 30  # seconds
MAIN = """
worker_processes 1;
error_log {folder}/nginx-error.log warn;
pid {folder}/nginx.pid;
daemon off;
events {{ worker_connections 512; }}
http {{
    include {folder}/http.conf;
    types {{ text/css css; text/javascript js; }}
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen {listen}; include {folder}/server.conf; }}
}}
"""


@contextmanager
def nginx(folder: Path, namespace: str, listen: str, upstream: str):
    """The shipped configuration in a namespace, but for its addresses and folders."""
    if not NGINX:
        raise RuntimeError("nginx is not installed (Debian: nginx-light).")
    shipped = (ROOT / "deploy/nginx/http.conf").read_text()
    if "server 127.0.0.1:8000 " not in shipped:
        raise RuntimeError("deploy/nginx/http.conf names another server than this script knows.")
    (folder / "http.conf").write_text(shipped.replace("127.0.0.1:8000 ", f"{upstream} "))
    part = (ROOT / "deploy/nginx/server.conf").read_text()
    part = part.replace("/var/log/nginx", str(folder))
    part = part.replace("/opt/casebook/var/static", str(ROOT / "static"))
    (folder / "server.conf").write_text(part)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, listen=listen))
    folder.chmod(0o755)
    command = inside(namespace, NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"))
    with (folder / "nginx.log").open("w") as log, subprocess.Popen(
        command, stdout=log, stderr=log
    ) as process:  # fmt: skip
        try:
            time.sleep(1)
            if process.poll() is not None:
                raise RuntimeError((folder / "nginx.log").read_text())
            yield process
        finally:
            process.terminate()
            process.wait(20)


# In the clients' namespace


class Client:
    """Somebody at one address."""

    def __init__(self, source: str, front: str):
        self.source, self.front = source, (front, 80)

    def open(self, data: bytes, buffer: int | None = None) -> socket.socket:
        line = socket.socket()
        if buffer is not None:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        line.settimeout(PATIENCE)
        line.bind((self.source, 0))
        line.connect(self.front)
        with suppress(OSError):
            line.sendall(data)
        return line

    def get(self, address: str, **headers: str) -> tuple[int, str, bytes, float]:
        """Status (0: none), headers, body, seconds."""
        given = {"Host": HOST, "Connection": "close"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        began, received = time.monotonic(), b""
        with self.open(f"GET {address} HTTP/1.1\r\n{head}\r\n".encode()) as line, suppress(OSError):
            while piece := line.recv(1 << 16):
                received += piece
        top, _, body = received.partition(b"\r\n\r\n")
        told = top.decode("latin-1")
        if "transfer-encoding: chunked" in told.lower():
            body = unchunked(body)
        status = int(told.split()[1]) if told.startswith("HTTP/1.") else 0
        return status, told, body, time.monotonic() - began


class Reader:
    """A reader at an address of their own, who asks for four pages a second."""

    def __init__(self, client: Client):
        self.client, self.got, self.over = client, [], threading.Event()
        self.thread = threading.Thread(target=self.read_on)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *raised):
        self.over.set()
        self.thread.join()

    def read_on(self) -> None:
        age = 0
        while not self.over.wait(0.25):
            age += 1
            status, _, _, seconds = self.client.get(f"/published/?age_min={age % 90}")
            self.got.append((status, seconds))

    def told(self) -> dict:
        statuses = Counter(str(status) for status, _ in self.got)
        return {"asked": len(self.got), "statuses": dict(statuses)} | spread(
            [seconds for status, seconds in self.got if status == 200]
        )


def ended(lines: list[socket.socket], seconds: float) -> dict:
    """How lines end that are only waited for: by which status, and after how long."""
    began, waiting, found, last = time.monotonic(), list(lines), Counter(), 0.0
    while waiting and time.monotonic() - began < seconds:
        for line in list(waiting):
            line.settimeout(0.005)
            try:
                data = line.recv(64)
            except TimeoutError:
                continue
            except OSError:
                data = b""
            found[data[9:12].decode("latin-1") or "closed"] += 1
            last = time.monotonic() - began
            waiting.remove(line)
            line.close()
        time.sleep(0.05)
    for line in waiting:
        line.close()
    return {"ended": dict(found), "still_open": len(waiting), "last_after_s": round(last, 1)}


def half_sent(attacker: Client) -> dict:
    data = f"GET /published/ HTTP/1.1\r\nHost: {HOST}\r\nX: ".encode()
    return {"connections": 60} | ended([attacker.open(data) for _ in range(60)], 15)


def slow_bodies(attacker: Client) -> dict:
    head = f"POST /admin/login/ HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 20000\r\n\r\na="
    lines = [attacker.open(head.encode()) for _ in range(30)]
    for _ in range(8):
        time.sleep(1)
        for line in lines:
            with suppress(OSError):
                line.send(b"x" * 20)
    return {"connections": 30} | ended(lines, 14)


def oversize(attacker: Client) -> dict:
    size = 200 * 1024 * 1024
    head = f"POST /admin/login/ HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {size}\r\n\r\n"
    lines = [attacker.open(head.encode() + b"x" * 60_000) for _ in range(10)]
    return {"connections": 10} | ended(lines, 12)


def forged(attacker: Client) -> dict:
    """What forged headers bring: more requests than one address has, other links, another host."""
    statuses = Counter()
    for number in range(API_LIMIT + 40):
        forged_from = f"198.51.100.{number}"
        said = {
            "X_Forwarded_For": forged_from,
            "X_Real_IP": forged_from,
            "Forwarded": "for=1.2.3.4",
        }
        statuses[str(attacker.get("/api/v1/", **said)[0])] += 1
        time.sleep(0.06)  # below what the front lets through
    said = {
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "evil.example",
        "X_Host": "evil.example",
    }
    page = b"".join(
        attacker.get(one, **said)[2] for one in ("/robots.txt", "/published/", "/cite/")
    )
    other = attacker.get("/published/", Host="evil.example")[0]
    return {
        "api_with_forged_addresses": dict(statuses),
        "forged_host_in_answers": page.count(b"evil.example"),
        "https_links_from_forged_scheme": page.count(f"https://{HOST}".encode()),
        "status_for_another_host": other,
        "status_of_health": attacker.get("/healthz")[0],
        "status_of_metrics": attacker.get("/metrics")[0],
    }  # fmt: skip


def over_limit(attacker: Client) -> dict:
    statuses, lock = Counter(), threading.Lock()

    def ask_on() -> None:
        for number in range(10):
            status = attacker.get(f"/published/?age_max={number}")[0]
            with lock:
                statuses[str(status)] += 1

    threads = [threading.Thread(target=ask_on) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"asked": 600, "statuses": dict(statuses)}


def abandoned(attacker: Client) -> dict:
    """Thirty downloads that are left after a second; how long until a slot is free again."""
    files = ("bundle.zip", "treatments.xlsx", "phenopackets.json")
    lines = []
    for number in range(30):
        address = f"/drawn/{files[number % 3]}?age_min={number + 18}"
        request = f"GET {address} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
        lines.append(attacker.open(request, buffer=4096))
    time.sleep(1)
    for line in lines:
        line.close()
    left = time.monotonic()
    while time.monotonic() - left < 60 and attacker.get("/drawn/forest.csv?age_min=90")[0] == 503:
        time.sleep(0.3)
    return {"connections": 30, "slot_free_after_s": round(time.monotonic() - left, 1)}


def slow_readers(attacker: Client) -> dict:
    request = "GET /drawn/treatments.csv?age_min={} HTTP/1.1\r\nHost: " + HOST + "\r\n\r\n"
    lines = [attacker.open(request.format(n).encode(), buffer=4096) for n in range(30)]
    for _ in range(12):
        for line in lines:
            line.settimeout(0.005)
            with suppress(OSError):
                line.recv(256)
        time.sleep(1)
    for line in lines:
        line.close()
    return {"connections": 30}


ATTACKS = {
    "60 half-sent requests": half_sent,
    "30 bodies of 20 bytes a second": slow_bodies,
    "10 bodies of 200 MB": oversize,
    "forged X-Forwarded-For, -Proto, -Host": forged,
    "600 requests as fast as they go": over_limit,
    "30 downloads left after a second": abandoned,
    "30 slow readers of long files": slow_readers,
}


def client_side(front: str, sources: list[str]) -> None:
    """Every attack in turn, printed as JSON; runs in the clients' namespace."""
    for source in sources:
        if Client(source, front).get("/published/")[0] != 200:
            raise RuntimeError(f"The front does not answer {source}.")
    for number, (name, attack) in enumerate(ATTACKS.items()):
        attacker = Client(sources[1 + number % (len(sources) - 1)], front)
        with Reader(Client(sources[0], front)) as reader:
            began = time.monotonic()
            said = attack(attacker)
            lasted = time.monotonic() - began
            time.sleep(max(0, 2 - lasted))
        result = {"attack": name, "seconds": round(lasted, 1)} | said
        print(json.dumps(result | {"reader": reader.told()}), flush=True)


def fronted(patients: int) -> dict:
    """What each attack did, and what health behind the front said meanwhile."""
    with work_folder() as folder, Namespaces() as spaces:
        front, clients = spaces.make("front"), spaces.make("clients")
        behind, towards = spaces.join(None, front)
        facing, first = spaces.join(front, clients, more=7)
        sources = [first, *(f"{first.rpartition('.')[0]}.{3 + number}" for number in range(7))]
        variables = prepare(
            folder,
            patients,
            CASEBOOK_BEHIND_PROXY="1",
            CASEBOOK_PROXIES=towards,
            CASEBOOK_BIND=behind,
            CASEBOOK_API_PER_MINUTE=str(API_LIMIT),
            CASEBOOK_WORK_PER_MINUTE="30",
            CASEBOOK_HOSTS=f"{HOST},{behind}",
        )
        with (
            redis(folder) as address,
            gunicorn(
                variables | {"REDIS_URL": address}, folder / "gunicorn.log", host=behind
            ) as server,
        ):
            upstream = f"{behind}:{server.port}"
            with (
                nginx(folder, front, f"{facing}:80", upstream),
                Health(server.port, behind) as health,
            ):
                command = [sys.executable, "-m", "soak.front", "--inside", facing, *sources]
                done = subprocess.run(
                    inside(clients, *command), cwd=ROOT,
                    stdout=subprocess.PIPE, text=True, check=True, timeout=600,
                )  # fmt: skip
        log = (folder / "gunicorn.log").read_text(errors="replace")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {"rows": rows, "health": health.told(), "stacks_in_the_log": log.count("Traceback")}


def unheld(result: dict) -> list[str]:
    """What did not hold."""
    found = [
        f"{row['attack']}: a reader at another address got {row['reader']['statuses']}"
        for row in result["rows"]
        if set(row["reader"]["statuses"]) - {"200"}
    ]
    by_name = {row["attack"]: row for row in result["rows"]}
    said = by_name["forged X-Forwarded-For, -Proto, -Host"]
    if said["api_with_forged_addresses"].get("200", 0) > API_LIMIT:
        found.append("forged addresses got more than one address has")
    if said["forged_host_in_answers"] or said["https_links_from_forged_scheme"]:
        found.append("forged headers show in answers")
    if said["status_for_another_host"] != 400 or said["status_of_health"] != 403:
        found.append("another host, or health from outside, is answered")
    if "429" not in by_name["600 requests as fast as they go"]["statuses"]:
        found.append("no limit")
    if result["health"]["failed"]:
        found.append("health did not answer")
    if result["stacks_in_the_log"]:
        found.append("stack in the log")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=6_000)
    parser.add_argument("--inside", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        client_side(asked.inside[0], asked.inside[1:])
        return 0
    where = machine()
    result = {"patients": asked.patients} | fronted(asked.patients)
    result["faults"] = unheld(result)
    write_result("front", {"machine": where} | result)
    print(f"The front under {len(result['rows'])} attacks: {result['faults'] or 'no fault'}")
    return 1 if result["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())

"""Hostile requests, in process and through sockets: `python -m soak.hostile --requests 100000`.

Hidden records are planted first. Most requests go to the WSGI application in several processes, a
share through sockets to gunicorn with a shared Redis, malformed ones with them. Ends with 1 where
anything was wrong with an answer; each fault stands in `var/soak/hostile.json`, with its request.
"""

import argparse
import io
import json
import logging
import multiprocessing
import os
import pickle
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from urllib.parse import unquote_to_bytes

from .inputs import BIG, HEADERS, Asked, Draws, Known, gathered
from .judging import SLOWEST, Answer, Judge
from .server import ROOT, gunicorn, machine, prepare, redis, work_folder, write_result

ADDRESSES = [f"192.0.2.{number}" for number in range(1, 255)]
PAIRED = 0.15  # of what is asked in process: variations of a plain request around it


# In process


class Remembers(logging.Handler):
    """Keeps what is logged with a stack."""

    def __init__(self):
        from evidence.logs import NamesRoutes

        super().__init__(logging.WARNING)
        self.addFilter(NamesRoutes())
        self.stacks = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[0] is not None:
            self.stacks.append(f"{record.exc_info[0].__name__}: {record.exc_info[1]}")


def environ_of(asked: Asked, remote: str) -> dict:
    """What a WSGI server hands over for a request."""
    path, _, query = asked.target.partition("?")
    found = {
        "REQUEST_METHOD": asked.method,
        "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
        "SCRIPT_NAME": "",
        "QUERY_STRING": query.partition("#")[0],
        "RAW_URI": asked.target,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": remote,
        "CONTENT_LENGTH": str(len(asked.body)) if asked.body else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(asked.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in asked.headers:
        key = name.upper().replace("-", "_")
        found[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return found


class InProcess:
    """The WSGI application of this process. Makes Django's settings those of the environment."""

    def __init__(self):
        from evidence.wsgi import application

        self.application, self.log = application, Remembers()
        logging.getLogger().handlers = [self.log]

    def ask(self, asked: Asked, remote: str = "127.0.0.1") -> Answer:
        """The answer; its seconds are those of computing, so that what else a machine does is not
        taken for it.
        """
        began, begun = time.thread_time(), []
        response = self.application(environ_of(asked, remote), lambda *start: begun.append(start))
        try:
            body = b"".join(response)
        finally:
            response.close()
        status, headers = begun[0][:2]
        return Answer(int(status[:3]), tuple(headers), body, time.thread_time() - began)

    def ask_timed(self, asked: Asked) -> tuple[Answer, float]:
        """The answer, and the seconds it took on the clock."""
        began = time.monotonic()
        return self.ask(asked), time.monotonic() - began

    def text_at(self, address: str) -> str:
        return self.ask(Asked("GET", address)).content.decode(errors="replace")


def attack(
    known: Known, secrets: list[str], seed: int, count: int, until: float
) -> tuple[Judge, dict, int]:
    """So many requests in this process, fewer where time (`until`) is up: what was found, how many
    of each kind, how many variations in pairs.
    """
    from django.core.cache import cache

    there, judge, draws = InProcess(), Judge(secrets), Draws(known, seed)
    kinds, pairs, asked_so_far = Counter(), 0, 0

    def ask(asked: Asked) -> Answer | None:
        nonlocal asked_so_far
        asked_so_far += 1
        kinds[asked.kind or "pair"] += 1
        there.log.stacks.clear()
        try:
            answer = there.ask(asked, draws.any.choice(ADDRESSES))
        except Exception as error:  # whatever leaves the application is a fault of its
            judge.blame("raised", asked, repr(error))
            return None
        judge.look_at(asked, answer)
        if there.log.stacks:
            judge.blame("stack in the log", asked, "; ".join(there.log.stacks))
        return answer

    while asked_so_far < count and time.time() < until:
        if draws.any.random() < PAIRED / 8:
            plain = draws.plain()
            if draws.any.random() < 0.5:
                cache.clear()  # the hostile one comes first
            before, between = None, draws.variations(plain)
            if draws.any.random() < 0.5:
                before = ask(plain)
            for one in between:
                ask(one)
            after = ask(plain)
            cache.clear()
            anew = ask(plain)
            for one in (before, after):
                if one is not None and anew is not None and "Set-Cookie" not in dict(one.headers):
                    judge.compare(plain, anew, one, between)
            pairs += len(between)
        else:
            ask(draws.draw())
    return judge, dict(kinds), pairs


# Through sockets

MALFORMED = [
    b"", b"\r\n", b"\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n", b"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\nHost: localhost\n\n",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET http://evil.example:x/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET //evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"\x00" * 500 + b"\r\n\r\n",
    b"\xff" * 500 + b"\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX\x00Y: 1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \x00\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
    b"GET /\xc3\xa9?\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 500 + b"\r\n",
    b"GET / HTTP/1.1\r\nX: " + b"y" * 70000 + b"\r\n\r\n",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5, 6\r\n\r\nabcdef",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\nabcde",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\nabcde",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + BIG.encode() + b"\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\n"
    b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:\x0bchunked\r\n\r\nzz\r\n",
    b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Length: 30\r\n\r\nGET /admin/ HTTP/1.1\r\nX: y\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
    b"GET /robots.txt HTTP/1.1\r\nHost: localhost\r\n\r\n" * 30, b"HEAD / HTTP/0.9\r\n\r\n",
    b"GET / HTTP/1.1 x\r\nHost: localhost\r\n\r\n", b"get / http/1.1\r\nhost: localhost\r\n\r\n",
]  # fmt: skip


def on_the_line(asked: Asked) -> bytes:
    """A request as it is sent, whatever stands in it; a body goes with its length."""
    names = {name.lower() for name, _ in asked.headers}
    lines = [f"{asked.method} {asked.target} HTTP/1.1"]
    if "host" not in names:
        lines.append("Host: localhost")
    lines += [f"{name}: {value}" for name, value in asked.headers]
    if asked.body and "content-length" not in names:
        lines.append(f"Content-Length: {len(asked.body)}")
    lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + asked.body


def sent(
    port: int, data: bytes, *, method: str = "GET", patience: float = SLOWEST
) -> Answer | None:
    """The first answer to some bytes; None where the server closes without one.

    Raises TimeoutError where it neither answers nor closes.
    """
    began, received = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as line:
        try:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            while piece := line.recv(1 << 16):
                received += piece
                if time.monotonic() - began > patience:
                    raise TimeoutError
        except (ConnectionResetError, BrokenPipeError):
            pass
    while received.startswith(b"HTTP/1.1 100"):
        received = received.partition(b"\r\n\r\n")[2]
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/1."):
        return None
    headers = tuple(tuple(line.split(": ", 1)) for line in lines[1:] if ": " in line)
    named = {name.lower(): value for name, value in headers}
    if named.get("transfer-encoding") == "chunked":
        body = unchunked(body)
    elif "content-length" in named and method != "HEAD":
        body = body[: int(named["content-length"])]
    return Answer(int(lines[0].split()[1]), headers, body, time.monotonic() - began)


def unchunked(body: bytes) -> bytes:
    found = []
    while body:
        size, _, body = body.partition(b"\r\n")
        if not (length := int(size or b"0", 16)):
            break
        found.append(body[:length])
        body = body[length + 2 :]
    return b"".join(found)


def bombard(
    port: int, known: Known, secrets: list[str], seed: int, count: int, until: float
) -> tuple[Judge, int, int]:
    """So many requests through sockets, fewer where time is up, a fifth of them malformed, with
    pairs among them: what was found, how many were sent, how many variations in pairs.
    """
    judge, draws, asked_so_far, pairs = Judge(secrets), Draws(known, seed), 0, 0
    for number in range(count):
        if asked_so_far >= count or time.time() > until:
            break
        if number % 5 == 0:
            data = draws.any.choice(MALFORMED)
            asked = Asked("RAW", data[:300].decode("latin-1"))
            if draws.any.random() < 0.3:
                data = damaged(data, draws.any)
        elif number % 50 == 1:
            plain = draws.plain()
            answers = [sent(port, on_the_line(plain))]
            between = draws.variations(plain)
            pairs += len(between)
            asked_so_far += len(between) + 2
            for one in between:
                ask_line(port, one, on_the_line(one), judge)
            answers.append(sent(port, on_the_line(plain)))
            if None not in answers and not answers[0].header("set-cookie"):
                judge.compare(plain, *answers, between)
            continue
        else:
            asked = draws.draw()
            if any(char in asked.target for char in " \r\n") or not asked.target:
                continue
            data = on_the_line(asked)
        asked_so_far += 1
        ask_line(port, asked, data, judge)
    return judge, asked_so_far, pairs


def damaged(data: bytes, any_: random.Random) -> bytes:
    """Some bytes of it changed, left out or doubled."""
    found = bytearray(data)
    for _ in range(any_.randint(1, 4)):
        if found:
            at = any_.randrange(len(found))
            found[at : at + any_.randrange(3)] = any_.randbytes(any_.randrange(3))
    return bytes(found)


def ask_line(port: int, asked: Asked, data: bytes, judge: Judge) -> None:
    try:
        answer = sent(port, data, method=asked.method)
    except TimeoutError:
        judge.blame("hangs", asked, repr(data[:300]))
        return
    except (OSError, ValueError) as error:
        judge.blame("broken answer", asked, f"{error!r} to {data[:300]!r}")
        return
    if answer is None:
        judge.statuses["closed"] = judge.statuses.get("closed", 0) + 1
    else:
        judge.look_at(asked, answer)


# All of it


def planted(variables: dict[str, str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "soak.planted"], cwd=ROOT, env=variables, text=True,
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def gather(place: Path) -> None:
    """Writes what is known to a file: `python -m soak.hostile --gather FILE`."""
    import django

    django.setup()
    place.write_bytes(pickle.dumps(gathered(InProcess().text_at)))


def known_of(variables: dict[str, str], folder: Path) -> Known:
    place = folder / "known.pickle"
    subprocess.run(
        [sys.executable, "-m", "soak.hostile", "--gather", str(place)], cwd=ROOT, env=variables,
        check=True,
    )  # fmt: skip
    return pickle.loads(place.read_bytes())


def hostile(count: int, seed: int, processes: int, share: float, most: float) -> dict:
    """The result of so many requests, of which `share` go through sockets, in `most` seconds."""
    began = time.monotonic()
    with work_folder() as folder:
        variables = prepare(folder, 400)
        secrets = planted(variables)
        known = known_of(variables, folder)
        os.environ.update(variables)
        through, kinds, pairs = round(count * share), Counter(), 0
        each = (count - through) // processes
        spawned = multiprocessing.get_context("spawn")
        whole, on_lines, lines = Judge(secrets), Judge(secrets), 0
        until = time.time() + most * (1 - share)
        with ProcessPoolExecutor(processes, mp_context=spawned) as pool:
            shares = [
                pool.submit(attack, known, secrets, seed * 1000 + number, each, until)
                for number in range(processes)
            ]
            for one in shares:
                judge, counted, paired = one.result()
                whole.add(judge)
                kinds.update(counted)
                pairs += paired
        log = folder / "gunicorn.log"
        with redis(folder) as address, gunicorn(variables | {"REDIS_URL": address}, log) as server:
            until, there = time.time() + most * share, (server.port, known, secrets)
            with ProcessPoolExecutor(4, mp_context=spawned) as pool:
                shares = [
                    pool.submit(bombard, *there, seed * 7000 + number, through // 4, until)
                    for number in range(4)
                ]
                for one in shares:
                    judge, asked, paired = one.result()
                    on_lines.add(judge)
                    lines += asked
                    pairs += paired
            alive = sent(server.port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if alive is None or alive.status != 200 or server.poll() is not None:
                on_lines.blame("the server is gone", Asked("GET", "/healthz"))
        if "Traceback" in (text := log.read_text(errors="replace")):
            on_lines.blame("stack in the log", Asked("", ""), text[text.find("Traceback") :][:500])
    return {
        "asked": sum(kinds.values()) + lines,
        "in_process": sum(kinds.values()),
        "through_sockets": lines,
        "variations_in_pairs": pairs,
        "kinds": dict(kinds),
        "routes": len(known.addresses),
        "addresses": sum(map(len, known.addresses.values())),
        "words": len(known.words),
        "headers": len(HEADERS),
        "keys_seen": len(whole.tags) + len(on_lines.tags),
        "statuses": whole.statuses,
        "statuses_through_sockets": on_lines.statuses,
        "slowest_s": round(max(whole.slowest, on_lines.slowest), 1),
        "seed": seed,
        "seconds": round(time.monotonic() - began),
        "faults": whole.found + on_lines.found,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--sockets", type=float, default=0.15, help="the share through sockets")
    parser.add_argument("--minutes", type=float, default=60, help="that it may take")
    parser.add_argument("--gather", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.gather:
        gather(asked.gather)
        return 0
    where = machine()
    most = asked.minutes * 60
    result = hostile(asked.requests, asked.seed, asked.processes, asked.sockets, most)
    write_result("hostile", {"machine": where} | result)
    told = Counter(fault["what"] for fault in result["faults"])
    print(
        f"{result['asked']} hostile requests in {result['seconds']} s: {dict(told) or 'no fault'}"
    )
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())

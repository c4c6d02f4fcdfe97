"""More than Casebook can hold, and its slots attacked: `python -m soak.load`.

Steps up the rate of a mixed set of questions until it does not hold it, then asks four times that
rate for a while; says what was shed, how long answers took, whether health answered within 100 ms,
whether memory stayed flat and when it was well again. Then abandoned downloads, half-sent requests
and slow readers. Writes `var/soak/load.json`; ends with 1 where something did not hold.
"""

import argparse
import asyncio
import multiprocessing
import random
import socket
import statistics
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .server import (
    Health,
    gunicorn,
    machine,
    memory_of,
    prepare,
    processes_of,
    spread,
    work_folder,
    write_result,
)

PATIENCE = 30  # seconds a client waits
OUTSTANDING = 1500  # requests that one client has under way at most
HELD = 1.0  # seconds: the 95th percentile at a rate that is held
HEALTHY = 0.1  # seconds
STEPS = [5, 7, 10, 14, 20, 28, 40, 56, 80, 112, 160, 224]  # requests a second
# Of a hundred requests; `expensive` ones take a slot.
MIX = {
    "page": 25, "list": 20, "charts": 10, "chart file": 5, "api": 20, "csv": 10, "reference": 8,
    "expensive": 2,
}  # fmt: skip
DRUGS = ["tofacitinib", "baricitinib", "upadacitinib", "ruxolitinib", "filgotinib"]


def drawn_address(any_: random.Random, kind: str) -> str:
    """An address of that kind; hardly any is asked twice."""
    place = any_.choice(("drawn", "drawn", "published", "sener-2025-reconstruction"))
    age = any_.randrange(18, 80)
    words = f"age_min={age}&age_max={age + any_.randrange(1, 30)}&inhibitor={any_.choice(DRUGS)}"
    narrow = f"age_min={age}&age_max={age + 1}&inhibitor={any_.choice(DRUGS)}&sex=male"
    return {
        "page": f"/{place}/?{words}",
        "list": f"/{place}/patients/?{words}",
        "charts": f"/{place}/charts/?{words}",
        "chart file": f"/{place}/charts/age-and-sex.csv?{words}",
        "api": f"/api/v1/{place}/{any_.choice(('summary/', 'patients/', 'treatments/'))}?{words}",
        "csv": f"/{place}/treatments.csv?{narrow}",
        "reference": any_.choice(("/", "/inhibitors/", "/methods/", "/cite/")),
        "expensive": f"/drawn/{any_.choice(('patients.xlsx', 'phenopackets.json'))}?{narrow}",
    }[kind]  # fmt: skip


@dataclass(frozen=True)
class Got:
    """One answer: when it was asked for, in seconds from the beginning; 0: no answer."""

    at: float
    kind: str
    status: int
    seconds: float
    told_when: bool  # whether a refusal says when to ask again


async def ask(port: int, at: float, kind: str, address: str) -> Got:
    """Asks once; time counts from when it was to be asked."""
    began, status, head = time.monotonic(), 0, b""
    with suppress(OSError, asyncio.TimeoutError, ValueError, IndexError):
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                request = f"GET {address} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                writer.write(request.encode())
                head = await reader.readuntil(b"\r\n\r\n")
                while await reader.read(1 << 18):
                    pass
                status = int(head.split()[1])
            finally:
                writer.close()
    return Got(at, kind, status, time.monotonic() - began, b"\nretry-after:" in head.lower())


async def ask_at_rate(port: int, rate: float, seconds: float, seed: int) -> list[Got]:
    any_, under_way, done = random.Random(seed), set(), []
    began = time.monotonic()
    for number in range(int(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0, due - time.monotonic()))
        kind = any_.choices(list(MIX), list(MIX.values()))[0]
        if len(under_way) >= OUTSTANDING:
            done.append(Got(number / rate, kind, -1, 0, False))  # this client can no more
            continue
        asked = asyncio.ensure_future(ask(port, number / rate, kind, drawn_address(any_, kind)))
        under_way.add(asked)
        asked.add_done_callback(lambda one: (under_way.discard(one), done.append(one.result())))
    while under_way:
        await asyncio.sleep(0.05)
    return done


def at_rate(port: int, rate: float, seconds: float, seed: int) -> list[Got]:
    return asyncio.run(ask_at_rate(port, rate, seconds, seed))


class Memory:
    """Looks once a second at what a server and its workers hold, in bytes."""

    def __init__(self, process: int):
        self.process, self.seen, self.over = process, [], threading.Event()
        self.pids = {*processes_of(process)}
        self.thread = threading.Thread(target=self.look_on)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *raised):
        self.over.set()
        self.thread.join()

    def look_on(self) -> None:
        began = time.monotonic()
        while not self.over.wait(1):
            self.seen.append((time.monotonic() - began, memory_of(self.process)))

    def told(self) -> dict:
        """Megabytes at the beginning, the end, the most; growth a minute in the second half."""
        if len(self.seen) < 4:
            return {}
        half = self.seen[len(self.seen) // 2 :]
        slope = statistics.linear_regression(*zip(*half, strict=True)).slope
        sizes = [round(size / 2**20, 1) for _, size in self.seen]
        return {
            "first_mb": sizes[0],
            "last_mb": sizes[-1],
            "most_mb": max(sizes),
            "growth_mb_a_minute": round(slope * 60 / 2**20, 2),
            "seconds": round(self.seen[-1][0]),
            "same_workers": {*processes_of(self.process)} == self.pids,
        }


def told(answers: list[Got]) -> dict:
    """Counts by status, times of what was served, and of what was shed."""
    served = [one.seconds for one in answers if one.status == 200]
    shed = [one for one in answers if one.status in (503, 429)]
    return {
        "asked": len(answers),
        "statuses": {str(k): n for k, n in sorted(Counter(o.status for o in answers).items())},
        "served_ms": spread(served),
        "shed_ms": spread([one.seconds for one in shed]),
        "shed_without_retry_after": sum(not one.told_when for one in shed),
    }


def is_held(answers: list[Got]) -> bool:
    """Whether a rate is held: what takes no slot is answered, 95 of 100 within a second."""
    usual = [one for one in answers if one.kind != "expensive"]
    good = [one.seconds for one in usual if one.status == 200]
    enough = bool(good) and len(good) >= 0.99 * len(usual)
    return enough and spread(good)["p95"] <= 1000 * HELD


def recovery(answers: list[Got]) -> float | None:
    """Seconds until three seconds in a row were good again; None where they never were."""
    last = int(max(one.at for one in answers))
    good = [is_held([o for o in answers if second <= o.at < second + 1]) for second in range(last)]
    for second in range(last - 2):
        if all(good[second : second + 3]):
            return float(second)
    return None


def soaked(server, pool, short: bool) -> dict:
    """Steps up, four times the rate, recovery."""
    step, long, after = (3, 15, 10) if short else (8, 300, 20)

    def during(rate: float, seconds: float, seed: int) -> list[Got]:
        return pool.submit(at_rate, server.port, rate, seconds, seed).result()

    during(5, step, 1)  # the first answers take longer
    steps, held = [], 0
    for rate in STEPS[::2] if short else STEPS:
        answers = during(rate, step, rate)
        steps.append({"rate": rate, "held": is_held(answers)} | told(answers))
        if not steps[-1]["held"]:
            break
        held = rate
    held = held or STEPS[0]
    with Health(server.port) as health, Memory(server.pid) as memory:
        answers = during(4 * held, long, 99)
        rest = during(held / 2, after, 100)
    seconds = {one: sum(g.kind == one for g in answers) for one in MIX}
    return {
        "steps": steps,
        "held_a_second": held,
        "asked_a_second": 4 * held,
        "seconds": long,
        "mix": seconds,
        "overload": told(answers),
        "served_a_second": round(sum(one.status == 200 for one in answers) / long, 1),
        "health": health.told(),
        "memory": memory.told(),
        "recovered_s": recovery(rest),
        "after": told(rest),
    }


# Slots, halves and slow readers


def opened(port: int, data: bytes, *, buffer: int | None = None) -> socket.socket:
    line = socket.socket()
    if buffer is not None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    line.settimeout(PATIENCE)
    line.connect(("127.0.0.1", port))
    line.sendall(data)
    return line


def get(address: str) -> bytes:
    return f"GET {address} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


class Reader:
    """Somebody who reads pages meanwhile, five a second, one after the other."""

    def __init__(self, port: int):
        self.port, self.got, self.over = port, [], threading.Event()
        self.thread = threading.Thread(target=self.read_on)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *raised):
        self.over.set()
        self.thread.join()

    def read_on(self) -> None:
        age, began = 0, time.monotonic()
        while not self.over.wait(0.2):
            age += 1
            address = f"/published/?age_min={age % 90}"
            self.got.append(asyncio.run(ask(self.port, time.monotonic() - began, "page", address)))


def attacked(server, name: str, attack) -> dict:
    """What health and a reader of pages saw during an attack; what the attack says of itself."""
    with Health(server.port) as health, Reader(server.port) as reader, Memory(server.pid) as memory:
        began = time.monotonic()
        said = attack(server.port)
        lasted = time.monotonic() - began
    return {
        "attack": name,
        "seconds": round(lasted, 1),
        **said,
        "health": health.told(),
        "reader": told(reader.got),
        "memory": memory.told(),
    }


def abandoned(address: str, times: int = 10):
    """So many who ask for a file and go after a second; how long until a slot is free again."""

    def attack(port: int) -> dict:
        lines = [opened(port, get(f"{address}?age_min={18 + n}")) for n in range(times)]
        time.sleep(1)
        first = []
        for line in lines:
            line.settimeout(0.01)
            try:
                first.append(line.recv(12)[9:12].decode() or "closed")
            except TimeoutError:
                first.append("being made")
            line.close()
        left = time.monotonic()
        while time.monotonic() - left < 60:
            got = asyncio.run(ask(port, 0, "expensive", "/drawn/forest.csv?age_min=99"))
            if got.status != 503:
                break
            time.sleep(0.2)
        return {
            "first": dict(Counter(first)),
            "slot_free_after_s": round(time.monotonic() - left, 1),
        }

    return attack


def half_sent(count: int, seconds: float):
    def attack(port: int) -> dict:
        pieces = (b"GET /published/ HTTP/1.1\r\nHost: loc", b"", b"POST /admin/login/ HTTP/1.1\r\n"
                  b"Host: localhost\r\nContent-Length: 9000\r\n\r\nusername=")  # fmt: skip
        lines = [opened(port, pieces[number % 3]) for number in range(count)]
        time.sleep(seconds)
        closed = 0
        for line in lines:
            line.settimeout(0.01)
            with suppress(TimeoutError):
                closed += b"408" in line.recv(20) or True
            line.close()
        return {"connections": count, "ended_by_the_server": closed}

    return attack


def slow_readers(address: str, count: int, seconds: float):
    """So many who ask for a long file and take some bytes of it a second."""

    def attack(port: int) -> dict:
        lines = [opened(port, get(f"{address}?age_min={n}"), buffer=4096) for n in range(count)]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for line in lines:
                line.settimeout(0.01)
                with suppress(OSError):
                    line.recv(256)
            time.sleep(1)
        for line in lines:
            line.close()
        return {"connections": count}

    return attack


def attacks(server, short: bool) -> list[dict]:
    lasting = 6 if short else 30
    found = [
        attacked(server, "ten abandoned workbooks", abandoned("/drawn/treatments.xlsx")),
        attacked(server, "ten abandoned bundles", abandoned("/drawn/bundle.zip")),
        attacked(server, "ten abandoned phenopackets", abandoned("/drawn/phenopackets.json")),
        attacked(server, "60 half-sent requests", half_sent(60, lasting / 2 + 8)),
    ]
    slow = slow_readers("/drawn/treatments.csv", 6, lasting)
    found.append(attacked(server, "6 slow readers of long files, no front", slow))
    return found


def unheld(result: dict) -> list[str]:
    """What did not hold."""
    found = []
    soak = result["soak"]
    if soak["recovered_s"] is None or soak["recovered_s"] > 10:
        found.append(f"recovered after {soak['recovered_s']} s")
    if soak["overload"]["shed_without_retry_after"]:
        found.append("shed without Retry-After")
    wrong = set(soak["overload"]["statuses"]) - {"200", "503", "429", "-1"}
    if wrong:
        found.append(f"answers {wrong} under load")
    if not soak["memory"]["same_workers"]:
        found.append("a worker died")
    for each in [soak, *result["attacks"]]:
        if each["health"]["failed"]:
            found.append(f"{each.get('attack', 'soak')}: health did not answer")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--patients", type=int, help="of the drawn collection")
    asked = parser.parse_args()
    patients = asked.patients or (6_000 if asked.short else 100_000)
    where, began = machine(), time.monotonic()
    spawned = multiprocessing.get_context("spawn")
    with work_folder() as folder:
        variables = prepare(folder, patients)
        with (
            ProcessPoolExecutor(1, mp_context=spawned) as pool,
            gunicorn(variables, folder / "gunicorn.log") as server,
        ):
            soak = soaked(server, pool, asked.short)
            found = attacks(server, asked.short)
        log = Path(folder / "gunicorn.log").read_text(errors="replace")
    result = {"patients": patients, "workers": 2, "threads": 4, "soak": soak, "attacks": found}
    result["stacks_in_the_log"] = log.count("Traceback")
    result["took_s"] = round(time.monotonic() - began)
    result["faults"] = unheld(result) + (["stack in the log"] if "Traceback" in log else [])
    write_result("load", {"machine": where} | result)
    print(f"{soak['held_a_second']} requests a second held; {result['faults'] or 'no fault'}")
    return 1 if result["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())

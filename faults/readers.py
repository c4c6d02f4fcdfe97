"""Readers who ask without end, and whether each answer was right."""

import http.client
import itertools
import re
import threading
import time
from dataclasses import dataclass
from hashlib import sha256

PAUSE = 0.04  # seconds between two questions of a reader
PATIENCE = 15  # seconds a reader waits for a piece of an answer
NOTE = re.compile(rb'<p class="notice" role="status">The database cannot be reached[^<]*</p>\n?')
NUMBER = re.compile(rb"Data version \d+")
# Asked before the fault, so that they may be kept: pages, files, API.
WARM = [
    "/",
    "/published/",
    "/published/patients/",
    "/published/studies/",
    "/published/patients/fujita-2019-1/",
    "/published/forest/",
    "/published/patients.csv",
    "/sener-2025-reconstruction/outcomes.csv",
    "/sener-2025-reconstruction/",
    "/api/v1/published/summary/",
    "/api/v1/published/patients/",
    "/inhibitors/",
]
# Asked for the first time while it lasts.
COLD = [
    address
    for age in range(20, 80, 6)
    for address in (
        f"/published/?age_min={age}",
        f"/sener-2025-reconstruction/patients.csv?age_min={age}",
        f"/api/v1/published/patients/?age_min={age}",
        f"/synthetic/patients.csv?age_min={age}&age_max={age + 5}",
    )
]


@dataclass(frozen=True)
class Answer:
    """What a reader got: `outcome` is a status, or in words what came instead of an answer."""

    address: str
    at: float  # time.monotonic()
    seconds: float
    outcome: str
    digest: str = ""
    marked: bool = False

    @property
    def ended(self) -> float:
        return self.at + self.seconds


def ask(port: int, address: str, patience: float = PATIENCE) -> Answer:
    """Asks once, and reads the answer to its end."""
    began = time.monotonic()
    digest, marked = "", False
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience)
    try:
        connection.request("GET", address)
        response = connection.getresponse()
        body = response.read()
        outcome, marked = (
            str(response.status),
            "detail=" in response.headers.get("Cache-Status", ""),
        )
        if response.status == 503 and not (response.headers.get("Retry-After") and body):
            outcome = "503 that says nothing"
        digest = sha256(NUMBER.sub(b"", NOTE.sub(b"", body))).hexdigest()
    except ConnectionRefusedError:
        outcome = "refused"
    except TimeoutError:
        outcome = "no answer in time"
    except (OSError, http.client.HTTPException):  # closed, reset, or shorter than announced
        outcome = "broken off"
    finally:
        connection.close()
    return Answer(address, began, time.monotonic() - began, outcome, digest, marked)


# What a reader may get while something is broken: each is plainly no answer.
PLAIN = {"503", "refused", "broken off", "no answer in time"}


class Readers:
    """A few threads that ask one address after the other until they are told to stop."""

    def __init__(self, port: int, threads: int = 3, longest: float = 180):
        self.port, self.answers, self.over = port, [], threading.Event()
        self.right: dict[str, set[str]] = {}  # digests by address
        self.ends = time.monotonic() + longest
        self.threads = [
            threading.Thread(target=self.read, args=(number, threads), daemon=True)
            for number in range(threads)
        ]

    def learn(self, addresses: list[str]) -> list[str]:
        """Takes what is answered now as right, and says what could not be answered."""
        wrong = []
        for address in addresses:
            answer = ask(self.port, address, 60)
            if answer.outcome == "200" and not answer.marked:
                self.right.setdefault(address, set()).add(answer.digest)
            else:
                wrong.append(f"{address}: {answer.outcome}")
        return wrong

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def read(self, number: int, step: int) -> None:
        """Asks in turn what may have been kept and what may not; each thread begins elsewhere."""
        for turn in itertools.count():
            if self.over.wait(PAUSE) or time.monotonic() > self.ends:
                return
            addresses = COLD if turn % 2 else WARM
            self.answers.append(ask(self.port, addresses[(number + turn // 2) % len(addresses)]))

    def stop(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE + 5)

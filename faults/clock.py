"""A clock that is set back while Casebook serves: by an hour, then by a day.

A library of a few lines (`clock.c`) stands between the server's processes and the clock they
read; it is moved in all of them at once, and the monotonic clock goes on, as when an administrator
or ntpd sets the time. libfaketime (0.9.10) was tried first: under it `time.sleep` of Python 3.11
fails, and forked workers hang.
"""

import http.client
import json
import shutil
import struct
import subprocess
import time
from pathlib import Path

from .curator import STUDY, Curator
from .harness import Case, fault
from .readers import COLD, WARM, Readers
from .servers import Casebook
from .writing import book

LIMIT = 20  # requests of the API in a minute
BACK = {"an hour": 3600, "a day": 24 * 3600}
CLOCK = "from datetime import UTC, datetime; print(datetime.now(UTC).isoformat())"
ORDER = """
import json
from evidence.models import Release, StudyVersion
releases = [(each.number, each.released_at.isoformat()) for each in Release.objects.all()]
versions = list(StudyVersion.objects.filter(draft__slug=sys.argv[1]).order_by("number"))
print(json.dumps({"releases": releases, "numbers": [each.number for each in versions],
    "parents": [each.parent.number if each.parent else 0 for each in versions],
    "backwards": sum(a.at > b.at for a, b in zip(versions, versions[1:]))}))
"""


def library(folder: Path) -> str:
    """The library, compiled. Raises RuntimeError where there is no C compiler: the fault was then
    not tried.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("NOT TRIED: there is no C compiler (Debian: gcc, libc6-dev)")
    source, made = Path(__file__).with_name("clock.c"), folder / "clock.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", str(made), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return str(made)


def answered(port: int, address: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", address, headers=named)
        response = connection.getresponse()
        return response.status, dict(response.headers), response.read()
    finally:
        connection.close()


def limited(port: int) -> int:
    """How many of a minute's requests and five more are refused."""
    address = "/api/v1/published/summary/"
    return sum(answered(port, address)[0] == 429 for _ in range(LIMIT + 5))


def new_release(casebook: Casebook, readers: Readers, number: int) -> None:
    """Publishes a study and makes a release of it, at the time that the servers read; what is
    answered after each is right too.
    """
    if number == 0:
        casebook.manage("import_workbook", book(casebook, 4, studies=2), "--verbosity", "0")
    casebook.manage("publish_study", "published", f"series-{number + 1}", "--verbosity", "0")
    readers.learn(WARM + COLD)
    casebook.manage("release")
    readers.learn(WARM + COLD)


def look_at_order(case: Case, casebook: Casebook) -> None:
    """Releases and versions follow each other by number, whatever the time says."""
    found = json.loads(casebook.python(ORDER, STUDY))
    numbers = [number for number, _ in found["releases"]]
    case.check(numbers == [3, 2, 1], f"releases: {found['releases']}")
    case.check(
        found["numbers"] == list(range(1, len(found["numbers"]) + 1)), "versions are missing"
    )
    case.check(found["parents"] == list(range(len(found["parents"]))), "versions lead elsewhere")
    case.remark(
        f"{found['backwards']} versions are dated before the one they follow; they are counted by "
        f"number. Releases by number: {[(n, at[:16]) for n, at in found['releases']]}"
    )


@fault("the clock is set back by an hour, then by a day, while Casebook serves")
def clock_set_back(case: Case) -> None:
    moved = case.folder / "moved"
    moved.write_bytes(struct.pack("q", 0))
    faked = {"LD_PRELOAD": library(case.folder), "CLOCK_MOVED_BY": str(moved)}
    casebook = case.serve(**faked)
    curator = case.curator()
    readers = case.read()
    readers.learn(COLD)
    # another server on the same data, with limits, of one process
    strict = Casebook(case.folder, casebook.environment["DATABASE_URL"], **faked)
    strict.environment |= {"CASEBOOK_API_PER_MINUTE": str(LIMIT), "WEB_CONCURRENCY": "1"}
    strict.start()
    try:
        tag = answered(casebook.port, "/published/")[1]["ETag"]
        case.check(limited(strict.port) == 5, "the limit of the API does not hold")
        for number, (back, seconds) in enumerate(BACK.items()):
            curator.save_until(time.monotonic() + 1)
            with moved.open("r+b") as file:  # the same file, which is mapped
                file.write(struct.pack("q", -seconds))
            case.healed()
            told = casebook.python(CLOCK)
            curator.save_until(time.monotonic() + 2)
            status, _, _ = answered(casebook.port, "/published/", If_None_Match=tag)
            case.check(status == 304, f"{back}: what was kept is {status}, not 304")
            case.check(limited(strict.port) <= 5, f"{back}: the API refuses for longer than it may")
            new_release(casebook, readers, number)
            new = answered(casebook.port, "/published/")[1]["ETag"]
            case.check(new != tag, f"{back}: the tag stays after new data")
            tag = new
            status, _, feed = answered(casebook.port, "/changes.atom")
            case.check(status == 200 and b"<entry>" in feed, f"{back}: the feed answers {status}")
            case.remark(f"back by {back}: the servers' clock said {told.strip()[:16]}")
        fresh = Curator(casebook.port, "bob")
        fresh.log_in()
        case.settle()
        look_at_order(case, casebook)
        case.check(not curator.answers, f"saves were refused: {curator.answers[:3]}")
        case.compare(curator)
        case.evidence_holds()
    finally:
        strict.stop()

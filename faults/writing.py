"""Whoever writes or sends is killed in the middle: an export, an import, a publication, a save.

Afterwards what was under way is there whole or not at all, and can be done again at once.
"""

import hashlib
import http.client
import json
import socket
import threading
import time
from dataclasses import dataclass

from .curator import STUDY
from .harness import POSTGRESQL, SQLITE, Case, fault
from .servers import Casebook

PATIENTS = 60  # of the workbook
# A digest of every row, and the number of rows of each table; not of who logs in.
STATE = """
import hashlib, json
from django.db import connection
counts, digest = {}, hashlib.sha256()
with connection.cursor() as cursor:
    for table in sorted(connection.introspection.table_names(cursor)):
        if not table.startswith("evidence_"):
            continue
        cursor.execute(f"SELECT * FROM {table} ORDER BY id")
        rows = cursor.fetchall()
        counts[table] = len(rows)
        digest.update(repr((table, rows)).encode())
print(json.dumps([digest.hexdigest(), counts]))
"""
BOOK = """
from pathlib import Path
from tests.workbooks import patient_series, workbook
Path(sys.argv[1]).write_bytes(workbook(patient_series(*map(int, sys.argv[2:]))).getvalue())
"""
HEADS = """
from django.db.models import Max
from evidence.models import StudyDraft
print(sum(draft.head.number != draft.newest for draft in
          StudyDraft.objects.select_related("head").annotate(newest=Max("versions__number"))))
"""


def state(casebook: Casebook) -> tuple[str, dict[str, int]]:
    digest, counts = json.loads(casebook.python(STATE))
    return digest, counts


@dataclass
class Download:
    """A file taken slowly: so many bytes, then a pause."""

    port: int
    address: str
    seconds: float  # it is to take about so long
    whole: bool = False
    digest: str = ""
    received: int = 0
    told: str = ""

    def take(self) -> None:
        began, digest = time.monotonic(), hashlib.sha256()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            connection.sock = socket.socket()
            # a small window, so that the file waits at the server and not in this system
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sock.settimeout(90)
            connection.sock.connect(("127.0.0.1", self.port))
            connection.request("GET", self.address)
            response = connection.getresponse()
            announced = response.getheader("Content-Length")
            while piece := response.read(8192):
                digest.update(piece)
                self.received += len(piece)
                if time.monotonic() < began + self.seconds:
                    time.sleep(0.05)
            self.whole = response.status == 200 and int(announced or self.received) == self.received
            self.told = str(response.status)
        except (OSError, http.client.HTTPException) as error:
            self.told = type(error).__name__
        finally:
            connection.close()
        self.digest = digest.hexdigest()


def downloaded(port: int, addresses: list[str], seconds: float, then=None) -> list[Download]:
    """Downloads side by side; `then` is done once each has begun."""
    downloads = [Download(port, address, seconds) for address in addresses]
    threads = [threading.Thread(target=one.take) for one in downloads]
    for thread in threads:
        thread.start()
    if then:
        time.sleep(1.5)
        then()
    for thread in threads:
        thread.join(120)
    return downloads


STREAMED = ["/synthetic/outcomes.csv", "/synthetic/patients.jsonl", "/synthetic/treatments.tsv"]
MADE = ["/synthetic/bundle.zip", "/synthetic/patients.xlsx"]


@fault(
    "all workers are killed while three large files are sent and two are made", short_on=(SQLITE,)
)
def export_killed(case: Case) -> None:
    case.serve()
    case.read()
    port = case.casebook.port

    def kill() -> None:
        case.healed()
        case.casebook.kill_workers()

    cut = downloaded(port, STREAMED + MADE, 30, kill)
    case.settle()
    again = downloaded(port, STREAMED, 0) + downloaded(port, MADE[:1], 0) + downloaded(
        port, MADE[1:], 0
    )  # fmt: skip
    right = {one.address: one.digest for one in again if one.whole}
    for one in again:
        case.check(one.whole, f"{one.address} cannot be had afterwards: {one.told}")
    looked_whole = [one for one in cut if one.whole and one.digest != right.get(one.address)]
    case.check(not looked_whole, f"cut short and looking complete: {looked_whole}")
    broken = sum(not one.whole for one in cut)
    case.check(broken >= 3, f"only {broken} of {len(cut)} were cut short")
    case.lost(
        f"nothing: {broken} of {len(cut)} downloads were visibly broken off (after "
        f"{sum(one.received for one in cut) // 1000} kB), none looked whole; again, all are whole"
    )
    case.evidence_holds()


def killed_at_each_part(case: Case, source: str, words: list[str], what: str) -> None:
    """Kills a command again and again, later each time, in copies of a database; each copy is then
    what it was, or what the whole command makes of it; and the command can be run at once.
    """
    trials = 5

    def casebook_with(address: str) -> Casebook:
        return Casebook(case.folder, address)

    whole = casebook_with(case.home.copied(source, case.folder))
    before = state(whole)
    began = time.monotonic()
    whole.manage(*words)
    lasts = time.monotonic() - began
    done = state(whole)[1]
    case.check(done != before[1], "the command changes nothing")
    outcomes, slowest = [], 0.0
    for trial in range(trials):
        copy = casebook_with(case.home.copied(source, case.folder))
        process = copy.begin(*words)
        time.sleep(lasts * (0.35 + 0.62 * trial / (trials - 1)))
        process.kill()
        process.communicate()
        after = state(copy)
        is_same, is_done = after == before, after[1] == done
        case.check(is_same or is_done, f"killed at {trial + 1} of {trials}: neither, {after[1]}")
        outcomes.append("whole" if is_done else "not at all")
        began = time.monotonic()
        copy.manage(*words)
        slowest = max(slowest, time.monotonic() - began)
        case.check(state(copy)[1] == done, f"again after {trial + 1}: not whole")
        if trial == trials - 1:
            case.check("FAIL" not in copy.manage("check_evidence"), "check_evidence")
    case.result.seconds = 0.0
    case.check(slowest < 3 * lasts + 15, f"a lock was held: again took {slowest:.0f} s")
    case.lost(
        f"nothing: {what} was there whole {outcomes.count('whole')} times, not at all "
        f"{outcomes.count('not at all')} times, in part never; again at once, whole each time"
    )


def book(casebook: Casebook, patients: int = PATIENTS, studies: int = 1) -> str:
    """Writes a workbook of studies, series-1 and so on; its path."""
    path = casebook.folder / "series.xlsx"
    casebook.python(BOOK, str(path), str(patients), str(studies))
    return str(path)


@fault("import_workbook is killed at five moments")
def import_killed(case: Case) -> None:
    source, _ = case.home.fresh(case.folder)
    words = ["import_workbook", book(Casebook(case.folder, source)), "--verbosity", "0"]
    killed_at_each_part(case, source, words, "a workbook of 60 patients")


@fault("publish_study is killed at five moments")
def publication_killed(case: Case) -> None:
    source, _ = case.home.fresh(case.folder)
    first = Casebook(case.folder, source)
    first.manage("import_workbook", book(first), "--verbosity", "0")
    words = ["publish_study", "published", "series-1", "--verbosity", "0"]
    killed_at_each_part(case, source, words, "a study of 60 patients")


@fault("all workers are killed while a curator saves, twelve times")
def save_killed(case: Case) -> None:
    case.serve()
    curator = case.curator()
    curator.save()
    began = time.monotonic()
    curator.save()
    lasts = time.monotonic() - began
    case.read()
    for trial in range(12):
        saving = threading.Thread(target=curator.save)
        saving.start()
        time.sleep(lasts * trial / 11)
        case.healed()
        case.casebook.kill_workers()
        saving.join(30)
        time.sleep(0.3)
    curator.save_until(time.monotonic() + 1)
    case.settle()
    case.compare(curator)
    behind = int(case.casebook.python(HEADS))
    case.check(not behind, f"{behind} studies do not lead to their newest version")
    case.evidence_holds()


HISTORY = """
import json
from evidence.models import StudyVersion
versions = StudyVersion.objects.filter(draft__slug=sys.argv[1]).order_by("number")
print(json.dumps([[version.number, next((record["fields"].get("notes", "") for record in
      version.content if record["model"] == "evidence.patient"), "")] for version in versions]))
"""


@fault(
    "two curators save the same cell at once, the workers are killed three times",
    short_on=(POSTGRESQL,),
)
def two_curators(case: Case) -> None:
    case.serve()
    people = [case.curator("alice"), case.curator("bob")]
    case.read()
    end = time.monotonic() + 12
    threads = [threading.Thread(target=each.save_until, args=(end, 0.05)) for each in people]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(3)
        case.healed()
        case.casebook.kill_workers()
    for thread in threads:
        thread.join(60)
    case.settle()
    case.compare(*people)
    history = dict(json.loads(case.casebook.python(HISTORY, STUDY)))
    unseen = []
    for each in people:
        for text, based_on, number in each.ledger:
            seen = history[based_on]
            between = [history[n] for n in range(based_on, number) if n in history]
            unseen += [text for said in between if said not in (seen, text)]
    case.check(not unseen, f"overwritten without having been seen: {unseen[:5]}")
    clashes = sum(answer.startswith("409") for each in people for answer in each.answers)
    case.lost(f"of both people's values none was overwritten unseen; {clashes} were told both")
    case.check(clashes, "nobody was told of the other's value")
    case.evidence_holds()

"""What every fault shares: databases made anew for each, a Casebook before them, readers, a
curator, and the judgement of what came of it.
"""

import json
import re
import shutil
import sqlite3
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .curator import Curator
from .readers import COLD, PLAIN, WARM, Readers
from .servers import ROOT, Casebook, Cluster, Redis

RESULTS = ROOT / "var" / "faults"
SYNTHETIC = 6000  # patients: so many that files of them take a second or two
RUN_OF_RIGHT = 12  # answers after which readers are taken to be well again
SETTLED_WITHIN = 60  # seconds
SQLITE, POSTGRESQL = "SQLite", "PostgreSQL, Redis"


@dataclass
class Result:
    """One row of the table."""

    fault: str
    database: str
    readers: dict[str, int] = field(default_factory=dict)  # answers of each kind
    marked: int = 0  # of those that were right: said to be from before, or from the replica
    longest: float = 0.0  # seconds, of any answer that was right
    lost: str = ""
    seconds: float | None = None  # to recover; None where nothing is waited for
    remarks: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Home:
    """Where faults run: a folder, and a database full of evidence to be copied for each fault."""

    database = SQLITE

    def __init__(self, folder: Path):
        self.folder, self.number = folder, 0

    def start(self) -> None:
        self.template = self.folder / "template"
        self.template.mkdir()
        self.first = self.template / "casebook.sqlite3"
        self.fill(Casebook(self.template, f"sqlite:///{self.first}"))
        with sqlite3.connect(self.first) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def fill(self, casebook: Casebook) -> None:
        """Makes the database that faults begin with."""
        casebook.manage("prepare", "--verbosity", "0")
        casebook.manage("generate_cohort", "--patients", str(SYNTHETIC), "--verbosity", "0")
        casebook.python(Curator.ACCOUNTS)

    def fresh(self, folder: Path) -> tuple[str, dict[str, str]]:
        """The address of a copy, and further settings of a Casebook that uses it."""
        file = folder / "casebook.sqlite3"
        shutil.copy(self.first, file)
        return f"sqlite:///{file}", {}

    def copied(self, address: str, folder: Path) -> str:
        """The address of a copy of a database that nobody uses just now."""
        self.number += 1
        file = folder / f"copy-{self.number}.sqlite3"
        source = sqlite3.connect(address.removeprefix("sqlite:///"))
        with closing(source), closing(sqlite3.connect(file)) as target:
            source.backup(target)
        return f"sqlite:///{file}"

    def kept(self, address: str, folder: Path) -> Path:
        """A copy of a database as a file, by the database's own tools."""
        path = folder / "kept.sqlite3"
        shutil.copy(address.removeprefix("sqlite:///"), path)
        return path

    def put_back(self, kept: Path, address: str) -> None:
        """Makes a database what was kept of it."""
        file = Path(address.removeprefix("sqlite:///"))
        for ending in ("-wal", "-shm"):
            file.with_name(file.name + ending).unlink(missing_ok=True)
        shutil.copy(kept, file)

    def empty(self, folder: Path) -> str:
        """The address of a database without tables."""
        self.number += 1
        return f"sqlite:///{folder / f'empty-{self.number}.sqlite3'}"

    def keep_logs(self, place: Path, name: str) -> None:
        """Copies what the database logged, where it does so."""

    def stop(self) -> None:
        """Ends what was started."""


class ServedHome(Home):
    """The same with PostgreSQL and Redis."""

    database = POSTGRESQL

    def start(self) -> None:
        (self.folder / "servers").mkdir()
        self.cluster = Cluster(self.folder / "servers", "postgresql")
        self.redis = Redis(self.folder)
        self.cluster.initialize()
        self.cluster.start()
        self.redis.start()
        self.cluster.execute("CREATE DATABASE template", "postgres")
        self.fill(Casebook(self.folder, self.cluster.address_of("template")))

    def fresh(self, folder: Path) -> tuple[str, dict[str, str]]:
        address = self.copied(self.cluster.address_of("template"), folder)
        return address, {"REDIS_URL": self.redis.address}

    def copied(self, address: str, folder: Path) -> str:
        self.number += 1
        name, template = f"fault_{self.number}", address.rpartition("/")[2]
        self.cluster.execute(f"CREATE DATABASE {name} TEMPLATE {template}", "postgres")
        # A sequence that was copied counts its next values without writing them to the log; a crash
        # then gives them out again. After a checkpoint it writes them.
        self.cluster.execute("CHECKPOINT", "postgres")
        return self.cluster.address_of(name)

    def kept(self, address: str, folder: Path) -> Path:
        place = Path(tempfile.mkdtemp(dir=self.folder))
        place.chmod(0o777)
        self.cluster.run("pg_dump", "-Fc", "-f", str(place / "kept"), address)
        return place / "kept"

    def put_back(self, kept: Path, address: str) -> None:
        name = address.rpartition("/")[2]
        self.cluster.execute(f"DROP DATABASE {name} WITH (FORCE)", "postgres")
        self.cluster.execute(f"CREATE DATABASE {name}", "postgres")
        self.cluster.run("pg_restore", "-d", address, str(kept))

    def empty(self, folder: Path) -> str:
        self.number += 1
        self.cluster.execute(f"CREATE DATABASE empty_{self.number}", "postgres")
        return self.cluster.address_of(f"empty_{self.number}")

    def keep_logs(self, place: Path, name: str) -> None:
        shutil.copy(self.cluster.log, place / f"{name}-postgresql.log")

    def stop(self) -> None:
        self.cluster.end()
        self.redis.stop()


class Case:
    """One fault under way: its Casebook, and what is found."""

    def __init__(self, home: Home, folder: Path, title: str):
        self.home, self.folder = home, folder
        self.result = Result(title, home.database)
        self.rows = [self.result]
        self.casebook: Casebook | None = None
        self.readers: Readers | None = None
        self.began = 0.0
        # moments from which on nothing stood in the way, or something did
        self.marks: list[tuple[float, bool]] = []

    # What a fault says

    def check(self, holds: object, otherwise: str) -> None:
        """Notes a problem unless something holds; the same one once."""
        if not holds and otherwise not in self.result.problems:
            self.result.problems.append(otherwise)

    def remark(self, text: str) -> None:
        self.result.remarks.append(text)

    def lost(self, text: str) -> None:
        """What was compared, in words: shown under “lost”, after “nothing” where nothing was."""
        self.result.lost = "; ".join(filter(None, (self.result.lost, text)))

    def healed(self) -> None:
        """From now on nothing stands in the way; what is counted are the seconds until readers are
        answered again, the most of them where this is said several times.
        """
        self.marks.append((time.monotonic(), True))

    def broken(self) -> None:
        """From now on something stands in the way, until `healed`."""
        self.marks.append((time.monotonic(), False))

    # What a fault uses

    def serve(self, **variables: str) -> Casebook:
        """A Casebook with a copy of the evidence, started; readers begin a moment later."""
        address, more = self.home.fresh(self.folder)
        self.casebook = Casebook(self.folder, address, **more, **variables)
        self.casebook.start()
        return self.casebook

    def read(self) -> Readers:
        """Lets readers begin. What is answered before is what is right."""
        self.readers = Readers(self.casebook.port)
        for wrong in self.readers.learn(WARM):
            self.check(False, f"before the fault, {wrong}")
        self.readers.start()
        time.sleep(1.5)
        self.began = time.monotonic()
        return self.readers

    def settle(self) -> None:
        """Waits until readers are answered again, and judges what they got."""
        readers, end = self.readers, time.monotonic() + SETTLED_WITHIN
        while time.monotonic() < end:
            time.sleep(0.25)
            last = [one.outcome for one in readers.answers if one.at > self.marks[-1][0]]
            if len(last) >= RUN_OF_RIGHT and set(last[-RUN_OF_RIGHT:]) == {"200"}:
                break
        else:
            self.check(False, f"readers were not answered again within {SETTLED_WITHIN} s")
        readers.stop()
        for wrong in readers.learn(WARM + COLD):
            self.check(False, f"afterwards, {wrong}")
        self.judge()

    def judge(self) -> None:
        """Counts the answers. One that is neither right nor plainly none is a problem."""
        counts: Counter[str] = Counter()
        away = 0.0
        for one in self.readers.answers:
            if one.ended < self.began:
                continue
            is_right = one.outcome == "200" and one.digest in self.readers.right.get(
                one.address, ()
            )
            kind = "right" if is_right else one.outcome
            counts[kind] += 1
            if is_right:
                self.result.marked += one.marked
                self.result.longest = max(self.result.longest, round(one.seconds, 2))
                continue
            mark, is_healed = max(
                (mark for mark in self.marks if mark[0] < one.ended), default=(0, False)
            )
            away = max(away, one.ended - mark if is_healed else 0)
            if one.outcome not in PLAIN:
                self.check(False, f"a reader of {one.address} got a wrong answer ({one.outcome})")
        self.result.readers = dict(counts)
        self.result.seconds = round(away, 1)

    def evidence_holds(self) -> None:
        """check_evidence finds nothing, and what has to be locked to write is free."""
        said = self.casebook.manage("check_evidence")
        self.check("FAIL" not in said, f"check_evidence: {said[-300:]}")

    def curator(self, name: str = "alice") -> Curator:
        curator = Curator(self.casebook.port, name)
        curator.log_in()
        return curator

    def compare(self, *curators: Curator) -> None:
        """Holds what curators were told is saved against what is there."""
        there = Curator.saved(self.casebook)
        told = [text for curator in curators for text in curator.acknowledged]
        missing = [text for text in told if text not in there]
        self.check(not missing, f"acknowledged and not there: {missing[:5]}")
        refused = sum(curator.refused for curator in curators)
        for curator in curators:
            wrong = [answer for answer in curator.answers if answer[:3] not in Curator.PLAIN]
            self.check(not wrong, f"{curator.name} got {wrong[:3]}")
        self.lost(
            f"{'nothing' if not missing else len(missing)}: of {len(told)} saves that were "
            f"acknowledged {len(told) - len(missing)} are there ({refused} were not acknowledged)"
        )


@dataclass(frozen=True)
class Fault:
    """Something that can go wrong, how it is tried, and on which databases."""

    name: str
    act: Callable[[Case], None]
    title: str
    on: tuple[str, ...]
    short_on: tuple[str, ...]


FAULTS: list[Fault] = []


def fault(
    title: str, *, on: tuple[str, ...] = (SQLITE, POSTGRESQL), short_on: tuple[str, ...] = ()
):
    """Makes a function a fault that is tried on these databases, and in the short form on those."""

    def declared(act: Callable[[Case], None]):
        FAULTS.append(Fault(act.__name__, act, title, on, short_on))
        return act

    return declared


def run(home: Home, each: Fault, number: int) -> list[Result]:
    """Tries one fault and keeps what came of it as a file; `number` is its place in the table."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"{each.name}-", dir=home.folder))
    folder.chmod(0o755)  # the user of PostgreSQL is another one
    case = Case(home, folder, each.title)
    print(f"{home.database}: {each.title}", flush=True)
    try:
        each.act(case)
    except Exception:
        case.check(False, traceback.format_exc()[-2500:])
        if not any(row is case.result for row in case.rows):
            case.rows.append(case.result)
    finally:
        if case.readers:
            case.readers.over.set()
        if case.casebook:
            case.casebook.stop()
            tell_errors(case)
    RESULTS.mkdir(parents=True, exist_ok=True)
    if any(row.problems for row in case.rows):
        home.keep_logs(RESULTS, each.name)
        if case.casebook:
            shutil.copy(case.casebook.log, RESULTS / f"{each.name}.log")
    name = f"{number:02}-{each.name}-{home.database.split(',')[0].lower()}.json"
    (RESULTS / name).write_text(json.dumps([asdict(row) for row in case.rows], indent=1) + "\n")
    for row in case.rows:
        print(f"  {row.readers} {row.lost} recovered in {row.seconds} s", flush=True)
        for text in (*row.remarks, *(f"PROBLEM {problem}" for problem in row.problems)):
            print(f"  {text}", flush=True)
    print(f"  took {time.monotonic() - began:.0f} s", flush=True)
    return case.rows


def tell_errors(case: Case) -> None:
    """A 500 in the log is a problem, whoever got it."""
    log = case.casebook.log.read_text(errors="replace")
    for found in re.finditer(r"Internal Server Error at (\S+)(.*?)(?=\n\d{4}-|\n\[|\Z)", log, re.S):
        case.check(False, f"500 at {found[1]}: {found[2].strip()[-700:]}")
        break

"""What is wrong with an answer to a hostile request."""

import gzip
import io
import re
import zlib
from dataclasses import dataclass, field
from hashlib import sha256
from zipfile import BadZipFile, ZipFile, is_zipfile

from .inputs import TAG, Asked
from .planted import MARK
from .server import ROOT

SLOWEST = 20.0  # seconds an answer may take, on a machine that does other things too
# What an answer of a mistake must not hold: stacks, paths, SQL, names of tables and modules.
INSIDE = re.compile(
    r"Traceback \(most recent|File \"/|site-packages|\bevidence_[a-z]{4,}|django\.[a-z]+\.|"
    r"psycopg|sqlite3\.|OperationalError|ProgrammingError|DataError|IntegrityError|SELECT \"|"
    + re.escape(str(ROOT))
)
CHANGES = {"x-request-id", "date", "ratelimit", "expires", "age", "connection", "server"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    seconds: float

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def content(self) -> bytes:
        """The body as it was before compression; as it stands where its end is missing."""
        if self.header("content-encoding") == "gzip" and self.body:
            try:
                return gzip.decompress(self.body)
            except (EOFError, gzip.BadGzipFile, zlib.error):
                return self.body
        return self.body

    def stable(self) -> tuple:
        """All of it that is the same whenever somebody asks the same."""
        kept = sorted((k.lower(), v) for k, v in self.headers if k.lower() not in CHANGES)
        return self.status, tuple(kept), digest(self)


def digest(answer: Answer) -> str:
    """What an answer says; of archives, what their members say."""
    content = answer.content
    if content.startswith(b"PK") and is_zipfile(io.BytesIO(content)):
        with ZipFile(io.BytesIO(content)) as archive:
            told = [(one.filename, one.CRC) for one in archive.infolist()]
            return repr([one for one in told if not one[0].startswith("docProps")])
    if content.startswith(b"SQLite format"):
        return "SQLite"
    return sha256(content).hexdigest()


def readable(content: bytes) -> bytes:
    """All texts of an answer, those in archives and Parquet files, too."""
    if not content.startswith(b"PK"):
        return content
    found = [content]
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                member = archive.read(name)
                if name.endswith(".parquet"):
                    from pyarrow import parquet

                    member = repr(parquet.read_table(io.BytesIO(member)).to_pydict()).encode()
                found += [name.encode(), member]
    except (BadZipFile, zlib.error):
        return content
    return b"\n".join(found)


@dataclass
class Judge:
    """Looks at answers; `found` is what is wrong, `tags` what was said under each ETag."""

    secrets: list[str]
    found: list[dict] = field(default_factory=list)
    tags: dict[str, tuple[str, str]] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    slowest: float = 0.0

    def blame(self, what: str, asked: Asked, more: str = "") -> None:
        """Notes a fault, and prints it: a long run is looked at before it ends."""
        print(f"{what}: {asked.method} {asked.target[:200]!r} {more[:200]}", flush=True)
        if len(self.found) < 200:
            self.found.append(
                {"what": what, "more": more[:500], "method": asked.method,
                 "target": asked.target[:600], "headers": [list(one) for one in asked.headers][:9],
                 "body": asked.body[:200].decode("latin-1"), "kind": asked.kind}
            )  # fmt: skip

    def look_at(self, asked: Asked, answer: Answer) -> None:
        status, content = answer.status, answer.content
        self.statuses[str(status)] = self.statuses.get(str(status), 0) + 1
        self.slowest = max(self.slowest, answer.seconds)
        if answer.seconds > SLOWEST:
            self.blame("slow", asked, f"{answer.seconds:.1f} s")
        if status >= 500 and not (status == 503 and answer.header("retry-after")):
            self.blame("failed", asked, f"{status} {content[:300]!r}")
        texts = readable(content)
        headers = "\n".join(f"{name}: {value}" for name, value in answer.headers)
        for secret in (MARK, *self.secrets):
            if secret.encode() in texts or secret in headers:
                at = texts.find(secret.encode())
                self.blame("hidden record", asked, repr(texts[max(0, at - 100) : at + 60]))
                break
        if any("\r" in value or "\n" in value for _, value in answer.headers):
            self.blame("a header of two lines", asked, headers)
        kind = answer.header("content-type")
        if kind.startswith("text/html") and TAG[:7].encode() in content:
            at = content.find(TAG[:7].encode())
            self.blame("not escaped", asked, repr(content[max(0, at - 100) : at + 60]))
        if answer.header("location").startswith(("//", "http")):
            self.blame("sent elsewhere", asked, answer.header("location"))
        if status >= 400:
            self.look_at_refusal(asked, answer, content)
        if (tag := answer.header("etag")) and status == 200 and asked.method == "GET":
            self.look_at_tag(asked, answer, tag)

    def look_at_refusal(self, asked: Asked, answer: Answer, content: bytes) -> None:
        text = content.decode(errors="replace")
        said = asked.target + asked.body.decode("latin-1")  # which a refusal may repeat
        if (inside := INSIDE.search(text)) and inside[0] not in said:
            self.blame("tells of the inside", asked, inside[0])
        if asked.method != "HEAD" and len(re.sub(r"<[^>]*>|\s+", " ", text).strip()) < 10:
            self.blame("says nothing", asked, f"{answer.status} {text[:100]!r}")
        if answer.header("etag"):
            self.blame("a refusal with an ETag", asked, f"{answer.status}")

    def look_at_tag(self, asked: Asked, answer: Answer, tag: str) -> None:
        """Two answers under one tag, which is the key of the cache too, say the same."""
        same = (
            f"{answer.header('content-type')} {answer.header('content-encoding')} {digest(answer)}"
        )
        before = self.tags.setdefault(tag, (same, asked.target[:300]))
        if before[0] != same:
            self.blame("two answers under one key", asked, f"{before[1]}: {before[0]} != {same}")

    def compare(self, asked: Asked, before: Answer, after: Answer, between: list[Asked]) -> None:
        """A plain answer is the same before and after what could poison it."""
        if before.stable() != after.stable():
            self.blame("poisoned", asked, f"{before.stable()} != {after.stable()} after {between}")

    def add(self, other: "Judge") -> None:
        """Takes over what another has seen, of the same secrets."""
        self.found += other.found
        self.slowest = max(self.slowest, other.slowest)
        for status, count in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        for tag, (same, target) in other.tags.items():
            before = self.tags.setdefault(tag, (same, target))
            if before[0] != same:
                self.blame("two answers under one key", Asked("GET", target), f"{before} != {same}")

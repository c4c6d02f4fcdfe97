"""Which release the data are of, and what an address that names a release may expect."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from django.http import HttpRequest, QueryDict

from ..models import Collection, Release, ReleasedCollection
from ..models.consistency import kept, kept_until_any_change, version
from ..questions.question import Question
from ..tables import TIDY, Table, batches

COMPARED = 20_000  # patients up to which contents are compared; beyond, an edit alone counts as a change

NUMBER = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class Standing:
    """How the data of a collection stand to the latest release that holds it.

    `moved` says whether they have changed since; `current` is the data version that gave them what they hold, as far
    as is known, and `changed_at` when it was.
    """

    release: Release | None
    moved: bool
    current: int
    changed_at: datetime

    @property
    def is_released(self) -> bool:
        return self.release is not None and not self.moved

    @property
    def label(self) -> str:
        """As files and answers say it: “1”, “1, changed since (data version 9)”, “none (data version 9)”."""
        if self.release is None:
            return f"none (data version {self.current})"
        return f"{self.release.number}" + (f", changed since (data version {self.current})" if self.moved else "")

    @property
    def at(self) -> datetime:
        """When this state began: the release's own date, or the last change."""
        return self.release.released_at if self.is_released else self.changed_at

    @property
    def part_of_filename(self) -> str:
        """“-release-1”, or the data version where no release holds these data."""
        return f"-release-{self.release.number}" if self.is_released else f"-data-{self.current}"

    def as_json(self) -> dict:
        found = {"release": self.release and self.release.number, "changed_since": self.moved}
        if self.release is not None:
            found |= {"released_at": self.release.released_at.isoformat(), "content_hash": self.release.content_hash}
        return found | {"data_version": self.current}


def latest() -> Release | None:
    """The latest release."""
    return numbered(version().release)


def numbered(number: int) -> Release | None:
    """The release of this number, if there is one."""
    if not number:
        return None
    return kept_until_any_change(("release", number), lambda: Release.objects.filter(number=number).first())


@dataclass(frozen=True)
class Held:
    """A collection as a release holds it."""

    version: int
    content_hash: str
    patients: int


def held_in(number: int) -> dict[str, Held]:
    """The collections of a release, by slug."""

    def read() -> dict[str, Held]:
        found = ReleasedCollection.objects.filter(release__number=number)
        rows = found.values_list("slug", "version", "content_hash", "rows")
        return {slug: Held(changed, content, dict(rows).get("patients", 0)) for slug, changed, content, rows in rows}

    return kept_until_any_change(("released", number), read)


def moved_since(held: Held, collection: Collection) -> bool:
    """Whether a collection says something else than it did. A new version alone does not mean so: what all collections
    share may have changed, or an edit may have been taken back.
    """
    if version().of(collection) <= held.version:
        return False
    return held.patients > COMPARED or content_hash(collection) != held.content_hash


def standing(collection: Collection) -> Standing:
    """How a collection stands to the latest release; a release that does not hold it is none for it."""
    now = version()
    release = latest()
    held = held_in(release.number).get(collection.slug) if release else None
    moved = held is not None and moved_since(held, collection)
    current = now.of(collection) if held is None or moved else held.version
    return Standing(release if held else None, moved, current, now.changed_at)


@dataclass(frozen=True)
class Pin:
    """What became of the release an address names. `problem` says why there is none of that number."""

    release: Release | None = None
    moved: bool = False
    problem: str = ""

    @property
    def archive(self) -> str:
        """Where the release can be read about and fetched."""
        return f"/releases/#release-{self.release.number}"

    @property
    def moved_on(self) -> str:
        """Why an exact answer cannot be given, for whoever asked for one."""
        when = f"{self.release.released_at:%-d %B %Y}"
        return (
            f"The data have changed since release {self.release.number} of {when}. All of that release is at "
            f"{self.archive}; without “release” this address gives the data of today."
        )


def pinned(data: QueryDict, collection: Collection) -> Pin | None:
    """What an address that names a release, such as `release=1`, can expect of today's data; None if it names none."""
    named = next(filter(None, data.getlist("release")), "")
    return pin(named, collection) if named else None


def pin(text: str, collection: Collection) -> Pin:
    """What the release of this number can be expected to be today."""
    number = int(text) if NUMBER.fullmatch(text) else 0
    release = numbered(number)
    if release is None:
        return Pin(problem="There is no such release. The releases are listed at /releases/.")
    held = held_in(number).get(collection.slug)
    if held is None:
        return Pin(problem=f"Release {number} does not hold this collection.")
    return Pin(release, moved_since(held, collection))


def status_of(request: HttpRequest, collection: Collection, problems: list[str]) -> int:
    """400 for a page whose address is wrong, a release that does not exist included; otherwise 200."""
    pin = pinned(request.GET, collection)
    return 400 if problems or (pin and pin.problem) else 200


# The content, as one number


def content_hash(collection: Collection) -> str:
    """The SHA-256 of what a collection's tidy tables hold; nothing of where, when or as what they were released."""

    def digest() -> str:
        question = Question(collection)
        return digest_of((tidy.noun, digest_of(rows_digested(tidy.table, question))) for tidy in TIDY.values())

    return kept(("content",), collection, digest)


def rows_digested(table: Table, question: Question) -> Iterator[tuple[str, str]]:
    """Each row with its hash. Databases sort texts in different orders, so the order says nothing."""
    yield "columns", hashed([column.name for column in table.file_columns])
    for batch in batches(table.file_columns, table, table.records(question).order_by(), question):
        for row in zip(*batch.values, batch.reasons, strict=True):
            yield "row", hashed(row)


def hashed(values) -> str:
    return sha256(json.dumps(values, ensure_ascii=False).encode()).hexdigest()


def digest_of(named: Iterable[tuple[str, str]]) -> str:
    """One hash over several, each with a name, whatever their order."""
    return hashed(sorted(f"{name} {digest}" for name, digest in named))

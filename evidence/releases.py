"""Which release the data are of, and what an address that names a release may expect."""

import re
from dataclasses import dataclass
from datetime import datetime

from .models import Collection, DataVersion, Release, ReleasedCollection
from .steady import kept, version

NUMBER = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True)
class Standing:
    """How the data of a collection stand to the latest release that holds it.

    `current` is the data version in which they last changed; `changed_at` is when they last may have.
    """

    release: Release | None
    released: int | None  # the data version in which they had last changed when released
    current: int
    changed_at: datetime

    @property
    def moved(self) -> bool:
        """Whether they have been edited since."""
        return self.released is not None and self.current > self.released

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


def latest(now: DataVersion | None = None) -> Release | None:
    """The latest release."""
    number = (now or version()).release
    return kept(("release", number), None, lambda: Release.objects.filter(number=number).first()) if number else None


def versions_in(number: int) -> dict[str, int]:
    """The data version of each collection of a release."""

    def read() -> dict[str, int]:
        return dict(ReleasedCollection.objects.filter(release__number=number).values_list("slug", "version"))

    return kept(("released", number), None, read)


def standing(collection: Collection, now: DataVersion | None = None) -> Standing:
    """How a collection stands to the latest release; a release that does not hold it is none for it."""
    now = now or version()
    release = latest(now)
    released = versions_in(release.number).get(collection.slug) if release else None
    return Standing(release if released is not None else None, released, now.of(collection), now.changed_at)


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


def pin(text: str, collection: Collection) -> Pin:
    """What an address that names a release, such as `release=1`, can expect of today's data."""
    number = int(text) if NUMBER.fullmatch(text) else 0
    release = kept(("release", number), None, lambda: Release.objects.filter(number=number).first()) if number else None
    if release is None:
        return Pin(problem="There is no such release. The releases are listed at /releases/.")
    released = versions_in(number).get(collection.slug)
    if released is None:
        return Pin(problem=f"Release {number} does not hold this collection.")
    return Pin(release, moved=version().of(collection) > released)

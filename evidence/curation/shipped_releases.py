"""The releases that come with Casebook: number, date, identifier, notes, and what evidence they
hold, by hash. So one release is the same file in every copy, whenever that was started first.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from .fixture_files import fixture_folder

NAME = "releases.json"


@dataclass(frozen=True)
class ShippedRelease:
    """One entry of the file; `evidence` is the content hash of each collection, by slug."""

    number: int
    released_at: datetime
    identifier: str
    notes: str
    evidence: dict[str, str]


def shipped_releases(file: Path | None = None) -> list[ShippedRelease]:
    """All of them, in order."""
    entries = json.loads((file or fixture_folder() / NAME).read_text(encoding="utf-8"))
    return [
        ShippedRelease(**entry | {"released_at": datetime.fromisoformat(entry["released_at"])})
        for entry in entries
    ]


def shipped_release(digests: dict[str, str], least: int) -> ShippedRelease | None:
    """The release that holds exactly this evidence, given by collection; None where it comes with
    no release, or with one whose number, below `least`, is taken by another.
    """
    for shipped in shipped_releases():
        if shipped.evidence == digests and shipped.number >= least:
            return shipped
    return None


def ship_release(
    digests: dict[str, str],
    number: int,
    released_at: datetime,
    notes: str,
    file: Path | None = None,
) -> ShippedRelease:
    """Writes a release into the file. An entry of its number keeps its identifier, and its notes
    where there are no others: a release that nobody has yet received is put right, not made anew.
    """
    file = file or fixture_folder() / NAME
    others = {shipped.number: shipped for shipped in shipped_releases(file)}
    before = others.get(number)
    others[number] = ShippedRelease(
        number,
        released_at,
        before.identifier if before else uuid4().urn,
        notes or (before.notes if before else ""),
        dict(sorted(digests.items())),
    )
    entries = [
        asdict(others[key]) | {"released_at": others[key].released_at.isoformat()}
        for key in sorted(others)
    ]
    file.write_text(json.dumps(entries, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return others[number]

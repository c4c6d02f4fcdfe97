"""The files by which hosts of code and archives know how to cite this repository: `CITATION.cff`
(https://citation-file-format.github.io) and `.zenodo.json`.

They describe the program, under its own licence; the collections that come with it are named with
theirs, the simulated ones as such.
"""

import json
import re
import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from ...models import Collection
from .declaration import (
    CODE_LICENCE,
    CREATOR,
    DATA_LICENCE,
    KEYWORDS,
    LICENCE,
    SIMULATED,
    TITLE,
    collection_description,
    dataset_title,
)

MESSAGE = (
    "Cite the studies the patients come from, the review if you use its figures, and Casebook with "
    "the release you saw."
)


class Dumper(yaml.SafeDumper):
    """Repeats what occurs twice: a reference to the authors would be harder to read."""

    def ignore_aliases(self, data) -> bool:
        return True


@dataclass(frozen=True)
class ProjectRelease:
    """A version of the program; its date is empty as long as the change log has none."""

    version: str
    date: str


def project_release(root: Path) -> ProjectRelease:
    """The version of the program, by pyproject.toml, and its date (YYYY-MM-DD), by CHANGELOG.md."""
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    heading = rf"^## {re.escape(version)} \((\d{{1,2}} \w+ \d{{4}})\)$"
    found = re.search(heading, (root / "CHANGELOG.md").read_text(), re.M)
    date = datetime.strptime(found[1], "%d %B %Y").date().isoformat() if found else ""
    return ProjectRelease(version, date)


def shipped_collections(root: Path) -> list[Collection]:
    """The collections that come with Casebook, as their fixture declares them."""
    records = json.loads((root / "fixtures" / "collections.json").read_text())
    wanted = ("name", "slug", "kind", "caveat", "description")
    return [
        Collection(**{name: record["fields"].get(name, "") for name in wanted})
        for record in records
    ]


def repository_files(root: Path) -> dict[str, str]:
    """The text of each of these files, by its name; the same repository gives the same texts."""
    release, collections = project_release(root), shipped_collections(root)
    return {
        "CITATION.cff": citation_cff(release, collections),
        ".zenodo.json": zenodo_json(release, collections),
    }


def abstract(collections: list[Collection]) -> str:
    """What is in the repository, in sentences."""
    held = "; ".join(
        f"“{collection.name}” ({SIMULATED if collection.is_simulated else collection.kind})"
        for collection in collections
    )
    return (
        "A web application to browse, download and curate patient-level evidence on JAK inhibitors "
        f"in systemic sclerosis, with the collections it ships: {held}. {LICENCE}"
    )


def citation_cff(release: ProjectRelease, collections: list[Collection]) -> str:
    """CITATION.cff, version 1.2.0 of its format."""
    authors = [{"name": CREATOR}]
    content = {
        "cff-version": "1.2.0",
        "message": MESSAGE,
        "type": "software",
        "title": TITLE,
        "abstract": abstract(collections),
        "authors": authors,
        "version": release.version,
        **({"date-released": release.date} if release.date else {}),
        "license": CODE_LICENCE.identifier,
        "keywords": list(KEYWORDS),
        "references": [
            {
                "type": "data",
                "title": dataset_title(collection),
                "authors": authors,
                "license": DATA_LICENCE.identifier,
                "abstract": collection_description(collection),
            }
            for collection in collections
        ],
    }
    written = yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
    return "# Written by manage.py write_citation_files.\n" + written


def zenodo_json(release: ProjectRelease, collections: list[Collection]) -> str:
    """.zenodo.json: https://developers.zenodo.org/#representation"""
    content = {
        "upload_type": "software",
        "title": TITLE,
        "description": abstract(collections),
        "creators": [{"name": CREATOR}],
        "version": release.version,
        **({"publication_date": release.date} if release.date else {}),
        "access_right": "open",
        "license": CODE_LICENCE.identifier,
        "keywords": list(KEYWORDS),
        "language": "eng",
        "notes": f"The data in `fixtures/` are under {DATA_LICENCE.name} ({DATA_LICENCE.url}).",
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"

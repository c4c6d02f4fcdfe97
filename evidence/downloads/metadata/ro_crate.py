"""The description of a bundle as an RO-Crate: https://www.researchobject.org/ro-crate/"""

from collections.abc import Iterable
from dataclasses import dataclass

from .declaration import CREATOR, DATA_LICENCE, LICENCE, NAME, DatasetDescription, Source

CRATE_FILE = "ro-crate-metadata.json"
VERSION = "https://w3id.org/ro/crate/1.3"
AUTHORS, PUBLISHER = "#casebook-authors", "#casebook"
MEDIA_TYPES = {
    "csv": "text/csv",
    "json": "application/json",
    "txt": "text/plain",
    "ris": "application/x-research-info-systems",
    "bib": "application/x-bibtex",
}


@dataclass(frozen=True)
class CrateFile:
    """One file of a bundle; `size` in bytes, None where it is not written yet."""

    path: str
    description: str
    size: int | None = None


def ro_crate(dataset: DatasetDescription, files: Iterable[CrateFile]) -> dict:
    """A bundle and each of its files, with creators, licence and sources."""
    entities = [file_entity(file) for file in files]
    sources = [source_entity(source) for source in dataset.sources]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": dataset.title,
        "description": dataset.description,
        "datePublished": dataset.date.isoformat(),
        "version": dataset.version,
        "keywords": list(dataset.keywords),
        "inLanguage": "en",
        "license": {"@id": DATA_LICENCE.url},
        "author": {"@id": AUTHORS},
        "publisher": {"@id": PUBLISHER},
        **({based_on(dataset): references(sources)} if sources else {}),
        "hasPart": references(entities),
    }
    return {
        "@context": f"{VERSION}/context",
        "@graph": [
            {
                "@id": CRATE_FILE,
                "@type": "CreativeWork",
                "conformsTo": {"@id": VERSION},
                "about": {"@id": "./"},
            },
            root,
            *entities,
            {"@id": AUTHORS, "@type": "Organization", "name": CREATOR},
            {"@id": PUBLISHER, "@type": "Organization", "name": NAME},
            {
                "@id": DATA_LICENCE.url,
                "@type": "CreativeWork",
                "name": DATA_LICENCE.name,
                "identifier": DATA_LICENCE.identifier,
                "description": LICENCE,
            },
            *sources,
        ],
    }


def based_on(dataset: DatasetDescription) -> str:
    """How schema.org says what a data set has to do with its sources: simulated records only
    mention the review whose totals they reproduce.
    """
    return "mentions" if dataset.is_simulated else "isBasedOn"


def references(entities: list[dict]) -> list[dict]:
    return [{"@id": entity["@id"]} for entity in entities]


def file_entity(file: CrateFile) -> dict:
    return {
        "@id": file.path,
        "@type": "File",
        "name": file.path,
        "description": file.description,
        "encodingFormat": MEDIA_TYPES[file.path.rpartition(".")[2]],
        **({"contentSize": str(file.size)} if file.size is not None else {}),
    }


def source_entity(source: Source) -> dict:
    address = source.address or f"#{source.slug}"
    return {"@id": address, "@type": "CreativeWork", "name": source.title}

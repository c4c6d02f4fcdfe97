"""Collections as schema.org describes data sets, for search engines: one Dataset for each, since
published and simulated records are never one.
"""

from collections.abc import Callable, Iterable

from django.urls import reverse

from .datacite import DATACITE_TYPE
from .declaration import CREATOR, DATA_LICENCE, NAME, TITLE, DatasetDescription
from .ro_crate import based_on


def linked_datasets(datasets: Iterable[DatasetDescription], absolute: Callable[[str], str]) -> dict:
    """The data sets as JSON-LD; `absolute` makes an address of this site a whole one."""
    return {
        "@context": "https://schema.org",
        "@graph": [linked_dataset(dataset, absolute) for dataset in datasets],
    }


def linked_dataset(dataset: DatasetDescription, absolute: Callable[[str], str]) -> dict:
    page = absolute(dataset.page)
    return {
        "@type": "Dataset",
        "@id": page,
        "name": dataset.title,
        "description": dataset.description,
        "url": page,
        "version": dataset.version,
        "datePublished" if dataset.is_released else "dateModified": dataset.date.isoformat(),
        "inLanguage": "en",
        "keywords": list(dataset.keywords),
        "license": DATA_LICENCE.url,
        "isAccessibleForFree": True,
        "creator": {"@type": "Organization", "name": CREATOR},
        "publisher": {"@type": "Organization", "name": NAME, "url": absolute("/")},
        "includedInDataCatalog": {"@type": "DataCatalog", "name": TITLE, "url": absolute("/")},
        "distribution": [
            {
                "@type": "DataDownload",
                "name": f"{dataset.title}: {what}",
                "encodingFormat": media_type,
                "contentUrl": absolute(address),
            }
            for what, media_type, address in (
                ("everything, as ZIP", "application/zip", reverse("bundle", args=[dataset.slug])),
                ("patients", "text/csv", reverse("file", args=[dataset.slug, "patients", "csv"])),
            )
        ],
        "subjectOf": {
            "@type": "DataDownload",
            "name": "DataCite metadata",
            "encodingFormat": DATACITE_TYPE,
            "contentUrl": absolute(reverse("datacite", args=[dataset.slug])),
        },
    } | (
        {
            based_on(dataset): [
                {
                    "@type": "CreativeWork",
                    "name": source.title,
                    **({"url": source.address} if source.address else {}),
                }
                for source in dataset.sources
            ]
        }
        if dataset.sources
        else {}
    )

"""DataCite's metadata as JSON, which is what a repository registers a DOI with.

https://schema.datacite.org/meta/kernel-4/
"""

from .declaration import CREATOR, DATA_LICENCE, NAME, DatasetDescription

DATACITE_TYPE = "application/vnd.datacite.datacite+json"
SCHEMA = "http://datacite.org/schema/kernel-4"


def datacite_record(dataset: DatasetDescription, url: str = "") -> dict:
    """A data set as DataCite describes it, without a DOI; `url` is its page where a host is known.

    Publications are what published data are derived from. The review whose totals simulated records
    reproduce is only referred to.
    """
    relation = "References" if dataset.is_simulated else "IsDerivedFrom"
    return {
        "types": {"resourceType": dataset.kind, "resourceTypeGeneral": "Dataset"},
        "creators": [{"name": CREATOR, "nameType": "Organizational"}],
        "titles": [{"title": dataset.title, "lang": "en"}],
        "publisher": {"name": NAME, "lang": "en"},
        "publicationYear": f"{dataset.date:%Y}",
        "subjects": [{"subject": keyword, "lang": "en"} for keyword in dataset.keywords],
        "dates": [
            {
                "date": dataset.date.isoformat(),
                "dateType": "Issued" if dataset.is_released else "Updated",
            }
        ],
        "language": "en",
        "version": dataset.version,
        "rightsList": [
            {
                "rights": DATA_LICENCE.name,
                "rightsUri": DATA_LICENCE.url,
                "rightsIdentifier": DATA_LICENCE.identifier,
                "rightsIdentifierScheme": "SPDX",
                "schemeUri": "https://spdx.org/licenses/",
                "lang": "en",
            }
        ],
        "descriptions": [
            {"description": dataset.description, "descriptionType": "Abstract", "lang": "en"}
        ],
        "relatedIdentifiers": [
            {
                "relatedIdentifier": source.doi or source.address,
                "relatedIdentifierType": "DOI" if source.doi else "URL",
                "relationType": relation,
            }
            for source in dataset.sources
            if source.address
        ],
        "schemaVersion": SCHEMA,
    } | ({"url": url} if url else {})

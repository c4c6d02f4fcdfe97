"""What a download is called, that it is one, and what kind of records it holds, also where it holds
none.
"""

from django.utils.http import content_disposition_header

from ..models import Collection, ReleasedCollection
from .metadata import collection_links, link_header, release_links
from .release_status import release_status


def attachment_header(
    filename: str, collection: Collection | ReleasedCollection | None = None
) -> dict[str, str]:
    """The headers of a download. Of a collection or a release, links say which it is of, what kind
    of records it has, what to cite and under which licence.
    """
    headers = {
        "Content-Disposition": content_disposition_header(as_attachment=True, filename=filename)
    }
    if collection:
        is_release = isinstance(collection, ReleasedCollection)
        links = release_links(collection) if is_release else collection_links(collection)
        headers["Link"] = link_header(links)
    return headers


def file_stem(collection: Collection | ReleasedCollection) -> str:
    """How the names of a collection's files begin; those of a simulated one say so."""
    return f"casebook-{'simulated-' if collection.is_simulated else ''}{collection.slug}"


def file_name(collection: Collection, ending: str, subject: str = "") -> str:
    """The name of a file of a collection, with the release or the data version it is of."""
    return (
        f"{file_stem(collection)}{subject and f'-{subject}'}"
        f"{release_status(collection).part_of_filename}.{ending}"
    )

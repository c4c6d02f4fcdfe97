"""What a download is called, that it is one, and what kind of records it holds, also where it holds
none.
"""

from urllib.parse import quote

from django.utils.http import content_disposition_header

from ..models import Collection, ReleasedCollection
from .release_status import release_status
from .rows import evidence_kind


def attachment_header(
    filename: str, collection: Collection | ReleasedCollection | None = None
) -> dict[str, str]:
    """The headers of a download. Of a collection, a link (RFC 8288) to it says what kind of records
    it has: a file without rows has no other place for that.
    """
    headers = {
        "Content-Disposition": content_disposition_header(as_attachment=True, filename=filename)
    }
    if collection:
        kind = quote(evidence_kind(collection), safe="")
        headers["Link"] = f"</{collection.slug}/>; rel=\"collection\"; title*=UTF-8''{kind}"
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

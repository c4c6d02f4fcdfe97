"""What a download is called, and that it is one."""

from django.utils.http import content_disposition_header

from ..models import Collection
from .release_status import release_status


def attachment_header(filename: str) -> dict[str, str]:
    """The header of a download."""
    return {"Content-Disposition": content_disposition_header(as_attachment=True, filename=filename)}


def file_name(collection: Collection, ending: str, what: str = "") -> str:
    """The name of a file of a collection, with the release or the data version it is of."""
    return f"casebook-{collection.slug}{what and f'-{what}'}{release_status(collection).part_of_filename}.{ending}"

"""The feed of what has changed, for feed readers: Atom (RFC 4287)."""

import re
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.views.decorators.http import require_safe

from .. import summaries
from ..models import DataVersion
from ..models.consistency import current_version
from ..questions.parsing import get_collection
from ..questions.request_checks import accept_params, head_response

CONTENT_TYPE = "application/atom+xml; charset=utf-8"
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class ChangesFeed(Atom1Feed):
    """An Atom feed whose time is that of the data, so that the same data give the same bytes."""

    def __init__(self, *args, data_version: DataVersion, **options):
        super().__init__(*args, **options)
        self.data_version = data_version

    def latest_post_date(self) -> datetime:
        entries = [item["updateddate"] for item in self.items]
        return max(entries, default=self.data_version.changed_at)


@require_safe
@accept_params(file=True)
def changes_feed(request: HttpRequest, collection: str = "") -> HttpResponse:
    """What has changed in one collection, or in all: only what readers could see."""
    record = get_collection(collection) if collection else None
    if head := head_response(request, CONTENT_TYPE):
        return head
    name = f"Casebook: {record.name}" if record else "Casebook"
    page = record.get_absolute_url() if record else reverse("home")
    version = current_version()
    feed = ChangesFeed(
        title=f"{name}, changes",
        link=request.build_absolute_uri(page),
        description="Studies published, corrected, withdrawn or retracted, and releases."
        + (f" {record.caveat}." if record and record.is_simulated else ""),
        feed_url=request.build_absolute_uri(request.path),
        feed_guid=summaries.lasting_name(f"feed/{collection}"),
        author_name="Casebook",
        language="en",
        data_version=version,
    )
    for change in summaries.recent_changes(record):
        feed.add_item(
            title=clean(change.title),
            link=request.build_absolute_uri(change.address),
            description=clean(change.text),
            unique_id=summaries.lasting_name(change.key),
            pubdate=change.at,
            updateddate=change.at,
        )
    return HttpResponse(feed.writeString("utf-8"), content_type=CONTENT_TYPE)


def clean(text: str) -> str:
    """A text without characters that XML cannot hold."""
    return NOT_IN_XML.sub("", text)

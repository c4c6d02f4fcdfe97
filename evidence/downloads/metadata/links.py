"""Links that programs follow (RFC 8288, https://signposting.org): what to cite, what describes it,
which licence holds. Relative to this site, so that they are the same on every host.
"""

from collections.abc import Iterable
from urllib.parse import quote

from django.urls import reverse

from ...models import Collection, ReleasedCollection
from ..rows import evidence_kind
from .datacite import DATACITE_TYPE
from .declaration import DATA_LICENCE

LICENCE_LINK = f'<{DATA_LICENCE.url}>; rel="license"'


def link_header(links: Iterable[str]) -> str:
    """The links as the value of a header."""
    return ", ".join(links)


def collection_link(collection: Collection | ReleasedCollection) -> str:
    """The collection something is of, with the kind of its records: a file without rows has no
    other place for that.
    """
    kind = quote(evidence_kind(collection), safe="")
    address = reverse("cohort", args=[collection.slug])
    return f"<{address}>; rel=\"collection\"; title*=UTF-8''{kind}"


def collection_links(collection: Collection) -> list[str]:
    """Of a collection, its views and its files. Its address never changes, so it is what to cite as
    long as there is no DOI.
    """
    described_by = reverse("datacite", args=[collection.slug])
    return [
        collection_link(collection),
        f'<{reverse("cohort", args=[collection.slug])}>; rel="cite-as"',
        f'<{described_by}>; rel="describedby"; type="{DATACITE_TYPE}"',
        LICENCE_LINK,
    ]


def record_links(collection: Collection, page: str) -> list[str]:
    """Of one patient or study, whose page is what to cite."""
    return [collection_link(collection), f'<{page}>; rel="cite-as"', LICENCE_LINK]


def release_links(released: ReleasedCollection) -> list[str]:
    """Of the archive of a release, which the page of releases describes."""
    page = f"{reverse('releases')}#release-{released.release.number}"
    return [
        collection_link(released),
        f'<{page}>; rel="cite-as"',
        f'<{page}>; rel="describedby"; type="text/html"',
        LICENCE_LINK,
    ]

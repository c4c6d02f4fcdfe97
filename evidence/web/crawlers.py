"""What search engines are told: which addresses there are, and which to leave alone.

https://www.sitemaps.org/protocol.html, RFC 9309
"""

from collections.abc import Iterator
from html import escape
from itertools import islice

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from ..models import Collection, JAKInhibitor, Patient, Review, Study
from ..models.consistency import all_collections
from ..questions.request_checks import accept_params, head_response
from ..tables import TABLES

ROBOTS_TYPE = "text/plain; charset=utf-8"
SITEMAP_TYPE = "application/xml; charset=utf-8"
MOST_ADDRESSES = 50_000  # of one sitemap, by its protocol
PAGES = (
    *("home", "inhibitors", "reviews", "methods", "dictionary", "cite", "releases", "api_docs"),
)
VIEWS = ("cohort", "completeness", "flow", "forest", "rules")  # of a collection, without questions
# Questions are without number, and the same patients answer many; curators' pages are for them.
ROBOTS = """User-agent: *
Disallow: /admin/
Disallow: /*?
Disallow: /*/suggest/

Sitemap: {sitemap}
"""


@require_safe
@accept_params(file=True)
def robots_file(request: HttpRequest) -> HttpResponse:
    """What programs that follow every link should leave alone."""
    if head := head_response(request, ROBOTS_TYPE):
        return head
    sitemap = request.build_absolute_uri(reverse("sitemap"))
    return HttpResponse(ROBOTS.format(sitemap=sitemap), content_type=ROBOTS_TYPE)


@require_safe
@accept_params(file=True)
def sitemap_file(request: HttpRequest) -> HttpResponse:
    """Every page without a question, as far as one sitemap holds them."""
    if head := head_response(request, SITEMAP_TYPE):
        return head
    addresses = islice(public_addresses(), MOST_ADDRESSES)
    entries = "".join(
        f"<url><loc>{escape(request.build_absolute_uri(address))}</loc></url>\n"
        for address in addresses
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{entries}</urlset>\n'
    )
    return HttpResponse(text, content_type=SITEMAP_TYPE)


def public_addresses() -> Iterator[str]:
    """Pages first, then studies, then patients, so that what is cut off are patients."""
    yield from (reverse(name) for name in PAGES)
    collections = all_collections()
    yield from (address for collection in collections for address in views_of(collection))
    yield from slugs_as_addresses(
        "inhibitor", JAKInhibitor.objects.filter(named=True).order_by("slug")
    )
    yield from slugs_as_addresses("review", Review.objects.order_by("slug"))
    # A simulated patient or article that a search engine finds alone would be taken for real.
    published = [collection for collection in collections if not collection.is_simulated]
    for name, model in (("study", Study), ("patient", Patient)):
        for collection in published:
            records = model.objects.within(collection).order_by("slug")
            yield from slugs_as_addresses(name, records, collection.slug)


def views_of(collection: Collection) -> Iterator[str]:
    """The overview of a collection; of a published one its other pages too."""
    if collection.is_simulated:
        yield reverse("cohort", args=[collection.slug])
        return
    yield from (reverse(name, args=[collection.slug]) for name in VIEWS)
    yield from (reverse("list", args=[collection.slug, noun]) for noun in TABLES)


def slugs_as_addresses(name: str, records, *before: str) -> Iterator[str]:
    for slug in records.values_list("slug", flat=True)[:MOST_ADDRESSES]:
        yield reverse(name, args=[*before, slug])

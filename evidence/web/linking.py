"""How a page says what it is to programs: links in its headers, linked data in its text."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.utils.html import json_script
from django.utils.safestring import SafeString, mark_safe

from ..downloads.metadata import collection_links, link_header, record_links
from ..models import Collection
from ..questions.parsing import get_collection


def links_of_collection(request: HttpRequest, collection: Collection) -> list[str]:
    return collection_links(collection)


def links_of_record(request: HttpRequest, collection: Collection) -> list[str]:
    return record_links(collection, request.path)


def signposted(make_links: Callable[[HttpRequest, Collection], list[str]]) -> Callable:
    """Decorates a view of a collection or of one of its records: what it answers links to what to
    cite, to what describes it, and to the licence of the data.
    """

    def decorate(view: Callable) -> Callable:
        @wraps(view)
        def signposted_view(request: HttpRequest, collection: str, *args, **kwargs) -> HttpResponse:
            response = view(request, collection, *args, **kwargs)
            if response.status_code == 200:
                links = make_links(request, get_collection(collection))
                response.headers["Link"] = link_header(links)
            return response

        return signposted_view

    return decorate


def linked_data(data: dict) -> SafeString:
    """Linked data for search engines, as a script that is none."""
    return mark_safe(json_script(data).replace("application/json", "application/ld+json", 1))  # noqa: S308

"""Reading goes on while a database is away: from the other one, or from what was kept.

Whatever is answered so says so, on the page and in headers, and no browser keeps it.
"""

import gzip
import re
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import InterfaceError, OperationalError
from django.http import FileResponse, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.html import format_html
from django_htmx.middleware import HtmxDetails

from . import middleware
from .models.reading import PRIMARY, REPLICA, has_replica, is_watched, watch
from .problems import is_for_programs, problem_response

CANNOT_WRITE = (
    "Reading goes on from a copy of the database. Nothing can be written until the database is "
    "back. Ask again in half a minute."
)
FROM_REPLICA = (
    "The database cannot be reached just now. This is answered from a copy of it, which may lack "
    "what was changed last. Nothing can be written meanwhile."
)
KEPT = (
    "The database cannot be reached just now. This was kept from before; whether the data have "
    "changed since {at} UTC is not known."
)
NO_ANSWER = OperationalError("it does not answer in time")
MAIN = re.compile(rb"<main\b[^>]*>")


def outage_middleware(get_response):
    """Answers readers from the replica or the primary, whichever can; then from what was kept.

    What writes, or leads to writing, needs the primary and is told so at once.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        path = request.path_info
        reads = request.method in ("GET", "HEAD") and "/suggest/" not in path
        if not reads or path.startswith(middleware.UNCACHED_PATHS):
            if is_watched() and (not reads or path.startswith("/admin/")):
                return answer_of_primary(request, get_response)
            return get_response(request)
        if not is_watched():
            response = get_response(request)
        for alias in watch.order() if is_watched() else ():
            response = answer_from(alias, request, get_response)
            if not is_away(response):
                return response
            if has_replica():
                watch.failed(alias)
        return (kept_answer(request) or response) if is_away(response) else response

    return answer


def is_away(response: HttpResponse) -> bool:
    """Whether a response says no more than that the database is away."""
    return getattr(response, "database_away", False)


def answer_of_primary(request: HttpRequest, get_response) -> HttpResponse:
    """The answer to what writes, or leads to writing; at once that it cannot, while that is so."""
    watch.look()
    if watch.primary_answers:
        with watch.answering(PRIMARY):
            return get_response(request)
    if has_replica():
        return cannot_write_response(request)
    return middleware.unavailable_response(request, NO_ANSWER)


def answer_from(alias: str, request: HttpRequest, get_response) -> HttpResponse:
    """The answer of one database. That of the replica is marked where nobody can say whether it is
    up to date.
    """
    if not has_replica() and not watch.primary_answers:  # it hangs, or nobody would wait for it
        return middleware.unavailable_response(request, NO_ANSWER)
    uncertain = alias == REPLICA and not watch.is_fresh
    if uncertain:
        request.is_answered_whole = True  # what a browser has carries no mark
    with watch.answering(alias):
        response = get_response(request)
    if is_away(response):
        return response
    if response.streaming and not isinstance(response, FileResponse):
        pieces = pieces_from(alias, response.streaming_content)
        if request.method == "GET":  # of what has begun nothing but an end can say that it fails
            try:
                pieces = with_first(next(pieces, b""), pieces)
            except (OperationalError, InterfaceError) as error:
                return middleware.unavailable_response(request, error)
        response.streaming_content = pieces
    if uncertain:
        marked(request, response, FROM_REPLICA, "casebook; fwd=miss; detail=replica")
    return response


def pieces_from(alias: str, content: Iterable[bytes]) -> Iterator[bytes]:
    """What is still to be made of an answer, each piece of it from this database."""
    iterator = iter(content)
    try:
        while True:
            with watch.answering(alias):
                piece = next(iterator, None)
            if piece is None:
                return
            yield piece
    finally:
        with watch.answering(alias):
            if hasattr(iterator, "close"):
                iterator.close()


def with_first(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """A piece that was made already, and then the others."""
    yield first
    yield from pieces


def kept_answer(request: HttpRequest) -> HttpResponse | None:
    """The answer that was kept of the version that was the latest when the database could last be
    asked; None where there is none, or where that is longer ago than the settings allow.
    """
    version, at = middleware.last_known()
    age = time.monotonic() - at
    if version is None or age > settings.STALE_SECONDS:
        return None
    if not hasattr(request, "htmx"):  # it was not let through to where that is found out
        request.htmx = HtmxDetails(request)
    request.is_answered_whole = True
    try:
        tag = middleware.etag_of(middleware.request_identity(request), version)
    except DisallowedHost:
        return None
    response = middleware.cached_response(request, tag)
    if response is None:
        return None
    seen = datetime.now(UTC) - timedelta(seconds=age)
    response.headers["Age"] = str(round(age))
    text = KEPT.format(at=f"{seen:%H:%M:%S}")
    return marked(request, response, text, "casebook; hit; detail=database-away")


def marked(request: HttpRequest, response: HttpResponse, text: str, status: str) -> HttpResponse:
    """The response, saying so on the page and in headers; no longer one that may be kept.

    `status` is a Cache-Status of RFC 9211. A part of a page has no place for it, so htmx is told to
    ask for the page.
    """
    response.headers.pop("ETag", None)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Cache-Status"] = status
    kind = response.headers.get("Content-Type", "")
    if response.streaming or not kind.startswith("text/html") or response.status_code >= 300:
        return response
    if request.method == "HEAD":
        response.headers.pop("Content-Length", None)  # the answer to GET is longer by the note
        return response
    packed = response.headers.get("Content-Encoding") == "gzip"
    content = gzip.decompress(response.content) if packed else response.content
    place = MAIN.search(content)
    if place is None:
        if request.headers.get("HX-Request"):
            response.headers["HX-Redirect"] = request.get_full_path()
        return response
    note = format_html('<p class="notice" role="status">{}</p>', text).encode()
    content = b"%s\n%s%s" % (content[: place.end()], note, content[place.end() :])
    response.content = gzip.compress(content, 6, mtime=0) if packed else content
    if response.has_header("Content-Length"):
        response.headers["Content-Length"] = str(len(response.content))
    return response


def cannot_write_response(request: HttpRequest) -> HttpResponse:
    """Says that reading goes on, and that nothing can be written."""
    again = middleware.RETRY_LATER | {"Cache-Control": "no-store"}
    if is_for_programs(request):
        return problem_response(503, CANNOT_WRITE, headers=again)
    return HttpResponse(render_to_string("reading_only.html"), status=503, headers=again)

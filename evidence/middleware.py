"""Addresses a database cannot read, a database that is away, and answers that have been given
before.
"""

import errno
import logging
import select
import socket
import time
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from threading import Lock
from urllib.parse import unquote

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import DisallowedHost
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.middleware.gzip import GZipMiddleware
from django.template.loader import render_to_string
from django.urls import get_script_prefix
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from django.views import defaults

from . import time_bound
from .models import DataVersion
from .models.consistency import consistent_read, past_state, stale_version
from .problems import is_for_programs, problem_response

logger = logging.getLogger(__name__)
# What belongs to no state of the evidence, or to one person alone.
UNCACHED_PATHS = (
    "/admin/",
    "/healthz",
    "/readyz",
    "/favicon.ico",
    f"/{settings.STATIC_URL.strip('/')}/",
)
# headers that change an answer
VARY = (
    "Accept-Encoding",
    "HX-Request",
    "HX-Boosted",
    "HX-History-Restore-Request",
    "HX-Target",
)
RETRY_LATER = {"Retry-After": "30"}
# A database that is away, and a time that is over; of the second a statement that was ended is the
# first sign.
CANNOT_ANSWER = (OperationalError, InterfaceError, time_bound.TookTooLong)
COMPRESSED = ("application/zip", "application/vnd.openxmlformats")  # a workbook is a ZIP too
MAX_CACHED_BYTES = 512 * 1024  # bytes of an answer worth keeping


class Allowance:
    """For how long answers of a kind are kept, and how many bytes of them a process may keep in so
    long a time. So there are never more than twice as many, whatever is asked.

    Time bounds no mistake: a new version of the data has new keys, and nothing kept is ever wrong.
    """

    def __init__(self, seconds: int, megabytes: int):
        self.seconds, self.most = seconds, megabytes << 20
        self.lock, self.began, self.used = Lock(), time.monotonic(), 0

    def takes(self, size: int) -> bool:
        """Whether an answer of so many bytes may be kept; it is counted then."""
        with self.lock:
            now = time.monotonic()
            if now - self.began >= self.seconds:
                self.began, self.used = now, 0
            if self.used + size > self.most:
                return False
            self.used += size
            return True


ADDRESSES = Allowance(24 * 60 * 60, 48)  # without a question there are only so many
QUESTIONS = Allowance(60 * 60, 24)
FREE_TEXT = Allowance(5 * 60, 8)  # of these somebody can ask any number


def allowance_of(request: HttpRequest) -> Allowance:
    """Which allowance the answer to this request is kept by."""
    words = unquote(request.META.get("QUERY_STRING", ""))  # of one side of a comparison, too
    if "q=" in words:
        return FREE_TEXT
    return QUESTIONS if words else ADDRESSES


def head_middleware(get_response):
    """Answers HEAD with headers alone. What would be streamed is not even begun.

    Where a view has made no body, the length is left out: it would not be that of the answer to
    GET. A method that an address does not take is refused in words.
    """

    def middleware(request):
        response = get_response(request)
        if response.status_code == 405 and not response.streaming and not response.content:
            say_what_is_taken(response)
        if request.method != "HEAD":
            return response
        if response.streaming:
            response.streaming_content = ()
        else:
            if not response.content:
                response.headers.pop("Content-Length", None)
            response.content = b""
        return response

    return middleware


def say_what_is_taken(response: HttpResponse) -> None:
    """Django's own refusal of a method has a header that says which are taken, and no text."""
    methods = response.headers.get("Allow", "").split(", ")
    response.content = f"This address takes {' and '.join(methods)} alone.\n"
    response.headers["Content-Type"] = "text/plain; charset=utf-8"
    response.headers["Content-Length"] = str(len(response.content))


def null_byte_middleware(get_response):
    """Answers an address with a NUL byte by 404: PostgreSQL cannot be asked for it, and nothing has
    such a name.
    """

    def middleware(request):
        if "\x00" in request.path_info:
            if is_for_programs(request):
                return problem_response(404, "There is nothing at this address.")
            return not_found(request, Http404())
        return get_response(request)

    return middleware


def unavailable_response(request: HttpRequest, error: Exception) -> HttpResponse:
    """Says that the database is away, to the reader and, by `database_away`, to `outage.py`; or,
    where that is why a statement was ended, that the answer took too long.
    """
    if time_bound.is_over():
        logger.warning("An answer was ended after %s s.", settings.PAGE_SECONDS)
        why = f"This takes more than {settings.PAGE_SECONDS} s to make, and was ended."
        return later_response(request, 503, why, "60")
    logger.error("The database cannot be reached: %s", str(error).partition("\n")[0])
    if is_for_programs(request):
        response = problem_response(
            503,
            "The database cannot be reached. Ask again in half a minute.",
            headers=RETRY_LATER,
        )
    else:
        response = HttpResponse(render_to_string("503.html"), status=503, headers=RETRY_LATER)
    response.database_away = True
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page of an address that is none (`handler404`), which asks the database what there is.
    Where that cannot be asked, a 503: Django would make a 500 of it, without a reason in the log.
    """
    try:
        return defaults.page_not_found(request, exception)
    except CANNOT_ANSWER as error:
        return unavailable_response(request, error)


def later_response(request: HttpRequest, status: int, why: str, seconds: str) -> HttpResponse:
    """Why there is no answer now, when to ask again, and what costs less."""
    instead = (
        "A narrower question is answered sooner; whole lists come row by row as CSV, and each "
        "release is a file that is ready."
    )
    headers = {"Retry-After": seconds, "Cache-Control": "no-store"}
    if is_for_programs(request):
        return problem_response(status, f"{why} {instead}", headers=headers)
    page = render_to_string("evidence/later.html", {"why": why, "instead": instead}, request)
    return HttpResponse(page, status=status, headers=headers)


def database_unavailable_middleware(get_response):
    """Answers 503 with a plain page when the database cannot be reached, and logs why."""

    def middleware(request):
        return get_response(request)

    def process_exception(request, exception):
        return (
            unavailable_response(request, exception)
            if isinstance(exception, CANNOT_ANSWER)
            else None
        )

    middleware.process_exception = process_exception
    return middleware


def accepts_gzip(request: HttpRequest) -> bool:
    """Whether the client accepts gzip and prefers it to no compression, or accepts both alike (RFC
    9110, section 12.5.3).
    """
    weights = {}
    for item in request.META.get("HTTP_ACCEPT_ENCODING", "").split(","):
        coding, *parameters = item.split(";")
        weights[coding.strip().lower()] = weight_in(parameters)
    return 0 < weights.get("gzip", 0) >= weights.get("identity", 0)


def weight_in(parameters: list[str]) -> float:
    """The weight (q) of a coding: 1 where none is given, 0 where it is no number from 0 to 1."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                weight = float(value)
            except ValueError:
                return 0
            return weight if 0 <= weight <= 1 else 0
    return 1


class NegotiatedGZipMiddleware(GZipMiddleware):
    """Compresses responses for clients that accept gzip, unless the response is compressed already.

    Django's own middleware compresses wherever the header contains “gzip”, even in `gzip;q=0`.
    """

    def process_response(self, request, response):
        if response.headers.get("Content-Type", "").startswith(COMPRESSED) or not accepts_gzip(
            request
        ):
            return response
        # Django looks for the word as it stands, in lower case. An answer that is kept for those
        # who take gzip would be left as it is where somebody writes GZIP.
        request.META["HTTP_ACCEPT_ENCODING"] = "gzip"
        return super().process_response(request, response)


def cached_response_middleware(get_response):
    """Gives every reader one state of the data, and an answer that was given before without making
    it again.

    An answer's tag is made of the version of the data, of the code, and of all in the request that
    the answer can depend on, as it stands. A browser that has it is told so (304); otherwise it
    comes from the shared cache; otherwise it is made. Only what was answered (200) has a tag and is
    kept: nothing that is wrong or not there.
    """

    def middleware(request):
        if request.method not in ("GET", "HEAD") or request.path_info.startswith(UNCACHED_PATHS):
            return get_response(request)
        try:
            request_key = request_identity(request)
        except DisallowedHost:
            if not is_for_programs(request):
                raise  # Django logs it, and answers with its page
            logger.error("A request names a host that this server does not answer to.")
            return problem_response(400, "This server does not answer to this host name.")
        failed = getattr(request, "could_not_read", None)  # which release is to answer, say
        if failed is not None:
            return unavailable_response(request, failed)
        try:
            version = DataVersion.current()
            note_version(version)
            cached = cached_response(request, etag_of(request_key, version))
            if cached is not None:
                return cached
            with consistent_read() as version:
                return make_response(request, etag_of(request_key, version), get_response)
        except CANNOT_ANSWER as error:
            return unavailable_response(request, error)

    return middleware


_last_known: tuple[DataVersion | None, float] = (None, 0.0)


def note_version(version: DataVersion) -> None:
    """Remembers the latest version of today's data, and when that was."""
    global _last_known
    if past_state() is None:
        _last_known = (version, time.monotonic())


def last_known() -> tuple[DataVersion | None, float]:
    """The version that was the latest when this process could last ask, and when that was, by
    `time.monotonic()`.
    """
    return _last_known


def request_identity(request: HttpRequest) -> tuple:
    """All in a request that its answer can depend on: its address as it was written, and headers.

    Words are neither sorted nor left out, since views look at all of them. Raises DisallowedHost.
    """
    htmx = request.htmx
    return (
        request.scheme,
        request.get_host(),
        get_script_prefix(),
        request.path,
        request.path_info,
        request.META.get("QUERY_STRING", ""),
        (bool(htmx), htmx.boosted, htmx.history_restore_request, htmx.target),
        accepts_gzip(request),
        repr(getattr(request, "since_released", None)),  # of a release: what a page adds to it
    )


def etag_of(request_key: tuple, version: DataVersion) -> str:
    """The ETag of a response; empty if the database has no data version, so that nothing is
    cached.
    """
    text = repr((version.token, CODE, request_key))
    return f'W/"{sha256(text.encode()).hexdigest()[:32]}"' if version.token else ""


def cached_response(request: HttpRequest, tag: str) -> HttpResponse | None:
    """An answer of this version that the reader has, or that the cache has. Who is not to be
    referred to what they have is marked so on the request (`outage.py`).
    """
    if not (tag and settings.CACHE_RESPONSES):
        return None
    if not getattr(request, "is_answered_whole", False) and tag in parse_etags(
        request.headers.get("If-None-Match", "")
    ):
        response = HttpResponseNotModified(
            headers=revalidation_headers(tag) | {"Vary": ", ".join(VARY)}
        )
        response.source = "browser"
        return response
    cached = read_cache(f"answer:{tag}")
    if cached is None:
        return None
    content, headers = cached
    response = HttpResponse(content, headers=headers)
    response.source = "cache"
    return response


def make_response(request: HttpRequest, tag: str, get_response) -> HttpResponse:
    """Makes the answer, and keeps it if it is worth that: as sent, so that nothing is compressed
    twice.
    """
    response, connection = get_response(request), request.META.get("gunicorn.socket")
    if response.streaming and connection is not None:
        response.streaming_content = stream_while_connected(response.streaming_content, connection)
    patch_vary_headers(response, VARY)
    if stale_version() is not None:
        # part of it is of an earlier version, for a moment
        response.headers["Cache-Control"] = "no-store"
    elif response.status_code >= 400:
        # what is not there may be in a moment
        response.headers.setdefault("Cache-Control", "no-store")
    if (
        not tag
        or response.status_code != 200
        or response.cookies
        or response.has_header("Cache-Control")
    ):
        return response
    for name, value in revalidation_headers(tag).items():
        response.headers[name] = value
    worth = (
        request.method == "GET"
        and not response.streaming
        and len(response.content) <= MAX_CACHED_BYTES
    )
    if settings.CACHE_RESPONSES and worth:
        allowance = allowance_of(request)
        if allowance.takes(len(response.content)):
            kept = (response.content, dict(response.items()))
            write_cache(f"answer:{tag}", kept, allowance.seconds)
    return response


def stream_while_connected(pieces: Iterable[bytes], connection: socket.socket) -> Iterator[bytes]:
    """The pieces of a file as long as somebody is there to read them.

    Raises BrokenPipeError once the reader has gone, so that the file does not look complete, and no
    more is made of it. An empty piece sends nothing and lets this look: what takes long to begin
    yields some on the way.
    """
    for chunk in pieces:
        yield chunk
        if is_disconnected(connection):
            raise BrokenPipeError(errno.EPIPE, "The reader has gone.")


def is_disconnected(connection: socket.socket) -> bool:
    """Whether the other end of a connection has been closed. What waits there to be read stays."""
    try:
        waiting = select.poll()
        waiting.register(connection, select.POLLIN)
        return bool(waiting.poll(0)) and not connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return True
    # this end is closed; or the connection is encrypted, and cannot be looked into
    except ValueError:
        return connection.fileno() < 0


def read_cache(key: str) -> tuple[bytes, dict[str, str]] | None:
    """The cached response, or None. An unavailable cache costs time and causes no error."""
    try:
        return cache.get(key)
    except Exception as error:  # each cache backend has errors of its own
        logger.warning("The cache cannot be reached: %s", error)
        return None


def write_cache(key: str, content_and_headers: tuple[bytes, dict[str, str]], seconds: int) -> None:
    try:
        cache.set(key, content_and_headers, seconds)
    except Exception as error:  # as above
        logger.warning("The cache cannot be reached: %s", error)


def revalidation_headers(tag: str) -> dict[str, str]:
    """Headers that let a browser store a response if it revalidates it before each use."""
    return {"ETag": tag, "Cache-Control": "no-cache"}


def code_fingerprint(paths: Iterable[Path]) -> str:
    """The code that makes the answers, as a short text: a new release makes them anew."""
    digest = sha256()
    for path in sorted(paths):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


CODE = code_fingerprint(
    [
        *(settings.BASE_DIR / "evidence").rglob("*.py"),
        *(settings.BASE_DIR / "templates").rglob("*.html"),
        *(settings.BASE_DIR / "docs" / "analysis").iterdir(),
        *Path(settings.STATIC_ROOT).glob("staticfiles.json"),
    ]
)

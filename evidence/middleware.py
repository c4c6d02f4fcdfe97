"""Doors: addresses a database cannot read, a database that is away, and answers that have been given before."""

import logging
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl

from django.conf import settings
from django.core.cache import cache
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, HttpResponseNotModified
from django.middleware.gzip import GZipMiddleware
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags

from .models import DataVersion
from .problems import for_programs, problem
from .steady import behind, steady

logger = logging.getLogger(__name__)
# What belongs to no state of the evidence, or to one person alone.
APART = ("/admin/", "/healthz", "/readyz", "/favicon.ico", f"/{settings.STATIC_URL.strip('/')}/")
PARTIAL = ("HX-Request", "HX-Boosted", "HX-History-Restore-Request")  # headers that change what a page looks like
LATER = {"Retry-After": "30"}
KEEP = 24 * 60 * 60  # seconds; a new version of the data has new keys, so nothing kept is ever wrong
COMPRESSED = ("application/zip", "application/vnd.openxmlformats")  # a workbook is a ZIP too
LARGEST = 512 * 1024  # bytes of an answer worth keeping


def plain_address(get_response):
    """Answers an address with a NUL byte by 404: PostgreSQL cannot be asked for it, and nothing has such a name."""

    def middleware(request):
        if "\x00" in request.path_info:
            if for_programs(request):
                return problem(404, "There is nothing at this address.")
            return HttpResponseNotFound(render_to_string("404.html"))
        return get_response(request)

    return middleware


def away(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.error("The database cannot be reached: %s", error)
    if for_programs(request):
        return problem(
            503, "The database cannot be reached. Ask again in half a minute.", headers={"Retry-After": "30"}
        )
    return HttpResponse(render_to_string("503.html"), status=503, headers=LATER)


def database_away(get_response):
    """Answers 503 with a plain page when the database cannot be reached, and logs why."""

    def middleware(request):
        return get_response(request)

    def process_exception(request, exception):
        return away(request, exception) if isinstance(exception, OperationalError | InterfaceError) else None

    middleware.process_exception = process_exception
    return middleware


class Gzip(GZipMiddleware):
    """Compresses answers, but not what is compressed already."""

    def process_response(self, request, response):
        if response.headers.get("Content-Type", "").startswith(COMPRESSED):
            return response
        return super().process_response(request, response)


def steady_answers(get_response):
    """Gives every reader one state of the data, and an answer that was given before without making it again.

    An answer's tag is made of the version of the data, of the code, and of the question in one spelling. A browser
    that has it is told so (304); otherwise it comes from the shared cache; otherwise it is made.
    """

    def middleware(request):
        if request.method not in ("GET", "HEAD") or request.path_info.startswith(APART):
            return get_response(request)
        try:
            given = answered_before(request, DataVersion.current())
            if given is not None:
                return given
            with steady() as version:
                return answer(request, version, get_response)
        except (OperationalError, InterfaceError) as error:
            return away(request, error)

    return middleware


def answered_before(request: HttpRequest, version: DataVersion) -> HttpResponse | None:
    """An answer of this version that the reader has, or that the cache has."""
    if not settings.KEEP_ANSWERS:
        return None
    tag = tag_of(request, version)
    if tag in parse_etags(request.headers.get("If-None-Match", "")):
        return HttpResponseNotModified(headers=fresh(tag))
    kept = kept_answer(key_of(request, tag))
    if kept is None:
        return None
    content, headers = kept
    return HttpResponse(content, headers=headers)


def key_of(request: HttpRequest, tag: str) -> str:
    """Answers are kept as sent: compressed for those who can read that, so that nothing is compressed twice."""
    return f"answer:{tag}:{'gzip' if 'gzip' in request.headers.get('Accept-Encoding', '') else 'plain'}"


def answer(request: HttpRequest, version: DataVersion, get_response) -> HttpResponse:
    """Makes the answer, and keeps it if it is worth that."""
    tag = tag_of(request, version)
    response = get_response(request)
    if behind() is not None:
        response.headers["Cache-Control"] = "no-store"  # part of it is of an earlier version, for a moment
    if response.status_code != 200 or response.cookies or response.has_header("Cache-Control"):
        return response
    for name, value in fresh(tag).items():
        response.headers.setdefault(name, value)
    patch_vary_headers(response, ["Accept-Encoding", "HX-Request"])
    worth = request.method == "GET" and not response.streaming and len(response.content) <= LARGEST
    if settings.KEEP_ANSWERS and worth:
        keep_answer(key_of(request, tag), (response.content, dict(response.items())))
    return response


def kept_answer(key: str) -> tuple[bytes, dict[str, str]] | None:
    """What the cache holds; a cache that is away holds nothing, and costs speed instead of the answer."""
    try:
        return cache.get(key)
    except Exception as error:  # each cache backend has errors of its own
        logger.warning("The cache cannot be reached: %s", error)
        return None


def keep_answer(key: str, answer: tuple[bytes, dict[str, str]]) -> None:
    try:
        cache.set(key, answer, KEEP)
    except Exception as error:  # as above
        logger.warning("The cache cannot be reached: %s", error)


def fresh(tag: str) -> dict[str, str]:
    """A reader's browser may keep an answer, and asks each time whether it still holds."""
    return {"ETag": tag, "Cache-Control": "no-cache"}


def tag_of(request: HttpRequest, version: DataVersion) -> str:
    """The answer's name. Order and empty words of an address do not matter, as they do not to the question; the API
    refuses empty words, so there they matter.
    """
    program = for_programs(request)
    words = sorted(parse_qsl(request.META.get("QUERY_STRING", ""), keep_blank_values=program, errors="replace"))
    partial = [request.headers.get(name) for name in PARTIAL]
    host = request.build_absolute_uri("/") if program else ""  # its answers name the host
    said = repr((version.token, CODE, host, request.path_info, words, partial))
    return f'W/"{sha256(said.encode(errors="replace")).hexdigest()[:32]}"'


def fingerprint(paths: Iterable[Path]) -> str:
    """The code that makes the answers, as a short text: a new release makes them anew."""
    digest = sha256()
    for path in sorted(paths):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


CODE = fingerprint(
    [
        *(settings.BASE_DIR / "evidence").rglob("*.py"),
        *(settings.BASE_DIR / "templates").rglob("*.html"),
        *Path(settings.STATIC_ROOT).glob("staticfiles.json"),
    ]
)

"""Releases: what they hold, what differs between two of them, and their archives."""

import re
from collections.abc import Iterator
from itertools import groupby
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotModified,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, render
from django.utils.http import parse_etags
from django.views.decorators.http import require_safe

from ..downloads import attachment_header, file_stem
from ..downloads.archives import DamagedArchive, check_archive
from ..downloads.differences import (
    FILTERS,
    WORDS,
    AskedDifferences,
    Difference,
    asked_differences,
    differences_csv,
)
from ..downloads.release_status import release_by_number
from ..models import Release, ReleasedCollection
from ..questions.request_checks import accept_params, head_response, problems_as_text

PAGE = 200  # differences of a page


@require_safe
@accept_params()
def releases_page(request: HttpRequest) -> HttpResponse:
    """Every release: what it holds, what changed, and its archive."""
    if head := head_response(request):
        return head
    all_releases = Release.objects.prefetch_related("collections")
    return render(request, "evidence/releases.html", {"releases": all_releases})


@require_safe
@accept_params(file=True)
def release_file(request: HttpRequest, number: int, slug: str) -> HttpResponse:
    """One collection of a release, as it was, piece by piece: all of it, or the range of bytes that
    is asked for (RFC 9110, section 14). Of a damaged archive nothing is sent.
    """
    released = get_object_or_404(
        ReleasedCollection.objects.select_related("release"), release__number=number, slug=slug
    )
    release = released.release
    if release.is_pruned:
        date = f"{release.pruned_at:%-d %B %Y}"
        return problems_as_text(
            [f"The archives of {release} were removed on {date}: {release.pruned_because}"], 410
        )
    tag = f'"{released.sha256}"'
    lasting = {"ETag": tag, "Cache-Control": "no-cache", "Accept-Ranges": "bytes"}
    if is_known_to_reader(request, tag):
        return HttpResponseNotModified(headers=lasting)
    try:
        check_archive(released)
    except DamagedArchive as error:
        return problems_as_text([str(error)], 503)
    headers = lasting | attachment_header(f"{file_stem(released)}-release-{number}.zip", released)
    span = asked_range(request, released.size, tag)
    if span is None:
        headers["Content-Length"] = str(released.size)
        return StreamingHttpResponse(
            released.pieces(), content_type="application/zip", headers=headers
        )
    if not span:
        refused = problems_as_text([f"The archive has {released.size} bytes."], 416)
        refused.headers["Content-Range"] = f"bytes */{released.size}"
        return refused
    first, last = span
    headers |= {
        "Content-Length": str(last - first + 1),
        "Content-Range": f"bytes {first}-{last}/{released.size}",
    }
    return StreamingHttpResponse(
        released.pieces(first, last), status=206, content_type="application/zip", headers=headers
    )


def is_known_to_reader(request: HttpRequest, tag: str) -> bool:
    """Whether a reader has the file already (RFC 9110, section 13.1.2). A front that compresses
    makes a tag a weak one.
    """
    known = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in known or tag in {each.removeprefix("W/") for each in known}


RANGE = re.compile(
    r"bytes=(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))", re.IGNORECASE | re.ASCII
)


def asked_range(request: HttpRequest, size: int, tag: str) -> tuple[int, int] | tuple[()] | None:
    """The first and the last byte that a request asks for; empty where there are none such, and
    None where all is to be sent: no range, several, one that cannot be read, or one of another file
    (If-Range).
    """
    match = RANGE.fullmatch(request.headers.get("Range", ""))
    if match is None or request.method != "GET" or request.headers.get("If-Range", tag) != tag:
        return None
    first, last, final = (text and int(text) for text in match.groups())
    if final is not None:
        return (max(size - final, 0), size - 1) if final else ()
    if last is not None and last < first:
        return None
    return (first, min(size - 1 if last is None else last, size - 1)) if first < size else ()


def get_release(number: int) -> Release:
    """Raises Http404 for a release that does not exist."""
    release = release_by_number(number)
    if release is None:
        raise Http404("There is no such release.")
    return release


@require_safe
@accept_params(*WORDS, "page")
def differences_page(request: HttpRequest, number: int) -> HttpResponse:
    """What differs between a release and an earlier one, value by value."""
    asked = asked_differences(get_release(number), request.GET)
    status = 400 if asked.problems else 409 if asked.refused else 200
    if head := head_response(request, status=status):
        return head
    found = asked.differences
    paginator = Paginator(found, PAGE)
    page = paginator.get_page(request.GET.get("page"))
    context = {
        "asked": asked,
        "total": len(found),
        "page": page,
        "records": records_of(page.object_list),
        "filters": [(name, asked.chosen[name], asked.choices(name)) for name in FILTERS],
        "earlier": Release.objects.filter(number__lt=number),
        "query": query_of(asked),
        "page_links": page_links(asked, page),
        "simulated": [each for each in asked.collections if each.is_simulated],
    }
    return render(request, "evidence/release-differences.html", context, status=status)


def records_of(differences: list[Difference]) -> Iterator[tuple[Difference, list[Difference]]]:
    """The differences of each record, under the first of them."""
    for _, of_record in groupby(differences, lambda each: (each.collection, each.table, each.key)):
        cells = list(of_record)
        yield cells[0], cells


def query_of(asked: AskedDifferences, **more: object) -> str:
    """The query string that asks for the same."""
    since = {"since": asked.since.number} if asked.since else {}
    words = since | {name: value for name, value in asked.chosen.items() if value} | more
    return urlencode(words)


def page_links(asked: AskedDifferences, page) -> list[tuple[str, str]]:
    """(label, address) of the pages around this one; an empty address is this page or a gap."""
    numbers = page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1)
    return [
        (
            str(number),
            ""
            if number == page.number or not isinstance(number, int)
            else f"?{query_of(asked, page=number)}",
        )
        for number in numbers
    ]


@require_safe
@accept_params(*WORDS, file=True)
def differences_file(request: HttpRequest, number: int) -> HttpResponse:
    """The same as a CSV file."""
    asked = asked_differences(get_release(number), request.GET)
    if asked.problems or asked.refused:
        return problems_as_text(asked.problems or [asked.refused], 400 if asked.problems else 409)
    since = f"-since-{asked.since.number}" if asked.since else ""
    name = f"casebook-changes-release-{number}{since}.csv"
    return StreamingHttpResponse(
        differences_csv(asked),
        content_type="text/csv; charset=utf-8",
        headers=attachment_header(name),
    )

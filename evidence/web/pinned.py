"""Addresses that name a release (`release=1`) are answered from that release's own records.

Whatever stands behind the address does the answering, unchanged, so the same question has the same
bytes whenever it is asked: when the release was the latest, and when five more have followed.
"""

import re

from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve

from .. import time_bound
from ..downloads.release_status import past_state_of, since_released
from ..models import Patient, Study
from ..models.consistency import past_state
from ..models.past_state import Busy, PastState
from ..problems import is_for_programs, problem_response
from ..questions.parsing import get_collection
from ..questions.request_checks import problems_as_text

# Addresses of one record, and the word in them that names it. Where it has been withdrawn since,
# that is what its address says.
OF_ONE_RECORD = {
    "patient": (Patient, "slug"),
    "phenopacket": (Patient, "slug"),
    "api_patient": (Patient, "patient"),
    "study": (Study, "slug"),
    "citation": (Study, "slug"),
    "api_study": (Study, "study"),
}
BUSY = "A release is being opened for others. Ask again in half a minute."


def pinned_middleware(get_response):
    """Lets a request that names a release read that release instead of today's data."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method not in ("GET", "HEAD") or "release" not in request.GET:
            return get_response(request)
        request.could_not_read = None  # by a database that was asked before, perhaps
        try:
            state = state_asked_for(request)
        except Busy:
            return busy_response(request)
        except (OperationalError, InterfaceError, time_bound.TookTooLong) as error:
            # the answer to it is given where every other is made, and is none of today's data
            state, request.could_not_read = None, error
        if state is None:
            return get_response(request)
        with state.answering():
            response = get_response(request)
        if response.streaming:
            response.streaming_content = state.pieces(response.streaming_content)
        return response

    return middleware


# An address of a collection, in a link. Whatever leads to today's data says so before it.
LINK = re.compile(r"<a\b[^>]*?\shref=[\"']?(/[^/\"'\s>#?]+/[^\"'\s>#]*)")
TODAY = 'rel="latest-version"'
WITHOUT_RELEASE = ("/suggest/", "release=", ".atom")


def link_middleware(get_response):
    """Lets links of a page of a release lead to the same release, so that a reader who follows them
    does not come back to today's data unawares. It stands innermost, before pages are compressed.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response, state = get_response(request), past_state()
        if (
            state is None
            or response.streaming
            or not response.headers.get("Content-Type", "").startswith("text/html")
        ):
            return response
        start = f"/{request.resolver_match.kwargs['collection']}/"

        def keep_release(match: re.Match) -> str:
            link, address = match[0], match[1]
            if (
                not address.startswith(start)
                or TODAY in link
                or any(word in address for word in WITHOUT_RELEASE)
            ):
                return link
            return f"{link}{'&amp;' if '?' in address else '?'}release={state.number}"

        response.content = LINK.sub(keep_release, response.content.decode())
        return response

    return middleware


def state_asked_for(request: HttpRequest) -> PastState | None:
    """The state of the release that the address names; None where today's data are to answer, or
    to say why there is no answer.
    """
    try:
        match = resolve(request.path_info)
        collection = get_collection(match.kwargs["collection"])
    except (Resolver404, Http404, KeyError):
        return None
    texts = set(filter(None, request.GET.getlist("release")))
    if len(texts) != 1 or is_withdrawn(match, collection):
        return None
    state = past_state_of(texts.pop(), collection)
    if state is not None:
        request.since_released = since_released(state, collection)
    return state


def is_withdrawn(match: ResolverMatch, collection) -> bool:
    """Whether the address is that of one record that has been withdrawn."""
    if match.url_name not in OF_ONE_RECORD:
        return False
    model, word = OF_ONE_RECORD[match.url_name]
    return model.objects.withdrawn_within(collection).filter(slug=match.kwargs[word]).exists()


def busy_response(request: HttpRequest) -> HttpResponse:
    again = {"Retry-After": "30"}
    if is_for_programs(request):
        return problem_response(503, BUSY, headers=again)
    response = problems_as_text([BUSY], 503)
    response.headers["Retry-After"] = again["Retry-After"]
    return response

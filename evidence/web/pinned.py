"""Addresses that name a release (`release=1`) are answered from that release's own records.

Whatever stands behind the address does the answering, unchanged, so the same question has the same
bytes whenever it is asked: when the release was the latest, and when five more have followed.
"""

from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve

from .. import time_bound
from ..downloads.release_status import past_state_of, since_released
from ..models import Patient, Study
from ..models.past_state import Busy, Damaged, PastState
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
        except Damaged as error:
            return damaged_response(request, error)
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
    return refusal(request, BUSY, 503, {"Retry-After": "30"})


def damaged_response(request: HttpRequest, error: Damaged) -> HttpResponse:
    number = error.release.number
    return refusal(
        request,
        f"Release {number} cannot be asked: {error}. They have to be restored from a backup. What "
        f"there is of that release is at /releases/#release-{number}; without “release” this "
        "address gives the data of today.",
        409,
    )


def refusal(
    request: HttpRequest, why: str, status: int, headers: dict[str, str] | None = None
) -> HttpResponse:
    """Why a release does not answer, to a program or a reader; nobody keeps it."""
    if is_for_programs(request):
        response = problem_response(status, why)
    else:
        response = problems_as_text([why], status)
    for name, value in ((headers or {}) | {"Cache-Control": "no-store"}).items():
        response.headers[name] = value
    return response

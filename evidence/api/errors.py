"""Every error of the API is a problem document."""

from collections.abc import Sequence

from django.http import Http404, HttpRequest, HttpResponse
from rest_framework.exceptions import APIException

from ..problems import ParameterError, problem_response


class Refused(Exception):
    """A request that is not answered: status, a sentence, and each fault by its parameter."""

    def __init__(self, status: int, detail: str, faults: Sequence[ParameterError] = ()):
        super().__init__(detail)
        self.status, self.detail, self.faults = status, detail, faults


def exception_handler(error: Exception, context: dict) -> HttpResponse | None:
    """REST framework's exception handler; it returns None for an unexpected exception, which Django
    then handles.
    """
    if isinstance(error, Refused):
        return problem_response(error.status, error.detail, error.faults)
    if isinstance(error, Http404):
        return problem_response(404, str(error) or "There is nothing at this address.")
    if isinstance(error, APIException):
        allow = context["view"].headers.get("Allow") if error.status_code == 405 else None
        return problem_response(
            error.status_code, str(error.detail), headers={"Allow": allow} if allow else None
        )
    return None


def nothing_here(request: HttpRequest) -> HttpResponse:
    """Any other address below the API's."""
    return problem_response(
        404, "There is nothing at this address. What there is: /api/schema/, for people /api/."
    )

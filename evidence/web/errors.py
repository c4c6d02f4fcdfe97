"""The response to an unexpected error."""

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from ..problems import is_for_programs, problem_response


def server_error(request: HttpRequest) -> HttpResponse:
    """A page, or for programs a problem document. The log has the reason; the answer does not."""
    if is_for_programs(request):
        return problem_response(500, "Something went wrong here, and it has been logged.")
    return defaults.server_error(request)

"""What a reader gets when something broke that nobody foresaw."""

from django.http import HttpRequest, HttpResponse
from django.views.defaults import server_error

from ..problems import for_programs, problem


def broken(request: HttpRequest) -> HttpResponse:
    """A page, or for programs a problem document. The log has the reason; the answer does not."""
    if for_programs(request):
        return problem(500, "Something went wrong here, and it has been logged.")
    return server_error(request)

"""What a reader gets when something broke that nobody foresaw."""

from django.http import HttpRequest, HttpResponse
from django.views.defaults import server_error

from ..problems import problem


def broken(request: HttpRequest) -> HttpResponse:
    """A page, or for programs a problem document. The log has the reason; the answer does not."""
    if request.path_info.startswith("/api/"):
        return problem(500, "Something went wrong here, and it has been logged.")
    return server_error(request)

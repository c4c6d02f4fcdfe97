"""Two small doors: addresses a database cannot read, and a database that is away."""

import logging

from django.db import InterfaceError, OperationalError
from django.http import HttpResponse, HttpResponseNotFound
from django.template.loader import render_to_string

logger = logging.getLogger(__name__)


def plain_address(get_response):
    """Answers an address with a NUL byte by 404: PostgreSQL cannot be asked for it, and nothing has such a name."""

    def middleware(request):
        if "\x00" in request.path_info:
            return HttpResponseNotFound(render_to_string("404.html"))
        return get_response(request)

    return middleware


def database_away(get_response):
    """Answers 503 with a plain page when the database cannot be reached, and logs why."""

    def middleware(request):
        return get_response(request)

    def process_exception(request, exception):
        if isinstance(exception, OperationalError | InterfaceError):
            logger.error("The database cannot be reached: %s", exception)
            return HttpResponse(render_to_string("503.html"), status=503, headers={"Retry-After": "30"})
        return None

    middleware.process_exception = process_exception
    return middleware

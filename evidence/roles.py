"""Which role of the database a request works as: public pages as one that can only read.

Where DATABASE_READER_URL names such a role (PostgreSQL alone has roles), every connection that a
public page asks for is its connection, whatever code asks and by whichever way. Nothing it does
wrong, and nothing somebody makes it do, can write. What the role may is in `models/privileges.py`.
"""

from threading import local

from django.conf import settings
from django.core.signals import request_finished
from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

here = local()  # on each thread: the usual connection, while the reader's stands in for it


def reading_role(get_response):
    """Lets everything but the curators' entrance work as the reader, until the answer is sent: a
    file is read while it is sent.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        put_back()  # after a request before on this thread that was never closed
        if settings.READER in connections.settings and is_public(request):
            stand_in()
        return get_response(request)

    return middleware


def is_public(request: HttpRequest) -> bool:
    return not request.path_info.startswith(reverse("admin:index"))


def stand_in() -> None:
    """From here on, this thread's connection is the reader's."""
    here.usual = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = connections[settings.READER]


def put_back(**_) -> None:
    """Receiver of `request_finished`: from here on, this thread's connection is the usual one."""
    usual = getattr(here, "usual", None)
    if usual is not None:
        here.usual = None
        connections[DEFAULT_DB_ALIAS] = usual


request_finished.connect(put_back, dispatch_uid="roles")

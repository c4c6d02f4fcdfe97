"""Casebook as a WSGI server calls it. Django's test client would take the body of an answer to HEAD
away itself, and never says which path Casebook is called under.
"""

from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections
from django.test import RequestFactory


def environ(method: str, address: str, headers: dict[str, str] | None = None, **more) -> dict:
    """What a server hands over for a request; the query string stands as it is written."""
    path, _, query = address.partition("?")
    found = RequestFactory().generic(method, path, headers=headers).environ
    return found | {"QUERY_STRING": query} | more


def sent(asked: dict) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body that the server gets to send. The test's own connection stays
    open.
    """
    begun = []
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        response = WSGIHandler()(asked, lambda *start: begun.append(start))
        body = b"".join(response)
        response.close()
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)
    status, headers = begun[0][:2]
    return int(status[:3]), dict(headers), body


def break_off(response) -> None:
    """Closes an answer as for a reader who goes before its end, but for the database connections:
    the test around it goes on with those.
    """
    opened = connections.all(initialized_only=True)
    for connection in opened:
        connection.close_if_unusable_or_obsolete = lambda: None
    try:
        response.close()
    finally:
        for connection in opened:
            del connection.close_if_unusable_or_obsolete

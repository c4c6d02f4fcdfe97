"""What the log says: what happened, when, in which request. Never who, and never what was asked.

A line names a route as the route table spells it, not the address that was asked, since addresses
hold what somebody looked for; nor a host, a header, or the message of an exception, which may quote
any of them. What curators did, with their names, is on `/admin/audit/`.
"""

import json
import logging
import re
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from http import HTTPStatus

from django.urls import Resolver404, resolve
from gunicorn.glogging import Logger

# The id of the request that is being answered; empty outside of one.
request_id: ContextVar[str] = ContextVar("request_id", default="")
NO_ROUTE = "(no such address)"
STATIC = "(static file)"
QUOTING = ("django.request", "django.security", "gunicorn.error")  # loggers that name addresses
UNREADABLE = "Invalid request from ip="  # how gunicorn begins to say that it cannot read a request
FAILED = "Error handling request"
NOT_SAID = "what it says is not logged, since it may quote what somebody typed"


def route_of(request) -> str:
    """The route an address belongs to, as the route table spells it."""
    from django.conf import settings

    match = getattr(request, "resolver_match", None)
    if match is None:
        if request.path_info.startswith(f"/{settings.STATIC_URL.strip('/')}/"):
            return STATIC
        try:
            match = resolve(request.path_info)
        except Resolver404:
            return NO_ROUTE
    return f"/{match.route}"


class NamesRoutes(logging.Filter):
    """Rewrites what Django and gunicorn say of a request, so that it names its route alone."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(QUOTING):
            return True
        request = getattr(record, "request", None)
        if record.name == "gunicorn.error":
            for beginning, said in (
                (UNREADABLE, "A request that cannot be read was refused."),
                (FAILED, "A request failed."),
            ):
                if str(record.msg).startswith(beginning):
                    record.msg, record.args = said, ()
        elif request is None or isinstance(request, str):
            record.msg, record.args = "%s", (record.name.rpartition(".")[2],)
        else:
            record.msg, record.args = "%s at %s", (status_words(record), route_of(request))
            if record.name != "django.request" or getattr(record, "status_code", 500) < 500:
                record.exc_info = None  # where something suspicious was noticed is known
        return True


def status_words(record: logging.LogRecord) -> str:
    """The status a record of Django's tells of, in words: “404 Not Found”; where there is none, the
    name of what was suspicious about a request.
    """
    status = getattr(record, "status_code", None)
    kind = record.name.rpartition(".")[2]
    if status is None:
        return kind
    words = f"{status} {HTTPStatus(status).phrase}"
    return words if kind == "request" else f"{words} ({kind})"


class PlainLines(logging.Formatter):
    """One line for each event, for people; below it where an error came from."""

    def __init__(self):
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s%(of_request)s")

    def format(self, record: logging.LogRecord) -> str:
        now = request_id.get()
        record.of_request = f" [{now}]" if now else ""
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:
        return re.sub(r"\s*[\r\n]\s*", " ", super().formatMessage(record))

    def formatException(self, exc_info) -> str:
        return error_text(exc_info)


class JsonLines(logging.Formatter):
    """One JSON object for each event: time (UTC), level, logger, message, the request's id, and
    what else belongs to it (`fields`, given as `extra`).
    """

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if now := request_id.get():
            line["request_id"] = now
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[0]:
            line["error"] = error_text(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def error_text(exc_info) -> str:
    """Where an error came from: the lines of code, and the kind of the error and of those it came
    of, without what they say.
    """
    parts, error, seen = [], exc_info[1], set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        kind = type(error)
        trace = "".join(traceback.format_tb(error.__traceback__))
        parts.append(f"{trace}{kind.__module__}.{kind.__qualname__} ({NOT_SAID})")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\nwhich came of\n".join(parts)


class ServerLogger(Logger):
    """gunicorn's own log, in our format and with nothing about persons."""

    def setup(self, cfg):
        from evidence.settings import LOG_FORMAT

        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(FORMATS[LOG_FORMAT]())
            handler.addFilter(NamesRoutes())


FORMATS = {"plain": PlainLines, "json": JsonLines}

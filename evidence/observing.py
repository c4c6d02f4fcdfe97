"""What an operator sees of the server: a line for each request, slow questions, metrics.

Whatever is on costs each request some microseconds. Nothing here knows who asked, or what.
"""

import logging
import re
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter

from axes.signals import user_locked_out
from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.core.signals import request_finished
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponse

from .logs import STATIC, request_id, route_of

requests_log = logging.getLogger("evidence.requests")
slow_log = logging.getLogger("evidence.slow")
HEADER = "X-Request-ID"
# An id that somebody else made is taken where it can be nothing but an id: no address, no sentence.
CLEAN_ID = re.compile(r"[0-9A-Za-z_-]{8,64}", re.ASCII)
METHODS = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"}
METRICS_PATH = "/metrics"


@dataclass
class Observation:
    """One request from its first to its last byte. Times are in seconds."""

    method: str
    request: HttpRequest | None = None  # once there is an answer
    status: int = 0
    source: str = "made"  # or `cache`, `browser`: see middleware.cached_response
    statements: int = 0
    in_database: float = 0.0
    longest_statement: float = 0.0
    until_ready: float = 0.0
    started: float = field(default_factory=perf_counter)

    @cached_property
    def route(self) -> str:
        """Found only where somebody is told of it: a kept answer takes little longer itself."""
        return route_of(self.request)


observed_now: ContextVar[Observation | None] = ContextVar("observed_now", default=None)


def clean_id(given: str) -> str:
    """The id of a request: the one it brings where that is clean, otherwise a new one."""
    return given if CLEAN_ID.fullmatch(given) else uuid.uuid4().hex


def observed(get_response):
    """Gives each request an id, which its answer and all lines of the log about it carry, and notes
    how long it took.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        finish()  # a request before on this thread that was never closed
        now = clean_id(request.headers.get(HEADER, ""))
        request_id.set(now)
        method = request.method if request.method in METHODS else "other"
        seen = Observation(method)
        observed_now.set(seen)
        metrics.begun()
        response = get_response(request)
        seen.until_ready = perf_counter() - seen.started
        seen.request, seen.status = request, response.status_code
        seen.source = getattr(response, "source", seen.source)
        response.headers[HEADER] = now
        return response

    return middleware


def finish(**_) -> None:
    """Logs and counts the request that is being answered on this thread, once it has been sent:
    receiver of `request_finished`.
    """
    seen = observed_now.get()
    if seen is None:
        return
    observed_now.set(None)
    seconds = perf_counter() - seen.started
    metrics.ended(seen, seconds)
    report(seen, seconds)
    request_id.set("")


def report(seen: Observation, seconds: float) -> None:
    """The lines of the log about a request."""
    if seen.request is None:
        return
    slow = settings.SLOW_SECONDS and seconds >= settings.SLOW_SECONDS
    if not (slow or settings.LOG_REQUESTS):
        return
    fields = {
        "method": seen.method,
        "route": seen.route,
        "status": seen.status,
        "duration_ms": milliseconds(seconds),
        "ready_ms": milliseconds(seen.until_ready),
        "database_ms": milliseconds(seen.in_database),
        "longest_statement_ms": milliseconds(seen.longest_statement),
        "statements": seen.statements,
        "source": seen.source,
    }
    told = (seen.method, seen.route, seen.status, seconds * 1000)
    if settings.LOG_REQUESTS:
        requests_log.info("%s %s %s %.0f ms", *told, extra={"fields": fields})
    if slow:
        slow_log.warning(
            "Slow: %s %s %s %.0f ms, of which %.0f ms in %s statements of the database",
            *told,
            seen.in_database * 1000,
            seen.statements,
            extra={"fields": fields},
        )


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)


def time_statement(execute, sql, params, many, context):
    """Wraps every statement of every connection: how many a request took, and how long."""
    seen = observed_now.get()
    if seen is None:
        return execute(sql, params, many, context)
    started = perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        seconds = perf_counter() - started
        seen.statements += 1
        seen.in_database += seconds
        seen.longest_statement = max(seen.longest_statement, seconds)


def time_statements(sender, connection, **_) -> None:
    """Receiver of `connection_created`."""
    if time_statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(time_statement)


class NoMetrics:
    """Where metrics are switched off."""

    def begun(self) -> None: ...
    def ended(self, seen: Observation, seconds: float) -> None: ...
    def login_failed(self) -> None: ...
    def locked_out(self) -> None: ...


class Metrics(NoMetrics):
    """Counters for Prometheus. Where several processes serve, each writes its own into the folder
    PROMETHEUS_MULTIPROC_DIR, and whoever answers adds them up.
    """

    BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

    def __init__(self):
        from prometheus_client import Counter, Gauge, Histogram

        self.requests = Counter(
            "casebook_requests", "Requests answered.", ["method", "route", "status"]
        )
        self.seconds = Histogram(
            "casebook_request_duration_seconds",
            "From the first byte to the last.",
            ["route"],
            buckets=self.BUCKETS,
        )
        self.in_progress = Gauge(
            "casebook_requests_in_progress",
            "Requests being answered.",
            multiprocess_mode="livesum",
        )
        self.answers = Counter(
            "casebook_answers",
            "Where answers came from: made anew, kept by the cache, kept by the browser (304).",
            ["source"],
        )
        self.statements = Counter("casebook_database_statements", "Statements of the database.")
        self.in_database = Counter(
            "casebook_database_seconds", "Seconds spent in statements of the database."
        )
        self.failed_logins = Counter("casebook_failed_logins", "Wrong passwords.")
        self.lockouts = Counter(
            "casebook_lockouts", "Logins refused after too many wrong passwords."
        )

    def begun(self) -> None:
        self.in_progress.inc()

    def ended(self, seen: Observation, seconds: float) -> None:
        self.in_progress.dec()
        if seen.request is None:
            return
        # Hundreds of addresses of the admin are one: they would be most of what is stored.
        route = "/admin/" if seen.route.startswith("/admin/") else seen.route
        self.requests.labels(seen.method, route, seen.status).inc()
        self.seconds.labels(route).observe(seconds)
        if route != STATIC:
            self.answers.labels(seen.source).inc()
        self.statements.inc(seen.statements)
        self.in_database.inc(seen.in_database)

    def login_failed(self) -> None:
        self.failed_logins.inc()

    def locked_out(self) -> None:
        self.lockouts.inc()


metrics = Metrics() if settings.METRICS else NoMetrics()


def metrics_page(get_response):
    """Answers `/metrics` where metrics are switched on, to the addresses that may read them; to
    everybody else nothing is there.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if not (settings.METRICS and request.path_info == METRICS_PATH) or not may_read(request):
            return get_response(request)
        if request.method not in ("GET", "HEAD"):
            return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
        from prometheus_client import CONTENT_TYPE_LATEST

        return HttpResponse(metrics_text(), content_type=CONTENT_TYPE_LATEST)

    return middleware


def may_read(request: HttpRequest) -> bool:
    """Whether a request comes from an address that may read metrics."""
    from .api.throttling import client_address, is_among

    return is_among(client_address(request), settings.METRICS_FROM)


def metrics_text() -> bytes:
    """All metrics of all processes, in the text format of Prometheus."""
    import os

    from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return generate_latest(REGISTRY)
    everybody = CollectorRegistry()
    MultiProcessCollector(everybody)
    return generate_latest(everybody)


def count_failed_login(**_) -> None:
    metrics.login_failed()


def count_lockout(**_) -> None:
    metrics.locked_out()


request_finished.connect(finish, dispatch_uid="observing")
connection_created.connect(time_statements, dispatch_uid="observing")
user_login_failed.connect(count_failed_login, dispatch_uid="observing")
user_locked_out.connect(count_lockout, dispatch_uid="observing")

"""Is the process alive, and can it answer?"""

from django.core.cache import cache
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ..models import DataVersion
from ..models.reading import PRIMARY, has_replica, is_watched, watch


@never_cache
@require_safe
def liveness(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readiness(request: HttpRequest) -> HttpResponse:
    """The database answers, and evidence is loaded; otherwise 503, saying what is away. Without the
    cache everything is answered, if more slowly: 200, and it says so.
    """
    away, degraded = [], []
    answering = watch.order() if is_watched() else [PRIMARY]
    if has_replica():
        degraded += [f"the {called} is left out" for called in watch.left_out]
    try:
        if is_watched() and not has_replica() and not watch.primary_answers:
            raise DatabaseError("It does not answer in time.")
        with watch.answering(answering[0]):
            if not DataVersion.current().number:
                away.append("no evidence is loaded")
    except DatabaseError:
        away.append("the database is away or not migrated")
    if is_cache_away():
        degraded.append("the cache is away")
    text = "; ".join(away + degraded) or "ready"
    if degraded and not away:
        text = f"degraded: {text}"
    return HttpResponse(f"{text}\n", status=503 if away else 200, content_type="text/plain")


def is_cache_away() -> bool:
    """Whether answers are kept in the process alone, or not at all."""
    try:
        cache.set("ready", 1, 5)
    # each cache backend has errors of its own, and any of them means the same here
    except Exception:
        return True
    return getattr(cache, "is_away", False)

"""What went wrong, for programs: problem details as RFC 9457 has them."""

from collections.abc import Iterable
from http import HTTPStatus

from django.http import HttpRequest, JsonResponse

CONTENT_TYPE = "application/problem+json"
ParameterError = tuple[str, str]  # the parameter that is wrong (or nothing), and what is wrong with it


def is_for_programs(request: HttpRequest) -> bool:
    """Whether a request is to the API, whose errors are problem documents."""
    return request.path_info.startswith("/api/")


def problem_response(
    status: int, detail: str, faults: Iterable[ParameterError] = (), headers: dict | None = None
) -> JsonResponse:
    """The answer to a request that cannot be answered. `detail` is a sentence for people."""
    found = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    errors = [({"parameter": name} if name else {}) | {"detail": text} for name, text in faults]
    if errors:
        found["errors"] = errors
    shown = {"ensure_ascii": False}
    return JsonResponse(found, status=status, content_type=CONTENT_TYPE, headers=headers, json_dumps_params=shown)

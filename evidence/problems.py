"""What went wrong, for programs: problem details as RFC 9457 has them."""

from collections.abc import Iterable
from http import HTTPStatus

from django.http import HttpRequest, JsonResponse

CONTENT_TYPE = "application/problem+json"
# the parameter that is wrong (or nothing), and what is wrong with it
ParameterError = tuple[str, str]


def is_for_programs(request: HttpRequest) -> bool:
    """Whether a request is to the API, whose errors are problem documents."""
    return request.path_info.startswith("/api/")


def problem_response(
    status: int, detail: str, errors: Iterable[ParameterError] = (), headers: dict | None = None
) -> JsonResponse:
    """The answer to a request that cannot be answered. `detail` is a sentence for people."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    described = [({"parameter": name} if name else {}) | {"detail": text} for name, text in errors]
    if described:
        content["errors"] = described
    json_options = {"ensure_ascii": False}
    return JsonResponse(
        content,
        status=status,
        content_type=CONTENT_TYPE,
        headers=headers,
        json_dumps_params=json_options,
    )

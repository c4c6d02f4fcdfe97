"""Checks made before a page is built: unknown parameters are refused, and a HEAD request
is answered without a body.
"""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from .form_fields import truncate_text

HTML = "text/html; charset=utf-8"


def problems_as_text(problems: list[str], status: int = 400) -> HttpResponse:
    """What is wrong with the address of a file, in sentences."""
    return HttpResponse(
        "\n".join(problems) + "\n", status=status, content_type="text/plain; charset=utf-8"
    )


def problems_page(request: HttpRequest, problems: list[str]) -> HttpResponse:
    """What is wrong with the address of a page that has no question of its own."""
    return render(request, "evidence/wrong.html", {"problems": problems}, status=400)


def accept_params(*names: str, file: bool = False) -> Callable:
    """Decorates the view of an address that takes no words but these: others are refused (400)
    before any work.
    """

    def decorate(view: Callable) -> Callable:
        @wraps(view)
        def checked_view(request: HttpRequest, *args, **kwargs) -> HttpResponse:
            unknown_names = [name for name in request.GET if name not in names]
            if not unknown_names:
                return view(request, *args, **kwargs)
            accepted = f"it takes {' and '.join(names)} alone" if names else "it takes none"
            problems = [
                f"“{truncate_text(name)}” is no word of this address; {accepted}."
                for name in unknown_names
            ]
            return problems_as_text(problems) if file else problems_page(request, problems)

        return checked_view

    return decorate


def head_response(
    request: HttpRequest, content_type: str = HTML, headers: dict | None = None, status: int = 200
) -> HttpResponse | None:
    """The answer to HEAD, for a view to give once it knows its status; None where a body is asked
    for.
    """
    if request.method != "HEAD":
        return None
    return HttpResponse(content_type=content_type, headers=headers, status=status)

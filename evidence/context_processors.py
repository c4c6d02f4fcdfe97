"""What every template can rely on."""

from django.http import HttpRequest


def default_context(request: HttpRequest) -> dict:
    """Pages that belong to no collection say so, instead of leaving the frame to guess; so does a
    page that shows a draft as if it were published.
    """
    return {"collection": None, "preview_of": getattr(request, "preview_of", None)}

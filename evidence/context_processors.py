"""What every template can rely on."""

from django.http import HttpRequest


def default_context(request: HttpRequest) -> dict:
    """Pages that belong to no collection say so, instead of leaving the frame to guess."""
    return {"collection": None}

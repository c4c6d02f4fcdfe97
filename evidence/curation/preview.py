"""A study as readers would see it, without publishing it: published in a transaction that is rolled
back.
"""

from collections.abc import Callable

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from ..models import DataVersion, StudyDraft
from .drafts import Author, publish


def previewed(
    draft: StudyDraft, request: HttpRequest, view: Callable[[HttpRequest], HttpResponse]
) -> HttpResponse:
    """What `view` answers as if the draft had been published.

    `request` is that of a reader. Raises what `publish` raises; nothing is ever changed.
    """
    with transaction.atomic():
        publish(draft, based_on=draft.head.number, author=Author(), is_preview=True)
        DataVersion.bump()  # so that nothing kept is taken for what is being previewed
        response = view(request)
        transaction.set_rollback(True)
    draft.refresh_from_db()
    return response

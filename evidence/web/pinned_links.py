"""Lets whatever an answer of a release leads to be of the same release.

A reader, a program or a crawler that follows a link does not come back to today's data unawares:
not by a link of a page, a mark of a chart, linked data, a header, or an address in JSON.
"""

import re

from django.http import HttpRequest, HttpResponse

from ..models.consistency import past_state

# Whatever leads to today's data says so before it.
TODAY = 'rel="latest-version"'
WITHOUT_RELEASE = ("/suggest/", "release=", ".atom")
LINK = re.compile(r"<a\b[^>]*?\shref=[\"']?(?P<address>/[^\"'\s>#]*)")
DATA = re.compile(r'<script\b[^>]*type="application/(?:ld\+)?json"[^>]*>(?P<json>[^<]*)</script>')
IN_JSON = re.compile(r'(?<=")(?:https?://[^/"\\]+)?(?P<address>/[^"#\s]*)(?=["#])')
IN_HEADER = re.compile(r"(?<=<)(?:https?://[^/>]+)?(?P<address>/[^>#]*)(?=[>#])")


def link_middleware(get_response):
    """Adds the release to each address of its collection in an answer of the release. It stands
    innermost, before answers are compressed.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response, state = get_response(request), past_state()
        if state is None:
            return response
        collection = request.resolver_match.kwargs["collection"]

        def within(pattern: re.Pattern, separator: str, text: str) -> str:
            return pattern.sub(lambda link: link_kept(link, collection, state, separator), text)

        if "Link" in response.headers:
            response.headers["Link"] = within(IN_HEADER, "&", response.headers["Link"])
        if response.streaming:
            return response
        kind = response.headers.get("Content-Type", "")
        if kind.startswith("text/html"):
            page = within(LINK, "&amp;", response.content.decode())
            response.content = DATA.sub(
                # json_script writes & as \u0026
                lambda script: script[0].replace(
                    script["json"], within(IN_JSON, r"\u0026", script["json"])
                ),
                page,
            )
        elif "json" in kind:
            response.content = within(IN_JSON, "&", response.content.decode())
        return response

    return middleware


def link_kept(link: re.Match, collection: str, state, separator: str) -> str:
    """The same link, within the release where it leads to an address of the collection."""
    address = link["address"]
    inside = (f"/{collection}/", f"/api/v1/{collection}/")
    if (
        not address.startswith(inside)
        or TODAY in link[0]
        or any(word in address for word in WITHOUT_RELEASE)
    ):
        return link[0]
    return f"{link[0]}{separator if '?' in address else '?'}release={state.number}"

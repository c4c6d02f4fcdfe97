"""Rate limits of the API: high enough for any study, low enough that no client slows down the
others.
"""

import logging
import time
from collections.abc import Callable
from functools import wraps
from ipaddress import ip_address, ip_network
from math import ceil

from django.conf import settings
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle

from ..problems import problem_response

logger = logging.getLogger(__name__)
WINDOW = 60  # seconds


class ByAddress(SimpleRateThrottle):
    """REST framework's counting in a sliding window of a minute, by the asker's network address."""

    def get_ident(self, request) -> str:
        return counted_address(request)

    def get_rate(self) -> str:
        return f"{settings.API_PER_MINUTE}/min"

    def get_cache_key(self, request, view) -> str:
        return f"api-rate:{self.get_ident(request)}"

    def timer(self) -> float:
        """Now. REST framework asks just after it has read the history: what is of a later time is
        left out of it, so that a clock that was set back keeps nobody out until it is there again.
        """
        now = time.time()
        self.history = [at for at in self.history if at <= now]
        return now

    @property
    def requests_left(self) -> int:
        return max(0, self.num_requests - len(self.history))

    @property
    def seconds_to_wait(self) -> int:
        """Until the oldest request counted leaves the window."""
        return (
            ceil(self.duration - (self.now - self.history[-1])) if self.history else self.duration
        )


class SuggestionsByAddress(ByAddress):
    """The same of corrections that readers suggest, in an hour."""

    def get_rate(self) -> str:
        return f"{settings.SUGGESTIONS_PER_HOUR}/hour"

    def get_cache_key(self, request, view) -> str:
        return f"suggestion-rate:{self.get_ident(request)}"


def limit_suggestions(view: Callable) -> Callable:
    """Decorates a view of readers' suggestions: tells it by `request.seconds_to_wait` that one more
    is too many. While the cache is unavailable, nobody has to wait.
    """

    @wraps(view)
    def limited_view(request, *args, **kwargs):
        request.seconds_to_wait = 0
        if request.method == "POST" and settings.SUGGESTIONS_PER_HOUR:
            throttle = SuggestionsByAddress()
            try:
                if not throttle.allow_request(request, None):
                    request.seconds_to_wait = throttle.seconds_to_wait
            except Exception as error:  # each cache backend has errors of its own
                logger.warning("The cache cannot be reached: %s", error)
        return view(request, *args, **kwargs)

    return limited_view


def client_address(request) -> str:
    """The network address of the client: as reported by a proxy, if that is one of ours; otherwise
    that of the connection. Empty where there is none, as on a socket of this machine.
    """
    peer = request.META.get("REMOTE_ADDR", "")
    return BaseThrottle().get_ident(request) if is_proxy(peer) else peer


def counted_address(request) -> str:
    """Whom limits count by: the client's address; of IPv6 the network (/64), since whoever has one
    address of it has them all. Empty where there is none.
    """
    written = client_address(request)
    try:
        address = ip_address(written)
    except ValueError:
        return written
    address = getattr(address, "ipv4_mapped", None) or address
    return str(address if address.version == 4 else ip_network((address, 64), strict=False))


def is_proxy(peer: str) -> bool:
    """Whether this is the address of one of the named proxies."""
    return is_among(peer, settings.PROXIES)


def is_among(peer: str, networks: list[str]) -> bool:
    """Whether an address is of one of these networks. What is no address is of none."""
    try:
        address = ip_address(peer)
    except ValueError:  # a socket of this machine has none
        return False
    return any(address in ip_network(network) for network in networks)


def rate_limited(get_response):
    """Counts requests to the API, those answered from the cache included, and reports in headers
    how many are left.

    The headers are those of the IETF's draft (RateLimit, RateLimit-Policy). While the cache is
    unavailable, no request is refused.
    """

    def middleware(request):
        if (
            not settings.API_PER_MINUTE
            or not request.path_info.startswith("/api/v1/")
            or request.method == "OPTIONS"
        ):
            return get_response(request)
        throttle = ByAddress()
        try:
            allowed = throttle.allow_request(request, None)
        except Exception as error:  # each cache backend has errors of its own
            logger.warning("The cache cannot be reached: %s", error)
            return get_response(request)
        if allowed:
            response = get_response(request)
        else:
            wait = throttle.seconds_to_wait
            detail = (
                f"More than {settings.API_PER_MINUTE} requests in a minute. Ask again in {wait} "
                "s. Whole lists "
            )
            detail += "come faster as files, such as patients.csv."
            response = problem_response(429, detail, headers={"Retry-After": str(wait)})
        response.headers["RateLimit-Policy"] = f'"address";q={throttle.num_requests};w={WINDOW}'
        response.headers["RateLimit"] = (
            f'"address";r={throttle.requests_left};t={throttle.seconds_to_wait}'
        )
        return response

    return middleware

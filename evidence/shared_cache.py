"""Redis as Django's cache, for several processes and machines; one that is away or hangs costs
readers next to nothing.

A call takes a fifth of a second at most. After two that failed Redis is left alone for some
seconds, and each process keeps what it would have kept there to itself; then one call tries again.
"""

import logging
import time
from threading import Lock

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, TimeoutError
from redis.retry import Retry

logger = logging.getLogger(__name__)
TIMEOUT = 0.2  # seconds, to connect and for each answer
FAILURES = 2  # one after the other, and Redis is away
PAUSE = 5  # seconds between the calls that try again
AWAY = (ConnectionError, TimeoutError)
# A connection that Redis has closed, by being restarted, is made anew once. What hangs is not
# waited for twice; redis-py would try for half a minute.
RETRY = Retry(NoBackoff(), 1, supported_errors=(ConnectionError,))


class Breaker:
    """Whether Redis is to be asked, by how the last calls of all threads went."""

    def __init__(self):
        self.lock, self.failures, self.until = Lock(), 0, 0.0

    @property
    def is_open(self) -> bool:
        """Whether Redis is taken to be away."""
        return self.failures >= FAILURES

    def lets_through(self) -> bool:
        """Whether this call may ask Redis. Of those that come while it is away, one may after each
        pause.
        """
        with self.lock:
            if not self.is_open:
                return True
            now = time.monotonic()
            if now < self.until:
                return False
            self.until = now + PAUSE
            return True

    def succeeded(self) -> None:
        if self.failures:
            with self.lock:
                was_open, self.failures = self.is_open, 0
            if was_open:
                logger.warning("The shared cache is back.")

    def failed(self, error: Exception) -> None:
        with self.lock:
            was_open = self.is_open
            self.failures += 1
            self.until = time.monotonic() + PAUSE
            opened = self.is_open and not was_open
        if opened:
            logger.warning("The shared cache is away, each process keeps its own: %s", error)


breakers: dict[str, Breaker] = {}  # by where Redis is; Django has a cache object for each thread


def guarded(name: str):
    """The method of this name: of Redis, or of the process's own cache while Redis is away."""
    ask_redis, ask_own = getattr(RedisCache, name), getattr(LocMemCache, name)

    def method(self, *args, **kwargs):
        if self.breaker.lets_through():
            try:
                found = ask_redis(self, *args, **kwargs)
            except AWAY as error:
                self.breaker.failed(error)
            except Exception:  # it is there, and refuses
                self.breaker.succeeded()
                raise
            else:
                self.breaker.succeeded()
                return found
        return ask_own(self.meanwhile, *args, **kwargs)

    method.__name__ = name
    return method


class SharedCache(RedisCache):
    """Django's Redis cache with short timeouts, and the process's own cache in its place."""

    def __init__(self, server, params):
        super().__init__(server, params)
        self._options = {
            "socket_connect_timeout": TIMEOUT,
            "socket_timeout": TIMEOUT,
            "retry": RETRY,
        } | self._options
        where = ",".join(self._servers)
        self.breaker = breakers.setdefault(where, Breaker())
        self.meanwhile = LocMemCache(where, {"MAX_ENTRIES": 1000})

    @property
    def is_away(self) -> bool:
        """Whether the process keeps to itself what it would have kept in Redis."""
        return self.breaker.is_open

    add = guarded("add")
    get = guarded("get")
    set = guarded("set")
    touch = guarded("touch")
    delete = guarded("delete")
    get_many = guarded("get_many")
    has_key = guarded("has_key")
    incr = guarded("incr")
    set_many = guarded("set_many")
    delete_many = guarded("delete_many")
    clear = guarded("clear")

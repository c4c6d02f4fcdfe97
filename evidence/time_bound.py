"""Until when the work on this thread may go on.

A thread cannot be ended from outside without leaving locks and half-made things behind, so what
computes looks by itself: before each statement and each count, and while SQLite computes one.
PostgreSQL ends a statement itself, given the time that is left. Commands have no bound.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock, local

here = local()


class TookTooLong(Exception):
    """The time that a request may take has passed."""


def until() -> float | None:
    """When the time of this thread ends, by `time.monotonic()`; None where it does not."""
    return getattr(here, "until", None)


@contextmanager
def ending(moment: float | None) -> Iterator[None]:
    """Within the block, work on this thread ends at this moment, by `time.monotonic()`, whatever
    held before; None: never. Never is for what is made once for everybody: ended in the middle it
    would be begun again by whoever asks next.
    """
    before, here.until = until(), moment
    try:
        yield
    finally:
        here.until = before


def seconds_left() -> float | None:
    """What is left of it, below zero once it has passed; None where there is no bound."""
    end = until()
    return None if end is None else end - time.monotonic()


def is_over() -> bool:
    left = seconds_left()
    return left is not None and left <= 0


def check() -> None:
    """Raises TookTooLong once the time has passed. What computes calls it as it goes."""
    if is_over():
        raise TookTooLong


@contextmanager
def held(lock: Lock) -> Iterator[None]:
    """The lock, waited for no longer than there is time. Raises TookTooLong."""
    left = seconds_left()
    if not lock.acquire(timeout=-1 if left is None else max(0, left)):
        raise TookTooLong
    try:
        yield
    finally:
        lock.release()


def bounded(pieces: Iterable[bytes], seconds: float) -> Iterator[bytes]:
    """The pieces of a file, all of which may take so many seconds to make; how long they take to be
    sent does not count. Raises TookTooLong, so that what was sent does not look complete.
    """
    iterator, left = iter(pieces), seconds
    try:
        while True:
            began = time.monotonic()
            with ending(began + left):
                try:
                    piece = next(iterator, None)
                except Exception:
                    check()  # a statement that was ended tells of it in the database's words
                    raise
                check()
            left -= time.monotonic() - began
            if piece is None:
                return
            yield piece
    finally:
        if hasattr(iterator, "close"):
            iterator.close()

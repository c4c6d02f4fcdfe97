"""What one asker, or a few at once, may cost everybody else. No answer is computed for ever.

Answers that take long on a large collection (workbooks, bundles, phenopackets, forest plots, “none
of”) are made a few at a time in all processes of this machine; who comes then is told to come again
rather than made to wait in a thread. A file is made once for each version of the data and kept. One
network address may use so many seconds of computing in a minute.
"""

import fcntl
import json
import logging
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django.db import InterfaceError, OperationalError
from django.db.backends.signals import connection_created
from django.http import FileResponse, HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

from . import time_bound
from .api.throttling import counted_address
from .counting import known_patients, largest_known
from .middleware import (
    etag_of,
    is_disconnected,
    later_response,
    request_identity,
    unavailable_response,
)
from .models.consistency import current_version

logger = logging.getLogger(__name__)
# By the name of the route. Of lists as files, workbooks alone: the others are sent row by row.
EXPENSIVE = {"bundle", "bundle_sqlite", "bundle_parquet", "phenopackets"}
EXPENSIVE |= {"forest", "forest_file", "forest_file_metadata", "api_forest"}
WORTH_COUNTING = 0.05  # seconds of computing; less is not written down
WINDOW = 60  # seconds


def bounded_time_middleware(get_response):
    """Ends what takes longer than a page may (PAGE_SECONDS), with a 503; a file is ended after
    FILE_SECONDS of making it. Curators are left alone: of them there are few, and what they save
    is whole or not at all.
    """

    def middleware(request):
        if not settings.PAGE_SECONDS or request.path_info.startswith("/admin/"):
            return get_response(request)
        with time_bound.ending(time.monotonic() + settings.PAGE_SECONDS):
            response = get_response(request)
        if response.streaming and not isinstance(response, FileResponse):
            response.streaming_content = time_bound.bounded(
                response.streaming_content, settings.FILE_SECONDS
            )
        return response

    return middleware


def look_at_the_time(execute, sql, params, many, context):
    """Wraps every statement of every connection: none is begun once the time is over."""
    time_bound.check()
    return execute(sql, params, many, context)


def look_at_each_statement(sender, connection, **_) -> None:
    """Receiver of `connection_created`."""
    if look_at_the_time not in connection.execute_wrappers:
        connection.execute_wrappers.append(look_at_the_time)


connection_created.connect(look_at_each_statement, dispatch_uid="work_limits")


class NoRoom(Exception):
    """A file cannot be kept, for want of space or of the permission to write."""


def is_expensive(request: HttpRequest) -> bool:
    """Whether an answer may take seconds: by its address, and by the size of its collection."""
    if largest_known() < settings.EXPENSIVE_PATIENTS:
        return False
    try:
        match = resolve(request.path_info)
    except Resolver404:
        return False
    patients = known_patients(match.kwargs.get("collection", ""))
    return patients >= settings.EXPENSIVE_PATIENTS and (
        match.url_name in EXPENSIVE
        or match.kwargs.get("how") == "xlsx"
        or any("none" in request.GET.getlist(name) for name in request.GET if "match" in name)
    )


@contextmanager
def slot() -> Iterator[bool]:
    """Whether there was a free slot; it is taken while this lasts. A process that dies gives its
    own back, since the system then lets go of the lock.
    """
    with ExitStack() as held:
        yield any(take_slot(number, held) for number in range(settings.EXPENSIVE_SLOTS))


def take_slot(number: int, held: ExitStack) -> bool:
    """Whether this slot was free. Where no file can be written there is no limit."""
    try:
        settings.WORK_FOLDER.mkdir(parents=True, exist_ok=True)
        file = held.enter_context((settings.WORK_FOLDER / f"slot-{number}").open("w"))
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        logger.error("Slots cannot be kept: %s", error)
    return True


def expensive_work_middleware(get_response):
    """Makes what takes long in one of a few slots, and files once for each version of the data."""

    def middleware(request):
        if request.method != "GET" or not is_expensive(request):
            return get_response(request)
        tag = etag_of(request_identity(request), current_version())
        if kept := kept_file(tag):
            return kept
        with slot() as free:
            if not free:
                return later_response(
                    request,
                    503,
                    "Casebook is making as many large files and analyses as it does at once.",
                    "10",
                )
            response = get_response(request)
            if not response.streaming or response.status_code != 200:
                return response
            try:
                return whole_file(tag, response, request.META.get("gunicorn.socket"))
            except NoRoom as error:
                logger.error("A file cannot be kept: %s", error)
            except BrokenPipeError:
                return later_response(request, 503, "The reader has gone.", "10")
            except (OperationalError, InterfaceError) as error:
                return unavailable_response(request, error)
            except time_bound.TookTooLong:
                return later_response(
                    request,
                    503,
                    f"This file takes more than {settings.FILE_SECONDS} s to make.",
                    "600",
                )
        return get_response(request)  # sent as it is made, and not kept

    return middleware


def whole_file(
    tag: str, response: HttpResponse, connection: socket.socket | None = None
) -> FileResponse:
    """The answer as a file that is whole, kept for the next who asks.

    Raises NoRoom where it cannot be kept, TookTooLong where it takes too long, BrokenPipeError
    where nobody waits for it any more, and whatever making it raises; then nothing is left of it.
    The answer is not closed here: that would end the request for everybody who waits for its end.
    """
    made = time_bound.bounded(response.streaming_content, settings.FILE_SECONDS)
    try:
        folder = settings.WORK_FOLDER / "files"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix="making-", delete=False) as file:
            try:
                for piece in made:
                    file.write(piece)
                    if connection is not None and is_disconnected(connection):
                        raise BrokenPipeError
                file.flush()
                name = folder / kept_name(tag)
                headers = {k: v for k, v in response.items() if k != "Content-Length"}
                name.with_suffix(".json").write_text(json.dumps(headers))
                Path(file.name).replace(name)
            except BaseException:
                with suppress(OSError):
                    Path(file.name).unlink()
                raise
    except BrokenPipeError:
        raise
    except OSError as error:
        raise NoRoom(str(error)) from error
    kept = kept_file(tag)
    drop_oldest(folder)  # it is open, so it can be read all the same
    if kept is None:
        raise NoRoom("it was taken away as soon as it was made")
    return kept


def kept_name(tag: str) -> str:
    return f"{sha256(tag.encode()).hexdigest()}.file"


def kept_file(tag: str) -> FileResponse | None:
    """The file that was made for this tag: of this version, this code and this address."""
    path = settings.WORK_FOLDER / "files" / kept_name(tag)
    if not tag:
        return None
    try:
        headers = json.loads(path.with_suffix(".json").read_text())
        file = path.open("rb")
        os.utime(path)  # used last; the first to go is the one nobody asks for
    except (OSError, ValueError):
        return None
    response = FileResponse(file)
    for name, value in headers.items():
        response.headers[name] = value
    return response


def drop_oldest(folder: Path) -> None:
    """Keeps the files asked for last, up to the size in the settings, and no remains of a process
    that died while it made one.
    """
    now, total = time.time(), 0
    with suppress(OSError):
        for path in folder.glob("making-*"):
            if now - path.stat().st_mtime > 2 * settings.FILE_SECONDS:
                path.unlink()
        files = [(path.stat(), path) for path in folder.glob("*.file")]
        for stat, path in sorted(files, key=lambda one: one[0].st_mtime, reverse=True):
            total += stat.st_size
            if total > settings.FILES_MEGABYTES * 2**20 and now - stat.st_mtime > 1:
                path.unlink()
                path.with_suffix(".json").unlink()


def work_of(address: str, minute: int) -> str:
    return f"work:{address}:{minute}"


def seconds_used(address: str, now: float) -> float:
    """Seconds of computing for this address in the last minute, by the share of the minute before
    that is still in it.
    """
    minute, part = divmod(now, WINDOW)
    names = [work_of(address, int(minute)), work_of(address, int(minute) - 1)]
    found = cache.get_many(names)
    return (found.get(names[0], 0) + found.get(names[1], 0) * (1 - part / WINDOW)) / 1000


def write_down(address: str, seconds: float) -> None:
    """Adds to what an address has used. Of two that are added at once one may be lost: no harm."""
    name = work_of(address, int(time.time() // WINDOW))
    cache.set(name, cache.get(name, 0) + round(seconds * 1000), 2 * WINDOW)


def work_budget_middleware(get_response):
    """Refuses an address that has used its seconds of computing of this minute, until it has some.

    What is counted is the time that this machine computes for it, not that which a slow line takes;
    an answer that was kept costs nothing. While the cache is unavailable, nobody is refused.
    """

    def middleware(request):
        if not settings.WORK_PER_MINUTE or request.path_info.startswith("/admin/"):
            return get_response(request)
        address = counted_address(request)
        try:
            used = seconds_used(address, time.time())
        except Exception as error:  # each cache backend has errors of its own
            logger.warning("The cache cannot be reached: %s", error)
            return get_response(request)
        if used > settings.WORK_PER_MINUTE:
            return later_response(
                request,
                429,
                f"Your network has used its {settings.WORK_PER_MINUTE} s of computing in a minute.",
                str(WINDOW // 2),
            )
        began = time.thread_time()
        response = get_response(request)
        count_work(address, time.thread_time() - began)
        if response.streaming and not isinstance(response, FileResponse):
            response.streaming_content = counted(response.streaming_content, address)
        return response

    return middleware


def counted(pieces, address: str) -> Iterator[bytes]:
    """The pieces of a file; what each takes to make is written down."""
    pieces, spent = iter(pieces), 0.0
    try:
        while True:
            began = time.thread_time()
            try:
                piece = next(pieces)
            except StopIteration:
                return
            finally:
                spent += time.thread_time() - began
            if spent > 1:
                count_work(address, spent)
                spent = 0.0
            yield piece
    finally:
        count_work(address, spent)
        if hasattr(pieces, "close"):
            pieces.close()


def count_work(address: str, seconds: float) -> None:
    if seconds < WORTH_COUNTING:
        return
    try:
        write_down(address, seconds)
    except Exception as error:  # as above
        logger.warning("The cache cannot be reached: %s", error)

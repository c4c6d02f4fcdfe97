"""The gunicorn worker: requests are received whole before a thread has to answer them.

gunicorn's own threaded worker gives a connection to a thread as soon as it is open, so as many
half-sent requests as there are threads stop it. Here the loop that accepts connections also
receives, and a thread is asked only for what has arrived. The same loop answers whether the process
lives (`/healthz`), so that busy threads cannot keep that waiting.
"""

import logging
import re
import time
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from socket import SHUT_WR

from gunicorn.workers.gthread import TConn, ThreadWorker

HEAD_SECONDS = 10  # from the connection, or the first byte on one kept alive, to the end of headers
BODY_BYTES_PER_SECOND = 16 * 1024  # a body may take HEAD_SECONDS more, and its length by this
SEND_SECONDS = 30  # for each piece of an answer (64 KiB at most) to leave
LINGER_SECONDS = 2  # in which a client is expected to close after the last answer
HEAD_BYTES = 64 * 1024
BODY_BYTES = 32 * 1024 * 1024  # larger than any workbook that the import takes
BUFFERED_BYTES = 128 * 1024 * 1024  # of requests that are not whole yet, in one worker
QUEUED_FOR_EACH_THREAD = 16  # whole requests that wait; more than these are refused
QUEUE_SECONDS = 5  # a request that would wait longer for a thread is refused at once
REMEMBERED = 0.1  # what the newest request counts for in the seconds a thread needs for one

END_OF_HEAD = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*(?=\r\n)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
CONTINUES = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
HEALTH = re.compile(rb"(GET|HEAD) /healthz/? HTTP/1\.[01]\r\n")

REFUSED = {
    408: ("Request Timeout", "The request did not arrive in time."),
    411: ("Length Required", "Say how long the body is (Content-Length); chunks are not taken."),
    413: ("Content Too Large", "The body is larger than Casebook takes."),
    431: ("Request Header Fields Too Large", "The headers are longer than Casebook takes."),
    503: ("Service Unavailable", "Too much is asked at once. Ask again in a few seconds."),
}


def plain_answer(status: int, reason: str, text: str, *, head: bool = False) -> bytes:
    """A whole answer in plain text, after which the connection closes."""
    lines = [
        f"HTTP/1.1 {status} {reason}",
        "Content-Type: text/plain",
        f"Content-Length: {len(text)}",
        "Cache-Control: max-age=0, no-cache, no-store, must-revalidate, private",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    if status == 503:
        lines.append("Retry-After: 5")
    return "\r\n".join([*lines, "", "" if head else text]).encode()


def bytes_wanted(received: bytes | bytearray) -> int | None:
    """How many bytes the first request in `received` has, or None before its headers have ended.

    Raises:
        ValueError: with the HTTP status of the refusal, for what is not waited for.
    """
    end = received.find(END_OF_HEAD, 0, HEAD_BYTES)
    if end < 0:
        if len(received) >= HEAD_BYTES:
            raise ValueError(431)
        return None
    head = bytes(received[: end + 2])
    if CHUNKED.search(head):
        raise ValueError(411)
    length = max(map(int, LENGTH.findall(head)), default=0)
    if length > BODY_BYTES:
        raise ValueError(413)
    return end + len(END_OF_HEAD) + length


def timed_out(record: logging.LogRecord) -> bool:
    """Whether a line of the log is about a client that took no more of its answer."""
    return bool(record.exc_info) and isinstance(record.exc_info[1], TimeoutError)


class Connection(TConn):
    """One client: what it has sent so far, and until when the rest has to be here."""

    def __init__(self, worker, *args):
        super().__init__(*args)
        self.worker = worker
        self.data_ready = True  # the loop has waited; a thread need not
        self.received = bytearray()
        self.deadline = 0.0
        self.invited = False  # whether “100 Continue” was sent
        self.begun = 0.0  # when a thread took the last request

    def init(self) -> None:
        """Gives the parser what was received. Called by the thread that answers."""
        super().init()
        if self.received:
            self.parser.unreader.unread(bytes(self.received))
            self.received = bytearray()
        self.sock.settimeout(SEND_SECONDS)

    def close(self, graceful: bool = False) -> None:
        """Closes at once, or, if `graceful`, when the client has read the last answer; meanwhile
        nobody waits.
        """
        if graceful:
            self.worker.linger(self)
        else:
            super().close()


class Worker(ThreadWorker):
    """gunicorn's threaded worker, whose threads never wait for a client's request."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.arriving = {}  # connections whose request is not whole, the oldest first
        self.lingering = {}  # sockets whose client is to close, and until when
        self.in_hand = 0  # requests given to threads and not answered yet
        self.usual_seconds = 0.0  # a thread needs for a request, lately
        self.looked = 0.0

    def init_process(self) -> None:
        # A reader who stops reading is no error of ours; gunicorn would log where it was noticed.
        self.log.error_log.addFilter(lambda record: not timed_out(record))
        self.most_in_hand = self.cfg.threads * (1 + QUEUED_FOR_EACH_THREAD)
        super().init_process()

    # Connections, from their beginning

    def set_accept_enabled(self, enabled: bool) -> None:
        """A worker that stops closes its listeners too: gunicorn leaves them open, so that whoever
        comes while downloads end waits for an answer that never comes.
        """
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                listener.close()

    def accept(self, listener) -> None:
        try:
            sock, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError, InterruptedError):
            return
        self.nr_conns += 1
        conn = Connection(self, self.cfg, sock, address, listener.getsockname())
        self.wait_for_request(conn)
        if self.nr_conns >= self.worker_connections and self.arriving:
            # Someone who sends halves takes the place of others who do, not of those who ask.
            self.drop(next(iter(self.arriving)))

    def wait_for_request(self, conn: Connection) -> None:
        """From now on the loop receives what this connection sends, until a request is whole."""
        conn.sock.setblocking(False)
        conn.deadline = time.monotonic() + HEAD_SECONDS
        conn.invited = False
        self.arriving[conn] = None
        self.poller.register(conn.sock, EVENT_READ, partial(self.receive, conn))
        if conn.received:
            self.look_at(conn)
        self.receive(conn, conn.sock)  # mostly it is here already

    def receive(self, conn: Connection, sock) -> None:
        if conn not in self.arriving:  # dropped in the same round of events
            return
        try:
            data = sock.recv(64 * 1024)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.drop(conn)
            return
        conn.received += data
        self.look_at(conn)

    def look_at(self, conn: Connection) -> None:
        """Gives a request that is whole to a thread, and refuses what cannot become one."""
        try:
            wanted = bytes_wanted(conn.received)
        except ValueError as refusal:
            self.refuse(conn, refusal.args[0])
            return
        if wanted is None:
            return
        if len(conn.received) >= wanted:
            self.leave_loop(conn)
            self.dispatch(conn)
            return
        if not conn.invited:
            conn.invited = True
            conn.deadline = time.monotonic() + HEAD_SECONDS + wanted / BODY_BYTES_PER_SECOND
            if CONTINUES.search(conn.received):
                self.send(conn, b"HTTP/1.1 100 Continue\r\n\r\n")
        if sum(len(one.received) for one in self.arriving) > BUFFERED_BYTES:
            self.refuse(max(self.arriving, key=lambda one: len(one.received)), 503)

    def dispatch(self, conn: Connection) -> None:
        if health := HEALTH.match(conn.received):
            self.send(conn, plain_answer(200, "OK", "ok\n", head=health[1] == b"HEAD"))
            self.nr_conns -= 1
            self.linger(conn)
        elif self.in_hand >= self.most_in_hand or self.expected_wait() > QUEUE_SECONDS:
            self.refuse(conn, 503)
        else:
            self.in_hand += 1
            super().enqueue_req(conn)

    def enqueue_req(self, conn: Connection) -> None:
        """What was read ahead is the beginning of the next request; it too has to become whole."""
        conn.received += conn.parser.unreader.take_buffered()
        self.wait_for_request(conn)

    def on_client_socket_readable(self, conn: Connection, client) -> None:
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self.wait_for_request(conn)

    def expected_wait(self) -> float:
        """Seconds until a thread would take a request that comes now. Who waits longer than a few
        seconds asks again, or has gone when the answer comes; work for them keeps others waiting.
        """
        waiting = max(0, self.in_hand + 1 - self.cfg.threads)
        return waiting * self.usual_seconds / self.cfg.threads

    def handle(self, conn: Connection):
        conn.begun = time.monotonic()
        return super().handle(conn)

    def finish_request(self, conn: Connection, fs) -> None:
        self.in_hand -= 1
        # One long download says little of the next request.
        took = min(time.monotonic() - conn.begun, 2 * QUEUE_SECONDS)
        self.usual_seconds += REMEMBERED * (took - self.usual_seconds)
        super().finish_request(conn, fs)

    # Their end

    def send(self, conn: Connection, answer: bytes) -> None:
        """Sends a few bytes; a client that does not even take those has none."""
        with suppress(OSError):
            conn.sock.send(answer)

    def leave_loop(self, conn: Connection) -> None:
        self.arriving.pop(conn, None)
        with suppress(OSError, KeyError, ValueError):  # closed by its client
            self.poller.unregister(conn.sock)

    def drop(self, conn: Connection) -> None:
        self.leave_loop(conn)
        self.nr_conns -= 1
        conn.close()

    def refuse(self, conn: Connection, status: int) -> None:
        self.leave_loop(conn)
        reason, text = REFUSED[status]
        self.send(conn, plain_answer(status, reason, f"{text}\n"))
        self.nr_conns -= 1
        self.linger(conn)

    def linger(self, conn: Connection) -> None:
        """Says that nothing more comes, and waits in the loop until the client has closed: closing
        at once can take the end of the answer away from it (RFC 9112, section 9.6).
        """
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(SHUT_WR)
            self.poller.register(conn.sock, EVENT_READ, self.drain)
        except (OSError, KeyError, ValueError):
            TConn.close(conn)
            return
        self.lingering[conn.sock] = time.monotonic() + LINGER_SECONDS
        if len(self.lingering) > self.worker_connections:
            self.let_go(next(iter(self.lingering)))

    def drain(self, sock) -> None:
        try:
            if sock.recv(64 * 1024):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self.let_go(sock)

    def let_go(self, sock) -> None:
        if self.lingering.pop(sock, None) is None:
            return
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(sock)
        sock.close()

    def murder_pending(self) -> None:
        """Ends what has waited too long. gunicorn calls it after each round of events."""
        super().murder_pending()
        now = time.monotonic()
        if now - self.looked < 0.25:
            return
        self.looked = now
        for conn in list(self.arriving):
            if conn.deadline > now and (self.alive or conn.received):
                continue
            if conn.received:
                self.refuse(conn, 408)
            else:
                self.drop(conn)
        for sock in [one for one, until in self.lingering.items() if until < now]:
            self.let_go(sock)

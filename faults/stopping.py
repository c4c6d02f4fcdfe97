"""A server that is stopped in good order while somebody downloads."""

import signal
import socket
import threading
import time

from .harness import POSTGRESQL, Case, fault
from .writing import STREAMED, Download, downloaded


def connects(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


@fault("the server is told to stop (SIGTERM) during three slow downloads", short_on=(POSTGRESQL,))
def graceful_stop(case: Case) -> None:
    case.serve(CASEBOOK_GRACEFUL_SECONDS="60")
    right = {one.address: one.digest for one in downloaded(case.casebook.port, STREAMED, 0)}
    slow = [Download(case.casebook.port, address, 8) for address in STREAMED]
    threads = [threading.Thread(target=one.take) for one in slow]
    for thread in threads:
        thread.start()
    time.sleep(2)
    case.check(all(one.received > 0 for one in slow), "a download had not begun")
    began = time.monotonic()
    case.casebook.process.send_signal(signal.SIGTERM)
    while connects(case.casebook.port) and time.monotonic() < began + 10:
        time.sleep(0.05)
    closed = time.monotonic() - began
    case.check(closed < 3, f"connections were still taken after {closed:.1f} s")
    still = sum(thread.is_alive() for thread in threads)
    case.check(still, "the downloads had ended before the server was stopped")
    for thread in threads:
        thread.join(60)
    for one in slow:
        is_right = one.whole and one.digest == right[one.address]
        case.check(is_right, f"{one.address}: {one.told}, {one.received} bytes")
    case.casebook.process.wait(60)
    ended = time.monotonic() - began
    case.result.seconds = None
    case.remark(f"no new connection after {closed:.1f} s; the server ended after {ended:.0f} s")
    case.lost(f"nothing: {sum(one.whole for one in slow)} of 3 downloads ended whole and right")

"""What the fault scripts take for a right answer, for none, and for a wrong one."""

import socket
import threading
from contextlib import contextmanager

import pytest

from faults import readers
from faults.harness import Case, Home
from faults.readers import Answer, Readers, ask
from faults.report import line_of

PAGE = b"<main>one</main>"
NOTE = b'<p class="notice" role="status">The database cannot be reached just now. Kept.</p>\n'


@contextmanager
def answering(sent: bytes):
    """The port of a server that sends this to one client and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            client, _ = listening.accept()
            with client:
                client.recv(4096)
                client.sendall(sent)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def whole(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.mark.parametrize(
    ("sent", "outcome"),
    [
        (whole("200 OK", PAGE), "200"),
        (whole("200 OK", PAGE)[:-3], "broken off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "broken off"),
        (b"", "broken off"),
        (whole("503 Away", b"Later.", "Retry-After: 5"), "503"),
        (whole("503 Away", b""), "503 that says nothing"),
        (whole("500 Wrong", b"?"), "500"),
    ],
)
def test_what_a_reader_got(sent, outcome):
    with answering(sent) as port:
        assert ask(port, "/", 5).outcome == outcome


def test_a_marked_answer_is_the_same_but_for_its_mark():
    with answering(whole("200 OK", PAGE)) as port:
        plain = ask(port, "/", 5)
    marked = whole("200 OK", NOTE + PAGE, "Cache-Status: casebook; hit; detail=database-away")
    with answering(marked) as port:
        kept = ask(port, "/", 5)
    assert (plain.digest, plain.marked, kept.marked) == (kept.digest, False, True)


def judged(tmp_path, *answers: Answer):
    case = Case(Home(tmp_path), tmp_path, "a fault")
    case.readers = Readers(0)
    case.readers.right, case.readers.answers = {"/": {"right"}}, list(answers)
    case.began, case.marks = 100.0, [(100.0, False), (105.0, True)]
    case.judge()
    return case.result


def test_wrong_bytes_are_a_problem_and_plain_refusals_are_not(tmp_path):
    fine = judged(
        tmp_path,
        Answer("/", 101, 0.1, "200", "right"),
        Answer("/", 102, 0.1, "503"),
        Answer("/", 106, 0.5, "refused"),
        Answer("/", 107, 0.1, "200", "right"),
    )
    assert not fine.problems and fine.readers == {"right": 2, "503": 1, "refused": 1}
    assert fine.seconds == 1.5, "from the moment on which nothing stood in the way"
    for wrong in (Answer("/", 101, 0.1, "200", "other"), Answer("/", 101, 0.1, "500")):
        assert judged(tmp_path, wrong).problems


def test_the_table_says_what_is_not_as_it_has_to_be():
    row = {
        "fault": "a | b",
        "database": "SQLite",
        "readers": {"503": 2, "right": 1000},
        "marked": 3,
        "longest": 0.2,
        "lost": "nothing",
        "seconds": 0.04,
        "problems": [],
    }
    assert line_of(row) == (
        "| a / b | SQLite | 1,000 × right (3 marked), 2 × 503 | nothing | 0.0 |"
    )
    assert "**not as it has to be**: wrong" in line_of(row | {"problems": ["wrong"]})


def test_every_address_that_is_asked_is_asked_once_a_round():
    addresses = readers.WARM + readers.COLD
    assert len(set(addresses)) == len(addresses)

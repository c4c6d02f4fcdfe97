"""The shipped nginx configuration before a real Casebook: what it keeps out, passes on, says."""

import http.client
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack

import pytest

from .processes import ROOT, free_port, gunicorn

pytestmark = pytest.mark.front
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
MAIN = """
worker_processes 1;
error_log {folder}/error.log warn;
pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
    include {folder}/http.conf;
    types {{ text/css css; text/javascript js; }}
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; include {folder}/server.conf; }}
}}
"""


@pytest.fixture(scope="module")
def front(tmp_path_factory, small_database_made):
    """A front as `deploy/nginx` has it, but for its ports and folders; and Casebook's process."""
    assert NGINX, "These tests need nginx: apt-get install nginx-light"
    folder, port = tmp_path_factory.mktemp("front"), free_port()
    behind = {"CASEBOOK_BEHIND_PROXY": "1", "CASEBOOK_HOSTS": "casebook.example.org,127.0.0.1"}
    with gunicorn(small_database_made, folder / "errors", **behind) as process:
        http_part = (ROOT / "deploy/nginx/http.conf").read_text()
        assert "server 127.0.0.1:8000 " in http_part
        (folder / "http.conf").write_text(http_part.replace(":8000 ", f":{process.port} "))
        server_part = (ROOT / "deploy/nginx/server.conf").read_text()
        for shipped, here in (
            ("/var/log/nginx", folder),
            ("/opt/casebook/var/static", ROOT / "static"),
        ):
            assert shipped in server_part
            server_part = server_part.replace(shipped, str(here))
        (folder / "server.conf").write_text(server_part)
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder, port=port))
        command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as nginx:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert nginx.poll() is None, nginx.stderr.read()
                time.sleep(0.05)
            try:
                yield folder, port, process
            finally:
                nginx.terminate()
                nginx.wait(20)


def ask(port: int, path: str, method: str = "GET", **headers: str):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent = {"Host": "casebook.example.org"} | {k.replace("__", "-"): v for k, v in headers.items()}
    connection.request(method, path, headers=sent)
    response = connection.getresponse()
    body = response.read().decode(errors="replace")
    connection.close()
    return response.status, dict(response.getheaders()), body


def test_pages_files_and_static_files_come_through(front):
    _, port, _ = front
    status, headers, body = ask(port, "/small/")
    assert status == 200 and "Small" in body and headers["Server"] == "nginx"
    assert "Content-Security-Policy" in headers
    assert ask(port, "/small/patients.csv")[2].count("\n") == 5
    status, headers, _ = ask(port, "/static/evidence/site.css")
    assert status == 200 and "immutable" in headers["Cache-Control"]
    assert ask(port, "/healthz")[2] == "ok\n"
    assert ask(port, "/metrics")[0] == 404


def test_what_a_visitor_says_of_the_way_is_not_believed(front):
    _, port, _ = front
    for headers in (
        {"X__Forwarded__Proto": "https"},
        {"X__Forwarded__Host": "evil.example"},
        {"Forwarded": "host=evil.example;proto=https"},
        {"SCRIPT_NAME": "/evil"},
        {"Script__Name": "/evil"},
        {"X__Forwarded__For": "203.0.113.9"},
    ):
        status, _, body = ask(port, "/api/v1/", **headers)
        assert status == 200 and "http://casebook.example.org/api/" in body
        assert "evil" not in body and "https:" not in body


def test_an_address_is_counted_as_the_front_sees_it(front):
    """Whoever invents an address of origin for each request has one budget all the same."""
    _, port, _ = front
    left = [
        int(
            ask(port, "/api/v1/", X__Forwarded__For=f"203.0.113.{n}")[1]["RateLimit"]
            .split("r=")[1]
            .split(";")[0]
        )
        for n in range(3)
    ]
    assert left[0] - left[2] == 2


def test_half_sent_requests_are_kept_out(front):
    _, port, process = front
    half = b"GET / HTTP/1.1\r\nHost: casebook.example.org\r\nX-Half: "
    with ExitStack() as many:
        for _ in range(30):
            client = many.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            client.sendall(half)
        began = time.monotonic()
        assert ask(process.port, "/healthz")[0] == 200
        assert ask(port, "/small/")[0] == 200
        assert time.monotonic() - began < 5
        with pytest.raises(ConnectionResetError):  # after ten seconds
            client.recv(100)


def test_too_many_connections_and_requests_of_one_address_are_told_so(front):
    _, port, _ = front
    with ExitStack() as many:
        for _ in range(60):
            client = many.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            client.sendall(b"GET /small/ HTTP/1.1\r\nHost: casebook.example.org\r\nX-Half: ")
        assert ask(port, "/small/")[0] == 200  # one that has not asked yet does not count
    told = [ask(port, "/small/")[0] for _ in range(20)]
    assert set(told) <= {200, 429} and 200 in told


def test_a_large_body_is_refused_and_nobody_asks_casebook(front):
    _, port, _ = front
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(
            b"POST /admin/login/ HTTP/1.1\r\nHost: casebook.example.org\r\n"
            b"Content-Length: 99999999\r\nConnection: close\r\n\r\n"
        )
        assert b" 413 " in client.recv(4096)


def test_the_log_says_nothing_of_who_asked_or_what(front):
    folder, port, _ = front
    ask(port, "/small/patients/?q=raynaud&sex=female", Cookie="sessionid=secret", User__Agent="me")
    log = (folder / "casebook.log").read_text()
    assert " GET /small 200 " in log
    assert not [word for word in ("raynaud", "secret", "127.0.0.1", "patients") if word in log]


def test_while_casebook_is_away_readers_are_told(front):
    _, port, process = front
    process.terminate()
    process.wait(30)
    status, headers, body = ask(port, "/small/")
    assert status == 503 and headers["Retry-After"] == "10" and "Nothing is lost" in body

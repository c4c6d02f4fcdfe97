"""The shipped nginx configuration before a real Casebook: what it keeps out, passes on, says."""

import gzip
import http.client
import re
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import ExitStack

import pytest

from .processes import ROOT, free_port, gunicorn

pytestmark = pytest.mark.front
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
MAIN = """
user root;  # who made the folder of the test; no meaning where that is somebody else
worker_processes 1;
error_log {folder}/error.log warn;
pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
    include {folder}/http.conf;
    types {{ text/css css; text/javascript js; }}
    gzip on;  # as Debian's own nginx.conf has it
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; include {folder}/server.conf; }}
    include {folder}/casebook.conf;
}}
"""


def encrypted_part(folder) -> str:
    """The shipped servers for http and https, on ports of their own, with a certificate of ours."""
    key, certificate = folder / "privkey.pem", folder / "fullchain.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
        + ["-subj", "/CN=casebook.example.org"]
        + ["-addext", "subjectAltName=DNS:casebook.example.org"],
        check=True,
        capture_output=True,
    )
    text = (ROOT / "deploy/nginx/casebook.conf").read_text()
    for shipped, here in (
        ("/etc/letsencrypt/live/casebook.example.org", folder),
        ("include snippets/casebook-server.conf", f"include {folder}/server.conf"),
    ):
        assert shipped in text
        text = text.replace(shipped, str(here))
    text = re.sub(r"\n *listen \[::\]:[^;]*;", "", text)
    PORTS["http"], PORTS["https"] = free_port(), free_port()
    text = text.replace("listen 80", f"listen 127.0.0.1:{PORTS['http']}")
    return text.replace("listen 443", f"listen 127.0.0.1:{PORTS['https']}")


PORTS: dict[str, int] = {}


@pytest.fixture(scope="module")
def front(tmp_path_factory, small_database_made):
    """A front as `deploy/nginx` has it, but for its ports and folders; and Casebook's process."""
    assert NGINX, "These tests need nginx: apt-get install nginx-light"
    folder, port = tmp_path_factory.mktemp("front"), free_port()
    behind = {
        "CASEBOOK_BEHIND_PROXY": "1",
        "CASEBOOK_METRICS": "1",
        "CASEBOOK_HOSTS": "casebook.example.org,127.0.0.1",
    }
    with gunicorn(small_database_made, folder / "errors", **behind) as process:
        http_part = (ROOT / "deploy/nginx/http.conf").read_text()
        assert "server 127.0.0.1:8000 " in http_part
        (folder / "http.conf").write_text(http_part.replace(":8000 ", f":{process.port} "))
        server_part = (ROOT / "deploy/nginx/server.conf").read_text()
        for shipped, here in (
            ("/var/log/nginx", folder),
            ("/opt/casebook/var/static", folder / "static"),
        ):
            assert shipped in server_part
            server_part = server_part.replace(shipped, str(here))
        (folder / "server.conf").write_text(server_part)
        static = folder / "static"
        shutil.copytree(ROOT / "static", static)
        css = static / "evidence/site.css"
        css.with_name("site.css.gz").write_bytes(gzip.compress(css.read_bytes()))
        (folder / "casebook.conf").write_text(encrypted_part(folder))
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


def raw(port: int, path: str, encoding: str, **headers: str):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent = {"Host": "casebook.example.org", "Accept-Encoding": encoding} | headers
    connection.request("GET", path, headers=sent)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, response.headers, body


def unpacked(answer) -> bytes:
    _, headers, body = answer
    return gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body


def test_pages_files_and_static_files_come_through(front):
    _, port, _ = front
    status, headers, body = ask(port, "/small/")
    assert status == 200 and "Small" in body and headers["Server"] == "nginx"
    assert "Content-Security-Policy" in headers
    assert ask(port, "/small/patients.csv")[2].count("\n") == 5
    status, headers, _ = ask(port, "/static/evidence/site.css")
    assert status == 200 and "immutable" in headers["Cache-Control"]
    assert ask(port, "/healthz")[2] == "ok\n"


def test_metrics_are_told_to_named_addresses_alone(front):
    """This machine is named; Casebook hears the visitor's address, not the front's."""
    folder, port, _ = front
    assert "casebook_requests" in ask(port, "/metrics")[2]
    for probe in ("/healthz", "/readyz", "/metrics"):
        rule = re.search(rf"location = {probe} *{{([^}}]*)}}", (folder / "server.conf").read_text())
        assert "deny all;" in rule[1] and "allow 127.0.0.1;" in rule[1]


def test_what_casebook_compresses_is_handed_on_as_it_is(front):
    _, port, process = front
    for path in ("/small/", "/small/patients.csv", "/api/v1/small/summary/"):
        for encoding in ("gzip", "identity", "br, gzip;q=0"):
            ours = raw(process.port, path, encoding)
            theirs = raw(port, path, encoding)
            assert theirs[0] == 200 and unpacked(ours) == unpacked(theirs)
            for name in ("ETag", "Vary", "Content-Encoding", "Cache-Control", "Content-Type"):
                assert ours[1].get_all(name) == theirs[1].get_all(name), name
            assert theirs[1].get("Content-Encoding") == ("gzip" if encoding == "gzip" else None)
            tag = theirs[1]["ETag"]
            if tag:
                assert raw(port, path, encoding, **{"If-None-Match": tag})[0] == 304


def test_static_files_come_compressed_and_for_good(front):
    _, port, _ = front
    path = "/static/evidence/site.css"
    packed, plain = raw(port, path, "gzip"), raw(port, path, "identity")
    assert gzip.decompress(packed[2]) == plain[2]
    assert packed[1]["Content-Encoding"] == "gzip" and "Content-Encoding" not in plain[1]
    for _, headers, _ in (packed, plain):
        assert headers["Vary"] == "Accept-Encoding"
        assert "max-age=315360000" in ", ".join(headers.get_all("Cache-Control"))


def test_security_headers_are_sent_once(front):
    _, port, _ = front
    once = ["Content-Security-Policy", "X-Frame-Options", "X-Content-Type-Options"]
    for path, names in (
        ("/small/", [*once, "Referrer-Policy", "X-Request-ID"]),
        ("/admin/login/", once),
        ("/static/evidence/site.css", ["X-Content-Type-Options"]),
    ):
        headers = raw(port, path, "identity")[1]
        assert {name: len(headers.get_all(name) or ()) for name in names} == dict.fromkeys(names, 1)


def test_the_front_names_each_request(front):
    """Its id is in both logs; what a visitor brings is not taken."""
    folder, port, _ = front
    given = "a-visitors-own-id"
    told = raw(port, "/small/", "identity", **{"X-Request-ID": given})[1]["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", told)
    log = (folder / "casebook.log").read_text()
    assert told in log and given not in log


def test_encrypted_it_speaks_http_2_and_answers_to_its_name_alone(front):
    folder, _, _ = front
    context = ssl.create_default_context(cafile=folder / "fullchain.pem")
    context.set_alpn_protocols(["h2", "http/1.1"])
    address = ("127.0.0.1", PORTS["https"])
    with (
        socket.create_connection(address, timeout=20) as line,
        context.wrap_socket(line, server_hostname="casebook.example.org") as encrypted,
    ):
        assert encrypted.selected_alpn_protocol() == "h2"
        assert encrypted.version() in ("TLSv1.2", "TLSv1.3")
    context.check_hostname = False
    with socket.create_connection(address, timeout=20) as line, pytest.raises(ssl.SSLError):
        context.wrap_socket(line, server_hostname="other.example.org")
    context = ssl.create_default_context(cafile=folder / "fullchain.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(address, timeout=20) as line,
        context.wrap_socket(line, server_hostname="casebook.example.org") as encrypted,
    ):
        encrypted.sendall(
            b"GET /api/v1/ HTTP/1.1\r\nHost: casebook.example.org\r\nConnection: close\r\n\r\n"
        )
        answer = b"".join(iter(lambda: encrypted.recv(65536), b""))
        assert b" 200 OK" in answer and b"https://casebook.example.org/api/" in answer
    status, headers, _ = ask(PORTS["http"], "/small/?sex=female")
    assert status == 301
    assert headers["Location"] == "https://casebook.example.org/small/?sex=female"


def test_passwords_are_tried_no_faster_than_somebody_types(front):
    _, port, _ = front
    told = [ask(port, "/admin/login/")[0] for _ in range(25)]
    assert told[:5] == [200] * 5 and told[-5:] == [429] * 5
    assert ask(port, "/small/")[0] == 200


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

"""What gunicorn, as Casebook sets it up, believes of a request, on a real connection and by its own
parser.
"""

import http.client
import json

import pytest

from .processes import gunicorn, run

pytestmark = pytest.mark.slow


@pytest.fixture
def server(small_database, tmp_path):
    """ask(method, path, headers) -> status and body, of a real gunicorn; and the file it writes
    errors to.
    """
    log = tmp_path / "errors"
    with gunicorn(small_database, log) as process:

        def ask(method: str, path: str, **headers: str) -> tuple[int, str]:
            connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=30)
            connection.request(
                method, path, headers={k.replace("__", "-"): v for k, v in headers.items()}
            )
            response = connection.getresponse()
            body = response.read().decode(errors="replace")
            connection.close()
            return response.status, body

        yield ask, log


def test_nobody_on_this_machine_may_say_where_casebook_lives_and_head_sends_no_body(server):
    ask, log = server
    for evil, path in (("/evil", "studies"), ("//evil.example", "outcomes")):
        assert ask("GET", f"{evil}/small/{path}/", SCRIPT_NAME=evil)[0] == 404
        assert ask("GET", f"/small/{path}/", SCRIPT_NAME=evil)[0] == 200, (
            "not the error page of a prefix that is wrong"
        )
        status, body = ask("GET", f"/small/{path}/")
        assert status == 200 and "evil" not in body and 'href="/small/"' in body
    for headers in (
        {"X__Forwarded__Proto": "https"},
        {"X_Forwarded_Proto": "https"},
        {"X__Forwarded__Ssl": "on"},
    ):
        status, body = ask("GET", "/api/v1/", **headers)
        assert status == 200 and "http://127.0.0.1" in body and "https:" not in body
    for path in (
        "/",
        "/small/",
        "/small/patients.xlsx",
        "/small/bundle.zip",
        "/small/compare.csv",
        "/healthz",
        "/nobody/",
    ):
        assert ask("HEAD", path)[1] == ""
    assert "sent body bytes" not in log.read_text() and "Traceback" not in log.read_text()


BELIEVED = """
import json, os
import evidence.gunicorn_conf as ours
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import create

config = Config()
for name, value in vars(ours).items():
    if name in config.settings:
        config.set(name, value)


def believed(peer, *headers):
    text = "\\r\\n".join(["GET /evil/small/ HTTP/1.1", "Host: localhost", *headers, "", ""])
    request = next(RequestParser(config, [text.encode()], (peer, 5000)))
    _, environ = create(request, None, (peer, 5000), ("127.0.0.1", 8000), config)
    return environ["wsgi.url_scheme"], environ["SCRIPT_NAME"], environ["PATH_INFO"], environ.get("REMOTE_USER")


asked = ["X-Forwarded-Proto: https", "X_Forwarded_Proto: https", "X-Forwarded-Ssl: on", "X-Forwarded-Protocol: ssl"]
asked += ["SCRIPT_NAME: /evil", "PATH_INFO: /other/", "REMOTE_USER: root"]
found = {peer: {each: believed(peer, each) for each in asked} for peer in ("127.0.0.1", "::1", "10.1.2.3", "10.9.9.9")}
print(json.dumps(found))
"""  # noqa: E501
NOTHING = ["http", "", "/evil/small/", None]


@pytest.mark.parametrize(
    ("variables", "trusted"),
    [
        ({}, set()),
        ({"CASEBOOK_PROXIES": "127.0.0.1"}, set()),
        ({"CASEBOOK_BEHIND_PROXY": "1"}, {"127.0.0.1", "::1"}),
        ({"CASEBOOK_BEHIND_PROXY": "1", "CASEBOOK_PROXIES": "10.1.0.0/16, 10.1.2.3"}, {"10.1.2.3"}),
        ({"CASEBOOK_BEHIND_PROXY": "1", "FORWARDED_ALLOW_IPS": "*"}, {"127.0.0.1", "::1"}),
    ],
)
def test_only_named_proxies_are_believed_and_only_that_it_was_https(tmp_path, variables, trusted):
    found = json.loads(run(BELIEVED, tmp_path / "none.sqlite3", **variables))
    for peer, answers in found.items():
        for header, believed in answers.items():
            secure = peer in trusted and header == "X-Forwarded-Proto: https"
            assert believed == (["https", *NOTHING[1:]] if secure else NOTHING), (peer, header)

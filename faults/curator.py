"""Curators who save over HTTP, and keep a ledger of what they were told is saved."""

import http.client
import http.cookiejar
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request

STUDY, PATIENT = "fujita-2019", "fujita-2019-1"
GRID = f"/admin/work/published/{STUDY}/patients/"
PASSWORD = "for faults alone"
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Curator:
    """One person with a browser, who enters remarks in the grid of one study.

    Each remark is a text of its own, and every version of a study is kept: so what was saved can be
    found afterwards, whatever was saved after it.
    """

    ACCOUNTS = f"""
from django.contrib.auth import get_user_model
for name in ("alice", "bob"):
    get_user_model().objects.create_superuser(name, password={PASSWORD!r})
"""
    # what a save may get that is not kept: 0 stands for no answer, 409 for somebody else's value
    PLAIN = ("0 T", "0 C", "0 R", "0 I", "0 B", "503", "409")
    SAVED = """
import json
from evidence.models import StudyVersion
texts = [record["fields"].get("notes", "") for version in StudyVersion.objects.all()
         for record in version.content if record["model"] == "evidence.patient"]
print(json.dumps([text for text in texts if text]))
"""

    def __init__(self, port: int, name: str):
        self.base, self.name = f"http://127.0.0.1:{port}", name
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        self.ledger: list[tuple[str, int, int]] = []  # remark, version it was based on, its own
        self.refused, self.number, self.version = 0, 0, 1
        self.answers: list[str] = []  # what saves that were not acknowledged got

    @property
    def acknowledged(self) -> list[str]:
        return [text for text, _, _ in self.ledger]

    @staticmethod
    def saved(casebook) -> set[str]:
        """Every remark that any version of any study holds."""
        return set(json.loads(casebook.python(Curator.SAVED)))

    def ask(self, path: str, data: dict | str | None = None, patience: float = 30):
        """Status and text of an answer; status 0 where there is none."""
        headers = {}
        if isinstance(data, dict):
            body = urllib.parse.urlencode(data).encode()
        else:
            body = data.encode() if data else None
            headers = {"Content-Type": "application/json"} if data else {}
        for cookie in self.cookies:
            if "csrf" in cookie.name:
                headers["X-CSRFToken"] = cookie.value
        request = urllib.request.Request(self.base + path, body, headers)
        try:
            with self.opener.open(request, timeout=patience) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, f"{type(error).__name__}: {error}"

    def log_in(self) -> None:
        status, page = self.ask("/admin/login/")
        form = {"username": self.name, "password": PASSWORD, "next": GRID}
        form["csrfmiddlewaretoken"] = TOKEN.search(page)[1]
        status, page = self.ask("/admin/login/", form)
        if not any("session" in cookie.name for cookie in self.cookies):
            raise RuntimeError(f"{self.name} cannot log in: {status} {page[:500]}")

    def save_until(self, end: float, pause: float = 0.1) -> None:
        """Saves without end, one remark after the other."""
        while time.monotonic() < end:
            self.save(patience=10)
            time.sleep(pause)

    def save(self, text: str | None = None, patience: float = 30) -> int:
        """Enters a remark; the status of the answer, 409 where somebody else's stands there."""
        self.number += 1
        text = text or f"Remark {self.number} of {self.name}"
        based_on = self.version
        sent = {"cells": [[PATIENT, "notes", text]], "based_on": based_on}
        status, answer = self.ask(f"{GRID}enter/", json.dumps(sent), patience)
        if status == 200:
            told = json.loads(answer)
            self.version = told["version"]
            if told["clashes"] or told["errors"]:
                status = 409
        if status == 200:
            self.ledger.append((text, based_on, self.version))
        else:
            self.refused += 1
            self.answers.append(f"{status} {' '.join(answer.split())[:120]}")
        return status

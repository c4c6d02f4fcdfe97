"""Hostile requests, drawn from a seed: the same seed makes the same requests."""

import random
import re
from dataclasses import dataclass, replace
from html import unescape
from urllib.parse import parse_qsl, quote, quote_plus

from .planted import HIDDEN

TAG = "<zqtag'\"&>"  # an answer that holds it as it stands has not escaped it
BIG = "9" * 400
VALUES = [
    "", " ", "x", "-1", "0", "00", "1e999", "-1e-999", BIG, "NaN", "inf", "-Infinity", "1_000", "٣",
    "①", "½", "１２", "true", "null", "None", "[]", "{}", "a" * 3000, "%", "0x10", "1.0.0", "1,5",
    str(2**31), str(2**63), str(-(2**63) - 1), "1" + "0" * 308, "../../etc/passwd",
    "' OR '1'='1", '"; DROP TABLE evidence_study; --', "1) UNION SELECT 1", TAG, "{{7*7}}",
    "{% debug %}", "${7*7}", "\u202e", "😀", "e\u0301" * 50, "\u200d", "ﷺ" * 100, "ß", "İ",
    "\ufeff", "\x00", "a\x00b", "\r\nX-Injected: 1", "\t", "\x1b[2J", "\ud800", "+", ",", ";",
    "female,male", "female;male", "*", "\\", "__class__", "patient__study__notes", "-pk", "?", "#",
    "&", "=",
    "zqh1dd", HIDDEN, f"{HIDDEN}-draft", "beispiel-2027", "2026-02-30", "9999-99-99", "1" * 20,
]  # fmt: skip
# As they stand in an address: sequences that decode to nothing, to too much, or twice.
ENCODED = [
    "%", "%zz", "%0", "%00", "%0d%0aX-Injected:%201", "%c0%af", "%e0%80%af", "%c1%9c", "%ff%fe<%00",
    "%ed%a0%80", "%f4%90%80%80", "%f8%88%80%80%80", "%25%30%30", "%2525", "%u0041", "%uD800",
    "%fe%ff%00a", "+%2b+", "%26x=1", "%3Bx=1", "&&&", "=", "a=b=c", "%E2%80%AE", "%c3", "\xff\xfe",
    "\xc3\xa9", "%0a", "%09", "%7f", "%80", "%a0", "%2e%2e%2f", "%5c..%5c",
]  # fmt: skip
PATHS = [
    "/.env", "/.git/config", "/wp-login.php", "/static/../../etc/passwd", "//", "///published///",
    "/static/%2e%2e/%2e%2e/etc/passwd", "/static/..%5c..%5cetc", "/static/", "/static/x" * 50,
    "/var/casebook.sqlite3", "/private/paper.pdf", "/var/private/paper.pdf", "/fixtures/", "/./",
    "/published/../admin/", "/published/%2e%2e/admin/", "/published;x=1/", "/%", "/%zz", "/%00",
    "/published%00/", "/%c0%ae%c0%ae/", "/\xff", "/%ff", "/%ed%a0%80/", "/%f0%9f%98%80/", "/" * 900,
    "/" + "a" * 4000, "/PUBLISHED/", "/Published/patients/", "/published/patients.csv/",
    "/published/patients.CSV", "/published/patients.csv%20", "/published/patients.php",
    "/api", "/api/v2/", "/api/v1/published", "/api/v1//patients/", "/admin", "/admin/../",
    "/healthz/", "/readyz/", "/metrics", "/metrics/", "/releases/0/changes/", "/server-status",
    "/releases/99999999999999999999/changes/", "/releases/-1/changes/", "/releases/1/../", "/*",
    "/published/studies/%2e/", "/admin/login/?next=//evil.example/", "/admin/login/?next=%0d%0a",
    "/admin/jsi18n/", "/__debug__/", "/actuator/env", "/cgi-bin/", "/xmlrpc.php", "/~root/", "/:80",
    "/published/releases/", "/sitemap.xml/..", "/favicon.ico?x=1", "/robots.txt?junk",
]  # fmt: skip
METHODS = [
    "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "PURGE",
    "get", "GETT", "FOO", "M-SEARCH", "A" * 60, "LOCK", "SEARCH", "QUERY",
]  # fmt: skip
HOSTS = [
    "evil.example", "127.0.0.1:99999", "127.0.0.1:0", "127.0.0.1:x", "", " ", "[::1", "127.0.0.1\t",
    "127.0.0.1, evil.example", "127.0.0.1@evil.example", "LOCALHOST", "localhost.", "localhost:80",
    "localhost/x", "localhost\xe9", "a" * 300, TAG, "127.0.0.1#", "xn--", "0x7f.1",
    "localhost:8000",
]  # fmt: skip
HEADERS = {
    "Host": HOSTS,
    "X-Forwarded-Host": ["evil.example", TAG],
    "X-Forwarded-For": ["1.2.3.4", "::1", "x", "1.2.3.4, " * 500, TAG],
    "X-Forwarded-Proto": ["https", "http", "ftp", "https,http"],
    "X-Forwarded-Port": ["443", "-1"],
    "X-Forwarded-Prefix": ["/evil"],
    "X-Forwarded-Server": ["evil.example"],
    "Forwarded": ["for=1.2.3.4;host=evil.example;proto=https", "for=" + TAG],
    "X-Real-Ip": ["1.2.3.4"],
    "X-Host": ["evil.example"],
    "X-Original-Url": ["/admin/", "/published/"],
    "X-Rewrite-Url": ["/admin/"],
    "Script-Name": ["/evil"],
    "X-Script-Name": ["/evil"],
    "Path-Info": ["/admin/"],
    "X-Http-Method-Override": ["POST", "DELETE"],
    "X-Http-Method": ["PUT"],
    "X-Method-Override": ["PUT"],
    "Accept": ["application/json", "text/html", "*/*;q=0", "x" * 2000, "application/xml", "q=\xff",
               "text/html;q=NaN", ",,,", "application/problem+json;v=1, */*;q=0.1"],
    "Accept-Encoding": ["gzip", "gzip;q=0", "identity;q=0", "br, gzip;q=0.5", "*;q=0", "gzip;q=x",
                        "gzip;q=9", "gzip, " * 300, "GZIP", "identity;q=nan, gzip;q=1"],
    "Accept-Language": ["de", "xx-" * 200, "../../etc", "*"],
    "Accept-Charset": ["utf-7", "utf-16"],
    "Range": ["bytes=0-0", "bytes=-1", "bytes=5-1", "bytes=0-,0-,0-", "bytes=" + "0-1," * 300, "x",
              f"bytes={BIG}-", "items=0-5", "bytes=0-18446744073709551616"],
    "If-Range": ['"x"', 'W/"x"', "Mon, 01 Jan 2020 00:00:00 GMT", "x"],
    "If-None-Match": ["*", '"x"', 'W/"' + "a" * 32 + '"', '"' * 99, "x" * 3000, 'W/"x", ' * 200],
    "If-Match": ["*", '"x"'],
    "If-Modified-Since": ["Mon, 01 Jan 2020 00:00:00 GMT", "Mon, 99 Foo 99999 99:99:99 GMT", BIG,
                          "Sat, 31 Dec 9999 23:59:59 GMT", "x"],
    "If-Unmodified-Since": ["Mon, 01 Jan 2020 00:00:00 GMT", "x"],
    "Hx-Request": ["true", "false", "x"],
    "Hx-Boosted": ["true", "x"],
    "Hx-Target": ["results", "filters", TAG, "x" * 500, "%E2%82%AC", "\xff"],
    "Hx-Target-Uri-Autoencoded": ["true"],
    "Hx-Trigger": ["q", "{", TAG],
    "Hx-Prompt": [TAG],
    "Hx-Current-Url": ["http://evil.example/", "http://[", "\xff", "//[",
                       "http://127.0.0.1/admin/"],
    "Hx-Current-Url-Uri-Autoencoded": ["true"],
    "Hx-History-Restore-Request": ["true", "x"],
    "Triggering-Event": ["{", "null", '{"a":1}'],
    "Cookie": ["casebook-session=x", "casebook-session=" + "a" * 3000, "casebook-csrf=" + TAG,
               "=;;=", "a=b; " * 200, "messages=[[x]]", "messages=W10:x:y", "\xff=\xfe",
               'x="\\377"'],
    "Authorization": ["Basic eDp5", "Basic \xff", "Bearer x", "Token " + BIG],
    "Content-Type": ["application/json", "multipart/form-data", "text/xml; charset=foo", "x",
                     "multipart/form-data; boundary=" + "a" * 300],
    "Content-Length": ["0", "-1", "x", "5", "99999"],
    "Transfer-Encoding": ["chunked", "identity", "xchunked", "chunked, chunked"],
    "X-Request-Id": ["abc", TAG, "x" * 500, "\xff", "a b"],
    "Origin": ["https://evil.example", "null", "\xff", "http://["],
    "Referer": ["https://evil.example/", "\xff", "http://[", TAG],
    "User-Agent": ["", TAG, "() { :; }; echo", "x" * 3000],
    "X-Requested-With": ["XMLHttpRequest"],
    "Access-Control-Request-Method": ["PUT", "x"],
    "Access-Control-Request-Headers": ["x" * 500, TAG],
    "Upgrade": ["websocket", "h2c"],
    "Connection": ["close", "upgrade", "Host", "keep-alive, X"],
    "Expect": ["100-continue", "x"],
    "Te": ["trailers"],
    "Max-Forwards": ["0"],
    "Via": ["1.1 x" * 100],
    "Cache-Control": ["no-cache", "only-if-cached"],
    "Pragma": ["no-cache"],
    "Save-Data": ["on"],
    "Purpose": ["prefetch"],
    "Sec-Fetch-Site": ["cross-site"],
    "Dnt": ["1"],
}  # fmt: skip
# What a cache may leave out of its key. With none of them may a plain answer change.
UNKEYED = [name for name in HEADERS if name not in ("Content-Length", "Transfer-Encoding")]
CSRF = "a" * 32
SELECT = r'<select[^>]*name="([\w-]+)"(.*?)</select>'
ENDINGS = (".csv", ".json", "~", ".bak", "%20", "%00", ";x", ".", ":")


@dataclass(frozen=True)
class Asked:
    """A request. `target`, names and values are Latin-1, as on the line."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    kind: str = ""


@dataclass(frozen=True)
class Known:
    """What is asked for when nobody is hostile: addresses by the name of their route, questions
    found in links and forms, and by name the values that words take.
    """

    addresses: dict[str, list[str]]
    questions: list[str]
    words: dict[str, list[str]]


def gathered(ask) -> Known:
    """Walks the route table for addresses, and the pages behind them for questions and words; `ask`
    gives the text at an address. Needs Django.
    """
    import json

    from django.contrib import admin
    from django.urls import NoReverseMatch, get_resolver, reverse

    from tests.addresses import arguments, names

    addresses = {}
    patterns = get_resolver().url_patterns
    for slug in ("published", "sener-2025-reconstruction", "drawn"):
        made_of = arguments(slug)
        for name in sorted(names(patterns)):
            for args in made_of[name][:40]:
                found = addresses.setdefault(name, [])
                if (address := reverse(name, args=args)) not in found:
                    found.append(address)
    for pattern in admin.site.get_urls():
        for one in getattr(pattern, "url_patterns", [pattern]):
            if one.name is None:
                continue
            parts = one.pattern.converters
            for given in ({}, dict.fromkeys(parts, 1), dict.fromkeys(parts, "published")):
                try:
                    address = reverse(f"admin:{one.name}", kwargs=given)
                except NoReverseMatch:
                    continue
                addresses.setdefault(f"admin:{one.name}", []).append(address)
    questions, words = set(), {}
    for name, found in addresses.items():
        if name.startswith("admin:") or "file" in name or "bundle" in name or "." in found[0]:
            continue
        for address in found[:2]:
            text = ask(address)
            for link in re.findall(r'(?:href|hx-get)="(/[^"#]*\?[^"#]*)', text)[:60]:
                questions.add(unescape(link))
            for word in re.findall(r'name="([\w-]+)"', text):
                words.setdefault(word, set())
            for word, options in re.findall(
                r'<select[^>]*name="([\w-]+)"(.*?)</select>', text, re.S
            ):
                words[word] |= set(map(unescape, re.findall(r'value="([^"]*)"', options)[:60]))
    for operations in json.loads(ask("/api/schema/"))["paths"].values():
        for each in operations["get"].get("parameters", []):
            if each["in"] == "query":
                kind = each["schema"].get("items", each["schema"])
                words.setdefault(each["name"], set()).update(map(str, kind.get("enum", [])))
    for question in questions:
        for word, value in parse_qsl(question.partition("?")[2], keep_blank_values=True):
            words.setdefault(word, set()).add(value)
    return Known(
        {name: sorted(set(found)) for name, found in sorted(addresses.items())},
        sorted(questions),
        {word: sorted(values)[:200] for word, values in sorted(words.items())},
    )


class Draws:
    """Hostile requests from what is known, one after another."""

    def __init__(self, known: Known, seed: int):
        self.known, self.any = known, random.Random(seed)
        self.names, self.words = list(known.addresses), list(known.words)
        self.public = [name for name in self.names if not name.startswith("admin:")]
        self.kinds = {
            self.question: 34, self.mutated_question: 12, self.odd_address: 15, self.header: 9,
            self.method: 8, self.path: 7, self.admin: 7, self.posted: 4, self.everything: 8,
        }  # fmt: skip

    def draw(self) -> Asked:
        kind = self.any.choices(list(self.kinds), list(self.kinds.values()))[0]
        return replace(kind(), kind=kind.__name__)

    def address(self) -> str:
        return self.any.choice(self.known.addresses[self.any.choice(self.public)])

    def plain(self) -> Asked:
        """A request that nobody minds."""
        if self.any.random() < 0.5 and self.known.questions:
            return Asked("GET", self.any.choice(self.known.questions))
        return Asked("GET", self.address())

    # The pieces

    def value(self, word: str) -> str:
        """A value as it stands in an address."""
        kind = self.any.random()
        right = self.known.words.get(word) or ["1"]
        if kind < 0.35:
            return quote_plus(self.any.choice(right))
        if kind < 0.75:
            return quote_plus(self.any.choice(VALUES).encode("utf-8", "surrogatepass"))
        if kind < 0.9:
            return self.any.choice(ENCODED)
        return self.twisted(self.any.choice(right) or "x")

    def twisted(self, text: str) -> str:
        how = self.any.randrange(7)
        if how == 0:
            return "".join(f"%{byte:02x}" for byte in text.encode())
        if how == 1:
            return quote(quote(text, safe=""), safe="")
        if how == 2:
            return "".join(f"%{byte:02X}" for byte in text.encode("utf-16"))
        if how == 3:
            return quote(text.upper())
        if how == 4:
            return quote("".join(chr(0xFEE0 + ord(c)) if "!" <= c <= "~" else c for c in text))
        if how == 5:
            return quote(text) + self.any.choice(ENCODED)
        return quote(text * 200)[:2000]

    def word(self) -> str:
        kind = self.any.random()
        word = self.any.choice(self.words)
        if kind < 0.85:
            return word
        twists = (word.upper(), f"{word}[]", f"{word}%20", f"{word}__in", f"%20{word}", f"{word}.x")
        return self.any.choice([*twists, quote_plus(TAG), "junk", *ENCODED])

    def query(self, most: int = 4) -> str:
        parts = []
        for _ in range(self.any.randint(1, most)):
            word = self.word()
            repeated = self.any.choice((1, 1, 1, 1, 2, 3, 200))
            parts += [f"{word}={self.value(word)}" for _ in range(repeated)]
        if self.any.random() < 0.1:
            parts.append(self.any.choice(ENCODED))
        return self.any.choice("&&&&&&;").join(parts)[:8000]

    # The kinds

    def question(self) -> Asked:
        """Words of forms at some address: all hostile, or right ones in odd company."""
        if self.any.random() < 0.4:
            return Asked("GET", f"{self.address()}?{self.query()}")
        path = self.any.choice(self.known.questions).partition("?")[0]
        if self.any.random() < 0.3:
            path = self.address()
        words = self.any.sample(self.words, self.any.randint(1, 4))
        parts = [
            f"{word}={quote_plus(self.any.choice(self.known.words[word] or ['1']))}"
            for word in words
        ]
        if self.any.random() < 0.5:
            parts.append(self.query(1))
        return Asked("GET", f"{path}?{'&'.join(parts)}"[:8000])

    def mutated_question(self) -> Asked:
        """A question of a link with one thing about it changed."""
        path, _, query = self.any.choice(self.known.questions).partition("?")
        parts = query.split("&")
        at = self.any.randrange(len(parts))
        word, _, value = parts[at].partition("=")
        how = self.any.randrange(7)
        if how == 0:
            parts[at] = f"{word}={self.value(word)}"
        elif how == 1:
            parts += [parts[at]] * self.any.choice((1, 5, 300))
        elif how == 2:
            parts[at] = word
        elif how == 3:
            parts[at] = f"{word}={value}{self.any.choice(ENCODED)}"
        elif how == 4:
            parts.append(f"{self.word()}={self.value(word)}")
        elif how == 5:
            path = self.address()
        else:
            parts = [self.twisted(query)]
        return Asked("GET", f"{path}?{'&'.join(parts)}"[:8000])

    def odd_address(self) -> Asked:
        """An address of the route table with one part of its path changed."""
        parts = self.address().split("/")
        at = self.any.randrange(1, len(parts))
        how = self.any.randrange(6)
        if how == 0:
            parts[at] = self.any.choice(ENCODED)
        elif how == 1:
            parts[at] = quote(self.any.choice(VALUES).encode("utf-8", "surrogatepass"))
        elif how == 2:
            parts.insert(at, self.any.choice(("", ".", "..", "%2e%2e", "x")))
        elif how == 3:
            parts[at] = self.twisted(parts[at] or "x")
        elif how == 4:
            parts[at] += self.any.choice(
                (".csv", ".json", "~", ".bak", "%20", "%00", ";x", ".", ":")
            )
        else:
            parts[at] = self.any.choice((f"{HIDDEN}-draft", f"{HIDDEN}-draft-1", "beispiel-2027"))
        return Asked("GET", "/".join(parts)[:8000] or "/")

    def header(self, most: int = 4) -> Asked:
        found = self.plain()
        return replace(found, headers=self.drawn_headers(most))

    def drawn_headers(self, most: int, names=tuple(HEADERS)) -> tuple[tuple[str, str], ...]:
        chosen = self.any.sample(names, self.any.randint(1, most))
        return tuple((name, self.any.choice(HEADERS[name])) for name in chosen)

    def method(self) -> Asked:
        body = self.any.choice((b"", b"a=1", b"{}", b"\x00\xff" * 50))
        return replace(self.plain(), method=self.any.choice(METHODS), body=body)

    def path(self) -> Asked:
        query = f"?{self.query(1)}" if self.any.random() < 0.2 else ""
        return Asked("GET", self.any.choice(PATHS) + query)

    def admin(self) -> Asked:
        names = [name for name in self.names if name.startswith("admin:")]
        address = self.any.choice(self.known.addresses[self.any.choice(names)])
        query = f"?{self.query(1)}" if self.any.random() < 0.3 else ""
        return Asked(self.any.choice(("GET", "GET", "POST")), address + query)

    def posted(self) -> Asked:
        """A form sent: a reader's suggestion, or a login, with hostile values; some with a CSRF
        token that holds.
        """
        names = ["suggest_patient", "suggest_study", "suggest_patient", "admin:login"]
        name = self.any.choice([one for one in names if one in self.known.addresses])
        address = self.any.choice(self.known.addresses[name])
        fields = ["csrfmiddlewaretoken=" + CSRF] if self.any.random() < 0.8 else []
        for word in ("proposed", "passage", "contact", "field", "website", "username", "password"):
            if word in ("username", "password") and self.any.random() < 0.9:
                continue  # hashing a password takes long
            if self.any.random() < 0.8:
                fields.append(f"{word}={self.value(word)}")
        query = self.any.choice(
            ("", "", "?field=age_years", "?field=sex", f"?field={self.value('')}")
        )
        body, kind = "&".join(fields).encode("latin-1"), "application/x-www-form-urlencoded"
        if self.any.random() < 0.2:
            kind = self.any.choice(HEADERS["Content-Type"])
        headers = (("Content-Type", kind), ("Cookie", f"casebook-csrf={CSRF}"))
        return Asked("POST", address + query, headers, body)

    def everything(self) -> Asked:
        found = self.any.choice((self.question, self.odd_address, self.mutated_question))()
        method = self.any.choice(METHODS) if self.any.random() < 0.2 else "GET"
        return replace(found, method=method, headers=self.drawn_headers(8))

    def variations(self, plain: Asked) -> list[Asked]:
        """The same with what a cache may leave out: headers, and words spelled otherwise."""
        found = [replace(plain, headers=self.drawn_headers(3, UNKEYED)) for _ in range(3)]
        mark = "&" if "?" in plain.target else "?"
        extra = self.any.choice(("utm_source=x", "&", "_=1", "release=", "x;y=1", "%00", "#"))
        found.append(replace(plain, target=f"{plain.target}{mark}{extra}"))
        found.append(replace(plain, method=self.any.choice(("HEAD", "POST", "OPTIONS"))))
        path, _, query = plain.target.partition("?")
        if query:
            found.append(replace(plain, target=f"{path}?{self.twisted(query)}"))
        else:
            other = self.any.choice(
                (f"/{path}", path.replace("/", "//", 1), f"{path}%20", f"/.{path}")
            )
            found.append(replace(plain, target=other))
        return found

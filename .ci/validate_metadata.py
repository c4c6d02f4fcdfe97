"""Holds each unpacked bundle against RO-Crate's and DataCite's own rules: `python
.ci/validate_metadata.py FOLDER`, in the environment of the validators.

Nothing is fetched: the context of RO-Crate comes from its own library, and is put where the
validator keeps what it once fetched.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import rocrate
from datacite import schema45
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from urllib3 import HTTPResponse

CONTEXT = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"


class FromFile(HTTPAdapter):
    """Answers every request by the content of one file."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path

    def send(self, request: PreparedRequest, **options) -> Response:
        answer = HTTPResponse(
            body=self.path.open("rb"),
            headers={"Content-Type": "application/ld+json"},
            status=200,
            preload_content=False,
            request_url=request.url,
        )
        return self.build_response(request, answer)


def keep_context(cache: str) -> None:
    """Puts the context where the validator looks for it."""
    address = json.loads(CONTEXT.read_text())["@id"]
    with CachedSession(cache, backend="sqlite", expire_after=-1) as session:
        session.mount("https://", FromFile(CONTEXT))
        session.get(address)


def main() -> None:
    folders = sorted(path.parent for path in Path(sys.argv[1]).glob("*/ro-crate-metadata.json"))
    if not folders:
        sys.exit("There is no bundle to validate.")
    validate = Path(sys.executable).with_name("rocrate-validator")
    with tempfile.TemporaryDirectory() as work:
        cache = str(Path(work) / "cache")
        keep_context(cache)
        for folder in folders:
            schema45.validator.validate(json.loads((folder / "datacite.json").read_text()))
            print(f"{folder.name}: valid DataCite 4.5")
            options = ["--offline", "--cache-path", cache, "--no-paging", "--verbose"]
            command = [validate, "--no-interactive", "--disable-color", "validate", *options]
            subprocess.run([*command, folder], check=True)


if __name__ == "__main__":
    main()

"""The examples in docs/ do what they say; `.ci/run` runs them against a real server, those for R too."""

import io
import re
import urllib.request
from pathlib import Path

import pytest

from evidence.curation.make_release import make_release

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "reading.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.S)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_run_as_they_stand(client, db, monkeypatch, capsys, number):
    make_release()

    def asked(address: str) -> io.BytesIO:
        response = client.get(re.sub(r"^http://(localhost:8000|testserver)", "", address))
        assert response.status_code == 200, address
        return io.BytesIO(response.getvalue())

    monkeypatch.setattr(urllib.request, "urlopen", asked)
    monkeypatch.delenv("CASEBOOK", raising=False)
    exec(compile(EXAMPLES[number], f"docs/reading.md, example {number}", "exec"), {})
    assert capsys.readouterr().out


def test_addresses_and_columns_of_the_examples_in_r_are_there(client, db):
    make_release()
    (code,) = re.findall(r"```r\n(.*?)```", TEXT, re.S)
    for path in re.findall(r'"(/[^"]+)"', code):
        header = client.get(path).getvalue().decode("utf-8-sig").splitlines()[0].split(",")
        assert {"patient", "evidence_kind", "empty_means"} <= set(header)
    assert set(re.findall(r"patients\$(\w+)", code)) <= {"age_years", "empty_means", "evidence_kind"}

"""The examples in docs/ do what they say; `.ci/run` runs them against a real server, those for R
too.
"""

import io
import re
import urllib.request
from pathlib import Path

import pandas
import pytest
from pandas.api.types import is_numeric_dtype

from evidence.curation.make_release import make_release
from evidence.tables import TABLES

pytestmark = pytest.mark.slow

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "reading.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.S)


class Answer(io.BytesIO):
    """What urlopen gives: a body with headers."""

    def __init__(self, response):
        super().__init__(response.getvalue())
        self.headers = response.headers


@pytest.fixture
def asked_in_process(client, db, monkeypatch):
    """urlopen asks the test client, whose Casebook has its first release."""
    make_release()

    def urlopen(asked) -> Answer:
        address = asked if isinstance(asked, str) else asked.full_url
        response = client.get(re.sub(r"^http://(localhost:8000|testserver)", "", address))
        assert response.status_code == 200, address
        return Answer(response)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    monkeypatch.delenv("CASEBOOK", raising=False)


def run(number: int) -> dict:
    """The names an example leaves behind."""
    names = {}
    exec(compile(EXAMPLES[number], f"docs/reading.md, example {number}", "exec"), names)
    return names


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_run_as_they_stand(asked_in_process, capsys, number):
    run(number)
    assert capsys.readouterr().out


@pytest.mark.parametrize("collection", ["published", "sener-2025-reconstruction"])
def test_pandas_reads_numbers_as_numbers_and_what_is_missing_as_missing(
    asked_in_process, collection
):
    (number,) = (place for place, code in enumerate(EXAMPLES) if "import pandas" in code)
    frame = run(number)["frame"]
    for noun, table in TABLES.items():
        found = frame(f"/{collection}/{noun}.csv")
        for column in table.file_columns:
            values = found[column.name]
            if column.numeric and len(found):
                assert is_numeric_dtype(values), f"{noun}: {column.name} is {values.dtype}"
            assert not values.isin(["", "not reported", "not extracted"]).any(), (
                f"{noun}: {column.name}"
            )
        if noun == "patients":
            assert set(found["empty_means"]) <= {"not reported", "not extracted"}
            assert found["age_years"].dtype == "float64" and found["age_years"].isna().any()


def test_pandas_leaves_the_finding_that_there_was_none(asked_in_process, world):
    (number,) = (place for place, code in enumerate(EXAMPLES) if "import pandas" in code)
    patients = run(number)["frame"]("/world/patients.csv").set_index("patient")
    assert patients.loc["alpha-2", "prior_therapies"] == "none"
    assert pandas.isna(patients.loc["alpha-4", "prior_therapies"])


def test_addresses_and_columns_of_the_examples_in_r_are_there(client, db):
    make_release()
    (code,) = re.findall(r"```r\n(.*?)```", TEXT, re.S)
    for path in re.findall(r'"(/[^"]+)"', code):
        header = client.get(path).getvalue().decode("utf-8-sig").splitlines()[0].split(",")
        assert {"patient", "evidence_kind", "empty_means"} <= set(header)
    assert set(re.findall(r"patients\$(\w+)", code)) <= {
        "age_years",
        "empty_means",
        "evidence_kind",
    }

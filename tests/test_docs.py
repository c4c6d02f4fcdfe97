"""The examples in docs/ do what they say; `.ci/run` runs them against a real server, those for R
too.
"""

import io
import json
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


ANALYSIS = Path(__file__).resolve().parent.parent / "docs" / "analysis"


def notebook_cells() -> list[str]:
    """The code of the notebook, cell by cell."""
    notebook = json.loads((ANALYSIS / "forest.ipynb").read_text(encoding="utf-8"))
    assert not any(cell.get("outputs") for cell in notebook["cells"]), "nothing of a run is kept"
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run_notebook(change=lambda cell: cell) -> dict:
    """The names the notebook leaves behind."""
    import matplotlib

    matplotlib.use("agg")
    names = {}
    for cell in notebook_cells():
        exec(compile(change(cell), "docs/analysis/forest.ipynb", "exec"), names)
    names["plt"].close("all")
    return names


def test_the_notebook_pools_what_the_page_pools(asked_in_process, client):
    found = run_notebook()
    page = client.get(found["ADDRESS"].replace("forest.csv", "forest/")).content.decode()
    result = found["result"]
    assert f"{result['percent']:.1f} % (95 % CI {result['ci_low']:.1f}–" in page
    assert result["tau2"] > 0.1


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("n - x + 1), 0)", "n - x + 2), 0)"),
        ("mu + tau * nodes", "mu + 1.1 * tau * nodes"),
        ("t.ppf(0.975, k - 2)", "t.ppf(0.975, k - 1)"),
        ('== "improved"', '== "stable"'),
    ],
)
def test_the_notebook_stops_where_its_numbers_are_not_the_pages(asked_in_process, right, wrong):
    assert right in "".join(notebook_cells())
    with pytest.raises(AssertionError):
        run_notebook(lambda cell: cell.replace(right, wrong))


def test_from_address_to_forest_plot_in_under_ten_lines():
    script = (ANALYSIS / "forest.R").read_text(encoding="utf-8")
    walk = script.split("# --- The walk")[1].split("# --- Is it")[0].splitlines()[1:]
    (drawn,) = (cell for cell in notebook_cells() if "errorbar(x / n" in cell)
    for lines in (walk, drawn.splitlines()):
        assert 5 < len([line for line in lines if line.strip()]) < 10
    assert "rma.glmm" in "".join(walk) and "addpoly" in "".join(walk)


def test_the_script_asks_addresses_that_are_there(asked_in_process, client):
    script = (ANALYSIS / "forest.R").read_text(encoding="utf-8")
    runner = (ANALYSIS.parent.parent / ".ci" / "run_examples.py").read_text(encoding="utf-8")
    addresses = re.findall(r'"(/[^"]+/forest\.csv[^"]+)"', script + runner)
    assert len(addresses) == 4
    for address in addresses:
        header = client.get(address).content.decode("utf-8-sig").splitlines()[0].split(",")
        read = set(re.findall(r"(?:theirs|studies|page)\$(\w+)", script)) - {"lo", "hi"}
        assert read <= set(header)


def test_pages_give_the_script_and_the_notebook(client, db):
    for page in ("/api/", "/published/forest/"):
        body = client.get(page).content.decode()
        for name in ("forest.R", "forest.ipynb"):
            assert f'href="/api/{name}"' in body, page
            answer = client.get(f"/api/{name}")
            assert answer.content == (ANALYSIS / name).read_bytes()
            assert f'filename="{name}"' in answer["Content-Disposition"]
    assert client.get("/api/forest.R?item=improved").status_code == 400


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

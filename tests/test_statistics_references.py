"""Our statistics beside R's: pooled proportions beside metafor, odds ratios beside fisher.test.

`references/` holds what `.ci/references.R` wrote. `.ci/run` lets R compute it all anew and names
the folder in CASEBOOK_R_REFERENCES.
"""

import csv
import os
from pathlib import Path

import pytest

from evidence.statistics import exact_comparison, pooled_proportion

FOLDER = Path(os.environ.get("CASEBOOK_R_REFERENCES") or Path(__file__).parent / "references")


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


SERIES = rows("pooled.csv")
TABLES = rows("tables.csv")


def numbers(text: str) -> list[int]:
    return [int(each) for each in text.split()]


def test_there_are_enough_real_and_drawn_series():
    drawn = sum(row["source"].startswith("drawn") for row in SERIES)
    assert drawn >= 100
    assert len(SERIES) - drawn >= 40
    assert len({(row["x"], row["n"]) for row in SERIES}) == len(SERIES)
    assert max(max(numbers(row["n"])) for row in SERIES) > 900_000
    assert min(min(numbers(row["n"])) for row in SERIES) == 1


@pytest.mark.parametrize("row", SERIES, ids=[row["source"] for row in SERIES])
def test_pooled_proportion_agrees_with_metafor(row):
    found = pooled_proportion(list(zip(numbers(row["x"]), numbers(row["n"]), strict=True)))
    assert found.mu == pytest.approx(float(row["mu"]), abs=0.005)
    assert found.se == pytest.approx(float(row["se"]), rel=0.02)
    assert found.tau2 == pytest.approx(float(row["tau2"]), rel=0.005, abs=1e-4)


def on_r_s_scale(odds_ratio: str | float) -> tuple[bool, float]:
    """fisher.test seeks an odds ratio above 1 by its reciprocal, to an absolute tolerance."""
    value = float(odds_ratio)
    return value > 1, 1 / value if value > 1 else value


TOLERANCE = 2**-13  # of R's uniroot: the fourth root of the smallest difference of two doubles


def test_odds_ratios_and_their_intervals_agree_with_fisher_test():
    apart = []
    for row in TABLES:
        table = [int(row[name]) for name in ("a", "m", "b", "n")]
        if sum(table[::2]) in (0, sum(table[1::2])):
            continue  # R gives 0 for the odds ratio that does not exist
        found = exact_comparison(*table)
        for name in ("odds_ratio", "low", "high"):
            ours, theirs = on_r_s_scale(getattr(found, name)), on_r_s_scale(row[name])
            if abs(ours[1] - theirs[1]) > TOLERANCE or (ours[0] != theirs[0] and theirs[1] < 0.99):
                apart.append((table, name, getattr(found, name), row[name]))
    assert not apart
    assert max(int(row["m"]) for row in TABLES) > 50_000


def test_the_central_p_agrees_with_the_tails_r_gives():
    for row in TABLES:
        table = [int(row[name]) for name in ("a", "m", "b", "n")]
        expected = pytest.approx(float(row["central_p"]), rel=1e-6, abs=1e-290)
        assert exact_comparison(*table).p == expected, table

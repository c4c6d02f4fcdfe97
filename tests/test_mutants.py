"""`make mutate` lets a change survive only if `.ci/mutants.txt` explains that very change."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DRIVER = runpy.run_path(str(ROOT / ".ci" / "mutate.py"))
DIFF = """--- evidence/statistics/exact.py
+++ evidence/statistics/exact.py
@@ -1,3 +1,3 @@
 def tails(self, counts):
-    return counts[0] * 2
+    return counts[1] * 2"""


def change(diff=DIFF):
    name = "evidence.statistics.exact.xǁHypergeometricǁtails__mutmut_7"
    return DRIVER["Mutant"](name, "evidence/statistics/exact.py", diff, 0)


@pytest.mark.parametrize(
    ("where", "lines", "explained"),
    [
        ("Hypergeometric.tails", ["- return counts[0] * 2", "+ return counts[1] * 2"], True),
        ("Hypergeometric.tails", ["- return counts[0] * 2", "+ return …"], True),
        ("Hypergeometric.tails", ["- return counts[0] * 2", "+ return counts[2] * 2"], False),
        ("Hypergeometric.tails", ["- return counts[0] * 3", "+ return …"], False),
        ("Hypergeometric.tails", ["- return counts[0] * 2", "+ return counts[1] 9 2"], False),
        ("Hypergeometric.mean", ["- return counts[0] * 2", "+ return counts[1] * 2"], False),
    ],
)
def test_an_entry_is_about_one_function_and_the_lines_it_names(where, lines, explained):
    entry = DRIVER["Explained"](f"evidence/statistics/exact.py: {where}", lines, "for a reason")
    assert entry.is_about(change()) is explained


def test_every_entry_has_a_reason_and_names_lines_that_are_there():
    entries = DRIVER["explained"]()
    assert entries
    for entry in entries:
        path, _, function = entry.where.partition(": ")
        text = (ROOT / path).read_text()
        assert f"def {function.rpartition('.')[2]}(" in text, entry.where
        there = {line.strip() for line in text.splitlines()}
        assert {line[2:] for line in entry.lines if line[0] == "-"} <= there, entry.where
        assert entry.reason


def test_an_entry_without_a_reason_is_refused(tmp_path, monkeypatch):
    lonely = tmp_path / "mutants.txt"
    lonely.write_text("# nothing\n\nevidence/statistics/exact.py: tails\n- a\n+ b\n")
    monkeypatch.setitem(DRIVER["explained"].__globals__, "EXPLAINED", lonely)
    with pytest.raises(ValueError, match="reason"):
        DRIVER["explained"]()


def test_every_package_names_tests_that_exist():
    for package, tests in DRIVER["TESTS"].items():
        assert (ROOT / package).is_dir()
        assert all((ROOT / name).is_file() for name in (*tests.quick, *tests.others))

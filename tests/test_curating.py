"""docs/curating.md, run as written: from an empty workbook to a published study."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .processes import ROOT, environment

pytestmark = pytest.mark.slow

TEXT = (ROOT / "docs" / "curating.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", TEXT, re.S)


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> str:
    """What all blocks print, run one after the other in one shell, in a copy of the folder."""
    folder = tmp_path_factory.mktemp("curating")
    for name in ("manage.py", "evidence", "fixtures", "templates", "static"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "var").mkdir()
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    script = ["set -e"]
    for kind, block in BLOCKS:
        script.append(block if kind == "sh" else f"{sys.executable} - <<'CODE'\n{block}\nCODE")
    variables = environment(folder / "unused.sqlite3", PATH=os.environ["PATH"])
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    run = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env={name: value for name, value in variables.items() if name != "PYTEST_VERSION"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_every_step_works_as_it_is_written(told):
    assert "Published as version" in told
    assert "full text, read in part" in told
    assert "52 weeks" in told  # said as converted


def test_the_steps_leave_nothing_in_the_repository(told):
    assert not Path(ROOT, "var", "practice.xlsx").exists()

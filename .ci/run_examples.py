"""Runs the examples of docs/reading.md, and docs/analysis/forest.R, against a Casebook: `python
.ci/run_examples.py http://localhost:8000`. The notebook beside that script is run by Jupyter.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
TEXT = (DOCS / "reading.md").read_text(encoding="utf-8")
RUNS = {"python": [sys.executable, "-"], "r": ["Rscript", "-"]}
# What docs/analysis/forest.R is asked for besides the address it has itself: pooled without any
# spread between studies; over all patients; published, where there is too little to pool.
FORESTS = [
    "/sener-2025-reconstruction/forest.csv?item=relapsed&release=1",
    "/sener-2025-reconstruction/forest.csv?item=improved&release=1",
    "/published/forest.csv?release=1",
]
environment = os.environ | {"CASEBOOK": sys.argv[1]}

for language, command in RUNS.items():
    if shutil.which(command[0]) is None:
        print(f"{command[0]} is not here, so the examples in {language} were not run.")
        continue
    for code in re.findall(rf"```{language}\n(.*?)```", TEXT, re.S):
        subprocess.run(command, input=code, text=True, check=True, env=environment)

if shutil.which("Rscript"):
    with tempfile.TemporaryDirectory() as folder:
        for addresses in [[], *([address] for address in FORESTS)]:
            script = ["Rscript", DOCS / "analysis" / "forest.R", *addresses]
            subprocess.run(script, check=True, env=environment, cwd=folder)

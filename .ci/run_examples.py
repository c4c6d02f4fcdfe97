"""Runs the examples of docs/reading.md against a Casebook: `python .ci/run_examples.py
http://localhost:8000`.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "reading.md").read_text(encoding="utf-8")
RUNS = {"python": [sys.executable, "-"], "r": ["Rscript", "-"]}

for language, command in RUNS.items():
    if shutil.which(command[0]) is None:
        print(f"{command[0]} is not here, so the examples in {language} were not run.")
        continue
    for code in re.findall(rf"```{language}\n(.*?)```", TEXT, re.S):
        subprocess.run(
            command, input=code, text=True, check=True, env=os.environ | {"CASEBOOK": sys.argv[1]}
        )

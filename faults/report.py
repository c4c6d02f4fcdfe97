"""Writes the table of faults in docs/reliability.md from what `faults.run` left in var/faults.

python -m faults.report [--print]

Between the two marks of that file everything is made anew; the rest of it is left alone. Ends with
1 where a row says that something was not as it has to be.
"""

import argparse
import json
import re
import sys

from .harness import RESULTS
from .servers import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: made by python -m faults.report -->", "<!-- faults: end -->"
HEAD = [
    "| fault | database | what readers got | lost | seconds to recover |",
    "| --- | --- | --- | --- | --- |",
]


def readers_said(row: dict) -> str:
    """Answers of each kind, the right ones first; how many of those were marked; the slowest."""
    counts = sorted(row["readers"].items(), key=lambda each: (each[0] != "right", each[0]))
    said = []
    for kind, count in counts:
        words = f"{count:,} × {kind}"
        if kind == "right" and row["marked"]:
            words += f" ({row['marked']:,} marked)"
        said.append(words)
    if row["longest"] >= 1:
        said.append(f"slowest {row['longest']:.1f} s")
    return ", ".join(said) or "-"


def line_of(row: dict) -> str:
    seconds = "-" if row["seconds"] is None else f"{row['seconds']:.1f}"
    lost = row["lost"] or "-"
    if row["problems"]:
        lost = f"**not as it has to be**: {'; '.join(row['problems'])[:300]}"
    cells = [row["fault"], row["database"], readers_said(row), lost, seconds]
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "/") for cell in cells) + " |"


def table() -> tuple[str, int]:
    """The table with what stands above it, and how many rows are not as they have to be."""
    machine = json.loads((RESULTS / "machine.json").read_text())
    rows = [
        row for path in sorted(RESULTS.glob("[0-9]*.json")) for row in json.loads(path.read_text())
    ]
    about = ", ".join(f"{name} {value}" for name, value in machine.items() if name[0].isupper())
    bad = sum(bool(row["problems"]) for row in rows)
    answers = sum(sum(row["readers"].values()) for row in rows)
    said = (
        f"Tried on {machine['day']}, the latest of them at commit {machine['commit']}: "
        f"{machine['cores']} cores, {machine['memory']} of memory, {about}. {len(rows)} faults, "
        f"{answers:,} answers to readers; not as it has to be: {bad}."
    )
    return "\n".join([said, "", *HEAD, *map(line_of, rows)]), bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--print", action="store_true", help="leave the file alone")
    made, bad = table()
    if parser.parse_args().print:
        print(made)
        return int(bool(bad))
    text = DOCUMENT.read_text(encoding="utf-8")
    between = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if len(between.findall(text)) != 1:
        sys.exit(f"{DOCUMENT} has to have the two marks once.")
    text = between.sub(lambda _: f"{BEGIN}\n\n{made}\n\n{END}", text)
    DOCUMENT.write_text(text, encoding="utf-8")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())

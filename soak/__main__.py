"""All of it, one after the other: `python -m soak`, `python -m soak --short`.

The short form, for every change: 3,000 hostile requests, fifteen seconds of overload, the front.
Needs Redis, and for the front and the hosts root, iproute2 and nginx; says so where they miss.
"""

import argparse
import subprocess
import sys
import time

from .server import ROOT

SHORT = [
    ["soak.hostile", "--requests", "3000", "--minutes", "2"],
    ["soak.load", "--short"],
]
WHOLE = [
    ["soak.hostile"],
    ["soak.load"],
    ["soak.front"],
    ["soak.hosts"],
    ["soak.engine"],
    ["soak.report"],
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true")
    failed = []
    for part in SHORT if parser.parse_args().short else WHOLE:
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-m", *part], cwd=ROOT, check=False)
        print(f"{' '.join(part)}: {time.monotonic() - began:.0f} s", flush=True)
        if done.returncode:
            failed.append(part[0])
    if failed:
        print(f"Failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Static audit of our code, and what is known against the packages we depend on.

The first needs nothing, and fails where bandit finds something. The second asks a service (PyPI,
OSV); where that cannot be reached it says loudly that it was NOT DONE, and fails nothing. Known
weaknesses fail.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
LOUD = "#" * 78


def static(tools: Path) -> bool:
    """Whether bandit finds nothing that nobody has looked at; it prints what it finds."""
    command = [tools / "bandit", "-q", "-c", "pyproject.toml", "-r", "evidence", "manage.py"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def known_weaknesses(tools: Path, lock: str) -> list[str] | None:
    """What is known against the packages of a lock file; None where nobody could be asked."""
    command = [tools / "pip-audit", "--require-hashes", "--disable-pip", "--no-deps"]
    command += ["--progress-spinner", "off", "--timeout", "20", "--format", "json", "-r", lock]
    try:
        told = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
        )
        packages = json.loads(told.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return None
    skipped = [one["name"] for one in packages if "skip_reason" in one]
    if skipped:
        print(f"{lock}: not known to the service: {', '.join(skipped)}")
    return [
        f"{one['name']} {one['version']}: {weakness['id']}, mended in "
        f"{', '.join(weakness['fix_versions']) or 'no version'}"
        for one in packages
        for weakness in one.get("vulns", ())
    ]


def main() -> None:
    tools = Path(sys.argv[1])
    if not static(tools):
        sys.exit("The static audit found something.")
    print("Static audit (bandit): nothing found.")
    found = []
    for lock in LOCKS:
        weaknesses = known_weaknesses(tools, lock)
        if weaknesses is None:
            print(f"{LOUD}\nAUDIT OF DEPENDENCIES NOT DONE: {lock}\nIts service cannot be reached ")
            print(f"from here. Run it where it can: pip-audit --disable-pip -r {lock}\n{LOUD}")
        else:
            print(f"{lock}: {len(weaknesses)} known weaknesses.")
            found += weaknesses
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()

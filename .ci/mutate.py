"""Mutation tests of `evidence/statistics/` and `evidence/questions/`: `make mutate`.

mutmut changes one thing at a time in a function (a `<` becomes `<=`, a 1 becomes 2) and asks the
tests about it; a change that no test notices survives. All of this happens in a copy of the working
tree under `var/mutate/`, so the tree itself is never changed.

A survivor is a test that is missing, or a change that makes no difference. The latter stand in
`mutants.txt` beside this file, each with its reason. Ends with 0 if all survivors are explained.

What mutmut does not change: module constants, and functions with a decorator other than
`classmethod` and `staticmethod`, so no property.
"""

import argparse
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "var" / "mutate"
EXPLAINED = Path(__file__).with_name("mutants.txt")
ANYTHING = "…"  # in an explained entry: whatever stands here


# The tests that are about each package. `quick` ones are asked about every change in a process
# forked for it, except where they are slow; all of them about each change that survives those.
@dataclass(frozen=True)
class Tests:
    quick: tuple[str, ...]
    others: tuple[str, ...] = ()


TESTS = {
    "evidence/statistics": Tests(
        (
            "tests/test_statistics.py",
            "tests/test_statistics_exact.py",
            "tests/test_statistics_references.py",
            "tests/test_statistics_pooling.py",
        )
    ),
    "evidence/questions": Tests(
        ("tests/test_questions.py", "tests/test_unknown_words.py", "tests/test_three_answers.py"),
        ("tests/test_filter_form.py", "tests/test_filters.py"),
    ),
}
PYTEST = ["-p", "no:cacheprovider", "-p", "no:xdist"]
KILLED = {1, 3}  # what pytest returns where a test failed, or the change broke pytest itself
TOO_LONG = {36, -24, 24, 152, 255, -9}  # the time was up: it runs without end


@dataclass(frozen=True)
class Mutant:
    """One change: where, its diff, and the code the tests ended with."""

    name: str  # mutmut's
    path: str
    diff: str
    ended: int | None

    @property
    def function(self) -> str:
        """`Class.method`, or the name of a function."""
        mangled = self.name.rpartition(".")[2].partition("__mutmut_")[0]
        return mangled.removeprefix("xǁ").removeprefix("x_").replace("ǁ", ".")

    @property
    def lines(self) -> list[str]:
        """The changed lines alone, without indentation: `- before`, `+ after`."""
        changed = [line for line in self.diff.splitlines()[2:] if line[:1] in ("-", "+")]
        return [f"{line[0]} {line[1:].strip()}" for line in changed]


@dataclass
class Explained:
    """An entry of `mutants.txt`: a change that may survive, and why."""

    where: str
    lines: list[str] = field(default_factory=list)
    reason: str = ""
    met: int = 0

    def is_about(self, mutant: Mutant) -> bool:
        pattern = "\n".join(re.sub(r"([\[*?])", r"[\1]", line) for line in self.lines)
        return self.where == f"{mutant.path}: {mutant.function}" and fnmatch.fnmatchcase(
            "\n".join(mutant.lines), pattern.replace(ANYTHING, "*")
        )


def explained() -> list[Explained]:
    """The entries of `mutants.txt`. Raises ValueError for one without a reason or without lines."""
    entries = []
    text = "\n".join(line for line in EXPLAINED.read_text().splitlines() if line[:1] != "#")
    for block in re.split(r"\n\s*\n", text.strip()):
        where, *rest = [line.strip() for line in block.splitlines()] or [""]
        changed = [line for line in rest if line[:2] in ("- ", "+ ")]
        reason = " ".join(line for line in rest if line not in changed)
        if not where:
            continue
        if not changed or not reason:
            raise ValueError(f"{EXPLAINED.name}: {where}: a change and its reason are needed")
        entries.append(Explained(where, changed, reason))
    return entries


def git(*words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


def usual_base() -> str:
    """What a change is compared with: where this branch left origin/main; on main, the last release
    tag; without one, the commit before.
    """
    left = git("merge-base", "HEAD", "origin/main")
    if left and left != git("rev-parse", "HEAD"):
        return left[0]
    return next(iter(git("describe", "--tags", "--abbrev=0")), "HEAD~1")


def changed_files(base: str) -> list[str]:
    """Files of the packages that differ from `base`, those not yet committed among them."""
    if not git("rev-parse", "--verify", f"{base}^{{commit}}"):
        sys.exit(f"There is no commit {base}. Name files: FILES=evidence/statistics/exact.py")
    names = git("diff", "--name-only", "--diff-filter=d", base, "--", *TESTS)
    names += git("ls-files", "--others", "--exclude-standard", "--", *TESTS)
    return sorted({name for name in names if name.endswith(".py")})


def copied(package: str, files: list[str]) -> Path:
    """A copy of the working tree, with mutmut's settings for these files."""
    work = WORK / Path(package).name
    shutil.rmtree(work, ignore_errors=True)
    names = git("ls-files", "--cached", "--others", "--exclude-standard")
    for name in names:
        if (ROOT / name).is_file():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, work / name)
    settings = {
        "source_paths": ["evidence"],
        "only_mutate": files,
        "also_copy": sorted({name.split("/")[0] for name in names} - {"evidence"}),
        # The database is in memory; kept, it is there already in the process forked for a change.
        "pytest_add_cli_args": [*PYTEST, "--reuse-db", "-m", "not browser and not slow"],
        "pytest_add_cli_args_test_selection": list(TESTS[package].quick),
        "timeout_multiplier": 3,
        "track_dependencies": False,
        "use_git_change_detection": False,
    }
    with (work / "pyproject.toml").open("a") as config:
        config.write("\n[tool.mutmut]\n")
        for name, value in settings.items():
            config.write(f"{name} = {json.dumps(value)}\n")
    return work


def environment(**more: str) -> dict[str, str]:
    """That of the tests; with CI set, random examples are the same each time."""
    return os.environ | {"CI": "1", "PYTHONDONTWRITEBYTECODE": "1"} | more


def mutants_of(work: Path, path: str) -> list[Mutant]:
    """All changes of a file, as mutmut recorded them."""
    # Reads the files that mutmut wrote relative to the current directory.
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    recorded = work / "mutants" / f"{path}.meta"
    if not recorded.exists():
        return []
    ended = json.loads(recorded.read_text())["exit_code_by_key"]
    before = Path.cwd()
    os.chdir(work)
    try:
        return [
            Mutant(name, path, "" if code in KILLED else get_diff_for_mutant(name, path=path), code)
            for name, code in ended.items()
        ]
    finally:
        os.chdir(before)


def survives_alone(work: Path, package: str, name: str) -> bool:
    """Whether a change survives all tests of the package in a process of its own.

    mutmut forks after everything is imported, so a function that is called while importing has done
    so unchanged, and what is remembered was so before the change. And the quick tests are not all.
    """
    tests = TESTS[package]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", *PYTEST, *tests.quick, *tests.others],
        cwd=work / "mutants",
        env=environment(MUTANT_UNDER_TEST=name),
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def mutate(package: str, files: list[str], entries: list[Explained], most: int) -> bool:
    """Runs the changes of these files; prints survivors and numbers. Whether all is explained."""
    work = copied(package, files)
    command = [Path(sys.executable).with_name("mutmut"), "run", "--max-children", str(most)]
    with (work / "mutmut.log").open("w") as log:
        said = None if sys.stdout.isatty() else log  # it shows progress; what counts comes after
        subprocess.run(command, cwd=work, env=environment(), stdout=said, stderr=said, check=False)
    mutants = [mutant for path in files for mutant in mutants_of(work, path)]
    left, numbers = [], {path: Counter() for path in files}
    for mutant in mutants:
        entry = next((each for each in entries if each.is_about(mutant)), None)
        if mutant.ended in KILLED | TOO_LONG:
            numbers[mutant.path]["killed"] += 1
        elif entry:
            entry.met += 1
            numbers[mutant.path]["explained"] += 1
        else:
            left.append(mutant)
    # Those that mutmut did not come to, as where no quick test calls any of them, are left too.
    if left:
        print(f"{len(left)} changes are left; all tests of {package} are asked about each alone")
        if not survives_alone(work, package, ""):
            print("The tests fail without any change.")
            return False
    with ThreadPoolExecutor(most) as pool:
        alone = list(pool.map(lambda mutant: survives_alone(work, package, mutant.name), left))
    for mutant, survives in zip(left, alone, strict=True):
        numbers[mutant.path]["survived" if survives else "killed"] += 1
        if survives:
            print(f"\n{mutant.path}: {mutant.function}\n{mutant.diff}")
    for entry in entries:
        if entry.where.partition(":")[0] in files and not entry.met:
            print(f"\nExplained, but it does not survive or is gone: {entry.where}")
            print("\n".join(entry.lines))
    print()
    for path, found in numbers.items():
        print(
            f"{path}: {found.total()} changes, {found['killed']} killed, "
            f"{found['explained']} explained, {found['survived']} survived"
        )
    return not any(found["survived"] for found in numbers.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", help="files to change, instead of those that differ")
    parser.add_argument("--base", help="the commit that files are compared with")
    parser.add_argument("--children", type=int, default=os.cpu_count(), help="processes at once")
    asked = parser.parse_args()
    files = [os.path.relpath(Path(name).resolve(), ROOT) for name in asked.files]
    if not files:
        base = asked.base or usual_base()
        files = changed_files(base)
        if not files:
            print(f"No file of {' or '.join(TESTS)} differs from {base}.")
            return 0
    inside = tuple(f"{package}/" for package in TESTS)
    wrong = [name for name in files if not (ROOT / name).is_file() or not name.startswith(inside)]
    if wrong:
        sys.exit(f"{', '.join(wrong)}: no file of {' or '.join(TESTS)}")
    entries = explained()
    fine = True
    for package in TESTS:
        mine = [name for name in files if name.startswith(f"{package}/")]
        fine = (not mine or mutate(package, mine, entries, asked.children)) and fine
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())

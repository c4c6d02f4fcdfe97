"""Imports point one way: a package uses only packages before it in the list."""

import ast
import re
import sys
from pathlib import Path

import pytest

import evidence

PACKAGE = Path(evidence.__file__).parent
ORDER = [
    "time_bound",
    "database_file",
    "settings",
    "problems",
    "models",
    "statistics",
    "questions",
    "counting",
    "summaries",
    "tables",
    "charts",
    "downloads",
    "curation",
    "backups",
    "web",
    "api",
    "urls",
    "admin",
    "management",
]
# pairs that never meet
APART = {("web", "api"), ("api", "web"), ("web", "curation"), ("api", "curation")}
# Wiring: no package imports it, and it imports no more than is written here.
WIRING = {
    "apps": {"models"},
    "context_processors": set(),
    "entrance": {"admin", "api"},
    "gunicorn_conf": {"counting", "settings"},
    "logs": {"settings"},
    "middleware": {"models", "problems", "time_bound"},
    "observing": {"api"},
    "roles": set(),
    "outage": {"middleware", "models", "problems"},
    "shared_cache": set(),
    "templatetags": {"downloads", "models", "summaries"},
    "work_limits": {"api", "counting", "middleware", "models", "time_bound"},
    "worker": set(),
    "wsgi": set(),
}


def modules(name: str) -> list[Path]:
    module = PACKAGE / f"{name}.py"
    return [module] if module.exists() else sorted((PACKAGE / name).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Packages of `evidence` that a file imports from, wherever in the file it does."""
    here, found = ["evidence", *path.relative_to(PACKAGE).parts[:-1]], set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            target = [*base, *(node.module or "").split(".")] if node.module else base
            if target[:1] == ["evidence"]:
                found |= {target[1]} if len(target) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            parts = [alias.name.split(".") for alias in node.names]
            found |= {part[1] for part in parts if part[0] == "evidence" and len(part) > 1}
    return found


def test_every_package_has_its_place():
    found = {path.stem for path in PACKAGE.glob("*.py")}
    found |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert found - {"__init__", "migrations"} == set(ORDER) | set(WIRING)


@pytest.mark.parametrize("name", ORDER)
def test_imports_point_one_way(name):
    before = set(ORDER[: ORDER.index(name)]) - {second for first, second in APART if first == name}
    for path in modules(name):
        wrong = imported(path) & (set(ORDER) | set(WIRING)) - before - {name}
        assert not wrong, f"{path.relative_to(PACKAGE)} imports {wrong}"


@pytest.mark.parametrize(("name", "allowed"), WIRING.items())
def test_wiring_imports_little(name, allowed):
    for path in modules(name):
        assert imported(path) & set(ORDER) <= allowed, path


def test_no_package_imports_itself_in_a_circle():
    """Within a package, modules can be read one after the other, at import time."""
    for package in PACKAGE.rglob("__init__.py"):
        siblings = {
            path.stem: path for path in package.parent.glob("*.py") if path.stem != "__init__"
        }
        arrows = {
            name: direct_siblings(path) & set(siblings) - {name} for name, path in siblings.items()
        }
        while free := {name for name, used in arrows.items() if not used & set(arrows)}:
            arrows = {name: used for name, used in arrows.items() if name not in free}
        assert not arrows, f"{package.parent.name}: {arrows}"


def direct_siblings(path: Path) -> set[str]:
    """Modules of the same package that a file imports when it is imported itself."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names = {alias.name for alias in node.names}
            found |= {node.module.split(".")[0]} if node.module else names
    return found


def test_the_inner_engine_stays_behind_its_wall():
    """Outside `counting`, nobody opens the snapshot but the command that prepares it."""
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).parts[0]
        if name not in ("counting", "migrations"):
            assert "counting.snapshot" not in path.read_text(), path


def test_charts_know_no_database_and_no_request():
    for path in modules("charts"):
        assert not re.search(r"objects\.|HttpRequest|django\.db", path.read_text()), path


def test_statistics_knows_no_django():
    for path in modules("statistics"):
        assert not any(
            name.startswith("django")
            for node in ast.walk(ast.parse(path.read_text()))
            for name in [
                getattr(node, "module", None) or "",
                *(a.name for a in getattr(node, "names", ()) if hasattr(a, "name")),
            ]
        ), path


def test_only_summaries_and_counting_count():
    """Views, the API and downloads ask; they do not aggregate."""
    for name in ("web", "api", "downloads"):
        for path in modules(name):
            assert not re.search(r"\.aggregate\(|Count\(|Sum\(", path.read_text()), path


# What somebody who follows one filter word has to read: files of `evidence` in which something
# runs, at most. A package behind a public interface (`counting`, `summaries`, ...) can be read
# without being opened; then it is one stop.
JOURNEYS = {"/published/?sex=female": (69, 37), "/published/patients.csv?sex=female": (47, 24)}
INTERFACES = {"statistics", "counting", "summaries", "tables", "charts", "downloads", "models"}


@pytest.mark.parametrize(("address", "most"), JOURNEYS.items())
def test_the_way_of_a_filter_word_stays_short(client, published, address, most):
    def read(sex: str) -> None:
        response = client.get(address.replace("female", sex))
        assert b"".join(response) if response.streaming else response.content

    def note(frame, event: str, argument) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE):
            files.add(path.relative_to(PACKAGE))

    files: set[Path] = set()
    for sex in ("male", "unknown"):  # what is read once and kept is no part of the way
        read(sex)
    sys.setprofile(note)
    try:
        read("female")
    finally:
        sys.setprofile(None)
    stops = {path.parts[0] if path.parts[0] in INTERFACES else str(path) for path in files}
    assert len(files) <= most[0] and len(stops) <= most[1], (
        len(files),
        len(stops),
        sorted(stops),
        sorted(map(str, files)),
    )

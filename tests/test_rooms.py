"""Imports point one way: a room uses only rooms above it."""

import re
from pathlib import Path

import pytest

import evidence

PACKAGE = Path(evidence.__file__).parent
LADDER = [
    "database_file",
    "settings",
    "problems",
    "choices",
    "missing",
    "models",
    "statistics",
    "steady",
    "vocabulary",
    "questions",
    "fields",
    "filters",
    "cohort",
    "summaries",
    "charts",
    "columns",
    "releases",
    "dictionary",
    "citations",
    "phenopackets",
    "exports",
    "integrity",
    "fixture_files",
    "loading",
    "reconstruction",
    "bulk",
    "generation",
    "releasing",
    "methods",
    "views",
    "api",
    "urls",
    "admin",
    "management",
]
# Doors and wiring: they stand outside the ladder and touch no more than is written here.
DOORS = {
    "apps": {"models"},
    "context": set(),
    "gunicorn_conf": {"cohort"},
    "middleware": {"models", "problems", "steady"},
    "plotly_script": set(),
    "templatetags": {"models", "releases", "steady"},
    "wsgi": set(),
}


def files(room: str) -> list[Path]:
    return [PACKAGE / f"{room}.py"] if (PACKAGE / f"{room}.py").exists() else sorted((PACKAGE / room).rglob("*.py"))


def rooms_used(path: Path) -> set[str]:
    """Rooms a file imports from, by its relative imports."""
    depth = len(path.relative_to(PACKAGE).parts)  # dots that lead to the package
    used = set()
    for dots, module, names in re.findall(r"^\s*from (\.+)([\w.]*) import (\([^)]*\)|[^\n]+)", path.read_text(), re.M):
        if len(dots) != depth:
            continue
        heads = [module.split(".")[0]] if module else re.findall(r"\w+", names)
        used.update(heads)
    return used


def test_every_room_is_on_the_ladder_or_a_door():
    found = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert found - {"__init__", "migrations"} == set(LADDER) | set(DOORS)


@pytest.mark.parametrize("room", LADDER)
def test_imports_point_up(room):
    above = set(LADDER[: LADDER.index(room)])
    for path in files(room):
        reached = rooms_used(path) & (set(LADDER) | set(DOORS))
        assert reached <= above | {room}, f"{path.relative_to(PACKAGE)} reaches down to {reached - above}"


@pytest.mark.parametrize(("door", "allowed"), DOORS.items())
def test_doors_touch_little(door, allowed):
    for path in files(door):
        assert rooms_used(path) & set(LADDER) <= allowed


def test_charts_know_no_database_and_no_request():
    for path in files("charts"):
        assert not re.search(r"objects\.|HttpRequest|django\.db", path.read_text()), path


def test_statistics_knows_no_django():
    for path in files("statistics"):
        assert "django" not in path.read_text().replace("no Django", "").lower(), path


def test_only_summaries_and_the_cohort_count():
    """Views and exports ask; they do not aggregate."""
    for room in ("views", "exports"):
        for path in files(room):
            assert not re.search(r"\.aggregate\(|Count\(|Sum\(", path.read_text()), path

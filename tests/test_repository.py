"""The repository itself: it stands alone, pins exactly, and its documents are true."""

import hashlib
import re
import subprocess
from pathlib import Path

import plotly
import pytest
from django.contrib.staticfiles import finders

ROOT = Path(__file__).resolve().parent.parent
MOST_BYTES = 1_500_000
# What tools, editors and systems leave behind.
LOCAL_FOLDERS = {
    *(
        "__pycache__",
        ".pytest_cache",
        ".ruff_cache",
        ".mypy_cache",
        ".hypothesis",
        ".schemathesis",
        ".cache",
    ),
    *(
        ".venv",
        "venv",
        "var",
        "node_modules",
        "htmlcov",
        ".tox",
        "mutants",
        ".mutmut-cache",
        "dist",
        "build",
    ),
    *(".idea", ".vscode", ".vs", ".fleet", ".settings", ".ipynb_checkpoints", "__MACOSX"),
}
LOCAL_NAMES = {
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    ".env",
    ".coverage",
    "secret-key",
    ".python-version",
}
LOCAL_ENDINGS = (
    *(".pyc", ".pyo", ".sqlite3", ".sqlite3-wal", ".sqlite3-shm", ".sqlite", ".db", ".log", ".pid"),
    *(".swp", ".swo", "~", ".orig", ".rej", ".bak", ".tmp", ".iml"),
)


def tracked() -> list[Path]:
    """Files git knows; in an unpacked archive without git, every file that is not made by
    running.
    """
    done = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode == 0 and done.stdout:
        return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).exists()]
    return [
        path for path in ROOT.rglob("*") if path.is_file() and not is_local(path.relative_to(ROOT))
    ]


def is_local(path: Path) -> bool:
    """Whether a file was left behind by running, editing or looking, and belongs to one machine."""
    return (
        bool(LOCAL_FOLDERS & set(path.parts))
        or path.name in LOCAL_NAMES
        or path.name.endswith(LOCAL_ENDINGS)
    )


def test_nothing_that_belongs_to_one_machine_is_tracked():
    assert [str(path) for path in tracked() if is_local(path.relative_to(ROOT))] == []


@pytest.mark.parametrize(
    "name",
    [
        ".schemathesis/cassettes/one.json",
        "tests/__pycache__/x.cpython-311.pyc",
        "casebook.sqlite3",
        "copies/casebook.sqlite3-wal",
        ".hypothesis/unicode_data/x.json.gz",
        ".pytest_cache/README.md",
        "static/node_modules/x/index.js",
        "docs/.DS_Store",
        ".idea/workspace.xml",
        ".vscode/settings.json",
        "evidence/.views.py.swp",
        "README.md~",
        ".env",
    ],
)
def test_what_belongs_to_one_machine_is_known(name):
    assert is_local(Path(name))


def test_no_tracked_file_is_large():
    assert [str(path) for path in tracked() if path.stat().st_size > MOST_BYTES] == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_dependency_is_pinned_exactly_and_says_why(name):
    for line in (ROOT / name).read_text().splitlines():
        if line and not line.startswith(("#", "-r")):
            assert re.fullmatch(r"[\w\-\[\]]+==[\w.]+ +# \S.*", line), line


@pytest.mark.parametrize(
    "name", ["requirements", "requirements-dev", ".ci/requirements", "benchmarks/requirements"]
)
def test_what_is_installed_is_what_is_pinned_by_hash(name):
    """`make lock` writes the lock files; this fails where somebody has forgotten it."""
    text = (ROOT / f"{name}.lock").read_text()
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", text, re.M))
    pinned = ROOT / f"{name}.txt"
    wanted = pinned.read_text()
    if "-r requirements.txt" in wanted:
        wanted += (ROOT / "requirements.txt").read_text()
    for package, version in re.findall(r"^([\w.-]+)(?:\[\w+\])?==([\w.]+)", wanted, re.M):
        assert locked.get(re.sub(r"[-_.]+", "-", package).lower()) == version, package
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.M)[1:]
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text, "it names no place to fetch from"


def test_nothing_else_is_installed():
    makefile = (ROOT / "Makefile").read_text()
    assert "--require-hashes --no-deps" in makefile
    installs = re.findall(r"pip install [^\n]*", makefile + (ROOT / ".ci" / "parts.py").read_text())
    assert len(installs) >= 3
    assert all("--require-hashes" in each or "$(UV)" in each for each in installs), installs


def test_no_missing_migration(db):
    from django.core.management import call_command

    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_nothing_is_fetched_from_elsewhere_by_a_page():
    for path in tracked():
        if path.suffix in (".html", ".css", ".js"):
            text = path.read_text()
            assert not re.search(r'(src|@import|url\()\s*=?\s*["\'(]?https?://', text), path
            assert not re.search(r"<link[^>]+href=\"https?://", text), path


def test_every_template_says_what_it_needs():
    for path in (ROOT / "templates" / "evidence").glob("*.html"):
        assert path.read_text().startswith("{# "), path.name


def test_no_template_is_wider_than_a_screen():
    for path in (ROOT / "templates").rglob("*.html"):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            assert len(line) <= 120, f"{path.name}:{number} has {len(line)} columns"


def test_static_files_are_named_in_templates_and_exist():
    for path in (ROOT / "templates").rglob("*.html"):
        for name in re.findall(r"{% static '([^']+)' %}", path.read_text()):
            assert finders.find(name), name


def test_plotly_is_the_script_it_says_it_is():
    """The file is the one README names, and of the version the Python package validates figures
    for.
    """
    script = ROOT / "static" / "vendor" / "plotly-basic.min.js"
    readme = (script.parent / "README.md").read_text()
    assert hashlib.sha256(script.read_bytes()).hexdigest() in readme
    (version,) = re.findall(r"plotly\.js \(basic - minified\) v([\d.]+)", script.read_text()[:300])
    package = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    assert version == re.search(r"plotly\.js v([\d.]+)", package.read_text()[:300]).group(1)
    assert (
        f"| {version} |" in readme
        and f"plotly.js-basic-dist-min@{version}\n" in (ROOT / "Makefile").read_text()
    )


def test_make_targets_the_readme_names_exist():
    makefile = (ROOT / "Makefile").read_text()
    for name in ("README.md", "DEVELOPING.md"):
        for target in set(re.findall(r"`(?:PORT=\d+ )?make ([a-z-]+)", (ROOT / name).read_text())):
            assert re.search(rf"^{target}:", makefile, re.M), f"{name} names make {target}"


def test_commands_the_documents_name_exist():
    from django.core.management import get_commands

    known = get_commands()
    for name in ("README.md", "DEVELOPING.md"):
        for command in set(re.findall(r"manage\.py ([a-z_]+)", (ROOT / name).read_text())):
            assert command in known, f"{name} names {command}"


def test_files_the_documents_name_exist():
    for name in ("README.md", "DEVELOPING.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / name).read_text()):
            assert (ROOT / target).exists(), f"{name} links to {target}"

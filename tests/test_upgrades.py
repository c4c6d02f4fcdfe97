"""An upgraded install says what a fresh one says and keeps what its curators did, from every
version.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from django.apps import apps
from django.db import connection

from evidence.curation.fixture_files import read_all
from evidence.curation.loading import written_key

from .upgrades.records import COUNTRY, LABEL, NOTES, curate, everything

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
FILES = {path.stem: path for path in sorted((ROOT / "tests" / "upgrades").glob("*.json"))}
# Edited before the upgrade, and therefore kept whole: of the second patient the notes alone, but
# the fixtures say more of both than they did then.
EDITED = ["sener-2025 / relapsed", "prakashini-2023-1", "fujita-2019-1", "published / hou-2022"]
LISTS = {
    "prior_therapies": "partial",
    "manifestations": "not_stated",
    "autoantibodies": "not_stated",
}
REMOVED = "rhk-2025-101-1"
# Versions that say of each list whether it is complete, and that compare with the fixtures just the
# fields these name: what a curator entered beside them keeps no record back.
BY_FIELD = {"0.5.0", "0.6.0", "0.7.0", "0.8.0", "0.9.0", "0.9.1"}
NOTES_BESIDE = "prakashini-2023-1"  # a field its fixture does not name


@contextmanager
def database_of_its_own(folder: Path) -> Iterator[str]:
    """The address of a database that may be emptied, of the kind the tests run on."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{folder / 'then.sqlite3'}"
        return
    import psycopg

    held = {key: str(value) for key, value in connection.settings_dict.items()}
    server = {
        "host": held["HOST"],
        "port": held["PORT"],
        "user": held["USER"],
        "password": held["PASSWORD"],
    }
    user, password, host = (quote(held[key], safe="") for key in ("USER", "PASSWORD", "HOST"))
    name, port = f"{held['NAME']}_upgraded", held["PORT"] and f":{held['PORT']}"
    with psycopg.connect(**server, dbname="postgres", autocommit=True) as maintenance:
        maintenance.execute(f'DROP DATABASE IF EXISTS "{name}"')
        maintenance.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"postgres://{user}{password and f':{password}'}@{host}{port}/{name}"
        finally:
            maintenance.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def run_in_database_of_its_own(folder: Path, module: str, *arguments: str) -> dict:
    """What a module prints as JSON when it is run in a process and in a database of its own."""
    with database_of_its_own(folder) as address:
        environment = os.environ | {"DATABASE_URL": address, "CASEBOOK_SECRET_KEY": "for this test"}
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def upgraded(django_db_setup, tmp_path_factory) -> dict[str, dict]:
    """What each earlier database holds once it is upgraded, and what loading said."""
    folder = tmp_path_factory.mktemp("upgrades")
    return run_in_database_of_its_own(folder, "tests.upgrades.run", *map(str, FILES.values()))


def held_before(version: str, table: str, **known) -> dict:
    """A record as the earlier database held it."""
    names, *rows = json.loads(FILES[version].read_text(encoding="utf-8"))["tables"][table]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return next(each for each in found if known.items() <= each.items())


def test_every_finished_version_is_upgraded():
    versions = re.findall(
        r"^## (\d+\.\d+\.\d+) ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M
    )
    _, *finished = versions  # the newest may not be
    assert set(finished) <= set(FILES)


@pytest.mark.parametrize("version", FILES)
def test_an_upgraded_install_holds_what_a_fresh_one_holds_and_its_curators_work(
    db, upgraded, version
):
    curate(lambda name: apps.get_model("evidence", name))
    fresh, found = everything(), upgraded[version]["everything"]
    figure = held_before(version, "evidence_printedfigure", code="relapsed")
    # Edited before there was a verdict: no verdict is put beside a curator's words.
    fresh["evidence.printedfigure"]["sener-2025 / relapsed"]["verdict"] = figure.get("verdict", "")
    for patient in [] if version in BY_FIELD else EDITED[1:3]:
        for name, completeness in LISTS.items():
            fresh["evidence.patient"][patient][f"{name}_completeness"] = completeness
    assert set(found) == set(fresh)
    for kind, records in fresh.items():
        assert found[kind] == records, kind
    assert found["evidence.patient"]["fujita-2019-1"]["age_years"] == "72"
    assert found["evidence.patient"]["prakashini-2023-1"]["notes"] == NOTES
    assert found["evidence.study"]["published / hou-2022"]["country"] == COUNTRY
    assert found["evidence.printedfigure"]["sener-2025 / relapsed"]["label"] == LABEL
    assert found["evidence.treatment"]["own-2026-1 / 1"]["inhibitor"] == "own"
    assert REMOVED not in found["evidence.patient"]


@pytest.mark.parametrize("version", FILES)
def test_only_what_a_curator_did_is_kept_from_the_fixtures(db, upgraded, version):
    kept = re.findall(r"\) (.+): kept (\w+)", upgraded[version]["first"])
    relapsed, *patients, study = EDITED
    patients = [
        (patient, "as")
        for patient in patients
        if version not in BY_FIELD or patient != NOTES_BESIDE
    ]
    if "nothing to change" in upgraded[version]["first"]:  # its fixtures are today's
        assert not kept
    else:
        assert kept == [(relapsed, "as"), *patients, (REMOVED, "removed"), (study, "as")]
    assert "nothing to change" in upgraded[version]["again"]


@pytest.mark.parametrize("version", FILES)
def test_an_upgraded_install_waits_for_corrections_like_a_fresh_one(upgraded, version):
    """Of every record it knows which fields the fixture names, and of no others."""
    held, named = upgraded[version]["everything"], upgraded[version]["named"]
    written = {
        (each.model, " / ".join(map(str, written_key(each)))): sorted(each.fields)
        for each in read_all()
    }
    assert {f"{model} {key}" for model, key in written} == set(named)
    there = {(model, key): fields for (model, key), fields in written.items() if key in held[model]}
    assert len(there) == len(written) - 16  # the removed patient, and what belonged to it
    assert {
        f"{model} {key}": fields for (model, key), fields in there.items()
    }.items() <= named.items()


def test_lists_are_never_made_complete_by_the_upgrade(db, tmp_path):
    """Migration 0008: a stated “none” stays one, what was listed may not be all, and silence stays
    silence.
    """
    found = run_in_database_of_its_own(tmp_path, "tests.upgrades.lists")
    prior = {
        slug: (lists["prior_therapies"], lists["listed"]) for slug, lists in found["after"].items()
    }
    assert prior == {
        "none-1": ("none", []),
        "listed-1": ("partial", ["methotrexate"]),
        "unnamed-1": ("partial", ["multiple-dmards-not-named"]),
        "silent-1": ("not_stated", []),
    }
    others = {
        lists[name]
        for lists in found["after"].values()
        for name in lists
        if name not in ("prior_therapies", "listed")
    }
    assert others == {"not_stated"}, (
        "nobody has said of any other list that it is complete, though some have items"
    )
    assert found["back"] == {
        "none-1": "explicitly_none",
        "listed-1": "listed",
        "unnamed-1": "listed",
        "silent-1": "not_stated",
    }


def test_free_texts_become_measures_and_no_value_changes(db, tmp_path):
    """Migration 0010: known spellings become one, other facts stay apart, own words stay words."""
    found = run_in_database_of_its_own(tmp_path, "tests.upgrades.measures")
    assert found["outcomes"] == [
        ["mRSS", 20],
        ["mRSS", 240],
        ["mRSS", 10],
        ["DLCO", 60],
        ["DLCO % predicted", 60],
        ["FVC", 2],
        ["new nodules", None],
        *[["own score", None]] * 4,
        ["own+score", None],
        ["?", None],
        ["not named", None],
    ]
    assert found["findings"] == ["mRSS", "FVC % predicted", "death"]
    assert found["measures"] == {
        "mrss": ["mRSS", True],
        "dlco": ["DLCO", True],
        "dlco-percent-predicted": ["DLCO % predicted", True],
        "fvc": ["FVC", True],
        "new-nodules": ["new nodules", False],
        "own-score": ["own score", False],
        "ownscore": ["own+score", False],
        "measure": ["not named", False],
        "measure-2": ["?", False],
    }
    assert found["version"] == 6, "what was kept of the answers before is of other texts"
    assert found["loaded"] == sorted(
        f'["{code}"]' for code in ("mrss", "dlco", "dlco-percent-predicted", "fvc", "new-nodules")
    )
    assert found["back"] == found["outcomes"]


def test_nobody_has_looked_for_anything_before_the_upgrade(db, tmp_path):
    """Migration 0011: a study read in full whose patients nobody looked through counts as read in
    part; what is simulated keeps its meaning; two studies with one DOI stop it with their names.
    """
    found = run_in_database_of_its_own(tmp_path, "tests.upgrades.reading")
    assert "Nothing was changed." in found["refused"]
    assert "10.1000/same (doi): published-abstract-0, published-full_text-0" in found["refused"]
    assert found["extraction"] == {
        "published-full_text-0": "full_text",
        "published-full_text-1": "in_part",
        "published-abstract-0": "abstract",
        "published-abstract-1": "abstract",
        "simulated-full_text-0": "full_text",
        "simulated-full_text-1": "full_text",
        "simulated-abstract-0": "abstract",
        "simulated-abstract-1": "abstract",
    }
    assert {slug for slug, looked_for in found["looked_for"].items() if looked_for} == {
        "simulated-full_text-1-p"
    }
    reasons = {slug: reason for slug, (_, reason) in found["reasons"].items() if reason}
    assert reasons == {"published-abstract-0": "The reason was not recorded."}
    assert found["version"] == [8, True, True], "nothing kept of the earlier answers is used"
    assert found["back"] == found["extraction"] | {"published-full_text-1": "abstract"}, (
        "what is empty stays not extracted"
    )


def test_a_code_noted_without_its_source_becomes_a_remark(db, tmp_path):
    """Migration 0017: codes need a release and a copy, which was never asked for before."""
    found = run_in_database_of_its_own(tmp_path, "tests.upgrades.noted_codes")
    assert found["before"]["Manifestation"] == {"noted": "As entered.", "silent": "As entered."}
    assert (
        found["after"]
        == found["back"]
        == {
            "Manifestation": {
                "noted": "As entered.\nHPO code noted without its source: HP:0000001.",
                "silent": "As entered.",
            },
            "Indication": {"noted": "HPO code noted without its source: HP:0000002."},
        }
    )
    assert found["codes"] == 0

"""What every test stands on: the loaded fixtures, the drawn world, and silence as the rule."""

import gc
import logging
import os
import re
import shutil
from pathlib import Path

import pytest
from django.conf import settings as ours
from django.core.cache import cache
from django.core.management import call_command
from django.http import QueryDict
from django.test import override_settings
from hypothesis import HealthCheck, settings

from evidence import middleware
from evidence.counting.snapshot import store as serving
from evidence.curation import drafts
from evidence.curation.make_release import make_release
from evidence.models import Collection, Release, StudyDraft
from evidence.models.consistency import clear_cache
from evidence.questions.filters import TreatmentFilter
from evidence.questions.vocabulary import vocabulary

from . import drafting, processes, remembered
from .factories import make_collection
from .world import World, draw_world

# Random examples. `default` looks for what nobody thought of, and asks again what failed last
# (.hypothesis/). `ci` asks the same examples each time and keeps nothing, so that a change is
# judged by what it changes; it holds wherever the environment says CI, or with
# --hypothesis-profile=ci. No test has a deadline: machines differ. A fixture serves all examples of
# a test, which change nothing in it; the database is rolled back after the last.
everywhere = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
settings.register_profile("default", **everywhere)
settings.register_profile("ci", **everywhere, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_configure() -> None:
    """Looks for cyclic garbage less often: pages and worlds are made by the thousand, and a tenth
    of the time went into looking at what lives as long as the process.
    """
    gc.set_threshold(100_000, 50, 50)


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(items):
    """Marks what asks the database, so that another one need be asked nothing else: `pytest -m
    database`. Puts in order what is costly to set up twice.
    """
    for item in items:
        if {"db", "transactional_db"} & set(item.fixturenames) or item.get_closest_marker(
            "django_db"
        ):
            item.add_marker("database")
    # Together and first, so that one process makes the upgraded databases and none takes over half.
    items.sort(key=lambda item: item.path.name != "test_upgrades.py")


@pytest.fixture(autouse=True, scope="session")
def cache_of_its_own():
    """Each process of the suite empties its cache, so it must not be that of another: Redis has
    sixteen, by number.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    where = re.sub(r"/\d*$", "", ours.REDIS_URL)
    caches = {
        "default": ours.CACHES["default"] | ({"LOCATION": f"{where}/{worker}"} if where else {})
    }
    with override_settings(CACHES=caches):
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """The evidence as shipped, loaded once; every test rolls its own changes back."""
    with django_db_blocker.unblock():
        call_command("load_evidence", verbosity=0)


@pytest.fixture(autouse=True, scope="session")
def passwords_cost_nothing():
    """A hash that is slow on purpose would be waited for in each test that logs in."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


class Undefined(logging.Filter):
    """Makes an undefined template variable an error in our own templates."""

    def filter(self, record):
        if record.msg.startswith("Exception while resolving variable"):
            name, template = record.args
            ours = template.startswith("evidence/") or template in (
                "base.html",
                "404.html",
                "gone.html",
                "500.html",
                "503.html",
                "reading_only.html",
            )
            assert not ours, f"{template}: no {name!r}"
        return False


@pytest.fixture(autouse=True)
def undefined_variables_are_errors():
    logger, guard = logging.getLogger("django.template"), Undefined()
    level = logger.level
    logger.addFilter(guard)
    logger.setLevel(logging.DEBUG)
    yield
    logger.setLevel(level)
    logger.removeFilter(guard)


@pytest.fixture(autouse=True)
def nothing_kept():
    """Rolling back takes changes back that made no new version, so nothing is kept between
    tests.
    """
    serving.served.clear()
    serving.sizes.clear()
    clear_cache()
    cache.clear()
    for allowance in (middleware.ADDRESSES, middleware.QUESTIONS, middleware.FREE_TEXT):
        allowance.used = 0


@pytest.fixture(params=["snapshot", "database"])
def engine(request, settings) -> str:
    """Runs a test once with each engine."""
    settings.COHORT_ENGINE = request.param
    return request.param


@pytest.fixture(scope="session")
def world_rows(django_db_setup, django_db_blocker) -> remembered.Rows:
    with django_db_blocker.unblock():
        return remembered.rows_written_by(draw_world)


@pytest.fixture
def world(db, world_rows) -> World:
    remembered.write(world_rows)
    return World(Collection.objects.get(slug="world"))


@pytest.fixture(scope="session")
def released_rows(world_rows, django_db_blocker) -> remembered.Rows:
    with django_db_blocker.unblock():
        return remembered.rows_written_by(
            lambda: make_release("The world as drawn."), upon=world_rows
        )


@pytest.fixture
def released(world, released_rows) -> Release:
    """Release 1 of the drawn world and of the shipped collections."""
    remembered.write(released_rows)
    return Release.objects.get()


@pytest.fixture(scope="session")
def small_database_made(tmp_path_factory) -> Path:
    """A SQLite file with one collection `small` of four patients, made once."""
    database = tmp_path_factory.mktemp("small") / "made.sqlite3"
    processes.run(processes.SMALL, database)
    return database


@pytest.fixture
def small_database(small_database_made, tmp_path) -> Path:
    """A SQLite file of the test's own, for processes of its own."""
    return Path(shutil.copy(small_database_made, tmp_path / "small.sqlite3"))


@pytest.fixture
def published(db) -> Collection:
    return Collection.objects.get(slug="published")


@pytest.fixture
def simulated(db) -> Collection:
    return Collection.objects.get(slug="sener-2025-reconstruction")


@pytest.fixture
def unlimited(settings):
    """Every answer is made anew, and the API may be asked as often as a test likes.

    For tests of many examples, which would otherwise change a setting in each: every change is one
    more layer that each later reading of any setting passes.
    """
    settings.CACHE_RESPONSES, settings.API_PER_MINUTE = False, 0


@pytest.fixture
def asking():
    """asking(collection, "sex=female&...") -> Question; fails where the address is wrong."""

    def make(collection, address=""):
        form = TreatmentFilter(QueryDict(address), vocabulary=vocabulary(collection))
        assert form.is_valid(), form.problems()
        return form.question(collection)

    return make


@pytest.fixture
def work(db) -> Collection:
    """An empty collection, to enter studies into."""
    return make_collection("work")


@pytest.fixture
def draft(work) -> StudyDraft:
    """A study in work with one version, nothing of it published."""
    begun = drafts.open_draft(work, "beispiel-2027", drafting.SOMEBODY)
    drafts.save_draft(begun, drafting.beispiel(), based_on=None, author=drafting.SOMEBODY)
    return begun

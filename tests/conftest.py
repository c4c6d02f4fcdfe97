"""What every test stands on: the loaded fixtures, the drawn world, and silence as the rule."""

import logging
import shutil
from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.http import QueryDict

from evidence.cohort import serving
from evidence.filters import TreatmentFilter
from evidence.models import Collection
from evidence.steady import forget
from evidence.vocabulary import vocabulary

from . import processes
from .world import World, draw_world


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """The evidence as shipped, loaded once; every test rolls its own changes back."""
    with django_db_blocker.unblock():
        call_command("load_evidence", verbosity=0)


class Undefined(logging.Filter):
    """Makes an undefined template variable an error in our own templates."""

    def filter(self, record):
        if record.msg.startswith("Exception while resolving variable"):
            name, template = record.args
            ours = template.startswith("evidence/") or template in ("base.html", "404.html", "500.html", "503.html")
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
    """Rolling back takes changes back that made no new version, so nothing is kept between tests."""
    serving.served.clear()
    serving.sizes.clear()
    forget()
    cache.clear()


@pytest.fixture(params=["snapshot", "database"])
def engine(request, settings) -> str:
    """Runs a test once with each engine."""
    settings.COHORT_ENGINE = request.param
    return request.param


@pytest.fixture
def world(db) -> World:
    return draw_world()


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
def asking():
    """asking(collection, "sex=female&...") -> Question; fails where the address is wrong."""

    def make(collection, address=""):
        form = TreatmentFilter(QueryDict(address), vocabulary=vocabulary(collection))
        assert form.is_valid(), form.problems()
        return form.question(collection)

    return make

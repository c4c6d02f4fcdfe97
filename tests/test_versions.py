"""What names a version of the data: never its number alone, since a database that is put back
counts it once more.
"""

from contextlib import contextmanager
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import transaction

from evidence.curation.make_release import make_release
from evidence.models import Collection, DataVersion, Indication, Patient, Release
from evidence.models import consistency as steady
from evidence.models.version import ALL, REMEMBERED

from .factories import make_collection, make_patient, make_study, make_treatment
from .processes import run

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def edit(slug: str, **fields) -> None:
    patient = Patient.objects.get(slug=slug)
    for name, value in fields.items():
        setattr(patient, name, value)
    patient.save()


@contextmanager
def history_that_is_thrown_away():
    """What is written inside is as if it had never been, as after a backup is put back: not even
    the version tells.
    """
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        yield
        raise ZeroDivisionError


def test_every_change_has_a_token_of_its_own(world):
    treatment = make_treatment(make_patient(make_study(world.collection), state="draft"))
    changes = [
        lambda: edit("alpha-1", age_years=41),
        lambda: treatment.indications.set(Indication.objects.filter(code="ild")),
        lambda: treatment.patient.delete(),
        lambda: make_collection(),
        lambda: call_command("generate_cohort", patients=2, verbosity=0),
        lambda: make_release(),
    ]
    tokens = [DataVersion.current().token]
    for change in changes:
        before = DataVersion.current().number
        change()
        assert DataVersion.current().number > before or change is changes[-1]
        tokens.append(DataVersion.current().token)
    assert len(set(tokens)) == len(tokens) and all(len(token) == 32 for token in tokens)


def test_a_collection_keeps_its_token_while_others_change(world, published):
    before = DataVersion.current()
    study = published.studies.first()
    study.save()
    after = DataVersion.current()
    assert after.token != before.token and after.token_of(published) == after.token
    assert after.token_of(world.collection) == before.token_of(world.collection)
    assert after.shared_token == before.shared_token
    make_collection()  # its name stands in the navigation of every page
    assert DataVersion.current().token_of(world.collection) not in {
        before.token_of(world.collection),
        after.token,
    }


def test_past_versions_are_remembered_within_bounds(db):
    for _ in range(3):
        DataVersion.bump()
    assert (
        DataVersion.past_tokens()[-1] == DataVersion.current().token
        and len(set(DataVersion.past_tokens()[-3:])) == 3
    )
    row = DataVersion.objects.get()
    row.history = [f"{number:032}" for number in range(REMEMBERED)]
    row.save()
    DataVersion.bump()
    assert (
        len(DataVersion.past_tokens()) == REMEMBERED and DataVersion.past_tokens()[0] == f"{1:032}"
    )


def test_a_database_that_is_upgraded_gets_tokens(db):
    DataVersion.objects.update(token="", tokens={}, history=[])
    import_module("evidence.migrations.0007_version_tokens").name_the_version(apps, None)
    now = DataVersion.current()
    assert (
        len(now.token) == 32
        and now.tokens == {ALL: now.token}
        and DataVersion.past_tokens() == [now.token]
    )


def test_a_database_without_a_version_keeps_nothing(db):
    DataVersion.objects.all().delete()
    made = []
    for _ in range(2):
        steady.cached_per_version(("thing",), None, lambda: made.append(1) or "thing")
        steady.cached_until_any_change(("thing",), lambda: made.append(1) or "thing")
    assert len(made) == 4


@pytest.mark.usefixtures("engine")
def test_a_database_that_was_put_back_is_answered_from_as_it_is(client, world):
    """Histories with the same numbers: one withdraws a patient, the other corrects a sex."""
    page, programs = world.address(), "/api/v1/world/summary/"
    first = client.get("/api/v1/world/patients/?page_size=2").json()["next"]
    with history_that_is_thrown_away():
        edit("alpha-4", state="withdrawn", withdrawal_reason="Reported twice.")
        lost = {address: client.get(address)["ETag"] for address in (page, programs)}
        assert client.get(programs).json()["totals"]["patients"] == 4
        lost_cursor = client.get("/api/v1/world/patients/?page_size=2").json()["next"]
        number = DataVersion.current().number
    assert client.get(first).status_code == 200, "the state that was put back is the one it was"
    edit("alpha-4", sex="male")
    assert DataVersion.current().number == number
    for address, tag in lost.items():
        answer = client.get(address, headers={"If-None-Match": tag})
        assert answer.status_code == 200 and answer["ETag"] != tag
    answer = client.get(programs).json()
    assert answer["totals"]["patients"] == 5 and answer["sex"] == {"female": 3, "male": 2}
    assert b"<strong>5 patients</strong>" in client.get(page).content
    assert client.get(lost_cursor).status_code == client.get(first).status_code == 409


def test_a_release_of_a_history_that_was_thrown_away_is_not_shown(client, world):
    with history_that_is_thrown_away():
        make_release("The one that is lost.")
        assert "The one that is lost." in client.get("/releases/").content.decode()
        lost = client.get("/world/?release=1")["ETag"]
    made = make_release("The one there is.")
    assert "The one there is." in client.get("/releases/").content.decode()
    again = client.get("/world/?release=1", headers={"If-None-Match": lost})
    assert again.status_code == 200
    assert (
        client.get("/api/v1/world/summary/").json()["release"]["content_hash"] == made.content_hash
    )
    assert f"{Release.objects.get().released_at:%-d %B %Y}" in again.content.decode()


# What is not there

ANOTHER_PROCESS_MAKES_IT = """
import subprocess, sys, django
django.setup()
from django.test import Client

client = Client(HTTP_HOST="localhost")
START = "import django; django.setup(); from django.core.management import call_command;"
RELEASE = START + "call_command('release', verbosity=0)"
WRITE = START + "from evidence.models import Collection;"
WRITE += "new = Collection.objects.create(slug='new', name='New', kind='published', description='Made for a test.');"
WRITE += "new.studies.create(slug='two', short_name='Two', design='case_report', extraction='abstract',"
WRITE += "                   state='published')"
released = {"/small/?release=1": 400, "/small/patients.csv?release=1": 400, "/releases/1/small.zip": 404,
            "/api/v1/small/patients/?release=1": 400}
written = {"/new/": 404, "/new/studies/two/": 404, "/new/studies.csv": 404, "/api/v1/new/": 404}
for script, absent in ((RELEASE, released), (WRITE, written)):
    for _ in range(2):
        for address, status in absent.items():
            assert client.get(address).status_code == status, (address, client.get(address).status_code)
    subprocess.run([sys.executable, "-c", script], check=True)
    for address in absent:
        assert client.get(address).status_code == 200, (address, client.get(address).status_code)
print("seen")
"""  # noqa: E501


def test_what_was_absent_is_there_once_another_process_has_made_it(small_database):
    assert run(ANOTHER_PROCESS_MAKES_IT, small_database) == "seen"


PUT_BACK = """
import shutil, django
django.setup()
from pathlib import Path
from django.conf import settings
from django.db import connection
from django.test import Client
from evidence.counting.snapshot import store as serving
from evidence.models import DataVersion, Patient

serving.AT_ONCE = 0  # so that a snapshot file is left, too
serving.have_built = lambda collection: None
database = connection.settings_dict["NAME"]
settings.SNAPSHOTS = Path(database).parent / "snapshots"
client = Client(HTTP_HOST="localhost")


def edit(slug, **fields):
    patient = Patient.objects.get(slug=slug)
    for name, value in fields.items():
        setattr(patient, name, value)
    patient.save()


def asked():
    answer = client.get("/api/v1/small/summary/")
    return answer["ETag"], answer.json()["totals"]["patients"], answer.json()["sex"], DataVersion.current().number


edit("one-1", sex="female")
with connection.cursor() as cursor:
    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
shutil.copy(database, database + ".backup")
edit("one-4", state="withdrawn", withdrawal_reason="Reported twice.")
lost_tag, *lost = asked()
connection.close()
for ending in ("-wal", "-shm"):
    Path(database + ending).unlink(missing_ok=True)
shutil.copy(database + ".backup", database)
edit("one-4", sex="male")
tag, *found = asked()
assert list(settings.SNAPSHOTS.glob("small-*")), "the snapshot of the lost history is still there"
assert lost[0] == 3 and found[0] == 4 and found[1] == {"female": 1, "male": 1, "unknown": 2}, (lost, found)
assert lost[2] == found[2] and lost_tag != tag
assert client.get("/api/v1/small/summary/", headers={"If-None-Match": lost_tag}).status_code == 200
print("as the database is")
"""  # noqa: E501


def test_a_database_file_that_was_copied_back_is_answered_from_as_it_is(small_database):
    """Under a running server: what it kept in memory, in the cache and as a snapshot file is of the
    lost history.
    """
    assert run(PUT_BACK, small_database) == "as the database is"


def test_none_is_not_kept(db):
    found = iter([None, "made meanwhile"])
    assert steady.cached_per_version(("absent",), None, lambda: next(found)) is None
    assert steady.cached_per_version(("absent",), None, lambda: next(found)) == "made meanwhile"
    assert Collection.objects.exists()

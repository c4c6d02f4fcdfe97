"""What differs between two releases: each value, before and after."""

import csv
import io
from random import Random
from zipfile import ZipFile

import pytest

from evidence.curation.make_release import CannotRelease, make_release
from evidence.downloads import differences as module
from evidence.models import AdverseEvent, Patient, Release, Treatment
from evidence.tables import TIDY

from .factories import make_patient, make_study, make_treatment
from .test_pages import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
KNOWN_NOTHING = ("", "not reported", "not extracted")
ADDRESSES = ("/releases/2/changes/", "/releases/2/changes.csv", "/api/v1/releases/2/changes/")
BESIDE = ("collection", "evidence_kind", "empty_means")


def rows_of(client, address: str) -> list[dict]:
    response = client.get(address)
    assert response.status_code == 200, response.content
    return list(csv.DictReader(io.StringIO(response.getvalue().decode("utf-8-sig"))))


def edit(slug="alpha-1", **fields) -> None:
    patient = Patient.objects.get(slug=slug)
    for name, value in fields.items():
        setattr(patient, name, value)
    patient.save()


@pytest.fixture
def second(world, released) -> Release:
    edit(age_years=41)
    make_treatment(make_patient(make_study(world.collection, "delta"), "delta-1", sex="male"))
    edit("alpha-4", state="withdrawn", withdrawal_reason="Reported twice.")
    return make_release("One age corrected, one study added.")


def test_every_value_that_differs_is_told_by_hand(client, second):
    found = rows_of(client, "/releases/2/changes.csv?table=patients")
    assert {row["collection"] for row in found} == {"world"}
    assert {(row["since_release"], row["release"]) for row in found} == {("1", "2")}
    changed = [row for row in found if row["change"] == "changed"]
    assert [
        (row["study"], row["record"], row["field"], row["before"], row["after"]) for row in changed
    ] == [("alpha", "patient=alpha-1", "age_years", "40", "41")]
    added = {row["field"]: row for row in found if row["change"] == "added"}
    assert {row["record"] for row in added.values()} == {"patient=delta-1"}
    assert (added["sex"]["before"], added["sex"]["after"]) == ("", "male")
    assert "age_years" not in added, "what is not known of a new record is no value"
    removed = [row for row in found if row["change"] == "removed"]
    assert {row["record"] for row in removed} == {"patient=alpha-4"}
    assert all(row["after"] == "" and row["before"] not in KNOWN_NOTHING for row in removed)


def test_only_files_for_spreadsheets_make_a_formula_inert(client, world, released):
    """A program gets what was written; a spreadsheet nothing that it takes for a formula."""
    edit(comorbidities="=1+1; gout; @home")
    make_release("A remark.")
    (row,) = rows_of(client, "/releases/2/changes.csv?table=patients")
    assert row["after"] == "'=1+1; gout;' @home"
    (told,) = client.get("/api/v1/releases/2/changes/?table=patients").json()["results"]
    assert told["after"] == "=1+1; gout; @home"
    page = client.get("/releases/2/changes/?table=patients").content.decode()
    assert "<td>=1+1; gout; @home</td>" in page


def test_page_file_and_api_tell_the_same(client, second):
    for query in ("", "table=treatments", "study=alpha", "change=added&table=patients"):
        file = rows_of(client, f"/releases/2/changes.csv?{query}")
        answer = client.get(f"/api/v1/releases/2/changes/?page_size=1000&{query}".rstrip("&"))
        assert answer.status_code == 200
        told = answer.json()
        assert told["count"] == len(file) == len(told["results"]) > 0
        assert (told["release"], told["since"]) == (2, 1)
        for row, each in zip(file, told["results"], strict=True):
            assert row["record"] == ";".join(f"{a}={b}" for a, b in each["record"].items())
            for name in ("collection", "table", "study", "change", "field", "before", "after"):
                assert row[name] == each[name]
        page = text_of(client.get(f"/releases/2/changes/?{query}"))
        assert f"{len(file)} values differ." in page
        assert all(row["record"] in page for row in file)


def test_the_page_offers_what_it_can_be_asked_and_says_where_nothing_differs(client, second):
    body = client.get("/releases/2/changes/?table=patients").content.decode()
    assert "<option selected>patients</option>" in body and "<option>delta</option>" in body
    page = text_of(client.get("/releases/2/changes/?study=nowhere"))
    assert "0 values differ." in page and "Nothing that you ask for differs." in page
    first = text_of(client.get("/releases/1/changes/"))
    assert "Release 1 is the first; nothing was before it." in first
    assert rows_of(client, "/releases/1/changes.csv") == []
    assert client.get("/api/v1/releases/1/changes/").json()["since"] is None
    assert "each value, before and after" in text_of(client.get("/releases/"))


@pytest.mark.parametrize(
    "query", ["since=2", "since=7", "since=x", "since=١", "table=nothing", "change=moved", "junk=1"]
)
def test_wrong_words_are_refused_with_what_is_known(client, second, query):
    for address in (
        "/releases/2/changes/",
        "/releases/2/changes.csv",
        "/api/v1/releases/2/changes/",
    ):
        for method in (client.get, client.head):
            refused = method(f"{address}?{query}")
            assert refused.status_code == 400, (address, query)
        assert query.split("=")[1] in text_of(client.get(f"{address}?{query}")) or "junk" in query


@pytest.mark.parametrize("query", ["table=nothing", "change=x", "collection=nobody", "since=1"])
def test_wrong_words_are_refused_of_the_first_release_too(client, second, query):
    for address in ("/releases/1/changes.csv", "/api/v1/releases/1/changes/"):
        assert client.get(f"{address}?{query}").status_code == 400
        assert client.get(address).status_code == 200


def test_a_release_that_does_not_exist_has_no_changes(client, second):
    for number in (3, 99999999999999999999):
        assert client.get(f"/releases/{number}/changes/").status_code == 404
        assert client.get(f"/releases/{number}/changes.csv").status_code == 404
        assert client.get(f"/api/v1/releases/{number}/changes/").status_code == 404


def test_long_lists_come_in_pages(client, second, monkeypatch):
    monkeypatch.setattr("evidence.web.releases.PAGE", 5)
    whole = rows_of(client, "/releases/2/changes.csv")
    body = client.get("/releases/2/changes/?page=2").content.decode()
    assert body.count("<tr>") == 6 and 'href="?since=1&amp;page=3"' in body
    met, address = [], "/api/v1/releases/2/changes/?page_size=4"
    while address:
        answer = client.get(address).json()
        met += answer["results"]
        address = answer["next"]
    assert [each["field"] for each in met] == [row["field"] for row in whole]


def test_what_is_too_much_is_refused_and_says_where_all_of_it_is(client, second, monkeypatch):
    for name in ("MAX_COMPARED_BYTES", "MAX_DIFFERENCES"):
        module._kept.clear()
        with monkeypatch.context() as bounded:
            bounded.setattr(module, name, 1)
            for address in ("/releases/2/changes/", "/releases/2/changes.csv"):
                refused = client.get(address)
                assert refused.status_code == 409 and "/releases/" in text_of(refused)
            assert client.get("/api/v1/releases/2/changes/").status_code == 409


def test_a_column_of_one_archive_alone_is_no_change_of_a_record(client, second, monkeypatch):
    kept = module.header_of

    def without_sex(archive: ZipFile, path: str) -> list[str]:
        names = kept(archive, path)
        old = b"delta-1" not in archive.read("patients.csv")
        return (
            [name for name in names if name != "sex"] if old and path == "patients.csv" else names
        )

    module._kept.clear()
    monkeypatch.setattr(module, "header_of", without_sex)
    answer = client.get("/api/v1/releases/2/changes/?page_size=1000").json()
    module._kept.clear()
    assert answer["not_compared"] == ["patients.sex"]
    assert not [each for each in answer["results"] if each["field"] == "sex"]


def change_at_random(world, chance: Random, released_people: set[str]) -> None:
    """A few edits such as curators make; only what readers have seen is withdrawn."""
    for _ in range(chance.randint(1, 5)):
        people = Patient.objects.within(world.collection).filter(same_as=None, other_reports=None)
        person = chance.choice(list(people.order_by("slug")))
        kind = chance.randrange(5)
        if kind == 0:
            person.age_years = chance.choice([None, 30, 50, 70])
            person.save()
        elif kind == 1:
            person.subset = chance.choice(["limited", "diffuse", "unknown"])
            person.save()
        elif kind == 2:
            study = make_study(world.collection, f"drawn-{chance.randrange(10**9)}")
            make_treatment(make_patient(study, f"{study.slug}-1"))
        elif kind == 3 and people.count() > 2 and person.slug in released_people:
            person.state, person.withdrawal_reason = "withdrawn", "Drawn."
            person.save()
        else:
            course = Treatment.objects.filter(patient=person).order_by("number").first()
            course.dose = chance.choice(["", "5 mg daily", "=1+1; -2"])
            course.save()


def tables_of(release: Release, slug: str) -> dict[str, dict[tuple, dict]]:
    """The tables of an archive by key, read without what reads them for readers."""
    archive = ZipFile(io.BytesIO(b"".join(release.collections.get(slug=slug).pieces())))
    return {
        noun: {
            tuple(row[name] for name in tidy.key): row
            for row in csv.DictReader(io.StringIO(archive.read(f"{noun}.csv").decode()))
        }
        for noun, tidy in TIDY.items()
    }


def looped(before: dict, after: dict) -> set[tuple]:
    """What differs, by plain loops."""
    found = set()
    for noun in before:
        for key in {*before[noun], *after[noun]}:
            old, new = before[noun].get(key), after[noun].get(key)
            cells = []
            for name in old or new:
                if name in BESIDE or name in TIDY[noun].key:
                    continue
                was, became = old[name] if old else "", new[name] if new else ""
                if old and new:
                    cells += [(name, was, became)] if was != became else []
                elif (was or became) not in KNOWN_NOTHING:
                    cells.append((name, was, became))
            if not (old and new) and not cells:
                cells = [("", "", "")]
            change = "changed" if old and new else "added" if new else "removed"
            found |= {(noun, key, change, *cell) for cell in cells}
    return found


@pytest.mark.parametrize("seed", range(8))
def test_random_releases_differ_by_what_plain_loops_find(client, world, released, seed):
    chance, states = Random(seed), [tables_of(released, "world")]
    for _ in range(3):
        change_at_random(world, chance, {key[0] for key in states[0]["patients"]})
        try:
            states.append(tables_of(make_release(), "world"))
        except CannotRelease as error:
            if "Nothing has changed" not in str(error):
                raise
    for later in range(1, len(states)):
        for earlier in range(later):
            address = f"/releases/{later + 1}/changes.csv?since={earlier + 1}"
            found = rows_of(client, f"{address}&collection=world")
            told = {
                (
                    row["table"],
                    tuple(pair.split("=", 1)[1] for pair in row["record"].split(";")),
                    *(row[name] for name in ("change", "field", "before", "after")),
                )
                for row in found
            }
            assert len(told) == len(found)
            assert told == looped(states[earlier], states[later])


def test_an_added_event_stands_under_its_study(client, world, released):
    event = AdverseEvent.objects.filter(treatment__patient__study__slug="alpha").first()
    event.serious = "yes" if event.serious != "yes" else "no"
    event.save()
    make_release()
    (row,) = rows_of(client, "/releases/2/changes.csv?study=alpha&table=adverse-events")
    assert (row["change"], row["field"]) == ("changed", "serious")
    assert row["study"] == "alpha" and row["record"].startswith("patient=alpha-")

"""An old release is asked, and answers what it answered when it was the latest."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from itertools import product
from threading import Barrier

import pytest
from django.core.management import call_command
from django.db import InterfaceError, OperationalError, connection

from evidence.charts.registry import CHARTS
from evidence.curation.make_release import keep_latest, make_release
from evidence.downloads import FILE_FORMATS, release_status
from evidence.downloads.citations import FORMATS
from evidence.models import Indication, Patient, ReleasedRecords, Study, past_state
from evidence.models.consistency import current_version
from evidence.tables import FILE_TABLES, TABLES

from .factories import make_patient, make_study, make_treatment
from .test_pages import text_of
from .wsgi import break_off

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

PAGES = [
    "",
    "?sex=female",
    "?inhibitor=baricitinib&indication=ild",
    "matrix/",
    "charts/",
    "compare/?a=sex%3Dmale&b=sex%3Dfemale",
    "similar/",
    "forest/?item=relapsed",
    "rules/",
    "completeness/",
    "flow/",
    "patients/alpha-1/",
    "studies/alpha/",
    *(f"{noun}/" for noun in TABLES),
]
FILES = [
    "bundle.zip",
    "bundle.zip?sex=female",
    "phenopackets.json",
    "forest.csv",
    "compare.csv?a=sex%3Dmale&b=sex%3Dfemale",
    "patients/alpha-1/phenopacket.json",
    *(f"charts/{name}.csv" for name in CHARTS),
    *(f"studies.{how}" for how in FORMATS),
    *(f"studies/alpha.{how}" for how in FORMATS),
    *(f"{noun}.{how}" for noun, how in product(FILE_TABLES, FILE_FORMATS) if how != "xlsx"),
    "patients.csv-metadata.json?sex=female",
    "courses.tsv-metadata.json",
    "forest.csv-metadata.json",
    "charts/adverse-events.csv-metadata.json",
]
FOR_PROGRAMS = [
    "summary/",
    "forest/",
    "compare/?a=sex%3Dmale&b=sex%3Dfemale",
    "completeness/",
    "rules/",
    "flow/",
    "charts/response-by-inhibitor/",
    "patients/?page_size=2",
    "patients/alpha-1/",
    "studies/alpha/",
    *(f"{noun}/" for noun in (*FILE_TABLES, "provenance")),
]


@pytest.fixture(autouse=True)
def nothing_open():
    yield
    past_state.close_all()
    release_status.refused.clear()


def edit(slug="alpha-1", **fields) -> None:
    patient = Patient.objects.get(slug=slug)
    for name, value in fields.items():
        setattr(patient, name, value)
    patient.save()


def pinned(path: str, number: int = 1) -> str:
    return f"{path}{'&' if '?' in path else '?'}release={number}"


def answers(client, addresses: list[str]) -> dict[str, bytes]:
    found = {}
    for address in addresses:
        response = client.get(address)
        assert response.status_code == 200, (address, response.getvalue()[:300])
        found[address] = response.getvalue()
    return found


def five_releases_later(world) -> None:
    """Edits of all kinds, each released."""
    edit(age_years=41)
    make_release("An age corrected.")
    make_treatment(make_patient(make_study(world.collection, "delta"), "delta-1", sex="male"))
    make_release("A study added.")
    term = Indication.objects.get(code="ild")
    term.label, term.position = "Another label", 99
    term.save()
    edit(age_years=42)
    make_release("A term renamed.")
    Study.objects.filter(slug="alpha").update(short_name="Renamed 1999")
    edit(age_years=43, sex="male")
    make_release("A study renamed.")
    edit("alpha-2", age_years=77)
    make_release("Another age.")
    edit("alpha-2", age_years=78)


def test_every_address_gives_the_same_bytes_after_five_further_releases(
    client, world, released, unlimited
):
    addresses = [pinned(f"/world/{path}") for path in (*PAGES, *FILES)]
    addresses += [pinned(f"/api/v1/world/{path}") for path in FOR_PROGRAMS]
    before = answers(client, addresses)
    five_releases_later(world)
    past_state.close_all()  # as in a process that was started since
    after = answers(client, addresses)
    different = [address for address in addresses if before[address] != after[address]]
    assert not different


def test_it_is_what_the_address_without_a_release_said_then(client, world, released, unlimited):
    """But for files that repeat their whole address, which are left out here."""
    files = [
        f"/world/{path}"
        for path in FILES
        if not path.startswith(("forest", "compare")) and "-metadata" not in path
    ]
    rows = [f"/api/v1/world/{path}" for path in FOR_PROGRAMS if "page_size" not in path]
    then = answers(client, files + rows)
    five_releases_later(world)
    for address, content in answers(client, list(map(pinned, files + rows))).items():
        asked = address.replace("?release=1", "").replace("&release=1", "")
        content = content.replace(b"?release=1", b"").replace(b"&release=1", b"")  # of its links
        assert content == without_data_version(then[asked]), address


def without_data_version(content: bytes) -> bytes:
    """An answer of the API as a release gives it, whose every copy says the same."""
    return re.sub(rb',"data_version":[0-9]+(?=\})', b"", content, count=1)


def test_the_bundle_of_a_release_is_its_archive(client, world, released):
    edit(age_years=41)
    make_release()
    for number in (1, 2):
        bundle = client.get(f"/world/bundle.zip?release={number}").getvalue()
        assert bundle == client.get(f"/releases/{number}/world.zip").getvalue()


def test_a_page_says_which_release_it_shows_and_leads_to_today(client, world, released):
    edit(age_years=41)
    for path in ("?sex=female&", "patients/?", "patients/alpha-1/?", "compare/?a=sex%3Dmale&"):
        page = client.get(f"/world/{path}release=1")
        text = text_of(page)
        assert "You are reading release 1 of" in text and "as it was then" in text, path
        asked = path.rstrip("?&").replace("&", "&amp;")
        assert f'href="/world/{asked}">The same of today</a>' in page.content.decode()
        assert "Release 1 of" in text and "changed since" not in text
        assert "Data version" not in text and "Data version" in text_of(client.get("/world/"))
    assert ">40<" in client.get("/world/patients/?release=1").content.decode()
    assert ">41<" in client.get("/world/patients/").content.decode()


def test_links_of_a_release_lead_to_the_same_release(client, world, released):
    """All but those that say that they lead to today's data, and feeds of what comes after."""
    edit(age_years=41)
    seen = set()
    for path in PAGES:
        body = client.get(pinned(f"/world/{path}")).content.decode()
        for link in re.findall(r"<a\b[^>]*>", body):
            address = re.search(r"href=[\"']?([^\"'\s>]*)", link)
            if address is None or not address[1].startswith("/world/"):
                continue
            today = "latest-version" in link or re.search("/suggest/|[.]atom", address[1])
            today = today or ".atom" in address[1]  # what releases change is told of all of them
            assert ("release=1" in address[1]) is not bool(today), (path, link)
            seen.add(unescape(address[1]).partition("#")[0])
    assert "/world/patients/alpha-1/?release=1" in seen and len(seen) > 30
    for address in sorted(seen):
        if "/suggest/" not in address:
            assert client.head(address).status_code == 200, address


def addresses_in(data) -> list[str]:
    """Every address of this site in a JSON value, without its host."""
    if isinstance(data, dict):
        data = list(data.values())
    if isinstance(data, list):
        return [address for each in data for address in addresses_in(each)]
    text = str(data).removeprefix("http://testserver")
    return [text] if text.startswith("/") else []


def addresses_for_programs(response) -> list[str]:
    """Addresses in headers, linked data, figures and JSON."""
    found = re.findall("<([^>]*)>", response.headers.get("Link", ""))
    kind = response.headers["Content-Type"]
    if kind.startswith("text/html"):
        scripts = re.findall(r"<script[^>]*json[^>]*>([^<]*)</script>", response.content.decode())
        found += [address for each in scripts for address in addresses_in(json.loads(each))]
    elif "json" in kind and not response.streaming:
        found += addresses_in(response.json())
    return found


def test_what_programs_and_marks_of_charts_follow_leads_to_the_same_release(
    client, world, released, unlimited
):
    edit(age_years=41)
    seen = set()
    for path in (
        *(f"/world/{page}" for page in (*PAGES, "charts/?chart=response-by-inhibitor", *FILES)),
        *(f"/api/v1/world/{page}" for page in FOR_PROGRAMS),
    ):
        response = client.get(pinned(path))
        for address in addresses_for_programs(response):
            if re.match("/(api/v1/)?world/", address) and ".atom" not in address:
                assert "release=1" in address, (path, address)
                seen.add(address.partition("#")[0])
    assert len(seen) > 60
    for kind in ("/world/studies/alpha/?", "/world/datacite.json?", "/api/v1/world/", "/world/pat"):
        assert any(address.startswith(kind) for address in seen), kind
    for address in sorted(seen):
        assert client.get(address).status_code == 200, address


def test_linked_data_of_a_release_names_its_files(client, world, released):
    """The version and the address of a file belong together."""
    edit(age_years=41)
    page = client.get("/world/?release=1").content.decode()
    (data,) = [
        each
        for script in re.findall(r"<script[^>]*ld.json[^>]*>([^<]*)</script>", page)
        for each in json.loads(script)["@graph"]
    ]
    assert data["version"] == "1"
    for part in data["distribution"]:
        address = part["contentUrl"].removeprefix("http://testserver")
        then = client.get(address).getvalue()
        assert then != client.get(address.partition("?")[0]).getvalue(), address


def test_today_stays_today_between_and_after(client, world, released, unlimited):
    """A thread that answered from a release reads today's data again, in mid-file too."""
    edit(age_years=41)
    today = client.get("/world/patients.jsonl").getvalue()
    old = client.get("/world/patients.jsonl?release=1")
    pieces = iter(old.streaming_content)
    first = next(pieces, b"")
    assert client.get("/world/patients.jsonl").getvalue() == today
    assert Patient.objects.get(slug="alpha-1").age_years == 41
    rows = [json.loads(line) for line in (first + b"".join(pieces)).splitlines()]
    assert {row["patient"]: row["age_years"] for row in rows}["alpha-1"] == 40
    assert {row["release"] for row in rows} == {"1"}
    assert current_version().release == 1
    assert client.get("/world/patients.jsonl").getvalue() == today
    assert connection.in_atomic_block, "the test's own transaction"


def test_a_file_that_is_broken_off_leaves_nothing_behind(client, world, released):
    edit(age_years=41)
    answer = client.get("/world/bundle.zip?release=1")
    next(iter(answer.streaming_content))
    break_off(answer)
    assert Patient.objects.get(slug="alpha-1").age_years == 41


def test_two_releases_are_kept_apart(client, world, released, unlimited):
    edit(age_years=41)
    make_release()
    edit(age_years=42)
    for _ in range(2):
        for number, age in ((1, 40), (2, 41), ("", 42)):
            address = f"/api/v1/world/patients/?{f'release={number}' if number else ''}"
            rows = client.get(address).json()["results"]
            assert {row["patient"]: row["age_years"] for row in rows}["alpha-1"] == age


@pytest.mark.parametrize("path", ["", "patients/", "compare/", "patients/alpha-1/"])
def test_wrong_words_are_refused_as_ever(client, world, released, path):
    edit(age_years=41)
    assert client.get(f"/world/{path}?release=1&zz=1").status_code == 400
    assert client.get(f"/world/{path}?release=7").status_code == 400


OTHER_WORDS = ("release=1&release=2", "release=7", "release=0", "release=x", "release=%D9%A1")


@pytest.mark.parametrize("asked", OTHER_WORDS)
def test_a_release_that_is_none_is_refused_at_every_address(
    client, world, released, unlimited, asked
):
    """Two of them, too: nobody could know which one is meant."""
    edit(age_years=41)
    make_release()
    told = "given more than once" if "&" in asked else "There is no such release."
    addresses = [f"/world/{path}" for path in (*PAGES, *FILES)]
    addresses += [f"/api/v1/world/{path}" for path in FOR_PROGRAMS]
    for address in addresses:
        refused = client.get(f"{address}{'&' if '?' in address else '?'}{asked}")
        assert refused.status_code == 400, address
        said = unescape(refused.content.decode())
        assert said.count(told) >= 1 and "it cannot be asked" not in said, address
        assert "moved on" not in said, address


def test_what_came_later_is_not_there(client, world, released):
    make_treatment(make_patient(make_study(world.collection, "delta"), "delta-1"))
    assert client.get("/world/patients/delta-1/").status_code == 200
    assert client.get("/world/patients/delta-1/?release=1").status_code == 404


def test_an_answer_that_was_given_is_not_made_again(client, world, released, settings):
    settings.CACHE_RESPONSES = True
    first = client.get("/world/?release=1")
    edit(age_years=41)
    again = client.get("/world/?release=1", headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304
    assert client.get("/world/", headers={"If-None-Match": first["ETag"]}).status_code == 200


# What has become of it since


def test_a_record_withdrawn_since_is_gone_and_pages_say_so(client, world, released, settings):
    settings.CACHE_RESPONSES = True
    first = client.get("/world/patients/?release=1")
    edit("alpha-4", state="withdrawn", withdrawal_reason="Reported twice.")
    for address in ("/world/patients/alpha-4/", "/world/patients/alpha-4/phenopacket.json"):
        gone = client.get(f"{address}?release=1")
        assert gone.status_code == 410 and "Reported twice." in text_of(gone)
    said = text_of(client.get("/world/patients/alpha-4/?release=1"))
    assert "This link names release 1 of" in said and "Its other patients can be asked for" in said
    assert "cannot be asked" not in said and "the data of today" not in said
    wrong = text_of(client.get("/world/patients/alpha-4/?release=7"))
    assert "There is no such release" in wrong and "the data of today" not in wrong
    page = client.get("/world/patients/?release=1", headers={"If-None-Match": first["ETag"]})
    assert page.status_code == 200 and "Since this release: withdrawn alpha-4" in text_of(page)
    assert 'href="/world/patients/alpha-4/"' in page.content.decode()
    gone = client.get("/api/v1/world/patients/alpha-4/?release=1")
    assert gone.status_code == 410 and "Reported twice." in gone.json()["detail"]
    assert len(client.get("/api/v1/world/patients/?release=1").json()["results"]) == 5


def test_a_study_retracted_since_is_named_on_every_page(client, world, released):
    study = Study.objects.get(slug="alpha")
    study.retraction_status, study.retraction_reason = "retracted", "Withdrawn by the journal."
    study.save()
    for path in ("", "patients/", "patients/alpha-1/", "forest/?item=relapsed"):
        text = text_of(client.get(pinned(f"/world/{path}")))
        assert "Since this release: the publication retracted of alpha" in text, path
    assert "Since this release" not in text_of(client.get("/world/"))


# Where it cannot be asked


def without_records() -> None:
    for records in ReleasedRecords.objects.all():
        records.delete()
    edit(age_years=41)


def test_a_release_without_records_says_why_it_cannot_be_asked(client, world, released):
    without_records()
    refused = client.get("/world/patients.csv?release=1")
    assert refused.status_code == 409
    assert "made before Casebook kept what that takes" in refused.content.decode()
    told = client.get("/api/v1/world/patients/?release=1")
    assert told.status_code == 409 and "made before Casebook kept" in told.json()["detail"]
    page = text_of(client.get("/world/?release=1"))
    assert "it cannot be asked, because it was made before Casebook kept" in page
    assert "What you see are the data of today." in page
    edit("alpha-4", state="withdrawn", withdrawal_reason="Reported twice.")
    gone = text_of(client.get("/world/patients/alpha-4/?release=1"))
    assert "The release cannot be asked, because it was made before Casebook kept" in gone


def test_a_release_too_large_to_be_asked_keeps_no_records(client, world, monkeypatch):
    for module in ("evidence.curation.make_release", "evidence.downloads.release_status"):
        monkeypatch.setattr(f"{module}.MAX_PATIENTS", 3)
    make_release()
    assert not ReleasedRecords.objects.exists()
    edit(age_years=41)
    refused = client.get("/world/patients.csv?release=1")
    assert refused.status_code == 409 and "more than 3 patients" in refused.content.decode()


def test_records_that_say_what_there_is_no_place_for_are_not_answered_from(
    client, world, released, monkeypatch
):
    edit(age_years=41)
    known = past_state.check_columns

    def one_column_more(content, tables):
        line = next(line for line in content if line["table"] == "patient")
        line["columns"] = [*line["columns"], "shoe_size"]
        known(content, tables)

    monkeypatch.setattr(past_state, "check_columns", one_column_more)
    refused = client.get("/world/patients.csv?release=1")
    assert refused.status_code == 409
    assert "keeps “patient” in another way" in refused.content.decode()


def test_while_a_release_is_being_opened_others_are_told_to_come_again(
    client, world, released, monkeypatch
):
    edit(age_years=41)
    monkeypatch.setattr(past_state, "WAIT", 0.01)
    with past_state._opening:
        for address in ("/world/?release=1", "/api/v1/world/patients/?release=1"):
            busy = client.get(address)
            assert busy.status_code == 503 and busy["Retry-After"] == "30"
    assert client.get("/world/?release=1").status_code == 200


def test_only_so_many_are_kept_open(client, world, released, monkeypatch):
    monkeypatch.setattr(past_state, "MAX_OPEN", 2)
    for age in (41, 42, 43):
        edit(age_years=age)
        make_release()
    for number in (1, 2, 3, 4, 1):
        rows = client.get(f"/api/v1/world/patients/?release={number}").json()["results"]
        assert {row["patient"]: row["age_years"] for row in rows}["alpha-1"] == 39 + number
        assert len(past_state._kept) == len(past_state._read) <= 2


def test_a_release_that_is_being_read_is_never_closed(client, world, released, monkeypatch):
    """However many are opened meanwhile; and whoever asks for it again gets the same."""
    monkeypatch.setattr(past_state, "MAX_OPEN", 1)
    for age in (41, 42):
        edit(age_years=age)
        make_release()
    state = release_status.past_state_of("1", world.collection)
    with state.session() as session:
        with session.entered():
            assert Patient.objects.get(slug="alpha-1").age_years == 40
        for number in "23":
            release_status.past_state_of(number, world.collection)
        assert release_status.past_state_of("1", world.collection) is state
        with session.entered():
            assert Patient.objects.get(slug="alpha-1").age_years == 40
    for number in "23":  # between being opened and being asked first, too
        release_status.past_state_of(number, world.collection)
    with state.answering():
        assert Patient.objects.get(slug="alpha-1").age_years == 40
    closing = state.closing
    assert closing.alive
    del state, session
    assert not closing.alive, "nobody reads it any more"


def test_a_file_is_read_to_its_end_while_others_are_opened(client, world, released, monkeypatch):
    monkeypatch.setattr(past_state, "MAX_OPEN", 1)
    then = client.get("/world/patients.csv?release=1").getvalue()
    edit(age_years=41)
    make_release()
    half_read = client.get("/world/patients.csv?release=1")
    client.get("/world/?release=2")
    assert half_read.getvalue() == then
    never_read = client.get("/world/patients.csv?release=1")
    (state,) = [each for each in past_state._read.values() if each.number == 1]
    closing = state.closing
    client.get("/world/?release=2")
    never_read.close()
    del never_read, half_read, state
    assert not closing.alive


def test_threads_that_ask_releases_in_turn_each_read_their_own(
    client, world, released, monkeypatch
):
    """Each holds its release while all others open theirs; one is kept open."""
    monkeypatch.setattr(past_state, "MAX_OPEN", 1)
    for age in (41, 42, 43):
        edit(age_years=age)
        make_release()
    kept = list(ReleasedRecords.objects.select_related("release"))
    for records in kept:  # which threads cannot read here: the test's transaction holds them
        records.pieces = list(records.pieces()).__iter__
    together, rounds = Barrier(len(kept), timeout=60), 5

    def read(records: ReleasedRecords) -> list[tuple[int, int]]:
        ages = []
        for _ in range(rounds):
            together.wait()
            state = past_state.opened(records)
            together.wait()  # all others are open, and this one is let go
            with state.answering():
                before = Patient.objects.get(slug="alpha-1").age_years
                together.wait()
                ages.append((before, Patient.objects.get(slug="alpha-1").age_years))
            del state
        return ages

    with ThreadPoolExecutor(len(kept)) as threads:
        found = dict(
            zip((each.release.number for each in kept), threads.map(read, kept), strict=True)
        )
    assert found == {number: [(39 + number, 39 + number)] * rounds for number in (1, 2, 3, 4)}
    assert len(past_state._kept) == 1


def test_too_many_that_are_being_read_are_busy(client, world, released, monkeypatch):
    monkeypatch.setattr(past_state, "MAX_READ", 2)
    for age in (41, 42):
        edit(age_years=age)
        make_release()
    states = [release_status.past_state_of(number, world.collection) for number in "12"]
    busy = client.get("/world/?release=3")
    assert busy.status_code == 503 and busy["Retry-After"] == "30"
    del states[0]
    assert client.get("/world/?release=3").status_code == 200


@pytest.mark.parametrize("is_edited", [False, True])
@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_what_cannot_be_read_is_never_answered_by_todays_data(
    client, world, released, monkeypatch, caplog, error, is_edited
):
    if is_edited:
        edit(age_years=41)

    def fail(*args):
        raise error("no such table: evidence_patient")

    monkeypatch.setattr(past_state.PastState, "fill", fail)
    for path in ("", "patients/", "patients.csv", "patients/alpha-1/", "bundle.zip"):
        away = client.get(f"/world/{path}?release=1")
        assert away.status_code == 503 and away["Retry-After"] == "30", path
    away = client.get("/api/v1/world/patients/?release=1")
    assert away.status_code == 503 and away["Content-Type"] == "application/problem+json"
    caplog.clear()


def test_records_of_a_release_from_before_are_kept_while_nothing_has_changed(
    client, world, released
):
    for records in ReleasedRecords.objects.all():
        records.delete()
    assert keep_latest() and not keep_latest()
    then = client.get("/world/patients.csv?release=1").getvalue()
    edit(age_years=41)
    assert client.get("/world/patients.csv?release=1").getvalue() == then


def test_what_was_changed_since_is_not_kept_as_the_release(world, released):
    without_records()
    assert not keep_latest() and not ReleasedRecords.objects.exists()


def test_drawn_collections_and_what_is_nobodys_are_not_among_the_records(client, world):
    call_command("generate_cohort", patients=3, verbosity=0)
    make_release()
    records = ReleasedRecords.objects.get()
    lines = list(past_state.read_lines(records))
    assert not {line.get("table") for line in lines} & past_state.LEFT_OUT
    slugs = {
        row[line["columns"].index("slug")]
        for line in lines
        if line.get("table") in ("patient", "collection")
        for row in line["rows"]
    }
    assert "synthetic" not in slugs and not any(slug.startswith("SIM-synthetic") for slug in slugs)
    assert Patient.objects.filter(study__collection__slug="synthetic").exists()

"""What groups cannot answer is not asked of them, and every page, file and answer about groups says
so.
"""

import csv
import io
import json
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook

from evidence import summaries
from evidence.questions.filters import matching_groups
from evidence.questions.question import Question

from .factories import make_group, make_study

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

ASKED = "inhibitor=tofacitinib&sex=female&age_min=30"
NOT_ASKED = ["Sex: Female", "Age from 30 years"]
JOINED = "Sex: Female; Age from 30 years"
NOUNS = ("groups", "findings", "studies")


def content(client, address: str) -> bytes:
    response = client.get(address)
    assert response.status_code == 200, response.content
    return b"".join(response.streaming_content) if response.streaming else response.content


def csv_rows(client, address: str) -> list[dict]:
    return list(
        csv.DictReader(io.StringIO(content(client, address).decode("utf-8-sig"), newline=""))
    )


@pytest.fixture
def asked_world(world):
    """The drawn world, with a finding, and a study that has a group and no patient."""
    delta = make_study(world.collection, "delta", design="retrospective_cohort")
    findings = [{"measure": "mRSS", "kind": "mean_change", "change": "-4", "n": 6}]
    findings += [{"measure": "improved", "kind": "events", "events": 4, "n": 6, "item": "improved"}]
    make_group(delta, "arm", n=6, findings=findings)
    return world


@pytest.mark.parametrize("noun", NOUNS)
def test_the_api_does_not_say_that_groups_were_asked_their_sex(client, asked_world, noun):
    question = client.get(f"/api/v1/world/{noun}/?{ASKED}").json()["question"]
    assert question["not_asked"] == NOT_ASKED
    asked = "JAK inhibitor: tofacitinib"
    if noun == "studies":
        asked += "; Sex: Female (not asked of groups); Age from 30 years (not asked of groups)"
    assert question["words"] == asked


@pytest.mark.parametrize("match", ["exactly", "none"])
def test_groups_are_not_asked_what_needs_a_complete_list(client, asked_world, asking, match):
    """Nobody says whether the list of a group's indications is complete."""
    address = f"indication=joints&indication_match={match}"
    question = asking(asked_world.collection, address)
    told = {"exactly": "Indication: exactly Joints", "none": "Indication: none of Joints"}[match]
    listed = sorted(group.slug for group in matching_groups(question))
    assert listed == ["arm", "control", "mixed", "treated"]
    cover = summaries.group_cover(question)
    assert cover.sentence == (
        "3 groups in 3 studies may hold patients like these, covering 16 people and 1 group of "
        f"unknown size. Not asked of them: {told}."
    )
    page = content(client, asked_world.address(f"groups/?{address}")).decode()
    assert f"Not asked of groups: {told}." in page
    rows = csv_rows(client, asked_world.address(f"groups.csv?{address}"))
    assert {row["not_asked"] for row in rows} == {told} and len(rows) == 4
    answer = client.get(f"/api/v1/world/groups/?{address}").json()
    assert (answer["question"]["not_asked"], answer["count"]) == ([told], 4)


@pytest.mark.parametrize(("match", "opened"), [("any", 2), ("all", 2), ("exactly", 0), ("none", 0)])
def test_groups_whose_indications_are_not_known_leave_the_question_open(
    asked_world, asking, match, opened
):
    """delta's arm and beta's mixed group say nothing; the comparator is not counted."""
    cover = summaries.group_cover(
        asking(asked_world.collection, f"indication=ild&indication_match={match}")
    )
    assert cover.not_known == opened
    told = " For 2 more groups it is open: their indications are not known."
    assert (told in cover.sentence) == bool(opened)


def test_one_open_group_and_none_that_answers(asked_world, asking):
    address = "inhibitor=tofacitinib&indication=joints"
    assert summaries.group_cover(asking(asked_world.collection, address)).sentence == (
        "No group reported only in aggregate answers this question. For 1 group it is open: its "
        "indications are not known."
    )


@pytest.mark.parametrize("noun", NOUNS)
@pytest.mark.parametrize("how", ["csv", "tsv", "jsonl", "xlsx"])
def test_every_format_names_the_parts_that_were_not_asked_of_a_row(client, asked_world, noun, how):
    found = content(client, asked_world.address(f"{noun}.{how}?{ASKED}"))
    if how == "xlsx":
        book = load_workbook(io.BytesIO(found))
        heading, *lines = book[noun].values
        rows = [dict(zip(heading, line, strict=True)) for line in lines]
        assert ("not asked of groups", JOINED) in list(book["about"].values)
    elif how == "jsonl":
        rows = [json.loads(line) for line in found.decode().splitlines()]
    else:
        separator = {"csv": ",", "tsv": "\t"}[how]
        rows = list(
            csv.DictReader(io.StringIO(found.decode("utf-8-sig"), newline=""), delimiter=separator)
        )
    told = {row["study"]: row["not_asked"] or "" for row in rows}
    if noun == "studies":  # alpha answers by a patient, of whom everything was asked
        assert told == {"alpha": "", "delta": JOINED}
    else:
        assert told["delta"] == JOINED and set(told.values()) == {JOINED}


def test_where_everything_was_asked_nothing_is_said(client, asked_world):
    for noun in NOUNS:
        rows = csv_rows(client, asked_world.address(f"{noun}.csv?inhibitor=tofacitinib"))
        assert rows and {row["not_asked"] for row in rows} == {""}
        answer = client.get(f"/api/v1/world/{noun}/?inhibitor=tofacitinib").json()
        assert answer["question"]["not_asked"] == [] and answer["results"][0]["not_asked"] is None
        page = content(client, asked_world.address(f"{noun}/?inhibitor=tofacitinib")).decode()
        assert "Not asked" not in page


LONGEST = (
    f"q={'+'.join(['tofacitinib'] * 10)}&manifestation=lung&manifestation_match=none&serious=no&"
    f"{ASKED}"
)


@pytest.mark.parametrize(
    "address",
    ["sex=female", "prior=prednisone", ASKED, "missing=response", "q=delta&age_min=3", LONGEST],
)
@pytest.mark.parametrize("noun", NOUNS)
def test_page_file_and_answer_have_the_same_rows(client, asked_world, noun, address):
    rows = csv_rows(client, asked_world.address(f"{noun}.csv?{address}"))
    answer = client.get(f"/api/v1/world/{noun}/?{address}").json()
    assert answer["count"] == len(rows) == len(answer["results"])
    assert [", ".join(row["not_asked"] or []) for row in answer["results"]] == [
        row["not_asked"].replace("; ", ", ") for row in rows
    ]
    page = content(client, asked_world.address(f"{noun}/?{address}")).decode()
    assert f'<span class="total">{len(rows)}</span>' in page
    assert ("Not asked of" in page) == bool(answer["question"]["not_asked"])


def test_a_study_by_its_groups_alone_says_so_and_one_with_such_a_patient_does_not(
    client, asked_world
):
    rows = csv_rows(
        client, asked_world.address("studies.csv?q=delta&prior=prednisone&prior_match=exactly")
    )
    assert [(row["study"], row["not_asked"]) for row in rows] == [
        ("delta", "Prior therapy: exactly Prednisone")
    ]
    page = content(client, asked_world.address("studies/?sex=female")).decode()
    assert "Not asked of studies that are here for their groups alone: Sex: Female" in page
    assert page.count("<td>Sex: Female</td>") == 1, (
        "delta alone; alpha and beta have female patients"
    )


def test_groups_may_hold_patients_like_these(asked_world, asking):
    everything = summaries.group_cover(Question(asked_world.collection))
    assert "answer it in aggregate" in everything.sentence and everything.not_asked == []
    some = summaries.group_cover(asking(asked_world.collection, ASKED))
    assert some.sentence == (
        "2 groups in 2 studies may hold patients like these, covering 16 people. Not asked of "
        f"them: {JOINED}. 1 group on several JAK inhibitors, not reported apart, may hold more."
    )


def test_the_overview_and_the_summary_say_it(client, asked_world):
    page = content(client, asked_world.address(f"?{ASKED}")).decode()
    assert f"Not asked of them: {JOINED}." in page and "answer it in aggregate" not in page
    summary = client.get(f"/api/v1/world/summary/?{ASKED}").json()
    assert (
        "may hold patients like these" in summary["groups"]
        and summary["groups_not_asked"] == NOT_ASKED
    )
    assert (
        summary["question"]["words"].endswith("Age from 30 years")
        and summary["question"]["not_asked"] == []
    )


def test_charts_of_groups_say_it(client, asked_world):
    page = content(client, asked_world.address(f"groups/?{ASKED}")).decode()
    assert f"Not asked of these groups: {JOINED}." in page
    rows = csv_rows(client, asked_world.address(f"charts/group-changes.csv?{ASKED}"))
    assert rows and {row["not_asked"] for row in rows} == {JOINED}
    question = client.get(f"/api/v1/world/charts/group-changes/?{ASKED}").json()["question"]
    assert (question["words"], question["not_asked"]) == ("JAK inhibitor: tofacitinib", NOT_ASKED)
    assert (
        "not_asked"
        not in csv_rows(client, asked_world.address(f"charts/age-and-sex.csv?{ASKED}"))[0]
    )


def test_a_forest_plot_says_it_of_its_groups(client, asked_world):
    rows = csv_rows(
        client, asked_world.address("forest.csv?item=improved&inhibitor=tofacitinib&sex=female")
    )
    told = {row["study"]: row["not_asked"] for row in rows if row["study"]}
    assert told == {"delta": "Sex: Female", "alpha": ""}
    answer = client.get(
        "/api/v1/world/forest/?item=improved&inhibitor=tofacitinib&sex=female"
    ).json()
    assert answer["question"]["not_asked"] == ["Sex: Female"]
    assert (
        "Not asked of groups, which may hold patients like these: Sex: Female."
        in answer["sentence"]
    )
    assert client.get("/api/v1/world/forest/?item=improved").json()["question"]["not_asked"] == []


def test_a_bundle_says_it_in_readme_manifest_and_package(client, asked_world):
    archive = ZipFile(io.BytesIO(content(client, asked_world.address(f"bundle.zip?{ASKED}"))))
    readme = archive.read("README.txt").decode()
    assert (
        f"Not asked of groups: {JOINED}\n  Groups have no one value or no complete list for these."
        in readme
    )
    assert "studies.csv, groups.csv, findings.csv, provenance.csv" in readme
    manifest = json.loads(archive.read("manifest.json"))
    assert manifest["not_asked"] == NOT_ASKED
    told = {each["path"]: each["not_asked"] for each in manifest["files"]}
    partly = {path for path, parts in told.items() if parts}
    assert partly == {
        "studies.csv",
        "groups.csv",
        "findings.csv",
        "provenance.csv",
        "appraisals.csv",
        "studies.ris",
        "studies.bib",
    }
    package = json.loads(archive.read("datapackage.json"))
    described = {
        each["name"] for each in package["resources"] if JOINED in each.get("description", "")
    }
    assert described == {"studies", "groups", "findings", "provenance", "appraisals"}
    whole = ZipFile(io.BytesIO(content(client, asked_world.address("bundle.zip"))))
    assert "Not asked" not in whole.read("README.txt").decode()


@pytest.mark.parametrize("how", ["ris", "bib"])
def test_a_citation_of_a_study_by_its_groups_alone_says_it(client, asked_world, how):
    address = asked_world.address(f"studies.{how}?{ASKED}")
    assert (
        content(client, address).decode().count(f"Listed for groups that were not asked: {JOINED}.")
        == 1
    )
    assert "not asked" not in content(client, asked_world.address(f"studies.{how}")).decode()


def test_no_comparator_may_hold_patients_like_these(client, asked_world):
    """A comparator holds nobody on a JAK inhibitor; alpha's control is one."""
    page = content(client, asked_world.address("groups/?sex=female")).decode()
    assert (
        "3 groups may hold patients like these; the other one listed is a comparator, with nobody "
        "on a JAK inhibitor." in page
    )
    make_group(asked_world.collection.studies.get(slug="delta"), "usual-care", inhibitor=None)
    page = content(client, asked_world.address("groups/?sex=female")).decode()
    assert "the other 2 listed are comparators, with nobody on a JAK inhibitor." in page
    page = content(client, asked_world.address("groups/?sex=female&inhibitor=tofacitinib")).decode()
    assert "2 groups may hold patients like these." in page and "the other" not in page
    comparators = "comparators hold nobody on one."
    assert comparators in content(client, asked_world.address("findings/?sex=female")).decode()
    chart = client.get("/api/v1/world/charts/group-changes/?sex=female").json()
    assert comparators in json.dumps(chart, ensure_ascii=False)

"""Studies that were corrected, doubted or retracted: flagged, counted, left out on request; and
what a file of Retraction Watch adds.
"""

import csv
import json
from datetime import date
from io import StringIO

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evidence.curation import drafts
from evidence.curation.drafts import open_draft
from evidence.curation.retractions import (
    Notice,
    UnreadableFile,
    date_in,
    encoding_of,
    holding_notice,
    read_notices,
)
from evidence.downloads.phenopackets import make_phenopacket
from evidence.models import DataVersion, Patient, Study, StudyDraft, StudyVersion
from evidence.models.choices import RetractionStatus
from evidence.questions.filters import matching_groups, matching_studies, matching_treatments
from evidence.questions.vocabulary import vocabulary
from evidence.summaries import list_counts, retracted_studies, run_summaries
from evidence.tables import TABLES

from . import plain
from .drafting import SOMEBODY
from .factories import make_collection, make_patient, make_study, make_treatment
from .test_exports import rows_of
from .test_pages import text_of

pytestmark = pytest.mark.django_db

REST = "retraction=none_known&retraction=corrected&retraction=concern"


@pytest.fixture
def retracted(world):
    """The world with `beta` retracted and `alpha` corrected."""
    Study.objects.filter(slug="alpha").update(
        retraction_status="corrected", retraction_notice="10.1000/correction"
    )
    Study.objects.filter(slug="beta").update(
        retraction_status="retracted",
        retraction_date=date(2026, 3, 9),
        retraction_notice="10.1000/notice",
        retraction_reason="Unreliable data",
    )
    DataVersion.bump()
    cache.clear()
    return world


# What readers see


def test_the_filter_finds_patients_groups_and_studies(retracted, asking, engine):
    def found(address):
        question = asking(retracted.collection, address)
        return (
            sorted({each.patient.slug for each in matching_treatments(question)}),
            sorted(f"{each.study.slug}/{each.slug}" for each in matching_groups(question)),
            sorted(each.slug for each in matching_studies(question)),
        )

    people = ["alpha-1", "alpha-2", "alpha-3", "alpha-4"]
    assert found("retraction=retracted") == (["beta-1"], ["beta/mixed"], ["beta"])
    assert found(REST) == (people, ["alpha/control", "alpha/treated"], ["alpha"])
    assert found("retraction=none_known") == ([], [], [])


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", (1, 1, 2)),
        ("sex=female", (1, 1, 2)),
        ("subset=limited", None),  # alpha alone
        ("year_min=2021", (1, 1, 1)),  # of studies alone
        ("inhibitor=baricitinib", (1, 1, 2)),
        ("sex=male&missing=response", (1, 0, 1)),  # by its group, which cannot be asked
        ("retraction=retracted", None),  # as asked
        (REST, None),
    ],
)
def test_retracted_studies_of_a_question_are_counted(retracted, asking, engine, address, expected):
    question = asking(retracted.collection, address)
    counts, found = run_summaries(list_counts(question), retracted_studies(question))
    told = found and (found.studies, found.patients, counts["studies"])
    if address != "sex=male&missing=response":
        assert told == expected
    by_hand = [each for each in matching_studies(question) if each.slug == "beta"]
    if expected is not None:
        assert found.studies == len(by_hand)
        people = {
            course.patient
            for course in retracted.records(retracted.collection)
            if course.retraction == "retracted"
            and course.patient in {each.patient.slug for each in matching_treatments(question)}
        }
        assert found.patients == len(people)
        rest = run_summaries(list_counts(found.without_them))[0]
        assert rest["studies"] == counts["studies"] - found.studies
        assert rest["patients"] == counts["patients"] - found.patients


def test_every_page_of_a_collection_says_so_and_leads_to_the_rest(client, retracted):
    for page in ("", "patients/", "studies/", "groups/", "matrix/", "charts/", "forest/", "rules/"):
        response = client.get(f"/world/{page}?sex=female")
        assert response.status_code == 200
        assert (
            "1 of 2 studies was retracted; what it reports (1 individual patient) is counted here."
            in text_of(response)
        ), page
        href = f"?sex=female&amp;{REST.replace('&', '&amp;')}"
        assert f"{href}" in response.content.decode(), page
    without = client.get(f"/world/?sex=female&{REST}")
    assert "was retracted" not in text_of(without)
    assert without.context["totals"].patients == 2


def test_a_collection_without_retracted_studies_says_nothing(client, world):
    assert "retracted;" not in text_of(client.get("/world/"))


def test_pages_with_a_retracted_study_take_no_more_queries(client, retracted):
    for page in ("", *(f"{noun}/" for noun in TABLES)):
        address = f"/world/{page}?sex=female"
        client.get(address)
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        assert len(queries) <= 5, page


def test_the_name_is_flagged_wherever_the_study_is_named(client, retracted):
    for noun in TABLES:
        body = client.get(f"/world/{noun}/").content.decode()
        named = body.count("/world/studies/beta/")
        assert body.count('<span class="mark">retracted</span>') == named, noun
    assert vocabulary(retracted.collection).terms["study"] == {
        "alpha": "alpha (corrected)",
        "beta": "beta (retracted)",
    }
    assert "beta (retracted)" in text_of(client.get("/world/?q=beta"))


def test_the_pages_of_study_and_patient_say_what_the_journal_said(client, retracted):
    for address in ("/world/studies/beta/", "/world/patients/beta-1/"):
        response = client.get(address)
        assert (
            "Retracted. The publication was retracted on 9 March 2026. Reason given: Unreliable "
            "data. The notice"
        ) in text_of(response)
        assert 'href="https://doi.org/10.1000/notice"' in response.content.decode()
    corrected = text_of(client.get("/world/studies/alpha/"))
    assert "Corrected. The journal has published a correction." in corrected
    assert "is counted unless" not in corrected


def test_files_and_api_have_the_column(client, retracted):
    for noun in TABLES:
        expected = {"alpha": "corrected", "beta": "retracted"}
        results = client.get(f"/api/v1/world/{noun}/").json()["results"]
        for rows in (rows_of(client, f"/world/{noun}.csv"), results):
            assert {each["study"]: each["retraction"] for each in rows}.items() <= expected.items()
            assert rows or noun in ("findings",)
    (beta,) = client.get("/api/v1/world/studies/?study=beta").json()["results"]
    assert beta["retraction_date"] == "2026-03-09"
    assert beta["retraction_notice"] == "10.1000/notice"
    assert beta["retraction_reason"] == "Unreliable data"
    summary = client.get("/api/v1/world/summary/").json()
    assert summary["retracted"].startswith("1 of 2 studies was retracted")


def test_what_is_taken_away_says_it_too(client, retracted):
    ris = client.get("/world/studies/beta.ris").content.decode()
    assert "N1  - Retracted on 2026-03-09 (10.1000/notice)." in ris
    bibtex = client.get("/world/studies/beta.bib").content.decode()
    assert "note = {Retracted on 2026-03-09 (10.1000/notice). Read" in bibtex
    packet = json.loads(
        make_phenopacket(Patient.objects.get(slug="beta-1"), vocabulary(retracted.collection))
    )
    (reference,) = packet["metaData"]["externalReferences"]
    assert reference["description"].endswith("(retracted)")


# The file


HEADER = (
    "Record ID,Title,Subject,Institution,Journal,Publisher,Country,Author,URLS,ArticleType,"
    "RetractionDate,RetractionDOI,RetractionPubMedID,OriginalPaperDate,OriginalPaperDOI,"
    "OriginalPaperPubMedID,RetractionNature,Reason,Paywalled,Notes"
)


def row(nature="Retraction", **given) -> dict:
    return {
        "RetractionDate": "4/15/2021 0:00",
        "RetractionDOI": "10.1000/notice",
        "RetractionPubMedID": "0",
        "OriginalPaperDOI": "10.1000/Paper",
        "OriginalPaperPubMedID": "0",
        "RetractionNature": nature,
        "Reason": "+Error in Data;+Unreliable Results;",
    } | given


@pytest.fixture
def file(tmp_path):
    """Writes a file of Retraction Watch."""

    def write(*rows, encoding="utf-8", header=HEADER):
        path, text = tmp_path / "retraction_watch.csv", StringIO()
        writer = csv.DictWriter(text, header.split(","), extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows(rows)
        path.write_bytes(text.getvalue().encode(encoding))
        return path

    return write


@pytest.fixture
def paper():
    study = make_study(make_collection("work"), "doe-2019", doi="10.1000/paper", pmid="77")
    make_treatment(make_patient(study, "doe-2019-1"))
    return study


def check(path, *options) -> tuple[int, str]:
    """The command's exit code, and what it says."""
    said, code = StringIO(), 0
    try:
        call_command("check_retractions", path, *options, stdout=said)
    except SystemExit as left:
        code = left.code
    return code, said.getvalue()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"OriginalPaperDOI": "https://doi.org/10.1000/PAPER"},
        {"OriginalPaperDOI": "unavailable", "OriginalPaperPubMedID": "77"},
        {"OriginalPaperDOI": "", "OriginalPaperPubMedID": "77.0"},
    ],
)
def test_a_retracted_paper_is_found_and_nothing_is_changed(paper, file, given):
    code, said = check(file(row(), row(**given)))
    assert code == 1
    assert (
        "work / doe-2019: retracted on 2021-04-15 (10.1000/notice): Error in Data; Unreliable "
        "Results. Entered so far: none known."
    ) in said
    assert not StudyDraft.objects.filter(slug="doe-2019").exists()
    assert Study.objects.get(slug="doe-2019").retraction_status == "none_known"


def test_another_paper_is_not_ours(paper, file):
    others = (row(OriginalPaperDOI="10.1000/paper2"), row(OriginalPaperDOI="unavailable"))
    assert check(file(*others)) == (0, "Nothing new.\n")


def test_applied_it_is_in_work_and_readers_see_nothing_until_it_is_published(client, paper, file):
    path = file(row())
    before = client.get("/work/studies/doe-2019/").content
    code, said = check(path, "--apply")
    assert (code, "Entered into studies in work: 1" in said) == (0, True)
    assert client.get("/work/studies/doe-2019/").content == before
    draft = StudyDraft.objects.get(slug="doe-2019")
    fields = {change.field: change.after for change in drafts.unpublished_changes(draft)}
    assert fields == {
        "retraction_status": "retracted",
        "retraction_date": "2021-04-15",
        "retraction_notice": "10.1000/notice",
        "retraction_reason": "Error in Data; Unreliable Results",
    }
    assert draft.head.door == "command"
    assert draft.head.message.startswith("Retraction Watch (retraction_watch.csv): retracted on")

    code, said = check(path)
    assert (code, "in the study in work and not published yet" in said) == (1, True)
    versions = StudyVersion.objects.count()
    check(path, "--apply")
    assert StudyVersion.objects.count() == versions

    drafts.publish(draft, based_on=draft.head.number, author=SOMEBODY)
    assert Study.objects.get(slug="doe-2019").retraction_date == date(2021, 4, 15)
    assert check(path) == (0, "Nothing new.\n")


def test_a_study_that_is_only_in_work_is_looked_at_too(file):
    collection = make_collection("work")
    draft = open_draft(collection, "new-2027", SOMEBODY)
    record = {
        "model": "evidence.study",
        "fields": {
            "collection": ["work"],
            "slug": "new-2027",
            "short_name": "New",
            "design": "case_report",
            "extraction": "abstract",
            "doi": "10.1000/paper",
        },
    }
    drafts.save_draft(draft, [record], based_on=None, author=SOMEBODY)
    assert check(file(row("Expression of concern")), "--apply")[0] == 0
    draft.refresh_from_db()
    assert draft.head.content[0]["fields"]["retraction_status"] == "concern"


def test_simulated_studies_are_not_looked_for(file):
    collection = make_collection("made-up", kind="simulated", caveat="Made up")
    make_study(collection, "one", doi="10.1000/paper")
    assert check(file(row()))[0] == 0


def notice(nature, day=None, link="10.1/x") -> Notice:
    return Notice(nature, day and date(2020, 1, day), "10.1/a", "", link, "Why")


@pytest.mark.parametrize(
    ("notices", "status", "reinstated"),
    [
        ([notice("correction", 1), notice("retraction", 2)], "retracted", False),
        ([notice("retraction", 1), notice("correction", 2)], "retracted", False),
        ([notice("expression of concern", 1)], "concern", False),
        ([notice("retraction", 1), notice("reinstatement", 2)], None, True),
        ([notice("reinstatement", 2), notice("retraction", 3)], "retracted", False),
        (
            [notice("correction", 1), notice("retraction", 2), notice("reinstatement", 3)],
            "corrected",
            True,
        ),
        ([notice("retraction"), notice("reinstatement", 2)], None, True),
        ([notice("retraction", 2), notice("reinstatement")], "retracted", False),
        ([notice("something else", 1)], None, False),
    ],
)
def test_the_gravest_notice_holds_until_a_reinstatement(notices, status, reinstated):
    for order in (notices, notices[::-1]):
        holding, ended = holding_notice(order)
        assert (holding and holding.status, ended is not None) == (status, reinstated)


def test_what_a_curator_entered_is_taken_back_only_by_a_reinstatement(paper, file):
    Study.objects.filter(pk=paper.pk).update(
        retraction_status="retracted", retraction_reason="The journal says so"
    )
    assert check(file())[0] == 0
    assert check(file(row("Correction")))[0] == 0
    both = (row(), row("Reinstatement", RetractionDate="1/2/2022 0:00"))
    code, said = check(file(*both))
    assert (code, "reinstated on 2022-01-02; nothing holds any more" in said) == (1, True)
    check(file(*both), "--apply")
    draft = StudyDraft.objects.get(slug="doe-2019")
    assert "retraction_status" not in draft.head.content[0]["fields"]
    drafts.publish(draft, based_on=draft.head.number, author=SOMEBODY)
    assert Study.objects.get(pk=paper.pk).retraction_status == "none_known"
    assert check(file(*both))[0] == 0


def test_an_unknown_nature_of_one_of_ours_is_told(paper, file):
    code, said = check(file(row("Withdrawal of sorts")))
    assert (code, "“withdrawal of sorts”, which is not understood" in said) == (1, True)


def test_a_row_without_notice_and_reason_can_be_entered(paper, file):
    path = file(row(RetractionDOI="Unavailable", Reason="", RetractionDate="soon"))
    assert check(path, "--apply")[0] == 0
    draft = StudyDraft.objects.get(slug="doe-2019")
    fields = draft.head.content[0]["fields"]
    assert fields["retraction_reason"] == "Listed by Retraction Watch without a reason."
    assert "retraction_date" not in fields
    drafts.publish(draft, based_on=draft.head.number, author=SOMEBODY)
    (read,) = read_notices(file(row(RetractionDOI="", RetractionPubMedID="55")), [])
    assert read.link == "https://pubmed.ncbi.nlm.nih.gov/55/"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4/15/2021 0:00", date(2021, 4, 15)),
        ("12/1/2021", date(2021, 12, 1)),
        ("2021-04-15", date(2021, 4, 15)),
        ("15.4.2021", None),
        ("", None),
    ],
)
def test_dates(text, expected):
    assert date_in(text) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_encodings(file, encoding):
    path = file(row(Reason="+Émile’s error;".replace("’", "'")), encoding=encoding)
    assert encoding_of(path) == ("latin-1" if encoding == "latin-1" else "utf-8-sig")
    (read,) = read_notices(path, [])
    assert read.reason == "Émile's error"


def test_files_that_cannot_be_used_are_refused_in_words(file, tmp_path):
    with pytest.raises(CommandError, match="the file lacks RetractionNature, Reason"):
        call_command(
            "check_retractions",
            file(header=HEADER.replace("RetractionNature,Reason,", "")),
        )
    with pytest.raises(CommandError, match="No such file"):
        call_command("check_retractions", tmp_path / "nothing.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(UnreadableFile, match="Its first line has: nothing"):
        list(read_notices(tmp_path / "empty.csv", []))
    (tmp_path / "binary.csv").write_bytes(b"PK\x03\x04\x00")
    with pytest.raises(UnreadableFile, match="no CSV file in UTF-8"):
        list(read_notices(tmp_path / "binary.csv", []))
    (tmp_path / "broken.csv").write_text(f'{HEADER}\n1,"{"x" * 2**21}"\n')
    with pytest.raises(UnreadableFile, match="line 2: no CSV"):
        list(read_notices(tmp_path / "broken.csv", []))
    with pytest.raises(UnreadableFile, match="Is a directory"):
        list(read_notices(tmp_path, []))


@pytest.mark.parametrize("end", [b"Caf\xe9", b"Caf\xc3"])
def test_a_file_that_ends_within_a_letter(file, end):
    path = file(row(Reason="+Error;"))
    path.write_bytes(path.read_bytes().rstrip(b"\r\n").removesuffix(b"+Error;") + end)
    assert encoding_of(path) == "latin-1"
    check(path)


def test_a_row_of_another_length_is_told(paper, file):
    path = file(row(OriginalPaperDOI="10.2000/1"), row())
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace("10.2000/1", '"10.2000/1')  # never closed: swallows what follows
    path.write_text("\n".join(lines))
    code, said = check(path)
    assert code == 1 and "1 rows could not be read." in said and "Nothing new" not in said
    path.write_text("\n".join([lines[0], "1,2,3"]))
    assert check(path) == (1, "1 rows could not be read.\n")


def test_a_column_that_comes_twice_is_refused(file):
    with pytest.raises(CommandError, match="has Reason more than once"):
        call_command("check_retractions", file(header=f"{HEADER},reason"))


def test_nothing_of_a_file_speaks_to_the_terminal(paper, file):
    code, said = check(file(row(Reason="+\x1b[31mError\x07;")))
    assert code == 1 and "Error" in said and not {"\x1b", "\x07"} & set(said)


def test_where_two_people_publish_somebody_enters_it(db, file, django_user_model):
    two = make_collection("two")
    make_study(two, "doe-2019", doi="10.1000/doe")
    two.needs_two_people = True
    two.save()
    path = file(row(OriginalPaperDOI="10.1000/doe"))
    with pytest.raises(CommandError, match=r"Nothing was changed\. .*--user"):
        check(path, "--apply")
    django_user_model.objects.create_user("alice")
    assert check(path, "--apply", "--user", "alice")[0] == 0
    draft = StudyDraft.objects.get(slug="doe-2019", collection=two)
    assert draft.head.author_name == "alice"
    with pytest.raises(CommandError, match="There is no account “nobody”"):
        check(path, "--apply", "--user", "nobody")


def test_a_long_file_is_read_row_by_row(paper, file):
    path = file(*(row(OriginalPaperDOI=f"10.2000/{number}") for number in range(60_000)), row())
    reading = read_notices(path, [])
    assert next(reading).doi == "10.2000/0", "the first before the last is read"
    assert check(path)[0] == 1


def test_the_choices_stand_in_the_order_of_gravity():
    assert RetractionStatus.values == ["none_known", "corrected", "concern", "retracted"]


def test_plain_loops_agree(retracted):
    courses = retracted.records(retracted.collection)
    assert {each.patient for each in courses if each.retraction == "retracted"} == {"beta-1"}
    assert {each.retraction for each in plain.all_courses(retracted.collection)} == {
        "retracted",
        "corrected",
    }

"""What groups report of adverse events, above those of patients."""

import re

import pytest

from evidence import summaries
from evidence.models import GroupFinding
from evidence.questions.question import Question

from .factories import make_collection, make_group, make_study
from .test_pages import text_of

pytestmark = pytest.mark.django_db


def harm(measure, events, n, **fields):
    return {
        "kind": "events",
        "measure": measure,
        "events": events,
        "n": n,
        "harm": True,
    } | fields


@pytest.fixture
def reported(db):
    """A trial of two arms and a series, each with harms and with something else."""
    collection = make_collection("reported")
    trial = make_study(collection, "trial", extraction="abstract", doi="10.1000/trial")
    other = {"kind": "events", "measure": "improved", "events": 3, "n": 10, "item": "improved"}
    make_group(trial, "active", findings=[harm("infection", 2, 10, at_weeks=24), other])
    make_group(trial, "placebo", inhibitor=None, findings=[harm("infection", 1, 5, at_weeks=24)])
    series = make_study(collection, "series")
    serious = {"kind": "events", "measure": "serious adverse event", "item": "serious"}
    make_group(
        series, "all", "baricitinib", findings=[serious | {"events": 0, "n": 8}], subset="diffuse"
    )
    make_study(collection, "quiet")
    return collection


def listed(collection, asking, address=""):
    found = summaries.group_harms(asking(collection, address))
    return [(row.study, row.group, row.drug, row.result) for row in found]


ACTIVE = ("trial", "active", "tofacitinib", "2/10 (CI 6–51)")
PLACEBO = ("trial", "placebo", "", "1/5 (CI 4–62)")
SERIES = ("series", "all", "baricitinib", "0/8 (CI 0–32)")


def test_harms_of_groups_by_hand(reported, asking):
    assert listed(reported, asking) == [SERIES, ACTIVE, PLACEBO]


@pytest.mark.parametrize(
    ("address", "rows"),
    [
        ("study=trial", [ACTIVE, PLACEBO]),
        ("inhibitor=tofacitinib", [ACTIVE, PLACEBO]),
        ("inhibitor=baricitinib", [SERIES]),
        ("subset=diffuse", [SERIES]),
        ("subset=limited", []),
        ("sex=female", [SERIES, ACTIVE, PLACEBO]),
    ],
)
def test_harms_answer_the_question_with_their_comparators(reported, asking, address, rows):
    assert listed(reported, asking, address) == rows


def test_every_harm_of_the_published_groups_is_listed_once(published):
    """By a plain loop over the findings."""
    expected = [
        (finding.group.study.short_name, finding.group.label, finding.measure, finding.at_weeks)
        for finding in GroupFinding.objects.select_related("group__study__collection")
        if finding.group.study.collection == published and finding.harm
    ]
    found = summaries.group_harms(Question(published))
    rows = [(row.study, row.group, row.measure, row.weeks) for row in found]
    assert sorted(rows) == sorted(expected) and len(rows) == 4


def test_the_page_shows_groups_above_patients(client, published, unlimited):
    text = text_of(client.get("/published/adverse-events/"))
    assert "0/5 (CI 0–43) Drug-related adverse event 52" in text
    assert "0/10 (CI 0–28) Grade >=3 adverse event 24" in text
    assert re.search(r"Placebo comparator 0/5 \(CI 0–43\)", text, re.I)
    assert text.index("In groups 4") < text.index("In patients reported one by one 0")
    assert "What groups report stands above." in text
    assert "never added up" in text and "Not asked of groups" not in text


def test_the_page_says_what_was_not_asked_of_groups(client, published, unlimited):
    text = text_of(client.get("/published/adverse-events/?sex=female&inhibitor=filgotinib"))
    assert "In groups 2" in text, "the drug was asked of them"
    assert "Not asked of groups: Sex: Female." in text


def test_no_harm_of_a_group_is_said_plainly(client, world, reported, unlimited):
    text = text_of(client.get(world.address("adverse-events/")))
    assert "No group of this collection has a finding about adverse events here." in text
    text = text_of(client.get("/reported/adverse-events/?subset=limited"))
    assert "No group that answers this question has a finding about adverse events here." in text
    assert "What groups report stands above." not in text


def test_a_week_that_is_not_known_says_why(client, reported, unlimited):
    GroupFinding.objects.filter(measure="infection").update(at_weeks=None)
    text = text_of(client.get("/reported/adverse-events/?study=trial"))
    assert "2/10 (CI 6–51) Infection not extracted" in text


def test_harms_cost_no_query_per_finding(reported, django_assert_num_queries):
    with django_assert_num_queries(2):  # the version of the data, and the findings
        assert len(summaries.group_harms(Question(reported))) == 3


def test_a_rate_on_the_page_of_a_study_has_its_interval(client, published, unlimited):
    text = text_of(client.get("/published/studies/depinto-2024/"))
    assert "5/5 (CI 57–100)" in text and "0/5 (CI 0–43)" in text

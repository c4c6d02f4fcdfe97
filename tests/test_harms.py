"""What groups report of adverse events, beside those of patients; and findings in words."""

import re
from decimal import Decimal

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


ACTIVE = ("trial", "active", "tofacitinib", "2/10 (95 % CI 5.7–51.0 %)")
PLACEBO = ("trial", "placebo", "", "1/5 (95 % CI 3.6–62.4 %)")
SERIES = ("series", "all", "baricitinib", "0/8 (95 % CI 0.0–32.4 %)")


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
    assert "0/5 (95 % CI 0.0–43.4 %) Drug-related adverse event 52" in text
    assert "0/10 (95 % CI 0.0–27.8 %) Grade >=3 adverse event 24" in text
    assert re.search(r"Placebo comparator 0/5 \(95 % CI 0.0–43.4 %\)", text, re.I)
    assert text.index("In groups 4") < text.index("In individual patients 0")
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
    assert "2/10 (95 % CI 5.7–51.0 %) Infection not extracted" in text


def test_harms_cost_no_query_per_finding(reported, django_assert_num_queries):
    with django_assert_num_queries(2):  # the version of the data, and the findings
        assert len(summaries.group_harms(Question(reported))) == 3


# Findings in words


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "events", "events": 5, "n": 5}, "5/5 (95 % CI 56.6–100.0 %)"),
        (
            {"kind": "share", "percent": "45.5", "n": 11},
            "45.5 % of 11 (that is 5/11, 95 % CI 21.3–72.0 %)",
        ),
        ({"kind": "share", "percent": "42", "n": 900}, "42 % of 900"),
        ({"kind": "share", "percent": "42"}, "42 %"),
        (
            {"kind": "median_change", "baseline": 24, "followup": 12, "iqr": "7.50"},
            "median 24 → 12, IQR 7.5 (width as printed)",
        ),
        (
            {"kind": "mean_sd_change", "change": "-10.17", "change_sd": "2.92"},
            "mean change −10.17 (SD 2.92)",
        ),
        (
            {
                "kind": "mean_sd_change",
                "baseline": "9.22",
                "baseline_sd": "3.81",
                "followup": "7.11",
                "followup_sd": "3.92",
                "p_value": "0.048",
            },
            "mean 9.22 (SD 3.81) → 7.11 (SD 3.92), p = 0.048",
        ),
        ({"kind": "mean_change", "followup": 3}, "mean at follow-up 3"),
        (
            {"kind": "median_iqr", "value": "16.9", "iqr_low": "10.3", "iqr_high": "31.8"},
            "median 16.9, IQR 10.3 to 31.8",
        ),
        (
            {"kind": "standardised_mean_change", "value": "-1.19", "p_value": "<0.001"},
            "standardised mean change −1.19, p <0.001",
        ),
        ({"kind": "score", "value": "0.5"}, "0.5"),
        ({"kind": "score"}, ""),
    ],
)
def test_a_finding_in_words(fields, words):
    numbers = {
        name: Decimal(str(value)) if name not in ("kind", "p_value", "n", "events") else value
        for name, value in fields.items()
    }
    assert summaries.finding_in_words(GroupFinding(measure="x", **numbers)) == words


def test_a_rate_on_the_page_of_a_study_has_its_interval(client, published, unlimited):
    text = text_of(client.get("/published/studies/depinto-2024/"))
    assert "5/5 (95 % CI 56.6–100.0 %)" in text and "0/5 (95 % CI 0.0–43.4 %)" in text

"""The table for analysis: one row for each course, and the overview's shares computed from it."""

import csv
import io
from collections import defaultdict
from decimal import Decimal
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings

from evidence.models import Outcome
from evidence.tables.doses import parse_dose

from .factories import make_measure, make_patient, make_study, make_treatment
from .test_filters import addresses, few

pytestmark = pytest.mark.django_db
DOMAINS = ("skin", "lung", "gi", "joints", "vascular", "global")


def courses(client, address: str) -> list[dict]:
    response = client.get(address)
    assert response.status_code == 200, response.getvalue()
    text = response.getvalue().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    ("text", "amount", "unit", "times", "daily"),
    [
        ("5 mg twice daily", 5, "mg", 2, 10),
        ("5mg  Twice a day", 5, "mg", 2, 10),
        ("200 mg once daily", 200, "mg", 1, 200),
        ("2.5 mg three times per day", Decimal("2.5"), "mg", 3, Decimal("7.5")),
        ("4 mg daily", 4, "mg", None, 4),
        ("10 mg/day", 10, "mg", None, 10),
        ("0.2 g/day", Decimal("0.2"), "g", None, 200),
        ("15 mg", 15, "mg", None, None),
    ],
)
def test_a_dose_is_read_where_its_text_leaves_no_choice(text, amount, unit, times, daily):
    assert parse_dose(text) == (amount, unit, times, daily)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7.5-10 mg weekly",
        "10 mg weekly",
        "5 mg every other day",
        "5-10 mg daily",
        "5 mg twice daily, then 10 mg",
        "11 mg XR once daily",
        "5,5 mg daily",
        "1,000 mg",
        "05 mg daily",
        "5 mg/kg/day",
        "5 mg od",
        "5 ml daily",
        "about 5 mg daily",
        "5",
        "synthetic dose A",
    ],
)
def test_every_other_text_is_no_number(text):
    assert parse_dose(text) is None


def test_a_row_by_hand(client, world):
    rows = {
        (row["patient"], row["treatment"]): row for row in courses(client, "/world/courses.csv")
    }
    assert len(rows) == 6
    one = rows["alpha-1", "1"]
    assert (one["study"], one["design"], one["appraised"]) == ("alpha", "case_series", "no")
    assert (one["sex"], one["age_years"], one["inhibitor"]) == ("female", "40", "tofacitinib")
    assert (one["events"], one["events_by_category"]) == ("2", "infection:unknown:2")
    assert (one["serious_event"], one["serious_counted"]) == ("not reported", "no")
    kinds = ("events_serious", "events_not_serious", "events_grade_3_or_more")
    assert {one[kind] for kind in kinds} == {""}, "of no event it is said"
    assert {rows["alpha-2", "1"][kind] for kind in kinds} == {"0"}, "no event occurred"
    assert rows["alpha-2", "1"]["events"] == "0" and rows["alpha-2", "1"]["serious_event"] == "no"
    assert rows["alpha-2", "2"]["events"] == "", "not stated is not none"
    three = rows["alpha-3", "1"]
    assert (three["events_serious"], three["events_grade_3_or_more"]) == ("1", "1")
    assert (three["serious_event"], three["serious_counted"]) == ("yes", "yes")
    beta = rows["beta-1", "1"]
    assert beta["events"] == "", "events are said to have occurred, and none is listed"
    assert beta["skin_result"] == "stable", "of results without a month the worst"
    assert beta["joints_result"] == "not extracted" and beta["empty_means"] == "not extracted"


def add_levels(course, *levels, measure="mRSS", domain="skin", result="unknown") -> None:
    """(baseline, its month, follow-up, its month)."""
    for baseline, baseline_month, followup, month in levels:
        Outcome.objects.create(
            treatment=course,
            number=course.outcomes.count() + 1,
            domain=domain,
            measure=make_measure(measure),
            baseline=baseline,
            baseline_month=baseline_month,
            followup=followup,
            at_months=month,
            result=result,
        )


@pytest.mark.parametrize(
    ("levels", "baseline", "last"),
    [
        ([(20, 0, 15, 3), (20, 0, 12, 12)], ("20", "0"), ("12", "12")),
        ([(20, None, 15, 3), (20, None, None, 12)], ("20", ""), ("15", "3")),
        ([(20, None, 15, None)], ("20", ""), ("15", "")),
        ([(20, None, 15, None), (18, 0, 14, 2)], ("18", "0"), ("14", "2")),
        ([(22, -6, 15, 3), (20, -1, 14, 3)], ("20", "-1"), ("", "")),
        ([(20, None, 15, 3), (21, None, 15, 3)], ("", ""), ("15", "3")),
        ([(17, 2, 15, 3)], ("17", "2"), ("15", "3")),
        ([], ("", ""), ("", "")),
    ],
)
def test_first_and_last_level(client, world, levels, baseline, last):
    course = make_treatment(make_patient(make_study(world.collection, "eta"), "eta-1"))
    add_levels(course, *levels)
    add_levels(course, (90, 0, 80, 24), measure="FVC", domain="lung")
    (row,) = courses(client, "/world/courses.csv?study=eta")
    assert (row["mrss_baseline"], row["mrss_baseline_month"]) == baseline
    assert (row["mrss_last"], row["mrss_last_month"]) == last
    assert row["fvc_percent_baseline"] == "", "a bare FVC may be in litres"
    assert row["follow_up_months"] == "24"


def test_levels_are_those_of_the_months_that_are_asked_for(client, world):
    course = make_treatment(
        make_patient(make_study(world.collection, "eta"), "eta-1"), dose="4 mg daily"
    )
    add_levels(course, (20, 0, 15, 3), result="improved")
    add_levels(course, (20, 0, 22, 12), result="worsened")
    (whole,) = courses(client, "/world/courses.csv?study=eta")
    (early,) = courses(client, "/world/courses.csv?study=eta&assessed=3")
    assert (whole["mrss_last"], whole["skin_result"], whole["skin_month"]) == (
        "22",
        "worsened",
        "12",
    )
    assert (early["mrss_last"], early["skin_result"], early["skin_month"]) == (
        "15",
        "improved",
        "3",
    )
    assert early["follow_up_months"] == whole["follow_up_months"] == "12"
    assert (whole["dose"], whole["dose_amount"], whole["dose_unit"]) == ("4 mg daily", "4", "mg")
    assert (whole["dose_times_daily"], whole["dose_mg_daily"]) == ("", "4")


# The overview from the table


def known(row: dict, name: str) -> str:
    """A cell's value; an empty text where it is not known."""
    return "" if row[name] in ("not reported", "not extracted") else row[name]


def shares(rows: list[dict], asked_serious: bool = False) -> dict[tuple[str, str], tuple]:
    """(kind, key) -> (n, N, not reported, not extracted), by loops over courses."""
    patients = defaultdict(list)
    for row in rows:
        patients[row["patient"]].append(row)
    found = {}

    def share(kind: str, key: str, answers: list[tuple[str, str]]) -> None:
        """`answers` are (yes, no or nothing; what empty means)."""
        missing = [means for answer, means in answers if not answer]
        found[kind, key] = (
            sum(answer == "yes" for answer, _ in answers),
            sum(bool(answer) for answer, _ in answers),
            missing.count("not reported"),
            missing.count("not extracted"),
        )

    def by_patient(answer) -> list[tuple[str, str]]:
        """Yes if it is of one course, no only if it is of all."""
        answers = []
        for own in patients.values():
            given = [answer(row) for row in own]
            said = "yes" if "yes" in given else "no" if all(given) else ""
            answers.append((said, own[0]["empty_means"]))
        return answers

    def equals(name: str, value: str):
        return lambda row: known(row, name) and ("yes" if row[name] == value else "no")

    def serious(row: dict) -> str:
        counted = asked_serious or row["serious_counted"] == "yes"
        return known(row, "serious_event") if counted else ""

    share("headline", "improved", by_patient(equals("response", "improved")))
    share("headline", "relapsed", by_patient(equals("relapsed", "yes")))
    share("headline", "any_adverse_event", by_patient(equals("adverse_events", "events")))
    graded = {
        bool(known(row, "serious_event")) for row in rows if row["adverse_events"] == "events"
    }
    ungraded = graded == {False} and not asked_serious
    share("headline", "serious", by_patient((lambda row: "") if ungraded else serious))
    for domain in DOMAINS:
        answers = []
        for own in patients.values():
            stated = [row for row in own if known(row, f"{domain}_result")]
            dated = [row for row in stated if row[f"{domain}_month"]]
            last = max(dated or stated, key=lambda row: int(row["treatment"]), default=None)
            said = "" if last is None else equals(f"{domain}_result", "improved")(last)
            answers.append((said, own[0]["empty_means"]))
        share("domain", domain, answers)
    for inhibitor in {row["inhibitor"] for row in rows}:
        own = [row for row in rows if row["inhibitor"] == inhibitor]
        verdicts = [(equals("response", "improved")(row), row["empty_means"]) for row in own]
        share("inhibitor", inhibitor, verdicts)
    categories = {
        event.split(":")[0]
        for row in rows
        for event in filter(None, row["events_by_category"].split("; "))
    }
    for category in categories:

        def had(row: dict, category=category) -> str:
            events = [event.split(":")[0] for event in row["events_by_category"].split("; ")]
            whole = row["adverse_events"] == "explicitly_none" or (
                row["adverse_event_categories_completeness"] == "complete"
            )
            return "yes" if category in events else "no" if whole else ""

        share("event", category, by_patient(had))
    return found


def told(share: dict) -> tuple:
    return tuple(share[name] for name in ("count", "known", "not_reported", "not_extracted"))


def check_shares(client, slug: str, query: str) -> int:
    """Compares every share of the summary with what the courses give; how many were compared."""
    computed = shares(courses(client, f"/{slug}/courses.csv?{query}"), "serious=" in query)
    summary = client.get(f"/api/v1/{slug}/summary/?{query}").json()
    compared = {("headline", each["key"]): told(each) for each in summary["headlines"]} | {
        ("domain", each["key"]): told(each) for each in summary["improved_by_domain"]
    }
    compared |= {
        ("inhibitor", each["key"]): told(each["improved"])
        for each in summary["response_by_inhibitor"]
    }
    compared |= {("event", each["key"]): told(each) for each in summary["adverse_events"]}
    for key, share in compared.items():
        empty = (0, 0, *told_missing(summary)) if key not in computed else None
        assert computed.get(key, empty) == share, (slug, query, key)
    return len(compared)


def told_missing(summary: dict) -> tuple:
    improved = summary["headlines"][0]
    return improved["not_reported"], improved["not_extracted"]


@pytest.mark.parametrize("slug", ["published", "sener-2025-reconstruction"])
@pytest.mark.parametrize("query", ["", "inhibitor=tofacitinib", "sex=female", "serious=no"])
def test_every_share_of_the_overview_follows_from_the_courses(client, db, slug, query):
    assert check_shares(client, slug, query) >= 4


@pytest.mark.slow
@settings(few, max_examples=40)
@given(question=addresses())
def test_and_of_any_question(client, world, unlimited, question):
    check_shares(client, "world", urlencode(question, doseq=True))

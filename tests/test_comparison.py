"""Two cohorts side by side."""

import csv
from math import inf
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings

from evidence import summaries
from evidence.counting import count_shared_patients
from evidence.questions.question import Question
from evidence.questions.vocabulary import vocabulary
from evidence.statistics import TwoByTwo, exact_comparison
from evidence.summaries.comparison import format_ratio

from . import plain
from .factories import make_collection, make_patient, make_study, make_treatment
from .test_filters import addresses, few
from .test_pages import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def every_answer_made_anew(settings):
    """So that each has its context."""
    settings.CACHE_RESPONSES = False


def comparing(collection, one="", other=""):
    return f"/{collection.slug}/compare/?{urlencode({'a': one, 'b': other})}"


def rows_of(found) -> dict:
    return {row.label: row for _, rows in found.groups for row in rows}


@pytest.fixture
def trial(db):
    """Two drugs, 8 and 9 patients with a verdict; in one more it is not known."""
    collection = make_collection("two-drugs")
    study = make_study(collection)
    for drug, improved, others, unknown in (("tofacitinib", 3, 5, 1), ("baricitinib", 8, 1, 0)):
        for response, times in (("improved", improved), ("stable", others), ("unknown", unknown)):
            for _ in range(times):
                make_treatment(make_patient(study, sex="female"), drug, response=response)
    return collection


def test_by_hand(trial, asking):
    one, other = asking(trial, "inhibitor=tofacitinib"), asking(trial, "inhibitor=baricitinib")
    found = summaries.side_by_side(one, other, vocabulary(trial))
    row = rows_of(found)["Improved (authors’ overall verdict)"]
    assert (row.first.fraction, row.first.missing, row.second.fraction) == ("3/8", 1, "8/9")
    # Wilson's limits of 3/8 are 0.1368 and 0.6943, of 8/9 0.5650 and 0.9801; Newcombe puts them
    # together.
    assert row.difference_text == "−51.4 (−76.9 to −5.9)"
    assert row.exact == exact_comparison(3, 8, 8, 9)
    assert row.p_text == "0.086"  # the interval of the odds ratio goes up to 1.26
    assert row.odds_text.startswith("0.09 (< 0.01 to 1.26)")
    assert found.overlap_text == "No patient is in both: 9 only in A, 9 only in B."


def test_missing_stays_a_stratum_of_its_own(client, trial):
    page = client.get(comparing(trial, "inhibitor=tofacitinib", "inhibitor=baricitinib"))
    assert page.content.decode().count('<th scope="col" class="number">not known</th>') == 2
    assert "Those in whom a share is not known stay apart" in text_of(page)


def test_under_five_in_a_group_no_p_value_is_printed(trial, asking):
    study = trial.studies.get()
    for _ in range(4):
        make_treatment(make_patient(study, sex="male"), "filgotinib", response="improved")
    one, other = asking(trial, "inhibitor=filgotinib"), asking(trial, "inhibitor=tofacitinib")
    row = rows_of(summaries.side_by_side(one, other, vocabulary(trial)))[
        "Improved (authors’ overall verdict)"
    ]
    assert row.first.fraction == "4/4"
    assert (row.p_text, row.why) == ("", "under 5 known")
    assert row.difference_text and row.odds_text, "counts and intervals stay"


def test_whoever_is_on_both_sides_cannot_be_compared(trial, asking):
    one, other = asking(trial, "inhibitor=tofacitinib"), asking(trial, "")
    found = summaries.side_by_side(one, other, vocabulary(trial))
    assert found.overlap_text == "9 in both, 0 only in A, 9 only in B."
    assert found.test_count == 0
    assert all(row.difference is None for row in rows_of(found).values())
    reasons = {row.why for row in rows_of(found).values() if row.first.known}
    assert reasons == {"the cohorts share patients"}


def test_a_patient_with_two_courses_can_be_on_both_sides(world, asking):
    one, other = (
        asking(world.collection, "inhibitor=tofacitinib"),
        asking(world.collection, "inhibitor=baricitinib"),
    )
    # alpha-2 had both
    assert summaries.side_by_side(one, other, vocabulary(world.collection)).overlap == 1


@settings(few, max_examples=25)
@given(one=addresses(), other=addresses())
def test_who_is_on_both_sides_agrees_with_plain_loops(world, asking, engine, one, other):
    records = world.records(world.collection)
    both = plain.patients(plain.answering(records, one)) & plain.patients(
        plain.answering(records, other)
    )
    asked = [asking(world.collection, urlencode(each, doseq=True)) for each in (one, other)]
    assert count_shared_patients(*asked) == len(both)


@settings(few, max_examples=15)
@given(one=addresses(), other=addresses())
def test_both_sides_are_what_their_own_pages_say(client, world, one, other):
    queries = [urlencode(each, doseq=True) for each in (one, other)]
    found = client.get(comparing(world.collection, *queries)).context["compared"]
    for side, query in zip((found.first, found.second), queries, strict=True):
        assert str(side) == str(client.get(world.address(f"?{query}")).context["answer"])
    for row in rows_of(found).values():
        assert row.first.in_view == found.first.matching
        assert row.second.in_view == found.second.matching


def test_serious_events_are_counted_of_nobody_where_none_is_graded(client, db):
    found = client.get(
        "/sener-2025-reconstruction/compare/?a=inhibitor%3Dtofacitinib&b=inhibitor%3Dbaricitinib"
    ).context["compared"]
    row = rows_of(found)["Serious adverse event"]
    assert (row.first.fraction, row.second.fraction) == ("none known", "none known")
    assert row.why == "no adverse event in view is said to be serious or not"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("a=sex%3Dx&b=", "A: “x” is not among the values of “Sex”."),
        ("a=&b=nonsense%3D1", "B: “nonsense” is not a filter."),
        ("a=&c=", "“c” is no part of a comparison; it has a and b."),
        ("a=&a=sex%3Dmale", "“a” is given more than once."),
    ],
)
def test_what_is_wrong_is_said(client, world, query, told):
    response = client.get(world.address(f"compare/?{query}"))
    assert response.status_code == 400 and response.context["compared"] is None
    assert any(told in problem for problem in response.context["problems"])
    assert told in response.content.decode()
    assert client.get(world.address(f"compare.csv?{query}")).status_code == 400


def test_a_comparison_starts_from_any_view(client, world):
    body = client.get(world.address("patients/?sex=female")).content.decode()
    assert 'href="/world/compare/?a=sex%3Dfemale"' in body
    half = client.get(world.address("compare/?a=inhibitor%3Dtofacitinib"))
    assert (
        "tofacitinib beside baricitinib",
        "/world/compare/?a=inhibitor%3Dtofacitinib&b=inhibitor%3Dbaricitinib",
    ) in (half.context["offers"])
    assert 'href="/world/?with=inhibitor%3Dtofacitinib"' in half.content.decode()
    choosing = client.get(world.address("?with=inhibitor%3Dtofacitinib&sex=male")).content.decode()
    assert 'href="/world/compare/?a=inhibitor%3Dtofacitinib&amp;b=sex%3Dmale"' in choosing
    assert '<input type="hidden" name="with" value="inhibitor=tofacitinib">' in choosing


def test_without_any_side_the_page_says_how_to_begin(client, world):
    assert client.get(world.address("compare/")).context["offers"]


def test_the_numbers_come_as_a_file(client, trial):
    query = urlencode({"a": "inhibitor=tofacitinib", "b": "inhibitor=baricitinib"})
    response = client.get(f"/two-drugs/compare.csv?{query}")
    rows = {
        row["label"]: row
        for row in csv.DictReader(response.content.decode("utf-8-sig").splitlines())
    }
    row = rows["Improved (authors’ overall verdict)"]
    assert (row["a_n"], row["a_known"], row["a_not_reported"], row["b_n"], row["b_known"]) == (
        "3",
        "8",
        "1",
        "8",
        "9",
    )
    assert float(row["exact_p"]) == pytest.approx(exact_comparison(3, 8, 8, 9).p)
    assert row["question"] == query


def test_a_simulated_comparison_says_that_it_is_an_artefact(client, db):
    body = client.get(
        "/sener-2025-reconstruction/compare/?a=sex%3Dmale&b=sex%3Dfemale"
    ).content.decode()
    assert "any association here is an artefact" in body


def test_simulated_records_have_no_p_value_and_the_page_says_why_once(client, db):
    """Neither on the page nor in the file, the chart or its table."""
    query = "a=inhibitor%3Dtofacitinib&b=inhibitor%3Dbaricitinib"
    page = client.get(f"/sener-2025-reconstruction/compare/?{query}")
    found = page.context["compared"]
    rows = rows_of(found)
    improved = rows["Improved (authors’ overall verdict)"]
    assert improved.exact and not improved.has_few_known, "it is no question of numbers"
    assert found.test_count == 0 and all(row.p_text == "" for row in rows.values())
    text = text_of(page)
    assert text.count("no p-value is given") == 1 and "xact p" not in text
    assert "of twenty true" not in text
    assert "simulated, so nothing is tested" in page.context["chart"].note
    file = client.get(f"/sener-2025-reconstruction/compare.csv?{query}").content.decode("utf-8-sig")
    lines = list(csv.DictReader(file.splitlines()))
    assert {line["exact_p"] for line in lines} == {""}
    assert "simulated: no test" in {line["note"] for line in lines}


def test_the_p_is_named_as_what_it_is(client, trial):
    text = text_of(client.get(comparing(trial, "inhibitor=tofacitinib", "inhibitor=baricitinib")))
    assert "Fisher" not in text
    for name in (TwoByTwo.p_method, TwoByTwo.interval_method):
        assert name in text
    assert "under 0.05 exactly where the interval leaves out 1" in text
    assert "Under 5 patients known on a side" in text


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0.0014, "< 0.01"),
        (0.00499, "< 0.01"),
        (0.005, "0.01"),
        (0.0, "0"),
        (1.256, "1.26"),
        (inf, "∞"),
    ],
)
def test_an_odds_ratio_too_small_to_print_is_not_nothing(value, printed):
    assert format_ratio(value) == printed


def test_it_is_said_that_the_two_intervals_can_disagree(client, trial):
    """3/8 against 8/9: Newcombe’s interval leaves out 0, the exact interval holds 1."""
    page = client.get(comparing(trial, "inhibitor=tofacitinib", "inhibitor=baricitinib"))
    row = rows_of(page.context["compared"])["Improved (authors’ overall verdict)"]
    assert row.difference[2] < 0 and row.exact.high > 1
    assert (
        "Newcombe’s interval is approximate, so it and the exact one can disagree on whether there "
        "is a difference; the exact one is the stricter." in text_of(page)
    )


def test_it_is_said_that_patients_come_by_study(client, trial):
    text = text_of(client.get(comparing(trial, "inhibitor=tofacitinib", "inhibitor=baricitinib")))
    assert "Patients come clustered by study" in text and "take them for independent" in text


def test_what_is_known_of_nobody_keeps_its_row(client, trial):
    query = urlencode({"a": "inhibitor=tofacitinib", "b": "inhibitor=baricitinib"})
    page = client.get(f"/two-drugs/compare/?{query}")
    relapsed, skin = (rows_of(page.context["compared"])[label] for label in ("Relapsed", "Skin"))
    for row in (relapsed, skin):
        assert (row.first.known, row.second.known, row.why) == (0, 0, "not known on either side")
    assert "Relapsed none known – 9 none known – 9 – – not known on either side" in text_of(page)
    file = client.get(f"/two-drugs/compare.csv?{query}").content.decode("utf-8-sig")
    notes = {line["label"]: line["note"] for line in csv.DictReader(file.splitlines())}
    assert notes["Relapsed"] == "not known on either side"


def test_swapping_turns_the_difference_round(client, trial):
    response = client.get(comparing(trial, "inhibitor=tofacitinib", "inhibitor=baricitinib"))
    turned = client.get(response.context["swapped"]).context["compared"]
    label = "Improved (authors’ overall verdict)"
    first, second = rows_of(response.context["compared"])[label], rows_of(turned)[label]
    assert first.difference[0] == pytest.approx(-second.difference[0])


def test_everybody_is_a_question_too(world):
    found = summaries.side_by_side(
        Question(world.collection), Question(world.collection), vocabulary(world.collection)
    )
    assert found.overlap == 5


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ("sex=female", "Female"),
        ("response=improved", "Improved (authors’ overall verdict)"),
        ("adverse_events=events", "Any adverse event"),
        ("adverse_event=infection", "Infection"),
    ],
)
def test_what_the_question_asks_for_is_no_finding(client, db, query, label):
    found = client.get(
        "/sener-2025-reconstruction/compare/?"
        f"{urlencode({'a': query, 'b': 'inhibitor=baricitinib'})}"
    )
    row = rows_of(found.context["compared"])[label]
    assert (row.why, row.p_text, row.difference) == ("asked for", "", None)


def test_a_side_that_cannot_be_asked_is_told_while_choosing_the_other(client, world):
    body = client.get(world.address("?with=sex%3Dx")).content.decode()
    assert "What to compare with cannot be asked: “x” is not among the values of “Sex”." in body


def test_everybody_on_one_side_and_nobody_known_on_the_other(trial, asking):
    one, other = asking(trial, "inhibitor=tofacitinib"), asking(trial, "inhibitor=itacitinib")
    found = summaries.side_by_side(one, other, vocabulary(trial))
    assert all(row.difference is None for row in rows_of(found).values())


def test_labels_stay_apart_where_no_heading_stands_above_them(client, published):
    """Skin is what a drug was given for, and where something improved."""
    query = urlencode({"a": "inhibitor=tofacitinib", "b": "inhibitor=baricitinib"})
    chart = client.get(f"/published/compare/?{query}").context["chart"]
    labels = [row[0] for row in chart.table.rows]
    assert len(labels) == len(set(labels))
    assert {"Given for: Skin", "Improved: Skin", "Adverse event: Infection"} <= set(labels)
    drawn = chart.figure["layout"]["yaxis"]["ticktext"]
    assert "Given for: Joints" in drawn and "Improved: Joints" in drawn
    file = client.get(f"/published/compare.csv?{query}").content.decode("utf-8-sig")
    keys = [(line["heading"], line["label"]) for line in csv.DictReader(file.splitlines())]
    assert len(keys) == len(set(keys)) == len(labels)


def test_what_nobody_knows_of_infections_and_relapses_is_said(client, published):
    page = client.get(
        "/published/compare/?a=inhibitor%3Dtofacitinib&b=inhibitor%3Dbaricitinib",
    )
    rows = {
        (row.heading, row.label): row for _, rows in page.context["compared"].groups for row in rows
    }
    for key in (("What happened", "Relapsed"), ("Adverse events, by category", "Infection")):
        assert rows[key].why == "not known on either side"


def test_an_event_that_nobody_had_keeps_its_row(trial, asking):
    study = trial.studies.get()
    for drug in ("tofacitinib", "baricitinib"):
        for _ in range(5):
            make_treatment(make_patient(study), drug, adverse_events="explicitly_none")
    one, other = asking(trial, "inhibitor=tofacitinib"), asking(trial, "inhibitor=baricitinib")
    found = dict(summaries.side_by_side(one, other, vocabulary(trial)).groups)
    infection = next(
        row for row in found["Adverse events, by category"] if row.label == "Infection"
    )
    assert (infection.first.fraction, infection.second.fraction) == ("0/5", "0/5")
    assert "Male" not in [row.label for row in found["Who they are"]]


def test_the_start_offers_the_two_drugs_of_most_patients(client, trial):
    study = trial.studies.get()
    for drug, times in (("filgotinib", 20), ("tofacitinib", 1), ("other-or-not-named", 30)):
        for _ in range(times):
            make_treatment(make_patient(study), drug)
    page = client.get("/two-drugs/compare/")
    assert [label for label, _ in page.context["offers"]] == [
        "filgotinib beside tofacitinib",
        "filgotinib beside baricitinib",
        "filgotinib beside other or not named",
    ], "20, 10 and 9 patients; what names no drug stands last"
    assert (
        'href="/two-drugs/compare/?a=inhibitor%3Dfilgotinib&amp;b=inhibitor%3Dtofacitinib"'
        in page.content.decode()
    )

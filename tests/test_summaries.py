from collections import Counter
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence import summaries
from evidence.models import Review
from evidence.questions.question import MatchedSet, Question
from evidence.questions.vocabulary import vocabulary
from evidence.summaries import Share, run_summaries
from evidence.summaries.shares import format_number, pluralize

from . import plain
from .factories import make_patient, make_study, make_treatment
from .test_filters import CODES, SETS, addresses, few


def one(summary):
    (result,) = run_summaries(summary)
    return result


def figures(share) -> tuple:
    return share.count, share.known, share.not_reported, share.not_extracted


def test_a_share_says_everything():
    share = Share("Improved", 22, 49, 8, 30)
    assert (
        str(share)
        == "22/49 patients (44.9 %, 95 % CI 31.9–58.7), 38 not known (8 not reported, 30 not "
        "extracted)"
    )
    assert (share.others, share.missing, share.in_view) == (27, 38, 87)


def test_the_percent_of_nothing_is_none_known_and_never_zero():
    share = Share("Improved", 0, 0, 0, 4)
    assert share.percent is None
    assert share.interval is None
    assert str(share) == "none known (4 not extracted)"
    assert "0 %" not in str(share)


def test_one_of_one_is_never_read_as_certain():
    assert (
        str(Share("Improved", 1, 1, 0, 0))
        == "1/1 patient (95 % CI 20.7–100.0, 100.0 %), none missing"
    )


@pytest.mark.parametrize(("count", "known", "missing"), [(2, 1, 0), (-1, 1, 0), (0, 1, -1)])
def test_an_impossible_share_is_refused(count, known, missing):
    with pytest.raises(ValueError, match="impossible share"):
        Share("x", count, known, missing, 0)


@given(
    st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.integers(0, 9),
    st.integers(0, 9),
)
def test_n_and_others_and_missing_make_up_all_in_view(pair, not_reported, not_extracted):
    share = Share("x", *pair, not_reported, not_extracted)
    assert share.count + share.others + share.missing == share.in_view


def test_numbers_round_half_up_as_in_papers():
    assert (
        format_number(0.25),
        format_number(44.85),
        format_number(12.5, 0),
        format_number(None),
    ) == (
        "0.3",
        "44.9",
        "13",
        "",
    )
    assert (pluralize(1, "patients"), pluralize(2, "studies"), pluralize(1, "studies")) == (
        "1 patient",
        "2 studies",
        "1 study",
    )


def test_headlines_by_hand(world):
    heads = {
        share.key: share for share in one(summaries.headline_shares(Question(world.collection)))
    }
    # alpha-1 and alpha-2 improved in some course; alpha-3 and beta-1 are known and did not; alpha-4
    # is not reported. alpha-2 had no event in one course; of the other it is not said, so it is
    # open.
    assert figures(heads["improved"]) == (2, 4, 1, 0)
    assert figures(heads["relapsed"]) == (1, 2, 2, 1)
    assert figures(heads["any_adverse_event"]) == (3, 3, 2, 0)
    assert figures(heads["serious"]) == (1, 1, 3, 1)


@pytest.mark.parametrize(
    ("count", "known", "printed"),
    [
        (0, 9, "0.0 %"),
        (9, 9, "100.0 %"),
        (48, 100_000, "< 0.1 %"),
        (50, 100_000, "0.1 %"),
        (1, 3, "33.3 %"),
        (99_949, 100_000, "99.9 %"),
        (99_950, 100_000, "> 99.9 %"),
        (0, 0, ""),
    ],
)
def test_a_few_of_very_many_are_not_none_and_all_but_a_few_are_not_all(count, known, printed):
    assert Share("x", count, known, 0, 0).percent_text == printed


def test_seriousness_is_counted_of_nobody_where_no_event_is_graded(world, asking, simulated):
    """Known only of those without any event, it would read as if the events had not been
    serious.
    """
    serious = one(summaries.headline_shares(Question(simulated)))[-1]
    assert str(serious) == (
        "none known (87 not extracted): no adverse event in view is said to be serious or not"
    )
    without_events = one(
        summaries.headline_shares(asking(world.collection, "adverse_events=explicitly_none"))
    )
    assert figures(without_events[-1]) == (0, 1, 0, 0)


def test_answers_by_hand(world, asking):
    answer = one(
        summaries.match_summary(asking(world.collection, "inhibitor=tofacitinib&indication=ild"))
    )
    assert (answer.matching, answer.open, answer.open_not_reported, answer.open_not_extracted) == (
        2,
        1,
        1,
        0,
    )
    assert (
        str(answer)
        == "2 patients match. For 1 more it is open: their indications are not reported."
    )
    whole = one(summaries.match_summary(Question(world.collection)))
    assert str(whole) == "5 patients reported individually, in 2 studies, with 6 treatments."


def test_indication_sets_by_hand(world):
    sets = one(summaries.indication_sets(Question(world.collection), vocabulary(world.collection)))
    assert {share.label: share.count for share in sets} == {
        "skin": 2,
        "ILD + skin": 1,
        "ILD": 1,
        "GI + ILD + skin": 1,
    }
    assert {(share.known, share.not_reported, share.not_extracted) for share in sets} == {(4, 1, 0)}


def test_responses_by_hand(world):
    rows = one(
        summaries.response_by_inhibitor(Question(world.collection), vocabulary(world.collection))
    )
    tofacitinib, baricitinib = rows
    assert tofacitinib.counts == {"improved": 1, "stable": 1, "worsened": 1, "not_improved": 0}
    assert figures(tofacitinib.improved) == (1, 3, 1, 0)
    assert baricitinib.counts == {"improved": 1, "stable": 0, "worsened": 0, "not_improved": 1}
    assert tofacitinib.improved.unit == "treatments"
    by_set = one(
        summaries.response_by_indication_set(
            Question(world.collection), vocabulary(world.collection)
        )
    )
    assert by_set[-1].label == "indications not known"
    assert sum(row.improved.in_view for row in by_set) == 6


def test_events_by_hand(world):
    rows = one(
        summaries.events_by_category(Question(world.collection), vocabulary(world.collection))
    )
    # Known: alpha-1 and alpha-3, whose events are all listed. alpha-2 had none in one of two
    # courses, and beta-1 had events nobody listed.
    assert [(row.patients.label, *figures(row.patients), row.events) for row in rows] == [
        ("Hepatitis", 1, 2, 2, 1, 1),
        ("Infection", 1, 2, 2, 1, 2),
    ]


def test_outcomes_by_hand(world):
    rows = one(summaries.outcomes_by_domain(Question(world.collection)))
    # beta-1: the skin improved by one measure and is stable by another, at no time that is told
    # apart.
    assert [(row.label, *figures(row)) for row in rows] == [
        ("Skin", 0, 1, 4, 0),
        ("Joints", 0, 0, 4, 1),
    ]


def test_ages_by_hand(world):
    people = one(summaries.age_and_sex(Question(world.collection)))
    assert (people.median, people.youngest, people.oldest) == (40, 25, 60)
    assert people.sex_ratio == 3
    assert [band for band, _ in people.bands] == ["20–29", "30–39", "40–49", "50–59", "60–69"]
    assert people.sentence.startswith(
        "Age is known in 3 of 5 patients: median 40.0 years, 25 to 60;"
    )


def test_groups_by_hand(world):
    cover = summaries.group_cover(Question(world.collection))
    assert (
        cover.treated,
        cover.comparators,
        cover.people_count,
        cover.without_n,
        cover.studies,
    ) == (2, 1, 10, 1, 2)
    assert (
        cover.sentence
        == "2 groups in 2 studies answer it in aggregate, covering 10 people and 1 group of "
        "unknown size."
    )


def test_groups_that_may_share_people_say_so(published):
    assert "may report the same people" in summaries.group_cover(Question(published)).sentence
    filgotinib = summaries.group_cover(Question(published).with_part("inhibitor", ("filgotinib",)))
    assert not filgotinib.sharing, (
        "one study alone shares people with none of the others in the answer"
    )


def test_groups_on_several_drugs_are_mentioned_where_one_drug_is_asked(published):
    assert summaries.group_cover(Question(published)).mixed == 0
    told = summaries.group_cover(
        Question(published).with_part("inhibitor", ("filgotinib",))
    ).sentence
    assert told == (
        "1 group in 1 study answers it in aggregate, covering 5 people. "
        "1 group on several JAK inhibitors, not reported apart, may hold more."
    )


@few
@given(question=addresses())
def test_every_share_covers_everyone_in_view(world, simulated, asking, question):
    for collection in (world.collection, simulated):
        asked, words = asking(collection, urlencode(question, doseq=True)), vocabulary(collection)
        totals, heads, sets, events, people, domains = run_summaries(
            summaries.cohort_totals(asked),
            summaries.headline_shares(asked),
            summaries.indication_sets(asked, words),
            summaries.events_by_category(asked, words),
            summaries.age_and_sex(asked),
            summaries.outcomes_by_domain(asked),
        )
        shares = [*heads, *sets, *(row.patients for row in events), people.known, *domains]
        assert {share.in_view for share in shares} == {totals.patients}


@few
@given(question=addresses())
def test_headlines_agree_with_plain_loops(world, simulated, asking, question):
    for collection in (world.collection, simulated):
        records = world.records(collection)
        expected = plain.answering(records, question)
        heads = one(summaries.headline_shares(asking(collection, urlencode(question, doseq=True))))
        rules = {
            "improved": (lambda c: c.response == "improved", lambda c: c.response != "unknown"),
            "relapsed": (lambda c: c.relapsed == "yes", lambda c: c.relapsed != "unknown"),
            "any_adverse_event": (
                lambda c: c.adverse_events == "events",
                lambda c: c.adverse_events != "not_stated",
            ),
            "serious": (lambda c: plain.seriousness(c) == "yes", plain.seriousness_counts),
        }
        with_events = [course for course in expected if course.adverse_events == "events"]
        if with_events and not any(plain.seriousness_counts(course) for course in with_events):
            rules["serious"] = (lambda c: False, lambda c: False)
        if "serious" in question or "events" not in question.get("adverse_events", ["events"]):
            # asked for by the question itself: all of whom it is known
            rules["serious"] = (rules["serious"][0], lambda c: plain.seriousness(c) != "unknown")
        for share in heads:
            yes, known = rules[share.key]
            left = plain.patients([course for course in expected if not known(course)])
            knowing = (plain.patients(expected) - left) | plain.patients(
                [c for c in expected if yes(c)]
            )
            reasons = {
                course.patient: course.reading
                for course in expected
                if course.patient not in knowing
            }
            missing = Counter(reasons.values())
            assert figures(share) == (
                len(plain.patients([course for course in expected if yes(course)])),
                len(knowing),
                missing["not-reported"],
                missing["not-extracted"],
            )


@few
@given(question=addresses(), data=st.data())
def test_every_count_beside_an_option_is_what_choosing_it_gives(world, asking, question, data):
    collection, words = world.collection, vocabulary(world.collection)
    asked = asking(collection, urlencode(question, doseq=True))
    matches = {name: question.get(f"{name}_match", ["any"])[0] for name in SETS}
    for facet in one(summaries.filter_facets(asked, words, matches)):
        if not facet.options or facet.name not in CODES:
            continue
        option = data.draw(st.sampled_from(facet.options))
        if facet.name in SETS:
            chosen = asked.value(facet.name) or MatchedSet((), matches[facet.name])
            value = (
                MatchedSet((option.code,))
                if chosen.match == "any"
                else chosen.with_code(option.code)
            )
        else:
            value = (option.code,)
        assert (
            one(summaries.cohort_totals(asked.with_part(facet.name, value))).patients
            == option.count
        )


def test_nearest_offers_a_way_out(world, asking):
    words = vocabulary(world.collection)
    question = asking(
        world.collection,
        "inhibitor=baricitinib&indication=ild&indication=skin&indication_match=exactly",
    )
    assert one(summaries.cohort_totals(question)).patients == 0
    offered = {
        near.text: near.patients for near in one(summaries.nearest_questions(question, words))
    }
    assert offered == {
        "without “Indication: exactly Interstitial lung disease (ILD), Skin”": 2,
        "with “Indication: any of Interstitial lung disease (ILD), Skin”": 2,
        "without “JAK inhibitor: baricitinib”": 1,
    }


def test_nearest_asks_each_part_alone_where_dropping_one_is_not_enough(world, asking):
    question = asking(world.collection, "subset=sine&response=stable&sex=male")
    offered = {
        near.text: near.patients
        for near in one(summaries.nearest_questions(question, vocabulary(world.collection)))
    }
    assert offered == {"only “Response: Stable”": 1, "only “Sex: Male”": 1}


PRINTED = {
    "age_median": ("48.5", "86 of 87 patients"),
    "age_min": ("13", "86 of 87 patients"),
    "age_max": ("78", "86 of 87 patients"),
    "sex_ratio": ("4.9", "69:14"),
    "inhibitor_tofacitinib": ("82.8", "72/87"),
    "inhibitor_baricitinib": ("13.8", "12/87"),
    "indication_ild_skin": ("44.9", "22/49"),
    "indication_gi_skin": ("38.8", "19/49"),
    "improved": ("87.5", "70/80"),
    "relapsed": ("5.9", "5/85"),
    "any_adverse_event": ("50", "38/76"),
    "ae_infection": ("21.1", "16/76"),
}


def test_every_printed_figure_comes_out_as_printed(db):
    review = Review.objects.get(slug="sener-2025")
    rows = summaries.reconcile_figures(review, list(review.figures.all()))
    assert {row.figure.code: (row.recomputed, row.basis) for row in rows} == PRINTED
    assert {row.verdict for row in rows} == {"agrees"}
    assert {row.figure.code: row.share.missing for row in rows if row.share} == {
        "inhibitor_tofacitinib": 0,
        "inhibitor_baricitinib": 0,
        "indication_ild_skin": 38,
        "indication_gi_skin": 38,
        "improved": 7,
        "relapsed": 2,
        "any_adverse_event": 11,
        "ae_infection": 11,
    }


def test_a_printed_figure_that_differs_is_told(db):
    review = Review.objects.get(slug="sener-2025")
    review.figures.filter(code="improved").update(value="88.0")
    rows = {
        row.figure.code: row
        for row in summaries.reconcile_figures(review, list(review.figures.all()))
    }
    assert rows["improved"].verdict == "differs" and rows["improved"].unexpected
    assert rows["improved"].recomputed == "87.5" and rows["improved"].difference == "−0.5"


def test_every_denominator_that_could_have_given_a_printed_figure(db):
    review = Review.objects.get(slug="sener-2025")
    rows = {
        row.figure.code: row
        for row in summaries.reconcile_figures(review, list(review.figures.all()))
    }
    assert rows["relapsed"].denominators == [17, 34, 51, 68, 85] and rows["relapsed"].used == 85
    assert (
        rows["sex_ratio"].denominators == [41, 47, 53, 59, 65, 71, 77, 82, 83]
        and rows["sex_ratio"].used == 83
    )
    assert rows["age_median"].denominators == []
    moriana = Review.objects.get(slug="moriana-2022")
    rows = {
        row.figure.code: row
        for row in summaries.reconcile_figures(moriana, list(moriana.figures.all()))
    }
    assert rows["skin_response"].possible == [(52, 59)], "what is printed needs no guess"


def test_a_review_without_loaded_patients_is_not_computable(db):
    review = Review.objects.get(slug="moriana-2022")
    rows = {
        row.figure.code: row
        for row in summaries.reconcile_figures(review, list(review.figures.all()))
    }
    assert {row.verdict for row in rows.values()} == {"not_computable"}
    assert rows["ae_events_by_kind"].figure.contradicts == rows["ae_events"].figure
    # The source disagrees with itself, and both numbers stay.
    assert (rows["ae_events"].printed, rows["ae_events_by_kind"].printed) == ("18", "19")
    assert rows["age_mean"].printed == "47 (SD 15)"


def test_collections_are_never_added_up(db, published, simulated):
    rows = {row.collection.slug: row for row in summaries.collection_counts([published, simulated])}
    assert (rows["published"].patients, rows["published"].studies) == (4, 16)
    assert (rows[simulated.slug].patients, rows[simulated.slug].studies) == (87, 18)
    assert len(rows) == 2


def test_changes_subtract_only_what_is_not_printed(published):
    rows = summaries.group_changes(Question(published), "mRSS")
    printed = {
        (row.study, row.group, str(row.weeks)): (str(row.difference), row.computed) for row in rows
    }
    assert printed["Karalilova 2021", "Tofacitinib 5 mg twice daily", "26.0"] == ("-12.000", True)
    assert printed["Karalilova 2021", "Tofacitinib 5 mg twice daily", "52.0"] == ("-13.000", False)
    assert len(rows) == 12


def test_what_comes_nearest_says_each_question_once(world, asking):
    """“All of” one term and “any of” it are one question."""
    both = make_patient(make_study(world.collection), sex="female")
    make_treatment(both, indications=["joints", "skin"])
    question = asking(world.collection, "sex=female&indication=joints&indication_match=exactly")
    nearest = one(summaries.nearest_questions(question, vocabulary(world.collection)))
    assert [near.text for near in nearest] == [
        "without “Indication: exactly Joints”",
        "with “Indication: Joints”",
    ]

import statistics
from decimal import Decimal
from math import inf, isfinite, isnan, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.statistics import (
    PROGRESSION_RULES,
    RULES,
    CannotPool,
    Derived,
    Printed,
    Progression,
    attainable_counts,
    clopper_pearson_interval,
    exact_comparison,
    mean,
    median,
    newcombe_interval,
    pooled_proportion,
    possible_fractions,
    possible_ratios,
    quartiles,
    sensitivity,
    wilson_interval,
)

# Published reference values, percent, one decimal.
WILSON = [
    (1, 1, 20.7, 100),
    (0, 1, 0, 79.3),
    (2, 2, 34.2, 100),
    (3, 4, 30.1, 95.4),
    (0, 5, 0, 43.4),
    (5, 5, 56.6, 100),
    (22, 49, 31.9, 58.7),
    (19, 49, 26.4, 52.8),
    (35, 40, 73.9, 94.5),
    (63, 72, 77.9, 93.3),
    (1, 17, 1.0, 27.0),
    (5, 85, 2.5, 13.0),
    (19, 38, 34.8, 65.2),
    (8, 38, 11.1, 36.3),
    (52, 59, 77.5, 94.1),
    (28, 29, 82.8, 99.4),
    (72, 87, 73.5, 89.3),
]


@pytest.mark.parametrize(("count", "of", "low", "high"), WILSON)
def test_wilson_interval_against_published_values(count, of, low, high):
    found = wilson_interval(count, of)
    assert [round(100 * bound, 1) for bound in found] == [low, high]


def test_wilson_interval_of_nobody_is_none():
    assert wilson_interval(0, 0) is None


@pytest.mark.parametrize(("count", "of"), [(2, 1), (-1, 5), (1, 0)])
def test_wilson_interval_refuses_what_is_no_proportion(count, of):
    with pytest.raises(ValueError, match="no proportion"):
        wilson_interval(count, of)


@given(st.integers(1, 10_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_wilson_interval_contains_the_share_and_stays_within_0_and_1(pair):
    count, of = pair
    low, high = wilson_interval(count, of)
    assert 0 <= low <= count / of <= high <= 1
    assert low < high


@given(st.dictionaries(st.integers(0, 120), st.integers(0, 5)))
def test_the_median_is_the_textbook_one(tally):
    values = [value for value, times in tally.items() for _ in range(times)]
    assert median(tally) == (statistics.median(values) if values else None)


def test_median_and_mean():
    assert median({}) is None
    assert mean({}) is None
    assert median({3: 1}) == 3
    assert median({48: 1, 49: 1}) == 48.5
    assert median({1: 2, 10: 3}) == 10
    assert mean({1: 3, 5: 1}) == 2


@pytest.mark.parametrize(
    ("baseline", "followup", "expected"),
    [
        (24, 12, Derived.RESPONSE),
        (24, 18, Derived.RESPONSE),  # falls by 6, exactly 25 %
        (24, 19, Derived.NO_RESPONSE),  # 5 points are not more than 5
        (40, 34, Derived.NO_RESPONSE),  # 6 points, but 15 %
        (20, 15, Derived.NO_RESPONSE),  # exactly 25 %, but 5 points
        (28, 22, Derived.NO_RESPONSE),  # 6 points, but 21 %
        (10, 20, Derived.NO_RESPONSE),
        (6, 0, Derived.RESPONSE),
        (5, 0, Derived.NOT_EVALUABLE),
        (None, 3, Derived.NOT_EVALUABLE),
        (20, None, Derived.NOT_EVALUABLE),
    ],
)
def test_mrss_rule(baseline, followup, expected):
    assert RULES["mrss-5-25"].judge(baseline, followup) == expected


# Published reference values of the exact interval, percent, one decimal.
CLOPPER_PEARSON = [
    (1, 1, 2.5, 100),
    (0, 1, 0, 97.5),
    (2, 2, 15.8, 100),
    (3, 4, 19.4, 99.4),
    (0, 5, 0, 52.2),
    (22, 49, 30.7, 59.8),
    (35, 40, 73.2, 95.8),
    (63, 72, 77.6, 94.1),
    (5, 85, 1.9, 13.2),
    (28, 29, 82.2, 99.9),
    (72, 87, 73.2, 90.0),
]


@pytest.mark.parametrize(("count", "of", "low", "high"), CLOPPER_PEARSON)
def test_exact_interval_against_published_values(count, of, low, high):
    assert [round(100 * bound, 1) for bound in clopper_pearson_interval(count, of)] == [low, high]


def test_exact_interval_of_nobody_is_none_and_of_too_many_is_refused():
    assert clopper_pearson_interval(0, 0) is None
    with pytest.raises(ValueError, match="no proportion"):
        clopper_pearson_interval(3, 2)


# Newcombe 1998, table II, method 10: eight differences worked out in the paper.
NEWCOMBE = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (10, 10, 0, 20, 0.6791, 1.0000),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
    (0, 10, 0, 10, -0.2775, 0.2775),
    (10, 10, 0, 10, 0.6075, 1.0000),
]


@pytest.mark.parametrize(("a", "m", "b", "n", "low", "high"), NEWCOMBE)
def test_newcombe_interval_against_the_paper(a, m, b, n, low, high):
    assert [round(bound, 4) for bound in newcombe_interval(a, m, b, n)] == [low, high]


def test_a_difference_from_nobody_is_none():
    assert newcombe_interval(0, 0, 1, 2) is None


tables = st.tuples(st.integers(1, 30), st.integers(1, 30)).flatmap(
    lambda sizes: st.tuples(
        st.integers(0, sizes[0]), st.just(sizes[0]), st.integers(0, sizes[1]), st.just(sizes[1])
    )
)


def test_the_tea_tasting_as_r_prints_it():
    """Agresti's example in R's help of fisher.test: one lady, eight cups; conditional odds ratio
    and exact interval.
    """
    found = exact_comparison(3, 4, 1, 4)
    assert found.p == pytest.approx(0.4857, abs=1e-4)
    assert found.odds_ratio == pytest.approx(6.408309, abs=1e-4)
    # The bounds by hand: a tail of the noncentral hypergeometric distribution of 1, 16, 36, 16, 1
    # tables holds 2.5 %.
    tables = [1, 16, 36, 16, 1]

    def chance(counts, odds):
        return sum(tables[k] * odds**k for k in counts) / sum(tables[k] * odds**k for k in range(5))

    assert chance([3, 4], found.low) == pytest.approx(0.025, abs=1e-5)
    assert chance([0, 1, 2, 3], found.high) == pytest.approx(0.025, abs=1e-5)


@settings(max_examples=40)
@given(tables)
def test_an_odds_ratio_lies_in_its_interval_and_turns_round_with_the_sides(table):
    a, m, b, n = table
    found, turned = exact_comparison(a, m, b, n), exact_comparison(b, n, a, m)
    assert found.p == pytest.approx(turned.p)
    if isnan(found.odds_ratio):
        assert (found.low, found.high) == (0, inf)
        return
    assert found.low <= found.odds_ratio <= found.high
    if found.odds_ratio and isfinite(found.odds_ratio):
        assert turned.odds_ratio == pytest.approx(1 / found.odds_ratio, rel=1e-3)


# Catheter-related bloodstream infections in 18 trials, printed in table II of Stijnen, Hamza,
# Ozdemir, Stat Med 2010;29:3046-67, after Niel-Weise, Stijnen, van den Broek, Intensive Care Med
# 2007;33:2058-68: infections and patients with an anti-infective catheter, then with an ordinary
# one.
CATHETERS = [
    (0, 116, 3, 117),
    (1, 44, 3, 35),
    (2, 208, 9, 195),
    (0, 130, 7, 136),
    (5, 151, 6, 157),
    (1, 98, 4, 139),
    (1, 174, 3, 177),
    (1, 74, 2, 39),
    (1, 97, 19, 103),
    (1, 113, 2, 122),
    (0, 66, 7, 64),
    (0, 70, 1, 58),
    (3, 188, 5, 175),
    (6, 187, 11, 180),
    (0, 118, 0, 105),
    (0, 252, 1, 262),
    (1, 345, 3, 362),
    (4, 64, 1, 69),
]
# What R's metafor gives, as its own test of this example expects: mu, its standard error, tau2,
# pooled, interval.
METAFOR = {
    "ordinary": ([row[2:] for row in CATHETERS], -3.4964, 0.2570, 0.8124, 0.0294, 0.0180, 0.0478),
    "anti-infective": (
        [row[:2] for row in CATHETERS],
        -4.8121,
        0.3555,
        0.8265,
        0.0081,
        0.0040,
        0.0161,
    ),
}


@pytest.mark.parametrize("arm", METAFOR)
def test_pooled_proportion_agrees_with_metafor(arm):
    studies, mu, se, tau2, proportion, low, high = METAFOR[arm]
    found = pooled_proportion(studies)
    assert found.mu == pytest.approx(mu, abs=1e-3)
    assert found.se == pytest.approx(se, abs=1e-3)
    assert found.tau2 == pytest.approx(tau2, abs=2e-3)
    assert found.proportion == pytest.approx(proportion, abs=1e-3)
    assert found.interval == (pytest.approx(low, abs=1e-3), pytest.approx(high, abs=1e-3))
    assert found.prediction[0] < found.interval[0] < found.interval[1] < found.prediction[1]
    assert 0 < found.i2 < 100


def test_studies_that_agree_have_no_spread_and_pool_to_the_raw_total():
    found = pooled_proportion([(5, 10)] * 6)
    assert found.tau2 == found.i2 == 0
    assert found.proportion == pytest.approx(0.5, abs=1e-4)
    assert found.se == pytest.approx(sqrt(1 / (60 * 0.25)), rel=1e-3)


@pytest.mark.parametrize(
    ("studies", "why"),
    [
        ([], "fewer than 3"),
        ([(1, 5), (2, 6)], "fewer than 3"),
        ([(0, 5)] * 4, "no study counts anybody"),
        ([(5, 5)] * 4, "every study counts everybody"),
        ([(0, 2), (0, 2), (2, 2)], "every study counts nobody or everybody"),
    ],
)
def test_what_cannot_be_pooled_is_refused_with_the_reason(studies, why):
    with pytest.raises(CannotPool, match=why):
        pooled_proportion(studies)


@pytest.mark.slow
@settings(max_examples=40)
@given(
    st.lists(
        st.integers(2, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
        min_size=3,
        max_size=9,
    )
)
def test_whatever_is_pooled_is_a_proportion_with_an_interval(studies):
    try:
        found = pooled_proportion(studies)
    except CannotPool:
        return
    assert 0 <= found.interval[0] <= found.proportion <= found.interval[1] <= 1
    assert found.prediction[0] <= found.interval[0] and found.interval[1] <= found.prediction[1]
    assert found.tau2 >= 0 and isfinite(found.se)


def test_quartiles_as_r_gives_them():
    assert quartiles([]) is None
    assert quartiles([7]) == (7, 7, 7)
    assert quartiles([1, 2, 3, 4]) == (1.75, 2.5, 3.25)  # quantile(1:4) in R


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=30))
def test_quartiles_against_the_standard_library(values):
    assert quartiles(values) == pytest.approx(
        tuple(statistics.quantiles(values, n=4, method="inclusive"))
    )


def test_fractions_that_print_alike():
    """The denominators of the reconstruction's rules, up to 87 patients."""

    def of(value, decimals=1):
        return sorted({of for _, of in possible_fractions(Printed(Decimal(value), decimals), 87)})

    assert of("82.8") == [29, 58, 64, 87]
    assert of("5.9") == [17, 34, 51, 68, 85]
    assert of("87.5") == [8, 16, 24, 32, 40, 48, 56, 64, 72, 80]
    assert 49 in of("44.9") and 49 in of("38.8")
    assert len(of("50", 0)) > 40
    ratio = sorted({sum(pair) for pair in possible_ratios(Printed(Decimal("4.9"), 1), 87)})
    assert ratio == [41, 47, 53, 59, 65, 71, 77, 82, 83]


@pytest.mark.parametrize(
    ("value", "decimals", "denominator", "expected"),
    [
        ("13", 0, 8, [1]),  # 12.5, rounded up by hand
        ("12", 0, 8, [1]),  # and to the even digit by software
        ("11", 0, 8, []),
        ("0", 0, 5, [0]),
        ("100", 0, 1, [1]),
        ("101", 0, 100, []),  # nobody counts more than everybody
        ("82.8", 1, 20_000, list(range(16_550, 16_571))),
        ("0.04", 2, 10_000, [4]),
    ],
)
def test_counts_that_a_printed_percentage_can_have_come_from(
    value, decimals, denominator, expected
):
    assert attainable_counts(Printed(Decimal(value), decimals), denominator) == expected


def test_fractions_and_ratios_begin_with_the_fewest_people():
    assert possible_fractions(Printed(Decimal(100), 0), 3) == [(1, 1), (2, 2), (3, 3)]
    # 1 : 2 is 0.5, which may be rounded up
    assert possible_ratios(Printed(Decimal(1), 0), 3) == [(1, 1), (1, 2)]


@pytest.mark.parametrize(
    ("points", "baseline", "followup", "expected"),
    [
        (5, 60, 65, Derived.RESPONSE),
        (5, 60, 64.9, Derived.NO_RESPONSE),
        (5, 60, 55, Derived.WORSENING),
        (10, 60, 65, Derived.NO_RESPONSE),
        (10, 60, 50, Derived.WORSENING),
        (10, None, 50, Derived.NOT_EVALUABLE),
        (5, 60, None, Derived.NOT_EVALUABLE),
    ],
)
def test_fvc_rules(points, baseline, followup, expected):
    assert RULES[f"fvc-{points}"].judge(baseline, followup) == expected


def test_every_rule_is_named_versioned_and_explained():
    assert not RULES.keys() & PROGRESSION_RULES.keys()
    for code, rule in (RULES | PROGRESSION_RULES).items():
        assert rule.code == code and rule.version >= 1
        assert rule.label and rule.measure and rule.explanation and rule.source


@pytest.mark.parametrize(
    ("baseline", "followup", "dlco", "expected"),
    [
        (70, 63, (None, None), Progression.PROGRESSION),  # exactly 10 % of 70
        (Decimal("70.0"), Decimal("63.0"), (None, None), Progression.PROGRESSION),
        # exactly 10 %, whatever floats make of it
        (64.1, 57.69, (None, None), Progression.PROGRESSION),
        (70, 66.6, (None, None), Progression.NO_PROGRESSION),  # 4.9 %
        (70, 70, (None, None), Progression.NO_PROGRESSION),
        (70, 80, (60, 20), Progression.NO_PROGRESSION),  # FVC decides
        (70, 66.5, (60, 51), Progression.PROGRESSION),  # exactly 5 %, DLCO exactly 15 %
        (70, 63.1, (60, 51.1), Progression.NO_PROGRESSION),  # 9.9 %, DLCO 14.8 %
        (70, 66, (None, 51), Progression.NOT_EVALUABLE),  # an unknown DLCO is not a stable one
        (70, 66, (60, None), Progression.NOT_EVALUABLE),
        (70, 66, (0, 0), Progression.NOT_EVALUABLE),
        (70, 66, (0, 51), Progression.NOT_EVALUABLE),  # no fall can be measured from 0
        (100, 90.05, (None, None), Progression.NOT_EVALUABLE),  # 9.95 %, not yet 10
        (70, 66, (0.9, 0.5), Progression.PROGRESSION),  # DLCO in whatever unit
        (1, 1, (None, None), Progression.NO_PROGRESSION),
        (None, 66, (60, 50), Progression.NOT_EVALUABLE),
        (70, None, (60, 50), Progression.NOT_EVALUABLE),
        (0, 0, (60, 50), Progression.NOT_EVALUABLE),
    ],
)
def test_progression_of_fvc_by_omeract(baseline, followup, dlco, expected):
    rule = PROGRESSION_RULES["fvc-omeract"]
    assert rule.judge(baseline, followup, dlco=dlco) == expected
    assert bool(rule.why_not(baseline, followup, dlco=dlco)) == (
        expected == Progression.NOT_EVALUABLE
    )


@pytest.mark.parametrize(
    ("baseline", "followup", "months", "expected"),
    [
        (70, 65, 12, Progression.PROGRESSION),
        (70, 65.1, 12, Progression.NO_PROGRESSION),
        (Decimal("70.1"), Decimal("65.1"), Decimal("6.0"), Progression.PROGRESSION),
        (70, 75, 3, Progression.NO_PROGRESSION),
        (70, 60, 12.5, Progression.NOT_EVALUABLE),  # perhaps not within a year
        (70, 70, 24, Progression.NOT_EVALUABLE),
        (70, 60, None, Progression.NOT_EVALUABLE),
        (None, 60, 6, Progression.NOT_EVALUABLE),
    ],
)
def test_progression_of_fvc_within_a_year(baseline, followup, months, expected):
    rule = PROGRESSION_RULES["fvc-ppf"]
    assert rule.judge(baseline, followup, months=months) == expected
    assert bool(rule.why_not(baseline, followup, months=months)) == (
        expected == Progression.NOT_EVALUABLE
    )


@pytest.mark.parametrize(
    ("code", "baseline", "followup", "more", "why"),
    [
        ("fvc-omeract", None, 63, {}, "baseline not known"),
        ("fvc-omeract", 70, None, {}, "follow-up not known"),
        ("fvc-ppf", None, None, {"months": 6}, "baseline and follow-up not known"),
        ("fvc-omeract", 0, 63, {}, "the baseline is no measurement"),
        (
            "fvc-omeract",
            70,
            66,
            {},
            "FVC fell by 5 to under 10 %, and the change of DLCO is not known",
        ),
        ("fvc-ppf", 70, 60, {}, "the time between the measurements is not known"),
        ("fvc-ppf", 70, 60, {"months": 13}, "the measurements lie more than 12 months apart"),
        ("fvc-ppf", 70, 60, {"months": 12}, ""),
    ],
)
def test_a_reader_is_told_why_a_rule_of_progression_cannot_say(code, baseline, followup, more, why):
    assert PROGRESSION_RULES[code].why_not(baseline, followup, **more) == why


def test_a_stable_lung_is_no_response_and_no_progression():
    assert RULES["fvc-5"].judge(70, 70) == Derived.NO_RESPONSE
    assert {rule.judge(70, 70, months=6) for rule in PROGRESSION_RULES.values()} == {
        Progression.NO_PROGRESSION
    }


def test_a_rule_says_what_it_can_say():
    assert RULES["fvc-5"].verdicts == tuple(Derived)
    assert PROGRESSION_RULES["fvc-omeract"].verdicts == tuple(Progression)


def test_best_and_worst_case_of_those_not_known():
    found = sensitivity(22, 49, 38)
    assert (found.worst, found.best, found.of) == (22, 60, 87)
    assert (found.worst_share, found.best_share) == (22 / 87, 60 / 87)
    known = sensitivity(3, 4, 0)
    assert known.worst_share == known.best_share == 0.75
    nobody = sensitivity(0, 0, 0)
    assert nobody.worst_share is nobody.best_share is None


@pytest.mark.parametrize("counts", [(5, 4, 0), (-1, 4, 0), (1, 4, -1)])
def test_best_and_worst_case_refuse_what_is_no_proportion(counts):
    with pytest.raises(ValueError, match="no proportion"):
        sensitivity(*counts)

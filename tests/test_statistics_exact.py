"""Two groups compared exactly: by enumeration, at size, and the interval and p saying the same."""

from fractions import Fraction
from math import comb, erfc, exp, inf, isnan, log, sqrt

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evidence.statistics import exact_comparison
from evidence.statistics.exact import Hypergeometric


def table_of(sizes):
    return st.tuples(sizes, sizes).flatmap(
        lambda of: st.tuples(
            st.integers(0, of[0]) | st.sampled_from([0, of[0]]),
            st.just(of[0]),
            st.integers(0, of[1]) | st.sampled_from([0, of[1]]),
            st.just(of[1]),
        )
    )


def weights_of(a, m, b, n) -> dict[int, int]:
    """In how many ways each count can come about, given the totals."""
    found = a + b
    counts = range(max(0, found - n), min(m, found) + 1)
    return {count: comb(m, count) * comb(n, found - count) for count in counts}


@settings(max_examples=80, deadline=None)
@given(table_of(st.integers(1, 30)))
def test_the_p_is_twice_the_smaller_tail_by_enumeration(table):
    a, weights = table[0], weights_of(*table)
    whole = sum(weights.values())
    below = Fraction(sum(weight for count, weight in weights.items() if count <= a), whole)
    above = Fraction(sum(weight for count, weight in weights.items() if count >= a), whole)
    expected = min(1, 2 * min(below, above))
    assert exact_comparison(*table).p == pytest.approx(float(expected), rel=1e-10)


@settings(max_examples=60, deadline=None)
@given(table_of(st.integers(1, 25)))
def test_estimate_and_limits_by_enumeration(table):
    found, weights, a = exact_comparison(*table), weights_of(*table), table[0]
    if isnan(found.odds_ratio):
        assert len(weights) == 1
        return

    def share(counts, odds):
        return sum(weights[k] * odds**k for k in counts) / sum(
            w * odds**k for k, w in weights.items()
        )

    if found.low:
        assert share([k for k in weights if k >= a], found.low) == pytest.approx(0.025, rel=1e-8)
    if found.high < inf:
        assert share([k for k in weights if k <= a], found.high) == pytest.approx(0.025, rel=1e-8)
    assert (found.low == 0) == (a == min(weights))
    assert (found.high == inf) == (a == max(weights))
    if 0 < found.odds_ratio < inf:
        mean = sum(k * share([k], found.odds_ratio) for k in weights)
        assert mean == pytest.approx(a, rel=1e-8)


@settings(max_examples=150, deadline=None)
@given(table_of(st.integers(1, 40) | st.sampled_from([1, 2, 500, 10_000, 1_000_000])))
@example((1, 1, 0, 39))  # a tail of exactly 1/40, so p is 0.05 and the limit is 1
@example((3, 8, 8, 9))  # Fisher's own p is 0.0498 beside an interval up to 1.26
def test_p_is_under_5_percent_exactly_where_the_interval_leaves_out_1(table):
    found = exact_comparison(*table)
    assert (found.p < 0.05) == (found.low > 1 or found.high < 1)
    assert 0 <= found.p <= 1
    assert found.low <= found.high
    if not isnan(found.odds_ratio):
        assert found.low <= found.odds_ratio <= found.high


def test_a_p_of_exactly_5_percent_goes_with_a_limit_of_exactly_1():
    found = exact_comparison(1, 1, 0, 39)
    assert (found.p, found.low, found.high) == (0.05, 1.0, inf)


@pytest.mark.parametrize("table", [(3, 2, 1, 5), (-1, 2, 1, 5), (1, 5, 6, 5), (1, 5, -1, 5)])
def test_each_count_lies_between_0_and_its_denominator(table):
    with pytest.raises(ValueError, match="no comparison"):
        exact_comparison(*table)


def test_interval_and_p_are_named():
    found = exact_comparison(3, 8, 8, 9)
    assert "central" in found.p_method and "twice the smaller tail" in found.p_method
    assert "central" in found.interval_method and "Cornfield" in found.interval_method


@pytest.mark.parametrize(
    "table",
    [
        (20_000, 100_000, 21_000, 100_000),
        (50_000, 100_000, 49_000, 100_000),
        (500_000, 1_000_000, 501_200, 1_000_000),
        (900, 1_000_000, 1_000, 1_000_000),
    ],
)
def test_large_groups_are_answered_and_near_the_normal_approximation(table):
    a, m, b, n = table
    found = exact_comparison(*table)
    cells = (a, m - a, b, n - b)
    ratio = a * (n - b) / (b * (m - a))
    error = sqrt(sum(1 / cell for cell in cells))
    assert found.odds_ratio == pytest.approx(ratio, rel=1e-3)
    # The exact interval is a little longer, by half a patient on each side.
    assert log(found.low) == pytest.approx(log(ratio) - 1.959964 * error, abs=0.08 * error)
    assert log(found.high) == pytest.approx(log(ratio) + 1.959964 * error, abs=0.08 * error)
    share = (a + b) / (m + n)
    spread = sqrt(share * (1 - share) * m * n / (m + n - 1))
    z = (abs(a - share * m) - 0.5) / spread
    assert found.p == pytest.approx(erfc(z / sqrt(2)), rel=0.01)


def test_time_goes_with_the_standard_deviation_and_not_with_the_size():
    """A million on each side: 353 is the standard deviation; a million counts are possible."""
    counts, chances = Hypergeometric(1_000_000, 1_000_000, 1_000_000).probabilities(0.0)
    assert len(counts) < 15_000
    assert chances.sum() == pytest.approx(1)
    mean = (counts * chances).sum()
    assert mean == pytest.approx(500_000)
    assert sqrt((chances * (counts - mean) ** 2).sum()) == pytest.approx(353.55, rel=1e-4)


@pytest.mark.parametrize("odds", [-40.0, -3.0, 0.0, 0.7, 12.0, 300.0])
def test_the_likeliest_count_is_in_the_middle_of_what_is_added_up(odds):
    drawn = Hypergeometric(60, 45, 50)
    weights = weights_of(30, 60, 20, 45)
    logs = {count: log(weight) + count * odds for count, weight in weights.items()}
    top = max(logs.values())
    whole = sum(exp(each - top) for each in logs.values())
    expected = {count: exp(each - top) / whole for count, each in logs.items()}
    counts, chances = drawn.probabilities(odds)
    for count, chance in zip(counts, chances, strict=True):
        assert chance == pytest.approx(expected[int(count)], rel=1e-9, abs=1e-30)
    assert abs(drawn.mode(odds) - max(expected, key=expected.get)) <= 1

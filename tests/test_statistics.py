import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.statistics import MRSSResponse, mean, median, mrss_response, wilson_interval

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
        (24, 12, MRSSResponse.RESPONSE),
        (24, 18, MRSSResponse.RESPONSE),  # falls by 6, exactly 25 %
        (24, 19, MRSSResponse.NO_RESPONSE),  # 5 points are not more than 5
        (40, 34, MRSSResponse.NO_RESPONSE),  # 6 points, but 15 %
        (10, 20, MRSSResponse.NO_RESPONSE),
        (6, 0, MRSSResponse.RESPONSE),
        (5, 0, MRSSResponse.NOT_EVALUABLE),
        (None, 3, MRSSResponse.NOT_EVALUABLE),
        (20, None, MRSSResponse.NOT_EVALUABLE),
    ],
)
def test_mrss_rule(baseline, followup, expected):
    assert mrss_response(baseline, followup) == expected

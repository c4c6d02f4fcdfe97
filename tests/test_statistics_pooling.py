"""The pooled proportion: its likelihood by a second way, its intervals, leaving studies out."""

from math import exp, inf, isfinite, lgamma, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from evidence.statistics import CannotPool, leave_one_out, pooled_proportion

LARGE = [(1425, 2000), (59, 200), (1788, 2000)]
# Few and many, nobody and everybody, one patient and a million.
MIXED = [(0, 40), (3, 900), (12, 12), (0, 1_000_000), (250_000, 1_000_000), (1, 2), (0, 1), (1, 1)]
SMALL = [(6, 8), (3, 6), (1, 5), (4, 10), (2, 2), (0, 3)]


def logit(share: float) -> float:
    return log(share / (1 - share))


def log_likelihood(studies, mu: float, tau: float) -> float:
    """By brute force: for each study the trapezoid rule on its log odds, wherever that is not
    nil.
    """
    total = 0.0
    for count, of in studies:
        low, high = mu - 30 * tau - 50, mu + 30 * tau + 50
        for points in (4001, 4001, 4001, 4001, 4001, 20001):
            odds = np.linspace(low, high, points)
            heights = count * odds - of * np.logaddexp(0, odds) - ((odds - mu) / tau) ** 2 / 2
            inside = np.flatnonzero(heights > heights.max() - 45)
            low, high = odds[max(inside[0] - 1, 0)], odds[min(inside[-1] + 1, points - 1)]
        area = np.exp(heights - heights.max()).sum() * (odds[1] - odds[0])
        chosen = lgamma(of + 1) - lgamma(count + 1) - lgamma(of - count + 1)
        total += log(area) + heights.max() + chosen - log(tau * sqrt(2 * np.pi))
    return total


def test_large_studies_do_not_make_the_pooled_proportion_look_certain():
    """R: 67.5 % (34.0 to 89.3). A quadrature that does not adapt gives 82.0 % (80.7 to 83.3)."""
    found = pooled_proportion(LARGE)
    shown = [round(100 * each, 1) for each in (found.proportion, *found.interval)]
    assert shown == [67.5, 34.0, 89.3]


@pytest.mark.parametrize("studies", [LARGE, MIXED, SMALL], ids=["large", "mixed", "small"])
def test_the_estimate_is_at_the_peak_of_the_likelihood_and_its_error_the_curvature(studies):
    found = pooled_proportion(studies)
    tau = sqrt(found.tau2)

    def at(mu_step: float, tau_step: float) -> float:
        return log_likelihood(studies, found.mu + mu_step, tau * exp(tau_step))

    top = at(0, 0)
    assert found.log_likelihood == pytest.approx(top, abs=1e-5)
    step = 0.02
    for mu_step, tau_step in [(step, 0), (-step, 0), (0, step), (0, -step)]:
        assert at(mu_step, tau_step) < top
    by_mu = (at(step, 0) - 2 * top + at(-step, 0)) / step**2
    by_tau = (at(0, step) - 2 * top + at(0, -step)) / step**2
    across = at(step, step) - at(step, -step) - at(-step, step) + at(-step, -step)
    across /= 4 * step**2
    variance = by_tau / (across**2 - by_mu * by_tau)
    assert found.se == pytest.approx(sqrt(variance), rel=0.005)


@pytest.mark.parametrize("studies", [LARGE, MIXED], ids=["large", "mixed"])
def test_the_interval_of_tau2_is_where_the_profile_likelihood_has_dropped_by_half_of_3_84(studies):
    found = pooled_proportion(studies)
    low, high = found.tau2_interval
    assert 0 < low < found.tau2 < high
    for tau in (sqrt(low), sqrt(high)):
        profile = minimize_scalar(
            lambda mu, tau=tau: -log_likelihood(studies, mu, tau),
            bounds=(found.mu - 8, found.mu + 8),
            method="bounded",
        )
        assert 2 * (profile.fun + found.log_likelihood) == pytest.approx(3.841459, abs=0.01)


def test_the_interval_of_tau2_begins_at_0_where_no_spread_is_likely_enough():
    found = pooled_proportion([(5, 10), (6, 10), (4, 10), (5, 10)])
    assert found.tau2 == 0
    assert found.tau2_interval[0] == 0
    assert 0 < found.tau2_interval[1] < 2
    # One study that varies within itself among others that do not bounds the spread hardly at all.
    assert pooled_proportion([(0, 9), (9, 9), (0, 9), (9, 9), (4, 9)]).tau2_interval[1] > 1_000


def test_intervals_by_t_stand_beside_those_by_z():
    found = pooled_proportion(LARGE)
    assert (found.interval_df, found.prediction_df) == (2, 1)
    # R: qt(.975, 2) and qt(.975, 1)
    half, further = 4.302653 * found.se, 12.706205 * sqrt(found.tau2 + found.se**2)
    assert [logit(each) for each in found.interval_t] == [
        pytest.approx(found.mu - half, rel=1e-5),
        pytest.approx(found.mu + half, rel=1e-5),
    ]
    assert [logit(each) for each in found.prediction_t] == [
        pytest.approx(found.mu - further, rel=1e-4),
        pytest.approx(found.mu + further, rel=1e-4),
    ]
    assert found.interval_t[0] < found.interval[0] < found.interval[1] < found.interval_t[1]
    assert found.prediction_t[0] < found.prediction[0] < found.prediction[1] < found.prediction_t[1]


def test_leaving_out_one_study_is_pooling_the_others():
    found = leave_one_out(SMALL)
    assert [each.index for each in found] == list(range(len(SMALL)))
    for each in found:
        others = [study for place, study in enumerate(SMALL) if place != each.index]
        assert each.pooled == pooled_proportion(others)
        assert each.pooled.studies == tuple(others)
        assert not each.refused


def test_leaving_out_one_study_says_why_the_others_cannot_be_pooled():
    assert [(each.pooled, each.refused) for each in leave_one_out(LARGE)] == [
        (None, "fewer than 3 studies with two or more matching patients known")
    ] * 3
    found = leave_one_out([(0, 4), (0, 5), (0, 6), (1, 7)])
    assert [each.index for each in found] == [0, 1, 2, 3]
    assert found[3].pooled is None
    assert "no study counts anybody" in found[3].refused
    assert found[0].pooled.mu == pytest.approx(logit(1 / 18), abs=1e-6)


def test_the_order_of_studies_does_not_matter():
    one, other = pooled_proportion(MIXED), pooled_proportion(MIXED[::-1])
    assert (one.mu, one.se, one.tau2) == pytest.approx((other.mu, other.se, other.tau2), rel=1e-5)


def test_counting_the_others_turns_the_proportion_round():
    one = pooled_proportion(MIXED)
    other = pooled_proportion([(of - count, of) for count, of in MIXED])
    assert (one.mu, one.se, one.tau2) == pytest.approx((-other.mu, other.se, other.tau2), rel=1e-5)


@pytest.mark.parametrize("study", [(3, 2), (-1, 5), (0, 0)])
def test_what_is_no_proportion_is_an_error(study):
    with pytest.raises(ValueError, match="no proportion") as refused:
        pooled_proportion([(1, 2), (1, 3), study])
    assert not isinstance(refused.value, CannotPool)


sizes = st.sampled_from([1, 2, 7, 60, 3_000, 1_000_000])
study = sizes.flatmap(
    lambda of: st.tuples(st.integers(0, of) | st.sampled_from([0, 1, of - 1, of]), st.just(of))
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.lists(study, min_size=3, max_size=9))
def test_whatever_the_sizes_something_finite_is_pooled_or_a_reason_given(studies):
    try:
        found = pooled_proportion(studies)
    except CannotPool as refused:
        assert str(refused)
        return
    assert isfinite(found.mu) and 0 < found.se < inf and 0 <= found.tau2 <= 400
    assert found.prediction_t[0] <= found.prediction[0] <= found.interval[0] <= found.proportion
    assert found.proportion <= found.interval[1] <= found.prediction[1] <= found.prediction_t[1]
    low, high = found.tau2_interval
    assert low <= found.tau2 <= high

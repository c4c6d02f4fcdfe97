"""Proportions of several studies as one: a random-intercept logistic model, by maximum
likelihood.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import copysign, exp, inf, log, sqrt

import numpy as np

from .proportions import Z_95

FEWEST = 3  # studies a spread between studies can be estimated from
CHI2_95 = 3.841458820694124  # the 95th percentile of chi-squared with 1 degree of freedom
# A standard deviation between studies above this is no estimate: the likelihood rises without end.
LARGEST = 20.0
FURTHEST = 100.0  # the largest standard deviation the interval of tau2 is searched to

NODES = 40  # of the quadrature, on each side of a study's mode
DROP = 34.0  # the quadrature reaches to where the integrand is exp(-DROP) of its peak
STEPS = 16  # in which the logarithm of tau is first searched


class CannotPool(ValueError):
    """Why these studies cannot be pooled, in words for a reader."""


def expit(odds: float) -> float:
    """The proportion that has these log odds."""
    return 1 / (1 + exp(-odds)) if odds >= 0 else exp(odds) / (1 + exp(odds))


@dataclass(frozen=True)
class Pooled:
    """A pooled proportion: mean and spread of the studies' log odds.

    `mu`, its standard error `se` and the variance between studies `tau2` are on the log odds;
    proportions and their intervals are fractions. `studies` holds the (count, of) pooled,
    `log_likelihood` is that of the estimate.
    """

    mu: float
    se: float
    tau2: float
    typical_variance: float
    studies: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    log_likelihood: float = field(default=-inf, repr=False)

    @cached_property
    def proportion(self) -> float:
        """The proportion of a study in the middle: the inverse logit of `mu`."""
        return expit(self.mu)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of that proportion by the normal distribution, mu +- 1.96 se (Wald)."""
        return self._around(Z_95 * self.se)

    @cached_property
    def prediction(self) -> tuple[float, float]:
        """Where a further study is expected, with 95 %: mu +- 1.96 sqrt(tau2 + se2)."""
        return self._around(Z_95 * sqrt(self.tau2 + self.se**2))

    @property
    def interval_df(self) -> int:
        """The degrees of freedom of `interval_t`: studies less 1."""
        return len(self.studies) - 1

    @property
    def prediction_df(self) -> int:
        """The degrees of freedom of `prediction_t`: studies less 2; 1 for the fewest pooled, 3."""
        return len(self.studies) - 2

    @cached_property
    def interval_t(self) -> tuple[float, float]:
        """The 95 % interval by Student's t with k - 1 degrees of freedom; longer than `interval`,
        most so for few studies, where the normal distribution takes the spread between studies for
        known.
        """
        return self._around(t_95(self.interval_df) * self.se)

    @cached_property
    def prediction_t(self) -> tuple[float, float]:
        """Where a further study is expected, with 95 %, by Student's t with k - 2 degrees of
        freedom.

        mu +- t sqrt(tau2 + se2): Higgins JPT, Thompson SG, Spiegelhalter DJ. A re-evaluation of
        random-effects meta-analysis. J R Stat Soc A 2009;172:137-59. It needs k >= 3, which every
        pooled proportion has; at k = 3 t is 12.7, so that the interval says that three studies
        foretell next to nothing.
        """
        return self._around(t_95(self.prediction_df) * sqrt(self.tau2 + self.se**2))

    @cached_property
    def tau2_interval(self) -> tuple[float, float]:
        """The 95 % interval of `tau2` by the profile likelihood: where twice the log likelihood,
        maximised over mu, is less than 3.84 below its peak. The lower limit is 0 where no spread at
        all is within that distance; the upper one is infinite where a standard deviation of 100
        still is.

        Hardy RJ, Thompson SG. A likelihood approach to meta-analysis with random effects. Stat Med
        1996;15:619-29.
        """
        return spread_interval(Likelihood(self.studies), sqrt(self.tau2), self.log_likelihood)

    @property
    def i2(self) -> float:
        """Percent of the spread that lies between studies: tau2 / (tau2 + typical variance within a
        study).

        Higgins JPT, Thompson SG. Quantifying heterogeneity in a meta-analysis. Stat Med
        2002;21:1539-58.
        """
        return 100 * self.tau2 / (self.tau2 + self.typical_variance)

    def _around(self, half_width: float) -> tuple[float, float]:
        return expit(self.mu - half_width), expit(self.mu + half_width)


def t_95(df: int) -> float:
    """The 97.5th percentile of Student's t distribution."""
    from scipy.special import stdtrit  # takes longer to load than a page

    return float(stdtrit(df, 0.975))


def pooled_proportion(studies: Sequence[tuple[int, int]]) -> Pooled:
    """Pools (count, of) of independent studies.

    The counts are binomial; their log odds are normal with mean mu and variance tau2. Both are
    found by maximum likelihood, the integral over each study's random intercept by quadrature
    around that study's own mode.
    Stijnen T, Hamza TH, Ozdemir P. Random effects meta-analysis of event outcome in the framework
    of the generalized linear mixed model with applications in sparse data. Stat Med
    2010;29:3046-67.
    The standard error of mu is from the inverse of the full second derivative in (mu, log tau);
    where tau is 0, of that in mu alone. R's rma.glmm(measure="PLO") of metafor is the same model
    and estimate.
    Raises CannotPool under three studies, and where the mean or the spread has no finite estimate;
    ValueError if a count is not between 0 and its denominator, or a denominator is 0.
    """
    studies = tuple((int(count), int(of)) for count, of in studies)
    if len(studies) < FEWEST:
        raise CannotPool(f"fewer than {FEWEST} studies with two or more matching patients known")
    for count, of in studies:
        if not 0 <= count <= of or not of:
            raise ValueError(f"{count} of {of} is no proportion")
    if not any(count for count, _ in studies):
        raise CannotPool("no study counts anybody, so the log odds have no finite mean")
    if all(count == of for count, of in studies):
        raise CannotPool("every study counts everybody, so the log odds have no finite mean")
    if all(count in (0, of) for count, of in studies):
        raise CannotPool(
            "every study counts nobody or everybody, so the spread has no finite estimate"
        )
    likelihood = Likelihood(studies)
    tau = likelihood.best_tau()
    if tau > LARGEST:
        raise CannotPool("the studies are so far apart that their spread has no finite estimate")
    best = likelihood.best_mu(tau)
    if tau:
        variance = float(np.linalg.inv(-best.second)[0, 0])
    else:
        variance = -1 / best.second[0, 0]
    spread = likelihood.typical_variance()
    return Pooled(float(best.mu), sqrt(variance), float(tau**2), spread, studies, best.value)


@dataclass(frozen=True)
class WithoutStudy:
    """The pooled proportion without the study at `index`; None where the others cannot be pooled,
    `refused` says why.
    """

    index: int
    pooled: Pooled | None
    refused: str = ""


def leave_one_out(studies: Sequence[tuple[int, int]]) -> list[WithoutStudy]:
    """What is pooled without each study in turn, in the order of the studies."""
    results = []
    for index in range(len(studies)):
        remaining = [*studies[:index], *studies[index + 1 :]]
        try:
            results.append(WithoutStudy(index, pooled_proportion(remaining)))
        except CannotPool as error:
            results.append(WithoutStudy(index, None, str(error)))
    return results


@dataclass(frozen=True)
class Point:
    """The log likelihood at one (mu, tau), with first and second derivatives in (mu, log tau)."""

    mu: float
    value: float
    first: np.ndarray
    second: np.ndarray


class Likelihood:
    """The likelihood of (mu, tau), given studies.

    For each study the binomial likelihood is integrated over u, standard normal, its log odds being
    mu + tau u. The logarithm of the integrand is concave in u, with curvature -1 at least; so its
    mode is found by Newton's method, and it drops by DROP within sqrt(2 DROP) of it. Gauss-Legendre
    quadrature goes from the mode to there on both sides, which suits lopsided integrands (a study
    that counts nobody) and narrow ones (a study of a million) alike.
    """

    def __init__(self, studies: Sequence[tuple[int, int]]):
        from scipy.special import betaln  # takes longer to load than a page

        counts, totals = (np.array(column, dtype=float) for column in zip(*studies, strict=True))
        self.counts, self.totals = counts, totals
        # The binomial coefficients.
        self.constant = float((-betaln(counts + 1, totals - counts + 1) - np.log(totals + 1)).sum())
        raw_proportion = counts.sum() / totals.sum()
        self.plain_mu = log(raw_proportion / (1 - raw_proportion))
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        self.nodes, self.log_weights = (1 + nodes[:, None]) / 2, np.log(weights[:, None] / 2)
        self.modes = np.zeros_like(counts)
        self.last_mu = self.plain_mu

    def best_tau(self) -> float:
        """The tau of the largest likelihood; 0 where the studies differ no more than chance, and
        more than LARGEST where it has no finite estimate.
        """
        p = expit(self.plain_mu)
        # A spread far below every study's own standard error cannot be told from none.
        smallest = min(0.01, 0.02 / sqrt(self.totals.max() * p * (1 - p)))
        grid = np.geomspace(smallest, 2 * LARGEST, STEPS)
        while True:
            best = int(np.argmax([self.best_mu(tau).value for tau in grid]))
            low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
            slope_at_low, slope_at_high = self.slope(low), self.slope(high)
            if slope_at_low > 0 > slope_at_high:
                return exp(find_root(lambda log_tau: self.slope(exp(log_tau)), log(low), log(high)))
            if low == smallest and slope_at_low <= 0 and best == 0:
                return 0.0
            if high == 2 * LARGEST and slope_at_high >= 0:
                return high
            if high / low < 1 + 1e-6:
                return sqrt(low * high)
            grid = np.geomspace(low, high, STEPS // 2)  # more than one peak in there

    def slope(self, tau: float) -> float:
        """The derivative of the likelihood in log tau, mu being the best for tau."""
        return self.best_mu(tau).first[1]

    def best_mu(self, tau: float) -> Point:
        """The likelihood at this tau and the mu that suits it best. For one tau it is log-concave
        in mu.
        """
        if not tau:
            return self.without_spread()
        low, high = -inf, inf
        mu = self.last_mu
        for _ in range(200):
            point = self.evaluate(mu, tau)
            slope, bend = point.first[0], point.second[0, 0]
            low, high = (mu, high) if slope > 0 else (low, mu)
            step = -slope / bend if bend < 0 else copysign(inf, slope)
            if min(abs(step), high - low) <= 1e-8 * (1 + abs(mu)):
                break
            # far out the slope is nearly flat and Newton's step goes anywhere
            max_step = 2 * (1 + tau)
            following = mu + min(max(step, -max_step), max_step)
            mu = following if low < following < high else (low + high) / 2
        self.last_mu = mu
        return point

    def without_spread(self) -> Point:
        """The likelihood where all studies have the same log odds: the raw total's."""
        mu, p = self.plain_mu, expit(self.plain_mu)
        value = self.constant + float(log_binomial(self.counts, self.totals, mu).sum())
        bend = -self.totals.sum() * p * (1 - p)
        return Point(mu, value, np.zeros(2), np.array([[bend, 0.0], [0.0, 0.0]]))

    def evaluate(self, mu: float, tau: float) -> Point:
        """The log likelihood and its derivatives, those by the identities of Fisher and Louis."""
        counts, totals = self.counts, self.totals
        mode = self.modes = self.find_modes(mu, tau)
        top = log_binomial(counts, totals, mu + tau * mode) - mode**2 / 2
        ends = self.find_ends(mu, tau, mode, top)
        # nodes x (both sides of every study)
        u = (mode + self.nodes[..., None] * (ends - mode)[None]).reshape(2 * NODES, len(counts))
        odds = mu + tau * u
        widths = np.log(np.abs(ends - mode))
        logs = log_binomial(counts, totals, odds) - u**2 / 2 - top
        logs += (self.log_weights[..., None] + widths[None]).reshape(logs.shape)
        weights = np.exp(logs)
        normaliser = weights.sum(0)
        value = float((np.log(normaliser) + top - 0.5 * log(2 * np.pi)).sum()) + self.constant
        weights /= normaliser

        def weighted_mean(values):
            return (weights * values).sum(0)

        # In exact arithmetic the derivatives by way of the binomial and by way of the normal
        # density are equal; in floating point each loses digits where it alone is nearly flat in
        # comparison, so the other one is taken.
        p = inverse_logit(odds)
        variance = totals * p * (1 - p)
        residual = counts - totals * p
        lever = tau * u
        by_mu, by_tau = weighted_mean(residual), weighted_mean(residual * lever)
        binomial = np.array(
            [
                by_mu,
                by_tau,
                weighted_mean(residual**2 - variance) - by_mu**2,
                weighted_mean((residual**2 - variance) * lever) - by_mu * by_tau,
                weighted_mean((residual**2 - variance) * lever**2 + residual * lever) - by_tau**2,
            ]
        )
        first, square = weighted_mean(u), weighted_mean(u**2)
        deviation = u - first
        excess = u**2 - square
        normal = np.array(
            [
                first / tau,
                square - 1,
                (weighted_mean(deviation**2) - 1) / tau**2,
                (weighted_mean(deviation * excess) - 2 * first) / tau,
                weighted_mean(excess**2) - 2 * square,
            ]
        )
        mode_p = inverse_logit(mu + tau * mode)
        prefers_binomial = tau**2 * totals * mode_p * (1 - mode_p) < 1
        total = np.where(prefers_binomial, binomial, normal).sum(1)
        return Point(mu, value, total[:2], np.array([[total[2], total[3]], [total[3], total[4]]]))

    def find_modes(self, mu: float, tau: float) -> np.ndarray:
        """Where each study's integrand is largest: tau (x - n p) = u, by Newton's method within
        brackets.
        """
        counts, totals = self.counts, self.totals
        # The mode lies between none (the normal density's) and the binomial's own; and |u| = tau |x
        # - n p| <= tau n.
        with np.errstate(divide="ignore"):
            binomial_mode = (np.log(counts) - np.log(totals - counts) - mu) / tau
        binomial_mode = np.clip(binomial_mode, -tau * totals, tau * totals)
        low, high = np.minimum(binomial_mode, 0), np.maximum(binomial_mode, 0)
        u = np.clip(self.modes, low, high)
        for _ in range(100):
            p = inverse_logit(mu + tau * u)
            slope = tau * (counts - totals * p) - u
            low, high = np.where(slope > 0, u, low), np.where(slope > 0, high, u)
            step = slope / (1 + tau**2 * totals * p * (1 - p))
            moving = np.abs(step) > 1e-9
            if not moving.any():
                break
            following = u + step
            outside = moving & ((following <= low) | (following >= high))
            u = np.where(outside, (low + high) / 2, following)
        return u

    def find_ends(self, mu: float, tau: float, mode: np.ndarray, top: np.ndarray) -> np.ndarray:
        """How far to integrate, below and above each study's mode: where the integrand has dropped
        by DROP or more. Newton's method from outside: a concave function's tangents keep it
        outside, so it may stop at any time.
        """
        ends = mode + sqrt(2 * DROP) * np.array([[-1.0], [1.0]])
        for _ in range(40):
            odds = mu + tau * ends
            p = inverse_logit(odds)
            excess = log_binomial(self.counts, self.totals, odds) - ends**2 / 2 - top + DROP
            slope = tau * (self.counts - self.totals * p) - ends
            step = np.where(excess < 0, -excess / slope, 0.0)
            ends += step
            if np.abs(step).max() < 0.05 * np.abs(ends - mode).min():
                break
        return ends

    def typical_variance(self) -> float:
        """The typical variance of a study's log odds, 1/2 added to both cells where one is empty
        (Higgins and Thompson).
        """
        empty = (self.counts == 0) | (self.counts == self.totals)
        events, non_events = self.counts + 0.5 * empty, self.totals - self.counts + 0.5 * empty
        weights = 1 / (1 / events + 1 / non_events)
        return float((len(weights) - 1) * weights.sum() / (weights.sum() ** 2 - (weights**2).sum()))


def inverse_logit(odds: np.ndarray) -> np.ndarray:
    """The proportions that have these log odds; as `expit`, of arrays."""
    from scipy.special import expit as of_arrays  # takes longer to load than a page

    return of_arrays(odds)


def log_binomial(counts: np.ndarray, totals: np.ndarray, odds) -> np.ndarray:
    """The log probability of counts at these log odds, without the binomial coefficient."""
    return counts * odds - totals * np.logaddexp(0, odds)


def spread_interval(likelihood: Likelihood, tau: float, top: float) -> tuple[float, float]:
    """The profile likelihood interval of tau2; `tau` is the estimate, `top` its log likelihood."""

    def excess_deviance(log_tau: float) -> float:
        return 2 * (likelihood.best_mu(exp(log_tau)).value - top) + CHI2_95

    start = log(tau or 1e-4)
    high = (
        inf
        if excess_deviance(log(FURTHEST)) > 0
        else exp(find_root(excess_deviance, start, log(FURTHEST))) ** 2
    )
    if not tau or 2 * (likelihood.best_mu(0).value - top) + CHI2_95 >= 0:
        return 0.0, high
    return exp(find_root(excess_deviance, start - log(1e6), start)) ** 2, high


def find_root(function, low: float, high: float) -> float:
    """Where a function that changes its sign between `low` and `high` is 0 (Brent)."""
    from scipy.optimize import brentq  # takes longer to load than a page

    return float(brentq(function, low, high, xtol=1e-8, rtol=1e-12))

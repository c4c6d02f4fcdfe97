"""Proportions of several studies as one: a random-intercept logistic model, by maximum likelihood."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, sqrt

import numpy as np

from .proportions import Z_95

NODES = 61  # of the Gauss-Hermite quadrature
FEWEST = 3  # studies a spread between studies can be estimated from
STEP = 1e-3  # of the numerical second derivative
SMALLEST = 1e-3  # a standard deviation between studies below this is none
LARGEST = 20.0  # one above this is no estimate: the likelihood rises without end


class CannotPool(ValueError):
    """Why these studies cannot be pooled, in words for a reader."""


def expit(odds: float) -> float:
    """The proportion that has these log odds."""
    return 1 / (1 + exp(-odds)) if odds >= 0 else exp(odds) / (1 + exp(odds))


@dataclass(frozen=True)
class Pooled:
    """A pooled proportion: mean and spread of the studies' log odds."""

    mu: float
    se: float
    tau2: float
    typical_variance: float

    @cached_property
    def proportion(self) -> float:
        """The proportion of a study in the middle: the inverse logit of `mu`."""
        return expit(self.mu)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of that proportion (Wald, on the log odds)."""
        return expit(self.mu - Z_95 * self.se), expit(self.mu + Z_95 * self.se)

    @cached_property
    def prediction(self) -> tuple[float, float]:
        """Where the proportion of a further study is expected, with 95 %: mu +- 1.96 sqrt(tau2 + se2)."""
        half = Z_95 * sqrt(self.tau2 + self.se**2)
        return expit(self.mu - half), expit(self.mu + half)

    @property
    def i2(self) -> float:
        """Percent of the spread that lies between studies: tau2 / (tau2 + typical variance within a study).

        Higgins JPT, Thompson SG. Quantifying heterogeneity in a meta-analysis. Stat Med 2002;21:1539-58.
        """
        return 100 * self.tau2 / (self.tau2 + self.typical_variance)


def pooled_proportion(studies: Sequence[tuple[int, int]]) -> Pooled:
    """Pools (count, of) of independent studies.

    The counts are binomial; their log odds are normal with mean mu and variance tau2. Both are found by maximum
    likelihood, the integral over the random intercept by Gauss-Hermite quadrature.
    Stijnen T, Hamza TH, Ozdemir P. Random effects meta-analysis of event outcome in the framework of the generalized
    linear mixed model with applications in sparse data. Stat Med 2010;29:3046-67.
    The standard error of mu is from the inverse of the full second derivative in (mu, log tau).
    Raises CannotPool under three studies, and where the mean or the spread has no finite estimate.
    """
    if len(studies) < FEWEST:
        raise CannotPool(f"fewer than {FEWEST} studies of two or more patients")
    counts, totals = (np.array(column, dtype=float) for column in zip(*studies, strict=True))
    if not counts.sum():
        raise CannotPool("no study counts anybody, so the log odds have no finite mean")
    if (counts == totals).all():
        raise CannotPool("every study counts everybody, so the log odds have no finite mean")
    if ((counts == 0) | (counts == totals)).all():
        raise CannotPool("every study counts nobody or everybody, so the spread has no finite estimate")
    # These take longer to load than a page; see exact.py.
    from scipy.optimize import minimize
    from scipy.special import betaln, log_expit, logsumexp

    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = np.log(weights / sqrt(2 * np.pi))[:, None]
    chosen = -betaln(counts + 1, totals - counts + 1) - np.log(totals + 1)

    def unlikely(point: np.ndarray) -> float:
        odds = point[0] + np.exp(point[1]) * nodes[:, None]
        each = chosen + counts * log_expit(odds) + (totals - counts) * log_expit(-odds)
        return -float(logsumexp(each + weights, axis=0).sum())

    plain = counts.sum() / totals.sum()
    start = np.log(plain / (1 - plain))
    bounds = [(-LARGEST, LARGEST), (-20.0, np.log(2 * LARGEST))]
    options = {"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000, "maxfev": 4000}
    found = min(
        (
            minimize(unlikely, [start, np.log(tau)], method="Nelder-Mead", bounds=bounds, options=options)
            for tau in (0.1, 1.0)
        ),
        key=lambda each: each.fun,
    )
    mu, log_tau = found.x
    tau = float(np.exp(log_tau))
    if tau > LARGEST:
        raise CannotPool("the studies are so far apart that their spread has no finite estimate")
    if tau < SMALLEST:
        # The studies differ no more than chance: at this border log tau has no second derivative to speak of.
        return Pooled(float(mu), 1 / sqrt(totals.sum() * expit(mu) * expit(-mu)), 0.0, typical(counts, totals))
    second = curvature(unlikely, found.x)
    return Pooled(float(mu), sqrt(float(np.linalg.inv(second)[0, 0])), tau**2, typical(counts, totals))


def curvature(function, point: np.ndarray) -> np.ndarray:
    """The second derivative of a function of two numbers, by central differences."""
    size = len(point)
    steps = np.eye(size) * STEP
    second = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            second[i, j] = (
                function(point + steps[i] + steps[j])
                - function(point + steps[i] - steps[j])
                - function(point - steps[i] + steps[j])
                + function(point - steps[i] - steps[j])
            ) / (4 * STEP**2)
    return second


def typical(counts: np.ndarray, totals: np.ndarray) -> float:
    """The typical variance of a study's log odds, 1/2 added to both cells where one is empty (Higgins and Thompson)."""
    empty = (counts == 0) | (counts == totals)
    events, others = counts + 0.5 * empty, totals - counts + 0.5 * empty
    weights = 1 / (1 / events + 1 / others)
    return float((len(counts) - 1) * weights.sum() / (weights.sum() ** 2 - (weights**2).sum()))

"""Two groups by an exact method: the conditional odds ratio, its interval and the p that fits
it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, log, nan, sqrt

import numpy as np

TAIL = 0.025  # probability beyond each limit of a 95 % interval
TIE = 2e-12  # a p this close to 0.05 is 0.05; 1/40 must not depend on the last digit of a float
FAINT = 75.0  # what is exp(-FAINT) times as likely as the likeliest count is left out of a sum


@dataclass(frozen=True)
class TwoByTwo:
    """What an exact comparison of two groups gives. An odds ratio that no data bound is 0 or
    infinite; one that cannot be computed at all (nobody, or everybody, in both groups) is not a
    number.

    `p` is less than 0.05 exactly where the interval from `low` to `high` leaves out 1. `p_method`
    and `interval_method` are their names for a reader.
    """

    odds_ratio: float
    low: float
    high: float
    p: float
    p_method: str = "central exact p (twice the smaller tail)"
    interval_method: str = "central exact 95 % interval (Cornfield)"


def exact_comparison(count: int, of: int, other_count: int, other_of: int) -> TwoByTwo:
    """The conditional maximum likelihood odds ratio with its central exact 95 % interval, and the
    central exact p.

    Given both totals, the count follows Fisher's noncentral hypergeometric distribution (Fisher RA.
    The logic of inductive inference. J R Stat Soc 1935;98:39-82). The estimate is the odds ratio
    under which its mean is the count found. Each limit is the odds ratio under which the tail from
    the count found holds 2.5 % (Cornfield J. A statistical problem arising from retrospective
    studies. Proc Third Berkeley Symp 1956;4:135-48); R's fisher.test gives the same. The p is twice
    the smaller tail under an odds ratio of 1, at most 1, so that it agrees with the interval; that
    of fisher.test adds up all tables no more likely than the one found and may contradict it (Fay
    MP. Confidence intervals that match Fisher's exact or Blaker's exact tests. Biostatistics
    2010;11:373-4).
    Raises ValueError if a count is not between 0 and its denominator.
    """
    if not (0 <= count <= of and 0 <= other_count <= other_of):
        raise ValueError(f"{count} of {of} against {other_count} of {other_of} is no comparison")
    distribution = Hypergeometric(of, other_of, count + other_count)
    if distribution.lowest == distribution.highest:
        return TwoByTwo(nan, 0.0, inf, 1.0)
    lower_tail, upper_tail = distribution.tails(count, 0.0)
    p = min(1.0, 2 * min(lower_tail, upper_tail))
    if abs(p - 2 * TAIL) < TIE:
        p = 2 * TAIL
    # By log odds ratio; the sample's own is near both the estimate and the limits.
    with_half = (count + 0.5, of - count + 0.5, other_count + 0.5, other_of - other_count + 0.5)
    start = log(with_half[0] * with_half[3] / (with_half[1] * with_half[2]))
    low, high = -inf, inf
    if count > distribution.lowest:
        low = odds_at_zero(
            lambda odds: distribution.tails(count, odds)[1] - TAIL, upper_tail - TAIL, start
        )
    if count < distribution.highest:
        high = odds_at_zero(
            lambda odds: TAIL - distribution.tails(count, odds)[0], TAIL - lower_tail, start
        )
    if distribution.lowest < count < distribution.highest:
        middle = odds_at_zero(
            lambda odds: distribution.mean(odds) - count, distribution.mean(0.0) - count, start
        )
    else:
        middle = low if count == distribution.lowest else high
    return TwoByTwo(exp_or_infinity(middle), exp_or_infinity(low), exp_or_infinity(high), p)


def exp_or_infinity(value: float) -> float:
    return inf if value > 709 else exp(value)


class Hypergeometric:
    """Fisher's noncentral hypergeometric distribution: how many of `found` people are among `of`,
    the others being among `other_of`, under a log odds ratio.

    Log probabilities are added up from one count to the next, from the likeliest outwards until
    they are negligible; so a question takes time in proportion to the standard deviation, not to
    the size, and loses no digits at size.
    """

    def __init__(self, of: int, other_of: int, total_count: int):
        self.of, self.other_of, self.total_count = of, other_of, total_count
        self.lowest, self.highest = max(0, total_count - other_of), min(of, total_count)

    def probabilities(self, odds: float) -> tuple[np.ndarray, np.ndarray]:
        """Counts in ascending order, and their probabilities; what is left out of both ends is
        negligible.
        """
        mode = self.mode(odds)
        # The standard deviation of the normal distribution that is as sharp at the mode.
        cells = (
            mode,
            self.of - mode,
            self.total_count - mode,
            self.other_of - self.total_count + mode,
        )
        half_width = int(15 * sqrt(1 / sum(1 / (cell + 1) for cell in cells))) + 50
        while True:
            first, last = max(self.lowest, mode - half_width), min(self.highest, mode + half_width)
            counts = np.arange(first, last + 1, dtype=float)
            next_one = counts[1:]
            ratios = (
                np.log((self.of - next_one + 1) * (self.total_count - next_one + 1))
                - np.log(next_one * (self.other_of - self.total_count + next_one))
                + odds
            )
            logs = np.concatenate([[0.0], np.cumsum(ratios)])
            logs -= logs.max()
            # The logarithm is concave: beyond an end that is faint, all is fainter still.
            lower_end_negligible = first == self.lowest or logs[0] < -FAINT
            upper_end_negligible = last == self.highest or logs[-1] < -FAINT
            if lower_end_negligible and upper_end_negligible:
                weights = np.exp(logs)
                return counts, weights / weights.sum()
            half_width *= 2

    def mode(self, odds: float) -> int:
        """The likeliest count: the largest one at least as likely as the one below it.

        Liao JG, Rosen O. Fast and stable algorithms for computing and sampling from the noncentral
        hypergeometric distribution. Am Stat 2001;55:366-9.
        """
        # The quadratic a k^2 + b k + c, divided by the larger of 1 and the odds ratio so that
        # nothing overflows.
        ratio, scale = (exp(odds), 1.0) if odds < 0 else (1.0, exp(-odds))
        a = ratio - scale
        b = -((self.of + self.total_count + 2) * ratio + (self.other_of - self.total_count) * scale)
        c = (self.of + 1) * (self.total_count + 1) * ratio
        k = 2 * c / (-b + sqrt(max(b * b - 4 * a * c, 0.0)))
        return min(max(int(k), self.lowest), self.highest)

    def mean(self, odds: float) -> float:
        counts, chances = self.probabilities(odds)
        return float((counts * chances).sum())

    def tails(self, count: int, odds: float) -> tuple[float, float]:
        """The probabilities of at most, and of at least, this count."""
        counts, chances = self.probabilities(odds)
        return float(chances[counts <= count].sum()), float(chances[counts >= count].sum())


def odds_at_zero(function: Callable[[float], float], at_zero: float, start: float) -> float:
    """The log odds ratio where a rising function is 0, on the side of 0 that `at_zero`, its value
    there, says.

    So a limit of the odds ratio is above 1 exactly where the tail under an odds ratio of 1 holds
    less than 2.5 %.
    """
    # Loading it takes longer than a page; what never compares does not wait for it.
    from scipy.optimize import brentq

    if abs(at_zero) < TIE / 2:
        return 0.0
    sign = 1 if at_zero < 0 else -1
    inner, outer = 0.0, max(abs(start), 0.5)
    while sign * function(sign * outer) < 0:
        inner, outer = outer, 2 * outer
    return float(brentq(function, sign * inner, sign * outer, xtol=1e-13, rtol=1e-13))

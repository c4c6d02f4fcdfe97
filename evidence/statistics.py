"""Statistics on counts. Pure functions: no Django, no rounding (callers round when they print)."""

from bisect import bisect_right
from collections.abc import Mapping
from enum import StrEnum
from itertools import accumulate
from math import sqrt

Z_95 = 1.959963984540054  # the 97.5th percentile of the standard normal distribution


def wilson_interval(count: int, of: int) -> tuple[float, float] | None:
    """The 95 % Wilson score interval of a proportion, as two fractions; None where nobody is known.

    Wilson EB. Probable inference, the law of succession, and statistical inference. J Am Stat Assoc 1927;22:209-12.
    Raises ValueError if `count` is not between 0 and `of`.
    """
    if not 0 <= count <= of:
        raise ValueError(f"{count} of {of} is no proportion")
    if of == 0:
        return None
    share, square = count / of, Z_95**2
    centre = (share + square / (2 * of)) / (1 + square / of)
    half = Z_95 * sqrt(share * (1 - share) / of + square / (4 * of**2)) / (1 + square / of)
    # The exact bounds at 0 and at n are 0 and 1; floating point misses them by a hair.
    return (0.0 if count == 0 else centre - half, 1.0 if count == of else centre + half)


def median(tally: Mapping[int, int]) -> float | None:
    """The median of values given as {value: times}; None of nothing."""
    values = sorted(value for value, times in tally.items() if times)
    if not values:
        return None
    ends = list(accumulate(tally[value] for value in values))
    last = ends[-1] - 1  # the middle is one value, or lies between two
    return (values[bisect_right(ends, last // 2)] + values[bisect_right(ends, (last + 1) // 2)]) / 2


def mean(tally: Mapping[int, int]) -> float | None:
    """The mean of values given as {value: times}; None of nothing."""
    times = sum(tally.values())
    return sum(value * often for value, often in tally.items()) / times if times else None


class MRSSResponse(StrEnum):
    """The result of the skin-response rule for the modified Rodnan skin score (mRSS, 0 to 51 points)."""

    RESPONSE = "response"
    NO_RESPONSE = "no response"
    NOT_EVALUABLE = "not evaluable"


def mrss_response(baseline: float | None, followup: float | None) -> MRSSResponse:
    """Skin response: a fall of more than 5 points and of at least 25 % of the baseline.

    The rule that Moriana 2022 (doi 10.1016/j.autrev.2022.103168) reports skin response by. A baseline of 5 points or
    less can never fall by more than 5, so it is not evaluable rather than a failure; neither is a missing score.
    """
    if baseline is None or followup is None or baseline <= 5:
        return MRSSResponse.NOT_EVALUABLE
    fall = baseline - followup
    return MRSSResponse.RESPONSE if fall > 5 and fall >= baseline / 4 else MRSSResponse.NO_RESPONSE

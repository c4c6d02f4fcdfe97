"""Medians and means of tallied values."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate


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
    total = sum(tally.values())
    return sum(value * count for value, count in tally.items()) / total if total else None


def quartiles(values: Sequence[float]) -> tuple[float, float, float] | None:
    """Lower quartile, median and upper quartile; None of nothing.

    Between two values by linear interpolation: type 7 of Hyndman RJ, Fan Y. Sample quantiles in
    statistical packages. Am Stat 1996;50:361-5, the default of R and NumPy.
    """
    if not values:
        return None
    ranked = sorted(values)

    def quantile_at(share: float) -> float:
        position = share * (len(ranked) - 1)
        index = int(position)
        return ranked[index] + (position - index) * (
            ranked[min(index + 1, len(ranked) - 1)] - ranked[index]
        )

    return quantile_at(0.25), quantile_at(0.5), quantile_at(0.75)

"""One proportion, and the difference of two: intervals from counts."""

from dataclasses import dataclass
from math import sqrt

Z_95 = 1.959963984540054  # the 97.5th percentile of the standard normal distribution


def wilson_interval(count: int, of: int) -> tuple[float, float] | None:
    """The 95 % Wilson score interval of a proportion, as two fractions; None where nobody is known.

    Wilson EB. Probable inference, the law of succession, and statistical inference. J Am Stat Assoc
    1927;22:209-12. Raises ValueError if `count` is not between 0 and `of`.
    """
    if not 0 <= count <= of:
        raise ValueError(f"{count} of {of} is no proportion")
    if of == 0:
        return None
    share, square = count / of, Z_95**2
    centre = (share + square / (2 * of)) / (1 + square / of)
    half_width = Z_95 * sqrt(share * (1 - share) / of + square / (4 * of**2)) / (1 + square / of)
    # The exact bounds at 0 and at n are 0 and 1; floating point misses them by a hair.
    return (0.0 if count == 0 else centre - half_width, 1.0 if count == of else centre + half_width)


def clopper_pearson_interval(count: int, of: int) -> tuple[float, float] | None:
    """The 95 % exact interval of a proportion, as two fractions; None where nobody is known.

    Clopper CJ, Pearson ES. The use of confidence or fiducial limits illustrated in the case of the
    binomial. Biometrika 1934;26:404-13. It covers at least 95 % and is longer than Wilson's. Raises
    ValueError if `count` is not between 0 and `of`.
    """
    if not 0 <= count <= of:
        raise ValueError(f"{count} of {of} is no proportion")
    if of == 0:
        return None
    from scipy.special import betaincinv  # takes longer to load than a page; see exact.py

    low = float(betaincinv(count, of - count + 1, 0.025)) if count else 0.0
    high = float(betaincinv(count + 1, of - count, 0.975)) if count < of else 1.0
    return low, high


def newcombe_interval(
    count: int, of: int, other_count: int, other_of: int
) -> tuple[float, float] | None:
    """The 95 % interval of the difference of two independent proportions (first minus second), as
    two fractions.

    Newcombe RG. Interval estimation for the difference between independent proportions: comparison
    of eleven methods. Stat Med 1998;17:873-90, method 10: Wilson's limits of both, put together.
    None where either has nobody known. Raises ValueError if a count is larger than its denominator.
    """
    first, second = wilson_interval(count, of), wilson_interval(other_count, other_of)
    if first is None or second is None:
        return None
    p, q = count / of, other_count / other_of
    low = p - q - sqrt((p - first[0]) ** 2 + (second[1] - q) ** 2)
    high = p - q + sqrt((first[1] - p) ** 2 + (q - second[0]) ** 2)
    return max(low, -1.0), min(high, 1.0)


@dataclass(frozen=True)
class Sensitivity:
    """What a share could be at most and at least, whatever is true of those not known.

    `best` counts all of them, `worst` none; both of `of`. For a harm the words change places.
    """

    best: int
    worst: int
    of: int

    @property
    def best_share(self) -> float | None:
        """A fraction; None of nobody."""
        return self.best / self.of if self.of else None

    @property
    def worst_share(self) -> float | None:
        """A fraction; None of nobody."""
        return self.worst / self.of if self.of else None


def sensitivity(n: int, known: int, missing: int) -> Sensitivity:
    """Best and worst case of `n` of `known` improved, when for `missing` more it is not known.

    Best: all of those missing improved. Worst: none did. Both are counted over known and missing
    together.
    Raises ValueError if `n` is not between 0 and `known`, or `missing` is negative.
    """
    if not 0 <= n <= known or missing < 0:
        raise ValueError(f"{n} of {known} with {missing} missing is no proportion")
    return Sensitivity(n + missing, n, known + missing)

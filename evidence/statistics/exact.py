"""Two groups by an exact method: Fisher's test and the conditional odds ratio."""

from dataclasses import dataclass
from math import nan


@dataclass(frozen=True)
class TwoByTwo:
    """What an exact comparison of two groups gives. An odds ratio that no data bound is 0 or infinite; one that
    cannot be computed at all (nobody, or everybody, in both groups) is not a number.
    """

    odds_ratio: float
    low: float
    high: float
    p: float


def exact_comparison(count: int, of: int, other_count: int, other_of: int) -> TwoByTwo:
    """Fisher's exact two-sided p, and the conditional maximum likelihood odds ratio with its exact 95 % interval.

    Fisher RA. The logic of inductive inference. J R Stat Soc 1935;98:39-82. The two-sided p adds the probabilities of
    all tables that are no more likely than the one found. The odds ratio and its interval are of the noncentral
    hypergeometric distribution (Cornfield 1956), as R's fisher.test gives them.
    Raises ValueError if a count is not between 0 and its denominator.
    """
    if not (0 <= count <= of and 0 <= other_count <= other_of):
        raise ValueError(f"{count} of {of} against {other_count} of {other_of} is no comparison")
    # Loading scipy.stats takes longer than a page; what never compares does not wait for it.
    from scipy.stats import fisher_exact
    from scipy.stats.contingency import odds_ratio

    table = [[count, of - count], [other_count, other_of - other_count]]
    p = float(fisher_exact(table, alternative="two-sided").pvalue)
    found = count + other_count
    if not of or not other_of or found in (0, of + other_of):
        return TwoByTwo(nan, 0.0, float("inf"), p)
    ratio = odds_ratio(table, kind="conditional")
    interval = ratio.confidence_interval(0.95)
    return TwoByTwo(float(ratio.statistic), float(interval.low), float(interval.high), p)

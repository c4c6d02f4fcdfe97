"""Statistics on counts. Pure functions: no Django, no rounding (callers round when they print)."""

from .exact import TwoByTwo, exact_comparison
from .pooling import CannotPool, Pooled, pooled_proportion
from .printed_rates import Printed, attainable, fractions, ratios
from .proportions import Z_95, clopper_pearson_interval, newcombe_interval, wilson_interval
from .quantiles import mean, median, quartiles
from .rules import RULES, Derived, Rule

__all__ = [
    "RULES",
    "Z_95",
    "CannotPool",
    "Derived",
    "Pooled",
    "Printed",
    "Rule",
    "TwoByTwo",
    "attainable",
    "clopper_pearson_interval",
    "exact_comparison",
    "fractions",
    "mean",
    "median",
    "newcombe_interval",
    "pooled_proportion",
    "quartiles",
    "ratios",
    "wilson_interval",
]

"""Statistics on counts. Pure functions: no Django, no rounding (callers round when they print)."""

from .exact import TwoByTwo, exact_comparison
from .pooling import CannotPool, Pooled, WithoutStudy, leave_one_out, pooled_proportion
from .printed_rates import Printed, attainable_counts, possible_fractions, possible_ratios
from .proportions import (
    Z_95,
    Sensitivity,
    clopper_pearson_interval,
    newcombe_interval,
    sensitivity,
    wilson_interval,
)
from .quantiles import mean, median, quartiles
from .rules import (
    ALL_RULES,
    DEFAULT_RULE,
    PROGRESSION_RULES,
    RULES,
    Derived,
    Progression,
    ProgressionRule,
    Rule,
)

__all__ = [
    "ALL_RULES",
    "DEFAULT_RULE",
    "PROGRESSION_RULES",
    "RULES",
    "Z_95",
    "CannotPool",
    "Derived",
    "Pooled",
    "Printed",
    "Progression",
    "ProgressionRule",
    "Rule",
    "Sensitivity",
    "TwoByTwo",
    "WithoutStudy",
    "attainable_counts",
    "clopper_pearson_interval",
    "exact_comparison",
    "leave_one_out",
    "mean",
    "median",
    "newcombe_interval",
    "pooled_proportion",
    "possible_fractions",
    "possible_ratios",
    "quartiles",
    "sensitivity",
    "wilson_interval",
]

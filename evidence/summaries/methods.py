"""How every number is made: formula, reference, and an example worked by the very function the pages use."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from ..statistics import (
    RULES,
    Printed,
    clopper_pearson_interval,
    exact_comparison,
    fractions,
    newcombe_interval,
    pooled_proportion,
    quartiles,
    wilson_interval,
)
from . import AGE_SPAN, Share, format_number
from .comparison import FEWEST


@dataclass(frozen=True)
class Method:
    """One statistic or rule. `example` works it out anew each time, so that it cannot be out of date."""

    slug: str
    name: str
    where: str
    formula: str
    explanation: str
    reference: str
    question: str
    example: Callable[[], str]


def percent_range(interval: tuple[float, float]) -> str:
    return f"{format_number(100 * interval[0])} to {format_number(100 * interval[1])} %".replace("-", "−")


def exact_example() -> str:
    found = exact_comparison(3, 8, 8, 9)
    return (
        f"odds ratio {format_number(found.odds_ratio, 3)}, exact 95 % interval {format_number(found.low, 4)} to "
        f"{format_number(found.high, 2)}, p = {format_number(found.p, 4)}"
    )


def pooled_example() -> str:
    found = pooled_proportion([(6, 8), (3, 6), (1, 5), (4, 10)])
    return (
        f"pooled {format_number(100 * found.proportion)} %, 95 % CI {percent_range(found.interval)}, "
        f"τ² {format_number(found.tau2, 3)}, "
        f"I² {format_number(found.i2)} %, 95 % prediction interval {percent_range(found.prediction)}"
    )


def quartile_example() -> str:
    low, middle, high = quartiles([4, 7, 9, 10, 15])
    return f"{format_number(middle)} ({format_number(low)} to {format_number(high)})"


def denominators_example() -> str:
    found = fractions(Printed(Decimal("5.9"), 1), 87)
    return ", ".join(f"{count}/{of}" for count, of in found)


METHODS = [
    Method(
        "share",
        "Share",
        "every rate on every page",
        "n / N, with N = those in whom it is known; n + others + missing = all in view",
        "The only way a rate is shown. Missing is split by reason: not reported (the paper was read in full and does "
        "not say), not extracted (only an abstract, a registration or a citation was read). The percentage of nobody "
        "is “none known”, never 0 %.",
        "CONSORT Harms asks for the denominator of every harm; the same holds for every rate.",
        "22 of 49 known, 38 not extracted",
        lambda: str(Share("ILD + skin", 22, 49, 0, 38)),
    ),
    Method(
        "wilson",
        "Wilson score interval",
        "shares, bars of charts",
        "(p + z²/2N ± z √(p(1−p)/N + z²/4N²)) / (1 + z²/N), z = 1.96",
        "For small N it covers close to 95 %, and it stays between 0 and 100 %.",
        "Wilson EB. J Am Stat Assoc 1927;22:209-12. Recommended for N up to 40 by Brown, Cai, DasGupta. Stat Sci "
        "2001;16:101-33.",
        "22 of 49",
        lambda: percent_range(wilson_interval(22, 49)),
    ),
    Method(
        "clopper-pearson",
        "Exact (Clopper-Pearson) interval",
        "studies and raw total of the forest plot",
        "quantiles 2.5 % of Beta(n, N − n + 1) and 97.5 % of Beta(n + 1, N − n)",
        "Covers at least 95 % whatever the true proportion, and is therefore longer than Wilson's.",
        "Clopper CJ, Pearson ES. Biometrika 1934;26:404-13.",
        "22 of 49",
        lambda: percent_range(clopper_pearson_interval(22, 49)),
    ),
    Method(
        "newcombe",
        "Difference of two proportions (Newcombe)",
        "Compare",
        "p − q − √((p − l₁)² + (u₂ − q)²) to p − q + √((u₁ − p)² + (q − l₂)²), l and u Wilson's limits of each",
        "Not computed where the two cohorts share patients, nor for what a question itself asks for.",
        "Newcombe RG. Stat Med 1998;17:873-90, method 10.",
        "56 of 70 against 48 of 80",
        lambda: (
            f"{format_number(100 * (56 / 70 - 48 / 80))} points, {percent_range(newcombe_interval(56, 70, 48, 80))}"
        ),
    ),
    Method(
        "fisher",
        "Odds ratio with exact interval, and the p that agrees with it",
        "Compare",
        "noncentral hypergeometric distribution of n₁ given n₁ + n₂; p: twice the smaller tail, at most 1",
        "The interval and the p are central: 2.5 % lie beyond each limit, so p is under 0.05 exactly "
        "where the interval leaves out 1. The two-sided p of R's fisher.test adds up all tables no "
        "more likely than this one; it can fall under 0.05 beside an interval that holds 1. "
        f"Under {FEWEST} patients known in a group no p-value is printed, only counts and intervals. "
        "Several tests on one page are not corrected; the page says how many there are.",
        "Fisher RA. J R Stat Soc 1935;98:39-82. Odds ratio: conditional maximum likelihood. "
        "Interval: Cornfield J. Proc Third Berkeley Symp 1956;4:135-48. Central p: Fay MP. "
        "Biostatistics 2010;11:373-4.",
        "3 of 8 against 8 of 9",
        exact_example,
    ),
    Method(
        "glmm",
        "Pooled proportion",
        "forest plot",
        "nᵢ ~ Binomial(Nᵢ, πᵢ), logit πᵢ ~ Normal(μ, τ²); μ and τ² by maximum likelihood, adaptive quadrature",
        "The quadrature goes around each study's own mode. "
        "The standard error of μ is from the inverse of the full second derivative in (μ, log τ). "
        "Prediction interval: μ ± 1.96 √(τ² + SE²). I² = τ² / (τ² + typical variance within a study). Studies of one "
        "patient are gathered and not pooled; under three studies nothing is pooled; groups that may share patients "
        "count once.",
        "Stijnen T, Hamza TH, Ozdemir P. Stat Med 2010;29:3046-67. I²: Higgins JPT, Thompson SG. Stat Med "
        "2002;21:1539-58. Held against the R package metafor (rma.glmm, 25 nodes) on 91 series of "
        "published trials and 100 drawn ones, of 1 to a million patients: μ within 0.005, its "
        "standard error within 2 %.",
        "6/8, 3/6, 1/5 and 4/10",
        pooled_example,
    ),
    Method(
        "quartiles",
        "Median and quartiles",
        "levels from baseline to follow-up, age",
        "value at place q (N − 1), between two values by linear interpolation",
        "Type 7, the default of R and NumPy.",
        "Hyndman RJ, Fan Y. Am Stat 1996;50:361-5.",
        "4, 7, 9, 10, 15",
        quartile_example,
    ),
    Method(
        "denominators",
        "Denominators that could give a printed percentage",
        "reviews",
        "all n/N with N up to the review's total that round (half up) to the printed digits",
        "A review that prints percentages without denominators leaves open what each was counted over.",
        "Computed by trying every N.",
        "5.9 % of up to 87 patients",
        denominators_example,
    ),
    *(
        Method(
            rule.code,
            f"Rule: {rule.label} (version {rule.version})",
            "Verdict and rule",
            rule.label,
            rule.explanation,
            rule.source,
            question,
            lambda rule=rule, values=values: str(rule.judge(*values)),
        )
        for rule, question, values in [
            (RULES["mrss-5-25"], "mRSS 24 at baseline, 12 at follow-up", (24, 12)),
            (RULES["fvc-5"], "FVC 60 to 66 % predicted", (60, 66)),
            (RULES["fvc-10"], "FVC 60 to 66 % predicted", (60, 66)),
        ]
    ),
    Method(
        "similar",
        "Patients like mine",
        "Patients like mine, pages of cases",
        "order by number of criteria that agree (most first), then by number that differ (fewest first)",
        f"What is not known of a patient neither agrees nor differs. Ages up to {AGE_SPAN} years apart agree. There "
        "is no score.",
        "Casebook.",
        "2 agree, 1 differs, 1 not known beside 2 agree, none differs, 2 not known",
        lambda: "the second stands first: " + " before ".join(sorted(["2/1", "2/0"], key=lambda each: each[-1])),
    ),
]

LIMITS = [
    "Cases are published because they are remarkable; who improved is more likely to be reported than who did not.",
    "Authors decide what improved means, and when they looked.",
    "What a paper does not say is not known; it is rarely missing at random.",
    "Patients who are compared here were not allotted by chance, so a difference between them can come from anything.",
    "Studies of one centre may report the same people; where this is known or likely, it is said and counted once.",
    "Where only an abstract was read, much is not extracted yet; the page Completeness says where.",
]

"""How every number is made: formula, reference, and an example worked by the very function the
pages use.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import or_

import numpy as np
from django.db.models import Q

from ..counting import improved_value, last_results
from ..models import AdverseEvent
from ..models.choices import Domain, Match, Sex, YesNo
from ..models.knowledge import (
    NO_EVENT,
    SERIOUS,
    SERIOUSNESS_COUNTED,
    EventsOfStudyGraded,
    RelationExists,
)
from ..questions.filters import describe_for_groups
from ..questions.question import Question
from ..questions.three_answers import ThreeAnswers, list_answer
from ..questions.vocabulary import Vocabulary
from ..statistics import (
    ALL_RULES,
    Printed,
    ProgressionRule,
    Rule,
    clopper_pearson_interval,
    exact_comparison,
    leave_one_out,
    newcombe_interval,
    pooled_proportion,
    possible_fractions,
    quartiles,
    wilson_interval,
)
from . import AGE_SPAN, Share, format_number
from .asked_for import SELECTED_BY_EVENTS
from .comparison import FEWEST
from .forest import LEFT_OUT, StudyCounts, degrees_text
from .outcomes import LAST_OUTCOME_RULE
from .sensitivity import ShareSensitivity, without_each_study
from .shares import ASKED_FOR, known_of


@dataclass(frozen=True)
class Method:
    """One statistic or rule. `example` works it out anew each time, so that it cannot be out of
    date.
    """

    slug: str
    name: str
    where: str
    formula: str
    explanation: str
    reference: str
    question: str
    example: Callable[[], str]


def percent_range(interval: tuple[float, float], unit: str = "%") -> str:
    low, high = (format_number(100 * end).replace("-", "−") for end in interval)
    return f"{low} to {high} {unit}"


def exact_example() -> str:
    comparison = exact_comparison(3, 8, 8, 9)
    return (
        f"odds ratio {format_number(comparison.odds_ratio, 3)}, exact 95 % interval "
        f"{format_number(comparison.low, 4)} to {format_number(comparison.high, 2)}, p = "
        f"{format_number(comparison.p, 4)}"
    )


def pooled_example() -> str:
    studies = [(6, 8), (3, 6), (1, 5), (4, 10)]
    pooled = pooled_proportion(studies)
    low, high = pooled.tau2_interval
    without_first = leave_one_out(studies)[0].pooled
    return (
        f"pooled {format_number(100 * pooled.proportion)} %, 95 % CI by t, "
        f"{degrees_text(pooled.interval_df)}: {percent_range(pooled.interval_t)}; 95 % prediction "
        f"interval by t, {degrees_text(pooled.prediction_df)}: "
        f"{percent_range(pooled.prediction_t)}; τ² {format_number(pooled.tau2, 3)} (95 % profile "
        f"likelihood interval {format_number(low, 3)} to {format_number(high, 3)}), I² "
        f"{format_number(pooled.i2)} %; without 6/8: "
        f"{format_number(100 * without_first.proportion)} %, 95 % CI by t "
        f"{percent_range(without_first.interval_t)}"
    )


def quartile_example() -> str:
    low, middle, high = quartiles([4, 7, 9, 10, 15])
    return f"{format_number(middle)} ({format_number(low)} to {format_number(high)})"


def denominators_example() -> str:
    possible = possible_fractions(Printed(Decimal("5.9"), 1), 87)
    return ", ".join(f"{count}/{of}" for count, of in possible)


class ExampleList:
    """Lists of indications of a few treatments, for the example: (codes on the list, whether it is
    complete).
    """

    def __init__(self, rows: list[tuple[set[str], bool]]):
        self.codes = [codes for codes, _ in rows]
        self.whole = np.array([is_complete for _, is_complete in rows])

    def present(self, code: str) -> np.ndarray:
        return np.array([code in codes for codes in self.codes])

    def absent(self, code: str) -> np.ndarray:
        return np.zeros_like(self.whole)

    def others(self, codes: Iterable[str]) -> np.ndarray:
        other_codes = set().union(*self.codes) - set(codes)
        return reduce(or_, map(self.present, sorted(other_codes)), np.zeros_like(self.whole))


def three_answers_example() -> str:
    treatments = [
        ("tofacitinib, indications not known", False, set(), False),
        ("baricitinib, indications not known", True, set(), False),
        ("baricitinib, skin, perhaps more", True, {"skin"}, False),
        ("baricitinib, skin, the complete list", True, {"skin"}, True),
        ("baricitinib, ILD, perhaps more", True, {"ild"}, False),
    ]
    is_baricitinib = np.array([drug for _, drug, _, _ in treatments])
    lists = ExampleList([(codes, is_complete) for _, _, codes, is_complete in treatments])
    answers = ThreeAnswers(is_baricitinib, ~is_baricitinib) & list_answer(["ild"], Match.ANY, lists)
    labels = np.where(answers.yes, "yes", np.where(answers.no, "no", "open")).tolist()
    return "; ".join(
        f"{treatment[0]}: {label}" for treatment, label in zip(treatments, labels, strict=True)
    )


def several_treatments_example() -> str:
    in_view, not_known = Counter({("all",): 4}), Counter({("all",): 3})
    known_counter = known_of("improved", in_view, not_known, Counter({("improved", "all"): 1}))
    return str(Share("Improved", 1, known_counter[("all",)], 0, 4 - known_counter[("all",)]))


def rule_example(rule: Rule | ProgressionRule, examples: list[tuple]) -> str:
    """What a rule says of (baseline, follow-up, what else is known), one after the other."""
    verdicts = []
    for baseline, followup, other_inputs in examples:
        why = rule.why_not(baseline, followup, **other_inputs)
        verdicts.append(
            f"{rule.judge(baseline, followup, **other_inputs)}{f' ({why})' if why else ''}"
        )
    return "; ".join(verdicts)


def last_outcome_example() -> str:
    patients = [
        ("improved at month 3, worsened at month 12", [[("improved", 3), ("worsened", 12)]]),
        ("improved at no stated month, stable at month 6", [[("improved", None), ("stable", 6)]]),
        (
            "at month 6 improved by one measure and stable by another",
            [[("improved", 6), ("stable", 6)]],
        ),
        (
            "worsened at month 12, improved at month 3 of a later treatment",
            [[("worsened", 12)], [("improved", 3)]],
        ),
        (
            "worsened at month 12, improved at no stated month of a later treatment",
            [[("worsened", 12)], [("improved", None)]],
        ),
    ]

    def verdict(courses: list) -> str:
        skin = [
            [(Domain.SKIN.value, result, month) for result, month in course] for course in courses
        ]
        return (
            "improved"
            if last_results(skin) == [improved_value(Domain.SKIN.value)]
            else "not improved"
        )

    return "; ".join(f"{description}: {verdict(courses)}" for description, courses in patients)


def seriousness_example() -> str:
    treatments = [
        # event said to be: serious, not serious, neither; none as stated; whether the study graded
        # an event or had none
        ("an event said to be serious", True, False, False, False, True),
        ("an event said not to be serious", False, True, False, False, True),
        (
            "one said not to be serious and one of which nothing is said",
            False,
            True,
            True,
            False,
            True,
        ),
        (
            "no event, in a study that says of an event whether it was serious",
            False,
            False,
            False,
            True,
            True,
        ),
        (
            "no event, in a study that says it of none of its events",
            False,
            False,
            False,
            True,
            False,
        ),
        ("no event, in a study without any", False, False, False, True, True),
    ]
    columns = np.array([facts for _, *facts in treatments]).T
    serious, not_serious, ungraded, no_event, graded = columns
    answers = {
        SERIOUS: serious,
        RelationExists(AdverseEvent): serious | not_serious | ungraded,
        RelationExists(AdverseEvent, ~Q(serious=YesNo.NO)): serious | ungraded,
        NO_EVENT: no_event,
        EventsOfStudyGraded(): graded,
    }
    counted = SERIOUSNESS_COUNTED.evaluate(answers.__getitem__)
    labels = ["counted" if is_counted else "not known" for is_counted in counted.tolist()]
    return "; ".join(
        f"{treatment[0]}: {label}" for treatment, label in zip(treatments, labels, strict=True)
    )


def sensitivity_example() -> str:
    counts = StudyCounts(
        Counter(a=6, b=1, c=1), Counter(a=8, b=4, c=2), Counter(a=10, b=4, c=2), Counter()
    )
    vocabulary = Vocabulary({"study": {"a": "A", "b": "B", "c": "C"}})
    without_one = sorted(without_each_study(counts, vocabulary), key=lambda share: share.percent)
    example = ShareSensitivity(Share("Improved", 8, 14, 2, 0), 3, without_one[0], without_one[-1])
    return "; ".join(text for _, text in example.facts)


def not_asked_example() -> str:
    vocabulary = Vocabulary({"inhibitor": {"tofacitinib": "tofacitinib"}})
    question = Question(
        None, (("inhibitor", ("tofacitinib",)), ("sex", (Sex.FEMALE.value,)), ("age_min", 40))
    )
    asked_question = describe_for_groups(question, vocabulary)
    return (
        f"asked of groups: {asked_question.text}; not asked of them: "
        f"{', '.join(asked_question.not_asked)}"
    )


METHODS = [
    Method(
        "share",
        "Share",
        "every rate on every page",
        "n / N, with N = those in whom it is known; n + others + missing = all in view",
        "The only way a rate is shown. Missing is split by reason: not reported (the paper was "
        "read in full and does not say), not extracted (only a part of it, an abstract, a "
        "registration or a citation was read). The percentage of nobody is “none known”, never "
        "0 %.",
        "CONSORT Harms asks for the denominator of every harm; the same holds for every rate.",
        "22 of 49 known, 38 not extracted",
        lambda: str(Share("ILD + skin", 22, 49, 0, 38)),
    ),
    Method(
        "three-answers",
        "Yes, no, open",
        "the sentence on top, filters, numbers beside options, Patients like mine",
        "a question is yes where all its parts are yes, no as soon as one part is no, and open "
        "otherwise",
        "Each part of a question answers a treatment with yes, no or open. Something on a list "
        "is yes; something that is not on it is no only where the list is complete (or stated to "
        "be empty), or where it was looked for and is absent; otherwise it is open. Whoever has "
        "interstitial lung disease has lung disease, and whoever was found without lung disease "
        "is without interstitial lung disease. “None of” is yes where “any of” is no. “Exactly” "
        "is yes only of a complete list, and no as soon as something else is on it. An outcome "
        "without a month may be of the month that is asked for, so a month is no only where every "
        "outcome has another; not known (assessed=unknown, missing=assessed, Completeness) is the "
        "month where no outcome has one. A patient "
        "matches if one treatment does, does not match if none can, and is otherwise open. The "
        "number of patients who match estimates nothing, so it has no percentage and no interval.",
        "Strong three-valued logic: Kleene SC. Introduction to Metamathematics. North-Holland, "
        "1952, section 64.",
        "baricitinib for ILD, of five treatments",
        three_answers_example,
    ),
    Method(
        "not-asked",
        "What is not asked of groups",
        "groups, their findings, studies, charts of groups, forest plot, bundle",
        "a group is found by the parts of a question that a group can answer; the others are not "
        "asked of it",
        "A group reported in aggregate has no one sex, age or response, and its indications are "
        "not known to be complete, as exactly and none of would need. A group on a JAK inhibitor "
        "that answers the other parts may hold patients like these, and nobody can say whether "
        "it does; a comparator holds none. So the parts that were not asked stand "
        "beside it: on pages, in the column not_asked of files, and as not_asked in the API. A "
        "study is found by its patients, of whom every part is asked, or by its groups; "
        "where it is found by its groups alone its row says so.",
        "Casebook.",
        "tofacitinib, women from 40 years",
        not_asked_example,
    ),
    Method(
        "several-treatments",
        "A patient with several treatments",
        "overview, adverse events, Compare, forest plot",
        "known = in view − patients with a treatment of which it is not known + those of them "
        "who have it in another",
        "Yes if one of the treatments in view has it, no only where all of them are known and "
        "none has it. The same holds item by item for lists: of one adverse event category it is "
        "known in whoever had one, and in whoever has a complete list without it. Combinations "
        "are shares of those whose list is complete; the others are counted apart, as having at "
        "least these. Completeness counts an attribute as known where it is known in all "
        "treatments. Outcomes by domain have a rule of their own.",
        "Casebook.",
        "4 patients: one improved and one verdict not known; stable and not known; stable twice; "
        "not known twice",
        several_treatments_example,
    ),
    Method(
        "last-outcome",
        "Improved, by domain",
        "overview, Compare, forest plot, API",
        "one outcome of each patient in each domain: n = improved, N = with a stated result",
        f"Of several outcomes {LAST_OUTCOME_RULE}. Months count from the start of a treatment, "
        "so among dated outcomes the latest treatment goes before the latest month. An "
        "outcome whose result is not stated is passed over. A question that names months "
        "(assessed=3) counts the outcomes of these months only, by the same rule, and the page "
        "says so; the authors’ overall verdict has no month. Any improved outcome at any time "
        "would count those who worsened later, and more often the more is reported of a patient.",
        "Casebook.",
        "the skin of five patients",
        last_outcome_example,
    ),
    Method(
        "serious",
        "Serious adverse events",
        "overview, Compare, forest plot, API",
        "N = patients with a serious event + those of whose events every one is said not to be "
        "serious + those of whom it is stated that none occurred, in a study that had no event or "
        "graded at least one",
        "Where a study had events and says of none of them whether it was serious, its patients "
        "without events do not enter either: only they would be known, and nobody with a serious "
        "event could be among them. Where no event in view is graded, nobody is counted, and it "
        "is said why. A serious event counts whatever is said of the others of the patient. Where "
        "a study says it of some events, its patients with other events are not known, but those "
        "without any event are counted, so that the share may lean low; the page says how many "
        "patients in view have such events. A filter, missing=serious and Completeness are about "
        "single patients: whoever had no event had no serious one. A question that asks for it "
        "counts by that.",
        "Casebook.",
        "six treatments",
        seriousness_example,
    ),
    Method(
        "asked-for",
        "Asked for",
        "overview, Compare, forest plot, charts, API",
        "no percentage and no interval where a part of the question decides the share",
        "Of those who are asked to have improved, all have. Such a share is a count. Where the "
        "question does not decide who had an event but selects patients by their events, such as "
        f"those without a serious one, “{SELECTED_BY_EVENTS}” stands there.",
        "Casebook.",
        "70 patients who are asked to have improved",
        lambda: str(Share("Improved", 70, 70, 0, 0, asked_for=ASKED_FOR)),
    ),
    Method(
        "sensitivity",
        "Sensitivity of a share",
        "overview (sensitivity=on)",
        "n / (N + m) and (n + m) / (N + m), with m not known; (n − nᵢ) / (N − Nᵢ) without study "
        "i; n at the last outcome and n at the best",
        "The first two are what the share could be at least and at most, whatever is true of "
        "those not known: worst and best case of an improvement, best and worst case of a harm. "
        "Leaving out one study in turn shows whether the share is one study’s. “Best ever” "
        "counts a patient with an improved outcome at any time, which flatters.",
        "Casebook.",
        "improved 8 of 14 (6/8, 1/4 and 1/2 in studies A, B and C), 2 not known",
        sensitivity_example,
    ),
    Method(
        "wilson",
        "Wilson score interval",
        "shares, bars of charts",
        "(p + z²/2N ± z √(p(1−p)/N + z²/4N²)) / (1 + z²/N), z = 1.96",
        "For small N it covers close to 95 %, and it stays between 0 and 100 %.",
        "Wilson EB. J Am Stat Assoc 1927;22:209-12. Recommended for N up to 40 by Brown, Cai, "
        "DasGupta. Stat Sci 2001;16:101-33.",
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
        "p − q − √((p − l₁)² + (u₂ − q)²) to p − q + √((u₁ − p)² + (q − l₂)²), l and u Wilson's "
        "limits of each",
        "Not computed where the two cohorts share patients, nor for what a question itself asks "
        "for.",
        "Newcombe RG. Stat Med 1998;17:873-90, method 10.",
        "56 of 70 against 48 of 80",
        lambda: (
            f"{format_number(100 * (56 / 70 - 48 / 80))} points, "
            f"{percent_range(newcombe_interval(56, 70, 48, 80), 'points')}"
        ),
    ),
    Method(
        "fisher",
        "Odds ratio with exact interval, and the p that agrees with it",
        "Compare",
        "noncentral hypergeometric distribution of n₁ given n₁ + n₂; p: twice the smaller tail, "
        "at most 1",
        "The interval and the p are central: 2.5 % lie beyond each limit, so p is under 0.05 "
        "exactly where the interval leaves out 1. The two-sided p of R's fisher.test adds up "
        "all tables no more likely than this one; it can fall under 0.05 beside an interval "
        f"that holds 1. Under {FEWEST} patients known in a group no p-value is printed, only "
        "counts and intervals. Several tests on one page are not corrected; the page says how "
        "many there are.",
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
        "nᵢ ~ Binomial(Nᵢ, πᵢ), logit πᵢ ~ Normal(μ, τ²); μ and τ² by maximum likelihood, "
        "adaptive quadrature",
        "The quadrature goes around each study's own mode. The standard error of μ is from the "
        "inverse of the full second derivative in (μ, log τ). What is drawn is by Student’s t, of "
        "k studies: the confidence interval μ ± t(k − 1) SE, the prediction interval μ ± t(k − 2) "
        "√(τ² + SE²). Those by z, with 1.96 for t, stand beside them. The interval of τ² is "
        "of the profile likelihood: all τ² at which twice the log likelihood, μ being the best for "
        "it, is less than 3.84 below its peak. Leave-one-out pools anew without each study in "
        f"turn, of up to {LEFT_OUT} studies. I² = τ² / (τ² + typical variance within a study). "
        "Studies with one matching patient known are gathered and not pooled; under three studies "
        "nothing is pooled; groups that may share patients count once.",
        "Stijnen T, Hamza TH, Ozdemir P. Stat Med 2010;29:3046-67. I²: Higgins JPT, Thompson SG. "
        "Stat Med 2002;21:1539-58. Prediction interval: Higgins JPT, Thompson SG, Spiegelhalter "
        "DJ. J R Stat Soc A 2009;172:137-59. Interval of τ²: Hardy RJ, Thompson SG. Stat Med "
        "1996;15:619-29. Held against the R package metafor (rma.glmm, 25 nodes) on 91 "
        "series of published trials and 100 drawn ones, of 1 to a million patients: μ within "
        "0.005, its standard error within 2 %.",
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
        "all n/N with N up to the review's total that are printed so, half-way rounded either way",
        "A review that prints percentages without denominators leaves open what each was counted "
        "over.",
        "Computed by trying every N.",
        "5.9 % of up to 87 patients",
        denominators_example,
    ),
    *(
        Method(
            rule.code,
            f"Rule: {rule.label} (version {rule.version})",
            "Response by rule",
            rule.label,
            rule.explanation,
            rule.source,
            question,
            lambda rule=rule, examples=examples: rule_example(rule, examples),
        )
        for rule, question, examples in [
            (ALL_RULES["mrss-5-25"], "mRSS 24 at baseline, 12 at follow-up", [(24, 12, {})]),
            (ALL_RULES["fvc-5"], "FVC 60 to 66 % predicted", [(60, 66, {})]),
            (ALL_RULES["fvc-10"], "FVC 60 to 66 % predicted", [(60, 66, {})]),
            (
                ALL_RULES["fvc-omeract"],
                "FVC 70 to 63 % predicted; 70 to 66 with DLCO 60 to 50; 70 to 66, DLCO not "
                "known; 70 to 70",
                [(70, 63, {}), (70, 66, {"dlco": (60, 50)}), (70, 66, {}), (70, 70, {})],
            ),
            (
                ALL_RULES["fvc-ppf"],
                "FVC 70 to 65 % predicted within 6 months; 70 to 66 within 6 months; 70 to 65 "
                "within 18 months",
                [(70, 65, {"months": 6}), (70, 66, {"months": 6}), (70, 65, {"months": 18})],
            ),
        ]
    ),
    Method(
        "similar",
        "Patients like mine",
        "Patients like mine, pages of cases",
        "order by number of criteria that agree (most first), then by number that differ (fewest "
        "first)",
        f"What is not known of a patient neither agrees nor differs. Ages up to {AGE_SPAN} years "
        "apart agree. There is no score.",
        "Casebook.",
        "2 agree, 1 differs, 1 not known beside 2 agree, none differs, 2 not known",
        lambda: (
            "the second stands first: "
            + " before ".join(sorted(["2/1", "2/0"], key=lambda counts: counts[-1]))
        ),
    ),
]

LIMITS = [
    "Cases are published because they are remarkable; who improved is more likely to be reported "
    "than who did not.",
    "Authors decide what improved means, and when they looked.",
    "What a paper does not say is not known; it is rarely missing at random.",
    "Patients who are compared here were not allotted by chance, so a difference between them "
    "can come from anything.",
    "Studies of one centre may report the same people; where this is known or likely, it is said "
    "and counted once.",
    "Where only an abstract or a part was read, much is not extracted yet; the page Completeness "
    "says where.",
]

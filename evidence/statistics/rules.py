"""Named, versioned rules that say of two measurements whether a patient responded or progressed,
whatever the authors say.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ..models.choices import KnownMeasure


class Derived(StrEnum):
    """What a rule says of one treatment."""

    RESPONSE = "response"
    NO_RESPONSE = "no response"
    WORSENING = "worsening"
    NOT_EVALUABLE = "not evaluable"


class Progression(StrEnum):
    """What a rule of progression says of one treatment. In interstitial lung disease not to
    progress is the aim.
    """

    PROGRESSION = "progression"
    NO_PROGRESSION = "no progression"
    NOT_EVALUABLE = "not evaluable"


Number = float | Decimal
Pair = tuple[Number | None, Number | None]
NOT_KNOWN: Pair = (None, None)


def gaps_text(baseline: Number | None, followup: Number | None) -> str:
    """“baseline and follow-up not known”; empty where both are known."""
    named = {"baseline": baseline, "follow-up": followup}
    gaps = [name for name, value in named.items() if value is None]
    return f"{' and '.join(gaps)} not known" if gaps else ""


@dataclass(frozen=True)
class Rule:
    """One rule: which measure it reads, what it says, and where it comes from.

    `measure` is the label of a measure; `verdict` takes baseline and follow-up, both known, in the
    measure's unit.
    """

    code: str
    version: int
    label: str
    measure: str
    explanation: str
    source: str
    verdict: Callable[[float, float], Derived]

    @property
    def verdicts(self) -> tuple[StrEnum, ...]:
        """Everything the rule can say, in the order to show it."""
        return tuple(Derived)

    @property
    def aim(self) -> str:
        """What the rule tells, in one word."""
        return "Response"

    @property
    def agreement(self) -> str:
        """Which of the authors' verdicts disagree with none of the rule's, in a sentence."""
        return "“Stable” beside “no response” is no disagreement."

    def judge(
        self,
        baseline: Number | None,
        followup: Number | None,
        *,
        months: Number | None = None,
        dlco: Pair = NOT_KNOWN,
    ) -> Derived:
        """What the rule says. Neither the months between the measurements nor the DLCO matter to
        it.
        """
        if gaps_text(baseline, followup):
            return Derived.NOT_EVALUABLE
        return self.verdict(baseline, followup)

    def why_not(
        self,
        baseline: Number | None,
        followup: Number | None,
        *,
        months: Number | None = None,
        dlco: Pair = NOT_KNOWN,
    ) -> str:
        """Why the rule cannot say anything, in words for a reader; empty where it can."""
        if self.judge(baseline, followup) != Derived.NOT_EVALUABLE:
            return ""
        return gaps_text(baseline, followup) or "the baseline is too low for the rule"


def judge_skin(baseline: float, followup: float) -> Derived:
    if baseline <= 5:
        return Derived.NOT_EVALUABLE
    fall = baseline - followup
    return Derived.RESPONSE if fall > 5 and fall >= baseline / 4 else Derived.NO_RESPONSE


def judge_lung(points: int) -> Callable[[float, float], Derived]:
    def judge_change(baseline: float, followup: float) -> Derived:
        change = followup - baseline
        if change >= points:
            return Derived.RESPONSE
        return Derived.WORSENING if change <= -points else Derived.NO_RESPONSE

    return judge_change


FVC_SOURCE = (
    "Absolute change in percentage points of the predicted value. Definitions of progression "
    "differ between authors and are not interchangeable; this one is named so that it can be "
    "compared, not because it is the right one."
)
RULES = {
    rule.code: rule
    for rule in [
        Rule(
            "mrss-5-25",
            1,
            "mRSS: fall > 5 points and ≥ 25 %",
            KnownMeasure.MRSS.label,
            "Response: the modified Rodnan skin score (mRSS, 0 to 51) falls by more than 5 "
            "points and by at least a quarter of the baseline. A baseline of 5 or less can never "
            "fall by more than 5, so it is not evaluable.",
            "The rule by which Moriana 2022 (doi 10.1016/j.autrev.2022.103168) reports skin "
            "response.",
            judge_skin,
        ),
        *(
            Rule(
                f"fvc-{points}",
                1,
                f"FVC: change of ≥ {points} points % predicted",
                KnownMeasure.FVC_PERCENT.label,
                f"Response: forced vital capacity (FVC) rises by {points} points of % predicted "
                f"or more. Worsening: it falls by {points} points or more. Anything between is "
                "no response, also a lung that stays as it is.",
                FVC_SOURCE,
                judge_lung(points),
            )
            for points in (5, 10)
        ),
    ]
}


@dataclass(frozen=True)
class ProgressionRule:
    """A rule that tells progression from no progression, by FVC (forced vital capacity) in %
    predicted.

    `verdict` takes an `Assessment` and gives the verdict, with the reason where it is not
    evaluable. What a rule does not need (the months, or the DLCO) it does not look at.
    """

    code: str
    version: int
    label: str
    measure: str
    explanation: str
    source: str
    verdict: Callable[["Assessment"], tuple[Progression, str]]
    reads_dlco: bool = False

    @property
    def verdicts(self) -> tuple[StrEnum, ...]:
        """Everything the rule can say, in the order to show it."""
        return tuple(Progression)

    @property
    def aim(self) -> str:
        """What the rule tells, in one word."""
        return "Progression"

    @property
    def agreement(self) -> str:
        """Which of the authors' verdicts disagree with none of the rule's, in a sentence."""
        return (
            "“Improved” and “stable” both agree with “no progression”; “not improved” disagrees "
            "with nothing, because it leaves open whether the lung stayed as it was."
        )

    def judge(
        self,
        baseline: Number | None,
        followup: Number | None,
        *,
        months: Number | None = None,
        dlco: Pair = NOT_KNOWN,
    ) -> Progression:
        """What the rule says of FVC at baseline and follow-up.

        `months` lie between the two; `dlco` is the diffusing capacity at baseline and follow-up, in
        one unit, measured when FVC was. What is not known is None, and is never taken for no
        decline.
        """
        return self._judged(baseline, followup, months, dlco)[0]

    def why_not(
        self,
        baseline: Number | None,
        followup: Number | None,
        *,
        months: Number | None = None,
        dlco: Pair = NOT_KNOWN,
    ) -> str:
        """Why the rule cannot say anything, in words for a reader; empty where it can."""
        return self._judged(baseline, followup, months, dlco)[1]

    def _judged(self, baseline, followup, months, dlco) -> tuple[Progression, str]:
        if unknown_levels := gaps_text(baseline, followup):
            return Progression.NOT_EVALUABLE, unknown_levels
        if baseline <= 0:
            return Progression.NOT_EVALUABLE, "the baseline is no measurement"
        return self.verdict(Assessment(as_decimal(baseline), as_decimal(followup), months, dlco))


@dataclass(frozen=True)
class Assessment:
    """FVC in % predicted at two times, both known, and what else a rule may ask for."""

    baseline: Decimal
    followup: Decimal
    months: Number | None
    dlco: Pair


def as_decimal(value: Number) -> Decimal:
    """The number as it is printed, so that a fall of exactly 10 % is one."""
    return Decimal(str(value))


def has_fallen(baseline: Number, followup: Number, percent: int) -> bool:
    """Whether a value has fallen by this percentage of its baseline, or by more."""
    first = as_decimal(baseline)
    return 100 * (first - as_decimal(followup)) >= percent * first


def progression_if(progressed: bool) -> tuple[Progression, str]:
    return (Progression.PROGRESSION if progressed else Progression.NO_PROGRESSION), ""


def omeract_progression(assessment: Assessment) -> tuple[Progression, str]:
    if has_fallen(assessment.baseline, assessment.followup, 10):
        return progression_if(True)
    if not has_fallen(assessment.baseline, assessment.followup, 5):
        return progression_if(False)
    if None in assessment.dlco or assessment.dlco[0] <= 0:
        reason = "FVC fell by 5 to under 10 %, and the change of DLCO is not known"
        return Progression.NOT_EVALUABLE, reason
    return progression_if(has_fallen(*assessment.dlco, 15))


def decline_within_a_year(assessment: Assessment) -> tuple[Progression, str]:
    if assessment.months is None:
        return Progression.NOT_EVALUABLE, "the time between the measurements is not known"
    if assessment.months > 12:
        return Progression.NOT_EVALUABLE, "the measurements lie more than 12 months apart"
    return progression_if(assessment.baseline - assessment.followup >= 5)


PROGRESSION_RULES = {
    rule.code: rule
    for rule in [
        ProgressionRule(
            "fvc-omeract",
            1,
            "FVC: fall of ≥ 10 %, or of 5 to < 10 % with DLCO ≥ 15 % (OMERACT)",
            KnownMeasure.FVC_PERCENT.label,
            "Progression: forced vital capacity (FVC) falls by 10 % of its baseline or more; or "
            "by 5 to under 10 % while the diffusing capacity (DLCO) falls by 15 % of its baseline "
            "or more. Both falls are relative. Where FVC falls by 5 to under 10 % and the change "
            "of DLCO is not known, it is not evaluable. Anything else is no progression. The "
            "abstract, which is what was read of the source, does not say in which unit FVC is "
            "meant; here it is % predicted.",
            "Khanna D, Mittoo S, Aggarwal R, et al. Connective tissue disease-associated "
            "interstitial lung diseases: report from OMERACT CTD-ILD working group. J Rheumatol "
            "2015;42:2168-71 (doi 10.3899/jrheum.141182). Definitions of progression are not "
            "interchangeable.",
            omeract_progression,
            reads_dlco=True,
        ),
        ProgressionRule(
            "fvc-ppf",
            1,
            "FVC: fall of ≥ 5 points % predicted within 1 year (ATS/ERS/JRS/ALAT)",
            KnownMeasure.FVC_PERCENT.label,
            "Progression: forced vital capacity falls by 5 points of % predicted or more within a "
            "year. Measurements more than 12 months apart, or an unknown time apart, are not "
            "evaluable. This is only one of the guideline's criteria: progressive pulmonary "
            "fibrosis takes two of three (symptoms, function, imaging) with no alternative "
            "explanation, so it must not be read as that diagnosis.",
            "Raghu G, Remy-Jardin M, Richeldi L, et al. Idiopathic pulmonary fibrosis (an update) "
            "and progressive pulmonary fibrosis in adults: an official ATS/ERS/JRS/ALAT clinical "
            "practice guideline. Am J Respir Crit Care Med 2022;205:e18-47 (doi "
            "10.1164/rccm.202202-0399ST), table 4, criterion 2a.",
            decline_within_a_year,
        ),
    ]
}

# All rules, those of response first: a reader chooses one of them by its code.
ALL_RULES: dict[str, Rule | ProgressionRule] = RULES | PROGRESSION_RULES
DEFAULT_RULE = "mrss-5-25"  # where a reader chooses none

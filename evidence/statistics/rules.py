"""Named, versioned rules that say of two measurements whether a patient responded, whatever the authors say."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Derived(StrEnum):
    """What a rule says of one course."""

    RESPONSE = "response"
    NO_RESPONSE = "no response"
    WORSENING = "worsening"
    NOT_EVALUABLE = "not evaluable"


@dataclass(frozen=True)
class Rule:
    """One rule: which measure it reads, what it says, and where it comes from.

    `verdict` takes baseline and follow-up, both known, in the measure's unit.
    """

    code: str
    version: int
    label: str
    measure: str
    explanation: str
    source: str
    verdict: Callable[[float, float], Derived]

    def judge(self, baseline: float | None, followup: float | None) -> Derived:
        if baseline is None or followup is None:
            return Derived.NOT_EVALUABLE
        return self.verdict(baseline, followup)


def skin(baseline: float, followup: float) -> Derived:
    if baseline <= 5:
        return Derived.NOT_EVALUABLE
    fall = baseline - followup
    return Derived.RESPONSE if fall > 5 and fall >= baseline / 4 else Derived.NO_RESPONSE


def lung(points: int) -> Callable[[float, float], Derived]:
    def verdict(baseline: float, followup: float) -> Derived:
        change = followup - baseline
        if change >= points:
            return Derived.RESPONSE
        return Derived.WORSENING if change <= -points else Derived.NO_RESPONSE

    return verdict


FVC_SOURCE = (
    "Absolute change in percentage points of the predicted value. Definitions of progression differ between authors "
    "and are not interchangeable; this one is named so that it can be compared, not because it is the right one."
)
RULES = {
    rule.code: rule
    for rule in [
        Rule(
            "mrss-5-25",
            1,
            "mRSS: fall > 5 points and ≥ 25 %",
            "mRSS",
            "Response: the modified Rodnan skin score (mRSS, 0 to 51) falls by more than 5 points and by at least a "
            "quarter of the baseline. A baseline of 5 or less can never fall by more than 5, so it is not evaluable.",
            "The rule by which Moriana 2022 (doi 10.1016/j.autrev.2022.103168) reports skin response.",
            skin,
        ),
        *(
            Rule(
                f"fvc-{points}",
                1,
                f"FVC: change of ≥ {points} points % predicted",
                "FVC % predicted",
                f"Response: forced vital capacity (FVC) rises by {points} points of % predicted or more. Worsening: it "
                f"falls by {points} points or more. Anything between is no response.",
                FVC_SOURCE,
                lung(points),
            )
            for points in (5, 10)
        ),
    ]
}

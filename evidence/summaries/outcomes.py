"""Improved, by domain: one outcome of each patient in each domain."""

from collections import Counter, defaultdict

from ..counting import Tally, improved_value
from ..models.choices import Assessed, Domain, YesNo
from ..questions.question import Question
from .shares import Summary, make_share

LAST_OUTCOME_RULE = (
    "the last dated one counts (of several treatments, that of the latest with a dated one), an "
    "undated one only where none of any treatment in view is dated, and of different results at "
    "the same time “improved” does not count"
)


def outcome_rule(question: Question) -> str:
    """Which outcome of a patient counts in a domain, in a sentence."""
    if not question.outcome_months:
        return f"One outcome per patient and domain: {LAST_OUTCOME_RULE}."
    return (
        f"Only outcomes {outcome_months_text(question)} count, one per patient and domain: of "
        f"several, {LAST_OUTCOME_RULE}."
    )


def short_outcome_rule(question: Question) -> str:
    """The rule in a few words: “the last outcome”, “the last outcome at about month 3 (2 to under
    4.5)”.
    """
    return f"the last outcome {outcome_months_text(question)}".rstrip()


def outcome_months_text(question: Question) -> str:
    """When the outcomes that the question asks for were assessed: “at about month 3 (2 to under
    4.5)”.
    """
    windows = [Assessed(window) for window in question.outcome_months]
    phrases = [
        f"at about {window.label[:1].lower()}{window.label[1:]}"
        for window in windows
        if window != Assessed.UNKNOWN
    ]
    return " or ".join(
        [*phrases, *(["whose month is not known"] if Assessed.UNKNOWN in windows else [])]
    )


def outcomes_by_domain(question: Question, *, every_domain: bool = False) -> Summary:
    """Per domain: patients whose last outcome there is an improvement, of those with a stated
    result there.

    `outcome_rule` describes which outcome is the last. Domains in which no patient has an outcome
    are left out, unless `every_domain` is set.
    """
    in_view, with_outcome, by_result = yield [
        Tally(question, ("reading",)),
        Tally(question, ("domain",)),
        Tally(question, ("last_result", "reading")),
    ]
    improved, known_by_domain = Counter(), defaultdict(Counter)
    for domain in Domain:
        for answer in (YesNo.YES, YesNo.NO):
            for (reading,) in in_view:
                count = by_result[(improved_value(domain.value, answer.value), reading)]
                known_by_domain[domain][(reading,)] += count
                improved[domain] += count if answer == YesNo.YES else 0
    return [
        make_share(
            domain.label, improved[domain], known_by_domain[domain], in_view, key=domain.value
        )
        for domain in Domain
        if every_domain or with_outcome[(domain.value,)]
    ]

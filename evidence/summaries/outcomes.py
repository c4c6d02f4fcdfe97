"""Improved, by domain: one outcome of each patient in each domain."""

from collections import Counter, defaultdict
from decimal import Decimal
from typing import NamedTuple

from django.db.models import QuerySet

from ..counting import Tally, improved_value, treatments_of
from ..models import Outcome
from ..models.choices import Assessed, Domain, Response, YesNo
from ..models.outcome import in_month_windows
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


RESULT_IN_WORDS = {
    Response.IMPROVED: "improved",
    Response.STABLE: "stable",
    Response.WORSENED: "worsened",
    Response.NOT_IMPROVED: "not improved",
}


PLACES = {domain: place for place, domain in enumerate(Domain.values)}


class DomainResult(NamedTuple):
    """What happened in one domain: the result of the one outcome that counts, and the month it was
    assessed at, None where that is not known.
    """

    domain: str
    result: str
    month: Decimal | None

    @property
    def code(self) -> str:
        """“joints:improved:12” in files; “joints:improved” where the month is not known."""
        month = () if self.month is None else (format(self.month.normalize(), "f"),)
        return ":".join((self.domain, self.result, *month))

    @classmethod
    def from_code(cls, code: str) -> "DomainResult":
        domain, result, *month = code.split(":")
        return cls(domain, result, Decimal(month[0]) if month else None)

    def place(self) -> int:
        """Its place in the usual order of domains."""
        return PLACES[self.domain]

    @property
    def words(self) -> str:
        """“joints improved (month 12)”."""
        month = "" if self.month is None else f" (month {self.month.normalize():f})"
        return f"{Domain(self.domain).label.lower()} {RESULT_IN_WORDS[self.result]}{month}"


def domain_results(keys: list[int], question: Question) -> dict[int, list[DomainResult]]:
    """By patient, for each domain with a stated result the one that counts: of the treatments that
    answer the question and the months that it asks for. `keys` are primary keys of patients; one
    query, however many.
    """
    counted = outcomes_that_count(treatments_of(question, keys), question)
    return results_by_owner(counted, "treatment__patient")


def outcomes_that_count(treatments: QuerySet, question: Question) -> QuerySet:
    """One outcome per patient and domain, under these treatments and of the months that the
    question asks for.
    """
    outcomes = Outcome.objects.under(treatments)
    of_months = outcomes.filter(in_month_windows(question.outcome_months))
    return of_months.one_per_patient_and_domain()


def domain_results_of_treatments(keys: list[int]) -> dict[int, list[DomainResult]]:
    """The same of each treatment by itself, whatever the month; `keys` are those of treatments."""
    outcomes = Outcome.objects.filter(treatment__among=keys)
    return results_by_owner(outcomes.one_per_treatment_and_domain(), "treatment")


def results_by_owner(outcomes: QuerySet, owner: str) -> dict[int, list[DomainResult]]:
    """Results by their owner, in the usual order of domains."""
    found = defaultdict(list)
    for key, *result in outcomes.values_list(owner, "domain", "result", "at_months"):
        found[key].append(DomainResult(*result))
    return {key: sorted(results, key=DomainResult.place) for key, results in found.items()}

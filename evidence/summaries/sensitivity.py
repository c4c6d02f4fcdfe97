"""How much a share depends on what is not known, on one study, and on which outcome of a patient
counts.

It is computed only on request, because it counts every share study by study.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..counting import Tally, improved_value
from ..models.choices import Domain
from ..questions.question import Question
from ..questions.vocabulary import Vocabulary
from ..statistics import sensitivity
from .cohort import HEADLINES, headline_shares
from .forest import StudyCounts, counts_by_study, single_tally
from .outcomes import outcomes_by_domain
from .shares import Share, Summary, format_number, run_together


@dataclass(frozen=True)
class WithoutOneStudy:
    """A share when one study, `label`, is left out."""

    label: str
    count: int
    known: int

    @property
    def percent(self) -> float:
        return 100 * self.count / self.known

    def __str__(self) -> str:
        return f"{self.count}/{self.known} ({format_number(self.percent)} %) without {self.label}"


@dataclass(frozen=True)
class ShareSensitivity:
    """A share and what it could be otherwise. `lowest` and `highest` leave one study out, and are
    None where no study can be; `studies` know the item of somebody. Of outcomes by domain, `best`
    patients improved at some time.
    """

    share: Share
    studies: int
    lowest: WithoutOneStudy | None
    highest: WithoutOneStudy | None
    best: int | None = None

    @property
    def cases_text(self) -> str:
        """“22/87 (25.3 %) if none of the 38 not known, 60/87 (69.0 %) if all of them”."""
        share = self.share
        if share.asked_for or not share.missing or not share.known:
            return ""
        extremes = sensitivity(share.count, share.known, share.missing)
        lowest_percent, highest_percent = (
            format_number(100 * extremes.worst_share),
            format_number(100 * extremes.best_share),
        )
        unknown_patients = f"the {share.missing} not known"
        return (
            f"{extremes.worst}/{extremes.of} ({lowest_percent} %) if none of {unknown_patients}, "
            f"{extremes.best}/{extremes.of} ({highest_percent} %) if all"
        )

    @property
    def without_text(self) -> str:
        """“1/4 (25.0 %) without A to 2/3 (66.7 %) without B”."""
        if self.share.asked_for or not self.share.known:
            return ""
        if self.lowest is None or self.highest is None:
            return "known in one study only, so none can be left out"
        if self.lowest == self.highest:
            return str(self.lowest)
        return f"{self.lowest} to {self.highest}"

    @property
    def best_text(self) -> str:
        """“last 5/10, best ever 7/10”."""
        if self.best is None or not self.share.known:
            return ""
        return (
            f"{self.share.count}/{self.share.known} at the last, {self.best}/{self.share.known} "
            "at the best ever"
        )

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The facts as (name, value). A share that is asked for, or that is known of nobody, has
        none.
        """
        texts = [
            ("Unknown", self.cases_text),
            ("Without one study", self.without_text),
            ("Last and best", self.best_text),
        ]
        return [(name, text) for name, text in texts if text]


def share_sensitivities(question: Question, vocabulary: Vocabulary) -> Summary:
    """A ShareSensitivity for each headline share and each domain of a question, by the share's
    key.
    """
    headlines, domains, best, *by_study = yield from run_together(
        [
            headline_shares(question),
            outcomes_by_domain(question),
            single_tally(Tally(question, ("best_result",))),
            *(counts_by_study(question, key) for key, *_ in HEADLINES),
            *(counts_by_study(question, f"improved_{domain.value}") for domain in Domain),
        ]
    )
    names = [*(key for key, *_ in HEADLINES), *(domain.value for domain in Domain)]
    counts = dict(zip(names, by_study, strict=True))
    sensitivities = {}
    for share in [*headlines, *domains]:
        without_one = without_each_study(counts[share.key], vocabulary)
        lowest = min(
            without_one,
            key=lambda share_without: (share_without.percent, share_without.label),
            default=None,
        )
        highest = max(
            without_one,
            key=lambda share_without: (share_without.percent, share_without.label),
            default=None,
        )
        best_count = best[(improved_value(share.key),)] if share in domains else None
        sensitivities[share.key] = ShareSensitivity(
            share, len(+counts[share.key].known), lowest, highest, best_count
        )
    return sensitivities


def without_each_study(counts: StudyCounts, vocabulary: Vocabulary) -> Sequence[WithoutOneStudy]:
    """The share without each study that knows something of it, where others do too."""
    count, known = sum(counts.counted.values()), sum(counts.known.values())
    return [
        WithoutOneStudy(
            vocabulary.label("study", study), count - counts.counted[study], known - known_in_study
        )
        for study, known_in_study in counts.known.items()
        if 0 < known_in_study < known
    ]

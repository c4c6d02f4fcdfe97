"""A review's printed figures beside what the loaded records give, by the same summaries every page
uses.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from ..counting import Tally
from ..models import PrintedFigure, Review, set_key
from ..models.choices import FigureUnit, Verdict
from ..questions.question import Question
from ..questions.vocabulary import Vocabulary, vocabulary
from ..statistics import Printed, possible_fractions, possible_ratios
from .cohort import AgeAndSex, age_and_sex, events_by_category, headline_shares
from .combinations import indication_sets
from .shares import Share, format_number, make_share, pluralize, run_summaries

MOST_PATIENTS = 500  # of a review whose denominators are all tried


@dataclass(frozen=True)
class Comparison:
    """One printed figure and its recomputed counterpart, if the loaded records give one."""

    figure: PrintedFigure
    value: float | None
    basis: str
    share: Share | None = None

    @property
    def printed(self) -> str:
        figure = self.figure
        if figure.value is None:
            return f"{figure.count}/{figure.n}" if figure.n else f"{figure.count}"
        spread = (
            f" (SD {format_number(figure.spread, figure.decimals)})"
            if figure.spread is not None
            else ""
        )
        return f"{format_number(figure.value, figure.decimals)}{spread}"

    @property
    def unit(self) -> str:
        return "%" if self.figure.unit == FigureUnit.PERCENT else self.figure.get_unit_display()

    @property
    def recomputed(self) -> str:
        return format_number(self.value, self.figure.decimals)

    @property
    def agrees(self) -> bool | None:
        """Whether it comes out as printed, digit by digit; None where nothing can be computed."""
        if self.value is None or self.figure.value is None:
            return None
        return Decimal(self.recomputed) == self.figure.value

    @property
    def verdict(self) -> Verdict:
        return {True: Verdict.AGREES, False: Verdict.DIFFERS, None: Verdict.NOT_COMPUTABLE}[
            self.agrees
        ]

    @property
    def difference(self) -> str:
        """Recomputed minus printed, in the figure's unit, as far as both can be had."""
        if self.value is None or self.figure.value is None:
            return ""
        gap = Decimal(self.recomputed) - self.figure.value
        return (
            f"{'+' if gap > 0 else ''}{format_number(float(gap), self.figure.decimals)}".replace(
                "-", "−"
            )
            if gap
            else "0"
        )

    @property
    def expected(self) -> Verdict:
        """What somebody saw and accepted; before anybody did, a figure that can be computed is
        expected to agree.
        """
        if self.figure.verdict:
            return Verdict(self.figure.verdict)
        return Verdict.AGREES if self.value is not None else Verdict.NOT_COMPUTABLE

    @property
    def unexpected(self) -> bool:
        return self.verdict != self.expected

    @cached_property
    def possible(self) -> list[tuple[int, int]]:
        """Every count and denominator, up to the review's total, that would be printed so."""
        figure, total = self.figure, self.figure.review.n_patients
        if figure.n is not None:
            return [(figure.count, figure.n)]
        if figure.value is None or total is None or total > MOST_PATIENTS:
            return []
        printed = Printed(figure.value, figure.decimals)
        if figure.unit == FigureUnit.PERCENT:
            return possible_fractions(printed, total)
        return possible_ratios(printed, total) if figure.unit == FigureUnit.RATIO else []

    @property
    def denominators(self) -> list[int]:
        return sorted(
            {
                sum(counts) if self.figure.unit == FigureUnit.RATIO else counts[1]
                for counts in self.possible
            }
        )

    @property
    def used(self) -> int | None:
        """The denominator the recomputed value has."""
        if self.share is not None:
            return self.share.known
        head, _, tail = self.basis.partition(":")
        return int(head) + int(tail) if tail else None


def by_inhibitor(question: Question, vocabulary: Vocabulary):
    """Patients given each drug, of all patients: the drug of a treatment is always known."""
    in_view, by_drug = yield [Tally(question, ("reading",)), Tally(question, ("inhibitor",))]
    return [
        make_share(vocabulary.label("inhibitor", key), count, in_view, in_view, key=key)
        for (key,), count in by_drug.items()
    ]


def reconcile_figures(review: Review, figures: list[PrintedFigure]) -> list[Comparison]:
    """Every printed figure, recomputed from the collection that reconstructs the review, if there
    is one.
    """
    collection = review.reconstructions.order_by("pk").first()
    if collection is None:
        return [Comparison(figure, None, "") for figure in figures]
    question, terms = Question(collection), vocabulary(collection)
    headlines, set_shares, drugs, events, demographics = run_summaries(
        headline_shares(question),
        indication_sets(question, terms),
        by_inhibitor(question, terms),
        events_by_category(question, terms),
        age_and_sex(question),
    )
    shares = {share.key: share for share in headlines}
    shares |= {f"inhibitor_{share.key}": share for share in drugs}
    shares |= {f"ae_{row.patients.key}": row.patients for row in events}
    shares |= {f"set:{share.key}": share for share in set_shares}
    return [recompute_figure(figure, shares, demographics) for figure in figures]


def recompute_figure(
    figure: PrintedFigure, shares: dict[str, Share], demographics: AgeAndSex
) -> Comparison:
    share = shares.get(share_key(figure.code))
    if share is not None and share.known:
        return Comparison(figure, share.percent, share.fraction, share)
    return Comparison(figure, *age_and_sex_value(figure.code, demographics))


def share_key(code: str) -> str:
    """`indication_ild_skin` prints the combination of exactly these: the indication set
    `ild+skin`.
    """
    head, _, tail = code.partition("_")
    return f"set:{set_key(tail.split('_'))}" if head == "indication" and tail else code


def age_and_sex_value(code: str, demographics: AgeAndSex) -> tuple[float | None, str]:
    """Ages and the sex ratio, with the number of patients each is computed from."""
    aged = f"{demographics.known.known} of {pluralize(demographics.known.in_view, 'patients')}"
    females, males = demographics.sexes.get("female", 0), demographics.sexes.get("male", 0)
    values = {
        "age_median": (demographics.median, aged),
        "age_min": (demographics.youngest, aged),
        "age_max": (demographics.oldest, aged),
        "sex_ratio": (demographics.sex_ratio, f"{females}:{males}"),
    }
    value, basis = values.get(code, (None, ""))
    return (value, basis) if value is not None else (None, "")

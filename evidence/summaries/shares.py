"""The share: the only way a rate is ever shown. And how summaries get their counts, all of a page
in one go.
"""

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ..counting import Tally, Unit, count
from ..models.choices import Missing
from ..questions.question import Question
from ..questions.vocabulary import unit_of
from ..statistics import wilson_interval

# where it is not the plural without its s
FEW = 5  # known, under which an interval says more than a percentage

ASKED_FOR = "asked for"  # in place of a percentage that the question itself decides
SMALLEST = 0.1  # percent that a printed percentage can tell from nothing, and from all
# A summary yields the tallies it needs and gets their counters back; `answers` drives several at
# once.
Summary = Generator[list[Tally], list[Counter], Any]


def run_together(summaries: Sequence[Summary]) -> Summary:
    """Several summaries as one: yields all their tallies at once, returns their results in
    order.
    """
    tallies_by_summary = [next(summary) for summary in summaries]
    counters = iter((yield [tally for tallies in tallies_by_summary for tally in tallies]))
    results = []
    for summary, tallies in zip(summaries, tallies_by_summary, strict=True):
        try:
            summary.send([next(counters) for _ in tallies])
        except StopIteration as finished:
            results.append(finished.value)
    return results


def run_summaries(*summaries: Summary) -> list:
    """Runs summaries together, so that one query counts all their tallies; returns their results in
    order.
    """
    combined = run_together(summaries)
    try:
        combined.send(count(next(combined)))
    except StopIteration as finished:
        return finished.value
    raise RuntimeError("a summary asked twice")


def format_number(value: float | None, decimals: int = 1) -> str:
    """A number rounded half up, as printed in papers; an empty text for none."""
    if value is None:
        return ""
    return str(Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))


def group_digits(count: int) -> str:
    """12 345 for 12345, with narrow spaces."""
    return f"{count:,}".replace(",", "\u202f")


def pluralize(count: int, unit: str) -> str:
    """“1 patient”, “2 patients”; “1 outcome or event”."""
    return f"{group_digits(count)} {unit_of(count, unit)}"


def listed(items: list, most: int, separator: str = "; ") -> str:
    """The first of some items, and how many more there are."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return separator.join(map(str, items[:most])) + more


@dataclass(frozen=True)
class Share:
    """`count` of `known`, of one `unit`; those in whom it is not known are counted apart, by
    reason.

    A share that is `asked_for` is decided by the question, or its patients are selected by what it
    bears on, so it has no percentage and no interval; the words say which.
    `why` says why something is counted of nobody.
    """

    label: str
    count: int
    known: int
    not_reported: int
    not_extracted: int
    unit: str = Unit.PATIENTS
    key: str = ""
    asked_for: str = ""
    why: str = ""

    def __post_init__(self):
        if not 0 <= self.count <= self.known or self.not_reported < 0 or self.not_extracted < 0:
            raise ValueError(f"impossible share: {self.__dict__}")

    @property
    def missing(self) -> int:
        return self.not_reported + self.not_extracted

    @property
    def others(self) -> int:
        return self.known - self.count

    @property
    def in_view(self) -> int:
        return self.known + self.missing

    @property
    def percent(self) -> float | None:
        """None where nobody is known: the percentage of nothing is not 0. None too where it is
        asked for.
        """
        return 100 * self.count / self.known if self.known and not self.asked_for else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % Wilson interval, in percent."""
        if self.asked_for:
            return None
        interval = wilson_interval(self.count, self.known)
        return interval and (100 * interval[0], 100 * interval[1])

    @property
    def fraction(self) -> str:
        return f"{self.count}/{self.known}" if self.known else "none known"

    @property
    def percent_text(self) -> str:
        """To one decimal; a few of very many are not 0.0 %, and all but a few are not 100.0 %."""
        if not self.known:
            return ""
        if self.asked_for:
            return self.asked_for
        if 0 < self.percent < SMALLEST / 2:
            return f"< {SMALLEST} %"
        if 100 - SMALLEST / 2 <= self.percent < 100:
            return f"> {100 - SMALLEST} %"
        return f"{format_number(self.percent)} %"

    @property
    def interval_text(self) -> str:
        return (
            f"{format_number(self.interval[0])}–{format_number(self.interval[1])}"
            if self.interval
            else ""
        )

    @property
    def has_few_known(self) -> bool:
        """Whether so few are known that the interval comes before the percentage."""
        return self.known < FEW

    @property
    def rate_text(self) -> str:
        """“44.9 % (31.9–58.7)”; where few are known “30.1–95.4 (75.0 %)”; an empty text where
        nobody is.
        """
        if not self.known:
            return ""
        if self.asked_for:
            return self.asked_for
        if self.has_few_known:
            return f"{self.interval_text} ({self.percent_text})"
        return f"{self.percent_text} ({self.interval_text})"

    @property
    def rate_with_interval(self) -> str:
        """The same where no heading says what stands in brackets: “44.9 % (CI 31.9–58.7)”; where
        few are known “CI 30.1–95.4 (75.0 %)”.
        """
        if not self.interval:
            return self.rate_text
        if self.has_few_known:
            return f"CI {self.interval_text} ({self.percent_text})"
        return f"{self.percent_text} (CI {self.interval_text})"

    @property
    def missing_text(self) -> str:
        """“38 not known (38 not extracted)”, or “none missing”."""
        if not self.missing:
            return "none missing"
        return f"{self.missing} not known ({self.missing_split})"

    @property
    def missing_split(self) -> str:
        parts = [
            (self.not_reported, Missing.NOT_REPORTED.label),
            (self.not_extracted, Missing.NOT_EXTRACTED.label),
        ]
        return ", ".join(f"{count} {label}" for count, label in parts if count)

    def __str__(self) -> str:
        if not self.known:
            why = f": {self.why}" if self.why else ""
            return f"none known ({self.missing_split or 'nobody in view'}){why}"
        fraction = f"{self.fraction} {unit_of(self.known, self.unit)}"
        if self.asked_for:
            return f"{fraction} ({self.asked_for}), {self.missing_text}"
        interval = f"95 % CI {self.interval_text}"
        rate = (
            f"{interval}, {self.percent_text}"
            if self.has_few_known
            else f"{self.percent_text}, {interval}"
        )
        return f"{fraction} ({rate}), {self.missing_text}"


def make_share(
    label: str,
    count: int,
    known: Counter,
    in_view: Counter,
    unit: str = Unit.PATIENTS,
    key: str = "",
    **other_fields,
) -> Share:
    """A share from counters by reading: missing = in view − known, reason by reason. `other_fields`
    are further fields of the share.
    """
    missing = {reason: in_view[(reason.value,)] - known[(reason.value,)] for reason in Missing}
    return Share(
        label,
        count,
        sum(known.values()),
        missing[Missing.NOT_REPORTED],
        missing[Missing.NOT_EXTRACTED],
        unit,
        key,
        **other_fields,
    )


def known_tallies(
    question: Question, flag: str, *dimensions: str, by: str = "reading"
) -> list[Tally]:
    """What `known_of` needs besides all in view: patients with a treatment of which something is
    open, and of these by the values that settle it all the same.

    `flag` is the dimension that says in a treatment whether it is known (`known:response`) or
    whether its list is whole (`whole:indication`); `dimensions` have the values, and those that are
    known not to be.
    """
    return [
        Tally(question, (by,), open_in=flag),
        *(Tally(question, (dimension, by), open_in=flag) for dimension in dimensions),
    ]


def known_of(value: str, in_view: Counter, not_known: Counter, *known_counters: Counter) -> Counter:
    """In how many patients it is known whether they have a value: the one rule for patients with
    several treatments.

    Yes if one of the treatments in view has it, no only where all are known and none has it. So
    those are taken away who have a treatment of which it is not known, but for those who have the
    value in another one. Counters as `known_tallies` asks for them; the answer is by the same
    second dimension.
    """
    return Counter(
        {
            key: count - not_known[key] + sum(counter[(value, *key)] for counter in known_counters)
            for key, count in in_view.items()
        }
    )


def counts_where_known(by_known_and_reading: Counter) -> Counter:
    """From a tally by (known:…, reading), those in whom it is known, by reading."""
    return Counter(
        {
            (reading,): count
            for (is_known, reading), count in by_known_and_reading.items()
            if is_known == "yes"
        }
    )

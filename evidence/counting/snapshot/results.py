"""Whether patients improved, domain by domain: finds in bitmaps the one outcome of each patient
that counts.

The result of each treatment in each domain and each window of months is found once, when the
snapshot is built (`result_axes`). A question then selects the windows it asks for
(`results_in_windows`), and of each patient's treatments in view the one that counts
(`counted_result_axis`). The rule is that of `Outcome.objects.one_per_patient_and_domain`.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from django.db.models import F, IntegerField, Q, Value
from django.db.models.functions import Cast, Coalesce

from ...models.choices import Assessed, Domain, Response, YesNo
from ...models.outcome import month_window, window_of
from ..dimensions import improved_value
from .bitsets import WORD, Layout, bits_at
from .snapshot import Axis

# the undated come last
WINDOWS = [*(word for word in Assessed if word != Assessed.UNKNOWN), Assessed.UNKNOWN]
DOMAINS = [domain.value for domain in Domain]
YES, NO = YesNo.YES.value, YesNo.NO.value
VALUES = [improved_value(domain, answer) for answer in (YES, NO) for domain in DOMAINS]
# What is read of an outcome besides its treatment and domain: whether these hold, and its month in
# tenths (−1: none).
CONDITIONS = [~Q(result=Response.UNKNOWN), Q(result=Response.IMPROVED), *map(month_window, WINDOWS)]
MONTH = Coalesce(Cast(F("at_months") * 10, IntegerField()), Value(-1))


def windows_held(held: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """(window of months, which outcomes are in it); the bits of `held` say which of CONDITIONS
    hold.
    """
    first = len(CONDITIONS) - len(WINDOWS)
    for bit, window in enumerate(WINDOWS, start=first):
        yield window.value, (held >> bit & 1).astype(bool)


def axis_name(window: str, *, best: bool) -> str:
    """The snapshot's axis of the results in one window of months."""
    return f"{'best' if best else 'last'}_result:{window}"


def result_axes(
    places: np.ndarray,
    domains: list[str],
    domain_numbers: np.ndarray,
    condition_bits: np.ndarray,
    months: np.ndarray,
    width: int,
) -> dict[str, Axis]:
    """For each window of months an axis of the treatments' last results and one of their best, by
    domain.

    The arrays have an element for each outcome: `places` the place of its treatment,
    `domain_numbers` its domain, `months` its month in tenths, and `condition_bits` which of
    CONDITIONS hold. `width` is the number of 64-bit words in a row of treatments.
    """
    stated, improved, *by_window = (
        ((condition_bits >> i) & 1).astype(bool) for i in range(len(CONDITIONS))
    )
    # the last of a treatment and domain first, the worst of a tie
    order = np.lexsort((improved, -months, domain_numbers, places))
    axes = {}
    for window, in_window in zip(WINDOWS, by_window, strict=True):
        rows = order[(in_window & stated)[order]]
        is_first = np.ones(len(rows), dtype=bool)
        is_first[1:] = (places[rows][1:] != places[rows][:-1]) | (
            domain_numbers[rows][1:] != domain_numbers[rows][:-1]
        )
        last_rows, improved_rows = rows[is_first], rows[improved[rows]]
        for name, chosen in (
            (axis_name(window, best=False), last_rows),
            (axis_name(window, best=True), improved_rows),
        ):
            bits = {
                improved_value(domain, answer): bits_at(places[chosen[has_result[chosen]]], width)
                for number, domain in enumerate(domains)
                for answer, has_result in (
                    (YES, improved & (domain_numbers == number)),
                    (NO, ~improved & (domain_numbers == number)),
                )
            }
            bits = {value: row for value, row in bits.items() if row.any()}
            bitmaps = (
                np.stack(list(bits.values())) if bits else np.empty((0, width), dtype=np.uint64)
            )
            axes[name] = Axis(list(bits), False, bitmaps)
    return axes


def results_in_windows(
    axes: dict[str, Axis], layout: Layout, windows: Iterable[str], *, best: bool
) -> np.ndarray:
    """(2, 2, domains, width): first by outcomes with a month, then by those without, of each domain
    the treatments whose result in these windows is an improvement, and those whose result is
    another. Without windows, whatever the month.
    """
    chosen_windows = set(windows)
    results = np.zeros((2, 2, len(DOMAINS), layout.width), dtype=np.uint64)
    for window in reversed(WINDOWS):  # the latest window first
        if chosen_windows and window not in chosen_windows:
            continue
        improved, others = results[int(window == Assessed.UNKNOWN)]
        last_improved, last_others = rows_of(axes[axis_name(window, best=False)], layout)
        if best:
            improved |= rows_of(axes[axis_name(window, best=True)], layout)[0]
            others |= last_others
        else:
            earlier = ~(improved | others)
            improved |= last_improved & earlier
            others |= last_others & earlier
    if best:
        results[:, 1] &= ~results[:, 0]
    return results


def rows_of(axis: Axis, layout: Layout) -> np.ndarray:
    """(2, domains, width), in the order of VALUES."""
    rows = dict(zip(axis.values, axis.bits, strict=True))
    return np.stack([rows.get(value, layout.no_treatments) for value in VALUES]).reshape(
        2, len(DOMAINS), -1
    )


def counted_result_axis(
    results: np.ndarray, treatments: np.ndarray, layout: Layout, *, best: bool
) -> Axis:
    """The axis of one selection of treatments: each patient under one result of a domain, at the
    treatment that has it.

    `results` is of `results_in_windows`. A result without a month counts only where no treatment of
    the patient in the selection has one with a month.
    """
    (dated_improved, dated_others), (undated_improved, undated_others) = results & treatments
    if best:
        candidates = [dated_improved, undated_improved, dated_others, undated_others]
    else:
        candidates = [dated_improved | dated_others, undated_improved | undated_others]
    chosen = list(last_of_first_candidates(candidates, layout))
    if best:
        improved, others = chosen[0] | chosen[1], chosen[2] | chosen[3]
    else:
        dated, undated = chosen
        improved = dated & dated_improved | undated & undated_improved
        others = dated & dated_others | undated & undated_others
    bits = np.concatenate([improved, others])
    return Axis(VALUES, False, bits, None, bits[:, None, :])


def last_of_first_candidates(
    candidates: Sequence[np.ndarray], layout: Layout
) -> Iterator[np.ndarray]:
    """(domains, width) treatments, those that go before others first -> of each, the last
    treatment of every patient who has none among those before.
    """
    left = layout.all_treatments
    for treatments in candidates:
        last = layout.last_of_patients(treatments & left)
        yield last
        left = left & ~layout.patients_to_treatments(layout.treatments_to_patients(last))


def last_results(
    courses: Sequence[Sequence[tuple[str, str, float | None]]], windows: Iterable[str] = ()
) -> list[str]:
    """The results that count of one patient, as values of an `OutcomeDimension`. `courses` has for
    each treatment its outcomes: (domain, result, month or None).

    It applies the same rule to a patient who is in no collection.
    """
    layout = Layout([1] * len(courses))
    rows = [
        (place * WORD, *outcome) for place, outcomes in enumerate(courses) for outcome in outcomes
    ]
    places, domains, results, months = (np.array(column) for column in zip(*rows, strict=True))
    condition_bits = np.zeros(len(rows), dtype=np.int64)
    for i, (result, month) in enumerate(zip(results, months, strict=True)):
        window = window_of(month)
        conditions = [
            result != Response.UNKNOWN,
            result == Response.IMPROVED,
            *(window == candidate for candidate in WINDOWS),
        ]
        condition_bits[i] = sum(1 << bit for bit, holds in enumerate(conditions) if holds)
    tenths = np.array([-1 if month is None else round(month * 10) for month in months])
    domain_numbers = np.array([DOMAINS.index(domain) for domain in domains])
    axes = result_axes(places, DOMAINS, domain_numbers, condition_bits, tenths, layout.width)
    selected = results_in_windows(axes, layout, windows, best=False)
    axis = counted_result_axis(selected, layout.all_treatments, layout, best=False)
    return [value for value, bits in zip(axis.values, axis.bits, strict=True) if bits.any()]

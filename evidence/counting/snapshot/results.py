"""Whether patients improved, domain by domain: the one outcome of each that counts, found in
bitmaps.

What each treatment says of each domain in each window of months is found once, when the snapshot is
made (`result_axes`). A question then takes the windows it asks for (`results_in`), and of each
patient's treatments in view the one that counts (`counting_results`). Chooses as
`Outcome.objects.one_per_patient_and_domain` does.
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
    at: np.ndarray,
    domains: list[str],
    valued: np.ndarray,
    held: np.ndarray,
    months: np.ndarray,
    words: int,
) -> dict[str, Axis]:
    """For each window of months an axis of the treatments' last results and one of their best, by
    domain.

    An outcome has its treatment's place in `at`, its domain's number in `valued`, its month in
    `months`, and in the bits of `held` which of CONDITIONS hold.
    """
    stated, improved, *within = (((held >> i) & 1).astype(bool) for i in range(len(CONDITIONS)))
    # the last of a treatment and domain first, the worst of a tie
    order = np.lexsort((improved, -months, valued, at))
    found = {}
    for window, here in zip(WINDOWS, within, strict=True):
        rows = order[(here & stated)[order]]
        first = np.ones(len(rows), dtype=bool)
        first[1:] = (at[rows][1:] != at[rows][:-1]) | (valued[rows][1:] != valued[rows][:-1])
        last, ever = rows[first], rows[improved[rows]]
        for name, chosen in (
            (axis_name(window, best=False), last),
            (axis_name(window, best=True), ever),
        ):
            bits = {
                improved_value(domain, answer): bits_at(at[chosen[wanted[chosen]]], words)
                for number, domain in enumerate(domains)
                for answer, wanted in (
                    (YES, improved & (valued == number)),
                    (NO, ~improved & (valued == number)),
                )
            }
            bits = {value: row for value, row in bits.items() if row.any()}
            rows_of = (
                np.stack(list(bits.values())) if bits else np.empty((0, words), dtype=np.uint64)
            )
            found[name] = Axis(list(bits), False, rows_of)
    return found


def results_in(
    axes: dict[str, Axis], layout: Layout, windows: Iterable[str], *, best: bool
) -> np.ndarray:
    """(2, domains, width): of each domain the treatments whose result in these windows is an
    improvement, and those whose result is another. Without windows, whatever the month.
    """
    asked = set(windows)
    found = np.zeros((2, len(DOMAINS), layout.width), dtype=np.uint64)
    for window in WINDOWS[-2::-1] + WINDOWS[-1:]:  # the latest window first
        if asked and window not in asked:
            continue
        last = rows_of(axes[axis_name(window, best=False)], layout)
        found |= last & ~(found[0] | found[1])
    if best:
        ever = [
            rows_of(axes[axis_name(window, best=True)], layout)[0]
            for window in WINDOWS
            if window in asked or not asked
        ]
        stated = found[0] | found[1]
        found[0] = np.bitwise_or.reduce(ever)
        found[1] = stated & ~found[0]
    return found


def rows_of(axis: Axis, layout: Layout) -> np.ndarray:
    """(2, domains, width), in the order of VALUES."""
    rows = dict(zip(axis.values, axis.bits, strict=True))
    return np.stack([rows.get(value, layout.no_treatments) for value in VALUES]).reshape(
        2, len(DOMAINS), -1
    )


def counting_results(
    results: np.ndarray, courses: np.ndarray, layout: Layout, *, best: bool
) -> Axis:
    """The axis of one selection of treatments: each patient under one result of a domain, at the
    treatment that has it.
    """
    improved, others = results & courses
    if best:
        improved = layout.last_of_patients(improved)
        people = layout.treatments_to_patients(improved)
        others = layout.last_of_patients(others & ~layout.patients_to_treatments(people))
    else:
        last = layout.last_of_patients(improved | others)
        improved, others = improved & last, others & last
    bits = np.concatenate([improved, others])
    return Axis(VALUES, False, bits, None, bits[:, None, :])


def last_results(
    courses: Sequence[Sequence[tuple[str, str, float | None]]], windows: Iterable[str] = ()
) -> list[str]:
    """What counts of one patient, of whose treatments each has these outcomes (domain, result,
    month or None), as values of an `OutcomeDimension`: the very rule, of a patient who is in no
    collection.
    """
    layout = Layout([1] * len(courses))
    rows = [(place * WORD, *outcome) for place, own in enumerate(courses) for outcome in own]
    at, domains, results, months = (np.array(column) for column in zip(*rows, strict=True))
    held = np.zeros(len(rows), dtype=np.int64)
    for i, (result, month) in enumerate(zip(results, months, strict=True)):
        window = window_of(month)
        here = [
            result != Response.UNKNOWN,
            result == Response.IMPROVED,
            *(window == each for each in WINDOWS),
        ]
        held[i] = sum(1 << bit for bit, holds in enumerate(here) if holds)
    tenths = np.array([-1 if month is None else round(month * 10) for month in months])
    valued = np.array([DOMAINS.index(domain) for domain in domains])
    axes = result_axes(at, DOMAINS, valued, held, tenths, layout.width)
    counted = results_in(axes, layout, windows, best=False)
    axis = counting_results(counted, layout.all_treatments, layout, best=False)
    return [value for value, bits in zip(axis.values, axis.bits, strict=True) if bits.any()]

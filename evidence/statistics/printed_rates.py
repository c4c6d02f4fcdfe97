"""What a printed, rounded number can have come from."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Printed:
    """A printed number and how many digits it has after the point."""

    value: Decimal
    decimals: int

    def is_printed_for(self, number: Decimal) -> bool:
        """Whether a number is printed so. One that lies half-way may have been rounded either way:
        by hand up, by R or Python to the even digit.
        """
        return abs(number - self.value) * 2 <= Decimal(1).scaleb(-self.decimals)


def attainable_counts(printed: Printed, denominator: int) -> list[int]:
    """The counts whose percentage of this denominator is printed so."""
    # Only whole numbers close by can round to it: what rounds to a number is one unit of its last
    # digit wide.
    nearest = int(printed.value * denominator / 100)
    width = denominator // (100 * 10**printed.decimals) + 2
    return [
        count
        for count in range(max(nearest - width, 0), min(nearest + width, denominator) + 1)
        if printed.is_printed_for(Decimal(100 * count) / denominator)
    ]


def possible_fractions(printed: Printed, max_denominator: int) -> list[tuple[int, int]]:
    """Every (count, denominator) with a denominator up to `max_denominator` whose percentage is
    printed so, smallest first.
    """
    return [
        (count, of)
        for of in range(1, max_denominator + 1)
        for count in attainable_counts(printed, of)
    ]


def possible_ratios(printed: Printed, max_total: int) -> list[tuple[int, int]]:
    """Every (one, other) of up to `max_total` people together whose ratio one : other is printed
    so.
    """
    return [
        (total - second, second)
        for total in range(2, max_total + 1)
        for second in range(1, total)
        if printed.is_printed_for(Decimal(total - second) / second)
    ]

"""What number a dose holds, where its text leaves no choice."""

import re
from decimal import Decimal
from typing import NamedTuple

MG_IN = {"mg": Decimal(1), "g": Decimal(1000)}  # milligrams in one of a unit

TIMES = {"once": 1, "twice": 2, "two times": 2, "three times": 3}
DAILY = r"(?:daily|a day|per day)"
# The whole text has to be this: ranges, weekly doses, changes of dose and remarks leave a choice.
DOSE = re.compile(
    rf"(?P<amount>(?!0\d)\d+(?:\.\d+)?) ?(?P<unit>{'|'.join(MG_IN)})"
    rf"(?: (?P<times>{'|'.join(TIMES)}) {DAILY}|(?P<in_all> {DAILY}| ?/ ?day))?",
    re.IGNORECASE,
)


class Dose(NamedTuple):
    """A dose in numbers. `times_daily` is None where the text gives an amount alone, or one for the
    day as a whole; `mg_daily` where it does not say how often the amount is given.
    """

    amount: Decimal
    unit: str
    times_daily: int | None
    mg_daily: Decimal | None


def parse_dose(text: str) -> Dose | None:
    """The numbers of a dose such as “5 mg twice daily”, “5 mg/day” or “5 mg”; None for every other
    text.
    """
    found = DOSE.fullmatch(" ".join(text.split()))
    if not found:
        return None
    amount, unit = Decimal(found["amount"]), found["unit"].lower()
    times = TIMES[found["times"].lower()] if found["times"] else None
    how_often = 1 if found["in_all"] else times
    return Dose(amount, unit, times, how_often and amount * MG_IN[unit] * how_often)

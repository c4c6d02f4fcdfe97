"""Why a value is empty: the one rule, in Python and in SQL.

Where a paper was read in full, an empty value is *not reported*: the paper does not say. Where only
an abstract, a registration, another paper's citation or a part of the paper was read, it is *not
extracted*: the paper may well say. Neither is *absent*.

A study counts as read in full only where somebody has said of each of its patients that every empty
field was looked for (`Patient.looked_for`). The database holds that (`guards.py`), so the rule is
true of every empty field.
"""

from django.db.models import Case, CharField, F, Q, Value, When

from .choices import CollectionKind, Extraction, Missing

# Nothing is read for a simulated study; its `extraction` says only what an empty value of it means.
SIMULATED = "simulated"
READINGS = dict(Extraction.choices) | {SIMULATED: "Simulated, from no publication"}


def missing_reason(extraction: str) -> Missing:
    """What an empty value of a study with this `Study.extraction` means."""
    return Missing.NOT_REPORTED if extraction == Extraction.FULL_TEXT else Missing.NOT_EXTRACTED


def missing_for(reason: str, path: str) -> Q:
    """The same rule as a condition; `path` leads to `Study.extraction`."""
    read_in_full = Q(**{path: Extraction.FULL_TEXT})
    return read_in_full if reason == Missing.NOT_REPORTED else ~read_in_full


def missing_reason_sql(path: str) -> Case:
    """The same rule as a column; `path` leads to `Study.extraction`."""
    return Case(
        When(missing_for(Missing.NOT_REPORTED, path), then=Value(Missing.NOT_REPORTED.value)),
        default=Value(Missing.NOT_EXTRACTED.value),
        output_field=CharField(),
    )


def reading_sql() -> Case:
    """How much of a study's source was read, one of READINGS, as a column of studies; see
    `Study.reading`.
    """
    return Case(
        When(collection__kind=CollectionKind.SIMULATED, then=Value(SIMULATED)),
        default=F("extraction"),
        output_field=CharField(),
    )

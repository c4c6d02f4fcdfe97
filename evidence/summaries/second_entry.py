"""How far two people agreed who entered the same values without seeing each other's."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F

from ..models import SecondEntry, Study

# What is entered twice, in the order it is shown: the values the headline figures rest on.
FIELD_LABELS = {
    "indications": "indications",
    "response": "response",
    "relapsed": "relapse",
    "adverse_events": "adverse events",
    "serious": "seriousness",
    "stopped": "stopping",
}


@dataclass(frozen=True)
class Agreement:
    """In how many of the values that both entered, both entered the same. Nothing that was mended
    later is counted.
    """

    agreed: int
    entered: int
    by_field: tuple[tuple[str, int, int], ...]  # label, agreed, entered by both

    @property
    def fields_in_words(self) -> str:
        """“indications 10/12, response 9/9”."""
        return ", ".join(f"{label} {agreed}/{entered}" for label, agreed, entered in self.by_field)


def agreement(comparison: Iterable[dict]) -> Agreement:
    """Of the comparison of a second entry (`curation.second_entry`)."""
    both = [one for one in comparison if one["first"] and one["second"]]
    entered = Counter(one["field"] for one in both)
    agreed = Counter(one["field"] for one in both if one["same"])
    by_field = tuple(
        (label, agreed[name], entered[name])
        for name, label in FIELD_LABELS.items()
        if entered[name]
    )
    return Agreement(agreed.total(), entered.total(), by_field)


def published_agreement(study: Study) -> Agreement | None:
    """Of all second entries that were finished before what readers see was published, so that
    nothing they are told changes without a publication; None where nothing was entered twice. One
    query.
    """
    comparisons = SecondEntry.objects.filter(
        draft__collection=study.collection_id,
        draft__slug=study.slug,
        draft__published__number__gte=F("version__number"),
        draft__published__at__gte=F("finished_at"),
    ).values_list("comparison", flat=True)
    found = agreement(one for comparison in comparisons for one in comparison)
    return found if found.entered else None

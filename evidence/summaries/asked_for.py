"""Which shares a question decides itself: of those who are asked to have improved all have
improved, which is no finding.

Pages, charts, files, the API and comparisons all use these functions; they mark such a share as
asked for, and give no percentage.
"""

from ..models.choices import Ascertainment, Match
from ..questions.question import Question

EVENT_FILTERS = {"adverse_events", "adverse_event", "serious"}
# Parts of a question that decide a share or bear on it, by the share's key, or for all under a
# heading. Where one of two cohorts is asked for by them, a share of both is not compared.
DECIDED_BY = {
    "improved": {"response"},
    "relapsed": {"relapsed"},
    "any_adverse_event": EVENT_FILTERS,
    "serious": EVENT_FILTERS,
    "female": {"sex"},
    "Who they are": {"subset"},
    "What it was given for (alone or with others)": {"indication"},
    "Adverse events, by category": EVENT_FILTERS,
}


def is_asked_for(question: Question, item: str) -> bool:
    """Whether a question decides the share of an item: a key of DECIDED_BY.

    A question about patients with any adverse events does not decide which of the events were
    serious.
    """
    if item == "serious":
        with_events = Ascertainment.EVENTS in question.value(
            "adverse_events", (Ascertainment.EVENTS,)
        )
        return item in question or not with_events
    return any(name in DECIDED_BY.get(item, ()) for name, _ in question)


def is_category_asked_for(question: Question, code: str) -> bool:
    """Whether a question decides the share of one category of adverse events."""
    categories = question.value("adverse_event")
    return categories is not None and (
        code in categories.codes or categories.match == Match.EXACTLY
    )

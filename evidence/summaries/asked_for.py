"""Which shares a question decides itself: of those who improved everybody improved, which is no
finding.

One declaration: pages, charts, files, the API and comparisons say of such a share that it is asked
for, and give no percentage.
"""

from ..models.choices import Ascertainment, Match
from ..questions.question import Question

ABOUT_EVENTS = {"adverse_events", "adverse_event", "serious"}
# Parts of a question that decide a share or bear on it, by the share's key, or for all under a
# heading. Where one of two cohorts is asked for by them, a share of both is not compared.
DECIDED_BY = {
    "improved": {"response"},
    "relapsed": {"relapsed"},
    "any_adverse_event": ABOUT_EVENTS,
    "serious": ABOUT_EVENTS,
    "female": {"sex"},
    "Who they are": {"subset"},
    "What it was given for (alone or with others)": {"indication"},
    "Adverse events, by category": ABOUT_EVENTS,
}


def is_asked_for(question: Question, item: str) -> bool:
    """Whether a question decides the share of an item: a key of DECIDED_BY.

    Whoever asks for patients with adverse events, of whatever kind, has not decided which of them
    were serious.
    """
    if item == "serious":
        with_events = Ascertainment.EVENTS in question.value(
            "adverse_events", (Ascertainment.EVENTS,)
        )
        return item in question or not with_events
    return any(name in DECIDED_BY.get(item, ()) for name, _ in question)


def is_category_asked_for(question: Question, code: str) -> bool:
    """Whether a question decides the share of one category of adverse events."""
    asked = question.value("adverse_event")
    return asked is not None and (code in asked.codes or asked.match == Match.EXACTLY)

"""Which shares a question decides itself: of those who are asked to have improved all have
improved, which is no finding.

Pages, charts, files, the API and comparisons all use these functions; they mark such a share as
asked for, and give no percentage.
"""

from ..models import LISTS
from ..models.choices import Ascertainment, Match, YesNo
from ..questions.question import Question
from .shares import ASKED_FOR

# in place of a percentage, of events that the question does not decide but selects patients by
SELECTED_BY_EVENTS = "selected by events"
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


def asked_for_words(question: Question, item: str) -> str:
    """What stands in place of the percentage of an item, a key of DECIDED_BY; an empty text where a
    question neither decides its share nor bears on it.
    """
    if not is_asked_for(question, item):
        return ""
    if item == "any_adverse_event" and not decides_any_event(question):
        return SELECTED_BY_EVENTS
    return ASKED_FOR


def decides_any_event(question: Question) -> bool:
    """Whether all who match had an event, or none had, by what is asked: not so where only
    treatments without a serious event, or without some category, are asked for.
    """
    categories = question.value("adverse_event")
    return (
        "adverse_events" in question
        or question.value("serious") == (YesNo.YES.value,)
        or (categories is not None and categories.match != Match.NONE)
    )


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


def is_value_asked_for(question: Question, name: str, code: str) -> bool:
    """Whether a question decides the share of one value: of an attribute with one value, such as
    sex, or of a list, such as indications.

    A question for any of several codes is taken to decide each of them, as it bears on each. A
    question about patients with no adverse event decides every category.
    """
    if name == "adverse_event" and Ascertainment.EVENTS not in question.value(
        "adverse_events", (Ascertainment.EVENTS,)
    ):
        return True
    if name not in LISTS:
        return name in question
    chosen = question.value(name)
    return chosen is not None and (code in chosen.codes or is_set_asked_for(question, name))


def is_set_asked_for(question: Question, name: str) -> bool:
    """Whether a question decides the whole set of values that a list has."""
    chosen = question.value(name)
    return chosen is not None and chosen.match == Match.EXACTLY

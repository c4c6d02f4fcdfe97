"""A question as the heading of its answer: “Tofacitinib, for ILD together with skin”."""

from django.utils.text import capfirst

from ..models.choices import Match
from .filters import filter_chips
from .question import MatchedSet, Question
from .vocabulary import Vocabulary

# How the indications of a course are compared with those asked for, between and around them.
BETWEEN = {
    Match.ANY: ("for ", " or ", ""),
    Match.ALL: ("for ", " together with ", ""),
    Match.EXACTLY: ("for ", " together with ", " and nothing else"),
    Match.NONE: ("for none of ", ", ", ""),
}


def question_heading(question: Question, vocabulary: Vocabulary) -> str:
    """The question in a line: drugs, what for, then the other parts as their chips say them. Empty
    where nothing is asked.
    """
    treatment_parts = []
    if drugs := question.value("inhibitor", ()):
        treatment_parts.append(" or ".join(vocabulary.label("inhibitor", code) for code in drugs))
    if indications := question.value("indication"):
        treatment_parts.append(indications_text(indications, vocabulary))
    others = filter_chips(question.without("inhibitor", "indication"), vocabulary)
    text = "; ".join(filter(None, [", ".join(treatment_parts), *(chip.text for chip in others)]))
    return capfirst(text)


def indications_text(asked: MatchedSet, vocabulary: Vocabulary) -> str:
    """“for ILD together with skin”: abbreviations where labels have them, in the order of lists."""
    order = list(vocabulary.terms["indication"])
    codes = sorted(asked.codes, key=lambda code: order.index(code) if code in order else len(order))
    before, between, after = BETWEEN[Match(asked.match)]
    labels = between.join(vocabulary.set_label(code) for code in codes)
    if len(codes) == 1:
        after = " alone" if asked.match == Match.EXACTLY else ""
        before = "not for " if asked.match == Match.NONE else "for "
    return f"{before}{labels}{after}"

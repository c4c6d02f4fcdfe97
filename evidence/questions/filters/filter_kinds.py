"""The kinds of filter there are; each is one part of a question."""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_, or_
from typing import Any

import django_filters
from django.core.validators import EMPTY_VALUES
from django.db.models import Q, QuerySet

from ...models import ATTRIBUTES, JAKInhibitor
from ...models.choices import Match, Missing
from ...models.missing import missing_for
from ..form_fields import MatchedSetField, NumberField, SearchField, WordsField
from ..three_answers import ThreeAnswers, list_answer
from ..vocabulary import Vocabulary, unit_of
from .facts import ConditionFacts, Facts
from .search_terms import named_terms

EXTRACTION = "patient__study__extraction"
SEARCH_LENGTH = 200
Single = Callable[[Any], Any]


def choice_labels(choices) -> dict[str, str]:
    return dict(choices.choices)


class QuestionFilter(django_filters.Filter):
    """One part of a question: treatments that answer it with yes, with no, or leave it open."""

    # the vocabulary its codes come from, if it has codes that live in the database
    kind: str | None = None
    attribute: str | None = None

    def __deepcopy__(self, memo):
        """Every form copies every filter; nothing but `extra` differs between the copies."""
        copied = copy(self)
        copied.extra = dict(self.extra)
        return copied

    def condition(self, value) -> Q:
        """The records that answer with yes, as a condition of the database."""
        return Q(**{f"{self.field_name}__{self.lookup_expr}": value})

    def filter(self, records: QuerySet, value) -> QuerySet:
        return records.filter(self.condition(value)) if value not in EMPTY_VALUES else records

    def answer(self, value, facts: Facts) -> ThreeAnswers:
        """What an engine finds with its facts. What is known and does not match is a no."""
        yes, settled = facts.matching(self, value), facts.settled(self.attribute_of(value))
        return ThreeAnswers(yes, settled & ~yes)

    def attribute_of(self, value) -> str | None:
        """The attribute that has to be known for a no; None where there is always an answer."""
        return self.attribute

    def matching_from(self, value, matching: Single):
        """`condition`, put together from the answers to single values, for whoever keeps these.

        `matching` gives the answer to one, as something that understands & and |.
        """
        return matching(value)

    def in_words(self, value, vocabulary: Vocabulary) -> str:
        """This part of the question, as a chip says it."""
        return f"{self.label}: {value}"

    def options(self, vocabulary: Vocabulary) -> dict[str, str]:
        """Codes and labels a reader can choose from; empty for ranges and search."""
        return vocabulary.terms[self.kind] if self.kind else self.extra.get("options", {})


class AnyOf(QuestionFilter):
    """One or more codes of an attribute, as alternatives. `several`: a treatment can have more than
    one of the values.

    `made` makes the condition for some codes, where no `path` leads to a column.
    """

    field_class = WordsField

    def __init__(
        self,
        label,
        *,
        build_condition=None,
        path=None,
        kind=None,
        choices=None,
        unknown=None,
        attribute=None,
        several=False,
        **kwargs,
    ):
        super().__init__(
            field_name=path,
            label=label,
            options=choice_labels(choices) if choices else {},
            **kwargs,
        )
        self.made, self.kind, self.unknown, self.attribute = (
            build_condition,
            kind,
            unknown,
            attribute,
        )
        self.several = several

    def condition(self, value):
        return self.made(value) if self.made else Q(**{f"{self.field_name}__in": value})

    def attribute_of(self, value):
        """Whoever asks for “not known” alone asks about everybody."""
        return None if set(value) == {self.unknown} else self.attribute

    def matching_from(self, value, matching):
        return reduce(or_, (matching((code,)) for code in value))

    def in_words(self, value, vocabulary):
        labels = self.options(vocabulary)
        return f"{self.label}: {' or '.join(labels.get(code, code) for code in value)}"


class SetOf(QuestionFilter):
    """Codes of an attribute that can have several values, compared as any, all, exactly or none of.

    Of treatments, `listed` names the list in `LISTS` that has the codes; of groups, `verbs` are
    those of their QuerySet.
    """

    field_class = MatchedSetField

    def __init__(self, label, *, kind, listed=None, verbs=None, note="", **kwargs):
        super().__init__(label=label, options={}, **kwargs)
        self.kind, self.listed, self.verbs, self.note = kind, listed, verbs, note
        self.attribute = listed

    def filter(self, records, value):
        if value and self.verbs:
            return getattr(records, self.verbs[value.match])(value.codes)
        return super().filter(records, value)

    def condition(self, value):
        return self.answer(value, ConditionFacts()).yes

    def answer(self, value, facts):
        return list_answer(value.codes, value.match, facts.listed(self.listed))

    def in_words(self, value, vocabulary):
        labels = [vocabulary.label(self.kind, code) for code in value.codes]
        match = (
            ""
            if len(labels) == 1 and value.match in (Match.ANY, Match.ALL)
            else f"{Match(value.match).label} "
        )
        return f"{self.label}: {match}{', '.join(labels)}"


@dataclass(frozen=True, eq=False)
class Range:
    """Numbers between two ends, declared once; it unpacks into the filters of its two words.

        age_min, age_max = Range("Age", path="patient__age_years", low=0, high=120, unit="years", attribute="age")

    `low` and `high` are the least and the largest number an end takes, in `unit`; `path` leads to
    the number, and `attribute` names what has to be known. Chips begin with `chip` and the form's
    field has the heading `heading`, both by default made of the label. In the form it stands before
    the filter `before`, or in its own place.
    """  # noqa: E501

    label: str
    path: str
    low: int
    high: int
    attribute: str
    unit: str = ""
    chip: str = ""
    heading: str = ""
    before: str = ""

    def __iter__(self) -> Iterator["Bound"]:
        return iter((Bound(self, "from", "gte"), Bound(self, "to", "lte")))

    def at(self, path: str) -> "Range":
        """The same range, asked of other records."""
        return replace(self, path=path)

    @property
    def title(self) -> str:
        """The heading of its field in the form."""
        return self.heading or (f"{self.label} ({self.unit})" if self.unit else self.label)

    def turned_round(self, first: int | None, last: int | None) -> str:
        """What is wrong with two ends of which the second lies below the first; an empty text if
        nothing is.
        """
        if first is None or last is None or first <= last:
            return ""
        return f"{self.label} from {first} to {last}: the range ends before it begins."


class Bound(QuestionFilter):
    """One end of a range of whole numbers; the end itself belongs to the range."""

    field_class = NumberField

    def __init__(self, of: Range, end: str, lookup: str):
        label = f"{of.chip or of.label} {end}"
        super().__init__(
            field_name=of.path, lookup_expr=lookup, label=label, min_value=of.low, max_value=of.high
        )
        self.range, self.attribute, self.unit = of, of.attribute, of.unit

    def in_words(self, value, vocabulary):
        return f"{self.label} {value} {unit_of(value, self.unit)}".rstrip()


class NotKnown(QuestionFilter):
    """Treatments of which something is not known, for one reason or for either."""

    field_class = WordsField

    def __init__(self, label):
        reasons = {
            f"{name}.{reason}": f"{attribute.label}, {reason.label}"
            for name, attribute in ATTRIBUTES.items()
            for reason in Missing
        }
        names = {name: attribute.label for name, attribute in ATTRIBUTES.items()}
        super().__init__(label=label, options=names | reasons)

    def condition(self, value):
        condition = Q()
        for code in value:
            name, _, reason = code.partition(".")
            condition &= ~ATTRIBUTES[name].known
            if reason:
                condition &= missing_for(reason, EXTRACTION)
        return condition

    def matching_from(self, value, matching):
        return reduce(and_, (matching((code,)) for code in value))

    def in_words(self, value, vocabulary):
        return f"{self.label}: {' and '.join(self.extra['options'][code] for code in value)}"


class Search(QuestionFilter):
    """Every word occurs somewhere in the record or in its study.

    `paths` lead to free texts of the record, which contain the word anywhere; `drug` leads to its
    JAK inhibitor, which is named by the beginning of a word; and `related` makes the condition for
    what stands in records of its own.
    """

    field_class = SearchField

    def __init__(self, label, *, paths, drug, related=None):
        super().__init__(label=label, max_length=SEARCH_LENGTH)
        self.paths, self.drug, self.related = paths, drug, related

    def condition(self, value):
        condition = Q()
        for word in value.split():
            word_condition = Q(**{f"{self.drug}__in": named_terms(JAKInhibitor, word)})
            for path in self.paths:
                word_condition |= Q(**{f"{path}__icontains": word})
            if self.related:
                word_condition |= self.related(word)
            condition &= word_condition
        return condition

    def matching_from(self, value, matching):
        return reduce(and_, (matching(word) for word in value.split()))

    def in_words(self, value, vocabulary):
        return f"Search: {value}"

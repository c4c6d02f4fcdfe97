"""The kinds of filter there are; each is one part of a question."""

from collections.abc import Callable, Collection, Iterator
from copy import copy
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_, or_
from typing import Any

import django_filters
from django.db.models import Exists, Q, QuerySet

from ...models import ATTRIBUTES, Treatment
from ...models.choices import Match, Missing
from ...models.missing import missing_for
from ..form_fields import MatchedSetField, NumberField, SearchField, WordsField
from ..question import MatchedSet
from ..vocabulary import Vocabulary

EXTRACTION = "patient__study__extraction"
SEARCH_LENGTH = 200
Single = Callable[[Any], Any]


def codes(choices) -> dict[str, str]:
    return dict(choices.choices)


class QuestionFilter(django_filters.Filter):
    """One part of a question. `known` narrows courses to those in which the asked item is known."""

    kind: str | None = None  # the vocabulary its codes come from, if it has codes that live in the database
    attribute: str | None = None

    def __deepcopy__(self, memo):
        """Every form copies every filter; nothing but `extra` differs between the copies."""
        copied = copy(self)
        copied.extra = dict(self.extra)
        return copied

    def known(self, courses: QuerySet, value) -> QuerySet:
        return courses.known(self.attribute) if self.attribute else courses

    # The same two answers put together from those to single values, for whoever keeps these. `matching` and `known`
    # give what `filter` and `known` above give for one single value, as something that understands &, | and ~.

    def matching_from(self, value, matching: Single, codes: Collection[str]):
        return matching(value)

    def known_from(self, value, matching: Single, known: Single):
        return known(None)

    def in_words(self, value, vocabulary: Vocabulary) -> str:
        """This part of the question, as a chip says it."""
        return f"{self.label}: {value}"

    def options(self, vocabulary: Vocabulary) -> dict[str, str]:
        """Codes and labels a reader can choose from; empty for ranges and search."""
        return vocabulary.terms[self.kind] if self.kind else self.extra.get("options", {})


class AnyOf(QuestionFilter):
    """One or more codes of an attribute, as alternatives. `several`: a course can have more than one of the values."""

    field_class = WordsField

    def __init__(
        self,
        label,
        *,
        verb=None,
        path=None,
        kind=None,
        choices=None,
        unknown=None,
        attribute=None,
        several=False,
        **kwargs,
    ):
        super().__init__(field_name=path, label=label, options=codes(choices) if choices else {}, **kwargs)
        self.verb, self.kind, self.unknown, self.attribute = verb, kind, unknown, attribute
        self.several = several

    def filter(self, courses, value):
        if not value:
            return courses
        return getattr(courses, self.verb)(value) if self.verb else courses.filter(**{f"{self.field_name}__in": value})

    def known(self, courses, value):
        """Whoever asks for “not known” asks about everybody."""
        return courses if self.unknown in value else super().known(courses, value)

    def matching_from(self, value, matching, codes):
        return reduce(or_, (matching((code,)) for code in value))

    def known_from(self, value, matching, known):
        return known((self.unknown,) if self.unknown in value else ())

    def in_words(self, value, vocabulary):
        labels = self.options(vocabulary)
        return f"{self.label}: {' or '.join(labels.get(code, code) for code in value)}"


class SetOf(QuestionFilter):
    """Codes of an attribute that can have several values, compared as any, all, exactly or none of."""

    field_class = MatchedSetField

    def __init__(self, label, *, kind, verbs, records=None, attribute=None, note="", **kwargs):
        super().__init__(label=label, options={}, **kwargs)
        self.kind, self.verbs, self.records, self.attribute, self.note = kind, verbs, records, attribute, note

    def filter(self, courses, value):
        if not value:
            return courses
        verb = getattr(courses, self.verbs[value.match])
        return verb(self.records, value.codes) if self.records else verb(value.codes)

    def known(self, courses, value):
        if not self.records:
            return super().known(courses, value)
        # Each item is known by itself: settled where all asked items are recorded, or where the answer is yes already.
        everybody = Treatment.objects.all()
        recorded = everybody.with_all_recorded(self.records, value.codes)
        answered = self.filter(everybody, value)
        return courses.filter(Q(pk__in=recorded.values("pk")) | Q(pk__in=answered.values("pk")))

    def matching_from(self, value, matching, codes):
        """Any, all and none are put together from single codes; exactly is all of these and none beside them."""

        def single(code: str, match: str = Match.ANY):
            return matching(MatchedSet((code,), str(match)))

        if value.match == Match.ANY:
            return reduce(or_, map(single, value.codes))
        if value.match == Match.NONE:
            return reduce(and_, (single(code, Match.NONE) for code in value.codes))
        every = reduce(and_, map(single, value.codes))
        if value.match == Match.ALL:
            return every
        return reduce(lambda left, code: left & ~single(code), set(codes) - set(value.codes), every)

    def known_from(self, value, matching, known):
        if not self.records:
            return known(None)
        recorded = reduce(and_, (known(MatchedSet((code,))) for code in value.codes))
        return recorded | matching(value)

    def in_words(self, value, vocabulary):
        labels = [vocabulary.label(self.kind, code) for code in value.codes]
        match = "" if len(labels) == 1 and value.match in (Match.ANY, Match.ALL) else f"{Match(value.match).label} "
        return f"{self.label}: {match}{', '.join(labels)}"


@dataclass(frozen=True, eq=False)
class Range:
    """Numbers between two ends, declared once; it unpacks into the filters of its two words.

        age_min, age_max = Range("Age", path="patient__age_years", low=0, high=120, unit="years", attribute="age")

    `low` and `high` are the least and the largest number an end takes, in `unit`; `path` leads to the number, and
    `attribute` names what has to be known. Chips begin with `chip` and the form's field has the heading `heading`,
    both by default made of the label. In the form it stands before the filter `before`, or in its own place.
    """

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
        """What is wrong with two ends of which the second lies below the first; an empty text if nothing is."""
        if first is None or last is None or first <= last:
            return ""
        return f"{self.label} from {first} to {last}: the range ends before it begins."


class Bound(QuestionFilter):
    """One end of a range of whole numbers; the end itself belongs to the range."""

    field_class = NumberField

    def __init__(self, of: Range, end: str, lookup: str):
        label = f"{of.chip or of.label} {end}"
        super().__init__(field_name=of.path, lookup_expr=lookup, label=label, min_value=of.low, max_value=of.high)
        self.range, self.attribute, self.unit = of, of.attribute, of.unit

    def in_words(self, value, vocabulary):
        return f"{self.label} {value} {self.unit}".rstrip()


class NotKnown(QuestionFilter):
    """Courses of which something is not known, for one reason or for either."""

    field_class = WordsField

    def __init__(self, label):
        reasons = {
            f"{name}.{reason}": f"{attribute.label}, {reason.label}"
            for name, attribute in ATTRIBUTES.items()
            for reason in Missing
        }
        names = {name: attribute.label for name, attribute in ATTRIBUTES.items()}
        super().__init__(label=label, options=names | reasons)

    def filter(self, courses, value):
        for word in value or ():
            name, _, reason = word.partition(".")
            courses = courses.not_known(name)
            if reason:
                courses = courses.filter(missing_for(reason, EXTRACTION))
        return courses

    def matching_from(self, value, matching, codes):
        return reduce(and_, (matching((word,)) for word in value))

    def in_words(self, value, vocabulary):
        return f"{self.label}: {' and '.join(self.extra['options'][word] for word in value)}"


class Search(QuestionFilter):
    """Every word occurs somewhere in the record or in its study."""

    field_class = SearchField

    def __init__(self, label, *, paths, related=None):
        super().__init__(label=label, max_length=SEARCH_LENGTH)
        self.paths, self.related = paths, related

    def filter(self, records, value):
        for word in (value or "").split():
            found = Q()
            for path in self.paths:
                found |= Q(**{f"{path}__icontains": word})
            if self.related:
                found |= Q(Exists(self.related(word)))
            records = records.filter(found)
        return records

    def matching_from(self, value, matching, codes):
        return reduce(and_, (matching(word) for word in value.split()))

    def in_words(self, value, vocabulary):
        return f"Search: {value}"

"""The kinds of filter there are; each is one part of a question."""

from collections.abc import Callable, Collection
from copy import copy
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


class Asked(django_filters.Filter):
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


class AnyOf(Asked):
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


class SetOf(Asked):
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


class Bound(Asked):
    """One end of a range of whole numbers."""

    field_class = NumberField

    def __init__(self, label, *, path, end, attribute, low, high, unit=""):
        lookup = {"from": "gte", "to": "lte"}[end]
        super().__init__(field_name=path, lookup_expr=lookup, label=label, min_value=low, max_value=high)
        self.end, self.attribute, self.unit = end, attribute, unit

    def in_words(self, value, vocabulary):
        return f"{self.label} {value}{self.unit}"


class NotKnown(Asked):
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


class Search(Asked):
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

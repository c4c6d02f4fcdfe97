"""The words of an address and what they mean: URL words -> QuerySet verbs. No SQL of its own.

Every filter is one condition on one course, and none looks at another's value: the answer to a question is the
intersection of the answers to its parts. A set and its match word are one filter.
"""

from dataclasses import dataclass

import django_filters
from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet

from .choices import Ascertainment, Design, Match, Missing, Response, Sex, Subset, YesNo
from .fields import MatchedSetField, NumberField, SearchField, WordsField, cut
from .missing import missing_for
from .models import ATTRIBUTES, AUTOANTIBODIES, MANIFESTATIONS, AdverseEvent, Collection, StudyGroup, Treatment
from .questions import Question
from .vocabulary import Vocabulary

EXTRACTION = "patient__study__extraction"
VIEW_WORDS = {"sort", "page"}  # what changes the display only; the rest of an address is the question
SEARCH_LENGTH = 200


def codes(choices) -> dict[str, str]:
    return dict(choices.choices)


class Asked(django_filters.Filter):
    """One part of a question. `known` narrows courses to those in which the asked item is known."""

    kind: str | None = None  # the vocabulary its codes come from, if it has codes that live in the database
    attribute: str | None = None

    def known(self, courses: QuerySet, value) -> QuerySet:
        return courses.known(self.attribute) if self.attribute else courses

    def in_words(self, value, vocabulary: Vocabulary) -> str:
        """This part of the question, as a chip says it."""
        return f"{self.label}: {value}"

    def options(self, vocabulary: Vocabulary) -> dict[str, str]:
        """Codes and labels a reader can choose from; empty for ranges and search."""
        return vocabulary.terms[self.kind] if self.kind else self.extra.get("options", {})


class AnyOf(Asked):
    """One or more codes of an attribute that has one value; several are alternatives."""

    field_class = WordsField

    def __init__(self, label, *, verb=None, path=None, kind=None, choices=None, unknown=None, attribute=None, **kwargs):
        super().__init__(field_name=path, label=label, options=codes(choices) if choices else {}, **kwargs)
        self.verb, self.kind, self.unknown, self.attribute = verb, kind, unknown, attribute

    def filter(self, courses, value):
        if not value:
            return courses
        return getattr(courses, self.verb)(value) if self.verb else courses.filter(**{f"{self.field_name}__in": value})

    def known(self, courses, value):
        """Whoever asks for “not known” asks about everybody."""
        return courses if self.unknown in value else super().known(courses, value)

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

    def in_words(self, value, vocabulary):
        return f"Search: {value}"


def events_described(word: str) -> QuerySet:
    return AdverseEvent.objects.filter(treatment=OuterRef("pk"), description__icontains=word)


def verbs(stem: str, *names: str) -> dict[str, str]:
    return {match: f"{stem}_{name}" for match, name in zip(Match.values, names, strict=True)}


PRESENT = {
    Match.ANY: "with_any_present",
    Match.ALL: "with_all_present",
    Match.EXACTLY: "with_exactly_present",
    Match.NONE: "with_all_absent",
}
INDICATED = verbs("indicated_for", "any", "all", "exactly", "none")
PRETREATED = verbs("pretreated_with", "any", "all", "exactly", "none")
EVENTFUL = {
    Match.ANY: "with_any_event",
    Match.ALL: "with_all_events",
    Match.EXACTLY: "with_exactly_events",
    Match.NONE: "with_no_event",
}
LOOKED_FOR = "“None of” means looked for and absent; patients of whom it is not known are left out."
NONE_OF_KNOWN = "“None of” leaves out those of whom it is not known."


class QuestionForm(forms.Form):
    """Checks the words together: none unknown, no range turned round."""

    RANGES = [("age_min", "age_max", "Age"), ("year_min", "year_max", "Year")]

    def clean(self):
        for word in self.data:
            if word not in self.words():
                self.add_error(None, self.unknown(word))
        for low, high, name in self.RANGES:
            first, last = self.cleaned_data.get(low), self.cleaned_data.get(high)
            if first is not None and last is not None and first > last:
                self.add_error(low, f"{name} from {first} to {last}: the range ends before it begins.")
        return self.cleaned_data

    def words(self) -> set[str]:
        matches = {f"{name}_match" for name, field in self.fields.items() if isinstance(field, MatchedSetField)}
        return set(self.fields) | matches | VIEW_WORDS

    def unknown(self, word: str) -> str:
        from difflib import get_close_matches

        near = get_close_matches(word[:40], self.words(), n=1)
        return f"“{cut(word)}” is not a filter." + (f" Did you mean “{near[0]}”?" if near else "")


class TreatmentFilter(django_filters.FilterSet):
    """A question to the courses of one collection."""

    q = Search(
        "Search",
        paths=[
            "patient__slug",
            "patient__notes",
            "patient__comorbidities",
            "inhibitor__name",
            "patient__study__short_name",
            "patient__study__title",
            "patient__study__authors",
            "patient__study__journal",
        ],
        related=events_described,
    )
    inhibitor = AnyOf("JAK inhibitor", kind="inhibitor", verb="given")
    indication = SetOf("Indication", kind="indication", verbs=INDICATED, attribute="indication", note=NONE_OF_KNOWN)
    sex = AnyOf("Sex", path="patient__sex", choices=Sex, unknown=Sex.UNKNOWN, attribute="sex")
    age_min = Bound("Age from", path="patient__age_years", end="from", attribute="age", low=0, high=120, unit=" years")
    age_max = Bound("Age to", path="patient__age_years", end="to", attribute="age", low=0, high=120, unit=" years")
    subset = AnyOf("Disease subset", path="patient__subset", choices=Subset, unknown=Subset.UNKNOWN, attribute="subset")
    autoantibody = SetOf(
        "Autoantibody",
        kind="autoantibody",
        verbs=PRESENT,
        records=AUTOANTIBODIES,
        attribute="autoantibody",
        note=LOOKED_FOR,
    )
    manifestation = SetOf(
        "Manifestation",
        kind="manifestation",
        verbs=PRESENT,
        records=MANIFESTATIONS,
        attribute="manifestation",
        note=LOOKED_FOR,
    )
    prior = SetOf("Prior therapy", kind="prior", verbs=PRETREATED, attribute="prior", note=NONE_OF_KNOWN)
    response = AnyOf("Response", path="response", choices=Response, unknown=Response.UNKNOWN, attribute="response")
    relapsed = AnyOf("Relapsed", path="relapsed", choices=YesNo, unknown=YesNo.UNKNOWN, attribute="relapsed")
    adverse_events = AnyOf(
        "Adverse events",
        path="adverse_events",
        choices=Ascertainment,
        unknown=Ascertainment.NOT_STATED,
        attribute="adverse_events",
    )
    adverse_event = SetOf(
        "Adverse event category", kind="adverse_event", verbs=EVENTFUL, attribute="adverse_event", note=NONE_OF_KNOWN
    )
    serious = AnyOf(
        "Serious adverse event", verb="with_seriousness", choices=YesNo, unknown=YesNo.UNKNOWN, attribute="serious"
    )
    study = AnyOf("Study", kind="study", path="patient__study__slug")
    design = AnyOf("Study design", path="patient__study__design", choices=Design)
    year_min = Bound("Published from", path="patient__study__year", end="from", attribute="year", low=1900, high=2100)
    year_max = Bound("Published to", path="patient__study__year", end="to", attribute="year", low=1900, high=2100)
    missing = NotKnown("Not known")

    class Meta:
        model = Treatment
        fields = []
        form = QuestionForm

    def __init__(self, data, *, vocabulary: Vocabulary):
        super().__init__(data, Treatment.objects.none())
        for each in self.filters.values():
            if each.kind:
                each.extra["options"] = vocabulary.terms[each.kind]

    def question(self, collection: Collection) -> Question:
        """The question asked. Call it only when `is_valid()`."""
        return Question(
            collection,
            tuple((name, value) for name, value in self.form.cleaned_data.items() if value not in (None, "", ())),
        )

    def problems(self) -> list[str]:
        """What is wrong with the address, in sentences."""
        return [str(problem) for texts in self.errors.values() for problem in texts]


FILTERS: dict[str, Asked] = TreatmentFilter.base_filters
SETS = {name: each for name, each in FILTERS.items() if isinstance(each, SetOf)}


def courses(question: Question) -> QuerySet:
    """The courses that answer every part of the question."""
    asked = Treatment.objects.within(question.collection)
    for name, value in question:
        asked = FILTERS[name].filter(asked, value)
    return asked


def courses_known(question: Question) -> QuerySet:
    """The courses in which every item the question asks about is known: its denominator."""
    asked = Treatment.objects.within(question.collection)
    for name, value in question:
        asked = FILTERS[name].known(asked, value)
    return asked


@dataclass(frozen=True)
class Chip:
    """One part of a question in words, and the question without it."""

    name: str
    text: str
    rest: Question


def chips(question: Question, vocabulary: Vocabulary) -> list[Chip]:
    return [Chip(name, FILTERS[name].in_words(value, vocabulary), question.without(name)) for name, value in question]


class GroupFilter(django_filters.FilterSet):
    """The same words asked of groups, as far as aggregate evidence can answer them."""

    q = Search("Search", paths=["label", "study__short_name", "study__title", "study__authors", "study__journal"])
    inhibitor = AnyOf("JAK inhibitor", path="inhibitor__slug")
    indication = SetOf("Indication", kind="indication", verbs=INDICATED)
    subset = AnyOf("Disease subset", path="subset", choices=Subset)
    study = AnyOf("Study", path="study__slug")
    design = AnyOf("Study design", path="study__design", choices=Design)
    year_min = Bound("Published from", path="study__year", end="from", attribute="year", low=1900, high=2100)
    year_max = Bound("Published to", path="study__year", end="to", attribute="year", low=1900, high=2100)

    class Meta:
        model = StudyGroup
        fields = []


GROUP_FILTERS = GroupFilter.base_filters


def groups(question: Question) -> QuerySet:
    """The groups that answer those parts of the question a group can answer; `unasked` names the others."""
    asked = StudyGroup.objects.within(question.collection)
    for name, value in question:
        if name in GROUP_FILTERS:
            asked = GROUP_FILTERS[name].filter(asked, value)
    return asked


def unasked(question: Question) -> list[str]:
    """Labels of the parts no group can answer: a group has no one sex, age or response."""
    return [FILTERS[name].label for name, _ in question if name not in GROUP_FILTERS]


# Words that speak of the study itself, and of a registered trial as a whole.
STUDY_PATHS = {"study": "slug__in", "design": "design__in", "year_min": "year__gte", "year_max": "year__lte"}
STUDY_SEARCH = Search(
    "Search", paths=["slug", "short_name", "title", "authors", "journal", "registered_inhibitor__name"]
)


def studies(question: Question) -> QuerySet:
    """Studies that answer the question: as a whole, by a course, by a group, or by what a trial registers.

    Words about the study hold of the study. The remaining words have to hold of one of its courses or groups; a
    registered trial without patients yet can answer for its drug alone.
    """
    from .models import Study

    asked = Study.objects.within(question.collection)
    for name, path in STUDY_PATHS.items():
        if name in question:
            asked = asked.filter(**{path: question.value(name)})
    about_people = question.without(*STUDY_PATHS, "q")
    if "q" in question:
        by_people = asked.with_evidence(courses(question), groups(question))
        asked = asked.filter(
            Q(pk__in=STUDY_SEARCH.filter(asked, question.value("q")).values("pk")) | Q(pk__in=by_people.values("pk"))
        )
    if not about_people.parts:
        return asked
    answered = Q(pk__in=asked.with_evidence(courses(about_people), groups(about_people)).values("pk"))
    if {name for name, _ in about_people} == {"inhibitor"}:
        answered |= Q(registered_inhibitor__slug__in=about_people.value("inhibitor"))
    return asked.filter(answered)

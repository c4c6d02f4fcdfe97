"""A question to the courses of one collection: every filter word, its label and its meaning."""

from dataclasses import dataclass
from difflib import get_close_matches

import django_filters
from django import forms
from django.db.models import OuterRef, QuerySet

from ...models import AUTOANTIBODIES, MANIFESTATIONS, AdverseEvent, Collection, Treatment
from ...models.choices import Ascertainment, Assessed, Design, Match, Response, Sex, Subset, YesNo
from ..form_fields import MatchedSetField, cut
from ..question import Question
from ..vocabulary import Vocabulary
from .filter_kinds import AnyOf, Bound, NotKnown, QuestionFilter, Range, Search, SetOf

# What changes the display only; the rest of an address is the question. KEPT stay when the question changes.
KEPT = ("chart", "rule", "item", "shared", "with", "release")
VIEW_WORDS = {"sort", "page", *KEPT}


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
YEAR = Range(
    "Year",
    path="patient__study__year",
    low=1900,
    high=2100,
    attribute="year",
    chip="Published",
    heading="Year of publication",
)
LOOKED_FOR = "“None of” means looked for and absent; patients of whom it is not known are left out."
NONE_OF_KNOWN = "“None of” leaves out those of whom it is not known."


class QuestionForm(forms.Form):
    """Checks the words together: none unknown, no range turned round."""

    def clean(self):
        for word in self.data:
            if word not in self.words():
                self.add_error(None, self.unknown(word))
        for low, high in RANGES:
            if wrong := FILTERS[low].range.turned_round(self.cleaned_data.get(low), self.cleaned_data.get(high)):
                self.add_error(low, wrong)
        return self.cleaned_data

    def words(self) -> set[str]:
        matches = {f"{name}_match" for name, field in self.fields.items() if isinstance(field, MatchedSetField)}
        return set(self.fields) | matches | VIEW_WORDS

    def unknown(self, word: str) -> str:
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
    age_min, age_max = Range(
        "Age", path="patient__age_years", low=0, high=120, unit="years", attribute="age", before="sex"
    )
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
    dlco_min, dlco_max = Range(
        "DLCO", path="patient__dlco_percent", low=0, high=200, unit="% predicted", attribute="dlco"
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
    assessed = AnyOf(
        "Outcome assessed at about",
        verb="assessed_about",
        choices=Assessed,
        unknown=Assessed.UNKNOWN,
        attribute="assessed",
        several=True,
    )
    study = AnyOf("Study", kind="study", path="patient__study__slug")
    design = AnyOf("Study design", path="patient__study__design", choices=Design)
    year_min, year_max = YEAR
    missing = NotKnown("Not known")

    class Meta:
        model = Treatment
        fields = []
        form = QuestionForm

    def __init__(self, data, *, vocabulary: Vocabulary):
        super().__init__(data, Treatment.objects.none())
        self.vocabulary = vocabulary
        for each in self.filters.values():
            if each.kind:
                each.extra["options"] = vocabulary.terms[each.kind]

    def get_form_class(self):
        """Making a form class costs more than filling the form in, so it is kept with the words it was made for."""
        return self.vocabulary.kept("form", super().get_form_class)

    def question(self, collection: Collection) -> Question:
        """The question asked. Call it only when `is_valid()`."""
        return Question(
            collection,
            tuple((name, value) for name, value in self.form.cleaned_data.items() if value not in (None, "", ())),
        )

    def problems(self) -> list[str]:
        """What is wrong with the address, in sentences."""
        return [str(problem) for texts in self.errors.values() for problem in texts]


FILTERS: dict[str, QuestionFilter] = TreatmentFilter.base_filters


def form_layout() -> list[tuple[str, ...]]:
    """The filters in the order the form shows them; the two ends of a range stand together."""
    together: dict[str | Range, list[str]] = {}
    for name, each in FILTERS.items():
        together.setdefault(each.range if isinstance(each, Bound) else name, []).append(name)
    layout: list[tuple[str, ...]] = []
    for key, names in together.items():
        before = key.before if isinstance(key, Range) else ""
        layout.insert(layout.index((before,)) if before else len(layout), tuple(names))
    return layout


LAYOUT = form_layout()
RANGES = [names for names in LAYOUT if len(names) > 1]  # (low, high): the words of the two ends
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


def in_words(question: Question, vocabulary: Vocabulary) -> str:
    """The question in words, for those who cannot see its chips."""
    return "; ".join(chip.text for chip in chips(question, vocabulary)) or "everybody in the collection"

"""A question to the treatments of one collection: every filter word, its label and its meaning."""

from dataclasses import dataclass
from difflib import get_close_matches

import django_filters
from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet

from ...models import (
    AdverseEvent,
    AdverseEventCategory,
    Autoantibody,
    Collection,
    Indication,
    Manifestation,
    Outcome,
    Patient,
    PatientAutoantibody,
    PatientManifestation,
    Therapy,
    Treatment,
)
from ...models.appraisal import appraised_condition
from ...models.choices import (
    Appraised,
    Ascertainment,
    Assessed,
    Design,
    Presence,
    Response,
    RetractionStatus,
    Sex,
    Subset,
    YesNo,
)
from ...models.outcome import in_month_windows
from ...models.treatment import assessed_about, given_filter, with_seriousness
from ..form_fields import MatchedSetField, truncate_text
from ..question import Question
from ..three_answers import ThreeAnswers, all_of
from ..vocabulary import Vocabulary
from .facts import EVERYBODY, NOBODY, ConditionFacts, Facts
from .filter_kinds import AnyOf, Bound, NotKnown, QuestionFilter, Range, Search, SetOf
from .search_terms import named_terms

# What changes the display only; the rest of an address is the question. DISPLAY_PARAMS stay when
# the question changes.
DISPLAY_PARAMS = ("chart", "sensitivity", "rule", "item", "shared", "with", "release")
VIEW_PARAMS = {"sort", "page", *DISPLAY_PARAMS}


def mentions(word: str) -> Q:
    """Treatments whose records mention this word: in an adverse event, in an indication or another
    therapy of the treatment, or in an earlier therapy, a manifestation or an autoantibody of the
    patient. Terms that are recorded as absent do not count.

    Terms are named by the beginning of a word, so that “ild” does not find sildenafil; the
    description of an event contains the word anywhere.
    """
    event = Q(description__icontains=word) | Q(category__in=named_terms(AdverseEventCategory, word))
    condition = Q(Exists(AdverseEvent.objects.filter(event, treatment=OuterRef("pk"))))
    for links, term, terms in (
        (Treatment.indications.through, "indication", Indication),
        (Treatment.concomitant_therapies.through, "therapy", Therapy),
    ):
        if named := named_terms(terms, word):
            matches = links.objects.filter(**{f"{term}__in": named})
            condition |= Q(pk__in=matches.values("treatment"))
    if named := named_terms(Therapy, word):
        earlier = Patient.prior_therapies.through.objects.filter(therapy__in=named)
        condition |= Q(patient__in=earlier.values("patient"))
    for records, term, terms in (
        (PatientManifestation, "manifestation", Manifestation),
        (PatientAutoantibody, "autoantibody", Autoantibody),
    ):
        if named := named_terms(terms, word):
            matches = records.objects.filter(status=Presence.PRESENT, **{f"{term}__in": named})
            condition |= Q(patient__in=matches.values("patient"))
    return condition


YEAR = Range(
    "Year",
    path="patient__study__year",
    low=1900,
    high=2100,
    attribute="year",
    chip="Published",
    heading="Year of publication",
)
LOOKED_FOR = (
    "“None of” means looked for and absent, or a list that is complete; patients of whom it is "
    "not known are left out."
)
WHOLE_LISTS = "“Exactly” and “none of” leave out those whose list may not be complete."


class QuestionForm(forms.Form):
    """Checks the words together: none unknown, no range turned round."""

    def clean(self):
        for name in self.data:
            if name not in self.known_words():
                self.add_error(None, self.unknown(name))
        for low, high in RANGES:
            if message := FILTERS[low].range.turned_round(
                self.cleaned_data.get(low), self.cleaned_data.get(high)
            ):
                self.add_error(low, message)
        return self.cleaned_data

    def known_words(self) -> set[str]:
        matches = {
            f"{name}_match"
            for name, field in self.fields.items()
            if isinstance(field, MatchedSetField)
        }
        return set(self.fields) | matches | VIEW_PARAMS

    def unknown(self, name: str) -> str:
        similar = get_close_matches(name[:40], self.known_words(), n=1)
        return f"“{truncate_text(name)}” is not a filter." + (
            f" Did you mean “{similar[0]}”?" if similar else ""
        )


class TreatmentFilter(django_filters.FilterSet):
    """A question to the treatments of one collection."""

    q = Search(
        "Search",
        paths=[
            "patient__slug",
            "patient__notes",
            "patient__comorbidities",
            "patient__study__short_name",
            "patient__study__title",
            "patient__study__authors",
            "patient__study__journal",
        ],
        drug="inhibitor",
        related=mentions,
    )
    inhibitor = AnyOf("JAK inhibitor", kind="inhibitor", build_condition=given_filter)
    indication = SetOf("Indication", kind="indication", listed="indication", note=WHOLE_LISTS)
    sex = AnyOf("Sex", path="patient__sex", choices=Sex, unknown=Sex.UNKNOWN, attribute="sex")
    age_min, age_max = Range(
        "Age",
        path="patient__age_years",
        low=0,
        high=120,
        unit="years",
        attribute="age",
        before="sex",
    )
    subset = AnyOf(
        "Disease subset",
        path="patient__subset",
        choices=Subset,
        unknown=Subset.UNKNOWN,
        attribute="subset",
    )
    autoantibody = SetOf(
        "Autoantibody",
        kind="autoantibody",
        listed="autoantibody",
        note=LOOKED_FOR,
    )
    manifestation = SetOf(
        "Manifestation",
        kind="manifestation",
        listed="manifestation",
        note=LOOKED_FOR,
    )
    dlco_min, dlco_max = Range(
        "DLCO", path="patient__dlco_percent", low=0, high=200, unit="% predicted", attribute="dlco"
    )
    prior = SetOf("Prior therapy", kind="prior", listed="prior", note=WHOLE_LISTS)
    response = AnyOf(
        "Response",
        path="response",
        choices=Response,
        unknown=Response.UNKNOWN,
        attribute="response",
    )
    relapsed = AnyOf(
        "Relapsed", path="relapsed", choices=YesNo, unknown=YesNo.UNKNOWN, attribute="relapsed"
    )
    adverse_events = AnyOf(
        "Adverse events",
        path="adverse_events",
        choices=Ascertainment,
        unknown=Ascertainment.NOT_STATED,
        attribute="adverse_events",
    )
    adverse_event = SetOf(
        "Adverse event category", kind="adverse_event", listed="adverse_event", note=WHOLE_LISTS
    )
    serious = AnyOf(
        "Serious adverse event",
        build_condition=with_seriousness,
        choices=YesNo,
        unknown=YesNo.UNKNOWN,
        attribute="serious",
    )
    assessed = AnyOf(
        "Outcome assessed at about",
        build_condition=assessed_about,
        choices=Assessed,
        unknown=Assessed.UNKNOWN,
        attribute="assessed",
        several=True,
    )
    study = AnyOf("Study", kind="study", path="patient__study__slug")
    design = AnyOf(
        "Study design",
        path="patient__study__design",
        choices=Design,
        unknown=Design.UNKNOWN,
        attribute="design",
    )
    retraction = AnyOf(
        "Retraction", path="patient__study__retraction_status", choices=RetractionStatus
    )
    appraised = AnyOf(
        "Appraised",
        build_condition=appraised_condition("patient__study__"),
        choices=Appraised,
    )
    year_min, year_max = YEAR
    missing = NotKnown("Not known")

    class Meta:
        model = Treatment
        fields = []
        form = QuestionForm

    def __init__(self, data, *, vocabulary: Vocabulary):
        super().__init__(data, Treatment.objects.none())
        self.vocabulary = vocabulary
        for url_filter in self.filters.values():
            if url_filter.kind:
                url_filter.extra["options"] = vocabulary.terms[url_filter.kind]

    def get_form_class(self):
        """Making a form class costs more than filling the form in, so it is kept with the words it
        was made for.
        """
        return self.vocabulary.cached_value("form", super().get_form_class)

    def question(self, collection: Collection) -> Question:
        """The question asked. Call it only when `is_valid()`."""
        return Question(
            collection,
            tuple(
                (name, value)
                for name, value in self.form.cleaned_data.items()
                if value not in (None, "", ())
            ),
        )

    def problems(self) -> list[str]:
        """What is wrong with the address, in sentences."""
        return [str(problem) for texts in self.errors.values() for problem in texts]


FILTERS: dict[str, QuestionFilter] = TreatmentFilter.base_filters


def form_layout() -> list[tuple[str, ...]]:
    """The filters in the order the form shows them; the two ends of a range stand together."""
    names_by_key: dict[str | Range, list[str]] = {}
    for name, url_filter in FILTERS.items():
        names_by_key.setdefault(
            url_filter.range if isinstance(url_filter, Bound) else name, []
        ).append(name)
    layout: list[tuple[str, ...]] = []
    for key, names in names_by_key.items():
        following = key.before if isinstance(key, Range) else ""
        layout.insert(layout.index((following,)) if following else len(layout), tuple(names))
    return layout


LAYOUT = form_layout()
RANGES = [names for names in LAYOUT if len(names) > 1]  # (low, high): the words of the two ends
SETS = {name: url_filter for name, url_filter in FILTERS.items() if isinstance(url_filter, SetOf)}


def matching_treatments(question: Question) -> QuerySet:
    """The treatments that answer every part of the question with yes."""
    return Treatment.objects.within(question.collection).filter(question_answer(question).yes)


def matching_outcomes(question: Question) -> QuerySet:
    """The outcomes of the months that the question asks for, under the treatments that answer
    it.
    """
    outcomes = Outcome.objects.under(matching_treatments(question))
    return outcomes.filter(in_month_windows(question.outcome_months))


def treatments_known(question: Question) -> QuerySet:
    """The treatments that answer the question with yes or no."""
    return Treatment.objects.within(question.collection).filter(question_answer(question).settled)


def open_treatments(question: Question, part_name: str = "") -> QuerySet:
    """The treatments that leave the question open, of patients none of whose treatments answers it
    with yes.

    With the name of a part, those in which that part is open too.
    """
    open_treatments = Treatment.objects.within(question.collection).filter(
        ~question_answer(question).settled
    )
    if part_name:
        open_treatments = open_treatments.filter(~question_answer(question.only(part_name)).settled)
    return open_treatments.exclude(
        patient__in=matching_treatments(question).order_by().values("patient")
    )


def question_answer(question: Question) -> ThreeAnswers:
    """The question's answer as conditions on Treatment; everybody answers the empty question with
    yes.
    """
    facts = ConditionFacts()
    if not question.parts:
        return ThreeAnswers(EVERYBODY, NOBODY)
    return all_of(part_answer(name, value, facts) for name, value in question)


def part_answer(name: str, value, facts: Facts) -> ThreeAnswers:
    """One part's answer, from the facts of whichever engine asks."""
    return FILTERS[name].answer(value, facts)


@dataclass(frozen=True)
class Chip:
    """One part of a question in words, and the question without it."""

    name: str
    text: str
    rest: Question


def filter_chips(question: Question, vocabulary: Vocabulary) -> list[Chip]:
    return [
        Chip(name, FILTERS[name].in_words(value, vocabulary), question.without(name))
        for name, value in question
    ]


def describe_question(question: Question, vocabulary: Vocabulary) -> str:
    """The question in words, for those who cannot see its chips."""
    return (
        "; ".join(chip.text for chip in filter_chips(question, vocabulary))
        or "everybody in the collection"
    )

"""Two cohorts side by side, and the patients most like one in front of the reader."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from .. import charts, summaries
from ..downloads import chart_csv
from ..downloads.release_status import page_status, requested_release
from ..models import Collection
from ..models.choices import Sex, Subset
from ..questions.filters import FILTERS
from ..questions.form_fields import NumberField, WordsField, truncated
from ..questions.parsing import ParsedRequest, get_collection, parse_query_string
from ..questions.question import Question
from ..questions.request_checks import head_response
from ..questions.vocabulary import Vocabulary, vocabulary
from ..summaries.comparison import FEWEST
from .files import chart_head, refuse_file
from .navigation import navigation_tabs

SIDES = ("a", "b")
WORDS = {*SIDES, "release"}
ONE_VALUE = ("sex", "subset")  # criteria a patient has one value of
USUAL = (*ONE_VALUE, "manifestation")  # criteria unfolded from the start


def comparison_url(collection: Collection, one: Question, other: Question) -> str:
    """The page that compares two questions."""
    query = urlencode({"a": one.query(), "b": other.query()})
    return f"{reverse('compare', args=[collection.slug])}?{query}"


def parse_sides(request: HttpRequest, collection: Collection) -> tuple[dict[str, ParsedRequest], list[str]]:
    """The two questions of a comparison, as far as they are given, and what is wrong with them."""
    problems = [
        f"“{truncated(word)}” is no part of a comparison; it has a and b." for word in request.GET if word not in WORDS
    ]
    problems += [f"“{side}” is given more than once." for side in SIDES if len(request.GET.getlist(side)) > 1]
    found = {side: parse_query_string(request.GET[side], collection) for side in SIDES if side in request.GET}
    problems += [f"{side.upper()}: {problem}" for side, asked in found.items() for problem in asked.problems]
    return found, problems


@require_safe
def compare(request: HttpRequest, collection: str) -> HttpResponse:
    """Two questions side by side; with only one, ways to choose the other."""
    home = get_collection(collection)
    found, problems = parse_sides(request, home)
    status = page_status(request, home, problems)
    if head := head_response(request, status=status):
        return head
    context = {
        "collection": home,
        "problems": problems,
        "sides": found,
        "tabs": navigation_tabs(home, "", "compare"),
        "noun": "compare",
        "compared": None,
    }
    one, other = found.get("a"), found.get("b")
    if not problems and one and other:
        compared = summaries.side_by_side(one.question, other.question, one.vocabulary)
        context |= {
            "compared": compared,
            "fewest": FEWEST,
            "chart": charts.compare_chart(compared, home),
            "swapped": comparison_url(home, other.question, one.question),
            "same": one.question == other.question,
            "file": f"{reverse('compare_file', args=[home.slug])}?{request.GET.urlencode()}",
        }
    elif not problems:
        context["offers"] = offered_comparisons(
            home, (one or other).question if found else Question(home), vocabulary(home)
        )
    return render(request, "evidence/compare.html", context, status=status)


@require_safe
def compare_file(request: HttpRequest, collection: str) -> HttpResponse:
    """The numbers of a comparison as a CSV file."""
    home = get_collection(collection)
    found, problems = parse_sides(request, home)
    if len(found) < len(SIDES) and not problems:
        problems = ["A comparison needs a and b."]
    if answered := refuse_file(problems, requested_release(request.GET, home)) or chart_head(request, home, "compare"):
        return answered
    compared = summaries.side_by_side(found["a"].question, found["b"].question, found["a"].vocabulary)
    chart = charts.compare_chart(compared, home)
    return chart_csv(chart, found["a"].question, request.GET.urlencode())


def offered_comparisons(collection: Collection, question: Question, words: Vocabulary) -> list[tuple[str, str]]:
    """Comparisons one choice away: the question with another drug in place of its own."""
    drugs = [(code, label) for code, label in words.terms["inhibitor"].items()]
    counts = dict(summaries.inhibitors_given(question.without("inhibitor")))
    asked = question.value("inhibitor", ())
    given = [(code, label) for code, label in drugs if counts.get(code) and (code,) != asked]
    if not asked and len(given) > 1:
        (first, first_label), *given = sorted(given, key=lambda drug: -counts[drug[0]])
        question, asked_label = question.with_part("inhibitor", (first,)), first_label
    else:
        asked_label = " or ".join(words.label("inhibitor", code) for code in asked)
    return [
        (
            f"{asked_label} beside {label}",
            comparison_url(collection, question, question.with_part("inhibitor", (code,))),
        )
        for code, label in given
        if asked_label
    ]


@dataclass(frozen=True)
class Choice:
    """One list of the form to choose from; `options` are (code, label, chosen)."""

    name: str
    label: str
    options: list[tuple[str, str, bool]]
    one_only: bool  # radio buttons instead of boxes to tick
    usual: bool  # unfolded from the start

    @property
    def open(self) -> bool:
        return self.usual or any(chosen for _, _, chosen in self.options)


class SimilarForm(forms.Form):
    """What is known of a patient; everything may stay empty, and what is empty is not asked."""

    def __init__(self, data, *, words: Vocabulary):
        super().__init__(data)
        age = FILTERS["age_min"].range
        self.fields["age"] = NumberField(label=age.label, min_value=age.low, max_value=age.high, required=False)
        sexes = {code: label for code, label in Sex.choices if code != Sex.UNKNOWN}
        subsets = {code: label for code, label in Subset.choices if code != Subset.UNKNOWN}
        manifestations = words.terms["manifestation"]
        for name, label, options in [
            ("sex", "Sex", sexes),
            ("subset", "Disease subset", subsets),
            ("autoantibody", "Autoantibodies present", words.terms["autoantibody"]),
            ("manifestation", "Manifestations present", manifestations),
            ("without", "Looked for, absent", manifestations),
            ("prior", "Prior therapies", words.terms["prior"]),
        ]:
            self.fields[name] = WordsField(label=label, options=options, required=False)

    def clean(self):
        given = self.cleaned_data
        for word in self.data:
            if word not in self.fields:
                self.add_error(None, f"“{truncated(word)}” is no criterion here. Known: {', '.join(self.fields)}.")
        for name in ONE_VALUE:
            if len(given.get(name, ())) > 1:
                self.add_error(name, f"“{self.fields[name].label}” has one value; two are given.")
        both = set(given.get("manifestation", ())) & set(given.get("without", ()))
        if both:
            labels = ", ".join(self.fields["without"].options[code] for code in sorted(both))
            self.add_error("without", f"Both present and absent: {labels}.")
        return given

    def criteria(self) -> dict:
        """What is given, as `summaries.criteria` takes it."""
        given = {name: value for name, value in self.cleaned_data.items() if value not in (None, ())}
        return given | {name: given[name][0] for name in ONE_VALUE if name in given}

    @property
    def choices(self) -> list[Choice]:
        """The lists to choose from, in the order of the form."""
        return [
            Choice(
                name,
                field.label,
                [(code, label, code in self.data.getlist(name)) for code, label in field.options.items()],
                one_only=name in ONE_VALUE,
                usual=name in USUAL,
            )
            for name, field in self.fields.items()
            if isinstance(field, WordsField)
        ]


@require_safe
def similar(request: HttpRequest, collection: str) -> HttpResponse:
    """Patients like mine: who agrees in what, who differs, and what is not known."""
    home = get_collection(collection)
    words = vocabulary(home)
    form = SimilarForm(request.GET, words=words)
    problems = [str(problem) for texts in form.errors.values() for problem in texts]
    status = page_status(request, home, problems)
    if head := head_response(request, status=status):
        return head
    context = {
        "collection": home,
        "form": form,
        "typed_age": request.GET.get("age", ""),
        "tabs": navigation_tabs(home, "", "similar"),
        "noun": "similar",
        "span": summaries.AGE_SPAN,
        "found": None,
        "problems": problems,
    }
    if not problems and (asked := summaries.similarity_criteria(home, words, **form.criteria())):
        context["found"] = summaries.similar_patients(home, asked)
    return render(request, "evidence/similar.html", context, status=status)

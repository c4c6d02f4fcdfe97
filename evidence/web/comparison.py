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
from ..downloads.file_names import METADATA, FileAddress
from ..downloads.release_status import page_status, requested_number, requested_release
from ..models import Collection
from ..models.choices import Sex, Subset
from ..questions.filters import FILTERS
from ..questions.form_fields import NumberField, WordsField, truncate_text
from ..questions.parsing import ParsedRequest, get_collection, parse_query_string
from ..questions.question import Question
from ..questions.request_checks import head_response
from ..questions.vocabulary import Vocabulary, vocabulary
from ..summaries.cohort import PLACEHOLDERS
from ..summaries.comparison import FEWEST
from .collection_page import whole_collection_navigation
from .files import chart_head, describe_chart, refuse_file
from .linking import links_of_collection, signposted

SIDES = ("a", "b")
WORDS = {*SIDES, "release"}
ONE_VALUE = ("sex", "subset")  # criteria a patient has one value of
UNFOLDED = (*ONE_VALUE, "manifestation")  # criteria unfolded from the start


def comparison_url(collection: Collection, first: Question, second: Question) -> str:
    """The page that compares two questions."""
    query = urlencode({"a": first.query(), "b": second.query()})
    return f"{reverse('compare', args=[collection.slug])}?{query}"


def parse_sides(
    request: HttpRequest, collection: Collection
) -> tuple[dict[str, ParsedRequest], list[str]]:
    """The two questions of a comparison, as far as they are given, and what is wrong with them."""
    problems = [
        f"“{truncate_text(name)}” is no part of a comparison; it has a and b."
        for name in request.GET
        if name not in WORDS
    ]
    problems += [
        f"“{side}” is given more than once." for side in SIDES if len(request.GET.getlist(side)) > 1
    ]
    parsed_by_side = {
        side: parse_query_string(request.GET[side], collection)
        for side in SIDES
        if side in request.GET
    }
    problems += [
        f"{side.upper()}: {problem}"
        for side, parsed in parsed_by_side.items()
        for problem in parsed.problems
    ]
    return parsed_by_side, problems


@require_safe
@signposted(links_of_collection)
def comparison_page(request: HttpRequest, collection: str) -> HttpResponse:
    """Two questions side by side; with only one, ways to choose the other."""
    collection_record = get_collection(collection)
    parsed_by_side, problems = parse_sides(request, collection_record)
    status = page_status(request, collection_record, problems)
    if head := head_response(request, status=status):
        return head
    context = {
        "collection": collection_record,
        "problems": problems,
        "sides": parsed_by_side,
        "navigation": whole_collection_navigation(collection_record, "compare"),
        "noun": "compare",
        "compared": None,
    }
    first, second = parsed_by_side.get("a"), parsed_by_side.get("b")
    if not problems and first and second:
        compared = summaries.side_by_side(first.question, second.question, first.vocabulary)
        context |= {
            "compared": compared,
            "fewest": FEWEST,
            "chart": charts.compare_chart(compared, collection_record),
            "swapped": comparison_url(collection_record, second.question, first.question),
            "same": first.question == second.question,
            "file": reverse("compare_file", args=[collection_record.slug])
            + f"?{request.GET.urlencode()}",
        }
    elif not problems:
        context["offers"] = offered_comparisons(
            collection_record,
            (first or second).question if parsed_by_side else Question(collection_record),
            vocabulary(collection_record),
        )
    return render(request, "evidence/compare.html", context, status=status)


def read_compare_request(
    request: HttpRequest, collection: Collection
) -> tuple[dict[str, ParsedRequest], HttpResponse | None]:
    """The sides of a comparison as a file, and why there is none."""
    parsed_by_side, problems = parse_sides(request, collection)
    if len(parsed_by_side) < len(SIDES) and not problems:
        problems = ["A comparison needs a and b."]
    return parsed_by_side, refuse_file(problems, requested_release(request.GET, collection))


def compared_chart(sides: dict[str, ParsedRequest]) -> charts.Chart:
    first, second = sides["a"], sides["b"]
    compared = summaries.side_by_side(first.question, second.question, first.vocabulary)
    return charts.compare_chart(compared, first.collection)


def compare_address(request: HttpRequest, sides: dict[str, ParsedRequest]) -> FileAddress:
    """The address of the file of a comparison, or of the one that is described."""
    query = urlencode([(side, sides[side].asked_query) for side in SIDES])
    words = "; ".join(f"{side.upper()}: {sides[side].in_words}" for side in SIDES)
    path = request.path.removesuffix(METADATA)
    asked, release = request.META.get("QUERY_STRING", ""), requested_number(request.GET)
    return FileAddress(path, query, asked, words, release)


@require_safe
def compare_file(request: HttpRequest, collection: str) -> HttpResponse:
    """The numbers of a comparison as a CSV file."""
    collection_record = get_collection(collection)
    sides, refused = read_compare_request(request, collection_record)
    if refused:
        return refused
    address = compare_address(request, sides)
    if head := chart_head(request, collection_record, "compare", address):
        return head
    chart = compared_chart(sides)
    return chart_csv(chart, sides["a"].question, address, request.GET.urlencode())


@require_safe
def compare_file_metadata(request: HttpRequest, collection: str) -> HttpResponse:
    """What describes the numbers of a comparison as a file."""
    collection_record = get_collection(collection)
    sides, refused = read_compare_request(request, collection_record)
    if refused:
        return refused
    address = compare_address(request, sides)
    question = sides["a"].question
    return describe_chart(request, lambda: compared_chart(sides), "compare", question, address)


def offered_comparisons(
    collection: Collection, question: Question, vocabulary: Vocabulary
) -> list[tuple[str, str]]:
    """Comparisons one choice away: the question with another drug in place of its own. Where it
    names none, the drug of most patients stands beside the others, the next most frequent first.
    """
    drugs = [(code, label) for code, label in vocabulary.terms["inhibitor"].items()]
    counts = dict(summaries.inhibitors_given(question.without("inhibitor")))
    asked_codes = question.value("inhibitor", ())
    offered = [
        (code, label) for code, label in drugs if counts.get(code) and (code,) != asked_codes
    ]
    if not asked_codes and len(offered) > 1:
        (first, first_label), *offered = sorted(
            offered, key=lambda drug: (drug[0] in PLACEHOLDERS, -counts[drug[0]])
        )
        question, asked_label = question.with_part("inhibitor", (first,)), first_label
    else:
        asked_label = " or ".join(vocabulary.label("inhibitor", code) for code in asked_codes)
    return [
        (
            f"{asked_label} beside {label}",
            comparison_url(collection, question, question.with_part("inhibitor", (code,))),
        )
        for code, label in offered
        if asked_label
    ]


@dataclass(frozen=True)
class Choice:
    """One list of the form to choose from; `options` are (code, label, chosen)."""

    name: str
    label: str
    options: list[tuple[str, str, bool]]
    one_only: bool  # radio buttons instead of boxes to tick
    is_unfolded: bool  # unfolded from the start

    @property
    def open(self) -> bool:
        return self.is_unfolded or any(is_chosen for _, _, is_chosen in self.options)


class SimilarForm(forms.Form):
    """What is known of a patient; everything may stay empty, and what is empty is not asked."""

    def __init__(self, data, *, vocabulary: Vocabulary):
        super().__init__(data)
        age = FILTERS["age_min"].range
        self.fields["age"] = NumberField(
            label=age.label, min_value=age.low, max_value=age.high, required=False
        )
        sexes = {code: label for code, label in Sex.choices if code != Sex.UNKNOWN}
        subsets = {code: label for code, label in Subset.choices if code != Subset.UNKNOWN}
        manifestations = vocabulary.terms["manifestation"]
        for name, label, options in [
            ("sex", "Sex", sexes),
            ("subset", "Disease subset", subsets),
            ("autoantibody", "Autoantibodies present", vocabulary.terms["autoantibody"]),
            ("manifestation", "Manifestations present", manifestations),
            ("without", "Looked for, absent", manifestations),
            ("prior", "Prior therapies", vocabulary.terms["prior"]),
        ]:
            self.fields[name] = WordsField(label=label, options=options, required=False)

    def clean(self):
        cleaned = self.cleaned_data
        for name in self.data:
            if name not in self.fields:
                self.add_error(
                    None,
                    f"“{truncate_text(name)}” is no criterion here. Known: "
                    f"{', '.join(self.fields)}.",
                )
        for name in ONE_VALUE:
            if len(cleaned.get(name, ())) > 1:
                self.add_error(name, f"“{self.fields[name].label}” has one value; two are given.")
        contradicting = set(cleaned.get("manifestation", ())) & set(cleaned.get("without", ()))
        if contradicting:
            labels = ", ".join(
                self.fields["without"].options[code] for code in sorted(contradicting)
            )
            self.add_error("without", f"Both present and absent: {labels}.")
        return cleaned

    def criteria(self) -> dict:
        """The criteria that were entered, as arguments for `summaries.similarity_criteria`."""
        criteria = {
            name: value for name, value in self.cleaned_data.items() if value not in (None, ())
        }
        return criteria | {name: criteria[name][0] for name in ONE_VALUE if name in criteria}

    @property
    def choice_lists(self) -> list[Choice]:
        """The lists to choose from, in the order of the form."""
        return [
            Choice(
                name,
                field.label,
                [
                    (code, label, code in self.data.getlist(name))
                    for code, label in field.options.items()
                ],
                one_only=name in ONE_VALUE,
                is_unfolded=name in UNFOLDED,
            )
            for name, field in self.fields.items()
            if isinstance(field, WordsField)
        ]


@require_safe
@signposted(links_of_collection)
def similar_page(request: HttpRequest, collection: str) -> HttpResponse:
    """Patients like mine: who agrees in what, who differs, and what is not known."""
    collection_record = get_collection(collection)
    terms = vocabulary(collection_record)
    criteria_asked = request.GET.copy()
    releases = {text for text in criteria_asked.pop("release", ()) if text}
    form = SimilarForm(criteria_asked, vocabulary=terms)
    problems = [str(problem) for texts in form.errors.values() for problem in texts]
    if len(releases) > 1:
        problems.append("“release” is given more than once.")
    status = page_status(request, collection_record, problems)
    if head := head_response(request, status=status):
        return head
    context = {
        "collection": collection_record,
        "form": form,
        "release": min(releases, default=""),
        "typed_age": request.GET.get("age", ""),
        "navigation": whole_collection_navigation(collection_record, "similar"),
        "noun": "similar",
        "span": summaries.AGE_SPAN,
        "similar": None,
        "problems": problems,
    }
    if not problems and (
        criteria := summaries.similarity_criteria(collection_record, terms, **form.criteria())
    ):
        context["similar"] = summaries.similar_patients(collection_record, criteria)
    return render(request, "evidence/similar.html", context, status=status)

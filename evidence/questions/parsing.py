"""Reads the question of a request, once, for every page and file."""

from dataclasses import dataclass, field

from django.http import Http404, HttpRequest, QueryDict

from ..models import Collection
from ..models.consistency import all_collections
from .filters import DISPLAY_PARAMS, SETS, Chip, TreatmentFilter, describe_question, filter_chips
from .form_fields import truncate_text
from .question import Question
from .vocabulary import Vocabulary, vocabulary


@dataclass
class ParsedRequest:
    """What a request asks of a collection. `question` is None where the address is wrong;
    `problems` says how.
    """

    collection: Collection
    vocabulary: Vocabulary
    form: TreatmentFilter
    question: Question | None
    problems: list[str] = field(default_factory=list)
    # words that change the display and stay with the reader
    view: dict[str, list[str]] = field(default_factory=dict)

    def query(self, question: Question | None = None, **changes: str) -> str:
        """The query string of a question, by default of this one, with the words of the view."""
        return (question or self.question_or_all).query(**(self.view | changes))

    def view_param(self, name: str) -> str:
        """A display parameter that has one value."""
        return next(iter(self.view.get(name, ())), "")

    @property
    def question_or_all(self) -> Question:
        """The question, or the open one where it is wrong: what the form's counts refer to."""
        return self.question or Question(self.collection)

    @property
    def asked_query(self) -> str:
        """The query string of the question alone."""
        return self.question_or_all.query()

    @property
    def chips(self) -> list[Chip]:
        return filter_chips(self.question, self.vocabulary) if self.question else []

    @property
    def match_words(self) -> dict[str, str]:
        """Match words of the address, also those whose set is still empty."""
        if self.question is None:
            return {}
        return {name: self.form.data.get(f"{name}_match") or "any" for name in SETS}

    @property
    def in_words(self) -> str:
        """The question in words, for those who cannot see its chips."""
        return describe_question(self.question_or_all, self.vocabulary)

    def entered_values(self, name: str) -> str:
        """What the field of a filter shows: what was typed, right or wrong."""
        return self.form.data.get(name, "")


def get_collection(slug: str) -> Collection:
    """Raises Http404 for an unknown collection."""
    for collection in all_collections():
        if collection.slug == slug:
            return collection
    raise Http404("There is no such collection.")


def parse_request(request: HttpRequest, slug: str) -> ParsedRequest:
    """The question of a request. Raises Http404 for an unknown collection."""
    return parse_params(request.GET, get_collection(slug))


def parse_params(data: QueryDict, collection: Collection) -> ParsedRequest:
    """The question in the parameters of an address, and the parameters that change the display
    only.
    """
    terms = vocabulary(collection)
    form = TreatmentFilter(data, vocabulary=terms)
    view = {
        name: values
        for name in DISPLAY_PARAMS
        if (values := [value for value in data.getlist(name) if value])
    }
    if not all(len(value) <= MAX_RELEASE_DIGITS for value in view.get("release", ())):
        del view["release"]  # no release; links need not repeat what a page has refused
    problems = display_problems(data)
    if form.is_valid() and not problems:
        return ParsedRequest(collection, terms, form, form.question(collection), view=view)
    return ParsedRequest(collection, terms, form, None, [*form.problems(), *problems], view)


MAX_RELEASE_DIGITS = 9
# Display parameters that switch one thing on: any other word would be taken for yes.
SWITCHES = {"shared": "yes", "sensitivity": "on"}
# What stands once: of two different values a reader could not know which one was meant.
SINGLE_PARAMS = ("shared", "sensitivity", "item", "rule", "with", "release", "sort", "page")


def display_problems(data: QueryDict) -> list[str]:
    """What is wrong with the parameters that change the display of a question's answer."""
    problems = [
        f"“{truncate_text(value)}” is no value of “{name}”; it is “{known}” or left out."
        for name, known in SWITCHES.items()
        for value in data.getlist(name)
        if value not in ("", known)
    ]
    problems += [
        f"“{name}” is given more than once."
        for name in SINGLE_PARAMS
        if len(set(filter(None, data.getlist(name)))) > 1
    ]
    return problems


def parse_query_string(text: str, collection: Collection) -> ParsedRequest:
    """The question that a query string inside an address spells, as a comparison has two of
    them.
    """
    return parse_params(QueryDict(text.removeprefix("?")), collection)

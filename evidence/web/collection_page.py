"""What every page of a collection shows, and how a page or its changing part is answered."""

from dataclasses import dataclass, field, fields
from typing import Any, Self

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from .. import summaries
from ..downloads import FILE_FORMATS
from ..downloads.release_status import page_status, parts_not_in_archives
from ..models import Collection
from ..questions.heading import question_heading
from ..questions.parsing import ParsedRequest, parse_query_string
from ..questions.question import Question
from ..questions.request_checks import head_response
from ..summaries import GroupCover, Matches, group_cover, run_summaries
from ..summaries.cohort import Answer, Totals
from ..summaries.shares import Summary
from ..tables import TABLES
from .filter_form import Input, form_inputs, hidden_inputs
from .navigation import Navigation, collection_navigation

MAX_NEAREST = 4  # nearby questions offered where nobody matches
CHARTS_TARGET = "charts"  # the id of the element that htmx puts charts into, alone


class Context:
    """A dataclass whose fields are the names a template knows."""

    def context(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class CollectionPage(Context):
    """The frame of a collection's page: navigation, heading, answer, form, groups beside the
    patients.
    """

    parsed: ParsedRequest
    collection: Collection
    inputs: list[Input]
    hidden: list[tuple[str, str]]  # display parameters that the page has no input for
    answer: Answer
    totals: Totals
    matches: list[Matches]
    navigation: Navigation
    heading: str  # the question in a line, or the collection's name where nothing is asked
    retracted: str  # how many studies of the question were retracted, in a sentence
    without_retracted: Question | None  # the question that leaves them out, where there are any
    noun: str
    query: str  # of the question alone; empty where the address is wrong
    sort: str
    compare_with: ParsedRequest | None
    # where the question can be followed; empty where no feed can ask it, or the page has another
    follow: str = ""
    cover: GroupCover | None = None  # the groups of the question; None where the address is wrong
    nearest: list[tuple] = field(default_factory=list)
    # results of the page's own summaries, by name
    counted: dict[str, Any] = field(default_factory=dict)
    formats: dict = field(default_factory=lambda: FILE_FORMATS)

    @classmethod
    def build(
        cls, request: HttpRequest, parsed: ParsedRequest, noun: str, **own_summaries: Summary
    ) -> Self:
        """Counts what the frame shows, and the page's `own_summaries` summaries in the same
        statement.
        """
        question = parsed.question_or_all
        facets, answer, totals, matches, counts, retracted, *results = run_summaries(
            summaries.filter_facets(question, parsed.vocabulary, parsed.match_words),
            summaries.match_summary(question),
            summaries.cohort_totals(question),
            summaries.match_counts(question, parsed.vocabulary),
            summaries.list_counts(question),
            summaries.retracted_studies(question),
            *own_summaries.values(),
        )
        query = question.query() if parsed.question else ""
        compare_with = parsed.view_param("with")
        return cls(
            parsed=parsed,
            collection=parsed.collection,
            inputs=form_inputs(parsed, facets),
            hidden=hidden_inputs(parsed, noun),
            answer=answer,
            totals=totals,
            matches=matches,
            navigation=collection_navigation(parsed.collection, query, noun, counts),
            heading=question_heading(question, parsed.vocabulary) or parsed.collection.name,
            retracted=retracted.sentence(counts["studies"]) if retracted else "",
            without_retracted=retracted and retracted.without_them,
            noun=noun,
            query=query,
            sort=request.GET.get("sort", ""),
            compare_with=parse_query_string(compare_with, parsed.collection)
            if compare_with
            else None,
            follow=follow_address(parsed, noun),
            cover=group_cover(parsed.question) if parsed.question else None,
            nearest=nearest_with_groups(parsed) if parsed.chips and not totals.patients else [],
            counted=dict(zip(own_summaries, results, strict=True)),
        )


def follow_address(parsed: ParsedRequest, noun: str) -> str:
    """The feed of a page's question, for the overview and the lists."""
    if parsed.question is None or parts_not_in_archives(parsed.question):
        return ""
    if noun and noun not in TABLES:
        return ""
    feed, query = reverse("question_feed", args=[parsed.collection.slug]), parsed.question.query()
    return f"{feed}?{query}" if query else feed


def nearest_with_groups(parsed: ParsedRequest) -> list[tuple]:
    """Nearby questions that somebody answers, each with the groups that answer it too."""
    (nearest,) = run_summaries(summaries.nearest_questions(parsed.question, parsed.vocabulary))
    return [(nearby, group_cover(nearby.question)) for nearby in nearest[:MAX_NEAREST]]


def render_page(
    request: HttpRequest, page: CollectionPage, template: str, own_context: Context | dict
) -> HttpResponse:
    """The whole page, or for htmx the part that changes; the address bar then gets the question's
    own spelling.
    """
    layout = "evidence/_part.html" if wants_part(request) else "base.html"
    status = page_status(request, page.collection, page.parsed.problems)
    own_context = own_context.context() if isinstance(own_context, Context) else own_context
    response = render(
        request, template, {"layout": layout} | page.context() | own_context, status=status
    )
    return with_page_headers(response, request, page.parsed)


def head_of_page(request: HttpRequest, parsed: ParsedRequest) -> HttpResponse | None:
    """The answer to HEAD of a page, to be given once all problems of its address are known."""
    head = head_response(request, status=page_status(request, parsed.collection, parsed.problems))
    return head and with_page_headers(head, request, parsed)


def with_page_headers(
    response: HttpResponse, request: HttpRequest, parsed: ParsedRequest
) -> HttpResponse:
    if wants_part(request) and parsed.question:
        query = parsed.query(sort=request.GET.get("sort", ""))
        response.headers["HX-Push-Url"] = f"{request.path}?{query}" if query else request.path
    return response


def wants_part(request: HttpRequest) -> bool:
    """Whether htmx asks for the part of a page that changes with the question."""
    return is_partial(request) and not asks_in_place(request, CHARTS_TARGET)


def asks_in_place(request: HttpRequest, target: str) -> bool:
    """Whether htmx asks for what one element of another page holds."""
    return is_partial(request) and request.htmx.target == target


def is_partial(request: HttpRequest) -> bool:
    """Whether htmx asks for less than a page."""
    return (
        bool(request.htmx) and not request.htmx.history_restore_request and not request.htmx.boosted
    )


def whole_collection_navigation(collection: Collection, noun: str) -> Navigation:
    """The navigation of a page that asks no question of its own."""
    (counts,) = run_summaries(summaries.list_counts(Question(collection)))
    return collection_navigation(collection, "", noun, counts)

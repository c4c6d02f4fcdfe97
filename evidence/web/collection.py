"""The pages of one collection: cohort, lists, files."""

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from .. import summaries
from ..charts.registry import CHARTS, ChartSpec, build_chart, drop_default_charts, selected_charts
from ..downloads import (
    FILE_FORMATS,
    TooManyRows,
    attachment_header,
    bundle_pieces,
    chart_csv,
    citation_file,
    file_name,
    list_download,
)
from ..downloads.citations import FORMATS
from ..downloads.phenopackets import cohort_pieces as cohort_of_phenopackets
from ..downloads.release_status import RequestedRelease, page_status, requested_release
from ..models import Collection
from ..questions.form_fields import truncated
from ..questions.parsing import ParsedRequest, parse_query_string, parse_request
from ..questions.request_checks import head_response, problems_as_text
from ..summaries import group_cover, run_summaries
from ..tables import TABLES, order_records
from .filter_form import hidden, inputs
from .listing import make_listing, page_links
from .navigation import navigation_tabs

NEAREST = 4  # nearby questions offered where nobody matches


@require_safe
def cohort(request: HttpRequest, collection: str) -> HttpResponse:
    """The overview: the answer in a sentence, shares, charts."""
    asked = parse_request(request, collection)
    drop_default_charts(asked)
    if head := head_of_page(request, asked):
        return head
    picked = selected_charts(asked) if asked.question else []
    context = collection_context(request, asked, "", counts_of_overview(asked, picked) if asked.question else [])
    if asked.question:
        context |= overview(request, asked, context, picked)
    return render_page(request, asked, "evidence/cohort.html", context)


@require_safe
def rows_of(request: HttpRequest, collection: str, noun: str) -> HttpResponse:
    """One noun's rows, for the same question."""
    asked = parse_request(request, collection)
    if head := head_of_page(request, asked):
        return head
    table = TABLES[noun]
    picked = charts_beside(noun, asked)
    counted = [each.counts(asked) for each in picked if each.counts]
    context = collection_context(request, asked, noun, counted) | {"table": table, "listed": None}
    if asked.question:
        listed = make_listing(request, table, asked.question, asked.vocabulary, context["totals"].of(table.unit))
        context |= {"listed": listed, "page_links": page_links(listed, asked.question)}
        context["charts"] = draw_charts(asked, picked, context["rest"], context["totals"])
    return render_page(request, asked, "evidence/list.html", context)


@require_safe
def file_of(request: HttpRequest, collection: str, noun: str, how: str) -> HttpResponse:
    """The same rows as a file; a wrong question is a 400 that says why."""
    asked = parse_request(request, collection)
    table, problems = TABLES[noun], list(asked.problems)
    sort = request.GET.get("sort", "")
    if not table.sorts_by(sort):
        problems.append(f"This file cannot be sorted so. Known: {', '.join(table.sort_words())}.")
    if refused := refuse_file(problems, requested_release(asked.form.data, asked.collection)):
        return refused
    try:
        return list_download(table, order_records(table, table.records(asked.question), sort), asked.question, how)
    except TooManyRows as error:
        return problems_as_text([str(error)])


@require_safe
def chart_file(request: HttpRequest, collection: str, name: str) -> HttpResponse:
    """The numbers of one chart as a CSV file, each number in a column of its own."""
    asked = parse_request(request, collection)
    if name not in CHARTS:
        raise Http404("There is no such chart.")
    if answered := refuse_file(asked.problems, requested_release(asked.form.data, asked.collection)) or chart_head(
        request, asked.collection, name
    ):
        return answered
    return chart_csv(build_chart(asked, name), asked.question)


@require_safe
def citations(request: HttpRequest, collection: str, how: str) -> HttpResponse:
    """The studies of exactly this question as RIS or BibTeX."""
    asked = parse_request(request, collection)
    if asked.collection.is_simulated:
        raise Http404("Simulated articles cannot be cited.")
    if refused := refuse_file(asked.problems, requested_release(asked.form.data, asked.collection)):
        return refused
    name = file_name(asked.collection, how, "studies")
    if head := head_response(request, f"{FORMATS[how][1]}; charset=utf-8", attachment_header(name)):
        return head
    return citation_file(TABLES["studies"].records(asked.question).order_by("short_name", "slug"), name, how)


@require_safe
def bundle_of(request: HttpRequest, collection: str) -> HttpResponse:
    """Everything this question finds, as one ZIP."""
    asked = parse_request(request, collection)
    if refused := refuse_file(asked.problems, requested_release(asked.form.data, asked.collection)):
        return refused
    headers = attachment_header(file_name(asked.collection, "zip"))
    written = bundle_pieces(asked.question, asked.vocabulary)
    return StreamingHttpResponse(written, content_type="application/zip", headers=headers)


@require_safe
def phenopackets_of(request: HttpRequest, collection: str) -> HttpResponse:
    """The patients of this question as a cohort of phenopackets."""
    asked = parse_request(request, collection)
    if refused := refuse_file(asked.problems, requested_release(asked.form.data, asked.collection)):
        return refused
    headers = attachment_header(file_name(asked.collection, "json", "phenopackets"))
    written = cohort_of_phenopackets(asked.question, asked.vocabulary)
    return StreamingHttpResponse(written, content_type="application/json", headers=headers)


def refuse_file(problems: list[str], pin: RequestedRelease | None) -> HttpResponse | None:
    """Why there is no file: a wrong question (400), or data that have moved on since the release it names (409)."""
    if pin and pin.problem:
        problems = [*problems, pin.problem]
    if problems:
        return problems_as_text(problems)
    return problems_as_text([pin.moved_on], 409) if pin and pin.moved else None


def chart_head(request: HttpRequest, collection: Collection, name: str) -> HttpResponse | None:
    """The answer to HEAD of a chart's numbers as a file."""
    if request.method != "HEAD":
        return None
    return head_response(request, "text/csv; charset=utf-8", attachment_header(file_name(collection, "csv", name)))


def collection_context(request: HttpRequest, asked: ParsedRequest, noun: str, more: list = ()) -> dict:
    """What every page of a collection shows: form, chips, answer, tabs, groups beside the patients.

    `more` are the summaries a page counts besides, so that everything travels in one statement; see `rest`.
    """
    shown = asked.question_or_all
    wanted = [
        summaries.filter_facets(shown, asked.vocabulary, asked.match_words),
        summaries.match_summary(shown),
        summaries.cohort_totals(shown),
        summaries.match_counts(shown, asked.vocabulary),
        *more,
    ]
    facets, answer, totals, matches, *rest = run_summaries(*wanted)
    context = {
        "asked": asked,
        "collection": asked.collection,
        "inputs": inputs(asked, facets),
        "hidden": hidden(asked, noun),
        "answer": answer,
        "totals": totals,
        "matches": matches,
        "rest": rest,
        "tabs": navigation_tabs(asked.collection, shown.query() if asked.question else "", noun),
        "noun": noun,
        "query": shown.query() if asked.question else "",
        "sort": request.GET.get("sort", ""),
        "formats": FILE_FORMATS,
        "choosable": CHARTS.values(),
        "beside": parse_query_string(asked.view_param("with"), asked.collection) if asked.view_param("with") else None,
    }
    if asked.question:
        context["cover"] = group_cover(asked.question)
        if not totals.patients and asked.question.parts:
            context["nearest"] = nearest_with_groups(asked)
    return context


def nearest_with_groups(asked: ParsedRequest) -> list[tuple]:
    """Nearby questions that somebody answers, each with the groups that answer it too."""
    (found,) = run_summaries(summaries.nearest_questions(asked.question, asked.vocabulary))
    return [(each, group_cover(each.question)) for each in found[:NEAREST]]


def draw_charts(asked: ParsedRequest, picked: list[ChartSpec], counted: list, totals) -> list:
    """The charts, in order; those with nothing a reader would look for are left out."""
    left = iter(counted)
    drawn = [each.draw(asked, next(left) if each.counts else None, totals) for each in picked]
    return [chart for chart in drawn if chart is not None]


def counts_of_overview(asked: ParsedRequest, picked: list[ChartSpec]) -> list:
    """What the overview counts besides its frame: the shares of its table, and what the charts need."""
    question = asked.question
    shares = [summaries.headline_shares(question), summaries.outcomes_by_domain(question)]
    return [*shares, *(each.counts(asked) for each in picked if each.counts)]


def overview(request: HttpRequest, asked: ParsedRequest, context: dict, picked: list[ChartSpec]) -> dict:
    """Shares, charts, and the first patients."""
    headlines, domains, *counted = context["rest"]
    collection, people = asked.collection, context["totals"].patients
    if not people:  # then only charts of groups have something to show; they count no patients
        picked, counted = [each for each in picked if each.name.startswith("group-")], []
    shown = {
        "headlines": headlines,
        "domains": domains,
        "charts": draw_charts(asked, picked, counted, context["totals"]),
        "picked": {each.name for each in selected_charts(asked)},
        "strange": [truncated(name) for name in asked.view.get("chart", ()) if name not in CHARTS],
        "listed": None,
    }
    if people:
        table, address = TABLES["patients"], reverse("list", args=[collection.slug, "patients"])
        shown |= {
            "listed": make_listing(request, table, asked.question, asked.vocabulary, people, address),
            "table": table,
            "page_links": [],
        }
    return shown


def charts_beside(noun: str, asked: ParsedRequest) -> list[ChartSpec]:
    """Charts that belong to a list."""
    if not asked.question:
        return []
    names = {"adverse-events": ["adverse-events"], "groups": ["group-levels", "group-changes"]}
    return [CHARTS[name] for name in names.get(noun, [])]


def render_page(request: HttpRequest, asked: ParsedRequest, template: str, context: dict) -> HttpResponse:
    """The whole page, or for htmx the part that changes; the address bar then gets the question's own spelling."""
    layout = "evidence/_part.html" if wants_part(request) else "base.html"
    status = page_status(request, asked.collection, asked.problems)
    response = render(request, template, context | {"layout": layout}, status=status)
    return with_headers_of_page(response, request, asked)


def head_of_page(request: HttpRequest, asked: ParsedRequest) -> HttpResponse | None:
    """The answer to HEAD of a page, to be given once all problems of its address are known."""
    head = head_response(request, status=page_status(request, asked.collection, asked.problems))
    return head and with_headers_of_page(head, request, asked)


def with_headers_of_page(response: HttpResponse, request: HttpRequest, asked: ParsedRequest) -> HttpResponse:
    if wants_part(request) and asked.question:
        query = asked.query(sort=request.GET.get("sort", ""))
        response.headers["HX-Push-Url"] = f"{request.path}?{query}" if query else request.path
    return response


def wants_part(request: HttpRequest) -> bool:
    """Whether htmx asks for the part of a page that changes with the question."""
    return bool(request.htmx) and not request.htmx.history_restore_request and not request.htmx.boosted

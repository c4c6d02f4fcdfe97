"""The files of one collection: lists, charts, citations, the bundle, phenopackets."""

import json

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from ..charts.registry import CHARTS, build_chart
from ..downloads import (
    BUNDLE_FORMATS,
    TooManyRows,
    attachment_header,
    chart_csv,
    citation_file,
    file_name,
    list_download,
)
from ..downloads.citations import FORMATS
from ..downloads.metadata import (
    DATACITE_TYPE,
    datacite_record,
    describe_collection,
    sources_of,
)
from ..downloads.phenopackets import cohort_pieces as cohort_phenopackets
from ..downloads.release_status import RequestedRelease, requested_release
from ..models import Collection
from ..questions.parsing import get_collection, parse_request
from ..questions.request_checks import accept_params, head_response, problems_as_text
from ..tables import FILE_TABLES, TABLES, order_records


@require_safe
def list_file(request: HttpRequest, collection: str, noun: str, how: str) -> HttpResponse:
    """The same rows as a file; a wrong question is a 400 that says why."""
    parsed = parse_request(request, collection)
    table, problems = FILE_TABLES[noun], list(parsed.problems)
    sort = request.GET.get("sort", "")
    if not table.sorts_by(sort):
        problems.append(f"This file cannot be sorted so. Known: {', '.join(table.sort_words())}.")
    if refused := refuse_file(problems, requested_release(parsed.form.data, parsed.collection)):
        return refused
    try:
        return list_download(
            table, order_records(table, table.records(parsed.question), sort), parsed.question, how
        )
    except TooManyRows as error:
        return problems_as_text([str(error)])


@require_safe
def chart_file(request: HttpRequest, collection: str, name: str) -> HttpResponse:
    """The numbers of one chart as a CSV file, each number in a column of its own."""
    parsed = parse_request(request, collection)
    if name not in CHARTS:
        raise Http404("There is no such chart.")
    if response := refuse_file(
        parsed.problems, requested_release(parsed.form.data, parsed.collection)
    ) or chart_head(request, parsed.collection, name):
        return response
    return chart_csv(build_chart(parsed, name), parsed.question)


@require_safe
def citations_file(request: HttpRequest, collection: str, how: str) -> HttpResponse:
    """The studies of exactly this question as RIS or BibTeX."""
    parsed = parse_request(request, collection)
    if parsed.collection.is_simulated:
        raise Http404("Simulated articles cannot be cited.")
    if refused := refuse_file(
        parsed.problems, requested_release(parsed.form.data, parsed.collection)
    ):
        return refused
    name = file_name(parsed.collection, how, "studies")
    if head := head_response(
        request, f"{FORMATS[how][1]}; charset=utf-8", attachment_header(name, parsed.collection)
    ):
        return head
    studies = TABLES["studies"].records(parsed.question).order_by("short_name", "slug")
    return citation_file(studies, name, how, parsed.question)


@require_safe
def bundle_file(request: HttpRequest, collection: str, how: str) -> HttpResponse:
    """Everything this question finds, in one file: one of BUNDLE_FORMATS."""
    parsed = parse_request(request, collection)
    if refused := refuse_file(
        parsed.problems, requested_release(parsed.form.data, parsed.collection)
    ):
        return refused
    headers = attachment_header(file_name(parsed.collection, how), parsed.collection)
    content_type, pieces = BUNDLE_FORMATS[how]
    chunks = pieces(parsed.question, parsed.vocabulary)
    return StreamingHttpResponse(chunks, content_type=content_type, headers=headers)


@require_safe
def phenopackets_file(request: HttpRequest, collection: str) -> HttpResponse:
    """The patients of this question as a cohort of phenopackets."""
    parsed = parse_request(request, collection)
    if refused := refuse_file(
        parsed.problems, requested_release(parsed.form.data, parsed.collection)
    ):
        return refused
    headers = attachment_header(
        file_name(parsed.collection, "json", "phenopackets"), parsed.collection
    )
    chunks = cohort_phenopackets(parsed.question, parsed.vocabulary)
    return StreamingHttpResponse(chunks, content_type="application/json", headers=headers)


@require_safe
@accept_params("release", file=True)
def datacite_file(request: HttpRequest, collection: str) -> HttpResponse:
    """How DataCite describes a collection: what a repository needs to register a DOI."""
    record = get_collection(collection)
    if refused := refuse_file([], requested_release(request.GET, record)):
        return refused
    headers = attachment_header(file_name(record, "json", "datacite"), record)
    if head := head_response(request, DATACITE_TYPE, headers):
        return head
    dataset = describe_collection(record, sources_of(record))
    content = datacite_record(dataset, request.build_absolute_uri(dataset.page))
    return HttpResponse(
        json.dumps(content, ensure_ascii=False, indent=1) + "\n",
        content_type=DATACITE_TYPE,
        headers=headers,
    )


def refuse_file(problems: list[str], requested: RequestedRelease | None) -> HttpResponse | None:
    """Why there is no file: a wrong question (400), or data that have moved on since the release it
    names (409).
    """
    if requested and requested.problem:
        problems = [*problems, requested.problem]
    if problems:
        return problems_as_text(problems)
    return (
        problems_as_text([requested.changed_text], 409)
        if requested and requested.has_changed
        else None
    )


def chart_head(request: HttpRequest, collection: Collection, name: str) -> HttpResponse | None:
    """The answer to HEAD of a chart's numbers as a file."""
    if request.method != "HEAD":
        return None
    headers = attachment_header(file_name(collection, "csv", name), collection)
    return head_response(request, "text/csv; charset=utf-8", headers)

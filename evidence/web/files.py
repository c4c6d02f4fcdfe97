"""The files of one collection: lists, charts, citations, the bundle, phenopackets."""

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_safe

from ..charts import Chart
from ..charts.registry import CHARTS, build_chart
from ..downloads import (
    BUNDLE_FORMATS,
    TooManyRows,
    attachment_header,
    chart_csv,
    chart_rows,
    citation_file,
    file_name,
    list_download,
)
from ..downloads.bundle import written_json
from ..downloads.citations import FORMATS
from ..downloads.csv_metadata import CONTENT_TYPE as CSVM
from ..downloads.csv_metadata import chart_metadata, table_metadata
from ..downloads.file_names import METADATA, FileAddress, question_address
from ..downloads.metadata import (
    DATACITE_TYPE,
    datacite_record,
    describe_collection,
    sources_of,
)
from ..downloads.phenopackets import cohort_pieces as cohort_phenopackets
from ..downloads.release_status import RequestedRelease, requested_number, requested_release
from ..models import Collection
from ..questions.parsing import ParsedRequest, get_collection, parse_request
from ..questions.question import Question
from ..questions.request_checks import accept_params, head_response, problems_as_text
from ..tables import FILE_TABLES, TABLES, Table, order_records


def file_address(request: HttpRequest, parsed: ParsedRequest, **view: str) -> FileAddress:
    """The address of the file that is asked for, or whose description is; `view` are the words
    beside the question that change what is in it.
    """
    return question_address(
        request.path.removesuffix(METADATA),
        parsed.question,
        parsed.vocabulary,
        request.META.get("QUERY_STRING", ""),
        requested_number(request.GET),
        **view,
    )


def read_list_request(
    request: HttpRequest, collection: str, noun: str
) -> tuple[ParsedRequest, Table, str, HttpResponse | None]:
    """What a list as a file is asked for: the question, the table, its order, and why there is no
    file.
    """
    parsed = parse_request(request, collection)
    table, problems = FILE_TABLES[noun], list(parsed.problems)
    sort = request.GET.get("sort", "")
    if not table.sorts_by(sort):
        problems.append(f"This file cannot be sorted so. Known: {', '.join(table.sort_words())}.")
    refused = refuse_file(problems, requested_release(parsed.form.data, parsed.collection))
    return parsed, table, sort, refused


@require_safe
def list_file(request: HttpRequest, collection: str, noun: str, how: str) -> HttpResponse:
    """The same rows as a file; a wrong question is a 400 that says why."""
    parsed, table, sort, refused = read_list_request(request, collection, noun)
    if refused:
        return refused
    records = order_records(table, table.records(parsed.question), sort)
    address = file_address(request, parsed, sort=sort)
    try:
        return list_download(table, records, parsed.question, how, address)
    except TooManyRows as error:
        return problems_as_text([str(error)])


@require_safe
def list_metadata(request: HttpRequest, collection: str, noun: str, how: str) -> HttpResponse:
    """What describes a list as a file: where it is, what it answers, what its columns hold."""
    parsed, table, sort, refused = read_list_request(request, collection, noun)
    if refused:
        return refused
    address = file_address(request, parsed, sort=sort)
    return metadata_response(
        request,
        lambda: table_metadata(table, parsed.question, address, request.build_absolute_uri),
        file_name(parsed.collection, how, noun, address.query),
        parsed.collection,
    )


def read_chart_request(
    request: HttpRequest, collection: str, name: str
) -> tuple[ParsedRequest, HttpResponse | None]:
    """The question of a chart as a file, and why there is none. Raises Http404 for no chart."""
    parsed = parse_request(request, collection)
    if name not in CHARTS:
        raise Http404("There is no such chart.")
    requested = requested_release(parsed.form.data, parsed.collection)
    return parsed, refuse_file(parsed.problems, requested)


@require_safe
def chart_file(request: HttpRequest, collection: str, name: str) -> HttpResponse:
    """The numbers of one chart as a CSV file, each number in a column of its own."""
    parsed, refused = read_chart_request(request, collection, name)
    if refused:
        return refused
    address = file_address(request, parsed)
    if head := chart_head(request, parsed.collection, name, address):
        return head
    return chart_csv(build_chart(parsed, name), parsed.question, address)


@require_safe
def chart_file_metadata(request: HttpRequest, collection: str, name: str) -> HttpResponse:
    """What describes the numbers of one chart as a file."""
    parsed, refused = read_chart_request(request, collection, name)
    if refused:
        return refused
    address = file_address(request, parsed)
    return describe_chart(
        request, lambda: build_chart(parsed, name), name, parsed.question, address
    )


def describe_chart(
    request: HttpRequest,
    make_chart: Callable[[], Chart],
    name: str,
    question: Question,
    address: FileAddress,
) -> HttpResponse:
    """What describes a chart's numbers as a file."""

    def description() -> dict:
        chart = make_chart()
        header, rows = chart_rows(chart, question, address.query)
        return chart_metadata(
            chart.title, header, rows, question, address, request.build_absolute_uri
        )

    collection = question.collection
    filename = file_name(collection, "csv", name, address.query)
    return metadata_response(request, description, filename, collection)


def metadata_response(
    request: HttpRequest,
    make_description: Callable[[], dict],
    filename: str,
    collection: Collection | None = None,
) -> HttpResponse:
    """A description as a file of its own, named after the file it is of; for HEAD nothing is
    made.
    """
    headers = attachment_header(f"{filename}{METADATA}", collection)
    if head := head_response(request, CSVM, headers):
        return head
    content = written_json(make_description())
    return HttpResponse(content, content_type=CSVM, headers=headers)


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
    address = file_address(request, parsed)
    name = file_name(parsed.collection, how, "studies", address.query)
    headers = attachment_header(name, parsed.collection, address)
    if head := head_response(request, f"{FORMATS[how][1]}; charset=utf-8", headers):
        return head
    studies = TABLES["studies"].records(parsed.question).order_by("short_name", "slug")
    return citation_file(studies, name, how, address, parsed.question)


@require_safe
def bundle_file(request: HttpRequest, collection: str, how: str) -> HttpResponse:
    """Everything this question finds, in one file: one of BUNDLE_FORMATS. Of a part of a collection
    it has a name of its own, since the whole is what a release's archive holds.
    """
    parsed = parse_request(request, collection)
    if refused := refuse_file(
        parsed.problems, requested_release(parsed.form.data, parsed.collection)
    ):
        return refused
    address = file_address(request, parsed)
    name = file_name(parsed.collection, how, query=address.query)
    headers = attachment_header(name, parsed.collection, address)
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
    address = file_address(request, parsed)
    name = file_name(parsed.collection, "json", "phenopackets", address.query)
    headers = attachment_header(name, parsed.collection, address)
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
    return HttpResponse(written_json(content), content_type=DATACITE_TYPE, headers=headers)


def refuse_file(problems: list[str], requested: RequestedRelease | None) -> HttpResponse | None:
    """Why there is no file: a wrong question (400), or data that have moved on since the release it
    names (409).
    """
    if requested and requested.problem:
        problems = list(dict.fromkeys([*problems, requested.problem]))
    if problems:
        return problems_as_text(problems)
    return (
        problems_as_text([requested.changed_text], 409)
        if requested and requested.has_changed
        else None
    )


def chart_head(
    request: HttpRequest, collection: Collection, name: str, address: FileAddress
) -> HttpResponse | None:
    """The answer to HEAD of a chart's numbers as a file."""
    if request.method != "HEAD":
        return None
    headers = attachment_header(
        file_name(collection, "csv", name, address.query), collection, address
    )
    return head_response(request, "text/csv; charset=utf-8", headers)

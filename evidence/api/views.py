"""The addresses of the API: read what is asked, answer it."""

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.response import Response
from rest_framework.views import APIView

from ..charts.registry import CHARTS
from ..questions.parsing import get_collection
from ..questions.vocabulary import vocabulary
from ..summaries import collection_flow
from ..tables import Table
from . import analyses, analysis_shapes, answers, reference, shapes
from .params import (
    FOREST,
    ROWS,
    RULES,
    forest_words,
    page_of_list,
    parse_api_request,
    parse_differences,
    parse_record_request,
    parse_sides,
    refuse_parameters,
    rule_word,
)
from .schema import (
    compare_parameters,
    difference_parameters,
    filter_parameters,
    forest_parameters,
    list_parameters,
    release_parameter,
    response_schemas,
    rule_parameters,
)


class AlwaysJSON(BaseContentNegotiation):
    """There is one format, whatever a browser would rather have."""

    def select_parser(self, request, parsers):
        return parsers[0] if parsers else None

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


class Read(APIView):
    """An address that can be read, by anybody."""

    http_method_names = ["get", "head"]
    content_negotiation_class = AlwaysJSON

    def make_answer(self, make_answer: Callable[[], dict]) -> HttpResponse:
        """What `make_answer()` gives, once all parameters are found right; for HEAD nothing is
        made.
        """
        if self.request.method == "HEAD":
            return HttpResponse(content_type="application/json")
        return Response(make_answer())


class Start(Read):
    @extend_schema(
        operation_id="start",
        tags=["What there is"],
        responses=response_schemas(shapes.Start, "What there is.", 400),
    )
    def get(self, request: HttpRequest) -> Response:
        """The collections, and the addresses below each. Everything else begins here."""
        refuse_parameters(request.query_params)
        return self.make_answer(lambda: answers.api_root(request.build_absolute_uri))


class Releases(Read):
    @extend_schema(
        operation_id="releases",
        tags=["What there is"],
        responses=response_schemas(shapes.Releases, "All releases, the latest first.", 400),
    )
    def get(self, request: HttpRequest) -> Response:
        """States of the evidence that stay as they were, with hashes, what changed, and
        archives.
        """
        refuse_parameters(request.query_params)
        return self.make_answer(lambda: answers.releases_json(request.build_absolute_uri))


class Differences(Read):
    @extend_schema(
        operation_id="differences",
        tags=["What there is"],
        parameters=difference_parameters(),
        responses=response_schemas(
            shapes.Differences, "What differs, value by value.", 400, 404, 409
        ),
    )
    def get(self, request: HttpRequest, number: int) -> Response:
        """What differs between a release and an earlier one: record, field, before and after, from
        the archives of both.
        """
        params = request.query_params
        asked, page, size = parse_differences(params, number)
        return self.make_answer(
            lambda: answers.differences_json(asked, page, size, params, request.build_absolute_uri)
        )


class Dictionary(Read):
    @extend_schema(
        operation_id="dictionary",
        tags=["What there is"],
        responses=response_schemas(shapes.Dictionary, "Every field of every list.", 400),
    )
    def get(self, request: HttpRequest) -> Response:
        """The data dictionary: what each field means, its unit, its values, and how missing is
        written.
        """
        refuse_parameters(request.query_params)
        return self.make_answer(answers.dictionary_json)


class Collection(Read):
    @extend_schema(
        operation_id="collection",
        tags=["What there is"],
        responses=response_schemas(shapes.CollectionShape, "The collection.", 400, 404),
    )
    def get(self, request: HttpRequest, collection: str) -> Response:
        """One body of evidence, and the addresses below it. Collections are never mixed."""
        refuse_parameters(request.query_params)
        collection_record = get_collection(collection)
        return self.make_answer(
            lambda: answers.collection_json(collection_record, request.build_absolute_uri)
        )


class Filters(Read):
    @extend_schema(
        operation_id="filters",
        tags=["What there is"],
        responses=response_schemas(shapes.Filters, "The filters.", 400, 404),
    )
    def get(self, request: HttpRequest, collection: str) -> Response:
        """Every word a question can be asked in, with the values it takes in this collection."""
        refuse_parameters(request.query_params)
        collection_record = get_collection(collection)
        return self.make_answer(
            lambda: answers.filters_json(collection_record, vocabulary(collection_record))
        )


class Summary(Read):
    @extend_schema(
        operation_id="summary",
        tags=["Numbers"],
        parameters=filter_parameters(),
        responses=response_schemas(shapes.Summary, "The summary.", 400, 404, 409),
    )
    def get(self, request: HttpRequest, collection: str) -> Response:
        """All shares of a question: each count with its denominator, interval and missing, by
        reason.
        """
        question = parse_api_request(request.query_params, collection)
        return self.make_answer(lambda: answers.summary_json(question, request.build_absolute_uri))


class Chart(Read):
    @extend_schema(
        operation_id="chart",
        tags=["Numbers"],
        parameters=filter_parameters(),
        responses=response_schemas(shapes.ChartShape, "The chart's numbers.", 400, 404, 409),
    )
    def get(self, request: HttpRequest, collection: str, name: str) -> Response:
        """The numbers of one chart of the question, each in a column of its own, and its
        sentence.
        """
        question = parse_api_request(request.query_params, collection)
        if name not in CHARTS:
            raise Http404("There is no such chart.")
        return self.make_answer(
            lambda: answers.chart_json(name, question, request.build_absolute_uri)
        )


class Forest(Read):
    @extend_schema(
        operation_id="forest",
        tags=["Numbers"],
        parameters=forest_parameters(),
        responses=response_schemas(shapes.ForestShape, "The forest plot's numbers.", 400, 404, 409),
    )
    def get(self, request: HttpRequest, collection: str) -> Response:
        """One proportion study by study: exact intervals, the raw total, and where it can be
        justified the pooled proportion with intervals by t and by z, `tau2` on the log odds, and
        the same without each study in turn.
        """
        params = request.query_params
        parsed = parse_api_request(params, collection, FOREST)
        item, shared = forest_words(params, parsed)
        return self.make_answer(
            lambda: answers.forest_json(item, shared, parsed, request.build_absolute_uri)
        )


class Compare(Read):
    @extend_schema(
        operation_id="compare",
        tags=["Numbers"],
        parameters=compare_parameters(),
        responses=response_schemas(analysis_shapes.Compare, "Both sides.", 400, 404, 409),
    )
    def get(self, request: HttpRequest, collection: str) -> Response:
        """Two questions side by side: the same shares of both, differences and odds ratios with
        exact intervals. Patients who are in both are told; their cohorts are not tested.
        """
        sides = parse_sides(request.query_params, collection)
        return self.make_answer(lambda: analyses.compare_json(sides, request.build_absolute_uri))


class Completeness(Read):
    @extend_schema(
        operation_id="completeness",
        tags=["Numbers"],
        parameters=filter_parameters(),
        responses=response_schemas(
            analysis_shapes.Completeness, "Studies by attributes.", 400, 404, 409
        ),
    )
    def get(self, request: HttpRequest, collection: str) -> Response:
        """How much is known, study by study, and why the rest is not."""
        parsed = parse_api_request(request.query_params, collection)
        return self.make_answer(
            lambda: analyses.completeness_json(parsed, request.build_absolute_uri)
        )


class Rules(Read):
    @extend_schema(
        operation_id="rules",
        tags=["Numbers"],
        parameters=rule_parameters(),
        responses=response_schemas(analysis_shapes.Rules, "Authors and rule.", 400, 404, 409),
    )
    def get(self, request: HttpRequest, collection: str) -> Response:
        """The authors' verdicts beside what a named, versioned rule derives from the same
        measurements.
        """
        params = request.query_params
        parsed = parse_api_request(params, collection, RULES)
        code = rule_word(params)
        return self.make_answer(
            lambda: analyses.rules_json(code, parsed, request.build_absolute_uri)
        )


class Flow(Read):
    @extend_schema(
        operation_id="flow",
        tags=["What there is"],
        parameters=[release_parameter()],
        responses=response_schemas(analysis_shapes.FlowShape, "The boxes.", 400, 404, 409),
    )
    def get(self, request: HttpRequest, collection: str) -> Response:
        """How studies came into the collection: the boxes of a PRISMA flow diagram, as far as is
        known.
        """
        record = parse_record_request(request.query_params, collection)
        return self.make_answer(
            lambda: (
                answers.collection_head(record)
                | {"flow": reference.flow_json(collection_flow(record))}
            )
        )


class Rows(Read):
    """The list of one noun."""

    table: Table

    def list_rows(self, request: HttpRequest, collection: str) -> Response:
        params = request.query_params
        parsed = parse_api_request(params, collection, ROWS)
        page = page_of_list(params, self.table, parsed)
        return self.make_answer(
            lambda: answers.list_page(self.table, parsed, page, params, request.build_absolute_uri)
        )


# What the description of a list says, where it is no list of a page.
LIST_LEADS = {
    "provenance": "The place in the source, and who looked, of each value of what answers the "
    "question"
}
LIST_PLACES = {"provenance": "in `provenance.csv` of a bundle"}


def list_of(table: Table) -> type[Rows]:
    """The view of a noun, with a schema of its own."""

    @extend_schema(
        operation_id=f"list-{table.noun}",
        tags=["Lists"],
        parameters=list_parameters(table),
        responses=response_schemas(
            shapes.PAGES[table.noun], f"A page of {table.title.lower()}.", 400, 404, 409
        ),
        description=f"{LIST_LEADS.get(table.noun, f'{table.title} that answer the question')}, "
        f"the same as {LIST_PLACES.get(table.noun, 'on the page and in the file of that name')}. "
        "`count` is of the whole list. Null is not “none”: `empty_means` says why a value is "
        "empty.",
    )
    def get(self, request: HttpRequest, collection: str) -> Response:
        return self.list_rows(request, collection)

    return type(f"{table.noun.title().replace('-', '')}List", (Rows,), {"table": table, "get": get})


LISTS = {noun: list_of(table) for noun, table in answers.LISTED.items()}


class Schema(SpectacularJSONAPIView):
    """The OpenAPI 3.1 schema of all this."""

    http_method_names = ["get", "head"]
    content_negotiation_class = AlwaysJSON

    def initial(self, request: HttpRequest, *args, **kwargs) -> None:
        super().initial(request, *args, **kwargs)
        refuse_parameters(request.query_params)

    def head(self, request: HttpRequest, *args, **kwargs) -> HttpResponse:
        """Like `get`, without making the schema."""
        headers = {"Content-Disposition": f'inline; filename="{self._get_filename(request, None)}"'}
        return HttpResponse(content_type=self.renderer_classes[0].media_type, headers=headers)

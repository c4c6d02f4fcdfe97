"""The OpenAPI schema: parameters from the filters, values and examples from the evidence as it
is.
"""

from copy import deepcopy

from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from ..charts.registry import CHARTS
from ..downloads.differences import CHANGES, asked_differences
from ..downloads.release_status import release_by_number
from ..models import Release
from ..models.choices import Item, Match
from ..models.consistency import all_collections
from ..questions.filters import FILTERS, SETS, AnyOf, Bound, NotKnown, Search
from ..questions.vocabulary import vocabulary
from ..tables import TABLES, TIDY, Table
from . import answers
from .params import DEFAULT_SIZE, LARGEST_SIZE, page_of_list, parse_api_request
from .shapes import ProblemShape

# marks a parameter whose values are read from the database when the schema is made
VOCABULARY = "x-vocabulary"
PROBLEM = {
    400: "A parameter is wrong; `errors` says which and why. No rows are given.",
    404: "There is no such collection or address.",
    409: "The release the request names cannot be asked, or the data have changed since the first "
    "page.",
    429: "Too many requests in a minute; `Retry-After` says when to come again.",
}


LARGEST_NUMBER = 999_999_999  # nine digits, as an address takes them
NO_NUL = r"^[^\u0000]*$"  # a text without the character that no database takes


def response_schemas(shape: type, description: str, *problems: int) -> dict:
    """The answers of an address: what it gives, and the problems it may have."""
    responses = {200: OpenApiResponse(shape, description)}
    for status in (*problems, 429):
        responses[(status, "application/problem+json")] = OpenApiResponse(
            ProblemShape, PROBLEM[status]
        )
    return responses


def query_parameter(name: str, description: str, schema: dict, **options) -> OpenApiParameter:
    return OpenApiParameter(
        name, schema, OpenApiParameter.QUERY, description=description, **options
    )


def array_schema(items: dict) -> dict:
    return {"type": "array", "items": items}


def filter_parameters() -> list[OpenApiParameter]:
    """Every filter word, as pages, files and API take it."""
    parameters = []
    for name, url_filter in FILTERS.items():
        if isinstance(url_filter, Bound):
            limits = {
                "minimum": url_filter.extra["min_value"],
                "maximum": url_filter.extra["max_value"],
            }
            parameters.append(
                query_parameter(
                    name,
                    f"{url_filter.label}{url_filter.unit and f', in {url_filter.unit}'}.",
                    {"type": "integer"} | limits,
                )
            )
        elif isinstance(url_filter, Search):
            description = (
                "Words that all occur in the record, in what the patient had (drugs, "
                "indications, manifestations, "
            )
            description += "autoantibodies, adverse events), or in its study; at most ten."
            parameters.append(
                query_parameter(
                    name,
                    description,
                    {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": url_filter.extra["max_length"],
                        "pattern": NO_NUL,
                    },
                )
            )
        else:
            items = {"type": "string", "minLength": 1}
            if url_filter.kind:
                items[VOCABULARY] = url_filter.kind
            elif isinstance(url_filter, AnyOf | NotKnown):
                items = {"type": "string", "enum": list(url_filter.extra["options"])}
            parameters.append(
                query_parameter(name, describe_filter(name, url_filter), array_schema(items))
            )
            if name in SETS:
                description = (
                    f"How the values of {name} are compared: any of them, all of them, exactly "
                    "these, none of them."
                )
                schema = {"type": "string", "enum": list(Match.values), "default": str(Match.ANY)}
                parameters.append(query_parameter(f"{name}_match", description, schema))
    description = (
        "The number of a release. It gives the answer, or 409 says why it cannot be asked."
    )
    return [*parameters, query_parameter("release", description, {"type": "integer"})]


def describe_filter(name: str, url_filter) -> str:
    if isinstance(url_filter, NotKnown):
        return (
            "What is not known of the course; several words must all hold. A reason can be "
            "added: age.not-reported."
        )
    if name in SETS:
        return (
            f"{url_filter.label}. Repeat the word for a set; {name}_match says how it is compared."
        )
    return f"{url_filter.label}. Repeat the word for alternatives."


def forest_parameters() -> list[OpenApiParameter]:
    items = "What is counted: " + ", ".join(Item.values)
    items += "; or measure: and the name of what groups alone report as events of n."
    overlapping = (
        "Whether overlapping cohorts are included: who may stand in two rows is then counted twice."
    )
    default = {"type": "string", "minLength": 1, "default": Item.IMPROVED.value}
    return [
        *filter_parameters(),
        query_parameter("item", items, default),
        query_parameter("shared", overlapping, {"type": "string", "enum": ["yes"]}),
    ]


def difference_parameters() -> list[OpenApiParameter]:
    """The words that the differences of a release take."""
    text = {"type": "string", "minLength": 1, "pattern": NO_NUL}
    return [
        query_parameter(
            "since",
            "The number of an earlier release to compare with; by default the one before.",
            {"type": "integer", "minimum": 1, "maximum": LARGEST_NUMBER},
        ),
        query_parameter("collection", "Only of this collection.", text),
        query_parameter("table", "Only of this table.", {"type": "string", "enum": list(TIDY)}),
        query_parameter("study", "Only of records of this study.", text),
        query_parameter("change", "Only these changes.", {"type": "string", "enum": list(CHANGES)}),
        query_parameter(
            "page",
            "Which page.",
            {"type": "integer", "minimum": 1, "maximum": LARGEST_NUMBER, "default": 1},
        ),
        query_parameter(
            "page_size",
            "Differences of a page.",
            {"type": "integer", "minimum": 1, "maximum": LARGEST_SIZE, "default": DEFAULT_SIZE},
        ),
    ]


def list_parameters(table: Table) -> list[OpenApiParameter]:
    sort_words = list(table.sort_words())
    names = [column.name for column in table.file_columns]
    fields = array_schema({"type": "string", "enum": names}) | {"uniqueItems": True, "minItems": 1}
    return [
        *filter_parameters(),
        query_parameter(
            "sort",
            "The column to sort by, falling with a leading hyphen; unknown values come last.",
            {"type": "string", "enum": [*sort_words, *(f"-{word}" for word in sort_words)]},
        ),
        query_parameter(
            "fields",
            "Only these columns, separated by commas.",
            fields,
            explode=False,
            style="form",
        ),
        query_parameter(
            "page_size",
            "Rows of a page.",
            {"type": "integer", "minimum": 1, "maximum": LARGEST_SIZE, "default": DEFAULT_SIZE},
        ),
        query_parameter(
            "cursor",
            "Where to go on: take it from `next`, do not make it.",
            {"type": "string", "minLength": 1},
        ),
    ]


# Made when the schema is asked for: values and examples from the evidence.


def with_values(result: dict, generator, request, public) -> dict:
    """Fills in the values parameters take, and an example of each answer. A hook of
    drf-spectacular.
    """
    collections = all_collections()
    if not collections:
        return result
    terms = vocabulary(collections[0]).terms
    numbers = list(Release.objects.values_list("number", flat=True))
    known_values = {
        "collection": [collection.slug for collection in collections],
        "name": list(CHARTS),
        "release": numbers,
        "number": numbers,
    }
    for path, methods in result["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                schema = parameter["schema"] = deepcopy(parameter["schema"])
                kind = schema.get("items", {}).pop(VOCABULARY, None)
                if kind and kind != "study":  # the studies differ between collections
                    schema["items"] = {"type": "string", "enum": list(terms[kind])}
                if known_values.get(parameter["name"]):
                    schema["enum"] = known_values[parameter["name"]]
            content = operation["responses"]["200"]["content"]["application/json"]
            if example := example_response(path, collections[0].slug, numbers):
                content["example"] = example
    return result


def example_response(path: str, slug: str, releases: list[int]) -> dict:
    """The answer of an address now, its lists cut short, as if asked at example.org; empty where
    there is nothing yet to be answered.
    """
    empty, *segments = QueryDict(), *path.removeprefix("/api/v1/").strip("/").split("/")

    def absolute_url(address: str) -> str:
        return f"https://casebook.example.org{address}"

    if segments[-1] == "changes":
        if not releases:
            return {}
        asked = asked_differences(release_by_number(releases[0]), empty)
        return answers.differences_json(asked, 1, 1, empty, absolute_url)
    if segments[0] != "{collection}":
        return {"": answers.api_root, "releases": answers.releases_json}.get(
            segments[0], lambda _: answers.dictionary_json()
        )(absolute_url)
    parsed = parse_api_request(empty, slug)
    last = segments[-1]
    if last in TABLES:
        table, params = TABLES[last], QueryDict("page_size=1")
        return answers.list_page(
            table, parsed, page_of_list(params, table, parsed), params, absolute_url
        )
    examples = {
        "summary": lambda: answers.summary_json(parsed, absolute_url),
        "forest": lambda: answers.forest_json(Item.IMPROVED.value, False, parsed, absolute_url),
        "filters": lambda: answers.filters_json(parsed.collection, parsed.vocabulary),
        "{name}": lambda: answers.chart_json("response-by-inhibitor", parsed, absolute_url),
    }
    return examples.get(last, lambda: answers.collection_json(parsed.collection, absolute_url))()

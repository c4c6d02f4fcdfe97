"""The OpenAPI schema: parameters from the filters, values and examples from the evidence as it is."""

from copy import deepcopy

from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from ..charts.registry import CHARTS
from ..models import Release
from ..models.choices import Item, Match
from ..models.consistency import all_collections
from ..questions.filters import FILTERS, SETS, AnyOf, Bound, NotKnown, Search
from ..questions.vocabulary import vocabulary
from ..tables import TABLES, Table
from . import answers
from .params import LARGEST_SIZE, USUAL_SIZE, page_of_list, parse_api_request
from .shapes import ProblemShape

VOCABULARY = "x-vocabulary"  # marks a parameter whose values are read from the database when the schema is made
PROBLEM = {
    400: "A parameter is wrong; `errors` says which and why. No rows are given.",
    404: "There is no such collection or address.",
    409: "The data have changed: since the release the request names, or since the first page.",
    429: "Too many requests in a minute; `Retry-After` says when to come again.",
}


def response_schemas(what: type, told: str, *problems: int) -> dict:
    """The answers of an address: what it gives, and the problems it may have."""
    found = {200: OpenApiResponse(what, told)}
    for status in (*problems, 429):
        found[(status, "application/problem+json")] = OpenApiResponse(ProblemShape, PROBLEM[status])
    return found


def query_parameter(name: str, told: str, schema: dict, **more) -> OpenApiParameter:
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=told, **more)


def array_schema(items: dict) -> dict:
    return {"type": "array", "items": items}


def filter_parameters() -> list[OpenApiParameter]:
    """Every filter word, as pages, files and API take it."""
    found = []
    for name, each in FILTERS.items():
        if isinstance(each, Bound):
            limits = {"minimum": each.extra["min_value"], "maximum": each.extra["max_value"]}
            found.append(
                query_parameter(name, f"{each.label}{each.unit and f', in {each.unit}'}.", {"type": "integer"} | limits)
            )
        elif isinstance(each, Search):
            told = "Words that all occur in the record, in what the patient had (drugs, indications, manifestations, "
            told += "autoantibodies, adverse events), or in its study; at most ten."
            found.append(
                query_parameter(name, told, {"type": "string", "minLength": 1, "maxLength": each.extra["max_length"]})
            )
        else:
            items = {"type": "string", "minLength": 1}
            if each.kind:
                items[VOCABULARY] = each.kind
            elif isinstance(each, AnyOf | NotKnown):
                items = {"type": "string", "enum": list(each.extra["options"])}
            found.append(query_parameter(name, describe_filter(name, each), array_schema(items)))
            if name in SETS:
                told = f"How the values of {name} are compared: any of them, all of them, exactly these, none of them."
                schema = {"type": "string", "enum": list(Match.values), "default": str(Match.ANY)}
                found.append(query_parameter(f"{name}_match", told, schema))
    told = "The number of a release. The answer is of its data, or 409 when they have changed since."
    return [*found, query_parameter("release", told, {"type": "integer"})]


def describe_filter(name: str, each) -> str:
    if isinstance(each, NotKnown):
        return "What is not known of the course; several words must all hold. A reason can be added: age.not-reported."
    if name in SETS:
        return f"{each.label}. Repeat the word for a set; {name}_match says how it is compared."
    return f"{each.label}. Repeat the word for alternatives."


def forest_parameters() -> list[OpenApiParameter]:
    items = "What is counted: " + ", ".join(Item.values)
    items += "; or measure: and the name of what groups alone report as events of n."
    twice = "Whether people who may stand in two rows are counted twice; without it, once."
    default = {"type": "string", "minLength": 1, "default": Item.IMPROVED.value}
    return [
        *filter_parameters(),
        query_parameter("item", items, default),
        query_parameter("shared", twice, {"type": "string", "enum": ["yes"]}),
    ]


def list_parameters(table: Table) -> list[OpenApiParameter]:
    words = list(table.sort_words())
    names = [column.name for column in table.file_columns]
    fields = array_schema({"type": "string", "enum": names}) | {"uniqueItems": True, "minItems": 1}
    return [
        *filter_parameters(),
        query_parameter(
            "sort",
            "The column to sort by, falling with a leading hyphen; unknown values come last.",
            {"type": "string", "enum": [*words, *(f"-{word}" for word in words)]},
        ),
        query_parameter("fields", "Only these columns, separated by commas.", fields, explode=False, style="form"),
        query_parameter(
            "page_size",
            "Rows of a page.",
            {"type": "integer", "minimum": 1, "maximum": LARGEST_SIZE, "default": USUAL_SIZE},
        ),
        query_parameter(
            "cursor", "Where to go on: take it from `next`, do not make it.", {"type": "string", "minLength": 1}
        ),
    ]


# Made when the schema is asked for: values and examples from the evidence.


def with_values(result: dict, generator, request, public) -> dict:
    """Fills in the values parameters take, and an example of each answer. A hook of drf-spectacular."""
    every = all_collections()
    if not every:
        return result
    words = vocabulary(every[0]).terms
    numbers = list(Release.objects.values_list("number", flat=True))
    known = {"collection": [each.slug for each in every], "name": list(CHARTS), "release": numbers}
    for path, methods in result["paths"].items():
        for operation in methods.values():
            for each in operation.get("parameters", ()):
                schema = each["schema"] = deepcopy(each["schema"])
                kind = schema.get("items", {}).pop(VOCABULARY, None)
                if kind and kind != "study":  # the studies differ between collections
                    schema["items"] = {"type": "string", "enum": list(words[kind])}
                if known.get(each["name"]):
                    schema["enum"] = known[each["name"]]
            content = operation["responses"]["200"]["content"]["application/json"]
            content["example"] = example_response(path, every[0].slug)
    return result


def example_response(path: str, slug: str) -> dict:
    """The answer of an address now, its lists cut short, as if asked at example.org."""
    empty, *tail = QueryDict(), *path.removeprefix("/api/v1/").strip("/").split("/")

    def absolute(address: str) -> str:
        return f"https://casebook.example.org{address}"

    if tail[0] != "{collection}":
        return {"": answers.api_root, "releases": answers.releases_json}.get(
            tail[0], lambda _: answers.dictionary_json()
        )(absolute)
    question = parse_api_request(empty, slug)
    last = tail[-1]
    if last in TABLES:
        table, given = TABLES[last], QueryDict("page_size=1")
        return answers.list_page(table, question, page_of_list(given, table, question), given, absolute)
    made = {
        "summary": lambda: answers.summary_json(question, absolute),
        "forest": lambda: answers.forest(Item.IMPROVED.value, False, question, absolute),
        "filters": lambda: answers.filters_json(question.collection, question.vocabulary),
        "{name}": lambda: answers.chart_json("response-by-inhibitor", question, absolute),
    }
    return made.get(last, lambda: answers.collection_json(question.collection, absolute))()

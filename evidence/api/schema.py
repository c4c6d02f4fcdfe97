"""The OpenAPI schema: parameters from the filters, values and examples from the evidence as it
is.
"""

from copy import deepcopy

from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from ..charts.registry import CHARTS
from ..downloads.differences import CHANGES, asked_differences
from ..downloads.metadata import CODE_LICENCE, DATA_LICENCE
from ..downloads.release_status import release_by_number
from ..models import Collection, JAKInhibitor, Patient, Release, Review, Study
from ..models.choices import Item, Match
from ..models.consistency import all_collections
from ..questions.filters import FILTERS, SETS, AnyOf, Bound, NotKnown, Search
from ..questions.vocabulary import vocabulary
from ..statistics import ALL_RULES, DEFAULT_RULE
from ..summaries import collection_flow
from ..summaries.forest import MEASURE
from ..tables import TIDY, Table
from . import analyses, answers, records, reference
from .params import DEFAULT_SIZE, LARGEST_SIZE, SIDES, page_of_list, parse_api_request, parse_sides
from .shapes import ProblemShape

# marks a parameter whose values are read from the database when the schema is made
VOCABULARY = "x-vocabulary"
PROBLEM = {
    400: "A parameter is wrong; `errors` says which and why. No rows are given.",
    404: "There is no such collection or address.",
    409: "The release the request names cannot be asked, or the data have changed since the first "
    "page.",
    410: "The record was withdrawn; `detail` says why, and where to go instead.",
    429: "Too many requests in a minute; `Retry-After` says when to come again.",
}


SLUG = r"^[-a-zA-Z0-9_]+$"  # of what is named in an address
CURSOR = r"^[A-Za-z0-9_-]+$"
LARGEST_NUMBER = 999_999_999  # nine digits, as an address takes them
# lists with a patient a row
OF_PATIENTS = ("patients", "treatments", "courses", "outcomes", "adverse-events")
NO_NUL = r"^[^\u0000]*$"  # a text without the character that no database takes
WORDS = r"^\s*[^\s\u0000]+(\s+[^\s\u0000]+){0,9}\s*$"  # one to ten words


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
                        "pattern": WORDS,
                    },
                )
            )
        else:
            items = {"type": "string", "minLength": 1, "pattern": SLUG}
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
    return [*parameters, release_parameter()]


def release_parameter() -> OpenApiParameter:
    description = (
        "The number of a release. It gives the answer, or 409 says why it cannot be asked."
    )
    schema = {"type": "integer", "minimum": 1, "maximum": LARGEST_NUMBER}
    return query_parameter("release", description, schema)


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
    default = {
        "type": "string",
        "minLength": 1,
        "pattern": f"^({'|'.join(Item.values)}|{MEASURE}[^\\u0000]+)$",
        "default": Item.IMPROVED.value,
    }
    return [
        *filter_parameters(),
        query_parameter("item", items, default),
        query_parameter("shared", overlapping, {"type": "string", "enum": ["yes"]}),
    ]


def rule_parameters() -> list[OpenApiParameter]:
    schema = {"type": "string", "enum": list(ALL_RULES), "default": DEFAULT_RULE}
    return [*filter_parameters(), query_parameter("rule", "The code of a rule.", schema)]


def compare_parameters() -> list[OpenApiParameter]:
    description = (
        "One side: a question as a query string, percent-encoded as a whole, such as "
        "sex%3Dfemale; empty: the whole collection."
    )
    schema = {"type": "string", "pattern": NO_NUL}
    return [
        *(query_parameter(side, description, schema, required=True) for side in SIDES),
        release_parameter(),
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
    fields = array_schema({"type": "string", "enum": names}) | {"minItems": 1}
    return [
        *filter_parameters(),
        query_parameter(
            "sort",
            "The column to sort by, falling with a leading hyphen; unknown values come last.",
            {"type": "string", "enum": [*sort_words, *(f"-{word}" for word in sort_words)]},
        ),
        query_parameter(
            "fields",
            "Only these columns, separated by commas; one that is named twice comes once.",
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
            {"type": "string", "minLength": 1, "pattern": CURSOR},
        ),
    ]


# Made when the schema is asked for: values and examples from the evidence.

# Where an answer leads: an address by its operation, the parameters by where their values stand.
PATH_COLLECTION = {"collection": "$request.path.collection"}
OWN_COLLECTION = {"collection": "$response.body#/collection"}
FIRST_COLLECTION = {"collection": "$response.body#/collections/0/collection"}
WITHIN = (
    *("summary", "forest", "completeness", "rules", "filters", "flow"),
    *(f"list-{noun}" for noun in answers.LISTED),
)
LINKS: dict[str, dict[str, dict[str, str]]] = {
    "start": dict.fromkeys(("collection", *WITHIN), FIRST_COLLECTION),
    "collection": {
        **dict.fromkeys(WITHIN, OWN_COLLECTION),
        "compare": OWN_COLLECTION | {"a": "sex=female", "b": "sex=male"},
        "chart": OWN_COLLECTION | {"name": next(iter(CHARTS))},
    },
    **{
        f"list-{noun}": {
            "study": PATH_COLLECTION | {"study": "$response.body#/results/0/study"},
            **(
                {"patient": PATH_COLLECTION | {"patient": "$response.body#/results/0/patient"}}
                if noun in OF_PATIENTS
                else {}
            ),
        }
        for noun in answers.LISTED
    },
    "patient": {"study": PATH_COLLECTION | {"study": "$response.body#/study/study"}},
    "study": {"patient": PATH_COLLECTION | {"patient": "$response.body#/patients/0"}},
    "completeness": {"study": PATH_COLLECTION | {"study": "$response.body#/studies/0/study"}},
    "rules": {"patient": PATH_COLLECTION | {"patient": "$response.body#/results/0/patient"}},
    "releases": {"differences": {"number": "$response.body#/releases/0/release"}},
    "inhibitors": {"inhibitor": {"inhibitor": "$response.body#/inhibitors/0/inhibitor"}},
    "inhibitor": {"collection": {"collection": "$response.body#/results/0/collection"}},
    "reviews": {"review": {"review": "$response.body#/reviews/0/review"}},
    "review": {
        "study": {
            "collection": "$response.body#/studies/0/collection",
            "study": "$response.body#/studies/0/study",
        }
    },
}


def with_values(result: dict, generator, request, public) -> dict:
    """Fills in the licence, the values parameters take, where each answer leads, and an example of
    each answer. A hook of drf-spectacular.
    """
    for methods in result["paths"].values():
        for operation in methods.values():
            if links := LINKS.get(operation["operationId"]):
                operation["responses"]["200"]["links"] = {
                    target: {"operationId": target, "parameters": parameters}
                    for target, parameters in links.items()
                }
    result["info"]["license"] = {
        "name": f"{DATA_LICENCE.identifier} (the data); {CODE_LICENCE.identifier} (the code)",
        "url": DATA_LICENCE.url,
    }
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
        "inhibitor": list(JAKInhibitor.objects.filter(named=True).values_list("slug", flat=True)),
        "review": list(Review.objects.values_list("slug", flat=True)),
    }
    known_examples = first_records(collections[0])
    for path, methods in result["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                schema = parameter["schema"] = deepcopy(parameter["schema"])
                kind = schema.get("items", {}).pop(VOCABULARY, None)
                if kind and kind != "study":  # the studies differ between collections
                    schema["items"] = {"type": "string", "enum": list(terms[kind])}
                in_path, name = parameter["in"] == "path", parameter["name"]
                if known_values.get(name) and (in_path or name == "release"):
                    schema["enum"] = known_values[name]
                elif in_path and schema["type"] == "string":
                    schema["pattern"] = SLUG
                    if example := known_examples.get(name):
                        parameter["example"] = example.slug
            content = operation["responses"]["200"]["content"]["application/json"]
            if example := example_response(path, collections[0], numbers):
                content["example"] = example
    return result


def first_records(collection: Collection) -> dict[str, Patient | Study | None]:
    """A patient and a study of a collection, by the word that stands for one in an address."""
    return {
        "patient": Patient.objects.within(collection).first(),
        "study": Study.objects.within(collection).first(),
    }


def example_response(path: str, collection: Collection, releases: list[int]) -> dict:
    """The answer of an address now, its lists cut short, as if asked at example.org; empty where
    what it is of is not there.
    """
    empty = QueryDict()

    def absolute_url(address: str) -> str:
        return f"https://casebook.example.org{address}"

    within = "{collection}"
    place = path.removeprefix("/api/v1/").strip("/")
    if not place.startswith(within):
        inhibitor = JAKInhibitor.objects.filter(named=True).first()
        review = Review.objects.first()
        return {
            "": lambda: answers.api_root(absolute_url),
            "releases": lambda: answers.releases_json(absolute_url),
            "releases/{number}/changes": lambda: (
                answers.differences_json(
                    asked_differences(release_by_number(releases[0]), empty),
                    1,
                    1,
                    empty,
                    absolute_url,
                )
                if releases
                else {}
            ),
            "dictionary": answers.dictionary_json,
            "inhibitors": lambda: reference.inhibitors_json(absolute_url),
            "inhibitors/{inhibitor}": lambda: (
                reference.inhibitor_json(inhibitor, absolute_url) if inhibitor else {}
            ),
            "reviews": lambda: reference.reviews_json(absolute_url),
            "reviews/{review}": lambda: (
                reference.review_json(review, absolute_url) if review else {}
            ),
        }[place]()
    parsed = parse_api_request(empty, collection.slug)
    last = place.removeprefix(within).strip("/")
    if last in answers.LISTED:
        table, params = answers.LISTED[last], QueryDict("page_size=1")
        return answers.list_page(
            table, parsed, page_of_list(params, table, parsed), params, absolute_url
        )
    first = first_records(collection)
    examples = {
        "": lambda: answers.collection_json(collection, absolute_url),
        "summary": lambda: answers.summary_json(parsed, absolute_url),
        "forest": lambda: answers.forest_json(Item.IMPROVED.value, False, parsed, absolute_url),
        "compare": lambda: analyses.compare_json(
            parse_sides(QueryDict("a=sex%3Dfemale&b=sex%3Dmale"), collection.slug), absolute_url
        ),
        "completeness": lambda: analyses.completeness_json(parsed, absolute_url),
        "rules": lambda: analyses.rules_json(DEFAULT_RULE, parsed, absolute_url),
        "flow": lambda: (
            answers.collection_head(collection)
            | {"flow": reference.flow_json(collection_flow(collection))}
        ),
        "filters": lambda: answers.filters_json(parsed.collection, parsed.vocabulary),
        "charts/{name}": lambda: answers.chart_json("response-by-inhibitor", parsed, absolute_url),
        "patients/{patient}": lambda: (
            records.patient_json(first["patient"], collection, absolute_url)
            if first["patient"]
            else {}
        ),
        "studies/{study}": lambda: (
            records.study_json(first["study"], collection, absolute_url) if first["study"] else {}
        ),
    }
    return examples[last]()

"""The API's own page: its schema, for people. Made from the schema, so the two cannot disagree."""

import json
import re
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from ..downloads.file_names import attachment_header
from ..questions.filters import FILTERS, SETS
from ..questions.request_checks import accept_params, head_response
from .params import RELEASE

MOST_VALUES = 12  # of a parameter; /filters/ has all
QUESTION_PARAMETERS = {*FILTERS, *(f"{name}_match" for name in SETS), RELEASE}
MOST_ROWS = 3  # of each list in an example


@dataclass(frozen=True)
class Parameter:
    name: str
    kind: str
    values: list[str]
    more: int  # values that are left out
    description: str


@dataclass(frozen=True)
class Address:
    """One address: what it gives, what it takes, an answer."""

    anchor: str
    path: str
    description: str
    parameters: list[Parameter]
    example: str
    href: str  # the address itself, for the first collection

    @property
    def takes_filters(self) -> bool:
        """Whether a question can be asked of it."""
        return set(FILTERS) <= {parameter.name for parameter in self.parameters}

    @property
    def own_parameters(self) -> list[Parameter]:
        """The parameters that are told of here, because they are not among those of every
        question.
        """
        if not self.takes_filters:
            return self.parameters
        return [
            parameter for parameter in self.parameters if parameter.name not in QUESTION_PARAMETERS
        ]


ANALYSES = settings.BASE_DIR / "docs" / "analysis"
# How the examples of an analysis are sent, by the ending of their names.
EXAMPLE_TYPES = {
    ".R": "text/plain; charset=utf-8",
    ".ipynb": "application/x-ipynb+json; charset=utf-8",
}


@require_safe
@accept_params(file=True)
def analysis_example(request: HttpRequest, name: str) -> HttpResponse:
    """A script or notebook of docs/analysis, to run elsewhere."""
    path = ANALYSES / name
    headers = attachment_header(name)
    return head_response(request, EXAMPLE_TYPES[path.suffix], headers) or HttpResponse(
        path.read_bytes(), content_type=EXAMPLE_TYPES[path.suffix], headers=headers
    )


@require_safe
@accept_params()
def api_documentation(request: HttpRequest) -> HttpResponse:
    """Every address of the API."""
    if head := head_response(request):
        return head
    schema = SchemaGenerator().get_schema(request=None, public=True)
    groups: dict[str, list[Address]] = {}
    for path, methods in schema["paths"].items():
        operation = methods["get"]
        query_parameters = [
            describe_parameter(parameter)
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "query"
        ]
        groups.setdefault(operation["tags"][0], []).append(
            describe_operation(path, operation, query_parameters)
        )
    filters = groups["Numbers"][0].parameters
    context = {
        "groups": groups,
        "filters": filters,
        "limit": settings.API_PER_MINUTE,
        "base": request.build_absolute_uri("/api/v1/"),
    }
    return render(request, "evidence/api.html", context)


def describe_operation(path: str, operation: dict, parameters: list[Parameter]) -> Address:
    content = operation["responses"]["200"]["content"]["application/json"]
    href = path
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            values = parameter["schema"].get("enum") or [parameter.get("example", "")]
            href = href.replace(f"{{{parameter['name']}}}", str(values[0]))
        elif parameter.get("required"):
            href += f"{'&' if '?' in href else '?'}{parameter['name']}="
    description = code_spans(" ".join(operation.get("description", "").split()))
    example = json.dumps(shorten_lists(content.get("example", {})), ensure_ascii=False, indent=1)
    return Address(operation["operationId"], path, description, parameters, example, href)


def code_spans(text: str) -> SafeString:
    """Markdown's `code` as HTML; the schema's descriptions use no more of it."""
    return mark_safe(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)))  # noqa: S308 (escaped before)


def describe_parameter(parameter: dict) -> Parameter:
    schema = parameter["schema"]
    items = schema.get("items", schema)
    values = [str(value) for value in items.get("enum", ())]
    kind = items.get("type", "string")
    if "minimum" in items:
        kind += f", {items['minimum']} to {items['maximum']}"
    if schema.get("type") == "array":
        kind += ", several" if parameter.get("explode", True) else "s, separated by commas"
    return Parameter(
        parameter["name"],
        kind,
        values[:MOST_VALUES],
        max(0, len(values) - MOST_VALUES),
        parameter.get("description", ""),
    )


def shorten_lists(value):
    """An example with its lists cut short."""
    if isinstance(value, dict):
        return {name: shorten_lists(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shorten_lists(item) for item in value[:MOST_ROWS]] + (
            ["…"] if len(value) > MOST_ROWS else []
        )
    return value

"""What the records of one question say as a whole: study by study, beside a rule, and how complete
they are.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from .. import charts, summaries
from ..downloads import chart_csv
from ..downloads.file_names import FileAddress
from ..downloads.release_status import page_status, requested_release
from ..questions.form_fields import truncate_text
from ..questions.parsing import ParsedRequest, get_collection, parse_request
from ..questions.request_checks import accept_params, head_response
from ..statistics import ALL_RULES, DEFAULT_RULE, ProgressionRule, Rule
from ..summaries import collection_flow
from .collection_page import (
    CollectionPage,
    head_of_page,
    render_page,
    whole_collection_navigation,
)
from .files import chart_head, describe_chart, file_address, refuse_file
from .linking import links_of_collection, signposted

LISTED = 100  # outcomes listed beside a rule


def item_of(parsed: ParsedRequest) -> tuple[dict[str, str], str]:
    """The items a forest plot can be drawn of, and the chosen one, or an empty text. An unknown
    item is added to the problems.
    """
    item_choices = summaries.forest_items(parsed.question_or_all)
    item = parsed.view_param("item")
    if item and item not in item_choices:
        parsed.problems.append(
            f"“{truncate_text(item)}” is nothing a forest plot can be drawn of here."
        )
    return item_choices, item


@require_safe
@signposted(links_of_collection)
def forest_page(request: HttpRequest, collection: str) -> HttpResponse:
    """One proportion, study by study."""
    parsed = parse_request(request, collection)
    item_choices, item = item_of(parsed)
    if head := head_of_page(request, parsed):
        return head
    item = item or summaries.first_known_item(parsed.question_or_all)
    context = {"item_choices": item_choices, "item": item, "forest": None}
    if not parsed.problems:
        plot = summaries.forest_plot(
            parsed.question, item, parsed.vocabulary, shared=bool(parsed.view_param("shared"))
        )
        context |= {"forest": plot, "chart": charts.forest_chart(plot, parsed.collection)}
        context["file"] = f"{reverse('forest_file', args=[collection])}?{parsed.query()}"
    page = CollectionPage.build(request, parsed, "forest")
    return render_page(request, page, "evidence/forest.html", context)


def read_forest_request(
    request: HttpRequest, collection: str
) -> tuple[ParsedRequest, str, HttpResponse | None]:
    """The question of a forest plot as a file, the item asked for, and why there is no file."""
    parsed = parse_request(request, collection)
    _, item = item_of(parsed)
    requested = requested_release(parsed.form.data, parsed.collection)
    return parsed, item, refuse_file(parsed.problems, requested)


def plot_of(parsed: ParsedRequest, item: str) -> charts.Chart:
    """A forest plot as a chart; of the first item that is known where none was asked for."""
    item = item or summaries.first_known_item(parsed.question)
    plot = summaries.forest_plot(
        parsed.question, item, parsed.vocabulary, shared=bool(parsed.view_param("shared"))
    )
    return charts.forest_chart(plot, parsed.collection)


def forest_address(request: HttpRequest, parsed: ParsedRequest, item: str) -> FileAddress:
    return file_address(request, parsed, item=item, shared=parsed.view_param("shared"))


@require_safe
def forest_file(request: HttpRequest, collection: str) -> HttpResponse:
    """The numbers of a forest plot as a CSV file."""
    parsed, item, refused = read_forest_request(request, collection)
    if refused:
        return refused
    address = forest_address(request, parsed, item)
    if head := chart_head(request, parsed.collection, "forest", address):
        return head
    return chart_csv(plot_of(parsed, item), parsed.question, address, parsed.query())


@require_safe
def forest_file_metadata(request: HttpRequest, collection: str) -> HttpResponse:
    """What describes the numbers of a forest plot as a file."""
    parsed, item, refused = read_forest_request(request, collection)
    if refused:
        return refused
    address = forest_address(request, parsed, item)
    return describe_chart(
        request, lambda: plot_of(parsed, item), "forest", parsed.question, address
    )


@require_safe
@signposted(links_of_collection)
def rules_page(request: HttpRequest, collection: str) -> HttpResponse:
    """The authors' verdicts beside what a named rule derives from the same measurements."""
    parsed = parse_request(request, collection)
    code = parsed.view_param("rule") or DEFAULT_RULE
    if code not in ALL_RULES:
        parsed.problems.append(
            f"“{truncate_text(code)}” is no rule. Known: {', '.join(ALL_RULES)}."
        )
    if head := head_of_page(request, parsed):
        return head
    context = {
        "rules": ALL_RULES.values(),
        "rule": ALL_RULES.get(code),
        "report": None,
    }
    if not parsed.problems:
        report = summaries.rule_report(parsed.question, ALL_RULES[code])
        context |= {
            "report": report,
            "beside": rules_beside(report.rule),
            "derived": report.rule.verdicts,
            "rows": summaries.rule_rows(report),
            "outcomes": report.judged_rows[:LISTED],
            "more": report.outcomes - min(len(report.judged_rows), LISTED),
        }
    page = CollectionPage.build(request, parsed, "rules")
    return render_page(request, page, "evidence/rules.html", context)


def rules_beside(rule: Rule | ProgressionRule) -> list[Rule | ProgressionRule]:
    """The rules that judge the same measure with another aim."""
    return [
        other_rule
        for other_rule in ALL_RULES.values()
        if other_rule.measure == rule.measure and other_rule.aim != rule.aim
    ]


@require_safe
@signposted(links_of_collection)
def completeness_page(request: HttpRequest, collection: str) -> HttpResponse:
    """Studies by fields: how much is known, and why the rest is not."""
    parsed = parse_request(request, collection)
    if head := head_of_page(request, parsed):
        return head
    page_summaries = (
        {"matrix": summaries.completeness_matrix(parsed.question, parsed.vocabulary)}
        if parsed.question
        else {}
    )
    page = CollectionPage.build(request, parsed, "completeness", **page_summaries)
    return render_page(
        request, page, "evidence/completeness.html", {"matrix": page.counted.get("matrix")}
    )


@require_safe
@signposted(links_of_collection)
@accept_params("release")
def flow_page(request: HttpRequest, collection: str) -> HttpResponse:
    """How studies came into this collection."""
    collection_record = get_collection(collection)
    status = page_status(request, collection_record, [])
    if head := head_response(request, status=status):
        return head
    context = {
        "collection": collection_record,
        "flow": collection_flow(collection_record),
        "navigation": whole_collection_navigation(collection_record, "flow"),
        "noun": "flow",
    }
    return render(request, "evidence/flow.html", context, status=status)

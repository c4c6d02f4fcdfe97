"""What the records of one question say as a whole: study by study, beside a rule, and how complete they are."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from .. import charts, summaries
from ..downloads import chart_csv
from ..downloads.release_status import page_status, requested_release
from ..questions.form_fields import truncated
from ..questions.parsing import ParsedRequest, get_collection, parse_request
from ..questions.request_checks import accept_params, head_response
from ..statistics import ALL_RULES, ProgressionRule, Rule
from ..summaries import collection_flow
from .collection_page import CollectionPage, head_of_page, render_page
from .files import chart_head, refuse_file
from .navigation import navigation_tabs

USUAL_ITEM = "improved"
USUAL_RULE = "mrss-5-25"
LISTED = 100  # outcomes listed beside a rule


def item_of(parsed: ParsedRequest) -> tuple[dict[str, str], str]:
    """What a forest plot can be of, and what it is of. A word for nothing is a problem."""
    offered = summaries.forest_items(parsed.question_or_all)
    item = parsed.view_param("item") or USUAL_ITEM
    if item not in offered:
        parsed.problems.append(f"“{truncated(item)}” is nothing a forest plot can be drawn of here.")
    return offered, item


@require_safe
def forest(request: HttpRequest, collection: str) -> HttpResponse:
    """One proportion, study by study."""
    parsed = parse_request(request, collection)
    offered, item = item_of(parsed)
    if head := head_of_page(request, parsed):
        return head
    context = {"offered": offered, "item": item, "forest": None}
    if not parsed.problems:
        plot = summaries.forest_plot(parsed.question, item, parsed.vocabulary, shared=bool(parsed.view_param("shared")))
        context |= {"forest": plot, "chart": charts.forest_chart(plot, parsed.collection)}
        context["file"] = f"{reverse('forest_file', args=[collection])}?{parsed.query()}"
    page = CollectionPage.build(request, parsed, "forest")
    return render_page(request, page, "evidence/forest.html", context)


@require_safe
def forest_file(request: HttpRequest, collection: str) -> HttpResponse:
    """The numbers of a forest plot as a CSV file."""
    parsed = parse_request(request, collection)
    _, item = item_of(parsed)
    if answered := refuse_file(parsed.problems, requested_release(parsed.form.data, parsed.collection)) or chart_head(
        request, parsed.collection, "forest"
    ):
        return answered
    plot = summaries.forest_plot(parsed.question, item, parsed.vocabulary, shared=bool(parsed.view_param("shared")))
    return chart_csv(charts.forest_chart(plot, parsed.collection), parsed.question, parsed.query())


@require_safe
def rules(request: HttpRequest, collection: str) -> HttpResponse:
    """The authors' verdicts beside what a named rule derives from the same measurements."""
    parsed = parse_request(request, collection)
    code = parsed.view_param("rule") or USUAL_RULE
    if code not in ALL_RULES:
        parsed.problems.append(f"“{truncated(code)}” is no rule. Known: {', '.join(ALL_RULES)}.")
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
            "outcomes": report.listed[:LISTED],
            "more": report.outcomes - min(len(report.listed), LISTED),
        }
    page = CollectionPage.build(request, parsed, "rules")
    return render_page(request, page, "evidence/rules.html", context)


def rules_beside(rule: Rule | ProgressionRule) -> list[Rule | ProgressionRule]:
    """The rules that tell something else of the same measure."""
    return [each for each in ALL_RULES.values() if each.measure == rule.measure and each.aim != rule.aim]


@require_safe
def completeness(request: HttpRequest, collection: str) -> HttpResponse:
    """Studies by fields: how much is known, and why the rest is not."""
    parsed = parse_request(request, collection)
    if head := head_of_page(request, parsed):
        return head
    own = {"matrix": summaries.completeness_matrix(parsed.question, parsed.vocabulary)} if parsed.question else {}
    page = CollectionPage.build(request, parsed, "completeness", **own)
    return render_page(request, page, "evidence/completeness.html", {"matrix": page.counted.get("matrix")})


@require_safe
@accept_params("release")
def flow(request: HttpRequest, collection: str) -> HttpResponse:
    """How studies came into this collection."""
    home = get_collection(collection)
    status = page_status(request, home, [])
    if head := head_response(request, status=status):
        return head
    context = {
        "collection": home,
        "flow": collection_flow(home),
        "tabs": navigation_tabs(home, "", "flow"),
        "noun": "flow",
    }
    return render(request, "evidence/flow.html", context, status=status)

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
from ..statistics import RULES, Derived
from ..summaries import collection_flow
from .collection import chart_head, collection_context, head_of_page, refuse_file, render_page
from .navigation import navigation_tabs

USUAL_ITEM = "improved"
USUAL_RULE = "mrss-5-25"
LISTED = 100  # outcomes listed beside a rule


def item_of(asked: ParsedRequest) -> tuple[dict[str, str], str]:
    """What a forest plot can be of, and what it is of. A word for nothing is a problem."""
    offered = summaries.forest_items(asked.question_or_all)
    item = asked.view_param("item") or USUAL_ITEM
    if item not in offered:
        asked.problems.append(f"“{truncated(item)}” is nothing a forest plot can be drawn of here.")
    return offered, item


@require_safe
def forest(request: HttpRequest, collection: str) -> HttpResponse:
    """One proportion, study by study."""
    asked = parse_request(request, collection)
    offered, item = item_of(asked)
    if head := head_of_page(request, asked):
        return head
    context = collection_context(request, asked, "forest") | {"offered": offered, "item": item, "found": None}
    if not asked.problems:
        found = summaries.forest_plot(asked.question, item, asked.vocabulary, shared=bool(asked.view_param("shared")))
        context |= {"found": found, "chart": charts.forest_chart(found, asked.collection)}
        context["file"] = f"{reverse('forest_file', args=[collection])}?{asked.query()}"
    return render_page(request, asked, "evidence/forest.html", context)


@require_safe
def forest_file(request: HttpRequest, collection: str) -> HttpResponse:
    """The numbers of a forest plot as a CSV file."""
    asked = parse_request(request, collection)
    _, item = item_of(asked)
    if answered := refuse_file(asked.problems, requested_release(asked.form.data, asked.collection)) or chart_head(
        request, asked.collection, "forest"
    ):
        return answered
    found = summaries.forest_plot(asked.question, item, asked.vocabulary, shared=bool(asked.view_param("shared")))
    return chart_csv(charts.forest_chart(found, asked.collection), asked.question, asked.query())


@require_safe
def rules(request: HttpRequest, collection: str) -> HttpResponse:
    """The authors' verdicts beside what a named rule derives from the same measurements."""
    asked = parse_request(request, collection)
    code = asked.view_param("rule") or USUAL_RULE
    if code not in RULES:
        asked.problems.append(f"“{truncated(code)}” is no rule. Known: {', '.join(RULES)}.")
    if head := head_of_page(request, asked):
        return head
    context = collection_context(request, asked, "rules") | {
        "rules": RULES.values(),
        "rule": RULES.get(code),
        "report": None,
    }
    if not asked.problems:
        report = summaries.rule_report(asked.question, RULES[code])
        context |= {
            "report": report,
            "derived": list(Derived),
            "rows": summaries.rule_rows(report),
            "listed": report.listed[:LISTED],
            "more": report.outcomes - min(len(report.listed), LISTED),
        }
    return render_page(request, asked, "evidence/rules.html", context)


@require_safe
def completeness(request: HttpRequest, collection: str) -> HttpResponse:
    """Studies by fields: how much is known, and why the rest is not."""
    asked = parse_request(request, collection)
    if head := head_of_page(request, asked):
        return head
    wanted = [summaries.completeness_matrix(asked.question, asked.vocabulary)] if asked.question else []
    context = collection_context(request, asked, "completeness", wanted)
    context["matrix"] = context["rest"][0] if asked.question else None
    return render_page(request, asked, "evidence/completeness.html", context)


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

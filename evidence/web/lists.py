"""The lists of a collection: patients, treatments, outcomes and the other tables, row by row, and
patients side by side.
"""

from dataclasses import dataclass, field

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from .. import summaries
from ..charts.chart import Chart
from ..charts.registry import CHARTS
from ..questions.parsing import parse_request
from ..tables import ADVERSE_EVENTS, TABLES, Table
from .case_matrix import MOST_CASES, CaseMatrix, case_matrix
from .charts import chart_summaries, draw_charts, without_holes
from .collection_page import CollectionPage, Context, head_of_page, render_page
from .linking import links_of_collection, signposted
from .listing import Listing, make_listing, page_links

# Charts that stand above the rows of a list.
CHARTS_OF_LIST = {"adverse-events": ["adverse-events"], "groups": ["group-levels", "group-changes"]}


@dataclass(frozen=True)
class ListPage(Context):
    """What a list shows inside the frame of its collection."""

    table: Table
    listing: Listing | None = None
    page_links: list[tuple[str, str]] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    # parts of the question that were not asked of groups
    not_asked: list[str] = field(default_factory=list)
    # what groups report of adverse events, on the list of these, and what was not asked of them
    harms: list[summaries.GroupHarm] | None = None
    harms_not_asked: list[str] = field(default_factory=list)
    # about when the outcomes were assessed that are listed or drawn; empty: at any time
    months: str = ""


@require_safe
@signposted(links_of_collection)
def list_page(request: HttpRequest, collection: str, noun: str) -> HttpResponse:
    """The rows of one table, for the question of the address."""
    parsed = parse_request(request, collection)
    if head := head_of_page(request, parsed):
        return head
    table = TABLES[noun]
    if parsed.question is None:
        page = CollectionPage.build(request, parsed, noun)
        return render_page(request, page, "evidence/list.html", ListPage(table))
    specs = [CHARTS[name] for name in CHARTS_OF_LIST.get(noun, ())]
    page = CollectionPage.build(request, parsed, noun, **chart_summaries(parsed, specs))
    listing = make_listing(
        request, table, parsed.question, parsed.vocabulary, page.totals.of(table.unit)
    )
    with_harms = noun == ADVERSE_EVENTS.noun
    content = ListPage(
        table,
        listing,
        page_links(listing, parsed.question),
        without_holes(draw_charts(parsed, specs, page.counted, page.totals)),
        table.in_words(parsed.question, parsed.vocabulary).not_asked,
        harms=summaries.group_harms(parsed.question) if with_harms else None,
        harms_not_asked=page.cover.not_asked if with_harms else [],
        months=summaries.outcome_months_text(parsed.question),
    )
    return render_page(request, page, "evidence/list.html", content)


@dataclass(frozen=True)
class MatrixPage(Context):
    """What the page of the case matrix shows inside the frame of its collection."""

    cases: CaseMatrix | None = None
    in_words: bool = False
    most_cases: int = MOST_CASES


@require_safe
@signposted(links_of_collection)
def matrix_page(request: HttpRequest, collection: str) -> HttpResponse:
    """Up to 200 patients side by side."""
    parsed = parse_request(request, collection)
    if head := head_of_page(request, parsed):
        return head
    page = CollectionPage.build(request, parsed, "matrix")
    if parsed.question is None:
        return render_page(request, page, "evidence/matrix.html", MatrixPage())
    cases = case_matrix(
        parsed.question, parsed.vocabulary, page.sort, page.totals.patients, MOST_CASES
    )
    return render_page(request, page, "evidence/matrix.html", MatrixPage(cases))

"""The overview of a collection: the answer in a sentence, shares, the first patients. Its charts
have an address of their own (`web.charts`), from which it loads them.
"""

from dataclasses import dataclass, field

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from .. import summaries
from ..charts.registry import drop_default_charts
from ..questions.parsing import ParsedRequest, parse_request
from ..summaries import ShareSensitivity
from ..summaries.shares import Summary
from ..tables import PATIENTS, Table
from .charts import charts_address, unknown_charts
from .collection_page import CollectionPage, Context, head_of_page, render_page
from .listing import Listing, make_listing

SENSITIVITY_ON = "on"


@dataclass(frozen=True)
class Overview(Context):
    """What the overview shows inside the frame of its collection."""

    headlines: list = field(default_factory=list)
    domains: list = field(default_factory=list)
    outcome_rule: str = ""  # which outcome of a patient counts in a domain
    short_outcome_rule: str = ""  # the same in a few words
    seriousness_rule: str = ""  # who is in the N of serious events
    months: str = ""  # about when, where the question says so
    # by the share's key, where the address asks for them
    sensitivities: dict[str, ShareSensitivity] | None = None
    sensitivity_query: str = ""  # the query string that asks for them, or no longer does
    charts_address: str = ""  # where the charts are
    chosen_charts: list[str] = field(default_factory=list)  # names in the address, right or wrong
    unknown_charts: list[str] = field(default_factory=list)  # those that are no chart
    listing: Listing | None = None
    table: Table = PATIENTS
    page_links: list = field(default_factory=list)  # none: the rest is the list's


@require_safe
def overview_page(request: HttpRequest, collection: str) -> HttpResponse:
    """The overview: the answer in a sentence, shares, a link to the charts."""
    parsed = parse_request(request, collection)
    drop_default_charts(parsed)
    if head := head_of_page(request, parsed):
        return head
    if parsed.question is None:
        return render_page(
            request, CollectionPage.build(request, parsed, ""), "evidence/cohort.html", Overview()
        )
    page = CollectionPage.build(request, parsed, "", **overview_summaries(parsed))
    return render_page(request, page, "evidence/cohort.html", overview_context(request, page))


def overview_summaries(parsed: ParsedRequest) -> dict[str, Summary]:
    """What the overview counts besides its frame: the shares of its table."""
    question, vocabulary = parsed.question, parsed.vocabulary
    return {
        "headlines": summaries.headline_shares(question),
        "domains": summaries.outcomes_by_domain(question),
        "seriousness_rule": summaries.seriousness_rule(question),
        **(
            {"sensitivities": summaries.share_sensitivities(question, vocabulary)}
            if asks_for_sensitivity(parsed)
            else {}
        ),
    }


def asks_for_sensitivity(parsed: ParsedRequest) -> bool:
    """Whether the address asks for the sensitivity of each share: what it could be if unknown
    values were known, and without single studies.
    """
    return parsed.view_param("sensitivity") == SENSITIVITY_ON


def overview_context(request: HttpRequest, page: CollectionPage) -> Overview:
    """Shares, where the charts are, and the first patients."""
    parsed, patients = page.parsed, page.totals.patients
    listing = None
    if patients:
        list_url = reverse("list", args=[page.collection.slug, PATIENTS.noun])
        listing = make_listing(
            request, PATIENTS, parsed.question, parsed.vocabulary, patients, list_url
        )
    return Overview(
        headlines=page.counted["headlines"],
        domains=page.counted["domains"],
        outcome_rule=summaries.outcome_rule(parsed.question),
        short_outcome_rule=summaries.short_outcome_rule(parsed.question),
        seriousness_rule=page.counted["seriousness_rule"],
        months=summaries.outcome_months_text(parsed.question),
        sensitivities=page.counted.get("sensitivities"),
        sensitivity_query=parsed.query(
            sensitivity="" if asks_for_sensitivity(parsed) else SENSITIVITY_ON
        ),
        charts_address=charts_address(parsed),
        chosen_charts=parsed.view.get("chart", []),
        unknown_charts=unknown_charts(parsed),
        listing=listing,
    )

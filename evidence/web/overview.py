"""The overview of a collection: what happened, in groups and in patients. Its charts have an
address of their own (`web.charts`), from which it loads them.
"""

from dataclasses import dataclass, field

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from .. import summaries
from ..charts.registry import drop_default_charts
from ..downloads.metadata import describe_collection, linked_datasets
from ..questions.parsing import ParsedRequest, parse_request
from ..summaries import GroupEvidence, ShareSensitivity
from ..summaries.shares import Summary
from ..tables import PATIENTS, Table
from .answer_shares import LinkedShare, linked_domains, linked_headlines
from .case_matrix import BLOCK, FEW_CASES, MOST_CASES, CaseMatrix, case_matrix
from .charts import charts_address, unknown_charts
from .collection_page import CollectionPage, Context, head_of_page, render_page
from .linking import linked_data, links_of_collection, signposted

SENSITIVITY_ON = "on"


@dataclass(frozen=True)
class Overview(Context):
    """What the overview shows inside the frame of its collection."""

    headlines: list[LinkedShare] = field(default_factory=list)
    shown_headlines: list[LinkedShare] = field(default_factory=list)  # those that are rows
    domains: list[LinkedShare] = field(default_factory=list)
    nobody_known: str = ""  # headlines that are known of nobody, in words
    outcome_rule: str = ""  # which outcome of a patient counts in a domain
    short_outcome_rule: str = ""  # the same in a few words
    seriousness_rule: str = ""  # who is in the N of serious events
    months: str = ""  # about when, where the question says so
    # by the share's key, where the address asks for them
    sensitivities: dict[str, ShareSensitivity] | None = None
    sensitivity_query: str = ""  # the query string that asks for them, or no longer does
    group_evidence: GroupEvidence | None = None
    # whether the groups' table stands before the patients: they are few, or none
    groups_lead: bool = False
    cases: CaseMatrix | None = None
    in_words: bool = False  # whether the cases are told in words
    most_cases: int = MOST_CASES
    charts_address: str = ""  # where the charts are
    linked_data: str = ""  # the collection for search engines, where nothing is asked of it
    chosen_charts: list[str] = field(default_factory=list)  # names in the address, right or wrong
    unknown_charts: list[str] = field(default_factory=list)  # those that are no chart
    table: Table = PATIENTS


@require_safe
@signposted(links_of_collection)
def overview_page(request: HttpRequest, collection: str) -> HttpResponse:
    """The overview: the answer in a sentence, shares, groups, cases, a link to the charts."""
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
    """Shares, groups, the first cases, where the charts are."""
    parsed, patients = page.parsed, page.totals.patients
    question = parsed.question
    headlines = linked_headlines(question, page.counted["headlines"])
    # Where few are in view, rows that say nothing would stand before what is known.
    folded = [
        linked.share for linked in headlines if patients <= FEW_CASES and not linked.share.known
    ]
    return Overview(
        headlines=headlines,
        shown_headlines=[linked for linked in headlines if linked.share not in folded],
        nobody_known=", ".join(
            f"{share.label[:1].lower()}{share.label[1:]} ({share.missing_split})"
            for share in folded
        ),
        domains=linked_domains(question, page.counted["domains"]),
        outcome_rule=summaries.outcome_rule(question),
        short_outcome_rule=summaries.short_outcome_rule(question),
        seriousness_rule=page.counted["seriousness_rule"],
        months=summaries.outcome_months_text(question),
        sensitivities=page.counted.get("sensitivities"),
        sensitivity_query=parsed.query(
            sensitivity="" if asks_for_sensitivity(parsed) else SENSITIVITY_ON
        ),
        group_evidence=summaries.group_evidence(question),
        groups_lead=patients <= FEW_CASES,
        cases=case_matrix(question, parsed.vocabulary, page.sort, patients, BLOCK),
        in_words=patients <= FEW_CASES,
        charts_address=charts_address(parsed),
        linked_data="" if list(question) else collection_linked_data(request, parsed),
        chosen_charts=parsed.view.get("chart", []),
        unknown_charts=unknown_charts(parsed),
    )


def collection_linked_data(request: HttpRequest, parsed: ParsedRequest) -> str:
    """The collection as linked data, without its sources, which /cite/ has."""
    dataset = describe_collection(parsed.collection)
    return linked_data(linked_datasets([dataset], request.build_absolute_uri))

"""The drug reference, the reviews."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.views.decorators.http import require_safe

from .. import summaries
from ..models import Collection, JAKInhibitor, Review, Study
from ..models.consistency import all_collections
from ..questions.request_checks import accept_params, head_response
from ..summaries import DrugResults
from .answer_shares import LinkedShare, linked_domains, linked_headlines


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Where browsers look for an icon when a page, like the admin's, names none."""
    return redirect(static("evidence/icon.svg"))


@require_safe
@accept_params()
def inhibitors_page(request: HttpRequest) -> HttpResponse:
    """Every JAK inhibitor, with what each collection holds on it."""
    if head := head_response(request):
        return head
    drugs = list(JAKInhibitor.objects.filter(named=True))
    evidence = summaries.drug_evidence(drugs, list(Collection.objects.all()))
    return render(request, "evidence/inhibitors.html", {"evidence": evidence})


@dataclass(frozen=True)
class LinkedResults:
    """A drug's results in one collection, its shares with the addresses of the rows behind them."""

    found: DrugResults
    headlines: list[LinkedShare]
    domains: list[LinkedShare]


@require_safe
@accept_params()
def inhibitor_page(request: HttpRequest, slug: str) -> HttpResponse:
    """One drug: reference facts, what happened to its patients and groups by collection."""
    drug = get_object_or_404(JAKInhibitor, slug=slug, named=True)
    if head := head_response(request):
        return head
    (evidence,) = summaries.drug_evidence([drug], all_collections())
    results = [
        LinkedResults(
            found,
            linked_headlines(found.question, found.headlines),
            linked_domains(found.question, found.domains),
        )
        for found in summaries.drug_results(evidence)
    ]
    trials = (
        Study.objects.published().filter(registered_inhibitor=drug).select_related("collection")
    )
    context = {
        "drug": drug,
        "results": [linked for linked in results if not linked.found.count.collection.is_simulated],
        "simulated": [linked for linked in results if linked.found.count.collection.is_simulated],
        "trials": trials,
    }
    return render(request, "evidence/inhibitor.html", context)


@require_safe
@accept_params()
def reviews_page(request: HttpRequest) -> HttpResponse:
    """Published reviews and how many figures each prints."""
    if head := head_response(request):
        return head
    return render(
        request, "evidence/reviews.html", {"reviews": Review.objects.prefetch_related("figures")}
    )


@require_safe
@accept_params()
def review_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Printed figures against what the loaded records give."""
    printed = get_object_or_404(Review, slug=slug)
    if head := head_response(request):
        return head
    collection = printed.reconstructions.order_by("pk").first()
    context = {
        "review": printed,
        "comparisons": summaries.reconcile_figures(
            printed,
            list(printed.figures.select_related("review", "contradicts", "contradicts__review")),
        ),
        "flow": summaries.review_flow(printed),
        # Not the page's collection: what the review prints is real, so no banner stands over it.
        "source": collection,
        "inclusions": printed.inclusions.published().select_related("study__collection"),
    }
    return render(request, "evidence/review.html", context)

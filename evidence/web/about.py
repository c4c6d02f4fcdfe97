"""About the evidence as a whole: how numbers are made, what columns mean, how to cite."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import json_script
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from ..downloads import dictionary_csv
from ..downloads.citations import LICENCE
from ..downloads.phenopackets import LOSSES, terms_without_code
from ..downloads.release_status import latest_release
from ..models import Review
from ..models.consistency import all_collections, current_version
from ..questions.request_checks import accept_params, head_response
from ..summaries.methods import LIMITS, METHODS
from ..tables.dictionary import dictionary_entries

NO_CACHE = "no-cache"  # a page that names the host it was asked at is made each time


@require_safe
@accept_params()
def methods_page(request: HttpRequest) -> HttpResponse:
    """Every statistic and rule, with an example worked out now."""
    if head := head_response(request):
        return head
    worked = [vars(method) | {"worked": method.example()} for method in METHODS]
    return render(request, "evidence/methods.html", {"methods": worked, "limits": LIMITS})


@require_safe
@accept_params()
def data_dictionary(request: HttpRequest) -> HttpResponse:
    """What every column of every file means, and what a phenopacket cannot say."""
    if head := head_response(request):
        return head
    context = {
        "files": dictionary_entries(),
        "losses": LOSSES,
        "without_code": terms_without_code(),
    }
    return render(request, "evidence/data-dictionary.html", context)


@require_safe
@accept_params(file=True)
def dictionary_file(request: HttpRequest) -> HttpResponse:
    return dictionary_csv()


@require_safe
@accept_params()
def cite_page(request: HttpRequest) -> HttpResponse:
    """How to cite Casebook, the studies and the reviews."""
    if head := head_response(request, headers={"Cache-Control": NO_CACHE}):
        return head
    version, address = current_version(), request.build_absolute_uri("/")
    release = latest_release()
    state = (
        f"Release {release.number}, {release.released_at:%-d %B %Y}"
        if release
        else f"Data version {version.number}"
    )
    text = (
        f"Casebook: patient-level evidence on JAK inhibitors in systemic sclerosis. {state}. "
        f"{address}"
    )
    dataset = {
        "@context": "https://schema.org",
        "@type": "Dataset",
        "name": "Casebook: patient-level evidence on JAK inhibitors in systemic sclerosis",
        "description": "Individually reported patients, their treatments, outcomes and adverse "
        "events, read out of the literature; every rate with its denominator.",
        "url": address,
        "version": str(release.number) if release else f"data version {version.number}",
        "dateModified": version.changed_at.date().isoformat(),
        **({"datePublished": release.released_at.date().isoformat()} if release else {}),
        "license": request.build_absolute_uri("/cite/#licence"),
        "isAccessibleForFree": True,
        "distribution": [
            {
                "@type": "DataDownload",
                "encodingFormat": "text/csv",
                "contentUrl": request.build_absolute_uri(f"/{collection.slug}/patients.csv"),
                "description": collection.caveat
                if collection.is_simulated
                else collection.description,
            }
            for collection in all_collections()
        ],
    }
    context = {
        "collections": all_collections(),
        "reviews": Review.objects.all(),
        "text": text,
        "release": release,
        "licence": LICENCE,
        "dataset": linked_data(dataset),
    }
    response = render(request, "evidence/cite.html", context)
    response.headers["Cache-Control"] = NO_CACHE
    return response


def linked_data(data: dict):
    """Linked data for search engines, as a script that is none."""
    return mark_safe(json_script(data).replace("application/json", "application/ld+json", 1))  # noqa: S308

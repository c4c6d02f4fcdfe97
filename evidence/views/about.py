"""About the evidence as a whole: how numbers are made, what columns mean, how to cite."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import json_script
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from ..dictionary import dictionary
from ..exports import dictionary_csv
from ..methods import LIMITS, METHODS
from ..models import Review
from ..steady import collections, version


@require_safe
def methods(request: HttpRequest) -> HttpResponse:
    """Every statistic and rule, with an example worked out now."""
    worked = [vars(each) | {"worked": each.example()} for each in METHODS]
    return render(request, "evidence/methods.html", {"methods": worked, "limits": LIMITS})


@require_safe
def data_dictionary(request: HttpRequest) -> HttpResponse:
    """What every column of every file means."""
    return render(request, "evidence/data-dictionary.html", {"files": dictionary()})


@require_safe
def dictionary_file(request: HttpRequest) -> HttpResponse:
    return dictionary_csv()


@require_safe
def cite(request: HttpRequest) -> HttpResponse:
    """How to cite Casebook, the studies and the reviews."""
    now, address = version(), request.build_absolute_uri("/")
    text = f"Casebook: patient-level evidence on JAK inhibitors in systemic sclerosis. Data version {now.number}, "
    text += f"{now.changed_at:%-d %B %Y}. {address}"
    dataset = {
        "@context": "https://schema.org",
        "@type": "Dataset",
        "name": "Casebook: patient-level evidence on JAK inhibitors in systemic sclerosis",
        "description": "Individually reported patients, their treatments, outcomes and adverse events, read out of the "
        "literature; every rate with its denominator.",
        "url": address,
        "version": str(now.number),
        "dateModified": now.changed_at.date().isoformat(),
        "isAccessibleForFree": True,
        "distribution": [
            {
                "@type": "DataDownload",
                "encodingFormat": "text/csv",
                "contentUrl": request.build_absolute_uri(f"/{each.slug}/patients.csv"),
                "description": each.caveat if each.is_simulated else each.description,
            }
            for each in collections()
        ],
    }
    context = {
        "collections": collections(),
        "reviews": Review.objects.all(),
        "text": text,
        "dataset": embedded(dataset),
    }
    response = render(request, "evidence/cite.html", context)
    response.headers["Cache-Control"] = "no-cache"  # it names the host it was asked at, so it is not kept for another
    return response


def embedded(data: dict):
    """Linked data for search engines, as a script that is none."""
    return mark_safe(json_script(data).replace("application/json", "application/ld+json", 1))  # noqa: S308

"""About the evidence as a whole: how numbers are made, what columns mean, how to cite."""

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.html import json_script
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from ..downloads import attachment_header, dictionary_csv, file_stem
from ..downloads.citations import LICENCE
from ..downloads.csv_metadata import dictionary_metadata
from ..downloads.file_names import METADATA, FileAddress
from ..downloads.phenopackets import LOSSES, terms_without_code
from ..downloads.release_status import latest_release
from ..downloads.whole_files import DICTIONARY
from ..models import Release, ReleasedCollection, Review
from ..models.consistency import all_collections, current_version
from ..questions.request_checks import accept_params, head_response
from ..summaries.methods import LIMITS, METHODS
from ..tables.dictionary import dictionary_entries
from .files import metadata_response

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
@accept_params(file=True)
def dictionary_file_metadata(request: HttpRequest) -> HttpResponse:
    """What describes the data dictionary as a file."""
    address = FileAddress(request.path.removesuffix(METADATA))
    return metadata_response(
        request,
        lambda: dictionary_metadata(address, request.build_absolute_uri),
        DICTIONARY,
    )


@require_safe
@accept_params()
def releases_page(request: HttpRequest) -> HttpResponse:
    """Every release: what it holds, what changed, and its archive."""
    if head := head_response(request):
        return head
    all_releases = Release.objects.prefetch_related("collections")
    return render(request, "evidence/releases.html", {"releases": all_releases})


@require_safe
@accept_params(file=True)
def release_file(request: HttpRequest, number: int, slug: str) -> StreamingHttpResponse:
    """One collection of a release, as it was, piece by piece."""
    released = get_object_or_404(ReleasedCollection, release__number=number, slug=slug)
    headers = attachment_header(f"{file_stem(released)}-release-{number}.zip", released) | {
        "Content-Length": str(released.size)
    }
    return StreamingHttpResponse(released.pieces(), content_type="application/zip", headers=headers)


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

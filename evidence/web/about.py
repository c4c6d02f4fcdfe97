"""About the evidence as a whole: how numbers are made, what columns mean, how to cite."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ..downloads import dictionary_csv
from ..downloads.csv_metadata import dictionary_metadata
from ..downloads.file_names import METADATA, FileAddress
from ..downloads.metadata import (
    CREATOR,
    LICENCE,
    TITLE,
    describe_collection,
    linked_datasets,
    sources_of,
)
from ..downloads.phenopackets import LOSSES, terms_without_code
from ..downloads.release_status import latest_release
from ..downloads.whole_files import DICTIONARY
from ..models import Review
from ..models.consistency import all_collections, current_version
from ..questions.request_checks import accept_params, head_response
from ..summaries.methods import LIMITS, METHODS
from ..tables.dictionary import dictionary_entries
from ..tables.ontology_codes import ontology_code_rows
from .files import metadata_response
from .linking import linked_data

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
        "codes": ontology_code_rows(),
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
    text = f"{CREATOR}. {TITLE}. {state}. {address}"
    datasets = [
        describe_collection(collection, sources_of(collection)) for collection in all_collections()
    ]
    context = {
        "collections": all_collections(),
        "reviews": Review.objects.all(),
        "text": text,
        "release": release,
        "licence": LICENCE,
        "linked_data": linked_data(linked_datasets(datasets, request.build_absolute_uri)),
    }
    response = render(request, "evidence/cite.html", context)
    response.headers["Cache-Control"] = NO_CACHE
    return response

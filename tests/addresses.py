"""Every address readers have, by its name in the route table, with what it is made of."""

from itertools import product

from django.urls import URLPattern

from evidence.charts.registry import CHARTS
from evidence.downloads import FILE_FORMATS
from evidence.downloads.citations import FORMATS
from evidence.models import Patient, Study
from evidence.tables import FILE_TABLES, TABLES


def names(patterns) -> set[str]:
    """The names of all addresses readers have."""
    found = set()
    for each in patterns:
        if isinstance(each, URLPattern):
            found |= {each.name} - {None}
        elif each.namespace != "admin":
            found |= names(each.url_patterns)
    return found


def arguments(slug: str) -> dict[str, list[tuple]]:
    """What the addresses of a collection are made of, by their names."""
    shown = Patient.objects.filter(
        study__collection__slug=slug, state="published", study__state="published"
    )
    people = [(slug, each) for each in shown.values_list("slug", flat=True)]
    papers = Study.objects.filter(collection__slug=slug, state="published")
    studies = [(slug, each) for each in papers.values_list("slug", flat=True)]
    alone = (
        "home healthz readyz api_docs inhibitors reviews methods dictionary dictionary_file cite "
        "dictionary_file_metadata "
        "releases api changes robots sitemap forest_script forest_notebook "
    )
    alone += "api_releases api_dictionary api_schema api_inhibitors api_reviews"
    whole = (
        "cohort matrix charts compare compare_file similar forest forest_file rules completeness "
        "bundle bundle_sqlite bundle_parquet datacite compare_file_metadata forest_file_metadata "
        "phenopackets flow collection_changes question_feed "
    )
    whole += "api_collection api_filters api_summary api_forest api_compare api_completeness "
    whole += "api_rules api_flow api_provenance "
    whole += " ".join(f"api_{noun}" for noun in FILE_TABLES)
    return (
        {name: [()] for name in alone.split()}
        | {name: [(slug,)] for name in whole.split()}
        | {
            "inhibitor": [("itacitinib",), ("tofacitinib",)],
            "review": [("sener-2025",)],
            "release_file": [(1, slug)],
            "differences": [(1,)],
            "differences_file": [(1,)],
            "api_differences": [(1,)],
            "chart_file": [(slug, name) for name in CHARTS],
            "chart_file_metadata": [(slug, name) for name in CHARTS],
            "api_chart": [(slug, name) for name in CHARTS],
            "api_patient": people,
            "api_study": studies,
            "api_inhibitor": [("itacitinib",), ("tofacitinib",)],
            "api_review": [("sener-2025",)],
            "citations": [(slug, how) for how in FORMATS],
            "citation": [(*study, how) for study, how in product(studies, FORMATS)],
            "phenopacket": people,
            "patient": people,
            "study": studies,
            "suggest_patient": people,
            "suggest_study": studies,
            "list": [(slug, noun) for noun in TABLES],
            "file": [(slug, noun, how) for noun, how in product(FILE_TABLES, FILE_FORMATS)],
            "file_metadata": [
                (slug, noun, how) for noun, how in product(FILE_TABLES, ("csv", "tsv"))
            ],
        }
    )

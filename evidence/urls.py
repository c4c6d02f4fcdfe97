"""The route table. Words that are no collection come first; see also `models.study.RESERVED`."""

from django.contrib import admin
from django.urls import include, path, register_converter
from django.urls.converters import StringConverter

from .api.documentation import analysis_example, api_documentation
from .api.throttling import limit_suggestions
from .downloads import FILE_FORMATS
from .downloads.citations import FORMATS
from .tables import FILE_TABLES, TABLES
from .web import (
    about,
    analyses,
    cases,
    charts,
    comparison,
    crawlers,
    feed,
    files,
    health,
    home,
    lists,
    overview,
    reference,
    releases,
    suggest,
)


class Noun(StringConverter):
    """The nouns that have a list, and a file of it."""

    regex = "|".join(TABLES)


class FileNoun(StringConverter):
    """The nouns that have a file."""

    regex = "|".join(FILE_TABLES)


class Format(StringConverter):
    """The formats a list comes in."""

    regex = "|".join(FILE_FORMATS)


class Separated(StringConverter):
    """The formats of separated values, which have a description of their own."""

    regex = "csv|tsv"


class Citation(StringConverter):
    """The formats a citation comes in."""

    regex = "|".join(FORMATS)


register_converter(Noun, "noun")
register_converter(FileNoun, "file_noun")
register_converter(Citation, "citation")
register_converter(Format, "format")
register_converter(Separated, "separated")

handler404 = "evidence.middleware.not_found"
handler500 = "evidence.web.errors.server_error"
urlpatterns = [
    path("", home.home_page, name="home"),
    path("favicon.ico", reference.favicon),
    path("robots.txt", crawlers.robots_file, name="robots"),
    path("sitemap.xml", crawlers.sitemap_file, name="sitemap"),
    path("healthz", health.liveness, name="healthz"),
    path("readyz", health.readiness, name="readyz"),
    path("admin/", admin.site.urls),
    path("api/", api_documentation, name="api_docs"),
    path("api/forest.R", analysis_example, {"name": "forest.R"}, name="forest_script"),
    path("api/forest.ipynb", analysis_example, {"name": "forest.ipynb"}, name="forest_notebook"),
    path("api/", include("evidence.api.urls")),
    path("inhibitors/", reference.inhibitors_page, name="inhibitors"),
    path("inhibitors/<slug:slug>/", reference.inhibitor_page, name="inhibitor"),
    path("reviews/", reference.reviews_page, name="reviews"),
    path("reviews/<slug:slug>/", reference.review_page, name="review"),
    path("methods/", about.methods_page, name="methods"),
    path("data-dictionary/", about.data_dictionary, name="dictionary"),
    path("data-dictionary.csv", about.dictionary_file, name="dictionary_file"),
    path(
        "data-dictionary.csv-metadata.json",
        about.dictionary_file_metadata,
        name="dictionary_file_metadata",
    ),
    path("cite/", about.cite_page, name="cite"),
    path("releases/", releases.releases_page, name="releases"),
    path("releases/<int:number>/changes/", releases.differences_page, name="differences"),
    path("releases/<int:number>/changes.csv", releases.differences_file, name="differences_file"),
    path("releases/<int:number>/<slug:slug>.zip", releases.release_file, name="release_file"),
    path("changes.atom", feed.changes_feed, name="changes"),
    path("<slug:collection>/patients.atom", feed.question_feed, name="question_feed"),
    path("<slug:collection>/changes.atom", feed.changes_feed, name="collection_changes"),
    path("<slug:collection>/", overview.overview_page, name="cohort"),
    path("<slug:collection>/matrix/", lists.matrix_page, name="matrix"),
    path("<slug:collection>/compare/", comparison.comparison_page, name="compare"),
    path("<slug:collection>/compare.csv", comparison.compare_file, name="compare_file"),
    path(
        "<slug:collection>/compare.csv-metadata.json",
        comparison.compare_file_metadata,
        name="compare_file_metadata",
    ),
    path("<slug:collection>/similar/", comparison.similar_page, name="similar"),
    path("<slug:collection>/forest/", analyses.forest_page, name="forest"),
    path("<slug:collection>/forest.csv", analyses.forest_file, name="forest_file"),
    path(
        "<slug:collection>/forest.csv-metadata.json",
        analyses.forest_file_metadata,
        name="forest_file_metadata",
    ),
    path("<slug:collection>/rules/", analyses.rules_page, name="rules"),
    path("<slug:collection>/completeness/", analyses.completeness_page, name="completeness"),
    path("<slug:collection>/datacite.json", files.datacite_file, name="datacite"),
    path("<slug:collection>/bundle.zip", files.bundle_file, {"how": "zip"}, name="bundle"),
    path(
        "<slug:collection>/bundle.sqlite",
        files.bundle_file,
        {"how": "sqlite"},
        name="bundle_sqlite",
    ),
    path(
        "<slug:collection>/bundle.parquet.zip",
        files.bundle_file,
        {"how": "parquet.zip"},
        name="bundle_parquet",
    ),
    path("<slug:collection>/phenopackets.json", files.phenopackets_file, name="phenopackets"),
    path("<slug:collection>/flow/", analyses.flow_page, name="flow"),
    path("<slug:collection>/charts/", charts.charts_page, name="charts"),
    path("<slug:collection>/charts/<slug:name>.csv", files.chart_file, name="chart_file"),
    path(
        "<slug:collection>/charts/<slug:name>.csv-metadata.json",
        files.chart_file_metadata,
        name="chart_file_metadata",
    ),
    path("<slug:collection>/studies.<citation:how>", files.citations_file, name="citations"),
    path(
        "<slug:collection>/studies/<slug:slug>.<citation:how>",
        cases.study_citation,
        name="citation",
    ),
    path(
        "<slug:collection>/patients/<slug:slug>/phenopacket.json",
        cases.phenopacket_of,
        name="phenopacket",
    ),
    path(
        "<slug:collection>/patients/<slug:slug>/suggest/",
        limit_suggestions(suggest.patient_suggestion),
        name="suggest_patient",
    ),
    path(
        "<slug:collection>/studies/<slug:slug>/suggest/",
        limit_suggestions(suggest.study_suggestion),
        name="suggest_study",
    ),
    path("<slug:collection>/patients/<slug:slug>/", cases.patient_page, name="patient"),
    path("<slug:collection>/studies/<slug:slug>/", cases.study_page, name="study"),
    path("<slug:collection>/<noun:noun>/", lists.list_page, name="list"),
    path(
        "<slug:collection>/<file_noun:noun>.<separated:how>-metadata.json",
        files.list_metadata,
        name="file_metadata",
    ),
    path("<slug:collection>/<file_noun:noun>.<format:how>", files.list_file, name="file"),
]

"""The API's addresses."""

from django.urls import path, re_path

from . import record_views, views
from .errors import nothing_here

urlpatterns = [
    path("v1/", views.Start.as_view(), name="api"),
    path("v1/releases/", views.Releases.as_view(), name="api_releases"),
    path("v1/releases/<int:number>/changes/", views.Differences.as_view(), name="api_differences"),
    path("v1/dictionary/", views.Dictionary.as_view(), name="api_dictionary"),
    path("v1/inhibitors/", record_views.Inhibitors.as_view(), name="api_inhibitors"),
    path(
        "v1/inhibitors/<slug:inhibitor>/",
        record_views.Inhibitor.as_view(),
        name="api_inhibitor",
    ),
    path("v1/reviews/", record_views.Reviews.as_view(), name="api_reviews"),
    path("v1/reviews/<slug:review>/", record_views.ReviewRecord.as_view(), name="api_review"),
    path("v1/<slug:collection>/", views.Collection.as_view(), name="api_collection"),
    path("v1/<slug:collection>/filters/", views.Filters.as_view(), name="api_filters"),
    path("v1/<slug:collection>/summary/", views.Summary.as_view(), name="api_summary"),
    path("v1/<slug:collection>/forest/", views.Forest.as_view(), name="api_forest"),
    path("v1/<slug:collection>/compare/", views.Compare.as_view(), name="api_compare"),
    path(
        "v1/<slug:collection>/completeness/", views.Completeness.as_view(), name="api_completeness"
    ),
    path("v1/<slug:collection>/rules/", views.Rules.as_view(), name="api_rules"),
    path("v1/<slug:collection>/flow/", views.Flow.as_view(), name="api_flow"),
    path(
        "v1/<slug:collection>/patients/<slug:patient>/",
        record_views.PatientRecord.as_view(),
        name="api_patient",
    ),
    path(
        "v1/<slug:collection>/studies/<slug:study>/",
        record_views.StudyRecord.as_view(),
        name="api_study",
    ),
    path("v1/<slug:collection>/charts/<slug:name>/", views.Chart.as_view(), name="api_chart"),
    *(
        path(f"v1/<slug:collection>/{noun}/", view.as_view(), name=f"api_{noun}")
        for noun, view in views.LISTS.items()
    ),
    path("schema/", views.Schema.as_view(), name="api_schema"),
    re_path(r"^[\s\S]*/$", nothing_here),  # without its last stroke an address is first completed
]

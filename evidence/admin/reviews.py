"""Reviews, their printed figures, the studies they include."""

from django.contrib import admin

from ..models import FlowStep, PrintedFigure, Review, ReviewInclusion
from .base import HistoryAdmin, Inline, RecordAdmin, WideInline
from .versions import VersionedAdmin


class PrintedFigureInline(WideInline):
    model = PrintedFigure
    fields = [
        ("code", "label", "position"),
        ("value", "decimals", "spread", "unit"),
        ("count", "n", "missing"),
        ("contradicts", "verdict"),
        "note",
    ]


class FlowStepInline(Inline):
    """The steps of a study flow; a number that is not known stays empty."""

    model = FlowStep
    fields = ["stage", "reason", "studies", "patients", "note", "position"]


@admin.register(FlowStep)
class FlowStepAdmin(HistoryAdmin, RecordAdmin):
    list_display = ["__str__", "stage", "reason", "studies", "patients"]
    list_filter = ["review", "collection", "stage"]
    list_select_related = ["review", "collection"]


@admin.register(Review)
class ReviewAdmin(HistoryAdmin, RecordAdmin):
    list_display = ["short_name", "year", "journal", "n_articles", "n_patients"]
    search_fields = ["short_name", "slug", "title"]
    inlines = [PrintedFigureInline, FlowStepInline]


@admin.register(PrintedFigure)
class PrintedFigureAdmin(HistoryAdmin, RecordAdmin):
    list_display = ["label", "review", "value", "count", "n", "unit", "verdict"]
    list_filter = ["review", "unit", "verdict"]
    list_select_related = ["review"]
    search_fields = ["label", "code", "review__short_name"]
    autocomplete_fields = ["review", "contradicts"]


@admin.register(ReviewInclusion)
class ReviewInclusionAdmin(VersionedAdmin, HistoryAdmin, RecordAdmin):
    list_display = ["review", "study", "status"]
    list_filter = ["review", "status"]
    list_select_related = ["review", "study"]
    search_fields = ["review__short_name", "study__short_name"]
    autocomplete_fields = ["review", "study"]

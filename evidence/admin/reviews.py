"""Reviews, their printed figures, the studies they include."""

from django.contrib import admin

from ..models import PrintedFigure, Review, ReviewInclusion
from .base import Inline


class PrintedFigureInline(Inline):
    model = PrintedFigure


@admin.register(Review)
class ReviewAdmin(admin.ModelAdmin):
    list_display = ["short_name", "year", "journal", "n_articles", "n_patients"]
    search_fields = ["short_name", "slug", "title"]
    inlines = [PrintedFigureInline]


@admin.register(PrintedFigure)
class PrintedFigureAdmin(admin.ModelAdmin):
    list_display = ["label", "review", "value", "count", "n", "unit"]
    list_filter = ["review", "unit"]
    list_select_related = ["review"]
    search_fields = ["label", "code", "review__short_name"]
    autocomplete_fields = ["review"]


@admin.register(ReviewInclusion)
class ReviewInclusionAdmin(admin.ModelAdmin):
    list_display = ["review", "study", "status"]
    list_filter = ["review", "status"]
    list_select_related = ["review", "study"]
    search_fields = ["review__short_name", "study__short_name"]
    autocomplete_fields = ["review", "study"]

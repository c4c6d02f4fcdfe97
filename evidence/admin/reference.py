"""Drugs, vocabularies, collections, and the tables Casebook keeps for itself."""

from django.contrib import admin

from ..models import (
    AdverseEventCategory,
    Autoantibody,
    Collection,
    DataVersion,
    Indication,
    JAKInhibitor,
    LoadedRecord,
    Manifestation,
    Measure,
    OntologyCode,
    Release,
    ReleasedCollection,
    Therapy,
)
from ..models.draft import studies_that_name
from ..models.ontology_code import TERMS
from ..models.reference import Term
from ..models.spellings import find_term
from .base import HistoryAdmin, RecordAdmin


class SpelledAdmin(HistoryAdmin, RecordAdmin):
    """Terms of a vocabulary, found by any spelling. Those not in use are not offered in forms."""

    def get_search_results(self, request, queryset, search_term):
        if request.resolver_match.url_name == "autocomplete":
            queryset = queryset.filter(in_use=True)
        found, has_duplicates = super().get_search_results(request, queryset, search_term)
        term = find_term(self.model, search_term)
        return (found if term is None else found | queryset.filter(pk=term.pk)), has_duplicates

    def get_deleted_objects(self, objs, request):
        """Shows what is coded with a term, published or in work, as the reason why it cannot be
        deleted.
        """
        deleted, counts, permissions, protected = super().get_deleted_objects(objs, request)
        for term in objs:
            uses = term.uses() if isinstance(term, Term) else []
            protected = [*protected, *map(str, uses)]
            named = studies_that_name(term)
            protected += [f"{draft} (a study in work or its history)" for draft in named]
        return deleted, counts, permissions, protected


@admin.register(JAKInhibitor)
class JAKInhibitorAdmin(SpelledAdmin):
    list_display = [
        "name",
        "brand",
        "targets",
        "atc",
        "fda_first_approval",
        "ema_first_approval",
        "fda_boxed_warning",
        "in_use",
    ]
    list_filter = ["in_use"]
    search_fields = ["name", "brand", "slug", "synonyms"]
    prepopulated_fields = {"slug": ["name"]}


class TermAdmin(SpelledAdmin):
    list_display = ["label", "code", "synonyms", "in_use", "position"]
    list_filter = ["in_use"]
    search_fields = ["label", "code", "synonyms"]


@admin.register(Measure)
class MeasureAdmin(TermAdmin):
    """A pop-up beside an outcome adds one: words of a single source, or an instrument."""

    list_display = ["label", "domain", "unit", "limits", "better", "standard", "in_use"]
    list_filter = ["standard", "in_use", "domain"]
    prepopulated_fields = {"code": ["label"]}

    @admin.display(description="range", empty_value="-")
    def limits(self, measure):
        return measure.range_in_words or None


admin.site.register(
    [AdverseEventCategory, Autoantibody, Indication, Manifestation, Therapy], TermAdmin
)


@admin.register(OntologyCode)
class OntologyCodeAdmin(HistoryAdmin, RecordAdmin):
    """Codes of other ontologies: each with the release and the copy it was read in."""

    list_display = ["code", "label", "of_term", "release"]
    list_select_related = list(TERMS)
    list_filter = ["release"]
    search_fields = ["code", "label", *(f"{name}__label" for name in TERMS)]
    autocomplete_fields = list(TERMS)

    @admin.display(description="stands for")
    def of_term(self, code):
        return f"{code.term_label} ({code.subject_label})"


@admin.register(Collection)
class CollectionAdmin(HistoryAdmin, RecordAdmin):
    list_display = ["name", "kind", "reconstructs", "position"]
    list_select_related = ["reconstructs"]
    search_fields = ["name", "slug"]
    autocomplete_fields = ["reconstructs"]


class ReadOnlyAdmin(RecordAdmin):
    """The admin of a table that only Casebook writes: staff can read its records and not edit
    them.
    """

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


@admin.register(DataVersion)
class DataVersionAdmin(ReadOnlyAdmin):
    list_display = ["number", "changed_at"]


@admin.register(LoadedRecord)
class LoadedRecordAdmin(ReadOnlyAdmin):
    list_display = ["model", "key", "named"]
    list_filter = ["model"]
    search_fields = ["model", "key"]

    @admin.display(description="fields the fixture names")
    def named(self, record):
        return ", ".join(record.fields)


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin):
    """Made by `manage.py release`; a release that could be changed would be none."""

    list_display = ["number", "released_at", "data_version", "content_hash"]
    search_fields = ["notes", "content_hash"]


@admin.register(ReleasedCollection)
class ReleasedCollectionAdmin(ReadOnlyAdmin):
    list_display = ["release", "slug", "kind", "size", "sha256"]
    list_filter = ["release"]
    list_select_related = ["release"]
    search_fields = ["slug", "name"]

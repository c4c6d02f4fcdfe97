"""Studies, their groups, their patients, and what happened to them."""

from django.contrib import admin, messages
from django.db import models
from django.forms import ModelForm
from django.urls import reverse
from django.utils.html import format_html

from ..models import (
    AdverseEvent,
    GroupFinding,
    Outcome,
    Patient,
    PatientAutoantibody,
    PatientManifestation,
    Provenance,
    ReportedTotal,
    ReviewInclusion,
    Study,
    StudyGroup,
    Treatment,
)
from ..models.choices import Extraction
from .base import Inline, PublicationAdmin, RecordAdmin, WideInline
from .versions import NAMED, VersionedAdmin


class StudyGroupInline(Inline):
    model = StudyGroup
    fields = [
        "slug",
        "label",
        "inhibitor",
        "mixed_inhibitors",
        "n",
        "subset",
        "dose",
        "follow_up_weeks",
        "position",
    ]
    autocomplete_fields = ["inhibitor"]


class InclusionInline(Inline):
    model = ReviewInclusion
    autocomplete_fields = ["review"]


class StudyForm(ModelForm):
    """A study as read in full as its patients allow."""

    def clean(self):
        values = super().clean()
        unread = self.instance.patients_not_looked_through()
        if values.get("extraction") == Extraction.FULL_TEXT and unread.exists():
            values["extraction"] = Extraction.IN_PART
        return values


# What the forms say where a record is withdrawn.
KEPT_BY_RELEASES = (
    "Releases made before keep the record, as they are cited. Where it must not be read at all, "
    "whoever runs the site removes their archives (manage.py prune_releases)."
)


@admin.register(Study)
class StudyAdmin(VersionedAdmin, PublicationAdmin):
    form = StudyForm
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    list_display = ["short_name", "collection", "year", "design", "extraction", "n_jaki", "state"]
    list_filter = ["state", "collection", "design", "extraction", "retraction_status"]
    list_select_related = ["collection"]
    search_fields = ["short_name", "slug", "title", "authors", "doi", "pmid", "nct"]
    autocomplete_fields = [
        "collection",
        "registered_inhibitor",
        "may_share_patients_with",
        "replaced_by",
    ]
    inlines = [StudyGroupInline, InclusionInline]
    fieldsets = [
        (None, {"fields": ["collection", "slug", "short_name", "state"]}),
        (
            "What was read",
            {
                "fields": ["design", "extraction", "n_jaki", "n_randomised", "country"],
                "description": "How much was read decides what an empty value means: after the "
                "full text, “not reported”; after anything less, “not extracted”. A study counts "
                "as read in full only where each of its patients has the tick “every empty field "
                "was looked for”.",
            },
        ),
        (
            "Publication",
            {"fields": ["title", "authors", "journal", "year", "volume", "pages", "url"]},
        ),
        ("Identifiers", {"fields": ["doi", "pmid", "pmcid", "nct", "pii"]}),
        (
            "Registered trial",
            {
                "fields": [
                    "registered_inhibitor",
                    "comparator",
                    "planned_n",
                    "registry_status",
                    "results_posted",
                ],
                "classes": ["collapse"],
            },
        ),
        ("Remarks", {"fields": ["may_share_patients_with", "notes"]}),
        (
            "Retraction",
            {
                "fields": [
                    "retraction_status",
                    "retraction_date",
                    "retraction_notice",
                    "retraction_reason",
                ],
                "classes": ["collapse"],
                "description": "What the journal has said of the publication since. The study "
                "stays counted; readers are told wherever it is named.",
            },
        ),
        (
            "Withdrawal",
            {
                "fields": ["withdrawal_reason", "replaced_by"],
                "classes": ["collapse"],
                "description": KEPT_BY_RELEASES,
            },
        ),
    ]

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        chosen = form.data.get(form.add_prefix("extraction"))
        if chosen == Extraction.FULL_TEXT and obj.extraction == Extraction.IN_PART:
            unread = list(obj.patients_not_looked_through()[:NAMED])
            self.message_user(
                request,
                f"{obj} is kept as “{Extraction.IN_PART.label}”: these patients lack the tick "
                f"“every empty field was looked for”: {', '.join(map(str, unread))}"
                f"{', …' if len(unread) == NAMED else ''}.",
                messages.WARNING,
            )


class FindingInline(WideInline):
    model = GroupFinding
    fields = [
        ("number", "kind", "measure", "item", "harm"),
        ("at_weeks", "n", "events", "percent", "value"),
        ("baseline", "baseline_sd", "followup", "followup_sd", "change", "change_sd"),
        ("iqr", "iqr_low", "iqr_high", "p_value"),
        "note",
    ]


@admin.register(StudyGroup)
class StudyGroupAdmin(VersionedAdmin, RecordAdmin):
    list_display = ["label", "study", "inhibitor", "n", "subset"]
    list_filter = ["study__collection", "inhibitor", "subset"]
    list_select_related = ["study", "inhibitor"]
    search_fields = ["label", "study__short_name", "study__slug"]
    autocomplete_fields = ["study", "inhibitor", "indications"]
    inlines = [FindingInline]


@admin.register(GroupFinding)
class GroupFindingAdmin(VersionedAdmin, RecordAdmin):
    list_display = ["measure", "kind", "group", "at_weeks", "n"]
    list_filter = ["kind", "group__study__collection"]
    list_select_related = ["group__study"]
    search_fields = ["measure", "group__label", "group__study__short_name"]
    autocomplete_fields = ["group"]


@admin.register(ReportedTotal)
class ReportedTotalAdmin(VersionedAdmin, RecordAdmin):
    list_display = ["study", "number", "quantity", "statistic", "value", "of_n"]
    list_filter = ["study__collection", "quantity", "statistic"]
    list_select_related = ["study"]
    search_fields = ["study__short_name", "study__slug", "note"]
    autocomplete_fields = [
        "study",
        "manifestation",
        "autoantibody",
        "inhibitor",
        "indication",
        "measure",
    ]


class ManifestationInline(Inline):
    model = PatientManifestation
    autocomplete_fields = ["manifestation"]


class AutoantibodyInline(Inline):
    model = PatientAutoantibody
    autocomplete_fields = ["autoantibody"]


class TreatmentInline(Inline):
    model = Treatment
    fields = [
        "number",
        "inhibitor",
        "indication_set",
        "dose",
        "duration_months",
        "response",
        "adverse_events",
    ]
    # chosen on the treatment's own page: a list per row would cost a query per row
    readonly_fields = ["indication_set"]
    autocomplete_fields = ["inhibitor"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("patient", "inhibitor")


class PatientForm(ModelForm):
    """A patient whose study counts as read in part from the moment the tick is missing."""

    def clean(self):
        values = super().clean()
        study = values.get("study")
        if study and not values.get("looked_for") and study.extraction == Extraction.FULL_TEXT:
            study.extraction = Extraction.IN_PART  # saved with the patient, before it
        return values


@admin.register(Patient)
class PatientAdmin(VersionedAdmin, PublicationAdmin):
    form = PatientForm
    list_display = ["slug", "study", "sex", "age_years", "subset", "state"]
    list_filter = ["state", "study__collection", "sex", "subset"]
    list_select_related = ["study"]
    search_fields = ["slug", "label", "study__short_name", "study__slug"]
    autocomplete_fields = ["study", "prior_therapies", "same_as", "replaced_by"]
    inlines = [ManifestationInline, AutoantibodyInline, TreatmentInline]
    fieldsets = [
        (None, {"fields": [("study", "slug", "label"), "state"]}),
        ("Person", {"fields": [("sex", "age_years"), "comorbidities"]}),
        (
            "Disease",
            {"fields": [("subset", "classification"), ("disease_duration_months", "dlco_percent")]},
        ),
        (
            "Lists, each with whether it is whole",
            {
                "fields": [
                    ("prior_therapies_completeness", "prior_therapies"),
                    ("manifestations_completeness", "autoantibodies_completeness"),
                ],
                "description": "One question each: what is known of it, then what it is. "
                "Manifestations and autoantibodies themselves stand in the tables below.",
            },
        ),
        ("What was looked for", {"fields": ["looked_for"]}),
        ("Remarks", {"fields": ["same_as", "notes"]}),
        (
            "Withdrawal",
            {
                "fields": ["withdrawal_reason", "replaced_by"],
                "classes": ["collapse"],
                "description": KEPT_BY_RELEASES,
            },
        ),
    ]

    def save_model(self, request, obj, form, change):
        study = obj.study
        if obj.settle_study():
            self.message_user(
                request,
                f"{study} now counts as “{Extraction.IN_PART.label}”: {obj} lacks the tick “every "
                "empty field was looked for”, so what is empty is “not extracted”.",
                messages.WARNING,
            )
        super().save_model(request, obj, form, change)
        if (
            "looked_for" in form.changed_data
            and study.extraction == Extraction.IN_PART
            and not study.patients_not_looked_through().exists()
        ):
            self.message_user(
                request,
                format_html(
                    "Every patient of {} now has the tick “every empty field was looked for”. If "
                    "its own fields and its groups were read in full too, choose “{}” "
                    '<a href="{}">for the study</a>.',
                    study,
                    Extraction.FULL_TEXT.label,
                    reverse("admin:evidence_study_change", args=[study.pk]),
                ),
            )

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("study__collection")


@admin.register(PatientManifestation)
class PatientManifestationAdmin(VersionedAdmin, RecordAdmin):
    list_display = ["patient", "manifestation", "status"]
    list_filter = ["status", "manifestation"]
    list_select_related = ["patient", "manifestation"]
    search_fields = ["patient__slug", "manifestation__label"]
    autocomplete_fields = ["patient", "manifestation"]


@admin.register(PatientAutoantibody)
class PatientAutoantibodyAdmin(VersionedAdmin, RecordAdmin):
    list_display = ["patient", "autoantibody", "status"]
    list_filter = ["status", "autoantibody"]
    list_select_related = ["patient", "autoantibody"]
    search_fields = ["patient__slug", "autoantibody__label"]
    autocomplete_fields = ["patient", "autoantibody"]


class OutcomeInline(WideInline):
    model = Outcome
    fields = [
        ("number", "domain", "measure", "unit"),
        ("baseline", "baseline_month", "followup", "at_months", "result"),
        "followup_text",
    ]
    autocomplete_fields = ["measure"]


class AdverseEventInline(Inline):
    model = AdverseEvent
    autocomplete_fields = ["category"]


@admin.register(Treatment)
class TreatmentAdmin(VersionedAdmin, RecordAdmin):
    list_display = [
        "patient",
        "number",
        "inhibitor",
        "indication_set",
        "response",
        "relapsed",
        "adverse_events",
    ]
    list_filter = [
        "inhibitor",
        "response",
        "relapsed",
        "adverse_events",
        "patient__study__collection",
    ]
    list_select_related = ["patient", "inhibitor"]
    search_fields = ["patient__slug", "inhibitor__name", "patient__study__short_name"]
    autocomplete_fields = ["patient", "inhibitor", "indications", "concomitant_therapies"]
    readonly_fields = ["indication_set"]
    inlines = [OutcomeInline, AdverseEventInline]
    fieldsets = [
        (None, {"fields": [("patient", "number"), "inhibitor", ("dose", "duration_months")]}),
        (
            "Lists, each with whether it is whole",
            {
                "fields": [
                    ("indications_completeness", "indications"),
                    "indication_set",
                    ("concomitant_therapies_completeness", "concomitant_therapies"),
                ],
                "description": "One question each: what is known of it, then what it is.",
            },
        ),
        ("What came of it", {"fields": [("response", "relapsed"), ("stopped", "stop_reason")]}),
        (
            "Adverse events",
            {"fields": [("adverse_events", "adverse_event_categories_completeness")]},
        ),
    ]


@admin.register(Outcome)
class OutcomeAdmin(VersionedAdmin, RecordAdmin):
    list_display = ["treatment", "number", "domain", "measure", "at_months", "result"]
    list_filter = ["domain", "result"]
    list_select_related = ["treatment__patient", "treatment__inhibitor", "measure"]
    search_fields = ["treatment__patient__slug", "measure__label"]
    autocomplete_fields = ["treatment", "measure"]


@admin.register(AdverseEvent)
class AdverseEventAdmin(VersionedAdmin, RecordAdmin):
    list_display = ["treatment", "number", "category", "description", "grade", "serious"]
    list_filter = ["category", "serious", "grade"]
    list_select_related = ["treatment__patient", "treatment__inhibitor", "category"]
    search_fields = ["treatment__patient__slug", "description", "category__label"]
    autocomplete_fields = ["treatment", "category"]


@admin.register(Provenance)
class ProvenanceAdmin(VersionedAdmin, RecordAdmin):
    list_display = ["study", "number", "field", "locator", "method", "extracted_by", "checked_by"]
    list_filter = ["method", "study__collection"]
    list_select_related = [
        "study",
        "patient",
        "treatment__patient",
        "treatment__inhibitor",
        "outcome__treatment__patient",
        "outcome__treatment__inhibitor",
        "adverse_event__category",
        "adverse_event__treatment__patient",
        "adverse_event__treatment__inhibitor",
        "group__study",
        "finding__group__study",
    ]
    search_fields = ["study__short_name", "study__slug", "field", "locator"]
    autocomplete_fields = [
        "study",
        "patient",
        "treatment",
        "outcome",
        "adverse_event",
        "group",
        "finding",
    ]

"""What every admin page of Casebook shares."""

from contextlib import suppress
from itertools import count

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.forms import BaseInlineFormSet, ModelForm, Textarea, TextInput
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.text import capfirst
from simple_history.admin import SimpleHistoryAdmin

from ..models import StudyDraft
from ..models.publication import NOT_DELETED
from ..models.study_parts import PARTS, study_of
from ..questions.form_fields import DecimalNumberField, WholeNumberField
from .entry_rules import RuledForm, RuledRecordForm, RulesBroken, issues_around
from .shown import TOLD, NewForm, RecordForm, ShownForm, ShownRows, remover


class NumbersAsText:
    """Admin forms with numbers in text inputs; `questions.form_fields.NumberAsText` gives the
    reason. Longer texts get three lines and grow by hand.
    """

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        if isinstance(db_field, models.DecimalField):
            kwargs |= {"form_class": DecimalNumberField, "widget": number_input("decimal")}
        elif isinstance(db_field, models.IntegerField):
            kwargs |= {"form_class": WholeNumberField, "widget": number_input("numeric")}
        elif isinstance(db_field, models.TextField):
            kwargs |= {"widget": Textarea(attrs={"rows": 3, "class": "vLargeTextField"})}
        return super().formfield_for_dbfield(db_field, request, **kwargs)


class KnownChoices:
    """Lists that are searched on the server, which show no choice for what is no key at all:
    Django's would fail on it. The form says that it is none.
    """

    def optgroups(self, name, value, attrs=None):
        return super().optgroups(name, list(filter(self.is_key, value)), attrs)

    def is_key(self, value) -> bool:
        try:
            self.field.target_field.to_python(value)
        except ValidationError:
            return False
        return True


class SearchedChoice(KnownChoices, AutocompleteSelect):
    pass


class SearchedChoices(KnownChoices, AutocompleteSelectMultiple):
    pass


class SearchedLists:
    """Admin forms that answer a wrong key in one of their `autocomplete_fields`."""

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        if db_field.name in self.get_autocomplete_fields(request):
            widget = SearchedChoices if db_field.many_to_many else SearchedChoice
            kwargs.setdefault("widget", widget(db_field, self.admin_site))
        return super().formfield_for_dbfield(db_field, request, **kwargs)


def number_input(mode: str) -> TextInput:
    """A text input as wide as a number, with the keyboard a small screen offers for it."""
    return TextInput(attrs={"inputmode": mode, "class": "vIntegerField"})


class RecordAdmin(SearchedLists, NumbersAsText, admin.ModelAdmin):
    """The form and the list of one kind of record.

    A form that is sent is checked against what somebody else has changed since it was opened
    (`shown.py`), and against the rules that span several records (`entry_rules.py`).
    """

    change_form_template = "admin/evidence/change_form.html"

    def get_form(self, request, obj=None, change=False, **kwargs):
        bases = (RuledRecordForm, RecordForm) if change else (RuledRecordForm, NewForm)
        told = {"rules_broken": rules_broken(request), "gone": getattr(request, "gone", "")}
        kwargs.setdefault("form", type(self.form.__name__, (*bases, self.form), told))
        return super().get_form(request, obj, change=change, **kwargs)

    def get_formset_kwargs(self, request, obj, inline, prefix):
        kwargs = super().get_formset_kwargs(request, obj, inline, prefix)
        return kwargs | {"form_kwargs": {"rules_broken": rules_broken(request)}}

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        if request.method != "POST":
            return super().changeform_view(request, object_id, form_url, extra_context)
        with transaction.atomic():
            if object_id is not None and not self.hold(object_id):
                return self.gone_view(request, object_id, extra_context)
            said = messages.get_messages(request)._queued_messages
            said_before = len(said)
            try:
                with transaction.atomic():
                    return super().changeform_view(request, object_id, form_url, extra_context)
            except RulesBroken as broken:
                del said[said_before:]  # of what is taken back
                before = issues_around(broken.record)
                request.rules_broken = tuple(each for each in broken.issues if each not in before)
            return super().changeform_view(request, object_id, form_url, extra_context)

    def hold(self, object_id: str) -> bool:
        """Keeps others from saving the same record, or its study, before this is saved or refused.
        In the order in which `curation.drafts` locks, so that neither waits for the other. Returns
        whether the record is there.
        """
        try:
            records = self.model._default_manager.filter(pk=unquote(object_id))
            record = records.first()
        except (ValueError, ValidationError):
            return False
        if record is None:
            return False
        if self.model in PARTS:
            study = study_of(record)
            drafts = StudyDraft.objects.filter(collection=study.collection_id, slug=study.slug)
            list(drafts.select_for_update().values_list("pk"))
        list(records.order_by().select_for_update().values_list("pk"))
        return True

    def gone_view(self, request, object_id, extra_context):
        """What was typed into the form of a record that somebody has removed meanwhile: in the form
        of a new one.
        """
        if not self.has_add_permission(request):
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        user = remover(self.model(pk=unquote(object_id)), request.POST)
        request.gone = f"Removed meanwhile by {user}. Saved again, it is added anew."
        return super().changeform_view(
            request,
            None,
            reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_add"),
            extra_context,
        )

    def save_related(self, request, form, formsets, change):
        super().save_related(request, form, formsets, change)
        if not hasattr(request, "rules_broken") and (issues := issues_around(form.instance)):
            raise RulesBroken(form.instance, issues)

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        form = context["adminform"].form
        formsets = [each.formset for each in context["inline_admin_formsets"]]
        if isinstance(form, RecordForm):
            form.show(formsets)
            if any(each.told_of_others for each in (form, *formsets)):
                context["told_of_others"] = TOLD
        return super().render_change_form(request, context, add, change, form_url, obj)


def rules_broken(request) -> tuple:
    return getattr(request, "rules_broken", ())


class HistoryAdmin(SimpleHistoryAdmin):
    """A record whose changes are noted in a history of its own, from which it can be restored."""

    object_history_list_template = "admin/evidence/history_list.html"

    def history_form_view(self, request, object_id, version_id, extra_context=None):
        with transaction.atomic():
            return super().history_form_view(request, object_id, version_id, extra_context)


class InlineForm(RuledForm, ShownForm, ModelForm):
    """A row of an inline. An error of a field the row does not show stands above the row."""

    def __init__(self, *args, rules_broken=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.rules_broken = rules_broken
        for name, field in self.fields.items():  # a row of a table has no labels, only its head
            field.widget.attrs.setdefault("aria-label", capfirst(field.label or name))

    def clean(self):
        values = super().clean()
        self.tell_others(self)
        return values

    def tell_others(self, form) -> None:
        """Tells what somebody else has changed; set by the formset."""

    def add_error(self, field, error):
        error = error if isinstance(error, ValidationError) else ValidationError(error)
        errors_by_field = (
            error.error_dict if hasattr(error, "error_dict") else {field: error.error_list}
        )
        for name, errors in errors_by_field.items():
            super().add_error(name if self.has_visible_input(name) else None, errors)

    def has_visible_input(self, name: str | None) -> bool:
        """Whether the row has a visible input of this name."""
        return name in self.fields and not self[name].is_hidden

    def clean_number(self):
        """The number entered in a row; a new row without a number gets the next free one."""
        number = self.cleaned_data["number"]
        return self.next_number() if number is None and self.instance._state.adding else number


class InlineFormSet(ShownRows, BaseInlineFormSet):
    """The rows of an inline. New ones number themselves, where rows have numbers."""

    def add_fields(self, form, index):
        super().add_fields(form, index)
        form.tell_others = self.tell_row
        if "number" in form.fields and form.instance._state.adding:
            form.fields["number"].required = False
            form.fields["number"].widget.attrs["placeholder"] = "next"
            form.initial["number"] = None  # a new row is not the first one
            form.next_number = self.next_number

    @cached_property
    def free_numbers(self):
        """The numbers after all that existing rows have or that were typed into new ones."""
        used_numbers = [record.number for record in self.get_queryset()]
        field = self.form.base_fields["number"]
        for form in self.forms:
            with suppress(ValidationError):
                used_numbers.append(field.to_python(form["number"].data) or 0)
        return count(max(used_numbers, default=0) + 1)

    def next_number(self) -> int:
        return next(self.free_numbers)


class Inline(SearchedLists, NumbersAsText, admin.TabularInline):
    """A compact inline without empty extra rows."""

    form = InlineForm
    formset = InlineFormSet
    extra = 0
    show_change_link = True


class WideInline(Inline):
    """An inline whose rows have more fields than a window is wide: each row takes several lines."""

    template = "admin/edit_inline/stacked.html"


class PublicationAdmin(RecordAdmin):
    """Records readers can see: a link to their page, once they are published."""

    list_per_page = 50

    def view_on_site(self, record):
        is_published = record.pk and type(record).objects.published().filter(pk=record.pk).exists()
        return record.get_absolute_url() if is_published else None

    def get_deleted_objects(self, objs, request):
        """Shows what readers have seen as the reason why it cannot be deleted."""
        deleted, counts, permissions, protected = super().get_deleted_objects(objs, request)
        published = [f"{record}: {NOT_DELETED}" for record in objs if record.was_published]
        return deleted, counts, permissions, [*protected, *published]

    def get_view_on_site_url(self, obj=None):
        return self.view_on_site(obj) if obj is not None else None

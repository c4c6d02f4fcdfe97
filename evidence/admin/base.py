"""What every admin page of Casebook shares."""

from contextlib import suppress
from itertools import count

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.forms import BaseInlineFormSet, ModelForm, TextInput
from django.utils.functional import cached_property

from ..models.publication import NOT_DELETED
from ..questions.form_fields import DecimalNumberField, WholeNumberField

admin.site.site_header = "Casebook, curators’ entrance"
admin.site.site_title = "Casebook"
admin.site.index_title = "Records"


class NumbersAsText:
    """Admin forms with numbers in text inputs; `questions.form_fields.NumberAsText` gives the
    reason.
    """

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        if isinstance(db_field, models.DecimalField):
            kwargs |= {"form_class": DecimalNumberField, "widget": number_input("decimal")}
        elif isinstance(db_field, models.IntegerField):
            kwargs |= {"form_class": WholeNumberField, "widget": number_input("numeric")}
        return super().formfield_for_dbfield(db_field, request, **kwargs)


def number_input(mode: str) -> TextInput:
    """A text input as wide as a number, with the keyboard a small screen offers for it."""
    return TextInput(attrs={"inputmode": mode, "class": "vIntegerField"})


class RecordAdmin(NumbersAsText, admin.ModelAdmin):
    """The form and the list of one kind of record."""


class InlineForm(ModelForm):
    """A row of an inline. An error of a field the row does not show stands above the row."""

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


class InlineFormSet(BaseInlineFormSet):
    """The rows of an inline. New ones number themselves, where rows have numbers."""

    def add_fields(self, form, index):
        super().add_fields(form, index)
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


class Inline(NumbersAsText, admin.TabularInline):
    """A compact inline without empty extra rows."""

    form = InlineForm
    formset = InlineFormSet
    extra = 0
    show_change_link = True


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

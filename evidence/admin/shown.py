"""What a form showed when it was opened, so that nobody's change is overwritten unseen.

Each form carries a fingerprint of every value it showed, of the record and of its rows. When it is
sent, what the database holds then is compared with it: what somebody else has changed meanwhile is
told with both values, and nothing is written until the form is sent once more.
"""

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from django import forms
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.core.exceptions import ValidationError
from django.db import models
from django.http import QueryDict
from django.utils import timezone

NAME = "shown"  # of the hidden field
Fingerprints = dict[str, str]

UNTOLD = (
    "This form does not say what it showed when it was opened, so nothing has been saved. Look at "
    "it once more, then save again."
)
TOLD = (
    "Somebody else has changed this meanwhile; nothing has been saved. What differs is said below, "
    "beside each field. Saved again, everything stands as it is in this form."
)


@dataclass
class Shown:
    """What a form showed: when, each field of the record, and each field of each row of each
    inline, by the inline's prefix and the row's primary key.
    """

    at: datetime | None = None
    record: Fingerprints = field(default_factory=dict)
    rows: dict[str, dict[str, Fingerprints]] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> "Shown":
        """Raises ValueError where the text is none of ours."""
        try:
            held = json.loads(text)
            return cls(datetime.fromisoformat(held["at"]), dict(held["record"]), dict(held["rows"]))
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(str(error)) from None

    def text(self) -> str:
        return json.dumps(
            {"at": self.at.isoformat(), "record": self.record, "rows": self.rows},
            separators=(",", ":"),
        )


def plain(form_field: forms.Field, value) -> object:
    """A value of a field as plain data: equal ones are equal, however they are written."""
    value = form_field.prepare_value(value)  # of a record: what a browser would send for it
    if isinstance(value, list | tuple | models.QuerySet):
        return sorted(map(str, value))
    if hasattr(value, "normalize"):
        return format(value.normalize(), "f")
    return "" if value is None else str(value).replace("\r\n", "\n")


def fingerprint(form_field: forms.Field, value) -> str:
    text = json.dumps(plain(form_field, value))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def in_words(form_field: forms.Field, value) -> str:
    """A value as a curator reads it in the form."""
    if value is None or value in ("", []):
        return "nothing"
    if isinstance(form_field, forms.ModelMultipleChoiceField):
        return f"“{', '.join(sorted(map(str, value)))}”"
    if isinstance(form_field, forms.ModelChoiceField):
        with suppress(ValidationError):  # a wrong one is told as it was sent
            value = form_field.to_python(value)
        return f"“{value}”"
    choices = dict(getattr(form_field, "choices", ()))
    return f"“{choices.get(value, choices.get(str(value), value))}”"


class Editors:
    """Who saved what in the admin since a form was opened, as far as it says so."""

    def __init__(self, since: datetime):
        self.since = since

    def entries(self, record: models.Model) -> Iterable[tuple[str, dict]]:
        """Users and what each saved of a record, the newest first."""
        content_type = get_content_type_for_model(record)
        saved = LogEntry.objects.filter(
            content_type=content_type, object_id=str(record.pk), action_time__gte=self.since
        )
        for entry in saved.select_related("user").order_by("-action_time", "-pk"):
            try:
                parts = json.loads(entry.change_message or "[]")
            except ValueError:  # a message in words
                parts = []
            if entry.action_flag == DELETION:
                parts = [{"deleted": {}}]
            for part in parts:
                yield entry.user.get_username(), part

    def of_field(self, records: Iterable[models.Model], label: str) -> str:
        """Who changed a field of a record; a row's may be noted with the record it hangs on."""
        for record in records:
            for user, part in self.entries(record):
                if label in part.get("changed", {}).get("fields", ()):
                    return user
        return "somebody"

    def of_row(self, records: Iterable[models.Model], deed: str) -> str:
        """Who added or deleted (`deed`) a row."""
        for record in records:
            for user, part in self.entries(record):
                if deed in part:
                    return user
        return "somebody"


class ShownForm(forms.BaseForm):
    """A form, or a row of one, that compares what it showed with what the database holds."""

    opened_at: datetime
    told_of_others = False  # whether somebody else's change was found

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.opened_at = timezone.now()
        held = {} if self.instance._state.adding else self.initial
        self.held = {name: held[name] for name in self.fields if name in held}

    @property
    def fingerprints(self) -> Fingerprints:
        return {name: fingerprint(self.fields[name], held) for name, held in self.held.items()}

    def changed_by_others(self, shown: Fingerprints) -> list[str]:
        """The fields whose stored value is another than was shown."""
        return [
            name
            for name, print_then in shown.items()
            if name in self.held and fingerprint(self.fields[name], self.held[name]) != print_then
        ]

    def tell_of_others(self, shown: Fingerprints, editors: Editors, records) -> None:
        """Adds an error to each field that somebody else has changed to something that is not
        entered here.
        """
        for name in self.changed_by_others(shown):
            form_field = self.fields[name]
            own = self.cleaned_data.get(name, self[name].data)
            if plain(form_field, own) == plain(form_field, self.held[name]):
                continue
            user = editors.of_field(records, form_field.label or name)
            theirs = in_words(form_field, self.held[name])
            self.told_of_others = True
            self.add_error(
                name,
                f"Changed meanwhile by {user} to {theirs}; you have {in_words(form_field, own)}.",
            )


class ShownField(forms.CharField):
    """The hidden field: no value of the record, so never a change that a history would name."""

    widget = forms.HiddenInput(attrs={"autocomplete": "off"})

    def has_changed(self, initial, data) -> bool:
        return False


class RecordForm(ShownForm):
    """The form of a record that is there already: it carries what it showed.

    Made in `RecordAdmin.get_form`, on top of the form a record has otherwise.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields[NAME] = ShownField(required=False)

    def clean(self):
        values = super().clean()
        try:
            shown = Shown.read(self.data.get(self.add_prefix(NAME), ""))
        except ValueError:
            self.add_error(None, UNTOLD)
            return values
        self.tell_of_others(shown.record, Editors(shown.at), [self.instance])
        return values

    def show(self, formsets: Iterable[forms.BaseFormSet]) -> None:
        """Writes into the hidden field what the form shows now."""
        shown = Shown(self.opened_at, self.fingerprints)
        for formset in formsets:
            shown.rows[formset.prefix] = {
                str(form.instance.pk): form.fingerprints for form in formset.initial_forms
            }
        if self.is_bound:
            self.data = self.data.copy()
            self.data[self.add_prefix(NAME)] = shown.text()
        self.initial[NAME] = shown.text()


class NewForm(forms.BaseForm):
    """The form of a new record, or of one that was removed while somebody worked on it (`gone`)."""

    gone = ""

    def clean(self):
        values = super().clean()
        if self.gone:
            self.add_error(None, self.gone)
        return values


def remover(record: models.Model, data: QueryDict) -> str:
    """Who removed a record whose form was sent."""
    try:
        return Editors(Shown.read(data.get(NAME, "")).at).of_row([record], "deleted")
    except ValueError:
        return "somebody"


class ShownRows:
    """An inline's rows, which compare what they showed with what the database holds.

    A row that somebody else has removed meanwhile becomes a new one if it was changed here, and is
    left out if not; one that somebody else has added is put among the others. Both are told.
    """

    def __init__(self, data=None, *args, **kwargs):
        super().__init__(data, *args, **kwargs)
        self.notices: list[str] = []
        self.removers: dict[int, str] = {}  # of rows that are gone, by their place here
        self.shown = None
        if data is not None and NAME in data:
            try:
                held = Shown.read(data[NAME])
            except ValueError:  # which the record's form tells
                return
            self.shown, self.editors = held.rows.get(self.prefix, {}), Editors(held.at)
            self.data = self.brought_up_to_date(data)

    @property
    def key_name(self) -> str:
        return self.model._meta.pk.name

    def brought_up_to_date(self, data: QueryDict) -> QueryDict:
        """What was sent, with the rows that are stored now."""
        count, known = self.count_in(data, "TOTAL_FORMS"), self.count_in(data, "INITIAL_FORMS")
        if count is None or known is None or known > count:
            return data  # the management form says so
        rows = [self.sent_row(data, place) for place in range(count)]
        stored = {str(record.pk): record for record in self.get_queryset()}
        kept, again, removers = [], [], []
        for row in rows[:known]:
            key = "".join(row.get(self.key_name, [""]))
            if key in stored or key not in self.shown:
                kept.append(row)
            elif self.instance.pk is None:
                anew = row | {self.key_name: [""], self.fk.name: [""]}
                again += [] if "DELETE" in row else [anew]
            elif "DELETE" not in row and self.is_changed(row, self.shown[key]):
                again.append(row | {self.key_name: [""]})
                removers.append(self.remover(key))
            elif "DELETE" not in row:
                user = self.remover(key)
                self.notices.append(
                    f"A row you had not changed was removed meanwhile by {user}, and is left out."
                )
        sent = {"".join(row.get(self.key_name, [""])) for row in kept}
        for key, record in stored.items():
            if key not in self.shown and key not in sent:
                user = self.editors.of_row([self.instance, record], "added")
                self.notices.append(
                    f"Added meanwhile by {user}: {record}. It stands among the rows now."
                )
                kept.append(self.stored_row(record))
        if len(kept) == known and not self.notices:
            return data
        self.removers = dict(enumerate(removers, start=len(kept) + count - known))
        return self.sent_again(data, [*kept, *rows[known:], *again], len(kept))

    def remover(self, key: str) -> str:
        """Who removed a row."""
        return self.editors.of_row([self.instance, self.model(pk=key)], "deleted")

    def count_in(self, data: QueryDict, name: str) -> int | None:
        text = data.get(f"{self.prefix}-{name}", "")
        return min(int(text), self.absolute_max) if text.isdecimal() else None

    def sent_row(self, data: QueryDict, place: int) -> dict[str, list[str]]:
        start = f"{self.prefix}-{place}-"
        return {
            name.removeprefix(start): data.getlist(name) for name in data if name.startswith(start)
        }

    def stored_row(self, record: models.Model) -> dict[str, list[str]]:
        """A stored row as a browser would send it."""
        form = self.form(instance=record)
        row = {self.key_name: [str(record.pk)], self.fk.name: [str(self.instance.pk)]}
        for name in form.fields:
            value = form[name].value()
            if value not in (None, False):
                values = value if isinstance(value, list | tuple) else [value]
                row[name] = [str(getattr(each, "pk", each)) for each in values]
        return row

    def sent_again(self, data: QueryDict, rows: list[dict], known: int) -> QueryDict:
        start = f"{self.prefix}-"
        changed = data.copy()
        for name in data:
            if name.startswith(start) and name.removeprefix(start).partition("-")[0].isdecimal():
                del changed[name]
        changed[f"{start}TOTAL_FORMS"], changed[f"{start}INITIAL_FORMS"] = len(rows), known
        for place, row in enumerate(rows):
            for name, values in row.items():
                changed.setlist(f"{start}{place}-{name}", values)
        return changed

    def is_changed(self, row: dict[str, list[str]], shown: Fingerprints) -> bool:
        """Whether a row was sent with other values than it showed."""
        sent = QueryDict(mutable=True)
        for name, values in row.items():
            sent.setlist(name, values)
        for name, print_then in shown.items():
            form_field = self.form.base_fields.get(name)
            if form_field is None or name == self.fk.name:
                continue
            try:
                value = form_field.clean(form_field.widget.value_from_datadict(sent, {}, name))
            except ValidationError:
                return True
            if fingerprint(form_field, value) != print_then:
                return True
        return False

    def tell_row(self, form: ShownForm) -> None:
        """Called by a row while it is checked."""
        if self.shown is None:
            return
        shown = self.shown.get(str(form.instance.pk))
        if shown:
            form.tell_of_others(shown, self.editors, [form.instance, self.instance])

    def clean(self):
        problems = []
        try:
            super().clean()
        except ValidationError as error:
            problems += error.error_list
        for place, user in self.removers.items():
            self.forms[place].add_error(
                None,
                f"Removed meanwhile by {user}. Saved again, it is added anew as it stands here; "
                "take the row out to leave it removed.",
            )
        for form in self.deleted_forms_of_others():
            problems.append(
                ValidationError(
                    f"{form.instance}: you remove this row, which somebody else has changed "
                    "meanwhile. Saved again, it is removed."
                )
            )
        problems += map(ValidationError, self.notices)
        if problems:
            raise ValidationError(problems)

    @property
    def told_of_others(self) -> bool:
        told = any(form.told_of_others for form in self.initial_forms)
        return bool(told or self.notices or self.removers or self.deleted_forms_of_others())

    def deleted_forms_of_others(self) -> list[ShownForm]:
        """Rows that are to be removed here and were changed by somebody else."""
        if not self.shown:
            return []
        return [
            form
            for form in self.initial_forms
            if self._should_delete_form(form)
            and form.changed_by_others(self.shown.get(str(form.instance.pk), {}))
        ]

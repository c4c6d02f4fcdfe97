"""The sheets of a curation workbook and their columns: the one declaration that the template, the
import and the report read.

Columns come from the fields of the models, so a new field has a column. What is written here is
only what a field does not know: how a sheet names a record and its owner, and how lists are split.
"""

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum

from django.db import models

from ...models import (
    AdverseEvent,
    GroupFinding,
    Measure,
    Outcome,
    Patient,
    PatientAutoantibody,
    PatientManifestation,
    ReportedTotal,
    Study,
    StudyGroup,
    Treatment,
)
from ...models.base import COMPLETENESS, Keyed
from ...models.choices import Presence
from ...models.provenance import Provenance
from ...models.spellings import Spelled

PLACE = "place"


class Kind(StrEnum):
    """How the text of a cell is read."""

    TEXT = "text"
    IDENTIFIER = "identifier"
    REFERENCE = "reference"
    REFERENCES = "references"
    WHOLE = "whole number"
    DECIMAL = "number"
    CHOICE = "choice"
    YES_NO = "yes or no"
    TERM = "term"
    TERMS = "terms"
    PRESENT = "terms found"
    ABSENT = "terms looked for and not found"
    STATE = "state"  # a list of records of its own: the cell can only say that there is none


LISTS = (Kind.TERMS, Kind.PRESENT, Kind.ABSENT)


@dataclass(frozen=True)
class Column:
    """One column. `field` is the model's field, or one of the sheet's own words for a record.

    `required`: a blank cell is a fault. `stateable`: the cell may say that it was looked for or
    could not be read. `completeness` is the field that says how much of a list is given; it stands
    beside what was found and what was not alike, and speaks of what was found. `unit` is
    the one numbers are kept in. `placed`: the row's place is the place of this value.
    """

    header: str
    field: str
    kind: Kind
    model_field: models.Field | None = None
    required: bool = False
    stateable: bool = False
    placed: bool = False
    help: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    vocabulary: type[Spelled] | None = None
    unit: str = ""
    completeness: str = ""
    names: tuple[str, ...] = ()  # other words that are taken for this header

    @property
    def is_list(self) -> bool:
        return self.kind in LISTS


@dataclass(frozen=True)
class Sheet:
    """One sheet: the records of one model. `key` are the columns that say which record a row is,
    its owner's first.
    """

    title: str
    model: type[Keyed]
    key: tuple[str, ...]
    subject: str  # how Provenance names a record of it; empty: nothing of it has a place
    columns: tuple[Column, ...]
    by_field: dict[str, Column] = field(compare=False, repr=False, hash=False)
    is_optional: bool = False  # workbooks made before there was one do not have it

    def column(self, name: str) -> Column:
        """The column of a field."""
        return self.by_field[name]


UNIT = re.compile(r"\((month|week|year)s?\)|_(month|week|year)s$")


def unit_of(column: models.Field) -> str:
    """The unit of time a number is kept in, as the field's name says it."""
    found = UNIT.search(str(column.verbose_name)) or UNIT.search(column.name)
    return f"{found[1] or found[2]}s" if found else ""


RETRACTION_ELSEWHERE = "The journal says so later: check_retractions, or the study’s own form."
# What no curator fills in, and why.
LEFT_OUT = {
    "study.collection": "One workbook belongs to one collection.",
    "study.state": "Publishing says so.",
    "patient.state": "Publishing says so.",
    "study.retraction_status": RETRACTION_ELSEWHERE,
    "study.retraction_date": RETRACTION_ELSEWHERE,
    "study.retraction_notice": RETRACTION_ELSEWHERE,
    "study.retraction_reason": RETRACTION_ELSEWHERE,
    "study.withdrawal_reason": "Withdrawing is said where it is done.",
    "study.replaced_by": "Withdrawing is said where it is done.",
    "patient.withdrawal_reason": "Withdrawing is said where it is done.",
    "patient.replaced_by": "Withdrawing is said where it is done.",
}
# A code that means “not known” stands for an untouched cell; a cell says so by a state.
NOT_KNOWN = ("unknown", "not_stated")
WITHOUT_STATE = {"notes", "note", "position", "same_as", "may_share_patients_with", "looked_for"}
WITHOUT_STATE |= {"decimals", "of_n", "spread", "locator"}  # of what the paper prints of all
# What names a record or puts it in order, and what a curator decides about it.
WITHOUT_PLACE = WITHOUT_STATE | {"label", "number", "slug", "kind", "item", "harm"}
WITHOUT_PLACE |= {"mixed_inhibitors", "domain"}
PRESENCES = {"manifestations": PatientManifestation, "autoantibodies": PatientAutoantibody}
LISTED_TWICE = "Listed as present and as absent: {}."  # of terms, by their labels
LIST_HELP = "Several are separated by semicolons."
ID_HELP = {
    "study": "The study’s address, such as fujita-2019, as on the sheet Studies.",
    "patient": "The patient’s public id, such as fujita-2019-1, as on the sheet Patients.",
    "course": "Number of the patient’s course: 1, 2, 3. Empty: the only one.",
    "group": "The group’s address, as on the sheet Groups.",
}


def columns_of_field(model: type[Keyed], name: str) -> list[Column]:
    """The columns of one field, as far as the field itself says what they are."""
    model_field = model._meta.get_field(name)
    label = str(model_field.verbose_name)
    column = Column(
        header=label,
        field=name,
        kind=Kind.TEXT,
        model_field=model_field,
        required=not (model_field.blank or model_field.has_default()),
        help=str(model_field.help_text),
        names=(name,),
    )
    column = replace(
        column,
        stateable=not column.required and name not in WITHOUT_STATE,
        placed=name not in WITHOUT_PLACE,
    )
    if name in PRESENCES:
        return presence_columns(column, PRESENCES[name])
    if isinstance(model_field, models.ManyToManyField):
        return [list_column(model, column)]
    if isinstance(model_field, models.ForeignKey):
        target = model_field.related_model
        if issubclass(target, Spelled):
            return [replace(column, kind=Kind.TERM, vocabulary=target)]
        return [replace(column, kind=Kind.REFERENCE)]
    if model_field.choices:
        return [choice_column(column)]
    if isinstance(model_field, models.BooleanField):
        known = not model_field.null  # there is no cell for “not known”
        return [replace(column, kind=Kind.YES_NO, stateable=not known)]
    if isinstance(model_field, models.SlugField):
        return [replace(column, kind=Kind.IDENTIFIER, stateable=False)]
    if isinstance(model_field, models.DecimalField):
        return [replace(column, kind=Kind.DECIMAL, unit=unit_of(model_field))]
    if isinstance(model_field, models.IntegerField):
        return [replace(column, kind=Kind.WHOLE, unit=unit_of(model_field))]
    if name == "measure":  # a text that is spelled as the vocabulary does, if it has it
        return [replace(column, vocabulary=Measure)]
    return [column]


def choice_column(column: Column) -> Column:
    """What a curator can choose: “not known” only where the field needs a value."""
    choices = tuple(
        (str(code), str(label))
        for code, label in column.model_field.choices
        if column.required or code not in NOT_KNOWN
    )
    header, of = column.header, column.field.removesuffix(COMPLETENESS)
    if of != column.field:
        header = f"list of {of.replace('_', ' ')}{' present' if of in PRESENCES else ''}"
    return replace(
        column,
        header=header,
        kind=Kind.CHOICE,
        choices=choices,
        names=(*column.names, column.header),
    )


def list_column(model: type[Keyed], column: Column) -> Column:
    target = column.model_field.related_model
    completeness = f"{column.field}{COMPLETENESS}"
    has_completeness = any(one.name == completeness for one in model._meta.concrete_fields)
    return replace(
        column,
        kind=Kind.TERMS if issubclass(target, Spelled) else Kind.REFERENCES,
        vocabulary=target if issubclass(target, Spelled) else None,
        completeness=completeness if has_completeness else "",
        help=f"{column.help} {LIST_HELP}".strip(),
    )


def presence_columns(column: Column, model: type[Keyed]) -> list[Column]:
    """A list of what was found, and one of what was looked for and not found."""
    vocabulary = column.model_field.related_model
    shared = {"model_field": None, "vocabulary": vocabulary, "required": False, "stateable": False}
    present, absent = Presence.PRESENT.value, Presence.ABSENT.value
    return [
        replace(
            column,
            header=f"{column.field} {present}",
            field=f"{column.field}_{present}",
            kind=Kind.PRESENT,
            completeness=f"{column.field}{COMPLETENESS}",
            help=f"What the source found in the patient. {LIST_HELP}",
            names=(f"{column.field}_{present}",),
            **shared | {"stateable": True},
        ),
        replace(
            column,
            header=f"{column.field} {absent}",
            field=f"{column.field}_{absent}",
            kind=Kind.ABSENT,
            completeness=f"{column.field}{COMPLETENESS}",
            help=f"What the source says was looked for and not found. {LIST_HELP}",
            names=(f"{column.field}_{absent}",),
            **shared,
        ),
    ]


def reference(name: str) -> Column:
    """A column that names the record a row belongs to."""
    kind = Kind.WHOLE if name == "course" else Kind.REFERENCE
    return Column(name, name, kind, required=name != "course", help=ID_HELP[name], names=(name,))


def own_number(name: str, of: str) -> Column:
    return Column(
        name,
        "number",
        Kind.WHOLE,
        help=f"Number within the {of}: 1, 2, 3. Empty: in the order of the rows.",
        names=("number",),
    )


COURSE = Column(
    "course",
    "number",
    Kind.WHOLE,
    help="Order of the patient’s courses: 1, 2, 3.",
    names=("number",),
)
PATIENT_NUMBER = Column(
    "number",
    "patient_number",
    Kind.WHOLE,
    help="Makes the public id where “patient” is left empty: study fujita-2019 and number 1 give "
    "fujita-2019-1.",
    names=("patient_number",),
)
OUTCOMES = Column(
    "outcomes",
    "outcomes",
    Kind.STATE,
    stateable=True,
    help="Write NR where the source reports no outcome of this course. Otherwise leave it empty "
    "and fill in the sheet Outcomes.",
    names=("outcomes",),
)


def place_column() -> Column:
    locator = Provenance._meta.get_field("locator")
    return Column(
        PLACE,
        PLACE,
        Kind.TEXT,
        model_field=locator,
        help="Where in the source the values of this row stand, such as “Table 2, p. 4”.",
        names=("locator",),
    )


def sheet(
    title: str,
    model: type[Keyed],
    own: list[Column],
    key: tuple[str, ...],
    subject: str = "",
    more: tuple[Column, ...] = (),
    renamed: dict[str, str] | None = None,
    is_optional: bool = False,
) -> Sheet:
    """A sheet of a model: columns that say which record it is, then those of its other fields."""
    taken = (
        {column.field for column in own} | {"slug"} | {path.split("__")[0] for path in model.KEY}
    )
    label = model._meta.model_name
    columns = list(own)
    for model_field in (*model._meta.fields, *model._meta.many_to_many):
        name = model_field.name
        if name in taken or f"{label}.{name}" in LEFT_OUT or not model_field.editable:
            continue
        if not model_field.primary_key:
            columns += columns_of_field(model, name)
    columns = [
        replace(column, header=(renamed or {}).get(column.field, column.header))
        for column in [*in_reading_order(columns), *more, *([place_column()] if subject else [])]
    ]
    fields = {column.field: column for column in columns}
    return Sheet(title, model, key, subject, tuple(columns), fields, is_optional)


def in_reading_order(columns: list[Column]) -> list[Column]:
    """The columns with each list just before what says how complete it is, and notes last."""
    place = {column.field: position for position, column in enumerate(columns)}

    def order(column: Column) -> tuple:
        beside = column.completeness or column.field
        return column.field in ("notes", "note"), place[beside], not column.completeness

    return sorted(columns, key=order)


STUDY_ID = replace(
    columns_of_field(Study, "slug")[0],
    header="study",
    help="The study’s address, such as fujita-2019. All other sheets name it by this.",
    names=("study", "slug"),
)
PATIENT_ID = replace(
    columns_of_field(Patient, "slug")[0],
    header="patient",
    required=False,
    help="The patient’s public id, such as fujita-2019-1; all other sheets name the patient by it. "
    "Empty: made of study and number. Never changed once published.",
    names=("patient", "slug"),
)
GROUP_ID = replace(
    columns_of_field(StudyGroup, "slug")[0],
    header="group",
    help="The group’s address within the study, such as placebo.",
    names=("group", "slug"),
)

STUDIES = sheet("Studies", Study, [STUDY_ID], ("slug",), renamed={"extraction": "read"})
PATIENTS = sheet(
    "Patients",
    Patient,
    [reference("study"), PATIENT_NUMBER, PATIENT_ID],
    ("slug",),
    "patient",
    renamed={"same_as": "same person as"},
)
COURSES = sheet(
    "Courses",
    Treatment,
    [reference("patient"), COURSE],
    ("patient", "number"),
    "treatment",
    more=(OUTCOMES,),
    renamed={
        "adverse_event_categories_completeness": "list of adverse events",
    },
)
OUTCOME_ROWS = sheet(
    "Outcomes",
    Outcome,
    [reference("patient"), reference("course"), own_number("outcome", "course")],
    ("patient", "course", "number"),
    "outcome",
)
EVENTS = sheet(
    "Adverse events",
    AdverseEvent,
    [reference("patient"), reference("course"), own_number("event", "course")],
    ("patient", "course", "number"),
    "adverse_event",
)
GROUPS = sheet("Groups", StudyGroup, [reference("study"), GROUP_ID], ("study", "slug"), "group")
FINDINGS = sheet(
    "Findings",
    GroupFinding,
    [reference("study"), reference("group"), own_number("finding", "group")],
    ("study", "group", "number"),
    "finding",
)
TOTALS = sheet(
    "Paper says",
    ReportedTotal,
    [reference("study"), own_number("total", "study")],
    ("study", "number"),
    is_optional=True,
)
SHEETS = (STUDIES, PATIENTS, COURSES, OUTCOME_ROWS, EVENTS, GROUPS, FINDINGS, TOTALS)
SHEET_OF = {sheet.model._meta.label_lower: sheet for sheet in SHEETS}
# Sheets of ours in which nobody enters a study.
INSTRUCTIONS, VOCABULARY, DROP_DOWNS, FAULTS = "Instructions", "Vocabulary", "Lists", "Faults"
OWN_SHEETS = (INSTRUCTIONS, VOCABULARY, DROP_DOWNS, FAULTS)

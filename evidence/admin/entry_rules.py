"""The rules that span several records, asked before a form of the admin is saved.

What a form breaks that was whole before is told in the form, and nothing is written. What was
broken before does not keep anybody from mending something else.
"""

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.forms import BaseForm
from django.utils.text import capfirst

from ..curation.integrity import (
    RECORD_RULES,
    IntegrityIssue,
    broken_rules,
    ids_show_their_kind,
    present_under_absent,
    terms_part_of_themselves,
)
from ..models import Collection, Manifestation
from ..models.base import COMPLETENESS, Keyed
from ..models.study_parts import PARTS, needs_two_people, study_of

# What a change of these may break in records that are coded with them.
RULES_OF_SHARED = {
    Manifestation: [terms_part_of_themselves, present_under_absent],
    Collection: [ids_show_their_kind],
}


ENTERED_ELSEWHERE = (
    "Not saved: in this collection two people publish, so records are entered and changed under "
    "“Studies in work”."
)


class RulesBroken(Exception):
    """What a save would break; it has to be rolled back."""

    def __init__(self, record: Keyed, issues: list[IntegrityIssue]):
        self.record, self.issues = record, issues
        super().__init__("\n".join(map(str, issues)))


def issues_around(record: Keyed) -> list[IntegrityIssue]:
    """What is broken now of what a form of this record can break."""
    if type(record) in PARTS:
        return broken_rules(RECORD_RULES, study=study_of(record))
    rules = RULES_OF_SHARED.get(type(record))
    return broken_rules(rules) if rules else []


def in_words(issue: IntegrityIssue) -> str:
    """An issue as a form tells it, naming the record."""
    name = capfirst(apps.get_model(issue.model)._meta.verbose_name)
    return f"{name} {' / '.join(map(str, issue.key))}: {issue.problem}."


# Words of a problem, and the field it is told beside.
FIELDS = {
    "public id": "slug",
    "is linked to": "same_as",
    "individual patients": "n_jaki",
    "treated groups": "n_jaki",
    "analyses": "n",
}


def field_of(issue: IntegrityIssue, form: BaseForm) -> str | None:
    """The field of a form beside which an issue is told; None: above the form."""
    words = {
        name.removesuffix(COMPLETENESS).replace("_", " "): name
        for name in form.fields
        if name.endswith(COMPLETENESS)
    }
    fields = (name for text, name in (FIELDS | words).items() if text in issue.problem)
    return next((name for name in fields if name in form.fields), None)


class RuledForm(BaseForm):
    """A form, or a row of one, that tells which rules saving it would break."""

    rules_broken: tuple[IntegrityIssue, ...] = ()

    def full_clean(self):
        super().full_clean()
        if self.is_bound:
            for issue in self.own_issues():
                self.add_error(field_of(issue, self), f"Not saved: {issue.problem}.")

    def own_issues(self) -> list[IntegrityIssue]:
        """What the record of this form would break itself."""
        try:
            own = (self.instance._meta.label_lower, self.instance.natural_key())
        except (ObjectDoesNotExist, AttributeError, ValueError):  # not complete yet
            return []
        return [issue for issue in self.rules_broken if (issue.model, issue.key) == own]


class RuledRecordForm(RuledForm):
    """The form of a record, which tells what its rows and other records would break as well."""

    def full_clean(self):
        super().full_clean()
        if self.is_bound:
            if needs_two_people(self.instance):
                self.add_error(None, ENTERED_ELSEWHERE)
            own = self.own_issues()
            for issue in self.rules_broken:
                if issue not in own:
                    self.add_error(None, f"Not saved: {in_words(issue)}")

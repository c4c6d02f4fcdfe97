"""Where one value came from."""

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.db.models import Q

from .adverse_event import AdverseEvent
from .base import Keyed, KeyedQuerySet, one_of
from .choices import Method
from .constraints import CheckConstraint, UniqueConstraint
from .group import GroupFinding, StudyGroup
from .outcome import Outcome
from .patient import Patient
from .study import Study
from .treatment import Treatment

# What a value can belong to, and the path from there to its study.
STUDY_OF = {
    "patient": "study",
    "treatment": "patient__study",
    "outcome": "treatment__patient__study",
    "adverse_event": "treatment__patient__study",
    "group": "study",
    "finding": "group__study",
}
SUBJECTS = tuple(STUDY_OF)


def exactly_one_subject() -> Q:
    condition = Q()
    for subject in SUBJECTS:
        condition |= Q(**{f"{name}__isnull": name != subject for name in SUBJECTS})
    return condition


class Provenance(Keyed):
    """The place in a source one value was taken from, how, by whom, and who checked it.

    A value without such a record comes from the part of the source its study's `extraction` names.
    """

    KEY = ("study__collection__slug", "study__slug", "number")
    PART_OF = ("study", *SUBJECTS)

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="provenance")
    number = models.PositiveSmallIntegerField(default=1)
    patient = models.ForeignKey(
        Patient, null=True, blank=True, on_delete=models.CASCADE, related_name="provenance"
    )
    treatment = models.ForeignKey(
        Treatment, null=True, blank=True, on_delete=models.CASCADE, related_name="provenance"
    )
    outcome = models.ForeignKey(
        Outcome, null=True, blank=True, on_delete=models.CASCADE, related_name="provenance"
    )
    adverse_event = models.ForeignKey(
        AdverseEvent, null=True, blank=True, on_delete=models.CASCADE, related_name="provenance"
    )
    group = models.ForeignKey(
        StudyGroup, null=True, blank=True, on_delete=models.CASCADE, related_name="provenance"
    )
    finding = models.ForeignKey(
        GroupFinding, null=True, blank=True, on_delete=models.CASCADE, related_name="provenance"
    )
    field = models.CharField(
        max_length=60, help_text="The field whose value this is, such as age_years."
    )
    locator = models.CharField("place", max_length=120, help_text="Abstract; table 2; p. 5.")
    method = models.CharField(max_length=16, choices=Method.choices, default=Method.STATED)
    note = models.TextField(blank=True)
    extracted_by = models.CharField(max_length=80, blank=True)
    checked_by = models.CharField(max_length=80, blank=True)

    objects = KeyedQuerySet.as_manager()

    class Meta:
        ordering = ["study", "number"]
        verbose_name_plural = "provenance"
        constraints = [
            UniqueConstraint(
                fields=["study", "number"],
                name="provenance_number_once_per_study",
                violation_error_message="This study already has a provenance record with this "
                "number.",
            ),
            CheckConstraint(
                name="provenance_one_subject",
                condition=exactly_one_subject(),
                violation_error_message="Provenance belongs to exactly one record.",
            ),
            one_of("method", Method),
            CheckConstraint(
                name="provenance_checked_by_another",
                condition=Q(checked_by="") | ~Q(checked_by=models.F("extracted_by")),
                violation_error_message="A value is checked by somebody other than the person "
                "who extracted it.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.field}"

    @property
    def subject(self):
        """The record the value belongs to."""
        name = self.subject_name
        return None if name is None else getattr(self, name)

    @property
    def subject_name(self) -> str | None:
        """Which of SUBJECTS the record is."""
        return next((name for name in SUBJECTS if getattr(self, name) is not None), None)

    def clean(self):
        if self.subject is None:
            return
        errors, owner = {}, self.subject
        try:
            owner._meta.get_field(self.field)
        except FieldDoesNotExist:
            errors["field"] = f"A {owner._meta.verbose_name} has no field {self.field}."
        for step in STUDY_OF[self.subject_name].split("__"):
            owner = getattr(owner, step)
        if self.study_id and owner != self.study:
            errors[self.subject_name] = (
                f"This record belongs to {owner}, not to {self.study}; choose one of this study."
            )
        if errors:
            raise ValidationError(errors)

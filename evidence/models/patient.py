"""One individually reported person."""

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.urls import reverse

from .base import Keyed, KeyedQuerySet, completeness_field, one_of, range_constraint, slug_format
from .choices import Extraction, ListCompleteness, Presence, Sex, State, Subset
from .constraints import CheckConstraint, UniqueConstraint
from .persons import counted_elsewhere, reports_of
from .publication import (
    ONCE_PUBLISHED,
    PLACE_STAYS,
    PublicRecord,
    raise_errors,
    replaced_by_field,
    state_field,
    withdrawal_constraints,
    withdrawal_reason_field,
)
from .reference import Autoantibody, Manifestation, Therapy
from .study import LOOKED_FOR_NEEDED, SIMULATED_PREFIX, Study


class PatientQuerySet(KeyedQuerySet):
    def within(self, collection):
        """Published reports of people in one collection, a second report of the same person
        included.
        """
        return self.published().filter(study__collection=collection)

    def withdrawn_within(self, collection):
        """Reports of people in one collection that readers saw before they, or their study, were
        withdrawn.
        """
        return self.filter(
            Q(state=State.WITHDRAWN) | Q(study__state=State.WITHDRAWN),
            study__collection=collection,
            state__in=ONCE_PUBLISHED,
            study__state__in=ONCE_PUBLISHED,
        )

    def counted(self):
        """Each person once: without the reports of people whom another report that readers may see
        counts.
        """
        return self.exclude(pk__in=counted_elsewhere(self.model))

    def of_same_person(self, patient):
        """The reports of one person, `patient` among them if there are others."""
        return self.filter(pk__in=reports_of(patient))

    def with_treatment(self, treatments):
        """Patients with at least one of these treatments."""
        return self.filter(Exists(treatments.filter(patient=OuterRef("pk"))))


class Patient(PublicRecord):
    """One individually reported person, as one study describes them."""

    KEY = ("slug",)
    PART_OF = ("study",)

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="patients")
    slug = models.SlugField(
        "public id",
        max_length=80,
        unique=True,
        validators=[slug_format],
        help_text="Never changed once published.",
    )
    label = models.CharField(max_length=80, help_text="How the source calls them, such as Case 1.")
    sex = models.CharField(max_length=8, choices=Sex.choices, default=Sex.UNKNOWN)
    age_years = models.PositiveSmallIntegerField(
        "age (years)",
        null=True,
        blank=True,
        validators=[MaxValueValidator(120)],
        help_text="Empty: not known.",
    )
    disease_duration_months = models.DecimalField(
        "disease duration (months)", max_digits=6, decimal_places=1, null=True, blank=True
    )
    dlco_percent = models.DecimalField(
        "DLCO (% predicted)",
        max_digits=4,
        decimal_places=1,
        null=True,
        blank=True,
        help_text="Diffusing capacity before the JAK inhibitor. Empty: not known.",
    )
    subset = models.CharField(
        "disease subset", max_length=8, choices=Subset.choices, default=Subset.UNKNOWN
    )
    classification = models.CharField("classification criteria", max_length=160, blank=True)
    comorbidities = models.TextField(
        blank=True, help_text="Separated by semicolons. Empty: not known."
    )
    prior_therapies = models.ManyToManyField(Therapy, blank=True, related_name="patients_before")
    prior_therapies_completeness = completeness_field("prior therapies")
    manifestations = models.ManyToManyField(
        Manifestation, through="PatientManifestation", related_name="patients"
    )
    manifestations_completeness = completeness_field("manifestations present")
    autoantibodies = models.ManyToManyField(
        Autoantibody, through="PatientAutoantibody", related_name="patients"
    )
    autoantibodies_completeness = completeness_field("autoantibodies present")
    same_as = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="other_reports",
        help_text="Another report of the same person that counts instead of this one.",
    )
    notes = models.TextField(blank=True)
    looked_for = models.BooleanField(
        "every empty field was looked for",
        default=False,
        help_text="Of the patient and of its courses, outcomes and events: what is empty was "
        "looked for in the full text and is not there. Without it an empty field is “not "
        "extracted”, and the study counts as read in part.",
    )
    state = state_field()
    withdrawal_reason = withdrawal_reason_field()
    replaced_by = replaced_by_field()

    objects = PatientQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        constraints = [
            one_of("sex", Sex),
            one_of("subset", Subset),
            one_of("prior_therapies_completeness", ListCompleteness),
            one_of("manifestations_completeness", ListCompleteness),
            one_of("autoantibodies_completeness", ListCompleteness),
            one_of("state", State),
            range_constraint("age_years", 0, 120, "Age is between 0 and 120 years."),
            range_constraint(
                "disease_duration_months", 0, 1440, "Disease duration is between 0 and 1440 months."
            ),
            range_constraint(
                "dlco_percent", 0, 200, "DLCO is between 0 and 200 percent of predicted."
            ),
            CheckConstraint(
                name="patient_not_same_as_itself",
                condition=Q(same_as__isnull=True) | ~Q(same_as=F("pk")),
                violation_error_message="A record cannot be another report of itself.",
            ),
            *withdrawal_constraints(),
        ]

    def __str__(self) -> str:
        return self.slug

    def get_absolute_url(self) -> str:
        return reverse("patient", args=[self.study.collection.slug, self.slug])

    @property
    def was_seen(self) -> bool:
        return self.state in ONCE_PUBLISHED and self.study.was_seen

    @property
    def was_published(self) -> bool:
        return self.state in ONCE_PUBLISHED and self.study.was_published

    def clean(self):
        errors = self.publication_errors()
        if self.study_id:
            errors |= self.study_errors()
        index_report = self.same_as
        if index_report is not None and index_report.same_as_id is not None:
            errors["same_as"] = (
                f"{index_report} is itself another report of {index_report.same_as}; choose that "
                "one."
            )
        elif (
            index_report is not None
            and self.study_id
            and index_report.study.collection_id != self.study.collection_id
        ):
            errors["same_as"] = "The two reports are in different collections."
        elif index_report is not None and self.pk and self.other_reports.exists():
            errors["same_as"] = "Other reports already point to this record."
        raise_errors(errors)

    def settle_study(self) -> bool:
        """Before the patient is saved: lets its study count as read in part if this patient lacks
        the tick. Returns whether that is new; the study is then saved.
        """
        in_full = Study.objects.filter(pk=self.study_id, extraction=Extraction.FULL_TEXT)
        if self.looked_for or not in_full.exists():
            return False
        self.study.extraction = Extraction.IN_PART
        self.study.save(update_fields=["extraction"])
        return True

    def study_errors(self) -> dict[str, str]:
        """What does not agree with the study, by field."""
        errors, stored = {}, self.stored()
        if stored and stored.was_published and stored.study_id != self.study_id:
            same_collection = stored.study.collection_id == self.study.collection_id
            if not (same_collection and self.study.was_published):
                errors["study"] = PLACE_STAYS
        if not self.looked_for and self.study.extraction == Extraction.FULL_TEXT:
            errors["looked_for"] = (
                f"{LOOKED_FOR_NEEDED} Tick it, or choose “Full text, read in part” for the study "
                "first."
            )
        simulated = self.study.collection.is_simulated
        if simulated and not self.slug.startswith(SIMULATED_PREFIX):
            errors["slug"] = f"The public id of a simulated patient begins with {SIMULATED_PREFIX}."
        elif not simulated and self.slug.upper().startswith(SIMULATED_PREFIX):
            errors["slug"] = f"Only a simulated patient's public id begins with {SIMULATED_PREFIX}."
        if self.replaced_by and self.replaced_by.study.collection_id != self.study.collection_id:
            errors["replaced_by"] = "The patient who replaces it is in another collection."
        return errors


class PresenceRecord(Keyed):
    """Something looked for in a patient, and found or not found. No record means nothing is known
    of it.
    """

    status = models.CharField(max_length=8, choices=Presence.choices, default=Presence.PRESENT)

    class Meta:
        abstract = True
        constraints = [one_of("status", Presence)]


class PatientManifestation(PresenceRecord):
    """An organ involvement or sign, present or absent, in one patient."""

    KEY = ("patient__slug", "manifestation__code")
    PART_OF = ("patient",)

    patient = models.ForeignKey(
        Patient, on_delete=models.CASCADE, related_name="manifestation_records"
    )
    manifestation = models.ForeignKey(
        Manifestation, on_delete=models.PROTECT, related_name="records"
    )

    objects = KeyedQuerySet.as_manager()

    class Meta(PresenceRecord.Meta):
        ordering = ["manifestation"]
        constraints = [
            *PresenceRecord.Meta.constraints,
            UniqueConstraint(
                fields=["patient", "manifestation"],
                name="manifestation_once_per_patient",
                violation_error_message="This manifestation is already recorded for this patient.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.patient}: {self.manifestation} {self.get_status_display().lower()}"


class PatientAutoantibody(PresenceRecord):
    """An autoantibody, present or absent, in one patient."""

    KEY = ("patient__slug", "autoantibody__code")
    PART_OF = ("patient",)

    patient = models.ForeignKey(
        Patient, on_delete=models.CASCADE, related_name="autoantibody_records"
    )
    autoantibody = models.ForeignKey(Autoantibody, on_delete=models.PROTECT, related_name="records")

    objects = KeyedQuerySet.as_manager()

    class Meta(PresenceRecord.Meta):
        ordering = ["autoantibody"]
        verbose_name_plural = "patient autoantibodies"
        constraints = [
            *PresenceRecord.Meta.constraints,
            UniqueConstraint(
                fields=["patient", "autoantibody"],
                name="autoantibody_once_per_patient",
                violation_error_message="This autoantibody is already recorded for this patient.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.patient}: {self.autoantibody} {self.get_status_display().lower()}"

"""One course of one JAK inhibitor in one patient: the unit every question is asked of."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.signals import m2m_changed, post_save
from django.dispatch import receiver

from .base import Keyed, KeyedQuerySet, completeness_field, one_of, range_constraint
from .choices import Ascertainment, Assessed, ListCompleteness, Response, YesNo
from .constraints import CheckConstraint, UniqueConstraint
from .patient import Patient
from .persons import counted_elsewhere
from .publication import COURSE_STAYS
from .reference import Indication, JAKInhibitor, Therapy

SET_SEPARATOR = "+"


def set_key(codes) -> str:
    """The one spelling of a set of codes: sorted, joined by +. An empty text is an unknown set."""
    return SET_SEPARATOR.join(sorted(codes))


class TreatmentQuerySet(KeyedQuerySet):
    """Treatments. A question asks several things of one and the same treatment.

    To-many conditions use `Exists`: a join would repeat rows and corrupt every count after it.
    """

    def within(self, collection):
        """Treatments in one collection that readers may see, each person counted once."""
        treatments = self.published().filter(patient__study__collection=collection)
        return treatments.exclude(patient__in=counted_elsewhere(Patient))

    def known(self, attribute):
        """Treatments of which this attribute is known; the words are those of
        `knowledge.ATTRIBUTES`.
        """
        from .knowledge import ATTRIBUTES

        return self.filter(ATTRIBUTES[attribute].known)

    def not_known(self, attribute):
        from .knowledge import ATTRIBUTES

        return self.filter(~ATTRIBUTES[attribute].known)


def given_filter(slugs) -> Q:
    """Treatments of one of these inhibitors."""
    return Q(inhibitor__in=JAKInhibitor.objects.filter(slug__in=slugs).values("pk"))


def with_seriousness(codes) -> Q:
    """Treatments with a serious event (yes), surely without one (no), or neither (unknown)."""
    from .knowledge import NOT_SERIOUS, SERIOUS

    yes, no = SERIOUS.q(), NOT_SERIOUS.q()
    conditions = {YesNo.YES: yes, YesNo.NO: ~yes & no, YesNo.UNKNOWN: ~(yes | no)}
    condition = Q()
    for code in codes:
        condition |= conditions[code]
    return condition


def assessed_about(codes) -> Q:
    """Treatments with an outcome assessed at about one of these months; unknown: no outcome has a
    month.
    """
    from .outcome import Outcome, month_window

    condition = Q()
    for code in codes:
        if code == Assessed.UNKNOWN:
            condition |= ~Q(
                Exists(Outcome.objects.filter(treatment=OuterRef("pk"), at_months__isnull=False))
            )
        else:
            condition |= Q(
                Exists(Outcome.objects.filter(month_window(code), treatment=OuterRef("pk")))
            )
    return condition


class Treatment(Keyed):
    """One course of one JAK inhibitor in one patient. A patient who switched drug has two."""

    KEY = ("patient__slug", "number")
    PART_OF = ("patient",)

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="treatments")
    number = models.PositiveSmallIntegerField(
        default=1, help_text="Order of the patient's courses: 1, 2, 3."
    )
    inhibitor = models.ForeignKey(JAKInhibitor, on_delete=models.PROTECT, related_name="treatments")
    dose = models.CharField(max_length=80, blank=True, help_text="As written. Empty: not known.")
    duration_months = models.DecimalField(
        "duration (months)",
        max_digits=6,
        decimal_places=1,
        null=True,
        blank=True,
        help_text="Empty: not known.",
    )
    indications = models.ManyToManyField(
        Indication, blank=True, help_text="None chosen: not known."
    )
    indications_completeness = completeness_field("indications")
    indication_set = models.CharField(
        max_length=200,
        blank=True,
        editable=False,
        help_text="The codes of the indications, sorted, joined by +.",
    )
    concomitant_therapies = models.ManyToManyField(
        Therapy, blank=True, related_name="treatments_along"
    )
    concomitant_therapies_completeness = completeness_field("concomitant therapies")
    response = models.CharField(
        "response (authors' overall verdict)",
        max_length=12,
        choices=Response.choices,
        default=Response.UNKNOWN,
    )
    relapsed = models.CharField(max_length=7, choices=YesNo.choices, default=YesNo.UNKNOWN)
    adverse_events = models.CharField(
        max_length=16, choices=Ascertainment.choices, default=Ascertainment.NOT_STATED
    )
    adverse_event_categories_completeness = completeness_field(
        "adverse event categories",
        help_text="Whether there may be events of other categories than are listed. That none "
        "occurred is said above.",
    )
    stopped = models.CharField(max_length=7, choices=YesNo.choices, default=YesNo.UNKNOWN)
    stop_reason = models.CharField(max_length=160, blank=True)

    objects = TreatmentQuerySet.as_manager()

    class Meta:
        ordering = ["patient", "number"]
        constraints = [
            UniqueConstraint(
                fields=["patient", "number"],
                name="treatment_number_once_per_patient",
                violation_error_message="This patient already has a course with this number.",
            ),
            one_of("response", Response),
            one_of("relapsed", YesNo),
            one_of("adverse_events", Ascertainment),
            one_of("stopped", YesNo),
            one_of("indications_completeness", ListCompleteness),
            one_of("concomitant_therapies_completeness", ListCompleteness),
            CheckConstraint(
                name="treatment_adverse_event_categories_completeness_coded",
                condition=Q(adverse_event_categories_completeness=ListCompleteness.NOT_STATED)
                | Q(
                    adverse_events=Ascertainment.EVENTS,
                    adverse_event_categories_completeness__in=[
                        ListCompleteness.COMPLETE,
                        ListCompleteness.PARTIAL,
                    ],
                ),
                violation_error_message=(
                    "Where adverse events are reported, their list is complete, partial or not "
                    "stated; otherwise it is not stated, and “adverse events” says whether none "
                    "occurred."
                ),
            ),
            range_constraint(
                "duration_months", 0, 1200, "A course lasts between 0 and 1200 months."
            ),
            CheckConstraint(
                name="treatment_number_from_one",
                condition=Q(number__gte=1),
                violation_error_message="Courses are numbered from 1.",
            ),
            CheckConstraint(
                name="treatment_stop_reason_needs_stop",
                condition=Q(stop_reason="") | Q(stopped=YesNo.YES),
                violation_error_message="A reason for stopping needs “stopped: yes”.",
            ),
        ]
        indexes = [models.Index(fields=["indication_set"], name="treatment_indication_set")]

    def __str__(self) -> str:
        return f"{self.patient}, course {self.number} ({self.inhibitor})"

    def clean(self):
        stored = self.stored()
        for name in ("patient_id", "number") if stored else ():
            if getattr(stored, name) != getattr(self, name) and stored.patient.was_published:
                raise ValidationError({name.removesuffix("_id"): COURSE_STAYS})
        if self.pk and self.adverse_events != Ascertainment.EVENTS and self.events.exists():
            raise ValidationError(
                {
                    "adverse_events": "Adverse events are recorded under this course: remove "
                    "them first."
                }
            )


def keep_indication_set(treatment: Treatment) -> None:
    """Writes `indication_set` anew, if it does not say what the treatment's indications are."""
    previous, treatment.indication_set = (
        treatment.indication_set,
        set_key(treatment.indications.values_list("code", flat=True)),
    )
    if previous != treatment.indication_set:
        Treatment.objects.filter(pk=treatment.pk).update(indication_set=treatment.indication_set)


@receiver(m2m_changed, sender=Treatment.indications.through)
def indications_changed(instance, action, reverse, pk_set, **kwargs):
    """From either side: a treatment's indications, or an indication's treatments."""
    if action == "pre_clear" and reverse:
        # afterwards nobody knows which they were
        instance.treatments_before = list(instance.treatment_set.all())
    if not action.startswith("post_"):
        return
    if not reverse:
        keep_indication_set(instance)
        return
    treatments = (
        instance.treatments_before if pk_set is None else Treatment.objects.filter(pk__in=pk_set)
    )
    for treatment in treatments:
        keep_indication_set(treatment)


@receiver(post_save, sender=Indication)
def indication_renamed(instance, created, **kwargs):
    """Updates the sets of indications that contain a changed code."""
    if not created:
        for treatment in instance.treatment_set.all():
            keep_indication_set(treatment)


@receiver(post_save, sender=Treatment)
def treatment_written(instance, created, **kwargs):
    """A record written whole, as `loaddata` does, brings an empty set along while its indications
    stay.
    """
    if not created:
        keep_indication_set(instance)

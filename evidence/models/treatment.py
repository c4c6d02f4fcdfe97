"""One course of one JAK inhibitor in one patient: the unit every question is asked of."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.signals import m2m_changed, post_save
from django.dispatch import receiver

from .base import Keyed, KeyedQuerySet, one_of, within
from .choices import Ascertainment, Assessed, Presence, Response, YesNo
from .constraints import CheckConstraint, UniqueConstraint
from .patient import Patient, PatientAutoantibody, PatientManifestation
from .persons import counted_elsewhere
from .reference import Indication, JAKInhibitor, Therapy

SET_SEPARATOR = "+"


def set_key(codes) -> str:
    """The one spelling of a set of codes: sorted, joined by +. An empty text is an unknown set."""
    return SET_SEPARATOR.join(sorted(codes))


class TreatmentQuerySet(KeyedQuerySet):
    """Courses. Every verb is one condition; a question is their conjunction, on one and the same course.

    To-many conditions use `Exists`: a join would repeat rows and corrupt every count after it.
    """

    def within(self, collection):
        """Courses in one collection that readers may see, each person counted once."""
        courses = self.published().filter(patient__study__collection=collection)
        return courses.exclude(patient__in=counted_elsewhere(Patient))

    def given(self, slugs):
        """Courses of one of these inhibitors."""
        return self.filter(inhibitor__in=JAKInhibitor.objects.filter(slug__in=slugs).values("pk"))

    def known(self, attribute):
        """Courses of which this attribute is known; the words are those of `knowledge.ATTRIBUTES`."""
        from .knowledge import ATTRIBUTES

        return self.filter(ATTRIBUTES[attribute].known)

    def not_known(self, attribute):
        from .knowledge import ATTRIBUTES

        return self.filter(~ATTRIBUTES[attribute].known)

    # Indications: a course's set is known as soon as one indication is recorded.

    def indicated_for_any(self, codes):
        return self.filter(Exists(self._indications(codes)))

    def indicated_for_all(self, codes):
        courses = self
        for code in codes:
            courses = courses.indicated_for_any([code])
        return courses

    def indicated_for_exactly(self, codes):
        return self.filter(indication_set=set_key(set(codes)))

    def indicated_for_none(self, codes):
        """Courses whose indications are known, and none of these is among them."""
        return self.known("indication").filter(~Exists(self._indications(codes)))

    def _indications(self, codes):
        links = self.model.indications.through.objects.filter(treatment=OuterRef("pk"))
        return links.filter(indication__in=Indication.objects.filter(code__in=codes).values("pk"))

    # Manifestations and autoantibodies: each item is present, absent, or not known.

    def with_any_present(self, records, codes):
        return self.filter(Exists(records.rows(Presence.PRESENT, codes)))

    def with_all_present(self, records, codes):
        courses = self
        for code in codes:
            courses = courses.with_any_present(records, [code])
        return courses

    def with_exactly_present(self, records, codes):
        """All of these present, and no other recorded as present."""
        return self.with_all_present(records, codes).filter(~Exists(records.rows_beside(Presence.PRESENT, codes)))

    def with_all_absent(self, records, codes):
        """Each of these was looked for and is absent."""
        courses = self
        for code in codes:
            courses = courses.filter(Exists(records.rows(Presence.ABSENT, [code])))
        return courses

    def with_all_recorded(self, records, codes):
        """Each of these is recorded, as present or as absent."""
        courses = self
        for code in codes:
            courses = courses.filter(Exists(records.rows(None, [code])))
        return courses

    # Prior therapies: known where the source lists them or says there were none.

    def pretreated_with_any(self, codes):
        return self.filter(Exists(self._prior().filter(therapy__code__in=codes)))

    def pretreated_with_all(self, codes):
        courses = self
        for code in codes:
            courses = courses.pretreated_with_any([code])
        return courses

    def pretreated_with_exactly(self, codes):
        return self.pretreated_with_all(codes).filter(~Exists(self._prior().exclude(therapy__code__in=codes)))

    def pretreated_with_none(self, codes):
        """Patients whose earlier therapies are known, and none of these is among them."""
        return self.known("prior").filter(~Exists(self._prior().filter(therapy__code__in=codes)))

    def _prior(self):
        return Patient.prior_therapies.through.objects.filter(patient=OuterRef("patient"))

    # Adverse events, and their seriousness

    def with_seriousness(self, answers):
        """Courses with a serious event (yes), surely without one (no), or neither (unknown)."""
        from .knowledge import NOT_SERIOUS, SERIOUS

        yes, no = SERIOUS.q(), NOT_SERIOUS.q()
        conditions = {YesNo.YES: yes, YesNo.NO: ~yes & no, YesNo.UNKNOWN: ~(yes | no)}
        chosen = Q()
        for answer in answers:
            chosen |= conditions[answer]
        return self.filter(chosen)

    def with_any_event(self, codes):
        return self.filter(Exists(self._events().filter(category__code__in=codes)))

    def with_all_events(self, codes):
        courses = self
        for code in codes:
            courses = courses.with_any_event([code])
        return courses

    def with_exactly_events(self, codes):
        return self.with_all_events(codes).filter(~Exists(self._events().exclude(category__code__in=codes)))

    def with_no_event(self, codes):
        """Courses whose event categories are known, and none of these is among them."""
        return self.known("adverse_event").filter(~Exists(self._events().filter(category__code__in=codes)))

    # Outcomes, by when they were assessed

    def assessed_about(self, words):
        """Courses with an outcome assessed at about one of these months; unknown: no outcome has a month."""
        from .outcome import Outcome, month_window

        chosen = Q()
        for word in words:
            if word == Assessed.UNKNOWN:
                chosen |= ~Q(Exists(Outcome.objects.filter(treatment=OuterRef("pk"), at_months__isnull=False)))
            else:
                chosen |= Q(Exists(Outcome.objects.filter(month_window(word), treatment=OuterRef("pk"))))
        return self.filter(chosen)

    def _events(self):
        from .adverse_event import AdverseEvent

        return AdverseEvent.objects.filter(treatment=OuterRef("pk"))


class PresenceRows:
    """The present/absent rows of the patient of a course, for use inside `Exists`."""

    def __init__(self, model, term: str):
        self.model, self.term = model, term

    def _of_patient(self, status):
        rows = self.model.objects.filter(patient=OuterRef("patient"))
        return rows.filter(status=status) if status else rows

    def rows(self, status, codes):
        return self._of_patient(status).filter(**{f"{self.term}__code__in": codes})

    def rows_beside(self, status, codes):
        return self._of_patient(status).exclude(**{f"{self.term}__code__in": codes})


MANIFESTATIONS = PresenceRows(PatientManifestation, "manifestation")
AUTOANTIBODIES = PresenceRows(PatientAutoantibody, "autoantibody")


class Treatment(Keyed):
    """One course of one JAK inhibitor in one patient. A patient who switched drug has two."""

    KEY = ("patient__slug", "number")
    PART_OF = ("patient",)

    patient = models.ForeignKey(Patient, on_delete=models.CASCADE, related_name="treatments")
    number = models.PositiveSmallIntegerField(default=1, help_text="Order of the patient's courses: 1, 2, 3.")
    inhibitor = models.ForeignKey(JAKInhibitor, on_delete=models.PROTECT, related_name="treatments")
    dose = models.CharField(max_length=80, blank=True, help_text="As written. Empty: not known.")
    duration_months = models.DecimalField(
        "duration (months)", max_digits=6, decimal_places=1, null=True, blank=True, help_text="Empty: not known."
    )
    indications = models.ManyToManyField(Indication, blank=True, help_text="None chosen: not known.")
    indication_set = models.CharField(
        max_length=200, blank=True, editable=False, help_text="The codes of the indications, sorted, joined by +."
    )
    concomitant_therapies = models.ManyToManyField(Therapy, blank=True, related_name="treatments_along")
    response = models.CharField(
        "response (authors' overall verdict)", max_length=12, choices=Response.choices, default=Response.UNKNOWN
    )
    relapsed = models.CharField(max_length=7, choices=YesNo.choices, default=YesNo.UNKNOWN)
    adverse_events = models.CharField(max_length=16, choices=Ascertainment.choices, default=Ascertainment.NOT_STATED)
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
            within("duration_months", 0, 1200, "A course lasts between 0 and 1200 months."),
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
        if self.pk and self.adverse_events != Ascertainment.EVENTS and self.events.exists():
            raise ValidationError(
                {"adverse_events": "Adverse events are recorded under this course: remove them first."}
            )


def keep_indication_set(course: Treatment) -> None:
    """Writes `indication_set` anew, if it does not say what the course's indications are."""
    said, course.indication_set = course.indication_set, set_key(course.indications.values_list("code", flat=True))
    if said != course.indication_set:
        Treatment.objects.filter(pk=course.pk).update(indication_set=course.indication_set)


@receiver(m2m_changed, sender=Treatment.indications.through)
def indications_changed(instance, action, reverse, pk_set, **kwargs):
    """From either side: a course's indications, or an indication's courses."""
    if action == "pre_clear" and reverse:
        instance.courses_before = list(instance.treatment_set.all())  # afterwards nobody knows which they were
    if not action.startswith("post_"):
        return
    if not reverse:
        keep_indication_set(instance)
        return
    courses = instance.courses_before if pk_set is None else Treatment.objects.filter(pk__in=pk_set)
    for course in courses:
        keep_indication_set(course)


@receiver(post_save, sender=Indication)
def indication_renamed(instance, created, **kwargs):
    """A new code is a new spelling of every set it stands in."""
    if not created:
        for course in instance.treatment_set.all():
            keep_indication_set(course)


@receiver(post_save, sender=Treatment)
def treatment_written(instance, created, **kwargs):
    """A record written whole, as `loaddata` does, brings an empty set along while its indications stay."""
    if not created:
        keep_indication_set(instance)

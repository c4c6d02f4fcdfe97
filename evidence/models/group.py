"""Patients a study reports only in aggregate, and what it found in them."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from .base import Keyed, KeyedQuerySet, one_of, range_constraint, slug_format
from .choices import FindingKind, Item, Subset
from .constraints import CheckConstraint, UniqueConstraint
from .measure import LEVELS, VALUE_KINDS, Measure, known_measure
from .reference import Indication, JAKInhibitor
from .study import Study

NO_NEGATIVE_SPREAD = Q()
for spread in ("baseline_sd", "followup_sd", "change_sd", "iqr"):
    NO_NEGATIVE_SPREAD &= Q(**{f"{spread}__isnull": True}) | Q(**{f"{spread}__gte": 0})


class StudyGroupQuerySet(KeyedQuerySet):
    def within(self, collection):
        """Groups of one collection's published studies."""
        return self.published().filter(study__collection=collection)

    def given_a_jak_inhibitor(self):
        """Treated groups; comparators are left out."""
        return self.filter(Q(inhibitor__isnull=False) | Q(mixed_inhibitors=True))

    def _indications(self):
        return self.model.indications.through.objects.filter(studygroup=OuterRef("pk"))

    def indicated_for_any(self, codes):
        return self.filter(Exists(self._indications().filter(indication__code__in=codes)))

    def indicated_for_all(self, codes):
        groups = self
        for code in codes:
            groups = groups.indicated_for_any([code])
        return groups


class StudyGroup(Keyed):
    """An arm or a series reported only in aggregate."""

    KEY = ("study__collection__slug", "study__slug", "slug")
    PART_OF = ("study",)

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="groups")
    slug = models.SlugField(max_length=80, validators=[slug_format])
    label = models.CharField(max_length=160)
    inhibitor = models.ForeignKey(
        JAKInhibitor,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="groups",
        help_text="Empty: comparator.",
    )
    mixed_inhibitors = models.BooleanField(
        default=False, help_text="Several JAK inhibitors, not reported apart."
    )
    n = models.PositiveIntegerField(
        "patients", null=True, blank=True, help_text="Empty: not known."
    )
    subset = models.CharField(max_length=8, choices=Subset.choices, default=Subset.UNKNOWN)
    dose = models.CharField(max_length=80, blank=True)
    follow_up_weeks = models.PositiveSmallIntegerField(null=True, blank=True)
    indications = models.ManyToManyField(
        Indication, blank=True, help_text="None chosen: not known."
    )
    position = models.PositiveSmallIntegerField(default=1)

    objects = StudyGroupQuerySet.as_manager()

    class Meta:
        ordering = ["study", "position", "label"]
        constraints = [
            UniqueConstraint(
                fields=["study", "slug"],
                name="group_slug_once_per_study",
                violation_error_message="This study already has a group with this slug.",
            ),
            one_of("subset", Subset),
            CheckConstraint(
                name="group_mixed_names_no_inhibitor",
                condition=Q(mixed_inhibitors=False) | Q(inhibitor__isnull=True),
                violation_error_message="A group on several inhibitors does not name one.",
            ),
            CheckConstraint(
                name="group_n_positive",
                condition=Q(n__isnull=True) | Q(n__gte=1),
                violation_error_message="A group has at least one patient; leave the number "
                "empty if it is not known.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.study}: {self.label}"

    @property
    def is_comparator(self) -> bool:
        return self.inhibitor_id is None and not self.mixed_inhibitors


WITHOUT_TIME = (FindingKind.SHARE, FindingKind.MEDIAN_IQR)  # kinds that no week belongs to
# What is counted of patients too and is a harm whatever a curator says of it.
HARM_ITEMS = [Item.ANY_ADVERSE_EVENT, Item.SERIOUS]
IS_HARM = Q(harm=True) | Q(item__in=[item.value for item in HARM_ITEMS])


class GroupFindingQuerySet(KeyedQuerySet):
    def within(self, collection):
        return self.published().filter(group__study__collection=collection)

    def harms(self):
        """Findings about adverse events or deaths."""
        return self.filter(IS_HARM)


class GroupFinding(Keyed):
    """One aggregate result, as printed. A number the source does not give is empty."""

    KEY = ("group__study__collection__slug", "group__study__slug", "group__slug", "number")
    PART_OF = ("group",)

    group = models.ForeignKey(StudyGroup, on_delete=models.CASCADE, related_name="findings")
    number = models.PositiveSmallIntegerField(help_text="Position in the group: 1, 2, 3.")
    kind = models.CharField(max_length=24, choices=FindingKind.choices)
    measure = models.CharField(max_length=120, help_text="What was measured, such as mRSS.")
    item = models.CharField(
        "counts as",
        max_length=20,
        choices=Item.choices,
        blank=True,
        help_text="Only where the measure means what is counted of individual patients too. "
        "Empty: nothing.",
    )
    harm = models.BooleanField(
        "counts a harm",
        default=False,
        help_text="Whether it counts patients with adverse events, or deaths, of whatever kind the "
        "source counts. It is then listed with the adverse events.",
    )
    at_weeks = models.DecimalField(
        "assessed at (weeks)", max_digits=6, decimal_places=1, null=True, blank=True
    )
    n = models.PositiveIntegerField("patients analysed", null=True, blank=True)
    events = models.PositiveIntegerField(null=True, blank=True)
    percent = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
    value = models.DecimalField(max_digits=9, decimal_places=3, null=True, blank=True)
    baseline = models.DecimalField(max_digits=9, decimal_places=3, null=True, blank=True)
    baseline_sd = models.DecimalField(
        "baseline SD", max_digits=9, decimal_places=3, null=True, blank=True
    )
    followup = models.DecimalField(
        "follow-up", max_digits=9, decimal_places=3, null=True, blank=True
    )
    followup_sd = models.DecimalField(
        "follow-up SD", max_digits=9, decimal_places=3, null=True, blank=True
    )
    change = models.DecimalField(max_digits=9, decimal_places=3, null=True, blank=True)
    change_sd = models.DecimalField(
        "change SD", max_digits=9, decimal_places=3, null=True, blank=True
    )
    iqr = models.DecimalField(
        "IQR (width, as printed)", max_digits=9, decimal_places=3, null=True, blank=True
    )
    iqr_low = models.DecimalField("IQR from", max_digits=9, decimal_places=3, null=True, blank=True)
    iqr_high = models.DecimalField("IQR to", max_digits=9, decimal_places=3, null=True, blank=True)
    p_value = models.CharField("p, as printed", max_length=12, blank=True)
    note = models.TextField(blank=True)

    objects = GroupFindingQuerySet.as_manager()

    class Meta:
        ordering = ["group", "number"]
        constraints = [
            UniqueConstraint(
                fields=["group", "number"],
                name="finding_number_once_per_group",
                violation_error_message="This group already has a finding with this number.",
            ),
            one_of("kind", FindingKind),
            one_of("item", Item, blank=True),
            CheckConstraint(
                name="finding_item_is_counted",
                condition=Q(item="") | Q(kind=FindingKind.EVENTS),
                violation_error_message="Only “events of n” can count as something counted of "
                "patients.",
            ),
            range_constraint("percent", 0, 100, "A percentage is between 0 and 100."),
            range_constraint(
                "at_weeks", 0, 5200, "A finding is assessed between week 0 and week 5200."
            ),
            CheckConstraint(
                name="finding_events_within_n",
                condition=Q(events__isnull=True) | Q(n__isnull=True) | Q(events__lte=F("n")),
                violation_error_message="There cannot be more patients with the event than "
                "patients analysed.",
            ),
            CheckConstraint(
                name="finding_harm_is_counted",
                condition=Q(harm=False) | Q(kind__in=[FindingKind.EVENTS, FindingKind.SHARE]),
                violation_error_message="A harm is counted: as “events of n”, or as a percentage "
                "of n.",
            ),
            CheckConstraint(
                name="finding_events_given",
                condition=~Q(kind=FindingKind.EVENTS) | Q(events__isnull=False, n__isnull=False),
                violation_error_message="“Events of n” needs both numbers.",
            ),
            CheckConstraint(
                name="finding_iqr_ordered",
                condition=Q(iqr_low__isnull=True)
                | Q(iqr_high__isnull=True)
                | Q(iqr_low__lte=F("iqr_high")),
                violation_error_message="The interquartile range ends below its beginning.",
            ),
            CheckConstraint(
                name="finding_spread_not_negative",
                condition=NO_NEGATIVE_SPREAD,
                violation_error_message="A standard deviation or interquartile range is not "
                "negative.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group}: {self.measure}"

    def clean(self):
        """A known measure is named by its label, however it was spelled; its values lie in its
        range.
        """
        measure = self.name_known_measure()
        if measure is None:
            return
        if errors := measure.range_errors(self, self.levels()):
            raise ValidationError(errors)

    def name_known_measure(self) -> Measure | None:
        """Writes the label of the measure that the text means, if it means one; returns it."""
        measure = known_measure(self.measure)
        if measure is not None:
            self.measure = measure.label
        return measure

    def levels(self) -> tuple[str, ...]:
        """Fields that hold values of what was measured, and no changes or differences of them."""
        return (*LEVELS, *VALUE_KINDS.get(self.kind, ()))

    @property
    def is_harm(self) -> bool:
        """Whether it is one of `harms()`."""
        return self.harm or self.item in HARM_ITEMS

    @property
    def has_a_time(self) -> bool:
        """Whether a week belongs to it: a share of a group's members, or the length of its
        follow-up, has none.
        """
        return self.kind not in WITHOUT_TIME

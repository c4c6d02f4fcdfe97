"""What happened in one domain under one treatment."""

from collections.abc import Iterable
from decimal import Decimal

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import models
from django.db.models import Case, F, IntegerField, Q, QuerySet, Value, When, Window
from django.db.models.functions import RowNumber

from .base import Keyed, KeyedQuerySet, one_of, range_constraint
from .choices import Assessed, Domain, Response
from .constraints import CheckConstraint, UniqueConstraint
from .measure import LEVELS, Measure

# From (included) to (left out), in months since the start of the treatment.
WINDOWS = {
    Assessed.MONTH_1: (0, 2),
    Assessed.MONTH_3: (2, 4.5),
    Assessed.MONTH_6: (4.5, 9),
    Assessed.MONTH_12: (9, 18),
    Assessed.MONTH_24: (18, 36),
    Assessed.LATER: (36, None),
}


def month_window(code: str, path: str = "") -> Q:
    """Outcomes assessed at about this month; `unknown` stands for those without a month. `path`
    leads to the outcome.
    """
    month = f"{path}at_months"
    if code == Assessed.UNKNOWN:
        return Q(**{f"{month}__isnull": True})
    start, end = WINDOWS[Assessed(code)]
    since = Q(**{f"{month}__gte": start})
    return since if end is None else since & Q(**{f"{month}__lt": end})


def window_of(month: Decimal | float | None) -> Assessed:
    """About which month this is."""
    if month is None:
        return Assessed.UNKNOWN
    return next(window for window, (_, end) in WINDOWS.items() if end is None or month < end)


def in_month_windows(codes: Iterable[str], path: str = "") -> Q:
    """Outcomes assessed at about one of these months. Without codes it selects all outcomes, also
    those without a month. `path` leads to the outcome.
    """
    chosen = Q()
    for code in codes:
        chosen |= month_window(code, path)
    return chosen


# Of results at the same time the first of these counts: none flatters.
WORST_FIRST = (Response.WORSENED, Response.NOT_IMPROVED, Response.STABLE, Response.IMPROVED)


def counting_order(number: int, month: Decimal | None, result: str, key: int) -> tuple:
    """The order of `OutcomeQuerySet.one_per_patient_and_domain` for rows that have been read: of a
    patient's stated results in a domain the smallest counts. `number` is the treatment's, `key`
    the outcome's.
    """
    return (month is None, -number, -(month or 0), WORST_FIRST.index(result), key)


class OutcomeQuerySet(KeyedQuerySet):
    def under(self, treatments):
        """Outcomes of these treatments."""
        return self.filter(treatment__in=treatments.order_by().values("pk"))

    def one_per_patient_and_domain(self, *, best: bool = False) -> QuerySet:
        """Of those with a stated result, the one that counts for each patient in each domain.

        It is the last dated one: of several treatments (months count from the start of each) that
        of the latest treatment with one, there of the latest month. One without a month counts only
        where no treatment has a dated one, and is then that of the latest treatment. Of results at
        the same time the worst counts, so “improved” only where no other differs. With `best` it is
        an improved one if there is any.
        """
        return self._one_per("treatment__patient", "domain", best=best)

    def one_per_treatment_and_domain(self) -> QuerySet:
        """The same of each treatment by itself."""
        return self._one_per("treatment", "domain")

    def _one_per(self, *owner: str, best: bool = False) -> QuerySet:
        improved = Case(
            When(result=Response.IMPROVED, then=Value(1)),
            default=Value(0),
            output_field=IntegerField(),
        )
        undated = Case(
            When(at_months__isnull=True, then=Value(1)),
            default=Value(0),
            output_field=IntegerField(),
        )
        # where the second and the third leave a choice, all have a month or none has
        latest = [undated.asc(), F("treatment__number").desc(), F("at_months").desc()]
        worst = Case(
            *(When(result=result, then=Value(i)) for i, result in enumerate(WORST_FIRST)),
            output_field=IntegerField(),
        )
        order = [improved.desc(), *latest] if best else [*latest, worst.asc()]
        place = Window(
            RowNumber(),
            partition_by=list(owner),
            order_by=[*order, F("pk").asc()],
        )
        stated = self.exclude(result=Response.UNKNOWN)
        return stated.order_by().annotate(place=place).filter(place=1)


class Outcome(Keyed):
    """One measure in one domain, at baseline and at follow-up, and the result as the authors state
    it.
    """

    KEY = ("treatment__patient__slug", "treatment__number", "number")
    PART_OF = ("treatment",)

    treatment = models.ForeignKey("Treatment", on_delete=models.CASCADE, related_name="outcomes")
    number = models.PositiveSmallIntegerField(default=1)
    domain = models.CharField(max_length=8, choices=Domain.choices)
    # by its label, so that the column holds what readers see and no list has to join
    measure = models.ForeignKey(
        Measure,
        to_field="label",
        db_column="measure",
        db_index=False,
        on_delete=models.PROTECT,
        related_name="outcomes",
        help_text="Such as mRSS, FVC % predicted, digital ulcers.",
    )
    unit = models.CharField(max_length=40, blank=True)
    baseline = models.DecimalField(max_digits=9, decimal_places=3, null=True, blank=True)
    followup = models.DecimalField(
        "follow-up", max_digits=9, decimal_places=3, null=True, blank=True
    )
    followup_text = models.CharField(
        "follow-up, in words",
        max_length=200,
        blank=True,
        help_text="Where the source gives no number.",
    )
    baseline_month = models.DecimalField(
        "baseline taken at (month)",
        max_digits=5,
        decimal_places=1,
        null=True,
        blank=True,
        help_text="0 is the start.",
    )
    at_months = models.DecimalField(
        "assessed at (month)",
        max_digits=5,
        decimal_places=1,
        null=True,
        blank=True,
        help_text="Empty: not known.",
    )
    result = models.CharField(max_length=12, choices=Response.choices, default=Response.UNKNOWN)

    objects = OutcomeQuerySet.as_manager()

    class Meta:
        ordering = ["treatment", "number"]
        constraints = [
            UniqueConstraint(
                fields=["treatment", "number"],
                name="outcome_number_once_per_treatment",
                violation_error_message="This course already has an outcome with this number.",
            ),
            one_of("domain", Domain),
            one_of("result", Response),
            range_constraint(
                "at_months", 0, 1200, "An outcome is assessed between month 0 and month 1200."
            ),
            CheckConstraint(
                name="outcome_followup_not_before_baseline",
                condition=Q(baseline_month__isnull=True)
                | Q(at_months__isnull=True)
                | Q(at_months__gte=F("baseline_month")),
                violation_error_message="The follow-up is dated before the baseline.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.treatment}: {self.measure_id}"

    def clean(self):
        try:
            measure = self.measure
        except ObjectDoesNotExist:
            return  # which is said of the field itself
        errors = measure.range_errors(self, self.levels())
        errors |= measure.misfits(self.domain, self.unit)
        if errors:
            raise ValidationError(errors)

    def levels(self) -> tuple[str, ...]:
        """Fields that hold values of what was measured."""
        return LEVELS

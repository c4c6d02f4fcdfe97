"""Published reviews, the figures they print, and which studies they include."""

from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from .base import DOI, PMID, Keyed, KeyedQuerySet, in_format, one_of, range_constraint, slug_format
from .choices import Extraction, FigureUnit, Verdict, YesNo
from .constraints import CheckConstraint, UniqueConstraint
from .history import ChangeHistory
from .identifiers import IdentifierField
from .study import Study


class Review(Keyed):
    """A systematic or narrative review of the same literature."""

    KEY = ("slug",)

    slug = models.SlugField(unique=True, validators=[slug_format])
    short_name = models.CharField(max_length=80)
    title = models.TextField(blank=True, help_text="Empty: not extracted.")
    authors = models.TextField(blank=True, help_text="Separated by semicolons.")
    journal = models.CharField(max_length=200, blank=True)
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    published_online = models.DateField(null=True, blank=True)
    volume = models.CharField(max_length=40, blank=True)
    pages = models.CharField(max_length=40, blank=True)
    doi = IdentifierField("DOI", kind="doi", max_length=120, blank=True)
    pmid = IdentifierField("PMID", kind="pmid", max_length=9, blank=True)
    extraction = models.CharField(max_length=12, choices=Extraction.choices)
    search_databases = models.CharField(max_length=200, blank=True)
    search_from = models.CharField(max_length=40, blank=True)
    search_to = models.DateField(null=True, blank=True)
    n_articles = models.PositiveIntegerField("articles included", null=True, blank=True)
    n_patients = models.PositiveIntegerField("patients included", null=True, blank=True)
    notes = models.TextField(blank=True)

    objects = KeyedQuerySet.as_manager()
    history = ChangeHistory()

    class Meta:
        ordering = ["-year", "short_name"]
        constraints = [
            one_of("extraction", Extraction),
            in_format("doi", DOI, "10.1177/23971983251342697"),
            in_format("pmid", PMID, "40416412"),
            range_constraint(
                "year", 1900, 2100, "The year of publication is between 1900 and 2100."
            ),
        ]

    def __str__(self) -> str:
        return self.short_name

    def get_absolute_url(self) -> str:
        return reverse("review", args=[self.slug])


class PrintedFigure(Keyed):
    """One headline number as a review prints it. The denominator is kept only where the text states
    it.
    """

    KEY = ("review__slug", "code")

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="figures")
    code = models.SlugField(
        help_text="What it counts; figures with a known code are recomputed from loaded records."
    )
    label = models.CharField(max_length=160)
    position = models.PositiveSmallIntegerField(default=0)
    value = models.DecimalField(max_digits=7, decimal_places=2, null=True, blank=True)
    decimals = models.PositiveSmallIntegerField(
        default=1, help_text="Digits printed after the point."
    )
    spread = models.DecimalField("SD", max_digits=7, decimal_places=2, null=True, blank=True)
    count = models.PositiveIntegerField(null=True, blank=True)
    n = models.PositiveIntegerField(null=True, blank=True)
    missing = models.PositiveIntegerField(null=True, blank=True)
    unit = models.CharField(max_length=10, choices=FigureUnit.choices)
    contradicts = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="contradicted_by",
        help_text="Another figure of the same review that this one cannot be true together with. "
        "Both are kept.",
    )
    verdict = models.CharField(
        "verdict, as last seen",
        max_length=16,
        choices=Verdict.choices,
        blank=True,
        help_text="What the comparison with the records gave when somebody last looked. "
        "`check_evidence` fails when it gives something else; then find out why, write the note, "
        "and put the new verdict here.",
    )
    note = models.TextField(
        "curator's note", blank=True, help_text="What explains the verdict, for readers."
    )

    objects = KeyedQuerySet.as_manager()
    history = ChangeHistory()

    class Meta:
        ordering = ["review", "position"]
        constraints = [
            UniqueConstraint(
                fields=["review", "code"],
                name="figure_once_per_review",
                violation_error_message="This review already has a figure with this code.",
            ),
            one_of("unit", FigureUnit),
            one_of("verdict", Verdict, blank=True),
            CheckConstraint(
                name="figure_does_not_contradict_itself",
                condition=Q(contradicts__isnull=True) | ~Q(contradicts=F("pk")),
                violation_error_message="A figure cannot contradict itself.",
            ),
            CheckConstraint(
                name="figure_difference_is_explained",
                condition=~Q(verdict=Verdict.DIFFERS) | ~Q(note=""),
                violation_error_message="A figure that differs from the records needs a note "
                "that says why.",
            ),
            CheckConstraint(
                name="figure_prints_something",
                condition=Q(value__isnull=False) | Q(count__isnull=False),
                violation_error_message="A printed figure has a value or a count.",
            ),
            CheckConstraint(
                name="figure_count_within_n",
                condition=Q(count__isnull=True) | Q(n__isnull=True) | Q(count__lte=F("n")),
                violation_error_message="The count is larger than its denominator.",
            ),
            CheckConstraint(
                name="figure_percent_range",
                condition=~Q(unit=FigureUnit.PERCENT)
                | Q(value__isnull=True)
                | Q(value__gte=0, value__lte=100),
                violation_error_message="A percentage is between 0 and 100.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.review}: {self.label}"


class ReviewInclusion(Keyed):
    """Whether a review includes a study: yes, no, or not known."""

    KEY = ("review__slug", "study__collection__slug", "study__slug")
    PART_OF = ("study",)

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="inclusions")
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="inclusions")
    status = models.CharField(max_length=7, choices=YesNo.choices, default=YesNo.UNKNOWN)

    objects = KeyedQuerySet.as_manager()
    history = ChangeHistory()

    class Meta:
        ordering = ["review", "study"]
        constraints = [
            UniqueConstraint(
                fields=["review", "study"],
                name="inclusion_once_per_review_and_study",
                violation_error_message="This study's inclusion in this review is already "
                "recorded.",
            ),
            one_of("status", YesNo),
        ]

    def __str__(self) -> str:
        return f"{self.review} includes {self.study}: {self.get_status_display().lower()}"

"""Collections of evidence, and the studies in them."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse

from .base import (
    DOI,
    NCT,
    PMCID,
    PMID,
    Keyed,
    KeyedQuerySet,
    in_format,
    one_of,
    range_constraint,
    slug_format,
)
from .choices import CollectionKind, Design, Extraction, State
from .constraints import CheckConstraint, UniqueConstraint
from .missing import READINGS, SIMULATED, missing_reason
from .reference import JAKInhibitor

# First words of addresses that are not collections.
RESERVED = {
    "admin",
    "api",
    "reviews",
    "inhibitors",
    "methods",
    "data-dictionary",
    "cite",
    "releases",
    "healthz",
    "readyz",
    "static",
}


class Collection(Keyed):
    """One body of evidence, published or simulated. Numbers never cross from one collection into
    another.
    """

    KEY = ("slug",)

    slug = models.SlugField(unique=True, validators=[slug_format])
    name = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=10, choices=CollectionKind.choices)
    description = models.TextField()
    caveat = models.CharField(
        max_length=250,
        blank=True,
        help_text="Said on every page, chart and file of a simulated collection.",
    )
    reconstructs = models.ForeignKey(
        "Review",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="reconstructions",
        help_text="The review whose printed figures these records are meant to reproduce.",
    )
    position = models.PositiveSmallIntegerField(default=0)

    objects = KeyedQuerySet.as_manager()

    class Meta:
        ordering = ["position", "name"]
        constraints = [
            one_of("kind", CollectionKind),
            CheckConstraint(
                name="collection_simulated_has_caveat",
                condition=~Q(kind=CollectionKind.SIMULATED) | ~Q(caveat=""),
                violation_error_message="A simulated collection needs the caveat that is shown "
                "with its records.",
            ),
            CheckConstraint(
                name="collection_slug_not_reserved",
                condition=~Q(slug__in=sorted(RESERVED)),
                violation_error_message="This word is the address of another page; choose another.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_simulated(self) -> bool:
        return self.kind == CollectionKind.SIMULATED

    def get_absolute_url(self) -> str:
        return reverse("cohort", args=[self.slug])


class StudyQuerySet(KeyedQuerySet):
    def within(self, collection):
        """Published studies of one collection."""
        return self.published().filter(collection=collection)

    def with_evidence(self, treatments, groups):
        """Studies with at least one of these treatments or one of these groups."""
        return self.filter(
            Exists(treatments.filter(patient__study=OuterRef("pk")))
            | Exists(groups.filter(study=OuterRef("pk")))
        )

    def sharing_patients(self):
        """Links between two of these studies that may report some of the same people, as rows with
        `from_study` and `to_study`. A link is said once and holds both ways.
        """
        study_keys = self.order_by().values("pk")
        return self.model.may_share_patients_with.through.objects.filter(
            from_study__in=study_keys, to_study__in=study_keys
        )

    def sharing_with(self, study):
        """Those of these studies that may report some of the same people as `study`, whichever of
        the two says so.
        """
        links = self.model.may_share_patients_with.through.objects
        linked_to = links.filter(from_study=study).values("to_study")
        return self.filter(
            Q(pk__in=linked_to) | Q(pk__in=links.filter(to_study=study).values("from_study"))
        )


class Study(Keyed):
    """A publication or a registered trial."""

    KEY = ("collection__slug", "slug")

    collection = models.ForeignKey(Collection, on_delete=models.PROTECT, related_name="studies")
    slug = models.SlugField(max_length=80, validators=[slug_format])
    short_name = models.CharField(
        max_length=120, help_text="How lists call it, such as Fujita 2019."
    )
    title = models.TextField(blank=True, help_text="Empty: the title has not been extracted.")
    authors = models.TextField(
        blank=True, help_text="Separated by semicolons; end with “et al.” if not all are known."
    )
    journal = models.CharField(max_length=200, blank=True)
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    volume = models.CharField(max_length=40, blank=True)
    pages = models.CharField(max_length=40, blank=True)
    doi = models.CharField("DOI", max_length=120, blank=True)
    pmid = models.CharField("PMID", max_length=9, blank=True)
    pmcid = models.CharField("PMCID", max_length=14, blank=True)
    nct = models.CharField("ClinicalTrials.gov number", max_length=11, blank=True)
    pii = models.CharField("publisher item identifier", max_length=40, blank=True)
    url = models.URLField(max_length=300, blank=True)
    country = models.CharField(max_length=80, blank=True)
    design = models.CharField(max_length=24, choices=Design.choices)
    extraction = models.CharField(
        max_length=12,
        choices=Extraction.choices,
        help_text="How much was read. Decides whether an empty value means “not reported” or "
        "“not extracted”.",
    )
    n_jaki = models.PositiveIntegerField("patients given a JAK inhibitor", null=True, blank=True)
    n_randomised = models.PositiveIntegerField("patients randomised", null=True, blank=True)
    planned_n = models.PositiveIntegerField("planned enrolment", null=True, blank=True)
    registered_inhibitor = models.ForeignKey(
        JAKInhibitor,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="registered_trials",
    )
    comparator = models.CharField(max_length=120, blank=True)
    registry_status = models.CharField(max_length=160, blank=True)
    results_posted = models.BooleanField(null=True, blank=True, help_text="Empty: not known.")
    may_share_patients_with = models.ManyToManyField(
        "self",
        blank=True,
        symmetrical=False,
        related_name="said_to_share_with",
        help_text="Studies that report, or may report, some of the same people. Said once, shown "
        "on both.",
    )
    notes = models.TextField(blank=True)
    state = models.CharField(
        "publication state", max_length=10, choices=State.choices, default=State.DRAFT
    )

    objects = StudyQuerySet.as_manager()

    class Meta:
        ordering = ["-year", "short_name"]
        verbose_name_plural = "studies"
        constraints = [
            UniqueConstraint(
                fields=["collection", "slug"],
                name="study_slug_once_per_collection",
                violation_error_message="This collection already has a study with this slug.",
            ),
            one_of("design", Design),
            one_of("extraction", Extraction),
            one_of("state", State),
            range_constraint(
                "year", 1900, 2100, "The year of publication is between 1900 and 2100."
            ),
            in_format("doi", DOI, "10.1155/2019/5293981"),
            in_format("pmid", PMID, "31360575"),
            in_format("pmcid", PMCID, "PMC6652034"),
            in_format("nct", NCT, "NCT03274076"),
        ]

    def __str__(self) -> str:
        return self.short_name

    def get_absolute_url(self) -> str:
        return reverse("study", args=[self.collection.slug, self.slug])

    @property
    def missing_reason(self):
        """What an empty value means for everything this study reports."""
        return missing_reason(self.extraction)

    @property
    def reading(self) -> str:
        """How much of the source was read, one of READINGS: a simulated study has no source."""
        return SIMULATED if self.collection.is_simulated else self.extraction

    @property
    def reading_label(self) -> str:
        """The same in words."""
        return READINGS[self.reading]

    @property
    def link(self) -> str:
        """The best address of the source itself, or an empty text."""
        if self.doi:
            return f"https://doi.org/{self.doi}"
        if self.nct and not self.url:
            return f"https://clinicaltrials.gov/study/{self.nct}"
        return self.url

    def clean(self):
        if self.extraction == Extraction.REGISTRY and not self.nct:
            raise ValidationError({"nct": "A trial registration has a ClinicalTrials.gov number."})

"""Collections of evidence, and the studies in them."""

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Lower
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
from .choices import CollectionKind, Design, Extraction, RetractionStatus, State
from .constraints import CheckConstraint, UniqueConstraint
from .history import ChangeHistory
from .identifiers import KINDS, IdentifierField, normalise_identifiers
from .missing import READINGS, SIMULATED, missing_reason
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
from .reference import JAKInhibitor
from .retraction import notice_link, retraction_constraints, retraction_status_field

SIMULATED_PREFIX = "SIM-"  # of the public id of every simulated patient, and of no other
LOOKED_FOR_NEEDED = (
    "A study read in full has the tick “every empty field was looked for” on each of its patients."
)

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


KIND_STAYS = (
    "The kind of a collection with studies never changes: simulated records stay labelled as such."
)
TWO_PEOPLE_STAYS = (
    "Readers have seen studies of this collection as one where two people publish; that stays."
)
ADDRESS_STAYS = "The address of a collection with studies never changes: people cite it."


def retraction_mark(status: str) -> str:
    """What has become of a publication, as it stands beside the study's name; empty where nothing
    is known.
    """
    return "" if status == RetractionStatus.NONE_KNOWN else RetractionStatus(status).label.lower()


def flagged_name(name: str, status: str) -> str:
    """A study's name with what has become of its publication: “Doe 2019 (retracted)”."""
    mark = retraction_mark(status)
    return f"{name} ({mark})" if mark else name


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
    needs_two_people = models.BooleanField(
        "publishing needs a second person",
        default=False,
        help_text="On: what readers see of a study changes only through a version that somebody "
        "has checked who wrote none of it. Once readers have seen a study it stays on.",
    )
    position = models.PositiveSmallIntegerField(default=0)

    objects = KeyedQuerySet.as_manager()
    history = ChangeHistory()

    class Meta:
        ordering = ["position", "name"]
        constraints = [
            one_of("kind", CollectionKind),
            CheckConstraint(
                name="collection_two_people_publish_what_was_read",
                condition=Q(needs_two_people=False) | Q(kind=CollectionKind.PUBLISHED),
                violation_error_message="Simulated records are drawn; there is no source that a "
                "second person could check them against.",
            ),
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

    def clean(self):
        """Raises ValidationError where records would become another kind, or addresses change."""
        stored = type(self).objects.filter(pk=self.pk).first() if self.pk else None
        if stored is None:
            return
        errors, has_studies = {}, stored.studies.exists()
        if self.kind != stored.kind and has_studies:
            errors["kind"] = KIND_STAYS
        if self.slug != stored.slug and (has_studies or stored.drafts.exists()):
            errors["slug"] = ADDRESS_STAYS
        if stored.needs_two_people and not self.needs_two_people and self.has_been_seen:
            errors["needs_two_people"] = TWO_PEOPLE_STAYS
        raise_errors(errors)

    @property
    def has_been_seen(self) -> bool:
        """Whether readers see, or saw, a study of it."""
        return self.studies.filter(state__in=ONCE_PUBLISHED).exists()

    @property
    def is_simulated(self) -> bool:
        return self.kind == CollectionKind.SIMULATED

    def get_absolute_url(self) -> str:
        return reverse("cohort", args=[self.slug])


class StudyQuerySet(KeyedQuerySet):
    def within(self, collection):
        """Published studies of one collection."""
        return self.published().filter(collection=collection)

    def withdrawn_within(self, collection):
        """Studies of one collection that readers saw before they were withdrawn."""
        return self.filter(collection=collection, state=State.WITHDRAWN)

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


class Study(PublicRecord):
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
    doi = IdentifierField("DOI", kind="doi", max_length=120, blank=True)
    pmid = IdentifierField("PMID", kind="pmid", max_length=9, blank=True)
    pmcid = IdentifierField("PMCID", kind="pmcid", max_length=14, blank=True)
    nct = IdentifierField("ClinicalTrials.gov number", kind="nct", max_length=11, blank=True)
    pii = models.CharField("publisher item identifier", max_length=40, blank=True)
    url = models.URLField(max_length=300, blank=True)
    country = models.CharField(max_length=80, blank=True)
    design = models.CharField(max_length=24, choices=Design.choices)
    extraction = models.CharField(
        max_length=12,
        choices=Extraction.choices,
        help_text="How much was read. Decides whether an empty value means “not reported” or "
        "“not extracted”. “Full text” needs the tick “every empty field was looked for” on each "
        "patient.",
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
    retraction_status = retraction_status_field()
    retraction_date = models.DateField(
        "date of the notice", null=True, blank=True, help_text="Empty: not known."
    )
    retraction_notice = models.CharField(
        "notice", max_length=300, blank=True, help_text="Its DOI, or its address."
    )
    retraction_reason = models.TextField(
        "reason of the notice", blank=True, help_text="As the notice, or Retraction Watch, says."
    )
    notes = models.TextField(blank=True)
    state = state_field()
    withdrawal_reason = withdrawal_reason_field()
    replaced_by = replaced_by_field()

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
            UniqueConstraint(
                "collection",
                Lower("doi"),
                condition=~Q(doi=""),
                name="study_doi_once_per_collection",
                violation_error_message="This collection already has a study with this DOI.",
            ),
            UniqueConstraint(
                fields=["collection", "pmid"],
                condition=~Q(pmid=""),
                name="study_pmid_once_per_collection",
                violation_error_message="This collection already has a study with this PMID.",
            ),
            UniqueConstraint(
                fields=["collection", "pmcid"],
                condition=~Q(pmcid=""),
                name="study_pmcid_once_per_collection",
                violation_error_message="This collection already has a study with this PMCID.",
            ),
            # A trial's registration and its publication have the same number.
            UniqueConstraint(
                fields=["collection", "nct"],
                condition=~Q(nct="") & Q(extraction=Extraction.REGISTRY),
                name="study_nct_once_per_registration",
                violation_error_message="This collection already has the registration with this "
                "ClinicalTrials.gov number.",
            ),
            UniqueConstraint(
                fields=["collection", "nct"],
                condition=~Q(nct="") & ~Q(extraction=Extraction.REGISTRY),
                name="study_nct_once_per_publication",
                violation_error_message="This collection already has a publication with this "
                "ClinicalTrials.gov number. If this is another one of the same trial, leave the "
                "number out here and choose that study under “may share patients with”.",
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
            in_format("nct", NCT, "NCT03274076", KINDS["nct"].name),
            *withdrawal_constraints(),
            *retraction_constraints(),
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
    def flagged_name(self) -> str:
        """The short name, with what has become of the publication where that is known."""
        return flagged_name(self.short_name, self.retraction_status)

    @property
    def retraction_mark(self) -> str:
        """What has become of the publication, in a word; empty where nothing is known."""
        return retraction_mark(self.retraction_status)

    @property
    def is_retracted(self) -> bool:
        return self.retraction_status == RetractionStatus.RETRACTED

    @property
    def has_notice(self) -> bool:
        """Whether the publication was corrected, doubted or retracted, as far as is known."""
        return self.retraction_status != RetractionStatus.NONE_KNOWN

    @property
    def notice_link(self) -> str:
        """The address of the notice, or an empty text."""
        return notice_link(self.retraction_notice)

    @property
    def link(self) -> str:
        """The best address of the source itself, or an empty text."""
        if self.doi:
            return f"https://doi.org/{self.doi}"
        if self.nct and not self.url:
            return f"https://clinicaltrials.gov/study/{self.nct}"
        return self.url

    @property
    def was_seen(self) -> bool:
        return self.state in ONCE_PUBLISHED

    @property
    def was_published(self) -> bool:
        return self.was_seen and not self.collection.is_simulated

    def patients_not_looked_through(self):
        """Patients of whom nobody has said that every empty field was looked for."""
        if self.pk:
            return self.patients.filter(looked_for=False)
        return Study.patients.rel.related_model.objects.none()  # a study to be has no manager

    def settle_extraction(self, *, read_in_full: bool = False) -> bool:
        """Makes `extraction` agree with what is said of the patients; returns whether it changed,
        in which case it is saved.

        Where a patient lacks the tick, “full text” becomes “full text, read in part”. The way back
        is taken only with `read_in_full`, by which the caller says that the rest of the study, its
        own fields and its groups, was read in full: ticks of patients say nothing of that.
        """
        if self.extraction == Extraction.FULL_TEXT and self.patients_not_looked_through().exists():
            self.extraction = Extraction.IN_PART
        elif (
            read_in_full
            and self.extraction == Extraction.IN_PART
            and not self.patients_not_looked_through().exists()
        ):
            self.extraction = Extraction.FULL_TEXT
        else:
            return False
        self.save(update_fields=["extraction"])
        return True

    def normalise_identifiers(self):
        """Writes pasted identifiers as their registries do."""
        for name, value in normalise_identifiers(
            {name: getattr(self, name) for name in KINDS}
        ).items():
            setattr(self, name, value)
        self.retraction_notice = KINDS["doi"].normalise(self.retraction_notice)

    def clean(self):
        self.normalise_identifiers()
        errors = self.publication_errors()
        if self.extraction == Extraction.REGISTRY and not self.nct:
            errors["nct"] = "A trial registration has a ClinicalTrials.gov number."
        if (
            self.extraction == Extraction.FULL_TEXT
            and (unread := self.patients_not_looked_through().first()) is not None
        ):
            errors["extraction"] = (
                f"{LOOKED_FOR_NEEDED} It is missing on {unread}; until then choose “Full text, "
                "read in part”."
            )
        if self.collection_id:
            errors |= self.collection_errors()
        raise_errors(errors)

    def collection_errors(self) -> dict[str, str]:
        """What does not agree with the collection, by field."""
        errors, stored = {}, self.stored()
        if stored and stored.was_published and stored.collection_id != self.collection_id:
            errors["collection"] = PLACE_STAYS
        if self.slug.upper().startswith(SIMULATED_PREFIX) and not self.collection.is_simulated:
            errors["slug"] = f"Only a simulated record's id begins with {SIMULATED_PREFIX}."
        if self.replaced_by and self.replaced_by.collection_id != self.collection_id:
            errors["replaced_by"] = "The study that replaces it is in another collection."
        return errors

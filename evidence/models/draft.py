"""A study in work as one document, and every version of it.

Evidence tables hold only what has been published; whoever enters, imports or corrects changes a
draft. So nothing half entered meets a reader, and a version is never lost.
"""

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F, ProtectedError, Q
from django.db.models.signals import post_delete, pre_delete
from django.dispatch import receiver

from .base import one_of, slug_format
from .constraints import CheckConstraint, UniqueConstraint
from .spellings import Spelled
from .study import Collection
from .version import DataVersion

FOUND_MESSAGE = "As found in the tables."


class Door(models.TextChoices):
    """By which way a version came about."""

    WORKBENCH = "workbench", "Draft"
    ADMIN = "admin", "Form of a record"
    IMPORT = "import", "Import"
    COMMAND = "command", "Command line"
    FIXTURES = "fixtures", "Files of the collection"
    FOUND = "found", "Found in the tables"


class StudyDraft(models.Model):
    """One study of one collection as a document: in work, or as it was last published.

    `head` is the version curators work on. `published` is the version the evidence tables hold,
    empty while nothing of the study has been published.
    """

    collection = models.ForeignKey(Collection, on_delete=models.PROTECT, related_name="drafts")
    slug = models.SlugField("study", max_length=80, validators=[slug_format])
    head = models.ForeignKey(
        "StudyVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    published = models.ForeignKey(
        "StudyVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["collection", "slug"]
        verbose_name = "study in work"
        verbose_name_plural = "studies in work"
        permissions = [
            ("publish_study", "Can publish a study"),
            ("check_study", "Can check a study"),
        ]
        constraints = [
            UniqueConstraint(
                fields=["collection", "slug"],
                name="draft_once_per_study",
                violation_error_message="This study is in work already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.collection.slug} / {self.slug}"

    @property
    def is_open(self) -> bool:
        """Whether there is work that has not been published."""
        return self.head_id != self.published_id

    @property
    def is_behind(self) -> bool:
        """Whether somebody else has changed the published study since the work began."""
        return self.is_open and (self.head.base_id if self.head else None) != self.published_id


class StudyVersion(models.Model):
    """What a study's document said at one time: who wrote it, when, why. Never changed or deleted.

    `content` is the list of records (`curation/documents.py`), `digest` its SHA-256. `parent` is
    the version this one follows, to which undoing goes back. `is_published` says whether the
    evidence tables held it; one that they did not has taken the published version `base` into
    account, and no later one. `is_public` says whether readers could see it: the tables also hold
    studies that are drafts or withdrawn.
    """

    draft = models.ForeignKey(StudyDraft, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    base = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    content = models.JSONField()
    digest = models.CharField(max_length=64)
    door = models.CharField(max_length=12, choices=Door.choices)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    author_name = models.CharField(max_length=150, blank=True)
    at = models.DateTimeField()
    message = models.TextField(blank=True)
    changed = models.PositiveIntegerField(
        "cells changed", help_text="In how many cells it differs from the version it follows."
    )
    is_published = models.BooleanField(default=False)
    is_public = models.BooleanField(default=False)
    signature = models.OneToOneField(
        "Signature",
        null=True,
        on_delete=models.PROTECT,
        related_name="published_version",
        help_text="Of a published version: by which a second person had checked it.",
    )

    class Meta:
        ordering = ["draft", "-number"]
        constraints = [
            CheckConstraint(
                name="version_signature_is_published",
                condition=Q(signature__isnull=True) | Q(is_published=True),
                violation_error_message="A signature stands with the version that was published "
                "under it.",
            ),
            UniqueConstraint(
                fields=["draft", "number"],
                name="version_number_once_per_draft",
                violation_error_message="This study already has a version with this number.",
            ),
            one_of("door", Door),
            CheckConstraint(
                name="version_number_from_one",
                condition=Q(number__gte=1),
                violation_error_message="Versions are numbered from 1.",
            ),
            CheckConstraint(
                name="version_parent_is_earlier",
                condition=Q(parent__isnull=True) | ~Q(parent=F("pk")),
                violation_error_message="A version does not follow itself.",
            ),
            CheckConstraint(
                name="version_public_is_published",
                condition=Q(is_public=False) | Q(is_published=True),
                violation_error_message="Readers see only what the tables hold.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.draft}, version {self.number}"

    def save(self, *args, **kwargs):
        """Raises ValidationError for a version that has been kept."""
        if not self._state.adding:
            raise ValidationError("A version is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args, **kwargs):
        raise ValidationError("A version is never deleted.")


def studies_that_name(term: Spelled) -> list[StudyDraft]:
    """Studies of which a version names a term. Versions are never changed, so the term stays."""
    fields = {
        (model._meta.label_lower, field.name)
        for model in apps.get_models()
        for field in (*model._meta.concrete_fields, *model._meta.many_to_many)
        if field.related_model is type(term)
    }
    key = list(term.natural_key())

    def names(record: dict) -> bool:
        return any(
            model == record["model"]
            and name in record["fields"]
            and key in (record["fields"][name], *as_list(record["fields"][name]))
            for model, name in fields
        )

    drafts = {
        version.draft_id
        for version in StudyVersion.objects.only("content", "draft").iterator(chunk_size=20)
        if any(map(names, version.content))
    }
    return list(StudyDraft.objects.filter(pk__in=drafts).select_related("collection"))


def as_list(value) -> list:
    return value if isinstance(value, list) else []


@receiver(pre_delete)
def terms_in_versions_stay(sender, instance, **kwargs):
    """A term that a study in work, or an earlier version, names cannot be deleted: neither could be
    published any more.
    """
    if isinstance(instance, Spelled) and (drafts := studies_that_name(instance)):
        message = f"{instance} is named in versions of {len(drafts)} studies in work."
        raise ProtectedError(message, set(drafts))


class Curator(models.Model):
    """What a curator has agreed to be called in public."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="curator"
    )
    public_name = models.CharField(
        max_length=120,
        blank=True,
        help_text="Shown to readers with the studies this person worked on. Empty: not named.",
    )

    class Meta:
        ordering = ["user"]

    def __str__(self) -> str:
        return self.public_name or f"{self.user} (not named in public)"

    def save(self, *args, **kwargs):
        """Readers see the name, so it makes a new version of the data."""
        with transaction.atomic():
            super().save(*args, **kwargs)
            DataVersion.bump()


@receiver(post_delete, sender=Curator)
def name_taken_away(sender, instance, **kwargs):
    """Readers no longer see the name."""
    DataVersion.bump()

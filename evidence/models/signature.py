"""Who checked which version of a study, and what may be published because of it."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Max, Q

from .base import one_of
from .constraints import CheckConstraint
from .draft import StudyDraft, StudyVersion


class Meaning(models.TextChoices):
    """What a signature says of a version."""

    SUBMITTED = "submitted", "Sent to be checked"
    SENT_BACK = "sent_back", "Sent back"
    CHECKED = "checked", "Checked"


class Signature(models.Model):
    """What one person said of one version of a study: that it can be checked, that something is
    wrong with it, or that it was checked. Never changed or deleted.

    It holds for the newest version alone, whose digest it names: a changed study has no signature.
    `checked` is refused to an author of any version since the last one that was published as
    checked. The database holds all of it (`guards.py`).
    """

    version = models.ForeignKey(StudyVersion, on_delete=models.PROTECT, related_name="signatures")
    digest = models.CharField(max_length=64)
    meaning = models.CharField(max_length=10, choices=Meaning.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    user_name = models.CharField(max_length=150)
    at = models.DateTimeField()
    remark = models.TextField(blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            one_of("meaning", Meaning),
            CheckConstraint(
                name="signature_sent_back_says_why",
                condition=~Q(meaning=Meaning.SENT_BACK) | ~Q(remark=""),
                violation_error_message="Say what has to be mended.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.get_meaning_display().lower()} by {self.user_name}"

    def save(self, *args, **kwargs):
        """Raises ValidationError for a signature that has been given."""
        if not self._state.adding:
            raise ValidationError("A signature is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args, **kwargs):
        raise ValidationError("A signature is never deleted.")


def newest_signature(version: StudyVersion | None) -> Signature | None:
    """The last word on a version; None where nobody has said anything of it."""
    if version is None:
        return None
    return Signature.objects.filter(version=version).select_related("user").first()


def versions_to_check(draft: StudyDraft) -> models.QuerySet[StudyVersion]:
    """The versions of a study since the last one that was published as checked, and earlier ones
    that say the same as one of those.
    """
    versions = StudyVersion.objects.filter(draft=draft)
    checked = versions.filter(signature__isnull=False).aggregate(last=Max("number"))["last"] or 0
    return versions.filter(digest__in=versions.filter(number__gt=checked).values("digest"))


def is_author(user, draft: StudyDraft) -> bool:
    """Whether somebody wrote one of `versions_to_check`."""
    return versions_to_check(draft).filter(author=user).exists()


class Origin(models.TextChoices):
    """Why the tables may be written."""

    SIGNED = "signed", "A version that a second person has checked"
    FILES = "files", "Files of the collection"
    PREVIEW = "preview", "To be looked at and taken back"


class OpenPublication(models.Model):
    """That what readers see of a study may be written, until the end of the transaction.

    Where a collection needs two people, the tables of its studies take no change without such a row
    (`guards.py`). It needs a checked version to be there, and a published version that names the
    signature to be removed; `dangling` refers to a row that cannot exist, so that nothing commits
    while it stands. One for a preview cannot be removed: its transaction can only be rolled back.
    """

    draft = models.OneToOneField(StudyDraft, on_delete=models.PROTECT, related_name="+")
    origin = models.CharField(max_length=8, choices=Origin.choices)
    signature = models.ForeignKey(
        Signature, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    dangling = models.ForeignKey("self", default=0, on_delete=models.DO_NOTHING, related_name="+")

    class Meta:
        constraints = [
            one_of("origin", Origin),
            CheckConstraint(
                name="openpublication_does_not_last",
                condition=Q(pk__gte=1) & Q(dangling=0),
                violation_error_message="It ends with the transaction that it is made in.",
            ),
            CheckConstraint(
                name="openpublication_signed_names_signature",
                condition=Q(origin=Origin.SIGNED, signature__isnull=False)
                | (~Q(origin=Origin.SIGNED) & Q(signature__isnull=True)),
                violation_error_message="A signature is named where one is used.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.draft}: {self.get_origin_display().lower()}"

"""Releases: states of the evidence that stay as they were, to be cited and fetched again."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Length
from django.utils import timezone

from .base import one_of
from .choices import CollectionKind
from .constraints import CheckConstraint, UniqueConstraint

PART = 1 << 20  # bytes of an archive in one row; a row at a time is in memory


class Release(models.Model):
    """One state of the evidence with a number. Made by `manage.py release`, never changed
    afterwards.

    `content_hash` is the SHA-256 of what the tidy tables of all its collections hold: the same
    evidence has the same hash in every database. `identifier` names the release wherever it is: of
    one that comes with Casebook it stands in `fixtures/releases.json`, with its number and date.
    `notes` says in words what changed. Of a release whose archives are not kept any more
    `pruned_at` says since when, and `pruned_because` why; all else about it stays.
    """

    number = models.PositiveIntegerField(unique=True)
    identifier = models.CharField(max_length=100, blank=True)
    released_at = models.DateTimeField(default=timezone.now)
    data_version = models.PositiveBigIntegerField()
    content_hash = models.CharField(max_length=64)
    notes = models.TextField(blank=True)
    pruned_at = models.DateTimeField(null=True, blank=True)
    pruned_because = models.TextField(blank=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            CheckConstraint(
                name="release_pruned_has_reason",
                condition=Q(pruned_at__isnull=True) | ~Q(pruned_because=""),
                violation_error_message="Readers are told why an archive is not kept any more.",
            ),
            UniqueConstraint(
                fields=["identifier"],
                condition=~Q(identifier=""),
                name="release_identifier_once",
                violation_error_message="This identifier is that of another release.",
            ),
            CheckConstraint(
                name="release_number_from_one",
                condition=Q(number__gte=1),
                violation_error_message="Releases are numbered from 1.",
            ),
        ]

    def __str__(self) -> str:
        return f"release {self.number}"

    @property
    def is_pruned(self) -> bool:
        return self.pruned_at is not None


class ReleasedCollection(models.Model):
    """One collection of a release: the ZIP of its tables, how many rows each has, and what changed
    in it.

    It keeps the collection's own words, so that it can be read when the collection is gone.
    `version` is the data version in which the collection had last changed; `rows` is [[table,
    rows], ...]; `changes` is [[table, {"added": n, "changed": n, "removed": n}], ...] against the
    release before, empty in the first. They are lists, because a database may keep the names of an
    object in another order.
    """

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="collections")
    slug = models.SlugField()
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=CollectionKind.choices)
    caveat = models.CharField(max_length=250, blank=True)
    version = models.PositiveBigIntegerField()
    content_hash = models.CharField(max_length=64)
    rows = models.JSONField(default=list)
    changes = models.JSONField(default=list)
    size = models.PositiveBigIntegerField("size (bytes)")
    sha256 = models.CharField("SHA-256 of the ZIP", max_length=64)

    class Meta:
        ordering = ["pk"]
        constraints = [
            UniqueConstraint(
                fields=["release", "slug"],
                name="released_collection_once",
                violation_error_message="This collection is in the release already.",
            ),
            one_of("kind", CollectionKind),
            CheckConstraint(
                name="released_simulated_has_caveat",
                condition=~Q(kind=CollectionKind.SIMULATED) | ~Q(caveat=""),
                violation_error_message="A simulated collection needs the caveat that is shown "
                "with its records.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slug}, {self.release}"

    @property
    def is_simulated(self) -> bool:
        return self.kind == CollectionKind.SIMULATED

    @property
    def changes_text(self) -> list[str]:
        """What changed, a line for each table."""
        return [
            f"{table.replace('-', ' ')}: "
            + ", ".join(f"{count:,} {change}" for change, count in counts.items() if count)
            for table, counts in self.changes
        ]

    def pieces(self, first: int = 0, last: int | None = None):
        """The ZIP as it was made, one part at a time: all of it, or its bytes `first` to `last`,
        both included.
        """
        last = self.size - 1 if last is None else last
        start = 0
        for key, length in list(self.parts.values_list("pk", Length("content"))):
            if start <= last and start + length > first:
                (content,) = self.parts.filter(pk=key).values_list("content", flat=True)
                yield bytes(content)[max(first - start, 0) : last - start + 1]
            start += length


class ArchivePart(models.Model):
    """A megabyte of an archive. In the database, so that it is written with its release or not at
    all, and every server and every backup has it.
    """

    archive = models.ForeignKey(ReleasedCollection, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        ordering = ["number"]
        constraints = [
            UniqueConstraint(
                fields=["archive", "number"],
                name="archive_part_once",
                violation_error_message="This part is in the archive already.",
            )
        ]

    def __str__(self) -> str:
        return f"part {self.number} of {self.archive}"


class ReleasedRecords(models.Model):
    """The rows of the evidence tables that a release was made of, so that it can be asked questions
    when the data have moved on (`past_state.py`). Nobody fetches them; readers fetch archives.

    `size` and `sha256` are of the rows as text.
    """

    release = models.OneToOneField(Release, on_delete=models.CASCADE, related_name="records")
    size = models.PositiveBigIntegerField("size (bytes)")
    sha256 = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"records of {self.release}"

    def pieces(self):
        """The rows as they are kept, one part at a time."""
        for content in self.parts.values_list("content", flat=True).iterator(chunk_size=1):
            yield bytes(content)


class RecordsPart(models.Model):
    """A megabyte of a release's records."""

    records = models.ForeignKey(ReleasedRecords, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        ordering = ["number"]
        constraints = [
            UniqueConstraint(
                fields=["records", "number"],
                name="records_part_once",
                violation_error_message="This part is among the records already.",
            )
        ]

    def __str__(self) -> str:
        return f"part {self.number} of {self.records}"

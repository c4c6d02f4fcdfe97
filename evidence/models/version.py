"""The version of the data, and what the fixtures last loaded."""

import json
import secrets
import uuid
from datetime import UTC

from django.db import DEFAULT_DB_ALIAS, connections, models, transaction
from django.utils import timezone

from .base import Keyed
from .constraints import CheckConstraint, UniqueConstraint

CURRENT = (
    "SELECT number, changed_at, identity, collections, release, token, tokens FROM "
    "evidence_dataversion WHERE id = 1"
)
ALL = "*"  # the entry of changes that may concern every collection, such as a renamed term
# tokens of past versions that are remembered: more than are made while one snapshot is built
REMEMBERED = 200


def new_token() -> str:
    """A random name for one version of the data, which no other version ever had or will have."""
    return secrets.token_hex(16)


class DataVersion(models.Model):
    """One row, renewed in the same transaction as any change to the evidence. Freshness hangs on
    it.

    `number` rises with every change and is for people. A database that is put back from a backup
    counts the same numbers once more, for other data; so whatever is kept is kept by `token`, which
    is random and new with every change. `collections` and `tokens` say for each collection (by
    primary key, as text) the number and the token of the version in which it last changed, so that
    an edit in one collection leaves the answers of the others as they are. `history` holds the
    latest tokens, oldest first: what is not among them is of no state that led to this one.
    `identity` tells one database from another. `release` is the number of the latest release, 0
    before the first.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.PositiveBigIntegerField(default=0)
    changed_at = models.DateTimeField(default=timezone.now)
    identity = models.UUIDField(default=uuid.uuid4, editable=False)
    collections = models.JSONField(default=dict, editable=False)
    release = models.PositiveIntegerField(default=0, editable=False)
    token = models.CharField(max_length=32, default=new_token, editable=False)
    tokens = models.JSONField(default=dict, editable=False)
    history = models.JSONField(default=list, editable=False)

    class Meta:
        constraints = [CheckConstraint(name="dataversion_one_row", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return f"data version {self.number}"

    @classmethod
    def current(cls, using: str = DEFAULT_DB_ALIAS) -> "DataVersion":
        """The version now, without its history. A database that holds nothing yet has version 0 and
        no token. `using` names the database.

        Asked before every answer, so in plain SQL: to compile a query costs ten times what this one
        takes.
        """
        with connections[using].cursor() as cursor:
            cursor.execute(CURRENT)
            row = cursor.fetchone()
        if row is None:
            return cls(number=0, identity=uuid.UUID(int=0), token="")  # nosec B106: it has none
        number, changed_at, identity, collections, release, token, tokens = row
        # SQLite keeps times without their zone, in UTC.
        return cls(
            1,
            number,
            changed_at.replace(tzinfo=changed_at.tzinfo or UTC),
            uuid.UUID(str(identity)),
            json.loads(collections),
            release,
            token,
            json.loads(tokens),
        )

    @classmethod
    def past_tokens(cls) -> list[str]:
        """The tokens of the latest versions, oldest first, the one being read included."""
        return cls.objects.filter(pk=1).values_list("history", flat=True).first() or []

    def version_of(self, collection) -> int:
        """The number of the version in which this collection last changed."""
        return max(self.collections.get(ALL, 0), self.collections.get(str(collection.pk), 0))

    def token_of(self, collection) -> str:
        """The token of the version in which this collection last changed."""
        return self.tokens.get(str(collection.pk)) or self.shared_token

    @property
    def shared_token(self) -> str:
        """The token of the version in which what all collections share last changed."""
        return self.tokens.get(ALL, "")

    @classmethod
    def bump(cls, collection: int | None = None) -> None:
        """Makes a new version, for one collection (its primary key) or for all. Call it in the
        transaction that writes.

        The row is locked until that transaction ends, so no two changes share a number.
        """
        with transaction.atomic():
            version = cls.objects.select_for_update().filter(pk=1).first() or cls()
            version.number += 1
            version.token = new_token()
            version.changed_at = timezone.now()
            if collection is None:
                version.collections, version.tokens = {ALL: version.number}, {ALL: version.token}
            else:
                version.collections[str(collection)] = version.number
                version.tokens[str(collection)] = version.token
                version.tokens.setdefault(ALL, version.token)
            version.history = [*version.history, version.token][-REMEMBERED:]
            version.save()

    @classmethod
    def renewal(cls, number: int, token: str) -> str:
        """SQL that makes a database which was put back a state of its own, for SQLite and
        PostgreSQL: nothing kept of any other state is taken for it, by whatever number.

        Its identity stays, since feeds name their entries by it.
        """
        return (
            f"UPDATE {cls._meta.db_table} SET number = {number:d}, token = '{token}', "  # noqa: S608
            f"collections = '{json.dumps({ALL: number})}', tokens = '{json.dumps({ALL: token})}', "
            f"history = '{json.dumps([token])}', changed_at = CURRENT_TIMESTAMP WHERE id = 1"
        )

    def released(self, number: int) -> None:
        """Notes the latest release. The data stay as they are, but every answer names the
        release.
        """
        self.release, self.token = number, new_token()
        self.save(update_fields=["release", "token"])


class LoadedRecord(models.Model):
    """What `load_evidence` last wrote for one fixture record; tells a curator's edit from a changed
    fixture.

    `fields` has a fingerprint of each field the fixture named then, and of no other: a column that
    a later version adds is none of them. `digest` is of fixtures and database together, in the one
    entry for the load as a whole.
    """

    model = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    digest = models.CharField(max_length=64, blank=True)
    fields = models.JSONField(default=dict)

    class Meta:
        ordering = ["model", "key"]
        constraints = [UniqueConstraint(fields=["model", "key"], name="loaded_once")]

    def __str__(self) -> str:
        return f"{self.model} {self.key}"


OWNERS = (
    "collection",
    "study",
    "patient",
    "treatment",
    "group",
    "outcome",
    "adverse_event",
    "finding",
)


def collection_of(record) -> int | None:
    """The primary key of the one collection a record belongs to; None where it may concern all of
    them.
    """
    if record is None or record._meta.label_lower == "evidence.collection":
        return None  # a collection's own name stands in the navigation of every page
    for owner in OWNERS:
        if getattr(record, f"{owner}_id", None) is not None:
            return (
                record.collection_id
                if owner == "collection"
                else collection_of(getattr(record, owner))
            )
    return None


def bump_before_write(sender, instance, raw=False, **kwargs):
    """Signal receiver: a record that moves to another collection changes the one it leaves as
    well.
    """
    if raw or not issubclass(sender, Keyed) or instance.pk is None:
        return
    stored = sender._default_manager.filter(pk=instance.pk).first()
    if stored is not None and collection_of(stored) != collection_of(instance):
        DataVersion.bump(collection_of(stored))


def bump_on_write(sender, instance=None, **kwargs):
    """Signal receiver: any written record of the evidence makes a new data version."""
    if issubclass(sender, Keyed) or getattr(sender._meta, "auto_created", False):
        DataVersion.bump(collection_of(instance))

"""A record's digest was of all its columns, so that a migration that added one made each shipped
record look edited, and its corrections were refused for good. From now on a fingerprint is kept of
each field the fixture names.

What the fixtures named in earlier versions is not known here. But the old digest can be made again
from what the database holds, over the columns there were in each version. Where one of them comes
out, nobody has edited these columns since they were loaded, and their fingerprints are written down.
Where none does, a curator has edited the record, and it stays as it is.
"""

import hashlib
import json

from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader

EARLIER = ["0001_initial", "0002_versions_by_collection", "0003_what_is_compared", "0004_releases"]
KEYS = {
    "adverseevent": ("treatment__patient__slug", "treatment__number", "number"),
    "adverseeventcategory": ("code",),
    "autoantibody": ("code",),
    "collection": ("slug",),
    "flowstep": ("review__slug", "collection__slug", "stage", "reason"),
    "groupfinding": ("group__study__collection__slug", "group__study__slug", "group__slug", "number"),
    "indication": ("code",),
    "jakinhibitor": ("slug",),
    "manifestation": ("code",),
    "outcome": ("treatment__patient__slug", "treatment__number", "number"),
    "patient": ("slug",),
    "patientautoantibody": ("patient__slug", "autoantibody__code"),
    "patientmanifestation": ("patient__slug", "manifestation__code"),
    "printedfigure": ("review__slug", "code"),
    "provenance": ("study__collection__slug", "study__slug", "number"),
    "review": ("slug",),
    "reviewinclusion": ("review__slug", "study__collection__slug", "study__slug"),
    "study": ("collection__slug", "slug"),
    "studygroup": ("study__collection__slug", "study__slug", "slug"),
    "therapy": ("code",),
    "treatment": ("patient__slug", "number"),
}


def fields_then() -> list[dict[str, set[str]]]:
    """For each earlier state of the database the fields of each model, the latest state first."""
    loader = MigrationLoader(None)
    states = [loader.project_state(("evidence", name)) for name in reversed(EARLIER)]
    return [
        {name: set(model.fields) for (app, name), model in state.models.items() if app == "evidence"}
        for state in states
    ]


def record_of(model, key: str):
    """The record a fixture's record was loaded as, if it is still there."""
    words = dict(zip(KEYS[model._meta.model_name], json.loads(key), strict=True))
    return model.objects.filter(**words).first()


def lists_of(record) -> dict[str, list[int]]:
    """The to-many fields that hold nothing but a list of other records."""
    return {
        column.name: sorted(getattr(record, column.name).values_list("pk", flat=True))
        for column in record._meta.many_to_many
        if column.remote_field.through._meta.auto_created
    }


def old_digest(record, lists: dict[str, list[int]], fields: set[str]) -> str:
    """The digest as versions 0.1.0 to 0.4.0 made it, of the columns they had."""

    def plain(value):
        if value is None or isinstance(value, str | int):
            return value
        return format(value.normalize(), "f") if hasattr(value, "normalize") else str(value)

    entered = {
        column.attname: plain(getattr(record, column.attname))
        for column in record._meta.concrete_fields
        if column.editable and not column.primary_key and column.name in fields
    }
    chosen = {name: keys for name, keys in lists.items() if keys}
    return hashlib.sha256(json.dumps([entered, chosen], sort_keys=True).encode()).hexdigest()


def fingerprints(record, lists: dict[str, list[int]], fields: set[str]) -> dict[str, str]:
    """A fingerprint of each of these fields, as `evidence.loading` makes them."""

    def plain(value):
        if hasattr(value, "normalize"):
            return format(value.normalize(), "f")
        return None if value is None else str(value)

    values = {
        column.name: plain(getattr(record, column.attname))
        for column in record._meta.concrete_fields
        if column.editable and not column.primary_key and column.name in fields
    }
    values |= {name: keys for name, keys in lists.items() if name in fields}
    return {
        name: hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
        for name, value in sorted(values.items())
    }


def recognise(apps, schema_editor):
    """Fingerprints for what nobody has edited; and the next load compares everything."""
    loaded = apps.get_model("evidence", "LoadedRecord").objects
    loaded.filter(model="*").delete()
    if not loaded.exists():
        return
    versions = fields_then()
    for entry in loaded.all():
        model = apps.get_model(entry.model)
        record = record_of(model, entry.key)
        if record is None:
            continue
        lists = lists_of(record)
        for fields in (version[model._meta.model_name] for version in versions if model._meta.model_name in version):
            if old_digest(record, lists, fields) == entry.digest:
                entry.fields, entry.digest = fingerprints(record, lists, fields), ""
                entry.save()
                break


class Migration(migrations.Migration):

    dependencies = [
        ('evidence', '0004_releases'),
    ]

    operations = [
        migrations.AddField(
            model_name='loadedrecord',
            name='fields',
            field=models.JSONField(default=dict),
        ),
        migrations.AlterField(
            model_name='loadedrecord',
            name='digest',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.RunPython(recognise, migrations.RunPython.noop, elidable=True),
    ]

"""Stored records as documents and fixtures write them: by natural keys, without defaults."""

from decimal import Decimal

from django.db import models

from .base import Keyed


def with_references(model: type[Keyed]) -> models.QuerySet:
    """Records with all that their natural keys and references are made of."""
    paths = {path.rpartition("__")[0] for path in model.KEY} - {""}
    for field in model._meta.concrete_fields:
        if isinstance(field, models.ForeignKey):
            paths |= {
                "__".join(filter(None, (field.name, path.rpartition("__")[0])))
                for path in field.related_model.KEY
            }
    lists = [field.name for field in listed_fields(model)]
    return model._default_manager.select_related(*sorted(paths)).prefetch_related(*lists)


def listed_fields(model: type[Keyed]) -> list[models.ManyToManyField]:
    """Lists of a model that have no records of their own."""
    return [
        field for field in model._meta.many_to_many if field.remote_field.through._meta.auto_created
    ]


def record_of(instance: Keyed) -> dict:
    """One stored record as a document or a fixture writes it."""
    fields = {}
    for field in instance._meta.concrete_fields:
        if field.primary_key or not field.editable:
            continue
        if isinstance(field, models.ForeignKey):
            if getattr(instance, field.attname) is not None:
                fields[field.name] = list(getattr(instance, field.name).natural_key())
        else:
            value = written_value(field.value_from_object(instance))
            default = written_value(field.get_default())
            if field.name in instance.KEY or (value != default and value not in (None, "")):
                fields[field.name] = value
    for field in listed_fields(type(instance)):
        keys = [list(item.natural_key()) for item in getattr(instance, field.name).all()]
        if keys:
            fields[field.name] = sorted(keys)
    return {"model": instance._meta.label_lower, "fields": fields}


def written_value(value):
    """A value as JSON has it: decimals as text, without zeros at the end."""
    if isinstance(value, Decimal):
        text = format(value, "f")
        return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
    return value if value is None or isinstance(value, bool | int | str) else str(value)

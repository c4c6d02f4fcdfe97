"""What several models share: formats, natural keys, the published/draft verbs."""

from typing import Self

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from .choices import ListCompleteness, State
from .constraints import CheckConstraint

SLUG = r"^[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*$"
slug_format = RegexValidator(SLUG, "Use letters, digits and single hyphens, such as fujita-2019-1.")

DOI = r"^10\.\d{4,9}/\S+$"
PMID = r"^[1-9]\d{0,8}$"
PMCID = r"^PMC[1-9]\d{0,9}$"
NCT = r"^NCT\d{8}$"
ATC = r"^[A-Z]\d{2}[A-Z]{2}\d{2}$"


def format_message(name: str, example: str) -> str:
    """Why a text is no identifier, and what one looks like."""
    return f"This is not a {name}. Write it like {example}, or leave it empty."


def in_format(field: str, pattern: str, example: str, name: str = "") -> CheckConstraint:
    """An identifier is empty (not known) or in its registry's format. `name` is what people call
    it, by default the field in capitals.
    """
    return CheckConstraint(
        name=f"%(class)s_{field}_format",
        condition=Q(**{field: ""}) | Q(**{f"{field}__regex": pattern}),
        violation_error_message=format_message(name or field.upper(), example),
    )


def range_constraint(field: str, low: float, high: float, message: str) -> CheckConstraint:
    """A number is empty (not known) or between `low` and `high`, both included."""
    return CheckConstraint(
        name=f"%(class)s_{field}_range",
        condition=Q(**{f"{field}__isnull": True})
        | Q(**{f"{field}__gte": low, f"{field}__lte": high}),
        violation_error_message=message,
    )


def one_of(field: str, choices, *, blank: bool = False) -> CheckConstraint:
    """A coded field holds one of its codes, or nothing where that is allowed; the database refuses
    any other.
    """
    return CheckConstraint(
        name=f"%(class)s_{field}_coded",
        condition=Q(**{f"{field}__in": [*([""] if blank else []), *choices.values]}),
        violation_error_message=f"Choose one of the listed values for {field.replace('_', ' ')}.",
    )


# Of the field that says how whole a list is, after the name of the list.
COMPLETENESS = "_completeness"


def completeness_field(of: str, **options) -> models.CharField:
    """The field that says whether a list of terms is whole; its constraint is `one_of(...,
    ListCompleteness)`.
    """
    return models.CharField(
        f"how much of the list of {of} the source gives",
        max_length=10,
        choices=ListCompleteness.choices,
        default=ListCompleteness.NOT_STATED,
        help_text=options.pop("help_text", "Whether there may be more than is listed."),
        **options,
    )


def field_at(model: type[models.Model], path: str) -> models.Field:
    """The field a path such as `patient__study__slug` leads to."""
    field = None
    for step in path.split("__"):
        field = (field.related_model if field else model)._meta.get_field(step)
    return field


class KeyedQuerySet(models.QuerySet):
    """Records looked up by natural keys, which people can read, and not by primary keys."""

    def get_by_natural_key(self, *key):
        return self.get(**dict(zip(self.model.KEY, key, strict=True)))

    def published(self):
        """Records readers may see; see `published_at`."""
        return self.filter(published_at(self.model))


def published_at(model: type["Keyed"], path: str = "") -> Q:
    """The one rule of publication, as a condition on a record of `model` at `path`.

    Readers may see a record whose own publication state, if it has one, and those of all records
    it is part of are `published`.
    """
    condition = Q()
    if any(field.name == "state" for field in model._meta.concrete_fields):
        condition &= Q(**{f"{path}state": State.PUBLISHED})
    for owner in model.PART_OF:
        field = model._meta.get_field(owner)
        owner_published = published_at(field.related_model, f"{path}{owner}__")
        condition &= (
            owner_published | Q(**{f"{path}{owner}__isnull": True})
            if field.null
            else owner_published
        )
    return condition


class Keyed(models.Model):
    """A record with a natural key: `KEY` names its parts, as lookups.

    `PART_OF` names the fields that lead to the records it is part of, as a treatment is part of a
    patient: readers see it with them and not without.
    """

    KEY: tuple[str, ...] = ()
    PART_OF: tuple[str, ...] = ()

    class Meta:
        abstract = True

    def stored(self) -> Self | None:
        """The record as the database holds it; None before it is first saved."""
        return type(self)._default_manager.filter(pk=self.pk).first() if self.pk else None

    def natural_key(self) -> tuple:
        key = []
        for path in self.KEY:
            value = self
            for step in path.split("__"):
                value = getattr(value, step)
            key.append(value)
        return tuple(key)

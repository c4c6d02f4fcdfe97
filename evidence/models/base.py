"""What several models share: formats, natural keys, the published/draft verbs."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from .choices import ListCompleteness

SLUG = r"^[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*$"
slug_format = RegexValidator(SLUG, "Use letters, digits and single hyphens, such as fujita-2019-1.")

DOI = r"^10\.\d{4,9}/\S+$"
PMID = r"^[1-9]\d{0,8}$"
PMCID = r"^PMC[1-9]\d{0,9}$"
NCT = r"^NCT\d{8}$"
ATC = r"^[A-Z]\d{2}[A-Z]{2}\d{2}$"


def in_format(field: str, pattern: str, example: str) -> models.CheckConstraint:
    """An identifier is empty (not known) or in its registry's format."""
    return models.CheckConstraint(
        name=f"%(class)s_{field}_format",
        condition=Q(**{field: ""}) | Q(**{f"{field}__regex": pattern}),
        violation_error_message=f"This is not a {field.upper()}. Write it like {example}, or leave it empty.",
    )


def within(field: str, low: float, high: float, message: str) -> models.CheckConstraint:
    """A number is empty (not known) or between `low` and `high`, both included."""
    return models.CheckConstraint(
        name=f"%(class)s_{field}_range",
        condition=Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__gte": low, f"{field}__lte": high}),
        violation_error_message=message,
    )


def one_of(field: str, choices, *, blank: bool = False) -> models.CheckConstraint:
    """A coded field holds one of its codes, or nothing where that is allowed; the database refuses any other."""
    return models.CheckConstraint(
        name=f"%(class)s_{field}_coded",
        condition=Q(**{f"{field}__in": [*([""] if blank else []), *choices.values]}),
        violation_error_message=f"Choose one of the listed values for {field.replace('_', ' ')}.",
    )


def completeness(of: str, **more) -> models.CharField:
    """The field that says whether a list of terms is whole; its constraint is `one_of(..., ListCompleteness)`."""
    return models.CharField(
        f"list of {of}",
        max_length=10,
        choices=ListCompleteness.choices,
        default=ListCompleteness.NOT_STATED,
        help_text=more.pop("help_text", "Whether there may be more than is listed."),
        **more,
    )


def field_at(model: type[models.Model], path: str) -> models.Field:
    """The field a path such as `patient__study__slug` leads to."""
    field = None
    for step in path.split("__"):
        field = (field.related_model if field else model)._meta.get_field(step)
    return field


class KeyedQuerySet(models.QuerySet):
    """Records found again by the words a person would use, never by a database number."""

    def get_by_natural_key(self, *words):
        return self.get(**dict(zip(self.model.KEY, words, strict=True)))


class Keyed(models.Model):
    """A record with a natural key: `KEY` names its parts, as lookups."""

    KEY: tuple[str, ...] = ()

    class Meta:
        abstract = True

    def natural_key(self) -> tuple:
        words = []
        for path in self.KEY:
            value = self
            for step in path.split("__"):
                value = getattr(value, step)
            words.append(value)
        return tuple(words)

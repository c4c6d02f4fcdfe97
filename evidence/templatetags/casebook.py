"""What templates need beyond Django: navigation, missing values, the data's version. Loaded in every template."""

from django import template

from ..models import Collection, DataVersion

register = template.Library()


@register.simple_tag
def all_collections() -> list[Collection]:
    """The collections, for the navigation of every page."""
    return list(Collection.objects.all())


@register.simple_tag
def data_version() -> DataVersion:
    """The version of the data this page was made from."""
    return DataVersion.current()


@register.filter
def trimmed(value):
    """A decimal without needless zeros; other values unchanged."""
    return format(value.normalize(), "f") if hasattr(value, "normalize") else value


@register.filter
def authors(text: str) -> str:
    """An author list as running text that ends with one full stop: semicolons become commas."""
    return f"{text.replace(';', ',').rstrip('.')}."


@register.inclusion_tag("evidence/_value.html")
def value(text, missing):
    """A value, or why there is none; never a blank."""
    return {"text": text, "missing": missing}

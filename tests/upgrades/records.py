"""All evidence of a database by natural keys, and what a curator does in one."""

from collections.abc import Callable

from django.apps import apps

from evidence.models.base import Keyed

from ..factories import delete_as_if_never_published

COUNTRY, LABEL, NOTES = (
    "China, as a curator corrected it",
    "Relapses, as a curator calls them",
    "A curator's own note.",
)


def everything() -> dict[str, dict[str, dict]]:
    """Kind of record -> natural key -> field -> value, as texts; relations by natural keys."""
    kinds = [
        model for model in apps.get_app_config("evidence").get_models() if issubclass(model, Keyed)
    ]
    return {
        kind._meta.label_lower: {
            named(record): values(record) for record in kind._default_manager.all()
        }
        for kind in kinds
    }


def named(record: Keyed | None) -> str:
    return " / ".join(map(str, record.natural_key())) if record is not None else ""


def values(record: Keyed) -> dict[str, str | list[str]]:
    found = {
        column.name: named(getattr(record, column.name))
        if column.is_relation
        else str(getattr(record, column.name))
        for column in record._meta.concrete_fields
        if not column.primary_key
    }
    lists = [
        each.name
        for each in record._meta.many_to_many
        if each.remote_field.through._meta.auto_created
    ]
    return found | {name: sorted(map(named, getattr(record, name).all())) for name in lists}


def curate(model: Callable) -> None:
    """Edits shipped records, removes some, and adds own ones, as the models of some version know
    them.

    `model` gives a model by its name.
    """
    model("Patient").objects.filter(slug="fujita-2019-1").update(age_years=72)
    model("Patient").objects.filter(slug="prakashini-2023-1").update(notes=NOTES)
    model("Study").objects.filter(slug="hou-2022").update(country=COUNTRY)
    model("PrintedFigure").objects.filter(review__slug="sener-2025", code="relapsed").update(
        label=LABEL
    )
    is_current = any(field.name == "looked_for" for field in model("Patient")._meta.fields)
    removed = model("Patient").objects.get(slug="rhk-2025-101-1")
    if is_current:  # which keeps the addresses of what was published
        delete_as_if_never_published(removed)
    else:
        removed.delete()
    model("JAKInhibitor").objects.create(slug="own", name="a drug of our own")
    study = model("Study").objects.create(
        collection=model("Collection").objects.get(slug="published"),
        slug="own-2026",
        short_name="Own 2026",
        design="case_report",
        extraction="in_part" if is_current else "full_text",  # nobody has said what was looked for
        notes=NOTES,
    )
    patient = model("Patient").objects.create(
        study=study, slug="own-2026-1", label="Case 1", sex="female", age_years=50
    )
    course = model("Treatment").objects.create(
        patient=patient,
        inhibitor=model("JAKInhibitor").objects.get(slug="own"),
        indication_set="skin",
    )
    course.indications.set([model("Indication").objects.get(code="skin")])

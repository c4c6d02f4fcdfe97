"""Takes a database with patients of each kind over migration 0008 and back, in the database
DATABASE_URL names.

    python -m tests.upgrades.lists

Everything in that database is lost. Writes as JSON what lists say of their completeness afterwards,
and what the earlier field says once the migration is taken back.
"""

import json
import os
import sys

import django

BEFORE, AFTER = "0007_version_tokens", "0008_list_completeness"
# Patient -> what the earlier field said, and the prior therapies recorded.
PATIENTS = {
    "none-1": ("explicitly_none", []),
    "listed-1": ("listed", ["methotrexate"]),
    "unnamed-1": ("listed", ["multiple-dmards-not-named"]),
    "silent-1": ("not_stated", []),
}
LISTS = ("prior_therapies", "manifestations", "autoantibodies")
LISTS_OF_COURSE = ("indications", "concomitant_therapies", "adverse_event_categories")


def draw(get_model) -> None:
    """Records as the version before made them: each patient with a course that has an indication
    and an event.
    """
    drug = get_model("JAKInhibitor").objects.create(slug="drug", name="drug")
    skin = get_model("Indication").objects.create(code="skin", label="Skin")
    infection = get_model("AdverseEventCategory").objects.create(
        code="infection", label="Infection"
    )
    collection = get_model("Collection").objects.create(
        slug="one", name="One", kind="published", description="One."
    )
    study = get_model("Study").objects.create(
        collection=collection,
        slug="s",
        short_name="S",
        design="case_series",
        extraction="full_text",
        state="published",
    )
    for slug, (status, therapies) in PATIENTS.items():
        patient = get_model("Patient").objects.create(
            study=study, slug=slug, label=slug, prior_status=status, state="published"
        )
        for code in therapies:
            therapy, _ = get_model("Therapy").objects.get_or_create(code=code, label=code)
            patient.prior_therapies.add(therapy)
        course = get_model("Treatment").objects.create(
            patient=patient, inhibitor=drug, adverse_events="events"
        )
        course.indications.add(skin)
        get_model("AdverseEvent").objects.create(treatment=course, number=1, category=infection)


def completeness(patients) -> dict:
    """What each list of each patient and of their course says, and the prior therapies that are on
    it.
    """
    found = {}
    for patient in patients:
        lists = {name: getattr(patient, f"{name}_completeness") for name in LISTS}
        for course in patient.treatments.all():
            lists |= {name: getattr(course, f"{name}_completeness") for name in LISTS_OF_COURSE}
        found[patient.slug] = lists | {
            "listed": [each.code for each in patient.prior_therapies.all()]
        }
    return found


def taken_over() -> dict:
    """What the lists say after the migration, and the earlier field after it is taken back."""
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    from .run import empty_at, told

    def model_at(state: str):
        apps = MigrationLoader(connection).project_state(("evidence", state)).apps
        return lambda name: apps.get_model("evidence", name)

    empty_at(BEFORE)
    draw(model_at(BEFORE))
    told("migrate", "evidence", AFTER)
    after = completeness(model_at(AFTER)("Patient").objects.all())
    told("migrate", "evidence", BEFORE)
    return {
        "after": after,
        "back": dict(model_at(BEFORE)("Patient").objects.values_list("slug", "prior_status")),
    }


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evidence.settings")
    django.setup()
    json.dump(taken_over(), sys.stdout)

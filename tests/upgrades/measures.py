"""Takes a database whose outcomes are measured by free text over migration 0010 and back, in the
database DATABASE_URL names.

    python -m tests.upgrades.measures

Everything in that database is lost. Writes as JSON what outcomes, findings and measures say
afterwards, and what outcomes say once the migration is taken back.
"""

import json
import os
import sys

import django

BEFORE, AFTER = "0009_finding_harm", "0010_measures"
OUTCOMES = [
    ("mRSS", 20),
    ("MRSS", 240),  # entered when nothing refused it
    ("modified Rodnan skin score", 10),
    ("DLCO", 60),
    ("DLCO % predicted", 60),
    ("FVC", 2),
    ("new nodules", None),
    ("Own score", None),
    ("own score", None),
    ("own-score", None),
    ("own score", None),
    ("own+score", None),
    ("?", None),
    ("", None),
]
FINDINGS = ["MRSS", "FVC%", "death"]


def draw(get_model) -> None:
    """Records as the version before made them."""
    collection = get_model("Collection").objects.create(
        slug="one", name="One", kind="published", description="One."
    )
    study = get_model("Study").objects.create(
        collection=collection,
        slug="s",
        short_name="S",
        design="case_series",
        extraction="abstract",
        state="published",
    )
    patient = get_model("Patient").objects.create(
        study=study, slug="s-1", label="1", state="published"
    )
    drug = get_model("JAKInhibitor").objects.create(slug="drug", name="drug")
    course = get_model("Treatment").objects.create(patient=patient, inhibitor=drug)
    for number, (measure, baseline) in enumerate(OUTCOMES, start=1):
        get_model("Outcome").objects.create(
            treatment=course, number=number, domain="skin", measure=measure, baseline=baseline
        )
    group = get_model("StudyGroup").objects.create(study=study, slug="g", label="G")
    for number, measure in enumerate(FINDINGS, start=1):
        get_model("GroupFinding").objects.create(
            group=group, number=number, measure=measure, kind="score"
        )
    get_model("DataVersion").objects.create(number=5)


def taken_over() -> dict:
    """What there is after the migration, and after it is taken back."""
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    from .run import empty_at, told

    def model_at(state: str):
        apps = MigrationLoader(connection).project_state(("evidence", state)).apps
        return lambda name: apps.get_model("evidence", name)

    def outcomes(state: str) -> list:
        rows = model_at(state)("Outcome").objects.order_by("number")
        return [[label, None if low is None else int(low)] for label, low in values(rows)]

    def values(rows):
        return rows.values_list("measure", "baseline")

    empty_at(BEFORE)
    draw(model_at(BEFORE))
    told("migrate", "evidence", AFTER)
    after = model_at(AFTER)
    measures = after("Measure").objects.order_by("code")
    found = {
        "outcomes": outcomes(AFTER),
        "findings": list(
            after("GroupFinding").objects.order_by("number").values_list("measure", flat=True)
        ),
        "measures": {measure.code: [measure.label, measure.standard] for measure in measures},
        "version": after("DataVersion").objects.get().number,
        "loaded": sorted(after("LoadedRecord").objects.values_list("key", flat=True)),
    }
    told("migrate", "evidence", BEFORE)
    return found | {"back": outcomes(BEFORE)}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evidence.settings")
    django.setup()
    json.dump(taken_over(), sys.stdout)
